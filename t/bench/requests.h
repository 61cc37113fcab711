/*
 * requests: requests that are framed before a run, in the order in which it sends them.
 */
#ifndef TLSAD_BENCH_REQUESTS_H
#define TLSAD_BENCH_REQUESTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct request {
	size_t offset, size; /* in requests.bytes */
};

struct requests {
	char *bytes;
	size_t used, room; /* of bytes */
	struct request *items;
	size_t count, item_room; /* of items */
};

/*
 * Read at most `limit` keys, one per line, from a file and frame a request for each: for a map, or
 * if `map` is NULL, for the policy service with a recipient at that domain. `seed` decides their
 * order; with 0 it is that of the file. False, with a line on standard error, if the file cannot be
 * read or has no keys. The memory is kept until the program ends.
 */
bool requests_read(struct requests *requests, const char *file_name, const char *map,
	unsigned long limit, uint64_t seed);

#endif
