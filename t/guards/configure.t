#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# configure says what is missing, with its packages, and which httpd is too old.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use File::Basename 'basename';
use File::Temp 'tempdir';
use Guard;
use Test::More;

my $src = srcdir();
my $apxs = $ENV{APXS} || 'apxs';
my $tmp = tempdir(CLEANUP => 1);
# not the tree itself, which may be configured
mkdir "$tmp/src" or die "$tmp/src: $!\n";
for my $name (qw(configure build-aux mod_rproxy.c)) {
    symlink "$src/$name", "$tmp/src/$name" or die "$name: $!\n";
}
delete @ENV{qw(CC CPPFLAGS CHECK_CFLAGS)};

# The status of configure and what it said.
sub configure {
    my (@args) = @_;
    my $pid = open my $out, '-|', 'sh', '-c', 'cd "$1" && shift && exec "$@" 2>&1', 'sh', $tmp, "$tmp/src/configure", @args;
    die "sh: $!\n" if !$pid;
    local $/ = undef;
    my $said = <$out>;
    close $out;
    return ($? >> 8, $said);
}

# An apxs that answers as the real one, but for some values.
sub apxs_with {
    my (%value) = @_;
    my $file = "$tmp/apxs";
    open my $out, '>', $file or die "$file: $!\n";
    print {$out} "#!/bin/sh\ncase \$2 in\n", (map { "$_) echo '$value{$_}'; exit 0 ;;\n" } sort keys %value), "esac\nexec '$apxs' \"\$@\"\n";
    close $out or die "$file: $!\n";
    chmod 0755, $file or die "$file: $!\n";
    return $file;
}

my ($status, $said) = configure('--with-apxs=/nowhere/apxs');
isnt($status, 0, 'no apxs: configure stops');
like($said, qr{/nowhere/apxs not found\. Debian: apt-get install apache2-dev\. Red Hat: dnf install httpd-devel\.},
    'no apxs: the packages are named');

($status, $said) = configure('--with-apxs=' . apxs_with(INCLUDEDIR => '/nowhere/include'));
isnt($status, 0, 'an apxs that lies: configure stops');
like($said, qr{answered "/nowhere/include", which is no directory; point --with-apxs at}, 'an apxs that lies: the next step');

# The headers of an httpd that is too old.
chomp(my $include = `$apxs -q INCLUDEDIR`);
mkdir "$tmp/include" or die "$tmp/include: $!\n";
for my $header (glob "$include/*.h") {
    my $name = basename($header);
    my $text = slurp($header);
    next if $name ne 'ap_mmn.h' && $name ne 'ap_release.h' && symlink $header, "$tmp/include/$name";
    $text =~ s/^(#define MODULE_MAGIC_NUMBER_MINOR\s+)\d+/${1}120/m;
    $text =~ s/^(#define AP_SERVER_PATCHLEVEL_NUMBER\s+)\d+/${1}50/m;
    open my $out, '>', "$tmp/include/$name" or die "$name: $!\n";
    print {$out} $text;
    close $out or die "$name: $!\n";
}
($status, $said) = configure('--with-apxs=' . apxs_with(INCLUDEDIR => "$tmp/include"));
isnt($status, 0, 'an old httpd: configure stops');
like($said, qr{are 2\.4\.50 \(module magic number 20120211:120\)\. mod_rproxy builds for httpd 2\.4\.52 and newer},
    'an old httpd: its version and the one that is needed');

($status, $said) = configure('--with-moduledir=modules');
isnt($status, 0, 'a relative folder for the modules: configure stops');
like($said, qr{--with-moduledir="modules" is not an absolute path}, 'a relative folder for the modules: said so');
($status, $said) = configure('--with-headerdir=include');
isnt($status, 0, 'a relative folder for the headers: configure stops');
like($said, qr{--with-headerdir="include" is not an absolute path}, 'a relative folder for the headers: said so');
done_testing();
