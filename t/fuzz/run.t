#!/usr/bin/perl
# t/fuzz/run, with shell scripts in place of fuzz targets: which of them fail, and what becomes of
# an input that failed.

use strict;
use warnings;
use File::Path qw(make_path);
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use Tlsad::Process qw(private_directory slurp);

my $run = Tlsad::Process::source_directory() . '/t/fuzz/run';
my $directory = private_directory();
my $corpus = "$directory/corpus";
my $edges = "echo '#9 DONE   cov: 12 ft: 3 corp: 2/9b'";
my $executions = "echo stat::number_of_executed_units: 5";

target('works', "echo 'INFO: Loaded 1 modules   (340 inline 8-bit counters)'", $edges, $executions);
my ($status, $said) = run('works');
is($status, 0, 'a target that finds nothing');
like($said, qr/^works +ok$/m, 'is ok');
like($said, qr{^works +5 +\d+ +12/340 }m, 'its figures are in the table');

target('idle', ':');
target('blind', $executions);
target('motionless', $edges);
for my $row ([ idle => 0, 0 ], [ blind => 5, 0 ], [ motionless => 0, 12 ]) {
	my ($name, @figures) = @$row;
	($status, $said) = run($name);
	is($status, 1, "$name: exit status");
	like($said, qr/^$name +FAILED$/m, "$name: failed");
	like($said, qr/^$name failed, executions: $figures[0], edges: $figures[1];/m, "$name: why");
	unlike($said, qr/^keep the input/m, "$name: there is no input");
}

# It fails with each input until it is corrected.
my $input = "$corpus/fails-crash-0123456789abcdef";
target('fails', $edges, $executions, "[ ! -e $directory/corrected ] || exit 0",
	"case \$* in *$input*) ;; *) echo bytes >$input ;; esac", 'exit 77');
for my $time (qw(first next)) {
	($status, $said) = run('fails');
	is($status, 1, "$time run: exit status");
	like($said, qr/^keep the input in /m, 'what to do with it');
	like($said, qr/^fails failed, .*\n  again: $directory\/fails \Q$input\E$/m, 'it names the input');
	unlike($said, qr/ at \S+ line \d+\.$/m, 'nothing else is printed');
	is(slurp($input), "bytes\n", 'the input is kept');
}
is((arguments('fails'))[0], "-timeout=10 -rss_limit_mb=2048 $input", 'the next run began with it');
unlike("@{[arguments('fails')]}", qr/-max_total_time/, 'and searched for no other');
make_path("$directory/corrected");
($status, $said) = run('fails');
is($status, 0, 'once it is corrected: exit status');
ok(!-e $input, 'the input is no failure');
is(slurp("$corpus/fails/fails-crash-0123456789abcdef"), "bytes\n", 'but an input like others');
like((arguments('fails'))[1], qr/^-max_total_time=1 .* $corpus\/fails /, 'with which it searches again');

$said = qx($^X $run --help);
is($?, 0, '--help');
like($said, qr/^  t\/fuzz\/run \[--seconds/, 'prints the usage');
for my $arguments ('', '--none x', "--source=$directory x", "--source=$directory --corpus=$corpus") {
	$said = qx($^X $run $arguments 2>&1 >/dev/null);
	is($? >> 8, 2, "refused: '$arguments'");
	like($said, qr/^  t\/fuzz\/run \[--seconds/m, 'with the usage as an error');
}
done_testing();

# A script that does these things and keeps its arguments.
sub target
{
	my ($name, @lines) = @_;
	make_path("$directory/source/seeds/$name");
	write_file("$directory/source/seeds/$name/one", 'x');
	write_file("$directory/$name", join("\n", '#!/bin/sh', "echo \"\$*\" >>$directory/$name.arguments",
		@lines, ''));
	chmod(0755, "$directory/$name");
}

# Those of each call in the last run.
sub arguments { return split(/\n/, slurp("$directory/$_[0].arguments")) }

sub run
{
	my ($name) = @_;
	unlink("$directory/$name.arguments");
	my @options = ('--seconds=1', "--source=$directory/source", "--corpus=$corpus");
	my $text = qx($^X $run @options $directory/$name 2>&1);
	return ($? >> 8, $text);
}

sub write_file
{
	my ($file, $text) = @_;
	open(my $handle, '>', $file) or die "$file: $!\n";
	print {$handle} $text;
	close($handle) or die "$file: $!\n";
}
