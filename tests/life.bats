# Life on a host: whatever a step has started ends with it, and hosts that are strange, slow or gone.
load helper

# The hosts have networks of their own, so that these can be cut: foray runs where their cables end.
setup_file() {
    load helper
    [ "$(id -u)" = 0 ] || return 0
    export FORAY_FLEET_NET=yes
    fleet_up 2
    printf '#!/bin/sh\nexec "%s" enter "%s" "$@"\n' "$fleet" "$FORAY" >"$BATS_FILE_TMPDIR/foray"
    chmod 755 "$BATS_FILE_TMPDIR/foray"
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
    FORAY=$BATS_FILE_TMPDIR/foray
}
teardown() {
    [ "$(id -u)" = 0 ] || return 0
    rm -f "$FORAY_FLEET"/hosts/node*/home/{.bashrc,go,began}
    for h in node1 node2; do "$fleet" heal $h 3>&-; done
}

home=hosts/node1/home

# A step that starts what gets away from a process group in every way, and two that stay in it: NUMBER.1 and so on.
escaping() { # NUMBER WHAT-THEN
    cat <<Y
hosts: {one: node1}
steps:
  t:
    on: one
    run: |
      setsid sleep $1.1 &
      (setsid sh -c 'sleep $1.2 & sleep $1.3' &)
      nohup sleep $1.4 >/dev/null 2>&1 &
      setsid sh -c 'trap "" TERM HUP; while :; do sleep $1.5; done' >/dev/null 2>&1 &
      (trap "" TERM; sleep $1.6) &
      ${nameless:+(env -i setsid sleep $1.7 </dev/null >/dev/null 2>&1 &)}
      until [ \$(pgrep -fc '^sleep $1\.[1-7]') -ge ${nameless:-6} ]; do sleep 0.05; done
      touch ~/began; $2
Y
}
start_escaping() { # NUMBER
    escaping "$1" "exec sleep $1.8" >foray.yaml
    env --default-signal=INT "$FORAY" >out 2>err 3>&- &
    pid=$!
    wait_until 15 test -e "$FORAY_FLEET/$home/began"
}

no_orphan_after() { # SIGNAL
    nameless=7
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
    nameless=7
    { escaping 72 "echo hi"; echo "  next: {on: one, needs: t, run: 'echo there; sleep 0.3; echo still'}"; } >foray.yaml
    run -0 --separate-stderr timeout 60 "$FORAY"
    [ "$output" = $'hi\nthere\nstill' ]
    wait_until 20 no_process_on node1
}

@test "a time-out ends all that a step has started, and only that step" {
    nameless=7
    {
        escaping 73 "exec sleep 73.8"
        echo "    timeout: 3"
        echo "  other: {on: one, run: 'sleep 5; echo whole'}"
    } >foray.yaml
    run -1 --separate-stderr timeout 60 "$FORAY" -k
    [ "$output" = whole ]
    wait_until 20 no_process_on node1
}

@test "where orphans cannot be adopted a step is known by its environment" {
    "$fleet" fault node1 lacks=perl
    start_escaping 74
    kill -KILL "$pid"
    wait_until 5 no_process_on node1
    "$fleet" fault node1 lacks=setsid
    sed -i 's/setsid //' foray.yaml
    rm "$FORAY_FLEET/$home/began"
    in_background
    wait_until 15 test -e "$FORAY_FLEET/$home/began"
    kill -TERM "$pid"
    ended_with 5 143
    wait_until 5 no_process_on node1
}

@test "who waits for a step is killed there: the step is lost, and goes elsewhere" {
    cat >foray.yaml <<'Y'
hosts: {both: "node[1-2]"}
steps:
  up: {on: {every: both}, run: "true"} # so that the load of both is known
  t: {on: both, needs: up, run: "test -e ~/go || { touch ~/go; (setsid sleep 75.1 &); kill -KILL $PPID; sleep 75.2; }; echo done"}
Y
    touch "$FORAY_FLEET/hosts/node2/home/go"
    "$fleet" fault node1 load=0 && "$fleet" fault node2 load=9
    run -0 --separate-stderr timeout 60 "$FORAY"
    [ "$output" = done ]
    [[ $stderr == *"the shell that waited for the step there was killed"* ]]
    wait_until 20 no_process_on node1
}

# Two steps, one on each host, that wait for a file of their host: the one of node1 must go to node2 in the end.
pair() {
    cat >foray.yaml <<Y
hosts: {rack: {hosts: "node[1-2]", slots: 1}}
steps:
  t:
    each: ${items:-[a, b]}
    on: rack
    out: "{{item}}"
    run: |
      (setsid sh -c 'while sleep 76.1; do :; done' &)
      echo {{host}} > {{out}}; echo >> ~/began; until [ -e ~/go ]; do sleep 0.05; done
Y
    in_background "$@"
    wait_until 15 test -e "$FORAY_FLEET/hosts/node1/home/began" -a -e "$FORAY_FLEET/hosts/node2/home/began"
}
nothing_of_76() { ! "$fleet" ps "$1" | grep -q 'sleep 76'; }

@test "a network that is cut is noticed, its steps go elsewhere; there they end by themselves" {
    pair
    "$fleet" fault node1 silent
    wait_until 30 contains err "host node1 is lost: no sign of life for 15 s"
    touch "$FORAY_FLEET/hosts/node2/home/go"
    ended_with 10 0
    [ "$(cat a b)" = $'node2\nnode2' ]
    # the keeper there has no way to know but silence
    wait_until 15 nothing_of_76 node1
    wait_until 20 no_process_on node1
    wait_until 20 no_scratch
}

@test "a host that was silent is tried again, and used again" {
    items="[a, b, c]" pair
    "$fleet" fault node1 silent
    wait_until 30 contains err "host node1 is lost"
    "$fleet" heal node1
    # what was lost there waits for node2, which is busy; the third step can go to node1
    wait_until 30 began_twice_on node1
    touch "$FORAY_FLEET"/hosts/node{1,2}/home/go
    ended_with 20 0
    [ "$(cat c)" = node1 ]
    [ "$(sort a b c)" = $'node1\nnode2\nnode2' ]
}
began_twice_on() { [ "$(wc -l <"$FORAY_FLEET/hosts/$1/home/began")" = 2 ]; }

# --- what is left on purpose ---

end_all_on() { # HOST: some may end, and others begin, while they are listed
    "$fleet" ps "$1" | grep -o '^[0-9]*' | xargs -r kill -KILL || true
    no_process_on "$1"
}

serving() { # HOST SECONDS: something that sleeps so long runs on it
    "$fleet" ps "$1" | grep -q "sleep $2"
}

@test "detach: what a step leaves when it has succeeded stays, whatever becomes of the run" {
    cat >foray.yaml <<'Y'
hosts: {one: {hosts: node1, slots: 1}}
steps:
  up: {on: one, detach: true, run: "echo going up; echo really >&2; nohup sleep 77.1 >/dev/null 2>&1 & (setsid sleep 77.2 >/dev/null 2>&1 &); sleep 77.3 &"}
  next: {on: one, needs: up, run: "sleep 77.4 & touch ~/began; until [ -e ~/go ]; do sleep 0.05; done"}
Y
    in_background
    wait_until 20 test -e "$FORAY_FLEET/$home/began"
    wait_until 5 contains out "going up"
    wait_until 5 contains err really
    kill -KILL "$pid"
    wait_until 5 gone_from node1 77.4
    wait_until 5 no_scratch
    # whose outputs were its own; what held ours may have ended for it
    serving node1 77.1 && serving node1 77.2
    wait_until 20 end_all_on node1
}
gone_from() { ! serving "$1" "$2"; }

@test "detach: a step that fails, or is ended, leaves nothing" {
    cat >foray.yaml <<'Y'
hosts: {one: node1}
steps:
  fails: {on: one, detach: true, run: "(setsid sleep 78.1 &); sleep 78.2 & exit 3"}
  long: {on: one, detach: true, timeout: 2, run: "(setsid sleep 78.3 &); sleep 78.4"}
Y
    run -1 timeout 60 "$FORAY" -k
    [[ $output == *"exit status 3"* && $output == *"time limit"* ]]
    wait_until 20 no_process_on node1
}

@test "detach: what is left may hold the outputs; nobody waits for it, and nothing is lost" {
    cat >foray.yaml <<'Y'
hosts: {one: {hosts: node1, slots: 1}}
steps:
  up: {on: one, detach: true, run: "head -c 3000000 /dev/zero | tr '\\0' x; sh -c 'trap \"\" PIPE; while sleep 0.05; do echo noise; done' & echo"}
  next: {on: one, needs: up, run: "sleep 0.5; echo next"}
Y
    run -0 --separate-stderr timeout 60 "$FORAY"
    [ "$(tr -cd x <<<"${output%next}" | wc -c)" = 3000000 ]
    [ "${lines[-1]}" = next ]
    wait_until 20 end_all_on node1
}

@test "detach: here too" {
    cat >foray.yaml <<'Y'
steps:
  up: {detach: true, run: "nohup sleep 79.1 >/dev/null 2>&1 & echo $$ >up; sleep 79.2 & echo up"}
  not: {run: "nohup sleep 79.3 >/dev/null 2>&1 & echo $$ >not"}
  fails: {detach: true, run: "nohup sleep 79.4 >/dev/null 2>&1 & echo $$ >fails; exit 1"}
Y
    run -1 timeout 60 "$FORAY" -k
    [[ $output == *up* ]]
    wait_until 5 group_gone not
    wait_until 5 group_gone fails
    wait_until 5 pgrep -g "$(cat up)" -fx 'sleep 79\.1'
    kill -KILL -- "-$(cat up)"
}

@test "a foray that is stopped, and goes on: so does what runs on hosts; if it could not say so, it is run again" {
    cat >foray.yaml <<'Y'
hosts: {one: node1}
steps:
  t: {on: one, env: {SIGNAL: "{{env.SIGNAL}}"}, run: "touch ~/began; sh -c 'until [ -e ~/go ]; do sleep 0.05; done' $SIGNAL; echo whole"}
  here: {run: "until [ -e go ]; do sleep 0.05; done; echo here"}
Y
    local signal pids=()
    for signal in TSTP STOP; do
        mkdir $signal && cp foray.yaml $signal && cd $signal
        # in a process group of its own: where nobody could wake it up again it is not stopped
        SIGNAL=$signal perl -e 'setpgrp; exec @ARGV' "$FORAY" >out 2>err 3>&- &
        pids+=($!)
        wait_until 20 test -e "$FORAY_FLEET/$home/began"
        rm "$FORAY_FLEET/$home/began"
        kill -$signal $!
        wait_until 5 is_stopped $!
        cd ..
    done
    # what is heard of us matters for 15 s to 20 s
    sleep 25
    wait_until 10 ended_there STOP
    run ! ended_there TSTP
    touch "$FORAY_FLEET/$home/go" TSTP/go STOP/go
    kill -CONT "${pids[@]}"
    wait "${pids[@]}"
    [ "$(sort TSTP/out)" = $'here\nwhole' ] && [ "$(sort STOP/out)" = $'here\nwhole' ]
    run ! contains TSTP/err lost
    contains STOP/err "lost: nothing was heard of us there for a while, and it was ended"
}
ended_there() { ! "$fleet" ps node1 | grep -q " $1 *\$"; }
is_stopped() { [[ $(sed 's/.*) //' "/proc/$1/stat") == T* ]]; }

@test "who runs steps there is killed before it has begun the next: that goes elsewhere" {
    cat >foray.yaml <<'Y'
hosts: {one: {hosts: node1, slots: 1}}
steps:
  a: {on: one, run: "true"}
  here: {needs: a, run: "while [ ! -e stopped ]; do sleep 0.05; done"}
  b: {on: one, needs: here, run: echo ran b}
Y
    in_background -v
    wait_until 30 contains err "] a on node1" # else it is stopped in the midst of that
    runner() { runner=$("$fleet" ps node1 | awk '/foray: runs steps/ {print $1; exit}'); [ -n "$runner" ]; }
    wait_until 30 runner
    kill -STOP "$runner"
    : >stopped
    wait_until 30 contains err "start b"
    sleep 1
    kill -KILL "$runner"
    ended_with 60 0
    contains out "ran b"
}

@test "a proof is cut off, and nobody ends it there" {
    printf 'PATH=$HOME/path:$PATH\n' >"$FORAY_FLEET/$home/.bashrc"
    mkdir "$FORAY_FLEET/$home/path"
    printf '#!/bin/sh\nsleep 1000\n' >"$FORAY_FLEET/$home/path/cksum"
    chmod 755 "$FORAY_FLEET/$home/path/cksum"
    echo x >f
    echo '{hosts: {one: {hosts: node1, slots: 1}}, steps: {t: {on: one, verify: true, timeout: 10s, in: f, run: wc -c f}}}' >foray.yaml
    in_background
    proves() { "$fleet" ps node1 | grep -q 'sleep 1000'; }
    wait_until 30 proves
    "$fleet" ps node1 | awk '/foray/ {print $1}' | xargs kill -STOP || true # some may have ended
    wait_until 60 contains err "failed t"
    "$fleet" ps node1 | awk '/foray/ {print $1}' | xargs kill -CONT || true
    ended_with 60 1
    contains err "1 failed"
    rm -r "$FORAY_FLEET/$home/path"
}
