# A private network, mount and process namespace for a test.
#
# In it the test may use ports 25 and 53 and its own /etc/resolv.conf, independently of the host,
# and every process ends with it: when the first process of a process namespace ends, all others
# are killed (pid_namespaces(7)).
package Namespace;

use strict;
use warnings;

use Cwd qw(realpath);
use File::Temp qw(tempdir);
use POSIX ();
use Test::More ();
use Tlsad::Process;

# Set to the private directory for the process inside.
use constant VARIABLE => 'TLSAD_POSTFIX_DIRECTORY';

# [s] A limit for tests that hang. The longest, t/ctl/doctor.t, takes three minutes, and more than
# five with a sanitizer on a loaded machine.
use constant TIME_LIMIT => 900;

# Programs that the namespace needs, in the order of their use.
my @UNSHARE = qw(unshare --net --mount --pid --fork --kill-child --mount-proc);

# Postfix's own directories. They are read-only inside, so that the test cannot change the host's
# Postfix.
my @READ_ONLY = qw(/etc/postfix /var/spool/postfix /var/lib/postfix /var/mail);

# Debian installs daemons in directories that are not in the search path of an ordinary account.
sub extend_path
{
	my %known = map { $_ => 1 } split /:/, $ENV{PATH} // '';
	$ENV{PATH} = join ':', grep { length } $ENV{PATH} // '',
	    grep { !$known{$_} } qw(/usr/local/sbin /usr/sbin /sbin /usr/bin /bin);
	return;
}

# Each missing requirement, as a phrase; an empty list if the test can run. The program postfix also
# needs its accounts.
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
	return @missing if @missing;
	return grep {defined} Tlsad::Process::namespace_obstacle(@UNSHARE[1 .. $#UNSHARE]);
}

sub inside
{
	return defined $ENV{ VARIABLE() };
}

# Runs this program again inside, and returns its exit status. It ends at the latest with this
# process or at the time limit. Uses /tmp instead of $TMPDIR, because the path of a socket has at
# most 107 octets (unix(7)).
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

# Runs this test again inside and exits with its status. With something missing the test is skipped
# instead, and with CI=true it has failed.
sub restart_inside
{
	my (@missing) = @_;
	if (@missing) {
		my $reason = 'needs ' . join ', ', @missing;
		Test::More::plan(skip_all => $reason) if ($ENV{CI} // '') ne 'true';
		Test::More::plan(tests => 1);
		Test::More::fail('the test\'s prerequisites are there (CI=true)');
		Test::More::diag($reason);
		exit 1;
	}
	exit run_inside($^X, realpath($0));
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

# Makes files a minute old: Postfix reads a file that was changed in the last second again and again
# for two seconds.
sub age
{
	my (@files) = @_;
	my $time = time - 60;
	utime $time, $time, @files;
	return;
}

sub read_file
{
	my ($path) = @_;
	open my $file, '<', $path or return '';
	local $/ = undef;
	return scalar(<$file>) // '';
}

# Called first inside, with the text of resolv.conf and the addresses that Postfix should find on an
# interface: returns the private directory. It is on a separate file system, which the kernel removes
# together with the namespace.
sub enter
{
	my ($resolv_conf, @addresses) = @_;
	my $directory = $ENV{ VARIABLE() };
	# The kernel does not deliver signals without a handler to the first process of a namespace.
	$SIG{$_} = sub { exit 1 }
	    for qw(INT TERM HUP);
	$SIG{PIPE} = 'IGNORE';
	umask 022;
	run_or_die('mount', '-t', 'tmpfs', '-o', 'mode=0755', 'tlsad', $directory);
	# Files that a program leaves in shared memory disappear with the namespace too.
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
