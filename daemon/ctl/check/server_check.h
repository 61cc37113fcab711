/*
 * server_check: looks a destination up as the daemon does, and connects to all of its mail servers.
 *
 * The lookups are those of common/dane (mx_lookup.h, host_lookup.h), with the timeout of
 * [resolver]. Meanwhile the MTA-STS policy is fetched (sts_check.h). Then it connects to all
 * addresses of all hosts at the same time, as far as there are descriptors. Each connection has its
 * own timeout; all together have three times that, counted from the end of the last lookup.
 * Connections without a result by then are reported as timed out. check_status.h and
 * check_warnings.h say what the results mean; check_print.h prints them.
 */
#ifndef TLSAD_CTL_CHECK_SERVER_CHECK_H
#define TLSAD_CTL_CHECK_SERVER_CHECK_H

#include "daemon/ctl/check/sts_check.h"
#include "daemon/ctl/tlsa/server_connection.h"
#include "daemon/ctl/tlsa/tlsa_match.h"
#include "daemon/ctl/tlsa/web_match.h"

#include <arpa/inet.h>

struct server_check;
struct server_check_host;

/* One connection: one address of one host. */
struct server_check_address {
	struct server_check_host *host;
	struct starttls *starttls; /* NULL before it starts */
	bool started, finished;
	int family;
	char text[INET6_ADDRSTRLEN];
	/* as in struct starttls_result */
	enum starttls_outcome outcome;
	enum starttls_stage stage;
	char detail[STARTTLS_DETAIL_SIZE];
	/* with STARTTLS_DONE */
	char tls_version[16];
	int tls_number; /* TLS1_2_VERSION and the like */
	char cipher[64];
	STACK_OF(X509) * chain; /* may be empty */
	/* only if there are usable TLSA records */
	struct tlsa_match_result match;
	enum tlsa_match *matches;                 /* of each record alone */
	struct tlsa_match_result *record_results; /* the same */
	/* only if the host matches a pattern of the MTA-STS policy */
	struct web_match_result web;
};

struct server_check_host {
	struct server_check *check;
	uint16_t preference;
	char name[DESTINATION_NAME_MAX + 1];
	struct dane_host_lookup *lookup; /* while it runs */
	struct host_facts *facts;
	struct tlsa_match_terms terms;     /* allowed names (RFC 7672 3.2.2), and the records */
	const struct sts_pattern *pattern; /* of the MTA-STS policy, the first that matches */
	size_t address_count;
	struct server_check_address *addresses;
};

struct server_check_options {
	const char *connect; /* connect to this address instead of those in DNS; or NULL */
	uint32_t timeout;    /* [s] of one connection */
	enum starttls_protocol protocol;
	bool ipv4_only, ipv6_only;
	bool mx_only; /* no connections to mail servers */
};

struct server_check {
	struct local_resolver *local;
	struct destination destination;
	struct server_check_options options;
	SSL_CTX *context;
	struct mx_set mx; /* only for a DESTINATION_DOMAIN; without its member `hosts` */
	struct dane_mx_lookup *mx_lookup;
	struct sts_check sts;          /* not started if the destination gets no mail */
	bool dane_behind_insecure_mx;  /* [sts] insecure_mx = dane */
	size_t host_count, hosts_left; /* `hosts_left`: lookups that have not ended */
	struct server_check_host *hosts;
	size_t connection_count; /* connections that are running */
	struct event *deadline;
	bool out_of_memory;
	uint32_t now; /* time of the end of the check */
};

/* False when out of memory, which is logged, or after a signal. Call server_check_clear() in both
 * cases. */
bool server_check_run(struct server_check *check, struct local_resolver *local,
	const struct destination *destination, const struct server_check_options *options);
void server_check_clear(struct server_check *check);

#endif
