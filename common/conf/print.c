#include "common/base/text.h"
#include "common/conf/value.h"

#include <string.h>

/* Only the rules of the configuration itself: files of rules are printed as settings. */
static void print_minimums(FILE *out, const struct conf *conf)
{
	const char *head = "\n[minimum]\n", *key;
	enum minimum_level level;
	struct rule_place place;

	for (size_t i = 0; i < rules_key_count(conf->rules); i++) {
		if (!rules_minimum(conf->rules, i, &key, &level, &place) ||
			strcmp(place.file, conf->dane.minimums_file) == 0)
			continue;
		fprintf(out, "%s%s = %s\n", head, key, minimum_names[level]);
		head = "";
	}
}

static void print_exceptions(FILE *out, const struct conf *conf)
{
	const char *head = "\n[exception]\n";
	const struct exception *exception;

	for (size_t i = 0; (exception = rules_exception(conf->rules, i)) != NULL; i++) {
		struct exception_terms terms = {
			exception->level, exception->until, exception->reason};
		char words[EXCEPTION_REASON_MAX + 64];
		struct text text;

		if (strcmp(exception->place.file, conf->dane.exceptions_file) == 0)
			continue;
		text_init(&text, words, sizeof words);
		exception_print(&terms, &text);
		fprintf(out, "%s%s = %s\n", head, exception->key, words);
		head = "";
	}
}

void conf_print(const struct conf *conf, FILE *out)
{
	const char *section = "";

	for (size_t i = 0; i < conf_setting_count; i++) {
		const struct setting *setting = &conf_settings[i];

		if (strcmp(section, setting->section) != 0) {
			fprintf(out, "%s[%s]\n", *section != '\0' ? "\n" : "", setting->section);
			section = setting->section;
		}
		fprintf(out, "# %s\n", setting->help);
		value_print(setting, conf, out);
		fputc('\n', out);
	}
	print_minimums(out, conf);
	print_exceptions(out, conf);
}
