#!/usr/bin/perl
# MTA-STS, case by case: the rules of t/lab/sts-cases, with a daemon, the lab's DNS tree and policy
# servers with and without faults (t/lab/policyhost).
#
# The cases of HTTP/2 need nghttpd (Tlsad::Http2Host).
#
# Each case is a row: a domain of its own with a TXT record, a policy server and the reply that the
# daemon must give, twice: from the lookups and from the cache.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use List::Util qw(max sum0);
use Socket qw(inet_aton);
use Test::More;
use Time::HiRes ();
use Tlsad::Clock;
use Tlsad::Ctl;
use Tlsad::Daemon;
use Tlsad::Http2Host;
use Tlsad::Lab;
use Tlsad::Observe;
use Tlsad::PolicyHost qw(policy);
use Tlsad::Process;

use constant PROMPT => 20;		# [s] for what should take milliseconds
use constant WAIT => 30;		# [s] [sts] timeout: first replies wait for policies
use constant RESOLVER_TIMEOUT => 25;	# [s]
use constant FAILURE_TTL => 600;	# [s]
use constant NEGATIVE_TTL => 3600;	# [s] of the lab's zones
use constant DAY => 24 * 60 * 60;
use constant CHAIN => 100;		# certificates, the CA included
use constant FILE_MAX => 64 * 1024;
use constant MINUTE => 60;		# [s] of one download
use constant SILENT => 10;		# addresses of servers that never say anything
use constant SAME => 12;		# domains at each of them
# [bytes] Of the whole daemon, several times what it needs.
use constant MEMORY_MAX => 100 * 1024 * 1024;
use constant { AT_ONCE => 64, AT_ONE => 8 };	# downloads
# Cases at once. With more, downloads would wait, and those of a server that is slow on a busy machine
# would begin again.
use constant GROUP => AT_ONE;
use constant NAME_MAX => 253;
use constant SHOWN => 300;		# characters of a wrong reply
use constant REPLY_MAX => 100_000;	# socketmap_table(5)

my @missing = Tlsad::Lab::missing_programs();
push @missing, 'openssl' unless defined Tlsad::Process::find_program('openssl');
plan(skip_all => "not installed: @missing") if @missing;

# The MX host of most domains, without TLSA records, and the pattern of most policies.
my $mx = 'mx.site.lab';
my $enforced = "OK secure match=$mx servername=hostname";
my $none = 'NOTFOUND ';

# Every address of 127.0.0.0/8 is this machine.
my ($working, $silent) = ('127.0.0.1', '127.0.1.1');
my @silent = map { "127.0.2.$_" } 1 .. SILENT;
my $host = Tlsad::PolicyHost->start(listen => [ "$working:" . Tlsad::Process::free_port() ],
	silent => [ $silent, @silent ]);
my $certificates = $host->certificates;
my (@rows, @faults, %http2);
my %zones = ('site.lab' => "mx A 192.0.2.1\nother A 192.0.2.2\n", 'site-plain.lab' => '');

verdicts();
keys_and_names();
records();
servers();
tls();
http();
http2();
files();
reports();
$zones{'bulk.lab'} = silent_domains() . slow_zone() . days_zone();
my $lab = Tlsad::Lab->start(zones => \%zones, faults => \@faults);
serve_all();
serve_http2();
serve_slowly();
my $slow = start(sts => { timeout => '1s' });
my $slow_since = Time::HiRes::time();
my @slow = map { my $client = $slow->client(timeout => PROMPT); $client->send_request('policy', $_); $client }
	slow_domains();
my $daemon = start();

subtest('every case, first and cached' => \&all_cases);
subtest('HTTP/2' => \&spoken_http2);
subtest('keys' => \&other_keys);
subtest('TLSRPT' => \&tlsrpt);
subtest('requiretls' => \&requiretls);
subtest('the request' => \&request);
subtest('tlsactl' => \&tlsactl);
subtest('a recipient' => \&recipient);
subtest('the rules of the site' => \&site_rules);
subtest('the log' => \&logged);
ends_well($daemon);
subtest('insecure_mx = dane, enable = no' => \&settings);
subtest('private_addresses = no' => \&private_addresses);
subtest('a slow server' => \&slow_server);
subtest('many silent servers' => \&silent_servers);
subtest('in the course of time' => \&course_of_time);
subtest('hours and days' => \&days);
subtest('a clock that is set back' => \&set_back);
subtest('a minute in all' => \&minute);
is($host->stop, 0, 'policyhost ends well');
done_testing();

# --- rows

# row(SECTION, NAME, WHAT, REPLY, OPTION => VALUE...): the domain NAME.ZONE must get this reply.
#   zone => ZONE           default site.lab
#   mx => [HOST...]        default mx.site.lab; undef: `dns` has what is needed
#   txt => [RECORD...]     default: a good one; undef: none
#   dns => TEXT            more records; @ is the domain
#   address => [ADDRESS...]   of mta-sts.DOMAIN, default one that works; undef: none
#   serve => {...}         for Tlsad::PolicyHost; undef: nothing is served
#   more, mode, max_age, patterns   of its policy
#   reason => WORD         in explain; default sts-enforce, or no-tlsa
#   record => WORDS or RE  sts.record in explain
#   failure => RE          sts.failure
#   requests => N          to the policy server
#   late => 1              the reply comes after RESOLVER_TIMEOUT
#   ttl => N               [s] sts.ttl is not more
#   ttl_above => N         [s] sts.ttl is more, default 0
#   sts => {...}           members of sts in explain; "none": it is null
sub row
{
	my ($section, $name, $what, $reply, %option) = @_;
	my $zone = $option{zone} // 'site.lab';
	my $domain = "$name.$zone";
	my %row = (what => "$section: $what", domain => $domain, reply => $reply, %option);
	$row{mx} = ["$mx."] unless exists $row{mx};
	$row{txt} = ['v=STSv1; id=1;'] unless exists $row{txt};
	$row{address} = [$working] unless exists $row{address};
	if (!exists $row{serve}) {
		my %policy = (mx => $row{patterns} // [$mx]);
		$row{serve} = { policy => policy(%policy, map { $_ => $row{$_} } grep { exists $row{$_} }
			qw(mode max_age more)) };
	}
	my $rank = 0;
	$zones{$zone} .= join('', (map { "$name MX " . $rank++ . " $_\n" } @{$row{mx} // []}),
		(map { "_mta-sts.$name TXT " . quoted($_) . "\n" } @{$row{txt} // []}),
		(map { "mta-sts.$name A $_\n" } @{$row{address} // []}),
		($row{dns} // '') =~ s/\@/$name/gr);
	push @rows, \%row;
	return \%row;
}

# A record is its text, or a reference to its strings.
sub quoted
{
	my ($record) = @_;
	return join(' ', map { '"' . s/([\\";])/\\$1/gr =~ s/([^ -~])/sprintf('\\%03d', ord $1)/ger . '"' }
		ref $record ? @$record : $record);
}

sub fault
{
	my ($name, %fault) = @_;
	push @faults, { name => $name, %fault }, $fault{type} ? { name => $name, behaviour => 'forward' } : ();
}

# One certificate for all domains that need no other.
sub serve_all
{
	my @plain = grep { $_->{serve} && !$_->{serve}{names} && !$_->{serve}{certificate} } @rows;
	$certificates->make('all', issuer => 'ca', subject => 'all', names => [ map { "mta-sts.$_->{domain}" } @plain ]);
	$host->serve($_->{domain}, certificate => 'all', %{$_->{serve}}) for @plain;
	$host->serve($_->{domain}, %{$_->{serve}}) for grep { $_->{serve} && ($_->{serve}{names}
		|| $_->{serve}{certificate}) } @rows;
}

sub config
{
	my (%more) = @_;
	return { server => { workers => 1 }, resolver => { timeout => RESOLVER_TIMEOUT . 's',
			%{$more{resolver} // {}} },
		cache => { failure_ttl => FAILURE_TTL . 's', %{$more{cache} // {}} },
		sts => { enable => 'yes', port => $host->port, private_addresses => 'yes',
			ca_file => $host->ca_file, timeout => WAIT . 's', %{$more{sts} // {}} },
		map { $_ => $more{$_} } grep { !/^(?:resolver|cache|sts)\z/ } keys %more };
}

# With variables that libcurl or OpenSSL would read, which must have no effect.
sub start
{
	my (%more) = @_;
	my %env = map { $_ => 'http://127.0.0.1:1' } qw(https_proxy HTTPS_PROXY all_proxy ALL_PROXY);
	return Tlsad::Daemon->start(lab => $lab, config => config(%more), env => { %env, SSL_CERT_FILE => '/nowhere',
		SSLKEYLOGFILE => key_log() });
}

sub key_log { return $host->{directory} . '/key-log' }

sub ends_well
{
	my ($ended) = @_;
	is($ended->stop, 0, 'the daemon ends with status 0');
}

# --- when MTA-STS applies

sub verdicts
{
	my @verdicts = (
		# Verdict, MX hosts, reply without and with a policy that is enforced, its reason.
		[ 'dane-full', ['mx1.dane.lab.'], 'OK dane-only' ],
		[ 'dane-partial', [ 'mx1.dane.lab.', 'mx-none.dane.lab.' ], 'OK dane', 'OK dane-only',
			'dane-partial-sts' ],
		[ 'dane-insecure-mx', ['mx1.dane.lab.'], 'OK dane', $enforced ],
		[ 'dane-unusable', ['mx-unusable.dane.lab.'], 'OK dane', $enforced ],
		[ 'dane-unusable-failed', [ 'mx-unusable.dane.lab.', 'mx-failed.dane.lab.' ], 'OK dane',
			qr/^TEMP \S*mx-failed\.dane\.lab TLSA: /, 'lookup-failed' ],
		[ 'no-tlsa', ["$mx."], $none, $enforced ],
		[ 'insecure', ["$mx."], $none, $enforced ],
		[ 'lookup-failed', ['mx-failed.dane.lab.'], qr/^TEMP \S*mx-failed\.dane\.lab TLSA: / ],
		[ 'bogus', undef, qr/^TEMP \S+ MX: bogus/ ],
		[ 'timeout', ["$mx."], qr/^TEMP \S+ MX: / ],
		[ 'null-mx', ['.'], $none ],
		[ 'nxdomain', undef, $none ],
		[ 'no-host', ['no-such-host'], $none ],
	);
	my %alias = (bogus => "\@ CNAME bogus-mx.dane.lab.\n", nxdomain => "\@ CNAME no-such-domain.dane.lab.\n");
	my %reason = (timeout => 'timeout/lookup-failed', 'dane-unusable-failed' => 'dane-unusable');
	for (@verdicts) {
		my ($verdict, $hosts, $dane, $with, $reason) = @$_;
		for my $mode (qw(enforce testing none without)) {
			my $zone = $verdict =~ /insecure/ ? 'site-plain.lab' : 'site.lab';
			my $applies = defined $with && $mode eq 'enforce';
			row('when it applies', "v-$verdict-$mode", "$verdict and $mode", $applies ? $with : $dane,
				zone => $zone, mx => $hosts, dns => $alias{$verdict},
				reason => $applies ? $reason // 'sts-enforce' : $reason{$verdict} // $verdict,
				$mode eq 'without' ? (txt => undef, serve => undef) : (mode => $mode),
				sts => defined $with ? { status => $mode eq 'without' ? 'absent' : $mode } : 'none',
				requests => defined $with && $mode ne 'without' ? 1 : 0,
				late => $verdict eq 'timeout');
			fault("v-$verdict-$mode.$zone", type => 'MX', behaviour => 'silent') if $verdict eq 'timeout';
			# Only to see whether it is looked up; denials of existence cannot be forwarded.
			next if $zone ne 'site.lab' || (defined $with && $mode eq 'without');
			fault("_mta-sts.v-$verdict-$mode.$zone", behaviour => 'forward');
			$rows[-1]{record_is_needed} = defined $with ? 1 : 0;
		}
	}
}

sub keys_and_names
{
	my $section = 'when it applies';
	row($section, 'k-domain', 'a domain', $enforced);
	row($section, 'sub.k-domain', 'not the policy of its parent domain', $none, txt => undef, serve => undef,
		address => undef);
	row($section, 'k-guest', 'not the policy of its MX host\'s domain', $none, txt => undef, serve => undef,
		mx => ['mail.k-domain'], dns => "mail.k-domain A 192.0.2.3\n");
	row($section, 'k-host', 'a name with an address and no MX record', $enforced, mx => undef,
		dns => "\@ A 192.0.2.4\n");
	row($section, 'xn--bcher-kva', 'A-labels', $enforced);
	row($section, 'k-late', 'a record that is answered late', $enforced);
	fault('_mta-sts.k-late.site.lab', type => 'TXT', behaviour => 'late', seconds => 1);
	my @patterns = qw(B.Example *.A.Example b.example *.a.example c.d.example.);
	row($section, 'k-patterns', 'each pattern once, in order, in lower case',
		'OK secure match=b.example:.a.example:c.d.example servername=hostname', patterns => \@patterns,
		requests => 1, sts => { patterns => 'b.example *.a.example c.d.example', hosts_matching => '',
			hosts_not_matching => $mx, mx_left_out => '' });
	row($section, 'k-matches', 'hosts that match', 'OK secure match=.site.lab servername=hostname',
		patterns => ['*.site.lab'], mx => [ "$mx.", 'x.y.k-matches' ], dns => "x.y.k-matches A 192.0.2.5\n",
		sts => { patterns => '*.site.lab', hosts_matching => $mx,
			hosts_not_matching => 'x.y.k-matches.site.lab' });
}

sub other_keys
{
	my $client = $daemon->client(timeout => PROMPT + WAIT);
	for my $key ('K-Domain.SITE.lab', 'k-domain.site.lab.', 'k-domain.site.lab:587', 'k-domain.site.lab:25',
		'[k-host.site.lab]', '[K-host.site.lab.]:587', 'bücher.site.lab', 'BÜCHER.site.lab',
		'xn--bcher-kva.SITE.LAB') {
		is($client->request('policy', $key), $enforced, $key);
	}
	is($client->request($_, 'k-domain.site.lab'), $enforced, $_)
		for qw(policy native pinned QUERY postfix Policy);
	for my $row (grep { $_->{what} =~ / and enforce\z/ && $_->{reason} eq 'sts-enforce' } @rows) {
		is($client->request($_, $row->{domain}), $enforced, "$_: $row->{what}") for qw(native pinned);
	}
	is($client->request('tlsa', $mx), $none, 'tlsa');
	is($client->request('policy', $_), $none, "$_ is no destination") for '[192.0.2.1]', '.k-domain.site.lab', '';
	is(explain($daemon, '[192.0.2.1]')->{reason}, 'not-a-destination', 'explain');
	is($client->request('policy', "[$mx]"), $none, 'a host without a policy');
}

# --- the TXT record

sub records
{
	my $section = 'the TXT record';
	my $found = sub {
		my ($name, $what, $id, @txt) = @_;
		row($section, "r-$name", $what, $enforced, txt => \@txt, record => 'found', requests => 1,
			sts => { status => 'enforce', id => $id, max_age => DAY });
	};
	my $lacks = sub {
		my ($name, $what, $record, @txt) = @_;
		row($section, "r-$name", $what, $none, txt => \@txt, record => $record, requests => 0,
			sts => { status => 'absent' });
	};
	my $malformed = sub { $lacks->(@_[0, 1], 'a malformed record', @_[2 .. $#_]) };
	$found->('good', 'a good one', '20260101T000000', 'v=STSv1; id=20260101T000000;');
	$found->('open', 'without the last semicolon', 'a', 'v=STSv1; id=a');
	$found->('tight', 'without blanks', 'Z9', 'v=STSv1;id=Z9');
	$found->('wide', 'blanks around semicolons', '1', "v=STSv1 ;  id=1 ; \t");
	$found->('long', 'an id of 32 characters', 'i' x 32, 'v=STSv1; id=' . 'i' x 32 . ';');
	$found->('two-ids', 'the first of two ids counts', '1', 'v=STSv1; id=1; id=2;');
	$found->('extension', 'other fields', '1', 'v=STSv1; x-1=a:b,c; id=1; y_.z={};');
	$found->('others', 'others beside it', '1', 'v=spf1 -all', 'v=STSv1; id=1;', 'v=STSv2; id=2;', 'V=STSv1; id=3;');
	$found->('strings', 'several strings', '12', [ 'v=ST', 'Sv1; id', '=1', '2;' ]);
	$found->('long-string', 'strings of 255 octets', '1', [ 'v=STSv1; x=' . 'y' x 244, 'y' x 255, '; id=1' ]);
	$lacks->('two', 'two records', 'several records, so none counts', 'v=STSv1; id=1;', 'v=STSv1; id=2;');
	$lacks->('two-faulty', 'a good and a malformed one', 'several records, so none counts', 'v=STSv1; id=1;',
		'v=STSv1; id=;');
	$malformed->('no-id', 'no id', 'v=STSv1;');
	$malformed->('no-id-either', 'other fields and no id', 'v=STSv1; x=1;');
	$malformed->('empty-id', 'an empty id', 'v=STSv1; id=;');
	$malformed->('long-id', 'an id of 33 characters', 'v=STSv1; id=' . 'i' x 33 . ';');
	$malformed->('bad-id', 'an id with another character', 'v=STSv1; id=2026-01-01;');
	$malformed->('bad-first-id', 'a bad id before a good one', 'v=STSv1; id=a-b; id=2;');
	$malformed->('id-case', 'ID is not id', 'v=STSv1; ID=1;');
	$malformed->('bad-field', 'a field without a value', 'v=STSv1; id=1; x=;');
	$malformed->('no-equals', 'a field without =', 'v=STSv1; id=1; x;');
	$malformed->('two-semicolons', 'an empty field', 'v=STSv1;; id=1;');
	$malformed->('blank', 'a blank at the end without a semicolon', 'v=STSv1; id=1 ');
	$malformed->('equals-blank', 'a blank beside =', 'v=STSv1; id= 1;');
	$malformed->('octet', 'an octet that is not ASCII', "v=STSv1; id=1; x=\xC3\xBC;");
	$lacks->('version', 'another version', 'no record', 'v=STSv2; id=1;');
	$lacks->('version-10', 'STSv10', 'no record', 'v=STSv10; id=1;');
	$lacks->('version-blank', 'no semicolon after the version', 'no record', 'v=STSv1 id=1;');
	$lacks->('version-late', 'the version is not the first field', 'no record', 'id=1; v=STSv1;');
	$lacks->('blank-before', 'a blank before the version', 'no record', ' v=STSv1; id=1;');
	$lacks->('quote', 'quoted', 'no record', '"v=STSv1; id=1;"');
	row($section, 'r-alias', 'an alias', $enforced, txt => undef, dns => "_mta-sts.\@ CNAME _mta-sts.r-good\n",
		record => 'found', sts => { id => '20260101T000000' });
	row($section, 'r-wildcard', 'a wildcard', $enforced, txt => undef, dns => "*.\@ TXT \"v=STSv1\\; id=w\"\n",
		record => 'found', sts => { id => 'w' });
	my %negative = (ttl => NEGATIVE_TTL, ttl_above => FAILURE_TTL);
	row($section, 'r-nodata', 'NODATA', $none, txt => undef, dns => "_mta-sts.\@ A 192.0.2.1\n",
		record => 'no record', requests => 0, sts => { status => 'absent' }, %negative);
	row($section, 'r-nxdomain', 'NXDOMAIN', $none, txt => undef, record => 'no record', requests => 0,
		sts => { status => 'absent' }, %negative);
	row($section, 'r-alias-nowhere', 'an alias without an end', $none, txt => undef,
		dns => "_mta-sts.\@ CNAME no-such-name.dane.lab.\n", record => 'no record', requests => 0);
	row($section, 'r-servfail', 'SERVFAIL', $none, record => 'lookup failed', requests => 0,
		sts => { status => 'failed' }, ttl => FAILURE_TTL);
	fault('_mta-sts.r-servfail.site.lab', behaviour => 'servfail');
	row($section, 'r-bogus', 'a bogus answer', $none, txt => undef,
		dns => "_mta-sts.\@ CNAME x.expired.lab.\n", record => 'lookup failed', requests => 0,
		sts => { status => 'failed' }, ttl => FAILURE_TTL);
	# Large answers. libunbound 1.17 takes 4,300 records, 1.26 does not.
	for ([ 'large-txt', 'of 64,000 octets', 'found' ],
		[ 'many-txt', 'more records than are read', qr/^(?:no record|lookup failed)\z/ ],
		[ 'many-sts', '2,000 records of MTA-STS', 'several records, so none counts' ]) {
		my ($behaviour, $what, $record) = @$_;
		my $found = $record eq 'found';
		row($section, "r-$behaviour", $what, $found ? $enforced : $none, zone => 'site-plain.lab', txt => undef,
			record => $record, requests => $found ? 1 : 0, $found ? () : (reason => 'insecure'));
		fault("_mta-sts.r-$behaviour.site-plain.lab", behaviour => $behaviour);
	}
	# The longest domain whose record has a name that is not too long, and one more.
	for my $size (NAME_MAX - length('_mta-sts.'), NAME_MAX - length('_mta-sts.') + 1) {
		my $fits = $size + length('_mta-sts.') <= NAME_MAX;
		my $name = join('.', map { 'l' x 59 } 1 .. 3) . '.';
		$name .= 'l' x ($size - length("$name.site.lab"));
		row($section, $name, "of a domain of $size octets", $fits ? $enforced : $none,
			$fits ? () : (txt => undef, serve => undef, address => undef),
			record => $fits ? 'found' : 'no record');
	}
}

# --- the policy server

sub servers
{
	my $section = 'the policy server';
	my $fails = sub {
		my ($name, $what, $failure, %option) = @_;
		row($section, "s-$name", $what, $none, failure => $failure, sts => { status => 'failed', failures => 1 },
			%option);
	};
	$fails->('no-address', 'no address', qr/no address/, address => undef, requests => 0);
	$fails->('servfail', 'its address is not found', qr/mta-sts\.s-servfail\.site\.lab A+: /, requests => 0);
	fault('mta-sts.s-servfail.site.lab', behaviour => 'servfail');
	$fails->('bogus', 'its address is bogus', qr/ A+: bogus/, address => undef,
		dns => "mta-sts.\@ CNAME x.expired.lab.\n", requests => 0);
	$fails->('refused', 'nothing listens', qr/./, address => ['127.0.1.2'], requests => 0);
	row($section, 's-second', 'the first address is silent', $enforced, address => [ $silent, $working ],
		requests => 1);
	row($section, 's-second-refused', 'nothing listens at the first address', $enforced,
		address => [ '127.0.1.2', $working ], requests => 1);
	row($section, 's-second-ipv6', 'nothing listens at an IPv6 address', $enforced, dns => "mta-sts.\@ AAAA ::1\n",
		requests => 1);
	row($section, 's-alias', 'an alias', $enforced, address => undef, dns => "mta-sts.\@ CNAME provider\n"
		. "provider A $working\n", requests => 1);
}

sub tls
{
	my $section = 'TLS';
	my $domain = sub { return "$_[0].site.lab" };
	my $refused = sub {
		my ($name, $what, %serve) = @_;
		row($section, $name, $what, $none, serve => { policy => policy(mx => [$mx]), %serve },
			failure => qr/\ATLS failed: ./, requests => 0, sts => { status => 'failed' });
	};
	my $accepted = sub {
		my ($name, $what, %serve) = @_;
		row($section, $name, $what, $enforced, serve => { policy => policy(mx => [$mx]), %serve }, requests => 1);
	};
	my $issue = sub {
		my ($name, %option) = @_;
		$certificates->make($name, issuer => 'ca', names => ["mta-sts.$name.site.lab"], %option);
		return (certificate => $name);
	};
	$certificates->make('stranger', authority => 1, subject => 'another CA');
	$certificates->make('intermediate', issuer => 'ca', authority => 1);
	$accepted->('t-intermediate', 'a chain of three', $issue->('t-intermediate', issuer => 'intermediate'));
	my $last = 'ca';
	for (1 .. CHAIN - 2) {
		$certificates->make("chain-$_", issuer => $last, authority => 1, $_ > 1 ? (key => 'chain-1') : ());
		$last = "chain-$_";
	}
	$accepted->('t-chain', 'a chain of ' . CHAIN, $issue->('t-chain', issuer => $last));
	$accepted->('t-names', 'several names', names => [ 'a.example', 'MTA-STS.T-Names.site.lab' ]);
	$accepted->('t-wildcard', 'a wildcard', names => ['*.t-wildcard.site.lab']);
	$accepted->('t-1-2', 'TLS 1.2', $issue->('t-1-2'), conduct => ['max_tls 1.2']);
	$refused->('t-other-name', 'another name', names => ['mta-sts.other.site.lab']);
	$refused->('t-domain', 'the name of the domain', names => ['t-domain.site.lab']);
	$refused->('t-self-signed', 'self-signed', $issue->('t-self-signed', issuer => undef));
	$refused->('t-stranger', 'another CA', $issue->('t-stranger', issuer => 'stranger'));
	$refused->('t-expired', 'expired',
		$issue->('t-expired', not_before => time - 2 * DAY, not_after => time - DAY));
	$refused->('t-future', 'not valid yet',
		$issue->('t-future', not_before => time + DAY, not_after => time + 2 * DAY));
	$refused->('t-common-name', 'the name only as common name', $issue->('t-common-name', names => [],
		subject => 'mta-sts.t-common-name.site.lab'));
	$refused->('t-common-name-too', 'the name as common name beside another', $issue->('t-common-name-too',
		names => ['a.example'], subject => 'mta-sts.t-common-name-too.site.lab'));
	$refused->('t-part', 'a wildcard for a part of a label', names => ['mta*.t-part.site.lab']);
	$refused->('t-part-end', 'a wildcard for the begin of a label', names => ['*sts.t-part-end.site.lab']);
	$refused->('t-two-labels', 'a wildcard that would be two labels', names => ['*.site.lab']);
	$refused->('t-second', 'a wildcard that is not the first label', names => ['mta-sts.*.site.lab']);
	$refused->('t-1-1', 'TLS 1.1', $issue->('t-1-1'), conduct => ['max_tls 1.1']);
	$refused->('t-nothing', 'no certificate for this name', $issue->('t-unused'));
	$rows[-1]{serve} = undef;
	$rows[-1]{failure} = qr/\ATLS failed: the server has no certificate for mta-sts\.t-nothing\.site\.lab: ./;
}

# A response, line by line; the last argument is its body.
sub response
{
	my $body = pop;
	return join("\r\n", @_, '', $body);
}

sub chunks { return join('', map { sprintf("%x\r\n%s\r\n", length, $_) } @_) . "0\r\n" }

sub http
{
	my $section = 'HTTP';
	my $text = policy(mx => [$mx]);
	my $length = 'Content-Length: ' . length($text);
	my ($ok, $type) = ('HTTP/1.1 200 OK', 'Content-Type: text/plain');
	my $cut = qr/close_notify|unexpected eof/;	# libcurl's own words or ours
	my @half = (substr($text, 0, 20), substr($text, 20));
	my $fails = sub {
		my ($name, $what, $failure, %serve) = @_;
		row($section, "h-$name", $what, $none, serve => { policy => $text, %serve }, failure => $failure,
			requests => 1, sts => { status => 'failed', failures => 1 });
	};
	my $works = sub {
		my ($name, $what, %serve) = @_;
		row($section, "h-$name", $what, $enforced, serve => { policy => $text, %serve }, requests => 1);
	};
	for my $status ('101 Switching Protocols', '201 Created', '204 No Content', '206 Partial Content',
		'304 Not Modified', '404 Not Found', '429 Too Many Requests', '500 Internal Server Error',
		'503 Service Unavailable') {
		my ($number) = $status =~ /^(\d+)/;
		$fails->($number, "status $status", qr/\b$number\b/, status => $status,
			$number =~ /204|304/ ? (policy => '') : ());
	}
	my $there = 'https://mta-sts.h-target.site.lab:' . $host->port . '/.well-known/mta-sts.txt';
	row($section, 'h-target', 'where redirects point to', $enforced, requests => 1);
	$fails->($_, "redirected with $_", qr/\b$_\b/, status => "$_ Elsewhere", fields => ["Location: $there"])
		for 301, 302, 303, 307, 308;
	$works->('continue', '100 before 200', response => "HTTP/1.1 100 Continue\r\n\r\n"
		. response($ok, $type, $length, $text));
	my $hints = 'HTTP/1.1 103 Early Hints';
	$works->('hints', '103 before 200', response => response($hints, 'Link: </a>', 'Content-Type: text/html', '')
		. response($ok, $type, $length, $text));
	$fails->('hints-type', 'the type only in a 103', qr/Content-Type/, response => response($hints, $type, '')
		. response($ok, $length, $text));

	$works->('kept', 'header fields that a browser keeps', fields => ['Set-Cookie: a=b; Secure; Path=/', 'ETag: "1"',
		'Last-Modified: Thu, 01 Jan 2026 00:00:00 GMT', 'Cache-Control: max-age=86400',
		'Strict-Transport-Security: max-age=86400', 'Alt-Svc: h2="127.0.0.1:1"; ma=86400']);

	$fails->('no-type', 'no Content-Type', qr/Content-Type is missing/, type => undef);
	$fails->('two-types', 'two Content-Types', qr/Content-Type is given twice/, fields => [$type]);
	$fails->('html', 'text/html', qr{text/html}, type => 'text/html');
	$fails->('octets', 'application/octet-stream', qr/octet-stream/, type => 'application/octet-stream');
	$fails->('plainer', 'text/plainer', qr/plainer/, type => 'text/plainer');
	$fails->('list', 'text/plain and another in one field', qr/Content-Type/, type => 'text/plain, text/html');
	$works->('charset', 'with a parameter', type => 'text/plain; charset=utf-8');
	$works->('semicolon', 'with a semicolon', type => 'text/plain;');
	$fails->('blank-type', 'text/plain and another word', qr/Content-Type/, type => 'text/plain html');
	$works->('tight-charset', 'with a parameter, without a blank', type => 'text/plain;charset="utf-8"');
	$works->('case', 'in another case', type => 'Text/PLAIN');
	$fails->('gzip', 'Content-Encoding: gzip', qr/Content-Encoding/, fields => ['Content-Encoding: gzip']);
	$fails->('transfer-gzip', 'Transfer-Encoding: gzip, chunked', qr/./, response => response($ok, $type,
		'Transfer-Encoding: gzip, chunked', chunks($text) . "\r\n"));

	my $chunked = 'Transfer-Encoding: chunked';
	$works->('chunked', 'chunked', response => response($ok, $type, $chunked, chunks(@half) . "\r\n"));
	$works->('chunked-trailer', 'chunked, with a trailer', response => response($ok, $type, $chunked,
		chunks(@half) . "X-Trailer: 1\r\n\r\n"));
	$fails->('type-trailer', 'the type only in a trailer', qr/Content-Type/, response => response($ok, $chunked,
		chunks(@half) . "$type\r\n\r\n"));
	$fails->('chunk-cut', 'in the middle of a chunk it ends', qr/./, response => response($ok, $type, $chunked,
		substr(chunks(@half), 0, 40)));
	$fails->('chunk-missing', 'without the last chunk', qr/./, response => response($ok, $type, $chunked,
		chunks(@half) =~ s/0\r\n\z//r));
	$fails->('chunk-bad', 'a chunk without a size', qr/./, response => response($ok, $type, $chunked, "x\r\n$text"));

	$fails->('cut', 'shorter than its length', qr/./, length => length($text) + 10);
	$fails->('cut-open', 'shorter than its length, cut', qr/./, length => length($text) + 10, conduct => ['end cut']);
	$fails->('version-2', 'cut, with HTTP/2 in its status line', $cut,
		response => response('HTTP/2 200', $type, $text), conduct => ['end cut']);
	$fails->('overflow', 'a length that is too large a number, cut', $cut, length => '9' x 30,
		conduct => ['end cut']);
	$fails->('negative', 'a negative length', qr/./, length => -1);
	$fails->('two-lengths', 'two lengths', qr/more than one Content-Length/,
		fields => [ 'Content-Length: ' . (length($text) - 2) ]);
	$fails->('empty', 'an empty body', qr/no version/, policy => '');
	$works->('longer', 'bytes after its length', policy => "$text\0junk", length => length($text));
	$works->('notify', 'no length, close_notify', length => undef);
	$fails->('no-notify', 'no length, no close_notify', $cut, length => undef,
		conduct => ['end cut']);
	$works->('length-no-notify', 'a length, no close_notify', conduct => ['end cut']);
	$works->('1-0', 'HTTP/1.0', response => response('HTTP/1.0 200 OK', $type, $length, $text));
	$works->('pieces', 'byte by byte', conduct => ['piece 7 1']);
	$fails->('0-9', 'HTTP/0.9', qr/./, response => $text);
	$fails->('not-http', 'not HTTP', qr/./, response => "220 mx.example ESMTP\r\n");
	$fails->('nothing', 'nothing', qr/./, response => '');
	$fails->('reset', 'a reset', qr/./, response => '', conduct => ['end reset']);
	$fails->('reset-late', 'a reset after half of it', qr/./, length => 2 * length($text), conduct => ['end reset']);
	$fails->('endless-field', 'a header field without an end', qr/./, response => "$ok\r\nX: ",
		conduct => ['fill 10000000']);
	$fails->('endless-fields', 'header fields without an end', qr/64 KiB/, response => join('', "$ok\r\n",
		map { "X-$_: " . 'x' x 100 . "\r\n" } 1 .. 2000));
	$fails->('endless-hints', '1xx without an end', qr/./, response => response($hints, 'X: y', '') x 20_000);
	$fails->('endless-extension', 'a chunk extension without an end', qr/without an end/,
		response => response($ok, $type, $chunked, '1;' . 'x' x 20_000_000));
	$fails->('endless-404', 'status 404 and a body without an end', qr/HTTP status 404/, status => '404 Not Found',
		length => undef, conduct => ['fill 1000000000']);
	$works->('64k', 'of 64 KiB', policy => filled(FILE_MAX));
	$fails->('64k-1', 'of 64 KiB and a byte', qr/64 KiB/, policy => filled(FILE_MAX + 1));
	$fails->('64k-chunked', 'of 64 KiB and a byte, chunked', qr/64 KiB/, response => response($ok, $type, $chunked,
		chunks(filled(FILE_MAX), 'x') . "\r\n"));
	$fails->('endless', 'without an end', qr/64 KiB/, length => undef, conduct => ['fill 1000000000']);
}

# A policy of so many bytes.
sub filled
{
	my ($size) = @_;
	my $text = policy(mx => [$mx]) . 'x: ';
	return $text . 'x' x ($size - length $text);
}

# Each has a server of its own. The same rules as in HTTP/1.1 apply, and the end of a file is always known.
sub http2
{
	return if Tlsad::Http2Host::obstacle();
	my $text = policy(mx => [$mx]);
	my @no_length = (arguments => ['--no-content-length']);
	my @cases = (
		# Name, what, why it fails, options of the server.
		[ 'policy', 'a policy', undef ],
		[ 'no-length', 'no length', undef, @no_length ],
		[ '64k', 'of 64 KiB', undef, policy => filled(FILE_MAX) ],
		[ '64k-1', 'of 64 KiB and a byte', qr/64 KiB/, policy => filled(FILE_MAX + 1) ],
		[ '64k-1-open', 'of 64 KiB and a byte, no length', qr/64 KiB/, policy => filled(FILE_MAX + 1), @no_length ],
		[ '404', 'status 404', qr/HTTP status 404/, policy => undef ],
		[ 'html', 'text/html', qr{Content-Type is text/html}, type => 'text/html' ],
		[ 'no-type', 'no Content-Type', qr/Content-Type is missing/, type => undef ],
		[ 'type-trailer', 'the type only in a trailer', qr/Content-Type is missing/, type => undef,
			arguments => ['--trailer=content-type: text/plain'] ],
	);
	for my $i (0 .. $#cases) {
		my ($name, $what, $failure, %server) = @{$cases[$i]};
		my $address = '127.0.3.' . ($i + 1);
		row('HTTP/2', "2-$name", $what, $failure ? $none : $enforced, address => [$address], serve => undef,
			requests => 0, failure => $failure,
			sts => $failure ? { status => 'failed', failures => 1 } : { status => 'enforce' });
		$http2{$rows[-1]{domain}} = { address => $address, policy => $text, %server };
	}
}

sub serve_http2
{
	return if !%http2;
	$certificates->make('http2', issuer => 'ca', subject => 'http2', names => [ map { "mta-sts.$_" } keys %http2 ]);
	$_->{server} = Tlsad::Http2Host->start(port => $host->port, certificates => $certificates,
		certificate => 'http2', %$_) for values %http2;
	$_->{server}->listens for values %http2;
}

sub spoken_http2
{
	if (defined(my $obstacle = Tlsad::Http2Host::obstacle())) {
		return fail("it must run (CI=true), and needs $obstacle") if ($ENV{CI} // '') eq 'true';
		plan(skip_all => "needs $obstacle");
	}
	for my $domain (sort keys %http2) {
		my $server = delete $http2{$domain}{server};
		is($server->requests, 1, "$domain: one request over HTTP/2");
		$server->stop;
	}
}

# --- the policy file

sub files
{
	my $section = 'the policy file';
	my ($version, $mode, $pattern, $age) = ('version: STSv1', 'mode: enforce', "mx: $mx", 'max_age: 86400');
	my $good = sub {
		my ($name, $what, $file, %sts) = @_;
		my $patterns = $sts{patterns} // $mx;
		my $match = $patterns =~ s/\*//gr =~ s/ /:/gr;
		row($section, "f-$name", $what, "OK secure match=$match servername=hostname",
			serve => { policy => $file }, requests => 1,
			sts => { status => 'enforce', patterns => $patterns, mx_left_out => '', %sts });
	};
	my $bad = sub {
		my ($name, $what, $failure, $file) = @_;
		row($section, "f-$name", $what, $none, serve => { policy => $file }, failure => $failure, requests => 1,
			sts => { status => 'failed', failures => 1 });
	};
	my $lines = sub { return join('', map { "$_\n" } @_) };
	my @all = ($version, $mode, $pattern, $age);
	$good->('lf', 'LF', $lines->(@all));
	$good->('crlf', 'CRLF', $lines->(@all) =~ s/\n/\r\n/gr);
	$good->('mixed', 'LF and CRLF', "$version\r\n$mode\n$pattern\r\n$age\n");
	$good->('open', 'no end of the last line', $lines->(@all) =~ s/\n\z//r);
	$good->('order', 'another order', $lines->(reverse @all));
	$good->('empty', 'empty lines at the end', $lines->(@all, '', '', " \t", "\r"));
	$good->('blanks', 'blanks after the colon and at the end', $lines->(map { s/: /:\t  /r . " \t " } @all));
	$good->('tight', 'no blank after the colon', $lines->(map { s/: /:/r } @all));
	$good->('twice', 'the first of two counts', $lines->(@all, 'mode: none', 'max_age: 1', 'version: STSv2'),
		max_age => DAY);
	$good->('unknown', 'unknown keys', $lines->('x-first: 1', @all, 'MODE: none', 'x_y.z-1: {a} "b"', 'x: ü'));
	$good->('largest', 'max_age of 10 digits', $lines->($version, $mode, $pattern, 'max_age: 9999999999'),
		max_age => 31_557_600);
	$good->('zeros', 'max_age with zeros', $lines->($version, $mode, $pattern, 'max_age: 0000086400'),
		max_age => DAY);
	$good->('zero', 'max_age: 0', $lines->($version, $mode, $pattern, 'max_age: 0'), max_age => 0);
	$rows[-1]{ttl} = 60;
	$good->('dot', 'a dot at the end of an mx', $lines->($version, $mode, "$pattern.", 'mx: *.a.example.', $age),
		patterns => "$mx *.a.example");
	my @odd = ('192.0.2.1', '[192.0.2.1]', '2001:db8::1', '*', '*.', '.a.example', 'a*.example', '*a.example',
		'*.*.example', 'a.*.example', 'mailhost', 'nexthop', 'hostname', 'dot-nexthop', '$myhostname',
		'a.example } policy_type=sts', 'a.example { policy_string = x }', 'a.example match=b.example',
		'a.example:b.example', 'a.example|b.example', 'a.example,b.example', 'a.example b.example', 'a.example;',
		'"a.example"', 'tag:a.example', 'a.example/', 'a..example', 'a.example..', '-a.example', 'a-.example',
		'ü.example', 'a' x 64 . '.example', '');
	$good->('left-out', 'an mx that is no pattern is left out', $lines->($version, $mode,
		(map { "mx: $_" } @odd[0 .. 20]), $pattern, (map { "mx: $_" } @odd[21 .. $#odd]), $age),
		mx_left_out => join(' ', @odd));
	row($section, 'f-none', 'no mx at the mode none', $none, sts => { status => 'none', patterns => '' },
		serve => { policy => $lines->($version, 'mode: none', $age) }, requests => 1);
	$bad->('no-version', 'no version', qr/version/, $lines->($mode, $pattern, $age));
	$bad->('no-mode', 'no mode', qr/mode/, $lines->($version, $pattern, $age));
	$bad->('no-max-age', 'no max_age', qr/max_age/, $lines->($version, $mode, $pattern));
	$bad->('other-version', 'another version', qr/version/, $lines->('version: STSv2', $mode, $pattern, $age));
	$bad->('other-mode', 'another mode', qr/mode/, $lines->($version, 'mode: report', $pattern, $age));
	$bad->('mode-case', 'the mode in another case', qr/mode/, $lines->($version, 'mode: Enforce', $pattern, $age));
	$bad->('mode-words', 'the mode and more', qr/mode/,
		$lines->($version, 'mode: enforce } match=a', $pattern, $age));
	$bad->('digits', 'max_age of 11 digits', qr/max_age/,
		$lines->($version, $mode, $pattern, 'max_age: 00000086400'));
	$bad->('negative', 'max_age with a sign', qr/max_age/, $lines->($version, $mode, $pattern, 'max_age: -1'));
	$bad->('words', 'max_age with words', qr/max_age/, $lines->($version, $mode, $pattern, 'max_age: 1d'));
	$bad->('no-colon', 'a line without a colon', qr/line 3: .*colon/,
		$lines->($version, $mode, 'mx', $pattern, $age));
	$bad->('html', 'HTML', qr/line 1/, "<html><body>not found</body></html>\n");
	$bad->('nothing', 'an empty file', qr/version/, '');
	$bad->('empty-line', 'an empty line in the middle', qr/line 2/, $lines->($version, '', $mode, $pattern, $age));
	$bad->('bad-key', 'a bad key', qr/line 3/, $lines->($version, $mode, 'x y: z', $pattern, $age));
	$bad->('no-key', 'no key', qr/line 3/, $lines->($version, $mode, ': z', $pattern, $age));
	$bad->('long-key', 'a key of 33 characters', qr/line 3/,
		$lines->($version, $mode, 'k' x 33 . ': z', $pattern, $age));
	$bad->('blank-before', 'blanks before a key', qr/line 2/, $lines->($version, " $mode", $pattern, $age));
	$bad->('blank-colon', 'blanks before a colon', qr/line 2/, $lines->($version, 'mode : enforce', $pattern, $age));
	$bad->('empty-value', 'an empty value', qr/line 3/, $lines->($version, $mode, 'x: ', $pattern, $age));
	$bad->('bom', 'a byte order mark', qr/line 1/, "\xEF\xBB\xBF" . $lines->(@all));
	$bad->('latin', 'not UTF-8', qr/line 5/, $lines->(@all, "x: \xFC"));
	$bad->('control', 'a control character', qr/line 5/, $lines->(@all, "x: a\eb"));
	$bad->('nul', 'a NUL byte', qr/NUL/, $lines->(@all, "x: a\0b"));
	$bad->('cr', 'CR in a line', qr/line 5/, $lines->(@all, "x: a\rb"));
	$bad->('cr-only', 'CR instead of LF', qr/line 1/, join("\r", @all, ''));
	$bad->('tab', 'a tab inside a value', qr/line 5/, $lines->(@all, "x: a\tb"));
	$bad->('mx-control', 'a control character in an mx', qr/line 5/, $lines->(@all, "mx: a\x01.example"));
	$bad->('no-mx', 'no mx at enforce', qr/no valid mx/, $lines->($version, $mode, $age));
	$bad->('no-good-mx', 'no valid mx at enforce', qr/no valid mx/, $lines->($version, $mode, 'mx: *', $age));
	$bad->('testing-no-mx', 'no mx at testing', qr/no valid mx/, $lines->($version, 'mode: testing', $age));
}

# --- all of them

sub matches
{
	my ($got, $expected, $name) = @_;
	return like($got, $expected, $name) if ref $expected;
	return ok($got eq $expected, $name) || diag('got: ' . substr($got, 0, SHOWN) . "\nexpected: "
		. substr($expected, 0, SHOWN));
}

sub all_cases
{
	my @late = grep { $rows[$_]{late} } 0 .. $#rows;
	my @prompt = grep { !$rows[$_]{late} } 0 .. $#rows;
	my @clients = map { $daemon->client(timeout => PROMPT + WAIT + RESOLVER_TIMEOUT) } @rows;
	my $send = sub { $clients[$_]->send_request('policy', $rows[$_]{domain}) for @_ };
	for my $which ('first', 'cached') {
		my $receive = sub {
			for my $row (@_) {
				my $reply = eval { $clients[$row]->receive_reply } // "no reply: $@";
				matches($reply, $rows[$row]{reply}, "$rows[$row]{what}, $which");
			}
		};
		$send->(@late);
		for (my @left = @prompt; my @group = splice(@left, 0, GROUP);) {
			$send->(@group);
			$receive->(@group);
		}
		$receive->(@late);
	}
	$_->close for @clients;
	is_explained($_) for @rows;
	my $file = qr{GET /\.well-known/mta-sts\.txt HTTP/1\.1};
	is(scalar(grep { /^request / && !/ $file\z/ } $host->lines), 0, 'all requests are for the file');
	ok(!-e key_log(), 'keys of TLS are not written to a file');
	my %requests;
	$requests{$_}++ for map { /^request mta-sts\.(\S+)/ ? $1 : () } $host->lines;
	is($requests{$_->{domain}} // 0, $_->{requests}, "$_->{what}: downloads")
		for grep { defined $_->{requests} } @rows;
	my %lookups = map { /^\w+ (_mta-sts\.v-\S+) TXT / ? ($1 => 1) : () } $lab->faulty_queries;
	is($lookups{"_mta-sts.$_->{domain}"} // 0, $_->{record_is_needed}, "$_->{what}: is the TXT record looked up?")
		for grep { defined $_->{record_is_needed} } @rows;
	my ($left) = map { /^body-left mta-sts\.h-endless\.\S+ (\d+)/ ? $1 : () } $host->lines;
	cmp_ok($left // 0, '>', 900_000_000, 'a file without an end is not read');
}

sub is_explained
{
	my ($row) = @_;
	my $explain = explain($daemon, $row->{domain});
	my $name = "$row->{what}: explain";
	# A long reply is cut.
	matches($explain->{reply}, $row->{reply}, "$name, reply") if !ref $row->{reply} && length $row->{reply} < SHOWN;
	my $reason = $row->{reason} // ($row->{reply} eq $none ? 'no-tlsa' : 'sts-enforce');
	like($explain->{reason}, qr/^(?:@{[$reason =~ s!\/!|!r]})\z/, "$name, reason");
	my $sts = $explain->{sts};
	if (($row->{sts} // '') eq 'none') {
		is($sts, undef, "$name, not looked up");
		return;
	}
	is(ref $sts, 'HASH', "$name, sts") or return;
	is($sts->{domain}, $row->{domain}, "$name, domain");
	matches($sts->{record}, $row->{record}, "$name, record") if defined $row->{record};
	for my $key (sort keys %{$row->{sts} // {}}) {
		is(in_words($sts->{$key}), $row->{sts}{$key}, "$name, $key");
	}
	like($sts->{failure}, $row->{failure}, "$name, failure") if defined $row->{failure};
	ok(!exists $sts->{failure}, "$name, no failure") or diag($sts->{failure}) if !defined $row->{failure};
	if (defined $row->{ttl}) {
		cmp_ok($sts->{ttl}, '<=', $row->{ttl}, "$name, ttl");
		cmp_ok($sts->{ttl}, '>', $row->{ttl_above} // 0, "$name, ttl");
	}
}

# The strings of an array with a blank between them, in UTF-8.
sub in_words
{
	my ($value) = @_;
	return $value if ref $value ne 'ARRAY';
	my $words = join(' ', @$value);
	utf8::encode($words);
	return $words;
}

sub logged
{
	my $log = $daemon->log_text;
	unlike($log, qr/^\w+: (?:error|warning: (?!lookup of v-))/m, 'no errors; warnings only of failed lookups');
	unlike($log, qr/[^\n -~]/, 'printable ASCII');
	like($log, qr/cannot download the MTA-STS policy of h-404\.site\.lab: HTTP status 404: failures=1 retry=300\n/,
		'a failure');
	like($log, qr/downloaded the MTA-STS policy of r-good\.site\.lab: id=20260101T000000 mode=enforce max_age=86400 /,
		'a download');
	like($log, qr/^\w+: looked up \Q$_->[0]\E\.site\.lab: map=\w+ $_->[1] seconds=/m, "the lookup of $_->[0]")
		for ['r-good', 'reason=sts-enforce'], ['v-no-tlsa-testing', 'reason=no-tlsa sts=testing'],
			['v-no-tlsa-none', 'reason=no-tlsa sts=none'], ['v-no-tlsa-without', 'reason=no-tlsa'],
			['v-dane-partial-enforce', 'reason=dane-partial-sts'],
			['h-404', 'reason=no-tlsa sts=failed'];
}

# --- TLSRPT

my @many;

sub reports
{
	my $section = 'TLSRPT';
	my @lines = ('x: Grüße', 'version: STSv1', 'mode:enforce ', 'mode: none', 'mx: *.A.example.',
		'y: a } policy_type=none', 'z: "quoted"', 'mx: a.example } match=any', 'mx: b.example', 'mx:B.example',
		'max_age: 100000', 'w: a=b;c, d');
	row($section, 'p-lines', 'many kinds of lines', 'OK secure match=.a.example:b.example servername=hostname',
		serve => { policy => join("\r\n", @lines, '') });
	@many = map { [ map { "mail-$_.example" } 1 .. $_ ] } 700, 1200, 2200;
	row($section, "p-many-$_", 'many patterns', 'OK secure match=' . join(':', @{$many[$_]}) . ' servername=hostname',
		patterns => $many[$_]) for 0 .. $#many;
}

sub tlsrpt
{
	my $client = $daemon->client(timeout => PROMPT);
	my $report = "$enforced policy_type=sts policy_domain=k-domain.site.lab { policy_string = version: STSv1 }"
		. " { policy_string = mode: enforce } { policy_string = mx: $mx } { policy_string = max_age: 86400 }"
		. " mx_host_pattern=$mx";
	for my $map (qw(policy-tlsrpt native-tlsrpt pinned-tlsrpt QUERYwithTLSRPT)) {
		is($client->request($map, 'k-domain.site.lab'), $report, $map);
	}
	is($client->request('policy-tlsrpt', $_), $report, $_) for 'K-domain.site.lab.', 'k-domain.site.lab:587';
	is($client->request('policy-tlsrpt', '[k-host.site.lab]'), $report =~ s/k-domain/k-host/r, 'a host');
	is($client->request('policy-tlsrpt', 'bücher.site.lab'), $report =~ s/k-domain/xn--bcher-kva/r, 'A-labels');
	is($client->request('policy-tlsrpt', 'p-lines.site.lab'),
		'OK secure match=.a.example:b.example servername=hostname policy_type=sts policy_domain=p-lines.site.lab'
		. join('', map { " { policy_string = $_ }" } 'x: Grüße', 'version: STSv1', 'mode: enforce',
			'mx: *.A.example.', 'mx: b.example', 'mx: B.example', 'max_age: 100000', 'w: a=b;c, d')
		. ' mx_host_pattern=*.a.example mx_host_pattern=b.example', 'each line that counts, without syntax in it');
	for my $i (0 .. $#many) {
		my $start = 'OK secure match=' . join(':', @{$many[$i]}) . ' servername=hostname';
		my $type = " policy_type=sts policy_domain=p-many-$i.site.lab";
		my $patterns = join('', map { " mx_host_pattern=$_" } @{$many[$i]});
		my $strings = join('', map { " { policy_string = $_ }" } 'version: STSv1', 'mode: enforce',
			(map { "mx: $_" } @{$many[$i]}), 'max_age: 86400');
		my @fitting = grep { length() <= REPLY_MAX } "$start$type$strings$patterns", "$start$type$patterns", $start;
		is(scalar(@fitting), 3 - $i, 'the next shorter form is needed');
		my $reply = $client->request('policy-tlsrpt', "p-many-$i.site.lab");
		ok($reply eq $fitting[0], scalar(@{$many[$i]}) . ' patterns')
			or diag(length($reply) . ' instead of ' . length($fitting[0]) . ' bytes: ' . substr($reply, 0, 200));
	}
	# In these cases Postfix takes attributes for an error.
	for my $row (grep { $_->{reply} !~ /^OK secure / } @rows) {
		my @wrong = grep { $client->request($_, $row->{domain}) =~ /policy_|mx_host_pattern/ }
			qw(policy-tlsrpt native-tlsrpt pinned-tlsrpt QUERYwithTLSRPT);
		is("@wrong", '', "none: $row->{what}");
		matches($client->request('policy-tlsrpt', $row->{domain}), $row->{reply}, "the reply is that of policy");
	}
}

sub requiretls
{
	my $client = $daemon->client(timeout => PROMPT);
	my $otherwise = 'OK opportunistic+starttls';
	my %wanted = ('k-domain' => 'OK enforce', 'k-host' => 'OK enforce', 'v-dane-full-without' => 'OK enforce',
		'v-dane-partial-enforce' => 'OK enforce', 'v-dane-unusable-enforce' => 'OK enforce',
		(map { $_ => $otherwise } qw(v-no-tlsa-without v-no-tlsa-testing v-no-tlsa-none v-dane-partial-without
			v-dane-unusable-testing v-null-mx-enforce v-nxdomain-enforce v-no-host-enforce h-404)));
	is($client->request('requiretls', "$_.site.lab"), $wanted{$_}, $_) for sort keys %wanted;
	is($client->request('requiretls', "v-$_.site-plain.lab"), 'OK enforce', $_)
		for qw(insecure-enforce dane-insecure-mx-enforce);
	is($client->request('requiretls', "v-$_.site-plain.lab"), $otherwise, $_)
		for qw(insecure-testing dane-insecure-mx-without);
	like($client->request('requiretls', "v-$_-enforce.site.lab"), qr/^TEMP /, $_) for qw(lookup-failed bogus);
}

# --- the request

# Nothing of an earlier response is kept but the policy, and the server is told no more than it must know.
sub request
{
	my $domain = 'h-kept.site.lab';
	Tlsad::Ctl->new(config => {})->run('-s', $daemon->control, 'cache', 'flush', $domain);
	is($daemon->request('policy', $domain), $enforced, 'the policy is downloaded again');
	my @requests = $host->fields($domain);
	is(scalar(@requests), 2, 'two requests');
	is_deeply($requests[1], $requests[0], 'the second one is the same as the first');
	my %fields = map { /^([^:]+): (.*)/ ? (lc($1) => $2) : () } @{$requests[0]};
	is($fields{host}, "mta-sts.$domain:" . $host->port, 'Host');
	is($fields{accept}, 'text/plain', 'Accept');
	like($fields{'user-agent'}, qr{^tlsad/[\w.~+-]+\z}, 'User-Agent');
	my %others;
	for my $row (@rows) {
		$others{$_}++ for grep { $_ ne 'accept host user-agent' }
			map { join(' ', sort map { lc(s/:.*//r) } @$_) } $host->fields($row->{domain});
	}
	is_deeply(\%others, {}, 'no request has other fields');
}

# --- tlsactl, and recipients

sub tlsactl
{
	my $ctl = Tlsad::Ctl->new(config => {});
	my $run = sub {
		my $result = $ctl->run('-s', $daemon->control, @_);
		is($result->{err}, '', "@_");
		return $result->{out};
	};
	my ($domain, $partial) = ('f-left-out.site.lab', 'v-dane-partial-enforce.site.lab');
	my $left_out = qr/^  left out +192\.0\.2\.1, \[192\.0\.2\.1\], .*: not a host name or pattern$/m;
	for my $command ('explain', 'cache show') {
		my $out = $run->(split(/ /, $command), $domain);
		like($out, $_, "$command: $_") for $left_out, qr/^  patterns +\Q$mx\E$/m, qr/^  match +\Q$mx\E$/m,
			qr/^enforce +2[34]h  STS   \Q$domain\E: TXT record: found; policy 1, downloaded .* ago, max_age 24 hours$/m;
		unlike($out, qr/no match/, "$command: all hosts match");
	}
	# This host has TLSA records, so mail is sent there all the same.
	like($run->('explain', $partial), qr/^  no match +mx1\.dane\.lab, mx-none\.dane\.lab: not in the policy$/m,
		'hosts that match no pattern');
	like($run->('explain', 'h-404.site.lab'), qr/^  failed +the last download, .* ago: HTTP status 404; tried again in /m,
		'a download that failed');
	like($run->('cache', 'list'), qr/^sts +enforce +- +2[34]h +\Q$domain\E$/m, 'cache list');
	like($run->('cache', 'export'), qr/^\Q$domain\E secure match=\Q$mx\E servername=hostname$/m, 'cache export');
	like($run->('cache', 'export', '--map', 'policy-tlsrpt'),
		qr/^\Q$domain\E secure match=\Q$mx\E servername=hostname policy_type=sts /m, 'with attributes');
	$run->('cache', 'flush', $domain);
	unlike($run->('cache', 'list'), qr/^sts .* \Q$domain\E$/m, 'cache flush');
	my $requests = $host->requests($domain);
	is($daemon->request('policy', $domain), $enforced, 'it is downloaded again');
	is($host->requests($domain), $requests + 1, 'once');
}

# At RCPT the policy is downloaded before there is mail for the domain.
sub recipient
{
	my $domain = 'f-lf.site.lab';
	Tlsad::Ctl->new(config => {})->run('-s', $daemon->control, 'cache', 'flush', $domain);
	my $requests = $host->requests($domain);
	is(at_rcpt("user\@$domain"), 'DUNNO', 'the reply');
	ok($host->wait_requests($domain, $requests + 1, PROMPT), 'the policy is downloaded');
	is($daemon->request('policy', $domain), $enforced, 'and used');
	is($host->requests($domain), $requests + 1, 'without another download');
}

# --- the rules of the site

sub reload
{
	my (%more) = @_;
	my $before = length $daemon->log_text;
	$daemon->write_config(config(%more));
	$daemon->reload;
	ok($daemon->wait_log(qr/configuration reloaded/, PROMPT, $before), 'reloaded');
}

sub at_rcpt { return $daemon->policy_client(timeout => PROMPT)->ask($_[0]) }

sub site_rules
{
	my ($with, $without, $excepted) = ('k-domain.site.lab', 'v-no-tlsa-testing.site.lab', 'k-host.site.lab');
	reload(minimum => { '*' => 'authenticated', $excepted => 'none' }, exception => { $excepted => 'may' });
	ok(wait_until(PROMPT, sub { $daemon->request('policy', $without) ne $none }), 'a serving thread has them');
	is($daemon->request('policy', $with), $enforced, 'a policy meets the minimum authenticated');
	is($daemon->request('native', $with), $enforced, 'native: the same');
	like($daemon->request('policy-tlsrpt', $with), qr/^\Q$enforced\E policy_type=sts /, 'and is still reported');
	is($daemon->request($_, $without), 'OK secure match=nexthop:dot-nexthop', "$_: the minimum, without attributes")
		for qw(policy policy-tlsrpt native-tlsrpt QUERYwithTLSRPT);
	is($daemon->request('requiretls', $with), 'OK enforce', 'requiretls');
	is($daemon->request($_, $excepted), 'OK may', "$_: an exception, without attributes")
		for qw(policy policy-tlsrpt native-tlsrpt QUERYwithTLSRPT);
	my $partial = 'v-dane-partial-enforce.site.lab';
	is($daemon->request('policy-tlsrpt', $partial), 'OK dane-only', 'DANE');
	like($daemon->request('pinned', $partial), qr/^OK fingerprint match=[0-9A-F:]+\z/,
		'pinned: the digests of the hosts that have them');
	is(at_rcpt("user\@$with"), 'DUNNO', 'at RCPT: a policy meets the minimum authenticated');
	like(at_rcpt("user\@$without"), qr/^REJECT 5\.7\.10 \Q$without\E must be reached with TLS level authenticated/,
		'at RCPT: no policy does not');
	like(at_rcpt("user\@$_.site.lab"), qr/^DEFER_IF_PERMIT 4\.7\.5 \S+ must be reached .* its MTA-STS policy cannot be looked up/,
		"at RCPT: not known ($_) is temporary") for qw(h-404 r-servfail);
	reload(minimum => { '*' => 'dane' });
	ok(wait_until(PROMPT, sub { $daemon->request('policy', $without) eq 'OK dane-only' }), 'a serving thread has it');
	like(at_rcpt('user@h-404.site.lab'), qr/^REJECT 5\.7\.10 /, 'at RCPT: a policy would not meet the minimum dane');
	is($daemon->request($_, $with), 'OK dane-only', "$_: a policy does not meet the minimum dane")
		for qw(policy policy-tlsrpt);
	is(at_rcpt("user\@$with"), "REJECT 5.7.10 $with must be reached with TLS level dane, but offers MTA-STS (sts-enforce)",
		'at RCPT: what is offered instead');
	reload(minimum => { '*' => 'dane' }, policy => { lacking => 'WARN {offered}, {reason}', announce => 'yes' });
	my %words = ($with => 'MTA-STS, sts-enforce', $without => 'no TLSA records, no-tlsa',
		'v-insecure-enforce.site-plain.lab' => 'MTA-STS, sts-enforce');
	ok(wait_until(PROMPT, sub { at_rcpt("user\@$with") =~ /^WARN / }), 'a serving thread has it');
	is(at_rcpt("user\@$_"), "WARN $words{$_}", "{offered} and {reason}: $_") for sort keys %words;
	reload(policy => { announce => 'yes' });
	ok(wait_until(PROMPT, sub { $daemon->request('policy', $without) eq $none }), 'a serving thread has it');
	my %announced = ($with => 'secure reason=sts-enforce', $without => 'site reason=no-tlsa',
		'v-dane-partial-enforce.site.lab' => 'dane-only reason=dane-partial-sts');
	for my $domain (sort keys %announced) {
		ok(wait_until(PROMPT, sub { explain($daemon, $domain)->{cached} }), "$domain is cached");
		is(at_rcpt("user\@$domain"), "PREPEND X-TLS-Destination: destination=$domain level=$announced{$domain}",
			'a header field announces it');
	}
	reload(dane => { site_level => 'dane-only' });
	ok(wait_until(PROMPT, sub { $daemon->request('policy', $with) eq $none }), 'site_level: no weaker reply');
	is($daemon->request('policy', $partial), 'OK dane-only', 'site_level: DANE');
	reload(dane => { site_level => 'secure' });
	ok(wait_until(PROMPT, sub { $daemon->request('policy', $with) eq $enforced }), 'site_level: an equal one');
	reload(dane => { mode => 'monitor' });
	ok(wait_until(PROMPT, sub { $daemon->request('policy', $with) eq $none }), 'monitor: no policy');
	is($daemon->request($_, $with), $none, "monitor: $_") for qw(policy-tlsrpt QUERYwithTLSRPT);
	is($daemon->request('requiretls', $with), 'OK opportunistic+starttls', 'monitor: requiretls');
}

# --- settings

sub settings
{
	my $insecure_mx = 'v-dane-insecure-mx-enforce.site-plain.lab';
	my $other = start(sts => { insecure_mx => 'dane' });
	is($other->request('policy', $insecure_mx), 'OK dane', "$_: as DANE says") for qw(first cached);
	is(explain($other, $insecure_mx)->{reason}, 'dane-insecure-mx', 'explain');
	is($other->request('policy', "v-$_"), $enforced, "$_: other policies apply")
		for qw(insecure-enforce.site-plain.lab dane-unusable-enforce.site.lab no-tlsa-enforce.site.lab);
	is($other->request('policy', 'v-dane-partial-enforce.site.lab'), 'OK dane-only', 'and beside DANE');
	ends_well($other);

	# Not connections: the slow downloads may begin one at any time.
	my $downloads = sub { return sum0(map { $host->requests($_->{domain}) } @rows) };
	my $before = $downloads->();
	$other = start(sts => { enable => 'no' });
	for my $row (grep { $_->{what} =~ / and enforce$/ } @rows) {
		my ($without) = grep { $_->{what} eq $row->{what} =~ s/enforce$/without/r } @rows;
		next if $row->{reason} =~ /timeout/;
		matches($other->request('policy', $row->{domain}), $without->{reply}, "enable = no: $row->{what}");
		is(explain($other, $row->{domain})->{sts}, undef, 'explain');
	}
	is($downloads->(), $before, 'and nothing is downloaded');
	ends_well($other);

	# Switched off while the record is looked up.
	$other = start();
	my $asked = sub { return scalar grep { / _mta-sts\.k-late\.site\.lab\.? TXT / } $lab->faulty_queries };
	$before = $asked->();
	my $client = $other->client(timeout => PROMPT);
	$client->send_request('policy', 'k-late.site.lab');
	ok(wait_until(PROMPT, sub { $asked->() > $before }), 'the record is looked up');
	$other->write_config(config(sts => { enable => 'no' }));
	$other->reload;
	# On a slow machine the answer may be first.
	like(eval { $client->receive_reply } // "no reply: $@", qr/^(?:\Q$none\E|\Q$enforced\E)\z/,
		'enable = no during a lookup: a reply, at once');
	$other->write_config(config());
	$other->reload;
	ok(wait_until(PROMPT, sub { $other->request('policy', 'k-late.site.lab') eq $enforced }),
		'enable = yes: nothing is left of it');
	ends_well($other);
}

sub private_addresses
{
	my $connections = $host->connections;
	my $other = start(sts => { private_addresses => 'no' });
	for my $domain (qw(k-domain.site.lab s-second.site.lab s-second-ipv6.site.lab s-alias.site.lab)) {
		is($other->request('policy', $domain), $none, "$domain, $_") for qw(first cached);
		my $sts = explain($other, $domain)->{sts};
		is($sts->{status}, 'failed', 'explain: status');
		like($sts->{failure}, qr/special-purpose/, 'explain: failure');
	}
	is($host->connections, $connections, 'no connection');
	ends_well($other);
}

# [sts] timeout: the first reply does not wait longer, and the download continues.
sub slow_server
{
	my ($late, $never) = ('k-domain.site.lab', 'k-host.site.lab');
	my %proper = (certificate => 'all', policy => policy(mx => [$mx]));
	$host->serve($late, %proper, conduct => ['delay 4000']);
	$host->serve($never, %proper, conduct => ['silent request']);
	my $other = start(sts => { timeout => '1s' });
	my $requests = $host->requests($late);
	my @domains = ($never, ($late) x 3);
	my @clients = map { $other->client(timeout => PROMPT) } @domains;
	my $begin = Time::HiRes::time();
	$clients[$_]->send_request('policy', $domains[$_]) for 0 .. $#domains;
	is($_->receive_reply, $none, 'the first reply is made without a policy') for @clients;
	is(explain($other, $never)->{sts}{status}, 'pending', 'explain: pending');
	ok(wait_until(PROMPT, sub { $other->request('policy', $late) eq $enforced }), 'used as soon as it is there');
	cmp_ok(Time::HiRes::time() - $begin, '>=', 3.9, 'not before');
	is($host->requests($late), $requests + 1, 'which was downloaded once');
	is($other->request('policy', $never), $none, 'the other server is still silent');
	$other->write_config(config(sts => { timeout => '1s' }, minimum => { $never => 'authenticated' }));
	$other->reload;
	ok(wait_until(PROMPT, sub { $other->policy_client(timeout => PROMPT)->ask("user\@$never") =~
		/^DEFER_IF_PERMIT 4\.7\.5 .* its MTA-STS policy is still being downloaded/ }), 'at RCPT: temporary');
	cmp_ok($host->requests($never), '>', 0, 'and was asked');
	ends_well($other);

	# The map tlsa has nothing to do with MTA-STS.
	$other = start(resolver => { timeout => '80s' }, sts => { timeout => '60s' });
	my ($policy, $tlsa) = map { $other->client(timeout => PROMPT) } 1 .. 2;
	is(eval { $tlsa->request('tlsa', $never) } // $@, $none, 'tlsa: does not wait');
	my $asked = $host->requests($never);
	$policy->send_request('policy', "[$never]:587");
	ok(wait_until(PROMPT, sub { $host->requests($never) > $asked }), 'a download for the map policy');
	is(eval { $tlsa->request('tlsa', "$never:587") } // $@, $none, 'tlsa: beside it');
	ends_well($other);
	$host->serve($_, %proper) for $late, $never;
}

# --- the time

# Servers that never end, with the addresses of mta-sts. They are asked while the other tests run.
my %slow_addresses;

sub slow_domains { return map { "w-$_.bulk.lab" } sort keys %slow_addresses }

sub slow_zone
{
	%slow_addresses = ('no-handshake' => [$silent], 'no-response' => [$working], 'slow-field' => [$working],
		'slow-body' => [$working], 'two-addresses' => [ $silent, $working ]);
	return join('', map { my $name = "w-$_"; "$name MX 10 mx\n_mta-sts.$name TXT \"v=STSv1\\; id=1\"\n",
		map { "mta-sts.$name A $_\n" } @{$slow_addresses{$_}} } sort keys %slow_addresses);
}

sub serve_slowly
{
	my %how = ('no-response' => ['silent request'], 'two-addresses' => ['silent request'],
		'slow-body' => ['piece 1 1000'], 'slow-field' => [ 'piece 1 700', 'fill 1000' ]);
	$certificates->make('slow', issuer => 'ca', subject => 'slow', names => [ map { "mta-sts.$_" } slow_domains() ]);
	$host->serve("w-$_.bulk.lab", certificate => 'slow', policy => policy(mx => [$mx]), conduct => $how{$_},
		$_ eq 'slow-field' ? (response => "HTTP/1.1 200 OK\r\nX: ") : ()) for keys %how;
}

sub minute
{
	is($_->receive_reply, $none, 'the first reply is made without a policy') for @slow;
	for my $domain (slow_domains()) {
		my $sts;
		ok(wait_until(MINUTE + PROMPT, sub {
			$sts = eval { explain($slow, $domain)->{sts} };
			return !$sts || $sts->{status} ne 'pending';
		}), "$domain: it ends");
		is($sts->{status}, 'failed', 'explain: status');
		like($sts->{failure}, qr/time/i, 'explain: failure');
		is($slow->request('policy', $domain), $none, 'no policy');
	}
	cmp_ok(Time::HiRes::time() - $slow_since, '>', MINUTE - 1, 'not before');
	like($slow->log_text, qr/^\w+: looked up \S+: map=policy reason=no-tlsa sts=pending seconds=/m, 'in the log: pending');
	unlike($slow->log_text, qr/^\w+: (?:error|warning)/m, 'a server\'s fault is no trouble of ours');
	ends_well($slow);
}

# --- many silent servers

sub silent_domains
{
	return "mx A 192.0.2.1\n" . join('', map { my $at = $_; map { "s$at-$_ MX 10 mx\n_mta-sts.s$at-$_ TXT "
		. "\"v=STSv1\\; id=1\"\nmta-sts.s$at-$_ A $silent[$at]\n" } 1 .. SAME } 0 .. $#silent);
}

# The connections to these servers: {PEER AND NUMBER => PEER}. The kernel shows addresses as numbers.
sub outgoing
{
	my $port = sprintf('%04X', $host->port);
	open(my $handle, '<', '/proc/net/tcp') or die "/proc/net/tcp: $!\n";
	my %wanted = map { sprintf('%08X', unpack('L', inet_aton($_))) => 1 } @silent;
	return map { /^\s*\d+: ([0-9A-F]+:[0-9A-F]+) ([0-9A-F]+):$port 0[12] / && $wanted{$2}
		? ("$2 $1" => $2) : () } <$handle>;
}

# They do not keep others waiting.
sub silent_servers
{
	my $good = 'k-domain.site.lab';
	my $other = start(sts => { timeout => '20s' });
	my @clients = map { my $at = $_; map { my $client = $other->client(timeout => PROMPT);
		$client->send_request('policy', "s$at-$_.bulk.lab"); $client } 1 .. SAME } 0 .. $#silent;
	ok(wait_until(PROMPT, sub { my %all = outgoing(); return keys %all >= AT_ONCE }), AT_ONCE . ' are connected to');
	my $client = $other->client(timeout => PROMPT);
	$client->send_request('policy', $good);
	my ($most, $most_of_one, %before, $reply) = (0, 0);
	ok(wait_until(PROMPT, sub {
		# The list is not atomic. A connection that is in two lists existed in between.
		my %now = outgoing();
		my %count;
		$count{$now{$_}}++ for grep { defined $before{$_} } keys %now;
		$most = max($most, sum0(values %count));
		$most_of_one = max($most_of_one, values %count);
		%before = %now;
		return defined($reply = eval { $client->receive_reply(0.01) });
	}), 'another download ends');
	is($reply, $enforced, 'with its policy');
	cmp_ok($most, '<=', AT_ONCE, "at most $most downloads at once");
	cmp_ok($most_of_one, '<=', AT_ONE, "at most $most_of_one from one address");
	is($other->request('policy', "[$mx]"), $none, 'a host without a policy');
	SKIP: {
		skip('a sanitizer has memory of its own', 1) if sanitized($other);
		cmp_ok(resident($other), '<', MEMORY_MAX, 'memory is limited');
	}
	$_->close for @clients;
	ends_well($other);
}

# --- in the course of time

# Two trees, with other TXT records in the second one. Between them nothing works: no name server
# and no policy server.
sub course_of_time
{
	my $next = 'OK secure match=new.example servername=hostname';
	my %policy = (old => policy(mx => [$mx]), new => policy(mx => ['new.example']), off => policy(mode => 'none'),
		brief => policy(mx => [$mx], max_age => 5));
	my %reply = (old => $enforced, brief => $enforced, new => $next, off => $none, nothing => $none);
	my @steps = (
		# What happens, the policy served first, what is in use while nothing works, the id then (- is no
		# record; it was 1), the policy served then, what is in use then, record in explain, failures,
		# downloads.
		[ 'another id', 'old', 'old', 2, 'new', 'new', 'found', 0, 2 ],
		[ 'the mode none', 'old', 'old', 2, 'off', 'off', 'found', 0, 2 ],
		[ 'from the mode none', 'off', 'off', 2, 'new', 'new', 'found', 0, 2 ],
		[ 'the same id', 'old', 'old', 1, 'new', 'old', 'found', 0, 1 ],
		[ 'no record any more', 'old', 'old', '-', 'new', 'old', 'no record', 0, 1 ],
		[ 'the record is not found', 'old', 'old', 2, 'new', 'old', 'lookup failed', 0, 1 ],
		[ 'the download fails', 'old', 'old', 2, undef, 'old', 'found', 1, 1 ],
		[ 'the download fails at the mode none', 'off', 'off', 2, undef, 'off', 'found', 1, 1 ],
		[ 'another id after a failure', undef, 'nothing', 2, 'new', 'new', 'found', 0, 1 ],
		[ 'the same id after a failure', undef, 'nothing', 1, 'new', 'nothing', 'found', 1, 0 ],
		[ 'max_age is over', 'brief', 'nothing', '-', 'new', 'nothing', 'no record', 0, 1 ],
	);
	my @domains = map { "c-$_.site.lab" } 0 .. $#steps;
	my $zone = sub {
		my (@ids) = @_;
		return "mx A 192.0.2.1\n" . join('', map { "c-$_ MX 10 mx\nmta-sts.c-$_ A $working\n"
			. ($ids[$_] eq '-' ? '' : "_mta-sts.c-$_ 1 TXT \"v=STSv1\\; id=$ids[$_]\"\n") } 0 .. $#ids);
	};
	my @unfound = map { { name => "_mta-sts.$domains[$_]", behaviour => 'servfail' } }
		grep { $steps[$_][6] eq 'lookup failed' } 0 .. $#steps;
	my @trees = (Tlsad::Lab->start(zones => { 'site.lab' => $zone->((1) x @steps) }),
		Tlsad::Lab->start(zones => { 'site.lab' => $zone->(map { $_->[3] } @steps) }, faults => \@unfound));
	$certificates->make('course', issuer => 'ca', subject => 'course', names => [ map { "mta-sts.$_" } @domains ]);
	my $serve = sub {
		my ($column) = @_;
		for my $i (0 .. $#steps) {
			my $which = $steps[$i][$column];
			$host->drop($domains[$i]);
			$host->serve($domains[$i], certificate => 'course', policy => $policy{$which}) if defined $which;
		}
	};
	my %cache = (min_ttl => '1s', failure_ttl => '1s');
	$serve->(1);
	my $other = Tlsad::Daemon->start(lab => $trees[0], config => config(cache => \%cache));
	is($other->request('policy', $domains[$_]), $reply{$steps[$_][1] // 'nothing'}, "first: $steps[$_][0]")
		for 0 .. $#steps;

	$host->drop($_) for @domains;
	$other->write_config(config(cache => \%cache, resolver => { options => undef,
		stub => ['. 127.0.0.1@' . $trees[0]->dead_port] }));
	$other->restart;
	for my $i (0 .. $#steps) {
		my $reply = sub { return $other->request('policy', $domains[$i]) eq $reply{$steps[$i][2]} };
		ok($steps[$i][1] && $steps[$i][1] eq 'brief' ? wait_until(PROMPT, $reply) : $reply->(),
			"nothing works: $steps[$i][0]");
	}
	# Each lookup of a record has failed by now.
	ok(wait_until(PROMPT, sub { explain($other, $domains[$_])->{sts}{record} eq 'lookup failed' }),
		"explain: $steps[$_][0]") for 0 .. $#steps;
	is($other->request('policy', $domains[$_]), $reply{$steps[$_][2]}, "it stays: $steps[$_][0]") for 0 .. $#steps;

	$serve->(4);
	$other->write_config(config(cache => \%cache, resolver => $trees[1]->resolver_settings));
	$other->restart;
	for my $i (0 .. $#steps) {
		my ($what, $last, $record, $failures, $requests) = @{$steps[$i]}[0, 5 .. 8];
		my $sts;
		ok(wait_until(PROMPT, sub {
			my $reply = $other->request('policy', $domains[$i]);
			$sts = explain($other, $domains[$i])->{sts};
			return $reply eq $reply{$last} && $sts->{record} eq $record && ($sts->{failures} // 0) == $failures;
		}), "then: $what") or diag($other->request('explain', $domains[$i]));
		is($host->requests($domains[$i]), $requests, "$what: downloads");
		is($sts->{retry_at} - $sts->{failed_at}, 300, 'the next attempt after five minutes') if $failures;
		is($sts->{id}, 1, 'the old policy') if $last eq 'old';
	}
	my @warnings = $other->log_text =~ /warning: cannot download the MTA-STS policy of (\S+):/g;
	my ($warned) = grep { $steps[$_][0] eq 'the download fails' } 0 .. $#steps;
	is("@warnings", $domains[$warned], 'one warning, of a policy that is enforced');
	ends_well($other);
}

# --- hours and days, with a clock that is set

sub days_zone
{
	return join('', map { "d-$_ MX 10 mx\n_mta-sts.d-$_ TXT \"v=STSv1\\; id=1\"\nmta-sts.d-$_ A $working\n" }
		qw(daily kept unmatched failing alive dead seen));
}

sub days
{
	my $clock = Tlsad::Clock->new or plan(skip_all => 'faketime is not installed');
	my %domain = map { $_ => "d-$_.bulk.lab" } qw(daily kept unmatched failing);
	my $pattern = 'mx.bulk.lab';
	my $held = "OK secure match=$pattern servername=hostname";
	my $other = 'OK secure match=mx.example servername=hostname';
	$certificates->make('days', issuer => 'ca', subject => 'days', names => [ map { "mta-sts.$_" } values %domain ]);
	my $serve = sub { $host->serve($domain{$_[0]}, certificate => 'days', @_[1 .. $#_]) };
	my $days = sub { return policy(mx => [ $_[0] ], max_age => 2 * DAY) };
	$serve->($_, policy => $days->($pattern)) for qw(daily kept);
	$serve->('unmatched', policy => $days->('mx.example'));
	$serve->('failing', status => '404 Not Found');
	my %requests = map { $_ => $host->requests($domain{$_}) } keys %domain;
	my $requests = sub { return $host->requests($domain{$_[0]}) - $requests{$_[0]} };
	my $at = sub { $_[0]->stop; $clock->set($_[1]); $_[0]->start_again };

	my $daemon = eval { Tlsad::Daemon->start(lab => $lab, env => $clock->env, config => config()) };
	plan(skip_all => 'tlsad does not run under faketime here') unless $daemon;
	my $forgets = Tlsad::Daemon->start(lab => $lab, env => $clock->env, config => config(sts => { keep => '1d' }));
	my $reply = sub { return $daemon->request('policy', $domain{$_[0]}) };
	is($reply->('daily'), $held, 'a policy');
	is($forgets->request('policy', $domain{kept}), $held, 'another one');
	is($reply->('unmatched'), $other, 'one that matches no MX host');
	is($reply->('failing'), $none, 'one that cannot be downloaded');
	is($requests->($_), 1, "$_: one download") for sort keys %domain;

	$clock->set('+4m');
	is($reply->('failing'), $none, 'four minutes later: none');
	is($requests->('failing'), 1, 'and no download');
	$clock->set('+6m');
	is($reply->('failing'), $none, 'six minutes later: none');
	is($requests->('failing'), 2, 'and a download');
	my $sts = explain($daemon, $domain{failing})->{sts};
	is($sts->{failures}, 2, 'explain: failures');
	is($sts->{retry_at} - $sts->{failed_at}, 600, 'explain: ten minutes to the next one');

	# The MX set is looked up again, and the policy still matches no host.
	$clock->set('+2h');
	is($reply->('unmatched'), $other, 'two hours later: the reply stays');
	ok($host->wait_requests($domain{unmatched}, $requests{unmatched} + 2, PROMPT), 'and it is downloaded again');
	is($reply->('daily'), $held, 'another policy');
	is($requests->('daily'), 1, 'is not');

	# Nobody asks any more.
	$at->($_, '+26h') for $daemon, $forgets;
	ok($host->wait_requests($domain{daily}, $requests{daily} + 2, PROMPT), 'a day later: downloaded again');
	ok(wait_until(PROMPT, sub { seen_policies($forgets) == 1 }), 'the other daemon has seen its policy, too');
	is($requests->('kept'), 1, 'which is not downloaded: nobody asked for it within [sts] keep');
	is($forgets->request('policy', $domain{kept}), $held, 'but holds');
	ok($host->wait_requests($domain{kept}, $requests{kept} + 2, PROMPT), 'and is downloaded as soon as somebody asks');
	ends_well($forgets);

	$host->drop($_) for values %domain;
	$at->($daemon, '+70h');
	is($reply->('daily'), $held, 'a policy holds for two days after its last download');
	$at->($daemon, '+80h');
	is($reply->('daily'), $none, 'not longer');
	ends_well($daemon);

	# Downloaded under a clock that was wrong.
	$serve->('daily', policy => $days->($pattern));
	$clock->set('+30h');
	my $again = Tlsad::Daemon->start(lab => $lab, env => $clock->env, config => config());
	is($again->request('policy', $domain{daily}), $held, 'downloaded in the future');
	my $before = $requests->('daily');
	$host->drop($domain{daily});
	$at->($again, '+0');
	is($again->request('policy', $domain{daily}), $none, 'not used after the clock is set back');
	ends_well($again);
}

# While tlsad runs, the clock is set back by less than the age of the policies.
sub set_back
{
	my $clock = Tlsad::Clock->new or plan(skip_all => 'faketime is not installed');
	my %domain = map { $_ => "d-$_.bulk.lab" } qw(alive dead seen);
	my $held = 'OK secure match=mx.bulk.lab servername=hostname';
	$certificates->make('back', issuer => 'ca', subject => 'back', names => [ map { "mta-sts.$_" } values %domain ]);
	$host->serve($_, certificate => 'back', policy => policy(mx => ['mx.bulk.lab'], max_age => 2 * DAY))
		for values %domain;
	my $daemon = eval { Tlsad::Daemon->start(lab => $lab, env => $clock->env, config => config()) };
	plan(skip_all => 'tlsad does not run under faketime here') unless $daemon;
	my $reply = sub { return $daemon->request('policy', $domain{$_[0]}) };
	my $requests = sub { return $host->requests($domain{$_[0]}) };
	my $sts = sub { return explain($daemon, $domain{$_[0]})->{sts} };
	is($reply->($_), $held, "$_: a policy") for sort keys %domain;
	is($requests->($_), 1, "$_: one download") for sort keys %domain;

	# Only two of them are asked for, so that the third one is stored before the time that comes next.
	$host->drop($domain{$_}) for qw(dead seen);
	$clock->set('+20h');
	is($reply->($_), $held, "$_: 20 hours later") for qw(alive seen);
	ok(wait_until(PROMPT, sub { $sts->($_)->{refresh} > 0 }), "$_: the record is found again") for qw(alive seen);

	$clock->set('+14h');
	for (sort keys %domain) {
		is($reply->($_), $held, "$_: the clock is set back by 6 hours");
		is($requests->($_), 1, "$_: no other download");
		my $now = $sts->($_);
		near($now->{age}, 20, "$_: it is 20 hours old");
		near($now->{ttl}, 28, "$_: and holds for 28 more");
	}
	like($daemon->log_text, qr/warning: the clock was set back by (?:2159[89]|2160[0-2]) seconds: /, 'the log says so');

	$clock->set('+41h');
	is($reply->($_), $held, "$_: 47 hours after the download") for sort keys %domain;
	$clock->set('+43h');
	is($reply->('alive'), $held, '49 hours after the first one, downloaded again');
	is($reply->($_), $none, "$_: max_age is over") for qw(dead seen);
	ends_well($daemon);
}

sub near
{
	my ($seconds, $hours, $what) = @_;
	ok(abs($seconds - $hours * 60 * 60) < 10 * 60, $what) or diag("$seconds seconds");
}

# The number of policies that tlsad has seen in its cache.
sub seen_policies
{
	my ($daemon) = @_;
	my $counts = Tlsad::Ctl->new(config => {})->json('-s', $daemon->control, 'status')->{json}{sts}{policies};
	return sum0(values %{$counts // {}});
}
