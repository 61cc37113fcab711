/*
 * deferral: destinations that are answered TEMP again and again, and which of these replies are
 * worth a line in the log.
 *
 * The first one is, and then one in DEFERRAL_INTERVAL, with the number of those left out: Postfix
 * asks for every message and every attempt. A destination is forgotten when it is answered, or when
 * nobody has asked for so long that its mail must have gone. Belongs to one thread. Pure but for
 * memory: the caller says what time it is.
 */
#ifndef TLSAD_LOOP_DEFERRAL_H
#define TLSAD_LOOP_DEFERRAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	DEFERRAL_INTERVAL = 10 * 60, /* [s] between two lines about one destination */
	/*
	 * [s] Postfix asks again for a message that waits at least every maximal_backoff_time, 4000
	 * by default (postconf(5)). Who is not asked for in twice as long has no mail any more.
	 */
	DEFERRAL_MEMORY = 8000,
	/*
	 * Of more destinations at once those that nobody has asked for longest are forgotten. About
	 * 400 bytes each.
	 */
	DEFERRALS_MAX = 10000,
};

struct deferrals;

/* What to say of one TEMP reply, or of the end of them. */
struct deferral_note {
	bool quiet;        /* there was a line lately */
	uint32_t left_out; /* lines, since the last one */
	uint32_t seconds;  /* since the first TEMP reply */
};

struct deferrals *deferrals_new(void); /* NULL: out of memory */
void deferrals_free(struct deferrals *deferrals);

/* The destination is answered TEMP at `now` [s]. Out of memory, nothing is quiet. */
struct deferral_note deferral_note(struct deferrals *deferrals, const char *key, uint32_t now);

/* It has another reply: true when it was deferred until now, and `note` tells of that. */
bool deferral_end(
	struct deferrals *deferrals, const char *key, uint32_t now, struct deferral_note *note);

/* Forget what nobody has asked for since `before` [s]. */
void deferrals_forget(struct deferrals *deferrals, uint32_t before);

size_t deferrals_count(const struct deferrals *deferrals);

/* When the one that is deferred for longest was first answered TEMP [s]; UINT32_MAX: there is none.
 */
uint32_t deferrals_oldest(const struct deferrals *deferrals);

#endif
