package Tlsad::Daemon;

# Tlsad::Daemon - runs a tlsad for a test
#
# Purpose
#   Writes a configuration into a private directory, runs the tlsad of the build
#   directory in the foreground with it, and ends it. The configuration, sockets,
#   cache and resolver of the system are not used.
#
# Functions
#   Tlsad::Daemon->start(config => {SECTION => {KEY => VALUE or [VALUES]}},
#           args => [...], env => {NAME => VALUE}, lab => $lab,
#           directory => PATH, timeout => SECONDS, wrapper => [COMMAND...])
#       Returns when every socketmap endpoint, the control socket and, if there is one,
#       the metrics endpoint accept connections; dies with the log if that takes longer
#       than the timeout (default 30).
#       Defaults: the endpoints unix:DIRECTORY/socketmap, DIRECTORY/policy and
#       DIRECTORY/control, cache in DIRECTORY/cache, resolver
#       settings of the lab (Tlsad::Lab), or without a lab a root server on
#       which nothing listens, so that no query leaves this machine. A value of
#       undef removes a default. wrapper is a command that starts the daemon.
#   Tlsad::Daemon->run(the same, seconds => N)
#       For a daemon that should exit by itself. Returns (STATUS, LOG); STATUS is
#       the exit status, 128 + signal, or undef if it had to be killed.
#   $daemon->endpoint([N]), ->policy_endpoint([N])
#       the N-th socketmap and policy endpoint (from 0)
#   $daemon->control                path of the control socket, empty without one
#   $daemon->client([timeout => S]) a Tlsad::Socketmap to the first
#   $daemon->policy_client([timeout => S]) a Tlsad::Policy to the first
#   $daemon->request(MAP, KEY)      over a new connection
#   $daemon->directory, ->config_file, ->log_file, ->pid, ->alive
#   $daemon->log_text               everything on its standard error so far
#   $daemon->wait_log(qr/.../, SECONDS[, FROM])
#       The text from offset FROM on if it matches in time, otherwise undef.
#   $daemon->write_config({...})    replaces the configuration file
#   $daemon->reload                 SIGHUP
#   $daemon->restart                stop and start on the same directory
#   $daemon->kill9                  SIGKILL; start_again() starts it again
#   $daemon->stop([SECONDS])
#       SIGTERM; returns the exit status (128 + signal for a signal). If it does not
#       end within SECONDS (default 20) it is killed: 137.
#   refused_calls()
#       With TLSAD_HELD: the system calls that systemd/tlsad.service would have refused.
#   sanitizer_reports()
#       The reports of AddressSanitizer, LeakSanitizer, ThreadSanitizer and
#       UBSan that any daemon of this test has written so far.
#
# The END block below ends a test with status 1 if a sanitizer reported something. It
# does the same with TLSAD_HELD in the environment if a daemon has made a system call
# that systemd/tlsad.service forbids, which strace(1) finds. TLSAD_KEEP in the
# environment keeps the directories.

use strict;
use warnings;
use Scalar::Util ();
use Time::HiRes ();
use Tlsad::Policy;
use Tlsad::Process ();
use Tlsad::Socketmap;
use Tlsad::Unit ();

use constant START_TIMEOUT => 30;		# [s] sanitizers make a start slow
use constant LONGEST_RUN => 60;		# [s] of run()
use constant STOP_TIMEOUT => 20;		# [s]

my %all;		# weak references to every object, for the END block
my %reports;		# what sanitizers wrote, by log file
my $traces;		# directory, when system calls are held against the unit
my @held;		# the command for that
my $sanitizer_report = qr/(?:ERROR|WARNING): \w*Sanitizer|runtime error: |SUMMARY: \w+Sanitizer/;

sub binary { return Tlsad::Process::build_directory() . '/tlsad' }

sub _default_config
{
	my ($directory, $lab) = @_;
	my $resolver = $lab ? $lab->resolver_settings
		: { stub => ['. 127.0.0.1@1'], query_localhost => 'yes' };
	return {
		server => { socketmap => "unix:$directory/socketmap",
			policy => "unix:$directory/policy",
			control => "unix:$directory/control" },
		resolver => $resolver,
		cache => { path => "$directory/cache" },
	};
}

sub _new
{
	my ($class, %options) = @_;
	my $binary = $options{binary} // binary();
	die "$binary is missing: build tlsad, or set TLSAD_BUILD to its directory\n"
		unless -x $binary;
	my $directory = $options{directory} // Tlsad::Process::private_directory();
	mkdir("$directory/cache");
	my $self = bless {
		owner => $$,
		binary => $binary,
		directory => $directory,
		lab => $options{lab},
		args => $options{args} // [],
		env => $options{env} // {},
		wrapper => $options{wrapper} // [],
		timeout => $options{timeout} // START_TIMEOUT,
	}, $class;
	$self->write_config($options{config} // {});
	Scalar::Util::weaken($all{Scalar::Util::refaddr($self)} = $self);
	return $self;
}

sub start
{
	my ($class, %options) = @_;
	my $self = $class->_new(%options);
	$self->start_again;
	return $self;
}

sub run
{
	my ($class, %options) = @_;
	my $self = $class->_new(%options);
	$self->_spawn;
	my $status = $self->{process}->wait($options{seconds} // LONGEST_RUN);
	$self->{process}->signal('KILL') unless defined $status;
	$self->{process}->wait(5);
	$self->_collect_reports;
	return (_exit_status($status), $self->log_text);
}

sub write_config
{
	my ($self, $config) = @_;
	my $merged = _default_config($self->{directory}, $self->{lab});
	for my $section (keys %$config) {
		$merged->{$section}{$_} = $config->{$section}{$_}
			for keys %{$config->{$section}};
	}
	my $text = '';
	for my $section (sort keys %$merged) {
		$text .= "[$section]\n";
		for my $key (sort keys %{$merged->{$section}}) {
			my $value = $merged->{$section}{$key};
			next unless defined $value;
			$text .= "$key = $_\n" for ref $value ? @$value : $value;
		}
		$text .= "\n";
	}
	for my $service (qw(socketmap policy)) {
		my $endpoints = $merged->{server}{$service} // '';
		$endpoints = join(' ', @$endpoints) if ref $endpoints;
		$self->{endpoints}{$service} = [ grep { length } split(/[,\s]+/, $endpoints) ];
	}
	$self->{control} = $merged->{server}{control} // '';
	$self->{metrics} = $merged->{server}{metrics} // '';
	my $file = $self->config_file;
	open(my $handle, '>', "$file.new") or die "$file.new: $!\n";
	print {$handle} $text;
	close($handle) or die "$file.new: $!\n";
	rename("$file.new", $file) or die "$file: $!\n";
}

# Only refused calls stop the daemon for a moment; all other calls cost nothing.
sub _held
{
	my ($self) = @_;
	return () if !$ENV{TLSAD_HELD} || grep { $_ eq 'strace' } @{$self->{wrapper}};
	if (!$traces) {
		$traces = Tlsad::Process::private_directory();
		# Writable for any account that the daemon runs as.
		chmod(01777, $traces);
		@held = (qw(strace -D -ff --seccomp-bpf -e signal=none -e), Tlsad::Unit::refused_only(),
			'-o', "$traces/trace");
	}
	return @held;
}

# One line for each call that was or would have been refused.
sub refused_calls
{
	my %calls;
	return () unless $traces;
	for my $file (glob("$traces/trace.*")) {
		# strace may not have written everything yet.
		for (1 .. 100) {
			last if Tlsad::Process::slurp($file) =~ /^\+\+\+ (?:exited|killed)/m;
			Time::HiRes::sleep(0.05);
		}
		$calls{$_}++ for Tlsad::Process::slurp($file) =~ /^(\w+\(.*)$/mg;
	}
	return sort keys %calls;
}

sub _spawn
{
	my ($self) = @_;
	$self->{process} = Tlsad::Process::spawn(
		command => [ @{$self->{wrapper}}, $self->_held, $self->{binary}, '-c', $self->config_file,
			@{$self->{args}} ],
		log => $self->log_file, env => $self->{env});
}

sub start_again
{
	my ($self) = @_;
	$self->_spawn;
	my $end = Time::HiRes::time() + $self->{timeout};
	my @waiting = (@{$self->{endpoints}{socketmap}}, grep { length } $self->{metrics}, $self->{control});
	while (@waiting) {
		if (eval { Tlsad::Socketmap->new($waiting[0], timeout => 1)->close; 1 }) {
			shift @waiting;
			next;
		}
		my $error = $@;
		die "tlsad ended at its start:\n" . $self->log_text
			unless $self->{process}->alive;
		if (Time::HiRes::time() > $end) {
			$self->stop;
			die "tlsad does not accept on $waiting[0]: $error" . $self->log_text;
		}
		Time::HiRes::sleep(0.02);
	}
	# A listener of another, older process would have accepted too.
	die "tlsad ended at its start:\n" . $self->log_text
		unless $self->{process}->alive;
}

sub directory { return $_[0]{directory} }
sub config_file { return "$_[0]{directory}/tlsad.conf" }
sub log_file { return "$_[0]{directory}/log" }
sub endpoint { return $_[0]{endpoints}{socketmap}[$_[1] // 0] }
sub policy_endpoint { return $_[0]{endpoints}{policy}[$_[1] // 0] }
sub control { return $_[0]{control} =~ s/^unix://r }
sub pid { return $_[0]{process}->pid }
sub alive { return $_[0]{process} && $_[0]{process}->alive }
sub reload { return $_[0]{process}->signal('HUP') }

sub client
{
	my ($self, %options) = @_;
	return Tlsad::Socketmap->new($self->endpoint, %options);
}

sub policy_client
{
	my ($self, %options) = @_;
	my $end = Time::HiRes::time() + $self->{timeout};
	# These sockets are created a moment after those that the start waits for.
	while (1) {
		my $client = eval { Tlsad::Policy->new($self->policy_endpoint, %options) };
		return $client if $client;
		die $@ if Time::HiRes::time() > $end || !$self->alive;
		Time::HiRes::sleep(0.02);
	}
}

sub request
{
	my ($self, $map, $key) = @_;
	return $self->client->request($map, $key);
}

sub log_text
{
	my ($self) = @_;
	return Tlsad::Process::slurp($self->log_file);
}

sub wait_log
{
	my ($self, $pattern, $seconds, $from) = @_;
	my $end = Time::HiRes::time() + $seconds;
	while (1) {
		my $log = $self->log_text;
		my $text = length($log) > ($from // 0) ? substr($log, $from // 0) : '';
		return $text if $text =~ $pattern;
		return undef if Time::HiRes::time() >= $end;
		Time::HiRes::sleep(0.02);
	}
}

sub _exit_status
{
	my ($status) = @_;
	return undef unless defined $status;
	return $status & 127 ? 128 + ($status & 127) : $status >> 8;
}

sub stop
{
	my ($self, $seconds) = @_;
	return undef if !$self->{process} || $self->{owner} != $$;
	my $status = $self->{process}->stop($seconds // STOP_TIMEOUT);
	$self->_collect_reports;
	return _exit_status($status);
}

sub kill9
{
	my ($self) = @_;
	$self->{process}->signal('KILL');
	my $status = $self->{process}->wait(10);
	$self->_collect_reports;
	return _exit_status($status);
}

sub restart
{
	my ($self) = @_;
	my $status = $self->stop;
	$self->start_again;
	return $status;
}

sub _collect_reports
{
	my ($self) = @_;
	my $log = $self->log_text;
	return unless $log =~ $sanitizer_report;
	$reports{$self->log_file} = $log;
}

sub sanitizer_reports
{
	$_ && $_->_collect_reports for values %all;
	return map { "$_:\n$reports{$_}" } sort keys %reports;
}

sub DESTROY
{
	my ($self) = @_;
	return if $self->{owner} != $$;
	local ($@, $?, $!);
	$self->stop if $self->{process};
	delete $all{Scalar::Util::refaddr($self)};
}

END {
	my $test_status = $?;
	for my $daemon (grep { $_ && $_->{owner} == $$ } values %all) {
		$daemon->stop if $daemon->{process};
	}
	my @reports = sanitizer_reports();
	if (@reports) {
		print STDERR "# a sanitizer reported:\n";
		print STDERR map { s/^/# /gmr } @reports;
	}
	my @refused = refused_calls();
	print STDERR map { "# systemd/tlsad.service forbids: $_\n" } @refused;
	$? = $test_status || (@reports || @refused ? 1 : 0);
}

1;
