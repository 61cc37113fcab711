package Lint::Report;

# Shared by the checks of contrib/lint: printing errors, finding files, running programs. Paths are
# relative to the top of the tree, which is the current directory.

use strict;
use warnings;
use Exporter qw(import);
use File::Find ();

our @EXPORT_OK = qw(refuse error_count read_lines find_files first_line not_checked run run_each);

my @top_folders = qw(.ci common conf contrib daemon systemd t);
my $errors = 0;

sub refuse
{
	my ($file, $line, $text) = @_;
	$errors++;
	print "$file:$line: $text\n";
	return;
}

sub error_count { return $errors }

sub read_lines
{
	my ($file) = @_;
	open(my $handle, '<', $file) or die "lint: $file: $!\n";
	return <$handle>;
}

# The first line of a file without its line feed; '' if the file is empty.
sub first_line
{
	my ($file) = @_;
	open(my $handle, '<', $file) or die "lint: $file: $!\n";
	my $line = <$handle> // '';
	chomp($line);
	return $line;
}

# The regular files whose path matches the pattern, sorted.
sub find_files
{
	my ($pattern) = @_;
	my @files;
	my $wanted = sub {
		# Tests make these if the tree is built in its own directory.
		return $File::Find::prune = 1 if m{^t/(?:lab|bench)-data};
		push @files, $_ if -f && !-l && $_ =~ $pattern;
	};
	File::Find::find({ no_chdir => 1, wanted => $wanted }, grep { -d } @top_folders);
	return sort @files;
}

# Reports that a check's program is missing. $file: the file with the rules of the check, or the
# first file that it would read.
sub not_checked
{
	my ($file, $what, $why) = @_;
	if (($ENV{CI} // '') eq 'true') {
		refuse($file, 1, "$why: install it");
	} else {
		print "lint: $what not checked: $why\n";
	}
	return;
}

# Starts a program; returns a handle that reads both of its outputs.
sub start
{
	my (@command) = @_;
	my $pid = open(my $pipe, '-|') // die "lint: fork: $!\n";
	if ($pid == 0) {
		open(STDERR, '>&', \*STDOUT);
		no warnings 'exec';
		exec(@command) or do { print "$command[0]: $!\n"; exit(127) };
	}
	return $pipe;
}

# Both outputs of a program; $? is its status.
sub run
{
	my $pipe = start(@_);
	my $text = do { local $/; <$pipe> } // '';
	close($pipe);
	return $text;
}

# Runs a command for each file, one on each processor. $command returns the command's words for a
# file; $read is called with a file, the command's output and its status, in the order of the files.
sub run_each
{
	my ($command, $read, @files) = @_;
	my ($processors) = run('nproc') =~ /^(\d+)$/;
	my @running;
	while (@files || @running) {
		while (@files && @running < ($processors // 2)) {
			my $file = shift @files;
			push @running, [ $file, start($command->($file)) ];
		}
		my ($file, $pipe) = @{shift @running};
		my $text = do { local $/; <$pipe> } // '';
		close($pipe);
		$read->($file, $text, $?);
	}
	return;
}

1;
