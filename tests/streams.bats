# Many small files go as one stream, and are still checked, and get their names when all of them are whole.
load helper

setup_file() {
    load helper
    [ "$(id -u)" = 0 ] || return 0
    fleet_up 1
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
    mkdir -p "$home/path"
    echo 'PATH=$HOME/path:$PATH' >"$home/.bashrc"
    tar_does 'exec /bin/tar "$@"'
    make_tree tree
}
teardown() {
    [ "$(id -u)" = 0 ] || return 0
    "$fleet" heal node1 3>&-
    rm -rf "$home"/{.bashrc,path,tars,sums,tree,tree2,began,in,out}
}

tar_does() { # SCRIPT: the host's
    printf '#!/bin/sh\nset -- "$@"\necho "$*" >>~/tars\n%s\n' "$1" >"$home/path/tar"
    chmod 755 "$home/path/tar"
}
make_tree() {
    mkdir -p "$1"/{a,b/c,'odd $(x)'} "$1/empty"
    seq 300 | (cd "$1" && split -l 1 -a 3 -d - a/)
    seq 20 | (cd "$1" && split -l 1 -a 3 -d - b/c/)
    echo run >"$1/b/run" && chmod 755 "$1/b/run"
    ln -s ../nowhere "$1/b/link"
    : >"$1/nothing"
    truncate -s 40000 "$1/holes" && echo end >>"$1/holes"
    printf 'new\nline' >"$1/odd \$(x)/"$'a\n \\ \'"\377'
}
tars() { grep -c -- "$1" "$home/tars" || true; }
nothing_is_left() { [ -z "$(find "$home" . -name '.foray-*')" ]; }

@test "a tree goes as one stream, there and back, as it is" {
    run -0 "$FORAY" copy -p tree node1:
    [[ $output == *"324 files"* || $output == *"325 files"* ]]
    diff -r --no-dereference tree "$home/tree"
    [ "$(tars -x)" = 1 ]
    [ "$(stat -c '%a %Y' tree/b/run tree/b tree)" = "$(cd "$home" && stat -c '%a %Y' tree/b/run tree/b tree)" ]
    run -0 "$FORAY" copy -p node1:tree back
    diff -r --no-dereference tree back
    [ "$(tars -c)" = 1 ]
    [ "$(stat -c '%a %Y' tree/b/run tree/b tree)" = "$(cd back && stat -c '%a %Y' b/run b .)" ]
    nothing_is_left
}

@test "into a directory that stands there already: what is new replaces what is old, the rest stays" {
    local there
    mkdir -p "$home/tree" back
    for there in "$home/tree" back; do
        mkdir -p "$there/a/sub" "$there/b"
        echo old | tee "$there"/{a/000,a/other,a/sub/x,b/run} >/dev/null
    done
    run -0 "$FORAY" copy tree node1:
    run -0 "$FORAY" copy 'node1:tree/.' back/
    for there in "$home/tree" back; do
        [ "$(cat "$there"/{a/other,a/sub/x})" = $'old\nold' ]
        rm -r "$there"/a/{other,sub}
        diff -r --no-dereference tree "$there"
    done
    nothing_is_left
}

@test "a step's many inputs and outputs do, too" {
    cat >foray.yaml <<Y
hosts: {one: {hosts: node1, slots: 1}}
steps:
  turn: {on: one, in: [few, $(printf 'tree/a/%s, ' {000..299})], out: 'turned/*', run: 'for f in tree/a/*; do tr 0-9 a-j < "\$f" > turned/"\${f##*/}"; done; cat few'}
Y
    echo few >few
    for verify in false true; do
        rm -rf turned .foray "$home/tars"
        run -0 --separate-stderr "$FORAY"
        [ "$(find turned -type f | wc -l)" = 300 ]
        [ "$(cat turned/000 turned/299)" = $'b\ndaa' ]
        [[ $output == *few* ]]
        [ "$(tars -x)$(tars -c)" = 11 ]
        sed -i 's/{on: one, /{on: one, verify: true, /' foray.yaml
    done
    nothing_is_left
}

@test "of thousands the sums are taken by several at once, and whatever else is among them comes along" {
    local n
    mkdir many
    seq 2100 | (cd many && split -l 1 -a 4 -d - ./)
    head -c 300000 /dev/urandom >many/large
    echo odd >many/$'o\nd \\d'
    printf '#!/bin/sh\necho >>~/sums\nexec /usr/bin/cksum "$@"\n' >"$home/path/cksum" && chmod 755 "$home/path/cksum"
    run -0 "$FORAY" copy -q many node1:in/
    diff -r many "$home/in/many"
    [ "$(wc -l <"$home/sums")" -ge 4 ] # with that of the odd name, and one of all
    run -0 "$FORAY" copy -q node1:in/many out/
    diff -r many out/many
    [ "$(wc -l <"$home/sums")" -ge 8 ]
    [ "$(tars -x)$(tars -c)" = 11 ]
    rm -r "$home/in"
    for n in 0001 2099; do # whichever of them is asked for it
        tar_does '/bin/tar "$@" && echo 7 >f/'$n
        run -3 "$FORAY" copy -q many node1:in/
        [[ $output == *'what was copied is not the same here and there'* ]]
        [ -z "$(find "$home/in" -type f)" ]
    done
    nothing_is_left
}

@test "a host without perl takes a stream, too" {
    "$fleet" fault node1 lacks=perl 3>&-
    run -0 "$FORAY" copy tree node1:
    diff -r --no-dereference tree "$home/tree"
    [ "$(tars -x)" = 1 ]
    tar_does 'echo "it is Sunday" >&2; exit 2'
    run -3 "$FORAY" copy tree node1:tree2
    [[ $output == *'cannot send files there: it is Sunday'* ]]
    nothing_is_left
}

@test "a host without tar gets and gives them one by one" {
    "$fleet" fault node1 lacks=tar 3>&-
    rm "$home/path/tar"
    run -0 "$FORAY" copy tree node1:
    diff -r --no-dereference tree "$home/tree"
    run -0 "$FORAY" copy node1:tree back
    diff -r --no-dereference tree back
    echo "{hosts: {one: node1}, steps: {t: {on: one, in: [$(printf '%s,' tree/a/*)], out: count, run: 'ls tree/a | wc -l >count'}}}" >foray.yaml
    run -0 "$FORAY"
    [ "$(cat count)" = 300 ]
}

@test "what came to harm on its way is told, and gets no name" {
    mkdir "$home/tree" back
    echo old | tee "$home/tree/nothing" back/nothing >/dev/null
    tar_does '/bin/tar "$@" && case $1 in --no*) echo 7 >f/a/007;; esac'
    run -3 "$FORAY" copy tree node1:
    [[ $output == *'what was copied is not the same here and there'* ]]
    [ "$(ls -A "$home/tree")$(cat "$home/tree/nothing")" = nothingold ]
    tar_does 'exec /bin/tar "$@"'
    run -0 "$FORAY" copy tree node1:tree2
    tar_does 'cp tree2/a/007 was; echo 9 >tree2/a/007; /bin/tar "$@"; mv was tree2/a/007'
    run -3 "$FORAY" copy node1:tree2/. back/
    [[ $output == *'what was copied is not the same here and there'* ]]
    [ "$(cat back/nothing)" = old ]
    [ -z "$(find back -type f ! -name nothing)" ]
    rm -r "$home/tree2"
    nothing_is_left
}

@test "a tar there that fails, or takes only a part, is told" {
    tar_does 'echo "it is Sunday" >&2; exit 2'
    run -3 "$FORAY" copy tree node1:
    [[ $output == *'cannot send files there: it is Sunday'* ]]
    tar_does 'head -c 20000 | /bin/tar "$@" 2>/dev/null; cat >/dev/null'
    run -3 "$FORAY" copy tree node1:
    [[ $output == *'cannot send files there'* ]]
    [ ! -e "$home/tree/a" ]
    nothing_is_left
}

@test "what stands in the way is told once, and stays" {
    echo mine >"$home/tree"
    run -3 "$FORAY" copy tree node1:
    [[ $output == *'cannot send files there: '*tree* ]]
    [[ $output != *'again node1'* ]]
    [ "$(cat "$home/tree")" = mine ]
    rm "$home/tree"
    mkdir "$home/tree"
    echo mine >"$home/tree/a"
    run -3 "$FORAY" copy tree node1:
    [[ $output == *'cannot send files there: '*a* ]]
    [[ $output != *'again node1'* ]]
    [ "$(cat "$home/tree/a")" = mine ]
    rm -r "$home/tree"
    nothing_is_left
}

slow_tar='echo "$PWD" >~/began; perl -e "\$SIG{PIPE} = q(DEFAULT); while (sysread STDIN, \$b, 16384) {syswrite STDOUT, \$b; select undef, undef, undef, 0.2}" | /bin/tar "$@"'

in_the_midst() { # of sending it: foray is $pid
    tar_does "$slow_tar"
    "$FORAY" copy tree node1: >/dev/null 2>&1 3>&- &
    pid=$!
    wait_until 30 test -s "$home/began"
    ! nothing_is_left || false
}

@test "nothing of them is left there when foray is killed in the midst of it" {
    in_the_midst
    kill -KILL $pid
    wait $pid || true
    wait_until 30 nothing_is_left
    wait_until 30 no_process_on node1
}

@test "nothing of them is left there when the host hears nothing more" {
    in_the_midst
    "$fleet" fault node1 hung 3>&-
    kill -KILL $pid
    wait $pid || true
    wait_until 60 nothing_is_left
}

@test "few files, and large ones, do not" {
    mkdir few large
    for i in {1..20}; do echo "$i" >few/$i; done
    for i in {1..220}; do truncate -s 90000 large/$i; done
    run -0 "$FORAY" copy few large node1:
    diff -r few "$home/few"
    diff -r large "$home/large"
    rm -r "$home"/{few,large}
    [ ! -e "$home/tars" ]
}
