#include "daemon/lookup/part_kind.h"

static const struct part_kind_row *const rows[] = {
	&part_kind_mx,
	&part_kind_host,
	&part_kind_sts,
};

const struct part_kind_row *part_kind_find(enum part_kind kind)
{
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		if (rows[i]->kind == kind)
			return rows[i];
	}
	return NULL;
}
