#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Rules that can be seen in the sources.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use Guard;
use Test::More;

my @c = files(qr{^(?:src|include|t)/.*\.(?:c|h|def)$|^mod_\w+\.c$});
my @product = grep { !m{^t/} } @c;
my @code = (@c, files(qr/\.(?:pl|pm|t|sh|am|ac|m4|in|PL)$|^\.ci\/run$/));
cmp_ok(scalar @product, '>', 20, 'the sources were found');

none_wrong('every source names its licence on its first line', grep { !has_spdx(slurp($_)) } @code);
none_wrong('no source has 800 lines or more', map { my $n = slurp($_) =~ tr/\n//; $n >= 800 ? "$_: $n lines" : () } @c);
none_wrong('no function has more than 100 lines',
    map { my $f = $_; map { "$f:$_" } find_long_functions(slurp($f), 100) } grep { /\.c$/ } @product);
none_wrong('no tab and no space at the end of a line',
    map { my $f = $_; map { "$f:$_" } find_words(slurp($f), qr/\t|[ ]+$/) } @c);

# Unbounded writers, parsers without an error, waiting by the clock: apr_cpystrn, apr_snprintf, rp_number_* are there instead.
my $banned = qr/strcpy|strcat|sprintf|vsprintf|strtok|atoi|atol|atoll|strtol|strtoul|strtoll|gets|alloca|sleep|usleep|nanosleep/;
none_wrong('no banned function is called', map { my $f = $_; map { "$f:$_" } find_calls(slurp($f), $banned) } @product);
none_wrong('what outlives a module is not named by its own memory (apr_pool_userdata_setn of the process pool)',
    grep { slurp($_) =~ /apr_pool_userdata_setn\([^;]*process/ } @product);
none_wrong('the pure layers do not sleep',
    map { my $f = $_; map { "$f:$_" } find_calls(slurp($f), qr/apr_sleep/) } grep { m{^src/(?:wire|exchange|reverse)/} } @product);

# Layers: who may include whom. The wire layer knows libc and APR alone.
my $httpd_header = qr/^(?:httpd|http_\w+|ap_\w+|util_\w+|mod_\w+|scoreboard|mpm_common)\.h$/;
my %below = (
    wire => [],
    upstream => ['wire'],
    exchange => ['wire', 'upstream'],
    engine => ['wire', 'upstream', 'exchange'],
    reverse => ['wire'],
    balancer => ['wire', 'upstream', 'config'],
    config => ['wire', 'upstream', 'engine', 'mapping'],
    mapping => ['wire', 'upstream', 'config'],
    metrics => ['wire', 'upstream', 'exchange'],
    request => ['wire', 'upstream', 'exchange', 'engine', 'metrics', 'config', 'mapping'],
);
my @upward;
for my $file (grep { m{^src/} } @product) {
    my ($layer) = $file =~ m{^src/(\w+)/};
    my %may = map { $_ => 1 } $layer, @{ $below{$layer} || [] };
    push @upward, "$file: the folder $layer has no place in the layers" if !$below{$layer};
    for my $header (find_includes(slurp($file))) {
        push @upward, "$file includes $header" if $header =~ m{^(\w+)/} && $below{$1} && !$may{$1};
        push @upward, "$file includes $header" if $layer =~ /^(?:wire|exchange)$/ && $header =~ $httpd_header;
    }
}
none_wrong('includes point down only; src/wire and src/exchange include nothing of httpd', @upward);

my $fragments = join "\n", map { slurp($_) } files(qr/files\.am$/);
none_wrong('every source is in a files.am',
    grep { $fragments !~ /(?:^|\s)\Q$_\E(?:\s|\\|$)/m } grep { m{^src/.*\.(?:c|h|def)$} } @product);
none_wrong('every unit test and fuzz target is in a files.am',
    grep { $fragments !~ /(?:^|\s)\Q$_\E(?:\s|\\|$)/m } grep { m{^t/(?:unit/.*|fuzz/fuzz_\w+)\.c$} } @c);
none_wrong('every source of src/wire has its unit test',
    grep { !-e srcdir() . "/t/unit/$_" } map { m{^src/(wire/.*\.c)$} ? $1 : () } @product);
none_wrong('every START_TEST runs',
    map { my $f = $_; map { "$f: $_" } find_unregistered_tests(slurp($f)) } grep { m{^t/unit/.*\.[ch]$} } @c);

# Nothing is left open by a comment, and the project speaks of itself only. (Written apart, so that this file is clean.)
my $words = join '|', map { join '', @$_ }
    ['\bTO', 'DO\b'], ['\bFIX', 'ME\b'], ['\bX', 'XX\b'], ['\bHA', 'CK\b'], ['\bW', 'IP\b'], ['(?i:not\s+impl', 'emented)'],
    ['(?i:\bissue\s', '#?\d)'], ['/wo', 'rk/'], ['(?i:\blorem', ' ipsum\b)'];
my @text = files(qr{^(?!LICENSE$|t/fuzz/corpus/)});
none_wrong('no word that does not belong in the tree',
    map { my $f = $_; my $t = slurp($f); $t =~ /\0/ ? () : map { "$f:$_" } find_words($t, qr/$words/) } @text);

# Every tag of a log line is registered once, with the file that logs it.
my ($tags, @faults) = read_tag_registry(slurp('docs/log-tags.txt'));
my %used;
for my $file (@product) {
    push @{ $used{$_} }, $file for find_tags(slurp($file));
}
push @faults, map { "$_ (in @{ $used{$_} }) is not registered" } grep { !$tags->{$_} } sort keys %used;
for my $tag (sort keys %$tags) {
    my $file = $tags->{$tag}[1];
    my @elsewhere = grep { $_ ne $file } @{ $used{$tag} || [] };
    push @faults, "$tag is registered for $file, which does not log it" if !grep { $_ eq $file } @{ $used{$tag} || [] };
    push @faults, "$tag is registered for $file but also logged by @elsewhere" if @elsewhere;
}
none_wrong('log tags and docs/log-tags.txt agree', @faults);

# The commands: the README prints two, the first starts the demo, the second is what .ci/run calls.
my @commands = slurp('README') =~ m{^ {4}(\./scripts/\S+)$}mg;
is($commands[0], './scripts/demo.sh', 'the first command of the README');
is($commands[1], './scripts/test.sh', 'the second command of the README');
like(slurp('.ci/run'), qr/^\Q$commands[1]\E$/m, '.ci/run calls the second command as the README prints it');
done_testing();
