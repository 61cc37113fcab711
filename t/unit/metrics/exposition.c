/*
 * exposition: samples as Prometheus reads them; no text can end a label or a help; buckets are
 * cumulative; a page that does not fit is noticed.
 */
#include "daemon/metrics/exposition.h"

#include "t/unit/tap.h"

static char bytes[8192];
static struct text out;

static const char *text(void)
{
	text_init(&out, bytes, sizeof bytes);
	return bytes;
}

static void test_samples(void)
{
	struct exposition_label labels[] = {{"one", "a"}, {"two", "b"}};

	text();
	exposition_number(&out, "n_total", EXPOSITION_COUNTER, "Help.", UINT64_MAX);
	is_string(bytes,
		"# HELP n_total Help.\n# TYPE n_total counter\nn_total 18446744073709551615\n",
		"a number");
	text();
	exposition_family(&out, "g", EXPOSITION_GAUGE, "G.");
	exposition_sample(&out, "g", labels, 2, 0);
	is_string(bytes, "# HELP g G.\n# TYPE g gauge\ng{one=\"a\",two=\"b\"} 0\n", "labels");
}

static void test_escaping(void)
{
	struct exposition_label hostile[] = {{"l", "a\"} 1\nforged{x=\"\\"}};

	text();
	exposition_sample(&out, "g", hostile, 1, 1);
	is_string(bytes, "g{l=\"a\\\"} 1\\nforged{x=\\\"\\\\\"} 1\n", "a label's value");
	text();
	exposition_family(&out, "g", EXPOSITION_GAUGE, "a\nforged 1\\ \"b\"");
	is_string(bytes, "# HELP g a\\nforged 1\\\\ \"b\"\n# TYPE g gauge\n", "a help");
}

static void test_histogram(void)
{
	struct histogram_figures figures = {.sum = 12345678};
	uint64_t last = 0, value;
	unsigned buckets = 0;

	figures.buckets[0] = 2;
	figures.buckets[3] = 5;
	figures.buckets[HISTOGRAM_BOUNDS] = 1;
	text();
	exposition_histogram(&out, "h_seconds", "H.", &figures);
	many_begin("buckets");
	for (char *at = bytes; (at = strstr(at, "h_seconds_bucket{le=\"")) != NULL;) {
		at = strchr(at, '}') + 2;
		value = strtoull(at, NULL, 10);
		many(value >= last, "%ju does not decrease", (uintmax_t)value);
		last = value;
		buckets++;
	}
	many(buckets == HISTOGRAM_BOUNDS + 1, "%u buckets", buckets);
	many_end();
	ok(strstr(bytes, "\nh_seconds_bucket{le=\"0.00001\"} 2\n") != NULL, "the first bucket");
	ok(strstr(bytes, "\nh_seconds_bucket{le=\"0.0001\"} 7\n") != NULL, "the fourth");
	ok(strstr(bytes, "\nh_seconds_bucket{le=\"30\"} 7\n") != NULL, "the last bound");
	ok(strstr(bytes, "\nh_seconds_bucket{le=\"+Inf\"} 8\nh_seconds_sum 12.345678\n"
			 "h_seconds_count 8\n") != NULL,
		"all of them, sum and count");
}

static void test_room(void)
{
	char small[32];

	text_init(&out, small, sizeof small);
	exposition_number(&out, "name_total", EXPOSITION_COUNTER, "Help.", 1);
	ok(out.cut, "a page that does not fit is noticed");
}

int main(void)
{
	test_samples();
	test_escaping();
	test_histogram();
	test_room();
	return done_testing();
}
