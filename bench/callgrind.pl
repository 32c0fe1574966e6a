#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Two profiles of callgrind that differ by a number of requests: instructions per request of each function, alone and with all
# that it calls. Inlined code counts for the function that it stands in. What calls itself is counted once.
# Usage: bench/callgrind.pl PROFILE_FEW PROFILE_MANY REQUESTS_BETWEEN [OBJECT [LINES]]
#   OBJECT  only functions of objects whose name has this in it, such as mod_rproxy; '' for all
use strict;
use warnings;

my ($few, $many, $requests, $object, $lines) = (@ARGV, '', 40)[0 .. 4];
die "usage: see the top of $0\n" if !$lines || $requests !~ /^[1-9]\d*$/;

# Adds $sign times the costs of a profile to %alone and %with. Names stand once as "(12) name", then as "(12)".
my (%alone, %with);
sub read_profile {
    my ($file, $sign) = @_;
    my (%name, %at);
    my $call = 0;
    open my $h, '<', $file or die "$file: $!\n";
    while (my $line = <$h>) {
        if ($line =~ /^(c?)(ob|fn)=(\(\d+\))(?: (.*))?/) {
            my ($called, $what, $id) = ($1, $2, $3);
            $name{$what}{$id} = $4 if defined $4;
            $at{"$called$what"} = $name{$what}{$id};
            $at{cob} = $at{ob} if "$called$what" eq 'fn'; # unless a cob= says otherwise
        }
        elsif ($line =~ /^calls=/) {
            $call = 1;
        }
        elsif ($line =~ /^[+*\d-]\S* (\d+)/) { # position, instructions
            my $self = "$at{fn} [$at{ob}]";
            $alone{$self} += $sign * $1 if !$call;
            $with{$self} += $sign * $1 if !$call || "$at{cfn} [$at{cob}]" ne $self;
            if ($call) { $call = 0; $at{cob} = $at{ob}; }
        }
    }
    close $h;
    return;
}

read_profile($few, -1);
read_profile($many, 1);
my $sum = 0;
my @shown = grep { /\[.*\Q$object\E/ } keys %with;
$sum += $alone{$_} || 0 for @shown;
printf "%9s %9s\n%9.1f %9s  all functions below and those not shown\n", 'alone', 'all', $sum / $requests, '';
for my $f (sort { ($alone{$b} || 0) <=> ($alone{$a} || 0) || $a cmp $b } @shown) {
    last if $lines-- <= 0;
    (my $name = $f) =~ s{\[.*/}{[};
    printf "%9.1f %9.1f  %s\n", ($alone{$f} || 0) / $requests, $with{$f} / $requests, $name;
}
