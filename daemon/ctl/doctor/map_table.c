#include "daemon/ctl/doctor/map_table.h"

#include "common/base/text.h"

const struct map maps[MAP_COUNT] = {
	{"policy", MAP_CONFIGURED},
	{"native", MAP_NATIVE},
	{"pinned", MAP_PINNED},
	{"tlsa", MAP_TLSA},
	{"explain", MAP_EXPLAIN},
	{"QUERY", MAP_CONFIGURED},
	{"postfix", MAP_CONFIGURED},
};

const struct map *map_find(const char *name, size_t size)
{
	for (size_t i = 0; i < MAP_COUNT; i++) {
		if (text_equal_nocase(name, size, maps[i].name))
			return &maps[i];
	}
	return NULL;
}

bool map_is_policy_table(const struct map *map)
{
	return map->form == MAP_CONFIGURED || map->form == MAP_NATIVE || map->form == MAP_PINNED;
}
