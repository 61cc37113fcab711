package Lint::Includes;

# The folders of the C files, in the order of contrib/floors, and what they include.

use strict;
use warnings;
use Exporter qw(import);
use File::Basename qw(dirname);
use Lint::Report qw(refuse read_lines);

our @EXPORT_OK = qw(check_includes);

my @top_folders = qw(common conf contrib daemon systemd t);
my $floors_file = 'contrib/floors';

sub check_includes
{
	my (@files) = @_;
	my %rank = read_floors();
	my @includes = grep { $_->{folder} !~ m{^t(?:/|\z)} } read_includes(@files);
	check_folders(\%rank, @files);
	check_order(\%rank, @includes);
	check_cycles(@includes);
	return;
}

# {FOLDER => its line in contrib/floors}
sub read_floors
{
	my ($number, %rank) = (0);
	for (read_lines($floors_file)) {
		$number++;
		for my $folder (split(' ', s/#.*//sr)) {
			refuse($floors_file, $number, "$folder is here twice: remove one of the lines")
				if exists $rank{$folder};
			$rank{$folder} = $number;
		}
	}
	return %rank;
}

# [{file, line, folder, header, target}...], target being the folder of the header. A wrong path
# is refused here, and such an include is left out.
sub read_includes
{
	my @includes;
	for my $file (@_) {
		my $number = 0;
		for (read_lines($file)) {
			$number++;
			my ($rest) = /^\s*#\s*include\b\s*(.*)/ or next;
			my $header = find_header($file, $number, $rest) // next;
			push @includes, { file => $file, line => $number, folder => dirname($file),
				header => $header, target => dirname($header) };
		}
	}
	return @includes;
}

# The header's path from the top; undef if it is not one of this tree or is refused.
sub find_header
{
	my ($file, $line, $rest) = @_;
	my ($quote, $path) = $rest =~ /^(["<])([^">]+)[">]/;
	if (!defined $path) {
		refuse($file, $line, 'includes what a macro names: write the path of the header');
	} elsif ($quote eq '<') {
		refuse($file, $line, "<$path> is a header of this tree: write \"$path\"")
			if $path =~ m{^(\w+)/} && -f $path && grep { $_ eq $1 } @top_folders;
	} elsif ($path =~ m{^\w+/} && $path !~ m{/(?:\.\.?)?/} && -f $path) {
		return $path;
	} elsif (-f dirname($file) . "/$path") {
		return dirname($file) . "/$path" if $file =~ m{^t/(?:bench|lab)/};
		refuse($file, $line, "\"$path\" does not start at the top of the tree: "
			. 'write the whole path, "common/..." or "daemon/..."');
	} else {
		refuse($file, $line, "\"$path\" does not exist: correct the path or remove the line");
	}
	return undef;
}

# --- the order of the folders ------------------------------------------------------------------

sub check_folders
{
	my ($rank, @files) = @_;
	my %seen;
	for my $file (@files) {
		my $folder = dirname($file);
		next if $seen{$folder}++;
		if ($folder =~ m{^t/unit/([^/]+)}) {
			refuse($file, 1, "no folder $1 in common, daemon or daemon/ctl: "
				. 'put a unit test into the folder that is named like the one it tests')
				unless grep { -d "$_/$1" } qw(common daemon daemon/ctl);
		} elsif ($folder !~ m{^t(?:/|\z)} && !exists $rank->{$folder}) {
			refuse($file, 1, "the folder $folder is not in $floors_file: add it where it belongs");
		}
	}
}

sub check_order
{
	my ($rank, @includes) = @_;
	for (@includes) {
		my ($folder, $target) = @$_{qw(folder target)};
		my $what = "$_->{header} is included";
		if ($target =~ m{^t(?:/|\z)}) {
			refuse($_->{file}, $_->{line}, "$what, which only tests may: remove the line");
		} elsif ($folder =~ m{^common(?:/|\z)} && $target =~ m{^daemon(?:/|\z)}) {
			refuse($_->{file}, $_->{line}, "$what, but common never includes daemon: "
				. 'move what is needed to common, or pass it as an argument');
		} elsif (exists $rank->{$folder} && ($rank->{$target} // 0) > $rank->{$folder}) {
			refuse($_->{file}, $_->{line}, "$what, but $target comes after $folder in "
				. "$floors_file: move what is needed to $folder or to a folder before it, "
				. 'or pass it as an argument');
		}
	}
}

# Knows nothing of contrib/floors, so that a wrong line there hides no cycle.
sub check_cycles
{
	my (%edge, %reported);
	for (@_) {
		$edge{$_->{folder}}{$_->{target}} //= $_ if $_->{folder} ne $_->{target};
	}
	for my $from (sort keys %edge) {
		for my $to (sort keys %{$edge{$from}}) {
			my @back = find_way(\%edge, $to, $from) or next;
			next if $reported{join(' ', sort @back)}++;
			my @cycle = ($from, @back);
			my @steps = map { $edge{$cycle[$_]}{$cycle[$_ + 1]} } 0 .. $#cycle - 1;
			my @words = map { "$_->{folder} includes $_->{target} ($_->{file}:$_->{line})" } @steps;
			refuse($steps[0]{file}, $steps[0]{line}, 'a cycle of folders: '
				. join(', ', @words) . ': remove one of these includes');
		}
	}
}

# The folders on a shortest way, both ends included; empty if there is no way.
sub find_way
{
	my ($edge, $from, $to) = @_;
	my @ways = [$from];
	my %seen;
	while (my $way = shift @ways) {
		return @$way if $way->[-1] eq $to;
		push @ways, map { [ @$way, $_ ] } grep { !$seen{$_}++ } sort keys %{$edge->{$way->[-1]}};
	}
	return ();
}

1;
