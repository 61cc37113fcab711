/*
 * postfix: does Postfix ask tlsad, may it open the socket, and does it apply the policies as
 * intended?
 */
#ifndef TLSAD_CTL_DOCTOR_POSTFIX_H
#define TLSAD_CTL_DOCTOR_POSTFIX_H

#include "daemon/ctl/doctor/access.h"
#include "daemon/ctl/doctor/dns.h"
#include "daemon/ctl/doctor/lookup_tables.h"
#include "daemon/ctl/doctor/postconf.h"
#include "daemon/ctl/doctor/table_changes.h"

/* The examination of one client of one configuration. */
struct examination {
	struct doctor *doctor;
	const struct postconf *postconf;
	const struct postconf_client *client;
	struct access_account account; /* mail_owner */
	bool account_known;
	bool native, pinned; /* which kinds of policies its tables reply with */
	bool tlsrpt;         /* some with attributes for TLSRPT */
	struct table_changes *changes;
};

/* Add the name servers of its resolv.conf files to those to ask. */
void doctor_postfix_prepare(struct doctor_dns *dns, const struct postconf *postconf);

void doctor_examine_postfix(
	struct doctor *doctor, const struct postconf *postconf, const struct doctor_dns *dns);

/*
 * In policy_maps.c: examines smtp_tls_policy_maps; sets `native`, `pinned` and `tlsrpt`, and adds
 * to `changes`.
 */
void examination_policy_maps(struct examination *examination);

/* Sets the remedies of the findings that `changes` are for. */
void examination_remedy_policy_maps(const struct examination *examination);

/*
 * In postfix_sts.c: the CAs that certificates of mail servers must chain to, if a policy may demand
 * that; SNI; and the MX patterns of MTA-STS.
 */
void examination_ca_store(const struct examination *examination, bool needed);
void examination_servername(const struct examination *examination);
void examination_sts_patterns(const struct examination *examination);

/*
 * Adds a finding on a parameter of this client, and as remedy the command that sets another value.
 */
void examination_add(const struct examination *examination, enum doctor_check check,
	enum postconf_parameter parameter, enum doctor_state state, const char *format, ...)
	__attribute__((format(printf, 5, 6)));
void examination_set(const struct examination *examination, enum postconf_parameter parameter,
	const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Adds the command that sets a parameter of this client. */
void examination_command(const struct examination *examination, enum postconf_parameter parameter,
	const char *value, struct text *text);

const char *examination_value(
	const struct examination *examination, enum postconf_parameter parameter);

/* The root of a client's paths: the queue directory if it is in a chroot, else "". */
const char *examination_root(const struct examination *examination, bool chrooted);

#endif
