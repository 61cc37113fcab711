#include "daemon/answer/maps.h"

#include "common/base/text.h"

#include <string.h>

/* The first is the default. The last two names are those of postfix-tlspol and
 * postfix-mta-sts-resolver. */
const struct map maps[MAP_COUNT] = {
	{.name = "policy", .form = MAP_CONFIGURED, .exported = true},
	{.name = "native", .form = MAP_NATIVE, .exported = true},
	{.name = "pinned", .form = MAP_PINNED, .exported = true},
	{.name = "tlsa", .form = MAP_TLSA},
	{.name = "explain", .form = MAP_EXPLAIN},
	{.name = "QUERY", .form = MAP_CONFIGURED},
	{.name = "postfix", .form = MAP_CONFIGURED},
};

const struct map *map_default(void)
{
	return &maps[0];
}

const struct map *map_find(const char *name, size_t size)
{
	/* What nearly everybody asks, as everybody writes it. */
	static const char usual[] = "policy";

	if (size == sizeof usual - 1 && memcmp(name, usual, size) == 0)
		return map_default();
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
