#!/usr/bin/perl
# A narrow way to a host, for ProxyCommand: so many bytes a second each way, and all that went there is counted.
#   narrow.pl BYTES ADDRESS PORT COUNT [DELAY]   COUNT: a file that takes a line for each connection, when it ends
#                                                DELAY: seconds that all takes on its way; it is as far as that
use strict;
use warnings;
use IO::Socket::INET;
use Time::HiRes qw(time sleep);

my ($pace, $address, $port, $file, $delay) = (@ARGV, 0);
my $socket = IO::Socket::INET->new(PeerAddr => $address, PeerPort => $port) or die "narrow: $!\n";
# From, to, bytes, the time until which there is no room, and what is on its way: when it is there, and what it is.
my @ways = ([\*STDIN, $socket, 0, 0, []], [$socket, \*STDOUT, 0, 0, []]);
$SIG{PIPE} = 'IGNORE';
$SIG{TERM} = $SIG{HUP} = sub { done() };

sub done {
    open my $f, '>>', $file or die;
    print $f join(' ', map { $_->[2] } @ways), "\n";
    exit;
}

sub pass_on {
    my ($to, $bytes) = @_;
    for (my $at = 0; $at < length $bytes;) { $at += syswrite($to, $bytes, length($bytes) - $at, $at) || done() }
}

while (1) {
    my ($now, $wait, $ready) = (time, 60, '');
    for my $w (@ways) {
        pass_on($w->[1], (shift @{$w->[4]})->[1]) while @{$w->[4]} && $w->[4][0][0] <= $now;
        $wait = $w->[4][0][0] - $now if @{$w->[4]} && $w->[4][0][0] - $now < $wait;
        if ($w->[3] > $now) { $wait = $w->[3] - $now if $w->[3] - $now < $wait }
        else { vec($ready, fileno $w->[0], 1) = 1 }
    }
    select $ready, undef, undef, $wait;
    for my $w (@ways) {
        next unless vec $ready, fileno $w->[0], 1;
        my $n = sysread $w->[0], my $bytes, 16384;
        done() unless $n;
        $now = time;
        push @{$w->[4]}, [$now + $delay, $bytes];
        $w->[2] += $n;
        $w->[3] = ($w->[3] > $now - 0.01 ? $w->[3] : $now) + $n / $pace;
    }
}
