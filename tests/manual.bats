# What the manual and the README say is true.
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
top=$BATS_TEST_DIRNAME/..

# The example of the manual that begins with "# test: NAME".
example() { # NAME
    awk -v want="# test: $1" '/^\.Ed/ {on = 0} on {print} $0 == want {on = 1}' "$top/man/foray.yaml.5" |
        sed 's/\\e/\\/g; s/\\&//g' >foray.yaml
    [ -s foray.yaml ]
}

@test "foray.yaml(5): count" {
    example count
    run -0 "$FORAY"
    [ "$(cat total)" = 2000 ]
}

@test "foray.yaml(5): files" {
    example files
    mkdir input && echo one >input/1.log && echo two >'input/2 b.log'
    run -0 "$FORAY"
    [ "$(zcat archive/1.log.gz 'archive/2 b.log.gz')" = $'one\ntwo' ]
}

@test "foray.yaml(5): suite" {
    example suite
    run -0 "$FORAY" all
    [[ $output == *"testing docs"* ]]
}

@test "foray.yaml(5): fan" {
    example fan
    seq 1 2 100 >corpus.txt
    run -0 "$FORAY"
    [ "$(cat total.txt)" = 50 ]
    run -0 "$FORAY" # what stands there from before is not taken for what the step makes
    [ "$(cat total.txt)" = 50 ]
}

@test "foray.yaml(5): deploy" {
    example deploy
    echo '[ "$1" != node2 ]' >app.sh
    run -1 "$FORAY" -k
    [[ $output == *"node2 is as it was"* ]]
    [[ $output != *"node1 is as it was"* ]] || { echo "$output"; false; }
    [[ $output == *"deployment is over"* ]]
    [[ $output == *"failed start[node2] on node2: exit status 1"*", try 3"* ]]
    echo true >app.sh
    run -0 "$FORAY"
    [[ $output != *"as it was"* ]]
}

@test "foray.yaml(5): matrix" {
    example matrix
    run -0 "$FORAY"
    [ "$(cat report)" = $'alpine with 3.12\ndebian with 3.11\ndebian with 3.12' ]
}

@test "foray.yaml(5): lists" {
    example lists
    echo one >1.src && echo two >2.src
    run -0 "$FORAY"
    [ "$(cat pack)" = $'one\ntwo' ]
}

@test "foray.yaml(5): value" {
    example value
    echo 1.2.3 >VERSION
    run -0 "$FORAY"
    [ "$(cat pack-1.2.3.txt)" = $'program 1.2.3\nmanual of 1.2.3' ]
}

@test "foray.yaml(5): host lists" {
    sed -n '/^\.Ss Host lists/,/^\.Ss vars/p' "$top/man/foray.yaml.5" | sed -n '/^\.It Ql /{s///;N;p}' >lists
    [ "$(wc -l <lists)" -ge 16 ]
    while read -r list && read -r hosts; do
        cat >foray.yaml <<END
hosts: {rack: "node[1-4]", gpu: "node[3-6]", p: "$list"}
steps: {s: {on: {every: p}, run: x}}
END
        run -0 "$FORAY" graph
        [ "$(sed 's/.* on //' <<<"$output" | paste -sd ' ')" = "$hosts" ] || { echo "$list: $output"; false; }
    done <lists
}

@test "the README's file is one" {
    sed -n '/^    hosts:/,/^[^ ]/p' "$top/README" | sed '$d; s/^    //' >foray.yaml
    seq 100 >corpus.txt
    run -0 "$FORAY" -n
    [[ $output == *"# total"* ]]
}

@test "foray.yaml(5): launch" {
    example launch
    seq 3 >text
    run -0 --separate-stderr "$FORAY"
    [ "$output" = $'clean\nsolve: 4 cores, 1024M' ]
    [ "$(cat lines)" = 3 ]
}

@test "every option stands in the help and the manual" {
    options=$({ "$FORAY" --help; "$FORAY" graph --help; "$FORAY" check --help; "$FORAY" all --help; "$FORAY" copy --help; "$FORAY" hosts --help; } | grep -oE -- '--[a-z-]+' | sort -u)
    [ "$(wc -l <<<"$options")" -ge 15 ]
    for o in $options; do
        grep -qF -- "Fl -${o#--}" "$top/man/foray.1" || { echo "$o is not in foray.1"; false; }
    done
}
