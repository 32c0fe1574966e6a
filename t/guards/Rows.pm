# SPDX-License-Identifier: Apache-2.0
package Rows;

# The rows of src/config/directives.def, and what the manual's table of directives looks like.

use strict;
use warnings;

use Exporter 'import';
our @EXPORT = qw(read_rows rows_table context_words table_in_page);

# A list of {id name how context kind syntax default help}, in the order of the file.
sub read_rows {
    my ($text) = @_;
    $text =~ s{/\*.*?\*/}{}gs;
    my $string = qr/"(?:[^"\\]|\\.)*"/;
    my @rows;
    while ($text =~ /^D\((\w+), ($string), (\w+), \w+, \w+,\s+(\w+),\s+(\w+),[^"]*?($string),\s+($string),\s+($string(?:\s+$string)*)\)$/mg) {
        my %row = (id => $1, name => $2, how => $3, context => $4, kind => $5, syntax => $6, default => $7, help => $8);
        $row{help} =~ s/"\s+"//g;
        for (@row{qw(name syntax default help)}) { s/^"|"$//g; s/\\(.)/$1/g; }
        push @rows, \%row;
    }
    my $entries = () = $text =~ /^D\(/mg;
    die @rows . " rows read of $entries in directives.def\n" if @rows != $entries;
    return @rows;
}

# "SVL" in words.
sub context_words {
    my ($context) = @_;
    my %word = (S => 'server', V => 'virtual host', L => 'section', P => '`<Proxy>`');
    return join ', ', map { $word{$_} } split //, $context;
}

# The table of the manual: one line a directive.
sub rows_table {
    my (@rows) = @_;
    my @lines = ('| directive | default | context | meaning |', '|---|---|---|---|');
    for my $row (@rows) {
        my $syntax  = $row->{syntax}  =~ s/\|/\\|/gr;
        my $default = $row->{default} =~ s/\|/\\|/gr;
        my $help    = $row->{help}    =~ s/\|/\\|/gr;
        $help =~ s/</&lt;/g;
        push @lines, "| `$syntax` | $default | " . context_words($row->{context}) . " | $help |";
    }
    return join "\n", @lines, '';
}

# A table of a page, between its two marks; undef when they are not there.
sub table_in_page {
    my ($page, $name) = @_;
    return $page =~ /<!-- table of $name -->\n(.*?)<!-- end of table -->/s ? $1 : undef;
}

1;
