# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_ipcd_global_optspecs
    string join \n json as= no-spawn h/help V/version
end

function __fish_ipcd_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_ipcd_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_ipcd_using_subcommand
    set -l cmd (__fish_ipcd_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c ipcd -n "__fish_ipcd_needs_command" -l as -d 'Which of several agents above this command is meant' -r
complete -c ipcd -n "__fish_ipcd_needs_command" -l json -d 'Print results as JSON, one value a line, and failures as {"error":{…}}'
complete -c ipcd -n "__fish_ipcd_needs_command" -l no-spawn -d 'Do not start a daemon when there is none: exit with 3'
complete -c ipcd -n "__fish_ipcd_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ipcd -n "__fish_ipcd_needs_command" -s V -l version -d 'Print version'
complete -c ipcd -n "__fish_ipcd_needs_command" -f -a "send" -d 'Send a message'
complete -c ipcd -n "__fish_ipcd_needs_command" -f -a "check" -d 'Read your messages'
complete -c ipcd -n "__fish_ipcd_needs_command" -f -a "wait" -d 'Wait for a message, and read it'
complete -c ipcd -n "__fish_ipcd_needs_command" -f -a "broadcast" -d 'Send a message to every other agent that is there or was today'
complete -c ipcd -n "__fish_ipcd_needs_command" -f -a "share" -d 'Share a file, or the output of a command'
complete -c ipcd -n "__fish_ipcd_needs_command" -f -a "policy" -d 'Ask what agents may share'
complete -c ipcd -n "__fish_ipcd_needs_command" -f -a "list" -d 'List the agents: who is there, since when, and what waits for them'
complete -c ipcd -n "__fish_ipcd_needs_command" -f -a "status" -d 'Show the daemon, the agents and everything that waits or went wrong'
complete -c ipcd -n "__fish_ipcd_needs_command" -f -a "register" -d 'Give this shell a name of its own'
complete -c ipcd -n "__fish_ipcd_needs_command" -f -a "rename" -d 'Take another name; the old one forwards to it for a while'
complete -c ipcd -n "__fish_ipcd_needs_command" -f -a "release" -d 'Take a name away from whoever holds it; its mail stays. For people'
complete -c ipcd -n "__fish_ipcd_needs_command" -f -a "auto" -d 'How often the hooks of an agent look for mail during its work'
complete -c ipcd -n "__fish_ipcd_needs_command" -f -a "log" -d 'Search the messages that were read'
complete -c ipcd -n "__fish_ipcd_needs_command" -f -a "dead" -d 'Messages that nobody could read'
complete -c ipcd -n "__fish_ipcd_needs_command" -f -a "install" -d 'Connect the clients that are here: adds ipcd and its hooks to their configuration'
complete -c ipcd -n "__fish_ipcd_needs_command" -f -a "uninstall" -d 'Take ipcd out of the clients\' configuration again'
complete -c ipcd -n "__fish_ipcd_needs_command" -f -a "service" -d 'Have the service manager keep the socket and start the daemon'
complete -c ipcd -n "__fish_ipcd_needs_command" -f -a "doctor" -d 'Check everything from the binary to a message through each client\'s configured command'
complete -c ipcd -n "__fish_ipcd_needs_command" -f -a "mcp" -d 'Run the MCP server of one agent, on stdin and stdout'
complete -c ipcd -n "__fish_ipcd_needs_command" -f -a "hook" -d 'Tell an agent that mail waits; for its hooks'
complete -c ipcd -n "__fish_ipcd_needs_command" -f -a "daemon" -d 'Run the daemon in the foreground'
complete -c ipcd -n "__fish_ipcd_needs_command" -f -a "stop" -d 'End the daemon, and wait until it is gone. For people'
complete -c ipcd -n "__fish_ipcd_needs_command" -f -a "demo" -d 'Watch a real daemon and two real MCP front ends exchange mail, in a temporary home'
complete -c ipcd -n "__fish_ipcd_needs_command" -f -a "completions" -d 'Print the completion script of a shell'
complete -c ipcd -n "__fish_ipcd_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c ipcd -n "__fish_ipcd_using_subcommand send" -l summary -d 'What a reader sees first, at most 500 bytes' -r
complete -c ipcd -n "__fish_ipcd_using_subcommand send" -l data -d 'JSON that goes along unchanged' -r
complete -c ipcd -n "__fish_ipcd_using_subcommand send" -l key -d 'Same key, same message: however often it is sent, it is stored once' -r
complete -c ipcd -n "__fish_ipcd_using_subcommand send" -l reply-to -d 'Number of the message that this one answers' -r
complete -c ipcd -n "__fish_ipcd_using_subcommand send" -l forward -d 'Pass this message on, whole; words are welcome and not needed' -r
complete -c ipcd -n "__fish_ipcd_using_subcommand send" -l ttl -d 'Make it a dead letter when nobody reads it in time' -r
complete -c ipcd -n "__fish_ipcd_using_subcommand send" -l as -d 'Which of several agents above this command is meant' -r
complete -c ipcd -n "__fish_ipcd_using_subcommand send" -l json -d 'Print results as JSON, one value a line, and failures as {"error":{…}}'
complete -c ipcd -n "__fish_ipcd_using_subcommand send" -l no-spawn -d 'Do not start a daemon when there is none: exit with 3'
complete -c ipcd -n "__fish_ipcd_using_subcommand send" -s h -l help -d 'Print help'
complete -c ipcd -n "__fish_ipcd_using_subcommand check" -l limit -d 'At most so many messages' -r
complete -c ipcd -n "__fish_ipcd_using_subcommand check" -l id -d 'One message alone and whole, whether it was read or not' -r
complete -c ipcd -n "__fish_ipcd_using_subcommand check" -l offset -d 'One piece of it: from this byte on' -r
complete -c ipcd -n "__fish_ipcd_using_subcommand check" -l as -d 'Which of several agents above this command is meant' -r
complete -c ipcd -n "__fish_ipcd_using_subcommand check" -l peek -d 'Look without taking: the messages stay unread'
complete -c ipcd -n "__fish_ipcd_using_subcommand check" -l follow -d 'Go on until interrupted, and print messages as they come'
complete -c ipcd -n "__fish_ipcd_using_subcommand check" -l json -d 'Print results as JSON, one value a line, and failures as {"error":{…}}'
complete -c ipcd -n "__fish_ipcd_using_subcommand check" -l no-spawn -d 'Do not start a daemon when there is none: exit with 3'
complete -c ipcd -n "__fish_ipcd_using_subcommand check" -s h -l help -d 'Print help'
complete -c ipcd -n "__fish_ipcd_using_subcommand wait" -l timeout -d 'Give up after so many seconds, with exit code 4; without it, wait for ever' -r
complete -c ipcd -n "__fish_ipcd_using_subcommand wait" -l limit -d 'At most so many messages' -r
complete -c ipcd -n "__fish_ipcd_using_subcommand wait" -l as -d 'Which of several agents above this command is meant' -r
complete -c ipcd -n "__fish_ipcd_using_subcommand wait" -l json -d 'Print results as JSON, one value a line, and failures as {"error":{…}}'
complete -c ipcd -n "__fish_ipcd_using_subcommand wait" -l no-spawn -d 'Do not start a daemon when there is none: exit with 3'
complete -c ipcd -n "__fish_ipcd_using_subcommand wait" -s h -l help -d 'Print help'
complete -c ipcd -n "__fish_ipcd_using_subcommand broadcast" -l summary -d 'What a reader sees first, at most 500 bytes' -r
complete -c ipcd -n "__fish_ipcd_using_subcommand broadcast" -l data -d 'JSON that goes along unchanged' -r
complete -c ipcd -n "__fish_ipcd_using_subcommand broadcast" -l key -d 'Same key, same message: however often it is sent, it is stored once' -r
complete -c ipcd -n "__fish_ipcd_using_subcommand broadcast" -l as -d 'Which of several agents above this command is meant' -r
complete -c ipcd -n "__fish_ipcd_using_subcommand broadcast" -l json -d 'Print results as JSON, one value a line, and failures as {"error":{…}}'
complete -c ipcd -n "__fish_ipcd_using_subcommand broadcast" -l no-spawn -d 'Do not start a daemon when there is none: exit with 3'
complete -c ipcd -n "__fish_ipcd_using_subcommand broadcast" -s h -l help -d 'Print help'
complete -c ipcd -n "__fish_ipcd_using_subcommand share; and not __fish_seen_subcommand_from file command help" -l as -d 'Which of several agents above this command is meant' -r
complete -c ipcd -n "__fish_ipcd_using_subcommand share; and not __fish_seen_subcommand_from file command help" -l json -d 'Print results as JSON, one value a line, and failures as {"error":{…}}'
complete -c ipcd -n "__fish_ipcd_using_subcommand share; and not __fish_seen_subcommand_from file command help" -l no-spawn -d 'Do not start a daemon when there is none: exit with 3'
complete -c ipcd -n "__fish_ipcd_using_subcommand share; and not __fish_seen_subcommand_from file command help" -s h -l help -d 'Print help'
complete -c ipcd -n "__fish_ipcd_using_subcommand share; and not __fish_seen_subcommand_from file command help" -f -a "file" -d 'Send what is in a file: regular, at most 1 MiB, no known kind of secret'
complete -c ipcd -n "__fish_ipcd_using_subcommand share; and not __fish_seen_subcommand_from file command help" -f -a "command" -d 'Run a command here, without a shell, and send what it prints'
complete -c ipcd -n "__fish_ipcd_using_subcommand share; and not __fish_seen_subcommand_from file command help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c ipcd -n "__fish_ipcd_using_subcommand share; and __fish_seen_subcommand_from file" -l description -d 'What it is, for the reader' -r
complete -c ipcd -n "__fish_ipcd_using_subcommand share; and __fish_seen_subcommand_from file" -l as -d 'Which of several agents above this command is meant' -r
complete -c ipcd -n "__fish_ipcd_using_subcommand share; and __fish_seen_subcommand_from file" -l json -d 'Print results as JSON, one value a line, and failures as {"error":{…}}'
complete -c ipcd -n "__fish_ipcd_using_subcommand share; and __fish_seen_subcommand_from file" -l no-spawn -d 'Do not start a daemon when there is none: exit with 3'
complete -c ipcd -n "__fish_ipcd_using_subcommand share; and __fish_seen_subcommand_from file" -s h -l help -d 'Print help'
complete -c ipcd -n "__fish_ipcd_using_subcommand share; and __fish_seen_subcommand_from command" -l description -d 'What it is, for the reader' -r
complete -c ipcd -n "__fish_ipcd_using_subcommand share; and __fish_seen_subcommand_from command" -l as -d 'Which of several agents above this command is meant' -r
complete -c ipcd -n "__fish_ipcd_using_subcommand share; and __fish_seen_subcommand_from command" -l json -d 'Print results as JSON, one value a line, and failures as {"error":{…}}'
complete -c ipcd -n "__fish_ipcd_using_subcommand share; and __fish_seen_subcommand_from command" -l no-spawn -d 'Do not start a daemon when there is none: exit with 3'
complete -c ipcd -n "__fish_ipcd_using_subcommand share; and __fish_seen_subcommand_from command" -s h -l help -d 'Print help'
complete -c ipcd -n "__fish_ipcd_using_subcommand share; and __fish_seen_subcommand_from help" -f -a "file" -d 'Send what is in a file: regular, at most 1 MiB, no known kind of secret'
complete -c ipcd -n "__fish_ipcd_using_subcommand share; and __fish_seen_subcommand_from help" -f -a "command" -d 'Run a command here, without a shell, and send what it prints'
complete -c ipcd -n "__fish_ipcd_using_subcommand share; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c ipcd -n "__fish_ipcd_using_subcommand policy; and not __fish_seen_subcommand_from check help" -l as -d 'Which of several agents above this command is meant' -r
complete -c ipcd -n "__fish_ipcd_using_subcommand policy; and not __fish_seen_subcommand_from check help" -l json -d 'Print results as JSON, one value a line, and failures as {"error":{…}}'
complete -c ipcd -n "__fish_ipcd_using_subcommand policy; and not __fish_seen_subcommand_from check help" -l no-spawn -d 'Do not start a daemon when there is none: exit with 3'
complete -c ipcd -n "__fish_ipcd_using_subcommand policy; and not __fish_seen_subcommand_from check help" -s h -l help -d 'Print help'
complete -c ipcd -n "__fish_ipcd_using_subcommand policy; and not __fish_seen_subcommand_from check help" -f -a "check" -d 'Tell the verdict on a file or a command, and the rule that says so'
complete -c ipcd -n "__fish_ipcd_using_subcommand policy; and not __fish_seen_subcommand_from check help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c ipcd -n "__fish_ipcd_using_subcommand policy; and __fish_seen_subcommand_from check" -l as -d 'Which of several agents above this command is meant' -r
complete -c ipcd -n "__fish_ipcd_using_subcommand policy; and __fish_seen_subcommand_from check" -l remote-client -d 'The agent is on another host: share no files and commands of this one'
complete -c ipcd -n "__fish_ipcd_using_subcommand policy; and __fish_seen_subcommand_from check" -l local-client -d 'The agent is on this host, in a login by ssh'
complete -c ipcd -n "__fish_ipcd_using_subcommand policy; and __fish_seen_subcommand_from check" -l json -d 'Print results as JSON, one value a line, and failures as {"error":{…}}'
complete -c ipcd -n "__fish_ipcd_using_subcommand policy; and __fish_seen_subcommand_from check" -l no-spawn -d 'Do not start a daemon when there is none: exit with 3'
complete -c ipcd -n "__fish_ipcd_using_subcommand policy; and __fish_seen_subcommand_from check" -s h -l help -d 'Print help'
complete -c ipcd -n "__fish_ipcd_using_subcommand policy; and __fish_seen_subcommand_from check" -f -a "file" -d 'A file, by its place and its content. Nothing is sent'
complete -c ipcd -n "__fish_ipcd_using_subcommand policy; and __fish_seen_subcommand_from check" -f -a "command" -d 'A command. Nothing is run'
complete -c ipcd -n "__fish_ipcd_using_subcommand policy; and __fish_seen_subcommand_from check" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c ipcd -n "__fish_ipcd_using_subcommand policy; and __fish_seen_subcommand_from help" -f -a "check" -d 'Tell the verdict on a file or a command, and the rule that says so'
complete -c ipcd -n "__fish_ipcd_using_subcommand policy; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c ipcd -n "__fish_ipcd_using_subcommand list" -l as -d 'Which of several agents above this command is meant' -r
complete -c ipcd -n "__fish_ipcd_using_subcommand list" -l json -d 'Print results as JSON, one value a line, and failures as {"error":{…}}'
complete -c ipcd -n "__fish_ipcd_using_subcommand list" -l no-spawn -d 'Do not start a daemon when there is none: exit with 3'
complete -c ipcd -n "__fish_ipcd_using_subcommand list" -s h -l help -d 'Print help'
complete -c ipcd -n "__fish_ipcd_using_subcommand status" -l as -d 'Which of several agents above this command is meant' -r
complete -c ipcd -n "__fish_ipcd_using_subcommand status" -l line -d 'Only `name (unread)`, for a status line; silent when there is no daemon or no name'
complete -c ipcd -n "__fish_ipcd_using_subcommand status" -l json -d 'Print results as JSON, one value a line, and failures as {"error":{…}}'
complete -c ipcd -n "__fish_ipcd_using_subcommand status" -l no-spawn -d 'Do not start a daemon when there is none: exit with 3'
complete -c ipcd -n "__fish_ipcd_using_subcommand status" -s h -l help -d 'Print help'
complete -c ipcd -n "__fish_ipcd_using_subcommand register" -l as -d 'Which of several agents above this command is meant' -r
complete -c ipcd -n "__fish_ipcd_using_subcommand register" -l json -d 'Print results as JSON, one value a line, and failures as {"error":{…}}'
complete -c ipcd -n "__fish_ipcd_using_subcommand register" -l no-spawn -d 'Do not start a daemon when there is none: exit with 3'
complete -c ipcd -n "__fish_ipcd_using_subcommand register" -s h -l help -d 'Print help'
complete -c ipcd -n "__fish_ipcd_using_subcommand rename" -l as -d 'Which of several agents above this command is meant' -r
complete -c ipcd -n "__fish_ipcd_using_subcommand rename" -l json -d 'Print results as JSON, one value a line, and failures as {"error":{…}}'
complete -c ipcd -n "__fish_ipcd_using_subcommand rename" -l no-spawn -d 'Do not start a daemon when there is none: exit with 3'
complete -c ipcd -n "__fish_ipcd_using_subcommand rename" -s h -l help -d 'Print help'
complete -c ipcd -n "__fish_ipcd_using_subcommand release" -l as -d 'Which of several agents above this command is meant' -r
complete -c ipcd -n "__fish_ipcd_using_subcommand release" -l json -d 'Print results as JSON, one value a line, and failures as {"error":{…}}'
complete -c ipcd -n "__fish_ipcd_using_subcommand release" -l no-spawn -d 'Do not start a daemon when there is none: exit with 3'
complete -c ipcd -n "__fish_ipcd_using_subcommand release" -s h -l help -d 'Print help'
complete -c ipcd -n "__fish_ipcd_using_subcommand auto; and not __fish_seen_subcommand_from start stop status help" -l as -d 'Which of several agents above this command is meant' -r
complete -c ipcd -n "__fish_ipcd_using_subcommand auto; and not __fish_seen_subcommand_from start stop status help" -l json -d 'Print results as JSON, one value a line, and failures as {"error":{…}}'
complete -c ipcd -n "__fish_ipcd_using_subcommand auto; and not __fish_seen_subcommand_from start stop status help" -l no-spawn -d 'Do not start a daemon when there is none: exit with 3'
complete -c ipcd -n "__fish_ipcd_using_subcommand auto; and not __fish_seen_subcommand_from start stop status help" -s h -l help -d 'Print help'
complete -c ipcd -n "__fish_ipcd_using_subcommand auto; and not __fish_seen_subcommand_from start stop status help" -f -a "start" -d 'Look every so many minutes'
complete -c ipcd -n "__fish_ipcd_using_subcommand auto; and not __fish_seen_subcommand_from start stop status help" -f -a "stop" -d 'Do not look by itself any more'
complete -c ipcd -n "__fish_ipcd_using_subcommand auto; and not __fish_seen_subcommand_from start stop status help" -f -a "status" -d 'Whether it looks, how often, and when it did'
complete -c ipcd -n "__fish_ipcd_using_subcommand auto; and not __fish_seen_subcommand_from start stop status help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c ipcd -n "__fish_ipcd_using_subcommand auto; and __fish_seen_subcommand_from start" -l as -d 'Which of several agents above this command is meant' -r
complete -c ipcd -n "__fish_ipcd_using_subcommand auto; and __fish_seen_subcommand_from start" -l json -d 'Print results as JSON, one value a line, and failures as {"error":{…}}'
complete -c ipcd -n "__fish_ipcd_using_subcommand auto; and __fish_seen_subcommand_from start" -l no-spawn -d 'Do not start a daemon when there is none: exit with 3'
complete -c ipcd -n "__fish_ipcd_using_subcommand auto; and __fish_seen_subcommand_from start" -s h -l help -d 'Print help'
complete -c ipcd -n "__fish_ipcd_using_subcommand auto; and __fish_seen_subcommand_from stop" -l as -d 'Which of several agents above this command is meant' -r
complete -c ipcd -n "__fish_ipcd_using_subcommand auto; and __fish_seen_subcommand_from stop" -l json -d 'Print results as JSON, one value a line, and failures as {"error":{…}}'
complete -c ipcd -n "__fish_ipcd_using_subcommand auto; and __fish_seen_subcommand_from stop" -l no-spawn -d 'Do not start a daemon when there is none: exit with 3'
complete -c ipcd -n "__fish_ipcd_using_subcommand auto; and __fish_seen_subcommand_from stop" -s h -l help -d 'Print help'
complete -c ipcd -n "__fish_ipcd_using_subcommand auto; and __fish_seen_subcommand_from status" -l as -d 'Which of several agents above this command is meant' -r
complete -c ipcd -n "__fish_ipcd_using_subcommand auto; and __fish_seen_subcommand_from status" -l json -d 'Print results as JSON, one value a line, and failures as {"error":{…}}'
complete -c ipcd -n "__fish_ipcd_using_subcommand auto; and __fish_seen_subcommand_from status" -l no-spawn -d 'Do not start a daemon when there is none: exit with 3'
complete -c ipcd -n "__fish_ipcd_using_subcommand auto; and __fish_seen_subcommand_from status" -s h -l help -d 'Print help'
complete -c ipcd -n "__fish_ipcd_using_subcommand auto; and __fish_seen_subcommand_from help" -f -a "start" -d 'Look every so many minutes'
complete -c ipcd -n "__fish_ipcd_using_subcommand auto; and __fish_seen_subcommand_from help" -f -a "stop" -d 'Do not look by itself any more'
complete -c ipcd -n "__fish_ipcd_using_subcommand auto; and __fish_seen_subcommand_from help" -f -a "status" -d 'Whether it looks, how often, and when it did'
complete -c ipcd -n "__fish_ipcd_using_subcommand auto; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c ipcd -n "__fish_ipcd_using_subcommand log" -l search -d 'Only messages with these words in sender, recipient, summary or text' -r
complete -c ipcd -n "__fish_ipcd_using_subcommand log" -l thread -d 'Only the conversation that this message began' -r
complete -c ipcd -n "__fish_ipcd_using_subcommand log" -l limit -d 'The last so many messages' -r
complete -c ipcd -n "__fish_ipcd_using_subcommand log" -l as -d 'Which of several agents above this command is meant' -r
complete -c ipcd -n "__fish_ipcd_using_subcommand log" -l audit -d 'Who did what to whom, and what was refused by which rule, instead of the messages'
complete -c ipcd -n "__fish_ipcd_using_subcommand log" -l full -d 'The whole of each message, not only its beginning'
complete -c ipcd -n "__fish_ipcd_using_subcommand log" -l follow -d 'Go on until interrupted, and print messages as they are read'
complete -c ipcd -n "__fish_ipcd_using_subcommand log" -l json -d 'Print results as JSON, one value a line, and failures as {"error":{…}}'
complete -c ipcd -n "__fish_ipcd_using_subcommand log" -l no-spawn -d 'Do not start a daemon when there is none: exit with 3'
complete -c ipcd -n "__fish_ipcd_using_subcommand log" -s h -l help -d 'Print help'
complete -c ipcd -n "__fish_ipcd_using_subcommand dead; and not __fish_seen_subcommand_from list show requeue purge help" -l as -d 'Which of several agents above this command is meant' -r
complete -c ipcd -n "__fish_ipcd_using_subcommand dead; and not __fish_seen_subcommand_from list show requeue purge help" -l json -d 'Print results as JSON, one value a line, and failures as {"error":{…}}'
complete -c ipcd -n "__fish_ipcd_using_subcommand dead; and not __fish_seen_subcommand_from list show requeue purge help" -l no-spawn -d 'Do not start a daemon when there is none: exit with 3'
complete -c ipcd -n "__fish_ipcd_using_subcommand dead; and not __fish_seen_subcommand_from list show requeue purge help" -s h -l help -d 'Print help'
complete -c ipcd -n "__fish_ipcd_using_subcommand dead; and not __fish_seen_subcommand_from list show requeue purge help" -f -a "list" -d 'List them'
complete -c ipcd -n "__fish_ipcd_using_subcommand dead; and not __fish_seen_subcommand_from list show requeue purge help" -f -a "show" -d 'Show one whole'
complete -c ipcd -n "__fish_ipcd_using_subcommand dead; and not __fish_seen_subcommand_from list show requeue purge help" -f -a "requeue" -d 'Put some back into their mailboxes. For people'
complete -c ipcd -n "__fish_ipcd_using_subcommand dead; and not __fish_seen_subcommand_from list show requeue purge help" -f -a "purge" -d 'Forget some. For people'
complete -c ipcd -n "__fish_ipcd_using_subcommand dead; and not __fish_seen_subcommand_from list show requeue purge help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c ipcd -n "__fish_ipcd_using_subcommand dead; and __fish_seen_subcommand_from list" -l as -d 'Which of several agents above this command is meant' -r
complete -c ipcd -n "__fish_ipcd_using_subcommand dead; and __fish_seen_subcommand_from list" -l json -d 'Print results as JSON, one value a line, and failures as {"error":{…}}'
complete -c ipcd -n "__fish_ipcd_using_subcommand dead; and __fish_seen_subcommand_from list" -l no-spawn -d 'Do not start a daemon when there is none: exit with 3'
complete -c ipcd -n "__fish_ipcd_using_subcommand dead; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c ipcd -n "__fish_ipcd_using_subcommand dead; and __fish_seen_subcommand_from show" -l as -d 'Which of several agents above this command is meant' -r
complete -c ipcd -n "__fish_ipcd_using_subcommand dead; and __fish_seen_subcommand_from show" -l json -d 'Print results as JSON, one value a line, and failures as {"error":{…}}'
complete -c ipcd -n "__fish_ipcd_using_subcommand dead; and __fish_seen_subcommand_from show" -l no-spawn -d 'Do not start a daemon when there is none: exit with 3'
complete -c ipcd -n "__fish_ipcd_using_subcommand dead; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help'
complete -c ipcd -n "__fish_ipcd_using_subcommand dead; and __fish_seen_subcommand_from requeue" -l as -d 'Which of several agents above this command is meant' -r
complete -c ipcd -n "__fish_ipcd_using_subcommand dead; and __fish_seen_subcommand_from requeue" -l all -d 'All of them'
complete -c ipcd -n "__fish_ipcd_using_subcommand dead; and __fish_seen_subcommand_from requeue" -l json -d 'Print results as JSON, one value a line, and failures as {"error":{…}}'
complete -c ipcd -n "__fish_ipcd_using_subcommand dead; and __fish_seen_subcommand_from requeue" -l no-spawn -d 'Do not start a daemon when there is none: exit with 3'
complete -c ipcd -n "__fish_ipcd_using_subcommand dead; and __fish_seen_subcommand_from requeue" -s h -l help -d 'Print help'
complete -c ipcd -n "__fish_ipcd_using_subcommand dead; and __fish_seen_subcommand_from purge" -l as -d 'Which of several agents above this command is meant' -r
complete -c ipcd -n "__fish_ipcd_using_subcommand dead; and __fish_seen_subcommand_from purge" -l all -d 'All of them'
complete -c ipcd -n "__fish_ipcd_using_subcommand dead; and __fish_seen_subcommand_from purge" -l json -d 'Print results as JSON, one value a line, and failures as {"error":{…}}'
complete -c ipcd -n "__fish_ipcd_using_subcommand dead; and __fish_seen_subcommand_from purge" -l no-spawn -d 'Do not start a daemon when there is none: exit with 3'
complete -c ipcd -n "__fish_ipcd_using_subcommand dead; and __fish_seen_subcommand_from purge" -s h -l help -d 'Print help'
complete -c ipcd -n "__fish_ipcd_using_subcommand dead; and __fish_seen_subcommand_from help" -f -a "list" -d 'List them'
complete -c ipcd -n "__fish_ipcd_using_subcommand dead; and __fish_seen_subcommand_from help" -f -a "show" -d 'Show one whole'
complete -c ipcd -n "__fish_ipcd_using_subcommand dead; and __fish_seen_subcommand_from help" -f -a "requeue" -d 'Put some back into their mailboxes. For people'
complete -c ipcd -n "__fish_ipcd_using_subcommand dead; and __fish_seen_subcommand_from help" -f -a "purge" -d 'Forget some. For people'
complete -c ipcd -n "__fish_ipcd_using_subcommand dead; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c ipcd -n "__fish_ipcd_using_subcommand install" -l client -d 'Only these clients, whether they are found or not' -r -f -a "claude\t''
claude-desktop\t''
codex\t''
gemini\t''
copilot\t''
cursor\t''
vscode\t''
windsurf\t''
zed\t''
opencode\t''"
complete -c ipcd -n "__fish_ipcd_using_subcommand install" -l tools -d 'Which tools agents see; without it, what the configuration says, or all' -r -f -a "all\t'All thirteen'
instances\t'The nine that speak of instances'
terminals\t'register and the four that speak of terminals'
core\t'register, send, check, list_instances'"
complete -c ipcd -n "__fish_ipcd_using_subcommand install" -l as -d 'Which of several agents above this command is meant' -r
complete -c ipcd -n "__fish_ipcd_using_subcommand install" -l project -d 'In the configuration of the project in this folder, not in yours'
complete -c ipcd -n "__fish_ipcd_using_subcommand install" -l dry-run -d 'Show what would change, and write nothing'
complete -c ipcd -n "__fish_ipcd_using_subcommand install" -l json -d 'Print results as JSON, one value a line, and failures as {"error":{…}}'
complete -c ipcd -n "__fish_ipcd_using_subcommand install" -l no-spawn -d 'Do not start a daemon when there is none: exit with 3'
complete -c ipcd -n "__fish_ipcd_using_subcommand install" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ipcd -n "__fish_ipcd_using_subcommand uninstall" -l client -d 'Only from these clients' -r -f -a "claude\t''
claude-desktop\t''
codex\t''
gemini\t''
copilot\t''
cursor\t''
vscode\t''
windsurf\t''
zed\t''
opencode\t''"
complete -c ipcd -n "__fish_ipcd_using_subcommand uninstall" -l as -d 'Which of several agents above this command is meant' -r
complete -c ipcd -n "__fish_ipcd_using_subcommand uninstall" -l project -d 'Only from the configuration of the project in this folder'
complete -c ipcd -n "__fish_ipcd_using_subcommand uninstall" -l dry-run -d 'Show what would change, and write nothing'
complete -c ipcd -n "__fish_ipcd_using_subcommand uninstall" -l json -d 'Print results as JSON, one value a line, and failures as {"error":{…}}'
complete -c ipcd -n "__fish_ipcd_using_subcommand uninstall" -l no-spawn -d 'Do not start a daemon when there is none: exit with 3'
complete -c ipcd -n "__fish_ipcd_using_subcommand uninstall" -s h -l help -d 'Print help'
complete -c ipcd -n "__fish_ipcd_using_subcommand service; and not __fish_seen_subcommand_from install uninstall status logs help" -l as -d 'Which of several agents above this command is meant' -r
complete -c ipcd -n "__fish_ipcd_using_subcommand service; and not __fish_seen_subcommand_from install uninstall status logs help" -l json -d 'Print results as JSON, one value a line, and failures as {"error":{…}}'
complete -c ipcd -n "__fish_ipcd_using_subcommand service; and not __fish_seen_subcommand_from install uninstall status logs help" -l no-spawn -d 'Do not start a daemon when there is none: exit with 3'
complete -c ipcd -n "__fish_ipcd_using_subcommand service; and not __fish_seen_subcommand_from install uninstall status logs help" -s h -l help -d 'Print help'
complete -c ipcd -n "__fish_ipcd_using_subcommand service; and not __fish_seen_subcommand_from install uninstall status logs help" -f -a "install" -d 'Tell the service manager of ipcd, for you alone'
complete -c ipcd -n "__fish_ipcd_using_subcommand service; and not __fish_seen_subcommand_from install uninstall status logs help" -f -a "uninstall" -d 'Take that back. Names, mail and settings stay'
complete -c ipcd -n "__fish_ipcd_using_subcommand service; and not __fish_seen_subcommand_from install uninstall status logs help" -f -a "status" -d 'Whether it is a service, what is started, and what is wrong with it'
complete -c ipcd -n "__fish_ipcd_using_subcommand service; and not __fish_seen_subcommand_from install uninstall status logs help" -f -a "logs" -d 'The last lines that the daemon logged'
complete -c ipcd -n "__fish_ipcd_using_subcommand service; and not __fish_seen_subcommand_from install uninstall status logs help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c ipcd -n "__fish_ipcd_using_subcommand service; and __fish_seen_subcommand_from install" -l manager -d 'Of another system; with --dry-run' -r -f -a "systemd\t'Units for Linux'
launchd\t'An agent for macOS'
tasks\t'A task at logon for Windows'"
complete -c ipcd -n "__fish_ipcd_using_subcommand service; and __fish_seen_subcommand_from install" -l as -d 'Which of several agents above this command is meant' -r
complete -c ipcd -n "__fish_ipcd_using_subcommand service; and __fish_seen_subcommand_from install" -l dry-run -d 'Show what would be written and run, and do nothing'
complete -c ipcd -n "__fish_ipcd_using_subcommand service; and __fish_seen_subcommand_from install" -l json -d 'Print results as JSON, one value a line, and failures as {"error":{…}}'
complete -c ipcd -n "__fish_ipcd_using_subcommand service; and __fish_seen_subcommand_from install" -l no-spawn -d 'Do not start a daemon when there is none: exit with 3'
complete -c ipcd -n "__fish_ipcd_using_subcommand service; and __fish_seen_subcommand_from install" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ipcd -n "__fish_ipcd_using_subcommand service; and __fish_seen_subcommand_from uninstall" -l manager -d 'Of another system; with --dry-run' -r -f -a "systemd\t'Units for Linux'
launchd\t'An agent for macOS'
tasks\t'A task at logon for Windows'"
complete -c ipcd -n "__fish_ipcd_using_subcommand service; and __fish_seen_subcommand_from uninstall" -l as -d 'Which of several agents above this command is meant' -r
complete -c ipcd -n "__fish_ipcd_using_subcommand service; and __fish_seen_subcommand_from uninstall" -l dry-run -d 'Show what would be written and run, and do nothing'
complete -c ipcd -n "__fish_ipcd_using_subcommand service; and __fish_seen_subcommand_from uninstall" -l json -d 'Print results as JSON, one value a line, and failures as {"error":{…}}'
complete -c ipcd -n "__fish_ipcd_using_subcommand service; and __fish_seen_subcommand_from uninstall" -l no-spawn -d 'Do not start a daemon when there is none: exit with 3'
complete -c ipcd -n "__fish_ipcd_using_subcommand service; and __fish_seen_subcommand_from uninstall" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ipcd -n "__fish_ipcd_using_subcommand service; and __fish_seen_subcommand_from status" -l as -d 'Which of several agents above this command is meant' -r
complete -c ipcd -n "__fish_ipcd_using_subcommand service; and __fish_seen_subcommand_from status" -l json -d 'Print results as JSON, one value a line, and failures as {"error":{…}}'
complete -c ipcd -n "__fish_ipcd_using_subcommand service; and __fish_seen_subcommand_from status" -l no-spawn -d 'Do not start a daemon when there is none: exit with 3'
complete -c ipcd -n "__fish_ipcd_using_subcommand service; and __fish_seen_subcommand_from status" -s h -l help -d 'Print help'
complete -c ipcd -n "__fish_ipcd_using_subcommand service; and __fish_seen_subcommand_from logs" -s n -l lines -d 'So many lines' -r
complete -c ipcd -n "__fish_ipcd_using_subcommand service; and __fish_seen_subcommand_from logs" -l as -d 'Which of several agents above this command is meant' -r
complete -c ipcd -n "__fish_ipcd_using_subcommand service; and __fish_seen_subcommand_from logs" -l follow -d 'Go on until interrupted, and print lines as they come'
complete -c ipcd -n "__fish_ipcd_using_subcommand service; and __fish_seen_subcommand_from logs" -l json -d 'Print results as JSON, one value a line, and failures as {"error":{…}}'
complete -c ipcd -n "__fish_ipcd_using_subcommand service; and __fish_seen_subcommand_from logs" -l no-spawn -d 'Do not start a daemon when there is none: exit with 3'
complete -c ipcd -n "__fish_ipcd_using_subcommand service; and __fish_seen_subcommand_from logs" -s h -l help -d 'Print help'
complete -c ipcd -n "__fish_ipcd_using_subcommand service; and __fish_seen_subcommand_from help" -f -a "install" -d 'Tell the service manager of ipcd, for you alone'
complete -c ipcd -n "__fish_ipcd_using_subcommand service; and __fish_seen_subcommand_from help" -f -a "uninstall" -d 'Take that back. Names, mail and settings stay'
complete -c ipcd -n "__fish_ipcd_using_subcommand service; and __fish_seen_subcommand_from help" -f -a "status" -d 'Whether it is a service, what is started, and what is wrong with it'
complete -c ipcd -n "__fish_ipcd_using_subcommand service; and __fish_seen_subcommand_from help" -f -a "logs" -d 'The last lines that the daemon logged'
complete -c ipcd -n "__fish_ipcd_using_subcommand service; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c ipcd -n "__fish_ipcd_using_subcommand doctor" -l client -d 'Only these clients' -r -f -a "claude\t''
claude-desktop\t''
codex\t''
gemini\t''
copilot\t''
cursor\t''
vscode\t''
windsurf\t''
zed\t''
opencode\t''"
complete -c ipcd -n "__fish_ipcd_using_subcommand doctor" -l as -d 'Which of several agents above this command is meant' -r
complete -c ipcd -n "__fish_ipcd_using_subcommand doctor" -l json -d 'Print results as JSON, one value a line, and failures as {"error":{…}}'
complete -c ipcd -n "__fish_ipcd_using_subcommand doctor" -l no-spawn -d 'Do not start a daemon when there is none: exit with 3'
complete -c ipcd -n "__fish_ipcd_using_subcommand doctor" -s h -l help -d 'Print help'
complete -c ipcd -n "__fish_ipcd_using_subcommand mcp" -l name -d 'Register under this name' -r
complete -c ipcd -n "__fish_ipcd_using_subcommand mcp" -l tools -d 'Which tools to offer' -r -f -a "all\t'All thirteen'
instances\t'The nine that speak of instances'
terminals\t'register and the four that speak of terminals'
core\t'register, send, check, list_instances'"
complete -c ipcd -n "__fish_ipcd_using_subcommand mcp" -l as -d 'Which of several agents above this command is meant' -r
complete -c ipcd -n "__fish_ipcd_using_subcommand mcp" -l no-auto-register -d 'Have no name until the agent registers'
complete -c ipcd -n "__fish_ipcd_using_subcommand mcp" -l remote-client -d 'The agent is on another host: share no files and commands of this one'
complete -c ipcd -n "__fish_ipcd_using_subcommand mcp" -l local-client -d 'The agent is on this host, in a login by ssh'
complete -c ipcd -n "__fish_ipcd_using_subcommand mcp" -l json -d 'Print results as JSON, one value a line, and failures as {"error":{…}}'
complete -c ipcd -n "__fish_ipcd_using_subcommand mcp" -l no-spawn -d 'Do not start a daemon when there is none: exit with 3'
complete -c ipcd -n "__fish_ipcd_using_subcommand mcp" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ipcd -n "__fish_ipcd_using_subcommand hook" -l client -d 'Whose hook it is; without it, the environment tells' -r -f -a "claude\t''
codex\t''
gemini\t''
copilot\t''
cursor\t''
opencode\t''"
complete -c ipcd -n "__fish_ipcd_using_subcommand hook" -l as -d 'Which of several agents above this command is meant' -r
complete -c ipcd -n "__fish_ipcd_using_subcommand hook" -l json -d 'Print results as JSON, one value a line, and failures as {"error":{…}}'
complete -c ipcd -n "__fish_ipcd_using_subcommand hook" -l no-spawn -d 'Do not start a daemon when there is none: exit with 3'
complete -c ipcd -n "__fish_ipcd_using_subcommand hook" -s h -l help -d 'Print help'
complete -c ipcd -n "__fish_ipcd_using_subcommand daemon" -l as -d 'Which of several agents above this command is meant' -r
complete -c ipcd -n "__fish_ipcd_using_subcommand daemon" -l detached -d 'Started by a client: log to the file, end when idle'
complete -c ipcd -n "__fish_ipcd_using_subcommand daemon" -l json -d 'Print results as JSON, one value a line, and failures as {"error":{…}}'
complete -c ipcd -n "__fish_ipcd_using_subcommand daemon" -l no-spawn -d 'Do not start a daemon when there is none: exit with 3'
complete -c ipcd -n "__fish_ipcd_using_subcommand daemon" -s h -l help -d 'Print help'
complete -c ipcd -n "__fish_ipcd_using_subcommand stop" -l as -d 'Which of several agents above this command is meant' -r
complete -c ipcd -n "__fish_ipcd_using_subcommand stop" -l json -d 'Print results as JSON, one value a line, and failures as {"error":{…}}'
complete -c ipcd -n "__fish_ipcd_using_subcommand stop" -l no-spawn -d 'Do not start a daemon when there is none: exit with 3'
complete -c ipcd -n "__fish_ipcd_using_subcommand stop" -s h -l help -d 'Print help'
complete -c ipcd -n "__fish_ipcd_using_subcommand demo" -l as -d 'Which of several agents above this command is meant' -r
complete -c ipcd -n "__fish_ipcd_using_subcommand demo" -l json -d 'Print results as JSON, one value a line, and failures as {"error":{…}}'
complete -c ipcd -n "__fish_ipcd_using_subcommand demo" -l no-spawn -d 'Do not start a daemon when there is none: exit with 3'
complete -c ipcd -n "__fish_ipcd_using_subcommand demo" -s h -l help -d 'Print help'
complete -c ipcd -n "__fish_ipcd_using_subcommand completions" -l as -d 'Which of several agents above this command is meant' -r
complete -c ipcd -n "__fish_ipcd_using_subcommand completions" -l json -d 'Print results as JSON, one value a line, and failures as {"error":{…}}'
complete -c ipcd -n "__fish_ipcd_using_subcommand completions" -l no-spawn -d 'Do not start a daemon when there is none: exit with 3'
complete -c ipcd -n "__fish_ipcd_using_subcommand completions" -s h -l help -d 'Print help'
complete -c ipcd -n "__fish_ipcd_using_subcommand help; and not __fish_seen_subcommand_from send check wait broadcast share policy list status register rename release auto log dead install uninstall service doctor mcp hook daemon stop demo completions help" -f -a "send" -d 'Send a message'
complete -c ipcd -n "__fish_ipcd_using_subcommand help; and not __fish_seen_subcommand_from send check wait broadcast share policy list status register rename release auto log dead install uninstall service doctor mcp hook daemon stop demo completions help" -f -a "check" -d 'Read your messages'
complete -c ipcd -n "__fish_ipcd_using_subcommand help; and not __fish_seen_subcommand_from send check wait broadcast share policy list status register rename release auto log dead install uninstall service doctor mcp hook daemon stop demo completions help" -f -a "wait" -d 'Wait for a message, and read it'
complete -c ipcd -n "__fish_ipcd_using_subcommand help; and not __fish_seen_subcommand_from send check wait broadcast share policy list status register rename release auto log dead install uninstall service doctor mcp hook daemon stop demo completions help" -f -a "broadcast" -d 'Send a message to every other agent that is there or was today'
complete -c ipcd -n "__fish_ipcd_using_subcommand help; and not __fish_seen_subcommand_from send check wait broadcast share policy list status register rename release auto log dead install uninstall service doctor mcp hook daemon stop demo completions help" -f -a "share" -d 'Share a file, or the output of a command'
complete -c ipcd -n "__fish_ipcd_using_subcommand help; and not __fish_seen_subcommand_from send check wait broadcast share policy list status register rename release auto log dead install uninstall service doctor mcp hook daemon stop demo completions help" -f -a "policy" -d 'Ask what agents may share'
complete -c ipcd -n "__fish_ipcd_using_subcommand help; and not __fish_seen_subcommand_from send check wait broadcast share policy list status register rename release auto log dead install uninstall service doctor mcp hook daemon stop demo completions help" -f -a "list" -d 'List the agents: who is there, since when, and what waits for them'
complete -c ipcd -n "__fish_ipcd_using_subcommand help; and not __fish_seen_subcommand_from send check wait broadcast share policy list status register rename release auto log dead install uninstall service doctor mcp hook daemon stop demo completions help" -f -a "status" -d 'Show the daemon, the agents and everything that waits or went wrong'
complete -c ipcd -n "__fish_ipcd_using_subcommand help; and not __fish_seen_subcommand_from send check wait broadcast share policy list status register rename release auto log dead install uninstall service doctor mcp hook daemon stop demo completions help" -f -a "register" -d 'Give this shell a name of its own'
complete -c ipcd -n "__fish_ipcd_using_subcommand help; and not __fish_seen_subcommand_from send check wait broadcast share policy list status register rename release auto log dead install uninstall service doctor mcp hook daemon stop demo completions help" -f -a "rename" -d 'Take another name; the old one forwards to it for a while'
complete -c ipcd -n "__fish_ipcd_using_subcommand help; and not __fish_seen_subcommand_from send check wait broadcast share policy list status register rename release auto log dead install uninstall service doctor mcp hook daemon stop demo completions help" -f -a "release" -d 'Take a name away from whoever holds it; its mail stays. For people'
complete -c ipcd -n "__fish_ipcd_using_subcommand help; and not __fish_seen_subcommand_from send check wait broadcast share policy list status register rename release auto log dead install uninstall service doctor mcp hook daemon stop demo completions help" -f -a "auto" -d 'How often the hooks of an agent look for mail during its work'
complete -c ipcd -n "__fish_ipcd_using_subcommand help; and not __fish_seen_subcommand_from send check wait broadcast share policy list status register rename release auto log dead install uninstall service doctor mcp hook daemon stop demo completions help" -f -a "log" -d 'Search the messages that were read'
complete -c ipcd -n "__fish_ipcd_using_subcommand help; and not __fish_seen_subcommand_from send check wait broadcast share policy list status register rename release auto log dead install uninstall service doctor mcp hook daemon stop demo completions help" -f -a "dead" -d 'Messages that nobody could read'
complete -c ipcd -n "__fish_ipcd_using_subcommand help; and not __fish_seen_subcommand_from send check wait broadcast share policy list status register rename release auto log dead install uninstall service doctor mcp hook daemon stop demo completions help" -f -a "install" -d 'Connect the clients that are here: adds ipcd and its hooks to their configuration'
complete -c ipcd -n "__fish_ipcd_using_subcommand help; and not __fish_seen_subcommand_from send check wait broadcast share policy list status register rename release auto log dead install uninstall service doctor mcp hook daemon stop demo completions help" -f -a "uninstall" -d 'Take ipcd out of the clients\' configuration again'
complete -c ipcd -n "__fish_ipcd_using_subcommand help; and not __fish_seen_subcommand_from send check wait broadcast share policy list status register rename release auto log dead install uninstall service doctor mcp hook daemon stop demo completions help" -f -a "service" -d 'Have the service manager keep the socket and start the daemon'
complete -c ipcd -n "__fish_ipcd_using_subcommand help; and not __fish_seen_subcommand_from send check wait broadcast share policy list status register rename release auto log dead install uninstall service doctor mcp hook daemon stop demo completions help" -f -a "doctor" -d 'Check everything from the binary to a message through each client\'s configured command'
complete -c ipcd -n "__fish_ipcd_using_subcommand help; and not __fish_seen_subcommand_from send check wait broadcast share policy list status register rename release auto log dead install uninstall service doctor mcp hook daemon stop demo completions help" -f -a "mcp" -d 'Run the MCP server of one agent, on stdin and stdout'
complete -c ipcd -n "__fish_ipcd_using_subcommand help; and not __fish_seen_subcommand_from send check wait broadcast share policy list status register rename release auto log dead install uninstall service doctor mcp hook daemon stop demo completions help" -f -a "hook" -d 'Tell an agent that mail waits; for its hooks'
complete -c ipcd -n "__fish_ipcd_using_subcommand help; and not __fish_seen_subcommand_from send check wait broadcast share policy list status register rename release auto log dead install uninstall service doctor mcp hook daemon stop demo completions help" -f -a "daemon" -d 'Run the daemon in the foreground'
complete -c ipcd -n "__fish_ipcd_using_subcommand help; and not __fish_seen_subcommand_from send check wait broadcast share policy list status register rename release auto log dead install uninstall service doctor mcp hook daemon stop demo completions help" -f -a "stop" -d 'End the daemon, and wait until it is gone. For people'
complete -c ipcd -n "__fish_ipcd_using_subcommand help; and not __fish_seen_subcommand_from send check wait broadcast share policy list status register rename release auto log dead install uninstall service doctor mcp hook daemon stop demo completions help" -f -a "demo" -d 'Watch a real daemon and two real MCP front ends exchange mail, in a temporary home'
complete -c ipcd -n "__fish_ipcd_using_subcommand help; and not __fish_seen_subcommand_from send check wait broadcast share policy list status register rename release auto log dead install uninstall service doctor mcp hook daemon stop demo completions help" -f -a "completions" -d 'Print the completion script of a shell'
complete -c ipcd -n "__fish_ipcd_using_subcommand help; and not __fish_seen_subcommand_from send check wait broadcast share policy list status register rename release auto log dead install uninstall service doctor mcp hook daemon stop demo completions help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c ipcd -n "__fish_ipcd_using_subcommand help; and __fish_seen_subcommand_from share" -f -a "file" -d 'Send what is in a file: regular, at most 1 MiB, no known kind of secret'
complete -c ipcd -n "__fish_ipcd_using_subcommand help; and __fish_seen_subcommand_from share" -f -a "command" -d 'Run a command here, without a shell, and send what it prints'
complete -c ipcd -n "__fish_ipcd_using_subcommand help; and __fish_seen_subcommand_from policy" -f -a "check" -d 'Tell the verdict on a file or a command, and the rule that says so'
complete -c ipcd -n "__fish_ipcd_using_subcommand help; and __fish_seen_subcommand_from auto" -f -a "start" -d 'Look every so many minutes'
complete -c ipcd -n "__fish_ipcd_using_subcommand help; and __fish_seen_subcommand_from auto" -f -a "stop" -d 'Do not look by itself any more'
complete -c ipcd -n "__fish_ipcd_using_subcommand help; and __fish_seen_subcommand_from auto" -f -a "status" -d 'Whether it looks, how often, and when it did'
complete -c ipcd -n "__fish_ipcd_using_subcommand help; and __fish_seen_subcommand_from dead" -f -a "list" -d 'List them'
complete -c ipcd -n "__fish_ipcd_using_subcommand help; and __fish_seen_subcommand_from dead" -f -a "show" -d 'Show one whole'
complete -c ipcd -n "__fish_ipcd_using_subcommand help; and __fish_seen_subcommand_from dead" -f -a "requeue" -d 'Put some back into their mailboxes. For people'
complete -c ipcd -n "__fish_ipcd_using_subcommand help; and __fish_seen_subcommand_from dead" -f -a "purge" -d 'Forget some. For people'
complete -c ipcd -n "__fish_ipcd_using_subcommand help; and __fish_seen_subcommand_from service" -f -a "install" -d 'Tell the service manager of ipcd, for you alone'
complete -c ipcd -n "__fish_ipcd_using_subcommand help; and __fish_seen_subcommand_from service" -f -a "uninstall" -d 'Take that back. Names, mail and settings stay'
complete -c ipcd -n "__fish_ipcd_using_subcommand help; and __fish_seen_subcommand_from service" -f -a "status" -d 'Whether it is a service, what is started, and what is wrong with it'
complete -c ipcd -n "__fish_ipcd_using_subcommand help; and __fish_seen_subcommand_from service" -f -a "logs" -d 'The last lines that the daemon logged'
