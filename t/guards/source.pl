#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Rules that a script can see in the sources: SPDX line, lengths, banned calls, layers, files named in a files.am, tests
# registered, words that do not belong in the tree. Usage: source.pl SRCDIR BUILDDIR
use strict;
use warnings;

my ($src) = @ARGV;
chdir $src or die "$src: $!";
my $ok = 0;
sub result { my ($good, $what, @why) = @_; print $good ? "ok - $what\n" : "not ok - $what\n"; print "#   $_\n" for @why; }
sub slurp { my ($f) = @_; open my $h, '<', $f or die "$f: $!"; local $/; return scalar <$h>; }

# the files of the tree: what git tracks, or all of it in an unpacked tarball
my @all = grep { -f } split /\n/, `git ls-files 2>/dev/null || true`;
@all = grep { -f } split /\n/, `find . -type f -not -path './.git/*' -not -path './build*' | sed 's,^./,,'` if !@all;
my @c = grep { /\.[ch]$/ && m{^(src|include|t|mod_|tools)} } @all;
my @code = grep { /\.(c|h|pl|pm|sh|t|am)$/ } @all;

{
    my @bad = grep { (slurp($_) =~ /\A(?:#!.*\n)?.*SPDX-License-Identifier: Apache-2\.0/) ? 0 : 1 } grep { !/files\.am$/ } @code;
    result(!@bad, 'every source says its licence at the top', @bad);
}
{
    my (@long, @fn);
    for my $f (@c) {
        my @l = split /\n/, slurp($f);
        push @long, "$f: " . @l . ' lines (at most 800)' if @l > 800 && $f !~ m{^t/};
        next if $f =~ m{^t/} || $f !~ /\.c$/;
        my $start;
        for my $i (0 .. $#l) {
            $start = $i if $l[$i] =~ /^\{/;
            next if $l[$i] !~ /^\}/ || !defined $start;
            push @fn, "$f:" . ($start + 1) . ': ' . ($i - $start) . ' lines (at most 100)' if $i - $start > 100;
            undef $start;
        }
    }
    result(!@long, 'no source over 800 lines', @long);
    result(!@fn, 'no function over 100 lines', @fn);
}
{
    my $banned = qr/\b(strcpy|strcat|sprintf|vsprintf|strtok|atoi|atol|strtol|strtoul|strtoll|gets|alloca)\s*\(/;
    my @bad;
    for my $f (grep { m{^(src|include|mod_)} } @c) {
        my $n = 0;
        for (split /\n/, slurp($f)) { $n++; s{/\*.*?\*/}{}g; s{"(?:[^"\\]|\\.)*"}{""}g; next if m{^\s*\*}; push @bad, "$f:$n: $1" if /$banned/; push @bad, "$f:$n: sleep" if /\b(?:apr_)?sleep\s*\(/; }
    }
    result(!@bad, 'no banned call', @bad);
}
{
    my @bad;
    for my $f (grep { m{^src/(wire|exchange)/} } @c) {
        push @bad, "$f includes $1" while slurp($f) =~ /#include\s*[<"]((?:httpd|http_\w+|ap_\w+|util_\w+)\.h)[>"]/g;
    }
    my %below = (wire => '', upstream => 'wire', exchange => 'wire|upstream', mapping => 'wire|upstream|config', reverse => 'wire');
    for my $f (grep { m{^src/} } @c) {
        my ($layer) = $f =~ m{^src/(\w+)/};
        next if !exists $below{$layer};
        my $t = slurp($f);
        while ($t =~ m{#include "(wire|upstream|exchange|config|mapping|request|reverse)/}g) {
            push @bad, "$f includes $1/" if $1 ne $layer && $1 !~ /^(?:$below{$layer})$/;
        }
    }
    result(!@bad, 'includes point downward only', @bad);
}
{
    my $named = join ' ', map { slurp($_) } grep { /files\.am$/ } @all;
    my @bad = grep { my $f = $_; index($named, $f) < 0 } grep { m{^src/.*\.[ch]$} } @all;
    result(!@bad, 'every source is in a files.am', @bad);
}
{
    my @bad;
    for my $f (grep { m{^t/unit/.*\.c$} } @all) {
        my $t = slurp($f);
        while ($t =~ /START_TEST\((\w+)\)/g) { my $n = $1; push @bad, "$f: $n" if $t !~ /tcase_add_(?:loop_|exit_)?test\w*\([^;]*\b$n\b/; }
    }
    result(!@bad, 'every START_TEST is registered', @bad);
}
{
    my $words = join '|', map { "\\b$_\\b" } 'TO' . 'DO', 'FIX' . 'ME', 'X' . 'XX';
    my @bad;
    for my $f (grep { /\.(c|h|pl|pm|sh|t|md|am|ac)$/ || $_ eq 'README' } @all) {
        my $n = 0;
        for (split /\n/, slurp($f)) { $n++; push @bad, "$f:$n" if /$words/; }
    }
    result(!@bad, 'nothing is left open by a comment', @bad);
}
{
    my %reg;
    my @bad;
    if (-e 'docs/log-tags.txt') {
        for (split /\n/, slurp('docs/log-tags.txt')) { next if /^#|^\s*$/; my ($t) = /^(RP\d{4})\b/ or do { push @bad, "docs/log-tags.txt: $_"; next; }; push @bad, "$t twice" if $reg{$t}++; }
    }
    my %used;
    for my $f (grep { m{^(src|mod_)} } @c) { my $t = slurp($f); $t =~ s{/\*.*?\*/}{}gs; $used{$1} = $f while $t =~ /"[^"\n]*?(RP\d{4}): /g; }
    push @bad, map { "$_ used in $used{$_} is not in docs/log-tags.txt" } grep { !$reg{$_} } sort keys %used;
    push @bad, map { "$_ is in docs/log-tags.txt but not used" } grep { !$used{$_} } sort keys %reg;
    result(!@bad, 'log tags are registered once', @bad);
}
{
    my ($second) = slurp('README') =~ /^\s+(\.\/scripts\/test\.sh)\s*$/m;
    my $run = slurp('.ci/run');
    result(defined $second && index($run, "\n$second ") >= 0, '.ci/run calls the second command of the README');
}
