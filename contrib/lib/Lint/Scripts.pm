package Lint::Scripts;

# perl -c and shellcheck on the programs that no compiler reads.

use strict;
use warnings;
use Exporter qw(import);
use File::Basename qw(dirname);
use Lint::Report qw(refuse find_files first_line read_lines not_checked run run_each);

our @EXPORT_OK = qw(check_perl check_shell find_scripts);

# Is the file a script? Returns 'perl' or 'shell', by the name or else by the first line.
sub script_language
{
	my ($file) = @_;
	return 'perl' if $file =~ /\.(?:t|pm)\z/;
	return 'shell' if $file =~ /\.(?:sh|bash)\z/;
	return undef if $file =~ /\.\w+\z/ && $file !~ /\.(?:preinst|postinst|prerm|postrm|config)\z/;
	my ($program) = first_line($file) =~ m{^#!.*/(\w[\w-]*)} or return undef;
	return 'perl' if $program eq 'perl';
	return $program =~ /^(?:ba|da)?sh\z|^openrc-run\z/ ? 'shell' : undef;
}

# {perl => [FILE...], shell => [FILE...]}
sub find_scripts
{
	my %scripts = (perl => [], shell => []);
	for my $file (find_files(qr{^(?!t/fuzz/.*/)})) {
		my $language = script_language($file) // next;
		push @{$scripts{$language}}, $file;
	}
	return \%scripts;
}

# Without -w, which also warns of faults in modules of other projects. Each file must have "use
# warnings" instead.
sub check_perl
{
	my @folders = map { "-I$_" } qw(t/lib t/postfix t/bench/lib contrib/lib);
	my $command = sub { ($^X, @folders, '-c', @_) };
	my $read = sub {
		my ($file, $output, $status) = @_;
		return if $status == 0 && $output eq "$file syntax OK\n";
		my $found = 0;
		for (split(/\n/, $output)) {
			my ($text, $place, $line) = /^(.+) at (\S+) line (\d+)\b/ or next;
			# It follows an error.
			next if $text =~ /^BEGIN failed/ && $found;
			refuse(-f $place ? ($place, $line) : ($file, 1), "$text: correct it");
			$found = 1;
		}
		refuse($file, 1, "perl -c failed: $output") if !$found;
	};
	my @files = @{find_scripts()->{perl}};
	for my $file (@files) {
		my $text = join('', read_lines($file));
		for my $wanted ('use strict;', 'use warnings;') {
			refuse($file, 1, "has no line '$wanted': add it") if $text !~ /^$wanted$/m;
		}
	}
	run_each($command, $read, @files);
	return;
}

sub check_shell
{
	my @files = @{find_scripts()->{shell}} or return;
	my $program = $ENV{SHELLCHECK} // 'shellcheck';
	return not_checked($files[0], 'shell scripts are', "$program is not installed")
		if run($program, '--version') !~ /^version: /m;
	my $output = run($program, '--format=gcc', '--', @files);
	my $status = $?;
	my $found = 0;
	while ($output =~ /^(\S+?):(\d+):\d+: \w+: (.+)$/mg) {
		refuse($1, $2, "$3: correct it");
		$found = 1;
	}
	refuse($files[0], 1, "$program failed: $output") if $status != 0 && !$found;
	return;
}

1;
