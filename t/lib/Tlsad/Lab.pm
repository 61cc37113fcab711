package Tlsad::Lab;

# Tlsad::Lab - serves the signed DNS tree of t/lab
#
# Purpose
#   Brings the tree of t/lab/generate up to date and serves it on loopback: NSD
#   answers for the root and all healthy zones on one port, Tlsad::FaultyDns for
#   the zones whose servers misbehave. No root rights and no port 53 are needed.
#
# Functions
#   missing_programs()
#       The names of needed programs that are not installed; if there are any, the test
#       skips itself.
#   Tlsad::Lab->start(zones => {ZONE => TEXT}, special => 0 or 1,
#           faults => [RULE...])
#       zones: content for the site zones of t/lab/generate: site.lab and bulk.lab
#       (secure), site-plain.lab and bulk-plain.lab (insecure). TEXT is zone file
#       syntax below the SOA and NS records, with $ORIGIN and $TTL 3600 set.
#       special => 0 leaves the misbehaving zones out. faults are additional rules
#       for Tlsad::FaultyDns, see there, or with behaviour "dead"; each rule's name
#       becomes a stub zone. There may be hundreds, more than a list setting
#       allows, so these zones are in a file for [resolver] options.
#       Use names below faults.lab., which is insecure, so that any answer is
#       accepted.
#       Dies with the server's log if it does not answer within START_TIMEOUT.
#   $lab->port             of NSD, on 127.0.0.1, UDP and TCP
#   $lab->faulty_port      of the misbehaving server
#   $lab->faulty_queries   the queries it got, see Tlsad::FaultyDns
#   $lab->dead_port        nothing listens there
#   $lab->trust_anchor     file with the root's DS; trust_anchor_key: its DNSKEY
#   $lab->stubs            ["ZONE", PORT]...
#   $lab->resolver_settings  {KEY => VALUE or [VALUES]} for Tlsad::Daemon
#   $lab->resolver_config  the same as lines of the [resolver] section
#   $lab->unbound_config   lines of unbound.conf for the same tree
#   $lab->data_directory
#   $lab->left_out         {NAME => REASON}: records that the installed NSD does not load
#   $lab->stop             also done when the object is destroyed
#
# The tree is in the directory TLSAD_LAB, or in t/lab-data in the build directory.

use strict;
use warnings;
use File::Path qw(make_path);
use IO::Select;
use IO::Socket::INET;
use Time::HiRes ();
use Tlsad::FaultyDns;
use Tlsad::Process ();

use constant START_ATTEMPTS => 5;
use constant START_TIMEOUT => 20;		# [s]
# Ports on which nobody listens on loopback and that no program gets by chance.
use constant DEAD_PORTS => (1, 2, 3, 4, 5, 6, 8, 10);

sub missing_programs
{
	return grep { !defined Tlsad::Process::find_program($_) }
		qw(nsd ldns-keygen ldns-signzone);
}

sub _generate
{
	my (@arguments) = @_;
	my $program = Tlsad::Process::source_directory() . '/t/lab/generate';
	system($^X, $program, @arguments) == 0
		or die "$program @arguments failed\n";
}

sub start
{
	my ($class, %options) = @_;
	my $data = $ENV{TLSAD_LAB}
		|| Tlsad::Process::build_directory() . '/t/lab-data';
	make_path($data);
	_generate($data);
	my $self = bless { data => $data,
		directory => Tlsad::Process::private_directory() }, $class;
	$self->_write_site_zones($options{zones} // {});
	$self->_start_nsd;
	$self->_start_faulty($options{special} // 1, $options{faults} // []);
	return $self;
}

sub _write_site_zones
{
	my ($self, $zones) = @_;
	for my $zone (sort keys %$zones) {
		my $file = "$self->{directory}/$zone.zone";
		open(my $handle, '>', "$file.in") or die "$file.in: $!\n";
		print {$handle} "\$ORIGIN $zone.\n\$TTL 3600\n",
			"\@ SOA ns hostmaster 1 7200 3600 1209600 3600\n",
			"\@ NS ns\nns A 127.0.0.1\n", $zones->{$zone};
		close($handle) or die "$file.in: $!\n";
		_generate($self->{data}, $zone, "$file.in", $file);
		$self->{site_zones}{"$zone."} = $file;
	}
}

sub _start_nsd
{
	my ($self) = @_;
	my $program = Tlsad::Process::find_program('nsd')
		// die "nsd is not installed\n";
	my $directory = $self->{directory};
	my $log = "$directory/nsd.log";
	for my $attempt (1 .. START_ATTEMPTS) {
		$self->{port} = Tlsad::Process::free_port();
		$self->_write_nsd_config;
		$self->{nsd} = Tlsad::Process::spawn(log => $log,
			command => [ $program, '-d', '-c', "$directory/nsd.conf" ]);
		return if $self->_answers;
		$self->{nsd}->stop(5);
	}
	open(my $handle, '<', $log);
	die "nsd does not answer:\n", <$handle>;
}

sub _write_nsd_config
{
	my ($self) = @_;
	my $directory = $self->{directory};
	# database: NSD before 4.7 writes one to a directory of the system.
	# rrl-ratelimit: all queries come from one address.
	my $text = <<"END";
server:
	ip-address: 127.0.0.1\@$self->{port}
	server-count: 1
	username: ""
	database: ""
	zonesdir: "$self->{data}/zones"
	pidfile: "$directory/nsd.pid"
	xfrdfile: "$directory/xfrd.state"
	xfrdir: "$directory"
	zonelistfile: "$directory/zone.list"
	logfile: ""
	hide-version: yes
	minimal-responses: yes
	tcp-count: 400
	rrl-ratelimit: 0
remote-control:
	control-enable: no
END
	my $list = "$self->{data}/zones.list";
	open(my $handle, '<', $list) or die "$list: $!\n";
	$self->{zones} = [];
	while (<$handle>) {
		my ($zone, $file) = split;
		push @{$self->{zones}}, $zone;
		$file = $self->{site_zones}{$zone} // $file;
		$text .= "zone:\n\tname: \"$zone\"\n\tzonefile: \"$file\"\n";
	}
	open(my $config, '>', "$directory/nsd.conf") or die "nsd.conf: $!\n";
	print {$config} $text;
	close($config) or die "nsd.conf: $!\n";
}

# Queries the root's SOA until there is an authoritative answer.
sub _answers
{
	my ($self) = @_;
	my $end = Time::HiRes::time() + START_TIMEOUT;
	while (Time::HiRes::time() < $end && $self->{nsd}->alive) {
		my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
			PeerPort => $self->{port}, Proto => 'udp') or next;
		$socket->send(pack('nnnnnnCnn', 4711, 0, 1, 0, 0, 0, 0, 6, 1));
		if (IO::Select->new($socket)->can_read(0.1)
			&& defined $socket->recv(my $reply, 4096)) {
			my ($id, $flags, undef, $answers) = unpack('nnnn', $reply);
			return 1 if $id == 4711 && $flags & 0x0400 && $answers
				&& $self->{nsd}->alive;
		}
		Time::HiRes::sleep(0.02);
	}
	return 0;
}

# Every zone is a stub zone, not only the root. NSD answers for a child zone at
# once, without a referral from its parent. A resolver that knows only the root's
# server treats such an answer to a DS query (the SOA is not that of the queried
# zone) as one from below the zone cut, looks for the name servers of the parent,
# and finds addresses on which nothing listens on port 53.
sub _start_faulty
{
	my ($self, $with_special, $faults) = @_;
	my (@rules, @stubs);
	if ($with_special) {
		my $list = "$self->{data}/special.list";
		open(my $handle, '<', $list) or die "$list: $!\n";
		while (<$handle>) {
			my ($zone, $behaviour, $seconds) = split;
			push @stubs, [ $zone, $behaviour eq 'dead' ? 'dead' : 'faulty' ];
			push @rules, { name => $zone, behaviour => $behaviour,
				seconds => $seconds } unless $behaviour eq 'dead';
		}
	}
	my @fault_zones = map { [ $_->{name} =~ s/\.?\z/./r,
		$_->{behaviour} eq 'dead' ? 'dead' : 'faulty' ] } @$faults;
	push @rules, grep { $_->{behaviour} ne 'dead' } @$faults;
	$self->{faulty} = Tlsad::FaultyDns->start(rules => \@rules,
		upstream => $self->{port}) if @rules;
	my %port = (proper => $self->{port}, dead => $self->dead_port,
		faulty => $self->{faulty} && $self->{faulty}->port);
	my %seen;
	my $resolve = sub { [ map { [ $_->[0], $port{$_->[1]} ] }
		grep { !$seen{$_->[0]}++ } @_ ] };
	$self->{stubs} = $resolve->(@stubs, map { [ $_, 'proper' ] } @{$self->{zones}});
	$self->{fault_stubs} = $resolve->(@fault_zones);
	return unless @fault_zones;
	my $file = "$self->{directory}/options";
	open(my $handle, '>', $file) or die "$file: $!\n";
	print {$handle} _stub_clauses(@{$self->{fault_stubs}});
	close($handle) or die "$file: $!\n";
	$self->{options} = $file;
}

sub _stub_clauses
{
	return join('', map { "stub-zone:\n\tname: \"$_->[0]\"\n"
		. "\tstub-addr: 127.0.0.1\@$_->[1]\n" } @_);
}

sub dead_port
{
	my ($self) = @_;
	for my $port (DEAD_PORTS) {
		return $port unless IO::Socket::INET->new(PeerAddr => '127.0.0.1',
			PeerPort => $port, Proto => 'tcp', Timeout => 1);
	}
	die "something listens on every port that should be dead\n";
}

sub port { return $_[0]{port} }
sub faulty_port { return $_[0]{faulty} && $_[0]{faulty}->port }
sub faulty_queries { return $_[0]{faulty} ? $_[0]{faulty}->queries : () }
sub trust_anchor { return "$_[0]{data}/anchor.ds" }
sub trust_anchor_key { return "$_[0]{data}/anchor.key" }
sub data_directory { return $_[0]{data} }

sub left_out
{
	my ($self) = @_;
	my $list = "$self->{data}/left-out";
	open(my $handle, '<', $list) or die "$list: $!\n";
	return { map { /^(\S+) (.*)/ } <$handle> };
}

sub stubs { return (@{$_[0]{stubs}}, @{$_[0]{fault_stubs} // []}) }

sub resolver_settings
{
	my ($self) = @_;
	return {
		stub => [ map { "$_->[0] 127.0.0.1\@$_->[1]" } @{$self->{stubs}} ],
		$self->{options} ? (options => $self->{options}) : (),
		trust_anchor => $self->trust_anchor,
		query_localhost => 'yes',
	};
}

sub resolver_config
{
	my ($self) = @_;
	my $settings = $self->resolver_settings;
	return join('', map { my $key = $_; map { "$key = $_\n" }
		ref $settings->{$key} ? @{$settings->{$key}} : $settings->{$key}
	} sort keys %$settings);
}

sub unbound_config
{
	my ($self) = @_;
	return "server:\n\tdo-not-query-localhost: no\n"
		. "\ttrust-anchor-file: \"" . $self->trust_anchor . "\"\n"
		. _stub_clauses($self->stubs);
}

sub stop
{
	my ($self) = @_;
	$self->{faulty}->stop if $self->{faulty};
	$self->{nsd}->stop(5) if $self->{nsd};
}

sub DESTROY
{
	my ($self) = @_;
	local ($@, $?, $!);
	delete $self->{faulty};
	delete $self->{nsd};
}

1;
