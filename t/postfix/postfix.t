#!/usr/bin/perl
# End to end: a real Postfix sends mail with the replies of a real tlsad, which validates a signed DNS
# tree from its root, as Postfix's own resolver does. t/postfix/Site.pm sets up the site,
# t/postfix/Cases.pm has the cases.
#
# Every case has its own domain and its own message. Compared with the expectation are: tlsad's reply,
# the TLS session in the sender's log, the result for the message (delivered, bounced, or deferred and
# still in the queue), and the receiver at which it arrived, with or without TLS.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib", "$FindBin::Bin/../postfix";

use Test::More;

use Cases;
use Site qw($NO_POLICY $TIMEOUT);
use Tlsad::Daemon;

Site::go_inside();

# trust-ad since glibc 2.31: without it Postfix does not see that its resolver validated.
my $site = Site->new(receivers => \%RECEIVERS, ports => \@PORTS, resolver_options => 'trust-ad edns0');
my $directory = $site->directory;

my $finished;
END {
	local $?;
	$site->show_logs('tlsad/log') if $site && !$finished;
}

# ---- The DNS tree

my $certificates = $site->certificates;
$certificates->make('alpha', subject => 'alpha.receiver.example');
$certificates->make('beta',  subject => 'beta.receiver.example');
# The server sends the authority too: RFC 7672 3.1.2 requires a trust anchor of which only the digest
# is published to be in the server's chain.
$certificates->make('authority', authority => 1);
$certificates->make('issued', issuer => 'authority',
	names => [map {"mx10.$_->{label}.secure.example"} grep { $_->{label} =~ /\Ata-(?!name)/ } @CASES]);
$site->publish($_) for @CASES, @STOPPED;

# ---- The programs

$site->start_dns('validator iterator');

my $policy = "socketmap:unix:$directory/tlsad/socketmap:policy";

$site->make_sender(
	main => {
		# By default proxy_read_maps, the maps that proxymap(8) may open, contains
		# $smtp_tls_policy_maps.
		smtp_tls_policy_maps    => "proxy:$policy",
		direct_policy_maps      => $policy,
		smtp_tls_security_level => 'dane',
		smtp_dns_support_level  => 'dnssec',
	},
	transports => \%TRANSPORTS,
	cases      => \@CASES,
);
$site->make_receiver;
my $sender = $site->sender;

# tlsad creates its sockets; the administrator must create the directories.
mkdir $_ or die "$_: $!\n" for "$directory/tlsad", "$directory/sender/queue/tlsad";
my $tlsad = Tlsad::Daemon->start(
	directory => "$directory/tlsad",
	config    => {
		server => {
			socketmap => join(', ', "unix:$directory/tlsad/socketmap",
				"unix:$directory/sender/queue/tlsad/socketmap", 'inet:127.0.0.1:8642'),
		},
		resolver => $site->resolver_settings,
	},
);
$site->start_mail;

sub check
{
	my ($case, $stock) = @_;
	subtest $case->{about} => sub {
		my $answer = eval { $tlsad->request('policy', $case->{key}) } // $@;
		my $failure = $case->{failure};
		$failure ? like($answer, qr/\ATEMP .*$failure/, "the answer to $case->{key}")
		    : is($answer, $case->{answer}, "the answer to $case->{key}");
		if ($failure && $case->{deferred} == $NO_POLICY) {
			my $line = qr/socketmap server temporary error: .*$failure/;
			like($sender->log, $line, 'Postfix logs the reason');
		}
		$case->{delivered} ? $site->check_delivered($case, $stock)
		    : $site->check_not_delivered($case, $stock);
	} or diag("the log of $case->{about}:\n" . $site->log_of($case));
	return;
}

sub stop_tlsad
{
	is($tlsad->stop($TIMEOUT), 0, 'tlsad ends cleanly when asked to') or diag($tlsad->log_text);
	return;
}

# ---- The tests

{
	$site->submit(@CASES);
	ok($site->settle('sent|deferred|bounced', @CASES), 'every message came to an outcome');
	my $stock = $site->take_stock;
	check($_, $stock) for @CASES;
	is(scalar(map {@$_} values %{ $stock->{arrived} }), scalar(grep { $_->{delivered} } @CASES),
		'as many messages at the receivers as were to be delivered');
}

subtest 'tlsad stopped: mail waits, whatever the destination' => sub {
	stop_tlsad();
	$site->submit(@STOPPED);
	ok($site->settle('sent|deferred|bounced', @STOPPED), 'every message came to an outcome');
	my $stock = $site->take_stock;
	$site->check_not_delivered({ %$_, deferred => $NO_POLICY }, $stock) for @STOPPED;
};

subtest 'tlsad started again: the mail goes out' => sub {
	$tlsad->start_again;
	$sender->flush($_->{queue_id}) for @STOPPED;
	ok($site->settle('sent', @STOPPED), 'every message was sent');
	my $stock = $site->take_stock;
	check($_, $stock) for @STOPPED;
};

stop_tlsad();
is(join("\n", Tlsad::Daemon::sanitizer_reports()), '', 'no sanitizer report');
$site->check_programs;

$finished = Test::More->builder->is_passing;
done_testing();
