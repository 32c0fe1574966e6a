#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# make install puts three modules and two headers below DESTDIR and httpd loads them; a third party's module builds with those
# headers; make uninstall takes all away; a build by plain apxs gives modules with the same exports that httpd loads as well,
# and its -i installs the same. Every module says which version it is.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use Cwd 'getcwd';
use File::Find;
use File::Temp 'tempdir';
use Guard;
use Test::More;

my $build = builddir();
my $src = srcdir();
my $apxs = $ENV{APXS} || 'apxs';
my $httpd = $ENV{HTTPD} || '/usr/sbin/apache2';
my $make = $ENV{MAKE} || 'make';
my @modules = qw(mod_rproxy.so mod_rproxy_balancer.so mod_rproxy_reverse.so);
my $tmp = tempdir(CLEANUP => 1);
chomp(my $libexec = `$apxs -q LIBEXECDIR`);

# A make of our own, not a part of the one that runs this test.
delete @ENV{qw(MAKEFLAGS MFLAGS MAKELEVEL)};

sub run_ok {
    my ($name, @command) = @_;
    open my $out, '-|', 'sh', '-c', 'exec 2>&1; exec "$@"', 'sh', @command or die "sh: $!\n";
    my @lines = <$out>;
    ok(close($out), $name) or diag(@lines);
    return join '', @lines;
}

sub files_below {
    my ($dir) = @_;
    my @found;
    find({ no_chdir => 1, wanted => sub { push @found, $_ if -f } }, $dir);
    return sort @found;
}

sub httpd_loads {
    my ($name, $dir) = @_;
    my $conf = "$tmp/httpd.conf";
    open my $out, '>', $conf or die "$conf: $!\n";
    print {$out} "ServerRoot \"$tmp\"\nServerName localhost\nListen 127.0.0.1:65001\nErrorLog \"$tmp/log\"\n",
        "<IfModule !mpm_event_module>\nLoadModule mpm_event_module \"$libexec/mod_mpm_event.so\"\n</IfModule>\n",
        "LoadModule authz_core_module \"$libexec/mod_authz_core.so\"\n",
        (map { my ($symbol) = /mod_(\w+)\.so/; "LoadModule ${symbol}_module \"$dir/$_\"\n" } @modules),
        "<IfModule mod_rproxy.c>\nProxyPass /x http://127.0.0.1:65002/\n</IfModule>\n",
        "<IfModule !mod_rproxy.c>\nNo_such_directive\n</IfModule>\n";
    close $out or die "$conf: $!\n";
    like(run_ok("httpd -t with $name", $httpd, '-t', '-f', $conf), qr/^Syntax OK$/m, "Syntax OK with $name");
    return;
}

# The version number stands once, in rproxy.h; each module holds it as text, so that a lone file can be told.
my ($version) = slurp('include/rproxy.h') =~ /^#define RPROXY_VERSION_STRING "([^"]+)"$/m;
my @headers = qw(rproxy.h rproxy_lbmethod.h);

sub versions_ok {
    my ($name, $dir) = @_;
    for my $module (@modules) {
        my ($text) = $module =~ /(.*)\.so/;
        like(slurp("$dir/$module"), qr/\0\Q$text $version\E\0/, "$module of $name says \"$text $version\"");
    }
    return;
}

# What a third party would write: a load-balancing method.
sub third_party_ok {
    my ($name, $includes) = @_;
    my $dir = tempdir(DIR => $tmp);
    open my $out, '>', "$dir/mod_lbmethod_x.c" or die "$dir: $!\n";
    print {$out} "#include <httpd.h>\n#include <http_config.h>\n#include <ap_provider.h>\n#include <rproxy.h>\n#include <rproxy_lbmethod.h>\n",
        "static rproxy_lbmethod_t method = {.name = \"x\"};\n",
        "static void hooks(apr_pool_t *p)\n{\n    (void)APR_RETRIEVE_OPTIONAL_FN(rproxy_api);\n",
        "    ap_register_provider(p, RPROXY_LBMETHOD_GROUP, \"x\", RPROXY_LBMETHOD_VERSION, &method);\n}\n",
        "module AP_MODULE_DECLARE_DATA lbmethod_x_module = {STANDARD20_MODULE_STUFF, NULL, NULL, NULL, NULL, NULL, hooks, 0};\n";
    close $out or die "$dir: $!\n";
    run_ok("a module of a third party builds with the headers of $name", 'sh', '-c', 'cd "$0" && exec "$@"', $dir, $apxs, '-c',
        '-Wc,-Wall -Werror', "-I$includes", 'mod_lbmethod_x.c');
    return;
}

# make install and uninstall
my $made = slurp("$build/Makefile");
my ($moduledir) = $ENV{MODULEDIR} || $made =~ /^moduledir = (.*)/m;
my ($headerdir) = $ENV{HEADERDIR} || $made =~ /^headerdir = (.*)/m;
my ($bindir) = $ENV{BINDIR} || $made =~ /^bindir = (.*)/m;
my ($prefix) = $made =~ /^prefix = (.*)/m;
$bindir =~ s/\$\{(?:exec_)?prefix\}/$prefix/;
my $root = "$tmp/root";
run_ok('make install', $make, '-s', '-C', $build, 'install', "DESTDIR=$root");
my @want = sort map({"$root$moduledir/$_"} @modules), map({"$root$headerdir/$_"} @headers), "$root$bindir/rproxyctl";
is_deeply([files_below($root)], \@want, 'make install puts the modules, the headers and rproxyctl into DESTDIR, and nothing else');
like(run_ok('rproxyctl', "$root$bindir/rproxyctl", '--help'), qr/^usage: rproxyctl/, 'rproxyctl says how it is used');
httpd_loads('installed modules', "$root$moduledir");
versions_ok('make install', "$root$moduledir");
third_party_ok('make install', "$root$headerdir");
run_ok('make uninstall', $make, '-s', '-C', $build, 'uninstall', "DESTDIR=$root");
is_deeply([files_below($root)], [], 'make uninstall leaves nothing');

# plain apxs
my $plain = "$tmp/apxs";
mkdir $plain or die "$plain: $!\n";
my $said = run_ok('scripts/apxs-build.sh -o', 'sh', "$src/scripts/apxs-build.sh", '-o', $plain);
is(scalar(() = $said =~ /^\S*apxs .*-c\b/mg), 3, 'it prints the three apxs commands');
is_deeply([files_below($plain)], [map { "$plain/$_" } sort @modules], 'it makes the three modules');
for my $module (@modules) {
    my ($symbol) = $module =~ /mod_(\w+)\.so/;
    my @exports = map { (split)[-1] } grep { /\S/ } `nm -D --defined-only $plain/$module`;
    is_deeply(\@exports, ["${symbol}_module"], "$module of plain apxs exports its module record alone");
}
httpd_loads('modules of plain apxs', $plain);
versions_ok('plain apxs', $plain);
unlike($said, qr/warning:/, 'no compiler warning in a plain apxs build');

# its -i, by an apxs whose folders are ours
my $own = "$tmp/own";
mkdir "$own$_" or die "$own$_: $!\n" for '', '/modules', '/include';
open my $to, '>', "$own/apxs" or die "$own/apxs: $!\n";
print {$to} "#!/bin/sh\ncase \" \$* \" in\n*' -c '*) exec $apxs \"\$@\" ;;\n",
    "*' -q INCLUDEDIR '*) echo $own/include ;;\n*) exec $apxs -S LIBEXECDIR=$own/modules \"\$@\" ;;\nesac\n";
close $to or die "$own/apxs: $!\n";
chmod 0755, "$own/apxs";
{
    local $ENV{APXS} = "$own/apxs";
    run_ok('scripts/apxs-build.sh -i', 'sh', "$src/scripts/apxs-build.sh", '-i');
}
@want = sort map({"$own/modules/$_"} @modules), map {"$own/include/$_"} @headers;
is_deeply([grep { !m{/apxs$} } files_below($own)], \@want, 'it installs the modules and the headers where apxs says');
httpd_loads('modules installed by plain apxs', "$own/modules");
third_party_ok('plain apxs', "$own/include");
done_testing();
