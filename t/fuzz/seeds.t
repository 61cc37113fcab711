#!/usr/bin/perl
# Every fuzz target runs its seeds and the inputs that once made it fail, whole, cut and changed
# (t/fuzz/replay.c), and every target has seeds. No search for others: that is `make fuzz`.

use strict;
use warnings;
use File::Basename qw(basename);
use File::Temp qw(tempdir);
use FindBin;
use lib "$FindBin::Bin/../lib";
use POSIX ();
use Test::More;
use Time::HiRes ();
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
	my $files = @seeds + (() = glob("$source/found/$target/*"));
	my $log = "$directory/$target.log";
	my $process = spawn(command => [ "$build/$target", '-runs=0', @directories ], log => $log,
		env => { TMPDIR => $temporary });
	my $status = $process->wait(SECONDS);
	my $passes = defined $status && $status == 0 && has_run_all($log, $files);
	ok($passes, "$target passes with seeds and found inputs") or do {
		$process->stop(1);
		diag(substr(slurp($log), -3000));
	};
}
SKIP: {
	skip('libFuzzer runs no FIFO', 12) if slurp("$directory/endpoint.log") =~ /^Done \d+ runs in /m;
	says_how($_) for qw(ABRT ALRM BUS FPE ILL SEGV);
}
write_file("$directory/log", "a\nb\nfiles: 2, inputs: 9\n");
ok(has_run_all("$directory/log", 2), 'seen: a target that ran all files');
ok(!has_run_all("$directory/log", 3), 'seen: one that ran fewer');
write_file("$directory/log", "a\n");
ok(!has_run_all("$directory/log", 1), 'seen: one that ended in a file');
is("@{[glob(qq($temporary/*))]}", '', 'nothing is left behind');
done_testing();

# An input that makes the parser exit must not pass. libFuzzer refuses that itself.
sub has_run_all
{
	my ($log, $files) = @_;
	my ($last) = slurp($log) =~ /([^\n]*)\n\z/ or return 0;
	return 1 if $last =~ /^Done \d+ runs in /;
	return $last =~ /^files: (\d+), inputs: (\d+)$/ && $1 == $files && $2 >= $files;
}

# A target that a signal ends says how the file was changed, unless a sanitizer reports the
# signal itself. It waits for the bytes of a FIFO.
sub says_how
{
	my ($signal) = @_;
	my ($log, $fifo) = ("$directory/$signal.log", "$directory/$signal");
	POSIX::mkfifo($fifo, 0600) or die "$fifo: $!\n";
	open(my $writer, '+<', $fifo) or die "$fifo: $!\n";
	my $process = spawn(command => [ "$build/endpoint", '-runs=0', $fifo ], log => $log);
	for (1 .. 1000) {
		last if slurp($log) =~ /\Q$fifo\E/ || !$process->alive;
		Time::HiRes::sleep(0.02);
	}
	$process->signal($signal);
	isnt($process->wait(20) // 0, 0, "SIG$signal ends a target");
	like(slurp($log), qr/^  failed: while it was read\n\z|Sanitizer/m, 'it says how');
}

sub write_file
{
	my ($file, $text) = @_;
	open(my $handle, '>', $file) or die "$file: $!\n";
	print {$handle} $text;
	close($handle) or die "$file: $!\n";
}
