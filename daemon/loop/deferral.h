/*
 * deferral: destinations that get TEMP replies again and again, and which of these replies are
 * logged.
 *
 * The first TEMP reply is logged, and then one in DEFERRAL_INTERVAL, with the number of those left
 * out: Postfix sends a request for every message and every attempt. A destination is forgotten when
 * it gets another reply, or when there was no request for DEFERRAL_MEMORY. Requests of an
 * administrator are logged in the same way, but only those of Postfix are counted: mail waits for
 * them. Belongs to one thread. The caller passes the time.
 */
#ifndef TLSAD_LOOP_DEFERRAL_H
#define TLSAD_LOOP_DEFERRAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	DEFERRAL_INTERVAL = 10 * 60, /* [s] between two lines about one destination */
	/*
	 * [s] Postfix tries a deferred message again at least every maximal_backoff_time, 4000 by
	 * default (postconf(5)). After twice that time without a request there is no mail any more.
	 */
	DEFERRAL_MEMORY = 8000,
	/*
	 * With more destinations, the one whose last request is oldest is forgotten. About 400
	 * bytes each.
	 */
	DEFERRALS_MAX = 10000,
};

struct deferrals;

/* For the log line about a TEMP reply, or about the end of a deferral. */
struct deferral_note {
	bool quiet;        /* do not log: there was a line less than DEFERRAL_INTERVAL ago */
	uint32_t left_out; /* number of lines left out since the last one */
	uint32_t seconds;  /* since the first TEMP reply */
};

struct deferrals *deferrals_new(void); /* NULL: out of memory */
void deferrals_free(struct deferrals *deferrals);

/*
 * Note a TEMP reply at `now` [s], to Postfix if `mail` is true. `quiet` is false if there is
 * no room.
 */
struct deferral_note deferral_note(
	struct deferrals *deferrals, const char *key, uint32_t now, bool mail);

/* Note another reply. True, with `note` filled in, if the destination was deferred until now. */
bool deferral_end(
	struct deferrals *deferrals, const char *key, uint32_t now, struct deferral_note *note);

/* Forget destinations without a request since `before` [s]. */
void deferrals_forget(struct deferrals *deferrals, uint32_t before);

/* The destinations for which Postfix got a TEMP reply. */
size_t deferrals_count(const struct deferrals *deferrals);

/* [s] The first TEMP reply to Postfix of that deferred longest; UINT32_MAX without one. */
uint32_t deferrals_oldest(const struct deferrals *deferrals);

#endif
