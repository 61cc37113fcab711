/*
 * map_table: the maps of the daemon, and which of them smtp_tls_policy_maps may name.
 */
#ifndef TLSAD_CTL_DOCTOR_MAP_TABLE_H
#define TLSAD_CTL_DOCTOR_MAP_TABLE_H

#include <stdbool.h>
#include <stddef.h>

enum map_form {
	MAP_CONFIGURED, /* native or pinned, as [dane] enforce says */
	MAP_NATIVE,     /* a level; Postfix looks up the TLSA records itself */
	MAP_PINNED,     /* the reply carries what the TLSA records say */
	MAP_TLSA,       /* the TLSA records of a host: not a policy */
	MAP_EXPLAIN,    /* JSON: not a policy */
};

struct map {
	const char *name;
	enum map_form form;
};

enum { MAP_COUNT = 7 };

extern const struct map maps[MAP_COUNT];

/* Without regard to case; NULL when there is no such map. */
const struct map *map_find(const char *name, size_t size);

/* May smtp_tls_policy_maps name it? */
bool map_is_policy_table(const struct map *map);

#endif
