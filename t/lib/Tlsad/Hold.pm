package Tlsad::Hold;

# Tlsad::Hold - stops a thread, with t/lab/hold-thread
#
# Functions (all are exported)
#   thread_named(PID, NAME)     the number of a thread; undef if none has that name in time
#   hold(THREAD)                the argument for release(); undef if ptrace(2) is not allowed
#   release(HELD)

use strict;
use warnings;
use Exporter 'import';
use Tlsad::Observe;
use Tlsad::Process ();

our @EXPORT = qw(thread_named hold release);

use constant TIMEOUT => 30;		# [s]
use constant NOT_ALLOWED => 77;

# A thread sets its name when it begins to run.
sub thread_named
{
	my ($pid, $name) = @_;
	my $found;
	wait_until(TIMEOUT, sub {
		for my $file (glob("/proc/$pid/task/*/comm")) {
			open(my $handle, '<', $file) or next;
			($found) = $file =~ m{/task/(\d+)/} if (<$handle> // '') eq "$name\n";
		}
		return defined $found;
	});
	return $found;
}

sub hold
{
	my ($thread) = @_;
	pipe(my $reader, my $writer) or die "pipe: $!\n";
	my $log = Tlsad::Process::private_directory() . '/log';
	my $process = Tlsad::Process::spawn(log => $log, input => $reader,
		command => [ Tlsad::Process::build_directory() . '/t/lab/hold-thread', $thread ]);
	close($reader);
	my $text = sub { open(my $handle, '<', $log) or return ''; local $/; <$handle> // '' };
	wait_until(TIMEOUT, sub { $text->() =~ /held/ || !$process->alive });
	return { process => $process, pipe => $writer } if $text->() =~ /held/;
	my $status = ($process->wait(1) // 0) >> 8;
	die 'hold-thread: ' . $text->() . "\n" if $status != NOT_ALLOWED;
	return undef;
}

sub release
{
	my ($held) = @_;
	close($held->{pipe});
	$held->{process}->wait(TIMEOUT);
}

1;
