#!/usr/bin/perl
# What all commands of tlsactl share: options before and after the command, help
# for every command and every group of commands, the messages after mistakes, and
# output that cannot be written.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use Tlsad::Ctl;
use Tlsad::Process;

my $ctl = Tlsad::Ctl->new;
my @commands = $ctl->run('--help')->{out} =~ /^  ([a-z]+(?: [a-z]+)?)  +\S/mg;

subtest('help' => \&help);
subtest('versions' => \&versions);
subtest('mistakes' => \&mistakes);
subtest('options wherever they are' => \&anywhere);
subtest('the configuration' => \&configuration);
subtest('output' => \&output);
done_testing();

sub help
{
	my $result = $ctl->run('--help');
	is("$result->{status} $result->{err}", '0 ', 'tlsactl --help');
	cmp_ok(scalar(@commands), '>=', 3, 'it lists the commands');
	is(join(',', sort @commands), join(',', sort(command_rows())), 'all rows of the table of commands');
	is($ctl->run($_)->{out}, $result->{out}, "$_ is the same") for '-h', 'help';
	for my $command (@commands) {
		my @words = split(/ /, $command);
		for my $arguments ([@words, '--help'], ['--help', @words], ['help', @words], [@words, 'x', '-h']) {
			$result = $ctl->run(@$arguments);
			is("$result->{status} $result->{err}", '0 ', "@$arguments: status");
			like($result->{out}, qr/\Ausage: tlsactl \Q$command\E /, "@$arguments: usage");
			like($result->{out}, qr/^  --json  /m, "@$arguments: options");
		}
	}
	my %groups = map { /^(\S+) / ? ($1 => 1) : () } @commands;
	cmp_ok(scalar(keys %groups), '>=', 3, 'there are groups of commands');
	for my $group (sort keys %groups) {
		my @own = grep { /^\Q$group\E / } @commands;
		for my $arguments ([$group, '--help'], [$group, '-h'], ['--help', $group], ['help', $group],
			['-s', '/nowhere', $group, '--json', '--help']) {
			$result = $ctl->run(@$arguments);
			is("$result->{status} $result->{err}", '0 ', "@$arguments: status");
			like($result->{out}, qr/\Ausage: tlsactl \Q$group\E COMMAND /, "@$arguments: usage");
			is(join(',', $result->{out} =~ /^  (\Q$group\E \S+)  +\S/mg), join(',', @own),
				"@$arguments: its commands");
			is(scalar(() = $result->{out} =~ /^  [a-z]/mg), scalar(@own), "@$arguments: and no others");
		}
	}
}

# The names in the table of commands in the source.
sub command_rows
{
	my ($table) = Tlsad::Ctl::slurp(Tlsad::Process::source_directory() . '/daemon/ctl/frame/command.c')
		=~ /^const struct command commands\[\] = \{\n(.*?)^\};/ms;
	return ($table // '') =~ /^\t\{"([^"]+)",/mg;
}

sub versions
{
	for my $option ('-V', '--version') {
		my $result = $ctl->run($option);
		is($result->{status}, 0, "$option: status");
		like($result->{out}, qr/\Atlsactl \d+\.\d+/, 'its own');
		like($result->{out}, qr/^$_ \d+/m, $_) for qw(libunbound OpenSSL libevent jansson);
	}
}

sub mistakes
{
	my @rows = (
		[[], qr/^commands:/m],
		[['chekc', 'a.example'], qr/no command 'chekc'; did you mean 'check'\?/],
		[['tlsa', 'creat', 'a.example'], qr/no command 'tlsa creat'; did you mean 'tlsa create'\?/],
		[['tsla', 'create', 'a.example'], qr/no command 'tsla'; did you mean 'tlsa create'\?/],
		[['tlsa'], qr/'tlsa' is not a command alone; add one of: create, verify; see tlsactl tlsa --help/],
		[['tlsa', '--hlep'], qr/no option '--hlep'; did you mean '--help'\?/],
		[['tlsa', 'x', '--help'], qr/no command 'tlsa x'; see tlsactl tlsa --help/],
		[['help', 'chekc'], qr/no command 'chekc'; did you mean 'check'\?/],
		[['frobnicate'], qr/no command 'frobnicate'; see tlsactl --help/],
		[['', 'x'], qr/no command ''/],
		[["\e[31mred\n"], qr/no command '\\x1b\[31mred\\x0a'/],
		[['x' x 5000], qr/no command 'x+'/],
		[['--jsno', 'check', 'a.example'], qr/no option '--jsno'; did you mean '--json'\?/],
		[['-x', 'check', 'a.example'], qr/no option '-x'/],
		[['--json=1', 'check', 'a.example'], qr/'--json=1' takes no value/],
		[['-s'], qr/'-s' needs a value/],
		[['-s', '', 'status'], qr/--socket needs the path of tlsad's control socket; '' has no path/],
		[['status', '-s', 'unix:'], qr/--socket needs the path of tlsad's control socket; 'unix:' has no path/],
		[['-c', '', 'status'], qr/--config needs the name of a file, which '' is not/],
		[['exception', 'list', '--config='], qr/--config needs the name of a file/],
		[['check', '--versoin', 'a.example'], qr/no option '--versoin'/],
		[['check', '-V', 'a.example'], qr/no option '-V'/],
	);
	for my $row (@rows) {
		my ($arguments, $words) = @$row;
		my $result = $ctl->run(@$arguments);
		my $what = substr("@$arguments" =~ tr/ -~//cdr, 0, 40);
		is("$result->{status} $result->{out}", '64 ', "'$what': status");
		like($result->{err}, $words, "'$what': what is wrong");
		like($result->{err}, qr/^usage: tlsactl /m, "'$what': usage");
		unlike($result->{err}, qr/[^\n -~]/, "'$what': nothing unprintable");
	}
}

sub anywhere
{
	for my $arguments (['--json', 'check', 'a b'], ['check', '--json', 'a b'],
		['check', 'a b', '--json'], ['-s', '/nowhere', 'check', 'a b', '--socket=/nowhere'],
		['check', '-c', $ctl->config_file, '--', 'a b']) {
		my $result = $ctl->run(@$arguments);
		is("$result->{status} $result->{out}", '2 ', "@$arguments");
		like($result->{err}, qr/'a b' is not a mail domain/, 'it was understood');
	}
}

sub configuration
{
	for my $row (['/nowhere/tlsad.conf', qr/No such file/], [$ctl->directory, qr/cannot read the file/]) {
		my $result = $ctl->run('check', '-c', $row->[0], 'a.example');
		is("$result->{status} $result->{out}", '75 ', "-c $row->[0]: status");
		like($result->{err}, qr/\Atlsactl: error: \Q$row->[0]\E: [^\n]+\n\z/, 'one line');
		like($result->{err}, $row->[1], 'and why');
	}
}

sub output
{
	my $command = Tlsad::Ctl::binary() . ' --help';
	SKIP: {
		skip('there is no /dev/full', 2) unless -e '/dev/full';
		my $said = qx($command 2>&1 >/dev/full);
		is($? >> 8, 74, 'a full device: status');
		is($said, "tlsactl: error: cannot write to standard output: No space left on device\n",
			'and one line');
	}
	my $said = $ctl->directory . '/said';
	system("$command 2>$said | true");
	is(-s $said, 0, 'a reader that closes the pipe early gets no message');
}
