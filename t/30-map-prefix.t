# SPDX-License-Identifier: Apache-2.0
# ProxyPass by prefix: which path reaches the backend, and in which encoding.
use strict;
use warnings;
use Apache::Test qw(-withtestmore);
use RProxy::Env qw(needs);
use RProxy::Server;
use RProxy::Backend;
use RProxy::Client qw(get);

my @rows = (
    # what, request => what arrives
    ['exact',            '/foo'                        => '/bar'],
    ['below',            '/foo/x'                      => '/bar/x'],
    ['two slashes',      '//foo/x'                     => '/bar/x'],
    ['encoded letter',   '/%66oo/x'                    => '/bar/x'],
    ['dot segment',      '/./foo/x'                    => '/bar/x'],
    ['two dots',         '/y/../foo'                   => '/bar'],
    ['no boundary',      '/foobar'                     => 404],
    ['case matters',     '/Foo'                        => 404],
    ['/fs/ with a target without slash',  '/fs/x'      => '/barx'],
    ['/fs/ with a target without slash',  '/fs'        => 404],
    ['/ft with a target with slash',      '/ft/x'      => '/bar//x'],
    ['/ft with a target with slash',      '/ft'        => '/bar/'],
    ['? in the target is no query',       '/q/z'       => '/y%3Fa=b/z'],
    ['target without path',               '/np'        => '/'],
    ['target without path, below',        '/np/x'      => '/x'],
    ['runs of slashes in the path',       '/sl//x///y' => '/bar/y'],
    ['! exempts',                         '/ex/no/x'   => 404],
    ['! exempts only its path',           '/ex/nox'    => '/ex/nox'],
    ['the first rule of the file wins',   '/first/a'   => '/one/a'],
    ['scheme and host in capitals',       '/case/y'    => '/x/y'],
    ['user information is dropped',       '/ui/y'      => '/x/y'],
    ['the path of a target keeps its case', '/CaSe/A'  => '/CaSe/A'],

    # query
    ['query as it is', '/foo?a=b%20c&%2F|{}' => '/bar?a=b%20c&%2F|{}'],
    ['empty query',    '/foo?'               => '/bar?'],
    ['? in the query', '/foo?a?b'            => '/bar?a?b'],

    # encoding
    ['bytes that lose their escape', '/foo/%7E%24%2D%5F%2E%2B%21%2A%27%28%29%2C%3B%3A%40%26%3D' => q{/bar/~$-_.+!*'(),;:@&=}],
    ['bytes that get one',      '/foo/%25%3C%3E%5E%7B%7D%5B%5D%22%5C%20%7C%60%23' => '/bar/%25%3C%3E%5E%7B%7D%5B%5D%22%5C%20%7C%60%23'],
    ['bytes over 127',          '/foo/%c3%A9%ff'    => '/bar/%C3%A9%FF'],
    ['control characters',      '/foo/a%0d%0ab%7f'  => '/bar/a%0D%0Ab%7F'],
    ['encoded question mark',   '/foo/a%3fb?c'      => '/bar/a%3Fb?c'],
    ['encoded percent sign',    '/foo/a%252e%252fb' => '/bar/a%252e%252fb'],
    ['encoded dots',            '/foo/a/%2e%2e/b'   => '/bar/b'],
    ['encoded slash is refused', '/foo/a%2fb'       => 404],
    ['NUL is refused',           '/foo/a%00b'       => 404],
);
my @slashes = (
    ['On: decoded',                   on => '/foo/a%2Fb'      => '/bar/a/b'],
    ['On: normal form after that',    on => '/foo/a%2f..%2Fb' => '/bar/b'],
    ['NoDecode: as it was sent',      nd => '/foo/a%2Fb%2fc'  => '/bar/a%2Fb%2fc'],
    ['NoDecode: the rest is encoded', nd => '/foo/a%2F%20%25' => '/bar/a%2F%20%25'],
    ['NoDecode: a percent sign',      nd => '/foo/a%25b'      => '/bar/a%25b'],
    ['NoDecode: half an escape',      nd => '/foo/a%252'      => '/bar/a%252'],
);
plan tests => @rows + @slashes + 14, need {needs(qw(rproxy setenvif))};

my $b = RProxy::Backend->new;
my $u = $b->url;
my $p = $b->port;
my $s = RProxy::Server->new(modules => [qw(setenvif)], start => 0);
mkdir $s->root . '/htdocs/ex';
$s->write_file('htdocs/ex/no', "local\n");
$s->start(<<"EOF") or die $s->stderr . $s->error_log;
Listen 127.0.0.1:__PORT_on__
Listen 127.0.0.1:__PORT_nd__
ProxyPass /foo $u/bar
ProxyPass /fs/ $u/bar
ProxyPass /ft $u/bar/
ProxyPass /q $u/y?a=b
ProxyPass /np $u
ProxyPass /sl//x $u/bar
ProxyPass /ex/no !
ProxyPass /ex $u/ex
ProxyPass /first $u/one
ProxyPass /first/a $u/two
ProxyPass /case HTTP://LOCALHOST:$p/x
ProxyPass /ui http://user:secret\@127.0.0.1:$p/x
ProxyPass /CaSe $u/CaSe
ProxyPass /glued/ $u
ProxyPassMatch ^/\$ $u/root
SetEnvIf Request_URI ^/foo/own no-proxy
<VirtualHost 127.0.0.1:__PORT_on__>
AllowEncodedSlashes On
</VirtualHost>
<VirtualHost 127.0.0.1:__PORT_nd__>
AllowEncodedSlashes NoDecode
</VirtualHost>
EOF

# What the backend saw as request target, or the status when it saw nothing.
sub arrives {
    my ($target, %opt) = @_;
    my $answer = RProxy::Client->one($s, 'GET', $target, %opt);
    return $answer->status == 200 && $answer->body =~ /^GET (.*)\n\z/ ? $1 : $answer->status;
}

is(arrives($_->[1]), $_->[2], "$_->[0]: $_->[1]") for @rows;
is(arrives($_->[2], port => $_->[1]), $_->[3], "AllowEncodedSlashes $_->[0]") for @slashes;

is(arrives('/glued/x'),  '/x',  'a target without path: the path never continues host or port');
is(arrives('/glued/9'),  '/9',  '... nor do digits');
is(arrives('/glued/?q'), '/?q', '... nor does a query');
unlike($s->error_log, qr/RP0100/, '... and nothing is wrong with such a line');
is(get($s, '/ex/no')->body, "local\n", 'an exempt path is served from here');
is(arrives('/'), '/root/', 'the root alone');
is(arrives('/foo/own'), 404, 'no-proxy in the environment: not proxied');
is(arrives('http://other.example/foo/x?y'), '/bar/x?y', 'absolute form: mapped by its path');
is(RProxy::Client->one($s, 'OPTIONS', '*')->status, 200, 'OPTIONS * is answered here');
$b->reset;
is(arrives('@evil/foo'), 400, 'a target that does not begin with a slash is refused');
is(arrives('foo/x'),     400, '... without @ too');
my $c = RProxy::Client->new($s);
$c->send("CONNECT 127.0.0.1:443 HTTP/1.1\r\nHost: 127.0.0.1:443\r\nConnection: close\r\n\r\n");
is($c->response(method => 'GET')->status, 405, 'CONNECT is not mapped');
is(scalar($b->requests), 0, '... and reaches no backend');
get($s, '/case/y');
is(($b->last_request->{head} =~ /^Host: (.*?)\r$/m)[0], "localhost:$p", 'the host is lower case on the wire');
