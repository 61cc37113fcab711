package Tlsad::FakeControl;

# Tlsad::FakeControl - a control socket whose replies the test chooses
#
# Purpose
#   Speaks the protocol of daemon/control/control.h, correctly or not, without a daemon.
#
# Functions
#   Tlsad::FakeControl->start(sub { my ($peer, $request) = @_; ... })
#       The function is called for each request, decoded, in a separate process whose
#       variables keep their values until the server ends. It serves one connection at
#       a time.
#   $fake->path            the socket
#   $fake->requests        the requests so far, decoded, in order
#   $fake->notes           the notes of the function
#   $fake->stop            also done when the object is destroyed
#
#   $peer->answer(REQUEST, {MEMBER => VALUE})   the last reply: ok is added
#   $peer->entry(REQUEST, {MEMBER => VALUE})    one of several replies
#   $peer->error(REQUEST, WORDS)
#   $peer->raw(BYTES)      unchanged, without a time limit
#   $peer->cut(BYTES)      close the connection after this number of bytes in total
#   $peer->hang_up         close the connection
#   $peer->note(TEXT)      a line for the test to read
#   $peer->highest_memory  of the client, in kB: VmHWM
#   frame(BYTES)           as a netstring

use strict;
use warnings;
use IO::Socket::UNIX;
use JSON::PP ();
use Socket qw(SOCK_STREAM SOL_SOCKET SO_PEERCRED);
use Tlsad::Process ();

my $json = JSON::PP->new->utf8->canonical->allow_nonref;

sub frame { return length($_[0]) . ":$_[0]," }

sub start
{
	my ($class, $function) = @_;
	my $directory = Tlsad::Process::private_directory();
	my $self = bless { directory => $directory }, $class;
	my $listener = IO::Socket::UNIX->new(Local => $self->path, Type => SOCK_STREAM,
		Listen => 5) or die $self->path . ": $!\n";
	$self->{process} = Tlsad::Process::spawn(log => "$directory/log", code => sub {
		$SIG{PIPE} = 'IGNORE';
		while (my $socket = $listener->accept) { _serve($self, $socket, $function) }
	});
	return $self;
}

sub path { return "$_[0]{directory}/control" }

sub _serve
{
	my ($self, $socket, $function) = @_;
	my $peer = bless { socket => $socket, sent => 0, directory => $self->{directory} },
		'Tlsad::FakeControl::Peer';
	my $buffer = '';
	while (sysread($socket, $buffer, 65536, length($buffer))) {
		while ($buffer =~ /\A(\d+):/ && length($buffer) > length($1) + 1 + $1) {
			my ($length, $from) = ($1, length($1) + 1);
			my $payload = substr($buffer, $from, $length);
			substr($buffer, 0, $from + $length + 1, '');
			_append("$self->{directory}/requests", "$payload\n");
			$function->($peer, $json->decode($payload));
			return unless $peer->{socket};
		}
	}
}

sub _append
{
	my ($file, $text) = @_;
	open(my $handle, '>>', $file) or die "$file: $!\n";
	print {$handle} $text;
	close($handle) or die "$file: $!\n";
}

sub _lines
{
	my ($file) = @_;
	open(my $handle, '<', $file) or return ();
	chomp(my @lines = <$handle>);
	return @lines;
}

sub requests { return map { $json->decode($_) } _lines("$_[0]{directory}/requests") }
sub notes { return _lines("$_[0]{directory}/notes") }
sub stop { $_[0]{process}->stop(5) }

package Tlsad::FakeControl::Peer;

use strict;
use warnings;

sub raw
{
	my ($self, $bytes) = @_;
	my $left = ($self->{cut} // 1e18) - $self->{sent};
	$bytes = substr($bytes, 0, $left) if length($bytes) > $left;
	for (my $at = 0; $self->{socket} && $at < length($bytes);) {
		my $count = syswrite($self->{socket}, $bytes, length($bytes) - $at, $at);
		return $self->hang_up unless defined $count;
		$at += $count;
		$self->{sent} += $count;
	}
	$self->hang_up if $self->{sent} >= ($self->{cut} // 1e18);
}

sub _send { $_[0]->raw(Tlsad::FakeControl::frame($json->encode($_[1]))) }

sub answer
{
	my ($self, $request, $members) = @_;
	$self->_send({ id => $request->{id}, ok => JSON::PP::true, %$members });
}

sub entry { $_[0]->_send({ id => $_[1]{id}, entry => $_[2] }) }
sub error { $_[0]->_send({ id => $_[1]{id}, error => $_[2] }) }
sub cut { $_[0]{cut} = $_[1] }
sub note { Tlsad::FakeControl::_append("$_[0]{directory}/notes", "$_[1]\n") }

sub hang_up
{
	my ($self) = @_;
	close($self->{socket}) if $self->{socket};
	delete $self->{socket};
}

sub highest_memory
{
	my ($self) = @_;
	my ($pid) = unpack('i', getsockopt($self->{socket}, Socket::SOL_SOCKET(),
		Socket::SO_PEERCRED()));
	open(my $handle, '<', "/proc/$pid/status") or die "/proc/$pid/status: $!\n";
	local $/;
	my ($kilobytes) = <$handle> =~ /^VmHWM:\s+(\d+) kB/m or die "no VmHWM\n";
	return $kilobytes;
}

1;
