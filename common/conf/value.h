/*
 * value: reads, prints, copies, compares and frees the value of one setting, according to its type.
 * The value is a member of a struct conf, which owns its strings.
 */
#ifndef TLSAD_CONF_VALUE_H
#define TLSAD_CONF_VALUE_H

#include "common/conf/conf.h"
#include "common/conf/settings.h"

/*
 * Read a value as written in a file. Entries are added to a list; any other value is replaced.
 * False and one line with section, key and value on failure.
 */
bool value_parse(const struct setting *setting, struct conf *conf, const char *value,
	char error[CONF_ERROR_SIZE]);

/* Print `key = value` as value_parse() reads it, without the newline at the end. */
void value_print(const struct setting *setting, const struct conf *conf, FILE *out);

/* False: out of memory; a list is then incomplete, a text is unchanged. */
bool value_copy(const struct setting *setting, struct conf *to, const struct conf *from);

bool value_same(const struct setting *setting, const struct conf *one, const struct conf *other);

/* Free strings and empty lists; numbers are not changed. */
void value_clear(const struct setting *setting, struct conf *conf);

#endif
