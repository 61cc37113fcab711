#!/usr/bin/perl
# DNS servers that answer wrongly, late or not at all. The reply for each such lookup is TEMP, with
# the name, the type and the reason, within [resolver] timeout. Hundreds of them at once do not
# delay other lookups.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use JSON::PP ();
use Test::More;
use Time::HiRes ();
use Tlsad::Daemon;
use Tlsad::FaultyDns;
use Tlsad::Lab;

use constant TIMEOUT => 3;		# [s] resolver.timeout here
# [s] A loaded machine or a sanitizer may delay a reply; a daemon that relied on libunbound's own
# timeout would take minutes.
use constant GRACE => 12;

my @missing = Tlsad::Lab::missing_programs();
plan(skip_all => "not installed: @missing") if @missing;

# Behaviours that give no usable answer to any query.
my @wrong = grep { !/^(?:forward|late|oversized-.*|many-hosts|short-mx|large-txt|many-txt|many-sts)$/ }
	Tlsad::FaultyDns::behaviours();
# For MX queries these as well.
my @wrong_mx = (@wrong, qw(short-mx oversized-udp oversized-tcp));

my (@faults, @requests);
my $site = '';
for my $behaviour (@wrong_mx) {
	push @faults, { name => "$behaviour.faults.lab", behaviour => $behaviour };
	push @requests, { key => "d.$behaviour.faults.lab",
		name => "d.$behaviour.faults.lab", type => 'MX' };
}
for my $behaviour (@wrong) {
	# The host's addresses, with a secure MX set.
	$site .= "host-$behaviour MX 10 mx.$behaviour.faults.lab.\n";
	push @requests, { key => "host-$behaviour.site.lab",
		name => "mx.$behaviour.faults.lab", type => 'A|AAAA' };
	# A host with secure addresses, its TLSA records below a zone cut.
	$site .= "tlsa-$behaviour MX 10 t-$behaviour\nt-$behaviour A 192.0.2.1\n"
		. "_tcp.t-$behaviour NS ns.t-$behaviour\nns.t-$behaviour A 127.0.0.1\n";
	push @faults, { name => "_tcp.t-$behaviour.site.lab", behaviour => $behaviour };
	push @requests, { key => "tlsa-$behaviour.site.lab",
		name => "t-$behaviour.site.lab", type => 'TLSA' };
}
push @faults, { name => 'many-hosts.faults.lab', behaviour => 'many-hosts' };
$site .= join('', map { sprintf("crowd MX %d c%03d\nc%03d A 192.0.2.1\n", $_, $_, $_) }
	1 .. 150) . '_25._tcp.c150 TLSA 3 1 1 ' . '0f' x 32 . "\n";
push @faults, { name => 'late.faults.lab', behaviour => 'late', seconds => 60 };
push @requests, { key => 'd.late.faults.lab', name => 'd.late.faults.lab', type => 'MX' };

# Each in its own zone, so that libunbound cannot use what it learned about another server.
use constant UNDER_WAY => 100;
my @stuck = map { my $kind = $_;
	map { "$kind$_.faults.lab" } 1 .. UNDER_WAY } qw(silent dead);
push @faults, map { { name => $_, behaviour => /^(silent|dead)/ } } @stuck;

my $lab = Tlsad::Lab->start(zones => { 'site.lab' => $site }, faults => \@faults);

subtest('wrong answers' => \&wrong_answers);
subtest('hundreds of destinations that do not answer' => \&many_under_way);
done_testing();

# Sends all at once, each over its own connection; {seconds} becomes the time until the reply.
sub ask_all
{
	my ($daemon, $limit, @requests) = @_;
	my $begin = Time::HiRes::time();
	for my $request (@requests) {
		$request->{client} = $daemon->client(timeout => $limit);
		$request->{client}->send_request('policy', $request->{key});
	}
	for my $request (@requests) {
		my $left = $begin + $limit - Time::HiRes::time();
		$request->{reply} = eval {
			$request->{client}->receive_reply($left > 0.1 ? $left : 0.1) }
			// "no reply: $@";
		$request->{seconds} = Time::HiRes::time() - $begin;
		$request->{client}->close;
	}
}

sub wrong_answers
{
	my $daemon = Tlsad::Daemon->start(lab => $lab,
		config => { resolver => { timeout => TIMEOUT . 's' } });
	ask_all($daemon, TIMEOUT + GRACE, @requests);
	for my $request (@requests) {
		# "NAME TYPE" and then at least one word of a reason.
		like($request->{reply},
			qr/^TEMP (?=.*\b\Q$request->{name}\E\b)(?=.*\b(?:$request->{type})\b\W*\w+)[^\n]*$/,
			"$request->{key}: TEMP with name, type and reason")
			or diag(sprintf('after %.1f s', $request->{seconds}));
	}
	my ($slowest) = sort { $b <=> $a } map { $_->{seconds} } @requests;
	cmp_ok($slowest, '<', TIMEOUT + GRACE, 'all in time');
	# Explain gives the same reason.
	for my $request (@requests[0, 1], $requests[-1]) {
		my $reply = $daemon->client(timeout => TIMEOUT + GRACE)
			->request('explain', $request->{key});
		my $explain = $reply =~ /^OK (.*)/ ? eval { JSON::PP->new->utf8->decode($1) } : undef;
		like($explain && $explain->{reason}, qr/^(?:lookup-failed|bogus|timeout)$/,
			"$request->{key}: reason") or diag($reply);
	}
	# A valid answer with hundreds of hosts: hosts that are not looked up must not count as
	# hosts without DANE. In the first set no host has DANE; in the second one the last host, by
	# preference and by name, has TLSA records.
	my $client = $daemon->client(timeout => TIMEOUT + GRACE);
	like($client->request('policy', 'd.many-hosts.faults.lab'), qr/^(?:NOTFOUND $|TEMP \S)/,
		'hundreds of hosts get a reply');
	like($client->request('policy', 'crowd.site.lab'), qr/^(?:OK dane$|TEMP \S)/,
		'too many hosts do not lead to NOTFOUND');
	is($client->request('policy', 'full.dane.lab'), 'OK dane-only',
		'a healthy destination afterwards');
	ok($daemon->alive, 'the daemon lives');
	is($daemon->stop, 0, 'and ends with status 0');
}

sub many_under_way
{
	# Long enough that lookups of silent servers run during the whole test.
	my $timeout = 15;
	my $daemon = Tlsad::Daemon->start(lab => $lab,
		config => { resolver => { timeout => "${timeout}s" } });
	my @waiting = map {
		my $client = $daemon->client(timeout => $timeout + GRACE);
		$client->send_request('policy', $_);
		{ key => $_, client => $client };
	} @stuck;
	my @healthy = qw(full.dane.lab one.dane.lab dane.optout nsec3.lab unusable.dane.lab
		no-tlsa.dane.lab to-dane.plain.lab plain.optout missing.dane.lab [mx2.dane.lab]);
	my %expected = ('unusable.dane.lab' => 'OK dane', 'to-dane.plain.lab' => 'OK dane',
		map { $_ => 'NOTFOUND ' } qw(no-tlsa.dane.lab plain.optout missing.dane.lab));
	my $client = $daemon->client(timeout => $timeout);
	my $begin = Time::HiRes::time();
	for my $key (@healthy) {
		is($client->request('policy', $key), $expected{$key} // 'OK dane-only',
			"meanwhile $key");
	}
	my $seconds = Time::HiRes::time() - $begin;
	cmp_ok($seconds, '<', $timeout / 2, 'healthy destinations do not wait');
	my $pending = grep { !defined $_->{client}->receive_raw(1, 0.001) }
		grep { $_->{key} =~ /^silent/ } @waiting;
	cmp_ok($pending, '>', 0, "others were running ($pending of " . UNDER_WAY . ')');
	$_->{client}->close for @waiting;

	# Lookups end, too, if their clients have disconnected.
	my @again = map { { key => $_ } } @stuck;
	ask_all($daemon, $timeout + GRACE, @again);
	my @bad = grep { $_->{reply} !~ /^TEMP .*\Q$_->{key}\E/ } @again;
	is(scalar(@bad), 0, 'each ends as TEMP')
		or diag("$bad[0]{key}: $bad[0]{reply}");
	is($daemon->stop, 0, 'the daemon ends with status 0');
}
