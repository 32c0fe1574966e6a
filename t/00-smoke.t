# SPDX-License-Identifier: Apache-2.0
# The suite's own server runs, serves files and proxies; so does a server made for a test.
use strict;
use warnings;
use Apache::Test qw(-withtestmore);
use RProxy::Backend;
use RProxy::Client qw(get);
use RProxy::Env qw(needs wait_until);
use RProxy::Server;

plan tests => 14, need {needs('rproxy')};

my $port = Apache::Test::vars('port');
my $r    = get($port, '/index.html');
is $r->status, 200, 'the suite\'s httpd answers';
like $r->body, qr/^welcome to /m, 'with a file';

$r = get($port, '/app/id/7', id => 'smoke');
is $r->status, 200, 'a ProxyPass is served';
is $r->body, "id 7 smoke\n", 'by the backend';
is $r->header('X-Backend'), 'smoke', 'that was configured';

my $backend = RProxy::Backend->new;
my $server  = RProxy::Server->new(config => 'ProxyPass /b ' . $backend->url . "\n");
is get($server, '/index.html')->body, "local index\n", 'a server of one\'s own serves files';
$r = get($server, '/b/headers', id => 'own');
is $r->status, 200, 'and proxies';
like $r->body, qr{^GET /headers HTTP/1\.1\r\nHost: 127\.0\.0\.1:}, 'a request for the backend';
is $backend->count('id:own'), 1, 'which arrived once';
is $backend->violations, '', 'and broke no rule';

my ($ok, $text) = $server->configtest("NoSuchDirective on\n");
ok !$ok, 'a bad configuration is refused';
like $text, qr/NoSuchDirective/, 'by name';
ok $server->graceful('ProxyPass /c ' . $backend->url . "\n"), 'graceful restart';
ok wait_until(10, sub { get($server, '/c/id/1')->body eq "id 1 -\n" }), 'to a new configuration';
