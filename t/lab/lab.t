#!/usr/bin/perl
# Checks the lab itself with validators other than the one under test: the unbound
# daemon, and BIND's delv if it is installed. If this test fails, failures of cases.t
# mean nothing. It also checks that the helpers leave no process running.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use File::Basename qw(dirname);
use File::Copy ();
use IO::Select;
use IO::Socket::INET;
use Test::More;
use Time::HiRes ();
use Tlsad::FaultyDns;
use Tlsad::Lab;
use Tlsad::Process;

use constant ANSWER_TIMEOUT => 30;	# [s]
use constant DAY => 86400;

my @missing = Tlsad::Lab::missing_programs();
plan(skip_all => "not installed: @missing") if @missing;

my %type = (A => 1, MX => 15, AAAA => 28, DS => 43, DNSKEY => 48, TLSA => 52);

# NAME TYPE STATUS COUNT: STATUS is secure, insecure or failed (which is bogus,
# SERVFAIL or no answer), or one of the first two with "-nxdomain"; COUNT is how
# many records of that type the answer has, without its CNAMEs.
my @lookups = map { [ split ] } grep { /\S/ } split(/\n/, <<'END');
	.					DNSKEY	secure	2
	lab					DS	secure	1
	optout					DS	secure	1
	dane.lab				MX	secure	1
	full.dane.lab				MX	secure	2
	mailhost				A	secure	1
	plain.lab				DS	secure	0
	plain.lab				MX	insecure	1
	plain.optout				DS	insecure	0
	plain.optout				MX	insecure	1
	dane.optout				MX	secure	1
	nsec3.lab				MX	secure	1
	faults.lab				MX	insecure	1
	xn--bcher-kva.lab			MX	secure	1
	missing.nowhere				MX	secure-nxdomain	0
	missing.dane.lab			MX	secure-nxdomain	0
	missing.nsec3.lab			MX	secure-nxdomain	0
	missing.dane.optout			MX	secure-nxdomain	0
	missing.optout				MX	insecure-nxdomain	0
	missing.plain.lab			MX	insecure-nxdomain	0
	no-mx.dane.lab				MX	secure	0
	no-mx.plain.lab				MX	insecure	0
	corrupt.lab				MX	failed	0
	bogus-ds.lab				MX	failed	0
	no-dnskey.lab				MX	failed	0
	no-signatures.lab			MX	failed	0
	expired.lab				MX	failed	0
	not-yet.lab				MX	failed	0
	bogus-mx.dane.lab			MX	failed	0
	bogus-no-mx.dane.lab			MX	failed	0
	bogus-no-mx.dane.lab			A	secure	1
	mx-a-bogus.dane.lab			A	failed	0
	mx-a-bogus.dane.lab			AAAA	secure	1
	_25._tcp.mx-failed.dane.lab		TLSA	failed	0
	_25._tcp.mx-tlsa-bogus-nodata.dane.lab	TLSA	failed	0
	cname.dane.lab				MX	secure	2
	cname-to-plain.dane.lab			MX	insecure	1
	cname-to-secure.plain.lab		MX	insecure	2
	cname-bogus.dane.lab			MX	failed	0
	cname-loop.dane.lab			MX	failed	0
	full.dname.dane.lab			MX	secure	1
	x.dname-loop.dane.lab			MX	failed	0
	any.wildcard-mx.dane.lab		MX	secure	1
	chain11-1.dane.lab			A	secure	1
	chain12-1.dane.lab			A	failed	0
	across11-1.dane.lab			A	secure	1
	across12-1.dane.lab			A	failed	0
	mx-cname-insecure.dane.lab		A	insecure	1
	_25._tcp.mx1.dane.lab			TLSA	secure	1
	_25._tcp.mx-tlsa-cname.dane.lab		TLSA	secure	1
	_25._tcp.mx-tlsa-cname-plain.dane.lab	TLSA	insecure	1
	_25._tcp.mx-tlsa-plain.dane.lab		TLSA	insecure	1
	_25._tcp.mx-tlsa-wildcard.dane.lab	TLSA	secure	1
	_25._tcp.mx-tlsa-dname.dane.lab		TLSA	secure	1
	_25._tcp.mx-tlsa-3-octets.dane.lab	TLSA	secure	1
	_25._tcp.mx-tlsa-hundred.dane.lab	TLSA	secure	100
	_25._tcp.mx-none.dane.lab		TLSA	secure-nxdomain	0
	_25._tcp.mx-tlsa-nodata.dane.lab	TLSA	secure	0
	_25._tcp.mx-tlsa-servfail.dane.lab	TLSA	failed	0
	lame.lab				MX	failed	0
	servfail.lab				MX	failed	0
	slow.lab				MX	secure	1
	added.site.lab				MX	secure	1
	added.site-plain.lab			MX	insecure	1
END

my $lab = Tlsad::Lab->start(zones => {
	'site.lab' => "added MX 10 mx\n", 'site-plain.lab' => "added MX 10 mx\n" });

SKIP: {
	my $unbound = Tlsad::Process::find_program('unbound')
		or skip('the unbound daemon is not installed', scalar @lookups);
	my ($process, $port) = start_unbound($unbound);
	my $left_out = $lab->left_out;
	for my $lookup (@lookups) { SKIP: {
		my $reason = $left_out->{$lookup->[0]};
		skip("$lookup->[0]: $reason", 1) if defined $reason;
		check_lookup($port, @$lookup);
	} }
	$process->stop(5);
}

SKIP: {
	my $delv = Tlsad::Process::find_program('delv')
		or skip('delv is not installed', 1);
	check_delv($delv);
}

subtest('generate works once, and again when the tree is old' => \&check_generate);
subtest('nothing outlives a test that is killed' => \&check_watcher);
subtest('t/lab/serve, for trying by hand' => \&check_serve);

my ($port, $faulty_port) = ($lab->port, $lab->faulty_port);
$lab->stop;
ok(!listens($port) && !listens($faulty_port), 'stop ends the servers');
done_testing();

sub start_unbound
{
	my ($program) = @_;
	my $directory = Tlsad::Process::private_directory();
	# Debian's AppArmor profile does not let /usr/sbin/unbound read our files; it
	# applies to that path only.
	File::Copy::copy($program, "$directory/unbound") or die "unbound: $!\n";
	chmod(0700, "$directory/unbound");
	for (1 .. 5) {
		my $port = Tlsad::Process::free_port();
		open(my $handle, '>', "$directory/unbound.conf") or die "unbound.conf: $!\n";
		print {$handle} $lab->unbound_config, <<"END";
server:
	interface: 127.0.0.1\@$port
	chroot: ""
	username: ""
	directory: "$directory"
	pidfile: ""
	use-syslog: no
	logfile: ""
	val-log-level: 2
	infra-cache-max-rtt: 1000
remote-control:
	control-enable: no
END
		close($handle);
		my $process = Tlsad::Process::spawn(log => "$directory/log",
			command => [ "$directory/unbound", '-d', '-c', "$directory/unbound.conf" ]);
		my $end = Time::HiRes::time() + ANSWER_TIMEOUT;
		while ($process->alive && Time::HiRes::time() < $end) {
			return ($process, $port) if listens($port) && $process->alive;
			Time::HiRes::sleep(0.05);
		}
		$process->stop(5);
	}
	open(my $handle, '<', "$directory/log");
	die "unbound does not start:\n", <$handle>;
}

sub listens
{
	my ($port) = @_;
	return defined IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port,
		Proto => 'tcp', Timeout => 1);
}

# Queries over TCP, so that no answer is truncated. Returns (flags, octets) or ().
sub lookup
{
	my ($port, $name, $type) = @_;
	my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port,
		Proto => 'tcp', Timeout => 5) or return ();
	my $wire = join('', map { chr(length) . $_ } grep { length } split(/\./, $name));
	# RD and AD: RFC 6840 5.7 has the AD bit ask for the AD bit.
	my $question = pack('nnnnnn', 4711, 0x0120, 1, 0, 0, 0) . "$wire\0"
		. pack('nn', $type{$type}, 1);
	print {$socket} pack('n', length($question)) . $question;
	$socket->flush;
	my $buffer = '';
	my $select = IO::Select->new($socket);
	while ($select->can_read(ANSWER_TIMEOUT)) {
		sysread($socket, $buffer, 65537, length($buffer)) or last;
		next if length($buffer) < 2 || length($buffer) < 2 + unpack('n', $buffer);
		my $message = substr($buffer, 2);
		return (unpack('x2n', $message), $message);
	}
	return ();
}

sub count_records
{
	my ($message, $type) = @_;
	my ($questions, $answers) = unpack('x4nn', $message);
	my $position = 12;
	my $skip_name = sub {
		while ((my $length = ord(substr($message, $position, 1))) != 0) {
			if ($length >= 0xc0) { $position++; last }
			$position += 1 + $length;
		}
		$position++;
	};
	for (1 .. $questions) { $skip_name->(); $position += 4 }
	my $count = 0;
	for (1 .. $answers) {
		$skip_name->();
		my ($this, undef, undef, $length) = unpack('nnNn', substr($message, $position));
		$count++ if $this == $type{$type};
		$position += 10 + $length;
	}
	return $count;
}

sub check_lookup
{
	my ($port, $name, $type, $status, $count) = @_;
	my ($flags, $message) = lookup($port, $name, $type);
	my $rcode = defined $flags ? $flags & 15 : 2;
	my $seen = $rcode == 0 || $rcode == 3
		? ($flags & 0x20 ? 'secure' : 'insecure') . ($rcode == 3 ? '-nxdomain' : '')
		: 'failed';
	my $records = $seen eq 'failed' ? 0 : count_records($message, $type);
	is("$seen $records", "$status $count", "unbound: $name $type");
}

# delv validates by itself and queries NSD, so it cannot see the special zones.
sub check_delv
{
	my ($delv) = @_;
	my $directory = Tlsad::Process::private_directory();
	open(my $anchor, '<', $lab->trust_anchor) or die $lab->trust_anchor . ": $!\n";
	my ($numbers, $digest) = <$anchor> =~ /DS (\d+ \d+ \d+) (\S+)/;
	open(my $handle, '>', "$directory/anchors") or die "anchors: $!\n";
	print {$handle} "trust-anchors { . static-ds $numbers \"$digest\"; };\n";
	close($handle);
	my @expected = ([ 'full.dane.lab', 'MX', 'fully validated' ],
		[ 'mailhost', 'A', 'fully validated' ],
		[ '_25._tcp.mx1.dane.lab', 'TLSA', 'fully validated' ],
		[ 'dane.optout', 'MX', 'fully validated' ],
		[ 'nsec3.lab', 'MX', 'fully validated' ],
		[ 'missing.dane.lab', 'MX', 'negative response, fully validated' ],
		[ 'plain.lab', 'MX', 'unsigned answer' ],
		[ 'plain.optout', 'MX', 'unsigned answer' ],
		map { [ $_, 'MX', 'resolution failed' ] } qw(bogus-mx.dane.lab corrupt.lab
			bogus-ds.lab no-dnskey.lab no-signatures.lab expired.lab not-yet.lab));
	for (@expected) {
		my ($name, $type, $words) = @$_;
		my $log = "$directory/$name.$type";
		my $process = Tlsad::Process::spawn(log => $log, command => [ $delv,
			'@127.0.0.1', '-p', $lab->port, '-a', "$directory/anchors",
			'+root=.', "$name.", $type ]);
		$process->wait(ANSWER_TIMEOUT);
		$process->stop(1);
		open(my $output, '<', $log) or die "$log: $!\n";
		like(join('', <$output>), qr/^;; \Q$words\E|^; \Q$words\E/m,
			"delv: $name $type: $words");
	}
}

sub generate
{
	my ($directory) = @_;
	return system($^X, Tlsad::Process::source_directory() . '/t/lab/generate',
		$directory);
}

sub contents
{
	my ($file) = @_;
	open(my $handle, '<', $file) or return '';
	local $/;
	return scalar <$handle>;
}

sub check_generate
{
	my $directory = Tlsad::Process::private_directory() . '/lab';
	my @callers = map { my $log = $_; Tlsad::Process::spawn(code => sub {
		exit(1) if generate($directory) != 0 }) } 1 .. 3;
	is(scalar(grep { ($_->wait(60) // 1) == 0 } @callers), 3, 'three callers at once');
	my ($anchor, $stamp) = map { contents("$directory/$_") } qw(anchor.ds stamp);
	like($anchor, qr/^\. IN DS \d+ 13 2 [0-9a-f]{64}$/, 'a trust anchor');
	ok(-s "$directory/zones/dane.lab.zone", 'zones');
	my $zone_time = (stat("$directory/zones/dane.lab.zone"))[9];

	is(generate($directory), 0, 'once more');
	is(contents("$directory/stamp"), $stamp, 'a young tree is kept');

	my $left_out = contents("$directory/left-out");
	open(my $handle, '>>', "$directory/left-out") or die "left-out: $!\n";
	print {$handle} "other.dane.lab another NSD refuses it\n";
	close($handle);
	is(generate($directory), 0, 'a tree for an NSD that leaves out something else');
	is(contents("$directory/left-out"), $left_out, 'is made again');
	is(contents("$directory/anchor.ds"), $anchor, 'with the same keys');

	# 8 days ago, and one more second in case the clock has not advanced.
	my $old = time - 8 * DAY;
	utime($old, $old, "$directory/stamp") or die "stamp: $!\n";
	is(generate($directory), 0, 'an old tree');
	ok((stat("$directory/stamp"))[9] > $old, 'is made again');
	is(contents("$directory/anchor.ds"), $anchor, 'with the same keys');

	unlink("$directory/stamp");
	is(generate($directory), 0, 'a tree without a stamp');
	ok(-s "$directory/stamp", 'is made again');
	ok(!-e "$directory/zones.new" && !-e "$directory/zones.old", 'nothing half made');
}

sub check_serve
{
	my $build = Tlsad::Process::build_directory();
	plan(skip_all => "$build/tlsad is missing: build it first") unless -x "$build/tlsad";
	my $log = Tlsad::Process::private_directory() . '/serve.log';
	my $serve = Tlsad::Process::spawn(command =>
		[ $^X, "$FindBin::Bin/serve", $build ], log => $log);
	wait_until(sub { contents($log) =~ /Ctrl-C/ });
	my ($file) = contents($log) =~ m{/tlsad -v -c (\S+)$}m;
	ok(defined $file, 'it prints how to start tlsad') or return diag(contents($log));
	my $tlsad = Tlsad::Process::spawn(command => [ "$build/tlsad", '-c', $file ], log => $log);
	wait_until(sub { -S dirname($file) . '/control' });
	like(`$build/tlsactl -c $file lookup full.dane.lab 2>&1`, qr/^dane-only$/m,
		'a tlsad with this configuration knows the names of the tree');
	is($tlsad->stop(20), 0, 'tlsad ends');
	is($serve->stop(20), 0, 'SIGTERM ends it');
	ok(!-d dirname($file), 'nothing is left of its directory');
	my $usage = Tlsad::Process::spawn(command => [ $^X, "$FindBin::Bin/serve", '/nowhere' ],
		log => "$log.error");
	is($usage->wait(20), 1 << 8, 'a directory without tlsad is an error');
	like(contents("$log.error"), qr{^serve: /nowhere has no tlsad: }, 'which is named');
	is(`$^X $FindBin::Bin/serve --help`, "usage: t/lab/serve [BUILD-DIRECTORY]\n", '--help');
	is($?, 0, 'is no error');
}

# Waits until the function returns true, at most 30 seconds.
sub wait_until
{
	my ($function) = @_;
	my $end = Time::HiRes::time() + 30;
	Time::HiRes::sleep(0.05) while !$function->() && Time::HiRes::time() < $end;
}

sub check_watcher
{
	my $file = Tlsad::Process::private_directory() . '/port';
	my $program = 'use Tlsad::Lab; my $lab = Tlsad::Lab->start; '
		. 'open(my $f, ">", "$ARGV[0].new"); print $f $lab->port, " ", '
		. '$lab->faulty_port, " $lab->{directory}"; close($f); '
		. 'rename("$ARGV[0].new", $ARGV[0]); kill("KILL", $$); sleep(60);';
	my $process = Tlsad::Process::spawn(command =>
		[ $^X, "-I$FindBin::Bin/../lib", '-e', $program, $file ]);
	my $status = $process->wait(60) // 0;
	is($status & 127, 9, 'a test is killed');
	my @ports = split(/ /, contents($file));
	my $directory = pop @ports;
	is(scalar(@ports), 2, 'it had servers');
	my $end = Time::HiRes::time() + 30;
	Time::HiRes::sleep(0.1) while Time::HiRes::time() < $end
		&& (-d $directory || grep { listens($_) } @ports);
	ok(!listens($_), "no server on $_ is left") for @ports;
	ok(!-d $directory, 'nor its directory');
}
