#include "daemon/ctl/doctor/sts.h"

#include "daemon/ctl/doctor/ca_store.h"
#include "daemon/ctl/doctor/program.h"

#include <inttypes.h>
#include <jansson.h>
#include <string.h>

enum { PORT = 443 /* RFC 8461 3.3 */ };

enum doctor_sts_reach doctor_sts_judge(const uint64_t counts[STS_OUTCOME_COUNT], uint64_t *attempts)
{
	uint64_t reached = counts[STS_FETCHED] + counts[STS_NO_TLS] + counts[STS_NO_FILE] +
			   counts[STS_INVALID];

	/* A firewall that drops packets causes timeouts; so does a server that is too slow. */
	*attempts = reached + counts[STS_NO_CONNECT] + counts[STS_TIMEOUT];
	if (reached > 0)
		return DOCTOR_STS_REACHED;
	return *attempts >= DOCTOR_STS_ATTEMPTS_MIN ? DOCTOR_STS_UNREACHED : DOCTOR_STS_FEW;
}

/* tlsad reads it as root. */
static void examine_ca_file(struct doctor *doctor)
{
	const char *file = doctor->conf->sts.ca_file;
	struct ca_store store;

	ca_store_examine_file(&store, file);
	if (store.state == CA_STORE_GOOD) {
		doctor_add(doctor, DOCTOR_STS, "", DOCTOR_OK, "[sts] ca_file = %s", store.words);
	} else if (store.state == CA_STORE_UNKNOWN) {
		doctor_add(
			doctor, DOCTOR_STS, "", DOCTOR_UNKNOWN, "[sts] ca_file = %s", store.words);
		doctor_remedy(doctor, "run doctor as root");
	} else {
		doctor_add(doctor, DOCTOR_STS, "", DOCTOR_FAULT,
			"[sts] ca_file = %s; no MTA-STS policy can be downloaded", store.words);
		if (strcmp(file, TLSAD_CA_FILE) == 0)
			doctor_remedy(doctor,
				"install the package ca-certificates; systemctl restart tlsad");
		else
			doctor_remedy(doctor,
				"[sts] ca_file = %s in tlsad.conf; systemctl restart tlsad",
				TLSAD_CA_FILE);
	}
}

static void examine_port(struct doctor *doctor)
{
	uint32_t port = doctor->conf->sts.port;

	if (port == PORT)
		return;
	doctor_add(doctor, DOCTOR_STS, "", DOCTOR_WARNING,
		"[sts] port = %" PRIu32 ": policy servers listen on port %d; other values are for "
		"tests",
		port, PORT);
	doctor_remedy(doctor, "[sts] port = %d in tlsad.conf; systemctl reload tlsad", PORT);
}

/* --- downloads of the running daemon --------------------------------------------------------- */

/* Runs "tlsactl status", so that an error is one line that this program does not print. */
static json_t *read_status(const struct ctl *ctl, char *line, size_t line_size)
{
	const char *arguments[8] = {"/proc/self/exe", "--json", "status"};
	struct program_result result;
	json_t *status = NULL;
	size_t count = 3;

	if (ctl->conf_given) {
		arguments[count++] = "-c";
		arguments[count++] = ctl->conf_file;
	}
	if (ctl->control != NULL) {
		arguments[count++] = "-s";
		arguments[count++] = ctl->control;
	}
	program_run(&result, arguments);
	program_first_line(result.error[0] != '\0' ? result.error : result.err, line, line_size);
	if (result.status == 0)
		status = json_loads(result.out, 0, NULL);
	program_clear(&result);
	return status;
}

static void add_reach(struct doctor *doctor, const json_t *results)
{
	uint64_t counts[STS_OUTCOME_COUNT], attempts;
	uint32_t port = doctor->conf->sts.port;

	for (int i = 0; i < STS_OUTCOME_COUNT; i++) {
		const json_t *count =
			json_object_get(results, sts_outcome_name((enum sts_outcome)i));
		counts[i] = (uint64_t)json_integer_value(count);
	}
	switch (doctor_sts_judge(counts, &attempts)) {
	case DOCTOR_STS_REACHED:
		doctor_add(doctor, DOCTOR_STS, "", DOCTOR_OK,
			"tlsad reaches policy servers: port %" PRIu32 " is open", port);
		return;
	case DOCTOR_STS_UNREACHED:
		doctor_add(doctor, DOCTOR_STS, "", DOCTOR_WARNING,
			"none of %" PRIu64 " downloads of MTA-STS policies reached a policy "
			"server: port %" PRIu32 " to the Internet looks closed",
			attempts, port);
		doctor_remedy(doctor,
			"open port %" PRIu32 " over TCP to the Internet; journalctl -u tlsad, for "
			"what failed",
			port);
		return;
	default:
		doctor_add(doctor, DOCTOR_STS, "", DOCTOR_NOTE,
			"tlsad has tried %" PRIu64 " downloads of MTA-STS policies since its start "
			"and reached no policy server: too few to tell whether port %" PRIu32 " to "
			"the Internet is open",
			attempts, port);
	}
}

static void examine_reach(struct doctor *doctor, const struct ctl *ctl)
{
	char line[512];

	if (ctl->control == NULL && doctor->conf->server.control[0] == '\0') {
		doctor_add(doctor, DOCTOR_STS, "", DOCTOR_NOTE,
			"[server] control is empty, so it is unknown whether tlsad reaches policy "
			"servers");
		return;
	}
	json_t *status = read_status(ctl, line, sizeof line);
	const json_t *results = json_object_get(json_object_get(status, "sts"), "results");
	if (json_is_object(results)) {
		add_reach(doctor, results);
	} else {
		doctor_add(doctor, DOCTOR_STS, "", DOCTOR_UNKNOWN,
			"it is unknown whether tlsad reaches policy servers: %s",
			line[0] != '\0' ? line : "its status does not say so");
		doctor_remedy(doctor, "correct what it names, then run: tlsactl status");
	}
	json_decref(status);
}

void doctor_examine_sts(struct doctor *doctor, const struct ctl *ctl)
{
	if (!doctor->conf->sts.enable)
		return;
	examine_ca_file(doctor);
	examine_port(doctor);
	examine_reach(doctor, ctl);
}
