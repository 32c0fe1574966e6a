# SPDX-License-Identifier: Apache-2.0
# Requests made to be read in two ways. Whatever httpd itself thinks of them, the backend must get
# correct requests only (it checks each byte), and none that httpd has not seen as a request of its
# own.
use strict;
use warnings;
use Apache::Test qw(-withtestmore);
use RProxy::Backend;
use RProxy::Client qw(get);
use RProxy::Env    qw(needs);
use RProxy::Server;

# framing fields of a POST; its body is a chunked "hello" or five bytes, followed by a hidden
# request
my @framing = (
    'Content-Length and chunked'        => "Content-Length: 5\r\nTransfer-Encoding: chunked",
    'chunked and Content-Length'        => "Transfer-Encoding: chunked\r\nContent-Length: 5",
    'chunked and a long Content-Length' => "Transfer-Encoding: chunked\r\nContent-Length: 500",
    'two Content-Lengths'               => "Content-Length: 5\r\nContent-Length: 5",
    'two different ones'                => "Content-Length: 5\r\nContent-Length: 500",
    'two different ones, turned'        => "Content-Length: 500\r\nContent-Length: 5",
    (
        map { ("Content-Length: $_" => "Content-Length: $_") } '5, 5', '5, 500', '+5', '-5', '0x5',
        '5 5', '05', '5a', '', ' 5 ', "5\x0b", "\x0b5", "5\t", '5;', '5.0',
        '99999999999999999999', '18446744073709551621', '_5', '5_0'
    ),
    (
        map { ("Transfer-Encoding: $_" => "Transfer-Encoding: $_\r\nContent-Length: 5") } 'chunked',
        'Chunked', 'CHUNKED', 'chunked, identity', 'identity, chunked', 'identity', 'gzip, chunked',
        'chunked, gzip', 'chunked, chunked', 'xchunked', 'chunkedx',    'chunked;q=1', '"chunked"',
        "\tchunked",
        "chunked\t",   "chunked\x0b", "\x0bchunked", "chu\tnked", 'chunked,', ',chunked', '',
        'c hunked',    "chunked\x00",
        "chunked\x7f", "\xa0chunked"
    ),
    'two Transfer-Encodings'   => "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
    'chunked, then identity'   => "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
    'identity, then chunked'   => "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked",
    'folded Transfer-Encoding' => "Transfer-Encoding:\r\n chunked\r\nContent-Length: 5",
    'folded with a tab'        => "Transfer-Encoding:\r\n\tchunked\r\nContent-Length: 5",
    'folded Content-Length'    => "Content-Length:\r\n 5",
    'folded other field'       => "X-A: b\r\n Transfer-Encoding: chunked\r\nContent-Length: 5",
    'space before the colon'   => "Transfer-Encoding : chunked\r\nContent-Length: 5",
    'tab before the colon'     => "Transfer-Encoding\t: chunked\r\nContent-Length: 5",
    'space before the name'    => "X-A: b\r\n  Transfer-Encoding: chunked\r\nContent-Length: 5",
    'underscore'               => "Transfer_Encoding: chunked\r\nContent-Length: 5",
    'NUL in the name'          => "Transfer\0-Encoding: chunked\r\nContent-Length: 5",
    'NUL before it'            => "X-A: b\0\r\nTransfer-Encoding: chunked\r\nContent-Length: 5",
    'bare LF before it'        => "X-A: b\nTransfer-Encoding: chunked\r\nContent-Length: 5",
    'bare CR before it'        => "X-A: b\rTransfer-Encoding: chunked\r\nContent-Length: 5",
    'CR CR LF'                 => "X-A: b\r\r\nTransfer-Encoding: chunked\r\nContent-Length: 5",
    'no colon'                 => "Transfer-Encoding chunked\r\nContent-Length: 5",
    'empty name'               => ": chunked\r\nContent-Length: 5",
    'Connection names it'      =>
        "Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked\r\nContent-Length: 5",
    'Connection names Content-Length' => "Connection: Content-Length\r\nContent-Length: 5",
    'Upgrade to h2c'                  =>
        "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\nContent-Length: 5",
    'Upgrade to TLS'      => "Connection: Upgrade\r\nUpgrade: TLS/1.0\r\nContent-Length: 5",
    'Expect with a blank' => "Expect: 100-continue \r\nContent-Length: 5",
);

# chunked bodies, followed by a hidden request
my @chunked = (
    (
        map { ("chunk size " . RProxy::Backend::quote($_) => "$_\r\nhello\r\n0\r\n\r\n") } '0x5',
        '+5', '-5', '5 ',  ' 5', '5;x', '5;x=y', "5;x=\"\r\n\"", '5 ;x', "5\t", "5;\x00", "5\x00",
        '5g', '',   '005', '000000000000000005',
        '10000000000000005', 'ffffffffffffffff', '5_', "5\r", "5;a\rb"
    ),
    'bare LF behind the size'      => "5\nhello\r\n0\r\n\r\n",
    'bare LF behind the data'      => "5\r\nhello\n0\r\n\r\n",
    'no line end behind the data'  => "5\r\nhello0\r\n\r\n",
    'longer than it says'          => "5\r\nhelloworld\r\n0\r\n\r\n",
    'last chunk 00'                => "5\r\nhello\r\n00\r\n\r\n",
    'last chunk with an extension' => "5\r\nhello\r\n0;a=b\r\n\r\n",
    'bare LF at the end'           => "5\r\nhello\r\n0\n\n",
    'framing in the trailers'      =>
        "5\r\nhello\r\n0\r\nContent-Length: 500\r\nTransfer-Encoding: chunked\r\nHost: evil\r\n\r\n",
    'folded trailer'          => "5\r\nhello\r\n0\r\nX-A: b\r\n c\r\n\r\n",
    'trailer without a colon' => "5\r\nhello\r\n0\r\nX-A\r\n\r\n",
);

# whole heads
my @heads = (
    'space in the path'          => "GET /app/id/1 x HTTP/1.1\r\nHost: h",
    'tab as a separator'         => "GET\t/app/id/1\tHTTP/1.1\r\nHost: h",
    'two spaces'                 => "GET  /app/id/1  HTTP/1.1\r\nHost: h",
    'NUL in the path'            => "GET /app/id/1\0x HTTP/1.1\r\nHost: h",
    'control in the path'        => "GET /app/id/\x01 HTTP/1.1\r\nHost: h",
    'CR in the path'             => "GET /app/id/1\rX-Evil:1 HTTP/1.1\r\nHost: h",
    'encoded CR LF'              => "GET /app/id/1%0d%0aX-Evil:%201%0d%0a HTTP/1.1\r\nHost: h",
    'encoded CR LF in the query' => "GET /app/id/1?%0d%0aX-Evil:%201 HTTP/1.1\r\nHost: h",
    'encoded NUL'                => "GET /app/id/1%00 HTTP/1.1\r\nHost: h",
    'encoded space'              => "GET /app/id/1%20HTTP/1.1 HTTP/1.1\r\nHost: h",
    'encoded question mark'      => "GET /app/id/1%3fx=y HTTP/1.1\r\nHost: h",
    'bytes over 127'             => "GET /app/id/\xff\xfe HTTP/1.1\r\nHost: h",
    'space in the query'         => "GET /app/id/1?a b HTTP/1.1\r\nHost: h",
    'control in the query'       => "GET /app/id/1?a\x01 HTTP/1.1\r\nHost: h",
    'fragment'                   => "GET /app/id/1#x HTTP/1.1\r\nHost: h",
    'HTTP/1.2'                   => "GET /app/id/1 HTTP/1.2\r\nHost: h",
    'HTTP/2.0'                   => "GET /app/id/1 HTTP/2.0\r\nHost: h",
    'HTTP/0.9'                   => "GET /app/id/1",
    'no Host'                    => "GET /app/id/1 HTTP/1.1\r\nX-A: b",
    'two Hosts'                  => "GET /app/id/1 HTTP/1.1\r\nHost: h\r\nHost: evil",
    'Host with a space'          => "GET /app/id/1 HTTP/1.1\r\nHost: h evil",
    'Host with a slash'          => "GET /app/id/1 HTTP/1.1\r\nHost: h/x",
    'Host with a control'        => "GET /app/id/1 HTTP/1.1\r\nHost: h\x01",
    'Host with an at'            => "GET /app/id/1 HTTP/1.1\r\nHost: a\@h",
    'an absolute URI'            => "GET http://evil.test/app/id/1 HTTP/1.1\r\nHost: h",
    'one with user data'         => "GET http://u:p\@evil.test/app/id/1 HTTP/1.1\r\nHost: h",
    'at and a host'              => "GET \@evil.test/app/id/1 HTTP/1.1\r\nHost: h",
    'colon and a port'           => "GET :80/app/id/1 HTTP/1.1\r\nHost: h",
    'authority form'             => "CONNECT evil.test:80 HTTP/1.1\r\nHost: h",
    'asterisk form'              => "OPTIONS * HTTP/1.1\r\nHost: h",
    'GET *'                      => "GET * HTTP/1.1\r\nHost: h",
    'unix socket in the query'   => "GET /app/id/1?unix:/tmp/x|http://other/ HTTP/1.1\r\nHost: h",
    'unix socket as the URI'     => "GET unix:/tmp/x|http://evil/ HTTP/1.1\r\nHost: h",
    'method with a control'      => "GE\x01T /app/id/1 HTTP/1.1\r\nHost: h",
    'method with a colon'        => "X:Y /app/id/1 HTTP/1.1\r\nHost: h",
    'lower-case method'          => "get /app/id/1 HTTP/1.1\r\nHost: h",
    'field with a control'       => "GET /app/id/1 HTTP/1.1\r\nHost: h\r\nX-A: a\x01b",
    'field with NUL'             => "GET /app/id/1 HTTP/1.1\r\nHost: h\r\nX-A: a\0b",
    'field with DEL'             => "GET /app/id/1 HTTP/1.1\r\nHost: h\r\nX-A: a\x7fb",
    'field with a bare CR'       => "GET /app/id/1 HTTP/1.1\r\nHost: h\r\nX-A: a\rX-Evil: b",
    'name with a bracket'        => "GET /app/id/1 HTTP/1.1\r\nHost: h\r\nX(A): b",
    'name with a byte over 127'  => "GET /app/id/1 HTTP/1.1\r\nHost: h\r\nX-\xe9: b",
    'odd Connection'             =>
        "GET /app/id/1 HTTP/1.1\r\nHost: h\r\nConnection: ,,, ,\x0b, \"a,b\", close",
    'empty lines in front' => "\r\n\r\n\r\nGET /app/id/1 HTTP/1.1\r\nHost: h",
    'TE' => "GET /app/id/1 HTTP/1.1\r\nHost: h\r\nTE: trailers, chunked\r\nConnection: TE",
    'folded field'          => "GET /app/id/1 HTTP/1.1\r\nHost: h\r\nX-A: a\r\n X-Evil: b",
    'Content-Length on GET' => "GET /app/id/1 HTTP/1.1\r\nHost: h\r\nContent-Length: 0",
);

plan tests => 2 * 2 * (@framing + @chunked / 2 + @heads / 2) + 6, need { needs('rproxy') };

my $backend = RProxy::Backend->new->allow_violations;
my $app     = 'ProxyPass /app ' . $backend->url . "\n";
my %server  = (
    strict => RProxy::Server->new(timeout => 2, config => $app),
    unsafe => RProxy::Server->new(timeout => 2, config => $app . "HttpProtocolOptions Unsafe\n")
);
my $number = 0;
my @evil;

# Send the bytes with a hidden request behind them, and read what comes.
sub attack {
    my ($how, $name, $head, $body) = @_;
    $number++;
    $name = "$how: " . RProxy::Backend::quote($name);
    my $hidden =
        "GET /app/id/666 HTTP/1.1\r\nHost: hidden.test\r\nX-Test-Id: hidden$number\r\n\r\n";
    my $client = RProxy::Client->new($server{$how}, timeout => 6);
    $client->send("$head\r\nX-Test-Id: attack$number\r\n\r\n$body$hidden");
    $client->half_close;
    eval { $client->read_rest } // diag "$name: no end: $@";
    $backend->await('busy', '==', 0);
    my @arrived = $backend->requests;
    is $backend->violations, '', "$name: the backend got correct requests only"
        or diag map { RProxy::Backend::quote($backend->raw($_->{conn})) } @arrived;
    my @unseen = grep { !$server{$how}->wait_access(qr/^\Q$_\E /m, 3) } map { $_->{id} } @arrived;
    is "@unseen", '', "$name: and none that httpd has not seen";
    push @evil, $name
        if grep { $_->{target} =~ /evil/ || $backend->head($_->{n}) =~ /^X-Evil/m } @arrived;
    $backend->reset;
    return;
}

for my $how (sort keys %server) {
    for my $body ('hello', "5\r\nhello\r\n0\r\n\r\n") {
        my @cases = @framing;
        while (my ($name, $fields) = splice @cases, 0, 2) {
            attack($how, "$name, $body", "POST /app/sink HTTP/1.1\r\nHost: h\r\n$fields", $body);
        }
    }
    my @cases = @chunked;
    while (my ($name, $body) = splice @cases, 0, 2) {
        attack($how, $name, "POST /app/sink HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked",
            $body);
    }
    @cases = @heads;
    while (my ($name, $head) = splice @cases, 0, 2) { attack($how, $name, $head, '') }
    is get($server{$how}, '/app/id/5', id => 'end')->body, "id 5 end\n", "$how: all is in order";
    $backend->reset;
    is scalar($server{$how}->children), 1,  'in the same child';
    is "@evil",                         '', 'and nothing became a field or a target of its own';
    @evil = ();
}
