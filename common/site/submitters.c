#include "common/site/submitters.h"

#include "common/base/endpoint.h"
#include "common/base/hash_set.h"
#include "common/base/list_file.h"
#include "common/base/text.h"
#include "common/dane/destination.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	/* Postfix accepts no longer ones from a client (line_length_limit). */
	ENTRY_MAX = 2048,
	ADDRESS_BITS = 128,
	NETWORK_KEY_SIZE = 17, /* the length of the prefix, then the address */
};

_Static_assert(ENTRY_MAX == 2048, "the message says so");

static const char file_tag[] = "file:";

/* --- a set of byte strings ----------------------------------------------------------------- */

struct key {
	hash_tag tag;
	uint32_t size;
	char *bytes;
};

static bool key_is(const void *entry, const char *bytes, size_t size)
{
	const struct key *key = entry;

	return key->size == size && memcmp(key->bytes, bytes, size) == 0;
}

static bool set_has(const struct hash_set *set, const char *bytes, size_t size)
{
	return hash_set_find(set, bytes, size) != NULL;
}

/* Adding an entry twice is not an error: lists are often merged from several. */
static bool set_add(struct hash_set *set, const char *bytes, size_t size)
{
	if (set_has(set, bytes, size))
		return true;
	char *copy = malloc(size);
	if (copy == NULL)
		return false;
	struct key *key = hash_set_add(set, bytes, size);
	if (key == NULL) {
		free(copy);
		return false;
	}
	memcpy(copy, bytes, size);
	key->size = (uint32_t)size;
	key->bytes = copy;
	return true;
}

static void set_clear(struct hash_set *set)
{
	for (struct key *key = NULL; (key = hash_set_next(set, key)) != NULL;)
		free(key->bytes);
	hash_set_clear(set);
}

/* --- entries ------------------------------------------------------------------------------- */

struct submitters {
	bool is_set[SUBMITTERS_LISTS];
	struct hash_set sets[SUBMITTERS_LISTS]; /* struct key */
	bool prefixes[ADDRESS_BITS + 1];        /* the lengths of prefixes that occur */
};

struct submitters *submitters_new(void)
{
	struct submitters *submitters = calloc(1, sizeof *submitters);

	if (submitters == NULL)
		return NULL;
	/* The site chooses the keys: nobody outside can make them collide. */
	for (size_t i = 0; i < SUBMITTERS_LISTS; i++)
		hash_set_init(&submitters->sets[i], sizeof(struct key), key_is);
	return submitters;
}

void submitters_free(struct submitters *submitters)
{
	if (submitters == NULL)
		return;
	for (size_t i = 0; i < SUBMITTERS_LISTS; i++)
		set_clear(&submitters->sets[i]);
	free(submitters);
}

/*
 * The normal form of an address: its domain as in struct destination, the local part in lower case.
 * access(5) does the same, although only the receiving host may interpret a local part (RFC 5321
 * 2.4). Returns the size, 0 if it is not an address.
 */
static size_t fold_address(const char *address, size_t size, size_t at, char folded[ENTRY_MAX])
{
	char domain[DESTINATION_NAME_MAX + 1];
	size_t local = at + 1;

	if (at == 0 || !destination_name_to_ascii(address + local, size - local, domain))
		return 0;
	size_t domain_size = strlen(domain);
	if (local + domain_size > ENTRY_MAX)
		return 0;
	for (size_t i = 0; i < local; i++)
		folded[i] = text_lower(address[i]);
	memcpy(folded + local, domain, domain_size);
	return local + domain_size;
}

/* The offset of the last `@`, or `size`. */
static size_t find_at(const char *address, size_t size)
{
	const char *at = size > 0 ? memrchr(address, '@', size) : NULL;

	return at != NULL ? (size_t)(at - address) : size;
}

static size_t fold_sender(const char *entry, char folded[ENTRY_MAX])
{
	char domain[DESTINATION_NAME_MAX + 1];
	size_t size = strlen(entry), at = find_at(entry, size);
	bool below = entry[0] == '.';

	if (at < size)
		return fold_address(entry, size, at, folded);
	if (!destination_name_to_ascii(entry + below, size - below, domain))
		return 0;
	folded[0] = '.';
	memcpy(folded + below, domain, strlen(domain));
	return strlen(domain) + below;
}

/* The length of the prefix, then the address with all bits after the prefix cleared. */
static void make_network_key(const uint8_t address[16], unsigned bits, char key[NETWORK_KEY_SIZE])
{
	memset(key, 0, NETWORK_KEY_SIZE);
	key[0] = (char)bits;
	memcpy(key + 1, address, bits / 8);
	if (bits % 8 != 0)
		key[1 + bits / 8] = (char)(address[bits / 8] & 0xff00 >> bits % 8);
}

/* The normal form of an entry, which is its key in the set. Returns its size, 0 if it is invalid.
 */
static size_t make_key(
	enum submitters_list list, const char *entry, char key[ENTRY_MAX], char *error)
{
	struct network network;
	size_t size = strlen(entry);

	if (size == 0 || size >= ENTRY_MAX) {
		snprintf(error, SUBMITTERS_ERROR_SIZE, "an entry must have 1 to %d bytes",
			ENTRY_MAX - 1);
		return 0;
	}
	switch (list) {
	case SUBMITTERS_SENDERS:
		size = fold_sender(entry, key);
		if (size == 0)
			snprintf(error, SUBMITTERS_ERROR_SIZE,
				"'%.100s' is not a sender; write user@example.org, example.org, or "
				".example.org for all names below it",
				entry);
		return size;
	case SUBMITTERS_CLIENTS:
		if (!network_parse(&network, entry, error, SUBMITTERS_ERROR_SIZE))
			return 0;
		make_network_key(network.address, network.bits, key);
		return NETWORK_KEY_SIZE;
	default:
		memcpy(key, entry, size);
		return size;
	}
}

bool submitters_check(
	enum submitters_list list, const char *entry, char error[SUBMITTERS_ERROR_SIZE])
{
	char key[ENTRY_MAX];

	if (strncmp(entry, file_tag, sizeof file_tag - 1) != 0)
		return make_key(list, entry, key, error) > 0;
	if (entry[sizeof file_tag - 1] == '/')
		return true;
	snprintf(error, SUBMITTERS_ERROR_SIZE, "write file: and an absolute path");
	return false;
}

static bool add_entry(
	struct submitters *submitters, enum submitters_list list, const char *entry, char *error)
{
	char key[ENTRY_MAX];
	size_t size = make_key(list, entry, key, error);

	if (size == 0)
		return false;
	if (!set_add(&submitters->sets[list], key, size)) {
		snprintf(error, SUBMITTERS_ERROR_SIZE, "out of memory");
		return false;
	}
	if (list == SUBMITTERS_CLIENTS)
		submitters->prefixes[(uint8_t)key[0]] = true;
	return true;
}

static bool add_file(struct submitters *submitters, enum submitters_list which, const char *file,
	char error[SUBMITTERS_ERROR_SIZE])
{
	struct list_file list = {
		.name = file,
		.line_max = ENTRY_MAX,
		.too_long = "the line is longer than 2048 bytes; shorten it",
		.error = error,
		.error_size = SUBMITTERS_ERROR_SIZE,
	};
	char words[SUBMITTERS_ERROR_SIZE], *line;

	if (!list_file_open(&list))
		return false;
	while ((line = list_file_next(&list)) != NULL) {
		if (line[strcspn(line, " \t\r")] != '\0')
			list_file_refuse(&list, "write one entry per line, without blanks");
		else if (!add_entry(submitters, which, line, words))
			list_file_refuse(&list, words);
	}
	return list_file_close(&list);
}

bool submitters_add(struct submitters *submitters, enum submitters_list list, const char *entry,
	char error[SUBMITTERS_ERROR_SIZE])
{
	submitters->is_set[list] = true;
	if (strncmp(entry, file_tag, sizeof file_tag - 1) != 0)
		return add_entry(submitters, list, entry, error);
	return add_file(submitters, list, entry + sizeof file_tag - 1, error);
}

/* --- matching ------------------------------------------------------------------------------ */

static bool has_sender(const struct hash_set *set, const char *sender, size_t size)
{
	char folded[ENTRY_MAX];
	size_t at = find_at(sender, size);

	if (set->count == 0 || at == size)
		return false;
	size = fold_address(sender, size, at, folded);
	if (size == 0)
		return false;
	const char *domain = folded + at + 1;
	const char *end = folded + size;
	if (set_has(set, folded, size) || set_has(set, domain, (size_t)(end - domain)))
		return true;
	for (const char *dot = domain; (dot = memchr(dot, '.', (size_t)(end - dot))) != NULL;
		dot++) {
		if (set_has(set, dot, (size_t)(end - dot)))
			return true;
	}
	return false;
}

static bool has_client(const struct submitters *submitters, const char *address, size_t size)
{
	const struct hash_set *set = &submitters->sets[SUBMITTERS_CLIENTS];
	char text[64], error[128], key[NETWORK_KEY_SIZE];
	struct network network;

	if (set->count == 0 || size == 0 || size >= sizeof text)
		return false;
	memcpy(text, address, size);
	text[size] = '\0';
	if (!network_parse(&network, text, error, sizeof error) || network.bits != ADDRESS_BITS)
		return false;
	for (unsigned bits = 0; bits <= ADDRESS_BITS; bits++) {
		if (!submitters->prefixes[bits])
			continue;
		make_network_key(network.address, bits, key);
		if (set_has(set, key, sizeof key))
			return true;
	}
	return false;
}

bool submitters_has(const struct submitters *submitters, const struct submitter *person)
{
	if (submitters == NULL)
		return true;
	const bool *is_set = submitters->is_set;
	if (!is_set[SUBMITTERS_SENDERS] && !is_set[SUBMITTERS_SASL_USERNAMES] &&
		!is_set[SUBMITTERS_CLIENTS])
		return true;
	return (person->sasl_username_size > 0 &&
		       set_has(&submitters->sets[SUBMITTERS_SASL_USERNAMES], person->sasl_username,
			       person->sasl_username_size)) ||
	       has_client(submitters, person->client_address, person->client_address_size) ||
	       has_sender(
		       &submitters->sets[SUBMITTERS_SENDERS], person->sender, person->sender_size);
}
