#include "daemon/ctl/doctor/dns.h"

#include "common/base/log.h"
#include "daemon/ctl/frame/ip_address.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

enum {
	DNS_PORT = 53,
	VALIDATION_TIMEOUT = 15, /* [s], like the probe of the daemon */
};

/* Of https://www.iana.org/domains/root/servers: a, f and k, of three operators. */
static const char *const root_servers[] = {"198.41.0.4", "192.5.5.241", "193.0.14.129",
	"2001:503:ba3e::2:30", "2001:500:2f::f", "2001:7fd::1"};

/* ADDR[@PORT][#NAME] */
static bool read_address(const char *text, struct dns_target *target, struct exchange *exchange)
{
	char address[64];
	size_t length = strcspn(text, "@#");
	uint16_t port = DNS_PORT;

	if (length >= sizeof address)
		return false;
	memcpy(address, text, length);
	address[length] = '\0';
	if (text[length] == '@')
		port = (uint16_t)strtoul(text + length + 1, NULL, 10);
	target->over_tls = strchr(text, '#') != NULL;
	return ip_address_parse(address, port, &exchange->address, &exchange->address_size);
}

static void add_target(
	struct doctor_dns *dns, enum dns_target_kind kind, const char *zone, const char *address)
{
	struct exchange udp = {.fd = -1};

	if (dns->count == DNS_TARGETS_MAX)
		return;
	struct dns_target *target = &dns->targets[dns->count];
	memset(target, 0, sizeof *target);
	/* If the address cannot be read, libunbound reports it. */
	if (!read_address(address, target, &udp))
		return;
	target->kind = kind;
	target->exchange = 2 * dns->count;
	snprintf(target->name, sizeof target->name, "%s", address);
	snprintf(target->zone, sizeof target->zone, "%s", zone);
	snprintf(udp.zone, sizeof udp.zone, "%s", zone);
	udp.recurse = kind == TARGET_FORWARD || kind == TARGET_NAMESERVER;
	dns->exchanges[target->exchange] = udp;
	dns->exchanges[target->exchange + 1] = udp;
	dns->exchanges[target->exchange + 1].tcp = true;
	dns->count++;
}

/* ZONE ADDR */
static void add_stub(struct doctor_dns *dns, const char *stub)
{
	char zone[256];
	size_t length = strcspn(stub, " \t");

	if (length >= sizeof zone)
		return;
	memcpy(zone, stub, length);
	zone[length] = '\0';
	/* Without the final dot, except for the root. */
	if (length > 1 && zone[length - 1] == '.')
		zone[length - 1] = '\0';
	const char *address = stub + length + strspn(stub + length, " \t");
	add_target(dns, strcmp(zone, ".") == 0 ? TARGET_STUB_ROOT : TARGET_STUB, zone, address);
}

void doctor_dns_prepare(struct doctor_dns *dns, const struct conf *conf)
{
	bool root_known = conf->resolver.forward.count > 0;

	memset(dns, 0, sizeof *dns);
	for (size_t i = 0; i < conf->resolver.forward.count; i++)
		add_target(dns, TARGET_FORWARD, ".", conf->resolver.forward.entries[i]);
	for (size_t i = 0; i < conf->resolver.stub.count; i++)
		add_stub(dns, conf->resolver.stub.entries[i]);
	for (size_t i = 0; i < dns->count; i++)
		root_known = root_known || dns->targets[i].kind == TARGET_STUB_ROOT;
	for (size_t i = 0; !root_known && i < sizeof root_servers / sizeof root_servers[0]; i++)
		add_target(dns, TARGET_ROOT, ".", root_servers[i]);
}

void doctor_dns_add_nameserver(struct doctor_dns *dns, const char *address)
{
	if (doctor_dns_nameserver(dns, address) == NULL)
		add_target(dns, TARGET_NAMESERVER, ".", address);
}

const struct exchange *doctor_dns_nameserver(const struct doctor_dns *dns, const char *address)
{
	for (size_t i = 0; i < dns->count; i++) {
		const struct dns_target *target = &dns->targets[i];
		if (target->kind == TARGET_NAMESERVER && strcmp(target->name, address) == 0)
			return &dns->exchanges[target->exchange];
	}
	return NULL;
}

/* --- asking -------------------------------------------------------------------------------- */

static void finish_one(struct doctor_dns *dns)
{
	if (--dns->pending == 0)
		local_resolver_stop(dns->local);
}

static void all_exchanged(void *context)
{
	finish_one(context);
}

static void end_question(struct doctor_dns *dns)
{
	event_free(dns->timeout);
	dns->timeout = NULL;
	dns->query = NULL;
	dns->answered = true;
	finish_one(dns);
}

static void take_answer(void *context, const struct dns_answer *answer)
{
	struct doctor_dns *dns = context;

	dns->answer = *answer;
	dns->answer.packet = NULL;
	dns->answer.records = NULL;
	dns->answer.record_count = 0;
	end_question(dns);
}

static void give_up(evutil_socket_t fd, short what, void *context)
{
	struct doctor_dns *dns = context;

	(void)fd, (void)what;
	dns_query_cancel(dns->query);
	dns_answer_fail(&dns->answer, DNS_FAILURE_TIMEOUT, DNS_UNKNOWN, "no answer in time");
	end_question(dns);
}

static bool ask_resolver(struct doctor_dns *dns)
{
	static const struct timeval timeout = {.tv_sec = VALIDATION_TIMEOUT};

	dns->timeout = evtimer_new(dns->local->base, give_up, dns);
	if (dns->timeout == NULL || evtimer_add(dns->timeout, &timeout) != 0)
		return false;
	dns->query = dns_query_start(
		dns->local->resolver.dns, DNS_VIEW_FIRST, "", DNS_TYPE_NS, take_answer, dns);
	dns->pending += dns->query != NULL;
	return dns->query != NULL;
}

bool doctor_dns_run(struct doctor_dns *dns, struct local_resolver *local)
{
	dns->local = local;
	dns->pending = 1;
	dns->run = (struct exchange_run){
		.base = local->base,
		.list = dns->exchanges,
		.count = 2 * dns->count,
		.done = all_exchanged,
		.context = dns,
	};
	if (!exchange_run_start(&dns->run) || (local->resolver.dns != NULL && !ask_resolver(dns))) {
		log_error("out of memory");
		return false;
	}
	return local_resolver_run(local);
}

void doctor_dns_clear(struct doctor_dns *dns)
{
	exchange_run_clear(&dns->run);
	if (dns->query != NULL)
		dns_query_cancel(dns->query);
	if (dns->timeout != NULL)
		event_free(dns->timeout);
}
