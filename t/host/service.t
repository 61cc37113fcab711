#!/usr/bin/perl
# tlsad under a service manager: the manager's sockets, notifications about readiness, reloads and
# the end, the watchdog, and restarts without a lost request.
#
# The manager is Tlsad::Manager, which implements the protocols of sd_listen_fds(3), sd_notify(3)
# and sd_watchdog_enabled(3), and once systemd-socket-activate(1) if it is installed. No systemd
# need run. t/lab/hold-thread stops a thread.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use IO::Socket::INET;
use IO::Socket::UNIX;
use Socket qw(SOCK_DGRAM SOCK_STREAM);
use Test::More;
use Time::HiRes ();
use Tlsad::Ctl;
use Tlsad::Daemon;
use Tlsad::Hold;
use Tlsad::Lab;
use Tlsad::Manager;
use Tlsad::Observe;
use Tlsad::Process;
use Tlsad::Socketmap;
use Tlsad::Stream;

use constant PROMPT => 30;		# [s] for what should take milliseconds
use constant { CLIENTS => 20, RESTARTS => 10 };

my @missing = Tlsad::Lab::missing_programs();
plan(skip_all => "not installed: @missing") if @missing;

my $lab = Tlsad::Lab->start;
my $directory = Tlsad::Process::private_directory();
my $serial = 0;

subtest('ready, reloading, stopping' => \&states);
subtest('sockets of the service manager' => \&handed_over);
subtest('sockets and variables that cannot be used' => \&bad_manager);
subtest('systemd-socket-activate' => \&socket_activate);
subtest('the watchdog' => \&watchdog);
subtest('a thread that is stuck' => \&stuck);
subtest('a connection that was accepted just before the end' => \&newcomer);
subtest('restarts without a lost request' => \&restarts);
done_testing();

sub fresh { return "$directory/" . $serial++ }

# A daemon under a manager. `sockets` is as in Tlsad::Manager.
sub managed
{
	my (%options) = @_;
	my $config = delete $options{config} // {};
	my $manager = Tlsad::Manager->new(%options);
	my $daemon = Tlsad::Daemon->start(lab => $lab, config => $config, $manager->options);
	return ($manager, $daemon);
}

sub ready { return $_[0]->wait(PROMPT, sub { $_[0]{READY} }) }

sub states
{
	for my $abstract (0, 1) {
		my $where = $abstract ? 'without a file' : 'with a file';
		my ($manager, $daemon) = managed(abstract => $abstract);
		my $ready = ready($manager);
		is($ready && $ready->{READY}, 1, "$where: it is ready");
		is($ready->{STATUS}, 'serving on ' . $daemon->endpoint, 'and reports where it serves');
		is($daemon->request('policy', 'full.dane.lab'), 'OK dane-only', 'and it serves there');
		my $before = int(Time::HiRes::clock_gettime(Time::HiRes::CLOCK_MONOTONIC()) * 1e6);
		$daemon->reload;
		my $reloading = $manager->wait(PROMPT, sub { $_[0]{RELOADING} });
		is($reloading && $reloading->{RELOADING}, 1, 'SIGHUP: it is reloading');
		cmp_ok($reloading->{MONOTONIC_USEC} // 0, '>=', $before, 'since when');
		is((ready($manager) // {})->{STATUS}, 'serving on ' . $daemon->endpoint, 'and ready again');
		is($daemon->stop, 0, 'it ends');
		is($manager->wait(PROMPT, sub { $_[0]{STOPPING} })->{STOPPING}, 1, 'and has reported that it stops');
	}
	# A reload that fails ends as well.
	my ($manager, $daemon) = managed();
	ready($manager);
	unlink($daemon->config_file);
	$daemon->reload;
	ok($manager->wait(PROMPT, sub { $_[0]{RELOADING} }), 'without a configuration it is reloading');
	ok(ready($manager), 'and ready again');
	$daemon->stop;
	# A daemon that cannot start does not claim to be ready.
	my $other = Tlsad::Manager->new;
	my ($status) = Tlsad::Daemon->run(lab => $lab, config => { cache => { path => '/no/such' } },
		$other->options);
	is($status, 1, 'a start that fails');
	is(scalar(grep { $_->{READY} } $other->messages), 0, 'is not ready');
}

sub handed_over
{
	my ($first, $control) = (fresh(), fresh());
	my $port = Tlsad::Process::free_port();
	my ($policy, $metrics) = (fresh(), fresh());
	my $manager = Tlsad::Manager->new(sockets => [ [ socketmap => "unix:$first" ],
		[ control => "unix:$control" ], [ socketmap => "inet:127.0.0.1:$port" ],
		[ metrics => "unix:$metrics" ], [ policy => "unix:$policy" ],
		[ nonsense => 'unix:' . fresh() ] ]);
	my $daemon = Tlsad::Daemon->start(lab => $lab, $manager->options, config => { server => {
		socketmap => "unix:$first", control => "unix:$control" } });
	like((ready($manager) // {})->{STATUS}, qr/^serving on unix:\Q$first\E and others$/, 'ready');
	is(ask_once("unix:$first"), 'OK dane-only', 'the unix socket is served');
	is(ask_once("inet:127.0.0.1:$port"), 'OK dane-only', 'and the inet socket of the same name');
	my $status = qx(@{[Tlsad::Ctl::binary()]} -s unix:$control status 2>&1);
	is($?, 0, 'tlsactl reaches the control socket');
	like($status, qr/^\s+endpoints\s+unix:\Q$first\E, inet:127\.0\.0\.1:$port$/m,
		'and shows the endpoints in use');
	like($status, qr/^\s+endpoints\s+unix:\Q$policy\E$/m, 'also those of the policy service');
	my $smtpd = IO::Socket::UNIX->new(Type => SOCK_STREAM, Peer => $policy) or die "$policy: $!\n";
	print {$smtpd} "request=smtpd_access_policy\nrecipient=a\@full.dane.lab\n\n";
	like(scalar(<$smtpd>), qr/^action=/, 'the policy service as well');
	my $http = IO::Socket::UNIX->new(Type => SOCK_STREAM, Peer => $metrics) or die "$metrics: $!\n";
	print {$http} "GET /metrics HTTP/1.0\r\n\r\n";
	like(join('', <$http>), qr/^tlsad_requests_total/m, 'metrics are served, although the setting is empty');
	my $log = $daemon->log_text;
	like($log, qr/socketmap: using the sockets of the service manager instead of the setting: unix:\Q$first\E, inet:127/,
		'the log says that the setting is not used');
	like($log, qr/control: using the sockets of the service manager: unix:\Q$control\E$/m,
		'and which sockets are those of the setting');
	like($log, qr/warning: .*'nonsense'.* no setting of \[server\] has that name/, 'an unused socket is named');
	is($daemon->stop, 0, 'it ends');
	ok(!(grep { !-S } $first, $control, $metrics, $policy), 'and does not remove the manager\'s sockets');
	# A client that connects while no daemon runs gets its reply from the next one.
	my $early = Tlsad::Socketmap->new("unix:$first", timeout => PROMPT);
	$early->send_request('policy', 'full.dane.lab');
	$daemon->start_again;
	is($early->receive_reply, 'OK dane-only', 'a client that connected in between gets its reply');
	$daemon->stop;
	$manager->close;

	# Sockets for another process are not used.
	my $own = fresh();
	my $stranger = Tlsad::Manager->new(sockets => [ [ socketmap => 'unix:' . fresh() ] ],
		env => { LISTEN_PID => 1 });
	my $independent = Tlsad::Daemon->start(lab => $lab, $stranger->options,
		config => { server => { socketmap => "unix:$own" } });
	is(ask_once("unix:$own"), 'OK dane-only', 'with sockets for another process it opens its own');
	is($independent->stop, 0, 'it ends');
	ok(!-e $own, 'and removes them');
}

sub ask_once
{
	my ($endpoint) = @_;
	return eval { Tlsad::Socketmap->new($endpoint, timeout => PROMPT)->request('policy', 'full.dane.lab') }
		// $@;
}

sub bad_manager
{
	my $unix = sub { return IO::Socket::UNIX->new(Local => fresh(), @_) // die "socket: $!\n" };
	my $pair = sub { my ($one) = IO::Socket::UNIX->socketpair(Socket::AF_UNIX(), SOCK_STREAM, 0); $one };
	open(my $file, '+>', fresh()) or die;
	my $inet = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1) or die;
	my @cases = (
		[ 'a datagram socket', [ socketmap => $unix->(Type => SOCK_DGRAM) ], {}, qr/does not listen/ ],
		[ 'a connected socket', [ socketmap => $pair->() ], {}, qr/does not listen/ ],
		[ 'a file', [ socketmap => $file ], {}, qr/does not listen/ ],
		[ 'inet for tlsactl', [ control => $inet ], {}, qr/control: .*not a unix socket/ ],
		[ 'two for metrics', [ metrics => $inet ], { LISTEN_FDNAMES => 'metrics:metrics' },
			qr/metrics: .*only one socket may have this name/, $inet ],
		[ 'fewer than promised', [ socketmap => $inet ], { LISTEN_FDS => 60 }, qr/descriptor \d+ is not open/ ],
		map { [ "LISTEN_FDS = $_", [ socketmap => $inet ], { LISTEN_FDS => $_ }, qr/LISTEN_FDS = .*expected a number/ ] }
			'x', '-1', '1x', '65', '99999999999999999999', "\e[31m",
	);
	for (@cases) {
		my ($what, $socket, $env, $words, $more) = @$_;
		my $manager = Tlsad::Manager->new(env => $env,
			sockets => [ $socket, $more ? [ $socket->[0], $more ] : () ]);
		my ($status, $log) = Tlsad::Daemon->run(lab => $lab, $manager->options);
		is($status, 1, "$what: status");
		like($log, qr/^tlsad: error: [ -~]+$/m, "$what: one line that can be printed");
		like($log, $words, "$what: why");
	}
	# With a useless variable tlsad serves nevertheless.
	for my $env ({ NOTIFY_SOCKET => '/no/such' }, { NOTIFY_SOCKET => 'relative' }, { NOTIFY_SOCKET => '' },
		{ NOTIFY_SOCKET => '/' . 'x' x 200 }, { NOTIFY_SOCKET => '@' }, { WATCHDOG_USEC => 'soon' },
		{ WATCHDOG_USEC => '-5' }, { WATCHDOG_USEC => '1', WATCHDOG_PID => '1' }, { WATCHDOG_USEC => 1 },
		{ LISTEN_PID => 'x', LISTEN_FDS => 1 }, { LISTEN_FDNAMES => '::' }) {
		my $daemon = Tlsad::Daemon->start(lab => $lab, env => $env);
		is($daemon->request('policy', 'full.dane.lab'), 'OK dane-only', "served with @{[%$env]}");
		like($daemon->log_text, qr/WATCHDOG_USEC = \S+ in the environment is not a number of microseconds/, 'and a warning')
			if ($env->{WATCHDOG_USEC} // '') =~ /\D/;
		is($daemon->stop, 0, 'it ends');
	}
}

sub socket_activate
{
	my $program = Tlsad::Process::find_program('systemd-socket-activate');
	if (!defined $program) {
		return fail('systemd-socket-activate is installed (CI=true)') if ($ENV{CI} // '') eq 'true';
		plan(skip_all => 'systemd-socket-activate is not installed');
	}
	my ($path, $control) = (fresh(), fresh());
	my $daemon = Tlsad::Daemon->start(lab => $lab, config => { server => { socketmap => "unix:$path",
		control => "unix:$control" } }, wrapper => [ $program, '-l', $path, '-l', $control,
		'--fdname=socketmap:control', (map { "-E$_" } grep { defined $ENV{$_} }
			qw(ASAN_OPTIONS TSAN_OPTIONS UBSAN_OPTIONS LSAN_OPTIONS)) ]);
	is(ask_once("unix:$path"), 'OK dane-only', 'a connection starts it, and the client gets its reply');
	is(system(Tlsad::Ctl::binary() . " -s unix:$control status >/dev/null 2>&1"), 0, 'tlsactl, too');
	is($daemon->stop, 0, 'it ends');
}

sub watchdog
{
	my ($manager, $daemon) = managed(watchdog => 3);
	ready($manager);
	ok($manager->wait(PROMPT, sub { exists $_[0]{WATCHDOG} }), "it gets keep-alives, $_") for 1 .. 3;
	is($daemon->stop, 0, 'it ends');
	($manager, $daemon) = managed();
	ready($manager);
	$daemon->reload;
	ready($manager);
	is(scalar(grep { exists $_->{WATCHDOG} } $manager->messages), 0, 'no keep-alives without a watchdog');
	is($daemon->stop, 0, 'it ends');
}

sub stuck
{
	# Only one process can trace it.
	local $ENV{TLSAD_HELD};
	for (['tlsad-serving', 'a serving thread'], ['tlsad-lookups', 'the lookup thread']) {
		my ($name, $words) = @$_;
		my ($manager, $daemon) = managed(watchdog => 3, config => { server => { workers => 2 } });
		ready($manager);
		my $thread = thread_named($daemon->pid, $name);
		ok(defined $thread, "there is a thread with the name $name") or next;
		my $held = hold($thread);
		plan(skip_all => 'ptrace is not allowed here') unless $held;
		my $text = $daemon->wait_log(qr/no more keep-alives/, PROMPT);
		like($text // '', qr/error: \Q$words\E has been stuck for \d+ seconds: systemd's watchdog gets no more keep-alives/,
			"$words: a log line");
		is(($manager->wait(PROMPT, sub { ($_[0]{STATUS} // '') =~ /stuck/ }) // {})->{STATUS} =~ s/\d+/N/r,
			"$words has been stuck for N seconds", 'the manager, too');
		is($manager->wait(3, sub { exists $_[0]{WATCHDOG} }), undef, 'there are no keep-alives for that time');
		release($held);
		ok($manager->wait(PROMPT, sub { exists $_[0]{WATCHDOG} }), 'they continue when the thread runs again');
		ok($manager->wait(PROMPT, sub { ($_[0]{STATUS} // '') =~ /^serving on/ }), 'and the status is as before');
		is($daemon->stop, 0, 'it ends');
	}
	# systemd then kills it (with SIGABRT, which may leave a core file): Restart=on-failure.
	my $socket = fresh();
	my ($manager, $daemon) = managed(watchdog => 3, sockets => [ [ socketmap => "unix:$socket" ] ],
		config => { server => { socketmap => "unix:$socket" } });
	ready($manager);
	my $held = hold(thread_named($daemon->pid, 'tlsad-serving'));
	$manager->wait(PROMPT, sub { ($_[0]{STATUS} // '') =~ /stuck/ });
	$daemon->{process}->signal('KILL');
	release($held);
	is($daemon->{process}->wait(PROMPT), 9, 'it is killed');
	$daemon->start_again;
	is(ask_once("unix:$socket"), 'OK dane-only', 'and the next one serves the same socket');
	is($daemon->stop, 0, 'it ends');
}

# Postfix sends a request only twice. On a busy machine the moment may be over before the request is
# sent; then the test tries again.
sub newcomer
{
	my $reply = '';
	for (1 .. 5) {
		my $daemon = Tlsad::Daemon->start(lab => $lab);
		my $connections = sub {
			qx(@{[Tlsad::Ctl::binary()]} -s @{[$daemon->directory]}/control --json status) =~ /"connections":\s*(\d+)/;
			return $1 // -1;
		};
		wait_until(PROMPT, sub { $connections->() == 0 });
		my $client = $daemon->client(timeout => PROMPT);
		wait_until(PROMPT, sub { $connections->() == 1 });
		$daemon->{process}->signal('TERM');
		$daemon->wait_log(qr/stopping on signal/, PROMPT);
		# Longer than the end takes without clients.
		Time::HiRes::sleep(0.3);
		$reply = eval { $client->request('policy', 'full.dane.lab') } // $@;
		$daemon->stop;
		last if $reply eq 'OK dane-only';
	}
	is($reply, 'OK dane-only', 'gets its reply');
}

sub restarts
{
	my $socket = fresh();
	my ($manager, $daemon) = managed(sockets => [ [ socketmap => "unix:$socket" ] ],
		config => { server => { socketmap => "unix:$socket", workers => 3 } });
	ready($manager);
	my $stream = Tlsad::Stream->start("unix:$socket", CLIENTS, 2 * PROMPT);
	ok($stream->all_answered, 'all clients get replies');
	my ($statuses, $unanswered) = ('', 0);
	for (1 .. RESTARTS) {
		$statuses .= $daemon->stop(PROMPT);
		$daemon->start_again;
		$unanswered++ unless ready($manager) && $stream->all_answered;
	}
	is($statuses, '0' x RESTARTS, 'all ends are clean');
	is($unanswered, 0, 'after each restart all clients get replies');
	my @failures = $stream->stop;
	is(scalar(@failures), 0, 'no request has failed') or diag(@failures[0 .. ($#failures < 9 ? $#failures : 9)]);
	note($stream->answers, " answers over ${\ RESTARTS} restarts");
	is($daemon->stop, 0, 'it ends');
}
