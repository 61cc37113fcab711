#!/usr/bin/perl
# tlsactl tlsa create: the same association data, byte for byte, as openssl(1),
# tlsa(1) of hash-slinger and ldns-dane(1) make; owner names and output forms; the
# choice of certificates from a chain; and messages for unusable files.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use Tlsad::Certificates;
use Tlsad::Ctl;
use Tlsad::Lab;
use Tlsad::MailHost;
use Tlsad::Process;

my $name = 'mx.example.com';
my $owner = "_25._tcp.$name.";
my $ctl = Tlsad::Ctl->new;
my $directory = $ctl->directory;
my $certificates = Tlsad::Certificates->new("$directory/certificates");

$certificates->make('root', authority => 1);
$certificates->make('intermediate', authority => 1, issuer => 'root');
$certificates->make('leaf', issuer => 'intermediate', names => [$name]);
$certificates->make('self', names => [$name]);
my $chain = $certificates->chain('chain.pem', qw(leaf intermediate root));
my %algorithms = ('P-256' => $certificates->path('self', 'crt'),
	map { $_ => self_signed($_) } qw(RSA:2048 ED25519));

subtest('as openssl' => \&as_openssl);
subtest('as tlsa of hash-slinger' => \&as_hash_slinger);
subtest('as ldns-dane' => \&as_ldns_dane);
subtest('from keys' => \&from_keys);
subtest('forms' => \&forms);
subtest('which certificates of a chain' => \&chains);
subtest('from a live server' => \&live);
subtest('JSON' => \&json);
subtest('bad files' => \&bad_files);
subtest('bad arguments' => \&bad_arguments);
done_testing();

sub openssl
{
	my (@arguments) = @_;
	open(my $pipe, '-|', 'sh', '-c', 'exec openssl "$@" 2>&1', 'sh', @arguments)
		or die "openssl: $!\n";
	my $text = do { local $/; <$pipe> } // '';
	close($pipe) or die "openssl @arguments: $text\n";
	return $text;
}

sub write_file
{
	my ($file, $text) = @_;
	open(my $handle, '>', "$directory/$file") or die "$file: $!\n";
	print {$handle} $text;
	close($handle) or die "$file: $!\n";
	return "$directory/$file";
}

sub read_file
{
	my ($file) = @_;
	open(my $handle, '<', $file) or die "$file: $!\n";
	local $/;
	return scalar <$handle>;
}

sub self_signed
{
	my ($algorithm) = @_;
	my $base = "$directory/" . $algorithm =~ s/:.*//r;
	openssl('req', '-x509', '-newkey', $algorithm =~ s/^RSA/rsa/r, '-nodes', '-keyout',
		"$base.key", '-out', "$base.crt", '-days', 2, '-subj', "/CN=$name");
	return "$base.crt";
}

# Returns the lines of output; the exit status must be 0.
sub lines
{
	my (@arguments) = @_;
	my $result = $ctl->run('tlsa', 'create', $name, @arguments);
	is($result->{status}, 0, "@arguments: status") or diag($result->{err});
	return split(/\n/, $result->{out});
}

# With CI set, a missing program is a failure.
sub need
{
	my ($program, $package) = @_;
	my $path = Tlsad::Process::find_program($program);
	return $path if defined $path;
	if (($ENV{CI} // '') eq 'true') {
		fail("$program of $package is installed (CI=true)");
		return undef;
	}
	plan(skip_all => "$program of $package is not installed");
}

# The pipe of commands that administrators have used so far.
sub as_openssl
{
	for my $algorithm (sort keys %algorithms) {
		my $file = $algorithms{$algorithm};
		my $public_key = "openssl x509 -in $file -noout -pubkey"
			. ' | openssl pkey -pubin -outform DER';
		my $der_form = "openssl x509 -in $file -outform DER";
		for my $digest ([1, 'sha256'], [2, 'sha512']) {
			my ($type, $program) = @$digest;
			my ($key) = qx($public_key | openssl $program) =~ /([0-9a-f]{64,128})\s*$/;
			my ($whole) = qx($der_form | openssl $program) =~ /([0-9a-f]{64,128})\s*$/;
			is_deeply([lines('--cert', $file, '--matching', $type)],
				["$owner IN TLSA 3 1 $type $key"], "$algorithm: 3 1 $type");
			is_deeply([lines('--cert', $file, '--selector', 0, '--matching', $type)],
				["$owner IN TLSA 3 0 $type $whole"], "$algorithm: 3 0 $type");
		}
		my $der = unpack('H*', scalar qx($der_form));
		is_deeply([lines('--cert', $file, '--selector', 0, '--matching', 0)],
			["$owner IN TLSA 3 0 0 $der"], "$algorithm: 3 0 0");
		$der = unpack('H*', scalar qx($public_key));
		is_deeply([lines('--cert', $file, '--matching', 0)],
			["$owner IN TLSA 3 1 0 $der"], "$algorithm: 3 1 0");
	}
}

sub compare
{
	my ($whose, $make) = @_;
	for my $algorithm (sort keys %algorithms) {
		my $file = $algorithms{$algorithm};
		for my $usage (1, 3) {
			for my $selector (0, 1) {
				for my $type (0, 1, 2) {
					my $theirs = $make->($file, $usage, $selector,
						$type) // next;
					my ($ours) = lines('--cert', $file, '--usage', $usage,
						'--selector', $selector, '--matching', $type);
					my $rdata = qr/TLSA\s+(\d) (\d) (\d) (\S+)/;
					is("@{[lc($ours) =~ /$rdata/i]}",
						"@{[lc($theirs) =~ /$rdata/i]}",
						"$algorithm: $usage $selector $type as $whose has it");
				}
			}
		}
	}
}

sub as_hash_slinger
{
	my $program = need('tlsa', 'hash-slinger') // return;
	my $create = "$program --create --port 25 --certificate";
	compare('hash-slinger', sub {
		my ($file, $usage, $selector, $type) = @_;
		my $kind = "--usage $usage --selector $selector --mtype $type";
		my ($line) = qx($create $file $kind $name 2>/dev/null) =~ /(^_25.*)/m;
		# Its M2Crypto does not support Ed25519.
		return $line if defined $line;
		ok($file =~ /ED25519/, 'it made a record') unless defined $line;
		return undef;
	});
	my $kind = '--usage 3 --selector 1 --mtype 1 --output generic';
	my ($theirs) = qx($create $algorithms{'P-256'} $kind $name 2>/dev/null) =~ /(^_25.*)/m;
	my ($ours) = lines('--cert', $algorithms{'P-256'}, '--generic');
	is(lc($ours), lc($theirs // ''), 'the same line in the form of RFC 3597');
}

sub as_ldns_dane
{
	my $program = need('ldns-dane', 'ldnsutils') // return;
	# -a: otherwise it would look up the host's address, which is not needed here.
	my $create = "$program -d -n -s -a 127.0.0.1 -c";
	compare('ldns-dane', sub {
		my ($file, $usage, $selector, $type) = @_;
		my $kind = "$usage $selector $type";
		my ($line) = qx($create $file create $name 25 $kind 2>&1) =~ /(^_25.*)/m;
		ok(defined $line, "it made $usage $selector $type");
		return $line;
	});
}

sub from_keys
{
	for my $algorithm (sort keys %algorithms) {
		my $file = $algorithms{$algorithm};
		my $private = $file =~ s/\.crt$/.key/r;
		my $public = write_file('public.key', scalar qx(openssl pkey -in $private -pubout));
		for my $type (0, 1, 2) {
			my @expected = lines('--cert', $file, '--matching', $type);
			is_deeply([lines('--key', $private, '--matching', $type)], \@expected,
				"$algorithm: the private key, matching type $type");
			is_deeply([lines('--key', $public, '--matching', $type)], \@expected,
				"$algorithm: the public key, matching type $type");
		}
	}
	my $old = write_file('old.key', openssl('rsa', '-in', "$directory/RSA.key", '-traditional')
		=~ s/^writing RSA key\n//mr);
	like(read_file($old), qr/BEGIN RSA PRIVATE KEY/, 'a key in the old form');
	is_deeply([lines('--key', $old)], [lines('--cert', "$directory/RSA.crt")], 'it is read');
	# The order that Postfix's smtpd_tls_chain_files requires.
	my $both = write_file('both.pem', read_file($certificates->path('self', 'key'))
		. read_file($certificates->path('self', 'crt')));
	is_deeply([lines('--key', $both)], [lines('--cert', $both)],
		'a file with key and certificate');
	my $parameters = write_file('parameters.pem', openssl(qw(ecparam -name prime256v1))
		. read_file($certificates->path('self', 'key')));
	is_deeply([lines('--key', $parameters)], [lines('--cert', $both)],
		'EC parameters before the key');
}

sub forms
{
	my $file = $algorithms{'P-256'};
	my ($plain) = lines('--cert', $file);
	my ($data) = $plain =~ /(\S+)$/;
	my %forms = (
		"--ttl 3600" => "$owner 3600 IN TLSA 3 1 1 $data",
		"--ttl 0" => "$owner 0 IN TLSA 3 1 1 $data",
		"--port 465" => "_465._tcp.$name. IN TLSA 3 1 1 $data",
		"--protocol udp --port 853" => "_853._udp.$name. IN TLSA 3 1 1 $data",
		"--protocol sctp" => "_25._sctp.$name. IN TLSA 3 1 1 $data",
		"--generic" => "$owner IN TYPE52 \\# 35 030101$data",
		"--generic --ttl 60" => "$owner 60 IN TYPE52 \\# 35 030101$data",
	);
	for my $options (sort keys %forms) {
		is_deeply([lines('--cert', $file, split(/ /, $options))], [$forms{$options}],
			$options);
	}
	for my $typed ('MX.Example.COM', 'mx.example.com.') {
		my $result = $ctl->run('tlsa', 'create', $typed, '--cert', $file);
		is($result->{out}, "$plain\n", "the name written $typed");
	}
	my $result = $ctl->run('tlsa', 'create', "b\xc3\xbccher.example", '--cert', $file);
	like($result->{out}, qr/^_25\._tcp\.xn--bcher-kva\.example\. IN /, 'a name in UTF-8');
	# The lines must be ones that name servers can read.
	SKIP: {
		my $checker = Tlsad::Process::find_program('ldns-read-zone') // skip('no ldns-read-zone', 1);
		my $zone = write_file('zone', "example.com. 60 IN SOA ns. host. 1 2 3 4 5\n"
			. join("\n", lines('--cert', $file), lines('--cert', $file, '--generic',
				'--ttl', 5)) . "\n");
		my $read = qx($checker $zone 2>&1);
		is(scalar(() = $read =~ /TLSA\t3 1 1 \Q$data\E/gi), 2,
			'ldns reads both forms alike') or diag($read);
	}
}

sub chains
{
	my %record = map { my $of = $_; $of => [map { my $selector = $_; map {
		Tlsad::Certificates::association($certificates->path($of, 'crt'), $selector, 1) } 1
	} 0, 1] } qw(leaf intermediate root self);
	is_deeply([lines('--cert', $chain)], ["$owner IN TLSA 3 1 1 $record{leaf}[1]"],
		'usage 3: the first certificate');
	is_deeply([lines('--cert', $chain, '--usage', 2, '--selector', 0)],
		[map { "$owner IN TLSA 2 0 1 $record{$_}[0]" } qw(intermediate root)],
		'usage 2: every authority');
	is_deeply([lines('--cert', $certificates->path('root', 'crt'), '--usage', 2)],
		["$owner IN TLSA 2 1 1 $record{root}[1]"], 'usage 2: an authority alone');
	my $twice = $certificates->chain('twice.pem', qw(leaf root root));
	is_deeply([lines('--cert', $twice, '--usage', 2)],
		["$owner IN TLSA 2 1 1 $record{root}[1]"], 'a certificate that is there twice');
	my @many = map { "authority$_" } 1 .. 17;
	$certificates->make($_, authority => 1) for @many;
	my $result = $ctl->run('tlsa', 'create', $name, '--usage', 2, '--cert',
		$certificates->chain('many.pem', @many));
	is("$result->{status} $result->{out}", '1 ', 'usage 2 of a whole store: status');
	like($result->{err}, qr/more than 16 CA certificates/, 'and why');
	$result = $ctl->run('tlsa', 'create', $name, '--usage', 2, '--cert',
		$certificates->path('leaf', 'crt'));
	is($result->{status}, 1, 'usage 2 without an authority: status');
	is($result->{out}, '', 'and no line');
	like($result->{err}, qr/no CA certificate, which --usage 2 needs/, 'and why');
	$result = $ctl->run('tlsa', 'create', $name, '--usage', 1, '--cert', $chain);
	is($result->{status}, 0, 'usage 1: status');
	like($result->{err}, qr/warning: mail clients do not use records of usage 1/, 'with a warning');
}

sub live
{
	my $key = $certificates->path('leaf', 'key');
	my $server = Tlsad::MailHost->start(cert => $chain, key => $key);
	my $port = $server->port;
	my @to = ('--connect', '127.0.0.1', '--port', $port);
	my %record = map { $_ => Tlsad::Certificates::association($certificates->path($_, 'crt'), 1,
		1) }
		qw(leaf intermediate root);
	my $result = $ctl->run('tlsa', 'create', $name, @to);
	is($result->{status}, 0, 'STARTTLS: status');
	is($result->{out}, "_$port._tcp.$name. IN TLSA 3 1 1 $record{leaf}\n", 'the record');
	like($result->{err}, qr/\Atlsactl: warning: the server at 127\.0\.0\.1 was not authenticated[^\n]*\n\z/,
		'a warning');
	ok($server->wait_count('handshake', 1, 20), 'the server is content');
	is(($server->names)[-1], $name, 'it was asked for the name');
	$result = $ctl->run('tlsa', 'create', '--connect', $name, '--port', $port, '--usage', 2);
	is($result->{status}, 1, 'a name that is not in DNS');
	$result = $ctl->json('tlsa', 'create', $name, @to, '--usage', 2);
	is($result->{json}{address}, '127.0.0.1', 'JSON: the address of the server');
	is("@{[map { $_->{data} } @{$result->{json}{records}}]}",
		"$record{intermediate} $record{root}",
		'usage 2: the authorities that it sends');
	my $direct = Tlsad::MailHost->start(cert => $chain, key => $key, tls_only => 1);
	$result = $ctl->run('tlsa', 'create', $name, '--connect=127.0.0.1', '--port', $direct->port,
		'--starttls', 'none');
	like($result->{out}, qr/TLSA 3 1 1 $record{leaf}$/, 'TLS at once');
	my $wordy = Tlsad::MailHost->start(cert => $chain, key => $key, fault => 'long-banner');
	$result = $ctl->run('tlsa', 'create', $name, '--connect', '127.0.0.1', '--port', $wordy->port);
	like($result->{out}, qr/TLSA 3 1 1 $record{leaf}$/, 'a banner of 100 KB');

	my %faults = ('no-starttls' => qr/does not offer STARTTLS/,
		'close-after-ehlo' => qr/closed the connection before the reply to EHLO/,
		'turn-away' => qr/554/, silent => qr/timed out/);
	for my $fault (sort keys %faults) {
		my $bad = Tlsad::MailHost->start(cert => $chain, key => $key, fault => $fault);
		$result = $ctl->run('tlsa', 'create', $name, '--connect', '127.0.0.1', '--port',
			$bad->port,
			'--timeout', 2);
		is("$result->{status} $result->{out}", '1 ', "$fault: status");
		like($result->{err}, qr/\Atlsactl: error: \Q$name\E \[127\.0\.0\.1\] port \d+: [^\n]*\n\z/, 'one line');
		like($result->{err}, $faults{$fault}, 'and why');
	}
	$result = $ctl->run('tlsa', 'create', $name, '--connect=mx', '--port', $port);
	is("$result->{status} $result->{out}", '1 ', 'an invalid address');

	my @missing = Tlsad::Lab::missing_programs();
	SKIP: {
		skip("not installed: @missing", 3) if @missing;
		# No server listens on the first address.
		my $lab = Tlsad::Lab->start(zones => { 'site.lab' => "mx A 127.0.0.250\nmx A 127.0.0.1\n" });
		$result = Tlsad::Ctl->new(lab => $lab)->run('tlsa', 'create', 'mx.site.lab',
			'--connect',
			'--port', $port);
		is($result->{status}, 0, 'the first address of the name that answers')
			or diag($result->{err});
		is($result->{out}, "_$port._tcp.mx.site.lab. IN TLSA 3 1 1 $record{leaf}\n",
			'the record');
		unlike($result->{err}, qr/error/, 'the other one is worth a warning');
	}
}

sub json
{
	my $result = $ctl->json('tlsa', 'create', $name, '--cert', $chain, '--usage', 2, '--ttl',
		60);
	is($result->{status}, 0, 'status');
	is($result->{json}{name}, $name, 'name');
	is($result->{json}{port}, 25, 'port');
	is(scalar(@{$result->{json}{records}}), 2, 'two records');
	my $record = $result->{json}{records}[0];
	is_deeply([@$record{qw(usage selector matching_type)}], [2, 1, 1], 'the three numbers');
	is($record->{line}, "$owner 60 IN TLSA 2 1 1 $record->{data}", 'the line');
	is($record->{source}, 'CN=intermediate', 'the certificate that it is of');
}

sub bad_files
{
	my $key = $certificates->path('self', 'key');
	my $certificate = $certificates->path('self', 'crt');
	my $text = read_file($certificate);
	openssl('pkey', '-in', $key, '-aes256', '-passout', 'pass:secret', '-out',
		"$directory/encrypted.key");
	openssl('rsa', '-in', "$directory/RSA.key", '-traditional', '-aes256', '-passout',
		'pass:secret', '-out', "$directory/old-encrypted.key");
	openssl('x509', '-in', $certificate, '-outform', 'DER', '-out',
		"$directory/certificate.der");
	my @lines = split(/^/, $text);
	my @rows = (
		['a missing file', '--cert', "$directory/missing", qr/No such file/],
		['a directory', '--cert', $directory, qr/is a directory/],
		['a directory for a key', '--key', $directory, qr/is a directory/],
		['an empty file', '--cert', write_file('empty', ''), qr/is empty/],
		['a text', '--cert', write_file('text', "no certificate\n" x 3), qr/not PEM/],
		['random bytes', '--cert', write_file('random', join('',
			map { chr(rand 256) } 1 .. 5000) . "\n"), qr/not PEM/],
		['DER', '--cert', "$directory/certificate.der", qr/perhaps DER/],
		['a certificate that is cut', '--cert', write_file('cut', substr($text, 0, 300)),
			qr/damaged/],
		['another word in it', '--cert', write_file('spoilt', join('', @lines[0, 1],
			"!!!\n", @lines[3 .. $#lines])), qr/damaged/],
		['a line less', '--cert', write_file('less', join('', @lines[0, 1, 4 .. $#lines])),
			qr/certificate 1 of 1 cannot be read/],
		['the second one damaged', '--cert', write_file('second', $text . join('', @lines[0,
			1, 4 .. $#lines])), qr/certificate 2 of 2 cannot be read/],
		['no certificate but a key', '--cert', $key,
			qr/no certificate but a key: name it with --key/],
		['no key but a certificate', '--key', $certificate,
			qr/no key but a certificate: name it with --cert/],
		['an encrypted key', '--key', "$directory/encrypted.key",
			qr/the private key is encrypted/],
		['an encrypted key in the old form', '--key', "$directory/old-encrypted.key",
			qr/the private key is encrypted/],
		['an invalid key', '--key', write_file('bad.key',
			"-----BEGIN PRIVATE KEY-----\nMA==\n-----END PRIVATE KEY-----\n"),
			qr/the key cannot be read/],
		['too large a file', '--cert', write_file('large', $text x 2000), qr/larger than/],
		['a device', '--cert', '/dev/zero', qr/larger than/],
	);
	for my $row (@rows) {
		my ($what, $option, $file, $words) = @$row;
		my $result = $ctl->run({ seconds => 20 }, 'tlsa', 'create', $name, $option, $file);
		is($result->{status}, 1, "$what: status");
		is($result->{out}, '', "$what: no output");
		like($result->{err}, qr/\Atlsactl: error: [^\n]*\n\z/, "$what: one line");
		like($result->{err}, $words, "$what: and why");
		like($result->{err}, qr/\Q$file\E/, "$what: in which file");
		$result = $ctl->run({ seconds => 20 }, '--json', 'tlsa', 'create', $name, $option,
			$file);
		is("$result->{status} $result->{out}", '1 ', "$what: with --json the same");
	}
	SKIP: {
		skip('root may read everything', 1) if $> == 0;
		my $file = write_file('forbidden', $text);
		chmod(0, $file);
		like($ctl->run('tlsa', 'create', $name, '--cert', $file)->{err},
			qr/Permission denied/,
			'a file that may not be read');
	}
	is($ctl->run('tlsa', 'create', $name, '--cert',
		"/dev/fd/../../proc/self/no\n\e[31m")->{err},
		"tlsactl: error: /dev/fd/../../proc/self/no\\x0a\\x1b[31m cannot be read: No such file or directory\n",
		'nothing unprintable reaches the terminal');
}

sub bad_arguments
{
	my $file = $algorithms{'P-256'};
	my @usage = (
		[[$name], qr/give exactly one of --cert, --key and --connect/],
		[[$name, '--cert', $file, '--key', $file], qr/give exactly one of/],
		[['--cert', $file], qr/NAME is missing/],
		[[$name, 'other', '--cert', $file], qr/'other' is one too many/],
		[[$name, '--cert'], qr/'--cert' needs a value/],
		[[$name, '--cert', $file, '--usage', 4],
			qr/--usage 4: expected a number from 0 to 3/],
		[[$name, '--cert', $file, '--usage', 'x'], qr/expected a number/],
		[[$name, '--cert', $file, '--usage', ''], qr/expected a number/],
		[[$name, '--cert', $file, '--port', 0], qr/from 1 to 65535/],
		[[$name, '--cert', $file, '--port', '99999999999999999999'], qr/from 1 to 65535/],
		[[$name, '--cert', $file, '--ttl', 4294967295], qr/expected a number/],
		[[$name, '--cert', $file, '--protocol', 'icmp'], qr/expected tcp\|udp\|sctp/],
		[[$name, '--cert', $file, '--selektor', 1],
			qr/no option '--selektor'; did you mean '--selector'/],
		[[$name, '--cert', $file, '--generic=yes'], qr/takes no value/],
		[[$name, '--cert', $file, '-x'], qr/no option '-x'/],
		[[$name, '--key', $file, '--selector', 0],
			qr/--selector 0 needs the whole certificate/],
	);
	for my $row (@usage) {
		my $result = $ctl->run('tlsa', 'create', @{$row->[0]});
		my $what = join(' ', map { $_ eq $file ? 'FILE' : $_ } @{$row->[0]});
		is($result->{status}, 64, "$what: status");
		is($result->{out}, '', "$what: no output");
		like($result->{err}, $row->[1], "$what: why");
		like($result->{err}, qr/^usage: tlsactl tlsa create NAME /m, "$what: usage");
	}
	for my $bad ('', 'a b', '192.0.2.1', '[mx.example.com]', 'mx.example.com:25',
		'_25._tcp.mx.example.com', '-x-.example',
		'single', '.example.com', 'a' x 64 . '.example', join('.', ('a' x 60) x 4) . '.b') {
		my $result = $ctl->run('tlsa', 'create', '--cert', $file, '--', $bad);
		is("$result->{status} $result->{out}", '1 ', "'$bad' is no name: status");
		like($result->{err}, qr/\Atlsactl: error: [^\n]+\n\z/, "'$bad': one line");
	}
}
