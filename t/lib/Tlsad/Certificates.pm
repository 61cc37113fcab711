package Tlsad::Certificates;

# Tlsad::Certificates - keys and certificates for the mail hosts of a test
#
# Purpose
#   Makes authorities, intermediates and hosts' certificates in a directory, with
#   openssl(1), and the data of their TLSA records.
#
# Functions
#   Tlsad::Certificates->new(DIRECTORY)    makes the directory
#   $certificates->make(NAME, OPTION => VALUE...)
#       Makes NAME.key, NAME.crt and NAME.pem: the key, the certificate, and both with
#       the issuers up to the root in one file for Postfix. Options:
#         issuer => NAME                 made before; default: self-signed
#         authority => 1                 may issue others
#         names => [DNS NAME...]         its subjectAltName
#         subject => NAME                its CN; default: the first of names, or NAME
#         not_before => TIME, not_after => TIME
#                                        default: from an hour ago, for two days
#         key => NAME                    the same key as this certificate
#   $certificates->chain(FILE, NAME...)    writes these certificates, in this order;
#                                          returns the path
#   $certificates->path(NAME, SUFFIX)      key, crt or pem
#   $certificates->tlsa(USAGE, SELECTOR, MATCHING TYPE, NAME)
#                                          RDATA (RFC 6698 2.1), in text
#   $certificates->fingerprint(NAME)       SHA-256 of the certificate, in upper case
#   association(FILE, SELECTOR, MATCHING TYPE)
#       The association data for the first certificate of a PEM file, in
#       hexadecimal digits.
#
# Errors
#   Each dies with the output of openssl.

use strict;
use warnings;
use Digest::SHA ();
use Exporter 'import';
use MIME::Base64 ();
use POSIX ();
use Tlsad::Process ();

our @EXPORT_OK = qw(association);

use constant { HOUR => 3600, DAY => 86400 };
use constant LONGEST_SUBJECT => 64;		# RFC 5280 A.1, ub-common-name

# Only "openssl ca" has options for the dates of a certificate; "openssl x509" has them from 3.4 on.
my $configuration = <<'END';
[req]
distinguished_name = any
[ca]
default_ca = this
[this]
database = DIRECTORY/issued/index
new_certs_dir = DIRECTORY/issued
rand_serial = yes
unique_subject = no
default_md = sha256
policy = any
[any]
commonName = supplied
END

sub new
{
	my ($class, $directory) = @_;
	mkdir($directory) or die "$directory: $!\n";
	mkdir("$directory/issued") or die "$directory/issued: $!\n";
	_write("$directory/issued/index", '');
	_write("$directory/configuration", $configuration =~ s/DIRECTORY/$directory/gr);
	return bless { directory => $directory, issuer => {} }, $class;
}

sub path { return "$_[0]{directory}/$_[1].$_[2]" }

sub _read
{
	my ($file) = @_;
	open(my $handle, '<', $file) or die "$file: $!\n";
	local $/;
	return scalar <$handle>;
}

sub _write
{
	my ($file, $text) = @_;
	open(my $handle, '>', $file) or die "$file: $!\n";
	print {$handle} $text;
	close($handle) or die "$file: $!\n";
}

# Returns its output.
sub _openssl
{
	my (@arguments) = @_;
	my $program = Tlsad::Process::find_program('openssl') or die "no openssl\n";
	my $pid = open(my $pipe, '-|') // die "fork: $!\n";
	if ($pid == 0) {
		open(STDERR, '>&', \*STDOUT);
		exec($program, @arguments) or POSIX::_exit(127);
	}
	my $text = do { local $/; <$pipe> } // '';
	close($pipe) or die "openssl @arguments: $text\n";
	return $text;
}

sub _time { return POSIX::strftime('%Y%m%d%H%M%SZ', gmtime($_[0])) }

sub _extensions
{
	my (%options) = @_;
	my @lines = $options{authority}
		? ('basicConstraints = critical,CA:TRUE', 'keyUsage = critical,keyCertSign,cRLSign')
		: ('basicConstraints = CA:FALSE');
	push @lines, 'subjectAltName = ' . join(',', map { "DNS:$_" } @{$options{names}})
		if @{$options{names} // []};
	return join("\n", @lines, 'subjectKeyIdentifier = hash', 'authorityKeyIdentifier = keyid', '');
}

sub make
{
	my ($self, $name, %options) = @_;
	my %file = map { $_ => $self->path($name, $_) } qw(key csr ext crt);
	my $subject = $options{subject} // $options{names}[0] // $name;
	my @signer = $options{issuer}
		? ('-cert', $self->path($options{issuer}, 'crt'),
			'-keyfile', $self->path($options{issuer}, 'key'))
		: ('-selfsign', '-keyfile', $file{key});
	my @configuration = ('-config', "$self->{directory}/configuration");
	if ($options{key}) {
		_write($file{key}, _read($self->path($options{key}, 'key')));
	} else {
		_openssl('genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256',
			'-out', $file{key});
	}
	_openssl('req', '-new', @configuration, '-key', $file{key}, '-out', $file{csr},
		'-subj', '/CN=' . substr($subject, 0, LONGEST_SUBJECT));
	_write($file{ext}, _extensions(%options));
	_openssl('ca', '-batch', '-notext', @configuration, @signer, '-in', $file{csr},
		'-out', $file{crt}, '-extfile', $file{ext},
		'-startdate', _time($options{not_before} // time - HOUR),
		'-enddate', _time($options{not_after} // time + 2 * DAY));
	$self->{issuer}{$name} = $options{issuer};
	my $text = _read($file{key});
	for (my $at = $name; defined $at; $at = $self->{issuer}{$at}) {
		$text .= _read($self->path($at, 'crt'));
	}
	_write($self->path($name, 'pem'), $text);
}

sub chain
{
	my ($self, $file, @names) = @_;
	my $path = "$self->{directory}/$file";
	_write($path, join('', map { _read($self->path($_, 'crt')) } @names));
	return $path;
}

sub _der
{
	my ($text) = @_;
	$text =~ /-----BEGIN [^\n]+-----\n(.*?)-----END/s or die "no PEM: $text\n";
	return MIME::Base64::decode_base64($1);
}

sub association
{
	my ($file, $selector, $matching_type) = @_;
	my $data = _der($selector == 0 ? _openssl('x509', '-in', $file)
		: _openssl('x509', '-in', $file, '-noout', '-pubkey'));
	return Digest::SHA::sha256_hex($data) if $matching_type == 1;
	return Digest::SHA::sha512_hex($data) if $matching_type == 2;
	return unpack('H*', $data);
}

sub tlsa
{
	my ($self, $usage, $selector, $matching_type, $name) = @_;
	return join(' ', $usage, $selector, $matching_type,
		association($self->path($name, 'crt'), $selector, $matching_type));
}

sub fingerprint { return uc(association($_[0]->path($_[1], 'crt'), 0, 1)) }

1;
