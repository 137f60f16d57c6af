# Logging in: agents, files of keys, passphrases, passwords, what the server asks, and what only ssh can do.
load helper

setup_file() {
    load helper
    export TYPIST=$BATS_FILE_TMPDIR/typist
    "${CC:-cc}" -std=c11 -D_GNU_SOURCE -O1 -o "$TYPIST" "$BATS_TEST_DIRNAME/typist.c" || rm -f "$TYPIST"
    local hosts=$BATS_FILE_TMPDIR/fleet/hosts h
    mkdir -p "$hosts"/node{2,3,4}/etc/pam.d
    # Passwords as sshd looks for them by itself, and as PAM asks for them; root's is "correct horse".
    for h in node2 node3 node4; do
        # shellcheck disable=SC2016
        echo 'root:$5$salt$VceWD7himthAFDjAznpLECWSsOgDma/ItrVvf6K05b4:19000:0:99999:7:::' >"$hosts/$h/etc/shadow"
        printf '%s\n' 'auth required pam_unix.so' 'account required pam_permit.so' \
            'session required pam_permit.so' >"$hosts/$h/etc/pam.d/sshd"
    done
    printf '%s\n' "PermitRootLogin yes" "PasswordAuthentication yes" "PubkeyAuthentication no" >"$hosts/node2/options"
    printf '%s\n' "PermitRootLogin yes" "UsePAM yes" "KbdInteractiveAuthentication yes" "PubkeyAuthentication no" \
        >"$hosts/node3/options"
    printf '%s\n' "PermitRootLogin yes" "UsePAM yes" "KbdInteractiveAuthentication yes" \
        "AuthenticationMethods publickey,keyboard-interactive" >"$hosts/node4/options"
    fleet_up 4
    # Keys that node1 lets in, and two that it does not.
    local keys=$BATS_FILE_TMPDIR/keys
    mkdir "$keys"
    ssh-keygen -q -t ed25519 -N '' -f "$keys/plain"
    ssh-keygen -q -t ed25519 -N 'open sesame' -f "$keys/locked"
    ssh-keygen -q -t ecdsa -N 'open sesame' -m PEM -f "$keys/locked_pem"
    ssh-keygen -q -t rsa -N '' -f "$keys/rsa"
    ssh-keygen -q -t rsa -N 'open sesame' -f "$keys/locked_rsa"
    cat "$keys"/*.pub >>"$FORAY_FLEET/hosts/node1/authorized_keys"
    ssh-keygen -q -t ed25519 -N '' -f "$keys/foreign"
    ssh-keygen -q -t ed25519 -N 'open sesame' -f "$keys/locked_foreign"
}
teardown_file() {
    load helper
    fleet_down
}
setup() {
    cd "$BATS_TEST_TMPDIR" || return
    use_fleet
    keys=$BATS_FILE_TMPDIR/keys
    unset SSH_AUTH_SOCK SSH_ASKPASS DISPLAY
    read -r address1 port <"$FORAY_FLEET/hosts/node1/address"
}
teardown() {
    [ -z "${agent_pid:-}" ] || kill "$agent_pid" 2>/dev/null || true
    if [ -n "${agent_stopped:-}" ]; then kill -CONT "$agent_pid" 2>/dev/null || true; fi
}

# configure LINE...: the fleet's configuration, without its key, behind these lines; in the file config.
configure() {
    printf '%s\n' "$@" >config
    sed '/IdentityFile/d; /IdentitiesOnly/d; /BatchMode/d' "$FLEET_CONFIG" >>config
    export FORAY_SSH_CONFIG=config HOME=$PWD
}
step() { # HOSTS COMMAND
    printf 'hosts: {rack: {hosts: "%s", slots: 1}}\nsteps: {t: {on: {every: rack}, run: "%s"}}\n' "$1" "$2" >foray.yaml
}
needs_typist() { [ -x "$TYPIST" ] || skip "no compiler for tests/typist.c"; }
# Without a terminal, as in a cron job.
no_terminal() { setsid --wait "$@"; }
agent_answers() { ssh-add -l >/dev/null 2>&1 || [ $? = 1 ]; } # 1: it has no keys
agent() { # KEY...
    ssh-agent -D -a "$PWD/agent" 3>&- >/dev/null 2>&1 &
    agent_pid=$!
    export SSH_AUTH_SOCK=$PWD/agent
    wait_until 10 agent_answers
    [ $# = 0 ] || ssh-add -q "$@"
}
times() { # N TEXT: it stands so often in the output
    [ "$(grep -oF -- "$2" <<<"$output" | wc -l)" = "$1" ] || {
        echo "not $1 times: $2"
        echo "$output"
        return 1
    }
}

# --- keys ---

@test "a key of the agent, RSA too" {
    configure
    step node1 true
    agent "$keys/rsa"
    run -0 "$FORAY"
    ssh-add -q -D
    run -3 "$FORAY"
    [[ $output == *"node1 cannot be used: permission denied for user root: there is no key to try"* ]]
    ssh-add -q "$keys/plain"
    run -0 "$FORAY"
}

@test "the keys that the configuration names come first, and no others with IdentitiesOnly" {
    # Six tries are given, so the seventh key must come before the others.
    for n in 1 2 3 4 5 6 7; do ssh-keygen -q -t ed25519 -N '' -f "other$n"; done
    agent other? "$keys/plain"
    configure
    step node1 true
    run -3 "$FORAY"
    [[ $output == *"node1 cannot be used"*"Too many authentication failures"*"IdentitiesOnly"* ]]
    configure "IdentityFile $keys/plain"
    run -0 "$FORAY"
    # its public half is enough
    cp "$keys/plain.pub" half.pub
    configure "IdentityFile half.pub"
    run -0 "$FORAY"
    configure "IdentityFile other3" "IdentitiesOnly yes"
    run -3 "$FORAY"
    [[ $output == *"none of the keys was accepted (1 of the agent, 0 from files)"* ]]
}

@test "IdentityAgent: a path, a variable, none" {
    agent "$keys/plain"
    unset SSH_AUTH_SOCK
    step node1 true
    configure "IdentityAgent $PWD/agent"
    run -0 "$FORAY"
    # shellcheck disable=SC2016
    configure 'IdentityAgent $MY_AGENT'
    MY_AGENT=$PWD/agent run -0 "$FORAY"
    configure "IdentityAgent none"
    SSH_AUTH_SOCK=$PWD/agent run -3 "$FORAY"
    [[ $output == *"there is no key to try"* ]]
}

@test "an agent that hangs keeps nobody waiting but who needs it" {
    agent "$keys/plain"
    kill -STOP "$agent_pid"
    agent_stopped=yes
    configure "Host node1" "  IdentityFile $keys/plain"
    printf 'hosts: {rack: node1}\nsteps:\n  there: {on: rack, run: "true"}\n  here: {each: [1, 2, 3], run: "echo here"}\n' >foray.yaml
    in_background
    ended_with 30 0
    # The steps that run here are long over when the agent's time is up.
    [[ $(cat err) == *'here[3]'*"there on node1"* ]]
}

@test "an agent that has to ask its user: the log-in waits for it, beyond ConnectTimeout" {
    printf '#!/bin/sh\ntouch asked\nuntil [ -e answer ]; do sleep 0.1; done\n' >ask && chmod 755 ask
    export SSH_ASKPASS=$PWD/ask SSH_ASKPASS_REQUIRE=force DISPLAY=:0
    agent
    ssh-add -q -c "$keys/plain"
    configure "ConnectTimeout 5"
    step node1 true
    in_background
    wait_until 10 test -e asked
    before=$(grep -c "is lost" err || true) # where a log-in takes longer than that as far as here
    sleep 6 # longer than ConnectTimeout
    [ "$(grep -c "is lost" err || true)" = "$before" ]
    touch answer
    ended_with 10 0
}

@test "an agent that its user has forbidden to sign: the key of the file does it" {
    export SSH_ASKPASS=false SSH_ASKPASS_REQUIRE=force DISPLAY=:0
    agent
    ssh-keygen -q -t ed25519 -N '' -f second
    cat second.pub >>"$FORAY_FLEET/hosts/node1/authorized_keys"
    ssh-add -q -c "$keys/plain"
    configure "IdentityFile second"
    step node1 true
    run -0 "$FORAY"
    configure "IdentityFile $keys/foreign"
    run -3 "$FORAY"
    [[ $output == *"the agent refused to sign"* ]]
}

@test "an RSA key from a file" {
    configure "IdentityFile $keys/rsa"
    step node1 true
    run -0 "$FORAY"
    ssh-keygen -q -t rsa -m PEM -N '' -f pem
    cat pem.pub >>"$FORAY_FLEET/hosts/node1/authorized_keys"
    rm pem.pub
    configure "IdentityFile pem"
    run -0 "$FORAY"
}

# --- passphrases ---

@test "a locked key: one question, not echoed, for all hosts and connections" {
    needs_typist
    configure "IdentityFile $keys/locked" "Host node1 twin1 twin2" "  HostName $address1" "  Port $port" "  User root" \
        "  UserKnownHostsFile $FORAY_FLEET/known_hosts"
    printf 'hosts: {rack: {hosts: "node1,twin[1-2]", slots: 2}}\nsteps: {t: {on: {every: rack}, run: "echo said"}}\n' >foray.yaml
    run -0 "$TYPIST" "Enter passphrase for key '$keys/locked': " $'open sesame\n' -- "$FORAY"
    times 1 "Enter passphrase"
    times 0 "sesame"
    times 3 "said"
    # no agent is left
    wait_until 5 bash -c '! pgrep -f "^ssh-agent -s -D" -s 0 >/dev/null'
}

@test "a locked key: three tries, then the reason; nothing typed gives up" {
    needs_typist
    configure "IdentityFile $keys/locked"
    step node1 true
    run -0 "$TYPIST" "for key" $'wrong\n' "not the passphrase of $keys/locked" "" "for key" $'open sesame\n' -- "$FORAY"
    run -3 "$TYPIST" "for key" $'a\n' "for key" $'b\n' "for key" $'c\n' -- "$FORAY"
    times 3 "Enter passphrase"
    [[ $output == *"$keys/locked was not unlocked by what was typed"* ]]
    run -3 "$TYPIST" "for key" $'\n' -- "$FORAY"
    times 1 "Enter passphrase"
    [[ $output == *"wants a passphrase, and none was given: add it to the agent with ssh-add"* ]]
}

@test "locked keys of other formats, with and without their public half" {
    needs_typist
    step node1 true
    for key in locked_pem locked_rsa; do
        configure "IdentityFile $keys/$key"
        run -0 "$TYPIST" "for key" $'open sesame\n' -- "$FORAY"
        cp "$keys/$key" alone
        configure "IdentityFile alone"
        run -0 "$TYPIST" "for key" $'open sesame\n' -- "$FORAY"
        rm -f alone
    done
}

@test "a locked key that the host does not want is not asked for" {
    needs_typist
    configure "IdentityFile $keys/locked_foreign" "IdentityFile $keys/plain"
    step node1 true
    run -0 "$TYPIST" -- "$FORAY"
    times 0 "Enter passphrase"
}

@test "a locked key without a terminal, or with BatchMode: what to do is told" {
    configure "IdentityFile $keys/locked"
    step node1 true
    run -3 no_terminal "$FORAY"
    [[ $output == *"$keys/locked wants a passphrase, and there is no terminal to ask on: add it to the agent with ssh-add"* ]]
    needs_typist
    configure "IdentityFile $keys/locked" "BatchMode yes"
    run -3 "$TYPIST" -- "$FORAY"
    times 0 "Enter passphrase"
    [[ $output == *"wants a passphrase, and BatchMode forbids to ask"* ]]
}

@test "while a person is asked steps here go on, and nothing else is written" {
    needs_typist
    configure "IdentityFile $keys/locked"
    cat >foray.yaml <<'END'
hosts: {rack: node1}
steps:
  there: {on: rack, run: echo from there}
  here: {each: [1, 2, 3], run: "until [ -e go ]; do sleep 0.1; done; echo from here; touch done.{{item}}"}
END
    "$TYPIST" "for key" "" "file:answer" $'open sesame\n' -- "$FORAY" >said 2>&1 3>&- &
    wait_until 10 grep -q "for key" said
    touch go
    wait_until 10 test -e done.1 -a -e done.2 -a -e done.3
    run ! grep -q "from here" said
    touch answer
    wait_until 20 grep -q "4 steps done" said
    [ "$(grep -c "from here" said)" = 3 ]
    wait
}

@test "Ctrl-C at a question ends the run, and the terminal is as it was" {
    needs_typist
    configure "IdentityFile $keys/locked"
    step node1 true
    run -130 "$TYPIST" "for key" $'\003' "echo is on" "" -- sh -c 'trap : INT; "$FORAY"; s=$?; stty -a | grep -q " echo " && stty -a | grep -q "susp = ^Z" && echo echo is on; exit $s'
}

# --- what is typed ---

@test "a password: asked once for a host, three tries, not echoed" {
    needs_typist
    needs_root
    configure
    printf 'hosts: {rack: {hosts: node2, slots: 12}}\nsteps: {t: {each: [a, b, c, d, e, f, g, h, i, j, k, l], on: rack, run: "sleep 0.5; echo said"}}\n' >foray.yaml
    run -0 "$TYPIST" "root@node2's password: " $'wrong\n' "Permission denied, please try again." "" \
        "root@node2's password: " $'correct horse\n' -- "$FORAY"
    times 2 "password: "
    times 0 "horse"
    times 12 "said"
    run -3 "$TYPIST" "password: " $'a\n' "password: " $'b\n' "password: " $'c\n' -- "$FORAY"
    times 3 "password: "
    [[ $output == *"the password was not accepted (it offers: password)"* ]]
    configure "NumberOfPasswordPrompts 1"
    run -3 "$TYPIST" "password: " $'a\n' -- "$FORAY"
    times 1 "password: "
}

@test "keyboard-interactive: what the server asks is asked, its answers serve all connections to it" {
    needs_typist
    needs_root
    configure
    printf 'hosts: {rack: {hosts: node3, slots: 12}}\nsteps: {t: {each: [a, b, c, d, e, f, g, h, i, j, k, l], on: rack, run: "sleep 0.5; echo said"}}\n' >foray.yaml
    run -0 "$TYPIST" "(root@node3) Password: " $'wrong\n' "(root@node3) Password: " $'correct horse\n' -- "$FORAY"
    times 2 "Password: "
    times 0 "horse"
    times 12 "said"
}

@test "a key and then what the server asks" {
    needs_typist
    needs_root
    configure "IdentityFile $FORAY_FLEET/id"
    step node4 "echo said"
    run -0 "$TYPIST" "(root@node4) Password: " $'correct horse\n' -- "$FORAY"
    times 1 "said"
    configure "IdentityFile $keys/foreign"
    run -3 "$TYPIST" -- "$FORAY"
    [[ $output == *"none of the keys was accepted (0 of the agent, 1 from files) (it offers: publickey)"* ]]
}

@test "a host that is gone while a person thinks costs nothing meanwhile" {
    needs_typist
    needs_root
    configure "IdentityFile $FORAY_FLEET/id"
    step node4 "echo said"
    "$TYPIST" "(root@node4) Password: " "" file:go $'correct horse\n' -- "$FORAY" >out 2>&1 3>&- &
    typist=$!
    wait_until 30 contains out "Password: "
    pid=$(pgrep -P $typist)
    "$fleet" fault node4 killed
    ticks() { awk '{print $14 + $15}' "/proc/$pid/stat"; } # of 10 ms, that it has worked
    before=$(ticks)
    sleep 2
    [ $(($(ticks) - before)) -lt 50 ]
    touch go
    gone() { ! kill -0 $typist 2>/dev/null; }
    wait_until 60 gone
    "$fleet" heal node4
    contains out "is lost: the connection was closed"
}

@test "a password without a terminal, or with BatchMode, or where it is not allowed" {
    needs_root
    configure
    step node2 true
    run -3 no_terminal "$FORAY"
    [[ $output == *"node2 cannot be used: permission denied for user root: it takes no keys; there is no terminal to ask on"* ]]
    configure "BatchMode yes"
    run -3 "$FORAY"
    [[ $output == *"(it offers: password; BatchMode is set)"* ]]
    needs_typist
    configure "PasswordAuthentication no"
    run -3 "$TYPIST" -- "$FORAY"
    times 0 "password: "
    configure "PreferredAuthentications publickey,keyboard-interactive"
    run -3 "$TYPIST" -- "$FORAY"
    times 0 "password: "
    configure "PubkeyAuthentication no" "IdentityFile $keys/plain"
    step node1 true
    run -3 no_terminal "$FORAY"
    [[ $output == *"PubkeyAuthentication is off (it offers: publickey)"* ]]
}

# --- what only ssh can do ---

# fido FILE: a key whose private half is on a device that is not here.
fido() {
    cat >"$1" <<'END'
-----BEGIN OPENSSH PRIVATE KEY-----
b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAASgAAABpzay1zc2
gtZWQyNTUxOUBvcGVuc3NoLmNvbQAAACAAAQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRob
HB0eHwAAAARzc2g6AAAAiAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA
AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA
AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=
-----END OPENSSH PRIVATE KEY-----
END
}

@test "what only the ssh program could use is told, if nothing lets in" {
    step node1 true
    fido sk
    configure "IdentityFile sk" "IdentityFile $keys/foreign"
    run -3 "$FORAY"
    [[ $output == *"node1 cannot be used: "*"; there is also a FIDO key, which only the ssh program can use"* ]]
    configure "IdentityFile sk" "IdentityFile $keys/plain"
    run -0 "$FORAY"
    # a certificate beside a key that is not let in by itself
    ssh-keygen -q -t ed25519 -N '' -f authority
    cp "$keys/foreign" "$keys/foreign.pub" .
    ssh-keygen -q -s authority -I someone -n root foreign.pub
    configure "IdentityFile foreign"
    run -3 "$FORAY"
    [[ $output == *"; there is also a certificate, which only the ssh program can use"* ]]
    configure "CertificateFile foreign-cert.pub" "IdentityFile $keys/foreign"
    run -3 "$FORAY"
    [[ $output == *"; there is also a certificate, which only the ssh program can use"* ]]
    # GSSAPI is no way in where the server does not offer it
    configure "GSSAPIAuthentication yes" "IdentityFile $keys/foreign"
    run -3 "$FORAY"
    [[ $output != *"only the ssh program"* ]]
}
