# The cases of t/postfix/postfix-pinned.t: the published records, the different answers of Postfix's
# resolver, the destination of the mail, and the expected result.
package PinnedCases;

use strict;
use warnings;

use Exporter qw(import);
use Site qw(host bogus alias $NOT_TRUSTED $NO_STARTTLS $NO_POLICY);

our @EXPORT = qw(%RECEIVERS @PORTS %TRANSPORTS @CASES @ROLLING names_for);

our %RECEIVERS = (
	alpha => { address => '127.0.0.11', certificate => 'alpha' },
	beta  => { address => '127.0.0.12', certificate => 'beta' },
	# Certificates of "authority": for every host of the cases below, with the authority in the chain
	# and without, with another authority between, and for other names.
	issued   => { address => '127.0.0.13', certificate => 'issued' },
	alone    => { address => '127.0.0.14', certificate => 'alone' },
	below    => { address => '127.0.0.15', certificate => 'below' },
	domain   => { address => '127.0.0.16', certificate => 'domain' },
	base     => { address => '127.0.0.17', certificate => 'base' },
	stranger => { address => '127.0.0.18', certificate => 'stranger' },
	# For the same names as "issued", from another authority.
	foreign   => { address => '127.0.0.21', certificate => 'foreign' },
	cleartext => { address => '127.0.0.22' },
	nobody    => { address => '127.0.0.23', absent => 1 },
	# Their certificates change while mail comes: each connection has its own process, which reads
	# the certificate again.
	rolling        => { address => '127.0.0.24', certificate => 'rolling',        options => ['max_use=1'] },
	rolling_issued => { address => '127.0.0.25', certificate => 'rolling_issued', options => ['max_use=1'] },
);
our @PORTS = (25, 2525);

# asks: the tlsad that gets the request (t/postfix/postfix-pinned.t has two) and the map.
my @CHROOT = (
	'smtp_tls_policy_maps=socketmap:unix:tlsad/socketmap:policy',
	'smtp_tls_fingerprint_digest=sha512',
);
our %TRANSPORTS = (
	smtp => { asks => ['sha256', 'pinned'] },
	# The same cases without pinned replies, for comparison.
	native => { asks => ['sha256', 'native'], options => ['smtp_tls_policy_maps=$native_policy_maps'] },
	nobody => { options => ['smtp_tls_policy_maps='] },
	# The other tlsad is configured for smtp clients in a chroot.
	chroot => { asks => ['sha512', 'policy'], options => [@CHROOT], chroot => 1 },
	sha512 => { asks => ['sha512', 'policy'], options => [@CHROOT] },
);

# Unsigned records for the configuration of Postfix's resolver. DOMAIN is the case's domain.
sub forged
{
	return map {"local-data: \"$_\""} @_;
}

sub forged_mx
{
	my ($receiver) = @_;
	return resolver => [
		forged('DOMAIN MX 10 attacker.DOMAIN', "attacker.DOMAIN A $RECEIVERS{$receiver}{address}")
	];
}

sub forged_address
{
	my ($receiver) = @_;
	return resolver => [forged("mx10.DOMAIN A $RECEIVERS{$receiver}{address}")];
}

# Cases.pm describes the members of a case. The answer is one of:
# answer: the text. fingerprint: "SELECTOR CERTIFICATE" of each digest. secure: "SELECTOR CERTIFICATE" of
# each trust anchor, names being those allowed in the certificate, HOSTS and DOMAIN replaced,
# default: each host and the domain.
our @CASES = (
	{
		about => '3 1 1, the right key', label => 'ee-311',
		mx => { 10 => host('alpha', '3 1 1 alpha') },
		fingerprint => ['1 alpha'], delivered => ['alpha', 'mx10', 'Verified'],
	},
	{
		about => '3 0 1, the right certificate', label => 'ee-301',
		mx => { 10 => host('alpha', '3 0 1 alpha') },
		fingerprint => ['0 alpha'], delivered => ['alpha', 'mx10', 'Verified'],
	},
	{
		about => '3 1 0, the right key', label => 'ee-310',
		mx => { 10 => host('beta', '3 1 0 beta') },
		fingerprint => ['1 beta'], delivered => ['beta', 'mx10', 'Verified'],
	},
	{
		about => '3 0 0, the right certificate', label => 'ee-300',
		mx => { 10 => host('beta', '3 0 0 beta') },
		fingerprint => ['0 beta'], delivered => ['beta', 'mx10', 'Verified'],
	},
	{
		about => 'two hosts with different keys, the first one takes the message', label => 'ee-two',
		mx => { 10 => host('alpha', '3 1 1 alpha'), 20 => host('beta', '3 0 1 beta') },
		fingerprint => ['1 alpha', '0 beta'], delivered => ['alpha', 'mx10', 'Verified'],
	},
	{
		about => 'two hosts with different keys, the second one takes the message', label => 'ee-second',
		mx => { 10 => host('nobody', '3 1 1 alpha'), 20 => host('beta', '3 0 1 beta') },
		fingerprint => ['1 alpha', '0 beta'], delivered => ['beta', 'mx20', 'Verified'],
	},
	{
		about => 'two hosts, an impostor at the first one\'s address', label => 'ee-first-wrong',
		mx => { 10 => host('foreign', '3 1 1 alpha'), 20 => host('beta', '3 0 1 beta') },
		fingerprint => ['1 alpha', '0 beta'], delivered => ['beta', 'mx20', 'Verified'],
	},
	{
		# The reply is for the domain: it does not say which host has which key.
		about => 'two hosts, each with the key published for the other', label => 'ee-swapped',
		mx => { 10 => host('beta', '3 1 1 alpha'), 20 => host('alpha', '3 1 1 beta') },
		fingerprint => ['1 alpha', '1 beta'], delivered => ['beta', 'mx10', 'Verified'],
	},
	{
		about => 'an impostor with another key at the host\'s address', label => 'ee-wrong',
		mx => { 10 => host('beta', '3 1 1 alpha') },
		fingerprint => ['1 alpha'], deferred => $NOT_TRUSTED,
	},
	{
		about => 'a forged address that leads to an impostor', label => 'ee-forged-address',
		mx => { 10 => host('alpha', '3 1 1 alpha') }, forged_address('beta'),
		fingerprint => ['1 alpha'], deferred => $NOT_TRUSTED,
	},
	{
		about => 'a forged MX answer that leads to an impostor', label => 'ee-forged-mx',
		mx => { 10 => host('alpha', '3 1 1 alpha') }, forged_mx('beta'),
		fingerprint => ['1 alpha'], deferred => $NOT_TRUSTED,
	},
	{
		about => 'a forged MX answer that leads to a host with DANE of its own',
		label => 'ee-forged-mx-dane',
		mx => { 10 => host('alpha', '3 1 1 alpha') },
		resolver => [forged('DOMAIN MX 10 attacker.secure.example.')],
		fingerprint => ['1 alpha'], deferred => $NOT_TRUSTED,
	},
	{
		about => 'a forged MX answer that leads to an impostor without STARTTLS',
		label => 'ee-forged-mx-stripped',
		mx => { 10 => host('alpha', '3 1 1 alpha') }, forged_mx('cleartext'),
		fingerprint => ['1 alpha'], deferred => $NO_STARTTLS,
	},
	{
		about => 'without tlsad the forged MX answer leads to the impostor', label => 'nobody-forged-mx',
		mx => { 10 => host('alpha', '3 1 1 alpha') }, forged_mx('beta'), transport => 'nobody',
		delivered => ['beta', 'attacker', 'Untrusted'],
	},
	{
		about => 'Postfix itself cannot have DANE here, not even with the right key', label => 'native',
		mx => { 10 => host('alpha', '3 1 1 alpha') }, transport => 'native',
		answer => 'OK dane-only', deferred => $NO_POLICY,
	},
	{
		about => 'insecure MX, the right key', label => 'ee-insecure', insecure_mx => 1,
		mx => { 10 => host('alpha', '3 1 1 alpha') },
		fingerprint => ['1 alpha'], delivered => ['alpha', 'mx10', 'Verified'],
	},
	{
		about => 'insecure MX, another key', label => 'ee-insecure-wrong', insecure_mx => 1,
		mx => { 10 => host('beta', '3 1 1 alpha') },
		fingerprint => ['1 alpha'], deferred => $NOT_TRUSTED,
	},
	{
		about => 'nexthop [host]:port, the right key', label => 'ee-port',
		mx => { 10 => host('alpha', '3 1 1 beta') }, port_tlsa => ['3 1 1 alpha'], nexthop => '[MX]:2525',
		fingerprint => ['1 alpha'], delivered => ['alpha', 'mx10', 'Verified'],
	},
	{
		about => 'nexthop [host]:port, another key', label => 'ee-port-wrong',
		mx => { 10 => host('alpha', '3 1 1 alpha') }, port_tlsa => ['3 1 1 beta'],
		nexthop => '[MX]:2525', fingerprint => ['1 beta'], deferred => $NOT_TRUSTED,
	},
	{
		about => 'no MX record: the domain itself is the host', label => 'ee-implicit',
		itself => host('alpha', '3 1 1 alpha'),
		fingerprint => ['1 alpha'], delivered => ['alpha', 'ee-implicit', 'Verified'],
	},

	# ---- Destinations that cannot be pinned
	{
		about => 'a digest that is not Postfix\'s: nothing leaves', label => 'ee-312',
		mx => { 10 => host('alpha', '3 1 2 alpha') },
		answer => 'OK dane-only', deferred => $NO_POLICY,
	},
	{
		about => 'DANE-EE and DANE-TA together: nothing leaves', label => 'ee-ta',
		mx => { 10 => host('issued', '3 1 1 issued', '2 0 0 authority') },
		answer => 'OK dane-only', deferred => $NO_POLICY,
	},
	{
		# For Postfix the level is then "may".
		about => 'partial DANE', label => 'partial',
		mx => { 10 => host('alpha', '3 1 1 alpha'), 20 => host('beta') },
		answer => 'OK dane', delivered => ['alpha', 'mx10', 'Untrusted'],
	},
	{
		about => 'only unusable records: TLS, unauthenticated', label => 'unusable',
		mx => { 10 => host('alpha', '1 1 1 beta') },
		answer => 'OK encrypt', delivered => ['alpha', 'mx10', 'Untrusted'],
	},
	{
		about => 'only unusable records, no STARTTLS', label => 'unusable-stripped',
		mx => { 10 => host('cleartext', '1 1 1 beta') },
		answer => 'OK encrypt', deferred => $NO_STARTTLS,
	},
	{
		about => 'no DANE: the site\'s level, may, takes TLS where it is', label => 'none',
		mx => { 10 => host('alpha') },
		answer => 'NOTFOUND ', delivered => ['alpha', 'mx10', 'Untrusted'],
	},
	{
		about => 'no DANE, no STARTTLS: the site\'s level, may, lets it pass', label => 'none-cleartext',
		mx => { 10 => host('cleartext') },
		answer => 'NOTFOUND ', delivered => ['cleartext', 'mx10'],
	},
	{
		about => 'the MX record set is bogus, Postfix\'s resolver does not see it', label => 'bogus-mx',
		bogus_mx => 1, mx => { 10 => host('alpha', '3 1 1 alpha') },
		failure => qr/bogus-mx\.secure\.example.*\bMX\b/, deferred => $NO_POLICY,
	},
	{
		about => 'the TLSA records are bogus', label => 'bogus-tlsa',
		mx => { 10 => bogus(TLSA => host('alpha', '3 1 1 alpha')) },
		failure => qr/mx10\.bogus-tlsa\.secure\.example.*\bTLSA\b/, deferred => $NO_POLICY,
	},

	# ---- DANE-TA, the trust anchor published
	{
		about => '2 0 0, the right authority', label => 'ta-200',
		mx => { 10 => host('issued', '2 0 0 authority') },
		secure => ['0 authority'], delivered => ['issued', 'mx10', 'Verified'],
	},
	{
		about => '2 1 0, the right authority', label => 'ta-210',
		mx => { 10 => host('issued', '2 1 0 authority') },
		secure => ['1 authority'], delivered => ['issued', 'mx10', 'Verified'],
	},
	{
		about => '2 0 0, the authority is not in the chain', label => 'ta-200-alone',
		mx => { 10 => host('alone', '2 0 0 authority') },
		secure => ['0 authority'], delivered => ['alone', 'mx10', 'Verified'],
	},
	{
		about => '2 1 0, the authority is not in the chain', label => 'ta-210-alone',
		mx => { 10 => host('alone', '2 1 0 authority') },
		secure => ['1 authority'], delivered => ['alone', 'mx10', 'Verified'],
	},
	{
		about => 'two hosts with two authorities', label => 'ta-two',
		mx => { 10 => host('nobody', '2 0 0 authority'), 20 => host('foreign', '2 1 0 authority_2') },
		secure => ['0 authority', '1 authority_2'], delivered => ['foreign', 'mx20', 'Verified'],
	},
	{
		about => 'a certificate with the mail domain\'s name only', label => 'ta-domain',
		mx => { 10 => host('domain', '2 0 0 authority') },
		secure => ['0 authority'], delivered => ['domain', 'mx10', 'Verified'],
	},
	{
		about => 'a certificate with the TLSA base domain\'s name only', label => 'ta-base',
		mx => { 10 => alias('secure.example.', host('base', '2 0 0 authority')) },
		names => ['mx10.ta-base.target.secure.example', 'mx10.HOSTS', 'DOMAIN'],
		secure => ['0 authority'], delivered => ['base', 'mx10', 'Verified'],
	},
	{
		about => 'insecure MX, 2 0 0, the right authority', label => 'ta-insecure', insecure_mx => 1,
		mx => { 10 => host('issued', '2 0 0 authority') },
		secure => ['0 authority'], delivered => ['issued', 'mx10', 'Verified'],
	},
	{
		about => 'nexthop [host]:port, 2 0 0', label => 'ta-port',
		mx => { 10 => host('issued') }, port_tlsa => ['2 0 0 authority'], nexthop => '[MX]:2525',
		names => ['mx10.HOSTS'],
		secure => ['0 authority'], delivered => ['issued', 'mx10', 'Verified'],
	},
	{
		about => '2 0 0, an impostor with a certificate for the same name from another authority',
		label => 'ta-200-wrong',
		mx => { 10 => host('foreign', '2 0 0 authority') },
		secure => ['0 authority'], deferred => $NOT_TRUSTED,
	},
	{
		about => '2 1 0, an impostor with a certificate for the same name from another authority',
		label => 'ta-210-wrong',
		mx => { 10 => host('foreign', '2 1 0 authority') },
		secure => ['1 authority'], deferred => $NOT_TRUSTED,
	},
	{
		# Whether Postfix logs the session as Trusted depends on its version, see Cases.pm.
		about => 'the right authority, another name', label => 'ta-name', trusted_chain => 1,
		mx => { 10 => host('stranger', '2 0 0 authority') },
		secure => ['0 authority'], deferred => $NOT_TRUSTED,
	},
	{
		about => 'a forged MX answer that leads to another customer of the same authority',
		label => 'ta-forged-mx', trusted_chain => 1,
		mx => { 10 => host('issued', '2 0 0 authority') }, forged_mx('stranger'),
		secure => ['0 authority'], deferred => $NOT_TRUSTED,
	},

	# ---- DANE-TA, the trust anchor learned from the server
	{
		about => '2 1 1, the right authority', label => 'ta-211',
		mx => { 10 => host('issued', '2 1 1 authority') },
		secure => ['1 authority'], delivered => ['issued', 'mx10', 'Verified'],
	},
	{
		about => '2 0 1, the right authority', label => 'ta-201',
		mx => { 10 => host('issued', '2 0 1 authority') },
		secure => ['0 authority'], delivered => ['issued', 'mx10', 'Verified'],
	},
	{
		about => '2 1 2, the right authority', label => 'ta-212',
		mx => { 10 => host('issued', '2 1 2 authority') },
		secure => ['1 authority'], delivered => ['issued', 'mx10', 'Verified'],
	},
	{
		about => '2 0 1, an authority below the root', label => 'ta-below',
		mx => { 10 => host('below', '2 0 1 between') },
		secure => ['0 between'], delivered => ['below', 'mx10', 'Verified'],
	},
	{
		about => 'nexthop [host]:port, 2 1 1', label => 'ta-port-211',
		mx => { 10 => host('issued') }, port_tlsa => ['2 1 1 authority'], nexthop => '[MX]:2525',
		names => ['mx10.HOSTS'],
		secure => ['1 authority'], delivered => ['issued', 'mx10', 'Verified'],
	},
	{
		about => '2 1 1, a forged address that leads to an impostor with a certificate for the same name',
		label => 'ta-211-forged-address',
		mx => { 10 => host('issued', '2 1 1 authority') }, forged_address('foreign'),
		secure => ['1 authority'], deferred => $NOT_TRUSTED,
	},
	{
		about => '2 0 1, a forged address that leads to an impostor with a certificate for the same name',
		label => 'ta-201-forged-address',
		mx => { 10 => host('issued', '2 0 1 authority') }, forged_address('foreign'),
		secure => ['0 authority'], deferred => $NOT_TRUSTED,
	},
	{
		# Here and below no server sends this authority, so it cannot be learned.
		about => '2 1 1, an impostor with a certificate for the same name at the host\'s address',
		label => 'ta-211-wrong',
		mx => { 10 => host('foreign', '2 1 1 authority_3') },
		answer => 'OK dane-only', deferred => $NO_POLICY,
	},
	{
		about => '2 1 1, a host without STARTTLS', label => 'ta-211-stripped',
		mx => { 10 => host('cleartext', '2 1 1 authority_3') },
		answer => 'OK dane-only', deferred => $NO_POLICY,
	},
	{
		about => '2 1 1, a host at which nobody listens', label => 'ta-211-nobody',
		mx => { 10 => host('nobody', '2 1 1 authority_3') },
		answer => 'OK dane-only', deferred => $NO_POLICY,
	},

	# ---- With sha512, and the smtp client in a chroot
	(
		map { (
			{
				about => "transport $_, 3 1 2, the right key", label => "$_-312", transport => $_,
				mx => { 10 => host('alpha', '3 1 2 alpha') },
				fingerprint => ['1 alpha'], delivered => ['alpha', 'mx10', 'Verified'],
			},
			{
				about => "transport $_, 3 0 2, the right certificate", label => "$_-302", transport => $_,
				mx => { 10 => host('alpha', '3 0 2 alpha') },
				fingerprint => ['0 alpha'], delivered => ['alpha', 'mx10', 'Verified'],
			},
			{
				about => "transport $_, 3 1 0, the right key", label => "$_-310", transport => $_,
				mx => { 10 => host('beta', '3 1 0 beta') },
				fingerprint => ['1 beta'], delivered => ['beta', 'mx10', 'Verified'],
			},
			{
				about => "transport $_, another key", label => "$_-wrong", transport => $_,
				mx => { 10 => host('beta', '3 1 2 alpha') },
				fingerprint => ['1 alpha'], deferred => $NOT_TRUSTED,
			},
		) } qw(chroot sha512)
	),
	{
		about => 'sha512, but 3 1 1 is published: nothing leaves', label => 'sha512-311',
		mx => { 10 => host('alpha', '3 1 1 alpha') }, transport => 'sha512',
		answer => 'OK dane-only', deferred => $NO_POLICY,
	},
	(
		map {
			my ($label, $published) = @$_;
			(
				{
					about => "in a chroot, $published, the right authority", label => "ta-chroot-$label",
					mx => { 10 => host('issued', $published) }, transport => 'chroot',
					secure => [ substr($published, 2, 1) . ' authority' ],
					delivered => ['issued', 'mx10', 'Verified'],
				},
				{
					about => "in a chroot, $published, a forged address that leads to an impostor"
					    . ' with a certificate for the same name',
					label => "ta-chroot-$label-wrong",
					mx => { 10 => host('issued', $published) }, forged_address('foreign'),
					transport => 'chroot',
					secure => [ substr($published, 2, 1) . ' authority' ], deferred => $NOT_TRUSTED,
				},
			)
		} (
			['200', '2 0 0 authority'], ['210', '2 1 0 authority'], ['211', '2 1 1 authority'],
			['201', '2 0 1 authority'],
		)
	),
);

# Roll-overs. record: the beginning of the TLSA records; old, new: their certificates; form, selector:
# how they appear in the reply. learned: the new trust anchor is known only after the host has sent
# it.
our @ROLLING = (
	{
		about => 'DANE-EE', label => 'rolling', mx => { 10 => host('rolling') },
		record => '3 1 1', form => 'fingerprint', selector => 1,
		old => 'alpha', new => 'beta',
	},
	{
		about => 'DANE-TA, published', label => 'ta-rolling', mx => { 10 => host('rolling_issued') },
		record => '2 0 0', form => 'secure', selector => 0,
		old => 'authority', new => 'authority_2',
	},
	{
		about => 'DANE-TA, learned', label => 'ta-rolling-learned', mx => { 10 => host('rolling_issued') },
		record => '2 1 1', form => 'secure', selector => 1, learned => 1,
		old => 'authority', new => 'authority_2',
	},
);

# The names for which the matching certificates are made.
sub names_for
{
	return map {
		my $label = $_->{label};
		map {"mx$_.$label.secure.example"} sort keys %{ $_->{mx} };
	} grep { $_->{label} =~ /\Ata-(?!name|domain|base)/ } @CASES, @ROLLING;
}

1;
