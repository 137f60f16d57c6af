# Ways in: what the user's ssh configuration says of how to reach a host, as ssh itself does it.
load helper

setup_file() {
    load helper
    export TYPIST=$BATS_FILE_TMPDIR/typist
    "${CC:-cc}" -std=c11 -D_GNU_SOURCE -O1 -o "$TYPIST" "$BATS_TEST_DIRNAME/typist.c" || rm -f "$TYPIST"
    # The ninth that is not logged in is refused. What a handshake agrees on is in the log.
    export FORAY_FLEET_SSHD_OPTIONS="MaxStartups 9:100:9
KexAlgorithms curve25519-sha256,ecdh-sha2-nistp256
LogLevel DEBUG1"
    mkdir -p "$BATS_FILE_TMPDIR/fleet/hosts/node4"
    echo "Ciphers aes128-gcm@openssh.com" >"$BATS_FILE_TMPDIR/fleet/hosts/node4/options"
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
    run -3 timeout 120 "$FORAY" -k
    [[ $output == *"host inner is lost"*"ProxyJump"*"Connection refused"* ]]
}

@test "ProxyJump: a chain with users and ports, and tokens" {
    configure "Host inner" "  HostName $address3" "  Port $port" "  User root" \
        "  ProxyJump %r@$address1:$port,ssh://$address2:$port"
    step inner 'echo "$SSH_CONNECTION"'
    run -0 --separate-stderr "$FORAY"
    [[ $output == *" $address3 $port" ]]
    "$fleet" fault node2 refused
    run -3 timeout 120 "$FORAY"
    "$fleet" heal node2
    "$fleet" fault node1 refused
    run -3 timeout 120 "$FORAY"
}

@test "ProxyJump: what the jump says is told, and what is for good is not tried again" {
    configure "Host inner" "  HostName $address2" "  Port 1" "  ProxyJump node1"
    step inner true
    run -3 timeout 120 "$FORAY"
    [[ $output == *"host inner is lost"*"ProxyJump: "*"open failed"*"Connection refused"* ]]
    ssh-keygen -q -t ed25519 -N '' -f other
    configure "Host gate" "  HostName $address1" "  Port $port" "  IdentityFile other" "  IdentitiesOnly yes" \
        "  UserKnownHostsFile $FORAY_FLEET/known_hosts" "Host inner" "  HostName $address2" "  ProxyJump gate"
    run -3 timeout 120 "$FORAY"
    [[ $output == *"host inner cannot be used"*"ProxyJump: "*"Permission denied (publickey)"* ]]
    sed -i "s|UserKnownHostsFile $FORAY_FLEET/known_hosts|UserKnownHostsFile none|" config
    run -3 timeout 120 "$FORAY"
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

@test "ProxyCommand: bash does not take foray for rshd, and runs no start-up file for it" {
    command -v bash >/dev/null || skip "there is no bash"
    configure "Host inner" "  HostName $address2" "  Port $port" "  ProxyCommand ssh -F config -W %h:%p node1"
    mkdir home
    echo 'touch ~/read' >home/.bashrc
    step inner true
    export HOME=$PWD/home SHELL
    SHELL=$(command -v bash)
    run -0 env -u SHLVL "$FORAY" -B
    run -0 env SHLVL=0 "$FORAY" -B
    [ ! -e home/read ]
}

@test "ProxyCommand: what fails is told with its last words" {
    configure "Host inner" "  ProxyCommand sh -c 'echo first >&2; echo cannot get there >&2; exit 1'" \
        "Host inner2" "  ProxyCommand ./no-such-thing %h" "Host inner3" "  ProxyCommand true %q"
    step inner true
    run -3 timeout 120 "$FORAY"
    [[ $output == *"host inner is lost: no connection came about (ProxyCommand: first; cannot get there)"* ]]
    step inner2 true
    run -3 timeout 120 "$FORAY"
    [[ $output == *"host inner2 cannot be used"*"no-such-thing: not found"* ]]
    step inner3 true
    run -3 timeout 120 "$FORAY"
    [[ $output == *"host inner3 cannot be used"*"ProxyCommand that ssh does not know: true %q"* ]]
}

@test "ProxyCommand: one that does nothing has its time, and no more" {
    configure "Host inner" "  ConnectTimeout 1" "  ProxyCommand sh -c 'echo \$\$ >>pids; sleep 1000'"
    step inner true
    : >pids # which it may not come to
    run -3 timeout 120 "$FORAY"
    [[ $output == *"its ProxyCommand did not get through within 1 s"* ]]
    wait_until 20 no_process_of pids
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
    wait_until 20 no_process_of pids
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
    step inner "trap 'sleep 0.1; touch /tmp/told; exit 1' TERM; touch /tmp/runs; while :; do sleep 0.1; done"
    env --default-signal=INT setsid "$FORAY" >out 2>err 3>&- &
    pid=$!
    wait_until 20 test -e "$FORAY_FLEET/hosts/node2/tmp/runs"
    kill -INT -- "-$pid"
    ended_with 10 130
    rm "$FORAY_FLEET/hosts/node2/tmp/runs" "$FORAY_FLEET/hosts/node2/tmp/told"
    wait_until 5 no_process_of pids
    wait_until 5 eval '[ -z "$(ls "$FORAY_FLEET/hosts/node2/tmp")" ]'
}

@test "many hosts behind one jump get through, though it lets in only so many at once" {
    for n in $(seq 12); do
        printf 'Host inner%s\n  HostName 127.0.0.%s\n  Port %s\n  ProxyJump node1\n' "$n" $((3 + n % 2)) "$port"
    done >hosts
    configure "$(cat hosts)"
    printf 'hosts: {rack: {hosts: "inner[1-12]", slots: 1}}\nsteps: {t: {on: {every: rack}, run: "echo hi"}}\n' >foray.yaml
    run -0 "$FORAY"
    [[ $output != *"is lost"* ]]
}

# --- what a connection is like ---

# agreed HOST: what the last handshake with the host has agreed on.
agreed() {
    sed -n 's/.*kex: //p' "$FORAY_FLEET/hosts/$1/log" | tail -4 | tr '\n' ' '
}

@test "without a word in the configuration: the fastest cipher and MAC that are safe, and no compression" {
    step node1 true
    run -0 "$FORAY"
    [[ $(agreed node1) == *"algorithm: curve25519-sha256"*"key algorithm: ssh-ed25519"* ]]
    [[ $(agreed node1) == *"client->server cipher: aes128-ctr MAC: hmac-sha1 compression: none"* ]]
    [[ $(agreed node1) == *"server->client cipher: aes128-ctr MAC: hmac-sha1 compression: none"* ]]
}

@test "Ciphers, MACs, KexAlgorithms, HostKeyAlgorithms and Compression are honoured" {
    configure "Ciphers chacha20-poly1305@openssh.com,aes256-ctr,aes128-ctr" "MACs hmac-sha2-512,hmac-sha1" \
        "KexAlgorithms ecdh-sha2-nistp256" "HostKeyAlgorithms ecdsa-sha2-nistp256,ssh-ed25519" "Compression yes"
    step node1 'head -c 100000 /dev/zero | tr "\\0" x'
    run -0 --separate-stderr "$FORAY"
    [ "${#output}" = 100000 ]
    [[ $(agreed node1) == *"algorithm: ecdh-sha2-nistp256"*"key algorithm: ssh-ed25519"* ]]
    [[ $(agreed node1) == *"client->server cipher: aes256-ctr MAC: hmac-sha2-512 compression: zlib@openssh.com"* ]]
}

@test "what is much goes by the ssh program's fastest cipher here, unless the configuration has chosen" {
    [ "$(getconf _NPROCESSORS_ONLN)" -gt 1 ] || skip "what is much has no connection of its own"
    head -c 70000000 /dev/zero >much
    cipher=chacha20-poly1305@openssh.com
    if grep -qw aes /proc/cpuinfo; then cipher=aes128-gcm@openssh.com; fi
    goes_by() { # CIPHER
        "$FORAY" copy much node1:much && [[ $(agreed node1) == *"client->server cipher: $1 "* ]]
    }
    # On a busy machine what is near may answer as late as what is far, to which it goes otherwise.
    configure
    wait_until 60 goes_by "$cipher"
    configure "Ciphers chacha20-poly1305@openssh.com,aes256-ctr"
    wait_until 60 goes_by chacha20-poly1305@openssh.com
    rm -f "$FORAY_FLEET/hosts/node1/home/much"
}

@test "what the configuration or the host allows and the library does not know is left to the ssh program" {
    for line in "Ciphers chacha20-poly1305@openssh.com" "MACs umac-64@openssh.com"; do
        configure "$line"
        step node1 'echo there'
        run -0 --separate-stderr timeout 60 "$FORAY" -v
        [ "$output" = there ]
        [[ $stderr == *"host node1 is reached by the ssh program: its ssh configuration allows no "*"${line#* }"* ]]
    done
    for line in "KexAlgorithms sntrup761x25519-sha512@openssh.com" "HostKeyAlgorithms sk-ssh-ed25519@openssh.com"; do
        configure "$line"
        run -3 timeout 60 "$FORAY"
        [[ $output == *"host node1 cannot be used: its ssh configuration allows no "*"${line#* }; the ssh program says: Unable to negotiate"* ]]
    done
    configure
    step node4 'echo there'
    run -0 --separate-stderr timeout 60 "$FORAY" -v
    [ "$output" = there ]
    [[ $stderr == *"host node4 is reached by the ssh program: it offers no cipher, MAC, key exchange"* ]]
}

@test "AddressFamily and BindAddress are honoured" {
    configure "AddressFamily inet6"
    step node1 'echo "$SSH_CONNECTION"'
    run -3 timeout 120 "$FORAY"
    [[ $output == *"cannot find the address of $address1"* ]]
    configure "AddressFamily inet" "BindAddress 127.0.0.99"
    run -0 --separate-stderr "$FORAY"
    [[ $output == "127.0.0.99 "* ]]
    configure "BindAddress 192.0.2.1"
    run -3 timeout 120 "$FORAY"
    [[ $output == *"cannot connect to $address1 port $port from 192.0.2.1"* ]]
}

@test "ConnectTimeout: a host that takes the connection and says nothing" {
    configure "ConnectTimeout 1"
    step node1 true
    "$fleet" fault node1 hung
    run -3 timeout 120 "$FORAY"
    [[ $output == *"host node1 is lost: it accepts the connection, but does not go on within 1 s"* ]]
}

@test "ServerAliveInterval and ServerAliveCountMax: how soon a silent host is noticed" {
    configure "ServerAliveInterval 1" "ServerAliveCountMax 2"
    step node1 'touch /tmp/runs; sleep 1000'
    in_background
    wait_until 20 test -e "$FORAY_FLEET/hosts/node1/tmp/runs"
    "$fleet" fault node1 hung
    wait_until 10 grep -qF "node1 is lost: no sign of life for 2 s" err
    kill -TERM "$pid"
    ended_with 10 143
}

@test "who was stopped for a while does not take its hosts for silent" {
    configure "ServerAliveInterval 3" "ServerAliveCountMax 2"
    step node1 'touch /tmp/runs; until [ -e /tmp/go ]; do sleep 0.1; done; rm /tmp/runs /tmp/go'
    in_background
    wait_until 20 test -e "$FORAY_FLEET/hosts/node1/tmp/runs"
    kill -STOP "$pid"
    sleep 8 # more than 6 s; what runs there does without a word from us for 10 s or more
    kill -CONT "$pid"
    sleep 3 # in which it would notice
    touch "$FORAY_FLEET/hosts/node1/tmp/go"
    ended_with 10 0
    run ! grep -q "is lost" err
}

@test "names of files have ssh's tokens, variables and ~" {
    mkdir -p home/.ssh
    cp "$FORAY_FLEET/id" "home/.ssh/k-$address1-node1-root-$port"
    cp "$FORAY_FLEET/known_hosts" "home/known hosts"
    # shellcheck disable=SC2016
    sed -e '/IdentityFile/d; /KnownHostsFile/d' "$FLEET_CONFIG" >config
    printf 'Host node1\n  IdentityFile %%d/.ssh/k-%%h-%%n-%%r-%%p\n  UserKnownHostsFile /nonexistent "${HERE}/known hosts"\n' >>config
    step node1 true
    HERE=$PWD/home HOME=$PWD/home FORAY_SSH_CONFIG=config run -0 "$FORAY"
    sed -i 's|%d/.ssh|~/.ssh|' config
    HERE=$PWD/home HOME=$PWD/home FORAY_SSH_CONFIG=config run -0 "$FORAY"
    # shellcheck disable=SC2016
    sed -i 's|~/.ssh|${HERE}/.ssh|' config
    HERE=$PWD/home HOME=$PWD/home FORAY_SSH_CONFIG=config run -0 "$FORAY"
    # names in foray.yaml are names
    mkdir '%d' && mv "home/.ssh/k-$address1-node1-root-$port" '%d/${HERE}'
    # shellcheck disable=SC2016
    echo 'hosts: {rack: {hosts: node1, ssh: {identity: "%d/${HERE}"}}}
steps: {t: {on: rack, run: "true"}}' >foray.yaml
    HERE=$PWD/home HOME=$PWD/home FORAY_SSH_CONFIG=config run -0 "$FORAY"
}

# --- known_hosts ---

@test "known_hosts: foray trusts whom ssh trusts" {
    name="[$address1]:$port"
    key=$(grep -F "$name" "$FORAY_FLEET/known_hosts" | cut -d' ' -f2-)
    other=$(grep -vF "$name" "$FORAY_FLEET/known_hosts" | head -1 | cut -d' ' -f2-)
    step node1 true
    configure "UserKnownHostsFile $PWD/known1 $PWD/known2"
    try() { # WHAT, the first file, the second
        local by_ssh=3
        printf '%s' "$2" >known1
        printf '%s' "${3-}" >known2
        if ssh -F config node1 true; then by_ssh=0; fi
        run "$FORAY"
        [ "$status" = "$by_ssh" ] || {
            echo "$1: ssh: $by_ssh, foray: $status: $output"
            return 1
        }
        echo "$by_ssh" >>answers
    }
    ssh-keygen -q -t rsa -N '' -f rsa
    printf '%s %s\n' "$name" "$key" >hashed && ssh-keygen -q -H -f hashed
    try plain "$name $key"$'\n'
    try "no newline at the end" "$name $key"
    try "unknown" "[$address2]:$port $key"$'\n'
    try "empty" ""
    try "another key" "$name $other"$'\n'
    try "one of two keys" "$name $other"$'\n'"$name $key"$'\n'
    try "in the second file" "$name $other"$'\n' "$name $key"$'\n'
    try hashed "$(cat hashed)"$'\n'
    try "several names" "foo,$name,bar $key a comment"$'\n'
    try "comments and blanks" $'# comment\n\n   \t\n  \t'"$name"$'\t'"$key"$'\n'
    try "malformed lines" $'nonsense\n|1|x|y ssh-ed25519 zzz\n'"$name ssh-ed25519 %%%%"$'\n'"$name $key"$'\n'
    try pattern "[127.0.0.*]:* $key"$'\n'
    try "pattern with ?" "[127.0.0.?]:$port $key"$'\n'
    try "denied" "[127.0.0.*]:*,![127.0.0.2]:* $key"$'\n'
    try "denied, then allowed" "![127.0.0.2]:*,[127.0.0.*]:* $key"$'\n'
    try "denied another" "![127.0.0.3]:*,[127.0.0.*]:* $key"$'\n'
    try "only denied" "![127.0.0.3]:* $key"$'\n'
    try "at the usual port" "$address1 $key"$'\n'
    try "another key at the usual port" "$address1 $other"$'\n'
    try "revoked" "$name $key"$'\n'"@revoked * $key"$'\n'
    try "revoked in the second file" "$name $key"$'\n' "@revoked * $key"$'\n'
    try "another key is revoked" "$name $key"$'\n'"@revoked * $other"$'\n'
    try "revoked for another host" "$name $key"$'\n'"@revoked 127.0.0.3 $key"$'\n'
    try "an authority for others" "@cert-authority *.example.com $other"$'\n'"$name $key"$'\n'
    try "an authority, and the key" "@cert-authority * $other"$'\n'"$name $key"$'\n'
    try "an unknown marker" "@nonsense $name $key"$'\n'
    try "a key of another type beside it" "$name $(cut -d' ' -f1,2 rsa.pub)"$'\n'"$name $key"$'\n'
    try "Windows line ends" "$name $key"$'\r\n'
    [ "$(grep -c 0 answers)" -ge 12 ] && [ "$(grep -c 3 answers)" -ge 8 ]
}

@test "known_hosts: HostKeyAlias, RevokedHostKeys, and what only ssh can check" {
    name="[$address1]:$port"
    key=$(grep -F "$name" "$FORAY_FLEET/known_hosts" | cut -d' ' -f2-)
    other=$(grep -vF "$name" "$FORAY_FLEET/known_hosts" | head -1 | cut -d' ' -f2-)
    step node1 true
    configure "UserKnownHostsFile $PWD/known" "HostKeyAlias The-Alias" "RevokedHostKeys $PWD/revoked"
    echo "the-alias $key" >known
    echo "$other" >revoked
    run -0 "$FORAY"
    printf '# some keys\n%s comment\n' "$key" >revoked
    run -3 "$FORAY"
    [[ $output == *"cannot be used"*"is revoked in $PWD/revoked:2"* ]]
    rm revoked
    run -3 "$FORAY"
    [[ $output == *"cannot be used: $PWD/revoked, its RevokedHostKeys, cannot be read"* ]]
    ssh-keygen -q -k -f revoked "$FORAY_FLEET/id.pub"
    run -0 "$FORAY" -v
    [[ $output == *"can be checked by the ssh program only, since $PWD/revoked is a binary list"* ]]
    sed 's/ comment//; 1d' <<<"# some keys
$key" >one.pub
    ssh-keygen -q -k -f revoked one.pub
    run -3 "$FORAY"
    [[ $output == *"is a binary list"*"; the ssh program says: "*"verification failed"* ]]
    configure "UserKnownHostsFile $PWD/known"
    printf '# none\n@cert-authority 127.*,[127.*]:* %s\n' "$other" >known
    run -3 "$FORAY"
    [[ $output == *"can be checked by the ssh program only, since $PWD/known:2 names an authority for it; the ssh program says: "*"verification failed"* ]]
    ssh-keygen -q -t rsa -N '' -f rsa
    echo "$name $(cat rsa.pub)" >known
    run -3 "$FORAY"
    [[ $output == *"cannot be used: of its host keys only such are known as this libssh2 "* ]]
}

@test "known_hosts: how to accept a key is told, and works" {
    # shellcheck disable=SC2016
    accept() { sed -n 's/.*: \(ssh.*\)$/\1/p' <<<"$output" | head -1; }
    name="[$address2]:$port"
    grep -vF "$name" "$FORAY_FLEET/known_hosts" >"known hosts"
    configure "UserKnownHostsFile \"$PWD/known hosts\""
    step node2 true
    run -3 "$FORAY"
    [[ $output == *"its host key SHA256:"*" is not known; if it is the right one, accept it with: ssh-keyscan "* ]]
    bash -c "$(accept)" 2>/dev/null
    run -0 "$FORAY"
    # a changed one: forget, accept
    other=$(grep -vF "$name" "known hosts" | head -1 | cut -d' ' -f2-)
    sed -i "s|^\(.*$address2.*:$port\) .*|\1 $other|" "known hosts"
    run -3 "$FORAY"
    [[ $output == *"ITS HOST KEY HAS CHANGED to SHA256:"*"known hosts:"[0-9]*" says: somebody may be in between"* ]]
    bash -c "$(accept)" >/dev/null
    run -3 "$FORAY"
    bash -c "$(accept)" 2>/dev/null
    run -0 "$FORAY"
    # behind a proxy ssh-keyscan does not get there
    grep -vF "$name" "$FORAY_FLEET/known_hosts" >"known hosts"
    configure "UserKnownHostsFile \"$PWD/known hosts\"" "Host node2" "  ProxyJump node1"
    run -3 "$FORAY"
    [[ $(accept) == "ssh -oBatchMode=no -oStrictHostKeyChecking=ask -F $PWD/config -l root -p $port node2 exit" ]]
    [ -x "$TYPIST" ] || skip "no compiler for tests/typist.c"
    "$TYPIST" "(yes/no" $'yes\n' -- bash -c "$(accept)" >/dev/null
    run -0 "$FORAY"
}
