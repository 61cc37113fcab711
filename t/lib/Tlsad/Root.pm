package Tlsad::Root;

# Tlsad::Root - a private root zone that changes while it is served
#
# Purpose
#   For tests that the tree of t/lab does not allow: signatures that are missing,
#   expired or not yet valid, and changes of the root key. One zone, ".", with the
#   destination ok.mail in it, served by NSD on a port that stays the same.
#
# Functions
#   Tlsad::Root->new(ttl => SECONDS)   of all records, DNSKEY too; default 3600
#   $root->key(NAME)                   makes the key signing key NAME once
#   $root->anchor(NAME...)             a file with the DS records of these keys
#   $root->publish(keys => [NAME...], signers => [NAME...], from => TIME,
#           until => TIME, unsigned => 'all' or 'signatures')
#       Signs the zone (by default with all of its keys), and serves it from now
#       on. unsigned leaves out all DNSSEC records, or the RRSIG and NSEC records.
#   $root->resolver_settings(NAME...)  {KEY => VALUE} for Tlsad::Daemon, with the
#                                      trust anchor of these keys
#   $root->port, $root->stop
#
# Needs the same programs as Tlsad::Lab. Dies with the server's log if it does not
# answer.

use strict;
use warnings;
use IO::Select;
use IO::Socket::INET;
use Time::HiRes ();
use Tlsad::Process ();

use constant DAY => 86400;
use constant START_TIMEOUT => 20;		# [s]

sub new
{
	my ($class, %options) = @_;
	my $directory = Tlsad::Process::private_directory();
	my $self = bless { directory => $directory, ttl => $options{ttl} // 3600, serial => 1,
		port => Tlsad::Process::free_port(), keys => {} }, $class;
	return $self;
}

sub port { return $_[0]{port} }

sub _run
{
	my (@command) = @_;
	open(my $pipe, '-|', @command) or die "$command[0]: $!\n";
	my $text = do { local $/; <$pipe> };
	close($pipe) or die "@command failed\n" . ($text // '');
	chomp $text;
	return $text;
}

sub _read
{
	my ($file) = @_;
	open(my $handle, '<', $file) or die "$file: $!\n";
	local $/;
	return scalar <$handle>;
}

sub _write
{
	my ($file, $text) = @_;
	open(my $handle, '>', $file) or die "$file: $!\n";
	print {$handle} $text;
	close($handle) or die "$file: $!\n";
}

sub _make_key
{
	my ($self, $name, @options) = @_;
	return $self->{keys}{$name} //= "$self->{directory}/" . _run('sh', '-c',
		'cd "$1" && shift && exec ldns-keygen "$@"', 'sh', $self->{directory},
		'-a', 'ECDSAP256SHA256', @options, '.');
}

sub key { return $_[0]->_make_key($_[1], '-k') }

sub anchor
{
	my ($self, @names) = @_;
	my $file = "$self->{directory}/anchor." . join('-', @names);
	_write($file, join('', map {
		my ($rdata) = _read($self->key($_) . '.ds') =~ /DS\s+(.*\S)/ or die "no DS\n";
		". IN DS $rdata\n" } @names));
	return $file;
}

sub publish
{
	my ($self, %options) = @_;
	my $zone = "$self->{directory}/zone";
	my $ttl = $self->{ttl};
	my $text = "\$ORIGIN .\n\$TTL $ttl\n. SOA ns. hostmaster. $self->{serial} 7200 3600 1209600 $ttl\n"
		. ". NS ns.\nns. A 127.0.0.1\nns. AAAA ::1\nok.mail. MX 10 mx.ok.mail.\n"
		. "mx.ok.mail. A 192.0.2.1\nmx.ok.mail. AAAA 2001:db8::1\n"
		. '_25._tcp.mx.ok.mail. TLSA 3 1 1 ' . 'ab' x 32 . "\n";
	$self->{serial}++;
	if (($options{unsigned} // '') eq 'all') {
		_write($zone, $text);
	} else {
		my $zsk = $self->_make_key('zone signing key');
		for my $key ($zsk, map { $self->key($_) } @{$options{keys}}) {
			my ($rdata) = _read("$key.key") =~ /DNSKEY\s+([^;\n]+)/ or die "no DNSKEY\n";
			$text .= ". $ttl IN DNSKEY $rdata\n";
		}
		_write("$zone.in", $text);
		_run('ldns-signzone', '-A', '-i', $options{from} // time - 2 * DAY,
			'-e', $options{until} // time + 30 * DAY, '-o', '.', '-f', $zone, "$zone.in",
			(map { $self->key($_) } @{$options{signers} // $options{keys}}), $zsk);
		_write($zone, join('', grep { !/\t(?:RRSIG|NSEC)\t/ } split(/^/, _read($zone))))
			if ($options{unsigned} // '') eq 'signatures';
	}
	$self->_serve($zone);
}

# Restarted each time, so that it is certain which zone it serves.
sub _serve
{
	my ($self, $zone) = @_;
	my $directory = $self->{directory};
	_write("$directory/nsd.conf", <<"END");
server:
	ip-address: 127.0.0.1\@$self->{port}
	reuseport: no
	server-count: 1
	username: ""
	database: ""
	zonesdir: "$directory"
	pidfile: "$directory/nsd.pid"
	xfrdfile: "$directory/xfrd.state"
	xfrdir: "$directory"
	zonelistfile: "$directory/zone.list"
	logfile: ""
	rrl-ratelimit: 0
remote-control:
	control-enable: no
zone:
	name: "."
	zonefile: "$zone"
END
	$self->stop;
	$self->_wait_until_free;
	for my $attempt (1 .. 3) {
		$self->{nsd} = Tlsad::Process::spawn(log => "$directory/log", command => [
			Tlsad::Process::find_program('nsd'), '-d', '-c', "$directory/nsd.conf" ]);
		return if $self->_answers;
		$self->{nsd}->stop(5);
	}
	die "nsd does not answer:\n" . _read("$directory/log");
}

# A child of the old server may still answer for a moment, from the old zone.
sub _wait_until_free
{
	my ($self) = @_;
	my $end = Time::HiRes::time() + START_TIMEOUT;
	while (Time::HiRes::time() < $end) {
		return if 2 == grep { defined } map { IO::Socket::INET->new(LocalAddr => '127.0.0.1',
			LocalPort => $self->{port}, Proto => $_, ReuseAddr => $_ eq 'tcp',
			$_ eq 'tcp' ? (Listen => 1) : ()) } qw(udp tcp);
		Time::HiRes::sleep(0.02);
	}
	die "port $self->{port} does not become free\n";
}

sub _answers
{
	my ($self) = @_;
	my $end = Time::HiRes::time() + START_TIMEOUT;
	while (Time::HiRes::time() < $end && $self->{nsd}->alive) {
		my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
			PeerPort => $self->{port}, Proto => 'udp') or next;
		$socket->send(pack('nnnnnnCnn', 4711, 0, 1, 0, 0, 0, 0, 6, 1));
		if (IO::Select->new($socket)->can_read(0.1) && defined $socket->recv(my $reply, 4096)) {
			my (undef, $flags, undef, $answers) = unpack('nnnn', $reply);
			return 1 if $flags & 0x0400 && $answers;
		}
		Time::HiRes::sleep(0.02);
	}
	return 0;
}

sub resolver_settings
{
	my ($self, @anchors) = @_;
	return { stub => ". 127.0.0.1\@$self->{port}", query_localhost => 'yes',
		trust_anchor => $self->anchor(@anchors) };
}

sub stop
{
	my ($self) = @_;
	$self->{nsd}->stop(5) if $self->{nsd};
	delete $self->{nsd};
}

sub DESTROY
{
	my ($self) = @_;
	local ($@, $?, $!);
	$self->stop;
}

1;
