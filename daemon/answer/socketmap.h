/*
 * socketmap: the payload of a socketmap request (socketmap_table(5)): a map, a space and a key.
 */
#ifndef TLSAD_ANSWER_SOCKETMAP_H
#define TLSAD_ANSWER_SOCKETMAP_H

#include "daemon/answer/map_service.h"

enum {
	SOCKETMAP_REQUEST_MAX = 10000, /* [bytes] the limit in socketmap_table(5) */
};

/* Parse a payload; the request points into it. See map_request_read(). */
void socketmap_read(const struct map_service *service, const char *payload, size_t size,
	struct map_request *request);

#endif
