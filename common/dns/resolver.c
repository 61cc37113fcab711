#include "common/dns/resolver.h"

#include "common/base/descriptors.h"

#include <stdio.h>
#include <string.h>

enum {
	/* Two views are asked all the time; of the fresh one a probe uses a socket or two. */
	VIEWS_ASKED = 2,
	/* Sockets of one view of the resolver; more are of no use. */
	UDP_MAX = 2048,
	UDP_MIN = 6,
	TCP_MAX = 64,
	TCP_MIN = 1,
	/* [s] Below this the resolver's own cache of delegations and keys would be of no use. */
	TTL_LEAST_CEILING = 300,
};

static uint32_t udp_sockets(void)
{
	return descriptors_share(UDP_MIN, UDP_MAX);
}

static uint32_t tcp_sockets(void)
{
	return descriptors_share(TCP_MIN, TCP_MAX);
}

uint32_t resolver_descriptors(void)
{
	return VIEWS_ASKED * (udp_sockets() + tcp_sockets());
}

static uint32_t ttl_ceiling(const struct conf *conf)
{
	return conf->cache.max_ttl > TTL_LEAST_CEILING ? conf->cache.max_ttl : TTL_LEAST_CEILING;
}

static bool make_dns(struct resolver *resolver, struct event_base *base, const struct conf *conf,
	char *error, size_t error_size)
{
	struct dns_settings settings = {
		.tracked_anchor_file = root_anchor_tracked_file(resolver->anchors),
		.forwards = (const char *const *)conf->resolver.forward.entries,
		.forward_count = conf->resolver.forward.count,
		.stubs = (const char *const *)conf->resolver.stub.entries,
		.stub_count = conf->resolver.stub.count,
		.options_file = conf->resolver.options[0] != '\0' ? conf->resolver.options : NULL,
		.query_localhost = conf->resolver.query_localhost,
		.max_ttl = ttl_ceiling(conf),
		.udp_sockets = udp_sockets(),
		.tcp_sockets = tcp_sockets(),
	};
	char words[256];

	settings.anchors = root_anchor_others(resolver->anchors, &settings.anchor_count);
	resolver->dns = dns_new(base, &settings, words, sizeof words);
	if (resolver->dns == NULL && root_anchor_reset(resolver->anchors))
		resolver->dns = dns_new(base, &settings, words, sizeof words);
	if (resolver->dns == NULL)
		snprintf(error, error_size, "[resolver]: %s", words);
	return resolver->dns != NULL;
}

bool resolver_open(struct resolver *resolver, struct event_base *base, const struct conf *conf,
	char *error, size_t error_size)
{
	memset(resolver, 0, sizeof *resolver);
	resolver->anchors =
		root_anchor_open(conf->resolver.trust_anchor, conf->cache.path, error, error_size);
	return resolver->anchors != NULL && make_dns(resolver, base, conf, error, error_size);
}

void resolver_set_conf(struct resolver *resolver, const struct conf *conf)
{
	dns_limit_ttl(resolver->dns, ttl_ceiling(conf));
}

void resolver_close(struct resolver *resolver)
{
	dns_free(resolver->dns);
	root_anchor_close(resolver->anchors);
	memset(resolver, 0, sizeof *resolver);
}
