# foray hosts: which hosts can be used, and what they are like.
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
teardown() {
    for h in node1 node2 node3; do "$fleet" heal $h 3>&-; done
}

print_of() { # HOST: the fingerprint of its key
    ssh-keygen -lf "$FORAY_FLEET/hosts/$1/host_key.pub" | cut -d ' ' -f 2
}
json() { python3 -c 'import json, sys; hosts = {h["name"]: h for h in json.load(open("out"))["hosts"]}; print(eval(sys.argv[1]))' "$1"; }

@test "a line for each host: its cores, load, memory, disk, way in and key" {
    needs_root
    "$fleet" fault node2 load=3.25 3>&-
    run -0 --separate-stderr "$FORAY" hosts 'node[1-2]'
    [ ${#lines[@]} = 3 ]
    [[ ${lines[0]} == HOST*LATENCY*CORES*LOAD*"FREE MEMORY"*"FREE DISK"*"WAY IN"*KEY ]]
    read -r address port <"$FORAY_FLEET/hosts/node2/address"
    number='[0-9.]+' size='[0-9.]+ [KMGT]?i?B'
    [[ ${lines[2]} =~ ^node2\ +$number\ ms\ +$(getconf _NPROCESSORS_ONLN)\ +3.25\ +$size\ of\ $size\ +$size\ +ssh\ $(id -un)@$address:$port\ +"$(print_of node2)"$ ]]
    [ "$stderr" = "foray: 2 hosts: all can be used" ]
}

@test "what cannot be used is told in its line, and the status is 3" {
    "$fleet" fault node2 refused 3>&-
    sed '/127\.0\.0\.4\]/d' "$FORAY_FLEET/known_hosts" >known
    sed "s|UserKnownHostsFile .*|UserKnownHostsFile $PWD/known|; /GlobalKnownHostsFile/d" "$FORAY_FLEET/ssh_config" >config
    run -3 --separate-stderr "$FORAY" hosts -F config 'node[1-3]'
    [[ ${lines[1]} == node1*SHA256:* ]]
    [[ ${lines[2]} == "node2  cannot be used: cannot connect to "*": Connection refused" ]]
    [[ ${lines[3]} == "node3  cannot be used: its host key $(print_of node3) is not known"*"ssh-keyscan -p "*" >> $PWD/known" ]]
    [ "$stderr" = "foray: 3 hosts: 1 can be used, 2 cannot" ]
}

@test "without words: all hosts of the file, which needs no steps" {
    echo '{hosts: {rack: "node[1-2]", other: [node4, "@rack"]}}' >foray.yaml
    run -0 --separate-stderr "$FORAY" hosts
    [ "$(printf '%s\n' "${lines[@]}" | cut -d ' ' -f 1 | xargs)" = "HOST node1 node2 node4" ]
    run -0 --separate-stderr "$FORAY" hosts -q other -x node1
    [ "$(printf '%s\n' "${lines[@]}" | cut -d ' ' -f 1 | xargs)" = "HOST node4 node2" ]
    run -0 --separate-stderr "$FORAY" hosts -q -w other -x node1
    [ "$(printf '%s\n' "${lines[@]}" | cut -d ' ' -f 1 | xargs)" = "HOST node4 node2" ]
    [ "$stderr" = "" ]
    echo '{steps: {a: {run: "true"}}}' >foray.yaml
    run -2 "$FORAY" hosts
    [[ $output == *"foray.yaml names none"* ]]
    rm foray.yaml
    run -2 "$FORAY" hosts
    [[ $output == *"there is no foray.yaml here"* ]]
    [ ! -e .foray ]
}

@test "--json: numbers in bytes and seconds" {
    "$fleet" fault node2 refused 3>&-
    status=0
    "$FORAY" hosts --json 'node[1-2]' >out || status=$?
    [ $status = 3 ]
    [ "$(json 'hosts["node1"]["usable"], hosts["node2"]["usable"], "refused" in hosts["node2"]["error"]')" = "(True, False, True)" ]
    [ "$(json 'hosts["node1"]["key"]')" = "$(print_of node1)" ]
    [ "$(json 'hosts["node1"]["scratch"]')" = /tmp ] || [ "$(id -u)" != 0 ]
    [ "$(json '0 < hosts["node1"]["latency"] < 60 and 0 < hosts["node1"]["memory_free"] <= hosts["node1"]["memory"]')" = True ]
    [ "$(json 'hosts["node1"]["memory"] // 1024')" = "$(awk '/^MemTotal:/ {print $2}' /proc/meminfo)" ]
    [ "$(json 'hosts["node1"]["disk_free"] > 0')" = True ]
}

@test "a line fits the terminal, if there is one" {
    has() { command -v "$1" >/dev/null; }
    has script || skip "there is no script"
    run -0 script -qec 'stty cols 100; unset COLUMNS; exec "$FORAY" hosts node1' /dev/null
    line=$(tr -d '\r' <<<"${lines[1]}")
    [[ $line == node1*SHA256:*.. ]]
    [ ${#line} = 100 ]
}

@test "nothing stays there, also when it is interrupted" {
    run -0 "$FORAY" hosts node1
    no_scratch() { [ -z "$(find "$FORAY_FLEET"/hosts/*/tmp -mindepth 1 -name 'foray-*')" ]; }
    wait_until 20 no_scratch
    "$fleet" fault node2 hung 3>&-
    in_background hosts 'node[1-2]'
    wait_until 20 scratch_is_there
    kill -TERM "$pid"
    ended_with 20 143
    wait_until 20 no_scratch
}
scratch_is_there() { [ -n "$(find "$FORAY_FLEET"/hosts/node1/tmp -mindepth 1 -name 'foray-*')" ]; }
