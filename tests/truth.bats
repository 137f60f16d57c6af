# The truth in the exit status, and nothing left running or half done, where other tools are known to fail.
load helper

setup_file() {
    load helper
    fleet_up 2
}
teardown_file() {
    load helper
    fleet_down
}
setup() {
    cd "$BATS_TEST_TMPDIR" || return
    use_fleet
}

@test "a time-out on a host is a failure, and the command there is ended" {
    needs_root
    echo "{hosts: {r: 'node[1-2]'}, steps: {t: {each: [1, 2], on: r, timeout: 1, run: sleep 64.51}}}" >foray.yaml
    run -1 timeout 60 "$FORAY" -k
    [[ $output == *"2 failed"* ]]
    wait_until 20 no_process_on node1
    wait_until 20 no_process_on node2
}

@test "TERM to foray ends the commands on hosts" {
    needs_root
    echo "{hosts: {r: {hosts: 'node[1-2]', slots: 1}}, steps: {t: {each: [1, 2], on: r, run: sleep 64.52}}}" >foray.yaml
    in_background
    wait_until 15 eval '"$fleet" ps node1 | grep "sleep 64\.52"'
    wait_until 15 eval '"$fleet" ps node2 | grep "sleep 64\.52"'
    kill -TERM "$pid"
    ended_with 10 143
    wait_until 5 no_process_on node1
    wait_until 5 no_process_on node2
}

@test "a remote command that fails makes the run fail, on whichever host" {
    echo "{hosts: {r: 'node[1-2]'}, steps: {t: {each: [0, 3], on: r, run: 'exit {{item}}'}}}" >foray.yaml
    run -1 "$FORAY" -k
    [[ $output == *"exit status 3"* && $output == *"1 step done, 1 failed"* ]]
}

@test "after a failure the next run does not call it done" {
    echo "steps: {t: {run: exit 2}}" >foray.yaml
    run -1 "$FORAY"
    run -1 "$FORAY"
}

@test "an item is never executed, even where the user quoted the reference" {
    echo "{hosts: {r: node1}, steps: {t: {each: ['\$(id -u)'], on: r, run: \"printf '[%s]' '{{item}}'\"}}}" >foray.yaml
    run -0 --separate-stderr "$FORAY"
    [ "$output" = '[$(id -u)]' ]
}

@test "an item with a newline is one item" {
    echo "{hosts: {r: node1}, steps: {t: {each: [\"n\\nl\"], on: r, run: \"printf '[%s]' {{item}}\"}}}" >foray.yaml
    run -0 --separate-stderr "$FORAY"
    [ "$output" = $'[n\nl]' ]
}

@test "a result that was not made, or does not come back, is a failure" {
    echo "{hosts: {r: node1}, steps: {t: {on: r, out: nope, run: 'true'}}}" >foray.yaml
    run -1 "$FORAY"
    [[ $output == *"did not make nope"* ]]
    mkdir nope && touch nope/in-the-way
    echo "{hosts: {r: node1}, steps: {t: {on: r, out: nope, run: 'echo hi > nope'}}}" >foray.yaml
    run -3 timeout 120 "$FORAY"
    [[ $output == *"nope"* ]]
    [ "$(ls -A nope)" = in-the-way ] && [ -z "$(find . -name '.foray-*.tmp')" ]
}

@test "results whose names hold a space or a newline come back" {
    printf '{hosts: {r: node1}, steps: {t: {on: r, out: ["a b.out", "n\\nl.out"], run: "for f in \\"a b\\" \\"n\\nl\\"; do echo \\"$f\\" > \\"$f.out\\"; done"}}}' >foray.yaml
    run -0 "$FORAY"
    [ "$(cat 'a b.out')" = 'a b' ] && [ "$(cat $'n\nl.out')" = $'n\nl' ]
}

@test "a directory that was there before is not removed" {
    mkdir "$FORAY_FLEET/hosts/node1/home/empty"
    echo "{hosts: {r: node1}, steps: {t: {on: r, dir: empty, run: 'true'}}}" >foray.yaml
    run -0 "$FORAY"
    [ -d "$FORAY_FLEET/hosts/node1/home/empty" ]
}

@test "a full disk there: the step is not called done, no half file comes" {
    needs_root
    pid=$(awk '{print $1}' "$FORAY_FLEET/hosts/node1/pid")
    nsenter --mount="/proc/$pid/ns/mnt" mount -t tmpfs -o size=1m none /tmp
    head -c 3000000 /dev/urandom >big
    echo "{hosts: {r: node1}, steps: {t: {on: r, in: big, out: sum, run: 'sha256sum < big > sum'}}}" >foray.yaml
    run -3 timeout 120 "$FORAY"
    nsenter --mount="/proc/$pid/ns/mnt" umount -l /tmp
    [[ $output == *"big"* ]]
    [ ! -e sum ]
}
