/*
 * counters: the present values of all numbers in the table (daemon/counters/counter_table.h).
 *
 * Any thread may read them. Other threads count meanwhile, so two numbers may differ by events that
 * happened in between.
 */
#ifndef TLSAD_COUNTERS_COUNTERS_H
#define TLSAD_COUNTERS_COUNTERS_H

#include "common/base/text.h"
#include "common/conf/conf.h"
#include "daemon/cache/cache.h"
#include "daemon/counters/counter_table.h"
#include "daemon/health/health.h"
#include "daemon/lookup/lookup.h"
#include "daemon/server/server.h"

/* Where the numbers come from. */
struct counters_source {
	const struct server *server;
	const struct lookup *lookup;
	struct cache *cache;
	uint32_t started;      /* [s], clock_steady(): when the daemon started */
	uint32_t started_wall; /* [s], clock_wall(): the same */
};

/* Numbers that are computed for each report. */
struct daemon_figures {
	uint64_t workers;
	uint64_t uptime;           /* [s] */
	uint64_t started;          /* [s] since 1970 */
	uint64_t cache_max;        /* [bytes] */
	uint64_t deferred_longest; /* [s] */
	uint64_t minimums;
	uint64_t exceptions;
	uint64_t healthy; /* 0 or 1, like the next two */
	uint64_t validation_works;
	uint64_t resolver_states[PROBE_RESULT_COUNT]; /* 1 for the present state, 0 for others */
	uint64_t build;                               /* always 1 */
};

struct counters {
	size_t begin[COUNTER_ROWS_MAX];      /* index of each row's first cell in `values` */
	uint64_t values[COUNTER_VALUES_MAX]; /* the cells of all rows */
	bool healthy;
	char health[HEALTH_WORDS_SIZE]; /* text of health_check() */
};

/* Read all numbers from their owners. */
void counters_read(
	const struct counters_source *source, const struct conf *conf, struct counters *counters);

/* The steps of counters_read(): set all numbers to 0; add the numbers of one owner's struct. */
void counters_begin(struct counters *counters);
void counters_add(struct counters *counters, enum counter_owner owner, const void *numbers);

/* The cells of a row of the table. */
const uint64_t *counters_row(const struct counters *counters, size_t row);

/* The sum of the cells of a row. */
uint64_t counters_total(const struct counters *counters, size_t row);

/* The sum of the cells with the n-th value of the last label. */
uint64_t counters_of_value(const struct counters *counters, size_t row, size_t n);

/* The numbers of a row that is a histogram. */
void counters_histogram(
	const struct counters *counters, size_t row, struct histogram_figures *figures);

/* `requests=1 hits=0 ...` for the log line at the end. */
void counters_print(const struct counters *counters, struct text *out);

#endif
