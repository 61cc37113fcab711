# A small signed DNS tree, served by NSD on port 53: the root, the top-level domain "example",
# "secure.example" signed, "plain.example" delegated without DS, "servfail.example" that the server
# fails to load, "dead.example" delegated to an address without a server.
package Zones;

use strict;
use warnings;

use Cwd qw(getcwd);
use Namespace;

use constant TTL => 300;

my %SIGNED = ('.' => 1, 'example.' => 1, 'secure.example.' => 1, 'plain.example.' => 0);
my $SERVER = 'ns.example.';

my $DEAD_SERVER  = 'ns-dead.example.';
my $DEAD_ADDRESS = '127.0.0.54';

sub new
{
	my ($class, $directory, $address) = @_;
	mkdir $directory or die "$directory: $!\n";
	my $self = bless { directory => $directory, address => $address, records => {} }, $class;
	for my $zone (sort keys %SIGNED) {
		$self->{records}{$zone} = [];
		$self->{wrong}{$zone}   = [];
		$self->add($zone, 'SOA', "$SERVER hostmaster.example. 1 3600 600 86400 60", $zone);
		$self->add($zone, 'NS', $SERVER, $zone);
	}
	$self->add($SERVER, 'A', $address, 'example.');
	# Glue, and the delegations in their parents.
	$self->add($SERVER, 'A', $address, '.');
	$self->add('example.', 'NS', $SERVER, '.');
	$self->add($_, 'NS', $SERVER, 'example.') for qw(secure.example. plain.example. servfail.example.);
	$self->add('dead.example.', 'NS', $DEAD_SERVER, 'example.');
	$self->add($DEAD_SERVER, 'A', $DEAD_ADDRESS, 'example.');
	return $self;
}

sub zone_of
{
	my ($name) = @_;
	my ($zone) = sort { length $b <=> length $a }
	    grep { $_ ne '.' && ($name eq $_ || $name =~ /\.\Q$_\E\z/) } keys %SIGNED;
	return $zone // '.';
}

sub add
{
	my ($self, $owner, $type, $data, $zone, $ttl) = @_;
	push @{ $self->{records}{ $zone // zone_of($owner) } }, join "\t", $owner, $ttl // TTL, 'IN', $type, $data;
	return;
}

# Replaces a record set.
sub replace
{
	my ($self, $owner, $type, $ttl, @data) = @_;
	my $zone = zone_of($owner);
	@{ $self->{records}{$zone} } = grep { !/\A\Q$owner\E\t\d+\tIN\t\Q$type\E\t/ } @{ $self->{records}{$zone} };
	$self->add($owner, $type, $_, $zone, $ttl) for @data;
	return;
}

# The record set is changed after it was signed: a validator finds it bogus.
sub make_bogus
{
	my ($self, $owner, $type) = @_;
	push @{ $self->{wrong}{ zone_of($owner) } }, [$owner, $type];
	return;
}

sub spoil
{
	my ($text, $owner, $type) = @_;
	# The digit to change: the first of the preference for MX, otherwise the last of the data.
	my $before  = $type eq 'MX' ? '' : '.*';
	my $changed = $text =~ s{^(\Q$owner\E\s+\d+\s+IN\s+\Q$type\E\s+$before)(\d)}
		{$1 . ($2 + 1) % 10}gme;
	die "$owner $type is not in its zone\n" if !$changed;
	return $text;
}

# Children first: a parent signs the DS records of its children.
sub sign
{
	my ($self) = @_;
	my $directory = $self->{directory};
	my $here      = getcwd();
	chdir $directory or die "$directory: $!\n";
	for my $zone (sort { length $b <=> length $a } keys %SIGNED) {
		if (!$SIGNED{$zone}) {
			$self->{files}{$zone} = "$directory/" . $self->write_zone($zone);
			next;
		}
		my $ds = $self->make_key($zone);
		$self->sign_zone($zone);
		if ($zone eq '.') {
			$self->{trust_anchor} = Namespace::write_file("$directory/root.key", $ds);
		} else {
			my $parent = $zone eq 'example.' ? '.' : 'example.';
			chomp $ds;
			push @{ $self->{records}{$parent} }, $ds;
		}
	}
	chdir $here or die "$here: $!\n";
	$self->{root_hints} = Namespace::write_file("$directory/root.hints",
		". 3600 IN NS $SERVER\n$SERVER 3600 IN A $self->{address}\n");
	return;
}

# Signs one zone after a change, with the same key. The server must then reload it.
sub sign_again
{
	my ($self, $zone) = @_;
	my $here = getcwd();
	chdir $self->{directory} or die "$self->{directory}: $!\n";
	s/(\tSOA\t\S+ \S+ )(\d+)/$1 . ($2 + 1)/e for @{ $self->{records}{$zone} };
	$self->sign_zone($zone);
	chdir $here or die "$here: $!\n";
	return;
}

sub write_zone
{
	my ($self, $zone) = @_;
	return Namespace::write_file($zone eq '.' ? 'root.zone' : "${zone}zone",
		join "\n", @{ $self->{records}{$zone} }, '');
}

# The zone's DS record.
sub make_key
{
	my ($self, $zone) = @_;
	chomp(my $key = qx(ldns-keygen -r /dev/urandom -a ECDSAP256SHA256 -k $zone 2>ldns.log));
	die "ldns-keygen: " . Namespace::read_file('ldns.log') . "\n" if $? != 0;
	my ($ds) = qx(ldns-key2ds -n -2 $key.key);
	die "no DS for $zone\n" if $? != 0 || $ds !~ /\sDS\s/;
	$self->{keys}{$zone} = $key;
	return $ds;
}

# Atomically: the server sees the whole signed file or the old one.
sub sign_zone
{
	my ($self, $zone) = @_;
	my $file = $self->write_zone($zone);
	my ($from, $until) = (time - 3600, time + 86400);
	Namespace::run_or_die('ldns-signzone', '-i', $from, '-e', $until, '-f', "$file.new", '-o', $zone,
		$file, $self->{keys}{$zone});
	my $text = Namespace::read_file("$file.new");
	$text = spoil($text, @$_) for @{ $self->{wrong}{$zone} };
	Namespace::write_file("$file.new", $text);
	rename "$file.new", "$file.signed" or die "$file.signed: $!\n";
	$self->{files}{$zone} = "$self->{directory}/$file.signed";
	return;
}

sub nsd_configuration
{
	my ($self) = @_;
	my $directory = $self->{directory};
	return join "\n", 'server:', "ip-address: $self->{address}", 'port: 53', 'server-count: 1', 'username: ""',
	    "zonesdir: \"$directory\"", 'database: ""', "xfrdir: \"$directory\"", "xfrdfile: \"$directory/xfrd.state\"",
	    "zonelistfile: \"$directory/zone.list\"", "pidfile: \"$directory/nsd.pid\"",
	    # The queries of a test come fast and from one address.
	    'rrl-ratelimit: 0', 'remote-control:', 'control-enable: no',
	    (map { ('zone:', "name: \"$_\"", "zonefile: \"$self->{files}{$_}\"") } sort keys %SIGNED),
	    'zone:', 'name: "servfail.example."', "zonefile: \"$directory/none\"", '';
}

# Postfix's own resolver, which caches records only for a short time. It validates if "validator" is one
# of its modules.
sub unbound_configuration
{
	my ($self, $address, $modules, @more) = @_;
	return join "\n", 'server:', "interface: $address", 'port: 53', 'access-control: 127.0.0.0/8 allow',
	    'username: ""', 'chroot: ""', 'do-daemonize: no', 'use-syslog: no', 'logfile: ""', 'pidfile: ""',
	    "directory: \"$self->{directory}\"", 'num-threads: 1', "module-config: \"$modules\"",
	    "trust-anchor-file: \"$self->{trust_anchor}\"", "root-hints: \"$self->{root_hints}\"",
	    'do-not-query-localhost: no', 'do-ip6: no', 'val-log-level: 2', 'cache-max-ttl: 60',
	    @more, 'remote-control:', 'control-enable: no', '';
}

1;
