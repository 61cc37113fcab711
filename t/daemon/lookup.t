#!/usr/bin/perl
# Running lookups: equal ones are joined, each destination has its own timeout, and servers that do
# not answer delay no other lookup.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use Time::HiRes ();
use Tlsad::Ctl;
use Tlsad::Daemon;
use Tlsad::Lab;
use Tlsad::Observe;

use constant TIMEOUT => 3;		# [s] resolver.timeout in most of these tests
# [s] Additional time on a loaded machine or with a sanitizer.
use constant GRACE => 6;
use constant ASKERS => 60;
use constant SILENT => 300;
# A name whose MX set takes most of TIMEOUT: a chain of this many aliases, each on a slow server.
# Each answer takes less than unbound's first timeout of 376 ms: later answers would be dropped.
use constant { LATE_ALIASES => 9, LATE => 0.25 };
# The same, in less time.
use constant ASIDE_ALIASES => 5;
# How a lookup fails if a server never answers: libunbound gives up after its own retries (376 ms,
# doubled twice: 2.6 s in 1.26), or resolver.timeout ends before; 1.17 tries longer.
use constant GIVES_UP => 2.6;		# [s]
my $no_answer = qr/(?:timeout|servfail)\b/;

my @missing = Tlsad::Lab::missing_programs();
plan(skip_all => "not installed: @missing") if @missing;

my $site = join('', (map { "j$_ MX 10 mx.slow.lab.\n" } 1 .. ASKERS),
	"host-silent MX 10 mx.silent.lab.\n",
	"hosts-silent ", join("hosts-silent ", map { "MX 10 h$_.silent.lab.\n" } 1 .. 20),
	# The host that answers comes after and before hosts that do not.
	"one-of-two MX 10 mx.silent.lab.\none-of-two MX 20 mx1.dane.lab.\n",
	(map { "one-of-many MX $_ g$_.silent.lab.\n" } 1 .. 20), "one-of-many MX 99 mx1.dane.lab.\n",
	"one-dead MX 10 mx.dead.lab.\none-dead MX 20 mx1.dane.lab.\n",
	"tlsa-silent MX 10 mx-tlsa-silent.dane.lab.\n",
	(map { "slow-$_ CNAME slow-@{[$_ - 1]}\n" } 1 .. LATE_ALIASES),
	"slow-0 MX 10 slow-host.faults.lab.\n",
	(map { "aside-$_ CNAME aside-@{[$_ - 1]}\n" } 1 .. ASIDE_ALIASES), "aside-0 MX 10 mx1.dane.lab.\n",
	(map { my $family = $_; "half-$family MX 10 mx-half-$family\n"
		. "mx-half-$family A 192.0.2.1\nmx-half-$family AAAA 2001:db8::1\n"
		. "_25._tcp.mx-half-$family TLSA 3 1 1 " . 'ab' x 32 . "\n" } qw(a aaaa)));
my @faults = (
	# Its own stub zone for each name, with one type that is never answered.
	# Names below it are answered: a resolver that minimises names (RFC 9156) queries A before
	# TLSA.
	(map { ({ name => "_tcp.mx-half-$_.site.lab", behaviour => 'forward' },
		{ name => "mx-half-$_.site.lab", type => uc, behaviour => 'silent' },
		{ name => "mx-half-$_.site.lab", behaviour => 'forward' }) } qw(a aaaa)),
	(map { { name => "s$_.faults.lab", behaviour => 'silent' } } 1 .. SILENT),
	(map { { name => "x$_.faults.lab", behaviour => 'dead' } } 1 .. 20),
	(map { ({ name => "slow-$_.site.lab", type => 'MX', behaviour => 'late', seconds => LATE },
		{ name => "slow-$_.site.lab", behaviour => 'forward' }) } 0 .. LATE_ALIASES),
	{ name => 'slow-host.faults.lab', behaviour => 'silent' },
	(map { ({ name => "aside-$_.site.lab", type => 'MX', behaviour => 'late', seconds => LATE },
		{ name => "aside-$_.site.lab", behaviour => 'forward' }) } 0 .. ASIDE_ALIASES),
);
my $lab = Tlsad::Lab->start(zones => { 'site.lab' => $site }, faults => \@faults);

subtest('equal lookups' => \&equal_lookups);
subtest('one host of many domains' => \&one_host);
subtest('resolver.timeout' => \&timeouts);
subtest('results are stored' => \&learned);
subtest('hundreds of silent servers' => \&silent_servers);
subtest('some hosts of a set' => \&some_hosts);
subtest('the caches are emptied meanwhile' => \&emptied_meanwhile);
done_testing();

sub seconds
{
	my ($code) = @_;
	my $begin = Time::HiRes::time();
	my $value = $code->();
	return ($value, Time::HiRes::time() - $begin);
}

sub ask
{
	my ($daemon, $key, $limit) = @_;
	return seconds(sub {
		eval { $daemon->client(timeout => $limit)->request('policy', $key) } // $@ });
}

sub equal_lookups
{
	my $daemon = Tlsad::Daemon->start(lab => $lab, config => { server => { workers => 3 } });
	my @clients = map { $daemon->client(timeout => 20) } 1 .. ASKERS;
	my @keys = ('slow.lab', 'SLOW.lab', 'slow.lab.', 'Slow.Lab:25');
	$clients[$_]->send_request('policy', $keys[$_ % @keys]) for 0 .. $#clients;
	my @wrong = grep { $_ ne 'OK dane-only' } map { eval { $_->receive_reply } // $@ } @clients;
	is(scalar(@wrong), 0, ASKERS . ' clients: all answered');
	is($daemon->stop, 0, 'the daemon ends with status 0');
	my $figures = figures($daemon);
	is($figures->{misses}, ASKERS, 'none of them came from the cache');
	is($figures->{parts}, 2, 'one MX set and one host were looked up');
	is($figures->{joined}, ASKERS - 1, 'the others joined');
	my @questions = grep { /^udp slow\.lab MX / } $lab->faulty_queries;
	is(scalar(@questions), 1, 'the name server was asked once');
}

sub one_host
{
	my $daemon = Tlsad::Daemon->start(lab => $lab);
	my @clients = map { $daemon->client(timeout => 20) } 1 .. ASKERS;
	$clients[$_ - 1]->send_request('policy', "j$_.site.lab") for 1 .. ASKERS;
	my @wrong = grep { $_ ne 'OK dane-only' } map { eval { $_->receive_reply } // $@ } @clients;
	is(scalar(@wrong), 0, ASKERS . ' domains: all answered');
	is($daemon->request('policy', '[mx.slow.lab]'), 'OK dane-only', 'the host as a destination');
	is($daemon->request('policy', '[mx.slow.lab]:26'), 'NOTFOUND ', 'on another port');
	is($daemon->stop, 0, 'the daemon ends with status 0');
	my $figures = figures($daemon);
	is($figures->{parts}, ASKERS + 1 + 1 + 1,
		'their host was looked up once, once for the port, and the MTA-STS policy of its name');
	is($figures->{joined}, 0, 'as they are different destinations');
}

sub timeouts
{
	my $daemon = Tlsad::Daemon->start(lab => $lab, config => {
		resolver => { timeout => TIMEOUT . 's' }, cache => { failure_ttl => '60s' } });
	my $slow = 'slow-' . LATE_ALIASES . '.site.lab';
	my @cases = (
		[ 'silent.lab', qr/^TEMP silent\.lab MX: $no_answer/ ],
		[ 'silent-plain.lab', qr/^TEMP silent-plain\.lab MX: $no_answer/ ],
		[ 'host-silent.site.lab', qr/^TEMP mx\.silent\.lab A(?:AAA)?: $no_answer/ ],
		[ '[mx.silent-plain.lab]', qr/^TEMP mx\.silent-plain\.lab A(?:AAA)?: $no_answer/ ],
		[ 'tlsa-silent.site.lab',
			qr/^TEMP _25\._tcp\.mx-tlsa-silent\.dane\.lab TLSA: $no_answer/ ],
		[ 'hosts-silent.site.lab', qr/^TEMP h\d+\.silent\.lab A(?:AAA)?: $no_answer/ ],
		# When the MX set is found, most of the timeout has passed; the host only gets the
		# rest. (On a loaded machine the MX set may be too late.)
		[ $slow, qr/^TEMP (?:slow-host\.faults\.lab A(?:AAA)?|\Q$slow\E MX): $no_answer/ ],
	);
	my $begin = Time::HiRes::time();
	my @clients = map { my $client = $daemon->client(timeout => TIMEOUT + GRACE);
		$client->send_request('policy', $_->[0]); $client } @cases;
	for my $number (0 .. $#cases) {
		my $reply = eval { $clients[$number]->receive_reply } // $@;
		my $seconds = Time::HiRes::time() - $begin;
		like($reply, $cases[$number][1], "$cases[$number][0]: name, type and reason");
		cmp_ok($seconds, '<', TIMEOUT + GRACE, sprintf('after %.1f s', $seconds));
		cmp_ok($seconds, '>', TIMEOUT - 1, 'not before') if $number == 0;
	}
	# A failure is stored: the next request does not wait.
	for my $key (qw(silent.lab host-silent.site.lab)) {
		my ($reply, $seconds) = ask($daemon, $key, TIMEOUT + GRACE);
		like($reply, qr/^TEMP /, "$key again");
		cmp_ok($seconds, '<', TIMEOUT / 2, 'at once');
	}
	is($daemon->stop, 0, 'the daemon ends with status 0');
}

sub learned
{
	my $daemon = Tlsad::Daemon->start(lab => $lab, config => {
		resolver => { timeout => '2s' }, cache => { failure_ttl => '1s' } });
	my ($reply) = ask($daemon, 'host-silent.site.lab', 2 + GRACE);
	like($reply, qr/^TEMP mx\.silent\.lab /, 'the host is silent');
	my $explain = explain($daemon, 'host-silent.site.lab');
	is($explain->{mx}{status}, 'found', 'the MX set is known');
	is($explain->{mx}{dnssec}, 'secure', 'and secure');
	cmp_ok($explain->{mx}{ttl}, '>', 3000, 'and valid for its own TTL');
	is($explain->{hosts}[0]{status}, 'failed', 'the host is not');
	cmp_ok($explain->{hosts}[0]{ttl}, '<=', 1, 'and expires soon');
	like($explain->{hosts}[0]{failure}, qr/mx\.silent\.lab A(?:AAA)?: timeout/, 'and why');
	Time::HiRes::sleep(1.5);
	ask($daemon, 'host-silent.site.lab', 2 + GRACE);
	is($daemon->stop, 0, 'the daemon ends with status 0');
	my $figures = figures($daemon);
	cmp_ok($figures->{parts} - $figures->{failed}, '==', 1, 'the MX set was looked up once');
	cmp_ok($figures->{failed}, '>=', 2, 'the host again');
}

sub silent_servers
{
	my $timeout = 12;
	my $daemon = Tlsad::Daemon->start(lab => $lab, config => {
		resolver => { timeout => "${timeout}s" }, server => { workers => 1 } });
	my $begin = Time::HiRes::time();
	# One connection each, and a few connections with pipelined requests.
	my @waiting = map { my $client = $daemon->client(timeout => $timeout + GRACE);
		$client->send_request('policy', "s$_.faults.lab"); $client } 1 .. SILENT;
	my @dead = map { my $client = $daemon->client(timeout => $timeout + GRACE);
		$client->send_request('policy', "x$_.faults.lab"); $client } 1 .. 20;
	# Not slow.lab: on a loaded machine it would be slower than libunbound's timeout.
	my %healthy = ('full.dane.lab' => 'OK dane-only', 'nsec3.lab' => 'OK dane-only',
		'no-tlsa.dane.lab' => 'NOTFOUND ', 'to-dane.plain.lab' => 'OK dane',
		'plain.optout' => 'NOTFOUND ', '[mx2.dane.lab]' => 'OK dane-only');
	my $slowest = 0;
	for my $round (1 .. 2) {
		for my $key (sort keys %healthy) {
			my ($reply, $seconds) = ask($daemon, $key, $timeout);
			is($reply, $healthy{$key}, "$key meanwhile");
			$slowest = $seconds if $seconds > $slowest;
		}
	}
	cmp_ok($slowest, '<', $timeout / 2, sprintf('the slowest took %.2f s', $slowest));
	my @early = grep { defined } map { $_->receive_raw(1000, 0.001) } @waiting;
	# If the machine is so slow that libunbound has already given up ($no_answer).
	@early = grep { !/^\d+:TEMP / } @early if Time::HiRes::time() - $begin > GIVES_UP;
	is("@early", '', 'all lookups of silent servers still run');
	is($daemon->stop($timeout + GRACE), 0, 'the daemon ends with status 0 all the same');
}

# One host with an answer is enough; another one that does not answer costs at most the timeout.
sub some_hosts
{
	my $timeout = 14;
	my $daemon = Tlsad::Daemon->start(lab => $lab,
		config => { resolver => { timeout => "${timeout}s" } });
	my @cases = (
		# The result for silent hosts comes only when the timeout is over.
		[ 'one-of-two.site.lab', $timeout ],
		[ 'one-of-many.site.lab', $timeout ],
		[ 'one-dead.site.lab', $timeout ],
		# One family of addresses is enough for a secure answer.
		[ 'half-a.site.lab', 1 ],
		[ 'half-aaaa.site.lab', 1 ],
	);
	my $begin = Time::HiRes::time();
	for (@cases) {
		my $client = $daemon->client(timeout => $timeout + GRACE);
		$client->send_request('policy', $_->[0]);
		push @$_, $client;
	}
	for (reverse @cases) {
		my ($key, $limit, $client) = @$_;
		my $reply = eval { $client->receive_reply } // $@;
		my $seconds = Time::HiRes::time() - $begin;
		is($reply, 'OK dane-only', $key);
		cmp_ok($seconds, '<', $limit + GRACE, sprintf('after %.1f s', $seconds));
	}
	is($daemon->stop, 0, 'the daemon ends with status 0');
}

# A lookup that runs while the resolver's caches are emptied begins again, and does not fail.
sub emptied_meanwhile
{
	my $key = 'aside-' . ASIDE_ALIASES . '.site.lab';
	my $config = { resolver => { timeout => '20s' } };
	my $daemon = Tlsad::Daemon->start(lab => $lab, config => $config);
	my $ctl = Tlsad::Ctl->new(config => {});
	my %ways = (
		'cache flush' => sub { is($ctl->run('-s', $daemon->control, 'cache', 'flush', 'example.com')->{status}, 0, 'flushed') },
		'another max_ttl' => sub {
			$daemon->write_config({ %$config, cache => { max_ttl => '1h' } });
			is($ctl->run('-s', $daemon->control, 'reload')->{status}, 0, 'reloaded');
		},
	);
	for my $way (sort keys %ways) {
		$ctl->run('-s', $daemon->control, 'cache', 'flush', '--all');
		my $asked = sub { return scalar(grep { /^udp \Q$key\E MX / } $lab->faulty_queries) };
		my $before = $asked->();
		my $client = $daemon->client(timeout => 20 + GRACE);
		$client->send_request('policy', $key);
		ok(wait_until(GRACE, sub { $asked->() > $before }), "$way: a lookup runs");
		$ways{$way}->();
		is($client->receive_reply, 'OK dane-only', "$way: it succeeds");
	}
	is($daemon->stop, 0, 'the daemon ends with status 0');
}
