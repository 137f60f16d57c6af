# The fleet of throwaway ssh hosts that the other tests stand on.
# shellcheck disable=SC2016,SC2030,SC2031,SC2094,SC2154,SC2238 # remote commands; a test is a process; helper; a fleet's env
: "${FORAY:=unused}" # so that this file runs by itself too
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
    shared=$FORAY_FLEET
    unset FORAY_FLEET_SSHD_OPTIONS
    mine=
    strangers=()
    long=7$$ # seconds that nobody else sleeps
}
teardown() {
    local h
    [ -z "$mine" ] || FORAY_FLEET=$mine "$fleet" down
    [ ${#strangers[@]} = 0 ] || kill -KILL "${strangers[@]}" || true
    for h in node1 node2 node3; do FORAY_FLEET=$shared "$fleet" heal $h; done
}

on() { # HOST COMMAND
    timeout 60 ssh -F "$FORAY_SSH_CONFIG" "$@" 3>&-
}

# A fleet for this test only, in $mine; the test's $FORAY_FLEET is that one from then on.
own_fleet() { # N [DIRECTORY]
    mine=${2:-$BATS_TEST_TMPDIR/fleet of my own}
    export FORAY_FLEET=$mine
    "$fleet" up "$1" 3>&- || return
    eval "$("$fleet" env)"
}

# A process of nobody's fleet; its number is in $stranger.
stranger() { # [COMMAND...]
    "$@" sleep "$long.0" 3>&- &
    stranger=$!
    strangers+=("$!")
}
lives() { # PID
    [[ $(sed 's/.*) //' "/proc/$1/stat" 2>/dev/null) == [SR]* ]]
}

state_of() { # HOST
    "$fleet" list | sed -n "s/^$1 .* //p"
}
runs_on() { # HOST COMMAND LINE
    "$fleet" ps "$1" | sed 's/^[0-9]* //; s/ *$//' | grep -qxF -- "$2"
}
end_on() { # HOST
    "$fleet" ps "$1" | cut -d' ' -f1 | xargs -r kill -KILL || true # some may have ended by themselves
}
refused() { # HOST
    run on "$1" true
    [ "$status" = 255 ] && [[ $output == *"Connection refused"* ]]
}

@test "every host runs commands, by plain ssh" {
    for h in node1 node2 node3; do
        run -0 on $h 'echo "$SSH_CONNECTION"; cat; exit 0' <<<"to $h"
        [[ ${lines[0]} == *" 127.0.0.$((${h#node} + 1)) "* && ${lines[1]} == "to $h" ]]
    done
    run -7 on node2 'exit 7'
    # nothing blocked; what is ignored there is what was ignored where the fleet was started
    run -0 --separate-stderr on node2 "awk '/^SigBlk/ {print \$2}' /proc/self/status; umask; pwd"
    [ "$output" = $'0000000000000000\n0022\n'"$(getent passwd "$(id -u)" | cut -d: -f6)" ]
}

@test "files go there by sftp" {
    head -c 100000 /dev/urandom >data
    echo "put data $FORAY_FLEET/../by-sftp" >batch
    if [ "$(id -u)" = 0 ]; then echo 'put data /tmp/by-sftp' >batch; fi
    run -0 timeout 60 sftp -F "$FORAY_SSH_CONFIG" -b batch node1
    cmp data "$FORAY_FLEET/hosts/node1/tmp/by-sftp" || cmp data "$FORAY_FLEET/../by-sftp"
    rm -f "$FORAY_FLEET/hosts/node1/tmp/by-sftp"
}

@test "hosts see neither each other's files nor the caller's" {
    needs_root
    echo secret >caller
    for h in node1 node2 node3; do
        [ -z "$(on $h 'ls -A ~ /tmp /var/tmp | grep -v :')" ]
        on $h "echo $h >~/home; echo $h >/tmp/tmp; echo $h >/var/tmp/vartmp"
    done
    for h in node1 node2 node3; do
        run -0 on $h 'cat ~/home /tmp/tmp /var/tmp/tmp /tmp/vartmp | sort -u; ls ~ /tmp | sort'
        [ "$output" = $h$'\n\n'/root:$'\n'/tmp:$'\nhome\ntmp\nvartmp' ]
        [ "$(cat "$FORAY_FLEET/hosts/$h/home/home")" = $h ]
        run ! on $h "ls '$PWD' || ls '$FORAY_FLEET' || ls ~root/.ssh || cat '$PWD/caller'"
        rm "$FORAY_FLEET/hosts/$h"/{home/home,tmp/tmp,tmp/vartmp}
    done
    [ ! -e /tmp/vartmp ] && [ ! -e ~root/home ]
}

@test "hosts see no other host's files wherever the state is" {
    needs_root
    for dir in /mnt ~root /var/tmp; do
        mine=$(mktemp -d "$dir/fleet-XXXXXX")
        own_fleet 2 "$mine"
        run -0 on node1 "ls -A '$mine' ~ /tmp 2>/dev/null | grep -v '^/.*:' || true"
        [ -z "${output//$'\n'/}" ]
        on node2 'echo hi >~/x'
        [ "$(cat "$mine/hosts/node2/home/x")" = hi ]
        "$fleet" down
        [ ! -e "$mine" ]
    done
    grep -q fleet- /proc/self/mountinfo && false
    mine=
}

@test "the state is for its owner, and complete" {
    [ "$(stat -c %a "$FORAY_FLEET")" = 700 ]
    [ "$(stat -c %a "$FORAY_FLEET/id")" = 600 ]
    "$fleet" list >list
    [ "$(wc -l <list)" = 3 ]
    while read -r name address port pid what; do
        [ "$what" = up ] && [ "$(cat "/proc/$pid/comm")" = sshd ]
        key=$(cut -d' ' -f1,2 "$FORAY_FLEET/hosts/$name/host_key.pub")
        grep -qxF "[$address]:$port $key" "$FORAY_FLEET/known_hosts"
        [ "$(ssh -F "$FORAY_SSH_CONFIG" -G "$name" | grep -cEx "(hostname $address|port $port|identitiesonly yes)")" = 3 ]
    done <list
    [ "$(sort -u "$FORAY_FLEET/known_hosts" | wc -l)" = 3 ]
}

@test "any directory will do: a name with quotes and spaces, one that is there already, a relative one" {
    name="it's 100%h \"so\" \$HOME \\"
    mkdir -p "$name/hosts/node2/home"
    echo 'export GREETING=prepared' >"$name/hosts/node2/home/.bashrc"
    FORAY_FLEET=$name "$fleet" up 2 3>&-
    mine=$PWD/$name
    FORAY_FLEET=$name "$fleet" env >env
    run -0 dash -c '. ./env; printf "%s\n" "$FORAY_FLEET" "$FORAY_SSH_CONFIG" "$FORAY_FLEET_HOSTS"; export -p | grep -c FORAY_'
    [ "${lines[0]}" = "$mine" ]
    [ "${lines[1]}" = "$mine/ssh_config" ]
    [ "${lines[2]}" = 'node[1-2]' ]
    [ "${lines[3]}" -ge 3 ]
    eval "$(cat env)"
    if [ "$(id -u)" = 0 ]; then [ "$(on node2 'echo $GREETING')" = prepared ]; fi
    run -0 on node1 'echo here'
    [ "$output" = here ]
}

@test "up when it is up: the same number is fine, another is not" {
    before=$("$fleet" list)
    run -0 "$fleet" up 3
    [ -z "$output" ]
    run -1 "$fleet" up 4
    [[ $output == *"up already"* ]]
    [ "$("$fleet" list)" = "$before" ]
}

@test "up after the machine went down with it begins anew" {
    own_fleet 2
    on node1 true
    "$fleet" list >list
    while read -r _ _ _ pid _; do kill -KILL "$pid"; done <list
    wait_until 5 bash -c '[ "$("$0" list | grep -c dead)" = 2 ]' "$fleet"
    run -0 "$fleet" up 2
    [ "$(state_of node2)" = up ]
    on node2 true
}

@test "up waits for nobody's ear: what it starts holds no descriptor of the caller" {
    export FORAY_FLEET=$PWD/f
    mine=$FORAY_FLEET
    [ -z "$(timeout 60 "$fleet" up 1 7>&1 8>other)" ]
    read -r _ _ _ pid _ < <("$fleet" list)
    run ! grep -e /other -e pipe: <(ls -l "/proc/$pid/fd")
    on node1 true
}

@test "many hosts" {
    own_fleet 24
    [ "$("$fleet" list | grep -c ' up$')" = 24 ]
    [ "$("$fleet" list | cut -d' ' -f2 | sort -u | wc -l)" = 24 ]
    run -0 on node24 'echo $SSH_CONNECTION'
    [[ $output == *" 127.0.0.25 "* ]]
}

@test "lines for sshd_config go before its own" {
    export FORAY_FLEET_SSHD_OPTIONS=$'loglevel VERBOSE\nSubsystem sftp /bin/false\nMatch all\n  ForceCommand echo forced'
    own_fleet 1
    run -0 on node1 'echo no'
    [ "$output" = forced ]
    grep -q 'Accepted publickey' "$FORAY_FLEET/hosts/node1/log"
}

@test "killed: connections break, what runs there stays, new ones are refused" {
    on node1 "echo began; exec sleep $long.1" >out 2>err &
    client=$!
    wait_until 10 contains out began
    run -0 "$fleet" fault node1 killed
    [ "$(state_of node1)" = killed ]
    wait_until 5 gone $client
    status=0
    wait $client || status=$?
    [ $status = 255 ]
    refused node1
    run -0 on node2 true
    pgrep -fx "sleep $long.1"
    "$fleet" heal node1
    [ "$(state_of node1)" = up ]
    on node1 true
    if [ "$(id -u)" = 0 ]; then runs_on node1 "sleep $long.1"; fi
    pkill -KILL -fx "sleep $long.1"
}

@test "hung: connections are open and silent, and go on when healed" {
    on node1 'echo began; read -r line; echo "got $line"' < <(until [ -e go ]; do sleep 0.05; done && echo it) >out 2>err &
    client=$!
    wait_until 10 contains out began
    run -0 "$fleet" fault node1 hung
    [ "$(state_of node1)" = hung ]
    touch go
    # a new one is taken, and nothing comes
    run -124 command timeout 1 bash -c 'read -r address port <"$1/hosts/node1/address"; exec 9<>"/dev/tcp/$address/$port"; read -r line <&9' bash "$FORAY_FLEET"
    [ "$(cat out)" = began ]
    lives $client
    run -0 "$fleet" heal node1
    [ "$(state_of node1)" = up ]
    wait $client
    [ "$(cat out)" = $'began\ngot it' ]
    on node1 true
}

@test "hung, then killed; killed, then hung" {
    "$fleet" fault node1 hung
    "$fleet" fault node1 killed
    refused node1
    run -1 "$fleet" fault node1 hung
    [[ $output == *"no sshd runs on node1"* ]]
    "$fleet" heal node1
    on node1 true
}

@test "refused: connections live on, new ones are refused" {
    on node1 'echo began; read -r line; echo "got $line"' < <(until [ -e go ]; do sleep 0.05; done && echo it) >out 2>err &
    client=$!
    wait_until 10 contains out began
    read -r address port <"$FORAY_FLEET/hosts/node1/address"
    "$fleet" fault node1 refused
    [ "$(state_of node1)" = refused ]
    refused node1
    touch go
    wait $client
    [ "$(cat out)" = $'began\ngot it' ]
    run -0 "$fleet" heal node1
    [ "$(cat "$FORAY_FLEET/hosts/node1/address")" = "$address $port" ]
    on node1 true
}

@test "a healed host has the same files" {
    needs_root
    on node1 'echo kept >~/x; echo kept >/tmp/x'
    "$fleet" fault node1 killed
    "$fleet" heal node1
    [ "$(on node1 'cat ~/x /tmp/x')" = $'kept\nkept' ]
    on node1 'rm ~/x /tmp/x; ls -A ~ /tmp' | grep -v / | grep . && false
    true
}

@test "load: the host sees it at once, also in what runs there, until it is healed" {
    needs_root
    on node1 'echo began; while sleep 0.05 && cat /proc/loadavg; do :; done' >out 2>err &
    client=$!
    wait_until 10 contains out began
    "$fleet" fault node1 load=12.34
    [ "$(on node1 cut -d\' \' -f1 /proc/loadavg)" = 12.34 ]
    wait_until 5 contains out '12.34 12.34 12.34 '
    "$fleet" fault node1 load=0.50
    [ "$(on node1 cut -d\' \' -f1 /proc/loadavg)" = 0.50 ]
    [[ $(on node2 cat /proc/loadavg) != '0.50 0.50 0.50 '* ]]
    # not lost by another fault, nor in a namespace that was left behind
    "$fleet" fault node1 refused
    "$fleet" fault node1 load=0.75
    wait_until 5 contains out '0.75 0.75 0.75 '
    "$fleet" heal node1
    end_on node1
    run ! grep '^0\.75 0\.75 0\.75 ' <(on node1 cat /proc/loadavg)
    run ! grep /proc/loadavg <(on node1 cat /proc/self/mountinfo)
}

@test "a load that is there before the host is" {
    needs_root
    mkdir -p f/hosts/node1
    echo '3.00 2.00 1.00 4/5 6' >f/hosts/node1/loadavg
    own_fleet 2 "$PWD/f"
    [ "$(on node1 cat /proc/loadavg)" = '3.00 2.00 1.00 4/5 6' ]
    [ "$(on node2 cat /proc/loadavg)" != '3.00 2.00 1.00 4/5 6' ]
}

@test "ps tells what runs on that host, but its sshd" {
    needs_root
    wait_until 20 no_process_on node1 # of the tests before
    on node1 "sleep $long.1 & setsid sleep $long.2 & cd /; sleep '$long.3'" &
    on node2 "sleep $long.4" &
    for i in 1 2 3; do wait_until 10 runs_on node1 "sleep $long.$i"; done
    wait_until 10 runs_on node2 "sleep $long.4"
    run ! runs_on node1 "sleep $long.4"
    run -0 "$fleet" ps node1
    [[ $output != *sshd* ]]
    end_on node1
    end_on node2
    wait_until 20 no_process_on node1
}

@test "two fleets at once know nothing of each other" {
    first=$FORAY_FLEET
    before=$("$fleet" list)
    own_fleet 2
    [ "$(cut -d' ' -f2 "$FORAY_FLEET/hosts/node1/address")" != "$(cut -d' ' -f2 "$first/hosts/node1/address")" ]
    on node2 true
    # the other's key is no key here, nor is its host this host
    run -255 on -o IdentityFile="\"$first/id\"" -o IdentitiesOnly=yes -F "$first/ssh_config" -p "$(cut -d' ' -f2 "$FORAY_FLEET/hosts/node1/address")" node1 true
    "$fleet" fault node1 killed
    "$fleet" down
    [ "$(FORAY_FLEET=$first "$fleet" list)" = "$before" ]
    mine=
}

@test "down leaves no process, no directory and no mount" {
    own_fleet 2
    "$fleet" list >list
    on node1 "sleep $long.1 & (trap '' HUP TERM INT; exec setsid sleep $long.2) & sleep $long.3" &
    on node2 "sleep $long.4" &
    n=4
    if [ "$(id -u)" = 0 ]; then
        on node2 "unshare -m sleep $long.5" &
        n=5
    fi
    wait_until 10 bash -c '[ "$(pgrep -fxc "sleep $1\.[1-5]")" = "$2" ]' bash "$long" $n
    # what a host that died and came back had left, and one that hangs, go too
    "$fleet" fault node1 killed
    "$fleet" heal node1
    "$fleet" fault node2 hung
    run -0 "$fleet" down
    [ -z "$output" ]
    run ! pgrep -fx "sleep $long\.[1-5]"
    while read -r _ address port pid _; do
        run ! lives "$pid"
        run ! bash -c "exec 9<>/dev/tcp/$address/$port"
    done <list
    [ ! -e "$mine" ]
    run ! grep -F "${mine// /\\040}" /proc/self/mountinfo
    run -0 "$fleet" down
    [ -z "$output" ]
    mine=
}

@test "no process of others is ended, whatever number was recorded" {
    own_fleet 2
    "$fleet" fault node1 refused
    "$fleet" fault node2 killed
    stranger
    echo "$stranger 1234" >"$FORAY_FLEET/hosts/node1/pid"
    echo "$stranger" >"$FORAY_FLEET/hosts/node2/pid"
    echo "$stranger" >"$FORAY_FLEET/hosts/node2/stopped"
    "$fleet" fault node1 killed
    "$fleet" fault node2 refused
    run -1 "$fleet" fault node1 hung
    [ "$(state_of node1)" != up ]
    lives "$stranger"
    kill -STOP "$stranger"
    "$fleet" heal node2
    [[ $(sed 's/.*) //' "/proc/$stranger/stat") == T* ]]
    kill -CONT "$stranger"
    echo "$stranger" >"$FORAY_FLEET/hosts/node2/stopped"
    if [ "$(id -u)" = 0 ]; then stranger unshare -m; fi
    "$fleet" down
    for p in "${strangers[@]}"; do wait_until 2 lives "$p"; done
    mine=
}

@test "nothing is removed that is no fleet" {
    mkdir -p kept/hosts/node1 && touch kept/file
    for verb in 'up 1' down env list 'ps node1' 'heal node1' 'fault node1 killed'; do
        # shellcheck disable=SC2086 # words
        FORAY_FLEET=$PWD/kept run -1 "$fleet" $verb
        [ -n "$output" ]
    done
    [ -e kept/file ] && [ "$(ls -A kept)" = $'file\nhosts' ]
    own_fleet 1
    ln -s "$mine" link
    FORAY_FLEET=$PWD/link run -1 "$fleet" down
    on node1 true
}

@test "up that fails takes back what it did, and says why" {
    export FORAY_FLEET=$PWD/f
    FORAY_FLEET_SSHD_OPTIONS='Nonsense yes' run -1 "$fleet" up 2
    [[ $output == *"node1 does not start"*"Nonsense"* && $output == *"could not be started"* ]]
    [ ! -e f ]
    # the last of several
    mkdir -p f/hosts/node4 && echo nonsense >f/hosts/node4/host_key
    chmod 600 f/hosts/node4/host_key
    run -1 "$fleet" up 4
    [[ $output == *"could not be started"* ]]
    [ ! -e f ]
    run ! pgrep -f "$PWD/f/"
    # a signal in the midst, long before they are all there
    mine=$FORAY_FLEET
    "$fleet" up 1000 3>&- 2>err &
    starter=$!
    wait_until 10 test -e f/hosts/node9/pid
    kill -TERM $starter
    wait_until 20 gone $starter
    wait_until 5 test ! -e f
}

@test "wrong usage: status 2, and how to do it on standard error" {
    for words in '' help frobnicate up 'up 0' 'up -1' 'up x' 'up 3 4' 'up 5000' fault 'fault node1' 'fault node1 broken' \
        'fault node1 load=' 'fault node9 killed' 'fault ../node1 killed' heal 'heal node9' ps 'ps node9'; do
        # shellcheck disable=SC2086 # words
        run -2 --separate-stderr "$fleet" $words
        [ -z "$output" ]
        [[ $stderr == *"tests/fleet up N"* && $stderr == *"load=X"* && $stderr == *"tests/fleet down"* ]]
    done
    [ "$("$fleet" list | grep -c ' up$')" = 3 ]
}

@test "as a user who may make no namespaces" {
    needs_root
    # A user that is known in this namespace only, with a home that is there only.
    cat >inside <<'END'
set -e
mount -t tmpfs -o mode=755 tmpfs /mnt
cp "$1" /mnt/fleet
{ cat /etc/passwd; echo "foray-tester:x:$2:$2::/mnt/home:/bin/bash"; } >/mnt/passwd
mount --bind /mnt/passwd /etc/passwd
mkdir -p /mnt/home
chown "$2:$2" /mnt/home
exec setpriv --reuid "$2" --regid "$2" --clear-groups --reset-env bash -c '
set -e
export FORAY_FLEET="$HOME/my fleet"
trap "/mnt/fleet down" EXIT
set -x
/mnt/fleet up 2 2>~/said
[ "$(wc -l <~/said)" = 1 ]
grep -q "share one home" ~/said
on() { timeout 60 ssh -F "$FORAY_FLEET/ssh_config" "$@"; }
[ "$(on node2 "echo \$TMPDIR")" = "$FORAY_FLEET/hosts/node2/tmp" ]
for words in "ps node1" "fault node1 load=1"; do
    status=0
    /mnt/fleet $words 2>~/said || status=$?
    [ $status = 2 ] && grep -q "needs root" ~/said
done
on node1 "sleep 75.1; true" &
client=$!
on node2 "setsid sleep 75.2" &
until [ "$(pgrep -U $UID -fxc "sleep 75..")" = 2 ]; do sleep 0.05; done
/mnt/fleet fault node1 refused
status=0
on node1 true || status=$?
[ $status = 255 ]
[ "$(pgrep -U $UID -fxc "sleep 75..")" = 2 ]
/mnt/fleet fault node1 killed
status=0
wait $client || status=$?
[ $status = 255 ]
/mnt/fleet heal node1
on node1 true
/mnt/fleet fault node2 hung
/mnt/fleet list | grep "^node2 .* hung$"
/mnt/fleet heal node2
on node2 true
/mnt/fleet down
[ ! -e "$FORAY_FLEET" ]
[ -z "$(pgrep -U $UID -r S,R,D,T,I -x "sshd|sleep")" ]
'
END
    run -0 timeout 120 unshare --mount --propagation private bash inside "$fleet" $((40000 + $$ % 20000))
}
