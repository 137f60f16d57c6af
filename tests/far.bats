# To and from what is far, much goes at the pace of the network, and not at that of one channel and its answers.
load helper

setup_file() {
    load helper
    [ "$(id -u)" = 0 ] || return 0
    fleet_up 1
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
    rm -rf "$home"/{.bashrc,path,lanes,many,much*,went}
}

distance() { # SECONDS
    read -r address port <"$FORAY_FLEET/hosts/node1/address"
    {
        printf '  %s\n' "Host node1" "ProxyCommand $BATS_TEST_DIRNAME/narrow.pl 1000000000 $address $port $PWD/counts $1"
        cat "$FLEET_CONFIG"
    } >config
    export FORAY_SSH_CONFIG=$PWD/config
}
at_the_host() { # COMMAND WHAT-IT-DOES-FIRST
    printf '#!/bin/sh\n%s\nexec /usr/bin/%s "$@"\n' "$2" "$1" >"$home/path/$1"
    chmod 755 "$home/path/$1"
}
lanes() { if [ -e "$home/lanes" ]; then wc -l <"$home/lanes"; else echo 0; fi; }
nothing_is_left() { [ -z "$(find "$home" . -name '.foray-*')$(find "$FORAY_FLEET/hosts/node1/tmp" -name 'foray-*')" ]; }

@test "a large file goes by several channels, and comes back as it was" {
    run -0 "$FORAY" copy much node1:
    cmp much "$home/much"
    [ "$(lanes)" = 3 ]
    run -0 "$FORAY" copy node1:much back
    cmp much back
    [ "$(lanes)" = 3 ]
    wait_until 20 no_process_on node1
    nothing_is_left
}

@test "and so do many small ones" {
    mkdir many
    (cd many && split -a 3 -n 600 ../much)
    run -0 "$FORAY" copy many node1:
    diff -r many "$home/many"
    [ "$(lanes)" = 3 ]
    run -0 "$FORAY" copy node1:many back
    diff -r many back
    nothing_is_left
}

@test "to what is near it goes by one" {
    use_fleet
    mkdir many
    (cd many && split -a 3 -n 600 ../much)
    run -0 "$FORAY" copy many much node1:
    diff -r many "$home/many"
    cmp much "$home/much"
    [ "$(lanes)" = 0 ]
}

@test "as what a step sends, with others running beside it and after it" {
    cat >foray.yaml <<'Y'
hosts: {one: {hosts: node1, slots: 2}}
steps:
  much: {on: one, dir: ., send: {much: much2}, run: cksum <much2}
  beside: {on: one, run: "echo beside"}
  after: {on: one, needs: much, run: "echo after"}
Y
    run -0 "$FORAY"
    [[ $output == *"$(cksum <much)"* && $output == *beside* && $output == *after* ]]
    [ "$(lanes)" = 3 ]
}

@test "a host without mkfifo has it by one" {
    at_the_host mkfifo 'exit 1'
    run -0 "$FORAY" copy much node1:
    cmp much "$home/much"
    wait_until 20 no_process_on node1
    nothing_is_left
}

@test "channels that start-up files make noisy, or keep waiting, are no trouble" {
    echo 'echo noise; echo more >&2; sleep 0.3' >>"$home/.bashrc"
    run -0 "$FORAY" copy much node1:
    cmp much "$home/much"
    nothing_is_left
}

@test "a channel that is lost with what was in it: nothing half of it gets its name" {
    at_the_host perl 'case "$*" in *"sysopen PIPE"*) head -c 200000 | /usr/bin/perl "$@"; exit ;; esac'
    run -3 "$FORAY" copy much node1: # on no host that was there
    echo "$output"
    [[ $output == *"a part of what was sent there was lost"* ]]
    [ ! -e "$home/much" ]
    wait_until 20 nothing_is_left
    wait_until 20 no_process_on node1
}

@test "ended in the midst of it: no channel and no pipe is left" {
    at_the_host perl 'case "$*" in *"sysopen PIPE"*) echo >>~/lanes; exec perl -e '"'"'sleep 1 while -e "$ENV{HOME}/lanes"'"'"' ;; esac'
    distance 0.2
    "$FORAY" copy much node1: 2>err &
    pid=$!
    any_lane() { [ "$(lanes)" != 0 ]; }
    wait_until 30 any_lane
    kill "$pid"
    ended_with 20 143
    rm "$home/lanes"
    [ ! -e "$home/much" ]
    wait_until 20 nothing_is_left
    wait_until 20 no_process_on node1
}

@test "where sessions are few it goes by those that there are" {
    export FORAY_FLEET=$BATS_TEST_TMPDIR/fleet FORAY_FLEET_SSHD_OPTIONS="MaxSessions 3"
    "$fleet" up 1 3>&-
    FLEET_CONFIG=$FORAY_FLEET/ssh_config
    distance 0.01
    run -0 "$FORAY" copy much node1:
    cmp much "$FORAY_FLEET/hosts/node1/home/much"
    "$fleet" down 3>&-
}
