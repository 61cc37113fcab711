/*
 * value: what can be done with the value of one setting, by its type: read, print, copy, compare,
 * free. The value is a member of a struct conf, which owns its strings.
 */
#ifndef TLSAD_CONF_VALUE_H
#define TLSAD_CONF_VALUE_H

#include "common/conf/conf.h"
#include "common/conf/settings.h"

/*
 * Read a value as it is written in a file. A list gets more entries; anything else is replaced.
 * False and one line with section, key and value.
 */
bool value_parse(const struct setting *setting, struct conf *conf, const char *value,
	char error[CONF_ERROR_SIZE]);

/* `key = value` as value_parse() reads it, without the end of the last line. */
void value_print(const struct setting *setting, const struct conf *conf, FILE *out);

/* False when out of memory: then a list is incomplete, and a text is as it was. */
bool value_copy(const struct setting *setting, struct conf *to, const struct conf *from);

bool value_same(const struct setting *setting, const struct conf *one, const struct conf *other);

/* Free strings and empty a list; numbers stay. */
void value_clear(const struct setting *setting, struct conf *conf);

#endif
