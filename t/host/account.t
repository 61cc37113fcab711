#!/usr/bin/perl
# tlsad started by root, without a service manager: it opens its sockets, changes to [server] user
# permanently, in [server] chroot if set, and writes a pid file. The test reads the result from
# /proc. Needs root; the account is nobody.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use File::Copy ();
use IO::Socket::INET;
use IO::Socket::UNIX;
use List::Util ();
use Socket qw(SOCK_STREAM);
use Test::More;
use Tlsad::Confined;
use Tlsad::Ctl;
use Tlsad::Daemon;
use Tlsad::Lab;
use Tlsad::Observe;
use Tlsad::PolicyHost qw(policy);
use Tlsad::Process;

# With systemd/tlsad.service tlsad never runs as root, so this needs no unit.
delete $ENV{TLSAD_HELD};

use constant PROMPT => 20;		# [s] for what should take milliseconds
use constant ACCOUNT => 'nobody';

my (undef, undef, $user, $group) = getpwnam(ACCOUNT);
my @missing = Tlsad::Lab::missing_programs();
push(@missing, 'root') if $> != 0;
push(@missing, 'an account ' . ACCOUNT) unless defined $user;
if (@missing) {
	plan(skip_all => "needs @missing") if ($ENV{CI} // '') ne 'true';
	plan(tests => 1);
	fail("there are (CI=true): @missing");
	exit 1;
}

my $lab = Tlsad::Lab->start;
# A sanitizer reads /proc at the end, which a chroot does not have.
my %blind = map { ($_ => join(':', grep { length } $ENV{$_} // '', 'detect_leaks=0')) } 'ASAN_OPTIONS';

subtest('another account' => \&another_account);
subtest('directories and sockets' => \&made_over);
subtest('who may not change the account' => \&not_allowed);
subtest('sockets of others' => \&others);
subtest('a pid file' => \&pid_file);
subtest('OpenRC' => \&openrc);
subtest('a chroot' => \&in_chroot);
subtest('a chroot that cannot be used' => \&bad_chroot);
subtest('a chroot without the CAs' => \&cas_outside);
done_testing();

# Everybody may read it.
sub open_directory
{
	my $directory = Tlsad::Process::private_directory();
	chmod(0755, $directory);
	return $directory;
}

# A daemon in a directory and with a trust anchor that the account can read.
sub options
{
	my (%options) = @_;
	my $directory = delete $options{directory} // open_directory();
	File::Copy::copy($lab->trust_anchor, "$directory/anchor.ds") or die "copy: $!\n";
	chown($user, $group, "$directory/cache") if mkdir("$directory/cache") && $options{own_cache};
	my $config = delete $options{config} // {};
	delete $options{own_cache};
	return (lab => $lab, directory => $directory, %options, config => { %$config,
		server => { user => ACCOUNT, %{$config->{server} // {}} },
		resolver => { trust_anchor => "$directory/anchor.ds", %{$config->{resolver} // {}} } });
}

sub status_of
{
	my ($daemon) = @_;
	open(my $handle, '<', '/proc/' . $daemon->pid . '/status') or die "status: $!\n";
	return { map { /^(\w+):\s*(.*?)\s*$/ ? ($1 => $2) : () } <$handle> };
}

sub another_account
{
	# A port that only root may have.
	my $port = List::Util::first { my $socket = IO::Socket::INET->new(LocalAddr => '127.0.0.1',
		LocalPort => $_, Proto => 'tcp', Listen => 1); defined $socket }
		List::Util::shuffle(700 .. 1000);
	my $daemon = Tlsad::Daemon->start(options(own_cache => 1,
		config => { server => { socketmap => "inet:127.0.0.1:$port" } }));
	is($daemon->request('policy', 'full.dane.lab'), 'OK dane-only', "it serves on port $port");
	my $status = status_of($daemon);
	is($status->{Uid}, join("\t", ($user) x 4), 'all four user ids are the account\'s');
	is($status->{Gid}, join("\t", ($group) x 4), 'and all four group ids');
	is($status->{Groups}, join(' ', groups_of(ACCOUNT)), 'it has its groups and no other');
	is($status->{$_}, '0' x 16, "$_ is empty") for qw(CapInh CapPrm CapEff CapAmb);
	is($status->{NoNewPrivs}, 1, 'it cannot get more by running a program');
	my @threads = map { (stat($_))[4] } glob('/proc/' . $daemon->pid . '/task/*');
	is(scalar(grep { $_ != $user } @threads), 0, 'no thread keeps other ids');
	ok(wait_until(PROMPT, sub { explain($daemon, 'full.dane.lab')->{cached} }), 'it stores');
	$daemon->reload;
	ok(defined $daemon->wait_log(qr/configuration reloaded/, PROMPT), 'it reloads');
	is($daemon->restart, 0, 'it ends with status 0');
	ok(explain($daemon, 'full.dane.lab')->{cached}, 'and finds what it has stored');
	is($daemon->stop, 0, 'once more');
}

sub groups_of
{
	my ($account) = @_;
	return sort { $a <=> $b } split(' ', qx(id -G $account));
}

sub made_over
{
	my $directory = open_directory();
	my $socket = "$directory/run/socketmap";
	my $daemon = Tlsad::Daemon->start(options(directory => $directory, config => {
		server => { socketmap => "unix:$socket", control => "unix:$directory/run/control" },
		cache => { path => "$directory/state" } }));
	is($daemon->request('policy', 'full.dane.lab'), 'OK dane-only', 'it serves');
	my %owner = map { ($_ => join(' ', (stat("$directory/$_"))[4, 5], sprintf('%o', (stat(_))[2] & 0777))) }
		qw(run state run/socketmap run/control state/parts.mdb);
	is($owner{run}, "$user $group 755", 'the directory of sockets is made, for the account');
	is($owner{state}, "$user $group 750", 'that of the cache, too');
	is($owner{'run/socketmap'}, "$user $group 666", 'sockets are the account\'s');
	is($owner{'run/control'}, "$user $group 600", 'that of tlsactl as well');
	like($owner{'state/parts.mdb'} // '', qr/^$user $group /, 'and the cache');
	is(system(Tlsad::Ctl::binary() . " -s $directory/run/control status >/dev/null"), 0, 'root may connect');
	is($daemon->stop, 0, 'it ends');
	ok(!-e $socket, 'its sockets are removed');
	# An existing directory belongs to somebody, and is not changed.
	my $kept = open_directory();
	mkdir("$kept/run", 0711);
	$daemon = Tlsad::Daemon->start(options(directory => $kept, own_cache => 1,
		config => { server => { socketmap => "unix:$kept/run/socketmap" } }));
	is(join(' ', (stat("$kept/run"))[4], sprintf('%o', (stat(_))[2] & 0777)), '0 711',
		'a directory that is there stays as it is');
	is($daemon->stop, 0, 'it ends');
	ok(-S "$kept/run/socketmap", 'a socket that it may not remove stays');
	$daemon->start_again;
	is($daemon->request('policy', 'full.dane.lab'), 'OK dane-only', 'and is replaced');
	is($daemon->stop, 0, 'it ends');
}

# Sockets accept connections before the start is complete; a reply shows that it is complete.
sub start_once_more
{
	my ($daemon) = @_;
	$daemon->start_again;
	$daemon->request('policy', 'nonsense');
	return $daemon;
}

# One line, status 1.
sub refused
{
	my ($what, $words, %options) = @_;
	my ($status, $log) = Tlsad::Daemon->run(options(%options));
	is($status, 1, "$what: status");
	my @errors = grep { /^tlsad: error: / } split(/\n/, $log);
	is(scalar(@errors), 1, "$what: one line") or diag($log);
	like($errors[0] // '', $words, "$what: why");
	return $log;
}

sub not_allowed
{
	my @nobody = as_nobody();
	plan(skip_all => 'setpriv is not installed') if @nobody && !defined $nobody[0];
	refused('not root', qr/user = daemon: only root can become another account/, wrapper => \@nobody,
		config => { server => { user => 'daemon' } });
	refused('a chroot without root', qr/chroot = .*only root can change/, wrapper => \@nobody,
		config => { server => { chroot => '/' } });
	refused('no such account', qr/user = no-such-one: there is no such account/,
		config => { server => { user => 'no-such-one' } });
	refused('root', qr/user = root is root/, config => { server => { user => 'root' } });
	refused('a cache of root', qr/cannot write in .*cache.*Permission denied/);
	# Started as that account: nothing to change.
	my $directory = open_directory();
	chown($user, $group, $directory);
	my $daemon = Tlsad::Daemon->start(options(directory => $directory, own_cache => 1,
		wrapper => \@nobody));
	is($daemon->request('policy', 'full.dane.lab'), 'OK dane-only', 'as the account itself');
	is($daemon->stop, 0, 'it ends');
}

# Directories in which everybody may create and rename files.
sub others
{
	my @nobody = as_nobody();
	plan(skip_all => 'setpriv is not installed') if @nobody && !defined $nobody[0];
	my $try = sub {
		my ($what, $mode, $make, $words) = @_;
		my $shared = open_directory();
		my $kept = $make->("$shared/socket");
		chmod($mode, $shared);
		refused($what, $words, own_cache => 1, wrapper => \@nobody, config => { server => {
			user => undef, socketmap => "unix:$shared/socket", control => '' } });
		ok(-S "$shared/socket", "$what: it is still there");
	};
	my $listen = sub {
		my ($path, $mode) = @_;
		my $socket = IO::Socket::UNIX->new(Type => SOCK_STREAM, Local => $path, Listen => 1) or die "$path: $!\n";
		chmod($mode, $path);
		return $socket;
	};
	$try->('one that lives', 0777, sub { $listen->($_[0], 0666) }, qr/another process listens/);
	$try->('one that may not be connected to', 0777, sub { $listen->($_[0], 0600) },
		qr/cannot find out whether a process listens on the socket .*: Permission denied/);
	$try->('a dead one that may not be removed', 01777, sub { $listen->($_[0], 0666)->close; 0 },
		qr/cannot remove the old socket .*not permitted/);
}

sub pid_file
{
	my $read = sub { open(my $handle, '<', $_[0]) or return; local $/; <$handle> // '' };
	my $directory = open_directory();
	my $daemon = Tlsad::Daemon->start(options(directory => $directory, own_cache => 1,
		config => { server => { pid_file => "$directory/pid" } }));
	$daemon->request('policy', 'nonsense');
	is($read->("$directory/pid"), $daemon->pid . "\n", 'it has the number');
	is((stat("$directory/pid"))[4], 0, 'and the account may not write it');
	is($daemon->stop, 0, 'it ends');
	is($read->("$directory/pid"), '', 'it is empty where it may not be removed');
	start_once_more($daemon);
	is($read->("$directory/pid"), $daemon->pid . "\n", 'and is used again');
	$daemon->kill9;
	start_once_more($daemon);
	is($read->("$directory/pid"), $daemon->pid . "\n", 'an old number is replaced');
	is($daemon->stop, 0, 'it ends');
	open(my $zeros, '>', "$directory/pid") or die;
	print {$zeros} "\0" x 6;
	close($zeros);
	start_once_more($daemon);
	is($read->("$directory/pid"), $daemon->pid . "\n", 'what a power failure left is replaced');
	is($daemon->stop, 0, 'it ends');
	my $file = open_directory() . '/pid';
	my $simple = Tlsad::Daemon->start(lab => $lab, config => { server => { pid_file => $file } });
	$simple->request('policy', 'nonsense');
	is($read->($file), $simple->pid . "\n", 'without another account, too');
	is($simple->stop, 0, 'it ends');
	ok(!-e $file, 'and it is gone');
	my $precious = open_directory() . '/precious';
	open(my $handle, '>', $precious) or die;
	print {$handle} "precious\n";
	close($handle);
	symlink($precious, "$directory/link");
	refused('a link', qr/pid_file: cannot write .*link/, own_cache => 1,
		config => { server => { pid_file => "$directory/link" } });
	is($read->($precious), "precious\n", 'which is not followed');
	refused('another file', qr/pid_file: cannot write \Q$precious\E: it is another file/, own_cache => 1,
		config => { server => { pid_file => $precious } });
	is($read->($precious), "precious\n", 'which is not overwritten');
	refused('a device', qr/pid_file: cannot write \/dev\/full/, own_cache => 1,
		config => { server => { pid_file => '/dev/full' } });
	refused('no directory', qr/pid_file: cannot write .*No such file or directory; set a path/, own_cache => 1,
		config => { server => { pid_file => "$directory/no/such" } });
}

# The script with stubs for OpenRC's functions: it starts tlsad with the right options.
sub openrc
{
	my $script = Tlsad::Process::source_directory() . '/contrib/openrc/tlsad';
	my $directory = open_directory();
	for my $stub (qw(checkpath ebegin eend supervise-daemon)) {
		open(my $handle, '>', "$directory/$stub") or die "$stub: $!\n";
		print {$handle} $stub eq 'eend' ? "#!/bin/sh\nexit \$1\n" : "#!/bin/sh\necho $stub \"\$@\"\n";
		chmod(0755, $handle);
	}
	my $try = sub {
		my ($conf) = @_;
		open(my $handle, '>', "$directory/conf") or die;
		print {$handle} $conf;
		close($handle);
		local $ENV{PATH} = join(':', $directory, Tlsad::Process::build_directory(), $ENV{PATH});
		local @ENV{qw(RC_SVCNAME TLSAD_CONF TLSAD_USER)} = ('tlsad', "$directory/conf", ACCOUNT);
		my $said = qx(sh -c '. $script; start_pre && reload' 2>&1);
		return ($? >> 8, $said);
	};
	my ($status, $said) = $try->("[server]\nworkers = 1\n");
	is($status, 0, 'it can be started, and reloaded') or diag($said);
	like($said, qr{^checkpath -d -m 0755 -o nobody /run/tlsad$}m, 'directories are made');
	like($said, qr{^supervise-daemon tlsad --signal HUP$}m, 'a reload is SIGHUP');
	($status, $said) = $try->("[server]\nworkers = none\n");
	isnt($status, 0, 'with a bad configuration it is not');
	like($said, qr{conf:2: \[server\] workers}, 'and says why');
}

sub in_chroot
{
	my $root = open_directory();
	my $outside = open_directory();
	my %config = (config => { server => { chroot => $root, socketmap => "unix:$outside/run/socketmap",
		pid_file => "$outside/pid" } });
	my $daemon = Tlsad::Daemon->start(options(directory => $root, own_cache => 1, env => \%blind, %config));
	is($daemon->request('policy', 'full.dane.lab'), 'OK dane-only', 'it serves on a socket outside');
	is(readlink('/proc/' . $daemon->pid . '/root'), $root, 'its root is the directory');
	is(readlink('/proc/' . $daemon->pid . '/cwd'), $root, 'and its working directory');
	is(status_of($daemon)->{Uid}, join("\t", ($user) x 4), 'it is the account');
	ok(wait_until(PROMPT, sub { explain($daemon, 'full.dane.lab')->{cached} }), 'it stores');
	ok(-s "$root/cache/parts.mdb", 'where its configuration says');
	is(readlink("$root$root"), '/', 'since its path leads there from inside');
	my @escaping = grep { !m{^(?:$root|/dev/null|socket:|anon_inode:|pipe:|\Q$outside\E/pid)} && -d $_ }
		map { readlink($_) // () } glob('/proc/' . $daemon->pid . '/fd/*');
	is("@escaping", '', 'no directory outside is open');
	my $from = length($daemon->log_text);
	$daemon->write_config({ %{{options(directory => $root, %config)}->{config}}, cache => { prefetch => 3 } });
	$daemon->reload;
	ok(defined $daemon->wait_log(qr/reloaded: 1 settings changed/, PROMPT, $from), 'a configuration inside is reloaded');
	is($daemon->restart, 0, 'it ends');
	ok(explain($daemon, 'full.dane.lab')->{cached}, 'and finds what it has stored');
	is($daemon->stop, 0, 'once more');
	is(-s "$outside/pid", 0, 'the pid file is emptied, though it is outside');
}

# The CAs for MTA-STS are read at the start.
sub cas_outside
{
	my $policies = Tlsad::PolicyHost->start;
	my $domain = 'sts.bulk.lab';
	$policies->serve($domain, policy => policy(mx => ["mx.$domain"]));
	my $sites = Tlsad::Lab->start(special => 0, zones => { 'bulk.lab' => "sts MX 10 mx.sts\nmx.sts A 192.0.2.1\n"
		. "mta-sts.sts A 127.0.0.1\n_mta-sts.sts TXT \"v=STSv1\\; id=1\"\n" });
	my $root = open_directory();
	my %config = (server => { chroot => $root }, sts => { enable => 'yes', port => $policies->port,
		private_addresses => 'yes', ca_file => $policies->ca_file });
	my %options = options(directory => $root, own_cache => 1, env => \%blind, config => \%config);
	File::Copy::copy($sites->trust_anchor, "$root/anchor.ds") or die "copy: $!\n";
	my $daemon = Tlsad::Daemon->start(%options, lab => $sites);
	is($daemon->client(timeout => PROMPT)->request('policy', $domain),
		"OK secure match=mx.$domain servername=hostname", 'a policy server is verified');
	unlike($daemon->log_text, qr/ca_file/, 'and nothing is said of the file');
	is($daemon->stop, 0, 'it ends');
	refused('no such file', qr/nowhere\.pem/, env => \%blind, directory => open_directory(), own_cache => 1,
		config => { sts => { enable => 'yes', ca_file => '/nowhere.pem' } });
}

sub bad_chroot
{
	my $root = open_directory();
	my $other = open_directory();
	my %server = (chroot => $root);
	refused('a cache outside', qr/\[cache\] path = \S+ is not below \[server\] chroot/, env => \%blind,
		config => { server => \%server });
	refused('a trust anchor outside', qr/\[resolver\] trust_anchor = \S+ is not below/, env => \%blind,
		directory => $other, config => { server => \%server, cache => { path => "$root/cache" } });
	refused('a directory of a like name', qr/\[cache\] path = \S+ is not below/, env => \%blind,
		config => { server => \%server, cache => { path => "$root-cache" } });
	for (['none', 'No such file'], ['anchor.ds', 'Not a directory']) {
		my ($name, $why) = @$_;
		my $place = open_directory();
		refused($name, qr/chroot: cannot change to .*$why/, env => \%blind, directory => $place,
			config => { server => { chroot => "$place/$name" }, cache => { path => "$place/$name/cache" },
				resolver => { trust_anchor => "$place/$name/anchor" } });
	}
	# The account has created a link there that leads elsewhere.
	my $trap = open_directory();
	my ($first) = $trap =~ m{^/([^/]+)/};
	symlink($other, "$trap/$first") or die;
	my $before = join(' ', glob("$other/*"));
	refused('a link to elsewhere', qr/chroot: cannot create inside it the/, env => \%blind, directory => $trap,
		own_cache => 1, config => { server => { chroot => $trap } });
	is(join(' ', glob("$other/*")), $before, 'root creates nothing there');
	my $taken = open_directory();
	system('mkdir', '-p', "$taken$taken") == 0 or die;
	refused('another directory in its place', qr/the same path exists and is not a link/, env => \%blind,
		directory => $taken, own_cache => 1, config => { server => { chroot => $taken } });
	# With a configuration file outside tlsad serves, and logs that a reload will not work.
	my $inside = open_directory();
	my %options = options(directory => $other, env => \%blind, config => { server => { chroot => $inside },
		cache => { path => "$inside/cache" }, resolver => { trust_anchor => "$inside/anchor.ds" } });
	File::Copy::copy($lab->trust_anchor, "$inside/anchor.ds");
	my $daemon = Tlsad::Daemon->start(%options);
	ok($daemon->wait_log(qr/a reload will not find \S+tlsad\.conf: it is not below \[server\] chroot/, PROMPT),
		'a configuration outside: a log line');
	is($daemon->request('policy', 'full.dane.lab'), 'OK dane-only', 'it serves');
	$daemon->reload;
	ok(defined $daemon->wait_log(qr/old configuration stays in use: .*No such file/, PROMPT), 'and a reload fails');
	is($daemon->request('policy', 'full.dane.lab'), 'OK dane-only', 'without harm');
	is($daemon->stop, 0, 'it ends');
}
