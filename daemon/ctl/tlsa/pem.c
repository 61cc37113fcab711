#include "daemon/ctl/tlsa/pem.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The number of blocks in a PEM file, by kind. */
struct contents {
	unsigned certificates, private_keys, public_keys, encrypted_keys, others;
};

/* Reads up to the limit. The size is not known before: the file may be a pipe. */
static bool fill(int fd, char *bytes, size_t *size, char *error, size_t error_size)
{
	ssize_t got = 1;

	while (got > 0 && *size <= PEM_FILE_MAX) {
		got = read(fd, bytes + *size, PEM_FILE_MAX + 1 - *size);
		if (got > 0)
			*size += (size_t)got;
		else if (got < 0 && errno == EINTR)
			got = 1;
	}
	if (got < 0)
		snprintf(error, error_size, "cannot be read: %s", strerror(errno));
	else if (*size > PEM_FILE_MAX)
		snprintf(error, error_size,
			"is larger than 1 MiB, the maximum for a file of certificates or keys");
	return got == 0 && *size <= PEM_FILE_MAX;
}

static BIO *read_file(const char *file, char *error, size_t error_size)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	struct stat status;
	size_t size = 0;
	BIO *bio = NULL;

	if (fd < 0) {
		snprintf(error, error_size, "cannot be read: %s", strerror(errno));
		return NULL;
	}
	char *bytes = malloc(PEM_FILE_MAX + 1);
	if (fstat(fd, &status) == 0 && S_ISDIR(status.st_mode)) {
		snprintf(error, error_size, "is a directory");
	} else if (bytes == NULL) {
		snprintf(error, error_size, "cannot be read: out of memory");
	} else if (fill(fd, bytes, &size, error, error_size)) {
		bio = BIO_new(BIO_s_mem());
		if (bio == NULL || (size > 0 && BIO_write(bio, bytes, (int)size) != (int)size)) {
			snprintf(error, error_size, "cannot be read: out of memory");
			BIO_free(bio);
			bio = NULL;
		}
	}
	/* The file may contain a private key. */
	if (bytes != NULL)
		OPENSSL_cleanse(bytes, size);
	free(bytes);
	close(fd);
	return bio;
}

static bool ends_with(const char *name, const char *end)
{
	size_t length = strlen(name), end_length = strlen(end);
	return length >= end_length && strcmp(name + length - end_length, end) == 0;
}

static void count_block(struct contents *contents, const char *name, const char *head)
{
	if (ends_with(name, "CERTIFICATE"))
		contents->certificates++;
	else if (ends_with(name, "PRIVATE KEY") &&
		 (strstr(name, "ENCRYPTED") != NULL || strstr(head, "ENCRYPTED") != NULL))
		contents->encrypted_keys++;
	else if (ends_with(name, "PRIVATE KEY"))
		contents->private_keys++;
	else if (ends_with(name, "PUBLIC KEY"))
		contents->public_keys++;
	else
		contents->others++;
}

/* Counts the blocks without consuming the BIO. */
static bool count_blocks(BIO *bio, struct contents *contents, char *error, size_t error_size)
{
	char *start = NULL, *name = NULL, *head = NULL;
	unsigned char *data = NULL;
	long size = 0;
	long length = BIO_get_mem_data(bio, &start);
	BIO *view = NULL;

	memset(contents, 0, sizeof *contents);
	if (length == 0) {
		snprintf(error, error_size, "is empty");
		return false;
	}
	view = BIO_new_mem_buf(start, (int)length);
	while (view != NULL && PEM_read_bio(view, &name, &head, &data, &size) == 1) {
		count_block(contents, name, head);
		OPENSSL_free(name);
		OPENSSL_free(head);
		OPENSSL_clear_free(data, (size_t)size);
	}
	BIO_free(view);
	bool damaged = ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE;
	ERR_clear_error();
	if (damaged) {
		snprintf(error, error_size,
			"is damaged: a PEM block does not end, or is not base64");
		return false;
	}
	if (contents->certificates + contents->private_keys + contents->public_keys +
			contents->encrypted_keys + contents->others ==
		0) {
		/* DER begins with a SEQUENCE of more than 127 octets. */
		bool der = length > 2 && start[0] == 0x30 && ((unsigned char)start[1] & 0x80) != 0;
		snprintf(error, error_size, "%s",
			der ? "is not PEM but perhaps DER: convert it, for example with openssl "
			      "x509 -inform DER"
			    : "is not PEM: it has no line -----BEGIN ...-----");
		return false;
	}
	return true;
}

static BIO *open_pem(const char *file, struct contents *contents, char *error, size_t error_size)
{
	char words[256] = "";
	BIO *bio = read_file(file, words, sizeof words);

	if (bio != NULL && count_blocks(bio, contents, words, sizeof words))
		return bio;
	snprintf(error, error_size, "%.400s %s", file, words);
	BIO_free(bio);
	return NULL;
}

static void free_all(STACK_OF(X509) * certificates)
{
	sk_X509_pop_free(certificates, X509_free);
}

bool pem_read_certificates(
	const char *file, STACK_OF(X509) * *certificates, char *error, size_t error_size)
{
	struct contents contents;
	BIO *bio = open_pem(file, &contents, error, error_size);
	STACK_OF(X509) *found = sk_X509_new_null();
	X509 *certificate = NULL;

	*certificates = NULL;
	if (bio == NULL || found == NULL) {
		if (bio != NULL)
			snprintf(error, error_size, "%.400s cannot be read: out of memory", file);
		sk_X509_free(found);
		BIO_free(bio);
		return false;
	}
	while ((certificate = PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL)) != NULL) {
		if (X509_get0_pubkey(certificate) == NULL ||
			sk_X509_push(found, certificate) <= 0) {
			X509_free(certificate);
			break;
		}
	}
	ERR_clear_error();
	BIO_free(bio);
	unsigned count = (unsigned)sk_X509_num(found);
	if (count > 0 && count == contents.certificates) {
		*certificates = found;
		return true;
	}
	free_all(found);
	if (contents.certificates > 0)
		snprintf(error, error_size,
			"%.400s: certificate %u of %u cannot be read: it is damaged", file,
			count + 1, contents.certificates);
	else
		snprintf(error, error_size, "%.400s contains no certificate%s", file,
			contents.private_keys + contents.public_keys + contents.encrypted_keys > 0
				? " but a key: name it with --key"
				: "");
	return false;
}

/* OpenSSL calls this for a password. tlsactl never asks for one. */
static int no_password(char *buffer, int size, int writing, void *context)
{
	(void)buffer, (void)size, (void)writing, (void)context;
	return -1;
}

bool pem_read_key(const char *file, EVP_PKEY **key, char *error, size_t error_size)
{
	struct contents contents;
	BIO *bio = open_pem(file, &contents, error, error_size);

	*key = NULL;
	if (bio == NULL)
		return false;
	if (contents.private_keys > 0)
		*key = PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL);
	else if (contents.public_keys > 0)
		*key = PEM_read_bio_PUBKEY(bio, NULL, no_password, NULL);
	ERR_clear_error();
	BIO_free(bio);
	if (*key != NULL)
		return true;
	if (contents.private_keys + contents.public_keys > 0)
		snprintf(error, error_size,
			"%.400s: the key cannot be read: it is damaged, or of a kind that "
			"OpenSSL does not know",
			file);
	else if (contents.encrypted_keys > 0)
		snprintf(error, error_size,
			"%.300s: the private key is encrypted; name its public key (openssl pkey "
			"-in ... -pubout) or its certificate (--cert)",
			file);
	else
		snprintf(error, error_size, "%.400s contains no key%s", file,
			contents.certificates > 0 ? " but a certificate: name it with --cert" : "");
	return false;
}
