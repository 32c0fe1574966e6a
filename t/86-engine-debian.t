# SPDX-License-Identifier: Apache-2.0
# With the modules that Debian enables, and those that most servers add, proxied requests run inline; where a user is asked for they do not.
use strict;
use warnings;
use Apache::Test qw(-withtestmore);
use RProxy::Backend;
use RProxy::Client qw(get);
use RProxy::Env    qw(needs wait_until);
use RProxy::Server;

my @modules = qw(access_compat alias auth_basic authn_core authn_file authz_host authz_user autoindex deflate dir env filter mime
    negotiation reqtimeout setenvif status headers rewrite ssl http2);
plan tests => 7, need { needs('rproxy', 'mpm_event', @modules) };

my $backend = RProxy::Backend->new;
my $server  = RProxy::Server->new(modules => \@modules, loglevel => 'info rproxy:debug', config => <<"CONF");
Protocols h2 h2c http/1.1
RequestReadTimeout header=20-40,minrate=500 body=10,minrate=500
AddOutputFilterByType DEFLATE text/html text/plain text/xml application/javascript
BrowserMatch "Mozilla/2" nokeepalive
Header set X-One 1
RewriteEngine On
RewriteRule ^/old/(.*) /b/\$1 [PT]
ExtendedStatus On
LogFormat "%{X-Test-Id}i %{rproxy-lane}n" lanes
CustomLog "__ROOT__/lanes" lanes
ProxyPass /b @{[$backend->url]}
<Location /b/private>
    AuthType Basic
    AuthName x
    AuthUserFile "__ROOT__/users"
    Require valid-user
</Location>
CONF

sub lane {
    my ($id) = @_;
    return wait_until(10, sub { $server->_read('lanes') =~ /^\Q$id\E (\S+)/m }) && $server->_read('lanes') =~ /^\Q$id\E (\S+)/m ? $1 : 'none';
}

is get($server, '/b/id/1', id => 'plain')->status, 200, 'a proxied request';
is lane('plain'), 'inline', 'runs inline';
my $r = get($server, '/b/bytes/20000', id => 'packed', headers => ['Accept-Encoding', 'gzip']);
is $r->header('Content-Encoding'), 'gzip', 'one whose answer is compressed by type';
is lane('packed'), 'inline', 'runs inline';
get($server, '/old/id/2', id => 'rewritten');
is lane('rewritten'), 'inline', 'one that is rewritten runs inline';
is get($server, '/b/%70rivate/x', id => 'auth')->status, 401, 'one that has to name a user';
is lane('auth'), 'handoff', 'runs on a helper, however its path is written';
