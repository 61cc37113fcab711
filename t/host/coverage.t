#!/usr/bin/perl
# t/coverage: its arguments, and which tests it runs. A shell script is its compiler, and the tree
# has nothing to build.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use Tlsad::Process qw(private_directory);

my $program = Tlsad::Process::source_directory() . '/t/coverage';
my $directory = private_directory();
mkdir("$directory/$_") for qw(tree tree/t tree/t/unit build build/t build/t/unit bin);
write_file("tree/t/$_", '') for qw(one.t two.t);
# A unit test is a program of the build that counts, not of the one in which make was called.
write_file('build/t/unit/part', '');
write_file('tree/configure', "#!/bin/sh\nprintf 'all programs:\\ncheck:\\n\\t\@echo run: \$(ONLY)\\n' >Makefile\n");
write_file("bin/$_", "#!/bin/sh\necho version 14.0.6\n") for qw(clang llvm-cov);
chmod(0755, map { "$directory/$_" } qw(tree/configure bin/clang bin/llvm-cov));
$ENV{PATH} = "$directory/bin:$ENV{PATH}";
$ENV{CLANG} = 'clang';

{
	local $ENV{ONLY} = '../tree/t/one.t t/unit/part ../tree/t/two.t';
	my ($status, $said) = run('../tree', "$directory/build/coverage");
	like($said, qr{^run: $directory/tree/t/one\.t t/unit/part $directory/tree/t/two\.t$}m,
		'ONLY has paths as make check takes them');
}
for my $arguments ([], ['../tree'], ['--bad', 'x'], ['x', '-v'], ['../tree', 'x', 'y']) {
	my ($status, $said) = run(@$arguments);
	is($status, 64, "refused: @$arguments");
	like($said, qr/^coverage - .*^  t\/coverage /ms, 'with the usage');
}
for my $arguments (['--help'], ['x', '--help']) {
	my ($status, $said) = run(@$arguments);
	is($status, 0, "@$arguments");
	like($said, qr/^coverage - /, 'the usage');
}
ok(!-e "$directory/build/$_", "no directory $_ was made") for '--bad', '--help', 'x';
done_testing();

# In the build directory, as make does. Its status and both outputs.
sub run
{
	my (@arguments) = @_;
	my $said = qx(cd $directory/build && $program @arguments 2>&1);
	return ($? >> 8, $said);
}

sub write_file
{
	my ($file, $text) = @_;
	open(my $handle, '>', "$directory/$file") or die "$file: $!\n";
	print {$handle} $text;
	close($handle) or die "$file: $!\n";
}
