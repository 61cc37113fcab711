#!/usr/bin/perl
# tlsactl doctor on a host without faults, and then with one fault at a time: the state, the text
# and the remedy of the finding, and no other findings. It runs as root in its own namespace
# (t/postfix/Namespace.pm), where the test controls /etc/resolv.conf and port 53:
#
#   127.0.0.1:53   a resolver that sets the AD bit
#   127.0.0.2:53   one that does not
#   127.0.0.3:53   one that does not answer

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib", "$FindBin::Bin/../postfix";
use IO::Select;
use IO::Socket::INET;
use IO::Socket::UNIX;
use Socket qw(SOCK_STREAM);
use Test::More;
use Namespace;
use Tlsad::Certificates;
use Tlsad::Ctl;
use Tlsad::Daemon;
use Tlsad::FakeControl;
use Tlsad::FaultyDns;
use Tlsad::Lab;
use Tlsad::Process;
use Tlsad::Root;

use constant DAY => 86400;
use constant PROMPT => 30;		# [s]

if (!Namespace::inside()) {
	my @missing = (Tlsad::Lab::missing_programs(), Namespace::missing('postconf'));
	Namespace::restart_inside(@missing);
}

my $number = 0;
my $MASTER = <<'END';
smtp      unix  -  -  n  -  -  smtp
relay     unix  -  -  n  -  -  smtp
proxymap  unix  -  -  n  -  -  proxymap
pickup    unix  n  -  y  60 1  pickup
END
# From 3.10.5 on, the map policy is a warning with MTA-STS.
my @BEFORE = (mail_version => '3.9.2');

my $trusting = "nameserver 127.0.0.1\noptions trust-ad\n";
my $directory = Namespace::enter($trusting);
my $ctl = Tlsad::Ctl->new;
my @resolvers = (resolver('127.0.0.1', 0x20), resolver('127.0.0.2', 0));
my $root = Tlsad::Root->new;
$root->publish(keys => ['first']);
mkdir("$directory/$_") for qw(run run/cache queue queue/etc queue/tlsad anchors queue/tlsad/anchors);
my $port = Tlsad::Process::free_port();
my @endpoints = ("unix:$directory/run/socketmap", "unix:$directory/queue/tlsad/socketmap",
	"inet:127.0.0.1:$port");
my %base = (
	server => { socketmap => join(' ', @endpoints) },
	resolver => { %{$root->resolver_settings('first')}, timeout => '5s' },
	cache => { path => "$directory/run/cache" },
	sts => { enable => 'no' },
);
my $daemon = Tlsad::Daemon->start(directory => "$directory/run", config => \%base);
my $conf = config();
my $certificates = Tlsad::Certificates->new("$directory/certificates");
$certificates->make('ca', authority => 1);
my $ca_file = $certificates->path('ca', 'crt');
my %good = (
	compatibility_level => '3.6',
	queue_directory => "$directory/queue",
	smtp_dns_support_level => 'dnssec',
	smtp_tls_security_level => 'dane',
	smtp_tls_policy_maps => "socketmap:unix:$directory/run/socketmap:policy",
	smtp_tls_CAfile => $ca_file,
);
Namespace::write_file("$directory/queue/etc/resolv.conf", $trusting);

subtest('no faults' => \&well);
subtest('main.cf' => \&main_cf);
subtest('master.cf' => \&master_cf);
subtest('permissions' => \&permissions);
subtest('pinned replies' => \&pinned);
subtest('CAs of Postfix' => \&ca_store);
subtest('SNI' => \&servername);
subtest('TLSRPT' => \&tlsrpt);
subtest('downloads of MTA-STS policies' => \&sts);
subtest('resolv.conf' => \&resolv_conf);
subtest('versions' => \&versions);
subtest('without Postfix' => \&without_postfix);
subtest('sockets' => \&sockets);
subtest('tlsad.conf' => \&tlsad_conf);
subtest('trust anchors' => \&anchors);
subtest('name servers' => \&name_servers);
subtest('the clock' => \&clock);
subtest('several at once' => \&several);
subtest('maps' => \&maps);
done_testing();

# --- the host --------------------------------------------------------------------------------

# Answers every question with the root's SOA record and these flags.
sub resolver
{
	my ($address, $flags) = @_;
	my @sockets = map { IO::Socket::INET->new(LocalAddr => $address, LocalPort => 53, Proto => $_,
		$_ eq 'tcp' ? (Listen => 5, ReuseAddr => 1) : ()) // die "$address:53: $!\n" } qw(udp tcp);
	return Tlsad::Process::spawn(code => sub {
		my $select = IO::Select->new(@sockets);
		my $reply = sub {
			my ($question) = @_;
			return substr($question, 0, 2) . pack('CCnnnn', 0x81, 0x80 | $flags, 1, 1, 0, 0)
				. "\0" . pack('nn', 6, 1) . "\0" . pack('nnNn', 6, 1, 60, 22) . "\0\0" . "\0" x 20;
		};
		while (1) {
			for my $ready ($select->can_read) {
				if ($ready == $sockets[0]) {
					$ready->recv(my $question, 4096);
					$ready->send($reply->($question));
				} elsif (my $client = $ready->accept) {
					$client->sysread(my $question, 4096);
					my $answer = $reply->(substr($question, 2));
					$client->syswrite(pack('n', length $answer) . $answer);
				}
			}
		}
	});
}

# Writes a file for -c: %base with these settings changed; undef removes one.
sub config
{
	my (%change) = @_;
	my %config = map { ($_ => { %{$base{$_} // {}}, %{$change{$_} // {}} }) }
		keys %{{ %base, %change }};
	my $text = '';
	for my $section (sort keys %config) {
		$text .= "[$section]\n";
		my %settings = %{$config{$section}};
		$text .= "$_ = $settings{$_}\n" for grep { defined $settings{$_} } sort keys %settings;
	}
	return Namespace::write_file("$directory/tlsad." . ++$number . '.conf', $text);
}

# Makes a configuration directory of Postfix: %good with these parameters changed.
sub postfix
{
	my ($change, $master) = @_;
	my %main = (%good, %{$change // {}});
	my $etc = "$directory/postfix." . ++$number;
	mkdir($etc) or die "$etc: $!\n";
	Namespace::write_file("$etc/main.cf",
		join('', map { "$_ = $main{$_}\n" } grep { defined $main{$_} } sort keys %main));
	Namespace::write_file("$etc/master.cf", $master // $MASTER);
	Namespace::age("$etc/main.cf", "$etc/master.cf");
	return $etc;
}

# Runs doctor; returns the findings that are not ok: [STATE, CHECK, OBJECT, DETAIL, REMEDY] each.
sub doctor
{
	my ($options, @arguments) = @_;
	my $result = $ctl->json({ env => $options }, 'doctor', @arguments);
	my @wrong = map { [ map { $_ // '' } @$_{qw(state check object detail remedy)} ] }
		grep { $_->{state} ne 'ok' } @{$result->{json}{findings} // []};
	return ($result, @wrong);
}

# Expects exactly these findings: [STATE, CHECK, qr/DETAIL/, qr/REMEDY/] each.
sub complains
{
	my ($what, $arguments, @expected) = @_;
	my $env = ref $arguments->[0] ? shift @$arguments : {};
	my ($result, @wrong) = doctor($env, @$arguments);
	# The lab's root is a private one.
	@wrong = grep { $_->[3] !~ /\Aa private root/ } @wrong unless grep { $_->[2] =~ /private root/ } @expected;
	my $list = sub { join(', ', sort map { "$_->[0] $_->[1]" } @_) };
	is($list->(@wrong), $list->(@expected), "$what: what is wrong") or diag(explain(\@wrong));
	my $status = grep({ $_->[0] ne 'note' } @expected) ? 1 : 0;
	is($result->{status}, $status, "$what: status") or diag($result->{err});
	is($result->{err}, '', "$what: nothing on standard error");
	for my $row (@expected) {
		my ($state, $check, $detail, $remedy) = @$row;
		my ($finding) = grep { "$_->[0] $_->[1]" eq "$state $check" && $_->[3] =~ $detail } @wrong;
		ok($finding, "$what: its words") or diag(explain(\@wrong)), next;
		like($finding->[4], $remedy, "$what: the remedy") if $remedy;
	}
}

sub complains_of_main
{
	my ($what, $change, @expected) = @_;
	complains($what, ['-c', $conf, '--postfix', postfix($change)], @expected);
}

# --- no faults -------------------------------------------------------------------------------

sub well
{
	my @arguments = ('doctor', '-c', $conf, '--postfix', postfix());
	my $result = $ctl->run(@arguments);
	is("$result->{status} $result->{err}", '0 ', 'status') or diag($result->{out});
	like($result->{out}, qr/\Anote +trust-anchor \S+: a private root is trusted, key \d+, and no key of IANA's\nin all +nothing wrong, \d+ fine\n\z/,
		'quiet, but for the private root');
	for my $option ('--all', '-v') {
		my $all = $ctl->run(@arguments, $option);
		is($all->{status}, 0, "$option: status");
		like($all->{out}, $_, "$option: $_") for qr/^ok +configuration \S+: tlsad -n accepts/m,
			qr/^ok +name-server 127\.0\.0\.1\@\d+: \[resolver\] stub \. for \. answers over UDP and TCP, with DNSSEC$/m,
			qr/^ok +clock: \d{4}-\d\d-\d\d \d\d:\d\d UTC is within the validity of the root's signatures, /m,
			qr/^ok +validation: the root zone is secure$/m,
			qr/^ok +socket unix:\S+: tlsad replies$/m, qr/^ok +socket inet:127\.0\.0\.1:\d+: tlsad replies$/m,
			qr/^ok +postfix \S+: Postfix \d+\.\d+/m, qr/^ok +policy-maps \S+: \S+: the user postfix may open it$/m,
			qr/^ok +resolv-conf \/etc\/resolv.conf: nameserver 127\.0\.0\.1 validates$/m;
		unlike($all->{out}, qr/ -> /, "$option: no remedies");
	}
	my $json = $ctl->json(@arguments);
	is($json->{json}{counts}{fault}, 0, 'counts');
	cmp_ok(scalar(@{$json->{json}{findings}}), '>', 10, 'findings, those that are fine too');
	my %states = map { ($_->{state} => 1) } @{$json->{json}{findings}};
	is(join(' ', sort keys %states), 'note ok', 'states');
	is($ctl->run('doctor', 'x')->{status}, 64, 'no operands');
}

# --- Postfix ---------------------------------------------------------------------------------

sub main_cf
{
	my @native = (smtp_tls_security_level => 'may', smtp_tls_dane_insecure_mx_policy => 'dane');
	complains_of_main('no table', { smtp_tls_policy_maps => undef },
		['fault', 'policy-maps', qr/\Asmtp_tls_policy_maps is empty: Postfix does not ask tlsad\z/,
			qr{\Apostconf -c \S+ -e 'smtp_tls_policy_maps = proxy:socketmap:unix:\Q$directory\E/run/socketmap:policy'\z}]);
	complains_of_main('a file alone', { smtp_tls_policy_maps => 'hash:/etc/postfix/tls' },
		['fault', 'policy-maps', qr/no table of smtp_tls_policy_maps is a socketmap/, qr/postconf/]);
	complains_of_main('another socket', { smtp_tls_policy_maps => 'socketmap:unix:/nowhere/s:policy' },
		['fault', 'policy-maps', qr{is an endpoint of tlsad: socketmap:unix:/nowhere/s:policy is not in \[server\] socketmap}, qr/postconf/]);
	complains_of_main('another port', { smtp_tls_policy_maps => 'socketmap:inet:127.0.0.1:1:policy' },
		['fault', 'policy-maps', qr/127\.0\.0\.1:1:policy is not in/, qr/postconf/]);
	complains_of_main('half a socketmap', { smtp_tls_policy_maps => 'socketmap:unix:/nowhere' },
		['fault', 'policy-maps', qr{socketmap:unix:/nowhere is not in}, qr/postconf/]);
	my $table = "socketmap:unix:$directory/run/socketmap";
	complains_of_main('a map that does not exist', { smtp_tls_policy_maps => "$table:polciy" },
		['fault', 'policy-maps', qr/tlsad has no map polciy, so Postfix defers all mail; maps with policies: policy, native, pinned/,
			qr/'smtp_tls_policy_maps = \Q$table\E:policy'/]);
	complains_of_main("a map for others: $_", { smtp_tls_policy_maps => "$table:$_" },
		['fault', 'policy-maps', qr/the map $_ does not reply with policies/, qr/:policy'\z/]) for qw(tlsa explain);
	complains_of_main("the map $_", { smtp_tls_policy_maps => "$table:$_" })
		for qw(policy Native QUERY query postfix);
	complains_of_main($_->[0], { smtp_tls_policy_maps => $_->[1] }) for
		['after another table', "hash:/etc/postfix/tls, $table:policy"],
		['in several lines', "hash:/etc/postfix/tls,\n\tinline:{ {a = b}, {c = socketmap:unix:x:y} }\n\t$table:policy"],
		['TCP', "socketmap:inet:127.0.0.1:$port:policy"], ['localhost', "socketmap:inet:localhost:$port:policy"],
		['relative to the queue', 'socketmap:unix:tlsad/socketmap:policy'],
		['by proxymap', "proxy:$table:policy"];
	my $new = qr{proxy:socketmap:unix:\Q$directory\E/run/socketmap:policy};
	my $set = qr/\Apostconf -c \S+ -e 'smtp_tls_policy_maps =/;
	# The remedy keeps the tables of the site.
	for my $row (['a name of a host', 'socketmap:inet:sts.example.net:8461:postfix',
			qr/$set socketmap:inet:sts\.example\.net:8461:postfix, $new'\z/],
		['a name of a service', 'socketmap:inet:127.0.0.1:smtp:x', qr/$set socketmap:inet:127\.0\.0\.1:smtp:x, $new'\z/],
		['a file alone', 'hash:/etc/a', qr/$set hash:\/etc\/a, $new'\z/],
		['files', 'hash:/etc/a  hash:/etc/b,', qr/$set hash:\/etc\/a hash:\/etc\/b, $new'\z/],
		['a list with names', '$mine, static:x', qr/$set \$mine, static:x, $new'\z/],
		['quotes', "inline:{ {a = it's} }", qr/$set inline:\{ \{a = it'\\''s\} \}, $new'\z/],
		['a wrong socket', '$mine, socketmap:unix:/nowhere/s:policy, static:x', qr/$set \$mine, $new, static:x'\z/],
		['a wrong socket in a name', 'hash:/etc/a $wrong', qr/$set hash:\/etc\/a $new'\z/],
		['a wrong socket with another map', "hash:/etc/a,\n\tsocketmap:unix:/nowhere/s:native\n\tstatic:{x y}",
			qr{$set hash:/etc/a, proxy:socketmap:unix:\Q$directory\E/run/socketmap:native static:\{x y\}'\z}],
		['a wrong map', "hash:/etc/a, $table:polciy \$mine", qr/$set hash:\/etc\/a, \Q$table\E:policy \$mine'\z/]) {
		my $etc = postfix({ mine => 'hash:x hash:y', wrong => 'socketmap:inet:127.0.0.1:1:policy',
			smtp_tls_policy_maps => $row->[1] });
		my @arguments = ('-c', $conf, '--postfix', $etc);
		complains("own tables: $row->[0]", [@arguments], ['fault', 'policy-maps', qr/./, $row->[2]]);
		my (undef, @wrong) = doctor({}, @arguments);
		my ($remedy) = map { $_->[4] } grep { $_->[1] eq 'policy-maps' } @wrong;
		is(system('sh', '-c', $remedy), 0, "$row->[0]: the command");
		complains("$row->[0], after it", [@arguments]);
	}
	my $foreign = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 5) or die "$!\n";
	my $theirs = 'socketmap:inet:127.0.0.1:' . $foreign->sockport . ':postfix';
	complains_of_main('a socketmap of another program', { smtp_tls_policy_maps => $theirs },
		['fault', 'policy-maps', qr/\Q$theirs\E is not in \[server\] socketmap/, qr/$set $theirs, $new'\z/]);
	close($foreign);
	my $long = join(', ', map { "hash:/etc/postfix/" . 'x' x 200 . $_ } 1 .. 8);
	complains_of_main('a list that is too long for a message', { smtp_tls_policy_maps => "$long, $table:polciy" },
		['fault', 'policy-maps', qr/no map polciy/, qr/\Acorrect this table in smtp_tls_policy_maps, and keep the others; /]);
	complains_of_main('proxymap does not know it', { smtp_tls_policy_maps => "proxy:$table:policy", proxy_read_maps => 'hash:/x' },
		['fault', 'policy-maps', qr/proxymap refuses proxy:\Q$table\E:policy: proxy_read_maps does not contain it/,
			qr/-e "proxy_read_maps = \$\(postconf -c \S+ -h proxy_read_maps\) proxy:\Q$table\E:policy"\z/]);

	complains_of_main('no DNSSEC', { smtp_dns_support_level => undef },
		['fault', 'dns-support', qr/smtp_dns_support_level = \(empty\): Postfix defers dane-only mail/,
			qr/-e 'smtp_dns_support_level = dnssec'\z/]);
	complains_of_main('DNS without DNSSEC', { smtp_dns_support_level => 'enabled' },
		['fault', 'dns-support', qr/smtp_dns_support_level = enabled/, qr/dnssec/]);
	complains_of_main('no DNS', { smtp_host_lookup => 'native' },
		['fault', 'dns-support', qr/smtp_host_lookup = native/, qr/'smtp_host_lookup = dns, native'/]);
	complains_of_main('no level', { @native, smtp_tls_security_level => undef },
		['warning', 'security-level', qr/where tlsad has no policy, mail goes out without TLS/, qr/'smtp_tls_security_level = dane'/]);
	complains_of_main('the old word for may', { @native, smtp_tls_security_level => undef, smtp_use_tls => 'yes' });
	complains_of_main('a level that does not exist', { @native, smtp_tls_security_level => 'dnae' },
		['fault', 'security-level', qr/smtp_tls_security_level = dnae is not a security level/, qr/= dane'/]);
	for my $level (qw(encrypt secure dane-only)) {
		complains_of_main("the level $level", { @native, smtp_tls_security_level => $level },
			['fault', 'security-level', qr/smtp_tls_security_level = $level, but \[dane\] site_level = dane: a policy of tlsad may be weaker/,
				qr/\[dane\] site_level = $level in tlsad.conf/]);
		complains("the level $level on both sides", ['-c', config(dane => { site_level => $level }), '--postfix',
			postfix({ @native, smtp_tls_security_level => $level })]);
	}
	complains('only tlsad is strict', ['-c', config(dane => { site_level => 'secure' }), '--postfix', postfix()],
		['warning', 'security-level', qr/= dane, but \[dane\] site_level = secure: tlsad sends no policy weaker than site_level/, qr/site_level = dane/]);
	complains_of_main('may', { @native });
	complains_of_main('MX records that are not signed', { smtp_tls_dane_insecure_mx_policy => 'may' },
		['warning', 'insecure-mx', qr/smtp_tls_dane_insecure_mx_policy = may: hosts/,
			qr/'smtp_tls_dane_insecure_mx_policy = dane'\z/]);
	complains_of_main('no such account', { mail_owner => 'nobodyatall' },
		['fault', 'postfix', qr/mail_owner = nobodyatall: there is no such account/, qr/adduser/]);
}

sub master_cf
{
	my $socket = "$directory/run/socketmap";
	my $chroot = $MASTER =~ s/^(smtp .*?-  -  )n/$1y/mr;
	my $both = $MASTER =~ s/^((?:smtp|relay) .*?-  -  )n/$1y/gmr;
	my $in_chroot = sub {
		my ($what, $table, @expected) = @_;
		complains($what, ['-c', $conf, '--postfix', postfix({ smtp_tls_policy_maps => $table },
			@expected ? $chroot : $both)], @expected);
	};
	$in_chroot->('a chroot hides the socket', "socketmap:unix:$socket:policy",
		['fault', 'policy-maps', qr/the smtp client runs in the chroot \Q$directory\E\/queue and does not see this path/,
			qr/'smtp_tls_policy_maps = proxy:socketmap:unix:\Q$socket\E:policy'\z/]);
	$in_chroot->('a path from outside', "socketmap:unix:$directory/queue/tlsad/socketmap:policy",
		['fault', 'policy-maps', qr/does not see this path/, qr/= socketmap:unix:tlsad\/socketmap:policy'\z/]);
	my @both = map { ['fault', 'policy-maps', $_,
		qr/\Apostconf -c \S+ -e 'smtp_tls_policy_maps = \$mine, proxy:socketmap:unix:\Q$socket\E:policy, hash:z'\z/] }
		qr/no map nosuch/, qr/does not see this path/;
	# Two faults of one table; the clients share the list, so that they share its remedy.
	for my $row (['both clients', $both], ['one client', $chroot], ['the other client', $MASTER =~ s/^(relay .*?-  -  )n/$1y/mr]) {
		complains("a hidden socket and a wrong map: $row->[0]", ['-c', $conf, '--postfix', postfix({ mine => 'hash:x hash:y',
			smtp_tls_policy_maps => "\$mine, socketmap:unix:$socket:nosuch, hash:z" }, $row->[1])], @both);
	}
	complains('an option in master.cf with own tables', ['-c', $conf, '--postfix', postfix({ mine => 'hash:x hash:y' },
		$MASTER =~ s/^(relay .*)/$1 -o { smtp_tls_policy_maps = \$mine, socketmap:unix:$socket:nosuch }/mr)],
		['fault', 'policy-maps', qr/no map nosuch/,
			qr{postconf -c \S+ -P 'relay/unix/smtp_tls_policy_maps = \$mine, socketmap:unix:\Q$socket\E:policy'\z}]);
	$in_chroot->("in the chroot: $_", $_) for 'socketmap:unix:tlsad/socketmap:policy',
		'socketmap:unix:/tlsad/socketmap:policy', "proxy:socketmap:unix:$socket:policy",
		"socketmap:inet:127.0.0.1:$port:policy";
	symlink('/tlsad', "$directory/queue/link") or die "link: $!\n";
	complains('a link, in the chroot', ['-c', $conf, '--postfix', postfix({ smtp_tls_policy_maps =>
		'socketmap:unix:link/socketmap:policy' }, $both)]);
	unlink("$directory/queue/link");
	complains('- in the column chroot, before compatibility level 1', ['-c', $conf, '--postfix', postfix({ compatibility_level => 0 },
		$MASTER =~ s/^(smtp .*?-  -  )n/$1-/mr)], ['fault', 'policy-maps', qr/runs in the chroot/, qr/proxy:/]);
	complains('- in the column chroot', ['-c', $conf, '--postfix', postfix({}, $MASTER =~ s/^(smtp .*?-  -  )n/$1-/mr)]);
	complains('proxymap in a chroot', ['-c', $conf, '--postfix', postfix({ smtp_tls_policy_maps =>
		"proxy:socketmap:unix:$socket:policy" }, $MASTER =~ s/^(proxymap .*?-  -  )n/$1y/mr)],
		['fault', 'policy-maps', qr/proxymap runs in the chroot/, qr/set the column chroot of proxymap to n in master.cf/]);
	complains('an option in master.cf', ['-c', $conf, '--postfix', postfix({},
		$MASTER =~ s/^(relay .*)/$1 -o smtp_dns_support_level=enabled/mr)],
		['fault', 'dns-support', qr/= enabled/, qr/postconf -c \S+ -P 'relay\/unix\/smtp_dns_support_level = dnssec'\z/]);
	complains('no smtp client', ['-c', $conf, '--postfix', postfix({}, "pickup unix n - y 60 1 pickup\n")],
		['note', 'postfix', qr/sends no mail/]);
	Namespace::write_file("$directory/queue/etc/resolv.conf", "nameserver 127.0.0.1\n");
	$in_chroot->('an old copy of resolv.conf', 'socketmap:unix:tlsad/socketmap:policy',
		['fault', 'resolv-conf', qr/"options trust-ad" is missing/, qr{echo 'options trust-ad' >>\Q$directory\E/queue/etc/resolv.conf}]);
	unlink("$directory/queue/etc/resolv.conf");
	$in_chroot->('no copy of resolv.conf', 'socketmap:unix:tlsad/socketmap:policy',
		['fault', 'resolv-conf', qr/No such file/, qr{install -D -m 644 /etc/resolv.conf \Q$directory\E/queue/etc/resolv.conf}]);
	Namespace::write_file("$directory/queue/etc/resolv.conf", $trusting);
}

sub permissions
{
	my $etc = postfix();
	chmod(0700, "$directory/run");
	complains('a directory that is closed', ['-c', $conf, '--postfix', $etc],
		['fault', 'policy-maps', qr/the user postfix may not enter \Q$directory\E\/run, mode 0700/, qr/\Achmod o\+x \Q$directory\E\/run\z/]);
	chmod(0755, "$directory/run");
	chmod(0755, "$directory/run/socketmap");
	complains('a socket that is closed', ['-c', $conf, '--postfix', $etc],
		['fault', 'policy-maps', qr/may not write to \S+socketmap, mode 0755/, qr/socket_mode = 0666/]);
	chown(scalar getpwnam('postfix'), -1, "$directory/run/socketmap");
	complains('a socket that postfix owns', ['-c', $conf, '--postfix', $etc]);
	chown(0, scalar getgrnam('postfix'), "$directory/run/socketmap");
	chmod(0660, "$directory/run/socketmap");
	complains('a socket of the group postfix', ['-c', $conf, '--postfix', $etc]);
	chown(0, 0, "$directory/run/socketmap");
	chmod(0666, "$directory/run/socketmap");
}

sub pinned
{
	my %pinned = (smtp_tls_security_level => 'may', smtp_dns_support_level => undef, smtp_tls_servername => 'hostname');
	my $config = config(dane => { enforce => 'pinned' });
	my $check = sub {
		my ($what, $file, $change, @expected) = @_;
		complains($what, ['-c', $file, '--postfix', postfix({ %pinned, %$change })], @expected);
	};
	$check->('needs no resolver', $config, {});
	$check->('by the map', $conf, { smtp_tls_policy_maps => "socketmap:unix:$directory/run/socketmap:pinned" });
	$check->('no name for SNI', $config, { smtp_tls_servername => undef },
		['note', 'servername', qr/smtp_tls_servername is empty/, qr/'smtp_tls_servername = hostname'/]);
	$check->('md5', $config, { smtp_tls_fingerprint_digest => 'md5' },
		['fault', 'fingerprint-digest', qr/= md5, but \[dane\] fingerprint_digest = sha256: pinned replies match no server/, qr/= sha256'\z/]);
	$check->('md5 by default', $config, { compatibility_level => 2 },
		['fault', 'fingerprint-digest', qr/= md5, the default at this compatibility_level, but/, qr/= sha256'\z/]);
	$check->('sha512 here', config(dane => { enforce => 'pinned', fingerprint_digest => 'sha512' }), {},
		['fault', 'fingerprint-digest', qr/= sha256.* fingerprint_digest = sha512/, qr/= sha512'\z/]);
	$check->('sha512 on both sides', config(dane => { enforce => 'pinned', fingerprint_digest => 'sha512' }),
		{ smtp_tls_fingerprint_digest => 'SHA512' });
	my $anchors = sub { config(dane => { enforce => 'pinned', tafile_dir => "$directory/$_[0]", tafile_prefix => $_[1] }) };
	$check->('trust anchors', $anchors->('anchors'), {});
	$check->('no such directory', $anchors->('none'), {},
		['fault', 'tafile', qr/tafile_dir is not a directory/, qr/install -d -o tlsad -m 755 \Q$directory\E\/none/]);
	Namespace::write_file("$directory/plain", '');
	$check->('a file', $anchors->('plain'), {}, ['fault', 'tafile', qr/tafile_dir is not a directory/, qr/install -d/]);
	chmod(0700, "$directory/anchors");
	$check->('a closed directory', $anchors->('anchors'), {},
		['fault', 'tafile', qr/Postfix may not enter this directory/, qr/chmod o\+x \Q$directory\E\/anchors/]);
	chmod(0755, "$directory/anchors");
	$check->('a prefix without a chroot', $anchors->('queue/tlsad/anchors', '/tlsad/anchors'), {},
		['fault', 'tafile', qr/the smtp client does not see \[dane\] tafile_dir at this path/, qr/remove \[dane\] tafile_prefix/]);
	my $chroot = $MASTER =~ s/^((?:smtp|relay) .*?-  -  )n/$1y/gmr;
	my %inside = (%pinned, smtp_tls_policy_maps => "socketmap:inet:127.0.0.1:$port:policy");
	complains('a chroot', ['-c', $anchors->('queue/tlsad/anchors', '/tlsad/anchors'), '--postfix', postfix(\%inside, $chroot)]);
	complains('hidden by the chroot', ['-c', $anchors->('anchors'), '--postfix', postfix(\%inside, $chroot)],
		['fault', 'tafile', qr/in its chroot, does not see/, qr{tafile_dir = \Q$directory\E/queue/tlsad/anchors and tafile_prefix = /tlsad/anchors}]);
}

# --- MTA-STS ---------------------------------------------------------------------------------

# A control socket of a tlsad that has tried these downloads.
sub downloads
{
	my (%results) = @_;
	return Tlsad::FakeControl->start(sub { $_[0]->answer($_[1], { status => { sts => { results => \%results } } }) });
}

# With MTA-STS, and these settings changed.
sub sts_config
{
	my ($fake, %change) = @_;
	return config(sts => { enable => 'yes', ca_file => $ca_file, %change }, server => { control => 'unix:' . $fake->path });
}

# Runs the command that a finding of this check has as remedy.
sub apply_remedy
{
	my ($check, @arguments) = @_;
	my (undef, @wrong) = doctor({}, @arguments);
	my ($remedy) = map { $_->[4] } grep { $_->[1] eq $check } @wrong;
	is(system('sh', '-c', $remedy // 'exit 1'), 0, "the command: $remedy");
}

sub ca_store
{
	my $fake = downloads(fetched => 1);
	my $with = sts_config($fake);
	my $chroot = $MASTER =~ s/^((?:smtp|relay) .*?-  -  )n/$1y/gmr;
	my $check = sub {
		my ($what, $file, $change, @expected) = @_;
		complains($what, ['-c', $file, '--postfix', postfix({ @BEFORE, smtp_tls_CAfile => undef, %$change })], @expected);
	};
	my $inside = sub {
		my ($what, $change, @expected) = @_;
		complains($what, ['-c', $with, '--postfix', postfix({ @BEFORE, smtp_tls_CAfile => undef,
			smtp_tls_policy_maps => "socketmap:inet:127.0.0.1:$port:policy", %$change }, $chroot)], @expected);
	};
	my $set = qr/\Apostconf -c \S+ -e 'smtp_tls_CAfile = \/\S+'\z/;
	my $none = qr/smtp_tls_CAfile and smtp_tls_CApath are empty: Postfix trusts no certificate and defers mail/;
	$check->('no CAs', $with, {}, ['fault', 'ca-store', qr/$none to domains with an MTA-STS policy\z/, $set]);
	$check->('no CAs, and no MTA-STS', $conf, {});
	$check->('no CAs, at a level that needs them', $conf, { smtp_tls_security_level => 'verify', smtp_tls_dane_insecure_mx_policy => 'dane' },
		['fault', 'ca-store', qr/$none at the levels verify and secure\z/, $set],
		['fault', 'security-level', qr/verify/]);
	$check->('the default ones alone', $with, { tls_append_default_CA => 'yes' },
		['fault', 'ca-store', qr/are empty, and tls_append_default_CA has no effect without them: /, $set]);
	my $result = $ctl->run('doctor', '--all', '-c', $with, '--postfix', postfix({ @BEFORE }));
	is($result->{status}, 0, 'a file: status') or diag($result->{out});
	like($result->{out}, qr/^ok +ca-store \S+: smtp_tls_CAfile = \Q$ca_file\E: certificates of 1 CA$/m, 'a file');
	$inside->('a file outside of the chroot', { smtp_tls_CAfile => $ca_file });
	# This also takes TLS away from mail that needs no CA.
	my $useless = Namespace::write_file("$directory/no-certificate", "text\n");
	for my $file ($with, $conf) {
		$check->('a file that does not exist', $file, { smtp_tls_CAfile => "$directory/none" },
			['fault', 'ca-store', qr/= \Q$directory\E\/none: No such file.*; without this file the smtp client has no TLS/, $set]);
		$check->('a file without certificates', $file, { smtp_tls_CAfile => $useless },
			['fault', 'ca-store', qr/= \Q$useless\E: cannot read certificates from it/, $set]);
	}
	$check->('a relative file', $with, { smtp_tls_CAfile => '../no-certificate' },
		['fault', 'ca-store', qr/= \Q$directory\E\/queue\/\.\.\/no-certificate: cannot read/, $set]);
	complains('an option in master.cf', ['-c', $with, '--postfix', postfix({ @BEFORE },
		$MASTER =~ s/^(relay .*)/$1 -o smtp_tls_CAfile=$useless/mr)],
		['fault', 'ca-store', qr/cannot read certificates/, qr/-P 'relay\/unix\/smtp_tls_CAfile = \/\S+'\z/]);

	my $path = "$directory/cas";
	mkdir($path) or die "$path: $!\n";
	my @directory = (smtp_tls_CApath => $path);
	my $trusts_none = qr/Postfix trusts no certificate and defers mail to domains with an MTA-STS policy\z/;
	$check->('an empty directory', $with, { @directory },
		['fault', 'ca-store', qr/smtp_tls_CApath = \Q$path\E: it has no certificate that the user postfix may read.*; $trusts_none/, $set]);
	$check->('an empty directory, and no MTA-STS', $conf, { @directory });
	$check->('no directory', $with, { smtp_tls_CApath => "$directory/none" },
		['fault', 'ca-store', qr/there is no such directory; $trusts_none/, $set]);
	Namespace::write_file("$path/ca.pem", Namespace::read_file($ca_file));
	$check->('certificates without a hash', $with, { @directory }, ['fault', 'ca-store', qr/it has no certificate/, $set]);
	symlink('ca.pem', "$path/0a1b2c3d.0") or die "$path: $!\n";
	$check->('a directory', $with, { @directory });
	$check->('a file and a directory', $with, { @directory, smtp_tls_CAfile => $ca_file });
	chmod(0700, $path);
	$check->('a closed directory', $with, { @directory },
		['fault', 'ca-store', qr/the user postfix may not enter it/, $set]);
	chmod(0755, $path);
	$inside->('a directory outside of the chroot', { @directory },
		['fault', 'ca-store', qr/there is no such directory \(in the chroot of the smtp client\); $trusts_none/, $set]);
	mkdir("$directory/queue/cas") or die "queue/cas: $!\n";
	symlink("$path/ca.pem", "$directory/queue/cas/0a1b2c3d.0") or die "queue/cas: $!\n";
	$inside->('a link that leads out of the chroot', { smtp_tls_CApath => '/cas' },
		['fault', 'ca-store', qr/\Q$directory\E\/queue\/cas: it has no certificate/, $set]);
	Namespace::write_file("$directory/queue/cas/0a1b2c3d.1", Namespace::read_file($ca_file));
	$inside->("a directory in the chroot: $_", { smtp_tls_CApath => $_ }) for qw(/cas cas);
	my ($default) = qx(openssl version -d) =~ /"(.*)"/;
	SKIP: {
		skip('OpenSSL has no default CAs here', 3) unless defined $default && (-s "$default/cert.pem" || glob("$default/certs/*.0"));
		$check->('an empty directory and the default ones', $with, { smtp_tls_CApath => "$directory/anchors", tls_append_default_CA => 'yes' });
	}
}

sub servername
{
	my $with = sts_config(my $fake = downloads(fetched => 1));
	my $check = sub {
		my ($what, $file, $change, @expected) = @_;
		complains($what, ['-c', $file, '--postfix', postfix({ @BEFORE, %$change })], @expected);
	};
	my $warning = sub {
		my ($name, $exceptions) = @_;
		return ['warning', 'servername', qr/smtp_tls_servername = \Q$name\E: Postfix sends this name to all mail servers$exceptions; one that does not have it may /,
			qr/-e 'smtp_tls_servername = hostname'\z/];
	};
	$check->('empty', $with, {});
	$check->('hostname', $with, { smtp_tls_servername => 'hostname' });
	$check->('nexthop', $with, { smtp_tls_servername => 'nexthop' }, $warning->('nexthop', ', except where DANE or MTA-STS sets another'));
	$check->('a name', $conf, { smtp_tls_servername => 'mx.example.com' }, $warning->('mx.example.com', ', except where DANE sets another'));
	my @pinned = (smtp_tls_policy_maps => "socketmap:unix:$directory/run/socketmap:pinned");
	$check->('pinned, a name', $with, { @pinned, smtp_tls_servername => 'mx.example.com' },
		$warning->('mx.example.com', ', except where MTA-STS sets another'));
	$check->('pinned without MTA-STS, a name', $conf, { @pinned, smtp_tls_servername => 'mx.example.com' }, $warning->('mx.example.com', ''));
	$check->('a name, with a relay', $with, { relayhost => '[relay.example.com]:587', smtp_tls_servername => 'relay.example.com' });
	my @old = (mail_version => '3.3.22', smtp_tls_security_level => 'may', smtp_tls_dane_insecure_mx_policy => 'dane');
	$check->('Postfix 3.3', $with, { @old }, ['fault', 'servername',
		qr/Postfix 3\.3\.22 does not know the attribute servername, which came with 3\.4: it defers mail to domains with an MTA-STS policy/,
		qr/upgrade Postfix; or \[sts\] enable = no/]);
	$check->('Postfix 3.3, no MTA-STS', $conf, { @old });
}

sub tlsrpt
{
	my $with = sts_config(my $fake = downloads(fetched => 1));
	my $table = "socketmap:unix:$directory/run/socketmap";
	my %other = (policy => 'policy-tlsrpt', native => 'native-tlsrpt', pinned => 'pinned-tlsrpt',
		QUERY => 'policy-tlsrpt', postfix => 'policy-tlsrpt');
	my $make = sub {
		my ($version, $maps) = @_;
		return postfix({ mail_version => $version, smtp_tls_dane_insecure_mx_policy => 'dane', smtp_tls_servername => 'hostname',
			smtp_tls_policy_maps => $maps });
	};
	my $set = sub { qr/\Apostconf -c \S+ -e 'smtp_tls_policy_maps = hash:x, \Q$table\E:$_[0]'\z/ };
	my $unknown = qr/does not know the attributes of this map, which came with 3\.10: /;
	for my $row (map({ ["$_-tlsrpt", $_] } qw(policy native pinned)), ['QUERYwithTLSRPT', 'policy'], ['querywithtlsrpt', 'policy']) {
		my ($map, $suitable) = @$row;
		# t/unit/doctor/postfix_version.c has more versions.
		for my $version ('3.7.11', $map eq 'policy-tlsrpt' ? '3.10-20240101' : ()) {
			my @arguments = ('--postfix', $make->($version, "hash:x, $table:$map"));
			complains("$map, Postfix $version, no MTA-STS", ['-c', $conf, @arguments],
				['warning', 'policy-maps', qr/Postfix \Q$version\E ${unknown}with \[sts\] enable = yes it would defer/, $set->($suitable)]);
			complains("$map, Postfix $version", ['-c', $with, @arguments],
				['fault', 'policy-maps', qr/:$map: Postfix \Q$version\E ${unknown}it defers mail to domains with an MTA-STS policy/, $set->($suitable)]);
			next unless $version eq '3.7.11';
			apply_remedy('policy-maps', '-c', $with, @arguments);
			complains("$map, Postfix $version, after it", ['-c', $with, @arguments]);
		}
		complains("$map, Postfix $_", ['-c', $with, '--postfix', $make->($_, "$table:$map")]) for qw(3.10.0 3.10.5);
	}
	for my $map (sort keys %other) {
		my @arguments = ('--postfix', $make->('3.10.5', "hash:x, $table:$map"));
		complains("$map, Postfix 3.10.5, no MTA-STS", ['-c', $conf, @arguments]);
		complains("$map, Postfix 3.10.5", ['-c', $with, @arguments], ['warning', 'policy-maps',
			qr/:$map: this map does not tell Postfix which MX hosts an MTA-STS policy allows: it connects to all of them/, $set->($other{$map})]);
		complains("$map, Postfix 3.10.4", ['-c', $with, '--postfix', $make->('3.10.4', "$table:$map")]);
	}
	# A remedy that the next run would not complain about.
	for my $row (['3.7.11', 'policy'], ['3.10.5', 'policy-tlsrpt']) {
		complains("$_->[0], Postfix $row->[0]", ['-c', $with, '--postfix', $make->($row->[0], $_->[1])],
			['fault', 'policy-maps', qr/./, qr/:$row->[1]'\z/])
			for ['no table', undef], ['a wrong map', "$table:polciy"], ['a wrong socket', 'socketmap:inet:127.0.0.1:1:policy-tlsrpt'];
	}
	my $bin = wrapped_postconf('patterns', 'case "$*" in *smtp_tls_enforce_sts_mx_patterns*) echo "smtp_tls_enforce_sts_mx_patterns = no" ;; esac');
	my $off = { PATH => "$bin:$ENV{PATH}" };
	my $patterns = ['warning', 'sts-patterns', qr/smtp_tls_enforce_sts_mx_patterns = no: Postfix also connects to MX hosts that an MTA-STS policy does not allow/,
		qr/-e 'smtp_tls_enforce_sts_mx_patterns = yes'\z/];
	complains('patterns, Postfix 3.10.5', [$off, '-c', $with, '--postfix', $make->('3.10.5', "$table:policy-tlsrpt")], $patterns);
	complains('patterns, by the other map', [$off, '-c', $with, '--postfix', $make->('3.10.5', "$table:policy")],
		['warning', 'policy-maps', qr/does not tell Postfix/], $patterns);
	complains('patterns, Postfix 3.10.4', [$off, '-c', $with, '--postfix', $make->('3.10.4', "$table:policy-tlsrpt")]);
	complains('patterns, no MTA-STS', [$off, '-c', $conf, '--postfix', $make->('3.10.5', "$table:policy-tlsrpt")]);
}

sub sts
{
	my $etc = postfix({ @BEFORE });
	my $check = sub {
		my ($what, $results, @expected) = @_;
		complains($what, ['-c', sts_config(my $fake = downloads(%$results)), '--postfix', $etc], @expected);
	};
	my $closed = sub { ['warning', 'sts', qr/none of $_[0] downloads of MTA-STS policies reached a policy server: port 443 to the Internet looks closed/,
		qr/open port 443 over TCP to the Internet/] };
	my $few = sub { ['note', 'sts', qr/tlsad has tried $_[0] downloads of MTA-STS policies since its start .*: too few to tell whether port 443 /] };
	$check->('policies arrive', { fetched => 1, 'no-connect' => 500 });
	$check->('servers answer', { 'no-tls' => 20 });
	$check->('refused', { 'no-connect' => 20, 'no-address' => 5 }, $closed->(20));
	$check->('dropped', { timeout => 7, 'no-connect' => 3 }, $closed->(10));
	$check->('a few', { timeout => 4, 'no-address' => 500 }, $few->(4));
	$check->('none', {}, $few->(0));
	my $fine = downloads(fetched => 3);
	my $with = sts_config($fine);
	my $result = $ctl->run('doctor', '-v', '-c', $with, '--postfix', $etc);
	is($result->{status}, 0, 'no faults: status') or diag($result->{out});
	like($result->{out}, $_, "no faults: $_") for qr/^ok +sts: \[sts\] ca_file = \Q$ca_file\E: certificates of 1 CA$/m,
		qr/^ok +sts: tlsad reaches policy servers: port 443 is open$/m;
	unlike($ctl->run('doctor', '-v', '-c', $conf, '--postfix', $etc)->{out}, qr/^\w+ +sts\b/m, 'nothing without MTA-STS');
	my @tell = ('--postfix', $etc);
	complains('a daemon', ['-c', config(sts => { enable => 'yes', ca_file => $ca_file },
		server => { control => 'unix:' . $daemon->control }), @tell], $few->(0));
	complains('the socket of -s', ['-c', config(sts => { enable => 'yes', ca_file => $ca_file }), '-s', $fine->path, @tell]);
	complains('no control socket', ['-c', config(sts => { enable => 'yes', ca_file => $ca_file }, server => { control => '' }), @tell],
		['note', 'sts', qr/\[server\] control is empty, so it is unknown whether tlsad reaches/]);
	complains('a control socket that is not there', ['-c', config(sts => { enable => 'yes', ca_file => $ca_file },
		server => { control => "unix:$directory/none" }), @tell],
		['unknown', 'sts', qr/it is unknown whether tlsad reaches policy servers: .*none: there is no such socket/, qr/tlsactl status/]);
	for my $row (['an error', sub { $_[0]->error($_[1], 'no') }, qr/: no\z|: .*no\z/], ['another version', sub { $_[0]->answer($_[1], { status => {} }) },
		qr/its status does not say so/], ['bytes', sub { $_[0]->raw("x\n") }, qr/are not a response of tlsad/]) {
		my $odd = Tlsad::FakeControl->start($row->[1]);
		complains("a control socket: $row->[0]", ['-c', sts_config($odd), @tell], ['unknown', 'sts', $row->[2], qr/tlsactl status/]);
	}
	my $useless = Namespace::write_file("$directory/no-ca", "text\n");
	complains('no CAs', ['-c', sts_config($fine, ca_file => $useless), @tell],
		['fault', 'configuration', qr/\Atlsad -n: .*\[sts\] ca_file = /],
		['fault', 'sts', qr/\[sts\] ca_file = \Q$useless\E: cannot read certificates from it.*; no MTA-STS policy can be downloaded/,
			qr/\A\[sts\] ca_file = \S+ in tlsad.conf; systemctl restart tlsad\z/]);
	complains('no file', ['-c', sts_config($fine, ca_file => "$directory/none"), @tell],
		['fault', 'configuration', qr/\Atlsad -n: .*\[sts\] ca_file = /],
		['fault', 'sts', qr/\[sts\] ca_file = \Q$directory\E\/none: No such file/, qr/\[sts\] ca_file = /]);
	complains('another port', ['-c', sts_config($fine, port => 8443), @tell],
		['warning', 'sts', qr/\[sts\] port = 8443: policy servers listen on port 443/, qr/\[sts\] port = 443 in tlsad.conf/]);
}

sub resolv_conf
{
	my $etc = postfix();
	my $check = sub {
		my ($what, $text, @expected) = @_;
		Namespace::write_file('/etc/resolv.conf', $text);
		complains($what, ['-c', $conf, '--postfix', $etc], @expected);
	};
	$check->('no trust-ad', "nameserver 127.0.0.1\noptions edns0\n",
		['fault', 'resolv-conf', qr/"options trust-ad" is missing/, qr{\Aecho 'options trust-ad' >>/etc/resolv.conf; postfix reload\z}]);
	$check->('a resolver that does not validate', "nameserver 127.0.0.2\noptions trust-ad\n",
		['fault', 'resolv-conf', qr/nameserver 127\.0\.0\.2 does not validate: no AD bit/, qr/unbound/]);
	$check->('one of two', "options edns0 trust-ad\nnameserver 127.0.0.1\nnameserver 127.0.0.2\n",
		['fault', 'resolv-conf', qr/127\.0\.0\.2 does not validate/]);
	$check->('a dead resolver', "nameserver 127.0.0.3\noptions trust-ad\n",
		['fault', 'resolv-conf', qr/nameserver 127\.0\.0\.3: Connection refused/, qr/start a validating resolver/]);
	$check->('one of two is dead', "nameserver 127.0.0.1\nnameserver 127.0.0.3\noptions trust-ad\n",
		['warning', 'resolv-conf', qr/127\.0\.0\.3: Connection refused/]);
	$check->('none is named', "options trust-ad\n");
	$check->('comments', "# nameserver 127.0.0.2\n;x\nsearch example\nnameserver 127.0.0.1 \noptions  ndots:1\ttrust-ad\n");
	Namespace::write_file('/etc/resolv.conf', $trusting);
}

# A directory for the search path with a postconf whose output goes through this command.
sub wrapped_postconf
{
	my ($name, $after, $filter) = @_;
	my $bin = "$directory/$name";
	mkdir($bin) or die "$bin: $!\n";
	my $postconf = Tlsad::Process::find_program('postconf');
	Namespace::write_file("$bin/postconf", "#!/bin/sh\nset -e\nout=\$($postconf \"\$@\")\nprintf '%s\\n' \"\$out\""
		. ($filter ? " | $filter" : '') . "\n$after\n");
	chmod(0755, "$bin/postconf") or die "$bin/postconf: $!\n";
	return $bin;
}

# That of an older Postfix, with its default.
sub older_postconf
{
	return wrapped_postconf('older', '', "sed 's/^\\(smtp_tls_dane_insecure_mx_policy\\) = .*/\\1 = may/'");
}

sub versions
{
	my @may = (smtp_tls_security_level => 'may');
	my $older = { PATH => older_postconf() . ":$ENV{PATH}" };
	complains("Postfix $_", [$older, '-c', $conf, '--postfix', postfix({ @may, mail_version => $_ })],
		['warning', 'insecure-mx', qr/= may, the default of this Postfix/, qr/= dane'/]) for qw(3.7.12 3.9.1);
	complains_of_main("Postfix $_", { @may, mail_version => $_ }) for qw(3.7.13 3.8.8 3.10.0 3.11.1);
	complains_of_main('an invalid version', { mail_version => 'x' }, ['unknown', 'postfix', qr/mail_version = x is not a version/]);
	my $result = $ctl->run('doctor', '--all', '-c', $conf, '--postfix', postfix({ mail_version => '3.10.1' }));
	like($result->{out}, qr/Postfix 3\.10\.1: servername yes \(3\.4\), TLSRPT attributes yes \(3\.10\)/, 'the features of this version');
}

sub without_postfix
{
	mkdir("$directory/bin");
	symlink(Tlsad::Ctl::binary(), "$directory/bin/tlsactl");
	complains('a directory that does not exist', ['-c', $conf, '--postfix', '/nowhere'],
		['fault', 'postfix', qr{configuration of Postfix cannot be read: .*/nowhere/main.cf: No such file}, qr{postconf -c /nowhere -n}]);
	my $etc = "$directory/slow";
	mkdir($etc);
	Namespace::write_file("$etc/postconf", "#!/bin/sh\nsleep 60 & sleep 60\n");
	chmod(0755, "$etc/postconf");
	my $begin = time;
	complains('postconf hangs', [{ PATH => "$etc:$ENV{PATH}" }, '-c', $conf],
		['fault', 'postfix', qr/it did not end within 10 seconds/]);
	cmp_ok(time - $begin, '<', 25, 'it is not waited for');
	Namespace::write_file("$etc/postconf", "#!/bin/sh\nexec head -c 100000000 /dev/zero\n");
	my ($result) = doctor({ PATH => "$etc:$ENV{PATH}" }, '-c', $conf);
	isnt($result->{json}, undef, 'postconf floods');
}

# --- tlsad -----------------------------------------------------------------------------------

sub sockets
{
	my $etc = postfix({ smtp_tls_policy_maps => "socketmap:inet:127.0.0.1:$port:policy" });
	my $check = sub {
		my ($what, $endpoint, @expected) = @_;
		complains($what, ['-c', config(server => { socketmap => "$endpoint inet:127.0.0.1:$port" }), '--postfix', $etc], @expected);
	};
	$check->('not there', "unix:$directory/none",
		['fault', 'socket', qr/there is no such socket/, qr/systemctl start tlsad/]);
	Namespace::write_file("$directory/file", '');
	$check->('a file', "unix:$directory/file", ['fault', 'socket', qr/this is not a socket/, qr/\Arm \Q$directory\E\/file; /]);
	mkdir("$directory/folder");
	$check->('a directory', "unix:$directory/folder", ['fault', 'socket', qr/this is not a socket/, qr/\Armdir /]);
	my $silent = IO::Socket::UNIX->new(Local => "$directory/silent", Type => SOCK_STREAM, Listen => 5) or die "$!\n";
	$check->('no reply', "unix:$directory/silent",
		['fault', 'socket', qr/does not reply within 2 seconds/, qr/systemctl restart tlsad/]);
	close($silent);
	complains('no policy service', ['-c', config(server => { socketmap => "inet:127.0.0.1:$port",
		policy => "unix:$directory/none" }), '--postfix', $etc],
		['fault', 'socket', qr/there is no such socket/, qr/systemctl start tlsad/]);
	$check->('no process listens', "unix:$directory/silent", ['fault', 'socket', qr/no process listens on it/, qr/systemctl start tlsad/]);
	my $other = Tlsad::Process::free_port();
	$check->('no process listens, TCP', "inet:127.0.0.1:$other", ['fault', 'socket', qr/no process listens on it/]);
	for my $row (['HTTP/1.0 400 Bad Request', qr/a program other than tlsad/, qr/another \[server\] socketmap/,
		qr/another \[server\] policy/],
		['', qr/closed without a reply/, qr/\[server\] allow/, qr/\[server\] allow/]) {
		my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $other, Listen => 5,
			ReuseAddr => 1) or die "$!\n";
		my $server = Tlsad::Process::spawn(code => sub {
			while (my $client = $listener->accept) { $client->sysread(my $line, 100); $client->syswrite($row->[0]) }
		});
		$check->("'$row->[0]'", "inet:127.0.0.1:$other", ['fault', 'socket', $row->[1], $row->[2]]);
		complains("'$row->[0]' to smtpd", ['-c', config(server => { socketmap => "inet:127.0.0.1:$port",
			policy => "inet:127.0.0.1:$other" }), '--postfix', $etc],
			['fault', 'socket', $row->[1], $row->[3]]);
		$server->stop;
	}
}

sub tlsad_conf
{
	my $broken = Namespace::write_file("$directory/broken.conf", "[dane]\nenforec = native\n");
	complains('a setting that does not exist', ['-c', $broken, '--postfix', postfix()],
		['fault', 'configuration', qr/broken\.conf:2: .*enforec/, qr/nothing else was examined/]);
	complains('a file that is not there', ['-c', '/nowhere', '--postfix', postfix()],
		['fault', 'configuration', qr{/nowhere: .*No such file}]);
}

sub anchor_file
{
	my ($text) = @_;
	return config(resolver => { trust_anchor => Namespace::write_file("$directory/anchor." . ++$number, $text) },
		cache => { path => "$directory/nocache" });
}

sub anchors
{
	my $iana = Namespace::read_file(Tlsad::Process::source_directory() . '/conf/root.key');
	my $etc = postfix();
	my $ours = $root->anchor('first');
	my $mismatch = ['fault', 'validation', qr/the root's keys do not match the trust anchor/, qr/\[resolver\] trust_anchor/];
	my $check = sub {
		my ($what, $text, @expected) = @_;
		complains($what, ['-c', anchor_file($text), '--postfix', $etc], @expected);
	};
	$check->("IANA's", $iana, $mismatch);
	my $result = $ctl->run('doctor', '-v', '-c', anchor_file($iana), '--postfix', $etc);
	like($result->{out}, qr/^ok +trust-anchor \S+: both of IANA's root keys are trusted: 20326, 38696$/m, 'both keys');
	$check->('only the older key', $iana =~ s/^.* 38696 8.*\n//mr, $mismatch,
		['fault', 'trust-anchor', qr/IANA's root key 38696, which has signed the root since October 2026, is missing/,
			qr/\Aecho '\. IN DS 38696 8 2 683D\w+' >>\S+\z/]);
	$check->('only the newer key', $iana =~ s/^.* 20326 8.*\n//mr, $mismatch,
		['warning', 'trust-anchor', qr/IANA's root key 20326 is missing/, qr/\Aecho '\. IN DS 20326 /]);
	$check->('a wrong digest', $iana =~ s/683D2D0A/683D2D0B/r, $mismatch,
		['fault', 'trust-anchor', qr/the key 38696 in this file is not IANA's/, qr/\. IN DS 38696 8 2 683D2D0ACB/]);
	$check->('another root', Namespace::read_file($root->anchor('other')),
		['note', 'trust-anchor', qr/a private root is trusted, key \d+/], $mismatch);
	$check->('another zone', Namespace::read_file($ours) =~ s/^\./example./mr,
		['warning', 'trust-anchor', qr/no trust anchor for the root/, qr/echo/],
		['fault', 'validation', qr/there is no trust anchor for the root/, qr/see the check trust-anchor/]);
	complains('no text', ['-c', anchor_file("no record\n"), '--postfix', $etc],
		['fault', 'configuration', qr/expected one DS or DNSKEY/, qr/correct what it names/],
		['fault', 'validation', qr/the resolver does not start: .*expected one DS or DNSKEY/, qr/correct \[resolver\]/]);
	complains('a file that is not there', ['-c', config(resolver => { trust_anchor => "$directory/none" },
		cache => { path => "$directory/nocache" }), '--postfix', $etc],
		['warning', 'trust-anchor', qr/the file does not exist; IANA's root keys, which are built in, are used/], $mismatch);
	my $note = ['note', 'trust-anchor', qr/a private root/];
	mkdir("$directory/state");
	Namespace::write_file("$directory/state/root.key", "nonsense\n");
	complains('a damaged state', ['-c', config(cache => { path => "$directory/state" }), '--postfix', $etc],
		$note, ['warning', 'trust-anchor', qr/damaged and not used/, qr{\Arm \S+/state/root.key\z}]);
	ok($daemon->wait_log(qr/DNSSEC validation works/, PROMPT), 'the daemon has a state');
	my $state = Namespace::read_file("$directory/run/cache/root.key");
	like($state, qr/DNSKEY/, 'with a key');
	my ($tag) = $root->key('first') =~ /\+(\d+)\z/;
	$tag += 0;
	like(join("\n", map { $_->[3] } (doctor({}, '-c', $conf, '--postfix', $etc))[1]),
		qr/a private root is trusted, key $tag,/, 'which is read');
	$state =~ s/seed [0-9A-F]{8}/seed 00000000/;
	Namespace::write_file("$directory/state/root.key", $state);
	complains('the state of another root', ['-c', config(cache => { path => "$directory/state" }), '--postfix', $etc],
		$note, ['note', 'trust-anchor', qr/belongs to another trust anchor/]);
}

sub name_servers
{
	my $etc = postfix();
	my $settings = $root->resolver_settings('first');
	my $note = ['note', 'trust-anchor', qr/a private root/];
	my $fresh = { path => "$directory/nocache" };
	my $check = sub {
		my ($what, $resolver, @expected) = @_;
		complains($what, ['-c', config(resolver => $resolver, cache => $fresh), '--postfix', $etc], $note, @expected);
	};
	my $no_clock = ['unknown', 'clock', qr/no signature of the root/];
	my $dead = ['fault', 'name-server', qr/over UDP: Connection refused/, qr/open port 1 over UDP and TCP/];
	my $dead_tcp = ['fault', 'name-server', qr/over TCP: Connection refused/, qr/open port 1 over/];
	$check->('a dead stub', { stub => '. 127.0.0.1@1' }, $dead, $dead_tcp, $no_clock,
		['fault', 'validation', qr/no answer for the root zone/, qr/see the check name-server/]);
	my $server = "127.0.0.1\@" . $root->port;
	$check->('a dead forwarder', { stub => undef, forward => '127.0.0.1@1' }, $dead, $dead_tcp, $no_clock,
		['fault', 'validation', qr/no answer for the root zone/]);
	# libunbound continues with the other one.
	my ($result, @wrong) = doctor({}, '-c', config(resolver => { stub => undef, forward => "$server 127.0.0.1\@1" },
		cache => $fresh), '--postfix', $etc);
	is(join(' ', map { "$_->[0]" } grep { $_->[1] eq 'name-server' } @wrong), 'warning warning', 'one of two forwarders is dead');
	complains('loopback is not allowed', ['-c', config(resolver => { query_localhost => 'no' }), '--postfix', $etc],
		['fault', 'configuration', qr/is an address of this host: set query_localhost = yes/]);
	$check->('a stub of another zone is dead', { stub => ". $server\nstub = private.example 127.0.0.1\@1" },
		['fault', 'name-server', qr/stub for private.example over UDP: Connection refused/],
		['fault', 'name-server', qr/stub for private.example over TCP: Connection refused/]);
	$check->('no route', { stub => undef },
		['fault', 'name-server', qr/no route to the root servers/, qr/\[resolver\] forward/],
		['fault', 'name-server', qr/no route to the root servers/], $no_clock, ['fault', 'validation', qr/no answer/]);
	# The loopback interface drops packets for addresses that are not its own.
	is(system(qw(ip route add default dev lo)), 0, 'a route that leads nowhere');
	$check->('root servers do not answer', { stub => undef },
		['fault', 'name-server', qr/no root server answers within 3 seconds/,
			qr/open port 53 over UDP to the Internet, or \[resolver\] forward = /],
		['fault', 'name-server', qr/no root server answers/], $no_clock, ['fault', 'validation', qr/no answer/]);
	system(qw(ip route del default dev lo));
	my $silent = Tlsad::FaultyDns->start(rules => [{ name => '.', behaviour => 'silent' }]);
	my $begin = time;
	$check->('a silent server', { stub => '. 127.0.0.1@' . $silent->port },
		['fault', 'name-server', qr/over UDP: no answer within 3 seconds/], ['fault', 'name-server', qr/over TCP: no answer/],
		$no_clock, ['fault', 'validation', qr/no answer/]);
	cmp_ok(time - $begin, '<', 25, 'all of it in bounded time');
	$silent->stop;
	my $other = Tlsad::Root->new;
	my %stripped = %{$other->resolver_settings('first')};
	for my $unsigned (qw(all signatures)) {
		$other->publish(keys => ['first'], unsigned => $unsigned);
		$check->("stripped: $unsigned", \%stripped,
			(map { ['fault', 'name-server', qr/over $_: answers arrive without DNSSEC signatures/, qr/\[resolver\] forward/] } qw(UDP TCP)),
			$no_clock, ['fault', 'validation', qr/DNSSEC signatures are removed on the way/, qr/\[resolver\] forward/]);
	}
	my $faulty = Tlsad::FaultyDns->start(upstream => $root->port,
		rules => [{ name => '.', type => 'SOA', behaviour => 'truncated-tcp-closed' }]);
	($result, @wrong) = doctor({}, '-c', config(resolver => { stub => '. 127.0.0.1@' . $faulty->port }, cache => $fresh), '--postfix', $etc);
	my ($tcp) = grep { $_->[1] eq 'name-server' } @wrong;
	like("$tcp->[0] $tcp->[3]", qr/\Afault .*over TCP: /, 'TCP is blocked') if ok($tcp, 'TCP is blocked: a finding');
	for my $behaviour (qw(refused servfail random header-only wrong-question wrong-id oversized-udp)) {
		my $odd = Tlsad::FaultyDns->start(upstream => $root->port, rules => [{ name => '.', type => 'SOA', behaviour => $behaviour }]);
		($result, @wrong) = doctor({}, '-c', config(resolver => { stub => '. 127.0.0.1@' . $odd->port }, cache => $fresh), '--postfix', $etc);
		ok((grep { "$_->[0] $_->[1]" eq 'fault name-server' } @wrong), "$behaviour: a finding");
		is($result->{status}, 1, "$behaviour: status");
	}
}

sub clock
{
	my $faketime = Tlsad::Process::find_program('faketime');
	my $etc = postfix();
	my $note = ['note', 'trust-anchor', qr/a private root/];
	# A wrong clock and signatures with wrong dates look the same from here.
	for my $row ([-60, -30, qr/is \d+ days after the validity of the root's signatures, .*: the clock is fast by at least that much/],
		[30, 60, qr/is \d+ days before the validity of the root's signatures, .*: the clock is slow by at least that much/]) {
		my $other = Tlsad::Root->new;
		$other->publish(keys => ['first'], from => time + $row->[0] * DAY, until => time + $row->[1] * DAY);
		complains("signed $row->[0] days away", ['-c', config(resolver => $other->resolver_settings('first'),
			cache => { path => "$directory/nocache" }), '--postfix', $etc], $note,
			['fault', 'clock', $row->[2], qr/timedatectl set-ntp true/],
			['fault', 'validation', qr/the root's signatures have expired or are not valid yet/, qr/see the check clock/]);
	}
	SKIP: {
		skip('faketime is not installed', 2) unless defined $faketime;
		skip('a sanitizer must be loaded first', 2) if qx(ldd @{[Tlsad::Ctl::binary()]}) =~ /libasan|libtsan/;
		for my $row (['-1 year', qr/before the validity of the root's .* slow/], ['+1 year', qr/after the validity of the root's .* fast/]) {
			open(my $pipe, '-|', $faketime, '-f', $row->[0] =~ s/ year/y/r, Tlsad::Ctl::binary(), 'doctor',
				'-c', $conf, '--postfix', $etc) or die "faketime: $!\n";
			my $text = do { local $/; <$pipe> } // '';
			close($pipe);
			like($text, qr/^fault +clock: $row->[1]|^fault +clock: [^\n]*(?:$row->[1])/m, "a clock that is wrong: $row->[0]");
		}
	}
}

sub several
{
	my @etc = (postfix(), postfix({ smtp_dns_support_level => undef }));
	complains('two directories', ['-c', $conf, map { ('--postfix', $_) } @etc], ['fault', 'dns-support', qr/empty/, qr/-c \Q$etc[1]\E -e/]);
	my $result = $ctl->run('doctor', '-c', $conf, "--postfix=$etc[1]");
	is($result->{status}, 1, 'text: status');
	like($result->{out}, qr/^fault +dns-support \Q$etc[1]\E: smtp_dns_support_level = \(empty\): [^\n]* -> postconf [^\n]*\n/m, 'text: one line');
	like($result->{out}, qr/^in all +1 fault, \d+ fine\n\z/m, 'text: the sum');
	unlike($result->{out}, qr/^ok /m, 'text: no findings in state ok');
}

# The doctor knows every map of the daemon, and which of them reply with policies.
sub maps
{
	my $source = Tlsad::Process::source_directory();
	my $text = Namespace::read_file("$source/daemon/answer/maps.c");
	my %form = $text =~ /^\t\{NAME\("([\w-]+)"\), \.form = MAP_(\w+)/mg;
	my %tlsrpt = map { ($_ => 1) } $text =~ /^\t\{NAME\("([\w-]+)"\).*\.tlsrpt = true/mg;
	cmp_ok(scalar(keys %tlsrpt), '>', 3, 'maps with attributes for TLSRPT');
	cmp_ok(scalar(keys %form), '>', 3, 'the table of maps can be read');
	for my $map (sort keys %form) {
		my $table = "socketmap:unix:$directory/run/socketmap:$map";
		my ($result, @wrong) = doctor({}, '-c', $conf, '--postfix', postfix({ smtp_tls_policy_maps => $table,
			$tlsrpt{$map} ? (mail_version => '3.10.0') : () }));
		is(join("\n", map { $_->[3] } grep { $_->[1] eq 'policy-maps' } @wrong),
			$form{$map} =~ /\A(?:CONFIGURED|NATIVE|PINNED)\z/ ? ''
				: "$table: the map $map does not reply with policies, so Postfix defers all mail", $map);
	}
}
