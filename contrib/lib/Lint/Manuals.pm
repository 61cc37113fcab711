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
	while ($output =~ /^mandoc: (\S+?):(\d+):\d+: (?:[A-Z]+: )?(.+)$/mg) {
		my ($file, $line, $text) = ($1, $2, $3);
		$found = 1;
		# This depends on the manual pages that are installed here.
		refuse($file, $line, "$text: correct it") if $text !~ /^referenced manual not found/;
	}
	refuse($files[0], 1, "$program failed: $output") if $status != 0 && !$found;
	return;
}

1;
