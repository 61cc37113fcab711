#include "daemon/answer/policy_request.h"

#include <string.h>

enum { SHOWN_MAX = 60 }; /* [bytes] of an invalid line that are shown */

#define NAME(string) string, sizeof string - 1
#define LENGTH(string) UINT64_C(1) << (sizeof string - 1)

/* Lengths of the known names: most of Postfix's 32 attributes are passed over by length alone. */
static const uint64_t lengths = LENGTH("request") | LENGTH("protocol_state") | LENGTH("recipient") |
				LENGTH("sender") | LENGTH("sasl_username") |
				LENGTH("client_address");

static const struct {
	const char *name;
	size_t size;
} known[POLICY_ATTRIBUTES] = {
	[POLICY_REQUEST_TYPE] = {NAME("request")},
	[POLICY_STATE] = {NAME("protocol_state")},
	[POLICY_RECIPIENT] = {NAME("recipient")},
	[POLICY_SENDER] = {NAME("sender")},
	[POLICY_SASL_USERNAME] = {NAME("sasl_username")},
	[POLICY_CLIENT_ADDRESS] = {NAME("client_address")},
};

static bool is(struct policy_value value, const char *word)
{
	return value.bytes != NULL && value.size == strlen(word) &&
	       memcmp(value.bytes, word, value.size) == 0;
}

/* POLICY_ATTRIBUTES for an attribute that is not used here. */
static enum policy_attribute find_attribute(const char *name, size_t size)
{
	if (size >= 64 || (lengths >> size & 1) == 0)
		return POLICY_ATTRIBUTES;
	for (size_t i = 0; i < POLICY_ATTRIBUTES; i++) {
		if (known[i].size == size && memcmp(known[i].name, name, size) == 0)
			return (enum policy_attribute)i;
	}
	return POLICY_ATTRIBUTES;
}

static void show(struct text *why, const char *bytes, size_t size)
{
	text_add(why, "\"");
	for (size_t i = 0; i < size && i < SHOWN_MAX; i++)
		text_add_bytes(why, bytes[i] >= ' ' && bytes[i] <= '~' ? &bytes[i] : "?", 1);
	text_add(why, size <= SHOWN_MAX ? "\"" : "...\"");
}

/* Read one line. False with the error in `why`. */
static bool take_line(
	struct policy_attributes *attributes, const char *line, size_t size, struct text *why)
{
	const char *equals = memchr(line, '=', size);

	if (equals == NULL || equals == line) {
		text_add(why, equals == NULL ? "no \"=\" in " : "no name before \"=\" in ");
		show(why, line, size);
		return false;
	}
	enum policy_attribute attribute = find_attribute(line, (size_t)(equals - line));
	if (attribute == POLICY_ATTRIBUTES)
		return true;
	struct policy_value *value = &attributes->values[attribute];
	if (value->bytes != NULL) {
		text_add_format(why, "the attribute %s occurs twice", known[attribute].name);
		return false;
	}
	*value = (struct policy_value){equals + 1, size - (size_t)(equals + 1 - line)};
	if (attribute == POLICY_REQUEST_TYPE && !is(*value, "smtpd_access_policy")) {
		text_add(why, "the request is not of type smtpd_access_policy: ");
		show(why, line, size);
		return false;
	}
	return true;
}

/* Postfix never sends a NUL byte, and it would cut values short where they are used as strings. */
static bool has_nul(const char *bytes, size_t size, struct text *why)
{
	const char *nul = size > 0 ? memchr(bytes, '\0', size) : NULL;

	if (nul == NULL)
		return false;
	text_add(why, "a NUL byte after ");
	show(why, bytes, (size_t)(nul - bytes));
	return true;
}

/* Read lines up to the empty one, or as far as the bytes go, and check the limits. */
static enum policy_parsed parse(const char *bytes, size_t size,
	struct policy_attributes *attributes, size_t *used, struct text *why)
{
	size_t at = 0;

	for (unsigned lines = 0;; lines++) {
		const char *line = bytes + at;
		const char *end = memchr(line, '\n', size - at);
		size_t length = end != NULL ? (size_t)(end - line) : size - at;

		if (length > POLICY_LINE_MAX) {
			text_add_format(why, "a line of more than %d bytes: ", POLICY_LINE_MAX);
			show(why, line, length);
			return POLICY_BAD;
		}
		if (at + length > POLICY_REQUEST_MAX) {
			text_add_format(
				why, "the request is longer than %d bytes", POLICY_REQUEST_MAX);
			return POLICY_BAD;
		}
		if (end == NULL)
			return has_nul(bytes, size, why) ? POLICY_BAD : POLICY_PARTIAL;
		at += length + 1;
		if (length == 0) {
			*used = at;
			if (lines > 0)
				return has_nul(bytes, at, why) ? POLICY_BAD : POLICY_WHOLE;
			text_add(why, "the request has no attributes");
			return POLICY_BAD;
		}
		if (lines == POLICY_LINES_MAX) {
			text_add_format(
				why, "the request has more than %d lines", POLICY_LINES_MAX);
			return POLICY_BAD;
		}
		if (!take_line(attributes, line, length, why))
			return POLICY_BAD;
	}
}

enum policy_parsed policy_request_parse(const char *bytes, size_t size,
	struct policy_attributes *attributes, size_t *used, struct text *why)
{
	char nobody[1];
	struct text nowhere;

	text_init(&nowhere, nobody, sizeof nobody);
	memset(attributes, 0, sizeof *attributes);
	return parse(bytes, size, attributes, used, why != NULL ? why : &nowhere);
}

bool policy_request_has_recipient(const struct policy_attributes *attributes)
{
	struct policy_value state = attributes->values[POLICY_STATE];

	return attributes->values[POLICY_RECIPIENT].size > 0 &&
	       (is(state, "RCPT") || is(state, "DATA") || is(state, "END-OF-MESSAGE"));
}

bool policy_request_may_prepend(const struct policy_attributes *attributes)
{
	return !is(attributes->values[POLICY_STATE], "END-OF-MESSAGE");
}

struct policy_value policy_request_domain(struct policy_value address)
{
	const char *at =
		address.size > 0 ? memrchr(address.bytes, '@', address.size) : (const char *)NULL;

	if (at == NULL)
		return (struct policy_value){address.bytes, 0};
	return (struct policy_value){at + 1, address.size - (size_t)(at + 1 - address.bytes)};
}
