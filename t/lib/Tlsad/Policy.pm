package Tlsad::Policy;

# Tlsad::Policy - a client of the policy delegation service, for correct and bad input
#
# Purpose
#   Sends requests as Postfix's smtpd does (SMTPD_POLICY_README), and sends and receives
#   raw bytes for tests of bad input. Every operation ends within its timeout.
#
# Functions
#   Tlsad::Policy->new(ENDPOINT, timeout => SECONDS)
#       As Tlsad::Socketmap->new(), from which it is derived.
#   $client->ask(RECIPIENT, NAME => VALUE...)
#       The action, without "action=", for a request at RCPT with this recipient and
#       more attributes; a value of undef leaves an attribute out.
#   $client->send_attributes(NAME => VALUE...), $client->receive_action([SECONDS])
#       The two halves, for pipelining, of a request with only these attributes.
#   attributes(RECIPIENT, NAME => VALUE...)
#       The bytes of the request of ask().
#   The raw operations are those of Tlsad::Socketmap: send_raw, receive_raw,
#   closed_by_peer, socket, close.
#
# Errors
#   ask and receive_action die: "policy: timeout", "policy: closed", "policy: not a
#   reply: ...".

use strict;
use warnings;
use Time::HiRes ();
use parent 'Tlsad::Socketmap';

# As Postfix 3.8 sends it, without empty attributes.
my @usual = (request => 'smtpd_access_policy', protocol_state => 'RCPT', protocol_name => 'ESMTP',
	client_address => '192.0.2.1', client_name => 'client.example',
	client_port => '51234', reverse_client_name => 'client.example',
	server_address => '192.0.2.25', server_port => '25', helo_name => 'client.example',
	sender => 'sender@sender.example', recipient => undef, recipient_count => '0',
	queue_id => '', instance => 'dead.beef.0', size => '1234', etrn_domain => '', stress => '',
	sasl_method => '', sasl_username => '', sasl_sender => '', mail_version => '3.8.0');

sub _bytes
{
	my (@attributes) = @_;
	my $bytes = '';
	while (my ($name, $value) = splice(@attributes, 0, 2)) {
		$bytes .= "$name=$value\n" if defined $value;
	}
	return "$bytes\n";
}

sub attributes
{
	my ($recipient, @more) = @_;
	my %changed = (recipient => $recipient, @more);
	my @attributes;
	my @known = @usual;
	while (my ($name, $value) = splice(@known, 0, 2)) {
		push @attributes, $name, exists $changed{$name} ? delete $changed{$name} : $value;
	}
	return _bytes(@attributes, map { $_ => $changed{$_} } sort keys %changed);
}

sub send_attributes
{
	my ($self, @attributes) = @_;
	my $bytes = _bytes(@attributes);
	die "policy: closed\n" unless $self->send_raw($bytes) == length($bytes);
}

sub receive_action
{
	my ($self, $seconds) = @_;
	my $end = Time::HiRes::time() + ($seconds // $self->{timeout});
	my $buffer = '';
	while ($buffer !~ /\n\n/) {
		my $left = $end - Time::HiRes::time();
		my $bytes = $left > 0 ? $self->receive_raw(65536, $left) : undef;
		if (!defined $bytes) {
			$self->{buffer} = $buffer;	# a later call may go on
			die "policy: timeout\n";
		}
		die "policy: closed\n" if $bytes eq '';
		$buffer .= $bytes;
	}
	$buffer =~ s/\Aaction=([^\n]+)\n\n// or die 'policy: not a reply: ' . substr($buffer, 0, 80) . "\n";
	my $action = $1;
	$self->{buffer} = $buffer;
	return $action;
}

sub ask
{
	my ($self, $recipient, @more) = @_;
	my $bytes = attributes($recipient, @more);
	die "policy: closed\n" unless $self->send_raw($bytes) == length($bytes);
	return $self->receive_action;
}

1;
