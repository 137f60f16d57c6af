# Hosts that any command reaches: launch, stage.
load helper

setup_file() {
    load helper
    # Scratch directories that are of this file's tests only, where whoever they run as can make them.
    TMPDIR=$(mktemp -d /tmp/launch-XXXXXX)
    chmod 1777 "$TMPDIR"
    export TMPDIR
    fleet_up 2
}
teardown_file() {
    load helper
    fleet_down
    rm -rf "$TMPDIR"
}
setup() {
    cd "$BATS_TEST_TMPDIR" || return
    chmod 755 .
    use_fleet
}

no_scratch() { [ -z "$(find "$TMPDIR" "$FORAY_FLEET"/hosts/*/tmp -mindepth 1 -maxdepth 1 -name 'foray-*')" ]; }

# The launchers that are tried: a line each, the words of `launch`.
launchers() {
    echo 'env'
    echo 'sh, -c, "exec \"$@\"", sh'
    [ "$(id -u)" != 0 ] || {
        echo "sudo, -n, -u, nobody, env, TMPDIR=$TMPDIR"
        echo 'setpriv, --reuid=nobody, --regid=nogroup, --clear-groups'
        echo 'unshare, --mount, --propagation, private, sh, -c, "mount -t tmpfs tmpfs /tmp; exec \"$@\"", sh'
    }
    echo "ssh, -F, \"$FORAY_SSH_CONFIG\", node1"
}

# A graph that carries all that can be carried; POOL: where, empty: here.
write_graph() { # POOL
    local on=${1:+on: $1,}
    cat >>foray.yaml <<Y
steps:
  split:
    ${1:+on: $1}
    in: [parts/text, "-dash", "back\\\\nslash", tool]
    run: |
      test -x ./tool
      mkdir parts/sub
      cd parts
      split -l 10 text p.
      echo x > sub/x.log; mkdir p.dir; echo > .p.hidden
      : > p.empty; cp ../-dash 'p. odd '\''"\$(touch PWNED)'; cp ../-dash 'p.new
      line'; cp ../-dash 'p.back\\nslash'
      cat '../back\\nslash' > p.slash
    out: [parts/p.*, "parts/*/*.log", {optional: [core, "parts/*.core"]}]
  count: {each: "{{split.out}}", $on in: "{{item}}", run: "wc -c < {{in}} > {{out}}", out: "counts/{{item.base}}"}
  marks: {$on in: tool, run: "cp tool {{out}}; chmod 755 {{out}}", out: made/tool}
  all: {in: ["{{count.out}}", made/tool], run: "true"}
Y
}
write_files() {
    mkdir parts
    seq 30 >parts/text
    echo dash >./-dash
    echo slash >'back\nslash'
    printf '#!/bin/sh\n' >tool && chmod 755 tool
}
listing() { find parts counts made -type f -printf '%p %m %s ' -exec cksum {} \; | sort; }

@test "launch: the same results by whatever command" {
    mkdir here && cd here
    write_files && write_graph ''
    run -0 "$FORAY"
    # What is no output stays where it was made.
    rm -r parts/.p.hidden parts/p.dir
    listing >../expected
    [ "$(wc -l <../expected)" -ge 19 ]
    cd ..
    n=0
    while IFS= read -r words; do
        n=$((n + 1))
        mkdir $n && cd $n
        echo "hosts: {far: {launch: [$words], slots: 3}}" >foray.yaml
        write_files && write_graph far
        run -0 "$FORAY"
        [ ! -e PWNED ]
        diff ../expected <(listing)
        cd ..
    done < <(launchers)
    wait_until 20 no_scratch
}

@test "launch: the tars that there are give the same results" {
    needs_root
    mkdir tree && cd tree
    mkdir -p bin empty a/b/c "$(printf 'd%.0s' {1..120})"
    echo run >bin/run && chmod 755 bin/run
    echo deep >a/b/c/deep && ln a/b/c/deep a/second
    ln -s a/b/c/deep link && ln -s /nowhere away && ln -s "$(printf 'l%.0s' {1..150})" long
    : >nothing
    truncate -s 3M holes && echo end >>holes
    printf data >"$(printf 'odd\n \377')"
    echo x >"$(printf 'd%.0s' {1..120})/$(printf 'n%.0s' {1..200})"
    cd ..
    for tar in tar "busybox tar" bsdtar; do
        command -v "${tar%% *}" || continue
        mkdir -p path
        printf '#!/bin/sh\nexec %s "$@"\n' "$(command -v "${tar%% *}")${tar#"${tar%% *}"}" >path/tar && chmod 755 path/tar
        cat >foray.yaml <<Y
hosts: {far: {launch: [env, "PATH=$PWD/path:$PATH"]}}
steps:
  put: {on: far, dir: /, send: {tree: $PWD/there/tree, "tree/a/*": $PWD/there/some/}, run: "true"}
  get: {on: far, dir: /, needs: put, fetch: {$PWD/there/tree: back, "$PWD/there/tree/b*": few/}}
Y
        run -0 "$FORAY" -B
        diff -r --no-dereference tree there/tree
        diff -r --no-dereference tree back
        diff -r tree/bin few/bin
        [ "$(cat there/some/second)" = deep ]
        [ "$(stat -c %a there/tree/bin/run back/bin/run | sort -u)" = 755 ]
        [ "$(stat -c %b back/holes)" -lt 100 ]
        [ -z "$(find there back -name '.foray*')" ]
        rm -rf there back few
    done
}

@test "launch: a command with {{host}} makes many hosts, one without hosts one that is called like its pool" {
    cat >foray.yaml <<'Y'
hosts:
  many: {hosts: "box[1-3]", launch: [env, "NAME={{host}}!"], slots: 1}
  one: {launch: [env]}
steps:
  a: {on: {every: many}, run: "echo $NAME {{host}} $FORAY_HOST"}
  b: {on: one, run: "echo {{host}}"}
Y
    run -0 --separate-stderr "$FORAY"
    [ "$(sort <<<"$output")" = $'box1! box1 box1\nbox2! box2 box2\nbox3! box3 box3\none' ]
    run -0 "$FORAY" hosts
    [[ $output == *"env 'NAME=box1!'"* && $output == *"all can be used"* ]]
}

@test "launch: streams, statuses and signals come through, standard input is empty" {
    cat >foray.yaml <<'Y'
hosts: {far: {launch: [env]}}
steps:
  streams: {on: far, run: "cat; echo out; echo err >&2; printf 'no newline'"}
  status: {on: far, run: exit 9}
  signal: {on: far, run: kill -TERM $$}
  much: {on: far, run: "head -c 50000000 /dev/zero | tr '\\0' o & head -c 50000000 /dev/zero | tr '\\0' e >&2; wait"}
Y
    run -0 --separate-stderr "$FORAY" streams
    [ "$output" = $'out\nno newline' ]
    [[ $stderr == *"err"* ]]
    run -1 "$FORAY" -k status signal
    [[ $output == *"exit status 9"* && $output == *"exit status 143 (SIGTERM)"* ]]
    timeout 120 "$FORAY" -q much >out 2>err
    [ "$(wc -c <out)" = 50000000 ] && [ "$(tr -d o <out | wc -c)" = 0 ]
    [ "$(tr -cd e <err | wc -c)" -ge 50000000 ]
}

@test "launch: what a step did not make is a failure, and old results stay" {
    cat >foray.yaml <<'Y'
hosts: {far: {launch: [env]}}
steps:
  a: {on: far, out: [a, b], run: "echo hi > a"}
  c: {on: far, out: c, run: "echo new > c; exit 1"}
  d: {on: far, out: "d.*", run: "true"}
  e: {on: far, out: e, run: "mkdir e"}
  f: {on: far, in: gone, run: "true"}
Y
    echo old >c
    mkfifo gone
    run -1 "$FORAY" -k
    [[ $output == *"it did not make b"* && $output == *"it made nothing that matches d.*"* ]]
    [[ $output == *"cannot fetch e: it is not a regular file"* && $output == *"its input gone is not a regular file"* ]]
    [ "$(cat c)" = old ] && [ ! -e a ]
}

@test "stage: none works in this very directory" {
    cat >foray.yaml <<'Y'
hosts: {far: {launch: [env, "FAR=1"], stage: none, slots: 2}}
steps:
  a: {on: far, in: big, run: "pwd; echo $FAR > {{out}}; ls -i big > inode", out: d/a}
  b: {on: far, in: d/a, dir: sub, run: "pwd; cat {{in}} > {{out}}; touch ../p.1 ../p.2", out: [b, "p.*"]}
  c: {each: "{{b.out}}", on: far, in: "{{item}}", run: "echo {{in}}"}
  missing: {on: far, run: "true", out: missing}
  fails: {on: far, run: "echo half > {{out}}; exit 1", out: half}
  sent: {on: far, send: {big: x}}
Y
    mkdir sub && echo big >big && touch p.0
    run -0 --separate-stderr "$FORAY" c
    [[ $output == "$PWD"$'\n'"$PWD/sub"* ]]
    [ "$(cat d/a b)" = $'1\n1' ] && [ "$(cat inode)" = "$(ls -i big)" ]
    [ "$(grep -c '^p\.[12]$' <<<"$output")" = 2 ] && [[ $output != *p.0* ]]
    run -1 "$FORAY" -k missing fails sent
    [[ $output == *"it did not make missing"* && $output == *"have no meaning where nothing is staged"* ]]
    [ ! -e half ]
}

@test "launch: {{cpus}}, {{mem}} and {{step}}: a process for each step" {
    cat >foray.yaml <<Y
hosts: {far: {launch: [sh, -c, 'echo "\$1" >>$PWD/log; shift; exec "\$@"', sh, "{{step}} {{cpus}} {{mem}}-", env], slots: 3}}
steps:
  a: {each: [1, 2, 3, 4], on: far, cpus: 2, mem: 1G, in: text, run: "cat {{in}} > {{out}}", out: "out.{{item}}"}
  b: {on: far, needs: a, in: text, run: 'test "\$(cat {{in}})" = hi'}
Y
    echo hi >text
    run -0 "$FORAY"
    [ "$(cat out.?)" = $'hi\nhi\nhi\nhi' ]
    [ "$(sort log)" = $'a[1] 2 1024M-\na[2] 2 1024M-\na[3] 2 1024M-\na[4] 2 1024M-\nenv' ]
    wait_until 20 no_scratch
}

@test "launch: a command that is not there, or fails, is told in one line" {
    echo '{hosts: {far: {launch: [no-such-command, x]}}, steps: {a: {on: far, run: "true"}}}' >foray.yaml
    run -3 "$FORAY"
    [[ $output == *'host far cannot be used: cannot run `no-such-command`: No such file or directory'* ]]
    [ "$(grep -c 'no-such-command`' <<<"$output")" = 1 ]
    echo '{hosts: {far: {launch: [no-such-command, "{{cpus}}"], slots: 4}}, steps: {a: {on: far, each: 1..9, run: "true"}}}' >foray.yaml
    run -3 "$FORAY"
    [[ $output == *'host far cannot be used: cannot run `no-such-command`: No such file or directory'* ]]
    echo '{hosts: {far: {launch: [sh, -c, "echo first >&2; echo there is no such box >&2; exit 1"]}}, steps: {a: {on: far, run: "true"}}}' >foray.yaml
    run -3 "$FORAY"
    [[ $output == *'host far is lost: its shell ended before it was ready'*'there is no such box'* ]]
}

@test "launch: a host without tar is told" {
    mkdir path
    for c in sh cat head mkdir rm sleep ls; do ln -s "$(command -v $c)" path/$c; done
    echo "{hosts: {far: {launch: [env, 'PATH=$PWD/path']}}, steps: {a: {on: far, in: x, run: 'true'}, b: {on: far, run: ls}}}" >foray.yaml
    touch x
    run -0 "$FORAY" b
    run -3 "$FORAY" a
    [[ $output == *'cannot send files there: there is no tar: install it, or say `stage: none`'* ]]
}

@test "launch: with verify, what came to harm on its way is told" {
    mkdir path
    cat >path/tar <<'S'
#!/bin/sh
case $HARM$* in *-c*) /bin/tar "$@" | sed s/nine/NINE/ ;; harm*) /bin/tar "$@" && echo NINE >in ;; *) exec /bin/tar "$@" ;; esac
S
    chmod 755 path/tar
    echo nine | tee in >old
    cat >foray.yaml <<Y
hosts: {far: {launch: [env, "PATH=$PWD/path:$PATH", HARM=harm]}}
defaults: {on: far, retry: 0, verify: true}
steps:
  put: {in: in, run: cat in}
  get: {in: old, out: out, run: cp old out}
Y
    run -3 "$FORAY" put
    [[ $output == *'what was copied is not the same here and there'* ]]
    sed -i 's/HARM=harm/HARM=/' foray.yaml
    run -0 "$FORAY" put
    run -3 "$FORAY" get
    [[ $output == *'what was copied is not the same here and there'* ]]
    [ ! -e out ]
    sed -i s/true/false/ foray.yaml
    run -0 "$FORAY" get
    [ "$(cat out)" = NINE ]
}

# The sum of what cksum says is sent in blanks: one that is shorter than that of nothing, too.
@test "launch: with verify, a short sum is as good as a long one" {
    local i sum
    for ((i = 0; i < 2000; i++)); do
        printf %s $i >in
        sum=$(echo "$(cksum <in) ./in" | cksum)
        [ ${#sum} -ge 12 ] || break
    done
    [ ${#sum} -lt 12 ]
    echo "{hosts: {far: {launch: [env]}}, steps: {put: {on: far, in: in, verify: true, retry: 0, run: cat in}}}" >foray.yaml
    run -0 --separate-stderr "$FORAY"
    [ "$output" = "$(cat in)" ]
}

# What a host sends whose tar is a program of ours.
hostile() { # STATUS TEXT STEP: what `archive` writes is what it sends
    mkdir -p path
    cat >path/tar <<'S'
#!/bin/sh
case $* in *-c*) exec sh "$ARCHIVE" ;; *) exec /bin/tar "$@" ;; esac
S
    chmod 755 path/tar
    cat >foray.yaml <<Y
hosts: {far: {launch: [env, "PATH=$PWD/path:$PATH", "ARCHIVE=$PWD/archive"]}}
steps:
  file: {on: far, run: "echo good > out", out: out}
  tree: {on: far, run: "mkdir t; echo good > t/x", fetch: {t: got}}
Y
    rm -rf got out
    run "-$1" timeout 120 "$FORAY" "$3"
    [[ $output == *"$2"* ]] || { echo "$output"; return 1; }
}

@test "launch: a hostile host is kept inside what was asked for" {
    mkdir -p victim evil/t/sub && echo bad >evil/bad && echo bad >evil/t/x && ln -s "$PWD/victim" evil/t/link
    echo bad >evil/t/sub/y && cp evil/bad evil/out && ln evil/bad evil/second
    tar="cd $PWD/evil && /bin/tar -cf -"
    for names in '--transform=s,^,/, -P out' '--transform=s,^,../, -P out' bad '--transform=s,out,out/x, out' 'out bad'; do
        echo "$tar $names" >archive
        hostile 1 'the host sends what was not asked for' file
        [ ! -e bad ] && [ ! -e ../out ] && [ ! -e /out ]
    done
    echo "$tar out; /bin/tar -cf - out" >archive
    hostile 1 'the host sends it twice' file
    echo "$tar bad second --transform=s,second,out, | /bin/tar --delete -f - bad" >archive
    hostile 1 'the content of what it has not sent' file
    # A link, then a file through it; and one through a link that was sent before.
    echo "$tar t/link; /bin/tar -cf - --transform=s,t/x,t/link/x, t/x" >archive
    hostile 3 'cannot keep got/link: Is a directory' tree
    rm -rf got && mkdir got && ln -s "$PWD/victim" got/sub
    echo "$tar t/sub/y" >archive
    run -3 timeout 120 "$FORAY" tree
    [[ $output == *'cannot fetch t/sub/y: Not a directory'* ]]
    [ -z "$(ls victim)" ]
    mkfifo evil/t/pipe
    echo "$tar t" >archive
    hostile 1 'cannot fetch t/pipe: there is something that is no file, directory or link' tree
    # A directory that becomes a link once it was asked for.
    ln -s "$PWD/victim" evil/away
    echo "$tar --transform=s,away,t, away" >archive
    hostile 1 'cannot fetch t: the host said that it is a directory, and sends something else' tree
    [ ! -e got ] && [ ! -L got ]
    # No archive, one that ends too early, and some that never do.
    echo "echo nonsense; head -c 1000 /dev/zero" >archive
    hostile 3 'tar there gives something that is no tar archive' file
    echo "$tar out | head -c 600" >archive
    hostile 3 'what came ends too early' file
    echo "$tar out | head -c 1024; tr '\\0' x </dev/zero" >archive
    hostile 3 'tar there gives something that is no tar archive' file
    echo "$tar out; cat /dev/zero" >archive
    hostile 3 'tar there gives zeros without an end' file
    echo "$tar --format=pax out | head -c 1024 >head; while cat head; do :; done" >archive
    hostile 3 'tar there gives extended headers without an end' file
    [ ! -e out ] && [ -z "$(find . -name '.foray-*')" ]
}

# A launcher that changes what the shell behind it says, by a sed script; or that from the second script on, which asks
# what there is, says what a command says, and heeds nothing any more.
@test "launch: a hostile launcher that lies about what there is" {
    cat >evil <<'S'
#!/bin/bash
export TMPDIR=$PWD/tmp
case $1 in
change) exec sed -u "$2" < <(exec sh) ;;
*)
    while IFS= read -r line; do
        printf '%s\n' "$line"
        case $line in *+) [ $((n += 1)) != 2 ] || eval "$2" ;; esac
    done < <(exec sh)
    ;;
esac
S
    chmod 755 evil
    cat >evil-tar <<'S'
#!/bin/sh
exec yes >&"$TO"
S
    chmod 755 evil-tar && mkdir path tmp && ln -s ../evil-tar path/tar
    head -c 3000000 /dev/zero >input
    by() { # WORD...
        local words
        printf -v words ', "%s"' "$@"
        cat >foray.yaml <<Y
hosts: {far: {launch: [${words#, }]}}
steps:
  file: {on: far, run: "echo good > out", out: out}
  files: {on: far, run: "echo good > p.1", out: "p.*"}
  tree: {on: far, run: "mkdir t; echo good > t/x", fetch: {t: got}}
  put: {on: far, in: input, run: "true"}
Y
    }
    lie() { # STATUS TEXT STEP WORD...
        rm -rf out p.* got
        by "${@:4}"
        (is_sanitized || ulimit -v 1000000 && exec timeout 100 "$FORAY" "$3" >log 2>&1) && status=0 || status=$?
        [ "$status" = "$1" ] && [[ $(cat log) == *"$2"* ]] || { echo "$status"; head -c 1000 log; return 1; }
        [ "$1" = 0 ] || [ -z "$(ls | grep -vxE 'evil|evil-tar|path|tmp|input|foray.yaml|log')" ] || { ls; return 1; }
        [ -z "$(find . -name '.foray-*')" ]
    }
    # What such a launcher leaves behind when it is killed is its own business.
    lie 0 '' file ./evil change 's/nothing/is changed/'
    [ "$(cat out)" = good ]
    lie 1 'it did not make out' file ./evil change 's,0 fout,0 f../out,'
    lie 1 'it did not make out' file ./evil change 's,0 fout,1 fout,;s,1 fout,0 fother,'
    lie 3 'its shell gives an answer that is none' file ./evil change 's,0 fout,7 fout,'
    lie 1 'cannot fetch out: it is not a regular file' file ./evil change 's,0 fout,0 dout,'
    lie 1 'it made nothing that matches p.*' files ./evil change 's,0 fp.1,0 fp.1/../../x,'
    lie 1 'it made nothing that matches p.*' files ./evil change 's,0 fp.1,0 f/p.1,'
    lie 1 'it made nothing that matches p.*' files ./evil change 's,0 fp.1,0 dp.1,'
    lie 1 'p.1 and p.1 would both become p.1' files ./evil change 's,0 fp.1,&\\x00&,'
    # Without an end: what is said while files are sent, and answers that nobody asked for, for which it would be tried again.
    lie 3 'it does not end what runs there' put env "PATH=$PWD/path:$PATH" "TMPDIR=$PWD/tmp" TO=1
    lie 3 'it does not end what runs there' put env "PATH=$PWD/path:$PATH" "TMPDIR=$PWD/tmp" TO=2
    by ./evil flood 'yes 0 fp | tr \\\\n \\\\0'
    (is_sanitized || ulimit -v 1000000 && exec "$FORAY" files >log 2>&1 3>&-) &
    pid=$!
    wait_until 60 grep -q 'it does not end what runs there' log
    kill -TERM "$pid"
    wait "$pid" || [ $? = 143 ]
    [ -z "$(find . -name '.foray-*')" ]
}

@test "launch: killed with SIGKILL, foray leaves nothing of a step" {
    n=0
    while IFS= read -r words; do
        n=$((n + 1))
        long=98$$.$n # seconds that nobody else sleeps
        cat >foray.yaml <<Y
hosts: {far: {launch: [$words], slots: 3}}
steps: {t: {each: [1, 2, 3], on: far, run: "trap '' TERM; sleep $long & (sleep $long; sleep $long) & sleep $long; sleep $long"}}
Y
        in_background
        wait_until 20 eval '[ "$(pgrep -fxc "sleep ${long/./\\.}")" -ge 9 ]'
        kill -KILL "$pid"
        wait_until 6 eval '! pgrep -fx "sleep ${long/./\\.}"'
        wait "$pid" || true
    done < <(launchers)
    wait_until 6 no_scratch
}

@test "launch: Ctrl-C and time-outs end what runs, also where TERM is ignored" {
    local long=99$$ # seconds that nobody else sleeps
    echo "{hosts: {far: {launch: [env]}}, steps: {t: {on: far, run: 'trap \"\" TERM; sleep $long.1 & while :; do sleep $long.2; done'}}}" >foray.yaml
    env --default-signal=INT "$FORAY" >out 2>err 3>&- &
    pid=$!
    wait_until 15 pgrep -fx "sleep $long\.2"
    kill -INT "$pid"
    ended_with 10 130
    wait_until 5 eval '! pgrep -fx "sleep $long\.[12]"'
    echo "{hosts: {far: {launch: [env, 'X={{cpus}}'], slots: 2}}, steps: {t: {on: far, timeout: 0.5, run: 'sleep $long.3 & sleep $long.4'}}}" >foray.yaml
    run -1 timeout 60 "$FORAY"
    [[ $output == *"time limit"* ]]
    wait_until 5 eval '! pgrep -fx "sleep $long\.[34]"'
}

@test "launch: a launcher that is killed: the step goes on elsewhere, nothing is left" {
    cat >foray.yaml <<Y
hosts: {far: {hosts: [a, b], launch: [sh, -c, '"\$@"; exit', "launcher-{{host}}"], slots: 1}}
steps: {t: {each: [1, 2], on: far, out: "{{item}}", run: "touch $PWD/began.{{host}}; until [ -e $PWD/go ]; do sleep 0.05; done; echo {{host}} > {{out}}"}}
Y
    in_background
    wait_until 15 test -e began.a -a -e began.b
    kill -KILL "$(pgrep -P "$pid" -f launcher-a)"
    touch go
    ended_with 30 0
    [ -s 1 ] && [ -s 2 ]
    wait_until 20 no_scratch
}

@test "launch: mistakes are told where they are" {
    mistake() { # YAML TEXT
        printf '%s\n' "$1" >foray.yaml
        run -2 "$FORAY" check
        [[ $output == *"$2"* ]] || { echo "$output"; return 1; }
    }
    s='steps: {a: {on: p, run: x}}'
    mistake "{hosts: {p: {launch: docker exec}}, $s}" '`launch` must be a list of words, this is a text'
    mistake "{hosts: {p: {launch: []}}, $s}" '`launch` must be a list of words, this is empty'
    mistake "{hosts: {p: {launch: [x, '{{in}}']}}, $s}" '`{{in}}` has no meaning in `launch`'
    mistake "{hosts: {p: {launch: [x], ssh: {port: 1}}}, $s}" '`ssh` has no meaning beside `launch`'
    mistake "{hosts: {p: {hosts: h, stage: none}}, $s}" '`stage` is said of hosts that `launch` reaches'
    mistake "{hosts: {p: {launch: [x], stage: nfs}}, $s}" '`stage` must be tar or none'
    mistake "{hosts: {p: {launch: [x, '{{cpus}}']}}, $s}" 'does not say how many steps may run at once'
    mistake "{hosts: {p: {hosts: [a, b], launch: [x]}}, $s}" 'all hosts of pool `p` are reached by the same command'
}

@test "launch: what a program there says that should say nothing is no answer" {
    mkdir noisy
    printf '#!/bin/sh\necho made; exec /bin/mkdir "$@"\n' >noisy/mkdir
    chmod 755 noisy/mkdir
    echo "{hosts: {far: {launch: [env, \"PATH=$PWD/noisy:$PATH\"]}}, steps: {a: {on: far, out: sub/x, run: 'echo x >sub/x'}}}" >foray.yaml
    run -0 "$FORAY"
    [ "$(cat sub/x)" = x ]
}

@test "launch: links that patterns match come as what they point to" {
    cat >foray.yaml <<'Y'
hosts: {far: {launch: [env]}}
steps:
  a:
    on: far
    run: mkdir d p && echo x >d/x && ln -s ../d/x o/link && ln -s ../d o/to && ln -s nowhere o/none && cp -P o/* p/
    out: o/*
    fetch: {"p/*": got/}
Y
    run -0 "$FORAY"
    [ "$(cd o && echo *)" = link ] && [ "$(cat o/link got/link got/to/x)" = $'x\nx\nx' ]
    [ ! -L o/link ] && [ ! -e got/none ]
}

@test "launch: paths and commands start in the home directory there, wherever the launcher does" {
    mkdir home && echo x >x
    echo "{hosts: {far: {launch: [env, \"HOME=$PWD/home\"]}}}" >foray.yaml
    run -0 "$FORAY" all -w far pwd
    [[ $output == *"far: $(cd home && pwd)"* ]]
    run -0 "$FORAY" copy x far:sub/
    cmp x home/sub/x
    [ ! -e sub ]
}

@test "launch: a /proc of other processes is none" {
    needs_root
    unshare -p -f true 2>/dev/null || skip "no namespaces here"
    echo '{hosts: {far: {launch: [unshare, -p, -f]}}, steps: {a: {on: far, each: 1..3, out: "o/{{item}}", run: "echo {{item}} >{{out}}; sleep 1000 &"}}}' >foray.yaml
    run -0 timeout 120 "$FORAY"
    [ "$(cat o/*)" = $'1\n2\n3' ]
}
