/*
 * dns: can this host reach the root servers, do answers arrive with DNSSEC and validate, and is the
 * clock right? Also queries the resolvers that Postfix uses.
 */
#ifndef TLSAD_CTL_DOCTOR_DNS_H
#define TLSAD_CTL_DOCTOR_DNS_H

#include "daemon/ctl/doctor/exchange.h"
#include "daemon/ctl/doctor/finding.h"
#include "daemon/ctl/frame/local_resolver.h"

enum { DNS_TARGETS_MAX = 64 };

enum dns_target_kind {
	TARGET_ROOT,       /* a root server that this program knows */
	TARGET_FORWARD,    /* of [resolver] forward */
	TARGET_STUB_ROOT,  /* of [resolver] stub, for `.` */
	TARGET_STUB,       /* for another zone, which need not be signed */
	TARGET_NAMESERVER, /* of a resolv.conf that Postfix reads */
};

/* One name server, with two exchanges: over UDP and over TCP. */
struct dns_target {
	enum dns_target_kind kind;
	char name[64]; /* as written in the configuration */
	char zone[256];
	bool over_tls;   /* not queried here: only the resolver can use TLS */
	size_t exchange; /* index of the exchange over UDP; the next one is over TCP */
};

struct doctor_dns {
	struct local_resolver *local;
	size_t count;
	struct dns_target targets[DNS_TARGETS_MAX];
	struct exchange exchanges[2 * DNS_TARGETS_MAX];
	struct exchange_run run;
	/* the query of the embedded resolver */
	struct dns_query *query;
	struct event *timeout;
	bool answered;
	struct dns_answer answer; /* without its packet */
	unsigned pending;         /* the run of exchanges and the query that have not ended */
};

/* Choose the name servers to query. */
void doctor_dns_prepare(struct doctor_dns *dns, const struct conf *conf);
void doctor_dns_add_nameserver(struct doctor_dns *dns, const char *address);

/*
 * Sends all queries and waits for some seconds. If `local->resolver` is closed, it is not queried.
 */
bool doctor_dns_run(struct doctor_dns *dns, struct local_resolver *local);
void doctor_dns_clear(struct doctor_dns *dns);

void doctor_examine_dns(struct doctor *doctor, const struct doctor_dns *dns);

/* The UDP exchange with a name server of resolv.conf, or NULL. */
const struct exchange *doctor_dns_nameserver(const struct doctor_dns *dns, const char *address);

/* The outcome of an exchange in words: "no answer within 3 seconds". */
const char *doctor_dns_outcome(const struct exchange *exchange);

#endif
