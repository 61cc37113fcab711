/*
 * What Postfix needs to apply policies of MTA-STS: CAs that it trusts, the name that it sends by
 * SNI, and the comparison of MX hosts with the patterns of a policy.
 */
#include "common/base/text.h"
#include "daemon/ctl/doctor/ca_store.h"
#include "daemon/ctl/doctor/postfix.h"

#include <openssl/x509.h>
#include <string.h>

static bool is_set_to(
	const struct examination *examination, enum postconf_parameter parameter, const char *value)
{
	const char *own = examination_value(examination, parameter);

	return text_equal_nocase(own, strlen(own), value);
}

static void remedy_upgrade(const struct examination *examination)
{
	doctor_remedy(examination->doctor, "upgrade Postfix; or [sts] enable = no in tlsad.conf; "
					   "systemctl reload tlsad");
}

/* --- CAs ------------------------------------------------------------------------------------- */

/* smtp(8) starts in the queue directory. */
static void find_place(const struct examination *examination, enum postconf_parameter parameter,
	bool chrooted, char place[ACCESS_PATH_SIZE])
{
	const char *value = examination_value(examination, parameter);

	if (value[0] == '/' || chrooted)
		snprintf(place, ACCESS_PATH_SIZE, "%.4000s", value);
	else
		snprintf(place, ACCESS_PATH_SIZE, "%.2000s/%.2000s",
			examination_value(examination, POSTCONF_QUEUE_DIRECTORY), value);
}

static void examine_directory(
	const struct examination *examination, struct ca_store *store, const char *directory)
{
	bool chrooted = examination->client->chrooted;

	ca_store_examine_directory(
		store, examination_root(examination, chrooted), directory, &examination->account);
}

/* tls_append_default_CA adds OpenSSL's own file and directory to a store. */
static bool has_default(const struct examination *examination)
{
	struct ca_store file, directory;

	if (!is_set_to(examination, POSTCONF_APPEND_DEFAULT_CA, "yes"))
		return false;
	ca_store_examine_file(&file, X509_get_default_cert_file());
	examine_directory(examination, &directory, X509_get_default_cert_dir());
	return file.state == CA_STORE_GOOD || directory.state == CA_STORE_GOOD;
}

static const char *deferred(const struct examination *examination)
{
	return examination->doctor->conf->sts.enable ? "mail to domains with an MTA-STS policy"
						     : "mail at the levels verify and secure";
}

static void set_system_file(const struct examination *examination)
{
	examination_set(examination, POSTCONF_CA_FILE, "%s", TLSAD_CA_FILE);
}

/* Read before the chroot, as root. If that fails, smtp(8) has no TLS at all. */
static void examine_ca_file(const struct examination *examination)
{
	char file[ACCESS_PATH_SIZE];
	struct ca_store store;

	find_place(examination, POSTCONF_CA_FILE, false, file);
	ca_store_examine_file(&store, file);
	switch (store.state) {
	case CA_STORE_GOOD:
		examination_add(examination, DOCTOR_CA_STORE, POSTCONF_CA_FILE, DOCTOR_OK,
			"smtp_tls_CAfile = %s", store.words);
		return;
	case CA_STORE_UNKNOWN:
		examination_add(examination, DOCTOR_CA_STORE, POSTCONF_CA_FILE, DOCTOR_UNKNOWN,
			"smtp_tls_CAfile = %s", store.words);
		doctor_remedy(examination->doctor, "run doctor as root");
		return;
	default:
		examination_add(examination, DOCTOR_CA_STORE, POSTCONF_CA_FILE, DOCTOR_FAULT,
			"smtp_tls_CAfile = %s; without this file the smtp client has no TLS: it "
			"defers mail that needs TLS and sends other mail in the clear",
			store.words);
		if (strcmp(file, TLSAD_CA_FILE) == 0)
			doctor_remedy(examination->doctor,
				"install the package ca-certificates; postfix reload");
		else
			set_system_file(examination);
	}
}

/* Read for each certificate, inside the chroot, as mail_owner. */
static void examine_ca_path(const struct examination *examination, bool needed)
{
	char directory[ACCESS_PATH_SIZE];
	struct ca_store store;

	find_place(examination, POSTCONF_CA_PATH, examination->client->chrooted, directory);
	examine_directory(examination, &store, directory);
	if (store.state == CA_STORE_GOOD || has_default(examination)) {
		examination_add(examination, DOCTOR_CA_STORE, POSTCONF_CA_PATH, DOCTOR_OK,
			"smtp_tls_CApath = %s%s",
			store.state == CA_STORE_GOOD ? store.words : directory,
			store.state == CA_STORE_GOOD ? "" : ", and the default CAs of OpenSSL");
	} else if (store.state == CA_STORE_UNKNOWN && needed) {
		examination_add(examination, DOCTOR_CA_STORE, POSTCONF_CA_PATH, DOCTOR_UNKNOWN,
			"smtp_tls_CApath = %s", store.words);
		doctor_remedy(examination->doctor, "run doctor as root");
	} else if (needed) {
		examination_add(examination, DOCTOR_CA_STORE, POSTCONF_CA_PATH, DOCTOR_FAULT,
			"smtp_tls_CApath = %s%s; Postfix trusts no certificate and defers %s",
			store.words,
			examination->client->chrooted ? " (in the chroot of the smtp client)" : "",
			deferred(examination));
		set_system_file(examination);
	}
}

void examination_ca_store(const struct examination *examination, bool needed)
{
	if (examination_value(examination, POSTCONF_CA_FILE)[0] != '\0') {
		examine_ca_file(examination);
	} else if (examination_value(examination, POSTCONF_CA_PATH)[0] != '\0') {
		examine_ca_path(examination, needed);
	} else if (needed) {
		examination_add(examination, DOCTOR_CA_STORE, POSTCONF_CA_FILE, DOCTOR_FAULT,
			"smtp_tls_CAfile and smtp_tls_CApath are empty%s: Postfix trusts no "
			"certificate and defers %s",
			is_set_to(examination, POSTCONF_APPEND_DEFAULT_CA, "yes")
				? ", and tls_append_default_CA has no effect without them"
				: "",
			deferred(examination));
		set_system_file(examination);
	}
}

/* --- SNI ------------------------------------------------------------------------------------- */

static void add_old(const struct examination *examination)
{
	if (examination->doctor->conf->sts.enable && examination->postconf->version.major > 0) {
		examination_add(examination, DOCTOR_SERVERNAME, POSTCONF_SERVERNAME, DOCTOR_FAULT,
			"Postfix %.40s does not know the attribute servername, which came with "
			"3.4: it defers mail to domains with an MTA-STS policy",
			postconf_value(examination->postconf, NULL, POSTCONF_VERSION));
		remedy_upgrade(examination);
	} else if (examination->pinned) {
		examination_add(examination, DOCTOR_SERVERNAME, POSTCONF_SERVERNAME, DOCTOR_NOTE,
			"Postfix sends no SNI before 3.4: a server with several certificates may "
			"show the wrong one");
	}
}

/* Which policies come with a name of their own? */
static const char *exceptions(const struct examination *examination)
{
	if (examination->doctor->conf->sts.enable)
		return examination->native ? ", except where DANE or MTA-STS sets another"
					   : ", except where MTA-STS sets another";
	return examination->native ? ", except where DANE sets another" : "";
}

void examination_servername(const struct examination *examination)
{
	const char *name = examination_value(examination, POSTCONF_SERVERNAME);

	if (!postfix_version_least(examination->postconf->version, 3, 4)) {
		add_old(examination);
	} else if (name[0] == '\0') {
		if (!examination->pinned)
			return;
		examination_add(examination, DOCTOR_SERVERNAME, POSTCONF_SERVERNAME, DOCTOR_NOTE,
			"smtp_tls_servername is empty: a server with several certificates may show "
			"the wrong one");
		examination_set(examination, POSTCONF_SERVERNAME, "hostname");
	} else if (strcmp(name, "hostname") != 0 &&
		   examination_value(examination, POSTCONF_RELAYHOST)[0] == '\0') {
		examination_add(examination, DOCTOR_SERVERNAME, POSTCONF_SERVERNAME, DOCTOR_WARNING,
			"smtp_tls_servername = %.300s: Postfix sends this name to all mail "
			"servers%s; one that does not have it may end the connection or show "
			"another certificate",
			name, exceptions(examination));
		examination_set(examination, POSTCONF_SERVERNAME, "hostname");
	} else {
		examination_add(examination, DOCTOR_SERVERNAME, POSTCONF_SERVERNAME, DOCTOR_OK,
			"smtp_tls_servername = %s", name);
	}
}

/* --- MX patterns ----------------------------------------------------------------------------- */

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
