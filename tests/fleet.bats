# The fleet itself: real hosts that cannot see each other, faults, and nothing left behind.
load helper

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    export FORAY_FLEET="$BATS_TEST_TMPDIR/a fleet"
}
teardown() { "$fleet" down; }

on() { # HOST COMMAND...
    local host=$1
    shift
    ssh -F "$FORAY_FLEET/ssh_config" "$host" "$@" </dev/null
}

@test "hosts run commands, and see neither each other's files nor ours" {
    "$fleet" up 3 3>&-
    for h in 1 2 3; do [ "$(on node$h "echo hi; touch ~/here /tmp/here.$h")" = hi ]; done
    needs_root
    touch ours
    for h in 1 2 3; do
        [ "$(on node$h 'ls /tmp')" = "here.$h" ]
        ! on node$h "ls '$PWD/ours'"
    done
}

@test "faults and healing" {
    "$fleet" up 1 3>&-
    for kind in killed refused; do
        "$fleet" fault node1 $kind
        ! on node1 true
        "$fleet" heal node1 3>&-
        on node1 true
    done
    "$fleet" fault node1 hung
    ! timeout 2 ssh -F "$FORAY_FLEET/ssh_config" node1 true </dev/null
    [[ $("$fleet" list) == *hung ]]
    "$fleet" heal node1 3>&-
    on node1 true
    needs_root
    "$fleet" fault node1 load=7.50
    [[ $(on node1 'cat /proc/loadavg') == 7.50* ]]
    "$fleet" fault node1 load=0.25
    [[ $(on node1 'cat /proc/loadavg') == 0.25* ]]
}

@test "two fleets at once; down leaves nothing of its own, and the other alone" {
    "$fleet" up 2 3>&-
    FORAY_FLEET=$PWD/other "$fleet" up 1 3>&-
    on node1 'sleep 98.1 >/dev/null 2>&1 &'
    "$fleet" down
    [ ! -e "$FORAY_FLEET" ]
    ! pgrep -f '^sleep 98\.1'
    ssh -F other/ssh_config node1 true </dev/null
    FORAY_FLEET=$PWD/other "$fleet" down
    ! pgrep -f "$PWD"
    "$fleet" down
}

@test "mistakes are told, status 2" {
    run -2 "$fleet" jump
    run -2 "$fleet" up many
    "$fleet" up 1 3>&-
    run -2 "$fleet" fault nobody killed
    run -2 "$fleet" fault node1 tired
    run -0 "$fleet" up 1
    run -1 "$fleet" up 2
}
