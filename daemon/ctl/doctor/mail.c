#include "daemon/ctl/doctor/mail.h"

#include "daemon/ctl/doctor/program.h"

#include <stdlib.h>
#include <string.h>

const char *const mail_parameter_names[MAIL_PARAMETER_COUNT] = {
	[MAIL_VERSION] = "mail_version",
	[MAIL_CONFIG_DIRECTORY] = "config_directory",
	[MAIL_QUEUE_DIRECTORY] = "queue_directory",
	[MAIL_OWNER] = "mail_owner",
	[MAIL_COMPATIBILITY_LEVEL] = "compatibility_level",
	[MAIL_PROXY_READ_MAPS] = "proxy_read_maps",
	[MAIL_POLICY_MAPS] = "smtp_tls_policy_maps",
	[MAIL_DNS_SUPPORT_LEVEL] = "smtp_dns_support_level",
	[MAIL_HOST_LOOKUP] = "smtp_host_lookup",
	[MAIL_SECURITY_LEVEL] = "smtp_tls_security_level",
	[MAIL_USE_TLS] = "smtp_use_tls",
	[MAIL_ENFORCE_TLS] = "smtp_enforce_tls",
	[MAIL_INSECURE_MX_POLICY] = "smtp_tls_dane_insecure_mx_policy",
	[MAIL_FINGERPRINT_DIGEST] = "smtp_tls_fingerprint_digest",
	[MAIL_SERVERNAME] = "smtp_tls_servername",
};

enum { ARGUMENTS_MAX = MAIL_PARAMETER_COUNT + 8 };

static const char *complaint(const struct program_result *result, char *line, size_t size)
{
	program_first_line(result->error[0] != '\0' ? result->error : result->err, line, size);
	return line[0] != '\0' ? line : "postconf failed";
}

/* postconf [-c DIRECTORY] OPTION... NAME...; what it says, malloc()ed, or NULL: then `line`. */
static char *ask(const struct mail *mail, const char *program, const char *const *options,
	char *line, size_t line_size)
{
	const char *arguments[ARGUMENTS_MAX] = {program};
	struct program_result result;
	size_t count = 1;
	char *out = NULL;

	if (mail->directory[0] != '\0') {
		arguments[count++] = "-c";
		arguments[count++] = mail->directory;
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
	for (int i = 0; i < MAIL_PARAMETER_COUNT; i++) {
		if (strcmp(mail_parameter_names[i], name) == 0)
			return i;
	}
	return -1;
}

static void take_values(struct mail *mail, char *lines)
{
	char *rest = NULL, *name, *value;

	for (char *line = strtok_r(lines, "\n", &rest); line != NULL;
		line = strtok_r(NULL, "\n", &rest)) {
		int parameter = split_line(line, &name, &value) ? find_parameter(name) : -1;
		if (parameter < 0)
			continue;
		free(mail->values[parameter]);
		mail->values[parameter] = strdup(value);
	}
}

static void take_set(struct mail *mail, char *lines)
{
	char *rest = NULL, *name, *value;

	for (char *line = strtok_r(lines, "\n", &rest); line != NULL;
		line = strtok_r(NULL, "\n", &rest)) {
		int parameter = split_line(line, &name, &value) ? find_parameter(name) : -1;
		if (parameter >= 0)
			mail->set[parameter] = true;
	}
}

/* --- master.cf ------------------------------------------------------------------------------- */

/* What `-` stands for: yes before Postfix 3.0, and with a compatibility level below 1. */
static bool is_chrooted(const struct mail *mail, const char *field)
{
	if (strcmp(field, "-") != 0)
		return strcmp(field, "y") == 0;
	return !postfix_version_least(mail->version, 3, 0) ||
	       strtod(mail_value(mail, NULL, MAIL_COMPATIBILITY_LEVEL), NULL) < 1;
}

enum { MASTER_SERVICE, MASTER_TYPE, MASTER_CHROOT = 4, MASTER_COMMAND = 7, MASTER_FIELDS };

static void take_service(struct mail *mail, char *line)
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
		mail->proxymap_chrooted = is_chrooted(mail, fields[MASTER_CHROOT]);
	if (strcmp(fields[MASTER_COMMAND], "smtp") != 0 || mail->client_count == MAIL_CLIENTS_MAX)
		return;
	struct mail_client *client = &mail->clients[mail->client_count++];
	snprintf(client->service, sizeof client->service, "%.*s", MAIL_NAME_SIZE - 1,
		fields[MASTER_SERVICE]);
	client->chrooted = is_chrooted(mail, fields[MASTER_CHROOT]);
}

static void take_services(struct mail *mail, char *lines)
{
	char *rest = NULL;

	for (char *line = strtok_r(lines, "\n", &rest); line != NULL;
		line = strtok_r(NULL, "\n", &rest))
		take_service(mail, line);
}

/* "SERVICE/unix/PARAMETER = VALUE" */
static void take_own(struct mail *mail, char *lines)
{
	char *rest = NULL, *name, *value;

	for (char *line = strtok_r(lines, "\n", &rest); line != NULL;
		line = strtok_r(NULL, "\n", &rest)) {
		char *slash = split_line(line, &name, &value) ? strstr(name, "/unix/") : NULL;
		int parameter = slash != NULL ? find_parameter(slash + 6) : -1;
		if (parameter < 0)
			continue;
		*slash = '\0';
		for (size_t i = 0; i < mail->client_count; i++) {
			if (strcmp(mail->clients[i].service, name) != 0)
				continue;
			free(mail->clients[i].own[parameter]);
			mail->clients[i].own[parameter] = strdup(value);
		}
	}
}

/* --- all of it ------------------------------------------------------------------------------- */

static bool read_main(struct mail *mail, const char *program, char *line, size_t line_size)
{
	const char *values[MAIL_PARAMETER_COUNT + 2] = {"-x"};
	const char *const set[] = {"-n", NULL};

	for (int i = 0; i < MAIL_PARAMETER_COUNT; i++)
		values[i + 1] = mail_parameter_names[i];
	char *lines = ask(mail, program, values, line, line_size);
	if (lines == NULL)
		return false;
	take_values(mail, lines);
	free(lines);
	lines = ask(mail, program, set, line, line_size);
	if (lines == NULL)
		return false;
	take_set(mail, lines);
	free(lines);
	return true;
}

static bool read_master(struct mail *mail, const char *program, char *line, size_t line_size)
{
	const char *const services[] = {"-M", NULL};
	const char *const own[] = {"-x", "-P", NULL};

	char *lines = ask(mail, program, services, line, line_size);
	if (lines == NULL)
		return false;
	take_services(mail, lines);
	free(lines);
	lines = ask(mail, program, own, line, line_size);
	if (lines == NULL)
		return false;
	take_own(mail, lines);
	free(lines);
	return true;
}

static void add_unreadable(struct doctor *doctor, const struct mail *mail, const char *line)
{
	/* A package that was never configured has no main.cf: nothing of it runs. */
	bool unconfigured = mail->directory[0] == '\0' && strstr(line, "No such file") != NULL;

	doctor_add(doctor, DOCTOR_POSTFIX, mail->directory,
		unconfigured ? DOCTOR_NOTE : DOCTOR_FAULT, "its configuration cannot be read: %s",
		line);
	if (!unconfigured)
		doctor_remedy(doctor, "postconf%s%s -n", mail->directory[0] != '\0' ? " -c " : "",
			mail->directory);
}

bool mail_read(struct mail *mail, struct doctor *doctor, const char *directory)
{
	char program[PROGRAM_PATH_SIZE], line[512] = "";

	memset(mail, 0, sizeof *mail);
	snprintf(mail->directory, sizeof mail->directory, "%s", directory);
	if (!program_find("postconf", false, program)) {
		doctor_add(doctor, DOCTOR_POSTFIX, directory, DOCTOR_NOTE,
			"postconf is not installed: nothing of Postfix was examined");
		return false;
	}
	if (!read_main(mail, program, line, sizeof line)) {
		add_unreadable(doctor, mail, line);
		return false;
	}
	if (!postfix_version_parse(mail_value(mail, NULL, MAIL_VERSION), &mail->version)) {
		doctor_add(doctor, DOCTOR_POSTFIX, mail_value(mail, NULL, MAIL_CONFIG_DIRECTORY),
			DOCTOR_UNKNOWN, "mail_version = %.100s is no version",
			mail_value(mail, NULL, MAIL_VERSION));
		doctor_remedy(doctor, "remove mail_version from main.cf");
	}
	if (!read_master(mail, program, line, sizeof line)) {
		add_unreadable(doctor, mail, line);
		return false;
	}
	return true;
}

void mail_clear(struct mail *mail)
{
	for (int i = 0; i < MAIL_PARAMETER_COUNT; i++) {
		free(mail->values[i]);
		for (size_t j = 0; j < mail->client_count; j++)
			free(mail->clients[j].own[i]);
	}
	memset(mail, 0, sizeof *mail);
}

const char *mail_value(
	const struct mail *mail, const struct mail_client *client, enum mail_parameter parameter)
{
	const char *value = client != NULL && client->own[parameter] != NULL
				    ? client->own[parameter]
				    : mail->values[parameter];

	return value != NULL ? value : "";
}
