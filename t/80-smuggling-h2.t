# SPDX-License-Identifier: Apache-2.0
# HTTP/2 has no lines: what would be two of them in HTTP/1.1 must never become so on the way to the
# backend.
use strict;
use warnings;
use Apache::Test qw(-withtestmore);
use RProxy::Backend;
use RProxy::Client qw(get);
use RProxy::Env    qw(needs);
use RProxy::H2;
use RProxy::Server;

my $evil   = "GET /app/id/666 HTTP/1.1\r\nHost: evil\r\nX-Test-Id: evil\r\n\r\n";
my @pseudo = (
    'method with a space'      => {':method' => 'GET /app/id/1 HTTP/1.1'},
    'method with lines'        => {':method' => "GET /app/id/1 HTTP/1.1\r\nX-Evil: 1\r\n\r\nGET"},
    'method with a control'    => {':method' => "G\x01T"},
    'empty method'             => {':method' => ''},
    'path with a space'        => {':path'   => '/app/id/1 HTTP/1.1'},
    'path with lines'          => {':path'   => "/app/id/1 HTTP/1.1\r\nX-Evil: 1\r\n\r\n"},
    'path with LF'             => {':path'   => "/app/id/1\nX-Evil: 1"},
    'path with CR'             => {':path'   => "/app/id/1\rX-Evil: 1"},
    'path with NUL'            => {':path'   => "/app/id/1\0"},
    'path with DEL'            => {':path'   => "/app/id/1\x7f"},
    'path with bytes over 127' => {':path'   => "/app/id/\xff"},
    'path without a slash'     => {':path'   => '@evil.test/app/id/1'},
    'path that is a URI'       => {':path'   => 'http://evil.test/app/id/1'},
    'path that is a port'      => {':path'   => ':80/app/id/1'},
    'empty path'               => {':path'   => ''},
    'asterisk'                 => {':path'   => '*'},
    'query with lines'         => {':path'   => "/app/id/1?\r\nX-Evil: 1"},
    'query with a space'       => {':path'   => '/app/id/1?a b'},
    'authority with lines'     => {':authority' => "h\r\nX-Evil: 1"},
    'authority with a space'   => {':authority' => 'h evil'},
    'authority with a slash'   => {':authority' => 'h/x'},
    'authority with NUL'       => {':authority' => "h\0"},
    'scheme with lines'        => {':scheme'    => "http\r\nX-Evil: 1"},
    'unknown scheme'           => {':scheme'    => 'gopher'},
);
my @fields = (
    'value with CR LF'          => ['x-a',               "b\r\nX-Evil: 1"],
    'value with LF'             => ['x-a',               "b\nX-Evil: 1"],
    'value with CR'             => ['x-a',               "b\rX-Evil: 1"],
    'value with NUL'            => ['x-a',               "b\0c"],
    'value with a control'      => ['x-a',               "b\x01c"],
    'value with DEL'            => ['x-a',               "b\x7fc"],
    'value with a request'      => ['x-a',               "b\r\n\r\n$evil"],
    'value with spaces around'  => ['x-a',               '  b  '],
    'name with CR LF'           => ["x-a: b\r\nX-Evil",  '1'],
    'name with a colon'         => ['x-evil:',           '1'],
    'name with a space'         => ['x-evil ',           '1'],
    'name with NUL'             => ["x-\0a",             '1'],
    'name in capitals'          => ['X-A',               '1'],
    'empty name'                => ['',                  '1'],
    'name with a byte over 127' => ["x-\xe9",            '1'],
    'transfer-encoding'         => ['transfer-encoding', 'chunked'],
    'transfer-encoding, odd'    => ['transfer-encoding', 'identity'],
    'connection'                => ['connection',        'close, x-forwarded-for'],
    'keep-alive'                => ['keep-alive',        'timeout=5'],
    'proxy-connection'          => ['proxy-connection',  'keep-alive'],
    'upgrade'                   => ['upgrade',           'websocket'],
    'te'                        => ['te',                'chunked'],
    'host besides authority'    => ['host',              'evil.test'],
    'host with lines'           => ['host',              "h\r\nX-Evil: 1"],
    'content-length too long'   => ['content-length',    '500'],
    'content-length too short'  => ['content-length',    '3'],
    'content-length twice'      => ['content-length',    '5', 'content-length', '6'],
    'content-length, no number' => ['content-length',    '5 5'],
    'negative content-length'   => ['content-length',    '-1'],
    'pseudo-field too late'     => [':path',             '/app/id/2'],
    'unknown pseudo-field'      => [':evil',             '1'],
    'expect'                    => ['expect',            '100-continue'],
    'cookies'                   => ['cookie',            'a=b', 'cookie', 'c=d'],
);
my @bodies = ('hello', "0\r\n\r\n$evil", "\r\n$evil", "5\r\nhello\r\n0\r\n\r\n$evil", '');

plan tests => @pseudo + @fields * 2 + 3 * @bodies + 3, need { needs('rproxy', 'http2') };

my $backend = RProxy::Backend->new->allow_violations;
my $server  = RProxy::Server->new(
    modules => ['http2'],
    timeout => 3,
    config  => "Protocols h2c http/1.1\nProxyPass /app " . $backend->url . "\n"
);
my $number = 0;

sub attack {
    my ($name, $fields, $body) = @_;
    my $h2 = RProxy::H2->new($server, timeout => 8);
    $h2->request($fields, $body);
    my ($end) = eval { $h2->finish } or diag "$name: no end: $@";
    $backend->await('busy', '==', 0);
    my @arrived = $backend->requests;
    my @heads   = map { $backend->head($_->{n}) } @arrived;
    is $backend->violations, '', "$name: the backend got correct requests only"
        or diag map { RProxy::Backend::quote($_) } @heads;
    my @bad = grep { /^X-Evil/mi || /^X-Test-Id: evil/mi } @heads;
    push @bad, 'more than one' if @arrived > 1;
    push @bad, 'another' if grep { $_->{id} ne "h2n$number" } @arrived;
    is "@bad", '', "$name: and nothing was made of it";
    $backend->reset;
    return @arrived;
}

sub pseudo {
    my (%set) = @_;
    my %all = (':method' => 'GET', ':scheme' => 'http', ':authority' => 'h', ':path' => '/app/id/1',
        %set);
    return (map({ ($_ => $all{$_}) } sort keys %all), 'x-test-id', 'h2n' . ++$number);
}

while (my ($name, $set)  = splice @pseudo, 0, 2) { attack($name, [pseudo(%$set)]) }
while (my ($name, $more) = splice @fields, 0, 2) {
    attack($name, [pseudo(), @$more]);
    attack("$name, with a body", [pseudo(':method' => 'POST', ':path' => '/app/sink'), @$more],
        'hello');
}
for my $body (@bodies) {
    my $name = 'body ' . RProxy::Backend::quote($body);
    my ($seen) = attack($name, [pseudo(':method' => 'POST', ':path' => '/app/sink')], $body);
    is $seen && $seen->{bytes}, length $body, "$name: is a body";
}
my $h2 = RProxy::H2->new($server);
$h2->request([pseudo(':path' => '/app/id/7')]);
is join(' ', $h2->finish), "answered id 7 h2n$number\n",       'a decent request is served';
is get($server, '/app/id/5', id => 'end')->body, "id 5 end\n", 'as are those of HTTP/1.1';
is scalar($server->children),                    1,            'in the same child';
