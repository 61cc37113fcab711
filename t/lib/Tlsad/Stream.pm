package Tlsad::Stream;

# Tlsad::Stream - clients that send requests without end, as Postfix does
#
# Purpose
#   Shows whether clients notice that tlsad is restarted. Each client is a process. Every second
#   client connects for each request; every third one requests destinations that are not cached.
#
# Functions
#   ask_like_postfix(ENDPOINT, \CONNECTION, KEY)
#       On a connection that stays open; if that breaks, once more on a new one
#       (dict_sockmap_lookup() in Postfix's src/util/dict_sockmap.c). If it cannot connect,
#       the request has failed. Returns the reply, or the reason of the failure.
#   Tlsad::Stream->start(ENDPOINT, CLIENTS, TIMEOUT)
#   $stream->all_answered
#       True if each client has got a reply since the last call, within TIMEOUT [s].
#   $stream->stop
#       Ends the clients. Returns the requests that failed, one per line.
#   $stream->answers                number of replies up to the last all_answered

use strict;
use warnings;
use Tlsad::Observe;
use Tlsad::Process ();
use Tlsad::Socketmap;

use constant REQUEST_TIMEOUT => 100;		# [s] ipc_timeout of Postfix

sub ask_like_postfix
{
	my ($endpoint, $connection, $key) = @_;
	for my $attempt (1 .. 2) {
		$$connection //= eval { Tlsad::Socketmap->new($endpoint, timeout => REQUEST_TIMEOUT) }
			or return "attempt $attempt: $@";
		my $reply = eval { $$connection->request('policy', $key) };
		return $reply if defined $reply;
		undef $$connection;
	}
	return "twice: $@";
}

# One byte for each reply, one line for each failure.
sub _client
{
	my ($number, $endpoint, $file, $end) = @_;
	open(my $answers, '>', "$file.answers") or die "$file: $!\n";
	open(my $failures, '>', "$file.failures") or die "$file: $!\n";
	my ($connection, $port) = (undef, 1000 * $number);
	until (-e $end) {
		undef $connection if $number % 2;
		my $key = $number % 3 ? 'full.dane.lab' : '[mx1.dane.lab]:' . ++$port;
		my $reply = ask_like_postfix($endpoint, \$connection, $key);
		if ($reply =~ /^(?:OK dane-only|NOTFOUND )/) { syswrite($answers, 'x') }
		else { syswrite($failures, "$key: $reply\n") }
	}
}

sub start
{
	my ($class, $endpoint, $clients, $timeout) = @_;
	my $directory = Tlsad::Process::private_directory();
	my $self = bless { end => "$directory/end", timeout => $timeout,
		files => [ map { "$directory/$_" } 1 .. $clients ], before => [ (0) x $clients ] }, $class;
	for my $number (0 .. $clients - 1) {
		my $file = $self->{files}[$number];
		push(@{$self->{processes}}, Tlsad::Process::spawn(log => "$file.log",
			code => sub { _client($number, $endpoint, $file, $self->{end}) }));
	}
	return $self;
}

sub _counts { return map { -s "$_.answers" // 0 } @{$_[0]{files}} }

sub all_answered
{
	my ($self) = @_;
	my $all = wait_until($self->{timeout}, sub {
		my @now = $self->_counts;
		return !grep { $now[$_] <= $self->{before}[$_] } 0 .. $#now;
	});
	$self->{before} = [ $self->_counts ];
	return $all;
}

sub answers
{
	my ($self) = @_;
	my $sum = 0;
	$sum += $_ for @{$self->{before}};
	return $sum;
}

sub stop
{
	my ($self) = @_;
	open(my $handle, '>', $self->{end}) or die "$self->{end}: $!\n";
	my @hanging = grep { !defined $_->wait($self->{timeout}) } @{$self->{processes}};
	my @failures = map { my $name = $_;
		open(my $file, '<', "$name.failures") or die "$name: $!\n"; <$file> } @{$self->{files}};
	return (@failures, ("a client still waits\n") x @hanging);
}

1;
