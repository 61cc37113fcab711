#include "daemon/loop/deferral.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

struct deferral {
	TAILQ_ENTRY(deferral) age;   /* in deferrals->by_age */
	TAILQ_ENTRY(deferral) asked; /* in deferrals->by_asked */
	uint32_t since;              /* [s] the first TEMP answer */
	uint32_t asked_at;           /* [s] the last */
	uint32_t said_at;            /* [s] the last line */
	uint32_t left_out;
	char key[];
};

TAILQ_HEAD(deferral_list, deferral);

struct deferrals {
	void *tree; /* tsearch(3), by key */
	struct deferral_list by_age;
	struct deferral_list by_asked;
	size_t count;
};

static const char *key_of(const void *node)
{
	return ((const struct deferral *)node)->key;
}

static int compare(const void *one, const void *other)
{
	return strcmp(key_of(one), key_of(other));
}

/* tfind(3) wants what compare() can look at: a whole element. */
static struct deferral *element(const char *key)
{
	size_t size = strlen(key) + 1;
	struct deferral *deferral = calloc(1, sizeof *deferral + size);

	if (deferral != NULL)
		memcpy(deferral->key, key, size);
	return deferral;
}

static struct deferral *find(const struct deferrals *deferrals, const char *key)
{
	struct deferral *sought = element(key);

	if (sought == NULL)
		return NULL;
	void *const *node = tfind(sought, &deferrals->tree, compare);
	free(sought);
	return node != NULL ? *node : NULL;
}

static void forget(struct deferrals *deferrals, struct deferral *deferral)
{
	tdelete(deferral, &deferrals->tree, compare);
	TAILQ_REMOVE(&deferrals->by_age, deferral, age);
	TAILQ_REMOVE(&deferrals->by_asked, deferral, asked);
	deferrals->count--;
	free(deferral);
}

struct deferrals *deferrals_new(void)
{
	struct deferrals *deferrals = calloc(1, sizeof *deferrals);

	if (deferrals == NULL)
		return NULL;
	TAILQ_INIT(&deferrals->by_age);
	TAILQ_INIT(&deferrals->by_asked);
	return deferrals;
}

void deferrals_free(struct deferrals *deferrals)
{
	struct deferral *deferral;

	if (deferrals == NULL)
		return;
	while ((deferral = TAILQ_FIRST(&deferrals->by_age)) != NULL)
		forget(deferrals, deferral);
	free(deferrals);
}

static struct deferral *begin(struct deferrals *deferrals, const char *key, uint32_t now)
{
	struct deferral *deferral = element(key);

	if (deferral == NULL)
		return NULL;
	if (tsearch(deferral, &deferrals->tree, compare) == NULL) {
		free(deferral);
		return NULL;
	}
	deferral->since = now;
	TAILQ_INSERT_TAIL(&deferrals->by_age, deferral, age);
	TAILQ_INSERT_TAIL(&deferrals->by_asked, deferral, asked);
	if (++deferrals->count > DEFERRALS_MAX)
		forget(deferrals, TAILQ_FIRST(&deferrals->by_asked));
	return deferral;
}

struct deferral_note deferral_note(struct deferrals *deferrals, const char *key, uint32_t now)
{
	struct deferral_note note = {.quiet = false};
	struct deferral *deferral = find(deferrals, key);

	if (deferral == NULL) {
		deferral = begin(deferrals, key, now);
		if (deferral == NULL)
			return note;
	} else if (now - deferral->said_at < DEFERRAL_INTERVAL) {
		note.quiet = true;
		deferral->left_out++;
	}
	TAILQ_REMOVE(&deferrals->by_asked, deferral, asked);
	TAILQ_INSERT_TAIL(&deferrals->by_asked, deferral, asked);
	deferral->asked_at = now;
	note.seconds = now - deferral->since;
	note.left_out = deferral->left_out;
	if (!note.quiet) {
		deferral->said_at = now;
		deferral->left_out = 0;
	}
	return note;
}

bool deferral_end(
	struct deferrals *deferrals, const char *key, uint32_t now, struct deferral_note *note)
{
	/* Nearly always there is none. */
	struct deferral *deferral = deferrals->count > 0 ? find(deferrals, key) : NULL;

	if (deferral == NULL)
		return false;
	*note = (struct deferral_note){
		.left_out = deferral->left_out, .seconds = now - deferral->since};
	forget(deferrals, deferral);
	return true;
}

void deferrals_forget(struct deferrals *deferrals, uint32_t before)
{
	struct deferral *deferral;

	while ((deferral = TAILQ_FIRST(&deferrals->by_asked)) != NULL &&
		deferral->asked_at < before)
		forget(deferrals, deferral);
}

size_t deferrals_count(const struct deferrals *deferrals)
{
	return deferrals->count;
}

uint32_t deferrals_oldest(const struct deferrals *deferrals)
{
	const struct deferral *oldest = TAILQ_FIRST(&deferrals->by_age);
	return oldest != NULL ? oldest->since : UINT32_MAX;
}
