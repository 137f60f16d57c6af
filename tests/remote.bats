# Steps on ssh hosts: carried, run, fetched, cleaned; hosts that fail; nothing left behind.
load helper

setup_file() {
    load helper
    fleet_up 4
}
teardown_file() {
    load helper
    fleet_down
}
setup() {
    cd "$BATS_TEST_TMPDIR" || return
    use_fleet
}

# hosts that nobody uses otherwise must be healed whatever happened
teardown() {
    for h in node1 node2 node3 node4; do "$fleet" heal $h 3>&-; done
}

no_scratch() { [ -z "$(find "$FORAY_FLEET"/hosts/*/tmp -mindepth 1 -name 'foray-*')" ]; }

@test "a step's files go there, its results come back, its scratch directory goes" {
    mkdir in && head -c 3000000 /dev/urandom >in/data && printf '#!/bin/sh\nexec sha256sum\n' >in/tool && chmod 755 in/tool
    cat >foray.yaml <<'Y'
hosts: {rack: "node[1-2]"}
steps:
  t:
    on: rack
    in: [in/data, in/tool]
    out: [out/deep/sum, out/copy]
    run: in/tool < in/data > out/deep/sum; cp -p in/tool out/copy; touch left-over; pwd
Y
    run -0 --separate-stderr "$FORAY"
    [[ $output == /tmp/foray-* ]]
    [ "$(cat out/deep/sum)" = "$(sha256sum <in/data)" ]
    cmp in/tool out/copy && [ -x out/copy ]
    [ "$(ls -A out out/deep | grep -c foray)" = 0 ]
    wait_until 20 no_scratch
}

@test "hosts do not see our files, nor each other's" {
    needs_root
    touch here.txt
    echo "{hosts: {one: node1, two: node2}, steps: {a: {on: one, run: 'touch /tmp/from-1; ! ls $PWD'}, b: {on: two, needs: a, run: '! ls /tmp/from-1'}, c: {on: one, needs: b, run: 'rm /tmp/from-1'}}}" >foray.yaml
    run -0 "$FORAY"
}

@test "standard output, standard error, statuses and signals come through" {
    cat >foray.yaml <<'Y'
hosts: {rack: node1}
steps:
  streams: {on: rack, run: "echo out; echo err >&2; printf 'no newline'"}
  status: {on: rack, run: exit 9}
  signal: {on: rack, run: kill -TERM $$}
Y
    run -0 --separate-stderr "$FORAY" streams
    [ "$output" = $'out\nno newline' ]
    [[ $stderr == *"err"* ]]
    run -1 "$FORAY" -k status signal
    [[ $output == *"status"*" on node1: exit status 9"* && $output == *"exit status 143 (SIGTERM)"* ]]
}

@test "standard input is empty there, the environment is told" {
    cat >foray.yaml <<'Y'
hosts: {rack: node2}
steps:
  t: {on: rack, each: ["x y"], env: {MORE: "{{item}}\n$HOME"}, run: "cat; printf '%s|' \"$MORE\" \"$FORAY_ITEM\" \"$FORAY_HOST\" \"$FORAY_STEP\" {{host}}"}
Y
    run -0 --separate-stderr "$FORAY"
    [ "$output" = $'x y\n$HOME|x y|node2|t[x y]|node2|' ]
}

@test "a declared output that is missing there is a failure, and no half result comes" {
    echo '{hosts: {rack: node1}, steps: {t: {on: rack, out: [a, b], run: echo hi > a}}}' >foray.yaml
    run -1 "$FORAY"
    [[ $output == *"it did not make b"* ]]
    [ ! -e a ] && [ "$(ls -A -I .foray)" = foray.yaml ]
}

@test "a failing step's old results stay as they are" {
    echo old >r
    echo '{hosts: {rack: node1}, steps: {t: {on: rack, out: r, run: echo new > r; exit 1}}}' | sed 's/run: \(.*\)}}}/run: "\1"}}}/' >foray.yaml
    run -1 "$FORAY"
    [ "$(cat r)" = old ]
}

@test "an input that is no regular file is told" {
    mkdir d
    echo '{hosts: {rack: node1}, steps: {t: {on: rack, in: d, run: "true"}}}' >foray.yaml
    run -1 "$FORAY"
    [[ $output == *"d is not a regular file"* ]]
}

@test "hostile names, items and scripts pass through unharmed, there too" {
    mkdir in
    names=('a b' "it's" 'do"uble' '$(touch PWNED)' '`touch PWNED`' '-rf' '*' '~' $'new\nline' $'two\n\n' 'back\slash' '#x' ';touch PWNED' '&' 'ü' $'\xff\x81\x88' "$(printf 'n%.0s' {1..255})")
    for n in "${names[@]}"; do printf '%s' "$n" >"in/$n"; done
    cat >foray.yaml <<'Y'
hosts: {rack: {hosts: "node[1-4]", slots: 4}}
steps:
  copy:
    each: in/*
    on: rack
    in: "{{item}}"
    out: "out/{{item.base}}"
    run: |
      cat {{in}} > {{out}}
      # a comment with 'a quote
      test "$(cat "$FORAY_IN"; echo .)" = "$(cat {{in}}; echo .)"
      test "{{item}}" = '{{item}}' && test "{{item}}" = "$FORAY_ITEM"
      test ! -e PWNED
  dash: {on: rack, in: -dash, out: -copy, run: "cp {{in}} {{out}}"}
Y
    echo dash >./-dash
    run -0 "$FORAY"
    for n in "${names[@]}"; do cmp "in/$n" "out/$n"; done
    cmp ./-dash ./-copy
}

@test "a script longer than one argument may be works there" {
    { echo 'hosts: {rack: node1}'; echo 'steps:'; echo '  t:'; echo '    on: rack'; echo '    run: |'; echo '      wc -c <<X'
      seq -f '      %060.0f' 0 2999; echo '      X'; } >foray.yaml
    run -0 --separate-stderr "$FORAY"
    [ "$output" = 183000 ]
}

@test "dir: runs in that directory there, files go to and come from it" {
    mkdir "$FORAY_FLEET/hosts/node1/home/place"
    echo text >input
    echo '{hosts: {rack: node1}, steps: {t: {on: rack, dir: place, in: input, out: result, run: "pwd; cat input > result; touch stays"}, gone: {on: rack, dir: /nowhere, run: touch wrong}}}' >foray.yaml
    run -0 --separate-stderr "$FORAY" t
    [[ $output == */place ]]
    [ "$(cat result)" = text ]
    run -1 "$FORAY" gone
}

@test "100 MiB on standard output and 100 MiB on standard error at once lose no byte" {
    cat >foray.yaml <<'Y'
hosts: {rack: node1}
steps:
  t: {on: rack, run: "head -c 104857600 /dev/zero | tr '\\0' o & head -c 104857600 /dev/zero | tr '\\0' e >&2; wait"}
Y
    timeout 120 "$FORAY" -q >out 2>err
    [ "$(wc -c <out)" = 104857600 ] && [ "$(tr -d o <out | wc -c)" = 0 ]
    [ "$(tr -cd e <err | wc -c)" -ge 104857600 ]
}

@test "64 slots over 4 hosts work, though sshd allows 10 sessions a connection" {
    cat >foray.yaml <<'Y'
hosts: {rack: {hosts: "node[1-4]", slots: 16}}
vars: {n: [00, 01, 02, 03, 04, 05, 06, 07, 08, 09, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63]}
steps:
  t: {each: "{{n}}", on: rack, run: "echo {{host}}; touch ~/began.{{item}}; until [ -e ~/go ]; do sleep 0.1; done"}
Y
    local homes=("$FORAY_FLEET"/hosts/node{1,2,3,4}/home)
    [ "$(id -u)" = 0 ] || homes=("$HOME") # of all of them
    in_background
    all_began() { [ "$(find "${homes[@]}" -maxdepth 1 -name 'began.*' | wc -l)" = 64 ]; }
    wait_until 60 all_began
    touch "${homes[@]/%//go}"
    ended_with 30 0
    for h in 1 2 3 4; do [ "$(grep -cx "node$h" out)" = 16 ]; done
    for h in "${homes[@]}"; do rm -f "$h"/{go,began.*}; done
}

@test "slots of a host are kept" {
    cat >foray.yaml <<'Y'
hosts: {rack: {hosts: node1, slots: 2}}
steps:
  t: {each: [1, 2, 3, 4, 5, 6], on: rack, run: "mkdir ~/run.{{item}}; ls -d ~/run.* | wc -l; sleep 0.1; rmdir ~/run.{{item}}"}
Y
    run -0 --separate-stderr "$FORAY"
    [ "$(printf '%s\n' "${lines[@]}" | sort -n | tail -1)" -le 2 ]
}

@test "round-robin and random use all hosts of a pool, up to their slots" {
    for pick in round-robin random; do
        rm -f "$FORAY_FLEET"/hosts/*/home/go
        cat >foray.yaml <<Y
hosts: {rack: {hosts: "node[1-4]", slots: 3, pick: $pick}}
steps:
  t:
    each: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]
    on: rack
    run: echo {{host}}; touch ~/began.{{item}}; until [ -e ~/go ]; do sleep 0.05; done
Y
        in_background
        wait_until 20 bash -c '[ "$(ls "$FORAY_FLEET"/hosts/*/home/began.* | wc -l)" = 12 ]'
        touch "$FORAY_FLEET"/hosts/node{1,2,3,4}/home/go
        ended_with 20 0
        for h in 1 2 3 4; do [ "$(grep -cx "node$h" out)" = 3 ]; done
        rm -f "$FORAY_FLEET"/hosts/*/home/{go,began.*}
    done
}

@test "least-loaded prefers the host with the lower load" {
    needs_root
    "$fleet" fault node1 load=0.00
    "$fleet" fault node2 load=50.00
    echo "{hosts: {rack: {hosts: 'node[1-2]', slots: 4}}, steps: {up: {on: {every: rack}, run: 'true'}, a: {on: rack, needs: up, run: 'echo {{host}}'}, b: {on: rack, needs: a, run: 'echo {{host}}'}, c: {on: rack, needs: b, run: 'echo {{host}}'}}}" >foray.yaml
    run -0 --separate-stderr "$FORAY"
    [ "$output" = $'node1\nnode1\nnode1' ]
}

@test "killed with SIGKILL, foray leaves no process of a step on any host" {
    needs_root
    echo "{hosts: {rack: 'node[1-4]'}, steps: {t: {each: [1, 2, 3, 4, 5, 6], on: rack, run: 'sleep 94.1 & (sleep 94.2; sleep 94.3) & sleep 94.4'}}}" >foray.yaml
    in_background
    wait_until 15 eval '[ "$(for h in 1 2 3 4; do "$fleet" ps node$h; done | grep -c " sleep 94\.[124]")" -ge 12 ]'
    kill -KILL "$pid"
    for h in 1 2 3 4; do wait_until 5 no_process_on node$h; done
    wait_until 5 no_scratch
}

@test "Ctrl-C ends remote steps too, a second one at once" {
    needs_root
    echo "{hosts: {rack: node1}, steps: {t: {on: rack, run: 'trap \"\" TERM; sleep 95.1 & while :; do sleep 95.2; done'}}}" >foray.yaml
    env --default-signal=INT "$FORAY" >out 2>err 3>&- &
    pid=$!
    wait_until 15 eval '"$fleet" ps node1 | grep "[0-9] sleep 95\.2"'
    kill -INT "$pid"
    wait_until 5 contains err "ending what runs"
    kill -INT "$pid" || true # it may have ended by itself by now
    ended_with 5 130
    wait_until 5 no_process_on node1
}

@test "a second Ctrl-C ends the run though a host is silent" {
    echo "{hosts: {rack: node2}, steps: {t: {on: rack, run: 'touch ~/began; sleep 95.5'}}}" >foray.yaml
    rm -f "$FORAY_FLEET/hosts/node2/home/began"
    env --default-signal=INT "$FORAY" >out 2>err 3>&- &
    pid=$!
    wait_until 15 test -e "$FORAY_FLEET/hosts/node2/home/began"
    "$fleet" fault node2 hung
    kill -INT "$pid"
    wait_until 5 contains err "ending what runs"
    kill -INT "$pid"
    ended_with 6 130
    "$fleet" heal node2 3>&-
    needs_root
    wait_until 20 no_process_on node2
}

@test "a time-out ends the remote tree" {
    needs_root
    echo "{hosts: {rack: node1}, steps: {t: {on: rack, timeout: 0.5, run: 'sleep 96.1 & sleep 96.2'}}}" >foray.yaml
    run -1 timeout 60 "$FORAY"
    [[ $output == *"time limit"* ]]
    wait_until 20 no_process_on node1
}

@test "what a step leaves running in its group goes with it" {
    needs_root
    echo "{hosts: {rack: node1}, steps: {t: {on: rack, run: 'sleep 97.1 & echo hi'}}}" >foray.yaml
    run -0 --separate-stderr timeout 60 "$FORAY"
    [ "$output" = hi ]
    wait_until 20 no_process_on node1
}

@test "a host that is killed in mid-run: its steps go to another host by themselves" {
    echo "{hosts: {rack: {hosts: 'node[1-2]', slots: 1}}, steps: {t: {each: [a, b], on: rack, out: '{{item}}', run: 'echo {{host}} > {{out}}; touch ~/began; until [ -e ~/go ]; do sleep 0.05; done'}}}" >foray.yaml
    rm -f "$FORAY_FLEET"/hosts/*/home/{go,began}
    in_background
    wait_until 15 test -e "$FORAY_FLEET/hosts/node1/home/began" -a -e "$FORAY_FLEET/hosts/node2/home/began"
    touch "$FORAY_FLEET/hosts/node2/home/go"
    "$fleet" fault node1 killed
    ended_with 30 0
    [ "$(cat a b)" = $'node2\nnode2' ]
    grep -q "host node1 is lost" err
}

@test "a hung host is noticed, its steps go elsewhere" {
    echo "{hosts: {rack: {hosts: 'node[1-2]', slots: 1}}, steps: {t: {each: [a, b], on: rack, out: '{{item}}', run: 'echo {{host}} > {{out}}; touch ~/began; until [ -e ~/go ]; do sleep 0.05; done'}}}" >foray.yaml
    rm -f "$FORAY_FLEET"/hosts/*/home/{go,began}
    in_background
    wait_until 15 test -e "$FORAY_FLEET/hosts/node1/home/began" -a -e "$FORAY_FLEET/hosts/node2/home/began"
    touch "$FORAY_FLEET/hosts/node2/home/go"
    "$fleet" fault node1 hung
    ended_with 45 0
    [ "$(cat a b)" = $'node2\nnode2' ]
    grep -q "no sign of life" err
}

@test "a host that refuses connections is told; the others do its work" {
    "$fleet" fault node3 refused
    echo "{hosts: {rack: {hosts: 'node[3-4]', slots: 2, pick: round-robin}}, steps: {t: {each: [1, 2, 3, 4, 5, 6], on: rack, run: 'echo {{host}}'}}}" >foray.yaml
    run -0 --separate-stderr "$FORAY"
    [ "$(printf '%s\n' "${lines[@]}" | sort -u)" = node4 ]
    [[ $stderr == *"node3"*"Connection refused"* ]]
}

@test "a failing command is not tried on another host" {
    echo "{hosts: {rack: 'node[1-4]'}, steps: {t: {on: rack, run: exit 5}}}" >foray.yaml
    run -1 "$FORAY"
    [ "$(grep -c 'exit status 5' <<<"$output")" = 2 ] # where it happened, and in the summary
}

@test "no host of a pool can be used: status 3, and why" {
    "$fleet" fault node1 refused
    echo "{hosts: {rack: node1}, steps: {t: {on: rack, run: echo hi}, local: {run: echo here}}}" >foray.yaml
    run -3 timeout 120 "$FORAY" -k
    [[ $output == *"no host of its pool can be used"* && $output == *"Connection refused"* && $output == *here* ]]
}

@test "an unknown or changed host key refuses the host, and says how to accept it" {
    sed '/^Host node\*/,$s/UserKnownHostsFile.*/UserKnownHostsFile "known"/' "$FORAY_SSH_CONFIG" >config
    sed -i "s|UserKnownHostsFile \"known\"|UserKnownHostsFile \"$PWD/known\"|" config
    grep -v '127.0.0.2' "$FORAY_FLEET/known_hosts" >known
    echo "{hosts: {rack: node1}, steps: {t: {on: rack, run: touch /tmp/wrong}}}" >foray.yaml
    run -3 "$FORAY" -F config
    [[ $output == *"is not known"*"ssh-keyscan"* ]]
    awk 'NR == 1 {key = $3} {print "[127.0.0.2]:" 0}' known >/dev/null
    port=$(awk '$1 == "Port" {print $2; exit}' config)
    echo "[127.0.0.2]:$port $(head -1 known | cut -d' ' -f2,3)" >>known
    run -3 "$FORAY" -F config
    [[ $output == *"HOST KEY HAS CHANGED"* ]]
    { cat "$FORAY_FLEET/known_hosts"; sed 's/^/@revoked /' "$FORAY_FLEET/known_hosts"; } >known
    run -3 "$FORAY" -F config
    [[ $output == *"is revoked"* ]]
    # hashed names are read
    cp "$FORAY_FLEET/known_hosts" known && ssh-keygen -q -H -f known && rm -f known.old
    run -0 "$FORAY" -F config
}

@test "a key that is not accepted: permission denied, status 3" {
    ssh-keygen -q -t ed25519 -N '' -f other
    echo "{hosts: {rack: {hosts: node1, ssh: {identity: other}}}, steps: {t: {on: rack, run: echo hi}}}" >foray.yaml
    run -3 "$FORAY"
    [[ $output == *"permission denied"* ]]
}

@test "keys of an agent are used" {
    sed '/IdentityFile/d; /IdentitiesOnly/d' "$FORAY_SSH_CONFIG" >config
    echo "{hosts: {rack: node1}, steps: {t: {on: rack, run: echo hi}}}" >foray.yaml
    eval "$(ssh-agent -s 3>&-)" >/dev/null
    ssh-add -q "$FORAY_FLEET/id"
    HOME=$PWD run -0 "$FORAY" -F config
    kill "$SSH_AGENT_PID"
}

@test "without a configuration: user, port, key and known_hosts from the file" {
    unset FORAY_SSH_CONFIG
    read -r address port <"$FORAY_FLEET/hosts/node1/address"
    cat >foray.yaml <<Y
hosts:
  a: {hosts: "$(id -un)@$address:$port", ssh: {config: /dev/null, identity: "$FORAY_FLEET/id", known_hosts: "$FORAY_FLEET/known_hosts"}}
  b: {hosts: "$address", ssh: {config: /dev/null, identity: "$FORAY_FLEET/id", known_hosts: "$FORAY_FLEET/known_hosts", user: "$(id -un)", port: $port}}
steps:
  a: {on: a, run: echo hi}
  b: {on: b, run: echo hi}
Y
    run -0 "$FORAY"
    # and without an ssh program to ask
    run -0 env PATH=/nonexistent "$FORAY"
}

@test "a noisy or slow .bashrc does not harm" {
    printf 'echo noise; echo more noise >&2; printf half\nsleep 0.3\n' >"$FORAY_FLEET/hosts/node4/home/.bashrc"
    echo "{hosts: {rack: {hosts: node4, slots: 1}}, steps: {t: {each: [1, 2, 3, 4, 5], on: rack, run: echo {{item}}}}}" | sed 's/run: \(echo {{item}}\)/run: "\1"/' >foray.yaml
    run -0 --separate-stderr "$FORAY"
    [ "$output" = $'1\n2\n3\n4\n5' ] || [ "$(printf '%s\n' "${lines[@]}" | sort | tr -d '\n')" = 12345 ]
    printf 'echo no such thing here >&2; exit 1\n' >"$FORAY_FLEET/hosts/node4/home/.bashrc"
    run -3 timeout 120 "$FORAY"
    [[ $output == *"its shell ended before it was ready: no such thing here"* ]]
    rm "$FORAY_FLEET/hosts/node4/home/.bashrc"
}

@test "--keep-scratch leaves the directory there" {
    echo "{hosts: {rack: node1}, steps: {t: {on: rack, run: 'echo hi > kept; pwd'}}}" >foray.yaml
    run -0 --separate-stderr "$FORAY" --keep-scratch
    [[ $stderr == *"kept node1:$output"* ]]
    [ "$(cat "$FORAY_FLEET/hosts/node1${output:0}/kept" 2>/dev/null || cat "$output/kept")" = hi ]
    rm -rf "$FORAY_FLEET"/hosts/node1/tmp/foray-*
}

@test "what a step has left in its scratch directory goes before the next one on its slot, and nothing else" {
    cat >foray.yaml <<'YAML'
hosts: {rack: {hosts: node1, slots: 1}}
steps:
  mess:
    on: rack
    run: |
      mkdir -p -- a/b "c d" -r "$HOME/outside"
      echo kept > "$HOME/outside/kept"
      ln -s "$HOME/outside" link
      ln -s "$HOME/outside" a/b/link
      echo x > 'c d/new
      line'
      echo x > -f; echo x > .hidden; mkfifo a/pipe; chmod 0 -- -f
  much:
    on: rack
    needs: mess
    run: ls -A ..; seq 300 | xargs touch
  see:
    on: rack
    needs: much
    run: until [ "$(ls -A .. | grep -c '^[0-9]')" = 1 ]; do sleep 0.05; done; ls -A ..; cat "$HOME/outside/kept"
YAML
    run -0 --separate-stderr timeout 60 "$FORAY" -q
    [ "$(printf '%s\n' "${lines[@]}" | grep -cE '^[0-9]+$')" = 2 ] # each saw no directory but its own
    [ "${lines[-1]}" = kept ]
    rm -rf "$FORAY_FLEET/hosts/node1/home/outside"
}
