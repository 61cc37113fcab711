#!/usr/bin/perl
# tlsactl check with a mail server for each situation, right and wrong: the exit
# status, the text that an administrator needs, and the same as JSON.
#
# Every server listens on the same port, each on its own loopback address, so that
# the addresses in DNS are the right ones, without --connect.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use IO::Socket::IP;
use Test::More;
use Tlsad::Certificates;
use Tlsad::Ctl;
use Tlsad::Lab;
use Tlsad::MailHost;
use Tlsad::Process;
use Tlsad::Root;
use Tlsad::Situations;

my @missing = Tlsad::Lab::missing_programs();
plan(skip_all => "not installed: @missing") if @missing;

use constant DAY => 86400;
use constant START_ATTEMPTS => 5;
use constant TIMEOUT => 2;		# [s] --timeout for servers that never answer
# A host whose lookup takes longer than the limit for all connections with a --timeout of 1 s:
# this number of aliases before its addresses and before its TLSA records, each on a server
# that is slow, but faster than unbound's first timeout of 376 ms.
use constant { LATE_ALIASES => 9, LATE => 0.25 };	# [s]
# Addresses of silent servers: more than 256 at a time can be tried within that limit.
use constant { CROWD_HOSTS => 96, CROWD_ADDRESSES => 16 };

my $certificates = Tlsad::Certificates->new(Tlsad::Process::private_directory() . '/certificates');
my $situations = Tlsad::Situations->new($certificates, 'site.lab');
my ($port, %running);
start_servers();
my $has_ipv6 = defined IO::Socket::IP->new(LocalHost => '::1', Listen => 1);
my $lab = Tlsad::Lab->start(zones => zones(), faults => faults());
my $ctl = Tlsad::Ctl->new(lab => $lab);

check($_) for rows();
subtest('JSON' => \&json);
subtest('options' => \&options);
subtest('server names' => \&server_names);
subtest('signatures that end soon' => \&signatures);
subtest('bad arguments' => \&bad_arguments);
subtest('time' => \&bounded);
subtest('a host whose lookup takes long' => \&late_lookup);
subtest('screens' => \&screens);
done_testing();

# A port that is free on one address may be in use on another.
sub start_servers
{
	for my $attempt (1 .. START_ATTEMPTS) {
		$port = Tlsad::Process::free_port();
		return if eval {
			$running{$_} = Tlsad::MailHost->start($situations->start($_),
				listen => [$situations->address($_)
					. ":$port"]) for $situations->names;
			1;
		};
		diag($@);
		%running = ();
	}
	die "the servers do not start\n";
}

sub address { return $situations->address($_[0]) }
sub ee { return $situations->ee($_[0]) }

sub zones
{
	my $zone = '';
	my ($right, $silent, $wrong) = map { address($_) } qw(right silent wrong);
	for my $name ($situations->names) {
		my $host = $situations->host($name);
		$zone .= "$host A " . address($name) . "\n";
		for my $record (@{$situations->records($name)}) {
			my ($ttl, $rdata) = $record =~ /^(\d{3,} )?(.*)/;
			$zone .= "_$port._tcp.$host " . ($ttl // '') . "TLSA $rdata\n";
		}
	}
	# Nothing listens on ::1.
	$zone .= "family A $right\nfamily AAAA ::1\n_$port._tcp.family TLSA " . ee('right') . "\n"
		. "half A $right\nhalf A $silent\n_$port._tcp.half TLSA " . ee('right') . "\n"
		. "two A $right\ntwo A $wrong\n_$port._tcp.two TLSA " . ee('right') . "\n"
		. "nobody A 127.0.0.250\n_$port._tcp.nobody TLSA " . ee('right') . "\n"
		. "alias CNAME names\n"
		. "coloured CNAME red\\027[31m\nred\\027[31m A $right\n"
		. "_$port._tcp.red\\027[31m TLSA " . ee('right') . "\n";
	$zone .= <<'END';
good MX 10 right
good MX 20 ta
partial MX 10 right
partial MX 20 none
broken MX 10 right
broken MX 20 wrong
vague MX 10 right
vague MX 20 ehlo
gone MX 10 right
gone MX 20 missing
failed MX 10 right
failed MX 20 mx-tlsa-servfail.dane.lab.
without MX 10 none
named MX 10 ta-domain
escapes MX 10 right
escapes MX 20 red\027[31m
null MX 0 .
late MX 10 silent
late MX 20 address-9
crowd MX 10 address-9
END
	$zone .= join('', map { "$_->[0]-$_->[1] CNAME $_->[0]-@{[$_->[1] - 1]}\n" } late_aliases())
		. "address-0 A $right\n_$port._tcp.address-0 CNAME record-@{[LATE_ALIASES]}\n"
		. 'record-0 TLSA ' . ee('right') . "\n";
	for my $host (1 .. CROWD_HOSTS) {
		$zone .= "crowd MX 20 crowd-$host\n"
			. join('', map { "crowd-$host A 127.0.1.$_\n" } 1 .. CROWD_ADDRESSES);
	}
	return { 'site.lab' => $zone, 'site-plain.lab' =>
		"\@ MX 10 right.site.lab.\nnamed MX 10 ta-domain.site.lab.\nnone MX 10 none.site.lab.\n" };
}

sub late_aliases
{
	return map { my $name = $_; map { [$name, $_] } 1 .. LATE_ALIASES } qw(address record);
}

# Each alias is its own stub zone and slow for one type. Other types are answered at once,
# because a resolver that minimises names (RFC 9156) queries A before TLSA.
sub faults
{
	my %type = (address => 'A', record => 'TLSA');
	return [map {
		my ($name, $number) = @$_;
		({ name => "$name-$number.site.lab", type => $type{$name}, behaviour => 'late',
				seconds => LATE },
			{ name => "$name-$number.site.lab", behaviour => 'forward' })
	} late_aliases()];
}

# Name, destination, status, kinds of warnings, patterns of the text, each for one line.
sub rows
{
	my ($silent, $wrong) = map { address($_) } qw(silent wrong);
	my $publish = "_$port\\._tcp\\.%s\\.site\\.lab\\. IN TLSA %s";
	return (
		['right', '[right.site.lab]', 0, '', '^verified +\[right\.site\.lab\]:\d+$',
			'verified +127\.\S+: TLSv1\.3, TLS_',
				'cert 0 +CN=right\.site\.lab; names: right\.site\.lab; issuer: CN=right\.site\.lab; valid 20\S+ \S+ UTC to 20',
			'match +' . ee('right') . ' is cert 0, depth 0'],
		['a domain with two hosts', 'good.site.lab', 0, '', '^verified +good\.site\.lab',
			'MX +2 hosts, secure',
			'^verified +right\.site\.lab, preference 10',
				'^verified +ta\.site\.lab, preference 20'],
		['a domain without MX records', 'right.site.lab', 0, '',
			'MX +no MX records; the domain is its own host'],
		['in the middle of a roll-over', '[rolling.site.lab]', 0, 'record-stale',
			'warning +rolling\.site\.lab: no certificate matches the record 3 1 1 '],
		['usage 1 beside 3', '[mixed.site.lab]', 0, 'record-unusable',
			'record 1 1 1 \S+ cannot be used: usages 0 and 1'],
		['only matching type 0', '[full.site.lab]', 0, 'only-matching-type-0',
			'publish SHA-256 digests'],
		['a TTL over a day', '[days.site.lab]', 0, 'ttl-over-a-day',
			'TTL of the TLSA records is 259200 s'],
		['usage 1 alone', '[pkix.site.lab]', 1, 'record-unusable', 'none that can be used'],
		['the wrong key', '[wrong.site.lab]', 1, '', '^failed +\[wrong',
			'no TLSA record matches',
			'publish +one of these records would match', sprintf($publish, 'wrong',
				ee('other'))],
		['the right key with another name', '[ee-name.site.lab]', 0, ''],
		['escape sequences in a certificate', '[escape.site.lab]', 0, '',
			'cert 0 +CN=red\\\\1B\[31m\\\\07; names: escape\.site\.lab, red\\\\x1b\[31m\.site\.lab; issuer'],
		['escape sequences in a name of DNS', '[coloured.site.lab]', 0, '',
			"DNS +1 TLSA record at _$port\\._tcp\\.red\\\\027\\[31m\\.site\\.lab"],
		['escape sequences in an MX record', 'escapes.site.lab', 0, '', 'MX +1 host, secure'],
		['expired, usage 3', '[expired.site.lab]', 0, 'certificate-expired',
			'expired on 20.* ignore the dates \(usage 3\)'],
		['expires soon', '[soon.site.lab]', 0, 'certificate-expires',
			'expires in [45] days \(20'],
		['not valid yet', '[early.site.lab]', 0, 'certificate-not-yet-valid',
			'is not valid before 20'],
		['a trust anchor', '[ta.site.lab]', 0, '', 'match +2 0 1 \S+ is cert 2, depth 2',
			'cert 1 +CN=intermediate; names: none; issuer: CN=root'],
		['an intermediate as the trust anchor, by its key, another name',
			'[ta-key.site.lab]', 1, '',
			'reject +2 1 1 \S+ is cert 1, but: the certificate has none of the names ta-key\.site\.lab',
			sprintf($publish, 'ta-key', '3 1 1'),
				'but not +a record for cert 1, which would not verify: the certificate has none of'],
		['a trust anchor with another name', '[ta-name.site.lab]', 1, '',
			'has none of the names ta-name\.site\.lab'],
		['a trust anchor, expired', '[ta-expired.site.lab]', 1, 'certificate-expired',
			'certificate has expired', 'check the dates \(usage 2\)'],
		['a chain without its trust anchor', '[ta-without.site.lab]', 1,
			'trust-anchor-not-sent',
			'no TLSA record matches',
				'must send its trust anchor, too \(RFC 7672 3\.1\.2\)'],
		['a trust anchor whole in DNS, not sent', '[ta-full.site.lab]', 0,
			'only-matching-type-0',
			'match +2 0 0 \S+ is the trust anchor, which the server did not send, depth 1'],
		['a chain in another order', '[disorder.site.lab]', 0, '',
			'match +2 0 1 \S+ is cert 1, depth 2'],
		['a wildcard', '[wildcard.site.lab]', 0, ''],
		['the name of the mail domain', 'named.site.lab', 0, ''],
		['the name of the mail domain after insecure MX records', 'named.site-plain.lab',
			1, 'mx-insecure',
			'has none of the names ta-domain\.site\.lab$'],
		['byte by byte', '[bytes.site.lab]', 0, ''],
		['no STARTTLS', '[cleartext.site.lab]', 1, 'no-starttls',
			'STARTTLS is not offered'],
		['STARTTLS refused', '[refusing.site.lab]', 1, '', 'STARTTLS is refused: 454'],
		['turned away', '[away.site.lab]', 75, '', 'the server refuses this client: 554'],
		['drops at once', '[closing.site.lab]', 75, '', 'closed the connection before the greeting'],
		['drops after EHLO', '[ehlo.site.lab]', 75, '', '^unknown ',
			'closed the connection before the reply to EHLO'],
		['drops in the handshake', '[handshake.site.lab]', 1, '',
			'closed the connection in the TLS handshake'],
		['silent', '[silent.site.lab]', 75, '', 'timed out after 2 s before the greeting'],
		['silent in the handshake', '[mute.site.lab]', 75, '',
			'timed out after 2 s in the TLS handshake'],
		['a banner of 100 KB', '[banner.site.lab]', 0, '', 'verified'],
		['an endless banner', '[endless.site.lab]', 75, '', 'the server does not speak SMTP'],
		['garbage', '[garbage.site.lab]', 75, '', 'the server does not speak SMTP'],
		['data before TLS', '[inject.site.lab]', 75, '',
			'the server does not speak SMTP: unexpected data'],
		['a chain of a hundred certificates', '[many.site.lab]', 0, '', 'cert 99 +CN='],
		['a certificate without end', '[flood.site.lab]', 1, '', 'excessive message size'],
		['requests without end in the handshake', '[hello.site.lab]', 1, '',
			'sent more than 1048576 bytes in the handshake'],
		['no server', '[nobody.site.lab]', 75, '', 'no connection: Connection refused'],
		['one family refused', '[family.site.lab]', 0, 'family-fails',
			'over IPv6 it fails \(::1: no connection: .*\), over IPv4 it works'],
		['one address silent', '[half.site.lab]', 0, 'address-fails',
			"warning +half\\.site\\.lab: $silent: timed out"],
		['one address wrong', '[two.site.lab]', 1, 'address-fails',
			"failed +$wrong: TLSv1\\.3.* no TLSA record matches"],
		['a host without DANE beside one with', 'partial.site.lab', 1, 'partial',
			'^no-dane +none\.site\.lab', 'senders +dane-partial:'],
		['one host wrong', 'broken.site.lab', 1, '', '^verified +right\.',
			'^failed +wrong\.'],
		['one host without a result', 'vague.site.lab', 75, '', '^unknown +ehlo\.'],
		['one host without address', 'gone.site.lab', 0, 'no-address',
			'^passed-over +missing\.site\.lab'],
		['one host whose lookup failed', 'failed.site.lab', 75, '', '^verified +right\.',
			'^unknown +mx-tlsa-servfail\.dane\.lab',
			'lookup failed: _\d+\._tcp\.mx-tlsa-servfail\.dane\.lab TLSA: servfail'],
		['no DANE', 'without.site.lab', 2, '', '^no-dane +without',
			'there are no TLSA records at',
			sprintf($publish, 'none', ee('ta')),
				'but not +a record for cert 1, which would not verify: the certificate has none of'],
		['insecure MX records', 'site-plain.lab', 0, 'mx-insecure',
			'senders +dane-insecure-mx', 'sign the zone site-plain\.lab'],
		['insecure MX records, no DANE', 'none.site-plain.lab', 2, '',
			'senders +insecure:'],
		['null MX', 'null.site.lab', 2, '', 'the domain accepts no mail'],
		['no such domain', 'missing.site.lab', 2, '', 'the domain does not exist'],
		['bogus MX records', 'bogus-mx.dane.lab', 75, '', 'bogus-mx\.dane\.lab MX: bogus:'],
	);
}

sub check
{
	my ($row) = @_;
	my ($what, $destination, $status, $kinds, @words) = @$row;
	subtest($what => sub {
		plan(skip_all => 'no IPv6 here') if $destination =~ /family/ && !$has_ipv6;
		my @arguments = ('check', $destination, '--port', $port, '--timeout', TIMEOUT);
		my $result = $ctl->run(@arguments);
		is($result->{status}, $status, 'status') or diag($result->{out});
		is($result->{err}, '', 'nothing on standard error');
		like($result->{out}, qr/$_/m, $_) for @words;
		unlike($result->{out}, qr/[^\n -~]/, 'nothing unprintable');
		$result = $ctl->json(@arguments);
		is($result->{status}, $status, 'JSON: status');
		my %verdicts = (0 => 'verified', 1 => 'failed', 2 => 'no-dane', 75 => 'unknown');
		is($result->{json}{verdict}, $verdicts{$status}, 'JSON: verdict');
		is(join(' ', map { $_->{kind} } @{$result->{json}{warnings}}), $kinds,
			'JSON: warnings');
	});
}

sub json
{
	my $json = $ctl->json('check', 'good.site.lab', '--port', $port)->{json};
	is("@{[sort keys %$json]}", 'destination hosts mx port reason rule sts verdict warnings',
		'members');
	is("@{[@$json{qw(destination port verdict reason)}]}",
		"good.site.lab:$port $port verified dane-full", 'destination, port, verdict and reason');
	is($json->{mx}{dnssec}, 'secure', 'mx');
	cmp_ok($json->{mx}{signature_expires}, '>', time + 14 * DAY, 'when its signature ends');
	my ($right, $ta) = @{$json->{hosts}};
	is("@{[sort keys %$right]}", 'addresses lookups name names preference status sts tlsa verdict',
		'members of a host');
	is("@{$ta->{names}}", 'ta.site.lab good.site.lab', 'the names that count');
	is($ta->{tlsa}[0]{matches}[0], 'matches', 'the record matches');
	my $address = $ta->{addresses}[0];
	is("@{[sort keys %$address]}",
		'address chain cipher detail match outcome publish stage sts tls verdict',
		'members of an address');
	is_deeply($address->{match}, { record => 0, depth => 2, certificate => 2 }, 'what matched');
	is(scalar(@{$address->{chain}}), 3, 'the chain');
	is("@{[sort keys %{$address->{chain}[0]}]}",
		'authority issuer names not_after not_before sha256 subject',
		'members of a certificate');
	is(uc($address->{chain}[0]{sha256}), $certificates->fingerprint('ta'), 'its fingerprint');
	my ($tlsa) = grep { $_->{type} eq 'TLSA' } @{$right->{lookups}};
	is("@$tlsa{qw(ttl original_ttl)}", '3600 3600', 'the TTL of a lookup');

	$json = $ctl->json('check', '[none.site.lab]', '--port', $port)->{json};
	my @publish = @{$json->{hosts}[0]{addresses}[0]{publish}};
	is("@{[map { $_->{verifies} ? 'yes' : 'no' } @publish]}", 'yes no no',
		'what to publish is tried');
	like($publish[0]{line}, qr/^_$port\._tcp\.none\.site\.lab\. IN TLSA \Q@{[ee('ta')]}\E$/,
		'a line');
}

sub options
{
	my @to = ('--port', $port, '--timeout', TIMEOUT);
	my $run = sub { return $ctl->run('check', @_) };
	is($run->("[right.site.lab]:$port")->{status}, 0, 'the port of the destination');
	is($run->('[wrong.site.lab]', @to, '--connect', address('right'))->{status}, 0,
		'--connect leads elsewhere');
	is($run->('[right.site.lab]', @to, '--connect', address('wrong'))->{status}, 1,
		'and elsewhere');
	is($run->('[nobody.site.lab]', @to, '--connect=' . address('right'))->{status}, 0,
		'instead of an address without a server');
	is($run->('[tls.site.lab]', @to, '--starttls', 'none')->{status}, 0, '--starttls none');
	is($run->('[tls.site.lab]', @to)->{status}, 75, 'and without it');
	my $result = $run->('[wrong.site.lab]', @to, '--mx-only');
	is($result->{status}, 0, '--mx-only: DNS is well');
	like($result->{out}, qr/^usable +wrong\.site\.lab/m, 'and the verdict is only "usable"');
	is($run->('partial.site.lab', @to, '--mx-only')->{status}, 1,
		'--mx-only: one host without DANE');
	is($run->('without.site.lab', @to, '--mx-only')->{status}, 2, '--mx-only: no DANE');
	SKIP: {
		skip('no IPv6 here', 4) unless $has_ipv6;
		is($run->('[family.site.lab]', @to,
			'-4')->{out} =~ tr/:// && $run->('[family.site.lab]', @to, '-4')->{status},
			0, '-4');
		unlike($run->('[family.site.lab]', @to, '-4')->{out}, qr/warning/,
			'-4: no warning');
		is($run->('[family.site.lab]', @to, '--ipv6')->{status}, 75, '-6');
		like($run->('[right.site.lab]', @to, '-6')->{out}, qr/the host has no IPv6 address/,
			'-6 without such an address');
	}
}

sub server_names
{
	my $names = $running{names};
	my $before = () = $names->names;
	is($ctl->run('check', '[names.site.lab]', '--port', $port)->{status}, 0,
		'a host by its name');
	is($ctl->run('check', '[alias.site.lab]', '--port', $port)->{status}, 0, 'by an alias');
	# The client may end before the server has logged the handshake.
	$names->wait_count('handshake', $before + 2, 20);
	my @seen = $names->names;
	is("@seen[$before .. $#seen]", 'names.site.lab names.site.lab',
		'the TLSA base domain is sent (RFC 7672 8.1)');
}

sub signatures
{
	my $root = Tlsad::Root->new;
	my $ours = Tlsad::Ctl->new(config => { resolver => $root->resolver_settings('key') });
	$root->publish(keys => ['key'], until => time + 5 * DAY + 60);
	my $result = $ours->json('check', 'ok.mail', '--mx-only');
	is($result->{status}, 0, 'it is well');
	my @details = map { $_->{detail} } grep { $_->{kind} eq 'signature-expires' } @{$result->{json}{warnings}};
	is(scalar(@details), 2, 'of the MX records and of the host');
	like($details[0], qr/signature of ok\.mail MX expires in 5 days \(20.*mail is deferred/,
		'the words');
	$root->publish(keys => ['key'], until => time + 15 * DAY);
	is(scalar(@{$ours->json('check', 'ok.mail', '--mx-only')->{json}{warnings}}), 0,
		'not when there is more time');
}

sub bad_arguments
{
	for my $row ([[], qr/DEST is missing/], [['a.example', 'b.example'],
		qr/'b\.example' is one too many/],
		[['a.example', '--timeout', 0], qr/expected a number/], [['a.example', '--starttls',
			'imap'], qr/smtp\|none/],
		[['a.example', '--connect', 'mx.example'], qr/expected a numeric IPv4 or IPv6 address/],
		[['a.example', '-4', '-6'], qr/cannot be combined/], [['a.example', '--mxonly'],
			qr/did you mean '--mx-only'/]) {
		my $result = $ctl->run('check', @{$row->[0]});
		is("$result->{status} $result->{out}", '64 ', "@{$row->[0]}: status");
		like($result->{err}, $row->[1], 'and why');
		like($result->{err}, qr/^usage: tlsactl check /m, 'and the usage');
	}
	for my $row (['192.0.2.1', qr/is an address/], ['[192.0.2.1]:25', qr/is an address/],
		['a b', qr/not a mail domain/],
		['', qr/not a mail domain/], ['localhost', qr/not a mail domain/], ['.example.com',
			qr/not a mail domain/]) {
		my $result = $ctl->run('--json', 'check', $row->[0]);
		is("$result->{status} $result->{out}", '2 ', "'$row->[0]': status");
		like($result->{err}, qr/\Atlsactl: error: [^\n]*\n\z/, 'one line');
		like($result->{err}, $row->[1], 'and why');
	}
}

sub bounded
{
	my $result = $ctl->run('check', '[silent.site.lab]', '--port', $port, '--timeout', 1);
	is($result->{status}, 75, 'a silent server');
	cmp_ok($result->{seconds}, '<', 8, 'its time is limited');
	$result = $ctl->run('check', 'mx.silent.lab');
	is($result->{status}, 75, 'a silent name server');
	cmp_ok($result->{seconds}, '<', 25, 'its time is limited');
	my $before = $running{silent}->count('connection');
	my $process = Tlsad::Process::spawn(command => [Tlsad::Ctl::binary(), '-c',
		$ctl->config_file,
		'check', '[silent.site.lab]', '--port', $port, '--timeout', 60]);
	ok($running{silent}->wait_count('connection', $before + 1, 20), 'it has connected');
	$process->signal('INT');
	is($process->wait(10), 2, 'an interrupt ends it as one should');
}

# When the time for the connections of the other hosts is over, the lookup of this one has not
# ended. Its addresses must be tried nevertheless.
sub late_lookup
{
	my @to = ('--port', $port, '--timeout', 1);
	my $result = $ctl->run('check', 'late.site.lab', @to);
	cmp_ok($result->{seconds}, '>', 3, 'the lookup takes longer than all connections may');
	is($result->{status}, 75, 'beside a silent server: status') or diag($result->{err});
	like($result->{out}, qr/^unknown +silent\.site\.lab/m, 'the silent one');
	like($result->{out}, qr/^verified +address-9\.site\.lab/m, 'the late one');

	# No process accepts; the kernel completes the connections.
	my @silent = map { IO::Socket::IP->new(LocalHost => "127.0.1.$_", LocalPort => $port,
		Listen => 2 * CROWD_HOSTS) // die "127.0.1.$_:$port: $!\n" } 1 .. CROWD_ADDRESSES;
	$result = $ctl->run('check', 'crowd.site.lab', @to);
	cmp_ok($result->{seconds}, '>', 3, 'and again');
	is($result->{status}, 1, 'beside a thousand addresses: status') or diag($result->{err});
	like($result->{out}, qr/^verified +address-9\.site\.lab/m,
		'the connections that were ended make room');
	# Each lookup that ends extends the deadline, so a slow machine may try all addresses.
	my $ended = () = $result->{out} =~ /: no time was left for this address$/mg;
	note("no time was left for $ended addresses");
}

# script(1) provides a terminal.
sub screens
{
	my $script = Tlsad::Process::find_program('script');
	plan(skip_all => 'script(1) is not installed') unless defined $script;
	my $command = join(' ', Tlsad::Ctl::binary(), '-c', $ctl->config_file, 'check',
		"'[wrong.site.lab]'", '--port', $port);
	my $show = sub {
		my ($setting) = @_;
		return scalar qx($script -qec "stty cols 60; $setting $command" /dev/null </dev/null);
	};
	my $colour = $show->('env TERM=xterm');
	like($colour, qr/\e\[1;31mfailed\e\[0m/, 'colour on a terminal');
	unlike($show->('env TERM=xterm NO_COLOR=1'), qr/\e/, 'none with NO_COLOR');
	unlike($show->('env TERM=dumb'), qr/\e/, 'none on a dumb terminal');
	my @lines = split(/\r?\n/, $show->('env TERM=xterm NO_COLOR=1'));
	my @long = grep { length > 60 && !/IN TLSA|[0-9a-f]{64}|\S{40}/ } @lines;
	is("@long", '', 'lines fit on it');
	ok(scalar(grep { /IN TLSA 3 1 1 [0-9a-f]{64}$/ } @lines), 'but a line to copy is whole');
}
