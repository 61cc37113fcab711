/*
 * answer: the replies of the maps, from the evidence and this site's rules.
 *
 * Between socketmap.c, which knows requests, and the pure functions of common/ that decide and
 * render. Runs in serving threads; nothing is looked up here.
 */
#ifndef TLSAD_ANSWER_ANSWER_H
#define TLSAD_ANSWER_ANSWER_H

#include "daemon/answer/socketmap.h"

enum answer_form {
	FORM_POLICY, /* as [dane] enforce says */
	FORM_NATIVE,
	FORM_PINNED,
	FORM_EXPLAIN,
	FORM_TLSA,
};

/* What an answer is made from and how. */
struct question {
	enum answer_form form;
	const struct evidence *evidence;
	const struct ta_file_finding *file; /* from the lookup thread; NULL: find it */
	const struct ruling *ruling;        /* NULL: no rule applies */
	bool cached; /* the evidence is what the cache has: it may be asked for more */
	/* Set by answer(): */
	struct decide_facts facts;
	struct verdict verdict;
	bool missing; /* there is something that the lookup thread should make */
};

/* Does this form answer with TLSA data in it? */
bool answer_is_pinned(const struct socketmap *socketmap, enum answer_form form);

/* False when the lookup thread has to make something first; then nothing is answered. */
bool answer(struct socketmap *socketmap, struct question *question, struct reply *reply,
	struct text *out);

/* The same for a key that is no name to look up. */
void answer_no_destination(struct socketmap *socketmap, const struct socketmap_request *request,
	enum answer_form form, const struct ruling *ruling, struct reply *reply, struct text *out);

/* In place of the reply behind `begin`, which stays to be told: what `monitor` answers. */
const char *answer_monitored(
	struct socketmap *socketmap, struct reply *reply, struct text *out, size_t begin);

#endif
