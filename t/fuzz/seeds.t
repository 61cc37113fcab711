#!/usr/bin/perl
# Every fuzz target runs its seeds and the inputs that once made it fail, whole, cut and changed
# (t/fuzz/replay.c), and every target has seeds. No search for others: that is `make fuzz`.

use strict;
use warnings;
use File::Basename qw(basename);
use File::Temp qw(tempdir);
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use Tlsad::Process qw(private_directory slurp spawn);

use constant { SEEDS_LEAST => 12, SECONDS => 300 };

my $source = Tlsad::Process::source_directory() . '/t/fuzz';
my $build = Tlsad::Process::build_directory() . '/t/fuzz';
my $directory = private_directory();
# In memory if possible: some targets write and sync small files all the time.
my $temporary = tempdir('tlsad-XXXXXX', CLEANUP => 1,
	-w '/dev/shm' ? (DIR => '/dev/shm') : (TMPDIR => 1));
my @shared = qw(replay still_daemon);
my @targets = grep { my $name = $_; !grep { $_ eq $name } @shared }
	map { basename($_, '.c') } sort glob("$source/*.c");

# A report of a sanitizer ends the program by a signal: then replay names the file.
$ENV{ASAN_OPTIONS} = join(':', $ENV{ASAN_OPTIONS} // (), 'abort_on_error=1');
$ENV{UBSAN_OPTIONS} = join(':', $ENV{UBSAN_OPTIONS} // (), 'abort_on_error=1');

cmp_ok(scalar(@targets), '>=', 20, 'there are targets');
for my $kind (qw(seeds found)) {
	my @strange = grep { my $name = basename($_); !grep { $_ eq $name } @targets }
		glob("$source/$kind/*");
	is("@strange", '', "$kind: every folder has a target");
}
for my $target (@targets) {
	my @seeds = glob("$source/seeds/$target/*");
	cmp_ok(scalar(@seeds), '>=', SEEDS_LEAST, "$target has seeds");
	my @directories = grep { -d } map { "$source/$_/$target" } qw(seeds found);
	my $log = "$directory/$target.log";
	my $process = spawn(command => [ "$build/$target", '-runs=0', @directories ], log => $log,
		env => { TMPDIR => $temporary });
	my $status = $process->wait(SECONDS);
	is($status, 0, "$target passes with seeds and found inputs") or do {
		$process->stop(1);
		diag(substr(slurp($log), -3000));
	};
}
is("@{[glob(qq($temporary/*))]}", '', 'nothing is left behind');
done_testing();
