# What steps leave to others: {{STEP.stdout}}, {{STEP.status}}, {{STEP.out}}, and lists of steps.
load helper

says() { # STATUS TEXT...
    run "-$1" "$FORAY"
    shift
    for text in "$@"; do
        [[ $output == *"$text"* ]] || { printf 'not said: %s\n%s\n' "$text" "$output"; return 1; }
    done
}

@test "{{step.stdout}} is one word, without the newlines at its end, and makes a dependency" {
    cat >foray.yaml <<'Y'
steps:
  use: {run: "printf '[%s]' {{v.stdout}} \"{{v.stdout}}\" \"$V\"", env: {V: "{{v.stdout}}"}}
  v: {run: "printf '$(touch ran) a  b\\n c\\n\\n'"}
Y
    run -0 --separate-stderr "$FORAY" use
    want=$'$(touch ran) a  b\n c'
    [[ $output == *"[$want][$want][$want]" ]]
    [ ! -e ran ]
    run -0 "$FORAY" -n use
    [[ $output == *"'{{v.stdout}}'"* ]]
}

@test "{{step.stdout}} of several steps is a word for each" {
    cat >foray.yaml <<'Y'
steps:
  v: {each: [a b, c], run: "echo got {{item}}"}
  use: {run: "printf '[%s]' {{v.stdout}}"}
Y
    run -0 --separate-stderr "$FORAY" -j1
    [[ $output == *'[got a b][got c]' ]]
}

@test "too much, or a NUL, cannot be captured, and the message says what can" {
    printf 'steps: {v: {run: "seq 1000000"}, u: {run: "echo {{v.stdout}}"}}' >foray.yaml
    says 1 'it wrote more than 1 MiB' 'let it write a file'
    printf 'steps: {v: {run: "printf \\"a\\\\0b\\""}, u: {run: "echo {{v.stdout}}"}}' >foray.yaml
    says 1 'it wrote a NUL byte'
    # What nobody asks for may be as long as it likes.
    printf 'steps: {v: {run: "seq 1000000"}}' >foray.yaml
    [ "$("$FORAY" 2>err | wc -l)" = 1000000 ]
}

@test "a captured word can name files" {
    cat >foray.yaml <<'Y'
steps:
  name: {run: echo result}
  make: {run: "echo made > {{out}}", out: "{{name.stdout}}.txt"}
  use: {in: "{{make.out}}", run: "cat {{in}} > copy"}
Y
    run -0 "$FORAY"
    [ "$(cat result.txt copy)" = $'made\nmade' ]
}

@test "a captured name of a file that is not there: no step that reads it runs, and it is told once" {
    cat >foray.yaml <<'Y'
steps:
  items: {run: "printf 'a\nb\n'"}
  name: {run: echo missing}
  use: {each: "{{items.stdout}}", in: "{{name.stdout}}", run: "echo used {{item}}"}
Y
    run -1 "$FORAY" -k
    [[ $output == *'foray.yaml:4:39: error: `missing` is not there'*'2 steps done, 2 failed'* ]]
    [[ $output != *'used a'$'\n'* && $output != *'used b'$'\n'* ]]
    [ "$(grep -c 'is not there, and no step makes it' <<<"$output")" = 1 ]
}

@test "out: a pattern that matches nothing is a failure, unless it is optional" {
    printf 'steps: {a: {run: "true", out: "*.o"}}' >foray.yaml
    says 1 'it made nothing that matches *.o'
    printf 'steps: {a: {run: "echo > a.o", out: ["*.o", {optional: ["*.core", notes]}]}, b: {run: "echo have {{a.out}}"}}' >foray.yaml
    says 0 'have a.o'
    touch x.core notes
    printf 'steps: {a: {run: "echo > a.o; echo > y.core; echo > notes", out: ["*.o", {optional: ["*.core", notes]}]}, b: {run: "echo have {{a.out}}"}}' >foray.yaml
    says 0 'have a.o y.core notes'
}

@test "out: what a reference stands for is no pattern, and inputs and directories are no outputs" {
    cat >foray.yaml <<'Y'
steps:
  a:
    each: ["x*"]
    in: x1.in
    run: mkdir -p d.out; echo > "x*.out"; echo > x2.out
    out: "{{item}}.*"
  b: {run: "printf '[%s]' {{a.out}}"}
Y
    touch x1.in
    run -0 --separate-stderr "$FORAY"
    [[ $output == '[x*.out]' ]]
}

@test "a step that lists further steps: they run, may use others, and who needs it waits for them" {
    cat >foray.yaml <<'Y'
vars: {v: var}
steps:
  plan:
    yields: steps
    run: |
      echo 'one: {run: "sleep 0.2; echo one {{{{v}}" }'
      echo 'two: {needs: [one, old], run: echo two}'
      echo 'more: {yields: steps, run: "echo \"three: {run: echo three}\""}'
  old: {run: echo old}
  after: {needs: plan, run: echo after}
  last: {needs: after, run: echo last}
Y
    run -0 --separate-stderr "$FORAY" last
    [[ $output == *'one var'* && $output == *two* && $output == *$'after\nlast' ]]
    [[ ${output%after*} == *three* ]]
}

@test "what is no list of steps fails the step that wrote it, with the places" {
    cat >foray.yaml <<'Y'
steps:
  plan: {yields: steps, run: "echo 'one: {runn: x}'; echo 'plan: {run: x}'; echo 'two: {needs: nobody, run: x}'"}
Y
    says 1 '<plan>:2:1: error: there is a step `plan` already' 'what it wrote is no list of steps'
    cat >foray.yaml <<'Y'
steps:
  plan: {yields: steps, run: "echo 'one: {runn: x}'; echo 'two: {needs: nobody, run: x}'"}
Y
    says 1 '<plan>:1:7: error: unknown key `runn`' 'there is no step `nobody`' 'failed plan'
    printf 'steps: {plan: {yields: steps, run: "echo just words"}}' >foray.yaml
    says 1 '<plan>:1:1: error: what it lists must be a map'
    printf 'steps: {plan: {yields: steps, run: "true"}, after: {needs: plan, run: echo after}}' >foray.yaml
    says 0 '2 steps done'
}

@test "a failed list of steps can be tried again, and leaves nothing of the first try" {
    cat >foray.yaml <<'Y'
steps:
  plan:
    yields: steps
    retry: {times: 1, wait: 0.01s}
    run: |
      echo 'one: {run: echo one}'
      [ -e tried ] || echo 'two: {broken: x}'
      touch tried
  after: {needs: plan, run: echo after}
Y
    run -0 --separate-stderr "$FORAY"
    [[ $output == *$'one\nafter' ]]
}
