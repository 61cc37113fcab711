/*
 * resolv: resolv.conf(5), the C library's, by which Postfix finds the resolver that it
 * believes when it uses DANE itself.
 */
#ifndef TLSAD_CTL_DOCTOR_RESOLV_H
#define TLSAD_CTL_DOCTOR_RESOLV_H

#include "daemon/ctl/doctor/dns.h"

enum { RESOLV_SERVERS_MAX = 3 /* glibc's MAXNS */, RESOLV_ADDRESS_SIZE = 64 };

struct resolv {
	size_t count; /* 127.0.0.1 where none is named */
	char servers[RESOLV_SERVERS_MAX][RESOLV_ADDRESS_SIZE];
	bool named;
	bool trust_ad;
};

/* Pure. */
void resolv_parse(struct resolv *resolv, const char *text);

/* Add its name servers to those to ask. */
void doctor_resolv_prepare(struct doctor_dns *dns, const char *file);

/* `original` is the file of which this one is a copy below a chroot, or NULL. */
void doctor_examine_resolv(struct doctor *doctor, const struct doctor_dns *dns, const char *file,
	const char *original);

#endif
