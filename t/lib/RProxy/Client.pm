# SPDX-License-Identifier: Apache-2.0
package RProxy::Client;

# A client that sends exactly what it is told to and sees exactly what comes back. Every read has a
# deadline and dies past it.

use strict;
use warnings;
use Carp qw(croak);
use Exporter 'import';
use Socket qw(IPPROTO_TCP TCP_NODELAY SOL_SOCKET SO_LINGER);
use IO::Socket::INET ();
use JSON::PP ();
use RProxy::Env qw(seconds now);
use RProxy::Response;

our @EXPORT_OK = qw(api get post);

# new($server or port, timeout => seconds, tls => {SSL_... options}, host => Host header)
sub new {
    my ($class, $to, %opt) = @_;
    my $port   = ref $to ? $to->port($opt{port}) : $to;
    my $socket = IO::Socket::INET->new(
        PeerAddr => $opt{addr} // '127.0.0.1',
        PeerPort => $port,
        Timeout  => seconds(10)
    ) or croak "connect to port $port: $!";
    setsockopt $socket, IPPROTO_TCP, TCP_NODELAY, 1;
    my $self = bless {
        socket  => $socket,
        in      => '',
        timeout => $opt{timeout} // 15,
        host    => $opt{host}    // "localhost:$port"
    }, $class;
    $self->_tls($opt{tls}) if $opt{tls};
    return $self;
}

sub _tls {
    my ($self, $opt) = @_;
    require IO::Socket::SSL;
    $self->{tls} = 1;
    IO::Socket::SSL->start_SSL($self->{socket}, SSL_verify_mode => 0, ref $opt ? %$opt : ())
        or croak "TLS: $IO::Socket::SSL::SSL_ERROR";
    return;
}

sub socket { return $_[0]{socket} }
sub local_port { return $_[0]{socket}->sockport }

# Send all bytes; false when the other side does not take them any more.
sub send {
    my ($self, $bytes) = @_;
    local $SIG{PIPE} = 'IGNORE';
    my $end = now() + seconds($self->{timeout});
    while (length $bytes) {
        vec(my $want = '', fileno $self->{socket}, 1) = 1;
        my $left = $end - now();
        croak 'timeout while sending' if $left <= 0 || !select undef, $want, undef, $left;
        my $put = syswrite $self->{socket}, $bytes, 65536;
        return 0 unless $put;
        substr $bytes, 0, $put, '';
    }
    return 1;
}

# More bytes into the buffer: 1, or 0 at the end of the stream (a reset sets {reset}). $limit:
# seconds, undef for the default; undef is returned when they pass.
sub _fill {
    my ($self, $limit) = @_;
    my $socket = $self->{socket};
    if (!$self->{tls} || !$socket->pending) {
        vec(my $want = '', fileno $socket, 1) = 1;
        return unless select $want, undef, undef, seconds($limit // $self->{timeout});
    }
    my $got = sysread $socket, $self->{in}, 65536, length $self->{in};
    return 1 if $got;
    $self->{reset} = 1 if !defined $got;
    return 0;
}

sub _need {
    my ($self) = @_;
    my $more = $self->_fill;
    croak "timeout while reading; so far: " . substr $self->{in}, 0, 300 unless defined $more;
    return $more;
}

# Exactly n bytes (fewer at the end of the stream).
sub read_exact {
    my ($self, $n) = @_;
    while (length $self->{in} < $n) { last unless $self->_need }
    return substr $self->{in}, 0, $n, '';
}

# Up to and with what matches; undef at the end of the stream before that.
sub read_until {
    my ($self, $pattern) = @_;
    while (1) {
        return substr $self->{in}, 0, $+[0], '' if $self->{in} =~ $pattern;
        return unless $self->_need;
    }
}

# All to the end of the stream.
sub read_rest {
    my ($self) = @_;
    1 while $self->_need;
    return substr $self->{in}, 0, length $self->{in}, '';
}

# Is it silent for so many seconds? (Not scaled: waiting longer proves no more, and time-outs would pass.)
sub silent {
    my ($self, $limit) = @_;
    return 0 if length $self->{in} || ($self->{tls} && $self->{socket}->pending);
    vec(my $want = '', fileno $self->{socket}, 1) = 1;
    return !select $want, undef, undef, $limit;
}

# Does anything (or the end) come within so many seconds?
sub readable {
    my ($self, $limit) = @_;
    return 1 if length $self->{in};
    my $more = $self->_fill($limit);
    return defined $more;
}

# Did the server close without another byte?
sub at_end {
    my ($self) = @_;
    return 0 if length $self->{in};
    return !$self->_need;
}

sub half_close { my ($self) = @_; return shutdown $self->{socket}, 1 }
sub close { my ($self) = @_; return close delete $self->{socket} }

# Close by a reset.
sub abort {
    my ($self) = @_;
    setsockopt $self->{socket}, SOL_SOCKET, SO_LINGER, pack 'll', 1, 0;
    return CORE::close delete $self->{socket};
}

# The bytes of a request. Options: headers => [name, value, ...], body => bytes, chunks => [bytes,
# ...], version => '1.0', host => value or undef for none, id => X-Test-Id, close => 1.
sub format_request {
    my ($self, $method, $target, %opt) = @_;
    my @headers = @{$opt{headers} || []};
    my $host    = exists $opt{host} ? $opt{host} : $self->{host};
    my $head    = "$method $target HTTP/" . ($opt{version} // '1.1') . "\r\n";
    $head .= "Host: $host\r\n"                            if defined $host;
    $head .= "X-Test-Id: $opt{id}\r\n"                    if defined $opt{id};
    $head .= "Connection: close\r\n"                      if $opt{close};
    $head .= "Content-Length: " . length($opt{body}) . "\r\n" if defined $opt{body};
    $head .= "Transfer-Encoding: chunked\r\n"             if $opt{chunks};
    while (@headers) {
        my ($name, $value) = splice @headers, 0, 2;
        $head .= "$name: $value\r\n";
    }
    my $body = $opt{body} // '';
    if ($opt{chunks}) {
        $body = join '', map { sprintf "%x\r\n%s\r\n", length $_, $_ } @{$opt{chunks}};
        $body .= "0\r\n\r\n";
    }
    return "$head\r\n$body";
}

# Send a request; see format_request.
sub request {
    my ($self, $method, $target, %opt) = @_;
    $self->{method} = $method;
    return $self->send($self->format_request($method, $target, %opt));
}

sub _head {
    my ($self) = @_;
    my $head = $self->read_until(qr/\r\n\r\n/);
    if (!defined $head) {
        my $error = 'closed before the head';
        return RProxy::Response->new(status => 0, error => $error, body => $self->{in});
    }
    return RProxy::Response->parse($head) // croak "no HTTP head: $head";
}

sub _no_body {
    my ($response, $method) = @_;
    return $method eq 'HEAD' || $response->status =~ /^(?:1\d\d|204|304)$/;
}

sub _chunked {
    my ($self, $response, $sink) = @_;
    while (1) {
        my $line = $self->read_until(qr/\r\n/) // return 'closed in a chunk line';
        my ($hex) = $line =~ /^([0-9a-fA-F]+)\s*(?:;.*)?\r\n$/ or return "bad chunk line: $line";
        my $n = hex $hex;
        last if $n == 0;
        while ($n) {
            my $data = $self->read_exact($n > 65536 ? 65536 : $n);
            return 'closed in a chunk' unless length $data;
            $n -= length $data;
            $sink->($data);
        }
        return 'no line end after a chunk' unless $self->read_exact(2) eq "\r\n";
    }
    while (1) {
        my $line = $self->read_until(qr/\r\n/) // return 'closed in the trailers';
        last if $line eq "\r\n";
        my $field = $line =~ /^([^:]*):\s*(.*?)\s*\r\n$/ ? [$1, $2] : ["\0bad", $line];
        push @{$response->{trailers}}, $field;
    }
    return;
}

sub _counted {
    my ($self, $left, $sink) = @_;
    while ($left) {
        my $data = $self->read_exact($left > 65536 ? 65536 : $left);
        return 'closed before the end of Content-Length' unless length $data;
        $left -= length $data;
        $sink->($data);
    }
    return;
}

sub _until_close {
    my ($self, $sink) = @_;
    while (1) {
        $sink->(substr $self->{in}, 0, length $self->{in}, '') if length $self->{in};
        last unless $self->_need;
    }
    return $self->{reset} ? 'reset' : undef;
}

# The next final response (its interim ones inside). Options: method (that of the last request),
# sink => code that gets the body's pieces instead of {body}.
sub response {
    my ($self, %opt) = @_;
    my $response = $self->response_head;
    my @interim;
    while ($response->status =~ /^1\d\d$/ && $response->status != 101) {
        push @interim, $response;
        $response = $self->response_head;
    }
    $response->{interim} = \@interim;
    return $response if $response->{error};
    return $self->response_body($response, %opt);
}

# Only a head, interim or final.
sub response_head { my ($self) = @_; return $self->_head }

# The body that belongs to a head.
sub response_body {
    my ($self, $response, %opt) = @_;
    my $sink   = $opt{sink} || sub { $response->{body} .= $_[0] };
    my $length = $response->header('Content-Length');
    if (_no_body($response, $opt{method} // $self->{method} // 'GET')) {
        $response->{framing} = 'none';
    }
    elsif (defined $response->header('Transfer-Encoding')) {
        $response->{framing} = 'chunked';
        $response->{error}   = $self->_chunked($response, $sink);
    }
    elsif (defined $length) {
        $response->{framing} = 'length';
        $response->{error}   = $self->_counted($length, $sink);
    }
    else {
        $response->{framing} = 'close';
        $response->{error}   = $self->_until_close($sink);
    }
    $response->{complete} = $response->{error} ? 0 : 1;
    return $response;
}

# One request on a connection of its own: request($server, METHOD, target, options of new and
# format_request).
sub one {
    my ($class, $server, $method, $target, %opt) = @_;
    my $client = $class->new($server, %opt);
    $client->request($method, $target, close => 1, %opt);
    return $client->response;
}

# get($server, target, options), post($server, target, body, options)
sub get {
    my ($server, $target, %opt) = @_;
    return __PACKAGE__->one($server, 'GET', $target, %opt);
}

sub post {
    my ($server, $target, $body, %opt) = @_;
    return __PACKAGE__->one($server, 'POST', $target, body => $body, %opt);
}

# api($server, METHOD, path below /rproxy/v1, body as a structure or undef): what the JSON API of __API__ answers, or {error => text}
sub api {
    my ($server, $method, $path, $body) = @_;
    my $r = __PACKAGE__->one($server, $method, "/rproxy/v1$path", (defined $body ? (body => JSON::PP->new->canonical->encode($body)) : ()),
        headers => ['Content-Type' => 'application/json', 'X-RProxy-API' => 1]);
    return eval { JSON::PP->new->decode($r->body) } // {error => $r->body};
}

1;
