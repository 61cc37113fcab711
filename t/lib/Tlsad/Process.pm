package Tlsad::Process;

# Tlsad::Process - processes that never outlive the test that started them
#
# Purpose
#   Starts a program (or a Perl function) in its own process group, checks whether it
#   runs, and ends it within a limited time. If the test itself dies, even by SIGKILL,
#   a watcher process ends the remaining processes and removes the private directories
#   of the test.
#
# Functions
#   spawn(command => [PROGRAM, ARGUMENT...], log => FILE, env => {NAME => VALUE})
#   spawn(code => sub {...}, log => FILE, input => HANDLE)
#       Starts it with standard input from HANDLE (default /dev/null) and both
#       outputs appended to FILE (default /dev/null). An env value of undef unsets the variable.
#       Returns an object. Dies if fork fails; if the program cannot be run, the process
#       exits with status 127 and writes the reason to FILE.
#   $process->pid, $process->alive, $process->signal('HUP')
#   $process->wait(SECONDS)
#       The wait status as in $?, or undef if it still runs.
#   $process->stop(SECONDS)
#       SIGTERM, after SECONDS SIGKILL to the whole group. Returns the status.
#   private_directory()
#       A new directory for this test, removed at its end unless TLSAD_KEEP is set. Its
#       path is short, because the path of a unix socket is limited.
#   find_program(NAME...)
#       The path of the first program that exists, or undef. Searches the sbin
#       directories too, which are not in PATH of an ordinary user.
#   free_port()
#       A port of 127.0.0.1 that is free for UDP and TCP at this moment.
#   namespace_obstacle(OPTION...)
#       Why unshare(1) makes no namespaces with these options, as a phrase after
#       "needs"; undef when it does.
#   slurp(FILE)
#       The content of a file, empty if it does not exist.
#   source_directory(), build_directory()
#       TLSAD_SOURCE and TLSAD_BUILD, by default the directory above t/.

use strict;
use warnings;
use Cwd ();
use Exporter 'import';
use File::Basename ();
use File::Temp ();
use IO::Select;
use IO::Socket::INET;
use POSIX ();
use Time::HiRes ();

our @EXPORT_OK = qw(spawn private_directory find_program free_port slurp
	source_directory build_directory);

# Outside the kernel's range of ports for outgoing connections, so that no query socket
# of a resolver takes a port between our check and our use of it.
use constant { FIRST_PORT => 20000, LAST_PORT => 31999, PORT_ATTEMPTS => 200 };
use constant POLL_INTERVAL => 0.02;		# [s]
use constant WATCHER_INTERVAL => 1;		# [s]

my ($watcher_pipe, $watcher_owner);

sub source_directory
{
	return $ENV{TLSAD_SOURCE} if $ENV{TLSAD_SOURCE};
	my $here = File::Basename::dirname(Cwd::abs_path(__FILE__));
	return Cwd::abs_path("$here/../../..");
}

sub build_directory
{
	return $ENV{TLSAD_BUILD} if $ENV{TLSAD_BUILD};
	my $source = source_directory();
	return -x "$source/build/tlsad" ? "$source/build" : $source;
}

sub find_program
{
	my (@names) = @_;
	for my $name (@names) {
		for my $directory (split(/:/, $ENV{PATH} // ''),
			qw(/usr/local/sbin /usr/sbin /sbin /usr/local/bin /usr/bin /bin)) {
			next if $directory eq '';
			return "$directory/$name"
				if -f "$directory/$name" && -x _;
		}
	}
	return undef;
}

sub namespace_obstacle
{
	my (@options) = @_;
	my $unshare = find_program('unshare') or return 'the program unshare';
	my $said = qx($unshare @options true 2>&1);
	return undef if $? == 0;
	chomp($said);
	# unshare(1) makes mounts private, which the kernel only does to mount points.
	my $mounts = slurp('/proc/self/mountinfo');
	return 'a root directory that is a mount point, not a plain chroot (contrib/debian-root makes one)'
		if $mounts ne '' && $mounts !~ m{^\S+ \S+ \S+ \S+ / }m;
	return "the right to make namespaces ($said)";
}

sub slurp
{
	my ($file) = @_;
	open(my $handle, '<:raw', $file) or return '';
	local $/;
	return <$handle> // '';
}

sub free_port
{
	for (1 .. PORT_ATTEMPTS) {
		my $port = FIRST_PORT + int(rand(LAST_PORT - FIRST_PORT + 1));
		my %address = (LocalAddr => '127.0.0.1', LocalPort => $port);
		my $udp = IO::Socket::INET->new(%address, Proto => 'udp') or next;
		my $tcp = IO::Socket::INET->new(%address, Proto => 'tcp', Listen => 1)
			or next;
		return $port;
	}
	die "no free port on 127.0.0.1\n";
}

sub private_directory
{
	my $directory = File::Temp::tempdir('tlsad-XXXXXXXX', TMPDIR => 1,
		CLEANUP => !$ENV{TLSAD_KEEP});
	print STDERR "# kept: $directory\n" if $ENV{TLSAD_KEEP};
	_tell_watcher("directory $directory") unless $ENV{TLSAD_KEEP};
	return $directory;
}

# The watcher is informed of every process and directory through a pipe. It acts when
# the pipe ends or when its parent has ended, because a child of the test may have
# inherited the pipe and keep it open.
sub _start_watcher
{
	return if defined $watcher_owner && $watcher_owner == $$;
	my $owner = $$;
	pipe(my $reader, my $writer) or die "pipe: $!\n";
	my $pid = fork() // die "fork: $!\n";
	if ($pid == 0) {
		close($writer);
		$SIG{$_} = 'IGNORE' for qw(INT TERM HUP QUIT PIPE);
		POSIX::setsid();
		open(STDIN, '<', '/dev/null');
		open(STDOUT, '>', '/dev/null');
		open(STDERR, '>', '/dev/null');
		_watch($reader, $owner);
		POSIX::_exit(0);
	}
	close($reader);
	$writer->autoflush(1);
	($watcher_pipe, $watcher_owner) = ($writer, $owner);
}

sub _watch
{
	my ($reader, $owner) = @_;
	my (%running, %directories);
	my $buffer = '';
	my $select = IO::Select->new($reader);
	while (getppid() == $owner) {
		next unless $select->can_read(WATCHER_INTERVAL);
		my $count = sysread($reader, $buffer, 4096, length($buffer));
		last unless $count;
		while ($buffer =~ s/^(\S+) (.*)\n//) {
			if ($1 eq 'start') { $running{$2} = 1 }
			elsif ($1 eq 'end') { delete $running{$2} }
			elsif ($1 eq 'directory') { $directories{$2} = 1 }
		}
	}
	# When the test ends normally, it removes its directories itself.
	for (1 .. 100) {
		last unless kill(0, $owner);
		Time::HiRes::sleep(0.05);
	}
	kill('TERM', -$_) for keys %running;
	Time::HiRes::sleep(0.5) if %running;
	kill('KILL', -$_) for keys %running;
	for my $directory (keys %directories) {
		system('rm', '-rf', '--', $directory)
			if $directory =~ m{/tlsad-\w+\z} && -d $directory;
	}
}

sub _tell_watcher
{
	my ($line) = @_;
	_start_watcher();
	local $SIG{PIPE} = 'IGNORE';
	print {$watcher_pipe} "$line\n";
}

sub spawn
{
	my (%options) = @_;
	my $log = $options{log} // '/dev/null';
	_start_watcher();
	my $pid = fork() // die "fork: $!\n";
	if ($pid == 0) {
		setpgrp(0, 0);
		close($watcher_pipe);
		$SIG{$_} = 'DEFAULT' for qw(INT TERM HUP QUIT PIPE CHLD ALRM);
		if ($options{input}) { open(STDIN, '<&', $options{input}) }
		else { open(STDIN, '<', '/dev/null') }
		open(STDOUT, '>>', $log) or POSIX::_exit(126);
		open(STDERR, '>&', \*STDOUT) or POSIX::_exit(126);
		my $env = $options{env} // {};
		for my $name (keys %$env) {
			if (defined $env->{$name}) { $ENV{$name} = $env->{$name} }
			else { delete $ENV{$name} }
		}
		if ($options{code}) {
			my $finished = eval { $options{code}->(); 1 };
			print STDERR $@ unless $finished;
			POSIX::_exit($finished ? 0 : 1);
		}
		my @command = @{$options{command}};
		{ no warnings 'exec'; exec { $command[0] } @command; }
		print STDERR "$command[0]: $!\n";
		STDERR->flush;
		POSIX::_exit(127);
	}
	setpgrp($pid, $pid);	# whichever of the two comes first
	_tell_watcher("start $pid");
	return bless { pid => $pid, owner => $$, status => undef }, __PACKAGE__;
}

sub pid { return $_[0]{pid} }

sub alive
{
	my ($self) = @_;
	$self->_reap;
	return !defined $self->{status};
}

sub _reap
{
	my ($self) = @_;
	return if defined $self->{status};
	local ($?, $!);
	my $pid = waitpid($self->{pid}, POSIX::WNOHANG());
	return if $pid == 0;
	# -1: another function reaped it, and its status is lost.
	$self->{status} = $pid == $self->{pid} ? $? : 255 << 8;
	_tell_watcher("end $self->{pid}");
}

sub signal
{
	my ($self, $signal) = @_;
	return 0 unless $self->alive;
	return kill($signal, $self->{pid});
}

sub wait
{
	my ($self, $seconds) = @_;
	my $end = Time::HiRes::time() + $seconds;
	while ($self->alive) {
		return undef if Time::HiRes::time() >= $end;
		Time::HiRes::sleep(POLL_INTERVAL);
	}
	return $self->{status};
}

sub stop
{
	my ($self, $seconds) = @_;
	return $self->{status} if $self->{owner} != $$;
	if ($self->alive) {
		kill('TERM', $self->{pid});
		if (!defined $self->wait($seconds // 10)) {
			kill('KILL', -$self->{pid});
			$self->wait(10);
		}
	}
	return $self->{status};
}

sub DESTROY
{
	my ($self) = @_;
	return if $self->{owner} != $$;
	local ($@, $?, $!);
	$self->stop(2);
}

1;
