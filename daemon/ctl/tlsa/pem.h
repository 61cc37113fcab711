/*
 * pem: certificates and keys from files that an administrator names.
 *
 * A file may hold both, as Postfix's smtpd_tls_chain_files do; the other blocks are
 * skipped. Every error is one line that names the file and, if known, what to do.
 */
#ifndef TLSAD_CTL_TLSA_PEM_H
#define TLSAD_CTL_TLSA_PEM_H

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stddef.h>

enum {
	/* A chain has a few kilobytes; a whole bundle of authorities about 250. */
	PEM_FILE_MAX = 1024 * 1024,
};

/* The certificates in their order, at least one. The caller frees them: sk_X509_pop_free(). */
bool pem_read_certificates(
	const char *file, STACK_OF(X509) * *certificates, char *error, size_t error_size);

/* The first key, private or public. An encrypted one is refused: tlsactl never asks for a password.
 */
bool pem_read_key(const char *file, EVP_PKEY **key, char *error, size_t error_size);

#endif
