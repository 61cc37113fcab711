#!/usr/bin/perl
# tlsactl tlsa verify: compares certificates, chains and keys with the records of the
# lab: the exit status, which records match and which do not, and how long caches may
# hold them.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use Tlsad::Certificates;
use Tlsad::Ctl;
use Tlsad::Lab;
use Tlsad::Process;

my @missing = Tlsad::Lab::missing_programs();
plan(skip_all => "not installed: @missing") if @missing;

use constant DAY => 86400;
my $certificates = Tlsad::Certificates->new(Tlsad::Process::private_directory() . '/certificates');
my $zone = '';

$certificates->make('root', authority => 1);
$certificates->make('intermediate', authority => 1, issuer => 'root');
$certificates->make('stranger', authority => 1);
$certificates->make('leaf', issuer => 'intermediate', names => ['ta.site.lab', 'both.site.lab']);
$certificates->make('other-name', issuer => 'root', names => ['elsewhere.example']);
$certificates->make('expired', issuer => 'root', names => ['ta.site.lab'],
	not_before => time - 9 * DAY, not_after => time - DAY);
$certificates->make($_, names => ["$_.site.lab"]) for qw(now next);

sub host
{
	my ($name, @records) = @_;
	$zone .= "$name A 192.0.2.1\n" . join('', map { "_25._tcp.$name TLSA $_\n" } @records);
}
host('now', $certificates->tlsa(3, 1, 1, 'now'));
host('rolling', $certificates->tlsa(3, 1, 1, 'now'), $certificates->tlsa(3, 1, 1, 'next'));
host('whole', $certificates->tlsa(3, 0, 1, 'now'));
host('full', $certificates->tlsa(3, 0, 0, 'now'));
host('sha512', $certificates->tlsa(3, 1, 2, 'now'));
host('ta', $certificates->tlsa(2, 0, 1, 'root'));
host('middle', $certificates->tlsa(2, 1, 1, 'intermediate'));
host('both', $certificates->tlsa(2, 1, 1, 'root'), $certificates->tlsa(3, 1, 1, 'now'));
host('pkix', $certificates->tlsa(1, 1, 1, 'now'));
host('mixed', $certificates->tlsa(1, 1, 1, 'now'), $certificates->tlsa(3, 1, 1, 'next'),
	'3 1 1 00');
host('none');
$zone .= "ttl A 192.0.2.1\n_25._tcp.ttl 7200 TLSA " . $certificates->tlsa(3, 1, 1, 'now') . "\n"
	. "days A 192.0.2.1\n_25._tcp.days 259200 TLSA " . $certificates->tlsa(3, 1, 1, 'now')
		. "\n"
	. "alias CNAME now\nempty TXT \"no address\"\n"
	. "_465._tcp.now TLSA " . $certificates->tlsa(3, 1, 1, 'next') . "\n";
my $plain = "mx A 192.0.2.1\n_25._tcp.mx TLSA " . $certificates->tlsa(3, 1, 1, 'now') . "\n";

my $lab = Tlsad::Lab->start(zones => { 'site.lab' => $zone, 'site-plain.lab' => $plain });
my $ctl = Tlsad::Ctl->new(lab => $lab);
my $chain = $certificates->chain('chain', qw(leaf intermediate root));
my $leaf = $certificates->path('leaf', 'crt');
my ($now, $next) = map { $certificates->path($_, 'crt') } qw(now next);
my ($now_key, $next_key) = map { $certificates->path($_, 'key') } qw(now next);

# Name, arguments, status, patterns of the text, which may be on any line.
my @rows = (
	['the certificate of now', ['now.site.lab', '--cert', $now], 0, 'yes now.site.lab port 25',
		'matches +3 1 1 [0-9a-f]{64}: it is this certificate',
			'up to 3600 more seconds \(60 minutes'],
	['its key', ['now.site.lab', '--key', $now_key], 0, 'yes', 'it is this key'],
	['another certificate', ['now.site.lab', '--cert', $next], 1, 'no now.site.lab',
		'absent +3 1 1 [0-9a-f]{64}: it matches no certificate of the file',
		'add the record below .* 3600 more seconds',
		'_25._tcp.now.site.lab. IN TLSA ' . $certificates->tlsa(3, 1, 1, 'next')],
	['another key', ['now.site.lab', '--key', $next_key], 1, 'it is another key',
		'_25._tcp.now.site.lab. IN TLSA ' . $certificates->tlsa(3, 1, 1, 'next')],
	['in the middle of a roll-over, the old one', ['rolling.site.lab', '--cert', $now], 0,
		'matches +3 1 1', 'absent +3 1 1'],
	['in the middle of a roll-over, the new one', ['rolling.site.lab', '--cert', $next], 0,
		'matches +3 1 1', 'absent +3 1 1'],
	['the whole certificate', ['whole.site.lab', '--cert', $now], 0, 'matches +3 0 1'],
	['which cannot be compared with a key', ['whole.site.lab', '--key', $now_key], 75, 'cannot tell',
		'unknown +3 0 1 .* use --cert'],
	['matching type 0', ['full.site.lab', '--cert', $now], 0,
		'matches +3 0 0 [0-9a-f]{64}\.\.\.:'],
	['SHA-512', ['sha512.site.lab', '--key', $now_key], 0, 'matches +3 1 2'],
	['another port', ['now.site.lab', '--cert', $next, '--port', 465], 0,
		'yes now.site.lab port 465'],
	['a chain under its trust anchor', ['ta.site.lab', '--cert', $chain], 0, 'yes',
		'matches +2 0 1 .*: it is certificate 3 of the file'],
	['an anchor in the middle', ['middle.site.lab', '--cert', $certificates->chain('m',
		qw(leaf intermediate))], 1,
		'rejected +2 1 1 .* certificate 2 of the file, but .* has none of the names middle.site.lab'],
	['a chain without its trust anchor', ['ta.site.lab', '--cert', $certificates->chain('s',
		qw(leaf intermediate))], 1,
		'absent +2 0 1'],
	['a certificate without its chain', ['ta.site.lab', '--cert', $leaf], 1, 'absent +2 0 1'],
	['under the trust anchor with another name', ['ta.site.lab', '--cert',
		$certificates->chain('o', qw(other-name root))], 1,
		'rejected +2 0 1 .* has none of the names ta.site.lab'],
	['under the trust anchor and expired', ['ta.site.lab', '--cert',
		$certificates->chain('e', qw(expired root))], 1,
			'rejected +2 0 1 .* certificate has expired'],
	['under another anchor', ['ta.site.lab', '--cert', $certificates->chain('x',
		qw(now stranger))], 1,
		'absent'],
	['one of two kinds of record', ['both.site.lab', '--cert', $chain], 0, 'matches +2 1 1',
		'absent +3 1 1'],
	['usage 1 alone', ['pkix.site.lab', '--cert', $now], 1, 'none that can be used',
		'unusable +1 1 1 .*usages 0 and 1 are not for SMTP'],
	['usage 1 beside others', ['mixed.site.lab', '--cert', $next], 0, 'unusable +1 1 1',
		'matches +3 1 1',
		'unusable +3 1 1 00: digest of the wrong length'],
	['records with another TTL', ['ttl.site.lab', '--cert', $now], 0,
		'up to 7200 more seconds \(2 hours'],
	['a TTL above the longest lifetime in the cache', ['days.site.lab', '--cert', $now], 0,
		'up to 259200 more seconds \(3 days'],
	['an alias', ['alias.site.lab', '--cert', $now], 0, 'at _25._tcp.now.site.lab, secure'],
	['no TLSA records', ['none.site.lab', '--cert', $now], 1,
		'there are no TLSA records at _25._tcp.none.site.lab',
		'_25._tcp.none.site.lab. IN TLSA 3 1 1'],
	['no address', ['empty.site.lab', '--cert', $now], 1, 'no address'],
	['no such host', ['missing.site.lab', '--cert', $now], 1, 'no address'],
	['not signed', ['mx.site-plain.lab', '--cert', $now], 1, 'not signed with DNSSEC'],
	['bogus', ['mx-failed.dane.lab', '--cert', $now], 75, 'cannot tell',
		'lookup failed: _25._tcp.mx-failed.dane.lab TLSA: bogus'],
	['a dead server', ['mx.dead.lab', '--cert', $now], 75, 'cannot tell',
		'lookup failed: mx.dead.lab A'],
);
for my $row (@rows) {
	my ($what, $arguments, $status, @words) = @$row;
	subtest($what => sub {
		my $result = $ctl->run('tlsa', 'verify', @$arguments);
		is($result->{status}, $status, 'status') or diag("$result->{out}$result->{err}");
		is($result->{err}, '', 'nothing on standard error');
		like($result->{out}, qr/$_/s, $_) for @words;
		unlike($result->{out}, qr/[^\n -~]/, 'nothing unprintable');
		$result = $ctl->json('tlsa', 'verify', @$arguments);
		is($result->{status}, $status, 'JSON: status');
		my $matches = $result->{json}{matches};
		is(defined $matches ? $matches ? 0 : 1 : 75, $status, 'JSON: matches');
	});
}

subtest('JSON' => sub {
	my $json = $ctl->json('tlsa', 'verify', 'mixed.site.lab', '--cert', $next)->{json};
	is("@{[sort keys %$json]}",
		'base_domain detail held matches name port publish status tlsa ttl', 'its members');
	is_deeply([@$json{qw(name port status base_domain ttl held)}],
		['mixed.site.lab', 25, 'usable', 'mixed.site.lab', 3600, 3600], 'the members');
	is("@{[sort map { $_->{match} } @{$json->{tlsa}}]}", 'matches unusable unusable',
		'each record');
	is($json->{publish}, undef, 'nothing to publish');
	$json = $ctl->json('tlsa', 'verify', 'now.site.lab', '--cert', $next)->{json};
	is($json->{publish}, '_25._tcp.now.site.lab. IN TLSA ' . $certificates->tlsa(3, 1, 1,
		'next'),
		'what to publish');
});

subtest('bad arguments' => sub {
	for my $row ([[], qr/NAME is missing/], [['now.site.lab'], qr/give exactly one of --cert and --key/],
		[['now.site.lab', '--cert', $now, '--key', $now_key], qr/give exactly one of/],
		[['now.site.lab', '--certificate', $now], qr/no option '--certificate'/]) {
		my $result = $ctl->run('tlsa', 'verify', @{$row->[0]});
		is("$result->{status} $result->{out}", '64 ', "@{$row->[0]}: status");
		like($result->{err}, $row->[1], 'and why');
	}
	for my $row ([['a b', '--cert', $now], qr/not a host name/], [['192.0.2.1', '--cert', $now],
		qr/is an address/],
		[['now.site.lab', '--cert', '/tmp'], qr/is a directory/]) {
		my $result = $ctl->run('tlsa', 'verify', @{$row->[0]});
		is("$result->{status} $result->{out}", '1 ', "@{$row->[0]}: status");
		like($result->{err}, qr/\Atlsactl: error: [^\n]*\n\z/, 'one line');
		like($result->{err}, $row->[1], 'and why');
	}
	my $broken = Tlsad::Ctl->new(config => { resolver => { timeout => 'soon' } });
	my $result = $broken->run('tlsa', 'verify', 'now.site.lab', '--cert', $now);
	is("$result->{status} $result->{out}", '75 ', 'a broken configuration: status');
	like($result->{err}, qr/\Atlsactl: error: \S+tlsad\.conf:\d+: [^\n]*\n\z/, 'one line');
});

subtest('the state of the daemon is left alone' => sub {
	my $directory = $ctl->directory;
	is(-e "$directory/cache" ? 'made' : 'not made', 'not made', 'no directory is made');
	mkdir("$directory/cache") or die "$directory/cache: $!\n";
	is($ctl->run('tlsa', 'verify', 'now.site.lab', '--cert', $now)->{status}, 0, 'it works');
	is(scalar(() = glob("$directory/cache/*")), 0, 'nothing is written there');
});
done_testing();
