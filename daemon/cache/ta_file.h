/*
 * tafile: files of trust anchors, which pinned answers name for Postfix to read (`tafile` in
 * smtp_tls_policy_maps, postconf(5)).
 *
 * A file is named by the SHA-256 of its content, written whole under another name first, and never
 * changed. Which file serves which destination is kept in memory, for TAFILE_TRUST seconds: then
 * the lookup thread makes it again, or sees that it is there, and gives it a new modification
 * time. A file that nobody has asked for in so long that no answer can name it any more is removed.
 */
#ifndef TLSAD_TAFILE_H
#define TLSAD_TAFILE_H

#include "common/conf/conf.h"
#include "common/verdict/pin.h"

struct tafiles;

enum {
	TAFILE_DIGEST_SIZE = 32,
	/* `tlsad-`, the digest in hexadecimal, `.pem` and a NUL byte. */
	TAFILE_NAME_SIZE = 6 + 2 * TAFILE_DIGEST_SIZE + 4 + 1,
	TAFILE_PATH_SIZE = CONF_DIRECTORY_LONGEST + 1 + TAFILE_NAME_SIZE,
	/* [s] that a file is taken to be there without a look at the disk. */
	TAFILE_TRUST = 60 * 60,
	/* [s] A file that could not be written is tried again after so long. */
	TAFILE_PATIENCE = 60,
};

/* Before there are threads. NULL: out of memory. */
struct tafiles *tafiles_new(const struct conf *conf);
void tafiles_free(struct tafiles *tafiles);

/* Trust anchors of certain hosts, by a digest of their names and the hosts'. */
struct tafile_key {
	uint8_t digest[32];
};

/* False when out of memory; then the key is none that is ever found. */
bool tafile_key(struct tafile_key *key, const struct pins *pins, const struct evidence *evidence);

enum tafile_state {
	TAFILE_UNKNOWN, /* ask the lookup thread */
	TAFILE_READY,
	TAFILE_IMPOSSIBLE,
};

/* What is known of the file for a key; zeroes are nothing. */
struct tafile_finding {
	enum tafile_state state;
	enum pin_obstacle obstacle; /* with TAFILE_IMPOSSIBLE: why there is none */
	struct tafile_key key;
	uint8_t digest[TAFILE_DIGEST_SIZE]; /* with TAFILE_READY: of its content */
};

/* --- any thread ---------------------------------------------------------------------------- */

/*
 * What is kept may be lost at any time, to other keys or while it is written anew: a TAFILE_UNKNOWN
 * says only that the lookup thread must be asked, and what that has found goes with its answer.
 */
void tafiles_find(struct tafiles *tafiles, const struct tafile_key *key, uint32_t now,
	struct tafile_finding *finding);

/* With TAFILE_READY: the path as Postfix sees it. */
void tafiles_path(const struct tafiles *tafiles, const struct tafile_finding *finding,
	char path[TAFILE_PATH_SIZE]);

/* --- the lookup thread --------------------------------------------------------------------- */

/* DER of a certificate (selector 0) or of a SubjectPublicKeyInfo (selector 1). */
struct tafile_anchor {
	uint8_t selector;
	const uint8_t *der;
	size_t size;
};

/*
 * Make the file of finding->key, which is then found under it, for TAFILE_TRUST seconds but not
 * after `until`. Trouble is logged once, until it is over. The finding tells what has come of it.
 */
void tafiles_make(struct tafiles *tafiles, struct tafile_finding *finding,
	const struct tafile_anchor *anchors, size_t count, uint32_t now, uint32_t until);

/* There will be none before `until`. */
void tafiles_refuse(struct tafiles *tafiles, struct tafile_finding *finding,
	enum pin_obstacle obstacle, uint32_t until);

/* Remove files that were not made or seen to be there in the last `unused` seconds. */
void tafiles_sweep(struct tafiles *tafiles, uint32_t now, uint32_t unused);

#endif
