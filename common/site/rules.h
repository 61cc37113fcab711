/*
 * rules: the minimum levels that a site requires and the exceptions that it allows, found by the
 * name of a destination.
 *
 * A key is `example.org`, `.example.org` (all names below it, not the name itself) or, for a
 * minimum only, `*`. For one name the key with the most labels wins: `example.org` before
 * `.example.org`, longer before shorter, `*` last. Minimums and exceptions are matched
 * independently; minimum.h says what happens if a destination has both. A name is matched by the
 * hashes of its suffixes, so the time does not depend on the number of rules.
 *
 * One thread builds the rules. After that they do not change, except for the atomic members of
 * struct exception, and any thread may read them. The struct conf owns them; a reload makes new
 * ones. The errors of the functions that add a rule are one line without the file and line, which
 * the caller knows.
 */
#ifndef TLSAD_SITE_RULES_H
#define TLSAD_SITE_RULES_H

#include "common/dane/destination.h"
#include "common/site/exception.h"

#include <stdatomic.h>

enum {
	RULES_MAX = 4000000,   /* keys; more can only be an error of the tool that writes them */
	RULES_SOURCES_MAX = 4, /* the three files and the command line */
	RULES_LINE_MAX = 2000, /* of a file of rules, without its end [bytes] */
	RULES_ERROR_SIZE = 512,
};

/* What must be guaranteed; each level includes the ones before it. */
enum minimum_level {
	MINIMUM_NONE,
	MINIMUM_ENCRYPTED,     /* TLS, even with an unauthenticated server */
	MINIMUM_AUTHENTICATED, /* DANE, MTA-STS, or a certificate for the domain's own name */
	MINIMUM_DANE,
	MINIMUM_COUNT,
};

/* Their names in the configuration, by level; NULL-terminated. */
extern const char *const minimum_names[];

/* Where a rule was read from. */
struct rule_place {
	const char *file; /* a string of rules_source() */
	unsigned line;    /* 0: not in a file, an override (-o) */
};

struct exception {
	const char *key;
	enum tls_level level; /* of the reply */
	uint32_t until;       /* as in struct exception_terms */
	const char *reason;   /* UTF-8, may be empty */
	struct rule_place place;
	_Atomic uint32_t used_on;   /* day of its last use, in days since 1970; 0: never */
	_Atomic bool end_was_noted; /* its end has been logged */
};

/* The rules that apply to one name. */
struct ruling {
	enum minimum_level minimum;
	struct rule_place minimum_place; /* if there is a minimum_key */
	const char *minimum_key;         /* NULL: no minimum applies */
	struct exception *exception;     /* in force, or NULL */
	struct exception *ended;         /* if no exception is in force: one that ended, or NULL */
};

struct rules;

struct rules *rules_new(void); /* NULL: out of memory */
void rules_free(struct rules *rules);

/* The rules' own copy of a file name, for struct rule_place; NULL: too many, or out of memory. */
const char *rules_source(struct rules *rules, const char *name);

/*
 * Add a rule: `key` in any case, in UTF-8 or as A-labels; `value` as written in the configuration.
 * A second rule for the same key is an error that names the place of the first one. But an override
 * (line 0) replaces the rule of a file, whichever of them is added first.
 */
typedef bool rules_adder(struct rules *rules, struct rule_place place, const char *key,
	const char *value, char error[RULES_ERROR_SIZE]);
rules_adder rules_add_minimum, rules_add_exception;

/*
 * Add the rules of a file, one per line, `KEY VALUE` or `KEY = VALUE`; empty lines and lines that
 * begin with `#` or `;` are skipped. Here the error includes file and line. Without `must_exist` a
 * file that does not exist is read as an empty one.
 */
bool rules_read(struct rules *rules, const char *file, bool must_exist, rules_adder *add,
	char error[RULES_ERROR_SIZE]);

/* Split one line of such a file in place. False: it contains no rule. */
bool rules_split_line(char *line, char **key, char **value);

/*
 * Write the normal form of a key to `normal`: lower case, A-labels, no dot at the end, or `*`.
 * False and one line if it is not a domain name.
 */
enum { RULES_KEY_SIZE = 1 + DESTINATION_NAME_MAX + 1 };
bool rules_key(const char *key, char normal[RULES_KEY_SIZE], char error[RULES_ERROR_SIZE]);

/* The same for an exception, for which `*` is not a key. */
bool rules_exception_key(
	const char *key, char normal[RULES_KEY_SIZE], char error[RULES_ERROR_SIZE]);

/*
 * The first part of matching a name, done early so that the processor can fetch the memory that
 * rules_match() reads. A hint from other rules, before a reload, is recognised and ignored.
 */
struct rules_hint {
	uint64_t hash;       /* of the name; set only if the rules have keys for single names */
	uint32_t generation; /* of the rules; 0: the hint is empty */
	bool below;          /* some `.example.org` key may match the name */
};

void rules_look_ahead(
	const struct rules *rules, const char *name, size_t size, struct rules_hint *hint);

/*
 * Find the rules that apply to a name of struct destination. `*ruling` must be empty; `hint` may be
 * NULL; `now` is in seconds since 1970.
 */
void rules_match(const struct rules *rules, const char *name, size_t size,
	const struct rules_hint *hint, uint32_t now, struct ruling *ruling);

/* The rules that apply to a name of struct destination; `rules` may be NULL. */
static inline void rules_find(const struct rules *rules, const char *name, size_t size,
	uint32_t now, struct ruling *ruling)
{
	*ruling = (struct ruling){.minimum = MINIMUM_NONE};
	if (rules != NULL)
		rules_match(rules, name, size, NULL, now, ruling);
}

/* The rules that apply to a destination without a name, such as an address: only `*`. */
static inline void rules_find_nameless(const struct rules *rules, struct ruling *ruling)
{
	rules_find(rules, "", 0, 0, ruling);
}

/* The rules that apply to a key itself: for `.example.org`, to all names below it. */
void rules_find_key(
	const struct rules *rules, const char *key, uint32_t now, struct ruling *ruling);

size_t rules_minimum_count(const struct rules *rules);
size_t rules_exception_count(const struct rules *rules);

/* The n-th key in the order of adding, from 0; false if it has no minimum. */
bool rules_minimum(const struct rules *rules, size_t n, const char **key,
	enum minimum_level *minimum, struct rule_place *place);
size_t rules_key_count(const struct rules *rules);

/* The n-th exception, from 0; NULL after the last. */
struct exception *rules_exception(const struct rules *rules, size_t n);

/* Do both have the same minimums, or exceptions, in whatever files? NULL has none. */
bool rules_same_minimums(const struct rules *one, const struct rules *other);
bool rules_same_exceptions(const struct rules *one, const struct rules *other);

/*
 * After a reload: copy what has been logged about exceptions that stay the same, so that it is not
 * logged again. `old` may be NULL.
 */
void rules_inherit(struct rules *rules, const struct rules *old);

static inline bool exception_in_force(const struct exception *exception, uint32_t now)
{
	return exception->until == EXCEPTION_FOREVER || now < exception->until;
}

/* Note that the exception was used. True for the first call on a day (UTC), by any thread. */
bool exception_note_use(struct exception *exception, uint32_t now);

/* Note that the exception has ended. True for the first call, by any thread. */
bool exception_note_end(struct exception *exception);

#endif
