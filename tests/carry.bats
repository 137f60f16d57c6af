# What goes to hosts and comes back: patterns, copies to fixed places, directories.
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
}

says() { # STATUS TEXT...
    run "-$1" "$FORAY"
    shift
    for text in "$@"; do
        [[ $output == *"$text"* ]] || { printf 'not said: %s\n%s\n' "$text" "$output"; return 1; }
    done
}

@test "out: patterns bring back what they match there, and the graph grows by it" {
    cat >foray.yaml <<'Y'
hosts: {farm: "node[1-3]"}
steps:
  split:
    on: farm
    in: parts/text
    run: mkdir parts/sub && cd parts && split -l 10 text p. && echo x > sub/x.log && ln -s text p.link && mkdir p.dir && echo > .p.hidden
    out: [parts/p.*, "parts/*/*.log", {optional: [core, "parts/*.core"]}]
  count: {each: "{{split.out}}", on: farm, in: "{{item}}", run: "wc -l < {{in}} > {{out}}", out: "counts/{{item.base}}"}
Y
    mkdir parts
    seq 30 >parts/text
    run -0 "$FORAY"
    [ "$(cd parts && echo p* sub/*)" = "p.aa p.ab p.ac p.link sub/x.log" ]
    [ "$(cat counts/p.* | tr '\n' ' ')" = "10 10 10 30 " ]
    [ ! -e parts/.p.hidden ] && [ ! -e core ]
}

@test "out: a pattern that matches nothing there is a failure; inputs are no outputs" {
    cat >foray.yaml <<'Y'
hosts: {farm: "node[1-3]"}
steps:
  a: {on: farm, in: a.txt, run: "true", out: "*.txt"}
Y
    echo kept >a.txt
    says 1 'it made nothing that matches *.txt'
    [ "$(cat a.txt)" = kept ]
}

@test "out: names of any bytes come back by patterns" {
    cat >foray.yaml <<'Y'
hosts: {farm: "node[1-3]"}
steps:
  a: {on: farm, run: "sh ./make", in: make, out: "d/*"}
  b: {in: "{{a.out}}", run: "for f in {{in}}; do cat \"$f\"; done > all"}
Y
    cat >make <<'S'
mkdir d; cd d
for n in 'a b' "q'\"" '-dash' 'new
line' '*' '$(touch ran)' 'ü'; do printf '%s;' "$n" >"./$n"; done
printf x >"$(printf '\377')"
printf y >"$(printf '%0255d' 1)"
S
    run -0 "$FORAY"
    [ "$(ls d | wc -l)" -ge 9 ]
    [ "$(LC_ALL=C wc -c <all)" = "$(cat d/* d/-dash 2>/dev/null | wc -c)" ] || [ -s all ]
    [ ! -e ran ]
    [ "$(cat "d/$(printf '%0255d' 1)")" = y ]
    [ "$(cat $'d/new\nline')" = $'new\nline;' ]
}

@test "send and fetch: files to fixed places and back" {
    cat >foray.yaml <<'Y'
hosts: {farm: "node[1-3]"}
steps:
  make: {run: "echo made > {{out}}", out: made.txt}
  put:
    on: {every: farm}
    send: {made.txt: kept/app/made, "conf/*.conf": kept/etc/}
    fetch: {kept/app/made: "back/{{host}}", "kept/etc/*": "etc/{{host}}/"}
    dir: .
    run: echo "{{host}}" >> kept/app/made
  all: {in: "back/node2", run: "cat {{in}}"}
Y
    mkdir conf
    echo 1 >conf/a.conf && echo 2 >'conf/b c.conf' && echo no >conf/other
    run -0 "$FORAY"
    for h in 1 2 3; do
        [ "$(cat back/node$h)" = $'made\nnode'$h ]
        [ "$(cat etc/node$h/a.conf "etc/node$h/b c.conf")" = $'1\n2' ]
    done
    [[ $output == *$'made\nnode2'* ]]
    printf 'hosts: {p: node1}\nsteps: {a: {on: p, send: {nofile: x/}}}' >foray.yaml
    says 2 '`nofile` is not there, and no step makes it'
    printf 'hosts: {p: node1}\nsteps: {a: {on: p, send: {"no*": x/}}}' >foray.yaml
    says 1 'nothing matches no*'
    printf 'hosts: {p: node1}\nsteps: {a: {on: p, fetch: {nothing/there: x}}}' >foray.yaml
    says 1 'nothing/there'
    printf 'steps: {a: {send: {x: y}, run: "true"}}' >foray.yaml
    says 2 '`send` needs a host: say `on`'
}

@test "send and fetch: directories with all that is in them" {
    cat >foray.yaml <<'Y'
hosts: {farm: node1}
steps:
  out: {on: farm, dir: ., run: "rm -rf tree", send: {}}
  put: {on: farm, dir: ., needs: out, send: {tree: tree}, run: "test -x tree/bin/run && test -L tree/link && test -d tree/empty"}
  get: {on: farm, dir: ., needs: put, fetch: {tree: back, "tree/b*": some/}}
Y
    sed -i 's/, send: {}//' foray.yaml
    mkdir -p tree/bin tree/empty tree/a/b/c
    echo run >tree/bin/run && chmod 755 tree/bin/run
    echo deep >tree/a/b/c/deep
    ln -s a/b/c/deep tree/link
    ln -s /etc/passwd tree/away
    : >tree/nothing
    printf data >"tree/$(printf 'odd\n \377')"
    run -0 "$FORAY"
    diff -r --no-dereference tree back
    ln -sf other tree/link
    sed -i 's/rm -rf tree/true/' foray.yaml
    run -0 "$FORAY"
    [ "$(readlink back/link)" = other ]
    [ "$(readlink back/away)" = /etc/passwd ]
    [ -x back/bin/run ] && [ -d back/empty ]
    diff -r tree/bin some/bin
}

@test "a link that a host has sent before is not gone through" {
    export VICTIM=$PWD/victim
    mkdir victim
    cat >foray.yaml <<'Y'
hosts: {farm: node1}
steps:
  one: {on: farm, run: "mkdir -p t && ln -s {{env.VICTIM}} t/sub", fetch: {t: got}}
Y
    run -0 "$FORAY"
    [ -L got/sub ]
    cat >foray.yaml <<'Y'
hosts: {farm: node1}
steps:
  two: {on: farm, run: "mkdir -p t/sub && echo bad > t/sub/file", fetch: {t: got}}
Y
    run -3 "$FORAY"
    [[ $output == *'cannot fetch t/sub'* ]]
    [ -z "$(ls victim)" ]
}

@test "what cannot be carried is told" {
    cat >foray.yaml <<'Y'
hosts: {farm: node1}
steps:
  put: {on: farm, send: {d: x}}
Y
    mkdir d && mkfifo d/pipe
    says 1 'd/pipe: it is no file, directory or link'
    cat >foray.yaml <<'Y'
hosts: {farm: node1}
steps:
  get: {on: farm, run: "mkdir d && mkfifo d/pipe", fetch: {d: e}}
Y
    says 1 'no file, directory or link'
}

@test "every: once on each host, in turn with the other steps of that host" {
    cat >foray.yaml <<'Y'
hosts: {farm: "node[1-3]"}
steps:
  up: {on: {every: farm}, run: "[ {{host}} != node2 ] || until [ -e ~/go ]; do sleep 0.05; done; echo up {{host}}"}
  next: {on: {every: farm}, needs: up, run: "echo next {{host}} after {{up.stdout}}"}
  item: {each: [a, b], on: {every: farm}, run: "echo {{item}} {{step}}"}
  same: {each: [node1, node3], on: "{{item}}", run: "echo at $FORAY_HOST"}
Y
    in_background -j20
    # node1 does not wait for node2.
    wait_until 20 contains out "next node1 after up node1"
    wait_until 20 contains out "next node3 after up node3"
    touch "$FORAY_FLEET/hosts/node2/home/go"
    ended_with 20 0
    rm "$FORAY_FLEET/hosts/node2/home/go"
    output=$(cat out)
    [[ $output == *"next node2 after up node2"* ]]
    [[ $output == *"a item[a@node1]"* || $output == *"a@node1 item[a@node1]"* ]]
    [[ $output == *"at node1"* && $output == *"at node3"* ]]
}

@test "same: where another step ran" {
    cat >foray.yaml <<'Y'
hosts: {farm: {hosts: "node[1-3]", pick: random}}
steps:
  a: {each: 1..6, on: farm, dir: ., run: "mkdir -p same && echo {{item}} > same/{{item}}"}
  b: {each: 1..6, on: {same: a}, dir: ., needs: a, run: "cat same/{{item}}"}
  c: {on: farm, run: "echo $FORAY_HOST"}
  d: {on: {same: c}, run: "[ {{host}} = {{c.stdout}} ]"}
Y
    run -0 --separate-stderr "$FORAY"
    [ "$(grep -c '^[1-6]$' <<<"$output")" = 6 ]
}

@test "wait: a host that does not answer yet is waited for" {
    cat >foray.yaml <<'Y'
hosts: {farm: node3}
steps:
  up: {on: {every: farm}, wait: 60s}
  go: {on: farm, needs: up, run: "echo gone to {{host}}"}
Y
    "$fleet" fault node3 killed
    in_background
    wait_until 20 contains err "host node3"
    "$fleet" heal node3
    ended_with 40 0
    contains out "gone to node3"
    "$fleet" fault node3 killed
    sed -i 's/60s/1s/' foray.yaml
    says 3 'node3'
    "$fleet" heal node3
}

@test "wait: a host is waited for though many tries have failed, and though nobody knows its name yet" {
    needs_root
    cat >foray.yaml <<'Y'
hosts: {farm: {hosts: [node3, late.test]}}
steps:
  up: {on: {every: farm}, wait: 90s}
  go: {on: {every: farm}, needs: up, run: "echo gone to {{host}}"}
Y
    address=$(sed -n '/^Host node1$/,/^Host /s/^ *HostName //p' "$FORAY_SSH_CONFIG" | head -1)
    port=$(sed -n '/^Host node1$/,/^Host /s/^ *Port //p' "$FORAY_SSH_CONFIG" | head -1)
    {
        printf 'Host late.test\n  Port %s\n  HostKeyAlias [%s]:%s\n' "$port" "$address" "$port"
        sed 's/^Host node\*$/Host node* late.test/' "$FORAY_SSH_CONFIG"
    } >config
    cp /etc/hosts names
    "$fleet" fault node3 killed
    FORAY_SSH_CONFIG=$PWD/config unshare --mount --propagation private \
        sh -c 'mount --bind names /etc/hosts; exec "$@"' sh "$FORAY" >out 2>err 3>&- &
    pid=$!
    wait_until 20 contains err "cannot find the address of late.test"
    wait_until 20 contains err "host node3"
    sleep 6 # in which more tries fail than a host has that nobody waits for
    kill -0 "$pid"
    "$fleet" heal node3
    echo "$address late.test" >>names
    ended_with 60 0
    [ "$(sort out)" = $'gone to late.test\ngone to node3' ]
    # Nobody waits for what is not said to be waited for.
    sed -i 's/wait: 90s/run: "true"/' foray.yaml
    FORAY_SSH_CONFIG=$PWD/config run -3 timeout 60 "$FORAY"
    [[ $output == *"cannot find the address of late.test"* ]]
}

@test "speculate: what takes much longer than its like gets a second run, and the first to end counts" {
    cat >foray.yaml <<'Y'
hosts: {farm: {hosts: "node[1-3]", slots: 2}}
steps:
  a:
    each: 1..6
    on: farm
    speculate: true
    run: "if [ {{host}} = node2 ]; then touch ~/began; sleep 300; fi; until [ -e ~/go ]; do sleep 0.05; done; echo {{host}} > {{out}}"
    out: "{{item}}.out"
  b: {in: "{{a.out}}", run: "cat {{in}}"}
Y
    in_background
    wait_until 20 test -e "$FORAY_FLEET/hosts/node2/home/began"
    touch "$FORAY_FLEET"/hosts/node{1,3}/home/go
    ended_with 60 0
    rm "$FORAY_FLEET"/hosts/node{1,3}/home/go "$FORAY_FLEET/hosts/node2/home/began"
    [ "$(grep -c '^node[13]$' out)" = 6 ]
    contains err "7 steps done"
    wait_until 10 no_process_on node2
}

@test "limit: so many steps at once, on all hosts together" {
    cat >foray.yaml <<'Y'
hosts: {farm: {hosts: "node[1-3]", slots: 4}}
limits: {one: 1, two: 2}
steps:
  a:
    each: 1..6
    on: farm
    limit: [one, two]
    run: echo "$(date +%s%N) $(sleep 0.1; date +%s%N)"
Y
    run -0 --separate-stderr "$FORAY"
    [ "$(wc -l <<<"$output")" = 6 ]
    sort <<<"$output" | awk '$1 < end {exit 1} {end = $2}'
}

@test "cpus: a step takes that share of its host, mem: as far as its memory goes" {
    cat >foray.yaml <<'Y'
hosts: {farm: {hosts: node1, slots: 4}}
steps:
  wide: {each: 1..3, on: farm, cpus: 1000, dir: ., run: "mkdir lock && sleep 0.1 && rmdir lock"}
  slim: {each: 1..8, on: farm, dir: ., run: "[ ! -e lock ]"}
Y
    run -0 "$FORAY"
    sed -i '/wide/d' foray.yaml
    echo '  large: {on: farm, mem: 900T, run: echo never}' >>foray.yaml
    run -3 "$FORAY" -k
    [[ $output == *"failed large"* && $output == *"8 steps done"* ]]
    printf 'steps: {a: {mem: 900T, run: echo never}}' >foray.yaml
    run -3 "$FORAY"
    printf 'steps: {a: {each: 1..4, cpus: 64, run: "mkdir lock && sleep 0.05 && rmdir lock"}}' >foray.yaml
    run -0 "$FORAY" -j8
}

@test "what a step sends counts as its input: files and patterns are watched, a directory makes it run" {
    cat >foray.yaml <<'Y'
hosts: {p: node1}
steps:
  a: {on: p, send: {conf.txt: x.conf, "more.*": more/}, run: "cat x.conf more/* > {{out}}", out: sent}
  d: {on: p, send: {dir: there/}, run: "cat there/dir/f > {{out}}", out: got}
Y
    mkdir dir
    echo one >conf.txt
    echo two >more.1
    echo f >dir/f
    run -0 "$FORAY"
    [ "$(cat sent)" = $'one\ntwo' ]
    run -0 "$FORAY" a
    run -0 "$FORAY" a
    [[ $output == *"nothing to do"* ]]
    echo three >more.2
    run -0 "$FORAY" a
    [[ $output == *"1 step done"* && $(cat sent) = $'one\ntwo\nthree' ]]
    run -0 "$FORAY" a
    run -0 "$FORAY" a
    [[ $output == *"nothing to do"* ]]
    echo new >conf.txt
    run -0 "$FORAY"
    [[ $(cat sent) = $'new\ntwo\nthree' ]]
    echo g >dir/f
    run -0 "$FORAY"
    [ "$(cat got)" = g ]
    run -0 "$FORAY" why d
    [[ $output == *"it sends the directory dir, whose contents are not watched"* ]]
}

@test "a directory to run in that is not there is the step's fault, and told once" {
    cat >foray.yaml <<'Y'
hosts: {farm: "node[1-3]"}
steps:
  with: {on: farm, dir: nonesuch, in: f, run: cat f}
  without: {on: farm, dir: nonesuch, run: pwd}
Y
    echo x >f
    run -1 "$FORAY" -k
    [[ $output == *"failed with on node"*"cannot write nonesuch/f there: no such file or directory"* ]]
    [[ $output == *"failed without on node"*"cannot go to nonesuch"* && $output != *again* ]]
}
