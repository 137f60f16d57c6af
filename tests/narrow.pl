#!/usr/bin/perl
# A narrow way to a host, for ProxyCommand: so many bytes a second each way, and all that went there is counted.
#   narrow.pl BYTES ADDRESS PORT COUNT      COUNT: a file that takes a line for each connection, when it ends
use strict;
use warnings;
use IO::Socket::INET;
use Time::HiRes qw(time sleep);

my ($pace, $address, $port, $file) = @ARGV;
my $socket = IO::Socket::INET->new(PeerAddr => $address, PeerPort => $port) or die "narrow: $!\n";
my @ways = ([\*STDIN, $socket, 0, 0], [$socket, \*STDOUT, 0, 0]);    # from, to, bytes, the time until which there is no room
$SIG{PIPE} = 'IGNORE';
$SIG{TERM} = $SIG{HUP} = sub { done() };

sub done {
    open my $f, '>>', $file or die;
    print $f join(' ', map { $_->[2] } @ways), "\n";
    exit;
}

while (1) {
    my ($now, $wait, $ready) = (time, 60, '');
    for my $w (@ways) {
        if ($w->[3] > $now) { $wait = $w->[3] - $now if $w->[3] - $now < $wait }
        else { vec($ready, fileno $w->[0], 1) = 1 }
    }
    select $ready, undef, undef, $wait;
    for my $w (@ways) {
        next unless vec $ready, fileno $w->[0], 1;
        my $n = sysread $w->[0], my $bytes, 16384;
        done() unless $n;
        for (my $at = 0; $at < $n;) { $at += syswrite($w->[1], $bytes, $n - $at, $at) || done() }
        $w->[2] += $n;
        $now = time;
        $w->[3] = ($w->[3] > $now - 0.01 ? $w->[3] : $now) + $n / $pace;
    }
}
