# SPDX-License-Identifier: Apache-2.0
# What holds where: main server, virtual host, Location, <Proxy>; seen in what the backend and the client get.
use strict;
use warnings;
use Apache::Test qw(-withtestmore);
use RProxy::Env qw(needs);
use RProxy::Server;
use RProxy::Backend;
use RProxy::Client qw(get);

my $b = RProxy::Backend->new;
my $u = $b->url;
my $p = $b->port;

# [port, path, [field => pattern that the backend's request must match, ...], title]
my @rows = (
    ['main', '/a/x',   [Host => "^127.0.0.1:$p\$", Via => '^$', 'Max-Forwards' => '^9$', 'X-Forwarded-For' => '^127'], 'main server'],
    ['v',    '/a/x',   [Host => '^front.test$'], 'ProxyPreserveHost of the virtual host'],
    ['v',    '/a/x',   [Via => '^1.1 v.test(:\d+)?$'], 'ProxyVia of the virtual host'],
    ['v',    '/a/x',   ['Max-Forwards' => '^9$'], 'ProxyMaxForwards is inherited'],
    ['v',    '/a/x',   ['X-Forwarded-For' => '^127'], 'ProxyAddHeaders is inherited (default)'],
    ['v',    '/a/loc', [Host => "^127.0.0.1:$p\$", 'X-Forwarded-For' => '^$'], 'the Location has the last word'],
    ['v',    '/a/sec', [Host => "^127.0.0.1:$p\$"], '<Proxy> over the virtual host'],
    ['v',    '/a/sec/loc', [Host => '^front.test$'], 'Location over <Proxy>'],
    ['v',    '/a/wild/x', ['X-Forwarded-For' => '^$'], '<Proxy> with wildcards'],
    ['v',    '/a/match/x', ['X-Forwarded-For' => '^$'], '<ProxyMatch>'],
    ['v',    '/a/tilde/x', ['X-Forwarded-For' => '^$'], '<Proxy ~>'],
    ['w',    '/a/x',   [Host => "^127.0.0.1:$p\$", Via => '^$', 'Max-Forwards' => '^3$'], 'another virtual host'],
    ['w',    '/a/x',   ['X-Forwarded-Proto' => '^http$'], 'RProxyForwardedProto of a virtual host'],
    ['main', '/a/x',   ['X-Forwarded-Proto' => '^$'], '... is off by default'],
    ['none', '/a/x',   ['Max-Forwards' => '^9$'], 'a virtual host without a line of ours'],
);
# [port, path, status, title]
my @status = (
    ['main', '/a/x?status=404', 404, 'no ProxyErrorOverride'],
    ['v',    '/err?status=404',     404, 'ProxyErrorOverride with codes: a listed one', 'ours'],
    ['v',    '/err?status=500',     500, '... one that is not listed', 'theirs'],
    ['v',    '/err/in?status=500',  500, 'a section inside adds its codes', 'ours'],
    ['v',    '/err/in?status=404',  404, '... and keeps those of the outer one', 'ours'],
    ['v',    '/err/in/off?status=404', 404, '... Off inside', 'theirs'],
    ['v',    '/errall?status=503',  503, 'without codes: all', 'ours'],
    ['v',    '/a/denied/x',         403, '<Proxy> with Require'],
    ['main', '/block',              403, 'ProxyBlock of the main server'],
    ['v',    '/block',              403, '... holds in a virtual host'],
    ['v',    '/vblock',             403, '... which adds its own'],
    ['x',    '/slow/x',             403, 'by the address of the name that is blocked'],
    ['x',    '/member',             403, 'a member of a balancer too'],
    ['x',    '/sock',               503, '... but no unix socket'],
    ['main', '/vblock',             503, '... for itself alone'],
    ['main', '/slow?wait=never',    504, 'ProxyTimeout of the main server'],
    ['w',    '/slow?wait=never',    502, 'RProxyTimeoutStatus of a virtual host'],
);
plan tests => @rows + 2 * @status, need {needs(qw(rproxy))};

my $s = RProxy::Server->new(config => <<"EOF");
Listen 127.0.0.1:__PORT_v__
Listen 127.0.0.1:__PORT_w__
Listen 127.0.0.1:__PORT_x__
Listen 127.0.0.1:__PORT_none__
ProxyMaxForwards 9
ProxyBlock blocked.invalid
ProxyTimeout 1
ProxyPass /a $u/a
ProxyPass /slow $u/slow
ProxyPass /block http://blocked.invalid/
ProxyPass /vblock http://localhost:1/
<VirtualHost 127.0.0.1:__PORT_v__>
    ServerName v.test
    ProxyPreserveHost On
    ProxyVia On
    ProxyBlock localhos
    ProxyPass /err $u/err
    ProxyPass /errall $u/errall
    <Location /a/loc>
        ProxyPreserveHost Off
        ProxyAddHeaders Off
    </Location>
    <Proxy $u/a/sec>
        ProxyPreserveHost Off
    </Proxy>
    <Location /a/sec/loc>
        ProxyPreserveHost On
    </Location>
    <Proxy "$u/a/w?ld/*">
        ProxyAddHeaders Off
    </Proxy>
    <ProxyMatch "/a/m[a]tch/">
        ProxyAddHeaders Off
    </ProxyMatch>
    <Proxy ~ "/a/t[i]lde/">
        ProxyAddHeaders Off
    </Proxy>
    <Proxy $u/a/denied>
        Require all denied
    </Proxy>
    <Location /err>
        ProxyErrorOverride On 404
    </Location>
    <Location /err/in>
        ProxyErrorOverride On 500
    </Location>
    <Location /err/in/off>
        ProxyErrorOverride Off
    </Location>
    <Location /errall>
        ProxyErrorOverride On
    </Location>
</VirtualHost>
<VirtualHost 127.0.0.1:__PORT_w__>
    ServerName w.test
    ProxyMaxForwards 3
    RProxyTimeoutStatus 502
    RProxyForwardedProto set
</VirtualHost>
<VirtualHost 127.0.0.1:__PORT_x__>
    ServerName x.test
    ProxyBlock localhost
    BalancerMember balancer://blocked $u
    ProxyPass /member balancer://blocked
    ProxyPass /sock unix:none.sock|http://sock/
</VirtualHost>
<VirtualHost 127.0.0.1:__PORT_none__>
    ServerName none.test
</VirtualHost>
EOF

sub fetch {
    my ($port, $path) = @_;
    return RProxy::Client->one($s, 'GET', $path, host => 'front.test', $port eq 'main' ? () : (port => $port));
}

for my $row (@rows) {
    my ($port, $path, $want, $title) = @$row;
    my $answer = fetch($port, $path);
    my $head   = $answer->status == 200 ? $b->last_request->{head} : '';
    my @bad    = $answer->status == 200 ? () : ('status ' . $answer->status);
    my @want   = @$want;
    while (my ($field, $pattern) = splice @want, 0, 2) {
        my ($value) = $head =~ /^\Q$field\E: (.*?)\r$/mi;
        push @bad, "$field: " . ($value // '') if ($value // '') !~ /$pattern/;
    }
    is("@bad", '', "$title ($port $path)");
}
for my $row (@status) {
    my ($port, $path, $status, $title, $whose) = @$row;
    my $answer = fetch($port, $path);
    is($answer->status, $status, "$title ($port $path)");
    is($answer->body =~ /<html|<!DOCTYPE/i ? 'ours' : 'theirs', $whose // ($status == 404 ? 'theirs' : 'ours'), '... and its page');
}
