package Tlsad::Counters;

# Tlsad::Counters - the table of counters, daemon/counters/counter_table.c
#
# Functions
#   rows()    a hash for each row: metric, status, total, log; missing values are undef

use strict;
use warnings;
use Exporter 'import';
use Tlsad::Process;

our @EXPORT_OK = qw(rows);

sub rows
{
	my $file = Tlsad::Process::source_directory() . '/daemon/counters/counter_table.c';
	open(my $handle, '<', $file) or die "$file: $!\n";
	my $source = do { local $/; <$handle> };
	my ($table) = $source =~ /struct counter_row counter_table\[\] = \{\n(.*?)^\};/ms
		or die "$file: no table\n";
	my @rows;
	for my $text (grep { /\S/ } split(/^\t\{\n/m, $table)) {
		my %row;
		($row{$_}) = $text =~ /\.$_ = "([\w.]+)"/ for qw(metric status total log);
		push @rows, \%row;
	}
	return @rows;
}

1;
