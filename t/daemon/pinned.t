#!/usr/bin/perl
# Replies that contain TLSA data: the map pinned with every case of t/lab/pinned-cases and of
# t/lab/cases, [dane] enforce = pinned, the map tlsa, explain for both, TLSA record sets as large as
# DNS allows, and what survives a restart or changes with SIGHUP.
#
# t/daemon/ta-file.t tests files of trust anchors, t/daemon/ta-fetch.t learned ones.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Digest::SHA qw(sha256_hex sha512_hex);
use Test::More;
use Tlsad::Daemon;
use Tlsad::FaultyDns;
use Tlsad::Lab;
use Tlsad::Observe;
use Tlsad::PinnedCases qw(colons);
use Tlsad::Process;

use constant PROMPT => 20;		# [s] for what should take milliseconds
use constant TIMEOUT => 6;		# [s] resolver.timeout where servers never answer
use constant AT_ONCE => 25;		# requests for different destinations
# The largest record set that libunbound validates: 65535 octets with the full owner name in each
# record, as it is signed (RFC 4034 6.2), here some 32 octets.
use constant { MOST_RECORDS => 840, MOST_RECORDS_512 => 600 };
# [bytes] Certificates near the limit of ldns-signzone for one record, and how many of them fill a
# record set.
use constant { LARGE => 4500, LARGE_COUNT => 13 };
# A reply has at most 99,000 bytes, a digest takes 96 of them: numbers that fit, and that do not.
use constant { MOST_DIGESTS => 1000, TOO_MANY_DIGESTS => 1032 };

my @missing = Tlsad::PinnedCases::missing_programs();
plan(skip_all => "not installed: @missing") if @missing;

my $cases = Tlsad::PinnedCases->new;
my $private = Tlsad::Process::private_directory();
my $zones = $cases->zones;
my %large = large_hosts();
my $lab = Tlsad::Lab->start(zones => { %$zones, 'bulk.lab' => bulk_zone() });

subtest('cases' => \&run_cases);
subtest('every other case' => \&other_cases);
subtest('a stable order' => \&stable_order);
subtest('the maps' => \&maps);
subtest('tlsa' => \&tlsa_map);
subtest('explain' => \&explanations);
subtest('large record sets' => \&large_sets);
subtest('many at once' => \&many_at_once);
subtest('lifetimes' => \&lifetimes);
subtest('restart' => \&restart);
subtest('SIGHUP' => \&reloading);
subtest('settings' => \&settings);
done_testing();

# --- zones

# NAME => [RDATA...] in text
sub large_hosts
{
	my $certificates = $cases->certificates;
	$certificates->make('large', authority => 1, subject => 'large',
		names => [ map { 'x' x 60 . ".$_.example" } 1 .. (LARGE - 400) / 74 ]);
	my @large = $cases->variants('large', LARGE_COUNT);
	my @small = $cases->variants('root1', 100);
	my @digests = map { sha256_hex("large $_") } 1 .. TOO_MANY_DIGESTS;
	return (
		hundred => [ map { "3 1 1 $_" } @digests[0 .. 99] ],
		'hundred-mixed' => [ map { "3 @{[$_ % 2]} 1 $digests[$_]" } 0 .. 99 ],
		'hundred-ta' => [ map { "2 0 0 $_" } @small ],
		'hundred-full' => [ map { "3 0 0 $_" } @small ],
		full => [ map { "3 1 1 $_" } @digests[0 .. MOST_RECORDS - 1] ],
		more => [ map { "3 1 1 $_" } @digests[MOST_RECORDS .. MOST_DIGESTS - 1] ],
		rest => [ map { "3 1 1 $_" } @digests[MOST_DIGESTS .. TOO_MANY_DIGESTS - 1] ],
		'full-512' => [ map { '3 1 2 ' . sha512_hex("large $_") } 1 .. MOST_RECORDS_512 ],
		'full-ee' => [ map { "3 0 0 $_" } @large ],
		'full-ta' => [ map { "2 0 0 $_" } @large ],
		'full-garbage' => [ map { "3 1 0 $_" } @digests[0 .. MOST_RECORDS - 1] ],
		# They begin like a certificate.
		'full-cut' => [ map { "3 0 0 " . substr($_, 0, -2) } @large ],
		'full-cut-ta' => [ map { "2 0 0 " . substr($_, 0, -2) } @large ],
		'cut-beside' => [ "3 1 1 $digests[0]", map { "3 0 0 " . substr($_, 0, -2) } @large[1 .. 9] ],
		'ta-cut-beside' => [ "2 0 0 $small[0]", map { "2 0 0 " . substr($_, 0, -2) } @large[1 .. 9] ],
	);
}

sub bulk_zone
{
	my $text = '';
	for my $name (sort keys %large) {
		$text .= "$name A 192.0.2.1\n"
			. join('', map { "_25._tcp.$name TLSA $_\n" } @{$large{$name}});
	}
	$text .= "fits MX 10 full\nfits MX 20 more\n"
		. "too-long MX 10 full\ntoo-long MX 20 more\ntoo-long MX 30 rest\n";
	# Twenty hosts in one order, and in the other.
	for (1 .. 20) {
		$text .= "h$_ A 192.0.2.1\n_25._tcp.h$_ TLSA 3 1 1 " . sha256_hex("h$_") . "\n"
			. "upwards MX " . ($_ * 10) . " h$_\ndownwards MX " . (300 - $_ * 10) . " h$_\n";
	}
	$text .= "short-tlsa A 192.0.2.1\n_25._tcp.short-tlsa 5 TLSA 3 1 1 " . sha256_hex('short')
		. "\n";
	return $text . join('', map { "j$_ MX 10 h1\n" } 1 .. 60);
}

# --- helpers

sub start
{
	my ($dane, %config) = @_;
	return Tlsad::Daemon->start(lab => $lab, config => { dane => $dane, %config });
}

sub new_directory
{
	my ($name) = @_;
	mkdir("$private/$name") or die "$private/$name: $!\n";
	return "$private/$name";
}

sub ends_well
{
	my ($daemon) = @_;
	is($daemon->stop, 0, 'the daemon ends with status 0');
}

sub hexadecimal { return map { uc(s/.* //r) } @_ }
sub all_of { return 'OK fingerprint match=' . join('|', sort map { colons($_) } hexadecimal(@_)) }

# In the order of the map tlsa: by their numbers, then by the data.
sub listed { return 'OK ' . join(', ', sort map { s/(\S+)\z/uc $1/er } @_) }

# --- the table

sub run_cases
{
	my %daemons;
	push @{$daemons{"@{$_->{settings}}"}}, $_ for @{$cases->list};
	my $number = 0;
	for my $settings (sort keys %daemons) {
		my %dane = (enforce => 'pinned');
		my %options = (digest => 256);
		for (split(/ /, $settings)) {
			if (/^sha512$/) { $dane{fingerprint_digest} = $_; $options{digest} = 512 }
			elsif (/^tafile$/) { $options{tafile_dir} = $dane{tafile_dir}
				= new_directory('tafile-' . $number++) }
			elsif (/^site_level=(.*)/) { $dane{site_level} = $1 }
			else { die "no such setting: $_\n" }
		}
		my $daemon = start(\%dane);
		for my $case (@{$daemons{$settings}}) {
			subtest($case->{text} => sub { run_case($daemon, $case, %options) });
		}
		ends_well($daemon);
		is(temporary_files($options{tafile_dir}), '', 'nothing but files of trust anchors is left')
			if $options{tafile_dir};
	}
}

sub temporary_files
{
	my ($directory) = @_;
	opendir(my $handle, $directory) or die "$directory: $!\n";
	return join(' ', grep { !/^(?:\.|\.\.|tlsad-[0-9a-f]{64}\.pem)\z/ } readdir($handle));
}

sub run_case
{
	my ($daemon, $case, %options) = @_;
	my $client = $daemon->client(timeout => PROMPT);
	my $cold = $client->request('pinned', $case->{key});
	is($cases->wrong($case->{reply}, $cold, %options), '', 'pinned');
	is($client->request('pinned', $case->{key}), $cold, 'the same bytes from the cache');
	is($client->request($_, $case->{key}), $cold, "the same in map $_")
		for qw(policy QUERY Postfix);
	my $native = $client->request('native', $case->{key});
	is($cases->wrong($case->{native}, $native), '', 'native is unchanged');
	my $explain = explain($daemon, $case->{key});
	is($explain->{reply}, $cold, 'explain: reply');
	is($explain->{pinned}, $cold, 'explain: pinned');
	is($explain->{native}, $native, 'explain: native');
	my $falls_back = $explain->{reason} =~ /^dane-/ && $cold eq $native
		&& $case->{reply} !~ /^OK encrypt/ && $explain->{reason} ne 'dane-unusable';
	if ($falls_back) {
		like($explain->{not_pinned}, qr/^\w[ -~]{9,}$/, 'explain says why it is native');
	} else {
		ok(!exists $explain->{not_pinned}, 'explain: no other reason');
	}
}

# The keys of t/lab/cases: without full DANE the reply is that of native.
sub other_cases
{
	my $file = Tlsad::Process::source_directory() . '/t/lab/cases';
	open(my $handle, '<:raw', $file) or die "$file: $!\n";
	my %keys;
	while (<$handle>) {
		next if /^#/ || !/^(.*?)\s*\|\s*(\w+)/;
		my ($key, $status) = ($1 eq '""' ? '' : $1, $2);
		$key =~ s/<(.)\*(\d+)>/$1 x $2/ge;
		$key =~ s/\\x([0-9A-F]{2})/chr(hex($1))/ge;
		$keys{$key} = $status;
	}
	my $directory = new_directory('others');
	my $daemon = start({ enforce => 'pinned', tafile_dir => $directory },
		resolver => { timeout => TIMEOUT . 's' });
	# A few at a time: on a loaded machine the lab's servers are slow, and libunbound's timeouts
	# short. Those whose servers never answer wait together.
	my @temp = grep { $keys{$_} eq 'TEMP' } sort keys %keys;
	my @others = grep { $keys{$_} ne 'TEMP' } sort keys %keys;
	my %pinned;
	while (my @some = @others ? splice(@others, 0, AT_ONCE) : splice(@temp)) {
		my %clients = map { $_ => $daemon->client(timeout => TIMEOUT + PROMPT) } @some;
		$clients{$_}->send_request('pinned', $_) for @some;
		$pinned{$_} = eval { $clients{$_}->receive_reply } // "no reply: $@" for @some;
	}
	my ($client, %seen) = $daemon->client(timeout => TIMEOUT + PROMPT);
	for my $key (sort keys %keys) {
		my $native = $client->request('native', $key);
		my $reason = explain($daemon, $key)->{reason};
		my $reply = $pinned{$key};
		$seen{$reason}++;
		my $right = $reason eq 'dane-unusable' ? $reply eq 'OK encrypt'
			: $reason =~ /^dane-(?:full|insecure-mx)$/ ? $reply eq $native || $reply =~
				m{^OK (?:fingerprint match=[0-9A-F:|]+|secure match=\S+ tafile=\Q$directory\E/tlsad-\w{64}\.pem)$}
			: $reply =~ /^TEMP / ? $native =~ /^TEMP / : $reply eq $native;
		ok($right, "$reason: $key") or diag("native $native, pinned $reply");
	}
	cmp_ok($seen{$_} // 0, '>', 0, "there are some with the reason $_") for qw(dane-full
		dane-partial dane-insecure-mx dane-unusable no-tlsa insecure null-mx no-host nxdomain
		not-a-destination lookup-failed bogus);
	ends_well($daemon);
}

sub stable_order
{
	my @replies;
	for my $round (1 .. 2) {
		my $daemon = start({});
		for my $key (qw(upwards.bulk.lab downwards.bulk.lab)) {
			push @replies, $daemon->request('pinned', $key) for 1 .. 2;
		}
		ends_well($daemon);
	}
	is($replies[0], all_of(map { sha256_hex("h$_") } 1 .. 20), 'twenty hosts, sorted');
	is($replies[$_], $replies[0], 'the same bytes') for 1 .. $#replies;
}

# --- maps

sub maps
{
	my $full = 'union.site.lab';
	my $pinned = $cases->fingerprint(256, qw(alpha/key beta/key));
	for my $enforce (undef, 'native', 'pinned') {
		my $daemon = start({ defined $enforce ? (enforce => $enforce) : () });
		my $client = $daemon->client(timeout => PROMPT);
		my $policy = ($enforce // 'native') eq 'pinned' ? $pinned : 'OK dane-only';
		my $name = defined $enforce ? "enforce = $enforce" : 'enforce left out';
		for my $map (qw(policy POLICY Policy QUERY query postfix Postfix policy-tlsrpt QUERYwithTLSRPT)) {
			is($client->request($map, $full), $policy, "$name: $map");
		}
		is($client->request($_, $full), 'OK dane-only', "$name: $_") for qw(native Native native-tlsrpt);
		is($client->request($_, $full), $pinned, "$name: $_") for qw(pinned PINNED pinned-tlsrpt);
		is(explain($daemon, $full)->{reply}, $policy, "$name: explain");
		my $unusable = ($enforce // 'native') eq 'pinned' ? 'OK encrypt' : 'OK dane';
		is($client->request('policy', '[unusable.site.lab]'), $unusable, "$name: unusable records");
		for my $map (qw(no-such-map tlsa-tlsrpt tlsa-x)) {
			my $reply = $client->request($map, $full);
			like($reply, qr/^PERM /, "$name: $map does not exist");
			my %named = map { lc $_ => 1 } $reply =~ /([\w-]+)/g;
			my @unnamed = grep { !$named{$_} } qw(policy native pinned query postfix explain tlsa requiretls
				policy-tlsrpt native-tlsrpt pinned-tlsrpt querywithtlsrpt);
			is("@unnamed", '', 'and the reply names those that do');
		}
		ends_well($daemon);
	}
}

sub tlsa_map
{
	my $daemon = start({ enforce => 'pinned' }, resolver => { timeout => TIMEOUT . 's' });
	my $client = $daemon->client(timeout => TIMEOUT + PROMPT);
	my $ask = sub { return $client->request('tlsa', $_[0]) };
	my $records = sub { return listed(map { $cases->rdata($_) } @_) };
	my $host = 'ee-key256.site.lab';
	my $one = $records->('3 1 1 alpha');
	for my $key ($host, "$host:25", "$host:smtp", "_25._tcp.$host", "[$host]", "[$host]:25",
		"$host.", "$host.:25", "_25._tcp.$host.", "[$host.]", uc $host, "_25._TCP." . ucfirst $host,
		"$host:", "[$host]:") {
		is($ask->($key), $one, $key);
	}
	my $other = $records->('3 1 1 beta');
	for my $key ('other-port.site.lab:587', 'other-port.site.lab:submission',
		'_587._tcp.other-port.site.lab', '[other-port.site.lab]:587') {
		is($ask->($key), $other, $key);
	}
	my %lists = (
		'ee-two' => [ '3 1 1 alpha', '3 1 1 beta' ],
		'ee-forms' => [ '3 1 1 alpha', '3 1 0 alpha', '3 0 1 alpha', '3 0 0 alpha' ],
		'ee-forms512' => [ '3 1 2 alpha', '3 1 0 alpha', '3 0 2 alpha', '3 0 0 alpha' ],
		'ee-key512' => [ '3 1 2 alpha' ],
		'ta-certificate' => [ '2 0 0 root1' ],
		'ta-certificate256' => [ '2 0 1 root1' ],
		'ta-key512' => [ '2 1 2 root1' ],
		'ta-two' => [ '2 0 0 root1', '2 0 0 root2' ],
		mixed => [ '3 1 1 alpha', '2 0 0 root1' ],
		# At its base domain.
		'alias-end' => [ '3 1 1 alpha' ],
		'alias-original' => [ '3 1 1 beta' ],
		'ta-alias' => [ '2 0 0 root1' ],
		# The usable ones.
		'ee-beside-unusable' => [ '3 1 1 alpha' ],
		'ee-beside-garbage' => [ '3 1 1 alpha' ],
		'ta-beside-unusable' => [ '2 0 0 root1' ],
	);
	is($ask->("$_.site.lab"), $records->(@{$lists{$_}}), $_) for sort keys %lists;
	is($ask->('mx1.dane.lab'), 'OK 3 1 1 ' . uc sha256_hex('mx1'), 'a host of many domains');

	# No DANE, no usable records, no MX lookup, no host.
	for my $key ('no-dane.site.lab', 'unusable.site.lab', 'unusable-garbage.site.lab', 'union.site.lab',
		'other-port.site.lab', 'other-port.site.lab:465', '_465._tcp.other-port.site.lab',
		'missing.site.lab', 'mx-none.dane.lab', 'mx-tlsa.plain.lab', 'mx.plain.lab',
		'mx-tlsa-cname-plain.dane.lab') {
		is($ask->($key), 'NOTFOUND ', "none: $key");
	}
	for my $key ('', '.', "_25._udp.$host", "_25.$host", "_tcp.$host", "_0._tcp.$host",
		"_65536._tcp.$host", "_25._tcp.$host:25", '_25._tcp.', "_x._tcp.$host", '_25._tcp.[::1]',
		'192.0.2.1', '[192.0.2.1]', '[IPv6:2001:db8::1]:25', "user\@$host", '/path', ".$host",
		"$host:no-such-service", "$host:70000", "_25._tcp._25._tcp.$host") {
		is($ask->($key), 'NOTFOUND ', "no host: '$key'");
	}
	for my $key (qw(mx-failed.dane.lab mx-tlsa-bogus.dane.lab _25._tcp.mx-tlsa-servfail.dane.lab
		mx-both-bogus.dane.lab mx.expired.lab mx.silent.lab)) {
		my $name = $key =~ s/^_25\._tcp\.//r;
		like($ask->($key), qr/^TEMP [ -~]*\b\Q$name\E (?:TLSA|A|AAAA): /, "failed: $key");
	}
	for (qw(full-ee full-ta)) {
		like($ask->("$_.bulk.lab"), qr/^PERM [ -~]{10,}$/, "$_: too many for a reply");
	}
	for (qw(hundred hundred-ta full full-512)) {
		ok($ask->("$_.bulk.lab") eq listed(@{$large{$_}}), "$_: all of them");
	}
	is($client->request('native', 'full.bulk.lab'), 'OK dane-only', 'the connection goes on');
	ends_well($daemon);
}

# --- explain

sub explanations
{
	my $daemon = start({ enforce => 'native', tafile_dir => new_directory('explain') });
	my $without = start({});
	my $records = sub {
		my ($key, $from) = @_;
		my $explain = explain($from // $daemon, $key);
		return ($explain, map { @{$_->{tlsa}} } @{$explain->{hosts}});
	};
	my $what = sub {
		my ($record) = @_;
		return join(' ', @{$record}{qw(usage selector matching_type)}, map {
			defined $record->{$_} ? ($_ eq 'not_pinned' ? $_ : $record->{$_}) : () }
			qw(match trust_anchor not_pinned));
	};
	my %digest = map { $_ => $cases->fingerprint(256, $_) =~ s/^[^=]*=//r }
		qw(alpha/key alpha/certificate beta/key);

	my ($explain, @records) = $records->('ee-forms.site.lab');
	is($explain->{pinned}, $cases->fingerprint(256, qw(alpha/key alpha/certificate)), 'pinned');
	is($explain->{native}, 'OK dane-only', 'native');
	is($explain->{reply}, 'OK dane-only', 'reply is what policy answers');
	is(join(', ', sort map { $what->($_) } @records), join(', ', sort "3 1 1 $digest{'alpha/key'}",
		"3 1 0 $digest{'alpha/key'}", "3 0 1 $digest{'alpha/certificate'}",
		"3 0 0 $digest{'alpha/certificate'}"), 'which record gave which digest');

	# Which host has the record.
	($explain) = $records->('union.site.lab');
	my %of = map { $_->{name} => $_->{tlsa}[0]{match} } @{$explain->{hosts}};
	is($of{'ee-key256.site.lab'}, $digest{'alpha/key'}, 'one host');
	is($of{'ee-beta.site.lab'}, $digest{'beta/key'}, 'the other');

	($explain, @records) = $records->('[ee-other-digest.site.lab]');
	like($explain->{not_pinned}, qr/\w/, 'not_pinned');
	is(join(', ', sort map { $what->($_) } @records), "3 1 1 $digest{'alpha/key'}, 3 1 2 not_pinned",
		'and which record it was');
	like((map { $_->{not_pinned} // () } @records)[0], qr/sha-?256|digest/i, 'and why');

	($explain, @records) = $records->('[ta-certificate.site.lab]');
	is($what->($records[0]), '2 0 0 published', 'a trust anchor');
	like($explain->{pinned}, qr/^OK secure match=ta-certificate\.site\.lab tafile=/, 'pinned');
	($explain, @records) = $records->('[ta-certificate.site.lab]', $without);
	is($explain->{pinned}, 'OK dane-only', 'without a directory it is native');
	like("$explain->{not_pinned} " . ($records[0]{not_pinned} // ''), qr/tafile_dir/,
		'and explain names the setting');
	is($records[0]{trust_anchor}, 'published', 'the trust anchor is there');

	($explain, @records) = $records->('[ta-beside-digest.site.lab]');
	is(join(', ', sort map { $what->($_) } @records), '2 0 0 published, 2 1 1 unknown not_pinned',
		'a trust anchor that is not known');
	like($explain->{not_pinned}, qr/\w/, 'not_pinned');

	($explain, @records) = $records->('[mixed.site.lab]');
	is($explain->{pinned}, 'OK dane-only', 'both usages');
	like($explain->{not_pinned}, qr/\w/, 'not_pinned');

	($explain, @records) = $records->('[ee-beside-unusable.site.lab]');
	is(scalar(grep { !$_->{usable} && !grep { defined } @{$_}{qw(match trust_anchor not_pinned)} }
		@records), 5, 'records that are not usable have only the reason');
	for my $key ('unusable.site.lab', 'no-tlsa.dane.lab', 'all-failed.dane.lab', 'plain.lab',
		'192.0.2.1', 'null-mx.dane.lab') {
		($explain) = $records->($key);
		is($explain->{$_}, $daemon->request($_, $key), "$key: $_") for qw(native pinned);
		ok(!exists $explain->{not_pinned}, "$key: not_pinned is for DANE");
	}
	($explain) = $records->('partial-none.site.lab');
	is($explain->{pinned}, 'OK dane', 'partial');
	like($explain->{not_pinned}, qr/\w/, 'partial: not_pinned');
	for (sort keys %large) {
		my $reply = $daemon->request('explain', "$_.bulk.lab");
		cmp_ok(length($reply), '<=', 100_000, "$_: Postfix can read it");
		my $explain = explain($daemon, "$_.bulk.lab");
		like($explain->{reason}, qr/^dane-(?:full|unusable)$/, "$_: reason");
	}
	ends_well($_) for $daemon, $without;
}

# --- sizes

sub large_sets
{
	my $directory = new_directory('large');
	my $daemon = start({ enforce => 'pinned', tafile_dir => $directory });
	my $client = $daemon->client(timeout => PROMPT);
	my $sha512 = start({ enforce => 'pinned', fingerprint_digest => 'sha512' });
	my $key = sub { return "$_[0].bulk.lab" };
	my @digests = map { [ map { my $data = pack('H*', s/.* //r); [ sha256_hex($data), sha512_hex($data) ] }
		@{$large{$_}} ] } qw(hundred-full full-ee);
	my %wanted = (
		hundred => all_of(@{$large{hundred}}),
		'hundred-mixed' => all_of(@{$large{'hundred-mixed'}}),
		'hundred-full' => all_of(map { $_->[0] } @{$digests[0]}),
		'full-ee' => all_of(map { $_->[0] } @{$digests[1]}),
		full => all_of(@{$large{full}}),
		fits => all_of(@{$large{full}}, @{$large{more}}),
		'cut-beside' => all_of($large{'cut-beside'}[0]),
		(map { $_ => 'OK dane-only' } qw(too-long full-512)),
		(map { $_ => 'OK encrypt' } qw(full-garbage full-cut full-cut-ta)),
	);
	for my $name (sort keys %wanted) {
		for my $which ('cold', 'cached') {
			my $reply = $client->request('pinned', $key->($name));
			ok($reply eq $wanted{$name}, "$name, $which") or diag(length($reply) . ' bytes: '
				. substr($reply, 0, 300) . "\ninstead of " . length($wanted{$name}) . ' bytes: '
				. substr($wanted{$name}, 0, 300));
		}
	}
	is($sha512->request('pinned', $key->($_->[0])), all_of(map { $_->[1] } @{$digests[$_->[1]]}),
		"$_->[0] as sha512") for [ 'hundred-full', 0 ], [ 'full-ee', 1 ];
	is($sha512->request('pinned', $key->('full-512')), 'OK dane-only', 'sha512: too long');

	for my $name (qw(hundred-ta full-ta ta-cut-beside)) {
		my $reply = $client->request('pinned', $key->($name));
		my ($file) = $reply =~ m{\AOK secure match=\Q$name.bulk.lab\E tafile=(\Q$directory\E/tlsad-\w{64}\.pem)\z};
		if (!ok(defined $file, "$name: a file")) { diag($reply); next }
		my @blocks = eval { Tlsad::PinnedCases::pem($file) };
		is($@, '', "$name: all of it is PEM");
		my @wanted = map { s/.* //r } @{$large{$name}};
		@wanted = $wanted[0] if $name eq 'ta-cut-beside';
		is(join(' ', sort map { "$_->[0] " . unpack('H*', $_->[1]) } @blocks),
			join(' ', sort map { "CERTIFICATE $_" } @wanted), "$name: exactly these");
		is($client->request('pinned', $key->($name)), $reply, "$name: the same from the cache");
	}
	ends_well($_) for $daemon, $sha512;
}

# Not cached, all at once over many connections: each gets the same reply.
sub many_at_once
{
	my $directory = new_directory('at-once');
	my $daemon = start({ enforce => 'pinned', tafile_dir => $directory });
	my $fingerprint = all_of(sha256_hex('h1'));
	my @asked = map { ([ 'pinned', "j$_.bulk.lab", $fingerprint ],
		[ 'policy', 'ta-two.site.lab', undef ], [ 'tlsa', 'h1.bulk.lab', 'OK 3 1 1 ' . uc sha256_hex('h1') ],
		[ 'native', "j$_.bulk.lab", 'OK dane-only' ]) } 1 .. 60;
	for (@asked) {
		push @$_, $daemon->client(timeout => PROMPT);
		$_->[3]->send_request($_->[0], $_->[1]);
	}
	my ($wrong, %files) = (0);
	for (@asked) {
		my $reply = eval { $_->[3]->receive_reply } // "no reply: $@";
		if (defined $_->[2]) { $wrong++ if $reply ne $_->[2] }
		else { $files{$reply}++ }
	}
	is($wrong, 0, 'all are right');
	is(join(' ', values %files), '60', 'all of trust anchors are the same');
	is($cases->wrong('OK secure ta-two.site.lab with root1/certificate root2/certificate',
		(keys %files)[0], tafile_dir => $directory), '', 'and right');
	opendir(my $handle, $directory) or die "$directory: $!\n";
	is(scalar(grep { !/^\./ } readdir($handle)), 1, 'there is one file');
	ends_well($daemon);
}

# min_ttl must not keep a pinned digest longer than its TLSA record by more than a minute.
sub lifetimes
{
	my $daemon = start({}, cache => { min_ttl => '1h' });
	my $key = '[short-tlsa.bulk.lab]';
	is($daemon->request('pinned', $key), all_of(sha256_hex('short')), 'a TTL of 5 seconds');
	my $ttl = explain($daemon, $key)->{ttl};
	cmp_ok($ttl, '<=', 5 + 60, "min_ttl = 1h: $ttl s");
	cmp_ok($ttl, '>', 5, 'min_ttl counts all the same');
	is($daemon->request('native', 'missing.dane.lab'), 'NOTFOUND ', 'what is absent');
	ends_well($daemon);
}

# --- over time

sub restart
{
	my $directory = new_directory('restart');
	my $failing = Tlsad::FaultyDns->start(rules => [ { name => '.', behaviour => 'servfail' } ]);
	my $dane = { enforce => 'pinned', tafile_dir => $directory };
	my $daemon = start($dane);
	my @keys = qw(union.site.lab ta-union.site.lab insecure.site-plain.lab unusable.site.lab
		[ee-certificate.site.lab] full-ee.bulk.lab partial-none.site.lab no-tlsa.dane.lab);
	my %replies = map { $_ => $daemon->request('pinned', $_) } @keys;
	my %records = map { $_ => $daemon->request('tlsa', $_) } qw(ee-two.site.lab ta-two.site.lab);
	is($replies{'union.site.lab'}, $cases->fingerprint(256, qw(alpha/key beta/key)), 'looked up');
	ends_well($daemon);
	$daemon->write_config({ dane => $dane, resolver => { stub => '. 127.0.0.1@' . $failing->port,
		timeout => '2s' } });
	$daemon->start_again;
	for my $round (1 .. 2) {
		is($daemon->request('pinned', $_), $replies{$_}, "kept: $_") for @keys;
		is($daemon->request('tlsa', $_), $records{$_}, "kept: tlsa $_") for sort keys %records;
		ok(explain($daemon, 'union.site.lab')->{cached}, 'explain shows it');
		is($daemon->kill9, 128 + 9, 'killed'), $daemon->start_again if $round == 1;
	}
	like($daemon->request('pinned', 'one.site.lab'), qr/^TEMP |^OK fingerprint/, 'there is no DNS');
	ends_well($daemon);
}

sub reloading
{
	my $directory = new_directory('reload');
	my $daemon = start({ enforce => 'native', tafile_dir => $directory });
	my $client = $daemon->client(timeout => PROMPT);
	my $reload = sub {
		my ($dane, $pattern) = @_;
		$daemon->write_config({ dane => $dane });
		my $from = length($daemon->log_text);
		$daemon->reload;
		ok($daemon->wait_log($pattern // qr/configuration reloaded/, PROMPT, $from), 'reloaded')
			or diag(substr($daemon->log_text, $from));
	};
	# Each thread applies it by itself.
	my $becomes = sub {
		my ($map, $key, $wanted, $what) = @_;
		wait_until(PROMPT, sub { $client->request($map, $key) eq $wanted });
		is($client->request($map, $key), $wanted, $what);
	};
	my $key = 'union.site.lab';
	my $pinned = $cases->fingerprint(256, qw(alpha/key beta/key));
	$becomes->('policy', $key, 'OK dane-only', 'at first');
	$reload->({ enforce => 'pinned', tafile_dir => $directory });
	$becomes->('policy', $key, $pinned, 'enforce = pinned');
	is($client->request('native', $key), 'OK dane-only', 'native stays');

	$becomes->('policy', '[ee-certificate512.site.lab]', 'OK dane-only', 'sha256');
	my ($ta, $ta_reply) = ('ta-one.site.lab', $client->request('policy', 'ta-one.site.lab'));
	like($ta_reply, qr/^OK secure /, 'with a directory');
	$reload->({ enforce => 'pinned', fingerprint_digest => 'sha512', tafile_dir => $directory });
	$becomes->('policy', '[ee-certificate512.site.lab]',
		$cases->fingerprint(512, 'alpha/certificate'), 'fingerprint_digest = sha512');
	is($client->request('policy', $key), 'OK dane-only', 'and not sha256 any more');
	is($client->request('policy', $ta), $ta_reply, 'the files stay');
	my $other = new_directory('reload-other');
	$reload->({ enforce => 'pinned', tafile_dir => $other },
		qr/dane\.tafile_dir has changed; restart tlsad to apply it/);
	is($client->request('policy', $ta), $ta_reply, 'their directory is that of the start');
	$becomes->('policy', $key, $pinned, 'sha256 again');
	$daemon->write_config({ dane => { enforce => 'pinned', tafile_dir => $directory } });

	$reload->({ enforce => 'nonsense' }, qr/old configuration stays in use: .*enforce/);
	is($client->request('policy', $key), $pinned, 'a broken file changes nothing');
	$reload->({ tafile_dir => $directory });
	$becomes->('policy', $key, 'OK dane-only', 'back again');
	is($client->request('pinned', $key), $pinned, 'the map stays');
	ends_well($daemon);
}

sub settings
{
	my $check = sub {
		my (@settings) = @_;
		my $log = "$private/settings";
		unlink($log);
		my $process = Tlsad::Process::spawn(log => $log, command => [ Tlsad::Daemon::binary(),
			'-n', '-c', '/dev/null', map { ('-o', $_) } @settings ]);
		my $status = $process->wait(PROMPT);
		open(my $handle, '<', $log) or die "$log: $!\n";
		local $/;
		return (defined $status ? $status >> 8 : 'none', <$handle> // '');
	};
	for my $good ([ 'dane.enforce=native' ], [ 'dane.enforce=pinned' ],
		[ 'dane.fingerprint_digest=sha256' ], [ 'dane.fingerprint_digest=sha512' ],
		[ 'dane.tafile_dir=/var/lib/tlsad/ta' ], [ 'dane.learn_trust_anchors=no' ],
		[ 'dane.tafile_dir=/x', 'dane.tafile_prefix=/y', 'dane.learn_trust_anchors=yes' ]) {
		my ($status, $text) = $check->(@$good);
		is($status, 0, "good: @$good") or diag($text);
	}
	my %bad = ('dane.enforce=pin' => qr/enforce/, 'dane.enforce=' => qr/enforce/,
		'dane.fingerprint_digest=md5' => qr/fingerprint_digest/,
		'dane.fingerprint_digest=sha1' => qr/fingerprint_digest/,
		'dane.learn_trust_anchors=perhaps' => qr/learn_trust_anchors/,
		'dane.learn_trust_anchors=yes' => qr/tafile_dir/);
	for my $bad (sort keys %bad) {
		my ($status, $text) = $check->($bad);
		my $setting = $bad{$bad};
		is($status, 1, "bad: $bad");
		like($text, qr/\A.*$setting.*\n\z/, 'one line names the setting');
	}
}
