# What is much goes compressed where that is measured to be faster: on a narrow way, if it compresses.
load helper

setup_file() {
    load helper
    fleet_up 1
    # Words, of which there are many, but always the same.
    awk 'BEGIN {srand(1); for (i = 0; i < 700000; i++) printf "%d is number %d of many\n", rand() * 1000, i}' \
        >"$BATS_FILE_TMPDIR/text"
}
teardown_file() {
    load helper
    fleet_down
}
setup() {
    cd "$BATS_TEST_TMPDIR" || return
    use_fleet
    read -r address port <"$FORAY_FLEET/hosts/node1/address"
    there=$FORAY_FLEET/hosts/node1/home
    [ ! -e "$FORAY_FLEET/shared" ] && [ "$(id -u)" = 0 ] || there=$HOME
    narrow
    cp "$BATS_FILE_TMPDIR/text" .
    head -c 4500000 /dev/urandom >noise
}
teardown() {
    rm -rf "$there"/{text,noise,several,small}* 2>/dev/null || true
    if [ "$there" != "$HOME" ]; then rm -rf "$there"/{path,.bashrc}; fi
}

narrow() { # OPTION OF SSH...: a way of 3 MB a second
    {
        printf '  %s\n' "Host node1" "ProxyCommand $BATS_TEST_DIRNAME/narrow.pl 3000000 $address $port $PWD/counts" "$@"
        cat "$FLEET_CONFIG"
    } >config
    export FORAY_SSH_CONFIG=$PWD/config
}
# Bytes on all connections so far, there and back. Each has told its own when it has ended.
went() { awk '{n += $1} END {print n}' counts; }
came() { awk '{n += $2} END {print n}' counts; }
all_have_ended() { ! pgrep -f "narrow.pl 3000000 $address $port $PWD/counts" >/dev/null; }
copy() {
    rm -f counts
    run -0 "$FORAY" copy -v "$@"
    wait_until 30 all_have_ended
}

@test "text goes compressed, there and back, and arrives as it was" {
    copy text node1:text
    [[ $output == *"host node1 is reached by one more connection, which compresses: it is slow ("*" MB/s), and of 256 KiB of this "*" are left"* ]]
    cmp text "$there/text"
    [ "$(went)" -lt $(($(stat -c %s text) / 2)) ]
    copy node1:text back
    [[ $output == *"host node1 is reached by one more connection, which compresses: "* ]]
    cmp text back
    [ "$(came)" -lt $(($(stat -c %s text) / 2)) ]
}

@test "many files, too, by a sample of all of them" {
    mkdir several
    (cd several && split -n 30 ../text)
    copy several node1:
    [[ $output == *"which compresses"* ]]
    diff -r several "$there/several"
    [ "$(went)" -lt $(($(stat -c %s text) / 2)) ]
}

@test "many small ones go as one stream, which is compressed where there is gzip" {
    mkdir small
    (cd small && split -a 3 -n 600 ../text)
    copy small node1:
    [[ $output == *"host node1 is sent many small files compressed: it is slow ("*" MB/s), and of "*" KiB of this "*" are left"* ]]
    diff -r small "$there/small"
    [ "$(went)" -lt $(($(stat -c %s text) / 2)) ]
    echo "{hosts: {one: node1}, steps: {t: {on: one, verify: true, in: [$(printf '%s,' small/*)], out: sum, run: 'cat small/* | cksum >sum'}}}" >foray.yaml
    run -0 "$FORAY" -v
    [[ $output == *"sent many small files compressed"* ]]
    [ "$(cat sum)" = "$(cksum <text)" ]
    needs_root
    "$fleet" fault node1 lacks=gzip 3>&-
    rm -r "$there/small"
    copy small node1:
    "$fleet" heal node1 3>&-
    diff -r small "$there/small"
}

@test "many small ones that come, too, once it shows how fast they come: not where there is no gzip, or too much to do" {
    needs_root
    mkdir "$there/small"
    (cd "$there/small" && split -a 3 -n 600 ~-/text)
    "$fleet" fault node1 load=0 3>&-
    copy node1:small back
    [[ $output == *"host node1 is asked for many small files compressed: it is slow ("*" MB/s), and of 256 KiB of this "*" are left"* ]]
    diff -r "$there/small" back
    [ "$(came)" -lt "$(stat -c %s text)" ]
    # What a pattern stands for there: more names than a short script has.
    cp text "$there/text"
    rm -f counts
    echo '{hosts: {one: node1}, steps: {t: {on: one, out: x/*, run: "cd x && split -a 3 -n 600 ~/text"}}}' >foray.yaml
    run -0 "$FORAY" -v
    [[ $output == *"asked for many small files compressed"* ]]
    wait_until 30 all_have_ended
    diff -r "$there/small" x
    [ "$(came)" -lt "$(stat -c %s text)" ]
    "$fleet" fault node1 lacks=gzip 3>&-
    rm -r back
    copy node1:small back
    diff -r "$there/small" back
    [ "$(came)" -gt "$(stat -c %s text)" ]
    "$fleet" fault node1 load=99 3>&-
    rm -r back
    copy node1:small back
    "$fleet" heal node1 3>&-
    [[ $output != *"compressed"* ]]
    diff -r "$there/small" back
}

@test "what does not compress is not compressed" {
    copy noise node1:noise
    [[ $output != *"which compresses"* ]]
    cmp noise "$there/noise"
    copy node1:noise back
    [[ $output != *"which compresses"* ]]
    cmp noise back
}

@test "a step's files, by way of its scratch directory" {
    echo '{hosts: {one: node1}, steps: {t: {on: one, in: text, out: copy, run: "cp text copy"}}}' >foray.yaml
    run -0 "$FORAY" -v
    [[ $output == *"which compresses"* ]]
    cmp text copy
    wait_until 30 all_have_ended
    [ "$(went)" -lt $(($(stat -c %s text) / 2)) ] && [ "$(came)" -lt $(($(stat -c %s text) / 2)) ]
}

@test "a way that compresses anyway has no second one" {
    narrow "Compression yes"
    copy text node1:text
    [[ $output != *"which compresses"* ]]
    cmp text "$there/text"
    [ "$(went)" -lt $(($(stat -c %s text) / 2)) ]
}

@test "where ssh would have to ask it goes as it is" {
    mkdir bin
    printf '#!/bin/sh\ncase " $* " in *" -G "*) exec %s "$@" ;; esac\necho "no way" >&2\nexit 255\n' "$(command -v ssh)" >bin/ssh
    chmod 755 bin/ssh
    PATH=$PWD/bin:$PATH copy text node1:text
    [[ $output == *"which compresses"*"host node1 is reached without one more connection: no way"* ]]
    cmp text "$there/text"
}

@test "ended in the midst of it: nothing half done is left there" {
    [ "$there" != "$HOME" ] || skip "the host has no home of its own"
    # That it is whole is never said there, however soon all of it may have come.
    mkdir "$there/path"
    echo 'PATH=$HOME/path:$PATH' >"$there/.bashrc"
    printf '#!/bin/sh\nexec sleep 300\n' >"$there/path/cksum" && chmod 755 "$there/path/cksum"
    "$FORAY" copy -v text node1:text 2>err &
    pid=$!
    wait_until 30 contains err "which compresses"
    kill "$pid"
    ended_with 20 143
    nothing_there() { [ -z "$(find "$there" -name '*text*')" ]; }
    wait_until 20 nothing_there
    wait_until 30 all_have_ended
}

@test "while much is sent over it, other steps there have their turn" {
    head -c 24000000 /dev/urandom >noise
    cat >foray.yaml <<'Y'
hosts: {one: {hosts: node1, slots: 2, cache: 0}}
steps:
  much: {on: one, in: noise, run: "true"}
  later: {run: "sleep 1"}
  little: {on: one, needs: later, run: "echo little"}
Y
    run -0 "$FORAY"
    [[ $output == *'] little on '*'] much on '* ]]
}
