#include "daemon/process/versions.h"

#include "common/dns/dns.h"

#include <curl/curl.h>
#include <event2/event.h>
#include <idn2.h>
#include <jansson.h>
#include <lmdb.h>
#include <openssl/crypto.h>
#include <stdio.h>

static const char *openssl(void)
{
	return OpenSSL_version(OPENSSL_VERSION_STRING);
}

static const char *lmdb(void)
{
	static char words[32];
	int major, minor, patch;

	mdb_version(&major, &minor, &patch);
	snprintf(words, sizeof words, "%d.%d.%d", major, minor, patch);
	return words;
}

static const char *libcurl(void)
{
	return curl_version_info(CURLVERSION_NOW)->version;
}

static const char *libidn2(void)
{
	return idn2_check_version(NULL);
}

/* inih and libsystemd have no function for their version: these are the versions at build time. */
static const char *inih(void)
{
	return INIH_VERSION;
}

#ifdef HAVE_LIBSYSTEMD
static const char *libsystemd(void)
{
	return LIBSYSTEMD_VERSION;
}
#endif

const struct version version_table[] = {
	{"libunbound", "libunbound", dns_library_version},
	{"OpenSSL", "openssl", openssl},
	{"libevent", "libevent", event_get_version},
	{"LMDB", "lmdb", lmdb},
	{"libcurl", "libcurl", libcurl},
	{"libidn2", "libidn2", libidn2},
	{"jansson", "jansson", jansson_version_str},
	{"inih", "inih", inih},
#ifdef HAVE_LIBSYSTEMD
	{"libsystemd", NULL, libsystemd},
#endif
};

const size_t version_count = sizeof version_table / sizeof version_table[0];
