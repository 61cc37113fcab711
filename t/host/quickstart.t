#!/usr/bin/perl
# contrib/quickstart and contrib/debian-root refuse what makes no sense before they install or make
# anything, with one line that says why. t/package/check-in.t tests check-in itself.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use File::Copy ();
use Test::More;
use Tlsad::Process;

# A copy that every account may read. It has nothing to build, should it ever get that far.
my $directory = Tlsad::Process::private_directory();
chmod(0755, $directory);
mkdir("$directory/contrib");
for my $name (qw(quickstart debian-root)) {
	File::Copy::copy(Tlsad::Process::source_directory() . "/contrib/$name", "$directory/contrib/$name")
		or die "$name: $!\n";
}
my $roots = "$directory/roots";
my @setpriv = (Tlsad::Process::find_program('setpriv') // 'setpriv', qw(--reuid 65534 --regid 65534 --clear-groups));

refused('no such command', qr/^quickstart: usage: .*check-in SUITE/, 'quickstart', 'check-on', 'trixie');
my $usage = qr/^quickstart: usage: sh contrib\/quickstart check-in SUITE, for example check-in trixie$/;
refused('no suite', $usage, 'quickstart', 'check-in');
refused("the suite $_", $usage, 'quickstart', 'check-in', $_) for '', '../trixie', '-v', 'a b', 'Trixie', '/';
refused('two suites', $usage, 'quickstart', 'check-in', 'trixie', 'sid');
$usage = qr/^debian-root: usage: /;
refused('debian-root: nothing', $usage, 'debian-root');
refused('debian-root: no command', $usage, 'debian-root', 'run', 'trixie');
refused('debian-root: no directory', $usage, 'debian-root', 'make', 'trixie');
refused('debian-root: another word', $usage, 'debian-root', 'remove', 'trixie', '/');
refused('debian-root: a suite that is none', $usage, 'debian-root', 'run', '..', 'true');

SKIP: {
	skip('needs root, to become another account', 4) if $> != 0;
	my @nobody = (prefix => \@setpriv);
	refused('not root', qr/^quickstart: check-in needs root, .*sudo sh \S+ check-in trixie$/,
		{ @nobody }, 'quickstart', 'check-in', 'trixie');
	refused('not root, check-trixie', qr/^quickstart: check-trixie needs root, /,
		{ @nobody }, 'quickstart', 'check-trixie');
	refused('not root, debian-root', qr/^debian-root: needs root/,
		{ @nobody }, 'debian-root', 'run', 'trixie', 'true');
	refused('a directory that exists', qr/^debian-root: (?:\Q$directory\E exists already|needs the program debootstrap)$/,
		'debian-root', 'make', 'trixie', $directory);
}
ok(!-e $roots, 'nothing was made');
done_testing();

sub refused
{
	my ($what, $words, @arguments) = @_;
	my $options = ref $arguments[0] ? shift @arguments : {};
	my $program = shift @arguments;
	my $log = "$directory/output";
	unlink($log);
	my $process = Tlsad::Process::spawn(log => $log, env => { QUICKSTART_ROOTS => $roots },
		command => [ @{$options->{prefix} // []}, '/bin/sh', "$directory/contrib/$program", @arguments ]);
	my $status = $process->wait(30);
	my $said = Tlsad::Process::slurp($log);
	ok(defined $status && $status == 1 << 8 && $said =~ /\A[^\n]+\n\z/ && $said =~ /$words/m, $what)
		or diag(($status // 'no end') . ": $said");
}
