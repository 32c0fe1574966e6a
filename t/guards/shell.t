#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Scripts: sh reads them, shellcheck finds nothing; each exception stands beside its line.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use Guard;
use Test::More;

chdir srcdir() or die srcdir() . ": $!\n";
my @scripts = files(qr{\.sh$|^\.ci/run$});
cmp_ok(scalar @scripts, '>', 5, 'the scripts were found');
none_wrong('sh -n accepts every script', grep { system('sh', '-n', $_) != 0 } @scripts);
none_wrong('scripts that are run by name can be run', grep { !-x } grep { !m{^scripts/(?:suite|lint|groups)\.sh$} } @scripts);
my @programs = grep { /\.pl$|rproxyctl$/ && slurp($_) =~ /^#!/ } files(qr{^(?:bench|scripts|demo|docs)/[^/]+$});
none_wrong('and so can the other programs', grep { !-x } @programs);
my $found = `shellcheck @scripts 2>&1`;
is($?, 0, 'shellcheck finds nothing') or diag($found);
none_wrong('perl -c accepts every Perl file of the build',
    grep { my $said = `perl -It/guards -c $_ 2>&1`; $said !~ /syntax OK/ } files(qr{^(?:t/guards|scripts)/.*\.(?:t|pm|pl)$}));
done_testing();
