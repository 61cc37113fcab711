#!/usr/bin/perl
# contrib/tlsactl.bash: bash offers the commands and options that the program has.

use strict;
use warnings;
use Cwd ();
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use Tlsad::Ctl;
use Tlsad::Process;

my $bash = Tlsad::Process::find_program('bash');
plan(skip_all => 'bash is not installed') unless defined $bash;

my $script = Tlsad::Process::source_directory() . '/contrib/tlsactl.bash';
my $directory = Tlsad::Process::private_directory();

# Returns the completions for the last of these words.
sub offered
{
	my (@words) = @_;
	# The shell changes its directory.
	local $ENV{PROGRAM} = Cwd::abs_path(Tlsad::Ctl::binary());
	open(my $pipe, '-|', $bash, '--norc', '-c', <<'END', 'bash', $script, $directory, @words) or die "bash: $!\n";
. "$1" && cd "$2" && shift 2
COMP_WORDS=(tlsactl "$@")
COMP_CWORD=$#
previous=${COMP_WORDS[COMP_CWORD-1]}
_tlsactl "$PROGRAM" "${COMP_WORDS[COMP_CWORD]}" "$previous"
printf '%s\n' "${COMPREPLY[@]}"
END
	my $text = do { local $/; <$pipe> } // '';
	close($pipe) or die "bash failed\n";
	return join(' ', sort grep { length } split(/\n/, $text));
}

open(my $handle, '>', "$directory/chain.pem") or die "chain.pem: $!\n";
close($handle);
my %commands = map { /^(\S+)/ ? ($1 => 1) : () }
	qx(@{[Tlsad::Ctl::binary()]} --help) =~ /^  ([a-z]+(?: [a-z]+)?)  +\S/mg;

is(offered(''), join(' ', sort keys %commands), 'every command');
is(offered('tl'), 'tlsa', 'a command');
is(offered('--json', '-c', 'check', 'tl'), 'tlsa', 'after options');
is(offered('tlsa', ''), 'create verify', 'its second word');
is(offered('exception', ''), 'add list remove', 'also of the longest name');
is(offered('cache', '--h'), '--help', 'an option of a group of commands');
is(offered('tlsa', 'v'), 'verify', 'and what that begins with');
is(offered('check', 'a'), '', 'no destinations');
is(offered('--j'), '--json', 'an option');
is(offered('check', '--m'), '--mx-only', 'an option of a command');
is(offered('tlsa', 'create', 'mx.example.com', '--se'), '--selector', 'after its operand');
is(offered('tlsa', 'verify', '--se'), '', 'and of no other');
is(offered('tlsa', 'create', '--protocol', ''), 'sctp tcp udp', 'choices');
is(offered('check', '--starttls', 'n'), 'none', 'one of them');
is(offered('tlsa', 'create', '--cert', ''), 'chain.pem', 'files');
is(offered('warm', 'c'), 'chain.pem', 'files as operands');
mkdir("$directory/etc") or die "etc: $!\n";
is(offered('doctor', '--postfix', ''), 'etc', 'directories');
done_testing();
