# SPDX-License-Identifier: Apache-2.0
# Expect: 100-continue between every kind of client, proxy and backend: who asks for the body, when it goes, what becomes of the connection.
use strict;
use warnings;
use Apache::Test qw(-withtestmore);
use RProxy::Backend;
use RProxy::Client qw(get);
use RProxy::Env qw(needs now);
use RProxy::Server;

plan tests => 47, need {needs(qw(rproxy env setenvif))};

my $backend = RProxy::Backend->new;
my $url     = $backend->url;
my $s       = RProxy::Server->new(modules => [qw(env setenvif)], timeout => 4, config => <<"CONF");
ProxyPass /ping $url/ping ping=1
ProxyPass / $url/
<Location /off>
    Proxy100Continue Off
</Location>
<Location /sendcl>
    SetEnv proxy-sendcl
</Location>
<Location /rfc>
    SetEnv proxy-interim-response RFC
</Location>
<Location /small>
    LimitRequestBody 10
</Location>
CONF

my @expect = (headers => [Expect => '100-continue']);

# the backend asks for the body
$backend->script('/on', qq{send "HTTP/1.1 100 Continue\\r\\n\\r\\n"\nrecv body\nsend "HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok"\n});
sub ask {
    my ($path, %opt) = @_;
    my $c = RProxy::Client->new($s);
    my $body = delete $opt{body} // 'hello';
    my $bytes = $c->format_request('POST', $path, @expect, %opt, body => $body);
    $c->{method} = 'POST';
    $c->send(substr $bytes, 0, length($bytes) - length $body);
    return ($c, $body);
}
{
    my ($c, $body) = ask('/on');
    my $r = $c->response_head;
    is $r->status, 100, 'the backend\'s 100 reaches the client';
    $c->send($body);
    $r = $c->response;
    is $r->status, 200, 'and then the answer';
    is $r->body, 'ok', 'whole';
    like $backend->last_request->{head}, qr/^Expect: 100-continue\r$/m, 'the backend was asked';
    $c->request('GET', '/id/2');
    is $c->response->body, "id 2 -\n", 'the client\'s connection goes on';
}
{
    my ($c, $body) = ask('/off');
    my $r = $c->response_head;
    is $r->status, 100, 'Proxy100Continue Off: the proxy asks for the body';
    $c->send($body);
    is $c->response->status, 200, 'and it arrives';
    unlike $backend->last_request->{head}, qr/^Expect/m, 'the backend was not asked';
    is $backend->last_request->{body}, 'hello', 'and got it';
    $c->request('GET', '/id/2');
    is $c->response->body, "id 2 -\n", 'the connection goes on';
}
{
    $backend->script('/no', qq{send "HTTP/1.1 417 Expectation Failed\\r\\nContent-Length: 2\\r\\n\\r\\nno"\n});
    my ($c, $body) = ask('/no');
    my $r = $c->response;
    is $r->status, 417, 'a final answer instead of 100 reaches the client';
    is $r->body, 'no', 'whole';
    is scalar @{$r->{interim}}, 0, 'without a 100';
    ok $c->at_end, 'and the client\'s connection is closed: its body was never read';
}
{
    $backend->script('/ok-early', qq{send "HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok"\n});
    my ($c) = ask('/ok-early');
    is $c->response->status, 200, 'so does an early 200';
}
{
    # the backend does not know Expect: it just waits for the body; the client loses patience
    $backend->script('/deaf', qq{recv 5\nsend "HTTP/1.1 200 OK\\r\\nConnection: close\\r\\nContent-Length: 2\\r\\n\\r\\nok"\nlinger\n});
    my ($c, $body) = ask('/deaf');
    ok $c->silent(0.5), 'a backend that ignores Expect';
    my $t = now();
    $c->send($body);
    my $r = $c->response;
    is $r->status, 200, 'gets the body when the client sends it';
    cmp_ok now() - $t, '<', 2, 'at once';
}
{
    my $c = RProxy::Client->new($s);
    $c->{method} = 'POST';
    $c->send("POST /sendcl HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n");
    my $r = $c->response_head;
    is $r->status, 100, 'a body that must be spooled is asked for by the proxy';
    $c->send("5\r\nhello\r\n0\r\n\r\n");
    is $c->response->status, 200, 'and arrives';
    like $backend->last_request->{head}, qr/^Content-Length: 5\r$/m, 'with its length';
}
{
    $backend->script('/ping/on', qq{send "HTTP/1.1 100 Continue\\r\\n\\r\\n"\nrecv body\nsend "HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok"\n});
    $backend->script('/on', qq{send "HTTP/1.1 100 Continue\\r\\n\\r\\n"\nrecv body\nsend "HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok"\n});
    my $r = RProxy::Client->one($s, 'POST', '/ping/on', body => 'hello');
    is $r->status, 200, 'ping: with a body';
    is scalar @{$r->{interim}}, 0, 'its 100 is not for the client';
    like $backend->last_request->{head}, qr/^Expect: 100-continue\r$/m, 'ping asks the backend';
    my ($c, $body) = ask('/ping/on');
    is $c->response_head->status, 100, 'ping: the client that asked gets it';
    $c->send($body);
    is $c->response->status, 200, 'and the answer';
    $backend->script('/ping/deaf2', "hold\n");
    my $t = now();
    $r = RProxy::Client->one($s, 'POST', '/ping/deaf2', body => 'hello');
    is $r->status, 503, 'ping: no 100 in time is 503';
    cmp_ok now() - $t, '<', 3, 'after the time of the ping';
    $r = get($s, '/ping/id/3');
    is $r->status, 200, 'ping: nothing is asked without a body';
    unlike $backend->last_request->{head}, qr/^Expect/m, 'of the backend';
}
{
    my $c = RProxy::Client->new($s);
    $c->{method} = 'POST';
    $c->send("POST /id/1 HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nExpect: 100-continue\r\n\r\n");
    is $c->response->status, 200, 'Expect with an empty body';
    $c->request('GET', '/id/2');
    is $c->response->body, "id 2 -\n", 'and the connection goes on';
}
{
    my $r = RProxy::Client->one($s, 'POST', '/id/1', body => 'x', headers => [Expect => 'a-miracle']);
    is $r->status, 417, 'another expectation is 417';
}
{
    my $c = RProxy::Client->new($s);
    $c->{method} = 'POST';
    $c->send("POST /off HTTP/1.0\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nhello");
    my $r = $c->response;
    is $r->status, 200, 'an HTTP/1.0 client';
    is scalar @{$r->{interim}}, 0, 'never sees a 100';
    $backend->script('/on10', qq{send "HTTP/1.1 103 Early\\r\\nSet-Cookie: evil=1\\r\\n\\r\\nHTTP/1.1 100 Continue\\r\\n\\r\\n"\nrecv body\nsend "HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok"\n});
    $c = RProxy::Client->new($s);
    $c->{method} = 'POST';
    $c->send("POST /on10 HTTP/1.0\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello");
    $r = $c->response;
    is $r->status, 200, 'nor one that the backend sends unasked';
    is scalar @{$r->{interim}}, 0, 'nor any other';
    is $r->header('Set-Cookie'), undef, 'nor a field of it';
}
{
    my $c = RProxy::Client->new($s);
    $c->{method} = 'POST';
    $c->send("POST /small HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\nExpect: 100-continue\r\n\r\n");
    my $r = $c->response;
    is $r->status, 413, 'a body over LimitRequestBody is refused';
    is scalar @{$r->{interim}}, 0, 'before it is asked for';
}
{
    my ($c) = ask('/on');
    is $c->response_head->status, 100, 'the client that goes away';
    $c->abort;
    ok $backend->await('busy', '==', 0), 'frees the backend';
    $backend->script('/gone', qq{wait never\n});
    ($c) = ask('/deaf');
    $c->abort;
    ok $backend->await('busy', '==', 0), 'so does one that goes before the 100';
}
{
    my $r = RProxy::Client->one($s, 'POST', '/rfc/x', body => 'hello');
    is $r->status, 200, 'policy RFC';
    $backend->script('/rfc/on', qq{send "HTTP/1.1 100 Continue\\r\\n\\r\\n"\nrecv body\nsend "HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok"\n});
    my $c = RProxy::Client->new($s);
    $c->request('POST', '/rfc/on', body => 'hello');
    $r = $c->response;
    is scalar @{$r->{interim}}, 1, 'policy RFC passes a 100 nobody asked for';
    $c->request('GET', '/id/2');
    is $c->response->body, "id 2 -\n", 'and the connection goes on';
}
is $backend->violations, '', 'all in clean requests';
