#include "common/conf/conf.h"

#include "common/dns/resolver.h"
#include "common/verdict/pin.h"

struct resolver_settings conf_resolver_settings(const struct conf *conf)
{
	return (struct resolver_settings){
		.trust_anchor = conf->resolver.trust_anchor,
		.state_directory = conf->cache.path,
		.forwards = (const char *const *)conf->resolver.forward.entries,
		.forward_count = conf->resolver.forward.count,
		.stubs = (const char *const *)conf->resolver.stub.entries,
		.stub_count = conf->resolver.stub.count,
		.options_file = conf->resolver.options[0] != '\0' ? conf->resolver.options : NULL,
		.max_ttl = conf->cache.max_ttl,
		.query_localhost = conf->resolver.query_localhost,
	};
}

struct pin_settings conf_pin_settings(const struct conf *conf)
{
	return (struct pin_settings){
		.digest =
			conf->dane.fingerprint_digest == DIGEST_SHA512 ? TLSA_SHA512 : TLSA_SHA256,
		.tas = conf->dane.tafile_dir[0] != '\0',
		.learn = conf->dane.learn_trust_anchors,
		.strict_site = conf->dane.site_level >= TLS_LEVEL_DANE_ONLY,
	};
}

void conf_decide_settings(const struct conf *conf, struct decide_facts *facts)
{
	if (!conf->sts.enable)
		facts->sts = STS_ABSENT;
	facts->dane_behind_insecure_mx = conf->sts.insecure_mx == INSECURE_MX_DANE;
}
