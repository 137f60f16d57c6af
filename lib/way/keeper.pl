# What a slot's shell becomes first where Linux and perl are there, and then keeper.sh (in _foray_text). It makes itself one
# that adopts the orphans among its descendants: whatever a step does to get away from its parents, session and process
# group, it is a child of the keeper then. There is no other way to do that from plain sh.
#
# It leaves a child that runs the plain steps: with one fork and one program for each, where sh needs two and two, since
# only here a process can be given a group of its own. It keeps to what _foray_run of keeper.sh does, in the same signals
# and the same lines. It is told by requests: a count of words and so many words, with a zero after each:
#
#   KNOWN NONCE ID ROOT WHERE SCRIPT [NAME=VALUE]...   runs a step; KNOWN: children of the keeper that are not the step's
#   DIRECTORY                                          removes a scratch directory: for few files no process is needed
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
    exit 143 if $is_step;
    $asked = 1;
    kill "CONT", -$pid if $pid && kill $_[0], -$pid;
}

sub is_empty {
    opendir D, $_[0] or return !-e $_[0];
    my $n = () = readdir D;
    closedir D;
    return $n == 2;
}

# Removes a directory, if that does not take long: up to $room, of which each file takes its size and a bit.
sub clear {
    my ($dir, $name) = @_;
    !-l $dir && opendir my $d, $dir or return 0;
    while (defined($name = readdir $d)) {
        next if $name =~ /^\.\.?\z/;
        $name = "$dir/$name";
        lstat $name;
        $room -= 1e6 + -s _;
        return 0 if $room < 0;
        -d _ ? clear($name) : unlink $name or return 0;
    }
    return rmdir $dir;
}

# No step waits for what takes long.
sub remove {
    $room = 1e8;
    return if clear(@_);
    my $rm = fork;
    if (defined $rm && $rm == 0) {
        open STDOUT, ">", "/dev/null";
        open STDERR, ">", "/dev/null";
        exec "rm", "-rf", "--", @_;
        exit 127;
    }
    $removing++ if defined $rm;
}

# The step's process, in $pid; undef: there can be none. It does as little as it can before it is another program, since
# what it or we touch until then is copied first.
sub start {
    my ($where, $script, %variables) = @_;
    local @ENV{keys %variables} = values %variables;
    $pid = fork;
    if (defined $pid && $pid == 0) {
        $is_step = 1;
        setpgrp;
        if (chdir $where) {
            exec "/bin/sh", "-e", "-c", $script;
            exit 127;
        }
        syswrite STDERR, "cannot go to $where: $!\n";
        exit 1;
    }
    return $pid;
}

# What it says of the end; undef: the step could not be started, or has been cut off, and $refusal says why.
sub run {
    my ($id, $root, $where, $script, @variables) = @_;
    my $scratch = index($where, "$root/") == 0;
    if ($scratch && !-d $where && !mkdir $where, 0700) {
        $refusal = "cannot make $where: $!";
        return;
    }
    if (!defined start($where, $script, map {split /=/, $_, 2} @variables, "FORAY_STEP_ID=$id")) {
        $refusal = "cannot start a process: $!";
        return;
    }
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

# The words of the next request.
sub request {
    for (;;) {
        my @words = split /\0/, $held, -1;
        if (@words > 1 && @words > $words[0] + 1) {
            $held = join "\0", splice @words, $words[0] + 1;
            shift @words;
            return @words;
        }
        my $n = sysread REQUESTS, $held, 65536, length $held;
        exit if defined $n ? $n == 0 : $! != 4; # EINTR
    }
}

sub serve {
    $0 = "foray: runs steps";
    delete @ENV{grep /^_foray_/, keys %ENV};
    $SIG{$_} = "IGNORE" for "INT", "QUIT";
    $SIG{$_} = sub {} for "HUP", "PIPE", "USR2"; # which a step shall not ignore
    $SIG{CHLD} = "DEFAULT";
    $SIG{TERM} = sub {signal("TERM")};
    $SIG{USR1} = sub {$hard = 1; signal("KILL")};
    $SIG{ALRM} = sub {$cut = 1; signal("TERM")};
    ($held, $removing) = ("", 0);
    while (my @words = request()) {
        $removing-- while $removing && waitpid(-1, 1) > 0; # WNOHANG
        if (@words == 1) {
            remove(@words);
            next;
        }
        ($known, $nonce) = splice @words, 0, 2;
        $known .= " $$";
        $asked = $pid = 0;
        $hard = $cut = $refusal = "";
        syswrite STDOUT, "\036$nonce+\n";
        syswrite STDERR, "\036$nonce+\n";
        my $end = run(@words);
        syswrite STDERR, "\036$nonce.\n";
        syswrite STDOUT, "\036$nonce " . ($refusal eq "" ? $end : "- $refusal") . "\n";
    }
    waitpid -1, 0 while $removing-- > 0; # an orphan would be taken for something a step has left
}

$| = 1;
if (adopt()) {
    $^F = 9;
    $ENV{_foray_adopts} = 1;
    if (pipe(R, W) && fileno(W) < 10 && defined($pid = fork)) {
        if ($pid == 0) {
            $^F = 2;
            open REQUESTS, "<&R";
            open STDIN, "<", "/dev/null";
            close R;
            close W;
            serve();
            exit;
        }
        close R;
        $ENV{_foray_adopts} = "1 $pid " . fileno W;
    }
}
exec "/bin/sh", "-c", "eval \"\$_foray_text\"";
