package Tlsad::Systemd;

# Tlsad::Systemd - a real, separate systemd for a test
#
# Purpose
#   Boots the installed systemd in namespaces, over a copy of this machine's files
#   (t/lab/boot-systemd), and controls it. This machine needs no running systemd, and a
#   running one is not affected.
#
# Functions
#   Tlsad::Systemd->missing
#       Each missing requirement, as a phrase; an empty list if the test can run.
#   Tlsad::Systemd->boot(files => {PATH => TEXT}, programs => {PATH => FILE})
#       PATHs are absolute paths inside. Returns when it has started; dies with the reason
#       if it does not start.
#   $systemd->run(COMMAND...)       inside. Returns (STATUS, OUTPUT), both outputs together
#   $systemd->path(PATH)            the path here for a path inside, also of a socket
#   $systemd->write(PATH, TEXT)     also creates the directory
#   $systemd->property(UNIT, NAME)  the value that systemctl show prints
#   $systemd->process(UNIT)         its main process ID as seen here; undef without one
#   $systemd->stop                  also done when the object is destroyed

use strict;
use warnings;
use File::Basename qw(dirname);
use File::Copy ();
use File::Path qw(make_path);
use POSIX ();
use Time::HiRes ();
use Tlsad::Process ();

# The search path for commands inside, whatever the caller's is.
use constant SEARCH_PATH => '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
use constant { BOOT_TIMEOUT => 60, END_TIMEOUT => 10 };		# [s]

sub missing
{
	my @missing;
	push(@missing, 'root') if $> != 0;
	push(@missing, map { "the program $_" } grep { !defined Tlsad::Process::find_program($_) }
		qw(systemctl journalctl nsenter unshare chroot mount));
	push(@missing, 'the program /lib/systemd/systemd') unless -x '/lib/systemd/systemd';
	return @missing;
}

sub boot
{
	my ($class, %options) = @_;
	my $directory = Tlsad::Process::private_directory();
	my %texts = %{$options{files} // {}};
	_write("$directory/files$_", $texts{$_}) for keys %texts;
	my %programs = %{$options{programs} // {}};
	for my $path (keys %programs) {
		make_path(dirname("$directory/files$path"));
		File::Copy::copy($programs{$path}, "$directory/files$path") or die "$path: $!\n";
		chmod(0755, "$directory/files$path");
	}
	pipe(my $reader, my $writer) or die "pipe: $!\n";
	my $log = "$directory/log";
	my $self = bless { owner => $$, directory => $directory, pipe => $writer,
		process => Tlsad::Process::spawn(log => $log, input => $reader,
			command => [ Tlsad::Process::source_directory() . '/t/lab/boot-systemd', $directory ]) }, $class;
	close($reader);
	my $end = Time::HiRes::time() + BOOT_TIMEOUT;
	while (1) {
		my $text = Tlsad::Process::slurp($log);
		my ($init) = $text =~ /^init (\d+)$/m;
		if (defined $init) {
			$self->{init} = $init;
			my (undef, $state) = $self->run('systemctl', 'is-system-running');
			return $self if $state =~ /^(?:running|degraded)$/;
		}
		my $alive = $self->{process}->alive;
		if (!$alive || Time::HiRes::time() > $end) {
			$self->stop;
			die "systemd does not come up:\n$text" . Tlsad::Process::slurp($log);
		}
		Time::HiRes::sleep(0.1);
	}
}

sub _write
{
	my ($file, $text) = @_;
	make_path(dirname($file));
	open(my $handle, '>', $file) or die "$file: $!\n";
	print {$handle} $text;
	close($handle) or die "$file: $!\n";
}

sub run
{
	my ($self, @command) = @_;
	my $pid = open(my $pipe, '-|') // die "fork: $!\n";
	if ($pid == 0) {
		open(STDIN, '<', '/dev/null');
		open(STDERR, '>&', \*STDOUT);
		$ENV{PATH} = SEARCH_PATH;
		exec('nsenter', '--target', $self->{init}, qw(--mount --pid --ipc --uts --cgroup), '--', @command)
			or POSIX::_exit(127);
	}
	my $output = do { local $/; <$pipe> } // '';
	close($pipe);
	return ($? >> 8, $output);
}

sub path { return "/proc/$_[0]{init}/root$_[1]" }
sub write { return _write($_[0]->path($_[1]), $_[2]) }

sub property
{
	my ($self, $unit, $name) = @_;
	my (undef, $text) = $self->run('systemctl', 'show', '--value', '--property', $name, $unit);
	chomp($text);
	return $text;
}

sub process
{
	my ($self, $unit) = @_;
	my $inside = $self->property($unit, 'MainPID');
	my $namespace = readlink("/proc/$self->{init}/ns/pid") // return undef;
	for my $directory (glob('/proc/[0-9]*')) {
		next unless (readlink("$directory/ns/pid") // '') eq $namespace;
		return $directory =~ s{.*/}{}r if Tlsad::Process::slurp("$directory/status") =~ /^NSpid:.*\t\Q$inside\E$/m;
	}
	return undef;
}

sub stop
{
	my ($self) = @_;
	return if $self->{owner} != $$ || !$self->{pipe};
	close(delete $self->{pipe});
	# While the test ends, other objects may already be destroyed; the end of the pipe then
	# suffices.
	$self->{process}->wait(END_TIMEOUT) // $self->{process}->stop(5) if $self->{process};
}

sub DESTROY
{
	my ($self) = @_;
	local ($?, $@);
	$self->stop;
}

1;
