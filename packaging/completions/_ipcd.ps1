
using namespace System.Management.Automation
using namespace System.Management.Automation.Language

Register-ArgumentCompleter -Native -CommandName 'ipcd' -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)

    $commandElements = $commandAst.CommandElements
    $command = @(
        'ipcd'
        for ($i = 1; $i -lt $commandElements.Count; $i++) {
            $element = $commandElements[$i]
            if ($element -isnot [StringConstantExpressionAst] -or
                $element.StringConstantType -ne [StringConstantType]::BareWord -or
                $element.Value.StartsWith('-') -or
                $element.Value -eq $wordToComplete) {
                break
        }
        $element.Value
    }) -join ';'

    $completions = @(switch ($command) {
        'ipcd' {
            [CompletionResult]::new('--as', '--as', [CompletionResultType]::ParameterName, 'Which of several agents above this command is meant')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON, one value a line, and failures as {"error":{…}}')
            [CompletionResult]::new('--no-spawn', '--no-spawn', [CompletionResultType]::ParameterName, 'Do not start a daemon when there is none: exit with 3')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('send', 'send', [CompletionResultType]::ParameterValue, 'Send a message')
            [CompletionResult]::new('check', 'check', [CompletionResultType]::ParameterValue, 'Read your messages')
            [CompletionResult]::new('wait', 'wait', [CompletionResultType]::ParameterValue, 'Wait for a message, and read it')
            [CompletionResult]::new('broadcast', 'broadcast', [CompletionResultType]::ParameterValue, 'Send a message to every other agent that is there or was today')
            [CompletionResult]::new('share', 'share', [CompletionResultType]::ParameterValue, 'Share a file, or the output of a command')
            [CompletionResult]::new('policy', 'policy', [CompletionResultType]::ParameterValue, 'Ask what agents may share')
            [CompletionResult]::new('list', 'list', [CompletionResultType]::ParameterValue, 'List the agents: who is there, since when, and what waits for them')
            [CompletionResult]::new('status', 'status', [CompletionResultType]::ParameterValue, 'Show the daemon, the agents and everything that waits or went wrong')
            [CompletionResult]::new('register', 'register', [CompletionResultType]::ParameterValue, 'Give this shell a name of its own')
            [CompletionResult]::new('rename', 'rename', [CompletionResultType]::ParameterValue, 'Take another name; the old one forwards to it for a while')
            [CompletionResult]::new('release', 'release', [CompletionResultType]::ParameterValue, 'Take a name away from whoever holds it; its mail stays. For people')
            [CompletionResult]::new('auto', 'auto', [CompletionResultType]::ParameterValue, 'How often the hooks of an agent look for mail during its work')
            [CompletionResult]::new('log', 'log', [CompletionResultType]::ParameterValue, 'Search the messages that were read')
            [CompletionResult]::new('dead', 'dead', [CompletionResultType]::ParameterValue, 'Messages that nobody could read')
            [CompletionResult]::new('install', 'install', [CompletionResultType]::ParameterValue, 'Connect the clients that are here: adds ipcd and its hooks to their configuration')
            [CompletionResult]::new('uninstall', 'uninstall', [CompletionResultType]::ParameterValue, 'Take ipcd out of the clients'' configuration again')
            [CompletionResult]::new('service', 'service', [CompletionResultType]::ParameterValue, 'Have the service manager keep the socket and start the daemon')
            [CompletionResult]::new('doctor', 'doctor', [CompletionResultType]::ParameterValue, 'Check everything from the binary to a message through each client''s configured command')
            [CompletionResult]::new('mcp', 'mcp', [CompletionResultType]::ParameterValue, 'Run the MCP server of one agent, on stdin and stdout')
            [CompletionResult]::new('hook', 'hook', [CompletionResultType]::ParameterValue, 'Tell an agent that mail waits; for its hooks')
            [CompletionResult]::new('daemon', 'daemon', [CompletionResultType]::ParameterValue, 'Run the daemon in the foreground')
            [CompletionResult]::new('stop', 'stop', [CompletionResultType]::ParameterValue, 'End the daemon, and wait until it is gone. For people')
            [CompletionResult]::new('demo', 'demo', [CompletionResultType]::ParameterValue, 'Watch a real daemon and two real MCP front ends exchange mail, in a temporary home')
            [CompletionResult]::new('completions', 'completions', [CompletionResultType]::ParameterValue, 'Print the completion script of a shell')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'ipcd;send' {
            [CompletionResult]::new('--summary', '--summary', [CompletionResultType]::ParameterName, 'What a reader sees first, at most 500 bytes')
            [CompletionResult]::new('--data', '--data', [CompletionResultType]::ParameterName, 'JSON that goes along unchanged')
            [CompletionResult]::new('--key', '--key', [CompletionResultType]::ParameterName, 'Same key, same message: however often it is sent, it is stored once')
            [CompletionResult]::new('--reply-to', '--reply-to', [CompletionResultType]::ParameterName, 'Number of the message that this one answers')
            [CompletionResult]::new('--forward', '--forward', [CompletionResultType]::ParameterName, 'Pass this message on, whole; words are welcome and not needed')
            [CompletionResult]::new('--ttl', '--ttl', [CompletionResultType]::ParameterName, 'Make it a dead letter when nobody reads it in time')
            [CompletionResult]::new('--as', '--as', [CompletionResultType]::ParameterName, 'Which of several agents above this command is meant')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON, one value a line, and failures as {"error":{…}}')
            [CompletionResult]::new('--no-spawn', '--no-spawn', [CompletionResultType]::ParameterName, 'Do not start a daemon when there is none: exit with 3')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'ipcd;check' {
            [CompletionResult]::new('--limit', '--limit', [CompletionResultType]::ParameterName, 'At most so many messages')
            [CompletionResult]::new('--id', '--id', [CompletionResultType]::ParameterName, 'One message alone and whole, whether it was read or not')
            [CompletionResult]::new('--offset', '--offset', [CompletionResultType]::ParameterName, 'One piece of it: from this byte on')
            [CompletionResult]::new('--as', '--as', [CompletionResultType]::ParameterName, 'Which of several agents above this command is meant')
            [CompletionResult]::new('--peek', '--peek', [CompletionResultType]::ParameterName, 'Look without taking: the messages stay unread')
            [CompletionResult]::new('--follow', '--follow', [CompletionResultType]::ParameterName, 'Go on until interrupted, and print messages as they come')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON, one value a line, and failures as {"error":{…}}')
            [CompletionResult]::new('--no-spawn', '--no-spawn', [CompletionResultType]::ParameterName, 'Do not start a daemon when there is none: exit with 3')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'ipcd;wait' {
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Give up after so many seconds, with exit code 4; without it, wait for ever')
            [CompletionResult]::new('--limit', '--limit', [CompletionResultType]::ParameterName, 'At most so many messages')
            [CompletionResult]::new('--as', '--as', [CompletionResultType]::ParameterName, 'Which of several agents above this command is meant')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON, one value a line, and failures as {"error":{…}}')
            [CompletionResult]::new('--no-spawn', '--no-spawn', [CompletionResultType]::ParameterName, 'Do not start a daemon when there is none: exit with 3')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'ipcd;broadcast' {
            [CompletionResult]::new('--summary', '--summary', [CompletionResultType]::ParameterName, 'What a reader sees first, at most 500 bytes')
            [CompletionResult]::new('--data', '--data', [CompletionResultType]::ParameterName, 'JSON that goes along unchanged')
            [CompletionResult]::new('--key', '--key', [CompletionResultType]::ParameterName, 'Same key, same message: however often it is sent, it is stored once')
            [CompletionResult]::new('--as', '--as', [CompletionResultType]::ParameterName, 'Which of several agents above this command is meant')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON, one value a line, and failures as {"error":{…}}')
            [CompletionResult]::new('--no-spawn', '--no-spawn', [CompletionResultType]::ParameterName, 'Do not start a daemon when there is none: exit with 3')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'ipcd;share' {
            [CompletionResult]::new('--as', '--as', [CompletionResultType]::ParameterName, 'Which of several agents above this command is meant')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON, one value a line, and failures as {"error":{…}}')
            [CompletionResult]::new('--no-spawn', '--no-spawn', [CompletionResultType]::ParameterName, 'Do not start a daemon when there is none: exit with 3')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('file', 'file', [CompletionResultType]::ParameterValue, 'Send what is in a file: regular, at most 1 MiB, no known kind of secret')
            [CompletionResult]::new('command', 'command', [CompletionResultType]::ParameterValue, 'Run a command here, without a shell, and send what it prints')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'ipcd;share;file' {
            [CompletionResult]::new('--description', '--description', [CompletionResultType]::ParameterName, 'What it is, for the reader')
            [CompletionResult]::new('--as', '--as', [CompletionResultType]::ParameterName, 'Which of several agents above this command is meant')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON, one value a line, and failures as {"error":{…}}')
            [CompletionResult]::new('--no-spawn', '--no-spawn', [CompletionResultType]::ParameterName, 'Do not start a daemon when there is none: exit with 3')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'ipcd;share;command' {
            [CompletionResult]::new('--description', '--description', [CompletionResultType]::ParameterName, 'What it is, for the reader')
            [CompletionResult]::new('--as', '--as', [CompletionResultType]::ParameterName, 'Which of several agents above this command is meant')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON, one value a line, and failures as {"error":{…}}')
            [CompletionResult]::new('--no-spawn', '--no-spawn', [CompletionResultType]::ParameterName, 'Do not start a daemon when there is none: exit with 3')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'ipcd;share;help' {
            [CompletionResult]::new('file', 'file', [CompletionResultType]::ParameterValue, 'Send what is in a file: regular, at most 1 MiB, no known kind of secret')
            [CompletionResult]::new('command', 'command', [CompletionResultType]::ParameterValue, 'Run a command here, without a shell, and send what it prints')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'ipcd;share;help;file' {
            break
        }
        'ipcd;share;help;command' {
            break
        }
        'ipcd;share;help;help' {
            break
        }
        'ipcd;policy' {
            [CompletionResult]::new('--as', '--as', [CompletionResultType]::ParameterName, 'Which of several agents above this command is meant')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON, one value a line, and failures as {"error":{…}}')
            [CompletionResult]::new('--no-spawn', '--no-spawn', [CompletionResultType]::ParameterName, 'Do not start a daemon when there is none: exit with 3')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('check', 'check', [CompletionResultType]::ParameterValue, 'Tell the verdict on a file or a command, and the rule that says so')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'ipcd;policy;check' {
            [CompletionResult]::new('--as', '--as', [CompletionResultType]::ParameterName, 'Which of several agents above this command is meant')
            [CompletionResult]::new('--remote-client', '--remote-client', [CompletionResultType]::ParameterName, 'The agent is on another host: share no files and commands of this one')
            [CompletionResult]::new('--local-client', '--local-client', [CompletionResultType]::ParameterName, 'The agent is on this host, in a login by ssh')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON, one value a line, and failures as {"error":{…}}')
            [CompletionResult]::new('--no-spawn', '--no-spawn', [CompletionResultType]::ParameterName, 'Do not start a daemon when there is none: exit with 3')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('file', 'file', [CompletionResultType]::ParameterValue, 'A file, by its place and its content. Nothing is sent')
            [CompletionResult]::new('command', 'command', [CompletionResultType]::ParameterValue, 'A command. Nothing is run')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'ipcd;policy;check;file' {
            [CompletionResult]::new('--as', '--as', [CompletionResultType]::ParameterName, 'Which of several agents above this command is meant')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON, one value a line, and failures as {"error":{…}}')
            [CompletionResult]::new('--no-spawn', '--no-spawn', [CompletionResultType]::ParameterName, 'Do not start a daemon when there is none: exit with 3')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'ipcd;policy;check;command' {
            [CompletionResult]::new('--as', '--as', [CompletionResultType]::ParameterName, 'Which of several agents above this command is meant')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON, one value a line, and failures as {"error":{…}}')
            [CompletionResult]::new('--no-spawn', '--no-spawn', [CompletionResultType]::ParameterName, 'Do not start a daemon when there is none: exit with 3')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'ipcd;policy;check;help' {
            [CompletionResult]::new('file', 'file', [CompletionResultType]::ParameterValue, 'A file, by its place and its content. Nothing is sent')
            [CompletionResult]::new('command', 'command', [CompletionResultType]::ParameterValue, 'A command. Nothing is run')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'ipcd;policy;check;help;file' {
            break
        }
        'ipcd;policy;check;help;command' {
            break
        }
        'ipcd;policy;check;help;help' {
            break
        }
        'ipcd;policy;help' {
            [CompletionResult]::new('check', 'check', [CompletionResultType]::ParameterValue, 'Tell the verdict on a file or a command, and the rule that says so')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'ipcd;policy;help;check' {
            [CompletionResult]::new('file', 'file', [CompletionResultType]::ParameterValue, 'A file, by its place and its content. Nothing is sent')
            [CompletionResult]::new('command', 'command', [CompletionResultType]::ParameterValue, 'A command. Nothing is run')
            break
        }
        'ipcd;policy;help;check;file' {
            break
        }
        'ipcd;policy;help;check;command' {
            break
        }
        'ipcd;policy;help;help' {
            break
        }
        'ipcd;list' {
            [CompletionResult]::new('--as', '--as', [CompletionResultType]::ParameterName, 'Which of several agents above this command is meant')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON, one value a line, and failures as {"error":{…}}')
            [CompletionResult]::new('--no-spawn', '--no-spawn', [CompletionResultType]::ParameterName, 'Do not start a daemon when there is none: exit with 3')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'ipcd;status' {
            [CompletionResult]::new('--as', '--as', [CompletionResultType]::ParameterName, 'Which of several agents above this command is meant')
            [CompletionResult]::new('--line', '--line', [CompletionResultType]::ParameterName, 'Only `name (unread)`, for a status line; silent when there is no daemon or no name')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON, one value a line, and failures as {"error":{…}}')
            [CompletionResult]::new('--no-spawn', '--no-spawn', [CompletionResultType]::ParameterName, 'Do not start a daemon when there is none: exit with 3')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'ipcd;register' {
            [CompletionResult]::new('--as', '--as', [CompletionResultType]::ParameterName, 'Which of several agents above this command is meant')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON, one value a line, and failures as {"error":{…}}')
            [CompletionResult]::new('--no-spawn', '--no-spawn', [CompletionResultType]::ParameterName, 'Do not start a daemon when there is none: exit with 3')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'ipcd;rename' {
            [CompletionResult]::new('--as', '--as', [CompletionResultType]::ParameterName, 'Which of several agents above this command is meant')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON, one value a line, and failures as {"error":{…}}')
            [CompletionResult]::new('--no-spawn', '--no-spawn', [CompletionResultType]::ParameterName, 'Do not start a daemon when there is none: exit with 3')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'ipcd;release' {
            [CompletionResult]::new('--as', '--as', [CompletionResultType]::ParameterName, 'Which of several agents above this command is meant')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON, one value a line, and failures as {"error":{…}}')
            [CompletionResult]::new('--no-spawn', '--no-spawn', [CompletionResultType]::ParameterName, 'Do not start a daemon when there is none: exit with 3')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'ipcd;auto' {
            [CompletionResult]::new('--as', '--as', [CompletionResultType]::ParameterName, 'Which of several agents above this command is meant')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON, one value a line, and failures as {"error":{…}}')
            [CompletionResult]::new('--no-spawn', '--no-spawn', [CompletionResultType]::ParameterName, 'Do not start a daemon when there is none: exit with 3')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('start', 'start', [CompletionResultType]::ParameterValue, 'Look every so many minutes')
            [CompletionResult]::new('stop', 'stop', [CompletionResultType]::ParameterValue, 'Do not look by itself any more')
            [CompletionResult]::new('status', 'status', [CompletionResultType]::ParameterValue, 'Whether it looks, how often, and when it did')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'ipcd;auto;start' {
            [CompletionResult]::new('--as', '--as', [CompletionResultType]::ParameterName, 'Which of several agents above this command is meant')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON, one value a line, and failures as {"error":{…}}')
            [CompletionResult]::new('--no-spawn', '--no-spawn', [CompletionResultType]::ParameterName, 'Do not start a daemon when there is none: exit with 3')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'ipcd;auto;stop' {
            [CompletionResult]::new('--as', '--as', [CompletionResultType]::ParameterName, 'Which of several agents above this command is meant')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON, one value a line, and failures as {"error":{…}}')
            [CompletionResult]::new('--no-spawn', '--no-spawn', [CompletionResultType]::ParameterName, 'Do not start a daemon when there is none: exit with 3')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'ipcd;auto;status' {
            [CompletionResult]::new('--as', '--as', [CompletionResultType]::ParameterName, 'Which of several agents above this command is meant')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON, one value a line, and failures as {"error":{…}}')
            [CompletionResult]::new('--no-spawn', '--no-spawn', [CompletionResultType]::ParameterName, 'Do not start a daemon when there is none: exit with 3')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'ipcd;auto;help' {
            [CompletionResult]::new('start', 'start', [CompletionResultType]::ParameterValue, 'Look every so many minutes')
            [CompletionResult]::new('stop', 'stop', [CompletionResultType]::ParameterValue, 'Do not look by itself any more')
            [CompletionResult]::new('status', 'status', [CompletionResultType]::ParameterValue, 'Whether it looks, how often, and when it did')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'ipcd;auto;help;start' {
            break
        }
        'ipcd;auto;help;stop' {
            break
        }
        'ipcd;auto;help;status' {
            break
        }
        'ipcd;auto;help;help' {
            break
        }
        'ipcd;log' {
            [CompletionResult]::new('--search', '--search', [CompletionResultType]::ParameterName, 'Only messages with these words in sender, recipient, summary or text')
            [CompletionResult]::new('--thread', '--thread', [CompletionResultType]::ParameterName, 'Only the conversation that this message began')
            [CompletionResult]::new('--limit', '--limit', [CompletionResultType]::ParameterName, 'The last so many messages')
            [CompletionResult]::new('--as', '--as', [CompletionResultType]::ParameterName, 'Which of several agents above this command is meant')
            [CompletionResult]::new('--audit', '--audit', [CompletionResultType]::ParameterName, 'Who did what to whom, and what was refused by which rule, instead of the messages')
            [CompletionResult]::new('--full', '--full', [CompletionResultType]::ParameterName, 'The whole of each message, not only its beginning')
            [CompletionResult]::new('--follow', '--follow', [CompletionResultType]::ParameterName, 'Go on until interrupted, and print messages as they are read')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON, one value a line, and failures as {"error":{…}}')
            [CompletionResult]::new('--no-spawn', '--no-spawn', [CompletionResultType]::ParameterName, 'Do not start a daemon when there is none: exit with 3')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'ipcd;dead' {
            [CompletionResult]::new('--as', '--as', [CompletionResultType]::ParameterName, 'Which of several agents above this command is meant')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON, one value a line, and failures as {"error":{…}}')
            [CompletionResult]::new('--no-spawn', '--no-spawn', [CompletionResultType]::ParameterName, 'Do not start a daemon when there is none: exit with 3')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('list', 'list', [CompletionResultType]::ParameterValue, 'List them')
            [CompletionResult]::new('show', 'show', [CompletionResultType]::ParameterValue, 'Show one whole')
            [CompletionResult]::new('requeue', 'requeue', [CompletionResultType]::ParameterValue, 'Put some back into their mailboxes. For people')
            [CompletionResult]::new('purge', 'purge', [CompletionResultType]::ParameterValue, 'Forget some. For people')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'ipcd;dead;list' {
            [CompletionResult]::new('--as', '--as', [CompletionResultType]::ParameterName, 'Which of several agents above this command is meant')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON, one value a line, and failures as {"error":{…}}')
            [CompletionResult]::new('--no-spawn', '--no-spawn', [CompletionResultType]::ParameterName, 'Do not start a daemon when there is none: exit with 3')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'ipcd;dead;show' {
            [CompletionResult]::new('--as', '--as', [CompletionResultType]::ParameterName, 'Which of several agents above this command is meant')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON, one value a line, and failures as {"error":{…}}')
            [CompletionResult]::new('--no-spawn', '--no-spawn', [CompletionResultType]::ParameterName, 'Do not start a daemon when there is none: exit with 3')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'ipcd;dead;requeue' {
            [CompletionResult]::new('--as', '--as', [CompletionResultType]::ParameterName, 'Which of several agents above this command is meant')
            [CompletionResult]::new('--all', '--all', [CompletionResultType]::ParameterName, 'All of them')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON, one value a line, and failures as {"error":{…}}')
            [CompletionResult]::new('--no-spawn', '--no-spawn', [CompletionResultType]::ParameterName, 'Do not start a daemon when there is none: exit with 3')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'ipcd;dead;purge' {
            [CompletionResult]::new('--as', '--as', [CompletionResultType]::ParameterName, 'Which of several agents above this command is meant')
            [CompletionResult]::new('--all', '--all', [CompletionResultType]::ParameterName, 'All of them')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON, one value a line, and failures as {"error":{…}}')
            [CompletionResult]::new('--no-spawn', '--no-spawn', [CompletionResultType]::ParameterName, 'Do not start a daemon when there is none: exit with 3')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'ipcd;dead;help' {
            [CompletionResult]::new('list', 'list', [CompletionResultType]::ParameterValue, 'List them')
            [CompletionResult]::new('show', 'show', [CompletionResultType]::ParameterValue, 'Show one whole')
            [CompletionResult]::new('requeue', 'requeue', [CompletionResultType]::ParameterValue, 'Put some back into their mailboxes. For people')
            [CompletionResult]::new('purge', 'purge', [CompletionResultType]::ParameterValue, 'Forget some. For people')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'ipcd;dead;help;list' {
            break
        }
        'ipcd;dead;help;show' {
            break
        }
        'ipcd;dead;help;requeue' {
            break
        }
        'ipcd;dead;help;purge' {
            break
        }
        'ipcd;dead;help;help' {
            break
        }
        'ipcd;install' {
            [CompletionResult]::new('--client', '--client', [CompletionResultType]::ParameterName, 'Only these clients, whether they are found or not')
            [CompletionResult]::new('--tools', '--tools', [CompletionResultType]::ParameterName, 'Which tools agents see; without it, what the configuration says, or all')
            [CompletionResult]::new('--as', '--as', [CompletionResultType]::ParameterName, 'Which of several agents above this command is meant')
            [CompletionResult]::new('--project', '--project', [CompletionResultType]::ParameterName, 'In the configuration of the project in this folder, not in yours')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Show what would change, and write nothing')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON, one value a line, and failures as {"error":{…}}')
            [CompletionResult]::new('--no-spawn', '--no-spawn', [CompletionResultType]::ParameterName, 'Do not start a daemon when there is none: exit with 3')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'ipcd;uninstall' {
            [CompletionResult]::new('--client', '--client', [CompletionResultType]::ParameterName, 'Only from these clients')
            [CompletionResult]::new('--as', '--as', [CompletionResultType]::ParameterName, 'Which of several agents above this command is meant')
            [CompletionResult]::new('--project', '--project', [CompletionResultType]::ParameterName, 'Only from the configuration of the project in this folder')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Show what would change, and write nothing')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON, one value a line, and failures as {"error":{…}}')
            [CompletionResult]::new('--no-spawn', '--no-spawn', [CompletionResultType]::ParameterName, 'Do not start a daemon when there is none: exit with 3')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'ipcd;service' {
            [CompletionResult]::new('--as', '--as', [CompletionResultType]::ParameterName, 'Which of several agents above this command is meant')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON, one value a line, and failures as {"error":{…}}')
            [CompletionResult]::new('--no-spawn', '--no-spawn', [CompletionResultType]::ParameterName, 'Do not start a daemon when there is none: exit with 3')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('install', 'install', [CompletionResultType]::ParameterValue, 'Tell the service manager of ipcd, for you alone')
            [CompletionResult]::new('uninstall', 'uninstall', [CompletionResultType]::ParameterValue, 'Take that back. Names, mail and settings stay')
            [CompletionResult]::new('status', 'status', [CompletionResultType]::ParameterValue, 'Whether it is a service, what is started, and what is wrong with it')
            [CompletionResult]::new('logs', 'logs', [CompletionResultType]::ParameterValue, 'The last lines that the daemon logged')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'ipcd;service;install' {
            [CompletionResult]::new('--manager', '--manager', [CompletionResultType]::ParameterName, 'Of another system; with --dry-run')
            [CompletionResult]::new('--as', '--as', [CompletionResultType]::ParameterName, 'Which of several agents above this command is meant')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Show what would be written and run, and do nothing')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON, one value a line, and failures as {"error":{…}}')
            [CompletionResult]::new('--no-spawn', '--no-spawn', [CompletionResultType]::ParameterName, 'Do not start a daemon when there is none: exit with 3')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'ipcd;service;uninstall' {
            [CompletionResult]::new('--manager', '--manager', [CompletionResultType]::ParameterName, 'Of another system; with --dry-run')
            [CompletionResult]::new('--as', '--as', [CompletionResultType]::ParameterName, 'Which of several agents above this command is meant')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Show what would be written and run, and do nothing')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON, one value a line, and failures as {"error":{…}}')
            [CompletionResult]::new('--no-spawn', '--no-spawn', [CompletionResultType]::ParameterName, 'Do not start a daemon when there is none: exit with 3')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'ipcd;service;status' {
            [CompletionResult]::new('--as', '--as', [CompletionResultType]::ParameterName, 'Which of several agents above this command is meant')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON, one value a line, and failures as {"error":{…}}')
            [CompletionResult]::new('--no-spawn', '--no-spawn', [CompletionResultType]::ParameterName, 'Do not start a daemon when there is none: exit with 3')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'ipcd;service;logs' {
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'So many lines')
            [CompletionResult]::new('--lines', '--lines', [CompletionResultType]::ParameterName, 'So many lines')
            [CompletionResult]::new('--as', '--as', [CompletionResultType]::ParameterName, 'Which of several agents above this command is meant')
            [CompletionResult]::new('--follow', '--follow', [CompletionResultType]::ParameterName, 'Go on until interrupted, and print lines as they come')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON, one value a line, and failures as {"error":{…}}')
            [CompletionResult]::new('--no-spawn', '--no-spawn', [CompletionResultType]::ParameterName, 'Do not start a daemon when there is none: exit with 3')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'ipcd;service;help' {
            [CompletionResult]::new('install', 'install', [CompletionResultType]::ParameterValue, 'Tell the service manager of ipcd, for you alone')
            [CompletionResult]::new('uninstall', 'uninstall', [CompletionResultType]::ParameterValue, 'Take that back. Names, mail and settings stay')
            [CompletionResult]::new('status', 'status', [CompletionResultType]::ParameterValue, 'Whether it is a service, what is started, and what is wrong with it')
            [CompletionResult]::new('logs', 'logs', [CompletionResultType]::ParameterValue, 'The last lines that the daemon logged')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'ipcd;service;help;install' {
            break
        }
        'ipcd;service;help;uninstall' {
            break
        }
        'ipcd;service;help;status' {
            break
        }
        'ipcd;service;help;logs' {
            break
        }
        'ipcd;service;help;help' {
            break
        }
        'ipcd;doctor' {
            [CompletionResult]::new('--client', '--client', [CompletionResultType]::ParameterName, 'Only these clients')
            [CompletionResult]::new('--as', '--as', [CompletionResultType]::ParameterName, 'Which of several agents above this command is meant')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON, one value a line, and failures as {"error":{…}}')
            [CompletionResult]::new('--no-spawn', '--no-spawn', [CompletionResultType]::ParameterName, 'Do not start a daemon when there is none: exit with 3')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'ipcd;mcp' {
            [CompletionResult]::new('--name', '--name', [CompletionResultType]::ParameterName, 'Register under this name')
            [CompletionResult]::new('--tools', '--tools', [CompletionResultType]::ParameterName, 'Which tools to offer')
            [CompletionResult]::new('--as', '--as', [CompletionResultType]::ParameterName, 'Which of several agents above this command is meant')
            [CompletionResult]::new('--no-auto-register', '--no-auto-register', [CompletionResultType]::ParameterName, 'Have no name until the agent registers')
            [CompletionResult]::new('--remote-client', '--remote-client', [CompletionResultType]::ParameterName, 'The agent is on another host: share no files and commands of this one')
            [CompletionResult]::new('--local-client', '--local-client', [CompletionResultType]::ParameterName, 'The agent is on this host, in a login by ssh')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON, one value a line, and failures as {"error":{…}}')
            [CompletionResult]::new('--no-spawn', '--no-spawn', [CompletionResultType]::ParameterName, 'Do not start a daemon when there is none: exit with 3')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'ipcd;hook' {
            [CompletionResult]::new('--client', '--client', [CompletionResultType]::ParameterName, 'Whose hook it is; without it, the environment tells')
            [CompletionResult]::new('--as', '--as', [CompletionResultType]::ParameterName, 'Which of several agents above this command is meant')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON, one value a line, and failures as {"error":{…}}')
            [CompletionResult]::new('--no-spawn', '--no-spawn', [CompletionResultType]::ParameterName, 'Do not start a daemon when there is none: exit with 3')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'ipcd;daemon' {
            [CompletionResult]::new('--as', '--as', [CompletionResultType]::ParameterName, 'Which of several agents above this command is meant')
            [CompletionResult]::new('--detached', '--detached', [CompletionResultType]::ParameterName, 'Started by a client: log to the file, end when idle')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON, one value a line, and failures as {"error":{…}}')
            [CompletionResult]::new('--no-spawn', '--no-spawn', [CompletionResultType]::ParameterName, 'Do not start a daemon when there is none: exit with 3')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'ipcd;stop' {
            [CompletionResult]::new('--as', '--as', [CompletionResultType]::ParameterName, 'Which of several agents above this command is meant')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON, one value a line, and failures as {"error":{…}}')
            [CompletionResult]::new('--no-spawn', '--no-spawn', [CompletionResultType]::ParameterName, 'Do not start a daemon when there is none: exit with 3')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'ipcd;demo' {
            [CompletionResult]::new('--as', '--as', [CompletionResultType]::ParameterName, 'Which of several agents above this command is meant')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON, one value a line, and failures as {"error":{…}}')
            [CompletionResult]::new('--no-spawn', '--no-spawn', [CompletionResultType]::ParameterName, 'Do not start a daemon when there is none: exit with 3')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'ipcd;completions' {
            [CompletionResult]::new('--as', '--as', [CompletionResultType]::ParameterName, 'Which of several agents above this command is meant')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print results as JSON, one value a line, and failures as {"error":{…}}')
            [CompletionResult]::new('--no-spawn', '--no-spawn', [CompletionResultType]::ParameterName, 'Do not start a daemon when there is none: exit with 3')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'ipcd;help' {
            [CompletionResult]::new('send', 'send', [CompletionResultType]::ParameterValue, 'Send a message')
            [CompletionResult]::new('check', 'check', [CompletionResultType]::ParameterValue, 'Read your messages')
            [CompletionResult]::new('wait', 'wait', [CompletionResultType]::ParameterValue, 'Wait for a message, and read it')
            [CompletionResult]::new('broadcast', 'broadcast', [CompletionResultType]::ParameterValue, 'Send a message to every other agent that is there or was today')
            [CompletionResult]::new('share', 'share', [CompletionResultType]::ParameterValue, 'Share a file, or the output of a command')
            [CompletionResult]::new('policy', 'policy', [CompletionResultType]::ParameterValue, 'Ask what agents may share')
            [CompletionResult]::new('list', 'list', [CompletionResultType]::ParameterValue, 'List the agents: who is there, since when, and what waits for them')
            [CompletionResult]::new('status', 'status', [CompletionResultType]::ParameterValue, 'Show the daemon, the agents and everything that waits or went wrong')
            [CompletionResult]::new('register', 'register', [CompletionResultType]::ParameterValue, 'Give this shell a name of its own')
            [CompletionResult]::new('rename', 'rename', [CompletionResultType]::ParameterValue, 'Take another name; the old one forwards to it for a while')
            [CompletionResult]::new('release', 'release', [CompletionResultType]::ParameterValue, 'Take a name away from whoever holds it; its mail stays. For people')
            [CompletionResult]::new('auto', 'auto', [CompletionResultType]::ParameterValue, 'How often the hooks of an agent look for mail during its work')
            [CompletionResult]::new('log', 'log', [CompletionResultType]::ParameterValue, 'Search the messages that were read')
            [CompletionResult]::new('dead', 'dead', [CompletionResultType]::ParameterValue, 'Messages that nobody could read')
            [CompletionResult]::new('install', 'install', [CompletionResultType]::ParameterValue, 'Connect the clients that are here: adds ipcd and its hooks to their configuration')
            [CompletionResult]::new('uninstall', 'uninstall', [CompletionResultType]::ParameterValue, 'Take ipcd out of the clients'' configuration again')
            [CompletionResult]::new('service', 'service', [CompletionResultType]::ParameterValue, 'Have the service manager keep the socket and start the daemon')
            [CompletionResult]::new('doctor', 'doctor', [CompletionResultType]::ParameterValue, 'Check everything from the binary to a message through each client''s configured command')
            [CompletionResult]::new('mcp', 'mcp', [CompletionResultType]::ParameterValue, 'Run the MCP server of one agent, on stdin and stdout')
            [CompletionResult]::new('hook', 'hook', [CompletionResultType]::ParameterValue, 'Tell an agent that mail waits; for its hooks')
            [CompletionResult]::new('daemon', 'daemon', [CompletionResultType]::ParameterValue, 'Run the daemon in the foreground')
            [CompletionResult]::new('stop', 'stop', [CompletionResultType]::ParameterValue, 'End the daemon, and wait until it is gone. For people')
            [CompletionResult]::new('demo', 'demo', [CompletionResultType]::ParameterValue, 'Watch a real daemon and two real MCP front ends exchange mail, in a temporary home')
            [CompletionResult]::new('completions', 'completions', [CompletionResultType]::ParameterValue, 'Print the completion script of a shell')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'ipcd;help;send' {
            break
        }
        'ipcd;help;check' {
            break
        }
        'ipcd;help;wait' {
            break
        }
        'ipcd;help;broadcast' {
            break
        }
        'ipcd;help;share' {
            [CompletionResult]::new('file', 'file', [CompletionResultType]::ParameterValue, 'Send what is in a file: regular, at most 1 MiB, no known kind of secret')
            [CompletionResult]::new('command', 'command', [CompletionResultType]::ParameterValue, 'Run a command here, without a shell, and send what it prints')
            break
        }
        'ipcd;help;share;file' {
            break
        }
        'ipcd;help;share;command' {
            break
        }
        'ipcd;help;policy' {
            [CompletionResult]::new('check', 'check', [CompletionResultType]::ParameterValue, 'Tell the verdict on a file or a command, and the rule that says so')
            break
        }
        'ipcd;help;policy;check' {
            [CompletionResult]::new('file', 'file', [CompletionResultType]::ParameterValue, 'A file, by its place and its content. Nothing is sent')
            [CompletionResult]::new('command', 'command', [CompletionResultType]::ParameterValue, 'A command. Nothing is run')
            break
        }
        'ipcd;help;policy;check;file' {
            break
        }
        'ipcd;help;policy;check;command' {
            break
        }
        'ipcd;help;list' {
            break
        }
        'ipcd;help;status' {
            break
        }
        'ipcd;help;register' {
            break
        }
        'ipcd;help;rename' {
            break
        }
        'ipcd;help;release' {
            break
        }
        'ipcd;help;auto' {
            [CompletionResult]::new('start', 'start', [CompletionResultType]::ParameterValue, 'Look every so many minutes')
            [CompletionResult]::new('stop', 'stop', [CompletionResultType]::ParameterValue, 'Do not look by itself any more')
            [CompletionResult]::new('status', 'status', [CompletionResultType]::ParameterValue, 'Whether it looks, how often, and when it did')
            break
        }
        'ipcd;help;auto;start' {
            break
        }
        'ipcd;help;auto;stop' {
            break
        }
        'ipcd;help;auto;status' {
            break
        }
        'ipcd;help;log' {
            break
        }
        'ipcd;help;dead' {
            [CompletionResult]::new('list', 'list', [CompletionResultType]::ParameterValue, 'List them')
            [CompletionResult]::new('show', 'show', [CompletionResultType]::ParameterValue, 'Show one whole')
            [CompletionResult]::new('requeue', 'requeue', [CompletionResultType]::ParameterValue, 'Put some back into their mailboxes. For people')
            [CompletionResult]::new('purge', 'purge', [CompletionResultType]::ParameterValue, 'Forget some. For people')
            break
        }
        'ipcd;help;dead;list' {
            break
        }
        'ipcd;help;dead;show' {
            break
        }
        'ipcd;help;dead;requeue' {
            break
        }
        'ipcd;help;dead;purge' {
            break
        }
        'ipcd;help;install' {
            break
        }
        'ipcd;help;uninstall' {
            break
        }
        'ipcd;help;service' {
            [CompletionResult]::new('install', 'install', [CompletionResultType]::ParameterValue, 'Tell the service manager of ipcd, for you alone')
            [CompletionResult]::new('uninstall', 'uninstall', [CompletionResultType]::ParameterValue, 'Take that back. Names, mail and settings stay')
            [CompletionResult]::new('status', 'status', [CompletionResultType]::ParameterValue, 'Whether it is a service, what is started, and what is wrong with it')
            [CompletionResult]::new('logs', 'logs', [CompletionResultType]::ParameterValue, 'The last lines that the daemon logged')
            break
        }
        'ipcd;help;service;install' {
            break
        }
        'ipcd;help;service;uninstall' {
            break
        }
        'ipcd;help;service;status' {
            break
        }
        'ipcd;help;service;logs' {
            break
        }
        'ipcd;help;doctor' {
            break
        }
        'ipcd;help;mcp' {
            break
        }
        'ipcd;help;hook' {
            break
        }
        'ipcd;help;daemon' {
            break
        }
        'ipcd;help;stop' {
            break
        }
        'ipcd;help;demo' {
            break
        }
        'ipcd;help;completions' {
            break
        }
        'ipcd;help;help' {
            break
        }
    })

    $completions.Where{ $_.CompletionText -like "$wordToComplete*" } |
        Sort-Object -Property ListItemText
}
