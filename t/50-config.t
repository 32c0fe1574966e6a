# SPDX-License-Identifier: Apache-2.0
# Every directive: values that are taken, values that are refused and with which sentence, places where it may stand.
use strict;
use warnings;
use Apache::Test qw(-withtestmore);
use RProxy::Env qw(needs top_dir);
use RProxy::Server;
use RProxy::Client qw(get);

my $U = 'http://127.0.0.1:1';

# directive => [[values taken], [value => sentence of the refusal, ...]]
my %values = (
    ProxyPass => [
        ["/a $U", "/a $U/b", '/a !', "~ ^/a $U", "/a $U nocanon noquery interpolate", "/a $U mapping=servlet", "/a $U timeout=5 TTL=10",
            '/a balancer://c', '/a balancer://c/x stickysession=S', '"/a b" "http://127.0.0.1:1/"', "/a unix:/run/s|http://h/",
            '/a unix:rel.sock|http:', '/a ws://127.0.0.1:1/', '/a http://[::1]:8080/'],
        ['/a'                   => 'ProxyPass needs a path and a URL \(or "!"\)',
            "$U/"               => 'needs a path and a URL',
            "/a $U bogus"       => 'Invalid ProxyPass parameter "bogus": parameters are key=value, or one of nocanon, interpolate and noquery',
            "/a $U timeout=0"   => 'ProxyPass: timeout: "0" is not a time of at least 1 ms',
            "/a $U bogus=1"     => 'ProxyPass: .*bogus',
            "/a $U mapping=x"   => 'mapping "x" is not one of encoded, servlet',
            '/a ajp://h'        => '"ajp://h": the protocol ajp is not supported; mod_rproxy speaks http, https, ws, wss and balancer',
            '/a h2c://h'        => 'the protocol h2c is not supported',
            '/a htp://h'        => 'the protocol htp is not supported',
            '/a /b'             => '"/b" is no URL: write http://host:port/path',
            '/a http://'        => 'the URL "http://"',
            '/a http://h:0/'    => 'the URL "http://h:0/" .*port',
            '/a http://h:65536/' => 'port',
            '/a unix:/s'        => '"unix:/s" is no URL',
            '/a balancer:///x'  => 'the balancer URL "balancer:///x" has no name',
            "/a balancer://c loadfactor=2" => 'ProxyPass balancer://c: .*loadfactor',
            "/a balancer://c lbmethod=nope" => 'RP0007: .*test\.conf:\d+: balancer://c: unknown lbmethod "nope": write byrequests, bytraffic or bybusyness',
            '/a unix:/' . ('s' x 100) . '|http://h/' => 'socket',
            "~ ( $U"            => '"\(" is no valid regular expression',
            '/a ! timeout=1'    => '"!" has no backend, so it takes no parameters',
        ]
    ],
    ProxyPassMatch => [
        ["^/a $U", "^/a(.*) $U\$1", "^/a/(.*) $U/\$1 timeout=5", '^/(.*)$ http://$1 timeout=5', '^/x !', '^/(.*)$ balancer://$1/x', '^/(\w+)/ $1://127.0.0.1/'],
        ['^/a' => 'ProxyPassMatch needs a path and a URL', "( $U" => 'no valid regular expression', "^/a $U mapping=encoded" => 'mapping= is for ProxyPass only',
            '^/a fcgi://127.0.0.1:9000/$1' => 'the protocol fcgi is not supported', '^/a fcgi://$1' => 'the protocol fcgi is not supported',
            '^/(.*)$ http://$1 timeout=0' => 'ProxyPassMatch: .*timeout']
    ],
    ProxyPassInherit        => [[qw(On Off)], [x => 'must be On or Off']],
    BalancerInherit         => [[qw(On Off)], [x => 'must be On or Off']],
    ProxyPassInterpolateEnv => [[qw(On Off)], [x => 'must be On or Off']],
    ProxySet => [
        [],
        ["$U/q timeout=5" => "ProxySet can not find the worker \"$U/q\" in this server: name it in a ProxyPass before this line",
            'balancer://q lbmethod=byrequests' => 'ProxySet can not find the balancer "balancer://q"', 'timeout=5' => 'ProxySet needs a URL and key=value',
            'balancer:///x nofailover=On' => 'can not find']
    ],
    BalancerMember => [
        ["balancer://c $U", "balancer://C $U loadfactor=2.5 status=+H hcmethod=TCP"],
        ["$U" => "BalancerMember needs the balancer's URL and the member's", "$U $U" => 'does not start with balancer://: members belong to a balancer',
            'balancer://c ajp://h:8009' => 'the protocol ajp is not supported', 'balancer://c balancer://d' => 'is a balancer; a backend is wanted here',
            "balancer://c $U loadfactor=0.5" => 'loadfactor', "balancer://c $U nope=1" => 'nope', "balancer://c $U hctemplate=none" => 'RP0008: .*hctemplate=none: this server has no ProxyHCTemplate of that name',
            "balancer://c $U hcexpr=none" => 'RP0008: .*hcexpr=none: this server has no ProxyHCExpr', "balancer://c $U word" => '"word" is not a parameter: write key=value']
    ],
    ProxyPreserveHost  => [[qw(On Off)], [x => 'must be On or Off']],
    ProxyAddHeaders    => [[qw(On Off)], [x => 'must be On or Off']],
    ProxyErrorOverride => [
        ['On', 'Off', 'on', 'On 404', 'On 404 500 599 400'],
        ['404' => 'ProxyErrorOverride: the first word must be On or Off, not "404"', 'Off 404' => 'ProxyErrorOverride Off takes no status codes: write ProxyErrorOverride On 404', 'On 399' => '"399" is not a status code from 400 to 599', 'On 600' => '"600" is not', 'On x' => '"x" is not']
    ],
    ProxyTimeout => [[qw(1 60 2147483647 5s 500ms 2mi 1h)], [qw(0) => 'ProxyTimeout: "0" is neither a whole number of seconds from 1 to 2147483647', '-1' => '"-1"', x => '"x"', '5x' => '"5x"', '2147483648' => '"2147483648"']],
    ProxyVia => [[qw(Off On Full Block block)], [x => 'ProxyVia: "x" is not one of Off, On, Full, Block']],
    ProxyMaxForwards => [[qw(-1 0 10)], [x => 'ProxyMaxForwards: "x" is not a whole number from -1 to 2147483647', '-2' => '"-2"']],
    ProxyBadHeader => [[qw(IsError Ignore StartBody startbody)], [x => '"x" is not one of IsError, Ignore, StartBody']],
    ProxyIOBufferSize => [[qw(0 512 65536)], [511 => 'ProxyIOBufferSize: "511" is not a whole number of bytes from 512 to \d+, or 0 for the default', x => '"x"', '-1' => '"-1"']],
    ProxyReceiveBufferSize => [[qw(0 512 65536)], [511 => 'ProxyReceiveBufferSize: "511" is not a whole number of bytes']],
    ProxySourceAddress => [[qw(127.0.0.1 ::1)], ['nowhere.invalid' => 'ProxySourceAddress: "nowhere.invalid" is neither an address nor a name that can be resolved']],
    ProxyStatus => [[qw(Off On Full)], [x => '"x" is not one of Off, On, Full']],
    Proxy100Continue => [[qw(On Off)], [x => 'must be On or Off']],
    ProxyWebsocketFallbackToProxyHttp => [[qw(On Off)], [x => 'must be On or Off']],
    BalancerGrowth => [[qw(0 1000)], [1001 => 'BalancerGrowth: "1001" is not a whole number from 0 to 1000', '-1' => '"-1"']],
    BalancerPersist => [[qw(On Off)], [x => 'must be On or Off']],
    ProxyHCExpr => [['ok {%{REQUEST_STATUS} =~ /^2/}', q(q "hc('body') !~ /x/")], ['namethatistoolong {1}' => 'ProxyHCExpr: the name "namethatistoolong" is not 1 to 15 bytes long', 'ok {1' => "the '\\{' has no '\\}' at the end", 'ok {}' => 'the expression is empty', 'ok a b' => 'put the expression into braces', "a {true}\nProxyHCExpr A {false}" => 'the name "A" is taken \(.*:\d+\)']],
    ProxyHCTemplate => [['tcp5 hcmethod=TCP hcinterval=5 hctimeout=2 hcinit=down', 'x hcuri=/h hchost=h hcpasses=2 hcfails=3 hcexpr=e'], ['tcp5' => 'ProxyHCTemplate needs a name and key=value', 't timeout=5' => '"timeout" is no health check parameter: use hcmethod', 't hcmethod=NOPE' => 'ProxyHCTemplate t: .*hcmethod', 't hcinterval=1ms' => 'hcinterval']],
    ProxyHCTPsize => [[qw(0 16)], ['-1' => 'ProxyHCTPsize: "-1" is not a whole number from 0 to 1024']],
    HeartbeatStorage => [['logs/hb.dat'], ['""' => 'HeartbeatStorage takes one argument']],
    ProxyExpressEnable => [[qw(Off)], [On => 'RP0030: ProxyExpressEnable On is not supported', x => 'must be On or Off']],
    ProxyExpressDBMFile => [['conf/x.db'], ['' => 'takes one argument']],
    ProxyExpressDBMType => [[qw(default sdbm)], ['' => 'takes one argument']],
    RProxyUnconfiguredMax => [[qw(1 65536)], [0 => 'RProxyUnconfiguredMax: "0" is not a whole number from 1 to 65536']],
    RProxyEventLoop => [[qw(auto on off)], [maybe => '"maybe" is not one of auto, on, off']],
    RProxyEventThreads => [[qw(1 64)], [0 => '"0" is not a whole number from 1 to 64', 65 => 'from 1 to 64']],
    RProxyHandoffThreads => [[qw(1 4096)], [0 => '"0" is not a whole number from 1 to 4096']],
    RProxyLogBuffer => [[qw(0 1048576 1073741824)], ['-1' => 'RProxyLogBuffer: "-1" is not a whole number from 0 to 1073741824', '1MB' => '"1MB"']],
    RProxyTunnelShutdownTimeout => [[qw(1 3600 500ms 10mi)], [qw(0) => 'RProxyTunnelShutdownTimeout: "0" is neither a whole number of seconds from 1 to 2147483647', x => '"x"']],
    RProxyLane => [[qw(auto inline handoff blocking)], [loop => '"loop" is not one of auto, inline, handoff, blocking']],
    RProxyTimeoutStatus => [[qw(504 502)], [500 => '"500" is not one of 504, 502']],
    RProxyForwardedProto => [[qw(off ifabsent set Set)], [x => '"x" is not one of off, ifabsent, set']],
    RProxyRequestId => [[qw(off ifabsent set SET)], ['ifabsent-sampled' => '"ifabsent-sampled" is not one of off, ifabsent, set', '' => 'RProxyRequestId takes one argument']],
    RProxyTraceparent => [[qw(off ifabsent set ifabsent-sampled Set-Sampled)], [on => '"on" is not one of off, ifabsent, set, ifabsent-sampled, set-sampled']],
    RProxyLogFields => [[qw(On Off)], [x => 'must be On or Off']],
    ProxyRequests => [[qw(Off)], [On => 'ProxyRequests On asks for a forward proxy: mod_rproxy is a reverse proxy only.*write ProxyRequests Off']],
    ProxyRemote => [['* http://127.0.0.1:3128', 'http http://127.0.0.1:3128 user:pw'], ['* x' => '"x" is no proxy: write http://host:port', '* fcgi://x' => 'is no proxy', '* http://h:0' => 'port', '*' => 'ProxyRemote takes two or three arguments']],
    ProxyRemoteMatch => [['^http: http://127.0.0.1:3128'], ['( http://127.0.0.1:3128' => 'no valid regular expression']],
    NoProxy => [['.example.com 10.0.0.1 host 192.168 10/8 2001:db8::/32'], ['10.0.0.0/33' => 'NoProxy: "10.0.0.0/33" is no address or network'], ['' => 'NoProxy requires at least one argument']],
    ProxyBlock => [['*', 'word other.example'], ['' => 'ProxyBlock requires at least one argument']],
    ProxyDomain => [['.example.com'], ['' => 'takes one argument']],
    AllowCONNECT => [['443 563', '1000-2000'], ['' => 'requires at least one argument|takes']],
    ProxyFtpDirCharset => [['UTF-8'], ['' => 'takes one argument']],
    ProxyFtpEscapeWildcards => [[qw(On Off)], [x => 'must be On or Off']],
    ProxyFtpListOnWildcard => [[qw(On Off)], [x => 'must be On or Off']],
    ProxyPassReverse => [["/a $U"], []],
    ProxyPassReverseCookieDomain => [['a.example b.example'], []],
    ProxyPassReverseCookiePath => [['/a /b'], []],
);
my %sections = (
    '<Proxy' => [
        ['*', 'http://h/', 'balancer://c lbmethod=byrequests', 'http://h:1/ timeout=5 max=3', '~ ^http', '"http://h/*"'],
        ['' => 'Proxy> needs a URL', 'http://h/* timeout=5' => 'parameters are not supported for a URL with wildcards or a regular expression', '~ ^http timeout=5' => 'parameters are not supported',
            'http://h/ word' => '"word" is not a parameter', 'fcgi://h/ timeout=5' => 'the protocol fcgi is not supported', 'http://h/ timeout=x' => '<Proxy>: .*timeout', '~ (' => 'no valid regular expression', 'balancer://c nope=1' => 'nope']
    ],
    '<ProxyMatch' => [['^http://h/(?<name>.*)'], ['(' => 'no valid regular expression', '^h timeout=5' => 'parameters are not supported', '' => 'ProxyMatch> needs a URL']],
);

# the places of each directive, by the table that the code is built from
my %where;
{
    open my $def, '<', top_dir() . '/src/config/directives.def' or die "directives.def: $!";
    my $text = do { local $/; <$def> };
    $text =~ s{/\*.*?\*/}{}gs;
    $where{$1} = $2 while $text =~ /^D\(\w+, "([^"]+)", \w+, \w+, \w+,\s+(\w+),/mg;
}
my @unknown = grep { !$where{$_} } keys %values, keys %sections;
my @untested = grep { !$values{$_} && !$sections{$_} } keys %where;

my %place = (
    server      => ['',                            ''],
    VirtualHost => ['<VirtualHost 127.0.0.1:1>',   '</VirtualHost>'],
    Location    => ['<Location /x>',               '</Location>'],
    LocationMatch => ['<LocationMatch ^/x>',       '</LocationMatch>'],
    Directory   => ['<Directory /x>',              '</Directory>'],
    Files       => ['<Files x>',                   '</Files>'],
    If          => ['<If "true">',                 '</If>'],
    Proxy       => ['<Proxy balancer://c>',        '</Proxy>'],
);
# S server, V virtual host, L Location and (switches) other directory sections, P Proxy
sub allowed {
    my ($name, $place) = @_;
    my $w = $where{$name};
    return 1 if $place eq 'server';
    return $w =~ /V/ if $place eq 'VirtualHost';
    return $w =~ /P/ || ($w =~ /L/ && $name !~ /^ProxyPass(Match|Reverse.*)?$/) if $place eq 'Proxy';
    return $w =~ /L/ if $place =~ /^Location/;
    return $w =~ /L/ && $name !~ /^ProxyPass(Match)?$/;
}
# a line for a place
sub line_for {
    my ($name, $place) = @_;
    return "ProxySet lbmethod=byrequests" if $name eq 'ProxySet' && $place eq 'Proxy';
    return 'ProxySet balancer://c lbmethod=byrequests' if $name eq 'ProxySet';
    return "BalancerMember $U" if $name eq 'BalancerMember' && $place eq 'Proxy';
    return 'ProxyRemote https http://127.0.0.1:3128' if $name eq 'ProxyRemote';
    return 'ProxyRemoteMatch ^https: http://127.0.0.1:3128' if $name eq 'ProxyRemoteMatch';
    return "$name $U" if $place =~ /^Location/ && $name =~ /^ProxyPass(Match|Reverse)?$/;
    return "$name $values{$name}[0][0]";
}

my @names = sort grep { !/^ProxyPassReverse/ } keys %values;
my $refused = 0;
$refused += @{$_->[1]} / 2 for values %values, values %sections;
my $misplaced = 0;
for my $place (keys %place) {
    $misplaced += grep { !allowed($_, $place) } @names;
}
plan tests => 2 + keys(%values) + keys(%sections) + 2 * $refused + keys(%place) + $misplaced + 2 * keys(%place) + @names + 5 + 17,
    need {needs('rproxy', 'rproxy_reverse', 'rproxy_balancer')};

is("@unknown",  '', 'every directive of this test is in the table');
is("@untested", '', 'every directive of the table is tested');

my $s = RProxy::Server->new(start => 0);
my $extra = "ProxyHCExpr e {true}\n";

for my $name (sort keys %values) {
    my ($taken, $bad) = @{$values{$name}};
    my ($good, $text) = $s->configtest(($name eq 'ProxyHCTemplate' ? $extra : '') . join "\n", (map { "$name $_" } @$taken), '');
    ok($good, "$name: all its values are taken") or diag($text);
    refused("$name %s\n", @$bad);
}
for my $name (sort keys %sections) {
    my ($taken, $bad) = @{$sections{$name}};
    my $end = $name =~ s/</<\//r;
    my ($good, $text) = $s->configtest(join "\n", (map { "$name $_>\n$end>" } @$taken), '');
    ok($good, "$name>: all its forms are taken") or diag($text);
    refused("$name %s>\n$end>\n", @$bad);
}

sub refused {
    my ($format, @bad) = @_;
    while (my ($value, $sentence) = splice @bad, 0, 2) {
        my $line = sprintf $format, $value;
        my ($good, $text) = $s->configtest($line);
        $line =~ s/\n.*//s if $line =~ /^</;
        $line =~ s/\n/ /g;
        ok(!$good, "refused: $line");
        like($text, qr/$sentence/, "... with a sentence: $line");
    }
    return;
}

for my $place (sort keys %place) {
    my ($open, $close) = @{$place{$place}};
    my @in  = grep { allowed($_,  $place) } @names;
    my @out = grep { !allowed($_, $place) } @names;
    my $all = join "\n", $open, (map { line_for($_, $place) } @in), $close, '';
    my ($good, $text) = $s->configtest($all);
    ok($good, @in . " directives may stand in $place") or diag("@in\n$text");
    for my $name (@out) {
        ($good, $text) = $s->configtest("$open\n" . line_for($name, $place) . "\n$close\n");
        ok(!$good && $text =~ /$name.* (?:not allowed in|cannot occur within)/, "may not stand in $place: $name") or diag($text);
    }
}
for my $name (sort keys %sections) {
    for my $place (sort keys %place) {
        my ($open, $close) = @{$place{$place}};
        my $end = $name =~ s/</<\//r;
        my ($good) = $s->configtest("$open\n$name x>\n$end>\n$close\n");
        is($good ? 1 : 0, $place =~ /^(server|VirtualHost)$/ ? 1 : 0, "$name> in $place");
    }
}

# .htaccess: none of them
my $h = RProxy::Server->new(start => 0, config => <<'EOF');
<Directory __ROOT__/htdocs>
    AllowOverride All
</Directory>
EOF
for my $name (@names) {
    mkdir $h->root . "/htdocs/$name", 0755;
    $h->write_file("htdocs/$name/.htaccess", line_for($name, 'server') . "\n");
}
$h->start or die $h->stderr;
is(get($h, "/$_/")->status, 500, "not legal in .htaccess: $_") for @names;

# notices: one line each
my ($good, $text) = $s->configtest(<<"EOF");
BalancerPersist On
BalancerGrowth 5
BalancerGrowth 6
ProxyHCExpr e {true}
AllowCONNECT 443
ProxyDomain .example
<Proxy balancer://c growth=5 nonce=None>
BalancerMember $U hcmethod=TCP hcinterval=10
</Proxy>
EOF
ok($good, 'what has no effect yet is taken');
my @later = $text =~ /RP0031: (.*)/g;
is(@later, 0, '... and nothing of it is without effect') or diag($text);
unlike($text, qr/BalancerPersist|nonce/, '... is said to be');
is(() = $text =~ /RP0032: /g, 1, 'one notice about what concerns forward proxies');
like($text, qr/RP0032: .*: AllowCONNECT, ProxyDomain;/, '... names them');

# ProxyRemote: refused where it concerns a backend of the configuration
my @remote = (
    "ProxyRemote * http://127.0.0.1:3128\nProxyPass /a $U",                                     1,
    "ProxyPass /a $U\nProxyRemote http http://127.0.0.1:3128",                                  1,
    "ProxyRemote $U/deep http://127.0.0.1:3128\nProxyPass /a $U",                               0,
    "ProxyRemote https http://127.0.0.1:3128\nProxyPass /a $U",                                 0,
    "ProxyRemoteMatch 127\\.0 http://127.0.0.1:3128\nBalancerMember balancer://c $U",           1,
    "ProxyRemote * http://127.0.0.1:3128\nProxyPass /a $U\nNoProxy 127.0.0.1",                  0,
    "ProxyRemote * http://127.0.0.1:3128\nProxyPass /a $U\nNoProxy 10/8 127.0/16",              0,
    "ProxyRemote * http://127.0.0.1:3128\nProxyPass /a $U\nNoProxy 10.0.0.0/8",                 1,
    "ProxyRemote * http://127.0.0.1:3128\nProxyPass /a http://localhost:1\nNoProxy 127 ::1",    0,
    "ProxyRemote * http://127.0.0.1:3128\nProxyPass /a http://localhost:1\nNoProxy .localhost", 1,
    "ProxyRemote * http://127.0.0.1:3128\nProxyPass /a http://a.b.example:1\nNoProxy .example", 0,
    "ProxyRemote * http://127.0.0.1:3128\nProxyPass /a unix:/run/s|http://h",                   0,
    "ProxyRemote * http://127.0.0.1:3128\n<VirtualHost 127.0.0.1:1>\nProxyPass /a $U\n</VirtualHost>", 1,
    "ProxyRemote * http://127.0.0.1:3128\n<VirtualHost 127.0.0.1:1>\nProxyPassInherit Off\nProxyPass /a $U\n</VirtualHost>", 0,
);
while (my ($lines, $refused) = splice @remote, 0, 2) {
    ($good, $text) = $s->configtest("$lines\n");
    my $why = $text =~ /RP0009: \S+:\d+: \S+ is to be reached through another proxy according to \S+ \S+ \(\S+:\d+\)/ ? 1 : 0;
    is(($good ? 0 : 1) . $why, "$refused$refused", ($refused ? 'refused: ' : 'taken: ') . $lines =~ s/\n/ /gr) or diag($text);
}

# names that belong together, by server
for my $where ('', 'other') {
    my $vhost = $where ? "</VirtualHost>\n<VirtualHost 127.0.0.1:2>\n" : '';
    ($good, $text) = $s->configtest(<<"EOF");
<VirtualHost 127.0.0.1:1>
ProxyHCTemplate t5 hcmethod=TCP
$vhost
BalancerMember balancer://c $U hctemplate=t5
</VirtualHost>
EOF
    is($good ? 1 : 0, $where ? 0 : 1, 'hctemplate of ' . ($where || 'the same') . ' server') or diag($text);
}
($good, $text) = $s->configtest("ProxyHCExpr e1 {true}\nBalancerMember balancer://c $U hcexpr=e1\n");
ok($good, 'hcexpr of the same server') or diag($text);
