# The keeper: what stands at the far end of a slot. foray starts `sh` on the host and sends this as its script; from
# then on it reads one request a line from its standard input, which is a lifeline too: when that ends, because foray,
# its machine or the network is gone, the step that runs is ended with its whole process group, and the scratch goes.
#
#   run NONCE WHERE HOW SCRIPT [NAME=VALUE]...   starts a step in directory WHERE; HOW: c, or f for a long script
#   term, kill                                   ends the step that runs
#   clean DIRECTORY                              removes a scratch directory, without waiting for it
#   load                                         asks for the load
#   end                                          nothing runs, nothing more comes
#
# A step writes straight to standard output and standard error. Where its output starts and ends stands there in lines
# that begin with a nonce, which no step can guess:
#
#   \036NONCE+              on both: its output starts; anything before this is not its own
#   \036NONCE STATUS E LOAD on standard output: it has ended; E is `e` if it left its directory empty
#   \036NONCE.              on standard error: likewise
#   \036ID ready CORES MEMORY LOAD ROOT (MEMORY in KiB; 0: not known), \036ID load LOAD
#
# Plain POSIX sh, nothing executed where a builtin does: it is run for every step. The first lines, sent before this,
# set _foray_id, _foray_ask (count the cores?) and _foray_keep (leave the scratch directories?).
# shellcheck shell=sh disable=SC2154 # those three come from outside
_foray_nl='
'
_foray_job=
trap '' HUP PIPE TERM USR1

_foray_load() {
    _foray_l=-
    read -r _foray_l _foray_rest 2>/dev/null </proc/loadavg || _foray_l=-
}

# shellcheck disable=SC2317 # called by traps
_foray_signal() {
    [ -z "$_foray_pid" ] || kill -s "$1" -- "-$_foray_pid" || kill -s "$1" "$_foray_pid"
}

_foray_run() {
    _foray_nonce=$1 _foray_where=$2 _foray_how=$3 _foray_script=$4 _foray_pid='' _foray_left=-
    shift 4
    exec </dev/null 4>&2 2>/dev/null
    trap '_foray_signal TERM' TERM
    trap '_foray_signal KILL' USR1
    trap - HUP PIPE
    printf '\036%s+\n' "$_foray_nonce"
    printf '\036%s+\n' "$_foray_nonce" >&4
    for _foray_v in "$@"; do
        export "${_foray_v?}"
    done
    case $_foray_where in
    "$_foray_root"/*) [ -d "$_foray_where" ] || mkdir -m 700 -- "$_foray_where" ;;
    esac
    if cd -- "$_foray_where" 2>&4; then
        if [ "$_foray_how" = f ]; then
            printf '%s\n' "$_foray_script" >"$_foray_root/script"
            set -- "$_foray_root/script"
        else
            set -- -c "$_foray_script"
        fi
        $_foray_setsid sh -e "$@" 2>&4 4>&- &
        _foray_pid=$!
        # A signal for us ends `wait` too: it has really ended when it cannot be signalled any more.
        while
            wait "$_foray_pid"
            _foray_status=$?
            kill -s 0 "$_foray_pid"
        do :; done
        # What it left in its process group gets a moment to end by itself, then goes with it.
        if kill -s 0 -- "-$_foray_pid"; then
            sleep 0.2 || sleep 1
            if kill -s TERM -- "-$_foray_pid"; then
                sleep 0.2 || sleep 1
                kill -s KILL -- "-$_foray_pid"
            fi
        fi
    else
        _foray_status=1
    fi
    case $_foray_where in
    "$_foray_root"/*)
        _foray_left=e
        for _foray_v in "$_foray_where"/* "$_foray_where"/.[!.]* "$_foray_where"/..?*; do
            if [ -e "$_foray_v" ] || [ -L "$_foray_v" ]; then
                _foray_left=-
                break
            fi
        done
        ;;
    esac
    _foray_load
    printf '\036%s.\n' "$_foray_nonce" >&4
    printf '\036%s %s %s %s\n' "$_foray_nonce" "$_foray_status" "$_foray_left" "$_foray_l"
}

# shellcheck disable=SC2120 # its words come from lines
_foray_main() {
    while IFS= read -r _foray_line; do
        case $_foray_line in
        'run '*)
            [ -z "$_foray_job" ] || wait "$_foray_job"
            eval "set -- ${_foray_line#run }"
            _foray_run "$@" &
            _foray_job=$!
            ;;
        term) kill -s TERM "$_foray_job" ;;
        kill) kill -s USR1 "$_foray_job" ;;
        'clean '*)
            eval "set -- ${_foray_line#clean }"
            (rm -rf -- "$1" >/dev/null 2>&1 &)
            ;;
        load)
            _foray_load
            printf '\036%s load %s\n' "$_foray_id" "$_foray_l"
            ;;
        end)
            _foray_job=
            break
            ;;
        esac
    done
    if [ -n "$_foray_job" ]; then
        (sleep 2 && kill -s USR1 "$_foray_job") >/dev/null 2>&1 &
        _foray_timer=$!
        kill -s TERM "$_foray_job"
        wait "$_foray_job"
        kill -s KILL "$_foray_timer"
    fi 2>/dev/null
    cd / || exit
    [ -n "$_foray_keep" ] || rm -rf -- "$_foray_root"
    exit 0
}

if command -v setsid >/dev/null 2>&1; then
    _foray_setsid=setsid
elif command -v perl >/dev/null 2>&1; then
    _foray_setsid='perl -e setpgrp;exec@ARGV'
else
    _foray_setsid=
fi
_foray_cores=0 _foray_mem=0
if [ -n "$_foray_ask" ]; then
    _foray_cores=$(getconf _NPROCESSORS_ONLN || nproc || sysctl -n hw.ncpu || echo 1) 2>/dev/null
    if read -r _foray_rest _foray_mem _foray_l 2>/dev/null </proc/meminfo; then
        :
    else
        _foray_mem=$(sysctl -n hw.memsize || sysctl -n hw.physmem || echo 0) 2>/dev/null
        _foray_mem=$((_foray_mem / 1024))
    fi
fi
_foray_root=${TMPDIR:-/tmp}/foray-$_foray_id
if mkdir -m 700 -- "$_foray_root"; then
    _foray_load
    printf '\036%s ready %s %s %s %s\n' "$_foray_id" "$_foray_cores" "$_foray_mem" "$_foray_l" "$_foray_root"
    # shellcheck disable=SC2119
    _foray_main
fi
exit 1
