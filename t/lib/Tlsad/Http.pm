package Tlsad::Http;

# Tlsad::Http - a client of [server] metrics, like Prometheus or a load balancer
#
# Functions
#   Tlsad::Http->new(ENDPOINT)    for unix:PATH or inet:HOST:PORT
#   $http->get(PATH)              {status, type, body, head, raw}: one request over a
#                                 new connection; status is undef if the connection
#                                 ended without a response
#   $http->get(PATH, METHOD)      the same with another method
#   $http->ask(BYTES[, SECONDS])  sends these bytes instead
#   $http->connect                a Tlsad::Socketmap, for raw bytes
#   $http->page                   the samples of /metrics: {'name{labels}' => VALUE};
#                                 dies without any
#   sum(PAGE, RE)                 the sum of all samples whose name and labels match

use strict;
use warnings;
use Exporter 'import';
use Tlsad::Socketmap;

our @EXPORT_OK = qw(sum);

use constant TIMEOUT => 30;		# [s]

sub new
{
	my ($class, $endpoint) = @_;
	return bless { endpoint => $endpoint }, $class;
}

sub connect { return Tlsad::Socketmap->new($_[0]{endpoint}, timeout => TIMEOUT) }

sub ask
{
	my ($self, $request, $seconds) = @_;
	my $connection = eval { $self->connect } or return {};
	$connection->send_raw($request);
	my $answer = '';
	while (1) {
		my $bytes = $connection->receive_raw(65536, $seconds // TIMEOUT);
		last if !defined $bytes || $bytes eq '';
		$answer .= $bytes;
	}
	my ($head, $body) = split(/\r\n\r\n/, $answer, 2);
	$head //= '';
	return { raw => $answer, head => $head, body => $body // '',
		status => $head =~ m{\AHTTP/1\.\d (\d+)} ? "$1" : undef,
		type => $head =~ /^Content-Type: ([^\r\n]*)/mi ? "$1" : undef };
}

sub get
{
	my ($self, $path, $method) = @_;
	$method //= 'GET';
	return $self->ask("$method $path HTTP/1.1\r\nHost: localhost\r\n\r\n");
}

sub page
{
	my ($self) = @_;
	my $answer = $self->get('/metrics');
	die 'no page: ' . ($answer->{raw} // 'no connection') . "\n"
		unless ($answer->{status} // 0) == 200;
	my %samples;
	for (grep { !/^#/ } split(/\n/, $answer->{body})) {
		/^(\w+(?:\{.*\})?) ([0-9.]+)$/ or die "no sample: $_\n";
		die "twice: $1\n" if exists $samples{$1};
		$samples{$1} = $2;
	}
	return \%samples;
}

sub sum
{
	my ($page, $pattern) = @_;
	my $sum = 0;
	$sum += $page->{$_} for grep { $_ =~ $pattern } keys %$page;
	return $sum;
}

1;
