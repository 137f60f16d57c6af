# The keeper: what stands at the far end of a slot. foray starts `sh` on the host and sends keeper_start.sh as its
# script, which becomes this one; from then on it reads one request a line from its standard input, which is a lifeline
# too: when that ends, or nothing comes on it any more, because foray, its machine or the network is gone, the step that
# runs is ended with all it has started, and the scratch goes.
#
#   run NONCE WHERE HOW SCRIPT [NAME=VALUE]...   starts a step in directory WHERE; HOW: c, or f for a long script; then d
#                                                if what it leaves when it has succeeded stays, or t if it has a terminal
#   put BYTES NONCE WHERE HOW SCRIPT             the same, with the next so many bytes as its standard input; nothing ends
#                                                it but the end of our own; then comes `go NONCE`. BYTES -LANES, where
#                                                there is perl: they come in portions (put.h), some by so many lanes,
#                                                which end in named pipes ROOT/NONCE.LANE
#   term, kill                                   ends the step that runs
#   clean DIRECTORY                              removes a scratch directory, without waiting for it
#   leave [FAMILY PLACE...]                      what is to be removed if nobody says good-bye, see slot.h
#   remove                                       that is to be removed now
#   load                                         asks for the load
#   facts                                        asks for the memory and disk that are free
#   ping                                         we are still there
#   hold                                         nothing comes for a while: we are being stopped
#   end                                          nothing runs, nothing more comes
#
# A step writes straight to standard output and standard error. Where its output starts and ends stands there in lines
# that begin with a nonce, which no step can guess:
#
#   \036NONCE+              on both: its output starts; anything before this is not its own
#   \036NONCE t             on standard output: its terminal can come, by `perl ROOT/terminal` on a channel that has one
#   \036NONCE STATUS E LOAD on standard output: it has ended; E is `e` if it left its directory empty
#   \036NONCE - REASON      likewise: the host could not start it, or has ended it
#   \036NONCE !             likewise: who waited for it was killed
#   \036NONCE.              on standard error: it has ended
#   \036ID ready CORES MEMORY LOAD ADOPTS ROOT (MEMORY in KiB; 0: not known; ADOPTS 1 or 0), \036ID load LOAD
#   \036ID facts MEMORY DISK (both in KiB; -: not known)
#   \036ID no REASON        no step can be started here
#   \036ID bye              it is all over
#
# Whatever a step has started, and left behind when it ends, goes with it. Where the keeper adopts orphans these are its
# children then. Elsewhere they are found by the step's process group, and, when it is we who end it, by FORAY_STEP_ID in
# their environments.
#
# Plain POSIX sh, nothing executed where a builtin does: it is run for every step. The first lines, sent before this,
# set _foray_id, _foray_ask (count the cores?), _foray_keep (leave the scratch directories?) and _foray_tick (three times
# as many seconds without a word are the end); and whoever makes us adopt orphans (keeper.pl) sets _foray_adopts: 1, and
# the process that runs plain steps for us, and the descriptor to tell it, which becomes 5.
# shellcheck shell=sh disable=SC2154 # those come from outside
_foray_nl='
'
_foray_job='' _foray_nonce='' _foray_known='' _foray_watch='' _foray_steps=0 _foray_spare=''
_foray_self='' _foray_pid='' _foray_asked='' _foray_hard='' _foray_cut='' _foray_put='' _foray_leaves=''
unset _foray_text
# shellcheck disable=SC2086 # words
set -- $_foray_adopts
unset _foray_adopts # which is exported
_foray_adopts=$1 _foray_perl=${1:-0} _foray_runner=$2
if [ -n "$_foray_runner" ]; then
    _foray_known=" $_foray_runner"
    [ "$3" = 5 ] || eval "exec 5>&$3 $3>&-"
fi
trap '' HUP PIPE TERM USR1 USR2

_foray_load() {
    _foray_l=-
    read -r _foray_l _foray_rest 2>/dev/null </proc/loadavg || _foray_l=-
}

_foray_facts() {
    exec </dev/null 4>&-
    _foray_free=- _foray_disk=-
    while read -r _foray_v _foray_l _foray_rest; do
        [ "$_foray_v" != MemAvailable: ] || _foray_free=$_foray_l
    done </proc/meminfo
    _foray_l=$(df -Pk -- "$_foray_root")
    # shellcheck disable=SC2086 # its fields
    set -- ${_foray_l##*"$_foray_nl"}
    _foray_disk=${4:--}
    printf '\036%s facts %s %s\n' "$_foray_id" "$_foray_free" "$_foray_disk"
}

# --- what a step has started ---

# Our children, but those that are known for something else, in _foray_kids.
_foray_children() {
    _foray_kids=
    read -r _foray_l <"/proc/$$/task/$$/children"
    for _foray_v in $_foray_l; do
        case " $_foray_known " in
        *" $_foray_v "*) ;;
        *) _foray_kids="$_foray_kids $_foray_v" ;;
        esac
    done
}

# Adds the processes whose environment has FORAY_STEP_ID=$1...
_foray_search() {
    # shellcheck disable=SC2013 # words they are
    for _foray_v in $(grep -lzF "FORAY_STEP_ID=$1" /proc/[0-9]*/environ); do
        _foray_v=${_foray_v#/proc/}
        _foray_left="$_foray_left ${_foray_v%/*}"
    done
}

# A child of the keeper's, too: the shell that runs a step. What it costs to tell is not spent on every step.
_foray_know_self() {
    [ -z "$_foray_adopts" ] || read -r _foray_self _foray_rest </proc/self/stat
}

# What there is of it, beside those who wait for it: in _foray_left, as `kill` takes it. Of the adopted only who is
# nobody else's child: the others become ours in turn. One that has ended stays a child until it is waited for.
_foray_look() {
    _foray_left=
    if [ -n "$_foray_adopts" ]; then
        _foray_children
        for _foray_v in $_foray_kids; do
            _foray_l=
            read -r _foray_l <"/proc/$_foray_v/stat"
            case ${_foray_l##*) } in
            '' | Z* | X*) ;;
            *) [ "$_foray_v" = "$_foray_self" ] || _foray_left="$_foray_left -$_foray_v $_foray_v" ;;
            esac
        done
    else
        if [ -n "$_foray_pid" ] && kill -s 0 -- "-$_foray_pid"; then _foray_left=-$_foray_pid; fi
        [ -z "$_foray_asked" ] || _foray_search "$_foray_mark"
    fi
    [ -n "$_foray_left" ]
}

# It gets a moment to end by itself, if nobody has asked it to, then TERM, then KILL. What cannot end, such as one that
# waits for a dead disk, is left in the end.
_foray_sweep() {
    _foray_round=${_foray_asked:-0}
    while [ "$_foray_round" -lt 15 ] && _foray_look; do
        # shellcheck disable=SC2086 # a list of numbers
        case $_foray_hard$_foray_round in
        0) ;;
        1)
            kill -s TERM -- $_foray_left
            kill -s CONT -- $_foray_left
            ;;
        *) kill -s KILL -- $_foray_left ;;
        esac
        _foray_round=$((_foray_round + 1))
        sleep 0.2 || sleep 1
    done
}

# --- one step, in a shell of its own ---

# shellcheck disable=SC2317 # called by traps
_foray_signal() {
    _foray_asked=1
    [ -n "$_foray_pid" ] || return 0
    if kill -s "$1" -- "-$_foray_pid"; then
        kill -s CONT -- "-$_foray_pid"
    else # it has no group of its own, or not yet
        _foray_know_self
        _foray_look
        # shellcheck disable=SC2086 # a list of numbers
        kill -s "$1" "$_foray_pid" $_foray_left
    fi
}

# In yet another shell, which becomes the step's.
_foray_become() {
    for _foray_v in "$@"; do
        export "${_foray_v?}"
    done
    export FORAY_STEP_ID="$_foray_mark"
    case $_foray_how in
    f*) set -- "$_foray_root/script" ;;
    *) set -- -c "$_foray_script" ;;
    esac
    case $_foray_how in *t) _foray_sit_down "$@" ;; esac
    case $_foray_setsid in
    '') exec /bin/sh -e "$@" ;;
    */perl) exec "$_foray_setsid" -e 'setpgrp;exec@ARGV' /bin/sh -e "$@" ;;
    *) exec "$_foray_setsid" /bin/sh -e "$@" ;;
    esac
}

# A terminal belongs to a session: to that of its channel. What stands there, in $_foray_root/terminal, gives it away,
# tells its name, and stays until we are done with it. A hangup ends it while we have not taken notice of it. The numbers
# are those of TIOCNOTTY, and TIOCSCTTY, by which the step takes it for its own session.
_foray_lay_table() {
    case $_foray_adopts$_foray_setsid in
    1*/setsid) ;;
    *) _foray_refuse 'a terminal there needs Linux, with setsid and perl' ;;
    esac
    rm -f -- "$_foray_root/tty" "$_foray_root/hold"
    _foray_l=$(mkfifo -m 600 -- "$_foray_root/tty" "$_foray_root/hold" 2>&1) || _foray_refuse "$_foray_l"
    # shellcheck disable=SC2016 # perl's own variables
    printf '%s' '
        ($root) = $0 =~ m{(.*)/};
        open HOLD, "<", "$root/hold" and open TTY, "+<", "$root/tty" or exit 1;
        $name = readlink "/proc/self/fd/0";
        $SIG{HUP} = "IGNORE";
        ioctl STDIN, 0x5422, 0 or exit 1;
        syswrite TTY, "$name\n";
        sysread HOLD, $_, 1;
    ' >"$_foray_root/terminal" || _foray_refuse "no file can be written in $_foray_root (is the disk full?)"
    exec 5<>"$_foray_root/hold"
    printf '\036%s t\n' "$_foray_nonce"
}

_foray_sit_down() {
    IFS= read -r SSH_TTY <"$_foray_root/tty"
    export SSH_TTY
    exec <>"$SSH_TTY" >&0 2>&0
    # Who is started in the background ignores what the keyboard sends.
    # shellcheck disable=SC2016 # perl's own variables
    exec "$_foray_setsid" perl -e '@SIG{INT, QUIT} = (DEFAULT) x 2; ioctl STDIN, 0x540E, 0 and exec @ARGV' \
        /bin/sh -e "$@"
}

# Starts a step that may leave something behind, which would hold our own outputs open, and write to them later.
_foray_relay() {
    _foray_l=$(mkfifo -m 600 -- "$_foray_root/out" "$_foray_root/err" 2>&1) || _foray_refuse "$_foray_l"
    cat "$_foray_root/out" 4>&- &
    _foray_cats=$!
    cat "$_foray_root/err" >&4 4>&- &
    _foray_cats="$_foray_cats $!"
    _foray_become "$@" >"$_foray_root/out" 2>"$_foray_root/err" 4>&- &
    _foray_pid=$!
}

# Ends the relay when nothing more comes through it, where that can be seen, and in the end anyway.
_foray_hurry() {
    exec >/dev/null 4>&-
    for _foray_rest in 1 2 3 4 5 6 7 8 9 10; do
        sleep 0.2 || sleep 1
        _foray_was=$_foray_left _foray_left=
        for _foray_v in $_foray_cats; do
            read -r _foray_l <"/proc/$_foray_v/io" && _foray_left="$_foray_left $_foray_l"
        done
        [ "$_foray_left" != "$_foray_was" ] || break
    done
    # shellcheck disable=SC2086 # two numbers
    kill $_foray_cats
}

# The step has ended: what it wrote itself is in the relay.
_foray_drain() {
    _foray_left=
    _foray_hurry &
    for _foray_v in $_foray_cats; do
        while
            wait "$_foray_v"
            kill -s 0 "$_foray_v"
        do :; done
    done
    rm -f -- "$_foray_root/out" "$_foray_root/err"
}

# The step is lost: $1, of which the first line counts, says why.
_foray_refuse() {
    printf '\036%s.\n' "$_foray_nonce" >&4
    printf '\036%s - %s\n' "$_foray_nonce" "${1%%"$_foray_nl"*}"
    exit 0
}

_foray_run() {
    _foray_where=$2 _foray_how=$3 _foray_script=$4 _foray_left=-
    _foray_mark=$_foray_id.$_foray_steps.
    shift 4
    trap '_foray_signal TERM' TERM
    trap '_foray_hard=1; _foray_signal KILL' USR1
    trap '_foray_cut=1; _foray_signal TERM' ALRM
    trap - HUP PIPE USR2
    exec 5>&-
    printf '\036%s+\n' "$_foray_nonce"
    printf '\036%s+\n' "$_foray_nonce" >&4
    case $_foray_where in
    "$_foray_root"/*)
        [ -d "$_foray_where" ] || _foray_l=$(mkdir -m 700 -- "$_foray_where" 2>&1) || _foray_refuse "$_foray_l"
        ;;
    esac
    case $_foray_how in
    f*)
        printf '%s\n' "$_foray_script" >"$_foray_root/script" ||
            _foray_refuse "the script cannot be written to $_foray_root (is the disk full?)"
        ;;
    esac
    _foray_status=1
    if cd -- "$_foray_where" 2>&4; then
        case $_foray_how$_foray_put in
        *d) _foray_relay "$@" ;;
        *put)
            _foray_become "$@" <&3 2>&4 3<&- 4>&- &
            _foray_pid=$!
            ;;
        *t)
            _foray_lay_table
            _foray_become "$@" 4>&- 5>&- &
            _foray_pid=$!
            ;;
        *)
            _foray_become "$@" 2>&4 4>&- &
            _foray_pid=$!
            ;;
        esac
        if [ -n "$_foray_hard" ]; then _foray_signal KILL; elif [ -n "$_foray_asked" ]; then _foray_signal TERM; fi
        # A signal for us ends `wait` too: it has really ended when it cannot be signalled any more.
        while
            wait "$_foray_pid"
            _foray_status=$?
            kill -s 0 "$_foray_pid"
        do :; done
        case $_foray_how in *d) _foray_drain ;; esac
    fi
    _foray_return=0
    if [ "$_foray_how${_foray_asked:-0}$_foray_status" = "${_foray_how%d}d00" ]; then
        : # what it has left stays
    elif [ -n "$_foray_adopts" ]; then
        _foray_children
        # One is this shell itself, which can only be told apart at some expense.
        case $_foray_kids in
        ' '*' '*)
            _foray_know_self
            _foray_sweep
            _foray_return=1
            ;;
        esac
    else
        _foray_sweep
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
    *) _foray_left=- ;;
    esac
    [ -z "$_foray_cut" ] || _foray_refuse "nothing was heard of us there for a while, and it was ended"
    _foray_load
    printf '\036%s.\n' "$_foray_nonce" >&4
    printf '\036%s %s %s %s\n' "$_foray_nonce" "$_foray_status" "$_foray_left" "$_foray_l"
    exit $_foray_return
}

# --- the lifeline ---

# A pause that a signal to this shell does not shorten, and TERM ends. Who traps that waits for the end of the pause: it would
# be an orphan, that the keeper would find, and wait for.
_foray_pause() {
    sleep "$1" &
    _foray_pid=$!
    while
        wait "$_foray_pid"
        kill -s 0 "$_foray_pid"
    do :; done
}

# Waits for words from the other side, of which USR2 tells; if there are none for long, ALRM ends the keeper.
_foray_watchman() {
    exec </dev/null >/dev/null 4>&- 5>&-
    trap 'kill "$_foray_pid"; wait "$_foray_pid"; exit' TERM
    trap '_foray_ticks=0' USR2
    _foray_ticks=0
    while [ "$_foray_ticks" -lt 3 ]; do
        _foray_pause "$_foray_tick"
        _foray_ticks=$((_foray_ticks + 1))
    done
    kill -s ALRM "$$"
}

_foray_hold() {
    [ -z "$_foray_watch" ] || kill -s TERM "$_foray_watch"
    _foray_watch=
}

_foray_heard() {
    if [ -n "$_foray_watch" ] && kill -s USR2 "$_foray_watch"; then return; fi
    trap - TERM # what we ignore it would ignore, until it has come to its own trap
    _foray_watchman &
    _foray_watch=$!
    trap '' TERM
    _foray_known="$_foray_known $_foray_watch"
}

# Waits for children that have ended, without blocking, and forgets them. If the shell that runs a step is one of them,
# the step has ended and was told, or that shell was killed.
_foray_tidy() {
    jobs >/dev/null
    if [ -n "$_foray_nonce" ] && ! kill -s 0 "$_foray_job"; then
        printf '\036%s !\n' "$_foray_nonce"
        _foray_nonce=
    fi
    set -- "$_foray_known"
    _foray_known=
    for _foray_v in $1; do
        ! kill -s 0 "$_foray_v" || _foray_known="$_foray_known $_foray_v"
    done
}

# Until the step before has been waited for, and what was adopted of it.
_foray_settle() {
    case $_foray_job in
    '') ;;
    "$_foray_runner") jobs >/dev/null ;;
    *) wait "$_foray_job" || jobs >/dev/null ;;
    esac
}

# Has a plain step run; false: that is to be done here.
_foray_hand_over() {
    [ "$3" = c ] && [ -n "$_foray_runner" ] || return 1
    _foray_nonce=$1 _foray_where=$2
    shift 3
    printf '%s\0' "$(($# + 5))" "$_foray_known" "$_foray_nonce" "$_foray_id.$_foray_steps." "$_foray_root" \
        "$_foray_where" "$@" >&5 || return 1
    _foray_job=$_foray_runner
}

_foray_dismiss() {
    [ -n "$_foray_runner" ] || return 0
    printf '0\0' >&5
    exec 5>&-
}

# So many bytes of standard input. While they come nobody says anything else: if they do not come for long, that is the
# end, too, where there is perl to notice it; slow disks may keep us waiting.
_foray_pass_on() {
    [ "$_foray_perl" != 0 ] || exec head -c "$1"
    case $1 in -[1-9]) mkfifo -m 600 -- "$_foray_root/$2.1" "$_foray_root/$2.2" "$_foray_root/$2.3" ;; esac
    # shellcheck disable=SC2016 # perl's own variables
    exec perl -e '
        my ($left, $keeper, $patience, $pipes) = @ARGV;
        my ($portions, $lane, @from) = (scalar($left =~ /^-/), 0, \*STDIN);
        sub take {
            my ($from, $most) = @_;
            my ($some, $bytes);
            do {
                vec(my $in = "", fileno $from, 1) = 1;
                $some = select($in, undef, undef, $patience);
            } while ($some < 0);
            kill("ALRM", $keeper), exit 1 if $some == 0;
            sysread($from, $bytes, $most) and return $bytes;
            exit 1 if $from == $from[0];
            take($from[0], 65536) while 1; # who is there sees, too, that a lane is gone
        }
        if ($left =~ /^-([1-9])/) {
            require Fcntl;
            for (1 .. $1) {
                sysopen my $pipe, "$pipes.$_", Fcntl::O_RDONLY() | Fcntl::O_NONBLOCK();
                push @from, $pipe;
            }
        }
        while (1) {
            if ($portions) {
                my $head = "";
                $head .= take($from[0], 4 - length $head) while length $head < 4;
                $left = unpack "N", $head;
                $lane = $left >> 24;
                $left &= 0xffffff;
            }
            last if $left == 0;
            while ($left > 0) {
                my $bytes = take($from[$lane], $left < 65536 ? $left : 65536);
                my $n = length $bytes;
                $left -= $n;
                for (my $at = 0; $at < $n;) {
                    $at += syswrite(STDOUT, $bytes, $n - $at, $at) // exit 1;
                }
            }
            last unless $portions;
        }' -- "$1" "$$" "$((6 * _foray_tick + 4))" "$_foray_root/$2"
}

# shellcheck disable=SC2120 # its words come from lines
_foray_request() {
    case $_foray_line in
    'run '*)
        _foray_settle
        eval "set -- ${_foray_line#run }"
        _foray_nonce=$1 _foray_steps=$((_foray_steps + 1))
        _foray_hand_over "$@" && return
        case $3 in *d) _foray_spare=1 ;; esac
        _foray_run "$@" &
        _foray_job=$!
        ;;
    'put '*)
        _foray_settle
        eval "set -- ${_foray_line#put }"
        _foray_job='' _foray_nonce='' _foray_steps=$((_foray_steps + 1))
        _foray_hold
        # All of them are read, whatever becomes of it.
        _foray_pass_on "$1" "$2" | {
            shift
            (
                _foray_nonce=$1 _foray_put=put _foray_adopts=''
                exec 3<&0 </dev/null
                _foray_run "$@"
            )
            exec cat >/dev/null
        }
        while IFS= read -r _foray_line; do
            [ "$_foray_line" = "go $2" ] || continue
            _foray_heard
            break
        done
        case $1 in -[1-9]) rm -f -- "$_foray_root/$2".* ;; esac
        ;;
    term) kill -s TERM "$_foray_job" ;;
    kill) kill -s USR1 "$_foray_job" ;;
    'clean '*)
        eval "set -- ${_foray_line#clean }"
        [ -z "$_foray_runner" ] || ! printf '%s\0' 1 "$1" >&5 || return
        rm -rf -- "$1" >/dev/null 4>&- &
        _foray_known="$_foray_known $!"
        ;;
    leave*) _foray_leaves=${_foray_line#leave} ;;
    remove)
        # shellcheck disable=SC2119 # its words come from a line
        _foray_remove_left </dev/null >/dev/null 4>&- 5>&- &
        _foray_known="$_foray_known $!"
        _foray_leaves=
        ;;
    load)
        _foray_load
        printf '\036%s load %s\n' "$_foray_id" "$_foray_l"
        ;;
    facts)
        _foray_facts 2>/dev/null &
        _foray_known="$_foray_known $!"
        ;;
    ping)
        _foray_heard
        _foray_tidy
        ;;
    hold) _foray_hold ;;
    esac
}

# Ends the job, and what it cannot end.
_foray_last_measures() {
    exec </dev/null >/dev/null 4>&-
    trap 'kill "$_foray_pid"; wait "$_foray_pid"; exit' TERM
    kill -s ALRM "$_foray_job"
    _foray_pause 2
    kill -s USR1 "$_foray_job"
    _foray_pause 2
    kill -s KILL "$_foray_job"
}

# Several times, since who wrote them may still be at it, or be kept waiting by the disk.
# shellcheck disable=SC2120 # its words come from a line
_foray_remove_left() {
    eval "set -- $_foray_leaves"
    [ $# != 0 ] || return 0
    _foray_l=$1
    shift
    for _foray_round in 0 1 1 2; do
        [ $_foray_round = 0 ] || sleep $_foray_round
        for _foray_v in "$@"; do
            case $_foray_v in
            f*) rm -f -- "${_foray_v#f}"/.foray-"$_foray_l"????????.tmp ;;
            t*) find "${_foray_v#t}" -name ".foray-$_foray_l????????.tmp" ! -type d -exec rm -f -- {} + ;;
            d*) rm -rf -- "${_foray_v#d}" ;;
            esac
        done
    done
}

_foray_end() {
    trap '' ALRM
    _foray_dismiss
    if [ "$_foray_line" = end ]; then
        wait "$_foray_job"
    elif [ -n "$_foray_job" ]; then
        trap - TERM
        _foray_last_measures &
        trap '' TERM
        _foray_known="$_foray_known $!"
        wait "$_foray_job"
        # Of who runs plain steps `wait` knows nothing.
        while jobs && [ "$_foray_job" = "$_foray_runner" ] && kill -s 0 "$_foray_job"; do
            sleep 0.1 || sleep 1
        done >/dev/null
        kill -s TERM "$!"
    fi
    kill -s TERM "$_foray_watch"
    _foray_asked=1 _foray_mark=$_foray_id.
    [ -n "$_foray_spare" ] || _foray_sweep
    # shellcheck disable=SC2119
    _foray_remove_left
    cd / || exit
    [ -n "$_foray_keep" ] || rm -rf -- "$_foray_root"
    # What nobody could find may hold our output open.
    printf '\036%s bye\n' "$_foray_id"
    exit 0
}

# --- the start ---

# Says that no step can be started here, and why.
_foray_give_up() {
    printf '\036%s no %s\n' "$_foray_id" "${1%%"$_foray_nl"*}"
    exit 1
}

_foray_is_able() { command -v mkdir && command -v rm && command -v sleep; } >/dev/null 2>&1

# Who logs in without a terminal may have been given a strange PATH, or none.
if ! _foray_is_able; then
    export PATH="${PATH:+$PATH:}/usr/local/bin:/usr/bin:/bin"
    _foray_dismiss # who does not know of it
    _foray_runner=
    _foray_is_able || _foray_give_up 'it has no mkdir, rm or sleep in its PATH'
fi
_foray_setsid=$(command -v setsid || command -v perl)
_foray_cores=0 _foray_mem=0
if [ -n "$_foray_ask" ]; then
    _foray_cores=$({ getconf _NPROCESSORS_ONLN || nproc || sysctl -n hw.ncpu || echo 1; } 2>/dev/null)
    if ! read -r _foray_rest _foray_mem _foray_l 2>/dev/null </proc/meminfo; then
        _foray_mem=$({ sysctl -n hw.memsize || sysctl -n hw.physmem || echo 0; } 2>/dev/null)
        _foray_mem=$((_foray_mem / 1024))
    fi
fi
exec 4>&2 2>/dev/null

# One byte must fit into it, too. The first directory for a step is made with it.
_foray_why=
for _foray_v in "${TMPDIR:-/tmp}/" /tmp/ /var/tmp/ "${HOME:-/tmp}/."; do
    _foray_root=${_foray_v}foray-$_foray_id
    if _foray_l=$(mkdir -m 700 -- "$_foray_root" "$_foray_root/0" 2>&1); then
        printf . >"$_foray_root/script" && break
        _foray_l="there is no room in ${_foray_v%/*}"
        rm -rf -- "$_foray_root"
    fi
    _foray_why=${_foray_why:-${_foray_l%%"$_foray_nl"*}}
    _foray_root=
done
[ -n "$_foray_root" ] || _foray_give_up "it has no place for a scratch directory: $_foray_why; TMPDIR there can name one"

trap _foray_end ALRM
_foray_heard
_foray_load
printf '\036%s ready %s %s %s %s %s\n' "$_foray_id" "$_foray_cores" "$_foray_mem" "$_foray_l" "$_foray_perl" "$_foray_root"
while IFS= read -r _foray_line; do
    [ "$_foray_line" != end ] || break
    # shellcheck disable=SC2119
    _foray_request
done
_foray_end
