/*
 * dns: can this host reach the root, do answers come with DNSSEC, do they validate, is the clock
 * right? And what do the resolvers answer that Postfix asks.
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

/* One name server; its exchanges over UDP and TCP have the same index, times two. */
struct dns_target {
	enum dns_target_kind kind;
	char name[64]; /* as it is written in the configuration */
	char zone[256];
	bool over_tls;   /* not asked: only the resolver speaks TLS */
	size_t exchange; /* of UDP; TCP's is the next */
};

struct doctor_dns {
	struct local_resolver *local;
	size_t count;
	struct dns_target targets[DNS_TARGETS_MAX];
	struct exchange exchanges[2 * DNS_TARGETS_MAX];
	struct exchange_run run;
	/* the embedded resolver's own question */
	struct dns_query *query;
	struct event *timeout;
	bool answered;
	struct dns_answer answer; /* without its packet */
	unsigned pending;         /* the run, and the question */
};

/* Which servers to ask. */
void doctor_dns_prepare(struct doctor_dns *dns, const struct conf *conf);
void doctor_dns_add_nameserver(struct doctor_dns *dns, const char *address);

/* Asks, for some seconds. `local->resolver` may be closed: then it is not asked. */
bool doctor_dns_run(struct doctor_dns *dns, struct local_resolver *local);
void doctor_dns_clear(struct doctor_dns *dns);

void doctor_examine_dns(struct doctor *doctor, const struct doctor_dns *dns);

/* The UDP exchange with a name server of resolv.conf, or NULL. */
const struct exchange *doctor_dns_nameserver(const struct doctor_dns *dns, const char *address);

/* The outcome of an exchange, in a few words: "no answer within 3 seconds". */
const char *doctor_dns_outcome(const struct exchange *exchange);

#endif
