package Tlsad::Observe;

# Tlsad::Observe - figures about a daemon, from outside
#
# Functions (all are exported)
#   explain(DAEMON, KEY)       the decoded JSON of map explain; dies without it
#   figures(DAEMON)            the counters of its last "stopped:" log line, by name
#   count_matches(TEXT, RE)    how often RE matches
#   wait_until(SECONDS, CODE)  true as soon as CODE is true; false after SECONDS
#   sanitized(DAEMON)          is it built with a sanitizer? Its memory and its
#                              speed are then meaningless
#   sanitizer_built_in(PROGRAM) the same before it runs
#   resident(DAEMON)           resident memory in bytes
#   descriptors(DAEMON)        its number of open file descriptors
#   threads(DAEMON)            its number of threads

use strict;
use warnings;
use Exporter 'import';
use JSON::PP ();
use Time::HiRes ();

our @EXPORT = qw(explain figures count_matches wait_until sanitized sanitizer_built_in resident descriptors
	threads);

use constant POLL_INTERVAL => 0.05;		# [s]

sub explain
{
	my ($daemon, $key) = @_;
	my $reply = $daemon->request('explain', $key);
	die "explain $key: $reply\n" unless $reply =~ /\AOK (\{.*\})\z/;
	return JSON::PP->new->utf8->decode($1);
}

sub figures
{
	my ($daemon) = @_;
	my ($line) = $daemon->log_text =~ /.*^\S+ stopped: ([^\n]*)$/ms;
	die "no \"stopped:\" line in the log:\n" . $daemon->log_text unless defined $line;
	return { $line =~ /(\w+)=(\d+)/g };
}

sub count_matches
{
	my ($text, $pattern) = @_;
	my $count = () = $text =~ /$pattern/g;
	return $count;
}

sub wait_until
{
	my ($seconds, $code) = @_;
	my $end = Time::HiRes::time() + $seconds;
	while (1) {
		return 1 if $code->();
		return 0 if Time::HiRes::time() >= $end;
		Time::HiRes::sleep(POLL_INTERVAL);
	}
}

sub _read
{
	my ($file) = @_;
	open(my $handle, '<', $file) or die "$file: $!\n";
	local $/;
	return scalar <$handle>;
}

sub sanitizer_built_in
{
	my ($program) = @_;
	return qx(ldd $program 2>/dev/null) =~ /lib[at]san|libubsan/
		|| qx(nm -D $program 2>/dev/null) =~ /__[at]san_init/;
}

sub sanitized
{
	my ($daemon) = @_;
	return _read('/proc/' . $daemon->pid . '/maps') =~ /lib[at]san|libubsan/;
}

sub resident
{
	my ($daemon) = @_;
	my ($kilobytes) = _read('/proc/' . $daemon->pid . '/status') =~ /^VmRSS:\s+(\d+) kB/m
		or die "no VmRSS\n";
	return $kilobytes * 1024;
}

sub threads
{
	my ($daemon) = @_;
	my ($count) = _read('/proc/' . $daemon->pid . '/status') =~ /^Threads:\s+(\d+)/m
		or die "no Threads\n";
	return $count;
}

sub descriptors
{
	my ($daemon) = @_;
	opendir(my $directory, '/proc/' . $daemon->pid . '/fd') or die "fd: $!\n";
	return scalar(grep { /^\d+$/ } readdir($directory));
}

1;
