/*
 * rules: what a site demands of destinations (minimum levels) and what it lets pass (exceptions),
 * found by a destination's name.
 *
 * A key is `example.org`, `.example.org` (all names below it, not itself) or, of a minimum, `*`.
 * For one name the key with most labels wins: `example.org` before `.example.org`, longer before
 * shorter, `*` last. Minimums and exceptions are matched on their own; minimum.h tells what becomes
 * of a destination that has both. A name is matched by the hashes of its suffixes: the number of
 * rules does not matter.
 *
 * Built by one thread, then not changed any more and read by all, but for what struct exception
 * marks as atomic. The struct conf owns them; a reload makes new ones. Errors of the functions that
 * add are one line without the place, which the caller knows.
 */
#ifndef TLSAD_SITE_RULES_H
#define TLSAD_SITE_RULES_H

#include "common/dane/destination.h"
#include "common/site/exception.h"

#include <stdatomic.h>

enum {
	RULES_MAX = 4000000,   /* keys; more is a mistake in some tool */
	RULES_SOURCES_MAX = 4, /* files, and the command line */
	RULES_LINE_MAX = 2000, /* of a file of rules, without its end [bytes] */
	RULES_ERROR_SIZE = 512,
};

/* What must be guaranteed, each more than the one before it. */
enum minimum_level {
	MINIMUM_NONE,
	MINIMUM_ENCRYPTED,     /* TLS, with whomever */
	MINIMUM_AUTHENTICATED, /* DANE, MTA-STS, or a certificate for the domain's own name */
	MINIMUM_DANE,
	MINIMUM_COUNT,
};

/* Their names, which are those of the configuration; NULL-terminated. */
extern const char *const minimum_names[];

/* Where a rule stands. */
struct rule_place {
	const char *file; /* of rules_source() */
	unsigned line;    /* 0: not in a file, an override */
};

struct exception {
	const char *key;
	enum tls_level level; /* the answer */
	uint32_t until;     /* [s] wall clock, the first second without it, or EXCEPTION_FOREVER */
	const char *reason; /* UTF-8, may be empty */
	struct rule_place place;
	_Atomic uint32_t used_on;   /* day of its last use, in days since 1970; 0: never */
	_Atomic bool end_was_noted; /* it has been logged that it ended */
};

/* What applies to one name. */
struct ruling {
	enum minimum_level minimum;
	struct rule_place minimum_place; /* with a key */
	const char *minimum_key;         /* NULL: there is none */
	struct exception *exception;     /* in force, or NULL */
	struct exception *ended;         /* with NULL before: one that was, or NULL */
};

struct rules;

struct rules *rules_new(void); /* NULL when out of memory */
void rules_free(struct rules *rules);

/* A name for places, copied; NULL when there are too many or no memory. */
const char *rules_source(struct rules *rules, const char *name);

/*
 * Add a rule: `key` as somebody writes it, in any case, in UTF-8 or as A-labels; `value` as it
 * stands in the configuration. A second one for the same key is an error that names the first
 * one's place; only an override (line 0) stands in place of what a file says, whichever comes
 * first.
 */
typedef bool rules_adder(struct rules *rules, struct rule_place place, const char *key,
	const char *value, char error[RULES_ERROR_SIZE]);
rules_adder rules_add_minimum, rules_add_exception;

/*
 * Add a file's rules, one a line, `KEY VALUE` or `KEY = VALUE`; empty lines and those that begin
 * with `#` or `;` are passed over. Here the error has file and line. Where the file need not exist
 * a missing one is an empty one.
 */
bool rules_read(struct rules *rules, const char *file, bool must_exist, rules_adder *add,
	char error[RULES_ERROR_SIZE]);

/* One line of such a file, cut in two in place. False: it holds no rule. */
bool rules_split_line(char *line, char **key, char **value);

/*
 * The one way to write a key, into `normal`. False and words when it is no name; `*` is taken as
 * it is.
 */
enum { RULES_KEY_SIZE = 1 + DESTINATION_NAME_MAX + 1 };
bool rules_key(const char *key, char normal[RULES_KEY_SIZE], char error[RULES_ERROR_SIZE]);

/*
 * What can be known of a name before its rules are asked for: then the memory that is needed is on
 * its way meanwhile. Of other rules, after a reload, a hint is worth nothing, which is noticed.
 */
struct rules_hint {
	uint64_t hash;       /* of the name, where names have rules of their own */
	uint32_t generation; /* of the rules; 0: nothing is known */
	bool below;          /* a name above it may have a rule for the names below */
};

void rules_look_ahead(
	const struct rules *rules, const char *name, size_t size, struct rules_hint *hint);

/* `hint` may be NULL; `now` is in seconds since 1970. */
void rules_match(const struct rules *rules, const char *name, size_t size,
	const struct rules_hint *hint, uint32_t now, struct ruling *ruling);

/* What applies to a name as struct destination has it, without rules too. */
static inline void rules_find(const struct rules *rules, const char *name, size_t size,
	uint32_t now, struct ruling *ruling)
{
	*ruling = (struct ruling){.minimum = MINIMUM_NONE};
	if (rules != NULL)
		rules_match(rules, name, size, NULL, now, ruling);
}

/* What applies to a destination that has no name, such as an address: `*` alone. */
static inline void rules_find_nameless(const struct rules *rules, struct ruling *ruling)
{
	rules_find(rules, "", 0, 0, ruling);
}

/* What applies to a key itself: of `.example.org` what names below it have in common. */
void rules_find_key(
	const struct rules *rules, const char *key, uint32_t now, struct ruling *ruling);

size_t rules_minimum_count(const struct rules *rules);
size_t rules_exception_count(const struct rules *rules);

/* The n-th key in the order in which they were added; false when it has no minimum. */
bool rules_minimum(const struct rules *rules, size_t n, const char **key,
	enum minimum_level *minimum, struct rule_place *place);
size_t rules_key_count(const struct rules *rules);

/* The n-th exception, NULL behind the last. */
struct exception *rules_exception(const struct rules *rules, size_t n);

/* Do both have the same, wherever it stands? NULL is without any. */
bool rules_same_minimums(const struct rules *one, const struct rules *other);
bool rules_same_exceptions(const struct rules *one, const struct rules *other);

/* After a reload: what has been logged of an exception that stays need not be logged again. */
void rules_inherit(struct rules *rules, const struct rules *old);

static inline bool exception_in_force(const struct exception *exception, uint32_t now)
{
	return exception->until == EXCEPTION_FOREVER || now < exception->until;
}

/* True for the first of all callers of a day (UTC). */
bool exception_note_use(struct exception *exception, uint32_t now);

/* True for the first of all callers. */
bool exception_note_end(struct exception *exception);

#endif
