/*
 * action: what the policy service answers, an action of access(5) with places for words.
 *
 * The places are {destination}, {required}, {offered} and {reason}; other braces are an error, so
 * that a slip is found when the configuration is loaded. Pure.
 */
#ifndef TLSAD_SITE_ACTION_H
#define TLSAD_SITE_ACTION_H

#include "common/base/text.h"

enum {
	ACTION_MAX = 600,       /* as it is written [bytes] */
	ACTION_HEADER_MAX = 76, /* a name of a header field [bytes] */
};

/* For the places. Each is printable ASCII that the caller vouches for. */
struct action_words {
	const char *destination;
	const char *required; /* the minimum level */
	const char *offered;  /* what there is instead */
	const char *reason;   /* the stable word */
};

/*
 * One line that begins with an action of access(5), a reply code, or in small letters the name of
 * a restriction; with places that exist. False and words otherwise.
 */
bool action_check(const char *action, char *error, size_t error_size);

/* The action with its places filled in. */
void action_render(const char *action, const struct action_words *words, struct text *out);

/* A header field's name (RFC 5322 2.2, 3.6.8). False and words when it is none. */
bool action_check_header(const char *name, char *error, size_t error_size);

#endif
