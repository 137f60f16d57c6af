# shellcheck shell=bash
# bash completion for foray
#
# A new verb is a line of _foray_verbs; its options are lines of _foray_options.

# VERB KIND...: what its words are, by turns. KIND* is that of all that follow; KIND,KIND is either.
# made: steps, rules of several and files of the graph; step; run: the number of one; file, which -C moves; anyfile.
_foray_verbs='
    run    made,file*
    all    value*
    copy   file*
    hosts  value*
    check  made,file*
    graph  made,file*
    why    made*
    log    run,step step
    clean  made*
'

# VERBS SHORT LONG ARGUMENT: VERBS may be "every", or "graphs", those that read one; "-" is none; "value" is anything;
# "joined" is anything, in the same word only; others are kinds, or what is offered.
_foray_options='
    run,all,copy -j --jobs         value
    run        -k --keep-going   joined
    all,copy   -k --keep-going   value
    run,all,copy -K --kill         -
    run,clean  -n --dry-run      -
    run,why    -B --always-make  -
    run,why    -  --resume       -
    run        -  --retry        value
    run,all,copy -  --timeout    value
    run,all,copy,hosts -F --ssh-config anyfile
    run        -  --keep-scratch -
    run,all,copy,hosts,check -q --quiet -
    run,all,copy -v --verbose    -
    all,copy,hosts -w --on       value
    all,copy,hosts -x --exclude  value
    all        -b --gather       -
    all        -  --tag          -
    all        -  --raw          -
    copy       -  --scatter      -
    copy       -  --gather       -
    copy       -  --relay        -
    copy       -A --forward-agent -
    copy       -p --preserve     -
    copy       -r --recursive    -
    hosts      -  --json         -
    graph      -  --format       tree,dot,mermaid,json
    graph      -  --rules        -
    every      -f --file         yaml
    every      -C --directory    directory
    graphs     -  --only         value
    graphs     -  --except       value
    every      -  --color        auto,always,never
    every      -h --help         -
    every      -  --version      -
'

# Takes the line up to the cursor apart as the shell does, into `words` without their quotes. The last one is to be
# completed; readline replaces what of it comes after `head`: after a character of COMP_WORDBREAKS (an @ too), or
# inside `quote`, if one is open. `tilde`: it begins with one that means HOME. `redirect`: it is a redirection's file.
_foray_split() {
    local line=${COMP_LINE-} word='' outer='' begun='' c i
    if [[ $line ]]; then
        line=${line:0:COMP_POINT}
    else # called by hand, with words only
        line="${COMP_WORDS[*]:0:COMP_CWORD+1}"
        line=${line// = /=}
        line=${line/% =/=}
    fi
    for ((i = 0; i < ${#line}; i++)); do
        c=${line:i:1}
        if [[ $quote && $c == "$quote" ]]; then
            quote='' head=$outer
        elif [[ $quote == \" && $c == \\ ]]; then
            ((++i))
            c=${line:i:1}
            [[ $c && $c != [\\\"\$\`] ]] && word+=\\
            word+=$c
        elif [[ $quote ]]; then
            word+=$c
        elif [[ $c == [[:space:]] || $c == [\<\>] ]]; then
            # The number before a redirection is no word.
            [[ $c == [\<\>] && $word != *[!0-9\&]* ]] && begun=''
            if [[ $begun ]]; then
                [[ $tilde && $word == \~?(/*) ]] && word=$HOME${word:1}
                [[ $redirect ]] || words+=("$word")
                redirect=''
            fi
            word='' head='' begun='' tilde=''
            [[ $c == [\<\>] ]] && redirect=1
        else
            [[ $c == '~' && ! $begun ]] && tilde=1
            begun=1
            case $c in
            \\)
                ((++i))
                word+=${line:i:1}
                ;;
            [\'\"]) quote=$c outer=$head head=$word ;;
            *)
                if [[ $COMP_WORDBREAKS != *"$c"* ]]; then
                    word+=$c
                elif [[ $c == @ ]]; then
                    head=$word word+=$c
                else
                    word+=$c head=$word
                fi
                ;;
            esac
        fi
    done
    words+=("$word")
}

# What foray itself says of the graph that the line is about; it is not waited for long.
_foray_ask() { # VERB OPTION...
    local program=${words[0]}
    type -P -- "$program" >/dev/null || program=foray
    timeout 2 "$program" "$@" "${ask[@]}" </dev/null 2>/dev/null
}

# Names of the graph, a line each: what it is (a step, a rule of several, or a file), the name, and what there is to
# say of it. Of very many, some; among these are the ones that tell where those that begin with the word part.
_foray_names() { # WORD
    _foray_ask graph --format=json | FORAY_WORD=$1 LC_ALL=C awk '
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
        }'
}

# The files that begin with a word, as it is typed; directories end in a slash. They end in NUL.
_foray_files() ( # KIND WORD DIRECTORY...
    kind=$1 word=$2 path=$2
    shift 2
    CDPATH=
    for directory; do
        cd -- "$directory" || return
    done
    [[ $tilde && $word == \~/* ]] && path=$HOME${word:1}
    set +f
    shopt -u failglob nocaseglob
    for file in "$path"*; do
        if [[ -d $file ]]; then
            file+=/
        elif [[ $kind == directory || ! -e $file && ! -L $file || $kind == yaml && $file != *.y?(a)ml ]]; then
            continue
        fi
        printf '%s\0' "$word${file#"$path"}"
    done
) 2>/dev/null

# Offers what begins with the word, quoted for where it stands.
_foray_offer() { # CANDIDATE...
    local candidate rest c i
    for candidate; do
        [[ $candidate == "${words[-1]}"* ]] || continue
        rest=${candidate#"$head"}
        case $quote in
        \')
            rest=${rest//\'/\'\\\'\'}
            ;;
        \")
            rest=
            for ((i = ${#head}; i < ${#candidate}; i++)); do
                c=${candidate:i:1}
                [[ $c == [\\\"\$\`] ]] && rest+=\\
                rest+=$c
            done
            ;;
        *)
            c=
            [[ $tilde && ! $head && $rest == \~/* ]] && c=\~/ rest=${rest:2}
            [[ $rest ]] && printf -v rest %q "$rest"
            rest=$c$rest
            ;;
        esac
        COMPREPLY+=("$rest")
    done
}

# What may stand where something of these kinds is wanted, after PREFIX in the same word.
_foray_complete() { # KIND,... PREFIX
    local -a found=() below
    local word=${words[-1]#"$2"} wanted what name
    for wanted in ${1//,/ }; do
        case $wanted in
        made | step)
            while IFS=$'\t' read -r what name _; do
                [[ $wanted == made || $what == step ]] && found+=("$name")
            done < <(_foray_names "$word")
            ;;
        run)
            found+=(last)
            while read -r name _; do
                found+=("$name")
            done < <(_foray_ask log | tail -n 50)
            ;;
        file | yaml | directory | anyfile)
            below=("${directories[@]}")
            [[ $wanted == anyfile ]] && below=() # the ones that -C does not move
            while IFS= read -r -d '' name; do
                found+=("$name")
            done < <(_foray_files "$wanted" "$word" "${below[@]}")
            ;;
        value | joined) ;;
        *) found+=("$wanted") ;;
        esac
    done
    _foray_offer "${found[@]/#/$2}"
}

# Which option of a word takes an argument, if any, and what stands before that: the whole word, if it is the next.
_foray_option() { # WORD
    local i
    option=- before=$1
    if [[ $1 == --* ]]; then
        option=${1%%=*}
        [[ $1 == *=* ]] && before=$option=
    else
        for ((i = 1; i < ${#1}; i++)); do
            option=-${1:i:1} before=${1:0:i+1}
            [[ ${argument[$option]:--} == - ]] || break
        done
    fi
    [[ ${argument[$option]:--} != - ]] || option=''
}

_foray() {
    local IFS=$' \t\n' verb=run position=0 ended='' wanted='' i=1
    local verbs short long kind w n value
    local -a words=() kinds=() offered=() ask=() directories=()
    local -A takes=() argument=()
    local head='' quote='' tilde='' redirect='' option='' before=''
    COMPREPLY=()
    _foray_split
    n=$((${#words[@]} - 1))
    while read -r w kind; do
        [[ $w ]] && takes[$w]=$kind
        [[ $w && $n -gt 1 && ${words[1]} == "$w" ]] && verb=$w i=2
    done <<<"$_foray_verbs"
    while read -r verbs short long kind; do
        [[ $verbs == graphs && $verb != @(all|copy|hosts) ]] && verbs=every
        [[ $verbs == every || ,$verbs, == *,"$verb",* ]] || continue
        [[ $short == - ]] || argument[$short]=$kind offered+=("$short")
        argument[$long]=$kind
        case $kind in
        - | joined) offered+=("$long") ;;
        *) offered+=("$long=") ;;
        esac
    done <<<"$_foray_options"

    # What stands before the word.
    for (( ; i < n; i++)); do
        w=${words[i]}
        if [[ $ended || $w != -?* ]]; then
            if [[ $w =~ ^[A-Za-z_][A-Za-z0-9_-]*= ]]; then
                ask+=("$w")
            else
                ((++position))
                [[ $verb == all ]] && ended=1 # the command's own options follow
            fi
        elif [[ $w == -- ]]; then
            ended=1
        else
            _foray_option "$w"
            value=${w#"$before"}
            if [[ $w == "$before" && $w != --*=* && $option && ${argument[$option]} != joined ]]; then
                ((++i))
                [[ $i == "$n" ]] && wanted=${argument[$option]}
                value=${words[i]}
            fi
            [[ $wanted ]] && break
            case $option in
            -f | --file) ask+=(-f "$value") ;;
            -C | --directory) ask+=(-C "$value") directories+=("$value") ;;
            esac
        fi
    done

    # The word.
    w=${words[n]}
    if [[ $redirect ]]; then
        _foray_complete anyfile ''
    elif [[ $wanted ]]; then
        _foray_complete "$wanted" ''
    elif [[ $w == -* && ! $ended ]]; then
        _foray_option "$w"
        if [[ $option && ($w != "$before" || $w == --*=*) ]]; then
            _foray_complete "${argument[$option]}" "$before"
        else
            _foray_offer "${offered[@]}"
        fi
    else
        [[ $n == 1 ]] && _foray_offer "${!takes[@]}"
        read -ra kinds <<<"${takes[$verb]}"
        kind=${kinds[position]-}
        [[ ! $kind && ${kinds[-1]} == *\* ]] && kind=${kinds[-1]}
        [[ $kind ]] && _foray_complete "${kind%\*}" ''
    fi

    # What goes on; readline would close a quote after it, unless there is another that goes on so.
    if [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *[=/] ]]; then
        compopt -o nospace 2>/dev/null
        [[ $quote ]] && COMPREPLY+=("${COMPREPLY[0]}.")
    fi
    return 0
}
complete -F _foray foray
