#!/usr/bin/perl
# contrib's files for Prometheus and Grafana: promtool accepts the rules and the dashboard's
# expressions, the alerts fire when they should, and every metric in an expression is on a running
# daemon's page, with its labels.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use JSON::PP ();
use Test::More;
use Tlsad::Daemon;
use Tlsad::Http;
use Tlsad::Lab;
use Tlsad::Process;

use constant COLUMNS => 24;		# of a Grafana dashboard

my @missing = Tlsad::Lab::missing_programs();
plan(skip_all => "not installed: @missing") if @missing;
my $promtool = Tlsad::Process::find_program('promtool');
unless (defined $promtool) {
	BAIL_OUT('promtool is not installed (CI=true)') if ($ENV{CI} // '') eq 'true';
	plan(skip_all => 'promtool (package prometheus) is not installed');
}

my $source = Tlsad::Process::source_directory();
my $directory = Tlsad::Process::private_directory();
my $rules = "$source/contrib/prometheus/tlsad.rules.yml";
my $dashboard = JSON::PP->new->utf8->decode(read_file("$source/contrib/grafana/tlsad.json"));
my %samples = read_page();		# metric name => { label => { value => 1 } }

subtest('alert rules' => \&alert_rules);
subtest('dashboard' => \&the_dashboard);
subtest('its expressions' => \&expressions);
done_testing();

sub read_file
{
	my ($file) = @_;
	open(my $handle, '<:raw', $file) or die "$file: $!\n";
	local $/;
	return <$handle>;
}

sub promtool_accepts
{
	my ($what, @arguments) = @_;
	my $output = `'$promtool' @arguments 2>&1`;
	ok($? == 0 && $output =~ /SUCCESS/, $what) or diag($output);
}

sub read_page
{
	my $lab = Tlsad::Lab->start;
	my $daemon = Tlsad::Daemon->start(lab => $lab,
		config => { server => { metrics => "unix:$directory/metrics" } });
	my $page = Tlsad::Http->new("unix:$directory/metrics")->page;
	$daemon->stop;
	my %found;
	for (keys %$page) {
		my ($name, $labels) = /^(\w+)(?:\{(.*)\})?$/;
		$found{$name} //= {};
		$found{$name}{$1}{$2} = 1 while ($labels // '') =~ /(\w+)="([^"]*)"/g;
	}
	return %found;
}

# Are all metrics of an expression on the page, with the labels and values that it uses?
sub is_on_page
{
	my ($expression, $what) = @_;
	my @wrong;
	while ($expression =~ /\b(tlsad_\w+)(?:\{([^}]*)\})?/g) {
		my ($name, $selector) = ($1, $2 // '');
		my $known = $samples{$name};
		if (!$known) { push @wrong, $name; next }
		while ($selector =~ /(\w+)(=~?)"([^"]*)"/g) {
			my ($label, $operator, $value) = ($1, $2, $3);
			next if $label eq 'job' || $label eq 'instance';
			my @values = $operator eq '=' ? $value : split(/\|/, $value);
			push @wrong, map { "$name\{$label=\"$_\"}" } grep { !$known->{$label}{$_} } @values;
		}
	}
	while ($expression =~ /\bby \(([^)]*)\)/g) {
		for my $label (split(/, */, $1)) {
			next if $label =~ /^(?:job|instance)$/;
			push @wrong, "by ($label)" unless grep { $_->{$label} } values %samples;
		}
	}
	is("@wrong", '', "$what: all of it exists");
}

sub alert_rules
{
	promtool_accepts('promtool check rules', 'check', 'rules', $rules);
	promtool_accepts('promtool test rules', 'test', 'rules', "$source/t/prometheus/rules.test.yml");
	my $text = read_file($rules) =~ s/^\s*#.*//mgr;
	for my $alert (split(/^\s*- (?=alert: )/m, $text)) {
		my ($name) = $alert =~ /\Aalert: (\w+)/ or next;
		my ($expression) = $alert =~ /^\s+expr: (.*?)^\s+for:/ms;
		is_on_page($expression // '', $name);
		like($alert, qr/severity: (?:critical|warning)\n/, "$name: a severity");
		like($alert, qr/summary: .*\n\s+description: >-\n/, "$name: what it means");
	}
	my @alerts = $text =~ /- alert: (\w+)/g;
	my $tests = read_file("$source/t/prometheus/rules.test.yml");
	like($tests, qr/alertname="$_"/, "$_ is tested") for @alerts;
	cmp_ok(scalar(@alerts), '>=', 5, 'all expected metrics');
}

# The parts of Grafana's dashboard schema that an import needs.
sub the_dashboard
{
	for my $member (qw(title uid schemaVersion panels templating time)) {
		ok(defined $dashboard->{$member}, "it has $member");
	}
	is($dashboard->{id}, undef, 'Grafana sets the id');
	my %variables = map { ($_->{name} => $_) } @{$dashboard->{templating}{list}};
	is_deeply([ sort keys %variables ], [qw(datasource instance job)], 'variables');
	my (%ids, %taken, @misplaced);
	for my $panel (@{$dashboard->{panels}}) {
		my $place = $panel->{gridPos};
		$ids{$panel->{id}}++;
		like($panel->{type}, qr/\A(?:stat|timeseries)\z/, "$panel->{title}: a type that Grafana has");
		is($panel->{datasource}{uid}, '${datasource}', "$panel->{title}: the chosen data source");
		push @misplaced, $panel->{title} if $place->{x} + $place->{w} > COLUMNS;
		for my $x ($place->{x} .. $place->{x} + $place->{w} - 1) {
			for my $y ($place->{y} .. $place->{y} + $place->{h} - 1) {
				push @misplaced, "$panel->{title}: $x, $y" if $taken{"$x $y"}++;
			}
		}
		my %references;
		$references{$_->{refId}}++ for @{$panel->{targets}};
		is(scalar(keys %references), scalar(@{$panel->{targets}}), "$panel->{title}: its queries differ");
	}
	is("@misplaced", '', 'no panel lies over another or beyond the edge');
	is(scalar(keys %ids), scalar(@{$dashboard->{panels}}), 'every panel has its own id');
}

sub expressions
{
	my (%shown, @records);
	for my $panel (@{$dashboard->{panels}}) {
		for my $target (@{$panel->{targets}}) {
			my $expression = $target->{expr};
			is_on_page($expression, $panel->{title});
			$shown{$1} = 1 while $expression =~ /\b(tlsad_\w+)/g;
			my @labels = $target->{legendFormat} =~ /\{\{(\w+)\}\}/g;
			like($expression, qr/\b\Q$_\E\b/, "$panel->{title}: the legend's $_")
				for grep { $_ ne 'instance' } @labels;
			$expression =~ s/\$__rate_interval/5m/g;
			$expression =~ s/\$(?:job|instance)/tlsad/g;
			push @records, "      - record: a:panel$panel->{id}_$target->{refId}\n"
				. '        expr: ' . JSON::PP->new->allow_nonref->encode($expression) . "\n";
		}
	}
	open(my $handle, '>', "$directory/dashboard.yml") or die "$directory/dashboard.yml: $!\n";
	print {$handle} "groups:\n  - name: dashboard\n    rules:\n", @records;
	close($handle);
	promtool_accepts('promtool can read them', 'check', 'rules', "$directory/dashboard.yml");
	for my $name (sort keys %samples) {
		next if $name =~ /_(?:sum|count)$/;
		ok($shown{$name}, "$name is shown");
	}
}
