# What the shells offer where foray's words are typed. Lines end where the cursor is.
load helper

setup_file() {
    load helper
    mkdir "$BATS_FILE_TMPDIR/bin"
    ln -s "$FORAY" "$BATS_FILE_TMPDIR/bin/foray"
    # They do without what takes too long; here it may.
    printf '#!/bin/sh\nt=$1\nshift\nexec %s "$((t * 10))" "$@"\n' "$(type -P timeout)" >"$BATS_FILE_TMPDIR/bin/timeout"
    chmod +x "$BATS_FILE_TMPDIR/bin/timeout"
    # The line is there when zsh starts to edit it; what becomes of it is told, or what is offered.
    mkdir "$BATS_FILE_TMPDIR/zsh"
    cat >"$BATS_FILE_TMPDIR/zsh/.zshrc" <<'END'
fpath=("$COMPLETIONS" $fpath)
autoload -U compinit
compinit -u -d "$ZDOTDIR/dump"
[[ $TELL == offered ]] && compadd() {
    local -a hits
    builtin compadd -O hits "$@"
    (( $#hits )) && print -rl -- "$hits[@]" >>"$ZDOTDIR/offered"
    builtin compadd "$@"
}
zle-line-init() {
    BUFFER=$LINE CURSOR=$#LINE
    zle complete-word
    print -r -- "$BUFFER" >"$ZDOTDIR/line"
    exit
}
zle -N zle-line-init
END
}
setup() {
    cd "$BATS_TEST_TMPDIR" || return
    export HOME=$PWD PATH=$BATS_FILE_TMPDIR/bin:$PATH COMPLETIONS
    COMPLETIONS=$(cd "$BATS_TEST_DIRNAME/../completions" && pwd)
}
has() { command -v "$1" >/dev/null; }
needs() { has "$1" || skip "there is no $1"; }

# What is offered for a line, a line each.
bash_offers() { # LINE
    bash --norc --noprofile -c '
        source "$COMPLETIONS/foray.bash"
        COMP_LINE=$1 COMP_POINT=${#1}
        read -ra COMP_WORDS <<<"$1"
        [[ $1 == *" " ]] && COMP_WORDS+=("")
        COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
        _foray foray "${COMP_WORDS[-1]}" "${COMP_WORDS[-2]}"
        [ ${#COMPREPLY[@]} = 0 ] || printf "%s\n" "${COMPREPLY[@]}"' bash "$1"
}
zsh_tells() { # line|offered LINE
    export ZDOTDIR=$BATS_FILE_TMPDIR/zsh
    : >"$ZDOTDIR/offered"
    rm -f "$ZDOTDIR/line"
    TELL=$1 LINE=$2 timeout 60 zsh -f -c '
        zmodload zsh/zpty
        TERM=vt100 zpty z zsh -d -i
        while zpty -r z said; do :; done' </dev/null
    [ -e "$ZDOTDIR/line" ] && cat "$ZDOTDIR/$1"
}
zsh_offers() { # LINE
    zsh_tells offered "$1"
}
fish_offers() { # LINE
    fish --no-config -c 'source $COMPLETIONS/foray.fish; complete -C $argv[1]' "$1" | cut -f 1
}
# The same for all of them: bash is the one that quotes by itself, zsh the one that sets slashes apart.
offers() { # SHELL LINE
    local plain='s|/$||; s/=$//'
    [ "$1" = bash ] && plain='s/\\\(.\)/\1/g; '$plain
    "$1_offers" "$2" | sed "$plain" | sort -u
}

# Exactly these, in any order.
same() { # WHAT OFFERED WANTED...
    local wanted
    wanted=$(printf '%s\n' "${@:3}" | sort)
    [ "$2" = "$wanted" ] || {
        printf '%s is offered:\n%s\ninstead of:\n%s\n' "$1" "$2" "$wanted"
        return 1
    }
}
offers_only() { # SHELL LINE CANDIDATE...
    same "$1, $2" "$(offers "$1" "$2")" "${@:3}"
}

graph() {
    cat >foray.yaml <<'END'
vars:
  parts: [a.txt, "b c.txt", "it's", 'say "x"', "$(touch bad)`touch bad`", 'back\slash', "a:b=c@d"]
  more: [one]
steps:
  write:
    describe: "Writes: them \"all\""
    each: "{{parts}}"
    run: echo
  other:
    each: "{{more}}"
    run: echo > {{out}}
    out: ["made/{{item}}.txt", "made/{{item}} too.txt"]
  total:
    needs: [write, other]
    run: echo
END
}

verbs() { "$FORAY" --help | sed -n '/^Verbs/,/^$/ s/^  \([a-z]*\) .*/\1/p'; }
options_of() { # VERB
    "$FORAY" "$1" --help | sed -n '/^ *-/ {s/^ *//; s/  .*//; s/, /\n/; p}' | sed 's/[=[ ].*//' | sort
}

@test "every verb and option of the help stands in each file" {
    [ "$(verbs | wc -l)" -ge 3 ]
    for v in $(verbs); do
        for file in foray.bash _foray foray.fish; do
            grep -qw -- "$v" "$COMPLETIONS/$file" || { echo "$v is not in $file"; false; }
        done
        options=$(options_of "$v")
        [ "$(wc -l <<<"$options")" -ge 9 ]
        for o in $options; do
            case $o in
            --*) fish="-l ${o#--} " ;;
            *) fish="-s ${o#-} " ;;
            esac
            grep -qF -- " $o " "$COMPLETIONS/foray.bash" || { echo "$o is not in foray.bash"; false; }
            grep -qE -- "[{',)*]$o[-+=[},]" "$COMPLETIONS/_foray" || { echo "$o is not in _foray"; false; }
            grep -qF -- "$fish" "$COMPLETIONS/foray.fish" || { echo "$o is not in foray.fish"; false; }
        done
    done
}

same_options() { # SHELL
    for v in $(verbs); do
        diff <(options_of "$v") \
            <({ offers "$1" "foray $v -"; offers "$1" "foray $v --"; } | grep '^-' | sort -u) ||
            { echo "$1: foray $v has other options"; return 1; }
    done
}
@test "bash offers what options each verb has, and no others" {
    same_options bash
}
@test "zsh offers what options each verb has, and no others" {
    needs zsh
    same_options zsh
}
@test "fish offers what options each verb has, and no others" {
    needs fish
    same_options fish
}

@test "the three ask the graph alike" {
    program() { sed -n "/awk '\$/,/^        }'/p" "$COMPLETIONS/$1" | sed "1d; s/}'.*/}/"; }
    [ "$(program foray.bash | wc -l)" -ge 30 ]
    diff <(program foray.bash) <(program _foray)
    diff <(program foray.bash) <(program foray.fish)
}

# What holds for all of them, with names that need no quotes.
common() { # SHELL
    cat >foray.yaml <<'END'
vars: {list: [one, two]}
steps:
  build: {run: "echo > {{out}}", out: out.txt}
  graphics: {each: "{{list}}", run: "echo"}
END
    mkdir -p dir/sub
    echo 'steps: {inside: {run: "true"}}' >dir/foray.yaml
    echo 'steps: {elsewhere: {run: "true"}}' >else.yml
    touch dir/file text.txt
    mapfile -t verbs < <(verbs)

    offers_only "$1" 'foray ' "${verbs[@]}" build graphics 'graphics[one]' 'graphics[two]' out.txt \
        dir else.yml foray.yaml text.txt || return
    offers_only "$1" 'foray gr' graph graphics 'graphics[one]' 'graphics[two]' || return
    offers_only "$1" 'foray graph gr' graphics 'graphics[one]' 'graphics[two]' || return
    offers_only "$1" 'foray -K gr' graphics 'graphics[one]' 'graphics[two]' || return
    offers_only "$1" 'foray -f ' dir else.yml foray.yaml || return
    offers_only "$1" 'foray -f else.yml e' elsewhere else.yml || return
    offers_only "$1" 'foray -Kf else.yml --only b=c e' elsewhere else.yml || return
    offers_only "$1" 'foray check --file=else.yml e' elsewhere else.yml || return
    offers_only "$1" 'foray -C ' dir || return
    offers_only "$1" 'foray -C dir ' inside file foray.yaml sub || return
    offers_only "$1" 'foray --directory=dir -C ' sub || return
    offers_only "$1" 'foray -C dir -f ' foray.yaml sub || return
    offers_only "$1" 'foray -C dir -F t' text.txt || return
    offers_only "$1" 'foray --color ' always auto never || return
    offers_only "$1" 'foray graph --format ' dot json mermaid tree || return
    "$FORAY" build graphics 2>/dev/null >&2
    "$FORAY" -B 2>/dev/null >&2
    offers_only "$1" 'foray why ' build graphics 'graphics[one]' 'graphics[two]' out.txt || return
    offers_only "$1" 'foray clean -n o' out.txt || return
    offers_only "$1" 'foray copy te' text.txt || return
    offers_only "$1" 'foray copy --gather -C dir -w node1 f' file foray.yaml || return
    offers_only "$1" 'foray log ' 1 2 last build 'graphics[one]' 'graphics[two]' || return
    offers_only "$1" 'foray log 1 ' build 'graphics[one]' 'graphics[two]' || return
    offers_only "$1" 'foray -C dir log ' file foray.yaml inside sub || return
    offers_only "$1" 'foray log -C dir ' inside last || return
    echo 'steps: {none' >foray.yaml
    offers_only "$1" 'foray b' || return
}
@test "bash: verbs, targets, files and arguments" {
    common bash
}
@test "zsh: verbs, targets, files and arguments" {
    needs zsh
    common zsh
}
@test "fish: verbs, targets, files and arguments" {
    needs fish
    common fish
}

@test "a variable's value makes other names" {
    cat >foray.yaml <<'END'
vars: {n: 1}
steps:
  s: {each: "1..{{n}}", run: "true"}
END
    for shell in bash zsh fish; do
        has $shell || continue
        offers_only $shell 'foray s' s 's[1]'
        offers_only $shell 'foray check n=2 s' s 's[1]' 's[2]'
    done
}

@test "bash: words alone do, split at what COMP_WORDBREAKS has" {
    graph
    answers() { # WORD...
        bash --norc --noprofile -c '
            source "$COMPLETIONS/foray.bash"
            COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
            _foray
            printf "%s\n" "${COMPREPLY[@]}"' bash "$@"
    }
    [ "$(answers foray gr)" = graph ]
    [ "$(answers foray graph --format = m)" = mermaid ]
    [ "$(answers foray --color = | xargs)" = "auto always never" ]
    [ "$(answers foray run tot)" = total ]
}

@test "bash: names are quoted for where they stand" {
    graph
    replies() { # LINE REPLY...
        same "$1" "$(bash_offers "$1" | sort)" "${@:2}"
    }
    replies 'foray write\[b' 'write\[b\ c.txt\]' 'write\[back\\slash\]'
    replies 'foray write[it' "write\\[it\\'s\\]"
    replies "foray 'write[it" "write[it'\\''s]"
    replies 'foray "write[say' 'write[say \"x\"]'
    replies "foray wri'te[b c" 'te[b c.txt]'
    replies 'foray write\[a:b' 'b=c@d\]'
    replies 'foray write\[a:b=c@' '@d\]'
    replies 'foray "write[$' 'write[\$(touch bad)\`touch bad\`]'
    replies 'foray made/one\ ' 'made/one\ too.txt'
    mkdir 'a dir'
    touch "a dir/it's"
    replies 'foray -C a\ dir ' "it\\'s"
    replies "foray -C 'a dir' i" "it\\'s"
    replies 'foray "a dir/' "a dir/it's"
    replies 'foray ~/a\ ' '~/a\ dir/'
    replies 'foray -C ~/a\ dir i' "it\\'s"
    replies 'foray -k > a' 'a\ dir/'
    replies 'foray -f foray.yaml 2>log graph t' total
    [ ! -e bad ]
}

@test "bash: what readline makes of it is the name" {
    has script || skip "there is no script"
    graph
    cat >rc <<'END'
source "$COMPLETIONS/foray.bash"
foray() { printf '%s\n' "$@" >>given; }
END
    printf '%s\r' $'foray write\\[b\\ \t' $'foray "write[say\t' $'foray \'write[it\t' $'foray write\\[a:b=c@\t' \
        $'foray write\\[$\t' $'foray gra\t--for\tme\t' exit |
        timeout 60 script -qec 'bash --noprofile --rcfile rc -i' /dev/null >/dev/null
    diff given - <<'END'
write[b c.txt]
write[say "x"]
write[it's]
write[a:b=c@d]
write[$(touch bad)`touch bad`]
graph
--format=mermaid
END
    [ ! -e bad ]
}

@test "zsh: what the line becomes is the name" {
    needs zsh
    graph
    becomes() { # LINE WORD
        line=$(zsh_tells line "$1")
        [ "$(LINE=$line zsh -f -c 'print -r -- ${(Q)${(z)LINE}[-1]}')" = "$2" ] || { echo "$line"; return 1; }
    }
    becomes 'foray write\[b\ ' 'write[b c.txt]'
    becomes 'foray "write[say' 'write[say "x"]'
    becomes "foray 'write[it" "write[it's]"
    becomes 'foray write\[a:b=c@' 'write[a:b=c@d]'
    becomes 'foray write\[\$' 'write[$(touch bad)`touch bad`]'
    becomes 'foray write\[bac' 'write[back\slash]'
    becomes 'foray made/one\ ' 'made/one too.txt'
    [ ! -e bad ]
}

@test "fish: names, and what there is to say of them" {
    needs fish
    graph
    offers_only fish 'foray write[b' 'write[b c.txt]' 'write[back\slash]'
    offers_only fish "foray 'write[it" "write[it's]"
    offers_only fish 'foray "write[say' 'write[say "x"]'
    offers_only fish 'foray write[a:b=' 'write[a:b=c@d]'
    offers_only fish 'foray write[\$' 'write[$(touch bad)`touch bad`]'
    run fish --no-config -c 'source $COMPLETIONS/foray.fish; complete -C "foray tot"; complete -C "foray write[it"
        complete -C "foray chec"; complete -C "foray graph --rul"'
    [ "${lines[0]}" = $'total\tstep' ]
    [ "${lines[1]}" = $'write[it\'s]\tWrites: them "all"' ]
    [[ ${lines[2]} == $'check\tRead everything'* ]]
    [[ ${lines[3]} == $'--rules\tSteps as'* ]]
    [ ! -e bad ]
}

@test "of very many names some are offered, and those that tell where they part" {
    cat >foray.yaml <<'END'
steps:
  s: {each: 1000..3999, run: "true"}
  last: {run: "true"}
END
    for shell in bash fish; do # zsh would rather ask whether to show so many
        has $shell || continue
        run -0 offers $shell 'foray '
        [ ${#lines[@]} -le 700 ]
        [[ $output == *last* ]]
        run -0 offers $shell 'foray s\['
        [ ${#lines[@]} -le 700 ]
        [[ $output == *2000* ]]
        run -0 offers $shell 'foray s\[39'
        [ ${#lines[@]} = 100 ]
        run -0 offers $shell 'foray s\[3'
        [[ $output == *3100* ]]
    done
}

@test "a graph that does not come is not waited for" {
    mkdir slow
    printf '#!/bin/sh\nexec sleep 60\n' >slow/foray
    chmod +x slow/foray
    ln -s "$(PATH=${PATH#*:} type -P timeout)" slow/timeout
    touch file
    export PATH=$PWD/slow:$PATH
    for shell in bash zsh fish; do
        has $shell || continue
        run -0 timeout 60 bash -c "$(declare -f offers "${shell}_offers" zsh_tells); offers $shell 'foray f'"
        [ "$output" = file ]
    done
}
