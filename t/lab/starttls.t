#!/usr/bin/perl
# common/smtp/starttls with a mail server that can have many faults (t/lab/mailhost): the
# outcome, the stage, the text, and that it ends in time.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use IO::Socket::IP;
use Test::More;
use Time::HiRes ();
use Tlsad::Certificates;
use Tlsad::MailHost;
use Tlsad::Process;

# Generous, for loaded machines and sanitizers. [s]
use constant PROMPT => 20;
# For actions of the server after the probe has ended. [s]
use constant SETTLE => 10;

my $probe = Tlsad::Process::build_directory() . '/t/lab/probe-starttls';
my @missing = ((grep { !-x } $probe, Tlsad::MailHost::binary()),
	grep { !Tlsad::Process::find_program($_) } 'openssl');
if (@missing) {
	die "missing, and CI=true allows no gap: @missing\n" if ($ENV{CI} // '') eq 'true';
	plan(skip_all => "missing: @missing");
}

my $directory = Tlsad::Process::private_directory();
my $certificates = Tlsad::Certificates->new("$directory/certificates");
$certificates->make('root', authority => 1);
$certificates->make('intermediate', issuer => 'root', authority => 1);
$certificates->make('mx', issuer => 'intermediate', names => ['mx.example.com']);
$certificates->make('other', names => ['other.example.com']);
$certificates->make('expired', issuer => 'root', names => ['mx.example.com'], key => 'mx',
	not_before => time - 9 * 86400, not_after => time - 86400);
my %proper = (cert => $certificates->chain('mx.chain', qw(mx intermediate)),
	key => $certificates->path('mx', 'key'));
my %fingerprints;
my $hung_up = qr/\Athe server closed the connection in the TLS handshake/;

# outcome, stage, and the detail: the whole text, or a pattern. `slow` needs another timeout.
my @faults = (
	{ fault => 'no-starttls', outcome => 'not-offered', stage => 'ehlo',
		detail => 'the server does not offer STARTTLS', quits => 1 },
	{ fault => 'refuse-starttls', outcome => 'refused', stage => 'starttls',
		detail => '454 4.7.0 TLS not available due to temporary reason', quits => 1 },
	{ fault => 'turn-away', outcome => 'turned-away', stage => 'greeting', quits => 1,
		detail => '554 5.7.1 mailhost.example does not like you 5.7.1 go \x07 away' },
	{ fault => 'close-at-connect', outcome => 'closed', stage => 'greeting',
		detail => 'the server closed the connection before the greeting' },
	{ fault => 'close-at-connect', tls_only => 1, outcome => 'closed', stage => 'handshake',
		detail => $hung_up },
	{ fault => 'close-after-ehlo', outcome => 'closed', stage => 'ehlo',
		detail => 'the server closed the connection before the reply to EHLO' },
	{ fault => 'close-in-handshake', outcome => 'closed', stage => 'handshake',
		detail => $hung_up },
	{ fault => 'close-in-handshake', tls_only => 1, outcome => 'closed', stage => 'handshake',
		detail => $hung_up },
	{ fault => 'silent', slow => 1, outcome => 'timed-out', stage => 'greeting',
		detail => 'timed out after 1 s before the greeting' },
	{ fault => 'silent', tls_only => 1, slow => 1, outcome => 'timed-out',
		stage => 'handshake', detail => 'timed out after 1 s in the TLS handshake' },
	{ fault => 'silent-handshake', slow => 1, outcome => 'timed-out', stage => 'handshake',
		detail => 'timed out after 1 s in the TLS handshake' },
	{ fault => 'byte-by-byte', outcome => 'done', stage => 'done', detail => '',
		certificates => [qw(mx intermediate)], quits => 1 },
	{ fault => 'byte-by-byte', tls_only => 1, outcome => 'done', stage => 'done', detail => '',
		certificates => [qw(mx intermediate)] },
	{ fault => 'long-banner', outcome => 'done', stage => 'done', detail => '',
		certificates => [qw(mx intermediate)], quits => 1 },
	{ fault => 'endless-banner', outcome => 'no-smtp', stage => 'greeting',
		detail => qr/\Athe SMTP reply is too long \(over 262144 bytes\): "220/ },
	{ fault => 'garbage', outcome => 'no-smtp', stage => 'greeting',
		detail => qr/\Anot an SMTP reply: "\\x[89a-f][0-9a-f][ -~]+"\z/ },
	{ fault => 'inject', outcome => 'no-smtp', stage => 'starttls',
		detail => 'unexpected data after the reply to STARTTLS: '
			. '"250 2.0.0 injected\x0d\x0a"' },
	{ fault => 'endless-handshake', outcome => 'no-tls', stage => 'handshake',
		detail => 'excessive message size' },
	# Even if the caller sets no limit, there is one.
	{ fault => 'endless-handshake', options => ['--longest-chain', 1 << 30],
		outcome => 'no-tls', stage => 'handshake',
		detail => 'the server sent more than 1048576 bytes in the handshake' },
	{ fault => 'hello-requests', outcome => 'no-tls', stage => 'handshake',
		detail => 'the server sent more than 1048576 bytes in the handshake' },
	{ fault => 'many-certs', outcome => 'done', stage => 'done', detail => '', quits => 1,
		certificates => [ 'mx', ('intermediate') x 99 ] },
	{ fault => 'many-certs', options => ['--longest-chain', 10_000], outcome => 'no-tls',
		stage => 'handshake', detail => 'excessive message size' },
);

subtest('a proper server' => \&proper_server);
subtest('TLS at once' => \&tls_at_once);
subtest('SNI' => \&server_names);
subtest('certificates that are not good' => \&bad_certificates);
subtest('IPv6' => \&ipv6);
for my $row (@faults) {
	my $name = join(' ', $row->{fault}, $row->{tls_only} ? 'with TLS at once' : (),
		@{$row->{options} // []});
	subtest($name => sub { check_fault($row) });
}
subtest('nobody listens' => \&nobody_listens);
subtest('the wrong protocol' => \&wrong_protocol);
subtest('mailhost ends by itself' => \&ends_by_itself);
done_testing();

# The probe's output, by name; sha256 is a list. Dies if the probe fails.
sub probe
{
	my ($port, %options) = @_;
	my $log = "$directory/probe";
	unlink($log);
	my $process = Tlsad::Process::spawn(log => $log, command => [ $probe,
		@{$options{options} // []}, $options{address} // '127.0.0.1', $port ]);
	my $status = $process->wait(PROMPT + SETTLE);
	open(my $handle, '<', $log) or die "$log: $!\n";
	my $text = do { local $/; <$handle> } // '';
	die 'the probe ended with ' . ($status // 'no status') . ": $text\n"
		if !defined $status || $status != 0;
	my %result = (sha256 => [ $text =~ /^sha256 (\S+)$/mg ]);
	$result{$1} = $2 while $text =~ /^(outcome|stage|detail|verify|certificates) (.*)$/mg;
	return \%result;
}

sub is_result
{
	my ($result, $outcome, $stage, $detail) = @_;
	is($result->{outcome}, $outcome, 'outcome');
	is($result->{stage}, $stage, 'stage');
	if (ref $detail) { like($result->{detail}, $detail, 'detail') }
	else { is($result->{detail}, $detail, 'detail') }
}

sub is_chain
{
	my ($result, @names) = @_;
	is($result->{certificates}, scalar(@names), 'the number of certificates');
	is("@{$result->{sha256}}",
		join(' ', map { $fingerprints{$_} //= $certificates->fingerprint($_) } @names),
		'and which ones');
}

sub is_ended
{
	my ($host) = @_;
	is($host->stop, 0, 'mailhost ends well') or diag(join("\n", $host->lines));
}

sub proper_server
{
	my $host = Tlsad::MailHost->start(%proper);
	my $result = probe($host->port);
	is_result($result, 'done', 'done', '');
	is_chain($result, qw(mx intermediate));
	is($result->{verify}, 'unable to get local issuer certificate',
		'what verification found can be read');
	ok($host->wait_count('quit', 1, SETTLE), 'the server hears a QUIT');
	probe($host->port);
	ok($host->wait_count('quit', 2, SETTLE), 'each time');
	is($host->count('connection'), 2, 'one connection each time');
	is(join(' ', $host->names), 'none none', 'no name is sent unless there is one');
	is_ended($host);
}

sub tls_at_once
{
	my $host = Tlsad::MailHost->start(%proper, tls_only => 1);
	my $result = probe($host->port, options => ['--tls-only', '--sni', 'mx.example.com']);
	is_result($result, 'done', 'done', '');
	is_chain($result, qw(mx intermediate));
	ok($host->wait_count('handshake', 1, SETTLE), 'the server is content');
	is(join(' ', $host->names), 'mx.example.com', 'the name is sent');
	is($host->count('quit'), 0, 'no QUIT to a server that has not greeted');
	is_ended($host);
}

sub server_names
{
	my $host = Tlsad::MailHost->start(%proper, sni => { 'other.example.com' =>
		[ map { $certificates->path('other', $_) } qw(crt key) ] });
	my @names = qw(mx.example.com other.example.com unknown.example.com);
	my @results = map { probe($host->port, options => ['--sni', $_]) } @names;
	is_chain($results[0], qw(mx intermediate));
	is_chain($results[1], 'other');
	is_chain($results[2], qw(mx intermediate));
	ok($host->wait_count('handshake', 3, SETTLE), 'three handshakes');
	is(join(' ', $host->names), "@names", 'with these names');
	is_ended($host);
}

sub bad_certificates
{
	my $host = Tlsad::MailHost->start(%proper,
		cert => $certificates->chain('expired.chain', qw(expired root)));
	my $result = probe($host->port);
	is_result($result, 'done', 'done', '');
	is_chain($result, qw(expired root));
	is($certificates->tlsa(3, 1, 1, 'expired'), $certificates->tlsa(3, 1, 1, 'mx'),
		'the same key has the same TLSA record');
	isnt($certificates->tlsa(3, 0, 1, 'expired'), $certificates->tlsa(3, 0, 1, 'mx'),
		'another certificate has not');
	# The SSL_CTX may make it fail; OpenSSL's text then says why.
	$result = probe($host->port, options => ['--verify']);
	is_result($result, 'no-tls', 'handshake',
		'certificate verify failed: self-signed certificate in certificate chain');
	is($result->{certificates}, 0, 'and there is no session to look at');
	is_ended($host);
}

sub ipv6
{
	plan(skip_all => 'this system has no IPv6') unless IO::Socket::IP->new(
		LocalHost => '::1', LocalPort => 0, Listen => 1);
	my $host = Tlsad::MailHost->start(%proper, listen => ['127.0.0.1:0', '[::1]:0']);
	is_result(probe($host->port(0)), 'done', 'done', '');
	is_result(probe($host->port(1), address => '::1'), 'done', 'done', '');
	is($host->count('connection'), 2, 'one process listens on both');
	is_ended($host);
}

sub check_fault
{
	my ($row) = @_;
	my $host = Tlsad::MailHost->start(%proper, fault => $row->{fault},
		tls_only => $row->{tls_only});
	my $begin = Time::HiRes::time();
	my $result = probe($host->port, options => [ @{$row->{options} // []},
		$row->{tls_only} ? '--tls-only' : (), '--timeout', $row->{slow} // PROMPT ]);
	my $seconds = Time::HiRes::time() - $begin;
	is_result($result, @{$row}{qw(outcome stage detail)});
	is_chain($result, @{$row->{certificates}}) if $row->{certificates};
	cmp_ok($seconds, '<', ($row->{slow} // 0) + PROMPT, 'in time');
	ok($host->wait_count('quit', 1, SETTLE), 'the server hears a QUIT') if $row->{quits};
	is($host->count('quit'), 0, 'the server hears no QUIT') unless $row->{quits};
	is($host->count('connection'), 1, 'over one connection');
	is_ended($host);
}

sub nobody_listens
{
	my $port = Tlsad::Process::free_port();
	is_result(probe($port), 'no-connection', 'connect', 'Connection refused');
	is_result(probe($port, options => ['--tls-only']), 'no-connection', 'connect',
		'Connection refused');
}

sub wrong_protocol
{
	my $host = Tlsad::MailHost->start(%proper);
	is_result(probe($host->port, options => ['--tls-only']), 'no-tls', 'handshake',
		'wrong version number');
	is_ended($host);
	$host = Tlsad::MailHost->start(%proper, tls_only => 1);
	is_result(probe($host->port, options => ['--timeout', 1]), 'timed-out', 'greeting',
		'timed out after 1 s before the greeting');
	is_ended($host);
	$host = Tlsad::MailHost->start;
	is_result(probe($host->port), 'refused', 'starttls', '502 5.5.1 no TLS here');
	is_ended($host);
}

sub ends_by_itself
{
	my $host = Tlsad::MailHost->start(fault => 'silent');
	my $client = IO::Socket::IP->new(PeerHost => '127.0.0.1', PeerPort => $host->port);
	ok($host->wait_count('connection', 1, SETTLE), 'somebody is connected');
	$host->let_go;
	is($host->wait(SETTLE), 0, 'when its standard input is closed');
	$host = Tlsad::MailHost->start(seconds => 1);
	is($host->wait(SETTLE), 0, 'when its time is over');
}
