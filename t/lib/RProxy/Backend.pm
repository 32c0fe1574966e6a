# SPDX-License-Identifier: Apache-2.0
package RProxy::Backend;

# A scripted backend (t/upstream) as a process of its own, steered over its control port. The
# languages of scripts and commands are described on top of t/upstream/be_script.c and be_control.c,
# the paths it answers by itself in be_path.c.
#
# What the proxy sent that HTTP forbids makes the test file fail at its end, unless
# allow_violations() was called.

use strict;
use warnings;
use IO::Socket::INET ();
use RProxy::Env qw(build_dir seconds wait_until complaints_to_stderr);

my @all;

sub _program {
    my $file = $ENV{RPROXY_BACKEND} || build_dir() . '/t/upstream/rp_backend';
    die "no $file: run make\n" unless -x $file;
    return $file;
}

# name: X-Backend of its answers; ipv6, unix => PATH: further listeners; tls => NAME of a
# certificate (RProxy::Certs); tls_ca => 1: demand a client certificate.
sub new {
    my ($class, %opt) = @_;
    my $self = bless {%opt, name => $opt{name} || 'backend'}, $class;
    my @args = ('-g', '-n', $self->{name});
    push @args, '-6' if $opt{ipv6};
    push @args, '-u', $opt{unix} if $opt{unix};
    if ($opt{tls}) {
        require RProxy::Certs;
        my $certs = RProxy::Certs::certs();
        push @args, '-c', "$certs/$opt{tls}.crt", '-k', "$certs/$opt{tls}.key";
        push @args, '-a', "$certs/ca.crt" if $opt{tls_ca};
    }
    complaints_to_stderr();
    $self->_start(@args);
    push @all, $self;
    return $self;
}

sub _start {
    my ($self, @args) = @_;
    my $program = _program();
    pipe my $child_in, my $guard or die "pipe: $!\n";
    pipe my $out, my $child_out or die "pipe: $!\n";
    my $pid = fork // die "fork: $!\n";
    if (!$pid) {
        close $guard;
        open STDIN,  '<&', $child_in;
        open STDOUT, '>&', $child_out;
        exec $program, @args or exit 127;
    }
    close $child_in;
    close $child_out;
    my $line = <$out> // '';
    die "rp_backend did not start\n" unless $line =~ /^port=\d+/;
    $self->{at}{$1} = $2 while $line =~ /(\w+)=(\S+)/g;
    @{$self}{qw(pid guard owner)} = ($pid, $guard, $$);
    $self->{control}
        = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $self->{at}{control})
        or die "control port of rp_backend: $!\n";
    return;
}

sub port      { return $_[0]{at}{port} }
sub port6     { return $_[0]{at}{port6} }
sub tls_port  { return $_[0]{at}{tls} }
sub unix_path { return $_[0]{at}{unix} }
sub url       { return "http://127.0.0.1:$_[0]{at}{port}" . ($_[1] // '') }
sub tls_url   { return "https://localhost:$_[0]{at}{tls}" . ($_[1] // '') }

sub _read {
    my ($self, $n) = @_;
    my $data = '';
    while (length $data < $n) {
        my $got = sysread $self->{control}, $data, $n - length $data, length $data;
        die "rp_backend $self->{name} is gone\n" unless $got;
    }
    return $data;
}

# One command: (ok, answer).
sub try_command {
    my ($self, $text) = @_;
    my $message = length($text) . "\n$text";
    my $head    = '';
    while (length $message) {
        my $put = syswrite $self->{control}, $message;
        die "rp_backend $self->{name} is gone\n" unless $put;
        substr $message, 0, $put, '';
    }
    $head .= $self->_read(1) until $head =~ /\n/;
    my ($ok, $length) = $head =~ /^(ok|err) (\d+)\n/ or die "control port answered '$head'\n";
    return ($ok eq 'ok', $length ? $self->_read($length) : '');
}

# One command that must be carried out; its answer.
sub command {
    my ($self,  $text)   = @_;
    my ($ok,    $answer) = $self->try_command($text);
    my ($first) = $text =~ /^(.*)/;
    die "rp_backend $self->{name}: '$first': $answer\n" unless $ok;
    return $answer;
}

# script('/path', TEXT), script('/path', nth => 2, TEXT), script_conn('*', TEXT)
sub script {
    my ($self, $path, @rest) = @_;
    my $text = pop @rest;
    my %opt  = @rest;
    return $self->command("script path $path" . ($opt{nth} ? " $opt{nth}" : '') . "\n$text");
}
sub script_conn { return $_[0]->command("script conn $_[1]\n$_[2]") }

# A path that reads the whole request, sends these bytes and ends as told ("close" unless told
# otherwise).
sub raw_answer {
    my ($self, $path, $bytes, $end) = @_;
    $end //= 'linger';
    return $self->script($path, "recv body\nsend " . quote($bytes) . "\n$end\n");
}

# Bytes as a string of the script language.
sub quote {
    my ($bytes) = @_;
    $bytes =~ s/([\\"])/\\$1/g;
    $bytes =~ s/\r/\\r/g;
    $bytes =~ s/\n/\\n/g;
    $bytes =~ s/([^\x20-\x7e])/sprintf '\\x%02x', ord $1/ge;
    return "\"$bytes\"";
}

sub clear    { return $_[0]->command('clear') }
sub reset    { return $_[0]->command('reset') }
sub signal   { return $_[0]->command("signal $_[1] " . ($_[2] // 1)) }
sub refuse   { return $_[0]->command('refuse') }
sub listen   { return $_[0]->command('listen') }
sub jam      { return $_[0]->command('jam') }
sub unjam    { return $_[0]->command('unjam') }
sub drop     { return $_[0]->command('drop') }
sub count    { return $_[0]->command("count $_[1]") }
sub head     { return $_[0]->command("head $_[1]") }
sub body     { return $_[0]->command("body $_[1]") }
sub raw      { return $_[0]->command("raw $_[1]") }
sub digest   { return $_[0]->command("digest $_[1] " . ($_[2] // 1)) }
sub idle     { return $_[0]->command("idle $_[1]") }
sub idle_send { return $_[0]->command('idle send ' . quote($_[1])) }

sub _ms { return int(1000 * seconds($_[0] // 10)) }

# True when a script raised the signal in time.
sub wait_signal {
    my ($self, $name, $limit) = @_;
    return ($self->try_command("wait $name " . _ms($limit)))[0];
}

# await('requests', '>=', 3): true when it came to be in time.
sub await {
    my ($self, $fact, $op, $n, $limit) = @_;
    return ($self->try_command("await $fact $op $n " . _ms($limit)))[0];
}

# What arrived: a list of hashes (n conn conn_seq complete bytes sha256 method id target).
sub requests {
    my ($self) = @_;
    my @keys = qw(n conn conn_seq complete bytes sha256 method id target);
    my @list;
    for my $line (split /\n/, $self->command('requests')) {
        my %request;
        @request{@keys} = split /\t/, $line, 9;
        push @list, \%request;
    }
    return @list;
}

# The last request, with its head and stored body.
sub last_request {
    my ($self) = @_;
    my $last = ($self->requests)[-1] or return;
    $last->{head} = $self->head($last->{n});
    $last->{body} = $self->body($last->{n});
    return $last;
}

# Connections since the last reset: ordinal => number of requests.
sub conns { return map { split /\t/ } split /\n/, $_[0]->command('conns') }

sub violations       { return $_[0]->command('violations') }
sub allow_violations { $_[0]{lenient} = 1; return $_[0] }

sub stop {
    my ($self) = @_;
    return unless $self->{pid} && $self->{owner} == $$;
    close delete $self->{control} if $self->{control};
    close delete $self->{guard}   if $self->{guard};
    my $pid = delete $self->{pid};
    if (!wait_until(10, sub { waitpid($pid, 1) == $pid })) {
        kill 'KILL', $pid;
        waitpid $pid, 0;
        return 0;
    }
    return $? == 0;
}

# Stop everything that is left; the complaints, for RProxy::Server's last word.
sub finish_all {
    my @bad;
    for my $backend (grep { $_->{pid} && $_->{owner} == $$ } @all) {
        my $text = $backend->{lenient} ? '' : eval { $backend->violations } // "no answer: $@";
        push @bad, "backend $backend->{name}: the proxy broke HTTP:\n$text" if length $text;
        push @bad, "backend $backend->{name} did not end well" unless $backend->stop;
    }
    return @bad;
}

END {
    my $status = $?;
    my @bad    = finish_all();
    my $tb     = complaints_to_stderr();
    $tb->diag($_) for @bad;
    $? = @bad && !$status ? 1 : $status;
}

1;
