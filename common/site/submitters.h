/*
 * submitters: the senders to whose mail minimum levels apply at RCPT: `[policy] senders`,
 * sasl_usernames and clients.
 *
 * If none of the three lists is set, minimums apply to everybody; otherwise to a submitter that
 * matches at least one of them. A list that is set but empty, such as an empty file, matches
 * nobody. Everything is found by hash; for networks there is one lookup for each length of prefix
 * that occurs.
 *
 * One thread builds the lists; after that they do not change and any thread may read them.
 */
#ifndef TLSAD_SITE_SUBMITTERS_H
#define TLSAD_SITE_SUBMITTERS_H

#include <stdbool.h>
#include <stddef.h>

enum submitters_list {
	SUBMITTERS_SENDERS,        /* user@example.org, example.org, .example.org (all below) */
	SUBMITTERS_SASL_USERNAMES, /* compared byte by byte */
	SUBMITTERS_CLIENTS,        /* addresses, networks */
	SUBMITTERS_LISTS,
};

enum { SUBMITTERS_ERROR_SIZE = 256 };

struct submitters;

/* NULL: out of memory. */
struct submitters *submitters_new(void);
void submitters_free(struct submitters *submitters);

/* Is this a valid entry of this list, or `file:PATH`? Does not read the file. */
bool submitters_check(
	enum submitters_list list, const char *entry, char error[SUBMITTERS_ERROR_SIZE]);

/*
 * Add an entry or, for `file:PATH`, all entries of a file, one per line; empty lines and lines that
 * begin with `#` or `;` are skipped. False and one line, with file and line if it is about a file.
 */
bool submitters_add(struct submitters *submitters, enum submitters_list list, const char *entry,
	char error[SUBMITTERS_ERROR_SIZE]);

/* The submitter of a message. The strings do not end with a NUL byte; each may be empty. */
struct submitter {
	const char *sender;
	size_t sender_size;
	const char *sasl_username;
	size_t sasl_username_size;
	const char *client_address;
	size_t client_address_size;
};

/* Do minimums apply to this submitter? With `submitters` NULL they apply to everybody. */
bool submitters_has(const struct submitters *submitters, const struct submitter *person);

#endif
