/*
 * action: the reply of the policy service, an action of access(5) with placeholders.
 *
 * The placeholders are {destination}, {required}, {offered} and {reason}; other braces are an
 * error, so that a typing error is found when the configuration is loaded. The functions that check
 * return false and write one line to `error`. Pure.
 */
#ifndef TLSAD_SITE_ACTION_H
#define TLSAD_SITE_ACTION_H

#include "common/base/text.h"

enum {
	ACTION_MAX = 600,       /* as written in the configuration [bytes] */
	ACTION_HEADER_MAX = 76, /* of the name of a header field [bytes] */
};

/* The values of the placeholders. The caller makes sure that each is printable ASCII. */
struct action_words {
	const char *destination;
	const char *required; /* the minimum level */
	const char *offered;  /* what the destination offers instead */
	const char *reason;   /* reason_name() */
};

/*
 * Is this one line that begins with an action of access(5), with a reply code, or with the name of
 * a restriction in lower case, and has no other placeholders than the four?
 */
bool action_check(const char *action, char *error, size_t error_size);

/* Append the action with its placeholders replaced. */
void action_render(const char *action, const struct action_words *words, struct text *out);

/* Is this the name of a header field (RFC 5322 2.2, 3.6.8)? */
bool action_check_header(const char *name, char *error, size_t error_size);

#endif
