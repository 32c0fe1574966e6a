# SPDX-License-Identifier: Apache-2.0
package RProxy::TestRun;

# Apache::TestRun for a module that is built outside of httpd: it runs in a folder of its own (the
# source tree stays clean, and may be read-only), also as root, with the real httpd and no installed
# configuration, and counts what ran.

use strict;
use warnings;
use base 'Apache::TestRun';
use Apache::TestConfig ();
use Apache::TestServer ();
use File::Spec         ();
use IO::Socket::INET   ();
use RProxy::Backend    ();
use RProxy::Certs      ();
use RProxy::Harness    ();
use RProxy::Env qw(top_dir build_dir apxs httpd module_file own_module_file mpm is_root temp_dir);
use RProxy::Port qw(free_port);

my @modules = qw(unixd log_config version authz_core authz_host alias mime dir headers env setenvif
    rewrite status);
my @ours    = qw(rproxy rproxy_reverse rproxy_balancer);

# A folder as Apache::Test wants it: t/ with links to the tests, and conf/.
sub lay_out {
    my ($dir) = @_;
    my $t = top_dir() . '/t';
    mkdir "$dir/$_" or die "$dir/$_: $!\n" for qw(t t/conf t/htdocs t/logs);
    for my $test (glob("$t/*.t"), "$t/TEST") {
        symlink $test, "$dir/t/" . (File::Spec->splitpath($test))[2] or die "$test: $!\n";
    }
    for my $file (glob "$t/conf/*.in") {
        symlink $file, "$dir/t/conf/" . (File::Spec->splitpath($file))[2] or die "$file: $!\n";
    }
    if (is_root()) {
        chown((getpwnam 'nobody')[2, 3], "$dir/t/logs");
    }
    return;
}

sub _load_lines {
    my @lines;
    for my $name ('mpm_' . mpm(), @modules) {
        my $file = module_file($name);
        push @lines, "LoadModule ${name}_module \"$file\"\n" if $file;
    }
    for my $name (@ours) {
        my $file = own_module_file($name);
        push @lines, "LoadModule ${name}_module \"$file\"\n" if $file;
    }
    return @lines;
}

sub pre_configure {
    my ($self) = @_;
    my $conf = "$self->{work}/load.conf";
    open my $out, '>', $conf or die "$conf: $!\n";
    print {$out} _load_lines();
    close $out or die "$conf: $!\n";
    $self->{backend} = RProxy::Backend->new(name => 'smoke');
    $self->{conf_opts} = {
        %{$self->{conf_opts}},
        httpd           => httpd(),
        apxs            => $ENV{RPROXY_APXS} || $ENV{RP_APXS} || Apache::TestConfig::which('apxs'),
        httpd_conf      => $conf,
        port            => free_port(),
        servername      => 'localhost',
        backend_port    => $self->{backend}->port,
        has_rproxy      => own_module_file('rproxy') ? 1 : 0,
        startup_timeout => 60,
    };
    return;
}

# Root is welcome: httpd then runs its children as nobody.
sub check_runtime_user { return 1 }

# Core dumps would be large and nobody reads them; crashes are found in the error logs.
sub set_ulimit { return }

sub start {
    my ($self) = @_;
    bless $self->{server}, 'RProxy::TestRun::Server';
    return $self->SUPER::start;
}

sub run_tests {
    my ($self) = @_;
    return $self->SUPER::run_tests unless $self->{opts}{'run-tests'};
    my %wanted = (tests => $self->{tests}, order => $self->{opts}{order});
    my @tests  = RProxy::Harness->get_tests(\%wanted);
    $self->{result} = RProxy::Harness->new(verbose => $self->{opts}{verbose})->run_all(@tests);
    return;
}

# Arguments as for Apache::TestRun; the exit status.
sub main {
    my ($class, @args) = @_;
    my $self = $class->new(work => temp_dir('suite'));
    my $start = Cwd::getcwd();
    lay_out($self->{work});
    chdir $self->{work} or die "$self->{work}: $!\n";
    $0 = "$self->{work}/t/TEST";
    local $ENV{RPROXY_BUILD} = build_dir();
    local $ENV{RPROXY_CERTS} = RProxy::Certs::certs();
    $self->run(map { (/\.t$/ ? (File::Spec->splitpath($_))[2] : $_) } @args);
    chdir $start;
    my $result = $self->{result} or return 0;
    my @bad = $self->complaints;
    print "Complaints of the suite's own httpd:\n", @bad if @bad;
    $result->{failed}++ if @bad;
    printf "%d passed, %d failed, %d skipped\n", @{$result}{qw(passed failed skipped)};
    return $result->{failed} || $result->{skipped} || !$result->{passed} ? 1 : 0;
}

sub complaints {
    my ($self) = @_;
    open my $in, '<', "$self->{work}/t/logs/error_log" or return;
    return grep { /exit signal|Sanitizer|runtime error:/ } <$in>;
}

package RProxy::TestRun::Server;

# Without LWP there is no other way to ask; with it, this is faster.
use base 'Apache::TestServer';

sub wait_till_is_up {
    my ($self) = @_;
    my $port = $self->{config}{vars}{port};
    return RProxy::Env::wait_until(60,
        sub { IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port, Timeout => 1) });
}

1;
