# A site in a private namespace (Namespace.pm): a signed DNS tree (Zones.pm), Postfix's own resolver, a
# sending and a receiving Postfix (Instance.pm), and the mail between them.
#
#   127.0.0.53:53   NSD with the tree
#   127.0.0.1:53    unbound, Postfix's resolver
#   127.0.0.2:25    the sending Postfix
#   127.0.0.10      the receiving Postfix; each kind of host has an smtpd at a separate address
#
# A case (Cases.pm, PinnedCases.pm) has its own domain and its own message. Compared with the
# expectation are: the TLS session in the sender's log, the result for the message (delivered,
# bounced, or deferred and still in the queue), and the receiver at which it arrived, with or without
# TLS.
package Site;

use strict;
use warnings;

use Exporter qw(import);
use File::Copy qw(copy);
use IO::Socket::INET;
use Instance;
use Namespace;
use Test::More;
use Time::HiRes qw(sleep time);
use Tlsad::Certificates;
use Tlsad::Daemon;
use Tlsad::Process;
use Zones;

our @EXPORT_OK = qw(host bogus alias wait_for postfix_version postfix_before $NAME_SERVER $RESOLVER $SENDER $RECEIVER $TIMEOUT
    $NOT_TRUSTED $NO_STARTTLS $NO_POLICY $NO_DNS_ANSWER);

our $NAME_SERVER = '127.0.0.53';
our $RESOLVER    = '127.0.0.1';
our $SENDER      = '127.0.0.2';
our $RECEIVER    = '127.0.0.10';

# Limits for waiting, which is always polling, in seconds. Even a loaded machine or a sanitizer build
# stays far below them.
our $TIMEOUT = 60;

# The reasons in Postfix's log.
our $NOT_TRUSTED = qr/Server certificate not (?:trusted|verified)/;
our $NO_STARTTLS = qr/TLS is required, but was not offered/;
our $NO_POLICY   = qr/client TLS configuration problem/;
# Postfix requests a policy only after its own MX and address lookups, so it defers this mail itself.
our $NO_DNS_ANSWER = qr/Name service error .* try again/;

# ---- The version of Postfix

# Its numbers, (3, 10, 5), or an empty list without Postfix. Snapshots, which no distribution has, are
# "3.10-20241231", from before the release: (3, 10, -1).
sub postfix_version
{
	my $postconf = Tlsad::Process::find_program('postconf') // return;
	my $answer = `$postconf -d mail_version`;
	my ($major, $minor, $patch) = $answer =~ /= (\d+)\.(\d+)(?:\.(\d+)|-\d+)/
	    or die "$postconf: no mail_version in: $answer\n";
	return ($major, $minor, $patch // -1);
}

# Whether it is older than this version, "3.10" or "3.10.5".
sub postfix_before
{
	my ($version) = @_;
	my @wanted = split /\./, $version;
	my @got = postfix_version();
	for my $i (0 .. $#got) {
		my $difference = $got[$i] <=> ($wanted[$i] // 0);
		return $difference < 0 if $difference != 0;
	}
	return 0;
}

# ---- Functions for writing cases

# One of the MX hosts of a case: its receiver and its TLSA records, "USAGE SELECTOR MATCHING-TYPE
# CERTIFICATE".
sub host
{
	my ($receiver, @tlsa) = @_;
	return { receiver => $receiver, tlsa => [@tlsa] };
}

# The host's record set of this type is bogus.
sub bogus
{
	my ($type, $host) = @_;
	return { %$host, bogus => $type };
}

# The host's name is a CNAME to a name in this zone, which has the addresses. The TLSA records are there
# too, or at the host's own name if tlsa_at_alias is set.
sub alias
{
	my ($zone, $host, %more) = @_;
	return { %$host, alias => $zone, %more };
}

# ---- Prerequisites, and the way inside

# Returns inside the namespace. Outside, it runs the test again inside and exits with its status, or
# skips the test because a requirement is missing.
sub go_inside
{
	my (@programs) = @_;
	return if Namespace::inside();
	my @missing = Namespace::missing(
		qw(postfix postqueue nsd unbound openssl ldns-keygen ldns-signzone ldns-key2ds), @programs);
	push @missing, Tlsad::Daemon::binary() if !-x Tlsad::Daemon::binary();
	Namespace::restart_inside(@missing);
}

# new(receivers => {NAME => {address => ..., certificate => NAME, options => [...], absent => 1}},
#     ports => [...], resolver_options => "options of resolv.conf")
# A receiver with a certificate offers STARTTLS with it; nobody listens at the address of an absent
# one. options are settings of smtpd, as in main.cf.
sub new
{
	my ($class, %self) = @_;
	my $self = bless {%self}, $class;
	my $directory = $self->{directory} =
	    Namespace::enter("nameserver $RESOLVER\noptions $self->{resolver_options}\n", $SENDER, $RECEIVER);
	$self->{certificates}   = Tlsad::Certificates->new("$directory/certificates");
	$self->{zones}          = Zones->new("$directory/zones", $NAME_SERVER);
	$self->{resolver_lines} = [];
	return $self;
}

sub directory    { return $_[0]{directory} }
sub certificates { return $_[0]{certificates} }
sub zones        { return $_[0]{zones} }
sub sender       { return $_[0]{sender} }
sub receiver     { return $_[0]{receiver} }

# ---- The DNS tree

sub add_host
{
	my ($self, $name, $host, $port_tlsa) = @_;
	my $zones = $self->{zones};
	my ($target, $base_domain) = ($name, $name);
	if ($host->{alias}) {
		($target = $name) =~ s/secure\.example\.\z/target.$host->{alias}/;
		$base_domain = $target if !$host->{tlsa_at_alias};
		$zones->add($name, 'CNAME', $target);
	}
	$zones->add($target, 'A', $self->{receivers}{ $host->{receiver} }{address});
	my %tlsa = (25 => $host->{tlsa}, 2525 => $port_tlsa // []);
	for my $port (sort keys %tlsa) {
		for my $record (@{ $tlsa{$port} }) {
			$zones->add("_$port._tcp.$base_domain", 'TLSA', $self->tlsa($record));
		}
	}
	$zones->make_bogus("_25._tcp.$base_domain", 'TLSA') if ($host->{bogus} // '') eq 'TLSA';
	$zones->make_bogus($target, 'A') if ($host->{bogus} // '') eq 'A';
	return;
}

# The data of a TLSA record, from its form in a case.
sub tlsa
{
	my ($self, $record) = @_;
	return $self->{certificates}->tlsa(split / /, $record);
}

# Publishes a case's records, and completes it: domain (as Postfix gets it), key (as tlsad gets it).
sub publish
{
	my ($self, $case) = @_;
	my $zones = $self->{zones};
	# A label that ends in a dot is the whole name.
	my $whole  = $case->{label} =~ /\.\z/;
	my $suffix = $case->{insecure_mx} ? 'plain.example.' : 'secure.example.';
	my $owner  = $whole ? $case->{label} : "$case->{label}.$suffix";
	my $hosts  = $whole ? $owner : "$case->{label}.secure.example.";
	for my $preference (sort { $a <=> $b } keys %{ $case->{mx} // {} }) {
		$zones->add($owner, 'MX', "$preference mx$preference.$hosts");
		$self->add_host("mx$preference.$hosts", $case->{mx}{$preference}, $case->{port_tlsa});
	}
	$self->add_host($owner, $case->{itself}) if $case->{itself};
	$zones->add($owner, @$_) for @{ $case->{records} // [] };
	$zones->make_bogus($owner, 'MX') if $case->{bogus_mx};
	($case->{hosts}  = $hosts) =~ s/\.\z//;
	($case->{domain} = $owner) =~ s/\.\z//;
	$case->{nexthop} =~ s/MX/mx10.$case->{hosts}/ if $case->{nexthop};
	$case->{domain} = $case->{key} if $case->{key};
	$case->{key} //= $case->{nexthop} // $case->{domain};
	push @{ $self->{resolver_lines} }, map {s/DOMAIN/$owner/gr} @{ $case->{resolver} // [] };
	$case->{token} = sprintf 'token-%s-%08x', $case->{label}, int rand 2**32;
	return;
}

# ---- The programs

sub wait_for
{
	my ($condition) = @_;
	my $end = time + $TIMEOUT;
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

# Signs the tree and serves it, and starts Postfix's resolver with these of unbound's modules.
sub start_dns
{
	my ($self, $modules) = @_;
	my ($directory, $zones) = @$self{qw(directory zones)};
	$zones->sign;
	my $nsd_configuration = Namespace::write_file("$directory/nsd.conf", $zones->nsd_configuration);
	my $unbound_configuration = Namespace::write_file("$directory/unbound.conf",
		$zones->unbound_configuration($RESOLVER, $modules, @{ $self->{resolver_lines} }));
	$self->{nsd} = Tlsad::Process::spawn(
		log     => "$directory/nsd.log",
		command => ['nsd', '-d', '-c', $nsd_configuration],
	);
	# Debian's AppArmor profile lets /usr/sbin/unbound read only its own directories; it does not
	# apply to a copy.
	copy(Tlsad::Process::find_program('unbound'), "$directory/unbound") or die "unbound: $!\n";
	chmod 0755, "$directory/unbound" or die "$directory/unbound: $!\n";
	$self->{unbound} = Tlsad::Process::spawn(
		log     => "$directory/unbound.log",
		command => ["$directory/unbound", '-d', '-c', $unbound_configuration],
	);
	wait_until_listening([$NAME_SERVER, 53], [$RESOLVER, 53]);
	return;
}

# Serves the changed zone.
sub serve_again
{
	my ($self, $zone) = @_;
	$self->{zones}->sign_again($zone);
	$self->{nsd}->signal('HUP');
	return;
}

# The settings of tlsad for using the tree.
sub resolver_settings
{
	my ($self) = @_;
	return {
		trust_anchor    => $self->{zones}{trust_anchor},
		stub            => ". $NAME_SERVER\@53",
		query_localhost => 'yes',
	};
}

# make_sender(main => {NAME => VALUE}, transports => {NAME => {chroot => 1, options => [...]}},
#     cases => [...])
# Each transport is a separate smtp client; the sender of a message chooses it (see submit()).
sub make_sender
{
	my ($self, %options) = @_;
	my $transports = $options{transports};
	$self->{sender} = Instance->new(
		directory => "$self->{directory}/sender",
		main      => {
			myhostname                => 'sender.example',
			inet_interfaces           => $SENDER,
			smtp_tls_loglevel         => '1',
			smtp_tls_CAfile           => '',
			# Deferred mail stays in the queue until the test flushes it.
			minimal_backoff_time      => '1h',
			queue_run_delay           => '1h',
			smtp_connect_timeout      => '10s',
			smtp_helo_timeout         => '30s',
			smtp_connection_cache_on_demand => 'no',
			sender_dependent_default_transport_maps => 'inline:{ '
			    . join(', ', map {"{ \@$_.sender.example = $_: }"} sort keys %$transports) . ' }',
			transport_maps => 'inline:{ '
			    . join(', ', '{ .sender.example = discard: }',
				map {"{ $_->{domain} = smtp:$_->{nexthop} }"} grep { $_->{nexthop} } @{ $options{cases} })
			    . ' }',
			%{ $options{main} },
		},
		master => join '', "$SENDER:25 inet n - n - - smtpd\n", map {
			my $transport = $transports->{$_};
			sprintf "%s unix - - %s - 15 smtp%s\n", $_, $transport->{chroot} ? 'y' : 'n',
			    join '', map {" -o $_"} @{ $transport->{options} // [] };
		} sort keys %$transports,
	);
	return;
}

sub make_receiver
{
	my ($self) = @_;
	my ($directory, $receivers) = @$self{qw(directory receivers)};
	mkdir "$directory/mail" or die "$directory/mail: $!\n";
	my ($uid, $gid) = (getpwnam 'postfix')[2, 3];
	chown $uid, $gid, "$directory/mail" or die "$directory/mail: $!\n";
	$self->{receiver} = Instance->new(
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
			my ($name, $receiver) = ($_, $receivers->{$_});
			my $options = join '', map {" -o $_"} "myhostname=$name.receiver.example", "syslog_name=$name",
			    $receiver->{certificate}
			    ? ('smtpd_tls_security_level=may',
				"smtpd_tls_chain_files=$directory/certificates/$receiver->{certificate}.pem")
			    : 'smtpd_tls_security_level=none', @{ $receiver->{options} // [] };
			map {"$receiver->{address}:$_ inet n - n - - smtpd$options\n"} @{ $self->{ports} };
		} grep { !$receivers->{$_}{absent} } sort keys %$receivers,
	);
	return;
}

sub start_mail
{
	my ($self) = @_;
	$_->start for $self->{receiver}, $self->{sender};
	wait_until_listening([$SENDER, 25],
		map { [$_->{address}, 25] } grep { !$_->{absent} } values %{ $self->{receivers} });
	return;
}

# ---- Mail

# Submits the messages to the sending Postfix, and stores the queue identifier of each.
sub submit
{
	my ($self, @cases) = @_;
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
		my $head = join "\r\n", "Subject: $case->{token}", @{ $case->{fields} // [] };
		my $reply = $command->("$head\r\n\r\nThe message of: $case->{about}\r\n.");
		($case->{queue_id}) = $reply =~ /queued as (\w+)/ or die "no queue identifier in $reply";
	}
	$command->('QUIT');
	return;
}

# The same through sendmail(1), as a program on the sending host does.
sub submit_locally
{
	my ($self, @cases) = @_;
	my $etc = "$self->{directory}/sender/etc";
	for my $case (@cases) {
		my $transport = $case->{transport} // 'smtp';
		open my $sendmail, '|-', 'sendmail', '-C', $etc, '-i', '-f', "test\@$transport.sender.example",
		    "someone\@$case->{domain}" or die "sendmail: $!\n";
		print {$sendmail} "Subject: $case->{token}\nMessage-ID: <$case->{token}\@sender.example>\n\n",
		    "The message of: $case->{about}\n";
		close $sendmail or die "sendmail: status $?\n";
	}
	for my $case (@cases) {
		wait_for(sub {
			($case->{queue_id}) = $self->{sender}->log =~ /: (\w+): message-id=<\Q$case->{token}\E\@/;
		}) or die "no queue identifier of $case->{token}\n";
	}
	return;
}

# The mail at the receivers: token => ["receiver TLS" or "receiver cleartext", ...]. The top Received
# field is the receiver's own.
sub arrived
{
	my ($self) = @_;
	my %arrived;
	for my $file (glob "$self->{directory}/mail/inbox/{new,cur}/*") {
		my ($head) = split /\n\n/, Namespace::read_file($file), 2;
		my ($token) = $head =~ /^Subject: (\S+)$/m;
		my ($name, $protocol) = $head =~ /^Received: .*?\bby (\w+)\.receiver\.example .*?\bwith (\w+)/ms;
		# RFC 3848: ESMTPS is ESMTP after STARTTLS; RFC 6531 4.3 adds UTF8SMTPS.
		my $session = ($protocol // '') =~ /SMTPS\z/ ? 'TLS' : 'cleartext';
		push @{ $arrived{ $token // "a message without a token" } }, ($name // '?') . " $session";
	}
	return \%arrived;
}

# Waits until each message has one of these outcomes, the sender's queue manager has acted on them,
# and the receiver has stored the mail.
sub settle
{
	my ($self, $statuses, @cases) = @_;
	return wait_for(sub {
		my $outcomes = $self->{sender}->outcomes;
		!grep { ($outcomes->{ $_->{queue_id} }[0] // '') !~ /\A(?:$statuses)\z/ } @cases;
	}) && wait_for(sub {
		!grep { $_ ne 'deferred' } values %{ $self->{sender}->queue };
	}) && wait_for(sub {
		!%{ $self->{receiver}->queue };
	});
}

# The result for everything sent so far: outcomes in the sender's log, its queue, and arrived mail.
sub take_stock
{
	my ($self) = @_;
	return {
		outcomes => $self->{sender}->outcomes,
		queue    => $self->{sender}->queue,
		arrived  => $self->arrived,
	};
}

# The lines of the sender's log that a case caused.
sub log_of
{
	my ($self, $case) = @_;
	my $about = join '|', map {quotemeta} $case->{queue_id}, grep { length } $case->{hosts}, $case->{domain};
	return join '', map {"$_\n"} grep {/\b(?<![\w-])(?:$about)\b/} split /\n/, $self->{sender}->log;
}

sub check_delivered
{
	my ($self, $case, $stock) = @_;
	my ($name, $host, $session) = @{ $case->{delivered} };
	is($stock->{outcomes}{ $case->{queue_id} }[0], 'sent', 'Postfix sent it');
	ok(!exists $stock->{queue}{ $case->{queue_id} }, 'nothing is left in the queue');
	my @arrived = @{ $stock->{arrived}{ $case->{token} } // [] };
	is("@arrived", "$name " . ($session ? 'TLS' : 'cleartext'), 'one message, at that receiver');
	my $host_name = $case->{itself} ? $case->{domain} : $host =~ /\./ ? $host : "$host.$case->{hosts}";
	my @sessions = $self->{sender}->log =~ /(\w+) TLS connection established to \Q$host_name\E\[/g;
	is("@sessions", $session // '', 'the TLS session in Postfix\'s log');
	return;
}

sub check_not_delivered
{
	my ($self, $case, $stock) = @_;
	my $expected = $case->{deferred} ? 'deferred' : 'bounced';
	my ($status, $reason) = @{ $stock->{outcomes}{ $case->{queue_id} } // [] };
	is($status, $expected, "Postfix has it $expected");
	like($reason, $case->{$expected}, 'for that reason');
	my $in_queue = $case->{deferred} ? 'deferred' : undef;
	is($stock->{queue}{ $case->{queue_id} }, $in_queue, $in_queue ? 'in the queue' : 'no longer in the queue');
	is(scalar @{ $stock->{arrived}{ $case->{token} } // [] }, 0, 'no message at any receiver');
	my $verified = $case->{trusted_chain} ? 'Verified' : 'Verified|Trusted';
	unlike($self->log_of($case), qr/\b(?:$verified) TLS connection/, 'no session was verified');
	return;
}

# ---- The end

# Each of these programs must have run until the end.
sub check_programs
{
	my ($self) = @_;
	ok($self->{nsd}->alive && $self->{unbound}->alive, 'the name server and the resolver still run');
	unlike($self->{sender}->log,   qr/(?:fatal|panic): /, 'no fatal error in the sender\'s log');
	unlike($self->{receiver}->log, qr/(?:fatal|panic): /, 'no fatal error in the receiver\'s log');
	return;
}

# Prints, after a failure, the ends of the named logs and of every program's log.
sub show_logs
{
	my ($self, @logs) = @_;
	diag("$_:\n" . substr Namespace::read_file("$self->{directory}/$_"), -3000)
	    for grep { -s "$self->{directory}/$_" } @logs, qw(nsd.log unbound.log sender/log receiver/log);
	return;
}

1;
