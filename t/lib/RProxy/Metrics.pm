# SPDX-License-Identifier: Apache-2.0
package RProxy::Metrics;

# Reads pages of metrics.
#
#   my $m = RProxy::Metrics->new($text);
#   $m->value('rproxy_requests_total', worker => 'http://a/', class => '2xx');   # undef: no such line
#   $m->sum('rproxy_requests_total', class => '2xx');                            # over all lines with these labels

use strict;
use warnings;
use Exporter 'import';

our @EXPORT_OK = qw(promtool promtool_check openmetrics_check);

# Dies of a line that is none.
sub new {
    my ($class, $text) = @_;
    my $self = bless {samples => {}, type => {}, help => {}, unit => {}}, $class;
    for my $line (split /\n/, $text) {
        if ($line =~ /^# (TYPE|HELP|UNIT) (\w+) (.*)$/) { $self->{lc $1}{$2} = $3; next }
        next if $line eq '# EOF';
        my ($name, $labels, $value) = $line =~ /^(\w+)(?:\{((?:\w+="(?:[^"\\\n]|\\["\\n])*",?)*)\})? ([0-9.]+)$/
            or die "no line of metrics: $line\n";
        my %label;
        while (defined $labels && $labels =~ /(\w+)="((?:[^"\\]|\\.)*)"/g) { $label{$1} = $2 }
        push @{$self->{samples}{$name}}, [\%label, $value];
    }
    return $self;
}

sub _matching {
    my ($self, $name, %want) = @_;
    return grep { my $l = $_->[0]; !grep { ($l->{$_} // '') ne ($want{$_} // '') } keys %want } @{$self->{samples}{$name} || []};
}

sub value {
    my ($self, @what) = @_;
    my @found = $self->_matching(@what) or return;
    die "@what is not one line\n" if @found > 1;
    return $found[0][1];
}

sub sum {
    my ($self, @what) = @_;
    my $sum = 0;
    $sum += $_->[1] for $self->_matching(@what);
    return $sum;
}

# Values of a label of a metric, sorted.
sub labels {
    my ($self, $name, $label) = @_;
    my %seen = map { $_->[0]{$label} // '' => 1 } @{$self->{samples}{$name} || []};
    return sort keys %seen;
}

# Families by their full name, in order of the names.
sub families { return sort keys %{$_[0]{type}} }

sub promtool {
    for my $dir (split /:/, $ENV{PATH}) { return "$dir/promtool" if -x "$dir/promtool" }
    return;
}

sub _run {
    my ($input, @command) = @_;
    my $pid = open my $out, '-|';
    die "fork: $!\n" if !defined $pid;
    if (!$pid) {
        open STDERR, '>&', \*STDOUT;
        open my $in, '|-', @command or exit 127;
        print {$in} $input;
        close $in;
        exit($? ? 1 : 0);
    }
    my $said = do { local $/; <$out> } // '';
    close $out;
    return ($? == 0, $said);
}

# (true when promtool has nothing to say, what it said)
sub promtool_check {
    my ($text) = @_;
    my ($good, $said) = _run($text, promtool(), 'check', 'metrics');
    return ($good && $said !~ /\S/, $said);
}

# The same for OpenMetrics, by the reader that promtool imports with. It asks for a time on each line.
sub openmetrics_check {
    my ($text, $dir) = @_;
    $text =~ s/^([^#\n].*)$/$1 1700000000/mg;
    open my $out, '>', "$dir/openmetrics" or die "$dir/openmetrics: $!\n";
    print {$out} $text;
    close $out or die "$dir/openmetrics: $!\n";
    return _run('', promtool(), 'tsdb', 'create-blocks-from', 'openmetrics', "$dir/openmetrics", "$dir/blocks");
}

1;
