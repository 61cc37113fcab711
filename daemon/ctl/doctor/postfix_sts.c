/*
 * What Postfix needs to apply policies of MTA-STS: the comparison of MX hosts with the patterns of
 * a policy.
 */
#include "common/base/text.h"
#include "daemon/ctl/doctor/postfix.h"

#include <string.h>

static bool is_set_to(
	const struct examination *examination, enum postconf_parameter parameter, const char *value)
{
	const char *own = examination_value(examination, parameter);

	return text_equal_nocase(own, strlen(own), value);
}

void examination_sts_patterns(const struct examination *examination)
{
	if (!examination->doctor->conf->sts.enable || !examination->tlsrpt ||
		!postfix_version_has_sts_patterns(examination->postconf->version))
		return;
	if (!is_set_to(examination, POSTCONF_STS_PATTERNS, "no")) {
		examination_add(examination, DOCTOR_STS_PATTERNS, POSTCONF_STS_PATTERNS, DOCTOR_OK,
			"MX hosts are compared with the patterns of MTA-STS policies");
		return;
	}
	examination_add(examination, DOCTOR_STS_PATTERNS, POSTCONF_STS_PATTERNS, DOCTOR_WARNING,
		"smtp_tls_enforce_sts_mx_patterns = no: Postfix also connects to MX hosts that an "
		"MTA-STS policy does not allow, and accepts a certificate for any name of the "
		"policy");
	examination_set(examination, POSTCONF_STS_PATTERNS, "yes");
}
