/*
 * pem: reads certificates and keys from PEM files.
 *
 * A file may contain both, like Postfix's smtpd_tls_chain_files; blocks of the other kind are
 * skipped. Every error is one line that names the file and, if known, what to do.
 */
#ifndef TLSAD_CTL_TLSA_PEM_H
#define TLSAD_CTL_TLSA_PEM_H

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stddef.h>

enum {
	/* [bytes] a chain has a few kilobytes; a bundle of all public CA certificates about 250. */
	PEM_FILE_MAX = 1024 * 1024,
};

/*
 * Reads all certificates in their order, at least one. The caller frees them with
 * sk_X509_pop_free().
 */
bool pem_read_certificates(
	const char *file, STACK_OF(X509) * *certificates, char *error, size_t error_size);

/*
 * Reads the first key, private or public. An encrypted key is refused: tlsactl never asks for a
 * password.
 */
bool pem_read_key(const char *file, EVP_PKEY **key, char *error, size_t error_size);

#endif
