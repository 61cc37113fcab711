#include "daemon/answer/maps.h"

#include "common/base/text.h"

#include <string.h>

#define NAME(word) .name = (word), .name_size = sizeof(word) - 1

/*
 * The first one is the default. postfix-tlspol calls its maps QUERY and QUERYwithTLSRPT,
 * postfix-mta-sts-resolver calls its map postfix: with these names tlsad can replace them without a
 * change of main.cf.
 */
const struct map maps[MAP_COUNT] = {
	{NAME("policy"), .form = MAP_CONFIGURED, .exported = true},
	{NAME("native"), .form = MAP_NATIVE, .exported = true},
	{NAME("pinned"), .form = MAP_PINNED, .exported = true},
	{NAME("tlsa"), .form = MAP_TLSA},
	{NAME("explain"), .form = MAP_EXPLAIN},
	{NAME("QUERY"), .form = MAP_CONFIGURED},
	{NAME("postfix"), .form = MAP_CONFIGURED},
	{NAME("policy-tlsrpt"), .form = MAP_CONFIGURED, .tlsrpt = true, .exported = true},
	{NAME("native-tlsrpt"), .form = MAP_NATIVE, .tlsrpt = true, .exported = true},
	{NAME("pinned-tlsrpt"), .form = MAP_PINNED, .tlsrpt = true, .exported = true},
	{NAME("QUERYwithTLSRPT"), .form = MAP_CONFIGURED, .tlsrpt = true},
	{NAME("requiretls"), .form = MAP_REQUIRETLS},
};

const struct map *map_default(void)
{
	return &maps[0];
}

const struct map *map_find(const char *name, size_t size)
{
	/* Exact case first: nearly all clients use it, and memcmp() is faster. */
	for (size_t i = 0; i < MAP_COUNT; i++) {
		if (size == maps[i].name_size && memcmp(name, maps[i].name, size) == 0)
			return &maps[i];
	}
	for (size_t i = 0; i < MAP_COUNT; i++) {
		if (text_equal_nocase(name, size, maps[i].name))
			return &maps[i];
	}
	return NULL;
}

const struct map *map_of_form(enum map_form form)
{
	const struct map *map = maps;

	while (map->form != form)
		map++;
	return map;
}

bool map_is_policy_table(const struct map *map)
{
	return map->form == MAP_CONFIGURED || map->form == MAP_NATIVE || map->form == MAP_PINNED;
}
