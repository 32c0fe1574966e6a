# SPDX-License-Identifier: Apache-2.0
# mod_reqtimeout's limits of request bodies hold for what is proxied: before a backend is asked, while the body streams to it,
# and when its answer has begun. A client that keeps the rate is left alone, however long it takes.
use strict;
use warnings;
use Apache::Test qw(-withtestmore);
use Digest::SHA qw(sha256_hex);
use RProxy::Backend;
use RProxy::Client qw(get);
use RProxy::Env qw(needs now seconds);
use RProxy::Server;

plan tests => 44, need {needs(qw(rproxy reqtimeout env))};

my $limit   = seconds(1) < 1 ? 1 : int seconds(1);
my $backend = RProxy::Backend->new;
my $server  = RProxy::Server->new(modules => [qw(reqtimeout env)], timeout => 60 * $limit, loglevel => 'info rproxy:info', config => <<"CONF");
RequestReadTimeout body=$limit
ProxyPass /spool @{[$backend->url]}
ProxyPass /app @{[$backend->url]}
<Location /spool>
    SetEnv proxy-sendcl 1
</Location>
Listen 127.0.0.1:__PORT_rate__
<VirtualHost 127.0.0.1:__PORT_rate__>
    RequestReadTimeout body=$limit-@{[10 * $limit]},MinRate=1000
    ProxyPass /app @{[$backend->url]}
</VirtualHost>
CONF

sub seen { my ($id) = @_; return grep { $_->{id} eq $id } $backend->requests }

# --- bodies of 100000 bytes that stop ---
my @stalled;
for my $target ('/app/sink', '/spool/sink') {
    for my $chunked (0, 1) {
        for my $bytes (0, 100, 50_000) {
            my $client = RProxy::Client->new($server, timeout => 30);
            my $id     = 's' . @stalled;
            $client->request('POST', $target, id => $id, headers => [$chunked ? ('Transfer-Encoding', 'chunked') : ('Content-Length', 100_000)]);
            $client->send(($chunked ? "186a0\r\n" : '') . 'x' x $bytes);
            my $streams = $bytes > 16384 && !($target eq '/spool/sink' && $chunked);
            my $name    = "$target, " . ($chunked ? 'chunked' : 'counted') . ", stops after $bytes";
            push @stalled, {client => $client, id => $id, name => $name, streams => $streams, start => now()};
        }
    }
}
for my $one (@stalled) {
    is $one->{client}->response->status, 408, "$one->{name}: 408";
    cmp_ok now() - $one->{start}, '<', 6 * $limit, 'when RequestReadTimeout says so, not Timeout';
    my ($there) = seen($one->{id});
    ok !$there, 'the backend was not asked' if !$one->{streams};
    ok $there && !$there->{complete}, 'the backend has no whole request' if $one->{streams};
}
ok $backend->await('busy', '==', 0), 'no backend waits for the rest';
like $server->error_log, qr/RP0200: client-body-timeout: /, 'the log has the reason';

# --- the answer has begun ---
my $client = RProxy::Client->new($server, timeout => 30);
$client->request('POST', '/app/stream', id => 'begun', headers => ['Content-Length', 100_000]);
$client->send('x' x 50_000);
my $answer = $client->response;
is $answer->status, 200, 'an answer that began before the body stopped';
ok !$answer->{complete}, 'is visibly cut';
ok $client->at_end, 'and the connection ends';

# --- a rate ---
my $body = join '', map { chr(33 + $_ % 90) } 1 .. 6000 * $limit;
$client = RProxy::Client->new($server, port => 'rate', timeout => 30);
my $start = now();
$client->request('POST', '/app/sink', headers => ['Content-Length', length $body]);
for my $piece (unpack '(a' . 300 . ')*', $body) { # 3000 bytes a second
    $client->send($piece);
    select undef, undef, undef, 0.1;
}
$answer = $client->response;
cmp_ok now() - $start, '>', 1.5 * $limit, 'an upload longer than the first limit';
like $answer->body, qr/^bytes @{[length $body]} sha256 @{[sha256_hex($body)]}$/, 'that keeps the rate arrives whole';
is get($server, '/app/id/7')->body, "id 7 -\n", 'others are not disturbed';
