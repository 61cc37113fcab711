#include "common/base/text.h"
#include "common/conf/consistency.h"
#include "common/conf/rule_sections.h"
#include "common/conf/value.h"

#include <errno.h>
#include <ini.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum {
	SECTION_SIZE = 64,
	OVERRIDE_KEY_SIZE = 4 * RULES_KEY_SIZE, /* a domain in UTF-8 */
};

/* The state while a file and the overrides are read. */
struct loading {
	struct conf *conf;
	const char *file;
	FILE *stream;                  /* NULL after the end of the file */
	bool was_set[SETTINGS_MAX];    /* by row of the table, like the next */
	bool overridden[SETTINGS_MAX]; /* by an override before this one */
	unsigned line;                 /* number of the current line, from 1; 0: none yet */
	/* The whole line: inih cuts the reason of an exception off as a comment. */
	char raw[CONF_LINE_MAX + 2];
	bool in_setting; /* there was a `key = value` since the last section line */
	bool continued;  /* the line begins with a blank: it continues the setting before */
	bool failed;
	char error[CONF_ERROR_SIZE];
};

static bool complain(struct loading *loading, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Keep the first error. Always returns false, for the caller to return. */
static bool complain(struct loading *loading, const char *format, ...)
{
	if (!loading->failed) {
		va_list arguments;
		va_start(arguments, format);
		vsnprintf(loading->error, sizeof loading->error, format, arguments);
		va_end(arguments);
		loading->failed = true;
	}
	return false;
}

static bool complain_section(struct loading *loading, const char *section)
{
	const char *names[SETTINGS_MAX + RULE_SECTION_COUNT];

	for (size_t i = 0; i < conf_setting_count; i++)
		names[i] = conf_settings[i].section;
	for (size_t i = 0; i < RULE_SECTION_COUNT; i++)
		names[conf_setting_count + i] = rule_sections[i].name;
	const char *near = text_nearest(section, names, conf_setting_count + RULE_SECTION_COUNT);
	if (near != NULL)
		return complain(
			loading, "there is no section [%.60s]; did you mean [%s]?", section, near);
	return complain(loading,
		"there is no section [%.60s]; see tlsad.conf(5) for those that exist", section);
}

static bool complain_unknown(struct loading *loading, const char *section, const char *key)
{
	const char *names[SETTINGS_MAX];
	size_t count = 0;

	for (size_t i = 0; i < conf_setting_count; i++) {
		if (strcmp(conf_settings[i].section, section) == 0)
			names[count++] = conf_settings[i].key;
	}
	if (count > 0) {
		const char *near = text_nearest(key, names, count);
		if (near != NULL)
			return complain(loading, "[%s] has no setting '%.60s'; did you mean '%s'?",
				section, key, near);
		for (size_t i = 0; i < conf_setting_count; i++) {
			if (strcmp(conf_settings[i].key, key) == 0)
				return complain(loading,
					"[%s] has no setting '%.60s'; it belongs to [%s]", section,
					key, conf_settings[i].section);
		}
		return complain(loading,
			"[%s] has no setting '%.60s'; see tlsad.conf(5) for those that exist",
			section, key);
	}
	if (section[0] == '\0')
		return complain(loading,
			"'%.60s' is in no section; write a line such as [server] before it", key);
	return complain_section(loading, section);
}

/* The value of the current line, up to the end of the line. */
static const char *raw_value(struct loading *loading)
{
	char *value = loading->raw + strcspn(loading->raw, "=:");
	size_t size;

	value += *value != '\0';
	value += strspn(value, " \t");
	for (size = strlen(value); size > 0 && strchr(" \t\r\n", value[size - 1]) != NULL; size--)
		value[size - 1] = '\0';
	return value;
}

static bool take_rule(struct loading *loading, const struct rule_section *section, const char *key,
	const char *value)
{
	bool in_file = loading->stream != NULL;
	struct rule_place place = {NULL, in_file ? loading->line : 0};
	char words[RULES_ERROR_SIZE];

	if (rule_sections_make_rules(loading->conf))
		place.file = rules_source(loading->conf->rules, in_file ? loading->file : "-o");
	if (place.file == NULL)
		return complain(loading, "out of memory");
	if (in_file && section->raw)
		value = raw_value(loading);
	return section->add(loading->conf->rules, place, key, value, words) ||
	       complain(loading, "[%s] %s", section->name, words);
}

static bool take_setting(
	struct loading *loading, const struct setting *setting, const char *value, bool again)
{
	bool *was_set = &loading->was_set[setting - conf_settings];
	char words[CONF_ERROR_SIZE];

	if (again && !setting_is_list(setting))
		return complain(loading,
			"[%s] %s: a line that begins with a blank continues the line before, but "
			"this setting has only one line; remove the blank",
			setting->section, setting->key);
	if (*was_set && !again && setting->type != VALUE_REPEATED)
		return complain(loading, "[%s] %s is set twice; remove one of the lines",
			setting->section, setting->key);
	*was_set = true;
	return value_parse(setting, loading->conf, value, words) || complain(loading, "%s", words);
}

/* Handle one `key = value`. `again`: the line continues the setting of the line before. */
static bool take_value(struct loading *loading, const char *section, const char *key,
	const char *value, bool again)
{
	const struct rule_section *rules = rule_section_find(section);
	const struct setting *setting = setting_find(section, key);

	if (rules != NULL && again)
		return complain(loading,
			"[%s]: a rule is one line that begins with its domain; remove the blank before it",
			section);
	if (rules != NULL)
		return take_rule(loading, rules, key, value);
	if (setting != NULL)
		return take_setting(loading, setting, value, again);
	return complain_unknown(loading, section, key);
}

/* Reads a line without its end; false at the end of the file or after an error. */
static bool read_bytes(struct loading *loading, char *line, size_t size)
{
	size_t used = 0;
	int byte = getc_unlocked(loading->stream);

	if (byte == EOF)
		return false;
	loading->line++;
	for (; byte != EOF && byte != '\n'; byte = getc_unlocked(loading->stream)) {
		if (byte == '\0')
			return complain(loading, "the line contains a NUL byte; remove it");
		if (used + 2 >= size)
			return complain(loading,
				"the line is longer than %d bytes; shorten it, or continue a list "
				"on a line that begins with a blank",
				CONF_LINE_MAX);
		line[used++] = (char)byte;
	}
	line[used] = '\0';
	return true;
}

static bool is_section(const char *name)
{
	for (size_t i = 0; i < conf_setting_count; i++) {
		if (strcmp(conf_settings[i].section, name) == 0)
			return true;
	}
	return rule_section_find(name) != NULL;
}

/*
 * "[NAME]", and nothing but a comment after it. inih accepts any name, and ignores what follows the
 * bracket.
 */
static bool check_section(struct loading *loading, const char *line)
{
	char name[SECTION_SIZE];
	size_t length = strcspn(line, "]");

	if (line[length] == '\0') /* inih refuses it */
		return true;
	snprintf(name, sizeof name, "%.*s", (int)length - 1, line + 1);
	const char *after = line + length + 1, *rest = after + strspn(after, " \t\r");
	if (*rest == '=')
		return complain(loading,
			"[%.60s]: a bracket begins a section; write the name of a host without "
			"brackets",
			name);
	if (*rest != '\0' && ((*rest != ';' && *rest != '#') || rest == after))
		return complain(loading,
			"[%.60s]: only a comment (blank and ; or #) may follow the bracket; begin a new "
			"line after it",
			name);
	return is_section(name) || complain_section(loading, name);
}

/* Some versions of inih leave a comment in a line that continues the line before. */
static void cut_comment(char *line)
{
	for (char *at = line + 1; *at != '\0'; at++) {
		if (*at == ';' && (at[-1] == ' ' || at[-1] == '\t')) {
			*at = '\0';
			return;
		}
	}
}

/* inih's reader: counts lines, and refuses what inih would ignore. */
static char *read_line(char *line, int size, void *context)
{
	struct loading *loading = context;
	static const char mark[] = "\xef\xbb\xbf"; /* of UTF-8, which inih skips */

	/* After the first error the rest need not be read. */
	if (loading->failed || !read_bytes(loading, line, (size_t)size))
		return NULL;
	snprintf(loading->raw, sizeof loading->raw, "%s", line);
	loading->continued = line[0] == ' ' || line[0] == '\t';
	if (loading->continued && loading->in_setting) {
		cut_comment(line);
		return line;
	}
	const char *start = line;
	if (loading->line == 1 && strncmp(line, mark, strlen(mark)) == 0)
		start += strlen(mark);
	start += strspn(start, " \t");
	if (*start != '[')
		return line;
	loading->in_setting = false;
	return check_section(loading, start) ? line : NULL;
}

static int take_line(void *context, const char *section, const char *key, const char *value)
{
	struct loading *loading = context;
	if (loading->failed)
		return 0;
	loading->in_setting = true;
	return take_value(loading, section, key, value, loading->continued);
}

static bool load_file(struct loading *loading, const char *file, bool file_must_exist)
{
	loading->file = file;
	loading->stream = fopen(file, "re");
	if (loading->stream == NULL) {
		if (errno == ENOENT && !file_must_exist)
			return true;
		return complain(loading,
			"cannot read the file: %s; correct its path or permissions",
			strerror(errno));
	}
	int bad_line = ini_parse_stream(read_line, loading, take_line, loading);
	if (ferror(loading->stream)) {
		complain(loading, "cannot read the file: %s; correct its path or permissions",
			strerror(errno));
	} else if (bad_line > 0 && (!loading->failed || (unsigned)bad_line < loading->line)) {
		/* inih reads on after a line that it cannot parse, and reports it at the end. */
		loading->failed = false;
		loading->line = (unsigned)bad_line;
		complain(loading, "expected '[section]', 'key = value' or a comment");
	}
	fclose(loading->stream);
	loading->stream = NULL;
	return !loading->failed;
}

/* `SECTION.KEY=VALUE`: replaces the value of the file or of an earlier override. */
static bool take_override(struct loading *loading, const char *override)
{
	char section[SECTION_SIZE], key[OVERRIDE_KEY_SIZE];
	const char *dot = strchr(override, '.');
	const char *equals = strchr(override, '=');

	if (dot == NULL || equals == NULL || dot > equals || dot - override >= SECTION_SIZE ||
		equals - dot > OVERRIDE_KEY_SIZE)
		return complain(loading, "expected SECTION.KEY=VALUE");
	snprintf(section, sizeof section, "%.*s", (int)(dot - override), override);
	snprintf(key, sizeof key, "%.*s", (int)(equals - dot - 1), dot + 1);
	const struct setting *setting = setting_find(section, key);
	if (setting != NULL) {
		bool *overridden = &loading->overridden[setting - conf_settings];

		/* The first override of a repeated setting replaces the file's; later ones add. */
		if (setting->type == VALUE_LIST ||
			(setting->type == VALUE_REPEATED && !*overridden))
			value_clear(setting, loading->conf);
		*overridden = true;
		loading->was_set[setting - conf_settings] = false;
	}
	return take_value(loading, section, key, equals + 1, false);
}

static bool take_defaults(struct loading *loading)
{
	for (size_t i = 0; i < conf_setting_count; i++) {
		if (!loading->was_set[i] &&
			!take_setting(loading, &conf_settings[i], conf_settings[i].standard, false))
			return false;
	}
	return true;
}

static bool check_together(struct loading *loading)
{
	char words[CONF_ERROR_SIZE];

	return consistency_check(loading->conf, words) || complain(loading, "%s", words);
}

struct conf *conf_load(const char *file, bool file_must_exist, char *const *overrides,
	size_t override_count, char error[CONF_ERROR_SIZE])
{
	struct loading loading = {.line = 0};

	loading.conf = calloc(1, sizeof *loading.conf);
	if (loading.conf == NULL) {
		snprintf(error, CONF_ERROR_SIZE, "out of memory");
		return NULL;
	}
	atomic_init(&loading.conf->references, 1);
	if (!load_file(&loading, file, file_must_exist)) {
		if (loading.line > 0)
			snprintf(error, CONF_ERROR_SIZE, "%.200s:%u: %.290s", file, loading.line,
				loading.error);
		else
			snprintf(error, CONF_ERROR_SIZE, "%.200s: %.290s", file, loading.error);
		conf_release(loading.conf);
		return NULL;
	}
	for (size_t i = 0; i < override_count && !loading.failed; i++) {
		if (!take_override(&loading, overrides[i]))
			snprintf(error, CONF_ERROR_SIZE, "-o %.100s: %.390s", overrides[i],
				loading.error);
	}
	if (!loading.failed && (!take_defaults(&loading) || !check_together(&loading)))
		snprintf(error, CONF_ERROR_SIZE, "%.200s: %.300s", file, loading.error);
	if (loading.failed) {
		conf_release(loading.conf);
		return NULL;
	}
	return loading.conf;
}
