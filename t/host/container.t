#!/usr/bin/perl
# contrib/container: the Containerfile installs, copies and runs what tlsad needs and has. No
# container is built.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use Tlsad::Ctl;
use Tlsad::Daemon;
use Tlsad::Process;

my $source = Tlsad::Process::source_directory();
my $container = "$source/contrib/container";
(my $steps = read_file("$container/Containerfile")) =~ s/^#.*\n//mg;
$steps =~ s/\\\n/ /g;
my ($build, $image) = grep { /^FROM / } split(/^(?=FROM )/m, $steps);

subtest('building' => \&building);
subtest('the image' => \&image);
SKIP: {
	my $debian = read_file('/etc/os-release') =~ /^VERSION_CODENAME=bookworm$/m;
	skip('this is not Debian 12, which the image is', 1) if !$debian;
	subtest('libraries' => \&libraries);
}
done_testing();

sub read_file
{
	my ($file) = @_;
	open(my $handle, '<', $file) or return '';
	local $/;
	return <$handle> // '';
}

sub installed
{
	my ($stage) = @_;
	my ($list) = $stage =~ /^RUN apt-get update && apt-get install -y --no-install-recommends(.*?)(?:&&|$)/m;
	return sort split(' ', $list // '');
}

sub building
{
	my ($list) = read_file("$source/contrib/quickstart") =~ /^build_packages='(.*?)'/ms;
	is(join(' ', installed($build)), join(' ', sort split(' ', $list // '')),
		'what contrib/quickstart installs');
	for my $file ($build =~ m{/source/(contrib/\S+)}g) {
		ok(-e "$source/$file", $file);
	}
	like($build, qr{configure --prefix=/usr --sysconfdir=/etc\s}, 'with the usual paths');
}

sub image
{
	my $said = qx(@{[Tlsad::Daemon::binary()]} -n -c '$container/tlsad.conf' 2>&1);
	is($said, '', 'tlsad -n accepts its configuration');
	my ($port) = read_file("$container/tlsad.conf") =~ /^socketmap = .*\binet:\*:(\d+)/m;
	like($image, qr/^EXPOSE \Q$port\E$/m, 'the port is that of the configuration');
	my ($user) = $image =~ /^USER (\S+)$/m;
	is($user, 'tlsad', 'it does not run as root');
	like($image, qr/^RUN useradd .* \Q$user\E /m, 'but as the account that it has');
	cmp_ok(index($image, 'ENTRYPOINT'), '>', index($image, 'USER '), 'from the start');
	my ($check) = $image =~ /^HEALTHCHECK .*CMD \[(.*)\]$/m;
	my @command = $check =~ /"([^"]*)"/g;
	is(shift(@command), 'tlsactl', 'tlsactl checks its health');
	my $directory = Tlsad::Process::private_directory();
	my $daemon = Tlsad::Daemon->start(directory => $directory);
	my @ask = (Tlsad::Ctl::binary(), '-s', "$directory/control", @command);
	is(system("@ask >/dev/null"), 0, 'it is healthy while it runs');
	$daemon->stop;
	is(system("@ask >/dev/null 2>&1") >> 8, 69, 'and not otherwise');
}

# The package of each library that tlsad is linked with.
sub libraries
{
	my $readelf = Tlsad::Process::find_program('readelf') // plan(skip_all => 'no readelf');
	my %installed = map { ($_ => 1) } installed($image);
	for my $program (Tlsad::Daemon::binary(), Tlsad::Ctl::binary()) {
		my $paths = qx(ldd '$program');
		for my $library (qx('$readelf' -d '$program') =~ /\(NEEDED\).*\[(\S+)\]/g) {
			# The C library is there; the image has no systemd; sanitizers are for tests.
			next if $library =~ /^lib(?:c|m|resolv|pthread|systemd|[atu]\w*san|gcc_s)\.so/;
			my ($path) = $paths =~ /^\s*\Q$library\E => (\S+)/m;
			my ($package) = map { /^([^:]+):/ } qx(dpkg -S '*$path' 2>/dev/null);
			ok($installed{$package // ''}, "$library: " . ($package // 'no package'));
		}
	}
}
