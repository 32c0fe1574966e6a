# SPDX-License-Identifier: Apache-2.0
# What surrounds a mapped request: <Proxy> sections, unix sockets, and the modules that know the conventions of a proxied
# file name (mod_dir, mod_negotiation, mod_mime, mod_include).
use strict;
use warnings;
use Apache::Test qw(-withtestmore);
use RProxy::Env qw(needs temp_dir);
use RProxy::Server;
use RProxy::Backend;
use RProxy::Client qw(get);

my @modules = qw(headers dir mime negotiation include setenvif);
plan tests => 59, need {needs('rproxy', @modules)};

my $b   = RProxy::Backend->new;
my $u   = $b->url;
my $s   = RProxy::Server->new(modules => \@modules, start => 0);
my $dir = temp_dir('socket');
my $one = RProxy::Backend->new(name => 'one', unix => "$dir/one.sock");
my $two = RProxy::Backend->new(name => 'two', unix => $s->root . '/run/two.sock');

mkdir $s->root . "/htdocs/$_" for qw(index uindex fallback neg);
$s->write_file('htdocs/neg/page.html', "local page\n");
$s->write_file('htdocs/inc.shtml',     qq{<!--#include virtual="/a/in%20c?q=%20" -->\n});
$s->write_file('htdocs/space.shtml',   qq{<!--#include virtual="/a/raw?q= HTTP/1.1" -->\n});
$s->start(<<"EOF") or die $s->stderr . $s->error_log;
ProxyPass /a $u/a
ProxyPass /raw $u/raw nocanon
ProxyPass /index/page $u/idx
ProxyPass /cap HTTP://LocalHost:@{[$b->port]}/cap
ProxyPassMatch "^/capm/(.*)" "http://LOCALHOST:@{[$b->port]}/cap/\$1"
ProxyPass /uindex/page unix:$dir/one.sock|http://localhost/uidx
ProxyPass /neg/page $u/page
ProxyPass /fb $u/fb

# sections
<Proxy $u/a/sec>
Require all denied
</Proxy>
<Proxy $u/a/*.x>
Require all denied
</Proxy>
<Proxy http://localhost:@{[$b->port]}/cap/sec>
Require all denied
</Proxy>
<Proxy HTTP://127.0.0.1:@{[$b->port]}/a/c%61psec>
Require all denied
</Proxy>
<Proxy HTTP://127.0.0.1:@{[$b->port]}/a/esc%61ped%2fx>
Require all denied
</Proxy>
<Proxy http://127.0.0.1:@{[$b->port]}/raw/sec>
Require all denied
</Proxy>
<Proxy http://127.0.0.1:@{[substr $b->port, 0, -1]}>
Header set X-Cut 1
</Proxy>
<Proxy HTTP://127.0.0.1:@{[substr $b->port, 0, -1]}>
Header set X-Wrong 1
</Proxy>
<ProxyMatch "^http://localhost:\\d+/cap/match">
Require all denied
</ProxyMatch>
<Proxy *>
Header set X-All 1
Header set X-Order first
</Proxy>
<Proxy $u/a/order>
Header set X-Order second
</Proxy>
<ProxyMatch "^$u/a/user/(?<who>[a-z]+)/(?<opt>[0-9]+)?">
Header set X-Who "%{MATCH_WHO}e,%{MATCH_OPT}e"
</ProxyMatch>
<ProxyMatch "/a/match\$">
Require all denied
</ProxyMatch>
<Location /a/second>
Require all granted
</Location>
<Files "file*">
Require all denied
</Files>
<Directory "__ROOT__/htdocs/a">
Require all denied
</Directory>

# sockets
ProxyPass /u1 unix:$dir/one.sock|http://localhost/u
ProxyPass /u2 unix:two.sock|http://localhost/u
ProxyPass /u3 unix:$dir/one.sock|http:
ProxyPass /u4 unix:$dir/one.sock|http://
ProxyPass /u5 unix:$dir/one.sock|http://Some.Name:8080/
ProxyPassMatch "^/um/(\\w+)/(.*)" "unix:$dir/\$1.sock|http://localhost/\$2"
ProxyPassMatch "^/uall/(.*)/x" "unix:$dir/\$1.sock|http://localhost/"
ProxyPassMatch "^/ub/(.*)" "unix:$dir/on\\e.sock|http://localhost/\$1"
ProxyPassInterpolateEnv On
SetEnvIf X-Socket (.*) SOCKET=\$1
ProxyPass /uv "unix:$dir/\${SOCKET}.sock|http://localhost/uv" interpolate
ProxyPass /uw "\${SOCKET}:$dir/one.sock|http://localhost/uv" interpolate

# other modules
<DirectoryMatch "^__ROOT__/htdocs/u?index">
DirectoryIndex page
</DirectoryMatch>
<Directory "__ROOT__/htdocs/fallback">
FallbackResource /fb/all?x=%20
</Directory>
<Directory "__ROOT__/htdocs/neg">
Options +MultiViews
</Directory>
AddOutputFilter INCLUDES .shtml
<Directory "__ROOT__/htdocs">
Options +Includes
</Directory>
EOF

sub answer { return RProxy::Client->one($s, 'GET', @_) }

# What the backend saw as request target, or the status when it saw nothing.
sub arrives {
    my $answer = answer(@_);
    return $answer->status == 200 && $answer->body =~ /^GET (.*)\n\z/ ? $1 : $answer->status;
}

# sections
is(answer('/a/x')->header('X-All'), 1, '<Proxy *> applies');
is(answer('/')->header('X-All'), undef, '... to proxied requests only');
is(arrives('/a/sec'),    403, '<Proxy url> applies');
is(arrives('/a/secret'), 403, '... to every URL that begins so');
is(arrives('/a/Sec'), '/a/Sec', '... with capitals as written');
is(arrives('/a/%73ec'),  403, '... seen decoded');
is(arrives('/a/second'), '/a/second', '<Location> overrides it');
is(arrives('/cap/secret'), 403, '<Proxy> in lower case for a line with capitals in scheme and host');
is(arrives('/capm/secret'), 403, '... also where the destination is made for the request');
is(arrives('/cap/match'), 403, '<ProxyMatch> too');
is(arrives('/cap/open'), '/cap/open', '... and nothing else');
is(arrives('/a/capsec/x'), 403, 'a section with capitals and escapes applies');
is(arrives('/a/escaped/x'), '/a/escaped/x', 'an escaped slash in a section is no slash');
is(arrives('/raw/secret'), 403, 'nocanon: <Proxy> applies');
is(arrives('/raw/%73%65cret'), 403, '... however the client spells it');
is(arrives('/raw/%2573ecret'), '/raw/%2573ecret', '... but to the same path only');
is(answer('/a/x')->header('X-Cut'), 1, 'a section with half a port applies as ever, as it is written');
is(answer('/a/x')->header('X-Wrong'), undef, '... but not in another spelling');
is(arrives('/a/y/z.x'),  403, 'shell wildcards, across slashes');
is(arrives('/a/z.xy'), '/a/z.xy', '... of the whole URL');
is(arrives('/a/match'), 403, '<ProxyMatch>');
is(arrives('/a/matched'), '/a/matched', '... that does not match');
is(answer('/a/order')->header('X-Order'), 'second', 'the later section wins');
is(answer('/a/user/joe/7')->header('X-Who'), 'joe,7', 'named groups are in the environment');
is(answer('/a/user/joe/')->header('X-Who'), 'joe,(null)', '... those that took part');
is(arrives('/a/file'), '/a/file', '<Directory> and <Files> do not apply');

# sockets
my $r = answer('/u1/x');
is($r->header('X-Backend'), 'one', 'a unix socket');
is($r->body, "GET /u/x\n", '... and its path');
is(answer('/u2/x')->header('X-Backend'), 'two', 'another socket with the same URL, relative to DefaultRuntimeDir');
is(answer('/u1/x')->header('X-Backend'), 'one', '... and the first again');
is(arrives('/u3/x'), '/x', '|http: has no host');
like($one->last_request->{head}, qr/^Host: localhost\r$/m, '... and gets localhost');
is(arrives('/u4/x'), '/x', '|http:// has none either');
is(arrives('/u5/x'), '//x', '|http://Some.Name:8080/');
like($one->last_request->{head}, qr/^Host: some\.name:8080\r$/m, '... gives the Host');
is(answer('/um/one/x')->header('X-Backend'), 'one', 'a capture in the socket path');
is(arrives('/um/one/unix:/a%7Chttp:'), '/unix:/a%7Chttp:', '... and one in the path may hold anything');
is(answer('/uall/one/x')->header('X-Backend'), 'one', 'a capture in the socket path that takes all');
is(answer('/ub/x')->header('X-Backend'), 'one', 'a backslash in the socket path makes the next byte ordinary');
is(answer("/uall/$_/x")->status, 500, "... but not $_")
    for 'one.sock%7Chttp://127.0.0.1/', 'x/%2e%2e;/one', 'o%20ne', 'o%0ane';
is(answer('/uv/x', headers => ['X-Socket', 'one'])->header('X-Backend'), 'one', 'a variable in the socket path');
is(answer('/uv/x', headers => ['X-Socket', 'one.sock|http://127.0.0.1/'])->status, 500, '... does not end it');
is(answer('/uv/x', headers => ['X-Socket', '../one'])->status,                     500, '... nor climb');
is(answer('/uw/x', headers => ['X-Socket', 'unix'])->status, 400, 'a variable does not say unix:');

# other modules
is(arrives('/index/'),       '/idx',       'DirectoryIndex that is proxied');
is(arrives('/index/?a%20b'), '/idx?a%20b', '... with a query');
is(answer('/uindex/')->header('X-Backend'), 'one', '... by a unix socket');
is(arrives('/fallback/any'), '/fb/all?x=%20', 'FallbackResource that is proxied');
is(answer('/neg/page.html')->body, "local page\n", 'a file beside a proxied path');
is(arrives('/neg/page'), '/page', 'a proxied path is not negotiated');
is(answer('/inc.shtml')->body, "GET /a/in%20c?q=%20\n\n", 'included by SSI: encoded once');
$b->reset;
like(answer('/space.shtml')->body, qr/error occurred/, 'a query that does not fit in a request line is refused');
is(scalar($b->requests), 0, '... and not sent');
like($s->error_log, qr{RP0105: the query to send, "q= HTTP/1\.1"}, '... as the log says');
$b->raw_answer($_, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi") for '/a/notype.html', '/raw/notype.html';
is(answer('/a/notype.html')->header('Content-Type'), 'text/html', 'without Content-Type: by the extension of the URL');
is(answer('/raw/notype.html?x.txt')->header('Content-Type'), 'text/html', '... of its path, also with nocanon');
