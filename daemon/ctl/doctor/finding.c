/*
 * Collects and prints findings. tlsactl(8) describes the members of the JSON.
 */
#include "daemon/ctl/doctor/finding.h"
#include "common/base/text.h"
#include "daemon/ctl/frame/json_output.h"
#include "daemon/ctl/frame/terminal.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *name;
	enum terminal_style style;
} states[DOCTOR_STATE_COUNT] = {
	[DOCTOR_OK] = {"ok", TERMINAL_GOOD},
	[DOCTOR_NOTE] = {"note", TERMINAL_STRONG},
	[DOCTOR_UNKNOWN] = {"unknown", TERMINAL_WARNING},
	[DOCTOR_WARNING] = {"warning", TERMINAL_WARNING},
	[DOCTOR_FAULT] = {"fault", TERMINAL_BAD},
};

static const char *const check_names[DOCTOR_CHECK_COUNT] = {
	[DOCTOR_CONFIGURATION] = "configuration",
	[DOCTOR_TRUST_ANCHOR] = "trust-anchor",
	[DOCTOR_NAME_SERVER] = "name-server",
	[DOCTOR_CLOCK] = "clock",
	[DOCTOR_VALIDATION] = "validation",
	[DOCTOR_SOCKET] = "socket",
	[DOCTOR_POSTFIX] = "postfix",
	[DOCTOR_POLICY_MAPS] = "policy-maps",
	[DOCTOR_DNS_SUPPORT] = "dns-support",
	[DOCTOR_SECURITY_LEVEL] = "security-level",
	[DOCTOR_INSECURE_MX] = "insecure-mx",
	[DOCTOR_FINGERPRINT_DIGEST] = "fingerprint-digest",
	[DOCTOR_SERVERNAME] = "servername",
	[DOCTOR_TAFILE] = "tafile",
	[DOCTOR_RESOLV_CONF] = "resolv-conf",
	[DOCTOR_STS] = "sts",
	[DOCTOR_CA_STORE] = "ca-store",
	[DOCTOR_STS_PATTERNS] = "sts-patterns",
};

const char *doctor_state_name(enum doctor_state state)
{
	return state < DOCTOR_STATE_COUNT ? states[state].name : "unknown";
}

const char *doctor_check_name(enum doctor_check check)
{
	return check < DOCTOR_CHECK_COUNT ? check_names[check] : "unknown";
}

static void write_printable(char *out, size_t size, const char *words)
{
	struct text text;

	text_init(&text, out, size);
	for (const char *at = words; *at != '\0'; at++) {
		/* The backslash is not escaped: people read this text, no program decodes it. */
		if (*at == '\\' || (*at == '\n' && at[1] == '\0'))
			text_add_bytes(&text, at, *at == '\\');
		else
			text_add_escaped(&text, at, 1);
	}
}

void doctor_add(struct doctor *doctor, enum doctor_check check, const char *object,
	enum doctor_state state, const char *format, ...)
{
	char words[DOCTOR_WORDS_SIZE];
	va_list arguments;

	doctor->dropped = doctor->count == DOCTOR_FINDINGS_MAX;
	if (doctor->dropped)
		return;
	struct doctor_finding *list =
		realloc(doctor->list, (doctor->count + 1) * sizeof *doctor->list);
	if (list == NULL) {
		doctor->out_of_memory = true;
		return;
	}
	doctor->list = list;
	struct doctor_finding *finding = &list[doctor->count++];
	*finding = (struct doctor_finding){.check = check, .state = state};
	va_start(arguments, format);
	vsnprintf(words, sizeof words, format, arguments);
	va_end(arguments);
	write_printable(finding->object, sizeof finding->object, object);
	write_printable(finding->words, sizeof finding->words, words);
}

void doctor_remedy(struct doctor *doctor, const char *format, ...)
{
	char words[DOCTOR_WORDS_SIZE];
	va_list arguments;

	if (doctor->count == 0 || doctor->dropped)
		return;
	struct doctor_finding *finding = &doctor->list[doctor->count - 1];
	va_start(arguments, format);
	vsnprintf(words, sizeof words, format, arguments);
	va_end(arguments);
	write_printable(finding->remedy, sizeof finding->remedy, words);
}

void doctor_remedy_at(struct doctor *doctor, size_t index, const char *format, ...)
{
	char words[DOCTOR_WORDS_SIZE];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(words, sizeof words, format, arguments);
	va_end(arguments);
	write_printable(doctor->list[index].remedy, DOCTOR_WORDS_SIZE, words);
}

static bool is_same(const struct doctor_finding *one, const struct doctor_finding *other)
{
	return one->check == other->check && one->state == other->state &&
	       strcmp(one->object, other->object) == 0 && strcmp(one->words, other->words) == 0;
}

void doctor_drop_repetitions(struct doctor *doctor)
{
	size_t kept = 0;

	for (size_t i = 0; i < doctor->count; i++) {
		bool repeated = false;
		for (size_t j = 0; j < kept && !repeated; j++)
			repeated = is_same(&doctor->list[i], &doctor->list[j]);
		if (!repeated)
			doctor->list[kept++] = doctor->list[i];
	}
	doctor->count = kept;
}

size_t doctor_count(const struct doctor *doctor, enum doctor_state state)
{
	size_t count = 0;

	for (size_t i = 0; i < doctor->count; i++)
		count += doctor->list[i].state == state;
	return count;
}

void doctor_clear(struct doctor *doctor)
{
	free(doctor->list);
	doctor->list = NULL;
	doctor->count = 0;
}

/* --- for people ---------------------------------------------------------------------------- */

enum { LABEL_WIDTH = 8 };

static void print_finding(const struct terminal *terminal, const struct doctor_finding *finding)
{
	terminal_print_row(terminal, 0, states[finding->state].style, states[finding->state].name,
		LABEL_WIDTH, "%s%s%s: %s%s%s", doctor_check_name(finding->check),
		finding->object[0] != '\0' ? " " : "", finding->object, finding->words,
		finding->remedy[0] != '\0' ? " -> " : "", finding->remedy);
}

static void print_sum(const struct terminal *terminal, const struct doctor *doctor)
{
	char words[256];
	struct text text;
	bool wrong = false;

	text_init(&text, words, sizeof words);
	for (int state = DOCTOR_FAULT; state >= DOCTOR_UNKNOWN; state--) {
		size_t count = doctor_count(doctor, (enum doctor_state)state);
		if (count == 0)
			continue;
		text_add_format(&text, "%zu %s%s, ", count, states[state].name,
			count > 1 && state != DOCTOR_UNKNOWN ? "s" : "");
		wrong = true;
	}
	terminal_print_row(terminal, 0, wrong ? TERMINAL_STRONG : TERMINAL_GOOD, "in all",
		LABEL_WIDTH, "%s%zu fine", wrong ? words : "nothing wrong, ",
		doctor_count(doctor, DOCTOR_OK) + doctor_count(doctor, DOCTOR_NOTE));
}

void doctor_print_text(const struct doctor *doctor, bool all)
{
	struct terminal terminal;

	terminal_open(&terminal, stdout);
	for (size_t i = 0; i < doctor->count; i++) {
		if (all || doctor->list[i].state != DOCTOR_OK)
			print_finding(&terminal, &doctor->list[i]);
	}
	print_sum(&terminal, doctor);
}

/* --- for programs -------------------------------------------------------------------------- */

static json_t *finding_json(const struct doctor_finding *finding)
{
	json_t *object = json_object();

	json_object_set_new(object, "state", json_string(doctor_state_name(finding->state)));
	json_object_set_new(object, "check", json_string(doctor_check_name(finding->check)));
	json_object_set_new(object, "object",
		finding->object[0] != '\0' ? json_string(finding->object) : json_null());
	json_object_set_new(object, "detail", json_string(finding->words));
	json_object_set_new(object, "remedy",
		finding->remedy[0] != '\0' ? json_string(finding->remedy) : json_null());
	return object;
}

void doctor_print_json(const struct doctor *doctor)
{
	json_t *object = json_object(), *counts = json_object(), *findings = json_array();

	for (int state = 0; state < DOCTOR_STATE_COUNT; state++)
		json_object_set_new(counts, states[state].name,
			json_integer((json_int_t)doctor_count(doctor, (enum doctor_state)state)));
	for (size_t i = 0; i < doctor->count; i++)
		json_array_append_new(findings, finding_json(&doctor->list[i]));
	json_object_set_new(object, "counts", counts);
	json_object_set_new(object, "findings", findings);
	json_output_print_new(object);
}
