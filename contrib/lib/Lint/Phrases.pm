package Lint::Phrases;

# Phrases in documents and messages that contrib/phrases has a plainer one for.

use strict;
use warnings;
use Exporter qw(import);
use Lint::Report qw(refuse run);

our @EXPORT_OK = qw(check_phrases);

sub check_phrases
{
	my $output = run($^X, 'contrib/phrases', '--check', '.');
	my $status = $?;
	my $found = 0;
	while ($output =~ /^(\S+?):(\d+): (.+)$/mg) {
		refuse($1, $2, $3);
		$found = 1;
	}
	refuse('contrib/phrases', 1, "failed: $output") if $status != 0 && !$found;
	return;
}

1;
