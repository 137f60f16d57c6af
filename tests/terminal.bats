# `console: true` on hosts: a terminal there, joined with the one here.
load helper

setup_file() {
    load helper
    export TYPIST=$BATS_FILE_TMPDIR/typist
    "${CC:-cc}" -std=c11 -D_GNU_SOURCE -O1 -o "$TYPIST" "$BATS_TEST_DIRNAME/typist.c" || rm -f "$TYPIST"
    local hosts=$BATS_FILE_TMPDIR/fleet/hosts
    mkdir -p "$hosts"/node{2,3}
    echo "MaxSessions 1" >"$hosts/node2/options"
    echo "PermitTTY no" >"$hosts/node3/options"
    fleet_up 4
}
teardown_file() {
    load helper
    fleet_down
}
setup() {
    cd "$BATS_TEST_TMPDIR" || return
    use_fleet
    export TERM=xterm
    [ -x "$TYPIST" ] || skip "no compiler for tests/typist.c"
    # What a person's shell does: foray, and then a look at the terminal.
    cat >shell <<'S'
tty >tty.new
stty rows 40 columns 100 erase ^K -ixon
stty -g >before
mv tty.new tty
"$FORAY" "$@"
status=$?
echo $status >status
stty -g >after
exit $status
S
}
teardown() {
    [ ! -e healing ] || "$fleet" heal "$(cat healing)"
}

# The step, with one key a line, is told in the file.
step() { # HOST COMMAND...
    printf 'hosts: {rack: %s}\nsteps:\n  t:\n    on: rack\n    console: true\n    run: |\n' "$1" >foray.yaml
    printf '      %s\n' "${@:2}" >>foray.yaml
}
typing() { "$TYPIST" "$@" -- sh shell; }
# The same in the background: foray's own number is in $pid when "ready" stands on the terminal.
typing_behind() {
    rm -f said # by the one before
    "$TYPIST" "$@" -- sh shell >said 2>&1 3>&- &
    typist=$!
    wait_until 20 contains said ready
    pid=$(pgrep -P "$(pgrep -P $typist)" -x foray)
}
# Hosts that only the ssh program can log in to.
by_program() {
    sed 's/^Host node\*$/&\n  BindInterface lo/' "$FORAY_SSH_CONFIG" >config
    export FORAY_SSH_CONFIG=$PWD/config
}
as_it_was() { cmp -s before after; }
is_as_it_was() { stty -g <"$(cat tty)" | cmp -s before -; }
run_there() { # N HOST: so many sleep there
    [ "$("$fleet" ps "$2" | grep -c '^[0-9]* sleep 1234 *$' || true)" = "$1" ]
}

stays() { # HOST [SECONDS]: the step does its best to stay
    local sleep="sleep ${2:-1234}"
    step "$1" 'trap "" HUP INT TERM' "nohup setsid $sleep >/dev/null 2>&1 &" "$sleep &" 'echo ready' "$sleep"
}
so_many_stay() { run_there "$1" node1; }
# Each of them ends foray, and the step.
ends_by() { # SIGNAL...
    local signal
    for signal; do
        rm -f status after
        typing_behind
        wait_until 20 so_many_stay 3
        run ! is_as_it_was
        kill -$signal "$pid"
        wait_until 5 so_many_stay 0
        wait_until 10 gone $typist
        if [ $signal = KILL ]; then [ "$(cat status)" = 137 ]; else as_it_was; fi
        wait $typist || true
    done
}

looks_at_it() { # HOST
    step "$1" '[ -t 0 ] && [ -t 1 ] && [ -t 2 ]' 'stty -a' 'echo "$TERM $(stty size) $(tty) $SSH_TTY"' \
        'trap "echo now \$(stty size)" WINCH' 'echo ready' 'until [ "$(stty size)" = "33 77" ]; do sleep 0.1; done' 'until read x; do :; done' 'echo "read $x"'
}
is_like_this_one() {
    rm -f tty
    typing_behind "now 33 77" $'word\n' "read word" ""
    stty rows 33 columns 77 <"$(cat tty)"
    wait $typist
    contains said "erase = ^K;"
    contains said " -ixon "
    grep -E '^xterm 40 100 (/dev/pts/[0-9]+) \1' said
    as_it_was
}

@test "a terminal there, of this kind, modes and size, which it follows" {
    looks_at_it node1
    is_like_this_one
}

@test "Ctrl-C and Ctrl-Z are the step's, and so are its status and what comes after" {
    step node1 'trap "echo got INT" INT' 'trap "echo got TSTP" TSTP' '(echo ready; exec sleep 1234) || echo "ended $?"' \
        'read x || read x' 'exit 7'
    printf '  u: {needs: t, when: always, run: echo from u}\n' >>foray.yaml
    run -1 typing ready $'\003' "got INT" "" "ended 130" $'\032' "got TSTP" $'\n' "exit status 7" "" "from u" ""
    as_it_was
}

@test "every key arrives as it is typed, and everything is shown as it is written" {
    step node1 'stty raw -echo' 'echo ready' 'head -c 8 >keys' 'printf "\033[7mred\r\n"'
    printf '    out: keys\n' >>foray.yaml
    run -0 typing ready $'\001\021\023\032\004\034\r\377' $'\033[7mred' ""
    [ "$(od -An -tx1 <keys)" = " 01 11 13 1a 04 1c 0d ff" ]
    as_it_was
}

@test "much is shown whole, though whoever reads it takes his time" {
    step node1 'echo ready' 'seq 300000'
    cat >shell <<'S'
"$FORAY" | { sleep 1; cat; } | sha256sum >sum
S
    run -0 typing
    [ "$({ echo ready; seq 300000; } | sed 's/$/\r/' | sha256sum)" = "$(cat sum)" ]
}

@test "files go there before, and come back after" {
    echo here >a.in
    step node1 'cat a.in' 'read x' 'echo "$x $(cat a.in)" >a.out'
    printf '    in: a.in\n    out: a.out\n' >>foray.yaml
    run -0 typing here $'and\n'
    [ "$(cat a.out)" = "and here" ]
}

@test "one at a time, and what others write waits" {
    cat >foray.yaml <<'Y'
hosts: {rack: {hosts: "node[1,4]", slots: 2}}
steps:
  t: {each: [one, two], on: rack, console: true, run: "echo begin; sleep 0.5; echo end; read x"}
  other: {each: [a, b, c, d], on: rack, run: "echo other"}
Y
    run -0 typing end $'\n' end $'\n'
    [ "$(grep -A1 '^begin' <<<"$output" | grep -c '^end')" = 2 ]
    [ "$(grep -c '^other' <<<"$output")" = 4 ]
    as_it_was
}

@test "nothing is left there, and the terminal is as it was: TERM, HUP, KILL" {
    stays node1
    ends_by TERM HUP KILL
}

@test "foray is killed: the terminal is as it was even so" {
    step node1 'echo ready' 'sleep 1234'
    sed -i 's/^stty -g >after/until stty -g | cmp -s before -; do sleep 0.1; done/' shell
    typing_behind
    run ! is_as_it_was
    kill -KILL "$pid"
    wait_until 20 gone $typist
    wait_until 5 run_there 0 node1
}

@test "what it leaves when it ends by itself goes with it" {
    step node1 'nohup setsid sleep 1234 >/dev/null 2>&1 &' 'sleep 1234 &' 'echo well'
    run -0 typing well ""
    wait_until 20 run_there 0 node1
}

@test "the connection is lost: the terminal is as it was, nothing is left there" {
    needs_root
    step node4 'trap "" HUP' 'sleep 1234 &' 'echo ready' 'sleep 1234'
    typing_behind
    echo node4 >healing
    "$fleet" fault node4 killed
    wait_until 10 is_as_it_was
    wait_until 20 run_there 0 node4
    wait_until 60 gone $typist
    as_it_was
}

@test "we are stopped and go on: the terminal is the shell's meanwhile" {
    step node1 'echo ready' 'read x' 'echo "read $x"'
    cat >shell <<'S'
set -m
tty >tty.new
stty -g >before
mv tty.new tty
"$FORAY"
stty -g >meanwhile
until [ -e go ]; do sleep 0.1; done
fg
status=$?
stty -g >after
exit $status
S
    typing_behind "file:typing" $'word\n' "read word" ""
    run ! is_as_it_was
    kill -TSTP "$pid"
    wait_until 10 test -s meanwhile
    cmp before meanwhile
    is_as_it_was
    touch go
    is_raw() { ! is_as_it_was; }
    wait_until 10 is_raw
    touch typing
    wait $typist
    as_it_was
}

# Steps t, which has the terminal, and u, whose host asks for a passphrase: the second one waits for the first.
turns() { # FIRST WHAT-IT-SAYS WHAT-THE-OTHER-SAYS
    ssh-keygen -q -t ed25519 -N 'open sesame' -f locked
    cat locked.pub >>"$FORAY_FLEET/hosts/node4/authorized_keys"
    printf 'Host node4\n  IdentityFile locked\nHost node1\n  IdentityFile %s\n' "$FORAY_FLEET/id" >config
    sed '/IdentityFile/d; /BatchMode/d' "$FLEET_CONFIG" >>config
    export FORAY_SSH_CONFIG=config HOME=$PWD
    unset SSH_AUTH_SOCK
    cat >foray.yaml <<'Y'
hosts: {rack: node1, other: node4}
steps:
  t: {on: rack, console: true, run: "echo ready; read x; echo read $x"}
  u: {on: other, run: echo from u}
  first: {run: "until grep -q '^TEXT' said; do sleep 0.1; done"}
Y
    sed -i "s/TEXT/$2/; /^  $1:/!s/{on/{needs: first, on/" foray.yaml
    "$TYPIST" "${@:4}" "from u" "" -- sh shell >said 2>&1 3>&- &
    typist=$!
    wait_until 20 contains said "$2"
    sleep 2 # more than enough for the other one
    run ! contains said "$3"
    touch go
    wait $typist
    as_it_was
}
@test "what is to be asked on the terminal waits for who has it" {
    turns t ready "Enter pass" ready "" file:go $'word\n' "read word" "" "Enter pass" $'open sesame\n'
}
@test "who is to have the terminal waits for what is asked on it" {
    turns u "Enter pass" ready "Enter pass" "" file:go $'open sesame\n' ready $'word\n' "read word" ""
}

@test "a server that allows one session on a connection: by another one" {
    step node2 'echo a >a' 'cat a' 'read x'
    printf '    out: a\n' >>foray.yaml
    run -0 typing a $'\n'
    [ "$(cat a)" = a ]
    as_it_was
}

@test "by the ssh program too: of this kind, modes and size, and every key arrives as it is typed" {
    by_program
    step node1 '[ -t 0 ] && [ -t 1 ] && [ -t 2 ]' 'stty -a' 'echo "$TERM $(stty size) $(tty) $SSH_TTY"' \
        'trap "echo now \$(stty size)" WINCH' 'echo ready' 'until [ "$(stty size)" = "33 77" ]; do sleep 0.1; done' 'until read x; do :; done' 'stty raw -echo; echo more; head -c 8 >keys'
    printf '    out: keys\n' >>foray.yaml
    typing_behind "now 33 77" $'word\n' more $'\001\021\023\032\004\034\r\377'
    stty rows 33 columns 77 <"$(cat tty)"
    wait $typist
    contains said "erase = ^K;"
    contains said " -ixon "
    grep -E '^xterm 40 100 (/dev/pts/[0-9]+) \1' said
    [ "$(od -An -tx1 <keys)" = " 01 11 13 1a 04 1c 0d ff" ]
    as_it_was
}

@test "by the ssh program: nothing is left there, and the terminal is as it was: TERM, KILL" {
    by_program
    stays node1
    ends_by TERM KILL
}

# By a command that has no terminal for us; the second one is told what the step needs, and so runs once for each step.
launched() { # COMMAND...
    sed -i "s|^hosts: .*|hosts: {rack: {hosts: box, slots: 2, launch: [$1]}}|" foray.yaml
}
launched_each_way() { # COMMAND...: is run with either
    launched env
    "$@"
    launched 'env, "CPUS={{cpus}}"'
    "$@"
}

@test "by a launcher: a terminal there, of this kind, modes and size, which it follows" {
    looks_at_it box
    launched_each_way is_like_this_one
}

@test "by a launcher: Ctrl-C and Ctrl-Z are the step's, every key arrives, and its files come back" {
    echo here >a.in
    step box 'trap "echo got INT" INT' 'trap "echo got TSTP" TSTP' '(echo ready; exec sleep 1234) || echo "ended $?"' \
        'read x || read x' 'stty raw -echo' 'echo raw' 'head -c 8 >keys' 'cat a.in >a.out' 'stty sane' 'exit 7'
    printf '    in: a.in\n    out: [keys, a.out]\n    allow: 7\n' >>foray.yaml
    launched env
    run -0 typing ready $'\003' "got INT" "" "ended 130" $'\032' "got TSTP" $'\n' raw $'\001\021\023\032\004\034\r\377' "1 step done" ""
    [ "$(od -An -tx1 <keys)" = " 01 11 13 1a 04 1c 0d ff" ]
    [ "$(cat a.out)" = here ]
    as_it_was
}

@test "by a launcher: much is shown whole, and much that is typed is read" {
    step box 'echo ready' 'seq 300000'
    launched env
    cat >shell <<'S'
"$FORAY" | { sleep 1; cat; } | sha256sum >sum
S
    run -0 typing
    [ "$({ echo ready; seq 300000; } | sed 's/$/\r/' | sha256sum)" = "$(cat sum)" ]
    step box 'stty raw -echo' 'echo ready' 'sleep 0.5' 'head -c 100000 | sha256sum >sum' 'cat sum'
    launched env
    echo '"$FORAY"' >shell
    head -c 100000 /dev/zero | tr '\0' x >typed
    run -0 typing ready "$(cat typed)" "  -" ""
    [[ $output == *"$(sha256sum <typed)"* ]]
}

@test "by a launcher: nothing is left, and the terminal is as it was: TERM, HUP, KILL" {
    so_many_stay() { [ "$(pgrep -c -f '^sleep 12345$' || true)" = "$1" ]; } # here
    stays box 12345
    launched_each_way ends_by TERM HUP KILL
}

@test "by a launcher that has no files in common with itself: it says so and ends" {
    needs_root
    step box 'echo never'
    cat >alone <<'S'
mount -t tmpfs none /tmp
unset TMPDIR
exec "$@"
S
    launched "unshare, -m, sh, $PWD/alone"
    run -3 typing
    [[ $output == *"it gives no terminal ("*"find the same scratch directory each time)"* ]]
    run ! grep -q '^never' <<<"$output"
    as_it_was
}

@test "where there is no terminal to be had: why not" {
    step node3 'echo never'
    run -3 typing
    [[ $output == *"it gives no terminal (see PermitTTY in its sshd_config; "* ]]
    run ! grep -q '^never' <<<"$output"
    as_it_was
    needs_root
    echo node4 >healing
    "$fleet" fault node4 lacks=setsid
    step node4 'echo never'
    run -3 typing
    [[ $output == *"a terminal there needs Linux, with setsid and perl"* ]]
    as_it_was
}

@test "without a terminal here it runs as every step does" {
    step node1 '! [ -t 0 ]' 'cat' 'echo well'
    run -0 --separate-stderr setsid --wait "$FORAY" </dev/null
    [[ $output == *well* ]]
}

@test "a further connection for the terminal that is lost takes the step with it, and nothing else" {
    needs_root
    [ ! -e "$FORAY_FLEET/shared" ] || skip "hosts have no places of their own here"
    cat >foray.yaml <<'Y'
hosts: {rack: {hosts: node2, slots: 1}}
steps:
  t: {on: rack, console: true, run: "echo ready; sleep 98.4"}
Y
    typing_behind
    read -r sshd _ <"$FORAY_FLEET/hosts/node2/pid"
    [ "$(pgrep -P "$sshd" | wc -l)" = 2 ]
    kill -KILL "$(pgrep -n -P "$sshd")"
    wait_until 20 test -e after
    contains said "lost: the connection for its terminal was lost"
    run ! contains said "node2 is lost"
    as_it_was
    wait_until 20 no_process_on node2
}
