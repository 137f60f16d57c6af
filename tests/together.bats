# Several forays at once in one directory: one after the other, and no damage. FORAY_TOGETHER=500 makes a long
# experiment of it; FORAY_SEED repeats one.
load helper

setup() {
    export LOG=$BATS_TEST_TMPDIR/log
    mkdir "$BATS_TEST_TMPDIR/work"
    cd "$BATS_TEST_TMPDIR/work" || return
    RANDOM=${FORAY_SEED:-$$}
    echo "FORAY_SEED=${FORAY_SEED:-$$}"
}

# Waits for the end of a process; how it ended is in $status.
wait_for() { # PID
    wait_until 30 gone "$1" || return
    status=0
    wait "$1" || status=$?
}

write_graph() {
    cat >foray.yaml <<'Y'
vars:
  n: [0, 1, 2, 3, 4, 5, 6, 7]
  begin: 'exec 9>"../lock.${FORAY_OUT%/*}${FORAY_OUT#*/}"; flock -n 9 || echo two >> "$LOG"; echo "$FORAY_STEP" >> "$LOG"'
steps:
  a: {each: "{{n}}", out: "a/{{item}}", run: "{{begin:raw}}; echo {{item}} > {{out}}"}
  b: {each: "{{n}}", in: "a/{{item}}", out: "b/{{item}}", run: "{{begin:raw}}; cat {{in}} {{in}} > {{out}}"}
  c: {in: ["{{a.out}}", "{{b.out}}"], out: c, run: "{{begin:raw}}; cat {{in}} > {{out}}"}
Y
}

@test "two at once: each step runs once in all, both end well, the journal is whole" {
    for ((n = 0; n < ${FORAY_TOGETHER:-20}; n++)); do
        rm -rf .foray a b c
        write_graph
        : >"$LOG"
        "$FORAY" -q -j4 >../out1 2>../err1 3>&- &
        one=$!
        # the second one comes while the first one begins, runs or ends
        [ $((n % 2)) = 0 ] || sleep "0.0$((RANDOM % 6))$((RANDOM % 10))"
        "$FORAY" -q -j4 >../out2 2>../err2 3>&- &
        two=$!
        for pid in $one $two; do
            wait_for $pid
            if [ "$status" != 0 ]; then
                echo "round $n: status $status"
                cat ../err1 ../err2
                return 1
            fi
        done
        if [ "$(wc -l <"$LOG")" != 17 ] || [ "$(sort -u "$LOG" | wc -l)" != 17 ]; then
            echo "round $n"
            cat "$LOG"
            return 1
        fi
        if grep -v "^foray: another foray works in this directory" ../err1 ../err2; then return 1; fi
        [ "$(cat c)" = "$(printf '%s\n' 0 1 2 3 4 5 6 7 0 0 1 1 2 2 3 3 4 4 5 5 6 6 7 7)" ]
        run -0 --separate-stderr "$FORAY" why
        [ "$output" = "nothing would run: 17 steps are up to date" ] && [ -z "$stderr" ]
        run -0 --separate-stderr "$FORAY" log
        # one has run all, the other one has found nothing to do
        [[ $output == *"17 done"* && $output != *"cut short"* && -z $stderr ]]
    done
}

@test "several at once, some of them killed: the others do it, no step is run by two at a time" {
    write_graph
    for ((n = 0; n < 5; n++)); do
        rm -rf .foray a b c
        : >"$LOG"
        pids=()
        for i in 1 2 3 4 5 6; do
            "$FORAY" -q -j4 >"../out$i" 2>"../err$i" 3>&- &
            pids+=($!)
        done
        for i in 0 2 4; do
            sleep "0.0$((RANDOM % 10))"
            kill -KILL "${pids[$i]}" 2>/dev/null || true
        done
        for i in 0 1 2 3 4 5; do
            wait_for "${pids[$i]}"
            [ "$status" = 0 ] || { [ "$status" = 137 ] && [ $((i % 2)) = 0 ]; }
        done
        if grep two "$LOG" || grep damaged ../err?; then return 1; fi
        [ "$(wc -l <c)" = 24 ]
        run -0 --separate-stderr "$FORAY" why
        [ "$output" = "nothing would run: 17 steps are up to date" ] && [ -z "$stderr" ]
    done
}

@test "who waits says for whom, and can be ended" {
    echo 'steps: {t: {out: made, run: "echo began >> $LOG; until [ -e ../go ]; do sleep 0.02; done; echo made > made"}}' >foray.yaml
    in_background -q
    wait_until 10 contains "$LOG" began
    first=$pid
    env --default-signal=INT "$FORAY" -q >../out2 2>../err2 3>&- &
    pid=$!
    wait_until 10 contains ../err2 "another foray works in this directory (process $first on $(uname -n)), or what it has left running is being ended: waiting for it"
    kill -INT "$pid"
    wait_for "$pid"
    [ "$status" = 130 ]
    touch ../go
    wait_for "$first"
    [ "$status" = 0 ] && [ "$(cat made)" = made ]
}

@test "what only looks does not wait" {
    echo 'steps: {t: {out: made, run: "echo began >> $LOG; until [ -e ../go ]; do sleep 0.02; done; echo made > made"}}' >foray.yaml
    in_background -q
    wait_until 10 contains "$LOG" began
    run -0 timeout 60 "$FORAY" why
    [[ $output == *"it is running"* ]]
    run -0 timeout 60 "$FORAY" log
    [[ $output == *"is running"* ]]
    run -0 timeout 60 "$FORAY" -n
    run -0 timeout 60 "$FORAY" check
    touch ../go
    wait_for "$pid"
    [ "$status" = 0 ]
}

@test "a foray that a step starts in the same directory is refused, in another one it works" {
    mkdir sub
    echo 'steps: {t: {out: made, run: "echo inner > made"}}' >sub/foray.yaml
    cat >foray.yaml <<'Y'
steps:
  same: {out: never, run: '"$FORAY" sub'}
  sub: {out: sub/made, run: '"$FORAY" -q -C sub'}
  looks: {needs: sub, run: '"$FORAY" why sub && "$FORAY" check'}
Y
    run -1 timeout 60 "$FORAY" same
    [[ $output == *"this foray was started by a step of the one that works in this directory"* ]]
    [[ $output == *"exit status 2"* ]]
    run -0 timeout 60 "$FORAY" sub looks
    [ "$(cat sub/made)" = inner ]
}

@test "nor does one wait for the one that started the one that started it" {
    mkdir sub
    echo 'steps: {t: {run: "\"$FORAY\" -C .. other"}}' >sub/foray.yaml
    echo 'steps: {t: {run: "\"$FORAY\" -C sub"}, other: {out: other, run: "echo other > other"}}' >foray.yaml
    run -1 timeout 60 "$FORAY" t
    [[ $output == *"this foray was started by a step of the one that works in this directory"* ]]
    run -0 timeout 60 "$FORAY" -C sub
    [ "$(cat other)" = other ]
}
