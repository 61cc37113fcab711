/*
 * A configuration from lines in a test, its error, and its values as they are printed.
 */
#ifndef TLSAD_T_UNIT_CONF_FILE_H
#define TLSAD_T_UNIT_CONF_FILE_H

#include "common/conf/conf.h"

#include "t/unit/scratch.h"

static char error[CONF_ERROR_SIZE];
static char file[SCRATCH_PATH_SIZE];

/* A configuration of these lines; NULL and `error`. */
static inline struct conf *load(const char *lines)
{
	scratch_write_text(file, lines);
	error[0] = '\0';
	return conf_load(file, true, NULL, 0, error);
}

static inline struct conf *load_with(const char *lines, const char *const *overrides, size_t count)
{
	char *copies[16];

	scratch_write_text(file, lines);
	error[0] = '\0';
	for (size_t i = 0; i < count; i++)
		copies[i] = strdup(overrides[i]);
	struct conf *conf = conf_load(file, true, copies, count, error);
	while (count > 0)
		free(copies[--count]);
	return conf;
}

/* All settings as they are printed, malloc()ed. */
static inline char *printed(const struct conf *conf)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	conf_print(conf, out);
	fclose(out);
	return text;
}

/* The value of `section.key` as it is printed; several lines of it joined by '|'. */
static inline const char *value_of(const struct conf *conf, const char *setting)
{
	static char value[8192];
	char section[64] = "", *text = printed(conf), *rest = text, *line;
	const char *dot = strchr(setting, '.');
	size_t key = strlen(dot + 1);
	bool found = false, open = false;

	value[0] = '\0';
	while ((line = strsep(&rest, "\n")) != NULL) {
		/* A line that begins with a blank goes on with the one before. */
		if (open && (line[0] == ' ' || line[0] == '\t')) {
			size_t used = strlen(value);
			snprintf(value + used, sizeof value - used, " %s",
				line + strspn(line, " \t"));
			continue;
		}
		open = false;
		if (line[0] == '[')
			snprintf(section, sizeof section, "%.*s", (int)strcspn(line + 1, "]"),
				line + 1);
		if (strlen(section) != (size_t)(dot - setting) ||
			strncmp(section, setting, strlen(section)) != 0 ||
			strncmp(line, dot + 1, key) != 0 || strncmp(line + key, " =", 2) != 0)
			continue;
		size_t used = strlen(value);
		snprintf(value + used, sizeof value - used, "%s%s", found ? "|" : "",
			line + key + 2 + (line[key + 2] == ' '));
		found = open = true;
	}
	free(text);
	return found ? value : NULL;
}

static inline void conf_file_begin(void)
{
	scratch_begin();
	snprintf(file, sizeof file, "%s", scratch_path("tlsad.conf"));
}

#endif
