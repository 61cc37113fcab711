package Bench::Host;

# Bench::Host - the kernel's figures about processes, and how to keep them on a core
#
#   cores()                 numbers of the cores that this process may use
#   pin(CORE)               ("taskset", ...) to be put before a command; empty when
#                           CORE is undef
#   processor_seconds(PID)  processor time that all its threads have used
#   memory(PID)             {rss, pss, anonymous} [bytes]
#   disk_usage(DIRECTORY)   what its files take on disk [bytes]
#   median(NUMBER...)

use strict;
use warnings;
use Exporter 'import';

our @EXPORT_OK = qw(cores pin processor_seconds memory disk_usage median);

sub _read
{
	my ($file) = @_;
	open(my $handle, '<', $file) or die "$file: $!\n";
	local $/;
	return scalar(<$handle>) // '';
}

sub cores
{
	my ($list) = _read('/proc/self/status') =~ /^Cpus_allowed_list:\s*(\S+)/m;
	return map { /^(\d+)-(\d+)$/ ? $1 .. $2 : $_ } split(/,/, $list // '0');
}

sub pin
{
	my ($core) = @_;
	return defined $core ? ('taskset', '-c', $core) : ();
}

sub processor_seconds
{
	my ($pid) = @_;
	my $sum = 0;
	for my $file (glob("/proc/$pid/task/*/schedstat")) {
		my ($nanoseconds) = split(/ /, eval { _read($file) } // '0');
		$sum += $nanoseconds;
	}
	return $sum / 1e9;
}

sub memory
{
	my ($pid) = @_;
	my $text = _read("/proc/$pid/smaps_rollup");
	my %field = map { /^(\w+):\s+(\d+) kB/ ? ($1 => $2 * 1024) : () } split(/\n/, $text);
	return { rss => $field{Rss}, pss => $field{Pss}, anonymous => $field{Anonymous} };
}

sub disk_usage
{
	my ($directory) = @_;
	my $sum = 0;
	for my $file (glob("$directory/*")) {
		my @status = stat($file) or next;
		# Blocks, not the length: a mapped file may have holes.
		$sum += $status[12] * 512;
	}
	return $sum;
}

sub median
{
	my @sorted = sort { $a <=> $b } @_;
	return undef unless @sorted;
	return ($sorted[($#sorted) / 2] + $sorted[@sorted / 2]) / 2;
}

1;
