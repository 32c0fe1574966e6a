# SPDX-License-Identifier: Apache-2.0
package Guard;

# What the guards share: the files of the project and small readers of C. Each finder takes text and returns what is wrong
# with it, so that finders.t can show that it finds.

use strict;
use warnings;

use Exporter 'import';
our @EXPORT = qw(
    srcdir builddir files slurp without_comments without_strings none_wrong
    find_long_functions find_calls find_unregistered_tests find_includes find_words has_spdx find_tags read_tag_registry
);

use Cwd 'abs_path';
use File::Basename 'dirname';
use Test::More ();

my $src = abs_path($ENV{srcdir} || dirname(__FILE__) . '/../..');

sub srcdir { return $src }

sub builddir { return abs_path($ENV{builddir} || '.') }

# Paths of the project's files, relative to srcdir, that match a regular expression.
my @all;
sub files {
    my ($pattern) = @_;
    if (!@all) {
        open my $list, '-|', 'sh', "$src/scripts/list-files.sh" or die "list-files.sh: $!\n";
        chomp(@all = <$list>);
        close $list or die "list-files.sh failed\n";
        die "list-files.sh lists nothing\n" if !@all;
    }
    return grep { $_ =~ $pattern } @all;
}

sub slurp {
    my ($file) = @_;
    open my $in, '<:raw', $file =~ m{^/} ? $file : "$src/$file" or die "$file: $!\n";
    local $/ = undef;
    my $text = <$in>;
    close $in or die "$file: $!\n";
    return $text // '';
}

# One test: ok when the list is empty, else the list is shown.
sub none_wrong {
    my ($name, @wrong) = @_;
    Test::More::ok(!@wrong, $name) or Test::More::diag(map { "  $_\n" } @wrong);
    return;
}

# Strings and characters, or comments: whichever begins first wins, as in C.
my $c_string = qr/"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'/s;
my $c_comment = qr{/\*.*?\*/|//[^\n]*}s;

sub _newlines { return "\n" x ($_[0] =~ tr/\n//) }

# The text with its comments blanked; line numbers stay.
sub without_comments {
    my ($text) = @_;
    $text =~ s{($c_string)|($c_comment)}{defined $1 ? $1 : ' ' . _newlines($2)}ge;
    return $text;
}

sub without_strings {
    my ($text) = @_;
    $text =~ s{$c_string}{""}g;
    return $text;
}

# Functions of more than $max lines between their braces: "LINE: N lines".
sub find_long_functions {
    my ($text, $max) = @_;
    my @found;
    my $start;
    my $n = 0;
    for my $line (split /\n/, $text) {
        $n++;
        $start = $n if $line =~ /^\{/;
        if ($line =~ /^\}/ && defined $start) {
            push @found, "$start: " . ($n - $start - 1) . ' lines' if $n - $start - 1 > $max;
            undef $start;
        }
    }
    return @found;
}

# Calls of functions whose name matches: "LINE: name".
sub find_calls {
    my ($text, $pattern) = @_;
    my @found;
    my $n = 0;
    for my $line (split /\n/, without_strings(without_comments($text))) {
        $n++;
        push @found, "$n: $1" while $line =~ /\b($pattern)\s*\(/g;
    }
    return @found;
}

# START_TEST(name) that no tcase_add_*test*() names.
sub find_unregistered_tests {
    my ($text) = @_;
    $text = without_comments($text);
    my @found;
    while ($text =~ /\bSTART_TEST\s*\(\s*(\w+)\s*\)/g) {
        my $name = $1;
        push @found, $name if $text !~ /\btcase_add_(?:loop_|exit_|raise_)?test\w*\s*\(\s*\w+\s*,[^;]*\b\Q$name\E\b/;
    }
    return @found;
}

sub find_includes {
    my ($text) = @_;
    return $text =~ /^[ \t]*#[ \t]*include[ \t]*[<"]([^>"\n]+)[>"]/mg;
}

sub find_words {
    my ($text, $pattern) = @_;
    my @found;
    my $n = 0;
    for my $line (split /\n/, $text) {
        $n++;
        push @found, "$n: $1" while $line =~ /($pattern)/g;
    }
    return @found;
}

# The licence stands on line 1, or on line 2 after a #! line.
sub has_spdx {
    my ($text) = @_;
    return $text =~ /\A(?:#!.*\n)?.*SPDX-License-Identifier: Apache-2\.0/;
}

# Tags ("RP0001: ") in the strings of a C source.
sub find_tags {
    my ($text) = @_;
    $text = without_comments($text);
    my @found;
    while ($text =~ /($c_string)/g) {
        my $string = $1;
        push @found, $1 while $string =~ /\b(RP[0-9]{4}): /g;
    }
    return @found;
}

# docs/log-tags.txt: a hash tag => [level, file, meaning], and the list of its faults.
sub read_tag_registry {
    my ($text) = @_;
    my (%tags, @wrong);
    my $level = qr/(?:emergency|alert|critical|error|warning|notice|info|debug|trace[1-8])/;
    my $n = 0;
    for my $line (split /\n/, $text) {
        $n++;
        next if $line =~ /^\s*(?:#.*)?$/;
        my ($tag, $levels, $file, $meaning) = $line =~ /^(RP[0-9]{4})\s+($level(?:\|$level)*)\s+(\S+\.[ch]|\S+\.def)\s+(\S.*)$/;
        if (!defined $tag) {
            push @wrong, "line $n is not \"TAG level file meaning\": $line";
        }
        elsif ($tags{$tag}) {
            push @wrong, "line $n: $tag is there twice";
        }
        else {
            $tags{$tag} = [$levels, $file, $meaning];
        }
    }
    return (\%tags, @wrong);
}

1;
