# Killed at any moment, foray loses nothing of what it had done, and the next run does the rest.
# FORAY_KILLS=200 makes a long experiment of it; FORAY_SEED repeats one.
load helper

setup_file() {
    load helper
    fleet_up 3
    use_fleet
    undisturbed
}
teardown_file() {
    load helper
    fleet_down
}
setup() {
    use_fleet
    export LOG=$BATS_TEST_TMPDIR/log LOCKS=$BATS_TEST_TMPDIR/locks
    mkdir "$BATS_TEST_TMPDIR/work" "$LOCKS"
    : >"$LOG"
    cd "$BATS_TEST_TMPDIR/work" || return
    RANDOM=${FORAY_SEED:-$$}
    echo "FORAY_SEED=${FORAY_SEED:-$$}"
}

# 300 steps in five layers, each file from those of the layers before, written in two parts so that there are half
# files. Every start of a step is written down, and if the same step runs already.
layers() { # DIRECTORY
    local i here there
    here='exec 9> "$LOCKS/${FORAY_OUT%/*}${FORAY_OUT#*/}"; flock -n 9 || echo two of {{step}} >> "$LOG"; echo {{step}} >> "$LOG"'
    there='echo {{step}} >> ~/log'
    mkdir -p "$1/src"
    for i in {10..69}; do echo "source $i" >"$1/src/$i"; done
    cat >"$1/foray.yaml" <<Y
hosts: {farm: {hosts: "node[1-3]", slots: 8}}
steps:
  a:
    each: src/*
    in: "{{item}}"
    out: "a/{{item.base}}"
    run: |
      $here
      echo part of {{step}} > {{out}}; sleep 0.01; cat {{in}} >> {{out}}
  b:
    each: "{{a.out}}"
    on: farm
    in: "{{item}}"
    out: "b/{{item.base}}"
    run: |
      $there
      echo part of {{step}} > {{out}}; sleep 0.01; cat {{in}} >> {{out}}
  c:
    each: "{{b.out}}"
    in: "{{item}}"
    out: "c/{{item.base}}"
    run: |
      $here
      echo part of {{step}} > {{out}}; sleep 0.01; cat {{in}} >> {{out}}
  d:
    each: "{{c.out}}"
    on: farm
    in: "{{item}}"
    out: "d/{{item.base}}"
    run: |
      $there
      echo part of {{step}} > {{out}}; sleep 0.01; cat {{in}} >> {{out}}
  e:
    each: "{{d.out}}"
    in: ["{{item}}", "a/{{item.base}}"]
    out: "e/{{item.base}}"
    run: |
      $here
      echo part of {{step}} > {{out}}; sleep 0.01; cat {{in}} >> {{out}}
Y
}

# The names of all steps that have started since forget_starts, sorted.
starts() { sort "$LOG" "$FORAY_FLEET"/hosts/*/home/log; }
forget_starts() {
    local h
    : >"$LOG"
    for h in "$FORAY_FLEET"/hosts/*; do : >"$h/home/log"; done
}

# The same graph, left alone; how long that takes and a little more, in $SPAN (ms).
undisturbed() {
    export LOG=$BATS_FILE_TMPDIR/log LOCKS=$BATS_FILE_TMPDIR/locks UNDISTURBED=$BATS_FILE_TMPDIR/undisturbed
    mkdir "$LOCKS"
    layers "$UNDISTURBED"
    forget_starts
    local began=${EPOCHREALTIME/[.,]/}
    (cd "$UNDISTURBED" && timeout 120 "$FORAY" -q -j24) || return
    export SPAN=$(((${EPOCHREALTIME/[.,]/} - began) * 11 / 10000))
    [ "$(starts | wc -l)" = 300 ]
}

# Starts foray, sends it SIGNAL at any moment, waits for its end; what it has recorded as done is in ../done.
end_somewhere() { # SIGNAL
    local moment=$((RANDOM * SPAN / 32768)) status=0
    printf -v moment '%d.%03d' $((moment / 1000)) $((moment % 1000))
    echo "$1 after $moment s of $SPAN ms"
    forget_starts
    env --default-signal=INT "$FORAY" -q -j24 >../out 2>../err 3>&- &
    pid=$!
    sleep "$moment"
    kill -s "$1" "$pid" 2>/dev/null || true
    wait_until 20 gone "$pid"
    wait "$pid" || status=$?
    echo "status $status"
    ended=$status
    "$FORAY" log last >../log.last 2>&1 || true
    sed -nE 's/^  done +([^ ,]+).*/\1/p' ../log.last | sort >../done
    starts >../first
}

# The next run does all that was not done, and nothing else; then there is nothing left to do.
goes_on() {
    forget_starts
    timeout 120 "$FORAY" -q -j24 >../out 2>../err || {
        echo "status $?"
        cat ../err
        return 1
    }
    starts >../second
    if grep '^two' ../first ../second; then return 1; fi
    if comm -12 ../done <(uniq ../second) | grep .; then
        echo "done before, and run again"
        return 1
    fi
    [ "$(sort -u ../done ../second | wc -l)" = 300 ]
    if grep damaged ../err; then return 1; fi
    diff -r -x .foray "$UNDISTURBED" .
    forget_starts
    run -0 timeout 120 "$FORAY"
    [[ $output == *"all 300 steps are up to date"* ]] && [ -z "$(starts)" ]
}

@test "killed at any moment: the next run repeats nothing that had ended, and leaves the same files" {
    needs_root
    for ((n = 0; n < ${FORAY_KILLS:-5}; n++)); do
        rm -rf ./* .foray
        layers .
        end_somewhere KILL
        [ $ended = 137 ] || [ $ended = 0 ]
        goes_on
    done
}

@test "killed again and again, it comes to its end" {
    needs_root
    layers .
    : >../all
    for ((n = 0; n < 5; n++)); do
        end_somewhere KILL
        if comm -12 ../all <(uniq ../first) | grep .; then
            echo "done before, and run again"
            return 1
        fi
        sort -u ../done ../all >../all.new
        mv ../all.new ../all
    done
    cp ../all ../done
    goes_on
}

@test "ended by INT or TERM: nothing half done is left, the next run does the rest" {
    needs_root
    for signal in INT TERM INT TERM; do
        rm -rf ./* .foray
        layers .
        end_somewhere $signal
        [ $ended = 130 ] || [ $ended = 143 ] || [ $ended = 0 ]
        if diff -r -x .foray "$UNDISTURBED" . | grep -v "^Only in $UNDISTURBED"; then return 1; fi
        goes_on
    done
}

# The group of every step is known to the one who ends them, however shortly before foray's end it began.
@test "killed while it starts steps: none of them stays, and the next foray waits for their end" {
    echo "vars: {n: [$(seq -s, 60)]}" >foray.yaml
    echo "steps: {t: {each: '{{n}}', run: \"exec 9>>\$LOCKS/{{item}}; flock -n 9 || echo two >> \$LOG; echo began >> \$LOG; exec sleep 78.$$\"}}" >>foray.yaml
    mkdir .foray # where the lock is to be looked for, however soon it is killed
    for ((n = 0; n < ${FORAY_KILLS:-5}; n++)); do
        : >"$LOG"
        "$FORAY" -q -j60 >../out 2>../err 3>&- &
        pid=$!
        disown
        some=$((RANDOM % 50))
        while [ "$(wc -l <"$LOG")" -lt $some ]; do gone $pid && break; done
        kill -KILL $pid
        wait_until 10 flock -n .foray/lock true
        if pgrep -f "^sleep 78\.$$\$"; then
            echo "after $some steps"
            return 1
        fi
        if grep two "$LOG"; then return 1; fi
    done
}

@test "killed when all was done: what it has left goes, though there is nothing to do" {
    echo 'steps: {a: {out: made, run: "echo made > made"}}' >foray.yaml
    run -0 "$FORAY"
    rm -f .foray/fresh
    touch .foray-0123456789abcdef.tmp .foray-fedcba9876543210.tmp
    printf '.foray-0123456789abcdef.tmp\0made\0' >.foray/temporary
    run -0 "$FORAY"
    [[ $output == *"nothing to do"* ]]
    [ ! -e .foray-0123456789abcdef.tmp ] && [ ! -e .foray/temporary ]
    [ -e .foray-fedcba9876543210.tmp ] && [ -e made ]
}

@test "what runs when foray is killed has ended before the next one begins" {
    cat >foray.yaml <<'Y'
steps:
  t:
    out: made
    run: |
      exec 9>$LOCKS/t
      flock -n 9 || echo two >> $LOG
      trap "" TERM
      echo began >> $LOG
      until [ -e ../go ]; do sleep 0.02; done
      echo all of it > made
Y
    in_background
    wait_until 10 contains "$LOG" began
    watcher=$(pgrep -P "$pid" -f foray)
    # stopped, so that the next one comes before it has done anything
    kill -STOP "$watcher"
    kill -KILL "$pid"
    "$FORAY" >../out2 2>../err2 3>&- &
    pid=$!
    wait_until 10 contains ../err2 "another foray works in this directory"
    [ "$(cat "$LOG")" = began ]
    kill -CONT "$watcher"
    wait_until 10 eval '[ "$(grep -c began "$LOG")" = 2 ]'
    touch ../go
    wait_until 10 gone "$pid"
    wait "$pid"
    [ "$(cat "$LOG")" = $'began\nbegan' ] && [ "$(cat made)" = "all of it" ]
}

@test "--resume goes on with steps that have no outputs, after a kill; only then" {
    needs_root
    cat >foray.yaml <<'Y'
hosts: {farm: "node[1-3]"}
steps:
  a: {each: [1, 2, 3], run: "echo {{step}} >> $LOG"}
  b: {each: [1, 2, 3], on: farm, needs: a, run: "echo {{step}} >> ~/log"}
  c: {needs: b, run: "echo {{step}} >> $LOG; until [ -e ../go ]; do sleep 0.02; done"}
  d: {needs: c, run: "echo {{step}} >> $LOG"}
Y
    for how in --resume --jobs=4; do
        rm -f ../go
        forget_starts
        in_background -j3
        wait_until 20 contains "$LOG" c
        kill -KILL "$pid"
        wait_until 10 gone "$pid"
        [ "$(starts | tr '\n' ' ')" = "a[1] a[2] a[3] b[1] b[2] b[3] c " ]
        touch ../go
        forget_starts
        run -0 timeout 60 "$FORAY" $how
        if [ $how = --resume ]; then
            [ "$(starts | tr '\n' ' ')" = "c d " ]
        else
            [ "$(starts | tr '\n' ' ')" = "a[1] a[2] a[3] b[1] b[2] b[3] c d " ]
        fi
    done
    # nothing is left of a run that ended well
    forget_starts
    run -0 timeout 60 "$FORAY" --resume
    [ "$(starts | tr '\n' ' ')" = "a[1] a[2] a[3] b[1] b[2] b[3] c d " ]
}

@test "--resume, cut short itself, is gone on with; after TERM too" {
    echo 'steps: {a: {run: "echo a >> $LOG"}, b: {needs: a, run: "echo b >> $LOG; until [ -e ../go.b ]; do sleep 0.02; done"}, c: {needs: b, run: "echo c >> $LOG; until [ -e ../go.c ]; do sleep 0.02; done"}}' >foray.yaml
    in_background
    wait_until 10 contains "$LOG" b
    kill -KILL "$pid"
    touch ../go.b
    in_background --resume
    wait_until 10 contains "$LOG" c
    kill -KILL "$pid"
    : >"$LOG"
    in_background --resume
    wait_until 10 contains "$LOG" c
    kill -TERM "$pid"
    ended_with 10 143
    touch ../go.c
    run -0 timeout 60 "$FORAY" --resume
    [ "$(tr -d '\n' <"$LOG")" = cc ]
}

@test "what runs on a host when foray is killed has ended before the next one begins, although it ignores TERM" {
    rm -rf .foray
    cat >foray.yaml <<'Y'
vars: {nap: "60"}
hosts: {one: node1}
steps:
  s:
    on: one
    dir: .
    run: |
      exec 9> only-one
      flock -n 9 || { echo two at a time; exit 9; }
      trap '' TERM
      touch runs
      sleep {{nap}}
      rm runs
Y
    in_background
    wait_until 20 runs_there
    watcher=$(pgrep -o -P "$pid" -f foray)
    # stopped, so that the next one comes before it has done anything
    kill -STOP "$watcher"
    kill -KILL "$pid"
    in_background nap=0
    wait_until 10 contains err "what it has left running is being ended"
    kill -CONT "$watcher"
    ended_with 60 0
    contains err "1 step done"
}
runs_there() { "$fleet" list | awk '$1 == "node1"' >/dev/null && [ -n "$(find "$FORAY_FLEET/hosts/node1" -name runs 2>/dev/null)" ]; }
