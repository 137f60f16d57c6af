# `each`: what a step is repeated for, and graphs that grow while they run.
load helper

# The items for which a step is made, a line each, sorted.
items() { # EACH
    printf 'vars: {list: [x, y z]}\nsteps:\n  t:\n    each: %s\n    run: printf "%%s\\n" {{item}}\n' "$1" >foray.yaml
    "$FORAY" -q 2>err | sort || { cat err; return 1; }
}
says() { # STATUS TEXT...: foray ends with that status and says all of that
    run "-$1" "$FORAY"
    shift
    for text in "$@"; do
        [[ $output == *"$text"* ]] || { printf 'not said: %s\n%s\n' "$text" "$output"; return 1; }
    done
}

@test "each: a list, a list of a variable, a pattern of files" {
    [ "$(items '[a, b c, 1..3]')" = $'1..3\na\nb c' ]
    [ "$(items '"{{list}}"')" = $'x\ny z' ]
    touch 'f 1' f2
    [ "$(items '"f[ 2]*"')" = $'f 1\nf2' ]
}

@test "each: numbers up, down, with zeros in front, in steps" {
    [ "$(items 8..11)" = $'10\n11\n8\n9' ]
    [ "$(items 08..11)" = $'08\n09\n10\n11' ]
    [ "$(items 3..1)" = $'1\n2\n3' ]
    [ "$(items 0..100..50)" = $'0\n100\n50' ]
    [ "$(items -1..1)" = $'-1\n0\n1' ]
    [ "$(items 1..1000 | wc -l)" = 1000 ]
    printf 'steps: {t: {each: 1..999999999999, run: x}}' >foray.yaml
    says 2 'too many names'
}

@test "each: the lines of a file, empty ones left out, whatever they hold" {
    printf 'a b\n\n$(touch ran)\n"q\047\nlast' >list
    [ "$(items '{lines: list}')" = $'"q\047\n$(touch ran)\na b\nlast' ]
    [ ! -e ran ]
    printf 'steps: {t: {each: {lines: nolist}, run: x}}' >foray.yaml
    says 2 'foray.yaml:1:27: error: cannot read `nolist`'
}

@test "each: a matrix has a step for each combination, but for what it excludes" {
    cat >foray.yaml <<'Y'
steps:
  t:
    each: {os: [a, b], n: 1..3, one: alone, exclude: [{os: a, n: 2}, {os: b, n: [1, 3]}]}
    run: echo {{item}} {{item.os}}/{{item.n}} "$FORAY_ITEM"
Y
    run -0 --separate-stderr "$FORAY" -q
    [ "$(sort <<<"$output")" = $'a,1,alone a/1 a,1,alone\na,3,alone a/3 a,3,alone\nb,2,alone b/2 b,2,alone' ]
    printf 'steps: {t: {each: {os: [a, b]}, run: "echo {{item.so}}"}}' >foray.yaml
    says 2 'an item has no `.so`' 'did you mean `os`?'
    printf 'steps: {t: {each: {os: [a, b], exclude: {so: a}}, run: x}}' >foray.yaml
    says 2 'there is no axis `so`' 'did you mean `os`?'
}

@test "each: the lines that another step writes" {
    cat >foray.yaml <<'Y'
steps:
  find: {run: "printf 'x y\n\n$(touch ran)\n'"}
  use: {each: "{{find.stdout}}", run: "echo got {{item}}"}
  after: {needs: use, run: echo after}
Y
    run -0 --separate-stderr "$FORAY" -j1
    [ "$(tail -3 <<<"$output")" = $'got x y\ngot $(touch ran)\nafter' ]
    [ ! -e ran ]
    [[ $stderr == *"4 steps done"* ]]
}

@test "each: what a step makes is known once it has run, and more follows from it" {
    cat >foray.yaml <<'Y'
steps:
  split: {run: "for i in a b c; do echo $i > part.$i; done", out: part.*}
  up: {each: "{{split.out}}", in: "{{item}}", run: "tr a-z A-Z < {{in}} > {{out}}", out: "{{item}}.up"}
  twice: {each: "{{up.out}}", in: "{{item}}", run: "cat {{in}} {{in}} > {{out}}", out: "{{item}}.2"}
  all: {in: "{{twice.out}}", run: "cat {{in}} > {{out}}", out: all}
Y
    run -0 "$FORAY" -n
    [[ $output == *"# up, a step for each of {{split.out}}, known once there is what it comes after: split"* ]]
    [ ! -e part.a ]
    run -0 "$FORAY" all
    [ "$(tr -d '\n' <all)" = AABBCC ]
    run -0 "$FORAY"
    [ "$(tr -d '\n' <all)" = AABBCC ]
    [[ $output == *"8 steps are up to date"* ]]
    run -0 "$FORAY" -B
    [ "$(tr -d '\n' <all)" = AABBCC ]
    [[ $output == *"8 steps done"* ]]
    echo d >part.b
    touch part.new # nobody's: it is not what the step has made
    run -0 "$FORAY"
    [[ $output == *"1 step done, 7 up to date"* && $(tr -d '\n' <all) = AABBCC ]]
}

@test "a late step's files are inputs of others by their plain names" {
    cat >foray.yaml <<'Y'
steps:
  split: {run: "echo 1 > p.1; echo 2 > p.2", out: "p.?"}
  one: {in: p.1, run: "cat {{in}} > {{out}}", out: one}
Y
    run -0 "$FORAY" one
    [ "$(cat one)" = 1 ]
    cat >foray.yaml <<'Y'
steps:
  list: {run: echo a}
  make: {each: "{{list.stdout}}", run: "echo {{item}} > {{out}}", out: "{{item}}.made"}
  use: {in: a.made, run: "cat {{in}}"}
Y
    says 2 '`a.made` is not there' 'known only while they run: `make`'
    sed -i 's/in: a.made/in: a.made, needs: make/' foray.yaml
    run -0 "$FORAY"
}

@test "a step whose items cannot be known is not run, nor is what needs it; always is" {
    cat >foray.yaml <<'Y'
steps:
  list: {run: "echo a; exit 3"}
  each: {each: "{{list.stdout}}", run: touch ran}
  after: {needs: each, run: touch ran}
Y
    run -1 "$FORAY" -k
    [[ $output == *"0 steps done, 1 failed, 2 not run"* ]]
    [ ! -e ran ]
}

@test "mistakes that come to light while the graph runs are told with their places, and fail" {
    cat >foray.yaml <<'Y'
steps:
  list: {run: "echo a; echo a"}
  each: {each: "{{list.stdout}}", run: touch ran}
  other: {run: echo other}
Y
    says 1 'foray.yaml:3:16: error: the item `a` is there twice' 'failed each' 'what it is to do could not be made out'
    [ ! -e ran ]
    cat >foray.yaml <<'Y'
hosts: {p: h}
steps:
  list: {run: echo nowhere}
  each: {each: "{{list.stdout}}", on: "{{item}}", run: touch ran}
Y
    says 1 'foray.yaml:4:39: error: there is no pool or host `nowhere`'
    cat >foray.yaml <<'Y'
steps:
  list: {run: "echo a; echo b"}
  each: {each: "{{list.stdout}}", run: touch ran, out: same}
Y
    says 1 '`same` is made by `each[a]` and by `each[b]`'
    cat >foray.yaml <<'Y'
steps:
  list: {run: "echo a"}
  read: {in: foray.yaml, run: "true"}
  each: {each: "{{list.stdout}}", run: touch ran, out: foray.yaml}
Y
    says 1 '`each[a]` makes `foray.yaml`, which other steps took for a file that is there'
    [ ! -e ran ]
}

@test "rules that wait for each other's items are told before anything runs" {
    cat >foray.yaml <<'Y'
steps:
  a: {each: "{{b.stdout}}", run: "echo {{item}}"}
  b: {each: "{{a.stdout}}", run: "echo {{item}}"}
Y
    says 2 'depend on themselves: a -> b -> a'
    cat >foray.yaml <<'Y'
steps:
  a: {run: "echo {{a.stdout}}"}
Y
    says 2 'a cycle: a -> a'
}
