#include "daemon/answer/reply.h"

#include "common/base/clock.h"
#include "common/site/minimum.h"
#include "common/sts/sts_policy.h"
#include "common/verdict/render.h"

#include <stdio.h>
#include <string.h>

/* The longest possible policy fits in a reply. */
_Static_assert(sizeof "OK fingerprint match=" + 3 * PIN_OCTETS_MAX <= RENDER_REPLY_MAX,
	"three characters for each octet of a digest");
_Static_assert(sizeof "OK secure match= tafile=" + TA_FILE_PATH_SIZE +
			       (2 * PART_HOSTS_MAX + 1) * (DESTINATION_NAME_MAX + 1) <=
		       RENDER_REPLY_MAX,
	"two names for each host, one for the domain");
_Static_assert(sizeof "OK secure match= servername=hostname" + STS_FILE_MAX <= RENDER_REPLY_MAX,
	"each pattern is shorter than its line of the policy");

static enum tls_level site_level(const struct reply_context *context)
{
	return (enum tls_level)context->conf->dane.site_level;
}

static struct reply hold_minimum(const struct reply_context *context,
	const struct assessment *assessment, struct reply reply)
{
	if (assessment->ruling == NULL)
		return reply;
	return minimum_hold(assessment->ruling->minimum, site_level(context),
		assessment->evidence != NULL ? &assessment->facts : NULL, assessment->verdict,
		reply);
}

struct reply reply_make_native(
	const struct reply_context *context, const struct assessment *assessment)
{
	struct reply reply;

	if (exception_reply(assessment->ruling, &reply))
		return reply;
	reply = reply_from_verdict(assessment->verdict, site_level(context), assessment->evidence);
	return hold_minimum(context, assessment, reply);
}

/* --- TLSA data ----------------------------------------------------------------------------- */

/* The path of the file of trust anchors; NULL with the reason in pins->obstacle. */
static const char *find_ta_file(struct reply_context *context, const struct assessment *assessment,
	const struct ta_file_finding *known, bool *missing)
{
	struct pins *pins = &context->pins;
	struct ta_file_finding finding;
	struct ta_file_key key;

	pins->obstacle = PIN_NOT_YET;
	if (context->ta_files == NULL || !ta_file_key(&key, pins, assessment->evidence))
		return NULL;
	/* The keys differ if the configuration changed during the lookup. */
	if (known != NULL && memcmp(&known->key, &key, sizeof key) == 0)
		finding = *known;
	else
		ta_files_find(context->ta_files, &key, clock_wall(), &finding);
	switch (finding.state) {
	case TA_FILE_READY:
		ta_files_path(context->ta_files, &finding, context->ta_file);
		return context->ta_file;
	case TA_FILE_UNKNOWN:
		*missing = true;
		return NULL;
	case TA_FILE_IMPOSSIBLE:
		pins->obstacle = finding.obstacle;
		return NULL;
	}
	return NULL;
}

static bool make_secure(struct reply_context *context, const struct assessment *assessment,
	const struct ta_file_finding *finding, bool *missing, struct reply *reply)
{
	const char *file = find_ta_file(context, assessment, finding, missing);

	if (file == NULL || render_match_names(NULL, assessment->evidence) == 0)
		return false;
	*reply = reply_level(TLS_LEVEL_SECURE);
	reply->match = MATCH_HOSTS;
	reply->ta_file = file;
	reply->evidence = assessment->evidence;
	return true;
}

/* A minimum may require as much as a strict site level. */
static struct pin_settings settings_for(
	const struct reply_context *context, const struct assessment *assessment)
{
	struct pin_settings settings = conf_pin_settings(context->conf);

	if (assessment->ruling != NULL &&
		!minimum_keeps_pins(assessment->ruling->minimum, assessment->verdict))
		settings.strict_site = true;
	return settings;
}

struct reply reply_make_pinned(struct reply_context *context, const struct assessment *assessment,
	const struct ta_file_finding *finding, bool *missing)
{
	struct pins *pins = &context->pins;
	struct reply reply;

	*missing = false;
	pins->form = PIN_NOTHING;
	pins->obstacle = PIN_NO_DANE;
	if (assessment->evidence == NULL || exception_reply(assessment->ruling, &reply))
		return reply_make_native(context, assessment);
	struct pin_settings settings = settings_for(context, assessment);
	pin_collect(&settings, assessment->evidence, assessment->verdict, pins);
	switch (pins->form) {
	case PIN_FINGERPRINTS:
		reply = reply_level(TLS_LEVEL_FINGERPRINT);
		reply.match = MATCH_DIGESTS;
		reply.pins = pins;
		return reply;
	case PIN_TAS:
		if (make_secure(context, assessment, finding, missing, &reply))
			return reply;
		break;
	case PIN_ENCRYPT:
		return hold_minimum(context, assessment, reply_encrypt(site_level(context)));
	case PIN_NOTHING:
		break;
	}
	pins->form = PIN_NOTHING;
	return reply_make_native(context, assessment);
}

struct reply reply_make_requiretls(
	const struct reply_context *context, const struct assessment *assessment)
{
	const struct conf *conf = context->conf;
	struct reply native = reply_make_native(context, assessment);
	int action = conf->requiretls.otherwise;

	if (native.kind == REPLY_TEMP)
		return native;
	/* In monitor mode Postfix gets no policy, so tlsad authenticates nobody. */
	if (native.kind == REPLY_OK && conf->dane.mode != MODE_MONITOR &&
		(native.level == TLS_LEVEL_DANE_ONLY || native.level == TLS_LEVEL_SECURE))
		action = REQUIRETLS_ENFORCE;
	return (struct reply){
		.kind = REPLY_OK,
		.content = REPLY_TEXT,
		.text = conf_requiretls_names[action],
	};
}

struct reply reply_make_tlsa(struct reply_context *context, const struct assessment *assessment)
{
	const struct evidence *evidence = assessment->evidence;
	size_t count, size;

	if (evidence == NULL)
		return reply_notfound();
	if (assessment->verdict.level == VERDICT_TEMP)
		return reply_temp_of(evidence);
	/* For a client, records that it cannot use are the same as no records. */
	if (evidence->host_count == 0 || evidence->hosts[0].part.header.status != HOST_USABLE)
		return reply_notfound();
	bool whole = render_measure_tlsa(&evidence->hosts[0].part, &count, &size);
	if (!whole || size > RENDER_REPLY_MAX - sizeof "OK ") {
		snprintf(context->words, sizeof context->words,
			"the %zu TLSA records do not fit into a reply", count);
		return (struct reply){.kind = REPLY_PERM, .text = context->words};
	}
	return (struct reply){.kind = REPLY_OK, .content = REPLY_TLSA, .evidence = evidence};
}
