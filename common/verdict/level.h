/*
 * level: Postfix's TLS security levels, as smtp_tls_security_level and the values of
 * smtp_tls_policy_maps name them (postconf(5)).
 */
#ifndef TLSAD_VERDICT_LEVEL_H
#define TLSAD_VERDICT_LEVEL_H

/* Ordered: from TLS_LEVEL_DANE_ONLY on, every host is authenticated or gets no mail. */
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
