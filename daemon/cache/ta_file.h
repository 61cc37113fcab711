/*
 * ta_file: files of trust anchors. Pinned replies name them for Postfix to read (`tafile` in
 * smtp_tls_policy_maps, postconf(5)).
 *
 * The name of a file contains the SHA-256 of its content. It is written under a temporary name
 * first, and never changed. A table in memory says for TA_FILE_TRUST seconds which file belongs to
 * which trust anchors; then the lookup thread checks or writes the file again, and sets its
 * modification time. A file is removed when its modification time is so old that no reply can name
 * it any more.
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
	/* [s] for which a file is expected to exist, without a check on the disk. */
	TA_FILE_TRUST = 60 * 60,
	/* [s] until a file that could not be written is tried again. */
	TA_FILE_RETRY_INTERVAL = 60,
};

/* Call it before there are threads. NULL when out of memory. */
struct ta_files *ta_files_new(const struct conf *conf);
void ta_files_free(struct ta_files *ta_files);

/*
 * SHA-256 of the port, the TLSA digests of trust anchors, and the names of the hosts that have
 * them.
 */
struct ta_file_key {
	uint8_t digest[32];
};

/* False when out of memory; the key must not be used then. */
bool ta_file_key(struct ta_file_key *key, const struct pins *pins, const struct evidence *evidence);

enum ta_file_state {
	TA_FILE_UNKNOWN, /* ask the lookup thread */
	TA_FILE_READY,
	TA_FILE_IMPOSSIBLE,
};

/* The result of a search for the file of a key; all zeroes: TA_FILE_UNKNOWN. */
struct ta_file_finding {
	enum ta_file_state state;
	enum pin_obstacle obstacle; /* with TA_FILE_IMPOSSIBLE: why there is no file */
	struct ta_file_key key;
	uint8_t digest[TA_FILE_DIGEST_SIZE]; /* with TA_FILE_READY: of its content */
};

/* --- any thread ---------------------------------------------------------------------------- */

/*
 * An entry of the table may be replaced by another key at any time, and is not found while it is
 * written. So TA_FILE_UNKNOWN only means that the lookup thread must be asked; its lookup_result
 * then contains the finding.
 */
void ta_files_find(struct ta_files *ta_files, const struct ta_file_key *key, uint32_t now,
	struct ta_file_finding *finding);

/* With TA_FILE_READY: the path for Postfix. */
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
 * Make the file for finding->key. ta_files_find() then finds it for TA_FILE_TRUST seconds, but not
 * after `until`. Errors are logged once, until a file can be written again. The finding has the
 * result.
 */
void ta_files_make(struct ta_files *ta_files, struct ta_file_finding *finding,
	const struct ta_file_ta *tas, size_t count, uint32_t now, uint32_t until);

/* Note that no file is possible before `until`, and why. */
void ta_files_refuse(struct ta_files *ta_files, struct ta_file_finding *finding,
	enum pin_obstacle obstacle, uint32_t until);

/* Remove files that were not written or checked by ta_files_make() in the last `unused` seconds. */
void ta_files_sweep(struct ta_files *ta_files, uint32_t now, uint32_t unused);

#endif
