package Tlsad::MailHost;

# Tlsad::MailHost - an SMTP server with STARTTLS for a test, with or without faults
#
# Purpose
#   Runs t/lab/mailhost of the build directory on free ports, and ends it. Its source
#   lists the faults.
#
# Functions
#   Tlsad::MailHost->start(listen => [ADDRESS:PORT...], cert => CHAIN, key => KEY,
#           sni => {NAME => [CHAIN, KEY]}, tls_only => 1, fault => NAME,
#           seconds => N)
#       Returns when it listens everywhere; dies with its output if it does not.
#       Everything may be left out: then it listens on one free port of 127.0.0.1
#       and has no TLS. IPv6 addresses are in brackets.
#   $host->port([N])       of the N-th listener (from 0)
#   $host->lines           its output so far: "connection 1", "quit", ...
#   $host->count(WORD)     how many of these begin with the word
#   $host->wait_count(WORD, NUMBER, SECONDS)
#                          true as soon as there are NUMBER of them
#   $host->names           the SNI names of all handshakes so far, or "none"
#   $host->alive
#   $host->let_go          closes its standard input, so that it ends by itself
#   $host->wait(SECONDS)   the exit status, 128 + signal for a signal, or undef if it
#                          still runs
#   $host->stop            SIGTERM; returns the same

use strict;
use warnings;
use Time::HiRes ();
use Tlsad::Process ();

use constant START_TIMEOUT => 20;		# [s] sanitizers make a start slow
use constant STOP_TIMEOUT => 10;		# [s]
use constant POLL_INTERVAL => 0.01;		# [s]

sub binary { return Tlsad::Process::build_directory() . '/t/lab/mailhost' }

sub _arguments
{
	my (%options) = @_;
	my $sni = $options{sni} // {};
	return ((map { ('--listen', $_) } @{$options{listen}}),
		$options{cert} ? ('--cert', $options{cert}, '--key', $options{key}) : (),
		(map { ('--sni', "$_=" . join(',', @{$sni->{$_}})) } sort keys %$sni),
		$options{tls_only} ? '--tls-only' : (),
		$options{fault} ? ('--fault', $options{fault}) : (),
		$options{seconds} ? ('--time', $options{seconds}) : ());
}

sub start
{
	my ($class, %options) = @_;
	my $binary = binary();
	die "$binary is missing: build it (make check does), or set TLSAD_BUILD\n"
		unless -x $binary;
	$options{listen} //= ['127.0.0.1:0'];
	my $directory = Tlsad::Process::private_directory();
	my $self = bless { owner => $$, log => "$directory/log" }, $class;
	pipe(my $reader, $self->{input}) or die "pipe: $!\n";
	$self->{process} = Tlsad::Process::spawn(command => [ $binary, _arguments(%options) ],
		log => $self->{log}, input => $reader);
	if (!$self->wait_count('listening', scalar @{$options{listen}}, START_TIMEOUT)) {
		$self->stop;
		die "mailhost does not listen:\n" . join("\n", $self->lines) . "\n";
	}
	$self->{ports} = [ map { /^listening \S+ (\d+)$/ ? $1 : () } $self->lines ];
	return $self;
}

sub port { return $_[0]{ports}[$_[1] // 0] }
sub alive { return $_[0]{process}->alive }

# An incomplete line is left for the next call.
sub lines
{
	my ($self) = @_;
	open(my $handle, '<:raw', $self->{log}) or return ();
	my $text = do { local $/; <$handle> } // '';
	return split(/\n/, $text =~ s/[^\n]*\z//r);
}

sub count
{
	my ($self, $word) = @_;
	return scalar(grep { /^\Q$word\E(?: |\z)/ } $self->lines);
}

sub wait_count
{
	my ($self, $word, $number, $seconds) = @_;
	my $end = Time::HiRes::time() + $seconds;
	while ($self->count($word) < $number) {
		return 0 if Time::HiRes::time() >= $end || !$self->{process}->alive;
		Time::HiRes::sleep(POLL_INTERVAL);
	}
	return 1;
}

sub names { return map { /^handshake sni=(.*)$/ ? $1 : () } $_[0]->lines }

sub let_go { close(delete $_[0]{input}) }

sub _exit_status
{
	my ($status) = @_;
	return undef unless defined $status;
	return $status & 127 ? 128 + ($status & 127) : $status >> 8;
}

sub wait { return _exit_status($_[0]{process}->wait($_[1])) }

sub stop
{
	my ($self) = @_;
	return undef if $self->{owner} != $$;
	return _exit_status($self->{process}->stop(STOP_TIMEOUT));
}

sub DESTROY
{
	my ($self) = @_;
	return if $self->{owner} != $$;
	local ($@, $?, $!);
	$self->stop if $self->{process};
}

1;
