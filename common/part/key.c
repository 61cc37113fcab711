#include "common/part/key.h"

#include <string.h>

size_t part_mx_key(char key[PART_KEY_MAX], const char *domain, size_t size)
{
	key[0] = PART_MX;
	memcpy(key + 1, domain, size);
	return size + 1;
}

size_t part_host_key(char key[PART_KEY_MAX], const char *name, size_t size, uint16_t port)
{
	char digits[5];
	size_t at = sizeof digits;

	key[0] = PART_HOST;
	memcpy(key + 1, name, size);
	size++;
	key[size++] = ':';
	do {
		digits[--at] = (char)('0' + port % 10);
		port /= 10;
	} while (port != 0);
	memcpy(key + size, digits + at, sizeof digits - at);
	return size + sizeof digits - at;
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
	size_t used = part_host_key(key, name, size, port);

	key[0] = PART_TA_ATTEMPT;
	memcpy(key + used, ta, sizeof *ta);
	return used + sizeof *ta;
}
