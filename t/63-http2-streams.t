# SPDX-License-Identifier: Apache-2.0
# Streams of HTTP/2 clients, frame by frame: bodies both ways, resets at every stage, early answers, tunnels by extended CONNECT.
use strict;
use warnings;
use Apache::Test qw(-withtestmore);
use IO::Socket::INET ();
use RProxy::Backend;
use RProxy::Client qw(get);
use RProxy::Env qw(needs now seconds);
use RProxy::Server;

plan tests => 30, need {needs(qw(rproxy http2 env))};

my $backend = RProxy::Backend->new;
my $url     = $backend->url;
my $s       = RProxy::Server->new(modules => [qw(env http2)], timeout => 6, threads => 30, config => <<"CONF");
Protocols h2c http/1.1
H2WebSockets on
H2MaxWorkers 30
ProxyPass /up $url/ws upgrade=websocket
ProxyPass / $url/
<Location /spool>
    SetEnv proxy-sendcl
</Location>
CONF

# Just enough of HTTP/2: literal header fields out, frames in. Data is acknowledged at once.
package H2 {
    use Socket qw(IPPROTO_TCP TCP_NODELAY);

    sub new {
        my ($class, $port) = @_;
        my $sock = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port) or die "connect: $!\n";
        setsockopt $sock, IPPROTO_TCP, TCP_NODELAY, 1;
        my $self = bless {sock => $sock, in => '', next => 1, window => 65535, streams => {}}, $class;
        syswrite $sock, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
        $self->frame(4, 0, 0, '');
        return $self;
    }
    sub frame {
        my ($self, $type, $flags, $id, $data) = @_;
        local $SIG{PIPE} = 'IGNORE';
        syswrite $self->{sock}, substr(pack('N', length $data), 1) . pack('CCN', $type, $flags, $id) . $data;
        return;
    }
    sub request {
        my ($self, $method, $path, %opt) = @_;
        my $id = $self->{next};
        $self->{next} += 2;
        $self->{streams}{$id} = {data => '', window => 65535};
        my @fields = (':method', $method, ':path', $path, ':scheme', 'http', ':authority', 'x', @{$opt{headers} || []});
        my $block = '';
        while (my ($name, $value) = splice @fields, 0, 2) {
            $block .= "\0" . pack('C/a* C/a*', $name, $value);
        }
        $self->frame(1, 4 | ($opt{open} ? 0 : 1), $id, $block);
        return $id;
    }
    # Send data as the windows allow.
    sub data {
        my ($self, $id, $data, $end) = @_;
        my $st = $self->{streams}{$id};
        do {
            my $n = length $data;
            for my $max (16384, $st->{window}, $self->{window}) { $n = $max if $n > $max }
            if ($n || !length $data) {
                $self->frame(0, $end && $n == length $data ? 1 : 0, $id, substr $data, 0, $n, '');
                $st->{window} -= $n;
                $self->{window} -= $n;
            }
            elsif (!$self->step(5)) { return 0 }
            return 0 if defined $st->{reset};
        } while (length $data);
        return 1;
    }
    sub reset_stream { my ($self, $id) = @_; return $self->frame(3, 0, $id, pack 'N', 8) }
    # One frame from the server; 0 at the end or when none comes.
    sub step {
        my ($self, $limit) = @_;
        my $end = RProxy::Env::now() + RProxy::Env::seconds($limit // 5);
        while (length $self->{in} < 9 || length $self->{in} < 9 + unpack 'N', "\0" . substr $self->{in}, 0, 3) {
            my $left = $end - RProxy::Env::now();
            vec(my $r = '', fileno $self->{sock}, 1) = 1;
            return 0 if $left <= 0 || !select $r, undef, undef, $left;
            return 0 unless sysread $self->{sock}, $self->{in}, 65536, length $self->{in};
        }
        my $n = unpack 'N', "\0" . substr $self->{in}, 0, 3;
        my ($type, $flags, $id) = unpack 'CCN', substr $self->{in}, 3, 6;
        my $data = substr substr($self->{in}, 0, 9 + $n, ''), 9;
        my $st = $self->{streams}{$id} //= {data => '', window => 65535};
        if ($type == 0) {
            $st->{data} .= $data;
            if ($n && !$st->{deaf}) { $self->frame(8, 0, $_, pack 'N', $n) for $id, 0 }
        }
        elsif ($type == 1) {
            my $first = unpack 'C', $data;    # 0x88 and up: :status out of the static table
            $st->{status} //= (200, 204, 206, 304, 400, 404, 500)[$first - 0x88] if $first >= 0x88;
            $st->{head} .= $data;
        }
        elsif ($type == 3) { $st->{reset} = unpack 'N', $data }
        elsif ($type == 4 && !($flags & 1)) { $self->frame(4, 1, 0, '') }
        elsif ($type == 8) { ($id ? $st->{window} : $self->{window}) += unpack 'N', $data }
        $st->{ended} = 1 if $type <= 1 && $flags & 1;
        return 1;
    }
    # Until this stream is as wanted.
    sub until_ {
        my ($self, $id, $code, $limit) = @_;
        my $end = RProxy::Env::now() + RProxy::Env::seconds($limit // 6);
        while (!$code->($self->{streams}{$id})) {
            $self->step(1);
            return 0 if RProxy::Env::now() > $end;
        }
        return 1;
    }
}

sub whole { return $_[0]{ended} }

my $c  = H2->new($s->port);
my $id = $c->request('GET', '/id/1');
ok $c->until_($id, \&whole), 'GET';
is $c->{streams}{$id}{data}, "id 1 -\n", 'its answer';

# bodies
for my $path (qw(/sink /spool/sink)) {
    my $size = 3_000_000;
    my $t = now();
    $id = $c->request('POST', $path, open => 1);
    ok $c->data($id, 'x' x $size, 1), "$path: a body without length goes up";
    ok $c->until_($id, \&whole), 'and is answered';
    is $backend->last_request->{bytes}, $size, 'whole';
    cmp_ok now() - $t, '<', 3, 'without waits';
}
like $backend->last_request->{head}, qr/^Content-Length: 3000000\r$/m, 'with a length where it was asked for';

# both ways in turn
$id = $c->request('POST', '/stream', open => 1);
$c->data($id, 'y' x 16384);
ok $c->until_($id, sub { length $_[0]{data} >= 16384 }), 'the answer begins while the body is open';
my $t = now();
for my $i (1 .. 20) {
    $c->data($id, "ping $i.");
    last unless $c->until_($id, sub { $_[0]{data} =~ /ping $i\./ });
}
like $c->{streams}{$id}{data}, qr/ping 20\.$/, 'piece by piece';
cmp_ok now() - $t, '<', 2, 'each at once';
$c->data($id, '', 1);
ok $c->until_($id, \&whole), 'and it ends with the body';

# an early answer arrives whole, the rest of the body is declined without an error
$id = $c->request('POST', '/early/413', open => 1);
$c->data($id, 'x' x 30000);
ok $c->until_($id, sub { defined $_[0]{reset} }), 'an early answer';
is $c->{streams}{$id}{data}, "early 413\n", 'is whole';
is $c->{streams}{$id}{reset}, 0, 'and the rest of the body is not wanted';

# a body that stops
$id = $c->request('POST', '/sink', open => 1);
$c->data($id, 'x' x 30000);
$t = now();
ok $c->until_($id, sub { $_[0]{head} || defined $_[0]{reset} }, 12), 'a body that stops';
like $c->{streams}{$id}{head}, qr/408/, 'is 408';
cmp_ok now() - $t, '>', 4, 'at Timeout';

# resets by the client: before the body is gathered, while it streams, in the answer
for my $i (1 .. 5) {
    for my $n (10, 30000) {
        $id = $c->request('POST', '/sink', open => 1);
        $c->data($id, 'x' x $n);
        $backend->await('busy', '>=', 1, 2) if $n > 20000;
        $c->reset_stream($id);
    }
    $id = $c->request('GET', '/bytes/2000000');
    $c->until_($id, sub { length $_[0]{data} });
    $c->reset_stream($id);
}
ok $backend->await('busy', '==', 0), 'streams that are reset free their backends';
$id = $c->request('GET', '/id/9');
ok $c->until_($id, \&whole), 'and the connection goes on';
is $c->{streams}{$id}{data}, "id 9 -\n", 'with the right answers';

# a tunnel
my @ws = (':protocol', 'websocket', 'sec-websocket-version', '13', 'sec-websocket-key', 'dGhlIHNhbXBsZSBub25jZQ==');
$id = $c->request('CONNECT', '/up/x', open => 1, headers => [@ws]);
ok $c->until_($id, sub { $_[0]{head} }), 'extended CONNECT';
is $c->{streams}{$id}{status}, 200, 'opens a tunnel';
$c->data($id, "\x81\x85\x01\x02\x03\x04" . ('hello' ^ "\x01\x02\x03\x04\x01"));
ok $c->until_($id, sub { $_[0]{data} eq "\x81\x05hello" }), 'a frame goes there and back';
$c->data($id, "\x88\x80\x01\x02\x03\x04", 1);
ok $c->until_($id, \&whole), 'and its end is orderly';
is $c->{streams}{$id}{reset} // 0, 0, 'no reset';
ok $backend->await('busy', '==', 0), 'the backend is free';
$backend->allow_violations;
