#include "daemon/ctl/doctor/postconf.h"

#include "daemon/ctl/doctor/program.h"

#include <stdlib.h>
#include <string.h>

const char *const postconf_parameter_names[POSTCONF_PARAMETER_COUNT] = {
	[POSTCONF_VERSION] = "mail_version",
	[POSTCONF_CONFIG_DIRECTORY] = "config_directory",
	[POSTCONF_QUEUE_DIRECTORY] = "queue_directory",
	[POSTCONF_OWNER] = "mail_owner",
	[POSTCONF_COMPATIBILITY_LEVEL] = "compatibility_level",
	[POSTCONF_PROXY_READ_MAPS] = "proxy_read_maps",
	[POSTCONF_POLICY_MAPS] = "smtp_tls_policy_maps",
	[POSTCONF_DNS_SUPPORT_LEVEL] = "smtp_dns_support_level",
	[POSTCONF_HOST_LOOKUP] = "smtp_host_lookup",
	[POSTCONF_SECURITY_LEVEL] = "smtp_tls_security_level",
	[POSTCONF_USE_TLS] = "smtp_use_tls",
	[POSTCONF_ENFORCE_TLS] = "smtp_enforce_tls",
	[POSTCONF_INSECURE_MX_POLICY] = "smtp_tls_dane_insecure_mx_policy",
	[POSTCONF_FINGERPRINT_DIGEST] = "smtp_tls_fingerprint_digest",
	[POSTCONF_SERVERNAME] = "smtp_tls_servername",
	[POSTCONF_RELAYHOST] = "relayhost",
	[POSTCONF_CA_FILE] = "smtp_tls_CAfile",
	[POSTCONF_CA_PATH] = "smtp_tls_CApath",
	[POSTCONF_APPEND_DEFAULT_CA] = "tls_append_default_CA",
	[POSTCONF_STS_PATTERNS] = "smtp_tls_enforce_sts_mx_patterns",
};

enum { ARGUMENTS_MAX = POSTCONF_PARAMETER_COUNT + 8 };

static const char *complaint(const struct program_result *result, char *line, size_t size)
{
	program_first_line(result->error[0] != '\0' ? result->error : result->err, line, size);
	return line[0] != '\0' ? line : "postconf failed without a message";
}

/*
 * Runs postconf [-c DIRECTORY] OPTION... NAME... Returns its output, malloc()ed, or NULL and an
 * error in `line`.
 */
static char *ask(const struct postconf *postconf, const char *program, const char *const *options,
	char *line, size_t line_size)
{
	const char *arguments[ARGUMENTS_MAX] = {program};
	struct program_result result;
	size_t count = 1;
	char *out = NULL;

	if (postconf->directory[0] != '\0') {
		arguments[count++] = "-c";
		arguments[count++] = postconf->directory;
	}
	while (*options != NULL && count + 1 < ARGUMENTS_MAX)
		arguments[count++] = *options++;
	program_run(&result, arguments);
	if (result.status == 0)
		out = strdup(result.out);
	else
		complaint(&result, line, line_size);
	program_clear(&result);
	return out;
}

/* "NAME = VALUE"; a value that is empty has no blank before it. */
static bool split_line(char *line, char **name, char **value)
{
	char *equals = strstr(line, " =");

	if (equals == NULL)
		return false;
	*equals = '\0';
	*name = line;
	*value = equals + 2 + (equals[2] == ' ');
	return true;
}

static int find_parameter(const char *name)
{
	for (int i = 0; i < POSTCONF_PARAMETER_COUNT; i++) {
		if (strcmp(postconf_parameter_names[i], name) == 0)
			return i;
	}
	return -1;
}

static void each_line(
	struct postconf *postconf, char *lines, void (*take)(struct postconf *postconf, char *line))
{
	char *rest = NULL;

	for (char *line = strtok_r(lines, "\n", &rest); line != NULL;
		line = strtok_r(NULL, "\n", &rest))
		take(postconf, line);
}

static void store(char **place, const char *value)
{
	free(*place);
	*place = strdup(value);
}

static void take_value(struct postconf *postconf, char *line)
{
	char *name, *value;
	int parameter = split_line(line, &name, &value) ? find_parameter(name) : -1;

	if (parameter >= 0)
		store(&postconf->values[parameter], value);
}

static void take_raw(struct postconf *postconf, char *line)
{
	char *name, *value;
	int parameter = split_line(line, &name, &value) ? find_parameter(name) : -1;

	if (parameter >= 0)
		store(&postconf->raw[parameter], value);
}

/* --- master.cf ------------------------------------------------------------------------------- */

/* `-` means yes before Postfix 3.0 and with a compatibility level below 1. */
static bool is_chrooted(const struct postconf *postconf, const char *field)
{
	if (strcmp(field, "-") != 0)
		return strcmp(field, "y") == 0;
	return !postfix_version_least(postconf->version, 3, 0) ||
	       strtod(postconf_value(postconf, NULL, POSTCONF_COMPATIBILITY_LEVEL), NULL) < 1;
}

enum { MASTER_SERVICE, MASTER_TYPE, MASTER_CHROOT = 4, MASTER_COMMAND = 7, MASTER_FIELDS };

static void take_service(struct postconf *postconf, char *line)
{
	const char *fields[MASTER_FIELDS];
	char *rest = NULL;
	size_t count = 0;

	for (char *word = strtok_r(line, " \t", &rest); word != NULL && count < MASTER_FIELDS;
		word = strtok_r(NULL, " \t", &rest))
		fields[count++] = word;
	if (count < MASTER_FIELDS || strcmp(fields[MASTER_TYPE], "unix") != 0)
		return;
	if (strcmp(fields[MASTER_COMMAND], "proxymap") == 0 &&
		strcmp(fields[MASTER_SERVICE], "proxymap") == 0)
		postconf->proxymap_chrooted = is_chrooted(postconf, fields[MASTER_CHROOT]);
	if (strcmp(fields[MASTER_COMMAND], "smtp") != 0 ||
		postconf->client_count == POSTCONF_CLIENTS_MAX)
		return;
	struct postconf_client *client = &postconf->clients[postconf->client_count++];
	snprintf(client->service, sizeof client->service, "%.*s", POSTCONF_NAME_SIZE - 1,
		fields[MASTER_SERVICE]);
	client->chrooted = is_chrooted(postconf, fields[MASTER_CHROOT]);
}

/* "SERVICE/unix/PARAMETER = VALUE" */
static void take_option(struct postconf *postconf, char *line, bool raw)
{
	char *name, *value;
	char *slash = split_line(line, &name, &value) ? strstr(name, "/unix/") : NULL;
	int parameter = slash != NULL ? find_parameter(slash + 6) : -1;

	if (parameter < 0)
		return;
	*slash = '\0';
	for (size_t i = 0; i < postconf->client_count; i++) {
		struct postconf_client *client = &postconf->clients[i];
		if (strcmp(client->service, name) == 0)
			store(raw ? &client->own_raw[parameter] : &client->own[parameter], value);
	}
}

static void take_own(struct postconf *postconf, char *line)
{
	take_option(postconf, line, false);
}

static void take_own_raw(struct postconf *postconf, char *line)
{
	take_option(postconf, line, true);
}

/* --- all of it ------------------------------------------------------------------------------- */

static bool read_lines(struct postconf *postconf, const char *program, const char *const *options,
	void (*take)(struct postconf *postconf, char *line), char *line, size_t line_size)
{
	char *lines = ask(postconf, program, options, line, line_size);

	if (lines == NULL)
		return false;
	each_line(postconf, lines, take);
	free(lines);
	return true;
}

static bool read_main(struct postconf *postconf, const char *program, char *line, size_t line_size)
{
	const char *values[POSTCONF_PARAMETER_COUNT + 2] = {"-x"};
	const char *const raw[] = {"-n", NULL};

	for (int i = 0; i < POSTCONF_PARAMETER_COUNT; i++)
		values[i + 1] = postconf_parameter_names[i];
	return read_lines(postconf, program, values, take_value, line, line_size) &&
	       read_lines(postconf, program, raw, take_raw, line, line_size);
}

static bool read_master(
	struct postconf *postconf, const char *program, char *line, size_t line_size)
{
	const char *const services[] = {"-M", NULL};
	const char *const own[] = {"-x", "-P", NULL};
	const char *const own_raw[] = {"-P", NULL};

	return read_lines(postconf, program, services, take_service, line, line_size) &&
	       read_lines(postconf, program, own, take_own, line, line_size) &&
	       read_lines(postconf, program, own_raw, take_own_raw, line, line_size);
}

static void add_unreadable(struct doctor *doctor, const struct postconf *postconf, const char *line)
{
	/* A package that was never configured has no main.cf: this Postfix does not run. */
	bool unconfigured = postconf->directory[0] == '\0' && strstr(line, "No such file") != NULL;

	doctor_add(doctor, DOCTOR_POSTFIX, postconf->directory,
		unconfigured ? DOCTOR_NOTE : DOCTOR_FAULT,
		"the configuration of Postfix cannot be read: %s", line);
	if (!unconfigured)
		doctor_remedy(doctor, "postconf%s%s -n",
			postconf->directory[0] != '\0' ? " -c " : "", postconf->directory);
}

bool postconf_read(struct postconf *postconf, struct doctor *doctor, const char *directory)
{
	char program[PROGRAM_PATH_SIZE], line[512] = "";

	memset(postconf, 0, sizeof *postconf);
	snprintf(postconf->directory, sizeof postconf->directory, "%s", directory);
	if (!program_find("postconf", false, program)) {
		doctor_add(doctor, DOCTOR_POSTFIX, directory, DOCTOR_NOTE,
			"postconf is not installed, so Postfix was not examined");
		return false;
	}
	if (!read_main(postconf, program, line, sizeof line)) {
		add_unreadable(doctor, postconf, line);
		return false;
	}
	if (!postfix_version_parse(
		    postconf_value(postconf, NULL, POSTCONF_VERSION), &postconf->version)) {
		doctor_add(doctor, DOCTOR_POSTFIX,
			postconf_value(postconf, NULL, POSTCONF_CONFIG_DIRECTORY), DOCTOR_UNKNOWN,
			"mail_version = %.100s is not a version",
			postconf_value(postconf, NULL, POSTCONF_VERSION));
		doctor_remedy(doctor, "remove mail_version from main.cf");
	}
	if (!read_master(postconf, program, line, sizeof line)) {
		add_unreadable(doctor, postconf, line);
		return false;
	}
	return true;
}

void postconf_clear(struct postconf *postconf)
{
	for (int i = 0; i < POSTCONF_PARAMETER_COUNT; i++) {
		free(postconf->values[i]);
		free(postconf->raw[i]);
		for (size_t j = 0; j < postconf->client_count; j++) {
			free(postconf->clients[j].own[i]);
			free(postconf->clients[j].own_raw[i]);
		}
	}
	memset(postconf, 0, sizeof *postconf);
}

const char *postconf_value(const struct postconf *postconf, const struct postconf_client *client,
	enum postconf_parameter parameter)
{
	const char *value = client != NULL && client->own[parameter] != NULL
				    ? client->own[parameter]
				    : postconf->values[parameter];

	return value != NULL ? value : "";
}

const char *postconf_raw_value(const struct postconf *postconf,
	const struct postconf_client *client, enum postconf_parameter parameter)
{
	const char *value = client != NULL && client->own[parameter] != NULL
				    ? client->own_raw[parameter]
				    : postconf->raw[parameter];

	return value != NULL ? value : "";
}
