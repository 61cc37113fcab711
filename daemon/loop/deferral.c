#include "daemon/loop/deferral.h"

#include "common/base/hash_set.h"

#include <stdlib.h>
#include <sys/queue.h>

struct deferral {
	TAILQ_ENTRY(deferral) age;   /* in deferrals->by_age, if `mail` */
	TAILQ_ENTRY(deferral) asked; /* in deferrals->by_asked */
	uint32_t since;              /* [s] the first TEMP reply */
	uint32_t mail_since;         /* [s] the first to Postfix, if `mail` */
	uint32_t asked_at;           /* [s] the last; to Postfix, if `mail` */
	uint32_t said_at;            /* [s] the last line */
	uint32_t left_out;
	bool mail;       /* Postfix got a TEMP reply */
	size_t key_size; /* without its end */
	char key[];
};

TAILQ_HEAD(deferral_list, deferral);

struct deferral_entry {
	hash_tag tag;
	struct deferral *deferral;
};

struct deferrals {
	struct hash_set by_key; /* struct deferral_entry */
	struct deferral_list by_age;
	struct deferral_list by_asked;
	size_t mail_count; /* in by_age */
};

static bool has_key(const void *entry, const char *key, size_t size)
{
	const struct deferral *deferral = ((const struct deferral_entry *)entry)->deferral;

	return deferral->key_size == size && memcmp(deferral->key, key, size) == 0;
}

static struct deferral *find(const struct deferrals *deferrals, const char *key)
{
	const struct deferral_entry *entry = hash_set_find(&deferrals->by_key, key, strlen(key));

	return entry != NULL ? entry->deferral : NULL;
}

static void forget(struct deferrals *deferrals, struct deferral *deferral)
{
	hash_set_remove(&deferrals->by_key, deferral->key, deferral->key_size);
	if (deferral->mail) {
		TAILQ_REMOVE(&deferrals->by_age, deferral, age);
		deferrals->mail_count--;
	}
	TAILQ_REMOVE(&deferrals->by_asked, deferral, asked);
	free(deferral);
}

struct deferrals *deferrals_new(void)
{
	struct deferrals *deferrals = calloc(1, sizeof *deferrals);

	if (deferrals == NULL)
		return NULL;
	/*
	 * Keys are chosen by everybody who sends mail: a secret hash prevents crafted collisions.
	 */
	if (!hash_set_init_secret(&deferrals->by_key, sizeof(struct deferral_entry), has_key)) {
		free(deferrals);
		return NULL;
	}
	TAILQ_INIT(&deferrals->by_age);
	TAILQ_INIT(&deferrals->by_asked);
	return deferrals;
}

void deferrals_free(struct deferrals *deferrals)
{
	struct deferral *deferral;

	if (deferrals == NULL)
		return;
	while ((deferral = TAILQ_FIRST(&deferrals->by_asked)) != NULL)
		forget(deferrals, deferral);
	hash_set_clear(&deferrals->by_key);
	free(deferrals);
}

/*
 * NULL: out of memory, or there is no room. Requests of an administrator never displace others,
 * which would end the alerts on mail that still waits.
 */
static struct deferral *begin(struct deferrals *deferrals, const char *key, uint32_t now, bool mail)
{
	size_t size = strlen(key);

	if (deferrals->by_key.count == DEFERRALS_MAX) {
		if (!mail)
			return NULL;
		forget(deferrals, TAILQ_FIRST(&deferrals->by_asked));
	}
	struct deferral *deferral = calloc(1, sizeof *deferral + size + 1);

	if (deferral == NULL)
		return NULL;
	struct deferral_entry *entry = hash_set_add(&deferrals->by_key, key, size);
	if (entry == NULL) {
		free(deferral);
		return NULL;
	}
	entry->deferral = deferral;
	memcpy(deferral->key, key, size);
	deferral->key_size = size;
	deferral->since = now;
	TAILQ_INSERT_TAIL(&deferrals->by_asked, deferral, asked);
	return deferral;
}

static void note_mail(struct deferrals *deferrals, struct deferral *deferral, uint32_t now)
{
	if (deferral->mail)
		return;
	deferral->mail = true;
	deferral->mail_since = now;
	TAILQ_INSERT_TAIL(&deferrals->by_age, deferral, age);
	deferrals->mail_count++;
}

/* While there is mail, the requests of an administrator do not lengthen the memory. */
static void note_request(
	struct deferrals *deferrals, struct deferral *deferral, uint32_t now, bool mail)
{
	if (mail)
		note_mail(deferrals, deferral, now);
	else if (deferral->mail)
		return;
	TAILQ_REMOVE(&deferrals->by_asked, deferral, asked);
	TAILQ_INSERT_TAIL(&deferrals->by_asked, deferral, asked);
	deferral->asked_at = now;
}

struct deferral_note deferral_note(
	struct deferrals *deferrals, const char *key, uint32_t now, bool mail)
{
	struct deferral_note note = {.quiet = false};
	struct deferral *deferral = find(deferrals, key);

	if (deferral == NULL) {
		deferral = begin(deferrals, key, now, mail);
		if (deferral == NULL)
			return note;
	} else if (now - deferral->said_at < DEFERRAL_INTERVAL) {
		note.quiet = true;
		deferral->left_out++;
	}
	note_request(deferrals, deferral, now, mail);
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
	/* Usually no destination is deferred. */
	struct deferral *deferral = deferrals->by_key.count > 0 ? find(deferrals, key) : NULL;

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
	return deferrals->mail_count;
}

uint32_t deferrals_oldest(const struct deferrals *deferrals)
{
	const struct deferral *oldest = TAILQ_FIRST(&deferrals->by_age);
	return oldest != NULL ? oldest->mail_since : UINT32_MAX;
}
