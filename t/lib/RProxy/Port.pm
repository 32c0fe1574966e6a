# SPDX-License-Identifier: Apache-2.0
package RProxy::Port;

# Port numbers for servers that must be told one. They lie below the kernel's ephemeral range, so
# that no outgoing connection takes one between the choice and the bind, and a locked file keeps
# parallel test files apart.

use strict;
use warnings;
use Fcntl qw(:flock O_CREAT O_RDWR);
use IO::Socket::INET ();
use Exporter 'import';

our @EXPORT_OK = qw(free_port);

my $dir = ($ENV{TMPDIR} || '/tmp') . "/rproxy-ports-$>";
my %held;    # port => locked handle, for the life of the process

sub _range {
    my ($low) = (32768);
    if (open my $in, '<', '/proc/sys/net/ipv4/ip_local_port_range') {
        ($low) = split ' ', <$in>;
    }
    return $low > 12000 ? (10240, $low - 1) : (20000, 32000);
}

sub _bindable {
    my ($port) = @_;
    my $socket = IO::Socket::INET->new(
        LocalAddr => '127.0.0.1',
        LocalPort => $port,
        Listen    => 1,
        ReuseAddr => 1
    );
    return defined $socket;
}

# A free port on 127.0.0.1, ours until this process ends.
sub free_port {
    my ($low, $high) = _range();
    mkdir $dir, 0755;
    for (1 .. 500) {
        my $port = $low + int rand($high - $low);
        next if $held{$port};
        sysopen my $lock, "$dir/$port", O_RDWR | O_CREAT or die "$dir/$port: $!\n";
        next unless flock $lock, LOCK_EX | LOCK_NB;
        if (_bindable($port)) {
            $held{$port} = $lock;
            return $port;
        }
    }
    die "no free port between $low and $high\n";
}

END { unlink "$dir/$_" for keys %held }

1;
