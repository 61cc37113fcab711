#include "daemon/ctl/doctor/ca_store.h"

#include "common/sts/sts_trust.h"

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void set(struct ca_store *store, enum ca_store_state state, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void set(struct ca_store *store, enum ca_store_state state, const char *format, ...)
{
	va_list arguments;

	store->state = state;
	va_start(arguments, format);
	vsnprintf(store->words, sizeof store->words, format, arguments);
	va_end(arguments);
}

void ca_store_examine_file(struct ca_store *store, const char *file)
{
	char error[300];
	struct sts_trust *trust = sts_trust_open(file, error, sizeof error);
	size_t count = trust != NULL ? sts_trust_count(trust) : 0;

	if (trust != NULL)
		set(store, CA_STORE_GOOD, "%.200s: certificates of %zu CA%s", file, count,
			count == 1 ? "" : "s");
	else if (access(file, R_OK) != 0 && errno == EACCES)
		set(store, CA_STORE_UNKNOWN, "%.200s: this account may not read it", file);
	else
		set(store, CA_STORE_BAD, "%s", error);
	sts_trust_free(trust);
}

bool ca_store_is_hash(const char *name)
{
	static const char digits[] = "0123456789";
	size_t length = strspn(name, "0123456789abcdef");

	if (length != 8 || name[8] != '.')
		return false;
	length = strspn(name + 9, digits);
	return length > 0 && name[9 + length] == '\0';
}

/* May the account open one certificate? A copy of links alone leads nowhere inside a chroot. */
static bool has_certificate(
	DIR *entries, const char *root, const char *directory, const struct access_account *account)
{
	char path[ACCESS_PATH_SIZE];
	struct access_path reached;
	const struct dirent *entry;

	while ((entry = readdir(entries)) != NULL) {
		int length = ca_store_is_hash(entry->d_name) ? snprintf(path, sizeof path, "%s/%s",
								       directory, entry->d_name)
							     : -1;
		if (length > 0 && (size_t)length < sizeof path &&
			access_walk(&reached, root, path, account, ACCESS_READ) == ACCESS_YES)
			return true;
	}
	return false;
}

static void examine_entries(struct ca_store *store, const char *root, const char *directory,
	const struct access_account *account, const char *reached)
{
	DIR *entries = opendir(reached);

	if (entries == NULL) {
		set(store, errno == EACCES ? CA_STORE_UNKNOWN : CA_STORE_BAD, "%.400s: %s", reached,
			strerror(errno));
		return;
	}
	if (has_certificate(entries, root, directory, account))
		set(store, CA_STORE_GOOD, "%.400s: a directory with certificates of CAs", reached);
	else
		set(store, CA_STORE_BAD,
			"%.400s: it has no certificate that the user %s may read by its hash",
			reached, account->name);
	closedir(entries);
}

void ca_store_examine_directory(struct ca_store *store, const char *root, const char *directory,
	const struct access_account *account)
{
	struct access_path reached;

	switch (access_walk(&reached, root, directory, account, ACCESS_SEARCH)) {
	case ACCESS_YES:
		examine_entries(store, root, directory, account, reached.path);
		return;
	case ACCESS_ABSENT:
		set(store, CA_STORE_BAD, "%.400s: there is no such directory", reached.path);
		return;
	case ACCESS_UNKNOWN:
		set(store, CA_STORE_UNKNOWN, "%.400s: this account may not examine it",
			reached.path);
		return;
	default:
		set(store, CA_STORE_BAD, "%.400s: the user %s may not enter it", reached.path,
			account->name);
	}
}
