/*
 * doctor_mail: a configuration of Postfix, as postconf(1) tells it, with what of it is about tlsad.
 */
#ifndef TLSAD_CTL_DOCTOR_MAIL_H
#define TLSAD_CTL_DOCTOR_MAIL_H

#include "daemon/ctl/doctor/doctor.h"
#include "daemon/ctl/doctor/tables.h"

enum mail_parameter {
	MAIL_VERSION,
	MAIL_CONFIG_DIRECTORY,
	MAIL_QUEUE_DIRECTORY,
	MAIL_OWNER,
	MAIL_COMPATIBILITY_LEVEL,
	MAIL_PROXY_READ_MAPS,
	MAIL_POLICY_MAPS,
	MAIL_DNS_SUPPORT_LEVEL,
	MAIL_HOST_LOOKUP,
	MAIL_SECURITY_LEVEL,
	MAIL_USE_TLS,
	MAIL_ENFORCE_TLS,
	MAIL_INSECURE_MX_POLICY,
	MAIL_FINGERPRINT_DIGEST,
	MAIL_SERVERNAME,
	MAIL_PARAMETER_COUNT,
};

extern const char *const mail_parameter_names[MAIL_PARAMETER_COUNT];

enum { MAIL_CLIENTS_MAX = 32, MAIL_NAME_SIZE = 64 };

/* A service of master.cf that is the smtp client; each has its own chroot and options. */
struct mail_client {
	char service[MAIL_NAME_SIZE]; /* "smtp", "relay" */
	bool chrooted;
	char *own[MAIL_PARAMETER_COUNT]; /* set with -o, else NULL */
};

struct mail {
	char directory[512]; /* as it was named, or empty for Postfix's own */
	char *values[MAIL_PARAMETER_COUNT];
	bool set[MAIL_PARAMETER_COUNT]; /* in main.cf, not by default */
	struct postfix_version version;
	size_t client_count;
	struct mail_client clients[MAIL_CLIENTS_MAX];
	bool proxymap_chrooted;
};

/* False when it cannot be had: then that is a finding. For mail_clear() in both cases. */
bool mail_read(struct mail *mail, struct doctor *doctor, const char *directory);
void mail_clear(struct mail *mail);

/* For a client, or for main.cf alone where that is NULL; never NULL. */
const char *mail_value(
	const struct mail *mail, const struct mail_client *client, enum mail_parameter parameter);

#endif
