/*
 * ca_store: a file or a directory with CA certificates, as OpenSSL reads them for a program: the
 * file before a chroot, the directory certificate by certificate, inside the chroot.
 */
#ifndef TLSAD_CTL_DOCTOR_CA_STORE_H
#define TLSAD_CTL_DOCTOR_CA_STORE_H

#include "daemon/ctl/doctor/access.h"

enum ca_store_state {
	CA_STORE_GOOD,
	CA_STORE_BAD,
	CA_STORE_UNKNOWN, /* this process may not examine it */
};

enum { CA_STORE_WORDS_SIZE = 640 };

struct ca_store {
	enum ca_store_state state;
	char words[CA_STORE_WORDS_SIZE]; /* what is there, or what is wrong; it names the path */
};

/* A file in PEM: good with one certificate or more. */
void ca_store_examine_file(struct ca_store *store, const char *file);

/* A directory below `root`: good if the account may open a certificate by its hash. */
void ca_store_examine_directory(struct ca_store *store, const char *root, const char *directory,
	const struct access_account *account);

/* Is it a name that OpenSSL looks for in a directory: 8 hexadecimal digits, ".", a number? Pure. */
bool ca_store_is_hash(const char *name);

#endif
