#!/usr/bin/perl
# contrib/debian: the package is built, lintian accepts it, and in a clean Debian system it is
# installed, works, is installed again, removed and purged.
#
# Run by "make check-package", since it takes a minute or two and a Debian mirror: the one that this
# host's apt-get uses. debootstrap makes the clean system in a private directory, and its processes
# run in their own namespaces. No systemd runs there, so the test does what the unit would do. Needs
# root.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use Tlsad::Process;

# [s] For steps that take half a minute on an idle machine.
use constant TIMEOUT => 600;
# Ends with the first of its processes, together with its mounts.
my @CONFINED = qw(unshare --mount --pid --fork --kill-child --mount-proc);

# Every file with its name, except for the package and the system's records of the installation.
use constant TRACES => 'find / -xdev -path /packages -prune -o -path /proc -prune -o -path /var/log -prune'
	. ' -o -path /var/lib/apt -prune -o -name "*tlsad*" -print';

# Starts the daemon like the unit, and waits until it serves.
use constant START => <<'END_OF_SCRIPT';
install -d -o tlsad -g tlsad -m 0755 /run/tlsad
install -d -o tlsad -g tlsad -m 0750 /var/lib/tlsad
setpriv --reuid tlsad --regid tlsad --clear-groups tlsad &
tries=0
until tlsactl status >/dev/null 2>&1; do
	tries=$((tries + 1))
	[ $tries -lt 200 ] && kill -0 $! || exit 1
	sleep 0.1
done
END_OF_SCRIPT

my $source = Tlsad::Process::source_directory();
my ($codename) = read_file('/etc/os-release') =~ /^VERSION_CODENAME=(\w+)/m;
my @missing = missing();
cannot("needs @{[join(', ', @missing)]}") if @missing;

my $directory = Tlsad::Process::private_directory();
my $root = "$directory/root";
# Both take half a minute: at the same time.
my $system = begin('debootstrap', @CONFINED, 'sh', "$source/contrib/debian-root", 'make', $codename, $root);
my $build = begin('build', 'sh', "$source/contrib/debian/build", "$directory/packages");
my $status = $system->wait(TIMEOUT);
if (($status // 1) != 0) {
	my $log = log_of('debootstrap');
	cannot("no system could be made:\n$log") if $log =~ /Failed getting release file|no list of a mirror/;
	BAIL_OUT("debootstrap failed:\n$log");
}
subtest('the package' => \&built) or BAIL_OUT(log_of('build'));
my ($package) = glob("$directory/packages/tlsad_*.deb");
prepare_root();
subtest('installation' => \&installation) or BAIL_OUT(log_of('install'));
subtest('the daemon' => \&daemon);
subtest('again' => \&once_more);
subtest('removal' => \&removal);
subtest('purge' => \&purge);
subtest('purge with files of the account' => \&purge_with_files);
done_testing();

# --- what is needed

sub cannot
{
	my ($reason) = @_;
	plan(skip_all => $reason) if ($ENV{CI} // '') ne 'true';
	plan(tests => 1);
	fail('the package can be tested (CI=true)');
	diag($reason);
	exit 1;
}

sub missing
{
	my @names = map { "the program $_" } grep { !Tlsad::Process::find_program($_) }
		qw(debootstrap dpkg-buildpackage dh lintian unshare xz autoreconf);
	push(@names, 'root') if $> != 0;
	push(@names, 'the name of a release of Debian in /etc/os-release') if !defined $codename;
	return @names if @names;
	my $lacking = qx(dpkg-checkbuilddeps '$source/contrib/debian/control' 2>&1);
	push(@names, $lacking =~ s/\n//gr) if $? != 0;
	push(@names, grep { defined } Tlsad::Process::namespace_obstacle(@CONFINED[1 .. $#CONFINED]));
	return @names;
}

# --- helpers

sub read_file
{
	my ($file) = @_;
	open(my $handle, '<', $file) or return '';
	local $/;
	return <$handle> // '';
}

sub write_file
{
	my ($file, $text, $mode) = @_;
	open(my $handle, '>', $file) or die "$file: $!\n";
	print {$handle} $text;
	close($handle) or die "$file: $!\n";
	chmod($mode // 0644, $file) or die "$file: $!\n";
}

sub log_of { return read_file("$directory/$_[0].log") }

sub begin
{
	my ($name, @command) = @_;
	return Tlsad::Process::spawn(command => \@command, log => "$directory/$name.log",
		env => { DEBIAN_FRONTEND => 'noninteractive', LC_ALL => 'C.UTF-8', TMPDIR => undef });
}

my $runs = 0;

# Runs lines of the shell in the system. Gives the exit status and all output.
sub in_root
{
	my ($script, %options) = @_;
	my $name = $options{name} // 'run' . $runs++;
	my $process = begin($name, @CONFINED, ($options{alone} ? '--net' : ()), "--root=$root",
		'--wd=/', 'sh', '-c', $script);
	my $ended = $process->wait(TIMEOUT);
	return (defined $ended ? $ended >> 8 || $ended : undef, log_of($name));
}

# One test: they succeed.
sub works
{
	my ($what, $script, %options) = @_;
	my ($ended, $output) = in_root($script, %options);
	is($ended, 0, $what) or diag($output);
	return $output;
}

sub prepare_root
{
	write_file("$root/etc/resolv.conf", read_file('/etc/resolv.conf'));
	mkdir("$root/packages") or die "$root/packages: $!\n";
	system('cp', $package, "$root/packages/tlsad.deb") == 0 or die "cp failed\n";
}

# --- the package

sub built
{
	is($build->wait(TIMEOUT), 0, 'contrib/debian/build ends well');
	my ($changes) = glob("$directory/packages/tlsad_*.changes");
	ok(defined $changes, 'there is one') or return;
	my $complaints = qx(lintian --allow-root '$changes' 2>/dev/null);
	is($complaints, '', 'lintian has neither errors nor warnings');
	# "make dist" is complete: a release can be packaged as well.
	my ($tarball) = glob("$directory/packages/tlsad_*.orig.tar.xz");
	my $files = qx(tar tf '$tarball');
	like($files, qr{/contrib/debian/\Q$_\E$}m, "the release has contrib/debian/$_")
		for map { s{.*/contrib/debian/}{}r } grep { -f } glob("$source/contrib/debian/{*,source/*}");
	unlike($files, qr{^[^/]+/debian/}m, 'and no debian/ of its own');
}

# --- the system

sub installation
{
	works('apt-get install ./tlsad.deb', 'apt-get update && apt-get -y ' .
		'--no-install-recommends install /packages/tlsad.deb', name => 'install');
	my $account = works('there is an account', 'getent passwd tlsad');
	like($account, qr{^tlsad:[^:]*:[1-9]\d{0,2}:[1-9]\d{0,2}:[^:]*:/var/lib/tlsad:\S*nologin$},
		'of the system, into which nobody logs in');
	is(works('the configuration', 'find /etc/tlsad -not -user root'), '', 'is not its own');
	is(works('the configuration', 'cat /var/lib/dpkg/info/tlsad.conffiles'),
		"/etc/tlsad/root.key\n/etc/tlsad/tlsad.conf\n", 'is known to dpkg');
	is(works('tlsad -n', 'tlsad -n'), '', 'accepts it');
	works('also as the account', 'setpriv --reuid tlsad --regid tlsad --clear-groups tlsad -n');
	works('tlsactl is there', 'tlsactl --help');
	works('the manual pages are',
		'cd /usr/share/man && ls man8/tlsad.8.gz man8/tlsactl.8.gz man5/tlsad.conf.5.gz');
	works('and the completion', 'bash -c ". /usr/share/bash-completion/completions/tlsactl"');
	works("systemd will start $_", "systemctl is-enabled $_")
		for qw(tlsad.service tlsad.socket tlsad-policy.socket tlsad-control.socket);
	is(works('metrics', 'systemctl is-enabled tlsad-metrics.socket || :'), "disabled\n",
		'are not enabled by default');
	# There is no man(1) here to find the manual pages.
	is(works('the units', 'cd /lib/systemd/system; systemd-analyze verify tlsad*.* 2>&1 | '
		. 'grep tlsad | grep -v "Command .man " || :'), '', 'are valid for systemd');
}

sub daemon
{
	my $output = works('it serves', START . 'tlsactl status; tlsactl lookup "[192.0.2.1]"; '
		. 'echo "lookup: $?"; kill $! && wait $! && echo "it ended"', alone => 1);
	like($output, qr/serves on unix:\/run\/tlsad\/socketmap/, 'on the default socket');
	like($output, qr/^lookup: 1$/m, 'and answers');
	like($output, qr/^it ended$/m, 'until it is told to end');
	ok(-e "$root/var/lib/tlsad/cache/parts.mdb", 'its cache is where it should be');
}

sub once_more
{
	works('an administrator changes the configuration',
		'printf "[dane]\nsite_level = encrypt\n" >/etc/tlsad/tlsad.conf');
	works('the same package again', 'dpkg -i /packages/tlsad.deb </dev/null');
	like(works('tlsad -n -v', 'tlsad -n -v'), qr/^site_level = encrypt$/m, 'the change stays');
	ok(-e "$root/var/lib/tlsad/cache/parts.mdb", 'and so does the cache');
}

sub removal
{
	works('apt-get remove', 'apt-get -y remove tlsad');
	ok(!-e "$root/usr/sbin/tlsad", 'the program is gone');
	ok(-e "$root/etc/tlsad/tlsad.conf", 'the configuration stays');
	ok(-e "$root/var/lib/tlsad/cache/parts.mdb", 'the cache stays');
	works('the account stays', 'getent passwd tlsad');
}

sub purge
{
	works('apt-get purge', 'apt-get -y purge tlsad');
	is(works('find', TRACES), '', 'no file is left of it');
	is(works('grep', 'grep tlsad /etc/passwd /etc/group /etc/shadow || :'), '', 'nor an account');
}

sub purge_with_files
{
	works('again', 'dpkg -i /packages/tlsad.deb </dev/null');
	works('with a directory for a Postfix in a chroot',
		'mkdir -p /var/spool/postfix && install -d -o tlsad -g tlsad /var/spool/postfix/tlsad');
	works('is purged', 'dpkg --purge tlsad');
	is(works('the directory stays', 'stat -c %U /var/spool/postfix/tlsad'), "tlsad\n",
		'and nobody else gets its account');
}
