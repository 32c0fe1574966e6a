# SPDX-License-Identifier: Apache-2.0
# Where httpd's own machinery meets an exchange: input filters, time limits, error pages, upgrades, ranges.
use strict;
use warnings;
use Apache::Test qw(-withtestmore);
use Compress::Zlib ();
use Digest::SHA qw(sha256_hex);
use RProxy::Backend;
use RProxy::Client qw(get);
use RProxy::Env qw(needs now);
use RProxy::Server;

plan tests => 70, need {needs(qw(rproxy deflate reqtimeout env include alias))};

my $backend = RProxy::Backend->new;
my $url     = $backend->url;
my $s       = RProxy::Server->new(modules => [qw(filter deflate reqtimeout env include alias dir)], timeout => 15, config => <<"CONF");
RequestReadTimeout body=2
CustomLog "__ROOT__/access_log" "trailer %{X-Sum}^to %{Set-Cookie}^to"
<Location /inflate>
    SetInputFilter DEFLATE
</Location>
<Location /inflate-chunked>
    SetInputFilter DEFLATE
    SetEnv proxy-sendchunked
</Location>
<Location /limited>
    LimitRequestBody 100
</Location>
<Location /hidden>
    ProxyErrorOverride On
</Location>
ErrorDocument 503 /page/503
<Location /denied>
    Require all denied
    ErrorDocument 403 /login
</Location>
ProxyPass /pages !
Alias /pages __ROOT__/htdocs
<Location /pages>
    Options +Includes
    SetOutputFilter INCLUDES
</Location>
ProxyPass /dead http://127.0.0.1:1/
ProxyPass /up $url/up upgrade=websocket
ProxyPass / $url/
CONF

# --- a body that a filter unpacks, in pieces of every size: the filter takes some without giving any ---
my $plain = join '', map {"line $_\n"} 1 .. 20000;
my $gz    = Compress::Zlib::memGzip($plain);
# its first bytes are a long table that yields nothing
my $table = join '', map { chr int 256 * (($_ * 7919 % 1009) / 1009)**3 } 1 .. 3000;
for my $step (1, 7, 4000) {
    my $data = $step == 1 ? Compress::Zlib::memGzip($table) : $gz;
    my $want = $step == 1 ? $table : $plain;
    for my $path (qw(/inflate /inflate-chunked)) {
        my $t = now();
        my $r = RProxy::Client->one($s, 'POST', "$path/x", headers => ['Content-Encoding' => 'gzip'], chunks => [unpack "(a$step)*", $data]);
        is $r->status, 200, "$path in pieces of $step";
        is $backend->last_request->{sha256}, sha256_hex($want), "arrives unpacked";
        cmp_ok now() - $t, '<', 2, 'without a wait';
        unlike $backend->last_request->{head}, qr/^Content-Encoding/m, 'and is called so';
    }
}
# a filter that takes a field away while the body is read leaves the others what they are
RProxy::Client->one($s, 'POST', '/inflate/x', headers => ['Content-Encoding' => 'gzip', Cookie => 'a=b', 'Max-Forwards' => 7, 'X-Last' => 'z'], body => $gz);
like $backend->last_request->{head}, qr/^Cookie: a=b\r?\nMax-Forwards: 6\r?\nX-Last: z\r?$/m, 'fields behind one that a filter took away';
my $r = RProxy::Client->one($s, 'POST', '/inflate/x', headers => ['Content-Encoding' => 'gzip'], body => $gz);
is $backend->last_request->{sha256}, sha256_hex($plain), 'with a length, too';
like $backend->last_request->{head}, qr/^Content-Length: @{[length $plain]}\r$/m, 'that of the unpacked body';

# --- mod_reqtimeout holds in the prefetch and while the body streams ---
for my $n (100, 40_000) {
    my $c = RProxy::Client->new($s);
    $c->{method} = 'POST';
    my $t = now();
    $c->send("POST /sink HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n" . 'x' x $n);
    is $c->response->status, 408, "$n bytes of a body and then none: 408";
    cmp_ok now() - $t, '<', 6, 'when RequestReadTimeout says so, not Timeout';
}

# --- LimitRequestBody holds where it is written, and only there ---
$backend->script('/huge', qq{send "HTTP/1.1 413 Backend Says So\\r\\nConnection: close\\r\\nContent-Length: 2\\r\\n\\r\\nno"\nlinger\n});
my $c = RProxy::Client->new($s);
$c->{method} = 'POST';
$c->send("POST /huge HTTP/1.1\r\nHost: x\r\nContent-Length: 9000000000\r\nExpect: 100-continue\r\n\r\n");
is $c->response->reason, 'Backend Says So', 'a body of 9 GB is the backend\'s business';
is(RProxy::Client->one($s, 'POST', '/limited/x', body => 'x' x 101)->status, 413, 'LimitRequestBody with a length');
is(RProxy::Client->one($s, 'POST', '/limited/x', chunks => [('x' x 30) x 4])->status, 413, 'and without');
is(RProxy::Client->one($s, 'POST', '/limited/x', chunks => [('x' x 25) x 4])->status, 200, 'up to its last byte');

# --- the error page of a request with a body ---
for my $n (5, 200_000) {
    $r = RProxy::Client->one($s, 'POST', '/dead/x', body => 'x' x $n, headers => ['If-None-Match' => '*', 'Content-Type' => 'text/x']);
    is $r->status, 503, "a failed POST of $n bytes";
    is $r->body, "GET /page/503\n", 'gets the ErrorDocument from a backend';
    my $last = $backend->last_request;
    like $last->{head}, qr/^GET /, 'asked for by GET';
    unlike $last->{head}, qr/^(?:Content-Length|Transfer-Encoding|If-None-Match)/m, 'without the body and what it depended on';
}

$backend->raw_answer('/login', "HTTP/1.1 302 Found\r\nLocation: /sso\r\nContent-Length: 0\r\n\r\n");
$r = RProxy::Client->one($s, 'GET', '/denied/x');
is $r->status . ' ' . ($r->header('Location') // ''), '302 /sso', 'an ErrorDocument that redirects does so';

# --- ProxyErrorOverride, whatever the hidden body is like ---
for my $case (['cut short', "Content-Length: 20\r\n\r\nsecret"], ['in bad chunks', "Transfer-Encoding: chunked\r\n\r\nzz\r\nsecret"],
    ['without an end', "Content-Length: 20\r\n\r\nsecret", 'hold'], ['huge', "Content-Length: 99999999\r\n\r\nsecret", 'hold'])
{
    my ($name, $bytes, $end) = @$case;
    $backend->raw_answer('/hidden/x', "HTTP/1.1 500 Oops\r\n$bytes", $end);
    my $t = now();
    $r = get($s, '/hidden/x');
    is $r->status . ' ' . ($r->{complete} ? 'whole' : 'cut'), '500 whole', "the page instead of a body $name";
    unlike $r->body, qr/secret/, 'shows nothing of it';
    cmp_ok now() - $t, '<', 5, 'soon';
}

# --- upgrades ---
$backend->script('/up/x', qq{answer\n});
$r = get($s, '/up/headers', headers => [Connection => 'Upgrade', Upgrade => 'websocket, h2c, TLS/1.0']);
my ($head) = $backend->last_request->{head};
like $head, qr/^Upgrade: websocket\r$/m, 'of several protocols only the allowed one is asked for';
$r = get($s, '/up/headers', version => '1.0', headers => [Connection => 'Upgrade', Upgrade => 'websocket']);
unlike $backend->last_request->{head}, qr/^Upgrade/m, 'an HTTP/1.0 client can not upgrade';

$backend->raw_answer('/up/426', "HTTP/1.1 426 Upgrade Required\r\nConnection: Upgrade\r\nUpgrade: websocket, h2c\r\nContent-Length: 0\r\n\r\n");
$r = get($s, '/up/426');
is $r->header('Upgrade'), 'websocket', 'a 426 tells the allowed protocol';
like $r->header('Connection'), qr/Upgrade/, 'as such';
$backend->raw_answer('/426', "HTTP/1.1 426 Upgrade Required\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 0\r\n\r\n");
is get($s, '/426')->header('Upgrade'), undef, 'and nothing where none is';

# --- trailers go to the log alone; warnings about other answers go nowhere ---
$r = get($s, '/trailers', id => 'tr');
is $r->body . scalar @{$r->{trailers}}, 'hello0', 'trailers are not sent';
ok $s->wait_access(qr/trailer 5 -$/m), 'but can be logged, unless they are none of a trailer\'s business';
$backend->raw_answer('/warn', "HTTP/1.1 200 OK\r\nDate: Tue, 15 Nov 1994 08:12:31 GMT\r\n"
        . "Warning: 110 a \"x\" \"Tue, 15 Nov 1994 08:12:31 GMT\", 110 b \"y\" \"Tue, 15 Nov 1994 09:12:31 GMT\"\r\nWarning: 199 c \"no, date\"\r\n"
        . "Content-Length: 2\r\n\r\nok");
$r = get($s, '/warn');
is join('|', $r->all('Warning')), '110 a "x" "Tue, 15 Nov 1994 08:12:31 GMT"|199 c "no, date"', 'warnings of another date';
is $r->body, 'ok', 'cost nothing else';

# --- odd heads, ranges, pages that include ---
$backend->raw_answer('/odd', "HTTP/1.1 200 OK\r\nConnection: a b, X-Hop, \"c\r\nX-Hop: 1\r\nContent-Length: 2\r\n\r\nok", 'hold');
$r = get($s, '/odd');
is $r->status . $r->body, '200ok', 'a Connection field with members that are no names';
is $r->header('X-Hop'), undef, 'the others count';
$backend->script('/ten', qq{send "HTTP/1.1 200 OK\\r\\nContent-Length: 10\\r\\n\\r\\n0123456789"\n});
$r = get($s, '/ten', headers => [Range => 'bytes=2-5']);
is $r->status, 206, 'a backend without ranges: httpd cuts one out of an answer that came whole';
$s->write_file('htdocs/a.html', qq{<!--#include virtual="/id/1" -->|<!--#include virtual="/bytes/5?te=chunked" -->|end});
like get($s, '/pages/a.html')->body, qr/\Aid 1 -\n\|.....\|end\z/s, 'a page that includes two proxied ones';
$s->write_file('htdocs/b.html', qq{A<!--#include virtual="/id/1" -->B});
$r = RProxy::Client->one($s, 'POST', '/pages/b.html', body => 'x' x 30000);
is $backend->last_request->{head} =~ /^(?:Content-Length|Transfer-Encoding)/m ? 1 : 0, 0, 'the body of a page\'s request is not for what it includes';
$backend->allow_violations;
