/*
 * counter_table: every number that the daemon tells of itself, one row each.
 *
 * From a row come the member of `tlsactl status`, the metric on the page /metrics, the word in the
 * log line at the end, and the test that looks for all of them in tlsad(8) and tlsactl(8). To add
 * a number is to add a row, and its words to the manuals.
 *
 * Rows stand in the order of /metrics. Pure.
 */
#ifndef TLSAD_COUNTERS_COUNTER_TABLE_H
#define TLSAD_COUNTERS_COUNTER_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	COUNTER_LABELS_MAX = 4,  /* of one metric */
	COUNTER_ROWS_MAX = 64,   /* of the table */
	COUNTER_VALUES_MAX = 512 /* of all rows together */
};

/* Whose struct the numbers are in. */
enum counter_owner {
	COUNTER_OF_SERVING, /* struct serving_counters: the sum over the serving threads */
	COUNTER_OF_LOOKUP,  /* struct lookup_counters */
	COUNTER_OF_DNS,     /* struct dns_counters */
	COUNTER_OF_STORE,   /* struct store_figures */
	COUNTER_OF_DAEMON,  /* struct daemon_figures: computed when somebody asks */
};

enum counter_kind {
	COUNTER_RISING,    /* from 0 at the start; Prometheus calls it a counter */
	COUNTER_GAUGE,     /* goes up and down */
	COUNTER_HISTOGRAM, /* struct histogram; on /metrics only */
};

/* What `tlsactl status` and the line at the end keep together, in their own order. */
enum counter_section {
	COUNTER_PROCESS,
	COUNTER_CONNECTIONS,
	COUNTER_REQUESTS,
	COUNTER_MONITOR,
	COUNTER_RULES,
	COUNTER_POLICY,
	COUNTER_LOOKUPS,
	COUNTER_DNS,
	COUNTER_CACHE,
	COUNTER_HEALTH,
	COUNTER_SECTIONS,
};

/* A label and the fixed set of its values: nothing that somebody asked ever becomes one. */
struct counter_label {
	const char *name;
	size_t count;
	const char *(*value)(size_t n);
};

struct counter_row {
	enum counter_section section;
	enum counter_kind kind;
	enum counter_owner owner;
	size_t offset; /* of the first number in the owner's struct [bytes] */
	size_t size;   /* of all of them [bytes] */
	/*
	 * There is a number for each combination of their values, a cell; the last label's values
	 * are next to each other. None: one cell.
	 */
	const struct counter_label *labels[COUNTER_LABELS_MAX];
	/* NULL: not on /metrics. A row with the name of the one before it belongs to its family. */
	const char *metric;
	const char *help; /* of the family, in its first row */
	/*
	 * Where in `tlsactl status`: `member` or `object.member`. Of several cells it is an object
	 * with a member for each value of the last label. NULL: nowhere.
	 */
	const char *status;
	const char *total;   /* where the sum of all cells is in `tlsactl status`, or NULL */
	const char *log;     /* word before that sum in the line at the end, or NULL */
	bool without_zeroes; /* in `tlsactl status`: zeroes have no member */
};

extern const struct counter_row counter_table[];
extern const size_t counter_table_rows;

/* How many numbers a row has; of a histogram, its buckets and its sum. */
size_t counter_row_cells(const struct counter_row *row);

size_t counter_row_labels(const struct counter_row *row);

/* The value of the row's n-th label in this cell. */
const char *counter_row_label_value(const struct counter_row *row, size_t label, size_t cell);

#endif
