#include "daemon/ctl/doctor/resolv.h"

#include "daemon/ctl/doctor/text_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_SIZE = 1024 };

static void read_options(struct resolv *resolv, char *rest)
{
	char *position = NULL;

	for (const char *word = strtok_r(rest, " \t\r", &position); word != NULL;
		word = strtok_r(NULL, " \t\r", &position))
		resolv->trust_ad = resolv->trust_ad || strcmp(word, "trust-ad") == 0;
}

/* Keywords are at the beginning of a line (resolv.conf(5)). */
static void read_line(struct resolv *resolv, char *line)
{
	size_t length = strcspn(line, " \t");
	char *rest = line + length + strspn(line + length, " \t");

	if (length == 7 && memcmp(line, "options", length) == 0) {
		read_options(resolv, rest);
	} else if (length == 10 && memcmp(line, "nameserver", length) == 0 &&
		   resolv->count < RESOLV_SERVERS_MAX) {
		rest[strcspn(rest, " \t\r")] = '\0';
		if (rest[0] != '\0')
			snprintf(resolv->servers[resolv->count++], RESOLV_ADDRESS_SIZE, "%.*s",
				RESOLV_ADDRESS_SIZE - 1, rest);
	}
}

void resolv_parse(struct resolv *resolv, const char *text)
{
	memset(resolv, 0, sizeof *resolv);
	while (*text != '\0') {
		char line[LINE_SIZE];
		size_t length = strcspn(text, "\n");
		snprintf(line, sizeof line, "%.*s", (int)length, text);
		read_line(resolv, line);
		text += length + (text[length] == '\n');
	}
	resolv->named = resolv->count > 0;
	if (!resolv->named)
		strcpy(resolv->servers[resolv->count++], "127.0.0.1");
}

/* False with errno. */
static bool read_file(struct resolv *resolv, const char *file)
{
	char *text = text_file_read(file);

	if (text == NULL)
		return false;
	resolv_parse(resolv, text);
	free(text);
	return true;
}

void doctor_resolv_prepare(struct doctor_dns *dns, const char *file)
{
	struct resolv resolv;

	if (!read_file(&resolv, file))
		return;
	for (size_t i = 0; i < resolv.count; i++)
		doctor_dns_add_nameserver(dns, resolv.servers[i]);
}

static bool does_answer(const struct exchange *exchange)
{
	return exchange != NULL && exchange->outcome == EXCHANGE_ANSWERED &&
	       exchange->answer.rcode == 0;
}

static void examine_server(struct doctor *doctor, const struct doctor_dns *dns, const char *file,
	const char *server, bool others)
{
	const struct exchange *exchange = doctor_dns_nameserver(dns, server);

	if (exchange == NULL) {
		doctor_add(doctor, DOCTOR_RESOLV_CONF, file, DOCTOR_UNKNOWN,
			"nameserver %s is not an address that this host can query", server);
	} else if (!does_answer(exchange)) {
		doctor_add(doctor, DOCTOR_RESOLV_CONF, file, others ? DOCTOR_WARNING : DOCTOR_FAULT,
			"nameserver %s: %s", server, doctor_dns_outcome(exchange));
		doctor_remedy(doctor,
			"start a validating resolver there, such as unbound, or "
			"write another nameserver into %s",
			file);
	} else if (!exchange->answer.authenticated) {
		doctor_add(doctor, DOCTOR_RESOLV_CONF, file, DOCTOR_FAULT,
			"nameserver %s does not validate: no AD bit for the signed root zone",
			server);
		doctor_remedy(doctor, "apt-get install unbound; nameserver 127.0.0.1 in %s", file);
	} else {
		doctor_add(doctor, DOCTOR_RESOLV_CONF, file, DOCTOR_OK, "nameserver %s validates",
			server);
	}
}

void doctor_examine_resolv(
	struct doctor *doctor, const struct doctor_dns *dns, const char *file, const char *original)
{
	struct resolv resolv;
	size_t answering = 0;

	if (!read_file(&resolv, file)) {
		int error = errno;
		doctor_add(doctor, DOCTOR_RESOLV_CONF, file,
			error == EACCES ? DOCTOR_UNKNOWN : DOCTOR_FAULT, "cannot be read: %s",
			strerror(error));
		if (error == EACCES)
			doctor_remedy(doctor, "run doctor as root");
		else if (original != NULL)
			doctor_remedy(doctor, "install -D -m 644 %s %s", original, file);
		else
			doctor_remedy(doctor,
				"printf 'nameserver 127.0.0.1\\noptions "
				"trust-ad\\n' >%s",
				file);
		return;
	}
	if (!resolv.trust_ad) {
		doctor_add(doctor, DOCTOR_RESOLV_CONF, file, DOCTOR_FAULT,
			"\"options trust-ad\" is missing: the C library hides from Postfix "
			"whether DNSSEC validated");
		doctor_remedy(doctor, "echo 'options trust-ad' >>%s; postfix reload", file);
	} else {
		doctor_add(doctor, DOCTOR_RESOLV_CONF, file, DOCTOR_OK, "options trust-ad");
	}
	for (size_t i = 0; i < resolv.count; i++)
		answering += does_answer(doctor_dns_nameserver(dns, resolv.servers[i]));
	for (size_t i = 0; i < resolv.count; i++)
		examine_server(doctor, dns, file, resolv.servers[i], answering > 0);
}
