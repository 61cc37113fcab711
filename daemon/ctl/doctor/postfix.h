/*
 * postfix: does Postfix ask tlsad, may it, and does it make of the answers what they mean?
 */
#ifndef TLSAD_CTL_DOCTOR_POSTFIX_H
#define TLSAD_CTL_DOCTOR_POSTFIX_H

#include "daemon/ctl/doctor/access.h"
#include "daemon/ctl/doctor/dns.h"
#include "daemon/ctl/doctor/lookup_tables.h"
#include "daemon/ctl/doctor/postconf.h"

/* One client of one configuration under examination. */
struct examination {
	struct doctor *doctor;
	const struct postconf *postconf;
	const struct postconf_client *client;
	struct access_account account; /* mail_owner */
	bool account_known;
	bool native, pinned; /* what tlsad's tables answer */
};

/* Add the name servers of its resolv.conf files to those to ask. */
void doctor_postfix_prepare(struct doctor_dns *dns, const struct postconf *postconf);

void doctor_examine_postfix(
	struct doctor *doctor, const struct postconf *postconf, const struct doctor_dns *dns);

/* policy_maps.c: smtp_tls_policy_maps; sets `native` and `pinned`. */
void examination_policy_maps(struct examination *examination);

/* A finding on a parameter of this client's, and how to give it another value. */
void examination_add(const struct examination *examination, enum doctor_check check,
	enum postconf_parameter parameter, enum doctor_state state, const char *format, ...)
	__attribute__((format(printf, 5, 6)));
void examination_set(const struct examination *examination, enum postconf_parameter parameter,
	const char *format, ...) __attribute__((format(printf, 3, 4)));

const char *examination_value(
	const struct examination *examination, enum postconf_parameter parameter);

/* Where a client's paths begin: the queue directory, or "" outside of a chroot. */
const char *examination_root(const struct examination *examination, bool chrooted);

#endif
