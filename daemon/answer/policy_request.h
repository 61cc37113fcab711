/*
 * policy_request: the requests of Postfix's policy delegation protocol (SMTPD_POLICY_README).
 *
 * `name=value` lines, an empty line ends a request. Any attributes are taken in any order, from
 * Postfix 2.1 to 3.12 and later; those that nobody asks for here are passed over. Pure: nothing is
 * copied, what was found points into the bytes.
 */
#ifndef TLSAD_ANSWER_POLICY_REQUEST_H
#define TLSAD_ANSWER_POLICY_REQUEST_H

#include "common/base/text.h"

enum {
	/* Postfix reads lines of 4 times line_length_limit (2048), and sends none that are longer.
	 */
	POLICY_LINE_MAX = 10000, /* without its end [bytes] */
	POLICY_LINES_MAX = 128,  /* Postfix 3.12 sends 32 */
	/* Postfix sends a few hundred. It must be less than READ_MAX of worker.h. [bytes] */
	POLICY_REQUEST_MAX = 32768,
};

/* Bytes of a request; `bytes` is NULL where it has no such attribute. */
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
	POLICY_PARTIAL, /* a good beginning: read on */
	POLICY_BAD,
};

/*
 * Read the request that `bytes` begins with; `*used` is its size. An error is found at the first
 * line that shows it, or at the end: then `why`, unless it is NULL, gets words in printable ASCII.
 * Errors are a line without `=` or without a name, an attribute of those above that comes twice, a
 * NUL byte, a request of another type, one without attributes, and what is longer than the limits.
 */
enum policy_parsed policy_request_parse(const char *bytes, size_t size,
	struct policy_attributes *attributes, size_t *used, struct text *why);

/*
 * Does it ask about one recipient? At RCPT always; Postfix names a recipient at DATA and
 * END-OF-MESSAGE only where there is just one.
 */
bool policy_request_has_recipient(const struct policy_attributes *attributes);

/* At the end of a message it is too late for PREPEND (access(5)). */
bool policy_request_may_prepend(const struct policy_attributes *attributes);

/*
 * The domain: what is after an address's last `@`, as Postfix itself divides addresses; empty if
 * there is no `@`. If the only `@` is inside a quoted local part, the rest ends in a quote, which
 * no domain has.
 */
struct policy_value policy_request_domain(struct policy_value address);

#endif
