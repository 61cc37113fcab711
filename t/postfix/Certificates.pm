# Keys and certificates of the receiving hosts, and the association data of their TLSA records.
package Certificates;

use strict;
use warnings;

use Digest::SHA qw(sha256_hex sha512_hex);
use MIME::Base64 qw(decode_base64);
use Namespace;

sub new
{
	my ($class, $directory) = @_;
	mkdir $directory or die "$directory: $!\n";
	return bless { directory => $directory }, $class;
}

sub openssl
{
	my ($self, @arguments) = @_;
	my $messages = "$self->{directory}/openssl.log";
	system("openssl @arguments >$messages 2>&1") == 0
	    or die "openssl @arguments: " . Namespace::read_file($messages) . "\n";
	return;
}

my $NEW_KEY = '-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes';

sub self_signed
{
	my ($self, $name, $subject, @more) = @_;
	my $base = "$self->{directory}/$name";
	$self->openssl("req -x509 $NEW_KEY -keyout $base.key -out $base.crt -days 2 -subj /CN=$subject @more");
	# smtpd_tls_chain_files wants each key before its certificate.
	Namespace::write_file("$base.pem", join '', map { Namespace::read_file("$base.$_") } qw(key crt));
	return;
}

# A certificate for the names given, issued by the authority, which is sent along: RFC 7672 3.1.1
# wants a trust anchor that is published by its digest in the server's chain.
sub issued
{
	my ($self, $name, $authority, @names) = @_;
	my $base      = "$self->{directory}/$name";
	my $issuer    = "$self->{directory}/$authority";
	my $extension = Namespace::write_file("$base.ext",
		'subjectAltName=' . join(',', map {"DNS:$_"} @names) . "\nbasicConstraints=CA:FALSE\n");
	$self->self_signed($authority, "$authority.authority.example",
		'-addext keyUsage=critical,keyCertSign');
	$self->openssl("req $NEW_KEY -keyout $base.key -out $base.csr -subj /CN=$names[0]");
	$self->openssl("x509 -req -in $base.csr -out $base.crt -days 2 -extfile $extension"
		    . " -CA $issuer.crt -CAkey $issuer.key -set_serial 2");
	Namespace::write_file("$base.pem",
		join '', map { Namespace::read_file($_) } "$base.key", "$base.crt", "$issuer.crt");
	return;
}

sub pem_body
{
	my ($text) = @_;
	$text =~ /-----BEGIN [^\n]+-----\n(.*?)-----END/s or die "no PEM: $text\n";
	return decode_base64($1);
}

# The RDATA of a TLSA record (RFC 6698 2.1) for one of the certificates.
sub tlsa
{
	my ($self, $usage, $selector, $matching_type, $name) = @_;
	my $certificate = "$self->{directory}/$name.crt";
	my $data
	    = $selector == 0
	    ? pem_body(Namespace::read_file($certificate))
	    : pem_body(scalar qx(openssl x509 -in $certificate -noout -pubkey));
	my $association
	    = $matching_type == 1 ? sha256_hex($data)
	    : $matching_type == 2 ? sha512_hex($data)
	    :                       unpack 'H*', $data;
	return "$usage $selector $matching_type $association";
}

1;
