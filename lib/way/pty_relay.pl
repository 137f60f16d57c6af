# The far end of pty_relay.h, which says what comes on standard input. It makes a terminal, says that it has, and gives it
# to who waits for one as what lies on the table of keeper.sh does: by its name, until that is done with it. The numbers
# are those of TIOCSPTLCK, TIOCGPTN and TIOCSWINSZ.
use Fcntl;
($root, $columns, $rows, $modes) = @ARGV;
open HOLD, "<", "$root/hold" and open TTY, "+<", "$root/tty" or exit 1;
sysopen MASTER, "/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK
    and ioctl MASTER, 0x40045431, $number = pack "i", 0
    and ioctl MASTER, 0x80045430, $number
    and sysopen TERMINAL, $name = "/dev/pts/" . unpack("i", $number), O_RDWR | O_NOCTTY
    or exit 1;
if (defined($child = fork) && $child == 0) {
    open STDIN, "<&TERMINAL";
    open STDERR, ">", "/dev/null";
    exec "stty", $modes;
    exit;
}
wait;
resize($columns, $rows);
syswrite STDOUT, "\036";
syswrite TTY, "$name\n";

sub resize {
    ioctl MASTER, 0x5414, my $size = pack "S4", @_[1, 0], 0, 0;
}

sub show {
    sysread MASTER, my $bytes, 16384 or return 0;
    for (my $at = 0; $at < length $bytes;) {
        $at += syswrite(STDOUT, $bytes, length($bytes) - $at, $at) // exit;
    }
    return 1;
}

# Sizes take effect, and keys are added to those that are to be typed.
sub take {
    sysread STDIN, $came, 4096, length $came or exit;
    while (length $came) {
        my $n = ord $came || 4;
        last if length $came <= $n;
        my $what = substr $came, 1, $n;
        ord $came ? $keys .= $what : resize(unpack "n2", $what);
        substr $came, 0, 1 + $n, "";
    }
}

($came, $keys) = ("", "");
for (;;) {
    my ($in, $out) = ("", "");
    vec($in, fileno $_, 1) = 1 for *MASTER, *HOLD;
    vec($in, fileno STDIN, 1) = 1 if length $keys < 4096;
    vec($out, fileno MASTER, 1) = length $keys ? 1 : 0;
    next if select($in, $out, undef, undef) <= 0;
    if (vec $in, fileno MASTER, 1) {
        show();
    } elsif (vec $in, fileno HOLD, 1) {
        last;
    }
    take() if vec $in, fileno STDIN, 1;
    if (vec $out, fileno MASTER, 1) {
        my $n = syswrite MASTER, $keys, 256;
        substr $keys, 0, $n || 0, "";
    }
}
# The rest of what was written there comes before the end; but somebody may still have it open.
close TERMINAL;
do {
    vec($in = "", fileno MASTER, 1) = 1;
} while select($in, undef, undef, 0.5) > 0 && show();
