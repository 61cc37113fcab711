#!/usr/bin/perl
# tlsactl exception list, add and remove: the other lines of the file, its owner and mode
# are kept; two changes at the same time; a running daemon applies them; bad input is refused.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use POSIX ();
use IO::Socket::UNIX;
use Socket qw(SOCK_STREAM);
use Test::More;
use Tlsad::Ctl;
use Tlsad::Daemon;
use Tlsad::FakeControl;
use Tlsad::Lab;
use Tlsad::Process;

use constant PROMPT => 20;		# [s] for what should take milliseconds
use constant DAY => 24 * 60 * 60;
use constant AT_ONCE => 8;

my $directory = Tlsad::Process::private_directory();
my $file = "$directory/exceptions";
my $socket = "$directory/control";	# no daemon listens on it
my $tomorrow = POSIX::strftime('%Y-%m-%d', gmtime(time + DAY));

subtest('add, list, remove' => \&commands);
subtest('the file' => \&the_file);
subtest('two at once' => \&at_once);
subtest('refused' => \&refused);
subtest('a daemon that does not apply it' => \&not_applied);
subtest('with a daemon' => \&with_a_daemon);
done_testing();

sub write_file
{
	my ($path, $text) = @_;
	open(my $handle, '>', $path) or die "$path: $!\n";
	print {$handle} $text;
	close($handle) or die "$path: $!\n";
}

sub read_file
{
	my ($path) = @_;
	open(my $handle, '<', $path) or return undef;
	local $/;
	return <$handle> // '';
}

sub ctl
{
	my (%config) = @_;
	return Tlsad::Ctl->new(config => { server => { control => "unix:$socket" },
		dane => { exceptions_file => $file }, %config });
}

sub commands
{
	my $ctl = ctl(exception => { 'conf.example' => 'encrypt ; is there' },
		minimum => { '.strict.example' => 'dane', 'tls.example' => 'encrypted' });
	my $list = $ctl->run('exception', 'list');
	is($list->{status}, 0, 'list without a file');
	like($list->{out}, qr/\Aconf\.example encrypt, in force, \S+tlsad\.conf:\d+; is there\n\z/, 'what it prints');

	my $add = $ctl->run('exception', 'add', 'Example.ORG', 'may', '--until', $tomorrow, '--reason', 'ticket 5 ; "x" = y');
	is($add->{status}, 0, 'add');
	is($add->{out}, "example.org: added\n", 'it says so');
	like($add->{err}, qr/the change is written, but tlsad is not running; it applies the change when it starts/, 'and that no daemon has it');
	is(read_file($file), "example.org = may until $tomorrow ; ticket 5 ; \"x\" = y\n", 'what it writes');
	is($ctl->run('exception', 'add', 'bücher.example', 'none')->{status}, 0, 'in UTF-8');
	my $json = $ctl->json('exception', 'add', '.sub.example', 'encrypt', '-u', "${tomorrow}T12:30Z", '-r', 'für uns');
	is($json->{status}, 0, 'add --json');
	is_deeply($json->{json}, { domain => '.sub.example', level => 'encrypt', until => "${tomorrow}T12:30Z",
		why => "f\x{fc}r uns", file => $file, change => 'added', reloaded => JSON::PP::false }, 'what it says');
	my $replaced = $ctl->run('exception', 'add', 'EXAMPLE.org', 'encrypt');
	is($replaced->{out}, "example.org: replaced\n", 'replaced');
	is(read_file($file), "example.org = encrypt\nxn--bcher-kva.example = none\n"
		. ".sub.example = encrypt until ${tomorrow}T12:30Z ; für uns\n", 'in its place');

	my $overruled = $ctl->run('exception', 'add', 'mx.strict.example', 'may');
	is($overruled->{status}, 0, 'one that a minimum overrules');
	like($overruled->{err}, qr/lower than the minimum \.strict\.example = dane, which applies instead/, 'it says so');
	$ctl->run('exception', 'add', 'tls.example', 'none');
	open(my $handle, '>>', $file) or die "$file: $!\n";
	print {$handle} "old.example = may until 2001-01-01\n";
	close($handle);
	my $all = $ctl->json('exception', 'list');
	my @objects = @{JSON::PP->new->decode($ctl->run('--json', 'exception', 'list')->{out})};
	is_deeply([ map { "$_->{domain} $_->{state}" } @objects ], [ 'conf.example in force',
		'example.org in force', 'xn--bcher-kva.example in force', '.sub.example in force',
		'mx.strict.example overruled by the minimum', 'tls.example raised by the minimum',
		'old.example ended' ], 'list --json');
	is_deeply($objects[-1], { domain => 'old.example', level => 'may', until => '2001-01-01', why => '',
		state => 'ended', file => $file, line => 6 }, 'one of them');
	like($ctl->run('exception', 'list')->{out}, qr/^old\.example\s+may until 2001-01-01, ended, \Q$file\E:6$/m, 'list');

	my $remove = $ctl->json('exception', 'remove', 'Example.org.');
	is($remove->{status}, 0, 'remove');
	is_deeply($remove->{json}, { domain => 'example.org', file => $file, change => 'removed',
		reloaded => JSON::PP::false }, 'what it says');
	unlike(read_file($file), qr/example\.org/, 'gone');
	my $again = $ctl->run('exception', 'remove', 'example.org');
	is($again->{status}, 1, 'remove an exception that does not exist');
	is($again->{err}, "tlsactl: error: there is no exception for example.org in $file\n", 'one line');
	is(ctl()->run('exception', 'remove', $_)->{status}, 0, "remove $_")
		for qw(xn--bcher-kva.example .SUB.example mx.strict.example tls.example old.example);
	is(read_file($file), '', 'nothing is left');
	is(join(' ', glob("$file*")), $file, 'beside it neither');
	unlink($file);
}

sub the_file
{
	my $ctl = ctl();
	my $text = "# why we do this\r\n\n  ; more\nb.example\tencrypt   \nnonsense line\n.a.example = none ; x";
	write_file($file, $text);
	chmod(0640, $file);
	my $group = $> == 0 ? 12 : (stat($file))[5];
	chown($> == 0 ? 8 : -1, $group, $file) or die "$file: $!\n";
	my @before = (stat($file))[2, 4, 5];
	# The invalid line is kept and reported.
	my $result = $ctl->run('exception', 'add', 'c.example', 'may');
	is($result->{status}, 1, 'a file that is broken elsewhere');
	like($result->{err}, qr/written, but tlsad will not apply it until this is corrected: \Q$file\E:5: /, 'says where');
	is(read_file($file), "$text\nc.example = may\n", 'every other line is as it was');
	is("@{[(stat($file))[2, 4, 5]]}", "@before", 'and so are owner and mode');
	# Even an invalid line can be removed by its domain.
	write_file($file, "a.example may\nb.example maybe\nB.example none\n");
	is($ctl->run('exception', 'remove', 'b.example')->{status}, 0, 'remove a line that is broken');
	is(read_file($file), "a.example may\n", 'and its double');
	rename($file, "$directory/real") or die "$file: $!\n";
	symlink('real', $file) or die "$file: $!\n";
	is($ctl->run('exception', 'add', 'd.example', 'may')->{status}, 0, 'through a link');
	ok(-l $file, 'which stays');
	is(read_file("$directory/real"), "a.example may\nd.example = may\n", 'and leads to it');
	unlink($file);
	mkdir($file);
	like($ctl->run('exception', 'remove', 'a.example')->{err}, qr/this is not a regular file|cannot read/, 'no file');
	rmdir($file);
	is($ctl->run('exception', 'add', 'new.example', 'may')->{status}, 0, 'a new file');
	is(sprintf('%04o', (stat($file))[2] & 07777), '0644', 'which the daemon can read');
	unlink($file);
}

sub at_once
{
	my $ctl = ctl();
	my @children;
	for my $number (1 .. AT_ONCE) {
		my $pid = fork() // die "fork: $!\n";
		if ($pid == 0) {
			$ctl->run('exception', 'add', "d$number-$_.example", 'may') for 1 .. 4;
			POSIX::_exit(0);
		}
		push @children, $pid;
	}
	waitpid($_, 0) for @children;
	is(() = (read_file($file) // '') =~ /^d\d+-\d+\.example = may$/mg, 4 * AT_ONCE, 'none is lost');
	unlink($file);
}

sub refused
{
	my $ctl = ctl(exception => { 'conf.example' => 'encrypt' });
	for my $row (
		[ 64, qr/DOMAIN is missing/, 'add' ],
		[ 64, qr/LEVEL is missing/, 'add', 'example.org' ],
		[ 64, qr/'x' is one too many/, 'add', 'example.org', 'may', 'x' ],
		[ 64, qr/'fingerprint' is not a level for an exception; use one of none, may,/, 'add', 'example.org', 'fingerprint' ],
		[ 64, qr/'org' is not a domain name/, 'add', 'org', 'may' ],
		[ 64, qr/an exception for \* would apply to every destination; /, 'add', '*', 'may' ],
		[ 64, qr/'1\.2\.3\.4' is not a domain name; write example\.org, or \.example\.org for all names below it$/m, 'add', '1.2.3.4', 'may' ],
		[ 64, qr/--until: '2200-12-31' is too late: the last possible date is 2106-02-06/, 'add', 'example.org', 'may', '--until', '2200-12-31' ],
		[ 64, qr/--until: 'never' is not a date; write 2026-12-31 or/, 'add', 'example.org', 'may', '--until', 'never' ],
		[ 64, qr/--until 2001-01-01: this is in the past/, 'add', 'example.org', 'may', '--until', '2001-01-01' ],
		[ 64, qr/--reason: .*control character/, 'add', 'example.org', 'may', '--reason', "a\nb" ],
		[ 64, qr/DOMAIN is missing/, 'remove' ],
		[ 64, qr/'example\.org' is one too many/, 'list', 'example.org' ],
		[ 64, qr/'exception' is not a command alone/ ],
		[ 1, qr/the exception for conf\.example is in \S+tlsad\.conf:\d+: change it there/, 'remove', 'conf.example' ],
		[ 1, qr/is in/, 'add', 'conf.example', 'may' ],
	) {
		my ($status, $words, @arguments) = @$row;
		my $result = $ctl->run('exception', @arguments);
		is($result->{status}, $status, "exception @arguments" =~ s/\n/ /r);
		like($result->{err}, $words, 'why');
		is($result->{out}, '', 'and nothing else');
	}
	ok(!-e $file, 'no file is made');
	my $without = Tlsad::Ctl->new(config => { server => { control => "unix:$socket" } });
	my $result = $without->run('exception', 'add', 'example.org', 'may');
	is($result->{status}, 1, 'no file is set');
	is($result->{err}, "tlsactl: error: [dane] exceptions_file is not set: set it in tlsad.conf to the file "
		. "where tlsactl keeps exceptions, then reload tlsad\n", 'one line');
	my $nowhere = ctl(dane => { exceptions_file => '/nonexistent/exceptions' });
	$result = $nowhere->run('exception', 'add', 'example.org', 'may');
	is($result->{status}, 1, 'a directory that does not exist');
	like($result->{err}, qr{\A\S+ \S+ /nonexistent: cannot open it: No such file or directory; create the directory, or correct \[dane\] exceptions_file [^\n]*\n\z}, 'one line');
	my $command = join(' ', Tlsad::Ctl::binary(), '-c', $ctl->config_file);
	my $text = qx(exec 2>&1; trap '' XFSZ; ulimit -f 0; $command exception add example.org may; echo \$?);
	like($text, qr{\Atlsactl: error: \Q$file\E: cannot write it: File too large; correct this, or set \[dane\] exceptions_file [^\n]*\n1\n\z},
		'a file that cannot be written');
	ok(!-e $file, 'it is not there');
	write_file($file, "example.org maybe\n");
	$result = $ctl->run('exception', 'list');
	is($result->{status}, 78, 'a broken file cannot be listed');
	like($result->{err}, qr/\Q$file\E:1: 'maybe' is not a level/, 'it says where');
	unlink($file);
}

# Only if no process listens on the socket, nothing is wrong.
sub not_applied
{
	my $written = qr/^tlsactl: error: the change is written, but tlsad has not applied it: run "tlsactl reload" or "systemctl reload tlsad" as root$/m;
	my $check = sub {
		my ($what, $ctl, $words, @options) = @_;
		for my $row (['added', 'add', 'example.org', 'may'], ['removed', 'remove', 'example.org']) {
			my ($change, @arguments) = @$row;
			my $result = $ctl->run('exception', @arguments, @options);
			is("$result->{status} $result->{out}", '69 ', "$what, $change: status, and no output");
			like($result->{err}, $words, 'why');
			like($result->{err}, $written, 'that it is not in force');
			unlike($result->{err}, qr/not running/, 'not that tlsad is not running');
			is(read_file($file), $change eq 'added' ? "example.org = may\n" : '', 'it is written');
		}
	};
	my $fake = Tlsad::FakeControl->start(sub { $_[0]->hang_up });
	$check->('closed', ctl(), qr/closed the connection/, '-s', $fake->path);
	$check->('closed, --json', ctl(), qr/closed the connection/, '--json', '-s', $fake->path);
	# A daemon that is stopped accepts nothing, so its listen queue is full after some time.
	my $stopped = IO::Socket::UNIX->new(Local => "$directory/stopped", Type => SOCK_STREAM, Listen => 1) or die "$!\n";
	my @waiting = map { my $client = IO::Socket::UNIX->new(Type => SOCK_STREAM);
		$client->blocking(0);
		connect($client, Socket::pack_sockaddr_un("$directory/stopped")); $client } 1 .. 4;
	$check->('stopped', ctl(), qr/did not accept the connection/, '-s', "$directory/stopped");
	write_file("$directory/plain", '');
	$check->('a mistyped socket', ctl(), qr/there is no such socket/, '-s', "$directory/mistyped");
	$check->('no control socket', ctl(server => { control => '' }), qr/control is empty/);
	$check->('not a socket', ctl(), qr/this is not a socket/, '-s', "$directory/plain");
	SKIP: {
		skip('root may open any socket', 1) if $> == 0;
		my $closed = Tlsad::FakeControl->start(sub { });
		chmod(0, $closed->path);
		$check->('no permission', ctl(), qr/permission denied/, '-s', $closed->path);
	}
	IO::Socket::UNIX->new(Local => "$directory/left-over", Type => SOCK_STREAM, Listen => 1)->close;
	my $result = ctl()->run('exception', 'add', 'example.org', 'may', '-s', "$directory/left-over");
	is("$result->{status} $result->{out}", "0 example.org: added\n", 'a socket left over: status');
	like($result->{err}, qr/tlsad is not running; it applies the change when it starts/, 'a warning');
	unlink($file);
}

sub with_a_daemon
{
	my @missing = Tlsad::Lab::missing_programs();
	plan(skip_all => "not installed: @missing") if @missing;
	my $lab = Tlsad::Lab->start;
	my $daemon = Tlsad::Daemon->start(lab => $lab, config => { server => { workers => 1 },
		dane => { exceptions_file => $file } });
	my $ctl = Tlsad::Ctl->new(config => { dane => { exceptions_file => $file },
		server => { control => 'unix:' . $daemon->directory . '/control' } });
	my $wait = sub {
		my ($expected) = @_;
		my ($end, $reply) = time + PROMPT;
		do { $reply = $daemon->request('policy', 'bogus-mx.dane.lab') } while ($reply !~ $expected && time < $end);
		like($reply, $expected, 'it is in force');
	};
	like($daemon->request('policy', 'bogus-mx.dane.lab'), qr/^TEMP /, 'before');
	my $result = $ctl->run('exception', 'add', 'bogus-mx.dane.lab', 'may', '--until', $tomorrow, '--reason', 'für uns');
	is($result->{status}, 0, 'add');
	is($result->{out}, "bogus-mx.dane.lab: added; tlsad has applied it\n", 'it says so');
	is($result->{err}, '', 'and nothing else');
	$wait->(qr/^OK may$/);
	my $explain = $ctl->run('explain', 'bogus-mx.dane.lab');
	is($explain->{status}, 0, 'explain');
	like($explain->{out}, qr/^exception\s+may for bogus-mx\.dane\.lab until $tomorrow, \Q$file\E:1: in force, instead of bogus; für uns$/m,
		'which shows the exception');
	is($ctl->json('exception', 'add', 'bogus-mx.dane.lab', 'encrypt')->{json}{reloaded}, JSON::PP::true, 'replaced');
	$wait->(qr/^OK encrypt$/);
	is($ctl->run('exception', 'remove', 'bogus-mx.dane.lab')->{out}, "bogus-mx.dane.lab: removed; tlsad has applied it\n", 'removed');
	$wait->(qr/^TEMP /);
	# If the daemon refuses its configuration for another reason, that is an error, though the file is changed.
	$daemon->write_config({ dane => { exceptions_file => $file, enforce => 'nonsense' } });
	$result = $ctl->run('exception', 'add', 'example.org', 'may');
	is($result->{status}, 1, 'the daemon refuses its configuration');
	like($result->{err}, qr/enforce = nonsense/, 'and says why');
	like($result->{err}, qr/the change is written, but tlsad has not applied it: correct this, then run "tlsactl reload"/,
		'and that it is not in force');
	is($daemon->stop, 0, 'the daemon ends with status 0');
}
