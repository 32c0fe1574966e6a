# SPDX-License-Identifier: Apache-2.0
# The balancer manager as the guide has it: every balancer and member with state and counters, changes in the running server by its form,
# who may send one, and what scripts read.
use strict;
use warnings;
use Apache::Test qw(-withtestmore);
use RProxy::Backend;
use RProxy::Client qw(get);
use RProxy::Env qw(needs);
use RProxy::Server;

plan tests => 151, need {needs(qw(rproxy rproxy_balancer slotmem_shm authz_core authz_host))};

my %b = map { $_ => RProxy::Backend->new(name => $_) } qw(a b c);
my %u = map { $_ => $b{$_}->url } keys %b;
my $s = RProxy::Server->new(modules => [qw(slotmem_shm authz_host)], processes => 2, config => <<"CONF");
UseCanonicalName On
<Proxy balancer://myset>
    BalancerMember $u{a} route=a
    BalancerMember $u{b} route=b
    ProxySet growth=1 stickysession=SID|sid
</Proxy>
<Proxy balancer://known>
    BalancerMember $u{c}
    ProxySet nonce=0123-my-nonce
</Proxy>
<Proxy balancer://none>
    BalancerMember $u{c}
    ProxySet nonce=None
</Proxy>
ProxyPass /known balancer://known
ProxyPass /none balancer://none
ProxyPass /app balancer://myset
<Location "/balancer-manager">
    SetHandler balancer-manager
    Require local
</Location>
CONF

my @referer = (Referer => 'http://front.test/balancer-manager');

sub enc { my ($text) = @_; return $text =~ s/([^A-Za-z0-9._~-])/sprintf '%%%02X', ord $1/ger }

sub form { my (@fields) = @_; my @out; while (@fields) { push @out, enc(shift @fields) . '=' . enc(shift @fields) } return join '&', @out }

sub page { my ($query, %opt) = @_; return get($s, "/balancer-manager$query", headers => [@referer], %opt) }

sub send_form {
    my ($form, @headers) = @_;
    @headers = @referer if !@headers;
    return RProxy::Client->one($s, 'POST', '/balancer-manager', body => $form,
        headers => ['Content-Type' => 'application/x-www-form-urlencoded', grep { defined } @headers]);
}

sub who { my ($path, $n, @more) = @_; return join ' ', map { my $r = get($s, $path, @more); $r->header('X-Backend') // $r->status } 1 .. $n }
# Who answers; as many requests as the credits of earlier ones may last.
sub kinds {
    my ($n, @more) = (@_ % 2 ? @_ : (30, @_));
    my %seen = map { $_ => 1 } split ' ', who('/app/x', $n, @more);
    return join ' ', sort keys %seen;
}

# --- the page ---
my $r = get($s, '/balancer-manager');
is $r->status, 200, 'the page';
like $r->header('Content-Type'), qr{^text/html}, 'is HTML';
like $r->body, qr{<title>Balancer Manager</title>}, 'its title';
like $r->body, qr{<h1>Load Balancer Manager for front\.test</h1>}, 'its heading';
like $r->body, qr{Server Version: Apache}, 'version of the server';
like $r->body, qr{Balancer changes will NOT be persisted on restart\.}, 'whether changes stay';
like $r->body, qr{LoadBalancer Status for <a href="/balancer-manager\?b=$_&amp;nonce=[^"]+">balancer://$_</a>}, "balancer $_"
    for qw(myset known);
like $r->body, qr{LoadBalancer Status for <a href="/balancer-manager\?b=none&amp;nonce=">balancer://none</a>}, 'balancer none: no nonce';
like $r->body, qr{>\Q$_\E</a></td>}, "member $_" for map { s{=}{&#61;}r } values %u;
like $r->body, qr{<th scope="col">$_</th>}, "column $_"
    for 'Worker URL', 'Route', 'RouteRedir', 'Factor', 'Set', 'Status', 'Elected', 'Busy', 'Load', 'To', 'From', 'MaxMembers', 'StickySession',
    'DisableFailover', 'Timeout', 'FailoverAttempts', 'Method', 'Path', 'Usable';
like $r->body, qr{3 \[2 Used\]}, 'places';
like $r->body, qr{SID \| sid},   'sticky session';
like $r->body, qr{<td class="what">Init Ok <br><span class="state good">usable</span>}, 'the state in flags and words';
like $r->header('Content-Security-Policy'), qr/default-src 'none'.*frame-ancestors 'none'/, 'no scripts, no frames';
is $r->header('Cache-Control'), 'no-store', 'not to be stored';
is who('/app/x', 4), 'a b a b', 'traffic';
like get($s, '/balancer-manager')->body, qr{usable</span></td><td class="n">2</td><td class="n">0</td>}, 'is counted';
my $head = RProxy::Client->one($s, "HEAD", '/balancer-manager');
is $head->status, 200, 'HEAD';
is(RProxy::Client->one($s, $_, '/balancer-manager', body => '')->status, 405, "$_ is refused") for qw(PUT DELETE PATCH);

my ($nonce) = $r->body =~ /b=myset&amp;nonce=([0-9a-f-]{32,36})"/;
ok $nonce, 'a nonce of its own';
my @member = (b => 'myset', w => $u{a}, nonce => $nonce);

# --- XML ---
$r = page('?xml=1');
is $r->header('Content-Type'), 'text/xml', 'XML';
like $r->body, qr{^<\?xml [^>]*>\s*<httpd:manager xmlns:httpd="http://httpd\.apache\.org">\s*<httpd:balancers>\s*<httpd:balancer>}, 'root';
like $r->body, qr{<httpd:name>balancer://myset</httpd:name>\s*<httpd:nonce>$nonce</httpd:nonce>}, 'name and nonce';
like $r->body, qr{<httpd:$_->[0]>\Q$_->[1]\E</httpd:$_->[0]>}, "element $_->[0]"
    for [stickysession => 'SID|sid'], [lbmethod => 'byrequests'], [name => $u{a}], [scheme => 'http'], [hostname => '127.0.0.1'],
    [port => $b{a}->port], [status => 'Init Ok '], [route => 'a'], [lbset => 0], [elected => 2], [busy => 0], [loadfactor => '1.00'];
is scalar(() = $r->body =~ /<(?!\/|\?)/g), scalar(() = $r->body =~ /<\//g), 'each element is closed';
unlike get($s, '/balancer-manager?xml=1')->body, qr/<\?xml/, 'without a Referer even xml is ignored';

# --- who may change something ---
sub unchanged { my ($name, $answer) = @_; like page('?xml=1')->body, qr{<httpd:route>a</httpd:route>}, $name; return $answer }
my $good = form(@member, w_wr => 'new');
unchanged('no Referer', send_form($good, undef));
unchanged('a Referer of another host',  send_form($good, Referer => 'http://evil.test/front.test'));
unchanged('a Referer that begins alike', send_form($good, Referer => 'http://front.test.evil.test/'));
like unchanged('no nonce', send_form(form(b => 'myset', w => $u{a}, w_wr => 'new')))->body, qr/the nonce is not that/, 'said so';
unchanged('a wrong nonce', send_form(form(@member, nonce => 'x' x 36, w_wr => 'new')));
unchanged('a GET', page("?$good"));
unchanged('a GET with the nonce of another balancer', page('?' . form(@member[0 .. 3], nonce => '0123-my-nonce', w_wr => 'new')));
unchanged('a body of another type',
    RProxy::Client->one($s, 'POST', '/balancer-manager', body => $good, headers => ['Content-Type' => 'text/plain', @referer]));
unchanged('in the query of a POST', RProxy::Client->one($s, 'POST', "/balancer-manager?$good", body => '',
        headers => ['Content-Type' => 'application/x-www-form-urlencoded', @referer]));
is send_form('w_wr=%zz')->status, 400, 'a malformed form';
is send_form('a=' . 'x' x 70_000)->status, 413, 'a form too large';
send_form(form(b => 'none', w => $u{c}, nonce => '', w_status_D => 1));
is who('/none/x', 1), 'c', 'nonce=None: no change ever';
send_form(form(b => 'none', w => $u{c}, nonce => 'None', w_status_D => 1));
is who('/none/x', 1), 'c', 'not with the word either';
send_form(form(b => 'known', w => $u{c}, nonce => '0123-my-nonce', w_status_D => 1));
is who('/known/x', 1), '503', 'a nonce of the configuration';
send_form(form(b => 'known', w => $u{c}, nonce => '0123-my-nonce', w_status_D => 0), Referer => 'https://FRONT.test:1/x');
is who('/known/x', 1), 'c', 'a Referer in other letters, of another port';
like $s->error_log, qr/RP0780: /, 'a line about the Referer';
like $s->error_log, qr/RP0781: /, 'a line about the nonce';

# --- every change, by its form and in traffic ---
sub changes {
    my ($name, $traffic, $form, @more) = @_;
    my $answer = send_form($form);
    is $answer->status, 200, $name;
    is kinds($traffic =~ / / ? 30 : 4, @more), $traffic, "$name: traffic";
    return $answer;
}
my @sid = (headers => [Cookie => 'SID=1.a']);
my @b   = (b => 'myset', nonce => $nonce);
changes('route', 'a', form(@member, w_wr => 'z'), headers => [Cookie => 'SID=1.z']);
changes('no route', 'a b', form(@member, w_wr => ''), headers => [Cookie => 'SID=1.z']);
changes('route back', 'a', form(@member, w_wr => 'a'), @sid);
changes("flag $_ on", 'b', form(@member, "w_status_$_" => 1)), changes("flag $_ off", 'a b', form(@member, "w_status_$_" => 0)) for qw(D S H C N);
changes('flag N keeps sessions', 'a', form(@member, w_status_N => 1), @sid);
changes('spare', 'b', form(@member, w_status_N => 0, w_status_R => 1));
changes('no spare', 'a b', form(@member, w_status_R => 0));
changes('redirect', 'b', form(@member, w_rr => 'b', w_status_D => 1), @sid);
changes('set 1, for one', 'b', form(@member, w_rr => '', w_status_D => 0, w_ls => 1));
changes('load factor', 'a b', form(@member, w_ls => 0, w_lf => '3'));
is who('/app/x', 8) =~ tr/a//, 6, 'three times the traffic';
like send_form(form(@member, w_lf => '0.5', w_ls => 2))->body, qr/Load factor is as it was: .* from 1 to 100/, 'a wrong value is said';
like page('?xml=1')->body, qr{<httpd:lbset>2</httpd:lbset>}, 'and takes no other with it';
send_form(form(@member, w_lf => 1, w_ls => 0));
$r = changes('sticky session', 'b', form(@b, b_ss => 'KEY'), headers => [Cookie => 'KEY=1.b']);
like $r->body, qr/class="note" role="status">balancer:\/\/myset: stickysession SID\|sid -&#62; KEY/, 'what was done is said';
changes('no sticky session', 'a b', form(@b, b_ss => '-'), headers => [Cookie => 'KEY=1.b']);
send_form(form(@b, b_lbm => 'bytraffic', b_tmo => 7, b_max => 1, b_sforce => 1, b_ss => 'S'));
like page('?xml=1')->body, qr{<httpd:$_->[0]>$_->[1]</httpd:$_->[0]>}, "$_->[0] of the balancer"
    for [lbmethod => 'bytraffic'], [timeout => 7], [maxattempts => 1], [nofailover => 'On'], [stickysession => 'S'];
send_form(form(@b, b_lbm => 'magic', b_tmo => 0));
like page('?xml=1')->body, qr{<httpd:timeout>0</httpd:timeout>\s*<httpd:maxattempts>1</httpd:maxattempts>\s*<httpd:lbmethod>bytraffic},
    'an unknown method changes nothing';
send_form(form(@b, b_lbm => 'byrequests', b_sforce => 0, b_ss => '-'));

# --- members ---
is send_form(form(@b, b_nwrkr => $u{c}))->body =~ /tick/ ? 1 : 0, 1, 'adding asks to be sure';
is send_form(form(@b, b_nwrkr => $_->[0], b_wyes => 1))->status, 400, "not added: $_->[1]"
    for ['ajp://h', 'a foreign scheme'], ['unix:/x|http://h', 'a socket'], [$u{a}, 'one that is there'], ['nonsense', 'no URL'];
is send_form(form(@b, b_nwrkr => $u{c}, b_wyes => 1))->status, 200, 'a new member';
is kinds(), 'a b', 'begins disabled';
is send_form(form(@b, b_nwrkr => 'http://127.0.0.1:1/y', b_wyes => 1))->status, 400, 'no place for a second one';
changes('enabled', 'a b c', form(@b, w => enc($u{c}), w_status_D => 0));
changes('removed', 'a b', form(@b, w => $u{c}, w_remove => 1));
like send_form(form(@member, w_remove => 1))->body, qr/role="alert">[^<]*can not be removed/, 'a configured one is not';

# --- asked before, when a person did it ---
my $page = page('?' . form(@member))->body;
like $page, qr{<h3>Edit worker settings for }, 'the form of a member';
my ($etag) = $page =~ /name="etag" value="([^"]*)"/;
$etag =~ s/&#34;/"/g;
$r = send_form(form(@member, ask => 1, etag => $etag, w_status_D => 1));
like $r->body, qr/This drops traffic/, 'a question first';
is kinds(), 'a b', 'nothing is done yet';
send_form(form(@member, ask => 1, etag => $etag, confirm => 1, w_status_D => 1));
is kinds(), 'b', 'done after the answer';
like send_form(form(@member, ask => 1, etag => $etag, w_ls => 4))->body, qr/somebody else changed it/, 'a form that was overtaken';
send_form(form(@member, w_status_D => 0));
is kinds(), 'a b', 'a script is not asked';

# --- text of others ---
send_form(form(@member, w_wr => '<i>"x"&'));
$r = page('?' . form(@member));
unlike $r->body, qr/<i>"x/, 'a route is escaped';
like $r->body, qr/&#60;i&#62;&#34;x&#34;&#38;/, 'and shown';
