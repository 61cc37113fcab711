#include "common/conf/rule_sections.h"
#include "common/site/submitters.h"

static bool load_submitters(struct conf *conf, char error[CONF_ERROR_SIZE])
{
	const struct {
		const char *key;
		const struct conf_list *list;
	} lists[SUBMITTERS_LISTS] = {
		[SUBMITTERS_SENDERS] = {"senders", &conf->policy.senders},
		[SUBMITTERS_SASL_USERNAMES] = {"sasl_usernames", &conf->policy.sasl_usernames},
		[SUBMITTERS_CLIENTS] = {"clients", &conf->policy.clients},
	};
	char words[SUBMITTERS_ERROR_SIZE];

	conf->policy.submitters = submitters_new();
	if (conf->policy.submitters == NULL)
		return false;
	for (size_t list = 0; list < SUBMITTERS_LISTS; list++) {
		for (size_t i = 0; i < lists[list].list->count; i++) {
			if (submitters_add(conf->policy.submitters, (enum submitters_list)list,
				    lists[list].list->entries[i], words))
				continue;
			snprintf(error, CONF_ERROR_SIZE, "[policy] %s: %s", lists[list].key, words);
			return false;
		}
	}
	return true;
}

/*
 * The minimums file must exist, because its minimums would otherwise silently not apply. The
 * exceptions file need not: "tlsactl exception add" creates it.
 */
bool conf_load_rules(struct conf *conf, char error[CONF_ERROR_SIZE])
{
	const struct {
		const char *file;
		bool must_exist;
		rules_adder *add;
	} files[] = {
		{conf->dane.minimums_file, true, rules_add_minimum},
		{conf->dane.exceptions_file, false, rules_add_exception},
	};

	snprintf(error, CONF_ERROR_SIZE, "out of memory");
	if (!load_submitters(conf, error))
		return false;
	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
		if (files[i].file[0] == '\0')
			continue;
		if (!rule_sections_make_rules(conf) ||
			!rules_read(conf->rules, files[i].file, files[i].must_exist, files[i].add,
				error))
			return false;
	}
	if (conf->dane.mode == MODE_MONITOR)
		return rule_sections_make_rules(conf);
	if (rules_key_count(conf->rules) == 0) {
		rules_free(conf->rules);
		conf->rules = NULL;
	}
	return true;
}
