#include "common/site/action.h"

#include <stdio.h>
#include <string.h>

enum { WORD_SIZE = 40 };

/* All actions that access(5) has for a recipient. */
static const char *const actions[] = {"BCC", "DEFER", "DEFER_IF_PERMIT", "DEFER_IF_REJECT",
	"DISCARD", "DUNNO", "FILTER", "HOLD", "INFO", "OK", "PREPEND", "REDIRECT", "REJECT",
	"WARN"};
enum { ACTIONS = sizeof actions / sizeof actions[0] };

/* The placeholders; PLACES: not a placeholder. */
enum place { PLACE_DESTINATION, PLACE_REQUIRED, PLACE_OFFERED, PLACE_REASON, PLACES };

static const char *const place_names[PLACES] = {
	[PLACE_DESTINATION] = "destination",
	[PLACE_REQUIRED] = "required",
	[PLACE_OFFERED] = "offered",
	[PLACE_REASON] = "reason",
};

/* The placeholder that begins with the `{` at `brace`, or PLACES; `*end` is the byte after it. */
static enum place find_place(const char *brace, const char **end)
{
	size_t length = strcspn(brace + 1, "{}");

	*end = brace + 1 + length;
	if (**end != '}')
		return PLACES;
	++*end;
	for (size_t i = 0; i < PLACES; i++) {
		if (strlen(place_names[i]) == length &&
			memcmp(place_names[i], brace + 1, length) == 0)
			return (enum place)i;
	}
	return PLACES;
}

static bool check_places(const char *action, char *error, size_t error_size)
{
	for (const char *at = action; (at = strpbrk(at, "{}")) != NULL;) {
		const char *begin = at, *end;

		if (*at == '{' && find_place(at, &end) != PLACES) {
			at = end;
			continue;
		}
		int shown = (int)strcspn(begin + 1, "{} ") + 1;
		if (begin[0] == '{' && begin[shown] == '}')
			shown++;
		snprintf(error, error_size,
			"unknown placeholder %.*s; use {destination}, {required}, {offered} or "
			"{reason}",
			shown < WORD_SIZE ? shown : WORD_SIZE, begin);
		return false;
	}
	return true;
}

static bool is_reply_code(const char *word, size_t size)
{
	return size == 3 && (word[0] == '4' || word[0] == '5') && word[1] >= '0' &&
	       word[1] <= '9' && word[2] >= '0' && word[2] <= '9';
}

/* The name of a restriction or of a class of them, smtpd_restriction_classes in postconf(5). */
static bool is_restriction(const char *word, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (!(word[i] >= 'a' && word[i] <= 'z') && !(word[i] >= '0' && word[i] <= '9') &&
			word[i] != '_')
			return false;
	}
	return word[0] >= 'a' && word[0] <= 'z';
}

static bool check_word(const char *action, char *error, size_t error_size)
{
	size_t size = strcspn(action, " \t");
	char word[WORD_SIZE];

	for (size_t i = 0; i < ACTIONS; i++) {
		if (text_equal_nocase(action, size, actions[i]))
			return true;
	}
	if (size > 0 && (is_reply_code(action, size) || is_restriction(action, size)))
		return true;
	snprintf(word, sizeof word, "%.*s", (int)(size < WORD_SIZE ? size : WORD_SIZE - 1), action);
	const char *near = text_nearest(word, actions, ACTIONS);
	if (size == 0)
		snprintf(error, error_size, "expected an action of access(5), such as REJECT");
	else if (near != NULL)
		snprintf(error, error_size, "%s is not an action of access(5); did you mean %s?",
			word, near);
	else
		snprintf(error, error_size,
			"%s is not an action of access(5); write one such as REJECT", word);
	return false;
}

bool action_check(const char *action, char *error, size_t error_size)
{
	for (const char *at = action; *at != '\0'; at++) {
		if ((*at < ' ' && *at != '\t') || *at > '~') {
			snprintf(error, error_size,
				"the action must be printable ASCII; replace other characters");
			return false;
		}
	}
	if (strlen(action) > ACTION_MAX) {
		snprintf(error, error_size, "the action is longer than %d bytes; shorten it",
			ACTION_MAX);
		return false;
	}
	return check_word(action, error, error_size) && check_places(action, error, error_size);
}

void action_render(const char *action, const struct action_words *words, struct text *out)
{
	const char *const places[PLACES] = {
		[PLACE_DESTINATION] = words->destination,
		[PLACE_REQUIRED] = words->required,
		[PLACE_OFFERED] = words->offered,
		[PLACE_REASON] = words->reason,
	};

	while (*action != '\0') {
		size_t length = strcspn(action, "{");

		text_add_bytes(out, action, length);
		action += length;
		if (*action == '{') {
			enum place place = find_place(action, &action);
			if (place != PLACES)
				text_add(out, places[place]);
		}
	}
}

bool action_check_header(const char *name, char *error, size_t error_size)
{
	size_t length = strlen(name);

	for (size_t i = 0; i < length; i++) {
		if (name[i] <= ' ' || name[i] >= 0x7f || name[i] == ':') {
			snprintf(error, error_size,
				"a header field name is printable ASCII without blanks and colons; "
				"write another name");
			return false;
		}
	}
	if (length > 0 && length <= ACTION_HEADER_MAX)
		return true;
	snprintf(error, error_size, "a header field name has 1 to %d bytes; write another name",
		ACTION_HEADER_MAX);
	return false;
}
