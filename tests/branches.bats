# Branches: what runs when something failed, and when all is over.
load helper

ran() { # STATUS WORDS OPTION...: these steps printed their names, in some order; foray ended so
    local status=$1 words=$2
    shift 2
    run "-$status" --separate-stderr "$FORAY" "$@"
    [ "$(sort <<<"$output" | tr '\n' ' ')" = "$words " ] || {
        printf '%s\n%s\n' "$output" "$stderr"
        return 1
    }
}

cat_mount() {
    cat >foray.yaml <<'Y'
steps:
  mount: {run: "echo mount; [ -e ok ]", retry: {times: 3, wait: 0.01s, backoff: 2}}
  work: {needs: mount, run: echo work}
  repair: {needs: mount, when: failure, run: echo repair}
  tell: {needs: repair, run: "echo tell; exit 9"}
Y
}

@test "mount; if that works go on" {
    cat_mount
    touch ok
    ran 0 'mount work'
    [[ $stderr == *"2 steps done, 2 not needed"* ]]
}

@test "mount; if it fails try three times more, then repair, then give up with an error" {
    cat_mount
    ran 1 'mount mount mount mount repair tell'
    [[ $stderr == *"1 step done, 2 failed, 1 not run"* ]]
}

@test "a branch is taken though the first failure starts nothing else" {
    cat >foray.yaml <<'Y'
steps:
  bad: {run: exit 1}
  other: {needs: slow, run: echo other}
  slow: {run: "until [ -e undone ]; do sleep 0.02; done; echo slow"}
  undo: {needs: bad, when: failure, run: "touch undone; echo undo"}
  undone: {needs: undo, run: echo undone}
  clean: {needs: [other, undone], when: always, run: echo clean}
Y
    ran 1 'clean slow undo undone' -j4
}

@test "needs: a map says for each what must have become of it" {
    cat >foray.yaml <<'Y'
steps:
  good: {run: echo good}
  bad: {run: exit 4}
  a: {needs: {good: success, bad: failure}, run: echo a}
  b: {needs: {good: failure, bad: failure}, run: echo b}
  c: {needs: {good: failure}, run: echo c}
  d: {needs: {good: success, bad: always}, run: "echo d {{bad.status}}"}
  e: {needs: {bad: success, good: always}, run: echo e}
Y
    ran 1 'a b d 4 good' -k
}

@test "always runs when what it needs was skipped, and for each item" {
    cat >foray.yaml <<'Y'
steps:
  a: {each: [1, 2], run: "[ {{item}} = 1 ]"}
  b: {needs: a, run: echo b}
  c: {needs: b, when: always, run: echo c}
  d: {needs: a, when: always, run: "echo d {{a.status}}"}
  e: {needs: b, when: failure, run: echo e}
Y
    ran 1 'c d 0 1 e' -k
}

@test "after a signal no branch is taken" {
    cat >foray.yaml <<'Y'
steps:
  a: {run: "touch running; sleep 30"}
  b: {needs: a, when: always, run: touch ran}
Y
    in_background
    wait_until 10 test -e running
    kill -TERM "$pid"
    ended_with 10 143
    [ ! -e ran ]
}

@test "when: mistakes are told" {
    printf 'steps: {a: {run: x, when: sometimes}}' >foray.yaml
    run -2 "$FORAY"
    [[ $output == *'`when` must be success, failure or always'* ]]
    printf 'steps: {a: {run: x, when: failure}}' >foray.yaml
    run -2 "$FORAY"
    [[ $output == *'`when` is said of what a step `needs`'* ]]
}
