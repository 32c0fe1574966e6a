# SPDX-License-Identifier: Apache-2.0
package RProxy::Certs;

# A small certification authority for the suite, made once a run: t/TEST sets RPROXY_CERTS, else
# each test file makes its own. Files: ca.crt, and NAME.crt, NAME.key, NAME.pem (both) for each name
# below.

use strict;
use warnings;
use Exporter 'import';
use RProxy::Env qw(temp_dir);

our @EXPORT_OK = qw(certs);

my $local = 'DNS:localhost,IP:127.0.0.1';
my %leaf  = (
    server  => {cn => 'www.example.com', san => "DNS:www.example.com,$local"},
    backend => {cn => 'backend.example.com', san => 'DNS:backend.example.com'},
    local   => {cn => 'localhost', san => "$local,IP:0:0:0:0:0:0:0:1"},
    client  => {cn => 'proxy client', san => 'DNS:proxy.example.com'},
    expired => {cn => 'localhost', san => $local, days => -1},
    foreign => {cn => 'localhost', san => $local, ca => 'otherca'},
);
my $dir;

sub _openssl {
    my (@args) = @_;
    my $pid = open my $out, '-|';
    die "fork: $!\n" unless defined $pid;
    if (!$pid) {
        open STDERR, '>&', \*STDOUT;
        exec 'openssl', @args or exit 127;
    }
    my $text = do { local $/; <$out> };
    close $out or die "openssl @args failed:\n$text";
    return;
}

sub _write {
    my ($file, $text) = @_;
    open my $out, '>', $file or die "$file: $!\n";
    print {$out} $text;
    close $out or die "$file: $!\n";
    return;
}

sub _read {
    my ($file) = @_;
    open my $in, '<', $file or die "$file: $!\n";
    local $/;
    return scalar <$in>;
}

sub _key {
    my ($file) = @_;
    _openssl(qw(ecparam -name prime256v1 -genkey -noout -out), $file);
    chmod 0644, $file;
    return;
}

sub _make_ca {
    my ($name) = @_;
    _key("$dir/$name.key");
    _openssl(
        qw(req -x509 -new -sha256 -days 30),
        '-addext' => 'basicConstraints=critical,CA:TRUE',
        '-key'  => "$dir/$name.key",
        '-out'  => "$dir/$name.crt",
        '-subj' => "/CN=rproxy test $name"
    );
    return;
}

sub _make_leaf {
    my ($name) = @_;
    my $want   = $leaf{$name};
    my $ca     = $want->{ca} || 'ca';
    my $base   = "$dir/$name";
    _key("$base.key");
    _openssl(
        qw(req -new -sha256),
        '-key'  => "$base.key",
        '-out'  => "$base.csr",
        '-subj' => "/CN=$want->{cn}"
    );
    _write("$base.ext", "subjectAltName=$want->{san}\nbasicConstraints=CA:FALSE\n");
    _openssl(
        qw(x509 -req -sha256 -CAcreateserial),
        '-in'      => "$base.csr",
        '-CA'      => "$dir/$ca.crt",
        '-CAkey'   => "$dir/$ca.key",
        '-days'    => $want->{days} // 30,
        '-extfile' => "$base.ext",
        '-out'     => "$base.crt"
    );
    _write("$base.pem", _read("$base.crt") . _read("$base.key"));
    chmod 0644, "$base.pem";
    return;
}

# The folder with the files.
sub certs {
    $dir ||= $ENV{RPROXY_CERTS};
    return $dir if $dir && -e "$dir/done";
    $dir ||= temp_dir('certs');
    _make_ca($_)   for qw(ca otherca);
    _make_leaf($_) for sort keys %leaf;
    _write("$dir/done", '');
    return $dir;
}

1;
