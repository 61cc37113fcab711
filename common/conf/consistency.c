#include "common/conf/consistency.h"

#include <stdarg.h>
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

bool consistency_check(const struct conf *conf, char error[CONF_ERROR_SIZE])
{
	size_t with_tls = 0;

	if (conf->cache.min_ttl > conf->cache.max_ttl)
		return refuse(
			error, "[cache] min_ttl is larger than max_ttl; lower it or raise max_ttl");
	if (conf->sts.enable)
		return refuse(error, "[sts] enable = yes: this version does not have MTA-STS "
				     "yet; write no or remove the line");
	if (conf->server.socketmap.count == 0)
		return refuse(error, "[server] socketmap is empty: Postfix could not connect; "
				     "name an endpoint");
	if (conf->server.chroot[0] != '\0' && conf->server.user[0] == '\0')
		return refuse(error, "[server] chroot without user: root can leave any chroot; "
				     "set user to an account");
	if (!check_tafiles(conf, error))
		return false;
	if (conf->cache.path[0] == '\0')
		return refuse(error, "[cache] path is empty; name a directory");
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
