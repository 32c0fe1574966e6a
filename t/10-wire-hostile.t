# SPDX-License-Identifier: Apache-2.0
# Backends that break HTTP, by mistake or on purpose: 502, or a visible truncation once the head is
# out; never passed on, and their connection is never used again although the backend keeps it open.
use strict;
use warnings;
use Apache::Test qw(-withtestmore);
use RProxy::Backend;
use RProxy::Client qw(get post);
use RProxy::Env    qw(needs);
use RProxy::Server;

my $ok = "HTTP/1.1 200 OK\r\n";
my $cl = "Content-Length: 2\r\n\r\nhi";
my $te = "${ok}Transfer-Encoding: chunked\r\n\r\n";

# refused: 502, nothing of it reaches the client
my @refused = (
    'NUL in a value'                       => "${ok}X-A: a\0b\r\n$cl",
    'NUL in a name'                        => "${ok}X\0A: b\r\n$cl",
    'NUL in the status line'               => "HTTP/1.1 200 O\0K\r\n$cl",
    'NUL before the status line'           => "\0${ok}$cl",
    'bare CR in a value'                   => "${ok}X-A: a\rX-Evil: 1\r\n$cl",
    'bare CR in the status line'           => "HTTP/1.1 200 OK\rX-Evil: 1\r\n$cl",
    'CR CR LF'                             => "${ok}X-A: a\r\r\n$cl",
    'control character in a value'         => "${ok}X-Evil: a\x01b\r\n$cl",
    'DEL in a value'                       => "${ok}X-Evil: a\x7fb\r\n$cl",
    'control character in a name'          => "${ok}X-\x01Evil: b\r\n$cl",
    'folded line'                          => "${ok}X-Evil: a\r\n b\r\n$cl",
    'folded line with a tab'               => "${ok}X-Evil: a\r\n\tb\r\n$cl",
    'first line folded'                    => "${ok} X-Evil: a\r\n$cl",
    'space before the colon'               => "${ok}X-Evil : a\r\n$cl",
    'tab before the colon'                 => "${ok}X-Evil\t: a\r\n$cl",
    'space in a name'                      => "${ok}X Evil: a\r\n$cl",
    'empty name'                           => "${ok}: a\r\n$cl",
    'no colon'                             => "${ok}X-Evil\r\n$cl",
    'bracket in a name'                    => "${ok}X(Evil): a\r\n$cl",
    'byte over 127 in a name'              => "${ok}X-\xe9vil: a\r\n$cl",
    'field line of 20 KB'                  => "${ok}X-Evil: " . 'a' x 20000 . "\r\n$cl",
    'status line of 20 KB'                 => 'HTTP/1.1 200 ' . 'a' x 20000 . "\r\n$cl",
    'name of 20 KB'                        => $ok . 'X' x 20000 . ": a\r\n$cl",
    'head of 4 MB'                         => $ok . ("X-Evil: a\r\n" x 380000) . $cl,
    'no HTTP at all'                       => "hello\r\n\r\nworld",
    'HTML alone (HTTP/0.9)'                => "<html>hi</html>\n",
    'HTTP/2.0'                             => "HTTP/2.0 200 OK\r\n$cl",
    'HTTP/0.9 status line'                 => "HTTP/0.9 200 OK\r\n$cl",
    'HTTP/1.10'                            => "HTTP/1.10 200 OK\r\n$cl",
    'lower-case http'                      => "http/1.1 200 OK\r\n$cl",
    'status of two digits'                 => "HTTP/1.1 20 OK\r\n$cl",
    'status of four digits'                => "HTTP/1.1 2000 OK\r\n$cl",
    'status with a letter'                 => "HTTP/1.1 2x0 OK\r\n$cl",
    'negative status'                      => "HTTP/1.1 -20 OK\r\n$cl",
    'no status'                            => "HTTP/1.1\r\n$cl",
    'reason glued to the status'           => "HTTP/1.1 200OK\r\n$cl",
    'two empty lines in front'             => "\r\n\r\n${ok}$cl",
    'space in front'                       => " ${ok}$cl",
    'Content-Length and Transfer-Encoding' =>
        "${ok}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    'Transfer-Encoding and Content-Length' =>
        "${ok}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    'two different Content-Lengths' => "${ok}Content-Length: 3\r\n$cl",
    'a list of different ones'      => "${ok}Content-Length: 2, 3\r\n\r\nhi",
    (
        map { ("Content-Length: $_" => "${ok}Content-Length: $_\r\n\r\nhi") } '-2',
        '+2', '0x2', '2 2', '2a', '', '2.0', '1_0', '99999999999999999999', '18446744073709551618'
    ),
    (
        map {
            ("Transfer-Encoding: $_" => "${ok}Transfer-Encoding: $_\r\n\r\n2\r\nhi\r\n0\r\n\r\n")
        } 'gzip',
        'gzip, chunked',
        'chunked, chunked',
        'chunked, gzip',
        'xchunked',
        'identity',
        'chunked;q=1',
        '',
        "\x0bchunked",
        'chunked chunked',
        '"chunked"'
    ),
    'two Transfer-Encoding fields' =>
        "${ok}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    'chunked in an HTTP/1.0 response' =>
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    '101 that nobody asked for' =>
        "HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n",
    'NUL in an interim response'     => "HTTP/1.1 103 E\r\nX-A: a\0b\r\n\r\n${ok}$cl",
    'bare CR in an interim response' => "HTTP/1.1 103 E\r\nX-A: a\rX-Evil: b\r\n\r\n${ok}$cl",
    'control character in an interim response' =>
        "HTTP/1.1 103 E\r\nX-Evil: a\x01b\r\n\r\n${ok}$cl",
    '100 interim responses' => ("HTTP/1.1 102 P\r\n\r\n" x 100) . $ok . $cl,
);

# head is good, body is not: a refusal or a truncation that the client sees
my @truncated = (
    'Content-Length too long'     => ["${ok}Content-Length: 10\r\n\r\nabc", 'linger'],
    'reset in the body'           => ["${ok}Content-Length: 10\r\n\r\nabc", 'rst'],
    'reset in a body until close' => ["${ok}\r\nabc",                       'rst'],
    'closed in a chunk'           => ["${te}a\r\nabc",                      'linger'],
    'closed in a chunk size'      => ["${te}3\r\nabc\r\n1",                 'linger'],
    'closed behind a chunk'       => ["${te}3\r\nabc\r\n",                  'linger'],
    'closed in the trailers'      => ["${te}3\r\nabc\r\n0\r\nX: y\r\n",     'linger'],
    'reset in a chunk'            => ["${te}a\r\nabc",                      'rst'],
    (
        map {
            my $size = $_;
            (         "chunk size '"
                    . RProxy::Backend::quote($size)
                    . "'" => ["${te}$size\r\nabc\r\n0\r\n\r\n"])
        } 'g',
        '-3', '+3', '0x3', '', ' ', '3 3', '_3', '3_', "3\0",
        '10000000000000003',
        'fffffffffffffffff',
        "3;a\rb",
        "\x0b3"
    ),
    'extensions without end'      => [$te . "1;x=@{['y' x 3000]}\r\na\r\n" x 8],
    'no line end behind a chunk'  => ["${te}3\r\nabcd\r\n0\r\n\r\n"],
    'bare LF behind a chunk'      => ["${te}3\r\nabc\n0\r\n\r\n"],
    'bare LF behind a chunk size' => ["${te}3\nabc\r\n0\r\n\r\n"],
    'chunk extension of 1 MB'     => ["${te}3;" . 'a' x 1_000_000 . "\r\nabc\r\n0\r\n\r\n"],
    'NUL in a trailer'            => ["${te}3\r\nabc\r\n0\r\nX: a\0b\r\n\r\n"],
    'trailers of 4 MB' => ["${te}3\r\nabc\r\n0\r\n" . ("X-Evil: a\r\n" x 380000) . "\r\n"],
);

# the response is good, what follows is not: passed on, connection not used again
my @followed = (
    'bytes behind Content-Length' => ['GET',  "${ok}${cl}EXTRA",                              'hi'],
    'a second response'           => ['GET',  "${ok}${cl}${ok}Content-Length: 4\r\n\r\nEVIL", 'hi'],
    'bytes behind the last chunk' => ['GET',  "${te}2\r\nhi\r\n0\r\n\r\nEXTRA",               'hi'],
    'a body behind 204'           => ['GET',  "HTTP/1.1 204 No\r\n\r\nEXTRA",                 ''],
    'a body behind 304'           => ['GET',  "HTTP/1.1 304 No\r\nETag: x\r\n\r\nEXTRA",      ''],
    'a body behind HEAD'          => ['HEAD', "${ok}${cl}",                                   ''],
    'a chunked body behind HEAD'  => ['HEAD', "${te}2\r\nhi\r\n0\r\n\r\n",                    ''],
);

plan tests => 3 * (@refused + @truncated) / 2 + 3 * @followed / 2 + 15, need { needs('rproxy') };

my $backend = RProxy::Backend->new;
my $server = RProxy::Server->new(timeout => 10, config => 'ProxyPass /app ' . $backend->url . "\n");
my $number = 0;

# Send the bytes as the answer to one request; the client and its response. The backend keeps the
# connection unless told.
sub hostile {
    my ($bytes, $end, $method) = @_;
    $backend->clear;
    $backend->raw_answer('/raw', $bytes, $end // '');
    my $client = RProxy::Client->new($server);
    $client->request($method // 'GET', '/app/raw', id => 'h' . ++$number);
    my $response = eval { $client->response } // RProxy::Response->new(status => -1, error => $@);
    return ($client, $response);
}

# The next request gets its own answer, over another connection.
sub next_is_clean {
    my ($name) = @_;
    my ($bad)  = map { $_->{conn} } grep { $_->{id} eq "h$number" } $backend->requests;
    my $r      = get($server, "/app/id/$number", id => "n$number");
    my $clean =
           $r->status == 200
        && $r->body eq "id $number n$number\n"
        && $r->header('X-Backend-Conn') != $bad;
    ok $clean, "$name: the connection is not used again" or diag $r->raw_head, $r->body;
    return;
}

while (my ($name, $bytes) = splice @refused, 0, 2) {
    my (undef, $r) = hostile($bytes);
    is $r->status, 502, "$name: 502" or diag $r->error // $r->raw_head;
    unlike join("\n", $r->raw_head // '', map { $_->raw_head } $r->interim), qr/evil/i,
        "$name: nothing passed on";
    next_is_clean($name);
}

while (my ($name, $case) = splice @truncated, 0, 2) {
    my ($client, $r) = hostile(@$case);
    ok $r->status == 502 || ($r->status == 200 && !$r->complete), "$name: visible to the client"
        or diag $r->status, $r->complete, $r->body;
    ok $client->at_end || $r->status == 502, "$name: the client's connection ends or is in order";
    next_is_clean($name);
}

while (my ($name, $case) = splice @followed, 0, 2) {
    my ($method, $bytes, $body) = @$case;
    my ($client, $r) = hostile($bytes, '', $method);
    is $r->body, $body, "$name: the response itself is good";
    $client->request('GET', '/app/id/0', id => "same$number");
    is $client->response->body, "id 0 same$number\n",
        "$name: the client's next response is its own";
    next_is_clean($name);
}

# --- before the head ---
my %before = ('closes without a word' => '/drop', 'resets without a word' => '/reset');
for my $name (sort keys %before) {
    is post($server, "/app$before{$name}", 'x')->status, 502, "$name: 502";
}
for my $part ('HTTP/1.1', "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nX-A: b\r\nContent-Len") {
    my (undef, $r) = hostile($part, 'linger', 'POST');
    is $r->status, 502, 'closed in the head: 502';
}

# --- without an end ---
for my $line ("HTTP/1.1 102 P\\r\\n\\r\\n", 'A', "X-A: b\\r\\n", "\\r\\n") {
    my $first = $line =~ /^X/ ? 'send "HTTP/1.1 200 OK\r\n"' : '';
    $backend->clear;
    $backend->script('/endless',
        "recv body\n$first\nloop 2000000\nsend \"" . $line x 50 . "\"\nend\n");
    is get($server, '/app/endless')->status, 502, "endless '" . substr($line, 0, 12) . "': 502";
}

# --- the error page ---
$backend->clear;
$backend->raw_answer('/raw', "<script>alert(1)</script>\r\n\r\n");
my $r = get($server, '/app/raw?%3Cscript%3E');
is $r->status, 502, 'an error page';
unlike $r->body,           qr/<script>/,     'does not repeat what the backend sent';
unlike $r->body,           qr/127\.0\.0\.1/, 'and names no address';
unlike $server->error_log, qr/\0/,           'the log has no NUL in it';
ok $server->wait_log(qr/RP\d{4}/), 'but lines with tags';
is scalar($server->children), 1, 'the child is still the same';
