#include "common/sts/sts_policy.h"

#include "common/base/hash_set.h"
#include "common/base/text.h"
#include "common/dane/destination.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- patterns ------------------------------------------------------------------------------ */

bool sts_pattern_read(
	const char *value, size_t size, char pattern[STS_PATTERN_MAX + 1], size_t *pattern_size)
{
	size_t wildcard = size > 2 && value[0] == '*' && value[1] == '.' ? 2 : 0;

	if (size > wildcard && value[size - 1] == '.')
		size--;
	if (!destination_name_valid(value + wildcard, size - wildcard))
		return false;
	/*
	 * Postfix reads `hostname`, `nexthop` and `dot-nexthop` in `match` as keywords: a name has
	 * at least two labels. After `*.` one label is enough, as in the grammar.
	 */
	if (wildcard == 0 && memchr(value, '.', size) == NULL)
		return false;
	for (size_t i = 0; i < size; i++)
		pattern[i] = text_lower(value[i]);
	pattern[size] = '\0';
	*pattern_size = size;
	return true;
}

bool sts_pattern_matches(const struct sts_pattern *pattern, const char *host, size_t host_size)
{
	const char *name = pattern->name;
	size_t size = pattern->size;

	if (size >= 2 && name[0] == '*') {
		const char *dot = memchr(host, '.', host_size);
		if (dot == NULL || dot == host)
			return false;
		name += 1;
		size -= 1;
		host_size -= (size_t)(dot - host);
		host = dot;
	}
	return size == host_size && memcmp(name, host, size) == 0;
}

/* --- reading a file ------------------------------------------------------------------------ */

/* Fields and patterns that were seen: each counts once. */
struct seen {
	hash_tag tag;
	const char *bytes;
	size_t size;
};

struct reader {
	struct sts_policy *policy;
	char *at, *end;        /* the rest of the file */
	unsigned line;         /* number of the current line */
	struct hash_set keys;  /* struct seen */
	struct hash_set names; /* the same, of patterns */
	size_t names_used;     /* [bytes] of policy->names */
	bool has_version, has_mode, has_max_age;
	char *error;
	size_t error_size;
};

static bool has_bytes(const void *entry, const char *key, size_t size)
{
	const struct seen *seen = entry;
	return seen->size == size && memcmp(seen->bytes, key, size) == 0;
}

enum novelty { NEW, SEEN, NO_MEMORY };

static enum novelty note(struct hash_set *set, const char *bytes, size_t size)
{
	if (hash_set_find(set, bytes, size) != NULL)
		return SEEN;
	struct seen *seen = hash_set_add(set, bytes, size);
	if (seen == NULL)
		return NO_MEMORY;
	seen->bytes = bytes;
	seen->size = size;
	return NEW;
}

static bool fail(const struct reader *reader, const char *why)
{
	if (reader->line > 0)
		snprintf(reader->error, reader->error_size, "line %u: %s", reader->line, why);
	else
		snprintf(reader->error, reader->error_size, "%s", why);
	return false;
}

static bool is_blank(char byte)
{
	return byte == ' ' || byte == '\t';
}

static bool is_key(const char *bytes, size_t size)
{
	enum { KEY_SIZE_MAX = 32 };

	if (size < 1 || size > KEY_SIZE_MAX)
		return false;
	for (size_t i = 0; i < size; i++) {
		char byte = text_lower(bytes[i]);
		bool inner = byte == '_' || byte == '-' || byte == '.';
		if (!(byte >= 'a' && byte <= 'z') && !(byte >= '0' && byte <= '9') &&
			(i == 0 || !inner))
			return false;
	}
	return true;
}

static bool equals(const char *bytes, size_t size, const char *word)
{
	return size == strlen(word) && memcmp(bytes, word, size) == 0;
}

static bool take_version(struct reader *reader, const struct sts_line *line)
{
	reader->has_version = true;
	return equals(line->value, line->value_size, "STSv1") ||
	       fail(reader, "the version is not STSv1");
}

static bool take_mode(struct reader *reader, const struct sts_line *line)
{
	static const enum sts_status modes[] = {STS_ENFORCE, STS_TESTING, STS_NONE};

	reader->has_mode = true;
	for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
		if (equals(line->value, line->value_size, sts_status_name(modes[i]))) {
			reader->policy->mode = modes[i];
			return true;
		}
	}
	return fail(reader, "the mode must be enforce, testing or none");
}

static bool take_max_age(struct reader *reader, const struct sts_line *line)
{
	enum { DIGITS_MAX = 10 }; /* RFC 8461 3.2 */
	uint64_t seconds = 0;

	reader->has_max_age = true;
	bool good = line->value_size <= DIGITS_MAX;
	for (size_t i = 0; good && i < line->value_size; i++) {
		good = line->value[i] >= '0' && line->value[i] <= '9';
		seconds = seconds * 10 + (uint64_t)(line->value[i] - '0');
	}
	if (!good)
		return fail(reader, "max_age is not a number of at most 10 digits");
	reader->policy->max_age =
		seconds < STS_MAX_AGE_MAX ? (uint32_t)seconds : (uint32_t)STS_MAX_AGE_MAX;
	return true;
}

static bool take_mx(struct reader *reader, struct sts_line *line)
{
	struct sts_policy *policy = reader->policy;
	char pattern[STS_PATTERN_MAX + 1];
	size_t size;

	if (!sts_pattern_read(line->value, line->value_size, pattern, &size)) {
		line->left_out = true;
		return true;
	}
	/* A pattern is never longer than its line, so there is room for all of them. */
	char *name = policy->names + reader->names_used;
	memcpy(name, pattern, size);
	switch (note(&reader->names, name, size)) {
	case NEW:
		reader->names_used += size;
		policy->patterns[policy->pattern_count++] = (struct sts_pattern){name, size};
		return true;
	case SEEN:
		return true;
	default:
		return fail(reader, "out of memory");
	}
}

static bool take_field(struct reader *reader, struct sts_line *line)
{
	static const struct {
		const char *key;
		bool (*take)(struct reader *reader, const struct sts_line *line);
	} fields[] = {
		{"version", take_version},
		{"mode", take_mode},
		{"max_age", take_max_age},
	};

	/* Only `mx` may occur again; otherwise the first one counts (RFC 8461 3.2). */
	if (equals(line->key, line->key_size, "mx")) {
		reader->policy->line_count++;
		return take_mx(reader, line);
	}
	if (line->value_size == 0)
		return fail(reader, "a field without a value");
	enum novelty novelty = note(&reader->keys, line->key, line->key_size);
	if (novelty == NO_MEMORY)
		return fail(reader, "out of memory");
	if (novelty == SEEN)
		return true;
	reader->policy->line_count++;
	for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
		if (equals(line->key, line->key_size, fields[i].key))
			return fields[i].take(reader, line);
	}
	return true;
}

/* Split the line, whose end is a NUL byte, at its colon. */
static bool split_line(struct reader *reader, char *text, struct sts_line *line)
{
	char *colon = strchr(text, ':');
	size_t size = strlen(text);

	if (colon == NULL)
		return fail(reader, "there is no colon");
	*line = (struct sts_line){.key = text, .key_size = (size_t)(colon - text)};
	if (!is_key(line->key, line->key_size))
		return fail(reader, "before the colon there is not the name of a field");
	char *value = colon + 1, *end = text + size;
	while (is_blank(*value))
		value++;
	while (end > value && is_blank(end[-1]))
		end--;
	*end = '\0';
	line->value = value;
	line->value_size = (size_t)(end - value);
	/* The blanks that were cut may be tabs; other control characters are refused too. */
	if (!text_is_showable(value))
		return fail(reader, "a control character, or not UTF-8");
	return true;
}

/* Is there nothing but white space? Only the end of a file may have empty lines. */
static bool only_space(const char *at, const char *end)
{
	while (at < end && (is_blank(*at) || *at == '\r' || *at == '\n'))
		at++;
	return at == end;
}

/* The next line, with a NUL byte in place of its end. */
static char *next_line(struct reader *reader)
{
	char *text = reader->at;
	char *end = memchr(text, '\n', (size_t)(reader->end - text));

	reader->line++;
	reader->at = end != NULL ? end + 1 : reader->end;
	if (end == NULL)
		end = reader->end;
	else if (end > text && end[-1] == '\r')
		end--;
	*end = '\0';
	return text;
}

static bool read_lines(struct reader *reader)
{
	struct sts_policy *policy = reader->policy;

	while (!only_space(reader->at, reader->end)) {
		struct sts_line *line = &policy->lines[policy->line_count];
		if (!split_line(reader, next_line(reader), line) || !take_field(reader, line))
			return false;
	}
	reader->line = 0;
	if (!reader->has_version)
		return fail(reader, "there is no version");
	if (!reader->has_mode)
		return fail(reader, "there is no mode");
	if (!reader->has_max_age)
		return fail(reader, "there is no max_age");
	if (policy->mode != STS_NONE && policy->pattern_count == 0)
		return fail(reader, "there is no valid mx");
	return true;
}

static size_t count_lines(const char *bytes, size_t size)
{
	size_t count = 1;

	for (size_t i = 0; i < size; i++)
		count += bytes[i] == '\n';
	return count;
}

static bool make_room(struct sts_policy *policy, const char *bytes, size_t size)
{
	size_t lines = count_lines(bytes, size);

	policy->bytes = malloc(size + 1);
	policy->names = malloc(size + 1);
	policy->lines = calloc(lines, sizeof *policy->lines);
	policy->patterns = calloc(lines, sizeof *policy->patterns);
	if (policy->bytes == NULL || policy->names == NULL || policy->lines == NULL ||
		policy->patterns == NULL)
		return false;
	if (size > 0)
		memcpy(policy->bytes, bytes, size);
	policy->bytes[size] = '\0';
	return true;
}

bool sts_policy_read(
	struct sts_policy *policy, const char *bytes, size_t size, char *error, size_t error_size)
{
	struct reader reader = {.policy = policy, .error = error, .error_size = error_size};
	bool good = false;

	*policy = (struct sts_policy){.mode = STS_NONE};
	if (size > STS_FILE_MAX)
		return fail(&reader, "it is longer than 64 KiB");
	if (size > 0 && memchr(bytes, '\0', size) != NULL)
		return fail(&reader, "it has a NUL byte");
	if (!make_room(policy, bytes, size) ||
		!hash_set_init_secret(&reader.keys, sizeof(struct seen), has_bytes) ||
		!hash_set_init_secret(&reader.names, sizeof(struct seen), has_bytes)) {
		fail(&reader, "out of memory");
	} else {
		reader.at = policy->bytes;
		reader.end = policy->bytes + size;
		good = read_lines(&reader);
	}
	hash_set_clear(&reader.keys);
	hash_set_clear(&reader.names);
	if (!good)
		sts_policy_clear(policy);
	return good;
}

void sts_policy_clear(struct sts_policy *policy)
{
	free(policy->bytes);
	free(policy->names);
	free(policy->lines);
	free(policy->patterns);
	*policy = (struct sts_policy){.mode = STS_NONE};
}

void sts_policy_move(struct sts_policy *to, struct sts_policy *policy)
{
	*to = *policy;
	*policy = (struct sts_policy){.mode = STS_NONE};
}
