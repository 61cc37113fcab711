#!/usr/bin/perl
# The program itself: options, invalid settings, endpoints in use, signals, the log.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use IO::Socket::INET;
use IO::Socket::UNIX;
use POSIX ();
use Test::More;
use Time::HiRes ();
use Tlsad::Daemon;
use Tlsad::Lab;
use Tlsad::Observe;
use Tlsad::Process;

use constant PROMPT => 30;		# [s] for what should take milliseconds

my @missing = Tlsad::Lab::missing_programs();
plan(skip_all => "not installed: @missing") if @missing;

# Each of these has its own silent server: libunbound cannot learn from one about another.
my $lab = Tlsad::Lab->start(
	faults => [ map { { name => "s$_.faults.lab", behaviour => 'silent' } } 1 .. 40 ]);
my $directory = Tlsad::Process::private_directory();
my $one_line = qr/\A[^\n]+\n\z/;

# Without the suffix of a build, as the library reports it.
my %library_words = (unbound => 'libunbound', crypto => 'OpenSSL', ssl => 'OpenSSL',
	(map { $_ => 'libevent' } qw(event event_core event_pthreads event_extra)), lmdb => 'LMDB', idn2 => 'libidn2', curl => 'libcurl',
	jansson => 'jansson', inih => 'inih', systemd => 'libsystemd');

# [section, key, value, text of the error]
my $long_path = '/' . 'x' x 120;
my @bad_settings = (
	[ 'server', 'socketmap', 'tcp:127.0.0.1:25', qr/unix:PATH or inet:/ ],
	[ 'server', 'socketmap', 'unix:relative', qr/slash/ ],
	[ 'server', 'socketmap', "unix:$long_path", qr/longer than \d+ bytes/ ],
	[ 'server', 'socketmap', 'inet:127.0.0.1', qr/inet:ADDRESS:PORT/ ],
	[ 'server', 'socketmap', 'inet:127.0.0.1:0', qr/inet:ADDRESS:PORT/ ],
	[ 'server', 'socketmap', 'inet:127.0.0.1:65536', qr/inet:ADDRESS:PORT/ ],
	[ 'server', 'socketmap', 'inet:127.0.0.1:25x', qr/inet:ADDRESS:PORT/ ],
	[ 'server', 'socketmap', 'inet:::1:25', qr/brackets/ ],
	[ 'server', 'socketmap', 'inet:no.such.host:25', qr/inet:ADDRESS:PORT/ ],
	[ 'server', 'allow', '10.0.0.0/33', qr/192\.0\.2\.0\/24/ ],
	[ 'server', 'allow', '10.0.0', qr/192\.0\.2\.0\/24/ ],
	[ 'server', 'allow', '::1/129', qr/192\.0\.2\.0\/24/ ],
	[ 'server', 'allow', '127.0.0.1/8x', qr/192\.0\.2\.0\/24/ ],
	[ 'server', 'workers', '0', qr/from 1 to 64/ ],
	[ 'server', 'workers', '65', qr/from 1 to 64/ ],
	[ 'server', 'workers', '-1', qr/from 1 to 64/ ],
	[ 'server', 'workers', 'many', qr/from 1 to 64/ ],
	[ 'server', 'workers', '99999999999999999999', qr/from 1 to 64/ ],
	[ 'server', 'socket_mode', '0888', qr/octal/ ],
	[ 'server', 'socket_mode', '1777', qr/octal/ ],
	[ 'server', 'socket_mode', 'rw-rw-rw-', qr/octal/ ],
	[ 'server', 'max_connections', '0', qr/from 1 to/ ],
	[ 'server', 'max_connections', '1000001', qr/from 1 to/ ],
	[ 'server', 'max_connections', '10k', qr/from 1 to/ ],
	[ 'server', 'idle_timeout', '0', qr/s, m, h, d/ ],
	[ 'server', 'idle_timeout', '2x', qr/s, m, h, d/ ],
	[ 'server', 'idle_timeout', '2m3s', qr/s, m, h, d/ ],
	[ 'server', 'idle_timeout', '-2m', qr/s, m, h, d/ ],
	[ 'server', 'idle_timeout', '99999999999999999999d', qr/s, m, h, d/ ],
	[ 'server', 'idle_timeout', '999999999999999999d', qr/s, m, h, d/ ],
	[ 'server', 'policy', 'run/policy', qr/unix:PATH or inet:ADDRESS:PORT/ ],
	[ 'policy', 'lacking', 'REJCT', qr/REJCT is not an action.*did you mean REJECT/ ],
	[ 'policy', 'lacking', 'REJECT {domain}', qr/unknown placeholder \{domain\}; use \{destination\}/ ],
	[ 'policy', 'announce_header', 'X-TLS: y', qr/header/ ],
	[ 'policy', 'wait', '0', qr/from 1 to 90/ ],
	[ 'policy', 'senders', 'a@@', qr/is not a sender/ ],
	[ 'policy', 'senders', 'file:senders', qr/absolute path/ ],
	[ 'policy', 'clients', '192.0.2.0/33', qr/expected a network/ ],
	[ 'server', 'control', 'inet:127.0.0.1:1', qr/unix:PATH/ ],
	[ 'server', 'user', 'no-such-account', qr/no such account; create it/ ],
	[ 'server', 'user', 'root', qr/is root; set an account without root's rights/ ],
	[ 'server', 'chroot', 'var/lib/tlsad', qr/beginning with \// ],
	[ 'server', 'chroot', '/var/lib/tlsad', qr/chroot without user/ ],
	[ 'server', 'pid_file', 'tlsad.pid', qr/beginning with \// ],
	[ 'server', 'metrics', 'http://127.0.0.1:1', qr/unix:PATH or inet:/ ],
	[ 'server', 'metrics', 'inet:127.0.0.1:9465, inet:[::1]:9465', qr/inet:ADDRESS:PORT/ ],
	[ 'log', 'answers', 'some', qr/yes or no/ ],
	[ 'server', 'workrs', '1', qr/did you mean 'workers'/ ],
	[ 'server', 'timeout', '1s', qr/belongs to \[resolver\]|did you mean/ ],
	[ 'server', 'xyzzy', '1', qr/no setting 'xyzzy'/ ],
	[ 'sever', 'workers', '1', qr/did you mean \[server\]/ ],
	[ 'nonsense-section', 'workers', '1', qr/nonsense-section/ ],
	[ 'resolver', 'timeout', '0', qr/from 1 to 90/ ],
	[ 'resolver', 'timeout', '91s', qr/from 1 to 90/ ],
	[ 'resolver', 'timeout', '2m', qr/from 1 to 90/ ],
	[ 'resolver', 'stub', 'example.com', qr/ZONE ADDRESS/ ],
	[ 'resolver', 'stub', 'example.com 192.0.2.1:53', qr/ZONE ADDRESS\@PORT, the address without brackets/ ],
	[ 'resolver', 'forward', '[2001:db8::1]', qr/ADDRESS\@PORT#NAME, the address without brackets/ ],
	[ 'resolver', 'trust_anchor', 'root.key', qr/beginning with \// ],
	[ 'resolver', 'trust_anchor', $directory, qr/trust_anchor = \Q$directory\E: cannot read the file: Is a directory/ ],
	[ 'resolver', 'options', "$directory/none", qr/options \Q$directory\E\/none: cannot read the file: No such/ ],
	[ 'resolver', 'options', $directory, qr/options \Q$directory\E: .*it is a directory/ ],
	[ 'resolver', 'query_localhost', 'maybe', qr/yes or no/ ],
	[ 'resolver', 'forward', '192.0.2.1#dns.example 192.0.2.2', qr/TLS-NAME/ ],
	[ 'dane', 'enforce', 'both', qr/one of native, pinned/ ],
	[ 'dane', 'site_level', 'strong', qr/one of .*dane-only.*secure/ ],
	[ 'dane', 'fingerprint_digest', 'md5', qr/one of sha256, sha512/ ],
	[ 'dane', 'tafile_dir', 'tmp', qr/beginning with \// ],
	[ 'dane', 'tafile_dir', '/a b', qr/blanks/ ],
	[ 'dane', 'tafile_prefix', '/tmp', qr/without tafile_dir/ ],
	[ 'dane', 'learn_trust_anchors', 'yes', qr/without tafile_dir/ ],
	[ 'sts', 'enable', '2', qr/yes or no/ ],
	[ 'sts', 'insecure_mx', 'both', qr/one of sts, dane/ ],
	[ 'sts', 'ca_file', '', qr/name a file/ ],
	[ 'sts', 'ca_file', 'ca.pem', qr/beginning with \// ],
	[ 'sts', 'port', '0', qr/from 1 to 65535/ ],
	[ 'requiretls', 'otherwise', 'may', qr/one of enforce, opportunistic\+starttls, opportunistic/ ],
	[ 'cache', 'path', '', qr/name a directory/ ],
	[ 'cache', 'path', 'cache', qr/beginning with \// ],
	[ 'dane', 'exceptions_file', 'exceptions', qr/beginning with \// ],
	[ 'dane', 'minimums_file', 'minimums', qr/beginning with \// ],
	[ 'cache', 'max_size', '1k', qr/k, M, G/ ],
	[ 'cache', 'max_size', '1T', qr/k, M, G/ ],
	[ 'cache', 'max_size', '99999999999999999999G', qr/k, M, G/ ],
	[ 'cache', 'min_ttl', '2d', qr/from 0 to 86400|larger than max_ttl/ ],
	[ 'cache', 'max_ttl', '1s', qr/min_ttl is larger than max_ttl/ ],
	[ 'cache', 'failure_ttl', '0', qr/from 1 to/ ],
	[ 'cache', 'prefetch', '91', qr/from 0 to/ ],
	[ 'cache', 'prefetch', '10%', qr/from 0 to/ ],
	[ 'cache', 'serve_stale', '31d', qr/s, m, h, d/ ],
	[ 'log', 'target', 'file', qr/one of .*stderr/ ],
);

subtest('options' => \&options);
subtest('invalid settings' => \&bad_settings);
subtest('bad overrides' => \&bad_overrides);
subtest('files that cannot be used' => \&bad_files);
subtest('CAs for MTA-STS' => \&cas);
subtest('endpoints in use' => \&taken_endpoints);
subtest('SIGTERM and SIGINT' => \&stopping);
subtest('SIGTERM with many requests on a connection' => \&stopping_pipeline);
subtest('SIGHUP' => \&reloading);
subtest('signals at the start' => \&early_signals);
subtest('closed standard descriptors' => \&closed_streams);
subtest('the log' => \&logging);
subtest('few file descriptors' => \&few_descriptors);
subtest('few descriptors for all services' => \&few_for_everybody);
done_testing();

# Runs tlsad with these arguments: (status, standard output and error together).
sub run
{
	my (@arguments) = @_;
	my $log = "$directory/output";
	unlink($log);
	my $process = Tlsad::Process::spawn(log => $log,
		command => [ Tlsad::Daemon::binary(), @arguments ]);
	my $status = $process->wait(20);
	$process->stop(1);
	return (defined $status ? $status >> 8 | ($status & 127 ? 128 : 0) : 'none', read_file($log));
}

sub read_file
{
	my ($file) = @_;
	open(my $handle, '<:raw', $file) or return '';
	local $/;
	return <$handle> // '';
}

sub write_file
{
	my ($file, $text) = @_;
	open(my $handle, '>:raw', $file) or die "$file: $!\n";
	print {$handle} $text;
	close($handle) or die "$file: $!\n";
}

# A valid configuration file.
sub good_file
{
	my $file = "$directory/good.conf";
	write_file($file, "[server]\nsocketmap = unix:$directory/good\n[cache]\npath = $directory/cache\n");
	return $file;
}

sub linked_libraries
{
	my $readelf = Tlsad::Process::find_program('readelf') or return ();
	my $text = qx($readelf -d @{[Tlsad::Daemon::binary()]} 2>/dev/null);
	my %seen;
	return grep { !$seen{$_}++ } map { s/-[\d.]+\z//r } $text =~ /\(NEEDED\).*\[lib([\w.+-]+?)\.so/g;
}

sub options
{
	my ($status, $text) = run('-h');
	is($status, 0, '-h: status');
	like($text, qr/^usage: tlsad .*-c FILE.*-o SECTION\.KEY=VALUE.*-n.*-v.*-V.*-h/m, '-h: usage');
	($status, $text) = run('-V');
	is($status, 0, '-V: status');
	like($text, qr/^tlsad \d\S*$/m, '-V: tlsad');
	for my $library (linked_libraries()) {
		next if $library =~ /^(?:c|m|pthread|dl|rt|resolv|gcc_s|asan|tsan|ubsan)$/;
		my $word = $library_words{$library} // $library;
		like($text, qr/^\Q$word\E\b.*\d/mi, "-V: $word");
	}
	my $good = good_file();
	($status, $text) = run('-c', $good, '-n');
	is("$status $text", '0 ', '-n: status 0 and no word');
	ok(!-e "$directory/good" && !-e "$directory/cache", '-n: touches nothing');
	($status, $text) = run('-c', $good, '-n', '-v');
	is($status, 0, '-n -v: status');
	like($text, qr/^socketmap = unix:\Q$directory\E\/good$/m, '-n -v: what the file says');
	like($text, qr/^workers = auto$/m, '-n -v: defaults');
	write_file("$directory/printed.conf", $text);
	my (undef, $again) = run('-c', "$directory/printed.conf", '-n', '-v');
	is($again, $text, '-n -v: can be read again and means the same');
	($status, $text) = run('-c', $good, '-n', '-v', '-o', 'server.workers=3',
		'-o', 'resolver.stub=. 192.0.2.1', '-o', 'resolver.stub=lab 192.0.2.2@53', '-o',
		'dane.site_level=secure', '-o', 'server.workers=4');
	is($status, 0, '-o: status');
	like($text, qr/^workers = 4$/m, '-o: the last one holds');
	like($text, qr/^stub = \. 192\.0\.2\.1\nstub = lab 192\.0\.2\.2\@53$/m, '-o: stubs add up');
	like($text, qr/^site_level = secure$/m, '-o: another');
	like((run('-c', $good, '-nv'))[1], qr/^\[server\]$/m, 'options in one word');
	for my $usage ([ '-x' ], [ '--no-such' ], [ '-c' ], [ '-o' ], [ 'operand' ],
		[ '-n', '-c', $good, 'operand' ], [ map { ('-o', 'server.workers=1') } 1 .. 200 ]) {
		($status, $text) = run(@$usage);
		my $what = substr("@$usage", 0, 30);
		is($status, 64, "$what: status of a usage error");
		like($text, qr/\S/, "$what: a word on it");
	}
}

sub bad_settings
{
	my $file = "$directory/bad.conf";
	# These errors are about several settings or a missing one, so they have no line number.
	my $no_line = qr/TLS-NAME|write\ no|name\ a\ directory|ca_file\ is\ empty|larger\ than\ max_ttl|without\ tafile_dir
		|no\ such\ account|is\ root|chroot\ without\ user|trust_anchor\ =\ \S+:\ cannot|options\ \//x;
	for (@bad_settings) {
		my ($section, $key, $value, $words) = @$_;
		write_file($file, "; a comment\n\n[$section]\n; another\n$key = $value\n\n");
		my ($status, $text) = run('-c', $file, '-n');
		my $what = substr("[$section] $key = $value", 0, 60);
		is($status, 1, "$what: status");
		like($text, $one_line, "$what: one line");
		my $line = $text =~ /there is no section/ ? 3 : 5;
		like($text, $text =~ $no_line ? qr/\Q$file\E: / : qr/\Q$file\E:$line: /, "$what: file and line");
		like($text, qr/\b\Q$key\E\b|\[\Q$section\E\]/, "$what: the setting");
		like($text, $words, "$what: what to do");
	}
	my %bad = (
		'a line without =' => [ "[server]\nworkers\nallow = 127.0.0.1\n\n", 2, qr/expected .*key = value/ ],
		'no section yet' => [ "workers = 1\n", 1, qr/workers/ ],
		'a section without an end' => [ "[server\nworkers = 1\n", 1, qr/expected/ ],
		'a setting twice' => [ "[server]\nworkers = 1\nworkers = 2\n", 3, qr/workers is set twice/ ],
		'a setting twice, in two sections of a name' =>
			[ "[server]\nworkers = 1\n[dane]\n[server]\nworkers = 2\n", 5, qr/workers is set twice/ ],
		'a long line' => [ "[server]\nallow = " . '127.0.0.1 ' x 50 . "\n", 2, qr/longer than \d+ bytes/ ],
		'more lines for one value' => [ "[server]\nworkers = 1\n  2\n", 3, qr/workers/ ],
		'too many entries' => [ "[server]\n" . "allow = 127.0.0.1\n" . "\t127.0.0.1\n" x 5_000,
			qr/\d{2,4}/, qr/more than \d+ entries/ ],
		'a NUL byte' => [ "[server]\nwor\0kers = 1\n", 2, qr/./ ],
		'binary' => [ join('', map { chr } 128 .. 255) . "\n", 1, qr/./ ],
		'escape sequences' => [ "[server]\nworkers = \e[31m1\n", 2, qr/\\x1[bB]/ ],
	);
	for my $what (sort keys %bad) {
		my ($text, $line, $words) = @{$bad{$what}};
		write_file($file, $text);
		my ($status, $said) = run('-c', $file, '-n');
		is($status, 1, "$what: status");
		like($said, $one_line, "$what: one line");
		like($said, qr/\Q$file\E:$line: /, "$what: file and line");
		like($said, $words, "$what: what to do");
		unlike($said, qr/[^ -~\n]/, "$what: printable");
	}
	# The same without -n; nothing may be created before the error is found.
	write_file($file, "[server]\nsocketmap = unix:$directory/never\nworkers = 0\n[cache]\npath = $directory/never-cache\n");
	my ($status, $text) = run('-c', $file);
	is($status, 1, 'without -n: status');
	like($text, $one_line, 'without -n: one line');
	ok(!-e "$directory/never" && !-e "$directory/never-cache", 'without -n: nothing was made');
	# What a configuration file may contain.
	write_file($file, "\xef\xbb\xbf; UTF-8 has a mark\n# comment\n[server]\r\nworkers = 2 ; of two\r\n"
		. "allow = 127.0.0.1, 192.0.2.0/24\n  2001:db8::/32\n[resolver]\nstub = . 192.0.2.1\nstub = lab 192.0.2.2\n");
	($status, $text) = run('-c', $file, '-n', '-v');
	is($status, 0, 'comments, CR LF, continuation lines, a byte order mark') or diag($text);
	like($text, qr/^allow = 127\.0\.0\.1,\s+192\.0\.2\.0\/24,\s+2001:db8::\/32$/m, 'lists continue');
}

sub bad_overrides
{
	my $good = good_file();
	for (@bad_settings) {
		my ($section, $key, $value, $words) = @$_;
		my ($status, $text) = run('-c', $good, '-n', '-o', "$section.$key=$value");
		my $what = substr("-o $section.$key=$value", 0, 60);
		is($status, 1, "$what: status");
		like($text, $one_line, "$what: one line");
		like($text, $words, "$what: what to do");
	}
	for my $override ('', '=', 'server', 'server.workers', 'workers=1', '.=', 'server.=1',
		'x' x 500 . '.y=z', "server.workers=\e[31m") {
		my ($status, $text) = run('-c', $good, '-n', '-o', $override);
		is($status, 1, "-o " . substr($override, 0, 20) =~ s/\e/\\e/r . ': status');
		like($text, qr/\A[ -~]+\n\z/, 'one printable line');
		like($text, qr/-o/, 'that names the option');
	}
}

sub bad_files
{
	for my $file ("$directory/no-such.conf", $directory) {
		my ($status, $text) = run('-c', $file, '-n');
		is($status, 1, "$file: status");
		like($text, $one_line, "$file: one line");
		like($text, qr/\Q$file\E: cannot read the file: (?:No such file|Is a directory)[^;]*; correct its path or permissions/, "$file: why");
	}
	# Errors that are found only at the start.
	write_file("$directory/garbage", "this is no key\n");
	write_file("$directory/options", "server:\n\tno-such-option: yes\n");
	my %config = (
		'trust_anchor' => { trust_anchor => "$directory/garbage" },
		'an empty trust_anchor' => { trust_anchor => '/dev/null' },
		'a directory as trust_anchor' => { trust_anchor => $directory },
		'a missing options file' => { options => "$directory/no-such-options" },
		'bad options' => { options => "$directory/options" },
		'stub without an address' => { stub => '. not-an-address' },
		'stub of no zone' => { stub => ('x' x 100) . ' 192.0.2.1' },
		'forward without an address' => { forward => 'not-an-address' },
	);
	for my $what (sort keys %config) {
		my ($status, $log) = Tlsad::Daemon->run(config => { resolver => $config{$what},
			server => { max_connections => 50 } });
		is($status, 1, "$what: status");
		# libunbound may have logged something before.
		my @errors = grep { /^tlsad: error: / } split(/\n/, $log);
		is(scalar(@errors), 1, "$what: one line of error") or diag($log);
		my ($setting, $value) = %{$config{$what}};
		like($errors[0] // '', qr/$setting|\Q$value\E/, "$what: the setting");
		unlike($log, qr/root\.key cannot be used/, "$what: the learned keys are not to blame");
		write_file("$directory/trial.conf", "[resolver]\n$setting = $value\n");
		($status, $log) = run('-c', "$directory/trial.conf", '-n');
		is($status, 1, "$what: -n finds it too");
		like($log, qr/^tlsad: error: .*(?:$setting|\Q$value\E)/m, "$what: and names it");
	}
	# With keys from an earlier run, which are not to blame either.
	mkdir("$directory/learned");
	my $daemon = Tlsad::Daemon->start(lab => $lab, config => { cache => { path => "$directory/learned" } });
	ok($daemon->wait_log(qr/validation works/i, PROMPT), 'a run that learns the keys of the root');
	$daemon->stop;
	ok(-s "$directory/learned/root.key", 'it has stored them');
	my ($status, $log) = Tlsad::Daemon->run(lab => $lab, config => { cache => { path => "$directory/learned" },
		resolver => { options => "$directory/options" } });
	is($status, 1, 'bad options after that');
	unlike($log, qr/root\.key cannot be used/, 'the stored keys are not to blame');
	# The account of tlsad can make this fifo, and root runs -n.
	unlink("$directory/learned/root.key");
	POSIX::mkfifo("$directory/learned/root.key", 0600) or die "mkfifo: $!\n";
	is((run('-n', '-o', "cache.path=$directory/learned", '-c', good_file()))[0], 0, '-n leaves stored keys alone');
}

# Like the start, -n reads the file of the CAs.
sub cas
{
	my $none = "$directory/none.pem";
	my ($status, $text) = run('-c', good_file(), '-n', '-o', "sts.ca_file=$none");
	is($status, 1, '-n without the file: status');
	like($text, $one_line, '-n: one line');
	like($text, qr/ error: \S+good\.conf: \[sts\] ca_file = \Q$none\E: No such file/, '-n: what is wrong');
	is((run('-c', good_file(), '-n', '-o', "sts.ca_file=$directory"))[0], 1, '-n: a directory');
	($status, $text) = run('-c', good_file(), '-n', '-o', "sts.ca_file=$none", '-o', 'sts.enable=no');
	is("$status $text", '0 ', '-n: without MTA-STS it is not read');
	($status, $text) = Tlsad::Daemon->run(lab => $lab, config => { sts => { enable => 'yes', ca_file => $none } });
	is($status, 1, 'the start: status');
	like($text, qr/ error: \[sts\] ca_file = \Q$none\E: No such file/, 'the start: the same');

	my ($default) = (run('-c', '/dev/null', '-n', '-v', '-o', 'sts.enable=no'))[1] =~ /^ca_file = (.+)$/m;
	my $obstacle = Tlsad::Process::namespace_obstacle('--mount');
	SKIP: {
		skip("the default file cannot be hidden without $obstacle", 2) if defined $obstacle;
		my $hidden = qq([ ! -e "$default" ] || mount --bind /dev/null "$default"; exec "\$0" "\$@");
		my $process = Tlsad::Process::spawn(log => "$directory/hidden", command => [ 'unshare', '--mount',
			'sh', '-c', $hidden, Tlsad::Daemon::binary(), '-c', good_file(), '-n' ]);
		is(($process->wait(PROMPT) // -1) >> 8, 0, '-n without the default file: status');
		like(read_file("$directory/hidden"), qr/\Atlsad: warning: no MTA-STS policy can be downloaded: \Q$default\E: [^\n]+\n\z/,
			'-n: a warning');
	}
}

sub taken_endpoints
{
	my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 0,
		Proto => 'tcp', Listen => 5);
	my $port = $listener->sockport;
	my $try = sub {
		my ($endpoints, $words, $what) = @_;
		my ($status, $log) = Tlsad::Daemon->run(config => { server => { socketmap => $endpoints,
			max_connections => 50 } });
		is($status, 1, "$what: status");
		my @lines = grep { !/may open \d+ files/ } split(/\n/, $log);
		is(scalar(@lines), 1, "$what: one line") or diag($log);
		like($lines[-1] // '', $words, "$what: what to do");
		return $log;
	};
	$try->("inet:127.0.0.1:$port", qr/inet:127\.0\.0\.1:$port: the port is in use; stop .* or choose/, 'a port in use');
	$try->("unix:$directory/first inet:127.0.0.1:$port", qr/the port is in use/, 'the second of two');
	ok(!-e "$directory/first", 'the first socket is removed again');
	$try->('inet:192.0.2.1:8642', qr/Cannot assign/, 'an address of another machine');
	$try->("unix:$directory/no/such", qr/must exist and be writable/, 'no directory for the socket');

	my $daemon = Tlsad::Daemon->start(lab => $lab);
	my ($path) = $daemon->endpoint =~ /^unix:(.*)/;
	$try->("unix:$path", qr/another process listens on \Q$path\E; stop it or choose/, 'a living process');
	is($daemon->request('policy', 'full.dane.lab'), 'OK dane-only', 'which still serves');
	is($daemon->stop, 0, 'and ends with status 0');
	ok(!-e $path, 'its socket is removed');

	write_file($path, "precious\n");
	$try->("unix:$path", qr/exists and is not a socket; remove it/, 'not a socket');
	is(read_file($path), "precious\n", 'which is left alone');
	unlink($path);

	$daemon->start_again;
	$daemon->kill9;
	ok(-S $path, 'a killed process leaves its socket');
	$daemon->start_again;
	is($daemon->request('policy', 'full.dane.lab'), 'OK dane-only', 'which the next daemon replaces');
	is($daemon->stop, 0, 'and ends with status 0');
}

sub stopping
{
	for my $signal (qw(TERM INT)) {
		my $port = Tlsad::Process::free_port();
		my $socket = "$directory/stop-$signal";
		my $daemon = Tlsad::Daemon->start(lab => $lab, config => { server => {
			socketmap => "unix:$socket inet:127.0.0.1:$port" } });
		is($daemon->request('policy', 'full.dane.lab'), 'OK dane-only', "$signal: served before");
		my ($slow, $silent, $idle) = map { $daemon->client(timeout => 2 * PROMPT) } 1 .. 3;
		$slow->send_request('policy', 'slow.lab');
		$silent->send_request('policy', 'silent.lab');
		Time::HiRes::sleep(0.1);
		my $begin = Time::HiRes::time();
		$daemon->{process}->signal($signal);
		# logrotate(8) may send it at any time.
		Time::HiRes::sleep(0.1);
		$daemon->{process}->signal('HUP');
		is(eval { $slow->receive_reply } // $@, 'OK dane-only', "$signal: a slow lookup is waited for");
		like(eval { $silent->receive_reply } // $@, qr/^TEMP [ -~]+$/, "$signal: one without end is TEMP");
		ok($idle->closed_by_peer(PROMPT), "$signal: idle connections are closed");
		my $status = $daemon->{process}->wait(2 * PROMPT);
		is($status, 0, "$signal: exit status");
		my $seconds = Time::HiRes::time() - $begin;
		cmp_ok($seconds, '<', 5 + PROMPT, sprintf('%s: after %.1f s', $signal, $seconds));
		ok(!-e $socket, "$signal: the socket is removed");
		is($daemon->stop, 0, "$signal: a clean end");
		ok(!defined IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port, Timeout => 1),
			"$signal: its sockets are closed");
	}
	# A client that never stops sending does not delay the end.
	my $daemon = Tlsad::Daemon->start(lab => $lab);
	my $busy = Tlsad::Process::spawn(code => sub {
		my $client = $daemon->client(timeout => 5);
		$client->request('policy', 'full.dane.lab') while 1;
	});
	Time::HiRes::sleep(0.5);
	my $begin = Time::HiRes::time();
	is($daemon->stop, 0, 'with a busy client: exit status');
	cmp_ok(Time::HiRes::time() - $begin, '<', PROMPT, 'in time');
	$busy->stop(1);
}

sub stopping_pipeline
{
	my $daemon = Tlsad::Daemon->start(lab => $lab);
	my $client = $daemon->client(timeout => PROMPT);
	$client->send_raw(join('', map { Tlsad::Socketmap::netstring("policy s$_.faults.lab") } 1 .. 40));
	Time::HiRes::sleep(0.2);
	my $begin = Time::HiRes::time();
	is($daemon->stop(30), 0, 'exit status');
	my $seconds = Time::HiRes::time() - $begin;
	cmp_ok($seconds, '<', 5 + PROMPT, sprintf('after %.1f s', $seconds));
}

sub reloading
{
	my $port = Tlsad::Process::free_port();
	my $base = { server => { socketmap => "unix:$directory/reload inet:127.0.0.1:$port", workers => 2 } };
	my $daemon = Tlsad::Daemon->start(lab => $lab, config => $base);
	my $with = sub {
		my (%sections) = @_;
		return { %sections, server => { %{$base->{server}}, %{$sections{server} // {}} } };
	};
	my $reload = sub {
		my ($config, $pattern, $what) = @_;
		ref $config ? $daemon->write_config($config) : write_file($daemon->config_file, $config);
		my $from = length($daemon->log_text);
		$daemon->reload;
		my $text = $daemon->wait_log($pattern, PROMPT, $from);
		ok(defined $text, "$what: a log line") or diag(substr($daemon->log_text, $from));
		# Each thread applies it by itself.
		Time::HiRes::sleep(0.1);
		return $text // '';
	};
	my $partial = 'cname-partial.dane.lab';
	my $policy = sub { return $daemon->client(timeout => PROMPT)->request('policy', $_[0]) };
	my $over_inet = sub { return eval { Tlsad::Socketmap->new("inet:127.0.0.1:$port",
		timeout => PROMPT)->request('policy', 'full.dane.lab') } // $@ };
	is($policy->($partial), 'OK dane', 'at first');
	is($over_inet->(), 'OK dane-only', 'over inet');

	my $kept = $daemon->client(timeout => PROMPT);
	is($kept->request('policy', $partial), 'OK dane', 'on a connection that stays open');
	$reload->($with->(dane => { site_level => 'secure' }), qr/configuration reloaded: 1 settings? changed/, 'site_level');
	is($policy->($partial), 'NOTFOUND ', 'site_level has changed a reply');
	is($kept->request('policy', $partial), 'NOTFOUND ', 'on old connections, too');

	$reload->("[server]\nworkers = 2\nidle_timeout = x\n",
		qr/old configuration stays in use: \Q@{[$daemon->config_file]}\E:3: .*idle_timeout/, 'a broken file');
	is($policy->($partial), 'NOTFOUND ', 'the old configuration stays');
	unlink($daemon->config_file);
	my $from = length($daemon->log_text);
	$daemon->reload;
	ok($daemon->wait_log(qr/old configuration stays in use: .*No such file/, PROMPT, $from), 'no file: a log line');
	is($policy->($partial), 'NOTFOUND ', 'the old configuration stays');

	my $text = $reload->($with->(server => { workers => 5 }, cache => { max_size => '2G' },
		dane => { site_level => 'secure' }), qr/configuration reloaded/, 'what needs a restart');
	like($text, qr/server\.workers has changed; restart tlsad to apply it/, 'workers is named');
	like($text, qr/cache\.max_size has changed; restart tlsad/, 'max_size, too');
	unlike($text, qr/site_level/, 'unchanged settings are not named');

	$reload->($with->(server => { allow => '192.0.2.0/24' }), qr/configuration reloaded/, 'allow');
	like($over_inet->(), qr/^socketmap: closed/, 'allow has changed');
	is($policy->($partial), 'OK dane', 'and site_level is back');

	my $idle = $daemon->client(timeout => PROMPT);
	$reload->($with->(server => { idle_timeout => '1s' }, resolver => { timeout => '2s' }),
		qr/configuration reloaded/, 'idle_timeout');
	ok($idle->closed_by_peer(PROMPT), 'an old connection has the new idle_timeout');
	my $begin = Time::HiRes::time();
	like($policy->('silent.lab'), qr/^TEMP /, 'resolver.timeout');
	cmp_ok(Time::HiRes::time() - $begin, '<', 2 + 5, 'is new as well');

	# Many reloads at once, during requests.
	my $busy = Tlsad::Process::spawn(code => sub {
		my $client = $daemon->client(timeout => PROMPT);
		$client->request('policy', $_) eq 'OK dane-only' or die
			for map { ('full.dane.lab', '[mx1.dane.lab]') } 1 .. 2000;
	});
	for (1 .. 50) { $daemon->reload; Time::HiRes::sleep(0.01) }
	is($busy->wait(2 * PROMPT), 0, 'fifty reloads disturb no request');
	is($daemon->stop, 0, 'the daemon ends with status 0');
}

# Once it accepts connections, signals must work.
sub early_signals
{
	my ($died, $status) = (0, 0);
	for my $signal (('HUP') x 10, ('TERM') x 10) {
		my $daemon = Tlsad::Daemon->start(config => { resolver => { timeout => '1s' } });
		$daemon->{process}->signal($signal);
		if ($signal eq 'HUP') {
			Time::HiRes::sleep(0.1);
			$died++ unless $daemon->alive;
		} else {
			$status++ unless ($daemon->{process}->wait(PROMPT) // -1) == 0;
		}
		$daemon->stop;
	}
	is($died, 0, 'SIGHUP as soon as it accepts connections');
	is($status, 0, 'SIGTERM as soon as it accepts connections');
}

# Log lines must not go into the socket or the file that gets the free number.
sub closed_streams
{
	my $file = "$directory/closed.conf";
	my $socket = "$directory/closed.socket";
	write_file($file, "[server]\nsocketmap = unix:$socket\npolicy =\ncontrol =\n[log]\ntarget = stderr\n"
		. "[resolver]\nquery_localhost = yes\nstub = . 127.0.0.1\@1\n[cache]\npath = $directory/closed\n");
	my $process = Tlsad::Process::spawn(command => ['/bin/sh', '-c',
		"exec @{[Tlsad::Daemon::binary()]} -c $file <&- >&- 2>&-"]);
	my $end = Time::HiRes::time() + PROMPT;
	Time::HiRes::sleep(0.02) until -S $socket || Time::HiRes::time() > $end || !$process->alive;
	ok(-S $socket, 'it starts');
	is(readlink("/proc/$process->{pid}/fd/$_"), '/dev/null', "descriptor $_") for 0 .. 2;
	$process->signal('TERM');
	is($process->wait(PROMPT), 0, 'and ends');
	my @written = grep { read_file($_) =~ /tlsad: (?!grown)/ } glob("$directory/closed/*");
	is("@written", '', 'no file of the cache has a line of the log');
}

sub logging
{
	my $daemon = Tlsad::Daemon->start(lab => $lab);
	my $client = $daemon->client(timeout => PROMPT);
	$client->request('policy', $_) for qw(full.dane.lab no-tlsa.dane.lab bogus-mx.dane.lab);
	ok($daemon->wait_log(qr/validation works/i, PROMPT), 'the probe has logged its result');
	# Parts are committed a few milliseconds after their answer went out.
	Time::HiRes::sleep(0.3);
	like($daemon->log_text, qr/looked up full\.dane\.lab.*reason=dane-full/, 'a lookup has a line');
	like($daemon->log_text, qr/warning: .*bogus-mx\.dane\.lab.*reason=bogus/, 'a failed one is a warning');
	my $before = $daemon->log_text;
	for (1 .. 500) {
		$client->request($_, 'full.dane.lab') for qw(policy explain);
		$client->request('policy', $_) for qw(no-tlsa.dane.lab nonsense bogus-mx.dane.lab);
		$client->request('no-such-map', 'x');
	}
	is(substr($daemon->log_text, length($before)), '', '3,000 replies from the cache have none');
	unlike($daemon->log_text, qr/debug|asked /, 'no steps at the default level');
	is($daemon->stop, 0, 'the daemon ends with status 0');
	my $figures = figures($daemon);
	is($figures->{requests}, 3003, 'the last line has counters');

	my $verbose = Tlsad::Daemon->start(lab => $lab, args => ['-v']);
	is($verbose->request('policy', 'full.dane.lab'), 'OK dane-only', '-v: an answer');
	for my $step ('full\.dane\.lab MX', 'mx1\.dane\.lab A', 'mx1\.dane\.lab AAAA',
		'_25\._tcp\.mx1\.dane\.lab TLSA') {
		like($verbose->log_text, qr/debug: asked $step: outcome=found dnssec=secure ttl=\d+/, "-v: $step");
	}
	for my $byte (map { chr } 0 .. 255) {
		$verbose->request('policy', "x$byte.dane.lab");
		$verbose->request("m$byte", "x$byte");
		$verbose->request('explain', "$byte\e[31mred\e[0m\r\nforged: line\0");
	}
	unlike($verbose->log_text, qr/[^ -~\n]/, 'no raw byte of a key gets into the log');
	unlike($verbose->log_text, qr/^forged/m, 'nor a line of its own');
	is($verbose->stop, 0, 'the daemon ends with status 0');

	my $journal = Tlsad::Daemon->start(lab => $lab, env => { JOURNAL_STREAM => '8:1234' });
	$journal->request('policy', 'bogus-mx.dane.lab');
	$journal->stop;
	my @plain = grep { !/^<[0-7]>/ } split(/\n/, $journal->log_text);
	is("@plain", '', 'for the journal every line has its level');
	like($journal->log_text, qr/^<4>.*bogus-mx/m, 'the right level');
}

sub few_descriptors
{
	my $daemon = Tlsad::Daemon->start(lab => $lab, config => { server => { workers => 2 } },
		wrapper => [ 'sh', '-c', 'ulimit -n 64; exec "$@"', 'sh' ]);
	is($daemon->request('policy', 'full.dane.lab'), 'OK dane-only', 'served');
	like($daemon->log_text, qr/may open .*\bfiles\b.*max_connections/, 'the log tells');
	my @idle = map { eval { $daemon->client(timeout => PROMPT) } } 1 .. 120;
	Time::HiRes::sleep(0.5);
	my $client = $daemon->client(timeout => PROMPT);
	is(eval { $client->request('policy', 'full.dane.lab') } // $@, 'OK dane-only',
		'beside more idle connections than there are descriptors');
	# The resolver needs descriptors, too.
	my $reply = eval { $daemon->client(timeout => 3 * PROMPT)->request('policy', 'nsec3.lab') } // $@;
	is($reply, 'OK dane-only', 'never-asked destinations are looked up, too');
	$_ && $_->close for @idle;
	is(eval { $daemon->client(timeout => PROMPT)->request('policy', 'one.dane.lab') } // $@,
		'OK dane-only', 'and after they are closed');
	is($daemon->stop, 0, 'the daemon ends with status 0');
}

# libunbound ends the process when it cannot open its file of trust anchors. Connections must leave
# descriptors for it, even when it starts again.
sub few_for_everybody
{
	my ($port, $policy) = (Tlsad::Process::free_port(), Tlsad::Process::private_directory() . '/policy');
	my $config = { server => { workers => 2, metrics => "inet:127.0.0.1:$port", policy => "unix:$policy" },
		resolver => { timeout => '15s' } };
	my $daemon = Tlsad::Daemon->start(lab => $lab, config => $config,
		wrapper => [ 'sh', '-c', 'ulimit -n 64; exec "$@"', 'sh' ]);
	my $control = $daemon->directory . '/control';
	my @crowd;
	for (1 .. 60) {
		push(@crowd, eval { $daemon->client(timeout => PROMPT) });
		push(@crowd, map { IO::Socket::UNIX->new(Peer => $_) } $policy, $control);
		push(@crowd, IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port, Timeout => 1));
	}
	for my $round (1 .. 3) {
		$daemon->write_config({ %$config, cache => { max_ttl => "${round}h" } });
		my $from = length($daemon->log_text);
		$daemon->reload;
		ok($daemon->wait_log(qr/reloaded/, PROMPT, $from), "round $round: the resolver starts again")
			or diag($daemon->log_text);
		# A lookup that keeps its socket open for a while.
		# The connection may be closed before the request is sent.
		eval {
			my $client = $daemon->client(timeout => PROMPT);
			$client->send_request('policy', "s$round.faults.lab");
			push(@crowd, $client);
		};
		# With many clients, a new connection may be closed for the next one before it was served.
		my $reply = '';
		wait_until(PROMPT, sub { $reply = eval { $daemon->client(timeout => 2 * PROMPT)
			->request('policy', 'full.dane.lab') } // $@; return $reply !~ /closed/ });
		is($reply, 'OK dane-only', 'and answers') or diag($daemon->log_text);
	}
	cmp_ok(descriptors($daemon), '<=', 64, 'with what it has');
	is($daemon->stop, 0, 'the daemon ends with status 0');
}
