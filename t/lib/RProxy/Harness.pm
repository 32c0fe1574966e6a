# SPDX-License-Identifier: Apache-2.0
package RProxy::Harness;

# Runs the test files, RPROXY_JOBS (2) at once, and counts: a failed, skipped or missing test is one
# that did not pass.

use strict;
use warnings;
use base 'Apache::TestHarness';
use TAP::Harness ();

sub new { my ($class, %self) = @_; return bless {%self}, $class }

# A file that a symbolic link stands for is found too.
sub get_tests {
    my ($class, $args) = @_;
    my @tests = $class->SUPER::get_tests($args);
    return map { s{^\./}{}r } @tests;
}

# Run them; {passed, failed, skipped}.
sub run_all {
    my ($self, @tests) = @_;
    my $class = $ENV{HARNESS_SUBCLASS} || 'TAP::Harness';
    eval "require $class; 1" or die $@;
    my $harness = $class->new(
        {
            verbosity => $self->{verbose} ? 1 : 0,
            jobs      => $self->{verbose} ? 1 : $ENV{RPROXY_JOBS} || 2,
            merge     => 0,
            timer     => 1,
        }
    );
    my $sum = $harness->runtests(@tests);
    my %result = (skipped => scalar $sum->skipped, failed => scalar $sum->failed);
    $result{passed} = $sum->passed - $result{skipped};
    for my $file ($sum->descriptions) {
        my ($parser) = $sum->parsers($file);
        $result{skipped}++ if $parser->skip_all;
        my $missing = $parser->tests_planned ? $parser->tests_planned - $parser->tests_run : 0;
        $result{failed} += $missing if $missing > 0;
        my $broken = $parser->exit || $parser->parse_errors;
        $result{failed}++ if $broken && !$missing && !$parser->failed;
    }
    return \%result;
}

1;
