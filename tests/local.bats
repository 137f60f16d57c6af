# Steps on this machine: how they run, end, and are ended.
load helper

@test "standard output and standard error of steps stay apart, whole and in order" {
    cat >foray.yaml <<'Y'
steps:
  t: {each: [1, 2, 3, 4, 5, 6, 7, 8], run: "for i in 1 2 3; do echo {{item}}.$i; sleep 0.01; done; echo e{{item}} >&2"}
Y
    run -0 --separate-stderr "$FORAY" -j8
    [ "${#lines[@]}" = 24 ]
    # whole: the three lines of a step stand together
    [ "$(printf '%s\n' "${lines[@]}" | cut -d. -f1 | uniq | wc -l)" = 8 ]
    for i in 1 2 3 4 5 6 7 8; do [[ $stderr == *"e$i"* ]]; done
}

@test "standard input is empty" {
    echo 'steps: {t: {run: cat}}' >foray.yaml
    run -0 --separate-stderr "$FORAY" <<<"not for the step"
    [ -z "$output" ]
}

@test "a script ends at the first command that fails; a list of scripts runs in turn" {
    cat >foray.yaml <<'Y'
steps:
  a: {run: ["echo one", "echo two"]}
  b: {needs: a, run: ["false", "touch wrong"]}
Y
    run -1 --separate-stderr "$FORAY"
    [ "$output" = $'one\ntwo' ] && [ ! -e wrong ]
}

@test "exit statuses and signals are told apart" {
    cat >foray.yaml <<'Y'
steps:
  status: {run: exit 9}
  signal: {run: kill -SEGV $$}
  missing: {run: no-such-command-here}
Y
    run -1 "$FORAY" -k
    [[ $output == *"status"*": exit status 9"* ]]
    [[ $output == *"signal"*": ended by SIGSEGV"* ]]
    [[ $output == *"command not found"* ]]
}

@test "failures are repeated at the end, the first one first, with command and last lines" {
    cat >foray.yaml <<'Y'
steps:
  first: {run: "echo the reason; exit 3"}
  noise: {needs: gate, run: "seq 100"}
  gate: {run: "sleep 0.3"}
Y
    run -1 "$FORAY" -k -j4
    summary=${output#*1 step failed}
    [[ $summary == *"first"*"exit status 3"*"echo the reason; exit 3"*"| the reason"* ]]
}

@test "a time-out sends TERM, then KILL, to the whole group; status 1" {
    cat >foray.yaml <<'Y'
steps:
  t: {timeout: 0.3, run: "trap '' TERM; echo $$ >group; sleep 90.417 & sleep 90.418 & wait; sleep 90.419"}
Y
    run -1 timeout 60 "$FORAY"
    [[ $output == *"time limit"* ]]
    group_gone group
}

@test "a declared output that is not made is a failure" {
    echo 'steps: {t: {run: "true", out: x/made.txt}}' >foray.yaml
    run -1 "$FORAY"
    [[ $output == *"did not make x/made.txt"* ]]
}

@test "directories of outputs are made" {
    echo 'steps: {t: {run: "echo hi > {{out}}", out: a/b/c/x}}' >foray.yaml
    run -0 "$FORAY"
    [ "$(cat a/b/c/x)" = hi ]
}

@test "dir: the script starts there, and its files are named from there" {
    mkdir -p sub/deep
    echo text >input
    cat >foray.yaml <<'Y'
steps:
  t: {dir: sub/deep, in: input, out: made, run: "pwd > here; cat {{in}} \"$FORAY_IN\" > {{out}}"}
  gone: {dir: nowhere, run: touch wrong}
Y
    run -0 "$FORAY" t
    [ "$(cat sub/deep/here)" = "$PWD/sub/deep" ] && [ "$(cat made)" = $'text\ntext' ]
    run -1 "$FORAY" gone
    [ ! -e wrong ]
}

@test "environment: its own, and what foray tells" {
    export OUTER=outer
    cat >foray.yaml <<'Y'
vars: {lang: "d'e"}
steps:
  t:
    each: ["a b"]
    env: {LANGUAGE_: "{{lang}}/{{item}}", EMPTY: ""}
    out: "{{item}}.out"
    run: printf '%s|' "$LANGUAGE_" "$EMPTY" "$FORAY_STEP" "$FORAY_ITEM" "$FORAY_OUT" "$FORAY_HOST" "$OUTER" {{env.OUTER}} | tee {{out}}
Y
    run -0 --separate-stderr "$FORAY"
    [ "$output" = "d'e/a b||t[a b]|a b|a b.out||outer|outer|" ]
}

@test "a failing step is tried again as often as it may" {
    echo 'steps: {t: {retry: 2, run: "echo x >> tries; [ $(wc -l < tries) = 3 ]"}}' >foray.yaml
    run -0 "$FORAY"
    [[ $output == *"next try in"* && $output == *"try 3"* ]]
    rm tries
    echo 'steps: {t: {retry: 1, run: "echo x >> tries; exit 4"}}' >foray.yaml
    run -1 "$FORAY"
    [ "$(wc -l <tries)" = 2 ]
}

@test "a daemon that holds the step's output does not hold the run" {
    echo 'steps: {t: {run: "echo $$ >group; echo hello; sleep 91.11 & sleep 91.12 & echo bye"}}' >foray.yaml
    run -0 --separate-stderr timeout 60 "$FORAY"
    [ "$output" = $'hello\nbye' ]
    wait_until 5 group_gone group
}

@test "output of a background process that ends soon is not lost" {
    echo 'steps: {t: {run: "(sleep 0.02; echo late) & echo early"}}' >foray.yaml
    # soon: foray waits for a quarter of a second, which a busy machine may need for less than that
    both_came() { run -0 --separate-stderr "$FORAY" && [ "$(sort <<<"$output")" = $'early\nlate' ]; }
    wait_until 30 both_came
}

@test "Ctrl-C ends everything tidily: 128+2, the steps gone" {
    cat >foray.yaml <<'Y'
steps:
  t: {each: [1, 2], run: "trap 'touch term.{{item}}; exit 1' TERM; touch began.{{item}}; while :; do sleep 0.05; done"}
Y
    # They have 2 s for their last words, which may be too short where the machine is busy: there are three tries.
    for _ in 1 2 3; do
        rm -f began.* term.*
        # a shell starts background processes with SIGINT ignored; a terminal does not
        env --default-signal=INT "$FORAY" -j2 >out 2>err 3>&- &
        pid=$!
        wait_until 10 test -e began.1 -a -e began.2
        kill -INT "$pid"
        ended_with 10 130
        grep -q "2 ended because the run was stopped" err
        if [ -e term.1 ] && [ -e term.2 ]; then break; fi
    done
    [ -e term.1 ] && [ -e term.2 ]
}

@test "TERM: 128+15; a second one ends at once what does not listen" {
    echo "steps: {t: {run: \"trap '' TERM; echo \$\$ >group; touch began; while :; do sleep 92.5; done\"}}" >foray.yaml
    in_background
    wait_until 10 test -e began
    kill -TERM "$pid"
    wait_until 5 contains err "ending what runs"
    kill -TERM "$pid" || true # it may have ended by itself by now
    ended_with 10 143
    group_gone group
}

@test "killed with SIGKILL, foray leaves no process of a step" {
    echo "steps: {t: {run: \"echo \$\$ >group; sleep 93.71 & touch began; sleep 93.72\"}}" >foray.yaml
    in_background
    wait_until 10 test -e began
    kill -KILL "$pid"
    wait_until 5 group_gone group
}

@test "hostile names and items pass through unharmed" {
    mkdir in
    names=('a b' "it's" 'do"uble' '$(touch PWNED)' '`touch PWNED`' '-rf' '*' '~' $'new\nline' 'back\slash' '#x' ';touch PWNED' '&' '|' 'ü' $'\xff\xfe')
    for n in "${names[@]}"; do printf '%s' "$n" >"in/$n"; done
    cat >foray.yaml <<'Y'
steps:
  copy:
    each: in/*
    in: "{{item}}"
    out: "out/{{item.base}}"
    run: |
      cat {{in}} > {{out}}
      test "$(cat "$FORAY_IN"; echo .)" = "$(cat {{in}}; echo .)"
      test "{{item}}" = '{{item}}'
  dash:
    in: -dash
    out: -copy
    run: cp {{in}} {{out}} && cp {{in}} copy2
Y
    echo dash >./-dash
    run -0 "$FORAY"
    for n in "${names[@]}"; do cmp "in/$n" "out/$n"; done
    [ "$(cat ./-copy copy2)" = $'dash\ndash' ] && [ ! -e PWNED ]
}

@test "a name of 255 bytes works" {
    long=$(printf 'n%.0s' {1..255})
    echo "steps: {t: {run: 'echo hi > {{out}}', out: $long}}" >foray.yaml
    run -0 "$FORAY"
    [ "$(cat "$long")" = hi ]
}

@test "a script and an item longer than one argument may be" {
    { echo 'steps:'; echo '  t:'; echo '    run: |'; echo '      wc -c <<X > n'
      seq -f '      %060.0f' 0 3999; echo '      X'; } >foray.yaml
    run -0 "$FORAY"
    [ "$(cat n)" = 244000 ]
}

@test "large outputs of several steps at once arrive whole, memory stays small" {
    cat >foray.yaml <<'Y'
steps:
  t: {each: [1, 2, 3, 4], run: "head -c 50000000 /dev/zero | tr '\\0' {{item}}; head -c 20000000 /dev/zero | tr '\\0' e >&2"}
Y
    bash -c 'ulimit -v 1000000; "$FORAY" -q -j4 >out 2>err' || [ -n "${ASAN_OPTIONS-}" ] || "$FORAY" -q -j4 >out 2>err
    [ "$(tr -d 1234 <out | wc -c)" = 0 ] && [ "$(wc -c <out)" = 200000000 ]
    [ "$(tr -cd e <err | wc -c)" -ge 80000000 ]
}

@test "a reader that goes away does not harm the run" {
    echo 'steps: {a: {run: seq 100000}, b: {needs: a, run: touch b}}' >foray.yaml
    "$FORAY" -q | head -1
    [ -e b ]
}

@test "a reader that is slow loses nothing" {
    echo 'steps: {a: {run: seq 200000}}' >foray.yaml
    "$FORAY" -q | (sleep 0.5; cat) >out
    seq 200000 | cmp - out
}

@test "standard output that cannot be written is told, status 3" {
    [ -e /dev/full ] || skip "no /dev/full"
    echo 'steps: {a: {run: echo hello}}' >foray.yaml
    "$FORAY" -q >/dev/full 2>err && false || [ $? = 3 ]
    grep -q "standard output" err
}
