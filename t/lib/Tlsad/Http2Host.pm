package Tlsad::Http2Host;

# Tlsad::Http2Host - an HTTPS server with one MTA-STS policy that speaks only HTTP/2
#
# Purpose
#   Runs nghttpd of nghttp2 on an address and port, and ends it.
#
# Functions
#   obstacle()             why it cannot run, as a phrase after "needs"; undef when it can
#   Tlsad::Http2Host->start(address => ADDRESS, port => N, certificates => $certificates,
#           certificate => NAME, OPTION => VALUE...)
#       Returns at once; listens() waits for it. The certificate was made before
#       (Tlsad::Certificates). Options:
#         policy => TEXT       default: there is no file
#         type => TYPE         of the policy, default text/plain; undef: none
#         arguments => [...]   more arguments of nghttpd
#   $host->listens         waits until it listens; dies with its output if it does not
#   $host->requests        the number of requests for the policy over HTTP/2
#   $host->stop            also done when the object is destroyed

use strict;
use warnings;
use Time::HiRes ();
use Tlsad::Process ();

use constant START_TIMEOUT => 20;		# [s]
use constant STOP_TIMEOUT => 10;		# [s]
use constant POLL_INTERVAL => 0.01;		# [s]

sub obstacle
{
	return Tlsad::Process::find_program('nghttpd') ? undef : 'the program nghttpd (Debian: nghttp2-server)';
}

sub _write
{
	my ($file, $text) = @_;
	open(my $handle, '>:raw', $file) or die "$file: $!\n";
	print {$handle} $text;
	close($handle) or die "$file: $!\n";
}

sub start
{
	my ($class, %options) = @_;
	my $directory = Tlsad::Process::private_directory();
	my $folder = "$directory/files/.well-known";
	for my $path ("$directory/files", $folder) {
		mkdir($path) or die "$path: $!\n";
	}
	_write("$folder/mta-sts.txt", $options{policy}) if defined $options{policy};
	my $type = exists $options{type} ? $options{type} : 'text/plain';
	_write("$directory/types", defined $type ? "$type txt\n" : '');
	my $self = bless { owner => $$, log => "$directory/log" }, $class;
	$self->{process} = Tlsad::Process::spawn(log => $self->{log}, command => [
		Tlsad::Process::find_program('nghttpd'), '--verbose', "--address=$options{address}",
		"--htdocs=$directory/files", "--mime-types-file=$directory/types", @{$options{arguments} // []},
		$options{port}, map { $options{certificates}->path($options{certificate}, $_) } qw(key pem) ]);
	return $self;
}

sub listens
{
	my ($self) = @_;
	my $end = Time::HiRes::time() + START_TIMEOUT;
	while (Tlsad::Process::slurp($self->{log}) !~ /^IPv4: listen /m) {
		die "nghttpd does not listen:\n" . Tlsad::Process::slurp($self->{log})
			if !$self->{process}->alive || Time::HiRes::time() > $end;
		Time::HiRes::sleep(POLL_INTERVAL);
	}
}

sub requests
{
	my ($self) = @_;
	my $count = () = Tlsad::Process::slurp($self->{log})
		=~ m{ recv \(stream_id=\d+\) :path: /\.well-known/mta-sts\.txt$}mg;
	return $count;
}

sub stop
{
	my ($self) = @_;
	return $self->{process}->stop(STOP_TIMEOUT);
}

sub DESTROY
{
	my ($self) = @_;
	local ($?, $@, $!);
	$self->stop if $self->{owner} == $$ && $self->{process};
}

1;
