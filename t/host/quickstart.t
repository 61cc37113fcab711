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

# Never with arguments with which it could begin.
refused('debian-root: a word for its own use', $usage, 'debian-root', 'enter', 'trixie', "$roots/none", 'true');
for my $program (qw(quickstart debian-root)) {
	my $said = qx(sh $directory/contrib/$program --help);
	like("$? $said", qr/\A0 usage: sh contrib\/$program /, "$program --help");
}

SKIP: {
	skip('needs root, to become another account', 10) if $> != 0;
	my @nobody = (prefix => \@setpriv);
	refused('not root', qr/^quickstart: check-in needs root, .*sudo sh \S+ check-in trixie$/,
		{ @nobody }, 'quickstart', 'check-in', 'trixie');
	refused('not root, check-trixie', qr/^quickstart: check-trixie needs root, /,
		{ @nobody }, 'quickstart', 'check-trixie');
	refused('not root, debian-root', qr/^debian-root: needs root/,
		{ @nobody }, 'debian-root', 'run', 'trixie', 'true');
	refused('a directory that exists', qr/^debian-root: (?:\Q$directory\E exists already|needs the program debootstrap)$/,
		'debian-root', 'make', 'trixie', $directory);
	# Another debootstrap, which makes a part of it, as for a suite that does not exist.
	mkdir("$directory/bin");
	open(my $handle, '>', "$directory/bin/debootstrap") or die "debootstrap: $!\n";
	print {$handle} "#!/bin/sh\nfor word; do [ \"\$word\" = $directory/nosuch ] && mkdir -p \"\$word/var\"; done\nexit 1\n";
	close($handle);
	chmod(0755, "$directory/bin/debootstrap");
	refused('a suite that debootstrap does not know', qr/^debian-root: debootstrap cannot make nosuch from file:\/none$/,
		{ env => { PATH => "$directory/bin:$ENV{PATH}", QUICKSTART_MIRROR => 'file:/none' } },
		'debian-root', 'make', 'nosuch', "$directory/nosuch");
	ok(!-e "$directory/nosuch", 'what it made is removed');
	refused("another word after $_", qr/^quickstart: usage: .*check-in SUITE/, { @nobody }, 'quickstart', $_, 'x')
		for qw(check check-trixie check-package);
	skip('needs namespaces', 1) if defined Tlsad::Process::namespace_obstacle(qw(--mount --pid --fork));
	mkdir("$directory/kept");
	mkdir("$directory/kept/trixie");
	refused('a kept one without its files', qr/^debian-root: \S+\/kept\/trixie is incomplete: remove it$/,
		{ env => { PATH => "$directory/bin:$ENV{PATH}", QUICKSTART_ROOTS => "$directory/kept" } },
		'debian-root', 'run', 'trixie', 'true');
}
ok(!-e $roots, 'nothing was made');

subtest('the files that debian-root copies from a tree that is not a clone' => sub {
	my ($function) = Tlsad::Process::slurp("$directory/contrib/debian-root") =~ /^(list_files\(\)\n.*?^\}\n)/ms;
	my @folders = qw(build build/dev .git contrib/debian contrib/debian/build);
	my @files = qw(.clang-format README build/configure build/dev/tlsad .git/config contrib/debian/build/run);
	system('mkdir', '-p', map { "$directory/tree/$_" } @folders);
	system('touch', map { "$directory/tree/$_" } @files);
	open(my $pipe, '-|', 'sh', '-c', "source_directory=\$1\n$function\nlist_files", 'sh', "$directory/tree")
		or die "sh: $!\n";
	my $names = join(' ', sort split(/\0/, join('', <$pipe>)));
	close($pipe);
	is($names, './.clang-format ./README ./contrib/debian/build/run', 'all but those in build and .git at its top');
});
done_testing();

sub refused
{
	my ($what, $words, @arguments) = @_;
	my $options = ref $arguments[0] ? shift @arguments : {};
	my $program = shift @arguments;
	my $log = "$directory/output";
	unlink($log);
	my $process = Tlsad::Process::spawn(log => $log,
		env => { QUICKSTART_ROOTS => $roots, %{$options->{env} // {}} },
		command => [ @{$options->{prefix} // []}, '/bin/sh', "$directory/contrib/$program", @arguments ]);
	my $status = $process->wait(30);
	my $said = Tlsad::Process::slurp($log);
	ok(defined $status && $status == 1 << 8 && $said =~ /\A[^\n]+\n\z/ && $said =~ /$words/m, $what)
		or diag(($status // 'no end') . ": $said");
}
