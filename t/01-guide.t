# SPDX-License-Identifier: Apache-2.0
# The Reverse Proxy Guide, sections 1 to 3, as typed there: only the LoadModule lines differ.
use strict;
use warnings;
use Apache::Test qw(-withtestmore);
use RProxy::Backend;
use RProxy::Client qw(get post);
use RProxy::Env qw(needs build_dir);
use RProxy::Server;

plan tests => 23, need {needs('rproxy', 'rproxy_reverse')};

my $backend = RProxy::Backend->new(name => 'www.example.com');
$ENV{RP_NAMES} = 'www.example.com:80=127.0.0.1:' . $backend->port;
my $preload = build_dir() . '/t/upstream/.libs/rp_names.so';
ok -e $preload, 'names of the guide lead to the backend';
$ENV{LD_PRELOAD} = join ':', $ENV{LD_PRELOAD} || (), $preload;

sub server { my ($config) = @_; return RProxy::Server->new(config => $config); }

# 1. Simple reverse proxying
{
    my $s = server(<<'CONF');
ProxyPass "/"  "http://www.example.com/"
CONF
    my $r = get($s, '/id/5');
    is $r->status, 200, 'every request goes to the backend';
    is $r->body, "id 5 -\n", 'that makes the answer';
    is $r->header('X-Backend'), 'www.example.com', 'and its header';
    like $backend->last_request->{head}, qr{^GET /id/5 HTTP/1\.1\r\nHost: www\.example\.com\r\n}, 'as HTTP/1.1 request';
    is get($s, '/')->status, 200, 'the root too';
    is $backend->last_request->{target}, '/', 'as root';
    is get($s, '/index.html')->header('X-Backend'), 'www.example.com', 'no local file comes before';
    is post($s, '/echo/x', 'hello')->body, 'hello', 'POST';
    my $back = get($s, '/id/1?h=Location:http://www.example.com/there&status=302');
    is $back->status, 302, 'a redirect of the backend';
    is $back->header('Location'), 'http://www.example.com/there', 'names the backend without ProxyPassReverse';
    $s->stop;
}

# 2. Redirects come back through the proxy
{
    my $s = server(<<'CONF');
ProxyPass "/"  "http://www.example.com/"
ProxyPassReverse "/"  "http://www.example.com/"
CONF
    my $own = 'http://localhost:' . $s->port;
    my $r   = get($s, '/id/1?h=Location:http://www.example.com/there%3Fa=b&status=302');
    is $r->header('Location'), "$own/there?a=b", 'Location names the proxy';
    $r = get($s, '/id/1?h=Content-Location:http://www.example.com/x&h=URI:http://www.example.com/y');
    is $r->header('Content-Location'), "$own/x", 'so does Content-Location';
    is $r->header('URI'), "$own/y", 'and URI';
    $r = get($s, '/id/1?h=Location:http://other.example.com/there&status=302');
    is $r->header('Location'), 'http://other.example.com/there', 'other places keep their name';
    $s->stop;
}

# 3. Only some URIs
{
    my $s = server(<<'CONF');
DocumentRoot __ROOT__/htdocs
<Location "/">
    Require all granted
</Location>
ProxyPass "/images"  "http://www.example.com/"
ProxyPassReverse "/images"  "http://www.example.com/"
CONF
    my $own = 'http://localhost:' . $s->port;
    my $r   = get($s, '/images/id/3');
    is $r->header('X-Backend'), 'www.example.com', 'requests that start with /images are proxied';
    is $backend->last_request->{target}, '//id/3', 'to target plus rest';
    is get($s, '/images')->header('X-Backend'), 'www.example.com', '/images itself too';
    is get($s, '/index.html')->body, "local index\n", 'all others are served locally';
    is get($s, '/nothing')->status, 404, 'or not found here';
    is get($s, '/imagesque')->status, 404, '/imagesque does not start with /images';
    $r = get($s, '/images/id/3?h=Location:http://www.example.com/there&status=302');
    is $r->header('Location'), "$own/images/there", 'Location names /images, with a slash at the join';
    is $backend->violations, '', 'the backend saw clean requests';
    $s->stop;
}
