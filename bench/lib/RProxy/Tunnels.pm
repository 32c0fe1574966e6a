# SPDX-License-Identifier: Apache-2.0
package RProxy::Tunnels;

# Many WebSockets at once: opened one after the other, left alone, and at the end each asked to echo.

use strict;
use warnings;
use IO::Socket::INET;
use Socket qw(SOL_SOCKET SO_RCVTIMEO);

my $hello = join "\r\n", 'GET /ws/echo HTTP/1.1', 'Host: 127.0.0.1', 'Upgrade: websocket', 'Connection: Upgrade',
    'Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==', '', '';

# Seconds of patience: a proxy that has no thread left for a tunnel does not answer.
sub new {
    my ($class, $port, $patience) = @_;
    return bless {port => $port, patience => $patience, open => []}, $class;
}

# Everything up to the end of the head; undef when it does not come.
sub answer {
    my ($socket) = @_;
    my $head = '';
    while ($head !~ /\r\n\r\n\z/) {
        my $n = sysread $socket, $head, 1, length $head; # not a byte of the tunnel
        return undef if !$n;
    }
    return $head;
}

# Open up to $wanted; stops at the first that is not opened. Returns how many are open.
sub open_up_to {
    my ($self, $wanted) = @_;
    while (@{$self->{open}} < $wanted) {
        my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $self->{port}, Timeout => $self->{patience}) or last;
        setsockopt $s, SOL_SOCKET, SO_RCVTIMEO, pack 'l!l!', $self->{patience}, 0;
        syswrite $s, $hello;
        my $head = answer($s);
        last if !defined $head || $head !~ m{^HTTP/1\.1 101 };
        push @{$self->{open}}, $s;
    }
    return scalar @{$self->{open}};
}

# How many still echo.
sub echoing {
    my ($self) = @_;
    my $good = 0;
    for my $i (0 .. $#{$self->{open}}) {
        my $text = sprintf "\x81\x06%06d", $i; # a frame of six letters
        my $back = '';
        syswrite $self->{open}[$i], $text;
        while (length $back < length $text) {
            my $n = sysread $self->{open}[$i], $back, length($text) - length $back, length $back;
            last if !$n;
        }
        $good++ if $back eq $text;
    }
    return $good;
}

sub close_all { my ($self) = @_; close $_ for @{$self->{open}}; $self->{open} = []; return; }

1;
