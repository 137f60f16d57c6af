# The far end of a lane (put.h): passes on to a named pipe what comes on standard input, once somebody reads that pipe, and
# says so first. Without anybody who reads it it would be in nobody's way, but for ever.
use Fcntl;
for (1 .. 250) {
    $joined = sysopen PIPE, $ARGV[0], O_WRONLY | O_NONBLOCK and last;
    select undef, undef, undef, 0.02;
}
$joined && fcntl PIPE, F_SETFL, 0 or exit 1;
syswrite STDOUT, "\036$ARGV[0]\n";
while (sysread STDIN, $bytes, 65536) {
    for ($at = 0; $at < length $bytes;) {
        $at += syswrite(PIPE, $bytes, length($bytes) - $at, $at) // exit 1;
    }
}
