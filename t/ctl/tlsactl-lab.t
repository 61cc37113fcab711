#!/usr/bin/perl
# The commands of tlsactl that ask the daemon, with a daemon and the signed tree of
# t/lab: every map and every DNSSEC status; listing, exporting to postmap(1), flushing
# and warming the cache; reloading; a daemon that is killed during a command; and a
# cache that is larger than the memory that tlsactl may use.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use JSON::PP ();
use POSIX ();
use Test::More;
use Time::HiRes ();
use Tlsad::Ctl;
use Tlsad::Daemon;
use Tlsad::Lab;
use Tlsad::Process;

use constant TIMEOUT => 20;		# [s] until an expected event
# Entries of a large cache, 6 MB as text; fewer with a sanitizer, which makes them slow.
use constant { MANY => 100_000, MANY_SLOWLY => 30_000 };
# How much memory may grow from the first to the last of them. [kB]
use constant GROWTH => 2048;
use constant PARALLEL => 5;

my @missing = Tlsad::Lab::missing_programs();
plan(skip_all => "not installed: @missing") if @missing;
my $lab = Tlsad::Lab->start;
my $ctl = Tlsad::Ctl->new;
my $sanitized = qx(ldd @{[Tlsad::Ctl::binary()]}) =~ /lib[atu]san|libubsan/;
my $many = $sanitized ? MANY_SLOWLY : MANY;
my $digest = qr/[0-9A-F]{64}/;
my $lower = qr/[0-9a-f]{64}/;
my $pin = qr/[0-9A-F]{2}(?::[0-9A-F]{2}){31}/;

my $daemon = Tlsad::Daemon->start(lab => $lab);
subtest('the socket of the configuration' => \&default_socket);
subtest('lookup' => \&lookup);
subtest('explain' => \&explain_command);
subtest('status' => \&status);
subtest('cache list, show, flush' => \&cache);
subtest('cache export' => \&cache_export);
subtest('warm' => \&warm);
subtest('reload' => \&reload);
is($daemon->stop, 0, 'the daemon ends with status 0');

my $large = large_daemon();
subtest('a large cache' => \&large_cache);
subtest('killed in the middle' => \&killed);
subtest('nothing to export' => \&empty_export);
done_testing();

sub ask { return $ctl->run('-s', $daemon->control, @_) }
sub ask_json { return $ctl->json('-s', $daemon->control, @_) }

sub outcome
{
	my ($result) = @_;
	return "$result->{status} $result->{out}$result->{err}";
}

# The daemon commits results of lookups to the cache a moment later.
sub wait_for
{
	my ($what, $condition) = @_;
	my $end = Time::HiRes::time() + TIMEOUT;
	until ($condition->()) {
		die "not in time: $what\n" if Time::HiRes::time() > $end;
		Time::HiRes::sleep(0.02);
	}
}

sub default_socket
{
	my $configured = Tlsad::Ctl->new(
		config => { server => { control => 'unix:' . $daemon->control } });
	is($configured->json('status')->{json}{pid}, $daemon->pid, 'it is asked without -s');
}

# --- one destination -------------------------------------------------------------------------

sub lookup
{
	my $no_policy = qr/\A1 NOTFOUND: tlsad gives no policy for \S+, so Postfix [ -~]+\n\z/;
	my @rows = (
		[[], 'full.dane.lab', qr/\A0 dane-only\n\z/],
		[[], 'FULL.dane.lab.', qr/\A0 dane-only\n\z/],
		[[], "b\xc3\xbccher.lab", qr/\A0 dane-only\n\z/],
		[[], '[mx-only587.dane.lab]:587', qr/\A0 dane-only\n\z/],
		[[], 'partial-none.dane.lab', qr/\A0 dane\n\z/],
		[['--map', 'native'], 'full.dane.lab', qr/\A0 dane-only\n\z/],
		[['-m', 'PINNED'], 'full.dane.lab', qr/\A0 fingerprint match=$pin\|$pin\n\z/],
		[['--map=QUERY'], 'full.dane.lab', qr/\A0 dane-only\n\z/],
		[['--map', 'postfix'], 'full.dane.lab', qr/\A0 dane-only\n\z/],
		[['--map', 'tlsa'], 'mx1.dane.lab', qr/\A0 3 1 1 $digest\n\z/],
		[['--map', 'explain'], 'full.dane.lab', qr/\A0 \{"destination":"full\.dane\.lab",.*\}\n\z/],
		[[], 'no-tlsa.dane.lab', $no_policy],
		[[], 'missing.dane.lab', $no_policy],
		[[], '.dane.lab', $no_policy],
		[[], '10.1', $no_policy],
		[['--map', 'pinned'], 'no-tlsa.dane.lab', $no_policy],
		[['--map', 'tlsa'], 'mx-none.dane.lab', qr/\A1 NOTFOUND: the map tlsa has no value for mx-none\.dane\.lab\n\z/],
		[['--map', 'explain'], '10.1', qr/\A0 \{.*"not-a-destination".*\}\n\z/],
		[[], 'bogus-mx.dane.lab', qr/\A75 tlsactl: error: TEMP: bogus-mx\.dane\.lab MX: bogus: [ -~]+\n\z/],
		[[], 'servfail.lab', qr/\A75 tlsactl: error: TEMP: servfail\.lab MX: servfail: [ -~]+\n\z/],
		[['--map', 'pinned'], 'servfail.lab', qr/\A75 tlsactl: error: TEMP: servfail\.lab MX: /],
		[['--map', 'tlsa'], 'mx-tlsa-servfail.dane.lab', qr/\A75 tlsactl: error: TEMP: _25\._tcp\.mx-tlsa-servfail\.dane\.lab TLSA: /],
		[['--map', 'no-such'], 'full.dane.lab', qr/\A1 tlsactl: error: PERM: --map no-such: no such map; the maps are policy, native, pinned, /],
		[['--map', ''], 'full.dane.lab', qr/\A64 tlsactl: error: lookup: --map is empty\n\z/],
		[['--map', 'policy x'], 'full.dane.lab', qr/\A1 tlsactl: error: PERM: /],
	);
	for (@rows) {
		my ($options, $key, $expected) = @$_;
		like(outcome(ask('lookup', @$options, $key)), $expected, "@$options $key");
	}
	my $result = ask_json('lookup', 'bogus-mx.dane.lab');
	is("$result->{status} $result->{json}{status}", '75 TEMP', '--json: a temporary failure');
	like($result->{json}{detail}, qr/^bogus-mx\.dane\.lab MX: bogus: /, '--json: its reason');
}

# Key, status, and patterns of lines in this order; other lines may be between them.
sub explain_command
{
	my @rows = (
		['full.dane.lab', 0, qr/dane-only +full\.dane\.lab/, qr/secure +\d+m  MX +full\.dane\.lab: 2 hosts/,
			qr/  usable +\d+m  host  mx1\.dane\.lab:25, preference 10/,
			qr/    secure +\d+m  A     mx1\.dane\.lab: 192\.0\.2\.1/,
			qr/    secure +\d+m  AAAA  mx1\.dane\.lab: 2001:db8::1/,
			qr/    secure +\d+m  TLSA  _25\._tcp\.mx1\.dane\.lab/,
			qr/      usable +3 1 1 $lower/, qr/  usable +\d+m  host  mx2\.dane\.lab:25, preference 20/,
			qr/rule +dane-full: every host .*/, qr/policy +OK dane-only/, qr/native +the same as policy/,
			qr/pinned +OK fingerprint match=$pin\|$pin/, qr/cached +yes, all of it; .* UTC/],
		['partial-none.dane.lab', 0, qr/dane +partial-none\.dane\.lab/,
			qr/  none +\d+m  host  mx-none\.dane\.lab:25, preference 20/,
			qr/    secure +\d+m  TLSA  _25\._tcp\.mx-none\.dane\.lab: the name does not exist/,
			qr/rule +dane-partial: .*/, qr/pinned +the same as policy/, qr/not pinned +not every host has .*/],
		['to-dane.plain.lab', 0, qr/dane +to-dane\.plain\.lab/,
			qr/insecure +\d+m  MX +to-dane\.plain\.lab: 1 host/, qr/  usable .*/,
			qr/rule +dane-insecure-mx: .*/, qr/native +the same as policy/, qr/pinned +OK fingerprint .*/],
		['no-tlsa-plain.dane.lab', 1, qr/NOTFOUND +no-tlsa-plain\.dane\.lab/, qr/  none .*/,
			qr/    insecure +\d+m  A .*/, qr/rule +no-tlsa: .*/, qr/policy +NOTFOUND/],
		['bogus-mx.dane.lab', 75, qr/TEMP +bogus-mx\.dane\.lab/,
			qr/bogus +\d+s  MX +bogus-mx\.dane\.lab/, qr/rule +bogus: .*/,
			qr/policy +TEMP bogus-mx\.dane\.lab MX: bogus: .*/, qr/native +the same as policy/,
			qr/pinned +the same as policy/],
		['a-bogus.dane.lab', 0, qr/dane-only .*/, qr/    bogus +A     mx-a-bogus\.dane\.lab: bogus: .*/,
			qr/    secure +\d+m  AAAA .*/, qr/rule +dane-full: .*/],
		['tlsa-servfail.dane.lab', 75, qr/TEMP .*/, qr/secure +\d+m  MX .*/,
			qr/  failed +\d+s  host  mx-tlsa-servfail\.dane\.lab:25, preference 10/,
			qr/    failed +TLSA  _25\._tcp\.mx-tlsa-servfail\.dane\.lab: servfail/,
			qr/rule +lookup-failed: .*/, qr/policy +TEMP .*: servfail: .*/],
		['unusable.dane.lab', 0, qr/dane +unusable\.dane\.lab/, qr/  unusable .*host .*/,
			qr/      unusable .*: .*/, qr/rule +dane-unusable: .*/, qr/pinned +OK encrypt/],
		['cname-end.dane.lab', 0, qr/dane-only .*/,
			qr/    secure .* A     mx-cname-end\.dane\.lab, an alias of mx1\.dane\.lab: 192\.0\.2\.1/,
			qr/    secure .* TLSA  _25\._tcp\.mx1\.dane\.lab/],
		['tlsa-2-1-1.dane.lab', 0, qr/dane-only .*/,
			qr/      usable +2 1 1 $lower; trust anchor unknown; not pinned: .*/,
			qr/pinned +the same as policy/, qr/not pinned +mx-tlsa-2-1-1\.dane\.lab, TLSA 2 1 1: .*/],
		['no-mx.dane.lab', 0, qr/dane-only .*/,
			qr/secure .* MX +no-mx\.dane\.lab: no MX records; the domain is its own host \(RFC 5321 5\.1\)/, qr/  usable .*/,
			qr/cached +partly: tlsad looked up the missing entries; the first entry expires in \d+ minutes, .* UTC/],
		['[mx1.dane.lab]', 0, qr/dane-only +\[mx1\.dane\.lab\]/, qr/  usable .* host  mx1\.dane\.lab:25/,
			qr/rule .*/, qr/cached +yes, all of it; .*/],
		['null-mx.dane.lab', 1, qr/NOTFOUND .*/, qr/secure +\d+m  MX +null-mx\.dane\.lab: null MX, the domain accepts no mail .*/],
		['missing.dane.lab', 1, qr/NOTFOUND .*/, qr/secure +\d+m  MX .*: the domain does not exist/],
		['10.1', 1, qr/NOTFOUND +10\.1/, qr/rule +not-a-destination: .*/, qr/pinned +the same as policy/],
	);
	for (@rows) {
		my ($key, $status, @lines) = @$_;
		my $result = ask('explain', $key);
		is("$result->{status} $result->{err}", "$status ", "$key: status");
		my $all = join('\n(?:.*\n)*?', map { qr/^$_$/m } @lines);
		like($result->{out}, qr/\A$all\n/, "$key: the tree");
		unlike($result->{out}, qr/[^\n -~]| $/m, "$key: nothing unprintable, no blank at an end");
	}
	like(ask('explain', 'tlsa-hundred.dane.lab')->{out}, qr/^      \.\.\. +and 68 more TLSA records\n\nrule .*^pinned +OK [^\n]+\.\.\.$/ms,
		'a hundred records: what is left out');
	my ($record) = ask('explain', 'full.dane.lab')->{out} =~ /usable +(3 1 1 $lower)$/m;
	my $result = ask_json('explain', 'full.dane.lab');
	is(uc($record), "3 1 1 $result->{json}{hosts}[0]{tlsa}[0]{data}", 'text in lower case, JSON as before');
	is("$result->{status} $result->{json}{reason}", '0 dane-full', '--json');
	is(ask_json('explain', 'bogus-mx.dane.lab')->{status}, 75, '--json: a temporary failure');
}

sub status
{
	is($daemon->request('policy', 'full.dane.lab'), 'OK dane-only', 'Postfix asks');
	my $result = ask('status');
	is("$result->{status} $result->{err}", '0 ', 'status');
	like($result->{out}, qr/^$_$/m, $_) for "version +\\d\\S+, process @{[$daemon->pid]}",
		'running +for \d+ \w+, since \d{4}-\d\d-\d\d \d\d:\d\d UTC',
		'libraries +libunbound \d\S+, .*jansson .*', '  requests +1', '  replies +.*\b1 OK\b.*',
		'DNSSEC +works: .*', '  entries +\d+ .*', '  size +\d+(?:\.\d)? [KM]iB of \d+(?:\.\d)? [MG]iB .*',
		'  endpoints +' . quotemeta($daemon->endpoint), '  endpoints +' . quotemeta($daemon->policy_endpoint);
	like($result->{out}, qr/\Ahealthy +yes\n/, 'it begins with what matters most');
	unlike($result->{out}, qr/^other$|monitor mode/m, 'each member has its row; no monitor mode, no row of it');
	my $json = ask_json('status')->{json};
	is_deeply([sort keys %$json], [qw(accepted cache connections deferred dns endpoints health healthy
		hits invalid lookups misses mode pid policy refused replies requests resolver rules started sts uptime
		version versions workers would)], '--json: members');
	my @objects = qw(cache deferred dns lookups policy replies resolver rules sts would);
	is_deeply([map { join(' ', sort keys %{$json->{$_}}) } @objects],
		['entries evicted max_size path size', 'destinations longest',
		'bogus insecure local malformed secure servfail timeout',
		'failures in_flight joined parts reasons requests',
		'endpoints hits misses monitored replies requests unreadable', 'notfound ok perm temp', 'state text',
		'exceptions minimums', 'fetches policies results', 'notfound ok perm temp'], '--json: and theirs');
	cmp_ok($json->{cache}{entries}, '>', 20, 'entries in the cache');
	my ($page) = Tlsad::Ctl::slurp(Tlsad::Process::source_directory() . '/daemon/ctl/tlsactl.8')
		=~ /^\.Ss JSON of status\n(.*?)^\.Ss /ms;
	my @names = (keys %$json, (map { keys %{$json->{$_}} } @objects), keys %{$json->{policy}{replies}});
	is_deeply([sort grep { $page !~ /^\.(?:It )?Va .*\b$_\b/m } @names], [], 'tlsactl(8) has all of them');
}

# --- the cache -------------------------------------------------------------------------------

sub cache
{
	wait_for('a committed part', sub { ask('cache', 'show', '[mx1.dane.lab]')->{status} == 0 });
	my $result = ask('cache', 'list');
	is("$result->{status} $result->{err}", '0 ', 'list: status');
	like($result->{out}, qr/^$_$/m, $_) for 'KIND +STATUS +DNSSEC +LEFT +NAME',
		'host +usable +- +\d+m +mx1\.dane\.lab:25', 'host +usable +- +\d+m +mx-only587\.dane\.lab:587',
		'mx +found +secure +\d+m +full\.dane\.lab', 'mx +found +insecure +\d+m +to-dane\.plain\.lab',
		'mx +nxdomain +secure +\d+m +missing\.dane\.lab', 'mx +null +secure +\d+m +null-mx\.dane\.lab';
	my $list = JSON::PP->new->decode(ask('--json', 'cache', 'list')->{out});
	cmp_ok(scalar(@$list), '>', 20, 'list --json: an array');
	my ($host) = grep { "$_->{kind} $_->{name} " . ($_->{port} // '') eq 'host mx1.dane.lab 25' } @$list;
	is(join(' ', sort keys %$host), 'expires kind name port stale status ttl', 'its members');

	$result = ask('cache', 'show', 'full.dane.lab');
	is("$result->{status} $result->{err}", '0 ', 'show: status');
	like($result->{out}, qr/\Adane-only .*^cached +yes, all of it/ms, 'show: as explain');
	is(ask('cache', 'show', 'null-mx.dane.lab')->{status}, 0, 'show: an answer NOTFOUND is there, too');
	like(outcome(ask('cache', 'show', 'three.dane.lab')), qr/\A1 tlsactl: error: three\.dane\.lab: the cache does not have all of it; .*\n\z/,
		'show: nothing is looked up');
	like(outcome(ask('cache', 'flush', 'full.dane.lab')), qr/\A0 3 entries deleted from the cache\n\z/, 'flush');
	is(ask('cache', 'show', 'full.dane.lab')->{status}, 1, 'it is gone');
	is(ask('cache', 'show', 'no-mx.dane.lab')->{status}, 0, 'others are not');
	is(outcome(ask('cache', 'flush', 'full.dane.lab')), "0 0 entries deleted from the cache\n", 'flush once more');
	like(outcome(ask('cache', 'flush', '10.1')), qr/\A1 tlsactl: error: '10\.1' is not a destination; .*\n\z/,
		'flush a key that is not a destination');
	is(outcome(ask('lookup', 'full.dane.lab')), "0 dane-only\n", 'the next one looks it up');
	cmp_ok(ask_json('cache', 'flush', '--all')->{json}{flushed}, '>', 20, 'flush --all');
	is(outcome(ask('cache', 'list')), '0 ', 'then nothing is there');
	is(outcome(ask('--json', 'cache', 'list')), "0 []\n", 'nor as JSON');
}

# A table type that postmap can build.
sub table_type
{
	return undef unless defined Tlsad::Process::find_program('postmap')
		&& defined(my $postconf = Tlsad::Process::find_program('postconf'));
	my %types = map { $_ => 1 } split(/\s+/, qx($postconf -m 2>/dev/null));
	return (grep { $types{$_} } qw(lmdb hash cdb))[0];
}

sub cache_export
{
	my %native = ('full.dane.lab' => 'dane-only', 'partial-none.dane.lab' => 'dane',
		'to-dane.plain.lab' => 'dane', 'xn--bcher-kva.lab' => 'dane-only');
	for my $key (keys %native, 'no-tlsa.dane.lab', 'bogus-mx.dane.lab', '[mx1.dane.lab]') {
		ask('lookup', $key);
	}
	my %lines;
	wait_for('the answers in the cache', sub {
		%lines = map { split(/ /, $_, 2) } split(/\n/, ask('cache', 'export')->{out});
		return keys %lines == keys %native;
	});
	is_deeply(\%lines, \%native, 'domains with an answer');
	my $result = ask('cache', 'export', '-m', 'pinned');
	like($result->{out}, qr/^full\.dane\.lab fingerprint match=$pin\|$pin$/m, 'of another map');
	like(outcome(ask('cache', 'export', '--map', 'tlsa')), qr/\A1 tlsactl: error: .*policy, native, pinned, policy-tlsrpt, native-tlsrpt, pinned-tlsrpt\n\z/,
		'of one that cannot be');
	my $type = table_type();
	SKIP: {
		skip('no postmap(1) that builds tables', 5) unless defined $type;
		my $postmap = Tlsad::Process::find_program('postmap');
		my $etc = $ctl->directory . '/postfix';
		mkdir($etc);
		$ctl->file('postfix/main.cf', "compatibility_level = 3.6\n");
		my $file = $ctl->file('list', $result->{out});
		is(qx($postmap -c $etc $type:$file 2>&1; echo \$?), "0\n", "postmap $type: without a word");
		for (split(/\n/, $result->{out})) {
			my ($key, $value) = split(/ /, $_, 2);
			is(qx($postmap -c $etc -q $key $type:$file 2>&1), "$value\n", "postmap -q $key");
		}
	}
}

# --- warm ------------------------------------------------------------------------------------

sub warm
{
	ask('cache', 'flush', '--all');
	my $list = $ctl->file('list', "# moved from mail1\nfull.dane.lab dane-only\nno-tlsa.dane.lab\n\n"
		. "bogus-mx.dane.lab\n[mx1.dane.lab]\nservfail.lab\n10.1\n");
	my $result = ask('warm', $list);
	is("$result->{status} $result->{err}", '75 ', 'some failed');
	like($result->{out}, qr/^failed    $_/m, $_) for 'bogus-mx\.dane\.lab: bogus-mx\.dane\.lab MX: bogus: .+$',
		'servfail\.lab: servfail\.lab MX: servfail: .+$';
	like($result->{out}, qr/^done      6 in \d+ seconds?: 2 with a policy, 2 without, 2 failed\n\z/m, 'the sum');
	wait_for('the answers in the cache', sub { ask('cache', 'show', 'full.dane.lab')->{status} == 0 });
	is(ask('warm', $ctl->file('list', "full.dane.lab\nno-tlsa.dane.lab\n"))->{status}, 0, 'none failed');

	my $silent = $ctl->file('list', join('', map { "w$_.silent.lab\n" } 1 .. 2 * PARALLEL));
	my $process = Tlsad::Process::spawn(command => [Tlsad::Ctl::binary(), '-c', $ctl->config_file, '-s',
		$daemon->control, 'warm', '--parallel', PARALLEL, $silent]);
	my $in_flight = sub { return ask_json('status')->{json}{lookups}{in_flight} };
	wait_for('lookups', sub { $in_flight->() == PARALLEL });
	pass('as many are under way as were asked for');
	# Each lookup takes seconds, so one more would be running by now.
	is($in_flight->(), PARALLEL, 'and not more') for 1 .. 3;
	is($process->wait(6 * TIMEOUT) >> 8, 75, 'all failed in the end');

	my $script = Tlsad::Process::find_program('script');
	SKIP: {
		skip('script(1) is not installed', 2) unless defined $script;
		my $slow = $ctl->file('list', join('', map { "full.dane.lab\n" } 1 .. 200) . "later.silent-plain.lab\n");
		my $command = join(' ', Tlsad::Ctl::binary(), '-c', $ctl->config_file, '-s', $daemon->control,
			'warm', $slow);
		my $screen = qx(TERM=xterm $script -qec "$command" /dev/null </dev/null);
		like($screen, qr{\r200 done, \d+/s, 0 failed(?:, \d+ \w+ left)?\e\[K}, 'progress on a terminal');
		like($screen, qr/\r\e\[K.*failed.*later\.silent-plain\.lab.*done\e\[0m +201 in /s,
			'which is erased before the failure and the summary');
	}
}

# --- reload ----------------------------------------------------------------------------------

sub reload
{
	is(outcome(ask('reload')), "0 nothing has changed\n", 'nothing');
	$daemon->write_config({ dane => { enforce => 'pinned' }, server => { workers => 1 } });
	is(outcome(ask('reload')), "0 changed  dane.enforce\nrestart  server.workers: applied when tlsad "
		. "restarts\n", 'the settings that were applied, and the others');
	like(outcome(ask('lookup', 'full.dane.lab')), qr/\A0 fingerprint match=/, 'it is in force');
	$daemon->write_config({ dane => { enforce => 'nonsense' } });
	my $result = ask('--json', 'reload');
	is("$result->{status} $result->{out}", '1 ', 'a broken configuration: status, and no output');
	like($result->{err}, qr/\Atlsactl: error: \S+tlsad\.conf:\d+: [ -~]*enforce[ -~]*\n\z/, 'and the reason');
	like(outcome(ask('lookup', 'full.dane.lab')), qr/\A0 fingerprint match=/, 'the old one stays');
}

# --- a large cache ---------------------------------------------------------------------------

sub large_daemon
{
	my $directory = Tlsad::Process::private_directory();
	my $fill = Tlsad::Process::build_directory() . '/t/lab/fill-cache';
	mkdir("$directory/cache");
	system($fill, "$directory/cache", $many) == 0 or die "$fill failed\n";
	return Tlsad::Daemon->start(directory => $directory);
}

# Anonymous memory of a process: without the cache, which is a mapped file. [kB]
sub own_memory
{
	my ($pid) = @_;
	open(my $handle, '<', "/proc/$pid/status") or return undef;
	local $/;
	return <$handle> =~ /^RssAnon:\s+(\d+) kB/m ? $1 : undef;
}

sub open_command
{
	my (@arguments) = @_;
	my $pid = open(my $pipe, '-|', Tlsad::Ctl::binary(), '-c', $ctl->config_file, '-s', $large->control,
		@arguments) // die "tlsactl: $!\n";
	return ($pid, $pipe);
}

sub large_cache
{
	for (['list', $many + 2], ['export', $many]) {
		my ($command, $expected) = @$_;
		my ($pid, $pipe) = open_command('cache', $command);
		my ($count, %first, %growth) = (0);
		while (<$pipe>) {
			next unless $count++ % 1000 == 0;
			for my $process ($pid, $large->pid) {
				my $memory = own_memory($process) // next;
				my $more = $memory - ($first{$process} //= $memory);
				$growth{$process} = $more if $more >= ($growth{$process} // 0);
			}
		}
		close($pipe);
		is($? >> 8, 0, "cache $command: status");
		is($count, $expected, "cache $command: lines");
		SKIP: {
			skip('a sanitizer takes memory', 2) if $sanitized;
			cmp_ok($growth{$pid}, '<', GROWTH, "cache $command: tlsactl's memory does not grow");
			cmp_ok($growth{$large->pid}, '<', GROWTH, "cache $command: nor does tlsad's");
		}
	}
	my $result = $ctl->run('-s', $large->control, '--json', 'cache', 'list');
	is(scalar(@{JSON::PP->new->decode($result->{out})}), $many + 1, '--json: one array');
	# One client does not read its list, and another client asks.
	my ($pid, $pipe) = open_command('cache', 'list');
	my $line = <$pipe>;
	is($ctl->run('-s', $large->control, 'status')->{status}, 0, 'a list that is not read does not block other clients');
	kill('KILL', $pid);
	close($pipe);
}

# The size of the output and of tlsactl's temporary file, which is unlinked. [bytes] Sanitizers have
# files of their own in $TMPDIR.
sub written
{
	my ($pid) = @_;
	my $size = 0;
	for (glob("/proc/$pid/fd/*")) {
		$size += (-s $_) // 0
			if (readlink($_) // '') =~ m{^\Q@{[$ctl->directory]}\E/(?:output\z|tlsactl-)};
	}
	return $size;
}

sub killed
{
	my $errors = $ctl->directory . '/errors';
	my $words = qr{\Atlsactl: error: \S+/control: tlsad closed the connection before it responded: see "journalctl -u tlsad"\n\z};
	for my $arguments (['cache', 'list'], ['--json', 'cache', 'list'], ['cache', 'export']) {
		$large->start_again unless $large->alive;
		my $output = $ctl->directory . '/output';
		my $pid = fork() // die "fork: $!\n";
		if ($pid == 0) {
			open(STDOUT, '>', $output);
			open(STDERR, '>', $errors);
			$ENV{TMPDIR} = $ctl->directory;
			exec(Tlsad::Ctl::binary(), '-c', $ctl->config_file, '-s', $large->control, @$arguments)
				or POSIX::_exit(127);
		}
		wait_for("@$arguments writes", sub { written($pid) > 10_000 });
		$large->kill9;
		waitpid($pid, 0);
		is($? >> 8, 69, "@$arguments: status");
		like(Tlsad::Ctl::slurp($errors), $words, 'one line');
		my $text = Tlsad::Ctl::slurp($output);
		if ("@$arguments" eq 'cache list') {
			like($text, qr/\AKIND .*\n(?:(?:mx|host) .*\n)+\z/, 'whole lines');
			cmp_ok($text =~ tr/\n//, '<', $many, 'and not all of them');
		} else {
			is($text, '', 'nothing of what came');
		}
	}
	is_deeply([glob($ctl->directory . '/tlsactl-*')], [], 'no file is left');
}

sub empty_export
{
	$large->start_again unless $large->alive;
	# No destination is complete any more: the daemon reads the whole cache and exports nothing.
	my $flush = $ctl->run('-s', $large->control, 'cache', 'flush', '[mx.example]');
	is(outcome($flush), "0 1 entry deleted from the cache\n", 'the host of them all is flushed');
	is(outcome($ctl->run('-s', $large->control, 'cache', 'export')), '0 ', 'nothing is left to export');
	is($large->stop, 0, 'the daemon ends with status 0');
}
