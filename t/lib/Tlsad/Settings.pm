package Tlsad::Settings;
# The table of settings, common/conf/settings.c.
#
#   my %settings = Tlsad::Settings::read_table();
#       "section.key" => {type => TYPE, reload => true or false}
#
# A row is SETTING_TYPE(section, key, default, ..., RELOAD or RESTART, help). It dies if it cannot
# read all rows, so that no setting is silently missing from a test.

use strict;
use warnings;
use Tlsad::Process;

sub read_table
{
	my $file = Tlsad::Process::source_directory() . '/common/conf/settings.c';
	open(my $handle, '<', $file) or die "$file: $!\n";
	my $text = do { local $/; <$handle> };
	my ($table) = $text =~ /^const struct setting conf_settings\[\] = \{\n(.*?)^\};/ms
		or die "$file: there is no table of settings\n";
	my %found;
	for my $row (split(/^(?=\tSETTING_)/m, $table)) {
		my ($type, $section, $key, $change) =
			$row =~ /^\tSETTING_([A-Z]+)\(\s*(\w+), (\w+),.*?\b(RELOAD|RESTART),\s*".*"\),\n+\z/s
			or die "$file: a row that cannot be read:\n$row";
		die "$file: $section.$key has two rows\n" if $found{"$section.$key"};
		$found{"$section.$key"} = { type => $type, reload => $change eq 'RELOAD' };
	}
	return %found;
}

1;
