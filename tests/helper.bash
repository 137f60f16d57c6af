# What the behaviour tests share. FORAY is the program.
bats_require_minimum_version 1.5.0
: "${FORAY:?tests/run sets it}"
fleet=$BATS_TEST_DIRNAME/fleet
unset FORAY_SSH_CONFIG FORAYFLAGS NO_COLOR CLICOLOR_FORCE MAKEFLAGS
export LC_ALL=C.UTF-8

setup() {
    cd "$BATS_TEST_TMPDIR" || return
}

# How many times longer than an idle machine this one takes, as busy as it is now, for what has the sanitizers built in.
slowness() {
    local load running cores sanitized=1
    read -r load _ _ running _ </proc/loadavg
    load=${load%.*} running=${running%/*}
    cores=$(getconf _NPROCESSORS_ONLN)
    ! is_sanitized || sanitized=3
    echo $((sanitized * (1 + (load > running ? load : running) / cores)))
}

# wait_until SECONDS COMMAND...: waits until the command succeeds; fails when it does not in time, which is that of a
# machine that has nothing else to do.
wait_until() {
    local began=$SECONDS seconds=$1
    shift
    until "$@"; do
        if [ $((SECONDS - began)) -gt "$seconds" ] && [ $((SECONDS - began)) -gt $((seconds * $(slowness))) ]; then
            echo "not in time: $*"
            return 1
        fi
        sleep 0.05
    done
}

# Starts foray in the background, as a shell would start it for a user; its pid is in $pid, its output in out and err.
in_background() {
    rm -f out err # of the one before
    "$FORAY" "$@" >out 2>err 3>&- &
    pid=$!
}

gone() { ! kill -0 "$1" 2>/dev/null; }
group_gone() { ! pgrep -g "$(cat "$1")" -r R,S,D,T,I; } # FILE that a step here has written its number to
# timeout(1) against what would never end, and nothing else: a machine may have many seconds in which it does little.
timeout() { command timeout $(($1 * 5)) "${@:2}"; }
contains() { grep -qF -- "$2" "$1"; }

# The exit status of a process that in_background has started, within SECONDS.
ended_with() { # SECONDS STATUS
    wait_until "$1" gone "$pid" || return
    local status=0
    wait "$pid" || status=$?
    [ $status = "$2" ] || {
        echo "status $status instead of $2"
        cat out err
        return 1
    }
}

# A fleet for the whole file: in setup_file and teardown_file.
fleet_up() { # N
    export FORAY_FLEET=$BATS_FILE_TMPDIR/fleet
    "$fleet" up "$1" 3>&- || return
    eval "$("$fleet" env)"
    export FLEET_CONFIG=$FORAY_SSH_CONFIG
}
fleet_down() { "$fleet" down; }
use_fleet() { export FORAY_SSH_CONFIG=$FLEET_CONFIG; }
needs_root() { [ "$(id -u)" = 0 ] || skip "hosts are told apart as root only"; }
no_process_on() { # HOST
    [ -z "$("$fleet" ps "$1")" ]
}
# What the sanitizers have been built into cannot be preloaded into.
is_sanitized() { nm -D "$FORAY" 2>/dev/null | grep -q __asan_; }
