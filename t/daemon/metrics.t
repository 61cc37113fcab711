#!/usr/bin/perl
# The pages /metrics and /healthz: names and labels, numbers that agree with the clients' own
# counts, invalid requests, endless connections, a resolver that fails and works again.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use IO::Socket::INET;
use JSON::PP ();
use List::Util ();
use Test::More;
use Time::HiRes ();
use Tlsad::Counters;
use Tlsad::Ctl;
use Tlsad::Daemon;
use Tlsad::FaultyDns;
use Tlsad::Http qw(sum);
use Tlsad::Lab;
use Tlsad::Observe;
use Tlsad::Process;

use constant PROMPT => 30;		# [s] for what should take milliseconds
# [s] daemon/lookup/probe.c: it checks every 5 s, then it waits 15 s; and a loaded machine.
use constant NOTICED => 90;
use constant CROWD => 1000;
use constant MOST => 16;		# BUDGET_METRICS_MAX of daemon/health/descriptor_budget.h

my @missing = Tlsad::Lab::missing_programs();
plan(skip_all => "not installed: @missing") if @missing;

my $lab = Tlsad::Lab->start;
my $promtool = Tlsad::Process::find_program('promtool');
my $source = Tlsad::Process::source_directory();

# The metrics of the manual page, with their labels.
my %promised = (
	tlsad_requests_total => 'map,result', tlsad_request_seconds => '',
	tlsad_cache_lookups_total => 'result', tlsad_cache_entries => '',
	tlsad_cache_bytes => '', tlsad_cache_max_bytes => '', tlsad_cache_evicted_total => '',
	tlsad_lookups_total => 'reason', tlsad_lookup_seconds => '', tlsad_lookups_inflight => '',
	tlsad_deferred_destinations => '', tlsad_deferred_longest_seconds => '',
	tlsad_dns_queries_total => 'type,status',
	tlsad_connections => '', tlsad_connections_refused_total => '',
	tlsad_healthy => '', tlsad_validation_works => '', tlsad_resolver_state => 'state',
	tlsad_build_info => 'version,libunbound,openssl,libevent',
	tlsad_workers => '', tlsad_connections_accepted_total => '', tlsad_invalid_keys_total => '',
	tlsad_monitored_requests_total => 'result', tlsad_rules => 'kind',
	tlsad_policy_requests_total => 'action', tlsad_policy_cache_lookups_total => 'result',
	tlsad_policy_unreadable_requests_total => '', tlsad_policy_monitored_requests_total => '',
	tlsad_lookup_requests_total => '', tlsad_lookups_joined_total => '',
	tlsad_part_lookups_total => '', tlsad_part_lookup_failures_total => '',
	tlsad_start_time_seconds => '', tlsad_sts_fetches_total => 'result', tlsad_sts_policies => 'mode',
);

# The requests of one client, in its own process: some get a reply at once, some wait; some are sent
# in one piece.
my @mixture = (
	[ 'policy', 'full.dane.lab', 'ok' ], [ 'native', 'no-tlsa.dane.lab', 'notfound' ],
	[ 'POLICY', 'bogus-mx.dane.lab', 'temp' ], [ 'no-such-map', 'x', 'perm' ],
	[ 'tlsa', 'mx1.dane.lab', 'ok' ], [ 'explain', 'no-tlsa.dane.lab', 'ok' ],
	[ 'policy', '192.0.2.1', 'notfound' ], [ 'QUERY', 'partial-none.dane.lab', 'ok' ],
);
use constant { CLIENTS => 6, ROUNDS => 60 };

subtest('the page' => \&the_page);
subtest('invalid requests' => \&bad_requests);
subtest('numbers that agree' => \&adding_up);
subtest('TEMP again and again' => \&deferring);
subtest('many connections to the port' => \&crowd);
subtest('few file descriptors' => \&few_descriptors);
subtest('who may connect' => \&access_rules);
subtest('an endpoint in use' => \&taken);
subtest('a unix socket' => \&unix_socket);
subtest('health' => \&health);
done_testing();

sub start
{
	my (%options) = @_;
	my $endpoint = 'inet:127.0.0.1:' . Tlsad::Process::free_port();
	$options{config}{server}{metrics} //= $endpoint;
	my $daemon = Tlsad::Daemon->start(lab => $lab, %options);
	return ($daemon, Tlsad::Http->new($options{config}{server}{metrics}));
}

sub the_page
{
	my ($daemon, $http) = start();
	$daemon->request('policy', 'full.dane.lab');
	$daemon->request("no\"such\nmap", 'x');
	my $answer = $http->get('/metrics');
	is($answer->{status}, 200, 'there is one');
	is($answer->{type}, 'text/plain; version=0.0.4; charset=utf-8', 'of the right type');
	my %type = $answer->{body} =~ /^# TYPE (\w+) (\w+)$/mg;
	is_deeply([ sort keys %type ], [ sort keys %promised ], 'it has the documented metrics');
	my %labels;
	for (keys %{$http->page}) {
		my ($name, $labels) = /^(\w+?)(?:_bucket|_sum|_count)?(?:\{(.*)\})?$/;
		$labels{$name}{join(',', grep { $_ ne 'le' } ($labels // '') =~ /(\w+)="/g)} = 1;
	}
	is_deeply({ map { ($_ => join(';', keys %{$labels{$_}})) } keys %labels }, \%promised,
		'with these labels');
	is($http->get('/metrics', 'HEAD')->{body}, '', 'HEAD: no body');
	is($http->get('/metrics', 'HEAD')->{status}, 200, 'HEAD: its status');
	is($http->get('/metrics?name[]=up')->{status}, 200, 'a query string does not change the path');
	my $manual = do { open(my $handle, '<', "$source/daemon/tlsad.8") or die $!; local $/; <$handle> };
	like($manual, qr/^\.It Va (?:[^\n]* )?\Q$_\E\b/m, "tlsad(8) has $_") for sort keys %promised;
	SKIP: {
		unless (defined $promtool) {
			fail('promtool is installed (CI=true)') if ($ENV{CI} // '') eq 'true';
			skip('promtool is not installed', 1);
		}
		my $file = $daemon->directory . '/page';
		open(my $handle, '>', $file) or die "$file: $!\n";
		print {$handle} $answer->{body};
		close($handle);
		is(`$promtool check metrics <$file 2>&1`, '', 'promtool accepts it');
	}
	is($daemon->stop, 0, 'the daemon ends with status 0');
}

sub bad_requests
{
	my ($daemon, $http) = start();
	# Its sockets accept connections before all its threads run.
	$daemon->request('policy', 'full.dane.lab');
	my $before = descriptors($daemon);
	is($http->get($_)->{status}, 404, "$_: 404") for '/', '/metrics/', '/metric', '/../etc/passwd',
		'/%6detrics%00', '//metrics', '/healthz/x';
	for my $path ('/metrics', '/healthz') {
		for my $method (qw(POST PUT DELETE OPTIONS PATCH)) {
			my $answer = $http->get($path, $method);
			is($answer->{status}, 405, "$method $path: 405");
			like($answer->{head}, qr/^Allow: GET, HEAD\r?$/m, 'and the allowed methods');
		}
	}
	is($http->ask("POST /metrics HTTP/1.1\r\nContent-Length: 1000000000\r\n\r\nxyz")->{status}, 413,
		'a body of a gigabyte');
	my $header = 'X-Filler: ' . 'x' x 1000 . "\r\n";
	unlike($http->ask("GET /metrics HTTP/1.1\r\n" . $header x 1000 . "\r\n")->{status} // 'none',
		qr/^200/, 'a megabyte of headers');
	unlike($http->ask('GET /' . 'x' x 1_000_000)->{status} // 'none', qr/^200/,
		'a request line without end');
	unlike($http->ask("\0\xff" x 100_000)->{status} // 'none', qr/^200/, 'no HTTP at all');
	$http->ask($_, 0.2) for "GET", "GET /metrics", "GET /metrics HTTP/1.1\r\nA", "\r\n\r\n",
		"GET /metrics HTTP/9.9\r\n\r\n", "GET  HTTP/1.1\r\n\r\n", "BREW /metrics HTTP/1.1\r\n\r\n",
		"GET /metrics HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
		"POST /metrics HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
		"GET http://other/metrics HTTP/1.1\r\n\r\n", "GET /metrics\r\n\r\n";
	is($http->get('/metrics')->{status}, 200, 'the page is still there');
	is($daemon->request('policy', 'full.dane.lab'), 'OK dane-only', 'and so is the daemon');
	ok(wait_until(2 * PROMPT, sub { descriptors($daemon) <= $before + 2 }), 'nothing is left open')
		or diag(descriptors($daemon) . " descriptors, $before before");
	unlike($daemon->log_text, qr/\[(?:warn|err|msg)\]/, 'libevent logs nothing');
	is($daemon->stop, 0, 'the daemon ends with status 0');
}

sub ask_mixture
{
	my ($daemon, $seed) = @_;
	my $client = $daemon->client;
	for my $round (1 .. ROUNDS) {
		my @requests = map { $mixture[($_ + $seed + $round) % @mixture] } 0 .. $#mixture;
		$client->send_request(@$_[0, 1]) for @requests;
		for (@requests) {
			my $reply = lc(($client->receive_reply =~ /^(\w+)/)[0]);
			die "$_->[1]: $reply\n" unless $reply eq $_->[2];
		}
	}
}

sub adding_up
{
	my ($daemon, $http) = start(config => { server => { workers => 2 } });
	ok($daemon->wait_log(qr/validation works/i, PROMPT), 'the probe has logged its result');
	my @clients = map { my $seed = $_;
		Tlsad::Process::spawn(log => $daemon->directory . '/clients',
			code => sub { ask_mixture($daemon, $seed) }) } 1 .. CLIENTS;
	# Read during the requests: no counter ever decreases.
	my ($last, $back) = (0, 0);
	while (grep { $_->alive } @clients) {
		my $now = sum($http->page, qr/^tlsad_requests_total/);
		$back++ if $now < $last;
		$last = $now;
	}
	is(scalar(grep { ($_->wait(PROMPT) // 1) != 0 } @clients), 0, 'every client got its replies')
		or diag(`cat @{[$daemon->directory]}/clients`);
	is($back, 0, 'no counter decreased under load');
	my %asked;
	for (@mixture) {
		my $map = $_->[0] eq 'no-such-map' ? 'unknown' : $_->[0] eq 'QUERY' ? 'QUERY' : lc($_->[0]);
		$asked{qq(tlsad_requests_total{map="$map",result="$_->[2]"})} += CLIENTS * ROUNDS;
	}
	my $all = CLIENTS * ROUNDS * @mixture;
	# The time of a reply is counted after it was written.
	ok(wait_until(PROMPT, sub { $http->page->{tlsad_request_seconds_count} == $all }),
		"all $all have a time");
	my $page = $http->page;
	is_deeply({ map { ($_ => $page->{$_}) } grep { /^tlsad_requests_total/ && $page->{$_} } keys %$page },
		\%asked, 'requests, by map and reply, are exactly those');
	is($page->{'tlsad_request_seconds_bucket{le="+Inf"}'}, $all, 'the last bucket has all');
	cmp_ok($page->{tlsad_request_seconds_sum}, '>', 0, 'they took some time');
	my $destinations = CLIENTS * ROUNDS * grep { $_->[0] ne 'no-such-map' && $_->[1] !~ /^\d/ } @mixture;
	is(sum($page, qr/^tlsad_cache_lookups_total/), $destinations,
		'hits and misses are the requests for a destination');
	cmp_ok($page->{'tlsad_cache_lookups_total{result="miss"}'}, '>=', 5, 'each was missed once');
	ok(wait_until(PROMPT, sub { $http->page->{tlsad_connections} == 0 }), 'all connections are gone');
	adding_up_lookups($daemon, $http);
}

# The sum of all numbers in a member of `tlsactl status`.
sub status_sum
{
	my ($value, $path) = @_;
	$value = ref($value) eq 'HASH' ? $value->{$_} : undef for split(/\./, $path);
	return ref($value) eq 'HASH' ? List::Util::sum0(values %$value) : $value;
}

# The number in `tlsactl status` for each row of the table of counters.
sub shown_by_status
{
	my ($status) = @_;
	return { map { ($_ => status_sum($status, $_)) }
		map { $_->{status} // () } Tlsad::Counters::rows() };
}

# A page and a status of the same moment. Between two reads a second may pass, or a probe may count
# a query: so the page is used only if the status before it and the status after it are equal.
sub page_and_status
{
	my ($http, $ctl) = @_;
	my ($page, $status);
	ok(wait_until(PROMPT, sub {
		$status = $ctl->json('status')->{json};
		$page = $http->page;
		my $after = shown_by_status($ctl->json('status')->{json});
		my $before = shown_by_status($status);
		return !grep { $before->{$_} != $after->{$_} } keys %$before;
	}), 'a page between two equal statuses');
	return ($page, $status);
}

# Every row of the table of counters that both show: the same number.
sub same_numbers
{
	my ($page, $status) = @_;
	my %expected;
	for (grep { $_->{metric} && $_->{status} } Tlsad::Counters::rows()) {
		$expected{$_->{metric}} += status_sum($status, $_->{status}) // die "no $_->{status}\n";
		is(status_sum($status, $_->{total}), status_sum($status, $_->{status}),
			"status: $_->{total} is the sum of $_->{status}") if $_->{total};
	}
	cmp_ok(scalar(keys %expected), '>', 20, 'many of the numbers of /metrics are in status');
	is(sum($page, qr/^\Q$_\E(?:\{|\z)/), $expected{$_}, "$_: as in status") for sort keys %expected;
}

# Two requests to the policy service: one gets a reply, one cannot be read.
sub ask_policy
{
	my ($daemon) = @_;
	$daemon->policy_client(timeout => PROMPT)->ask('a@full.dane.lab');
	my $bad = $daemon->policy_client(timeout => PROMPT);
	$bad->send_raw("no attribute\n\n");
	ok($bad->closed_by_peer(PROMPT), 'a policy request that cannot be read ends its connection');
}

# tlsactl status shows the same counters.
sub adding_up_lookups
{
	my ($daemon, $http) = @_;
	ask_policy($daemon);
	ok(wait_until(PROMPT, sub { $http->page->{tlsad_connections} == 0 }), 'its connections are gone');
	my $ctl = Tlsad::Ctl->new(config => { server => {
		control => 'unix:' . $daemon->directory . '/control' } });
	my ($page, $status) = page_and_status($http, $ctl);
	same_numbers($page, $status);
	is(sum($page, qr/^tlsad_policy_requests_total/), 1, 'a request of a policy client');
	is($page->{tlsad_policy_unreadable_requests_total}, 1, 'and one that could not be read');
	is($page->{tlsad_lookups_inflight}, 0, 'nothing is being looked up');
	my $lookups = sum($page, qr/^tlsad_lookups_total/);
	is($lookups, $status->{lookups}{requests} - $status->{lookups}{joined},
		'every lookup that was not joined has a reason');
	is($page->{tlsad_lookup_seconds_count}, $lookups, 'and a time');
	is_deeply({ map { /reason="(.*)"/ && $page->{$_} ? ($1 => $page->{$_}) : () }
		grep { /^tlsad_lookups_total/ } keys %$page }, $status->{lookups}{reasons},
		'tlsactl status has the same reasons');
	is(sum($page, qr/^tlsad_requests_total/), $status->{requests}, 'and as many requests');
	is($page->{tlsad_cache_entries}, $status->{cache}{entries}, 'and entries');
	ok($status->{healthy}, 'and reports health');
	is($status->{health}, 'ok', 'as ok');
	cmp_ok(sum($page, qr/^tlsad_dns_queries_total\{type="TLSA",status="secure"/), '>', 0,
		'TLSA records were queried');
	cmp_ok(sum($page, qr/^tlsad_dns_queries_total\{type="MX",status="bogus"/), '>', 0,
		'and an MX set was bogus');
	is(sum($page, qr/type="other"/), 0, 'no type is missing from the table');
	is($daemon->stop, 0, 'the daemon ends with status 0');
	my $figures = figures($daemon);
	is($figures->{requests}, sum($page, qr/^tlsad_requests_total/), 'the log line at the end has the same numbers');
}

sub deferring
{
	my ($daemon, $http) = start(config => { cache => { failure_ttl => '1s' } });
	is($http->page->{tlsad_deferred_destinations}, 0, 'nothing is deferred');
	my $ctl = Tlsad::Ctl->new;
	is($ctl->run('-s', $daemon->control, 'explain', 'servfail.lab')->{status}, 75, 'an administrator asks');
	is($http->page->{tlsad_deferred_destinations}, 0, 'no mail waits for that');
	like($daemon->request('policy', 'bogus-mx.dane.lab'), qr/^TEMP /, 'a TEMP answer');
	is($http->page->{tlsad_deferred_destinations}, 1, 'one destination is');
	ok(wait_until(PROMPT, sub { $http->page->{tlsad_deferred_longest_seconds} >= 1 }), 'and for how long');
	is($daemon->stop, 0, 'the daemon ends with status 0');
}

sub crowd
{
	my ($daemon, $http) = start();
	$daemon->request('policy', 'full.dane.lab');
	my $before = descriptors($daemon);
	my @crowd;
	for (1 .. CROWD) {
		my $connection = eval { $http->connect } or next;
		push @crowd, $connection;
	}
	is(scalar(@crowd), CROWD, 'all can connect');
	is($http->get('/healthz')->{status}, 200, 'a load balancer gets its page');
	is($http->get('/metrics')->{status}, 200, 'and a scraper its page');
	is($daemon->request('policy', 'full.dane.lab'), 'OK dane-only', 'Postfix notices nothing');
	cmp_ok(descriptors($daemon), '<=', $before + MOST + 5, 'few of them are open');
	ok(wait_until(3 * PROMPT, sub { descriptors($daemon) <= $before + 2 }),
		'and none a while later');
	is(scalar(grep { !$_->closed_by_peer(PROMPT) } @crowd), 0, 'they were closed');
	is($daemon->stop, 0, 'the daemon ends with status 0');
}

sub few_descriptors
{
	my ($daemon, $http) = start(config => { server => { workers => 2 } },
		wrapper => [ 'sh', '-c', 'ulimit -n 64; exec "$@"', 'sh' ]);
	my @crowd = map { eval { $http->connect } } 1 .. 100;
	my @clients = map { eval { $daemon->client(timeout => PROMPT) } } 1 .. 100;
	is(eval { $daemon->client(timeout => PROMPT)->request('policy', 'full.dane.lab') } // $@,
		'OK dane-only', 'Postfix is served');
	is($http->get('/metrics')->{status}, 200, 'and so is the scraper');
	unlike($daemon->log_text, qr/\[(?:warn|err|msg)\]/, 'libevent logs nothing');
	is($daemon->stop, 0, 'the daemon ends with status 0');
}

sub access_rules
{
	my ($daemon, $http) = start(config => { server => { allow => '192.0.2.0/24' } });
	is($http->get('/metrics')->{status}, undef, 'clients outside of [server] allow get no page');
	ok($daemon->wait_log(qr/connection from 127\.0\.0\.1 refused/, PROMPT), 'with a log line');
	my ($endpoint) = $http->{endpoint};
	$daemon->write_config({ server => { allow => '127.0.0.1', metrics => $endpoint } });
	$daemon->reload;
	ok(wait_until(PROMPT, sub { ($http->get('/metrics')->{status} // 0) == 200 }),
		'SIGHUP applies the list');
	is($daemon->stop, 0, 'the daemon ends with status 0');
}

sub taken
{
	my $port = Tlsad::Process::free_port();
	my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $port,
		Listen => 5, ReuseAddr => 1) or die "port $port: $!\n";
	my ($status, $log) = Tlsad::Daemon->run(lab => $lab,
		config => { server => { metrics => "inet:127.0.0.1:$port" } });
	is($status, 1, 'exit status 1');
	my @errors = grep { /error/ } split(/\n/, $log);
	is(scalar(@errors), 1, 'one line');
	like($errors[0] // '', qr/\[server\] metrics inet:127\.0\.0\.1:$port: .*in use/, 'that names it');
}

sub unix_socket
{
	my $directory = Tlsad::Process::private_directory();
	my ($daemon, $http) = start(config => { server => { metrics => "unix:$directory/metrics" } });
	is($http->get('/metrics')->{status}, 200, 'it serves');
	is($daemon->stop, 0, 'the daemon ends with status 0');
	ok(!-e "$directory/metrics", 'and removes its socket');
}

# Lookups of new names, which no server answers.
sub fail_lookups
{
	my ($daemon, $round) = @_;
	my @clients = map { $daemon->client } 1 .. 8;
	$clients[$_]->send_request('policy', "nobody-$round-$_.bulk.lab") for 0 .. $#clients;
	$_->receive_reply for @clients;
}

sub health
{
	my $server = Tlsad::FaultyDns->start(upstream => $lab->port);
	my $settings = $lab->resolver_settings;
	my ($port, $faulty) = ($lab->port, $server->port);
	s/\@$port\b/\@$faulty/ for @{$settings->{stub}};
	$server->{process}->signal('STOP');
	my ($daemon, $http) = start(config => {
		resolver => { %$settings, timeout => '2s' }, cache => { failure_ttl => '1s' } });
	my $answer = $http->get('/healthz');
	is($answer->{status}, 503, 'at the start, with a dead resolver: 503');
	is($answer->{type}, 'text/plain; charset=utf-8', 'as text');
	like($answer->{body}, qr/\Athe resolver has not answered yet\n\z|validation does not work/, 'and why');
	ok(wait_until(NOTICED, sub { $http->get('/healthz')->{body} =~
		/\ADNSSEC validation does not work: no answer from [^\n]+\n\z/ }), 'then the result');
	is($http->page->{tlsad_healthy}, 0, 'tlsad_healthy');
	$server->{process}->signal('CONT');
	ok(wait_until(NOTICED, sub { $http->get('/healthz')->{status} == 200 }), 'the server answers: 200');
	is($http->get('/healthz')->{body}, "ok\n", 'ok');
	is($http->page->{tlsad_validation_works}, 1, 'tlsad_validation_works');

	$server->{process}->signal('STOP');
	my $round = 0;
	ok(wait_until(NOTICED, sub { fail_lookups($daemon, $round++);
		$http->get('/healthz')->{status} == 503 }), 'it fails although the cache has the root: 503');
	is($http->page->{'tlsad_resolver_state{state="no-route"}'}, 1, 'tlsad_resolver_state');
	cmp_ok(sum($http->page, qr/^tlsad_dns_queries_total\{type="MX",status="(?:timeout|servfail)"/), '>', 4,
		'its queries are counted');
	$server->{process}->signal('CONT');
	ok(wait_until(NOTICED, sub { $http->get('/healthz')->{status} == 200 }), 'and works again: 200');
	like($daemon->log_text, qr/validation works.*does not work.*validation works/s, 'the log has every change');
	is($daemon->stop, 0, 'the daemon ends with status 0');
}
