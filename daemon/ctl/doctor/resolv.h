/*
 * resolv: reads resolv.conf(5), where Postfix finds the resolver whose AD bit it trusts when it
 * uses DANE itself.
 */
#ifndef TLSAD_CTL_DOCTOR_RESOLV_H
#define TLSAD_CTL_DOCTOR_RESOLV_H

#include "daemon/ctl/doctor/dns.h"

enum { RESOLV_SERVERS_MAX = 3 /* glibc's MAXNS */, RESOLV_ADDRESS_SIZE = 64 };

struct resolv {
	size_t count; /* 127.0.0.1 if no nameserver is configured */
	char servers[RESOLV_SERVERS_MAX][RESOLV_ADDRESS_SIZE];
	bool named;
	bool trust_ad;
};

/* Pure. */
void resolv_parse(struct resolv *resolv, const char *text);

/* Adds its name servers to those to query. */
void doctor_resolv_prepare(struct doctor_dns *dns, const char *file);

/* `original` is the file that was copied to `file` inside a chroot, or NULL. */
void doctor_examine_resolv(struct doctor *doctor, const struct doctor_dns *dns, const char *file,
	const char *original);

#endif
