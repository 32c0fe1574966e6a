# SPDX-License-Identifier: Apache-2.0
# The suite itself: a test file whose httpd crashed fails, although each of its tests passed.
use strict;
use warnings;
use Apache::Test qw(-withtestmore);
use RProxy::Env qw(needs);

plan tests => 6, need {needs('rproxy')};

# A test file of its own that starts a server and runs the code; its exit status and what it said.
sub outcome {
    my ($code) = @_;
    my $script = "use strict; use warnings; use Test::More tests => 1; use RProxy::Env; use RProxy::Server;\n"
        . "my \$s = RProxy::Server->new(timeout => 2); ok 1;\n"
        . "sub child { return RProxy::Env::wait_until(10, sub { (\$s->children)[0] }) }\n$code\n";
    my $pid = open my $out, '-|';
    die "fork: $!\n" unless defined $pid;
    if (!$pid) {
        open STDERR, '>&', \*STDOUT;
        exec $^X, '-e', $script or die "exec: $!\n";
    }
    local $/;
    my $said = <$out> // '';
    close $out;
    return ($? >> 8, $said);
}

my ($status, $said) = outcome('');
is $status, 0, 'a server that ends as it should' or diag $said;
($status, $said) = outcome('kill SEGV => $s->{pid}; RProxy::Env::wait_until(10, sub { !$s->alive });');
isnt $status, 0, 'a main process that crashes';
like $said, qr/main process was ended by signal 11/, 'is named';
($status, $said) = outcome(q{kill SEGV => child(); $s->wait_log(qr/exit signal/);});
isnt $status, 0, 'a child that crashes';
like $said, qr/exit signal Segmentation fault/, 'is shown';
($status, $said) = outcome('$s->{expect_crash} = 1; kill SEGV => child(); $s->wait_log(qr/exit signal/);');
is $status, 0, 'unless the test wants that' or diag $said;
