package Tlsad::FaultyDns;

# Tlsad::FaultyDns - a DNS server that misbehaves on request
#
# Purpose
#   Listens on one free port of 127.0.0.1 over UDP and TCP and answers each query
#   according to the first rule that matches its name and type. A query without a
#   matching rule is passed to a correct server, or refused without one.
#
# Functions
#   Tlsad::FaultyDns->start(rules => [RULE...], upstream => PORT)
#       RULE: { name => NAME, type => TYPE, behaviour => WORD, seconds => N }.
#       name matches itself and all names below it; type (default: every type) is a
#       mnemonic. With seconds, of any behaviour, each answer comes that much later.
#       upstream is the port of a correct server on 127.0.0.1.
#   $server->port
#   $server->queries     every query so far: "udp NAME TYPE BEHAVIOUR"
#   $server->stop        also done when the object is destroyed
#   behaviours()         the names of all behaviours
#
# Behaviours
#   forward           the answer of the upstream server
#   late              the same; its rule has `seconds`
#   silent            receives and never answers
#   refused, servfail RCODE 5, RCODE 2 (RFC 1035 4.1.1)
#   truncated-tcp-closed  TC over UDP, TCP closed as soon as accepted
#   truncated-tcp-silent  TC over UDP, TCP reads and never answers
#   truncated-tcp-half    TC over UDP, over TCP half of the announced message
#   truncated-tcp-short   TC over UDP, over TCP a length of 3 and 3 octets
#   random            octets from a generator, after the right ID and QR
#   header-only       12 octets: no question, no answer, NOERROR
#   cut               an answer that ends in the middle of its record
#   wrong-question    the right ID, another question, and the answer to it
#   wrong-id          the right answer with another ID
#   compression-loop  an owner name that points to itself (RFC 1035 4.1.4)
#   compression-forward  an owner name that points past the message's end
#   rdlength          an RDLENGTH that goes past the message's end
#   many-announced    ANCOUNT 65535, one record
#   short-mx          an MX record with one octet of RDATA
#   oversized-udp     60,000 octets in one datagram, although the query did not allow that
#   oversized-tcp     TC, then 65,000 octets of distinct MX records over TCP
#   many-hosts        TC, then 20,000 octets of distinct MX records over TCP: a
#                     correct answer with far too many hosts
#   large-txt         TC, then over TCP one TXT record of 64,000 octets, which begins as that
#                     of MTA-STS and is well formed
#   many-txt          TC, then 4,300 distinct TXT records over TCP
#   many-sts          TC, then 2,000 distinct TXT records of MTA-STS over TCP
#   endless-cname     every name is a CNAME to a new name below the same one
#   cname-self        every name is a CNAME to itself
#
# Errors
#   start dies if it cannot create a socket or if a behaviour is unknown.

use strict;
use warnings;
use Fcntl qw(O_APPEND O_CREAT O_WRONLY);
use IO::Select;
use IO::Socket::INET;
use Socket qw(MSG_NOSIGNAL);
use Time::HiRes ();
use Tlsad::Process ();

use constant PORT_ATTEMPTS => 50;
use constant UPSTREAM_TIMEOUT => 3;		# [s]
use constant MAX_TCP_CONNECTIONS => 1000;
use constant MAX_NAME => 255;			# RFC 1035 2.3.4, in wire form

my %type_number = (A => 1, NS => 2, CNAME => 5, SOA => 6, MX => 15, TXT => 16,
	AAAA => 28, DNAME => 39, DS => 43, RRSIG => 46, NSEC => 47, DNSKEY => 48,
	TLSA => 52);
my %type_name = reverse %type_number;

use constant { QR => 0x8000, AA => 0x0400, TC => 0x0200, RD => 0x0100 };
use constant { RCODE_SERVFAIL => 2, RCODE_REFUSED => 5 };

# Each gets (question, transport) and returns the reply, undef for none, or a
# reference to raw bytes that go out over TCP without a length of ours ('' closes).
my %behaviour = (
	forward => undef,
	late => undef,
	silent => sub { return undef },
	refused => sub { return _header($_[0], AA => 0, rcode => RCODE_REFUSED) },
	servfail => sub { return _header($_[0], AA => 0, rcode => RCODE_SERVFAIL) },
	'truncated-tcp-closed' => sub {
		return $_[1] eq 'udp' ? _header($_[0], TC => 1) : \'' },
	'truncated-tcp-silent' => sub {
		return $_[1] eq 'udp' ? _header($_[0], TC => 1) : undef },
	'truncated-tcp-half' => sub {
		my ($question, $transport) = @_;
		return _header($question, TC => 1) if $transport eq 'udp';
		my $answer = _address_answer($question);
		my $bytes = pack('n', length($answer))
			. substr($answer, 0, length($answer) / 2);
		return \$bytes;
	},
	'truncated-tcp-short' => sub {
		return $_[1] eq 'udp' ? _header($_[0], TC => 1) : \"\0\3abc" },
	random => sub {
		my ($question) = @_;
		# A fixed seed per name: a failure can be repeated.
		my $state = unpack('%32C*', $question->{name}) + 1;
		my $bytes = '';
		for (1 .. 200) {
			$state = ($state * 1103515245 + 12345) & 0x7fffffff;
			$bytes .= chr(($state >> 16) & 255);
		}
		return pack('nn', $question->{id}, QR | AA) . $bytes;
	},
	'header-only' => sub {
		return pack('nnnnnn', $_[0]{id}, QR | AA, 0, 0, 0, 0) },
	cut => sub {
		my $answer = _address_answer($_[0]);
		return substr($answer, 0, length($answer) - 3);
	},
	'wrong-question' => sub {
		my ($question) = @_;
		my %other = (%$question, wire => "\5other" . $question->{wire});
		return _address_answer(\%other);
	},
	'wrong-id' => sub {
		my ($question) = @_;
		return _address_answer({ %$question, id => $question->{id} ^ 0x5555 });
	},
	'compression-loop' => sub {
		my $header = _header($_[0], answers => 1);
		return $header . pack('n', 0xc000 | length($header))
			. pack('nnNn', $_[0]{type}, 1, 300, 4) . "\xc0\0\2\1";
	},
	'compression-forward' => sub {
		my $header = _header($_[0], answers => 1);
		return $header . pack('n', 0xc000 | 0x3fff)
			. pack('nnNn', $_[0]{type}, 1, 300, 4) . "\xc0\0\2\1";
	},
	rdlength => sub {
		return _header($_[0], answers => 1) . pack('n', 0xc00c)
			. pack('nnNn', $_[0]{type}, 1, 300, 0xfff0) . "\xc0\0\2\1";
	},
	'many-announced' => sub {
		return _header($_[0], answers => 65535) . _record($_[0]) },
	'short-mx' => sub {
		return _header($_[0], answers => 1) . pack('n', 0xc00c)
			. pack('nnNn', $_[0]{type}, 1, 300, 1) . "\0";
	},
	'oversized-udp' => sub {
		return $_[1] eq 'udp' ? _many_hosts($_[0], 60_000)
			: _many_hosts($_[0], 65_000) },
	'oversized-tcp' => sub {
		return $_[1] eq 'udp' ? _header($_[0], TC => 1)
			: _many_hosts($_[0], 65_000) },
	'many-hosts' => sub {
		return $_[1] eq 'udp' ? _header($_[0], TC => 1)
			: _many_hosts($_[0], 20_000) },
	'large-txt' => sub {
		return $_[1] eq 'udp' ? _header($_[0], TC => 1)
			: _texts($_[0], [ 'v=STSv1; id=1; x=', ('y' x 255) x 249 ]) },
	'many-txt' => sub {
		return $_[1] eq 'udp' ? _header($_[0], TC => 1)
			: _texts($_[0], map { [ pack('n', $_) ] } 1 .. 4_300) },
	'many-sts' => sub {
		return $_[1] eq 'udp' ? _header($_[0], TC => 1)
			: _texts($_[0], map { [ "v=STSv1; id=$_" ] } 1 .. 2_000) },
	'endless-cname' => sub {
		my ($question) = @_;
		my ($first, $rest) = $question->{name} =~ /^([^.]*)\.(.*)$/;
		# x1.zone -> x2.zone -> ..., without end, below the rule's name.
		my $next = $first =~ /^x(\d+)$/ ? 'x' . ($1 + 1) : "x1.$first";
		return _cname($question, _wire("$next.$rest"));
	},
	'cname-self' => sub { return _cname($_[0], $_[0]{wire}) },
);

sub behaviours { return sort keys %behaviour }

sub _wire { return join('', map { chr(length) . $_ } split(/\./, $_[0])) . "\0" }

sub _header
{
	my ($question, %field) = @_;
	my $flags = QR | ($field{AA} // 1 ? AA : 0) | ($field{TC} ? TC : 0)
		| ($question->{flags} & RD) | ($field{rcode} // 0);
	return pack('nnnnnn', $question->{id}, $flags, 1, $field{answers} // 0, 0, 0)
		. $question->{wire} . pack('nn', $question->{type}, 1);
}

# Correct RDATA for the type of the query.
sub _rdata
{
	my ($question) = @_;
	my $type = $type_name{$question->{type}} // '';
	return pack('n', 10) . "\2mx" . $question->{wire} if $type eq 'MX';
	return "\x20\x01\x0d\xb8" . "\0" x 11 . "\1" if $type eq 'AAAA';
	return "\3\1\1" . 'x' x 32 if $type eq 'TLSA';
	return "\xc0\0\2\1";
}

sub _record
{
	my ($question) = @_;
	my $rdata = _rdata($question);
	return pack('n', 0xc00c)
		. pack('nnNn', $question->{type}, 1, 300, length($rdata)) . $rdata;
}

sub _address_answer { return _header($_[0], answers => 1) . _record($_[0]) }

sub _cname
{
	my ($question, $target) = @_;
	return _header($question) if length($target) > MAX_NAME;
	return _header($question, answers => 1) . pack('n', 0xc00c)
		. pack('nnNn', $type_number{CNAME}, 1, 300, length($target)) . $target;
}

# MX records of hosts with distinct names, up to about SIZE octets; queries for other
# types get one record, so that only the MX set is oversized.
sub _many_hosts
{
	my ($question, $size) = @_;
	return _address_answer($question) if $question->{type} != $type_number{MX};
	my ($records, $count) = ('', 0);
	while (length($records) < $size - 400) {
		my $rdata = pack('n', 10) . _wire(sprintf('h%05d', $count));
		substr($rdata, -1) = pack('n', 0xc00c);
		$records .= pack('n', 0xc00c)
			. pack('nnNn', $question->{type}, 1, 300, length($rdata)) . $rdata;
		$count++;
	}
	return _header($question, answers => $count) . $records;
}

# TXT records of these strings; nothing for other types.
sub _texts
{
	my ($question, @records) = @_;
	return _header($question) if $question->{type} != $type_number{TXT};
	return _header($question, answers => scalar(@records)) . join('', map {
		my $rdata = join('', map { chr(length) . $_ } @$_);
		pack('nnnNn', 0xc00c, $question->{type}, 1, 300, length($rdata)) . $rdata } @records);
}

sub _parse
{
	my ($packet) = @_;
	return undef if length($packet) < 17;
	my ($id, $flags, $questions) = unpack('nnn', $packet);
	return undef if $questions != 1 || $flags & QR;
	my ($position, @labels) = (12);
	while (1) {
		return undef if $position >= length($packet);
		my $length = ord(substr($packet, $position, 1));
		last if $length == 0;
		return undef if $length > 63;
		push @labels, lc(substr($packet, $position + 1, $length));
		$position += 1 + $length;
	}
	my $wire = substr($packet, 12, $position + 1 - 12);
	return undef if length($packet) < $position + 5;
	return { id => $id, flags => $flags, wire => $wire,
		name => join('.', @labels), type => unpack('n', substr($packet, $position + 1)) };
}

sub start
{
	my ($class, %options) = @_;
	for my $rule (@{$options{rules} // []}) {
		die "no such behaviour: $rule->{behaviour}\n"
			unless exists $behaviour{$rule->{behaviour}};
		die "no such type: $rule->{type}\n"
			if defined $rule->{type} && !$type_number{$rule->{type}};
	}
	my ($udp, $tcp);
	for (1 .. PORT_ATTEMPTS) {
		my %address = (LocalAddr => '127.0.0.1',
			LocalPort => Tlsad::Process::free_port());
		$udp = IO::Socket::INET->new(%address, Proto => 'udp') or next;
		$tcp = IO::Socket::INET->new(%address, Proto => 'tcp', Listen => 128)
			and last;
	}
	die "no free port on 127.0.0.1\n" unless $udp && $tcp;
	my $directory = Tlsad::Process::private_directory();
	my $self = bless { port => $udp->sockport, log => "$directory/queries" }, $class;
	$self->{process} = Tlsad::Process::spawn(log => "$directory/errors", code => sub {
		sysopen(my $log, $self->{log}, O_WRONLY | O_CREAT | O_APPEND, 0600)
			or die "$self->{log}: $!\n";
		_serve($udp, $tcp, $log, $options{rules} // [], $options{upstream});
	});
	return $self;
}

sub port { return $_[0]{port} }
sub stop { return $_[0]{process}->stop(5) }

sub queries
{
	my ($self) = @_;
	open(my $handle, '<', $self->{log}) or return ();
	chomp(my @lines = <$handle>);
	return @lines;
}

sub _serve
{
	my ($udp, $tcp, $log, $rules, $upstream) = @_;
	$SIG{PIPE} = 'IGNORE';
	my $select = IO::Select->new($udp, $tcp);
	my (%connections, @delayed);
	my $drop = sub {
		my ($socket) = @_;
		$select->remove($socket);
		delete $connections{$socket};
		close($socket);
	};
	my $answer = sub {
		my ($packet, $transport, $send) = @_;
		my $question = _parse($packet) or return;
		my $rule = _find_rule($rules, $question, defined $upstream);
		syswrite($log, sprintf("%s %s %s %s\n", $transport, $question->{name} || '.',
			$type_name{$question->{type}} // "TYPE$question->{type}",
			$rule->{behaviour}));
		my $behave = $behaviour{$rule->{behaviour}} // sub {
			return defined $upstream ? _ask_upstream($packet, $transport, $upstream)
				: _address_answer($question);
		};
		my $reply = sub { $send->($behave->($question, $transport)) };
		if ($rule->{seconds}) {
			push @delayed, [ Time::HiRes::time() + $rule->{seconds}, $reply ];
		} else {
			$reply->();
		}
	};
	while (1) {
		@delayed = sort { $a->[0] <=> $b->[0] } @delayed;
		while (@delayed && $delayed[0][0] <= Time::HiRes::time()) {
			(shift @delayed)->[1]->();
		}
		my $wait = @delayed ? $delayed[0][0] - Time::HiRes::time() : 60;
		for my $socket ($select->can_read($wait < 0 ? 0 : $wait)) {
			if ($socket == $udp) {
				my $peer = $udp->recv(my $packet, 65535) // next;
				$answer->($packet, 'udp', sub {
					my ($message) = @_;
					return if !defined $message || ref $message;
					send($udp, $message, 0, $peer);
				});
			} elsif ($socket == $tcp) {
				my $connection = $tcp->accept or next;
				if (keys %connections >= MAX_TCP_CONNECTIONS) {
					close($connection);
					next;
				}
				$connection->blocking(0);
				$select->add($connection);
				$connections{$connection} = '';
			} else {
				my $count = sysread($socket, my $bytes, 65536);
				if (!$count) { $drop->($socket); next }
				$connections{$socket} .= $bytes;
				while (exists $connections{$socket}
					&& $connections{$socket} =~ /^(..)/s) {
					my $length = unpack('n', $1);
					last if length($connections{$socket}) < 2 + $length;
					my $packet = substr($connections{$socket}, 2, $length);
					substr($connections{$socket}, 0, 2 + $length) = '';
					$answer->($packet, 'tcp', sub {
						my ($message) = @_;
						return unless defined $message && $socket->opened;
						# 65,000 octets fit in the buffer of a loopback socket.
						my $bytes = ref $message ? $$message
							: pack('n', length($message)) . $message;
						if ($bytes eq '') { $drop->($socket) }
						else { send($socket, $bytes, MSG_NOSIGNAL) }
					});
				}
			}
		}
	}
}

sub _find_rule
{
	my ($rules, $question, $has_upstream) = @_;
	for my $rule (@$rules) {
		my $suffix = lc($rule->{name} =~ s/\.\z//r);
		next unless $suffix eq '' || $question->{name} eq $suffix
			|| $question->{name} =~ /\.\Q$suffix\E\z/;
		next if defined $rule->{type}
			&& $type_number{$rule->{type}} != $question->{type};
		return $rule;
	}
	return { behaviour => $has_upstream ? 'forward' : 'refused' };
}

sub _ask_upstream
{
	my ($packet, $transport, $port) = @_;
	my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port,
		Proto => $transport, Timeout => UPSTREAM_TIMEOUT) or return undef;
	$packet = pack('n', length($packet)) . $packet if $transport eq 'tcp';
	send($socket, $packet, MSG_NOSIGNAL);
	my $select = IO::Select->new($socket);
	my $buffer = '';
	while ($select->can_read(UPSTREAM_TIMEOUT)) {
		sysread($socket, $buffer, 65537, length($buffer)) or return undef;
		return $buffer if $transport eq 'udp';
		return substr($buffer, 2) if length($buffer) >= 2
			&& length($buffer) >= 2 + unpack('n', $buffer);
	}
	return undef;
}

1;
