/*
 * survey: looks a destination up as the daemon does, and goes to all of its mail servers.
 *
 * The lookups are those of common/dane/dane, with the time of [resolver]; then every address of
 * every host is connected to at once, as far as there are descriptors, each with its own limit, and
 * all of it with three times that. What could not be had by then is told as such. What was found is
 * for findings.h to judge and for check.h to print.
 */
#ifndef TLSAD_CTL_CHECK_SURVEY_H
#define TLSAD_CTL_CHECK_SURVEY_H

#include "daemon/ctl/frame/local_resolver.h"
#include "daemon/ctl/tlsa/server_connection.h"
#include "daemon/ctl/tlsa/tlsa_match.h"

#include <arpa/inet.h>

struct survey;
struct survey_host;

/* One attempt: one address of one host. */
struct survey_address {
	struct survey_host *host;
	struct starttls *starttls; /* while it runs, and until the end */
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
	/* with TLSA records that can be used */
	struct tlsa_match_result match;
	enum tlsa_match *matches;                 /* of each record on its own */
	struct tlsa_match_result *record_results; /* likewise */
};

struct survey_host {
	struct survey *survey;
	uint16_t preference;
	char name[DESTINATION_NAME_MAX + 1];
	struct dane_host_lookup *lookup; /* while it runs */
	struct host_facts *facts;
	struct tlsa_match_terms terms; /* the names that count, RFC 7672 3.2.2, and the records */
	size_t address_count;
	struct survey_address *addresses;
};

struct survey_options {
	const char *connect; /* go there instead of where DNS says; or NULL */
	uint32_t timeout;    /* [s] of one connection */
	enum starttls_protocol protocol;
	bool ipv4_only, ipv6_only;
	bool mx_only; /* no connections */
};

struct survey {
	struct local_resolver *local;
	struct destination destination;
	struct survey_options options;
	SSL_CTX *context;
	struct mx_set mx; /* of a DESTINATION_DOMAIN; `hosts` is not kept */
	struct dane_mx_lookup *mx_lookup;
	size_t host_count, hosts_left; /* to be looked up */
	struct survey_host *hosts;
	size_t in_flight;
	struct event *deadline;
	bool out_of_memory;
	uint32_t now; /* when all was found */
};

/* False when out of memory or after a signal; that has been said. survey_clear() in both cases. */
bool survey_run(struct survey *survey, struct local_resolver *local,
	const struct destination *destination, const struct survey_options *options);
void survey_clear(struct survey *survey);

#endif
