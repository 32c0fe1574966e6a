# SPDX-License-Identifier: Apache-2.0
# When a request may go to the backend a second time, and when never. The backend counts what
# arrived, by id.
use strict;
use warnings;
use Apache::Test qw(-withtestmore);
use Digest::SHA  qw(sha256_hex);
use RProxy::Backend;
use RProxy::Client qw(get);
use RProxy::Env    qw(needs);
use RProxy::Server;

plan tests => 103, need { needs('rproxy', 'env') };

my $backend = RProxy::Backend->new;
my $url     = $backend->url;
my $server  = RProxy::Server->new(modules => ['env'], config => <<"CONF");
ProxyPass /app $url timeout=2
<Location /never>
    ProxyPass $url
    SetEnv rproxy-no-resend 1
</Location>
CONF
my $number = 0;
my $close  = "recv body\nclose";

# One request whose first arrival ends by the script, and further ones too as told. {status,
# arrivals, response}
sub try_one {
    my ($method, %opt) = @_;
    my $id = 'r' . ++$number;
    $backend->reset;
    $backend->command("idle close");
    $backend->await('open', '==', 0);
    if ($opt{reused} // 1) {
        get($server, '/app/id/0');
        $backend->await('idle', '==', 1);
    }
    $backend->script('/x', nth => $_, $opt{script} // $close) for 1 .. ($opt{times} // 1);
    my $front  = $opt{front} // '/app';
    my $client = RProxy::Client->new($server);
    $client->request($method, "$front/x?status=200", id => $id, %opt);
    my $response = $client->response;
    $backend->signal('never', '*');
    $backend->await('busy', '==', 0);
    my @arrived = grep { $_->{id} eq $id } $backend->requests;
    return {status => $response->status, arrivals => scalar @arrived, response => $response,
        arrived => \@arrived};
}

sub outcome { my ($r) = @_; return "$r->{status} after $r->{arrivals}" }

# --- idempotent: once more, over a fresh connection ---
for my $end ('close', 'rst') {
    for my $method (qw(GET HEAD OPTIONS DELETE PUT)) {
        my $r = try_one($method, script => "recv body\n$end");
        is outcome($r), '200 after 2', "$method on a used connection that ends by $end";
        isnt $r->{arrived}[0]{conn}, $r->{arrived}[1]{conn}, 'over another connection'
            if $r->{arrivals} == 2;
        is $r->{arrived}[1]{conn_seq}, 1, 'a fresh one' if $r->{arrivals} == 2;
    }
}
for my $case ([body => 'hello'], [chunks => ['hel', 'lo']], [body => 'x' x 16000], [body => '']) {
    my $r = try_one('PUT', @$case);
    is outcome($r), '200 after 2', "PUT with a small body ($case->[0])";
    my $body = ref $case->[1] ? join '', @{$case->[1]} : $case->[1];
    for my $n (0, 1) {
        my $rec = $r->{arrived}[$n] or next;
        is $rec->{bytes},             length $body, 'the whole body each time';
        is $backend->body($rec->{n}), $body,        'the same body';
    }
}

# --- everything else: never again once a byte went out ---
for my $end ('close', 'rst') {
    for my $method (qw(POST PATCH BREW PROPFIND LOCK get CONNECTX)) {
        my $r = try_one($method, body => 'hello', script => "recv body\n$end");
        is outcome($r), '502 after 1', "$method that ends by $end is not sent again";
    }
}
my $r = try_one('POST', script => 'close', body => 'x' x 100);
is outcome($r), '502 after 1', 'POST whose head alone was read';
$r = try_one('POST', body => 'x' x 5_000_000);
is outcome($r), '502 after 1', 'a large POST';
$r = try_one('POST', body => 'x' x 5_000_000, script => 'rst');
is outcome($r), '502 after 1', 'a large POST cut in the middle';
$r = try_one('POST', body => 'x', reused => 0);
is outcome($r), '502 after 1', 'POST over a fresh connection';

# --- a connection that is dead before a byte goes out is no reason to fail ---
for my $method (qw(GET POST PATCH PUT)) {
    for my $how ('close', 'rst') {
        $backend->reset;
        get($server, '/app/id/0');
        $backend->await('idle', '>=', 1);
        $backend->idle($how);
        $backend->await('open', '==', 0);
        my $id     = 'dead' . ++$number;
        my $answer = RProxy::Client->one($server, $method, '/app/echo', id => $id, body => 'hello');
        is $answer->status,           200, "$method after an idle $how";
        is $backend->count("id:$id"), 1,   'arrives once';
    }
}

# --- only while nothing of a response was read ---
for my $part (
    'H', "HTTP/1.1 200 OK\\r\\n", "HTTP/1.1 100 Continue\\r\\n\\r\\n", "HTTP/1.1 103 E\\r\\n\\r\\n",
    "HTTP/1.1 200 OK\\r\\nContent-Length: 10\\r\\n\\r\\nabc", "\\r\\n"
) {
    $r = try_one('GET', script => "recv body\nsend \"$part\"\nclose");
    is outcome($r), $part =~ /abc/ ? '200 after 1' : '502 after 1',
        "GET that got '$part' and then the end";
}

# --- never after a timeout, only once, never when switched off, never without the whole body ---
$r = try_one('GET', script => "recv body\nwait never\nclose");
is outcome($r), '504 after 1', 'GET without an answer in time';
$r = try_one('GET', times => 5);
is outcome($r), '502 after 2', 'GET that fails twice';
$r = try_one('GET', times => 5, script => "recv body\nrst");
is outcome($r), '502 after 2', 'by a reset';
$r = try_one('GET', front => '/never');
is outcome($r), '502 after 1', 'rproxy-no-resend';
$r = try_one('PUT', front => '/never', body => 'x');
is outcome($r), '502 after 1', 'rproxy-no-resend, PUT';
$r = try_one('PUT', body => 'x' x 5_000_000);
is outcome($r), '502 after 1', 'PUT with a body that is not kept';
$r = try_one('PUT', chunks => ['x' x 100_000, 'y' x 100_000]);
is outcome($r), '502 after 1', 'chunked too';
$r = try_one('GET',
    script => "recv body\nsend \"HTTP/1.1 500 No\\r\\nContent-Length: 0\\r\\n\\r\\n\"");
is outcome($r), '500 after 1', 'an error from the backend is an answer';
$r = try_one('GET', script => "recv body\nsend \"garbage\\r\\n\\r\\n\"\nlinger");
is outcome($r), '502 after 1', 'garbage is one too';
cmp_ok try_one('GET', reused => 0)->{arrivals}, '<=', 2,
    'GET over a fresh connection: at most twice';

# --- many ---
$backend->reset;
$backend->script('/many', nth => $_ * 3, $close) for 1 .. 40;
my %status;
for my $n (1 .. 100) {
    my $client = RProxy::Client->new($server);
    $client->request('POST', '/app/many', id => "many$n", body => "body $n");
    $status{$client->response->status}++;
}
my %seen;
$seen{$_->{id}}++ for grep { $_->{id} =~ /^many/ } $backend->requests;
is scalar(grep { $_ > 1 } values %seen), 0,   'of 100 POSTs none arrives twice';
is scalar(keys %seen),                   100, 'and each arrives';
is_deeply \%status, {200 => 67, 502 => 33}, 'a third fails';
