# SPDX-License-Identifier: Apache-2.0
# Everything around the proxy is httpd: other modules keep working on proxied content.
use strict;
use warnings;
use Apache::Test qw(-withtestmore);
use RProxy::Backend;
use RProxy::Client qw(get post);
use RProxy::Env qw(needs);
use RProxy::Server;

plan tests => 39, need {needs(qw(rproxy headers deflate filter auth_basic authn_core authn_file authz_user rewrite include setenvif
        env alias dir mime substitute))};

my $backend = RProxy::Backend->new;
my $url     = $backend->url;

my $s = RProxy::Server->new(
    modules => [qw(headers deflate filter auth_basic authn_core authn_file authz_user rewrite include setenvif env alias dir mime substitute)],
    config  => <<"CONF");
LogFormat "%s %B %{proxy-status}n %R %{X-Backend}o \\"%r\\" %{MARK}e" proxy
CustomLog __ROOT__/proxy_log proxy
ProxyPass /b $url
DocumentRoot __ROOT__/htdocs
RequestHeader set X-Added yes
Header set X-Mapped "expr=%{resp:X-Backend}"
Header always set X-Always 1
<Location /b/private>
    AuthType Basic
    AuthName secret
    AuthUserFile __ROOT__/users
    Require valid-user
</Location>
<Location /b/deny>
    Require all denied
</Location>
<Location /b/bytes>
    SetOutputFilter DEFLATE
</Location>
<Location /b/echo/in>
    SetInputFilter DEFLATE
</Location>
<Location /b/sub>
    AddOutputFilterByType SUBSTITUTE text/plain
    Substitute "s|GET|got|n"
</Location>
RewriteEngine On
RewriteRule ^/rw/(.*)\$ $url/\$1 [P]
RewriteRule ^/mark/(.*)\$ $url/\$1 [P,E=MARK:seen]
<Directory __ROOT__/htdocs>
    Options +Includes
    AddOutputFilter INCLUDES .shtml
    AddType text/html .shtml
    DirectoryIndex index.html
    Require all granted
</Directory>
ErrorDocument 409 /b/id/error
ProxyErrorOverride On 409
CONF

# users and a page with server-side includes
{
    my $hash = `openssl passwd -apr1 sesame`;
    chomp $hash;
    $s->write_file('users', "joe:$hash\n");
    $s->write_file('htdocs/page.shtml', qq{<p>one <!--#include virtual="/b/id/5" --> two</p>\n});
}

# authentication and access control
my $r = get($s, '/b/private/x');
is $r->status, 401, 'no password: 401';
like $r->header('WWW-Authenticate'), qr/Basic realm="secret"/, 'by httpd';
is $backend->count('requests'), 0, 'and nothing reaches the backend';
$r = get($s, '/b/headers', headers => [Authorization => 'Basic am9lOnNlc2FtZQ==']);
like $r->body, qr/^Authorization: Basic am9lOnNlc2FtZQ==\r$/m, 'Authorization goes on to the backend';
$r = get($s, '/b/private/x', headers => [Authorization => 'Basic am9lOnNlc2FtZQ==']);
isnt $r->status, 401, 'with the password it is proxied';
is get($s, '/b/deny/x')->status, 403, 'Require all denied';

# headers
$r = get($s, '/b/headers');
like $r->body, qr/^X-Added: yes\r$/m, 'RequestHeader reaches the backend';
is $r->header('X-Mapped'), 'backend', 'Header sees the fields of the backend';
is $r->header('X-Always'), 1,         'Header always';

# compression, both ways
$r = get($s, '/b/bytes/100000?type=text/plain', headers => ['Accept-Encoding' => 'gzip']);
is $r->status, 200, 'compressed answer';
is $r->header('Content-Encoding'), 'gzip', 'is compressed by httpd';
require IO::Uncompress::Gunzip;
my ($plain, $packed) = ('', $r->body);
ok IO::Uncompress::Gunzip::gunzip(\$packed, \$plain), 'can be unpacked';
is length $plain, 100000, 'to what the backend sent';
is get($s, '/b/bytes/100000?type=text/plain')->body, $plain, 'byte for byte';
{
    require IO::Compress::Gzip;
    my $text = join ',', 1 .. 20000;
    my $zip;
    IO::Compress::Gzip::gzip(\$text, \$zip);
    $r = post($s, '/b/echo/in', $zip, headers => ['Content-Encoding' => 'gzip']);
    is $r->status, 200, 'an input filter that changes the size of the body';
    ok $r->body eq $text, 'what the backend got is what the client packed';
    $r = post($s, '/b/echo/x', $text);
    ok $r->body eq $text, 'without the filter too';
}

# filters by type
like get($s, '/b/sub/x?type=text/plain')->body, qr/./, 'AddOutputFilterByType';
like get($s, '/b/headers/sub?type=text/plain')->body, qr{^GET /headers/sub}, 'and without the filter';
is get($s, '/b/id/3')->body, "id 3 -\n", 'answer without a filter';

# mod_rewrite
is get($s, '/rw/id/9')->body, "id 9 -\n", 'RewriteRule [P]';
is get($s, '/rw/id/9?x=1')->status, 200, 'with a query';
is $backend->last_request->{target}, '/id/9?x=1', 'that arrives';
is get($s, '/mark/id/1')->status, 200, 'and with E=';

# includes: a subrequest is proxied
$r = get($s, '/page.shtml');
is $r->status, 200, 'page with an include';
is $r->body, "<p>one id 5 -\n two</p>\n", 'of proxied content';

# error documents
$r = get($s, '/b/id/0?status=409');
is $r->status, 409, 'ProxyErrorOverride keeps the status';
is $r->body, "id 0 -\n", 'and the ErrorDocument may be proxied';
is get($s, '/b/id/0?status=404')->header('X-Backend'), 'backend', 'a code that is not listed passes';

# logs
$s->wait_access(qr{GET /b/id/0\?status=404});
my $log = $s->_read('proxy_log');
like $log, qr{^200 7 200 proxy-server backend "GET /b/id/3 HTTP/1\.1" -$}m,     'status, bytes, proxy-status, handler, response field';
like $log, qr{^200 7 200 proxy-server backend "GET /mark/id/1 HTTP/1\.1" seen$}m, 'environment of RewriteRule';
like $log, qr{^409 \d+ \S+ \S+ \S+ "GET /b/id/0\?status=409 HTTP/1\.1" -$}m, 'status of an overridden answer';
like $log, qr{^401 \d+ - }m, 'requests that never were proxied';

# HEAD, OPTIONS, keep-alive on the client side
my $c = RProxy::Client->new($s);
$r = do { $c->request('HEAD', '/b/bytes/50'); $c->response };
is $r->status, 200, 'HEAD';
is $r->header('Content-Length'), 50, 'with the length of the body it has not';
$r = do { $c->request('GET', '/b/id/1'); $c->response };
is $r->body, "id 1 -\n", 'the connection goes on';
$r = do { $c->request('OPTIONS', '/b/id/1'); $c->response };
is $r->status, 200, 'OPTIONS is proxied';
$c->send("OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n");
$r = $c->response;
is $r->status, 200, 'OPTIONS * is answered';
is $r->header('X-Backend'), undef, 'by httpd itself';
