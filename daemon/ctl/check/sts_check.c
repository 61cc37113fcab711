#include "daemon/ctl/check/sts_check.h"

#include "common/base/text.h"
#include "common/sts/sts_record.h"

#include <stdio.h>
#include <string.h>

/* --- the end ------------------------------------------------------------------------------- */

static void end(struct sts_check *check, enum sts_status status)
{
	event_del(check->deadline);
	check->status = status;
	check->ended = true;
	check->done(check->context);
}

static void fail(struct sts_check *check, const char *why)
{
	snprintf(check->error, sizeof check->error, "%s", why);
	end(check, STS_FAILED);
}

/* --- the policy ---------------------------------------------------------------------------- */

/* The result is part of the download, which is freed later. */
static void fetched(void *context, const struct sts_fetch_result *result)
{
	struct sts_check *check = context;

	if (result->outcome == STS_FETCHED) {
		sts_policy_move(&check->policy, result->policy);
		end(check, check->policy.mode);
	} else {
		check->local_fault = result->outcome == STS_BUSY;
		fail(check, result->error);
	}
}

/* False with `error`. */
static bool start_download(struct sts_check *check)
{
	const struct conf *conf = check->local->conf;
	char why[sizeof check->error - 32];

	check->local_fault = true;
	if (!sts_transfers_prepare(check->error, sizeof check->error))
		return false;
	check->trust = sts_trust_open(conf->sts.ca_file, why, sizeof why);
	if (check->trust == NULL) {
		snprintf(check->error, sizeof check->error, "[sts] ca_file = %s", why);
		return false;
	}
	snprintf(check->error, sizeof check->error, "out of memory");
	check->fetches = sts_fetches_new(check->local->base, check->local->resolver.dns);
	if (check->fetches == NULL)
		return false;
	struct sts_fetch_settings settings = {
		.port = (uint16_t)conf->sts.port,
		.private_addresses = conf->sts.private_addresses,
		.trust = check->trust,
	};
	sts_fetches_set(check->fetches, &settings);
	check->fetch = sts_fetch_new(check->fetches, check->domain, fetched, check);
	if (check->fetch == NULL)
		return false;
	check->local_fault = false;
	check->error[0] = '\0';
	return true;
}

static void download(struct sts_check *check)
{
	struct timeval limit = {.tv_sec = check->timeout};

	if (evtimer_add(check->deadline, &limit) != 0 || !start_download(check))
		end(check, STS_FAILED);
}

/* --- the record ---------------------------------------------------------------------------- */

static void answered(void *context, const struct dns_answer *answer)
{
	struct sts_check *check = context;
	struct text text;

	check->query = NULL;
	check->discovery = sts_record_find(answer, check->id);
	if (check->discovery == STS_DISCOVERED) {
		download(check);
		return;
	}
	if (check->discovery == STS_LOOKUP_FAILED) {
		text_init(&text, check->error, sizeof check->error);
		text_add_format(&text, "%s: ", dns_failure_name(answer->failure));
		text_add_escaped(&text, answer->detail, strlen(answer->detail));
		text_mark_cut(&text);
		end(check, STS_FAILED);
		return;
	}
	end(check, STS_ABSENT);
}

static void time_is_over(evutil_socket_t fd, short what, void *context)
{
	struct sts_check *check = context;

	(void)fd;
	(void)what;
	if (check->query != NULL) {
		dns_query_cancel(check->query);
		check->query = NULL;
		check->discovery = STS_LOOKUP_FAILED;
		fail(check, "timeout: no answer in time");
		return;
	}
	sts_fetch_free(check->fetch);
	check->fetch = NULL;
	snprintf(check->error, sizeof check->error,
		"no policy in %u s; a larger --timeout gives more time", check->timeout);
	end(check, STS_FAILED);
}

/* --- all of it ----------------------------------------------------------------------------- */

bool sts_check_start(struct sts_check *check, struct local_resolver *local, const char *domain,
	uint32_t timeout, sts_check_done *done, void *context)
{
	struct lookup_settings settings = local_resolver_settings(local);
	struct timeval limit = {.tv_sec = settings.timeout};

	check->started = true;
	check->local = local;
	check->timeout = timeout;
	check->done = done;
	check->context = context;
	snprintf(check->domain, sizeof check->domain, "%s", domain);
	if (!sts_record_name(domain, check->record_name)) {
		check->discovery = STS_NO_RECORD;
		check->status = STS_ABSENT;
		check->ended = true;
		return true;
	}
	check->deadline = evtimer_new(settings.base, time_is_over, check);
	if (check->deadline == NULL || evtimer_add(check->deadline, &limit) != 0)
		return false;
	check->query = dns_query_start(
		settings.dns, settings.view, check->record_name, DNS_TYPE_TXT, answered, check);
	return check->query != NULL;
}

void sts_check_clear(struct sts_check *check)
{
	if (check->query != NULL)
		dns_query_cancel(check->query);
	sts_fetch_free(check->fetch);
	sts_fetches_free(check->fetches);
	sts_trust_free(check->trust);
	if (check->deadline != NULL)
		event_free(check->deadline);
	sts_policy_clear(&check->policy);
}

bool sts_check_has_patterns(const struct sts_check *check)
{
	return check->ended && (check->status == STS_ENFORCE || check->status == STS_TESTING);
}

const struct sts_pattern *sts_check_find_pattern(const struct sts_check *check, const char *host)
{
	for (size_t i = 0; i < check->policy.pattern_count; i++) {
		if (sts_pattern_matches(&check->policy.patterns[i], host, strlen(host)))
			return &check->policy.patterns[i];
	}
	return NULL;
}
