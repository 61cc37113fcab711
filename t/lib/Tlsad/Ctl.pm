package Tlsad::Ctl;

# Tlsad::Ctl - runs tlsactl of the build directory once
#
# Purpose
#   Runs tlsactl with a private configuration and returns its output and exit status.
#   The configuration, state and resolver of the system are not used.
#
# Functions
#   Tlsad::Ctl->new(lab => $lab, config => {SECTION => {KEY => VALUE or [VALUES]}})
#       Writes a configuration as Tlsad::Daemon does: with the lab's resolver
#       settings, or without a lab a root server on which nothing listens.
#   $ctl->run(ARGUMENT...)
#   $ctl->run({env => {NAME => VALUE}, seconds => N}, ARGUMENT...)
#       {status, out, err, seconds}: the exit status, 128 + signal, both outputs
#       and the time it took. It is killed after N seconds (default 60).
#   $ctl->json(ARGUMENT...)
#       The same with --json and the member json: the decoded standard output, or undef
#       if that is not one JSON object and a newline.
#   $ctl->file(NAME, TEXT)
#       Writes a file into the directory; returns its path.
#   $ctl->directory, $ctl->config_file
#   binary()
#       The path of tlsactl. Dies if it is not built.
#   slurp(FILE)
#       The content of a file, empty if it does not exist.
#
# A report of a sanitizer makes the test's exit status 1.

use strict;
use warnings;
use JSON::PP ();
use POSIX ();
use Time::HiRes ();
use Tlsad::Process ();

use constant LONGEST_RUN => 120;		# [s]

my $reports = '';

sub binary
{
	my $binary = Tlsad::Process::build_directory() . '/tlsactl';
	die "$binary is missing: build it, or set TLSAD_BUILD to its directory\n"
		unless -x $binary;
	return $binary;
}

sub new
{
	my ($class, %options) = @_;
	my $binary = binary();
	my $directory = Tlsad::Process::private_directory();
	my $self = bless { directory => $directory }, $class;
	my %config = %{$options{config} // {}};
	my %resolver = %{$options{lab} ? $options{lab}->resolver_settings
		: { stub => ['. 127.0.0.1@1'], query_localhost => 'yes' }};
	$config{resolver} = { %resolver, timeout => '8s', %{$config{resolver} // {}} };
	$config{cache} //= { path => "$directory/cache" };
	my $text = '';
	for my $section (sort keys %config) {
		$text .= "[$section]\n";
		for my $key (sort keys %{$config{$section}}) {
			my $value = $config{$section}{$key};
			$text .= "$key = $_\n" for ref $value ? @$value : $value;
		}
	}
	$self->file('tlsad.conf', $text);
	return $self;
}

sub directory { return $_[0]{directory} }
sub config_file { return "$_[0]{directory}/tlsad.conf" }

sub file
{
	my ($self, $name, $text) = @_;
	my $file = "$self->{directory}/$name";
	open(my $handle, '>:raw', $file) or die "$file: $!\n";
	print {$handle} $text;
	close($handle) or die "$file: $!\n";
	return $file;
}

*slurp = \&Tlsad::Process::slurp;

sub run
{
	my ($self, @arguments) = @_;
	my %options = ref $arguments[0] ? %{shift @arguments} : ();
	my ($out, $err) = map { "$self->{directory}/$_" } qw(out err);
	my $begin = Time::HiRes::time();
	my $pid = fork() // die "fork: $!\n";
	if ($pid == 0) {
		my $env = $options{env} // {};
		$ENV{$_} = $env->{$_} for keys %$env;
		$SIG{ALRM} = 'DEFAULT';
		alarm($options{seconds} // LONGEST_RUN);	# outlives exec
		open(STDIN, '<', '/dev/null');
		open(STDOUT, '>', $out) or POSIX::_exit(126);
		open(STDERR, '>', $err) or POSIX::_exit(126);
		exec(binary(), '-c', $self->config_file, @arguments) or POSIX::_exit(127);
	}
	waitpid($pid, 0);
	my $status = $? & 127 ? 128 + ($? & 127) : $? >> 8;
	my %result = (status => $status, out => slurp($out), err => slurp($err),
		seconds => Time::HiRes::time() - $begin);
	$reports .= $result{err} if $result{err} =~ /Sanitizer|runtime error: /;
	return \%result;
}

sub json
{
	my ($self, @arguments) = @_;
	my @options = ref $arguments[0] ? shift @arguments : ();
	my $result = $self->run(@options, '--json', @arguments);
	$result->{json} = eval { JSON::PP->new->decode($result->{out}) }
		if $result->{out} =~ /\A\{.*\}\n\z/s;
	return $result;
}

END {
	my $test_status = $?;
	if ($reports ne '') {
		print STDERR "# a sanitizer reported:\n", $reports =~ s/^/# /gmr;
		$test_status ||= 1;
	}
	$? = $test_status;
}

1;
