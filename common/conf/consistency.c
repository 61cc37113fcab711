#include "common/conf/consistency.h"

#include "common/base/endpoint.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static bool refuse(char *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Returns false for the caller to return. */
static bool refuse(char *error, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(error, CONF_ERROR_SIZE, format, arguments);
	va_end(arguments);
	return false;
}

/* libunbound would ignore such a server silently, and then fail. */
static bool names_loopback(const char *key, const struct conf_list *servers, char *error)
{
	for (size_t i = 0; i < servers->count; i++) {
		const char *entry = servers->entries[i];
		const char *blank = strpbrk(entry, " \t");
		const char *address = blank != NULL ? blank + strspn(blank, " \t") : entry;

		/* After the address comes the end of the entry, a port (@) or a name (#). */
		if (strncmp(address, "127.", 4) == 0 ||
			(strncmp(address, "::1", 3) == 0 && strchr("@#", address[3]) != NULL))
			return !refuse(error,
				"[resolver] %s = %.100s is an address of this host: set "
				"query_localhost = yes to allow it",
				key, entry);
	}
	return false;
}

static bool check_tafiles(const struct conf *conf, char *error)
{
	if (conf->dane.tafile_dir[0] != '\0')
		return true;
	if (conf->dane.tafile_prefix[0] != '\0')
		return refuse(error, "[dane] tafile_prefix without tafile_dir: set "
				     "tafile_dir to the directory that tlsad writes to");
	if (conf->dane.learn_trust_anchors)
		return refuse(error, "[dane] learn_trust_anchors = yes without tafile_dir: "
				     "set tafile_dir to a directory for trust anchors");
	return true;
}

/* --- endpoints ----------------------------------------------------------------------------- */

/* The endpoints of [server], each with the key of its setting. */
struct endpoints {
	size_t count;
	struct {
		const char *key;
		char text[ENDPOINT_TEXT_SIZE];
	} all[2 * CONF_LIST_MAX + 2];
};

/* False if another setting, or the same, already has this endpoint. */
static bool add_endpoint(
	struct endpoints *endpoints, const char *key, const char *entry, char *error)
{
	struct endpoint endpoint;
	char words[CONF_ERROR_SIZE], text[ENDPOINT_TEXT_SIZE];

	if (entry[0] == '\0' || !endpoint_parse(&endpoint, entry, words, sizeof words))
		return true;
	endpoint_print(&endpoint, text);
	for (size_t i = 0; i < endpoints->count; i++) {
		if (strcmp(endpoints->all[i].text, text) == 0)
			return refuse(error,
				"[server] %s has the endpoint %.200s, which is already in %s; "
				"remove it from one of them",
				key, entry, endpoints->all[i].key);
	}
	endpoints->all[endpoints->count].key = key;
	strcpy(endpoints->all[endpoints->count++].text, text);
	return true;
}

static bool add_endpoints(
	struct endpoints *endpoints, const char *key, const struct conf_list *list, char *error)
{
	for (size_t i = 0; i < list->count; i++) {
		if (!add_endpoint(endpoints, key, list->entries[i], error))
			return false;
	}
	return true;
}

/* Of two sockets with one address the second could not be opened. */
static bool check_endpoints(const struct conf *conf, char *error)
{
	struct endpoints *endpoints = calloc(1, sizeof *endpoints);
	bool good = endpoints != NULL;

	if (!good)
		return refuse(error, "out of memory");
	good = add_endpoints(endpoints, "socketmap", &conf->server.socketmap, error) &&
	       add_endpoints(endpoints, "policy", &conf->server.policy, error) &&
	       add_endpoint(endpoints, "control", conf->server.control, error) &&
	       add_endpoint(endpoints, "metrics", conf->server.metrics, error);
	free(endpoints);
	return good;
}

/* --- all settings -------------------------------------------------------------------------- */

bool consistency_check(const struct conf *conf, char error[CONF_ERROR_SIZE])
{
	size_t with_tls = 0;

	if (conf->cache.min_ttl > conf->cache.max_ttl)
		return refuse(
			error, "[cache] min_ttl is larger than max_ttl; lower it or raise max_ttl");
	if (conf->server.socketmap.count == 0)
		return refuse(error, "[server] socketmap is empty: Postfix could not connect; "
				     "name an endpoint");
	if (conf->server.chroot[0] != '\0' && conf->server.user[0] == '\0')
		return refuse(error, "[server] chroot without user: root can leave any chroot; "
				     "set user to an account");
	if (!check_endpoints(conf, error) || !check_tafiles(conf, error))
		return false;
	if (conf->resolver.trust_anchor[0] == '\0')
		return refuse(error,
			"[resolver] trust_anchor is empty; name a file, which need not "
			"exist, or remove the line");
	if (conf->cache.path[0] == '\0')
		return refuse(error, "[cache] path is empty; name a directory");
	if (conf->sts.ca_file[0] == '\0')
		return refuse(error, "[sts] ca_file is empty; name a file or remove the line");
	if (!conf->resolver.query_localhost &&
		(names_loopback("forward", &conf->resolver.forward, error) ||
			names_loopback("stub", &conf->resolver.stub, error)))
		return false;
	for (size_t i = 0; i < conf->resolver.forward.count; i++)
		with_tls += strchr(conf->resolver.forward.entries[i], '#') != NULL;
	if (with_tls != 0 && with_tls != conf->resolver.forward.count)
		return refuse(error, "[resolver] forward: some resolvers have a #TLS-NAME and some "
				     "do not; give one to all of them or to none");
	return true;
}
