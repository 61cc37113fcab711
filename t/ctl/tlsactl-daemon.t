#!/usr/bin/perl
# The commands of tlsactl that ask the daemon, with a scripted control socket: the
# output for valid responses, and the messages for errors, a connection that is closed
# after any number of bytes, garbage, silence, and lists that are longer than memory.
# tlsactl-lab.t tests the same commands with a daemon.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Cwd ();
use IO::Socket::UNIX;
use JSON::PP ();
use Socket qw(SOCK_DGRAM SOCK_STREAM);
use Test::More;
use Time::HiRes ();
use Tlsad::Ctl;
use Tlsad::FakeControl;
use Tlsad::Process;

# Entries of a long list; fewer with a sanitizer, which makes them slow.
use constant { MANY => 200_000, MANY_SLOWLY => 20_000 };
# How much tlsactl's memory may grow from the first to the last of them. [kB]
use constant GROWTH => 1024;
# The limit for a lookup: [resolver] timeout plus ten seconds.
use constant { TIMEOUT => 1, LOOKUP_LIMIT => 11 };

my $ctl = Tlsad::Ctl->new(config => { resolver => { timeout => TIMEOUT . 's' } });
my $sanitized = qx(ldd @{[Tlsad::Ctl::binary()]}) =~ /lib[at]san|libubsan/;
my $explanation = JSON::PP->new->decode(<<'END');
{"destination": "example.com", "reply": "OK dane-only", "native": "OK dane-only",
"pinned": "OK fingerprint match=AB:CD", "reason": "dane-full",
"rule": "every MX host has usable TLSA records", "kind": "domain", "port": 25, "ttl": 3000,
"cached": true,
"mx": {"name": "example.com", "status": "found", "dnssec": "secure", "ttl": 3600, "expires": 1},
"hosts": [
{"name": "mx1.example.com", "port": 25, "preference": 10, "status": "usable", "ttl": 3000,
"expires": 1, "base_domain": "mx1.example.com", "stale": true, "stale_until": 1795575600,
"lookups": [
{"name": "mx1.example.com", "type": "A", "status": "found", "dnssec": "secure", "ttl": 3000,
"addresses": ["192.0.2.1", "192.0.2.2"]},
{"name": "mx1.example.com", "type": "AAAA", "status": "nodata", "dnssec": "secure", "ttl": 300},
{"name": "_25._tcp.mx1.example.com", "type": "TLSA", "status": "found", "dnssec": "secure",
"ttl": 3000}],
"tlsa": [
{"usage": 3, "selector": 1, "matching_type": 1, "data": "ABCD", "size": 2, "usable": true,
"match": "AB:CD"},
{"usage": 1, "selector": 1, "matching_type": 1, "data": "EF01", "size": 2, "usable": false,
"why": "certificate usage 1 is not for mail"}]},
{"name": "mx2.example.com", "port": 25, "preference": 20, "status": "failed", "ttl": 30,
"failure": "mx2.example.com A: bogus: no signatures", "expires": 1, "tlsa": [], "lookups": [
{"name": "mx2.example.com", "type": "A", "status": "failed", "dnssec": "unknown",
"failure": "bogus", "detail": "no signatures"}]}]}
END

subtest('no daemon' => \&no_daemon);
subtest('lookup' => \&lookup);
subtest('explain' => \&explain_command);
subtest('explain: the reason of a failure' => \&explain_failure);
subtest('status' => \&status);
subtest('cache list' => \&cache_list);
subtest('cache show' => \&cache_show);
subtest('cache flush' => \&cache_flush);
subtest('cache export' => \&cache_export);
subtest('warm' => \&warm);
subtest('a disk that is full' => \&full_disk);
subtest('a list longer than memory' => \&long_list);
subtest('reload' => \&reload);
subtest('a connection closed during a response' => \&hang_up);
subtest('garbage' => \&garbage);
subtest('silence' => \&silence);
subtest('requests that cannot be sent' => \&impossible);
done_testing();

# Runs tlsactl with this control socket; $fake may be a path.
sub ask
{
	my ($fake, @arguments) = @_;
	my @options = ref $arguments[0] ? shift @arguments : ();
	return $ctl->run(@options, '-s', ref $fake ? $fake->path : $fake, @arguments);
}

sub outcome
{
	my ($result) = @_;
	return "$result->{status} $result->{out}$result->{err}";
}

# Expects one line on standard error that matches, and nothing on standard output.
sub one_line
{
	my ($result, $status, $words, $what) = @_;
	is("$result->{status} $result->{out}", "$status ", "$what: status, and no output");
	like($result->{err}, qr/\Atlsactl: error: [ -~]+\n\z/, "$what: one line");
	like($result->{err}, $words, "$what: the words");
}

my @requests;
BEGIN {
	@requests = (['lookup', 'a.example'], ['explain', 'a.example'], ['status'],
		['cache', 'list'], ['cache', 'show', 'a.example'], ['cache', 'flush', 'a.example'],
		['cache', 'flush', '--all'], ['cache', 'export'], ['reload']);
}

sub no_daemon
{
	my $directory = $ctl->directory;
	my $list = $ctl->file('list', "a.example\n");
	one_line(ask("$directory/nowhere", @$_), 69, qr{/nowhere: there is no such socket}, "@$_")
		for @requests, ['warm', $list];
	one_line(ask("$directory/nowhere", '--json', @$_), 69, qr/no such socket/, "--json @$_")
		for @requests, ['warm', $list];
	one_line(ask("unix:$directory/nowhere", 'status'), 69, qr{error: \Q$directory\E/nowhere: },
		'unix:');
	one_line(ask($list, 'status'), 69, qr{/list: this is not a socket}, 'a file');
	one_line(ask($directory, 'status'), 69, qr{: this is not a socket}, 'a directory');
	one_line(ask("$list/control", 'status'), 69, qr/cannot connect: Not a directory; name tlsad's control socket with -s/, 'below a file');
	one_line(ask('/x' x 60, 'status'), 69, qr/path of a socket has at most 107 characters; name a shorter one with -s/, 'a long path');
	IO::Socket::UNIX->new(Local => "$directory/left-over", Type => SOCK_STREAM, Listen => 1)->close;
	one_line(ask("$directory/left-over", 'status'), 69, qr/no process listens on this socket: start tlsad/,
		'a socket left over');
	my $datagrams = IO::Socket::UNIX->new(Local => "$directory/datagrams", Type => SOCK_DGRAM);
	one_line(ask("$directory/datagrams", 'status'), 69, qr/datagrams: /, 'another kind of socket');
	one_line(ask('/nowhere', '-c', '/nowhere.conf', 'status'), 78, qr{/nowhere\.conf: },
		'a configuration that is named and missing');
	SKIP: {
		skip('root may open any socket', 3) if $> == 0;
		my $fake = Tlsad::FakeControl->start(sub { });
		chmod(0, $fake->path);
		one_line(ask($fake, 'status'), 69, qr/permission denied: only root and .* run tlsactl as root/, 'a socket that is not for us');
	}
	# The listen queue is full, so connect(2) waits.
	my $busy = IO::Socket::UNIX->new(Local => "$directory/busy", Type => SOCK_STREAM, Listen => 1);
	my @waiting = map { my $socket = IO::Socket::UNIX->new(Type => SOCK_STREAM);
		$socket->blocking(0);
		connect($socket, Socket::pack_sockaddr_un("$directory/busy")); $socket } 1 .. 4;
	my $result = ask("$directory/busy", 'status');
	one_line($result, 69, qr/did not accept the connection within 5 seconds/, 'a daemon that does not accept');
	cmp_ok($result->{seconds}, '<', 9, 'and it is not waited for long');
}

sub lookup
{
	my %replies = ('found.example' => 'OK dane-only', 'none.example' => 'NOTFOUND ',
		'temp.example' => 'TEMP mx.temp.example TLSA: bogus: no signatures',
		'late.example' => 'TIMEOUT too late', 'perm.example' => 'PERM there is no such map',
		'strange.example' => 'what', 'long.example' => 'OK fingerprint match=' . 'AB:' x 32000);
	my $fake = Tlsad::FakeControl->start(sub {
		my ($peer, $request) = @_;
		my $reply = $replies{$request->{key}};
		return $peer->error($request, "what is \e[31mthat?") unless defined $reply;
		$peer->answer($request, { reply => $reply });
	});
	is(outcome(ask($fake, 'lookup', 'found.example')), "0 dane-only\n", 'found');
	my $none = ask($fake, 'lookup', 'none.example');
	is("$none->{status} $none->{out}", '1 ', 'NOTFOUND: status, and no value for scripts');
	is($none->{err}, 'NOTFOUND: tlsad gives no policy for none.example, so Postfix uses its '
		. "smtp_tls_security_level; \"tlsactl explain none.example\" shows why\n", 'and in words');
	is(outcome(ask($fake, 'lookup', '-m', 'tlsa', 'none.example')),
		"1 NOTFOUND: the map tlsa has no value for none.example\n", 'of a map without policies');
	one_line(ask($fake, 'lookup', 'temp.example'), 75, qr/TEMP: mx\.temp\.example TLSA: bogus/, 'TEMP');
	one_line(ask($fake, 'lookup', 'late.example'), 75, qr/TIMEOUT: too late/, 'TIMEOUT');
	one_line(ask($fake, 'lookup', 'perm.example'), 1, qr/PERM: --map policy: there is no such map/, 'PERM');
	one_line(ask($fake, 'lookup', 'strange.example'), 69, qr/'what', which is not a socketmap reply/, 'no reply');
	one_line(ask($fake, 'lookup', 'error.example'), 75, qr/what is \\x1b\[31mthat\?/, 'an error');
	is(length(ask($fake, 'lookup', 'long.example')->{out}), 18 + 96000 + 1, 'a long one');
	is(outcome(ask($fake, 'lookup', '--map', 'pinned', 'found.example')), "0 dane-only\n", '--map');
	is_deeply([map { $_->{map} } ($fake->requests)[0, -1]], ['policy', 'pinned'],
		'the request names the map');
	for (['found.example', 0, 'OK', 'dane-only', undef], ['none.example', 1, 'NOTFOUND', undef, undef],
		['temp.example', 75, 'TEMP', undef, 'mx.temp.example TLSA: bogus: no signatures']) {
		my ($key, $status, $word, $value, $detail) = @$_;
		my $result = $ctl->json('-s', $fake->path, 'lookup', $key);
		is("$result->{status} $result->{err}", "$status ", "--json $key");
		is_deeply($result->{json}, { key => $key, map => 'policy', status => $word,
			value => $value, detail => $detail }, "--json $key: the object");
	}
}

sub explain_command
{
	my $fake = Tlsad::FakeControl->start(sub {
		my ($peer, $request) = @_;
		my %changed = (%$explanation, 'reply', $request->{key} eq 'temp.example' ? 'TEMP x'
			: $request->{key} eq 'none.example' ? 'NOTFOUND ' : 'OK dane-only');
		%changed = (%changed, kind => undef, mx => undef, hosts => [])
			if $request->{key} eq 'none.example';
		$changed{reply} = "OK \e[31m" if $request->{key} eq 'colour.example';
		delete $changed{reply} if $request->{key} eq 'empty.example';
		$changed{hosts} = [{ name => 'mx1.example.com', lookups => [{ type => 'A', addresses => ['192.0.2.1', 1, undef] }] }]
			if $request->{key} eq 'number.example';
		$changed{hosts} = [{ name => 'mx1.example.com', tlsa => [{ usage => 3, selector => 1, matching_type => 1,
			data => 'ABCD', usable => JSON::PP::true }], tlsa_not_shown => $request->{key} =~ /one/ ? 1 : 68 }]
			if $request->{key} =~ /more/;
		$changed{pinned} = 'OK fingerprint match=' . 'A' x 4075 . '...' if $request->{key} eq 'more.example';
		$changed{hosts}[0]{lookups}[0]{addresses} = [('2001:db8::1') x 1000] if $request->{key} eq 'more.example';
		$peer->answer($request, { explanation => \%changed });
	});
	my $result = ask($fake, 'explain', 'more.example');
	like($result->{out}, qr/^      usable             3 1 1 abcd\n      \.\.\.   +and 68 more TLSA records\n/m, 'records that are not shown');
	like($result->{out}, qr/^pinned +OK fingerprint match=A{4075}\.\.\.$/m, 'a reply that was cut');
	like($result->{out}, qr/ 2001:db8:[^\n]*\.\.\.$/m, 'a list that does not fit');
	like(ask($fake, 'explain', 'onemore.example')->{out}, qr/ and 1 more TLSA record\n/, 'one record');
	$result = ask($fake, 'explain', 'example.com');
	is("$result->{status} $result->{err}", '0 ', 'found');
	my $tree = $result->{out} =~ s/(expires in 50 minutes, )\d.*UTC$/$1.../mr;
	is($tree, <<'END', 'the tree');
dane-only    example.com

secure        60m  MX    example.com: 2 hosts
  usable      50m  host  mx1.example.com:25, preference 10; expired entry still used, until 2026-11-25 03:00 UTC at the latest: refreshing it failed
    secure    50m  A     mx1.example.com: 192.0.2.1, 192.0.2.2
    secure     5m  AAAA  mx1.example.com: no records of this type
    secure    50m  TLSA  _25._tcp.mx1.example.com
      usable             3 1 1 abcd
      unusable             1 1 1 ef01: certificate usage 1 is not for mail
  failed      30s  host  mx2.example.com:25, preference 20
    bogus          A     mx2.example.com: bogus: no signatures

rule         dane-full: every MX host has usable TLSA records
policy       OK dane-only
native       the same as policy
pinned       OK fingerprint match=AB:CD
cached       yes, all of it; the first entry expires in 50 minutes, ...
END
	$result = ask($fake, 'explain', 'none.example');
	is($result->{status}, 1, 'not found');
	like($result->{out}, qr/\ANOTFOUND     example\.com\n\nrule/, 'without a tree then');
	$result = ask($fake, 'explain', 'temp.example');
	is("$result->{status} $result->{err}", '75 ', 'a temporary failure');
	like($result->{out}, qr/\ATEMP  /, 'said in the first line');
	like(ask($fake, 'explain', 'number.example')->{out}, qr/: 192\.0\.2\.1\n/, 'an address that is not a string is left out');
	one_line(ask($fake, 'explain', 'empty.example'), 69, qr/response has no "reply"/, 'no explanation');
	one_line(ask($fake, 'explain', 'colour.example'), 69, qr/not a response of tlsad/, 'control characters');
	$result = $ctl->json('-s', $fake->path, 'explain', 'example.com');
	is_deeply($result->{json}, $explanation, '--json: the object as it is');
	is($result->{status}, 0, '--json: status');
	is($ctl->json('-s', $fake->path, 'explain', 'temp.example')->{status}, 75,
		'--json: a temporary failure');
}

# The status that a daemon sends, with a member that this tlsactl does not know.
sub full_status
{
	return { version => '1.0', pid => 4711, uptime => 7300, started => 1795575600,
		versions => { libunbound => '1.17.1', openssl => '3.0.11' }, endpoints => ['a', 'b'],
		healthy => JSON::PP::true, health => 'ok', workers => 2, connections => 3, accepted => 10,
		refused => 1, requests => 8, hits => 6, misses => 2, invalid => 1,
		replies => { ok => 5, notfound => 2, temp => 1, perm => 0 }, mode => 'enforce',
		would => { ok => 0, notfound => 0, temp => 0, perm => 0 },
		rules => { minimums => 4, exceptions => 1 },
		policy => { endpoints => ['p', 'q'], requests => 3, hits => 3, misses => 0, unreadable => 2, monitored => 0,
			replies => { dunno => 3, prepend => 0, lacking => 0, defer => 0 } },
		lookups => { requests => 9, joined => 1, parts => 12, failures => 2, in_flight => 0,
			reasons => { 'dane-full' => 5 } },
		sts => { fetches => 6, results => { fetched => 5, timeout => 1 },
			policies => { enforce => 3, testing => 1, none => 0 } },
		deferred => { destinations => 0, longest => 0 },
		resolver => { state => 'works', text => 'the root zone is secure' },
		dns => { secure => 40, bogus => 1 },
		cache => { path => '/var/cache/tlsad', entries => 30, size => 18800000, max_size => 1 << 30,
			evicted => 0 },
		new => { thing => 7, other => { deep => 'x' } } };
}

# An explanation with these members changed, as text.
sub explain_text
{
	my (%change) = @_;
	my $fake = Tlsad::FakeControl->start(sub {
		$_[0]->answer($_[1], { explanation => { %$explanation, %change } }) });
	return ask($fake, 'explain', 'example.com')->{out};
}

# The reason of a failure is printed once, whether the MX set or a host has failed.
sub explain_failure
{
	my $mx_reason = 'example.com MX: bogus: no signatures';
	my %failed = (mx => { name => 'example.com', status => 'failed', dnssec => 'bogus', ttl => 30,
		failure => $mx_reason }, hosts => []);
	my %all = map { ($_ => "TEMP $mx_reason") } qw(reply native pinned);
	my $text = explain_text(%failed, %all);
	is(scalar(() = $text =~ /no signatures/g), 1, 'MX: the reason is printed once');
	like($text, qr/^bogus         30s  MX    example\.com$/m, 'MX: the tree has the name');
	like($text, qr/^policy       TEMP \Q$mx_reason\E\nnative       the same as policy\n/m, 'MX: policy has it');
	like($text, qr/^pinned       the same as policy$/m, 'MX: and pinned refers to it');
	$text = explain_text(%failed, %all, reply => 'OK may');
	like($text, qr/^bogus         30s  MX    \Q$mx_reason\E$/m, 'an exception: the tree has it');
	like($text, qr/^native       TEMP .*\npinned       the same as native$/m, 'an exception: pinned is as native');
	$text = explain_text(%failed, %all, reply => 'NOTFOUND ', monitor => JSON::PP::true, would => $all{reply});
	is(scalar(() = $text =~ /no signatures/g), 1, 'monitor mode: once');
	like($text, qr/^policy       NOTFOUND\nmonitor      nothing is enforced; without monitor mode the reply would be TEMP /m,
		'monitor mode: in words');
	like($text, qr/^native       the same as monitor$/m, 'monitor mode: native is what it would be');
	$text = explain_text(reply => 'TEMP mx2.example.com A: bogus: no signatures');
	is(scalar(() = $text =~ /no signatures/g), 1, 'a host: once');
	like($text, qr/^    bogus          A     mx2\.example\.com: bogus$/m, 'a host: the tree has the kind of failure');

	my %exception = (domain => 'example.com', level => 'may', state => 'whatever it says', why => 'x');
	my $script = Tlsad::Process::find_program('script');
	SKIP: {
		skip('script(1) is not installed', 2) unless defined $script;
		for ([JSON::PP::true, qr/\e\[33mexception\e\[0m/], [JSON::PP::false, qr/^exception /m]) {
			my ($in_force, $expected) = @$_;
			my $fake = Tlsad::FakeControl->start(sub { $_[0]->answer($_[1], { explanation =>
				{ %$explanation, exception => { %exception, in_force => $in_force } } }) });
			my $command = join(' ', Tlsad::Ctl::binary(), '-s', $fake->path, '-c', $ctl->config_file);
			like(qx(TERM=xterm $script -qec '$command explain example.com' /dev/null </dev/null), $expected,
				'the colour of an exception: in_force ' . ($in_force ? 'true' : 'false'));
		}
	}
}

# tlsactl status of a daemon whose status has these members changed.
sub ask_status
{
	my ($change, @options) = @_;
	my $object = { %{full_status()}, %$change };
	delete @$object{grep { !defined $object->{$_} } keys %$object};
	my $fake = Tlsad::FakeControl->start(sub { $_[0]->answer($_[1], { status => $object }) });
	return ask($fake, @options, 'status');
}

sub status
{
	my $result = ask_status({});
	is("$result->{status} $result->{err}", '0 ', 'status');
	is($result->{out}, <<'END', 'the text');
healthy        yes
DNSSEC         works: the root zone is secure
deferred       no destination
mode           enforce
running        for 2 hours, since 2026-11-25 03:00 UTC
version        1.0, process 4711
libraries      libunbound 1.17.1, openssl 3.0.11

socketmap requests (smtp_tls_policy_maps)
  endpoints    a, b
  requests     8
  replies      2 NOTFOUND, 5 OK, 0 PERM, 1 TEMP
  cache        6 answered from the cache, 2 had to wait for a lookup (75 % from the cache)
  invalid      1 with a key that is not a mail destination

policy requests (check_policy_service)
  endpoints    p, q
  requests     3
  actions      0 defer, 3 dunno, 0 lacking, 0 prepend
  cache        3 answered from the cache, 0 had to wait for a lookup (100 % from the cache)
  unreadable   2 that could not be read; tlsad closed the connection

connections
  open         3 now, of socketmap and policy clients together
  accepted     10
  refused      1 from addresses that [server] allow does not contain
  workers      2 serving threads

lookups
  results      5 dane-full
  requests     9, of which 1 joined an equal lookup that was running
  running      0 now
  parts        12 MX sets, hosts and MTA-STS policies looked up, of which 2 failed
  DNS queries  1 bogus, 40 secure

MTA-STS
  policies     3 enforce, 0 none, 1 testing
  downloads    6 of policies
  outcomes     5 fetched, 1 timeout

cache
  size         17.9 MiB of 1 GiB (1.8 %)
  entries      30 MX sets, hosts, MTA-STS policies and trust anchors
  evicted      0 entries deleted before they expired, to make room
  directory    /var/cache/tlsad

rules of this site
  minimums     4
  exceptions   1

other
  new.other.deep x
  new.thing    7
END
	$result = ask_status({}, '--json');
	is_deeply(JSON::PP->new->decode($result->{out}), full_status(), '--json: the exact numbers');

	my $monitor = ask_status({ mode => 'monitor', would => { ok => 6 },
		policy => { monitored => 1 }, deferred => { destinations => 2, longest => 7300 } })->{out};
	like($monitor, qr/^mode +monitor: nothing is enforced; Postfix gets NOTFOUND for every destination$/m,
		'monitor mode');
	like($monitor, qr/^  monitor mode replies that would have been given: 6 OK$/m, 'its "would" in words');
	like($monitor, qr/^  monitor mode 1 got dunno instead of another action$/m, 'and of the policy service');
	like($monitor, qr/^deferred +2 destinations whose last reply would have been TEMP, the longest for 2 hours: tlsad's log /m,
		'deferred destinations, whose mail is delivered in monitor mode');
	like(ask_status({ deferred => { destinations => 1, longest => 60 } })->{out},
		qr/^deferred +1 destination whose last reply was TEMP, the longest for 60 seconds: Postfix keeps the mail /m,
		'and is not delivered in the other mode');
	like(ask_status({ would => { temp => 1 } })->{out}, qr/^  monitor mode .*: 1 TEMP$/m,
		'the counts stay after monitor mode has ended');

	my @rows = (['stripped', 'DNSSEC validation does not work', qr/^what to do +run "tlsactl doctor" as root/m],
		['unknown', 'not yet', qr/^what to do +right after a start wait .* run "tlsactl doctor" as root/m],
		['works', 'a thread is stuck', qr/^what to do +systemctl restart tlsad; /m]);
	for (@rows) {
		my ($state, $health, $remedy) = @$_;
		my $bad = ask_status({ healthy => JSON::PP::false, health => $health,
			resolver => { state => $state, text => 'x' } });
		is($bad->{status}, 0, "$state: the status is known");
		like($bad->{out}, qr/\Ahealthy +NO: \Q$health\E\nwhat to do /, "$state: why, in the first line");
		like($bad->{out}, $remedy, "$state: what to do");
	}
	my %missing = map { ($_ => undef) } keys %{full_status()};
	is(outcome(ask_status({ %missing, version => '0.9' })), "0 version        0.9, process 0\n",
		'members that are missing');
}

my @entries;
BEGIN {
	@entries = (
		{ kind => 'mx', name => 'example.com', status => 'found', dnssec => 'secure',
			ttl => 3600, expires => 1, stale => JSON::PP::false },
		{ kind => 'host', name => 'mx.example.com', port => 25, status => 'usable', ttl => 59,
			expires => 1, stale => JSON::PP::true },
		{ kind => 'anchor', name => 'ABCD', ttl => 7 * 86400, expires => 1 });
}

sub cache_list
{
	my $count = 3;
	my $fake = Tlsad::FakeControl->start(sub {
		my ($peer, $request) = @_;
		$peer->entry($request, $_) for @entries;
		$peer->answer($request, { count => 3 });
	});
	is(outcome(ask($fake, 'cache', 'list')), <<'END', 'columns');
0 KIND     STATUS       DNSSEC     LEFT  NAME
mx       found        secure      60m  example.com
host     usable       -           59s  mx.example.com:25 (expired, still used)
anchor   -            -            7d  ABCD
END
	my $result = ask($fake, '--json', 'cache', 'list');
	is("$result->{status} $result->{err}", '0 ', '--json');
	is_deeply(JSON::PP->new->decode($result->{out}), \@entries, 'one array');
	my $empty = Tlsad::FakeControl->start(sub { $_[0]->answer($_[1], { count => 0 }) });
	is(outcome(ask($empty, 'cache', 'list')), '0 ', 'an empty cache');
	is(outcome(ask($empty, '--json', 'cache', 'list')), "0 []\n", 'the same with --json');
	my $error = Tlsad::FakeControl->start(sub {
		$_[0]->entry($_[1], $entries[0]);
		$_[0]->error($_[1], 'the cache is gone');
	});
	one_line(ask($error, '--json', 'cache', 'list'), 1, qr/the cache is gone/, 'an error after it');
	my $tmp = $ctl->directory . '/nowhere';
	one_line(ask($fake, { env => { TMPDIR => $tmp } }, '--json', 'cache', 'list'), 74,
		qr{/nowhere: cannot write a temporary file: No such file or directory; set TMPDIR}, 'TMPDIR');
	is_deeply([glob($ctl->directory . '/tlsactl-*')], [], 'no file is left');
	SKIP: {
		skip('there is no /dev/full', 4) unless -e '/dev/full';
		my $command = join(' ', Tlsad::Ctl::binary(), '-c', $ctl->config_file, '-s', $fake->path);
		is(qx($command $_ 2>&1 >/dev/full; echo \$?), "tlsactl: error: cannot write to "
			. "standard output: No space left on device\n74\n", "$_ >/dev/full")
			for 'cache list', '--json cache list';
		# The table must not go into the control socket, which would get the free number.
		is(qx($command $_ 2>&1 >&-; echo \$?), "tlsactl: error: cannot write to "
			. "standard output: Bad file descriptor\n74\n", "$_ >&-")
			for 'cache list', '--json cache list';
	}
}

sub cache_show
{
	my $fake = Tlsad::FakeControl->start(sub {
		my ($peer, $request) = @_;
		$peer->answer($request, { explanation =>
			$request->{key} eq 'example.com' ? $explanation : undef });
	});
	my $result = ask($fake, 'cache', 'show', 'example.com');
	is("$result->{status} $result->{err}", '0 ', 'a destination in the cache');
	like($result->{out}, qr/^  usable .* mx1\.example\.com:25/m, 'the tree');
	is_deeply($ctl->json('-s', $fake->path, 'cache', 'show', 'example.com')->{json}, $explanation,
		'--json');
	one_line(ask($fake, 'cache', 'show', 'b.example'), 1, qr/b\.example: the cache does not have all of it; "tlsactl explain" looks it up/,
		'a destination that is not in the cache');
	one_line(ask($fake, '--json', 'cache', 'show', 'b.example'), 1, qr/does not have all of it/, '--json');
}

sub cache_flush
{
	my $fake = Tlsad::FakeControl->start(sub {
		my ($peer, $request) = @_;
		return $peer->error($request, 'that is not a destination') if ($request->{key} // '') eq '!';
		$peer->answer($request, { flushed => $request->{all} ? 1000 : 1 });
	});
	is(outcome(ask($fake, 'cache', 'flush', 'a.example')), "0 1 entry deleted from the cache\n", 'a destination');
	is(outcome(ask($fake, 'cache', 'flush', '--all')), "0 1000 entries deleted from the cache\n", '--all');
	is_deeply([map { delete $_->{id}; $_ } $fake->requests],
		[{ verb => 'flush', key => 'a.example' }, { verb => 'flush', all => JSON::PP::true }],
		'the requests');
	is_deeply($ctl->json('-s', $fake->path, 'cache', 'flush', '-a')->{json}, { flushed => 1000 },
		'--json');
	one_line(ask($fake, 'cache', 'flush', '!'), 1, qr/that is not a destination/, 'an error');
	for (['cache', 'flush'], ['cache', 'flush', 'a.example', '--all'], ['cache', 'flush', 'a', 'b']) {
		my $result = ask($fake, @$_);
		is("$result->{status} $result->{out}", '64 ', "@$_: usage");
	}
	is(scalar($fake->requests), 4, 'and nothing was asked for then');
}

sub cache_export
{
	my $fake = Tlsad::FakeControl->start(sub {
		my ($peer, $request) = @_;
		return $peer->error($request, 'there is no such map') if $request->{map} eq 'none';
		$peer->entry($request, { key => 'a.example', value => 'dane-only' });
		$peer->entry($request, { key => '[b.example]:587', value => $request->{map} });
		$peer->entry($request, { key => '#', value => 'dane' }) if $request->{map} eq 'odd';
		$peer->answer($request, { count => 2 });
	});
	is(outcome(ask($fake, 'cache', 'export')), "0 a.example dane-only\n[b.example]:587 policy\n",
		'lines');
	is(outcome(ask($fake, 'cache', 'export', '--map', 'native')),
		"0 a.example dane-only\n[b.example]:587 native\n", '--map');
	my $result = ask($fake, '--json', 'cache', 'export');
	is_deeply(JSON::PP->new->decode($result->{out}), [{ key => 'a.example', value => 'dane-only' },
		{ key => '[b.example]:587', value => 'policy' }], '--json: an array');
	one_line(ask($fake, 'cache', 'export', '--map', 'none'), 1, qr/there is no such map/, 'no map');
	my $odd = ask($fake, 'cache', 'export', '--map', 'odd');
	is("$odd->{out}", '', 'a key that would be a comment: no table');
	is($odd->{status}, 69, 'and no success');
}

sub warm
{
	my @held;
	# Answers four requests at a time, the last one first.
	my $fake = Tlsad::FakeControl->start(sub {
		my ($peer, $request) = @_;
		push @held, $request;
		return if @held < 4 && $request->{key} ne 'last.example';
		$peer->note('held ' . scalar(@held));
		for (reverse splice(@held)) {
			my $key = $_->{key};
			if ($key =~ /^error/) { $peer->error($_, 'out of memory') }
			else { $peer->answer($_, { reply => $key =~ /^temp/ ? "TEMP $key MX: timeout"
				: $key =~ /^none/ ? 'NOTFOUND ' : 'OK dane-only' }) }
		}
	});
	my $list = $ctl->file('list', "# a list\n\n  a.example  \nb.example dane-only\ntemp.example # why?\n"
		. "none.example\n\t\nerror.example\r\n" . "x" x 3000 . "\n\xff.example\nlast.example");
	my $result = ask($fake, 'warm', $list);
	is("$result->{status} $result->{err}", '75 ', 'some failed');
	is_deeply([map { $_->{key} } $fake->requests], [qw(a.example b.example temp.example
		none.example error.example last.example)], 'the requests');
	is_deeply([sort grep { /^failed/ } split(/\n/, $result->{out} =~ s/x{1055}/x.../r)],
		['failed    \xff.example: the destination is too long or is not UTF-8', 'failed    error.example: out of memory',
		'failed    temp.example: temp.example MX: timeout',
		'failed    x...: the destination is too long or is not UTF-8'], 'the failures with their reasons');
	like($result->{out}, qr/^done      8 in \d+ seconds?: 3 with a policy, 1 without, 4 failed\n\z/m,
		'the summary');
	is(($fake->notes)[0], 'held 4', 'several are under way');
	$result = $ctl->json('-s', $fake->path, 'warm', $list);
	is($result->{status}, 75, '--json');
	cmp_ok(delete $result->{json}{seconds}, '>=', 0, '--json: time');
	is(scalar(@{delete $result->{json}{failures}}), 4, '--json: failures');
	is_deeply($result->{json}, { done => 8, found => 3, not_found => 1, failed => 4 },
		'--json: figures');

	my $quick = Tlsad::FakeControl->start(sub { $_[0]->answer($_[1], { reply => 'OK dane' }) });
	my $many = join('', map { "d$_.example\n" } 1 .. 2000);
	like(outcome(ask($quick, 'warm', $ctl->file('list', $many), '--parallel', 7)),
		qr/\A0 done      2000 in \d+ seconds?: 2000 with a policy, 0 without, 0 failed\n\z/, 'a list');
	is(outcome(ask($quick, 'warm', $ctl->file('list', ''))) =~ s/in .*:/.../r,
		"0 done      0 ... 0 with a policy, 0 without, 0 failed\n", 'an empty list');
	my $command = join(' ', Tlsad::Ctl::binary(), '-s', $quick->path, '-c', $ctl->config_file);
	like(qx(printf 'a.example\\nb.example\\n' | $command warm - 2>&1), qr/^done +2 /,
		'standard input');
	SKIP: {
		my $script = Tlsad::Process::find_program('script');
		skip('script(1) is not installed', 5) unless defined $script;
		my $slow = Tlsad::FakeControl->start(sub { Time::HiRes::sleep(0.05);
			$_[0]->answer($_[1], { reply => $_[1]{key} =~ /^d7/ ? 'TEMP x' : 'OK dane' }) });
		my $seen = $ctl->file('list', join('', map { "d$_.example\n" } 1 .. 60));
		my $screen = qx(TERM=xterm script -qec '@{[$command =~ s/\Q@{[$quick->path]}/$slow->path/er]} warm $seen' /dev/null </dev/null);
		like($screen, qr{\r\d+ done, \d+/s, \d failed(?:, \d+ \w+ left)?\e\[K}, 'progress');
		like($screen, qr/done\e\[0m +60 in /, 'and the summary');
		my $command_of = $command =~ s/\Q@{[$quick->path]}/$slow->path/er;
		$seen = $ctl->file('list', join('', map { "d7$_.example\n" } 1 .. 60));
		$screen = qx(TERM=xterm $script -qec 'stty cols 20; $command_of warm $seen' /dev/null </dev/null);
		my @lines = $screen =~ /\r([^\r\n]*done, [^\r\n]*?)\e\[K/g;
		ok(scalar(@lines), 'progress on a narrow one');
		is(join('', grep { length > 39 } @lines), '', 'which fits, or else would wrap');
		ok((grep { /, [1-9]\d* seconds? left/ } @lines), 'a list that is all under way takes its time all the same');
	}
	my $directory = $ctl->directory;
	one_line(ask($quick, 'warm', "$directory/nowhere"), 1, qr/nowhere: cannot open the list: No such file [^\n]*; name a file with one destination/, 'no list');
	one_line(ask($quick, 'warm', $directory), 1, qr/this is a directory; name a file/, 'a directory');
	is(ask($quick, 'warm', $list, '--parallel', $_)->{status}, 64, "--parallel $_") for 0, 1025, 'x';
}

# With ulimit -f 0 pipes can be written, but no files.
sub full_disk
{
	my $fake = Tlsad::FakeControl->start(sub {
		my ($peer, $request) = @_;
		return $peer->answer($request, { reply => 'TEMP why' }) if $request->{verb} eq 'lookup';
		$peer->entry($request, { kind => 'mx', name => 'a.example', key => 'a.example', value => 'dane' });
		$peer->answer($request, { count => 1 });
	});
	my $list = $ctl->file('list', "a.example\n");
	my $command = join(' ', Tlsad::Ctl::binary(), '-c', $ctl->config_file, '-s', $fake->path);
	for my $arguments ('--json cache list', 'cache export', "--json warm $list") {
		my $text = qx(exec 2>&1; trap '' XFSZ; ulimit -f 0; $command $arguments; echo \$?);
		my $tmp = ($ENV{TMPDIR} // '') ne '' ? $ENV{TMPDIR} : '/tmp';
		is($text, "tlsactl: error: $tmp: cannot write a temporary file: File too large; set TMPDIR to another "
			. "directory\n74\n", "$arguments: one line, and no half of an output");
	}
}

sub long_list
{
	my $many = $sanitized ? MANY_SLOWLY : MANY;
	my $entry = '{"id":%d,"entry":{"kind":"mx","name":"domain-%d.example","status":"found",'
		. '"dnssec":"secure","ttl":%d,"expires":1795575600,"stale":false}}';
	my $line = '{"id":%d,"entry":{"key":"domain-%d.example","value":"dane-only"}}';
	my $fake = Tlsad::FakeControl->start(sub {
		my ($peer, $request) = @_;
		my ($buffer, $first) = ('');
		my $format = $request->{verb} eq 'list' ? $entry : $line;
		for (1 .. $many) {
			$buffer .= Tlsad::FakeControl::frame(sprintf($format, $request->{id}, $_, $_));
			next if $_ % 1000 != 0;
			$peer->raw($buffer);
			$buffer = '';
			$first //= $peer->highest_memory;
		}
		$peer->note($peer->highest_memory - $first);
		$peer->answer($request, { count => $many });
	});
	for (['cache', 'list'], ['--json', 'cache', 'list'], ['cache', 'export']) {
		my $result = ask($fake, @$_);
		is("$result->{status} $result->{err}", '0 ', "@$_: status");
		is($result->{out} =~ tr/\n//, $many + ("@$_" eq 'cache export' ? 0 : "@$_" eq 'cache list' ? 1 : 2),
			"@$_: lines");
		SKIP: {
			skip('a sanitizer takes memory', 1) if $sanitized;
			cmp_ok(($fake->notes)[-1], '<', GROWTH, "@$_: memory does not grow");
		}
	}
	my $command = join(' ', Tlsad::Ctl::binary(), '-c', $ctl->config_file, '-s', $fake->path);
	like(qx($command cache list 2>&1 | head -n 2), qr/\AKIND .*\nmx .*\n\z/,
		'a reader that closes the pipe early gets no message');
}

sub reload
{
	my %answers = (0 => { changed => ['dane.enforce'], restart => ['server.socketmap'] },
		1 => { changed => [], restart => [] });
	my $count = 0;
	my $fake = Tlsad::FakeControl->start(sub {
		my ($peer, $request) = @_;
		my $answer = $answers{$count++ % 3};
		return $peer->answer($request, $answer) if $answer;
		$peer->error($request, 'tlsad.conf:3: there is no setting x');
	});
	is(outcome(ask($fake, 'reload')), "0 changed  dane.enforce\nrestart  server.socketmap: "
		. "applied when tlsad restarts\n", 'what changed');
	is(outcome(ask($fake, 'reload')), "0 nothing has changed\n", 'nothing');
	one_line(ask($fake, 'reload'), 1, qr/tlsad\.conf:3: there is no setting x/, 'a bad file');
	is_deeply($ctl->json('-s', $fake->path, 'reload')->{json}, $answers{0}, '--json');
	my $mute = Tlsad::FakeControl->start(sub { $_[0]->answer($_[1], {}) });
	one_line(ask($mute, 'reload'), 69, qr/response has no "changed"/, 'an empty response');
	one_line(ask($mute, 'cache', 'flush', '--all'), 69, qr/response has no "flushed"/, 'the same to flush');
}

# The daemon closes the connection after some number of bytes of its response.
sub hang_up
{
	my $list = $ctl->file('list', "a.example\n");
	for my $cut (0, 1, 3, 40, 200, 399) {
		my $fake = Tlsad::FakeControl->start(sub {
			my ($peer, $request) = @_;
			$peer->cut($cut);
			$peer->hang_up if $cut == 0;
			if ($request->{verb} =~ /^(?:list|export)/) {
				$peer->entry($request, { kind => 'mx', key => 'a.example',
					name => 'a.example', value => 'dane' }) for 1 .. 9;
			}
			$peer->answer($request, { reply => 'OK dane', explanation => $explanation,
				status => {}, changed => [], restart => [], flushed => 1,
				x => 'x' x 400 });
		});
		my $words = qr/: tlsad closed the connection before it responded: see "journalctl -u tlsad"$/m;
		for my $request (@requests, ['warm', $list]) {
			my @json = "@$request" eq 'cache list' || "@$request" eq 'warm' ? '--json' : ();
			one_line(ask($fake, @json, @$request), 69, $words, "after $cut bytes: @$request");
		}
		my $result = ask($fake, 'cache', 'list');
		is($result->{status}, 69, "after $cut bytes: cache list as text");
		like($result->{err}, $words, 'and one line');
	}
}

sub garbage
{
	my @rows = (
		['no netstring', "HTTP/1.1 400 Bad Request\r\n\r\n"],
		['a length with a leading zero', '01:x,'],
		['without a comma', '2:{};'],
		['a length beyond all bounds', '99999999:'],
		['no JSON', Tlsad::FakeControl::frame('PERM there is no such map')],
		['no object', Tlsad::FakeControl::frame('[]')],
		['nothing', Tlsad::FakeControl::frame('')],
		['no id', Tlsad::FakeControl::frame('{"ok":true}')],
		['an invalid id', Tlsad::FakeControl::frame('{"id":"1","ok":true}')],
		['neither an answer nor an error', Tlsad::FakeControl::frame('{"id":1,"reply":"OK x"}')],
		['an unexpected entry', Tlsad::FakeControl::frame('{"id":1,"entry":{}}')],
		['an entry that is not an object', Tlsad::FakeControl::frame('{"id":1,"entry":"x"}')],
		['objects in objects', Tlsad::FakeControl::frame('{"id":1,"ok":true,"x":'
			. '[' x 100 . ']' x 100 . '}')],
		['far too deep', Tlsad::FakeControl::frame('[' x 100_000)],
		['not UTF-8', Tlsad::FakeControl::frame("{\"id\":1,\"ok\":true,\"reply\":\"OK \xff\"}")],
		['an escape sequence', Tlsad::FakeControl::frame(
			'{"id":1,"ok":true,"reply":"OK \u001b[31m"}')],
		['zeros', "\0" x 1000],
	);
	for (@rows) {
		my ($what, $bytes) = @$_;
		my $fake = Tlsad::FakeControl->start(sub { $_[0]->raw($bytes) });
		one_line(ask($fake, 'lookup', 'a.example'), 69,
			qr/the bytes received are not a response of tlsad/, $what);
	}
	my $fake = Tlsad::FakeControl->start(sub {
		my ($peer, $request) = @_;
		$peer->answer({ id => 77 }, { reply => 'OK may' });
		$peer->raw(substr(Tlsad::FakeControl::frame('{"id":1,"ok":true,"reply":"OK dane"}'), $_, 1))
			for 0 .. 40;
	});
	is(outcome(ask($fake, 'lookup', 'a.example')), "0 dane\n",
		'the answer to another request is passed over, and bytes may come one by one');
	my $error = Tlsad::FakeControl->start(sub {
		$_[0]->raw(Tlsad::FakeControl::frame('{"error":"that is no JSON"}')) });
	one_line(ask($error, 'lookup', 'a.example'), 75, qr/that is no JSON/, 'an error without id');
}

sub silence
{
	my $silent = Tlsad::FakeControl->start(sub { });
	my $result = ask($silent, 'warm', $ctl->file('list', "a.example\n"));
	cmp_ok($result->{seconds}, '>=', LOOKUP_LIMIT - 1, 'a lookup is waited for');
	cmp_ok($result->{seconds}, '<', LOOKUP_LIMIT + 5, 'not forever');
	one_line($result, 69, qr/did not respond within @{[LOOKUP_LIMIT]} seconds/, 'a silent daemon');
	# The daemon still sends responses after a second: it is not silent, but it has lost one request.
	my $forgetful = Tlsad::FakeControl->start(sub {
		my ($peer, $request) = @_;
		return if $request->{key} eq 'a.example';
		sleep(1);
		$peer->answer($request, { reply => 'OK dane' });
	});
	$result = ask($forgetful, 'warm', $ctl->file('list', "a.example\nb.example\n"));
	is($result->{status}, 75, 'a daemon that has lost a request');
	like($result->{out}, qr/^ *failed +a\.example: tlsad did not respond in time$/m, 'it is named');
	like($result->{out}, qr/1 with a policy, 0 without, 1 failed$/m, 'the other one counts');
}

sub impossible
{
	my $fake = Tlsad::FakeControl->start(sub { $_[0]->answer($_[1], { reply => 'OK dane' }) });
	for my $row (["\xff.example", qr/'\\xff\.example' is not UTF-8$/], ['x' x 20_000, qr/'x{100}\.\.\.' is too long$/],
		["\xc3\xbc" x 2_000, qr/'(?:\\xc3\\xbc){50}\.\.\.' is too long$/]) {
		my ($value, $words) = @$row;
		one_line(ask($fake, @$_, $value), 64, qr/error: @$_: DEST $words/, "@$_")
			for ['lookup'], ['explain'], ['cache', 'show'], ['cache', 'flush'];
		one_line(ask($fake, 'lookup', 'a.example', '--map', $value), 64, qr/error: lookup: --map $words/, 'lookup --map');
		one_line(ask($fake, 'cache', 'export', '-m', $value), 64, qr/error: cache export: --map $words/, 'cache export -m');
	}
	one_line(ask($fake, @$_, ''), 64, qr/error: @$_: DEST is empty$/, "@$_, empty")
		for ['lookup'], ['explain'], ['cache', 'show'], ['cache', 'flush'];
	is(scalar($fake->requests), 0, 'it was not asked for');
	is(outcome(ask($fake, 'lookup', "b\xc3\xbccher.example")), "0 dane\n", 'UTF-8');
	is(($fake->requests)[0]{key}, "b\xfccher.example", 'it arrives');
}
