/*
 * The page /metrics: a family for each name in the table of counters. Names, help and labels are
 * the table's.
 */
#include "daemon/metrics/exposition.h"
#include "daemon/metrics/metrics.h"

#include <string.h>

static enum exposition_type type_of(enum counter_kind kind)
{
	return kind == COUNTER_RISING ? EXPOSITION_COUNTER : EXPOSITION_GAUGE;
}

/* Does the row belong to the same family as the row before? */
static bool continues_family(size_t row)
{
	return row > 0 && counter_table[row - 1].metric != NULL &&
	       strcmp(counter_table[row - 1].metric, counter_table[row].metric) == 0;
}

static void add_samples(struct text *out, const struct counter_row *row, const uint64_t *values)
{
	size_t label_count = counter_row_labels(row), cells = counter_row_cells(row);
	struct exposition_label labels[COUNTER_LABELS_MAX];

	for (size_t cell = 0; cell < cells; cell++) {
		for (size_t i = 0; i < label_count; i++) {
			labels[i].name = row->labels[i]->name;
			labels[i].value = counter_row_label_value(row, i, cell);
		}
		exposition_sample(out, row->metric, labels, label_count, values[cell]);
	}
}

void metrics_page(const struct counters *counters, struct text *out)
{
	for (size_t i = 0; i < counter_table_rows; i++) {
		const struct counter_row *row = &counter_table[i];
		struct histogram_figures figures;

		if (row->metric == NULL)
			continue;
		if (row->kind == COUNTER_HISTOGRAM) {
			counters_histogram(counters, i, &figures);
			exposition_histogram(out, row->metric, row->help, &figures);
			continue;
		}
		if (!continues_family(i))
			exposition_family(out, row->metric, type_of(row->kind), row->help);
		add_samples(out, row, counters_row(counters, i));
	}
}
