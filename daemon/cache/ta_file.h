/*
 * ta_file: files of trust anchors, which pinned replies name for Postfix to read (`tafile` in
 * smtp_tls_policy_maps, postconf(5)).
 *
 * A file is named by the SHA-256 of its content, written whole under another name first, and never
 * changed. Which file serves which destination is kept in memory, for TA_FILE_TRUST seconds: then
 * the lookup thread makes it again, or sees that it is there, and gives it a new modification
 * time. A file that nobody has asked for in so long that no reply can name it any more is removed.
 */
#ifndef TLSAD_CACHE_TA_FILE_H
#define TLSAD_CACHE_TA_FILE_H

#include "common/conf/conf.h"
#include "common/verdict/pin.h"

struct ta_files;

enum {
	TA_FILE_DIGEST_SIZE = 32,
	/* `tlsad-`, the digest in hexadecimal, `.pem` and a NUL byte. */
	TA_FILE_NAME_SIZE = 6 + 2 * TA_FILE_DIGEST_SIZE + 4 + 1,
	TA_FILE_PATH_SIZE = CONF_DIRECTORY_MAX + 1 + TA_FILE_NAME_SIZE,
	/* [s] that a file is taken to be there without a look at the disk. */
	TA_FILE_TRUST = 60 * 60,
	/* [s] A file that could not be written is tried again after so long. */
	TA_FILE_RETRY_INTERVAL = 60,
};

/* Before there are threads. NULL: out of memory. */
struct ta_files *ta_files_new(const struct conf *conf);
void ta_files_free(struct ta_files *ta_files);

/* Trust anchors of certain hosts, by a digest of their names and the hosts'. */
struct ta_file_key {
	uint8_t digest[32];
};

/* False when out of memory; then the key is none that is ever found. */
bool ta_file_key(struct ta_file_key *key, const struct pins *pins, const struct evidence *evidence);

enum ta_file_state {
	TA_FILE_UNKNOWN, /* ask the lookup thread */
	TA_FILE_READY,
	TA_FILE_IMPOSSIBLE,
};

/* What is known of the file for a key; zeroes are nothing. */
struct ta_file_finding {
	enum ta_file_state state;
	enum pin_obstacle obstacle; /* with TA_FILE_IMPOSSIBLE: why there is none */
	struct ta_file_key key;
	uint8_t digest[TA_FILE_DIGEST_SIZE]; /* with TA_FILE_READY: of its content */
};

/* --- any thread ---------------------------------------------------------------------------- */

/*
 * What is kept may be lost at any time, to other keys or while it is written again: a
 * TA_FILE_UNKNOWN says only that the lookup thread must be asked, and what that has found goes with
 * its result.
 */
void ta_files_find(struct ta_files *ta_files, const struct ta_file_key *key, uint32_t now,
	struct ta_file_finding *finding);

/* With TA_FILE_READY: the path as Postfix sees it. */
void ta_files_path(const struct ta_files *ta_files, const struct ta_file_finding *finding,
	char path[TA_FILE_PATH_SIZE]);

/* --- the lookup thread --------------------------------------------------------------------- */

/* DER of a certificate (selector 0) or of a SubjectPublicKeyInfo (selector 1). */
struct ta_file_ta {
	uint8_t selector;
	const uint8_t *der;
	size_t size;
};

/*
 * Make the file of finding->key, which is then found under it, for TA_FILE_TRUST seconds but not
 * after `until`. Trouble is logged once, until it is over. The finding tells what has come of it.
 */
void ta_files_make(struct ta_files *ta_files, struct ta_file_finding *finding,
	const struct ta_file_ta *tas, size_t count, uint32_t now, uint32_t until);

/* There will be none before `until`. */
void ta_files_refuse(struct ta_files *ta_files, struct ta_file_finding *finding,
	enum pin_obstacle obstacle, uint32_t until);

/* Remove files that were not made or seen to be there in the last `unused` seconds. */
void ta_files_sweep(struct ta_files *ta_files, uint32_t now, uint32_t unused);

#endif
