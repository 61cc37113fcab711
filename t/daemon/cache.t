#!/usr/bin/perl
# The cache: what survives a restart and a crash, how it handles a damaged file or an
# unusable directory, how it keeps its size limit, and how long entries are valid. The same for
# MTA-STS policies, except that t/daemon/sts.t shows how long they are valid.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use List::Util qw(max min);
use Test::More;
use Time::HiRes ();
use Tlsad::Clock;
use Tlsad::Confined;
use Tlsad::Daemon;
use Tlsad::FaultyDns;
use Tlsad::Lab;
use Tlsad::Observe;
use Tlsad::PolicyHost qw(policy);
use Tlsad::Process;

use constant PROMPT => 30;		# [s] for what should take milliseconds
use constant { HOUR => 3600, DAY => 86400 };
use constant {
	KEPT => 300,			# destinations with a long TTL
	PASSING => 2_700,		# and with a short one
	SMALL => 1024 * 1024,		# the least max_size [bytes]
	POLICIES => 20,			# small ones with a long max_age
	# Larger ones with a short max_age. The cache, which deletes some entries at a time, has room
	# for a few dozen of them.
	LARGE => 150,
	LARGE_SIZE => 6_000,		# [bytes]
	# [percent] Less than half, so that one of the daemon's two views of DNS no longer has the
	# records when a refresh is due.
	PREFETCH => 45,
	PREFETCH_SECONDS => 20,
};

my @missing = Tlsad::Lab::missing_programs();
push @missing, 'openssl' unless defined Tlsad::Process::find_program('openssl');
plan(skip_all => "not installed: @missing") if @missing;

# destination(NAME, TTL, WITH_TLSA): zone text with its own host, all records with that TTL.
sub destination
{
	my ($name, $ttl, $with_tlsa) = @_;
	return "$name $ttl MX 10 mx-$name\nmx-$name $ttl A 192.0.2.1\n"
		. "mx-$name $ttl AAAA 2001:db8::1\n"
		. ($with_tlsa // 1 ? "_25._tcp.mx-$name $ttl TLSA 3 1 1 " . 'ab' x 32 . "\n" : '');
}

my $lab = Tlsad::Lab->start(zones => {
	'site.lab' => destination('short', 6) . destination('brief', 2)
		. destination('fleeting', 0) . destination('passing', 5)
		# The negative answer for TLSA is valid for the SOA's TTL; the other TTLs are as
		# short as above.
		. destination('brief-none', 2, 0),
	'bulk.lab' => join('', (map { destination("k$_", 40_000) } 1 .. KEPT),
		(map { destination("d$_", 1_000) } 1 .. PASSING),
		map { destination($_, 40_000, 0) . "_mta-sts.$_ 40000 TXT \"v=STSv1\\; id=1\"\n"
			. "mta-sts.$_ A 127.0.0.1\n" } policy_names()) });

# p1, p2, ... with a small policy each, l1, l2, ... with a large one.
sub policy_names { return ((map { "p$_" } 1 .. POLICIES), map { "l$_" } 1 .. LARGE) }

# Answers every query with SERVFAIL: lookups fail at once.
my $failing_dns = Tlsad::FaultyDns->start(rules => [ { name => '.', behaviour => 'servfail' } ]);
my %no_dns = (stub => ". 127.0.0.1\@" . $failing_dns->port, query_localhost => 'yes',
	timeout => '2s', trust_anchor => $lab->trust_anchor);

my %answers = ('full.dane.lab' => 'OK dane-only',
	'no-tlsa.dane.lab' => 'NOTFOUND ', 'unusable.dane.lab' => 'OK dane',
	'to-dane.plain.lab' => 'OK dane', '[mx1.dane.lab]' => 'OK dane-only',
	'missing.dane.lab' => 'NOTFOUND ', 'plain.lab' => 'NOTFOUND ');
my %stale_answers = ('brief.site.lab' => qr/^OK dane-only$/,
	'brief-none.site.lab' => qr/^NOTFOUND $/);

# These are requested while the other tests run.
my %prefetching = map { $_ => Tlsad::Daemon->start(lab => $lab, config => {
	cache => { prefetch => $_, min_ttl => '0s' } }) } 0, PREFETCH;
my $asker = Tlsad::Process::spawn(code => sub {
	my $end = Time::HiRes::time() + PREFETCH_SECONDS;
	while (Time::HiRes::time() < $end) {
		for (keys %prefetching) {
			my $reply = $prefetching{$_}->request('policy', 'short.site.lab');
			die "$reply\n" if $reply ne 'OK dane-only';
		}
		Time::HiRes::sleep(0.1);
	}
});

subtest('restart and crash' => \&survival);
subtest('damaged files' => \&damaged_files);
subtest('damage that only a write notices' => \&treachery);
subtest('damage at any place' => \&random_damage);
subtest('the directory' => \&directories);
subtest('a directory that may not be written' => \&not_writable);
subtest('a full disk' => \&full_disk);
subtest('max_size' => \&max_size);
subtest('MTA-STS policies' => \&policies);
subtest('serve_stale' => \&serve_stale);
subtest('serve_stale and forged answers' => \&serve_stale_bogus);
subtest('min_ttl and max_ttl' => \&bounds_of_ttl);
subtest('a clock that jumps' => \&clock);
subtest('prefetch' => \&prefetch);
done_testing();

# Requests all of %answers at once; returns the keys with another reply. "TEMP" is allowed for
# entries that the cache may have lost.
sub wrong_answers
{
	my ($daemon, $lost_is_right) = @_;
	my %clients = map { $_ => $daemon->client(timeout => PROMPT) } keys %answers;
	$clients{$_}->send_request('policy', $_) for keys %answers;
	my @wrong;
	for my $key (sort keys %answers) {
		my $reply = eval { $clients{$key}->receive_reply } // $@;
		next if $reply eq $answers{$key} || ($lost_is_right && $reply =~ /^TEMP /);
		push @wrong, "$key: $reply";
	}
	return @wrong;
}

sub right_answers
{
	my ($daemon, $what) = @_;
	my @wrong = wrong_answers($daemon);
	is("@wrong", '', $what);
}

# Another daemon on the same directory, without DNS.
sub without_dns
{
	my ($directory, %options) = @_;
	my $config = $options{config} // {};
	return Tlsad::Daemon->start(%options, directory => $directory, config => {
		%$config, resolver => \%no_dns });
}

sub survival
{
	my $daemon = Tlsad::Daemon->start(lab => $lab);
	right_answers($daemon, 'looked up');
	# Parts are committed a few milliseconds after the reply was sent.
	Time::HiRes::sleep(0.3);
	is($daemon->kill9, 128 + 9, 'killed');
	my $again = without_dns($daemon->directory);
	right_answers($again, 'after SIGKILL all come from the cache');
	like($again->request('policy', 'one.dane.lab'), qr/^TEMP /, 'there is no DNS to ask');
	my $explain = explain($again, 'full.dane.lab');
	ok($explain->{cached}, 'explain shows it');
	is($again->stop, 0, 'stop');
	is(figures($again)->{hits}, keys(%answers) + 1, 'each was a hit');

	my $third = without_dns($daemon->directory);
	right_answers($third, 'after a stop as well');
	unlike($third->log_text, qr/set aside|damaged/, 'the file is not reported as damaged');
	# Parts that were looked up just before the end are stored, too.
	$third->stop;
	my $fourth = Tlsad::Daemon->start(lab => $lab, directory => $daemon->directory);
	is($fourth->request('policy', 'nsec3.lab'), 'OK dane-only', 'one more');
	is($fourth->stop, 0, 'and stopped at once');
	is(without_dns($daemon->directory)->request('policy', 'nsec3.lab'), 'OK dane-only',
		'is stored');
}

sub read_file
{
	my ($file) = @_;
	open(my $handle, '<:raw', $file) or die "$file: $!\n";
	local $/;
	return scalar <$handle>;
}

sub write_file
{
	my ($file, $bytes) = @_;
	open(my $handle, '>:raw', $file) or die "$file: $!\n";
	print {$handle} $bytes;
	close($handle) or die "$file: $!\n";
}

sub filled_file
{
	my $daemon = Tlsad::Daemon->start(lab => $lab);
	right_answers($daemon, 'looked up');
	is($daemon->stop, 0, 'stored');
	return read_file($daemon->directory . '/cache/parts.mdb');
}

sub noise { return join('', map { chr(int(rand(256))) } 1 .. $_[0]) }

# The pages in LMDB's file: (free ones as [position in the file, number], numbers of the live
# ones), see its lmdb.h and mdb.c.
sub page_lists
{
	my ($bytes) = @_;
	my ($root, $last, $newest) = (0, 0, -1);
	for my $meta (0, 4096) {
		# After the page's header: magic, version, address, size of the map; the tree of
		# free pages, the main tree, the last page, the transaction.
		my ($free_root, $last_page, $transaction) = unpack('Q<' x 3, join('',
			map { substr($bytes, $meta + 16 + 24 + $_, 8) } 40, 96, 104));
		($root, $last, $newest) = ($free_root, $last_page, $transaction) if $transaction > $newest;
	}
	my (@free, %is_free);
	my $page = $root * 4096;
	my $lower = unpack('v', substr($bytes, $page + 12, 2));
	for my $index (0 .. ($lower - 16) / 2 - 1) {
		my $node = $page + unpack('v', substr($bytes, $page + 16 + 2 * $index, 2));
		my $list = $node + 8 + unpack('v', substr($bytes, $node + 6, 2));
		my $count = unpack('Q<', substr($bytes, $list, 8));
		push @free, map { [ $list + 8 * $_, unpack('Q<', substr($bytes, $list + 8 * $_, 8)) ] } 1 .. $count;
	}
	$is_free{$_->[1]} = 1 for @free;
	return (\@free, [ grep { !$is_free{$_} } 2 .. $last ]);
}

# Files that can be read, but not written.
sub treacherous_files
{
	my ($sound) = @_;
	my ($free, $live) = page_lists($sound);
	my %files;
	for my $entry (@$free) {
		my ($place, $number) = @$entry;
		# The list must stay sorted, so the neighbour of a page is used.
		my ($neighbour) = grep { abs($_ - $number) == 1 } @$live or next;
		my $bytes = $sound;
		substr($bytes, $place, 8) = pack('Q<', $neighbour);
		$files{"the live page $neighbour among the free ones"} = $bytes;
	}
	for my $number (@$live) {
		my $bytes = $sound;
		substr($bytes, $number * 4096, 8) = pack('Q<', $number == 2 ? 3 : 2);
		$files{"page $number that says that it is another one"} = $bytes;
	}
	return %files;
}

sub treachery
{
	my %files = treacherous_files(filled_file());
	cmp_ok(scalar(keys %files), '>', 3, scalar(keys %files) . ' files');
	for my $what (sort keys %files) {
		my $directory = Tlsad::Process::private_directory();
		mkdir("$directory/cache");
		write_file("$directory/cache/parts.mdb", $files{$what});
		my $daemon = eval { Tlsad::Daemon->start(lab => $lab, directory => $directory) };
		ok($daemon, "$what: is not fatal") or next;
		my @wrong = wrong_answers($daemon);
		for my $round (1 .. 3) {
			my ($wrong, $reply) = ask_all($daemon, qr/^OK dane-only$/,
				map { 'd' . ($round * 40 + $_) . '.bulk.lab' } 1 .. 40);
			push @wrong, "$wrong lookups, one with $reply" if $wrong > 0;
			Time::HiRes::sleep(0.02);
		}
		is("@wrong", '', "$what: right answers, while much is written");
		is($daemon->stop, 0, "$what: ends with status 0") or diag(($daemon->log_text =~ /^(mdb\.c.*)/m)[0] // '');
		next if @wrong;
		my $again = without_dns($directory);
		my @lost = wrong_answers($again);
		is("@lost", '', "$what: and what was written can be read");
		$again->stop;
	}
}

sub damaged_files
{
	srand(7672);
	my $sound = filled_file();
	my $page = 4096;
	my $pages = int(length($sound) / $page);
	(my $older_version = $sound) =~ s/format\K\x02\0\0\0/\x01\0\0\0/g or die 'no format';
	(my $other_version = $sound) =~ s/format\K\x02\0\0\0/\x7f\0\0\0/g or die 'no format';
	my %damage = (
		'empty' => '',
		'one byte' => 'x',
		'one page' => substr($sound, 0, $page),
		'both meta pages' => substr($sound, 0, 2 * $page),
		'half' => substr($sound, 0, $pages / 2 * $page),
		'cut within a page' => substr($sound, 0, length($sound) - $page - 100),
		'text' => "full.dane.lab OK dane-only\n" x 1000,
		'zeros' => "\0" x length($sound),
		'noise' => noise(length($sound)),
		'noise after the meta pages' => substr($sound, 0, 2 * $page)
			. noise(length($sound) - 2 * $page),
		'zeros after the meta pages' => substr($sound, 0, 2 * $page)
			. "\0" x (length($sound) - 2 * $page),
		'an older version' => $older_version,
		'another version' => $other_version,
		'larger than max_size' => $sound . "\0" x (2 * SMALL),
	);
	for my $what (sort keys %damage) {
		my $directory = Tlsad::Process::private_directory();
		mkdir("$directory/cache");
		write_file("$directory/cache/parts.mdb", $damage{$what});
		my $daemon = eval { Tlsad::Daemon->start(lab => $lab, directory => $directory,
			config => { cache => { max_size => '1M' } }) };
		ok($daemon, "$what: is not fatal") or do { diag($@); next };
		right_answers($daemon, "$what: right answers");
		my $why = $what =~ / version$/ ? qr/another version/ : qr/damaged/;
		# For LMDB an empty file is a new one. Of a file that is only too large, tlsad may
		# keep the entries that fit.
		cmp_ok(-s "$directory/cache/parts.mdb", '<=', SMALL, "$what: not larger than max_size");
		if ($what !~ /empty|larger/) {
			like($daemon->log_text, qr/parts\.mdb (?:is |was written by )?$why.*set aside/,
				"$what: a message");
			is(count_matches($daemon->log_text, qr/set aside/), 1, "$what: one");
			is(-s "$directory/cache/parts.mdb.set-aside", length($damage{$what}),
				"$what: set aside");
		}
		is($daemon->stop, 0, "$what: ends with status 0");
		my $again = without_dns($directory);
		right_answers($again, "$what: the new file serves");
		$again->stop;
	}
}

# With any damage, there is never a wrong reply and the daemon never dies. The daemon has no
# DNS, so every reply is from the file or TEMP.
sub random_damage
{
	my $seed = $ENV{TLSAD_SEED} // int(rand(1 << 31));
	srand($seed);
	my $sound = filled_file();
	my $pages = int(length($sound) / 4096);
	my ($set_aside, $kept) = (0, 0);
	for my $round (1 .. ($ENV{TLSAD_ROUNDS} // 25)) {
		my $bytes = $sound;
		my $kind = $round % 4;
		if ($kind == 0) {
			substr($bytes, int(rand($pages)) * 4096, 4096) = noise(4096);
		} elsif ($kind == 1) {
			for (1 .. 1 + int(rand(30))) {
				substr($bytes, int(rand(length($bytes))), 1) = noise(1);
			}
		} elsif ($kind == 2) {
			# The beginning of a page has LMDB's own numbers.
			for (1 .. 1 + int(rand(4))) {
				substr($bytes, int(rand($pages)) * 4096 + int(rand(64)), 1) = noise(1);
			}
		} else {
			# Swap two pages.
			my ($one, $other) = map { int(rand($pages)) * 4096 } 1 .. 2;
			my $saved = substr($bytes, $one, 4096);
			substr($bytes, $one, 4096) = substr($bytes, $other, 4096);
			substr($bytes, $other, 4096) = $saved;
		}
		my $directory = Tlsad::Process::private_directory();
		mkdir("$directory/cache");
		write_file("$directory/cache/parts.mdb", $bytes);
		my $daemon = eval { without_dns($directory) };
		my $error = $@;
		my @wrong = $daemon ? wrong_answers($daemon, 1) : "no start: $error";
		my $log = $daemon ? $daemon->log_text : '';
		$log =~ /set aside/ ? $set_aside++ : $kept++;
		# Writing to the file must not kill the daemon either: failures are stored.
		my $status = $daemon ? $daemon->stop : undef;
		next if !@wrong && $status == 0;
		fail("round $round of seed $seed");
		diag(join("\n", @wrong, 'status ' . ($status // 'none'), $log));
	}
	ok($set_aside > 0, "set aside $set_aside, used $kept");
}

sub one_line
{
	my ($log, $pattern, $what) = @_;
	my @lines = grep { length } split(/\n/, $log);
	is(scalar(@lines), 1, "$what: one line") or diag($log);
	like($lines[-1] // '', $pattern, "$what: the pattern of the case");
}

sub directories
{
	my $base = Tlsad::Process::private_directory();
	my $daemon = Tlsad::Daemon->start(lab => $lab,
		config => { cache => { path => "$base/made" } });
	right_answers($daemon, 'a missing directory');
	ok(-f "$base/made/parts.mdb", 'is made');
	is((stat("$base/made"))[2] & 07, 0, 'for nobody else');

	my ($status, $log) = Tlsad::Daemon->run(config => { cache => { path => "$base/made" } });
	is($status, 1, 'a second tlsad on the directory: exit status');
	one_line($log, qr/\Q$base\E\/made.*in use by another tlsad/, 'a second tlsad');
	right_answers($daemon, 'the first one goes on');
	is($daemon->stop, 0, 'and ends with status 0');
	my $next = without_dns($base, config => { cache => { path => "$base/made" } });
	right_answers($next, 'with its file unharmed');
	$next->stop;

	($status, $log) = Tlsad::Daemon->run(config => { cache => { path => "$base/no/such" } });
	is($status, 1, 'parent missing: exit status');
	one_line($log, qr/cannot create the directory \Q$base\E\/no\/such: No such file or directory; set it to a directory/, 'parent missing');

	write_file("$base/file", "not a directory\n");
	($status, $log) = Tlsad::Daemon->run(config => { cache => { path => "$base/file" } });
	is($status, 1, 'a file in its place: exit status');
	one_line($log, qr/\Q$base\E\/file.*Not a directory/, 'a file in its place');
	is(read_file("$base/file"), "not a directory\n", 'the file is left alone');

	mkdir("$base/strange");
	mkdir("$base/strange/parts.mdb");
	($status, $log) = Tlsad::Daemon->run(config => { cache => { path => "$base/strange" } });
	is($status, 1, 'a directory for a file: exit status');
	one_line($log, qr/parts\.mdb is not a regular file/, 'a directory for a file');
}

sub not_writable
{
	my @wrapper = as_nobody();
	plan(skip_all => 'root, but there is no setpriv or no nobody')
		if @wrapper && !defined $wrapper[0];
	my $directory = Tlsad::Process::private_directory();
	chmod(0777, $directory);
	mkdir("$directory/cache");
	chmod(0555, "$directory/cache") or die "chmod: $!\n";
	my %options = (directory => $directory, wrapper => \@wrapper);
	my ($status, $log) = Tlsad::Daemon->run(%options);
	is($status, 1, 'exit status');
	one_line($log, qr/cannot write in \Q$directory\E\/cache: Permission denied/, 'not writable');
	unlink("$directory/log");
	# A directory cannot be created there either.
	($status, $log) = Tlsad::Daemon->run(%options,
		config => { cache => { path => "$directory/cache/new" } });
	is($status, 1, 'exit status');
	one_line($log, qr/cannot create the directory.*Permission denied/, 'not to be made');
	# The same with the right permissions, to show that the wrapper itself does not fail.
	chmod(0777, "$directory/cache");
	my $daemon = Tlsad::Daemon->start(%options);
	ok($daemon->alive, 'and with the right to write it starts');
	is($daemon->stop, 0, 'the daemon ends with status 0');
}

sub full_disk
{
	if (defined(my $obstacle = mount_obstacle())) {
		return fail("it must run (CI=true), and needs $obstacle") if ($ENV{CI} // '') eq 'true';
		plan(skip_all => "needs $obstacle");
	}
	my $base = Tlsad::Process::private_directory();
	my $disk = "$base/disk";
	my $config = { cache => { path => "$disk/cache" }, resolver => { timeout => '10s' } };

	my ($status, $log) = Tlsad::Daemon->run(config => $config, wrapper => [ small_disk($disk,
		'1m', "mkdir $disk/cache && { cat /dev/zero > $disk/filler 2>/dev/null; true; }") ]);
	is($status, 1, 'full at the start: exit status');
	one_line($log, qr/\Q$disk\E\/cache.*No space left/, 'full at the start');

	my $daemon = Tlsad::Daemon->start(lab => $lab, config => $config,
		wrapper => [ small_disk($disk, '1m') ]);
	my $seen = seen_by($daemon, $disk);
	right_answers($daemon, 'with room');
	ok(wait_until(PROMPT, sub { explain($daemon, 'full.dane.lab')->{cached} }), 'stored');
	fill("$seen/filler");
	# Room for one page: a write of several pages fails in the middle.
	truncate("$seen/filler", (-s "$seen/filler") - 4096) or die "truncate: $!\n";
	my $number = 1;
	my $ask = sub {
		my ($count) = @_;
		my $client = $daemon->client(timeout => PROMPT);
		my @wrong = grep { $client->request('policy', 'd' . $number++ . '.bulk.lab')
			ne 'OK dane-only' } 1 .. $count;
		return scalar(@wrong);
	};
	# The file has free pages; for how many commits they suffice depends on the parts in each.
	my ($wrong, $told) = (0, qr/cannot write to the cache: No space left on device; until this works/);
	for (1 .. 25) {
		$wrong += $ask->(100);
		last if $daemon->wait_log($told, 0.3);
	}
	is($wrong, 0, 'full at run time: answers are right');
	ok($daemon->wait_log($told, PROMPT), 'with a log line');
	is($ask->(100), 0, 'it goes on');
	right_answers($daemon, 'what is stored is still served');
	is(count_matches($daemon->log_text, qr/cannot write to the cache/), 1, 'logged once');
	is(count_matches($daemon->log_text, qr/can be written again/), 0,
		'no recovery is logged without one');
	unlink("$seen/filler") or die "filler: $!\n";
	my $from = length($daemon->log_text);
	is($ask->(20), 0, 'room again: answers are right');
	ok($daemon->wait_log(qr/the cache can be written again/, PROMPT, $from), 'with a log line');
	is(count_matches($daemon->log_text, qr/can be written again/), 1, 'once');
	my $last = 'd' . ($number - 1) . '.bulk.lab';
	ok(wait_until(PROMPT, sub { explain($daemon, $last)->{cached} }), 'it is stored again');
	is($daemon->stop, 0, 'the daemon ends with status 0');
}

# Requests many destinations over some connections at once. How many got another reply, and in a list
# also one of these replies.
sub ask_all
{
	my ($daemon, $reply, @keys) = @_;
	my @clients = map { $daemon->client(timeout => 4 * PROMPT) } 1 .. 40;
	my ($wrong, $wrong_reply) = (0);
	while (@keys) {
		my @round = splice(@keys, 0, scalar(@clients));
		$clients[$_]->send_request('policy', $round[$_]) for 0 .. $#round;
		for (0 .. $#round) {
			my $got = eval { $clients[$_]->receive_reply } // $@;
			next if $got =~ $reply;
			$wrong++;
			$wrong_reply = $got;
		}
	}
	return wantarray ? ($wrong, $wrong_reply) : $wrong;
}

sub max_size
{
	my $daemon = Tlsad::Daemon->start(lab => $lab,
		config => { cache => { max_size => '1M' }, server => { workers => 1 } });
	my $file = $daemon->directory . '/cache/parts.mdb';
	my $largest = 0;
	my @kept = map { "k$_.bulk.lab" } 1 .. KEPT;
	my @passing = map { "d$_.bulk.lab" } 1 .. PASSING;
	is(ask_all($daemon, qr/^OK dane-only$/, @kept), 0, KEPT . ' with a long TTL');
	while (my @share = splice(@passing, 0, 300)) {
		ask_all($daemon, qr/^OK dane-only$/, @share) == 0 or fail('answers');
		my $size = -s $file;
		$largest = $size if $size > $largest;
	}
	cmp_ok($largest, '<=', SMALL, 'the file is never larger than max_size');
	cmp_ok($largest, '>', SMALL / 3, 'but uses it');
	is($daemon->stop, 0, 'the daemon ends with status 0');
	my $figures = figures($daemon);
	cmp_ok($figures->{evicted}, '>', 500, "entries had to go: $figures->{evicted}");
	cmp_ok($figures->{entries}, '>', 1_000, "many stay: $figures->{entries}");
	is(count_matches($daemon->log_text, qr/cannot write|can be written/), 0,
		'which is not logged as an error');

	my $again = without_dns($daemon->directory, config => { cache => { max_size => '1M' } });
	unlike($again->log_text, qr/set aside/, 'the file is sound');
	is(ask_all($again, qr/^OK dane-only$/, map { "k$_.bulk.lab" } 1 .. KEPT), 0,
		'those that expire last stay');
	isnt(ask_all($again, qr/^OK dane-only$/, map { "d$_.bulk.lab" } 1 .. 40), 0,
		'some of those that expire first were deleted');
	is($again->stop, 0, 'the daemon ends with status 0');
}

# The other parts of these domains are valid for an hour (that there are no TLSA records) or longer.
sub serve_policies
{
	my $host = Tlsad::PolicyHost->start;
	$host->certificates->make('all', issuer => 'ca', subject => 'all',
		names => [ map { "mta-sts.$_.bulk.lab" } policy_names() ]);
	for my $name (policy_names()) {
		my @options = $name =~ /^p/ ? (max_age => 30 * DAY)
			: (max_age => HOUR / 2, more => join('', map { "x-$_: " . 'y' x 90 . "\r\n" } 1 .. LARGE_SIZE / 100));
		$host->serve("$name.bulk.lab", certificate => 'all', policy => policy(mx => ["mx-$name.bulk.lab"], @options));
	}
	return $host;
}

# Policies are entries like others.
sub policies
{
	my $host = serve_policies();
	my %sts = (enable => 'yes', port => $host->port, private_addresses => 'yes', ca_file => $host->ca_file);
	my $enforced = sub { return "OK secure match=mx-$_[0].bulk.lab servername=hostname" };
	my %config = (sts => \%sts, cache => { max_size => '1M' }, server => { workers => 1 });
	my $daemon = Tlsad::Daemon->start(lab => $lab, config => \%config);
	my $file = $daemon->directory . '/cache/parts.mdb';
	my @small = map { "p$_" } 1 .. POLICIES;
	my ($largest, @wrong) = (0);
	for my $name (@small, map { "l$_" } 1 .. LARGE) {
		push @wrong, $name if $daemon->client(timeout => PROMPT)->request('policy', "$name.bulk.lab")
			ne $enforced->($name);
		$largest = max($largest, -s $file);
	}
	is("@wrong", '', 'downloaded: small ones, and more large ones than fit');
	ok(wait_until(PROMPT, sub { explain($daemon, 'l' . LARGE . '.bulk.lab')->{cached} }), 'the last one is stored');
	cmp_ok(max($largest, -s $file), '<=', SMALL, 'the file is never larger than max_size');
	is(count_matches($daemon->log_text, qr/cannot write|can be written/), 0, 'which is not logged as an error');

	# Parts are committed a few milliseconds after the reply was sent.
	Time::HiRes::sleep(0.3);
	is($daemon->kill9, 128 + 9, 'killed');
	is($host->stop, 0, 'the policy server is down as well');
	my $again = without_dns($daemon->directory, config => \%config);
	unlike($again->log_text, qr/set aside/, 'the file is sound');
	@wrong = grep { $again->request('policy', "$_.bulk.lab") ne $enforced->($_) } @small;
	is("@wrong", '', 'those that expire last are still enforced');
	my $sts = explain($again, 'p1.bulk.lab')->{sts};
	is("$sts->{status} $sts->{id} $sts->{max_age}", 'enforce 1 ' . 30 * DAY, 'explain shows it');
	my $held = grep { $again->request('policy', "l$_.bulk.lab") eq $enforced->("l$_") } 1 .. LARGE;
	cmp_ok($held, '<', LARGE, "of the large ones $held are left");
	is($again->stop, 0, 'the daemon ends with status 0');
}

# With prefetch, a destination that is requested all the time never waits for a lookup again,
# even with a short TTL.
sub prefetch
{
	is($asker->wait(PREFETCH_SECONDS + PROMPT), 0, 'all answers were right');
	my $percent = PREFETCH;
	is($prefetching{$_}->stop, 0, 'the daemon ends with status 0') for 0, $percent;
	my %figures = map { $_ => figures($prefetching{$_}) } 0, $percent;
	is($figures{$percent}{misses}, 1, 'with prefetch only the first request misses');
	cmp_ok($figures{$percent}{parts}, '>=', 4, 'its parts are refreshed in the background');
	cmp_ok($figures{$percent}{parts}, '<=', 20, 'not more often than their TTL asks for');
	cmp_ok($figures{0}{misses}, '>=', 2, 'without it each expiry is a miss');
}

sub ask_aged
{
	my ($daemon, $what, %expected) = @_;
	for my $key (sort keys %expected) {
		like($daemon->client(timeout => PROMPT)->request('policy', $key), $expected{$key},
			"$what: $key");
	}
}

sub serve_stale
{
	my ($ttl, $longer) = (6, 9);	# [s]
	my $mortal = Tlsad::Lab->start(special => 0, zones => {
		'site.lab' => destination('brief', $ttl) . destination('brief-none', $ttl, 0) });
	my $daemon = Tlsad::Daemon->start(lab => $mortal, config => {
		resolver => { timeout => '2s' },
		cache => { min_ttl => '0s', failure_ttl => '1s', serve_stale => "${longer}s" } });
	ask_aged($daemon, 'fresh', %stale_answers);
	my $fresh = explain($daemon, 'brief.site.lab');
	$mortal->stop;
	ok(!$fresh->{mx}{stale}, 'not expired yet');
	my @expires = ($fresh->{mx}{expires}, $fresh->{hosts}[0]{expires});
	ok(wait_until($ttl + PROMPT, sub { time > max(@expires) + 1 }), 'expired');
	ask_aged($daemon, 'stale', 'brief.site.lab' => qr/^OK dane-only$/,
		'brief-none.site.lab' => qr/^TEMP /);
	my $stale = explain($daemon, 'brief.site.lab');
	is($stale->{reply}, 'OK dane-only', 'explain: the reply');
	my @parts = ($stale->{mx}, $stale->{hosts}[0]);
	for my $i (0, 1) {
		ok($parts[$i]{stale}, 'explain: stale');
		is($parts[$i]{stale_until}, $expires[$i] + $longer, 'explain: stale_until');
	}
	ok($stale->{mx}{failure}, 'explain: the failure');
	# Used until then, not longer. The reply is TEMP as soon as one of them is over.
	my $end = min(@expires) + $longer;
	my ($last_good, $first_bad);
	while (time < $end + PROMPT && !defined $first_bad) {
		my $asked = Time::HiRes::time();
		my $reply = $daemon->client(timeout => PROMPT)->request('policy', 'brief.site.lab');
		if ($reply eq 'OK dane-only') { $last_good = $asked }
		else { $first_bad = $asked; like($reply, qr/^TEMP /, 'in the end TEMP') }
		Time::HiRes::sleep(0.3);
	}
	ok(defined $first_bad, 'it ends');
	cmp_ok($last_good // 0, '<', $end, 'not later than serve_stale');
	cmp_ok($last_good // 0, '>', $end - 5, 'and not much earlier');
	is($daemon->stop, 0, 'the daemon ends with status 0');
}

# A forged answer counts as a failed refresh, too.
sub serve_stale_bogus
{
	my %cache = (min_ttl => '0s', failure_ttl => '1s', serve_stale => '1h');
	my $daemon = Tlsad::Daemon->start(lab => $lab, config => { cache => \%cache });
	ask_aged($daemon, 'fresh', %stale_answers);
	$daemon->stop;
	# Unsigned answers for a signed zone.
	my $forger = Tlsad::FaultyDns->start(rules => [ { name => 'site.lab', behaviour => 'forward' } ]);
	my $settings = $lab->resolver_settings;
	my @stubs = map { /^site\.lab\. / ? 'site.lab. 127.0.0.1@' . $forger->port : $_ } @{$settings->{stub}};
	my $again = Tlsad::Daemon->start(lab => $lab, directory => $daemon->directory,
		config => { resolver => { stub => \@stubs, timeout => '5s' }, cache => \%cache });
	Time::HiRes::sleep(3);
	ask_aged($again, 'forged', 'brief.site.lab' => qr/^OK dane-only$/,
		'brief-none.site.lab' => qr/^TEMP /);
	my $stale = explain($again, 'brief.site.lab');
	ok($stale->{mx}{stale}, 'explain: stale');
	like($stale->{mx}{failure} // '', qr/bogus|site\.lab/, 'explain: the failure');
	is($again->stop, 0, 'stop');

	%cache = (%cache, serve_stale => '0s');
	my $before = Tlsad::Daemon->start(lab => $lab, config => { cache => \%cache });
	is($before->request('policy', 'brief.site.lab'), 'OK dane-only', 'fresh');
	$before->stop;
	Time::HiRes::sleep(3);
	my $off = Tlsad::Daemon->start(lab => $lab, directory => $before->directory,
		config => { resolver => { stub => \@stubs, timeout => '5s' }, cache => \%cache });
	like($off->request('policy', 'brief.site.lab'), qr/^TEMP /, 'serve_stale = 0 serves nothing stale');
	$off->stop;
}

sub bounds_of_ttl
{
	my $daemon = Tlsad::Daemon->start(lab => $lab, config => {
		cache => { min_ttl => '100s', max_ttl => '200s', failure_ttl => '17s' } });
	my $between = sub {
		my ($key, $least, $most, $host_least, $host_most) = @_;
		$daemon->request('policy', $key);
		my $explain = explain($daemon, $key);
		my $check = sub {
			my ($what, $least, $most, @parts) = @_;
			my @ttls = map { $_->{ttl} // 'none' } grep { defined } @parts;
			my $wrong = grep { !/^\d+$/ || $_ < $least || $_ > $most } @ttls;
			is($wrong, 0, "$key, $what: $least to $most") or diag("@ttls");
		};
		$check->('MX', $least, $most, $explain->{mx});
		$check->('hosts', $host_least // $least, $host_most // $most, @{$explain->{hosts}});
		$check->('all', $host_least // $least, $host_most // $most, $explain);
	};
	# TLSA records may be pinned, so min_ttl extends their TTL by at most a minute.
	$between->('passing.site.lab', 85, 100, 45, 65);
	$between->('fleeting.site.lab', 85, 100, 45, 60);
	$between->('full.dane.lab', 185, 200);
	$between->('missing.dane.lab', 185, 200);
	$between->('lame.lab', 3, 17);
	$between->('bogus-mx.dane.lab', 3, 17);
	is($daemon->stop, 0, 'the daemon ends with status 0');

	my $none = Tlsad::Daemon->start(lab => $lab, config => { cache => { min_ttl => '0s' } });
	my @replies = map { $none->request('policy', 'fleeting.site.lab') } 1 .. 5;
	is("@replies", join(' ', ('OK dane-only') x 5), 'min_ttl = 0 and a TTL of 0: answered');
	is($none->stop, 0, 'the daemon ends with status 0');
	cmp_ok(figures($none)->{misses}, '>=', 2, 'though not from the cache for long');
}

sub clock
{
	my $clock = Tlsad::Clock->new or plan(skip_all => 'faketime is not installed');
	my %long = (cache => { max_ttl => '30d', serve_stale => '0s' });

	# Stored with a clock two days ahead, then read with the right one.
	$clock->set('+2d');
	my $ahead = eval { Tlsad::Daemon->start(lab => $lab, env => $clock->env, config => \%long) };
	plan(skip_all => 'tlsad does not run under faketime here') unless $ahead;
	is($ahead->request('policy', 'full.dane.lab'), 'OK dane-only', 'two days ahead');
	my $explain = explain($ahead, 'full.dane.lab');
	cmp_ok($explain->{mx}{expires}, '>', time + 1.9 * DAY, 'faketime works');
	ok(wait_until(PROMPT, sub { explain($ahead, 'full.dane.lab')->{cached} }), 'stored');
	$ahead->stop;
	my $today = without_dns($ahead->directory, config => \%long);
	like($today->request('policy', 'full.dane.lab'), qr/^TEMP /,
		'entries from the future are looked up again');
	unlike($today->log_text, qr/set aside/, 'for the TTL only');
	$today->stop;
	my $renewed = Tlsad::Daemon->start(lab => $lab, directory => $ahead->directory, config => \%long);
	# The failure is valid for failure_ttl, so another name is used.
	is($renewed->request('policy', '[mx1.dane.lab]'), 'OK dane-only', 'with DNS');
	cmp_ok(explain($renewed, '[mx1.dane.lab]')->{hosts}[0]{expires}, '<', time + DAY, 'it is stored again');
	$renewed->stop;

	# The clock jumps while tlsad runs: forward, everything expires; back, no entry is from the future.
	$clock->set('+0');
	my $daemon = Tlsad::Daemon->start(lab => $lab, env => $clock->env, config => \%long);
	right_answers($daemon, 'now');
	ok(wait_until(PROMPT, sub { explain($daemon, 'full.dane.lab')->{cached} }), 'cached');
	$clock->set('+3h');
	my $later = explain($daemon, 'full.dane.lab');
	ok(!$later->{cached}, 'three hours later it has expired');
	is($later->{reply}, 'OK dane-only', 'and is looked up again');
	right_answers($daemon, 'three hours later');
	$clock->set('+0');
	my $back = explain($daemon, 'full.dane.lab');
	ok(!$back->{cached}, 'the clock is set back: looked up again');
	is($back->{reply}, 'OK dane-only', 'with the same answer');
	ok($back->{mx}{expires} < time + 3700, 'and a lifetime of today');
	right_answers($daemon, 'set back');

	# Entries without a request in between had expired, too.
	ok(wait_until(PROMPT, sub { explain($daemon, 'partial.dane.lab')->{cached} }), 'cached');
	$clock->set('+3h');
	is($daemon->request('policy', '[mx1.dane.lab]'), 'OK dane-only', 'three hours later, another name');
	$clock->set('+0');
	is($daemon->request('policy', '[mx2.dane.lab]'), 'OK dane-only', 'set back, and a third one');
	ok(!explain($daemon, 'partial.dane.lab')->{cached}, 'expired entries do not become valid again');
	is($daemon->stop, 0, 'the daemon ends with status 0');
}
