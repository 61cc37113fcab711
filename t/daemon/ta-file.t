#!/usr/bin/perl
# Files of trust anchors, which pinned replies name for Postfix to read: their content and names,
# that they exist whenever a reply names them, when they are removed, and directories in which they
# cannot be written.
#
# Tests of things that take the daemon a minute begin first and are checked last.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use File::Copy ();
use Test::More;
use Time::HiRes ();
use Tlsad::Confined;
use Tlsad::Daemon;
use Tlsad::FaultyDns;
use Tlsad::Lab;
use Tlsad::Observe;
use Tlsad::PinnedCases;
use Tlsad::Process;

use constant PROMPT => 20;		# [s] for what should take milliseconds
use constant DAY => 86400;
# [s] After a minute a directory that could not be written is tried again, and old files are
# removed.
use constant TIMEOUT => 60 + PROMPT;
use constant MANY => 40;		# anchors: their file takes several pages

my @missing = Tlsad::PinnedCases::missing_programs();
plan(skip_all => "not installed: @missing") if @missing;

my $cases = Tlsad::PinnedCases->new;
my $private = Tlsad::Process::private_directory();
chmod(0755, $private) or die "$private: $!\n";
$cases->certificates->make('leaf', issuer => 'root1', names => ['ta-one.site.lab']);
my @many = $cases->variants('root1', MANY);
my $zones = $cases->zones;
my $lab = Tlsad::Lab->start(special => 0, zones => { %$zones, 'bulk.lab' =>
	"many A 192.0.2.1\n" . join('', map { "_25._tcp.many TLSA 2 0 0 $_\n" } @many) });
# Answers every query with SERVFAIL.
my $failing = Tlsad::FaultyDns->start(rules => [ { name => '.', behaviour => 'servfail' } ]);

# The expected replies.
my %wanted = map { $_->{key} => $_->{reply} } grep { "@{$_->{settings}}" eq 'tafile' }
	@{$cases->list};
my @ta = qw(ta-one.site.lab ta-union.site.lab [ta-key.site.lab] [ta-forms.site.lab]);
my $fingerprint = $cases->fingerprint(256, qw(alpha/key beta/key));

my @broken = broken_directories();
my $sweep = begin_sweep();
subtest("$_->{name}" => sub { fails_softly($_) }) for @broken;
subtest('content and name' => \&content);
subtest('the same set, the same file' => \&same_sets);
subtest('mode' => \&mode);
subtest('tafile_prefix' => \&prefix);
subtest('files that were removed while tlsad did not run' => \&lost_files);
subtest('two daemons, one directory' => \&two_daemons);
subtest("$_->{name}: later" => sub { recovers($_) }) for @broken;
subtest('old files' => sub { end_sweep($sweep) });
done_testing();

# --- helpers

sub new_directory
{
	my ($name) = @_;
	mkdir("$private/$name") or die "$private/$name: $!\n";
	return "$private/$name";
}

sub start
{
	my ($directory, %options) = @_;
	my $dane = $options{dane} // {};
	return Tlsad::Daemon->start(lab => $lab, %options, config => {
		%{$options{config} // {}}, dane => { enforce => 'pinned', tafile_dir => $directory, %$dane } });
}

sub ask
{
	my ($daemon, $key) = @_;
	return $daemon->client(timeout => PROMPT)->request('pinned', $key);
}

sub is_right
{
	my ($daemon, $key, $what, %options) = @_;
	my $reply = ask($daemon, $key);
	is($cases->wrong($wanted{$key}, $reply, %options), '', "$what: $key");
	return $reply =~ m{ tafile=\S+/(tlsad-\S+)$} ? $1 : undef;
}

sub names_in
{
	my ($directory) = @_;
	opendir(my $handle, $directory) or die "$directory: $!\n";
	return sort grep { !/^\.\.?\z/ } readdir($handle);
}

sub files_in
{
	my @names = names_in(@_);
	return scalar(@names);
}

sub write_file
{
	my ($file, $text) = @_;
	open(my $handle, '>', $file) or die "$file: $!\n";
	print {$handle} $text;
	close($handle) or die "$file: $!\n";
}

sub read_file
{
	my ($file) = @_;
	open(my $handle, '<', $file) or return undef;
	local $/;
	return <$handle>;
}

# Both outputs.
sub openssl
{
	my (@arguments) = @_;
	my $pid = open(my $pipe, '-|') // die "fork: $!\n";
	if ($pid == 0) {
		open(STDERR, '>&', \*STDOUT);
		exec(Tlsad::Process::find_program('openssl'), @arguments) or exit 127;
	}
	my $text = do { local $/; <$pipe> } // '';
	close($pipe);
	return $text;
}

# --- files

sub content
{
	my $directory = new_directory('content');
	my $daemon = start($directory);
	my %files;
	for my $key (grep { $wanted{$_} =~ /^OK secure/ } sort keys %wanted) {
		my $name = is_right($daemon, $key, 'right', tafile_dir => $directory) or next;
		$files{$name} = $wanted{$key} =~ s/.* with //r;
	}
	is(join(' ', names_in($directory)), join(' ', sort keys %files),
		'there is no file that no reply has named');
	for my $name (sort keys %files) {
		my $count = () = $files{$name} =~ /\S+/g;
		like(openssl('storeutl', '-noout', "$directory/$name"), qr/^Total found: $count$/m,
			"openssl finds $files{$name}");
	}
	my ($one) = grep { $files{$_} eq 'root1/certificate' } keys %files;
	my ($other) = grep { $files{$_} eq 'root2/certificate' } keys %files;
	my $leaf = $cases->certificates->path('leaf', 'crt');
	like(openssl('verify', '-no-CApath', '-no-CAstore', '-CAfile', "$directory/$one", $leaf),
		qr/: OK$/m, 'openssl verifies with it what the authority has issued');
	unlike(openssl('verify', '-no-CApath', '-no-CAstore', '-CAfile', "$directory/$other", $leaf),
		qr/: OK$/m, 'and not with another');
	is($daemon->stop, 0, 'the daemon ends with status 0');
	is(join(' ', names_in($directory)), join(' ', sort keys %files), 'the files stay');
}

sub same_sets
{
	my $directory = new_directory('same');
	my $daemon = start($directory);
	my %options = (tafile_dir => $directory);
	my $first = is_right($daemon, 'ta-union.site.lab', 'one order', %options);
	is(is_right($daemon, 'ta-union-reversed.site.lab', 'the other', %options), $first, 'one file');
	is(is_right($daemon, '[ta-two.site.lab]', 'one host with both', %options), $first, 'the same');
	my $one = is_right($daemon, 'ta-one.site.lab', 'another set', %options);
	isnt($one, $first, 'another file');
	is(is_right($daemon, 'ta-insecure.site-plain.lab', 'its host again', %options), $one, 'the same');
	is(files_in($directory), 2, 'there are two');
	# Nothing is written for a reply from the cache.
	my @before = map { (stat("$directory/$_"))[1, 9] } names_in($directory);
	is_right($daemon, 'ta-one.site.lab', 'again', %options) for 1 .. 20;
	is(join(' ', map { (stat("$directory/$_"))[1, 9] } names_in($directory)), "@before",
		'a reply from the cache leaves them alone');
	is($daemon->stop, 0, 'the daemon ends with status 0');
}

sub mode
{
	for my $umask ('077', '000') {
		my $directory = new_directory("umask-$umask");
		my $daemon = start($directory,
			wrapper => [ 'sh', '-c', "umask $umask; exec \"\$@\"", 'sh' ]);
		is_right($daemon, 'ta-one.site.lab', "umask $umask", tafile_dir => $directory);
		is($daemon->stop, 0, 'the daemon ends with status 0');
	}
}

sub prefix
{
	my $directory = new_directory('prefix');
	my %options = (tafile_dir => $directory, tafile_prefix => '/etc/tlsad-anchors');
	my $daemon = start($directory, dane => { tafile_prefix => '/etc/tlsad-anchors' });
	is_right($daemon, $_, 'as Postfix sees it', %options) for @ta;
	like(explain($daemon, $ta[0])->{pinned}, qr{ tafile=/etc/tlsad-anchors/tlsad-}, 'explain as well');
	is($daemon->stop, 0, 'the daemon ends with status 0');
	ok(!-e '/etc/tlsad-anchors', 'nothing is written there');
}

# A reply from the cache never names a file that does not exist, even if it was removed.
sub lost_files
{
	my $directory = new_directory('lost');
	my %options = (tafile_dir => $directory);
	my $daemon = start($directory);
	my %file = map { $_ => is_right($daemon, $_, 'at first', %options) } @ta;
	my %content = map { $_ => read_file("$directory/$_") } values %file;
	is($daemon->stop, 0, 'the daemon ends with status 0');
	my ($gone, $cut, $linked, $changed) = map { "$directory/$file{$_}" } @ta;
	unlink($gone);
	write_file($cut, substr(read_file($cut), 0, 100));
	write_file("$private/victim", "somebody else's\n");
	unlink($linked);
	symlink("$private/victim", $linked) or die "symlink: $!\n";
	write_file($changed, read_file($changed) =~ s/A/B/r);
	$daemon->write_config({ dane => { enforce => 'pinned', tafile_dir => $directory },
		resolver => { stub => '. 127.0.0.1@' . $failing->port, timeout => '2s' } });
	$daemon->start_again;
	for my $key (@ta) {
		is(is_right($daemon, $key, 'from the cache', %options), $file{$key}, 'the same file');
	}
	is(read_file("$directory/$_"), $content{$_}, 'with the same content') for sort keys %content;
	ok(!-l $linked, 'no symbolic link is followed');
	is(read_file("$private/victim"), "somebody else's\n", 'nor its target changed');
	is($daemon->stop, 0, 'the daemon ends with status 0');
	is(join(' ', names_in($directory)), join(' ', sort keys %content), 'nothing else is left');
}

sub two_daemons
{
	my $directory = new_directory('shared');
	my @daemons = map { start($directory) } 1 .. 2;
	my @clients = map { my $daemon = $_; map { $daemon->client(timeout => PROMPT) } 1 .. 20 } @daemons;
	$_->send_request('pinned', '[ta-two.site.lab]') for @clients;
	my %replies;
	$replies{eval { $_->receive_reply } // $@}++ for @clients;
	is(join(' ', values %replies), '40', 'all replies are the same');
	is($cases->wrong($wanted{'[ta-two.site.lab]'}, (keys %replies)[0], tafile_dir => $directory), '',
		'and right');
	is(files_in($directory), 1, 'one file');
	is($_->stop, 0, 'the daemon ends with status 0') for @daemons;
}

# --- directories that do not serve

# name, directory (for tlsad), seen (for this process), daemon, and what ends the fault. Or skip: why not.
sub broken_directories
{
	my @broken;
	my $add = sub { push @broken, { @_, begin => Time::HiRes::time() } };
	my $gone = "$private/gone";
	$add->(name => 'no directory', directory => $gone, seen => $gone, daemon => start($gone),
		mend => sub { mkdir($gone) or die "$gone: $!\n" }, reason => qr/No such file/);

	my $file = "$private/file";
	write_file($file, "not a directory\n");
	$add->(name => 'a file in its place', directory => $file, seen => $file,
		daemon => start($file), reason => qr/Not a directory/,
		mend => sub { unlink($file); mkdir($file) or die "$file: $!\n" });

	my @wrapper = as_nobody();
	if (@wrapper && !defined $wrapper[0]) {
		$add->(name => 'not writable', skip => 'root, but there is no setpriv or no nobody');
	} else {
		my $forbidden = new_directory('forbidden');
		chmod(0555, $forbidden) or die "$forbidden: $!\n";
		my $home = new_directory('home');
		mkdir("$home/cache");
		chmod(0777, $home, "$home/cache");
		File::Copy::copy($lab->trust_anchor, "$home/anchor") or die "copy: $!\n";
		chmod(0644, "$home/anchor");
		$add->(name => 'not writable', directory => $forbidden, seen => $forbidden,
			daemon => start($forbidden, directory => $home, wrapper => \@wrapper,
				config => { resolver => { trust_anchor => "$home/anchor" } }),
			mend => sub { chmod(0777, $forbidden) or die "$forbidden: $!\n" },
			reason => qr/Permission denied/);
	}

	if (defined(my $obstacle = mount_obstacle())) {
		$add->(name => $_, skip => "needs $obstacle",
			ci => 1) for 'read-only', 'full', 'nearly full';
		return @broken;
	}
	my $fixed = "$private/read-only";
	my $daemon = start($fixed, wrapper => [ small_disk($fixed, '64k', "mount -o remount,ro $fixed") ]);
	$add->(name => 'read-only', directory => $fixed, seen => seen_by($daemon, $fixed),
		daemon => $daemon, reason => qr/Read-only file system/,
		mend => sub { system('nsenter', '-t', $daemon->pid, '-m', 'mount', '-o', 'remount,rw',
			$fixed) == 0 or die "nsenter failed\n" });
	for my $free (0, 8192) {
		my $name = $free ? 'nearly full' : 'full';
		my $full = "$private/$name" =~ s/ /-/r;
		my $daemon = start($full, wrapper => [ small_disk($full, '64k') ]);
		my $seen = seen_by($daemon, $full);
		fill("$seen/filler");
		truncate("$seen/filler", (-s "$seen/filler") - $free) or die "truncate: $!\n" if $free;
		$add->(name => $name, directory => $full, seen => $seen, daemon => $daemon,
			nearly => $free, reason => qr/No space left/,
			mend => sub { unlink("$seen/filler") or die "$seen/filler: $!\n" });
	}
	return @broken;
}

sub skip_broken
{
	my ($broken) = @_;
	return 0 unless $broken->{skip};
	return !fail("$broken->{skip}, and CI=true allows no gap")
		if $broken->{ci} && ($ENV{CI} // '') eq 'true';
	plan(skip_all => $broken->{skip});
}

sub complaints
{
	my ($broken) = @_;
	return grep { /\berror\b|\bwarning\b/ } split(/\n/, $broken->{daemon}->log_text);
}

sub fails_softly
{
	my ($broken) = @_;
	return if skip_broken($broken);
	my $daemon = $broken->{daemon};
	# A disk that is only nearly full has room for small files.
	my @keys = $broken->{nearly} ? 'many.bulk.lab' : @ta;
	$broken->{keys} = \@keys;
	for my $round (1 .. 3) {
		is(ask($daemon, $_), 'OK dane-only', "native: $_") for @keys;
	}
	is($daemon->request('policy', $keys[0]), 'OK dane-only', 'in map policy, too');
	is($daemon->request('pinned', 'union.site.lab'), $fingerprint, 'a reply that needs no file is pinned');
	is($daemon->request('tlsa', 'ta-two.site.lab'), 'OK ' . join(', ', sort map {
		$cases->rdata("2 0 0 $_") =~ s/(\S+)\z/uc $1/er } qw(root1 root2)), 'and is in map tlsa');
	like(explain($daemon, $keys[0])->{not_pinned}, qr/\w/, 'explain says why');
	my @complaints = complaints($broken);
	is(scalar(@complaints), 1, 'there is one line in the log') or diag(join("\n", @complaints));
	like($complaints[0], qr/\Q$broken->{directory}\E.*$broken->{reason}|$broken->{reason}.*\Q$broken->{directory}\E/,
		'which names the directory and the reason');
	my @left = -d $broken->{seen} ? names_in($broken->{seen}) : ();
	is(join(' ', grep { $_ ne 'filler' } @left), '', 'no incomplete file is left');

	$broken->{mend}->();
	# Another one need not wait.
	my %options = (tafile_dir => $broken->{directory},
		root => $broken->{seen} =~ m{^(/proc/\d+/root)} ? $1 : '');
	$broken->{options} = \%options;
	is_right($daemon, '[ta-two.site.lab]', 'mended', %options);
	is(scalar(complaints($broken)), 1, 'there is no other error');
	my $again = grep { /\Q$broken->{directory}\E/ } split(/\n/, $daemon->log_text);
	cmp_ok($again, '<=', 2, 'one more line may say that it works again');
}

sub recovers
{
	my ($broken) = @_;
	return if skip_broken($broken);
	my $daemon = $broken->{daemon};
	for my $key (@{$broken->{keys}}) {
		wait_until(TIMEOUT, sub { ask($daemon, $key) =~ /^OK secure / });
		if ($broken->{nearly}) { like(ask($daemon, $key), qr/^OK secure /, "pinned again: $key") }
		else { is_right($daemon, $key, 'pinned again', %{$broken->{options}}) }
	}
	is(scalar(complaints($broken)), 1, 'one error in total');
	is(join(' ', grep { !/^tlsad-[0-9a-f]{64}\.pem\z/ } names_in($broken->{seen})), '',
		'nothing else is left');
	is($daemon->stop, 0, 'the daemon ends with status 0');
}

# --- old files

# Modification times are 40 days ago unless stated otherwise.
sub begin_sweep
{
	my $directory = new_directory('sweep');
	my %options = (tafile_dir => $directory);
	my $daemon = start($directory);
	my @keys = qw(ta-one.site.lab [ta-two.site.lab] [ta-key.site.lab]);
	my %file = map { $_ => ask($daemon, $_) =~ m{/(tlsad-\w+\.pem)$} ? $1 : die "no file for $_\n" }
		@keys;
	$daemon->stop;
	my %old = map { $_ => 40 } values %file;
	my $ours = sub { 'tlsad-' . $_[0] x 64 . '.pem' };
	my %made = ($ours->('a') => 40, $ours->('b') => 3, $ours->('c') => 1, $ours->('d') => 0,
		'tlsad-.pem' => 40, 'tlsad-' . 'e' x 63 . '.pem' => 40, 'tlsad-' . 'f' x 64 => 40,
		'other.pem' => 40, 'README' => 40);
	write_file("$directory/$_", "content of $_\n") for keys %made;
	mkdir("$directory/tlsad-directory");
	for ([ %old ], [ %made ]) {
		my %days = @$_;
		utime(time, time - $days{$_} * DAY, "$directory/$_") or die "$_: $!\n" for keys %days;
	}
	$daemon->start_again;
	my $begin = Time::HiRes::time();
	# One is requested before the old files are removed, another one after that.
	my $asked = ask($daemon, $keys[0]);
	return { directory => $directory, daemon => $daemon, begin => $begin, keys => \@keys,
		file => \%file, made => \%made, asked => $asked, options => \%options, ours => $ours };
}

sub end_sweep
{
	my ($sweep) = @_;
	my ($directory, $daemon, $ours) = @{$sweep}{qw(directory daemon ours)};
	is($cases->wrong($wanted{$sweep->{keys}[0]}, $sweep->{asked}, %{$sweep->{options}}), '',
		'one was requested');
	ok(wait_until(TIMEOUT, sub { !-e "$directory/" . $ours->('a') }), 'old files are removed');
	for my $name (sort keys %{$sweep->{made}}) {
		# Over a day plus max_ttl (1 d) and serve_stale (1 h).
		my $goes = grep { $name eq $ours->($_) } qw(a b);
		is(read_file("$directory/$name"), $goes ? undef : "content of $name\n",
			"$name, of $sweep->{made}{$name} days ago, " . ($goes ? 'goes' : 'stays'));
	}
	ok(-d "$directory/tlsad-directory", 'a directory is left alone');
	for my $key (@{$sweep->{keys}}) {
		is(is_right($daemon, $key, 'there', %{$sweep->{options}}), $sweep->{file}{$key}, 'the same file');
	}
	is($daemon->stop, 0, 'the daemon ends with status 0');
}
