#!/usr/bin/perl
# End to end with the policy delegation service: the smtpd of a real Postfix sends a request to a real
# tlsad for each recipient, from a chroot as in Debian's master.cf, over a socket below the queue
# directory, and over TCP. t/postfix/Site.pm sets up the site.
#
# Checks the SMTP replies, the queue file (postcat(1)), that the lookup for the delivery is answered
# from the cache, and that only a delay results if tlsad closes an idle connection or does not run.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib", "$FindBin::Bin/../postfix";

use IO::Socket::INET;
use JSON::PP ();
use Test::More;

use Namespace;
use Site qw(host wait_for $TIMEOUT $SENDER);
use Tlsad::Ctl;
use Tlsad::Daemon;

Site::go_inside('postcat');

my %RECEIVERS = (
	alpha     => { address => '127.0.0.11', certificate => 'alpha' },
	cleartext => { address => '127.0.0.14' },
);
# The sender's domain chooses the transport (Site.pm); here there is only one.
my @CASES = (
	{ about => 'DANE', label => 'full', mx => { 10 => host('alpha', '3 1 1 alpha') } },
	{ about => 'DANE, never asked before', label => 'fresh', mx => { 10 => host('alpha', '3 1 1 alpha') } },
	{ about => 'no DANE', label => 'none', mx => { 10 => host('cleartext') } },
	{ about => 'no DANE, a minimum', label => 'lacking', mx => { 10 => host('cleartext') } },
	{ about => 'bogus MX records, a minimum', label => 'unknown', mx => { 10 => host('cleartext') }, bogus_mx => 1 },
);
my %domain = map { $_->{label} => "$_->{label}.secure.example" } @CASES;

# For each its smtpd, at a separate port: how it reaches tlsad, and where.
my %SMTPD = (
	2501 => { chroot => 'y', service => '{unix:tlsad/policy}' },
	2502 => { chroot => 'n', service => '{unix:tlsad/policy}' },
	2503 => { chroot => 'y', service => '{inet:127.0.0.1:8643}' },
	2504 => { chroot => 'n', service => '{unix:tlsad/absent,default_action=DUNNO}' },
	2505 => { chroot => 'n', service => '{unix:tlsad/absent}' },
);

my $site = Site->new(receivers => \%RECEIVERS, ports => [25], resolver_options => 'trust-ad edns0');
my $directory = $site->directory;
my $finished;
END {
	local $?;
	$site->show_logs('tlsad/log') if $site && !$finished;
}

$site->certificates->make('alpha', subject => 'alpha.receiver.example');
$site->publish($_) for @CASES;
$site->start_dns('validator iterator');
$site->make_sender(
	main => {
		smtp_tls_policy_maps     => "socketmap:unix:$directory/tlsad/socketmap:policy",
		smtp_tls_security_level  => 'dane',
		smtp_dns_support_level   => 'dnssec',
		# A second request must not be answered from the cache of the SMTP client.
		smtp_connection_reuse_count_limit => '1',
		# smtpd delays clients that make errors.
		smtpd_error_sleep_time   => '0',
		smtpd_delay_reject       => 'yes',
	},
	transports => { smtp => {} },
	cases      => \@CASES,
);
# After the services of Site.pm: these listen only for the tests.
my $master = "$directory/sender/etc/master.cf";
Namespace::write_file($master, Namespace::read_file($master) . join '', map {
	"$SENDER:$_ inet n - $SMTPD{$_}{chroot} - - smtpd\n"
	. "  -o { smtpd_recipient_restrictions = check_policy_service $SMTPD{$_}{service}, permit }\n"
} sort keys %SMTPD);
$site->make_receiver;
my $sender = $site->sender;

my %RULES = (minimum => { $domain{lacking} => 'dane', $domain{unknown} => 'authenticated' });
mkdir $_ or die "$_: $!\n" for "$directory/tlsad", "$directory/sender/queue/tlsad";
my $tlsad = Tlsad::Daemon->start(directory => "$directory/tlsad", config => config(%RULES));
$site->start_mail;

subtest 'warm: the delivery finds its answer in the cache' => \&warm;
subtest 'a minimum at RCPT' => \&minimum;
subtest 'from a chroot, and over TCP' => \&ways;
subtest 'HOLD' => \&hold;
subtest 'PREPEND' => \&announce;
subtest 'an idle connection that tlsad has closed' => \&idle;
subtest 'without tlsad' => \&without;

is($tlsad->stop($TIMEOUT), 0, 'tlsad ends cleanly when asked to') or diag($tlsad->log_text);
is(join("\n", Tlsad::Daemon::sanitizer_reports()), '', 'no sanitizer report');
unlike($sender->log, qr/(?:fatal|panic): /, 'no fatal error in Postfix\'s log');
$finished = Test::More->builder->is_passing;
done_testing();

sub config
{
	my (%sections) = @_;
	return {
		resolver => $site->resolver_settings,
		%sections,
		server => {
			policy => "unix:$directory/sender/queue/tlsad/policy, inet:127.0.0.1:8643",
			workers => 1, %{ $sections{server} // {} },
		},
	};
}

sub reload
{
	my (%sections) = @_;
	my $from = length $tlsad->log_text;
	$tlsad->write_config(config(%sections));
	$tlsad->reload;
	ok($tlsad->wait_log(qr/configuration reloaded/, $TIMEOUT, $from), 'tlsad has a new configuration');
	return;
}

sub status
{
	my $binary = Tlsad::Ctl::binary();
	my $file = $tlsad->config_file;
	my $text = qx($binary -c $file --json status);
	return JSON::PP->new->decode($text);
}

# A conversation with the smtpd at that port: say() sends a line, or none, and gives the reply.
sub converse
{
	my ($port) = @_;
	my $socket = IO::Socket::INET->new(PeerAddr => $SENDER, PeerPort => $port, Timeout => $TIMEOUT)
	    or die "port $port: $!\n";
	$socket->autoflush(1);
	my $say = sub {
		my ($line) = @_;
		print {$socket} "$line\r\n" if defined $line;
		while (defined(my $reply = <$socket>)) {
			$reply =~ s/\r?\n\z//;
			return $reply if $reply !~ /\A\d{3}-/;
		}
		return 'closed';
	};
	$say->();
	$say->('EHLO client.example');
	$say->('MAIL FROM:<test@smtp.sender.example>');
	return $say;
}

# The reply to one recipient.
sub recipient
{
	my ($port, $label) = @_;
	my $say = converse($port);
	my $reply = $say->("RCPT TO:<someone\@$domain{$label}>");
	$say->('QUIT');
	return $reply;
}

# A whole message; its queue identifier.
sub send_message
{
	my ($port, @labels) = @_;
	my $say = converse($port);
	for my $label (@labels) {
		my $reply = $say->("RCPT TO:<someone\@$domain{$label}>");
		like($reply, qr/\A250 /, "the recipient at $domain{$label} is taken");
	}
	$say->('DATA');
	my ($queue_id) = $say->("Subject: test\r\n\r\nA message.\r\n.") =~ /queued as (\w+)/;
	$say->('QUIT');
	ok(defined $queue_id, 'and the message') or die "no queue identifier\n";
	return $queue_id;
}

sub sent
{
	my ($queue_id) = @_;
	return wait_for(sub { ($sender->outcomes->{$queue_id}[0] // '') eq 'sent' });
}

sub warm
{
	my $say = converse(2501);
	my $before = status();
	like($say->("RCPT TO:<someone\@$domain{fresh}>"), qr/\A250 /, 'RCPT');
	ok(wait_for(sub { status()->{cache}{entries} >= $before->{cache}{entries} + 2 }),
		'the destination is looked up while the mail is still coming in');
	$say->('DATA');
	my ($queue_id) = $say->("Subject: test\r\n\r\nA message.\r\n.") =~ /queued as (\w+)/;
	ok(sent($queue_id), 'the message is delivered');
	like($sender->log, qr/Verified TLS connection established to mx10\.\Q$domain{fresh}\E/, 'with DANE');
	my $after = status();
	is($after->{hits} - $before->{hits}, 1, 'the answer for the delivery came from the cache');
	is($after->{misses} - $before->{misses}, 0, 'and from nowhere else');
	is($after->{policy}{requests} - $before->{policy}{requests}, 1, 'one recipient, one request');
}

sub minimum
{
	like(recipient(2501, 'lacking'), qr/\A554 5\.7\.10 <someone\@\Q$domain{lacking}\E>: Recipient address rejected: \Q$domain{lacking}\E must be reached with TLS level dane, but offers no TLSA records \(no-tlsa\)\z/,
		'the sender is told what is lacking');
	like(recipient(2501, 'unknown'), qr/\A450 4\.7\.5 .*\Q$domain{unknown}\E must be reached with TLS level authenticated, but it is not known yet whether it offers that: \Q$domain{unknown}\E MX: bogus/,
		'or that it is not known yet');
	like(recipient(2501, $_), qr/\A250 /, "$_ is taken") for qw(full none);
	# One rejected recipient does not delay the others.
	my $say = converse(2501);
	like($say->("RCPT TO:<someone\@$domain{lacking}>"), qr/\A554 /, 'one is rejected');
	like($say->("RCPT TO:<someone\@$domain{full}>"), qr/\A250 /, 'another is taken');
	like($say->('DATA'), qr/\A354 /, 'and the mail goes on');
	my ($queue_id) = $say->("Subject: test\r\n\r\nA message.\r\n.") =~ /queued as (\w+)/;
	ok(sent($queue_id), 'to its end');
}

sub ways
{
	for my $port (2501 .. 2503) {
		my $way = "chroot $SMTPD{$port}{chroot}, $SMTPD{$port}{service}";
		like(recipient($port, 'lacking'), qr/\A554 5\.7\.10 /, "$way: rejected");
		like(recipient($port, 'full'), qr/\A250 /, "$way: taken");
	}
}

sub hold
{
	reload(%RULES, policy => { lacking => 'HOLD {destination} offers {offered}' });
	my $queue_id = send_message(2501, 'lacking');
	ok(wait_for(sub { ($sender->queue->{$queue_id} // '') eq 'hold' }), 'it is in the hold queue');
	like($sender->log, qr/hold: RCPT from [^\n]* \Q$domain{lacking}\E offers no TLSA records/,
		'the log tells why');
	# After a release the minimum still applies at delivery.
	Namespace::run_or_die('postsuper', '-c', "$directory/sender/etc", '-H', $queue_id);
	$sender->flush($queue_id);
	ok(wait_for(sub { defined $sender->outcomes->{$queue_id} }), 'released, it comes to an outcome');
	is($sender->outcomes->{$queue_id}[0] // '', 'deferred', 'and is not delivered in clear');
}

sub announce
{
	reload(%RULES, policy => { announce => 'yes', lacking => 'HOLD' });
	# Both are in the cache by now.
	my $queue_id = send_message(2501, 'full', 'lacking');
	ok(wait_for(sub { ($sender->queue->{$queue_id} // '') eq 'hold' }), 'a message in the queue');
	my $text = qx(postcat -c $directory/sender/etc -qbh $queue_id);
	my @fields = $text =~ /^(X-TLS-Destination: .*)$/mg;
	is("@fields", "X-TLS-Destination: destination=$domain{full} level=dane-only reason=dane-full",
		'its header has what is known');
	like($text, qr/^X-TLS-Destination: .*\n(?:.*\n)*Subject: test\n/m, 'in front of the message\'s own');
}

sub idle
{
	reload(%RULES, server => { idle_timeout => '1s' });
	my $say = converse(2501);
	like($say->("RCPT TO:<one\@$domain{full}>"), qr/\A250 /, 'asked');
	my $open = sub { status()->{connections} };
	ok(wait_for(sub { $open->() == 0 }), 'tlsad closes the idle connection');
	my $before = length $sender->log;
	like($say->("RCPT TO:<two\@$domain{lacking}>"), qr/\A554 5\.7\.10 /, 'asked again: the same');
	unlike(substr($sender->log, $before), qr/warning: problem talking to server/, 'Postfix makes no fuss');
	$say->('QUIT');
	reload(%RULES);
}

sub without
{
	like(recipient(2504, 'lacking'), qr/\A250 /, 'with default_action=DUNNO mail comes in');
	like(recipient(2505, 'lacking'), qr/\A451 4\.3\.5 /, 'without it, it is deferred');
}
