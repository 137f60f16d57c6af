# Disks that are full, and disks that fail: foray stops cleanly, says which file it was, and loses nothing that was done.
# With FORAY_FAULTS=all every call that writes to the journal fails in every way, not each in one of them.
load helper

setup_file() {
    load helper
    fleet_up 1
    export FAULT=$BATS_FILE_TMPDIR/fault.so
    ! is_sanitized || return 0
    "${CC:-cc}" -std=c11 -O1 -shared -fPIC -o "$FAULT" "$BATS_TEST_DIRNAME/fault.c" -ldl || rm -f "$FAULT"
}
teardown_file() {
    load helper
    fleet_down
}
setup() {
    use_fleet
    export LOG=$BATS_TEST_TMPDIR/log
    mkdir "$BATS_TEST_TMPDIR/work"
    cd "$BATS_TEST_TMPDIR/work" || return
    : >"$LOG"
}
teardown() {
    cd /
    while read -r place; do umount -l "$place"; done < <(grep -F " $BATS_TEST_TMPDIR" /proc/self/mounts | cut -d' ' -f2)
}

# --- full disks ---

# A disk of its own, SIZE large, at PLACE.
disk() { # SIZE PLACE
    mkdir -p "$2"
    [ "$(id -u)" = 0 ] && mount -t tmpfs -o "size=$1" none "$2" || skip "no disk can be made here"
}
resize() { mount -o "remount,size=$1" "$2"; }

# What the last run has recorded as done is in ../done; none of it runs from now on.
remember_done() {
    "$FORAY" log last 2>/dev/null | sed -nE 's/^  done +([^ ,]+).*/\1/p' | sort >../done
    : >"$LOG"
}
repeats_nothing() {
    if comm -12 ../done <(sort -u "$LOG") | grep .; then
        echo "done before, and run again"
        return 1
    fi
}

# Steps whose records are long.
long_commands() {
    {
        echo "vars: {n: [$(seq -s, 40)]}"
        echo "steps:"
        echo "  t:"
        echo "    each: '{{n}}'"
        echo "    out: ../out/{{item}}"
        echo "    run: |"
        echo "      # $(printf '%02000d' 0)"
        echo "      echo {{step}} >> \"\$LOG\""
        echo "      echo {{item}} > {{out}}"
    } >foray.yaml
}

@test "a full disk for the journal: status 3, the file is named, the next run does the rest" {
    disk 64k "$PWD"
    cd "$PWD"
    long_commands
    run -3 timeout 120 "$FORAY" -q -j2
    [[ $output == *"cannot write .foray/journal: No space left on device"* ]]
    remember_done
    [ -s ../done ] && [ "$(wc -l <../done)" -lt 40 ]
    # as long as it is full, nothing changes
    run -3 timeout 120 "$FORAY" -q
    [[ $output == *".foray/journal"*"No space left on device"* ]]
    resize 1m "$PWD"
    : >"$LOG"
    run -0 timeout 120 "$FORAY" -q
    [[ $output != *damaged* ]]
    repeats_nothing
    [ "$(ls ../out | wc -l)" = 40 ] && [ "$(sort -u "$LOG" | wc -l)" = $((40 - $(wc -l <../done))) ]
}

@test "a disk that is full from the beginning: status 3, nothing runs" {
    disk 64k "$PWD"
    cd "$PWD"
    long_commands
    head -c 1000000 /dev/zero >filler 2>/dev/null || true
    run -3 timeout 120 "$FORAY" -q
    [[ $output == *".foray"*"No space left on device"* ]]
    [ ! -s "$LOG" ]
    rm filler
    resize 1m "$PWD"
    run -0 timeout 120 "$FORAY" -q
    [ "$(wc -l <"$LOG")" = 40 ]
}

@test "a full disk for what a step writes: it fails, and its half file goes" {
    disk 64k "$PWD/out"
    cat >foray.yaml <<'Y'
steps:
  a: {out: out/a, run: "echo {{step}} >> $LOG; head -c 20000 /dev/zero > {{out}}"}
  b: {needs: a, out: out/b, run: "echo {{step}} >> $LOG; head -c 100000 /dev/zero > {{out}}"}
  c: {needs: b, out: out/c, run: "echo {{step}} >> $LOG; cat out/a out/b > {{out}}"}
Y
    run -1 timeout 120 "$FORAY" -q
    [[ $output == *"No space left on device"* ]]
    [ "$(ls out)" = a ]
    remember_done
    [ "$(cat ../done)" = a ]
    resize 1m "$PWD/out"
    run -0 timeout 120 "$FORAY" -q
    repeats_nothing
    [ "$(wc -c <out/c)" = 120000 ]
}

@test "a full disk for what comes from a host: status 3, the file is named, nothing half done is left" {
    disk 64k "$PWD/out"
    cat >foray.yaml <<'Y'
hosts: {r: node1}
steps:
  a: {on: r, out: out/a, run: "echo {{step}} >> ~/log; yes | head -c 20000 > {{out}}"}
  b: {on: r, needs: a, out: [out/b, out/small], run: "echo {{step}} >> ~/log; yes | head -c 100000 > out/b; echo small > out/small"}
Y
    run -3 timeout 120 "$FORAY" -q
    [[ $output == *"out/b"*"No space left on device"* ]]
    [ "$(ls -A out)" = a ]
    resize 1m "$PWD/out"
    run -0 timeout 120 "$FORAY" -q
    [ "$(grep -c a "$FORAY_FLEET/hosts/node1/home/log")" = 1 ]
    [ "$(ls -A out | tr '\n' ' ')" = "a b small " ] && [ "$(wc -c <out/b)" = 100000 ]
}

@test "a full disk for kept output: the run does not mind, and what was kept is whole" {
    mkdir .foray
    disk 64k "$PWD/.foray/output"
    echo 'steps: {a: {run: head -c 20000 /dev/urandom | base64}, b: {needs: a, run: head -c 200000 /dev/urandom | base64}, c: {needs: b, run: echo end}}' >foray.yaml
    timeout 120 "$FORAY" -q >../printed
    [ "$(wc -c <../printed)" -gt 290000 ] && [ "$(tail -1 ../printed)" = end ]
    "$FORAY" log -q last a >../a
    [ -s ../a ] && head -c "$(wc -c <../a)" ../printed | cmp - ../a
    run -0 --separate-stderr "$FORAY" log last b
    [[ $stderr == *"nothing that is kept"* ]]
    timeout 120 "$FORAY" -q >../printed
}

@test "a full disk for the seal: the run does not mind, and changes are still seen" {
    disk 64k "$PWD"
    cd "$PWD"
    echo 'steps: {a: {out: a, run: "echo {{step}} >> $LOG; echo a > a"}, b: {in: a, out: b, run: "echo {{step}} >> $LOG; cat a > b"}}' >foray.yaml
    run -0 timeout 120 "$FORAY" -q
    # not changed just now, so that there may be a seal
    wait_until 5 eval 'rm -f .foray/fresh && "$FORAY" -q && [ -e .foray/fresh ]'
    rm -f .foray/fresh
    head -c 1000000 /dev/zero >filler 2>/dev/null || true
    run -0 timeout 120 "$FORAY"
    [[ $output == *"up to date"* ]]
    [ ! -e .foray/fresh.new ]
    rm filler
    run -0 timeout 120 "$FORAY"
    [ -e .foray/fresh ] && [ "$(wc -l <"$LOG")" = 2 ]
    echo other >a
    run -0 timeout 120 "$FORAY" -q
    [ "$(tail -n +3 "$LOG")" = a ] && [ "$(cat b)" = a ]
}

# --- disks that fail ---

needs_fault() {
    if is_sanitized; then skip "AddressSanitizer wants to be the first library"; fi
    [ -e "$FAULT" ] || skip "no compiler for tests/fault.c"
}

# Runs foray with calls that fail. HOW: once, on, half (and on), kill, kill-half
fault() { # PATH HOW K ERROR
    local errors=([5]="Input/output error" [28]="No space left on device")
    local settings=("FAULT_PATH=$1" "FAULT_AT=$3" "FAULT_ERRNO=$4" "FAULT_LOG=$BATS_TEST_TMPDIR/faults")
    [ "$2" != once ] || settings+=(FAULT_ONCE=1)
    case $2 in half | kill-half) settings+=(FAULT_HALF=1) ;; esac
    case $2 in kill*) settings+=(FAULT_KILL=1) ;; esac
    error=${errors[$4]}
    rm -f ../faults
    status=0
    env "${settings[@]}" LD_PRELOAD="$FAULT" timeout 120 "$FORAY" -q -j4 >../out 2>../err || status=$?
    said=$(cat ../err)
}

told() {
    echo "$* (status $status)"
    cat ../faults ../err 2>/dev/null
    return 1
}

layers() {
    cat >foray.yaml <<'Y'
vars: {n: [1, 2, 3, 4, 5, 6, 7, 8, 9]}
steps:
  a: {each: "{{n}}", out: "a/{{item}}", run: "echo {{step}} >> $LOG; echo {{item}} > {{out}}"}
  b: {each: "{{n}}", in: "a/{{item}}", out: "b/{{item}}", run: "echo {{step}} >> $LOG; cat {{in}} {{in}} > {{out}}"}
  c: {in: ["{{a.out}}", "{{b.out}}"], out: c, run: "echo {{step}} >> $LOG; cat {{in}} > {{out}}"}
Y
}

# The run after one that failed at K.
goes_on() { # HOW K
    remember_done
    timeout 120 "$FORAY" -q -j4 2>../err || told "$1 $2: the next run"
    repeats_nothing || told "$1 $2"
    # it may have to wait for what the last one left
    ! grep -v "another foray works in this directory" ../err || told "$1 $2: the next run complains"
    [ "$(cat c)" = "$(seq 9 && seq 9 | sed p)" ] || told "$1 $2: wrong"
}

@test "writes to the journal that fail, whichever: status 3, the file is named, the next run does the rest" {
    needs_fault
    local k how
    for ((k = 1; k <= 40; k++)); do
        hows=(once on half)
        [ "${FORAY_FAULTS:-}" = all ] || hows=("${hows[k % 3]}")
        for how in "${hows[@]}"; do
            rm -rf ./* .foray
            : >"$LOG"
            layers
            fault .foray/journal $how $k $((k % 2 ? 28 : 5))
            [ -e ../faults ] || told "$how $k: nothing has failed"
            [ $status = 3 ] || told "$how $k"
            [[ $said == *".foray/journal: $error"* ]] || told "$how $k: not said"
            goes_on $how $k
        done
    done
}

@test "killed at each write to the journal, and in the midst of it: the next run does the rest" {
    needs_fault
    local k how
    for ((k = 1; k <= 40; k++)); do
        hows=(kill kill-half)
        [ "${FORAY_FAULTS:-}" = all ] || hows=("${hows[k % 2]}")
        for how in "${hows[@]}"; do
            rm -rf ./* .foray
            : >"$LOG"
            layers
            fault .foray/journal $how $k 0
            [ -e ../faults ] && [ $status = 137 ] || told "$how $k"
            goes_on $how $k
        done
    done
}

@test "a journal that cannot be made small, or is being made small at a kill, is gone on with" {
    needs_fault
    local k how
    {
        echo "steps:"
        echo "  t:"
        echo "    out: made"
        echo "    run: |"
        echo "      # $(printf '%030000d' 0)"
        echo "      echo made > made"
        echo "  u: {in: made, out: u, run: 'echo {{step}} >> \"\$LOG\"; cat made > u'}"
    } >foray.yaml
    "$FORAY" -q
    mkdir .foray/journal.new # in the way
    for ((k = 0; k < 49; k++)); do "$FORAY" -q -B t; done
    rmdir .foray/journal.new
    large=$(wc -c <.foray/journal)
    [ "$large" -gt 1048576 ]
    cp -a .foray ../kept
    for how in on half kill kill-half; do
        for k in 1 2 4 25; do
            rm -rf .foray
            cp -a ../kept .foray
            : >"$LOG"
            fault .foray/journal.new $how $k 28
            [ -e ../faults ] || told "$how $k: nothing has failed"
            case $how in
            kill*) [ $status = 137 ] || told "$how $k" ;;
            *) [ $status = 0 ] && [ -z "$said" ] || told "$how $k" ;;
            esac
            run -0 --separate-stderr timeout 60 "$FORAY" -q -B t
            [ -z "$stderr" ] || told "$how $k: the next run"
            run -0 --separate-stderr timeout 60 "$FORAY" -q
            [ -z "$stderr" ] && [ ! -s "$LOG" ] || told "$how $k: the run after it"
            [ "$(wc -c <.foray/journal)" -lt "$large" ] && [ ! -e .foray/journal.new ] || told "$how $k: large"
            run -0 --separate-stderr "$FORAY" log
            [[ $output == *"   50  "* && -z $stderr ]] || told "$how $k: log"
        done
    done
}

@test "writes to the rest of .foray that fail, whichever, do not harm" {
    needs_fault
    local k how what
    for what in .foray/output .foray/fresh .foray/temporary .foray/lock; do
        for ((k = 1; k <= 6; k++)); do
            rm -rf ./* .foray
            : >"$LOG"
            echo 'steps: {a: {out: a, run: "echo {{step}} >> $LOG; echo printed; echo a > a"}, b: {in: a, out: b, run: "echo {{step}} >> $LOG; echo printed too; cat a > b"}}' >foray.yaml
            fault $what on $k 5
            if [ $what = .foray/lock ] && [ $k = 1 ]; then
                [ $status = 3 ] || told "$what $k"
            else
                [ $status = 0 ] || told "$what $k"
                [ "$(cat ../out)" = $'printed\nprinted too' ] || told "$what $k: output"
            fi
            timeout 120 "$FORAY" -q 2>../err || told "$what $k: the next run"
            fault $what on $k 5
            [ $status = 0 ] || [ $what = .foray/lock ] || told "$what $k: again"
            run -0 timeout 120 "$FORAY" -q
            [ "$(sort "$LOG" | tr '\n' ' ')" = "a b " ] || told "$what $k: how often"
        done
    done
}

@test "writes of what comes from hosts that fail, whichever: told, nothing half done is left" {
    needs_fault
    local k how
    for how in once on half; do
        for k in 1 2 3 4 5 6 7 8; do
            rm -rf ./* .foray
            rm -f "$FORAY_FLEET/hosts/node1/home/log"
            echo '{hosts: {r: node1}, steps: {a: {on: r, out: [out/a, out/b], run: "echo {{step}} >> ~/log; seq 1000 > out/a; seq 2000 > out/b"}}}' >foray.yaml
            fault "$PWD/out/" $how $k 28
            [ -e ../faults ] || fault out/ $how $k 28
            if [ ! -e ../faults ]; then
                [ $status = 0 ] || told "$how $k: nothing has failed"
                continue
            fi
            if [ $status = 0 ]; then
                # it was tried once more, and came
                [ $how = once ] || told "$how $k"
            else
                [ $status = 3 ] || told "$how $k"
                [[ $said == *"out/"*"$error"* ]] || told "$how $k: not said"
                [ -z "$(find out -name '.foray-*')" ] || told "$how $k: left over"
                [ ! -e out/a ] || [ "$(seq 1000)" = "$(cat out/a)" ] || told "$how $k: half"
            fi
            timeout 120 "$FORAY" -q || told "$how $k: the next run"
            [ "$(cat out/a out/b)" = "$(seq 1000; seq 2000)" ] || told "$how $k: wrong"
        done
    done
}

@test "a full disk here is no fault of a host: what ran there does not run again" {
    disk 1m small
    cat >foray.yaml <<'Y'
hosts: {r: {hosts: [one, two], launch: [env, "NAME={{host}}"]}, f: [node1, "root@node1"]}
steps:
  far: {on: f, run: "echo ran >>~/ran; head -c 3000000 /dev/urandom >{{out}}", out: small/far}
  stream: {on: r, run: "echo ran >>$LOG; head -c 3000000 /dev/urandom >{{out}}", out: small/stream, env: {LOG: "{{env.LOG}}"}}
Y
    [ "$(id -u)" = 0 ] || skip "root is not who it is here"
    run -3 "$FORAY" stream
    [[ $output == *"small/stream"* && $output != *again* ]]
    [ "$(wc -l <"$LOG")" = 1 ]
    run -3 "$FORAY" far
    [[ $output == *"small/far"* && $output != *again* ]]
    [ "$(wc -l <"$FORAY_FLEET/hosts/node1/home/ran")" = 1 ]
}
