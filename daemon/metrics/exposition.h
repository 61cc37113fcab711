/*
 * exposition: writes Prometheus' text format, version 0.0.4. Pure.
 *
 * A family begins with its help; its samples follow. Names must be valid; help and label values may
 * contain any characters and are escaped.
 */
#ifndef TLSAD_METRICS_EXPOSITION_H
#define TLSAD_METRICS_EXPOSITION_H

#include "common/base/text.h"
#include "daemon/loop/histogram.h"

#define EXPOSITION_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

enum exposition_type { EXPOSITION_COUNTER, EXPOSITION_GAUGE, EXPOSITION_HISTOGRAM };

struct exposition_label {
	const char *name;
	const char *value;
};

void exposition_family(
	struct text *out, const char *name, enum exposition_type type, const char *help);

/* A sample of the family that exposition_family() has begun. */
void exposition_sample(struct text *out, const char *name, const struct exposition_label *labels,
	size_t label_count, uint64_t value);

/* A family of one sample without labels. */
void exposition_number(struct text *out, const char *name, enum exposition_type type,
	const char *help, uint64_t value);

/* A family with one histogram, in seconds. */
void exposition_histogram(struct text *out, const char *name, const char *help,
	const struct histogram_figures *figures);

#endif
