# SPDX-License-Identifier: Apache-2.0
# ProxyPassReverseCookieDomain and ProxyPassReverseCookiePath. What an attribute becomes in detail is
# in t/unit/reverse/cookie.c; here: which lines hold for a request, and what becomes of the field.
use strict;
use warnings;
use Apache::Test qw(-withtestmore);
use RProxy::Env qw(needs);
use RProxy::Server;
use RProxy::Backend;
use RProxy::Client qw(get);

# virtual host, path, Set-Cookie of the backend, what the client gets (none: the same)
my @rows = (
    ['c', '/x', 'a=b; Path=/int',                       'a=b; Path=/pub'],
    ['c', '/x', 'a=b; path=/int/x; HttpOnly',           'a=b; path=/pub; HttpOnly'],
    ['c', '/x', 'a=b; Path=/internal'],
    ['c', '/x', 'a=b; Path=/INT'],
    ['c', '/x', 'a=b; Domain=in.example',               'a=b; Domain=out.example'],
    ['c', '/x', 'a=b; domain=.In.Example',              'a=b; domain=out.example'],
    ['c', '/x', 'a=b; Domain=in.example.com'],
    ['c', '/x', 'a=b; Domain=www.in.example'],
    ['c', '/x', 'a=b; Domain=in.example; Path=/int',    'a=b; Domain=out.example; Path=/pub'],
    ['c', '/x', 'a=b; Path=/int; Path=/int/y; Domain=in.example; Path=/z; Domain=in.example',
                'a=b; Path=/pub; Path=/pub; Domain=out.example; Path=/z; Domain=out.example'],
    ['c', '/x', 'a=b; Path="/int/x"; Domain="in.example"', 'a=b; Path="/pub"; Domain="out.example"'],
    ['c', '/x', 'a=b; Path=; Domain='],
    ['c', '/x', 'a=b'],
    # the cookie itself is not an attribute
    ['c', '/x', 'path=/int'],
    ['c', '/x', 'domain=in.example; Path=/int',         'domain=in.example; Path=/pub'],
    # outer lines first, and only those that the request is in
    ['c', '/x', 'a=b; Path=/int/deep',                  'a=b; Path=/pub'],
    ['c', '/x', 'a=b; Path=/main',                      'a=b; Path=/from-main'],
    ['other', '/x', 'a=b; Path=/main',                  'a=b; Path=/from-main'],
    ['other', '/x', 'a=b; Path=/int'],
    ['c', '/loc/x', 'a=b; Path=/own; Domain=own.example', 'a=b; Path=/loc; Domain=loc.example'],
    ['c', '/x', 'a=b; Path=/own; Domain=own.example'],
    ['c', '/section/x', 'a=b; Path=/sec',               'a=b; Path=/from-section'],
    ['c', '/x', 'a=b; Path=/sec'],
    ['root', '/x', 'a=b; Path=/',                       'a=b; Path=/all/'],
    ['root', '/x', 'a=b; Path=/anything',               'a=b; Path=/all/'],
    ['root', '/x', 'a=b; Path=/extra/x',                'a=b; Path=/all/'],
    ['extra', '/x', 'a=b; Path=/e',                     'a=b; Path=/e; SameSite=Lax'],
    # variables
    ['env', '/x', 'a=b; Path=/one; Domain=d.example',   'a=b; Path=/two; Domain=p.example'],
    ['env', '/x', 'a=b; Path=/w',                       'a=b; Path=/word'],
    ['env', '/x', 'a=b; Path=/none'],
    ['env', '/off/x', 'a=b; Path=/one; Domain=d.example'],
);
plan tests => @rows + 12, need {needs(qw(rproxy rproxy_reverse rewrite setenvif headers))};

my $b = RProxy::Backend->new;
my $u = $b->url;
my $s = RProxy::Server->new(modules => [qw(rewrite setenvif headers)], config => <<"EOF");
ProxyPassReverseCookiePath /main /from-main
<VirtualHost 127.0.0.1:__PORT__>
    ServerName c.test
    ProxyPass / $u/
    RewriteEngine On
    RewriteRule ^/rw/(.*) $u/\$1 [P]
    ProxyPassReverseCookieDomain in.example out.example
    ProxyPassReverseCookiePath /int /pub
    ProxyPassReverseCookiePath /int/deep /second
    ProxyPassReverseCookiePath /main /from-vhost
    ProxyPassReverse /huge http://back.example
    ProxyPassReverseCookiePath /huge /@{['h' x 100]}
    <Location /loc>
        ProxyPassReverseCookiePath /own /loc
        ProxyPassReverseCookieDomain own.example loc.example
    </Location>
    <Proxy $u/section>
        ProxyPassReverseCookiePath /sec /from-section
    </Proxy>
    <Location /none>
        RProxyReverseHeaders None
    </Location>
    <Location /always>
        Header always set Set-Cookie "own=1; Path=/int"
    </Location>
</VirtualHost>
<VirtualHost 127.0.0.1:__PORT__>
    ServerName other.test
    ProxyPass / $u/
</VirtualHost>
<VirtualHost 127.0.0.1:__PORT__>
    ServerName root.test
    ProxyPass / $u/
    ProxyPassReverseCookiePath / /all/
</VirtualHost>
<VirtualHost 127.0.0.1:__PORT__>
    ServerName extra.test
    ProxyPass / $u/
    ProxyPassReverseCookiePath /e "/e; SameSite=Lax"
</VirtualHost>
<VirtualHost 127.0.0.1:__PORT__>
    ServerName env.test
    ProxyPass / $u/
    ProxyPassInterpolateEnv On
    SetEnvIf Host . ONE=/one TWO=/two DOM=d PUB=p
    SetEnvIf X-Public (.+) PUBLIC=\$1
    ProxyPassReverseCookiePath \${EMPTY} /from-empty interpolate
    ProxyPassReverseCookiePath \${ONE} \${TWO} interpolate
    ProxyPassReverseCookieDomain \${DOM}.example \${PUB}.example interpolate
    ProxyPassReverseCookiePath /w /word whatever
    ProxyPassReverseCookiePath /given /\${PUBLIC} interpolate
    <Location /off>
        ProxyPassInterpolateEnv Off
    </Location>
</VirtualHost>
EOF

# What the backend's Set-Cookie became.
sub seen {
    my ($host, $path, $value, @headers) = @_;
    $value =~ s/([^\w.:\/-])/sprintf '%%%02X', ord $1/ge;
    my $r = get($s, "$path?h=Set-Cookie:$value", host => "$host.test", headers => \@headers);
    return join ' | ', $r->all('Set-Cookie');
}

for my $row (@rows) {
    my ($host, $path, $value, $want) = @$row;
    is(seen($host, $path, $value), $want // $value, "$host.test$path: $value");
}

my $r = get($s, '/x?h=Set-Cookie:a=1%3BPath=/int&h=Set-Cookie:b=2%3BPath=/x&h=Set-Cookie:c=3%3BPath=/int', host => 'c.test');
is(join(' | ', $r->all('Set-Cookie')), 'a=1;Path=/pub | b=2;Path=/x | c=3;Path=/pub', 'each of several cookies, in their order');
is(seen('c', '/rw/x', 'a=b; Path=/int'), 'a=b; Path=/pub', 'RewriteRule [P]');
is(seen('c', '/none/x', 'a=b; Path=/int'), 'a=b; Path=/pub', 'RProxyReverseHeaders is not about cookies');
is(join(' | ', get($s, '/always/x', host => 'c.test')->all('Set-Cookie')), 'own=1; Path=/int', 'not the cookies of httpd itself');
$r = get($s, '/x?h=Cookie:a%3BPath=/int', host => 'c.test');
is($r->header('Cookie'), 'a;Path=/int', 'no other field');

# variables that would break the field
is(seen('env', '/x', 'a=b; Path=/given', 'X-Public' => 'good'), 'a=b; Path=/good', 'a variable of the client');
$s->mark_log;
is(seen('env', '/x', 'a=b; Path=/given', 'X-Public' => 'x;Domain=evil'), 'a=b; Path=/given', 'is not used when it adds an attribute');
ok($s->wait_log(qr/:warn\].*RP0609: .*:\d+: not used for this response/), 'and that is logged');

# limits
my $cookie = 'a=b' . (';Path=/huge' x 700);
$b->raw_answer('/huge', "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nLocation: http://back.example/y\r\nSet-Cookie: $cookie\r\n\r\n");
$s->mark_log;
$r = get($s, '/huge', host => 'c.test');
ok($r->header('Set-Cookie') eq $cookie, 'a cookie that would grow over the limit stays');
is($r->header('Location'), 'http://c.test/huge/y', 'other fields are mapped');
ok($s->wait_log(qr/RP0606: header field Set-Cookie: "a=b;Path.{0,200}" is left as the backend sent it/), 'and that is logged');

my $log = $s->error_log;
like($log, qr/RP0604: \S+:\d+: ProxyPassReverseCookiePath takes "whatever" for "interpolate"/, 'warned: a word that is not interpolate');
