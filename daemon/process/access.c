#include "daemon/process/access.h"

#include "common/base/clock.h"
#include "common/base/endpoint.h"
#include "common/base/log.h"
#include "common/base/log_limit.h"
#include "common/conf/conf.h"

#include <netdb.h>

bool access_allowed(const struct conf *conf, const struct sockaddr_storage *peer)
{
	for (size_t i = 0; i < conf->server.allow.count; i++) {
		struct network network;
		char error[128];
		if (network_parse(&network, conf->server.allow.entries[i], error, sizeof error) &&
			network_contains(&network, peer))
			return true;
	}
	return false;
}

void access_log_refusal(const struct sockaddr_storage *peer, socklen_t size)
{
	static struct log_limit limit = LOG_LIMIT(1, 1);
	char host[64] = "?";
	uint32_t left_out;

	if (!log_limit_allows(&limit, clock_steady(), &left_out))
		return;
	getnameinfo(
		(const struct sockaddr *)peer, size, host, sizeof host, NULL, 0, NI_NUMERICHOST);
	log_warning("connection from %s refused: it is in no network of [server] allow; add its "
		    "network there if it may connect",
		host);
}
