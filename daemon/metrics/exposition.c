#include "daemon/metrics/exposition.h"

#include <string.h>

static const char *const type_names[] = {
	[EXPOSITION_COUNTER] = "counter",
	[EXPOSITION_GAUGE] = "gauge",
	[EXPOSITION_HISTOGRAM] = "histogram",
};

static void add_escaped(struct text *out, const char *words, const char *special)
{
	for (; *words != '\0'; words++) {
		if (*words == '\n')
			text_add(out, "\\n");
		else if (strchr(special, *words) != NULL)
			text_add_format(out, "\\%c", *words);
		else
			text_add_bytes(out, words, 1);
	}
}

void exposition_family(
	struct text *out, const char *name, enum exposition_type type, const char *help)
{
	text_add_format(out, "# HELP %s ", name);
	add_escaped(out, help, "\\");
	text_add_format(out, "\n# TYPE %s %s\n", name, type_names[type]);
}

void exposition_sample(struct text *out, const char *name, const struct exposition_label *labels,
	size_t label_count, uint64_t value)
{
	text_add(out, name);
	for (size_t i = 0; i < label_count; i++) {
		text_add_format(out, "%c%s=\"", i == 0 ? '{' : ',', labels[i].name);
		add_escaped(out, labels[i].value, "\\\"");
		text_add(out, "\"");
	}
	text_add(out, label_count > 0 ? "} " : " ");
	text_add_number(out, value);
	text_add(out, "\n");
}

void exposition_number(struct text *out, const char *name, enum exposition_type type,
	const char *help, uint64_t value)
{
	exposition_family(out, name, type, help);
	exposition_sample(out, name, NULL, 0, value);
}

void exposition_histogram(struct text *out, const char *name, const char *help,
	const struct histogram_figures *figures)
{
	uint64_t count = 0;

	exposition_family(out, name, EXPOSITION_HISTOGRAM, help);
	for (size_t i = 0; i < HISTOGRAM_BOUNDS; i++) {
		count += figures->buckets[i];
		text_add_format(out, "%s_bucket{le=\"%s\"} %ju\n", name, histogram_bounds[i].text,
			(uintmax_t)count);
	}
	count += figures->buckets[HISTOGRAM_BOUNDS];
	text_add_format(out, "%s_bucket{le=\"+Inf\"} %ju\n", name, (uintmax_t)count);
	text_add_format(out, "%s_sum %ju.%06ju\n", name, (uintmax_t)(figures->sum / 1000000),
		(uintmax_t)(figures->sum % 1000000));
	text_add_format(out, "%s_count %ju\n", name, (uintmax_t)count);
}
