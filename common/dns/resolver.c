#include "common/dns/resolver.h"

#include "common/base/descriptors.h"

#include <stdio.h>
#include <string.h>

enum {
	/* Two views are in constant use; the probe needs only a few sockets of the fresh one. */
	VIEWS_ASKED = 2,
	/* Sockets of one view; more than the maximum would not help. */
	UDP_MAX = 2048,
	UDP_MIN = 6,
	TCP_MAX = 64,
	TCP_MIN = 1,
	/* [s] With less, the resolver would look up delegations and keys again too often. */
	MAX_TTL_MIN = 300,
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

static uint32_t own_max_ttl(uint32_t max_ttl)
{
	return max_ttl > MAX_TTL_MIN ? max_ttl : MAX_TTL_MIN;
}

static bool make_dns(struct resolver *resolver, struct event_base *base,
	const struct resolver_settings *from, char *error, size_t error_size)
{
	struct dns_settings settings = {
		.tracked_root_anchor_file = root_anchor_tracked_file(resolver->root_anchors),
		.forwards = from->forwards,
		.forward_count = from->forward_count,
		.stubs = from->stubs,
		.stub_count = from->stub_count,
		.options_file = from->options_file,
		.query_localhost = from->query_localhost,
		.max_ttl = own_max_ttl(from->max_ttl),
		.udp_sockets = udp_sockets(),
		.tcp_sockets = tcp_sockets(),
	};
	char words[256];

	settings.zone_trust_anchors =
		root_anchor_others(resolver->root_anchors, &settings.zone_trust_anchor_count);
	resolver->dns = dns_new(base, &settings, words, sizeof words);
	/* Are the learned keys at fault? */
	if (resolver->dns == NULL && root_anchor_reset(resolver->root_anchors)) {
		resolver->dns = dns_new(base, &settings, words, sizeof words);
		if (resolver->dns != NULL)
			root_anchor_warn(resolver->root_anchors);
	}
	if (resolver->dns == NULL)
		snprintf(error, error_size, "[resolver]: %s", words);
	return resolver->dns != NULL;
}

bool resolver_open(struct resolver *resolver, struct event_base *base,
	const struct resolver_settings *settings, char *error, size_t error_size)
{
	memset(resolver, 0, sizeof *resolver);
	resolver->root_anchors = root_anchor_open(
		settings->trust_anchor, settings->state_directory, error, error_size);
	return resolver->root_anchors != NULL &&
	       make_dns(resolver, base, settings, error, error_size);
}

void resolver_limit_ttl(struct resolver *resolver, uint32_t max_ttl)
{
	dns_limit_ttl(resolver->dns, own_max_ttl(max_ttl));
}

void resolver_close(struct resolver *resolver)
{
	dns_free(resolver->dns);
	root_anchor_close(resolver->root_anchors);
	memset(resolver, 0, sizeof *resolver);
}
