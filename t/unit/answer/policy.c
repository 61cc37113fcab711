/*
 * policy: replies without a lookup's result, which of them are logged, and replies in monitor mode.
 * t/daemon/policy.t tests everything else.
 */
#include "daemon/answer/policy.h"
#include "common/base/clock.h"

#include "t/unit/parts.h"
#include "t/unit/scratch.h"

enum { LOG_SIZE = 4096 };

static const char deferred[] = "DEFER_IF_PERMIT 4.7.5 mail.example must be reached with TLS level "
			       "dane, but it is not known yet whether it offers that: too late";

static struct reply_context context;
static struct policy_counters counters;
static struct policy_service service = {.context = &context, .counters = &counters};
static struct policy_request request;
static char reply[POLICY_REPLY_MAX + 1];
static char log_lines[LOG_SIZE];

static struct conf *make_conf(const char *rules, const char *mode)
{
	char error[CONF_ERROR_SIZE], path[SCRATCH_PATH_SIZE + 32];
	FILE *file;

	snprintf(path, sizeof path, "%s/tlsad.conf", scratch_directory);
	file = fopen(path, "w");
	if (file == NULL || fprintf(file, "[dane]\nmode = %s\n%s", mode, rules) < 0 ||
		fclose(file) != 0)
		bail_out("no configuration");
	struct conf *conf = conf_load(path, true, NULL, 0, error);
	if (conf == NULL)
		bail_out(error);
	return conf;
}

static void make_request(void)
{
	static const char name[] = "mail.example";

	request = (struct policy_request){.asks = true, .held = true};
	if (destination_parse(name, strlen(name), &request.destination) != DESTINATION_OK)
		bail_out("no destination");
}

static void give_up(const struct conf *conf)
{
	struct text text;

	context.conf = conf;
	text_init(&text, reply, sizeof reply);
	capture_begin();
	policy_give_up(&service, &request, "too late", &text);
	capture_end(log_lines, sizeof log_lines);
}

/* The result of a lookup: there is no such domain. */
static void finish(const struct conf *conf)
{
	struct lookup_result found = {.evidence = {.destination = &request.destination}};
	struct mx_set set = {.status = MX_NXDOMAIN};
	struct part_times times = parts_times();
	uint8_t *bytes = parts_mx(&found.evidence.mx, &set, &times, "mail.example");
	struct text text;

	context.conf = conf;
	text_init(&text, reply, sizeof reply);
	capture_begin();
	policy_finish(&service, &request, &found, 0.0, &text);
	capture_end(log_lines, sizeof log_lines);
	free(bytes);
}

static bool has_line(void)
{
	return strstr(log_lines, "policy: no result for mail.example: too late:") != NULL;
}

static void test_lines(const struct conf *ruled, const struct conf *free_of_rules)
{
	give_up(ruled);
	is_string(reply, deferred, "a minimum, and no result");
	ok(has_line(), "a line in the log");
	give_up(ruled);
	is_string(reply, deferred, "again");
	ok(!has_line(), "without a line");
	finish(ruled);
	is_string(reply, "DUNNO", "a result: no host, so Postfix returns the mail");
	is_number((int64_t)deferrals_count(service.given_up), 0,
		"no destination is given up any more");
	give_up(ruled);
	ok(has_line(), "so the next one has a line");
	finish(ruled);

	give_up(free_of_rules);
	is_string(reply, "DUNNO", "a reload has removed the rule");
	is_number((int64_t)deferrals_count(service.given_up), 0,
		"nothing is deferred: the next line is not held back");
	ok(!has_line(), "and nothing is logged");
}

static void test_monitor(const struct conf *monitored)
{
	uint64_t before = counter_read(&counters.replies[POLICY_DEFER]);

	give_up(monitored);
	is_string(reply, "DUNNO", "monitor mode refuses nothing");
	ok(strstr(log_lines,
		   "monitor: the reply for a recipient at mail.example would have been \"") !=
				NULL &&
			strstr(log_lines, deferred) != NULL,
		"it is logged");
	is_number((int64_t)counter_read(&counters.monitored), 1, "it is counted");
	is_number((int64_t)counter_read(&counters.replies[POLICY_DEFER]), (int64_t)before,
		"and not as a deferral");
}

int main(void)
{
	static const char rules[] = "[minimum]\nmail.example = dane\n";

	scratch_begin();
	struct conf *ruled = make_conf(rules, "enforce");
	struct conf *free_of_rules = make_conf("", "enforce");
	struct conf *monitored = make_conf(rules, "monitor");
	service.given_up = deferrals_new();
	if (service.given_up == NULL)
		bail_out("out of memory");
	make_request();
	test_lines(ruled, free_of_rules);
	test_monitor(monitored);
	deferrals_free(service.given_up);
	conf_release(ruled);
	conf_release(free_of_rules);
	conf_release(monitored);
	return done_testing();
}
