#!/usr/bin/perl
# End to end with pinned replies: a real Postfix, whose resolver does not validate and which does not
# use DNSSEC, sends mail with the replies of a real tlsad, which validates. t/postfix/Site.pm sets up
# the site, t/postfix/PinnedCases.pm has the cases.
#
# Compared with the expectation for each case: tlsad's reply, the TLS session in the sender's log, the
# result for the message, and the receiver at which it arrived. Then the same for a stream of messages
# during a key roll-over.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib", "$FindBin::Bin/../postfix";

use Digest::SHA qw(sha256_hex sha512);
use MIME::Base64 qw(decode_base64);
use Test::More;
use Time::HiRes qw(sleep time);

use Namespace;
use PinnedCases;
use Site qw($NAME_SERVER $NOT_TRUSTED $TIMEOUT $RESOLVER host wait_for);
use Tlsad::Certificates;
use Tlsad::Daemon;

Site::go_inside('drill');

my $site = Site->new(receivers => \%RECEIVERS, ports => \@PORTS, resolver_options => 'edns0');
my $directory = $site->directory;

my $finished;
END {
	local $?;
	$site->show_logs('sha256/log', 'sha512/log') if $site && !$finished;
}

# ---- Certificates, and the DNS tree

my $certificates = $site->certificates;
$certificates->make($_, subject => "$_.receiver.example") for qw(alpha beta);
$certificates->make($_, authority => 1) for qw(authority authority_2 authority_3);
$certificates->make('between', issuer => 'authority', authority => 1);
my @ISSUED = (
	issued   => ['authority',   names_for()],
	foreign  => ['authority_2', names_for()],
	below    => ['between',     'mx10.ta-below.secure.example'],
	domain   => ['authority',   'ta-domain.secure.example'],
	base     => ['authority',   'mx10.ta-base.target.secure.example'],
	stranger => ['authority',   'attacker.ta-forged-mx.secure.example'],
);
while (my ($name, $by) = splice @ISSUED, 0, 2) {
	my ($issuer, @names) = @$by;
	$certificates->make($name, issuer => $issuer, names => \@names);
}
Namespace::write_file($certificates->path('alone', 'pem'),
	join '', map { Namespace::read_file($certificates->path('issued', $_)) } qw(key crt));

# The receiver sends this certificate from now on.
sub roll_to
{
	my ($receiver, $name) = @_;
	my $file = $certificates->path($receiver, 'pem');
	Namespace::write_file("$file.new", Namespace::read_file($certificates->path($name, 'pem')));
	rename "$file.new", $file or die "$file: $!\n";
	return;
}

roll_to('rolling',        'alpha');
roll_to('rolling_issued', 'issued');

# The TTLs for the hosts that change their keys: they are short, and tlsad must not keep the records
# longer.
my $TTL = 2;

# The TLSA records of a host that changes its key: "old", "new" or both.
sub set_rolling
{
	my ($case, @which) = @_;
	my $owner   = "_25._tcp.mx10.$case->{label}.secure.example.";
	my @records = map { $site->tlsa("$case->{record} $case->{$_}") } @which;
	$site->zones->replace($owner, 'TLSA', $TTL, @records);
	return { owner => $owner, records => [sort @records] };
}

$site->publish($_) for @CASES, @ROLLING;
set_rolling($_, 'old') for @ROLLING;
$site->add_host('attacker.secure.example.', host('beta', '3 1 1 beta'));

# ---- The programs

$site->start_dns('iterator');

$site->make_sender(
	main => {
		smtp_tls_policy_maps    => "socketmap:unix:$directory/sha256/socketmap:pinned",
		native_policy_maps      => "socketmap:unix:$directory/sha256/socketmap:native",
		smtp_tls_security_level => 'may',
		smtp_dns_support_level  => 'enabled',
	},
	transports => \%TRANSPORTS,
	cases      => \@CASES,
);
$site->make_receiver;
my $sender = $site->sender;
my $queue  = "$directory/sender/queue";

# The administrator must create the directories.
mkdir $_ or die "$_: $!\n"
    for map({"$directory/$_"} qw(sha256 sha512 anchors)), "$queue/tlsad", "$queue/tlsad/anchors";

my %anchors = (
	sha256 => { directory => "$directory/anchors",   prefix => "$directory/anchors" },
	sha512 => { directory => "$queue/tlsad/anchors", prefix => '/tlsad/anchors' },
);
my %tlsad = (
	sha256 => Tlsad::Daemon->start(
		directory => "$directory/sha256",
		config    => {
			resolver => $site->resolver_settings,
			dane     => { tafile_dir => $anchors{sha256}{directory}, learn_trust_anchors => 'yes' },
			cache    => { min_ttl => '1s' },
		},
	),
	# For an smtp client in a chroot. Its map "policy" is pinned.
	sha512 => Tlsad::Daemon->start(
		directory => "$directory/sha512",
		config    => {
			server   => { socketmap => "unix:$queue/tlsad/socketmap" },
			resolver => $site->resolver_settings,
			dane     => {
				enforce             => 'pinned',
				fingerprint_digest  => 'sha512',
				tafile_dir          => $anchors{sha512}{directory},
				tafile_prefix       => $anchors{sha512}{prefix},
				learn_trust_anchors => 'yes',
			},
		},
	),
);
$site->start_mail;

# ---- The expected replies of tlsad

my %DIGESTS = (sha256 => 1, sha512 => 2);

# The reply with these digests, "SELECTOR CERTIFICATE".
sub fingerprint_answer
{
	my ($digest, @keys) = @_;
	my %match;
	for my $key (@keys) {
		my ($selector, $certificate) = split / /, $key;
		my $hex = Tlsad::Certificates::association($certificates->path($certificate, 'crt'), $selector,
			$DIGESTS{$digest});
		$match{ join ':', uc($hex) =~ /../g } = 1;
	}
	return 'OK fingerprint match=' . join '|', sort keys %match;
}

# The PEM blocks of a file: "LABEL DATA" in hexadecimal digits, in order.
sub pem_blocks
{
	my ($text) = @_;
	my @blocks;
	push @blocks, "$1 " . unpack 'H*', decode_base64($2)
	    while $text =~ /\G-----BEGIN ([A-Z ]+)-----\n([^-]+)-----END \1-----\n/gc;
	push @blocks, 'something else' if (pos $text // 0) < length $text;
	return @blocks;
}

sub check_secure_answer
{
	my ($case, $answer, $anchors) = @_;
	my @names = @{ $case->{names} // [(map {"mx$_.HOSTS"} sort keys %{ $case->{mx} }), 'DOMAIN'] };
	s/HOSTS/$case->{hosts}/, s/DOMAIN/$case->{domain}/ for @names;
	my $start = 'OK secure match=' . join(':', @names) . " tafile=$anchors->{prefix}/";
	is(substr($answer, 0, length $start), $start, "the answer to $case->{key}") or return;
	my $file = substr $answer, length $start;
	my ($digest) = $file =~ /\Atlsad-([0-9a-f]{64})\.pem\z/;
	ok($digest, 'the file\'s name') or return diag($file);
	my $text = Namespace::read_file("$anchors->{directory}/$file");
	is(sha256_hex($text), $digest, '... is the digest of its content');
	is((stat "$anchors->{directory}/$file")[2] & 07777, 0644, 'its mode');
	my @expected = map {
		my ($selector, $certificate) = split / /;
		($selector ? 'PUBLIC KEY ' : 'CERTIFICATE ')
		    . Tlsad::Certificates::association($certificates->path($certificate, 'crt'), $selector, 0);
	} @{ $case->{secure} };
	is_deeply([sort(pem_blocks($text))], [sort @expected], 'the trust anchors in it');
	$anchors->{named}{$file} = 1;
	return;
}

sub check_answer
{
	my ($case) = @_;
	my ($daemon, $map) = @{ $TRANSPORTS{ $case->{transport} // 'smtp' }{asks} // return };
	my $answer = eval { $tlsad{$daemon}->request($map, $case->{key}) } // $@;
	return check_secure_answer($case, $answer, $anchors{$daemon}) if $case->{secure};
	if (my $failure = $case->{failure}) {
		like($answer, qr/\ATEMP .*$failure/, "the answer to $case->{key}");
		like($sender->log, qr/socketmap server temporary error: .*$failure/, 'Postfix logs the reason');
		return;
	}
	my $expected = $case->{answer} // fingerprint_answer($daemon, @{ $case->{fingerprint} });
	is($answer, $expected, "the answer to $case->{key}");
	return;
}

sub check
{
	my ($case, $stock) = @_;
	subtest $case->{about} => sub {
		check_answer($case);
		$case->{delivered} ? $site->check_delivered($case, $stock)
		    : $site->check_not_delivered($case, $stock);
	} or diag("the log of $case->{about}:\n" . $site->log_of($case));
	return;
}

# ---- The tests

subtest 'Postfix\'s resolver does not validate' => sub {
	# -D: with the bits DO and AD.
	my $answer = qx(drill -D \@$RESOLVER ee-311.secure.example MX);
	like($answer, qr/^;; flags: (?!.*\bad\b)/m, 'no AD bit');
	like($answer, qr/^ee-311\.secure\.example\.\s.*\bMX\b/m, '... on a signed record');
	$answer = qx(drill \@$RESOLVER bogus-mx.secure.example MX);
	like($answer, qr/^bogus-mx\.secure\.example\.\s.*\bMX\b/m, 'it believes a record with a wrong signature');
	$answer = qx(drill \@$RESOLVER ee-forged-mx.secure.example MX);
	like($answer, qr/^ee-forged-mx\.secure\.example\.\s.*\bMX\s+10 attacker\./m, '... and a forged one');
};

{
	$site->submit(@CASES);
	ok($site->settle('sent|deferred|bounced', @CASES), 'every message came to an outcome');
	my $stock = $site->take_stock;
	check($_, $stock) for @CASES;
	is(scalar(map {@$_} values %{ $stock->{arrived} }), scalar(grep { $_->{delivered} } @CASES),
		'as many messages at the receivers as were to be delivered');
	for my $daemon (sort keys %anchors) {
		opendir my $handle, $anchors{$daemon}{directory} or die "$anchors{$daemon}{directory}: $!\n";
		my @files = sort grep { !/\A\.\.?\z/ } readdir $handle;
		is_deeply(\@files, [sort keys %{ $anchors{$daemon}{named} }],
			"$daemon: no files but those that answers name");
	}
}

# ---- Key roll-overs

# Publishes these records of the hosts that change their keys. Returns a function that checks whether
# the name server serves them.
sub publish_rolling
{
	my (@which) = @_;
	my @sets = map { set_rolling($_, @which) } @ROLLING;
	$site->serve_again('secure.example.');
	return sub {
		for my $set (@sets) {
			my $answer = lc qx(drill -t \@$NAME_SERVER $set->{owner} TLSA);
			my @served = sort $answer =~ /^\S+\s+\d+\s+in\s+tlsa\s+(\S+ \S+ \S+ \S+)/gm;
			return if "@served" ne "@{ $set->{records} }";
		}
		return 1;
	};
}

# Returns a function that is true after this time.
sub after
{
	my ($seconds) = @_;
	my $end;
	return sub { ($end //= time + $seconds) <= time };
}

sub send_one
{
	my ($case) = @_;
	my $messages = $case->{messages} //= [];
	my $message  = {
		%$case,
		messages => undef,
		token    => sprintf('token-%s-%d-%08x', $case->{label}, scalar @$messages, int rand 2**32),
	};
	$site->submit($message);
	push @$messages, $message;
	return $message;
}

# Sends a message to each of the hosts every INTERVAL seconds while the steps run one after the other.
# Each step starts an action and returns a function that is true when it is done.
my $INTERVAL = 0.2;

sub send_during
{
	my (@steps) = @_;
	my $end = time + $TIMEOUT;
	my $done;
	while (@steps || $done) {
		my $next = time + $INTERVAL;
		send_one($_) for @ROLLING;
		if (!$done || $done->()) {
			my $step = shift @steps;
			$done = $step ? $step->() : undef;
		}
		return if time > $end;
		my $rest = $next - time;
		sleep $rest if $rest > 0;
	}
	return 1;
}

# The replies have these keys; @learned: the replies with learned trust anchors.
sub check_rolling
{
	my ($when, $which, $learned) = @_;
	for my $case (@ROLLING) {
		my @keys = map {"$case->{selector} $case->{$_}"} @{ $case->{learned} ? $learned // $which : $which };
		subtest "$when: $case->{about}" => sub { check_answer({ %$case, $case->{form} => \@keys }) };
	}
	return;
}

sub check_stream
{
	my ($case, $log) = @_;
	my @messages = @{ $case->{messages} };
	my $receiver = $case->{mx}{10}{receiver};
	cmp_ok(scalar @messages, '>=', 20, 'a stream of messages');
	if ($case->{learned}) {
		# The new trust anchor is learned when the records in the cache have expired. Until then
		# mail waits.
		my $outcomes = $site->sender->outcomes;
		$sender->flush($_) for grep { $outcomes->{$_}[0] eq 'deferred' } map { $_->{queue_id} } @messages;
	}
	ok($site->settle('sent', @messages), 'every message was sent');
	my $arrived = $site->arrived;
	my @arrived = map {"@{ $arrived->{ $_->{token} } // [] }"} @messages;
	is_deeply(\@arrived, [("$receiver TLS") x @messages], 'each arrived once, with TLS');
	return if $case->{learned};
	my @not_sent = grep { !/status=sent/ } $log =~ /^.*: to=<someone\@\Q$case->{domain}\E>.*, status=.*$/gm;
	is("@not_sent", '', 'none was deferred in between');
	my @sessions = $log =~ /(\w+) TLS connection established to mx10\.\Q$case->{hosts}\E\[/g;
	is_deeply(\@sessions, [('Verified') x @messages], 'each session was verified');
	return;
}

subtest 'key roll-overs during a stream of messages' => sub {
	# RFC 7671 8.1: publish the new record beside the old one until all cached copies of the old
	# set have expired, then change the key, then remove the old record.
	ok(
		send_during(
			sub { check_rolling('before', ['old']); return after(1) },
			sub { return publish_rolling('old', 'new') },
			sub { return after(2 * $TTL) },
			sub {
				check_rolling('both published', ['old', 'new'], ['old']);
				roll_to('rolling',        'beta');
				roll_to('rolling_issued', 'foreign');
				return after(2 * $TTL);
			},
			sub { check_rolling('changed', ['old', 'new']); return publish_rolling('new') },
			sub { return after(2 * $TTL) },
			sub { check_rolling('afterwards', ['new']); return },
		),
		'all steps were taken'
	);
	ok($site->settle('sent|deferred|bounced', map { @{ $_->{messages} } } @ROLLING),
		'every message came to an outcome');
	my $log = $sender->log;
	for my $case (@ROLLING) {
		subtest $case->{about} => sub { check_stream($case, $log) };
	}
};

subtest 'the key changed too early: mail waits until the record is there' => sub {
	my ($case) = @ROLLING;
	roll_to('rolling', 'alpha');
	my $message = send_one($case);
	ok($site->settle('sent|deferred|bounced', $message), 'the message came to an outcome');
	my $stock = $site->take_stock;
	my ($status, $reason) = @{ $stock->{outcomes}{ $message->{queue_id} } // [] };
	is($status, 'deferred', 'Postfix has it deferred');
	like($reason, $NOT_TRUSTED, 'for that reason');
	ok(!$stock->{arrived}{ $message->{token} }, 'no message at any receiver');
	ok(wait_for(publish_rolling('old')), 'the record is published');
	my $expected = fingerprint_answer('sha256', '1 alpha');
	ok(wait_for(sub { $tlsad{sha256}->request('pinned', $case->{domain}) eq $expected }), 'tlsad knows it');
	$sender->flush($message->{queue_id});
	ok($site->settle('sent', $message), 'the message was sent');
	is_deeply($site->arrived->{ $message->{token} }, ['rolling TLS'], 'it arrived, with TLS');
};

is($tlsad{$_}->stop($TIMEOUT), 0, "$_: tlsad ends cleanly when asked to") or diag($tlsad{$_}->log_text)
    for sort keys %tlsad;
is(join("\n", Tlsad::Daemon::sanitizer_reports()), '', 'no sanitizer report');
$site->check_programs;

$finished = Test::More->builder->is_passing;
done_testing();
