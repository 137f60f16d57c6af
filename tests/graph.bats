# foray check and foray graph.
load helper

draw() { "$FORAY" graph --format "$@"; }
json() { draw json | python3 -c "import json, sys; d = json.load(sys.stdin)['steps']; print($1)"; }

@test "check: what is good is said in a line, what is wrong with its place; nothing is run" {
    printf 'hosts: {p: "n[1-3]"}\nsteps:\n  a: {each: [1, 2], on: p, run: touch ran}\n  b: {each: "{{a.stdout}}", run: touch ran}\n' >foray.yaml
    run -0 --separate-stderr "$FORAY" check
    [ "$stderr" = "foray: foray.yaml is good: 2 steps of 2 rules (1 of them known only while it runs), 3 hosts" ]
    [ -z "$output" ]
    run -0 "$FORAY" check -q
    [ -z "$output" ]
    run -2 "$FORAY" check nothing
    [[ $output == *'there is no step `nothing`'* ]]
    echo '  c: {runn: x}' >>foray.yaml
    run -2 "$FORAY" check
    [[ $output == *'foray.yaml:5:7: error: unknown key `runn`'* ]]
    [ ! -e ran ]
    run -2 "$FORAY" check --nonsense
    run -0 "$FORAY" check --help
    [[ $output == *"Usage: foray check"* ]]
}

@test "a step that is called like a verb is reached by run" {
    printf 'steps: {check: {run: echo checked}, graph: {run: echo drawn}}' >foray.yaml
    run -0 "$FORAY" run check
    [[ $output == *checked* ]]
    run -0 "$FORAY" check
    [[ $output != *checked* ]]
}

some_graph() {
    cat >foray.yaml <<'Y'
hosts: {farm: "node[1-3]"}
steps:
  make: {run: echo, out: [x, y], describe: what is made}
  use: {each: [1, 2], on: farm, in: x, run: echo}
  end: {needs: use, run: echo}
  undo: {needs: {use: failure}, run: echo}
  late: {each: "{{end.stdout}}", needs: {end: always}, run: echo}
Y
}

@test "graph: a tree for people" {
    some_graph
    run -0 env LC_ALL=C "$FORAY" graph end
    [ "$output" = 'end
`-- use (all)
    |-- use[1] on farm
    |   `-- make -> x, y
    `-- use[2] on farm
        `-- make' ]
    run -0 "$FORAY" graph --rules
    [[ $output == *'└── use x 2 on farm [failure]'* ]]
    [[ $output == *'late (known only while it runs)'*'└── end'*'use x 2 on farm (*)'* ]]
}

@test "graph: dot, mermaid and json say the same" {
    some_graph
    run -0 draw dot
    [[ $output == 'digraph foray {'*'[label="use[1] on farm"]'*'[style=dashed, label="failure"]'*'}' ]]
    [ "$(draw dot | grep -c -- ' -> ')" = "$(draw mermaid | grep -c -- '--> \|-. failure .->')" ]
    [ "$(json 'sum(len(s["needs"]) for s in d)')" = "$(draw dot | grep -c -- ' -> ')" ]
    [ "$(json '[n["when"] for s in d if s["name"] == "undo" for n in s["needs"]]')" = "['failure', 'failure']" ]
    [ "$(json '[s["out"] for s in d if s["name"] == "make"][0]')" = "['x', 'y']" ]
    [ "$(json '[s["describe"] for s in d if "describe" in s]')" = "['what is made']" ]
    [ "$(json '[s["late"] for s in d if s["name"] == "late"]')" = "[True]" ]
    run -2 draw svg
    [[ $output == *'--format wants tree, dot, mermaid or json'* ]]
    if command -v dot >/dev/null; then draw dot | dot -Tcanon >/dev/null; fi
}

@test "graph: no name breaks a format or reaches the terminal raw" {
    printf 'a "b"\n--> </script> `x` \\\033[31m\n\377\n' >list
    printf 'steps: {t: {each: {lines: list}, run: x}}' >foray.yaml
    for format in tree dot mermaid json; do
        draw $format >out
        run ! grep -q $'\033' out
    done
    [ "$(json 'len(d)')" = 3 ]
    json 'd[0]["item"]' | grep -qF 'a "b"'
    json 'd[2]["name"]' | grep -qF '\xff'
    draw mermaid | grep -qF 'a #34;b#34;'
    draw dot | grep -qF 'a \"b\"'
}

@test "graph: long chains and wide fans" {
    {
        echo 'steps:'
        echo '  s0: {run: x}'
        awk 'BEGIN {for (i = 1; i <= 20000; i++) printf "  s%d: {needs: s%d, run: x}\n", i, i - 1}'
        echo '  w: {each: 1..20000, run: x}'
        echo '  v: {each: 1..20000, needs: w, run: x}'
    } >foray.yaml
    [ "$(draw dot --rules | grep -c -- '->')" = 20001 ]
    [ "$(draw tree s20000 | wc -l)" = 20001 ]
    [ "$(json 'len(d)')" = 60002 ]
}
