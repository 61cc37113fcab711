#!/usr/bin/perl
# The log for searching: one event is one line, values follow their names, lines about TEMP replies
# are not repeated, and text from strangers cannot forge a line or a value.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use Tlsad::Ctl;
use Tlsad::Daemon;
use Tlsad::Http;
use Tlsad::Lab;
use Tlsad::Observe;
use Tlsad::Process;

use constant PROMPT => 30;		# [s] for what should take milliseconds
use constant TEMP_REQUESTS => 6;

my @missing = Tlsad::Lab::missing_programs();
plan(skip_all => "not installed: @missing") if @missing;

my $lab = Tlsad::Lab->start(
	faults => [ map { { name => "$_.faults.lab", behaviour => 'refused' } } 1 .. 3 ]);

# A name, an equals sign, and a word or text in quotation marks.
my $value = qr/[a-z_]+=(?:"[^"]*"|[^\s"]+)/;

subtest('a lookup' => \&a_lookup);
subtest('replies from the cache' => \&cached_answers);
subtest('TEMP' => \&temp_answers);
subtest('steps' => \&steps);
subtest('what strangers write' => \&strangers);
subtest('levels' => \&levels);
done_testing();

# [sentence, {name => value}] of a line; undef when it does not have this form.
sub read_line
{
	my ($line) = @_;
	my ($sentence, $rest) = $line =~ /^tlsad: ([^"=]*?)((?: $value)*)$/ or return undef;
	my %values = $rest =~ / ([a-z_]+)=("[^"]*"|\S+)/g;
	s/^"(.*)"$/$1/ for values %values;
	return [ $sentence, \%values ];
}

sub lines
{
	my ($daemon, $pattern) = @_;
	return grep { $_ =~ $pattern } split(/\n/, $daemon->log_text);
}

sub a_lookup
{
	my $daemon = Tlsad::Daemon->start(lab => $lab);
	$daemon->request('policy', 'full.dane.lab');
	my ($line) = lines($daemon, qr/looked up/);
	my ($sentence, $values) = @{read_line($line) // []};
	is($sentence, 'looked up full.dane.lab:', 'the destination');
	like(delete $values->{seconds}, qr/^\d+\.\d{3}$/, 'the time');
	is_deeply($values, { map => 'policy', reason => 'dane-full', reply => 'OK dane-only' },
		'the reply and the reason');
	is($daemon->stop, 0, 'the daemon ends with status 0');
}

# Every kind of reply without a lookup.
my @cached = (
	[ 'policy', 'full.dane.lab', 'full.dane.lab', 'policy', 'dane-full', 'OK dane-only' ],
	[ 'NATIVE', 'full.dane.lab', 'full.dane.lab', 'native', 'dane-full', 'OK dane-only' ],
	[ 'explain', 'full.dane.lab', 'full.dane.lab', 'explain', 'dane-full', '...' ],
	[ 'policy', '.dane.lab', '.dane.lab', 'policy', 'not-a-destination', 'NOTFOUND ' ],
	[ 'no-such', 'x', 'x', 'none', 'no-map', qr/^PERM no such map/ ],
	[ 'policy', "a\" reason=\"forged\"\nx\\", 'a\' reason=\'forged\'\x0ax\x5c', 'policy',
		'not-a-destination', 'NOTFOUND ' ],
	[ 'policy', 'x' x 9000, 'x' x 200, 'policy', 'not-a-destination', 'NOTFOUND ' ],
);

sub cached_answers
{
	my $daemon = Tlsad::Daemon->start(lab => $lab, config => { log => { answers => 'yes' } });
	my $client = $daemon->client(timeout => PROMPT);
	$client->request('explain', 'full.dane.lab');
	ok(wait_until(PROMPT, sub { $client->request('explain', 'full.dane.lab') =~ /"cached":true/ }),
		'it is in the cache');
	for (@cached) {
		my ($map, $key, $logged_key, $logged_map, $reason, $reply) = @$_;
		my $from = length($daemon->log_text);
		$client->request($map, $key);
		my @lines = split(/\n/, substr($daemon->log_text, $from));
		is(scalar(@lines), 1, "$map " . substr($logged_key, 0, 20) . ': one line');
		my ($sentence, $values) = @{read_line($lines[0] // '') // []};
		is($sentence, 'replied from the cache:', 'the sentence');
		like(delete $values->{reply}, ref $reply ? $reply : qr/\A\Q$reply\E\z/, 'the reply');
		is_deeply($values, { key => $logged_key, map => $logged_map, reason => $reason },
			'key, map and reason');
	}
	my $from = length($daemon->log_text);
	my $ctl = Tlsad::Ctl->new(config => { server => { control => 'unix:' . $daemon->control } });
	is($ctl->run('cache', 'export', '--map', 'native')->{status}, 0, 'tlsactl cache export');
	like(substr($daemon->log_text, $from), qr/^tlsad: replied from the cache: key="full\.dane\.lab" map=native /m,
		'the replies in it');
	$daemon->write_config({ log => { answers => 'no' } });
	$daemon->reload;
	ok($daemon->wait_log(qr/reloaded/, PROMPT), 'SIGHUP');
	ok(wait_until(PROMPT, sub { my $from = length($daemon->log_text);
		$client->request('policy', 'full.dane.lab');
		$from == length($daemon->log_text) }), 'and they are no longer logged');
	is($daemon->stop, 0, 'the daemon ends with status 0');
}

sub temp_answers
{
	my $endpoint = 'unix:' . Tlsad::Process::private_directory() . '/metrics';
	my $daemon = Tlsad::Daemon->start(lab => $lab, config => { cache => { failure_ttl => '1s' },
		server => { workers => 2, metrics => $endpoint } });
	my $http = Tlsad::Http->new($endpoint);
	my @clients = map { $daemon->client } 1 .. TEMP_REQUESTS;
	my %replies;
	# Until the failure has expired and was looked up again a few times.
	ok(wait_until(3 * PROMPT, sub {
		$_->send_request('policy', 'd.1.faults.lab') for @clients;
		$replies{($_->receive_reply =~ /^(\w+)/)[0]}++ for @clients;
		$http->page->{'tlsad_lookups_total{reason="lookup-failed"}'} >= 3;
	}), 'several lookups fail');
	is("@{[keys %replies]}", 'TEMP', 'all answers are TEMP');
	my @lines = lines($daemon, qr/d\.1\.faults\.lab/);
	is(scalar(@lines), 1, 'one line for all of them');
	like($lines[0], qr/^tlsad: warning: lookup of d\.1\.faults\.lab failed: /, 'a warning');
	my ($sentence, $values) = @{read_line($lines[0])};
	like($values->{reply}, qr/^TEMP d\.1\.faults\.lab MX: /, 'with the name that failed');
	is($values->{left_out}, 0, 'nothing was left out before it');
	is($values->{reason}, 'lookup-failed', 'and why') or diag($lines[0]);
	$daemon->request('policy', 'd.2.faults.lab');
	is(scalar(lines($daemon, qr/d\.2\.faults\.lab/)), 1, 'another destination has its own line');
	$daemon->request('explain', 'd.3.faults.lab');
	my ($explained) = lines($daemon, qr/d\.3\.faults\.lab/);
	($sentence, $values) = @{read_line($explained // '') // []};
	like($values->{reply}, qr/^TEMP d\.3\.faults\.lab MX: /, 'the map explain: the line has what failed, too')
		or diag($explained);
	is($daemon->stop, 0, 'the daemon ends with status 0');
}

sub steps
{
	my $daemon = Tlsad::Daemon->start(lab => $lab, args => ['-v'],
		config => { cache => { failure_ttl => '1s' } });
	$daemon->request('policy', $_) for qw(full.dane.lab full.dane.lab:587);
	my @steps = lines($daemon, qr/step=/);
	is(scalar(grep { !read_line($_) } @steps), 0, 'their values can be read');
	like("@steps", qr/full\.dane\.lab: step=asked part="mx full\.dane\.lab"/, 'a part that is looked up');
	like("@steps", qr/full\.dane\.lab:587: step=(?:cached|joined) part="mx full\.dane\.lab"/,
		'one from the cache');
	my @answers = lines($daemon, qr/debug: asked /);
	cmp_ok(scalar(@answers), '>', 4, 'answers of DNS');
	is(scalar(grep { !/^tlsad: debug: asked \S+ [A-Z]+:( $value)+$/ } @answers), 0, 'with name, type and status');
	my $from = length($daemon->log_text);
	$daemon->request('policy', 'd.3.faults.lab');
	ok(wait_until(PROMPT, sub { $daemon->request('policy', 'd.3.faults.lab');
		substr($daemon->log_text, $from) =~ /debug: lookup of .* failed: .* left_out=[1-9]/ }),
		'TEMP answers that have no line otherwise');
	is($daemon->stop, 0, 'the daemon ends with status 0');
}

# Replies contain text from validators and name servers, keys contain text from clients.
sub strangers
{
	my $daemon = Tlsad::Daemon->start(lab => $lab, args => ['-v'],
		config => { log => { answers => 'yes' } });
	my $client = $daemon->client(timeout => PROMPT);
	for my $key ("\"", "a\" b=\"c", "x\nwarning: forged", "\e[2J", "a\0b", "\xff\xfe", '%s%n%99999d',
		"xn--\" reason=\"x.lab", '\\x0a', ' leading', "tab\there") {
		for my $map ('policy', 'explain', 'tlsa', "no\"such", "\n") {
			$client->request($map, $key);
		}
	}
	$client->request('policy', 'bogus-mx.dane.lab');
	my $log = $daemon->log_text;
	unlike($log, qr/[^\x20-\x7e\n]/, 'only printable ASCII');
	is(scalar(grep { !/^tlsad: / } split(/\n/, $log)), 0, 'every line is from tlsad');
	my @odd = grep { !read_line($_) || (tr/"// % 2) } split(/\n/, $log);
	is("@odd", '', 'no value ends too early');
	is(scalar(grep { ((read_line($_) // [])->[1]{reason} // '') =~ /forged|^x|^c/ } split(/\n/, $log)), 0,
		'none is forged');
	is($daemon->stop, 0, 'the daemon ends with status 0');
}

sub levels
{
	my $daemon = Tlsad::Daemon->start(lab => $lab, args => ['-v'], env => { JOURNAL_STREAM => '1:2' });
	$daemon->request('policy', $_) for qw(full.dane.lab bogus-mx.dane.lab);
	ok($daemon->wait_log(qr/validation works/, PROMPT), 'the probe has logged its result');
	my $log = $daemon->log_text;
	like($log, qr/^<6>looked up full/m, 'a reply: info');
	like($log, qr/^<4>warning: lookup of bogus-mx/m, 'TEMP: warning');
	like($log, qr/^<5>DNSSEC validation works/m, 'a change of state: notice');
	like($log, qr/^<7>debug: asked /m, 'a step: debug');
	is($daemon->stop, 0, 'the daemon ends with status 0');
}
