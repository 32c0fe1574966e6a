# SPDX-License-Identifier: Apache-2.0
# SetHandler "proxy:URL": the handler's text and the file's name make the destination. Never the file's source.
use strict;
use warnings;
use Apache::Test qw(-withtestmore);
use RProxy::Env qw(needs temp_dir);
use RProxy::Server;
use RProxy::Backend;
use RProxy::Client qw(get);

my @modules = qw(mime rewrite setenvif actions);
plan tests => 37, need {needs('rproxy', @modules)};

my $b    = RProxy::Backend->new;
my $p    = $b->port;
my $sock = temp_dir('socket') . '/Be.sock';
my $unix = RProxy::Backend->new(name => 'unix', unix => $sock);
my $s    = RProxy::Server->new(modules => \@modules, start => 0);
my $docs = $s->root . '/htdocs';
mkdir "$docs/$_" for qw(files access);
$s->write_file("htdocs/$_", "the secret source\n") for 'files/page.php', 'files/sp ace.php', 'access/page.txt', 'files/page.app';
$s->write_file('htdocs/access/.htaccess', "SetHandler proxy:http://127.0.0.1:$p/ht\n");
$s->start(<<"EOF") or die $s->stderr . $s->error_log;
<Location /virtual>
SetHandler proxy:http://127.0.0.1:$p/base
</Location>
<Location /Upper>
SetHandler "proxy:HTTP://LOCALHOST:$p/Base"
</Location>
<Location /unix>
SetHandler "proxy:unix:$sock|http://Name/base"
</Location>
<Location /unixbare>
SetHandler "proxy:unix:$sock|http:"
</Location>
<LocationMatch ^/nobar>
SetHandler "proxy:unix:$sock"
</LocationMatch>
<Location /port>
SetHandler proxy:http://127.0.0.1:65536
</Location>
<Location /nohost>
SetHandler proxy:http://
</Location>
<Location /balancer>
SetHandler proxy:balancer://Some
</Location>
<FilesMatch "\\.php\$">
SetHandler proxy:http://127.0.0.1:$p
</FilesMatch>
AddHandler "proxy:http://127.0.0.1:$p/app" .app
<Directory "$docs/access">
AllowOverride FileInfo
</Directory>
# the URL is known only when the request is there
<Location /expr>
SetEnvIf X-Url (.*) URL=\$1
SetHandler "expr=proxy:%{env:URL}"
</Location>
# both: the mapping decides
ProxyPass /both http://127.0.0.1:$p/mapped
EOF

sub answer { return RProxy::Client->one($s, 'GET', @_) }

# What the backend saw as request target, or the status when it saw nothing.
sub arrives {
    my $answer = answer(@_);
    return $answer->status == 200 && $answer->body =~ /^GET (.*)\n\z/ ? $1 : $answer->status;
}

is(arrives('/virtual'),           "/base$docs/virtual",   'in a Location: the name of the file that would be served');
is(arrives('/virtual?a=%20b'),    "/base$docs/virtual?a=%20b", '... the query behind it');
is(arrives('/virtual/more/path'), "/base$docs/virtual",   '... what follows the file is lost');
is(arrives('/virtual?'),          "/base$docs/virtual?",  '... an empty query');
is(arrives('/Upper'),             "/base$docs/Upper",     'the core makes the text small, not the file name');
$b->reset;
get($s, '/Upper');
like($b->last_request->{head}, qr/^Host: localhost:$p\r$/m, '... the host too');

is(arrives('/files/page.php'),        "$docs/files/page.php",         'by FilesMatch');
is(arrives('/files/page.php/info?q'), "$docs/files/page.php?q",       '... with path info');
is(arrives('/files/sp%20ace.php'),    "$docs/files/sp%20ace.php",     '... the name is encoded');
is(arrives('/files/page.app'),        "/app$docs/files/page.app",     'by AddHandler');
is(arrives('/access/page.txt'),       "/ht$docs/access/page.txt",     'by .htaccess');
is(arrives('/both/page.php'),         '/mapped/page.php',             'a mapped path is not a file');

my $r = answer('/unix/x');
is($r->header('X-Backend'), 'unix', 'a unix socket, its path as written');
is($r->body, "GET /base$docs/unix\n", '... and the path');
like($unix->last_request->{head}, qr/^Host: name\r$/m, '... and the host');
is(answer('/unixbare/x')->body, "GET $docs/unixbare\n", 'a unix socket without host');
like($unix->last_request->{head}, qr/^Host: localhost\r$/m, '... gets localhost');

# errors: never the file
for my $path (qw(nobar nobar%7Chttp://127.0.0.1/ nobar/x%7Chttp://127.0.0.1/ port nohost)) {
    $r = answer("/$path");
    is($r->status, 400, "/$path is refused");
    unlike($r->body, qr/secret/, '... without a file');
}
is(answer('/balancer')->status, 503, 'balancer://');
like($s->error_log, qr{balancer://some\b}, '... goes to the balancer of that name');

# schemes that are not spoken: at startup where they can be seen, 500 where not
for my $scheme (qw(fcgi ajp scgi uwsgi ftp connect nonsense)) {
    my ($ok, $text) = $s->configtest(qq{<FilesMatch "\\.php\$">\nSetHandler "proxy:$scheme://127.0.0.1:9000"\n</FilesMatch>\n});
    ok(!$ok && $text =~ /\b$scheme\b/, "$scheme in SetHandler is refused at startup");
}
my $saw = 0;
for my $url ('fcgi://127.0.0.1:9000', "unix:$sock|fcgi://localhost", 'ajp://h', '') {
    $r = answer('/expr', headers => [$url ? ('X-Url', $url) : ()]);
    $saw++ if $r->status >= 400 && $r->body !~ /secret/;
}
is($saw, 4, 'one that shows only at run time is an error');
