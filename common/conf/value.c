#include "common/conf/value.h"

#include "common/base/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void *member(const struct conf *conf, const struct setting *setting)
{
	return (char *)(uintptr_t)conf + setting->offset;
}

static bool refuse(const struct setting *setting, const char *value, const char *what, char *error)
{
	snprintf(error, CONF_ERROR_SIZE, "[%s] %s = %.100s: %s", setting->section, setting->key,
		value, what);
	return false;
}

/* --- read ---------------------------------------------------------------------------------- */

static bool parse_number(const char *value, int base, uint64_t *number)
{
	char *end;

	if (value[0] < '0' || value[0] > '9')
		return false;
	errno = 0;
	*number = strtoull(value, &end, base);
	return errno == 0 && *end == '\0';
}

/* A number, with or without a letter for its unit after it. */
static bool parse_unit(
	const char *value, const char *letters, const uint64_t *units, uint64_t *number)
{
	char *end;

	if (value[0] < '0' || value[0] > '9')
		return false;
	errno = 0;
	*number = strtoull(value, &end, 10);
	if (errno != 0)
		return false;
	if (*end == '\0')
		return true;
	const char *letter = strchr(letters, *end);
	if (letter == NULL || end[1] != '\0')
		return false;
	uint64_t unit = units[letter - letters];
	if (*number > UINT64_MAX / unit)
		return false;
	*number *= unit;
	return true;
}

static bool parse_duration(const char *value, uint64_t *seconds)
{
	static const uint64_t units[] = {1, 60, 60 * 60, 24 * 60 * 60};
	return parse_unit(value, "smhd", units, seconds);
}

static bool parse_size(const char *value, uint64_t *size)
{
	static const uint64_t units[] = {1 << 10, 1 << 20, 1 << 30};
	return parse_unit(value, "kMG", units, size);
}

static bool parse_boolean(const char *value, bool *boolean)
{
	static const char *const words[] = {"no", "yes", "off", "on", "false", "true", "0", "1"};
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
		if (text_equal_nocase(value, strlen(value), words[i])) {
			*boolean = i % 2 == 1;
			return true;
		}
	}
	return false;
}

static bool set_number(
	const struct setting *setting, struct conf *conf, const char *value, char *error)
{
	uint64_t number = 0;
	bool read = false;
	char what[128];

	switch (setting->type) {
	case VALUE_WORKERS:
		if (text_equal_nocase(value, strlen(value), "auto")) {
			*(uint32_t *)member(conf, setting) = 0;
			return true;
		}
		read = parse_number(value, 10, &number);
		break;
	case VALUE_OCTAL:
		read = parse_number(value, 8, &number);
		break;
	case VALUE_DURATION:
		read = parse_duration(value, &number);
		break;
	case VALUE_SIZE:
		read = parse_size(value, &number);
		break;
	default:
		read = parse_number(value, 10, &number);
		break;
	}
	if (!read || number < setting->min || number > setting->max) {
		const char *form = setting->type == VALUE_DURATION ? " seconds, or with s, m, h, d"
				   : setting->type == VALUE_SIZE   ? " bytes, or with k, M, G"
								   : "";
		const char *format = setting->type == VALUE_OCTAL
					     ? "expected an octal number from %jo to %jo%s"
				     : setting->type == VALUE_WORKERS
					     ? "expected auto or a number from %ju to %ju%s"
					     : "expected a number from %ju to %ju%s";
		snprintf(what, sizeof what, format, (uintmax_t)setting->min,
			(uintmax_t)setting->max, form);
		return refuse(setting, value, what, error);
	}
	if (setting->type == VALUE_SIZE)
		*(uint64_t *)member(conf, setting) = number;
	else
		*(uint32_t *)member(conf, setting) = (uint32_t)number;
	return true;
}

static bool set_choice(
	const struct setting *setting, struct conf *conf, const char *value, char *error)
{
	char words[256];
	struct text text;
	size_t count = 0;

	for (; setting->choices[count] != NULL; count++) {
		if (text_equal_nocase(value, strlen(value), setting->choices[count])) {
			*(int *)member(conf, setting) = (int)count;
			return true;
		}
	}
	text_init(&text, words, sizeof words);
	text_add(&text, count > 1 ? "expected one of" : "this version supports only");
	for (size_t i = 0; i < count; i++)
		text_add_format(&text, "%s %s", i > 0 ? "," : "", setting->choices[i]);
	return refuse(setting, value, words, error);
}

/*
 * Would a value, or an entry of a list, read otherwise where value_print() writes it? A list has a
 * line for each entry, and inih takes several control characters for blanks. NULL: no.
 */
static const char *find_unfit(const struct setting *setting, const char *value)
{
	if (value[0] == ';' || (value[0] == '#' && setting->type == VALUE_LIST))
		return "this begins like a comment; remove the ; or # at its beginning";
	for (const char *at = value; *at != '\0'; at++) {
		if (((unsigned char)*at < ' ' && *at != '\t') || *at == 0x7f)
			return "there is a control character in it; remove that";
	}
	return NULL;
}

static bool set_text(
	const struct setting *setting, struct conf *conf, const char *value, char *error)
{
	char **text = member(conf, setting);
	const char *unfit = find_unfit(setting, value);
	char what[256];

	if (unfit != NULL)
		return refuse(setting, value, unfit, error);
	if (setting->check != NULL && !setting->check(value, what, sizeof what))
		return refuse(setting, value, what, error);
	char *copy = strdup(value);

	if (copy == NULL)
		return refuse(setting, value, "out of memory", error);
	free(*text);
	*text = copy;
	return true;
}

static bool add_entry(const struct setting *setting, struct conf *conf, const char *entry,
	size_t size, char *error)
{
	struct conf_list *list = member(conf, setting);
	char what[256];

	if (list->count == CONF_LIST_MAX) {
		snprintf(what, sizeof what, "the list has more than %d entries; remove some",
			CONF_LIST_MAX);
		return refuse(setting, entry, what, error);
	}
	char *copy = strndup(entry, size);
	if (copy == NULL)
		return refuse(setting, entry, "out of memory", error);
	const char *unfit = find_unfit(setting, copy);
	if (unfit != NULL) {
		refuse(setting, copy, unfit, error);
		free(copy);
		return false;
	}
	if (setting->check != NULL && !setting->check(copy, what, sizeof what)) {
		refuse(setting, copy, what, error);
		free(copy);
		return false;
	}
	list->entries[list->count++] = copy;
	return true;
}

static void clear_list(struct conf_list *list)
{
	while (list->count > 0)
		free(list->entries[--list->count]);
}

static bool add_entries(
	const struct setting *setting, struct conf *conf, const char *value, char *error)
{
	static const char separators[] = ", \t";

	if (setting->type == VALUE_REPEATED)
		return value[0] == '\0' || add_entry(setting, conf, value, strlen(value), error);
	for (value += strspn(value, separators); *value != '\0';
		value += strspn(value, separators)) {
		size_t length = strcspn(value, separators);
		if (!add_entry(setting, conf, value, length, error))
			return false;
		value += length;
	}
	return true;
}

bool value_parse(const struct setting *setting, struct conf *conf, const char *value,
	char error[CONF_ERROR_SIZE])
{
	switch (setting->type) {
	case VALUE_TEXT:
		return set_text(setting, conf, value, error);
	case VALUE_LIST:
	case VALUE_REPEATED:
		return add_entries(setting, conf, value, error);
	case VALUE_BOOLEAN:
		return parse_boolean(value, member(conf, setting)) ||
		       refuse(setting, value, "expected yes or no", error);
	case VALUE_CHOICE:
		return set_choice(setting, conf, value, error);
	default:
		return set_number(setting, conf, value, error);
	}
}

/* --- print --------------------------------------------------------------------------------- */

static void print_list(FILE *out, const struct setting *setting, const struct conf_list *list)
{
	if (setting->type == VALUE_LIST || list->count == 0)
		fprintf(out, "%s =", setting->key);
	for (size_t i = 0; i < list->count; i++) {
		if (setting->type == VALUE_REPEATED)
			fprintf(out, "%s%s = %s", i > 0 ? "\n" : "", setting->key,
				list->entries[i]);
		else
			/* A line that begins with a blank continues the line before. */
			fprintf(out, "%s %s", i > 0 ? ",\n\t" : "", list->entries[i]);
	}
}

void value_print(const struct setting *setting, const struct conf *conf, FILE *out)
{
	const void *value = member(conf, setting);

	if (setting_is_list(setting)) {
		print_list(out, setting, value);
		return;
	}
	fprintf(out, "%s = ", setting->key);
	switch (setting->type) {
	case VALUE_TEXT:
		fputs(*(char *const *)value, out);
		break;
	case VALUE_BOOLEAN:
		fputs(*(const bool *)value ? "yes" : "no", out);
		break;
	case VALUE_CHOICE:
		fputs(setting->choices[*(const int *)value], out);
		break;
	case VALUE_SIZE:
		fprintf(out, "%ju", (uintmax_t) * (const uint64_t *)value);
		break;
	case VALUE_OCTAL:
		fprintf(out, "0%03o", *(const uint32_t *)value);
		break;
	case VALUE_WORKERS:
		if (*(const uint32_t *)value == 0) {
			fputs("auto", out);
			break;
		}
		/* fall through */
	default:
		fprintf(out, "%u", *(const uint32_t *)value);
		break;
	}
}

/* --- copy, compare, free ------------------------------------------------------------------- */

static bool copy_list(struct conf_list *to, const struct conf_list *from)
{
	clear_list(to);
	for (size_t i = 0; i < from->count; i++) {
		to->entries[i] = strdup(from->entries[i]);
		if (to->entries[i] == NULL)
			return false;
		to->count++;
	}
	return true;
}

bool value_copy(const struct setting *setting, struct conf *to, const struct conf *from)
{
	void *place = member(to, setting);
	const void *value = member(from, setting);

	switch (setting->type) {
	case VALUE_TEXT: {
		char *copy = strdup(*(char *const *)value);
		if (copy == NULL)
			return false;
		free(*(char **)place);
		*(char **)place = copy;
		return true;
	}
	case VALUE_LIST:
	case VALUE_REPEATED:
		return copy_list(place, value);
	case VALUE_SIZE:
		*(uint64_t *)place = *(const uint64_t *)value;
		return true;
	case VALUE_BOOLEAN:
		*(bool *)place = *(const bool *)value;
		return true;
	case VALUE_CHOICE:
		*(int *)place = *(const int *)value;
		return true;
	default:
		*(uint32_t *)place = *(const uint32_t *)value;
		return true;
	}
}

static bool same_list(const struct conf_list *one, const struct conf_list *other)
{
	if (one->count != other->count)
		return false;
	for (size_t i = 0; i < one->count; i++) {
		if (strcmp(one->entries[i], other->entries[i]) != 0)
			return false;
	}
	return true;
}

bool value_same(const struct setting *setting, const struct conf *one, const struct conf *other)
{
	const void *first = member(one, setting), *second = member(other, setting);

	switch (setting->type) {
	case VALUE_TEXT:
		return strcmp(*(char *const *)first, *(char *const *)second) == 0;
	case VALUE_LIST:
	case VALUE_REPEATED:
		return same_list(first, second);
	case VALUE_SIZE:
		return *(const uint64_t *)first == *(const uint64_t *)second;
	case VALUE_BOOLEAN:
		return *(const bool *)first == *(const bool *)second;
	case VALUE_CHOICE:
		return *(const int *)first == *(const int *)second;
	default:
		return *(const uint32_t *)first == *(const uint32_t *)second;
	}
}

void value_clear(const struct setting *setting, struct conf *conf)
{
	char **text;

	if (setting_is_list(setting)) {
		clear_list(member(conf, setting));
	} else if (setting->type == VALUE_TEXT) {
		text = member(conf, setting);
		free(*text);
		*text = NULL;
	}
}
