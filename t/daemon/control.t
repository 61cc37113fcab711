#!/usr/bin/perl
# The control socket, as specified in daemon/control/control.h: every verb, invalid requests, many
# requests at once, lists that the client does not read, and who may connect.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use IO::Select;
use IO::Socket::UNIX;
use JSON::PP ();
use Test::More;
use Time::HiRes ();
use Tlsad::Ctl;
use Tlsad::Daemon;
use Tlsad::Lab;
use Tlsad::Observe;
use Tlsad::Process;

use constant TIMEOUT => 40;	# [s] for an answer that must come
use constant REQUEST_LONGEST => 16384;

my @missing = Tlsad::Lab::missing_programs();
plan(skip_all => "not installed: @missing") if @missing;
my $lab = Tlsad::Lab->start;
my $ctl = Tlsad::Ctl->new;
my $json = JSON::PP->new->canonical;

subtest('lookup, explain, show' => \&lookups);
subtest('status' => \&status);
subtest('list, export, flush' => \&lists);
subtest('invalid requests' => \&bad_requests);
subtest('many requests at once' => \&many);
subtest('a list that the client does not read' => \&unread);
subtest('no descriptors' => \&no_descriptors);
subtest('reload' => \&reload);
subtest('the socket' => \&socket_file);
done_testing();

sub connection
{
	my ($daemon) = @_;
	return IO::Socket::UNIX->new(Type => SOCK_STREAM, Peer => $daemon->control)
		// die $daemon->control . ": $!\n";
}

sub frame { my ($bytes) = @_; return length($bytes) . ":$bytes," }

sub send_request
{
	my ($socket, %request) = @_;
	my $bytes = frame($json->encode(\%request));
	syswrite($socket, $bytes) == length($bytes) or die "write: $!\n";
}

my %unread_bytes;

# The next response, undef when the connection has ended.
sub receive
{
	my ($socket) = @_;
	my $end = Time::HiRes::time() + TIMEOUT;
	for (;;) {
		if (($unread_bytes{$socket} // '') =~ /^(\d+):/
			&& length($unread_bytes{$socket}) > length($1) + $1 + 1) {
			my ($size, $head) = ($1, length($1) + 1);
			my $payload = substr($unread_bytes{$socket}, $head, $size);
			die "no comma\n" unless substr($unread_bytes{$socket}, $head + $size, 1) eq ',';
			substr($unread_bytes{$socket}, 0, $head + $size + 1) = '';
			return $json->decode($payload);
		}
		die "no answer in time\n"
			unless IO::Select->new($socket)->can_read($end - Time::HiRes::time());
		my $got = sysread($socket, my $bytes, 65536);
		return undef unless $got;
		$unread_bytes{$socket} .= $bytes;
	}
}

# Sends one request on its own connection: returns all responses, the last one last.
sub ask
{
	my ($daemon, %request) = @_;
	my $socket = connection($daemon);
	my @answers;
	send_request($socket, %request);
	do { push @answers, receive($socket) } while ($answers[-1] && $answers[-1]{entry});
	return @answers;
}

# Parts are committed a moment after the lookup.
sub wait_for_entries
{
	my ($daemon, $least) = @_;
	for (1 .. 250) {
		return if (ask($daemon, verb => 'status'))[0]{status}{cache}{entries} >= $least;
		Time::HiRes::sleep(0.02);
	}
	die "nothing is stored\n";
}

sub lookups
{
	my $daemon = Tlsad::Daemon->start(lab => $lab);
	my ($answer) = ask($daemon, verb => 'show', key => 'full.dane.lab');
	is_deeply($answer, { ok => JSON::PP::true, explanation => undef }, 'nothing is cached yet');
	($answer) = ask($daemon, verb => 'lookup', id => 7, key => 'full.dane.lab');
	is_deeply($answer, { ok => JSON::PP::true, id => 7, reply => 'OK dane-only' }, 'looked up');
	($answer) = ask($daemon, verb => 'lookup', map => 'pinned', key => 'full.dane.lab');
	like($answer->{reply}, qr/^OK fingerprint match=[0-9A-F:|]+$/, 'in another map');
	($answer) = ask($daemon, verb => 'lookup', key => 'insecure.lab');
	is($answer->{reply}, 'NOTFOUND ', 'not found');
	($answer) = ask($daemon, verb => 'lookup', key => 'bogus-mx.dane.lab');
	like($answer->{reply}, qr/^TEMP .*bogus/, 'a lookup that fails');
	($answer) = ask($daemon, verb => 'lookup', map => 'no-such', key => 'x.lab');
	like($answer->{reply}, qr/^PERM /, 'no such map');
	($answer) = ask($daemon, verb => 'lookup', map => 'native x', key => 'full.dane.lab');
	like($answer->{reply}, qr/^PERM /, 'a map name with a space');
	wait_for_entries($daemon, 3);
	for my $verb ('explain', 'show') {
		($answer) = ask($daemon, verb => $verb, key => 'full.dane.lab');
		is($answer->{explanation}{reason}, 'dane-full', "$verb: an explanation");
	}
	($answer) = ask($daemon, verb => 'explain', key => '192.0.2.1');
	is($answer->{explanation}{reason}, 'not-a-destination', 'also of a key that is not a destination');
	is($daemon->stop, 0, 'the daemon ends with status 0');
}

sub status
{
	my $daemon = Tlsad::Daemon->start(lab => $lab);
	$daemon->request('policy', 'full.dane.lab') for 1 .. 3;
	$daemon->request('policy', '10.1');
	wait_for_entries($daemon, 2);
	my ($answer) = ask($daemon, verb => 'status');
	my $status = $answer->{status};
	is($status->{requests}, 4, 'requests');
	is($status->{hits} + $status->{misses}, 3, 'hits and misses');
	is($status->{invalid}, 1, 'invalid keys');
	is($status->{replies}{ok}, 3, 'answers');
	is($status->{pid}, $daemon->pid, 'pid');
	like($status->{versions}{libunbound}, qr/^\d+\.\d+/, 'versions');
	is($status->{resolver}{state}, 'works', 'validation works');
	cmp_ok($status->{cache}{entries}, '>=', 2, 'the number of entries');
	cmp_ok($status->{cache}{size}, '>', 0, 'their size');
	is_deeply($status->{endpoints}, [ $daemon->endpoint ], 'endpoints');
	is($daemon->stop, 0, 'the daemon ends with status 0');
}

sub lists
{
	my $daemon = Tlsad::Daemon->start(lab => $lab);
	my @domains = ('full.dane.lab', 'partial-none.dane.lab', 'insecure.lab', 'bogus-mx.dane.lab');
	$daemon->request('policy', $_) for @domains;
	# MX sets, hosts, and the MTA-STS policy that insecure.lab does not have.
	wait_for_entries($daemon, 4 + 3 + 1);
	my @list = ask($daemon, verb => 'list', id => 3);
	my $last = pop @list;
	is($last->{count}, scalar(@list), 'a list, and how many there were');
	is(scalar(grep { $_->{id} != 3 } @list, $last), 0, 'each with the request\'s id');
	my %mx = map { $_->{entry}{name} => $_->{entry} } grep { $_->{entry}{kind} eq 'mx' } @list;
	is(join(' ', sort keys %mx), join(' ', sort @domains), 'every domain');
	is("$mx{'full.dane.lab'}{status} $mx{'full.dane.lab'}{dnssec}", 'found secure', 'with what is known');
	is($mx{'bogus-mx.dane.lab'}{status}, 'failed', 'failures too');
	my @hosts = grep { $_->{entry}{kind} eq 'host' } @list;
	is(scalar(grep { $_->{entry}{port} != 25 || $_->{entry}{name} =~ /:/ } @hosts), 0, 'hosts with their port');
	my @export = ask($daemon, verb => 'export');
	is(pop(@export)->{count}, 2, 'an export has the domains with a reply OK');
	is_deeply({ map { $_->{entry}{key} => $_->{entry}{value} } @export },
		{ 'full.dane.lab' => 'dane-only', 'partial-none.dane.lab' => 'dane' }, 'as Postfix reads it');
	@export = ask($daemon, verb => 'export', map => 'pinned');
	like((grep { $_->{entry}{key} eq 'full.dane.lab' } grep { $_->{entry} } @export)[0]{entry}{value},
		qr/^fingerprint match=/, 'of another map');
	like((ask($daemon, verb => 'export', map => 'explain'))[0]{error}, qr/one of policy, native, pinned, policy-tlsrpt, native-tlsrpt, pinned-tlsrpt$/, 'not of every map');

	my ($answer) = ask($daemon, verb => 'flush', key => 'full.dane.lab');
	cmp_ok($answer->{flushed}, '>=', 2, 'a destination is flushed with its hosts');
	is((ask($daemon, verb => 'show', key => 'full.dane.lab'))[0]{explanation}, undef, 'and is gone');
	isnt((ask($daemon, verb => 'show', key => 'insecure.lab'))[0]{explanation}, undef, 'others stay');
	is((ask($daemon, verb => 'flush', key => 'full.dane.lab'))[0]{flushed}, 0, 'nothing is left to flush');
	is($daemon->request('policy', 'full.dane.lab'), 'OK dane-only', 'it is looked up again');
	cmp_ok((ask($daemon, verb => 'flush', all => JSON::PP::true))[0]{flushed}, '>', 2, 'all');
	is((ask($daemon, verb => 'list'))[0]{count}, 0, 'then the cache is empty');
	is($daemon->request('policy', 'full.dane.lab'), 'OK dane-only', 'and fills again');
	like((ask($daemon, verb => 'flush'))[0]{error}, qr/'key'/, 'flush needs a key, or all');
	like((ask($daemon, verb => 'flush', key => '10.1'))[0]{error}, qr/not a destination/, 'an invalid key');
	like((ask($daemon, verb => 'flush', key => "a\x{7f}b"))[0]{error}, qr/^'a\\x7Fb' is not/i,
		'a control character of a key is escaped in the error');
	is($daemon->stop, 0, 'the daemon ends with status 0');
}

sub bad_requests
{
	my $daemon = Tlsad::Daemon->start(lab => $lab);
	for my $payload ('', 'x', '[]', '1', '{"verb":1}', '{"verb":"nonsense"}', '{"a":1,"a":2}',
		'{"verb":"lookup"}', '{"verb":"lookup","key":7}', '{"verb":"lookup","key":"a\u0000b"}',
		'{"verb":"explain","key":"' . 'x' x 10000 . '"') {
		my $socket = connection($daemon);
		syswrite($socket, frame($payload));
		my $answer = receive($socket);
		ok($answer && defined $answer->{error} && !$answer->{ok}, 'an error: ' . substr($payload, 0, 40));
		send_request($socket, verb => 'status');
		ok(receive($socket)->{ok}, 'and the connection goes on');
	}
	for my $bytes ('x', '01:x,', '-1:', ':', '3:abcd', (REQUEST_LONGEST + 1) . ':', '99999999999') {
		my $socket = connection($daemon);
		syswrite($socket, $bytes);
		is(receive($socket), undef, "no netstring ends it: $bytes");
	}
	# Cut anywhere, and byte by byte.
	my $bytes = frame('{"verb":"lookup","key":"full.dane.lab"}');
	for my $cut (1 .. length($bytes) - 1) {
		syswrite(connection($daemon), substr($bytes, 0, $cut));
	}
	my $socket = connection($daemon);
	for (split(//, $bytes)) { syswrite($socket, $_); Time::HiRes::sleep(0.001) }
	is(receive($socket)->{reply}, 'OK dane-only', 'byte by byte');
	my @idle = map { connection($daemon) } 1 .. 40;
	is($daemon->request('policy', 'full.dane.lab'), 'OK dane-only', 'Postfix is served all the while');
	is_deeply(receive($idle[-1]), { error => 'too many connections; try again later' }, 'one too many gets an error');
	is(receive($idle[-1]), undef, 'and is closed');
	is($ctl->run('-s', $daemon->control, 'cache', 'list')->{err},
		"tlsactl: error: too many connections; try again later\n", 'as tlsactl says');
	@idle = ();
	is((ask($daemon, verb => 'status'))[0]{ok}, JSON::PP::true, 'and so is the next one');
	is($daemon->stop, 0, 'the daemon ends with status 0');
}

sub many
{
	my $daemon = Tlsad::Daemon->start(lab => $lab);
	my $socket = connection($daemon);
	is((ask($daemon, verb => 'lookup', key => 'full.dane.lab'))[0]{reply}, 'OK dane-only', 'known from the start');
	my @keys = ('full.dane.lab', 'silent.lab', map { "no-such-$_.dane.lab" } 1 .. 2000);
	my %wanted = map { $_ => 1 } 0 .. $#keys;
	# Sent by another process, since this one reads.
	my $pid = fork() // die "fork: $!\n";
	if ($pid == 0) {
		send_request($socket, verb => 'lookup', id => $_, key => $keys[$_]) for 0 .. $#keys;
		POSIX::_exit(0);
	}
	my $first;
	while (%wanted) {
		my $answer = receive($socket) or last;
		delete $wanted{$answer->{id}};
		$first = $answer->{id} unless defined $first;
	}
	waitpid($pid, 0);
	is(scalar(keys %wanted), 0, scalar(@keys) . ' requests, all answered');
	isnt($first, 1, 'a silent server does not hold up the others');
	# Disconnects while its lookups run.
	my $gone = connection($daemon);
	send_request($gone, verb => 'lookup', id => $_, key => "gone-$_.silent.lab") for 1 .. 50;
	close($gone);
	is((ask($daemon, verb => 'lookup', key => 'full.dane.lab'))[0]{reply}, 'OK dane-only', 'other connections continue');
	is($daemon->stop, 0, 'the daemon ends with status 0');
}

sub unread
{
	my $daemon = Tlsad::Daemon->start(lab => $lab);
	is($daemon->request('policy', 'full.dane.lab'), 'OK dane-only', 'what Postfix will ask for is known');
	my $socket = connection($daemon);
	send_request($socket, verb => 'lookup', id => $_, key => "entry-$_.dane.lab") for 1 .. 900;
	receive($socket) for 1 .. 900;
	# On a busy machine some lookups may have failed, which does not matter here.
	wait_for_entries($daemon, 850);
	my $pid = $daemon->pid;
	my $rss = sub { open(my $h, '<', "/proc/$pid/status") or die; my ($kb) = join('', <$h>) =~ /VmRSS:\s+(\d+)/; $kb };
	my $before = $rss->();
	my $slow = connection($daemon);
	send_request($slow, verb => 'list', id => $_) for 1 .. 50;
	Time::HiRes::sleep(1);
	cmp_ok($rss->() - $before, '<', 8192, 'fifty lists that nobody reads cost little [kB]');
	is($daemon->request('policy', 'full.dane.lab'), 'OK dane-only', 'Postfix is served');
	my ($entries, $ends) = (0, 0);
	while ($ends < 50) {
		my $answer = receive($slow) or last;
		if ($answer->{entry}) { $entries++ } else { $ends++ }
	}
	is($ends, 50, 'the entries come when the client reads');
	cmp_ok($entries, '>=', 50 * 850, 'whole');
	is($daemon->stop, 0, 'the daemon ends with status 0');
}

# [s] Processor time that the main thread has used.
sub main_thread_time
{
	my ($pid) = @_;
	open(my $handle, '<', "/proc/$pid/task/$pid/schedstat") or die "/proc/$pid: $!\n";
	return (split(/ /, <$handle>))[0] / 1e9;
}

sub no_descriptors
{
	my $prlimit = Tlsad::Process::find_program('prlimit');
	plan(skip_all => 'prlimit(1) is not installed') unless defined $prlimit;
	my $daemon = Tlsad::Daemon->start(lab => $lab);
	# The start needs descriptors, and the resolver needs them for its first query for the root:
	# libunbound ends the process when it cannot open its file.
	$daemon->wait_log($_, TIMEOUT) for qr/ serves on /, qr/DNSSEC validation works/;
	my ($limit) = qx($prlimit --pid @{[$daemon->pid]} --nofile --noheadings --raw --output SOFT) =~ /(\d+)/;
	system($prlimit, '--pid', $daemon->pid, '--nofile=3:');
	my $socket = connection($daemon);
	send_request($socket, verb => 'status');
	my $begin = main_thread_time($daemon->pid);
	is(IO::Select->new($socket)->can_read(1.5), undef, 'nobody can be accepted') or diag($daemon->log_text);
	cmp_ok(main_thread_time($daemon->pid) - $begin, '<', 0.3, 'which uses no processor time');
	system($prlimit, '--pid', $daemon->pid, "--nofile=$limit:");
	ok(receive($socket)->{ok}, 'it is served once there are descriptors');
	is($daemon->stop, 0, 'the daemon ends with status 0');
}

sub reload
{
	my $daemon = Tlsad::Daemon->start(lab => $lab);
	is_deeply((ask($daemon, verb => 'reload'))[0],
		{ ok => JSON::PP::true, changed => [], restart => [] }, 'nothing has changed');
	$daemon->write_config({ dane => { enforce => 'pinned' }, server => { workers => 3 } });
	is_deeply((ask($daemon, verb => 'reload'))[0],
		{ ok => JSON::PP::true, changed => ['dane.enforce'], restart => ['server.workers'] },
		'what was applied, and what needs a restart');
	like((ask($daemon, verb => 'lookup', key => 'full.dane.lab'))[0]{reply}, qr/^OK fingerprint/, 'it is applied');
	$daemon->write_config({ dane => { enforce => 'nonsense' } });
	like((ask($daemon, verb => 'reload'))[0]{error}, qr/enforce/, 'a broken file: the error');
	like((ask($daemon, verb => 'lookup', key => 'full.dane.lab'))[0]{reply}, qr/^OK fingerprint/, 'the old configuration stays');
	$daemon->write_config({ dane => { enforce => "n\xf6nsense" } });
	like((ask($daemon, verb => 'reload'))[0]{error}, qr/enforce.*n\\xF6nsense/i, 'also of bytes that are not UTF-8');
	is($daemon->stop, 0, 'the daemon ends with status 0');
}

sub socket_file
{
	my $daemon = Tlsad::Daemon->start(lab => $lab);
	my $path = $daemon->control;
	is(sprintf('%04o', (stat($path))[2] & 07777), '0600', 'only its owner may connect');
	is($daemon->stop, 0, 'the daemon ends with status 0');
	ok(!-e $path, 'and removes it');
	my $off = Tlsad::Daemon->start(lab => $lab, config => { server => { control => '' } });
	ok(!-e $off->directory . '/control', 'no socket, if the setting is empty');
	$off->stop;
	my ($status, $log) = Tlsad::Daemon->run(lab => $lab,
		config => { server => { control => 'unix:/nonexistent/control' } });
	is($status, 1, 'a socket that cannot be made: status');
	like($log, qr{control unix:/nonexistent/control: }, 'and which socket');
}
