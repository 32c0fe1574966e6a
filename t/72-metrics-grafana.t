# SPDX-License-Identifier: Apache-2.0
# The dashboard: what Grafana needs of a file is there, each panel stands in its place, every metric and label that it names
# exists, and no metric is left out.
use strict;
use warnings;
use Apache::Test qw(-withtestmore);
use JSON::PP ();
use RProxy::Client qw(get);
use RProxy::Env    qw(needs top_dir);
use RProxy::Metrics qw(promtool);
use RProxy::Server;

plan tests => 17, need {(needs(qw(rproxy)), 'promtool not found: install prometheus' => sub { promtool() })};

open my $in, '<', top_dir() . '/docs/grafana/rproxy.json' or die "rproxy.json: $!\n";
my $text = do { local $/; <$in> };
my $board = eval { JSON::PP->new->decode($text) };
ok ref $board eq 'HASH', 'JSON' or BAIL_OUT($@);

# What the schema of a dashboard asks for: members and their types.
sub kind { my ($v) = @_; return !defined $v ? 'null' : ref $v eq 'ARRAY' ? 'list' : ref $v eq 'HASH' ? 'object' : JSON::PP::is_bool($v) ? 'bool' : $v =~ /^-?\d+$/ ? 'int' : 'text' }
sub lacks {
    my ($object, %want) = @_;
    return map { my $is = kind($object->{$_}); $is eq $want{$_} || $want{$_} eq 'text' && $is eq 'int' ? () : "$_ is $is, not $want{$_}" } sort keys %want;
}
is join(', ', lacks($board, title => 'text', uid => 'text', schemaVersion => 'int', version => 'int', editable => 'bool', panels => 'list',
    templating => 'object', time => 'object', annotations => 'object', tags => 'list', refresh => 'text')), '', 'a dashboard';
cmp_ok $board->{schemaVersion}, '>=', 36, 'of a schema that is not too old';
cmp_ok length $board->{uid}, '<=', 40, 'with a short uid';

my @panels = @{$board->{panels}};
my (@wrong, %id, @taken);
for my $p (@panels) {
    my $name = $p->{title} // '(no title)';
    push @wrong, map { "$name: $_" } lacks($p, id => 'int', type => 'text', title => 'text', gridPos => 'object');
    push @wrong, map { "$name: gridPos: $_" } lacks($p->{gridPos}, map { $_ => 'int' } qw(x y w h));
    push @wrong, "$name: the id $p->{id} is there twice" if $id{$p->{id}}++;
    push @wrong, "$name: there is no type $p->{type}" if $p->{type} !~ /^(?:row|stat|timeseries)$/;
    next if $p->{type} eq 'row';
    push @wrong, map { "$name: $_" } lacks($p, targets => 'list', fieldConfig => 'object', options => 'object', datasource => 'object');
    my %ref;
    for my $t (@{$p->{targets}}) {
        push @wrong, map { "$name: target: $_" } lacks($t, expr => 'text', refId => 'text', datasource => 'object');
        push @wrong, "$name: refId $t->{refId} is there twice" if $ref{$t->{refId}}++;
        push @wrong, "$name: its data source is not the one chosen above" if $t->{datasource}{uid} ne '${datasource}';
    }
}
is join("\n", @wrong), '', 'every panel is whole';
cmp_ok scalar(grep { $_->{type} ne 'row' } @panels), '>', 15, 'there are panels';
for my $p (@panels) {
    my ($x, $y, $w, $h) = @{$p->{gridPos}}{qw(x y w h)};
    push @wrong, "$p->{title}: beyond the edge" if $x < 0 || $x + $w > 24 || $w < 1 || $h < 1;
    for my $row ($y .. $y + $h - 1) {
        for my $column ($x .. $x + $w - 1) {
            push @wrong, "$p->{title} lies on $taken[$row][$column]" if $taken[$row][$column];
            $taken[$row][$column] = $p->{title};
        }
    }
}
is join("\n", @wrong), '', 'no panel lies on another';

# --- variables ---
my %variable = map { $_->{name} => $_ } @{$board->{templating}{list}};
is join(' ', sort keys %variable), 'balancer datasource server worker', 'variables';
is $variable{datasource}{query}, 'prometheus', 'a data source to choose';
my %used = map { $_ => 1 } $text =~ /\$\{?(\w+)\}?/g;
is join(' ', sort grep { !$variable{$_} && !/^__/ } keys %used), '', 'no other variable is used';

# --- metrics ---
my $s = RProxy::Server->new(ours => ['rproxy'], config => "<Location /metrics>\nSetHandler rproxy-metrics\n</Location>\nProxyPass /p http://127.0.0.1:1\n");
my $page = RProxy::Metrics->new(get($s, '/metrics')->body);
my %family = map { $_ => $page->{type}{$_} } $page->families;
my (%named, %label);
my @exprs = ((map { $_->{expr} } map { @{$_->{targets} || []} } @panels), map { $_->{definition} // () } values %variable);
for my $expr (@exprs) {
    $named{$_}++ for map { s/_(?:bucket|sum|count)$//r } $expr =~ /\b(rproxy_\w+)/g;
    $label{$_}++ for map { /(\w+)\s*(?:=|!=|=~|!~)\s*"/g } $expr =~ /\{([^}]*)\}/g;
}
is join(' ', sort grep { !$family{$_} } keys %named), '', 'every metric that it names exists';
is join(' ', sort grep { !$named{$_} } keys %family), '', 'and every metric is named';
is join(' ', sort grep { !/^(?:server|balancer|worker|class|reason|flag|le|version)$/ } keys %label), '', 'so do the labels';
my @plain = grep { my $e = $_; grep { ($family{$_} // '') eq 'counter' && $e !~ /(?:rate|increase)\(\Q$_\E\b/ } $e =~ /\b(rproxy_\w+)/g } grep { !/^label_values/ } @exprs;
is join("\n", @plain), '', 'counters are shown as rates';
my @buckets = grep { /_bucket/ && !/histogram_quantile\(0\.\d+, sum by \(le/ } @exprs;
is join("\n", @buckets), '', 'histograms as quantiles';

# --- promtool reads the expressions ---
my $rules = "groups:\n- name: dashboard\n  rules:\n";
my $n = 0;
for my $expr (grep { !/^label_values/ } @exprs) {
    (my $plain = $expr) =~ s/\$__rate_interval/5m/g;
    $plain =~ s/\$\w+/.*/g;
    $plain =~ s/'/''/g;
    $rules .= '  - record: dashboard:' . $n++ . "\n    expr: '$plain'\n";
}
my $file = $s->write_file('rules.yml', $rules);
my $said = qx(promtool check rules $file 2>&1);
is $?, 0, 'promtool reads the expressions' or diag($said);
like $said, qr/SUCCESS: $n rules found/, 'all of them';
