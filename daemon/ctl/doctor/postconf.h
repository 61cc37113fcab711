/*
 * postconf: the parameters and services of a Postfix configuration that concern tlsad, as
 * postconf(1) prints them.
 */
#ifndef TLSAD_CTL_DOCTOR_POSTCONF_H
#define TLSAD_CTL_DOCTOR_POSTCONF_H

#include "daemon/ctl/doctor/finding.h"
#include "daemon/ctl/doctor/postfix_version.h"

enum postconf_parameter {
	POSTCONF_VERSION,
	POSTCONF_CONFIG_DIRECTORY,
	POSTCONF_QUEUE_DIRECTORY,
	POSTCONF_OWNER,
	POSTCONF_COMPATIBILITY_LEVEL,
	POSTCONF_PROXY_READ_MAPS,
	POSTCONF_POLICY_MAPS,
	POSTCONF_DNS_SUPPORT_LEVEL,
	POSTCONF_HOST_LOOKUP,
	POSTCONF_SECURITY_LEVEL,
	POSTCONF_USE_TLS,
	POSTCONF_ENFORCE_TLS,
	POSTCONF_INSECURE_MX_POLICY,
	POSTCONF_FINGERPRINT_DIGEST,
	POSTCONF_SERVERNAME,
	POSTCONF_RELAYHOST,
	POSTCONF_CA_FILE,
	POSTCONF_CA_PATH,
	POSTCONF_APPEND_DEFAULT_CA,
	POSTCONF_STS_PATTERNS,
	POSTCONF_PARAMETER_COUNT,
};

extern const char *const postconf_parameter_names[POSTCONF_PARAMETER_COUNT];

enum { POSTCONF_CLIENTS_MAX = 32, POSTCONF_NAME_SIZE = 64 };

/* A service in master.cf that runs the smtp client. Each has its own chroot flag and options. */
struct postconf_client {
	char service[POSTCONF_NAME_SIZE]; /* "smtp", "relay" */
	bool chrooted;
	char *own[POSTCONF_PARAMETER_COUNT];     /* set with -o, else NULL */
	char *own_raw[POSTCONF_PARAMETER_COUNT]; /* the same as written, $name not expanded */
};

struct postconf {
	char directory[512]; /* the argument of --postfix, or empty for Postfix's default */
	char *values[POSTCONF_PARAMETER_COUNT];
	char *raw[POSTCONF_PARAMETER_COUNT]; /* as written in main.cf; NULL: it is a default */
	struct postfix_version version;
	size_t client_count;
	struct postconf_client clients[POSTCONF_CLIENTS_MAX];
	bool proxymap_chrooted;
};

/* False if it cannot be read; that is added as a finding. Call postconf_clear() in both cases. */
bool postconf_read(struct postconf *postconf, struct doctor *doctor, const char *directory);
void postconf_clear(struct postconf *postconf);

/* The value for a client, or that of main.cf if `client` is NULL. Never NULL. */
const char *postconf_value(const struct postconf *postconf, const struct postconf_client *client,
	enum postconf_parameter parameter);

/* The same as written, with $name. "" if it is a default. */
const char *postconf_raw_value(const struct postconf *postconf,
	const struct postconf_client *client, enum postconf_parameter parameter);

#endif
