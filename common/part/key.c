#include "common/part/key.h"

#include <string.h>

/* --- making keys --------------------------------------------------------------------------- */

size_t part_key_put_port(char *at, uint16_t port)
{
	size_t digits = port > 9999 ? 5 : port > 999 ? 4 : port > 99 ? 3 : port > 9 ? 2 : 1;

	at[0] = ':';
	for (size_t i = digits; i > 0; i--, port /= 10)
		at[i] = (char)('0' + port % 10);
	return 1 + digits;
}

size_t part_ta_key(char key[PART_TA_KEY_SIZE], const struct ta_digest *ta)
{
	key[0] = PART_TA;
	memcpy(key + 1, ta, sizeof *ta);
	return 1 + sizeof *ta;
}

size_t part_ta_attempt_key(char key[PART_TA_ATTEMPT_KEY_MAX], const char *name, size_t size,
	uint16_t port, const struct ta_digest *ta)
{
	size_t used = part_named_key(key, PART_TA_ATTEMPT, name, size, port);

	memcpy(key + used, ta, sizeof *ta);
	return used + sizeof *ta;
}

/* --- reading keys -------------------------------------------------------------------------- */

/* Each function removes one field from the end of the key; false if the end is not that field. */

/*
 * Selector and matching type as in RFC 6698 2.1; the matching type is never 0, because a record
 * with the whole data is named by a digest too.
 */
static bool take_ta(struct ta_digest *ta, const char *bytes, size_t *size)
{
	enum { SELECTOR_MAX = 1, SHA256 = 1, SHA512 = 2, SHA256_SIZE = 32 };
	size_t digest_size;

	if (*size < sizeof *ta)
		return false;
	*size -= sizeof *ta;
	memcpy(ta, bytes + *size, sizeof *ta);
	if (ta->selector > SELECTOR_MAX)
		return false;
	if (ta->matching_type == SHA256)
		digest_size = SHA256_SIZE;
	else if (ta->matching_type == SHA512)
		digest_size = PART_DIGEST_MAX;
	else
		return false;
	for (size_t i = digest_size; i < PART_DIGEST_MAX; i++) {
		if (ta->digest[i] != 0)
			return false;
	}
	return true;
}

static bool is_digit(char byte)
{
	return byte >= '0' && byte <= '9';
}

static bool take_port(uint16_t *port, const char *bytes, size_t *size)
{
	size_t first = *size;
	uint32_t number = 0;

	while (first > 0 && is_digit(bytes[first - 1]))
		first--;
	size_t digits = *size - first;
	if (digits < 1 || digits > 5 || (digits > 1 && bytes[first] == '0') || first < 1 ||
		bytes[first - 1] != ':')
		return false;
	for (size_t i = first; i < *size; i++)
		number = number * 10 + (uint32_t)(bytes[i] - '0');
	*port = (uint16_t)number;
	*size = first - 1;
	return number <= UINT16_MAX;
}

/* Labels are not looked at, but for empty ones. */
static bool is_name(const char *bytes, size_t size)
{
	char before = '.';

	if (size < 1 || size > DNS_NAME_MAX)
		return false;
	for (size_t i = 0; i < size; i++) {
		char byte = bytes[i];
		bool good = byte == '.' ? before != '.'
					: (byte >= 'a' && byte <= 'z') || is_digit(byte) ||
						  byte == '-' || byte == '_';
		if (!good)
			return false;
		before = byte;
	}
	return before != '.';
}

bool part_key_read(struct part_key *read, const char *key, size_t size)
{
	memset(read, 0, sizeof *read);
	if (size < 1)
		return false;
	read->kind = (enum part_kind)(unsigned char)key[0];
	const struct part_kind_format *format = part_kind_format(read->kind);
	const char *rest = key + 1;
	size_t left = size - 1;

	if (format == NULL || (format->key_has_ta && !take_ta(&read->ta, rest, &left)) ||
		(format->key_has_port && !take_port(&read->port, rest, &left)))
		return false;
	if (!format->key_has_name)
		return left == 0;
	read->name = rest;
	read->name_size = left;
	return is_name(rest, left);
}
