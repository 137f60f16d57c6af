# What is up to date is not run again, and `why` says what is not and why.
load helper

# Files that were changed in the last 20 ms are looked at more closely; here they are older.
settle() {
    local f
    for f in "$@"; do wait_until 5 older "$f"; done
}
older() { [ $(($(date +%s%N) - $(date -r "$1" +%s%N))) -gt 30000000 ]; }

# A graph that is up to date: a and b make what c reads.
ready() {
    cat >foray.yaml <<'Y'
steps:
  a: {in: src, run: "sort {{in}} > {{out}}; echo a >> ran", out: a.out}
  b: {in: other, run: "cp {{in}} {{out}}; echo b >> ran", out: b.out}
  c: {in: [a.out, b.out], run: "cat {{in}} > {{out}}; echo c >> ran", out: c.out}
Y
    printf '2\n1\n' >src
    echo x >other
    settle src other foray.yaml
    run -0 "$FORAY"
    nothing
    : >ran
}
nothing() {
    run -0 "$FORAY"
    [[ $output == *"nothing to do"* ]] || {
        echo "$output"
        "$FORAY" why
        false
    }
}
ran() { [ "$(tr '\n' ' ' <ran)" = "$1" ]; }
why() { # STEP TEXT
    run -0 "$FORAY" why "$1"
    [[ $output == *"$2"* ]] || {
        echo "$output"
        false
    }
}

@test "nothing to do: nothing runs, and it says so" {
    ready
    ran ""
    why c "c: it is up to date"
    run -0 "$FORAY" -q
    [ -z "$output" ]
    run -0 "$FORAY" -n
    [ -z "$output" ]
    run -0 "$FORAY" why
    [[ $output == *"nothing would run: 3 steps are up to date"* ]]
}

@test "nothing to do is not said of what only looks so: patterns, copies, and after --resume" {
    cat >foray.yaml <<'Y'
steps:
  p: {run: "touch p.1 p.2; echo p >> ran", out: p.*}
Y
    run -0 "$FORAY"
    nothing
    nothing
    rm p.2
    run -0 "$FORAY"
    [ -e p.2 ]
    nothing
    nothing
    echo more >p.1
    run -0 "$FORAY"
    ran "p p p "
    cat >foray.yaml <<'Y'
steps:
  once: {run: "echo once >> ran"}
  bad: {needs: once, run: "[ -e good ]; touch {{out}}", out: made}
Y
    : >ran
    run -1 "$FORAY"
    touch good
    run -0 "$FORAY" --resume
    ran "once "
    run -0 "$FORAY"
    ran "once once "
    run -0 "$FORAY"
    ran "once once once "
}

@test "a changed input runs its step, and what comes after it" {
    ready
    printf '3\n' >>src
    why a "its input src has changed: was 4 bytes of "
    why c "what it needs runs first, and may change that"
    why c "it waits for a"
    run -0 "$FORAY"
    ran "a c "
    [[ $output == *"2 steps done, 1 up to date"* ]]
    nothing
}

@test "a step that makes the same again makes nothing else run" {
    ready
    printf '1\n2\n' >src
    run -0 "$FORAY"
    ran "a "
    [[ $output == *"1 step done, 2 up to date"* ]]
    nothing
}

@test "a touched input runs its step; with check: content it does not" {
    ready
    touch src
    why a "its input src has changed"
    run -0 "$FORAY"
    ran "a "
    sed -i 's/steps:/defaults: {check: content}\nsteps:/' foray.yaml
    run -0 "$FORAY" -B
    : >ran
    touch src a.out c.out
    nothing
    ran ""
    printf '1\n3\n' >src
    why a "contents "
    run -0 "$FORAY"
    ran "a c "
}

@test "an older file moved over an input, an older time, and a time to come are changes" {
    ready
    echo y >new
    touch -r other new
    touch -d 2001-01-01 new
    mv new other
    why b "its input other has changed"
    run -0 "$FORAY"
    ran "b c "
    touch -d 2001-01-02 other
    why b "its input other has changed"
    run -0 "$FORAY"
    ran "b c b "
    touch -d 2101-01-01 other
    run -0 "$FORAY"
    ran "b c b b "
    nothing
    ran "b c b b "
    # The same size and time, but another file.
    cp -p other twin
    printf 'z\n' >twin
    touch -r other twin
    mv twin other
    run -0 "$FORAY"
    ran "b c b b b c "
}

@test "an input that is changed while its step runs is a change" {
    cat >foray.yaml <<'Y'
steps:
  slow: {in: src, run: "cat {{in}} > {{out}}; echo now >> src; echo ran >> ran", out: copy}
Y
    echo x >src
    settle src
    run -0 "$FORAY"
    why slow "its input src has changed"
    run -0 "$FORAY"
    [ "$(wc -l <ran)" = 2 ]
}

@test "an input changed within one tick of the file system's clock is a change" {
    echo 'steps: {s: {in: src, run: "cp {{in}} {{out}}", out: copy}}' >foray.yaml
    local digit
    for digit in 1 2 3 4 5 6 7 8 9 0; do
        printf '%s' "$digit" >src
        run -0 "$FORAY"
        [ "$(cat copy)" = "$digit" ]
    done
}

@test "a missing or changed output is made again" {
    ready
    rm c.out
    why c "its output c.out is not there"
    run -0 "$FORAY"
    ran "c "
    echo mine >b.out
    why b "its output b.out is not as it left it: was 2 bytes of "
    run -0 "$FORAY"
    ran "c b " # made again as it was: c need not run
    [ "$(cat b.out)" = x ]
    nothing
}

@test "a changed command, environment, directory, shell or variable runs the step" {
    ready
    sed -i 's/sort {{in}}/sort -r {{in}}/' foray.yaml
    why a "its command has changed:"
    [[ $output == *"- sort 'src' > 'a.out'"* && $output == *"+ sort -r 'src' > 'a.out'"* ]]
    run -0 "$FORAY"
    ran "a c "
    sed -i 's/  b: {/  b: {env: {LEVEL: "1"}, /' foray.yaml
    why b "+ env LEVEL=1"
    run -0 "$FORAY" b
    sed -i 's/LEVEL: "1"/LEVEL: "2"/' foray.yaml
    why b "- env LEVEL=1"
    run -0 "$FORAY" b
    sed -i 's/  b: {/  b: {shell: bash, /' foray.yaml
    why b "+ shell "
    run -0 "$FORAY" b
    sed -i 's/  b: {/  b: {dir: ., /' foray.yaml
    why b "+ dir ."
    run -0 "$FORAY" b
    nothing
    printf 'vars: {x: "1"}\nsteps: {v: {run: "echo {{x}} > {{out}}", out: v.out}}' >foray.yaml
    run -0 "$FORAY"
    nothing
    run -0 "$FORAY" x=2
    [ "$(cat v.out)" = 2 ]
    why v "- echo '2' > 'v.out'"
    printf 'steps: {v: {run: "echo {{env.LEVEL}} > {{out}}", out: v.out}}' >foray.yaml
    LEVEL=1 run -0 "$FORAY"
    LEVEL=1 nothing
    LEVEL=2 run -0 "$FORAY"
    [ "$(cat v.out)" = 2 ]
}

@test "an added or removed input or output runs the step" {
    ready
    sed -i 's/in: other,/in: [other, src],/; s/cp {{in}}/cp other/' foray.yaml
    sed -i 's/cp other/cp {{in.x}} other/; s/cp {{in.x}} other/cp other/' foray.yaml
    why b "its command has changed"
    run -0 "$FORAY"
    sed -i 's/in: \[other, src\],/in: [other, src, third],/' foray.yaml
    touch third
    why b "its inputs have changed: third is new among them"
    run -0 "$FORAY"
    sed -i 's/in: \[other, src, third\],/in: [other, third],/' foray.yaml
    why b "its inputs have changed: src is no longer among them"
    run -0 "$FORAY"
    printf 'steps: {o: {run: "touch x y", out: [x]}}' >foray.yaml
    run -0 "$FORAY"
    printf 'steps: {o: {run: "touch x y", out: [x, y]}}' >foray.yaml
    why o "its outputs have changed: y is new among them"
    run -0 "$FORAY"
    printf 'steps: {o: {run: "touch x y", out: [y]}}' >foray.yaml
    why o "its outputs have changed: x is no longer among them"
}

@test "what nothing is known of runs: a new step, a renamed file of the graph, a removed journal" {
    ready
    why c "up to date"
    mv foray.yaml other.yaml
    run -0 "$FORAY" why -f other.yaml c
    [[ $output == *"nothing is known of an earlier run of it"* ]]
    mv other.yaml foray.yaml
    run -0 "$FORAY" why -f ./foray.yaml c
    [[ $output == *"c: it is up to date"* ]]
    rm -r .foray
    why c "nothing is known of an earlier run of it"
    run -0 "$FORAY"
    ran "a b c " || ran "b a c "
}

@test "steps without outputs run every time; -B runs all" {
    ready
    echo '  d: {needs: c, run: "echo d >> ran"}' >>foray.yaml
    why d "it has no \`out\` that could be up to date"
    run -0 "$FORAY"
    run -0 "$FORAY"
    ran "d d "
    run -0 "$FORAY" why -B a
    [[ $output == *"a: it runs: -B runs all"* ]]
    run -0 "$FORAY" -B a
    ran "d d a "
}

@test "a failed step runs again, and its outputs are not taken for made" {
    echo 'steps: {s: {in: src, run: "echo half > {{out}}; [ ! -e bad ]; echo whole > {{out}}", out: o}}' >foray.yaml
    touch src bad
    echo old >o
    run -1 "$FORAY"
    [[ $output == *"removed o, which s may have left half-made"* ]]
    [ ! -e o ]
    why s "last time it failed with status 1"
    run -1 "$FORAY"
    rm bad
    run -0 "$FORAY"
    [ "$(cat o)" = whole ]
    nothing
}

@test "what a failed step has not touched stays; with keep: true all of it" {
    echo 'steps: {s: {run: "exit 3", out: o}}' >foray.yaml
    echo old >o
    run -1 "$FORAY"
    [[ $output != *removed* && $(cat o) = old ]]
    echo 'steps: {s: {keep: true, run: "echo more >> {{out}}; [ $(wc -l < {{out}}) = 3 ]", out: o}}' >foray.yaml
    run -1 "$FORAY"
    [[ $output != *removed* && $(wc -l <o) = 2 ]]
    run -0 "$FORAY"
    nothing
}

@test "a time-out, and patterns: what was made so far goes" {
    echo 'steps: {s: {timeout: 8, run: "touch p.1 p.2; sleep 60", out: p.*}}' >foray.yaml
    touch p.0
    run -1 "$FORAY"
    [[ $output == *"removed p.1, which s may have left half-made"* && $output == *"removed p.2"* ]]
    [ "$(echo p.*)" = p.0 ]
    why s "last time it ran into its time limit"
}

@test "what was ended by a signal runs again, and leaves nothing half-made" {
    echo 'steps: {s: {run: "echo half > {{out}}; sleep 60", out: o}}' >foray.yaml
    in_background
    wait_until 5 test -s o
    kill -TERM "$pid"
    ended_with 10 143
    contains err "removed o, which s may have left half-made"
    [ ! -e o ]
    why s "it was ended because the run was stopped"
}

@test "what was running when foray was killed runs again" {
    echo 'steps: {s: {run: "echo half > {{out}}; sleep ${NAP:-0}; echo whole > {{out}}", out: o}}' >foray.yaml
    NAP=60 in_background
    wait_until 5 test -s o
    kill -KILL "$pid"
    wait_until 5 gone "$pid"
    wait_until 10 ended # what it has left running is ended first
    why s "it was running when foray ended"
    run -0 timeout 60 "$FORAY"
    [ "$(cat o)" = whole ]
    nothing
}

ended() { [[ $("$FORAY" why s) != *"it is running"* ]]; }

@test "deps: what a step says that it has read counts from then on" {
    cat >foray.yaml <<'Y'
steps:
  obj:
    in: main.c
    run: 'cp main.c {{out}}; printf "%s: main.c %s \\\n my\\ header.h\n" {{out}} "$(cat uses)" > main.d; echo obj >> ran'
    out: main.o
    deps: main.d
  other: {in: in.x, run: "cp {{in}} {{out}}", out: gen.h}
Y
    echo plain.h >uses
    touch main.c plain.h 'my header.h' unrelated.h in.x
    settle plain.h 'my header.h'
    run -0 "$FORAY"
    [ ! -e main.d ]
    touch unrelated.h
    nothing
    echo changed >'my header.h'
    why obj "my header.h, which it said that it reads, has changed: was 0 bytes of "
    run -0 "$FORAY"
    rm plain.h
    why obj "plain.h, which it said that it reads, has changed"
    [[ $output == *"is not there"* ]]
    echo gen.h >uses
    run -0 "$FORAY" -B
    # It is known now that it reads what another step makes: that one runs first.
    : >ran
    echo new >in.x
    run -0 "$FORAY" -j1
    [ "$(cat ran)" = obj ]
    [[ $output == *"other"*"obj"*"2 steps done"* ]]
    nothing
}

@test "large files that were only touched are read once, while others run: inputs, outputs of patterns, dependencies" {
    cat >foray.yaml <<'Y'
defaults: {check: content}
steps:
  first: {run: "true"}
  big:
    needs: first
    in: large
    run: 'cp large p.1; echo "o: header" > o.d; echo big >> ran'
    out: p.*
    deps: o.d
Y
    head -c 3000000 /dev/zero | tee large >header
    run -0 timeout 60 "$FORAY"
    touch large header p.1
    run -0 timeout 60 "$FORAY"
    [[ $output == *"1 step done, 1 up to date"* ]]
    ran "big "
    printf x | dd of=header bs=1 seek=1000 conv=notrunc status=none
    run -0 timeout 60 "$FORAY"
    ran "big big "
}

@test "deps: a file that is not there, or is none, is a failure" {
    echo 'steps: {s: {run: "touch o", out: o, deps: o.d}}' >foray.yaml
    run -1 "$FORAY"
    [[ $output == *"cannot read the file of its dependencies, o.d: No such file"* ]]
    echo 'steps: {s: {run: "touch o; echo nonsense > o.d", out: o, deps: o.d}}' >foray.yaml
    run -1 "$FORAY"
    [[ $output == *"o.d: line 1"* ]]
}

@test "what a step wrote is a value although it is up to date" {
    cat >foray.yaml <<'Y'
steps:
  ask: {in: src, run: "cat {{in}}; echo asked > {{out}}", out: asked}
  use: {run: "echo got {{ask.stdout}}"}
  list: {in: src, run: "echo 'more: {run: echo more}'; touch {{out}}", out: listed, yields: steps}
Y
    echo value >src
    settle src
    run -0 "$FORAY"
    run -0 "$FORAY" -j1
    [[ $output == *"got value"* && $output == *"more"* && $output == *"2 steps done, 2 up to date"* ]]
}

@test "a mistake that comes to light behind a step that is up to date fails its own step only" {
    cat >foray.yaml <<'Y'
steps:
  names: {in: src, run: "cat {{in}}; touch {{out}}", out: listed}
  use: {each: "{{names.stdout}}", run: "touch {{out}}", out: "x/{{item.stem}}"}
  other: {needs: names, run: "echo other"}
Y
    printf 'a.1\na.2\n' >src # which make the same file
    settle src
    local i
    for i in 1 2; do
        run -1 "$FORAY" -k
        [[ $output == *"x/a"* && $output == *$'\n'other* && $output == *"could not be made out"* ]]
        i=$i
    done
    [[ $output == *"1 up to date"* ]]
}

@test "when: what waits for a failure is not needed after a step that is up to date" {
    cat >foray.yaml <<'Y'
steps:
  a: {run: "touch {{out}}", out: o}
  repair: {needs: {a: failure}, run: "echo repair"}
  always: {needs: {a: always}, run: "echo always"}
Y
    run -0 "$FORAY"
    run -0 "$FORAY"
    [[ $output != *repair* || $output == *"not needed"* ]]
    [[ $output == *always* && $output != *$'\n'repair* ]]
}

@test "a step's name that is like a verb, a regular expression, and a file can be asked for" {
    ready
    echo '  log: {run: "echo from log"}' >>foray.yaml
    run -0 "$FORAY" run log
    [[ $output == *"from log"* ]]
    why /^[ab]/ "a: it is up to date"
    [[ $output == *"b: it is up to date"* && $output != *"c: "* ]]
    why c.out "c: it is up to date"
    run -2 "$FORAY" why nobody
    [[ $output == *'there is no step `nobody`'* ]]
}

@test "-n -v says why, and runs nothing" {
    ready
    echo 3 >>src
    run -0 "$FORAY" -n -v
    [[ $output == *"# a"*"#   its input src has changed"*"# c"*"#   what it needs runs first"* ]]
    ran ""
}

@test "log: runs, their steps, and what a step wrote" {
    cat >foray.yaml <<'Y'
steps:
  say: {run: "echo out; echo err >&2; echo x=$X"}
  fail: {needs: say, run: "echo doing; exit 3", retry: 1}
Y
    X=1 run -1 "$FORAY" fail
    X=2 run -0 "$FORAY" say
    run -0 "$FORAY" log
    [ "${#lines[@]}" = 2 ]
    [[ ${lines[0]} == *" 1  "*"status 1, 1 done, 1 failed"*": fail" ]]
    [[ ${lines[1]} == *" 2  "*"status 0, 1 done"*": say" ]]
    run -0 "$FORAY" log 1
    [[ $output == *"done    say"*"failed  fail"*"failed with status 3"*"failed  fail"*", try 2" ]]
    run -0 --separate-stderr "$FORAY" log -q say
    [ "$output" = $'out\nx=2' ]
    [ "$stderr" = err ]
    run -0 --separate-stderr "$FORAY" log -q 1 say
    [ "$output" = $'out\nx=1' ]
    run -0 --separate-stderr "$FORAY" log last
    [[ $output == *"done    say"* && $output != *fail* ]]
    run -2 "$FORAY" log sayy
    [[ $output == *'did you mean `say`'* ]]
    run -2 "$FORAY" log 7
    [[ $output == *"there is no run 7: the last one is 2"* ]]
}

@test "log: of long output the beginning and the end are kept" {
    echo 'steps: {s: {run: "seq 1 600000"}}' >foray.yaml
    "$FORAY" >/dev/null 2>&1
    run -0 --separate-stderr "$FORAY" log -q s
    [ "${lines[0]}" = 1 ]
    [ "${lines[-1]}" = 600000 ]
    [[ $stderr == *"bytes are not kept"* ]]
    [ ${#output} -gt 1000000 ]
    [ ${#output} -lt 1100000 ]
}

@test "log and why while a run goes on" {
    cat >foray.yaml <<'Y'
steps:
  first: {run: "echo done already"}
  second: {needs: first, run: "touch started; sleep 60"}
Y
    in_background
    wait_until 10 test -e started
    run -0 "$FORAY" log
    [[ $output == *"is running"* ]]
    run -0 "$FORAY" log last
    [[ $output == *"done    first"*"runs    second"* ]]
    run -0 --separate-stderr "$FORAY" log -q first
    [ "$output" = "done already" ]
    kill -TERM "$pid"
    ended_with 10 143
}

@test "clean: what the graph made, and only that" {
    cat >foray.yaml <<'Y'
steps:
  a: {in: src, run: "cp {{in}} {{out}}", out: dir/a.out}
  p: {run: "touch p.1 p.2", out: p.*}
  old: {run: "touch {{out}}", out: old.out}
Y
    touch src p.mine
    run -0 "$FORAY"
    sed -i '/old:/d' foray.yaml
    run -0 "$FORAY" clean -n
    [ "$(sort <<<"$output")" = $'dir/a.out\nforay: 4 files would be removed\nold.out\np.1\np.2' ]
    [ -e p.1 ]
    run -0 "$FORAY" clean a
    [[ $output == *dir/a.out*"1 file removed"* ]]
    [ -e p.1 ]
    run -0 "$FORAY" clean
    [ "$(echo *)" = "dir foray.yaml p.mine src" ]
    [ "$(echo dir/*)" = 'dir/*' ]
    run -0 "$FORAY" clean
    [[ $output == *"0 files removed"* ]]
    run -0 "$FORAY"
    nothing
    run -2 "$FORAY" clean nobody
}

@test "a directory that cannot be written to is worked in without memory" {
    needs_other_user
    echo 'steps: {s: {run: "echo ran"}}' >foray.yaml
    chmod 555 .
    run -0 as_other "$FORAY"
    chmod 755 .
    [[ $output == *"warning: .foray: Permission denied"* && $output == *ran* ]]
}
needs_other_user() { [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null || skip "needs root and setpriv"; }
as_other() {
    chmod 711 "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR"/* 2>/dev/null
    setpriv --reuid=65534 --regid=65534 --clear-groups "$@"
}
