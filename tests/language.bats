# foray.yaml: what is read, and what is told, with places, before anything runs.
load helper

# says TEXT...: foray refuses the file foray.yaml, status 2, and says each TEXT
says() {
    run -2 timeout 60 "$FORAY" -n
    local text
    for text in "$@"; do
        [[ $output == *"$text"* ]] || {
            echo "not said: $text"
            echo "$output"
            return 1
        }
    done
}

@test "a file with ten different mistakes reports ten places" {
    cat >foray.yaml <<'Y'
hosts:
  rack: node[3-1]
stepz: {}
steps:
  a: {run: "echo {{nobody}}"}
  b: {run: [x, {y: z}]}
  c: {runn: make}
  d: {run: "true", timeout: soon}
  e: {run: "true", retry: many}
  f: {run: "true", needs: nothing}
  g: {run: "true", on: rock}
  h: {run: "echo `{{step}}`"}
  i: {run: "true", run: "false"}
  j: make # all
  k: {run: "touch ran", in: "{{a.output}}"}
Y
    says 'foray.yaml:2:' 'foray.yaml:3:1:' 'foray.yaml:5:' 'foray.yaml:6:' 'foray.yaml:7:7:' 'foray.yaml:8:' \
        'foray.yaml:9:' 'foray.yaml:10:' 'foray.yaml:11:' 'foray.yaml:12:' 'foray.yaml:13:' 'foray.yaml:14:' 'foray.yaml:15:'
    [ ! -e ran ]
}

@test "a diagnostic has file, line, column, the line, a caret, and what to do" {
    printf 'steps:\n  t:\n    runn: make\n' >foray.yaml
    says 'foray.yaml:3:5: error: ' '    3 |     runn: make' '^~~~' 'did you mean `run`?'
}

@test "a reference's place is its own, in every style of text" {
    printf 'steps:\n  t:\n    run: |\n      echo a\n      echo {{oops}}\n' >foray.yaml
    says 'foray.yaml:5:12: error'
    printf 'steps:\n  t: {run: "\\t{{step}} ü {{oops}}"}\n' >foray.yaml
    says 'foray.yaml:2:27: error'
}

@test "run: a # b: that the rest is a comment is told" {
    printf 'steps:\n  t:\n    run: make all # really\n' >foray.yaml
    says 'foray.yaml:3:19: error' 'comment' 'run: |'
    printf 'steps:\n  t:\n    run: "make all"   # a comment that is meant\n' >foray.yaml
    run -0 "$FORAY" -n
}

@test "values that must be quoted are told so" {
    for value in '{{item}} x' '{{item}}' '*.txt' '@pool' '%x' '`date`' '!x'; do
        printf 'steps:\n  t:\n    each: [a]\n    run: %s\n' "$value" >foray.yaml
        says 'foray.yaml:' 'quoted'
    done
    printf 'steps:\n\tt: {run: x}\n' >foray.yaml
    says 'foray.yaml:2:1' 'tab'
}

@test "cycles are printed as a path" {
    echo 'steps: {a: {needs: b, run: x}, b: {needs: c, run: x}, c: {needs: a, run: x}}' >foray.yaml
    says 'a -> b -> c -> a'
    echo 'steps: {a: {in: y, out: x, run: x}, b: {in: x, out: y, run: x}}' >foray.yaml
    says 'a -> b -> a'
    echo 'steps: {a: {needs: a, run: x}}' >foray.yaml
    says 'a -> a'
}

@test "two makers of one file, and a file nobody makes" {
    echo 'steps: {a: {out: x, run: x}, b: {out: ./x, run: x}}' >foray.yaml
    says '`x` is made by `a` and by `b`'
    echo 'steps: {a: {in: [gone, also-gone], run: x}}' >foray.yaml
    says '`gone`' '`also-gone`' 'no step makes'
    echo 'steps: {a: {in: bild/x, run: x}, b: {out: build/x, run: x}}' >foray.yaml
    says 'did you mean'
}

@test "files of steps elsewhere must lie below this directory" {
    for name in /etc/passwd ../x a/../../x; do
        echo "{hosts: {r: n1}, steps: {a: {on: r, out: '$name', run: x}}}" >foray.yaml
        says 'below this directory'
    done
}

@test "each: lists, lists in variables, outputs of steps, patterns" {
    mkdir d && touch 'd/b.txt' 'd/a 1.txt' d/c.log
    cat >foray.yaml <<'Y'
vars: {l: [p, q]}
steps:
  list: {each: [x, "y z"], run: "echo list {{item}}"}
  var: {each: "{{l}}", run: "echo var {{item}}", out: []}
  glob: {each: d/*.txt, run: "echo glob {{item}} {{item.base}} {{item.stem}} {{item.dir}} {{item.ext}}"}
  out: {each: "{{made.out}}", run: "echo out {{item}}"}
  made: {run: "touch {{out}}", out: "m.{{l}}"}
Y
    run -0 --separate-stderr "$FORAY" -k -j1
    for line in 'list x' 'list y z' 'var p' 'var q' 'glob d/a 1.txt a 1.txt a 1 d .txt' 'glob d/b.txt b.txt b d .txt' 'out m.p' 'out m.q'; do
        [[ $'\n'$output$'\n' == *$'\n'"$line"$'\n'* ]] || { echo "missing: $line"; echo "$output"; false; }
    done
    echo 'steps: {a: {each: "*.none", run: x}}' >foray.yaml
    says '*.none'
}

@test "{{STEP.out}} in a script makes a dependency" {
    cat >foray.yaml <<'Y'
steps:
  b: {run: "cat {{a.out}}"}
  a: {run: "sleep 0.2; echo made > {{out}}", out: x}
Y
    run -0 --separate-stderr "$FORAY"
    [ "$output" = made ]
}

@test "on, yes and off are words; 08 stays 08" {
    echo '{steps: {yes: {run: "echo {{off}}"}, no: {each: [08, 1.0, on], run: "echo {{item}}"}}, vars: {off: yes}}' >foray.yaml
    run -0 --separate-stderr "$FORAY" -j1
    [ "$(sort <<<"$output" | tr '\n' ' ')" = '08 1.0 on yes ' ]
}

@test "templates of other tools pass, {{{{ is {{" {
    cat >foray.yaml <<'Y'
steps:
  t: {run: "printf '%s\\n' '{{.ID}} {{json .}}' {{{{step}}"}
Y
    run -0 --separate-stderr "$FORAY"
    [ "$output" = $'{{.ID}} {{json .}}\n{{step}}' ]
}

@test "hostile YAML ends in a clear error, soon and in little memory" {
    {
        echo 'a0: &a0 [x, x, x, x, x, x, x, x, x, x]'
        for i in 1 2 3 4 5 6 7 8 9; do echo "a$i: &a$i [*a$((i - 1)), *a$((i - 1)), *a$((i - 1)), *a$((i - 1)), *a$((i - 1)), *a$((i - 1)), *a$((i - 1)), *a$((i - 1)), *a$((i - 1)), *a$((i - 1))]"; done
        echo 'steps: {t: {run: *a9}}'
    } >foray.yaml
    says 'foray.yaml:'
    head -c 100000 /dev/zero | tr '\0' '[' >foray.yaml
    says 'nested'
    { echo 'steps: {t: {run: '; head -c 20000 /dev/zero | tr '\0' '{'; } >foray.yaml
    says 'nested'
    printf 'steps: {t: {run: "\xff"}}' >foray.yaml
    says 'UTF-8'
    printf '\xff\xfes\0t\0' >foray.yaml
    says 'UTF-16'
    printf 'steps: {t: {run: "a\0b"}}' >foray.yaml
    says 'foray.yaml:1:'
    printf 'steps: {t: {run: x}}\n---\nsteps: {}\n' >foray.yaml
    says 'foray.yaml:2:' 'document'
    : >foray.yaml
    says 'foray.yaml'
    echo 'steps: {t: {run: !!python/object x}}' >foray.yaml
    says 'must be quoted'
}

@test "byte order mark, CRLF and anchors are read" {
    printf '\xef\xbb\xbfvars: {x: &x hello}\r\nsteps:\r\n  t:\r\n    env: {Y: *x}\r\n    run: |\r\n      echo "$Y"\r\n      echo bye\r\n' >foray.yaml
    run -0 --separate-stderr "$FORAY"
    [ "$output" = $'hello\nbye' ]
}

@test "a chain of 20,000 steps and a fan of 20,000 are read and ordered" {
    {
        echo 'steps:'
        echo '  s0: {run: x}'
        awk 'BEGIN {for (i = 1; i < 20000; i++) printf "  s%d: {needs: s%d, run: x}\n", i, i - 1}'
        echo '  all: {needs: fan}'
        echo "  fan: {each: [$(seq -s, 20000)], run: x}"
    } >foray.yaml
    timeout 120 "$FORAY" -n >out
    [ "$(grep -c '^x$' out)" = 40000 ]
    [ "$(grep -nx '# s19999' out | cut -d: -f1)" -gt "$(grep -nx '# s19998' out | cut -d: -f1)" ]
}
