# SPDX-License-Identifier: Apache-2.0
package RProxy::H2;

# The least of an HTTP/2 client that can send what a decent one never would: any bytes as a field.
# Cleartext with prior knowledge (RFC 9113 3.3), one stream a connection, fields as literals (RFC
# 7541 6.2.2).

use strict;
use warnings;
use RProxy::Client;

my %type = (DATA => 0, HEADERS => 1, RST_STREAM => 3, SETTINGS => 4, PING => 6, GOAWAY => 7);

sub new {
    my ($class, $server, %opt) = @_;
    my $client = RProxy::Client->new($server, %opt);
    my $self   = bless {client => $client}, $class;
    $client->send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" . _frame('SETTINGS', 0, 0, ''));
    return $self;
}

sub _frame {
    my ($name, $flags, $stream, $payload) = @_;
    my $length = length $payload;
    return pack('CnCCN', $length >> 16, $length & 0xffff, $type{$name}, $flags, $stream) . $payload;
}

# An integer behind a prefix of 7 bits (RFC 7541 5.1).
sub _integer {
    my ($n) = @_;
    return chr $n if $n < 127;
    my $out = chr 127;
    for ($n -= 127; $n >= 128; $n >>= 7) { $out .= chr($n & 127 | 128) }
    return $out . chr $n;
}

# Send a request: fields as [name, value, ...], pseudo-fields among them; body undef for none.
sub request {
    my ($self, $fields, $body) = @_;
    my @fields = @$fields;
    my $block  = '';
    while (@fields) {
        my ($name, $value) = splice @fields, 0, 2;
        $block .= "\0" . _integer(length $name) . $name . _integer(length $value) . $value;
    }
    my $flags = 4 | (defined $body ? 0 : 1);
    my $bytes = _frame('HEADERS', $flags, 1, $block);
    $bytes .= _frame('DATA', 1, 1, $body) if defined $body;
    return $self->{client}->send($bytes);
}

# Give the stream up (CANCEL).
sub reset { my ($self) = @_; return $self->{client}->send(_frame('RST_STREAM', 0, 1, pack 'N', 8)) }

# Wait for the end of the stream: 'answered', 'reset', 'goaway' or 'closed'; the body's bytes.
sub finish {
    my ($self) = @_;
    my $client = $self->{client};
    my $body   = '';
    while (1) {
        my $head = $client->read_exact(9);
        return ('closed', $body) if length $head < 9;
        my ($high, $low, $kind, $flags, $stream) = unpack 'CnCCN', $head;
        my $payload = $client->read_exact($high << 16 | $low);
        $client->send(_frame('SETTINGS', 1, 0, '')) if $kind == $type{SETTINGS} && !($flags & 1);
        return ('goaway', $body) if $kind == $type{GOAWAY};
        next unless $stream == 1;
        return ('reset', $body) if $kind == $type{RST_STREAM};
        $body .= $payload if $kind == $type{DATA};
        return ('answered', $body) if $flags & 1 && ($kind == $type{DATA} || $kind == $type{HEADERS});
    }
}

1;
