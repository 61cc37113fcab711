package Tlsad::Situations;

# Tlsad::Situations - a mail server for each situation with DANE
#
# Purpose
#   The certificates, the servers (Tlsad::MailHost) and the TLSA records of t/ctl/check.t
#   and t/ctl/check-posttls.t.
#
# Functions
#   Tlsad::Situations->new($certificates, DOMAIN)
#       Makes the certificates, for hosts below DOMAIN, in a Tlsad::Certificates.
#   $situations->names
#   $situations->start(NAME)     {OPTION => VALUE} for Tlsad::MailHost
#   $situations->address(NAME)   127.0.0.N, each its own
#   $situations->records(NAME)   ["RDATA" or "TTL RDATA"...]
#   $situations->host(NAME)      the host's name below DOMAIN: "_" is "-" there
#   $situations->ee(CERTIFICATE), ->ta(CERTIFICATE[, SELECTOR])
#       RDATA of 3 1 1, and of 2 0 1 or 2 SELECTOR 1.

use strict;
use warnings;

use constant DAY => 86400;
use constant FIRST_ADDRESS => 20;		# those below are others' (t/postfix/postfix.t)

sub new
{
	my ($class, $certificates, $domain) = @_;
	my $self = bless { certificates => $certificates, domain => $domain }, $class;
	$self->_make_certificates;
	$self->_make_servers;
	return $self;
}

sub names { return sort keys %{$_[0]{servers}} }
sub start { return %{$_[0]{servers}{$_[1]}{start}} }
sub address { return $_[0]{servers}{$_[1]}{address} }
sub records { return $_[0]{servers}{$_[1]}{records} }
sub host { return $_[1] =~ tr/_/-/r }

sub _make_certificates
{
	my ($self) = @_;
	my $certificates = $self->{certificates};
	my $domain = $self->{domain};
	my %long = (not_after => time + 90 * DAY);
	$certificates->make('root', authority => 1, %long);
	$certificates->make('intermediate', authority => 1, issuer => 'root', %long);
	$certificates->make('right', names => ["right.$domain"], %long);
	$certificates->make('other', names => ["right.$domain"], %long);
	$certificates->make('elsewhere', names => ['elsewhere.invalid'], %long);
	$certificates->make('soon', names => ["soon.$domain"], not_after => time + 5 * DAY);
	$certificates->make('early', names => ["early.$domain"], not_before => time + 3 * DAY,
		%long);
	$certificates->make('expired', names => ["expired.$domain"],
		not_before => time - 9 * DAY, not_after => time - DAY);
	$certificates->make('ta', issuer => 'intermediate', names => ["ta.$domain",
		"disorder.$domain"], %long);
	$certificates->make('ta-expired', issuer => 'root', names => ["ta-expired.$domain"],
		not_before => time - 9 * DAY, not_after => time - DAY);
	$certificates->make('ta-elsewhere', issuer => 'root', names => ['elsewhere.invalid'],
		%long);
	$certificates->make('ta-domain', issuer => 'root', names => ["named.$domain"], %long);
	# Bytes that must be escaped before they reach a terminal.
	$certificates->make('escape', subject => "red\e[31m\a", names => ["escape.$domain",
		"red\e[31m.$domain"], %long);
	$certificates->make('wildcard', issuer => 'root', names => ["*.$domain"], %long);
}

sub _chain
{
	my ($self, @names) = @_;
	return $self->{certificates}->chain(join('-', @names) . '.chain', @names);
}

sub _with
{
	my ($self, $chain, %options) = @_;
	$chain = [$chain] unless ref $chain;
	return { cert => $self->_chain(@$chain),
		key => $self->{certificates}->path($chain->[0], 'key'), %options };
}

sub ee { return $_[0]{certificates}->tlsa(3, 1, 1, $_[1]) }
sub ta { return $_[0]{certificates}->tlsa(2, $_[2] // 0, 1, $_[1]) }

sub _make_servers
{
	my ($self) = @_;
	my $certificates = $self->{certificates};
	my @list = (
		right => $self->_with('right'), [$self->ee('right')],
		rolling => $self->_with('right'), [$self->ee('right'), $self->ee('other')],
		mixed => $self->_with('right'), [$self->ee('right'), $certificates->tlsa(1, 1, 1,
			'right')],
		full => $self->_with('right'), [$certificates->tlsa(3, 0, 0, 'right')],
		days => $self->_with('right'), ['259200 ' . $self->ee('right')],
		pkix => $self->_with('right'), [$certificates->tlsa(1, 1, 1, 'right')],
		none => $self->_with([qw(ta intermediate root)]), [],
		wrong => $self->_with('other'), [$self->ee('right')],
		ee_name => $self->_with('elsewhere'), [$self->ee('elsewhere')],
		expired => $self->_with('expired'), [$self->ee('expired')],
		soon => $self->_with('soon'), [$self->ee('soon')],
		early => $self->_with('early'), [$self->ee('early')],
		escape => $self->_with('escape'), [$self->ee('escape')],
		ta => $self->_with([qw(ta intermediate root)]), [$self->ta('root')],
		disorder => $self->_with([qw(ta root intermediate)]), [$self->ta('root')],
		ta_key => $self->_with([qw(ta intermediate)]), [$self->ta('intermediate', 1)],
		ta_name => $self->_with([qw(ta-elsewhere root)]), [$self->ta('root')],
		ta_domain => $self->_with([qw(ta-domain root)]), [$self->ta('root')],
		ta_expired => $self->_with([qw(ta-expired root)]), [$self->ta('root')],
		ta_without => $self->_with([qw(ta intermediate)]), [$self->ta('root')],
		ta_full => $self->_with([qw(wildcard)]), [$certificates->tlsa(2, 0, 0, 'root')],
		wildcard => $self->_with([qw(wildcard root)]), [$self->ta('root')],
		bytes => $self->_with('right', fault => 'byte-by-byte'), [$self->ee('right')],
		cleartext => $self->_with('right', fault => 'no-starttls'), [$self->ee('right')],
		refusing => $self->_with('right', fault => 'refuse-starttls'), [$self->ee('right')],
		away => $self->_with('right', fault => 'turn-away'), [$self->ee('right')],
		closing => $self->_with('right', fault => 'close-at-connect'), [$self->ee('right')],
		ehlo => $self->_with('right', fault => 'close-after-ehlo'), [$self->ee('right')],
		handshake => $self->_with('right', fault => 'close-in-handshake'),
			[$self->ee('right')],
		silent => $self->_with('right', fault => 'silent'), [$self->ee('right')],
		mute => $self->_with('right', fault => 'silent-handshake'), [$self->ee('right')],
		banner => $self->_with('right', fault => 'long-banner'), [$self->ee('right')],
		endless => $self->_with('right', fault => 'endless-banner'), [$self->ee('right')],
		garbage => $self->_with('right', fault => 'garbage'), [$self->ee('right')],
		inject => $self->_with('right', fault => 'inject'), [$self->ee('right')],
		many => $self->_with('right', fault => 'many-certs'), [$self->ee('right')],
		flood => $self->_with('right', fault => 'endless-handshake'), [$self->ee('right')],
		hello => $self->_with('right', fault => 'hello-requests'), [$self->ee('right')],
		tls => $self->_with('right', tls_only => 1), [$self->ee('right')],
		names => $self->_with('other', sni => { "names.$self->{domain}" =>
			[$self->_chain('right'), $certificates->path('right', 'key')] }),
				[$self->ee('right')],
	);
	my $last = FIRST_ADDRESS;
	while (my ($name, $start, $records) = splice(@list, 0, 3)) {
		$self->{servers}{$name} = { start => $start, address => '127.0.0.' . $last++,
			records => $records };
	}
}

1;
