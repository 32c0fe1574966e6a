# SPDX-License-Identifier: Apache-2.0
package RProxy::Server;

# A real httpd with our modules, made for one test: its own folder, ports and configuration.
#
#   my $s = RProxy::Server->new(config => <<'CONF', modules => [qw(headers ssl)]);
#   ProxyPass /app http://127.0.0.1:1234
#   CONF
#
# In the configuration __PORT__, __PORT_NAME__ (a further port, see port()), __ROOT__ (the folder), __CERTS__ and what is in %blocks
# are replaced. A crash of a child or of the main process, a sanitizer's or valgrind's report makes the test
# file fail at its end.

use strict;
use warnings;
use Carp qw(croak);
use IO::Socket::INET ();
use POSIX            ();
use RProxy::Certs    ();
use RProxy::Env qw(httpd module_file own_module_file mpm temp_dir is_root wait_until
    complaints_to_stderr);
use RProxy::Port qw(free_port);

# what a distribution may have built in or not
my @base = qw(log_config unixd version authz_core slotmem_shm);
my @ours = qw(rproxy rproxy_reverse rproxy_balancer);
my $bad  = qr/exit [ ] signal | AddressSanitizer | LeakSanitizer | ThreadSanitizer |
    runtime [ ] error: | definitely [ ] lost: [ ] [1-9] | Invalid [ ] (?:read|write) [ ] of | uninitialised [ ] value |
    Assertion | malloc\(\): | free\(\): | stack [ ] smashing/x;
my @all;

# What many configurations have: TLS with the certificate of localhost; the API and the manager where clients of this machine reach them.
my %blocks = (
    TLS     => join("\n    ", 'SSLEngine on', 'SSLCertificateFile __CERTS__/local.crt', 'SSLCertificateKeyFile __CERTS__/local.key'),
    API     => _local('/rproxy',           'rproxy-api'),
    MANAGER => _local('/balancer-manager', 'balancer-manager'),
);

sub _local { my ($path, $handler) = @_; return "<Location $path>\n    SetHandler $handler\n    Require local\n</Location>" }

# config, modules (of httpd, by short name), ours (of ours; default all that are built), mpm,
# without (modules that are otherwise always there), threads (25: in one child), processes (1), top (configuration before all else), start => 0 (do not
# start), loglevel, timeout, files (open files that each of its processes may have), any_lane (why no lane is logged and none forced,
# see wrong_lanes).
#
# RPROXY_LANE=inline|handoff|blocking: the lane that is forced upon every server whose configuration does not choose one itself.
sub new {
    my ($class, %opt) = @_;
    my $self = bless {
        modules  => [],
        ours     => [grep { own_module_file($_) } @ours],
        mpm      => mpm(),
        threads  => 25,
        loglevel => 'info',
        timeout  => 20,
        any_lane => $0 =~ /-engine-/ ? 'which lane is what such a file is about' : undef,
        %opt,
        owner => $$,
        ports => {},
        seen  => 0,
    }, $class;
    complaints_to_stderr();
    $self->{root} = temp_dir('httpd');
    mkdir "$self->{root}/$_", 0755 for qw(conf htdocs run);
    chown((getpwnam 'nobody')[2, 3], "$self->{root}/run") if is_root();
    $self->write_file('conf/mime.types',   "text/html html\ntext/plain txt\n");
    $self->write_file('htdocs/index.html', "local index\n");
    push @all, $self;

    if ($opt{start} // 1) {
        $self->start or croak "httpd did not start:\n" . $self->stderr . $self->error_log;
    }
    return $self;
}

sub root { return $_[0]{root} }

# The port of the server, or a further one by name.
sub port {
    my ($self, $name) = @_;
    return $self->{ports}{$name // ''} //= free_port();
}

sub url { return 'http://127.0.0.1:' . $_[0]->port . ($_[1] // '') }

# Write a file in the server's folder (below htdocs/ it is served); its path.
sub write_file {
    my ($self, $file, $text) = @_;
    my $path = "$self->{root}/$file";
    open my $out, '>', $path or die "$path: $!\n";
    print {$out} $text;
    close $out or die "$path: $!\n";
    return $path;
}

sub _read {
    my ($self, $file) = @_;
    open my $in, '<', "$self->{root}/$file" or return '';
    local $/;
    return scalar(<$in>) // '';
}

sub error_log  { return $_[0]->_read('error_log') }
sub access_log { return $_[0]->_read('access_log') }
sub stderr     { return $_[0]->_read('stderr') }

sub _load_lines {
    my ($self) = @_;
    my (@lines, %done);
    @done{@{$self->{without} // []}} = (1) x @{$self->{without} // []};
    for my $name ("mpm_$self->{mpm}", @base, @{$self->{modules}}) {
        next if $done{$name}++;
        my $file = module_file($name);
        croak "no mod_$name.so" if !$file && !grep { $_ eq $name } @base;
        push @lines, "LoadModule ${name}_module \"$file\"" if $file;
    }
    for my $name (@{$self->{ours}}) {
        my $file = own_module_file($name) or croak "no mod_$name.so in the build folder: run make";
        push @lines, "LoadModule ${name}_module \"$file\"";
    }
    return join "\n", @lines;
}

sub _mpm_lines {
    my ($self) = @_;
    my $n     = $self->{threads};
    my $procs = $self->{processes} // 1;
    my $total = $n * $procs;
    if ($self->{mpm} eq 'prefork') {
        return "StartServers $procs\nMinSpareServers 1\nMaxSpareServers $n\nMaxRequestWorkers $n";
    }
    my $limit = $procs > 8 ? $procs : 8;
    return "StartServers $procs\nServerLimit $limit\nThreadLimit @{[$n + 1]}\nThreadsPerChild $n\n"
        . "MaxRequestWorkers $total\nMinSpareThreads 1\nMaxSpareThreads $total";
}

sub _expand {
    my ($self, $text) = @_;
    $text =~ s/__(TLS|API|MANAGER)__/$blocks{$1}/g;
    $text =~ s/__PORT__/$self->port/ge;
    $text =~ s/__PORT_([A-Za-z0-9]+)__/$self->port($1)/ge;
    $text =~ s/__ROOT__/$self->{root}/g;
    $text =~ s/__CERTS__/RProxy::Certs::certs()/ge;
    return $text;
}

# The whole configuration around a snippet.
sub config_text {
    my ($self, $snippet) = @_;
    my $user = is_root() ? "User nobody\nGroup " . getgrgid((getpwnam 'nobody')[3]) : '';
    my $mime = (grep { $_ eq 'mime' } @{$self->{modules}}) ? 'TypesConfig conf/mime.types' : '';
    my $top  = $self->{top} // '';
    my $load = $self->_load_lines;
    my $mpm  = $self->_mpm_lines;
    my $lane = $self->_forced_lane;
    return $self->_expand(<<"CONF" . ($snippet // $self->{config} // ''));
$top
$load
ServerRoot "__ROOT__"
DefaultRuntimeDir "__ROOT__/run"
PidFile "__ROOT__/httpd.pid"
Listen 127.0.0.1:__PORT__
ServerName front.test
DocumentRoot "__ROOT__/htdocs"
ErrorLog "__ROOT__/error_log"
LogLevel $self->{loglevel}
LogFormat "%{X-Test-Id}i %>s %B %X %k \\"%r\\"@{[$self->{any_lane} ? '' : ' %{rproxy-lane}n']}" suite
CustomLog "__ROOT__/access_log" suite
Timeout $self->{timeout}
KeepAliveTimeout 15
$user
$mime
$mpm
@{[$lane ? "RProxyLane $lane" : '']}
<Directory />
    Require all granted
    AllowOverride None
</Directory>
CONF
}

sub _wrap { return split ' ', $ENV{RPROXY_WRAP} // '' }

# Only check a configuration: (true when good, what httpd said).
sub configtest {
    my ($self, $snippet) = @_;
    my $file = $self->write_file('test.conf', $self->config_text($snippet));
    my $pid  = open my $out, '-|';
    croak "fork: $!" unless defined $pid;
    if (!$pid) {
        open STDERR, '>&', \*STDOUT;
        exec _wrap(), httpd(), '-d', $self->{root}, '-f', $file, '-t' or POSIX::_exit(127);
    }
    my $text = do { local $/; <$out> };
    close $out;
    return ($? == 0, $text);
}

# PR_SET_PDEATHSIG: the server must not outlive a test that was killed
sub _die_with_parent {
    my %number = (x86_64 => 157, aarch64 => 167);
    my $prctl  = $number{(POSIX::uname())[4]};
    syscall $prctl, 1, 15, 0, 0, 0 if $prctl;
    return;
}

# Ports of 127.0.0.1 that somebody listens on, from the kernel: a connection to look would be one too many.
sub _listening {
    open my $in, '<', '/proc/net/tcp' or return;
    return map { /^\s*\d+: 0100007F:([0-9A-F]{4}) \S+ 0A / ? (hex $1 => 1) : () } <$in>;
}

# The listening sockets come one after the other: it answers when the last one is there.
sub _answers {
    my ($self) = @_;
    my %there  = _listening();
    my @wanted = $self->_read('httpd.conf') =~ /^\s*Listen 127\.0\.0\.1:(\d+)/mg;
    return 0 if %there && grep { !$there{$_} } @wanted;
    return defined IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $self->port, Timeout => 1);
}

# Is the main process there?
sub alive {
    my ($self) = @_;
    return 0 unless $self->{pid};
    return 1 unless waitpid($self->{pid}, POSIX::WNOHANG()) == $self->{pid};
    $self->{status} = $?;
    delete $self->{pid};
    return 0;
}

# Start with the configuration, or with another one. True when it answers; false when it ended.
sub start {
    my ($self, $snippet) = @_;
    $self->{config} = $snippet if defined $snippet;
    for my $try (1 .. 3) {
        return 1 if $self->_start_once;
        last unless $self->stderr . $self->error_log =~ /Address already in use/;
        $self->{ports} = {};
    }
    return 0;
}

sub _start_once {
    my ($self) = @_;
    my $root   = $self->{root};
    my $file   = $self->write_file('httpd.conf', $self->config_text);
    my $pid    = fork // croak "fork: $!";
    if (!$pid) {
        setpgrp;
        _die_with_parent();
        open STDIN,  '<',  '/dev/null';
        open STDOUT, '>>', "$root/stderr";
        open STDERR, '>>', "$root/stderr";
        my @more  = split ' ', $ENV{RPROXY_HTTPD_ARGS} // '';
        my @limit = $self->{files} ? ('sh', '-c', 'ulimit -n "$0" && exec "$@"', $self->{files}) : ();
        exec @limit, _wrap(), httpd(), '-d', $root, '-f', $file, '-DFOREGROUND', @more or POSIX::_exit(127);
    }
    @{$self}{qw(pid group)} = ($pid, $pid);
    my $limit = $ENV{RPROXY_WRAP} ? 120 : 20;
    return wait_until($limit, sub { !$self->alive || $self->_answers }) && $self->alive;
}

# Wait until the error log matches beyond what an earlier wait_log consumed; the match, or undef.
sub wait_log {
    my ($self, $pattern, $limit) = @_;
    return wait_until(
        $limit // 10,
        sub {
            my $text = substr $self->error_log, $self->{seen};
            return unless $text =~ $pattern;
            $self->{seen} += $+[0];
            return $& || '0 but true';
        }
    );
}

# What wait_log sees begins here.
sub mark_log { my ($self) = @_; $self->{seen} = length $self->error_log; return }

# Does the access log match in time? The match.
sub wait_access {
    my ($self, $pattern, $limit) = @_;
    return wait_until($limit // 10, sub { $self->access_log =~ $pattern ? $& : undef });
}

# Restart with the same or another configuration; waits until it is in force.
sub graceful { return $_[0]->_signal_and_wait('USR1', $_[1]) }
sub restart  { return $_[0]->_signal_and_wait('HUP',  $_[1]) }

sub _signal_and_wait {
    my ($self, $signal, $snippet) = @_;
    $self->{config} = $snippet if defined $snippet;
    $self->write_file('httpd.conf', $self->config_text);
    $self->mark_log;
    kill $signal, $self->{pid};
    return $self->wait_log(qr/resuming normal operations/, 20);
}

sub _group_gone { my ($self) = @_; return !kill 0, -$self->{group} }

# End the server; true when it ended by itself and left no process. stop('WINCH'): gracefully.
sub stop {
    my ($self, $signal) = @_;
    return 1 unless $self->{owner} == $$;
    if (!$self->{pid}) { # it has ended already; what it left does not outlive the test
        $self->kill_all;
        return 1;
    }
    my $limit = $ENV{RPROXY_WRAP} ? 120 : 30;
    my $gone  = sub { !$self->alive && $self->_group_gone };
    # Graceful first: on TERM the event MPM frees pools that its listener still uses, and now and then a child
    # crashes there, with no module of ours loaded too.
    kill $signal // 'WINCH', $self->{pid};
    my $good = wait_until($signal ? $limit : 2, $gone);
    if (!$good && !$signal) {
        kill 'TERM', $self->{pid} if $self->{pid}; # else only what it started is still to be reaped
        $good = wait_until($limit, $gone);
    }
    if   ($good) { delete $self->{group} }
    else         { $self->kill_all }
    return $good ? 1 : 0;
}

# End it at once.
sub kill_all {
    my ($self) = @_;
    return unless $self->{group};
    kill 'KILL', -delete $self->{group};
    waitpid delete $self->{pid}, 0 if $self->{pid};
    return;
}

# Process ids of its children.
sub children {
    my ($self) = @_;
    my @pids;
    for my $stat (glob '/proc/[0-9]*/stat') {
        open my $in, '<', $stat or next;
        my ($pid, $ppid) = (<$in> // '') =~ /^(\d+) \(.*\) \S (\d+)/ or next;
        push @pids, $pid if $ppid == ($self->{pid} // -1);
    }
    return @pids;
}

sub _chooses_lane {
    my ($self) = @_;
    return "@{[$self->{top} // '']}\n@{[$self->{config} // '']}" =~ /^\s*RProxy(?:Lane|EventLoop)\b/m;
}

sub _forced_lane {
    my ($self) = @_;
    return if $self->{any_lane} || $self->{mpm} ne 'event' || !grep { $_ eq 'rproxy' } @{$self->{ours}};
    return $self->_chooses_lane ? undef : $ENV{RPROXY_LANE};
}

# Lines of the access log whose request ran on another lane than the configuration means. Where none is forced no request of HTTP/1
# takes a thread of the MPM; streams of HTTP/2 always do. What httpd refuses while it reads the head never reaches a lane.
sub wrong_lanes {
    my ($self) = @_;
    return if $self->{any_lane} || $self->{mpm} ne 'event' || $self->_chooses_lane || !grep { $_ eq 'rproxy' } @{$self->{ours}};
    my %right = (auto => qr/inline|handoff|-/, inline => qr/inline|handoff|-/, handoff => qr/handoff|-/, blocking => qr/blocking|-/);
    my $right = $right{$ENV{RPROXY_LANE} || 'auto'} or croak "RPROXY_LANE=$ENV{RPROXY_LANE} is no lane";
    return grep { m{^\S+ (\d+) (?!.*HTTP/2\.0").* ([a-z]+|-)$} && $2 !~ /^(?:$right)$/ && $1 !~ /^(?:400|408|414|417|431|505)$/ }
        split /\n/, $self->access_log;
}

# Lines of the logs that mean a crash or a sanitizer's finding.
sub complaints {
    my ($self) = @_;
    return grep { /$bad/ } split /^/, $self->stderr . $self->error_log;
}

sub _finish {
    my ($self) = @_;
    my @bad;
    push @bad, "httpd did not stop by itself\n" unless $self->stop;
    return @bad if $self->{expect_crash};
    # What happens behind the last line of the error log shows here alone.
    my $signal = ($self->{status} // 0) & 127;
    push @bad, "httpd's main process was ended by signal $signal\n" if $signal;
    push @bad, $self->complaints;
    push @bad, map {"the request ran on an unexpected lane: $_\n"} $self->wrong_lanes;
    return @bad;
}

sub _finish_all {
    my ($status) = @_;
    my $tb = complaints_to_stderr();
    for my $server (grep { $_->{owner} == $$ } @all) {
        my @bad  = $server->_finish;
        my $lost = @bad || $status || !$tb->is_passing;
        if (@bad) {
            $tb->diag("httpd in $server->{root}: ", @bad);
            $status ||= 1;
        }
        if ($lost && !$ENV{RPROXY_QUIET}) {
            my @lines = split /^/, $server->error_log;
            splice @lines, 0, @lines - 40 if @lines > 40;
            $tb->diag("end of its error log:\n", @lines);
        }
    }
    return $status;
}

END { $? = _finish_all($?) }

1;
