# SPDX-License-Identifier: Apache-2.0
package RProxy::Env;

# Where things are and how long to wait. All of the suite's environment variables are read here:
#   RPROXY_BUILD    build folder (holds .libs/mod_rproxy.so and t/upstream/rp_backend)
#   RPROXY_APXS     apxs of the httpd to test with
#   RPROXY_HTTPD    its binary, when apxs does not know it
#   RPROXY_MPM      event (default), worker or prefork
#   RPROXY_WRAP     words before the binary: "valgrind ..." or "env LD_PRELOAD=libasan.so"
#   RPROXY_HTTPD_ARGS  words behind it: "-X"
#   RPROXY_KEEP     keep the folders of servers
#   TIMEOUT_MULT    factor on every wait
#   MEMORY_MULT     factor on every limit of memory (sanitizers keep what was freed)
# RP_BUILDDIR, RP_APXS and RP_HTTPD are the names the build's scripts use.

use strict;
use warnings;
use Cwd ();
use Exporter 'import';
use File::Basename ();
use File::Temp     ();
use Test::Builder  ();
use Time::HiRes    ();

our @EXPORT_OK = qw(top_dir build_dir apxs httpd module_file own_module_file has_module mpm
    seconds kilobytes now wait_until temp_dir is_root needs complaints_to_stderr);

my $here = File::Basename::dirname(Cwd::abs_path(__FILE__));
my %apxs_value;

# Top of the source tree.
sub top_dir { return Cwd::abs_path("$here/../../..") }

# The build folder, or death with the next step.
sub build_dir {
    my $given = $ENV{RPROXY_BUILD} || $ENV{RP_BUILDDIR};
    my @tries = $given ? ($given) : (top_dir() . '/build', top_dir());
    for my $dir (@tries) {
        return Cwd::abs_path($dir)
            if grep { -e "$dir/$_" } qw(.libs/mod_rproxy.so t/upstream/rp_backend);
    }
    die "no build in @tries: run make, or set RPROXY_BUILD to the build folder\n";
}

# One value of `apxs -q`.
sub apxs {
    my ($name) = @_;
    my $apxs = $ENV{RPROXY_APXS} || $ENV{RP_APXS} || 'apxs';
    if (!exists $apxs_value{$name}) {
        my $value = qx($apxs -q $name 2>/dev/null);
        chomp $value if defined $value;
        $apxs_value{$name} = $value // '';
    }
    return $apxs_value{$name};
}

# The server's binary.
sub httpd {
    for my $given (grep { $_ } @ENV{qw(RPROXY_HTTPD RP_HTTPD)}) { return $given }
    my $file = apxs('SBINDIR') . '/' . (apxs('progname') || apxs('PROGNAME') || 'httpd');
    die "no httpd at $file: install apache2-bin, or set RPROXY_HTTPD\n" unless -x $file;
    return $file;
}

# A module that came with httpd, by its short name ("rewrite"); undef when it is not a file.
sub module_file {
    my ($name) = @_;
    my $file = apxs('LIBEXECDIR') . "/mod_$name.so";
    return -e $file ? $file : undef;
}

# One of ours ("rproxy"); undef when it is not built.
sub own_module_file {
    my ($name) = @_;
    my $file = build_dir() . "/.libs/mod_$name.so";
    return -e $file ? $file : undef;
}

sub has_module {
    my ($name) = @_;
    return ($name =~ /^rproxy/ ? own_module_file($name) : module_file($name)) ? 1 : 0;
}

# Argument for Apache::Test's need(): a reason each for what is missing.
sub needs {
    return map { my $name = $_; ("module $name not found" => sub { has_module($name) }) } @_;
}

sub mpm { return $ENV{RPROXY_MPM} || 'event' }

# A wait of so many seconds, scaled.
sub seconds { return $_[0] * ($ENV{TIMEOUT_MULT} || 1) }

# A limit of memory, scaled.
sub kilobytes { return $_[0] * ($ENV{MEMORY_MULT} || 1) }

sub now { return Time::HiRes::clock_gettime(Time::HiRes::CLOCK_MONOTONIC()) }

# Until the code is true (its value is returned), at most so many scaled seconds (then undef).
sub wait_until {
    my ($limit, $code) = @_;
    my $end = now() + seconds($limit);
    while (1) {
        my $value = $code->();
        return $value if $value;
        return       if now() > $end;
        select undef, undef, undef, 0.01;
    }
}

# A folder that everybody may enter, gone at the end unless RPROXY_KEEP.
sub temp_dir {
    my ($name) = @_;
    my @how = (TMPDIR => 1, CLEANUP => !$ENV{RPROXY_KEEP});
    my $dir = File::Temp::tempdir("rproxy-$name-XXXXXX", @how);
    chmod 0755, $dir or die "chmod $dir: $!\n";
    return $dir;
}

sub is_root { return $> == 0 }

# Apache::Test's plan() sends what tests complain of to standard output, where a harness hides it.
sub complaints_to_stderr {
    my $tb = Test::Builder->new;
    $tb->failure_output(\*STDERR);
    return $tb;
}

1;
