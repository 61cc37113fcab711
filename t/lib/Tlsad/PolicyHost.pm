package Tlsad::PolicyHost;

# Tlsad::PolicyHost - an HTTPS server with MTA-STS policies for a test, with or without faults
#
# Purpose
#   Runs t/lab/policyhost of the build directory on free ports, and ends it. Its source lists
#   what it can do. A CA of the test's own issues its certificates.
#
# Functions
#   Tlsad::PolicyHost->start(listen => [ADDRESS:PORT...], silent => [ADDRESS...],
#           seconds => N, wrapper => [COMMAND...])
#       Returns when it listens everywhere; dies with its output if it does not. By default
#       it listens on one free port of 127.0.0.1. At the addresses in `silent` it listens on
#       the same port, and never says a word. wrapper is a command that starts it.
#   $host->port
#   $host->ca_file         the CA, for [sts] ca_file
#   $host->certificates    Tlsad::Certificates, with the CA as "ca"
#   $host->serve(DOMAIN, OPTION => VALUE...)
#       What mta-sts.DOMAIN serves from now on:
#         policy => TEXT       default: see policy()
#         response => BYTES    the whole response, instead of one with the policy
#         type => TYPE         of the policy, default text/plain; undef: none
#         status => "N WORDS"  default 200 OK
#         fields => [LINE...]  more header fields
#         length => N          Content-Length, default the right one; undef: none
#         names => [NAME...]   of its certificate, default mta-sts.DOMAIN
#         certificate => NAME  a certificate made before
#         conduct => [LINE...] lines for policyhost
#   $host->drop(DOMAIN)    no longer serve anything there
#   policy(OPTION => VALUE...)  the text of a policy: mode (enforce), max_age (86400),
#                          mx ([PATTERN...]), and more => TEXT at its end
#   $host->lines           its output so far
#   $host->requests(DOMAIN)     how many requests there were
#   $host->fields(DOMAIN)  the header fields of each request, as [LINE...]
#   $host->wait_requests(DOMAIN, NUMBER, SECONDS)   true as soon as there are NUMBER of them
#   $host->connections     how many were accepted
#   $host->stop            SIGTERM; returns the exit status

use strict;
use warnings;
use Exporter 'import';
use Time::HiRes ();
use Tlsad::Certificates;
use Tlsad::Process ();

our @EXPORT_OK = qw(policy);

use constant START_TIMEOUT => 20;		# [s] sanitizers make a start slow
use constant STOP_TIMEOUT => 10;		# [s]
use constant POLL_INTERVAL => 0.01;		# [s]

sub binary { return Tlsad::Process::build_directory() . '/t/lab/policyhost' }

sub start
{
	my ($class, %options) = @_;
	my $binary = binary();
	die "$binary is missing: build it (make check does), or set TLSAD_BUILD\n"
		unless -x $binary;
	my $directory = Tlsad::Process::private_directory();
	my $self = bless { owner => $$, log => "$directory/log", directory => "$directory/hosts",
		certificates => Tlsad::Certificates->new("$directory/certificates") }, $class;
	mkdir($self->{directory}) or die "$self->{directory}: $!\n";
	$self->{certificates}->make('ca', authority => 1, subject => 'policy CA');
	my @listen = @{$options{listen} // ['127.0.0.1:' . Tlsad::Process::free_port()]};
	($self->{port}) = $listen[0] =~ /:(\d+)\z/;
	pipe(my $reader, $self->{input}) or die "pipe: $!\n";
	$self->{process} = Tlsad::Process::spawn(log => $self->{log}, input => $reader,
		command => [ @{$options{wrapper} // []}, $binary, '--directory', $self->{directory},
			(map { ('--listen', $_) } @listen),
			(map { ('--silent', "$_:$self->{port}") } @{$options{silent} // []}),
			$options{seconds} ? ('--time', $options{seconds}) : () ]);
	my $count = @listen + @{$options{silent} // []};
	if (!$self->_wait(sub { $self->_count(qr/^listening /) >= $count }, START_TIMEOUT)) {
		$self->stop;
		die "policyhost does not listen:\n" . join("\n", $self->lines) . "\n";
	}
	return $self;
}

sub port { return $_[0]{port} }
sub certificates { return $_[0]{certificates} }
sub ca_file { return $_[0]{certificates}->path('ca', 'crt') }

sub policy
{
	my (%options) = (mode => 'enforce', max_age => 86400, mx => [], more => '', @_);
	return join('', "version: STSv1\r\nmode: $options{mode}\r\n",
		(map { "mx: $_\r\n" } @{$options{mx}}), "max_age: $options{max_age}\r\n",
		$options{more});
}

sub serve
{
	my ($self, $domain, %options) = @_;
	my $host = "mta-sts.$domain";
	my $certificate = $options{certificate};
	if (!defined $certificate) {
		my @names = @{$options{names} // [$host]};
		$certificate = join('+', @names) =~ s/\*/_/gr;
		$self->{certificates}->make($certificate, issuer => 'ca', names => \@names)
			unless -e $self->{certificates}->path($certificate, 'pem');
	}
	my $response = $options{response} // _response(%options);
	my $file = "$self->{directory}/$host";
	# "$file.new" could be longer than a name may be. policyhost never reads names with a dot first.
	my $new = "$self->{directory}/.new";
	open(my $handle, '>:raw', $new) or die "$new: $!\n";
	print {$handle} 'certificate ', $self->_chain($certificate), "\n",
		(map { "$_\n" } @{$options{conduct} // []}), "\n", $response;
	close($handle) or die "$file: $!\n";
	rename($new, $file) or die "$file: $!\n";
}

sub _response
{
	my (%options) = @_;
	my $policy = $options{policy} // policy(%options);
	my $length = exists $options{length} ? $options{length} : length($policy);
	my $type = exists $options{type} ? $options{type} : 'text/plain';
	return join("\r\n", 'HTTP/1.1 ' . ($options{status} // '200 OK'),
		defined $type ? "Content-Type: $type" : (),
		defined $length ? "Content-Length: $length" : (), @{$options{fields} // []}, '', '')
		. $policy;
}

# Chain and key in one file.
sub _chain
{
	my ($self, $name) = @_;
	my $file = $self->{certificates}->path($name, 'pem') . '.both';
	return $file if -e $file;
	my $text = '';
	for my $part (map { $self->{certificates}->path($name, $_) } qw(pem key)) {
		open(my $handle, '<', $part) or die "$part: $!\n";
		local $/;
		$text .= <$handle>;
	}
	open(my $handle, '>', $file) or die "$file: $!\n";
	print {$handle} $text;
	close($handle) or die "$file: $!\n";
	return $file;
}

sub drop
{
	my ($self, $domain) = @_;
	unlink("$self->{directory}/mta-sts.$domain");
}

# An incomplete line is left for the next call.
sub lines
{
	my ($self) = @_;
	open(my $handle, '<:raw', $self->{log}) or return ();
	my $text = do { local $/; <$handle> } // '';
	return split(/\n/, $text =~ s/[^\n]*\z//r);
}

sub _count
{
	my ($self, $pattern) = @_;
	return scalar grep { $_ =~ $pattern } $self->lines;
}

sub _wait
{
	my ($self, $condition, $seconds) = @_;
	my $end = Time::HiRes::time() + $seconds;
	while (!$condition->()) {
		return 0 if Time::HiRes::time() > $end;
		Time::HiRes::sleep(POLL_INTERVAL);
	}
	return 1;
}

sub requests
{
	my ($self, $domain) = @_;
	return $self->_count(qr/^request mta-sts\.\Q$domain\E /);
}

sub fields
{
	my ($self, $domain) = @_;
	my @requests;
	for ($self->lines) {
		if (/^request mta-sts\.\Q$domain\E /) { push @requests, [] }
		elsif (/^field mta-sts\.\Q$domain\E (.*)/) { push @{$requests[-1]}, $1 }
	}
	return @requests;
}

sub wait_requests
{
	my ($self, $domain, $number, $seconds) = @_;
	return $self->_wait(sub { $self->requests($domain) >= $number }, $seconds);
}

sub connections { return $_[0]->_count(qr/^connection /) }

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
