/*
 * narrowing: whose mail is held to minimum levels when it comes in, `[policy] senders`,
 * sasl_usernames and clients.
 *
 * Where none of the three is set, everybody's is; else that of whoever is in one of them. A list
 * that is set and empty, as an empty file is, has nobody in it. Everything is found by hash: of
 * networks there is one look for each length of prefix that occurs.
 *
 * Built by one thread, then not changed any more and read by all.
 */
#ifndef TLSAD_NARROWING_H
#define TLSAD_NARROWING_H

#include <stdbool.h>
#include <stddef.h>

enum narrowing_list {
	NARROWING_SENDERS,        /* user@example.org, example.org, .example.org (all below) */
	NARROWING_SASL_USERNAMES, /* exactly */
	NARROWING_CLIENTS,        /* addresses, networks */
	NARROWING_LISTS,
};

enum { NARROWING_ERROR_SIZE = 256 };

struct narrowing;

/* NULL: out of memory. */
struct narrowing *narrowing_new(void);
void narrowing_free(struct narrowing *narrowing);

/* Is that an entry of such a list, or `file:PATH`? Files are not looked at. */
bool narrowing_check(enum narrowing_list list, const char *entry, char error[NARROWING_ERROR_SIZE]);

/*
 * Add an entry, or all those of a file, one a line; empty lines and those that begin with `#` or
 * `;` are passed over. False and words, with file and line where it is a file's.
 */
bool narrowing_add(struct narrowing *narrowing, enum narrowing_list list, const char *entry,
	char error[NARROWING_ERROR_SIZE]);

/* Who hands in mail; none of it ends in a NUL byte, all may be empty. */
struct narrowing_person {
	const char *sender;
	size_t sender_size;
	const char *sasl_username;
	size_t sasl_username_size;
	const char *client_address;
	size_t client_address_size;
};

/* NULL has everybody in it. */
bool narrowing_has(const struct narrowing *narrowing, const struct narrowing_person *person);

#endif
