/*
 * The verb status: the counters of the table under their names there, and texts such as versions,
 * endpoints and the state of the resolver.
 */
#include "common/base/endpoint.h"
#include "daemon/control/verbs.h"
#include "daemon/lookup/probe.h"
#include "daemon/process/versions.h"

#include <string.h>
#include <unistd.h>

enum { MEMBER_SIZE = 32 };

static json_t *number(uint64_t value)
{
	return json_integer((json_int_t)value);
}

/* --- the table ----------------------------------------------------------------------------- */

/* Set the member `name` or `object.name`; a missing object is created. */
static void set_member(json_t *status, const char *path, json_t *value)
{
	const char *dot = strchr(path, '.');
	char name[MEMBER_SIZE];

	if (dot == NULL) {
		json_object_set_new(status, path, value);
		return;
	}
	snprintf(name, sizeof name, "%.*s", (int)(dot - path), path);
	json_t *object = json_object_get(status, name);
	if (object == NULL) {
		object = json_object();
		json_object_set_new(status, name, object);
	}
	json_object_set_new(object, dot + 1, value);
}

/* A member for each value of the last label. */
static json_t *by_last_label(const struct counters *counters, size_t n)
{
	const struct counter_row *row = &counter_table[n];
	const struct counter_label *label = row->labels[counter_row_labels(row) - 1];
	json_t *object = json_object();

	for (size_t i = 0; i < label->count; i++) {
		uint64_t value = counters_of_value(counters, n, i);
		if (value > 0 || !row->without_zeroes)
			json_object_set_new(object, label->value(i), number(value));
	}
	return object;
}

/* Plain numbers first, then objects. */
static void add_section(
	json_t *status, const struct counters *counters, enum counter_section section)
{
	for (size_t i = 0; i < counter_table_rows; i++) {
		const struct counter_row *row = &counter_table[i];
		bool plain = counter_row_cells(row) == 1;

		if (row->section != section)
			continue;
		if (row->total != NULL)
			set_member(status, row->total, number(counters_total(counters, i)));
		if (row->status != NULL && plain)
			set_member(status, row->status, number(counters_total(counters, i)));
	}
	for (size_t i = 0; i < counter_table_rows; i++) {
		const struct counter_row *row = &counter_table[i];

		if (row->section == section && row->status != NULL && counter_row_cells(row) > 1)
			set_member(status, row->status, by_last_label(counters, i));
	}
}

/* --- texts --------------------------------------------------------------------------------- */

static json_t *versions(void)
{
	json_t *object = json_object();

	for (size_t i = 0; i < version_count; i++) {
		const struct version *version = &version_table[i];
		if (version->member != NULL)
			json_object_set_new(object, version->member, json_string(version->read()));
	}
	return object;
}

static json_t *endpoints(const struct listeners *listeners)
{
	json_t *array = json_array();

	for (size_t i = 0; i < listeners->count; i++) {
		char text[ENDPOINT_TEXT_SIZE];
		endpoint_print(&listeners->endpoints[i], text);
		json_array_append_new(array, json_string(text));
	}
	return array;
}

static json_t *resolver(const struct lookup *lookup)
{
	enum probe_result validation =
		(enum probe_result)atomic_load(&lookup_counters(lookup)->resolver.result);

	return json_pack("{s:s, s:s}", "state", probe_result_name(validation), "text",
		probe_result_text(validation));
}

static json_t *make_status(const struct control *control)
{
	const struct control_services *services = &control->services;
	const struct conf *conf = control->conf;
	json_t *status = json_object();
	struct counters counters;

	counters_read(services->counters, conf, &counters);
	json_object_set_new(status, "version", json_string(TLSAD_VERSION));
	json_object_set_new(status, "pid", json_integer(getpid()));
	add_section(status, &counters, COUNTER_PROCESS);
	json_object_set_new(status, "versions", versions());
	json_object_set_new(status, "endpoints", endpoints(server_listeners(services->server)));
	/* As in /healthz (daemon/health/health.h). */
	json_object_set_new(status, "healthy", json_boolean(counters.healthy));
	json_object_set_new(status, "health", json_string(counters.health));
	add_section(status, &counters, COUNTER_CONNECTIONS);
	add_section(status, &counters, COUNTER_REQUESTS);
	json_object_set_new(status, "mode", json_string(conf_mode_names[conf->dane.mode]));
	add_section(status, &counters, COUNTER_MONITOR);
	add_section(status, &counters, COUNTER_RULES);
	add_section(status, &counters, COUNTER_POLICY);
	set_member(
		status, "policy.endpoints", endpoints(server_policy_listeners(services->server)));
	add_section(status, &counters, COUNTER_LOOKUPS);
	add_section(status, &counters, COUNTER_STS);
	json_object_set_new(status, "resolver", resolver(services->lookup));
	add_section(status, &counters, COUNTER_DNS);
	set_member(status, "cache.path", json_string(conf->cache.path));
	add_section(status, &counters, COUNTER_CACHE);
	return status;
}

void control_status(struct control_connection *connection, json_t *id, json_t *request)
{
	(void)request;
	control_respond(
		connection, id, json_pack("{s:o}", "status", make_status(connection->control)));
}
