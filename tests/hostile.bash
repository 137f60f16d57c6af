# For hostile.bats and hostile_files.bats: lies of hosts, and what they may lead to. What they are is told in evil-sftp.c, for
# files, and in evil-shell.
load helper

hosts=16 # hostile ones; one more is honest
setup_file() {
    load helper
    [ "$(id -u)" = 0 ] || return 0
    export FORAY_FLEET=$BATS_FILE_TMPDIR/fleet
    local i
    for ((i = 1; i <= hosts; i++)); do
        mkdir -p "$FORAY_FLEET/hosts/node$i"
        cp "$(dirname "$FORAY")/tests/evil-sftp" "$BATS_TEST_DIRNAME/evil-shell" "$FORAY_FLEET/hosts/node$i" || return
        echo "ForceCommand /mnt/host/evil-shell" >"$FORAY_FLEET/hosts/node$i/options"
    done
    fleet_up $((hosts + 1))
}
teardown_file() {
    load helper
    [ "$(id -u)" != 0 ] || fleet_down
}
setup() {
    needs_root
    [ ! -e "$FORAY_FLEET/shared" ] || skip "hosts have no places of their own here"
    use_fleet
    cd "$BATS_TEST_TMPDIR" || return
}

# --- what foray is asked to do with such a host, and what may be there afterwards ---

zeros() { printf '%0100d' 0; }

write_graph() { # KIND HOST
    if [ "$1" = beside ]; then set -- "$1" "[$2, node$((hosts + 1))]"; fi # that one is honest
    echo "hosts: {evil: {hosts: $2, slots: 1}}"
    case $1 in
    file) echo 'steps: {get: {on: evil, run: "printf %0100d 0 > evil-file", out: evil-file}}' ;;
    pattern) echo 'steps: {get: {on: evil, run: "printf %0100d 0 > evil-file", out: "evil-*"}}' ;;
    tree) echo 'steps: {get: {on: evil, run: "mkdir evil-tree; printf %0100d 0 > evil-tree/evil-file", fetch: {evil-tree: got}}}' ;;
    send) echo 'steps: {put: {on: evil, in: input, send: {tree: there/}, run: "cat input there/tree/a/file | wc -c"}}' ;;
    verified) echo 'steps: {get: {on: evil, in: input, verify: true, run: "printf %0100d 0 > evil-file", out: evil-file}}' ;;
    many) echo 'steps: {get: {on: evil, run: "for i in $(seq 30); do mkdir -p evil-many/$i; (cd evil-many/$i && touch $(seq 99)); done", fetch: {evil-many: got}}}' ;;
    steps) echo 'steps: {say: {each: 1..20, on: evil, run: "echo said"}}' ;;
    made:*)
        local made=${1#made:}
        echo "steps: {get: {on: evil, run: '${made//,/ }', out: evil-file}}"
        ;;
    limited) echo 'steps: {say: {on: evil, timeout: 2s, run: "echo said"}}' ;;
    beside) echo 'steps: {say: {each: 1..20, on: evil, run: "sleep 0.05; echo said"}}' ;;
    esac
    if [ "$1" = verified ]; then zeros >input; fi
    if [ "$1" = send ]; then
        head -c 300000 /dev/zero >input
        mkdir -p tree/a
        zeros >tree/a/file
    fi
}

# Whether that is all that there may be, and whole.
is_right() { # KIND
    case $1 in
    file | made:* | pattern | verified) [ -f evil-file ] && [ ! -L evil-file ] && [ ! -u evil-file ] && [ "$(cat evil-file)" = "$(zeros)" ] ;;
    tree) [ "$(cat got/evil-file)" = "$(zeros)" ] ;;
    send) [ "$(cat ../../out)" = 300100 ] ;;
    many) [ "$(find got -type f | wc -l)" = 2970 ] ;;
    steps | beside) [ "$(grep -cx said ../../out)" = 20 ] ;;
    limited) false ;;
    esac
}
expected_names() { # KIND
    echo ./foray.yaml
    case $1 in
    file | made:*) echo ./evil-file ;;
    verified) printf '%s\n' ./evil-file ./input ;;
    pattern) find . -mindepth 1 -maxdepth 1 -type f -name 'evil-*' ;;
    tree | many) find . -path './got' -o -path './got/*' ;;
    send) find ./input ./tree ;;
    esac
}

# One lie, in a directory of its own: area/here is where foray works, and nothing else below area is its business.
one() { # NUMBER KIND HOST: lie.sftp and lie.shell are there
    local status=0 home=$FORAY_FLEET/hosts/$3/home
    cd "$1" || return
    cp lie.sftp "$home/lie"
    cp lie.shell "$home/shell"
    mkdir -p area/here area/victim
    echo untouched >area/victim/file
    echo untouched >area/x
    cd area/here || return
    write_graph "$2" "$3" >foray.yaml
    (
        ulimit -f 65536 -c 0
        is_sanitized || ulimit -v 1000000
        exec timeout -k 15 "${within:-$(is_sanitized && echo 900 || echo 300)}" "$FORAY" >../../out 2>../../err 3>&-
    ) || status=$?
    echo "$status" >../../status
}

complain() { # NUMBER WHAT
    echo "# $(head -c 100 "$1/lie.sftp" | head -1) $(cat "$1/lie.shell"): $2"
    sed 's/^/#   /' "$1/err" | cut -c 1-300 | cat -v | head -40
}

check_one() { # NUMBER KIND EXPECTED
    local status good=true
    status=$(cat "$1/status")
    [ -z "${SHOW:-}" ] || echo "## $2 $(head -c 60 "$1/lie.sftp" | tr '\n' ';') $(head -c 60 "$1/lie.shell"): $status: $(head -1 "$1/err" | cut -c 1-150 | cat -v) ... $(tail -1 "$1/err")" >&3
    case $3 in
    fails) [ "$status" = 1 ] || [ "$status" = 3 ] ;;
    lost) [ "$status" = 3 ] ;;
    works) [ "$status" = 0 ] ;;
    either) [ "$status" = 0 ] || [ "$status" = 1 ] || [ "$status" = 3 ] ;;
    esac || { complain "$1" "status $status"; good=false; }
    if [ "$status" = 0 ]; then
        (cd "$1/area/here" && is_right "$2") || { complain "$1" "what came is wrong"; good=false; }
    elif ! grep -qE '^(\[[0-9/]+\] failed|host .* (is lost|cannot be used)).*: .' "$1/err"; then
        complain "$1" "no reason is given"
        good=false
    fi
    # Bounds of this test, not of foray's own.
    if grep -qiE 'out of memory|File too large|Sanitizer|runtime error' "$1/err"; then complain "$1" "not bounded"; good=false; fi
    if LC_ALL=C grep -qP '[\x00-\x08\x0b-\x1f\x7f]' "$1/err"; then complain "$1" "control characters"; good=false; fi
    if [ "$(wc -L <"$1/err")" -gt 2000 ]; then complain "$1" "a line of $(wc -L <"$1/err") characters"; good=false; fi
    if [ "$(cat "$1/area/victim/file" "$1/area/x")" != $'untouched\nuntouched' ] ||
        [ "$(cd "$1/area" && find . -path ./here -prune -o -print | sort | tr '\n' ' ')" != ". ./victim ./victim/file ./x " ]; then
        complain "$1" "written outside: $(cd "$1/area" && find . -path ./here -prune -o -print | tr '\n' ' ')"
        good=false
    fi
    local left
    left=$(cd "$1/area/here" && comm -23 <(find . -mindepth 1 -path ./.foray -prune -o -print | sort) <(expected_names "$2" | sort))
    if [ -n "$left" ] || [ -e "$1/area/here/.foray/temporary" ] || [ -n "$(find "$1/area" -name '.foray-*')" ]; then
        complain "$1" "left behind: $left $(find "$1/area" -name '.foray-*')"
        good=false
    fi
    if [ "$status" != 0 ] && [ -e "$1/area/here/evil-file" ]; then complain "$1" "half of it is there"; good=false; fi
    $good
}

# Each lie in a run of its own, as many at once as there are hosts. A lie is what the file for evil-sftp holds, or, if it
# begins with "shell ", what is in that for evil-shell. KIND "any": each lie is "KIND LIE".
lies() { # KIND EXPECTED LIE...
    local kinds kind=$1 expected=$2 n=0 first good=true pids lie
    shift 2
    : "${count:=0}"
    while [ $n -lt $# ]; do
        first=$((count + 1)) pids=() kinds=()
        for ((k = 1; k <= hosts && n < $#; k++)); do
            n=$((n + 1)) count=$((count + 1))
            mkdir "$count"
            lie=${!n}
            kinds[count]=$kind
            if [ "$kind" = any ]; then kinds[count]=${lie%% *} lie=${lie#* }; fi
            echo honest | tee "$count/lie.sftp" >"$count/lie.shell"
            case $lie in
            'shell '*) printf '%s\n' "${lie#shell }" >"$count/lie.shell" ;;
            *) printf '%s\n' "$lie" >"$count/lie.sftp" ;;
            esac
            one "$count" "${kinds[count]}" "node$k" 3>&- &
            pids+=($!)
        done
        wait "${pids[@]}"
        for ((k = first; k <= count; k++)); do check_one "$k" "${kinds[k]}" "$expected" || good=false; done
    done
    $good
}

# A directory that has these in it, besides the honest file.
with() { printf 'entries\n'; printf '%s\n' "$@" 'f evil-file'; }

# The same lies to each of several kinds: for "any".
to() { # KINDS LIE...
    local kind lie
    for kind in $1; do
        for lie in "${@:2}"; do printf '%s\0' "$kind $lie"; done
    done
}
# lies any EXPECTED, with what `to` has printed
of_any() { # EXPECTED
    local list
    mapfile -d '' list
    lies any "$1" "${list[@]}"
}
