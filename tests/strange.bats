# Hosts that are strange: other shells, noisy or slow start-up files, missing programs, full disks. Each works, or is
# told in one line.
load helper

setup_file() {
    load helper
    [ "$(id -u)" = 0 ] || return 0
    fleet_up 2
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
    home=$FORAY_FLEET/hosts/node1/home
}
teardown() {
    [ "$(id -u)" = 0 ] || return 0
    rm -f "$FORAY_FLEET"/hosts/node*/home/{.*shrc,.tcshrc,.config/fish/config.fish,go,began}
    for h in node1 node2; do "$fleet" heal $h 3>&-; done
}

fault() { "$fleet" fault node1 "$1" 3>&-; }

# Steps that carry files there and back, say something on both streams, leave something running, and take a status back.
works() {
    rm -rf .foray out
    echo "some text" >in
    cat >foray.yaml <<'Y'
hosts: {one: {hosts: node1, slots: 2}}
steps:
  carried: {on: one, in: in, out: out, run: "cat in; cat in > out; echo words >&2; sleep 98.1 &"}
  status: {on: one, needs: carried, allow: 7, env: {A: "x  'y'"}, run: "[ \"$A\" = \"x  'y'\" ]; exit 7"}
  again: {on: one, needs: status, each: [1, 2, 3], run: "echo {{item}}"}
Y
    run -0 --separate-stderr timeout 120 "$FORAY"
    [ "$(printf '%s\n' "${lines[@]}" | sort)" = $'1\n2\n3\nsome text' ]
    [ "$(grep -c words <<<"$stderr")" = 1 ]
    cmp in out
    wait_until 20 no_process_on node1 || { "$fleet" ps node1; false; }
    wait_until 20 no_scratch
}
no_scratch() { [ -z "$(find "$FORAY_FLEET"/hosts/*/tmp -mindepth 1 -name 'foray-*')" ]; }

# Nothing can be run there, which is said in one line for each time it was tried.
is_told() { # REGULAR EXPRESSION
    rm -rf .foray
    echo '{hosts: {one: node1}, steps: {t: {on: one, run: "true"}}}' >foray.yaml
    run -3 timeout 120 "$FORAY"
    local said=${output%%"[1/1]"*}
    [ -n "$said" ] && ! grep -vxE "(host node1 is lost: $1)?" <<<"$said"
}

for_programs() { # COMMAND with a name for each program that is there
    local name file
    for name in "${@:2}"; do
        file=$(command -v "$name") && file=$(readlink -f "$file") || continue
        echo "with $name"
        "$1" "$file" || return
    done
}

with_login_shell() { # FILE
    fault "login=$1"
    for rc in .cshrc .bashrc .zshrc; do echo 'echo noise' >"$home/$rc"; done
    mkdir -p "$home/.config/fish" && echo 'echo noise' >"$home/.config/fish/config.fish"
    works
}
@test "any login shell will do: csh, fish, zsh, bash, dash" { for_programs with_login_shell csh tcsh fish zsh bash dash; }

with_sh() { # FILE
    fault "sh=$1"
    works
}
@test "any sh will do: bash, busybox, ksh" { for_programs with_sh bash busybox mksh ksh; }

@test "an account that must not run commands is told" {
    fault login=/usr/sbin/nologin
    is_told "its shell ended before it was ready: This account is currently not available."
}

@test "a start-up file may print what it likes" {
    printf '%s\n' 'printf "\036noise\033[31m\000\377"; printf "\a\r\036x" >&2; printf "\036"' >"$home/.bashrc"
    works
    # as much as it likes, while it comes to an end
    echo 'head -c 3000000 /dev/zero; yes noise | head -200000; yes | head -100000 >&2' >"$home/.bashrc"
    works
}

@test "a start-up file that does not come to an end is told" {
    echo 'while :; do echo "still busy"; sleep 0.01; done' >"$home/.bashrc"
    echo '{hosts: {one: node1}, steps: {t: {on: one, run: "true"}}}' >foray.yaml
    in_background
    wait_until 60 contains err "host node1 is lost: its login shell was not ready within 30 s; see what its start-up files do: still busy"
    kill "$pid"
    ended_with 20 143
}

@test "a strange PATH, umask or TMPDIR, or shell options, do not harm" {
    local line
    for line in 'PATH=/nonexistent' 'unset PATH' 'umask 777' 'export TMPDIR=/nonexistent' 'export TMPDIR=relative' \
        'mkdir -p "/tmp/a b"; export TMPDIR="/tmp/a b"' 'set -euf' 'export IFS=o' 'export PERL5OPT=-Mnonsense' \
        'ulimit -n 20' 'export _foray_adopts=1 _foray_keep=1 FORAY_STEP_ID=x' 'exec 5</dev/null' 'trap "" INT CHLD USR1'; do
        echo "with $line"
        echo "$line" >"$home/.bashrc"
        works
    done
}

@test "without setsid, perl, tar, getconf or /proc it works too" {
    local kind
    for kind in setsid perl perl,setsid tar,getconf,nproc,grep proc; do
        echo "without $kind"
        fault "lacks=$kind"
        works
        "$fleet" heal node1 3>&-
    done
}

@test "plain steps run the same with perl, which has them run there, and without" {
    cat >foray.yaml <<'Y'
hosts: {one: {hosts: node1, slots: 1}}
defaults: {on: one, retry: 0}
steps:
  environment: {run: "env | grep -vE '^(_|OLDPWD|SSH_.*)=' | sed 's/foray-[0-9a-f]*/X/; s/^FORAY_STEP_ID=.*/an id/' | sort", env: {A: "x\n 'y' $z=\\", EMPTY: ""}}
  place: {run: 'pwd | sed "s/[0-9a-f]*\/[0-9]*$//"; ls -A; umask; ulimit -n; trap; cat; ls /proc/$$/fd >fds; wc -l <fds'}
  streams: {run: "printf 'no newline'; printf '\\036more' >&2"}
  status: {run: "exit 77"}
  stops: {run: "false; echo not this"}
  killed: {run: "kill -KILL $$"}
  group: {run: "sleep 98.2 & kill -TERM 0; sleep 98.3"}
  nowhere: {dir: /nonexistent, run: "echo not this"}
  pid: {run: "[ \"$(ps -o pgid= -p $$)\" -eq $$ ] && echo a group of its own"}
  leaves: {run: "echo 1 > left; mkdir .d; sleep 98.4 & echo left"}
  clean: {needs: leaves, run: "ls -A; echo none"}
Y
    run_them() {
        rm -rf .foray
        run --separate-stderr timeout 60 "$FORAY" -k
        echo "$status $output" >"$1.out"
        grep -vE 'cannot go to|cd: |^foray: ' <<<"$stderr" | sed 's/[0-9.]*s$//' | sort >"$1.err"
    }
    run_them with
    fault lacks=perl
    run_them without
    diff with.out without.out
    diff with.err without.err
    [[ $output == *none ]] && [[ $output == *"a group of its own"* ]]
}

@test "a host that lacks what foray cannot do without is told" {
    fault lacks=mkdir
    is_told "it has no mkdir, rm or sleep in its PATH"
}

@test "a /tmp that is full is done without; where nothing can be written that is told" {
    fault full
    works
    fault readonly
    works
    [ -z "$(find "$home" -name '.foray-*')" ]
    echo 'HOME=/nonexistent' >"$home/.bashrc"
    is_told "it has no place for a scratch directory: .*: Read-only file system; TMPDIR there can name one"
}

@test "a disk that becomes full: what needs it goes elsewhere, and the host is still used for the rest" {
    head -c 3000000 /dev/urandom >big
    cat >foray.yaml <<'Y'
hosts: {rack: {hosts: "node[1-2]", slots: 1}, one: node1}
steps:
  begin: {each: [1, 2], on: rack, run: "touch ~/began; until [ -e ~/go ]; do sleep 0.05; done"}
  t: {each: [1, 2, 3, 4], on: rack, needs: begin, in: big, out: "{{item}}", run: "sha256sum < big > {{out}}; echo {{host}}"}
  last: {on: one, needs: t, run: "echo last on {{host}}"}
Y
    in_background
    wait_until 20 test -e "$home/began" -a -e "$FORAY_FLEET/hosts/node2/home/began"
    fault full
    touch "$home/go" "$FORAY_FLEET/hosts/node2/home/go"
    ended_with 40 0
    [ "$(cat out)" = $'node2\nnode2\nnode2\nnode2\nlast on node1' ]
    contains err "lost: cannot send big: failed there (is the disk full?)"
}

@test "a host whose clock is wrong: what it makes is up to date all the same" {
    cat >foray.yaml <<'Y'
hosts: {one: node1}
steps:
  early: {on: one, in: in, out: early, run: "cp in early; touch -d '2001-02-03' early"}
  late: {on: one, in: early, out: late, run: "cp early late; touch -d '2101-02-03' late"}
  last: {in: late, out: last, run: cp late last}
Y
    echo text >in
    run -0 "$FORAY"
    run -0 "$FORAY"
    [[ $output == *"nothing to do"* ]]
    [ ! late -nt foray.yaml ] || [ "$(stat -c %Y late)" -le "$(date +%s)" ]
    echo new >in
    run -0 "$FORAY"
    [ "$(cat last)" = new ]
}
