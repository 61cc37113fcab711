/*
 * submitters: whose mail is held to minimum levels when it comes in, `[policy] senders`,
 * sasl_usernames and clients.
 *
 * Where none of the three is set, everybody's is; else that of whoever is in one of them. A list
 * that is set and empty, as an empty file is, has nobody in it. Everything is found by hash: of
 * networks there is one look for each length of prefix that occurs.
 *
 * Built by one thread, then not changed any more and read by all.
 */
#ifndef TLSAD_SITE_SUBMITTERS_H
#define TLSAD_SITE_SUBMITTERS_H

#include <stdbool.h>
#include <stddef.h>

enum submitters_list {
	SUBMITTERS_SENDERS,        /* user@example.org, example.org, .example.org (all below) */
	SUBMITTERS_SASL_USERNAMES, /* exactly */
	SUBMITTERS_CLIENTS,        /* addresses, networks */
	SUBMITTERS_LISTS,
};

enum { SUBMITTERS_ERROR_SIZE = 256 };

struct submitters;

/* NULL: out of memory. */
struct submitters *submitters_new(void);
void submitters_free(struct submitters *submitters);

/* Is that an entry of such a list, or `file:PATH`? Files are not looked at. */
bool submitters_check(
	enum submitters_list list, const char *entry, char error[SUBMITTERS_ERROR_SIZE]);

/*
 * Add an entry, or all those of a file, one a line; empty lines and those that begin with `#` or
 * `;` are passed over. False and words, with file and line where it is a file's.
 */
bool submitters_add(struct submitters *submitters, enum submitters_list list, const char *entry,
	char error[SUBMITTERS_ERROR_SIZE]);

/* Who hands in mail; none of it ends in a NUL byte, all may be empty. */
struct submitter {
	const char *sender;
	size_t sender_size;
	const char *sasl_username;
	size_t sasl_username_size;
	const char *client_address;
	size_t client_address_size;
};

/* NULL has everybody in it. */
bool submitters_has(const struct submitters *submitters, const struct submitter *person);

#endif
