#include "daemon/ctl/doctor/postfix.h"

#include "common/base/text.h"
#include "common/verdict/level.h"
#include "daemon/ctl/doctor/resolv.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

static const char host_resolv_conf[] = "/etc/resolv.conf";

const char *examination_value(
	const struct examination *examination, enum postconf_parameter parameter)
{
	return postconf_value(examination->postconf, examination->client, parameter);
}

const char *examination_root(const struct examination *examination, bool chrooted)
{
	return chrooted ? examination_value(examination, POSTCONF_QUEUE_DIRECTORY) : "";
}

/* A value from master.cf applies to one service only, so the object names the service. */
void examination_add(const struct examination *examination, enum doctor_check check,
	enum postconf_parameter parameter, enum doctor_state state, const char *format, ...)
{
	const struct postconf_client *client = examination->client;
	bool own = client->own[parameter] != NULL;
	char words[DOCTOR_WORDS_SIZE], object[DOCTOR_OBJECT_SIZE];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(words, sizeof words, format, arguments);
	va_end(arguments);
	snprintf(object, sizeof object, "%.150s%s%s",
		postconf_value(examination->postconf, NULL, POSTCONF_CONFIG_DIRECTORY),
		own ? " " : "", own ? client->service : "");
	doctor_add(examination->doctor, check, object, state, "%s", words);
}

/* A word in single quotes for sh(1). */
static void add_quoted(struct text *text, const char *word)
{
	text_add(text, "'");
	for (; *word != '\0'; word++) {
		if (*word == '\'')
			text_add(text, "'\\''");
		else
			text_add_bytes(text, word, 1);
	}
	text_add(text, "'");
}

void examination_command(const struct examination *examination, enum postconf_parameter parameter,
	const char *value, struct text *text)
{
	const struct postconf *postconf = examination->postconf;
	const struct postconf_client *client = examination->client;
	bool own = client->own[parameter] != NULL;
	char assignment[DOCTOR_WORDS_SIZE];

	int length =
		snprintf(assignment, sizeof assignment, "%s%s%s = %s", own ? client->service : "",
			own ? "/unix/" : "", postconf_parameter_names[parameter], value);
	text_add_format(text, "postconf%s%s %s ", postconf->directory[0] != '\0' ? " -c " : "",
		postconf->directory, own ? "-P" : "-e");
	add_quoted(text, assignment);
	text->cut = text->cut || length >= (int)sizeof assignment;
}

void examination_set(const struct examination *examination, enum postconf_parameter parameter,
	const char *format, ...)
{
	char value[DOCTOR_WORDS_SIZE], command[DOCTOR_WORDS_SIZE];
	struct text text;
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(value, sizeof value, format, arguments);
	va_end(arguments);
	text_init(&text, command, sizeof command);
	examination_command(examination, parameter, value, &text);
	doctor_remedy(examination->doctor, "%s", command);
}

/* --- single parameters ----------------------------------------------------------------------- */

/* If smtp_tls_security_level is empty, Postfix uses two older parameters. */
static const char *security_level(const struct examination *examination)
{
	const char *level = examination_value(examination, POSTCONF_SECURITY_LEVEL);

	if (level[0] != '\0')
		return level;
	if (strcmp(examination_value(examination, POSTCONF_ENFORCE_TLS), "yes") == 0)
		return "encrypt";
	return strcmp(examination_value(examination, POSTCONF_USE_TLS), "yes") == 0 ? "may"
										    : "none";
}

static int find_level(const char *name)
{
	for (int i = 0; tls_level_names[i] != NULL; i++) {
		if (strcmp(tls_level_names[i], name) == 0)
			return i;
	}
	return -1;
}

/* No policy of tlsad is weaker than these levels. */
static bool is_at_most_dane(int level)
{
	return level == TLS_LEVEL_NONE || level == TLS_LEVEL_MAY || level == TLS_LEVEL_DANE;
}

static void examine_level(const struct examination *examination)
{
	const char *name = security_level(examination);
	int site = examination->doctor->conf->dane.site_level, level = find_level(name);

	if (level == TLS_LEVEL_NONE) {
		examination_add(examination, DOCTOR_SECURITY_LEVEL, POSTCONF_SECURITY_LEVEL,
			DOCTOR_WARNING,
			"smtp_tls_security_level = none: where tlsad has no policy, mail goes "
			"out without TLS");
		examination_set(examination, POSTCONF_SECURITY_LEVEL, "%s",
			examination->native ? "dane" : "may");
	} else if (level < 0) {
		examination_add(examination, DOCTOR_SECURITY_LEVEL, POSTCONF_SECURITY_LEVEL,
			DOCTOR_FAULT,
			"smtp_tls_security_level = %s is not a security level of Postfix", name);
		examination_set(examination, POSTCONF_SECURITY_LEVEL, "dane");
	}
	if (level < 0)
		return;
	if (level == site || (is_at_most_dane(level) && is_at_most_dane(site))) {
		examination_add(examination, DOCTOR_SECURITY_LEVEL, POSTCONF_SECURITY_LEVEL,
			DOCTOR_OK,
			"smtp_tls_security_level = %s agrees with [dane] site_level = %s", name,
			tls_level_names[site]);
		return;
	}
	examination_add(examination, DOCTOR_SECURITY_LEVEL, POSTCONF_SECURITY_LEVEL,
		is_at_most_dane(level) ? DOCTOR_WARNING : DOCTOR_FAULT,
		is_at_most_dane(level)
			? "smtp_tls_security_level = %s, but [dane] site_level = %s: tlsad sends "
			  "no policy weaker than site_level, though Postfix's own level is"
			: "smtp_tls_security_level = %s, but [dane] site_level = %s: a policy of "
			  "tlsad may be weaker than this level",
		name, tls_level_names[site]);
	doctor_remedy(examination->doctor,
		"[dane] site_level = %s in tlsad.conf; systemctl reload "
		"tlsad",
		name);
}

static bool uses_dane(const struct examination *examination)
{
	return examination->native || strncmp(security_level(examination), "dane", 4) == 0;
}

/* Are there levels at which Postfix checks certificates with the CAs that it trusts? */
static bool uses_cas(const struct examination *examination)
{
	return examination->doctor->conf->sts.enable ||
	       find_level(security_level(examination)) >= TLS_LEVEL_VERIFY;
}

static void examine_dns_support(const struct examination *examination)
{
	const char *level = examination_value(examination, POSTCONF_DNS_SUPPORT_LEVEL);
	const char *lookup = examination_value(examination, POSTCONF_HOST_LOOKUP);

	if (strcmp(level, "dnssec") != 0) {
		examination_add(examination, DOCTOR_DNS_SUPPORT, POSTCONF_DNS_SUPPORT_LEVEL,
			DOCTOR_FAULT,
			"smtp_dns_support_level = %s: Postfix defers dane-only mail and treats "
			"dane like may",
			level[0] != '\0' ? level : "(empty)");
		examination_set(examination, POSTCONF_DNS_SUPPORT_LEVEL, "dnssec");
	} else if (!lookup_tables_have(lookup, "dns")) {
		examination_add(examination, DOCTOR_DNS_SUPPORT, POSTCONF_HOST_LOOKUP, DOCTOR_FAULT,
			"smtp_host_lookup = %s does not contain dns, which DANE needs", lookup);
		examination_set(examination, POSTCONF_HOST_LOOKUP, "dns%s%s",
			lookup[0] != '\0' ? ", " : "", lookup);
	} else {
		examination_add(examination, DOCTOR_DNS_SUPPORT, POSTCONF_DNS_SUPPORT_LEVEL,
			DOCTOR_OK, "smtp_dns_support_level = dnssec");
	}
}

static void examine_insecure_mx(const struct examination *examination)
{
	const char *policy = examination_value(examination, POSTCONF_INSECURE_MX_POLICY);
	bool own = examination->client->own[POSTCONF_INSECURE_MX_POLICY] != NULL ||
		   examination->postconf->raw[POSTCONF_INSECURE_MX_POLICY] != NULL;

	if (strcmp(policy, "dane") == 0 ||
		(!own && postfix_version_insecure_mx_fixed(examination->postconf->version))) {
		examination_add(examination, DOCTOR_INSECURE_MX, POSTCONF_INSECURE_MX_POLICY,
			DOCTOR_OK,
			"hosts with TLSA records are authenticated even if the MX records are "
			"not signed");
		return;
	}
	examination_add(examination, DOCTOR_INSECURE_MX, POSTCONF_INSECURE_MX_POLICY,
		DOCTOR_WARNING,
		"smtp_tls_dane_insecure_mx_policy = %s%s: hosts with TLSA records are not "
		"authenticated if the MX records are not signed",
		policy, own ? "" : ", the default of this Postfix");
	examination_set(examination, POSTCONF_INSECURE_MX_POLICY, "dane");
}

/* --- pinned replies -------------------------------------------------------------------------- */

static void examine_digest(const struct examination *examination)
{
	const char *digest = examination_value(examination, POSTCONF_FINGERPRINT_DIGEST);
	const char *ours = examination->doctor->conf->dane.fingerprint_digest == DIGEST_SHA512
				   ? "sha512"
				   : "sha256";

	if (text_equal_nocase(digest, strlen(digest), ours)) {
		examination_add(examination, DOCTOR_FINGERPRINT_DIGEST, POSTCONF_FINGERPRINT_DIGEST,
			DOCTOR_OK,
			"smtp_tls_fingerprint_digest = %s agrees with [dane] fingerprint_digest",
			digest);
		return;
	}
	examination_add(examination, DOCTOR_FINGERPRINT_DIGEST, POSTCONF_FINGERPRINT_DIGEST,
		DOCTOR_FAULT,
		"smtp_tls_fingerprint_digest = %s%s, but [dane] fingerprint_digest = %s: pinned "
		"replies match no server, so Postfix defers the mail",
		digest,
		examination->postconf->raw[POSTCONF_FINGERPRINT_DIGEST] != NULL ||
				examination->client->own[POSTCONF_FINGERPRINT_DIGEST] != NULL
			? ""
			: ", the default at this compatibility_level",
		ours);
	examination_set(examination, POSTCONF_FINGERPRINT_DIGEST, "%s", ours);
}

static void add_tafile(const struct examination *examination, enum doctor_state state,
	const char *what, const char *path)
{
	examination_add(
		examination, DOCTOR_TAFILE, POSTCONF_QUEUE_DIRECTORY, state, "%s: %s", path, what);
}

/* tlsad writes to this directory, and smtp must see the same one, perhaps by another path. */
static void examine_tafile(const struct examination *examination)
{
	const struct conf *conf = examination->doctor->conf;
	const char *directory = conf->dane.tafile_dir;
	const char *seen =
		conf->dane.tafile_prefix[0] != '\0' ? conf->dane.tafile_prefix : directory;
	const char *queue = examination_value(examination, POSTCONF_QUEUE_DIRECTORY);
	bool chrooted = examination->client->chrooted;
	struct access_path reached;
	struct stat status;
	int error = stat(directory, &status) != 0 ? errno : 0;

	if (error != 0 || !S_ISDIR(status.st_mode)) {
		add_tafile(examination, error == EACCES ? DOCTOR_UNKNOWN : DOCTOR_FAULT,
			"[dane] tafile_dir is not a directory", directory);
		doctor_remedy(examination->doctor, "install -d -o tlsad -m 755 %s", directory);
		return;
	}
	enum access_result result = access_walk(&reached, examination_root(examination, chrooted),
		seen, &examination->account, ACCESS_SEARCH);
	if (result == ACCESS_UNKNOWN) {
		add_tafile(examination, DOCTOR_UNKNOWN, "this account may not examine it",
			reached.path);
		doctor_remedy(examination->doctor, "run doctor as root");
	} else if (result == ACCESS_NO_SEARCH || result == ACCESS_DENIED) {
		add_tafile(examination, DOCTOR_FAULT,
			"Postfix may not enter this directory, so it cannot read trust anchors",
			reached.path);
		doctor_remedy(examination->doctor, "chmod o+x %s", reached.path);
	} else if (result == ACCESS_ABSENT || reached.status.st_dev != status.st_dev ||
		   reached.status.st_ino != status.st_ino) {
		add_tafile(examination, DOCTOR_FAULT,
			chrooted ? "the smtp client, in its chroot, does not see [dane] "
				   "tafile_dir at this path"
				 : "the smtp client does not see [dane] tafile_dir at this path",
			seen);
		if (chrooted)
			doctor_remedy(examination->doctor,
				"[dane] tafile_dir = %s/tlsad/anchors and tafile_prefix = "
				"/tlsad/anchors in tlsad.conf",
				queue);
		else
			doctor_remedy(
				examination->doctor, "remove [dane] tafile_prefix from tlsad.conf");
	} else {
		add_tafile(examination, DOCTOR_OK, "the smtp client can read trust anchors", seen);
	}
}

/* --- one client, and all --------------------------------------------------------------------- */

static void examine_version(struct doctor *doctor, const struct postconf *postconf)
{
	struct postfix_version version = postconf->version;
	const char *directory = postconf_value(postconf, NULL, POSTCONF_CONFIG_DIRECTORY);

	if (version.major > 0 && !postfix_version_least(version, 2, 11)) {
		doctor_add(doctor, DOCTOR_POSTFIX, directory, DOCTOR_FAULT,
			"Postfix %s has no DANE, which came with 2.11",
			postconf_value(postconf, NULL, POSTCONF_VERSION));
		doctor_remedy(doctor, "upgrade Postfix");
		return;
	}
	doctor_add(doctor, DOCTOR_POSTFIX, directory, DOCTOR_OK,
		"Postfix %s: servername %s (3.4), TLSRPT attributes %s (3.10), MX patterns of "
		"MTA-STS %s (3.10.5), smtp_tls_dane_insecure_mx_policy %s (3.6.17, 3.7.13, 3.8.8, "
		"3.9.2, 3.10)",
		postconf_value(postconf, NULL, POSTCONF_VERSION),
		postfix_version_least(version, 3, 4) ? "yes" : "no",
		postfix_version_has_tlsrpt(version) ? "yes" : "no",
		postfix_version_has_sts_patterns(version) ? "yes" : "no",
		postfix_version_insecure_mx_fixed(version) ? "may stay unset" : "is to be set");
}

static void chroot_resolv_conf(const struct postconf *postconf, char path[ACCESS_PATH_SIZE])
{
	snprintf(path, ACCESS_PATH_SIZE, "%.*s%s", ACCESS_PATH_SIZE / 2,
		postconf_value(postconf, NULL, POSTCONF_QUEUE_DIRECTORY), host_resolv_conf);
}

void doctor_postfix_prepare(struct doctor_dns *dns, const struct postconf *postconf)
{
	char path[ACCESS_PATH_SIZE];

	chroot_resolv_conf(postconf, path);
	for (size_t i = 0; i < postconf->client_count; i++)
		doctor_resolv_prepare(dns, postconf->clients[i].chrooted ? path : host_resolv_conf);
}

static void examine_resolv(const struct examination *examination, const struct doctor_dns *dns)
{
	char path[ACCESS_PATH_SIZE];

	chroot_resolv_conf(examination->postconf, path);
	if (examination->client->chrooted)
		doctor_examine_resolv(examination->doctor, dns, path, host_resolv_conf);
	else
		doctor_examine_resolv(examination->doctor, dns, host_resolv_conf, NULL);
}

static void examine_client(struct examination *examination, const struct doctor_dns *dns)
{
	examination_policy_maps(examination);
	examine_level(examination);
	if (uses_dane(examination)) {
		examine_dns_support(examination);
		examine_resolv(examination, dns);
	}
	if (examination->native)
		examine_insecure_mx(examination);
	examination_ca_store(examination, uses_cas(examination));
	examination_servername(examination);
	examination_sts_patterns(examination);
	if (examination->pinned) {
		examine_digest(examination);
		if (examination->doctor->conf->dane.tafile_dir[0] != '\0' &&
			examination->account_known)
			examine_tafile(examination);
	}
}

/* The clients that share the value of main.cf share the changes to it, too. */
static void examine_clients(struct examination *examination, const struct doctor_dns *dns)
{
	static struct table_changes shared, own;
	const struct postconf *postconf = examination->postconf;
	const struct postconf_client *sharing = NULL;

	memset(&shared, 0, sizeof shared);
	for (size_t i = 0; i < postconf->client_count; i++) {
		const struct postconf_client *client = &postconf->clients[i];
		bool is_own = client->own[POSTCONF_POLICY_MAPS] != NULL;
		examination->client = client;
		examination->native = examination->pinned = examination->tlsrpt = false;
		examination->changes = is_own ? &own : &shared;
		memset(&own, 0, sizeof own);
		examine_client(examination, dns);
		if (is_own)
			examination_remedy_policy_maps(examination);
		else
			sharing = client;
	}
	if (sharing == NULL)
		return;
	examination->client = sharing;
	examination->changes = &shared;
	examination_remedy_policy_maps(examination);
}

void doctor_examine_postfix(
	struct doctor *doctor, const struct postconf *postconf, const struct doctor_dns *dns)
{
	const char *directory = postconf_value(postconf, NULL, POSTCONF_CONFIG_DIRECTORY);
	const char *owner = postconf_value(postconf, NULL, POSTCONF_OWNER);
	struct examination examination = {.doctor = doctor, .postconf = postconf};

	examine_version(doctor, postconf);
	examination.account_known = access_account_find(&examination.account, owner);
	if (!examination.account_known) {
		doctor_add(doctor, DOCTOR_POSTFIX, directory, DOCTOR_FAULT,
			"mail_owner = %s: there is no such account", owner);
		doctor_remedy(doctor, "adduser --system --group %s", owner);
	}
	if (postconf->client_count == 0)
		doctor_add(doctor, DOCTOR_POSTFIX, directory, DOCTOR_NOTE,
			"master.cf has no smtp client: this Postfix sends no mail");
	examine_clients(&examination, dns);
}
