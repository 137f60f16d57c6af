# foray copy: files to hosts and from them.
load helper

setup_file() {
    load helper
    fleet_up 3
}
teardown_file() {
    load helper
    fleet_down
}
setup() {
    cd "$BATS_TEST_TMPDIR" || return
    use_fleet
    # Each test has a directory of its own there, called t.
    for h in 1 2 3; do
        t[h]=$FORAY_FLEET/hosts/node$h/home/t
        rm -rf "${t[h]}"
        mkdir "${t[h]}"
    done
}
teardown() { [ -z "${shared:-}" ] || rm -r "$shared"; }

copies() { # STATUS WORD...: what it says is in $output
    run "-$1" "$FORAY" copy "${@:2}"
}
says() {
    for text; do
        [[ $output == *"$text"* ]] || { printf 'not said: %s\n%s\n' "$text" "$output"; return 1; }
    done
}
# Nothing under a temporary name is left, here or there.
tidy() {
    [ -z "$(find . "${t[@]}" -name '.foray-*')" ]
}

# That a copy is whole is never said there, however soon all of it may have come; until it is said again.
never_proved() { # HOST...
    local host home
    for host; do
        home=$FORAY_FLEET/hosts/$host/home
        mkdir -p "$home/bin"
        echo 'PATH=$HOME/bin:$PATH' >"$home/.bashrc"
        printf '#!/bin/sh\nexec sleep 300\n' >"$home/bin/cksum" && chmod 755 "$home/bin/cksum"
    done
}
proved_again() { # HOST...
    local host
    for host; do rm -r "$FORAY_FLEET/hosts/$host/home"/{bin,.bashrc}; done
}

# A tree with all that can be carried.
make_tree() { # NAME
    mkdir -p "$1/bin" "$1/empty" "$1/a/b/c"
    echo run >"$1/bin/run" && chmod 755 "$1/bin/run"
    echo deep >"$1/a/b/c/deep" && chmod 600 "$1/a/b/c/deep"
    ln -s a/b/c/deep "$1/link"
    ln -s /nowhere/at/all "$1/away"
    ln -s a "$1/to-directory"
    : >"$1/nothing"
    printf data >"$1/$(printf 'odd\n \377')"
    printf x >"$1/-dash"
    printf '{{item}}' >"$1/{{item}}"
}
same_tree() { diff -r --no-dereference "$1" "$2"; }
marks() { (cd "$1" && find . ! -type l -printf '%p %m %T@\n' | sed 's/\.[0-9]*$//' | sort); }
# So many MiB that do not look like a hole.
noise() { yes 'some text' | head -c "$1M"; }
mode() { stat -c %a "$1"; }

@test "copy: one or many sources to many hosts" {
    echo one >one && echo two >two && chmod 755 two
    copies 0 one 'node[1-3]:t/new'
    says "copied to 3 hosts: 3 files, 12 B"
    copies 0 one two 'node[1-3]:t/dir'
    copies 0 two 'node1,node3:t/dir/sub/'
    for h in 1 2 3; do
        cmp one "${t[h]}/new"
        cmp one "${t[h]}/dir/one"
        [ "$(mode "${t[h]}/dir/two")" = 755 ]
    done
    [ -x "${t[1]}/dir/sub/two" ] && [ -x "${t[3]}/dir/sub/two" ] && [ ! -e "${t[2]}/dir/sub" ]
    tidy
}

@test "copy: a directory there gets it, as with scp; what is no directory is replaced whole" {
    echo new >file
    mkdir "${t[1]}/dir" "${t[2]}/real"
    ln -s real "${t[2]}/dir"
    echo old >"${t[3]}/dir"
    ln "${t[3]}/dir" "${t[3]}/other"
    copies 0 file 'node[1-3]:t/dir'
    [ "$(cat "${t[1]}/dir/file" "${t[2]}/real/file" "${t[3]}/dir")" = $'new\nnew\nnew' ]
    copies 0 file node1:
    [ -s "${t[1]}/../file" ]
    copies 0 file 'node1:~/t/home'
    [ -s "${t[1]}/home" ]
    copies 0 file node1:/tmp
    [ -s "$FORAY_FLEET/hosts/node1/tmp/file" ]
}

@test "copy: back from one host, as scp does it" {
    echo text >"${t[2]}/log" && chmod 640 "${t[2]}/log"
    mkdir here "${t[2]}/logs" && echo a >"${t[2]}/logs/a" && echo b >"${t[2]}/logs/b c"
    copies 0 node2:t/log .
    copies 0 node2:t/log copy
    copies 0 node2:t/log here
    copies 0 node2:t/log new/sub/
    cmp log copy && cmp log here/log && cmp log new/sub/log && [ "$(cat log)" = text ]
    [ "$(mode log)" = 640 ]
    copies 0 node2:t/logs got
    same_tree "${t[2]}/logs" got
    copies 0 'node2:t/logs/*' flat
    same_tree "${t[2]}/logs" flat
    copies 0 node2:t/logs/. dot
    same_tree "${t[2]}/logs" dot
    copies 0 node2:t/log node2:t/logs two
    cmp log two/log && same_tree "${t[2]}/logs" two/logs
    tidy
}

@test "copy: from many hosts, each into a directory of its own; {{host}} names it otherwise" {
    printf 'hosts: {one: node2, farm: "node[1-3]"}\n' >foray.yaml
    for h in 1 2 3; do echo $h >"${t[h]}/log"; done
    copies 0 'node[1-3]:t/log' logs
    copies 0 @farm:t/log pool
    copies 0 one:t/log single
    copies 0 node1:t/log node3:t/log .
    for h in 1 2 3; do [ "$(cat logs/node$h/log pool/node$h/log)" = $h$'\n'$h ]; done
    [ "$(cat single/node2/log node1/log node3/log)" = $'2\n1\n3' ]
    copies 0 'node[1-3]:t/log' 'by/{{host}}.log'
    [ "$(cat by/node1.log by/node2.log by/node3.log)" = $'1\n2\n3' ]
    copies 0 'by/{{host}}.log' 'node[1-3]:t/{{host}}.mine'
    [ "$(cd "${t[2]}" && echo *.mine)" = node2.mine ]
    cmp by/node2.log "${t[2]}/node2.mine"
    : >file
    copies 2 'node[1-3]:t/log' file
    says 'is no directory' '{{host}}'
    tidy
}

@test "copy: trees with modes, links as links, and names of any bytes, there and back" {
    make_tree tree
    copies 0 tree 'node[1-2]:t/tree'
    same_tree tree "${t[1]}/tree" && same_tree tree "${t[2]}/tree"
    [ "$(mode "${t[1]}/tree/bin/run")" = 755 ] && [ "$(mode "${t[1]}/tree/a/b/c/deep")" = 600 ]
    copies 0 node1:t/tree back
    same_tree tree back
    [ "$(mode back/bin/run)" = 755 ] && [ "$(mode back/a/b/c/deep)" = 600 ]
    # Again, over what is there: into it.
    copies 0 tree node1:t/tree
    same_tree tree "${t[1]}/tree/tree"
    copies 0 tree/. node2:t/tree
    same_tree tree "${t[2]}/tree"
    # A link that is named itself is followed.
    ln -s tree/bin/run named && ln -s tree named-tree
    copies 0 named named-tree node3:t/
    [ -f "${t[3]}/named" ] && [ ! -L "${t[3]}/named" ] && same_tree tree "${t[3]}/named-tree"
    tidy
}

@test "copy: names of any bytes on the command line" {
    local n=$'new\nline \'"$(touch ran)\377*'
    echo odd >"./$n" && echo dash >-dash && echo colon >a:b && cp a:b ./7:x
    copies 0 "./$n" ./-dash ./a:b ./7:x node1:t/
    says "4 files"
    cmp "./$n" "${t[1]}/$n" && cmp ./-dash "${t[1]}/-dash" && cmp a:b "${t[1]}/a:b"
    mkdir back
    # There * is a pattern, and a backslash takes it literally.
    copies 0 "node1:t/${n/\*/\\*}" 'node1:t/7:x' back
    cmp "./$n" "back/$n" && cmp 7:x back/7:x
    copies 0 -- -dash "node1:t/$n.d/"
    cmp ./-dash "${t[1]}/$n.d/-dash"
    [ ! -e ran ] && [ ! -e "${t[1]}/ran" ]
}

@test "copy: hosts as words: pools, node sets, -w and -x, ports and users" {
    printf 'hosts: {farm: "node[1-3]"}\nsteps: {a: {run: "exit 1"}}\n' >foray.yaml
    echo x >x
    copies 0 x farm:t/a
    copies 0 -w farm x :t/b
    copies 0 -w 'node[1-3]' -x node2 x t/c
    copies 0 -x node1 x @farm:t/d
    read -r address port <"$FORAY_FLEET/hosts/node3/address"
    copies 0 x "node1,$(id -un)@node3:$port:t/e"
    [ "$(cd "${t[1]}" && echo *)" = "a b c e" ]
    [ "$(cd "${t[2]}" && echo *)" = "a b d" ]
    [ "$(cd "${t[3]}" && echo *)" = "a b c d e" ]
    copies 0 -w farm -x 'node[2-3]' :t/a got
    [ -s got/node1/a ]
    copies 2 -w farm x node1:t/f
    says 'names hosts, and so does -w'
    copies 2 x 'node[1-3'
    copies 2 x 'node[3-1]:t/f'
    says 'a range goes from the lower to the higher number' './NAME'
    copies 2 x nopool/x
    says 'none of the names is on a host'
    copies 2 x @nopool:t/f
    says 'there is no pool `nopool`'
}

@test "copy: what cannot be is told before anything is copied" {
    echo x >x && mkdir d && cp x d/x
    copies 2
    says 'what is to be copied'
    copies 2 x
    says '`x` is to be copied, but where to?'
    copies 2 node1:t/a node2:t/b
    says 'are both on hosts'
    copies 2 node1:t/a d/x x
    says 'is here, and so is the destination'
    copies 2 x d/x node1:t/e
    says '`x` and `d/x` would both become `t/e/x`'
    copies 2 node1:t/1/x node1:t/2/x d
    says 'would both become'
    copies 2 d/.. node1:t/e
    says 'does not say what it is called'
    copies 2 'node1:~root/x' d
    says "another user's home"
    copies 2 --scatter --gather x node1:t/e
    copies 2 --scatter node1:t/e x
    copies 2 --gather x node1:t/e
    copies 1 x nothing node1:t/e
    says 'cannot read `nothing`: No such file or directory'
    mkfifo pipe
    copies 1 pipe node1:t/e
    says 'neither a file nor a directory'
    copies 2 node1:t/x /dev/null
    [ -c /dev/null ]
    [ ! -e "${t[1]}/e" ]
}

@test "copy: what fails is told for each host, and the others go on" {
    echo x >x && echo 1 >"${t[1]}/there" && echo 3 >"${t[3]}/there"
    copies 1 'node[1-3]:t/there' got
    says 'failed node2: ' 't/there' 'copied from 2 of 3 hosts: 2 files' 'failed: node2'
    [ -e got/node1/there ] && [ ! -e got/node2/there ] && [ -e got/node3/there ]
    : >"${t[2]}/file"
    copies 3 x 'node[1-3]:t/file/x'
    says 'failed node2: ' 'copied to 2 of 3 hosts'
    [[ $output != *again* ]] # what refuses it once does so again
    [ -s "${t[1]}/file/x" ] && [ -f "${t[2]}/file" ] && [ -s "${t[3]}/file/x" ]
    copies 3 x 'node[2-3],nosuchhost:t/'
    says 'failed nosuchhost: ' 'copied to 2 of 3 hosts'
    copies 1 -q 'node[1-2]:t/there' again
    says 'failed node2'
    copies 0 -q node1:t/there again
    [ -z "$output" ]
    copies 0 -v 'node[1,3]:t/there' again
    says 'node1: 1 file, 2 B' 'node3: 1 file, 2 B'
    tidy
}

@test "copy --scatter and --gather: parts of whole lines, and the same bytes again" {
    seq 100000 | sed 's/7$/7 and a longer line/' >file
    printf 'no newline at the end' >>file
    copies 0 --scatter file 'node[1-3]:t/part'
    says "copied to 3 hosts: 3 files"
    cat "${t[1]}/part" "${t[2]}/part" "${t[3]}/part" | cmp - file
    local third=$(($(stat -c %s file) / 3)) h
    for h in 1 2 3; do
        n=$(stat -c %s "${t[h]}/part")
        [ $((n - third)) -lt 60 ] && [ $((third - n)) -lt 60 ]
    done
    [ "$(tail -c 1 "${t[1]}/part" | od -An -c)" = "  \\n" ]
    copies 0 --gather 'node[1-3]:t/part' whole
    cmp whole file
    # In the order of the hosts as named.
    copies 0 --gather node3,node1,node2:t/part other
    cat "${t[3]}/part" "${t[1]}/part" "${t[2]}/part" | cmp - other
    # Into directories, here and there.
    mkdir dir
    copies 0 --scatter file 'node[1-3]:t/parts/'
    copies 0 --gather 'node[1-3]:t/parts/file' dir
    cmp dir/file file
    copies 0 --scatter file 'node[1-3]:t/{{host}}.part'
    copies 0 --gather 'node[1-3]:t/{{host}}.part' whole
    cmp whole file && [ -s "${t[2]}/node2.part" ]
    tidy
}

@test "copy --scatter: where hosts share a directory, that their parts are lost is told" {
    shared=$(mktemp -d /dev/shm/foray-XXXXXX) || skip "there is no directory that the hosts share"
    seq 1000 >lines
    printf 'a\nb\nc\n' >three
    yes same | head -300 >same
    copies 1 --scatter lines "node[1-3]:$shared/"
    says 'its part is one of another host' '{{host}}'
    copies 1 --scatter three "node[1-3]:$shared/part"
    says 'its part is one of another host' 'copied to 1 of 3 hosts'
    copies 0 --scatter same "node[1-3]:$shared/"
    copies 0 --scatter lines "node[1-3]:$shared/{{host}}"
    cat "$shared/node1" "$shared/node2" "$shared/node3" | cmp - lines
}

@test "copy --scatter: fewer lines than hosts, no lines, one line" {
    printf 'a\nb\n' >two && : >none && printf one >one
    for f in two none one; do
        copies 0 --scatter $f 'node[1-3]:t/'
        cat "${t[1]}/$f" "${t[2]}/$f" "${t[3]}/$f" | cmp - $f
        copies 0 --gather "node[1-3]:t/$f" back
        cmp back $f
    done
    for h in 1 2 3; do [ -f "${t[h]}/none" ]; done
    copies 1 --scatter nothing 'node[1-3]:t/'
    mkdir d
    copies 1 --scatter d 'node[1-3]:t/'
    copies 2 --scatter two none 'node[1-3]:t/'
}

@test "copy --gather: whole or not at all; patterns in the order of their names" {
    for h in 1 3; do echo $h >"${t[h]}/part"; done
    echo old >whole
    copies 1 --gather 'node[1-3]:t/part' whole
    [ "$(cat whole)" = old ]
    says 'failed node2'
    for h in 1 2 3; do echo b$h >"${t[h]}/p.b" && echo a$h >"${t[h]}/p.a"; done
    copies 0 --gather 'node[2-3]:t/p.*' whole
    [ "$(tr '\n' ' ' <whole)" = "a2 b2 a3 b3 " ]
    copies 2 --gather 'node[2-3]:t/p.*' .
    tidy
}

@test "copy: a signal ends it, and leaves nothing half-made here" {
    noise 60 >"${t[1]}/big"
    never_proved node1
    in_background copy node1:t/big big
    wait_until 20 half_here
    kill -TERM $pid
    ended_with 20 143
    [ ! -e big ]
    tidy
    proved_again node1
}
half_here() { [ -n "$(find . -name '.foray-*' -size +1M)" ]; }

@test "copy: killed with SIGKILL while files come, it leaves nothing of them; nor does a run" {
    noise 60 >"${t[1]}/big"
    never_proved node1
    echo '{hosts: {one: node1}, steps: {t: {on: one, verify: true, out: big, run: cp ~/t/big .}}}' >foray.yaml
    for words in "copy node1:t/big ." "-B"; do
        # shellcheck disable=SC2086 # words
        in_background $words
        wait_until 30 half_here
        kill -KILL "$pid"
        wait "$pid" || true
        wait_until 20 tidy
        [ ! -e big ]
    done
    wait_until 20 test ! -e .foray/temporary # which goes after what is listed there
    proved_again node1
}

@test "copy: a host that is killed in the midst of it leaves nothing half-made, and is told" {
    never_proved node1
    noise 300 >big
    in_background copy big 'node[1-2]:t/big'
    wait_until 20 half_there
    "$fleet" fault node1 killed
    ended_with 60 3
    proved_again node1
    "$fleet" heal node1
    contains err "failed node1"
    cmp big "${t[2]}/big"
    [ ! -e "${t[1]}/big" ] || cmp big "${t[1]}/big"
}
half_there() { [ -n "$(find "$FORAY_FLEET"/hosts/node1/home/t -size +1M)" ]; }

@test "copy: an SFTP server that is killed in the midst of it: what it left half-made goes, all of it comes" {
    needs_root
    local i sshd address port
    mkdir many
    for i in {1..300}; do head -c 80000 /dev/urandom >many/$i; done
    read -r sshd _ <"$FORAY_FLEET/hosts/node1/pid"
    read -r address port <"$FORAY_FLEET/hosts/node1/address"
    # so that it takes a while
    {
        printf 'Host node1\n  ProxyCommand %s\n' "$BATS_TEST_DIRNAME/narrow.pl 1000000 $address $port $PWD/counts"
        cat "$FLEET_CONFIG"
    } >config
    FORAY_SSH_CONFIG=$PWD/config in_background copy many node1:t/
    wait_until 20 any_half_there
    kill -KILL "$(pgrep -f internal-sftp -P "$(pgrep -P "$sshd" -d,)" | tail -1)"
    ended_with 120 0
    [ "$(grep -c "again node1: its SFTP server has ended" err)" = 1 ]
    diff -r many "${t[1]}/many"
}
any_half_there() { [ -n "$(find "$FORAY_FLEET"/hosts/node1/home/t -name '.foray-*')" ]; }

@test "copy: --timeout ends what takes longer, -N says how many hosts at once" {
    noise 600 >big
    copies 1 --timeout 0.3s big node1:t/big
    says 'ran into its time limit'
    wait_until 10 tidy # what the host was not to be waited for goes by itself
    [ ! -e "${t[1]}/big" ]
    echo x >x
    copies 0 -N 1 x 'node[1-3]:t/x'
    copies 2 -N x x 'node[1-3]:t/x'
}
@test "copy: two files that a pattern finds do not become one" {
    mkdir "${t[1]}/a" "${t[1]}/b" && echo a >"${t[1]}/a/x" && echo b >"${t[1]}/b/x"
    copies 1 'node1:t/*/x' got
    says 'would both become'
    [ ! -e got/x ]
}


@test "copy -p: times and modes, of directories too, there and back; without it the umask counts" {
    umask 022
    make_tree tree
    chmod 444 tree/nothing && chmod 777 tree/bin/run && chmod 700 tree/empty && chmod 555 tree/a/b && chmod 770 tree/a
    touch -d '2001-02-03 04:05:06' tree/nothing tree/bin tree/a/b/c/deep
    touch -d '2002-02-03 04:05:06' tree
    copies 0 -p tree node1:t/
    diff <(marks tree) <(marks "${t[1]}/tree")
    copies 0 -p node1:t/tree back
    diff <(marks tree) <(marks back)
    copies 0 tree node2:t/
    copies 0 node2:t/tree plain
    for top in "${t[2]}/tree" plain; do
        same_tree tree $top
        [ "$(cd $top && stat -c %a nothing bin/run empty a/b a | tr '\n' ' ')" = "444 755 700 555 750 " ]
        [ "$(stat -c %Y $top/nothing)" -gt "$(stat -c %Y tree/nothing)" ]
    done
    # What stands there keeps its mode, if it is a directory.
    chmod 711 "${t[2]}/tree/bin"
    copies 0 tree/. node2:t/tree
    [ "$(mode "${t[2]}/tree/bin")" = 711 ]
    chmod -R u+w tree plain back "${t[@]}"
    tidy
}

@test "copy: a directory that cannot be made is told" {
    mkdir -p d/e
    echo file >"${t[1]}/e"
    copies 3 d/e node1:t/
    says 'cannot make the directory' 'something else stands there'
    [ "$(cat "${t[1]}/e")" = file ]
    mkdir here && echo file >here/e && mkdir "${t[1]}/f" "${t[1]}/f/e"
    copies 3 node1:t/f/e here
    [ "$(cat here/e)" = file ]
}

@test "copy: files with holes arrive with them, and are counted whole" {
    truncate -s 300M holes
    printf middle | dd of=holes bs=1M seek=100 conv=notrunc status=none
    copies 0 holes node1:t/
    says '1 file, 300 MiB'
    cmp holes "${t[1]}/holes"
    [ "$(stat -c %b "${t[1]}/holes")" -lt 2048 ]
    copies 0 node1:t/holes back
    cmp holes back
    [ "$(stat -c %b back)" -lt 2048 ]
}

@test "copy: on a terminal a line says how far it is" {
    command -v script >/dev/null || skip "script is not there"
    echo x >x
    "$fleet" fault node2 hung
    TERM=xterm script -qefc "'$FORAY' copy x 'node[1-2]:t/'" log >/dev/null 3>&- &
    pid=$!
    wait_until 20 contains log '1 of 2 hosts, '
    "$fleet" heal node2
    ended_with 60 0
    tr '\r' '\n' <log | grep -q $'^\033\\[Kforay: copied to '
}

@test "copy: what is not the same at both ends does not get its name, here and there" {
    local home=$FORAY_FLEET/hosts/node2/home
    mkdir -p "$home/bin" d
    echo 'PATH=$HOME/bin:$PATH' >"$home/.bashrc"
    printf '#!/bin/sh\ncat >/dev/null\necho 12345 2\n' >"$home/bin/cksum" && chmod 755 "$home/bin/cksum"
    echo new >x && cp x d/x && ln -s x d/l
    echo old | tee "${t[1]}/x" "${t[2]}/x" here >/dev/null
    copies 3 x 'node[1-2]:t/'
    says 'failed node2: ' 'is not the same here and there' 'copied to 1 of 2 hosts'
    [ "$(cat "${t[1]}/x" "${t[2]}/x")" = $'new\nold' ]
    copies 3 d node2:t/
    [ -z "$(find "${t[2]}/d" ! -type d)" ]
    copies 3 node2:t/x here
    [ "$(cat here)" = old ]
    tidy
    # Where there is none, sizes must do.
    printf '#!/bin/sh\nexit 127\n' >"$home/bin/cksum"
    copies 0 x node2:t/
    cmp x "${t[2]}/x"
    rm -r "$home/bin" "$home/.bashrc"
}

@test "copy: of a file that grows there what it was at first is copied, and checked" {
    local home=$FORAY_FLEET/hosts/node2/home
    mkdir -p "$home/bin"
    echo 'PATH=$HOME/bin:$PATH' >"$home/.bashrc"
    printf '#!/bin/sh\necho more >>~/t/log\nexec /usr/bin/cksum "$@"\n' >"$home/bin/cksum" && chmod 755 "$home/bin/cksum"
    echo first >"${t[2]}/log"
    copies 0 node2:t/log here
    [ "$(cat here)" = first ]
    [ "$(head -n 2 "${t[2]}/log")" = $'first\nmore' ]
    rm -r "$home/bin" "$home/.bashrc"
}

@test "copy: a directory that is copied as a new name goes there also when the first try of it had made that" {
    local home=$FORAY_FLEET/hosts/node2/home n
    mkdir -p "$home/bin"
    echo 'PATH=$HOME/bin:$PATH' >"$home/.bashrc"
    # What it says the first time is not so.
    printf '#!/bin/sh\nmkdir ~/t/once 2>/dev/null || exec /usr/bin/cksum "$@"\ncat >/dev/null; echo 12345 2\n' >"$home/bin/cksum"
    chmod 755 "$home/bin/cksum"
    for n in 3 300; do # in one way, and as a stream
        mkdir -p "tree$n/sub"
        (cd "tree$n/sub" && seq "$n" | split -l 1 -a 3)
        copies 0 "tree$n" "node2:t/new$n"
        says 'again node2: '
        diff -r "tree$n" "${t[2]}/new$n"
        rmdir "${t[2]}/once"
    done
    rm -r "$home/bin" "$home/.bashrc"
}

# A line more every now and then, until it is gone; in the background.
grows() { # FILE
    echo first >"$1"
    while [ -e "$1" ]; do echo more; sleep 0.005; done >>"$1" 3>&- &
    growing+=($!)
}

@test "copy: a file that grows all the time goes as long as it was when it was looked at, alone and among many" {
    local n odd=$'odd\n \377' growing=()
    for n in 1 20 300; do # in one way, in another, and as a stream
        mkdir "$n"
        (cd "$n" && seq "$n" | split -l 1 -a 3)
        cp -r "$n" "${t[1]}/"
        grows "${t[1]}/$n/$odd"
        grows "$n/$odd"
        copies 0 "node1:t/$n" here/
        copies 0 "$n" node1:t/there/
        rm "${t[1]}/$n/$odd" "$n/$odd"
        [ "$(head -n 1 "here/$n/$odd" "${t[1]}/there/$n/$odd" | grep -cx first)" = 2 ]
        rm "here/$n/$odd" "${t[1]}/there/$n/$odd"
        diff -r "$n" "here/$n"
        diff -r "$n" "${t[1]}/there/$n"
    done
    wait "${growing[@]}"
    # What is said to be empty may be of another kind.
    copies 1 node1:/proc/self/status here/
    says 'it is said to be empty, and is not'
    [ ! -e here/status ]
}

@test "copy: a signal while what was copied is being proved leaves nothing half-made" {
    local home=$FORAY_FLEET/hosts/node1/home
    mkdir -p "$home/bin"
    echo 'PATH=$HOME/bin:$PATH' >"$home/.bashrc"
    printf '#!/bin/sh\necho >~/t/proving; exec sleep 300\n' >"$home/bin/cksum" && chmod 755 "$home/bin/cksum"
    echo x >x
    in_background copy x node1:t/
    wait_until 20 test -e "${t[1]}/proving"
    kill -TERM $pid
    ended_with 20 143
    wait_until 10 tidy
    [ ! -e "${t[1]}/x" ]
    copies 1 --timeout 1s node1:t/proving here
    says 'ran into its time limit'
    [ ! -e here ]
    tidy
    needs_root
    wait_until 10 no_process_on node1
    rm -r "$home/bin" "$home/.bashrc"
}

# The hosts can log in to each other by themselves; without a key, with that of an agent only.
know_each_other() { # [KEY]
    needs_root # else they have one home, that of who runs this
    for h in 1 2 3; do
        local ssh=$FORAY_FLEET/hosts/node$h/home/.ssh
        mkdir -p "$ssh"
        sed "s|$FORAY_FLEET/|~/.ssh/|; /IdentitiesOnly/d" "$FLEET_CONFIG" >"$ssh/config"
        cp "$FORAY_FLEET/known_hosts" "$ssh/"
        if [ $# != 0 ]; then cp "$FORAY_FLEET/id" "$ssh/"; else rm -f "$ssh/id"; fi
        chmod -R go= "$ssh"
    done
}
forget_each_other() { rm -rf "$FORAY_FLEET"/hosts/node?/home/.ssh; }

@test "copy --relay: hosts that have it pass it on, under any name and with its mode" {
    know_each_other with-key
    noise 3 >"it's \$(big)" && chmod 751 "it's \$(big)" && echo small >small && chmod 640 small
    copies 0 --relay "it's \$(big)" 'node[1-3]:t/'
    says 'copied to 3 hosts: 3 files, 9.0 MiB (3.0 MiB from host to host)'
    for h in 1 2 3; do
        cmp "it's \$(big)" "${t[h]}/it's \$(big)"
        [ "$(mode "${t[h]}/it's \$(big)")" = 751 ]
    done
    mkdir d && echo in >d/in
    copies 0 --relay -p "it's \$(big)" small d 'node[1-3]:t/{{host}} -x'
    says '(3.0 MiB from host to host)'
    for h in 1 2 3; do
        cmp "it's \$(big)" "${t[h]}/node$h -x/it's \$(big)" && cmp small "${t[h]}/node$h -x/small"
        [ "$(stat -c '%a %Y' small)" = "$(stat -c '%a %Y' "${t[h]}/node$h -x/small")" ]
        same_tree d "${t[h]}/node$h -x/d"
    done
    tidy
    forget_each_other
}

@test "copy --relay: where hosts cannot reach each other, or pass on something else, it comes from here" {
    noise 1 >big
    copies 0 --relay -v big 'node[1-3]:t/'
    says 'node3: it is sent from here: ' 'copied to 3 hosts: 3 files'
    [[ $output != *'from host to host'* ]]
    cmp big "${t[3]}/big"
    know_each_other with-key
    # What node1 gives is as long, and something else.
    local bin=$FORAY_FLEET/hosts/node1/home/bin
    mkdir -p "$bin"
    echo 'PATH=$HOME/bin:$PATH' >"$bin/../.bashrc"
    printf '#!/bin/sh\n[ $# = 0 ] || exec /bin/cat "$@"\nexec tr s S\n' >"$bin/cat" && chmod 755 "$bin/cat"
    copies 0 --relay big 'node[1-3]:t/again'
    says 'again node3: ' 'copied to 3 hosts'
    cmp big "${t[3]}/again"
    # One that has nothing to pass on keeps nobody else from getting it.
    mkdir "${t[1]}/again2" "${t[1]}/again2/big"
    copies 3 --relay big 'node[1-3]:t/again2/'
    says 'copied to 2 of 3 hosts' 'failed: node1'
    cmp big "${t[3]}/again2/big"
    tidy
    rm -r "$bin/../.bashrc" "$bin"
    forget_each_other
}

@test "copy --relay: a signal ends it on the hosts too" {
    know_each_other with-key
    local bin=$FORAY_FLEET/hosts/node1/home/bin
    mkdir -p "$bin"
    echo 'PATH=$HOME/bin:$PATH' >"$bin/../.bashrc"
    printf '#!/bin/sh\necho begun; touch ~/t/begun; exec sleep 20\n' >"$bin/cat" && chmod 755 "$bin/cat"
    echo big >big
    in_background copy --relay big 'node[1-3]:t/'
    wait_until 20 test -e "${t[1]}/begun"
    kill -TERM $pid
    ended_with 20 143
    wait_until 10 no_process_on node3
    wait_until 10 tidy
    [ ! -e "${t[3]}/big" ]
    rm -r "$bin/../.bashrc" "$bin"
    forget_each_other
}

@test "copy -A: the agent of here lets hosts reach each other" {
    know_each_other
    noise 1 >big
    eval "$(ssh-agent -s)" >/dev/null
    ssh-add -q "$FORAY_FLEET/id"
    run "$FORAY" copy -A -v big 'node[1-3]:t/'
    ssh-agent -k >/dev/null
    [ "$status" = 0 ]
    says '(1.0 MiB from host to host)'
    for h in 1 2 3; do cmp big "${t[h]}/big"; done
    copies 2 -A node1:t/big here
    tidy
    forget_each_other
}

@test "killed with SIGKILL, it leaves nothing half there; what others are writing stays" {
    mkdir -p src/sub
    head -c 150000000 /dev/zero >src/sub/large
    cp src/sub/large "od'd \$(touch PWNED)
name"
    mkdir "${t[1]}/dir" "${t[2]}/dir"
    theirs=.foray-0123456789abcdef.tmp
    begun() { [ -n "$(find "${t[@]}" -name '.foray-*.tmp' ! -name $theirs)" ]; }
    gone() { ! begun; }
    never_proved node1 node2
    for words in "src t/" "src t/new" "src/sub/large t/dir/name" "odd t/dir"; do
        read -r from to <<<"$words"
        [ "$from" != odd ] || from="od'd \$(touch PWNED)
name"
        for h in 1 2; do
            for d in "${t[h]}" "${t[h]}/dir"; do touch "$d/$theirs"; done
        done
        "$FORAY" copy -p "$from" "node[1-2]:$to" >/dev/null 2>&1 3>&- &
        pid=$!
        wait_until 30 begun
        kill -KILL "$pid"
        wait "$pid" || true
        wait_until 15 gone
        [ -z "$(find "${t[@]}" -name large -o -name new -type f -o -name name -type f)" ]
        [ "$(find "${t[@]}" -name $theirs | wc -l)" -ge 4 ]
    done
    [ ! -e PWNED ] && [ -z "$(find "$FORAY_FLEET/hosts" -name PWNED)" ]
    proved_again node1 node2
    copies 0 src "node[1-2]:t/"
    cmp src/sub/large "${t[2]}/src/sub/large"
}

@test "copy: links that a pattern matches are followed, wherever in a name they are" {
    mkdir -p "${t[1]}/log/real" && echo x >"${t[1]}/log/app.1" && echo y >"${t[1]}/log/real/y"
    (cd "${t[1]}/log" && ln -s app.1 app && ln -s real to && ln -s nowhere none)
    copies 0 'node1:t/log/*' logs
    [ "$(cat logs/app logs/app.1 logs/to/y logs/real/y)" = $'x\nx\ny\ny' ]
    [ ! -L logs/app ] && [ ! -L logs/to ] && [ ! -e logs/none ]
    copies 0 'node1:t/*/to/y' below/
    cmp below/y logs/real/y
    copies 1 'node1:t/log/no*' none
    says 'nothing there matches'
}

@test "copy: what says that it is empty, and is not, is not copied as nothing" {
    [ -e /proc/version ] || skip "no /proc"
    copies 1 /proc/version node1:t/version
    says '/proc/version says that it is empty, and is not'
    [ ! -e "${t[1]}/version" ]
}

@test "copy: of several that are in the way there nothing is left" {
    mkdir src && echo a >src/1 && echo b >src/2 && echo c >src/3
    mkdir -p "${t[1]}/src/1" "${t[1]}/src/2" "${t[1]}/src/3"
    copies 3 src node1:t/
    says "failed there (is there a directory of that name?)"
    tidy
}

@test "copy --gather: directories are none that can be joined; nothing is left of them" {
    for h in 1 2; do mkdir -p "${t[h]}/q/sub" && echo x >"${t[h]}/q/sub/x"; done
    copies 1 --gather 'node[1-2]:t/q' whole
    says 'cannot join directories'
    copies 1 --gather 'node[1-3]:t/q' whole
    [ ! -e whole ]
    tidy
}

@test "copy --relay: hosts that are reached by launch have no ssh for it" {
    echo "hosts: {g: {hosts: 'node[1-4]', launch: [ssh, -F, '$FORAY_SSH_CONFIG', '{{host}}']}}" >foray.yaml
    echo x >x
    copies 2 --relay x g:t/x
    says 'is reached by its `launch`: --relay and -A are for hosts by ssh'
}
