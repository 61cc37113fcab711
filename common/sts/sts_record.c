#include "common/sts/sts_record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool sts_record_name(const char *domain, char name[DNS_NAME_SIZE])
{
	int size = snprintf(name, DNS_NAME_SIZE, "_mta-sts.%s", domain);
	return size > 0 && size <= DNS_NAME_MAX;
}

/* --- one record ---------------------------------------------------------------------------- */

struct cursor {
	const char *at, *end;
};

static bool is_blank(char byte)
{
	return byte == ' ' || byte == '\t';
}

static bool is_alphanumeric(char byte)
{
	return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
	       (byte >= '0' && byte <= '9');
}

static void skip_blanks(struct cursor *cursor)
{
	while (cursor->at < cursor->end && is_blank(*cursor->at))
		cursor->at++;
}

/* sts-field-delim: blanks, a semicolon, blanks. */
static bool take_delimiter(struct cursor *cursor)
{
	skip_blanks(cursor);
	if (cursor->at == cursor->end || *cursor->at != ';')
		return false;
	cursor->at++;
	skip_blanks(cursor);
	return true;
}

/* sts-ext-name, which `id` is as well. */
static size_t name_size(const struct cursor *cursor)
{
	enum { NAME_MAX_SIZE = 32 };
	const char *at = cursor->at;

	if (at == cursor->end || !is_alphanumeric(*at))
		return 0;
	while (at < cursor->end && (is_alphanumeric(*at) || *at == '_' || *at == '-' || *at == '.'))
		at++;
	size_t size = (size_t)(at - cursor->at);
	return size <= NAME_MAX_SIZE ? size : 0;
}

/* sts-ext-value: printable ASCII without a blank, `=` and `;`. */
static size_t value_size(const struct cursor *cursor)
{
	const char *at = cursor->at;

	while (at<cursor->end && * at> ' ' && *at <= '~' && *at != '=' && *at != ';')
		at++;
	return (size_t)(at - cursor->at);
}

static bool take_id(const char *value, size_t size, char id[STS_ID_SIZE])
{
	if (size < 1 || size >= STS_ID_SIZE)
		return false;
	for (size_t i = 0; i < size; i++) {
		if (!is_alphanumeric(value[i]))
			return false;
	}
	memcpy(id, value, size);
	id[size] = '\0';
	return true;
}

/* sts-field. Only the first `id` counts. */
static bool take_field(struct cursor *cursor, char id[STS_ID_SIZE])
{
	const char *name = cursor->at;
	size_t size = name_size(cursor);

	cursor->at += size;
	if (size == 0 || cursor->at == cursor->end || *cursor->at != '=')
		return false;
	cursor->at++;
	const char *value = cursor->at;
	size_t length = value_size(cursor);
	cursor->at += length;
	if (size == 2 && memcmp(name, "id", 2) == 0 && id[0] == '\0')
		return take_id(value, length, id);
	return length > 0;
}

enum sts_record_result sts_record_read(const char *bytes, size_t size, char id[STS_ID_SIZE])
{
	static const char version[] = "v=STSv1";
	struct cursor cursor = {bytes, bytes + size};

	id[0] = '\0';
	if (size < sizeof version - 1 || memcmp(bytes, version, sizeof version - 1) != 0)
		return STS_RECORD_OTHER;
	cursor.at += sizeof version - 1;
	if (!take_delimiter(&cursor))
		return STS_RECORD_OTHER;
	do {
		if (!take_field(&cursor, id))
			return STS_RECORD_MALFORMED;
		if (cursor.at == cursor.end)
			break;
		/* Blanks at the end without a semicolon are not in the grammar. */
		if (!take_delimiter(&cursor))
			return STS_RECORD_MALFORMED;
	} while (cursor.at < cursor.end);
	return id[0] != '\0' ? STS_RECORD_VALID : STS_RECORD_MALFORMED;
}

/* --- all records of an answer -------------------------------------------------------------- */

const char *sts_discovery_text(enum sts_discovery discovery)
{
	static const char *const texts[] = {
		[STS_DISCOVERED] = "found",
		[STS_NO_RECORD] = "no record",
		[STS_SEVERAL_RECORDS] = "several records, so none counts",
		[STS_MALFORMED_RECORD] = "a malformed record",
		[STS_LOOKUP_FAILED] = "lookup failed",
	};
	return texts[discovery];
}

/* The strings of a TXT record (RFC 1035 3.3.14) in one; false if they do not fit the RDATA. */
static bool join_strings(const struct dns_record *record, char *joined, size_t *size)
{
	const uint8_t *at = record->rdata, *end = at + record->size;

	*size = 0;
	while (at < end) {
		size_t length = *at++;
		if ((size_t)(end - at) < length)
			return false;
		memcpy(joined + *size, at, length);
		*size += length;
		at += length;
	}
	return true;
}

enum sts_discovery sts_record_find(const struct dns_answer *answer, char id[STS_ID_SIZE])
{
	size_t valid = 0, malformed = 0;

	id[0] = '\0';
	if (answer->outcome == DNS_FAILED)
		return STS_LOOKUP_FAILED;
	for (size_t i = 0; i < answer->record_count; i++) {
		const struct dns_record *record = &answer->records[i];
		char *joined = malloc(record->size + 1u), one[STS_ID_SIZE];
		size_t size;

		if (joined == NULL)
			return STS_LOOKUP_FAILED;
		enum sts_record_result result = join_strings(record, joined, &size)
							? sts_record_read(joined, size, one)
							: STS_RECORD_OTHER;
		free(joined);
		malformed += result == STS_RECORD_MALFORMED;
		if (result == STS_RECORD_VALID && ++valid == 1)
			memcpy(id, one, sizeof one);
	}
	if (valid + malformed == 1)
		return valid == 1 ? STS_DISCOVERED : STS_MALFORMED_RECORD;
	id[0] = '\0';
	return valid + malformed == 0 ? STS_NO_RECORD : STS_SEVERAL_RECORDS;
}
