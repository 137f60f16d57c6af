# Life on a host: whatever a step has started ends with it, and hosts that are strange, slow or gone.
load helper

setup_file() {
    load helper
    [ "$(id -u)" = 0 ] || return 0
    fleet_up 2
}
teardown_file() {
    load helper
    [ "$(id -u)" = 0 ] || return 0
    fleet_down
}
setup() {
    needs_root
    cd "$BATS_TEST_TMPDIR" || return
    use_fleet
}
teardown() {
    [ "$(id -u)" = 0 ] || return 0
    for h in node1 node2; do "$fleet" heal $h 3>&-; done
}

home=hosts/node1/home

# A step that starts all that gets away from a process group, each with a sleep of its own: NUMBER.1 and so on.
escape() { # NUMBER
    cat <<Y
      setsid sleep $1.1 &
      (setsid sh -c 'sleep $1.2 & sleep $1.3' &)
      nohup sleep $1.4 >/dev/null 2>&1 &
      (env -i setsid sleep $1.5 </dev/null >/dev/null 2>&1 &)
      setsid sh -c 'trap "" TERM HUP; while :; do sleep $1.6; done' >/dev/null 2>&1 &
      (trap "" TERM; sleep $1.7) &
Y
}
escaping() { # NUMBER WHAT-THEN
    echo "hosts: {one: node1}"
    echo "steps:"
    echo "  t:"
    echo "    on: one"
    echo "    run: |"
    escape "$1"
    echo "      until [ \$(pgrep -fc '^sleep $1\.[1-7]') -ge 7 ]; do sleep 0.05; done"
    echo "      touch ~/began; $2"
}
start_escaping() { # NUMBER
    rm -f "$FORAY_FLEET/$home/began"
    escaping "$1" "exec sleep $1.8" >foray.yaml
    env --default-signal=INT "$FORAY" >out 2>err 3>&- &
    pid=$!
    wait_until 15 test -e "$FORAY_FLEET/$home/began"
}

no_orphan_after() {
    start_escaping 71
    kill -s "$1" "$pid"
    wait_until 5 no_process_on node1
    [ "$1" = KILL ] || ended_with 5 $((128 + $(kill -l "$1")))
    wait_until 5 no_scratch
}
no_scratch() { [ -z "$(find "$FORAY_FLEET"/hosts/*/tmp -mindepth 1 -name 'foray-*')" ]; }

@test "after INT nothing that a step has started is left, in whatever session" { no_orphan_after INT; }
@test "after TERM nothing that a step has started is left, in whatever session" { no_orphan_after TERM; }
@test "after HUP nothing that a step has started is left, in whatever session" { no_orphan_after HUP; }
@test "after KILL nothing that a step has started is left, in whatever session" { no_orphan_after KILL; }

@test "what a step leaves when it ends goes with it, in whatever session; the next one is not touched" {
    { escaping 72 "echo hi"; echo "  next: {on: one, needs: t, run: 'echo there; sleep 0.3; echo still'}"; } >foray.yaml
    run -0 --separate-stderr timeout 30 "$FORAY"
    [ "$output" = $'hi\nthere\nstill' ]
    wait_until 5 no_process_on node1
}

@test "a time-out ends all that a step has started, and only that step" {
    {
        escaping 73 "exec sleep 73.8"
        echo "    timeout: 3"
        echo "  other: {on: one, run: 'sleep 5; echo whole'}"
    } >foray.yaml
    run -1 --separate-stderr timeout 30 "$FORAY" -k
    [ "$output" = whole ]
    wait_until 5 no_process_on node1
}
