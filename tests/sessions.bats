# Hosts that allow few sessions on a connection, or few log-ins at once.
load helper

setup() {
    cd "$BATS_TEST_TMPDIR" || return
}
teardown() { fleet_down; }

one_host() { # OPTIONS
    export FORAY_FLEET=$BATS_TEST_TMPDIR/fleet FORAY_FLEET_SSHD_OPTIONS=$1
    "$fleet" up 1 3>&-
    eval "$("$fleet" env)"
}

# 32 slots on one host whose sshd has these options: files go there and come back, and all slots are there at once. A step
# that is put elsewhere, since its slot there was given up, has met the others already.
works_with() { # OPTIONS
    one_host "$1"
    head -c 100000 /dev/urandom >in
    local met=/tmp/foray-met-$$-$RANDOM # there
    cat >foray.yaml <<Y
hosts: {one: {hosts: node1, slots: 32}}
steps:
  carry: {each: 1..40, on: one, in: in, out: "o/{{item}}", run: "cat in > {{out}}"}
  place: {needs: carry, on: one, run: "mkdir $met"}
  meet:
    each: 1..32
    on: one
    needs: place
    run: ": >$met/{{item}}; until [ \$(ls $met | wc -l) = 32 ]; do sleep 0.1; done"
  leave: {needs: meet, on: one, run: "rm -r $met"}
Y
    run -0 timeout 120 "$FORAY"
    [[ $output == *"74 steps done"* && $output != *"is lost"* ]]
    for i in {1..40}; do cmp in "o/$i"; done
}

@test "one session on a connection" { works_with "MaxSessions 1"; }
@test "two sessions on a connection" { works_with "MaxSessions 2"; }
@test "few log-ins at once: who is refused comes back" { works_with "MaxStartups 2:50:4"; }
@test "few log-ins at once, and few sessions" { works_with $'MaxSessions 2\nMaxStartups 2:50:4'; }
@test "one log-in at a time, and one session" { works_with $'MaxSessions 1\nMaxStartups 1:100:1'; }

@test "who is always refused is told" {
    one_host "MaxStartups 1:100:1"
    read -r address port <"$FORAY_FLEET/hosts/node1/address"
    # says nothing, and so is the one that may log in
    (exec 0<>"/dev/tcp/$address/$port" && : >connected && exec sleep 99) 3>&- &
    other=$!
    wait_until 5 test -e connected
    echo '{hosts: {one: node1}, steps: {t: {on: one, run: "true"}}}' >foray.yaml
    in_background
    wait_until 30 contains err "host node1 is lost: it closed the connection before the log-in (too many at once? see MaxStartups)"
    kill "$other"
    ended_with 30 0
}

@test "no session at all is told" {
    one_host "MaxSessions 0"
    echo '{hosts: {one: node1}, steps: {t: {on: one, run: "true"}}}' >foray.yaml
    run -3 timeout 120 "$FORAY"
    [[ $output == *"host node1 is lost: it allows no session on its connections (MaxSessions 0?)"* ]]
}

@test "one session: who has left something running makes room for the next" {
    one_host "MaxSessions 1"
    cat >foray.yaml <<'Y'
hosts: {one: {hosts: node1, slots: 1}}
steps:
  a: {on: one, detach: true, run: echo a}
  b: {on: one, detach: true, needs: a, run: echo b}
  c: {on: one, needs: b, run: echo c}
Y
    run -0 timeout 120 "$FORAY"
    [[ $output == *"3 steps done"* && $output != *lost* && $output != *again* ]]
}

@test "a connection with several steps is lost, and the first of them ends the others" {
    needs_root
    one_host "MaxSessions 3"
    cat >foray.yaml <<'Y'
hosts: {one: {hosts: node1, slots: 5}}
steps:
  x:
    on: one
    timeout: 20s
    run: |
      (trap 'touch /tmp/told; exit' TERM; while :; do sleep 0.1 || :; done) &
      trap '' TERM
      echo $$ >/tmp/begun
      while :; do sleep 0.1; done
  s: {on: one, each: 1..4, run: "touch /tmp/begun.{{item}}; sleep 97.65"}
Y
    in_background -K
    all_begun() { [ "$(find "$FORAY_FLEET/hosts/node1/tmp" -name 'begun*' | wc -l)" = 5 ]; }
    wait_until 30 all_begun
    read -r sshd _ <"$FORAY_FLEET/hosts/node1/pid"
    p=$(<"$FORAY_FLEET/hosts/node1/tmp/begun")
    while parent=$(ps -o ppid= -p "$p" | tr -d ' ') && [ -n "$parent" ] && [ "$parent" != "$sshd" ]; do p=$parent; done
    # Its time is over: it is in the way of the others now, for as long as it is not killed.
    wait_until 30 test -e "$FORAY_FLEET/hosts/node1/tmp/told"
    kill -KILL "$p"
    ended_with 60 1
    contains err "1 failed"
}

@test "a further connection for files that is lost: the steps of the other one go on" {
    needs_root
    one_host "MaxSessions 3"
    cat >foray.yaml <<'Y'
hosts: {one: {hosts: node1, slots: 3}}
steps:
  s: {on: one, each: 1..2, run: "touch /tmp/begun.{{item}}; until [ -e /tmp/go ]; do sleep 0.1; done"}
  both: {run: "until [ -e both ]; do sleep 0.1; done"}
  f: {on: one, needs: both, in: in, out: o, run: "touch /tmp/begun.f; until [ -e /tmp/go ]; do sleep 0.1; done; cp in o"}
Y
    echo in >in
    in_background
    begun() { [ "$(find "$FORAY_FLEET/hosts/node1/tmp" -name 'begun*' | wc -l)" = "$1" ]; }
    wait_until 30 begun 2
    touch both
    wait_until 30 begun 3
    read -r sshd _ <"$FORAY_FLEET/hosts/node1/pid"
    [ "$(pgrep -P "$sshd" | wc -l)" = 2 ]
    kill -KILL "$(pgrep -n -P "$sshd")"
    sleep 0.5 # it is noticed before the files come back, or then
    touch "$FORAY_FLEET/hosts/node1/tmp/go"
    ended_with 60 0
    run ! grep -E "try 2|is lost" out err
    cmp in o
}
