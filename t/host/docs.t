#!/usr/bin/perl
# The documents agree with tlsad: the settings' table of common/conf/settings.c, "tlsad -n -v",
# conf/tlsad.conf and tlsad.conf(5) have the same settings with the same defaults and bounds; README
# and the manual pages have everything that a reader looks for there, name only things that exist,
# and have examples that work; README is short; the rules of t/lab/dane-cases are those that the tables of t/lab
# test; and comments cite what exists.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use File::Temp ();
use JSON::PP ();
use Test::More;
use Tlsad::Counters;
use Tlsad::CaseTables;
use Tlsad::Daemon;
use Tlsad::Http;
use Tlsad::Process;
use Tlsad::Settings;

my $source = Tlsad::Process::source_directory();
my $tlsad = Tlsad::Process::build_directory() . '/tlsad';
my $tlsactl = Tlsad::Process::build_directory() . '/tlsactl';
my %pages = (tlsad => 'daemon/tlsad.8', tlsactl => 'daemon/ctl/tlsactl.8',
	'tlsad.conf' => 'conf/tlsad.conf.5');
my $directory = File::Temp::tempdir(CLEANUP => 1);
# The manual pages and conf/tlsad.conf are written for this one.
use constant DOCUMENTED_CONFDIR => '/etc/tlsad';
# README is for a person with ten minutes, and its beginning must be enough to get tlsad to work.
use constant { README_LINES_MAX => 350, README_START => 200, SCREEN => 24 };

plan(skip_all => "$tlsad is missing: build it first") unless -x $tlsad && -x $tlsactl;

write_file("$directory/empty", '');
my ($confdir) = run($tlsad, '-h') =~ m{default (/\S+)/tlsad\.conf\s};
my %settings = Tlsad::Settings::read_table();		# "section.key" => { type, reload }
my @settings = sort keys %settings;
my $defaults = in_force("$directory/empty");
my %standard = read_values($defaults);

subtest('the settings\' table' => sub {
	cmp_ok(scalar(@settings), '>', 20, 'it can be read');
	is("@{[sort keys %standard]}", "@settings", 'tlsad -n -v prints every setting');
	ok(defined $confdir, 'tlsad -h names the default configuration');
});
subtest('conf/tlsad.conf' => \&check_example);
subtest('tlsad.conf(5)' => \&check_conf_page);
subtest('tlsad(8)' => \&check_daemon_page);
subtest('tlsactl(8)' => \&check_ctl_page);
subtest('the table of counters' => \&check_counters);
subtest('README' => \&check_readme);
subtest('daemon/HACKING' => \&check_tree);
subtest('sections that other documents cite' => \&check_cited_sections);
subtest('t/lab/dane-cases' => \&check_cases);
subtest('citations in comments' => \&check_citations);
subtest('comments of headers' => \&check_headers);
subtest('paths that configure sets' => \&check_paths);
subtest('bounds in tlsad.conf(5)' => \&check_bounds);
subtest('examples of tlsad.conf(5)' => \&check_examples);
subtest('every manual page' => \&check_pages);
subtest('log lines in tlsad(8)' => \&check_log_lines);
subtest('exit statuses of tlsad(8)' => \&check_statuses);
subtest('mandoc' => \&check_mandoc);
done_testing();

sub read_file
{
	my ($file) = @_;
	open(my $handle, '<', $file) or die "$file: $!\n";
	local $/;
	return <$handle>;
}

sub write_file
{
	my ($file, $text) = @_;
	open(my $handle, '>', $file) or die "$file: $!\n";
	print {$handle} $text;
	close($handle) or die "$file: $!\n";
}

# Both outputs of a command; its status is in $?.
sub run
{
	my (@command) = @_;
	my $pid = open(my $pipe, '-|') // die "fork: $!\n";
	if ($pid == 0) {
		open(STDERR, '>&', \*STDOUT);
		exec(@command) or die "$command[0]: $!\n";
	}
	my $text = do { local $/; <$pipe> } // '';
	close($pipe);
	return $text;
}

# "section.key" => value; of a repeated setting the last one.
sub read_values
{
	my ($text) = @_;
	my ($section, %values) = ('');
	for (split(/\n/, $text)) {
		if (/^\[(\w+)\]/) { $section = $1 }
		elsif (/^(\w+) =\s*(.*)$/) { $values{"$section.$1"} = $2 }
	}
	return %values;
}

sub in_force
{
	my ($file, @options) = @_;
	return run($tlsad, '-n', '-v', '-c', $file, @options);
}

# Is this value the default of the setting? tlsad itself reads the value, so that "2m" and "120" are
# the same.
sub is_default
{
	my ($name, $value) = @_;
	$value =~ s/^\Q@{[DOCUMENTED_CONFDIR]}\E/$confdir/;
	is(in_force("$directory/empty", '-o', "$name=$value"), $defaults, "$name: default");
}

sub check_example
{
	my $text = read_file("$source/conf/tlsad.conf");
	is(run($tlsad, '-n', '-c', "$source/conf/tlsad.conf"), '', 'tlsad -n accepts it');
	is(in_force("$source/conf/tlsad.conf"), $defaults, 'it changes nothing');
	(my $set = $text) =~ s/^;//mg;
	# The only files that must exist.
	write_file("$directory/minimums", '');
	write_file("$directory/options", '');
	$set =~ s/^(minimums_file = ).*/$1$directory\/minimums/m;
	$set =~ s/^(options = ).*/$1$directory\/options/m;
	write_file("$directory/set", $set);
	is(run($tlsad, '-n', '-c', "$directory/set"), '', 'it accepts all of it, too');
	my %shown = read_values($set);
	is("@{[sort keys %shown]}", "@settings", 'it has every setting');
	my ($section, $comment) = ('', '');
	for (split(/\n/, $text)) {
		if (/^\[(\w+)\]/) { $section = $1 }
		elsif (/^$/) { $comment = '' }
		elsif (/^#\s*(.*)/) { $comment .= "$1 " }
		elsif (/^;(\w+) = (.*)$/) {
			my $name = "$section.$1";
			if ($standard{$name} // '' eq '') { is_default($name, $2) }
			else { like($comment, qr/default: none/i, "$name: no default") }
			is($comment =~ /\(restart\)/ ? 'restart' : 'reload',
				$settings{$name}{reload} ? 'reload' : 'restart', "$name: SIGHUP");
		}
	}
}

# "section.key" => the text of tlsad.conf(5).
sub described_settings
{
	my %described;
	for my $part (split(/^(?=\.S[sh] )/m, read_file("$source/conf/tlsad.conf.5"))) {
		my ($section) = $part =~ /^\.Ss Section (\w+)/ or next;
		for my $item (split(/^(?=\.It Ic \w+ No = )/m, $part)) {
			$described{"$section.$1"} = $item if $item =~ /^\.It Ic (\w+) No = /;
		}
	}
	return %described;
}

sub check_conf_page
{
	my $page = read_file("$source/conf/tlsad.conf.5");
	my %described = described_settings();
	is("@{[sort keys %described]}", "@settings", 'it has every setting');
	for my $name (sort keys %described) {
		my $item = $described{$name};
		my ($value) = $item =~ /^Default:\n\.Ql (.*?) \.$/m;
		if (defined $value) { is_default($name, $value) }
		else {
			like($item, qr/^Default: none\.$/m, "$name: says that it has no default");
			is($standard{$name}, '', "$name: has none");
		}
		is($item =~ /^Restart\.$/m ? 'restart' : 'reload',
			($settings{$name} // {})->{reload} ? 'reload' : 'restart', "$name: SIGHUP");
	}
	my ($reserved) = $page =~ /^\.Ss Reserved settings\n(.*?)^\.S/ms;
	my @named = map { /^\.It Ic \[(\w+)\] Ta Ic (\w+) / ? "$1.$2" : () }
		split(/\n/, $reserved // '');
	is("@{[sort @named]}", "@{[grep { $settings{$_}{type} eq 'RESERVED' } sort keys %settings]}",
		'it names the reserved settings');
}

sub check_daemon_page
{
	my $page = read_file("$source/daemon/tlsad.8");
	my %section = sections($page);
	my %tagged = map { $_ => 1 } $section{MAPS} =~ /^\.It Cm (\S+)/mg;
	my ($maps) = read_file("$source/daemon/answer/maps.c") =~
		/struct map maps\[.*?\] = \{\n(.*?)\n\};/s;
	my @maps = ($maps // '') =~ /\{NAME\("([\w-]+)"\),/g;
	is(scalar(@maps), () = ($maps // '') =~ /^\t\{/mg, 'each row of the table of maps can be read');
	cmp_ok(scalar(@maps), '>', 3, 'the table of maps can be read');
	ok($tagged{$_}, "map $_") for @maps;
	my @reasons = read_file("$source/common/verdict/decide.c") =~ /\[REASON_\w+\] = \{"([\w-]+)",/g;
	cmp_ok(scalar(@reasons), '>', 10, 'the table of reasons can be read');
	my %replies;
	for my $row (map { @{$_->{rows}} } Tlsad::CaseTables::rules("$source/t/lab/dane-cases")) {
		$replies{$_}{$row->{answer} // ''} = 1 for split(/\//, $row->{reason} // '');
	}
	cmp_ok(scalar(keys %replies), '>', 10, 'the replies for reasons can be read');
	for my $reason (@reasons) {
		my ($reply) = $section{Reasons} =~ /^\.It Cm \Q$reason\E\n(?:\.Cm (\S+) :\n)?/m;
		like($section{Reasons}, qr/^\.It Cm \Q$reason\E$/m, "reason $reason");
		ok($replies{$reason}{$reply // ''}, "reason $reason: its reply") if $replies{$reason};
	}
	for my $member (read_file("$source/daemon/answer/explain.c") =~
		/(?:json_object_set_new|set_reply)\(\s*\w+, "(\w+)"/g) {
		like($page, qr/^\.It Va [^\n]*\b$member\b/m, "explain: $member");
	}
	my ($options) = run($tlsad, '-h') =~ /^(.*?)^See /ms;
	like($page, qr/^\.It Fl $_\b/m, "option -$_") for $options =~ /^  -(\w)/mg;
}

# Of a manual page: heading => text.
sub sections
{
	my ($page) = @_;
	return map { /^\.S[sh] (.*)\n/ ? ($1 => $_) : () } split(/^(?=\.S[sh] )/m, $page);
}

# The options of --help: each by its letter and its name.
sub help_options
{
	my ($help) = @_;
	return map { [ /^  (?:-(\w)(?:, )?)?(?:--([\w-]+))?/ ] } $help =~ /^(  -.*)$/mg;
}

sub check_ctl_page
{
	my $page = read_file("$source/daemon/ctl/tlsactl.8");
	my %section = sections($page);
	my $help = run($tlsactl, '--help');
	my %global = map { ($_->[1] => 1) } help_options($help);
	my ($list) = $help =~ /^commands:\n(.*?)\n\n/ms;
	my @commands = ($list // '') =~ /^  (\S+(?: \S+)?)  /mg;
	cmp_ok(scalar(@commands), '>=', 3, 'tlsactl --help lists the commands');
	for my $option (help_options($help)) {
		like($section{DESCRIPTION}, qr/^\.It Fl $option->[0].* Fl -$option->[1]\b/m, "--$option->[1]")
			if $option->[0];
		like($section{DESCRIPTION}, qr/^\.It .*Fl -$option->[1]\b/m, "--$option->[1]");
	}
	for my $command (@commands) {
		my ($heading) = grep { /^\Q$command\E(?: Ar|$)/ } keys %section;
		ok(defined $heading, "$command has a section") or next;
		my $text = $section{$heading};
		for my $option (grep { !$global{$_->[1]} }
			help_options(run($tlsactl, split(/ /, $command), '--help'))) {
			like($text, qr/^\.It .*Fl -$option->[1]\b/m, "$command: --$option->[1]");
			like($text, qr/^\.It Fl $option->[0]\b/m, "$command: -$option->[0]") if $option->[0];
		}
		like($section{'EXIT STATUS'}, qr/^\.It Cm \Q$command\E$/m, "$command: exit statuses");
		ok($section{"JSON of $command"}, "$command: JSON");
	}
	my %members = map { ($_ => 1) } map { read_file($_) =~ /json_object_set_new\(\s*\w+, "(\w+)"/g }
		glob("$source/daemon/ctl/{,*/}*.c");
	cmp_ok(scalar(keys %members), '>', 30, 'members of JSON can be found');
	like($page, qr/^\.(?:It )?Va (?:[^\n]* )?$_\b/m, "JSON: $_") for sort keys %members;
	check_status($section{'JSON of status'});
	my @warnings = read_file("$source/daemon/ctl/check/check_warnings.c") =~ /\[CHECK_WARNING_\w+\] = "([\w-]+)"/g;
	cmp_ok(scalar(@warnings), '>', 10, 'warnings can be found');
	like($section{Warnings}, qr/^\.It Cm (?:.* , )?\Q$_\E\b/m, "warning $_") for @warnings;
}

# Compares every row with both manuals, and with a daemon's page and status.
sub check_counters
{
	my @rows = Tlsad::Counters::rows();
	cmp_ok(scalar(@rows), '>', 30, 'it can be read');
	my ($metrics) = read_file("$source/daemon/tlsad.8") =~ /^\.Sh METRICS\n(.*?)^\.Sh /ms;
	my ($status) = read_file("$source/daemon/ctl/tlsactl.8") =~ /^\.Ss JSON of status\n(.*?)^\.S[sh] /ms;
	my %metrics = map { ($_ => 1) } grep { defined } map { $_->{metric} } @rows;
	my @paths = grep { defined } map { ($_->{status}, $_->{total}) } @rows;
	for my $metric (sort keys %metrics) {
		like($metrics, qr/^\.It Va (?:[^\n]* )?\Q$metric\E\b/m, "tlsad(8): $metric");
	}
	for my $path (sort @paths) {
		like($status, qr/^\.(?:It )?Va (?:[^\n]* )?\Q$_\E\b/m, "tlsactl(8): $_ of $path")
			for split(/\./, $path);
	}
	my ($stopped) = read_file("$source/daemon/tlsad.8") =~ /^(\.It stopped: .*?)^\.It (?!Va)/ms;
	my @words = map { /\A\.Va (.*)/ ? grep { /\w/ } split(/[ ,]+/, $1) : () } split(/\n/, $stopped // '');
	is("@{[sort @words]}", "@{[sort grep { defined } map { $_->{log} } @rows]}",
		'tlsad(8): the names in the log line at the end, and no others');
	my $daemon = Tlsad::Daemon->start(config => { server => { metrics => "unix:$directory/metrics" } });
	my $page = Tlsad::Http->new("unix:$directory/metrics")->get('/metrics')->{body};
	my $object = JSON::PP->new->decode(run($tlsactl, '--json', '-c', $daemon->config_file, 'status'));
	$daemon->stop;
	is(join(' ', sort $page =~ /^# TYPE (\w+) /mg), join(' ', sort keys %metrics),
		'/metrics has these families and no others');
	for my $path (sort @paths) {
		my $value = $object;
		$value = ref($value) eq 'HASH' ? $value->{$_} : undef for split(/\./, $path);
		ok(defined $value, "status has $path");
	}
}

# The daemon makes this object, so it comes from a daemon.
sub check_status
{
	my ($text) = @_;
	my $daemon = Tlsad::Daemon->start;
	my $status = run($tlsactl, '--json', '-c', $daemon->config_file, 'status');
	$daemon->stop;
	my @members = $status =~ /"(\w+)":/g;
	cmp_ok(scalar(@members), '>', 30, 'status has members');
	like($text, qr/^\.(?:It )?Va (?:[^\n]* )?\Q$_\E\b/m, "status: $_") for @members;
}

sub check_readme
{
	my ($summary) = read_file("$source/README") =~ /\Atlsad - (.+)\n/;
	for my $file (qw(contrib/debian/control contrib/openrc/tlsad contrib/rpm/tlsad.spec daemon/tlsad.8 systemd/tlsad.service)) {
		like(read_file("$source/$file"), qr/^(?:\.Nd |\w+[:=]\s*"?)\Q$summary\E"?$/m, "its summary is in $file");
	}
	like($summary, qr/\b$_\b/, "with $_") for qw(Postfix DANE MTA-STS);
	my $readme = read_file("$source/README");
	my @lines = split(/\n/, $readme);
	cmp_ok(scalar(@lines), '<=', README_LINES_MAX, 'it is short');
	my $screen = join("\n", @lines[0 .. SCREEN - 1]);
	like($screen, qr/^\s+sh contrib\/quickstart$/m, 'the first screen has one command');
	like($screen, qr/^\s+sh contrib\/quickstart check$/m, 'and the other');
	my $start = join("\n", @lines[0 .. README_START - 1]);
	like($start, qr/\b\Q$_\E\b/, "its start has $_") for 'tlsactl doctor', 'smtp_tls_loglevel = 1';
	like($readme, qr/\b\Q$_\E\b/, "it has $_") for qw(smtp_tls_policy_maps
		smtp_dns_support_level smtp_tls_security_level trust-ad proxy_read_maps
		smtp_tls_dane_insecure_mx_policy postmap);
	like($readme, qr/^$_\n=+$/m, "it has $_") for qw(Installation Changes Security);
	for my $name ($readme =~ /(\[\w+\] \w+)/g) {
		my ($section, $key) = $name =~ /(\w+)\] (\w+)/;
		ok($settings{"$section.$key"}, "$name is a setting");
	}
	my %section = sections(read_file("$source/daemon/tlsad.8"));
	my ($table) = $readme =~ /^Replies\n=+\n\n(.*?)\n\n/ms;
	my (undef, @replies) = ($table // '') =~ /^    ([\w-]+)(?: \.\.\.)? +[A-Z]/mg;
	cmp_ok(scalar(@replies), '>', 5, 'its table of replies can be read');
	like($section{REPLIES}, qr/^\.It Cm (?:OK )?\Q$_\E(?: |$)/m, "tlsad(8) has the reply $_") for @replies;
	# Every path of this tree that it names exists.
	for my $path ($readme =~ m{(?<![\w/.])((?:common|conf|contrib|daemon|systemd|t)/[\w./-]*\w)}g) {
		ok(-e "$source/$path", "$path is there");
	}
}

sub check_tree
{
	ok(-e "$source/daemon/HACKING", 'it is there') or return;
	my $text = read_file("$source/daemon/HACKING");
	for my $folder (grep { -d "$source/$_" } read_file("$source/contrib/floors") =~ /^(\w[\w\/]*)$/mg) {
		my ($name) = $folder =~ /(\w+)$/;
		like($text, qr{^ +(?:[\w/]+/ )*(?:\w+/)*$name/ }m, "the tree has the folder $folder");
	}
	my @paths = $text =~ m{(?<![\w/.~])((?:common|daemon|conf|systemd|contrib|t)/[\w./-]*\w)}g;
	cmp_ok(scalar(@paths), '>', 40, 'it names files and folders');
	my %missing = map { $_ => 1 } grep { !/NAME|ROOM/ && !-e "$source/$_" && !-e "$source/$_.c" } @paths;
	is("@{[sort keys %missing]}", '', 'each of them exists');
}

# "SECTION in tlsad(8)" and "SECTION and SECTION in tlsad(8)", outside manual pages.
sub check_cited_sections
{
	my $found = 0;
	for my $file (qw(README conf/main.cf.example conf/tlsad.conf contrib/debian/tlsad.README.Debian)) {
		my $text = read_file("$source/$file") =~ s/\n#? */ /gr;
		while ($text =~ /((?:[A-Z]{2}[A-Z ]*[A-Z](?:,| and)? )+|"[^"]+" )(?:in|of) (tlsad|tlsactl|tlsad\.conf)\([58]\)/g) {
			my ($headings, $page) = ($1, $2);
			for my $heading (grep { length } map { s/^[ "]+|[ "]+$//gr } split(/,| and /, $headings)) {
				$found++;
				like(read_file("$source/$pages{$page}"), qr/^\.S[sh] \Q$heading\E$/m,
					"$file: the section $heading of $page");
			}
		}
	}
	cmp_ok($found, '>=', 10, 'there are citations');
}

sub check_cases
{
	my @rules = Tlsad::CaseTables::rules("$source/t/lab/dane-cases");
	my @cases = Tlsad::CaseTables::cases("$source/t/lab/cases");
	my @headings = Tlsad::CaseTables::headings("$source/t/lab/pinned-cases");
	cmp_ok(scalar(map { @{$_->{rows}} } @rules), '>', 60, 'the rules can be read');
	cmp_ok(scalar(@cases), '>', 300, 'the cases can be read');
	my @differences = Tlsad::CaseTables::differences(\@rules, \@cases, \@headings);
	is(join("\n", @differences), '', 'they agree');
	my ($row) = grep { ($_->{answer} // '') eq 'dane-only' } map { @{$_->{rows}} } @rules;
	my $differs = sub {
		my ($what, @arguments) = @_;
		isnt(join('', Tlsad::CaseTables::differences(@arguments)), '', "seen: $what");
	};
	for my $change ([ answer => 'dane' ], [ reason => 'no-tlsa' ], [ case => 'new' ]) {
		local @$row{$change->[0]} = $change->[1];
		$differs->("another $change->[0] of a rule", \@rules, \@cases, \@headings);
	}
	$differs->('cases that a rule has lost', \@rules, [ @cases[0 .. $#cases - 1] ], \@headings);
	$differs->('cases without a rule', [ @rules[1 .. $#rules] ], \@cases, \@headings);
	$differs->('another heading of pinned-cases', \@rules, \@cases,
		[ [ 'new', 1 ], @headings[1 .. $#headings] ]);
	$differs->('a heading of pinned-cases without cases', \@rules, \@cases,
		[ [ $headings[0][0], 0 ], @headings[1 .. $#headings] ]);
}

# t/lab/dane-cases or sts-cases, "HEADING", also over the end of a line of a comment. Documents that
# end in .md are not in this tree.
sub check_citations
{
	my %headings;
	for my $rules (qw(dane-cases sts-cases)) {
		my @sections = Tlsad::CaseTables::rules("$source/t/lab/$rules");
		is(scalar(grep { !@{$_->{rows}} } @sections), 0, "$rules: each section has a table");
		$headings{"$rules $_->{heading}"} = 1 for @sections;
	}
	my ($found, @wrong) = (0);
	for my $file (glob("$source/{common,daemon,t}/{,*/,*/*/}{*.[cht],*.pm,*[es]}")) {
		next if !-f $file || $file =~ m{/t/host/docs\.t\z};
		my $text = read_file($file) =~ s{\n[\t ]*[*#][\t ]}{ }gr;
		my @cited;
		push @cited, "$1 $2" while $text =~ m{\b((?:dane|sts)-cases),? "([^"]+)"}g;
		$found += @cited;
		push @wrong, map { "$file: $_" } grep { !$headings{$_} } @cited;
		push @wrong, map { "$file: $_" } $text =~ m{\b([\w-]+\.md|the law)\b}g;
	}
	cmp_ok($found, '>=', 5, 'there are citations');
	is("@wrong", '', 'all of them are in this tree');
}

# The comment at the top of a header begins with the file's name and a colon.
sub is_named
{
	my ($file, $text) = @_;
	my ($name) = $file =~ m{([^/]+)\.h\z};
	return $text =~ m{\A/\*\n \* \Q$name\E: \S};
}

sub check_headers
{
	my @files = glob("$source/{common,daemon}/{,*/,*/*/}*.h");
	cmp_ok(scalar(@files), '>', 100, 'headers can be found');
	ok(is_named($_, read_file($_)), s{^\Q$source\E/}{}r . ' begins with its name') for @files;
	my $text = read_file("$source/common/base/text.h");
	ok(!is_named('common/base/other.h', $text), 'seen: the name of another file');
	ok(!is_named('common/base/text.h', $text =~ s/text: /text.h - /r), 'seen: no colon');
	ok(!is_named('common/base/text.h', $text =~ s{\A/\*.*?\*/\n}{}sr), 'seen: no comment');
}

# A number of the page in tlsad's form: "1 day" is 1d.
sub as_value
{
	my ($number, $unit) = @_;
	return $number . {'' => '', second => 's', minute => 'm', hour => 'h', day => 'd'}->{$unit // ''};
}

# No source file has the default of an option of configure: another value would have no effect there.
sub check_paths
{
	my ($path) = read_file("$source/configure.ac") =~ /with_ca_file=(\/[^\]\s]+)/;
	ok($path, '--with-ca-file has a default') or return;
	my @files = glob("$source/{common,daemon}/{,*/,*/*/}*.[ch]");
	cmp_ok(scalar(@files), '>', 100, 'source files');
	my @wrong = grep { index(read_file($_), $path) >= 0 } @files;
	is("@wrong", '', "none has $path");
}

# Does tlsad accept the value, with other settings that do not conflict with it?
sub is_taken
{
	my ($name, $value) = @_;
	my %beside = ('cache.min_ttl' => 'cache.max_ttl=30d', 'cache.max_ttl' => 'cache.min_ttl=0');
	my @beside = $beside{$name} ? ('-o', $beside{$name}) : ();
	run($tlsad, '-n', '-c', "$directory/empty", @beside, '-o', "$name=$value");
	return $? == 0;
}

# If the page says "1 to 64" of a setting, both ends are accepted, and values beyond are not.
sub check_bounds
{
	my %described = described_settings();
	my $found = 0;
	for my $name (sort keys %described) {
		my ($low, $high, $unit) = $described{$name} =~
			/\b(\d+[kMG]?(?: (?:second|minute)s?)?) to (\d+[kMG]?)(?: (second|minute|hour|day)s?)?\b/ or next;
		$found++;
		my ($least, $least_unit) = $low =~ /^(\w+)(?: (second|minute))?/;
		$least_unit //= $unit if $low ne '0' && defined $unit;
		ok(is_taken($name, as_value($least, $least_unit)), "$name: $low");
		ok(is_taken($name, as_value($high, $unit)), "$name: $high " . ($unit // ''));
		ok(!is_taken($name, as_value($least =~ s/(\d+)/$1 - 1/er, $least_unit)), "$name: not less");
		ok(!is_taken($name, as_value($high =~ s/(\d+)/$1 + 1/er, $unit)), "$name: not more");
	}
	cmp_ok($found, '>=', 10, 'bounds can be read');
}

sub check_examples
{
	my ($examples) = read_file("$source/conf/tlsad.conf.5") =~ /^\.Sh EXAMPLES\n(.*?)^\.Sh/ms;
	my @blocks = ($examples // '') =~ /^\.Bd -literal[^\n]*\n(\[.*?)^\.Ed/msg;
	cmp_ok(scalar(@blocks), '>', 4, 'there are some');
	for my $block (@blocks) {
		write_file("$directory/example", $block);
		is(run($tlsad, '-n', '-c', "$directory/example"), '', $block =~ s/\n.*//sr . ' ...');
	}
}

sub check_pages
{
	for my $name (sort keys %pages) {
		my $page = read_file("$source/$pages{$name}");
		my %headings = map { ($_ => 1) } $page =~ /^\.S[sh] (.*)$/mg;
		my @wanted = ('NAME', 'DESCRIPTION', 'FILES', 'EXAMPLES', 'SEE ALSO',
			$pages{$name} =~ /\.8$/ ? ('SYNOPSIS', 'ENVIRONMENT', 'EXIT STATUS') : ());
		ok($headings{$_}, "$name has $_") for @wanted;
		# "see Sx HEADING", in this page or another one.
		while ($page =~ /(?:^\.Xr (\S+) \d ,\n)?^\.(?:Pq see )?Sx (.*?)(?: [.,;])?\n(?:in\n\.Xr (\S+))?/mg) {
			my ($heading, $other) = ($2, $1 // $3 // $name);
			like(read_file("$source/$pages{$other}"), qr/^\.S[sh] \Q$heading\E$/m,
				"$name: the section $heading of $other");
		}
		# smtp_... is Postfix's, domain-insecure is libunbound's.
		for my $setting (grep { !/^(?:smtp|domain)/ } $page =~ /^\.(?:It )?Ic ([\w.]+)\b/mg) {
			ok((grep { "$_." =~ /(?:^|\.)\Q$setting\E\./ } keys %settings),
				"$name: the setting $setting");
		}
		my %sources = (tlsad => '{daemon,common}/{,*/}', tlsactl => 'daemon/ctl/{,*/}');
		my @sources = map { glob("$source/$_*.c") } $sources{$name} // ();
		for my $variable (map { read_file($_) =~ /getenv\("(\w+)"\)/g } @sources) {
			like($page, qr/^\.It Ev (?:.* , )?\Q$variable\E\b/m, "$name: the variable $variable");
		}
	}
}

# Each quoted line is one of the program: the pieces of it between its values are in the code.
sub check_log_lines
{
	my %section = sections(read_file("$source/daemon/tlsad.8"));
	my $code = join("\n", map { read_file($_) } glob("$source/{common,daemon}/{,*/}*.c")) =~ s/"\s*\n\s*"//gr;
	my @lines = map { $section{$_} =~ /^\.It (.*)$/mg } 'DIAGNOSTICS', 'TRUST ANCHORS';
	cmp_ok(scalar(@lines), '>', 25, 'they can be read');
	for my $line (@lines) {
		my @missing = grep { /\w/ && index($code, $_) < 0 } map { s/^ +| +$//gr }
			split(/\bAr \w+|\b(?:No|Ns)\b|^(?:warning|error): |[:;=]|\.\.\./, $line);
		is("@missing", '', $line);
	}
}

sub check_statuses
{
	my ($text) = read_file("$source/daemon/tlsad.8") =~ /^\.Sh EXIT STATUS\n(.*?)^\.Sh/ms;
	my @statuses = ($text // '') =~ /^\.It (\d+)$/mg;
	is("@statuses", '0 1 64 74', 'there are four');
	my %command = ('-h' => 0, '-V' => 0, "-n -c $directory/empty" => 0, '-c /nonexistent' => 1,
		'-n -o dane.enforce=x' => 1, '-z' => 64, 'x' => 64);
	for my $options (sort keys %command) {
		run($tlsad, split(/ /, $options));
		is($? >> 8, $command{$options}, "tlsad $options");
	}
	for my $options ('-h', '-V', "-n -v -c $directory/empty") {
		like(qx($tlsad $options 2>&1 >/dev/full), qr/\A[^\n]*error: cannot write to standard output: [^\n]+\n\z/,
			"tlsad $options with a full disk says so");
		is($? >> 8, 74, 'and its status');
		system("$tlsad $options 2>/dev/null >&-");
		is($? >> 8, 74, 'also if standard output is closed');
	}
}

sub check_mandoc
{
	my $mandoc = Tlsad::Process::find_program('mandoc');
	if (!defined $mandoc) {
		return fail('mandoc is installed (CI=true)') if ($ENV{CI} // '') eq 'true';
		plan(skip_all => 'mandoc is not installed');
	}
	for my $page (sort values %pages) {
		# Other manuals that are missing on this host are not an error of the page.
		my @complaints = grep { !/referenced manual not found|outdated mandoc\.db/ }
			split(/\n/, run($mandoc, '-T', 'lint', "$source/$page"));
		is("@complaints", '', $page);
	}
}
