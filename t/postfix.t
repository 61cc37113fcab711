#!/usr/bin/perl
# End to end: a real Postfix sends mail under the answers of a real tlsad, which validates a signed
# DNS tree from its root down. In a namespace of its own (t/postfix/Namespace.pm):
#
#   127.0.0.53:53   NSD with the tree (t/postfix/Zones.pm)
#   127.0.0.1:53    unbound, the validating resolver that Postfix's own DANE needs
#   127.0.0.2:25    the sending Postfix, its smtp_tls_policy_maps on tlsad
#   127.0.0.1x:25   the receiving Postfix, one smtpd for each kind of host (t/postfix/Cases.pm)
#
# Every case has its own domain and its own message. Held against what is expected: tlsad's answer,
# what the sender's log says of the TLS session, the message's end (delivered, bounced, or deferred
# and still in the queue) and what arrived at which receiver, with TLS or without.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib", "$FindBin::Bin/postfix";

use Cwd qw(abs_path);
use File::Copy qw(copy);
use IO::Socket::INET;
use Test::More;
use Time::HiRes qw(sleep time);

use Cases;
use Instance;
use Namespace;
use Tlsad::Certificates;
use Tlsad::Daemon;
use Tlsad::Process;
use Zones;

# All waiting is polling with an end, in seconds. A loaded machine or a sanitizer build stays far
# below it.
my $PATIENCE = 60;

my $NAME_SERVER = '127.0.0.53';
my $SENDER      = '127.0.0.2';
my $RECEIVER    = '127.0.0.10';

# ---- Prerequisites, and the way inside

if (!Namespace::inside()) {
	my @missing = Namespace::missing(
		qw(postfix postqueue nsd unbound openssl ldns-keygen ldns-signzone ldns-key2ds));
	push @missing, Tlsad::Daemon::binary() if !-x Tlsad::Daemon::binary();
	if (@missing) {
		my $reason = 'needs ' . join ', ', @missing;
		plan skip_all => $reason if ($ENV{CI} // '') ne 'true';
		plan tests => 1;
		fail('the test\'s prerequisites are there (CI=true)');
		diag($reason);
		exit 1;
	}
	exit Namespace::run_inside($^X, abs_path($0));
}

# ---- The DNS tree

my $directory    = Namespace::enter($SENDER, $RECEIVER);
my $certificates = Tlsad::Certificates->new("$directory/certificates");
my $zones        = Zones->new("$directory/zones", $NAME_SERVER);

sub add_host
{
	my ($name, $host, $port_tlsa) = @_;
	my ($target, $base_domain) = ($name, $name);
	if ($host->{alias}) {
		($target = $name) =~ s/secure\.example\.\z/target.$host->{alias}/;
		$base_domain = $target if !$host->{tlsa_at_alias};
		$zones->add($name, 'CNAME', $target);
	}
	$zones->add($target, 'A', $RECEIVERS{ $host->{receiver} }{address});
	my %tlsa = (25 => $host->{tlsa}, 2525 => $port_tlsa // []);
	for my $port (sort keys %tlsa) {
		for my $record (@{ $tlsa{$port} }) {
			my $data = $certificates->tlsa(split / /, $record);
			$zones->add("_$port._tcp.$base_domain", 'TLSA', $data);
		}
	}
	$zones->make_bogus("_25._tcp.$base_domain", 'TLSA') if ($host->{bogus} // '') eq 'TLSA';
	$zones->make_bogus($target, 'A') if ($host->{bogus} // '') eq 'A';
	return;
}

my @resolver_lines;

# Publishes a case's records, and completes it: domain (as Postfix gets it), key (as tlsad gets it).
sub publish
{
	my ($case) = @_;
	# A label that ends in a dot is the whole name.
	my $whole  = $case->{label} =~ /\.\z/;
	my $suffix = $case->{insecure_mx} ? 'plain.example.' : 'secure.example.';
	my $owner  = $whole ? $case->{label} : "$case->{label}.$suffix";
	my $hosts  = $whole ? $owner : "$case->{label}.secure.example.";
	for my $preference (sort { $a <=> $b } keys %{ $case->{mx} // {} }) {
		$zones->add($owner, 'MX', "$preference mx$preference.$hosts");
		add_host("mx$preference.$hosts", $case->{mx}{$preference}, $case->{port_tlsa});
	}
	add_host($owner, $case->{itself}) if $case->{itself};
	$zones->add($owner, @$_) for @{ $case->{records} // [] };
	$zones->make_bogus($owner, 'MX') if $case->{bogus_mx};
	($case->{hosts}  = $hosts) =~ s/\.\z//;
	($case->{domain} = $owner) =~ s/\.\z//;
	$case->{nexthop} =~ s/MX/mx10.$case->{hosts}/ if $case->{nexthop};
	$case->{domain} = $case->{key} if $case->{key};
	$case->{key} //= $case->{nexthop} // $case->{domain};
	push @resolver_lines, map {s/DOMAIN/$owner/gr} @{ $case->{resolver} // [] };
	$case->{token} = sprintf 'token-%s-%08x', $case->{label}, int rand 2**32;
	return;
}

$certificates->make('alpha', subject => 'alpha.receiver.example');
$certificates->make('beta',  subject => 'beta.receiver.example');
# The authority is sent along: RFC 7672 3.1.1 wants a trust anchor that is published by its digest
# in the server's chain.
$certificates->make('authority', authority => 1);
$certificates->make('issued', issuer => 'authority',
	names => [map {"mx10.$_->{label}.secure.example"} grep { $_->{label} =~ /\Ata-(?!name)/ } @CASES]);
publish($_) for @CASES, @STOPPED;
$zones->sign;

# ---- The programs

sub wait_for
{
	my ($condition) = @_;
	my $end = time + $PATIENCE;
	while (1) {
		my $result = $condition->();
		return $result if $result;
		return if time > $end;
		sleep 0.05;
	}
}

sub connect_to
{
	my ($address, $port) = @_;
	return IO::Socket::INET->new(PeerAddr => $address, PeerPort => $port);
}

sub wait_until_listening
{
	for my $server (@_) {
		wait_for(sub { connect_to(@$server) }) or die "@$server: nobody listens\n";
	}
	return;
}

my $nsd_configuration = Namespace::write_file("$directory/nsd.conf", $zones->nsd_configuration);
my $unbound_configuration = Namespace::write_file("$directory/unbound.conf",
	$zones->unbound_configuration('127.0.0.1', @resolver_lines));
my $nsd = Tlsad::Process::spawn(
	log     => "$directory/nsd.log",
	command => ['nsd', '-d', '-c', $nsd_configuration],
);
# Debian's AppArmor profile lets /usr/sbin/unbound read its own places only; it does not hold for a
# copy.
copy(Tlsad::Process::find_program('unbound'), "$directory/unbound") or die "unbound: $!\n";
chmod 0755, "$directory/unbound" or die "$directory/unbound: $!\n";
my $unbound = Tlsad::Process::spawn(
	log     => "$directory/unbound.log",
	command => ["$directory/unbound", '-d', '-c', $unbound_configuration],
);

wait_until_listening([$NAME_SERVER, 53], ['127.0.0.1', 53]);

my $policy = "socketmap:unix:$directory/tlsad/socketmap:policy";

my $sender = Instance->new(
	directory => "$directory/sender",
	main      => {
		myhostname                => 'sender.example',
		inet_interfaces           => $SENDER,
		# proxy_read_maps, which says what proxymap(8) may open, has $smtp_tls_policy_maps by
		# default.
		smtp_tls_policy_maps      => "proxy:$policy",
		direct_policy_maps        => $policy,
		smtp_tls_security_level   => 'dane',
		smtp_dns_support_level    => 'dnssec',
		smtp_tls_loglevel         => '1',
		smtp_tls_CAfile           => '',
		# Deferred mail stays until the test asks for it.
		minimal_backoff_time      => '1h',
		queue_run_delay           => '1h',
		smtp_connect_timeout      => '10s',
		smtp_helo_timeout         => '30s',
		smtp_connection_cache_on_demand => 'no',
		sender_dependent_default_transport_maps => 'inline:{ '
		    . join(', ', map {"{ \@$_.sender.example = $_: }"} sort keys %TRANSPORTS) . ' }',
		transport_maps => 'inline:{ '
		    . join(', ', '{ .sender.example = discard: }',
			map {"{ $_->{domain} = smtp:$_->{nexthop} }"} grep { $_->{nexthop} } @CASES) . ' }',
	},
	master => join '', "$SENDER:25 inet n - n - - smtpd\n", map {
		my $transport = $TRANSPORTS{$_};
		sprintf "%s unix - - %s - 15 smtp%s\n", $_, $transport->{chroot} ? 'y' : 'n',
		    join '', map {" -o $_"} @{ $transport->{options} // [] };
	} sort keys %TRANSPORTS,
);

mkdir "$directory/mail" or die "$directory/mail: $!\n";
my ($uid, $gid) = (getpwnam 'postfix')[2, 3];
chown $uid, $gid, "$directory/mail" or die "$directory/mail: $!\n";

my $receiver = Instance->new(
	directory => "$directory/receiver",
	main      => {
		myhostname              => 'receiver.example',
		inet_interfaces         => $RECEIVER,
		virtual_mailbox_domains => 'static:all',
		virtual_mailbox_maps    => 'static:inbox/',
		virtual_mailbox_base    => "$directory/mail",
		virtual_uid_maps        => "static:$uid",
		virtual_gid_maps        => "static:$gid",
		virtual_minimum_uid     => '1',
		smtpd_tls_loglevel      => '1',
	},
	master => join '', "virtual unix - n n - - virtual\n", map {
		my ($name, $receiver) = ($_, $RECEIVERS{$_});
		my $options = " -o myhostname=$name.receiver.example -o syslog_name=$name";
		$options .= $receiver->{certificate}
		    ? " -o smtpd_tls_security_level=may"
		    . " -o smtpd_tls_chain_files=$directory/certificates/$receiver->{certificate}.pem"
		    : ' -o smtpd_tls_security_level=none';
		map {"$receiver->{address}:$_ inet n - n - - smtpd$options\n"} @PORTS;
	} sort keys %RECEIVERS,
);

# tlsad makes its sockets; the directories are the administrator's to make.
mkdir $_ or die "$_: $!\n" for "$directory/tlsad", "$directory/sender/queue/tlsad";
my $tlsad = Tlsad::Daemon->start(
	directory => "$directory/tlsad",
	config    => {
		server => {
			socketmap => join(', ', "unix:$directory/tlsad/socketmap",
				"unix:$directory/sender/queue/tlsad/socketmap", 'inet:127.0.0.1:8642'),
		},
		resolver => {
			trust_anchor    => $zones->{trust_anchor},
			stub            => ". $NAME_SERVER\@53",
			query_localhost => 'yes',
		},
	},
);
$_->start for $receiver, $sender;

wait_until_listening([$SENDER, 25], map { [$_->{address}, 25] } values %RECEIVERS);

# ---- Mail

# Hands the messages to the sending Postfix, and learns the queue identifier of each.
sub submit
{
	my (@cases) = @_;
	my $client = connect_to($SENDER, 25) or die "the sending Postfix: $!\n";
	my $command = sub {
		my ($line) = @_;
		print {$client} "$line\r\n" if defined $line;
		while (defined(my $reply = <$client>)) {
			next if $reply =~ /\A\d{3}-/;
			return $reply if $reply =~ /\A[23]/;
			die "the sending Postfix answers '@{[$line // '']}' with $reply";
		}
		die "the sending Postfix ended the connection\n";
	};
	$client->autoflush(1);
	$command->();
	$command->('EHLO client.example');
	for my $case (@cases) {
		my $transport = $case->{transport} // 'smtp';
		$command->("MAIL FROM:<test\@$transport.sender.example> SMTPUTF8");
		$command->("RCPT TO:<someone\@$case->{domain}>");
		$command->('DATA');
		my $reply = $command->("Subject: $case->{token}\r\n\r\nThe message of: $case->{about}\r\n.");
		($case->{queue_id}) = $reply =~ /queued as (\w+)/ or die "no queue identifier in $reply";
	}
	$command->('QUIT');
	return;
}

# What the receivers hold: token => [ [receiver, protocol], ... ]. The top Received field is the
# receiver's own.
sub arrived
{
	my %arrived;
	for my $file (glob "$directory/mail/inbox/{new,cur}/*") {
		my ($head) = split /\n\n/, Namespace::read_file($file), 2;
		my ($token) = $head =~ /^Subject: (\S+)$/m;
		my ($name, $protocol) = $head =~ /^Received: .*?\bby (\w+)\.receiver\.example .*?\bwith (\w+)/ms;
		push @{ $arrived{ $token // "a message without a token" } }, [$name // '?', $protocol // '?'];
	}
	return \%arrived;
}

# Waits until each message has one of these outcomes, the sender's queue manager has done what
# follows from them, and the receiver has put away what it took.
sub settle
{
	my ($statuses, @cases) = @_;
	return wait_for(sub {
		my $outcomes = $sender->outcomes;
		!grep { ($outcomes->{ $_->{queue_id} }[0] // '') !~ /\A(?:$statuses)\z/ } @cases;
	}) && wait_for(sub {
		!grep { $_ ne 'deferred' } values %{ $sender->queue };
	}) && wait_for(sub {
		!%{ $receiver->queue };
	});
}

# What became of everything sent so far: outcomes in the sender's log, its queue, and what arrived.
sub take_stock
{
	return { outcomes => $sender->outcomes, queue => $sender->queue, arrived => arrived() };
}

# The lines of the sender's log that a case caused.
sub log_of
{
	my ($case) = @_;
	my $about = join '|', map {quotemeta} $case->{queue_id}, grep { length } $case->{hosts}, $case->{domain};
	return join '', map {"$_\n"} grep {/\b(?<![\w-])(?:$about)\b/} split /\n/, $sender->log;
}

sub check_delivered
{
	my ($case, $stock) = @_;
	my ($name, $host, $session) = @{ $case->{delivered} };
	is($stock->{outcomes}{ $case->{queue_id} }[0], 'sent', 'Postfix sent it');
	ok(!exists $stock->{queue}{ $case->{queue_id} }, 'nothing is left in the queue');
	# RFC 3848: ESMTPS is ESMTP after STARTTLS; RFC 6531 4.3 has UTF8SMTPS.
	my @arrived = map {"$_->[0] " . ($_->[1] =~ /SMTPS\z/ ? 'TLS' : 'cleartext')}
	    @{ $stock->{arrived}{ $case->{token} } // [] };
	is("@arrived", "$name " . ($session ? 'TLS' : 'cleartext'), 'one message, at that receiver');
	my $host_name = $case->{itself} ? $case->{domain} : "$host.$case->{hosts}";
	my @sessions = $sender->log =~ /(\w+) TLS connection established to \Q$host_name\E\[/g;
	is("@sessions", $session // '', 'the TLS session in Postfix\'s log');
	return;
}

sub check_not_delivered
{
	my ($case, $stock) = @_;
	my $expected = $case->{deferred} ? 'deferred' : 'bounced';
	my ($status, $reason) = @{ $stock->{outcomes}{ $case->{queue_id} } // [] };
	is($status, $expected, "Postfix has it $expected");
	like($reason, $case->{$expected}, 'for that reason');
	my $in_queue = $case->{deferred} ? 'deferred' : undef;
	is($stock->{queue}{ $case->{queue_id} }, $in_queue, $in_queue ? 'in the queue' : 'no longer in the queue');
	is(scalar @{ $stock->{arrived}{ $case->{token} } // [] }, 0, 'no message at any receiver');
	my $verified = $case->{trusted_chain} ? 'Verified' : 'Verified|Trusted';
	unlike(log_of($case), qr/\b(?:$verified) TLS connection/, 'no session was verified');
	return;
}

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
		$case->{delivered} ? check_delivered($case, $stock) : check_not_delivered($case, $stock);
	} or diag("the log of $case->{about}:\n" . log_of($case));
	return;
}

sub stop_tlsad
{
	is($tlsad->stop($PATIENCE), 0, 'tlsad ends cleanly when asked to') or diag($tlsad->log_text);
	return;
}

# ---- The tests

my $finished;
END {
	local $?;
	if (Namespace::inside() && !$finished && defined $directory) {
		diag("$_:\n" . substr Namespace::read_file("$directory/$_"), -3000)
		    for grep { -s "$directory/$_" } qw(tlsad/log nsd.log unbound.log sender/log receiver/log);
	}
}

{
	submit(@CASES);
	ok(settle('sent|deferred|bounced', @CASES), 'every message came to an outcome');
	my $stock = take_stock();
	check($_, $stock) for @CASES;
	is(scalar(map {@$_} values %{ $stock->{arrived} }), scalar(grep { $_->{delivered} } @CASES),
		'as many messages at the receivers as were to be delivered');
}

subtest 'tlsad stopped: mail waits, whatever the destination' => sub {
	stop_tlsad();
	submit(@STOPPED);
	ok(settle('sent|deferred|bounced', @STOPPED), 'every message came to an outcome');
	my $stock = take_stock();
	check_not_delivered({ %$_, deferred => $NO_POLICY }, $stock) for @STOPPED;
};

subtest 'tlsad started again: the mail goes out' => sub {
	$tlsad->start_again;
	$sender->flush($_->{queue_id}) for @STOPPED;
	ok(settle('sent', @STOPPED), 'every message was sent');
	my $stock = take_stock();
	check($_, $stock) for @STOPPED;
};

stop_tlsad();
is(join("\n", Tlsad::Daemon::sanitizer_reports()), '', 'no sanitizer report');

# Each of these programs was needed to the end.
ok($nsd->alive && $unbound->alive, 'the name server and the resolver still run');
unlike($sender->log, qr/(?:fatal|panic): /, 'no fatal error in the sender\'s log');
unlike($receiver->log, qr/(?:fatal|panic): /, 'no fatal error in the receiver\'s log');

$finished = Test::More->builder->is_passing;
done_testing();
