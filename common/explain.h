/*
 * explain: how an answer comes about, as one line of JSON: every part with its DNSSEC status, the
 * time it has left and its reason, and the rule that decided. The members are listed in tlsad(8).
 */
#ifndef TLSAD_EXPLAIN_H
#define TLSAD_EXPLAIN_H

#include "common/evidence.h"
#include "common/render.h"

struct explanation {
	const char *key; /* as it was asked */
	size_t key_size;
	enum destination_result parsed;
	const struct evidence *evidence; /* with DESTINATION_OK */
	struct verdict verdict;
	const char *reply; /* what Postfix gets */
	bool cached;
	uint32_t now;
};

/* malloc()ed, at most `limit` bytes: beyond it details go, hosts first; NULL: no room, or no
 * memory. */
char *explain_json(const struct explanation *explanation, size_t limit);

#endif
