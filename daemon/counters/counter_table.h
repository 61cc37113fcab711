/*
 * counter_table: every number that the daemon reports about itself, one row each.
 *
 * A row gives the member of `tlsactl status`, the metric on the page /metrics and the name in the
 * log line at the end; a test checks that tlsad(8) and tlsactl(8) have all of them. To add a
 * number, add a row and document it in the manuals.
 *
 * Rows are in the order of /metrics. Pure.
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

/* Which struct has the numbers. */
enum counter_owner {
	COUNTER_OF_SERVING, /* struct serving_counters: the sum over the serving threads */
	COUNTER_OF_LOOKUP,  /* struct lookup_counters */
	COUNTER_OF_DNS,     /* struct dns_counters */
	COUNTER_OF_STORE,   /* struct store_figures */
	COUNTER_OF_DAEMON,  /* struct daemon_figures: computed for each report */
};

enum counter_kind {
	COUNTER_RISING,    /* from 0 at the start, never decreases; Prometheus: counter */
	COUNTER_GAUGE,     /* increases and decreases */
	COUNTER_HISTOGRAM, /* struct histogram; on /metrics only */
};

/* Rows that are together in `tlsactl status` and in the log line at the end, in their own order. */
enum counter_section {
	COUNTER_PROCESS,
	COUNTER_CONNECTIONS,
	COUNTER_REQUESTS,
	COUNTER_MONITOR,
	COUNTER_RULES,
	COUNTER_POLICY,
	COUNTER_LOOKUPS,
	COUNTER_STS,
	COUNTER_DNS,
	COUNTER_CACHE,
	COUNTER_HEALTH,
	COUNTER_SECTIONS,
};

/*
 * A label and the fixed set of its values. Nothing from a request ever becomes a value: otherwise
 * clients could create an unlimited number of metrics.
 */
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
	 * For each combination of label values there is one number, a cell; values of the last
	 * label are adjacent. Without labels there is one cell.
	 */
	const struct counter_label *labels[COUNTER_LABELS_MAX];
	/*
	 * NULL: not on /metrics. A row with the same name as the row before belongs to its family.
	 */
	const char *metric;
	const char *help; /* of the family, in its first row */
	/*
	 * Place in `tlsactl status`: `member` or `object.member`. A row with several cells is an
	 * object with a member for each value of the last label. NULL: not shown.
	 */
	const char *status;
	const char *total;   /* place of the sum of all cells in `tlsactl status`, or NULL */
	const char *log;     /* name of that sum in the log line at the end, or NULL */
	bool without_zeroes; /* `tlsactl status` leaves out members that are 0 */
};

extern const struct counter_row counter_table[];
extern const size_t counter_table_rows;

/* The number of cells of a row; a histogram has its buckets and its sum. */
size_t counter_row_cells(const struct counter_row *row);

size_t counter_row_labels(const struct counter_row *row);

/* The value of the row's n-th label in this cell. */
const char *counter_row_label_value(const struct counter_row *row, size_t label, size_t cell);

#endif
