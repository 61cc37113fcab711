package Tlsad::CaseTables;

# Tlsad::CaseTables - the rules of t/lab/dane-cases and the cases that are tested
#
# Purpose
#   Reads the tables of t/lab/dane-cases, t/lab/cases and t/lab/pinned-cases, and
#   compares them with each other.
#
# Functions
#   rules(FILE)
#       ({heading, line, rows => [{line, case, answer, reason}...]}...): the sections of
#       t/lab/dane-cases. answer and reason are undef in a table without such a column.
#   cases(FILE)
#       ({line, section, case, key, reply, reason, ttl, option}...): the lines of
#       t/lab/cases, columns as written, undef for missing ones. section and case are
#       the headings above it. Dies if a line has too few columns.
#   headings(FILE)
#       ([HEADING, LINES]...): each "##" of t/lab/pinned-cases, and how many cases it has.
#   differences(RULES, CASES, HEADINGS)
#       The differences, as text; the arguments are references to the lists. Rules and
#       cases must have the same headings in the same order, each with a case below it,
#       and a case must have the answer and the reason of its rule. The section of RULES
#       whose heading ends with "(pinned)" belongs to HEADINGS.

use strict;
use warnings;

sub _lines
{
	my ($file) = @_;
	open(my $handle, '<:raw', $file) or die "$file: $!\n";
	chomp(my @lines = <$handle>);
	return @lines;
}

sub rules
{
	my ($file) = @_;
	my ($number, @sections, @columns) = (0);
	for (_lines($file)) {
		$number++;
		if (/^## (.*)/) {
			push @sections, { heading => $1, line => $number, rows => [] };
			@columns = ();
		} elsif (/^\| (.*) \|$/) {
			my @cells = split(/ \| /, $1);
			next if $cells[0] eq '---';
			die "$file line $number: a table before the first section\n" unless @sections;
			if (!@columns) { @columns = @cells; next }
			die "$file line $number: " . @cells . ' columns instead of ' . @columns . "\n"
				if @cells != @columns;
			my %row = (line => $number);
			@row{@columns} = @cells;
			push @{$sections[-1]{rows}}, \%row;
		}
	}
	return @sections;
}

sub cases
{
	my ($file) = @_;
	my ($number, $section, $case, @cases) = (0, '', '');
	for my $line (_lines($file)) {
		$number++;
		if ($line =~ /^## (.*)/) { ($section, $case) = ($1, '') }
		elsif ($line =~ /^### (.*)/) { $case = $1 }
		next if $line =~ /^#/ || $line !~ /\S/;
		my ($key, $reply, $reason, $ttl, $option) = split(/\s*\|\s*/, $line);
		die "$file line $number: $line\n" unless defined $reason;
		s/^\s+|\s+$//g for grep { defined } $key, $reply, $reason, $ttl, $option;
		push @cases, { line => $number, section => $section, case => $case, key => $key,
			reply => $reply, reason => $reason, ttl => $ttl, option => $option };
	}
	return @cases;
}

sub headings
{
	my ($file) = @_;
	my @headings;
	for (_lines($file)) {
		if (/^## (.*)/) { push @headings, [ $1, 0 ] }
		elsif (/^[^#].*\|/ && !/^(?:host|alias|domain) / && @headings) { $headings[-1][1]++ }
	}
	return @headings;
}

# The reply in the form of the rules: "dane-only", "NOTFOUND", "TEMP".
sub _answer
{
	my ($reply) = @_;
	return $reply =~ /^OK (.*)/ ? $1 : $reply =~ s/ .*//r;
}

# The first difference of two lists, as text, or ''.
sub _order
{
	my ($rules, $cases) = @_;
	for my $i (0 .. ($#$rules > $#$cases ? $#$rules : $#$cases)) {
		my ($rule, $case) = map { $_ // 'nothing' } $rules->[$i], $cases->[$i];
		return "the rules have \"$rule\" where the cases have \"$case\"" if $rule ne $case;
	}
	return '';
}

sub differences
{
	my ($rules, $cases, $headings) = @_;
	my (%row, @differences, @rows, @pinned, @tested);
	for my $section (@$rules) {
		my $is_pinned = $section->{heading} =~ /\(pinned\)$/;
		for my $row (@{$section->{rows}}) {
			my $name = "$section->{heading} / $row->{case}";
			push @differences, "t/lab/dane-cases line $row->{line}: $name is there twice" if $row{$name};
			$row{$name} = $row;
			if ($is_pinned) { push @pinned, $row->{case} }
			else { push @rows, $name }
		}
		push @differences, "t/lab/dane-cases line $section->{line}: no table" unless @{$section->{rows}};
	}
	for (map { "$_->{section} / $_->{case}" } @$cases) {
		push @tested, $_ if !@tested || $tested[-1] ne $_;
	}
	push @differences, _order(\@rows, \@tested), _order(\@pinned, [ map { $_->[0] } @$headings ]),
		map { $_->[1] > 0 ? () : "pinned-cases: no case for \"$_->[0]\"" } @$headings;
	for my $case (@$cases) {
		my $row = $row{"$case->{section} / $case->{case}"} // next;
		my ($answer, $reason) = map { $_ // '-' } @$row{qw(answer reason)};
		my %reasons = map { ($_ => 1) } split(m{/}, $reason);
		my $what = "cases line $case->{line}: $case->{key}";
		push @differences, "$what: the answer is $answer in line $row->{line} of t/lab/dane-cases"
			if $answer ne '-' && $answer ne _answer($case->{reply});
		push @differences, "$what: the reason is $reason in line $row->{line} of t/lab/dane-cases"
			if $reason ne '-' && grep { !$reasons{$_} } split(m{/}, $case->{reason});
	}
	return grep { $_ ne '' } @differences;
}

1;
