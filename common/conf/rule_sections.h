/*
 * rule_sections: the sections `minimum` and `exception`, whose keys are domains. Their lines are
 * not settings but rules (common/site/rules.h); files can contain more rules (load_rules.c).
 */
#ifndef TLSAD_CONF_RULE_SECTIONS_H
#define TLSAD_CONF_RULE_SECTIONS_H

#include "common/conf/conf.h"

struct rule_section {
	const char *name;
	rules_adder *add;
	bool (*same)(const struct rules *one, const struct rules *other);
	bool raw; /* the value extends to the end of its line: no comment follows it */
};

enum { RULE_SECTION_COUNT = 2 };
extern const struct rule_section rule_sections[RULE_SECTION_COUNT];

/* NULL: not a section of rules. */
const struct rule_section *rule_section_find(const char *name);

/* Make the struct rules of a configuration if it has none yet. False: out of memory. */
bool rule_sections_make_rules(struct conf *conf);

#endif
