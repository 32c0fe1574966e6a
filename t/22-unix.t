# SPDX-License-Identifier: Apache-2.0
# Backends on unix sockets: their connections, who shares them, and what is said when one is not there.
use strict;
use warnings;
use Apache::Test qw(-withtestmore);
use Digest::SHA qw(sha256_hex);
use RProxy::Backend;
use RProxy::Client qw(get post);
use RProxy::Env qw(needs temp_dir is_root);
use RProxy::Server;

plan tests => 25, need {needs(qw(rproxy))};

my $dir = temp_dir('sockets');
my $one = RProxy::Backend->new(name => 'one', unix => "$dir/one.sock");
my $two = RProxy::Backend->new(name => 'two', unix => "$dir/two.sock");
my $long = "$dir/" . 'x' x (95 - length "$dir/.sock") . '.sock';
my $far = RProxy::Backend->new(name => 'long', unix => $long);
my $s   = RProxy::Server->new(
    threads => 4,
    config  => <<"CONF",
ProxyPass /one    unix:$dir/one.sock|http://localhost
ProxyPass /same   unix:$dir/one.sock|http://localhost/id/
ProxyPass /two    unix:$dir/two.sock|http://localhost
ProxyPass /named  unix:$dir/one.sock|http://some.name.example
ProxyPass /tcp    http://127.0.0.1:${\$one->port}
ProxyPass /long   unix:$long|http://localhost
ProxyPass /gone   unix:$dir/gone.sock|http://localhost
ProxyPass /file   unix:$dir/file|http://localhost
ProxyPass /shut   unix:$dir/shut.sock|http://localhost
ProxyPass /max    unix:$dir/two.sock|http://localhost/ max=1 acquire=200ms
CONF
);

my $r = get($s, '/one/id/1', id => 'u');
is $r->body, "id 1 u\n", 'a backend on a unix socket';
is $r->header('X-Backend'), 'one', 'the right one';
is get($s, '/two/id/1')->header('X-Backend'), 'two', 'another socket with the same host name is another backend';
my $conn = get($s, '/one/id/2')->header('X-Backend-Conn');
is get($s, '/one/id/3')->header('X-Backend-Conn'), $conn, 'connections are used again';
is get($s, '/same/4')->header('X-Backend-Conn'), $conn, 'by another line with the socket too';
is get($s, '/two/id/5')->header('X-Backend'), 'two', 'but never across sockets';
isnt get($s, '/tcp/id/6')->header('X-Backend-Conn'), $conn, 'nor by the same backend\'s TCP port';
like get($s, '/named/headers')->body, qr/^Host: some\.name\.example\r$/m, 'the host of the URL is the Host header';
is get($s, '/long/id/1')->status, 200, 'a long path';

# ---- when it is not there

$s->mark_log;
is get($s, '/gone/x')->status, 503, 'no such socket';
ok $s->wait_log(qr/RP0200: connect-refused: [^\n]*No such file[^\n]*gone\.sock/), 'the log names it';
open my $out, '>', "$dir/file" or die; close $out; chmod 0777, "$dir/file";
is get($s, '/file/x')->status, 503, 'a file that is no socket';
ok $s->wait_log(qr/RP0200: [^\n]*refused[^\n]*file/), 'is told so';
my $shut = RProxy::Backend->new(name => 'shut', unix => "$dir/shut.sock");
chmod 0600, "$dir/shut.sock";
chown 0, 0, "$dir/shut.sock";
is get($s, '/shut/x')->status, is_root() ? 503 : 200, 'a socket that we may not open';
chmod 0777, "$dir/shut.sock";
is get($s, '/shut/id/1')->status, 200, '... until we may';

# ---- closed while idle, and gone and back

$one->await('busy', '==', 0);
$one->idle('close');
$one->await('idle', '==', 0);
is post($s, '/one/id/7', 'x', id => 'p')->body, "id 7 p\n", 'a POST after the backend closed';
is $one->count('id:p'), 1, 'arrives once';
$two->stop;
is get($s, '/two/id/1')->status, 503, 'the backend ends';
$two = RProxy::Backend->new(name => 'new two', unix => "$dir/two.sock");
is get($s, '/two/id/1')->header('X-Backend'), 'new two', 'and is back at once';

# ---- limits, bytes

my $holder = RProxy::Client->new($s);
$holder->request('GET', '/max/id/1?wait=go');
ok $two->await('busy', '==', 1), 'one request at a time';
is get($s, '/max/id/2')->status, 503, 'a second one waits in vain';
$two->signal('go');
is $holder->response->status, 200, 'the first one is served';
is get($s, '/max/id/3')->status, 200, 'and then others';

my ($want) = $one->digest(2_000_000, 3) =~ /(\w{64})/;
is sha256_hex(get($s, '/one/bytes/2000000?seed=3')->body), $want, '2 MB down';
my $body = join '', map { chr(33 + $_ % 90) } 1 .. 400_000;
like post($s, '/one/sink', $body x 5)->body, qr/^bytes 2000000 sha256 @{[sha256_hex($body x 5)]}$/, '2 MB up';
