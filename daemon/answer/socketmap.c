#include "daemon/answer/socketmap.h"

#include <string.h>

void socketmap_read(const struct map_service *service, const char *payload, size_t size,
	struct map_request *request)
{
	const char *blank = memchr(payload, ' ', size);

	if (blank == NULL) {
		map_request_read(service, NULL, NULL, 0, request);
		return;
	}
	const char *key = blank + 1;
	map_request_read(service, map_find(payload, (size_t)(blank - payload)), key,
		size - (size_t)(key - payload), request);
}
