#!/usr/bin/perl
# The policy delegation service: which requests it uses, warming, announcing, minimums at RCPT with
# each kind of destination and of action, to which senders they apply, how long it waits; and
# clients that are hostile, faulty or slow.
#
# The parser's tables are in t/unit/answer/policy_request.c, a real Postfix in
# t/postfix/postfix-policy.t.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use IO::Socket::INET;
use JSON::PP ();
use Socket qw(SOL_SOCKET SO_LINGER);
use Test::More;
use Time::HiRes ();
use Tlsad::Ctl;
use Tlsad::Daemon;
use Tlsad::Lab;
use Tlsad::Observe;
use Tlsad::Process;

# [s] Long, for loaded machines and sanitizers.
use constant PROMPT => 30;
use constant BULK => 60;		# never-asked destinations

my @missing = Tlsad::Lab::missing_programs();
plan(skip_all => "not installed: @missing") if @missing;

my $lab = Tlsad::Lab->start(zones => { 'bulk.lab' => join('',
	"mx A 192.0.2.1\n_25._tcp.mx TLSA 3 1 1 ", 'ab' x 32, "\nnone A 192.0.2.2\n",
	"old A 192.0.2.3\n_25._tcp.old TLSA 1 1 1 ", 'ab' x 32, "\n",
	"part MX 10 mx\npart MX 20 none\nunusable MX 10 old\n",
	map { "d$_ MX 10 mx\nn$_ MX 10 none\n" } 1 .. BULK) },
	# libunbound follows a dozen, which takes 8 seconds or more. It gives up a server that never
	# answers after 2.6 seconds (1.22) or 12 (1.17).
	faults => [{ name => 'slow.faults.lab', behaviour => 'endless-cname', seconds => 0.7 }]);
my $lacking = 'REJECT 5.7.10 %s must be reached with TLS level %s, but offers %s (%s)';

subtest('which requests it uses' => \&acts_on);
subtest('recipients' => \&recipients);
subtest('warm' => \&warm);
subtest('announce' => \&announce);
subtest('minimums' => \&minimums);
subtest('actions' => \&actions);
subtest('lookups that fail' => \&failures);
subtest('one log line about a destination' => \&one_line);
subtest('wait' => \&waiting);
subtest('exceptions' => \&exceptions);
subtest('monitor' => \&monitor);
subtest('submitters' => \&submitters);
subtest('reloading' => \&reloading);
subtest('requests that cannot be read' => \&unreadable);
subtest('pieces and pipelines' => \&pieces);
subtest('order' => \&order);
subtest('clients that vanish' => \&vanishing);
subtest('a client that never reads' => \&never_reads);
subtest('connections' => \&connections);
subtest('endpoints' => \&endpoints);
done_testing();

# One serving thread, so that a reload is complete once it is seen.
sub start
{
	my (%config) = @_;
	$config{server}{workers} //= 1;
	return Tlsad::Daemon->start(lab => $lab, config => \%config);
}

sub status
{
	my ($daemon) = @_;
	my $file = $daemon->config_file;
	my $binary = Tlsad::Ctl::binary();
	my $text = qx($binary -c $file --json status);
	return JSON::PP->new->decode($text);
}

sub client { return $_[0]->policy_client(timeout => PROMPT) }

sub ask
{
	my ($daemon, @request) = @_;
	return eval { client($daemon)->ask(@request) } // $@;
}

# The TLS policy that the mail gets later.
sub map_reply
{
	my ($daemon, $key) = @_;
	return $daemon->client(timeout => PROMPT)->request('policy', $key);
}

# Waits until the background lookups are done and the cache has this number of parts.
sub ready
{
	my ($daemon, $entries) = @_;
	return wait_until(2 * PROMPT, sub {
		my $status = status($daemon);
		return $status->{lookups}{in_flight} == 0 && $status->{cache}{entries} >= $entries;
	});
}

# Requests maps until the replies come from the cache: parts are stored a moment after a lookup.
sub know
{
	my ($daemon, @keys) = @_;
	for my $key (@keys) {
		wait_until(PROMPT, sub { explain($daemon, $key)->{cached} }) or die "$key is not cached\n";
	}
}

sub finish
{
	my ($daemon) = @_;
	is($daemon->stop, 0, 'the daemon ends with status 0');
}

sub acts_on
{
	my $daemon = start(minimum => { '*' => 'dane' });
	my $no = sprintf($lacking, 'n1.bulk.lab', 'dane', 'no TLSA records', 'no-tlsa');
	is(ask($daemon, 'a@n1.bulk.lab'), $no, 'RCPT');
	is(ask($daemon, 'a@n1.bulk.lab', protocol_state => 'DATA', recipient_count => 1), $no,
		'DATA with one recipient');
	is(ask($daemon, 'a@n1.bulk.lab', protocol_state => 'END-OF-MESSAGE', recipient_count => 1),
		$no, 'END-OF-MESSAGE with one recipient');
	is(ask($daemon, '', protocol_state => 'DATA', recipient_count => 2), 'DUNNO',
		'DATA with several');
	is(ask($daemon, undef, protocol_state => 'END-OF-MESSAGE', recipient_count => 2), 'DUNNO',
		'END-OF-MESSAGE with several');
	is(ask($daemon, 'a@n1.bulk.lab', protocol_state => $_), 'DUNNO', $_)
		for qw(CONNECT EHLO HELO MAIL VRFY ETRN rcpt), '';
	is(ask($daemon, 'a@n1.bulk.lab', protocol_state => undef), 'DUNNO', 'no state');
	my $client = client($daemon);
	$client->send_attributes(protocol_state => 'RCPT', recipient => 'a@n1.bulk.lab');
	is($client->receive_action, $no, 'two attributes are enough');
	$client->send_attributes(future => 'x=y', recipient => 'a@n1.bulk.lab', 'others' => '',
		protocol_state => 'RCPT', request => 'smtpd_access_policy');
	is($client->receive_action, $no, 'any others, in any order');
	my $policy = status($daemon)->{policy};
	is($policy->{requests}, 16, 'each is counted');
	is_deeply($policy->{replies}, { dunno => 11, prepend => 0, lacking => 5, defer => 0 },
		'by action');
	finish($daemon);
	is(figures($daemon)->{policy_requests}, 16, 'at the end, too');
}

sub recipients
{
	my $daemon = start(minimum => { '*' => 'authenticated' });
	my $address = 'no name that DNSSEC can protect';
	my @rows = (
		[ 'a@d1.bulk.lab', undef ],
		[ 'a@D1.BULK.lab.', undef ],
		[ 'a@N2.Bulk.LAB', 'n2.bulk.lab', 'no TLSA records', 'no-tlsa' ],
		[ '"a@d1.bulk.lab"@n2.bulk.lab', 'n2.bulk.lab', 'no TLSA records', 'no-tlsa' ],
		[ 'a@d1.bulk.lab@n2.bulk.lab', 'n2.bulk.lab', 'no TLSA records', 'no-tlsa' ],
		[ 'a b@n2.bulk.lab', 'n2.bulk.lab', 'no TLSA records', 'no-tlsa' ],
		[ '@n2.bulk.lab', 'n2.bulk.lab', 'no TLSA records', 'no-tlsa' ],
		[ 'a@n2.bulk.lab:587', undef ],
		[ "j\xc3\xb6rg\@b\xc3\xbccher.lab", undef ],
		[ "j\xc3\xb6rg\@b\xc3\xbccher.plain.lab", undef ],	# no such name
		[ 'a@[192.0.2.1]', '[192.0.2.1]', $address, 'not-a-destination' ],
		[ 'a@[IPv6:2001:db8::1]', '[IPv6:2001:db8::1]', $address, 'not-a-destination' ],
		[ 'a@[n2.bulk.lab]', undef ],
		[ 'a@[192.0.2.1]:25', undef ],
		[ 'a@192.0.2.1', undef ],
		map { [ $_, undef ] } 'postmaster', '"a@n2.bulk.lab"', 'a@', '@', 'a@.bulk.lab',
			'a@n2..bulk.lab', 'a@host', "a\@\xff.lab", 'a@n2.bulk.lab"', 'a@/etc', 'a@ n2.bulk.lab',
			'a@' . 'x' x 300 . '.lab', 'x' x 5_000 . '@d1.bulk.lab',
	);
	for my $row (@rows) {
		my ($recipient, $destination, @words) = @$row;
		my $expected = defined $destination
			? sprintf($lacking, $destination, 'authenticated', @words) : 'DUNNO';
		is(ask($daemon, $recipient), $expected, substr($recipient, 0, 60));
	}
	finish($daemon);
	$daemon = start(minimum => { 'b\xc3\xbccher.lab' =~ s/\\x(..)/chr hex $1/ger => 'none', '*' => 'dane' });
	is(ask($daemon, 'a@[192.0.2.1]') =~ /^REJECT/, 1, 'an address is held by * alone');
	finish($daemon);
}

sub warm
{
	my $daemon = start();
	my $client = client($daemon);
	is($client->ask("a\@d$_.bulk.lab"), 'DUNNO', "d$_: at once") for 1 .. 5;
	ok(ready($daemon, 6), 'they are looked up in the background');
	my $before = status($daemon);
	is(map_reply($daemon, "d$_.bulk.lab"), 'OK dane-only', "d$_: the answer") for 1 .. 5;
	my $after = status($daemon);
	is($after->{hits} - $before->{hits}, 5, 'the cache had all of them');
	is($after->{misses}, 0, 'and no client had to wait');
	is($client->ask('a@d1.bulk.lab'), 'DUNNO', 'requested again');
	$after = status($daemon);
	is($after->{lookups}{parts}, 6, 'nothing is looked up again');
	is("$after->{policy}{hits} $after->{policy}{misses}", '1 5', 'the cache is asked');
	# Many recipients at one domain at the same time.
	$client->send_raw(join('', map { Tlsad::Policy::attributes("r$_\@d6.bulk.lab") } 1 .. 50));
	is(join(' ', map { $client->receive_action } 1 .. 50), join(' ', ('DUNNO') x 50),
		'50 recipients at one domain');
	ok(ready($daemon, 7), 'it is looked up');
	cmp_ok(status($daemon)->{lookups}{requests}, '<=', 8, 'not for each of them');
	finish($daemon);

	$daemon = start(policy => { warm => 'no' });
	is(ask($daemon, 'a@d1.bulk.lab'), 'DUNNO', 'warm = no');
	is(map_reply($daemon, 'd2.bulk.lab'), 'OK dane-only', 'another is looked up');
	is(status($daemon)->{lookups}{requests}, 1, 'and no more');
	finish($daemon);
}

sub announce
{
	my $daemon = start(policy => { announce => 'yes' }, minimum => { 'n3.bulk.lab' => 'encrypted' },
		exception => { 'd4.bulk.lab' => 'may' });
	is(ask($daemon, 'a@full.dane.lab'), 'DUNNO', 'a destination that is not cached is not waited for');
	know($daemon, qw(full.dane.lab part.bulk.lab n3.bulk.lab n4.bulk.lab bogus-mx.dane.lab
		null-mx.dane.lab missing.dane.lab));
	my %expected = (
		'full.dane.lab' => 'dane-only reason=dane-full',
		'FULL.dane.lab.' => 'dane-only reason=dane-full',
		'part.bulk.lab' => 'dane reason=dane-partial',
		'n3.bulk.lab' => 'encrypt reason=no-tlsa',
		'n4.bulk.lab' => 'site reason=no-tlsa',
	);
	is(ask($daemon, "a\@$_"), 'PREPEND X-TLS-Destination: destination=' . lc(s/\.$//r)
		. " level=$expected{$_}", $_) for sort keys %expected;
	is(map_reply($daemon, 'd4.bulk.lab'), 'OK may', 'an exception is answered without a lookup');
	know($daemon, 'd4.bulk.lab');
	like(ask($daemon, 'a@d4.bulk.lab'), qr/: destination=d4.bulk.lab level=may reason=exception$/,
		'it is announced as well');
	is(ask($daemon, "a\@$_"), 'DUNNO', "$_: nothing") for qw(bogus-mx.dane.lab null-mx.dane.lab
		missing.dane.lab);
	like(ask($daemon, 'a@full.dane.lab', protocol_state => 'DATA', recipient_count => 1),
		qr/^PREPEND /, 'at DATA');
	is(ask($daemon, 'a@full.dane.lab', protocol_state => 'END-OF-MESSAGE', recipient_count => 1),
		'DUNNO', 'not at the end of a message');
	# For any text around the domain, the header is one line with only the domain's name.
	is(ask($daemon, "\"x\r\n level=evil\"\@full.dane.lab" =~ tr/\n//dr),
		'PREPEND X-TLS-Destination: destination=full.dane.lab level=dane-only reason=dane-full',
		'a local part never gets into the header');
	finish($daemon);
	$daemon = start(policy => { announce => 'yes', announce_header => 'X-Y' });
	know($daemon, 'full.dane.lab');
	like(ask($daemon, 'a@full.dane.lab'), qr/^PREPEND X-Y: destination=/, 'announce_header');
	finish($daemon);
}

sub minimums
{
	my $daemon = start(minimum => { 'bulk.lab' => 'none', '.bulk.lab' => 'authenticated',
		'part.bulk.lab' => 'dane', 'n5.bulk.lab' => 'encrypted', 'n6.bulk.lab' => 'none',
		'.dane.lab' => 'dane', '.plain.lab' => 'dane' });
	is(ask($daemon, "a\@$_"), 'DUNNO', "$_ reaches it")
		for qw(d1.bulk.lab part.bulk.lab n5.bulk.lab n6.bulk.lab full.dane.lab);
	my $n7 = sprintf($lacking, 'n7.bulk.lab', 'authenticated', 'no TLSA records', 'no-tlsa');
	is(ask($daemon, 'a@n7.bulk.lab'), $n7, 'n7.bulk.lab, looked up for this request');
	is(ask($daemon, 'a@n7.bulk.lab'), $n7, 'and from the cache');
	like(ask($daemon, 'a@unusable.bulk.lab'), qr/^REJECT .*only unusable TLSA records/,
		'records that are not usable');
	like(ask($daemon, 'a@no-mx-tlsa.plain.lab'), qr/^REJECT 5\.7\.10 no-mx-tlsa\.plain\.lab /,
		'not signed');
	# Postfix returns mail to these by itself.
	is(ask($daemon, "a\@$_"), 'DUNNO', $_) for qw(null-mx.dane.lab missing.dane.lab
		host-nxdomain.dane.lab);
	is(ask($daemon, 'a@n8.example'), 'DUNNO', 'no minimum applies');
	unlike($daemon->log_text, qr/policy: looked up n[56]\.bulk\.lab/,
		'no client waits without a minimum');
	finish($daemon);
}

sub actions
{
	for my $row (['DEFER_IF_PERMIT 4.7.5 {destination}', 'DEFER_IF_PERMIT 4.7.5 n9.bulk.lab'],
		['HOLD {required} wanted', 'HOLD dane wanted'],
		['FILTER secure:[192.0.2.1]:10025', 'FILTER secure:[192.0.2.1]:10025'],
		['WARN {destination} offers {offered}', 'WARN n9.bulk.lab offers no TLSA records'],
		['554 5.7.10 {reason}', '554 5.7.10 no-tlsa'], ['our_class', 'our_class']) {
		my $daemon = start(minimum => { '*' => 'dane' }, policy => { lacking => $row->[0] });
		is(ask($daemon, 'a@n9.bulk.lab'), $row->[1], $row->[0]);
		finish($daemon);
	}
}

sub failures
{
	my $daemon = start(minimum => { '*' => 'authenticated' });
	for my $try ('looked up', 'from the cache') {
		my $action = ask($daemon, 'a@bogus-mx.dane.lab');
		like($action, qr/^DEFER_IF_PERMIT 4\.7\.5 bogus-mx\.dane\.lab must be reached with TLS level authenticated, but it is not known yet whether it offers that: bogus-mx\.dane\.lab MX: bogus/, $try);
		unlike($action, qr/[^ -~]/, 'in printable ASCII');
		cmp_ok(length($action), '<', 600, 'and not too long');
	}
	is_deeply(status($daemon)->{policy}{replies}, { dunno => 0, prepend => 0, lacking => 0, defer => 2 },
		'counted');
	finish($daemon);
	$daemon = start();
	is(ask($daemon, 'a@bogus-mx.dane.lab'), 'DUNNO', 'without a minimum it does not matter');
	finish($daemon);
}

# As for the maps: a destination that fails again and again has one line in ten minutes.
sub one_line
{
	my $daemon = start(minimum => { '*' => 'dane' }, cache => { failure_ttl => '1s' });
	my @lines;
	for my $round (1 .. 3) {
		like(ask($daemon, 'a@servfail.lab'), qr/^DEFER_IF_PERMIT 4\.7\.5 servfail\.lab /, 'deferred');
		Time::HiRes::sleep(1.2);
	}
	@lines = grep { /policy: lookup of servfail\.lab failed/ } split(/\n/, $daemon->log_text);
	is(scalar(@lines), 1, 'three lookups, one warning') or diag("@lines");
	like($lines[0] // '', qr/warning: .* reason=lookup-failed .* deferred=0 left_out=0 action="DEFER_IF_PERMIT /,
		'with its reason');
	cmp_ok(status($daemon)->{lookups}{failures}, '>=', 3, 'they were looked up each time');
	# Requests of the maps count as the same destination.
	map_reply($daemon, 'servfail.lab');
	unlike($daemon->log_text, qr/warning: lookup of servfail\.lab failed/, 'the maps do not log it again');
	finish($daemon);
}

sub waiting
{
	# The lookup takes much longer, so that the two cannot be confused even if the machine stops
	# for seconds.
	my $daemon = start(minimum => { '*' => 'dane' }, policy => { wait => '1s' },
		resolver => { timeout => '15s' });
	my ($slow, $other) = map { client($daemon) } 1 .. 2;
	# From the cache: on a slow machine lookups could take longer than the second, too.
	know($daemon, qw(d10.bulk.lab d11.bulk.lab));
	my $entries = status($daemon)->{cache}{entries};
	my $begin = Time::HiRes::time();
	$slow->send_raw(Tlsad::Policy::attributes('a@silent.lab')
		. Tlsad::Policy::attributes('a@d10.bulk.lab'));
	is($other->ask('a@d11.bulk.lab'), 'DUNNO', 'other clients are served');
	like($slow->receive_action, qr/^DEFER_IF_PERMIT 4\.7\.5 silent\.lab .* offers that: the lookup is still running$/,
		'the wait ends');
	is($slow->receive_action, 'DUNNO', 'and the next request is answered');
	# A lower limit is valid on a slow machine, too.
	cmp_ok(Time::HiRes::time() - $begin, '>', 0.9, 'not before');
	like($daemon->log_text, qr/policy: no result for silent\.lab: the lookup is still running/, 'with a log line');
	ok(ready($daemon, $entries + 1), 'the lookup continues to its own end');
	like(ask($daemon, 'a@silent.lab'), qr/^DEFER_IF_PERMIT .*: silent\.lab MX: /,
		'then its failure is known');
	finish($daemon);
	# The daemon gets SIGTERM while a client waits.
	$daemon = start(minimum => { '*' => 'dane' }, resolver => { timeout => '30s' },
		policy => { wait => '60s' });
	my $client = client($daemon);
	is($client->ask('a@d12.bulk.lab'), 'DUNNO', 'served');
	# tlsad waits five seconds for lookups under way before it ends; this one takes longer.
	$client->send_raw(Tlsad::Policy::attributes('a@d.slow.faults.lab'));
	ok(wait_until(PROMPT, sub { status($daemon)->{lookups}{in_flight} > 0 }), 'a client waits');
	finish($daemon);
	like(eval { $client->receive_action } // $@, qr/^DEFER_IF_PERMIT .*tlsad is stopping/,
		'the client that waits gets a reply');
}

sub exceptions
{
	my $daemon = start(minimum => { '.bulk.lab' => 'authenticated', 'n10.bulk.lab' => 'dane' },
		exception => { 'n11.bulk.lab' => 'may', 'n12.bulk.lab' => 'secure',
			'n10.bulk.lab' => 'secure', 'bogus-mx.dane.lab' => 'may' });
	like(ask($daemon, 'a@n11.bulk.lab'), qr/^REJECT /, 'a minimum wins over less');
	is(ask($daemon, 'a@n12.bulk.lab'), 'DUNNO', 'an exception as strict as the minimum applies');
	like(ask($daemon, 'a@n10.bulk.lab'), qr/^REJECT /, 'a weaker one does not');
	is(ask($daemon, 'a@bogus-mx.dane.lab'), 'DUNNO', 'no minimum, an exception');
	finish($daemon);
}

sub monitor
{
	my $daemon = start(dane => { mode => 'monitor' }, minimum => { '*' => 'dane' },
		policy => { announce => 'yes' });
	is(ask($daemon, 'a@n13.bulk.lab'), 'DUNNO', 'nothing is done');
	ok($daemon->wait_log(qr/monitor: the reply for a recipient at n13\.bulk\.lab would have been "REJECT 5\.7\.10 [^"]*no-tlsa\)"/, PROMPT),
		'but logged') or diag($daemon->log_text);
	is(ask($daemon, 'a@bogus-mx.dane.lab'), 'DUNNO', 'a failure');
	ok($daemon->wait_log(qr/bogus-mx\.dane\.lab would have been "DEFER_IF_PERMIT /, PROMPT),
		'is logged as well');
	know($daemon, 'd13.bulk.lab');
	like(ask($daemon, 'a@d13.bulk.lab'), qr/^PREPEND .* level=site reason=dane-full$/,
		'the announced level is what Postfix gets');
	my $policy = status($daemon)->{policy};
	is("$policy->{monitored} $policy->{replies}{dunno}", '2 2', 'counted');
	finish($daemon);
}

sub submitters
{
	my $directory = Tlsad::Process::private_directory();
	my $write = sub {
		open(my $file, '>', "$directory/$_[0]") or die "$_[0]: $!\n";
		print {$file} $_[1];
		close($file);
	};
	$write->('senders', "# ours\nclerk\@court.example\n");
	my $daemon = start(minimum => { '*' => 'dane' }, policy => {
		senders => "boss\@firm.example .judge.example file:$directory/senders",
		sasl_usernames => 'alice', clients => '198.51.100.0/24 2001:db8::/32' });
	my $to = 'a@n14.bulk.lab';
	my %held = ('a sender' => [ sender => 'Boss@firm.example' ],
		'below a domain' => [ sender => 'x@a.judge.example' ],
		'of a file' => [ sender => 'clerk@court.example' ],
		'a user' => [ sasl_username => 'alice' ],
		'a network' => [ client_address => '198.51.100.77' ],
		'one of IPv6' => [ client_address => '2001:db8::5' ]);
	my %free = ('nobody of these' => [], 'another sender' => [ sender => 'clerk@firm.example' ],
		'a domain itself' => [ sender => 'x@judge.example' ],
		'another user' => [ sasl_username => 'Alice' ],
		'another address' => [ client_address => '198.51.101.77' ],
		'no address' => [ client_address => 'unknown' ], 'no sender' => [ sender => '' ],
		'nothing known' => [ sender => undef, sasl_username => undef, client_address => undef ]);
	like(ask($daemon, $to, @{$held{$_}}), qr/^REJECT/, "held: $_") for sort keys %held;
	is(ask($daemon, $to, @{$free{$_}}), 'DUNNO', "free: $_") for sort keys %free;
	like(map_reply($daemon, 'n14.bulk.lab'), qr/^OK dane-only$/,
		'at delivery the minimum applies to everybody');
	# Only the file has changed.
	$write->('senders', "usher\@court.example\n");
	my $from = length($daemon->log_text);
	$daemon->reload;
	ok($daemon->wait_log(qr/configuration reloaded/, PROMPT, $from), 'reloaded');
	is(ask($daemon, $to, sender => 'clerk@court.example'), 'DUNNO', 'one was removed');
	like(ask($daemon, $to, sender => 'usher@court.example'), qr/^REJECT/, 'another was added');
	$write->('senders', "usher\@court.example\nno one\n");
	$from = length($daemon->log_text);
	$daemon->reload;
	ok($daemon->wait_log(qr/old configuration stays in use: .*\/senders:2: write one entry per line/, PROMPT, $from),
		'a broken file is reported with its line') or diag($daemon->log_text);
	like(ask($daemon, $to, sender => 'usher@court.example'), qr/^REJECT/, 'the old list stays');
	finish($daemon);
	$write->('nobody', '');
	$daemon = start(minimum => { '*' => 'dane' }, policy => { senders => "file:$directory/nobody" });
	is(ask($daemon, $to), 'DUNNO', 'an empty list has nobody in it');
	finish($daemon);
	my ($status, $log) = Tlsad::Daemon->run(config => {
		policy => { clients => "file:$directory/missing" } });
	ok(defined $status && $status == 1 && $log =~ /\[policy\] clients: .*missing: cannot read the file/,
		'a missing file is an error') or diag($log);
}

sub reloading
{
	my $daemon = start();
	my $kept = client($daemon);
	is($kept->ask('a@n15.bulk.lab'), 'DUNNO', 'at first');
	my $take = sub {
		my (%config) = @_;
		$config{server}{workers} = 1;
		$daemon->write_config(\%config);
		my $from = length($daemon->log_text);
		$daemon->reload;
		ok($daemon->wait_log(qr/configuration reloaded/, PROMPT, $from), 'reloaded');
	};
	$take->(minimum => { '*' => 'dane' }, policy => { lacking => 'HOLD {destination}' });
	is($kept->ask('a@n15.bulk.lab'), 'HOLD n15.bulk.lab', 'a minimum, on a connection that stays');
	# A rule that is removed while a client waits because of it.
	$take->(minimum => { '*' => 'dane' }, resolver => { timeout => '30s' }, policy => { wait => '15s' });
	$kept->send_raw(Tlsad::Policy::attributes('a@silent.lab'));
	ok(wait_until(PROMPT, sub { status($daemon)->{lookups}{in_flight} > 0 }), 'a client waits');
	$take->();
	is($kept->receive_action, 'DUNNO', 'the rule was removed meanwhile');
	finish($daemon);
}

my $good;
BEGIN { $good = Tlsad::Policy::attributes('a@full.dane.lab') }

sub served
{
	my ($daemon, $why) = @_;
	is(ask($daemon, 'a@full.dane.lab'), 'DUNNO', "others are served: $why");
}

sub unreadable
{
	my $daemon = start(server => { workers => 2 });
	map_reply($daemon, 'full.dane.lab');
	my %bad = (
		'no equals sign' => [ "request\n\n", qr/no "=" in "request"/ ],
		'no name' => [ "=x\n\n", qr/no name before "="/ ],
		'no attributes' => [ "\n", qr/no attributes/ ],
		'another type' => [ "request=junk\n\n", qr/request is not of type smtpd_access_policy/ ],
		'a doubled recipient' => [ "recipient=a\@b.c\nrecipient=a\@b.c\n\n", qr/attribute recipient occurs twice/ ],
		'NUL' => [ "recipient=a\0\@b.c\n\n", qr/a NUL byte/ ],
		'NUL without an end' => [ "\0", qr/a NUL byte/ ],
		'1 MB in a line' => [ 'x=' . 'y' x 1_000_000 . "\n\n", qr/a line of more than 10000 bytes/ ],
		'1 MB of lines' => [ "x=y\n" x 250_000 . "\n", qr/more than 128 lines/ ],
		'1 MB of long lines' => [ join('', map { 'x=' . 'y' x 5_000 . "\n" } 1 .. 200), qr/longer than 32768 bytes/ ],
		'a netstring' => [ "20:policy full.dane.lab,\n", qr/no "="/ ],
		'HTTP' => [ "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", qr/no "=" in "GET/ ],
		'CRLF' => [ $good =~ s/\n/\r\n/gr, qr/smtpd_access_policy/ ],
		'escape sequences' => [ "\e[2J\n\n", qr/no "=" in "\?\[2J"/ ],
	);
	for my $what (sort keys %bad) {
		my ($bytes, $words) = @{$bad{$what}};
		# The number of log lines a second is limited.
		my $from = length($daemon->log_text);
		my $client = client($daemon);
		is($client->ask('a@full.dane.lab'), 'DUNNO', "$what: what came before is answered");
		$client->send_raw($bytes);
		ok($client->closed_by_peer(PROMPT), 'then it is closed');
		my $log = $daemon->wait_log(qr/policy request from process $$ of uid \d+ cannot be read, its connection is closed: [^\n]*$words|not logged/, PROMPT, $from);
		ok(defined $log, 'with a log line') or diag(substr($daemon->log_text, $from));
		is(count_matches($log // '', qr/cannot be read/), 1, 'once');
		Time::HiRes::sleep(0.12);
	}
	served($daemon, 'afterwards');
	my $client = client($daemon);
	$client->send_raw(Tlsad::Policy::attributes('a@d15.bulk.lab') x 3 . "nonsense\n\n");
	is(join(' ', map { $client->receive_action } 1 .. 3), 'DUNNO DUNNO DUNNO',
		'requests before a bad one get replies');
	ok($client->closed_by_peer(PROMPT), 'then it is closed');
	my $before = count_matches($daemon->log_text, qr/cannot be read/);
	for (1 .. 100) {
		my $bad = client($daemon);
		$bad->send_raw("nonsense\n\n");
		$bad->closed_by_peer(PROMPT);
	}
	cmp_ok(count_matches($daemon->log_text, qr/cannot be read/) - $before, '<', 100,
		'many are not logged one by one');
	is(status($daemon)->{policy}{unreadable}, scalar(keys %bad) + 101, 'but counted');
	finish($daemon);
}

# One connection for each place to cut, all open at once.
sub pieces
{
	my $daemon = start(minimum => { 'n16.bulk.lab' => 'dane' });
	my $two = "protocol_state=RCPT\nrecipient=a\@d16.bulk.lab\n\n"
		. "recipient=b\@n16.bulk.lab\nprotocol_state=RCPT\n\n";
	ask($daemon, 'b@n16.bulk.lab');
	my @clients = map { [ $_, client($daemon) ] } 1 .. length($two) - 1;
	$_->[1]->send_raw(substr($two, 0, $_->[0])) for @clients;
	served($daemon, 'while requests are incomplete');
	$_->[1]->send_raw(substr($two, $_->[0])) for @clients;
	my $wrong = grep { my $client = $_->[1];
		my @actions = map { eval { $client->receive_action } // $@ } 1 .. 2;
		$actions[0] ne 'DUNNO' || $actions[1] !~ /^REJECT 5\.7\.10 n16\.bulk\.lab / } @clients;
	is($wrong, 0, 'cut anywhere, both are answered');
	my $slow = client($daemon);
	for my $byte (split(//, "protocol_state=RCPT\nrecipient=a\@n16.bulk.lab\n\n")) {
		$slow->send_raw($byte);
		Time::HiRes::sleep(0.001);
	}
	like($slow->receive_action, qr/^REJECT/, 'byte by byte');
	my $many = client($daemon);
	my $count = 3_000;
	my $all = join('', map { Tlsad::Policy::attributes($_ % 3 ? 'a@d16.bulk.lab' : 'a@n16.bulk.lab') } 1 .. $count);
	my $writer = fork() // die "fork: $!\n";
	if ($writer == 0) {
		$many->send_raw($all);
		POSIX::_exit(0);
	}
	my @wrong = grep { my $number = $_;
		my $action = eval { $many->receive_action } // $@;
		$number % 3 ? $action ne 'DUNNO' : $action !~ /^REJECT/ } 1 .. $count;
	waitpid($writer, 0);
	is("@wrong[0 .. ($#wrong < 5 ? $#wrong : 5)]", '', "$count in one go, in their order");
	my $half = client($daemon);
	$half->send_raw($good . $good);
	shutdown($half->socket, 1);
	is(join(' ', map { eval { $half->receive_action } // $@ } 1 .. 2), 'DUNNO DUNNO',
		'all replies come after shutdown(2)');
	ok($half->closed_by_peer(PROMPT), 'then it is closed');
	finish($daemon);
}

# Replies that wait, that come at once, and that need no verdict.
sub order
{
	my $daemon = start(server => { workers => 2 }, minimum => { '.bulk.lab' => 'dane' },
		policy => { lacking => 'HOLD {destination}' });
	my @clients = map { client($daemon) } 1 .. 10;
	my (@to, @expected);
	for my $number (20 .. 59) {
		push @to, "a\@d$number.bulk.lab", "a\@n$number.bulk.lab", 'a@elsewhere.example';
		push @expected, 'DUNNO', "HOLD n$number.bulk.lab", 'DUNNO';
	}
	my $bytes = join('', map { Tlsad::Policy::attributes($_) } @to);
	$_->send_raw($bytes) for @clients;
	for my $client (@clients) {
		my @actions = map { eval { $client->receive_action } // $@ } @to;
		is("@actions", "@expected", 'each answer in its place');
	}
	finish($daemon);
}

sub vanishing
{
	my $daemon = start(server => { workers => 2 }, minimum => { '*' => 'dane' },
		policy => { wait => '2s' }, resolver => { timeout => '4s' });
	is(ask($daemon, 'a@d17.bulk.lab'), 'DUNNO', 'served');
	my $before = descriptors($daemon);
	for my $to (qw(silent.lab silent-plain.lab d18.bulk.lab n18.bulk.lab)) {
		for my $bytes (Tlsad::Policy::attributes("a\@$to"), substr(Tlsad::Policy::attributes("a\@$to"), 0, 200)) {
			my $client = client($daemon);
			$client->send_raw($bytes . ($bytes =~ /\n\n\z/ ? $good : ''));
			$client->close;
		}
	}
	served($daemon, 'while nobody waits for lookups');
	# When these lookups or waits end, their clients have disconnected.
	ok(ready($daemon, 3), 'the lookups end');
	ok(wait_until(PROMPT, sub { descriptors($daemon) <= $before + 20 }), 'the connections are closed');
	ok($daemon->alive, 'the daemon lives');
	finish($daemon);
}

sub never_reads
{
	my $daemon = start(server => { idle_timeout => '4s' });
	ok(wait_until(PROMPT, sub { status($daemon)->{healthy} }), 'the resolver works');
	served($daemon, 'before');
	# As long as the resolver and OpenSSL load what they need for a first lookup, the process
	# grows by 3 MB or more. From then on three such clients take some 200 KB.
	ok(ready($daemon, 3), 'its lookup has ended');
	my $before = resident($daemon);
	my @clients = map { $daemon->policy_client(timeout => 0.5) } 1 .. 3;
	my $requests = "protocol_state=CONNECT\n\n" x 400_000;
	my ($most) = sort { $b <=> $a } map { $_->send_raw($requests) } @clients;
	cmp_ok($most, '<', length($requests), "the daemon stops reading (after $most bytes)");
	served($daemon, 'while clients do not read');
	SKIP: {
		skip('a sanitizer has memory of its own', 1) if sanitized($daemon);
		cmp_ok((resident($daemon) - $before) / @clients, '<', 1024 * 1024, 'little memory for each');
	}
	ok(wait_until(4 + PROMPT, sub { !grep { defined send($_->socket, 'x', Socket::MSG_NOSIGNAL()) || $!{EAGAIN} } @clients }),
		'they are closed after idle_timeout');
	finish($daemon);
}

sub connections
{
	my $daemon = start(server => { max_connections => 3, idle_timeout => '2s' });
	my @clients = map { client($daemon) } 1 .. 3;
	is($_->ask('a@elsewhere.example'), 'DUNNO', 'served') for @clients;
	is($daemon->client(timeout => PROMPT)->request('policy', 'full.dane.lab'), 'OK dane-only',
		'one more, of the other protocol');
	ok($clients[0]->closed_by_peer(PROMPT), 'the longest idle one was closed');
	ok($clients[1]->closed_by_peer(2 + PROMPT), 'idle_timeout closes an idle one');
	finish($daemon);
}

sub endpoints
{
	my $port = Tlsad::Process::free_port();
	my $directory = Tlsad::Process::private_directory();
	my $daemon = start(server => { policy => "unix:$directory/p, inet:127.0.0.1:$port",
		socket_mode => '0600', allow => '127.0.0.1/32' });
	is((stat("$directory/p"))[2] & 07777, 0600, 'socket_mode') if client($daemon);
	is($daemon->policy_client->ask('a@elsewhere.example'), 'DUNNO', 'unix');
	is(Tlsad::Policy->new("inet:127.0.0.1:$port", timeout => PROMPT)->ask('a@elsewhere.example'), 'DUNNO',
		'inet');
	my $bad = Tlsad::Policy->new("inet:127.0.0.1:$port", timeout => PROMPT);
	$bad->send_raw("nonsense\n\n");
	ok($daemon->wait_log(qr/policy request from 127\.0\.0\.1 port \d+ cannot be read/, PROMPT),
		'the log names an address');
	my $stranger = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port,
		LocalAddr => '127.0.0.9', Proto => 'tcp', Timeout => PROMPT);
	is(sysread($stranger, my $byte, 1) // 'reset', 0, 'a client that may not connect gets nothing');
	# A reset (only with TCP) while a lookup runs.
	my $reset = Tlsad::Policy->new("inet:127.0.0.1:$port", timeout => PROMPT);
	$reset->send_raw(Tlsad::Policy::attributes('a@d19.bulk.lab'));
	setsockopt($reset->socket, SOL_SOCKET, SO_LINGER, pack('ii', 1, 0));
	$reset->close;
	served($daemon, 'after a connection that was reset');
	finish($daemon);
	ok(!-e "$directory/p", 'the socket is removed');

	$daemon = start(server => { policy => '' });
	is(map_reply($daemon, 'full.dane.lab'), 'OK dane-only', 'without a policy service');
	ok(!-e $daemon->directory . '/policy', 'there is no socket');
	finish($daemon);
	my ($status, $log) = Tlsad::Daemon->run(config => { server => {
		policy => 'unix:/nonexistent/policy' } });
	ok(defined $status && $status == 1 && $log =~ m{\[server\] policy unix:/nonexistent/policy: },
		'a socket that cannot be made is an error') or diag($log);
	$daemon = start(server => { policy => undef });
	is(map_reply($daemon, 'full.dane.lab'), 'OK dane-only',
		'but for the default one there is only a warning');
	finish($daemon);
}
