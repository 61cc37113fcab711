#!/usr/bin/perl
# tlsad as a service, like on a mail host: the units of systemd/, unchanged except for the path of
# the configuration, under a real systemd that the test boots (Tlsad::Systemd).
#
# t/host/service.t tests the protocols between tlsad and its manager, without systemd.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use IO::Socket::INET;
use IO::Socket::UNIX;
use Test::More;
use Tlsad::Ctl;
use Tlsad::Daemon;
use Tlsad::Hold;
use Tlsad::Lab;
use Tlsad::Observe;
use Tlsad::PinnedCases;
use Tlsad::Process;
use Tlsad::Socketmap;
use Tlsad::Stream;
use Tlsad::Systemd;

use constant PROMPT => 60;		# [s] for what should take a second
use constant { CLIENTS => 20, RESTARTS => 10 };

sub cannot
{
	my ($why) = @_;
	plan(skip_all => $why) if ($ENV{CI} // '') ne 'true';
	plan(tests => 1);
	fail("it must run (CI=true): $why");
	exit 1;
}

my $tlsad = Tlsad::Daemon::binary();
plan(skip_all => 'the unit forbids what a sanitizer needs')
	if sanitizer_built_in($tlsad);
my @missing = (Tlsad::Systemd->missing, Tlsad::PinnedCases::missing_programs());
cannot("missing: @missing") if @missing;

my $cases = Tlsad::PinnedCases->new;
my $lab = Tlsad::Lab->start(special => 1, zones => $cases->zones);
my $units = Tlsad::Process::source_directory() . '/systemd';
my $port = Tlsad::Process::free_port();
my $systemd = eval { boot() } or cannot($@);
my $socketmap = 'unix:' . $systemd->path('/run/tlsad/socketmap');

subtest('the start' => \&beginning);
subtest('without rights' => \&rights);
subtest('what it does' => \&work);
subtest('reload' => \&reload);
subtest('restarts without a lost request' => \&restarts);
subtest('a thread that is stuck' => \&stuck);
subtest('killed' => \&killed);
subtest('started by a request' => \&activated);
subtest('metrics' => \&metrics);
subtest('the end' => \&ending);
$systemd->stop;
done_testing();

sub config
{
	my (@more) = @_;
	my $resolver = $lab->resolver_config =~ s/^(trust_anchor|options) = .*$/$1 = \/etc\/tlsad\/$1/mgr;
	return join("\n", '[server]', 'socketmap = unix:/run/tlsad/socketmap', 'policy = unix:/run/tlsad/policy',
		'control = unix:/run/tlsad/control', 'workers = 3', '[dane]', 
		'tafile_dir = /var/spool/postfix/tlsad', '[cache]', 'path = /var/lib/tlsad/cache', @more,
		'[resolver]', $resolver, '');
}

sub boot
{
	my $settings = $lab->resolver_settings;
	my %files = ('/etc/tlsad/tlsad.conf' => config(),
		'/etc/systemd/system/tlsad.service.d/paths.conf' => "[Service]\nExecStart=\n"
			. "ExecStart=/usr/local/sbin/tlsad -c /etc/tlsad/tlsad.conf\n",
		'/etc/systemd/system/tlsad-metrics.socket.d/port.conf' =>
			"[Socket]\nListenStream=\nListenStream=127.0.0.1:$port\n",
		'/etc/sysusers.d/tlsad.conf' => Tlsad::Process::slurp("$units/tlsad.sysusers"));
	for my $name (qw(trust_anchor options)) {
		$files{"/etc/tlsad/$name"} = Tlsad::Process::slurp($settings->{$name}) if defined $settings->{$name};
	}
	for my $unit (glob("$units/*.service"), glob("$units/*.socket")) {
		$files{'/etc/systemd/system/' . $unit =~ s{.*/}{}r} = Tlsad::Process::slurp($unit);
	}
	my $booted = Tlsad::Systemd->boot(files => \%files, programs => { '/usr/local/sbin/tlsad' => $tlsad,
		'/usr/local/sbin/tlsactl' => Tlsad::Ctl::binary() });
	for my $command ('systemd-sysusers', 'install -d -m 755 /var/spool/postfix',
		'install -d -o tlsad -g tlsad /var/spool/postfix/tlsad') {
		my ($status, $output) = $booted->run(split(/ /, $command));
		die "$command: $output" if $status != 0;
	}
	return $booted;
}

# A command that must succeed; its output.
sub works
{
	my (@command) = @_;
	my ($status, $output) = $systemd->run(@command);
	is($status, 0, "@command") or diag($output), diag(journal('--lines', 20));
	return $output;
}

sub journal { return ($systemd->run(qw(journalctl --no-pager --output cat --unit tlsad), @_))[1] }

sub ask
{
	my ($map, $key) = @_;
	return eval { Tlsad::Socketmap->new($socketmap, timeout => PROMPT)->request($map, $key) } // $@;
}

sub tlsactl { return $systemd->run('tlsactl', '-c', '/etc/tlsad/tlsad.conf', @_) }

sub beginning
{
	works(qw(systemctl enable --now tlsad.service));
	for my $unit (qw(tlsad.service tlsad.socket tlsad-policy.socket tlsad-control.socket)) {
		works('systemctl', $_, $unit) for qw(is-enabled is-active);
	}
	isnt(($systemd->run(qw(systemctl is-enabled tlsad-metrics.socket)))[0], 0, 'metrics are not enabled');
	is($systemd->property('tlsad', 'StatusText'), 'serving on unix:/run/tlsad/socketmap',
		'systemctl status shows where it serves');
	is(ask('native', 'full.dane.lab'), 'OK dane-only', 'it serves');
	my $smtpd = IO::Socket::UNIX->new(Peer => $systemd->path('/run/tlsad/policy')) or die "policy: $!\n";
	print {$smtpd} "request=smtpd_access_policy\nprotocol_state=RCPT\nrecipient=a\@full.dane.lab\n\n";
	is(scalar(<$smtpd>), "action=DUNNO\n", 'smtpd, too');
	my ($status, $output) = tlsactl('status');
	is($status, 0, 'and tlsactl') or diag($output);
	like(($systemd->run(qw(stat --format), '%U %a', '/run/tlsad/control'))[1], qr/^tlsad 600$/,
		'whose socket is not for everybody');
	like(($systemd->run(qw(stat --format), '%U %a', '/run/tlsad/socketmap'))[1], qr/^tlsad 666$/,
		'while the other is');
	my $before = works(qw(systemctl show --property Before tlsad.service));
	like($before, qr/\b\Q$_\E(?: |$)/m, "it starts before $_") for qw(postfix.service postfix@-.service);
	my @warnings = grep { /tlsad/ } split(/\n/, journal('--priority', 'warning'));
	is("@warnings", '', 'and warns of nothing');
}

sub rights
{
	my $pid = $systemd->process('tlsad.service');
	my %status = Tlsad::Process::slurp("/proc/$pid/status") =~ /^(\w+):\t(.*)$/mg;
	my ($user, $group) = map { getent($_) } qw(passwd group);
	is($status{Uid}, join("\t", ($user) x 4), 'it is the account tlsad');
	is($status{Gid}, join("\t", ($group) x 4), 'and its group');
	is($status{"Cap$_"}, '0' x 16, "no capabilities: $_") for qw(Inh Prm Eff Bnd Amb);
	is($status{NoNewPrivs}, 1, 'and none to come');
	is($status{Seccomp}, 2, 'system calls are filtered');
	cmp_ok($systemd->property('tlsad', 'LimitNOFILE'), '>=', 65536, 'it may open enough files');
}

sub getent
{
	my ($database) = @_;
	my (undef, $line) = $systemd->run('getent', $database, 'tlsad');
	return (split(/:/, $line))[2];
}

# Everything that a unit could forbid: files, sockets, threads, a child.
sub work
{
	my $reply = ask('pinned', 'ta-one.site.lab');
	like($reply, qr{^OK .*tafile=/var/spool/postfix/tlsad/}, 'trust anchors are written');
	my ($file) = $reply =~ /tafile=([^ }]+)/;
	my ($status, $output) = $systemd->run(qw(setpriv --reuid nobody --regid nogroup --clear-groups cat), $file // '/no');
	like($output, qr/BEGIN CERTIFICATE|BEGIN PUBLIC KEY/, 'where Postfix can read them');
	like(ask('policy', 'bogus-mx.dane.lab'), qr/^TEMP /, 'a failure');
	# The journal may take the line a moment after the reply.
	my ($line, $end) = (undef, time + 30);
	until (defined $line || time > $end) {
		($line) = grep { /bogus-mx/ } split(/\n/, journal('--priority', 'warning'));
		sleep(1) unless defined $line;
	}
	like($line // '', qr/^warning: lookup of bogus-mx\.dane\.lab failed: .*reason=/,
		'is a warning in the journal, without the sign of its level');
	for my $command ([ 'cache', 'list' ], [ 'cache', 'flush', 'full.dane.lab' ], [ 'lookup', 'full.dane.lab' ],
		[ 'explain', 'full.dane.lab' ], [ 'reload' ]) {
		($status, $output) = tlsactl(@$command);
		is($status, 0, "tlsactl @$command") or diag($output);
	}
}

sub reload
{
	$systemd->write('/etc/tlsad/tlsad.conf', config('max_ttl = 1h', '[exception]', 'excepted.lab = encrypt'));
	works(qw(systemctl reload tlsad));
	is(ask('policy', 'excepted.lab'), 'OK encrypt', 'the new settings apply as soon as it is done');
	$systemd->write('/etc/tlsad/tlsad.conf', "[cache]\nmax_ttl = nonsense\n");
	$systemd->run(qw(systemctl reload tlsad));
	is(ask('policy', 'excepted.lab'), 'OK encrypt', 'a file that cannot be read is not applied');
	like(journal(), qr/old configuration stays/, 'and the journal says so');
	$systemd->write('/etc/tlsad/tlsad.conf', config());
	works(qw(systemctl reload tlsad));
	is(ask('policy', 'excepted.lab'), 'NOTFOUND ', 'and back');
}

sub restarts
{
	my $stream = Tlsad::Stream->start($socketmap, CLIENTS, 2 * PROMPT);
	ok($stream->all_answered, 'all clients get replies');
	my $unanswered = 0;
	for (1 .. RESTARTS) {
		works(qw(systemctl restart tlsad));
		$unanswered++ unless $stream->all_answered;
	}
	is($unanswered, 0, 'after each restart all clients get replies');
	my @failures = $stream->stop;
	is(scalar(@failures), 0, 'no request has failed') or diag(@failures[0 .. ($#failures < 9 ? $#failures : 9)]);
	note($stream->answers, " answers over ${\ RESTARTS} restarts");
}

sub stuck
{
	$systemd->write('/etc/systemd/system/tlsad.service.d/watchdog.conf', "[Service]\nWatchdogSec=3\nLimitCORE=0\n");
	works(qw(systemctl daemon-reload));
	works(qw(systemctl restart tlsad));
	my $before = $systemd->property('tlsad', 'NRestarts');
	my $held = hold(thread_named($systemd->process('tlsad.service'), 'tlsad-serving'));
	plan(skip_all => 'ptrace is not allowed here') unless $held;
	ok(wait_until(PROMPT, sub { journal() =~ /Watchdog timeout/ }), 'systemd has waited long enough');
	# A traced process does not end before its tracer.
	release($held);
	ok(wait_until(PROMPT, sub { $systemd->property('tlsad', 'NRestarts') > $before }),
		'it ends it and starts it again');
	like(journal(), qr/a serving thread has been stuck for \d+ seconds/, 'the journal says why');
	is(ask('native', 'full.dane.lab'), 'OK dane-only', 'and it serves again');
	unlink($systemd->path('/etc/systemd/system/tlsad.service.d/watchdog.conf'));
	works(qw(systemctl daemon-reload));
	works(qw(systemctl restart tlsad));
}

sub killed
{
	my $before = $systemd->property('tlsad', 'NRestarts');
	my $client = Tlsad::Socketmap->new($socketmap, timeout => PROMPT);
	works(qw(systemctl kill --signal=KILL tlsad));
	is(ask('native', 'full.dane.lab'), 'OK dane-only', 'a new request waits for the next one');
	cmp_ok($systemd->property('tlsad', 'NRestarts'), '>', $before, 'which systemd has started');
	is(Tlsad::Stream::ask_like_postfix($socketmap, \$client, 'full.dane.lab'), 'OK dane-only',
		'a client with an old connection sends the request again');
}

sub activated
{
	works(qw(systemctl stop tlsad.service));
	isnt(($systemd->run(qw(systemctl is-active tlsad.service)))[0], 0, 'it has ended');
	works(qw(systemctl is-active tlsad.socket));
	is(ask('native', 'full.dane.lab'), 'OK dane-only', 'a request starts it');
	works(qw(systemctl is-active tlsad.service));
}

# As in systemd/tlsad-metrics.socket.
sub metrics
{
	works(qw(systemctl enable tlsad-metrics.socket));
	works(qw(systemctl stop tlsad));
	works(qw(systemctl start tlsad-metrics.socket tlsad));
	my $get = sub {
		my $http = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port, Timeout => PROMPT)
			or return "$!";
		print {$http} "GET $_[0] HTTP/1.0\r\n\r\n";
		return join('', <$http>);
	};
	like($get->('/metrics'), qr/^tlsad_requests_total/m, 'metrics are served');
	ok(wait_until(PROMPT, sub { $get->('/healthz') =~ m{^HTTP/1\.\d 200 } }), 'and it is healthy');
}

sub ending
{
	works(qw(systemctl stop tlsad.service tlsad.socket tlsad-policy.socket tlsad-control.socket
		tlsad-metrics.socket));
	is($systemd->property('tlsad', 'Result'), 'success', 'it ends well');
	ok(!-e $systemd->path("/run/tlsad/$_"), "and leaves no socket: $_") for qw(socketmap policy control);
	my (undef, $failed) = $systemd->run(qw(systemctl list-units --failed --plain --no-legend tlsad*));
	is($failed, '', 'nothing has failed');
}
