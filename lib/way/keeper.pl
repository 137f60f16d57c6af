# What a slot's shell becomes first where Linux and perl are there, and then keeper.sh (in _foray_text). It makes itself one
# that adopts the orphans among its descendants: whatever a step does to get away from its parents, session and process
# group, it is a child of the keeper then. There is no other way to do that from plain sh.
#
# It leaves a child that runs the plain steps: with one fork and one program for each, where sh needs two and two, since
# only here a process can be given a group of its own. It keeps to what _foray_run of keeper.sh does, in the same signals
# and the same lines, and is told by one request for each step: a count of words and so many words, with a zero after each:
#
#   KNOWN NONCE ID ROOT WHERE SCRIPT [NAME=VALUE]...   KNOWN: children of the keeper that are not the step's
#   none                                               nothing more comes
$keeper = $$;

sub adopt {
    # PR_SET_CHILD_SUBREAPER is 36. The number of prctl itself is the machine's, which the header of a program names.
    open F, "<", "/proc/$$/exe";
    read F, $_, 20;
    close F;
    my ($bits, $machine) = unpack "x4 C x13 S", $_;
    my $prctl = {3, 172, 20, 171, 21, 171, 22, 172, 40, 172, 62, 157, 183, 167, 243, 167, 258, 167}->{$machine};
    return $prctl && ($bits == 2 || $machine != 62) && syscall($prctl, 36, 1, 0, 0, 0) == 0;
}

sub first_line {
    local $_;
    open F, "<", $_[0] or return "";
    $_ = <F>;
    close F;
    return $_;
}

# What there is of the step; what has ended stays a child of the keeper until that waits for it. When all is over the keeper
# has children to wait with, which are in its group; it looks once more itself.
sub look {
    my %known = map {($_, 1)} split " ", $known;
    return grep {!$known{$_} && first_line("/proc/$_/stat") =~ /.*\) [^ZX] \d+ (\d+)/s && !($cut && $1 == getpgrp)}
        split " ", first_line("/proc/$keeper/task/$keeper/children");
}

# It gets a moment to end by itself, if nobody has asked it to, then TERM, then KILL.
sub sweep {
    my @left;
    for (my $round = $asked; $round < 15 && (@left = look()); $round++) {
        my @all = map {(-$_, $_)} @left;
        if ($hard || $round > 1) {
            kill "KILL", @all;
        } elsif ($round == 1) {
            kill "TERM", @all;
            kill "CONT", @all;
        }
        select undef, undef, undef, 0.2;
    }
}

sub signal {
    $asked = 1;
    kill "CONT", -$pid if $pid && kill $_[0], -$pid;
}

sub become_step {
    my ($id, $where, $script, @variables) = @_;
    setpgrp;
    $SIG{$_} = "DEFAULT" for "HUP", "PIPE", "TERM", "USR1", "USR2", "ALRM";
    open STDIN, "<", "/dev/null";
    if (!chdir $where) {
        syswrite STDERR, "cannot go to $where: $!\n";
        exit 1;
    }
    for (@variables, "FORAY_STEP_ID=$id") {
        my ($name, $value) = split /=/, $_, 2;
        $ENV{$name} = $value;
    }
    exec "/bin/sh", "-e", "-c", $script;
    exit 127;
}

sub is_empty {
    opendir D, $_[0] or return !-e $_[0];
    my $n = () = readdir D;
    closedir D;
    return $n == 2;
}

# What it says of the end; undef: the step could not be started, or has been cut off, and $refusal says why.
sub run {
    my ($id, $root, $where, $script, @variables) = @_;
    my $scratch = index($where, "$root/") == 0;
    if ($scratch && !-d $where && !mkdir $where, 0700) {
        $refusal = "cannot make $where: $!";
        return;
    }
    $pid = fork;
    if (!defined $pid) {
        $refusal = "cannot start a process: $!";
        return;
    }
    become_step($id, $where, $script, @variables) if $pid == 0;
    setpgrp $pid, $pid;
    signal($hard ? "KILL" : "TERM") if $asked;
    waitpid $pid, 0;
    my $status = $? & 127 ? 128 + ($? & 127) : $? >> 8;
    $pid = 0;
    sweep();
    $refusal = "nothing was heard of us there for a while, and it was ended" if $cut;
    my ($load) = split " ", first_line("/proc/loadavg");
    return "$status " . ($scratch && is_empty($where) ? "e" : "-") . " " . ($load || "-");
}

sub serve {
    my ($held, @words);
    $0 = "foray: runs steps";
    delete @ENV{grep /^_foray_/, keys %ENV};
    $SIG{$_} = "IGNORE" for "HUP", "INT", "QUIT", "PIPE", "USR2";
    $SIG{CHLD} = "DEFAULT";
    $SIG{TERM} = sub {signal("TERM")};
    $SIG{USR1} = sub {$hard = 1; signal("KILL")};
    $SIG{ALRM} = sub {$cut = 1; signal("TERM")};
    for (;;) {
        do {
            my $n = sysread STDIN, $held, 65536, length $held;
            exit if defined $n ? $n == 0 : $! != 4; # EINTR
            @words = split /\0/, $held, -1;
        } until @words > 1 && @words > $words[0] + 1;
        exit if $words[0] == 0;
        (undef, $known, $nonce) = @words;
        $held = "";
        $known .= " $$";
        $asked = $pid = 0;
        $hard = $cut = $refusal = "";
        syswrite STDOUT, "\036$nonce+\n";
        syswrite STDERR, "\036$nonce+\n";
        pop @words;
        my $end = run(@words[3 .. $#words]);
        syswrite STDERR, "\036$nonce.\n";
        syswrite STDOUT, "\036$nonce " . ($refusal eq "" ? $end : "- $refusal") . "\n";
    }
}

$| = 1;
if (adopt()) {
    $^F = 9;
    $ENV{_foray_adopts} = 1;
    if (pipe(R, W) && fileno(W) < 10 && defined($pid = fork)) {
        if ($pid == 0) {
            open STDIN, "<&R";
            close R;
            close W;
            $^F = 2;
            serve();
        }
        close R;
        $ENV{_foray_adopts} = "1 $pid " . fileno W;
    }
}
exec "/bin/sh", "-c", "eval \"\$_foray_text\"";
