# The cases of t/postfix/postfix-sts.t: the published records, the MTA-STS policy, the destination of
# the mail, and the expected result.
package StsCases;

use strict;
use warnings;

use Exporter qw(import);
use Site qw(host bogus postfix_before $NOT_TRUSTED $NO_STARTTLS $NO_POLICY);

our @EXPORT = qw(%RECEIVERS @PORTS %TRANSPORTS $REPLY_MAX @CASES @LATER
    names_for policy_domain longest_policy);

# "authority" is the CA that the sending Postfix trusts.
our %RECEIVERS = (
	right => { address => '127.0.0.11', certificate => 'right' },
	# For another name; by nobody; no longer valid; by a CA that Postfix does not know.
	wrong_name  => { address => '127.0.0.12', certificate => 'wrong_name' },
	self_signed => { address => '127.0.0.13', certificate => 'self_signed' },
	expired     => { address => '127.0.0.14', certificate => 'expired' },
	stranger    => { address => '127.0.0.15', certificate => 'stranger' },
	# For names that are in no policy.
	attacker => { address => '127.0.0.16', certificate => 'attacker' },
	wildcard => { address => '127.0.0.17', certificate => 'wildcard' },
	# For the name mx10.swapped.secure.example only.
	swapped => { address => '127.0.0.18', certificate => 'swapped' },
	# Sends the certificate "chosen" to clients that ask for its name.
	by_name => {
		address => '127.0.0.21', certificate => 'wrong_name',
		options => ['{ tls_server_sni_maps = inline:{ mx10.by-name.secure.example=CHOSEN } }'],
	},
	cleartext => { address => '127.0.0.22' },
	nobody    => { address => '127.0.0.23', absent => 1 },
);
our @PORTS = (25, 2525);

# [bytes] socketmap_table(5)
our $REPLY_MAX = 100_000;

# map: of tlsad. In options DIRECTORY is the site's.
our %TRANSPORTS = (
	smtp => { map => 'policy' },
	(
		map { lc $_ => { map => $_ } }
		    qw(native pinned QUERY postfix native-tlsrpt pinned-tlsrpt QUERYwithTLSRPT)
	),
	# TLSRPT_README: reports go to this socket.
	'policy-tlsrpt' => {
		map     => 'policy-tlsrpt',
		options => postfix_before('3.10') ? []
		    : ['smtp_tlsrpt_enable=yes', 'smtp_tlsrpt_socket_name=DIRECTORY/reports'],
	},
	requiretls => {
		map     => 'policy',
		options => postfix_before('3.11') ? []
		    : ['smtp_requiretls_policy=socketmap:unix:DIRECTORY/tlsad/socketmap:requiretls'],
	},
);

# Reasons in Postfix's log.
my $NOT_VERIFIED  = qr/Server certificate not verified/;
my $NO_MX         = qr/server unavailable or unable to receive mail/;
my $NO_REQUIRETLS = qr/Sender requested REQUIRETLS, but /;

# With Postfix 3.10.5 the -tlsrpt maps make it leave out MX hosts that match no pattern.
my $MATCHES_NO_PATTERN = qr/warning: MX name '\S+' does not match STS MX pattern/;
my $CONNECTED          = qr/TLS connection established to mx10\./;

# What a reporter of TLSRPT is told about the policy of a host: its lines and its pattern.
my @LINES    = ('version: STSv1', 'mode: enforce', 'mx: mx10.HOSTS', 'max_age: 86400');
my $REPORTED = 'mx10.HOSTS';

# More lines, of which RFC 8461 knows nothing; some would mean something to Postfix. The
# reporter is told only of the first ones.
my @ODD_LINES = (
	'match: nexthop', 'tafile: /etc/passwd', 'policy_type: no-policy-found', 'policy_ttl: 1',
	'x-failure: policy_failure=sts-policy-invalid', 'x-commas: , , a=b,c=d', 'x-equals: =',
	'x-colons: ::: :', 'x-backslash: \\', 'x-dollar: $mydomain', 'x-percent: %s%n',
	"x-utf8: Gr\xC3\xBC\xC3\x9Fe", 'x-long: ' . 'l' x 20_000,
);
my $ODD = join '', map {"$_\r\n"} (
	@ODD_LINES, 'x-brace: a } match=nexthop', 'x-braces: { policy_type = none }', 'x-open: {',
	'x-close: }', 'x-quote: "', 'mx: a.example } match=nexthop', 'mx: nexthop',
	'mx: hostname:dot-nexthop', 'mx: a.example mx_host_pattern=b.example', 'mode: none',
	'version: STSv2', 'max_age: 1'
);

# Cases.pm describes the members of a case. There are also:
# policy: the options of Tlsad::PolicyHost->serve; mode is enforce, and mx the names of all hosts, where
# they are not given. HOSTS in mx is the common part of these names. txt: the data of the TXT record.
# answer: "secure" is `secure match=...` with the policy's patterns. since, before: versions of Postfix.
# log, log_without: what the lines of the sender's log about this case match and do not match. warned:
# these lines may have a warning. report: what Postfix tells a reporter of TLSRPT: the kind of policy,
# the result, and of MTA-STS the lines of the policy and the patterns. requiretls: the reply of the map
# requiretls.
our @CASES = (
	{
		about => 'the right certificate', label => 'right',
		mx => { 10 => host('right') }, policy => {},
		answer => 'secure', delivered => ['right', 'mx10', 'Verified'],
	},
	{
		about => 'the right certificate, insecure MX', label => 'right-insecure',
		insecure_mx => 1,
		mx => { 10 => host('right') }, policy => {},
		answer => 'secure', delivered => ['right', 'mx10', 'Verified'],
	},
	{
		about => 'a certificate for another name', label => 'wrong-name',
		mx => { 10 => host('wrong_name') }, policy => {},
		answer => 'secure', deferred => $NOT_VERIFIED, trusted_chain => 1,
		log => qr/certificate verification failed .*hostname mismatch/,
	},
	{
		about => 'a self-signed certificate', label => 'self-signed',
		mx => { 10 => host('self_signed') }, policy => {},
		answer => 'secure', deferred => $NOT_VERIFIED,
		log => qr/certificate verification failed .*self.signed/,
	},
	{
		about => 'an expired certificate', label => 'expired',
		mx => { 10 => host('expired') }, policy => {},
		answer => 'secure', deferred => $NOT_VERIFIED,
		log => qr/certificate verification failed .*certificate has expired/,
	},
	{
		about => 'a certificate of another CA', label => 'stranger',
		mx => { 10 => host('stranger') }, policy => {},
		answer => 'secure', deferred => $NOT_VERIFIED,
		log => qr/certificate verification failed .*untrusted issuer/,
	},
	{
		about => 'the host offers no STARTTLS', label => 'stripped',
		mx => { 10 => host('cleartext') }, policy => {},
		answer => 'secure', deferred => $NO_STARTTLS,
	},
	{
		about => 'a wildcard certificate', label => 'wildcard',
		mx => { 10 => host('wildcard') }, policy => {},
		answer => 'secure', delivered => ['wildcard', 'mx10', 'Verified'],
	},
	{
		about => 'the host chooses its certificate by the name that it is asked for',
		label => 'by-name',
		mx => { 10 => host('by_name') }, policy => {},
		answer => 'secure', delivered => ['by_name', 'mx10', 'Verified'],
	},
	{
		about => 'nobody listens at the first host', label => 'second',
		mx => { 10 => host('nobody'), 20 => host('right') }, policy => {},
		answer => 'secure', delivered => ['right', 'mx20', 'Verified'],
	},
	{
		about => 'the first host has a certificate for another name',
		label => 'second-verified',
		mx => { 10 => host('wrong_name'), 20 => host('right') }, policy => {},
		answer => 'secure', delivered => ['right', 'mx20', 'Verified'],
	},
	{
		about => 'no MX record: the domain itself is the host', label => 'implicit',
		itself => host('right'), policy => { mx => ['DOMAIN'] },
		answer => 'secure', delivered => ['right', 'implicit', 'Verified'],
	},
	{
		about => 'an internationalised domain', label => 'xn--bcher-kva',
		key => "b\xc3\xbccher.secure.example",
		mx => { 10 => host('right') }, policy => {},
		answer => 'secure', delivered => ['right', 'mx10', 'Verified'],
	},
	{
		about => 'nexthop [host]:port', label => 'port', nexthop => '[MX]:2525',
		mx => { 10 => host('right') }, policy => {},
		answer => 'secure', delivered => ['right', 'mx10', 'Verified'],
	},
	{
		about => 'nexthop [host]:port, a certificate for another name',
		label => 'port-wrong', nexthop => '[MX]:2525',
		mx => { 10 => host('wrong_name') }, policy => {},
		answer => 'secure', deferred => $NOT_VERIFIED, trusted_chain => 1,
	},

	# MX records that an attacker has forged: his host has a valid certificate for its own name.
	{
		about => 'a forged MX record', label => 'forged', insecure_mx => 1,
		mx => { 10 => host('attacker') }, policy => { mx => ['mail.HOSTS', '*.mail.HOSTS'] },
		answer => 'secure', deferred => $NOT_VERIFIED, trusted_chain => 1,
	},
	{
		about => 'a forged MX record that only Postfix sees',
		label => 'forged-unseen.plain.example.',
		mx => { 10 => host('right') }, policy => {},
		resolver => [
			'local-data: "DOMAIN MX 10 attacker.DOMAIN"',
			"local-data: \"attacker.DOMAIN A $RECEIVERS{attacker}{address}\""
		],
		answer => 'secure', deferred => $NOT_VERIFIED, trusted_chain => 1,
	},
	{
		about => 'a forged MX record before the right one', label => 'forged-first',
		insecure_mx => 1,
		mx => { 10 => host('attacker'), 20 => host('right') },
		policy => { mx => ['mx20.HOSTS'] },
		answer => 'secure', delivered => ['right', 'mx20', 'Verified'],
	},

	# Without a policy that is enforced.
	{
		about => 'the mode testing, a certificate for another name', label => 'testing',
		mx => { 10 => host('wrong_name') }, policy => { mode => 'testing' },
		answer => 'NOTFOUND ', delivered => ['wrong_name', 'mx10', 'Trusted'],
	},
	{
		about => 'the mode testing, a forged MX record', label => 'testing-forged',
		insecure_mx => 1,
		mx => { 10 => host('attacker') },
		policy => { mode => 'testing', mx => ['mail.HOSTS'] },
		answer => 'NOTFOUND ', delivered => ['attacker', 'mx10', 'Trusted'],
	},
	{
		about => 'the mode none, a self-signed certificate', label => 'none',
		mx => { 10 => host('self_signed') }, policy => { mode => 'none' },
		answer => 'NOTFOUND ', delivered => ['self_signed', 'mx10', 'Untrusted'],
	},
	{
		about => 'the mode none, no STARTTLS', label => 'none-cleartext',
		mx => { 10 => host('cleartext') }, policy => { mode => 'none' },
		answer => 'NOTFOUND ', delivered => ['cleartext', 'mx10'],
	},
	{
		about => 'no policy, the right certificate', label => 'without',
		mx => { 10 => host('right') },
		answer => 'NOTFOUND ', delivered => ['right', 'mx10', 'Trusted'],
	},
	{
		about => 'no policy, no STARTTLS', label => 'without-cleartext',
		mx => { 10 => host('cleartext') },
		answer => 'NOTFOUND ', delivered => ['cleartext', 'mx10'],
	},
	{
		about => 'a policy file, but no TXT record', label => 'no-record', txt => undef,
		mx => { 10 => host('self_signed') }, policy => {},
		answer => 'NOTFOUND ', delivered => ['self_signed', 'mx10', 'Untrusted'],
	},
	{
		about => 'a TXT record, but no policy file', label => 'no-file',
		mx => { 10 => host('self_signed') }, policy => { status => '404 Not Found' },
		answer => 'NOTFOUND ', delivered => ['self_signed', 'mx10', 'Untrusted'],
	},
	{
		about => 'the policy server has a certificate for another name',
		label => 'no-certificate',
		mx => { 10 => host('self_signed') }, policy => { names => ['mta-sts.other.example'] },
		answer => 'NOTFOUND ', delivered => ['self_signed', 'mx10', 'Untrusted'],
	},

	# Beside DANE. The certificate "right" is valid for MTA-STS, too.
	{
		about => 'DANE, the right certificate', label => 'dane',
		mx => { 10 => host('self_signed', '3 1 1 self_signed') }, policy => {},
		answer => 'OK dane-only', delivered => ['self_signed', 'mx10', 'Verified'],
	},
	{
		about => 'DANE, another key', label => 'dane-wrong',
		mx => { 10 => host('right', '3 1 1 stranger') }, policy => {},
		answer => 'OK dane-only', deferred => $NOT_TRUSTED, trusted_chain => 1,
	},
	{
		about => 'partial DANE, the better host without', label => 'partial',
		mx => { 10 => host('right'), 20 => host('self_signed', '3 1 1 self_signed') },
		policy => {},
		answer => 'OK dane-only', delivered => ['self_signed', 'mx20', 'Verified'],
		log_without => $CONNECTED, warned => 1,
	},
	{
		about => 'partial DANE, another key at the host that has it',
		label => 'partial-wrong',
		mx => { 10 => host('right', '3 1 1 stranger'), 20 => host('right') }, policy => {},
		answer => 'OK dane-only', deferred => qr/no TLSA records found/,
		log => qr/Server certificate not verified/,
		trusted_chain => 1, log_without => qr/connection established to mx20\./, warned => 1,
	},
	{
		about => 'partial DANE, the mode testing', label => 'partial-testing',
		mx => { 10 => host('right'), 20 => host('self_signed', '3 1 1 self_signed') },
		policy => { mode => 'testing' },
		answer => 'OK dane', delivered => ['right', 'mx10', 'Trusted'],
	},
	{
		about => 'only unusable TLSA records, the right certificate', label => 'unusable',
		mx => { 10 => host('right', '1 1 1 stranger') }, policy => {},
		answer => 'secure', delivered => ['right', 'mx10', 'Verified'],
	},
	{
		about => 'only unusable TLSA records, a certificate for another name',
		label => 'unusable-wrong',
		mx => { 10 => host('wrong_name', '1 1 1 stranger') }, policy => {},
		answer => 'secure', deferred => $NOT_VERIFIED, trusted_chain => 1,
	},
	{
		about => 'insecure MX, usable host, the right certificate', label => 'insecure',
		insecure_mx => 1,
		mx => { 10 => host('right', '3 1 1 right') }, policy => {},
		answer => 'secure', delivered => ['right', 'mx10', 'Verified'],
	},
	{
		about => 'insecure MX, usable host, a forged MX record', label => 'insecure-forged',
		insecure_mx => 1,
		mx => { 10 => host('attacker', '3 1 1 attacker') },
		policy => { mx => ['mail.HOSTS'] },
		answer => 'secure', deferred => $NOT_VERIFIED, trusted_chain => 1,
	},

	{
		# The certificate of the first host is valid, but its key is not the one of its TLSA record.
		about => 'only unusable TLSA records, those of the better host are bogus',
		label => 'unusable-failed',
		mx => {
			10 => bogus(TLSA => host('right', '3 1 1 stranger')),
			20 => host('nobody', '1 1 1 stranger'),
		},
		policy => {}, failure => qr/mx10\.unusable-failed\.secure\.example.*\bTLSA\b/,
		deferred => $NO_POLICY, warned => 1,
	},

	# Patterns. Postfix's `.example.com` matches at any depth.
	{
		about => 'a pattern that is a wildcard', label => 'pattern',
		mx => { 10 => host('right') }, policy => { mx => ['*.HOSTS'] },
		answer => 'secure', delivered => ['right', 'mx10', 'Verified'],
	},
	{
		about => 'a wildcard, and a host two labels below', label => 'pattern-deep',
		mx => { 10 => host('right') }, policy => { mx => ['*.secure.example'] },
		answer => 'secure', delivered => ['right', 'mx10', 'Verified'],
	},
	{
		about => 'the certificate of another host of the policy', label => 'swapped',
		mx => { 10 => host('nobody'), 20 => host('swapped') }, policy => {},
		answer => 'secure', delivered => ['swapped', 'mx20', 'Verified'],
	},
	{
		about => 'odd lines in the policy', label => 'odd',
		mx => { 10 => host('right') }, policy => { more => $ODD },
		answer => 'secure', delivered => ['right', 'mx10', 'Verified'],
	},
	{
		about => 'odd lines in the policy, a certificate for another name',
		label => 'odd-wrong',
		mx => { 10 => host('wrong_name') }, policy => { more => $ODD },
		answer => 'secure', deferred => $NOT_VERIFIED, trusted_chain => 1,
	},

	# The other maps.
	(
		map { (
			{
				about => "the map $_, the right certificate",
				label => lc "$_-right", transport => lc $_,
				mx => { 10 => host('right') }, policy => {},
				answer => 'secure', delivered => ['right', 'mx10', 'Verified'],
			},
			{
				about => "the map $_, a certificate for another name",
				label => lc "$_-wrong", transport => lc $_,
				mx => { 10 => host('wrong_name') }, policy => {},
				answer => 'secure', deferred => $NOT_VERIFIED, trusted_chain => 1,
			},
		) } qw(native pinned QUERY postfix)
	),

	# With the attributes for TLSRPT.
	(
		map { (
			{
				about => "the map $_, the right certificate",
				label => lc "$_-right", transport => lc $_, since => '3.10',
				mx => { 10 => host('right') }, policy => {},
				answer => 'secure', delivered => ['right', 'mx10', 'Verified'],
			},
			{
				about => "the map $_, a certificate for another name",
				label => lc "$_-wrong", transport => lc $_,
				since => '3.10', mx => { 10 => host('wrong_name') }, policy => {},
				answer => 'secure', deferred => $NOT_VERIFIED, trusted_chain => 1,
			},
			{
				about => "the map $_, Postfix does not know its attributes",
				label => lc "$_-old", transport => lc $_,
				before => '3.10', mx => { 10 => host('right') }, policy => {},
				answer => 'secure', deferred => $NO_POLICY, warned => 1,
			},
		) } qw(native-tlsrpt pinned-tlsrpt QUERYwithTLSRPT)
	),
	map { { transport => 'policy-tlsrpt', since => '3.10', %$_ } } (
		{
			about => 'TLSRPT, the right certificate', label => 'report',
			mx => { 10 => host('right') }, policy => {},
			answer => 'secure', delivered => ['right', 'mx10', 'Verified'],
			report => ['sts', 'success', @LINES, $REPORTED],
		},
		{
			about => 'TLSRPT, a certificate for another name', label => 'report-wrong',
			mx => { 10 => host('wrong_name') }, policy => {},
			answer => 'secure', deferred => $NOT_VERIFIED, trusted_chain => 1,
			report => ['sts', 'failure', @LINES, $REPORTED],
		},
		{
			about => 'TLSRPT, DANE', label => 'report-dane',
			mx => { 10 => host('right', '3 1 1 right') }, policy => {},
			answer => 'OK dane-only', delivered => ['right', 'mx10', 'Verified'],
			report => ['dane', 'success'],
		},
		{
			about => 'TLSRPT, the mode testing', label => 'report-testing',
			mx => { 10 => host('self_signed') }, policy => { mode => 'testing' },
			answer => 'NOTFOUND ', delivered => ['self_signed', 'mx10', 'Untrusted'],
			report => ['none', 'success'],
		},
		{
			about => 'TLSRPT, an internationalised domain', label => 'xn--mller-kva',
			key => "m\xc3\xbcller.secure.example",
			mx => { 10 => host('right') }, policy => {},
			answer => 'secure', delivered => ['right', 'mx10', 'Verified'],
		},
		{
			about => 'TLSRPT, nexthop [host]:port', label => 'report-port',
			nexthop => '[MX]:2525',
			mx => { 10 => host('right') }, policy => {},
			answer => 'secure', delivered => ['right', 'mx10', 'Verified'],
		},
		{
			about => 'TLSRPT, odd lines in the policy', label => 'report-odd',
			mx => { 10 => host('right') }, policy => { more => $ODD },
			report => ['sts', 'success', @LINES, @ODD_LINES, $REPORTED],
			answer => 'secure', delivered => ['right', 'mx10', 'Verified'],
		},
		{
			about => 'TLSRPT, odd lines in the policy, a certificate for another name',
			label => 'report-odd-wrong',
			mx => { 10 => host('wrong_name') }, policy => { more => $ODD },
			answer => 'secure', deferred => $NOT_VERIFIED, trusted_chain => 1,
		},
		{
			# Of $REPLY_MAX bytes.
			about => 'TLSRPT, the longest reply', label => 'report-long', longest => 1,
			mx => { 10 => host('right') }, policy => {},
			answer => 'secure', delivered => ['right', 'mx10', 'Verified'],
		},
		{
			about => 'Postfix does not know the attributes for TLSRPT',
			label => 'report-old', since => undef,
			before => '3.10', mx => { 10 => host('right') }, policy => {},
			answer => 'secure', deferred => $NO_POLICY,
			log => qr/warning: .*invalid attribute name: "policy_type"/, warned => 1,
		},
		{
			about => 'Postfix holds MX hosts against the patterns: a forged MX record',
			label => 'strict-forged',
			since => '3.10.5', insecure_mx => 1, mx => { 10 => host('attacker') },
			policy => { mx => ['mail.HOSTS'] },
			answer => 'secure', deferred => $NO_MX, log => $MATCHES_NO_PATTERN,
			log_without => $CONNECTED, warned => 1,
		},
		{
			about => 'Postfix holds MX hosts against the patterns: a forged MX record before the right one',
			label => 'strict-first', since => '3.10.5', insecure_mx => 1,
			mx => { 10 => host('attacker'), 20 => host('right') },
			policy => { mx => ['mx20.HOSTS'] },
			answer => 'secure', delivered => ['right', 'mx20', 'Verified'],
			log => $MATCHES_NO_PATTERN,
			log_without => $CONNECTED, warned => 1,
		},
		{
			about => 'Postfix holds MX hosts against the patterns: a wildcard',
			label => 'strict-pattern',
			since => '3.10.5', mx => { 10 => host('right') },
			policy => { mx => ['*.HOSTS'] },
			answer => 'secure', delivered => ['right', 'mx10', 'Verified'],
		},
		{
			about => 'Postfix holds MX hosts against the patterns: a wildcard, and a host two labels below',
			label => 'strict-deep', since => '3.10.5',
			mx => { 10 => host('right') }, policy => { mx => ['*.secure.example'] },
			answer => 'secure', deferred => $NO_MX, log => $MATCHES_NO_PATTERN,
			log_without => $CONNECTED, warned => 1,
		},
		{
			about => 'Postfix holds MX hosts against the patterns: the certificate of another host of the policy',
			label => 'strict-swapped', since => '3.10.5',
			mx => { 10 => host('nobody'), 20 => host('swapped') },
			policy => { mx => ['*.HOSTS', 'mx10.swapped.secure.example'] },
			answer => 'secure', deferred => $NOT_VERIFIED, trusted_chain => 1,
		},
	),

	# REQUIRETLS (RFC 8689).
	map { { transport => 'requiretls', since => '3.11', fields => ['Require-TLS-ESMTP: yes'], %$_ } } (
		{
			about => 'REQUIRETLS, the right certificate', label => 'requiretls',
			mx => { 10 => host('right') }, policy => {}, requiretls => 'OK enforce',
			log => qr{tls=secure/requiretls},
			answer => 'secure', delivered => ['right', 'mx10', 'Verified'],
		},
		{
			about => 'REQUIRETLS, a certificate for another name',
			label => 'requiretls-wrong',
			mx => { 10 => host('wrong_name') }, policy => {}, requiretls => 'OK enforce',
			answer => 'secure', bounced => $NO_REQUIRETLS, trusted_chain => 1,
		},
		{
			about => 'REQUIRETLS, the mode testing', label => 'requiretls-testing',
			mx => { 10 => host('self_signed') }, policy => { mode => 'testing' },
			requiretls => 'OK opportunistic+starttls', log => qr{tls=may/requiretls},
			answer => 'NOTFOUND ', delivered => ['self_signed', 'mx10', 'Untrusted'],
		},
		{
			about => 'REQUIRETLS, the mode testing, no STARTTLS',
			label => 'requiretls-cleartext',
			mx => { 10 => host('cleartext') }, policy => { mode => 'testing' },
			requiretls => 'OK opportunistic+starttls',
			answer => 'NOTFOUND ', bounced => $NO_REQUIRETLS,
		},
	),
);

# Sent when the policy server is gone and tlsad has been started again.
our @LATER = (
	{
		about => 'a policy of before, the right certificate', label => 'later',
		mx => { 10 => host('right') }, policy => {},
		answer => 'secure', delivered => ['right', 'mx10', 'Verified'],
	},
	{
		about => 'a policy of before, a certificate for another name', label => 'later-wrong',
		mx => { 10 => host('wrong_name') }, policy => {},
		answer => 'secure', deferred => $NOT_VERIFIED, trusted_chain => 1,
	},
	{
		about => 'a policy that was never downloaded', label => 'later-new',
		never_before => 1,
		mx => { 10 => host('self_signed') }, policy => {},
		answer => 'NOTFOUND ', delivered => ['self_signed', 'mx10', 'Untrusted'],
	},
);

# The domain whose policy counts, without a dot at its end.
sub policy_domain
{
	my ($case) = @_;
	my $hosts = hosts_of($case);
	return "mx10.$hosts" if $case->{nexthop};
	return $case->{insecure_mx} ? "$case->{label}.plain.example" : $hosts;
}

# A policy with so many lines that the reply with attributes has $REPLY_MAX bytes: options for
# Tlsad::PolicyHost->serve.
sub longest_policy
{
	my ($case) = @_;
	my $hosts = hosts_of($case);
	my @mx = ("mx10.$hosts", map {"mail-$_.example"} 1001 .. 1900);
	my $more = 'x: ';
	my $reply = join '', 'OK secure match=', join(':', @mx), ' servername=hostname policy_type=sts policy_domain=',
	    policy_domain($case), (map {" { policy_string = $_ }"} 'version: STSv1', 'mode: enforce',
		(map {"mx: $_"} @mx), 'max_age: 86400', $more), map {" mx_host_pattern=$_"} @mx;
	return (mx => \@mx, more => $more . 'x' x ($REPLY_MAX - length $reply) . "\r\n");
}

# The common part of the names of a case's hosts.
sub hosts_of
{
	my ($case) = @_;
	return $case->{label} =~ /\A(.*)\.\z/ ? $1 : "$case->{label}.secure.example";
}

# The names that these receivers have.
sub names_for
{
	my (@receivers) = @_;
	my %wanted = map { $_ => 1 } @receivers;
	my @names;
	for my $case (@CASES, @LATER) {
		my $hosts = hosts_of($case);
		my $mx = $case->{mx} // {};
		push @names, map {"mx$_.$hosts"} grep { $wanted{ $mx->{$_}{receiver} } } sort keys %$mx;
		push @names, $hosts if $case->{itself} && $wanted{ $case->{itself}{receiver} };
		push @names, "attacker.$hosts" if $wanted{attacker} && $case->{resolver};
	}
	return @names;
}

1;
