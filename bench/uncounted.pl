#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Take out of a copy of the tree, at DIR, what metrics and the view of what is under way add to a request: counters, histograms, places of
# requests. What is left works and counts nothing, so that bench/instructions.sh can say what counting costs. The sources have no switch for it:
# nobody would want one. Dies when something is not where it was.
# Usage: bench/uncounted.pl DIR
use strict;
use warnings;

my ($top) = @ARGV;
@ARGV == 1 && -d "$top/src" or die "usage: uncounted.pl DIR, which holds a copy of src\n";

# function => what it begins with instead
my %instead = (
    'src/upstream/stat.h'    => {rp_stat_add => '(void)counter, (void)n; return;'},
    'src/upstream/stat.c'    => {rp_histogram_add => 'return;'},
    'src/exchange/count.c'   => {map { $_ => 'return;' } qw(rp_count_attempt_begin rp_count_attempt_end rp_count_answer)},
    'src/request/metrics.c'  => {rp_metrics_answered => 'return;'},
    'src/metrics/flights.c'  => {rp_flight_begin => 'return &uncounted;', rp_flight_worker => 'return;'},
    'src/request/flight.c'   => {
        rp_request_flight_begin  => 'rq->flight = rp_flight_begin(NULL, 0, NULL, 0); return;',
        rp_request_flight_worker => 'return;'
    },
);
for my $file (sort keys %instead) {
    open my $in, '<', "$top/$file" or die "$top/$file: $!\n";
    my $text = do { local $/; <$in> };
    close $in;
    for my $name (sort keys %{ $instead{$file} }) {
        my $times = $text =~ s/^([\w ]+\*?\b$name\([^;{]*\)\n\{\n)/$1    $instead{$file}{$name}\n/mg;
        $times == 1 or die "$file: $name is not defined there, once\n";
    }
    open my $out, '>', "$top/$file" or die "$top/$file: $!\n";
    print {$out} $text;
    close $out or die "$top/$file: $!\n";
}
