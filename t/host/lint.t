#!/usr/bin/perl
# contrib/lint: it accepts this tree; in a copy of a part of it, it reports each kind of error that
# is added, with file and line, and nothing else. Of the whole tree this test makes only the quick
# checks; `make lint` makes all.

use strict;
use warnings;
use Cwd ();
use File::Basename qw(dirname);
use File::Path qw(make_path remove_tree);
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use Tlsad::Process qw(slurp);

my $source = Tlsad::Process::source_directory();
my $copy = Tlsad::Process::private_directory() . '/tree';
our @copied = ((map { "$source/$_" } qw(.clang-format .clang-tidy contrib/lint contrib/phrases contrib/floors t/unit/tap.h)),
	glob("$source/contrib/lib/Lint/*.pm"), glob("$source/common/base/*.[ch]"));
# Debian 13 does not have version 14. Where formatting must be checked, the first step of
# .ci/run, contrib/lint itself, fails without it.
my $formatter = find_program_14('clang-format');
# Its output without a program must not depend on how this test is run.
delete @ENV{qw(CI CLANG_FORMAT CLANG_TIDY MANDOC SHELLCHECK)};

subtest('this tree' => sub {
	my ($status, @lines) = lint($source, 'includes,format,phrases,manuals');
	is($status, 0, 'exit status');
	is("@{[errors(@lines)]}", '', 'no error');
	like($lines[-1], qr/^lint: \d{3,} files, errors: 0$/, 'the last line has the numbers');
});
subtest('a part of it' => sub {
	new_copy();
	my ($status, @lines) = lint($copy, 'includes,format');
	is($status, 0, 'exit status');
	is("@{[errors(@lines)]}", '', 'no error');
	is($lines[-1], 'lint: ' . (grep { /\.[ch]$/ } @copied) . ' files, errors: 0', 'the last line');
});

# Two folders for the tests below, with a header each.
my %low = ('common/dns/low.h' => "#define LOW 1\n");
my %high = ('common/conf/high.h' => "#define HIGH 1\n");

refused('an include that runs up',
	{ %high, 'common/dns/low.h' => qq(/* up */\n#include "common/conf/high.h"\n) },
	[ 'common/dns/low.h:2', qr{common/conf/high\.h .* comes after common/dns in contrib/floors} ]);
refused('one in a C file, written in another way',
	{ %high, 'common/dns/low.c' => qq(# include "common/conf/high.h"\n) },
	[ 'common/dns/low.c:1', qr{comes after common/dns} ]);
refused('an include that runs down', { %low, 'common/conf/high.h' => qq(#include "common/dns/low.h"\n) });
my %daemon = ('daemon/loop/loop.h' => "#define LOOP 1\n");
refused('common includes daemon',
	{ %daemon, 'common/base/added.c' => qq(#include "daemon/loop/loop.h"\n) },
	[ 'common/base/added.c:1', qr{common never includes daemon} ]);
refused('common includes daemon, and contrib/floors allows it',
	{ %daemon, 'contrib/floors' => "daemon/loop\ncommon/base\n",
		'common/base/added.h' => qq(\n#include "daemon/loop/loop.h"\n) },
	[ 'common/base/added.h:2', qr{common never includes daemon} ]);
refused('the program includes a test', { 'common/base/added.c' => qq(#include "t/unit/tap.h"\n) },
	[ 'common/base/added.c:1', qr{only tests may} ]);
refused('a test includes what it wants',
	{ %low, %high, 't/unit/base/added.c' => qq(#include "common/conf/high.h"\n#include "common/dns/low.h"\n) });

my %both = ('common/dns/low.h' => qq(#include "common/conf/high.h"\n),
	'common/conf/high.h' => qq(\n#include "common/dns/low.h"\n));
refused('a cycle of two folders', \%both,
	[ 'common/dns/low.h:1', qr{comes after} ],
	[ 'common/conf/high.h:2', qr{a cycle of folders: common/conf includes common/dns .*low\.h:1} ]);
refused('a cycle of two folders on one line of contrib/floors',
	{ %both, 'contrib/floors' => "common/base\ncommon/dns common/conf\n" },
	[ 'common/conf/high.h:2', qr{a cycle of folders} ]);
refused('a cycle of three, through different files',
	{ 'common/conf/one.h' => qq(#include "common/dns/low.h"\n), %low,
		'common/dns/two.c' => qq(#include "common/smtp/three.h"\n),
		'common/smtp/three.h' => qq(#include "common/conf/one.h"\n),
		'contrib/floors' => "common/base\ncommon/conf common/dns common/smtp\n" },
	[ 'common/conf/one.h:1', qr{a cycle of folders: .*one\.h:1.*two\.c:1.*three\.h:1} ]);
refused('headers of one folder that include each other make no cycle of folders',
	{ 'common/base/one.h' => qq(#include "common/base/two.h"\n),
		'common/base/two.h' => qq(#include "common/base/one.h"\n) });

refused('a folder that is not in contrib/floors', { 'common/new/file.c' => "int new_number;\n",
		'common/new/other.c' => "int new_other;\n" },
	[ 'common/new/file.c:1', qr{common/new is not in contrib/floors: add it} ]);
refused('nor is one inside a folder that is there', { 'daemon/loop/new/file.h' => "#define NEW 1\n" },
	[ 'daemon/loop/new/file.h:1', qr{daemon/loop/new is not in contrib/floors} ]);
refused('a folder that is in contrib/floors twice',
	{ 'contrib/floors' => "common/base\n# no folder\ndaemon/loop\ncommon/base\n" },
	[ 'contrib/floors:4', qr{common/base is here twice} ]);
refused('a unit test of no folder', { 't/unit/new/file.c' => qq(#include "t/unit/tap.h"\n) },
	[ 't/unit/new/file.c:1', qr{no folder new in common, daemon or daemon/ctl} ]);
refused('a unit test of a folder in daemon', { %daemon, 't/unit/loop/file.c' => qq(#include "t/unit/tap.h"\n) });

refused('a header that does not exist', { 'common/base/added.c' => qq(#include "common/base/none.h"\n) },
	[ 'common/base/added.c:1', qr{"common/base/none\.h" does not exist} ]);
refused('a header without its path', { 'common/base/added.c' => qq(#include "text.h"\n) },
	[ 'common/base/added.c:1', qr{"text\.h" does not start at the top of the tree} ]);
refused('a header with a path that goes up',
	{ 'common/base/added.c' => qq(#include "../base/text.h"\n) },
	[ 'common/base/added.c:1', qr{does not start at the top} ]);
refused('a header of the tree in angle brackets',
	{ 'common/base/added.c' => qq(#include <common/base/text.h>\n#include <sys/types.h>\n) },
	[ 'common/base/added.c:1', qr{write "common/base/text\.h"} ]);
refused('a header that a macro names', { 'common/base/added.c' => qq(#include HEADER\n) },
	[ 'common/base/added.c:1', qr{macro} ]);
refused('a header beside the file in t/bench',
	{ 't/bench/added.c' => qq(#include "beside.h"\n), 't/bench/beside.h' => "#define BESIDE 1\n" });

SKIP: {
	skip('clang-format 14 is not installed; Debian 12 has it, Debian 13 does not', 1) unless defined $formatter;
	refused_by('format', 'a file that clang-format would change',
		{ 'common/base/added.c' => "int right;\nint  wrong;\nint  wrong_too;\n",
			't/unit/base/added.c' => "int main(void) {\n\treturn 0;\n}\n" },
		[ 'common/base/added.c:2', qr{clang-format} ],
		[ 't/unit/base/added.c:1', qr{clang-format} ]);
}
subtest('no clang-format' => sub {
	new_copy('common/base/added.c' => "int  wrong;\n");
	local $ENV{CLANG_FORMAT} = "$copy/none";
	my ($status, @lines) = lint($copy, 'format');
	is($status, 0, 'that is no error');
	like($lines[0], qr/^lint: formatting is not checked: clang-format 14 is not installed$/, 'it says so');
	local $ENV{CI} = 'true';
	($status, @lines) = lint($copy, 'format');
	is($status, 1, 'with CI=true it is one');
	like($lines[0], qr/^\.clang-format:1: clang-format 14 is not installed/, 'it says what is missing');
});
subtest('another version of clang-format' => sub {
	new_copy('another' => "#!/bin/sh\necho 'Debian clang-format version 19.1.7'\n");
	chmod(0755, "$copy/another");
	local $ENV{CLANG_FORMAT} = "$copy/another";
	my ($status, @lines) = lint($copy, 'format');
	is($status, 0, 'that is no error');
	like($lines[0], qr/not checked: clang-format 14 is not installed, \S+ is version 19$/, 'it says so');
	local $ENV{CI} = 'true';
	is((lint($copy, 'format'))[0], 1, 'with CI=true it is one');
});
subtest('a clang-format that fails' => sub {
	new_copy('failing' => "#!/bin/sh\n[ \"\$1\" = --version ] && echo version 14.0.6 || exit 1\n");
	chmod(0755, "$copy/failing");
	local $ENV{CLANG_FORMAT} = "$copy/failing";
	is((lint($copy, 'format'))[0], 1, 'is an error');
});
# --- what other programs find ------------------------------------------------------------------

refused_by('phrases', 'a phrase in a document and in a message', { 'README' => "A line.\n\nThat is none.\n",
		'common/base/added.c' => qq(const char *added = "no socket behind it";\n) },
	[ 'README:3', qr{"is none" .*: write: there is no X} ],
	[ 'common/base/added.c:1', qr{"behind" .*: write: after} ]);
refused_by('phrases', 'a phrase at the start of a sentence and in capitals',
	{ 'README' => "A line.\nBehind it another.\n",
		'common/base/added.c' => qq(const char *added = "IS NONE";\n) },
	[ 'README:2', qr{"behind"} ], [ 'common/base/added.c:1', qr{"is none"} ]);
refused_by('phrases', 'a phrase is named with its own line',
	{ 'README' => "A paragraph\nof three lines, behind\nit the last; that is\nnone.\n",
		'common/base/added.c' => qq(const char *added = "one "\n\t"is behind "\n\t"it";\n) },
	[ 'README:2', qr{"behind"} ], [ 'README:3', qr{"is none"} ],
	[ 'common/base/added.c:2', qr{"behind"} ]);
refused_by('phrases', 'a phrase after an escape of a string',
	{ 'common/base/added.c' => <<'END', 'contrib/added.bash' => qq(printf "x\\nbehind %s" "\$1"\n) },
const char *one = "usage\nbehind it";
const char *two = "\tTold: that is\nnone\r";
const char *three = "C:\\ntold";
END
	[ 'common/base/added.c:1', qr{"behind"} ], [ 'common/base/added.c:2', qr{"told"} ],
	[ 'common/base/added.c:2', qr{"is none"} ], [ 'contrib/added.bash:1', qr{"behind"} ]);
refused_by('phrases', 'a phrase in two literals, with a comment or a macro between them',
	{ 'common/base/added.c' => <<'END' },
const char *one = "this is " /* a comment */
	"none";
const char *two = "What %" PRIu64 " finds is kept.", *three = "is ", *four = "none";
END
	[ 'common/base/added.c:1', qr{"is none"} ], [ 'common/base/added.c:3', qr{"What is X is Y"} ]);
refused_by('phrases', 'a phrase in a script, also in its here-documents',
	{ 'contrib/added.bash' => qq(echo "behind"\n),
		'contrib/openrc/added' => qq(#!/sbin/openrc-run\nx="it stands"\n),
		'contrib/container/tlsad.conf' => "# It stands.\n",
		'contrib/perl' => <<'END', 'contrib/shell' => <<'END' },
#!/usr/bin/perl
print <<"LAST", 1 << LATER;
That is

told, but what is
none is
told again.
LAST
END
#!/bin/sh
cat <<-last
	First "behind
	last
echo 'anew' <<<behind
END
	[ 'contrib/added.bash:1', qr{"behind"} ], [ 'contrib/openrc/added:2', qr{"stands"} ],
	[ 'contrib/container/tlsad.conf:1', qr{"stands"} ], [ 'contrib/perl:5', qr{"told"} ],
	[ 'contrib/perl:5', qr{"is none"} ], [ 'contrib/perl:7', qr{"told"} ],
	[ 'contrib/shell:3', qr{"behind"} ], [ 'contrib/shell:5', qr{"anew"} ]);
refused_by('phrases', 'a phrase in a comment is only counted', { 'common/base/added.c' => "/* That is none. */\n" });
SKIP: {
	skip('mandoc is not installed', 5) unless defined Tlsad::Process::find_program('mandoc');
	my $page = ".Dd January 1, 2026\n.Dt ADDED 8\n.Os\n.Sh NAME\n.Nm added\n.Nd a page\n"
		. ".Sh DESCRIPTION\n";
	refused_by('manuals', 'a macro in a manual page that does not exist', { 'daemon/added.8' => "$page.Xy\n" },
		[ 'daemon/added.8:8', qr{unknown macro} ]);
	refused_by('manuals', 'a page that is not installed here', { 'daemon/added.8' => "$page.Xr none 8\n" });
	refused_by('manuals', 'a page without .Os, and one that is not installed',
		{ 'daemon/added.8' => $page =~ s/^\.Os\n//mr . ".Xr none 8\n" },
		[ 'daemon/added.8:1', qr{missing Os macro} ]);
	refused_by('manuals', 'an empty page', { 'daemon/added.8' => '' },
		[ 'daemon/added.8:1', qr{no document body} ], [ 'daemon/added.8:1', qr{missing manual title} ],
		[ 'daemon/added.8:1', qr{missing date} ]);
	refused_by('manuals', 'a page without text', { 'daemon/added.8' => $page =~ s/^\.Sh.*//msr },
		[ 'daemon/added.8:1', qr{no document body} ]);
}
subtest('a mandoc that fails' => sub {
	for my $way ('kill -9 $$', 'echo "mandoc: page: Cannot allocate memory"; exit 6', 'exit 6') {
		new_copy('daemon/added.8' => ".Dd January 1, 2026\n",
			'failing' => "#!/bin/sh\n[ \"\$3\" = /dev/null ] || { echo 'mandoc: daemon/added.8:1:1: STYLE: referenced manual not found: Xr x 1'; $way; }\n");
		chmod(0755, "$copy/failing");
		local $ENV{MANDOC} = "$copy/failing";
		my ($status, @lines) = lint($copy, 'manuals');
		is($status, 1, $way) or diag(map { "$_\n" } @lines);
	}
});
SKIP: {
	skip('shellcheck is not installed', 3) unless defined Tlsad::Process::find_program('shellcheck');
	refused_by('shell', 'a word that the shell splits', { 'contrib/added' => "#!/bin/sh\n\ncat \$1\n" },
		[ 'contrib/added:3', qr{\[SC2086\]} ]);
	refused_by('shell', 'a script known by its name', { 'contrib/added.bash' => "# shellcheck shell=bash\ncat \$1\n" },
		[ 'contrib/added.bash:2', qr{\[SC2086\]} ]);
	refused_by('shell', 'a script of Perl is none of the shell', { 'contrib/added' => "#!/usr/bin/perl\nx \$1\n" });
}
my $perl = "use strict;\nuse warnings;\n";
refused_by('perl', 'a variable that is not declared', { 't/added.t' => "$perl\nprint \$missing;\n" },
	[ 't/added.t:4', qr{"\$missing"} ]);
refused_by('perl', 'a module that does not exist', { 't/lib/Tlsad/Added.pm' => "${perl}use Tlsad::None;\n1;\n" },
	[ 't/lib/Tlsad/Added.pm:3', qr{Tlsad/None\.pm} ]);
refused_by('perl', 'what is only warned of', { 't/added' => "#!/usr/bin/perl\n${perl}my \$x;\nmy \$x = 1;\n" },
	[ 't/added:5', qr{masks} ]);
refused_by('perl', 'a program without warnings', { 't/added' => "#!/usr/bin/perl\nuse strict;\n" },
	[ 't/added:1', qr{no line 'use warnings;'} ]);
refused_by('perl', 'a module of this tree', { 't/lib/Tlsad/Added.pm' => "package Tlsad::Added;\n${perl}1;\n",
	't/added.t' => "${perl}use Tlsad::Added;\n" });
SKIP: {
	skip('clang-tidy 14 is not installed; Debian 12 has it, Debian 13 does not', 4)
		unless defined find_program_14('clang-tidy');
	# With few files: each takes a second.
	local @copied = grep { !m{/common/base/} } @copied;
	refused_by('faults', 'a variable without a value',
		{ 'common/base/added.c' => "int added(int x);\n\nint added(int x)\n{\n\tint y;\n\treturn x + y;\n}\n" },
		[ 'common/base/added.c:6', qr{garbage value \[clang-analyzer-core\.Undef} ]);
	refused_by('faults', 'a fault in a header, once',
		{ 'common/base/added.h' => "static inline int added(int x)\n{\n\tif (x > 1);\n\treturn x;\n}\n",
			map { ("common/base/$_.c" => qq(#include "common/base/added.h"\nint $_(void);\nint $_(void)\n{\n\treturn added(1);\n}\n)) }
				qw(one two) },
		[ 'common/base/added.h:3', qr{bugprone-suspicious-semicolon} ]);
	refused_by('faults', 'a file that does not compile', { 'common/base/added.c' => "int\n" },
		[ 'common/base/added.c:1', qr{expected} ]);
	skip('the header of libsystemd is not installed', 1) if !-f '/usr/include/systemd/sd-daemon.h';
	refused_by('faults', 'a fault in code with libsystemd, and one that is also without it, once',
		{ 'common/base/added.c' => <<'END' },
int added(int x);
int added(int x)
{
	if (x > 1);
#ifdef HAVE_LIBSYSTEMD
	if (x > 2);
#endif
	return x;
}
END
		[ 'common/base/added.c:4', qr{bugprone-suspicious-semicolon} ],
		[ 'common/base/added.c:6', qr{bugprone-suspicious-semicolon} ]);
}
for my $row ([ manuals => 'MANDOC', 'manual pages are', 'daemon/added.8', ".Dd January 1, 2026\n" ],
	[ shell => 'SHELLCHECK', 'shell scripts are', 'contrib/added.sh', "#!/bin/sh\n" ],
	[ faults => 'CLANG_TIDY', 'faults in C are', 'common/base/added.c', "int x;\n", '.clang-tidy' ]) {
	my ($check, $variable, $what, $file, $text, $place) = @$row;
	subtest("no program for $check" => sub {
		new_copy($file => $text);
		local $ENV{$variable} = "$copy/none";
		my ($status, @lines) = lint($copy, $check);
		is($status, 0, 'that is no error');
		like($lines[0], qr/^lint: $what not checked: .* is not installed$/, 'it says so');
		local $ENV{CI} = 'true';
		($status, @lines) = lint($copy, $check);
		is($status, 1, 'with CI=true it is one');
		like($lines[0], qr/^\Q${\($place \/\/ $file)}\E:1: .* is not installed: install it$/, 'it says what is missing');
	});
}
subtest('a check that does not exist' => sub {
	my ($status) = run("$source/contrib/lint", '--only', 'formats');
	ok($status > 1, 'is an error of its own kind');
});
subtest('no check' => sub {
	for my $only ('', ',') {
		my ($status) = run("$source/contrib/lint", '--only', $only);
		ok($status > 1, "--only '$only' is an error of its own kind");
	}
});
subtest('--only twice' => sub {
	new_copy('README' => "That is none.\n", 'common/base/added.c' => qq(#include "t/unit/tap.h"\n));
	my ($status, @lines) = run($^X, "$copy/contrib/lint", '--only', 'includes', '--only', 'phrases');
	is($status, 1, 'exit status');
	is(scalar(errors(@lines)), 2, 'both checks are made');
});
subtest('--help' => sub {
	new_copy();
	my ($status, @lines) = run("$copy/contrib/lint", '--help');
	is($status, 0, 'exit status');
	like($lines[0], qr/^lint - /, 'it says what it is');
});
done_testing();

sub find_program_14
{
	for my $name ("$_[0]-14", $_[0]) {
		my $program = Tlsad::Process::find_program($name) // next;
		return $program if qx($program --version) =~ /version 14\b/;
	}
	return undef;
}

sub write_file
{
	my ($file, $text) = @_;
	make_path(dirname($file));
	open(my $handle, '>', $file) or die "$file: $!\n";
	print {$handle} $text;
	close($handle) or die "$file: $!\n";
}

# A copy with these files added or replaced: PATH => TEXT.
sub new_copy
{
	my (%files) = @_;
	remove_tree($copy);
	write_file($copy . substr($_, length($source)), slurp($_)) for @copied;
	chmod(0755, "$copy/contrib/lint");
	write_file("$copy/$_", $files{$_}) for keys %files;
}

# The exit status of a program and its lines.
sub run
{
	my (@command) = @_;
	open(my $pipe, '-|', @command) or die "$command[0]: $!\n";
	chomp(my @lines = <$pipe>);
	close($pipe);
	return ($? >> 8, @lines);
}

# Started elsewhere, as from a build directory. $checks: those to make, with commas.
sub lint
{
	my ($tree, $checks) = @_;
	my $before = Cwd::getcwd();
	chdir('/') or die "/: $!\n";
	my @result = run($^X, "$tree/contrib/lint", '--only', $checks);
	chdir($before) or die "$before: $!\n";
	return @result;
}

sub errors { return grep { !/^lint: / } @_ }

# Are these files refused with exactly these errors? Each is [PLACE, PATTERN]. Without any the
# files are accepted.
sub refused
{
	my ($name, $files, @wanted) = @_;
	return refused_by('includes', $name, $files, @wanted);
}

sub refused_by
{
	my ($check, $name, $files, @wanted) = @_;
	subtest($name => sub {
		new_copy(%$files);
		my ($status, @lines) = lint($copy, $check);
		is($status, @wanted ? 1 : 0, 'exit status');
		my @errors = errors(@lines);
		like($lines[-1], qr/, errors: @{[scalar @errors]}$/, 'the last line has their number');
		for my $wanted (@wanted) {
			my ($place, $text) = @$wanted;
			my ($found) = grep { /^\Q$place\E: (.*)/ && $1 =~ $text } @errors;
			ok(defined $found, "$place: refused") or diag(map { "$_\n" } @lines);
			@errors = grep { $_ ne ($found // '') } @errors;
		}
		is("@errors", '', @wanted ? 'nothing else is refused' : 'nothing is refused');
	});
}
