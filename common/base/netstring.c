#include "common/base/netstring.h"

enum netstring_result netstring_parse(const char *bytes, size_t size, size_t limit,
	const char **payload, size_t *payload_size, size_t *consumed)
{
	size_t length = 0;
	size_t at = 0;

	for (; at < size && bytes[at] >= '0' && bytes[at] <= '9'; at++) {
		/* "The first digit is 0 only if the length is 0": one form for each length. */
		if (at == 1 && bytes[0] == '0')
			return NETSTRING_BAD;
		length = length * 10 + (size_t)(bytes[at] - '0');
		if (length > limit)
			return NETSTRING_TOO_LONG;
	}
	if (at == size)
		return NETSTRING_PARTIAL;
	if (at == 0 || bytes[at] != ':')
		return NETSTRING_BAD;
	at++;
	if (size - at <= length)
		return NETSTRING_PARTIAL;
	if (bytes[at + length] != ',')
		return NETSTRING_BAD;
	*payload = bytes + at;
	*payload_size = length;
	*consumed = at + length + 1;
	return NETSTRING_COMPLETE;
}

char *netstring_frame(char *payload, size_t payload_size, size_t *frame_size)
{
	char *begin = payload;
	size_t rest = payload_size;

	payload[payload_size] = ',';
	*--begin = ':';
	do {
		*--begin = (char)('0' + rest % 10);
		rest /= 10;
	} while (rest != 0);
	*frame_size = (size_t)(payload - begin) + payload_size + 1;
	return begin;
}
