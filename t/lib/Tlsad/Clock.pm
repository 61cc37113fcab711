package Tlsad::Clock;

# Tlsad::Clock - a wall clock for one daemon, which can be set while it runs (libfaketime)
#
# Functions
#   Tlsad::Clock->new      undef if libfaketime is not installed
#   $clock->env            {VARIABLE => VALUE} for the process; its steady clock stays as it is
#   $clock->set(OFFSET)    "+3h", "-2d": from the real time, from now on

use strict;
use warnings;
use Tlsad::Process ();

sub new
{
	my ($class) = @_;
	my ($library) = grep { -f } map { "$_/faketime/libfaketimeMT.so.1" }
		glob('/usr/lib/*-linux-*'), '/usr/lib', '/usr/lib64', '/usr/local/lib';
	return undef unless $library;
	my $self = bless { library => $library, file => Tlsad::Process::private_directory() . '/offset' }, $class;
	$self->set('+0');
	return $self;
}

sub env
{
	my ($self) = @_;
	return { LD_PRELOAD => $self->{library}, FAKETIME_TIMESTAMP_FILE => $self->{file},
		FAKETIME_NO_CACHE => 1, DONT_FAKE_MONOTONIC => 1, FAKETIME_DONT_FAKE_MONOTONIC => 1,
		# AddressSanitizer must be loaded first.
		ASAN_OPTIONS => join(':', grep { defined && length } $ENV{ASAN_OPTIONS},
			'verify_asan_link_order=0') };
}

# The process reads the file at any time, so it must be whole.
sub set
{
	my ($self, $offset) = @_;
	open(my $handle, '>', "$self->{file}.new") or die "$self->{file}.new: $!\n";
	print $handle "$offset\n";
	close($handle) or die "$self->{file}.new: $!\n";
	rename("$self->{file}.new", $self->{file}) or die "$self->{file}: $!\n";
}

1;
