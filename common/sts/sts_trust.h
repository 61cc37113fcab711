/*
 * sts_trust: the CAs that certificates of policy servers must chain to ([sts] ca_file).
 *
 * The file is read at the start, before a chroot hides it, and again when it has changed. A struct
 * sts_trust belongs to one thread at a time.
 */
#ifndef TLSAD_STS_STS_TRUST_H
#define TLSAD_STS_STS_TRUST_H

#include <openssl/x509.h>
#include <stdbool.h>
#include <stddef.h>

struct sts_trust;

/* Reads certificates in PEM. NULL with one line in `error` if there is none. */
struct sts_trust *sts_trust_open(const char *file, char *error, size_t error_size);
void sts_trust_free(struct sts_trust *trust);

/* The CAs; valid until the next call of sts_trust_refresh(). */
X509_STORE *sts_trust_store(const struct sts_trust *trust);

/* Number of certificates. */
size_t sts_trust_count(const struct sts_trust *trust);

/*
 * Read the file again if it has changed. If it is gone, as in a chroot, or cannot be read, the CAs
 * stay as they are; then false with one line in `error`, once for each change. One that cannot be
 * read is tried again after a minute.
 */
bool sts_trust_refresh(struct sts_trust *trust, char *error, size_t error_size);

#endif
