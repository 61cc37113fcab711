/*
 * counter_table: every counter has a row, every row is complete, its labels match its owner's
 * numbers, and no name or path occurs twice.
 */
#include "daemon/counters/counter_table.h"

#include "daemon/lookup/lookup.h"
#include "daemon/server/serving_counters.h"
#include "t/unit/tap.h"

#include <ctype.h>

enum { CELLS_MAX = 64 /* of a row; more would mean that clients control a label */ };

static bool is_word(const char *word)
{
	if (!islower((unsigned char)*word))
		return false;
	for (; *word != '\0'; word++) {
		if (!islower((unsigned char)*word) && !isdigit((unsigned char)*word) &&
			*word != '_')
			return false;
	}
	return true;
}

static bool ends_with(const char *word, const char *end)
{
	size_t size = strlen(word), end_size = strlen(end);
	return size >= end_size && strcmp(word + size - end_size, end) == 0;
}

/* `member` or `object.member`. */
static bool is_path(const char *path)
{
	char words[128];
	char *dot;

	snprintf(words, sizeof words, "%s", path);
	dot = strchr(words, '.');
	if (dot != NULL)
		*dot = '\0';
	return is_word(words) && (dot == NULL || is_word(dot + 1));
}

static bool continues_family(size_t n)
{
	return n > 0 && counter_table[n - 1].metric != NULL && counter_table[n].metric != NULL &&
	       strcmp(counter_table[n - 1].metric, counter_table[n].metric) == 0;
}

/* The labels of a cell: `a=x,b=y`. */
static void print_labels(char *out, size_t size, const struct counter_row *row, size_t cell)
{
	size_t used = 0;

	out[0] = '\0';
	for (size_t i = 0; i < counter_row_labels(row) && used < size; i++)
		used += (size_t)snprintf(out + used, size - used, "%s=%s,", row->labels[i]->name,
			counter_row_label_value(row, i, cell));
}

static void rows_are_whole(void)
{
	size_t values = 0;

	many_begin("every row is complete");
	for (size_t i = 0; i < counter_table_rows; i++) {
		const struct counter_row *row = &counter_table[i];
		size_t cells = counter_row_cells(row);

		values += cells;
		many(row->metric != NULL || row->status != NULL,
			"row %zu: it is not shown anywhere", i);
		many(row->section < COUNTER_SECTIONS, "row %zu: section", i);
		many(row->offset % sizeof(uint64_t) == 0 && row->size == cells * sizeof(uint64_t),
			"row %zu: %zu cells for %zu bytes", i, cells, row->size);
		many(row->kind == COUNTER_HISTOGRAM || cells <= CELLS_MAX, "row %zu: %zu cells", i,
			cells);
		many(row->status == NULL || is_path(row->status), "row %zu: status is a path", i);
		many(row->total == NULL || is_path(row->total), "row %zu: total is a path", i);
		many(row->total == NULL || cells > 1, "row %zu: a sum of one number", i);
		many(row->log == NULL || is_word(row->log), "row %zu: log is a word", i);
	}
	many_end();
	ok(values <= COUNTER_VALUES_MAX, "%zu values", values);
}

static void metrics_are_named_well(void)
{
	many_begin("names of metrics");
	for (size_t i = 0; i < counter_table_rows; i++) {
		const struct counter_row *row = &counter_table[i];

		if (row->metric == NULL)
			continue;
		many(is_word(row->metric) && strncmp(row->metric, "tlsad_", 6) == 0, "%s",
			row->metric);
		many(ends_with(row->metric, "_total") == (row->kind == COUNTER_RISING),
			"%s: only counters end in _total", row->metric);
		many((row->help == NULL) == continues_family(i), "%s: help of each family, once",
			row->metric);
		many(row->help == NULL || ends_with(row->help, "."), "%s: help is a sentence",
			row->metric);
		many(!continues_family(i) || row[-1].kind == row->kind, "%s: of one kind",
			row->metric);
	}
	many_end();
}

/* NULL if the row does not have one. */
static const char *status_of(const struct counter_row *row)
{
	return row->status;
}

static const char *total_of(const struct counter_row *row)
{
	return row->total;
}

static const char *log_of(const struct counter_row *row)
{
	return row->log;
}

static bool is_unique(const char *word, size_t n, const char *(*of)(const struct counter_row *row))
{
	for (size_t i = 0; i < counter_table_rows; i++) {
		const char *other = of(&counter_table[i]);
		if (i != n && other != NULL && strcmp(word, other) == 0)
			return false;
	}
	return true;
}

static void nothing_is_there_twice(void)
{
	many_begin("no path, name or sample occurs twice");
	for (size_t i = 0; i < counter_table_rows; i++) {
		const struct counter_row *row = &counter_table[i];

		if (row->status != NULL)
			many(is_unique(row->status, i, status_of) &&
					is_unique(row->status, counter_table_rows, total_of),
				"%s", row->status);
		if (row->total != NULL)
			many(is_unique(row->total, i, total_of), "%s", row->total);
		if (row->log != NULL)
			many(is_unique(row->log, i, log_of), "%s", row->log);
		for (size_t j = 0; row->metric != NULL && j < i; j++)
			many(counter_table[j].metric == NULL ||
					strcmp(counter_table[j].metric, row->metric) != 0 ||
					continues_family(i),
				"%s: one family", row->metric);
	}
	many_end();
}

static void samples_differ(void)
{
	static char samples[COUNTER_VALUES_MAX][512];
	size_t count = 0;

	many_begin("every sample has different labels");
	for (size_t i = 0; i < counter_table_rows; i++) {
		const struct counter_row *row = &counter_table[i];
		size_t size;

		if (row->metric == NULL || row->kind == COUNTER_HISTOGRAM)
			continue;
		for (size_t cell = 0; cell < counter_row_cells(row); cell++) {
			char *sample = samples[count++];
			size = (size_t)snprintf(sample, sizeof samples[0], "%s ", row->metric);
			print_labels(sample + size, sizeof samples[0] - size, row, cell);
			for (size_t other = 0; other + 1 < count; other++)
				many(strcmp(samples[other], sample) != 0, "%s", sample);
		}
	}
	many_end();
}

/* The last label's values are next to each other, as in the owner's array. */
static void cells_are_in_order(void)
{
	static const struct {
		size_t cell;
		const char *labels;
	} rows[] = {
		{0, "map=policy,result=ok,"},
		{1, "map=policy,result=notfound,"},
		{3, "map=policy,result=perm,"},
		{4, "map=native,result=ok,"},
		{4 * MAP_COUNT + 2, "map=unknown,result=temp,"},
	};
	char labels[512];

	is_string(counter_table[0].metric, "tlsad_requests_total", "the first row");
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		print_labels(labels, sizeof labels, &counter_table[0], rows[i].cell);
		is_string(labels, rows[i].labels, "cell %zu", rows[i].cell);
	}
}

/* Members without a row: another row is computed from them. */
static const struct {
	enum counter_owner owner;
	size_t offset, size;
} not_rows[] = {
	{COUNTER_OF_LOOKUP, offsetof(struct lookup_counters, deferred_since), sizeof(counter)},
	{COUNTER_OF_LOOKUP, offsetof(struct lookup_counters, resolver), sizeof(struct probe_state)},
	{COUNTER_OF_DNS, offsetof(struct dns_counters, failures_in_row), sizeof(counter)},
};

static bool has_row(enum counter_owner owner, size_t offset)
{
	for (size_t i = 0; i < counter_table_rows; i++) {
		const struct counter_row *row = &counter_table[i];
		if (row->owner == owner && offset >= row->offset &&
			offset < row->offset + row->size)
			return true;
	}
	for (size_t i = 0; i < sizeof not_rows / sizeof not_rows[0]; i++) {
		if (not_rows[i].owner == owner && offset >= not_rows[i].offset &&
			offset < not_rows[i].offset + not_rows[i].size)
			return true;
	}
	return false;
}

/* A counter without a row fails here. */
static void counters_have_rows(void)
{
	static const struct {
		enum counter_owner owner;
		size_t size;
		const char *name;
	} owners[] = {
		{COUNTER_OF_SERVING, sizeof(struct serving_counters), "serving_counters"},
		{COUNTER_OF_LOOKUP, sizeof(struct lookup_counters), "lookup_counters"},
		{COUNTER_OF_DNS, sizeof(struct dns_counters), "dns_counters"},
	};

	many_begin("every counter has a row");
	for (size_t i = 0; i < sizeof owners / sizeof owners[0]; i++) {
		for (size_t offset = 0; offset < owners[i].size; offset += sizeof(counter))
			many(has_row(owners[i].owner, offset), "struct %s, offset %zu",
				owners[i].name, offset);
	}
	many_end();
}

int main(void)
{
	counters_have_rows();
	rows_are_whole();
	metrics_are_named_well();
	nothing_is_there_twice();
	samples_differ();
	cells_are_in_order();
	return done_testing();
}
