#!/usr/bin/perl
# tlsactl check of destinations with an MTA-STS policy: policy servers and mail servers, right and
# wrong, each on its own loopback address. One CA issues the certificates of both.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use Time::HiRes ();
use Tlsad::Ctl;
use Tlsad::Lab;
use Tlsad::MailHost;
use Tlsad::PolicyHost qw(policy);
use Tlsad::Process;

my @missing = Tlsad::Lab::missing_programs();
push @missing, 'openssl' unless defined Tlsad::Process::find_program('openssl');
plan(skip_all => "not installed: @missing") if @missing;

use constant DAY => 86400;
use constant START_ATTEMPTS => 5;
use constant FIRST_ADDRESS => 150;
use constant TIMEOUT => 20;		# [s] --timeout; only servers that never answer take it
use constant SHORT_TIMEOUT => 2;	# [s] with these
use constant MUTE_TIMEOUT => 6;		# [s] the same, but the policy must be there by then
use constant PROMPT => 30;		# [s] for what should take milliseconds
use constant MANY => 20;		# patterns

my ($working, $silent) = ('127.0.0.1', '127.0.1.1');
my $policies = Tlsad::PolicyHost->start(listen => [ "$working:" . Tlsad::Process::free_port() ],
	silent => [$silent]);
my $certificates = $policies->certificates;
# By exit status.
my %verdicts = (0 => 'verified', 1 => 'failed', 2 => 'no-dane', 75 => 'unknown');
my (%servers, %address, %running, $port);
mail_servers();
start_servers();
my %zones = ('site.lab' => host_records() . "alias CNAME target\n", 'site-plain.lab' => '');
my (@rows, @faults);
rows();
# A domain whose name is so long that _mta-sts before it would be too long.
my $long = join('.', ('a' x 60) x 3, 'b' x 55, 'site.lab');
$zones{'site.lab'} .= "$long. MX 0 right\n";
my $lab = Tlsad::Lab->start(zones => \%zones, faults => \@faults);
my $ctl = ctl();

check($_) for @rows;
subtest('JSON' => \&json);
subtest('destinations without mail' => \&no_mail);
subtest('--mx-only' => \&mx_only);
subtest('settings' => \&settings);
subtest('time' => \&bounded);
done_testing();

# --- servers

# server(NAME, CERTIFICATE OPTION => VALUE..., start => {...}, tlsa => "ee" or "other" or RDATA):
# the host NAME.site.lab. Without options its certificate is right.
sub server
{
	my ($name, %option) = @_;
	my %start = %{delete $option{start} // {}};
	my $tlsa = delete $option{tlsa};
	my $chain = delete $option{chain};
	my %right = (names => ["$name.site.lab"], issuer => 'ca');
	$certificates->make($name, %right, not_after => time + 90 * DAY, %option);
	$servers{$name} = { cert => $certificates->chain("$name.chain", $name, @{$chain // []}),
		key => $certificates->path($name, 'key'), %start };
	$servers{$name}{tlsa} = $certificates->tlsa(3, 1, 1, $tlsa eq 'ee' ? $name : 'right')
		if ($tlsa // '') =~ /^(?:ee|other)$/;
	$servers{$name}{tlsa} //= $tlsa;
	$address{$name} = '127.0.0.' . (FIRST_ADDRESS + keys %address);
}

sub mail_servers
{
	my ($elsewhere, $self) = (['elsewhere.invalid'], undef);
	$certificates->make('intermediate', authority => 1, issuer => 'ca', not_after => time + 90 * DAY);
	server('right');
	server('second');
	server('inner.deep');
	server('through', issuer => 'intermediate', chain => ['intermediate']);
	server('cut', issuer => 'intermediate');
	server('other-name', names => $elsewhere);
	server('self', issuer => $self);
	server('common-name', names => [], subject => 'common-name.site.lab');
	server('wildcard', names => ['*.site.lab']);
	server('far-wildcard', names => ['*.lab']);
	server('expired', not_before => time - 9 * DAY, not_after => time - DAY);
	server('early', not_before => time + 3 * DAY);
	server('soon', not_after => time + 5 * DAY);
	server('cleartext', start => { fault => 'no-starttls' });
	server('handshake', start => { fault => 'close-in-handshake' });
	server('silent', start => { fault => 'silent' });
	server('dane', tlsa => 'ee');
	server('dane-self', issuer => $self, tlsa => 'ee');
	server('dane-soon', not_after => time + 5 * DAY, tlsa => 'ee');
	server('dane-wrong', tlsa => 'other');
	server('unusable', tlsa => '1 1 1 ' . '00' x 32);
	# Its certificate for the name "alias" is right, and no other.
	$certificates->make('alias', names => ['alias.site.lab'], issuer => 'ca', not_after => time + 90 * DAY);
	server('target', names => $elsewhere, tlsa => '1 1 1 ' . '00' x 32, start => { sni =>
		{ 'alias.site.lab' => [ $certificates->chain('alias.chain', 'alias'), $certificates->path('alias', 'key') ] } });
}

# A port that is free on one address may be in use on another.
sub start_servers
{
	for my $attempt (1 .. START_ATTEMPTS) {
		$port = Tlsad::Process::free_port();
		return if eval {
			for my $name (sort keys %servers) {
				my %start = %{$servers{$name}};
				delete $start{tlsa};
				$running{$name} = Tlsad::MailHost->start(%start, listen => ["$address{$name}:$port"]);
			}
			1;
		};
		diag($@);
		%running = ();
	}
	die "the servers do not start\n";
}

sub host_records
{
	return join('', map { my $tlsa = $servers{$_}{tlsa};
		"$_ A $address{$_}\n", defined $tlsa ? "_$port._tcp.$_ TLSA $tlsa\n" : () } sort keys %address);
}

sub ctl
{
	my (%sts) = @_;
	return Tlsad::Ctl->new(lab => $lab, config => { sts => { port => $policies->port,
		private_addresses => 'yes', ca_file => $policies->ca_file, %sts } });
}

# --- rows

# row(NAME, WHAT, [HOST...], STATUS, REASON, WARNINGS, OPTION => VALUE...): the domain NAME.site.lab
# with these MX hosts.
#   zone => ZONE           default site.lab
#   mode, max_age, patterns, more   of the policy; by default it has the mode enforce and all hosts
#   policy => TEXT         all of it
#   serve => {...}         for Tlsad::PolicyHost; undef: nothing is served
#   txt => [RECORD...]     default: a good one
#   address => ADDRESS     of mta-sts.DOMAIN; undef: none
#   destination => DEST    default the domain
#   timeout => N
#   text => [RE...]        patterns of the text, each for one line
sub row
{
	my ($name, $what, $hosts, $status, $reason, $warnings, %option) = @_;
	my $zone = $option{zone} // 'site.lab';
	my $domain = "$name.$zone";
	my @names = map { "$_.site.lab" } @$hosts;
	my $rank = 0;
	my %policy = (mx => $option{patterns} // \@names,
		map { $_ => $option{$_} } grep { exists $option{$_} } qw(mode max_age more));
	my $text = $option{policy} // policy(%policy);
	my $serve = exists $option{serve} ? $option{serve} : {};
	my $address = exists $option{address} ? $option{address} : $working;
	$zones{$zone} .= join('', (map { "$name MX " . $rank++ . " $_.\n" } @names),
		(map { "_mta-sts.$name TXT \"" . s/;/\\;/gr . "\"\n" } @{$option{txt} // ['v=STSv1; id=1;']}),
		defined $address ? "mta-sts.$name A $address\n" : ());
	$policies->serve($domain, policy => $text, %$serve) if $serve;
	push @rows, { what => $what, destination => $option{destination} // $domain, status => $status,
		reason => $reason, warnings => $warnings, text => $option{text} // [],
		timeout => $option{timeout} // TIMEOUT };
}

sub rows
{
	my $mode = 'MTA-STS +mode %s, id 1, max_age 24 hours: ';
	my $enforce = sprintf($mode, 'enforce');

	row('without', 'no MTA-STS', ['right'], 2, 'no-tlsa', '', txt => [], serve => undef, text => [
		'^no-dane +without', 'MTA-STS +no record at _mta-sts\.without\.site\.lab$' ]);

	# The certificate.
	row('good', 'all is well', ['right'], 0, 'sts-enforce', '', text => [
		'^verified +good\.site\.lab', "${enforce}senders with MTA-STS deliver to 1 of 1 host\$",
		'patterns +right\.site\.lab$', 'senders +sts-enforce: an MTA-STS policy is enforced',
		'^verified +right\.site\.lab', '^  MTA-STS +matches the pattern right\.site\.lab$',
		'^  verified +127\.\S+: TLSv1\.3, [A-Z0-9_]+$', 'WebPKI +the certificate verifies for right\.site\.lab$' ]);
	row('plain', 'MX records that are not signed', ['right'], 0, 'sts-enforce', '', zone => 'site-plain.lab');
	row('chain', 'an intermediate', ['through'], 0, 'sts-enforce', '');
	row('cut', 'its intermediate is not sent', ['cut'], 1, 'sts-enforce', '', text => [
		'failed +127\.\S+: TLSv1\.3, \S+; unable to get local issuer certificate$' ]);
	row('name', 'another name', ['other-name'], 1, 'sts-enforce', '', text => [
		'^failed +name\.site\.lab', 'deliver to 0 of 1 host', '^failed +other-name\.site\.lab',
		'; the certificate does not have the name other-name\.site\.lab$' ]);
	row('self', 'self-signed', ['self'], 1, 'sts-enforce', '', text => ['; self-signed certificate$']);
	row('cn', 'the common name alone', ['common-name'], 1, 'sts-enforce', '', text => [
		'no DNS name in subjectAltName, and its common name does not count' ]);
	row('wild', 'a wildcard', ['wildcard'], 0, 'sts-enforce', '');
	row('far', 'a wildcard over two labels', ['far-wildcard'], 1, 'sts-enforce', '');
	row('expired', 'expired', ['expired'], 1, 'sts-enforce', 'certificate-expired', text => [
		'; certificate has expired', 'expired on .* senders with MTA-STS check the dates, renew it' ]);
	row('early', 'not valid yet', ['early'], 1, 'sts-enforce', 'certificate-not-yet-valid', text => [
		'; certificate is not yet valid' ]);
	row('soon', 'expires soon', ['soon'], 0, 'sts-enforce', 'certificate-expires', text => [
		'expires in [45] days .* senders with MTA-STS check the dates, renew it' ]);
	row('cleartext', 'no STARTTLS', ['cleartext'], 1, 'sts-enforce', 'no-starttls', text => [
		'not offered: senders with MTA-STS do not deliver there' ]);
	row('handshake', 'TLS fails', ['handshake'], 1, 'sts-enforce', '');
	row('mute', 'a silent mail server', ['silent'], 75, 'sts-enforce', '', timeout => MUTE_TIMEOUT,
		text => ['deliver to 0 of 1 host; 1 unknown$']);
	row('both', 'one host right and one wrong', [qw(right self)], 1, 'sts-enforce', '', text => [
		'deliver to 1 of 2 hosts$', '^verified +right', '^failed +self' ]);

	# Patterns.
	row('pattern', 'a wildcard as the pattern', [qw(right second)], 0, 'sts-enforce', '',
		patterns => ['*.site.lab'], text => ['deliver to 2 of 2 hosts', 'MTA-STS +matches the pattern \*\.site\.lab$']);
	row('deep', 'which is for one label', ['inner.deep'], 1, 'sts-enforce', 'sts-no-match',
		patterns => ['*.site.lab'], text => [ '^  MTA-STS +matches no pattern of the policy$',
			'^  failed +127\.\S+: .*; the host matches no pattern of the MTA-STS policy$' ]);
	row('outside', 'a host outside the policy', [qw(right second)], 1, 'sts-enforce', 'sts-no-match',
		patterns => ['right.site.lab'], text => [ '^verified +right', '^failed +second',
			'warning +second\.site\.lab: the host matches no pattern of the MTA-STS policy: senders with MTA-STS '
			. 'do not deliver there; add "mx: second\.site\.lab" to the policy, then change the id' ]);
	row('gone', 'a host without address outside the policy', [qw(right missing)], 0, 'sts-enforce', 'no-address',
		patterns => ['right.site.lab'], text => ['deliver to 1 of 1 host$']);
	row('many', 'many patterns', ['right'], 0, 'sts-enforce', '',
		patterns => [ (map { "mx$_.site.lab" } 1 .. MANY), 'right.site.lab' ],
		text => [ 'patterns +mx1\.site\.lab, .*mx8\.site\.lab and 13 more$' ]);
	row('left-out', 'lines that do not count', ['right'], 0, 'sts-enforce', 'sts-mx-left-out',
		patterns => [ "m\xc3\xbcller.example", '192.0.2.1', 'right.site.lab' ],
		text => [ 'the line "mx: m\\\\xc3\\\\xbcller\.example" of the MTA-STS policy does not count' ]);

	# Modes.
	row('testing', 'mode testing', ['right'], 2, 'no-tlsa', 'sts-testing', mode => 'testing', text => [
		sprintf($mode, 'testing') . 'senders deliver to all hosts; at mode enforce, senders with MTA-STS deliver to 1 of 1 host$',
		'WebPKI +the certificate verifies for right', 'when nothing does, change it to enforce' ]);
	row('trial', 'mode testing, and something is wrong', [qw(self second)], 2, 'no-tlsa',
		'sts-testing sts-certificate sts-no-match', mode => 'testing', patterns => ['self.site.lab'], text => [
			'at mode enforce, senders with MTA-STS deliver to 0 of 2 hosts$', 'WebPKI +the certificate does not verify: self-signed certificate$',
			'self\.site\.lab: 127\.\S+: the certificate does not verify for MTA-STS: self-signed certificate: '
			. 'at mode enforce, senders with MTA-STS would not deliver there$' ]);
	row('off', 'mode none', ['self'], 2, 'no-tlsa', '', mode => 'none', max_age => 60, text => [
		'MTA-STS +mode none, id 1, max_age 60 seconds: senders use no policy$' ]);
	row('short', 'a short max_age', ['right'], 0, 'sts-enforce', 'sts-max-age', max_age => DAY - 1,
		text => ['max_age of the MTA-STS policy is 86399 s, less than a day']);

	# Policies that cannot be had.
	row('several', 'several records', ['right'], 2, 'no-tlsa', 'sts-record',
		txt => [ 'v=STSv1; id=1;', 'v=STSv1; id=2;' ],
		text => ['MTA-STS +several records, so none counts at _mta-sts\.several\.site\.lab$']);
	row('malformed', 'a malformed record', ['right'], 2, 'no-tlsa', 'sts-record', txt => ['v=STSv1; id=a-b;'],
		text => [ 'MTA-STS +a malformed record at', 'so senders use no policy: write it as "v=STSv1; id=' ]);
	row('no-file', 'no policy file', ['right'], 2, 'no-tlsa', 'sts-not-downloaded', serve => { status => '404 No' },
		text => [ 'MTA-STS +id 1, but the download of the policy failed: HTTP status 404$',
			'cannot be downloaded from mta-sts\.no-file\.site\.lab: HTTP status 404: senders without an older' ]);
	row('no-host', 'a policy server without address', ['right'], 2, 'no-tlsa', 'sts-not-downloaded',
		address => undef, text => ['the policy server has no address']);
	row('bad-file', 'an invalid policy', ['right'], 2, 'no-tlsa', 'sts-not-downloaded', policy => 'version: STSv1',
		text => ['the policy is invalid: there is no mode']);
	row('bad-tls', 'a policy server with another name', ['right'], 2, 'no-tlsa', 'sts-not-downloaded',
		serve => { names => ['elsewhere.invalid'] });
	row('failing', 'the lookup of the record fails', ['right'], 2, 'no-tlsa', 'sts-lookup-failed', text => [
		'MTA-STS +lookup failed at _mta-sts\.failing\.site\.lab: servfail: ' ]);
	push @faults, { name => '_mta-sts.failing.site.lab', behaviour => 'servfail' };
	row('stuck', 'a silent policy server', ['right'], 2, 'no-tlsa', 'sts-not-downloaded', address => $silent,
		timeout => SHORT_TIMEOUT, text => ['failed: no policy in 2 s; a larger --timeout gives more time$']);
	row('late', 'a policy that comes after the certificates', ['right'], 0, 'sts-enforce', '',
		serve => { conduct => ['delay 1500'] });

	# Beside DANE.
	row('dane', 'DANE and MTA-STS', ['dane'], 0, 'dane-full', '', text => [
		"${enforce}senders with MTA-STS but without DANE deliver to 1 of 1 host\$",
		'match +3 1 1 ', 'WebPKI +the certificate verifies for dane\.site\.lab' ]);
	row('dane-self', 'DANE, and a certificate for DANE alone', ['dane-self'], 0, 'dane-full', 'sts-certificate',
		text => [ 'without DANE deliver to 0 of 1 host$', 'self-signed certificate: senders with MTA-STS but '
			. 'without DANE do not deliver there$' ]);
	row('dane-outside', 'DANE, and a host outside the policy', ['dane'], 0, 'dane-full', 'sts-no-match',
		patterns => ['right.site.lab']);
	row('dane-soon', 'DANE, and a certificate that expires soon', ['dane-soon'], 0, 'dane-full',
		'certificate-expires', text => ['ignore the dates \(usage 3\), those with MTA-STS do not; renew it$']);
	row('dane-wrong', 'a wrong TLSA record and a right certificate', ['dane-wrong'], 1, 'dane-full', '', text => [
		'^failed +dane-wrong', '; no TLSA record matches', 'WebPKI +the certificate verifies',
		'publish +one of these records would match' ]);
	row('dane-testing', 'DANE and mode testing', ['dane'], 0, 'dane-full', 'sts-testing', mode => 'testing');
	row('dane-no-file', 'DANE, and no policy file', ['dane'], 0, 'dane-full', 'sts-not-downloaded',
		serve => { status => '404 No' });
	row('part', 'DANE at one of two hosts', [qw(dane right)], 1, 'dane-partial-sts', 'partial', text => [
		'^verified +dane\.', '^no-dane +right\.', 'deliver to 2 of 2 hosts$',
		'right\.site\.lab: other hosts have TLSA .* senders with DANE and MTA-STS do not deliver here' ]);
	row('unusable', 'TLSA records that cannot be used', ['unusable'], 0, 'sts-enforce', 'record-unusable');
	row('named', 'an alias: the server is asked by the name of the MX record (RFC 8461 7.1)', ['alias'], 0,
		'sts-enforce', 'record-unusable', text => ['DNS +1 TLSA record at _\d+\._tcp\.target\.']);
	my @plain = (zone => 'site-plain.lab');
	row('forged', 'DANE behind MX records that are not signed', ['dane'], 0, 'sts-enforce', '', @plain);
	row('forged-self', 'the same with a certificate for DANE alone', ['dane-self'], 1, 'sts-enforce', '', @plain,
		text => [ '^  failed +127\.\S+: .*; self-signed certificate$', 'match +3 1 1 ' ]);
	row('forged-wrong', 'the same with a wrong TLSA record', ['dane-wrong'], 1, 'sts-enforce', '', @plain,
		text => [ '^  failed +127\.\S+: .*; no TLSA record matches', 'WebPKI +the certificate verifies',
			'publish +one of these' ]);

	# The policy domain of a host is its name.
	row('right', 'a host in brackets', [], 0, 'sts-enforce', '', destination => '[right.site.lab]',
		patterns => ['right.site.lab'], text => ['MTA-STS +mode enforce']);
	row('second', 'a host in brackets, in the policy of another domain', [], 2, 'no-tlsa', '',
		destination => '[second.site.lab]', txt => [], text => ['no record at _mta-sts\.second\.site\.lab']);
}

# --- tests

sub check
{
	my ($row) = @_;
	subtest($row->{what} => sub {
		my @arguments = ('check', $row->{destination}, '--port', $port, '--timeout', $row->{timeout});
		my $result = $ctl->run(@arguments);
		is($result->{status}, $row->{status}, 'status') or diag($result->{out});
		is($result->{err}, '', 'nothing on standard error');
		like($result->{out}, qr/$_/m, $_) for @{$row->{text}};
		unlike($result->{out}, qr/[^\n -~]/, 'nothing unprintable');
		$result = $ctl->json(@arguments);
		is($result->{status}, $row->{status}, 'JSON: status');
		is("@{$result->{json}}{qw(verdict reason)}", "$verdicts{$row->{status}} $row->{reason}",
			'JSON: verdict and reason');
		is(join(' ', map { $_->{kind} } @{$result->{json}{warnings}}), $row->{warnings}, 'JSON: warnings');
	});
}

sub json_of
{
	my ($destination, @more) = @_;
	return $ctl->json('check', $destination, '--port', $port, @more)->{json};
}

sub json
{
	my $json = json_of('outside.site.lab');
	is_deeply($json->{sts}, { domain => 'outside.site.lab', status => 'enforce', record => 'found', id => '1',
		max_age => 86400, patterns => ['right.site.lab'], mx_left_out => [] }, 'the policy');
	is_deeply([ map { $_->{sts} } @{$json->{hosts}} ], [ { verdict => 'verified', pattern => 'right.site.lab' },
		{ verdict => 'failed', pattern => undef } ], 'hosts');
	is_deeply([ map { $_->{addresses}[0]{sts} } @{$json->{hosts}} ], [ { verdict => 'verified', reason => undef },
		{ verdict => 'failed', reason => undef } ], 'addresses');
	is_deeply($json->{hosts}[0]{addresses}[0]{publish}, [], 'no TLSA records are suggested');
	$json = json_of('self.site.lab');
	is_deeply($json->{hosts}[0]{addresses}[0]{sts}, { verdict => 'failed', reason => 'self-signed certificate' },
		'a certificate that does not verify');
	is_deeply($json->{hosts}[0]{addresses}[0]{publish}, [], 'no TLSA records are suggested there either');
	is_deeply(json_of('left-out.site.lab')->{sts}{mx_left_out}, [ "m\x{fc}ller.example", '192.0.2.1' ],
		'lines that do not count');
	is_deeply(json_of('no-file.site.lab')->{sts}, { domain => 'no-file.site.lab', status => 'failed',
		record => 'found', id => '1', failure => 'HTTP status 404' }, 'a failure');
	is_deeply(json_of('without.site.lab')->{sts}, { domain => 'without.site.lab', status => 'absent',
		record => 'no record' }, 'no policy');
	is(json_of('without.site.lab')->{hosts}[0]{sts}, undef, 'hosts without a policy');
	is_deeply([ @{json_of('off.site.lab')->{sts}}{qw(status max_age)} ], [ 'none', 60 ], 'mode none');
	is(json_of('off.site.lab')->{hosts}[0]{sts}, undef, 'hosts at mode none');
	is_deeply(json_of($long)->{sts}, { domain => $long, status => 'absent', record => 'no record' },
		'a name that is too long for a record');
}

# MTA-STS is not looked up there.
sub no_mail
{
	is(json_of('null-mx.dane.lab')->{sts}, undef, 'null MX');
	is(json_of('no-such-domain.dane.lab')->{sts}, undef, 'no such domain');
	is(json_of('bogus-mx.dane.lab')->{sts}, undef, 'bogus MX records');
}

sub mx_only
{
	my $run = sub { return $ctl->run('check', @_, '--port', $port, '--mx-only') };
	my $before = $running{self}->count('connection');
	my $result = $run->('self.site.lab');
	is($result->{status}, 0, 'the host matches');
	like($result->{out}, qr/^usable +self\.site\.lab,/m, 'and nothing was verified');
	like($result->{out}, qr/MTA-STS +mode enforce, .*: 1 of 1 host match$/m, 'as the words say');
	is($running{self}->count('connection'), $before, 'without a connection');
	$result = $run->('outside.site.lab');
	is($result->{status}, 1, 'a host outside the policy');
	like($result->{out}, qr/: 1 of 2 hosts match$/m, 'is counted');
	is($run->('testing.site.lab')->{status}, 2, 'mode testing');
}

sub settings
{
	my @arguments = ('check', 'good.site.lab', '--port', $port);
	my $refused = ctl(private_addresses => 'no')->json(@arguments);
	is($refused->{status}, 2, 'private_addresses = no');
	like($refused->{json}{sts}{failure}, qr/special-purpose/, 'and why');

	my $sts = ctl(insecure_mx => 'dane');
	my $result = $sts->json('check', 'forged-self.site-plain.lab', '--port', $port);
	is("$result->{status} $result->{json}{reason}", '0 dane-insecure-mx', 'insecure_mx = dane');
	is(join(' ', map { $_->{kind} } @{$result->{json}{warnings}}), 'mx-insecure sts-certificate', 'and its warnings');

	my $gone = ctl(ca_file => "$policies->{directory}/missing");
	$result = $gone->json(@arguments);
	is("$result->{status} $result->{json}{verdict} $result->{json}{reason}", '75 unknown no-tlsa',
		'no CAs: there is no result');
	like($result->{json}{warnings}[0]{detail}, qr/a fault of this host: \[sts\] ca_file = \S+missing: No such file/,
		'and why');
	is($gone->run('check', 'dane.site.lab', '--port', $port)->{status}, 0, 'DANE needs none');
	is($gone->run('check', 'without.site.lab', '--port', $port)->{status}, 2, 'nor who has no record');
}

sub bounded
{
	my $began = Time::HiRes::time();
	is($ctl->run('check', 'stuck.site.lab', '--port', $port, '--timeout', 1)->{status}, 2, 'a silent policy server');
	cmp_ok(Time::HiRes::time() - $began, '<', PROMPT, 'its time is limited');

	my $before = $policies->connections;
	my $process = Tlsad::Process::spawn(command => [ Tlsad::Ctl::binary(), '-c', $ctl->config_file, 'check',
		'stuck.site.lab', '--port', $port, '--timeout', 60 ]);
	my $end = Time::HiRes::time() + PROMPT;
	Time::HiRes::sleep(0.05) while $policies->connections == $before && Time::HiRes::time() < $end;
	cmp_ok($policies->connections, '>', $before, 'it has connected');
	$process->signal('INT');
	is($process->wait(PROMPT), 2, 'an interrupt ends it as one should');
}
