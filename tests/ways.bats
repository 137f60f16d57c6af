# Ways in: what the user's ssh configuration says of how to reach a host, as ssh itself does it.
load helper

setup_file() {
    load helper
    # The ninth that is not logged in is refused.
    export FORAY_FLEET_SSHD_OPTIONS="MaxStartups 9:100:9"
    fleet_up 4
}
teardown_file() {
    load helper
    fleet_down
}
setup() {
    cd "$BATS_TEST_TMPDIR" || return
    use_fleet
    export SHELL=/bin/sh
    read -r address1 port <"$FORAY_FLEET/hosts/node1/address"
    read -r address2 _ <"$FORAY_FLEET/hosts/node2/address"
    read -r address3 _ <"$FORAY_FLEET/hosts/node3/address"
}
teardown() {
    for h in node1 node2 node3 node4; do "$fleet" heal $h 3>&-; done
}

# configure LINE...: an ssh configuration of these lines, before those of the fleet, in the file config. What the fleet
# says of node* it says here of inner*, too, and of numbers.
configure() {
    printf '%s\n' "$@" >config
    sed 's/^Host node\*$/Host node* inner* 127.*/' "$FLEET_CONFIG" >>config
    export FORAY_SSH_CONFIG=config
}

# step HOSTS COMMAND: a graph of one step.
step() {
    printf 'hosts: {rack: {hosts: "%s", slots: 1}}\nsteps:\n  t:\n    on: rack\n    run: |\n      %s\n' "$1" "$2" >foray.yaml
}

no_process_of() { # FILE with process groups
    local p
    while read -r p; do
        if kill -0 -- "-$p" 2>/dev/null; then return 1; fi
    done <"$1"
}

@test "ProxyJump: a host is reached through another one, and only through it" {
    configure "Host inner" "  HostName $address2" "  Port $port" "  ProxyJump node1"
    step inner 'echo "$SSH_CONNECTION"'
    run -0 --separate-stderr "$FORAY"
    [[ $output == *" $address2 $port" ]]
    "$fleet" fault node1 refused
    run -3 timeout 60 "$FORAY" -k
    [[ $output == *"host inner is lost"*"ProxyJump"*"Connection refused"* ]]
}

@test "ProxyJump: a chain with users and ports, and tokens" {
    configure "Host inner" "  HostName $address3" "  Port $port" "  User root" \
        "  ProxyJump %r@$address1:$port,ssh://$address2:$port"
    step inner 'echo "$SSH_CONNECTION"'
    run -0 --separate-stderr "$FORAY"
    [[ $output == *" $address3 $port" ]]
    "$fleet" fault node2 refused
    run -3 timeout 60 "$FORAY"
    "$fleet" heal node2
    "$fleet" fault node1 refused
    run -3 timeout 60 "$FORAY"
}

@test "ProxyJump: what the jump says is told, and what is for good is not tried again" {
    configure "Host inner" "  HostName $address2" "  Port 1" "  ProxyJump node1"
    step inner true
    run -3 timeout 60 "$FORAY"
    [[ $output == *"host inner is lost"*"ProxyJump: "*"open failed"*"Connection refused"* ]]
    ssh-keygen -q -t ed25519 -N '' -f other
    configure "Host gate" "  HostName $address1" "  Port $port" "  IdentityFile other" "  IdentitiesOnly yes" \
        "  UserKnownHostsFile $FORAY_FLEET/known_hosts" "Host inner" "  HostName $address2" "  ProxyJump gate"
    run -3 timeout 60 "$FORAY"
    [[ $output == *"host inner cannot be used"*"ProxyJump: "*"Permission denied (publickey)"* ]]
    sed -i "s|UserKnownHostsFile $FORAY_FLEET/known_hosts|UserKnownHostsFile none|" config
    run -3 timeout 60 "$FORAY"
    [[ $output == *"host inner cannot be used"*"Host key verification failed"* ]]
}

@test "ProxyCommand: a command carries the connection; its tokens are those of ssh" {
    cat >proxy <<'END'
#!/bin/sh
printf '<%s>' "$@" >"$ASKED"
exec ssh -F config -W "[$1]:$2" node1
END
    chmod 755 proxy
    # shellcheck disable=SC2016
    configure "Host inner" "  HostName $address2" "  Port $port" "  User root" "  HostKeyAlias alias-%h" \
        '  ProxyCommand ./proxy %h %p %r "%n" %%h %k "two words" $((1+1)) ~ '"'%n%p%%%%'" "  UserKnownHostsFile known"
    echo "alias-%h $(grep -F "[$address2]:$port" "$FORAY_FLEET/known_hosts" | cut -d' ' -f2-)" >known
    step inner 'echo "$SSH_CONNECTION"'
    ASKED=by-ssh ssh -F config inner true
    ASKED=by-foray run -0 --separate-stderr "$FORAY"
    [[ $output == *" $address2 $port" ]]
    cmp by-ssh by-foray
    # by the user's shell, where there is one
    printf '#!/bin/sh\necho "$*" >shell\nexec sh "$@"\n' >mine && chmod 755 mine
    ASKED=x SHELL=$PWD/mine run -0 "$FORAY"
    [[ $(cat shell) == "-c exec ./proxy "* ]]
}

@test "ProxyCommand: what fails is told with its last words" {
    configure "Host inner" "  ProxyCommand sh -c 'echo first >&2; echo cannot get there >&2; exit 1'" \
        "Host inner2" "  ProxyCommand ./no-such-thing %h" "Host inner3" "  ProxyCommand true %q"
    step inner true
    run -3 timeout 60 "$FORAY"
    [[ $output == *"host inner is lost: no connection came about (ProxyCommand: first; cannot get there)"* ]]
    step inner2 true
    run -3 timeout 60 "$FORAY"
    [[ $output == *"host inner2 cannot be used"*"no-such-thing: not found"* ]]
    step inner3 true
    run -3 timeout 60 "$FORAY"
    [[ $output == *"host inner3 cannot be used"*"ProxyCommand that ssh does not know: true %q"* ]]
}

@test "ProxyCommand: one that does nothing has its time, and no more" {
    configure "Host inner" "  ConnectTimeout 1" "  ProxyCommand sh -c 'echo \$\$ >>pids; sleep 1000'"
    step inner true
    run -3 timeout 60 "$FORAY"
    [[ $output == *"its ProxyCommand did not get through within 1 s"* ]]
    wait_until 5 no_process_of pids
}

# A proxy that does not end when its connection does.
stubborn() {
    printf '#!/bin/sh\necho $$ >>pids\nssh -F config -W "[$1]:$2" node1\nsleep 1000\n' >proxy && chmod 755 proxy
    configure "Host inner" "  HostName $address2" "  Port $port" "  ProxyCommand ./proxy %h %p"
}

@test "a proxy ends with the run, and when foray is killed, though it does not want to" {
    stubborn
    step inner 'echo hi'
    run -0 "$FORAY"
    [ -s pids ]
    wait_until 5 no_process_of pids
    rm pids
    step inner 'touch /tmp/runs; sleep 1000'
    in_background
    wait_until 20 test -e "$FORAY_FLEET/hosts/node2/tmp/runs"
    rm "$FORAY_FLEET/hosts/node2/tmp/runs"
    kill -KILL "$pid"
    wait_until 5 no_process_of pids
    wait_until 5 no_process_on node2
}

@test "Ctrl-C reaches steps behind a proxy: it is not itself ended by it" {
    stubborn
    step inner "trap 'sleep 0.5; touch /tmp/told; exit 1' TERM; touch /tmp/runs; while :; do sleep 0.1; done"
    env --default-signal=INT setsid "$FORAY" >out 2>err 3>&- &
    pid=$!
    wait_until 20 test -e "$FORAY_FLEET/hosts/node2/tmp/runs"
    kill -INT -- "-$pid"
    ended_with 10 130
    rm "$FORAY_FLEET/hosts/node2/tmp/runs" "$FORAY_FLEET/hosts/node2/tmp/told"
    wait_until 5 no_process_of pids
    [ -z "$(ls "$FORAY_FLEET/hosts/node2/tmp")" ]
}

@test "many hosts behind one jump get through, though it lets in only so many at once" {
    for n in $(seq 12); do
        printf 'Host inner%s\n  HostName 127.0.0.%s\n  Port %s\n  ProxyJump node1\n' "$n" $((3 + n % 3)) "$port"
    done >hosts
    configure "$(cat hosts)"
    printf 'hosts: {rack: {hosts: "inner[1-12]", slots: 1}}\nsteps: {t: {on: {every: rack}, run: "echo hi"}}\n' >foray.yaml
    run -0 "$FORAY"
    [[ $output != *"is lost"* ]]
}
