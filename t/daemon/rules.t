#!/usr/bin/perl
# A site's rules, with a daemon in the lab: minimum levels for every kind of destination, exceptions
# until their date and not after, log lines and explain for both, reloads, broken files, and the
# mode monitor.
#
# t/unit/site/minimum.c tests the tables of common/site/minimum.c, t/ctl/exception.t tests tlsactl
# exception.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use JSON::PP ();
use POSIX ();
use Test::More;
use Tlsad::Clock;
use Tlsad::Ctl;
use Tlsad::Daemon;
use Tlsad::Lab;
use Tlsad::Process;

use constant PROMPT => 20;		# [s] for what should take milliseconds
use constant DAY => 24 * 60 * 60;
use constant MANY => 100_000;

my @missing = Tlsad::Lab::missing_programs();
plan(skip_all => "not installed: @missing") if @missing;

my $digest = 'ab' x 32;
my $pinned = 'OK fingerprint match=' . join(':', ('AB') x 32);
my $secure = 'OK secure match=nexthop:dot-nexthop';
my $lab = Tlsad::Lab->start(zones => { 'site.lab' => <<"SIGNED", 'site-plain.lab' => <<'PLAIN' });
u A 127.0.0.1
_25._tcp.u TLSA 3 1 1 $digest
v A 127.0.0.1
_25._tcp.v TLSA 3 1 1 $digest
x A 127.0.0.1
_25._tcp.x TLSA 1 1 1 $digest
n A 127.0.0.1
full MX 10 u
full MX 20 v
partial MX 10 u
partial MX 20 n
mixed MX 10 u
mixed MX 20 x
unusable MX 10 x
unusable-none MX 10 x
unusable-none MX 20 n
none MX 10 n
SIGNED
insecure-mx MX 10 u.site.lab.
plain MX 10 n
n A 127.0.0.1
PLAIN

# One serving thread, so that a reload is complete once it is seen.
sub start
{
	my (%options) = @_;
	return Tlsad::Daemon->start(lab => $lab, %options,
		config => { server => { workers => 1 }, %{$options{config}} });
}

subtest('minimums' => \&minimums);
subtest('which rule applies' => \&matching);
subtest('exceptions' => \&exceptions);
subtest('exceptions and minimums' => \&exceptions_and_minimums);
subtest('until its date' => \&until_its_date);
subtest('reloading' => \&reloading);
subtest('many rules' => \&many_rules);
subtest('monitor' => \&monitor);
done_testing();

sub write_file
{
	my ($file, $text) = @_;
	open(my $handle, '>', "$file.new") or die "$file.new: $!\n";
	print {$handle} $text;
	close($handle) or die "$file.new: $!\n";
	rename("$file.new", $file) or die "$file: $!\n";
}

sub reload
{
	my ($daemon, $config) = @_;
	my $before = length $daemon->log_text;
	$daemon->write_config({ server => { workers => 1 }, %$config });
	$daemon->reload;
	ok($daemon->wait_log(qr/configuration reloaded/, PROMPT, $before), 'reloaded');
}

sub explanation
{
	my ($daemon, $key) = @_;
	my $reply = $daemon->request('explain', $key);
	return $reply =~ /^OK (.*)/s ? JSON::PP::decode_json($1) : {};
}

# A serving thread applies a new configuration a moment later.
sub wait_reply
{
	my ($daemon, $map, $key, $expected, $name) = @_;
	my ($end, $reply) = time + PROMPT;
	do { $reply = $daemon->request($map, $key) } while ($reply !~ $expected && time < $end);
	return like($reply, $expected, $name);
}

sub check_table
{
	my ($daemon, $name, $map, %expected) = @_;
	for my $key (sort keys %expected) {
		is($daemon->request($map, $key), $expected{$key}, "$name, $map: $key");
	}
}

# --- minimums

sub minimums
{
	my $daemon = start(config => { minimum => { '*' => 'none' } });
	my %native = (
		'full.site.lab' => 'OK dane-only', '[u.site.lab]' => 'OK dane-only',
		'partial.site.lab' => 'OK dane', 'mixed.site.lab' => 'OK dane',
		'unusable.site.lab' => 'OK dane', 'unusable-none.site.lab' => 'OK dane',
		'none.site.lab' => 'NOTFOUND ', '[n.site.lab]:587' => 'NOTFOUND ',
		'insecure-mx.site-plain.lab' => 'OK dane', 'plain.site-plain.lab' => 'NOTFOUND ',
		'null-mx.dane.lab' => 'NOTFOUND ', 'missing.dane.lab' => 'NOTFOUND ',
		'[192.0.2.1]' => 'NOTFOUND ', '192.0.2.1:25' => 'NOTFOUND ', 'mailhost' => 'NOTFOUND ',
	);
	my %nobody = map { $_ => 'NOTFOUND ' } ('', '.site.lab', '.lab', '/var/run/lmtp');
	my %pinned = (%native, 'full.site.lab' => $pinned, '[u.site.lab]' => $pinned,
		'unusable.site.lab' => 'OK encrypt', 'unusable-none.site.lab' => 'OK encrypt',
		'insecure-mx.site-plain.lab' => $pinned);
	check_table($daemon, 'none', 'native', %native, %nobody);
	check_table($daemon, 'none', 'pinned', %pinned, %nobody);

	reload($daemon, { minimum => { '*' => 'encrypted' } });
	wait_reply($daemon, 'policy', 'none.site.lab', qr/^OK encrypt$/, 'encrypted');
	my %encrypted = (%native,
		(map { $_ => 'OK encrypt' } grep { $native{$_} eq 'NOTFOUND ' } keys %native),
		'partial.site.lab' => 'OK dane-only', 'unusable-none.site.lab' => 'OK encrypt',
		'insecure-mx.site-plain.lab' => 'OK encrypt');
	check_table($daemon, 'encrypted', 'native', %encrypted, %nobody);
	check_table($daemon, 'encrypted', 'pinned', %encrypted, %nobody, 'full.site.lab' => $pinned,
		'[u.site.lab]' => $pinned, 'unusable.site.lab' => 'OK encrypt',
		'insecure-mx.site-plain.lab' => $pinned);

	reload($daemon, { minimum => { '*' => 'authenticated' } });
	wait_reply($daemon, 'policy', 'none.site.lab', qr/^\Q$secure\E$/, 'authenticated');
	my %authenticated = ((map { $_ => $secure } keys %native), map { $_ => 'OK dane-only' }
		qw(full.site.lab [u.site.lab] partial.site.lab mixed.site.lab));
	check_table($daemon, 'authenticated', 'native', %authenticated, %nobody);
	check_table($daemon, 'authenticated', 'pinned', %authenticated, %nobody,
		'full.site.lab' => $pinned, '[u.site.lab]' => $pinned);
	like(explanation($daemon, 'insecure-mx.site-plain.lab')->{not_pinned}, qr/a minimum asks for more/,
		'why keys of hosts of unsigned MX records are not pinned');

	reload($daemon, { minimum => { '*' => 'dane' } });
	wait_reply($daemon, 'policy', 'none.site.lab', qr/^OK dane-only$/, 'dane');
	my %dane = map { $_ => 'OK dane-only' } keys %native;
	check_table($daemon, 'dane', 'native', %dane, %nobody);
	check_table($daemon, 'dane', 'pinned', %dane, %nobody, 'full.site.lab' => $pinned,
		'[u.site.lab]' => $pinned);
	like($daemon->request($_, 'bogus-mx.dane.lab'), qr/^TEMP bogus-mx/, "$_: TEMP stays TEMP")
		for qw(policy native pinned QUERY postfix);
	like($daemon->request('tlsa', '[u.site.lab]'), qr/^OK 3 1 1 /, 'tlsa: the records');
	is($daemon->request('tlsa', '[n.site.lab]'), 'NOTFOUND ', 'tlsa: without records');

	reload($daemon, { minimum => { '*' => 'encrypted' }, dane => { site_level => 'dane-only' } });
	wait_reply($daemon, 'policy', 'none.site.lab', qr/^NOTFOUND $/, 'a stricter site level wins');
	is($daemon->stop, 0, 'the daemon ends with status 0');
}

sub matching
{
	my $daemon = start(config => { minimum => {
		'.site.lab' => 'authenticated', 'NONE.Site.Lab.' => 'dane', '.lab' => 'encrypted',
		'u.site.lab' => 'none', '.bücher.lab' => 'dane' } });
	is($daemon->request('policy', 'none.site.lab'), 'OK dane-only', 'the name itself');
	is($daemon->request('policy', 'none.site.lab:587'), 'OK dane-only', 'on any port');
	is($daemon->request('policy', '[n.site.lab]'), $secure, 'a name below another');
	is($daemon->request('policy', 'plain.site-plain.lab'), 'OK encrypt', 'below a shorter one');
	is($daemon->request('policy', 'mx.BÜCHER.lab'), 'OK dane-only', 'in UTF-8');
	is($daemon->request('policy', '[mx.plain.optout]'), 'NOTFOUND ', 'no rule');
	is($daemon->request('policy', '[192.0.2.1]'), 'NOTFOUND ', 'and none for a key without a name');
	my $minimum = explanation($daemon, 'none.site.lab')->{minimum};
	my $line = delete $minimum->{line};
	is_deeply($minimum, { domain => 'none.site.lab', level => 'dane', reached => JSON::PP::false,
		offered => 'no TLSA records', file => $daemon->config_file }, 'explain has the rule');
	cmp_ok($line, '>', 0, 'and its line');
	is(explanation($daemon, 'full.site.lab')->{minimum}{reached}, JSON::PP::true, 'one that is reached');
	is(explanation($daemon, 'bogus-mx.dane.lab')->{minimum}{reached}, undef, 'one that is unknown');
	is(explanation($daemon, '[mx.plain.optout]')->{minimum}, undef, 'and none');
	is($daemon->stop, 0, 'the daemon ends with status 0');
}

# --- exceptions

sub exceptions
{
	my $daemon = start(config => { exception => {
		'bogus-mx.dane.lab' => 'may until 2099-12-31 ; ticket 5 ; wrong "signatures"',
		'silent.lab' => 'encrypt', '.site.lab' => 'none',
		'full.site.lab' => 'dane', 'partial.site.lab' => 'may until 2001-01-01' } });
	for my $map (qw(policy native pinned QUERY postfix)) {
		is($daemon->request($map, 'bogus-mx.dane.lab'), 'OK may', "$map: a destination that is bogus");
		is($daemon->request($map, 'silent.lab'), 'OK encrypt', "$map: one without an answer");
	}
	is($daemon->request('pinned', 'full.site.lab'), 'OK dane', 'pinned: the level\'s word');
	is($daemon->request('policy', '[u.site.lab]:587'), 'OK none', 'names below, and hosts');
	like($daemon->request('tlsa', 'u.site.lab'), qr/^OK 3 1 1 /, 'not tlsa');
	my $explain = explanation($daemon, 'bogus-mx.dane.lab');
	is($explain->{reply}, 'OK may', 'explain: the reply');
	is($explain->{reason}, 'exception', 'explain: the reason');
	delete $explain->{exception}{line};
	is_deeply($explain->{exception}, { domain => 'bogus-mx.dane.lab', level => 'may',
		until => '2099-12-31', why => 'ticket 5 ; wrong "signatures"', state => 'in force', in_force => JSON::PP::true,
		instead_of => 'bogus', file => $daemon->config_file }, 'explain: the exception');
	is(explanation($daemon, 'partial.site.lab')->{exception}{domain}, '.site.lab',
		'an ended one does not hide another one');
	is(explanation($daemon, 'full.dane.lab')->{exception}, undef, 'explain: none');

	my $log = $daemon->log_text;
	my @used = $log =~ /exception (\S+) = .*: used for/g;
	is_deeply([ sort @used ], [ sort qw(bogus-mx.dane.lab silent.lab .site.lab full.site.lab) ],
		'each is logged once');
	like($log, qr/exception bogus-mx\.dane\.lab = may until 2099-12-31: used for bogus-mx\.dane\.lab; further uses today are not logged: ticket 5/,
		'with its reason');
	unlike($log, qr/has ended/, 'one that ended long ago is not logged');
	is($daemon->stop, 0, 'the daemon ends with status 0');
}

sub exceptions_and_minimums
{
	my $daemon = start(config => {
		minimum => { '.site.lab' => 'dane', '.dane.lab' => 'encrypted' },
		exception => { 'none.site.lab' => 'may', 'full.site.lab' => 'encrypt',
			'partial.site.lab' => 'dane-only', 'bogus-mx.dane.lab' => 'may' } });
	is($daemon->request('policy', 'none.site.lab'), 'OK dane-only', 'the minimum wins');
	is($daemon->request('pinned', 'full.site.lab'), $pinned, 'and a better verdict stays');
	is($daemon->request('policy', 'partial.site.lab'), 'OK dane-only', 'an exception as strict as the minimum');
	is($daemon->request('policy', 'bogus-mx.dane.lab'), 'OK encrypt', 'raised to it, without a lookup');
	my $log = $daemon->log_text;
	like($log, qr/:\d+: the exception none\.site\.lab = may is less than the minimum \.site\.lab = dane: the minimum wins/,
		'it is logged at the start');
	is(() = $log =~ /the minimum wins/g, 3, 'of all three, and no other');
	is(explanation($daemon, 'none.site.lab')->{exception}{state}, 'overruled by the minimum', 'explain too');
	is(explanation($daemon, 'none.site.lab')->{reason}, 'no-tlsa', 'with the reason of DNS');
	is(explanation($daemon, 'bogus-mx.dane.lab')->{exception}{state}, 'raised by the minimum', 'raised');
	is($daemon->stop, 0, 'the daemon ends with status 0');
}

# --- the clock

sub until_its_date
{
	my $clock = Tlsad::Clock->new or plan(skip_all => 'faketime is not installed');
	# The day after tomorrow, in case midnight passes during the test.
	my $until = POSIX::strftime('%Y-%m-%d', gmtime(time + 2 * DAY));
	my $daemon = eval { start(env => $clock->env, config => { exception => {
		'none.site.lab' => "encrypt until $until ; until they have renewed it" } }) };
	plan(skip_all => 'tlsad does not run under faketime here') unless $daemon;
	is($daemon->request('policy', 'none.site.lab'), 'OK encrypt', 'today') for 1 .. 3;
	$clock->set('+1d');
	is($daemon->request('policy', 'none.site.lab'), 'OK encrypt', 'tomorrow');
	is(() = $daemon->log_text =~ /used for/g, 2, 'logged once a day');
	$clock->set('+3d');
	is($daemon->request('policy', 'none.site.lab'), 'NOTFOUND ', 'when it has ended') for 1 .. 3;
	is(() = $daemon->log_text =~ /exception none\.site\.lab = encrypt until $until: it has ended and can be removed: until they/g,
		1, 'its end is logged once');
	is(explanation($daemon, 'none.site.lab')->{exception}{state}, 'ended', 'explain: ended');
	is($daemon->stop, 0, 'the daemon ends with status 0');

	my $before = length $daemon->log_text;
	my $again = start(env => $clock->env, directory => $daemon->directory,
		config => { exception => { 'none.site.lab' => "encrypt until $until" } });
	ok($again->wait_log(qr/it has ended/, PROMPT, $before), 'an exception that ended while no daemon ran is logged at the start');
	is($again->stop, 0, 'the daemon ends with status 0');
}

# --- reloading

sub reloading
{
	my $directory = Tlsad::Process::private_directory();
	my ($minimums, $exceptions) = ("$directory/minimums", "$directory/exceptions");
	write_file($minimums, "none.site.lab dane\n");
	my $files = { dane => { minimums_file => $minimums, exceptions_file => $exceptions } };
	my $daemon = start(config => $files);
	is($daemon->request('policy', 'none.site.lab'), 'OK dane-only', 'a file of minimums');
	is($daemon->request('policy', 'plain.site-plain.lab'), 'NOTFOUND ', 'no exceptions yet');

	write_file($exceptions, "plain.site-plain.lab = encrypt ; a reason\n");
	write_file($minimums, "none.site.lab = encrypted\n");
	my $before = length $daemon->log_text;
	my $ctl = Tlsad::Ctl->new(config => { server => { control => 'unix:' . $daemon->directory . '/control' } });
	my $answer = $ctl->json('reload');
	is($answer->{status}, 0, 'tlsactl reload');
	is_deeply($answer->{json}{changed}, [ 'minimum', 'exception' ], 'it names what has changed');
	wait_reply($daemon, 'policy', 'none.site.lab', qr/^OK encrypt$/, 'another minimum');
	wait_reply($daemon, 'policy', 'plain.site-plain.lab', qr/^OK encrypt$/, 'an exception');
	is($ctl->json('reload')->{json}{changed}[0], undef, 'nothing has changed');

	my %broken = (
		"$minimums:2: 'daen' is not a minimum level" => sub { write_file($minimums, "none.site.lab dane\nx.example daen\n") },
		"$minimums: cannot read the file: No such file" => sub { unlink($minimums) or die "$!\n" },
		"$exceptions:3: plain.site-plain.lab already has an exception, at $exceptions:1" => sub {
			write_file($exceptions, "plain.site-plain.lab may\n\nPLAIN.site-plain.lab none\n") },
		"'never' is not a date" => sub { write_file($exceptions, "plain.site-plain.lab may until never\n") },
	);
	for my $words (sort keys %broken) {
		write_file($minimums, "none.site.lab dane\n");
		write_file($exceptions, "plain.site-plain.lab may\n");
		$broken{$words}->();
		$before = length $daemon->log_text;
		my $result = $ctl->run('reload');
		is($result->{status}, 1, "broken: $words");
		like($result->{err}, qr/\Q$words\E/, 'tlsactl prints it');
		my @lines = split(/\n/, substr($daemon->log_text, $before));
		is(scalar @lines, 1, 'one line in the log');
		like($lines[0], qr/the old configuration stays in use: .*\Q$words\E/, 'with the same text');
		is($daemon->request('policy', 'none.site.lab'), 'OK encrypt', 'the old minimum stays');
		is($daemon->request('policy', 'plain.site-plain.lab'), 'OK encrypt', 'and the old exception');
		my ($status, $log) = Tlsad::Daemon->run(lab => $lab, config => $files, args => ['-n']);
		is($status, 1, 'tlsad -n refuses it');
		like($log, qr/\Q$words\E/, 'for the same reason');
	}
	is($daemon->stop, 0, 'the daemon ends with status 0');
}

sub many_rules
{
	my $directory = Tlsad::Process::private_directory();
	my $file = "$directory/minimums";
	my $write = sub { write_file($file, join('', map { "d$_.example $_[0]\n" } 1 .. MANY) . "none.site.lab dane\n") };
	$write->('dane');
	my $daemon = start(config => { dane => { minimums_file => $file } });
	is($daemon->request('policy', 'none.site.lab'), 'OK dane-only', 'found among ' . MANY);
	my $client = $daemon->client;
	for my $level (qw(encrypted dane encrypted)) {
		my $before = length $daemon->log_text;
		$write->($level);
		$daemon->reload;
		# Requests are served meanwhile, by the old rules or the new ones.
		my $answers = 0;
		my $end = time + PROMPT;
		do {
			$answers++ if $client->request('policy', 'none.site.lab') eq 'OK dane-only';
		} until substr($daemon->log_text, $before) =~ /configuration reloaded: 1 settings/
			|| time > $end;
		cmp_ok(time, '<=', $end, "$level: they are loaded");
		cmp_ok($answers, '>', 0, 'and there are replies meanwhile');
	}
	is($daemon->stop, 0, 'the daemon ends with status 0');
}

# --- monitor

sub monitor
{
	my $config = { dane => { mode => 'monitor' }, minimum => { 'none.site.lab' => 'dane' },
		exception => { 'partial.site.lab' => 'may' } };
	my $daemon = start(config => $config);
	my %would = ('full.site.lab' => 'OK dane-only', 'none.site.lab' => 'OK dane-only',
		'plain.site-plain.lab' => 'NOTFOUND ', 'unusable.site.lab' => 'OK dane');
	for my $key (sort keys %would) {
		is($daemon->request($_, $key), 'NOTFOUND ', "$_ $key") for qw(policy native pinned QUERY postfix);
		like($daemon->log_text, qr/looked up \Q$key\E: map=policy .* reply="NOTFOUND " would="\Q$would{$key}\E"/,
			'the log has what it would have been');
		my $explain = explanation($daemon, $key);
		ok($explain->{monitor}, 'explain: monitor');
		is($explain->{reply}, 'NOTFOUND ', 'explain: what Postfix gets');
		is($explain->{would}, $would{$key}, 'explain: what it would get');
	}
	is($daemon->request('policy', 'partial.site.lab'), 'NOTFOUND ', 'an exception too');
	is(explanation($daemon, 'partial.site.lab')->{would}, 'OK may', 'and what that would be');
	unlike($daemon->log_text, qr/used for/, 'which is not logged as a use');
	is($daemon->request('policy', 'bogus-mx.dane.lab'), 'NOTFOUND ', 'a failure does not delay mail');
	like($daemon->log_text, qr/lookup of bogus-mx\.dane\.lab failed: .* reply="NOTFOUND " would="TEMP bogus-mx/,
		'it is logged');
	like($daemon->request('tlsa', 'u.site.lab'), qr/^OK 3 1 1 /, 'tlsa is not a policy');
	my $ctl = Tlsad::Ctl->new(config => { server => { control => 'unix:' . $daemon->directory . '/control' } });
	is($ctl->json('lookup', 'full.site.lab')->{status}, 1, 'tlsactl lookup shows what Postfix gets');
	my $status = $ctl->json('status')->{json};
	is($status->{mode}, 'monitor', 'status: the mode');
	# Five maps for each of four destinations, and two for policy alone; tlsactl does not count.
	is_deeply($status->{would}, { ok => 3 * 5 + 1, notfound => 5, temp => 1, perm => 0 },
		'status: what would have been');
	is_deeply($status->{rules}, { minimums => 1, exceptions => 1 }, 'status: how many rules');
	is(explanation($daemon, '[192.0.2.1]')->{would}, 'NOTFOUND ', 'an address');
	$config->{dane}{mode} = 'enforce';
	reload($daemon, $config);
	wait_reply($daemon, 'policy', 'full.site.lab', qr/^OK dane-only$/, 'enforced');
	ok(!explanation($daemon, 'full.site.lab')->{monitor}, 'explain: enforced');
	is($daemon->stop, 0, 'the daemon ends with status 0');
}
