# SPDX-License-Identifier: Apache-2.0
# Both bodies at once; early answers; back-pressure; answers that trickle.
use strict;
use warnings;
use Digest::SHA;
use Apache::Test qw(-withtestmore);
use RProxy::Backend;
use RProxy::Client qw(get);
use RProxy::Env qw(needs now wait_until seconds kilobytes);
use RProxy::Server;

plan tests => 34, need {needs(qw(rproxy env))};

my $backend = RProxy::Backend->new;
my $url     = $backend->url;
my $s       = RProxy::Server->new(modules => [qw(env)], timeout => 30, config => "ProxyPass / $url/\n");
get($s, '/id/1');
my ($child) = $s->children;
sub rss { open my $in, '<', "/proc/$child/status" or return 0; while (<$in>) { return $1 if /^VmRSS:\s+(\d+)/ } return 0 }
sub cpu { open my $in, '<', "/proc/$child/stat" or return 0; my @f = split ' ', <$in>; return ($f[13] + $f[14]) / 100 }

# Send a body while its echo is read, as fast as both go. rate: bytes a second that are read at most.
sub echo {
    my ($size, %opt) = @_;
    my $c    = RProxy::Client->new($s);
    my $sock = $c->socket;
    $sock->blocking(0);
    my $head = $opt{chunked}
        ? "POST /stream HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        : "POST /stream HTTP/1.1\r\nHost: x\r\nContent-Length: $size\r\n\r\n";
    my ($out, $sent, $sha_out, $sha_in) = ($head, 0, Digest::SHA->new(256), Digest::SHA->new(256));
    my ($in, $got, $state) = ('', 0, 'head');
    my $block = join '', map { chr(($_ * 7) % 251) } 0 .. 65535;
    my $chunk_left = 0;
    my $start = now();
    my $end = now() + seconds(120);
    while (now() < $end) {
        if (!length $out && $sent < $size) {
            my $n = $size - $sent < 65536 ? $size - $sent : 65536;
            my $piece = substr $block, 0, $n;
            $sha_out->add($piece);
            $sent += $n;
            $out = $opt{chunked} ? sprintf("%x\r\n", $n) . $piece . "\r\n" . ($sent == $size ? "0\r\n\r\n" : '') : $piece;
        }
        my $slow = $opt{rate} && $got > $opt{rate} * (now() - $start);
        vec(my $r = '', fileno $sock, 1) = 1;
        my $w = $r;
        select $slow ? undef : $r, length $out ? $w : undef, undef, $slow ? 0.005 : 5;
        if (length $out && vec $w, fileno $sock, 1) {
            my $n = syswrite $sock, $out, 65536;
            substr $out, 0, $n, '' if $n;
        }
        if (!$slow) {
            my $n = sysread $sock, $in, 65536, length $in;
            last if defined $n && $n == 0;
            if ($state eq 'head' && $in =~ s/^(.*?\r\n\r\n)//s) {
                $state = $1 =~ /chunked/i ? 'size' : 'raw';
            }
            while (length $in) {
                if ($state eq 'raw') { $sha_in->add($in); $got += length $in; $in = ''; }
                elsif ($state eq 'size') {
                    last unless $in =~ s/^([0-9a-f]+)\r\n//i;
                    $chunk_left = hex $1;
                    $state = $chunk_left ? 'data' : 'end';
                }
                elsif ($state eq 'data') {
                    my $piece = substr $in, 0, $chunk_left, '';
                    $sha_in->add($piece); $got += length $piece; $chunk_left -= length $piece;
                    $state = 'crlf' unless $chunk_left;
                }
                elsif ($state eq 'crlf') { last if length $in < 2; substr $in, 0, 2, ''; $state = 'size'; }
                else { last }
            }
            last if $got == $size && ($state eq 'raw' || $state eq 'end');
        }
    }
    return ($got, $sha_in->hexdigest eq $sha_out->hexdigest);
}

my $mb = ($ENV{RPROXY_LARGE} || 32) * 1024 * 1024;
for my $chunked (0, 1) {
    my $name = $chunked ? 'chunked' : 'counted';
    my ($got, $same) = echo($mb, chunked => $chunked);
    is $got, $mb, "$name echo: all comes back";
    ok $same, "$name echo: unchanged";
    my $before = rss();
    ($got, $same) = echo(24 * 1024 * 1024, chunked => $chunked, rate => 6e6);
    is $got, 24 * 1024 * 1024, "$name echo, slow reader: all comes back";
    ok $same, "$name echo, slow reader: unchanged";
    cmp_ok rss() - $before, '<', kilobytes(2048), "$name echo, slow reader: under 2 MB more";
}

# early answers while a large body goes up; the client sees them although it is still sending
for my $path ('/early/401', '/early/413?rst=1', '/early/403') {
    my $c = RProxy::Client->new($s);
    $c->{method} = 'POST';
    my $size = 50_000_000;
    $c->send("POST $path HTTP/1.1\r\nHost: x\r\nContent-Length: $size\r\n\r\n");
    my $t = now();
    my $sent = 0;
    while ($sent < $size) {
        last if $c->readable(0) || !$c->send('x' x 65536);
        $sent += 65536;
    }
    my $r = $c->response;
    my ($want) = $path =~ /(\d+)/;
    is $r->status, $want, "$path reaches the client";
    ok $r->{complete}, 'whole';
    cmp_ok $sent, '<', $size, 'before its body is up';
    cmp_ok now() - $t, '<', 3, 'soon';
}
like join(',', grep { !/^$/ } $s->error_log =~ /RP0200: ([\w-]+)/g), qr/^$/, 'an early answer is no failure';

# a waiting request costs no CPU
{
    my $c = RProxy::Client->new($s);
    $c->request('GET', '/id/5?wait=cpu');
    $c->{sse} = 1;
    my $d = RProxy::Client->new($s);
    $d->request('GET', '/sse?n=2&wait-each=cpu2');
    $d->read_until(qr/event 1/);
    my $e = RProxy::Client->new($s);
    $e->send("POST /stream HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n" . 'x' x 30000);
    $e->read_until(qr/x{100}/);
    my $f = RProxy::Client->new($s);
    $f->send("POST /sink HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\nxx");
    my $t = cpu();
    select undef, undef, undef, 2;
    cmp_ok cpu() - $t, '<', 0.1, 'requests that wait cost no CPU time';
    $backend->signal($_) for qw(cpu cpu2);
    is $c->response->status, 200, 'and go on';
}

# a head without a body byte, and each event, arrive at once
{
    $backend->script('/head-first', qq{send "HTTP/1.1 200 OK\\r\\nContent-Length: 5\\r\\n\\r\\n"\nwait more\nsend "hello"\n});
    my $c = RProxy::Client->new($s);
    $c->request('GET', '/head-first');
    my $h = $c->response_head;
    is $h->status, 200, 'a head alone arrives at once';
    $backend->signal('more');
    is $c->response_body($h)->body, 'hello', 'and then its body';
    $backend->script('/dribble', qq{send-slow "HTTP/1.1 200 OK\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n5\\r\\nhello\\r\\n"\nwait dd\nsend-slow "3\\r\\nbye\\r\\n0\\r\\n\\r\\n"\n});
    $c->request('GET', '/dribble');
    $c->read_until(qr/o\r\n/);
    ok 1, 'half a body that dribbles';
    $backend->signal('dd');
    $c->read_until(qr/\r\n0\r\n\r\n/);
    $c->request('GET', '/id/3');
    is $c->response->body, "id 3 -\n", 'and the connection goes on';
}

# slow reader of a large answer: memory stays
{
    my $before = rss();
    my @c = map { my $c = RProxy::Client->new($s); $c->request('GET', '/bytes/200000000'); $c } 1 .. 4;
    $_->read_exact(200000) for @c;
    select undef, undef, undef, 1;
    cmp_ok rss() - $before, '<', kilobytes(4 * 2048), 'four clients that do not read: under 2 MB each';
    my $t = cpu();
    select undef, undef, undef, 1;
    cmp_ok cpu() - $t, '<', 0.1, 'and no CPU time';
    $_->abort for @c;
    ok $backend->await('busy', '==', 0), 'their backends are free at once';
}

# tiny chunks: CPU and memory
{
    my $before = rss();
    my $t = cpu();
    my $r = get($s, '/bytes/2000000?chunk=1');
    is length $r->body, 2000000, 'a body in chunks of one byte arrives';
    cmp_ok rss() - $before, '<', kilobytes(2048), 'under 2 MB';
}
$backend->allow_violations; # clients that leave break off requests
