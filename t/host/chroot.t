#!/usr/bin/perl
# Tests that need namespaces say why they cannot make them: in a plain chroot, because its root
# directory is not a mount point, and not because of a right.
#
# The chroot has this machine's directories, each mounted on its own. Needs root.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use Tlsad::Process;

my $obstacle = Tlsad::Process::namespace_obstacle('--mount');
if (defined $obstacle || $> != 0) {
	plan(skip_all => 'needs ' . ($obstacle // 'root')) if ($ENV{CI} // '') ne 'true';
	plan(tests => 1);
	fail('it must run (CI=true), and needs ' . ($obstacle // 'root'));
	exit 1;
}

my $library = Tlsad::Process::source_directory() . '/t/lib';
my $root = Tlsad::Process::private_directory();
# No mount may hide the library: all are bound with what is below them.
my ($top) = $library =~ m{^(/[^/]+)};
my %wanted = map { ($_ => 1) } qw(/usr /bin /sbin /lib /lib64 /etc /proc /dev), $top;
my @script = 'set -e';
for my $directory (sort grep { -d } keys %wanted) {
	if (-l $directory) {
		symlink(readlink($directory), "$root$directory") or die "$directory: $!\n";
	} else {
		mkdir("$root$directory") or die "$directory: $!\n";
		push(@script, "mount --rbind $directory $root$directory");
	}
}
push(@script, "exec chroot $root $^X -I$library -MTlsad::Process -e "
	. '\'print Tlsad::Process::namespace_obstacle("--mount") // "nothing"\'');
my $said = do {
	open(my $pipe, '-|', 'unshare', '--mount', 'sh', '-c', join("\n", @script)) or die "unshare: $!\n";
	local $/;
	<$pipe>;
};
like($said, qr/^a root directory that is a mount point, not a plain chroot/, 'in a plain chroot');
is(Tlsad::Process::namespace_obstacle('--mount'), undef, 'outside of it nothing is in the way');
like(Tlsad::Process::namespace_obstacle('--no-such-option'), qr/^the right to make namespaces \(.*no-such-option/,
	'else there are the words of unshare(1)');
done_testing();
