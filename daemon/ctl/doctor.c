/*
 * doctor: the options and the sequence of checks; each subject is in its own file below doctor/.
 */
#include "daemon/ctl/doctor/finding.h"

#include "common/base/log.h"
#include "daemon/ctl/doctor/dns.h"
#include "daemon/ctl/doctor/postfix.h"
#include "daemon/ctl/doctor/program.h"
#include "daemon/ctl/doctor/root_anchor.h"
#include "daemon/ctl/doctor/socket.h"
#include "daemon/ctl/doctor/sts.h"
#include "daemon/ctl/frame/arguments.h"

#include <stdlib.h>
#include <string.h>

enum { ERROR_SIZE = 640 };

struct options {
	struct argument_list postfix;
	bool all;
};

/* The configurations of Postfix that could be read. */
struct postconfs {
	size_t count;
	struct postconf list[ARGUMENT_LIST_MAX];
};

static int read_options(struct ctl *ctl, const struct command *command, int count, char **arguments,
	struct options *options)
{
	const struct argument table[] = {
		{"postfix", 0, ARGUMENT_LIST, "DIR",
			"configuration directory of Postfix, default Postfix's own; may be "
			"repeated",
			&options->postfix, 0, 0, NULL},
		{"all", 'v', ARGUMENT_FLAG, NULL, "also print what is fine", &options->all, 0, 0,
			NULL},
	};
	return arguments_parse(
		ctl, command, table, sizeof table / sizeof table[0], count, arguments, NULL);
}

/* Runs "tlsad -n" with the configuration file of this command. */
static void examine_daemon(struct doctor *doctor, const struct ctl *ctl)
{
	char program[PROGRAM_PATH_SIZE], line[512];
	const char *arguments[] = {
		program, "-n", ctl->conf_given ? "-c" : NULL, ctl->conf_file, NULL};
	struct program_result result;

	if (!program_find("tlsad", true, program)) {
		doctor_add(doctor, DOCTOR_CONFIGURATION, "tlsad", DOCTOR_UNKNOWN,
			"not found beside tlsactl or in PATH, so its configuration was not "
			"checked");
		doctor_remedy(doctor, "install tlsad, or add its directory to PATH");
		return;
	}
	program_run(&result, arguments);
	program_first_line(result.error[0] != '\0' ? result.error : result.err, line, sizeof line);
	if (result.status == 0) {
		doctor_add(doctor, DOCTOR_CONFIGURATION, program, DOCTOR_OK,
			"tlsad -n accepts the configuration");
	} else {
		doctor_add(doctor, DOCTOR_CONFIGURATION, program, DOCTOR_FAULT, "tlsad -n: %s",
			line[0] != '\0' ? line : "it failed without a message");
		doctor_remedy(doctor, "correct what it names, then run: tlsad -n%s%s",
			ctl->conf_given ? " -c " : "", ctl->conf_given ? ctl->conf_file : "");
	}
	program_clear(&result);
}

static void read_postconfs(
	struct postconfs *postconfs, struct doctor *doctor, const struct options *options)
{
	size_t wanted = options->postfix.count > 0 ? options->postfix.count : 1;

	for (size_t i = 0; i < wanted; i++) {
		struct postconf *postconf = &postconfs->list[postconfs->count];
		if (postconf_read(postconf, doctor,
			    options->postfix.count > 0 ? options->postfix.values[i] : ""))
			postconfs->count++;
		else
			postconf_clear(postconf);
	}
}

static void open_resolver(struct local_resolver *local, struct doctor *doctor)
{
	char error[ERROR_SIZE];

	if (local_resolver_open_resolver(local, error, sizeof error))
		return;
	doctor_add(doctor, DOCTOR_VALIDATION, "", DOCTOR_FAULT, "the resolver does not start: %s",
		error);
	doctor_remedy(doctor, "correct [resolver] in tlsad.conf, or the file that it names");
}

/* False after a signal, or after an error, which is logged. */
static bool examine(const struct ctl *ctl, struct local_resolver *local, struct doctor *doctor,
	struct postconfs *postconfs)
{
	struct doctor_dns *dns = malloc(sizeof *dns);

	if (dns == NULL) {
		log_error("out of memory");
		return false;
	}
	open_resolver(local, doctor);
	doctor_dns_prepare(dns, local->conf);
	for (size_t i = 0; i < postconfs->count; i++)
		doctor_postfix_prepare(dns, &postconfs->list[i]);
	if (local->resolver.root_anchors != NULL)
		doctor_examine_root_anchors(doctor, local->resolver.root_anchors);
	bool ended = doctor_dns_run(dns, local);
	if (ended) {
		doctor_examine_dns(doctor, dns);
		doctor_examine_sockets(doctor);
		doctor_examine_sts(doctor, ctl);
		for (size_t i = 0; i < postconfs->count; i++)
			doctor_examine_postfix(doctor, &postconfs->list[i], dns);
	}
	doctor_dns_clear(dns);
	free(dns);
	return ended;
}

static int report(const struct ctl *ctl, struct doctor *doctor, bool all)
{
	if (doctor->out_of_memory) {
		log_error("out of memory");
		return CTL_NO;
	}
	doctor_drop_repetitions(doctor);
	if (ctl->json)
		doctor_print_json(doctor);
	else
		doctor_print_text(doctor, all);
	return doctor_count(doctor, DOCTOR_FAULT) + doctor_count(doctor, DOCTOR_WARNING) +
				       doctor_count(doctor, DOCTOR_UNKNOWN) >
			       0
		       ? CTL_NO
		       : CTL_YES;
}

static int run(struct ctl *ctl, struct local_resolver *local, const struct options *options)
{
	struct doctor doctor = {.conf = NULL};
	struct postconfs *postconfs = calloc(1, sizeof *postconfs);
	char error[ERROR_SIZE];
	int status = CTL_NO;

	if (postconfs == NULL) {
		log_error("out of memory");
		return CTL_NO;
	}
	if (!local_resolver_load_conf(local, ctl, error, sizeof error)) {
		/* All other checks need the configuration. */
		doctor_add(&doctor, DOCTOR_CONFIGURATION, "tlsad.conf", DOCTOR_FAULT, "%s", error);
		doctor_remedy(&doctor, "correct this; nothing else was examined");
		status = report(ctl, &doctor, options->all);
	} else if (!local_resolver_open_loop(local, error, sizeof error)) {
		log_error("%s", error);
	} else {
		doctor.conf = local->conf;
		examine_daemon(&doctor, ctl);
		read_postconfs(postconfs, &doctor, options);
		if (examine(ctl, local, &doctor, postconfs))
			status = report(ctl, &doctor, options->all);
	}
	for (size_t i = 0; i < postconfs->count; i++)
		postconf_clear(&postconfs->list[i]);
	free(postconfs);
	doctor_clear(&doctor);
	return status;
}

int doctor_run(struct ctl *ctl, const struct command *command, int count, char **arguments)
{
	struct options options = {.all = false};
	struct local_resolver local = {.conf = NULL};
	int status = read_options(ctl, command, count, arguments, &options);

	if (status != ARGUMENTS_GO_ON)
		return status;
	/* The findings contain what libraries and modules would log. */
	log_set_level(LOG_LEVEL_ERROR);
	status = run(ctl, &local, &options);
	local_resolver_close(&local);
	return status;
}
