#!/usr/bin/perl
# contrib/debian-root, by which contrib/quickstart check-in runs the tests in a clean Debian: the
# command gets a copy of the tree, its status comes back, and nothing is left, even when the program
# is killed.
#
# Run by "make check-package", since it needs a mirror of Debian: the one that apt-get of this host
# uses. The Debian is that of this host's release, and is made in a private directory. Needs root.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use Time::HiRes ();
use Tlsad::Process;

use constant TIMEOUT => 600;		# [s] for what takes a minute on an idle machine
use constant PROMPT => 60;			# [s]

my $source = Tlsad::Process::source_directory();
my ($suite) = Tlsad::Process::slurp('/etc/os-release') =~ /^VERSION_CODENAME=(\w+)/m;
my @missing = map { "the program $_" } grep { !Tlsad::Process::find_program($_) } qw(debootstrap apt-get);
push(@missing, 'root') if $> != 0;
push(@missing, 'the name of the release in /etc/os-release') if !defined $suite;
push(@missing, grep { defined } Tlsad::Process::namespace_obstacle('--mount', '--pid', '--fork')) if !@missing;
if (@missing) {
	plan(skip_all => "needs @missing") if ($ENV{CI} // '') ne 'true';
	plan(tests => 1);
	fail("it must run (CI=true), and needs @missing");
	exit 1;
}

my $directory = Tlsad::Process::private_directory();
my $roots = "$directory/roots";
my $mounts = mounts();

my ($status, $said) = run('sh', '-c', 'echo "hello from $0 in $PWD"; cat /etc/os-release; exit 7', 'inside');
BAIL_OUT("no Debian could be made:\n$said") if !-d "$roots/$suite";
is($status, 7, 'the status is that of the command');
like($said, qr{\Adebian-root: making a Debian of suite $suite in \Q$roots/$suite\E\nhello from inside in /src/tlsad$}m,
	'its output comes, the tree is in its place');
like($said, qr/^VERSION_CODENAME=$suite$/m, 'it is that Debian');
is(mounts(), $mounts, 'nothing is left mounted');
ok(!-e "$roots/$suite.new", 'and nothing half made');

my $began = Time::HiRes::time();
($status, $said) = run('sh', '-c', 'echo x >>README; ls -d t/lib contrib/lint /proc/1; ls -A /tmp; unshare --mount true');
is("$status $said", "0 /proc/1\ncontrib/lint\nt/lib\n", 'the next run makes none, and can make namespaces');
cmp_ok(Time::HiRes::time() - $began, '<', PROMPT, 'so it is fast');
unlike(Tlsad::Process::slurp("$source/README"), qr/^x$/m, 'this tree is not written to');
{
	local @ENV{qw(ONLY PROVE_FLAGS CI SECRET)} = ('one two', '-v -j1', 'true', 'x');
	($status, $said) = run('sh', '-c', 'echo "$ONLY,$PROVE_FLAGS,$CI,${SECRET-}"');
	is($said, "one two,-v -j1,true,\n", 'of the environment it gets what is documented');
}
utime(1, 1, "$roots/$suite.refreshed");
($status, $said) = run('true');
like("$status $said", qr/\A0 debian-root: upgrading the Debian of suite $suite$/m, 'an old one is upgraded');

my $process = begin('killed', 'sh', '-c', 'echo started; exec sleep 98765');
ok(wait_for(sub { Tlsad::Process::slurp("$directory/killed") =~ /^started$/m }), 'it runs');
my $second = begin('waiting', 'echo', 'second');
ok(wait_for(sub { Tlsad::Process::slurp("$directory/waiting") =~ /waiting for another run/ }), 'another one waits');
kill('KILL', $process->pid);
ok(wait_for(sub { !sleeping() }), 'killed, it leaves no process');
is($second->wait(PROMPT), 0, 'the other one goes on');
is(mounts(), $mounts, 'nothing is left mounted');
$process = begin('ended', 'sleep', '98765');
ok(wait_for(sub { sleeping() }), 'it runs');
$process->signal('TERM');
is($process->wait(PROMPT), 1 << 8, 'SIGTERM ends it with status 1');
ok(wait_for(sub { !sleeping() }), 'and leaves no process');
done_testing();

sub begin
{
	my ($name, @command) = @_;
	unlink("$directory/$name");
	return Tlsad::Process::spawn(log => "$directory/$name", env => { QUICKSTART_ROOTS => $roots },
		command => [ 'sh', "$source/contrib/debian-root", 'run', $suite, @command ]);
}

sub run
{
	my $ended = begin('output', @_)->wait(TIMEOUT);
	return (defined $ended ? $ended >> 8 || $ended : 'none', Tlsad::Process::slurp("$directory/output"));
}

sub wait_for
{
	my ($code) = @_;
	my $end = Time::HiRes::time() + PROMPT;
	until ($code->()) {
		return 0 if Time::HiRes::time() > $end;
		Time::HiRes::sleep(0.1);
	}
	return 1;
}

sub mounts { return join('', grep { m{\Q$roots\E} } split(/^/, Tlsad::Process::slurp('/proc/self/mountinfo'))) }

sub sleeping { return grep { Tlsad::Process::slurp($_) eq "sleep\00098765\0" } glob('/proc/[0-9]*/cmdline') }
