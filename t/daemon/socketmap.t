#!/usr/bin/perl
# Clients that are hostile or faulty, and many clients. The daemon replies as socketmap_table(5)
# specifies or closes that connection, and serves all others meanwhile.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use IO::Select;
use IO::Socket::INET;
use IO::Socket::IP;
use JSON::PP ();
use Socket qw(SOL_SOCKET SO_LINGER);
use Test::More;
use Time::HiRes ();
use Tlsad::Daemon;
use Tlsad::Lab;
use Tlsad::Observe;
use Tlsad::Process;

# [s] Long, for loaded machines and sanitizers.
use constant PROMPT => 30;
use constant BULK => 150;		# never-asked destinations
use constant SILENT_CONNECTIONS => 5000;
use constant HOLDERS => 10;		# processes that hold them: 1,024 descriptors are usual
use constant CONNECTION_MOST => 4096;	# [bytes] of the daemon's memory for each

my @missing = Tlsad::Lab::missing_programs();
plan(skip_all => "not installed: @missing") if @missing;

my $lab = Tlsad::Lab->start(zones => { 'bulk.lab' => join('',
	"mx A 192.0.2.1\nmx AAAA 2001:db8::1\n_25._tcp.mx TLSA 3 1 1 ", 'ab' x 32, "\n",
	"none A 192.0.2.2\nnone AAAA 2001:db8::2\n",
	map { "d$_ MX 10 " . ($_ % 2 ? 'mx' : 'none') . "\n" } 1 .. BULK) });
my $netstring = \&Tlsad::Socketmap::netstring;

my $daemon = Tlsad::Daemon->start(lab => $lab,
	config => { server => { workers => 2 }, resolver => { timeout => '6s' } });
is($daemon->request('policy', 'full.dane.lab'), 'OK dane-only', 'a first reply');
my $good = $netstring->('policy full.dane.lab');

subtest('invalid netstrings' => \&bad_netstrings);
subtest('sizes' => \&sizes);
subtest('requests in pieces' => \&pieces);
subtest('pipelined requests' => \&pipelined);
subtest('maps' => \&maps);
subtest('every byte in keys' => \&every_byte);
subtest('half-closed' => \&half_closed);
subtest('clients that vanish' => \&vanishing);
is($daemon->stop, 0, 'the daemon ends with status 0');

subtest('silent connections' => \&silent_connections);
subtest('a client that never reads' => \&never_reads);
subtest('max_connections' => \&max_connections);
subtest('max_connections of several workers' => \&max_connections_of_workers);
subtest('idle_timeout' => \&idle_timeout);
subtest('endpoints and networks' => \&endpoints);
subtest('several workers' => \&several_workers);
done_testing();

sub served
{
	my ($daemon, $why) = @_;
	my $begin = Time::HiRes::time();
	my $reply = eval { $daemon->client(timeout => PROMPT)->request('policy', 'full.dane.lab') }
		// $@;
	my $seconds = Time::HiRes::time() - $begin;
	ok($reply eq 'OK dane-only' && $seconds < PROMPT, "others are served: $why")
		or diag(sprintf('%s after %.1f s', $reply, $seconds));
}

sub bad_netstrings
{
	my %bad = (
		'leading zero' => '022:policy full.dane.lab,',
		'two zeros' => '00:,',
		'plus' => '+22:policy full.dane.lab,',
		'minus' => '-1:x,',
		'blank before' => ' ' . $good,
		'blank in the length' => '2 2:policy full.dane.lab,',
		'no digits' => ':policy full.dane.lab,',
		'no length at all' => 'policy full.dane.lab,',
		'semicolon' => '20;policy full.dane.lab,',
		'hexadecimal' => '0x14:policy full.dane.lab,',
		'missing comma' => '20:policy full.dane.lab;' . $good,
		'comma too early' => '22:policy full.dane.lab,' . $good,
		'newlines' => "20:policy full.dane.lab,\n" . $good,
		'one over' => '10001:',
		'length that overflows 32 bits' => '4294967296:',
		'length that overflows 64 bits' => '18446744073709551617:x,',
		'endless length' => '1' x 100_000,
		'endless zeros' => '0' x 100_000,
		'binary' => join('', map { chr } 0 .. 255),
		'a TLS hello' => "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
		'HTTP' => "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
		'policy delegation' => "request=smtpd_access_policy\nrecipient=a\@full.dane.lab\n\n",
	);
	for my $what (sort keys %bad) {
		my $client = $daemon->client(timeout => PROMPT);
		$client->send_raw($good);
		$client->send_raw($bad{$what});
		my $bytes = '';
		while (defined(my $more = $client->receive_raw(65536, PROMPT))) {
			last if $more eq '';
			$bytes .= $more;
		}
		# After a correct beginning, "policy full.dane.lab," and more gets a reply.
		my $replies = $bad{$what} =~ /^\Q$good\E/ ? 2 : 1;
		is($bytes, $netstring->('OK dane-only') x $replies,
			"$what: what came before is answered, then it is closed");
	}
	served($daemon, 'after bad netstrings');
}

sub sizes
{
	my $client = $daemon->client(timeout => PROMPT);
	is($client->request('policy', 'x' x (10_000 - length('policy '))), 'NOTFOUND ',
		'10,000 bytes are accepted');
	$client->send_raw($netstring->('x' x 10_000));
	like($client->receive_reply, qr/^PERM /, '10,000 bytes without a blank');
	my $explain = $client->request('explain', "\xff" x (10_000 - length('explain ')));
	like($explain, qr/^OK \{.*"not-a-destination".*\}$/, 'explain of 10,000 bytes');
	is($client->request('policy', 'full.dane.lab'), 'OK dane-only', 'the connection goes on');
	$client->send_raw($netstring->('x' x 10_001));
	ok($client->closed_by_peer(PROMPT), '10,001 bytes end the connection');
	my $again = $daemon->client(timeout => PROMPT);
	$again->send_raw($good . $netstring->('policy ' . 'x' x 9_994) . $good);
	is($again->receive_reply, 'OK dane-only', '10,001 bytes after a good request');
	is(eval { $again->receive_reply } // $@, "socketmap: closed\n", 'end the connection');
}

# One connection for each position to cut, all open at once, so that one pause is enough for all to
# be read in two pieces.
sub pieces
{
	my $two = $good . $netstring->('native missing.dane.lab');
	my @clients = map { [ $_, $daemon->client(timeout => PROMPT) ] } 1 .. length($two) - 1;
	$_->[1]->send_raw(substr($two, 0, $_->[0])) for @clients;
	served($daemon, 'while requests are incomplete');
	Time::HiRes::sleep(0.3);
	$_->[1]->send_raw(substr($two, $_->[0])) for @clients;
	my @wrong = grep {
		my $client = $_->[1];
		my $replies = eval { join('|', map { $client->receive_reply } 1 .. 2) } // $@;
		$replies ne 'OK dane-only|NOTFOUND ';
	} @clients;
	is(join(' ', map { $_->[0] } @wrong), '', 'cut in every place');

	my $client = $daemon->client(timeout => PROMPT);
	for my $byte (split(//, $two)) {
		$client->send_raw($byte);
		Time::HiRes::sleep(0.005);
	}
	is($client->receive_reply, 'OK dane-only', 'byte by byte');
	is($client->receive_reply, 'NOTFOUND ', 'byte by byte, the second');

	# A request that needs a lookup, followed by an incomplete one.
	$client->send_raw($netstring->('policy d149.bulk.lab') . substr($good, 0, 7));
	is($client->receive_reply, 'OK dane-only', 'a lookup before a piece');
	$client->send_raw(substr($good, 7));
	is($client->receive_reply, 'OK dane-only', 'and the rest of the piece');

	for my $length (1 .. length($good) - 1) {
		my $quitter = $daemon->client(timeout => PROMPT);
		$quitter->send_raw(substr($good, 0, $length));
		$quitter->close;
	}
	served($daemon, 'after clients that left in the middle of a request');
}

sub expected
{
	my ($number) = @_;
	return $number % 2 ? 'OK dane-only' : 'NOTFOUND ';
}

# Sends and receives at the same time: with this number of requests both sides would block.
sub exchange
{
	my ($client, $bytes, $count) = @_;
	my $socket = $client->socket;
	my $select = IO::Select->new($socket);
	my ($sent, $received, @replies) = (0, '');
	my $end = Time::HiRes::time() + 3 * PROMPT;
	while (@replies < $count && Time::HiRes::time() < $end) {
		if ($sent < length($bytes)) {
			my $written = send($socket, substr($bytes, $sent, 65536), Socket::MSG_NOSIGNAL());
			$sent += $written // 0;
		}
		if ($select->can_read($sent < length($bytes) ? 0.01 : 1)) {
			sysread($socket, $received, 1 << 20, length($received)) or last;
		}
		while ($received =~ /\G(\d+):/gc) {
			my ($start, $size) = (pos($received), $1);
			if (length($received) <= $start + $size) {
				pos($received) = $start - length($size) - 1;
				last;
			}
			push @replies, substr($received, $start, $size);
			pos($received) = $start + $size + 1;
		}
		substr($received, 0, pos($received) // 0, '');
	}
	return @replies;
}

sub pipelined
{
	my (@requests, @expected);
	for my $number (1 .. BULK - 10) {
		push @requests, "policy d$number.bulk.lab";
		push @expected, qr/^\Q@{[expected($number)]}\E$/;
		# Between the lookups: cached destinations, other maps, invalid requests.
		my @others = ([ 'native full.dane.lab', qr/^OK dane-only$/ ],
			[ "explain d$number.bulk.lab", qr/"destination":"d$number\.bulk\.lab"/ ],
			[ "nonsense d$number", qr/^PERM / ], [ 'QUERY not a name', qr/^NOTFOUND $/ ],
			[ 'no-blank', qr/^PERM / ]);
		push @requests, map { $_->[0] } @others[$number % 5, ($number + 2) % 5];
		push @expected, map { $_->[1] } @others[$number % 5, ($number + 2) % 5];
	}
	# A slow lookup, followed by cached destinations.
	unshift @requests, 'policy slow.lab', 'policy full.dane.lab';
	unshift @expected, qr/^OK dane-only$/, qr/^OK dane-only$/;
	my $client = $daemon->client(timeout => PROMPT);
	my @replies = exchange($client, join('', map { $netstring->($_) } @requests),
		scalar(@requests));
	is(scalar(@replies), scalar(@requests), scalar(@requests) . ' requests, as many replies');
	my @wrong = grep { ($replies[$_] // '') !~ $expected[$_] } 0 .. $#requests;
	is(scalar(@wrong), 0, 'each reply in its place')
		or diag("$wrong[0]: $requests[$wrong[0]]: " . ($replies[$wrong[0]] // 'nothing'));

	# Far more cached requests than any buffer can hold.
	my $many = 20_000;
	my $bytes = join('', map { $netstring->($_ % 7 ? 'policy full.dane.lab'
		: "explain d$_.bulk.lab x") } 1 .. $many);
	my @many = exchange($daemon->client(timeout => PROMPT), $bytes, $many);
	is(scalar(@many), $many, "$many cached requests");
	@wrong = grep { my $number = $_ + 1;
		$number % 7 ? $many[$_] ne 'OK dane-only'
			: $many[$_] !~ /"destination":"d$number\.bulk\.lab x"/ } 0 .. $#many;
	is(scalar(@wrong), 0, 'each reply in its place');
}

sub maps
{
	my $client = $daemon->client(timeout => PROMPT);
	for my $map (qw(policy native QUERY postfix POLICY pOlIcY NATIVE query POSTFIX policy-tlsrpt
		native-tlsrpt QUERYwithTLSRPT querywithtlsrpt)) {
		is($client->request($map, 'full.dane.lab'), 'OK dane-only', "map $map");
	}
	like($client->request($_, 'full.dane.lab'), qr/^OK \{/, "map $_") for qw(explain EXPLAIN);
	my $all = qr/(?=.*\bpolicy\b)(?=.*\bnative\b)(?=.*\bexplain\b)(?=.*\bQUERY\b)(?=.*\bpostfix\b)/;
	for my $map (qw(nope polic policyy policy-tlsrp), '', "policy\t", "policy\0", 'x' x 9_000) {
		my $reply = $client->request($map, 'full.dane.lab');
		like($reply, qr/^PERM $all/, 'PERM with the names that exist: ' . substr($map, 0, 20));
		unlike($reply, qr/[^ -~]/, 'in one printable line');
	}
	for my $payload ('', 'policy', "policy\tfull.dane.lab", 'full.dane.lab') {
		$client->send_raw($netstring->($payload));
		like($client->receive_reply, qr/^PERM [ -~]+$/, "without a blank: \"$payload\"");
	}
	is($client->request('policy', ''), 'NOTFOUND ', 'an empty key');
	is($client->request('policy', ' '), 'NOTFOUND ', 'a blank as key');
	is($client->request('policy', ' full.dane.lab'), 'NOTFOUND ', 'two blanks');
	like($client->request('explain', ''), qr/^OK \{.*"not-a-destination"/, 'explain of nothing');
}

sub every_byte
{
	my $client = $daemon->client(timeout => PROMPT);
	my (@wrong, @bad_json);
	for my $byte (map { chr } 0 .. 255) {
		for my $key ("a${byte}b.dane.lab", "${byte}x.dane.lab", "x.dane.lab$byte",
			"[x${byte}.dane.lab]", "x.dane.lab:$byte", $byte) {
			my $reply = $client->request('policy', $key);
			push @wrong, sprintf('%s: %s', unpack('H*', $key), $reply)
				if $reply ne 'NOTFOUND ';
			my $json = $client->request('explain', $key);
			my $explain = $json =~ /^OK ([ -~]+)$/
				? eval { JSON::PP->new->decode($1) } : undef;
			push @bad_json, unpack('H*', $key) . ": $json"
				unless $explain && $explain->{reply} eq 'NOTFOUND ';
		}
	}
	is(scalar(@wrong), 0, 'each is NOTFOUND') or diag($wrong[0]);
	is(scalar(@bad_json), 0, 'explain is one line of ASCII JSON') or diag($bad_json[0]);
	my $all = join('', map { chr } 0 .. 255);
	is($client->request('policy', $_), 'NOTFOUND ', 'all bytes in one key')
		for $all, $all x 39, reverse($all);
	is($client->request('policy', "full.dane.lab\0"), 'NOTFOUND ', 'a NUL byte does not end a key');
	is($client->request('policy', 'full.dane.lab'), 'OK dane-only', 'the connection goes on');
}

sub half_closed
{
	my $client = $daemon->client(timeout => PROMPT);
	$client->send_raw($netstring->('policy d141.bulk.lab') . $good
		. $netstring->('policy d142.bulk.lab') . $netstring->('policy d143.bulk.lab'));
	shutdown($client->socket, 1);
	my @replies = map { eval { $client->receive_reply } // $@ } 1 .. 4;
	is("@replies", 'OK dane-only OK dane-only NOTFOUND  OK dane-only',
		'all replies come after shutdown(2)');
	ok($client->closed_by_peer(PROMPT), 'then it is closed');
}

sub vanishing
{
	my $before = descriptors($daemon);
	for my $key (qw(silent.lab silent-plain.lab d144.bulk.lab d145.bulk.lab)) {
		for (1 .. 5) {
			my $client = $daemon->client(timeout => PROMPT);
			$client->send_raw($netstring->("policy $key") . $good);
			$client->close;
		}
	}
	served($daemon, 'while nobody waits for lookups');
	is($daemon->request('policy', 'd144.bulk.lab'), 'NOTFOUND ', 'their destinations are looked up');
	# When these lookups end, with the timeout of 6 s, their clients have disconnected.
	like($daemon->client(timeout => 6 + PROMPT)->request('policy', 'silent.lab'), qr/^TEMP /,
		'the lookup of a client that has disconnected ends');
	ok(wait_until(PROMPT, sub { descriptors($daemon) <= $before + 40 }),
		'the connections are gone') or diag("$before, then " . descriptors($daemon));
	ok($daemon->alive, 'the daemon lives');
}

# The hard limit of open files.
sub hard_limit
{
	my $limit = qx(sh -c 'ulimit -Hn');
	return $limit =~ /^(\d+)/ ? $1 : 1_000_000_000;
}

sub silent_connections
{
	my $wanted = SILENT_CONNECTIONS + 5_000;
	plan(skip_all => 'the hard limit of open files is ' . hard_limit() . ", not $wanted")
		if hard_limit() < $wanted;
	my $daemon = Tlsad::Daemon->start(lab => $lab, config => { server => { workers => 2 } });
	served($daemon, 'alone');
	my $before = resident($daemon);
	my $directory = Tlsad::Process::private_directory();
	my $share = SILENT_CONNECTIONS / HOLDERS;
	my @holders = map { my $ready = "$directory/$_";
		[ $ready, Tlsad::Process::spawn(log => "$directory/log", code => sub {
			my @held = map { Tlsad::Socketmap->new($daemon->endpoint) } 1 .. $share;
			# Among silent clients some with an incomplete request.
			$held[$_ * 10]->send_raw(substr($good, 0, 1 + $_ % 20)) for 1 .. $share / 10 - 1;
			open(my $file, '>', $ready) or die "$ready: $!\n";
			close($file);
			sleep(300);
		}) ] } 1 .. HOLDERS;
	# Also while they connect.
	served($daemon, 'while connections come');
	ok(wait_until(60, sub { !grep { !-e $_->[0] } @holders }),
		SILENT_CONNECTIONS . ' connections are open');
	ok(wait_until(PROMPT, sub { descriptors($daemon) > SILENT_CONNECTIONS }),
		'the daemon has accepted all');
	served($daemon, 'beside ' . SILENT_CONNECTIONS . ' connections');
	is($daemon->client(timeout => PROMPT)->request('policy', 'one.dane.lab'), 'OK dane-only',
		'lookups, too');
	SKIP: {
		skip('a sanitizer has memory of its own', 1) if sanitized($daemon);
		my $each = (resident($daemon) - $before) / SILENT_CONNECTIONS;
		cmp_ok($each, '<', CONNECTION_MOST, sprintf('%.0f bytes for each', $each));
	}
	$_->[1]->signal('KILL') for @holders;
	ok(wait_until(PROMPT, sub { descriptors($daemon) < 200 }), 'and freed again')
		or diag(descriptors($daemon));
	is($daemon->stop, 0, 'the daemon ends with status 0');
}

sub never_reads
{
	my $daemon = Tlsad::Daemon->start(lab => $lab, config => {
		server => { workers => 1, idle_timeout => '4s' } });
	served($daemon, 'before');
	my $before = resident($daemon);
	my $requests = $netstring->('explain full.dane.lab') x 100_000;
	my @clients = map { $daemon->client(timeout => 0.5) } 1 .. 5;
	my @sent = map { $_->send_raw($requests) } @clients;
	my ($most) = sort { $b <=> $a } @sent;
	cmp_ok($most, '<', 2 * 1024 * 1024, "the daemon stops reading (after $most bytes)");
	served($daemon, 'while clients do not read');
	is($daemon->client(timeout => PROMPT)->request('policy', 'one.dane.lab'), 'OK dane-only',
		'lookups, too');
	SKIP: {
		skip('a sanitizer has memory of its own', 1) if sanitized($daemon);
		my $each = (resident($daemon) - $before) / @clients;
		cmp_ok($each, '<', 1024 * 1024, sprintf('%.0f bytes for each of them', $each));
	}
	# Not checked by reading, since these clients must not read.
	my $closed = wait_until(4 + PROMPT, sub { !grep { $_->send_raw('') // 1;
		defined send($_->socket, '1', Socket::MSG_NOSIGNAL()) || $!{EAGAIN} } @clients });
	ok($closed, 'they are closed after idle_timeout');

	# A client that reads late gets every reply, complete and in order.
	my $late = $daemon->client(timeout => PROMPT);
	my $sent = 0;
	my $all = join('', map { $netstring->("explain x$_ y") } 1 .. 6_000);
	while ($sent < length($all)) {
		my $count = send($late->socket, substr($all, $sent, 65536), Socket::MSG_NOSIGNAL());
		last unless $count;
		$sent += $count;
	}
	Time::HiRes::sleep(1);
	my @replies = exchange($late, substr($all, $sent), 6_000);
	my @wrong = grep { my $number = $_ + 1;
		$replies[$_] !~ /"destination":"x$number y"/ } 0 .. $#replies;
	is(scalar(@replies) . ' ' . scalar(@wrong), '6000 0', 'a client that reads late gets every reply');
	is($daemon->stop, 0, 'the daemon ends with status 0');
}

sub alive
{
	my ($client) = @_;
	return (eval { $client->request('policy', 'full.dane.lab') } // '') eq 'OK dane-only';
}

sub max_connections
{
	my $daemon = Tlsad::Daemon->start(lab => $lab, config => {
		server => { workers => 1, max_connections => 5 }, resolver => { timeout => '5s' } });
	my @clients = map { $daemon->client(timeout => PROMPT) } 1 .. 5;
	alive($_) for @clients;
	# The second connection is idle for longest, then the third.
	alive($clients[0]);
	my $sixth = $daemon->client(timeout => PROMPT);
	ok(alive($sixth), 'one more is served');
	ok($clients[1]->closed_by_peer(PROMPT), 'the longest idle one was closed');
	ok(alive($clients[$_]), "client $_ did not") for 0, 3, 4;
	ok(alive($clients[2]), 'client 2 did not');

	# A connection that waits for its reply is not idle, even after a long time.
	my $waiting = $clients[0];
	$waiting->send_request('policy', 'silent.lab');
	Time::HiRes::sleep(0.2);
	my @more = map { my $client = $daemon->client(timeout => PROMPT); alive($client); $client } 1 .. 10;
	ok(alive($more[-1]), 'many more are served');
	like(eval { $waiting->receive_reply(5 + PROMPT) } // $@, qr/^TEMP /,
		'one that waits for a lookup stays');
	is($daemon->stop, 0, 'the daemon ends with status 0');
}

# The limit is for all threads together.
sub max_connections_of_workers
{
	my $daemon = Tlsad::Daemon->start(lab => $lab, config => {
		server => { workers => 4, max_connections => 8 } });
	is($daemon->request('policy', 'full.dane.lab'), 'OK dane-only', 'a first reply');
	my @idle = map { $daemon->client(timeout => PROMPT) } 1 .. 8;
	Time::HiRes::sleep(0.3);
	my $refused = 0;
	for (1 .. 60) {
		my $client = $daemon->client(timeout => PROMPT);
		$refused++ unless alive($client);
		push @idle, $client;
	}
	is($refused, 0, 'no client is refused while others are idle');
	# The thread that has a connection must close it.
	my $open;
	ok(wait_until(PROMPT, sub {
		$open = grep { !defined $_->receive_raw(1, 0.001) } @idle;
		return $open <= 8;
	}), 'and no more than max_connections stay') or diag("$open are open");
	cmp_ok($open, '>=', 5, 'and not much fewer');
	is($daemon->stop, 0, 'the daemon ends with status 0');
}

sub idle_timeout
{
	my $daemon = Tlsad::Daemon->start(lab => $lab, config => {
		server => { idle_timeout => '2s' }, resolver => { timeout => '5s' } });
	my ($idle, $busy, $partial, $waiting) = map { $daemon->client(timeout => PROMPT) } 1 .. 4;
	ok(alive($_), 'served') for $idle, $busy;
	$partial->send_raw(substr($good, 0, 10));
	$waiting->send_request('policy', 'silent.lab');
	my $begin = Time::HiRes::time();
	my ($idle_end, $busy_good, $busy_bad) = (undef, 0, 0);
	while (Time::HiRes::time() - $begin < 2 + PROMPT) {
		if (!defined $idle_end) {
			my $bytes = $idle->receive_raw(1, 0.01);
			$idle_end = Time::HiRes::time() - $begin if defined $bytes;
		}
		alive($busy) ? $busy_good++ : $busy_bad++;
		last if defined $idle_end && $busy_good >= 8;
		Time::HiRes::sleep(0.5);
	}
	ok(defined $idle_end, 'an idle connection is closed');
	cmp_ok($idle_end // 0, '>', 0.9, 'not at once');
	is($busy_bad, 0, "one that sends requests is not ($busy_good requests)");
	ok($partial->closed_by_peer(PROMPT), 'one that stops in the middle of a request is');
	like(eval { $waiting->receive_reply(5 + PROMPT) } // $@, qr/^TEMP /,
		'one that waits for a lookup is not');
	is($daemon->stop, 0, 'the daemon ends with status 0');
}

sub reply_over
{
	my ($endpoint, %from) = @_;
	return eval {
		my $client = Tlsad::Socketmap->new($endpoint, timeout => PROMPT);
		$client->request('policy', 'full.dane.lab');
	} // $@;
}

# From another loopback address; on Linux all of 127.0.0.0/8 is local.
sub reply_from
{
	my ($source, $port) = @_;
	my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port,
		LocalAddr => $source, Proto => 'tcp', Timeout => PROMPT) or return "no socket: $!";
	send($socket, $good, Socket::MSG_NOSIGNAL());
	my $select = IO::Select->new($socket);
	my $bytes = '';
	while ($select->can_read(PROMPT)) {
		sysread($socket, $bytes, 100, length($bytes)) or last;
		last if $bytes =~ /,$/;
	}
	return $bytes;
}

sub endpoints
{
	my $port = Tlsad::Process::free_port();
	my $directory = Tlsad::Process::private_directory();
	my @two = ("unix:$directory/socketmap", "inet:127.0.0.1:$port");
	my $daemon = Tlsad::Daemon->start(lab => $lab, config => { server => {
		socketmap => join(', ', @two), socket_mode => '0600' } });
	is(reply_over($_), 'OK dane-only', "$_") for @two;
	is((stat("$directory/socketmap"))[2] & 07777, 0600, 'socket_mode');
	is(reply_from('127.0.0.9', $port), $netstring->('OK dane-only'), '127.0.0.0/8 may connect, by default');
	# A reset (only with TCP) while a lookup runs.
	my $reset = Tlsad::Socketmap->new($two[1], timeout => PROMPT);
	$reset->send_raw($netstring->('policy slow.lab') . $good);
	setsockopt($reset->socket, SOL_SOCKET, SO_LINGER, pack('ii', 1, 0));
	$reset->close;
	is($daemon->client(timeout => PROMPT)->request('policy', 'slow.lab'), 'OK dane-only',
		'after a connection that was reset');
	is($daemon->stop, 0, 'the daemon ends with status 0');

	$port = Tlsad::Process::free_port();
	$daemon = Tlsad::Daemon->start(lab => $lab, config => { server => {
		socketmap => "unix:$directory/socketmap inet:127.0.0.1:$port",
		allow => '192.0.2.0/24 127.0.0.9/32 2001:db8::/32' } });
	is(reply_from('127.0.0.1', $port), '', 'a client that may not connect gets nothing');
	is(reply_from('127.0.0.9', $port), $netstring->('OK dane-only'), 'one that may is served');
	is(reply_over("unix:$directory/socketmap"), 'OK dane-only', 'a unix socket has its mode');
	ok($daemon->wait_log(qr/127\.0\.0\.1 refused.*\[server\] allow/, PROMPT), 'with a log line');
	reply_from('127.0.0.1', $port) for 1 .. 50;
	cmp_ok(count_matches($daemon->log_text, qr/refused/), '<', 30, 'but not for each of many');
	is($daemon->stop, 0, 'the daemon ends with status 0');
	cmp_ok(figures($daemon)->{refused}, '>=', 51, 'and counts');

	SKIP: {
		my $probe = IO::Socket::IP->new(LocalHost => '::1', LocalPort => 0, Listen => 1);
		skip('there is no ::1', 3) unless $probe;
		$port = Tlsad::Process::free_port();
		my %server = (socketmap => "unix:$directory/socketmap inet:[::1]:$port");
		$daemon = Tlsad::Daemon->start(lab => $lab, config => { server => \%server });
		is(reply_over("inet:[::1]:$port"), 'OK dane-only', '::1 may, by default');
		$daemon->stop;
		$port = Tlsad::Process::free_port();
		$daemon = Tlsad::Daemon->start(lab => $lab, config => { server => {
			socketmap => "unix:$directory/socketmap inet:[::1]:$port", allow => '127.0.0.0/8' } });
		like(reply_over("inet:[::1]:$port"), qr/^socketmap: closed/, 'unless it is left out');
		$daemon->stop;
		# One socket for both families: IPv4 clients have mapped addresses.
		$port = Tlsad::Process::free_port();
		$daemon = Tlsad::Daemon->start(lab => $lab, config => { server => {
			socketmap => "unix:$directory/socketmap inet:*:$port", allow => '127.0.0.1' } });
		is(reply_over("inet:127.0.0.1:$port"), 'OK dane-only', 'IPv4 on a socket for all addresses');
		like(reply_over("inet:[::1]:$port"), qr/^socketmap: closed/, 'IPv6, which may not connect');
		$daemon->stop;
	}
}

sub several_workers
{
	my $daemon = Tlsad::Daemon->start(lab => $lab, config => { server => { workers => 4 } });
	is($daemon->request('policy', 'full.dane.lab'), 'OK dane-only', 'a first reply');
	# The first thread may reply before the last one runs.
	ok(wait_until(PROMPT, sub { threads($daemon) >= 4 + 2 }), 'as many threads as are set');
	my @clients = map { $daemon->client(timeout => 3 * PROMPT) } 1 .. 40;
	my $wrong = 0;
	# Many requests for the same destinations at the same time, over all threads.
	for my $number (1 .. 30) {
		$_->send_request('policy', "d$number.bulk.lab") for @clients;
		for my $client (@clients) {
			$wrong++ unless (eval { $client->receive_reply } // $@) eq expected($number);
		}
	}
	is($wrong, 0, '40 clients, 30 destinations');
	is($daemon->stop, 0, 'the daemon ends with status 0');
	my $figures = figures($daemon);
	# 30 MX sets, the hosts, and the MTA-STS policies of those without DANE.
	is($figures->{parts}, 30 + 2 + 3 + 15, 'each part was looked up once');
	is($figures->{requests}, 1200 + 1, 'and each request was counted');
}
