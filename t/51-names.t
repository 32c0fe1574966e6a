# SPDX-License-Identifier: Apache-2.0
# The names of httpd's own proxy modules: whoever asks for them finds this one, whoever is one is refused.
use strict;
use warnings;
use Apache::Test qw(-withtestmore);
use RProxy::Env qw(needs module_file own_module_file);
use RProxy::Server;
use RProxy::Backend;
use RProxy::Client qw(get);

# name by file, by symbol, and whether somebody answers to it: with all modules, with the core alone
my @names = (
    [qw(mod_proxy.c proxy_module 1 1)],
    [qw(mod_proxy_http.c proxy_http_module 1 1)],
    [qw(mod_proxy_wstunnel.c proxy_wstunnel_module 1 1)],
    [qw(mod_proxy_balancer.c proxy_balancer_module 1 0)],
    [qw(mod_proxy_hcheck.c proxy_hcheck_module 1 0)],
    [qw(mod_lbmethod_byrequests.c lbmethod_byrequests_module 1 0)],
    [qw(mod_lbmethod_bytraffic.c lbmethod_bytraffic_module 1 0)],
    [qw(mod_lbmethod_bybusyness.c lbmethod_bybusyness_module 1 0)],
    [qw(mod_lbmethod_heartbeat.c lbmethod_heartbeat_module 0 0)],
    [qw(mod_proxy_fcgi.c proxy_fcgi_module 0 0)],
    [qw(mod_proxy_ajp.c proxy_ajp_module 0 0)],
    [qw(mod_proxy_http2.c proxy_http2_module 0 0)],
    [qw(mod_proxy_connect.c proxy_connect_module 0 0)],
    [qw(mod_proxy_ftp.c proxy_ftp_module 0 0)],
);
my @leftovers = grep { module_file($_) } qw(proxy proxy_http proxy_balancer proxy_hcheck proxy_wstunnel
    proxy_ajp proxy_fcgi proxy_express lbmethod_byrequests lbmethod_bytraffic);
my @orders = (
    [qw(rproxy rproxy_reverse rproxy_balancer)],
    [qw(rproxy_balancer rproxy_reverse rproxy)],
    [qw(rproxy_reverse rproxy rproxy_balancer)],
);
plan tests => 4 * @names + 2 * (3 + @leftovers) + @orders + 47, need {needs(qw(rproxy rewrite info mime proxy proxy_http))};

my $t = RProxy::Server->new(start => 0, modules => [qw(rewrite mime)]);

# Does <IfModule> see a name?
sub sees {
    my ($server, $name) = @_;
    my ($good, $text) = $server->configtest("<IfModule $name>\nNoSuchDirective\n</IfModule>\n");
    return $good ? 0 : $text =~ /NoSuchDirective/ ? 1 : $text;
}

my $core = RProxy::Server->new(start => 0, ours => ['rproxy']);
for my $row (@names) {
    my ($file, $symbol, $all, $alone) = @$row;
    is(sees($t,    $file),   $all,   "<IfModule $file>");
    is(sees($t,    $symbol), $all,   "<IfModule $symbol>");
    is(sees($core, $file),   $alone, "<IfModule $file> with the core alone");
    is(sees($core, $symbol), $alone, "<IfModule $symbol> with the core alone");
}

# the old modules beside ours, loaded before and after them
sub load { my ($name) = @_; return "LoadModule ${name}_module " . module_file($name) . "\n" }
for my $name (@leftovers) {
    my $lines = join '', map { load($_) } $name eq 'proxy' ? 'proxy' : ('proxy', $name);
    $lines = load('slotmem_shm') . $lines if $name eq 'proxy_balancer' && module_file('slotmem_shm');
    for my $where (qw(behind before)) {
        my $server = RProxy::Server->new(
            start => 0,
            top   => $where eq 'before' ? $lines : ''
        );
        my ($good, $text) = $server->configtest($where eq 'behind' ? $lines : '');
        my $line = quotemeta 'remove the line "LoadModule ' . "${name}_module " . module_file($name) . '"';
        like($text, qr/RP0001: mod_$name\.c can not run beside mod_rproxy.*$line/, "mod_$name $where ours: the line to remove");
        if ($name eq 'proxy') {
            ok(!$good, '... and it is refused');
            unlike($text, qr/remove the line "LoadModule rproxy/, '... and no line of ours is named');
            is(() = $text =~ /RP0001/g, 1, '... and only that one');
        }
    }
}

for my $order (@orders) {
    my $server = RProxy::Server->new(start => 0, ours => $order);
    my ($good, $text) = $server->configtest(<<'EOF');
<Proxy balancer://c>
    BalancerMember http://127.0.0.1:1
</Proxy>
ProxyPass /x balancer://c/
ProxyPassReverse /x balancer://c/
EOF
    ok($good, "LoadModule in the order @$order") or diag($text);
}

# a missing sister
{
    my $server = RProxy::Server->new(start => 0, ours => ['rproxy']);
    for my $line (
        'ProxyPass /x balancer://c/',
        'BalancerMember balancer://c http://127.0.0.1:1',
        "<Proxy balancer://c>\nProxySet lbmethod=byrequests\n</Proxy>",
        'ProxyPassMatch ^/(.*)$ balancer://$1/',
        )
    {
        my ($good, $text) = $server->configtest("$line\n");
        ok(!$good, 'refused without mod_rproxy_balancer: ' . $line =~ s/\s+/ /gr);
        like($text, qr/RP0006: .*test\.conf:\d+: .*"LoadModule rproxy_balancer_module modules\/mod_rproxy_balancer\.so"/, '... with the line to add');
    }
    for my $line (
        'ProxyPassReverse /x http://127.0.0.1/',
        'ProxyPassReverseCookieDomain a b',
        'ProxyPassReverseCookiePath /a /b',
        )
    {
        my ($good, $text) = $server->configtest("$line\n");
        ok(!$good, "refused without mod_rproxy_reverse: $line");
        like($text, qr/needs mod_rproxy_reverse, .*"LoadModule rproxy_reverse_module modules\/mod_rproxy_reverse\.so"/, '... with the line to add');
    }
    my ($good, $text) = $server->configtest("ProxyPass /x balancer://c/\nProxyPass /y balancer://c/\n<VirtualHost 127.0.0.1:1>\nProxyPass /z balancer://c/\n</VirtualHost>\n");
    is(() = $text =~ /RP0006/g, 1, 'one sentence for many lines');
    ($good, $text) = $server->configtest("ProxyPass /x http://127.0.0.1:1/\n<Proxy *>\nRequire all granted\n</Proxy>\n");
    ok($good, 'the core alone is enough for a backend') or diag($text);
}

# log levels: all names mean this module's level
{
    my ($good, $text) = $t->configtest("LogLevel proxy:debug proxy_http:trace2 mod_proxy.c:debug proxy_balancer:info\n");
    ok($good, 'LogLevel takes the names') or diag($text);
    ($good, $text) = $t->configtest("LogLevel proxy_fcgi:debug\n");
    ok(!$good, 'LogLevel does not take the name of what is not there');
}

# mutexes, and a list of the modules
{
    my ($good, $text) = $t->configtest("Mutex file:__ROOT__/run proxy proxy-balancer-shm\n");
    ok($good, 'Mutex takes the names') or diag($text);
}

# protocols that are not spoken, wherever a configuration says them
my @bad = (
    'SetHandler "proxy:fcgi://127.0.0.1:9000"'                         => 'fcgi',
    "<FilesMatch \\.php\$>\nSetHandler \"proxy:unix:/run/php.sock|fcgi://localhost/\"\n</FilesMatch>" => 'fcgi',
    "<Directory />\n<If \"true\">\nSetHandler proxy:ajp://127.0.0.1\n</If>\n</Directory>"             => 'ajp',
    'RewriteRule ^/x scgi://127.0.0.1:4000/ [P]'                       => 'scgi',
    'RewriteRule ^/x - [L,H=proxy:uwsgi://127.0.0.1:3031]'             => 'uwsgi',
    'RewriteRule ^/x - "[L, handler=proxy:fcgi://127.0.0.1:3031]"'     => 'fcgi',
);
while (my ($line, $scheme) = splice @bad, 0, 2) {
    my ($good, $text) = $t->configtest("RewriteEngine On\n$line\n");
    ok(!$good, 'refused: ' . $line =~ s/\n/ /gr);
    like($text, qr/RP0005: .*test\.conf:\d+: .*the protocol $scheme is not supported/, '... and named');
}
{
    my ($good, $text) = $t->configtest(<<'EOF');
SetHandler "proxy:http://127.0.0.1:1"
AddHandler cgi-script .cgi
SetHandler "proxy:unix:run/app.sock|http://localhost/"
RewriteRule ^/x http://127.0.0.1:1/ [P]
RewriteRule ^/y fcgi://127.0.0.1:1/ [R]
RewriteRule ^/z %{ENV:SCHEME}://127.0.0.1:1/ [P]
EOF
    ok($good, 'what is spoken is taken') or diag($text);
}

# at run time, and after a restart
my $b = RProxy::Backend->new;
my $s = RProxy::Server->new(modules => [qw(rewrite info)], config => <<"EOF");
<Location /modules>
    SetHandler server-info
</Location>
<IfModule mod_proxy.c>
    <IfModule proxy_http_module>
        ProxyPass /if @{[$b->url]}
    </IfModule>
</IfModule>
<IfModule !proxy_module>
    NoSuchDirective
</IfModule>
LogLevel info proxy:trace1
RewriteEngine On
RewriteRule ^/p/(.*) @{[$b->url]}/\$1 [P]
EOF
for my $when ('', ' after a graceful restart', ' after a restart') {
    $s->graceful if $when =~ /graceful/;
    $s->restart  if $when eq ' after a restart';
    $s->mark_log;
    is(get($s, '/if/x')->body, "GET /x\n", "IfModule$when");
    is(get($s, '/p/y')->body,  "GET /y\n", "RewriteRule [P]$when");
    like(get($s, '/modules')->body, qr/mod_proxy\.c.*mod_rproxy\.c.*ProxyPass/s, "mod_info lists the modules$when");
    ok($s->wait_log(qr/\[rproxy:trace1\].*RP\d+/), "LogLevel proxy:trace1 is in force$when");
}

# which version runs: for those who read the log, not for clients
my @versions = $s->error_log =~ /\[rproxy:notice\] .*(RP0242: mod_rproxy [0-9.]+, built with httpd 2\.4\.\d+, is configured)$/mg;
is(@versions, 3, 'the version is told at startup and at each restart, once') or diag(@versions);
unlike(get($s, '/if/x')->raw_head, qr/rproxy/i, 'and not to clients');
my ($good, $said) = $s->configtest;
unlike($said, qr/RP0242/, 'nor by httpd -t');
