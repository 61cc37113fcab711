package Lint::C;

# clang-format and clang-tidy on the C files. Other versions break lines elsewhere and find other
# faults.

use strict;
use warnings;
use Cwd ();
use Exporter qw(import);
use Lint::Report qw(refuse read_lines not_checked run run_each);

our @EXPORT_OK = qw(check_format check_faults);

use constant VERSION => 14;
# The analyzer ends its work on a function after this number of states. The default, ten times as
# many, takes three times as long and finds the same here.
use constant STATES_MAX => 20000;
# Code that is only compiled if configure is asked for it: its macro, and the header that it needs.
my %optional = (HAVE_LIBSYSTEMD => '/usr/include/systemd/sd-daemon.h');

# The program of the right version, or undef and the reason. $chosen: its name, if the environment
# has one.
sub find_program
{
	my ($name, $chosen) = @_;
	my $why = "$name ${\VERSION} is not installed";
	for my $program ($chosen // ("$name-${\VERSION}", $name)) {
		my ($version) = run($program, '--version') =~ /\bversion (\d+)/ or next;
		return ($program) if $version == VERSION;
		$why .= ", $program is version $version";
	}
	return (undef, $why);
}

sub check_format
{
	my (@files) = @_;
	return refuse('.clang-format', 1, 'is missing: it says how files are formatted')
		unless -f '.clang-format';
	my ($program, $why) = find_program('clang-format', $ENV{CLANG_FORMAT});
	return not_checked('.clang-format', 'formatting is', $why) if !defined $program;
	my $output = run($program, '--dry-run', '-Werror', '--style=file', @files);
	my %line;
	$line{$1} //= $2 while $output =~ /^(\S+?):(\d+):\d+: error: code should be clang-formatted/mg;
	for my $file (sort keys %line) {
		refuse($file, $line{$file}, "is not as clang-format writes it: $program -i $file");
	}
	refuse('.clang-format', 1, "$program failed: $output") if $? != 0 && !%line;
	return;
}

# The macros that the build defines, with a value for each: configure need not have run.
sub defined_macros
{
	my %names;
	for my $file (grep { -f } qw(Makefile.am configure.ac)) {
		for (read_lines($file)) {
			$names{$1} = 1 if /^\s*-D(\w+)='"/ || /^\s*AC_DEFINE_UNQUOTED\(\[(\w+)\]/
				|| /\[AC_DEFINE_UNQUOTED\(\[(\w+)\]/;
		}
	}
	return map { "-D$_=\"/lint\"" } sort keys %names;
}

sub check_faults
{
	my (@files) = @_;
	return refuse('.clang-tidy', 1, 'is missing: it has the list of checks')
		unless -f '.clang-tidy';
	my ($program, $why) = find_program('clang-tidy', $ENV{CLANG_TIDY});
	return not_checked('.clang-tidy', 'faults in C are', $why) if !defined $program;
	my @compiler = ('-std=gnu17', '-D_GNU_SOURCE', '-I.', defined_macros(), '-Xclang',
		'-analyzer-config', '-Xclang', 'max-nodes=' . STATES_MAX);
	my ($top, %seen) = (Cwd::getcwd());
	my $command = sub { ($program, '--quiet', $_[0], '--', @compiler) };
	my $read = sub {
		my ($file, $output, $status) = @_;
		my $found = 0;
		while ($output =~ m{^(\S+?):(\d+):\d+: (?:warning|error): (.+)$}mg) {
			my ($place, $line, $text) = ($1, $2, $3);
			$place =~ s{^(?:\Q$top\E/)?(?:\./)?}{};
			$text =~ s/,-warnings-as-errors\]$/]/;
			$found = 1;
			# A fault in a header is found in each file that includes it.
			refuse($place, $line, "$text: correct it") if !$seen{"$place:$line:$text"}++;
		}
		refuse($file, 1, "$program failed: $output") if $status != 0 && !$found;
	};
	@files = grep { /\.c\z/ } @files;
	run_each($command, $read, @files);
	for my $macro (grep { -f $optional{$_} } sort keys %optional) {
		push @compiler, "-D$macro=1";
		run_each($command, $read, grep { join('', read_lines($_)) =~ /\b$macro\b/ } @files);
	}
	return;
}

1;
