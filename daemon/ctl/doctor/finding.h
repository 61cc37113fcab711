/*
 * finding: the list of findings on this host, each with its remedy.
 *
 * A finding belongs to a check, whose name scripts may rely on, and to an object: an endpoint, a
 * server or a configuration directory of Postfix. If a check finds nothing wrong, that is a
 * finding, too; it is printed only on request.
 */
#ifndef TLSAD_CTL_DOCTOR_FINDING_H
#define TLSAD_CTL_DOCTOR_FINDING_H

#include "common/conf/conf.h"

enum doctor_state {
	DOCTOR_OK,
	DOCTOR_NOTE, /* worth knowing, but nothing is wrong */
	DOCTOR_UNKNOWN,
	DOCTOR_WARNING, /* it works, but less well or less safely than it could */
	DOCTOR_FAULT,
	DOCTOR_STATE_COUNT,
};

const char *doctor_state_name(enum doctor_state state);

enum doctor_check {
	DOCTOR_CONFIGURATION,
	DOCTOR_TRUST_ANCHOR,
	DOCTOR_NAME_SERVER,
	DOCTOR_CLOCK,
	DOCTOR_VALIDATION,
	DOCTOR_SOCKET,
	DOCTOR_POSTFIX,
	DOCTOR_POLICY_MAPS,
	DOCTOR_DNS_SUPPORT,
	DOCTOR_SECURITY_LEVEL,
	DOCTOR_INSECURE_MX,
	DOCTOR_FINGERPRINT_DIGEST,
	DOCTOR_SERVERNAME,
	DOCTOR_TAFILE,
	DOCTOR_RESOLV_CONF,
	DOCTOR_STS,
	DOCTOR_CA_STORE,
	DOCTOR_STS_PATTERNS,
	DOCTOR_CHECK_COUNT,
};

const char *doctor_check_name(enum doctor_check check);

enum { DOCTOR_WORDS_SIZE = 1536, DOCTOR_OBJECT_SIZE = 256, DOCTOR_FINDINGS_MAX = 500 };

struct doctor_finding {
	enum doctor_check check;
	enum doctor_state state;
	char object[DOCTOR_OBJECT_SIZE]; /* or empty */
	char words[DOCTOR_WORDS_SIZE];
	char remedy[DOCTOR_WORDS_SIZE]; /* what to type or to do, or empty */
};

struct doctor {
	const struct conf *conf;
	size_t count;
	struct doctor_finding *list;
	bool dropped; /* the last finding was not added: there are too many */
	bool out_of_memory;
};

/* All text is converted to printable ASCII, since some of it comes from the network. */
void doctor_add(struct doctor *doctor, enum doctor_check check, const char *object,
	enum doctor_state state, const char *format, ...) __attribute__((format(printf, 5, 6)));

/* Sets the remedy of the finding that was added last. If that one was dropped, so is the remedy. */
void doctor_remedy(struct doctor *doctor, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The same for the finding with this index in the list. */
void doctor_remedy_at(struct doctor *doctor, size_t index, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Removes findings that two clients of Postfix have in common, except the first. */
void doctor_drop_repetitions(struct doctor *doctor);

size_t doctor_count(const struct doctor *doctor, enum doctor_state state);
void doctor_clear(struct doctor *doctor);

/* `all`: print findings in state DOCTOR_OK, too. */
void doctor_print_text(const struct doctor *doctor, bool all);
void doctor_print_json(const struct doctor *doctor);

#endif
