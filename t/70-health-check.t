# SPDX-License-Identifier: Apache-2.0
# One health check: what is asked, what is good and what is bad, and that nothing a backend does makes it endless.
use strict;
use warnings;
use Apache::Test qw(-withtestmore);
use IO::Socket::INET ();
use RProxy::Backend;
use RProxy::Certs qw(certs);
use RProxy::Client qw(get);
use RProxy::Env qw(needs now temp_dir wait_until);
use RProxy::Server;

my %asked = (
    OPTIONS   => "OPTIONS * HTTP/1.0\r\nHost: HOST\r\n\r\n",
    HEAD      => "HEAD /app/hc HTTP/1.0\r\nHost: HOST\r\n\r\n",
    GET       => "GET /app/hc HTTP/1.0\r\nHost: HOST\r\n\r\n",
    OPTIONS11 => "OPTIONS * HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\n\r\n",
    HEAD11    => "HEAD /app/hc HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\n\r\n",
    GET11     => "GET /app/hc HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\n\r\n",
);
my %status = (200 => 1, 204 => 1, 299 => 1, 302 => 1, 304 => 1, 399 => 1, 400 => 0, 404 => 0, 499 => 0, 500 => 0, 503 => 0, 999 => 0);
my %expr   = (
    '{%{REQUEST_STATUS} == 418}'                                 => [418 => '', '', 1],
    '{%{REQUEST_STATUS} =~ /^[5]/}'                              => [200 => '', '', 0],
    q({hc('body') !~ /Under maintenance/})                       => [200 => '', 'Under maintenance', 0],
    q({hc('body') =~ /^ok$/})                                    => [200 => '', 'ok', 1],
    q({%{HC_BODY} == 'fine'})                                    => [500 => '', 'fine', 1],
    q({hc('other') == ''})                                       => [200 => '', 'text', 1],
    q({%{resp:X-Health} == 'green'})                             => [200 => 'X-Health: green', '', 1],
    q({%{CONTENT_TYPE} == 'application/json'})                   => [200 => 'Content-Type: application/json', '{}', 1],
    q({%{REQUEST_URI} == '/hc' && %{REQUEST_METHOD} == 'GET'})   => [200 => '', '', 1],
    q({%{SERVER_NAME} == 'front.test' && %{REMOTE_ADDR} == '127.0.0.1' && -R '127.0.0.0/8'}) => [200 => '', '', 1],
    q({%{HTTPS} == 'off' && %{HTTP_HOST} =~ /^127/ && %{QUERY_STRING} == '' && %{reqenv:X} == '' && %{req:Cookie} == ''}) => [200 => '', '', 1],
    q({tolower(%{resp:X}) == 'a b' && %{REQUEST_FILENAME} == '' && %{HANDLER} == '' && %{IPV6} == 'off'}) => [200 => 'X: A B', '', 1],
    q({%{REQUEST_STATUS} -eq 200 && hc('body') =~ /behind/})     => [200 => '', "a\0b behind", 1],
    q({hc('body') =~ /^x+$/})                                    => [200 => '', 'x' x 100_000, 1],
    q({file('/nowhere/at/all') == ''})                           => [200 => '', '', undef],
);
my @broken = (    # name, script of the answer, what the log says of it
    [silent   => "hold\n",                                                     'no answer within 1500 ms'],
    [close    => "close\n",                                                    'closed the connection without an answer'],
    [rst      => "rst\n",                                                      'reset the connection without an answer'],
    [drip     => "loop\nsend-slow \"HTTP/1.1 200 OK\\r\\nX: \"\nhold\nend\n", 'no answer within 1500 ms'],
    [garbage  => "send \"SSH-2.0-OpenSSH\\r\\n\"\nhold\n",                     'invalid response head'],
    [headless => "send \"HTTP/1.1 200 OK\\r\\n\"\nloop\nsend \"X: y\\r\\n\"\nend\n", 'invalid response head'],
    [stuck    => "send \"HTTP/1.1 200 OK\\r\\nContent-Length: 9\\r\\n\\r\\nabc\"\nhold\n", 'the answer did not end within 1500 ms'],
    [short    => "send \"HTTP/1.1 200 OK\\r\\nContent-Length: 9\\r\\n\\r\\nabc\"\nlinger\n", 'cut its response short'],
    [chunks   => "send \"HTTP/1.1 200 OK\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\nzz\\r\\n\"\nhold\n", 'invalid chunks'],
    [twice    => "send \"HTTP/1.1 200 OK\\r\\nContent-Length: 1\\r\\nContent-Length: 2\\r\\n\\r\\nab\"\nhold\n", 'without a clear end'],
    [interim  => "loop\nsend \"HTTP/1.1 103 Early\\r\\n\\r\\n\"\nend\n",         'too many interim responses'],
);
plan tests => 2 * keys(%asked) + 5 + keys(%status) + 2 + keys(%expr) + 3 * @broken + 4 + 6 + 4 + 16,
    need {needs(qw(rproxy rproxy_balancer slotmem_shm ssl socache_shmcb))};

my @servers;

sub server {
    my ($conf, @more) = @_;
    push @servers, RProxy::Server->new(modules => [qw(slotmem_shm ssl socache_shmcb)], threads => 4, loglevel => 'info rproxy_balancer:debug', config => $conf, @more);
    return $servers[-1];
}

sub balancer {
    my ($name, @members) = @_;
    return "<Proxy balancer://$name>\n" . join('', map {"BalancerMember $_\n"} @members) . "</Proxy>\nProxyPass /$name balancer://$name\n";
}

sub answer {
    my ($status, $fields, $body) = @_;
    return sprintf "HTTP/1.1 %s X\r\n%sContent-Length: %d\r\n\r\n%s", $status, $fields ? "$fields\r\n" : '', length $body, $body;
}

# The verdict of the next check that ends: (good or bad, its reason).
sub verdict {
    my ($s, $name) = @_;
    my $line = $s->wait_log(qr/RP0744: balancer:\/\/$name: member [^\n]*/) or return ('no check', '');
    return $line =~ /is (good|bad) after \d+ ms: (.*)/;
}

# --- what is asked ---
{
    my $b    = RProxy::Backend->new(name => 'asked');
    my $url  = $b->url('/app/');
    my $host = '127.0.0.1:' . $b->port;
    my $conf = '';
    for my $method (sort keys %asked) {
        $b->clear;
        my $s = server(balancer(lc $method, "$url hcmethod=\L$method\E hcuri=/hc hcinterval=200ms"));
        $b->await('requests', '>=', 1);
        (my $want = $asked{$method}) =~ s/HOST/$host/;
        is $b->head(($b->requests)[0]{n}), $want, "$method: what is sent";
        $b->await('requests', '>=', 3);
        my %conns = $b->conns;
        is_deeply [grep { $_ != 1 } values %conns], [], "$method: each check has its own connection";
        $s->stop;
        $b->reset;
    }
    my $s = server(balancer('tcp', "$url hcmethod=TCP hcinterval=100ms"));
    ok $b->await('accepted', '>=', 3), 'TCP connects';
    is $b->count('requests'), 0, 'and says nothing';
    $s->stop;
}

# --- what is good ---
{
    my $b    = RProxy::Backend->new(name => 'status');
    my $conf = '';
    for my $status (keys %status) {
        $b->raw_answer("/$status", answer($status, 'Location: /' . $status, ''));
        $conf .= balancer("s$status", $b->url . " hcmethod=GET hcuri=/$status hcinterval=300ms");
    }
    my $i = 0;
    my %name;
    for my $expr (sort keys %expr) {
        my ($status, $fields, $body) = @{ $expr{$expr} };
        $name{$expr} = 'e' . $i++;
        $b->raw_answer("/$name{$expr}/hc", answer($status, $fields, $body));
        (my $text = $expr) =~ s{'/hc'}{'/$name{$expr}/hc'};
        $conf .= "ProxyHCExpr $name{$expr} $text\n" . balancer($name{$expr}, $b->url("/$name{$expr}") . " hcmethod=GET11 hcuri=hc hcexpr=$name{$expr} hcinterval=300ms");
    }
    my $s = server($conf);
    for my $status (sort keys %status) {
        $s->{seen} = 0;
        my ($verdict) = verdict($s, "s$status");
        is $verdict, $status{$status} ? 'good' : 'bad', "a status of $status";
    }
    $b->await('path:/302', '>=', 2);
    is scalar(grep { $_->{target} eq '/302' && $_->{conn_seq} > 1 } $b->requests), 0, 'a redirect is an answer: it is not followed';
    $s->{seen} = 0;
    like $s->wait_log(qr/RP0742: balancer:\/\/s503: [^\n]*/), qr/health check GET failed 1 time in a row: status 503; 1 good check/, 'the reason is logged';
    for my $expr (sort keys %expr) {
        $s->{seen} = 0;
        my ($verdict, $why) = verdict($s, $name{$expr});
        my $good = $expr{$expr}[3];
        my $want = !defined $good ? 'can not be evaluated: .+' : $good ? 'is true' : 'is false';
        like "$verdict: $why", qr/^@{[$good ? 'good' : 'bad']}: hcexpr=$name{$expr} $want/, $expr;
    }
    $s->stop;
}

# --- what is broken ---
{
    my $b    = RProxy::Backend->new(name => 'broken');
    my $conf = '';
    for (@broken) {
        $b->script("/$_->[0]", "recv body\n$_->[1]");
        $conf .= balancer($_->[0], $b->url . " hcmethod=GET hcuri=/$_->[0] hcinterval=2 hctimeout=1500ms");
    }
    my $s = server($conf);
    for (@broken) {
        my ($name, undef, $why) = @$_;
        $s->{seen} = 0;
        my ($verdict, $reason) = verdict($s, $name);
        is $verdict, 'bad', "$name: bad";
        like $reason, qr/$why/, "$name: why";
        $s->{seen} = 0;
        ok $s->wait_log(qr/RP0742: balancer:\/\/$name: /), "$name: out of service";
    }
    $s->stop;
}

# a body without end is read so far and no further
{
    my $b = RProxy::Backend->new(name => 'endless');
    $b->script('/endless', "recv body\nsend \"HTTP/1.1 200 OK\\r\\n\\r\\nUnder maintenance\"\nloop\nsend-bytes 65536\nend\n");
    $b->script('/slow', "recv body\nsend \"HTTP/1.1 200 OK\\r\\n\\r\\n\"\nsend-slow \"drip\"\nhold\n");
    my $s = server("ProxyHCExpr maint {hc('body') !~ /Under maintenance/}\n"
            . balancer('endless', $b->url . ' hcmethod=GET hcuri=/endless hcinterval=300ms hctimeout=20')
            . balancer('expr', $b->url . ' hcmethod=GET hcuri=/endless hcinterval=300ms hctimeout=20 hcexpr=maint')
            . balancer('slow', $b->url . ' hcmethod=GET hcuri=/slow hcinterval=300ms hctimeout=300ms'));
    is((verdict($s, 'endless'))[0], 'good', 'an endless body: judged by its status');
    $s->{seen} = 0;
    is((verdict($s, 'expr'))[0], 'bad', 'by what was read of it');
    $s->{seen} = 0;
    like((verdict($s, 'slow'))[1], qr/the answer did not end within 300 ms/, 'an endless body that hardly moves');
    $s->stop;
    ok $b->await('open', '==', 0), 'no connection is left';
}

# --- https and unix ---
{
    my $dir = certs();
    my $tls = RProxy::Backend->new(name => 'tls', tls => 'local');
    my $www = RProxy::Backend->new(name => 'www', tls => 'backend');
    my $uds = RProxy::Backend->new(name => 'uds', unix => temp_dir('sockets') . '/b.sock');
    my $set = sub { my ($name, $member, $ssl) = @_; my $text = balancer($name, $member); $text =~ s/^(<Proxy .*>\n)/$1$ssl/; return $text };
    my $how = 'hcmethod=GET11 hcuri=/id/1 hcinterval=300ms hctimeout=2';
    my $ca  = "SSLProxyEngine On\nSSLProxyVerify require\nSSLProxyCACertificateFile $dir/ca.crt\n";
    my $other = "SSLProxyEngine On\nSSLProxyVerify require\nSSLProxyCACertificateFile $dir/otherca.crt\n";
    my $uds_url = 'unix:' . $uds->unix_path . '|http://localhost';
    my $s = server(join '', $set->('tls', $tls->tls_url . " $how", $ca), $set->('foreign', $tls->tls_url . " $how", $other),
        $set->('off', $www->tls_url('/off') . " $how", ''), $set->('wrong', $www->tls_url . " $how", $ca),
        $set->('name', $www->tls_url . " $how hchost=Backend.example.com:8443", $ca), balancer('uds', "$uds_url $how"),
        balancer('member', $tls->tls_url('/own') . " $how"), "<Proxy " . $tls->tls_url('/own') . ">\n$ca</Proxy>\n");
    my %want = (tls => ['good', 'status 200'], foreign => ['bad', 'TLS handshake'], off => ['bad', 'TLS to backend servers is not enabled'],
        wrong => ['bad', 'TLS handshake'], name => ['good', 'status 200'], uds => ['good', 'status 200'], member => ['good', 'status 200']);
    for my $name (sort keys %want) {
        $s->{seen} = 0;
        my ($verdict, $why) = verdict($s, $name);
        like "$verdict: $why", qr/^$want{$name}[0]: .*$want{$name}[1]/, "https and unix: $name";
    }
    like $www->head(1), qr/^Host: Backend\.example\.com:8443\r$/m, 'hchost is the Host';
    like $uds->head(1), qr/^Host: localhost\r$/m, 'a host over a socket';
    ok get($s, '/uds/id/1')->status == 200 && get($s, '/off/id/1')->status == 503, 'in traffic';
    is get($s, '/tls/id/1')->status, 200, 'requests have the TLS settings of the balancer, as their checks have';
    is get($s, '/member/id/1')->status, 200, 'or of the member';
    is $tls->violations . $uds->violations, '', 'no protocol was hurt';
    $s->stop;
}

# --- what can be written ---
{
    my $s    = RProxy::Server->new(start => 0, modules => [qw(slotmem_shm)]);
    my $u    = 'http://127.0.0.1:1';
    my $test = sub { my ($conf) = @_; my ($ok, $said) = $s->configtest($conf); return ($ok ? 'ok ' : 'no ') . $said };
    my $with = sub { return $test->(balancer('c', "$u @_")) };
    like $with->('hcmethod=GET hcuri=/a%20b?c hchost=h:1 hctimeout=500ms hcinit=check'), qr/^ok/, 'all of it';
    like $with->('"hcuri=/a b"'), qr/^no .*RP0740: .*: hcuri=\/a b can not stand in a request \(.*\): write for example hcuri=\/health/s, 'a blank in hcuri';
    like $with->('"hchost=a b"'), qr/^no .*RP0740: .*hchost=a b can not stand/s, 'a blank in hchost';
    like $with->('hcinit=off'), qr/^no .*hcinit: "off" is not one of up, down, check; write for example hcinit=check/s, 'hcinit';
    like $with->('hctimeout=0'), qr/^no .*hctimeout: "0" is not a time of at least 1 ms/s, 'hctimeout';
    like $with->('hcmethod=CPING'), qr/^no .*hcmethod: "CPING" is not one of NONE, TCP/s, 'hcmethod';
    like $with->('hcexpr=e'), qr/^no .*RP0008: .*hcexpr=e: this server has no ProxyHCExpr/s, 'an expression that is not there';
    like $test->("ProxyHCTemplate t hcexpr=e\n" . balancer('c', "$u hctemplate=t")), qr/^no .*RP0008: .*hcexpr=e: this server has no/s, 'one of a template';
    like $test->("ProxyHCTemplate t \"hcuri=/a b\"\n" . balancer('c', "$u hctemplate=t")), qr/^no .*RP0740/s, 'a blank in that of a template';
    like $test->('ProxyHCExpr e {%{REQUEST_STATUS} =~}'), qr/^no .*ProxyHCExpr e: \{%\{REQUEST_STATUS\} =~\} is no expression: /s, 'a syntax error';
    like $test->("ProxyHCExpr e {nope('x')}"), qr/^no .*ProxyHCExpr e: .* is no expression: /s, 'an unknown function';
    for my $bad ("-U '/x'", "-F '/x'", '%{REMOTE_IDENT} == 1', '%{REMOTE_HOST} == 1') {
        like $test->("ProxyHCExpr e {$bad}"), qr/^no .*is about a client, and a health check has none/s, "$bad is refused";
    }
    like $test->("<If \"hc('body') == ''\">\n</If>"), qr/^no /, 'hc() is for health checks alone';
}
