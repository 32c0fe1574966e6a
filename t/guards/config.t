#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Directives and parameters: the manual's tables are those of the rows, each directive has its own text in the manual, each
# member of the configuration is merged. `perl t/guards/config.t --write` writes the tables into the pages.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use Guard;
use Rows;
use Test::More;

# What a program of the build prints.
sub table_of {
    my ($program, @kind) = @_;
    open my $in, '-|', builddir() . "/t/guards/$program", @kind or return "$program: $!\n";
    local $/ = undef;
    my $text = <$in>;
    close $in or return "$program @kind failed\n";
    return $text;
}

my @rows   = read_rows(slurp('src/config/directives.def'));
my %tables = (
    directives            => ['docs/manual/mod_rproxy.md', rows_table(@rows)],
    'worker parameters'   => ['docs/manual/parameters.md', table_of('params_table', 'worker')],
    'balancer parameters' => ['docs/manual/parameters.md', table_of('params_table', 'balancer')],
    metrics               => ['docs/manual/metrics.md', table_of('metrics_table')],
);

if (@ARGV && $ARGV[0] eq '--write') {
    for my $name (sort keys %tables) {
        my ($file, $table) = @{$tables{$name}};
        my $text = slurp($file);
        $text =~ s/(<!-- table of $name -->\n).*?(<!-- end of table -->)/$1$table$2/s or die "no marks of $name in $file\n";
        open my $out, '>', srcdir() . "/$file" or die "$file: $!\n";
        print {$out} $text;
        close $out or die "$file: $!\n";
    }
    exit 0;
}

ok(@rows >= 45, 'the rows are read');
is(table_in_page(slurp($tables{$_}[0]), $_), $tables{$_}[1], "the table of $_ in the manual is that of the rows") for sort keys %tables;
my $page = slurp('docs/manual/mod_rproxy.md');

# Directives of the sister modules have their text in the sister's page.
my @missing;
for my $row (grep { $_->{name} !~ /^ProxyPassReverse/ } @rows) {
    my $title = $row->{name} =~ /^</ ? "$row->{name}>" : $row->{name};
    my ($text) = $page =~ /^### `?\Q$title\E`?\n(.*?)(?=^###? |\z)/ms;
    if (!defined $text) { push @missing, "$title has no section"; next; }
    push @missing, "$title: no example" if $text !~ /^    \S/m;
    push @missing, "$title: no text"    if length($text) < 80;
}
none_wrong('every directive has its section in the manual, with an example', @missing);

# A section in the manual that no row has.
my %known = map { ($_->{name} =~ /^</ ? "$_->{name}>" : $_->{name}) => 1 } @rows;
none_wrong('the manual names no directive that is not there', grep { !$known{$_} } $page =~ /^### `?(<?R?(?:Proxy|Balancer|NoProxy|Allow|Heartbeat)\w*>?)`?$/mg);

# Each member of the two structures is merged, or said not to be.
my $conf_h = slurp('src/config/conf.h');
my $conf_c = slurp('src/config/conf.c');
for my $type (qw(rp_server_conf_t rp_dir_conf_t)) {
    my ($body) = $conf_h =~ /typedef struct $type \{(.*?)\} $type;/s;
    my ($merge) = $conf_c =~ /void \*@{[$type =~ s|_t$|_merge|r]}\(.*?\n\{(.*?)\n\}\n/s;
    $body = without_comments($body);
    my @members = map { split /,\s*/ } $body =~ /^\s*[\w ]+[\s*]+?((?:\*?\w+(?:,\s*)?)+);/mg;
    s/^[\s*]+// for @members;
    ok(@members > 8, "members of $type are read");
    none_wrong("each member of $type is merged, or said not to be", grep { $merge !~ /\b$_\b/ } @members);
}

# Set to "not written" where that is not zero: whatever is merged against a value other than NULL.
my ($create) = $conf_c =~ /(void \*rp_server_conf_create.*?\n\}\n)/s;
$create .= ($conf_c =~ /(void \*rp_dir_conf_create.*?\n\}\n)/s)[0];
none_wrong('each of them begins as not written', grep { $create !~ /conf->$_ = / } $conf_c =~ /MERGE\((\w+), (?!NULL)\S+\);/g);

done_testing();
