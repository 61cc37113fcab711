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

static void test_change(void)
{
	static const struct {
		const char *raw, *value;
		size_t index; /* of the word that becomes NEW; LOOKUP_TABLES_MAX: none */
		const char *appended, *result;
	} changes[] = {
		{"", "", LOOKUP_TABLES_MAX, "NEW", "NEW"},
		{" , ", " , ", LOOKUP_TABLES_MAX, "NEW", "NEW"},
		{"hash:a", "hash:a", LOOKUP_TABLES_MAX, "NEW", "hash:a, NEW"},
		{"hash:a", "hash:a", 0, NULL, "NEW"},
		{"hash:a, b c,d", "hash:a, b c,d", 1, NULL, "hash:a, NEW c,d"},
		{"hash:a, b c,d", "hash:a, b c,d", 3, NULL, "hash:a, b c,NEW"},
		{"a,\n\tb\n\tc", "a,\n\tb\n\tc", 1, NULL, "a, NEW c"},
		{"a b,", "a b,", LOOKUP_TABLES_MAX, "NEW", "a b, NEW"},
		{"inline:{ {a = b}, {c = d} } e", "inline:{ {a = b}, {c = d} } e", 1, NULL,
			"inline:{ {a = b}, {c = d} } NEW"},
		/* $name as part of a word, and as one or more words. */
		{"hash:$d/a, b", "hash:/etc/a, b", 1, NULL, "hash:$d/a, NEW"},
		{"hash:$d/a, b", "hash:/etc/a, b", 0, NULL, "NEW, b"},
		{"$x, b", "a, b", 0, NULL, "NEW, b"},
		{"$x, b", "a, b", 1, NULL, "$x, NEW"},
		{"$x, b", "a c, b", 2, NULL, "$x, NEW"},
		{"b $x c", "b c", 1, NULL, "b $x NEW"},
		{"b $x c", "b 1 2 c", 0, NULL, "NEW $x c"},
		{"b $x c", "b 1 2 c", LOOKUP_TABLES_MAX, "NEW", "b $x c, NEW"},
		{"$x b $y, c", "1 2 b 3, c", 4, NULL, "$x b $y, NEW"},
		/* It is not clear where the word is. */
		{"$x, b", "a c, b", 1, NULL, "a NEW, b"},
		{"$x b $y", "1 2 b", 2, NULL, "1 2 NEW"},
		{"$x b $y", "1 b 2", 1, NULL, "1 NEW 2"},
		{"a:$x b", "a:1 2 b", 2, NULL, "a:1 2 NEW"},
	};

	for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
		const char *replaced[LOOKUP_TABLES_MAX] = {NULL};
		char bytes[256];
		struct text text;
		if (changes[i].index < LOOKUP_TABLES_MAX)
			replaced[changes[i].index] = "NEW";
		text_init(&text, bytes, sizeof bytes);
		lookup_tables_change(
			&text, changes[i].raw, changes[i].value, replaced, changes[i].appended);
		is_string(bytes, changes[i].result, "'%s', word %zu", changes[i].raw,
			changes[i].index);
	}
}

int main(void)
{
	test_words();
	test_lists();
	test_have();
	test_change();
	return done_testing();
}
