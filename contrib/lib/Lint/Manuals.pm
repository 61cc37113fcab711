package Lint::Manuals;

# mandoc -T lint on the manual pages.

use strict;
use warnings;
use Exporter qw(import);
use Lint::Report qw(refuse find_files not_checked run);

our @EXPORT_OK = qw(check_manuals);

sub check_manuals
{
	my @files = find_files(qr/\.[1-9]\z/) or return;
	my $program = $ENV{MANDOC} // 'mandoc';
	# It has no option that only prints its version.
	run($program, '-T', 'lint', '/dev/null');
	return not_checked($files[0], 'manual pages are', "$program is not installed")
		if $? == -1 || $? >> 8 == 127;
	my $output = run($program, '-T', 'lint', '-W', 'style', @files);
	my $status = $?;
	my $found = 0;
	for (split(/\n/, $output)) {
		$found = 1;
		# These depend on the manual pages that are installed here.
		next if /: referenced manual not found|^\S+: outdated mandoc\.db lacks/;
		# A message of a whole page has no line.
		my ($file, $line, $text) = /^\S+: (\S+?):(?:(\d+):\d+:)? (?:[A-Z]+: )?(.+)$/;
		if (defined $file && -f $file) {
			refuse($file, $line // 1, "$text: correct it");
		} else {
			refuse($files[0], 1, "$program: $_");
		}
	}
	# The exit status is 1 to 4 if it finds something.
	refuse($files[0], 1, "$program failed: status $status")
		if $status & 127 || $status >> 8 > 4 || $status != 0 && !$found;
	return;
}

1;
