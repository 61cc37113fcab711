/*
 * What `tlsactl doctor` reads of others: values of Postfix's parameters, its version, resolv.conf,
 * keys of the root.
 */
#include "daemon/ctl/doctor/lookup_tables.h"
#include "daemon/ctl/doctor/postfix_version.h"
#include "daemon/ctl/doctor/resolv.h"
#include "daemon/ctl/doctor/root_anchor.h"

#include "daemon/ctl/doctor/program.h"
#include "t/fuzz/fuzz.h"

static void check_tables(const char *value)
{
	static struct lookup_table tables[LOOKUP_TABLES_MAX];
	size_t count = lookup_tables_parse(value, tables);

	CHECK(count <= LOOKUP_TABLES_MAX);
	for (size_t i = 0; i < count; i++) {
		const struct lookup_table *table = &tables[i];
		size_t length = strnlen(table->word, sizeof table->word);
		CHECK(length > 0 && length < sizeof table->word);
		CHECK(strnlen(table->address, sizeof table->address) < sizeof table->address);
		CHECK(strnlen(table->map, sizeof table->map) < sizeof table->map);
		/* A list contains the words that it was cut into. */
		if (length < sizeof table->word - 1)
			CHECK(lookup_tables_have(value, table->word));
		if (table->kind == LOOKUP_TABLE_UNIX || table->kind == LOOKUP_TABLE_INET)
			CHECK(table->address[0] != '\0' && strstr(table->word, table->address));
	}
}

/* A list that is not changed has the same words. */
static void check_change(const char *value)
{
	static struct lookup_table tables[LOOKUP_TABLES_MAX], others[LOOKUP_TABLES_MAX];
	const char *const words[LOOKUP_TABLES_MAX] = {NULL};
	size_t size = strlen(value) + 1;
	char *bytes = malloc(size);
	struct text text;

	CHECK(bytes != NULL);
	text_init(&text, bytes, size);
	lookup_tables_change(&text, value, value, words, NULL);
	size_t count = lookup_tables_parse(value, tables);
	CHECK(!text.cut && lookup_tables_parse(bytes, others) == count);
	for (size_t i = 0; i < count; i++)
		CHECK(strcmp(tables[i].word, others[i].word) == 0);
	free(bytes);
}

static void check_resolv(const char *text)
{
	struct resolv resolv;

	resolv_parse(&resolv, text);
	CHECK(resolv.count >= 1 && resolv.count <= RESOLV_SERVERS_MAX);
	for (size_t i = 0; i < resolv.count; i++)
		CHECK(strnlen(resolv.servers[i], RESOLV_ADDRESS_SIZE) < RESOLV_ADDRESS_SIZE);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	char *text = fuzz_string(bytes, size), line[64];
	struct postfix_version version;
	struct anchor_key keys[ANCHOR_KEYS_MAX];

	check_tables(text);
	check_change(text);
	check_resolv(text);
	if (postfix_version_parse(text, &version)) {
		CHECK(postfix_version_least(
			version, version.major, version.snapshot ? 0 : version.minor));
		CHECK(!postfix_version_least(version, version.major, version.minor + 1) ||
			version.minor == UINT32_MAX);
		postfix_version_insecure_mx_fixed(version);
		CHECK(postfix_version_has_tlsrpt(version) ||
			!postfix_version_has_sts_patterns(version));
	}
	CHECK(anchor_keys_read(text, keys) <= ANCHOR_KEYS_MAX);
	program_first_line(text, line, sizeof line);
	CHECK(strnlen(line, sizeof line) < sizeof line && strchr(line, '\n') == NULL);
	free(text);
	return 0;
}
