#include "common/sts/sts_trust.h"

#include "common/base/clock.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum {
	AGAIN = 60, /* [s] from a failed attempt to read the file to the next one */
};

struct sts_trust {
	char *file;
	struct stat seen;   /* of the file when it was read last */
	bool failed;        /* it could not be read then, perhaps for lack of descriptors */
	uint32_t failed_at; /* [s] clock_steady() */
	X509_STORE *store;
	size_t count;
};

static size_t count_certificates(X509_STORE *store)
{
	const STACK_OF(X509_OBJECT) *objects = X509_STORE_get0_objects(store);
	size_t count = 0;

	for (int i = 0; i < sk_X509_OBJECT_num(objects); i++)
		count += X509_OBJECT_get_type(sk_X509_OBJECT_value(objects, i)) == X509_LU_X509;
	return count;
}

static X509_STORE *read_store(const char *file, size_t *count, char *error, size_t error_size)
{
	X509_STORE *store = X509_STORE_new();

	ERR_clear_error();
	if (store != NULL && X509_STORE_load_file(store, file) == 1 &&
		(*count = count_certificates(store)) > 0)
		return store;
	const char *why = ERR_reason_error_string(ERR_peek_last_error());
	snprintf(error, error_size, "%.200s: cannot read certificates from it: %s", file,
		why != NULL ? why : "it has no certificate");
	ERR_clear_error();
	X509_STORE_free(store);
	return NULL;
}

struct sts_trust *sts_trust_open(const char *file, char *error, size_t error_size)
{
	struct sts_trust *trust = calloc(1, sizeof *trust);

	if (trust == NULL || (trust->file = strdup(file)) == NULL) {
		snprintf(error, error_size, "out of memory");
	} else if (stat(file, &trust->seen) != 0) {
		snprintf(error, error_size, "%.200s: %s", file, strerror(errno));
	} else if (!S_ISREG(trust->seen.st_mode)) {
		snprintf(error, error_size, "%.200s: not a regular file", file);
	} else {
		trust->store = read_store(file, &trust->count, error, error_size);
		if (trust->store != NULL)
			return trust;
	}
	sts_trust_free(trust);
	return NULL;
}

void sts_trust_free(struct sts_trust *trust)
{
	if (trust == NULL)
		return;
	X509_STORE_free(trust->store);
	free(trust->file);
	free(trust);
}

X509_STORE *sts_trust_store(const struct sts_trust *trust)
{
	return trust->store;
}

size_t sts_trust_count(const struct sts_trust *trust)
{
	return trust->count;
}

static bool is_same(const struct stat *one, const struct stat *other)
{
	return one->st_dev == other->st_dev && one->st_ino == other->st_ino &&
	       one->st_size == other->st_size && one->st_mtim.tv_sec == other->st_mtim.tv_sec &&
	       one->st_mtim.tv_nsec == other->st_mtim.tv_nsec &&
	       one->st_ctim.tv_sec == other->st_ctim.tv_sec && /* its mode */
	       one->st_ctim.tv_nsec == other->st_ctim.tv_nsec;
}

bool sts_trust_refresh(struct sts_trust *trust, char *error, size_t error_size)
{
	struct stat now;
	size_t count;
	X509_STORE *store = NULL;

	if (stat(trust->file, &now) != 0)
		return true;
	bool same = is_same(&now, &trust->seen);
	if (same && (!trust->failed || clock_steady() - trust->failed_at < AGAIN))
		return true;
	trust->seen = now;
	if (S_ISREG(now.st_mode))
		store = read_store(trust->file, &count, error, error_size);
	else
		snprintf(error, error_size, "%.200s: not a regular file", trust->file);
	trust->failed = store == NULL;
	trust->failed_at = clock_steady();
	if (store == NULL)
		return same;
	X509_STORE_free(trust->store);
	trust->store = store;
	trust->count = count;
	return true;
}
