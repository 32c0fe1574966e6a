#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# make install puts three modules below DESTDIR and httpd loads them; make uninstall takes them away; a build by plain apxs
# gives modules with the same exports that httpd loads as well.
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

# make install and uninstall
my ($moduledir) = $ENV{MODULEDIR} || slurp("$build/Makefile") =~ /^moduledir = (.*)/m;
my $root = "$tmp/root";
run_ok('make install', $make, '-s', '-C', $build, 'install', "DESTDIR=$root");
my @want = map { "$root$moduledir/$_" } sort @modules;
is_deeply([files_below($root)], \@want, 'make install puts the three modules into DESTDIR, and nothing else');
httpd_loads('installed modules', "$root$moduledir");
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
unlike($said, qr/warning:/, 'no compiler warning in a plain apxs build');
done_testing();
