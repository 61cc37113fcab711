/*
 * rule_sections: the sections `minimum` and `exception`, whose keys are domains. What they hold is
 * not settings but rules (common/site/rules.h); files can hold more of them (load_rules.c).
 */
#ifndef TLSAD_CONF_RULE_SECTIONS_H
#define TLSAD_CONF_RULE_SECTIONS_H

#include "common/conf/conf.h"

struct rule_section {
	const char *name;
	rules_adder *add;
	bool (*same)(const struct rules *one, const struct rules *other);
	bool raw; /* a value reaches to the end of its line: no comment follows it */
};

enum { RULE_SECTION_COUNT = 2 };
extern const struct rule_section rule_sections[RULE_SECTION_COUNT];

/* NULL: this section, if it exists, has settings. */
const struct rule_section *rule_section_find(const char *name);

/* A configuration without rules has no struct rules: make one. False when out of memory. */
bool rule_sections_make_rules(struct conf *conf);

#endif
