# The keys of a step that say how, and the keys of a file.
load helper

says() { # STATUS TEXT...
    run "-$1" "$FORAY"
    shift
    for text in "$@"; do
        [[ $output == *"$text"* ]] || { printf 'not said: %s\n%s\n' "$text" "$output"; return 1; }
    done
}

@test "allow: exit statuses that count as success" {
    printf 'steps: {a: {run: exit 3, allow: [3, 4]}, b: {needs: a, run: echo next}}' >foray.yaml
    says 0 '] a, ' 's, exit status 3' 'next'
    printf 'steps: {a: {run: exit 5, allow: 3}}' >foray.yaml
    says 1 'exit status 5'
    printf 'steps: {a: {run: "true", allow: 300}}' >foray.yaml
    says 2 '`allow` must be a number from 1 to 255'
}

@test "retry: how often, after which pauses, and after which exit statuses" {
    cat >foray.yaml <<'Y'
steps:
  a:
    run: echo x >> tries; [ $(wc -l < tries) = 3 ] || exit 7
    retry: {times: 2, wait: 0.01s, backoff: 1.5, on: [7, 8]}
Y
    run -0 "$FORAY"
    [ "$(wc -l <tries)" = 3 ]
    printf 'steps: {a: {run: "echo x >> tries2; exit 6", retry: {times: 5, wait: 0.01s, on: 7}}}' >foray.yaml
    says 1 'exit status 6'
    [ "$(wc -l <tries2)" = 1 ]
    printf 'steps: {a: {run: "true", retry: {wait: 1s}}}' >foray.yaml
    says 2 'does not say how many `times`'
    printf 'steps: {a: {run: "true", retry: {times: 1, backoff: 0.5}}}' >foray.yaml
    says 2 '`backoff` must be a number from 1 to 100'
}

@test "shell: a name, or words; values are quoted for it" {
    cat >foray.yaml <<'Y'
vars: {v: "it's $(touch ran) `x` \"q\""}
steps:
  a: {shell: bash, run: "x=(a b); echo ${x[1]} {{v}} \"{{v}}\"; false; echo not reached"}
Y
    run -1 --separate-stderr "$FORAY"
    value="it's \$(touch ran) \`x\` \"q\""
    [ "$output" = "b $value $value" ]
    [ ! -e ran ]
    printf 'steps: {a: {shell: [bash, -o, pipefail], run: "false | true; echo $?"}}' >foray.yaml
    says 0 $'\n1\n'
    printf 'steps: {a: {shell: python3, run: "print(1)"}}' >foray.yaml
    says 2 '`python3` is not a shell that foray can quote for'
}

@test "console: the step has the terminal, one such step at a time" {
    cat >foray.yaml <<'Y'
steps:
  a: {console: true, run: "echo a1; sleep 0.2; read x; echo a $x"}
  b: {console: true, run: "echo b1; sleep 0.2; read x; echo b $x"}
  c: {run: "sleep 0.1; echo c"}
Y
    run -0 --separate-stderr bash -c 'printf "1\n2\n" | "$FORAY" -j4'
    [[ $output == *$'a1\na 1\n'* || $output == *$'a1\na 2'* ]]
    [[ $output == *$'b1\nb 1\n'* || $output == *$'b1\nb 2'* ]]
}

@test "console: a terminal is the step's own, and comes back" {
    cat >foray.yaml <<'Y'
steps:
  a: {console: true, run: "[ -t 0 ] && [ -t 1 ] && read x && echo \"got $x\""}
  b: {needs: a, run: "[ ! -t 0 ] && echo b"}
Y
    printf 'word\n' >input
    run -0 timeout 60 script -qec "$FORAY" /dev/null <input
    [[ $output == *"got word"* && $output == *"2 steps done"* ]]
}

@test "defaults: what steps do not say themselves" {
    cat >foray.yaml <<'Y'
hosts: {far: nohost.invalid}
defaults: {env: {A: a, B: b}, dir: sub, allow: 4, on: far, retry: 0}
steps:
  x: {run: "pwd; echo $A$B; exit 4", env: {B: c}, on: here}
Y
    mkdir sub
    says 0 "/sub" $'\nac\n' 'exit status 4'
    printf 'defaults: {needs: x}\nsteps: {a: {run: "true"}}' >foray.yaml
    says 2 'unknown key `needs` in `defaults`'
    printf 'defaults: {env: {A: "{{nobody}}"}}\nsteps: {a: {run: "true"}, b: {run: "true"}}' >foray.yaml
    says 2 'there is no `nobody`'
    [ "$(grep -c 'there is no' <<<"$output")" = 1 ]
}

@test "include: files add to one another, from where they stand" {
    mkdir -p lib/deep
    cat >foray.yaml <<'Y'
include: lib/one.yaml
vars: {who: main}
steps:
  top: {needs: [one, two], run: "echo top {{who}} {{other}}"}
Y
    cat >lib/one.yaml <<'Y'
include: [deep/two.yaml, ../lib/deep/two.yaml]
vars: {who: one, other: "of {{who}}"}
defaults: {env: {X: only here}}
steps: {one: {run: "echo one $X"}}
Y
    printf 'steps: {two: {run: "echo two $X"}}' >lib/deep/two.yaml
    says 0 'one only here' $'\ntwo' 'top main of main' '3 steps done'
    printf 'include: ../../foray.yaml\n' >lib/deep/two.yaml
    says 2 'files include one another: foray.yaml -> lib/one.yaml -> lib/deep/two.yaml -> foray.yaml' 'two.yaml:1:10'
    printf 'steps: {one: {run: x}}' >lib/deep/two.yaml
    says 2 'there is a step `one` already' 'the other one'
    printf 'include: missing.yaml' >lib/deep/two.yaml
    says 2 'lib/deep/two.yaml:1:10: error: cannot read `lib/deep/missing.yaml`'
    printf 'include: /dev/zero' >lib/deep/two.yaml
    says 2 '`/dev/zero` is not a file'
}

@test "vars: the command line has the last word" {
    printf 'vars: {a: 1, b: "{{a}}2"}\nsteps: {s: {run: "echo {{a}} {{b}}"}}' >foray.yaml
    run -0 "$FORAY" a=x
    [[ $output == *"x x2"* ]]
}

@test "vars: a value that nothing uses is most likely meant for another" {
    printf 'vars: {lang: en}\nsteps: {s: {each: "{{list}}", run: "echo {{lang}} {{item}} {{more}}"}}' >foray.yaml
    touch x
    run -0 "$FORAY" lang=de more=1 list=x
    [[ $output == *"de x 1"* ]]
    run -2 "$FORAY" check lnag=de more=1 list=x
    [[ $output == *'`lnag` has a value here, and nothing uses it'*'did you mean `lang`?'* ]]
}

@test "only and except: what matches nothing is a mistake" {
    echo '{steps: {test: {run: echo test}, list: {run: echo a}}}' >foray.yaml
    run -2 "$FORAY" --only=tset
    [[ $output == *'--only: no step'"'"'s name matches `tset`'* ]]
    run -2 "$FORAY" --except=nosuch
    [[ $output == *'--except: no step'"'"'s name matches `nosuch`'* ]]
}

@test "only and except: what is left out counts as done" {
    cat >foray.yaml <<'Y'
steps:
  make: {run: "echo made > {{out}}", out: f}
  use: {each: [a, b], in: f, run: "echo use {{item}}"}
  end: {needs: use, run: echo end}
Y
    run -2 "$FORAY" --only '^use'
    [[ $output == *'`f` is not there, and `make`, which makes it, is left out'* ]]
    echo old >f
    run -0 "$FORAY" --only '^use'
    [[ $output == *"2 steps done"* && $(cat f) = old ]]
    run -0 "$FORAY" --only a --only end
    [[ $output == *"3 steps done"* && $(cat f) = made ]]
    run -0 "$FORAY" --except 'use\[b\]' --except make end
    [[ $output == *"2 steps done"* ]]
    run -2 "$FORAY" --only '('
    [[ $output == *'--only `(`'* ]]
    run -0 "$FORAY" '/^use.a/'
    [[ $output == *"1 step done, 1 up to date"* ]]
    printf 'steps: {v: {run: echo 1}, u: {run: "echo {{v.stdout}}"}}' >foray.yaml
    run -2 "$FORAY" --except v
    [[ $output == *'`v` cannot be left out'* ]]
}

@test "a pattern left out stands for what is there" {
    printf 'steps: {s: {run: x, out: "p.*"}, u: {each: "{{s.out}}", run: "echo use {{item}}"}}' >foray.yaml
    touch p.1 p.2
    run -0 "$FORAY" --except '^s$'
    [[ $output == *"use p.1"* && $output == *"use p.2"* && $output == *"2 steps done"* ]]
}

@test "a regular expression that takes for ever is told" {
    printf 'steps: {%s: {run: x}}' "$(printf 'a%.0s' {1..60})" >foray.yaml
    run -2 "$FORAY" --only '(a+)+$b|(a*)*c'
    [[ $output == *"takes too long to match"* || $output == *"no step"* ]]
}

@test "a tilde is no home directory, and that is told" {
    printf 'hosts: {r: node1}\nsteps:\n  a: {on: r, dir: "~/x", run: "true"}\n  b: {on: r, send: {f: "~/x"}}\n  c: {on: r, send: {"~/f": x}}\n  d: {on: r, fetch: {"~": x}}\n  e: {dir: ./~, run: pwd}\n' >foray.yaml
    run -2 "$FORAY" check
    [ "$(grep -c '`~` is not expanded here' <<<"$output")" = 4 ]
    [[ $output == *'foray.yaml:3:'*'on a host `dir: .` is the home directory'*'foray.yaml:5:'*'{{env.HOME}} is the home directory'* ]]
    mkdir ./~
    sed -i '/on:/d' foray.yaml
    run -0 "$FORAY"
    [[ $output == *"$PWD/~"* ]]
}
