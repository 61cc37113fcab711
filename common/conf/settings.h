/*
 * settings: the table of all settings, one row each.
 *
 * The row of a setting decides how it is read, checked, printed, copied and compared (value.h),
 * whether a reload applies it (changes.c), and what `tlsad -n -v` prints as its help.
 * t/host/docs.t compares tlsad.conf(5) and conf/tlsad.conf with the table. To add a setting, add a
 * member to struct conf and a row to the table.
 */
#ifndef TLSAD_CONF_SETTINGS_H
#define TLSAD_CONF_SETTINGS_H

#include "common/conf/checks.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SETTINGS_MAX = 64 }; /* rows of the table, at most */

/* How a value is written, and the type of its member in struct conf. */
enum value_type {
	VALUE_TEXT,     /* char *; a file, a directory; may be empty */
	VALUE_LIST,     /* struct conf_list; words separated by commas or blanks */
	VALUE_REPEATED, /* struct conf_list; may be given several times, each time one entry */
	VALUE_NUMBER,   /* uint32_t; the next three too */
	VALUE_WORKERS,  /* a number, or `auto`, which is 0 */
	VALUE_OCTAL,
	VALUE_DURATION, /* [s]; s m h d */
	VALUE_SIZE,     /* uint64_t [bytes]; k M G */
	VALUE_BOOLEAN,  /* bool */
	VALUE_CHOICE,   /* int, the index of the word in `choices` */
};

struct setting {
	const char *section;
	const char *key;
	enum value_type type;
	size_t offset;              /* of the member in struct conf [bytes] */
	const char *standard;       /* the default, as written in a file */
	uint64_t min, max;          /* bounds of a number, in the unit of the member */
	const char *const *choices; /* of VALUE_CHOICE; NULL-terminated */
	entry_check *check;         /* of a text, or of each entry of a list; NULL: no check */
	bool reload;                /* a reload applies a change; false: only a restart */
	const char *help;           /* one line for `tlsad -n -v`, at most CONF_LINE_MAX - 2 */
};

extern const struct setting conf_settings[];
extern const size_t conf_setting_count;

/* NULL: the setting does not exist. */
const struct setting *setting_find(const char *section, const char *key);

static inline bool setting_is_list(const struct setting *setting)
{
	return setting->type == VALUE_LIST || setting->type == VALUE_REPEATED;
}

#endif
