
use builtin;
use str;

set edit:completion:arg-completer[ipcd] = {|@words|
    fn spaces {|n|
        builtin:repeat $n ' ' | str:join ''
    }
    fn cand {|text desc|
        edit:complex-candidate $text &display=$text' '(spaces (- 14 (wcswidth $text)))$desc
    }
    var command = 'ipcd'
    for word $words[1..-1] {
        if (str:has-prefix $word '-') {
            break
        }
        set command = $command';'$word
    }
    var completions = [
        &'ipcd'= {
            cand --as 'Which of several agents above this command is meant'
            cand --json 'Print results as JSON, one value a line, and failures as {"error":{…}}'
            cand --no-spawn 'Do not start a daemon when there is none: exit with 3'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
            cand send 'Send a message'
            cand check 'Read your messages'
            cand wait 'Wait for a message, and read it'
            cand broadcast 'Send a message to every other agent that is there or was today'
            cand share 'Share a file, or the output of a command'
            cand policy 'Ask what agents may share'
            cand list 'List the agents: who is there, since when, and what waits for them'
            cand status 'Show the daemon, the agents and everything that waits or went wrong'
            cand register 'Give this shell a name of its own'
            cand rename 'Take another name; the old one forwards to it for a while'
            cand release 'Take a name away from whoever holds it; its mail stays. For people'
            cand auto 'How often the hooks of an agent look for mail during its work'
            cand log 'Search the messages that were read'
            cand dead 'Messages that nobody could read'
            cand install 'Connect the clients that are here: adds ipcd and its hooks to their configuration'
            cand uninstall 'Take ipcd out of the clients'' configuration again'
            cand service 'Have the service manager keep the socket and start the daemon'
            cand doctor 'Check everything from the binary to a message through each client''s configured command'
            cand mcp 'Run the MCP server of one agent, on stdin and stdout'
            cand hook 'Tell an agent that mail waits; for its hooks'
            cand daemon 'Run the daemon in the foreground'
            cand stop 'End the daemon, and wait until it is gone. For people'
            cand demo 'Watch a real daemon and two real MCP front ends exchange mail, in a temporary home'
            cand completions 'Print the completion script of a shell'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'ipcd;send'= {
            cand --summary 'What a reader sees first, at most 500 bytes'
            cand --data 'JSON that goes along unchanged'
            cand --key 'Same key, same message: however often it is sent, it is stored once'
            cand --reply-to 'Number of the message that this one answers'
            cand --forward 'Pass this message on, whole; words are welcome and not needed'
            cand --ttl 'Make it a dead letter when nobody reads it in time'
            cand --as 'Which of several agents above this command is meant'
            cand --json 'Print results as JSON, one value a line, and failures as {"error":{…}}'
            cand --no-spawn 'Do not start a daemon when there is none: exit with 3'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'ipcd;check'= {
            cand --limit 'At most so many messages'
            cand --id 'One message alone and whole, whether it was read or not'
            cand --offset 'One piece of it: from this byte on'
            cand --as 'Which of several agents above this command is meant'
            cand --peek 'Look without taking: the messages stay unread'
            cand --follow 'Go on until interrupted, and print messages as they come'
            cand --json 'Print results as JSON, one value a line, and failures as {"error":{…}}'
            cand --no-spawn 'Do not start a daemon when there is none: exit with 3'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'ipcd;wait'= {
            cand --timeout 'Give up after so many seconds, with exit code 4; without it, wait for ever'
            cand --limit 'At most so many messages'
            cand --as 'Which of several agents above this command is meant'
            cand --json 'Print results as JSON, one value a line, and failures as {"error":{…}}'
            cand --no-spawn 'Do not start a daemon when there is none: exit with 3'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'ipcd;broadcast'= {
            cand --summary 'What a reader sees first, at most 500 bytes'
            cand --data 'JSON that goes along unchanged'
            cand --key 'Same key, same message: however often it is sent, it is stored once'
            cand --as 'Which of several agents above this command is meant'
            cand --json 'Print results as JSON, one value a line, and failures as {"error":{…}}'
            cand --no-spawn 'Do not start a daemon when there is none: exit with 3'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'ipcd;share'= {
            cand --as 'Which of several agents above this command is meant'
            cand --json 'Print results as JSON, one value a line, and failures as {"error":{…}}'
            cand --no-spawn 'Do not start a daemon when there is none: exit with 3'
            cand -h 'Print help'
            cand --help 'Print help'
            cand file 'Send what is in a file: regular, at most 1 MiB, no known kind of secret'
            cand command 'Run a command here, without a shell, and send what it prints'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'ipcd;share;file'= {
            cand --description 'What it is, for the reader'
            cand --as 'Which of several agents above this command is meant'
            cand --json 'Print results as JSON, one value a line, and failures as {"error":{…}}'
            cand --no-spawn 'Do not start a daemon when there is none: exit with 3'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'ipcd;share;command'= {
            cand --description 'What it is, for the reader'
            cand --as 'Which of several agents above this command is meant'
            cand --json 'Print results as JSON, one value a line, and failures as {"error":{…}}'
            cand --no-spawn 'Do not start a daemon when there is none: exit with 3'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'ipcd;share;help'= {
            cand file 'Send what is in a file: regular, at most 1 MiB, no known kind of secret'
            cand command 'Run a command here, without a shell, and send what it prints'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'ipcd;share;help;file'= {
        }
        &'ipcd;share;help;command'= {
        }
        &'ipcd;share;help;help'= {
        }
        &'ipcd;policy'= {
            cand --as 'Which of several agents above this command is meant'
            cand --json 'Print results as JSON, one value a line, and failures as {"error":{…}}'
            cand --no-spawn 'Do not start a daemon when there is none: exit with 3'
            cand -h 'Print help'
            cand --help 'Print help'
            cand check 'Tell the verdict on a file or a command, and the rule that says so'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'ipcd;policy;check'= {
            cand --as 'Which of several agents above this command is meant'
            cand --remote-client 'The agent is on another host: share no files and commands of this one'
            cand --local-client 'The agent is on this host, in a login by ssh'
            cand --json 'Print results as JSON, one value a line, and failures as {"error":{…}}'
            cand --no-spawn 'Do not start a daemon when there is none: exit with 3'
            cand -h 'Print help'
            cand --help 'Print help'
            cand file 'A file, by its place and its content. Nothing is sent'
            cand command 'A command. Nothing is run'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'ipcd;policy;check;file'= {
            cand --as 'Which of several agents above this command is meant'
            cand --json 'Print results as JSON, one value a line, and failures as {"error":{…}}'
            cand --no-spawn 'Do not start a daemon when there is none: exit with 3'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'ipcd;policy;check;command'= {
            cand --as 'Which of several agents above this command is meant'
            cand --json 'Print results as JSON, one value a line, and failures as {"error":{…}}'
            cand --no-spawn 'Do not start a daemon when there is none: exit with 3'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'ipcd;policy;check;help'= {
            cand file 'A file, by its place and its content. Nothing is sent'
            cand command 'A command. Nothing is run'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'ipcd;policy;check;help;file'= {
        }
        &'ipcd;policy;check;help;command'= {
        }
        &'ipcd;policy;check;help;help'= {
        }
        &'ipcd;policy;help'= {
            cand check 'Tell the verdict on a file or a command, and the rule that says so'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'ipcd;policy;help;check'= {
            cand file 'A file, by its place and its content. Nothing is sent'
            cand command 'A command. Nothing is run'
        }
        &'ipcd;policy;help;check;file'= {
        }
        &'ipcd;policy;help;check;command'= {
        }
        &'ipcd;policy;help;help'= {
        }
        &'ipcd;list'= {
            cand --as 'Which of several agents above this command is meant'
            cand --json 'Print results as JSON, one value a line, and failures as {"error":{…}}'
            cand --no-spawn 'Do not start a daemon when there is none: exit with 3'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'ipcd;status'= {
            cand --as 'Which of several agents above this command is meant'
            cand --line 'Only `name (unread)`, for a status line; silent when there is no daemon or no name'
            cand --json 'Print results as JSON, one value a line, and failures as {"error":{…}}'
            cand --no-spawn 'Do not start a daemon when there is none: exit with 3'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'ipcd;register'= {
            cand --as 'Which of several agents above this command is meant'
            cand --json 'Print results as JSON, one value a line, and failures as {"error":{…}}'
            cand --no-spawn 'Do not start a daemon when there is none: exit with 3'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'ipcd;rename'= {
            cand --as 'Which of several agents above this command is meant'
            cand --json 'Print results as JSON, one value a line, and failures as {"error":{…}}'
            cand --no-spawn 'Do not start a daemon when there is none: exit with 3'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'ipcd;release'= {
            cand --as 'Which of several agents above this command is meant'
            cand --json 'Print results as JSON, one value a line, and failures as {"error":{…}}'
            cand --no-spawn 'Do not start a daemon when there is none: exit with 3'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'ipcd;auto'= {
            cand --as 'Which of several agents above this command is meant'
            cand --json 'Print results as JSON, one value a line, and failures as {"error":{…}}'
            cand --no-spawn 'Do not start a daemon when there is none: exit with 3'
            cand -h 'Print help'
            cand --help 'Print help'
            cand start 'Look every so many minutes'
            cand stop 'Do not look by itself any more'
            cand status 'Whether it looks, how often, and when it did'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'ipcd;auto;start'= {
            cand --as 'Which of several agents above this command is meant'
            cand --json 'Print results as JSON, one value a line, and failures as {"error":{…}}'
            cand --no-spawn 'Do not start a daemon when there is none: exit with 3'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'ipcd;auto;stop'= {
            cand --as 'Which of several agents above this command is meant'
            cand --json 'Print results as JSON, one value a line, and failures as {"error":{…}}'
            cand --no-spawn 'Do not start a daemon when there is none: exit with 3'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'ipcd;auto;status'= {
            cand --as 'Which of several agents above this command is meant'
            cand --json 'Print results as JSON, one value a line, and failures as {"error":{…}}'
            cand --no-spawn 'Do not start a daemon when there is none: exit with 3'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'ipcd;auto;help'= {
            cand start 'Look every so many minutes'
            cand stop 'Do not look by itself any more'
            cand status 'Whether it looks, how often, and when it did'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'ipcd;auto;help;start'= {
        }
        &'ipcd;auto;help;stop'= {
        }
        &'ipcd;auto;help;status'= {
        }
        &'ipcd;auto;help;help'= {
        }
        &'ipcd;log'= {
            cand --search 'Only messages with these words in sender, recipient, summary or text'
            cand --thread 'Only the conversation that this message began'
            cand --limit 'The last so many messages'
            cand --as 'Which of several agents above this command is meant'
            cand --audit 'Who did what to whom, and what was refused by which rule, instead of the messages'
            cand --full 'The whole of each message, not only its beginning'
            cand --follow 'Go on until interrupted, and print messages as they are read'
            cand --json 'Print results as JSON, one value a line, and failures as {"error":{…}}'
            cand --no-spawn 'Do not start a daemon when there is none: exit with 3'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'ipcd;dead'= {
            cand --as 'Which of several agents above this command is meant'
            cand --json 'Print results as JSON, one value a line, and failures as {"error":{…}}'
            cand --no-spawn 'Do not start a daemon when there is none: exit with 3'
            cand -h 'Print help'
            cand --help 'Print help'
            cand list 'List them'
            cand show 'Show one whole'
            cand requeue 'Put some back into their mailboxes. For people'
            cand purge 'Forget some. For people'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'ipcd;dead;list'= {
            cand --as 'Which of several agents above this command is meant'
            cand --json 'Print results as JSON, one value a line, and failures as {"error":{…}}'
            cand --no-spawn 'Do not start a daemon when there is none: exit with 3'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'ipcd;dead;show'= {
            cand --as 'Which of several agents above this command is meant'
            cand --json 'Print results as JSON, one value a line, and failures as {"error":{…}}'
            cand --no-spawn 'Do not start a daemon when there is none: exit with 3'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'ipcd;dead;requeue'= {
            cand --as 'Which of several agents above this command is meant'
            cand --all 'All of them'
            cand --json 'Print results as JSON, one value a line, and failures as {"error":{…}}'
            cand --no-spawn 'Do not start a daemon when there is none: exit with 3'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'ipcd;dead;purge'= {
            cand --as 'Which of several agents above this command is meant'
            cand --all 'All of them'
            cand --json 'Print results as JSON, one value a line, and failures as {"error":{…}}'
            cand --no-spawn 'Do not start a daemon when there is none: exit with 3'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'ipcd;dead;help'= {
            cand list 'List them'
            cand show 'Show one whole'
            cand requeue 'Put some back into their mailboxes. For people'
            cand purge 'Forget some. For people'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'ipcd;dead;help;list'= {
        }
        &'ipcd;dead;help;show'= {
        }
        &'ipcd;dead;help;requeue'= {
        }
        &'ipcd;dead;help;purge'= {
        }
        &'ipcd;dead;help;help'= {
        }
        &'ipcd;install'= {
            cand --client 'Only these clients, whether they are found or not'
            cand --tools 'Which tools agents see; without it, what the configuration says, or all'
            cand --as 'Which of several agents above this command is meant'
            cand --project 'In the configuration of the project in this folder, not in yours'
            cand --dry-run 'Show what would change, and write nothing'
            cand --json 'Print results as JSON, one value a line, and failures as {"error":{…}}'
            cand --no-spawn 'Do not start a daemon when there is none: exit with 3'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'ipcd;uninstall'= {
            cand --client 'Only from these clients'
            cand --as 'Which of several agents above this command is meant'
            cand --project 'Only from the configuration of the project in this folder'
            cand --dry-run 'Show what would change, and write nothing'
            cand --json 'Print results as JSON, one value a line, and failures as {"error":{…}}'
            cand --no-spawn 'Do not start a daemon when there is none: exit with 3'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'ipcd;service'= {
            cand --as 'Which of several agents above this command is meant'
            cand --json 'Print results as JSON, one value a line, and failures as {"error":{…}}'
            cand --no-spawn 'Do not start a daemon when there is none: exit with 3'
            cand -h 'Print help'
            cand --help 'Print help'
            cand install 'Tell the service manager of ipcd, for you alone'
            cand uninstall 'Take that back. Names, mail and settings stay'
            cand status 'Whether it is a service, what is started, and what is wrong with it'
            cand logs 'The last lines that the daemon logged'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'ipcd;service;install'= {
            cand --manager 'Of another system; with --dry-run'
            cand --as 'Which of several agents above this command is meant'
            cand --dry-run 'Show what would be written and run, and do nothing'
            cand --json 'Print results as JSON, one value a line, and failures as {"error":{…}}'
            cand --no-spawn 'Do not start a daemon when there is none: exit with 3'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'ipcd;service;uninstall'= {
            cand --manager 'Of another system; with --dry-run'
            cand --as 'Which of several agents above this command is meant'
            cand --dry-run 'Show what would be written and run, and do nothing'
            cand --json 'Print results as JSON, one value a line, and failures as {"error":{…}}'
            cand --no-spawn 'Do not start a daemon when there is none: exit with 3'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'ipcd;service;status'= {
            cand --as 'Which of several agents above this command is meant'
            cand --json 'Print results as JSON, one value a line, and failures as {"error":{…}}'
            cand --no-spawn 'Do not start a daemon when there is none: exit with 3'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'ipcd;service;logs'= {
            cand -n 'So many lines'
            cand --lines 'So many lines'
            cand --as 'Which of several agents above this command is meant'
            cand --follow 'Go on until interrupted, and print lines as they come'
            cand --json 'Print results as JSON, one value a line, and failures as {"error":{…}}'
            cand --no-spawn 'Do not start a daemon when there is none: exit with 3'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'ipcd;service;help'= {
            cand install 'Tell the service manager of ipcd, for you alone'
            cand uninstall 'Take that back. Names, mail and settings stay'
            cand status 'Whether it is a service, what is started, and what is wrong with it'
            cand logs 'The last lines that the daemon logged'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'ipcd;service;help;install'= {
        }
        &'ipcd;service;help;uninstall'= {
        }
        &'ipcd;service;help;status'= {
        }
        &'ipcd;service;help;logs'= {
        }
        &'ipcd;service;help;help'= {
        }
        &'ipcd;doctor'= {
            cand --client 'Only these clients'
            cand --as 'Which of several agents above this command is meant'
            cand --json 'Print results as JSON, one value a line, and failures as {"error":{…}}'
            cand --no-spawn 'Do not start a daemon when there is none: exit with 3'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'ipcd;mcp'= {
            cand --name 'Register under this name'
            cand --tools 'Which tools to offer'
            cand --as 'Which of several agents above this command is meant'
            cand --no-auto-register 'Have no name until the agent registers'
            cand --remote-client 'The agent is on another host: share no files and commands of this one'
            cand --local-client 'The agent is on this host, in a login by ssh'
            cand --json 'Print results as JSON, one value a line, and failures as {"error":{…}}'
            cand --no-spawn 'Do not start a daemon when there is none: exit with 3'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'ipcd;hook'= {
            cand --client 'Whose hook it is; without it, the environment tells'
            cand --as 'Which of several agents above this command is meant'
            cand --json 'Print results as JSON, one value a line, and failures as {"error":{…}}'
            cand --no-spawn 'Do not start a daemon when there is none: exit with 3'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'ipcd;daemon'= {
            cand --as 'Which of several agents above this command is meant'
            cand --detached 'Started by a client: log to the file, end when idle'
            cand --json 'Print results as JSON, one value a line, and failures as {"error":{…}}'
            cand --no-spawn 'Do not start a daemon when there is none: exit with 3'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'ipcd;stop'= {
            cand --as 'Which of several agents above this command is meant'
            cand --json 'Print results as JSON, one value a line, and failures as {"error":{…}}'
            cand --no-spawn 'Do not start a daemon when there is none: exit with 3'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'ipcd;demo'= {
            cand --as 'Which of several agents above this command is meant'
            cand --json 'Print results as JSON, one value a line, and failures as {"error":{…}}'
            cand --no-spawn 'Do not start a daemon when there is none: exit with 3'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'ipcd;completions'= {
            cand --as 'Which of several agents above this command is meant'
            cand --json 'Print results as JSON, one value a line, and failures as {"error":{…}}'
            cand --no-spawn 'Do not start a daemon when there is none: exit with 3'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'ipcd;help'= {
            cand send 'Send a message'
            cand check 'Read your messages'
            cand wait 'Wait for a message, and read it'
            cand broadcast 'Send a message to every other agent that is there or was today'
            cand share 'Share a file, or the output of a command'
            cand policy 'Ask what agents may share'
            cand list 'List the agents: who is there, since when, and what waits for them'
            cand status 'Show the daemon, the agents and everything that waits or went wrong'
            cand register 'Give this shell a name of its own'
            cand rename 'Take another name; the old one forwards to it for a while'
            cand release 'Take a name away from whoever holds it; its mail stays. For people'
            cand auto 'How often the hooks of an agent look for mail during its work'
            cand log 'Search the messages that were read'
            cand dead 'Messages that nobody could read'
            cand install 'Connect the clients that are here: adds ipcd and its hooks to their configuration'
            cand uninstall 'Take ipcd out of the clients'' configuration again'
            cand service 'Have the service manager keep the socket and start the daemon'
            cand doctor 'Check everything from the binary to a message through each client''s configured command'
            cand mcp 'Run the MCP server of one agent, on stdin and stdout'
            cand hook 'Tell an agent that mail waits; for its hooks'
            cand daemon 'Run the daemon in the foreground'
            cand stop 'End the daemon, and wait until it is gone. For people'
            cand demo 'Watch a real daemon and two real MCP front ends exchange mail, in a temporary home'
            cand completions 'Print the completion script of a shell'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'ipcd;help;send'= {
        }
        &'ipcd;help;check'= {
        }
        &'ipcd;help;wait'= {
        }
        &'ipcd;help;broadcast'= {
        }
        &'ipcd;help;share'= {
            cand file 'Send what is in a file: regular, at most 1 MiB, no known kind of secret'
            cand command 'Run a command here, without a shell, and send what it prints'
        }
        &'ipcd;help;share;file'= {
        }
        &'ipcd;help;share;command'= {
        }
        &'ipcd;help;policy'= {
            cand check 'Tell the verdict on a file or a command, and the rule that says so'
        }
        &'ipcd;help;policy;check'= {
            cand file 'A file, by its place and its content. Nothing is sent'
            cand command 'A command. Nothing is run'
        }
        &'ipcd;help;policy;check;file'= {
        }
        &'ipcd;help;policy;check;command'= {
        }
        &'ipcd;help;list'= {
        }
        &'ipcd;help;status'= {
        }
        &'ipcd;help;register'= {
        }
        &'ipcd;help;rename'= {
        }
        &'ipcd;help;release'= {
        }
        &'ipcd;help;auto'= {
            cand start 'Look every so many minutes'
            cand stop 'Do not look by itself any more'
            cand status 'Whether it looks, how often, and when it did'
        }
        &'ipcd;help;auto;start'= {
        }
        &'ipcd;help;auto;stop'= {
        }
        &'ipcd;help;auto;status'= {
        }
        &'ipcd;help;log'= {
        }
        &'ipcd;help;dead'= {
            cand list 'List them'
            cand show 'Show one whole'
            cand requeue 'Put some back into their mailboxes. For people'
            cand purge 'Forget some. For people'
        }
        &'ipcd;help;dead;list'= {
        }
        &'ipcd;help;dead;show'= {
        }
        &'ipcd;help;dead;requeue'= {
        }
        &'ipcd;help;dead;purge'= {
        }
        &'ipcd;help;install'= {
        }
        &'ipcd;help;uninstall'= {
        }
        &'ipcd;help;service'= {
            cand install 'Tell the service manager of ipcd, for you alone'
            cand uninstall 'Take that back. Names, mail and settings stay'
            cand status 'Whether it is a service, what is started, and what is wrong with it'
            cand logs 'The last lines that the daemon logged'
        }
        &'ipcd;help;service;install'= {
        }
        &'ipcd;help;service;uninstall'= {
        }
        &'ipcd;help;service;status'= {
        }
        &'ipcd;help;service;logs'= {
        }
        &'ipcd;help;doctor'= {
        }
        &'ipcd;help;mcp'= {
        }
        &'ipcd;help;hook'= {
        }
        &'ipcd;help;daemon'= {
        }
        &'ipcd;help;stop'= {
        }
        &'ipcd;help;demo'= {
        }
        &'ipcd;help;completions'= {
        }
        &'ipcd;help;help'= {
        }
    ]
    $completions[$command]
}
