package Bench::Programs;

# Bench::Programs - the programs of a measurement, each on its core
#
#   program(NAME)       path of a program of t/bench in the build directory
#   pin_server(), pin_load()
#                       what to put before a command so that it stays on the first
#                       core, or on the second one; empty where that is impossible
#   run_json(COMMAND...)
#                       runs a program that exits by itself and prints one line of
#                       JSON; dies if it fails
#   load(ENDPOINT, OPTION...)
#                       one run of t/bench/load: its figures
#   start_tlsad(NSD, CONNECTIONS, NAME => VALUE...)
#                       a Tlsad::Daemon with one worker and an empty cache that
#                       validates the zones of a Bench::Nsd; the rest is its
#                       environment
#   start_tlsad_with(NSD, CONNECTIONS, 'SECTION.KEY=VALUE'...)
#                       the same with these settings
#   start_other_tlsad(BINARY, NSD, CONNECTIONS)
#                       the same with another build, with the default settings
#   start_null(REPLY[, OPTION...])
#                       (process, endpoint) of t/bench/null with this reply

use strict;
use warnings;
use Exporter 'import';
use JSON::PP ();
use Time::HiRes ();
use Bench::Host qw(cores pin);
use Tlsad::Daemon;
use Tlsad::Process ();

our @EXPORT_OK = qw(program pin_server pin_load run_json load start_tlsad
	start_tlsad_with start_other_tlsad start_null);

use constant SETTLE => 1;	# [s] for threads and probes after a start

my ($server_core, $load_core) = choose_cores();

sub choose_cores
{
	my @cores = cores();
	if (@cores < 2) {
		print "one core only: server and generator share it, figures are not comparable\n";
		return;
	}
	if (system("taskset -c $cores[0] true 2>/dev/null") != 0) {
		print "taskset does not work here: nothing is kept on its core\n";
		return;
	}
	return @cores[0, 1];
}

sub pin_server { return pin($server_core) }
sub pin_load { return pin($load_core) }

sub program
{
	my ($name) = @_;
	my $program = Tlsad::Process::build_directory() . "/t/bench/$name";
	die "$program is missing: build it with make bench\n" unless -e $program;
	return $program;
}

# Runs a program that prints one line of JSON and exits by itself.
sub run_json
{
	my (@command) = @_;
	open(my $pipe, '-|', @command) or die "$command[0]: $!\n";
	my $line = do { local $/; <$pipe> };
	close($pipe) or die "@command failed: " . ($line // '') . "\n";
	return JSON::PP::decode_json($line);
}

sub load
{
	my ($endpoint, @options) = @_;
	return run_json(pin_load(), program('load'), '--json', @options, $endpoint);
}

sub start_tlsad
{
	my ($nsd, $connections, %environment) = @_;
	return start(undef, $nsd, $connections, \%environment);
}

sub start_tlsad_with
{
	my ($nsd, $connections, @settings) = @_;
	return start(undef, $nsd, $connections, {}, @settings);
}

sub start_other_tlsad
{
	my ($binary, $nsd, $connections) = @_;
	return start($binary, $nsd, $connections, {});
}

sub start
{
	my ($binary, $nsd, $connections, $environment, @settings) = @_;
	my $daemon = Tlsad::Daemon->start(
		binary => $binary,
		wrapper => [ pin_server() ],
		env => $environment,
		args => [ map { ('-o', $_) } 'server.workers=1', @settings ],
		config => {
			resolver => { stub => $nsd->stubs, trust_anchor => "$nsd->{zones}/anchor.ds",
				query_localhost => 'yes' },
			server => { max_connections => $connections },
		});
	Time::HiRes::sleep(SETTLE);
	return $daemon;
}

sub start_null
{
	my ($reply, @options) = @_;
	my $directory = Tlsad::Process::private_directory();
	my $endpoint = "unix:$directory/null";
	my $process = Tlsad::Process::spawn(log => "$directory/log",
		command => [ pin_server(), program('null'), @options, '--reply', $reply, $endpoint ]);
	for (1 .. 250) {
		return ($process, $endpoint) if -S "$directory/null";
		Time::HiRes::sleep(0.02);
	}
	die "null does not start\n";
}

1;
