# A private Postfix: its own configuration, queue, data directory and log.
package Instance;

use strict;
use warnings;

use JSON::PP qw(decode_json);
use Namespace;

# Common settings of every instance: no lookups of client names, no local delivery.
my %COMMON = (
	compatibility_level   => '3.6',
	inet_protocols        => 'ipv4',
	mydestination         => '',
	mynetworks            => '127.0.0.0/8',
	alias_maps            => '',
	alias_database        => '',
	local_recipient_maps  => '',
	smtpd_peername_lookup => 'no',
	smtpd_relay_restrictions => 'permit_mynetworks, reject',
	biff                  => 'no',
	# Without it the identifier of a finished message may be used again.
	enable_long_queue_ids => 'yes',
	default_process_limit => '50',
);

# The services that Postfix always needs, in the order of its own master.cf, none of them in a
# chroot.
my $SERVICES = <<'SERVICES';
pickup    unix  n  -  n  60     1  pickup
cleanup   unix  n  -  n  -      0  cleanup
qmgr      unix  n  -  n  300    1  qmgr
tlsmgr    unix  -  -  n  1000?  1  tlsmgr
rewrite   unix  -  -  n  -      -  trivial-rewrite
bounce    unix  -  -  n  -      0  bounce
defer     unix  -  -  n  -      0  bounce
trace     unix  -  -  n  -      0  bounce
flush     unix  n  -  n  1000?  0  flush
proxymap  unix  -  -  n  -      -  proxymap
showq     unix  n  -  n  -      -  showq
error     unix  -  -  n  -      -  error
retry     unix  -  -  n  -      -  error
discard   unix  -  -  n  -      -  discard
anvil     unix  -  -  n  -      1  anvil
postlog   unix-dgram n - n -    1  postlogd
SERVICES

# new(directory => DIR, main => {NAME => VALUE}, master => "lines of master.cf")
sub new
{
	my ($class, %self) = @_;
	my $self = bless {%self}, $class;
	my $directory = $self->{directory};
	for my $path ($directory, "$directory/etc", "$directory/queue") {
		mkdir $path or die "$path: $!\n";
	}
	my %main = (
		%COMMON,
		queue_directory       => "$directory/queue",
		data_directory        => "$directory/data",
		maillog_file          => "$directory/log",
		maillog_file_prefixes => $directory,
		%{ $self->{main} },
	);
	Namespace::write_file("$directory/etc/main.cf", join '', map {"$_ = $main{$_}\n"} sort keys %main);
	Namespace::write_file("$directory/etc/master.cf", $SERVICES . $self->{master});
	Namespace::age("$directory/etc/main.cf", "$directory/etc/master.cf");
	$self->populate_chroot;
	return $self;
}

# Files that a chrooted service reads below the queue directory (BASIC_CONFIGURATION_README, "chroot").
sub populate_chroot
{
	my ($self) = @_;
	my $etc = "$self->{directory}/queue/etc";
	mkdir $etc or die "$etc: $!\n";
	for my $name (grep { -f "/etc/$_" } qw(resolv.conf services hosts nsswitch.conf localtime)) {
		Namespace::write_file("$etc/$name", Namespace::read_file("/etc/$name"));
	}
	return;
}

sub start
{
	my ($self) = @_;
	my $messages = "$self->{directory}/start";
	system("postfix -c $self->{directory}/etc start >$messages 2>&1 </dev/null") == 0
	    or die "postfix start: " . Namespace::read_file($messages) . $self->log . "
";
	return;
}

sub log
{
	my ($self) = @_;
	return Namespace::read_file("$self->{directory}/log");
}

# The last outcome of each message that has one: queue identifier => [status, reason].
sub outcomes
{
	my ($self) = @_;
	my %outcomes;
	my $log = $self->log;
	$outcomes{$1} = [$2, $3] while $log =~ /: (\w+): to=<[^\n]*, status=(\w+) \(([^\n]*)\)$/gm;
	return \%outcomes;
}

# The messages of the queue: queue identifier => the queue's name.
sub queue
{
	my ($self) = @_;
	my $listing = qx(postqueue -c $self->{directory}/etc -j);
	die "postqueue: status $?\n" if $? != 0;
	return { map { $_->{queue_id} => $_->{queue_name} } map { decode_json($_) } split /\n/, $listing };
}

sub flush
{
	my ($self, $queue_id) = @_;
	Namespace::run_or_die('postqueue', '-c', "$self->{directory}/etc", '-i', $queue_id);
	return;
}

1;
