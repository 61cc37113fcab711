#!/usr/bin/perl
# systemd/*: the unit confines tlsad, by the rating of "systemd-analyze security", and forbids
# nothing that tlsad needs; the units of the sockets fit tlsad.
#
# No systemd need run: systemd-analyze(1) works on files, and strace(1) shows what tlsad does when
# it serves over unix and inet sockets, looks up, stores, learns and writes trust anchors, reloads,
# serves tlsactl, uses the sockets of a service manager with a watchdog, refuses connections,
# crashes and starts again, and logs to syslog. The manager is Tlsad::Manager. With TLSAD_HELD in
# the environment every test checks its daemons against the filter (Tlsad::Daemon).

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use IO::Socket::INET;
use Test::More;
use Time::HiRes ();
use Tlsad::Ctl;
use Tlsad::Daemon;
use Tlsad::Lab;
use Tlsad::MailHost;
use Tlsad::Manager;
use Tlsad::Observe;
use Tlsad::PinnedCases;
use Tlsad::Process;
use Tlsad::Socketmap;
use Tlsad::Unit;

use constant PROMPT => 60;		# [s] strace is slow
use constant EXPOSURE_MOST => 1.5;

my $units = Tlsad::Process::source_directory() . '/systemd';
my @missing = grep { !defined Tlsad::Process::find_program($_) } qw(systemd-analyze strace);
push(@missing, Tlsad::PinnedCases::missing_programs());
if (@missing) {
	plan(skip_all => "not installed: @missing") if ($ENV{CI} // '') ne 'true';
	plan(tests => 1);
	fail("installed are (CI=true): @missing");
	exit 1;
}
my @service = Tlsad::Unit::settings("$units/tlsad.service");

subtest('the units can be read' => \&verify);
subtest('exposure' => \&exposure);
subtest('sockets' => \&sockets);
SKIP: {
	skip('a sanitizer makes system calls of its own, and cannot be traced', 1)
		if sanitizer_built_in(Tlsad::Daemon::binary());
	subtest('what tlsad does' => \&held_against_a_run);
}
done_testing();

sub verify
{
	my $directory = Tlsad::Process::private_directory();
	for my $file (glob("$units/*.service"), glob("$units/*.socket")) {
		my ($name) = $file =~ m{([^/]+)\z};
		my $text = Tlsad::Process::slurp($file);
		# Programs and manuals that are missing on this host are not an error of the unit.
		$text =~ s/^ExecStart=tlsad$/ExecStart=\/bin\/true/m;
		$text =~ s/^Documentation=.*\n//m;
		open(my $handle, '>', "$directory/$name") or die "$name: $!\n";
		print {$handle} $text;
	}
	my $said = qx(systemd-analyze verify --man=no $directory/*.service $directory/*.socket 2>&1);
	my @complaints = grep { /\btlsad/ } split(/\n/, $said);
	is("@complaints", '', 'systemd-analyze verify has no complaint');
	is(join(' ', Tlsad::Unit::values_of('Type', @service)), 'notify', 'tlsad reports to systemd when it is ready');
	my %sockets = map { ($_ => 1) } split(' ', join(' ', Tlsad::Unit::values_of('Sockets', @service)));
	ok(-e "$units/$_", "$_ is there") for sort keys %sockets;
	is(join(' ', sort split(' ', join(' ', Tlsad::Unit::values_of('Also', @service)))), join(' ', sort keys %sockets),
		'enabling the service enables its sockets');
	is(join(' ', Tlsad::Unit::values_of('RuntimeDirectoryPreserve', @service)), 'yes',
		'their directory stays when tlsad ends');
}

sub exposure
{
	my $text = qx(systemd-analyze security --no-pager --offline=true $units/tlsad.service 2>&1);
	plan(skip_all => 'this systemd-analyze cannot read a unit from a file')
		if $text =~ /unrecognized option/;
	my ($level) = $text =~ /exposure level for tlsad\.service: ([\d.]+)/;
	ok(defined $level, 'systemd-analyze security rates it') or diag($text);
	cmp_ok($level // 10, '<', EXPOSURE_MOST, "at $level");
}

# The endpoint of a ListenStream=.
sub endpoint
{
	my ($listen) = @_;
	return $listen =~ m{^/} ? "unix:$listen" : "inet:$listen";
}

sub sockets
{
	my $tlsad = Tlsad::Daemon::binary();
	my $configured = qx($tlsad -n -v -c /dev/null);
	my %names;
	for my $file (glob("$units/*.socket")) {
		my @socket = Tlsad::Unit::settings($file);
		my ($name) = Tlsad::Unit::values_of('FileDescriptorName', @socket);
		ok(!$names{$name}++, "$file has the name $name for itself");
		my ($default) = $configured =~ /^\Q$name\E = (\S*)$/m;
		ok(defined $default, "which is that of a setting in [server]");
		my @endpoints = map { endpoint($_) } Tlsad::Unit::values_of('ListenStream', @socket);
		is("@endpoints", $default =~ s{^unix:/\S*/tlsad/}{unix:/run/tlsad/}r, 'with the same default')
			if $default ne '';
		is(join(' ', Tlsad::Unit::values_of('Service', @socket)), 'tlsad.service', 'for tlsad.service');
		is(join(' ', Tlsad::Unit::values_of('SocketMode', @socket)), $name eq 'control' ? '0600' : '0666',
			'its mode is the one that tlsad sets') if "@endpoints" =~ /unix:/;
	}
	ok($names{$_}, "there is one for $_") for qw(socketmap policy control metrics);
}

# --- system calls

# One run. Each thread gets its own file.
sub traced
{
	my ($trace, %options) = @_;
	my $manager = delete $options{manager};
	my %given = $manager ? $manager->options : ();
	return Tlsad::Daemon->start(%options, timeout => PROMPT, env => $given{env},
		# -D: signals go to tlsad, not to strace.
		wrapper => [ @{$given{wrapper} // []}, 'strace', '-D', '-ff', '-o', $trace ]);
}

sub end
{
	my ($daemon, $trace, $signal) = @_;
	my $pid = $daemon->pid;
	$daemon->{process}->signal($signal);
	ok(defined $daemon->{process}->wait(PROMPT), "SIG$signal ends it");
	# strace may still be writing.
	ok(wait_until(PROMPT, sub { Tlsad::Process::slurp("$trace.$pid") =~ /^\+\+\+ (?:exited|killed)/m }), 'strace, too');
}

sub run_everything
{
	my ($trace) = @_;
	my $private = Tlsad::Process::private_directory();
	my $anchors = "$private/anchors";
	mkdir($anchors) or die "$anchors: $!\n";
	my $cases = Tlsad::PinnedCases->new;
	my $certificates = $cases->certificates;
	$certificates->make('mx', issuer => 'root1', names => ['teacher.bulk.lab']);
	my $mail = Tlsad::MailHost->start(cert => $certificates->chain('mx.chain', qw(mx root1)),
		key => $certificates->path('mx', 'key'));
	my $mail_port = $mail->port;
	my $lab = Tlsad::Lab->start(special => 1, zones => { %{$cases->zones}, 'bulk.lab' =>
		"teacher A 127.0.0.1\n_$mail_port._tcp.teacher TLSA " . $cases->rdata('2 1 1 root1') . "\n" });
	my ($port, $refusing, $metrics) = map { Tlsad::Process::free_port() } 1 .. 3;
	my $config = { server => { socketmap => "unix:$private/socketmap inet:127.0.0.1:$port inet:*:$refusing",
		workers => 2, metrics => "inet:127.0.0.1:$metrics", pid_file => "$private/pid", allow => '127.0.0.1', idle_timeout => '1s' },
		dane => { enforce => 'pinned', tafile_dir => $anchors, learn_trust_anchors => 'yes' },
		resolver => { timeout => '5s' } };
	my $daemon = traced($trace, lab => $lab, config => $config, args => ['-v']);
	my $ask = sub { return Tlsad::Socketmap->new($_[0], timeout => PROMPT)->request(@_[1, 2]) };
	my $unix = "unix:$private/socketmap";
	like($ask->($unix, 'policy', 'ta-one.site.lab'), qr/tafile=/, 'trust anchors are written');
	like($ask->($unix, 'policy', "[teacher.bulk.lab]:$mail_port"), qr/tafile=/, 'one is learned');
	is($ask->("inet:127.0.0.1:$port", 'native', 'full.dane.lab'), 'OK dane-only', 'over inet');
	like($ask->($unix, 'policy', 'bogus-mx.dane.lab'), qr/^TEMP/, 'a failure');
	$ask->($unix, 'policy', $_) for qw(silent.lab slow.lab [mx.site.lab]:imaps xn--nonsense.lab);
	$ask->($unix, 'explain', 'full.dane.lab');
	eval { Tlsad::Socketmap->new("inet:[::1]:$refusing", timeout => 1)->request('policy', 'x') };
	for my $path (qw(metrics healthz)) {
		my $http = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $metrics, Timeout => PROMPT);
		print {$http} "GET /$path HTTP/1.0\r\n\r\n";
		like(join('', <$http>), qr{^HTTP/1\.\d \d+ }, "/$path");
	}
	my $idle = $daemon->client(timeout => PROMPT);
	ok($idle->closed_by_peer(PROMPT), 'an idle connection is closed');
	my $control = $daemon->directory . '/control';
	for my $command ('reload', 'status', 'cache list', 'cache export', 'cache flush full.dane.lab',
		'lookup full.dane.lab', 'explain full.dane.lab') {
		system(Tlsad::Ctl::binary() . " -s $control $command >/dev/null 2>&1");
	}
	$daemon->write_config({ %$config, cache => { max_ttl => '1h' } });
	$daemon->reload;
	ok($daemon->wait_log(qr/reloaded.*reloaded/s, PROMPT), 'SIGHUP');
	is($ask->($unix, 'native', 'full.dane.lab'), 'OK dane-only', 'and the resolver has started again');
	end($daemon, $trace, 'KILL');
	# A child process reads the cache after a crash.
	$daemon->start_again;
	like($ask->($unix, 'policy', 'ta-one.site.lab'), qr/tafile=/, 'after a crash');
	end($daemon, $trace, 'TERM');

	my $socket = "$private/handed";
	my $manager = Tlsad::Manager->new(watchdog => 1, sockets => [ [ socketmap => "unix:$socket" ] ]);
	my $held = traced($trace, lab => $lab, manager => $manager, config => { log => { target => 'syslog' },
		server => { socketmap => "unix:$socket" } });
	ok($manager->wait(PROMPT, sub { exists $_[0]{WATCHDOG} }), 'a service manager is notified');
	is($ask->("unix:$socket", 'policy', 'full.dane.lab'), 'OK dane-only', 'over its socket');
	end($held, $trace, 'TERM');
}

sub held_against_a_run
{
	my $trace = Tlsad::Process::private_directory() . '/trace';
	my (%calls, %families, @executable);
	run_everything($trace);
	for my $line (map { split(/\n/, Tlsad::Process::slurp($_)) } glob("$trace.*")) {
		my ($call, $rest) = $line =~ /^(\w+)\((.*)/ or next;
		$calls{$call}++;
		$families{$1}++ if $call =~ /^socket(?:pair)?$/ && $rest =~ /^(AF_\w+)/;
		# MemoryDenyWriteExecute=; libraries are mapped before it is set, and not writable.
		push(@executable, $line) if $call =~ /^(?:mmap|pkey_mprotect|mprotect)$/
			&& $rest =~ /PROT_WRITE\|PROT_EXEC/;
	}
	cmp_ok(scalar(keys %calls), '>', 40, 'the trace can be read');
	ok($calls{$_}, "it has $_") for qw(epoll_wait accept4 sendto flock rename fdatasync clone3 wait4);
	my %allowed = %{Tlsad::Unit::allowed_calls()};
	ok($allowed{read} && !$allowed{mount} && !$allowed{setuid}, 'and so can the filter');
	my @refused = grep { !$allowed{$_} } sort keys %calls;
	is("@refused", '', 'the filter refuses nothing that tlsad needs');
	my %may = map { ($_ => 1) } split(' ', join(' ', Tlsad::Unit::values_of('RestrictAddressFamilies', @service)));
	is(join(' ', grep { !$may{$_} } sort keys %families), '', 'nor does RestrictAddressFamilies=');
	is(join("\n", @executable), '', 'nor MemoryDenyWriteExecute=');
	note('system calls: ', join(' ', sort keys %calls));
}
