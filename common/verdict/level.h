/*
 * level: Postfix's TLS security levels, with the names that smtp_tls_security_level and the values
 * of smtp_tls_policy_maps have (postconf(5)).
 */
#ifndef TLSAD_VERDICT_LEVEL_H
#define TLSAD_VERDICT_LEVEL_H

/* Ordered: at TLS_LEVEL_DANE_ONLY and above, a host that is not authenticated gets no mail. */
enum tls_level {
	TLS_LEVEL_NONE,
	TLS_LEVEL_MAY,
	TLS_LEVEL_ENCRYPT,
	TLS_LEVEL_DANE,
	TLS_LEVEL_DANE_ONLY,
	TLS_LEVEL_FINGERPRINT,
	TLS_LEVEL_VERIFY,
	TLS_LEVEL_SECURE,
	TLS_LEVEL_COUNT,
};

/* Their names by level, NULL after the last. */
extern const char *const tls_level_names[];

#endif
