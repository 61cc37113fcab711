/*
 * lookup_tables: values of smtp_tls_policy_maps, by table: which words are socketmaps, where they
 * lead and to which map.
 */
#include "daemon/ctl/doctor/lookup_tables.h"

#include "t/unit/tap.h"

static const struct {
	const char *word; /* one table */
	enum lookup_table_kind kind;
	bool proxied;
	const char *address, *map;
} words[] = {
	{"hash:/etc/postfix/tls_policy", LOOKUP_TABLE_OTHER, false, "", ""},
	{"inline:{a=b, {c = d e}}", LOOKUP_TABLE_OTHER, false, "", ""},
	{"socketmap:unix:/run/tlsad/socketmap:policy", LOOKUP_TABLE_UNIX, false,
		"/run/tlsad/socketmap", "policy"},
	{"proxy:socketmap:unix:/run/tlsad/socketmap:native", LOOKUP_TABLE_UNIX, true,
		"/run/tlsad/socketmap", "native"},
	{"proxy:proxy:socketmap:unix:tlsad:QUERY", LOOKUP_TABLE_UNIX, true, "tlsad", "QUERY"},
	{"socketmap:inet:127.0.0.1:8461:policy", LOOKUP_TABLE_INET, false, "127.0.0.1:8461",
		"policy"},
	{"socketmap:inet:[::1]:8461:pinned", LOOKUP_TABLE_INET, false, "[::1]:8461", "pinned"},
	{"socketmap:inet:127.0.0.1:policy", LOOKUP_TABLE_BROKEN, false, "127.0.0.1", "policy"},
	{"socketmap:unix:/run/tlsad/socketmap", LOOKUP_TABLE_BROKEN, false, "", ""},
	{"socketmap:unix:/run/tlsad/socketmap:", LOOKUP_TABLE_BROKEN, false, "", ""},
	{"socketmap:unix::policy", LOOKUP_TABLE_BROKEN, false, "", ""},
	{"socketmap:/run/tlsad/socketmap:policy", LOOKUP_TABLE_BROKEN, false, "", ""},
};

static void test_words(void)
{
	static struct lookup_table tables[LOOKUP_TABLES_MAX];

	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
		const char *word = words[i].word;
		if (!is_number((int64_t)lookup_tables_parse(word, tables), 1, "%s", word))
			continue;
		is_string(tables[0].word, word, "%s: word", word);
		is_number(tables[0].kind, words[i].kind, "%s: kind", word);
		is_number(tables[0].proxied, words[i].proxied, "%s: proxied", word);
		is_string(tables[0].address, words[i].address, "%s: address", word);
		is_string(tables[0].map, words[i].map, "%s: map", word);
	}
}

static void test_lists(void)
{
	static const struct {
		const char *value;
		size_t count;
	} lists[] = {
		{"", 0},
		{" ,\t\n", 0},
		{"hash:a", 1},
		{"hash:a, hash:b", 2},
		{"hash:a hash:b,hash:c\n\thash:d", 4},
		{"inline:{a b, c} hash:d", 2},
		{"inline:{a b", 1},
	};
	static struct lookup_table tables[LOOKUP_TABLES_MAX];
	char many_words[2 * (LOOKUP_TABLES_MAX + 2) + 1];

	for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
		is_number((int64_t)lookup_tables_parse(lists[i].value, tables),
			(int64_t)lists[i].count, "'%s'", lists[i].value);
	for (size_t i = 0; i < LOOKUP_TABLES_MAX + 2; i++)
		memcpy(many_words + 2 * i, "a ", 3);
	is_number((int64_t)lookup_tables_parse(many_words, tables), LOOKUP_TABLES_MAX,
		"no more than there is room for");
}

static void test_have(void)
{
	static const char list[] = "proxy:hash:a, inline:{dns x}\n$alias_maps";

	ok(lookup_tables_have(list, "proxy:hash:a"), "the first word");
	ok(lookup_tables_have(list, "$alias_maps"), "the last word");
	ok(lookup_tables_have(list, "inline:{dns x}"), "a word in braces");
	ok(!lookup_tables_have(list, "dns"), "part of a word");
	ok(!lookup_tables_have(list, "proxy:hash"), "the beginning of a word");
	ok(!lookup_tables_have("", "dns"), "an empty list");
}

int main(void)
{
	test_words();
	test_lists();
	test_have();
	return done_testing();
}
