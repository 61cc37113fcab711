#!/usr/bin/perl
# End to end: a site's own rules at delivery. A real Postfix sends mail that came through
# sendmail(1), which no policy service sees: minimum levels still apply to it, and an
# exception lets mail to a broken destination through. t/postfix/Site.pm sets up the site.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib", "$FindBin::Bin/../postfix";

use Test::More;

use Site qw(host bogus $NOT_TRUSTED $NO_STARTTLS $TIMEOUT);
use Tlsad::Daemon;

Site::go_inside();

my %receivers = (
	alpha     => { address => '127.0.0.11', certificate => 'alpha' },
	beta      => { address => '127.0.0.12', certificate => 'beta' },
	cleartext => { address => '127.0.0.14' },
);
my $no_dane = qr/TLSA|DNSSEC/i;
my $secure = 'OK secure match=nexthop:dot-nexthop';

# As in t/postfix/Cases.pm; minimum and exception are the rules for the domain.
my @cases = (
	{
		about => 'encrypted: no TLSA records', label => 'encrypted', minimum => 'encrypted',
		mx => { 10 => host('alpha') },
		answer => 'OK encrypt', delivered => ['alpha', 'mx10', 'Untrusted'],
	},
	{
		about => 'encrypted: the host offers no STARTTLS', label => 'encrypted-stripped',
		minimum => 'encrypted', mx => { 10 => host('cleartext') },
		answer => 'OK encrypt', deferred => $NO_STARTTLS,
	},
	{
		about => 'without a minimum the same goes out in clear', label => 'stripped',
		mx => { 10 => host('cleartext') },
		answer => 'NOTFOUND ', delivered => ['cleartext', 'mx10'],
	},
	{
		about => 'encrypted: some hosts have DANE, and mail goes to these', label => 'encrypted-partial',
		minimum => 'encrypted', mx => { 10 => host('cleartext'), 20 => host('alpha', '3 1 1 alpha') },
		answer => 'OK dane-only', delivered => ['alpha', 'mx20', 'Verified'],
	},
	{
		about => 'encrypted: insecure MX', label => 'encrypted-insecure', insecure_mx => 1,
		minimum => 'encrypted', mx => { 10 => host('cleartext'), 20 => host('beta', '3 1 1 alpha') },
		answer => 'OK encrypt', delivered => ['beta', 'mx20', 'Untrusted'],
	},
	{
		about => 'authenticated: DANE', label => 'authenticated-full', minimum => 'authenticated',
		mx => { 10 => host('alpha', '3 1 1 alpha') },
		answer => 'OK dane-only', delivered => ['alpha', 'mx10', 'Verified'],
	},
	{
		about => 'authenticated: a certificate of nobody', label => 'authenticated-none',
		minimum => 'authenticated', mx => { 10 => host('alpha') },
		answer => $secure, deferred => $NOT_TRUSTED,
	},
	{
		about => 'dane: DANE', label => 'dane-full', minimum => 'dane',
		mx => { 10 => host('beta', '3 1 1 beta') },
		answer => 'OK dane-only', delivered => ['beta', 'mx10', 'Verified'],
	},
	{
		about => 'dane: none', label => 'dane-none', minimum => 'dane',
		mx => { 10 => host('alpha') },
		answer => 'OK dane-only', deferred => $no_dane,
	},
	{
		about => 'an exception: another certificate', label => 'wrong',
		exception => 'may until 2099-12-31 ; wrong certificate',
		mx => { 10 => host('beta', '3 1 1 alpha') },
		answer => 'OK may', delivered => ['beta', 'mx10', 'Untrusted'],
	},
	{
		about => 'an exception: TLSA records that are bogus', label => 'bogus', exception => 'encrypt',
		mx => { 10 => bogus('TLSA', host('alpha', '3 1 1 alpha')) },
		answer => 'OK encrypt', delivered => ['alpha', 'mx10', 'Untrusted'],
	},
	{
		about => 'an exception that has ended', label => 'ended', exception => 'may until 2001-01-01',
		mx => { 10 => host('beta', '3 1 1 alpha') },
		answer => 'OK dane-only', deferred => $NOT_TRUSTED,
	},
	{
		about => 'an exception that a minimum overrules', label => 'overruled', exception => 'may',
		minimum => 'dane', mx => { 10 => host('beta', '3 1 1 alpha') },
		answer => 'OK dane-only', deferred => $NOT_TRUSTED,
	},
);

my $site = Site->new(receivers => \%receivers, ports => [25], resolver_options => 'trust-ad edns0');
my $directory = $site->directory;

my $finished;
END {
	local $?;
	$site->show_logs('tlsad/log') if $site && !$finished;
}

my $certificates = $site->certificates;
$certificates->make($_, subject => "$_.receiver.example") for qw(alpha beta);
$site->publish($_) for @cases;
$site->start_dns('validator iterator');
$site->make_sender(
	main => {
		smtp_tls_policy_maps    => "socketmap:unix:$directory/tlsad/socketmap:policy",
		smtp_tls_security_level => 'dane',
		smtp_dns_support_level  => 'dnssec',
	},
	transports => { smtp => {} },
	cases      => \@cases,
);
$site->make_receiver;
mkdir "$directory/tlsad" or die "$directory/tlsad: $!\n";
my $tlsad = Tlsad::Daemon->start(
	directory => "$directory/tlsad",
	config    => {
		resolver  => $site->resolver_settings,
		minimum   => { map { $_->{domain} => $_->{minimum} } grep { $_->{minimum} } @cases },
		exception => { map { $_->{domain} => $_->{exception} } grep { $_->{exception} } @cases },
	},
);
$site->start_mail;

$site->submit_locally(@cases);
ok($site->settle('sent|deferred|bounced', @cases), 'every message came to an outcome');
my $stock = $site->take_stock;
for my $case (@cases) {
	subtest $case->{about} => sub {
		is($tlsad->request('policy', $case->{key}), $case->{answer}, "the answer to $case->{key}");
		$case->{delivered} ? $site->check_delivered($case, $stock)
		    : $site->check_not_delivered($case, $stock);
	} or diag("the log of $case->{about}:\n" . $site->log_of($case));
}
is($tlsad->stop($TIMEOUT), 0, 'tlsad ends cleanly when asked to') or diag($tlsad->log_text);
is(join("\n", Tlsad::Daemon::sanitizer_reports()), '', 'no sanitizer report');
$site->check_programs;

$finished = Test::More->builder->is_passing;
done_testing();
