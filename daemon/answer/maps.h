/*
 * maps: the maps that socketmap clients may ask, in one table. socketmap, the control socket, the
 * doctor and the test of tlsad(8) all read it: a new map is a row.
 */
#ifndef TLSAD_ANSWER_MAPS_H
#define TLSAD_ANSWER_MAPS_H

#include <stdbool.h>
#include <stddef.h>

enum map_form {
	MAP_CONFIGURED, /* native or pinned, as [dane] enforce says */
	MAP_NATIVE,     /* Postfix looks up the TLSA records itself */
	MAP_PINNED,     /* the reply carries what the TLSA records say */
	MAP_TLSA,       /* the TLSA records of a host, whatever the site's rules are */
	MAP_EXPLAIN,    /* how the reply comes about, as JSON */
};

struct map {
	const char *name;
	size_t name_size; /* without the NUL byte [bytes] */
	enum map_form form;
	bool exported; /* `tlsactl cache export` makes a table of it */
};

enum { MAP_COUNT = 7 };

extern const struct map maps[MAP_COUNT];

/* What is meant where no map is named: "policy". */
const struct map *map_default(void);

/* Without regard to case; NULL when there is no such map. */
const struct map *map_find(const char *name, size_t size);

/* The first map of the form, which every form has. */
const struct map *map_of_form(enum map_form form);

/* May smtp_tls_policy_maps name it? */
bool map_is_policy_table(const struct map *map);

#endif
