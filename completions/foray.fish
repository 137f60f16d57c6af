# fish completion for foray
#
# A new verb is one of __foray_verbs, with a line for what it is, and one for its words; its options are lines below.
set -g __foray_verbs run all copy hosts check graph why log clean
set -g __foray_valued # the options that take an argument, which may be the next word: letters, and long names

function __foray_verb
    set -l words (commandline -opc)
    if set -q words[2]; and contains -- $words[2] $__foray_verbs
        echo $words[2]
    else
        echo run
    end
end

function __foray_on # VERB...
    contains -- (__foray_verb) $argv
end

# What stands before the word: -fFILE, -CDIRECTORY and NAME=VALUE, on which the graph depends, and :WORD for others.
function __foray_words
    set -l words (commandline -opc)
    set -l short (string match -r -- '^.$' $__foray_valued | string join '')
    set -l long (string match -r -- '^..+$' $__foray_valued | string join '|')
    set -l ended
    set -e words[1]
    while set -q words[1]
        set -l word $words[1]
        set -e words[1]
        set -l option
        if test -z "$ended"
            set option (string match -rg -- "^-[^-k$short]*([$short])(.*)\$" $word
                or string match -rg -- "^--($long)(=.*)?\$" $word)
        end
        if set -q option[1]
            set -l value (string replace -r '^=' '' -- "$option[2]")
            if test -z "$option[2]"
                set -q words[1]; or break
                set value (string replace -r '^~(?=/|$)' -- $HOME $words[1])
                set -e words[1]
            end
            switch $option[1]
                case f file
                    printf '%s\n' -f$value
                case C directory
                    printf '%s\n' -C$value
            end
        else if test -z "$ended"; and string match -q -- '-?*' $word
            test "$word" = --; and set ended 1
        else if string match -qr '^[A-Za-z_][A-Za-z0-9_-]*=' -- $word
            printf '%s\n' $word
        else
            printf '%s\n' :$word
        end
    end
end

# What foray itself says of the graph that the line is about; it is not waited for long.
function __foray_ask # VERB OPTION...
    set -l program (commandline -opc)[1]
    command -sq -- $program; or set program foray
    timeout 2 $program $argv (__foray_words | string match -v ':*') </dev/null 2>/dev/null
end

# The files that the word may become, seen from the directory of -C; only TYPE, if it is given, and directories.
function __foray_files --argument-names type
    set -l word (commandline -ct)
    set -l base ''
    for directory in (__foray_words | string match -rg -- '^-C(.+)')
        string match -q '/*' -- $directory; and set base ''
        set base "$base"(string trim -r -c / -- $directory)/
    end
    # What stands before it, if it is an option's argument in the same word.
    set -l short (string match -r -- '^.$' $__foray_valued | string join '')
    set word (string replace -r -- "^(--[a-z-]+=|-[^-k$short]*[$short])" '' $word)
    string match -qr '^[/~]' -- $word; and set base ''
    test -n "$base"; and set word (string escape -- $base)$word
    for line in (complete -C "__fish_command_without_completions $word")
        set -l file (string split -m 1 \t -- $line)[1]
        string match -qr -- "/\$|$type\$" $file; or continue
        test -e (string replace -r '^~/' -- $HOME/ $file); or continue # fish completes what follows a : or = too
        string sub -s (math 1 + (string length -- $base)) -- $file
    end
end

# Names of the graph, a line each, and what there is to say of them; only of a KIND, if it is given: a step, a rule of
# several, or a file. Of very many, some; among these are the ones that tell where those that begin with the word part.
function __foray_names --argument-names kind
    set -l word
    for quote in '' "'" '"' # which may be open
        set word (string unescape -- (commandline -ct)$quote); and break
    end
    __foray_ask graph --format=json | FORAY_WORD="$word" LC_ALL=C awk '
        # What a JSON string stands for; nothing, if there are control characters.
        function plain(s,   out, at, c) {
            while ((at = index(s, backslash)) != 0) {
                c = substr(s, at + 1, 1)
                if (c != backslash && c != "\"" && c != "/")
                    return ""
                out = out substr(s, 1, at - 1) c
                s = substr(s, at + 2)
            }
            return out s
        }
        function offer(kind, name, text,   begins, parts) {
            if (name == "")
                return
            begins = substr(name, 1, length(word)) == word
            if (begins && !any++)
                common = name
            while (begins && substr(name, 1, length(common)) != common) {
                common = substr(common, 1, length(common) - 1)
                parts = 1
            }
            if (all[kind]++ < most || begins && (fit[kind]++ < most || parts))
                print kind "\t" name "\t" (text != "" ? text : kind)
        }
        BEGIN {
            backslash = sprintf("%c", 92)
            word = ENVIRON["FORAY_WORD"]
            most = 200
        }
        # A line is a step. Between its keys there are no blanks, and in its strings no bare quotes.
        index($0, "  {\"name\":\"") == 1 && (at = index($0, "\",\"rule\":\"")) != 0 {
            name = plain(substr($0, 12, at - 12))
            rest = substr($0, at + 10)
            rule = substr(rest, 1, index(rest, "\"") - 1)
            text = ""
            if ((at = index(rest, ",\"describe\":\"")) != 0) {
                text = substr(rest, at + 13)
                text = plain(substr(text, 1, index(text, "\",\"") - 1))
            }
            if (!(rule in seen))
                offer(name == rule ? "step" : "rule", rule, text)
            seen[rule] = 1
            if (name != rule)
                offer("step", name, text)
            if ((at = index(rest, ",\"out\":[\"")) != 0) {
                rest = substr(rest, at + 9)
                n = split(substr(rest, 1, index(rest, "\"],\"") - 1), files, "\",\"")
                for (i = 1; i <= n; i++)
                    offer("file", plain(files[i]), "made by " name)
            }
        }' | string replace -rf -- "^$kind\w*\t" ''
end

function __foray_runs
    printf 'last\tThe last run\n'
    __foray_ask log | tail -n 50 | string replace -r '^ *(\d+) +' '$1\t'
end

# The first operand of a verb is to come.
function __foray_first_operand
    test (__foray_words | string match ':*' | count) = 1
end

function __foray_option # VERB,... or every, and what `complete` wants
    set -l verbs (string split , -- $argv[1])
    set -e argv[1]
    if test "$verbs" = every
        complete -c foray $argv
    else
        complete -c foray -n "__foray_on $verbs" $argv
    end
    argparse s= l= x r F a= d= -- $argv
    set -q _flag_x; or set -q _flag_r; and set -a __foray_valued $_flag_s $_flag_l
end

complete -c foray -f
complete -c foray -n __fish_is_first_arg -a run -d 'Run the graph, or what the targets need'
complete -c foray -n __fish_is_first_arg -a all -d 'Run one command on every host'
complete -c foray -n __fish_is_first_arg -a copy -d 'Copy files to hosts, and from them'
complete -c foray -n __fish_is_first_arg -a hosts -d 'Tell which hosts can be used, and what they are like'
complete -c foray -n __fish_is_first_arg -a check -d 'Read everything and tell what is wrong; run nothing'
complete -c foray -n __fish_is_first_arg -a graph -d 'Print the graph'
complete -c foray -n __fish_is_first_arg -a why -d 'Tell why steps would run, or that they are up to date'
complete -c foray -n __fish_is_first_arg -a log -d 'Show past runs, the steps of a run, or what a step wrote'
complete -c foray -n __fish_is_first_arg -a clean -d 'Remove the files that the graph makes, or that steps make'
complete -c foray -n '__foray_on run check graph' -a '(__foray_names; __foray_files)'
complete -c foray -n '__foray_on copy' -a '(__foray_files)'
complete -c foray -n '__foray_on why clean' -a '(__foray_names)'
complete -c foray -n '__foray_on log; and __foray_first_operand' -a '(__foray_runs)'
complete -c foray -n '__foray_on log' -a '(__foray_names step)'

__foray_option run -s j -l jobs -x -d 'At most so many steps at once; 0: no bound'
__foray_option run -s k -l keep-going -d 'Go on after failures, until so many'
__foray_option all,copy -s k -l keep-going -x -d 'Go on after failures, until so many'
__foray_option run,all,copy -s K -l kill -d 'End everything at the first failure'
__foray_option run -s n -l dry-run -d 'Print what would run, run nothing'
__foray_option run -s B -l always-make -d 'Run also what is up to date'
__foray_option run -l resume -d 'Go on with the last run, if it was cut short'
__foray_option run -l retry -x -d 'Try every failing step so often again'
__foray_option run -l timeout -x -d 'End every step that takes longer: 90, 10m, 1h30m'
__foray_option run,all,copy,hosts -s F -l ssh-config -r -F -d 'Use this ssh configuration'
__foray_option run -l keep-scratch -d 'Leave the scratch directories on the hosts'
__foray_option run -s q -l quiet -d 'Of steps that succeed, only what they print'
__foray_option run -s v -l verbose -d 'Also the start of every step, with its script'
__foray_option all,copy,hosts -s w -l on -x -d 'Pools, hosts and node sets'
__foray_option all,copy,hosts -s x -l exclude -x -d 'Not these hosts'
__foray_option all,copy -s j -l jobs -x -d 'At most so many hosts at once; 0: all'
__foray_option all,copy -l timeout -x -d 'End what takes longer on a host: 90, 10m, 1h30m'
__foray_option all -s b -l gather -d 'Equal output once, under the names of its hosts'
__foray_option all -l tag -d 'Each line after its host\'s name'
__foray_option all -l raw -d 'Output as it comes, without names'
__foray_option all -s q -l quiet -d 'No summary where all went well'
__foray_option all -s v -l verbose -d 'Also when each host begins and ends'
__foray_option copy -l scatter -d 'A part of one file for each host'
__foray_option copy -l gather -d 'Join what the hosts have into one file here'
__foray_option copy -l relay -d 'Hosts that have it pass it on to others'
__foray_option copy -s A -l forward-agent -d 'The same, with the ssh agent forwarded to them'
__foray_option copy -s p -l preserve -d 'Times too, and modes whatever the umask says'
__foray_option copy -s r -l recursive -d 'Nothing: directories always go whole'
__foray_option copy -s q -l quiet -d 'Only failures'
__foray_option copy -s v -l verbose -d 'Also each host that is done'
__foray_option hosts -l json -d 'As one JSON object'
__foray_option hosts -s q -l quiet -d 'No summary where all can be used'
__foray_option check -s q -l quiet -d 'Say nothing if all is good'
__foray_option graph -l format -x -a 'tree dot mermaid json' -d 'How to print it'
__foray_option graph -l rules -d 'Steps as they are written, not one for each item'
__foray_option why -s B -l always-make -d 'As with -B'
__foray_option why -l resume -d 'As with --resume'
__foray_option clean -s n -l dry-run -d 'Only list what would be removed'
__foray_option every -s f -l file -x -a '(__foray_files "\.ya?ml")' -d 'Read this file instead of foray.yaml'
__foray_option every -s C -l directory -x -a '(__foray_files /)' -d 'Work in this directory'
__foray_option run,check,graph,why,log,clean -l only -x -d 'Of what the targets need, only steps whose names match'
__foray_option run,check,graph,why,log,clean -l except -x -d 'Without steps whose names match'
__foray_option every -l color -x -a 'auto always never' -d Colours
__foray_option every -s h -l help -d 'Print a summary'
__foray_option every -l version -d 'Print the version'
