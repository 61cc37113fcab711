/*
 * Parses a rule and adds it to the table.
 */
#include "common/site/rules_table.h"

#include "common/base/text.h"

#include <stdio.h>
#include <string.h>

static bool read_key(const char *key, char normal[RULES_KEY_SIZE])
{
	bool below = key[0] == '.';
	const char *name = key + below;
	struct destination destination;

	/* A single label is a key only with a dot, `.org`: `org` itself is not a destination. */
	if (!destination_name_to_ascii(name, strlen(name), destination.name))
		return false;
	snprintf(normal, RULES_KEY_SIZE, "%s%s", below ? "." : "", destination.name);
	return below || strchr(destination.name, '.') != NULL;
}

bool rules_key(const char *key, char normal[RULES_KEY_SIZE], char error[RULES_ERROR_SIZE])
{
	if (strcmp(key, "*") == 0) {
		strcpy(normal, key);
		return true;
	}
	if (read_key(key, normal))
		return true;
	snprintf(error, RULES_ERROR_SIZE,
		"'%.100s' is not a domain name; write example.org, .example.org for all names "
		"below it, or * for all destinations",
		key);
	return false;
}

bool rules_exception_key(const char *key, char normal[RULES_KEY_SIZE], char error[RULES_ERROR_SIZE])
{
	if (strcmp(key, "*") == 0) {
		snprintf(error, RULES_ERROR_SIZE,
			"an exception for * would apply to every destination; to return no policy "
			"at all set [dane] mode = monitor, for the level of other destinations set "
			"[dane] site_level");
		return false;
	}
	if (read_key(key, normal))
		return true;
	snprintf(error, RULES_ERROR_SIZE,
		"'%.100s' is not a domain name; write example.org, or .example.org for all names "
		"below it",
		key);
	return false;
}

/* A second rule replaces the first, is ignored, or is an error. */
enum second { SECOND_TAKEN, SECOND_PASSED_OVER, SECOND_REFUSED };

/* For a key that already has a rule of the same kind. */
static enum second check_second(const char *what, const char *key, struct rule_place first,
	struct rule_place second, char error[RULES_ERROR_SIZE])
{
	if (second.line == 0)
		return SECOND_TAKEN;
	if (first.line == 0)
		return SECOND_PASSED_OVER;
	snprintf(error, RULES_ERROR_SIZE, "%.100s already has %s, at %.200s:%u; remove one of them",
		key, what, first.file, first.line);
	return SECOND_REFUSED;
}

static bool find_minimum_name(const char *name, enum minimum_level *level)
{
	for (size_t i = 0; i < MINIMUM_COUNT; i++) {
		if (text_equal_nocase(name, strlen(name), minimum_names[i])) {
			*level = (enum minimum_level)i;
			return true;
		}
	}
	return false;
}

bool rules_add_minimum(struct rules *rules, struct rule_place place, const char *key,
	const char *value, char error[RULES_ERROR_SIZE])
{
	char normal[RULES_KEY_SIZE];
	enum minimum_level level;

	if (!rules_key(key, normal, error))
		return false;
	if (!find_minimum_name(value, &level)) {
		snprintf(error, RULES_ERROR_SIZE,
			"'%.60s' is not a minimum level; write none, encrypted, authenticated or "
			"dane",
			value);
		return false;
	}
	struct rule_slot *slot = rules_need_slot(rules, normal, error);
	if (slot == NULL)
		return false;
	struct rule_place first = rules_minimum_place(rules, slot);
	enum second second = slot->minimum == NO_MINIMUM
				     ? SECOND_TAKEN
				     : check_second("a minimum", normal, first, place, error);
	if (second != SECOND_TAKEN)
		return second == SECOND_PASSED_OVER;
	rules->minimum_count += slot->minimum == NO_MINIMUM;
	slot->minimum = (uint8_t)level;
	slot->source = rules_source_number(rules, place.file);
	slot->line = place.line;
	return true;
}

bool rules_add_exception(struct rules *rules, struct rule_place place, const char *key,
	const char *value, char error[RULES_ERROR_SIZE])
{
	char normal[RULES_KEY_SIZE];
	struct exception_terms terms;

	if (!rules_exception_key(key, normal, error) || !exception_parse(value, &terms, error))
		return false;
	struct rule_slot *slot = rules_need_slot(rules, normal, error);
	if (slot == NULL)
		return false;
	struct exception *exception = slot->exception;
	enum second second = exception == NULL ? SECOND_TAKEN
					       : check_second("an exception", normal,
							 exception->place, place, error);
	if (second != SECOND_TAKEN)
		return second == SECOND_PASSED_OVER;
	const char *reason = rules_copy_text(rules, terms.reason), *kept_key = NULL;
	if (exception != NULL) {
		kept_key = exception->key;
	} else {
		kept_key = rules_copy_text(rules, normal);
		void *exceptions = rules->exceptions;
		bool grown = rules_grow(&exceptions, rules->exception_count, &rules->exception_room,
			sizeof *rules->exceptions);
		rules->exceptions = exceptions;
		exception = grown ? rules_allocate(rules, sizeof *exception) : NULL;
	}
	if (reason == NULL || kept_key == NULL || exception == NULL) {
		snprintf(error, RULES_ERROR_SIZE, "out of memory");
		return false;
	}
	if (slot->exception == NULL)
		rules->exceptions[rules->exception_count++] = exception;
	slot->exception = exception;
	exception->key = kept_key;
	exception->level = terms.level;
	exception->until = terms.until;
	exception->reason = reason;
	exception->place = place;
	atomic_init(&exception->used_on, 0);
	atomic_init(&exception->end_was_noted, false);
	return true;
}
