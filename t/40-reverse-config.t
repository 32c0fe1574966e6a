# SPDX-License-Identifier: Apache-2.0
# The directives of mod_rproxy_reverse in `httpd -t`: where they may stand, what they take, and what is said otherwise.
use strict;
use warnings;
use Apache::Test qw(-withtestmore);
use RProxy::Env qw(needs own_module_file);
use RProxy::Server;

my $domain = 'ProxyPassReverseCookieDomain in.example out.example';
my $path   = 'ProxyPassReverseCookiePath /in /out';
my $many   = join ' ', map {"X-$_"} 1 .. 33;

my @good = (
    'ProxyPassReverse /x http://h/',
    'ProxyPassReverse /x http://h/ interpolate',
    'ProxyPassReverse / /int',
    'ProxyPassReverse "/a b" "http://h/"',
    '<Location /x>|ProxyPassReverse http://h/|</Location>',
    '<Location /x>|ProxyPassReverse http://h/ interpolate|</Location>',
    '<Location /x>|ProxyPassReverse http://h/ INTERPOLATE|</Location>',
    '<LocationMatch ^/x>|ProxyPassReverse http://h/|</LocationMatch>',
    "<VirtualHost *:1>|ProxyPassReverse /x http://h/|$domain|$path|RProxyReverseHeaders Location|</VirtualHost>",
    "$domain|$path",
    "$domain interpolate|$path interpolate",
    "<Location /x>|$domain|$path|</Location>",
    "<Directory /x>|$domain|$path|RProxyReverseHeaders Location|</Directory>",
    "<Proxy http://h/>|$domain|$path|RProxyReverseHeaders Location|</Proxy>",
    'RProxyReverseHeaders Location',
    'RProxyReverseHeaders Location Link X-My.Header',
    'RProxyReverseHeaders None',
    'RProxyReverseHeaders none',
    'ProxyPassReverse /x balancer://c|<Proxy balancer://c>|BalancerMember http://h|</Proxy>',
);
my @bad = (
    ['ProxyPassReverse http://h/' => qr{ProxyPassReverse "http://h/" needs a path when it is not inside a <Location>: write ProxyPassReverse /path http://h/}],
    ['ProxyPassReverse http://h/ interpolate' => qr{"http://h/" needs a path}],
    ['<VirtualHost *:1>|ProxyPassReverse http://h/|</VirtualHost>' => qr{"http://h/" needs a path}],
    ['<Location /x>|ProxyPassReverse /y http://h/|</Location>' => qr{ProxyPassReverse can not have a path \("/y"\) inside a Location \("/x"\), which gives the path: write ProxyPassReverse http://h/, or move}],
    ['<Location /x>|ProxyPassReverse /y http://h/ interpolate|</Location>' => qr{can not have a path \("/y"\)}],
    ['<Proxy http://h/>|ProxyPassReverse /y http://h/|</Proxy>'            => qr{can not have a path}],
    ['ProxyPassReverse'                                                    => qr{ProxyPassReverse takes}],
    ['ProxyPassReverse /x http://h/ interpolate more'                      => qr{ProxyPassReverse takes}],
    ["ProxyPassReverse \"/x\ty\" http://h/" => qr{ProxyPassReverse: the path "/x\\ty" has a control character: remove it}],
    ['<Directory /x>|ProxyPassReverse http://h/|</Directory>' => qr{ProxyPassReverse (?:cannot|not allowed)}],
    ['<Files x>|ProxyPassReverse http://h/|</Files>'          => qr{ProxyPassReverse (?:cannot|not allowed)}],
    ['<If "true">|ProxyPassReverse http://h/|</If>'           => qr{ProxyPassReverse (?:cannot|not allowed)}],
    ['<Location /x>|<Limit GET>|ProxyPassReverse http://h/|</Limit>|</Location>' => qr{ProxyPassReverse (?:cannot|not allowed)}],
    ['ProxyPassReverseCookieDomain x'                         => qr{ProxyPassReverseCookieDomain takes}],
    ['ProxyPassReverseCookiePath x'                           => qr{ProxyPassReverseCookiePath takes}],
    ['ProxyPassReverseCookiePath a b c d'                     => qr{ProxyPassReverseCookiePath takes}],
    ['RProxyReverseHeaders'                => qr{RProxyReverseHeaders takes 1 to 32 header names, or None; there are 0}],
    ["RProxyReverseHeaders $many"          => qr{RProxyReverseHeaders takes 1 to 32 header names, or None; there are 33}],
    ['RProxyReverseHeaders None Location X:Y' => qr{RProxyReverseHeaders: "X:Y" is refused: a header name has letters, digits and}],
    ['RProxyReverseHeaders "a b"'          => qr{"a b" is refused: a header name has letters}],
    ['RProxyReverseHeaders "" X-A'         => qr{"" is refused: a header name has 1 to 64 characters}],
    ['RProxyReverseHeaders ' . 'a' x 65    => qr{is refused: a header name has 1 to 64 characters}],
    ['RProxyReverseHeaders set-cookie'     => qr{"set-cookie" is refused: cookies are mapped by ProxyPassReverseCookieDomain}],
);
my @orders = (
    [qw(rproxy rproxy_reverse)],
    [qw(rproxy_reverse rproxy)],
    [qw(rproxy_reverse rproxy_balancer rproxy)],
    [qw(rproxy_balancer rproxy_reverse rproxy)],
);
plan tests => @good + 2 * @bad + 1 + @orders + 9, need {needs(qw(rproxy rproxy_reverse))};

my $t = RProxy::Server->new(start => 0);
for my $conf (@good) {
    my ($good, $text) = $t->configtest($conf =~ s/\|/\n/gr . "\n");
    ok($good && $text !~ /RP0|:warn\]/, "good: $conf") or diag $text;
}
for my $row (@bad) {
    my ($conf, $want) = @$row;
    my ($good, $text) = $t->configtest($conf =~ s/\|/\n/gr . "\n");
    ok(!$good, 'bad: ' . substr $conf, 0, 80);
    like($text, $want, '... and says why');
}
{
    my ($good, $text) = $t->configtest('RProxyReverseHeaders ' . join(' ', map {"X-$_"} 1 .. 32) . "\n");
    ok($good, 'as many names as are allowed') or diag $text;
}

# the sister module
for my $order (@orders) {
    my $server = RProxy::Server->new(start => 0, ours => $order);
    my ($good, $text) = $server->configtest("ProxyPass /x/ http://h/\nProxyPassReverse /x http://h/\n");
    ok($good && $text !~ /RP0/, "LoadModule order: @$order") or diag $text;
}
{
    my $alone = RProxy::Server->new(start => 0, ours => ['rproxy_reverse']);
    my ($good, $text) = $alone->configtest("ProxyPassReverse /x http://h/\n$path\n");
    ok(!$good, 'mod_rproxy_reverse alone');
    like($text, qr/RP0600: mod_rproxy_reverse needs mod_rproxy, which is not loaded: add the line "LoadModule rproxy_module/, '... says which line is missing');
    is(scalar(() = $text =~ /RP06/g), 1, '... and that only');
    my $core = RProxy::Server->new(start => 0, ours => ['rproxy']);
    for my $line ('ProxyPassReverse /x http://h/', $domain, $path) {
        ($good, $text) = $core->configtest("$line\n");
        like($text, qr/needs mod_rproxy_reverse, which is not loaded: add the line/, 'mod_rproxy alone: ' . (split / /, $line)[0]);
    }
}

# warnings are in `httpd -t` as well, once
{
    my ($good, $text) = $t->configtest("ProxyPassReverse x nothing whatever\nProxyPassReverse /x balancer://none\n");
    ok($good, 'what can not match is no error');
    is(join(' ', sort $text =~ /(RP06\d\d)/g), 'RP0602 RP0603 RP0604 RP0608', '... but warned of') or diag $text;
    ($good, $text) = $t->configtest("ProxyPassReverse /\${A} http://\${B}/ interpolate\nProxyPassReverse \${A} \${B} interpolate\nProxyPassReverse /x balancer://\${C} interpolate\n");
    unlike($text, qr/RP06/, 'variables are not judged') or diag $text;
}
