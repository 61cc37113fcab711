#include "common/render.h"

#include <string.h>

/* At `dane` a host without DANE is reached at `may`: is that less than the site asks for? */
static bool site_is_above_may(enum site_level site)
{
	return site == SITE_ENCRYPT || site >= SITE_DANE_ONLY;
}

struct reply render_native(struct verdict verdict, enum site_level site)
{
	switch (verdict.level) {
	case VERDICT_TEMP:
		return (struct reply){REPLY_TEMP, NULL};
	case VERDICT_DANE_ONLY:
		return (struct reply){REPLY_OK, "dane-only"};
	case VERDICT_DANE:
		if (!site_is_above_may(site))
			return (struct reply){REPLY_OK, "dane"};
		/* Unusable records make TLS mandatory: a site that asks for that gets it. */
		if (verdict.reason == REASON_DANE_UNUSABLE && site == SITE_ENCRYPT)
			return (struct reply){REPLY_OK, "encrypt"};
		return (struct reply){REPLY_NOTFOUND, NULL};
	case VERDICT_NOTFOUND:
		break;
	}
	return (struct reply){REPLY_NOTFOUND, NULL};
}

void render_failure(struct text *out, const struct part_failure *failure)
{
	text_add_escaped(out, failure->name, strlen(failure->name));
	text_add(out, " ");
	text_add(out, dns_type_name(failure->type));
	text_add(out, ": ");
	text_add(out, dns_failure_name(failure->failure));
	if (failure->detail[0] != '\0') {
		text_add(out, ": ");
		text_add_escaped(out, failure->detail, strlen(failure->detail));
	}
}

void render_reply(struct text *out, const struct reply *reply, const struct part_failure *failure)
{
	switch (reply->kind) {
	case REPLY_OK:
		text_add(out, "OK ");
		text_add(out, reply->policy);
		return;
	case REPLY_TEMP:
		text_add(out, "TEMP ");
		if (failure != NULL)
			render_failure(out, failure);
		else
			text_add(out, "lookup failed");
		return;
	case REPLY_PERM:
		text_add(out, "PERM ");
		return;
	default:
		/* The blank is part of the reply (socketmap_table(5)). */
		text_add(out, "NOTFOUND ");
	}
}
