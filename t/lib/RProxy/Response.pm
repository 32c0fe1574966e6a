# SPDX-License-Identifier: Apache-2.0
package RProxy::Response;

# One parsed response. `complete` says whether its body ended as its framing promised.

use strict;
use warnings;

sub new {
    my ($class, %self) = @_;
    return bless {fields => [], interim => [], body => '', trailers => [], %self}, $class;
}

# Status line and fields out of the bytes of a head (with its empty line); undef when it is no HTTP.
sub parse {
    my ($class, $head) = @_;
    my ($line, @lines) = split /\r?\n/, $head;
    my ($version, $status, $reason) = ($line // '') =~ m{^HTTP/(\d\.\d) (\d{3})(?: (.*))?$}
        or return;
    my @fields = map { /^([^:]*):[ \t]*(.*?)[ \t]*$/ ? [$1, $2] : ["\0bad", $_] } @lines;
    return $class->new(
        raw_head => $head,
        version  => $version,
        status   => $status,
        reason   => $reason // '',
        fields   => \@fields
    );
}

for my $name (qw(version status reason body raw_head complete framing error)) {
    no strict 'refs';
    *{$name} = sub { return $_[0]{$name} };
}
sub interim  { return @{$_[0]{interim}} }
sub fields   { return @{$_[0]{fields}} }
sub trailers { return @{$_[0]{trailers}} }

# All values of a field.
sub all {
    my ($self, $name) = @_;
    return map { $_->[1] } grep { lc $_->[0] eq lc $name } $self->fields;
}

# Its first value.
sub header { my @all = all(@_); return $all[0] }

# Is the token in that list field?
sub has_token {
    my ($self, $name, $token) = @_;
    return scalar grep { lc $_ eq lc $token } map { split /\s*,\s*/ } $self->all($name);
}

1;
