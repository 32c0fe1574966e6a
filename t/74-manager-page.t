# SPDX-License-Identifier: Apache-2.0
# The balancer manager in a real browser: every edit is made by its controls and seen in traffic; with the keyboard alone; without scripts;
# asked before traffic is dropped; what others wrote is text. MANAGER_SHOTS=FOLDER keeps pictures.
use strict;
use warnings;
use Apache::Test qw(-withtestmore);
use JSON::PP ();
use RProxy::Backend;
use RProxy::Chromium;
use RProxy::Client qw(get);
use RProxy::Env qw(needs wait_until);
use RProxy::Server;

plan tests => 65, need {needs(qw(rproxy rproxy_balancer slotmem_shm authz_host))};

my %b = map { $_ => RProxy::Backend->new(name => $_) } qw(a b c);
my %u = map { $_ => $b{$_}->url } keys %b;
my $s = RProxy::Server->new(modules => [qw(slotmem_shm authz_host)], processes => 2, config => <<"CONF");
<Proxy balancer://myset>
    BalancerMember $u{a} route=a
    BalancerMember $u{b} route=b
    ProxySet growth=1 stickysession=SID
</Proxy>
<Proxy balancer://other>
    BalancerMember $u{c} route=<img/src=x/onerror=document.title='gone'>
</Proxy>
ProxyPass /app balancer://myset
<Location "/balancer-manager">
    SetHandler balancer-manager
    Require local
</Location>
CONF

my $shots = $ENV{MANAGER_SHOTS};
my $page  = RProxy::Chromium->new;
my $home  = $s->url('/balancer-manager');

sub shot { my ($name) = @_; return $page->screenshot(($shots // $s->root) . "/$name.png") > 1000 }

sub kinds {
    my ($n, @more) = @_;
    my %seen = map { (get($s, '/app/x', @more)->header('X-Backend') // '503') => 1 } 1 .. $n;
    return join ' ', sort keys %seen;
}

sub choose { my ($url) = @_; $page->go($home); return $page->click("a[href*='w=" . ($url =~ s{([:/])}{sprintf '%%%02X', ord $1}ger) . "']") }
sub choose_balancer { $page->go($home); return $page->click("h3 a[href*='b=myset']") }

# Fill controls of the form with this label, and submit it.
sub fill {
    my ($form, %value) = @_;
    for my $id (sort keys %value) {
        my $v = JSON::PP->new->allow_nonref->encode("$value{$id}");
        $page->js($id =~ /_status_|_sforce/ ? "document.getElementById('${id}_$value{$id}').click()" : $id eq 'b_wyes'
            ? "document.getElementById('b_wyes').click()" : "document.getElementById('$id').value = $v");
    }
    return $page->click("form[aria-label='$form'] button");
}

sub edit {
    my ($name, $traffic, $url, $value, %opt) = @_;
    choose($url);
    fill('Worker settings', %$value);
    if ($opt{asked}) {
        like $page->js('document.body.innerText'), qr/This drops traffic\. Do it\?/, "$name: asked first";
        $page->click('button[name=confirm]');
    }
    is kinds($traffic =~ / / ? 40 : 4, @{$opt{with} // []}), $traffic, $name;
    return;
}

# --- the page ---
$page->go($home);
kinds(10);
is $page->js('document.title'), 'Balancer Manager', 'title';
is $page->js("document.querySelectorAll('script').length"), 0, 'no script';
is $page->js("document.querySelectorAll('img').length"), 0, 'the route of another balancer is no markup';
like $page->js('document.body.innerText'), qr/<img\/src=x\/onerror/, 'but text';
is $page->js("[...document.querySelectorAll('table')].every(t => t.caption && t.querySelector('th[scope=col]'))"), 1,
    'each table has a caption and headed columns';
is $page->js("[...document.querySelectorAll('table')].filter(t => t.caption.innerText == 'Settings').map(t => [5, 6, 7].map(i => t.rows[1].cells[i].innerText).join()).join(' ')"),
    'byrequests,/app,2 of 2 byrequests,(None),1 of 1', 'paths, and how many members could take a request';
ok shot('overview'), 'a picture';
ok wait_until(40, sub { $page->go($home); $page->js("document.querySelectorAll('svg rect.req').length") }), 'a chart is drawn';
like $page->js("document.querySelector('svg title').textContent"), qr/^last 1 min: 5 requests, 0 of them failed/, 'and said in words';
is $page->js("document.documentElement.scrollWidth <= window.innerWidth ? 1 : 0"), 1, 'the page is not wider than the window';
$page->js("document.querySelector('.wide[tabindex]').focus()");
is $page->js("document.activeElement.getAttribute('aria-label')"), 'Members of balancer://myset', 'a wide table can be scrolled by the keyboard';
ok shot('chart'), 'a picture';

# --- edits of a member ---
my @sid = (headers => [Cookie => 'SID=1.a']);
edit('route',        'a',   $u{a}, {w_wr => 'z'},         with => [headers => [Cookie => 'SID=1.z']]);
edit('route back',   'a',   $u{a}, {w_wr => 'a'},         with => \@sid);
edit('draining',     'b',   $u{a}, {w_status_N => 1});
edit('not draining', 'a b', $u{a}, {w_status_N => 0});
for my $flag (qw(D S H R C)) {
    edit("flag $flag on",  'b',   $u{a}, {"w_status_$flag" => 1}, asked => 1);
    edit("flag $flag off", 'a b', $u{a}, {"w_status_$flag" => 0});
}
edit('redirect', 'b', $u{a}, {w_rr => 'b', w_status_D => 1}, with => \@sid, asked => 1);
edit('no redirect', 'a b', $u{a}, {w_rr => '', w_status_D => 0});
edit('set',      'b',   $u{a}, {w_ls => 1});
edit('set back', 'a b', $u{a}, {w_ls => 0});
edit('load factor', 'a b', $u{a}, {w_lf => 3});
is scalar(grep { get($s, '/app/x')->header('X-Backend') eq 'a' } 1 .. 8), 6, 'three times the traffic';
edit('load factor back', 'a b', $u{a}, {w_lf => 1});
$b{a}->refuse;
$b{a}->drop;
edit('ignore errors', 'b', $u{a}, {w_status_I => 1});
$b{a}->listen;
is kinds(20), 'a b', 'its errors are ignored';
edit('not ignored', 'a b', $u{a}, {w_status_I => 0});
choose($u{a});
fill('Worker settings', w_hm => 'TCP', w_hi => 60_000, w_hp => 2, w_hf => 3, w_hu => '/up', w_ht => 2500, w_hh => 'up.example.com');
my $text = $page->js('document.body.innerText');
like $text, qr/hcmethod NONE -> TCP/, 'health check';
like $text, qr/hcfails 1 -> 3/,       'its fails';
like $text, qr/hctimeout by hcinterval -> 2500ms/, 'its time limit';
like $text, qr/hchost none -> up\.example\.com/, 'its host';
choose($u{a});
is $page->js("document.getElementById('w_hm').value + document.getElementById('w_hp').value"), 'TCP2', 'read back from the page';
like $page->js("document.getElementById('w_hm_d').innerText"), qr/From: run time/, 'and where it comes from';
is $page->js("['w_ht', 'w_hh'].map(i => document.getElementById(i).value).join()"), '2500,up.example.com', 'and these';
ok shot('member'), 'a picture';
fill('Worker settings', w_hm => 'NONE');

# --- edits of a balancer ---
choose_balancer();
fill('Balancer settings', b_ss => 'KEY');
is kinds(4, headers => [Cookie => 'KEY=1.b']), 'b', 'sticky session';
choose_balancer();
fill('Balancer settings', b_ss => '-');
is kinds(40, headers => [Cookie => 'KEY=1.b']), 'a b', 'no sticky session';
choose_balancer();
fill('Balancer settings', b_lbm => 'bybusyness', b_tmo => 3, b_max => 1, b_sforce => 1, b_ss => 'SID');
choose_balancer();
is $page->js("['b_lbm', 'b_tmo', 'b_max', 'b_ss'].map(i => document.getElementById(i).value).join()"), 'bybusyness,3,1,SID', 'the others';
choose($u{a});
fill('Worker settings', w_status_D => 1);
$page->click('button[name=confirm]');
is kinds(2, @sid), '503', 'no failover for sessions';
choose($u{a});
fill('Worker settings', w_status_D => 0);
choose_balancer();
fill('Balancer settings', b_lbm => 'byrequests', b_tmo => 0, b_sforce => 0);

# --- members ---
choose_balancer();
fill('Add worker', b_nwrkr => $u{c});
like $page->js('document.body.innerText'), qr/tick "Are you sure\?"/, 'not added without being sure';
choose_balancer();
fill('Add worker', b_nwrkr => 'ftp://x', b_wyes => 1);
like $page->js("document.querySelector('[role=alert]').innerText"), qr/begin with http/, 'a foreign scheme is refused, in words';
choose_balancer();
fill('Add worker', b_nwrkr => $u{c}, b_wyes => 1);
is kinds(20), 'a b', 'added, and disabled';
edit('enabled', 'a b c', $u{c}, {w_status_D => 0});
choose($u{c});
$page->click("form[aria-label='Remove worker'] button");
like $page->js('document.body.innerText'), qr/\Q$u{c}\E is removed/, 'asked before it is removed';
ok shot('question'), 'a picture';
$page->click('main a');
is kinds(40), 'a b c', 'no: nothing is done';
choose($u{c});
$page->click("form[aria-label='Remove worker'] button");
$page->click('button[name=confirm]');
is kinds(20), 'a b', 'yes: removed';

# --- with the keyboard alone, and without scripts ---
$page->script_off;
choose($u{a});
$page->js("document.getElementById('w_status_N_1').focus()");
is $page->js("getComputedStyle(document.activeElement).outlineStyle"), 'solid', 'what has the focus is seen';
$page->key(' ');
$page->{events} = [];
$page->key('Enter');
$page->_loaded;
is kinds(20), 'b', 'draining, by the keyboard';
edit('back, without scripts', 'a b', $u{a}, {w_status_N => 0});
$page->stop;
