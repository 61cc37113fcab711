#!/usr/bin/perl
# Trust anchors of which DNS has only a digest ([dane] learn_trust_anchors): only they are taken
# from the chain of the mail server; a faulty server affects only the replies for its own
# destinations; and no server is connected to more often than needed.
#
# Runs in its own network namespace (t/postfix/Namespace.pm), because it connects to mail servers on
# port 25. Each server is a t/lab/mailhost with its own address in 127.0.0.0/8; the DNS records are
# in the zone bulk.lab of the lab.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib", "$FindBin::Bin/../postfix";
use IO::Select;
use IO::Socket::INET;
use Namespace;
use Test::More;
use Time::HiRes ();
use Tlsad::Daemon;
use Tlsad::FaultyDns;
use Tlsad::Lab;
use Tlsad::MailHost;
use Tlsad::Observe;
use Tlsad::PinnedCases;
use Tlsad::Process;

use constant PROMPT => 20;		# [s] for what should take milliseconds
use constant AT_ONCE => 8;		# hosts that are asked at the same time at most
use constant HOST_LIMIT => 10;		# [s] for one host
use constant TIMEOUT => 20;		# [s] resolver.timeout, the default
use constant SILENT => 12;
use constant DOMAINS => 30;		# with one host
use constant SHORT_TTL => 4;		# [s]

if (!Namespace::inside()) {
	my @missing = Namespace::missing(qw(nsd ldns-keygen ldns-signzone openssl));
	push @missing, grep { !-x } Tlsad::Daemon::binary(), Tlsad::MailHost::binary();
	Namespace::restart_inside(@missing);
}

# The system's resolver is not used.
$ENV{TMPDIR} = Namespace::enter("nameserver 127.0.0.1\n");
my $private = Tlsad::Process::private_directory();
my $cases = Tlsad::PinnedCases->new;
my $certificates = $cases->certificates;
$certificates->make('intermediate', issuer => 'root1', authority => 1);
$certificates->make('mx', issuer => 'intermediate', names => ['mx.bulk.lab']);
$certificates->make('impostor', issuer => 'root2', names => ['mx.bulk.lab']);
# Another certificate of the same authority's key, such as a cross certificate or a renewed one.
$certificates->make('renewed', authority => 1, key => 'root1', subject => 'renewed');
my %chains = (
	whole => $certificates->chain('whole.chain', qw(mx intermediate root1)),
	short => $certificates->chain('short.chain', qw(mx intermediate)),
	impostor => $certificates->chain('impostor.chain', qw(impostor root2)),
	renewed => $certificates->chain('renewed.chain', qw(mx intermediate renewed)),
);
my %proper = (cert => $chains{whole}, key => $certificates->path('mx', 'key'));
my %impostor = (cert => $chains{impostor}, key => $certificates->path('impostor', 'key'));

# The result of each fault; for others it is native.
my @faults = qw(no-starttls refuse-starttls turn-away close-at-connect close-after-ehlo
	close-in-handshake silent silent-handshake byte-by-byte long-banner endless-banner garbage
	inject endless-handshake hello-requests many-certs);
my %harmless = map { $_ => 1 } qw(byte-by-byte long-banner many-certs);

my $zone = '';
my %address;
define_hosts();
my $lab = Tlsad::Lab->start(special => 0, zones => {
	'bulk.lab' => $zone, 'bulk-plain.lab' => "insecure MX 10 form-2-1-1.bulk.lab.\n" });
my $failing = Tlsad::FaultyDns->start(rules => [ { name => '.', behaviour => 'servfail' } ]);

subtest('from the chain' => \&from_the_chain);
subtest('not in the chain' => \&not_in_the_chain);
subtest('names and ports' => \&names_and_ports);
subtest('one connection' => \&one_connection);
subtest('no connection' => \&no_connection);
subtest('restart' => \&restart);
subtest('when the records expire' => \&expiry);
subtest('a rollover of the authority' => \&roll_over);
subtest('addresses' => \&addresses);
subtest('faulty servers' => \&faults);
subtest('a few at once' => \&a_few_at_once);
subtest('resolver.timeout' => \&short_timeout);
subtest('clients that disconnect, a daemon that ends' => \&departures);
done_testing();

# --- zones

# host(NAME, addresses => [ADDRESS...], tlsa => ["2 1 1 root1"...], port => N, ttl => S); without
# addresses it gets a new one.
sub host
{
	my ($name, %option) = @_;
	my $ttl = $option{ttl} // '';
	my $port = $option{port} // 25;
	my $number = keys %address;
	my $addresses = $option{addresses} // [ sprintf('127.1.%d.%d', $number / 200, 1 + $number % 200) ];
	$address{$name} = $addresses->[0];
	$zone .= "$name $ttl " . (/:/ ? 'AAAA' : 'A') . " $_\n" for @$addresses;
	$zone .= "_$port._tcp.$name $ttl TLSA " . $cases->rdata($_) . "\n" for @{$option{tlsa}};
}

sub domain
{
	my ($name, @hosts) = @_;
	$zone .= "$name MX " . 10 * ($_ + 1) . " $hosts[$_]\n" for 0 .. $#hosts;
}

sub define_hosts
{
	my $shared = ['127.2.0.1'];
	for my $selector (0, 1) {
		for my $type (1, 2) {
			host("form-2-$selector-$type", addresses => $shared, tlsa => [ "2 $selector $type root1" ]);
			host("middle-2-$selector-$type", addresses => $shared,
				tlsa => [ "2 $selector $type intermediate" ]);
		}
	}
	host('two', addresses => $shared, tlsa => [ '2 1 1 root1', '2 0 2 intermediate' ]);
	host('beside', addresses => $shared, tlsa => [ '2 1 1 root1', '2 0 0 root2' ]);
	host('mixed', addresses => $shared, tlsa => [ '2 1 1 root1', '3 1 1 mx' ]);
	host('partly', addresses => $shared, tlsa => [ '2 1 1 root1', '2 1 1 root2' ]);
	host('published', tlsa => [ '2 0 0 root2' ]);
	host('ee', tlsa => [ '3 1 1 alpha' ]);
	domain('one', 'form-2-1-1');
	domain('union', 'form-2-1-1', 'middle-2-0-1', 'published');
	domain('half', 'form-2-1-1', 'ee');
	host('renewed', tlsa => [ '2 1 1 root1' ]);
	host('renewed-certificate', addresses => [ $address{renewed} ], tlsa => [ '2 0 1 root1' ]);
	host('impostor', tlsa => [ '2 1 1 root1' ]);
	host('short', tlsa => [ '2 0 1 root1' ]);
	# Its server may send anything: the digest is known from another one.
	domain('impostor-known', 'form-2-1-1', 'impostor');
	host('impostor-unknown', addresses => [ $address{impostor} ], tlsa => [ '2 1 1 intermediate' ]);
	domain('impostor-beside', 'form-2-1-1', 'impostor-unknown');

	host('target', tlsa => [ '2 1 1 root1' ]);
	$zone .= "alias CNAME target\n";
	domain('alias-domain', 'alias');
	host('submission', tlsa => [ '2 1 1 root1' ], port => 587);

	host('counted', tlsa => [ '2 1 1 root1', '2 0 1 root1' ]);
	domain("counted-$_", 'counted') for 1 .. DOMAINS;
	host('counted-too', tlsa => [ '2 1 1 root1' ]);
	host('unshown', tlsa => [ '2 1 1 root1' ]);
	domain("unshown-$_", 'unshown') for 1 .. DOMAINS;
	host('off', tlsa => [ '2 1 1 root1' ]);
	host('kept', tlsa => [ '2 1 1 root1' ]);
	host('late', tlsa => [ '2 1 1 root1' ], ttl => SHORT_TTL);
	host('rolling', tlsa => [ '2 1 1 root1', '2 1 1 root2' ], ttl => SHORT_TTL);
	host('refused-first', addresses => [ '127.3.0.1', '127.3.0.2' ], tlsa => [ '2 0 1 intermediate' ]);
	host('refused-family', addresses => [ '::1', '127.3.0.3' ], tlsa => [ '2 0 1 intermediate' ]);
	host('deaf-first', addresses => [ '127.3.0.4', '127.3.0.5' ], tlsa => [ '2 0 1 intermediate' ]);
	host('nobody', addresses => [ '127.3.0.6', '127.3.0.7' ], tlsa => [ '2 0 1 intermediate' ]);
	# Servers without a fault send nothing that could be learned for the others.
	host("fault-$_", tlsa => [ $harmless{$_} ? '2 0 1 root1' : '2 1 1 root1' ]) for @faults;
	host("silent-$_", tlsa => [ '2 1 1 root2' ]) for 1 .. SILENT;
	host('patient', tlsa => [ '2 1 1 root1' ]);
	host('brief', tlsa => [ '2 1 1 root1' ]);
	host('left', tlsa => [ '2 1 1 root1' ]);
}

# --- helpers

sub serve
{
	my ($name, %options) = @_;
	return Tlsad::MailHost->start(listen => [ ($address{$name} // $name) . ':25' ], %proper, %options);
}

my $directories = 0;

# A daemon with a directory for its files; {dane} and {config} are more settings.
sub start
{
	my (%options) = @_;
	my $directory = "$private/" . $directories++;
	mkdir($directory) or die "$directory: $!\n";
	my $daemon = Tlsad::Daemon->start(lab => $lab, config => { %{$options{config} // {}},
		dane => { enforce => 'pinned', tafile_dir => $directory, learn_trust_anchors => 'yes',
			%{$options{dane} // {}} } });
	return ($daemon, $directory);
}

sub ask
{
	my ($daemon, $key, $map) = @_;
	return eval { $daemon->client(timeout => TIMEOUT + PROMPT)->request($map // 'pinned', $key) } // $@;
}

# WHAT of the table's "OK secure NAMES with WHAT...", or a complete reply.
sub is_answer
{
	my ($daemon, $directory, $key, $wanted, $what) = @_;
	my $reply = ask($daemon, $key);
	is($cases->wrong($wanted, $reply, tafile_dir => $directory), '', $what // $key);
	return $reply;
}

sub ends_well
{
	my ($daemon) = @_;
	is($daemon->stop, 0, 'the daemon ends with status 0');
}

sub anchors_of
{
	my ($daemon, $key) = @_;
	my $explain = explain($daemon, $key);
	return ($explain, map { $_->{trust_anchor} // 'none' } map { @{$_->{tlsa}} } @{$explain->{hosts}});
}

# --- what is learned

sub from_the_chain
{
	my $host = serve('127.2.0.1');
	my ($daemon, $directory) = start();
	my %form = (0 => 'certificate', 1 => 'key');
	for my $what (qw(form middle)) {
		my $name = $what eq 'form' ? 'root1' : 'intermediate';
		for my $selector (0, 1) {
			for my $type (1, 2) {
				my $host = "$what-2-$selector-$type";
				is_answer($daemon, $directory, "[$host.bulk.lab]",
					"OK secure $host.bulk.lab with $name/$form{$selector}");
			}
		}
	}
	is_answer($daemon, $directory, '[two.bulk.lab]',
		'OK secure two.bulk.lab with root1/key intermediate/certificate');
	is_answer($daemon, $directory, '[beside.bulk.lab]',
		'OK secure beside.bulk.lab with root1/key root2/certificate');
	is_answer($daemon, $directory, 'one.bulk.lab',
		'OK secure form-2-1-1.bulk.lab:one.bulk.lab with root1/key');
	is_answer($daemon, $directory, 'union.bulk.lab', 'OK secure form-2-1-1.bulk.lab:middle-2-0-1.bulk.lab:'
		. 'published.bulk.lab:union.bulk.lab with root1/key intermediate/certificate root2/certificate');
	is_answer($daemon, $directory, 'insecure.bulk-plain.lab',
		'OK secure form-2-1-1.bulk.lab:insecure.bulk-plain.lab with root1/key');
	is(ask($daemon, 'one.bulk.lab', $_), ask($daemon, 'one.bulk.lab'), "map $_") for qw(policy QUERY);
	is(ask($daemon, 'one.bulk.lab', 'native'), 'OK dane-only', 'map native');
	my ($explain, @anchors) = anchors_of($daemon, '[beside.bulk.lab]');
	is(join(' ', sort @anchors), 'learned published', 'explain shows which was learned');
	like($explain->{pinned}, qr/^OK secure /, 'explain: pinned');
	ok(!exists $explain->{not_pinned}, 'explain: no not_pinned');
	# Learning could not succeed.
	is_answer($daemon, $directory, '[mixed.bulk.lab]', 'OK dane-only');
	is_answer($daemon, $directory, 'half.bulk.lab', 'OK dane-only');
	ends_well($daemon);
	is($host->stop, 0, 'mailhost ends well');
}

sub not_in_the_chain
{
	my @hosts = (serve('impostor', %impostor), serve('short', cert => $chains{short}),
		serve('127.2.0.1'), serve('renewed', cert => $chains{renewed}));
	my ($daemon, $directory) = start();
	for my $host (qw(impostor short)) {
		is_answer($daemon, $directory, "[$host.bulk.lab]", 'OK dane-only');
		my ($explain, @anchors) = anchors_of($daemon, "[$host.bulk.lab]");
		is("@anchors", 'unknown', 'explain: unknown');
		like($explain->{not_pinned}, qr/\w/, 'and says so');
		like($explain->{hosts}[0]{tlsa}[0]{not_pinned} // '', qr/\w/, 'of the record as well');
	}
	is_answer($daemon, $directory, 'impostor-beside.bulk.lab', 'OK dane-only', 'one of two hosts');
	is_answer($daemon, $directory, 'impostor-known.bulk.lab', 'OK secure form-2-1-1.bulk.lab:'
		. 'impostor.bulk.lab:impostor-known.bulk.lab with root1/key', 'one that another host has sent');
	is_answer($daemon, $directory, '[partly.bulk.lab]', 'OK secure partly.bulk.lab with root1/key',
		'one of two trust anchors: the one that the server sends');
	# The key of the record, in another certificate.
	is_answer($daemon, $directory, '[renewed-certificate.bulk.lab]', 'OK dane-only',
		'another certificate of the same key');
	is_answer($daemon, $directory, '[renewed.bulk.lab]', 'OK secure renewed.bulk.lab with root1/key',
		'and its key');
	ends_well($daemon);
	is($_->stop, 0, 'mailhost ends well') for @hosts;
	# The daemon connected to the impostor, although it learned nothing.
	is($hosts[0]->count('handshake'), 2, 'the impostor was asked once for each of its names');
}

sub names_and_ports
{
	my $host = serve('target');
	my $submission = Tlsad::MailHost->start(%proper, listen => [ "$address{submission}:587" ]);
	my ($daemon, $directory) = start();
	is_answer($daemon, $directory, 'alias-domain.bulk.lab',
		'OK secure target.bulk.lab:alias.bulk.lab:alias-domain.bulk.lab with root1/key');
	ok($host->wait_count('quit', 1, PROMPT), 'the server hears a QUIT');
	is(join(' ', $host->names), 'target.bulk.lab', 'SNI is the TLSA base domain');
	ends_well($daemon);
	($daemon, $directory) = start();
	is_answer($daemon, $directory, '[submission.bulk.lab]:587', 'OK secure submission.bulk.lab with root1/key');
	is($submission->count('connection'), 1, 'the server was asked on the destination\'s port');
	ok($submission->wait_count('quit', 1, PROMPT), 'the server hears a QUIT');
	is(join(' ', $submission->names), 'submission.bulk.lab', 'with its name');
	ends_well($daemon);
	is($_->stop, 0, 'mailhost ends well') for $host, $submission;
}

# --- how often

# Not cached, all at once, each over its own connection; returns the replies.
sub at_once
{
	my ($daemon, @keys) = @_;
	my @clients = map { $daemon->client(timeout => TIMEOUT + PROMPT) } @keys;
	$clients[$_]->send_request('pinned', $keys[$_]) for 0 .. $#keys;
	return map { eval { $_->receive_reply } // "no reply: $@" } @clients;
}

sub one_connection
{
	my $counted = serve('counted');
	my $too = serve('counted-too');
	my $unshown = serve('unshown', cert => $chains{short});
	my ($daemon, $directory) = start();
	my @keys = map { "counted-$_.bulk.lab" } 1 .. DOMAINS;
	for my $round (1 .. 3) {
		my @replies = at_once($daemon, @keys, '[counted.bulk.lab]');
		my @wrong = grep { $_ ne '' } map { $cases->wrong('OK secure counted.bulk.lab'
			. ($_ < DOMAINS ? ":$keys[$_]" : '') . ' with root1/key root1/certificate', $replies[$_],
			tafile_dir => $directory) } 0 .. DOMAINS;
		is(join("\n", @wrong), '', "round $round: all are right");
	}
	is($counted->count('connection'), 1, 'one connection for all of them');
	is_answer($daemon, $directory, '[counted-too.bulk.lab]', 'OK secure counted-too.bulk.lab with root1/key');
	is($too->count('connection'), 0, 'a trust anchor with a known digest is not learned again');

	# The same without success.
	ok($daemon->stop == 0, 'the daemon ends with status 0');
	($daemon, $directory) = start();
	for my $round (1 .. 3) {
		my @wrong = grep { $_ ne 'OK dane-only' } at_once($daemon, map { "unshown-$_.bulk.lab" } 1 .. DOMAINS);
		is("@wrong", '', "round $round: native");
	}
	is(ask($daemon, '[unshown.bulk.lab]'), 'OK dane-only', 'the host itself');
	is($unshown->count('connection'), 1, 'one connection without success');
	ends_well($daemon);
	is($_->stop, 0, 'mailhost ends well') for $counted, $too, $unshown;
}

sub no_connection
{
	my $host = serve('off');
	my ($daemon, $directory) = start(dane => { learn_trust_anchors => undef });
	is_answer($daemon, $directory, '[off.bulk.lab]', 'OK dane-only', 'not set');
	like(explain($daemon, '[off.bulk.lab]')->{not_pinned}, qr/learn_trust_anchors/,
		'explain names the setting');
	ends_well($daemon);
	is($host->count('connection'), 0, 'no server was connected to');

	($daemon, $directory) = start();
	is(ask($daemon, '[off.bulk.lab]', 'native'), 'OK dane-only', 'map native');
	like(ask($daemon, '[off.bulk.lab]', 'tlsa'), qr/^OK 2 1 1 [0-9A-F]{64}$/, 'map tlsa');
	is($host->count('connection'), 0, 'no server was connected to');
	ends_well($daemon);

	# enforce = native: only the map pinned connects to servers.
	($daemon, $directory) = start(dane => { enforce => 'native', learn_trust_anchors => 'no' });
	is(ask($daemon, '[off.bulk.lab]', 'policy'), 'OK dane-only', 'policy, enforce = native');
	is($host->count('connection'), 0, 'no server was connected to');
	is_answer($daemon, $directory, '[off.bulk.lab]', 'OK dane-only', 'no');
	my $from = length($daemon->log_text);
	$daemon->write_config({ dane => { tafile_dir => $directory, learn_trust_anchors => 'yes' } });
	$daemon->reload;
	ok($daemon->wait_log(qr/configuration reloaded/, PROMPT, $from), 'SIGHUP');
	wait_until(PROMPT, sub { ask($daemon, '[off.bulk.lab]') =~ /^OK secure/ });
	is_answer($daemon, $directory, '[off.bulk.lab]', 'OK secure off.bulk.lab with root1/key', 'yes');
	is(ask($daemon, '[off.bulk.lab]', 'policy'), 'OK dane-only', 'policy stays');
	is($host->count('connection'), 1, 'one connection');
	ends_well($daemon);
	is($host->stop, 0, 'mailhost ends well');
}

sub restart
{
	my $host = serve('kept');
	my $unshown = serve('unshown', cert => $chains{short});
	my ($daemon, $directory) = start();
	my $reply = is_answer($daemon, $directory, '[kept.bulk.lab]', 'OK secure kept.bulk.lab with root1/key');
	is(ask($daemon, '[unshown.bulk.lab]'), $reply =~ s/match=\S+/match=unshown.bulk.lab/r,
		'the same trust anchor of another host');
	ends_well($daemon);
	unlink(glob("$directory/*"));
	for my $way ('a stop', 'SIGKILL') {
		$daemon->write_config({ resolver => { stub => '. 127.0.0.1@' . $failing->port, timeout => '2s' },
			dane => { tafile_dir => $directory, learn_trust_anchors => 'yes' } });
		$daemon->start_again;
		is_answer($daemon, $directory, '[kept.bulk.lab]', 'OK secure kept.bulk.lab with root1/key',
			"after $way it comes from the cache");
		my (undef, @anchors) = anchors_of($daemon, '[kept.bulk.lab]');
		is("@anchors", 'learned', 'explain: learned');
		$way eq 'SIGKILL' ? ends_well($daemon) : is($daemon->kill9, 128 + 9, 'killed');
	}
	is($host->count('connection'), 1, 'one connection in total');
	is($unshown->count('connection'), 0, 'and none');

	# After a failure there is no second attempt either.
	($daemon, $directory) = start();
	is(ask($daemon, '[unshown.bulk.lab]'), 'OK dane-only', 'without success');
	Time::HiRes::sleep(0.5);
	$daemon->restart;
	is(ask($daemon, '[unshown.bulk.lab]'), 'OK dane-only', 'and after a restart') for 1 .. 3;
	is($unshown->count('connection'), 1, 'one connection in total');
	ends_well($daemon);
	is($_->stop, 0, 'mailhost ends well') for $host, $unshown;
}

sub expiry
{
	my ($daemon, $directory) = start(config => { cache => { min_ttl => '0s', prefetch => 0 } });
	is(ask($daemon, '[late.bulk.lab]'), 'OK dane-only', 'nobody listens');
	my $begin = Time::HiRes::time();
	my $host = serve('late');
	is(ask($daemon, '[late.bulk.lab]'), 'OK dane-only', 'a server listens') for 1 .. 3;
	my $count = $host->count('connection');
	if (Time::HiRes::time() - $begin < SHORT_TTL - 2) {
		is($count, 0, 'but is not connected to before the records expire');
	}
	ok(wait_until(SHORT_TTL + PROMPT, sub { ask($daemon, '[late.bulk.lab]') =~ /^OK secure/ }),
		'with the next records it is');
	is_answer($daemon, $directory, '[late.bulk.lab]', 'OK secure late.bulk.lab with root1/key');
	# New records with the same digest: the trust anchor is known.
	Time::HiRes::sleep(SHORT_TTL + 1.5);
	is_answer($daemon, $directory, '[late.bulk.lab]', 'OK secure late.bulk.lab with root1/key', 'later');
	is($host->count('connection'), 1, 'one connection in total');
	ends_well($daemon);
	is($host->stop, 0, 'mailhost ends well');
}

# Both are published, and the server changes from one to the other: it can be reached at the latest
# when the records expire.
sub roll_over
{
	my $host = serve('rolling');
	my ($daemon, $directory) = start(config => { cache => { min_ttl => '0s', prefetch => 0 } });
	my $before = ask($daemon, '[rolling.bulk.lab]');
	like($before, qr/^OK (?:dane-only$|secure )/, "before it: $before");
	is($host->stop, 0, 'mailhost ends well');
	$host = serve('rolling', %impostor);
	my $wanted = 'OK secure rolling.bulk.lab with root1/key root2/key';
	ok(wait_until(SHORT_TTL + PROMPT, sub { $cases->wrong($wanted,
		ask($daemon, '[rolling.bulk.lab]'), tafile_dir => $directory) eq '' }), 'after it');
	is_answer($daemon, $directory, '[rolling.bulk.lab]', $wanted, 'both are trust anchors');
	is($host->count('connection'), 1, 'from one connection');
	ends_well($daemon);
	is($host->stop, 0, 'mailhost ends well');
}

# --- servers that do not serve

# A listener whose queue is full: a SYN to it gets no answer.
sub deaf
{
	my ($address) = @_;
	my $listener = IO::Socket::INET->new(LocalAddr => $address, LocalPort => 25, Listen => 1,
		ReuseAddr => 1) or die "$address: $!\n";
	my @callers = map { IO::Socket::INET->new(PeerAddr => $address, PeerPort => 25, Blocking => 0) } 1 .. 5;
	return ($listener, @callers);
}

sub addresses
{
	my @hosts = map { serve($_) } qw(127.3.0.2 127.3.0.3 127.3.0.5);
	my @deaf = deaf('127.3.0.4');
	for my $name (qw(refused-first refused-family deaf-first)) {
		my ($daemon, $directory) = start();
		my $begin = Time::HiRes::time();
		is_answer($daemon, $directory, "[$name.bulk.lab]", "OK secure $name.bulk.lab with intermediate/certificate");
		my $seconds = Time::HiRes::time() - $begin;
		cmp_ok($seconds, '<', HOST_LIMIT + PROMPT, sprintf('in time: %.1f s', $seconds));
		ends_well($daemon);
	}
	my ($daemon, $directory) = start();
	is(ask($daemon, '[nobody.bulk.lab]'), 'OK dane-only', 'no address answers');
	my ($explain, @anchors) = anchors_of($daemon, '[nobody.bulk.lab]');
	is("@anchors", 'unknown', 'explain: unknown');
	ends_well($daemon);
	is($_->stop, 0, 'mailhost ends well') for @hosts;
}

my %healthy = ('ee.bulk.lab' => 'OK fingerprint alpha/key', '[ee.bulk.lab]' => 'OK fingerprint alpha/key',
	'full.dane.lab' => 'OK fingerprint text/mx1 text/mx2', 'no-tlsa.dane.lab' => 'NOTFOUND',
	'[published.bulk.lab]' => 'OK secure published.bulk.lab with root2/certificate');

# Other destinations get replies at once; the slowest of them in seconds.
sub is_healthy
{
	my ($daemon, $directory, $what) = @_;
	my $slowest = 0;
	for my $key (sort keys %healthy) {
		my $begin = Time::HiRes::time();
		is_answer($daemon, $directory, $key, $healthy{$key}, "$what: $key");
		my $seconds = Time::HiRes::time() - $begin;
		$slowest = $seconds if $seconds > $slowest;
	}
	cmp_ok($slowest, '<', sanitized($daemon) ? PROMPT : HOST_LIMIT - 1,
		sprintf("$what: at once, in %.2f s", $slowest));
}

sub fault_answer
{
	my ($fault) = @_;
	return $harmless{$fault} ? "OK secure fault-$fault.bulk.lab with root1/certificate" : 'OK dane-only';
}

sub faults
{
	# In a process namespace strace handles every call, which is too slow for a server that
	# floods.
	local $ENV{TLSAD_HELD};
	my %hosts = map { $_ => serve("fault-$_", fault => $_) } @faults;
	my ($daemon, $directory) = start();
	is(ask($daemon, 'full.dane.lab'), $cases->fingerprint(256, qw(text/mx1 text/mx2)), 'the daemon is ready');
	my $descriptors = descriptors($daemon);
	my %clients = map { $_ => $daemon->client(timeout => TIMEOUT + PROMPT) } @faults;
	my $begin = Time::HiRes::time();
	# TA_FETCH_RUNNING_MAX at once: servers that answer late must not wait for those that do not
	# answer.
	$clients{$_}->send_request('pinned', "[fault-$_.bulk.lab]")
		for sort { ($harmless{$b} // 0) <=> ($harmless{$a} // 0) || $a cmp $b } @faults;
	ok($hosts{silent}->wait_count('connection', 1, PROMPT), 'they are connected to');
	is_healthy($daemon, $directory, 'meanwhile');
	for my $fault (@faults) {
		my $reply = eval { $clients{$fault}->receive_reply } // "no reply: $@";
		is($cases->wrong(fault_answer($fault), $reply, tafile_dir => $directory), '', $fault);
	}
	my $seconds = Time::HiRes::time() - $begin;
	cmp_ok($seconds, '<', TIMEOUT + PROMPT / 2, sprintf('all within their time: %.1f s', $seconds));
	$_->close for values %clients;
	for my $fault (@faults) {
		ask($daemon, "[fault-$fault.bulk.lab]") for 1 .. 10;
		cmp_ok($hosts{$fault}->count('connection'), '<=', 1, "$fault: one connection");
	}
	ok($daemon->alive, 'the daemon lives');
	is_healthy($daemon, $directory, 'afterwards');
	wait_until(PROMPT, sub { descriptors($daemon) <= $descriptors + 8 });
	cmp_ok(descriptors($daemon), '<=', $descriptors + 8, 'no connection is left open');
	ends_well($daemon);

	# Each by itself, with an empty cache.
	for my $fault (@faults) {
		($daemon, $directory) = start();
		$begin = Time::HiRes::time();
		is_answer($daemon, $directory, "[fault-$fault.bulk.lab]", fault_answer($fault), "$fault alone");
		$seconds = Time::HiRes::time() - $begin;
		cmp_ok($seconds, '<', HOST_LIMIT + PROMPT / 2, sprintf('%s: within its time: %.1f s', $fault, $seconds));
		unlike($daemon->log_text, qr/\b(?:error|warning)\b/, 'a server\'s fault is no trouble of ours');
		ends_well($daemon);
	}
	for my $fault (@faults) {
		cmp_ok($hosts{$fault}->count('connection'), '<=', 2, "$fault: no more than once each time");
		$hosts{$fault}->stop;
	}
}

# Address and port of the client side of all TCP connections to port 25.
sub outgoing
{
	open(my $handle, '<', '/proc/net/tcp') or die "/proc/net/tcp: $!\n";
	return map { /^\s*\d+: ([0-9A-F]+:[0-9A-F]+) [0-9A-F]+:0019 0[1-3] / ? ($1 => 1) : () } <$handle>;
}

sub a_few_at_once
{
	my @names = map { "silent-$_" } 1 .. SILENT;
	my $host = Tlsad::MailHost->start(%proper, fault => 'silent',
		listen => [ map { "$address{$_}:25" } @names ]);
	my $patient = serve('patient');
	my ($daemon, $directory) = start();
	my @clients = map { $daemon->client(timeout => TIMEOUT + PROMPT) } @names;
	my $begin = Time::HiRes::time();
	$clients[$_]->send_request('pinned', "[$names[$_].bulk.lab]") for 0 .. $#names;
	ok($host->wait_count('connection', AT_ONCE > SILENT ? SILENT : 1, PROMPT), 'the first is connected to');
	my $last = $daemon->client(timeout => TIMEOUT + PROMPT);
	$last->send_request('pinned', '[patient.bulk.lab]');
	is_healthy($daemon, $directory, 'meanwhile');
	my ($most, %before) = (0);
	my $select = IO::Select->new(map { $_->socket } @clients);
	my $end = Time::HiRes::time() + TIMEOUT + PROMPT / 2;
	# In scalar context can_read() gives the last of the sockets.
	while (Time::HiRes::time() < $end && (() = $select->can_read(0)) < SILENT) {
		# The list is not atomic. A connection that is in two lists existed in between.
		my %now = outgoing();
		my $count = grep { $before{$_} } keys %now;
		$most = $count if $count > $most;
		%before = %now;
		Time::HiRes::sleep(0.01);
	}
	my $seconds = Time::HiRes::time() - $begin;
	my @replies = map { eval { $_->receive_reply(PROMPT) } // "no reply: $@" } @clients;
	is(join(' ', grep { $_ ne 'OK dane-only' } @replies), '', 'all are native');
	cmp_ok($seconds, '<', TIMEOUT + PROMPT / 2, sprintf('within their time: %.1f s', $seconds));
	cmp_ok($most, '>=', 2, "there were $most connections at once");
	cmp_ok($most, '<=', AT_ONCE, 'and never more than ' . AT_ONCE);
	is($cases->wrong('OK secure patient.bulk.lab with root1/key',
		eval { $last->receive_reply(PROMPT) } // $@, tafile_dir => $directory), '',
		'one that answers was served');
	cmp_ok($host->count('connection'), '<=', SILENT, 'each was asked once at most');
	ends_well($daemon);
	is($_->stop, 0, 'mailhost ends well') for $host, $patient;
}

sub short_timeout
{
	my $host = serve('brief', fault => 'silent');
	my ($daemon, $directory) = start(config => { resolver => { timeout => '2s' } });
	my $begin = Time::HiRes::time();
	is(ask($daemon, '[brief.bulk.lab]'), 'OK dane-only', 'native, and no TEMP');
	my $seconds = Time::HiRes::time() - $begin;
	cmp_ok($seconds, '<', sanitized($daemon) ? PROMPT : HOST_LIMIT - 1, sprintf('after %.1f s', $seconds));
	ends_well($daemon);
	is($host->stop, 0, 'mailhost ends well');
}

sub departures
{
	my $host = serve('left', fault => 'byte-by-byte');
	my ($daemon, $directory) = start();
	my $client = $daemon->client(timeout => PROMPT);
	$client->send_request('pinned', '[left.bulk.lab]');
	ok($host->wait_count('connection', 1, PROMPT), 'the connection is open');
	$client->close;
	is_answer($daemon, $directory, '[left.bulk.lab]', 'OK secure left.bulk.lab with root1/key',
		'the client has disconnected, the next one gets the reply');
	is($host->count('connection'), 1, 'of the same connection');

	# In the middle of the connection.
	my @clients = map { $daemon->client(timeout => PROMPT) } 1 .. 5;
	# Of another key, so not known yet.
	$_->send_request('pinned', '[silent-1.bulk.lab]') for @clients;
	my $silent = serve('silent-2', fault => 'silent');
	push @clients, $daemon->client(timeout => PROMPT);
	$clients[-1]->send_request('pinned', '[silent-2.bulk.lab]');
	ok($silent->wait_count('connection', 1, PROMPT), 'a connection to a silent server is open');
	my $begin = Time::HiRes::time();
	is($daemon->stop, 0, 'the daemon ends with status 0');
	my $seconds = Time::HiRes::time() - $begin;
	cmp_ok($seconds, '<', PROMPT / 2, sprintf('after %.1f s', $seconds));
	is($_->stop, 0, 'mailhost ends well') for $host, $silent;
}
