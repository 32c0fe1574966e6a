# SPDX-License-Identifier: Apache-2.0
# Which worker, and so which parameters, a request gets. disablereuse=On is what is looked at: the backend then reads
# "Connection: close".
use strict;
use warnings;
use Apache::Test qw(-withtestmore);
use RProxy::Env qw(needs temp_dir wait_until);
use RProxy::Server;
use RProxy::Backend;
use RProxy::Client qw(get);

my @rows = (
    # path => closes?, what is tested
    ['/plain/x',     0, 'no parameters'],
    ['/own/x',       1, 'a line with parameters has its own worker although an earlier one has the same URL'],
    ['/plain/y',     0, '... which keeps its own'],
    ['/first/x',     1, 'a line with parameters, first of its URL'],
    ['/second/x',    1, 'a later line without any shares it'],
    ['/deeper/x',    1, 'a later line without any whose URL is below shares it'],
    ['/aside/x',     0, 'a URL that is not below does not'],
    ['/inherit/x',   1, 'a line with other parameters starts from what it would have shared'],
    ['/contrary/x',  0, '... and its own word wins'],
    ['/set/x',       1, 'ProxySet with a URL'],
    ['/setbelow/x',  1, 'ProxySet with a URL below that of a worker sets that worker'],
    ['/sec/x',       1, '<Proxy url key=value> after the ProxyPass'],
    ['/secb/x',      1, '<Proxy url key=value> before the ProxyPass'],
    ['/inside/x',    1, 'ProxySet inside <Proxy>'],
    ['/part/deep/x', 1, '<Proxy> of a URL below that of the rule: its worker for what is below'],
    ['/part/x',      0, '... and not for the rest'],
    ['/loc/x',       1, 'ProxyPass in a Location'],
    ['/re/x',        1, 'ProxyPassMatch with $1 in the path'],
    ['/re2/x',       0, '... without parameters'],
    ['/any/x',       1, 'ProxyPassMatch whose port varies'],
    ['/any2/x',      0, '... without parameters'],
    ['/rw/x',        1, 'RewriteRule [P] finds a worker by its URL'],
    ['/rwno/x',      0, '... and not another one'],
);
plan tests => @rows + 27, need {needs(qw(rproxy rewrite))};

my $dir = temp_dir('sockets');
chmod 0755, $dir;
my $b  = RProxy::Backend->new(unix => "$dir/one.sock");
my $b2 = RProxy::Backend->new(unix => "$dir/two.sock");
my $u  = $b->url;
my $p  = $b->port;
chmod 0777, "$dir/one.sock", "$dir/two.sock";

my $s = RProxy::Server->new(modules => [qw(rewrite)], config => <<"EOF");
ProxyPass /plain $u/plain
ProxyPass /own $u/plain disablereuse=On
ProxyPass /first $u/first disablereuse=On
ProxyPass /second $u/first
ProxyPass /deeper $u/first/deeper
ProxyPass /aside $u/fir
ProxyPass /inherit $u/first/inherit timeout=7
ProxyPass /contrary $u/first/contrary disablereuse=Off
ProxyPass /set $u/set/a
ProxySet $u/set/a disablereuse=On
ProxyPass /setbelow $u/set/b
ProxySet $u/set/b/x disablereuse=On
ProxyPass /sec $u/sec
<Proxy $u/sec disablereuse=On>
</Proxy>
<Proxy $u/before disablereuse=On>
</Proxy>
ProxyPass /secb $u/before
ProxyPass /inside $u/inside
<Proxy $u/inside>
    ProxySet timeout=5 disablereuse=On
</Proxy>
ProxyPass /part $u/part
<Proxy $u/part/deep disablereuse=On>
</Proxy>
<Location /loc>
    ProxyPass $u/loc disablereuse=On
</Location>
ProxyPassMatch ^/re/(.*)\$ $u/re/\$1 disablereuse=On
ProxyPassMatch ^/re2/(.*)\$ $u/ree/\$1

ProxyPassMatch ^/any(/.*)\$ http://127.0.0.1:$p\$1 disablereuse=On
ProxyPassMatch ^/any2(/.*)\$ http://127.0.0.1:$p\$1
RewriteEngine On
RewriteRule ^/rw/(.*)\$ $u/first/\$1 [P]
RewriteRule ^/rwno/(.*)\$ $u/nobody/\$1 [P]
ProxyPass /one unix:$dir/one.sock|http://same
ProxyPass /two unix:$dir/two.sock|http://same
ProxyPass /rel unix:rel.sock|http://same
ProxyPass /tcp $u/
EOF

# Did the backend read "Connection: close"?
sub closes {
    my ($path) = @_;
    my $answer = get($s, $path);
    return 'status ' . $answer->status if $answer->status != 200;
    return $b->last_request->{head} =~ /^Connection: close\r$/mi ? 1 : 0;
}

is(closes($_->[0]), $_->[1], "$_->[2]: $_->[0]") for @rows;

# sockets
$_->reset for $b, $b2;
is(get($s, '/one/x')->body, "GET /x\n", 'a socket');
is(get($s, '/two/y')->body, "GET /y\n", 'another socket with the same URL behind it');
is(join(' ', map { $_->{target} } $b->requests),  '/x', 'the first got its own');
is(join(' ', map { $_->{target} } $b2->requests), '/y', 'the second got its own');
my $b3 = RProxy::Backend->new(unix => $s->root . '/run/rel.sock');
chmod 0777, $s->root . '/run/rel.sock';
is(get($s, '/rel/z')->body, "GET /z\n", 'a relative socket path begins at DefaultRuntimeDir');
is(join(' ', map { $_->{target} } $b3->requests), '/z', '... and is that socket');

# inheritance: main server's rules and workers, virtual hosts
my $v = RProxy::Server->new(modules => [qw(rewrite)], config => <<"EOF");
Listen 127.0.0.1:__PORT_on__
Listen 127.0.0.1:__PORT_one__
Listen 127.0.0.1:__PORT_off__
Listen 127.0.0.1:__PORT_same__
ProxyPass /main $u/main disablereuse=On
ProxyPass /hide $u/hiding
<VirtualHost 127.0.0.1:__PORT_on__>
    ProxyPass /hide/more $u/never
    ProxyPass /own $u/own
    RewriteEngine On
    RewriteRule ^/rw/(.*)\$ $u/main/\$1 [P]
</VirtualHost>
<VirtualHost 127.0.0.1:__PORT_one__>
    ProxyPassInherit Off
    RewriteEngine On
    RewriteRule ^/rw/(.*)\$ $u/main/\$1 [P]
</VirtualHost>
<VirtualHost 127.0.0.1:__PORT_off__>
    ProxyPassInherit Off
    BalancerInherit Off
    RewriteEngine On
    RewriteRule ^/rw/(.*)\$ $u/main/\$1 [P]
</VirtualHost>
<VirtualHost 127.0.0.1:__PORT_same__>
    ProxyPass /mine $u/main
    RewriteEngine On
    RewriteRule ^/rw/(.*)\$ $u/main/\$1 [P]
</VirtualHost>
EOF
sub seen {
    my ($port, $path) = @_;
    my $answer = RProxy::Client->one($v, 'GET', $path, port => $port);
    return 'status ' . $answer->status if $answer->status != 200;
    my $last = $b->last_request;
    return $last->{target} . ($last->{head} =~ /^Connection: close\r$/mi ? ' closes' : '');
}
is(seen('on', '/own/x'),       '/own/x',         'virtual host: its own rule');
is(seen('on', '/main/x'),      '/main/x closes', '... the main rules with their workers');
is(seen('on', '/hide/more/x'), '/hiding/more/x', '... which come first');
is(seen('on', '/rw/x'),        '/main/x closes', '... and [P] finds the main workers');
is(seen('one', '/main/x'), '/main/x closes', 'ProxyPassInherit Off alone: rules');
is(seen('one', '/rw/x'),   '/main/x closes', '... and workers');
is(seen('off', '/main/x'), '/main/x closes', 'both Inherit switches Off: the main rules are there');
is(seen('off', '/rw/x'),   '/main/x',        '... [P] does not find the main workers');
is(seen('same', '/mine/x'), '/main/x', 'a virtual host with a worker of the same URL: its own');
is(seen('same', '/rw/x'),   '/main/x', '... which [P] finds before the main one');

# messages
my ($good, $text) = $s->configtest(<<"EOF");
LogLevel info
ProxyPass /a $u/x
ProxyPass /b $u/x/y timeout=5
ProxyPass /c/ http://127.0.0.1:1
ProxyPass /d/ http://127.0.0.1:1/d
ProxyPass /e http://127.0.0.1:1/e/
ProxyPass f http://127.0.0.1:1/f
ProxyPass /g http://127.0.0.1:1/g?x
ProxyPassMatch ^/i http://127.0.0.1:1/\${i}
ProxyTimeout 500ms
<Location "/x*">
    ProxyPass http://127.0.0.1:1/x
    ProxyPass http://127.0.0.1:1/y
</Location>
EOF
like($text, qr/RP0011: \S+test\.conf:\d+: \S+\/x\/y: the parameters hold for this line alone; what it does not say is as for \S+\/x \(\S+test\.conf:\d+\)/, 'a line with a worker of its own');
like($text, qr/RP0018: \S+test\.conf:\d+: "http:\/\/127\.0\.0\.1:1" has no path/, 'a target without path');
like($text, qr/RP0015: \S+test\.conf:\d+: "\/d\/" and "\S+\/d": what follows the path is glued/, 'path with, target without a slash');
like($text, qr/RP0015: \S+test\.conf:\d+: "\/e" and "\S+\/e\/": the backend gets "\/\/"/, 'path without, target with a slash');
like($text, qr/RP0013: \S+test\.conf:\d+: the path "f" does not start/, 'a path that never matches');
like($text, qr/RP0014: \S+test\.conf:\d+: the '\?' in "\S+g\?x" becomes %3F/, 'a query in the target');
like($text, qr/RP0012: \S+test\.conf:\d+: "\S*\$\{i\}": \$\{\.\.\.\} is sent as it stands/, 'a variable without interpolate');
like($text, qr/RP0010: .*"500ms": the unit counts here.*500 seconds.*RP0016: \S+test\.conf:\d+: ProxyPass reads <Location "\/x\*"> as a regular expression.*RP0017: \S+test\.conf:\d+: the second ProxyPass of this Location replaces the first \(\S+test\.conf:\d+\)/s, 'units, wildcards and two in one Location');

# ... once for each start
my $once = RProxy::Server->new(config => "ProxyDomain .example\nProxyPass /d/ http://127.0.0.1:1/d\n");
$once->wait_log(qr/resuming normal operations/);
is(() = ($once->error_log . $once->stderr) =~ /RP0032/g, 1, 'a notice is logged once at startup');
is(() = ($once->error_log . $once->stderr) =~ /RP0015/g, 1, '... and a warning');
$once->graceful;
ok(wait_until(10, sub { (() = $once->error_log =~ /RP0032/g) == 2 }), '... and again with a new configuration');
