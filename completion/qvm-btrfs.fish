# SPDX-License-Identifier: GPL-2.0-or-later
# Made by `make completion` from the parser of qvm-btrfs: change man/Maker or the commands.
function __qvm-btrfs_should_offer_completions_for_flags_or_options -a expected_commands
    set -l non_repeating_flags_or_options $argv[2..]
    set -l non_repeating_flags_or_options_absent 0
    set -l positional_index 0
    set -l commands
    __qvm-btrfs_parse_tokens
    test "$commands" = "$expected_commands"; and return $non_repeating_flags_or_options_absent
end

function __qvm-btrfs_should_offer_completions_for_positional -a expected_commands positional_index_comparison expected_positional_index
    set -l non_repeating_flags_or_options
    set -l non_repeating_flags_or_options_absent 0
    set -l positional_index 0
    set -l commands
    __qvm-btrfs_parse_tokens
    test "$commands" = "$expected_commands" -a \( "$positional_index" "$positional_index_comparison" "$expected_positional_index" \)
end

function __qvm-btrfs_parse_tokens -S
    set -l unparsed_tokens (__qvm-btrfs_tokens -pc)
    switch $unparsed_tokens[1]
    case 'qvm-btrfs'
        __qvm-btrfs_parse_subcommand 0 'version' 'h/help'
        switch $unparsed_tokens[1]
        case 'report'
            __qvm-btrfs_parse_subcommand -r 1 'all' 'exclude=+' 'qube=+' 'template=' 'only-running' 'sort=' 'reverse' 'tree' 'revisions' 'csv' 'html=' 'compare=' 'json' 'q/quiet' 'v/verbose' 'socket=' 'version' 'h/help'
        case 'check'
            __qvm-btrfs_parse_subcommand -r 1 'all' 'exclude=+' 'json' 'q/quiet' 'v/verbose' 'socket=' 'version' 'h/help'
        case 'estimate'
            __qvm-btrfs_parse_subcommand -r 1 'all' 'exclude=+' 'running' 'no-wait' 'brief' 'json' 'q/quiet' 'v/verbose' 'socket=' 'version' 'h/help'
        case 'verify'
            __qvm-btrfs_parse_subcommand -r 1 'all' 'exclude=+' 'accept' 'battery' 'no-wait' 'brief' 'json' 'q/quiet' 'v/verbose' 'socket=' 'version' 'h/help'
        case 'compress'
            __qvm-btrfs_parse_subcommand -r 1 'all' 'exclude=+' 'level=' 'plain' 'running' 'no-wait' 'brief' 'for=' 'until=' 'battery' 'risk-read-only' 'json' 'q/quiet' 'v/verbose' 'socket=' 'version' 'h/help'
        case 'dedupe'
            __qvm-btrfs_parse_subcommand -r 1 'all' 'exclude=+' 'running' 'no-wait' 'brief' 'for=' 'until=' 'battery' 'risk-read-only' 'json' 'q/quiet' 'v/verbose' 'socket=' 'version' 'h/help'
        case 'optimize'
            __qvm-btrfs_parse_subcommand -r 1 'all' 'exclude=+' 'level=' 'running' 'no-wait' 'brief' 'for=' 'until=' 'battery' 'risk-read-only' 'trim' 'json' 'q/quiet' 'v/verbose' 'socket=' 'version' 'h/help'
        case 'defragment'
            __qvm-btrfs_parse_subcommand -r 1 'all' 'exclude=+' 'running' 'no-wait' 'brief' 'for=' 'until=' 'battery' 'risk-read-only' 'json' 'q/quiet' 'v/verbose' 'socket=' 'version' 'h/help'
        case 'sparsify'
            __qvm-btrfs_parse_subcommand -r 1 'all' 'exclude=+' 'running' 'no-wait' 'brief' 'for=' 'until=' 'battery' 'risk-read-only' 'json' 'q/quiet' 'v/verbose' 'socket=' 'version' 'h/help'
        case 'new-data'
            __qvm-btrfs_parse_subcommand -r 1 'compress=' 'json' 'q/quiet' 'v/verbose' 'socket=' 'version' 'h/help'
        case 'trim'
            __qvm-btrfs_parse_subcommand -r 1 'all' 'templates' 'by-feature' 'exclude=+' 'start' 'yes' 'time-limit=' 'json' 'q/quiet' 'v/verbose' 'socket=' 'version' 'h/help'
        case 'jobs'
            __qvm-btrfs_parse_subcommand 0 'qube=' 'json' 'q/quiet' 'v/verbose' 'socket=' 'version' 'h/help'
        case 'watch'
            __qvm-btrfs_parse_subcommand 1 'qube=' 'notify' 'json' 'q/quiet' 'v/verbose' 'socket=' 'version' 'h/help'
        case 'cancel'
            __qvm-btrfs_parse_subcommand 1 'qube=' 'no-wait' 'json' 'q/quiet' 'v/verbose' 'socket=' 'version' 'h/help'
        case 'pause'
            __qvm-btrfs_parse_subcommand 1 'qube=' 'json' 'q/quiet' 'v/verbose' 'socket=' 'version' 'h/help'
        case 'resume'
            __qvm-btrfs_parse_subcommand 1 'qube=' 'json' 'q/quiet' 'v/verbose' 'socket=' 'version' 'h/help'
        case 'audit'
            __qvm-btrfs_parse_subcommand 0 'since=' 'caller=' 'qube=' 'journal=' 'json' 'q/quiet' 'v/verbose' 'socket=' 'version' 'h/help'
        case 'policy'
            __qvm-btrfs_parse_subcommand 1 'qube=+' 'tag=+' 'all' 'read-only' 'trim' 'json' 'q/quiet' 'v/verbose' 'socket=' 'version' 'h/help'
        case 'setup'
            __qvm-btrfs_parse_subcommand 0 'yes' 'dry-run' 'undo' 'admin=' 'json' 'q/quiet' 'v/verbose' 'socket=' 'version' 'h/help'
        case 'follow'
            __qvm-btrfs_parse_subcommand 0 'quiet-minutes=' 'json' 'q/quiet' 'v/verbose' 'socket=' 'version' 'h/help'
        case 'help'
            __qvm-btrfs_parse_subcommand -r 1 'version'
        end
    end
end

function __qvm-btrfs_tokens
    if test (string split -m 1 -f 1 -- . "$FISH_VERSION") -gt 3
        commandline --tokens-raw $argv
    else
        commandline -o $argv
    end
end

function __qvm-btrfs_parse_subcommand -S -a positional_count
    argparse -s r -- $argv
    set -l option_specs $argv[2..]
    set -l is_repeating_positional $_flag_r
    set -el _flag_r
    set -a commands $unparsed_tokens[1]
    set positional_index 0
    while true
        set -e unparsed_tokens[1]
        argparse -sn "$commands" $option_specs -- $unparsed_tokens 2> /dev/null
        set unparsed_tokens $argv
        set positional_index (math $positional_index + 1)
        for non_repeating_flag_or_option in $non_repeating_flags_or_options
            if set -ql "_flag_$(string replace -a - _ -- $non_repeating_flag_or_option)"
                set non_repeating_flags_or_options_absent 1
                break
            end
        end
        test (count $unparsed_tokens) -eq 0 -o \( -z "$is_repeating_positional" -a "$positional_index" -gt "$positional_count" \) && break
    end
end

function __qvm-btrfs_complete_directories
    set -l token (commandline -t)
    string match -- '*/' $token
    set -l subdirs $token*/
    printf %s\n $subdirs
end

function __qvm-btrfs_custom_completion
    set -x SAP_SHELL fish
    set -x SAP_SHELL_VERSION $FISH_VERSION
    set -l tokens (__qvm-btrfs_tokens -p)
    if test -z "$(__qvm-btrfs_tokens -t)"
        set -l index (count (__qvm-btrfs_tokens -pc))
        set tokens $tokens[..$index] \'\' $tokens[(math $index + 1)..]
    end
    command $tokens[1] $argv $tokens 2>/dev/null
end

complete -c 'qvm-btrfs' -f
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs" version' -l 'version' -d 'Show the version.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_positional "qvm-btrfs" -eq 1' -fa 'report' -d 'Show what qubes take on disk, and what would bring most.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_positional "qvm-btrfs" -eq 1' -fa 'check' -d 'Look whether dom0 and the images are fit, and say what to mend.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_positional "qvm-btrfs" -eq 1' -fa 'estimate' -d 'Say what compress, dedupe and both would save; change nothing.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_positional "qvm-btrfs" -eq 1' -fa 'verify' -d 'Compare images with digests of before: see that no byte has changed.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_positional "qvm-btrfs" -eq 1' -fa 'compress' -d 'Compress a qube\'s images; what is shared stays shared.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_positional "qvm-btrfs" -eq 1' -fa 'dedupe' -d 'Share equal data within a qube\'s dedupe group.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_positional "qvm-btrfs" -eq 1' -fa 'optimize' -d 'Share equal data and compress the rest, in one pass.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_positional "qvm-btrfs" -eq 1' -fa 'defragment' -d 'Make fewer, larger extents; what is shared stays shared.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_positional "qvm-btrfs" -eq 1' -fa 'sparsify' -d 'Make holes of written zeroes and of what was never written.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_positional "qvm-btrfs" -eq 1' -fa 'new-data' -d 'Say, or set, whether what a qube writes from now on is compressed.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_positional "qvm-btrfs" -eq 1' -fa 'trim' -d 'Have running qubes give back what they have freed inside.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_positional "qvm-btrfs" -eq 1' -fa 'jobs' -d 'List the jobs that wait, run and ran, newest first.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_positional "qvm-btrfs" -eq 1' -fa 'watch' -d 'Follow a job to its end and show what it brought.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_positional "qvm-btrfs" -eq 1' -fa 'cancel' -d 'End a job and show what it brought.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_positional "qvm-btrfs" -eq 1' -fa 'pause' -d 'Hold a job until it is resumed.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_positional "qvm-btrfs" -eq 1' -fa 'resume' -d 'Let a paused job go on.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_positional "qvm-btrfs" -eq 1' -fa 'audit' -d 'Show in dom0 who asked for what, what policy said and what came of it.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_positional "qvm-btrfs" -eq 1' -fa 'policy' -d 'Print the lines of policy that let a qube call the service.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_positional "qvm-btrfs" -eq 1' -fa 'setup' -d 'In dom0, as root: turn on what runs by itself, or take that back.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_positional "qvm-btrfs" -eq 1' -fa 'follow' -d 'In dom0: listen to qubesd, and optimize a qube that has new data.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_positional "qvm-btrfs" -eq 1' -fa 'help' -d 'Show subcommand help information.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_positional "qvm-btrfs report" -ge 1' -fka '(__qvm-btrfs_custom_completion ---completion report -- positional@0 (count (__qvm-btrfs_tokens -pc)) (__qvm-btrfs_tokens -tC))'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs report" all' -l 'all' -d 'All that you may see, as without a name.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs report"' -l 'exclude' -d 'Leave this qube out of all; may be given again. \'dom0\' leaves out its own files.' -rfka '(__qvm-btrfs_custom_completion ---completion report -- --exclude (count (__qvm-btrfs_tokens -pc)) (__qvm-btrfs_tokens -tC))'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs report"' -l 'qube' -d 'Only this qube; give it again for more.' -rfka '(__qvm-btrfs_custom_completion ---completion report -- --qube (count (__qvm-btrfs_tokens -pc)) (__qvm-btrfs_tokens -tC))'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs report" template' -l 'template' -d 'Only this template, and the qubes that start from it.' -rfka '(__qvm-btrfs_custom_completion ---completion report -- --template (count (__qvm-btrfs_tokens -pc)) (__qvm-btrfs_tokens -tC))'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs report" only-running' -l 'only-running' -d 'Only qubes that are running.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs report" sort' -l 'sort' -d 'Sort the rows.' -rfka 'disk data exclusive shared revisions ratio extents unreachable name'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs report" reverse' -l 'reverse' -d 'The other way round.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs report" tree' -l 'tree' -d 'Show the qubes below their templates.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs report" revisions' -l 'revisions' -d 'List every revision, the oldest first.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs report" csv' -l 'csv' -d 'Write comma-separated values: a row for each qube and volume.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs report" html' -l 'html' -d 'Write one page for a browser to this file.' -rF
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs report" compare' -l 'compare' -d 'Show what changed since a report that --json has written.' -rF
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs report" json' -l 'json' -d 'Write JSON to standard output, one object a line.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs report" q quiet' -l 'quiet' -s 'q' -d 'Say nothing but results and errors.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs report" v verbose' -l 'verbose' -s 'v' -d 'Say each call, too.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs report" socket' -l 'socket' -d 'Call the service at this socket, not through qrexec.' -rF
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs report" version' -l 'version' -d 'Show the version.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs report" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_positional "qvm-btrfs check" -ge 1' -fka '(__qvm-btrfs_custom_completion ---completion check -- positional@0 (count (__qvm-btrfs_tokens -pc)) (__qvm-btrfs_tokens -tC))'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs check" all' -l 'all' -d 'All that you may see, as without a name.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs check"' -l 'exclude' -d 'Leave this qube out of all; may be given again. \'dom0\' leaves out its own files.' -rfka '(__qvm-btrfs_custom_completion ---completion check -- --exclude (count (__qvm-btrfs_tokens -pc)) (__qvm-btrfs_tokens -tC))'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs check" json' -l 'json' -d 'Write JSON to standard output, one object a line.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs check" q quiet' -l 'quiet' -s 'q' -d 'Say nothing but results and errors.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs check" v verbose' -l 'verbose' -s 'v' -d 'Say each call, too.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs check" socket' -l 'socket' -d 'Call the service at this socket, not through qrexec.' -rF
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs check" version' -l 'version' -d 'Show the version.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs check" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_positional "qvm-btrfs estimate" -ge 1' -fka '(__qvm-btrfs_custom_completion ---completion estimate -- positional@0 (count (__qvm-btrfs_tokens -pc)) (__qvm-btrfs_tokens -tC))'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs estimate" all' -l 'all' -d 'All that you may see, as without a name.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs estimate"' -l 'exclude' -d 'Leave this qube out of all; may be given again. \'dom0\' leaves out its own files.' -rfka '(__qvm-btrfs_custom_completion ---completion estimate -- --exclude (count (__qvm-btrfs_tokens -pc)) (__qvm-btrfs_tokens -tC))'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs estimate" running' -l 'running' -d 'Also work on what only running qubes use.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs estimate" no-wait' -l 'no-wait' -d 'Write the job\'s id and do not follow it.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs estimate" brief' -l 'brief' -d 'Write one line of what came of it, as for a log.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs estimate" json' -l 'json' -d 'Write JSON to standard output, one object a line.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs estimate" q quiet' -l 'quiet' -s 'q' -d 'Say nothing but results and errors.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs estimate" v verbose' -l 'verbose' -s 'v' -d 'Say each call, too.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs estimate" socket' -l 'socket' -d 'Call the service at this socket, not through qrexec.' -rF
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs estimate" version' -l 'version' -d 'Show the version.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs estimate" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_positional "qvm-btrfs verify" -ge 1' -fka '(__qvm-btrfs_custom_completion ---completion verify -- positional@0 (count (__qvm-btrfs_tokens -pc)) (__qvm-btrfs_tokens -tC))'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs verify" all' -l 'all' -d 'All that you may see, as without a name.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs verify"' -l 'exclude' -d 'Leave this qube out of all; may be given again. \'dom0\' leaves out its own files.' -rfka '(__qvm-btrfs_custom_completion ---completion verify -- --exclude (count (__qvm-btrfs_tokens -pc)) (__qvm-btrfs_tokens -tC))'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs verify" accept' -l 'accept' -d 'In dom0: keep what is DIFFERENT in the named qubes as it is now, and say it no more.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs verify" battery' -l 'battery' -d 'Go on while the machine runs on battery.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs verify" no-wait' -l 'no-wait' -d 'Write the job\'s id and do not follow it.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs verify" brief' -l 'brief' -d 'Write one line of what came of it, as for a log.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs verify" json' -l 'json' -d 'Write JSON to standard output, one object a line.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs verify" q quiet' -l 'quiet' -s 'q' -d 'Say nothing but results and errors.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs verify" v verbose' -l 'verbose' -s 'v' -d 'Say each call, too.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs verify" socket' -l 'socket' -d 'Call the service at this socket, not through qrexec.' -rF
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs verify" version' -l 'version' -d 'Show the version.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs verify" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_positional "qvm-btrfs compress" -ge 1' -fka '(__qvm-btrfs_custom_completion ---completion compress -- positional@0 (count (__qvm-btrfs_tokens -pc)) (__qvm-btrfs_tokens -tC))'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs compress" all' -l 'all' -d 'All that you may see, as without a name.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs compress"' -l 'exclude' -d 'Leave this qube out of all; may be given again. \'dom0\' leaves out its own files.' -rfka '(__qvm-btrfs_custom_completion ---completion compress -- --exclude (count (__qvm-btrfs_tokens -pc)) (__qvm-btrfs_tokens -tC))'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs compress" level' -l 'level' -d 'The zstd level, 1 to 19, or -15 to -1 for fast ones.' -rfka '-15 -14 -13 -12 -11 -10 -9 -8 -7 -6 -5 -4 -3 -2 -1 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs compress" plain' -l 'plain' -d 'Write what is compressed as it is; it takes more then.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs compress" running' -l 'running' -d 'Also work on what only running qubes use.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs compress" no-wait' -l 'no-wait' -d 'Write the job\'s id and do not follow it.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs compress" brief' -l 'brief' -d 'Write one line of what came of it, as for a log.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs compress" for' -l 'for' -d 'Stop after this time, as 90m, 2h or 1h30m: 1s to 7d. The next run goes on there.' -rfka '30m 1h 2h 4h 8h'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs compress" until' -l 'until' -d 'Stop when the clock shows this, as 06:00, the next time that it does.' -rfka '06:00 07:00 08:00'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs compress" battery' -l 'battery' -d 'Go on while the machine runs on battery.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs compress" risk-read-only' -l 'risk-read-only' -d 'Work although metadata is damaged: the kernel may set the file system read-only, and every running qube then loses what it writes. In dom0 alone.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs compress" json' -l 'json' -d 'Write JSON to standard output, one object a line.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs compress" q quiet' -l 'quiet' -s 'q' -d 'Say nothing but results and errors.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs compress" v verbose' -l 'verbose' -s 'v' -d 'Say each call, too.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs compress" socket' -l 'socket' -d 'Call the service at this socket, not through qrexec.' -rF
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs compress" version' -l 'version' -d 'Show the version.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs compress" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_positional "qvm-btrfs dedupe" -ge 1' -fka '(__qvm-btrfs_custom_completion ---completion dedupe -- positional@0 (count (__qvm-btrfs_tokens -pc)) (__qvm-btrfs_tokens -tC))'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs dedupe" all' -l 'all' -d 'All that you may see, as without a name.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs dedupe"' -l 'exclude' -d 'Leave this qube out of all; may be given again. \'dom0\' leaves out its own files.' -rfka '(__qvm-btrfs_custom_completion ---completion dedupe -- --exclude (count (__qvm-btrfs_tokens -pc)) (__qvm-btrfs_tokens -tC))'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs dedupe" running' -l 'running' -d 'Also work on what only running qubes use.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs dedupe" no-wait' -l 'no-wait' -d 'Write the job\'s id and do not follow it.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs dedupe" brief' -l 'brief' -d 'Write one line of what came of it, as for a log.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs dedupe" for' -l 'for' -d 'Stop after this time, as 90m, 2h or 1h30m: 1s to 7d. The next run goes on there.' -rfka '30m 1h 2h 4h 8h'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs dedupe" until' -l 'until' -d 'Stop when the clock shows this, as 06:00, the next time that it does.' -rfka '06:00 07:00 08:00'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs dedupe" battery' -l 'battery' -d 'Go on while the machine runs on battery.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs dedupe" risk-read-only' -l 'risk-read-only' -d 'Work although metadata is damaged: the kernel may set the file system read-only, and every running qube then loses what it writes. In dom0 alone.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs dedupe" json' -l 'json' -d 'Write JSON to standard output, one object a line.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs dedupe" q quiet' -l 'quiet' -s 'q' -d 'Say nothing but results and errors.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs dedupe" v verbose' -l 'verbose' -s 'v' -d 'Say each call, too.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs dedupe" socket' -l 'socket' -d 'Call the service at this socket, not through qrexec.' -rF
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs dedupe" version' -l 'version' -d 'Show the version.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs dedupe" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_positional "qvm-btrfs optimize" -ge 1' -fka '(__qvm-btrfs_custom_completion ---completion optimize -- positional@0 (count (__qvm-btrfs_tokens -pc)) (__qvm-btrfs_tokens -tC))'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs optimize" all' -l 'all' -d 'All that you may see, as without a name.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs optimize"' -l 'exclude' -d 'Leave this qube out of all; may be given again. \'dom0\' leaves out its own files.' -rfka '(__qvm-btrfs_custom_completion ---completion optimize -- --exclude (count (__qvm-btrfs_tokens -pc)) (__qvm-btrfs_tokens -tC))'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs optimize" level' -l 'level' -d 'The zstd level, 1 to 19, or -15 to -1 for fast ones.' -rfka '-15 -14 -13 -12 -11 -10 -9 -8 -7 -6 -5 -4 -3 -2 -1 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs optimize" running' -l 'running' -d 'Also work on what only running qubes use.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs optimize" no-wait' -l 'no-wait' -d 'Write the job\'s id and do not follow it.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs optimize" brief' -l 'brief' -d 'Write one line of what came of it, as for a log.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs optimize" for' -l 'for' -d 'Stop after this time, as 90m, 2h or 1h30m: 1s to 7d. The next run goes on there.' -rfka '30m 1h 2h 4h 8h'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs optimize" until' -l 'until' -d 'Stop when the clock shows this, as 06:00, the next time that it does.' -rfka '06:00 07:00 08:00'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs optimize" battery' -l 'battery' -d 'Go on while the machine runs on battery.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs optimize" risk-read-only' -l 'risk-read-only' -d 'Work although metadata is damaged: the kernel may set the file system read-only, and every running qube then loses what it writes. In dom0 alone.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs optimize" trim' -l 'trim' -d 'First have those that run trim their file systems; never starts one.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs optimize" json' -l 'json' -d 'Write JSON to standard output, one object a line.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs optimize" q quiet' -l 'quiet' -s 'q' -d 'Say nothing but results and errors.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs optimize" v verbose' -l 'verbose' -s 'v' -d 'Say each call, too.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs optimize" socket' -l 'socket' -d 'Call the service at this socket, not through qrexec.' -rF
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs optimize" version' -l 'version' -d 'Show the version.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs optimize" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_positional "qvm-btrfs defragment" -ge 1' -fka '(__qvm-btrfs_custom_completion ---completion defragment -- positional@0 (count (__qvm-btrfs_tokens -pc)) (__qvm-btrfs_tokens -tC))'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs defragment" all' -l 'all' -d 'All that you may see, as without a name.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs defragment"' -l 'exclude' -d 'Leave this qube out of all; may be given again. \'dom0\' leaves out its own files.' -rfka '(__qvm-btrfs_custom_completion ---completion defragment -- --exclude (count (__qvm-btrfs_tokens -pc)) (__qvm-btrfs_tokens -tC))'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs defragment" running' -l 'running' -d 'Also work on what only running qubes use.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs defragment" no-wait' -l 'no-wait' -d 'Write the job\'s id and do not follow it.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs defragment" brief' -l 'brief' -d 'Write one line of what came of it, as for a log.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs defragment" for' -l 'for' -d 'Stop after this time, as 90m, 2h or 1h30m: 1s to 7d. The next run goes on there.' -rfka '30m 1h 2h 4h 8h'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs defragment" until' -l 'until' -d 'Stop when the clock shows this, as 06:00, the next time that it does.' -rfka '06:00 07:00 08:00'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs defragment" battery' -l 'battery' -d 'Go on while the machine runs on battery.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs defragment" risk-read-only' -l 'risk-read-only' -d 'Work although metadata is damaged: the kernel may set the file system read-only, and every running qube then loses what it writes. In dom0 alone.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs defragment" json' -l 'json' -d 'Write JSON to standard output, one object a line.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs defragment" q quiet' -l 'quiet' -s 'q' -d 'Say nothing but results and errors.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs defragment" v verbose' -l 'verbose' -s 'v' -d 'Say each call, too.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs defragment" socket' -l 'socket' -d 'Call the service at this socket, not through qrexec.' -rF
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs defragment" version' -l 'version' -d 'Show the version.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs defragment" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_positional "qvm-btrfs sparsify" -ge 1' -fka '(__qvm-btrfs_custom_completion ---completion sparsify -- positional@0 (count (__qvm-btrfs_tokens -pc)) (__qvm-btrfs_tokens -tC))'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs sparsify" all' -l 'all' -d 'All that you may see, as without a name.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs sparsify"' -l 'exclude' -d 'Leave this qube out of all; may be given again. \'dom0\' leaves out its own files.' -rfka '(__qvm-btrfs_custom_completion ---completion sparsify -- --exclude (count (__qvm-btrfs_tokens -pc)) (__qvm-btrfs_tokens -tC))'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs sparsify" running' -l 'running' -d 'Also work on what only running qubes use.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs sparsify" no-wait' -l 'no-wait' -d 'Write the job\'s id and do not follow it.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs sparsify" brief' -l 'brief' -d 'Write one line of what came of it, as for a log.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs sparsify" for' -l 'for' -d 'Stop after this time, as 90m, 2h or 1h30m: 1s to 7d. The next run goes on there.' -rfka '30m 1h 2h 4h 8h'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs sparsify" until' -l 'until' -d 'Stop when the clock shows this, as 06:00, the next time that it does.' -rfka '06:00 07:00 08:00'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs sparsify" battery' -l 'battery' -d 'Go on while the machine runs on battery.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs sparsify" risk-read-only' -l 'risk-read-only' -d 'Work although metadata is damaged: the kernel may set the file system read-only, and every running qube then loses what it writes. In dom0 alone.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs sparsify" json' -l 'json' -d 'Write JSON to standard output, one object a line.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs sparsify" q quiet' -l 'quiet' -s 'q' -d 'Say nothing but results and errors.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs sparsify" v verbose' -l 'verbose' -s 'v' -d 'Say each call, too.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs sparsify" socket' -l 'socket' -d 'Call the service at this socket, not through qrexec.' -rF
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs sparsify" version' -l 'version' -d 'Show the version.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs sparsify" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_positional "qvm-btrfs new-data" -ge 1' -fka '(__qvm-btrfs_custom_completion ---completion new-data -- positional@0 (count (__qvm-btrfs_tokens -pc)) (__qvm-btrfs_tokens -tC))'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs new-data" compress' -l 'compress' -d 'For images made from now on.' -rfka 'zstd off default'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs new-data" json' -l 'json' -d 'Write JSON to standard output, one object a line.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs new-data" q quiet' -l 'quiet' -s 'q' -d 'Say nothing but results and errors.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs new-data" v verbose' -l 'verbose' -s 'v' -d 'Say each call, too.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs new-data" socket' -l 'socket' -d 'Call the service at this socket, not through qrexec.' -rF
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs new-data" version' -l 'version' -d 'Show the version.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs new-data" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_positional "qvm-btrfs trim" -ge 1' -fka '(__qvm-btrfs_custom_completion ---completion trim -- positional@0 (count (__qvm-btrfs_tokens -pc)) (__qvm-btrfs_tokens -tC))'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs trim" all' -l 'all' -d 'All that run, of those that you may see.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs trim" templates' -l 'templates' -d 'All templates that run.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs trim" by-feature' -l 'by-feature' -d 'All that run and have the feature btrfs.trim, or whose template has it.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs trim"' -l 'exclude' -d 'Leave this qube out of all; may be given again.' -rfka '(__qvm-btrfs_custom_completion ---completion trim -- --exclude (count (__qvm-btrfs_tokens -pc)) (__qvm-btrfs_tokens -tC))'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs trim" start' -l 'start' -d 'Start halted ones, and shut them down again.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs trim" yes' -l 'yes' -d 'Start them without asking.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs trim" time-limit' -l 'time-limit' -d 'How long a trim may take, and a shutdown after it, as 90s or 10m; 10m unless given.' -rfka '30m 1h 2h 4h 8h'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs trim" json' -l 'json' -d 'Write JSON to standard output, one object a line.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs trim" q quiet' -l 'quiet' -s 'q' -d 'Say nothing but results and errors.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs trim" v verbose' -l 'verbose' -s 'v' -d 'Say each call, too.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs trim" socket' -l 'socket' -d 'Call the service at this socket, not through qrexec.' -rF
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs trim" version' -l 'version' -d 'Show the version.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs trim" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs jobs" qube' -l 'qube' -d 'Only jobs about this qube.' -rfka '(__qvm-btrfs_custom_completion ---completion jobs -- --qube (count (__qvm-btrfs_tokens -pc)) (__qvm-btrfs_tokens -tC))'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs jobs" json' -l 'json' -d 'Write JSON to standard output, one object a line.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs jobs" q quiet' -l 'quiet' -s 'q' -d 'Say nothing but results and errors.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs jobs" v verbose' -l 'verbose' -s 'v' -d 'Say each call, too.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs jobs" socket' -l 'socket' -d 'Call the service at this socket, not through qrexec.' -rF
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs jobs" version' -l 'version' -d 'Show the version.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs jobs" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_positional "qvm-btrfs watch" -eq 1' -fka '(__qvm-btrfs_custom_completion ---completion watch -- positional@0 (count (__qvm-btrfs_tokens -pc)) (__qvm-btrfs_tokens -tC))'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs watch" qube' -l 'qube' -d 'The job\'s qube, where policy lets you ask about that alone.' -rfka '(__qvm-btrfs_custom_completion ---completion watch -- --qube (count (__qvm-btrfs_tokens -pc)) (__qvm-btrfs_tokens -tC))'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs watch" notify' -l 'notify' -d 'Show a notification on the desktop when the job has ended.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs watch" json' -l 'json' -d 'Write JSON to standard output, one object a line.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs watch" q quiet' -l 'quiet' -s 'q' -d 'Say nothing but results and errors.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs watch" v verbose' -l 'verbose' -s 'v' -d 'Say each call, too.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs watch" socket' -l 'socket' -d 'Call the service at this socket, not through qrexec.' -rF
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs watch" version' -l 'version' -d 'Show the version.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs watch" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_positional "qvm-btrfs cancel" -eq 1' -fka '(__qvm-btrfs_custom_completion ---completion cancel -- positional@0 (count (__qvm-btrfs_tokens -pc)) (__qvm-btrfs_tokens -tC))'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs cancel" qube' -l 'qube' -d 'The job\'s qube, where policy lets you ask about that alone.' -rfka '(__qvm-btrfs_custom_completion ---completion cancel -- --qube (count (__qvm-btrfs_tokens -pc)) (__qvm-btrfs_tokens -tC))'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs cancel" no-wait' -l 'no-wait' -d 'Do not wait for the job\'s end.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs cancel" json' -l 'json' -d 'Write JSON to standard output, one object a line.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs cancel" q quiet' -l 'quiet' -s 'q' -d 'Say nothing but results and errors.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs cancel" v verbose' -l 'verbose' -s 'v' -d 'Say each call, too.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs cancel" socket' -l 'socket' -d 'Call the service at this socket, not through qrexec.' -rF
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs cancel" version' -l 'version' -d 'Show the version.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs cancel" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_positional "qvm-btrfs pause" -eq 1' -fka '(__qvm-btrfs_custom_completion ---completion pause -- positional@0 (count (__qvm-btrfs_tokens -pc)) (__qvm-btrfs_tokens -tC))'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs pause" qube' -l 'qube' -d 'The job\'s qube, where policy lets you ask about that alone.' -rfka '(__qvm-btrfs_custom_completion ---completion pause -- --qube (count (__qvm-btrfs_tokens -pc)) (__qvm-btrfs_tokens -tC))'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs pause" json' -l 'json' -d 'Write JSON to standard output, one object a line.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs pause" q quiet' -l 'quiet' -s 'q' -d 'Say nothing but results and errors.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs pause" v verbose' -l 'verbose' -s 'v' -d 'Say each call, too.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs pause" socket' -l 'socket' -d 'Call the service at this socket, not through qrexec.' -rF
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs pause" version' -l 'version' -d 'Show the version.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs pause" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_positional "qvm-btrfs resume" -eq 1' -fka '(__qvm-btrfs_custom_completion ---completion resume -- positional@0 (count (__qvm-btrfs_tokens -pc)) (__qvm-btrfs_tokens -tC))'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs resume" qube' -l 'qube' -d 'The job\'s qube, where policy lets you ask about that alone.' -rfka '(__qvm-btrfs_custom_completion ---completion resume -- --qube (count (__qvm-btrfs_tokens -pc)) (__qvm-btrfs_tokens -tC))'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs resume" json' -l 'json' -d 'Write JSON to standard output, one object a line.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs resume" q quiet' -l 'quiet' -s 'q' -d 'Say nothing but results and errors.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs resume" v verbose' -l 'verbose' -s 'v' -d 'Say each call, too.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs resume" socket' -l 'socket' -d 'Call the service at this socket, not through qrexec.' -rF
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs resume" version' -l 'version' -d 'Show the version.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs resume" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs audit" since' -l 'since' -d 'Not what is older: 90m, 12h, 7d, 4w, 2026-11-23, \'2026-11-23 07:30\'. Without it, 7d.' -rfka ''
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs audit" caller' -l 'caller' -d 'Only what this qube asked for.' -rfka '(__qvm-btrfs_custom_completion ---completion audit -- --caller (count (__qvm-btrfs_tokens -pc)) (__qvm-btrfs_tokens -tC))'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs audit" qube' -l 'qube' -d 'Only what was asked about this qube.' -rfka '(__qvm-btrfs_custom_completion ---completion audit -- --qube (count (__qvm-btrfs_tokens -pc)) (__qvm-btrfs_tokens -tC))'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs audit" journal' -l 'journal' -d 'Read this file, written by journalctl --output=json.' -rF
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs audit" json' -l 'json' -d 'Write JSON to standard output, one object a line.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs audit" q quiet' -l 'quiet' -s 'q' -d 'Say nothing but results and errors.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs audit" v verbose' -l 'verbose' -s 'v' -d 'Say each call, too.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs audit" socket' -l 'socket' -d 'Call the service at this socket, not through qrexec.' -rF
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs audit" version' -l 'version' -d 'Show the version.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs audit" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_positional "qvm-btrfs policy" -eq 1' -fka '(__qvm-btrfs_custom_completion ---completion policy -- positional@0 (count (__qvm-btrfs_tokens -pc)) (__qvm-btrfs_tokens -tC))'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs policy"' -l 'qube' -d 'About this qube, or with \'dom0\' the machine; may be given again.' -rfka '(__qvm-btrfs_custom_completion ---completion policy -- --qube (count (__qvm-btrfs_tokens -pc)) (__qvm-btrfs_tokens -tC))'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs policy"' -l 'tag' -d 'About qubes with this tag; may be given again.' -rfka ''
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs policy" all' -l 'all' -d 'About every qube by name, and the machine as a whole.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs policy" read-only' -l 'read-only' -d 'Reading alone: no job can be started.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs policy" trim' -l 'trim' -d 'What a trim needs beside the other lines, and nothing else.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs policy" json' -l 'json' -d 'Write JSON to standard output, one object a line.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs policy" q quiet' -l 'quiet' -s 'q' -d 'Say nothing but results and errors.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs policy" v verbose' -l 'verbose' -s 'v' -d 'Say each call, too.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs policy" socket' -l 'socket' -d 'Call the service at this socket, not through qrexec.' -rF
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs policy" version' -l 'version' -d 'Show the version.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs policy" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs setup" yes' -l 'yes' -d 'Do it without asking.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs setup" dry-run' -l 'dry-run' -d 'Show it, and change nothing.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs setup" undo' -l 'undo' -d 'Take back what setup has done.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs setup" admin' -l 'admin' -d 'Print the lines of policy, too, that let this qube work on the qubes it has made.' -rfka '(__qvm-btrfs_custom_completion ---completion setup -- --admin (count (__qvm-btrfs_tokens -pc)) (__qvm-btrfs_tokens -tC))'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs setup" json' -l 'json' -d 'Write JSON to standard output, one object a line.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs setup" q quiet' -l 'quiet' -s 'q' -d 'Say nothing but results and errors.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs setup" v verbose' -l 'verbose' -s 'v' -d 'Say each call, too.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs setup" socket' -l 'socket' -d 'Call the service at this socket, not through qrexec.' -rF
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs setup" version' -l 'version' -d 'Show the version.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs setup" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs follow" quiet-minutes' -l 'quiet-minutes' -d 'How long nothing is to be heard of a qube first: 1 to 1440.' -rfka ''
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs follow" json' -l 'json' -d 'Write JSON to standard output, one object a line.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs follow" q quiet' -l 'quiet' -s 'q' -d 'Say nothing but results and errors.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs follow" v verbose' -l 'verbose' -s 'v' -d 'Say each call, too.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs follow" socket' -l 'socket' -d 'Call the service at this socket, not through qrexec.' -rF
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs follow" version' -l 'version' -d 'Show the version.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs follow" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'qvm-btrfs' -n '__qvm-btrfs_should_offer_completions_for_flags_or_options "qvm-btrfs help" version' -l 'version' -d 'Show the version.'
