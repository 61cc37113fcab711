#!/usr/bin/perl
# The trust anchor of the root: what the daemon logs at the start, and that it follows a rollover of
# the root key by itself (RFC 5011).

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use Time::HiRes ();
use Tlsad::Daemon;
use Tlsad::FaultyDns;
use Tlsad::Lab;
use Tlsad::Observe;
use Tlsad::Process;
use Tlsad::Root;

use constant PROMPT => 10;		# [s] for what should take milliseconds
use constant PROBE => 25;		# [s] the probe waits 15 s for an answer
use constant TROUBLED => 10;		# [s] between probes that went wrong
use constant PROBE_AGAIN => 30;		# [s] after a probe that went wrong
use constant DAY => 86400;
use constant HOLDDOWN => 5;		# [s] RFC 5011 says 30 days
# libunbound checks the root's keys again when they have expired and there is a lookup. With a
# shorter TTL and a small hold-down version 1.17 divides by zero (a tenth of half of it).
use constant ROLL_TTL => 20;

my @missing = Tlsad::Lab::missing_programs();
plan(skip_all => "not installed: @missing") if @missing;

# It starts while the other tests run; the daemon probes it again and again.
my $late_root = Tlsad::Root->new;
my $patient = Tlsad::Daemon->start(config => { cache => { failure_ttl => '1s' },
	resolver => $late_root->resolver_settings('first') });
my $silent = Tlsad::FaultyDns->start(rules => [ { name => '.', behaviour => 'silent' } ]);
my $no_answer = Tlsad::Daemon->start(config => { resolver => {
	stub => '. 127.0.0.1@' . $silent->port, query_localhost => 'yes' } });
my $patient_line = said($patient);
$late_root->publish(keys => ['first']);
my $published = Time::HiRes::time();
my $zone_lab = Tlsad::Lab->start(special => 0);
my $zone_anchored = start_with_zone_anchor();
my $zone_begin = Time::HiRes::time();
# This one runs meanwhile, too, until the hold-down time of the new key is over.
my $rolling_root = Tlsad::Root->new(ttl => ROLL_TTL);
$rolling_root->publish(keys => [qw(first second)]);
my $roll_directory = Tlsad::Process::private_directory();
write_file("$roll_directory/options",
	"server:\n\tadd-holddown: @{[HOLDDOWN]}\n\tpermit-small-holddown: yes\n");
my %roll_settings = (%{$rolling_root->resolver_settings('first')},
	options => "$roll_directory/options");
my $roll_config = { resolver => \%roll_settings,
	cache => { min_ttl => '0s', serve_stale => '0s', failure_ttl => '1s' } };
my $rolling = Tlsad::Daemon->start(directory => $roll_directory, config => $roll_config);
my $roll_reply = $rolling->request('policy', 'ok.mail');
my $roll_begin = Time::HiRes::time();

subtest('what the probe logs' => \&probe);
subtest('the state and the working copy' => \&state);
subtest('a state that cannot be used' => \&damaged_state);
subtest('a rollover of the key' => \&roll);
subtest('no server answers at first' => \&nobody_answers);
subtest('trust anchors of zones other than the root' => \&other_zones);
done_testing();

# The probe's log line; there must be only one.
sub said
{
	my ($daemon) = @_;
	$daemon->wait_log(qr/DNSSEC validation [^\n]*\n/, PROBE);
	my @lines = $daemon->log_text =~ /^(.*DNSSEC validation .*)$/mg;
	return join("\n", @lines);
}

sub validates
{
	my ($daemon, $what, $key) = @_;
	is($daemon->client(timeout => 2 * PROMPT)->request('policy', $key // 'ok.mail'), 'OK dane-only',
		"$what: an answer is secure");
}

sub probe
{
	my $works = qr/\A\S+ DNSSEC validation works: the root zone is secure\z/;
	my $lab = Tlsad::Lab->start(special => 0);
	my $daemon = Tlsad::Daemon->start(lab => $lab);
	like(said($daemon), $works, 'the lab: works');
	validates($daemon, 'the lab', 'full.dane.lab');
	$daemon->stop;
	# A DNSKEY record works like a DS record.
	$daemon = Tlsad::Daemon->start(lab => $lab,
		config => { resolver => { trust_anchor => $lab->trust_anchor_key } });
	like(said($daemon), $works, 'with a DNSKEY as anchor: works');
	$daemon->stop;

	my $no_match = qr/\A\S+ error: DNSSEC validation does not work: the root's keys do not match the trust anchor/;
	my $stripped = qr/\A\S+ error: DNSSEC validation does not work: signatures are stripped on the way; set \[resolver\] forward/;
	my $clock = qr/\A\S+ error: DNSSEC validation does not work: .*have expired or are not valid yet; check this machine's clock, which says \d{4}-\d\d-\d\d/;
	my $root = Tlsad::Root->new;
	my $try = sub {
		my ($what, $pattern, $anchor, %publish) = @_;
		$root->publish(keys => ['first'], %publish);
		my $daemon = Tlsad::Daemon->start(config => { resolver => {
			%{$root->resolver_settings('first')}, timeout => '5s', %$anchor } });
		like(said($daemon), $pattern, $what);
		my $reply = $daemon->client(timeout => PROMPT)->request('policy', 'ok.mail');
		$pattern == $works ? is($reply, 'OK dane-only', "$what: an answer")
			: like($reply, qr/^TEMP |^NOTFOUND $/, "$what: no DANE answer");
		# Without a trust anchor no answer is secure or bogus.
		unlike($reply, qr/^NOTFOUND/, "$what: nor a downgrade") unless $what =~ /no trust anchor/;
		is($daemon->stop, 0, "$what: the daemon ends with status 0");
	};
	$try->('a root of its own', $works, {});
	$try->('a trust anchor of another root', $no_match, { trust_anchor => $root->anchor('other') });
	$try->('the trust anchors of IANA', $no_match, { trust_anchor => "/no/such/file" });
	$try->('all of DNSSEC stripped', $stripped, {}, unsigned => 'all');
	$try->('signatures stripped', $stripped, {}, unsigned => 'signatures');
	$try->('signed in the past', $clock, {}, from => time - 60 * DAY, until => time - 30 * DAY);
	$try->('signed in the future', $clock, {}, from => time + 30 * DAY, until => time + 60 * DAY);
	my $elsewhere = Tlsad::Process::private_directory() . '/anchor';
	write_file($elsewhere, read_file($root->anchor('first')) =~ s/^\./elsewhere.example./mr);
	$try->('no trust anchor for the root', qr/no trust anchor covers the root/, { trust_anchor => $elsewhere });
	# Two trust anchors of which one matches, like IANA's.
	$try->('one of two anchors', $works, { trust_anchor => $root->anchor('other', 'first') });

	like($patient_line, qr/\A\S+ error: DNSSEC validation does not work: no answer from the root servers/,
		'nothing listens: no route');
	like(said($no_answer), qr/\A\S+ error: DNSSEC validation does not work: no answer .*port 53/,
		'nothing answers: no route');
	is($no_answer->stop, 0, 'the daemon ends with status 0');
}

sub start_with_zone_anchor
{
	my ($zone) = glob($zone_lab->data_directory . '/zones/dane.lab*');
	my @keys = grep { /\sDNSKEY\s+257\s/ && !/RRSIG/ } split(/\n/, read_file($zone));
	my $directory = Tlsad::Process::private_directory();
	write_file("$directory/dane.key", join("\n", @keys) . "\n");
	return Tlsad::Daemon->start(lab => $zone_lab, directory => $directory, args => ['-v'],
		config => { resolver => { trust_anchor => "$directory/dane.key" } });
}

# The root then stays insecure: that is not an error, and the cache is not emptied.
sub other_zones
{
	my $daemon = $zone_anchored;
	validates($daemon, 'below the anchor', 'full.dane.lab');
	is(explain($daemon, 'full.optout')->{mx}{dnssec}, 'insecure', 'elsewhere nothing is secure');
	my $left = $zone_begin + 2 * TROUBLED - Time::HiRes::time();
	Time::HiRes::sleep($left) if $left > 0;
	my @said = $daemon->log_text =~ /^(.*DNSSEC validation .*)$/mg;
	is(scalar(@said), 1, 'the probe logs one line');
	like($said[0], qr/\A\S+ warning: DNSSEC validation works only below the trust anchors of other zones/, 'which is no error');
	my @asked = $daemon->log_text =~ /\basked \.? ?NS: /g;
	is(scalar(@asked), 1, 'and does not probe again soon as after an error');
	is($daemon->stop, 0, 'the daemon ends with status 0');
}

sub read_file
{
	my ($file) = @_;
	open(my $handle, '<', $file) or return '';
	local $/;
	return <$handle> // '';
}

sub write_file
{
	my ($file, $text) = @_;
	open(my $handle, '>', $file) or die "$file: $!\n";
	print {$handle} $text;
	close($handle) or die "$file: $!\n";
}

sub tag
{
	my ($root, $name) = @_;
	my ($tag) = $root->key($name) =~ /\+(\d+)\z/;
	return $tag + 0;
}

sub state
{
	my $root = Tlsad::Root->new;
	$root->publish(keys => ['first']);
	my $runtime = Tlsad::Process::private_directory();
	my $daemon = Tlsad::Daemon->start(config => { resolver => $root->resolver_settings('first') },
		env => { RUNTIME_DIRECTORY => $runtime });
	like(said($daemon), qr/works/, 'works');
	my $file = $daemon->directory . '/cache/root.key';
	ok(wait_until(PROMPT, sub { -s $file }), 'the state is beside the cache');
	my $tag = tag($root, 'first');
	like(read_file($file), qr/^\.\s.*DNSKEY.*id = $tag\b.*VALID/mi, 'with the key');
	my @copies = glob("$runtime/*");
	is(scalar(@copies), 1, 'one working copy');
	is((stat($copies[0]))[2] & 077, 0, 'for nobody else') if @copies;
	is($daemon->stop, 0, 'the daemon ends with status 0');
	is(join(' ', glob("$runtime/*")), '', 'and removes it');
	# The copy of a killed daemon is removed by a later one, after a while.
	$daemon->start_again;
	ok(wait_until(PROMPT, sub { glob("$runtime/*/root.key") }), 'it has a copy again');
	$daemon->kill9;
	my ($left) = glob("$runtime/*");
	ok(defined $left, 'a killed daemon leaves its copy');
	# The same if it was killed while libunbound was writing, under libunbound's temporary name.
	write_file("$left/root.key.1-0-5e5e5e", "half a line");
	utime(time - 60, time - 60, $left);
	$daemon->start_again;
	ok(wait_until(PROMPT, sub { !-e $left }), 'the next one removes it');
	$daemon->stop;
	unlike($daemon->log_text, qr/warning/, 'without a warning') or diag($daemon->log_text);
}

sub roll
{
	my ($root, $directory, $config) = ($rolling_root, $roll_directory, $roll_config);
	my $file = "$directory/cache/root.key";
	my ($old, $new) = (tag($root, 'first'), tag($root, 'second'));
	is($roll_reply, 'OK dane-only', 'both keys sign: an answer is secure');
	like(read_file($file), qr/id = $new\b.*ADDPEND/, 'the new key is seen and not trusted yet');
	my $wait = $roll_begin + ROLL_TTL + 1.5 - Time::HiRes::time();
	Time::HiRes::sleep($wait) if $wait > 0;
	validates($rolling, 'when the keys have expired', $_) for qw(ok.mail [mx.ok.mail]);
	is($rolling->stop, 0, 'stop');
	like(read_file($file), qr/id = $new\b.*\[\s*VALID/,
		'after the hold-down the state holds the new key') or diag(read_file($file));

	# From now on only the configuration has the old key.
	$root->publish(keys => ['second']);
	my $restarted = start_in(directory => $directory, config => $config);
	like(said_since($restarted), qr/works/, 'only the new key signs, the old one is configured: works');
	validates($restarted, 'after the roll');
	is($restarted->stop, 0, 'stop');
	# Without the state this would fail.
	my $fresh = Tlsad::Daemon->start(config => $config);
	like(said($fresh), qr/do not match the trust anchor/, 'without the state it does not');
	like($fresh->client(timeout => 2 * PROMPT)->request('policy', 'ok.mail'), qr/^TEMP /, 'which is never NOTFOUND');
	$fresh->stop;

	# A key whose hold-down time is not over is not trusted.
	$root->publish(keys => ['third'], signers => ['third']);
	my $hijack = start_in(directory => $directory, config => $config);
	like(said_since($hijack), qr/do not match the trust anchor/, 'a key from nowhere is not trusted');
	$hijack->stop;
	$root->publish(keys => ['second']);

	# Another trust anchor in the configuration is used at once.
	my $changed = start_in(directory => $directory, config => { %$config,
		resolver => { %roll_settings, trust_anchor => $root->anchor('third') } });
	ok($changed->wait_log(qr/the trust anchor has changed: discarding the old state in \Q$file\E/, PROMPT), 'another trust anchor: a log line');
	like(said_since($changed), qr/do not match the trust anchor/, 'the old state is not used');
	$changed->stop;
	$changed = start_in(directory => $directory, config => { %$config,
		resolver => { %roll_settings, trust_anchor => $root->anchor('second') } });
	like(said_since($changed), qr/works/, 'nor against the new anchor');
	validates($changed, 'a new anchor');
	$changed->stop;
}

# Daemons on one directory share a log: returns what was logged since the last start. The same for
# the line of the probe.
my %log_size;

sub start_in
{
	my (%options) = @_;
	my $size = -s "$options{directory}/log" // 0;
	my $daemon = Tlsad::Daemon->start(%options);
	$log_size{$daemon->pid} = $size;
	return $daemon;
}

sub said_since
{
	my ($daemon) = @_;
	my $new = sub { substr($daemon->log_text, $log_size{$daemon->pid}) };
	wait_until(PROBE, sub { $new->() =~ /DNSSEC validation [^\n]*\n/ });
	my ($said) = $new->() =~ /^(\S+ [^\n]*DNSSEC validation [^\n]*)$/m;
	return $said // 'nothing';
}

sub damaged_state
{
	my $root = Tlsad::Root->new;
	$root->publish(keys => ['first']);
	my $config = { resolver => $root->resolver_settings('first') };
	my $daemon = Tlsad::Daemon->start(config => $config);
	like(said($daemon), qr/works/, 'works');
	$daemon->stop;
	my $sound = read_file($daemon->directory . '/cache/root.key');
	my ($mark, $rest) = $sound =~ /\A([^\n]*\n)(.*)\z/s;
	my %damage = (
		'empty' => '',
		'its first line alone' => $mark,
		'cut' => substr($sound, 0, length($sound) / 2),
		'text' => "not a key\n" x 20,
		'a good first line and text' => $mark . "this is no DNSKEY record at all\n",
		'a good first line and noise' => $mark . 'DNSKEY' . join('', map { chr(int(rand(256))) } 1 .. 500),
		'a key that is cut' => $mark . ($rest =~ s/(DNSKEY\s+\S+\s+\S+\s+\S+\s+\S{20})[^\n]*/$1/r),
		'NUL bytes' => "\0" x length($sound),
		'large' => $mark . "; comment\n" x 50_000 . $rest,
	);
	for my $what (sort keys %damage) {
		my $directory = Tlsad::Process::private_directory();
		mkdir("$directory/cache");
		write_file("$directory/cache/root.key", $damage{$what});
		my $again = eval { Tlsad::Daemon->start(directory => $directory, config => $config) };
		ok($again, "$what: is not fatal") or do { diag($@); next };
		like(said($again), qr/works/, "$what: the configured anchor serves");
		like($again->log_text, qr/old state in \Q$directory\E\/cache\/root\.key|\Q$directory\E\/cache\/root\.key cannot be used/,
			"$what: a message");
		validates($again, $what);
		is($again->stop, 0, "$what: ends with status 0");
		my ($seed) = $mark =~ /(seed [0-9A-F]{64})/ or die "no seed in $mark\n";
		like(read_file("$directory/cache/root.key"), qr/\A[^\n]*\Q$seed\E.*DNSKEY/s, "$what: the state is sound again");
	}
	# If the state cannot be stored the daemon serves nevertheless.
	my $directory = Tlsad::Process::private_directory();
	mkdir("$directory/cache");
	mkdir("$directory/cache/root.key");
	my $blocked = eval { Tlsad::Daemon->start(directory => $directory, config => $config) };
	ok($blocked, 'a directory in its place: is not fatal') or return diag($@);
	validates($blocked, 'a directory in its place');
	ok($blocked->wait_log(qr/cannot store the root key's state in \Q$directory\E.*; check the permissions and the free space/, PROMPT), 'the log tells');
	is($blocked->stop, 0, 'the daemon ends with status 0');
}

sub nobody_answers
{
	my $left = $published + PROBE_AGAIN + PROMPT - Time::HiRes::time();
	ok($patient->wait_log(qr/DNSSEC validation works/, $left > 1 ? $left : 1),
		'when the root is there, a later probe finds it');
	is(count_matches($patient->log_text, qr/DNSSEC validation/), 2, 'one line for each state');
	validates($patient, 'and then');
	is($patient->stop, 0, 'the daemon ends with status 0');
}
