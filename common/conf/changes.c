#include "common/conf/rule_sections.h"
#include "common/conf/value.h"

#include <string.h>

const char *conf_difference(const struct conf *one, const struct conf *other, size_t n)
{
	static _Thread_local char name[64];

	for (size_t i = 0; i < conf_setting_count; i++) {
		const struct setting *setting = &conf_settings[i];

		if (value_same(setting, one, other) || n-- > 0)
			continue;
		snprintf(name, sizeof name, "%s.%s", setting->section, setting->key);
		return name;
	}
	for (size_t i = 0; i < RULE_SECTION_COUNT; i++) {
		if (!rule_sections[i].same(one->rules, other->rules) && n-- == 0)
			return rule_sections[i].name;
	}
	return NULL;
}

bool conf_reloadable(const char *setting)
{
	for (size_t i = 0; i < conf_setting_count; i++) {
		size_t length = strlen(conf_settings[i].section);

		if (strncmp(setting, conf_settings[i].section, length) == 0 &&
			setting[length] == '.' &&
			strcmp(setting + length + 1, conf_settings[i].key) == 0)
			return conf_settings[i].reload;
	}
	return rule_section_find(setting) != NULL;
}

bool conf_copy_restart_settings(struct conf *conf, const struct conf *in_force)
{
	for (size_t i = 0; i < conf_setting_count; i++) {
		if (!conf_settings[i].reload && !value_copy(&conf_settings[i], conf, in_force))
			return false;
	}
	return true;
}
