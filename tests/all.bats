# foray all: one command on every host.
load helper

setup_file() {
    load helper
    fleet_up 6
}
teardown_file() {
    load helper
    fleet_down
}
setup() {
    cd "$BATS_TEST_TMPDIR" || return
    use_fleet
}
teardown() {
    for h in node1 node2 node3; do "$fleet" heal $h 3>&-; done
}

lines_of() { sort <<<"$1"; }

@test "every line comes with its host's name, each stream to its own" {
    run -0 --separate-stderr "$FORAY" all -w 'node[1-3]' 'echo one; printf two; echo three >&2'
    [ "$(lines_of "$output")" = "$(printf 'node%d: %s\n' 1 one 1 two 2 one 2 two 3 one 3 two)" ]
    [ "$(grep -c '^node[1-3]: three$' <<<"$stderr")" = 3 ]
    [[ $stderr == *"foray: 3 hosts: 3 done, "* ]]
}

@test "lines come at once, and whole" {
    "$FORAY" all -w 'node[1-2]' 'printf "a "; sleep 0.2; echo b; until [ -e go ]; do sleep 0.05; done; echo c' >out 3>&- &
    wait_until 20 contains out 'node1: a b'
    wait_until 20 contains out 'node2: a b'
    run ! grep -q c out
    touch "$FORAY_FLEET"/hosts/node{1,2}/home/go
    wait $!
    rm "$FORAY_FLEET"/hosts/node{1,2}/home/go
    [ "$(grep -c ': c$' out)" = 2 ]
}

@test "it starts in the home directory, with an empty standard input, and goes on after what fails" {
    needs_root
    touch "$FORAY_FLEET/hosts/node1/home/at-home"
    run -0 --separate-stderr "$FORAY" all -qw node1 'ls; cat; false; echo on' <<<"not for them"
    rm "$FORAY_FLEET/hosts/node1/home/at-home"
    [ "$output" = $'node1: at-home\nnode1: on' ]
    [ "$stderr" = "" ]
    [ ! -e .foray ]
}

@test "several words are a command, no shell takes them apart; one is a script" {
    run -0 --separate-stderr "$FORAY" all -w node1 -- printf '[%s]' 'a  b' '$HOME' "it's" '`id`' '*' $'new\nline' -x '{{ID}}' '{{{{'
    [ "$output" = $'node1: [a  b][$HOME][it\'s][`id`][*][new\nnode1: line][-x][{{ID}}][{{{{]' ]
    run -0 --separate-stderr "$FORAY" all -w node1 printf '%s %s' -b --raw
    [ "$output" = "node1: -b --raw" ]
    run -0 --separate-stderr "$FORAY" all -w node1 'printf "%s %s" "$((1 + 1))" {{ID}} | tr 2 3'
    [ "$output" = "node1: 3 {{ID}}" ]
}

@test "{{host}} is the host's name, as a word, whatever quotes it stands in" {
    run -0 --separate-stderr "$FORAY" all -qw node2 'echo {{host}} "<{{host}}>" '\''{{host}}'\'' $FORAY_HOST'
    [ "$output" = 'node2: node2 <node2> node2 node2' ]
    run -0 --separate-stderr "$FORAY" all -qw node2 echo 'it is {{host}}' '{{ host }}'
    [ "$output" = 'node2: it is node2 node2' ]
    run -2 "$FORAY" all -w node2 'echo `echo {{host}}`'
    [[ $output == *'`{{host}}` cannot be quoted inside `...`'* && $output == *FORAY_HOST* ]]
}

@test "-b: equal output once, whatever the hosts call themselves; the rest in groups of its own" {
    cat >script <<'S'
case {{host}} in
node4) echo "other on {{host}}" ;;
node5) ;;
*) echo "{{host}}: hello from {{host}}-ib0, not from my{{host}} or {{host}}0" ;;
esac
echo complaint >&2
S
    run -0 --separate-stderr "$FORAY" all -bw 'node[1-6]' "$(sed 's/, not.*"/"/' script)"
    [ "$output" = '---------------
node[1-3,6] (4)
---------------
{{host}}: hello from {{host}}-ib0
---------------
node4 (1)
---------------
other on node4' ]
    [[ $stderr == '---------------
node[1-6] (6), standard error
---------------
complaint
foray: 6 hosts: 6 done, '* ]]
    # A name that is only part of a word is no name.
    run -0 --separate-stderr "$FORAY" all -bw 'node[1-2]' "$(cat script)"
    [[ $output == *"node1 (1)"*"hello from node1-ib0, not from mynode1 or node10"* ]]
}

@test "failures and time-outs have lines of their own, with counts and folded names" {
    run -1 --separate-stderr "$FORAY" all -b --timeout=6 -w 'node[1-6]' \
        'case {{host}} in node[12]) exit 3;; node3) kill -9 $$;; node4) sleep 60;; esac; echo fine'
    [ "$output" = $'---------------\nnode[5-6] (2)\n---------------\nfine' ]
    [[ $stderr == $'failed node[1-2] (2): exit status 3\nfailed node3 (1): exit status 137 (SIGKILL)\ntimed out node4 (1)\nforay: 6 hosts: 2 done, 3 failed, 1 timed out, '* ]]
    run -1 --separate-stderr "$FORAY" all -qw 'node[1-2]' exit 1
    [[ $stderr == *"failed node[1-2] (2): exit status 1"*"2 hosts: 0 done, 2 failed"* ]]
}

@test "a host that cannot be used is told, and the status is 3; a failed command counts more" {
    "$fleet" fault node2 refused 3>&-
    run -3 --separate-stderr "$FORAY" all -w 'node[1-3]' echo hi
    [ "$(lines_of "$output")" = $'node1: hi\nnode3: hi' ]
    [[ $stderr == *"not reached node2 (1): cannot connect to "*"Connection refused"* ]]
    [[ $stderr == *"foray: 3 hosts: 2 done, 1 not reached, "* ]]
    run -1 "$FORAY" all -w 'node[1-3]' false
}

@test "what ran when its host was lost does not run again" {
    "$FORAY" all -w 'node[1-2]' 'echo x >>ran; [ {{host}} = node1 ] || exit 0; sleep 60' >out 2>err 3>&- &
    pid=$!
    wait_until 20 test -s "$FORAY_FLEET/hosts/node1/home/ran"
    "$fleet" fault node1 killed 3>&-
    "$fleet" heal node1 3>&-
    ended_with 20 3
    [ "$(cat "$FORAY_FLEET/hosts/node1/home/ran")" = x ]
    rm "$FORAY_FLEET"/hosts/node[12]/home/ran
    contains err 'lost node1 (1): '
}

@test "-N: so many at once" {
    run -0 --separate-stderr "$FORAY" all -N 2 --raw -w 'node[1-6]' 'date "+%s%N 1"; sleep 1; date "+%s%N -1"'
    [ "$(sort -n <<<"$output" | awk '{n += $2} n > most {most = n} END {print NR, most}')" = "12 2" ]
}

@test "-K ends the others at the first failure; -k N stops at the Nth" {
    in_background all -K -w 'node[1-3]' 'touch began; until [ -e go ]; do sleep 0.05; done; exit 1'
    for h in 1 2 3; do wait_until 20 test -e "$FORAY_FLEET/hosts/node$h/home/began"; done
    touch "$FORAY_FLEET/hosts/node2/home/go"
    ended_with 20 1
    rm "$FORAY_FLEET"/hosts/node?/home/began "$FORAY_FLEET/hosts/node2/home/go"
    contains err "failed node2 (1): exit status 1"
    contains err "ended node[1,3] (2)"
    run -1 --separate-stderr "$FORAY" all -N1 -k2 -w 'node[1-6]' false
    [[ $stderr == *"0 done, 2 failed, 4 not run"* ]]
}

@test "TERM ends it there too, and shows what there is" {
    in_background all -bw 'node[1-2]' 'echo begun; touch running; exec sleep 61.5'
    wait_until 20 test -e "$FORAY_FLEET/hosts/node1/home/running"
    wait_until 20 test -e "$FORAY_FLEET/hosts/node2/home/running"
    kill -TERM "$pid"
    ended_with 20 143
    rm "$FORAY_FLEET"/hosts/node[12]/home/running
    contains out begun
    contains err 'ended node[1-2] (2)'
    needs_root
    wait_until 5 no_process_on node1
    wait_until 5 no_process_on node2
}

@test "hosts: pools of the file, if there is one, node sets, and what is left out" {
    echo '{hosts: {rack: "node[1-3]", far: {hosts: "@rack,node5", slots: 1}}}' >foray.yaml
    on() { # WORD... -- HOST...
        local words=() wanted
        while [ "$1" != -- ]; do words+=("$1"); shift; done
        shift
        wanted=$(printf '%s\n' "$@")
        run -0 --separate-stderr "$FORAY" all --raw "${words[@]}" echo '{{host}}'
        [ "$(lines_of "$output")" = "$wanted" ] || { echo "${words[*]}: $output"; return 1; }
    }
    on --on rack -- node1 node2 node3
    on -w @far -- node1 node2 node3 node5
    on -w rack,node6 -x 'node[2-3],node9' -- node1 node6
    on -w node4 --on=node1 -w node4 -- node1 node4
    on -w far -x rack -- node5
    on -w 'far!node[1-2],node6^@rack' -- node1 node2 node5 node6
    on -w 'node[1-6/2]&@*' -x 'rack!node3' -- node3 node5
    mkdir sub && on -C sub -w node1 -- node1
    run -2 "$FORAY" all -w rack -x @rack true
    [[ $output == *"no host is left"* ]]
    run -2 "$FORAY" all -w @rak true
    [[ $output == *"--on:1:1: error: there is no pool \`rak\`"*"did you mean \`rack\`"* ]]
    run -2 "$FORAY" all -w 'node[1-' true
    [[ $output == *"--on:1:"* ]]
    run -2 "$FORAY" all -w '-oProxyCommand=touch${IFS}bad' true
    [ ! -e bad ]
    run -2 "$FORAY" all true
    [[ $output == *"on which hosts?"* ]]
    run -2 "$FORAY" all -w node1
    [[ $output == *"no command"* ]]
}

@test "\`foray all\` alone is the step of that name" {
    echo '{steps: {all: {run: echo the step}}}' >foray.yaml
    run -0 --separate-stderr "$FORAY" all
    [ "$output" = "the step" ]
}

@test "much output on all hosts comes whole" {
    run -0 bash -c '"$FORAY" all -w "node[1-6]" "seq 200000" 2>/dev/null | sort | uniq -c | awk "{n[\$1]++} END {for (i in n) print i, n[i]}"'
    [ "$output" = "1 1200000" ]
    "$FORAY" all -bw 'node[1-6]' 'seq 200000' >out 2>err
    [ "$(sed -n 2p out)" = 'node[1-6] (6)' ]
    [ "$(tail -n +4 out | md5sum)" = "$(seq 200000 | md5sum)" ]
}

@test "who reads slowly is waited for there, not in memory" {
    mkfifo pipe
    { head -c 10000 >/dev/null; until [ -e go ]; do sleep 0.1; done; cat >/dev/null; } <pipe 3>&- &
    reader=$!
    "$FORAY" all -w 'node[1-2]' 'yes "$(printf %099d 0)" | head -c 40000000' >pipe 2>err 3>&- &
    pid=$!
    memory() { awk '/^VmRSS:/ {print $2}' "/proc/$pid/status"; }
    stands_still() { local before; before=$(memory); sleep 1; [ "$before" -gt 0 ] && [ "$(memory)" = "$before" ]; }
    wait_until 60 stands_still
    is_sanitized || [ "$(memory)" -lt 100000 ]
    touch go
    ended_with 120 0
    wait $reader
}

@test "who reads slowly for long loses no host, not even one that was not ready yet" {
    needs_root
    echo 'sleep 3' >"$FORAY_FLEET/hosts/node2/home/.bashrc"
    mkfifo pipe
    { head -c 10000 >/dev/null; until [ -e go ]; do sleep 0.1; done; cat >/dev/null; } <pipe 3>&- &
    "$FORAY" all -w 'node[1-2]' 'yes "$(printf %099d 0)" | head -c 6000000' >pipe 2>err 3>&- &
    pid=$!
    sleep 35 # more than a shell has to be ready, and more silence than is endured
    rm "$FORAY_FLEET/hosts/node2/home/.bashrc"
    touch go
    : >out
    ended_with 120 0
}

@test "it ends when nobody reads any more" {
    run -0 bash -c '"$FORAY" all -w "node[1-2]" "while echo x; do sleep 0.1; done" 2>/dev/null | head -1; echo "${PIPESTATUS[0]}"'
    [[ ${lines[0]} == node[12]": x" ]]
    [ "${lines[1]}" = 141 ]
    needs_root
    wait_until 20 no_process_on node1
}

@test "ssh is asked about two of many hosts; about all where their configuration is hard to tell" {
    mkdir bin
    printf '#!/bin/sh\necho "$@" >>"%s/asked"\nexec "%s" "$@"\n' "$PWD" "$(command -v ssh)" >bin/ssh
    chmod +x bin/ssh
    export PATH=$PWD/bin:$PATH
    run -0 "$FORAY" all -w 'node[1-6]' true
    [ "$(grep -c -- '^-G' asked)" = 2 ]
    { echo "Host node[1-2]"; echo "  ConnectTimeout 20"; cat "$FORAY_FLEET/ssh_config"; } >config
    : >asked
    run -0 "$FORAY" all -F config -w 'node[1-6]' true
    [ "$(grep -c -- '^-G' asked)" = 2 ] # brackets are no pattern
    { printf 'Host node1 node2\n  ConnectTimeout 20\n'; cat "$FORAY_FLEET/ssh_config"; } >config
    : >asked
    run -0 "$FORAY" all -F config -w 'node[1-6]' true
    [ "$(grep -c -- '^-G' asked)" -le 4 ]
    { sed '/^  User /d' "$FORAY_FLEET/ssh_config"; printf 'Match host 127.0.0.4\n  User nobody-of-this-name\n'; } >config
    : >asked
    run -3 --separate-stderr "$FORAY" all -F config -w 'node[1-6]' true
    [ "$(grep -c -- '^-G' asked)" -ge 6 ]
    [[ $stderr == *"not reached node3 (1): "* ]]
}

@test "all: -k wants its number, in the same word or the next" {
    for k in "-k 1" -k1 "--keep-going 1" --keep-going=1; do
        # shellcheck disable=SC2086 # two words
        run -0 "$FORAY" all -w node1 $k -- echo said
        [[ $output == *said* ]]
    done
    run -2 "$FORAY" all -w node1 -k echo said
    [[ $output == *'-k wants a number of failures, not `echo`'* ]]
    run -2 "$FORAY" all -w node1 -N x echo said
    [[ $output == *'-N wants a number'* ]]
}
