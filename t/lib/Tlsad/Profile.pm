package Tlsad::Profile;

# Tlsad::Profile - the rules for files in an AppArmor profile
#
# Purpose
#   Checks whether a profile allows the observed actions of a program, without a kernel
#   that enforces it. apparmor_parser expands the profile; only its rules for files are
#   checked.
#
# Functions
#   Tlsad::Profile->new(FILE)     dies with the parser's message if it refuses the file
#   $profile->lacks(PATH, PERMISSIONS)
#       Which of the permissions (letters as in apparmor.d(5)) it does not grant.
#   wanted(LINE)
#       The permissions that AppArmor requires for a line of
#       "strace -ff -y -e trace=%file,bind,connect,flock,fcntl,mmap", as
#       [PATH, PERMISSIONS]...: none for stat(2) and the like, and none for failed calls.

use strict;
use warnings;
use Exporter 'import';
use Tlsad::Process;

our @EXPORT_OK = qw(wanted);

# In later calls strace does not distinguish directories from files.
my %directories;

sub new
{
	my ($class, $file) = @_;
	my $parser = Tlsad::Process::find_program('apparmor_parser') // die "no apparmor_parser\n";
	my $text = qx('$parser' --preprocess --skip-kernel-load --skip-cache '$file' 2>&1);
	die $text if $? != 0;
	my $self = bless { variables => {}, rules => [] }, $class;
	for (split(/\n/, $text)) {
		if (/^\s*(\@\{\w+\})\s*\+?=\s*(.*)$/) {
			push(@{$self->{variables}{$1}}, map { s/^"|"$//gr } split(' ', $2));
		} elsif (/^\s*(?:owner\s+)?([\/\@]\S*)\s+([rwkmlix]+),\s*$/) {
			push(@{$self->{rules}}, [ $1, $2 ]);
		}
	}
	return $self;
}

# All combinations of the values of the variables.
sub _substituted
{
	my ($self, $pattern) = @_;
	my ($variable) = $pattern =~ /(\@\{\w+\})/ or return $pattern;
	my $values = $self->{variables}{$variable} // [];
	return map { $self->_substituted($pattern =~ s/\Q$variable\E/$_/r) } @$values;
}

sub _expression
{
	my ($self, $pattern) = @_;
	my %special = ('**' => '.*', '*' => '[^/]*', '?' => '[^/]', '{' => '(?:', '}' => ')', ',' => '|');
	my @expressions;
	for my $plain ($self->_substituted($pattern)) {
		my $depth = 0;
		$plain =~ s{/+}{/}g;
		$plain =~ s{(\*\*|\[\^?[^]]*\]|.)}{
			my $word = $1;
			$depth++ if $word eq '{';
			my $text = $word =~ /^\[/ ? $word
				: $word eq ',' && $depth == 0 ? ',' : $special{$word} // quotemeta($word);
			$depth-- if $word eq '}';
			$text }ge;
		push(@expressions, $plain);
	}
	return '^(?:' . join('|', @expressions) . ')\z';
}

sub lacks
{
	my ($self, $path, $permissions) = @_;
	my %lacking = map { ($_ => 1) } split(//, $permissions);
	for my $rule (@{$self->{rules}}) {
		$rule->[2] //= $self->_expression($rule->[0]);
		delete @lacking{split(//, $rule->[1])} if $path =~ /$rule->[2]/;
	}
	return join('', sort keys %lacking);
}

# The permissions for open(2) and openat(2). strace -y shows the file after the "=".
sub _wanted_by_open
{
	my ($flags, $path) = @_;
	$directories{$path} = 1 if $flags =~ /O_DIRECTORY/;
	my $permissions = $flags =~ /O_RDWR/ ? 'rw' : $flags =~ /O_WRONLY/ ? 'w' : 'r';
	return [ $flags =~ /O_DIRECTORY/ ? "$path/" : $path, $permissions ];
}

sub wanted
{
	my ($line) = @_;
	my ($call, $rest) = $line =~ /^(\w+)(.*)$/ or return;
	return if $rest !~ / = (?!-1 )/;
	if ($call =~ /^open(?:at)?$/) {
		return $rest =~ /"([^"]*)", (O_[A-Z_|]+).* = \d+<(.*)>$/ ? _wanted_by_open($2, $3) : ();
	}
	return if $call =~ /^(?:bind|connect)$/ && $rest !~ /sun_path="/;
	my @paths;
	while ($rest =~ /(?:<([^>]*)>, )?"([^"]*)"/g) {
		my ($directory, $path) = ($1 // '', $2);
		push(@paths, $path =~ m{^/} ? $path : "$directory/$path");
	}
	return map { [ $_, 'w' ] } @paths if $call =~ /^(?:unlink|chmod|chown|bind|connect|truncate)/;
	return ([ $paths[0], 'rw' ], [ $paths[1], 'w' ]) if $call =~ /^rename/;
	return [ "$paths[0]/", 'w' ] if $call =~ /^(?:mkdir|rmdir)/;
	my ($file) = $rest =~ /<(\/[^>]*)>/ or return;
	$file .= '/' if $directories{$file};
	return [ $file, 'k' ] if $call eq 'flock' || $call eq 'fcntl' && $rest =~ /F_(?:OFD_)?SETLK/;
	return [ $file, 'm' ] if $call eq 'mmap' && $rest =~ /PROT_EXEC/;
	return;
}

1;
