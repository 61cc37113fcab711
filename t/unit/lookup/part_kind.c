/*
 * part_kind: every row of the table is complete and agrees with common/part: its key has its kind,
 * its parts open as that kind, a failure is encoded without loss; which lookups have failed, how
 * long their facts are valid, and which parts may be used after they have expired.
 */
#include "daemon/lookup/part_kind.h"

#include "t/unit/parts.h"

static const enum part_kind kinds[] = {PART_MX, PART_HOST};

enum { KIND_COUNT = sizeof kinds / sizeof kinds[0] };

static const struct lifetime_settings settings = {
	.min_ttl = 30,
	.max_ttl = 86400,
	.failure_ttl = 30,
	.serve_stale = 3600,
	.prefetch = 10,
};

static void test_rows(void)
{
	static const struct part_subject subject = {.name = "mx.example.com", .port = 587};
	struct part_times times = parts_times();
	struct part_failure failure, read;

	parts_fail(&failure, DNS_FAILURE_LOCAL, DNS_TYPE_A, "mx.example.com", "out of memory");
	for (size_t i = 0; i < KIND_COUNT; i++) {
		const struct part_kind_row *row = part_kind_find(kinds[i]);
		char key[PART_KEY_MAX];
		struct part part = {0};
		size_t size = 0;

		const char *name = part_kind_name(kinds[i]);
		struct part_key said;

		if (row == NULL)
			bail_out("a kind has no row");
		size_t key_size = part_named_key(
			key, kinds[i], subject.name, strlen(subject.name), subject.port);
		ok(part_key_read(&said, key, key_size) && said.kind == row->kind &&
				said.kind == kinds[i],
			"%s: its key has its kind", name);
		uint8_t *bytes = row->encode_failure(&failure, &times, key, key_size, &size);
		memset(&read, 0, sizeof read);
		ok(bytes != NULL && part_intact(bytes, size, key, key_size) &&
				part_open(&part, kinds[i], bytes, size) &&
				part_failure(&part, &read) && read.type == failure.type &&
				strcmp(read.detail, failure.detail) == 0,
			"%s: a failure opens and says what failed", name);
		ok(!row->may_be_stale(part.header.status),
			"%s: a failure is not used after it has expired", name);
		row->cancel(NULL);
		free(bytes);
	}
	ok(part_kind_find(PART_TA) == NULL && part_kind_find(PART_TA_ATTEMPT) == NULL &&
			part_kind_find((enum part_kind)'x') == NULL,
		"a kind without lookup has no row");
}

/* --- lifetimes ----------------------------------------------------------------------------- */

static const struct {
	const char *name;
	enum mx_status status;
	uint32_t ttl;
	bool failed;
	uint32_t life; /* [s] */
	bool refresh;  /* ahead of its expiry */
	bool stale;    /* may live on */
} mx_rows[] = {
	{"MX records", MX_FOUND, 3600, false, 3600, true, true},
	{"a short TTL", MX_FOUND, 1, false, 30, true, true},
	{"a long TTL", MX_FOUND, 200000, false, 86400, true, true},
	{"no MX records", MX_ABSENT, 600, false, 600, true, true},
	{"a null MX", MX_NULL, 600, false, 600, true, false},
	{"no such domain", MX_NXDOMAIN, 600, false, 600, true, false},
	{"a failure", MX_FAILED, 600, true, 30, false, false},
};

static const struct {
	const char *name;
	enum host_status status;
	uint32_t ttl, min_ttl;
	bool uncertain, failed;
	uint32_t life; /* [s] */
	bool refresh, stale;
} host_rows[] = {
	{"a usable host", HOST_USABLE, 3600, 30, false, false, 3600, true, true},
	{"its digest must not be valid beyond its TTL", HOST_USABLE, 10, 3600, false, false, 70,
		true, true},
	{"an unusable host", HOST_UNUSABLE, 600, 30, false, false, 600, true, true},
	{"a host without DANE", HOST_NONE, 600, 30, false, false, 600, true, false},
	{"an uncertain one", HOST_NONE, 600, 30, true, false, 30, false, false},
	{"an uncertain one with a short TTL", HOST_NONE, 20, 5, true, false, 20, true, false},
	{"an unreachable host", HOST_UNREACHABLE, 600, 30, false, false, 600, true, false},
	{"a failure", HOST_FAILED, 600, 30, false, true, 30, false, false},
};

static void check(const char *name, const struct part_kind_row *row, const void *facts,
	const struct lifetime_settings *with, bool failed, uint32_t life, bool refresh)
{
	struct part_times times = row->lifetime(facts, with, PARTS_NOW);

	if (!ok(row->failed(facts) == failed && times.stored_at == PARTS_NOW &&
			    times.expires == PARTS_NOW + life &&
			    (times.refresh_at < times.expires) == refresh,
		    "%s %s: lives for %u s", part_kind_name(row->kind), name, life))
		diag("failed %d, expires after %u, refresh after %u", row->failed(facts),
			times.expires - PARTS_NOW, times.refresh_at - PARTS_NOW);
}

static void test_lifetimes(void)
{
	static struct host_facts facts;

	for (size_t i = 0; i < sizeof mx_rows / sizeof mx_rows[0]; i++) {
		struct mx_set set = {.status = mx_rows[i].status, .ttl = mx_rows[i].ttl};
		check(mx_rows[i].name, &part_kind_mx, &set, &settings, mx_rows[i].failed,
			mx_rows[i].life, mx_rows[i].refresh);
		ok(part_kind_mx.may_be_stale((uint8_t)set.status) == mx_rows[i].stale, "mx %s: %s",
			mx_rows[i].name, mx_rows[i].stale ? "may live on" : "ends");
	}
	for (size_t i = 0; i < sizeof host_rows / sizeof host_rows[0]; i++) {
		struct lifetime_settings with = settings;
		with.min_ttl = host_rows[i].min_ttl;
		facts.status = host_rows[i].status;
		facts.ttl = host_rows[i].ttl;
		facts.uncertain = host_rows[i].uncertain;
		check(host_rows[i].name, &part_kind_host, &facts, &with, host_rows[i].failed,
			host_rows[i].life, host_rows[i].refresh);
		ok(part_kind_host.may_be_stale((uint8_t)facts.status) == host_rows[i].stale,
			"host %s: %s", host_rows[i].name,
			host_rows[i].stale ? "may live on" : "ends");
	}
}

int main(void)
{
	test_rows();
	test_lifetimes();
	return done_testing();
}
