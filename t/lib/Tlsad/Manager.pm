package Tlsad::Manager;

# Tlsad::Manager - a service manager for one tlsad, like systemd
#
# Purpose
#   Opens the listening sockets and passes them to the daemon (LISTEN_FDS,
#   sd_listen_fds(3)), receives its notifications (NOTIFY_SOCKET, sd_notify(3)) and
#   requests watchdog messages (WATCHDOG_USEC, sd_watchdog_enabled(3)). No systemd is
#   needed.
#
# Functions
#   Tlsad::Manager->new(sockets => [[NAME, ENDPOINT]...], watchdog => SECONDS,
#           abstract => 1, env => {NAME => VALUE})
#       Opens the sockets. ENDPOINT is unix:PATH or inet:127.0.0.1:PORT, or a handle.
#       With abstract, NOTIFY_SOCKET has no name in the file system. env is applied
#       last, for variables that a manager should not set.
#   $manager->options
#       wrapper and env for Tlsad::Daemon. Because the sockets accept all the time, only
#       wait() shows that the daemon is ready.
#   $manager->messages            the daemon's messages so far: {KEY => VALUE}...
#   $manager->wait(SECONDS, CODE) the first message since the last wait() for which CODE,
#                                 called with the message, is true; undef after SECONDS
#   $manager->forget              wait() ignores the messages so far
#   $manager->close               closes the sockets and removes their files

use strict;
use warnings;
use Fcntl qw(F_SETFD);
use IO::Select;
use IO::Socket::INET;
use IO::Socket::UNIX;
use Socket qw(SOCK_DGRAM SOCK_STREAM);
use Time::HiRes ();
use Tlsad::Process ();

# In the child: move the descriptors to 3 and up, through unused numbers.
my $hand_over = <<'END';
use POSIX ();
my ($from, $names) = splice(@ARGV, 0, 2);
my @from = split(/,/, $from);
POSIX::dup2($from[$_], 200 + $_) for 0 .. $#from;
POSIX::close($_) for @from;
for (0 .. $#from) { POSIX::dup2(200 + $_, 3 + $_); POSIX::close(200 + $_) }
$ENV{LISTEN_PID} //= $$;
$ENV{LISTEN_FDS} //= @from;
$ENV{LISTEN_FDNAMES} //= $names;
exec { $ARGV[0] } @ARGV or die "$ARGV[0]: $!\n";
END

sub new
{
	my ($class, %options) = @_;
	my $directory = Tlsad::Process::private_directory();
	chmod(0755, $directory);
	my $self = bless { owner => $$, said => [], heard => 0, env => { %{$options{env} // {}} } }, $class;
	my $path = $options{abstract} ? "\0$directory/notify" : "$directory/notify";
	$self->{notify} = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Local => $path)
		or die "notify: $!\n";
	chmod(0777, $path) unless $options{abstract};
	$self->{notify}->blocking(0);
	$self->{env}{NOTIFY_SOCKET} //= $options{abstract} ? "\@$directory/notify" : $path;
	$self->{env}{WATCHDOG_USEC} //= $options{watchdog} * 1e6 if $options{watchdog};
	for (@{$options{sockets} // []}) {
		my ($name, $endpoint) = @$_;
		my $socket = ref $endpoint ? $endpoint : _listen($endpoint);
		fcntl($socket, F_SETFD, 0);
		push(@{$self->{sockets}}, $socket);
		push(@{$self->{names}}, $name);
	}
	return $self;
}

sub _listen
{
	my ($endpoint) = @_;
	my $socket = $endpoint =~ /^unix:(.*)/
		? IO::Socket::UNIX->new(Type => SOCK_STREAM, Local => $1, Listen => 4096)
		: $endpoint =~ /^inet:(.*):(\d+)/
		? IO::Socket::INET->new(Proto => 'tcp', LocalAddr => $1, LocalPort => $2, Listen => 4096,
			ReuseAddr => 1) : undef;
	return $socket // die "$endpoint: $!\n";
}

sub options
{
	my ($self) = @_;
	my @sockets = @{$self->{sockets} // []};
	return (env => $self->{env}) unless @sockets;
	return (env => $self->{env}, wrapper => [ $^X, '-e', $hand_over,
		join(',', map { fileno($_) } @sockets), join(':', @{$self->{names}}) ]);
}

sub messages
{
	my ($self) = @_;
	while (defined $self->{notify}->recv(my $words, 4096)) {
		push(@{$self->{said}}, { map { /^(\w+)=(.*)$/ ? ($1 => $2) : ($_ => '') } split(/\n/, $words) });
	}
	return @{$self->{said}};
}

sub wait
{
	my ($self, $seconds, $code) = @_;
	my $end = Time::HiRes::time() + $seconds;
	while (1) {
		my @said = $self->messages;
		while ($self->{heard} < @said) {
			my $message = $said[$self->{heard}++];
			return $message if $code->($message);
		}
		my $left = $end - Time::HiRes::time();
		return undef if $left <= 0;
		IO::Select->new($self->{notify})->can_read($left);
	}
}

sub forget
{
	my ($self) = @_;
	$self->{heard} = scalar($self->messages);
}

sub close
{
	my ($self) = @_;
	return if $self->{owner} != $$;
	for my $socket (@{$self->{sockets} // []}) {
		my $path = $socket->isa('IO::Socket::UNIX') && $socket->hostpath;
		unlink($path) if $path;
		CORE::close($socket);
	}
	delete $self->{sockets};
}

1;
