# A network, mount and process namespace of the test's own.
#
# In it the test may use ports 25 and 53 and its own /etc/resolv.conf, whatever the host does
# with them, and every process ends with it: the first process of a process namespace takes all
# others along (pid_namespaces(7)).
package Namespace;

use strict;
use warnings;

use Cwd qw(realpath);
use File::Temp qw(tempdir);
use POSIX ();
use Tlsad::Process;

# Set to the private directory for the process inside.
use constant VARIABLE => 'TLSAD_POSTFIX_DIRECTORY';

# A whole test takes less than a minute; a sanitizer build on a loaded machine takes longer.
use constant TIME_LIMIT => 300;

# What the namespace needs, in the order in which it is used.
my @UNSHARE = qw(unshare --net --mount --pid --fork --kill-child --mount-proc);

# Postfix's own places. They are read-only inside, so that nothing here can touch the host's
# Postfix.
my @READ_ONLY = qw(/etc/postfix /var/spool/postfix /var/lib/postfix /var/mail);

# Debian keeps daemons' programs where the search path of an ordinary account does not lead.
sub extend_path
{
	my %known = map { $_ => 1 } split /:/, $ENV{PATH} // '';
	$ENV{PATH} = join ':', grep { length } $ENV{PATH} // '',
	    grep { !$known{$_} } qw(/usr/local/sbin /usr/sbin /sbin /usr/bin /bin);
	return;
}

# Each thing that is missing, as a phrase for a person; nothing when the test can run. Whoever names
# the program postfix needs its accounts as well.
sub missing
{
	my (@programs) = @_;
	extend_path();
	my @missing;
	push @missing, 'root' if $> != 0;
	push @missing, map {"the program $_"}
	    grep { !Tlsad::Process::find_program($_) } qw(unshare setpriv mount ip), @programs;
	if (grep { $_ eq 'postfix' } @programs) {
		push @missing, 'the account postfix' if !defined getpwnam 'postfix';
		push @missing, 'the group postdrop' if !defined getgrnam 'postdrop';
	}
	push @missing, 'a file /etc/resolv.conf to mount over' if !-f '/etc/resolv.conf';
	if (!@missing && system("@UNSHARE true >/dev/null 2>&1") != 0) {
		push @missing, 'the right to make network, mount and process namespaces';
	}
	return @missing;
}

sub inside
{
	return defined $ENV{ VARIABLE() };
}

# Runs this program again inside, and returns its exit status. It cannot outlive this process, nor
# the time limit. On /tmp rather than $TMPDIR: the path of a socket has only 107 octets (unix(7)).
sub run_inside
{
	my (@command) = @_;
	my $directory = tempdir('/tmp/tlsad-postfix-XXXXXX', CLEANUP => 1);
	my $child = fork // die "fork: $!\n";
	if ($child == 0) {
		$ENV{ VARIABLE() } = $directory;
		exec 'setpriv', '--pdeathsig', 'KILL', @UNSHARE, @command
		    or do { warn "setpriv: $!\n"; POSIX::_exit(127) };
	}
	my $stop = sub {
		my ($signal) = @_;
		kill 'KILL', $child;    # --kill-child takes the namespace along
		waitpid $child, 0;
		print STDERR "# ended by SIG$signal"
		    . ($signal eq 'ALRM' ? ' after ' . TIME_LIMIT . ' seconds' : '') . "\n";
		exit 1;                 # not by the signal: tempdir cleans up at exit
	};
	local @SIG{qw(INT TERM HUP ALRM)} = ($stop) x 4;
	alarm TIME_LIMIT;
	waitpid $child, 0;
	my $status = $?;
	alarm 0;
	return ($status >> 8) || ($status & 127 ? 1 : 0);
}

sub run_or_die
{
	my (@command) = @_;
	system(@command) == 0 or die "@command: " . ($? == -1 ? $! : "status $?") . "\n";
	return;
}

sub write_file
{
	my ($path, $text) = @_;
	open my $file, '>', $path or die "$path: $!\n";
	print {$file} $text;
	close $file or die "$path: $!\n";
	return $path;
}

sub read_file
{
	my ($path) = @_;
	open my $file, '<', $path or return '';
	local $/ = undef;
	return scalar(<$file>) // '';
}

# Called first inside, with the text of resolv.conf and the addresses that Postfix shall find on an
# interface: gives the private directory. It lies on a file system of its own, which the kernel drops
# together with the namespace.
sub enter
{
	my ($resolv_conf, @addresses) = @_;
	my $directory = $ENV{ VARIABLE() };
	# The kernel keeps signals without a handler from a namespace's first process.
	$SIG{$_} = sub { exit 1 }
	    for qw(INT TERM HUP);
	$SIG{PIPE} = 'IGNORE';
	umask 022;
	run_or_die('mount', '-t', 'tmpfs', '-o', 'mode=0755', 'tlsad', $directory);
	# Whatever a program leaves in shared memory goes with the namespace as well.
	run_or_die('mount', '-t', 'tmpfs', '-o', 'mode=1777', 'tlsad', '/dev/shm') if -d '/dev/shm';
	for my $path (grep { -d } @READ_ONLY) {
		$path = realpath($path);
		run_or_die('mount', '--bind', $path, $path);
		run_or_die('mount', '-o', 'remount,bind,ro', $path);
	}
	my $resolver = write_file("$directory/resolv.conf", $resolv_conf);
	run_or_die('mount', '--bind', $resolver, realpath('/etc/resolv.conf'));
	run_or_die(qw(ip link set lo up));
	run_or_die(qw(ip address add dev lo), "$_/32") for @addresses;
	delete @ENV{qw(MAIL_CONFIG LOCALDOMAIN RES_OPTIONS)};
	return $directory;
}

1;
