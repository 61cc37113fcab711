#include "daemon/ctl/tlsa/session.h"

#include "common/base/log.h"
#include "daemon/ctl/tlsa/host_facts.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

enum { ERROR_SIZE = 640 };

static void take_signal(evutil_socket_t number, short what, void *context)
{
	struct session *session = context;

	(void)what;
	session->signal = (int)number;
	event_base_loopbreak(session->base);
}

bool session_load(struct session *session, const struct ctl *ctl, char *error, size_t error_size)
{
	char words[CONF_ERROR_SIZE];

	memset(session, 0, sizeof *session);
	session->conf = conf_load(ctl->conf_given ? ctl->conf_file : TLSAD_CONFDIR "/tlsad.conf",
		ctl->conf_given, NULL, 0, words);
	if (session->conf == NULL)
		snprintf(error, error_size, "%s", words);
	return session->conf != NULL;
}

bool session_begin(struct session *session, char *error, size_t error_size)
{
	snprintf(error, error_size, "out of memory");
	session->base = event_base_new();
	if (session->base == NULL)
		return false;
	session->interrupt = evsignal_new(session->base, SIGINT, take_signal, session);
	session->terminate = evsignal_new(session->base, SIGTERM, take_signal, session);
	return session->interrupt != NULL && session->terminate != NULL &&
	       event_add(session->interrupt, NULL) == 0 && event_add(session->terminate, NULL) == 0;
}

bool session_open_resolver(struct session *session, char *error, size_t error_size)
{
	return resolver_open(&session->resolver, session->base, session->conf, error, error_size);
}

bool session_open(struct session *session, const struct ctl *ctl)
{
	char error[ERROR_SIZE];

	if (session_load(session, ctl, error, sizeof error) &&
		session_begin(session, error, sizeof error) &&
		session_open_resolver(session, error, sizeof error))
		return true;
	log_error("%s", error);
	return false;
}

bool session_run(struct session *session)
{
	/* It may have come together with the end of what was waited for before. */
	if (session->signal != 0)
		return false;
	if (event_base_dispatch(session->base) < 0)
		log_error("the event loop failed");
	else if (session->signal == 0)
		return true;
	return false;
}

void session_stop(struct session *session)
{
	event_base_loopbreak(session->base);
}

void session_close(struct session *session)
{
	if (session->interrupt != NULL)
		event_free(session->interrupt);
	if (session->terminate != NULL)
		event_free(session->terminate);
	resolver_close(&session->resolver);
	if (session->base != NULL)
		event_base_free(session->base);
	conf_release(session->conf);
	libevent_global_shutdown();
	if (session->signal != 0) {
		signal(session->signal, SIG_DFL);
		raise(session->signal);
	}
}

struct dane_terms session_terms(const struct session *session)
{
	return (struct dane_terms){
		.base = session->base,
		.dns = session->resolver.dns,
		.view = DNS_VIEW_FIRST,
		.timeout = session->conf->resolver.timeout,
	};
}

/* --- one host ------------------------------------------------------------------------------ */

struct single {
	struct session *session;
	struct host_facts *facts;
};

static void take_facts(void *context, const struct host_facts *facts)
{
	struct single *single = context;

	single->facts = host_facts_copy(facts);
	session_stop(single->session);
}

struct host_facts *session_look_up_host(struct session *session, const char *name, uint16_t port)
{
	struct single single = {.session = session};
	struct dane_terms terms = session_terms(session);
	struct dane_host_lookup *lookup =
		dane_host_lookup_new(&terms, name, port, take_facts, &single);
	bool ended = lookup != NULL && session_run(session);

	dane_host_lookup_free(lookup);
	if (single.facts == NULL && (ended || lookup == NULL))
		log_error("out of memory");
	return single.facts;
}
