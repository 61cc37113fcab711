package Tlsad::Unit;

# Tlsad::Unit - reads systemd/tlsad.service
#
# Functions
#   settings(FILE)              [KEY, VALUE]... of a unit, in their order
#   values_of(KEY, SETTINGS)    the values of that key
#   allowed_calls()             the system calls that SystemCallFilter= allows: {NAME => 1}.
#                               systemd-analyze(1) lists systemd's sets.
#   refused_only()              strace's expression for all calls but these

use strict;
use warnings;
use Tlsad::Process ();

sub settings
{
	my ($file) = @_;
	open(my $handle, '<', $file) or die "$file: $!\n";
	return map { /^(\w+)=(.*)$/ ? [ $1, $2 ] : () } <$handle>;
}

sub values_of
{
	my ($key, @settings) = @_;
	return map { $_->[1] } grep { $_->[0] eq $key } @settings;
}

# systemd's sets of system calls: name => {call => 1}.
sub _sets
{
	my (%direct, %sets, $name);
	for (split(/\n/, qx(systemd-analyze syscall-filter --no-pager 2>/dev/null))) {
		if (/^(\@[\w-]+)/) { $name = $1 }
		elsif (/^\s+([\w@-]+)\s*$/ && defined $name) { push(@{$direct{$name}}, $1) }
	}
	my $expand;
	$expand = sub {
		return map { /^@/ ? $expand->($_) : $_ } @{$direct{$_[0]} // die "no set $_[0]\n"};
	};
	$sets{$_} = { map { ($_ => 1) } $expand->($_) } for keys %direct;
	return %sets;
}

# The first line makes it a list of allowed calls.
sub allowed_calls
{
	my %sets = _sets();
	my %allowed;
	my @service = settings(Tlsad::Process::source_directory() . '/systemd/tlsad.service');
	for my $line (values_of('SystemCallFilter', @service)) {
		my $take_away = $line =~ s/^~//;
		for my $word (split(' ', $line)) {
			for my $call ($word =~ /^@/ ? keys %{$sets{$word} // die "no set $word\n"} : $word) {
				if ($take_away) { delete $allowed{$call} } else { $allowed{$call} = 1 }
			}
		}
	}
	return \%allowed;
}

# "?": a call that this strace does not know is ignored. execve starts every program, before the
# filter applies.
sub refused_only { return 'trace=!' . join(',', map { "?$_" } 'execve', sort keys %{allowed_calls()}) }

1;
