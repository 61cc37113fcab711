/*
 * TXT records of MTA-STS (RFC 8461 3.1), one record's text. The grammar is written again here, for
 * records that are valid.
 */
#include "common/sts/sts_record.h"

#include "t/fuzz/fuzz.h"

#include <ctype.h>

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static const char *skip_blanks(const char *at)
{
	while (is_blank(*at))
		at++;
	return at;
}

/* The record is `v=STSv1`, then fields `; name=value`; `id` is the first of its name. */
static void check_valid(const char *text, size_t size, const char *id)
{
	const char *at = skip_blanks(text + strlen("v=STSv1"));
	size_t id_size = strlen(id);
	const char *found = NULL;

	CHECK(strlen(text) == size && strncmp(text, "v=STSv1", 7) == 0 && *at == ';');
	CHECK(id_size > 0 && id_size < STS_ID_SIZE);
	for (size_t i = 0; i < id_size; i++)
		CHECK(isalnum((unsigned char)id[i]));
	while (*at == ';') {
		at = skip_blanks(at + 1);
		if (found == NULL && strncmp(at, "id=", 3) == 0)
			found = at + 3;
		at += strcspn(at, ";");
	}
	CHECK(*at == '\0' && found != NULL && strncmp(found, id, id_size) == 0);
	CHECK(found[id_size] == '\0' || found[id_size] == ';' || is_blank(found[id_size]));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	const char *record = (const char *)bytes;
	char *text = fuzz_string(bytes, size);
	char id[STS_ID_SIZE], name[DNS_NAME_SIZE];
	static const char version[] = "v=STSv1";

	enum sts_record_result result = sts_record_read(record, size, id);
	if (result == STS_RECORD_VALID)
		check_valid(text, size, id);
	if (size < sizeof version - 1 || memcmp(record, version, sizeof version - 1) != 0)
		CHECK(result == STS_RECORD_OTHER);
	if (sts_record_name(text, name))
		CHECK(strncmp(name, "_mta-sts.", 9) == 0 && strcmp(name + 9, text) == 0 &&
			strlen(name) < DNS_NAME_SIZE);
	free(text);
	return 0;
}
