/*
 * policy_request: parses requests of Postfix's policy delegation protocol (SMTPD_POLICY_README).
 *
 * A request is `name=value` lines, ended by an empty line. Attributes may come in any order, from
 * Postfix 2.1 to 3.12 and later; attributes that tlsad does not use are passed over. Pure: values
 * are not copied, they point into the bytes.
 */
#ifndef TLSAD_ANSWER_POLICY_REQUEST_H
#define TLSAD_ANSWER_POLICY_REQUEST_H

#include "common/base/text.h"

enum {
	/*
	 * [bytes] without the newline. Postfix reads lines of up to 4 times line_length_limit
	 * (2048) and does not send longer ones.
	 */
	POLICY_LINE_MAX = 10000,
	POLICY_LINES_MAX = 128, /* Postfix 3.12 sends 32 */
	/* [bytes] Postfix sends a few hundred. It must be less than READ_MAX of worker.h. */
	POLICY_REQUEST_MAX = 32768,
};

/* Part of a request; `bytes` is NULL if the request has no such attribute. */
struct policy_value {
	const char *bytes;
	size_t size;
};

enum policy_attribute {
	POLICY_REQUEST_TYPE,
	POLICY_STATE,
	POLICY_RECIPIENT,
	POLICY_SENDER,
	POLICY_SASL_USERNAME,
	POLICY_CLIENT_ADDRESS,
	POLICY_ATTRIBUTES,
};

struct policy_attributes {
	struct policy_value values[POLICY_ATTRIBUTES];
};

enum policy_parsed {
	POLICY_WHOLE,
	POLICY_PARTIAL, /* valid so far: read more */
	POLICY_BAD,
};

/*
 * Read the request at the beginning of `bytes`; `*used` becomes its size. With POLICY_BAD, `why`,
 * unless it is NULL, gets the error in printable ASCII. Errors are: a line without `=` or without a
 * name, one of the attributes above twice, a NUL byte, a request of another type, a request without
 * attributes, and a line or request over the limits.
 */
enum policy_parsed policy_request_parse(const char *bytes, size_t size,
	struct policy_attributes *attributes, size_t *used, struct text *why);

/*
 * Is the request about one recipient? At RCPT always; at DATA and END-OF-MESSAGE Postfix sends a
 * recipient only if the message has just one.
 */
bool policy_request_has_recipient(const struct policy_attributes *attributes);

/* May the reply be PREPEND? Not at END-OF-MESSAGE (access(5)). */
bool policy_request_may_prepend(const struct policy_attributes *attributes);

/*
 * The domain of an address: everything after its last `@`, as Postfix itself divides addresses;
 * empty if there is no `@`. If the only `@` is inside a quoted local part, the result ends with a
 * quotation mark and is thus not a valid domain.
 */
struct policy_value policy_request_domain(struct policy_value address);

#endif
