# SPDX-License-Identifier: Apache-2.0
# ProxyPassReverse: URLs in response fields that name the backend name the proxy instead. What the
# strings become in detail is in t/unit/reverse; here: which lines hold for a request, which fields
# are mapped, what an absolute URL is made of.
use strict;
use warnings;
use Apache::Test qw(-withtestmore);
use RProxy::Env qw(needs);
use RProxy::Server;
use RProxy::Backend;
use RProxy::Client qw(get);

# virtual host, path, value of Location, what the client gets (none: the same)
my @rows = (
    [qw(url /x http://back.example/app/y?z http://url.test/pub/y?z)],
    [qw(url /x http://back.example/app http://url.test/pub)],
    [qw(url /x HTTP://BACK.example:80/APP/Y http://url.test/pub/Y)],
    [qw(url /x http://back.example/apple)],
    [qw(url /x http://back.example:8080/app/y)],
    [qw(url /x http://back.example@evil.example/app/y)],
    [qw(url /x http://back.examplex/app/y)],
    [qw(url /x https://back.example/app/y)],
    [qw(url /x //back.example/app/y http://url.test/pub/y)],
    [qw(url /x /app/y)],
    [qw(url /x y)],
    [qw(url /x http://static.example/a https://cdn.test/s/a)],
    [qw(url /x http://socket.example/a http://url.test/sock/a)],
    [qw(url /x http://slash.example/a//b http://url.test/slash/a//b)],
    [qw(url /x http://relative.example/a http://url.test/rel/a)],
    # path form: whatever the host
    [qw(url /x https://elsewhere.example/int/foo http://url.test/p/foo)],
    [qw(url /x /int/foo http://url.test/p/foo)],
    [qw(url /x /internal/foo)],
    [qw(url /x /y?u=http://h/int/foo)],
    # balancers: every member, one slash where they join
    [qw(url /x http://m1.example:81/y http://url.test/bal/y)],
    [qw(url /x http://m1.example:81//y//z http://url.test/bal//y//z)],
    [qw(url /x https://m2.example/base/y http://url.test/bal/y)],
    [qw(url /x http://m3.example/y http://url.test/bal/y)],
    [qw(url /x http://m1.example:8/y)],
    [qw(url /x https://m2.example/bass/y)],
    [qw(url /x http://d1.example/deep/y http://url.test/part/y)],
    [qw(url /x http://d1.example/Deep/y)],
    [qw(url /x http://none.example/y)],
    # sections: the outer ones first, and only those that the request is in
    [qw(url /loc/x http://loc.example/y http://url.test/loc/y)],
    [qw(url /loc/in/x http://loc.example/in/y http://url.test/loc/in/y)],
    [qw(url /loc/in/x http://in.example/y http://url.test/loc/in/y)],
    [qw(url /loc/x http://in.example/y)],
    [qw(url /locx/x http://loc.example/y)],
    [qw(url /match/x http://match.example/y http://url.test/match/y)],
    [qw(url /regex/x http://regex.example/y)],
    [qw(url /wild/x http://wild.example/y)],
    [qw(url /section/x http://section.example/y)],
    # the main server's lines hold in every virtual host, before its own
    [qw(url /x http://main.example/y http://url.test/main/y)],
    [qw(url /x http://both.example/y http://url.test/main-both/y)],
    [qw(other /x http://main.example/y http://other.test/main/y)],
    [qw(other /x http://back.example/app/y)],
    # UseCanonicalName: the name and port of the configuration
    [qw(canonical /x http://back.example/y https://public.example:8443/c/y)],
    # variables
    [qw(env /x http://one.example/y http://env.test/i/y)],
    [qw(env /x http://two.example/y http://env.test/v2/y)],
    [qw(env /x http://lit.example/y)],
    [qw(env /x http://cluster.example/y http://env.test/ib/y)],
    [qw(env /x http://word.example/y http://env.test/word/y)],
    [qw(env /off/x http://one.example/y)],
);
plan tests => @rows + 54, need {needs(qw(rproxy rproxy_reverse rewrite alias setenvif env))};

my $b = RProxy::Backend->new;
my $u = $b->url;
my $s = RProxy::Server->new(modules => [qw(rewrite alias setenvif env slotmem_shm)], config => <<"EOF");
ProxyPassReverse /main http://main.example/
ProxyPassReverse /main-both http://both.example
<VirtualHost 127.0.0.1:__PORT__>
    ServerName url.test
    ProxyPass /local !
    ProxyPass / $u/
    RewriteEngine On
    RewriteRule ^/rw/(.*) $u/\$1 [P]
    Redirect /local/gone http://back.example/app/y
    ProxyPassReverse /pub http://back.example/app
    ProxyPassReverse /second http://back.example/app
    ProxyPassReverse /vhost-both http://both.example
    ProxyPassReverse https://cdn.test/s http://static.example
    ProxyPassReverse /sock unix:/run/none.sock|http://socket.example/
    ProxyPassReverse /slash/ http://slash.example
    ProxyPassReverse rel http://relative.example
    ProxyPassReverse /p /int
    ProxyPassReverse /bal/ balancer://Cluster
    ProxyPassReverse /part balancer://parts/deep
    ProxyPassReverse /none balancer://none
    ProxyPassReverse /nothing back.example
    <Proxy balancer://cluster>
        BalancerMember http://m1.example:81
        BalancerMember https://m2.example/base/
        BalancerMember unix:/run/none.sock|http://m3.example
    </Proxy>
    <Proxy balancer://parts>
        BalancerMember http://d1.example
    </Proxy>
    <Location /loc>
        ProxyPassReverse http://loc.example/
    </Location>
    <Location /loc/in>
        ProxyPassReverse http://loc.example/in
        ProxyPassReverse http://in.example
    </Location>
    <LocationMatch ^/match>
        ProxyPassReverse http://match.example
    </LocationMatch>
    <LocationMatch "^/(regex)">
        ProxyPassReverse http://regex.example
    </LocationMatch>
    <Location /wild*>
        ProxyPassReverse http://wild.example
    </Location>
    <Proxy $u/section>
        ProxyPassReverse http://section.example
    </Proxy>
    <Location /headers>
        RProxyReverseHeaders X-Goto link
    </Location>
    <Location /headers/more>
        ProxyPassReverse http://more.example
    </Location>
    <Location /headers/none>
        RProxyReverseHeaders None
    </Location>
    <Location /headers/last>
        RProxyReverseHeaders X-Goto
        RProxyReverseHeaders X-Other
    </Location>
    <Location /huge>
        ProxyPassReverse http://h
    </Location>
</VirtualHost>
<VirtualHost 127.0.0.1:__PORT__>
    ServerName other.test
    ProxyPass / $u/
</VirtualHost>
<VirtualHost 127.0.0.1:__PORT__>
    ServerName https://public.example:8443
    ServerAlias canonical.test
    UseCanonicalName On
    ProxyPass / $u/
    ProxyPassReverse /c http://back.example
</VirtualHost>
<VirtualHost 127.0.0.1:__PORT__>
    ServerName env.test
    ProxyPass / $u/
    ProxyPassInterpolateEnv On
    SetEnvIf Host . ONE=one.example TWO=two.example V=v2 LIT=lit.example BAL=cluster
    SetEnvIf X-Public (.+) PUBLIC=\$1
    ProxyPassReverse /i http://\${ONE}/ interpolate
    ProxyPassReverse /\${V} http://\${TWO} Interpolate
    ProxyPassReverse /lit http://\${LIT}
    ProxyPassReverse /empty \${EMPTY} interpolate
    ProxyPassReverse /ib balancer://\${BAL}s interpolate
    ProxyPassReverse /word http://word.example whatever
    ProxyPassReverse /\${PUBLIC} http://public-side.example interpolate
    <Proxy balancer://clusters>
        BalancerMember http://cluster.example
    </Proxy>
    <Location /off>
        ProxyPassInterpolateEnv Off
    </Location>
</VirtualHost>
EOF
my $own = $s->port;

# What a field of the backend became.
sub seen {
    my ($host, $path, $name, $value, @headers) = @_;
    $value =~ s/([^\w.:\/-])/sprintf '%%%02X', ord $1/ge;
    my $r = get($s, "$path?status=302&h=$name:$value", host => "$host.test", headers => \@headers);
    return join ' | ', $r->all($name);
}

for my $row (@rows) {
    my ($host, $path, $value, $want) = @$row;
    is(seen($host, $path, 'Location', $value), $want // $value, "$host.test$path: $value");
}

# the port of the request
is(get($s, '/x?h=Location:http://back.example/app/y', host => "url.test:$own")->header('Location'),
    "http://url.test:$own/pub/y", 'the port that the client uses is in the URL');

# fields
my ($back, $front) = qw(http://back.example/app/y http://url.test/pub/y);
is(seen('url', '/x', $_, $back), $front, $_) for qw(Content-Location URI Destination location);
is(seen('url', '/x', 'X-Goto', $back), $back, 'other fields stay');
is(seen('url', '/x', 'Refresh', "5; url=$back"), "5; url=$front", 'Refresh');
is(seen('url', '/x', 'Link', "<$back>; rel=next, <http://o/>"), "<$front>; rel=next, <http://o/>", 'Link');
is(seen('url', '/x', 'Link', '</int/y>; rel=next'), '<http://url.test/p/y>; rel=next', 'Link with a path');
is(seen('url', '/x', 'Location', "$back%0D"), "$front%0D", 'what is encoded stays so');
is(seen('url', '/headers/x', 'X-Goto', $back), $front, 'RProxyReverseHeaders: a field of one\'s own');
is(seen('url', '/headers/x', 'Link', "<$back>"), "<$front>", 'Link keeps its syntax');
is(seen('url', '/headers/x', 'Location', $back), $back, 'and nothing but the list is mapped');
is(seen('url', '/headers/more/x', 'X-Goto', $back), $front, 'also further in');
is(seen('url', '/headers/none/x', 'X-Goto', $back), $back, 'None');
is(seen('url', '/headers/last/x', 'X-Other', $back), $front, 'the last line of a section');
is(seen('url', '/headers/last/x', 'X-Goto', $back), $back, 'replaces those before it');
my $two = get($s, '/x?h=Link:%3Chttp://back.example/app/1%3E&h=Link:%3Chttp://back.example/app/2%3E', host => 'url.test');
is(join(' ', $two->all('Link')), '<http://url.test/pub/1> <http://url.test/pub/2>', 'each of several fields');

# any status, any way into the proxy, but only the backend's fields
for my $path ('/x?status=201', '/x?status=404', '/rw/x?status=302') {
    is(get($s, "$path&h=Location:$back", host => 'url.test')->header('Location'), $front, $path);
}
is(get($s, '/local/gone', host => 'url.test')->header('Location'), $back, 'not what httpd itself redirects to');

# variables that would break a URL
$s->mark_log;
my @public = ('http://public-side.example/y', 'X-Public');
is(seen('env', '/x', 'Location', @public, 'good'), 'http://env.test/good/y', 'a variable of the client');
for my $bad ('a b', 'a<b', 'a>b', 'a"b', 'a\\b') {
    is(seen('env', '/x', 'Location', @public, $bad), $public[0], "... is not used when it is '$bad'");
}
ok($s->wait_log(qr/:warn\].*RP0609: .*:\d+: not used for this response/), '... and that is logged');
is(seen('env', '/x', 'Location', 'http://one.example/y', 'X-Public' => 'a b'), 'http://env.test/i/y', '... other lines are used');

# interim responses: what 103 names is fetched before the answer is there
$b->raw_answer('/early', "HTTP/1.1 103 Early Hints\r\nLink: <$back/a.css>; rel=preload\r\nLocation: $back\r\nX-Other: $back\r\n\r\n"
        . "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nLink: <$back>\r\n\r\n");
my $early = get($s, '/early', host => 'url.test');
my ($hint) = $early->interim;
is($hint->header('Link'), "<$front/a.css>; rel=preload", 'Link of 103 Early Hints');
is(join(' ', map { $hint->header($_) } qw(Location X-Other)), "$front $back", 'the same fields as in the final response');
is($early->header('Link'), "<$front>", 'which is mapped too, once');

# limits
my $links = join ',', ('<http://h>') x 700;
my $answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nLink: $links\r\nLocation: http://h/y\r\n\r\n";
$b->raw_answer('/huge', $answer);
is(length get($s, '/huge', host => 'url.test')->header('Link'), 700 * length('<http://url.test/huge>') + 699, '700 links');
$s->mark_log;
my $long = 'a' . ('.label' x 16);
my $r    = get($s, '/huge', host => $long);
is($r->status, 200, 'a Host that makes them longer than the limit');
ok($r->header('Link') eq $links, '... leaves the field as it is');
is($r->header('Location'), "http://$long/huge/y", '... and maps the others');
ok($s->wait_log(qr/RP0606: header field Link: "<http:.{0,200}" is left as the backend sent it/), '... and says so, not at full length');

# what is said at startup
my $log = $s->error_log;
like($log, qr/RP0602: \S+:\d+: ProxyPassReverse "back\.example" is neither a URL/, 'warned: matches nothing');
like($log, qr/RP0602: \S+:\d+: ProxyPassReverse "http:\/\/\$\{LIT\}" is neither a URL/, 'warned: a variable without interpolate');
is(scalar(() = $log =~ /RP0602/g), 2, 'and only these, once');
like($log, qr/RP0603: \S+:\d+: the path "rel" of ProxyPassReverse does not start with '\/'/, 'warned: no slash in front');
is(scalar(() = $log =~ /RP0603/g), 1, 'and only that one, once');
like($log, qr/RP0604: \S+:\d+: ProxyPassReverse takes "whatever" for "interpolate"/, 'warned: a word that is not interpolate');
is(scalar(() = $log =~ /RP0604/g), 1, 'and only that one, once');
like($log, qr/RP0605: \S+:\d+: ProxyPassReverse "http:\/\/$_\.example" has no effect/, "warned: no single path, $_") for qw(regex wild section);
is(scalar(() = $log =~ /RP0605/g), 3, 'and only these');
like($log, qr/RP0608: \S+:\d+: ProxyPassReverse "balancer:\/\/none" matches nothing/, 'warned: no such balancer');
is(scalar(() = $log =~ /RP0608/g), 1, 'and only that one, once');

# a graceful restart
ok($s->graceful, 'graceful restart');
is(seen('url', '/x', 'Location', $back), $front, 'mapped as before');
is(seen('url', '/x', 'Location', 'https://m2.example/base/y'), 'http://url.test/bal/y', 'for balancers too');
