package Tlsad::Socketmap;

# Tlsad::Socketmap - a socketmap client, for correct and bad input
#
# Purpose
#   Sends requests as Postfix does (socketmap_table(5): netstring "MAP KEY", netstring
#   reply), and sends and receives raw bytes for tests of bad input. Every operation
#   ends within its timeout.
#
# Functions
#   Tlsad::Socketmap->new(ENDPOINT, timeout => SECONDS)
#       ENDPOINT is unix:PATH or inet:HOST:PORT (inet:[::1]:8642). The timeout
#       (default 30) applies to each operation. Dies if it cannot connect.
#   $client->request(MAP, KEY)
#       The reply without its netstring frame: "OK dane-only", "NOTFOUND ".
#   $client->send_request(MAP, KEY), $client->receive_reply([SECONDS])
#       The two halves, for pipelining.
#   $client->send_raw(BYTES)
#       Returns how many were sent before the peer closed or the timeout passed.
#   $client->receive_raw(MOST[, SECONDS])
#       The available data, at most MOST bytes; '' after the peer closed; undef if
#       nothing came in time.
#   $client->closed_by_peer(SECONDS)
#       True if the peer closes within SECONDS; received data is dropped.
#   $client->socket, $client->close
#   netstring(BYTES)
#
# Errors
#   request and receive_reply die: "socketmap: timeout", "socketmap: closed",
#   "socketmap: not a netstring: ...".

use strict;
use warnings;
use Errno qw(EAGAIN EINTR EWOULDBLOCK);
use IO::Select;
use IO::Socket::IP;
use IO::Socket::UNIX;
use Socket qw(MSG_NOSIGNAL SOCK_STREAM);
use Time::HiRes ();

use constant DEFAULT_TIMEOUT => 30;		# [s]
use constant MAX_REPLY => 100_000;		# Postfix's own limit, socketmap_table(5)

sub new
{
	my ($class, $endpoint, %options) = @_;
	my $timeout = $options{timeout} // DEFAULT_TIMEOUT;
	my $socket;
	if ($endpoint =~ /^unix:(.+)$/) {
		$socket = IO::Socket::UNIX->new(Peer => $1, Type => SOCK_STREAM);
	} elsif ($endpoint =~ /^inet:(?:\[([^\]]+)\]|([^:]+)):(\d+)$/) {
		$socket = IO::Socket::IP->new(PeerHost => $1 // $2, PeerPort => $3,
			Type => SOCK_STREAM, Timeout => $timeout);
	} else {
		die "socketmap: not an endpoint: $endpoint\n";
	}
	die "socketmap: cannot connect to $endpoint: $!\n" unless $socket;
	$socket->blocking(0);
	return bless { socket => $socket, timeout => $timeout, buffer => '' }, $class;
}

sub netstring { return length($_[0]) . ":$_[0]," }

sub socket { return $_[0]{socket} }

sub close
{
	my ($self) = @_;
	CORE::close($self->{socket}) if $self->{socket};
	delete $self->{socket};
}

sub _wait_for
{
	my ($self, $what, $end) = @_;
	my $left = $end - Time::HiRes::time();
	return 0 if $left <= 0;
	my $select = IO::Select->new($self->{socket});
	return scalar($what eq 'read' ? $select->can_read($left)
		: $select->can_write($left));
}

sub send_raw
{
	my ($self, $bytes) = @_;
	my $end = Time::HiRes::time() + $self->{timeout};
	my $sent = 0;
	while ($sent < length($bytes)) {
		my $count = send($self->{socket}, substr($bytes, $sent, 65536),
			MSG_NOSIGNAL);
		if (defined $count) { $sent += $count; next }
		next if $! == EINTR;
		return $sent unless $! == EAGAIN || $! == EWOULDBLOCK;
		return $sent unless $self->_wait_for('write', $end)
			|| Time::HiRes::time() < $end;
	}
	return $sent;
}

sub receive_raw
{
	my ($self, $most, $seconds) = @_;
	if (length($self->{buffer})) {
		return substr($self->{buffer}, 0, $most, '');
	}
	my $end = Time::HiRes::time() + ($seconds // $self->{timeout});
	while (1) {
		my $count = sysread($self->{socket}, my $bytes, $most);
		return $bytes if defined $count;
		next if $! == EINTR;
		return '' unless $! == EAGAIN || $! == EWOULDBLOCK;	# reset
		return undef unless $self->_wait_for('read', $end)
			|| Time::HiRes::time() < $end;
	}
}

sub closed_by_peer
{
	my ($self, $seconds) = @_;
	my $end = Time::HiRes::time() + $seconds;
	$self->{buffer} = '';
	while ((my $left = $end - Time::HiRes::time()) > 0) {
		my $bytes = $self->receive_raw(65536, $left);
		return 1 if defined $bytes && $bytes eq '';
	}
	return 0;
}

sub send_request
{
	my ($self, $map, $key) = @_;
	my $request = netstring("$map $key");
	my $sent = $self->send_raw($request);
	die "socketmap: closed\n" unless $sent == length($request);
}

sub receive_reply
{
	my ($self, $seconds) = @_;
	my $end = Time::HiRes::time() + ($seconds // $self->{timeout});
	my $buffer = '';
	while (1) {
		if ($buffer =~ /^(0|[1-9][0-9]{0,6}):/) {
			my ($length, $start) = ($1, length($1) + 1);
			die "socketmap: reply of $length bytes\n" if $length > MAX_REPLY;
			if (length($buffer) > $start + $length) {
				die "socketmap: no comma after the reply\n"
					unless substr($buffer, $start + $length, 1) eq ',';
				$self->{buffer} = substr($buffer, $start + $length + 1);
				return substr($buffer, $start, $length);
			}
		} elsif ($buffer !~ /^(?:0|[1-9][0-9]{0,6})?$/) {
			die 'socketmap: not a netstring: ' . substr($buffer, 0, 40) . "\n";
		}
		my $left = $end - Time::HiRes::time();
		my $bytes = $left > 0 ? $self->receive_raw(65536, $left) : undef;
		if (!defined $bytes) {
			$self->{buffer} = $buffer;	# a later call may go on
			die "socketmap: timeout\n";
		}
		die "socketmap: closed\n" if $bytes eq '';
		$buffer .= $bytes;
	}
}

sub request
{
	my ($self, $map, $key) = @_;
	$self->send_request($map, $key);
	return $self->receive_reply;
}

1;
