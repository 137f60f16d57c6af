# What a slot's shell runs first: it becomes keeper.sh, whose text is in _foray_text. Where Linux and perl are there, it
# is made one that adopts the orphans among its descendants: whatever a step does to get away from its parents, session
# and process group, it is a child of the keeper then. There is no other way to do that from plain sh. That perl works is
# tried first, where no other slot has done so (_foray_sure).
# shellcheck shell=sh disable=SC2154 # that comes from outside
_foray_adopts=
if { [ -r "/proc/$$/task/$$/children" ] && command -v perl && { [ -n "$_foray_sure" ] || perl -e 1; }; } </dev/null >/dev/null 2>&1; then
    export _foray_text
    # PR_SET_CHILD_SUBREAPER is 36. The number of prctl itself is the machine's, which the header of a program names.
    # shellcheck disable=SC2016 # perl's own variables
    exec perl -e '
        open F, "<", "/proc/$$/exe"; read F, $_, 20;
        ($bits, $machine) = unpack "x4 C x13 S", $_;
        $prctl = {3, 172, 20, 171, 21, 171, 22, 172, 40, 172, 62, 157, 183, 167, 243, 167, 258, 167}->{$machine};
        $ENV{_foray_adopts} = 1
            if $prctl && ($bits == 2 || $machine != 62) && syscall($prctl, 36, 1, 0, 0, 0) == 0;
        exec "/bin/sh", "-c", q(eval "$_foray_text");
    '
fi
eval "$_foray_text"
