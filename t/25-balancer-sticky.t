# SPDX-License-Identifier: Apache-2.0
# Sessions stay with their member: where a session is found, which part of it is the route, and what is told of it.
use strict;
use warnings;
use Apache::Test qw(-withtestmore);
use RProxy::Backend;
use RProxy::Client qw(get);
use RProxy::Env qw(needs);
use RProxy::Server;

plan tests => 54, need {needs(qw(rproxy rproxy_balancer slotmem_shm headers))};

my %b       = map { $_ => RProxy::Backend->new(name => $_) } qw(a b c);
my %u       = map { $_ => $b{$_}->url } keys %b;
my $members = join '', map { "BalancerMember $u{$_} route=$_\n" } qw(a b c);
my %params  = (
    plain => 'stickysession=SID',
    two   => 'stickysession=COOK|parm',
    semi  => 'stickysession=SID scolonpathdelim=On',
    bang  => 'stickysession=SID stickysessionsep=!',
    off   => 'stickysession=SID stickysessionsep=Off',
    none  => '',
);
my $conf = join '', map { "<Proxy balancer://$_>\n$members" . ($params{$_} ? "ProxySet $params{$_}\n" : '') . "</Proxy>\nProxyPass /$_ balancer://$_\n" }
    sort keys %params;
$conf .= <<"CONF";
<Proxy balancer://redir>
    BalancerMember $u{a} route=a redirect=b
    BalancerMember $u{b} route=b redirect=nobody
    BalancerMember $u{c} route=c redirect=a
    ProxySet stickysession=SID
</Proxy>
ProxyPass /redir balancer://redir
<Proxy balancer://recipe>
    BalancerMember $u{a} route=a
    BalancerMember $u{b} route=b
    ProxySet stickysession=ROUTEID
</Proxy>
<Location /recipe>
    ProxyPass balancer://recipe
    Header add Set-Cookie "ROUTEID=.%{BALANCER_WORKER_ROUTE}e; path=/" env=BALANCER_ROUTE_CHANGED
</Location>
<Proxy balancer://standby>
    BalancerMember $u{a} route=r status=+H
    BalancerMember $u{b} route=r
    BalancerMember $u{c} route=c lbset=5
    ProxySet stickysession=SID
</Proxy>
ProxyPass /standby balancer://standby
<Proxy balancer://param>
    BalancerMember $u{a} route=a
    BalancerMember $u{b} route=b
</Proxy>
ProxyPass /param balancer://param stickysession=JSESSIONID|jsessionid
LogFormat "%U env=%{BALANCER_NAME}e,%{BALANCER_WORKER_NAME}e,%{BALANCER_WORKER_ROUTE}e,%{BALANCER_SESSION_STICKY}e,%{BALANCER_SESSION_ROUTE}e,%{BALANCER_ROUTE_CHANGED}e notes=%{session-sticky}n,%{session-route}n" vars
CustomLog "__ROOT__/vars_log" vars
CONF
my $s = RProxy::Server->new(modules => [qw(slotmem_shm headers)], config => $conf);

sub who {
    my ($target, @cookie) = @_;
    my $r = get($s, $target, @cookie ? (headers => [map { (Cookie => $_) } @cookie]) : ());
    return $r->header('X-Backend') // $r->status;
}

# Stays: three requests go to that member. Else they go round.
sub stays {
    my ($member, $what, @how) = @_;
    return is join(' ', map { who(@how) } 1 .. 3), "$member $member $member", $what;
}

# Sessions before have shifted the shares, so it may take a while until all have had a turn.
sub goes_round {
    my ($what, @how) = @_;
    my %seen;
    for (1 .. 90) { $seen{who(@how)} = 1; last if keys %seen == 3 }
    return is join(' ', sort keys %seen), 'a b c', $what;
}

# --- cookie ---
stays('b', 'a cookie', '/plain/id/1', 'SID=x.b');
stays('c', 'among others', '/plain/id/1', 'one=1; SID=x.c; two=2');
stays('c', 'after a comma', '/plain/id/1', 'one=1,SID=x.c,two=2');
stays('c', 'in the second header', '/plain/id/1', 'one=1', 'SID=x.c');
stays('b', 'in quotes', '/plain/id/1', 'SID="x.b"');
stays('b', 'behind a name that ends alike', '/plain/id/1', 'XSID=x.a; SID=x.b');
goes_round('a name that only ends alike', '/plain/id/1', 'XSID=x.b');
goes_round('letters count', '/plain/id/1', 'sid=x.b');
goes_round('a value without separator', '/plain/id/1', 'SID=b');
goes_round('nothing behind it', '/plain/id/1', 'SID=b.');
stays('b', 'nothing before it', '/plain/id/1', 'SID=.b');
goes_round('the first separator counts', '/plain/id/1', 'SID=x.y.b');
goes_round('a route that nobody has', '/plain/id/1', 'SID=x.z');
goes_round('a balancer without stickysession', '/none/id/1', 'SID=x.b');

# --- URL ---
stays('b', 'in the path', '/plain/id/1;SID=x.b');
stays('c', 'in the query', '/plain/id/1?SID=x.c');
stays('c', 'among other arguments', '/plain/id/1?q=1&SID=x.c&w=2');
stays('b', 'before a query', '/plain/id/1;SID=x.b?q=1');
goes_round('a name that only ends alike in a query', '/plain/id/1?XSID=x.b');
goes_round('the same in a path', '/plain/id/1;XSID=x.b');
stays('c', 'the URL comes before the cookie', '/plain/id/1;SID=x.c', 'SID=x.b');
goes_round('a semicolon belongs to the value', '/plain/id/1;SID=x.b;foo=1');
stays('b', 'scolonpathdelim: it ends it', '/semi/id/1;SID=x.b;foo=1');
stays('b', 'and without one', '/semi/id/1;SID=x.b');

# --- names and separators ---
stays('b', 'the name of the cookie', '/two/id/1', 'COOK=x.b');
stays('c', 'the name of the parameter', '/two/id/1;parm=x.c');
stays('c', 'which comes first', '/two/id/1;parm=x.c', 'COOK=x.b');
goes_round('not the one for the other', '/two/id/1;COOK=x.b', 'parm=x.c');
stays('b', 'another separator', '/bang/id/1', 'SID=x.y!b');
goes_round('the dot is none there', '/bang/id/1', 'SID=x.b');
stays('b', 'no separator', '/off/id/1', 'SID=b');
goes_round('all of the value', '/off/id/1', 'SID=x.b');
stays('b', 'parameters on the ProxyPass line', '/param/id/1', 'JSESSIONID=0.b');
stays('b', 'both names', '/param/id/1;jsessionid=0.b');

# --- sets and standbys ---
stays('b', 'of two members with one route, the one that is no standby', '/standby/id/1', 'SID=x.r');
stays('c', 'sets do not matter', '/standby/id/1', 'SID=x.c');
is who('/standby/id/1'), 'b', 'to sessions';

# --- what is told ---
sub told {
    my ($target, @cookie) = @_;
    my ($path) = $target =~ /^([^?;]*)/;
    my $had = () = vars() =~ /^\Q$path\E/mg;
    who($target, @cookie);
    my @lines;
    RProxy::Env::wait_until(10, sub { @lines = grep { index($_, $path) == 0 } split /\n/, vars(); @lines > $had });
    return $lines[-1] =~ s/.* env=//r;
}
sub vars { open my $in, '<', $s->root . '/vars_log' or return ''; local $/; return <$in> // '' }

is told('/plain/id/t1', 'SID=x.b'), "balancer://plain,$u{b},b,SID,b,- notes=SID,b", 'a session at its member';
like told('/plain/id/t2', 'SID=x.z'), qr{^balancer://plain,http://[^,]+,[abc],SID,z,1 notes=SID,z$}, 'a route that nobody has: changed';
like told('/plain/id/t3'), qr{^balancer://plain,http://[^,]+,[abc],-,-,1 notes=-,-$}, 'no session: changed';
like told('/none/id/t4', 'SID=x.b'), qr{^balancer://none,http://[^,]+,[abc],-,-,- notes=-,-$}, 'no stickysession: nothing changes';
is told('/two/id/t5;parm=x.c'), "balancer://two,$u{c},c,parm,c,- notes=parm,c", 'the name that hit';

# --- redirect ---
stays('a', 'redirect is nothing while the member can be used', '/redir/id/1', 'SID=x.a');
$b{a}->refuse;
$b{a}->drop;
stays('b', 'a member that is down', '/redir/id/1', 'SID=x.a');
is told('/redir/id/t6', 'SID=x.a'), "balancer://redir,$u{b},b,SID,a,1 notes=SID,a", 'redirected: changed';
stays('c', 'one whose redirect is not needed', '/redir/id/1', 'SID=x.c');
$b{b}->refuse;
$b{b}->drop;
stays('c', 'redirect to a route that nobody has: any member', '/redir/id/1', 'SID=x.b');
is told('/redir/id/t7', 'SID=x.b'), "balancer://redir,$u{c},c,SID,b,1 notes=SID,b", 'changed';
$_->listen for values %b;

# --- the recipe: httpd makes the session ---
my $r = get($s, '/recipe/id/1');
my $m = $r->header('X-Backend');
is $r->header('Set-Cookie'), "ROUTEID=.$m; path=/", 'a first request gets the cookie';
$r = get($s, '/recipe/id/1', headers => [Cookie => "ROUTEID=.$m"]);
is $r->header('Set-Cookie'), undef, 'not again';
is $r->header('X-Backend'), $m, 'it stays';
$b{$m}->refuse;
$b{$m}->drop;
my $other = $m eq 'a' ? 'b' : 'a';
$r = get($s, '/recipe/id/1', headers => [Cookie => "ROUTEID=.$m"]);
is $r->header('X-Backend'), $other, 'its member is down: another one';
is $r->header('Set-Cookie'), "ROUTEID=.$other; path=/", 'and a new cookie';
$_->listen for values %b;
$s->stop;

# --- sessions count: who serves them gets less of the rest ---
$s = RProxy::Server->new(modules => ['slotmem_shm'], config => $conf =~ s/^\s*Header.*\n//mr);
who('/plain/id/1', 'SID=x.a') for 1 .. 4;
is join(' ', map { who('/plain/id/1') } 1 .. 8), 'b c b c b c b c', 'the others have their turn';
$s->stop;
