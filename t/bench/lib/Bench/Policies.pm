package Bench::Policies;

# Bench::Policies - serves the MTA-STS policies of the domains of t/bench/zones
#
#   my $policies = Bench::Policies->start(zones => DIRECTORY, wrapper => [COMMAND...])
#       Runs a Tlsad::PolicyHost at all addresses of sts.addresses, and at those of
#       silent.addresses, where it never says a word. Every domain has a policy with the
#       mode enforce and its MX host. As at hosting providers, a certificate is for ten
#       domains; an intermediate CA issued it. Destroying the object ends it.
#   $policies->settings  'SECTION.KEY=VALUE'... for tlsad
#   $policies->port
#   $policies->ca_file   the CA, and those of the system if it has any: the more there
#                        are, the longer one is looked for
#   $policies->stop

use strict;
use warnings;
use Tlsad::PolicyHost qw(policy);
use Tlsad::Process ();

use constant CERTIFICATE_NAMES => 10;
use constant LONGEST_RUN => 3600;	# [s] so that a forgotten one ends
use constant SYSTEM_CAS => '/etc/ssl/certs/ca-certificates.crt';

sub start
{
	my ($class, %options) = @_;
	my @domains = _read_list("$options{zones}/sts.addresses");
	my @silent = _read_list("$options{zones}/silent.addresses");
	my $port = Tlsad::Process::free_port();
	my $host = Tlsad::PolicyHost->start(wrapper => $options{wrapper}, seconds => LONGEST_RUN,
		listen => [ map { "$_:$port" } _addresses(@domains) ], silent => [ _addresses(@silent) ]);
	my $self = bless { host => $host, ca_file => Tlsad::Process::private_directory() . '/cas' },
		$class;
	$self->_write_cas;
	$host->certificates->make('intermediate', issuer => 'ca', authority => 1);
	while (my @some = splice(@domains, 0, CERTIFICATE_NAMES)) {
		my @names = map { $_->[0] } @some;
		$host->certificates->make($names[0], issuer => 'intermediate',
			names => [ map { "mta-sts.$_" } @names ]);
		# As servers do, without the root.
		$host->certificates->chain("$names[0].pem", $names[0], 'intermediate');
		$host->serve($_, certificate => $names[0], policy => policy(mx => ["mx.$_"])) for @names;
	}
	return $self;
}

# [DOMAIN, ADDRESS]...
sub _read_list
{
	my ($file) = @_;
	open(my $handle, '<', $file) or die "$file: $!\n";
	return map { [split] } <$handle>;
}

sub _addresses
{
	my %seen = map { $_->[1] => 1 } @_;
	return sort keys %seen;
}

sub _write_cas
{
	my ($self) = @_;
	open(my $all, '>', $self->{ca_file}) or die "$self->{ca_file}: $!\n";
	for my $file ($self->{host}->ca_file, grep { -e } SYSTEM_CAS) {
		open(my $handle, '<', $file) or die "$file: $!\n";
		print {$all} <$handle>;
	}
	close($all) or die "$self->{ca_file}: $!\n";
}

sub port { return $_[0]{host}->port }
sub ca_file { return $_[0]{ca_file} }

sub settings
{
	my ($self) = @_;
	return ('sts.enable=yes', 'sts.private_addresses=yes', 'sts.port=' . $self->port,
		"sts.ca_file=$self->{ca_file}");
}

sub stop { return $_[0]{host}->stop }

1;
