# What gives many files packs them when it is told to. It passes a stream on as portions, each with its length before it in
# four bytes; from the first TERM on, or at once if it is called with 1, there are four zeros instead, and all the rest as
# gzip makes it smaller. Called with -, it never packs: there is no gzip.
$packs = $ARGV[0] eq 1;
$SIG{TERM} = $ARGV[0] eq "-" ? "IGNORE" : sub {$packs = 1};

sub pass_on {
    for (my $at = 0; $at < length $_[0];) {
        my $n = syswrite STDOUT, $_[0], length($_[0]) - $at, $at;
        defined $n || $! == 4 or exit 1; # EINTR
        $at += $n;
    }
}

until ($packs) {
    my $n = sysread STDIN, $bytes, 65536;
    next if !defined $n && $! == 4;
    exit !defined $n if !$n;
    pass_on(pack("N", $n) . $bytes);
}
pass_on("\0\0\0\0");
exec "gzip", "-c";
exit 1;
