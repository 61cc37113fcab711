#!/usr/bin/perl
# SIGHUP, setting by setting: tlsad applies settings at once or, if they need a restart, names them
# and keeps the old value; it names them again as long as they differ.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use Tlsad::Ctl;
use Tlsad::Daemon;
use Tlsad::Lab;
use Tlsad::Observe;
use Tlsad::PinnedCases;
use Tlsad::Process;
use Tlsad::Settings;

use constant PROMPT => 30;		# [s] for what should take milliseconds

my @missing = Tlsad::PinnedCases::missing_programs();
plan(skip_all => "not installed: @missing") if @missing;

my $cases = Tlsad::PinnedCases->new;
my $lab = Tlsad::Lab->start(zones => $cases->zones);
my $anchors = Tlsad::Process::private_directory();
my $other = Tlsad::Process::private_directory();
my %settings = Tlsad::Settings::read_table();

# A value that differs from the one of the test below, for settings that need a restart.
my %restart = (
	'server.socketmap' => 'inet:127.0.0.1:1', 'server.control' => "unix:$other/control",
	'server.policy' => "unix:$other/policy", 'server.metrics' => "unix:$other/metrics", 'server.workers' => 5, 'server.socket_mode' => '0600', 'server.user' => 'nobody',
	'server.pid_file' => "$other/pid", 'resolver.trust_anchor' => "$other/none",
	'resolver.forward' => '192.0.2.1', 'resolver.stub' => '. 192.0.2.1',
	'resolver.query_localhost' => 'no', 'resolver.options' => "$other/none",
	'dane.tafile_dir' => $other, 'dane.tafile_prefix' => '/elsewhere',
	'cache.path' => "$other/cache", 'cache.max_size' => '2M', 'log.target' => 'syslog',
	'sts.ca_file' => "$other/none",
);

subtest('settings that need a restart' => \&needs_restart);
subtest('settings that do not' => \&taken_over);
done_testing();

sub nested
{
	my ($config, %values) = @_;
	my $merged = { map { ($_ => { %{$config->{$_}} }) } keys %$config };
	for my $name (keys %values) {
		my ($section, $key) = split(/\./, $name);
		$merged->{$section}{$key} = $values{$name};
	}
	return $merged;
}

# tlsactl reload: names of settings, (changed, restart).
sub reload
{
	my ($daemon, $config) = @_;
	$daemon->write_config($config);
	my $from = length($daemon->log_text);
	my $said = qx(@{[Tlsad::Ctl::binary()]} --json -s @{[$daemon->directory]}/control reload);
	my $answer = JSON::PP->new->decode($said);
	# Each thread applies it by itself, before the next message.
	$daemon->wait_log(qr/configuration reloaded/, PROMPT, $from);
	return (join(' ', sort @{$answer->{changed}}), join(' ', sort @{$answer->{restart}}));
}

# Pinned trust anchors show whether dane.tafile_dir is unchanged; status shows the rest.
sub needs_restart
{
	my $config = { dane => { tafile_dir => $anchors, enforce => 'pinned' }, server => { workers => 1 } };
	my $daemon = Tlsad::Daemon->start(lab => $lab, config => $config);
	my ($endpoints, $control) = ({ %{$daemon->{endpoints}} }, $daemon->{control});
	my $pinned = $daemon->request('policy', 'ta-one.site.lab');
	like($pinned, qr/tafile=\Q$anchors\E/, 'at first');
	my @rows = grep { !$settings{$_}{reload} && $_ ne 'server.chroot' } sort keys %settings;
	is(join(' ', sort keys %restart), "@rows", 'every setting that needs a restart is here');
	for my $name (@rows) {
		# Settings that another setting requires.
		my %values = ($name => $restart{$name});
		$values{'resolver.stub'} = '. 192.0.2.1' if $name eq 'resolver.query_localhost';
		my $expected = join(' ', sort keys %values);
		my ($changed, $restart) = reload($daemon, nested($config, %values));
		is($changed, '', "$name: nothing is applied");
		is($restart, $expected, 'it is named');
		($changed, $restart) = reload($daemon, nested($config, %values));
		is($restart, $expected, 'and again as long as it differs');
		@$daemon{qw(endpoints control)} = ({ %$endpoints }, $control);
		is($daemon->request('policy', 'ta-one.site.lab'), $pinned, 'it stays as it was');
	}
	my ($changed, $restart) = reload($daemon, $config);
	is("$changed$restart", '', 'as at first: nothing has changed');
	is($daemon->stop, 0, 'it ends');
}

# Each: settings, and a check of their effect.
sub taken_over
{
	my $config = { dane => { tafile_dir => $anchors }, cache => { max_ttl => '300s' } };
	my $daemon = Tlsad::Daemon->start(lab => $lab, config => $config);
	my $flush = sub { system(Tlsad::Ctl::binary() . " -s @{[$daemon->directory]}/control cache flush --all >/dev/null") };
	my $lifetime = sub { $flush->(); my $explain = explain($daemon, $_[0]); return $explain->{ttl} };
	my %seen;
	my $with = sub {
		my (%values) = @_;
		$seen{$_} = 1 for keys %values;
		my ($changed, $restart) = reload($daemon, nested($config, %values));
		is($restart, '', join(' ', 'no restart:', map { "$_=$values{$_}" } sort keys %values));
	};
	my $policy = sub { return $daemon->request('policy', $_[0]) };
	cmp_ok($lifetime->('full.dane.lab'), '<=', 300, 'at first, max_ttl');
	$with->('cache.max_ttl' => '1h');
	cmp_ok($lifetime->('full.dane.lab'), '>', 300, 'the resolver has no lower maximum');
	$with->('cache.max_ttl' => '2h', 'cache.min_ttl' => '5000s');
	$flush->();
	cmp_ok(explain($daemon, 'full.dane.lab')->{mx}{ttl}, '>', 3600, 'min_ttl');
	$with->('cache.failure_ttl' => '7s');
	cmp_ok($lifetime->('bogus-mx.dane.lab'), '<=', 7, 'failure_ttl');
	$with->('dane.enforce' => 'pinned');
	like($policy->('full.dane.lab'), qr/^OK fingerprint match=/, 'enforce');
	$with->('dane.enforce' => 'pinned', 'dane.fingerprint_digest' => 'sha512');
	is($policy->('full.dane.lab'), 'OK dane-only', 'fingerprint_digest');
	$with->('dane.site_level' => 'secure');
	is($policy->('cname-partial.dane.lab'), 'NOTFOUND ', 'site_level');
	my $why = sub { return explain($daemon, '[ta-key256.site.lab]')->{not_pinned} // '' };
	$with->();
	like($why->(), qr/learn_trust_anchors is off/, 'a trust anchor that is not learned');
	$with->('dane.learn_trust_anchors' => 'yes');
	unlike($why->(), qr/is off/, 'learn_trust_anchors');
	$with->('server.max_connections' => 3);
	my @idle = map { $daemon->client(timeout => PROMPT) } 1 .. 5;
	ok(wait_until(PROMPT, sub { scalar(grep { $_->closed_by_peer(0.05) } @idle) >= 2 }), 'max_connections');
	undef @idle;
	$with->('server.idle_timeout' => '1s');
	ok($daemon->client(timeout => PROMPT)->closed_by_peer(PROMPT), 'idle_timeout');
	$with->('resolver.timeout' => '1s');
	like($policy->('silent.lab'), qr/^TEMP /, 'resolver.timeout');
	# These have other tests or only one value; here they are only applied.
	$with->('server.allow' => '192.0.2.0/24');
	$with->('cache.prefetch' => 50);
	$with->('log.answers' => 'yes');
	$with->('dane.mode' => 'monitor');
	is($policy->('full.dane.lab'), 'NOTFOUND ', 'mode');
	for my $setting (qw(minimums_file exceptions_file)) {
		open(my $rules, '>', "$other/$setting") or die "$setting: $!\n";
		$with->("dane.$setting" => "$other/$setting");
	}
	my %policy = (warm => 'no', announce => 'yes', announce_header => 'X-Other', lacking => 'HOLD',
		wait => '5s', senders => 'example.org', sasl_usernames => 'alice', clients => '192.0.2.1');
	$with->("policy.$_" => $policy{$_}) for sort keys %policy;
	$with->('cache.serve_stale' => '1d');
	$with->('sts.enable' => 'off');
	my %sts = (insecure_mx => 'dane', timeout => '1s', keep => '1d', port => 8443, private_addresses => 'yes');
	$with->("sts.$_" => $sts{$_}) for sort keys %sts;
	$with->('requiretls.otherwise' => 'enforce');
	is(join(' ', sort keys %seen), join(' ', grep { $settings{$_}{reload} } sort keys %settings),
		'every setting that a reload applies was tested');
	is($daemon->stop, 0, 'it ends');
}
