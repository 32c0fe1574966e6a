# SPDX-License-Identifier: Apache-2.0
# RewriteRule with [P]: the URL it makes, the query, per directory, and the worker that serves it.
use strict;
use warnings;
use Apache::Test qw(-withtestmore);
use RProxy::Env qw(needs temp_dir);
use RProxy::Server;
use RProxy::Backend;
use RProxy::Client qw(get);

my @modules = qw(rewrite headers);
my @rows = (
    ['decoded and encoded again',        '/p/a%20b%3b'      => '/r/a%20b;'],
    ['the query goes along',             '/p/a?x=%20|'      => '/r/a?x=%20|'],
    ['control characters are encoded',   '/p/a%0d%0aHost:x' => '/r/a%0D%0AHost:x'],
    ['[NE]: path and query are joined',  '/pne/a?x'         => '/r/a?x'],
    ['[NE]: what is encoded stays so',   '/pne/a%2541'      => '/r/a%41'],
    ['[NE]: a space is refused',         '/pne/a%20b'       => 403],
    ['[B]: escaped twice',               '/pb/a%26b'        => '/r/a%2526b'],
    ['a new query',                      '/q/a?x=1'         => '/r/a?new=1'],
    ['[QSA]: both queries',              '/qsa/a?x=1'       => '/r/a?new=1&x=1'],
    ['[QSD]: none',                      '/qsd/a?x=1'       => '/r/a'],
    ['no path in the substitution',      '/bare/x'          => '/'],
    ['[P] ends the rules',               '/last/x'          => '/r/x'],
    ['[PT] goes to ProxyPass',           '/pt/a%20b'        => '/pass/a%20b'],
    ['[P] comes before ProxyPass',       '/pass/rw/x'       => '/r/x'],
    ['a rule that does not match',       '/pass/y'          => '/pass/y'],
    ['no-proxy by [E]',                  '/pass/local'      => 404],
    ['in a directory',                   '/dir/a/x%20y?q'   => '/d/x%20y?q'],
    ['in a directory, [NE]',             '/dir/ne/x%2541?q' => '/d/x%41?q'],
    ['in a directory, a new query',      '/dir/nq/x?q'      => '/d/x?new'],
    ['in a Location',                    '/loc/x%20y?q'     => '/l/x%20y?q'],
    ['a scheme that is not spoken',      '/ftp/x'           => 500],
    ['no host',                          '/nohost/x'        => 400],
    ['port over 65535',                  '/port/x'          => 400],
    ['IPv6 zone id',                     '/zone/x'          => 400],
);
plan tests => @rows + 23, need {needs('rproxy', @modules)};

my $b    = RProxy::Backend->new;
my $u    = $b->url;
my $p    = $b->port;
my $sock = temp_dir('socket') . '/be.sock';
my $unix = RProxy::Backend->new(name => 'unix', unix => $sock);
my $s    = RProxy::Server->new(modules => \@modules, start => 0);
mkdir $s->root . "/htdocs/$_" for qw(dir);
$s->write_file('htdocs/dir/.htaccess', <<"EOF");
RewriteEngine On
RewriteRule ^a/(.*) $u/d/\$1 [P]
RewriteRule ^ne/(.*) $u/d/\$1 [P,NE]
RewriteRule ^nq/(.*) $u/d/\$1?new [P]
RewriteRule ^u/(.*) unix:$sock|http://localhost/d/\$1 [P]
EOF
$s->start(<<"EOF") or die $s->stderr . $s->error_log;
RewriteEngine On
RewriteRule ^/p/(.*) $u/r/\$1 [P]
RewriteRule ^/pne/(.*) $u/r/\$1 [P,NE]
RewriteRule ^/pb/(.*) $u/r/\$1 [P,B]
RewriteRule ^/q/(.*) $u/r/\$1?new=1 [P]
RewriteRule ^/qsa/(.*) $u/r/\$1?new=1 [P,QSA]
RewriteRule ^/qsd/(.*) $u/r/\$1 [P,QSD]
RewriteRule ^/bare/ $u [P]
RewriteRule ^/last/(.*) $u/r/\$1 [P]
RewriteRule ^/last/ - [F]
RewriteRule ^/pt/(.*) /pass/\$1 [PT]
RewriteRule ^/pass/rw/(.*) $u/r/\$1 [P]
RewriteRule ^/pass/local - [E=no-proxy:1]
RewriteRule ^/u/(.*) unix:$sock|http://localhost/u/\$1 [P]
RewriteRule ^/ur/(.*) unix:be.sock|http:/u/\$1 [P]
RewriteRule ^/un/(\\w+)/ unix:@{[$sock =~ s/be\.sock$//r]}\$1.sock|http://localhost/named [P]
RewriteRule ^/case/(.*) HTTP://LOCALHOST:$p/Case/\$1 [P]
RewriteRule ^/host/([\\w.]+)/(.*) http://\$1:$p/by-host/\$2 [P]
RewriteRule ^/(ftp)/ \$1://127.0.0.1/x [P]
RewriteRule ^/nohost/ http:///x [P]
RewriteRule ^/port/ http://127.0.0.1:65536/x [P]
RewriteRule ^/zone/ http://[fe80::1%25lo]/x [P]
RewriteCond %{REQUEST_METHOD} =CONNECT
RewriteCond %{HTTP:X-By} =rewrite
RewriteRule . $u/r/connect [P]
RewriteRule ^/bal/(.*) balancer://Some/\$1 [P]
ProxyPass /pass $u/pass
ProxyPass /never $u/r/slow timeout=1
<Proxy $u/r/denied>
Require all denied
</Proxy>
<Location /loc>
RewriteEngine On
RewriteRule ([^/]*)\$ $u/l/\$1 [P]
</Location>
<If "%{REQUEST_METHOD} == 'CONNECT' && req('X-By') == 'handler'">
SetHandler "proxy:$u/r/connect"
</If>
<Directory "__ROOT__/htdocs/dir">
AllowOverride FileInfo
Options +FollowSymLinks
</Directory>
EOF

sub answer { return RProxy::Client->one($s, 'GET', @_) }

# What the backend saw as request target, or the status when it saw nothing.
sub arrives {
    my $answer = answer(@_);
    return $answer->status == 200 && $answer->body =~ /^GET (.*)\n\z/ ? $1 : $answer->status;
}

is(arrives($_->[1]), $_->[2], "$_->[0]: $_->[1]") for @rows;

is(arrives('/p/denied'), 403, '<Proxy> applies to a rewritten URL');
like($s->error_log, qr/RP0108: .*"ftp"/,              'the scheme that is not spoken is named');
like($s->error_log, qr/RP0106: .*"http:\/\/\/x" .*no host/, 'the URL without host is named');
is(arrives('/case/X'), '/Case/X', 'scheme and host in capitals');
$b->reset;
get($s, '/case/X');
like($b->last_request->{head}, qr/^Host: localhost:$p\r$/m, '... are small on the wire');
is(arrives('/host/127.0.0.1/x'), '/by-host/x', 'a host from the path, where the configuration says so');

# CONNECT: its answer would be a tunnel
for my $by ('rewrite', 'handler') {
    $b->reset;
    my $c = RProxy::Client->new($s);
    $c->send("CONNECT h.example:443 HTTP/1.1\r\nHost: h.example:443\r\nX-By: $by\r\nConnection: close\r\n\r\n");
    is($c->response(method => 'GET')->status, 405, "CONNECT by $by is refused");
    is(scalar($b->requests), 0, '... and reaches no backend');
}
is(scalar(() = $s->error_log =~ /RP0229: CONNECT h\.example:443 is refused/g), 2, '... as the log says');

my $r = answer('/u/x%20y?q');
is($r->header('X-Backend'), 'unix', 'a unix socket');
is($r->body, "GET /u/x%20y?q\n", '... and its path');
is(answer('/dir/u/x')->header('X-Backend'), 'unix', '... in a directory');
is(answer('/un/be/x')->header('X-Backend'), 'unix', '... with a part of its name from the path');
is(answer('/ur/x')->status, 503, 'a relative socket path is below DefaultRuntimeDir');
like($s->error_log, qr/\Q@{[$s->root]}\E\/run\/be\.sock/, '... as the log says');

is(answer('/bal/x')->status, 503, 'balancer:// goes to the balancer');
like($s->error_log, qr{balancer://some\b}, '... by its name in small letters');

# the worker: the parameters of a configured URL that is a prefix
$b->script('/r/slow/x', "recv body\nhold\n");
$b->script('/r/other/x', "recv body\nsend \"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok\"\n");
is(answer('/p/other/x')->body, 'ok', 'a rewritten URL outside every worker');
is(answer('/p/slow/x')->status, 504, 'a rewritten URL below a worker has its timeout');

# connections are shared with ProxyPass to the same place
$b->reset;
my $c = RProxy::Client->new($s);
for my $path ('/pass/1', '/p/2', '/case/3', '/pass/4') {
    $c->request('GET', $path);
    $c->response;
}
my %conns = map { $_->{conn} => 1 } grep { $_->{target} !~ /^\/Case/ } $b->requests;
is(scalar(keys %conns), 1, '[P] and ProxyPass to one place share a connection');
is(scalar($b->requests), 4, '... and all arrived');
