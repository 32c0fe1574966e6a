# SPDX-License-Identifier: Apache-2.0
# The measurements of bench/ run, in small, and what they write can be read. What they measure is not judged here.
use strict;
use warnings;
use Apache::Test qw(-withtestmore);
use File::Basename qw(dirname);
use JSON::PP qw(decode_json);
use RProxy::Env qw(needs top_dir httpd module_file own_module_file temp_dir);

my $bench = top_dir() . '/bench';
my $build = dirname(dirname(own_module_file('rproxy')));
my $dir   = temp_dir('bench');
my @where = ('--build', $build, '--httpd', httpd(), '--moddir', dirname(module_file('alias')));

plan tests => 15, need {needs(qw(rproxy rproxy_balancer rproxy_reverse alias ssl http2 rewrite headers status))};

sub slurp { my ($f) = @_; open my $in, '<', $f or return ''; local $/; return scalar <$in>; }

# Run a script; its result and what it said.
sub run {
    my ($script, @arguments) = @_;
    my $pid = open my $out, '-|';
    die "fork: $!" unless defined $pid;
    if (!$pid) {
        open STDERR, '>&', \*STDOUT;
        delete $ENV{RPROXY_WRAP};
        exec $^X, "$bench/$script", @where, @arguments or POSIX::_exit(127);
    }
    my $text = do { local $/; <$out> };
    close $out;
    return ($?, $text);
}

# ---- side by side, without those that may not be installed

open my $document, '>', "$dir/document.md" or die $!;
print {$document} "before\n<!-- begin compare.pl -->\nold\n<!-- end compare.pl -->\nbehind\n";
close $document;
my ($status, $said) = run('compare.pl', '--nginx', '/none', '--haproxy', '/none', '--only', 'ours-blocking,mod_proxy', '--rounds', 2, '--scale', 0.01, '--many', 20,
    '--rows', '1k,10m,tls,balancer,tls-backend,tunnels', '--json', "$dir/compare.json", '--document', "$dir/document.md");
is($status, 0, 'compare.pl ran') or diag($said);
like($said, qr{/none is not there}, 'it says who is missing');
my $result = eval { decode_json(slurp("$dir/compare.json")) } // {rows => {}};
my ($ours) = sort grep { /^ours/ } keys %{ $result->{rows}{'1k'} // {} };
ok($ours, 'there is a column for this project');
for my $row (qw(1k 10m tls balancer)) {
    my @good = grep { $result->{rows}{$row}{$_}{us} > 0 && $result->{rows}{$row}{$_}{errors} == 0 } $ours, 'mod_proxy';
    is(scalar @good, 2, "$row: both were measured without an error");
}
is($result->{rows}{tunnels}{$ours}{echoing}, 20, 'tunnels echo');
ok(!$result->{rows}{'tls-backend'}, 'a row that can not be measured is left out');
like(slurp("$dir/document.md"), qr{^before\n<!-- begin compare\.pl -->\n\|.*\| 1 KB, us .*<!-- end compare\.pl -->\nbehind\n\z}s,
    'the table is in the document');

# ---- the blocking lane

($status, $said) = run('blocking-lane.pl', '--rounds', 1, '--requests', 200, '--strace', 0, '--json', "$dir/lane.json");
is($status, 0, 'blocking-lane.pl ran') or diag($said);
$result = eval { decode_json(slurp("$dir/lane.json")) } // {};
cmp_ok($result->{ours}{us} // 0, '>', 0, 'ours was measured');
is($result->{ours}{errors}, 0, 'without an error');
like($said, qr/own part.*mod_proxy/, 'the own parts are compared');

# ---- the copy without metrics: what is taken out is still there

system 'cp', '-R', top_dir() . '/src', $dir;
is(system($^X, "$bench/uncounted.pl", $dir), 0, 'uncounted.pl finds what counts');
