#!/usr/bin/perl
# The commands of tlsactl that ask the daemon, with a real tlsad on the lab: what
# each prints, its exit status, what it does to the cache, and that Postfix's own
# postmap takes what `cache export` writes.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use POSIX ();
use Test::More;
use Time::HiRes ();
use Tlsad::Ctl;
use Tlsad::Daemon;
use Tlsad::Lab;
use Tlsad::Process;

use constant PATIENCE => 20;		# [s] for what must come
use constant MANY => 3000;		# destinations of a large cache
use constant GROWTH => 2048;		# [kB] of the daemon while it sends the list

my @missing = Tlsad::Lab::missing_programs();
plan(skip_all => "not installed: @missing") if @missing;
my $bulk = join('', map { "many-$_ MX 10 mx\n" } 1 .. MANY);
my $lab = Tlsad::Lab->start(zones => { 'bulk.lab' => "mx A 127.0.0.1\n_25._tcp.mx TLSA 3 1 1 "
	. 'ab' x 32 . "\n$bulk" });
my $daemon = Tlsad::Daemon->start(lab => $lab, config => { resolver => { timeout => '3s' } });
my $ctl = Tlsad::Ctl->new(lab => $lab);
my $sanitized = qx(ldd @{[Tlsad::Daemon::binary()]}) =~ /lib[at]san|libubsan/;
wait_until(sub { ask('status')->{status} == 0 }) or BAIL_OUT('no control socket');

subtest('lookup' => \&lookup);
subtest('explain' => \&explain_command);
subtest('status' => \&status);
subtest('the cache' => \&cache);
subtest('warm' => \&warm);
subtest('a large cache' => \&large);
subtest('reload' => \&reload);
subtest('a daemon that goes' => \&killed);
done_testing();

sub wait_until
{
	my ($condition) = @_;
	my $end = Time::HiRes::time() + PATIENCE;
	until ($condition->()) {
		return 0 if Time::HiRes::time() >= $end;
		Time::HiRes::sleep(0.05);
	}
	return 1;
}

sub ask { return $ctl->run('-s', 'unix:' . $daemon->directory . '/control', @_) }
sub ask_json { return $ctl->json('-s', 'unix:' . $daemon->directory . '/control', @_) }

sub list_file
{
	my (@lines) = @_;
	my $file = $ctl->directory . '/list';
	open(my $handle, '>', $file) or die "$file: $!\n";
	print {$handle} map { "$_\n" } @lines;
	close($handle) or die "$file: $!\n";
	return $file;
}

sub lookup
{
	# What it prints and how it ends, against what Postfix gets.
	for ([ 'full.dane.lab', 0 ], [ 'partial-none.dane.lab', 0 ], [ '[mx1.dane.lab]:25', 0 ],
		[ 'nothing.lab', 1 ], [ '[192.0.2.1]', 1 ], [ 'bogus-mx.dane.lab', 75 ]) {
		my ($key, $status) = @$_;
		my $reply = $daemon->request('policy', $key);
		my $result = ask('lookup', $key);
		is($result->{status}, $status, "$key: status");
		my ($word, $value) = $reply =~ /^(\S+) (.*)\z/s;
		is($result->{out}, $word eq 'OK' ? "$value\n" : '', "$key: what Postfix gets");
		like($result->{err}, qr/\Q$value\E/, "$key: why") if $word eq 'TEMP';
	}
	for my $map (qw(policy native pinned QUERY postfix)) {
		my $reply = $daemon->request($map, 'full.dane.lab');
		is('OK ' . ask('lookup', '--map', $map, 'full.dane.lab')->{out}, "$reply\n", "map $map");
	}
	is('OK ' . ask('lookup', '--map=tlsa', 'mx1.dane.lab')->{out},
		$daemon->request('tlsa', 'mx1.dane.lab') . "\n", 'map tlsa');
	is(ask('lookup', '--map', 'none', 'full.dane.lab')->{status}, 1, 'a map that is none');
}

sub explain_command
{
	my %wanted = (
		'full.dane.lab' => [ 0, qr/dane-full/, qr/OK dane-only/, qr/secure/ ],
		'partial-none.dane.lab' => [ 0, qr/dane-partial/, qr/OK dane\b/ ],
		'nothing.lab' => [ 1, qr/NOTFOUND/ ],
		'bogus-mx.dane.lab' => [ 75, qr/TEMP/, qr/bogus/ ],
		'full.insecure.lab' => [ 1, qr/NOTFOUND/ ],
	);
	for my $key (sort keys %wanted) {
		my ($status, @words) = @{$wanted{$key}};
		my $result = ask('explain', $key);
		is($result->{status}, $status, "$key: status") or diag($result->{out}, $result->{err});
		like($result->{out}, $_, "$key: $_") for @words;
	}
	my $text = ask('explain', 'full.dane.lab')->{out};
	like($text, qr/^\S*native\b.*\bOK dane-only/m, 'native');
	like($text, qr/^\S*pinned\b.*\bOK fingerprint match=/m, 'pinned');
	my $json = ask_json('explain', 'full.dane.lab')->{json};
	is($json->{reason}, 'dane-full', 'JSON: reason');
	is($json->{mx}{dnssec}, 'secure', 'JSON: MX');
	my ($host) = @{$json->{hosts}};
	cmp_ok($host->{ttl}, '>', 0, 'JSON: TTL left');
	is(join(' ', sort map { $_->{type} } grep { $_->{dnssec} eq 'secure' } @{$host->{lookups}}),
		join(' ', sort map { $_->{type} } @{$host->{lookups}}), 'JSON: each lookup is secure');
	ok($json->{cached}, 'JSON: from the cache');
}

sub status
{
	my $before = ask_json('status')->{json};
	ask('lookup', 'full.dane.lab') for 1 .. 3;
	$daemon->request('policy', 'full.dane.lab');
	my $after = ask_json('status')->{json};
	is($after->{replies}{ok} - $before->{replies}{ok}, 1,
		'Postfix\'s requests are counted, not ours') or diag(whole($after));
	is($after->{resolver}{state}, 'works', 'validation works');
	like(ask('status')->{out}, qr/^ +state +works$/m, 'in words');
}

sub explain_data { return JSON::PP->new->canonical->pretty->encode($_[0]) }

sub cache
{
	is(ask('cache', 'flush', '--all')->{status}, 0, 'flush --all');
	unlike(ask('cache', 'list')->{out}, qr/^(?:mx|host)/m, 'nothing is left');
	is(ask('cache', 'show', 'full.dane.lab')->{status}, 1, 'show: not there');
	my $value = ask('lookup', 'full.dane.lab')->{out};
	ask('lookup', 'nothing.lab');
	ok(wait_until(sub { ask('cache', 'show', 'full.dane.lab')->{status} == 0 }), 'it is stored');
	my $list = ask('cache', 'list')->{out};
	like($list, qr/\bfull\.dane\.lab\b/, 'list: the MX set');
	like($list, qr/\bmx1\.dane\.lab\b/, 'list: a host');
	my $entries = $ctl->run('-s', 'unix:' . $daemon->directory . '/control', '--json', 'cache', 'list')->{out};
	my $array = eval { JSON::PP->new->decode($entries) };
	is(ref $array, 'ARRAY', 'list: JSON');
	is(scalar(@$array), scalar(() = $list =~ /^(?:mx|host) /mg), 'as many as lines');

	my $export = ask('cache', 'export');
	is($export->{status}, 0, 'export');
	like($export->{out}, qr/^full\.dane\.lab\s+dane-only$/m, 'the value');
	SKIP: {
		my $postmap = Tlsad::Process::find_program('postmap');
		skip('no postmap', 2) unless $postmap;
		my $directory = Tlsad::Process::private_directory();
		open(my $main, '>', "$directory/main.cf") or die "main.cf: $!\n";
		print {$main} "compatibility_level = 3.6\nqueue_directory = $directory\ndata_directory = $directory\n";
		close($main);
		open(my $table, '>', "$directory/table") or die "table: $!\n";
		print {$table} $export->{out};
		close($table);
		is(system($postmap, '-c', $directory, "hash:$directory/table"), 0, 'postmap takes it');
		my $found = qx('$postmap' -c '$directory' -q full.dane.lab 'hash:$directory/table');
		is($found, $value, 'and finds what tlsad answers');
	}
	is(ask('cache', 'flush', 'full.dane.lab')->{status}, 0, 'flush');
	is(ask('cache', 'show', 'full.dane.lab')->{status}, 1, 'it is gone');
	is(ask('lookup', 'full.dane.lab')->{out}, $value, 'and looked up anew');
}

sub warm
{
	ask('cache', 'flush', '--all');
	my @good = ('full.dane.lab', 'partial-none.dane.lab', 'nothing.lab', '[mx1.dane.lab]');
	my $result = ask('warm', list_file('# a list', @good, ''));
	is($result->{status}, 0, 'all are looked up') or diag($result->{out}, $result->{err});
	is(ask('cache', 'show', $_)->{status}, 0, "$_ is in the cache") for @good;
	$result = ask_json('warm', list_file(@good, 'bogus-mx.dane.lab'));
	is($result->{status}, 75, 'one fails');
	is($result->{json}{failed}, 1, 'JSON: failed');
	is($result->{json}{done}, 5, 'JSON: done');
}

# Memory that a process has had at most. [kB]
sub peak
{
	my ($pid) = @_;
	open(my $handle, '<', "/proc/$pid/status") or return 0;
	return (grep { s/^VmHWM:\s+(\d+) kB\n/$1/ } <$handle>)[0] // 0;
}

sub large
{
	is(ask('warm', list_file(map { "many-$_.bulk.lab" } 1 .. MANY))->{status}, 0, 'filled');
	my $before = peak($daemon->pid);
	my $list = ask('cache', 'list');
	is($list->{status}, 0, 'listed');
	cmp_ok(scalar(() = $list->{out} =~ /\bmany-\d+\.bulk\.lab\b/g), '>=', MANY, 'all of them');
	SKIP: {
		# AddressSanitizer keeps what has been freed.
		skip('a sanitizer', 1) if $sanitized;
		cmp_ok(peak($daemon->pid) - $before, '<', GROWTH, 'the daemon did not grow');
	}
	is(scalar(() = ask('cache', 'export')->{out} =~ /^many-\d+\.bulk\.lab\s+dane-only$/mg), MANY,
		'exported');
}

sub reload
{
	is(ask('reload')->{status}, 0, 'a good configuration');
	open(my $handle, '<', $daemon->config_file) or die;
	my $good = do { local $/; <$handle> };
	open($handle, '>', $daemon->config_file) or die;
	print {$handle} $good, "[dane]\nenforce = perhaps\n";
	close($handle);
	my $result = ask('reload');
	is($result->{status}, 1, 'a broken one');
	like($result->{err}, qr/tlsad\.conf:\d+: .*enforce = perhaps/, 'where and what');
	is(ask('lookup', 'full.dane.lab')->{out}, "dane-only\n", 'the old one stays');
	open($handle, '>', $daemon->config_file) or die;
	print {$handle} $good =~ s/\z/[dane]\nenforce = pinned\n/r;
	close($handle);
	is(ask('reload')->{status}, 0, 'a new one');
	like(ask('lookup', 'full.dane.lab')->{out}, qr/^fingerprint match=/, 'and it counts');
}

sub killed
{
	# A list that is under way: its reader stops reading, the daemon is killed, the reader goes on.
	pipe(my $reader, my $writer) or die "pipe: $!\n";
	my $err = $ctl->directory . '/killed';
	my $pid = fork() // die "fork: $!\n";
	if ($pid == 0) {
		close($reader);
		POSIX::dup2(fileno($writer), 1);
		open(STDERR, '>', $err) or POSIX::_exit(126);
		exec(Tlsad::Ctl::binary(), '-c', $ctl->config_file, '-s',
			'unix:' . $daemon->directory . '/control', 'cache', 'list') or POSIX::_exit(127);
	}
	close($writer);
	sysread($reader, my $bytes, 100);
	$daemon->kill9;
	while (sysread($reader, my $more, 65536)) { }
	waitpid($pid, 0);
	is($? >> 8, 69, 'a daemon that is killed in the middle of a list: status');
	open(my $handle, '<', $err) or die "$err: $!\n";
	my @lines = <$handle>;
	is(scalar(@lines), 1, 'one line') or diag(@lines);
	my $result = ask('status');
	is($result->{status}, 69, 'no daemon');
	is(scalar(() = $result->{err} =~ /\n/g), 1, 'one line');
}
