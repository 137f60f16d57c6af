# The command line: targets, options, exit statuses.
load helper

@test "a verb behind an option is told to be none there" {
    run -2 "$FORAY" -v copy a node1:
    [[ $output == *'`copy` is a verb only as the first word: `foray copy -v ...`'* ]]
    echo 'steps: {copy: {run: echo mine}}' >foray.yaml
    run -0 --separate-stderr "$FORAY" -q copy
    [ "$output" = mine ]
    run -2 "$FORAY" -q log
    [[ $output == *'there is no step `log`'*'`foray log -q ...`'* ]]
}

@test "without a file it says so and what to do, status 2" {
    run -2 "$FORAY"
    [[ $output == *"no foray.yaml here"* ]]
}

@test "--help and --version work, for the verb too" {
    run -0 "$FORAY" --help
    [[ $output == *"--keep-going"* && $output == *"Usage: foray"* ]]
    run -0 "$FORAY" run --help
    run -0 "$FORAY" --version
    [[ $output == "foray "* ]]
    run -0 "$FORAY" run --version
}

@test "an unknown option is a mistake, status 2" {
    run -2 "$FORAY" --no-such-thing
    run -2 "$FORAY" -j x
    [[ $output == *"-j wants a number"* ]]
    run -2 "$FORAY" --timeout soon
    run -2 "$FORAY" --color blue
    run -2 "$FORAY" -C /nowhere
    run -2 "$FORAY" -f nowhere.yaml
    [[ $output == *"nowhere.yaml"* ]]
    run -2 "$FORAY" -f .
}

@test "all steps run, in the order of what they need; status 0" {
    cat >foray.yaml <<'Y'
steps:
  c: {needs: [b], run: echo c >> log}
  b: {needs: a, run: echo b >> log}
  a: {run: echo a >> log}
Y
    run -0 "$FORAY"
    [ "$(cat log)" = $'a\nb\nc' ]
    [[ $output == *"3 steps done"* ]]
}

@test "targets: steps, files, items, patterns; only what they need runs" {
    cat >foray.yaml <<'Y'
steps:
  make: {each: [x, y, z], run: "echo {{item}} > {{out}}; echo {{item}} >> log", out: "{{item}}.txt"}
  join: {in: "{{make.out}}", run: "cat {{in}} > {{out}}", out: all.txt}
  other: {run: echo other >> log}
Y
    run -0 "$FORAY" y.txt
    [ "$(cat log)" = y ]
    run -0 "$FORAY" ./z.txt 'make[x]'
    [ "$(sort log)" = $'x\ny\nz' ]
    run -0 "$FORAY" join
    [ "$(sort log)" = $'x\ny\nz' ] && [ "$(cat all.txt)" = $'x\ny\nz' ]
    rm log
    run -0 "$FORAY" -B '/^make.[yz]/' other
    [ "$(sort log)" = $'other\ny\nz' ]
    run -0 "$FORAY" run make
}

@test "an unknown target names the one that may be meant" {
    echo 'steps: {compile: {run: touch ran}}' >foray.yaml
    run -2 "$FORAY" complie
    [[ $output == *"did you mean \`compile\`?"* ]]
    [ ! -e ran ]
    run -2 "$FORAY" '/nothing/'
    run -2 "$FORAY" '/(/'
    [[ $output == *"character"* ]]
}

@test "a pattern that would take for ever is refused at once" {
    echo "steps: {t: {each: [$(printf 'a%.0s' {1..60})], run: 'true'}}" >foray.yaml
    run -2 timeout 60 "$FORAY" '/^t.(a|aa)+$/'
    [[ $output == *"takes too long"* ]]
}

@test "-f, -f -, -C, NAME=VALUE" {
    mkdir sub
    echo 'vars: {who: file}
steps: {t: {run: "echo {{who}} > done"}}' >sub/my.yaml
    run -0 "$FORAY" -C sub -f my.yaml
    [ "$(cat sub/done)" = file ]
    run -0 "$FORAY" -f - 'who=$(touch PWNED) it'\''s' <sub/my.yaml
    [ "$(cat done)" = '$(touch PWNED) it'\''s' ] && [ ! -e PWNED ]
    mv sub/my.yaml sub/foray.yml
    run -0 "$FORAY" -C . -C sub who=three
    [ "$(cat sub/done)" = three ]
}

@test "-n prints what would run, and runs nothing" {
    cat >foray.yaml <<'Y'
steps:
  a: {run: touch {{out}}, out: x y}
  b: {in: x y, run: cat {{in}}}
Y
    sed -i 's/run: touch {{out}}/run: "touch {{out}}"/; s/run: cat {{in}}/run: "cat {{in}}"/' foray.yaml
    run -0 --separate-stderr "$FORAY" -n
    [ ! -e "x y" ]
    [ "$output" = "# a
touch 'x y'
# b
cat 'x y'" ]
}

@test "-j bounds how many run at once" {
    cat >foray.yaml <<'Y'
steps:
  t:
    each: [1, 2, 3, 4, 5, 6]
    run: |
      mkdir run.{{item}}
      touch began.{{item}}
      until [ "$(ls -d began.* | wc -l)" -ge "$MEET" ]; do sleep 0.02; done
      ls -d run.* | wc -l >> count
      sleep 0.1
      rmdir run.{{item}}
Y
    MEET=2 run -0 timeout 60 "$FORAY" -j 2
    [ "$(sort -n count | tail -1)" = 2 ]
    rm began.*
    MEET=6 run -0 timeout 60 "$FORAY" -j6
    MEET=1 run -0 "$FORAY" -j 0
}

@test "the first failure stops what has not begun, and lets what runs end; status 1" {
    cat >foray.yaml <<'Y'
steps:
  slow: {run: "touch slow-began; until [ -e told ]; do sleep 0.02; done; touch slow-ended"}
  bad: {run: "until [ -e slow-began ]; do sleep 0.02; done; exit 7"}
  told: {needs: bad, when: failure, run: touch told}
  after: {needs: slow, run: touch after}
Y
    run -1 "$FORAY" -j2
    [ -e slow-ended ] && [ ! -e after ]
    [[ $output == *"exit status 7"* && $output == *"1 failed"* && $output == *"1 not run"* ]]
}

@test "-k goes on with what does not need the failed step; -kN up to N failures" {
    cat >foray.yaml <<'Y'
steps:
  bad: {each: [1, 2, 3, 4], run: exit 1}
  good: {each: [1, 2], run: "touch good.{{item}}"}
  after: {needs: bad, run: touch after}
Y
    run -1 "$FORAY" -j1 -k
    [ -e good.1 ] && [ -e good.2 ] && [ ! -e after ]
    [[ $output == *"4 failed"* && $output == *"1 not run"* ]]
    run -1 "$FORAY" -j1 -k2
    [[ $output == *"2 failed"* ]]
}

@test "-K ends what runs at the first failure" {
    cat >foray.yaml <<'Y'
steps:
  slow: {run: "touch began; sleep 100"}
  bad: {run: "until [ -e began ]; do sleep 0.02; done; exit 1"}
Y
    run -1 timeout 60 "$FORAY" -j2 -K
    [[ $output == *"1 failed"* && $output == *"1 ended because the run was stopped"* ]]
    [[ $output != *"failed"*"slow"* ]]
}

@test "-q says nothing of steps that succeed in silence; output of steps is not touched" {
    echo 'steps: {a: {run: "true"}, b: {run: echo b}}' >foray.yaml
    run -0 --separate-stderr "$FORAY" -q a
    [ -z "$output$stderr" ]
    run -0 --separate-stderr "$FORAY" -q
    [ "$output" = b ]
}

@test "-v shows each script as it is started" {
    echo 'steps: {a: {each: ["x y"], run: "echo {{item}} >/dev/null"}}' >foray.yaml
    run -0 "$FORAY" -v
    [[ $output == *"echo 'x y' >/dev/null"* ]]
}

@test "--retry and --timeout stand over what steps say" {
    cat >foray.yaml <<'Y'
steps:
  flaky: {run: "echo try >> tries; [ $(wc -l < tries) -ge 3 ]"}
  slow: {run: sleep 100, timeout: 1h}
Y
    run -0 "$FORAY" --retry 2 flaky
    [ "$(wc -l <tries)" = 3 ]
    run -1 timeout 60 "$FORAY" --timeout 0.2 slow
    [[ $output == *"time limit"* ]]
}

@test "--color: always paints, never and NO_COLOR do not" {
    echo 'steps: {a: {run: exit 1}}' >foray.yaml
    run -1 "$FORAY" --color=always
    [[ $output == *$'\e['* ]]
    run -1 "$FORAY" --color never
    [[ $output != *$'\e['* ]]
    CLICOLOR_FORCE=1 run -1 "$FORAY"
    [[ $output == *$'\e['* ]]
    NO_COLOR=1 CLICOLOR_FORCE=1 run -1 "$FORAY"
    [[ $output != *$'\e['* ]]
}

@test "a wrong option is told with the verb that it was given to" {
    run -2 "$FORAY" hosts --nonesuch
    [[ $output == "foray hosts: "*nonesuch* ]]
    run -2 "$FORAY" --nonesuch
    [[ $output == "foray: "*nonesuch* ]]
}
