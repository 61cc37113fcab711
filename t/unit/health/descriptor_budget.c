/*
 * descriptor_budget: the share of each service for a limit; all together never need more than the
 * limit, if it is enough for the minimum of each.
 */
#include "daemon/health/descriptor_budget.h"

#include "common/base/descriptors.h"
#include "t/unit/tap.h"

static const struct {
	struct descriptor_needs needs;
	uint32_t control, metrics, connections;
} rows[] = {
	/* limit, resolver, downloads, workers, metrics */
	{{64, 14, 0, 2, false}, 4, 4, 6},
	{{64, 14, 0, 2, true}, 4, 4, 6},
	{{80, 14, 0, 2, false}, 5, 5, 21},
	{{80, 14, 0, 2, true}, 5, 5, 14},
	{{256, 40, 0, 1, false}, 16, 16, 164},
	{{256, 40, 0, 1, true}, 16, 16, 146},
	{{256, 40, 0, 8, true}, 16, 16, 118},
	{{1024, 256, 0, 4, true}, 32, 16, 670},
	{{65536, 4224, 0, 8, true}, 32, 16, 61198},
	{{UINT32_MAX, 4224, 0, 8, true}, 32, 16, UINT32_MAX - 4338},
	{{1024, 256, 66, 4, true}, 32, 16, 604},
	/* Fewer than needed: the minimum of each. */
	{{0, 14, 0, 1, false}, 4, 2, 6},
	{{20, 14, 0, 64, true}, 4, 2, 6},
};

int main(void)
{
	struct descriptor_budget budget;

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		descriptor_budget_divide(&budget, &rows[i].needs);
		is_number(budget.limit, rows[i].needs.limit, "row %zu: limit", i);
		is_number(budget.control, rows[i].control, "row %zu: control", i);
		is_number(budget.metrics, rows[i].metrics, "row %zu: metrics", i);
		is_number(budget.connections, rows[i].connections, "row %zu: connections", i);
	}
	many_begin("the sum of all is never more than a limit that suffices");
	for (uint32_t limit = 160; limit < 1 << 20; limit += 97) {
		struct descriptor_needs needs = {.limit = limit, .workers = 4, .metrics = true};

		needs.resolver = 2 * (descriptors_share_of(limit, 6, 2048) +
					     descriptors_share_of(limit, 1, 64));
		needs.downloads = descriptors_share_of(limit, 4, 64) + 2;
		descriptor_budget_divide(&budget, &needs);
		many(needs.resolver + needs.downloads + budget.control + budget.metrics +
					budget.connections <
				limit,
			"limit %u: connections %u", limit, budget.connections);
	}
	many_end();
	return done_testing();
}
