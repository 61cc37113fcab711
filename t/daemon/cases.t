#!/usr/bin/perl
# The whole daemon with every case of t/lab/cases: through its socket in all maps with the same
# reply, through explain, and through the real postmap(1). Each case is requested without and with
# a cache entry.
#
# The cases run in several processes at once, since some wait for servers that never answer.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use JSON::PP ();
use POSIX ();
use Storable ();
use Test::More;
use Time::HiRes ();
use Tlsad::CaseTables;
use Tlsad::Daemon;
use Tlsad::Lab;
use Tlsad::Process;

use constant ASKERS => 6;
use constant REPLY_TIMEOUT => 120;	# [s] far above resolver.timeout
use constant FAILURE_TTL => 30;		# [s] default of cache.failure_ttl
use constant MAX_TTL => 86400;		# [s] default of cache.max_ttl
# [s] How much of a part's lifetime may have passed, if it was looked up for an earlier case.
use constant AGE => 300;
# [s] The difference of two readings of a clock in whole seconds may be one too large.
use constant ROUNDING => 1;
my @same_maps = qw(native QUERY postfix Policy);

my @missing = Tlsad::Lab::missing_programs();
plan(skip_all => "not installed: @missing") if @missing;

my @cases = read_cases(Tlsad::Process::source_directory() . '/t/lab/cases');
# TLSAD_CASES, a pattern, selects cases by key, to search for an error.
@cases = grep { $_->{text} =~ /$ENV{TLSAD_CASES}/ } @cases if $ENV{TLSAD_CASES};
my $postmap = Tlsad::Process::find_program('postmap');
my $lab = Tlsad::Lab->start;
my $directory = Tlsad::Process::private_directory();
write_main_cf();

my $left_out = $lab->left_out;
my %levels;
push @{$levels{$_->{site_level} // ''}}, $_ for @cases;
for my $level (sort keys %levels) {
	my $daemon = Tlsad::Daemon->start(lab => $lab, config => {
		resolver => { timeout => '8s' },
		$level eq '' ? () : (dane => { site_level => $level }) });
	my %observations = ask($daemon,
		grep { !defined $left_out->{$_->{key}} } @{$levels{$level}});
	for my $case (@{$levels{$level}}) { SKIP: {
		my $reason = $left_out->{$case->{key}};
		skip("$case->{text}: $reason", 1) if defined $reason;
		subtest(($level eq '' ? '' : "site_level $level: ") . $case->{text}
			=> sub { check($case, $observations{$case->{number}}) });
	} }
	is($daemon->stop, 0, 'tlsad ends with status 0');
}
done_testing();

sub read_cases
{
	my ($file) = @_;
	my @cases = Tlsad::CaseTables::cases($file);
	for my $number (0 .. $#cases) {
		my $case = $cases[$number];
		my $key = $case->{key};
		@$case{qw(number text)} = ($number, $key);
		$key = '' if $key eq '""';
		$key =~ s/<(.)\*(\d+)>/$1 x $2/ge;
		$key =~ s/\\x([0-9A-F]{2})/chr(hex($1))/ge;
		$case->{key} = $key;
		$case->{ttl} //= '-';
		for ($case->{option} // '') {
			if (/^no-postmap$/) { $case->{no_postmap} = 1 }
			elsif (/^site_level=(\S+)$/) { $case->{site_level} = $1 }
			elsif (/./) { die "$file line $case->{line}: no such option: $_\n" }
		}
	}
	return @cases;
}

# postmap reads main.cf; do not use the system's own.
sub write_main_cf
{
	open(my $handle, '>', "$directory/main.cf") or die "main.cf: $!\n";
	print {$handle} "compatibility_level = 3.6\nmyhostname = client.lab\n",
		"mynetworks_style = host\nsmtputf8_enable = no\n",
		"queue_directory = $directory\ndata_directory = $directory\n";
	close($handle) or die "main.cf: $!\n";
}

# The daemon's reply to each case, by the case's number.
sub ask
{
	my ($daemon, @wanted) = @_;
	my @askers;
	for my $asker (0 .. ASKERS - 1) {
		my @share = @wanted[grep { $_ % ASKERS == $asker } 0 .. $#wanted];
		next unless @share;
		my $file = "$directory/observations.$asker";
		unlink($file);
		push @askers, { file => $file, process => Tlsad::Process::spawn(
			log => "$directory/asker.log", code => sub {
				my %seen = map { $_->{number} => observe($daemon, $_) } @share;
				Storable::store(\%seen, "$file.new");
				rename("$file.new", $file) or die "$file: $!\n";
			}) };
	}
	my %observations;
	for my $asker (@askers) {
		my $status = $asker->{process}->wait(REPLY_TIMEOUT * 5);
		if (!defined $status || $status != 0) {
			open(my $handle, '<', "$directory/asker.log");
			diag("a client process failed:\n", <$handle>);
			next;
		}
		%observations = (%observations, %{Storable::retrieve($asker->{file})});
	}
	return %observations;
}

sub observe
{
	my ($daemon, $case) = @_;
	my %seen = (replies => []);
	my $finished = eval {
		my $client = $daemon->client(timeout => REPLY_TIMEOUT);
		for my $map ('policy', 'policy', @same_maps) {
			push @{$seen{replies}}, [ $map, $client->request($map, $case->{key}) ];
		}
		$seen{explain} = $client->request('explain', $case->{key});
		1;
	};
	$seen{error} = $@ unless $finished;
	$seen{postmap} = ask_postmap($daemon->endpoint, $case->{key})
		if defined $postmap && !$case->{no_postmap};
	return \%seen;
}

# postmap prints the value; for TEMP it says so on standard error; both NOTFOUND
# and TEMP give exit status 1.
sub ask_postmap
{
	my ($endpoint, $key) = @_;
	my ($out, $error) = map { "$directory/postmap.$$.$_" } qw(out error);
	my $pid = fork() // die "fork: $!\n";
	if ($pid == 0) {
		open(STDOUT, '>', $out);
		open(STDERR, '>', $error);
		alarm(REPLY_TIMEOUT);
		exec($postmap, '-c', $directory, '-q', $key, "socketmap:$endpoint:policy")
			or POSIX::_exit(127);
	}
	waitpid($pid, 0);
	my $status = $?;
	my @text = map {
		open(my $handle, '<:raw', $_) or die "$_: $!\n";
		local $/;
		<$handle> // '';
	} $out, $error;
	return { status => $status, out => $text[0], error => $text[1] };
}

sub fits
{
	my ($wanted, $reply) = @_;
	return $reply eq 'NOTFOUND ' || $reply eq 'NOTFOUND' if $wanted eq 'NOTFOUND';
	return $reply eq $wanted unless $wanted =~ /^TEMP /;
	return 0 unless $reply =~ /^TEMP \S/ && $reply !~ /\n/;
	my (undef, @words) = split(/ /, $wanted);
	for my $word (@words) {
		my $any = join('|', map { quotemeta } split(m{/}, $word));
		return 0 unless $reply =~ /(?<![\w-])(?:$any)(?![\w-])/i;
	}
	return 1;
}

sub check
{
	my ($case, $seen) = @_;
	return fail('was asked') unless $seen;
	is($seen->{error}, undef, 'every request was answered');
	my %number;
	for (@{$seen->{replies}}) {
		my ($map, $reply) = @$_;
		my $which = $map eq 'policy' ? ($number{$map}++ ? ', cached' : ', cold') : '';
		ok(fits($case->{reply}, $reply), "map $map$which")
			or diag("wanted $case->{reply}, got $reply");
	}
	check_explain($case, $seen->{explain}) if defined $seen->{explain};
	SKIP: {
		skip('postmap is not installed', 1) unless defined $postmap;
		last SKIP if $case->{no_postmap};
		check_postmap($case, $seen->{postmap});
	}
}

sub check_explain
{
	my ($case, $reply) = @_;
	my ($json) = $reply =~ /\AOK (\{.*\})\z/ or
		return fail("explain is OK and one line of JSON: $reply");
	my $explain = eval { JSON::PP->new->utf8->decode($json) } or
		return fail("explain is JSON: $@ $json");
	my @absent = grep { !exists $explain->{$_} }
		qw(destination reply reason ttl mx hosts);
	is("@absent", '', 'explain has all members');
	ok(fits($case->{reply}, $explain->{reply} // ''), 'explain: reply')
		or diag("wanted $case->{reply}, got $explain->{reply}");
	like($explain->{reason} // '', qr{^(?:@{[join('|', split(m{/}, $case->{reason}))]})$},
		'explain: reason');
	my ($least, $most) = lifetime($case);
	return unless defined $least;
	my $ttl = $explain->{ttl} // 'none';
	ok($ttl =~ /^\d+$/ && $ttl >= $least && $ttl <= $most + ROUNDING, 'explain: ttl')
		or diag("wanted $least to $most, got $ttl: $json");
}

sub lifetime
{
	my ($case) = @_;
	my $ttl = $case->{ttl};
	return ($1, $2) if $ttl =~ /^(\d+)-(\d+)$/;
	return ($ttl > AGE ? $ttl - AGE : 0, $ttl) if $ttl =~ /^\d+$/;
	return () if $case->{reason} eq 'not-a-destination';
	return (0, $case->{reply} =~ /^TEMP/ ? FAILURE_TTL : MAX_TTL);
}

sub check_postmap
{
	my ($case, $seen) = @_;
	my $found = $case->{reply} =~ /^OK (.*)/ ? "$1\n" : '';
	is($seen->{out}, $found, 'postmap: value');
	if ($case->{reply} =~ /^TEMP/) {
		ok($seen->{status} != 0, 'postmap: fails');
		like($seen->{error}, qr/error/, 'postmap: says that the query failed');
	} else {
		is($seen->{status} >> 8, $found eq '' ? 1 : 0, 'postmap: status');
		is($seen->{error}, '', 'postmap: no error message');
	}
}
