# SPDX-License-Identifier: Apache-2.0
# SSLProxy* in the server, in virtual hosts and in <Proxy>: each request is bound with what holds for it, and connections
# that were bound differently are never shared.
use strict;
use warnings;
use Apache::Test qw(-withtestmore);
use RProxy::Env qw(needs wait_until);
use RProxy::Server;
use RProxy::Backend;
use RProxy::Client;
use RProxy::Certs qw(certs);

my $b  = RProxy::Backend->new(tls => 'local');
my $u  = $b->tls_url;
my $ca = certs() . '/ca.crt';
my $no = certs() . '/otherca.crt';

# [port, path, status, title]
my @rows = (
    ['main', '/in/x',    200, '<Proxy> with SSLProxyEngine'],
    ['main', '/out/x',   502, 'a URL outside of it: TLS is not enabled'],
    ['main', '/good/x',  200, '<Proxy> with the right certification authority'],
    ['main', '/bad/x',   502, '<Proxy> with another one'],
    ['main', '/good/x',  200, 'the right one again'],
    ['main', '/bad/x',   502, 'the other one again: no connection was shared'],
    ['main', '/last/x',  200, 'two sections: the last one decides'],
    ['main', '/line/x',  200, '<Proxy url key=value>'],
    ['main', '/match/x', 200, '<ProxyMatch>'],
    ['v',    '/in/x',    200, 'virtual host: a section of the main server'],
    ['v',    '/out/x',   200, "... its own server's settings with a rule of the main server"],
    ['w',    '/out/x',   502, 'another virtual host with another certification authority'],
    ['v',    '/out/x',   200, 'the first again'],
    ['w',    '/out/x',   502, 'the second again: no connection was shared'],
    ['main', '/rw/good/x', 200, 'RewriteRule [P] finds the section'],
    ['main', '/rw/bad/x',  502, '... and that one'],
    ['main', '/re/good/x', 200, 'a destination whose port varies finds the section'],
    ['main', '/re/bad/x',  502, '... and that one'],
);
plan tests => @rows + 3, need {needs(qw(rproxy ssl rewrite socache_shmcb))};

my $port = $b->tls_port;
my $config = <<"EOF";
Listen 127.0.0.1:__PORT_v__
Listen 127.0.0.1:__PORT_w__
ProxyPass /in $u/in
ProxyPass /out $u/out
ProxyPass /good $u/good
ProxyPass /bad $u/bad
ProxyPass /last $u/last
ProxyPass /line $u/line
ProxyPass /match $u/match
ProxyPassMatch ^/re/(.*)\$ https://localhost:$port/\$1
RewriteEngine On
RewriteRule ^/rw/(.*)\$ https://localhost:$port/\$1 [P]
<Proxy $u/in>
    SSLProxyEngine On
</Proxy>
<Proxy $u/good>
    SSLProxyEngine On
    SSLProxyVerify require
    SSLProxyCACertificateFile $ca
</Proxy>
<Proxy "$u/bad*">
    SSLProxyEngine On
    SSLProxyVerify require
    SSLProxyCACertificateFile $no
</Proxy>
<Proxy $u/last>
    SSLProxyEngine On
    SSLProxyVerify require
    SSLProxyCACertificateFile $no
</Proxy>
<Proxy $u/last>
    SSLProxyEngine On
    SSLProxyVerify require
    SSLProxyCACertificateFile $ca
</Proxy>
<Proxy $u/line timeout=5>
    SSLProxyEngine On
</Proxy>
<ProxyMatch "/mat[c]h">
    SSLProxyEngine On
</ProxyMatch>
<VirtualHost 127.0.0.1:__PORT_v__>
    SSLProxyEngine On
    SSLProxyVerify require
    SSLProxyCACertificateFile $ca
</VirtualHost>
<VirtualHost 127.0.0.1:__PORT_w__>
    SSLProxyEngine On
    SSLProxyVerify require
    SSLProxyCACertificateFile $no
</VirtualHost>
EOF
my $s = RProxy::Server->new(modules => [qw(ssl rewrite socache_shmcb)], threads => 1, config => $config);

sub fetch {
    my ($where, $path) = @_;
    return RProxy::Client->one($s, 'GET', $path, $where eq 'main' ? () : (port => $where))->status;
}
is(fetch(@{$_}[0, 1]), $_->[2], "$_->[3]: $_->[1] ($_->[0])") for @rows;

$s->graceful;
is(fetch('main', '/good/x') . fetch('main', '/bad/x'), '200502', 'after a graceful restart');

# settings that mod_ssl can not use
my $broken = RProxy::Server->new(start => 0, modules => [qw(ssl socache_shmcb)], expect_crash => 1, config => <<"EOF");
<Proxy https://localhost:1/>
    SSLProxyEngine On
    SSLProxyCipherSuite NOSUCHCIPHER
</Proxy>
EOF
$broken->start;    # it listens before mod_ssl looks at the settings
ok(wait_until(10, sub { !$broken->alive }), 'a section that mod_ssl refuses: no start');
like($broken->error_log . $broken->stderr, qr/RP0004: the SSLProxy settings of <Proxy "https:\/\/localhost:1\/"> can not be used/, '... and the section is named');
