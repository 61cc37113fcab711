#!/usr/bin/perl
# tlsactl check and Postfix's posttls-finger(1) at level dane give the same verdict on
# the same servers. This runs in a namespace (t/postfix/Namespace.pm), since
# posttls-finger connects to port 25 and trusts the resolver of /etc/resolv.conf:
#
#   127.0.0.53:53   NSD with the tree (t/postfix/Zones.pm)
#   127.0.0.1:53    unbound, which validates for posttls-finger
#   127.0.0.2x:25   a mail server for each situation (Tlsad::Situations)
#
# Both must say "Verified" for the same servers and for no others. %differences lists the
# servers where they are meant to differ.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib", "$FindBin::Bin/../postfix";
use File::Copy qw(copy);
use IO::Socket::INET;
use Namespace;
use POSIX ();
use Test::More;
use Time::HiRes ();
use Tlsad::Certificates;
use Tlsad::Ctl;
use Tlsad::MailHost;
use Tlsad::Process;
use Tlsad::Situations;
use Zones;

use constant LONGEST_RUN => 60;	# [s] for what should take milliseconds
# [s] of both programs. The byte-by-byte server needs some 2000 pauses for its handshake, which take
# seconds on a loaded machine, so only servers that never answer get the short time.
use constant TIMEOUT => 20;
use constant TIMEOUT_NO_ANSWER => 2;
use constant NAME_SERVER => '127.0.0.53';
use constant DOMAIN => 'secure.example';

if (!Namespace::inside()) {
	my @missing = Namespace::missing(qw(posttls-finger nsd unbound openssl ldns-keygen
		ldns-signzone ldns-key2ds));
	push @missing, grep { !-x } Tlsad::Ctl::binary(), Tlsad::MailHost::binary();
	Namespace::restart_inside(@missing);
}

my $directory = Namespace::enter("nameserver 127.0.0.1\noptions trust-ad\n");
my $situations = Tlsad::Situations->new(Tlsad::Certificates->new("$directory/certificates"),
	DOMAIN);
my $zones = Zones->new("$directory/zones", NAME_SERVER);
publish($_) for $situations->names;
# Destinations with unsigned MX records, and with bogus ones.
$zones->add('insecure.plain.example.', 'A', $situations->address('right'));
$zones->add('_25._tcp.insecure.plain.example.', 'TLSA', $situations->ee('right'));
$zones->add('bogus.' . DOMAIN . '.', 'A', $situations->address('right'));
$zones->add('_25._tcp.bogus.' . DOMAIN . '.', 'TLSA', $situations->ee('right'));
$zones->make_bogus('_25._tcp.bogus.' . DOMAIN . '.', 'TLSA');
$zones->sign;

my @servers = (
	start_server('nsd', '-d', '-c',
		Namespace::write_file("$directory/nsd.conf", $zones->nsd_configuration)),
	start_server('unbound', '-d', '-c', Namespace::write_file("$directory/unbound.conf",
		$zones->unbound_configuration('127.0.0.1', 'validator iterator'))),
	map { Tlsad::MailHost->start($situations->start($_),
		listen => [$situations->address($_) . ':25']) } $situations->names);
wait_for_port($_) for NAME_SERVER, '127.0.0.1';
Namespace::write_file("$directory/main.cf",
	"compatibility_level = 3.6\nmyhostname = client.example\n"
	. "mynetworks_style = host\nqueue_directory = $directory\ndata_directory = $directory\n"
	. "smtp_dns_support_level = dnssec\n");
my $ctl = Tlsad::Ctl->new(config => { resolver => { trust_anchor => $zones->{trust_anchor},
	stub => '. ' . NAME_SERVER . '@53', query_localhost => 'yes' } });

# Where they differ: what each of them says, and if only some versions of Postfix do, how these are
# recognized in the output of posttls-finger.
my %differences = (
	inject => { verified => qr/^yes 75$/,
		why => 'Postfix throws away what came in the clear after the reply to STARTTLS' },
	banner => { verified => qr/^(?:yes|no) 0$/, when => qr/disabling input/,
		why => 'Postfix 3.10 stops reading in a reply that is so long, and may go on without the rest' },
);
my %no_answer = map { $situations->host($_) . '.' . DOMAIN() => 1 } qw(silent mute tls);
my %verified;
# posttls-finger reads an endless banner or handshake forever.
compare($situations->host($_) . '.' . DOMAIN, $differences{$_})
	for grep { !/^(?:endless|flood|hello)$/ } $situations->names;
compare('insecure.plain.example');
compare('bogus.' . DOMAIN);
cmp_ok($verified{yes}, '>=', 10, 'enough servers verify');
cmp_ok($verified{no}, '>=', 15, 'and enough do not');
done_testing();

sub publish
{
	my ($name) = @_;
	my $host = $situations->host($name) . '.' . DOMAIN . '.';
	$zones->add($host, 'A', $situations->address($name));
	# All TTLs are the same in this tree.
	$zones->add("_25._tcp.$host", 'TLSA', s/^\d{3,} //r) for @{$situations->records($name)};
}

# A copy, because an AppArmor profile may let the installed program read only its own directories.
sub start_server
{
	my ($program, @arguments) = @_;
	my $copy = "$directory/$program";
	copy(Tlsad::Process::find_program($program), $copy) or die "$program: $!\n";
	chmod(0755, $copy) or die "$copy: $!\n";
	return Tlsad::Process::spawn(log => "$copy.log", command => [$copy, @arguments]);
}

sub wait_for_port
{
	my ($address) = @_;
	my $end = Time::HiRes::time() + LONGEST_RUN;
	while (!IO::Socket::INET->new(PeerAddr => $address, PeerPort => 53)) {
		die "nobody listens at $address\n" if Time::HiRes::time() > $end;
		Time::HiRes::sleep(0.05);
	}
}

# The output of posttls-finger, which ends by itself after its timeout for one address.
sub finger
{
	my ($host, $timeout) = @_;
	my $pid = open(my $pipe, '-|') // die "fork: $!\n";
	if ($pid == 0) {
		$ENV{MAIL_CONFIG} = $directory;
		open(STDERR, '>&', \*STDOUT);
		alarm(LONGEST_RUN);
		exec(Tlsad::Process::find_program('posttls-finger'), '-c', '-l', 'dane', '-L',
			'summary',
			'-t', $timeout, '-T', $timeout, "[$host]") or POSIX::_exit(127);
	}
	my $text = do { local $/; <$pipe> } // '';
	close($pipe);
	return $text;
}

sub compare
{
	my ($host, $difference) = @_;
	my $timeout = $no_answer{$host} ? TIMEOUT_NO_ANSWER : TIMEOUT;
	my $theirs = finger($host, $timeout);
	my $ours = $ctl->run('check', "[$host]", '--timeout', $timeout);
	my $expected = $theirs =~ /Verified TLS connection established/ ? 'yes' : 'no';
	$verified{$expected}++;
	if ($difference && $theirs =~ ($difference->{when} // qr/^/)) {
		like("$expected $ours->{status}", $difference->{verified}, "$host: $difference->{why}");
		return;
	}
	is($ours->{status} == 0 ? 'yes' : 'no', $expected, "$host: verified?")
		or diag("tlsactl:\n$ours->{out}$ours->{err}posttls-finger:\n$theirs");
}
