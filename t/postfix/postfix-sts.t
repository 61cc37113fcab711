#!/usr/bin/perl
# End to end with MTA-STS: a real Postfix, which trusts a CA, sends mail with the replies of a real
# tlsad, which downloads the policies. t/postfix/Site.pm sets up the site, t/postfix/StsCases.pm has the
# cases.
#
# Compared with the expectation for each case: tlsad's reply, the TLS session and the warnings in the
# sender's log, the result for the message, the receiver at which it arrived, and what Postfix tells a
# reporter of TLSRPT. Then the same when the policy server is gone.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib", "$FindBin::Bin/../postfix";

use IO::Socket::UNIX;
use JSON::PP qw(decode_json);
use Socket qw(SOCK_DGRAM);
use Test::More;

use Namespace;
use Site qw($TIMEOUT postfix_version postfix_before wait_for);
use StsCases;
use Tlsad::Certificates;
use Tlsad::Daemon;
use Tlsad::PolicyHost;

use constant DAY => 24 * 60 * 60;		# [s]
use constant LIMIT => '60s';			# for lookups; Postfix waits 100 seconds
use constant REPORT_MAX => 1 << 16;		# [bytes]

Site::go_inside();

my $POLICY_SERVER = '127.0.0.60';
# In a namespace of its own the test can use the real port, and the default of [sts] port.
my $HTTPS = 443;

my $version = join '.', postfix_version();
my @cases = grep { !unfit($_) } @CASES;

my $site = Site->new(receivers => \%RECEIVERS, ports => \@PORTS, resolver_options => 'trust-ad edns0');
my $directory = $site->directory;

my $finished;
END {
	local $?;
	$site->show_logs('tlsad/log') if $site && !$finished;
}

# Why this case cannot be tried with this Postfix.
sub unfit
{
	my ($case) = @_;
	my ($since, $before) = @$case{qw(since before)};
	return "of Postfix $since and later; this is $version" if $since && postfix_before($since);
	return "of Postfix before $before; this is $version" if $before && !postfix_before($before);
	return;
}

# ---- Certificates, the DNS tree, and the policies

my $certificates = $site->certificates;
$certificates->make($_, authority => 1) for qw(authority authority_2);
my @ISSUED = (
	right       => [names_for('right')],
	wrong_name  => ['mail.other.example'],
	self_signed => [names_for('self_signed')], { issuer => undef },
	expired     => [names_for('expired')], { not_before => time - 2 * DAY, not_after => time - DAY },
	stranger    => [names_for('stranger')], { issuer => 'authority_2' },
	attacker    => [names_for('attacker')],
	wildcard    => ['*.wildcard.secure.example'],
	swapped     => ['mx10.swapped.secure.example'],
	chosen      => [names_for('by_name')],
);
while (my ($name, $names) = splice @ISSUED, 0, 2) {
	my %more = ref $ISSUED[0] ? %{ shift @ISSUED } : ();
	$certificates->make($name, issuer => 'authority', names => $names, %more);
}
for my $receiver (values %RECEIVERS) {
	s/CHOSEN/$certificates->path('chosen', 'pem')/e for @{ $receiver->{options} // [] };
}

# What this makes is below $TMPDIR, and disappears with the namespace.
$ENV{TMPDIR} = $directory;
my $policies = Tlsad::PolicyHost->start(listen => ["$POLICY_SERVER:$HTTPS"]);

sub publish_policy
{
	my ($case) = @_;
	my $domain = policy_domain($case);
	$case->{policy}{mx} //= [map {"mx$_.HOSTS"} sort keys %{ $case->{mx} }];
	for my $texts ($case->{policy}{mx}, $case->{report} // []) {
		s/HOSTS/$case->{hosts}/, s/DOMAIN/$domain/ for @{$texts};
	}
	$case->{policy} = { longest_policy($case) } if $case->{longest};
	my $txt = exists $case->{txt} ? $case->{txt} : '"v=STSv1; id=1;"';
	$site->zones->add("_mta-sts.$domain.", 'TXT', $txt) if defined $txt;
	$site->zones->add("mta-sts.$domain.", 'A', $POLICY_SERVER);
	my $reporter = '"v=TLSRPTv1; rua=mailto:tlsrpt@receiver.example"';
	$site->zones->add("_smtp._tls.$domain.", 'TXT', $reporter) if $case->{report};
	$policies->serve($domain, %{ $case->{policy} }) if !$case->{never_before};
	return;
}

$site->publish($_) for @cases, @LATER;
publish_policy($_) for grep { $_->{policy} } @cases, @LATER;

# ---- The programs

$site->start_dns('validator iterator');

for my $transport (values %TRANSPORTS) {
	push @{ $transport->{options} }, "smtp_tls_policy_maps=socketmap:unix:DIRECTORY/tlsad/socketmap:$transport->{map}";
	s/DIRECTORY/$directory/ for @{ $transport->{options} };
}
$site->make_sender(
	main => {
		smtp_tls_security_level => 'dane',
		smtp_dns_support_level  => 'dnssec',
		smtp_tls_CAfile         => $certificates->path('authority', 'crt'),
	},
	transports => \%TRANSPORTS,
	cases      => \@cases,
);
$site->make_receiver;
my $sender = $site->sender;

my $reports = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Local => "$directory/reports") // die "reports: $!\n";
chmod 0666, "$directory/reports" or die "$directory/reports: $!\n";

mkdir "$directory/tlsad" or die "$directory/tlsad: $!\n";
my $tlsad = Tlsad::Daemon->start(
	directory => "$directory/tlsad",
	config    => {
		resolver => { %{ $site->resolver_settings }, timeout => LIMIT },
		sts      => {
			enable            => 'yes',
			ca_file           => $policies->ca_file,
			private_addresses => 'yes',
			timeout           => LIMIT,
		},
	},
);
$site->start_mail;

# ---- The checks

sub check_answer
{
	my ($case) = @_;
	my $map = $TRANSPORTS{ $case->{transport} // 'smtp' }{map};
	my $answer = eval { $tlsad->request($map, $case->{key}) } // $@;
	if (my $failure = $case->{failure}) {
		like($answer, qr/\ATEMP .*$failure/, "the answer to $case->{key}");
		return;
	}
	if (my $action = $case->{requiretls}) {
		is($tlsad->request('requiretls', $case->{domain}), $action, 'the answer of the map requiretls');
	}
	my $expected = $case->{answer};
	if ($expected eq 'secure') {
		my @match = map {s/\A\*//r} @{ $case->{policy}{mx} };
		$expected = 'OK secure match=' . join(':', @match) . ' servername=hostname';
		$expected .= ' policy_type=sts policy_domain=' . policy_domain($case) . ' ' if $map =~ /tlsrpt\z/i;
	}
	is(length $answer, $REPLY_MAX, 'the length of the answer') if $case->{longest};
	# t/daemon/sts.t compares the other attributes.
	$answer = substr $answer, 0, length $expected if $expected =~ / policy_type=/;
	is($answer, $expected, "the answer to $case->{key}");
	return;
}

# Every warning of the sender belongs to a case that may have one.
sub check_warnings
{
	my (@all) = @_;
	my %expected = map { $_ => 1 } map { split /\n/, $site->log_of($_) } grep { $_->{warned} } @all;
	my @unexpected = grep { /\bwarning: / && !$expected{$_} } split /\n/, $sender->log;
	is(join("\n", @unexpected), '', 'no other warning in the sender\'s log');
	return;
}

sub check
{
	my ($case, $stock) = @_;
	subtest $case->{about} => sub {
		check_answer($case);
		$case->{delivered} ? $site->check_delivered($case, $stock)
		    : $site->check_not_delivered($case, $stock);
		my $log = $site->log_of($case);
		like($log, $case->{log}, 'Postfix\'s log') if $case->{log};
		unlike($log, $case->{log_without}, 'Postfix\'s log has no such line') if $case->{log_without};
	} or diag("the log of $case->{about}:\n" . $site->log_of($case));
	return;
}

sub check_all
{
	my (@all) = @_;
	$site->submit(@all);
	ok($site->settle('sent|deferred|bounced', @all), 'every message came to an outcome');
	my $stock = $site->take_stock;
	check($_, $stock) for @all;
	return $stock;
}

# What Postfix has told the reporter (libtlsrpt's datagrams): domain => reports, as in a case.
sub received_reports
{
	my %type = (1 => 'dane', 2 => 'sts', 9 => 'none');
	my %received;
	$reports->blocking(0);
	while (defined $reports->recv(my $datagram, REPORT_MAX)) {
		my $report = decode_json($datagram);
		for my $policy (@{ $report->{policies} }) {
			my $type = $type{ $policy->{'policy-type'} } // $policy->{'policy-type'};
			my @told = ($type, $policy->{f} ? 'failure' : 'success');
			push @told, map { @{ $policy->{$_} // [] } } qw(policy-string mx-host) if $type eq 'sts';
			utf8::encode($_) for @told;
			push @{ $received{ $report->{d} } }, \@told;
		}
	}
	return \%received;
}

# ---- The tests

{
	my $stock = check_all(@cases);
	is(scalar(map {@$_} values %{ $stock->{arrived} }), scalar(grep { $_->{delivered} } @cases),
		'as many messages at the receivers as were to be delivered');
}

for my $case (grep { unfit($_) } @CASES) {
	SKIP: { skip("$case->{about}: " . unfit($case), 1) }
}

subtest 'reports of TLSRPT' => sub {
	my @reported = grep { $_->{report} } @cases;
	plan skip_all => "of Postfix 3.10 and later; this is $version" if !@reported;
	plan skip_all => 'Postfix is built without TLSRPT' if $sender->log =~ /TLSRPT is not compiled in/;
	my $received = received_reports();
	for my $case (@reported) {
		is_deeply($received->{ policy_domain($case) }, [$case->{report}], $case->{about})
		    or diag(explain($received->{ policy_domain($case) }));
	}
};

subtest 'without the policy server' => sub {
	for my $case (grep { !$_->{never_before} } @LATER) {
		subtest "$case->{about}: first" => sub { check_answer($case) };
	}
	is($policies->stop, 0, 'the policy server ends');
	is($tlsad->stop($TIMEOUT), 0, 'tlsad ends cleanly when asked to') or diag($tlsad->log_text);
	$tlsad->start_again;
	check_all(@LATER);
};

check_warnings(@cases, @LATER);
is($tlsad->stop($TIMEOUT), 0, 'tlsad ends cleanly when asked to') or diag($tlsad->log_text);
is(join("\n", Tlsad::Daemon::sanitizer_reports()), '', 'no sanitizer report');
$site->check_programs;

$finished = Test::More->builder->is_passing;
done_testing();
