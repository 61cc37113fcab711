package Tlsad::Confined;

# Tlsad::Confined - commands that run tlsad with few rights or little disk space
#
# Purpose
#   For the option wrapper of Tlsad::Daemon: an account without rights, a small file
#   system.
#
# Functions (all are exported)
#   as_nobody()
#       The command that runs tlsad as the account nobody, from a copy that this account
#       can read; () if this test is not run by root; (undef) without setpriv or without
#       the account.
#   mount_obstacle()
#       Why no mount namespace can be made, as a phrase after "needs"; undef when it can.
#   small_disk(MOUNT-POINT, SIZE[, COMMAND])
#       The command that gives tlsad a private file system at MOUNT-POINT, which is
#       created here. SIZE is as in tmpfs(5). COMMAND, for the shell, runs before tlsad.
#   seen_by(DAEMON, PATH)
#       The path by which this process reaches a path of such a daemon.
#   fill(FILE)
#       Writes to it until the file system is full.

use strict;
use warnings;
use Exporter 'import';
use File::Copy ();
use Tlsad::Daemon;
use Tlsad::Process;

our @EXPORT = qw(as_nobody mount_obstacle small_disk seen_by fill);

sub as_nobody
{
	return () if $> != 0;
	my $setpriv = Tlsad::Process::find_program('setpriv') or return undef;
	my @id = getpwnam('nobody') or return undef;
	# Other accounts may not be able to read the build directory, so make a copy.
	my $copy = Tlsad::Process::private_directory();
	chmod(0755, $copy);
	File::Copy::copy(Tlsad::Daemon::binary(), "$copy/tlsad") or die "copy: $!\n";
	chmod(0755, "$copy/tlsad");
	my $binary = Tlsad::Daemon::binary();
	return ('sh', '-c', "for word; do shift; test \"\$word\" != '$binary' || word=$copy/tlsad; "
		. "set -- \"\$@\" \"\$word\"; done; "
		. "exec $setpriv --reuid $id[2] --regid $id[3] --clear-groups \"\$@\"", 'sh');
}

sub mount_obstacle
{
	return 'root' if $> != 0;
	my $obstacle = Tlsad::Process::namespace_obstacle('--mount');
	return $obstacle if defined $obstacle;
	return undef if system('unshare --mount mount -t tmpfs tmpfs /mnt 2>/dev/null') == 0;
	return 'the right to mount a tmpfs';
}

# A private mount: no other process sees it.
sub small_disk
{
	my ($mount_point, $size, $before) = @_;
	mkdir($mount_point);
	return ('unshare', '-m', 'sh', '-c', "mount -t tmpfs -o size=$size tmpfs $mount_point && "
		. ($before // ':') . ' && exec "$@"', 'sh');
}

sub seen_by { return '/proc/' . $_[0]->pid . "/root$_[1]" }

sub fill
{
	my ($file) = @_;
	open(my $handle, '>:raw', $file) or die "$file: $!\n";
	1 while syswrite($handle, 'x' x 4096);
	close($handle);
}

1;
