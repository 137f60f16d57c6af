# The ssh program: hosts that libssh2 cannot log in to are reached by it, with the same promises.
load helper

setup_file() {
    load helper
    mkdir -p "$BATS_FILE_TMPDIR/fleet/hosts/node2"
    echo "LogLevel INFO" >"$BATS_FILE_TMPDIR/fleet/hosts/node2/options" # log-ins are counted
    fleet_up 3
    local keys=$BATS_FILE_TMPDIR/keys
    mkdir "$keys"
    # Who has a certificate of this authority is let in; the key alone is not.
    ssh-keygen -q -t ed25519 -N '' -f "$keys/authority"
    ssh-keygen -q -t ed25519 -N '' -f "$keys/someone"
    ssh-keygen -q -s "$keys/authority" -I someone -n "$(id -un)" "$keys/someone.pub"
    sed 's/^/cert-authority /' "$keys/authority.pub" | tee -a "$FORAY_FLEET"/hosts/node{1,2}/authorized_keys >/dev/null
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
    export XDG_RUNTIME_DIR=$BATS_TEST_TMPDIR/r
    mkdir r
    configure "$keys/someone"
    cat >foray.yaml <<'Y'
hosts: {one: {hosts: node1, slots: 1}}
steps: {t: {on: one, run: "touch ~/began; until [ -e ~/go ]; do sleep 0.05; done; echo went"}}
Y
    rm -f "$FORAY_FLEET"/hosts/node*/home/{began,go}
}

configure() { # KEY
    echo "IdentityFile $1" >config
    sed '/IdentityFile/d; /IdentitiesOnly/d; /BatchMode/d' "$FLEET_CONFIG" >>config
    export FORAY_SSH_CONFIG=config HOME=$PWD
}
home() { echo "$FORAY_FLEET/hosts/$1/home"; }
no_socket() { [ -z "$(ls -A r/foray 2>/dev/null)" ]; }
nothing_left() { no_process_on node1 && no_process_on node2; }
is_gone() { ! kill -0 "$1" 2>/dev/null; }
in_background() {
    env --default-signal=INT "$FORAY" "$@" >out 2>err 3>&- &
    pid=$!
}

@test "a host that lets in certificates only: files go there and come back, more steps at once than a connection has sessions" {
    cat >foray.yaml <<'Y'
hosts: {two: {hosts: "node[1-2]", slots: 12}}
steps:
  work:
    each: 1..40
    on: two
    in: [data]
    out: ["sum.{{item}}"]
    run: "cksum <data >sum.{{item}}; sleep 0.2; echo {{item}}"
Y
    head -c 3000000 /dev/urandom >data
    run -0 --separate-stderr timeout 100 "$FORAY" -v
    [ "$(grep -c '^host node[12] is reached by the ssh program: .*; there is also a certificate' <<<"$stderr")" = 2 ]
    cksum <data >want
    for n in {1..40}; do cmp want "sum.$n"; done
    wait_until 20 nothing_left
    wait_until 5 no_socket
    run -0 "$FORAY" hosts node1
    [[ $output == *"(the ssh program)"* ]]
}

@test "copies too, to all and back" {
    head -c 5000000 /dev/urandom >data
    run -0 timeout 60 "$FORAY" copy data "node[1-2]:there"
    run -0 timeout 60 "$FORAY" copy node2:there back
    cmp data back
    run -0 timeout 60 "$FORAY" all -w "node[1-2]" 'echo here'
    [[ $output == *"node1: here"* && $output == *"node2: here"* ]]
}

@test "killed in any way, it leaves nothing there and no socket here" {
    local sig
    for sig in INT TERM HUP KILL; do
        in_background
        wait_until 20 test -e "$(home node1)/began"
        kill -s $sig "$pid"
        wait_until 10 is_gone "$pid"
        wait_until 10 nothing_left
        wait_until 10 no_socket
        rm "$(home node1)/began"
    done
}

@test "its connection is cut: the step runs again on another one" {
    in_background
    wait_until 20 test -e "$(home node1)/began"
    rm "$(home node1)/began"
    run -0 pgrep -x -P "$pid" ssh
    # the one without a command is the connection
    for p in $output; do
        if tr '\0' ' ' <"/proc/$p/cmdline" | grep -q -- ' -N '; then master=$p; fi
    done
    kill -KILL "$master"
    wait_until 40 test -e "$(home node1)/began"
    touch "$(home node1)/go"
    ended_with 40 0
    grep -qx went out
    [ "$(grep -c went out)" = 1 ]
    no_socket # which that one could not remove
}

@test "what it cannot do either is told in one line, with its own words; nobody is asked" {
    # the authority's word counts on two of three hosts
    sed -i 's/node1/node3/' foray.yaml
    run -3 timeout 60 "$FORAY"
    [[ $output == *"host node3 cannot be used: "*"; there is also a certificate, which only the ssh program can use; the ssh program says: "*"Permission denied (publickey"* ]]
    # a host key that is not the one it should be
    sed -i 's/node3/node1/' foray.yaml
    ssh-keygen -q -t ed25519 -N '' -f other
    read -r address port <"$FORAY_FLEET/hosts/node1/address"
    echo "[$address]:$port $(cut -d' ' -f1,2 other.pub)" >known
    sed -i '1iBindInterface lo\nUserKnownHostsFile known' config
    run -3 timeout 60 "$FORAY"
    [[ $output == *"says BindInterface, which only the ssh program knows; the ssh program says: "*"verification failed"* ]]
}

# --- what is much goes by it too, where libssh2 could do it ---

as_usual() { # the fleet's own key, which libssh2 can use; `two` steps there and back
    export FORAY_SSH_CONFIG=$FLEET_CONFIG
    cat >foray.yaml <<'Y'
hosts: {one: {hosts: node2, slots: 1, cache: 0}}
steps:
  t: {on: one, in: large, out: back, run: "cp large back; touch ~/began"}
Y
    [ -e large ] || head -c 70000000 /dev/urandom >large
}
logins() { grep -c "Accepted publickey" "$FORAY_FLEET/hosts/node2/log" || true; }

by_two_connections() {
    local before
    before=$(logins)
    timeout 100 "$FORAY" -B || return
    [ $(($(logins) - before)) = 2 ]
}

@test "what is much goes there and back on a connection of the ssh program" {
    as_usual
    # On a busy machine what is near may answer as late as what is far, to which it goes otherwise.
    wait_until 60 by_two_connections
    cmp large back
    # what is little does not ask for another one
    head -c 1000 large >little && mv little large
    before=$(logins)
    run -0 timeout 100 "$FORAY"
    cmp large back
    [ $(($(logins) - before)) = 1 ]
    wait_until 5 no_socket
}

@test "where the ssh program does not get there what is much goes as all else does" {
    as_usual
    mkdir bin
    # It answers questions, and that is all.
    printf '#!/bin/sh\nfor w; do [ "$w" != -G ] || exec %s "$@"; done\necho no >&2\nexit 255\n' "$(command -v ssh)" >bin/ssh
    chmod +x bin/ssh
    PATH=$PWD/bin:$PATH run -0 timeout 100 "$FORAY"
    cmp large back
}

@test "what is much, and its connection is cut: it is sent again" {
    as_usual
    head -c 400000000 /dev/zero | tr '\0' x >large
    in_background
    program() { pgrep -x -P "$pid" ssh; }
    coming() { [ -n "$(find "$FORAY_FLEET"/hosts/node2/tmp -name large -size +8M)" ]; }
    wait_until 60 coming
    program | xargs -r kill -KILL || true
    ended_with 200 0
    cmp large back
}
