#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# make check-mutants: apply each change of t/mutants.list to a copy of the tree, one at a time, build what its tests need and
# run them: they must fail. A change that no longer applies, does not compile, or that the tests do not notice, is a failure.
#
# A line of t/mutants.list has four fields, with tabs between them:
#   file    old => new    tests    name
# "old" stands once in the file; in old and new \n is a new line and \t a tab. A field that begins with "s:" is a change as
# in sed instead ("s:/== 1/== 2/", any delimiter), which must change the file. Tests are paths with blanks between them:
#   t/unit/...      a program of the unit tests          t/NN-....t      a file of the suite
#   t/fuzz/fuzz_x   a fuzz target with its corpus        t/guards/x.t    a guard
# Arguments: regular expressions; only mutants whose name or file matches one are run. -n: none is, only that each change still
# applies is seen (t/guards/mutants.t). Environment: as for check.sh.
use strict;
use warnings;

use Cwd 'abs_path';
use File::Basename 'dirname';
use File::Path qw(make_path remove_tree);

my $src = abs_path($ENV{srcdir} || dirname(__FILE__) . '/..');
my $build = abs_path($ENV{builddir} || '.') . '/mutants';
my $tree = "$build/src";
my $out = "$build/out";
my $test_log = "$build/test.log";
my $time_limit = $ENV{MUTANT_SECONDS} || 300;
delete @ENV{qw(MAKEFLAGS MFLAGS MAKELEVEL)};
chomp(my $jobs = `nproc 2>/dev/null` || 2);
$| = 1;

sub slurp {
    my ($file) = @_;
    open my $in, '<:raw', $file or die "$file: $!\n";
    local $/ = undef;
    return scalar(<$in>) // '';
}

sub spew {
    my ($file, $text) = @_;
    open my $to, '>:raw', $file or die "$file: $!\n";
    print {$to} $text;
    close $to or die "$file: $!\n";
    return;
}

# Run in a folder, with everything it says in test.log; its status, 124 when it took too long.
sub run {
    my ($dir, @command) = @_;
    my $pid = fork // die "fork: $!\n";
    if (!$pid) {
        chdir $dir or die "$dir: $!\n";
        open STDIN, '<', '/dev/null' or die "/dev/null: $!\n";
        open STDOUT, '>', $test_log or die "$test_log: $!\n";
        open STDERR, '>&', \*STDOUT or die "stderr: $!\n";
        exec 'timeout', '-k', 10, $time_limit, @command or die "$command[0]: $!\n";
    }
    waitpid $pid, 0;
    return $? >> 8 || $? & 127;
}

# The change of one line, as a function from text to text; dies with what is wrong with it.
sub change_of {
    my ($field) = @_;
    if ($field =~ /^s:(.)/) {
        my ($delimiter, $rest) = ($1, substr $field, 3);
        my ($pattern, $new, $flags) = split /\Q$delimiter\E/, $rest, -1;
        die "\"$field\" is not s:/old/new/ or s:/old/new/g\n" if ($flags // 'none') !~ /^g?$/;
        return $flags ? sub { $_[0] =~ s/$pattern/$new/gmr } : sub { $_[0] =~ s/$pattern/$new/mr };
    }
    my ($old, $new, @more) = split / => ?/, $field, -1;
    die "\"$field\" is not \"old => new\"\n" if !defined $new || @more || $old eq '';
    for ($old, $new) { s/\\n/\n/g; s/\\t/\t/g; }
    return sub {
        my ($text) = @_;
        my $times = () = $text =~ /\Q$old\E/g;
        die "\"$old\" stands $times times in the file, not once\n" if $times != 1;
        return $text =~ s/\Q$old\E/$new/r;
    };
}

sub read_list {
    my @mutants;
    my %names;
    my $n = 0;
    for my $line (split /\n/, slurp("$src/t/mutants.list")) {
        $n++;
        next if $line =~ /^\s*(?:#.*)?$/;
        my ($file, $change, $tests, $name, @more) = split /\t+/, $line;
        die "t/mutants.list:$n: not four fields with tabs between them\n" if !defined $name || @more;
        die "t/mutants.list:$n: the name \"$name\" is there twice\n" if $names{$name}++;
        my $function = eval { change_of($change) } // die "t/mutants.list:$n: $@";
        push @mutants, { file => $file, change => $function, tests => [split ' ', $tests], name => $name };
    }
    return @mutants;
}

# A copy of the tree that is ours to change. Times are kept, so that a second run builds little.
sub copy_tree {
    make_path($tree, $out);
    open my $list, '-|', 'sh', "$src/scripts/list-files.sh" or die "list-files.sh: $!\n";
    chomp(my @files = <$list>);
    close $list or die "list-files.sh failed\n";
    push @files, grep { -e "$src/$_" } qw(configure Makefile.in aclocal.m4 build-aux m4 .deps/perl MANIFEST);
    spew("$tree/MANIFEST", join '', map { "$_\n" } @files);
    spew("$build/files", join '', map { "$_\n" } @files);
    system("cd '$src' && tar -cf - -T '$build/files' | tar -xpf - -C '$tree'") == 0 or die "copying the tree failed\n";
    return;
}

sub configure {
    return if -e "$out/Makefile" && -M "$out/Makefile" < -M "$tree/configure";
    run($out, "$tree/configure", '-q', '--disable-lto', ($ENV{APXS} ? "--with-apxs=$ENV{APXS}" : ()), 'CFLAGS=-O1 -g') == 0
        or die "configure failed:\n" . slurp($test_log);
    return;
}

sub targets {
    my (@tests) = @_;
    my %targets = map { $_ => 1 } map { m{^t/(?:unit/|fuzz/fuzz_)} ? $_ : qw(all t/upstream/rp_names.la t/upstream/rp_nowatchdog.la t/upstream/rp_preempted.la t/chaos/mod_rp_chaos.la) } @tests;
    return sort keys %targets;
}

sub build_for {
    my (@tests) = @_;
    return run($out, 'make', '-s', "-j$jobs", targets(@tests)) == 0;
}

sub passes {
    my ($test) = @_;
    local $ENV{srcdir} = $tree;
    local $ENV{builddir} = $out;
    local $ENV{RPROXY_BUILD} = $out;
    return run($out, "./$test") == 0 if $test =~ m{^t/unit/};
    return run($out, "./$test", "$tree/t/fuzz/corpus/" . $test =~ s{.*/fuzz_}{}r) == 0 if $test =~ m{^t/fuzz/};
    return run($out, 'perl', "$tree/$test") == 0 if $test =~ m{^t/guards/};
    return run($tree, 'perl', 't/TEST', $test) == 0;
}

# Tests that fail without any change prove nothing.
sub check_baseline {
    my (@mutants) = @_;
    my %seen;
    my @tests = sort grep { !$seen{$_}++ } map { @{ $_->{tests} } } @mutants;
    print 'the tests without a change: ', scalar @tests, "\n";
    build_for(@tests) or die "the tree does not build:\n" . slurp($test_log);
    my @broken;
    for my $test (@tests) {
        next if passes($test);
        print slurp($test_log);
        push @broken, $test;
    }
    die "these tests fail without any change: @broken\n" if @broken;
    return;
}

# The file's text before and after; dies with why there is no after.
sub change {
    my ($mutant, $path) = @_;
    my $text = -e $path ? slurp($path) : die "$mutant->{file} does not exist\n";
    my $changed = eval { $mutant->{change}->($text) } // die "does not apply: $@";
    die "changes nothing\n" if $changed eq $text;
    return ($text, $changed);
}

# undef when the tests noticed, else what is wrong.
sub try_mutant {
    my ($mutant) = @_;
    my $path = "$tree/$mutant->{file}";
    my ($text, $changed) = eval { change($mutant, $path) } or return $@ =~ s/\n\z//r;
    spew($path, $changed);
    my $wrong = 'SURVIVED';
    if (!build_for(@{ $mutant->{tests} })) {
        $wrong = "does not compile:\n" . slurp($test_log);
    }
    else {
        for my $test (@{ $mutant->{tests} }) {
            next if passes($test);
            print "  caught    $mutant->{name} ($test)\n";
            undef $wrong;
            last;
        }
    }
    spew($path, $text);
    return $wrong;
}

# Does each change still apply? What is wrong is printed.
sub look_only {
    my (@list) = @_;
    my $wrong = 0;
    for my $mutant (@list) {
        next if eval { change($mutant, "$src/$mutant->{file}") };
        print "$mutant->{name} ($mutant->{file}): $@";
        $wrong++;
    }
    printf "%d passed, %d failed, 0 skipped\n", @list - $wrong, $wrong;
    return $wrong ? 1 : 0;
}

my $look_only = @ARGV && $ARGV[0] eq '-n' && shift @ARGV;
my @mutants = read_list();
if (@ARGV) {
    my $wanted = join '|', map {"(?:$_)"} @ARGV;
    @mutants = grep { "$_->{name}\n$_->{file}" =~ /$wanted/m } @mutants;
}
die "no mutant of t/mutants.list matches: @ARGV\n" if !@mutants;
exit look_only(@mutants) if $look_only;
copy_tree();
configure();
check_baseline(@mutants);
my ($passed, $failed) = (0, 0);
for my $mutant (@mutants) {
    my $wrong = try_mutant($mutant);
    if (defined $wrong) {
        print "  FAILED    $mutant->{name} ($mutant->{file}): $wrong\n";
        $failed++;
    }
    else {
        $passed++;
    }
}
# Leave no changed object behind: the next run starts from a clean build.
build_for(map { @{ $_->{tests} } } @mutants);
print "\n$passed passed, $failed failed, 0 skipped\n";
exit($failed || !$passed ? 1 : 0);
