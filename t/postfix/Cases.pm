# The cases of t/postfix/postfix.t: the published records, the destination of the mail, and the
# expected result.
package Cases;

use strict;
use warnings;

use Exporter qw(import);
use Site qw(host bogus alias postfix_version $NOT_TRUSTED $NO_STARTTLS $NO_POLICY $NO_DNS_ANSWER);

our @EXPORT = qw(%RECEIVERS @PORTS %TRANSPORTS @CASES @STOPPED);

# address: on which it listens; certificate: sent after STARTTLS; without one it offers no STARTTLS.
our %RECEIVERS = (
	alpha     => { address => '127.0.0.11', certificate => 'alpha' },
	beta      => { address => '127.0.0.12', certificate => 'beta' },
	issued    => { address => '127.0.0.13', certificate => 'issued' },
	cleartext => { address => '127.0.0.14' },
);
our @PORTS = (25, 2525);

# Ways to send, each a transport: settings of its smtp client that differ from main.cf, and whether
# it is in a chroot. The sender's domain chooses the transport.
my @DIRECT = ('smtp_tls_policy_maps=$direct_policy_maps');
my @QUEUE = ('smtp_tls_policy_maps=socketmap:unix:tlsad/socketmap:policy');
our %TRANSPORTS = (
	smtp => { options => [@DIRECT] },
	# A site whose own level is "may": in old releases Postfix's default for insecure MX records
	# is then "may" too (dane_behind_insecure_mx) ...
	'site-may' => { options => [@DIRECT, 'smtp_tls_security_level=may'] },
	# ... so README requires this setting.
	'site-may-insecure-dane' =>
	    { options => [@DIRECT, 'smtp_tls_security_level=may', 'smtp_tls_dane_insecure_mx_policy=dane'] },
	'site-encrypt' => { options => [@DIRECT, 'smtp_tls_security_level=encrypt'] },
	# Ways for a chrooted smtp client to reach tlsad: through proxymap(8), which is not chrooted (so in
	# main.cf here) ...
	'chroot-proxy' => { chroot => 1 },
	# ... through a socket below the queue directory, Postfix's working directory in the chroot and
	# outside ...
	'chroot-queue' => { chroot => 1, options => [@QUEUE] },
	'queue'        => { options => [@QUEUE] },
	# ... or through TCP.
	'chroot-inet'  => { chroot => 1, options => ['smtp_tls_policy_maps=socketmap:inet:127.0.0.1:8642:policy'] },
);

# Whether Postfix uses the TLSA records of hosts from insecure MX records at "dane" from a policy
# table by default, without smtp_tls_dane_insecure_mx_policy. The default of that was "may" unless
# smtp_tls_security_level is "dane"; in these releases, and in all later ones of their branches, it
# is "dane".
my %DANE_BEHIND_INSECURE_MX = ('3.6' => 17, '3.7' => 13, '3.8' => 8, '3.9' => 2);

sub dane_behind_insecure_mx
{
	# Without Postfix the tests are skipped.
	my ($major, $minor, $patch) = postfix_version() or return 0;
	return 1 if $major > 3 || $major == 3 && $minor >= 10;
	my $fixed = $DANE_BEHIND_INSECURE_MX{"$major.$minor"} // return 0;
	return $patch >= $fixed;
}

# label: the first label of the domain. mx: preference => host, whose name is
# mxPREFERENCE.LABEL.secure.example. insecure_mx: the domain is in the unsigned zone, its hosts in
# the signed one. transport: see above, default smtp. nexthop: instead of the domain; MX in it means
# the name of the first host. answer: the reply to the key that Postfix sends; failure: instead, the
# text of a TEMP reply. delivered: the receiver, through which host (by the first label of its name)
# and how the session's log line begins, none for no TLS; or deferred or bounced: the reason in
# Postfix's log; trusted_chain: the session may have been logged as Trusted, but never as Verified.
# resolver: lines for the configuration of Postfix's own resolver, in which DOMAIN means the domain.
our @CASES = (
	{
		about => 'DANE-EE 3 1 1, the right certificate', label => 'full-311',
		mx => { 10 => host('alpha', '3 1 1 alpha') },
		answer => 'OK dane-only', delivered => ['alpha', 'mx10', 'Verified'],
	},
	{
		about => 'DANE-EE 3 0 1, the right certificate', label => 'full-301',
		mx => { 10 => host('alpha', '3 0 1 alpha') },
		answer => 'OK dane-only', delivered => ['alpha', 'mx10', 'Verified'],
	},
	{
		about => 'DANE-EE 3 1 2, the right certificate', label => 'full-312',
		mx => { 10 => host('beta', '3 1 2 beta') },
		answer => 'OK dane-only', delivered => ['beta', 'mx10', 'Verified'],
	},
	{
		about => 'DANE-EE 3 1 0, the whole key', label => 'full-310',
		mx => { 10 => host('beta', '3 1 0 beta') },
		answer => 'OK dane-only', delivered => ['beta', 'mx10', 'Verified'],
	},
	{
		about => 'DANE-TA 2 0 1, the right authority', label => 'ta-201',
		mx => { 10 => host('issued', '2 0 1 authority') },
		answer => 'OK dane-only', delivered => ['issued', 'mx10', 'Verified'],
	},
	{
		about => 'DANE-TA 2 1 1, the right authority', label => 'ta-211',
		mx => { 10 => host('issued', '2 1 1 authority') },
		answer => 'OK dane-only', delivered => ['issued', 'mx10', 'Verified'],
	},
	{
		about => 'DANE-TA 2 1 1, another authority', label => 'ta-wrong',
		mx => { 10 => host('issued', '2 1 1 beta') },
		answer => 'OK dane-only', deferred => $NOT_TRUSTED,
	},
	{
		about => 'DANE-TA 2 1 1, the right authority, another name (RFC 7672 3.2.2)',
		label => 'ta-name',
		mx => { 10 => host('issued', '2 1 1 authority') },
		# Postfix 3.10 logs the session as Trusted: the chain is right, the name is not. Postfix 3.7
		# logs Untrusted.
		answer => 'OK dane-only', deferred => $NOT_TRUSTED, trusted_chain => 1,
	},
	{
		about => 'DANE-EE, another certificate', label => 'wrong',
		mx => { 10 => host('beta', '3 1 1 alpha') },
		answer => 'OK dane-only', deferred => $NOT_TRUSTED,
	},
	{
		about => 'a roll-over: the new certificate and the old one published', label => 'rollover',
		mx => { 10 => host('beta', '3 1 1 alpha', '3 1 1 beta') },
		answer => 'OK dane-only', delivered => ['beta', 'mx10', 'Verified'],
	},
	{
		about => 'all hosts usable, the first with another certificate', label => 'second',
		mx => { 10 => host('beta', '3 1 1 alpha'), 20 => host('alpha', '3 1 1 alpha') },
		answer => 'OK dane-only', delivered => ['alpha', 'mx20', 'Verified'],
	},
	{
		about => 'DANE, but the host offers no STARTTLS', label => 'stripped',
		mx => { 10 => host('cleartext', '3 1 1 alpha') },
		answer => 'OK dane-only', deferred => $NO_STARTTLS,
	},
	{
		about => 'the host\'s name is an alias, TLSA at its end', label => 'alias',
		mx => { 10 => alias('secure.example.', host('alpha', '3 1 1 alpha')) },
		answer => 'OK dane-only', delivered => ['alpha', 'mx10', 'Verified'],
	},
	{
		about => 'the host\'s name is an alias, TLSA at its start', label => 'alias-start',
		mx => { 10 => alias('secure.example.', host('alpha', '3 1 1 alpha'), tlsa_at_alias => 1) },
		answer => 'OK dane-only', delivered => ['alpha', 'mx10', 'Verified'],
	},
	{
		about => 'the host\'s name is an alias into an insecure zone', label => 'alias-insecure',
		mx => { 10 => alias('plain.example.', host('alpha', '3 1 1 alpha'), tlsa_at_alias => 1) },
		answer => 'OK dane-only', delivered => ['alpha', 'mx10', 'Verified'],
	},
	{
		about => 'the host\'s name is an alias into an insecure zone, another certificate',
		label => 'alias-wrong',
		mx => { 10 => alias('plain.example.', host('beta', '3 1 1 alpha'), tlsa_at_alias => 1) },
		answer => 'OK dane-only', deferred => $NOT_TRUSTED,
	},
	{
		about => 'partial DANE, the better host usable', label => 'partial',
		mx => { 10 => host('alpha', '3 1 1 alpha'), 20 => host('beta') },
		answer => 'OK dane', delivered => ['alpha', 'mx10', 'Verified'],
	},
	{
		about => 'partial DANE, the better host without', label => 'partial-reversed',
		mx => { 10 => host('beta'), 20 => host('alpha', '3 1 1 alpha') },
		answer => 'OK dane', delivered => ['beta', 'mx10', 'Untrusted'],
	},
	{
		about => 'partial DANE, the usable host with another certificate', label => 'partial-wrong',
		mx => { 10 => host('beta', '3 1 1 alpha'), 20 => host('alpha') },
		answer => 'OK dane', delivered => ['alpha', 'mx20', 'Untrusted'],
	},
	{
		about => 'partial DANE, the other host unusable and without STARTTLS',
		label => 'partial-unusable',
		mx => { 10 => host('cleartext', '1 1 1 alpha'), 20 => host('alpha', '3 1 1 alpha') },
		answer => 'OK dane', delivered => ['alpha', 'mx20', 'Verified'],
	},
	{
		about => 'only unusable records: TLS, unauthenticated', label => 'unusable',
		mx => { 10 => host('alpha', '0 1 1 beta', '1 1 1 beta') },
		answer => 'OK dane', delivered => ['alpha', 'mx10', 'Untrusted'],
	},
	{
		about => 'only unusable records, no STARTTLS', label => 'unusable-stripped',
		mx => { 10 => host('cleartext', '1 1 1 alpha') },
		answer => 'OK dane', deferred => $NO_STARTTLS,
	},
	{
		# postconf(5), smtp_tls_dane_insecure_mx_policy: "it will be logged only as Trusted, not
		# Verified".
		about => 'insecure MX, usable host, the right certificate',
		label => 'insecure', insecure_mx => 1,
		mx => { 10 => host('alpha', '3 1 1 alpha') },
		answer => 'OK dane', delivered => ['alpha', 'mx10', 'Trusted'],
	},
	{
		about => 'insecure MX, usable host, another certificate',
		label => 'insecure-wrong', insecure_mx => 1,
		mx => { 10 => host('beta', '3 1 1 alpha') },
		answer => 'OK dane', deferred => $NOT_TRUSTED,
	},
	{
		about => 'insecure MX, another certificate, site level may with Postfix\'s default',
		label => 'insecure-may', insecure_mx => 1, transport => 'site-may',
		mx => { 10 => host('beta', '3 1 1 alpha') },
		answer => 'OK dane',
		dane_behind_insecure_mx() ? (deferred => $NOT_TRUSTED)
		    : (delivered => ['beta', 'mx10', 'Untrusted']),
	},
	{
		about => 'insecure MX, another certificate, site level may with smtp_tls_dane_insecure_mx_policy = dane',
		label => 'insecure-may-dane', insecure_mx => 1, transport => 'site-may-insecure-dane',
		mx => { 10 => host('beta', '3 1 1 alpha') },
		answer => 'OK dane', deferred => $NOT_TRUSTED,
	},
	{
		about => 'insecure MX, the right certificate, site level may with smtp_tls_dane_insecure_mx_policy = dane',
		label => 'insecure-may-right', insecure_mx => 1, transport => 'site-may-insecure-dane',
		mx => { 10 => host('alpha', '3 1 1 alpha') },
		answer => 'OK dane', delivered => ['alpha', 'mx10', 'Trusted'],
	},
	{
		about => 'DANE where the site\'s level is may', label => 'may', transport => 'site-may',
		mx => { 10 => host('alpha', '3 1 1 alpha') },
		answer => 'OK dane-only', delivered => ['alpha', 'mx10', 'Verified'],
	},
	{
		about => 'another certificate where the site\'s level is may',
		label => 'may-wrong', transport => 'site-may',
		mx => { 10 => host('beta', '3 1 1 alpha') },
		answer => 'OK dane-only', deferred => $NOT_TRUSTED,
	},
	{
		about => 'no DANE: the site\'s level, dane, takes TLS where it is', label => 'none',
		mx => { 10 => host('alpha') },
		answer => 'NOTFOUND ', delivered => ['alpha', 'mx10', 'Untrusted'],
	},
	{
		about => 'no DANE, no STARTTLS: the site\'s level, dane, lets it pass',
		label => 'none-cleartext',
		mx => { 10 => host('cleartext') },
		answer => 'NOTFOUND ', delivered => ['cleartext', 'mx10'],
	},
	{
		about => 'no DANE, no STARTTLS: the site\'s level, encrypt, does not let it pass',
		label => 'none-encrypt', transport => 'site-encrypt',
		mx => { 10 => host('cleartext') },
		answer => 'NOTFOUND ', deferred => $NO_STARTTLS,
	},
	{
		about => 'insecure domain and host',
		label => 'nothing.plain.example.', mx => { 10 => host('alpha') },
		answer => 'NOTFOUND ', delivered => ['alpha', 'mx10', 'Untrusted'],
	},
	{
		about => 'the MX record set is bogus', label => 'bogus-mx', bogus_mx => 1,
		mx => { 10 => host('alpha', '3 1 1 alpha') },
		failure => qr/bogus-mx\.secure\.example.*\bMX\b/, deferred => $NO_DNS_ANSWER,
	},
	{
		# Here and in the next cases Postfix's resolver accepts the records: only tlsad makes
		# Postfix defer the mail.
		about => 'the MX record set is bogus, Postfix\'s resolver does not see it',
		label => 'bogus-mx-unseen', bogus_mx => 1,
		mx => { 10 => host('alpha', '3 1 1 alpha') }, resolver => ['domain-insecure: DOMAIN'],
		failure => qr/bogus-mx-unseen\.secure\.example.*\bMX\b/, deferred => $NO_POLICY,
	},
	{
		about => 'the TLSA records of all hosts are bogus', label => 'bogus-tlsa',
		mx => {
			10 => bogus(TLSA => host('alpha', '3 1 1 alpha')),
			20 => bogus(TLSA => host('beta', '3 1 1 beta')),
		},
		failure => qr/mx\d0\.bogus-tlsa\.secure\.example.*\bTLSA\b/, deferred => $NO_POLICY,
	},
	{
		# At this level Postfix itself would not look up TLSA records either.
		about => 'the TLSA records of all hosts are bogus, site level may',
		label => 'bogus-may', transport => 'site-may',
		mx => { 10 => bogus(TLSA => host('alpha', '3 1 1 alpha')) },
		failure => qr/mx10\.bogus-may\.secure\.example.*\bTLSA\b/, deferred => $NO_POLICY,
	},
	{
		about => 'the addresses of the only host are bogus', label => 'bogus-address',
		mx => { 10 => bogus(A => host('alpha', '3 1 1 alpha')) },
		failure => qr/mx10\.bogus-address\.secure\.example.*\bA\b/, deferred => $NO_DNS_ANSWER,
	},
	{
		about => 'the addresses of the only host are bogus, Postfix\'s resolver does not see it',
		label => 'bogus-address-unseen',
		mx => { 10 => bogus(A => host('alpha', '3 1 1 alpha')) },
		resolver => ['domain-insecure: DOMAIN'],
		failure => qr/mx10\.bogus-address-unseen\.secure\.example.*\bA\b/, deferred => $NO_POLICY,
	},
	{
		# Here Postfix by itself would use the other host, without DANE. It is unknown whether the
		# first host has DANE.
		about => 'one host\'s TLSA records bogus, another host without DANE',
		label => 'bogus-downgrade',
		mx => { 10 => bogus(TLSA => host('beta', '3 1 1 beta')), 20 => host('alpha') },
		failure => qr/mx10\.bogus-downgrade\.secure\.example.*\bTLSA\b/, deferred => $NO_POLICY,
	},
	{
		about => 'the domain\'s name server answers SERVFAIL', label => 'servfail.example.',
		failure => qr/\bservfail\.example.*\bMX\b/, deferred => $NO_DNS_ANSWER,
	},
	{
		about => 'the domain\'s name server is dead, Postfix\'s resolver knows the records',
		label => 'dead.example.',
		resolver => [
			'local-zone: DOMAIN static', 'local-data: "DOMAIN MX 10 mx10.DOMAIN"',
			"local-data: \"mx10.DOMAIN A $RECEIVERS{alpha}{address}\""
		],
		failure => qr/\bdead\.example.*\bMX\b/, deferred => $NO_POLICY,
	},
	{
		about => 'one host\'s TLSA records bogus, another host usable', label => 'bogus-one',
		mx => {
			10 => bogus(TLSA => host('beta', '3 1 1 beta')),
			20 => host('alpha', '3 1 1 alpha'),
		},
		answer => 'OK dane-only', delivered => ['alpha', 'mx20', 'Verified'],
	},
	{
		about => 'nexthop [host]:port, the right certificate', label => 'port',
		mx => { 10 => host('alpha', '3 1 1 beta') }, port => 2525, port_tlsa => ['3 1 1 alpha'],
		nexthop => '[MX]:2525',
		answer => 'OK dane-only', delivered => ['alpha', 'mx10', 'Verified'],
	},
	{
		about => 'nexthop [host]:port, another certificate', label => 'port-wrong',
		mx => { 10 => host('alpha', '3 1 1 alpha') }, port => 2525, port_tlsa => ['3 1 1 beta'],
		nexthop => '[MX]:2525', answer => 'OK dane-only', deferred => $NOT_TRUSTED,
	},
	{
		about => 'nexthop [host], only unusable records', label => 'host-unusable',
		mx => { 10 => host('alpha', '1 1 1 alpha') },
		nexthop => '[MX]', answer => 'OK dane', delivered => ['alpha', 'mx10', 'Untrusted'],
	},
	{
		about => 'no MX record: the domain itself is the host (RFC 5321 5.1)', label => 'implicit',
		itself => host('alpha', '3 1 1 alpha'),
		answer => 'OK dane-only', delivered => ['alpha', 'implicit', 'Verified'],
	},
	{
		about => 'null MX (RFC 7505)', label => 'null', mx => {}, records => [['MX', '0 .']],
		answer => 'NOTFOUND ', bounced => qr/nullMX/,
	},
	{
		about => 'no such domain', label => 'nxdomain',
		answer => 'NOTFOUND ', bounced => qr/Host or domain name not found/,
	},
	{
		about => 'an internationalised domain',
		label => 'xn--bcher-kva', key => "b\xc3\xbccher.secure.example",
		mx => { 10 => host('alpha', '3 1 1 alpha') },
		answer => 'OK dane-only', delivered => ['alpha', 'mx10', 'Verified'],
	},
	(
		map { (
			{
				about => "transport $_, the right certificate",
				label => "$_-right", transport => $_,
				mx => { 10 => host('alpha', '3 1 1 alpha') },
				answer => 'OK dane-only', delivered => ['alpha', 'mx10', 'Verified'],
			},
			{
				about => "transport $_, another certificate", label => "$_-wrong", transport => $_,
				mx => { 10 => host('beta', '3 1 1 alpha') },
				answer => 'OK dane-only', deferred => $NOT_TRUSTED,
			},
			{
				# Without a reply from tlsad this mail would be deferred.
				about => "transport $_, no DANE", label => "$_-none", transport => $_,
				mx => { 10 => host('alpha') },
				answer => 'NOTFOUND ', delivered => ['alpha', 'mx10', 'Untrusted'],
			},
		) } qw(chroot-proxy chroot-queue queue chroot-inet)
	),
);

# Sent while tlsad is stopped, to destinations that were never looked up before.
our @STOPPED = (
	{
		about => 'tlsad stopped, DANE', label => 'stopped',
		mx => { 10 => host('alpha', '3 1 1 alpha') },
		answer => 'OK dane-only', delivered => ['alpha', 'mx10', 'Verified'],
	},
	{
		about => 'tlsad stopped, no DANE', label => 'stopped-none', transport => 'site-may',
		mx => { 10 => host('alpha') },
		answer => 'NOTFOUND ', delivered => ['alpha', 'mx10', 'Untrusted'],
	},
	{
		about => 'tlsad stopped, behind proxymap',
		label => 'stopped-proxy', transport => 'chroot-proxy',
		mx => { 10 => host('alpha', '3 1 1 alpha') },
		answer => 'OK dane-only', delivered => ['alpha', 'mx10', 'Verified'],
	},
);

1;
