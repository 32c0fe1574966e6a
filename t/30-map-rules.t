# SPDX-License-Identifier: Apache-2.0
# The other kinds of rules: regular expressions, variables, nocanon, mapping=encoded and servlet, in a Location; their order.
use strict;
use warnings;
use Apache::Test qw(-withtestmore);
use RProxy::Env qw(needs);
use RProxy::Server;
use RProxy::Backend;
use RProxy::Client qw(get);

my @rows = (
    ['captures',                             '/m/a/b.gif'    => '/a/b.png'],
    ['captures, with the query',             '/m/x.gif?q'    => '/x.png?q'],
    ['captures of the decoded path',         '/m/%61%20.gif' => '/a%20.png'],
    ['no match of the expression',           '/m/x.jpg'      => 404],
    ['expressions are not anchored',         '/any/inner/x'  => '/in/any/inner/x'],
    ['no reference: the whole path follows', '/w/x'          => '/base/w/x'],
    ['a group that took no part is empty',   '/g/a'          => '/g/a..'],
    ['$0',                                   '/zero/x'       => '/z/zero/x'],
    ['backslash',                            '/bs/x'         => '/$1x'],
    ['ProxyPassMatch with !',                '/mx/no/x'      => 404],
    ['ProxyPassMatch with !, the next rule', '/mx/yes'       => '/mx/yes'],
    ['ProxyPass ~',                          '/tilde/x'      => '/t/x'],

    # variables
    ['variable in path and URL',            '/iv/val/x' => '/val/x'],
    ['variable that is not set',            '/un/x'     => '/a/b/x'],
    ['a value is no template',              '/nest/x'   => '/$%7BVAL%7D$1/x'],
    ['not without ProxyPassInterpolateEnv', '/ivoff/x'  => '/$%7BVAL%7D/x'],
    ['not without interpolate',             '/ivno/x'   => '/$%7BVAL%7D/x'],

    # nocanon
    ['nocanon: as it was sent',                   '/nc/a%3bb%7Ec?x'         => '/nc/a%3bb%7Ec?x'],
    ['nocanon: the prefix alone and a query',     '/nc?x'                   => '/nc?x'],
    ['nocanon: what would get an escape',         '/nc/a|b{'                => '/nc/a|b{'],
    ['nocanon: encoded prefix is not raw',        '/%6ec/a%3bb?x'           => '/nc/a;b?x'],
    ['nocanon: dots before the prefix',           '/y/../nc/a%3bb'          => '/nc/a;b'],
    ['nocanon: slashes before the prefix',        '//nc/a%3bb'              => '/nc/a;b'],
    ['nocanon: absolute form',                    'http://other/nc/a%3bb?x' => '/nc/a%3bb?x'],
    ['nocanon: regular expression',               '/mn/a%3fb?c'             => '/a%3fb?c'],
    ['nocanon: expression that does not see raw', '/%6dn/a%3bb?c'           => '/a;b?c'],

    # mapping=encoded
    ['encoded: escapes stay',              '/enc/a%3Fb%2Fc%3b' => '/enc/a%3Fb%2Fc%3b'],
    ['encoded: unreserved lose theirs',    '/enc/%7ex%41?y'    => '/enc/~xA?y'],
    ['encoded: compared byte by byte',     '/e%3Fq/x'          => '/eq/x'],
    ['encoded: ... and case by case',      '/e%3fq/x'          => 404],
    ['encoded: before all decoded rules',  '/both/x'           => '/encoded/x'],
    ['encoded: ! ends only that search',   '/enx/x'            => '/enx/decoded/x'],

    # mapping=servlet
    ['servlet: parameters behind the match', '/some;a=1/path/;b=2/c' => '/s/p/;b=2/c'],
    ['servlet: parameters of the last part', '/some/path;j=1'        => '/s/p'],
    ['servlet: they stay before a path',     '/some/path;j=1/x;y=2'  => '/s/p;j=1/x;y=2'],
    ['servlet: climbing out does not match', '/some/..;/path'        => 404],
    ['servlet: resolved before the match',   '/x/..;/some/path/y'    => '/s/p/y'],
    ['servlet: target without path',         '/app;j=1/x'            => '/;j=1/x'],

    # Locations
    ['Location',                           '/loc/z'      => '/l/z'],
    ['Location before the server list',    '/loc/s/z'    => '/l/s/z'],
    ['! in an inner Location',             '/loc/n/z'    => 404],
    ['the Location further down wins',     '/loc/deep/z' => '/d/z'],
    ['a server ! does not exempt it',      '/loc/x/y'    => '/l/x/y'],
    ['LocationMatch: whole path follows',  '/lm/7/x'     => '/lmt/lm/7/x'],
    ['two ProxyPass in one: the last',     '/two/x'      => '/second/x'],

    # order
    ['main server before the virtual host', '/ord/b'    => '/main/b', 'vh'],
    ['virtual host behind it',              '/vhonly/b' => '/vh/b',   'vh'],
    ['! of the main server in the host',    '/noway/b'  => 404,       'vh'],
);
plan tests => @rows + 17, need {needs(qw(rproxy setenvif))};

my $b  = RProxy::Backend->new;
my $u  = $b->url;
my $ws = 'ws://127.0.0.1:' . $b->port;
my $s  = RProxy::Server->new(modules => [qw(setenvif)], config => <<"EOF");
Listen 127.0.0.1:__PORT_vh__
ProxyPassMatch ^/m/(.*)\\.gif\$ $u/\$1.png
ProxyPassMatch /inner/ $u/in
ProxyPassMatch ^[^/] $u/star
ProxyPassMatch ^/w/ $u/base
ProxyPassMatch ^/g/(a)(b)?\$ $u/g/\$1.\$2.\$9
ProxyPassMatch ^/zero/.* $u/z\$0
ProxyPassMatch "^/bs/(.*)" "$u/\\\$1\$1"
ProxyPassMatch ^/mx/no !
ProxyPassMatch ^/mx(/.*)\$ $u/mx\$1
ProxyPass ~ ^/tilde/(.*) $u/t/\$1
SetEnvIf Request_URI ^ VAL=val "REF=\${VAL}\\\$1"
ProxyPassInterpolateEnv On
ProxyPass /iv/\${VAL} $u/\${VAL} interpolate
ProxyPass /un $u/a/\${NONE}b interpolate
ProxyPass /nest $u/\${REF} interpolate
ProxyPass /ivoff $u/\${VAL} interpolate
ProxyPass /ivno $u/\${VAL}
<Location /ivoff>
ProxyPassInterpolateEnv Off
</Location>
ProxyPass /nc $u/nc nocanon
ProxyPassMatch ^/mn/(.*)\$ $u/\$1 nocanon
ProxyPass /both $u/decoded
ProxyPass /both $u/encoded mapping=encoded
ProxyPass /enc $u/enc mapping=encoded
ProxyPass /e%3Fq $u/eq mapping=encoded
ProxyPass /enx ! mapping=encoded
ProxyPass /enx $u/enx/encoded mapping=encoded
ProxyPass /enx $u/enx/decoded
ProxyPass /some/path $u/s/p mapping=servlet
ProxyPass /app $u mapping=servlet
<Location /loc>
ProxyPass $u/l
</Location>
<Location /loc/n>
ProxyPass !
</Location>
<Location /loc/deep>
ProxyPass $u/d
</Location>
ProxyPass /loc/s $u/server
ProxyPass /loc/x !
<LocationMatch ^/lm/[0-9]/>
ProxyPass $u/lmt
</LocationMatch>
<Location /two>
ProxyPass $u/first
ProxyPass $u/second
</Location>
ProxyPass /ord $u/main
ProxyPass /noway !
<VirtualHost 127.0.0.1:__PORT_vh__>
ProxyPass /ord/b $u/hidden
ProxyPass /vhonly $u/vh
ProxyPass /noway $u/vh
</VirtualHost>
<LocationMatch ^/wsx>
ProxyWebsocketFallbackToProxyHttp Off
</LocationMatch>
ProxyPass /wsx $ws/tunnel
ProxyPass /wsx $u/plain
ProxyPass /wsy $ws/tunnel
ProxyPassMatch ^/glue(.*)\$ $u\$1
ProxyPassMatch ^/any(/.*)\$ \$1
ProxyPassMatch ^/lead/(.*)\$ \$1
ProxyPass /w1 $u/field responsefieldsize=8192
ProxyPass /w2/x $u/field/x responsefieldsize=256
<Location /raw>
ProxyPass $u/raw-target nocanon
</Location>
EOF

# What the backend saw as request target, or the status when it saw nothing.
sub arrives {
    my ($target, %opt) = @_;
    my $answer = RProxy::Client->one($s, 'GET', $target, %opt);
    return $answer->status == 200 && $answer->body =~ /^GET (.*)\n\z/ ? $1 : $answer->status;
}

is(arrives($_->[1], $_->[3] ? (port => $_->[3]) : ()), $_->[2], "$_->[0]: $_->[1]") for @rows;

like($s->error_log, qr{RP0101: nocanon .*"/%6ec/a%3bb\?x"}, 'nocanon that is ignored is logged with the request');
is(arrives('/raw/a%3bb'), '/raw-target/a%3bb', 'nocanon in a Location');

is(arrives('/wsx/a'), '/plain/a',  'ProxyWebsocketFallbackToProxyHttp Off: without Upgrade the ws rule is passed over');
is(arrives('/wsy/a'), '/tunnel/a', 'On: plain requests take it');
$b->reset;
get($s, '/wsx/a', headers => [Upgrade => 'other']);
is($b->last_request->{target}, '/tunnel/a', 'Off: a request with Upgrade takes it');

$b->reset;
RProxy::Client->one($s, 'OPTIONS', '*');
is(scalar($b->requests), 0, 'OPTIONS * is mapped by no expression');

$b->raw_answer('/field/x', "HTTP/1.1 200 OK\r\nX-Long: " . 'x' x 500 . "\r\nContent-Length: 2\r\n\r\nok");
is(RProxy::Client->one($s, 'GET', '/w2/x')->status, 502, 'the parameters of a line');
is(RProxy::Client->one($s, 'GET', '/w1/x')->status, 200, '... are that line\'s, also where another URL is a longer prefix');

is(arrives('/glue/x'), '/x', 'a capture behind host and port that begins with a slash');
is(arrives('/glue'),   '/',  '... that is empty');
is(arrives('/glue9/x'),           500, '... that would continue the port: refused');
is(arrives('/glue@127.0.0.1/x'),  500, '... that would make another host: refused');
like(
    $s->error_log,
    qr{RP0100: ProxyPassMatch "\^/glue\(\.\*\)\$" .* for the path "/glue9/x" the target would get its host or port changed},
    '... and the log names the line'
);
is(arrives('/any/x'),                         400, 'a capture that is no URL');
is(arrives('/lead/balancer://manager/x'),     500, 'a capture makes no balancer');
is(arrives('/lead/fcgi://127.0.0.1/x'),       500, '... and no other protocol');
is(arrives('/lead/unix:/tmp/x%7Chttp://x/'),  500, '... and no socket');
