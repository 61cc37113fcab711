#include "daemon/ctl/tlsa/web_match.h"

#include "daemon/ctl/tlsa/certificate.h"

#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

static void set_reason(struct web_match_result *result, const char *host, const X509 *certificate)
{
	struct text text;

	text_init(&text, result->reason, sizeof result->reason);
	if (result->error != X509_V_ERR_HOSTNAME_MISMATCH)
		text_add(&text, X509_verify_cert_error_string(result->error));
	else if (certificate_has_names(certificate))
		text_add_format(&text, "the certificate does not have the name %s", host);
	else
		text_add(&text,
			"the certificate has no DNS name in subjectAltName, and its common name "
			"does not count");
}

static bool prepare(X509_STORE_CTX *context, const char *host, int64_t now)
{
	X509_VERIFY_PARAM *parameters = X509_STORE_CTX_get0_param(context);

	X509_VERIFY_PARAM_set_time(parameters, (time_t)now);
	X509_VERIFY_PARAM_set_hostflags(parameters,
		X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return X509_STORE_CTX_set_default(context, "ssl_server") == 1 &&
	       X509_VERIFY_PARAM_set1_host(parameters, host, 0) == 1;
}

bool web_match_chain(X509_STORE *trusted, const char *host, int64_t now, STACK_OF(X509) * chain,
	struct web_match_result *result)
{
	X509 *certificate = sk_X509_value(chain, 0);

	memset(result, 0, sizeof *result);
	if (certificate == NULL) {
		result->error = X509_V_ERR_UNSPECIFIED;
		snprintf(result->reason, sizeof result->reason, "the server sent no certificate");
		return true;
	}
	X509_STORE_CTX *context = X509_STORE_CTX_new();
	bool ready = context != NULL &&
		     X509_STORE_CTX_init(context, trusted, certificate, chain) == 1 &&
		     prepare(context, host, now);
	if (ready) {
		result->verified = X509_verify_cert(context) == 1;
		result->error = X509_STORE_CTX_get_error(context);
		if (!result->verified)
			set_reason(result, host, certificate);
	}
	X509_STORE_CTX_free(context);
	ERR_clear_error();
	return ready;
}
