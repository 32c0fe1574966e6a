# SPDX-License-Identifier: Apache-2.0
package RProxyCount;

# TAP::Harness that also writes "passed failed skipped" to the file named by RP_COUNT_FILE. A file that died, broke
# its plan or passed nothing counts as one failure more; a file that skips everything is one skip, and so is a
# test that is expected to fail.

use strict;
use warnings;

use parent 'TAP::Harness';

sub _count {
    my ($parser) = @_;
    my $todo = grep { defined } $parser->todo;
    my $skipped = $parser->skipped + $todo;
    my $failed = $parser->failed;
    my $passed = $parser->passed - $skipped;
    $passed = 0 if $passed < 0;
    if (defined $parser->skip_all) {
        return (0, 0, 1);
    }
    if (!$failed && ($parser->parse_errors || $parser->exit || $parser->wait || !$passed)) {
        $failed = 1;
    }
    return ($passed, $failed, $skipped);
}

sub summary {
    my ($self, $aggregate, @rest) = @_;
    if (my $path = $ENV{RP_COUNT_FILE}) {
        open my $out, '>>', $path or die "RProxyCount: can not write $path: $!\n";
        for my $parser ($aggregate->parsers) {
            print {$out} join(' ', _count($parser)), "\n";
        }
        close $out or die "RProxyCount: writing $path failed: $!\n";
    }
    return $self->SUPER::summary($aggregate, @rest);
}

1;
