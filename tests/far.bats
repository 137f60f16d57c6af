# To and from what is far, much goes at the pace of the network, and not at that of one channel and its answers.
load helper

setup_file() {
    load helper
    [ "$(id -u)" = 0 ] || return 0
    FORAY_FLEET_SSHD_OPTIONS="LogLevel VERBOSE" fleet_up 1
    head -c 24000000 /dev/urandom >"$BATS_FILE_TMPDIR/much"
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
    ln "$BATS_FILE_TMPDIR/much" much
    home=$FORAY_FLEET/hosts/node1/home
    mkdir -p "$home/path"
    echo 'PATH=$HOME/path:$PATH' >"$home/.bashrc"
    at_the_host perl 'case "$*" in *"sysopen PIPE"*) echo >>~/lanes ;; esac'
    distance 0.01
}
teardown() {
    [ "$(id -u)" = 0 ] || return 0
    rm -rf "$home"/{.bashrc,path,lanes,over,many,much*,went}
}

distance() { # SECONDS [BYTES-A-SECOND]
    read -r address port <"$FORAY_FLEET/hosts/node1/address"
    {
        printf '  %s\n' "Host node1" "ProxyCommand $BATS_TEST_DIRNAME/narrow.pl ${2:-1000000000} $address $port $PWD/counts $1"
        cat "$FLEET_CONFIG"
    } >config
    export FORAY_SSH_CONFIG=$PWD/config
}
at_the_host() { # COMMAND WHAT-IT-DOES-FIRST
    printf '#!/bin/sh\n%s\nexec /usr/bin/%s "$@"\n' "$2" "$1" >"$home/path/$1"
    chmod 755 "$home/path/$1"
}
make_many() {
    mkdir many
    (cd many && split -a 3 -n 600 ../much)
}
servers() { grep -c "subsystem 'sftp'" "$FORAY_FLEET/hosts/node1/log" || true; }
lanes() { if [ -e "$home/lanes" ]; then wc -l <"$home/lanes"; else echo 0; fi; }
# What tar does first there: it waits for three lanes, which may come late on a slow machine; not for ever.
three_lanes='n=0; until [ "$(cat ~/lanes | wc -l)" -ge 3 ] || [ $((n += 1)) -gt 600 ]; do sleep 0.1; done 2>/dev/null'
nothing_is_left() { [ -z "$(find "$home" . -name '.foray-*')$(find "$FORAY_FLEET/hosts/node1/tmp" -name 'foray-*')" ]; }

@test "a large file goes by several servers at once, and comes back as it was" {
    was=$(servers)
    run -0 "$FORAY" copy much node1:
    cmp much "$home/much"
    [ "$(servers)" = $((was + 4)) ]
    run -0 "$FORAY" copy node1:much back
    cmp much back
    [ "$(servers)" = $((was + 5)) ]
    nothing_is_left
}

@test "of a file with holes only the rest does" {
    truncate -s 5G holes
    dd if=much of=holes bs=1000000 seek=2000 conv=notrunc status=none
    dd if=much of=holes bs=1000000 seek=4000 conv=notrunc status=none
    run -0 "$FORAY" copy holes node1:much
    cmp holes "$home/much"
    [ "$(du -k "$home/much" | cut -f1)" -lt 100000 ]
}

@test "what a step reads, likewise, once, with others running beside it and after it" {
    cat >foray.yaml <<'Y'
hosts: {one: {hosts: node1, slots: 2}}
steps:
  much: {on: one, in: much, run: cksum <much}
  beside: {on: one, run: "echo beside"}
  after: {on: one, needs: much, in: much, run: "cksum <much; echo after"}
Y
    was=$(servers)
    run -0 "$FORAY"
    sum=$(cksum <much)
    [[ $output == *"$sum"*"$sum"*after* && $output == *beside* ]]
    [ "$(servers)" = $((was + 4)) ]
}

@test "a server that is lost with what it was given: all of it is sent again" {
    distance 0.05 1000000 # so that it takes a while
    "$FORAY" copy -v much node1: >out 2>err &
    pid=$!
    read -r sshd _ <"$FORAY_FLEET/hosts/node1/pid"
    wait_until 60 all_hold
    kill -KILL "$server"
    ended_with 120 0
    contains err "again node1: "
    cmp much "$home/much"
    wait_until 20 nothing_is_left
}

# All four servers have the file open; server: one of them, but the first.
all_hold() {
    local n=0 p
    for p in $(pgrep -f internal-sftp -P "$(pgrep -P "$sshd" -d,)"); do
        if [[ $(find "/proc/$p/fd" -lname '*/.foray-*') ]]; then n=$((n + 1)) server=$p; fi
    done
    [ $n = 4 ]
}

@test "many small files go as one stream, by several channels" {
    make_many
    at_the_host tar "$three_lanes"
    run -0 "$FORAY" copy many node1:
    diff -r many "$home/many"
    [ "$(lanes)" = 3 ]
    run -0 "$FORAY" copy node1:many back
    diff -r many back
    wait_until 20 no_process_on node1
    nothing_is_left
}

@test "to what is near it all goes by one" {
    use_fleet
    make_many
    # On a busy machine what is near may answer as late as what is far: until it was near for once.
    wait_until 120 all_by_one
    diff -r many "$home/many"
    cmp much "$home/much"
}
all_by_one() {
    local was
    was=$(servers)
    rm -rf "$home"/{lanes,many,much}
    "$FORAY" copy many much node1: || return
    [ "$(lanes) $(servers)" = "0 $((was + 1))" ]
}

@test "a host without mkfifo has a stream by one" {
    make_many
    at_the_host mkfifo 'exit 1'
    run -0 "$FORAY" copy many node1:
    diff -r many "$home/many"
    wait_until 20 no_process_on node1
    nothing_is_left
}

@test "channels that start-up files make noisy, or keep waiting, are no trouble" {
    make_many
    echo 'echo noise; echo more >&2; sleep 0.3' >>"$home/.bashrc"
    run -0 "$FORAY" copy many node1:
    diff -r many "$home/many"
    nothing_is_left
}

@test "a channel that is lost with what was in it: nothing half of it gets its name" {
    make_many
    # It is one of the lanes once it has said that it is.
    at_the_host perl 'case "$*" in *"sysopen PIPE"*) head -c 200000 | /usr/bin/perl "$@" |
        { IFS= read -r l; printf "%s\n" "$l"; echo >>~/lanes; cat; }; exit ;; esac'
    at_the_host tar "$three_lanes; rm -f ~/lanes"
    run -3 "$FORAY" copy many node1: # on no host that was there
    [[ $output == *"a part of what was sent there was lost"* ]]
    [ ! -e "$home/many/xaaa" ]
    wait_until 20 nothing_is_left
    wait_until 20 no_process_on node1
}

@test "ended in the midst of it: no channel and no pipe is left" {
    make_many
    at_the_host perl 'case "$*" in *"sysopen PIPE"*) echo >>~/lanes; exec perl -e '"'"'sleep 1 until -e "$ENV{HOME}/over"'"'"' ;; esac'
    at_the_host tar 'until [ -e ~/over ]; do sleep 0.1; done'
    distance 0.2
    "$FORAY" copy many node1: 2>err &
    pid=$!
    any_lane() { [ "$(lanes)" != 0 ]; }
    wait_until 30 any_lane
    kill "$pid"
    ended_with 20 143
    touch "$home/over"
    [ ! -e "$home/many/xaaa" ]
    wait_until 20 nothing_is_left
    wait_until 20 no_process_on node1
}

@test "ended while one of its servers is silent" {
    distance 0.05 1000000
    "$FORAY" copy much node1: >out 2>err &
    pid=$!
    read -r sshd _ <"$FORAY_FLEET/hosts/node1/pid"
    wait_until 60 all_hold
    kill -STOP "$server"
    kill "$pid"
    ended_with 15 143
    [ ! -e "$home/much" ]
    kill -KILL "$server"
    wait_until 20 nothing_is_left
}

@test "where sessions are few it goes by those that there are" {
    make_many
    export FORAY_FLEET=$BATS_TEST_TMPDIR/fleet FORAY_FLEET_SSHD_OPTIONS="MaxSessions 3"
    "$fleet" up 1 3>&-
    FLEET_CONFIG=$FORAY_FLEET/ssh_config
    distance 0.01
    run -0 "$FORAY" copy much many node1:
    cmp much "$FORAY_FLEET/hosts/node1/home/much"
    diff -r many "$FORAY_FLEET/hosts/node1/home/many"
    "$fleet" down 3>&-
}
