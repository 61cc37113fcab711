#include "daemon/counters/counters.h"

#include "common/base/clock.h"
#include "common/base/counter.h"
#include "daemon/server/serving_counters.h"

#include <string.h>

/* --- reading ------------------------------------------------------------------------------- */

static void compute(const struct counters_source *source, const struct conf *conf,
	struct counters *counters, struct daemon_figures *figures)
{
	const struct probe_state *resolver = &lookup_counters(source->lookup)->resolver;
	int state = atomic_load(&resolver->result);

	counters->healthy = health_check(source->server, source->lookup, counters->health);
	*figures = (struct daemon_figures){
		.workers = server_threads(source->server),
		.uptime = clock_steady() - source->started,
		.started = source->started_wall,
		.cache_max = conf->cache.max_size,
		.deferred_longest = lookup_deferred_seconds(source->lookup),
		.minimums = rules_minimum_count(conf->rules),
		.exceptions = rules_exception_count(conf->rules),
		.healthy = counters->healthy,
		.validation_works = atomic_load(&resolver->expected),
		.build = 1,
	};
	if (state >= 0 && state < PROBE_RESULT_COUNT)
		figures->resolver_states[state] = 1;
}

void counters_begin(struct counters *counters)
{
	size_t end = 0;

	memset(counters, 0, sizeof *counters);
	for (size_t i = 0; i < counter_table_rows; i++) {
		counters->begin[i] = end;
		end += counter_row_cells(&counter_table[i]);
	}
}

/* Are the numbers atomic counters, which another thread may change meanwhile? */
static bool is_counted(enum counter_owner owner)
{
	return owner != COUNTER_OF_STORE && owner != COUNTER_OF_DAEMON;
}

static uint64_t read_number(enum counter_owner owner, const void *number)
{
	return is_counted(owner) ? counter_read(number) : *(const uint64_t *)number;
}

void counters_add(struct counters *counters, enum counter_owner owner, const void *numbers)
{
	for (size_t i = 0; i < counter_table_rows; i++) {
		const struct counter_row *row = &counter_table[i];
		const char *at = (const char *)numbers + row->offset;
		size_t cells = row->owner == owner ? counter_row_cells(row) : 0;
		uint64_t *values = counters->values + counters->begin[i];

		for (size_t cell = 0; cell < cells; cell++, at += sizeof(uint64_t))
			values[cell] += read_number(owner, at);
	}
}

void counters_read(
	const struct counters_source *source, const struct conf *conf, struct counters *counters)
{
	struct daemon_figures figures;
	struct store_figures stored;

	counters_begin(counters);
	for (unsigned i = 0; i < server_threads(source->server); i++)
		counters_add(counters, COUNTER_OF_SERVING, server_counters(source->server, i));
	counters_add(counters, COUNTER_OF_LOOKUP, lookup_counters(source->lookup));
	counters_add(counters, COUNTER_OF_DNS, lookup_dns_counters(source->lookup));
	cache_figures(source->cache, &stored);
	counters_add(counters, COUNTER_OF_STORE, &stored);
	compute(source, conf, counters, &figures);
	counters_add(counters, COUNTER_OF_DAEMON, &figures);
}

/* --- numbers ------------------------------------------------------------------------------- */

const uint64_t *counters_row(const struct counters *counters, size_t row)
{
	return counters->values + counters->begin[row];
}

uint64_t counters_total(const struct counters *counters, size_t row)
{
	const uint64_t *values = counters_row(counters, row);
	uint64_t sum = 0;

	for (size_t i = 0; i < counter_row_cells(&counter_table[row]); i++)
		sum += values[i];
	return sum;
}

uint64_t counters_of_value(const struct counters *counters, size_t row, size_t n)
{
	const uint64_t *values = counters_row(counters, row);
	size_t labels = counter_row_labels(&counter_table[row]);
	size_t step = counter_table[row].labels[labels - 1]->count;
	uint64_t sum = 0;

	for (size_t i = n; i < counter_row_cells(&counter_table[row]); i += step)
		sum += values[i];
	return sum;
}

_Static_assert(sizeof(struct histogram_figures) == sizeof(struct histogram),
	"a histogram is read like any other numbers");

void counters_histogram(
	const struct counters *counters, size_t row, struct histogram_figures *figures)
{
	memcpy(figures, counters_row(counters, row), sizeof *figures);
}

/* --- the line at the end ------------------------------------------------------------------- */

void counters_print(const struct counters *counters, struct text *out)
{
	static const enum counter_section sections[] = {COUNTER_REQUESTS, COUNTER_LOOKUPS,
		COUNTER_STS, COUNTER_CACHE, COUNTER_CONNECTIONS, COUNTER_POLICY};

	for (size_t section = 0; section < sizeof sections / sizeof sections[0]; section++) {
		for (size_t i = 0; i < counter_table_rows; i++) {
			const struct counter_row *row = &counter_table[i];
			if (row->section != sections[section] || row->log == NULL)
				continue;
			text_add_format(out, "%s%s=", out->used > 0 ? " " : "", row->log);
			text_add_number(out, counters_total(counters, i));
		}
	}
}
