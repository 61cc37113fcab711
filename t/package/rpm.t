#!/usr/bin/perl
# contrib/rpm/tlsad.spec: rpm(8) can read it and builds the package from a release, and the package
# has everything it should have. Run by "make check-package".
#
# Works on any distribution: the build uses this host's libraries, and Fedora's macros for systemd
# are defined below. Needs no root.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use Tlsad::Process;

my $source = Tlsad::Process::source_directory();
my $spec = "$source/contrib/rpm/tlsad.spec";
my @missing = grep { !Tlsad::Process::find_program($_) } qw(rpm rpmspec rpmbuild make xz pkg-config);
push(@missing, 'libsystemd-dev') if !@missing && system('pkg-config --exists libsystemd') != 0;
if (@missing) {
	plan(skip_all => "not installed: @missing") if ($ENV{CI} // '') ne 'true';
	plan(tests => 1);
	fail("installed are (CI=true): @missing");
	exit 1;
}

my $directory = Tlsad::Process::private_directory();
my %macros = (
	_topdir => "$directory/rpm",
	_dbpath => "$directory/database",
	_unitdir => '/usr/lib/systemd/system',
	_sysusersdir => '/usr/lib/sysusers.d',
	sysusers_requires_compat => 'Requires(pre): shadow-utils',
	'sysusers_create_compat()' => 'echo sysusers %1',
	'systemd_post()' => 'echo post %*',
	'systemd_preun()' => 'echo preun %*',
	'systemd_postun()' => 'echo postun %*',
	'systemd_postun_with_restart()' => 'echo postun %1',
);
my @define = map { ('--define', "$_ $macros{$_}") } sort keys %macros;

subtest('the specification' => \&specification);
subtest('the package' => \&package);
done_testing();

# All output of a command; its status is in $?.
sub run
{
	my (@command) = @_;
	my $pid = open(my $pipe, '-|') // die "fork: $!\n";
	if ($pid == 0) {
		open(STDERR, '>&', \*STDOUT);
		exec(@command) or die "$command[0]: $!\n";
	}
	my $text = do { local $/; <$pipe> } // '';
	close($pipe);
	return $text;
}

sub specification
{
	my $text = run('rpmspec', @define, '-P', $spec);
	is($?, 0, 'rpmspec reads it') or diag($text);
	# %files and the like are directives, and stay.
	my @left = $text =~ /(%\{\w+\}|%(?:systemd|sysusers|make|auto|configure)\w*)/g;
	is("@left", '', 'no macro is unknown');
	open(my $configure, '<', "$source/configure.ac") or die "configure.ac: $!\n";
	my ($version) = map { /^AC_INIT\(\[tlsad\], \[(.*?)\]\)/ ? $1 : () } <$configure>;
	like($text, qr/^Version:\s+\Q$version\E$/m, 'the version is that of configure.ac');
	SKIP: {
		my $rpmlint = Tlsad::Process::find_program('rpmlint');
		skip('rpmlint is not installed', 1) if !defined $rpmlint;
		my @complaints = grep { / [EW]: / && !/no-buildroot-tag|invalid-url Source0/ }
			split(/\n/, run($rpmlint, $spec));
		is("@complaints", '', 'rpmlint');
	}
}

sub package
{
	mkdir("$directory/$_") for qw(rpm rpm/SOURCES dist database);
	my $log = run('sh', '-ec', "test -x $source/configure || (cd $source && autoreconf -i);"
		. "cd $directory/dist && $source/configure --quiet && make -s dist && "
		. "cp tlsad-*.tar.xz ../rpm/SOURCES/");
	is($?, 0, 'a release') or return diag($log);
	$log = run('rpmbuild', @define, '--nodeps', '--nocheck', '-bb', $spec);
	is($?, 0, 'rpmbuild') or return diag($log);
	my ($package) = grep { !/debug/ } glob("$directory/rpm/RPMS/*/tlsad-*.rpm");
	my @query = ('rpm', @define, '-qp', $package);
	my @files = split(/\n/, run(@query, '--list'));
	my %files = map { ($_ => 1) } @files;
	ok($files{$_}, $_) for qw(/etc/tlsad /usr/sbin/tlsad /usr/sbin/tlsactl
		/usr/lib/systemd/system/tlsad.service /usr/lib/systemd/system/tlsad.socket
		/usr/lib/systemd/system/tlsad-policy.socket /usr/lib/systemd/system/tlsad-control.socket
		/usr/lib/systemd/system/tlsad-metrics.socket /usr/lib/sysusers.d/tlsad.conf
		/usr/share/bash-completion/completions/tlsactl /usr/share/doc/tlsad/README
		/usr/share/doc/tlsad/main.cf.example /usr/share/doc/tlsad/usr.sbin.tlsad);
	for my $page (qw(man8/tlsad.8 man8/tlsactl.8 man5/tlsad.conf.5)) {
		ok(scalar(grep { m{^/usr/share/man/\Q$page\E(?:\.\w+)?$} } @files), $page);
	}
	is(run(@query, '--configfiles'), "/etc/tlsad/root.key\n/etc/tlsad/tlsad.conf\n",
		'the configuration is marked as such');
	is(join(' ', grep { m{^(?:/run|/var|/usr/local)} } @files), '', 'the scriptlets create the rest');
	my $scripts = run(@query, '--scripts');
	like($scripts, qr/^echo \Q$_\E/m, $_) for 'sysusers systemd/tlsad.sysusers', 'post tlsad.service tlsad.socket',
		'preun tlsad.service tlsad.socket', 'postun tlsad.socket', 'postun tlsad.service';
}
