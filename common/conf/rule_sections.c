#include "common/conf/rule_sections.h"

#include <string.h>

const struct rule_section rule_sections[RULE_SECTION_COUNT] = {
	{.name = "minimum", .add = rules_add_minimum, .same = rules_same_minimums},
	{.name = "exception",
		.add = rules_add_exception,
		.same = rules_same_exceptions,
		.raw = true},
};

const struct rule_section *rule_section_find(const char *name)
{
	for (size_t i = 0; i < RULE_SECTION_COUNT; i++) {
		if (strcmp(rule_sections[i].name, name) == 0)
			return &rule_sections[i];
	}
	return NULL;
}

bool rule_sections_make_rules(struct conf *conf)
{
	if (conf->rules == NULL)
		conf->rules = rules_new();
	return conf->rules != NULL;
}
