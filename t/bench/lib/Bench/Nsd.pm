package Bench::Nsd;

# Bench::Nsd - serves the zones of t/bench/zones on loopback
#
#   my $nsd = Bench::Nsd->start(zones => DIRECTORY, parts => ['warm', 'cold'],
#           wrapper => [COMMAND...])
#       Returns when the server answers for the root; dies with its log if it
#       does not. Destroying the object ends the server.
#   $nsd->stubs          ["ZONE ADDR@PORT"...], as tlsad.conf and resolve want them
#   $nsd->stop
#
# The top-level domains are stub zones beside the root: NSD answers for a child
# zone at once, without a referral. A resolver that knows only the root's server
# then asks the name servers of the child's parent on port 53, where nobody is,
# for the child's DS record.

use strict;
use warnings;
use IO::Select;
use IO::Socket::INET;
use Time::HiRes ();
use Tlsad::Process ();

use constant START_ATTEMPTS => 5;
use constant START_TIMEOUT => 60;	# [s] it reads some ten thousand signatures

my %top_level = (warm => 'bench.', cold => 'cold.', sts => 'sts.');

sub start
{
	my ($class, %options) = @_;
	my $self = bless { %options, directory => Tlsad::Process::private_directory() }, $class;
	my $program = Tlsad::Process::find_program('nsd') // die "nsd is not installed\n";
	my $log = "$self->{directory}/log";
	for my $attempt (1 .. START_ATTEMPTS) {
		$self->{port} = Tlsad::Process::free_port();
		$self->_write_config;
		$self->{process} = Tlsad::Process::spawn(log => $log,
			command => [ @{$options{wrapper} // []}, $program, '-d', '-c',
				"$self->{directory}/nsd.conf" ]);
		return $self if $self->_answers;
		$self->stop;
	}
	open(my $handle, '<', $log) or die "nsd does not answer\n";
	die "nsd does not answer:\n", <$handle>;
}

sub _write_config
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
	zonesdir: "$self->{zones}/zones"
	pidfile: "$directory/nsd.pid"
	xfrdfile: "$directory/xfrd.state"
	xfrdir: "$directory"
	zonelistfile: "$directory/zone.list"
	logfile: ""
	minimal-responses: yes
	tcp-count: 400
	rrl-ratelimit: 0
remote-control:
	control-enable: no
END
	my %seen;
	for my $part (@{$self->{parts}}) {
		my $list = "$self->{zones}/$part.zones";
		open(my $handle, '<', $list) or die "$list: $!\n";
		while (<$handle>) {
			my ($zone, $file) = split;
			$text .= "zone:\n\tname: \"$zone\"\n\tzonefile: \"$file\"\n"
				unless $seen{$zone}++;
		}
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
	while (Time::HiRes::time() < $end && $self->{process}->alive) {
		my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
			PeerPort => $self->{port}, Proto => 'udp') or next;
		$socket->send(pack('nnnnnnCnn', 4711, 0, 1, 0, 0, 0, 0, 6, 1));
		if (IO::Select->new($socket)->can_read(0.1)
			&& defined $socket->recv(my $reply, 4096)) {
			my ($id, $flags, undef, $answers) = unpack('nnnn', $reply);
			return 1 if $id == 4711 && $flags & 0x0400 && $answers
				&& $self->{process}->alive;
		}
		Time::HiRes::sleep(0.02);
	}
	return 0;
}

sub stubs
{
	my ($self) = @_;
	return [ map { "$_ 127.0.0.1\@$self->{port}" } '.', map { $top_level{$_} } @{$self->{parts}} ];
}

sub stop { return $_[0]{process}->stop(5) }

1;
