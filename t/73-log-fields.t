# SPDX-License-Identifier: Apache-2.0
# Notes for access logs: each field, in each kind of request, and only where they are asked for. X-Request-Id and traceparent:
# passed through, made where they are configured.
use strict;
use warnings;
use Apache::Test qw(-withtestmore);
use RProxy::Backend;
use RProxy::Client qw(get);
use RProxy::Env    qw(needs top_dir wait_until);
use RProxy::Server;

plan tests => 54, need {needs(qw(rproxy rproxy_balancer slotmem_shm headers lua))};

my $b = RProxy::Backend->new(name => 'b');
my $dead = RProxy::Backend->new(name => 'dead');
$dead->refuse;
my $url  = $b->url;
my $at   = '127\.0\.0\.1:' . $b->port;
my $down = '127\.0\.0\.1:' . $dead->port;
my @notes = qw(member attempts reason connection wait-us connect-us first-byte-us total-us);
my $rules = <<"CONF";
ProxyPass /p/ $url/
ProxyPass /down/ @{[$dead->url]}/
<Proxy balancer://c>
    BalancerMember @{[$dead->url]} retry=0 lbset=0
    BalancerMember $url/id lbset=1
</Proxy>
ProxyPass /c balancer://c
CONF
my $format = join ' ', '%{X-Test-Id}i', map { "$_=\%{rproxy-$_}n" } @notes;
my $s = RProxy::Server->new(modules => [qw(slotmem_shm headers)], config => <<"CONF");
$rules
LogFormat "$format port=%{proxy-source-port}n D=%D" fields
CustomLog "__ROOT__/fields_log" fields
ErrorDocument 502 /page.txt
ErrorDocument 503 /page.txt
ProxyPass /ids/ $url/
ProxyPass /ids-set/ $url/
ProxyPass /sampled/ $url/
ProxyPass /set-sampled/ $url/
<Location /ids/>
    RProxyRequestId ifabsent
    RProxyTraceparent ifabsent
    Header always set X-Request-Id "expr=%{req:X-Request-Id}"
</Location>
<Location /ids-set/>
    RProxyRequestId set
    RProxyTraceparent set
</Location>
<Location /sampled/>
    RProxyTraceparent ifabsent-sampled
</Location>
<Location /set-sampled/>
    RProxyTraceparent set-sampled
    RProxyRequestId off
</Location>
CONF
$s->write_file('htdocs/page.txt', "an error page\n");

# The fields of a request, when it is logged.
my $number = 0;
sub logged {
    my ($path, %opt) = @_;
    my $id = 'i' . ++$number;
    my $r  = get($s, $path, id => $id, %opt);
    my $line = wait_until(10, sub { $s->_read('fields_log') =~ /^$id (.*)$/m ? $1 : undef }) // die "$path is not logged\n";
    my %field = map { /^(.*?)=(.*)$/ } split / /, $line;
    return {%field, status => $r->status};
}

# --- one request, the next one over the same connection ---
my $f = logged('/p/id/1');
is $f->{member}, "$url/", 'member';
like $f->{attempts}, qr/^$at=ok$/, 'one try';
is $f->{reason}, 'ok', 'it ended well';
is $f->{connection}, 'fresh', 'a new connection';
like $f->{$_}, qr/^\d+$/, $_ for qw(wait-us connect-us first-byte-us total-us port);
cmp_ok $f->{'total-us'}, '>=', $f->{'connect-us'} + $f->{'first-byte-us'}, 'in sum';
cmp_ok $f->{'total-us'}, '<=', $f->{D}, 'no longer than the request';
my $port = $f->{port};
$f = logged('/p/id/1');
is $f->{connection}, 'reused', 'the same connection';
is $f->{'connect-us'}, '-', 'took no time to make';
is $f->{port}, $port, 'has the same port';

# --- time is where it was spent ---
my $held = RProxy::Client->new($s);
$held->request('GET', '/p/id/1?wait=slow', id => 'slow', close => 1);
$b->await('busy', '==', 1);
select undef, undef, undef, 0.25;
$b->signal('slow');
$held->response;
my $line = wait_until(10, sub { $s->_read('fields_log') =~ /^slow (.*)$/m ? $1 : undef });
my ($first, $total) = $line =~ /first-byte-us=(\d+) total-us=(\d+)/;
cmp_ok $first, '>=', 249_000, 'the backend took its time';
cmp_ok $total, '>=', $first,  'and the request as well';

# --- failures: another member, a resend, nobody ---
$f = logged('/c/1');
like $f->{attempts}, qr/^$down=connect-refused,$at=ok$/, 'both members in order';
is $f->{member}, "$url/id", 'the one that answered';
$b->command('idle close');
$b->await('open', '==', 0);
get($s, '/p/id/1');
$b->await('idle', '==', 1);
$b->script('/again', nth => 1, "recv body\nclose");
$f = logged('/p/again?status=200');
like $f->{attempts}, qr/^$at=closed-before-head,$at=ok$/, 'the same backend twice';
is $f->{connection}, 'fresh', 'the second time over a new connection';
$f = logged('/down/x');
is $f->{status}, 503, 'a backend that is down';
like $f->{attempts}, qr/^$down=connect-refused$/, 'its try, behind an error page';
is $f->{reason}, 'connect-refused', 'the reason';
is $f->{$_}, '-', "no $_" for qw(connection connect-us first-byte-us port);
$b->raw_answer('/bad', "HTTP/1.1 abc\r\n\r\n");
is logged('/p/bad')->{reason}, 'bad-head', 'a bad answer';
$f = logged('/index.html');
is join(' ', map { $f->{$_} } @notes), join(' ', ('-') x @notes), 'nothing for what is not proxied';

# --- ids ---
sub seen { # what the backend got of a header
    my ($path, $name, @headers) = @_;
    $b->reset;
    my $r = get($s, $path, headers => [@headers]);
    my ($value) = $b->last_request->{head} =~ /^\Q$name\E: (.*?)\r$/mi;
    return wantarray ? ($value, $r) : $value;
}
my $uuid = qr/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
my $good = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
is seen('/p/id/1', 'X-Request-Id'), undef, 'none is made unasked';
is seen('/p/id/1', 'X-Request-Id', 'X-Request-Id', 'a "b" c'), 'a "b" c', 'what comes passes as it is';
is seen('/p/id/1', 'traceparent'), undef, 'no trace either';
is seen('/p/id/1', 'traceparent', traceparent => 'x'), 'x', 'which passes too';
my ($id, $r) = seen('/ids/id/1', 'X-Request-Id');
like $id, $uuid, 'an id is made';
is $r->header('X-Request-Id'), $id, 'which the client can be told';
isnt seen('/ids/id/1', 'X-Request-Id'), $id, 'a new one for each request';
is seen('/ids/id/1', 'X-Request-Id', 'X-Request-Id', 'mine-1'), 'mine-1', 'the client\'s stays';
like seen('/ids/id/1', 'X-Request-Id', 'X-Request-Id', 'bad "id"'), $uuid, 'unless it is bad';
like seen('/ids/id/1', 'X-Request-Id', 'X-Request-Id', 'x' x 129), $uuid, 'or long';
like seen('/ids-set/id/1', 'X-Request-Id', 'X-Request-Id', 'mine-1'), $uuid, 'set: always a new one';
is seen('/set-sampled/id/1', 'X-Request-Id', 'X-Request-Id', 'a b'), 'a b', 'off';
like seen('/ids/id/1', 'traceparent'), qr/^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/, 'a trace begins';
is seen('/ids/id/1', 'traceparent', traceparent => $good, tracestate => 'v=1'), $good, 'the client\'s goes on';
is seen('/ids/id/1', 'tracestate', traceparent => $good, tracestate => 'v=1'), 'v=1', 'with its state';
like seen('/ids/id/1', 'traceparent', traceparent => "$good-x"), qr/^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/, 'unless it is bad';
is seen('/ids/id/1', 'tracestate', tracestate => 'v=1'), undef, 'a new trace has no state';
my $new = seen('/ids-set/id/1', 'traceparent', traceparent => $good);
like $new, qr/^00-(?!4bf92f35)[0-9a-f]{32}-[0-9a-f]{16}-00$/, 'set: always a new one';
like seen('/sampled/id/1', 'traceparent'), qr/-01$/, 'to be recorded';
is seen('/sampled/id/1', 'traceparent', traceparent => $good =~ s/01$/00/r), $good =~ s/01$/00/r, 'the client decides for its own';
like seen('/set-sampled/id/1', 'traceparent', traceparent => $good =~ s/01$/00/r), qr/-01$/, 'set-sampled';

# --- notes only where they are asked for ---
for my $case (['', 'none'], ['RProxyLogFields On', "$url/"], ["RProxyLogFields Off\nCustomLog __ROOT__/x \"%{rproxy-member}n\"", 'none'], ["CustomLog __ROOT__/x \"%{rproxy-member}n\"", "$url/"]) {
    my ($line, $note) = @$case;
    my $other = RProxy::Server->new(any_lane => 'its note would be asked for', modules => [qw(slotmem_shm lua)], config => "$rules\n$line\nLuaHookLog __ROOT__/notes.lua log\n", start => 0);
    my $script = $other->write_file('notes.lua', "function log(r) local f = io.open('@{[$other->root]}/run/lua_log', 'a') f:write((r.notes['rproxy-' .. 'member'] or 'none') .. '\\n') f:close() return apache2.DECLINED end\n");
    $other->start;
    get($other, '/p/id/1');
    my $said = wait_until(10, sub { $other->_read('run/lua_log') || undef }) // '';
    is $said, "$note\n", 'notes with ' . ($line =~ /^(.+)$/m ? $1 : 'nothing');
}
