# SPDX-License-Identifier: Apache-2.0
# Every example of the manual pages loads.
use strict;
use warnings;
use Apache::Test qw(-withtestmore);
use RProxy::Env qw(needs top_dir);
use RProxy::Server;
use RProxy::Certs qw(certs);

# examples by the heading above them
sub examples {
    my ($file) = @_;
    open my $in, '<', "$file" or die "$file: $!";
    my ($title, @found) = ('');
    while (my $line = <$in>) {
        if    ($line =~ /^#+ (.*)/)     { $title = $1 }
        elsif ($line =~ /^    (.*\n)/)  { @found && $found[-1][2] ? $found[-1][1] .= $1 : push @found, [$title, $1, 1] }
        elsif ($line =~ /\S/ && @found) { $found[-1][2] = 0 }
    }
    return @found;
}

my @examples = grep { $_->[1] !~ /LoadModule/ } map { examples(top_dir() . "/docs/manual/$_.md") } qw(mod_rproxy parameters metrics logging);
my @modules  = qw(ssl socache_shmcb rewrite setenvif authz_host alias headers);
plan tests => @examples + 1, need {needs('rproxy', 'rproxy_reverse', 'rproxy_balancer', @modules)};
ok(@examples > 40, 'the examples are found');

my $s = RProxy::Server->new(start => 0, modules => [@modules]);
$s->write_file('conf/express.db', '');
for my $example (@examples) {
    my ($title, $text) = @$example;
    $text =~ s{\S*backend-ca\.pem}{certs() . '/ca.crt'}ge;
    # names of the examples do not exist; where one is resolved, an address of this machine stands in
    $text =~ s/(ProxySourceAddress) \S+/$1 127.0.0.1/;
    $text =~ s{(CustomLog) logs/}{$1 };
    my $before = $text =~ /^ProxySet http:\/\/\S+ / ? '' : $text =~ /RewriteMap/ ? "RewriteEngine On\n" : '';
    my ($good, $said) = $s->configtest($before . $text);
    ok($good, "example of $title") or diag("$text\n$said");
}
