#!/usr/bin/perl
# contrib/apparmor/usr.sbin.tlsad: AppArmor's parser accepts it, and it allows everything that tlsad
# does when it serves, learns trust anchors, downloads policies of MTA-STS, stores, reloads and ends.
#
# It needs no kernel that enforces profiles: strace(1) shows what tlsad does, and Tlsad::Profile
# reads the rules. Directories of the test are mapped to those of a host.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use Time::HiRes ();
use Tlsad::Ctl;
use Tlsad::Daemon;
use Tlsad::Lab;
use Tlsad::PinnedCases;
use Tlsad::PolicyHost qw(policy);
use Tlsad::Process;
use Tlsad::Profile qw(wanted);

use constant PROMPT => 20;		# [s] for what should take milliseconds

my $file = Tlsad::Process::source_directory() . '/contrib/apparmor/usr.sbin.tlsad';
my @missing = grep { !defined Tlsad::Process::find_program($_) } qw(apparmor_parser strace);
push(@missing, Tlsad::PinnedCases::missing_programs());
if (@missing) {
	plan(skip_all => "not installed: @missing") if ($ENV{CI} // '') ne 'true';
	plan(tests => 1);
	fail("installed are (CI=true): @missing");
	exit 1;
}

is(parser($file), '', 'apparmor_parser accepts it');
my $profile = Tlsad::Profile->new($file);
subtest('the rules are read as AppArmor reads them' => \&reading);
SKIP: {
	skip('a sanitizer opens files of its own, and cannot be traced', 1)
		if qx(ldd @{[Tlsad::Daemon::binary()]}) =~ /libasan|libtsan/;
	subtest('what tlsad does' => \&held_against_a_run);
}
done_testing();

# The parser's error messages; its messages about this host's kernel do not matter.
sub parser
{
	my ($profile_file) = @_;
	my $program = Tlsad::Process::find_program('apparmor_parser');
	my $said = qx('$program' -Q -K '$profile_file' 2>&1);
	return $? == 0 ? '' : $said;
}

sub reading
{
	is($profile->lacks('/etc/tlsad/tlsad.conf', 'rw'), 'w', 'the configuration is only read');
	is($profile->lacks('/var/lib/tlsad/cache/parts.mdb', 'rwkm'), 'm', 'the cache cannot be executed');
	is($profile->lacks('/var/spool/postfix/active/1', 'rw'), 'rw', 'mail is not read');
	is($profile->lacks('/etc/shadow', 'r'), 'r', 'nor are passwords');
	is($profile->lacks('/root/x', 'r'), 'r', 'nor homes');
	is($profile->lacks('/usr/lib/x86_64-linux-gnu/libc.so.6', 'rm'), '', 'libraries are loaded');
	is($profile->lacks('/usr/bin/sh', 'x'), 'x', 'no program is run');
	my $broken = Tlsad::Process::private_directory() . '/profile';
	open(my $handle, '>', $broken) or die "$broken: $!\n";
	print {$handle} "profile broken /bin/broken {\n\t/etc/passwd q,\n}\n";
	close($handle);
	isnt(parser($broken), '', 'and the parser refuses an invalid profile');
}

sub end
{
	my ($daemon, $trace) = @_;
	my $pid = $daemon->pid;
	is($daemon->stop, 0, 'it ends');
	# strace may still be writing.
	my $deadline = Time::HiRes::time() + PROMPT;
	until (lines_of("$trace.$pid") =~ /^\+\+\+ exited/m) {
		die "strace does not end\n" if Time::HiRes::time() > $deadline;
		Time::HiRes::sleep(0.02);
	}
}

sub lines_of
{
	my (@files) = @_;
	my $text = '';
	for my $file (@files) {
		open(my $handle, '<', $file) or die "$file: $!\n";
		local $/;
		$text .= <$handle> // '';
	}
	return $text;
}

# Runs a daemon that does everything it can. Returns its files, and their paths on a host.
sub trace
{
	my ($anchors, $extra, $trace) = @_;
	my $cases = Tlsad::PinnedCases->new;
	my $policies = Tlsad::PolicyHost->start;
	my $domain = 'sts.bulk.lab';
	$policies->serve($domain, policy => policy(mx => ["mx.$domain"]));
	my $zone = "sts MX 10 mx.sts\nmx.sts A 192.0.2.1\nmta-sts.sts A 127.0.0.1\n"
		. "_mta-sts.sts TXT \"v=STSv1\\; id=1\"\n";
	my $lab = Tlsad::Lab->start(special => 0, zones => { %{$cases->zones}, 'bulk.lab' => $zone });
	my $daemon = Tlsad::Daemon->start(lab => $lab,
		config => { dane => { enforce => 'pinned', tafile_dir => $anchors },
			sts => { enable => 'yes', port => $policies->port, private_addresses => 'yes',
				ca_file => $policies->ca_file },
			log => { target => 'syslog' }, resolver => { options => $extra } },
		# -D: signals go to tlsad, not to strace; -ff: a file for each thread.
		wrapper => [ 'strace', '-D', '-ff', '-y', '-s', 4096, '-o', $trace,
			'-e', 'trace=%file,bind,connect,flock,fcntl,mmap' ]);
	like($daemon->client(timeout => PROMPT)->request('policy', 'ta-one.site.lab'), qr/tafile=/,
		'trust anchors are written');
	is($daemon->client(timeout => PROMPT)->request('policy', $domain),
		"OK secure match=mx.$domain servername=hostname", 'a policy is downloaded');
	$daemon->request('explain', '[mx.site.lab]:imaps');
	is(system(Tlsad::Ctl::binary(), '-c', $daemon->config_file, 'reload'), 0, 'it reloads');
	end($daemon, $trace);
	# Now the cache and the root key exist already.
	$daemon->start_again;
	end($daemon, $trace);
	return ([ $daemon->config_file => '/etc/tlsad/tlsad.conf' ],
		[ $lab->trust_anchor => '/etc/tlsad/root.key' ],
		[ $policies->ca_file => '/etc/ssl/certs/ca-certificates.crt' ],
		[ Tlsad::Daemon::binary() => '/usr/sbin/tlsad' ], [ $extra => '/etc/tlsad/unbound.conf' ],
		[ $anchors => '/var/spool/postfix/tlsad/anchors' ],
		[ $daemon->directory . '/cache' => '/var/lib/tlsad/cache' ],
		[ $daemon->directory . '/' => '/run/tlsad/' ]);
}

sub held_against_a_run
{
	my $private = Tlsad::Process::private_directory();
	my ($anchors, $extra, $output) = map { "$private/$_" } qw(anchors options trace);
	mkdir($anchors) or die "$anchors: $!\n";
	open(my $options, '>', $extra) or die "$extra: $!\n";
	print {$options} "server:\n\tmsg-cache-size: 1m\n";
	close($options);
	my @places = trace($anchors, $extra, $output);
	my (%seen, @refused);
	for my $line (split(/\n/, lines_of(glob("$output.*")))) {
		for my $want (wanted($line)) {
			my ($path, $permissions) = @$want;
			for my $place (@places) {
				last if $path =~ s/^\Q$place->[0]\E/$place->[1]/;
			}
			next if $seen{"$path $permissions"}++;
			my $lacking = $profile->lacks($path, $permissions);
			push(@refused, "$path $lacking") if $lacking ne '';
		}
	}
	cmp_ok(scalar(keys %seen), '>', 40, 'the trace can be read');
	for my $known ('/var/lib/tlsad/cache/parts.mdb rw', '/run/tlsad/socketmap w',
		'/var/lib/tlsad/cache/lock k', '/etc/tlsad/root.key r', '/etc/services r') {
		ok($seen{$known}, "it has $known");
	}
	is(join("\n", sort @refused), '', 'no access is refused');
}
