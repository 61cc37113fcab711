package Tlsad::PinnedCases;

# Tlsad::PinnedCases - the hosts, domains and cases of t/lab/pinned-cases
#
# Purpose
#   Makes the certificates and the zones of the table, and checks a reply and the
#   content of a file of trust anchors. All expected values come from openssl(1) and
#   Digest::SHA, none from tlsad.
#
# Functions
#   missing_programs()     needed programs that are not installed
#   Tlsad::PinnedCases->new
#   $cases->zones          {ZONE => TEXT} for Tlsad::Lab
#   $cases->list           [{text, key, settings => [WORD...], reply, native}...]
#   $cases->certificates   the Tlsad::Certificates: alpha, beta, root1, root2
#   $cases->rdata("USAGE SELECTOR MATCHING-TYPE OF-WHAT")
#                          RDATA in text
#   $cases->variants(NAME, COUNT)
#       COUNT certificates like NAME, DER in hexadecimal digits. They have different
#       serial numbers and therefore invalid signatures, which does not matter for
#       pinning.
#   $cases->fingerprint(256 or 512, WHAT...)
#                          the reply with these: "alpha/key", "text/mx1"
#   $cases->wrong(WANTED, REPLY, digest => 256 or 512, tafile_dir => DIRECTORY,
#           tafile_prefix => DIRECTORY, root => DIRECTORY)
#       What is wrong with this reply, as text, or ''. WANTED is as in the table. root
#       is the path of the daemon's root directory.
#   $cases->wrong_tafile(FILE, WHAT...)
#       The same for the file.
#   pem(FILE)              [KIND, DER]... of its blocks; dies if there is other text
#   colons(HEXADECIMAL)    "AA:BB:..."

use strict;
use warnings;
use Digest::SHA ();
use Exporter 'import';
use MIME::Base64 ();
use Tlsad::Certificates qw(association);
use Tlsad::Lab;
use Tlsad::Process;

our @EXPORT_OK = qw(pem colons);

use constant ORIGIN => 'site.lab.';
use constant ADDRESS => '192.0.2.1';
my %selectors = (certificate => 0, key => 1);
my %kinds = (certificate => 'CERTIFICATE', key => 'PUBLIC KEY');

sub missing_programs
{
	return (Tlsad::Lab::missing_programs(),
		grep { !defined Tlsad::Process::find_program($_) } 'openssl');
}

sub new
{
	my ($class) = @_;
	my $directory = Tlsad::Process::private_directory();
	my $certificates = Tlsad::Certificates->new("$directory/certificates");
	$certificates->make($_, names => ["$_.example"]) for qw(alpha beta);
	$certificates->make($_, authority => 1) for qw(root1 root2);
	my $self = bless { certificates => $certificates, cases => [], associations => {},
		zones => { 'site.lab' => '', 'site-plain.lab' => '' } }, $class;
	$self->_read(Tlsad::Process::source_directory() . '/t/lab/pinned-cases');
	return $self;
}

sub zones { return $_[0]{zones} }
sub list { return $_[0]{cases} }
sub certificates { return $_[0]{certificates} }

# --- the table

sub _read
{
	my ($self, $file) = @_;
	open(my $handle, '<', $file) or die "$file: $!\n";
	my @lines = grep { !/^#/ && /\S/ } <$handle>;
	chomp @lines;
	# Their addresses are at the target of the alias.
	my %aliases = map { /^alias (\S+)/ ? ($1 => 1) : () } @lines;
	for my $line (@lines) {
		my ($first, @columns) = map { s/^\s+|\s+$//gr } split(/\|/, $line, -1);
		if ($first =~ /^host (\S+)$/) {
			$self->_host($1, $aliases{$1}, split(/\s*,\s*/, $columns[0]));
		} elsif ($first =~ /^alias (\S+)$/) {
			$self->_add($1, 'CNAME ' . _whole($columns[0]));
		} elsif ($first =~ /^domain (\S+)$/) {
			$self->_domain($1, split(/\s*,\s*/, $columns[0]));
		} else {
			my ($settings, $reply, $native) = @columns;
			die "$file: $line\n" unless defined $reply;
			push @{$self->{cases}}, { text => $first =~ s/$/ ($settings)/r, key => $first,
				settings => [ grep { $_ ne '-' } split(/ /, $settings) ],
				reply => $reply, native => $native // $reply };
		}
	}
}

sub _whole { return $_[0] =~ /\.\z/ ? $_[0] : "$_[0]." . ORIGIN }

sub _add
{
	my ($self, $name, $record) = @_;
	$name = _whole($name);
	my $zone = $name =~ /\bsite-plain\.lab\.\z/ ? 'site-plain.lab' : 'site.lab';
	$self->{zones}{$zone} .= "$name $record\n";
}

sub _host
{
	my ($self, $name, $is_alias, @records) = @_;
	$self->_add($name, 'A ' . ADDRESS) unless $is_alias;
	for my $record (@records) {
		my $port = $record =~ s/^(\d+): // ? $1 : 25;
		$self->_add("_$port._tcp.$name", 'TLSA ' . $self->rdata($record));
	}
}

sub _domain
{
	my ($self, $name, @hosts) = @_;
	my $preference = 0;
	for my $host (@hosts) {
		$preference = $host =~ s/^(\d+) // ? $1 : $preference + 10;
		$self->_add($name, "MX $preference " . _whole($host));
	}
}

# --- TLSA

sub _association
{
	my ($self, $name, $selector, $matching_type) = @_;
	return $self->{associations}{$name, $selector, $matching_type} //=
		association($self->{certificates}->path($name, 'crt'), $selector, $matching_type);
}

sub rdata
{
	my ($self, $record) = @_;
	my ($usage, $selector, $matching_type, $name) = split(/ /, $record);
	my $data = $name eq 'garbage' ? Digest::SHA::sha256_hex($name)
		# For unknown usages, selectors and matching types, any digest.
		: $self->_association($name, $selector > 1 ? 1 : $selector,
			$matching_type > 2 ? 1 : $matching_type);
	return "$usage $selector $matching_type $data";
}

# RFC 5280 4.1.2.2
sub variants
{
	my ($self, $name, $count) = @_;
	my $der = pack('H*', $self->_association($name, 0, 0));
	my ($before, $size) = $der =~ /\A(\x30\x82..\x30\x82..\xA0\x03\x02\x01\x02\x02(.))/s
		or die "$name: not such a certificate\n";
	my $place = length($before) + ord($size) - 4;
	return map { substr($der, $place, 4) = pack('N', 0x1000000 + $_); unpack('H*', $der) }
		1 .. $count;
}

sub colons { return join(':', unpack('(A2)*', uc $_[0])) }

sub fingerprint
{
	my ($self, $digest, @what) = @_;
	my %seen;
	for (@what) {
		my ($name, $form) = m{^([\w-]+)/([\w-]+)$} or die "no such thing: $_\n";
		my $data = $name eq 'text' ? Digest::SHA::sha256_hex($form)
			: $self->_association($name, $selectors{$form}, $digest == 256 ? 1 : 2);
		$seen{colons($data)} = 1;
	}
	return 'OK fingerprint match=' . join('|', sort keys %seen);
}

# --- files of trust anchors

sub pem
{
	my ($file) = @_;
	open(my $handle, '<:raw', $file) or die "$file: $!\n";
	my $text = do { local $/; <$handle> };
	my @blocks;
	while ($text =~ s/\A-----BEGIN ([A-Z ]+)-----\n([A-Za-z0-9+\/=\n]+)-----END \1-----\n//) {
		push @blocks, [ $1, MIME::Base64::decode_base64($2) ];
	}
	die "$file: no PEM: $text\n" if $text ne '';
	return @blocks;
}

sub wrong_tafile
{
	my ($self, $file, @what) = @_;
	my @status = stat($file) or return "$file: $!";
	return sprintf('mode %04o', $status[2] & 07777) if ($status[2] & 07777) != 0644;
	my ($digest) = $file =~ m{/tlsad-([0-9a-f]{64})\.pem\z} or return "the name $file";
	my $real = Digest::SHA->new(256)->addfile($file, 'b')->hexdigest;
	return "the name $digest is not the digest of the content, $real" if $digest ne $real;
	my @blocks = eval { pem($file) };
	return $@ if $@;
	my $there = join(' ', sort map { "$_->[0]:" . unpack('H*', $_->[1]) } @blocks);
	my $wanted = join(' ', sort map {
		my ($name, $form) = split(m{/});
		"$kinds{$form}:" . $self->_association($name, $selectors{$form}, 0)
	} @what);
	return $there eq $wanted ? '' : "it has not the blocks of @what, but $there";
}

# --- answers

sub wrong
{
	my ($self, $wanted, $reply, %options) = @_;
	if ($wanted =~ /^OK fingerprint (.*)/) {
		$wanted = $self->fingerprint($options{digest} // 256, split(/ /, $1));
		return $reply eq $wanted ? '' : "$reply instead of $wanted";
	}
	if ($wanted =~ /^OK secure (\S+) with (.*)/) {
		my ($names, @what) = ($1, split(/ /, $2));
		my $prefix = $options{tafile_prefix} // $options{tafile_dir};
		my ($match, $name) = $reply =~ m{\AOK secure match=(\S+) tafile=\Q$prefix\E/([^/ ]+)\z}
			or return "$reply instead of $wanted";
		return "match=$match instead of $names" if $match ne $names;
		return $self->wrong_tafile(($options{root} // '') . "$options{tafile_dir}/$name", @what);
	}
	if ($wanted =~ /^TEMP (.*)/) {
		my @words = split(/ /, $1);
		return "$reply instead of $wanted" unless $reply =~ /^TEMP \S/ && $reply !~ /\n/;
		for my $word (@words) {
			my $any = join('|', map { quotemeta } split(m{/}, $word));
			return "no $word in $reply" unless $reply =~ /(?<![\w-])(?:$any)(?![\w-])/i;
		}
		return '';
	}
	$wanted = 'NOTFOUND ' if $wanted eq 'NOTFOUND';
	return $reply eq $wanted ? '' : "$reply instead of $wanted";
}

1;
