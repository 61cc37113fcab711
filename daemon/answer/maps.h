/*
 * maps: the table of maps that socketmap clients may use. socketmap, the control socket, tlsactl
 * doctor and the test of tlsad(8) read it: to add a map, add a row.
 */
#ifndef TLSAD_ANSWER_MAPS_H
#define TLSAD_ANSWER_MAPS_H

#include <stdbool.h>
#include <stddef.h>

enum map_form {
	MAP_CONFIGURED, /* native or pinned, by [dane] enforce */
	MAP_NATIVE,     /* Postfix looks up the TLSA records itself */
	MAP_PINNED,     /* the reply contains the data of the TLSA records */
	MAP_TLSA,       /* the TLSA records of a host; the site's rules do not apply */
	MAP_EXPLAIN,    /* why the reply is as it is, as JSON */
	MAP_REQUIRETLS, /* may REQUIRETLS be enforced? For smtp_requiretls_policy */
};

struct map {
	const char *name;
	size_t name_size; /* without the NUL byte [bytes] */
	enum map_form form;
	bool tlsrpt;   /* with Postfix 3.10's attributes for TLSRPT (RFC 8460) */
	bool exported; /* `tlsactl cache export` can write it */
};

enum { MAP_COUNT = 12 };

extern const struct map maps[MAP_COUNT];

/* The map of requests that name none: "policy". */
const struct map *map_default(void);

/* Find a map without regard to case; NULL if there is no such map. */
const struct map *map_find(const char *name, size_t size);

/* The first map of the form; every form has at least one. */
const struct map *map_of_form(enum map_form form);

/* Are its replies TLS policies, for smtp_tls_policy_maps? */
bool map_is_policy_table(const struct map *map);

#endif
