#!/usr/bin/perl
# [sts] private_addresses = no: of the addresses of a policy server, special-purpose ones are never
# contacted, and the others are tried.
#
# Runs in its own network namespace (t/postfix/Namespace.pm), where this host has addresses that are
# not special-purpose ones.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib", "$FindBin::Bin/../postfix";
use IO::Socket::IP;
use Namespace;
use Test::More;
use Tlsad::Daemon;
use Tlsad::Lab;
use Tlsad::Observe;
use Tlsad::PolicyHost qw(policy);
use Tlsad::Process;

use constant WAIT => 30;		# [s] for what should take milliseconds

if (!Namespace::inside()) {
	my @missing = Namespace::missing(qw(nsd ldns-keygen ldns-signzone openssl));
	Namespace::restart_inside(@missing);
}

# At the last one nothing listens.
my ($public, $unused) = ('8.8.8.8', '9.9.9.9');
my @special = ('127.0.0.1', '10.0.0.1', '192.168.0.1', '169.254.0.1');
$ENV{TMPDIR} = Namespace::enter("nameserver 127.0.0.1\n", $public, $unused, grep { !/^127/ } @special);

my $port = Tlsad::Process::free_port();
my $host = Tlsad::PolicyHost->start(listen => [ map { "$_:$port" } $public, @special ]);
# In most containers there is no IPv6.
my $ipv6 = IO::Socket::IP->new(LocalHost => '::1', LocalPort => $port, Listen => 5, Type => SOCK_STREAM);

my @cases = (
	# Name, addresses, is there a policy with private_addresses = no, why not.
	[ 'public', [$public], 1 ],
	[ 'mixed', [ @special, $public ], 1 ],
	[ 'ipv6', [ '::1', '::ffff:127.0.0.1', 'fe80::1', 'fd00::1', $public ], 1 ],
	[ 'unused', [ @special, '::1', $unused ], 0, qr/connect/i ],
	[ 'special', [ @special, '::1' ], 0, qr/special-purpose/ ],
);
my $zone = "mx A 192.0.2.1\n";
for (@cases) {
	my ($name, $addresses) = @$_;
	$zone .= "$name MX 10 mx\n_mta-sts.$name TXT \"v=STSv1\\; id=1\"\n"
		. join('', map { "mta-sts.$name " . (/:/ ? 'AAAA' : 'A') . " $_\n" } @$addresses);
	$host->serve("$name.site.lab", policy => policy(mx => ['mx.site.lab']));
}
my $lab = Tlsad::Lab->start(special => 0, zones => { 'site.lab' => $zone });
my ($enforced, $none) = ('OK secure match=mx.site.lab servername=hostname', 'NOTFOUND ');

subtest('private_addresses = no' => \&refused);
subtest('private_addresses = yes' => \&allowed);
is($host->stop, 0, 'policyhost ends well');
done_testing();

sub start
{
	my ($private_addresses) = @_;
	return Tlsad::Daemon->start(lab => $lab, config => { resolver => { timeout => WAIT . 's' },
		sts => { enable => 'yes', port => $port, ca_file => $host->ca_file, timeout => WAIT . 's',
			private_addresses => $private_addresses } });
}

# The addresses to which there were connections.
sub contacted
{
	my %addresses = map { /^connection (\S+)/ ? ($1 => 1) : () } $host->lines;
	if ($ipv6) {
		$ipv6->blocking(0);
		$addresses{'::1'} = 1 if $ipv6->accept;
	}
	return join(' ', sort keys %addresses);
}

sub refused
{
	my $daemon = start('no');
	my $client = $daemon->client(timeout => 2 * WAIT);
	for (@cases) {
		my ($name, $addresses, $works, $failure) = @$_;
		my $domain = "$name.site.lab";
		is($client->request('policy', $domain), $works ? $enforced : $none, "@$addresses");
		like(explain($daemon, $domain)->{sts}{failure}, $failure, 'explain: failure') if !$works;
	}
	is(contacted(), $public, 'special-purpose addresses were not contacted');
	is($daemon->stop, 0, 'the daemon ends with status 0');
}

# Here they are, so the test above would have noticed.
sub allowed
{
	my $daemon = start('yes');
	my $client = $daemon->client(timeout => 2 * WAIT);
	is($client->request('policy', "$_->[0].site.lab"), $enforced, "@{$_->[1]}") for @cases;
	my $some = join('|', map { quotemeta } @special);
	like(contacted(), qr/(?:^| )(?:$some)(?: |$)/, 'special-purpose addresses were contacted');
	is($daemon->stop, 0, 'the daemon ends with status 0');
}
