# SPDX-License-Identifier: Apache-2.0
package RProxy::Contestants;

# The proxies that bench/compare.pl measures: this project's modules in each lane that they have, httpd's own proxy modules, nginx
# and HAProxy, each started from its configuration in bench/conf. A contestant: {name, pid, port, tls, lane}.

use strict;
use warnings;
use Exporter 'import';
use RProxy::Bench qw(work_dir fill free_port spit spawn stop_pid wait_port slurp);

our @EXPORT_OK = qw(start_backends start_contestant contestants);

my (%opt, %common);

sub user_line { my ($line) = @_; return $> == 0 ? $line : ''; }

sub directory {
    my ($name) = @_;
    my $d = work_dir() . "/$name";
    mkdir $d;
    chmod 0777, $d;
    return $d;
}

# A key and a certificate in one file, the same for everybody.
sub make_cert {
    my $d = directory('cert');
    system("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=www.example.com"
        . " -keyout $d/key -out $d/crt >$d/log 2>&1") == 0 or die slurp("$d/log");
    spit("$d/pem", slurp("$d/crt") . slurp("$d/key"));
    return "$d/pem";
}

# $options: build, httpd, moddir, nginx, haproxy. Two plain backends are running; starts the one behind TLS when nginx, which it
# is, is there: false when it is not.
sub start_backends {
    my ($options, $one, $two) = @_;
    %opt = %$options;
    %common = (CERT => make_cert(), BACKEND => $one->{port}, BACKEND_TWO => $two->{port}, MODULES => $opt{moddir}, TLS_BACKEND => 9);
    return 0 if !-x $opt{nginx};
    my $d = directory('tls-backend');
    my $port = free_port();
    spit("$d/nginx.conf", fill('conf/tls-backend.conf.in', %common, DIR => $d, PORT => $port, BODY => 'x' x 1024,
        USER => user_line('user nobody nogroup;')));
    RProxy::Bench::release_ports();
    my $pid = spawn("$d/out.log", $opt{nginx}, '-e', "$d/error.log", '-c', "$d/nginx.conf");
    wait_port($port, $pid, "$d/error.log");
    $common{TLS_BACKEND} = $port;
    return 1;
}

# What this project's modules can be set to. Without an engine there is the blocking lane and no directive that says so.
sub our_lanes {
    my $d = directory('try');
    my $conf = httpd_conf('try', $d, 1, 2, our_modules(), 'RProxyEventLoop off');
    my $has = system("$opt{httpd} -t -f $conf >$d/log 2>&1") == 0;
    return $has
        ? ('ours' => 'RProxyEventLoop auto',
           map({ ("ours-$_" => "RProxyEventLoop on\n<Location />\n    RProxyLane $_\n</Location>") } qw(inline handoff)),
           'ours-blocking' => 'RProxyEventLoop off')
        : ('ours-blocking' => '');
}

sub our_modules {
    return join '', map { "LoadModule ${_}_module $opt{build}/.libs/mod_$_.so\n" } qw(rproxy rproxy_balancer rproxy_reverse);
}

sub stock_modules {
    return join '', map { "LoadModule ${_}_module $opt{moddir}/mod_$_.so\n" } qw(proxy proxy_http proxy_balancer lbmethod_byrequests);
}

sub httpd_conf {
    my ($name, $d, $port, $tls, $modules, $config) = @_;
    return spit("$d/httpd.conf", fill('conf/httpd.conf.in', %common, DIR => $d, PORT => $port, TLS_PORT => $tls, PROXY_MODULES => $modules,
        PROXY_CONFIG => $config, USER => user_line("User nobody\nGroup nogroup")));
}

# Their names, in the order of the tables. Those that are not installed are left out, and said so.
sub contestants {
    my %lanes = our_lanes();
    my @names = sort keys %lanes;
    for my $peer (qw(nginx haproxy)) {
        if (-x $opt{$peer}) { push @names, $peer; }
        else { print "$opt{$peer} is not there: no row for it (scripts/install-deps.sh --bench)\n"; }
    }
    return (@names, 'mod_proxy');
}

# $place: its directory, when one name runs more than once (builds that are compared).
sub start_contestant {
    my ($name, $place) = @_;
    my $d = directory($place || $name);
    my ($port, $tls) = (free_port(), free_port());
    RProxy::Bench::release_ports();
    my %lanes = our_lanes();
    my @argv;
    if ($name eq 'nginx') {
        spit("$d/nginx.conf", fill('conf/nginx.conf.in', %common, DIR => $d, PORT => $port, TLS_PORT => $tls, USER => user_line('user nobody nogroup;')));
        @argv = ($opt{nginx}, '-e', "$d/error.log", '-c', "$d/nginx.conf");
    }
    elsif ($name eq 'haproxy') {
        spit("$d/haproxy.cfg", fill('conf/haproxy.cfg.in', %common, DIR => $d, PORT => $port, TLS_PORT => $tls, USER => user_line("    user nobody\n    group nogroup")));
        @argv = ($opt{haproxy}, '-db', '-f', "$d/haproxy.cfg");
    }
    else {
        my ($modules, $config) = $name eq 'mod_proxy' ? (stock_modules(), 'AsyncRequestWorkerFactor 100') : (our_modules(), $lanes{$name});
        httpd_conf($name, $d, $port, $tls, $modules, $config);
        @argv = ($opt{httpd}, '-DFOREGROUND', '-f', "$d/httpd.conf");
    }
    my $pid = spawn("$d/out.log", @argv);
    eval { wait_port($port, $pid, "$d/out.log"); 1 } or die "$name: $@" . slurp("$d/error.log");
    return {name => $name, pid => $pid, port => $port, tls => $tls, dir => $d, httpd => $name !~ /^(?:nginx|haproxy)$/};
}

1;
