/*
 * starttls: against a server in the same event loop that follows a script, up to the beginning of
 * TLS. Checks the outcome of each script, when and how often the callback is called, that
 * starttls_free() may be called at any moment, and that no SIGPIPE is raised. t/lab/starttls.t
 * tests it with a real TLS server.
 */
#include "common/smtp/starttls.h"

#include "common/smtp/socket_bio.h"
#include "t/unit/tap.h"

#include <errno.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LINES_MAX = 4, TIMEOUT = 20 /* [s], more than any test needs */ };

static struct event_base *base;
static SSL_CTX *tls;

/* --- a server with a script ---------------------------------------------------------------- */

enum ending { STAY, CLOSE, RESET };

static struct server {
	const char *const
		*lines; /* the first is sent at once, then one for each line from the client */
	size_t next;
	enum ending ending; /* when the script has ended */
	int fd, listener;
	struct event *accepting, *readable;
	struct sockaddr_in address;
	char heard[1024];
	size_t heard_size;
} server;

static void server_speak(void)
{
	const char *line = server.next < LINES_MAX ? server.lines[server.next] : NULL;

	if (line != NULL) {
		server.next++;
		if (send(server.fd, line, strlen(line), MSG_NOSIGNAL) < 0)
			diag("the server cannot speak: %s", strerror(errno));
	}
	if ((server.next < LINES_MAX && server.lines[server.next] != NULL) || server.ending == STAY)
		return;
	if (server.ending == RESET) {
		struct linger linger = {.l_onoff = 1};
		setsockopt(server.fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
	}
	event_del(server.readable);
	close(server.fd);
	server.fd = -1;
}

static void server_hear(evutil_socket_t fd, short what, void *context)
{
	(void)what, (void)context;
	ssize_t size = recv(fd, server.heard + server.heard_size,
		sizeof server.heard - 1 - server.heard_size, 0);
	if (size <= 0) {
		event_del(server.readable);
		return;
	}
	server.heard_size += (size_t)size;
	if (server.heard[server.heard_size - 1] == '\n')
		server_speak();
}

static void server_accept(evutil_socket_t fd, short what, void *context)
{
	(void)what, (void)context;
	server.fd = accept(fd, NULL, NULL);
	server.readable = event_new(base, server.fd, EV_READ | EV_PERSIST, server_hear, NULL);
	event_add(server.readable, NULL);
	server_speak();
}

static void server_begin(const char *const *lines, enum ending ending)
{
	socklen_t size = sizeof server.address;

	memset(&server, 0, sizeof server);
	server.lines = lines;
	server.ending = ending;
	server.fd = -1;
	server.address.sin_family = AF_INET;
	server.address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	server.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (bind(server.listener, (struct sockaddr *)&server.address, size) != 0 ||
		listen(server.listener, 4) != 0 ||
		getsockname(server.listener, (struct sockaddr *)&server.address, &size) != 0)
		bail_out("no loopback address");
	server.accepting = event_new(base, server.listener, EV_READ, server_accept, NULL);
	event_add(server.accepting, NULL);
}

static void server_end(void)
{
	event_free(server.accepting);
	if (server.readable != NULL)
		event_free(server.readable);
	if (server.fd >= 0)
		close(server.fd);
	if (server.listener >= 0)
		close(server.listener);
}

/* --- an attempt ---------------------------------------------------------------------------- */

static struct attempt {
	struct starttls *starttls;
	bool free_inside; /* the callback */
	bool prepared, refuse_to_prepare;
	unsigned calls;
	enum starttls_outcome outcome;
	enum starttls_stage stage;
	char detail[STARTTLS_DETAIL_SIZE];
} attempt;

static bool prepare(void *context, SSL *ssl)
{
	(void)ssl;
	attempt.prepared = context == &attempt;
	return !attempt.refuse_to_prepare;
}

static void called(void *context, const struct starttls_result *result)
{
	if (context != &attempt)
		bail_out("a callback with another context");
	attempt.calls++;
	attempt.outcome = result->outcome;
	attempt.stage = result->stage;
	strcpy(attempt.detail, result->detail);
	many((result->ssl != NULL) == (result->outcome == STARTTLS_DONE), "ssl only when done");
	if (attempt.free_inside) {
		starttls_free(attempt.starttls);
		attempt.starttls = NULL;
	}
	event_base_loopbreak(base);
}

static struct starttls_terms server_terms(void)
{
	struct starttls_terms terms = {
		.base = base,
		.context = tls,
		.address_size = sizeof server.address,
		.server_name = "mx.example.com",
		.helo = "client.example.com",
		.timeout = TIMEOUT,
		.prepare = prepare,
	};
	memcpy(&terms.address, &server.address, sizeof server.address);
	return terms;
}

static void attempt_begin(const struct starttls_terms *terms)
{
	bool refuse = attempt.refuse_to_prepare, inside = attempt.free_inside;

	memset(&attempt, 0, sizeof attempt);
	attempt.refuse_to_prepare = refuse;
	attempt.free_inside = inside;
	attempt.starttls = starttls_new(terms, called, &attempt);
	if (attempt.starttls == NULL)
		bail_out("out of memory");
}

/* Run the loop a little longer, for events after the callback. */
static void run_once_more(void)
{
	const struct timeval moment = {.tv_usec = 20000};

	event_base_loopexit(base, &moment);
	event_base_dispatch(base);
}

static void attempt_run(const struct starttls_terms *terms)
{
	attempt_begin(terms);
	many(attempt.calls == 0, "no callback inside starttls_new()");
	event_base_dispatch(base);
	run_once_more();
	many(attempt.calls == 1, "%u callbacks", attempt.calls);
	many(ERR_peek_error() == 0, "no OpenSSL error remains");
	starttls_free(attempt.starttls);
	attempt.starttls = NULL;
}

/* --- scripts ------------------------------------------------------------------------------- */

#define GREETING "220 mx.example.com ESMTP\r\n"
#define OFFER "250-mx.example.com\r\n250-PIPELINING\r\n250 STARTTLS\r\n"
#define SAID_EHLO "EHLO client.example.com\r\n"

static const struct script {
	const char *name;
	const char *lines[LINES_MAX];
	enum ending ending;
	enum starttls_outcome outcome;
	enum starttls_stage stage;
	const char *detail;
	const char *heard; /* NULL: not checked */
} scripts[] = {
	{"closes at once", {NULL}, CLOSE, STARTTLS_CLOSED, STARTTLS_STAGE_GREETING,
		"the server closed the connection before the greeting", ""},
	{"resets at once", {NULL}, RESET, STARTTLS_CLOSED, STARTTLS_STAGE_GREETING, NULL, ""},
	{"closes within the greeting", {"220-mx"}, CLOSE, STARTTLS_CLOSED, STARTTLS_STAGE_GREETING,
		"the server closed the connection before the greeting", ""},
	{"greets and closes", {GREETING}, CLOSE, STARTTLS_CLOSED, STARTTLS_STAGE_EHLO, NULL, NULL},
	{"greets and resets", {GREETING}, RESET, STARTTLS_CLOSED, STARTTLS_STAGE_EHLO, NULL, NULL},
	{"closes after EHLO", {GREETING, ""}, CLOSE, STARTTLS_CLOSED, STARTTLS_STAGE_EHLO,
		"the server closed the connection before the reply to EHLO", SAID_EHLO},
	{"closes after STARTTLS", {GREETING, OFFER, ""}, CLOSE, STARTTLS_CLOSED,
		STARTTLS_STAGE_STARTTLS,
		"the server closed the connection before the reply to STARTTLS",
		SAID_EHLO "STARTTLS\r\n"},
	{"greets with 554", {"554 5.7.1 go \x07 away\r\n"}, STAY, STARTTLS_TURNED_AWAY,
		STARTTLS_STAGE_GREETING, "554 5.7.1 go \\x07 away", "QUIT\r\n"},
	{"greets with 554 and closes", {"554-no\r\n554 mail\r\n"}, CLOSE, STARTTLS_TURNED_AWAY,
		STARTTLS_STAGE_GREETING, "554 no mail", ""},
	{"greets with 421", {"421 busy\r\n"}, STAY, STARTTLS_TURNED_AWAY, STARTTLS_STAGE_GREETING,
		"421 busy", "QUIT\r\n"},
	{"answers EHLO with 502", {GREETING, "502 what\r\n"}, STAY, STARTTLS_TURNED_AWAY,
		STARTTLS_STAGE_EHLO, "502 what", SAID_EHLO "QUIT\r\n"},
	{"answers EHLO with 421", {GREETING, "421 late\r\n"}, CLOSE, STARTTLS_TURNED_AWAY,
		STARTTLS_STAGE_EHLO, "421 late", SAID_EHLO},
	{"does not offer STARTTLS", {GREETING, "250-mx\r\n250 STARTTLSX\r\n"}, STAY,
		STARTTLS_NOT_OFFERED, STARTTLS_STAGE_EHLO, "the server does not offer STARTTLS",
		SAID_EHLO "QUIT\r\n"},
	{"answers STARTTLS with 454", {GREETING, OFFER, "454 no TLS\r\n"}, STAY, STARTTLS_REFUSED,
		STARTTLS_STAGE_STARTTLS, "454 no TLS", SAID_EHLO "STARTTLS\r\nQUIT\r\n"},
	{"answers STARTTLS with 502", {GREETING, OFFER, "502 no\r\n"}, STAY, STARTTLS_REFUSED,
		STARTTLS_STAGE_STARTTLS, "502 no", SAID_EHLO "STARTTLS\r\nQUIT\r\n"},
	{"answers STARTTLS with 421", {GREETING, OFFER, "421 no\r\n"}, STAY, STARTTLS_TURNED_AWAY,
		STARTTLS_STAGE_STARTTLS, "421 no", SAID_EHLO "STARTTLS\r\nQUIT\r\n"},
	{"is SSH", {"SSH-2.0-OpenSSH\n"}, STAY, STARTTLS_NO_SMTP, STARTTLS_STAGE_GREETING,
		"not an SMTP reply: \"SSH-2.0-OpenSSH\"", ""},
	{"greets with 354", {"354 go on\r\n"}, STAY, STARTTLS_NO_SMTP, STARTTLS_STAGE_GREETING,
		"unexpected reply: 354 go on", ""},
	{"says more than the greeting", {GREETING "250 mx\r\n"}, STAY, STARTTLS_NO_SMTP,
		STARTTLS_STAGE_GREETING, "unexpected data after the greeting: \"250 mx\\x0d\\x0a\"",
		""},
	{"greets and says 421 at once", {GREETING "421 changed my mind\r\n"}, CLOSE,
		STARTTLS_TURNED_AWAY, STARTTLS_STAGE_GREETING, "421 changed my mind", ""},
	{"says 421 after the reply to EHLO", {GREETING, OFFER "421 closing\r\n"}, CLOSE,
		STARTTLS_TURNED_AWAY, STARTTLS_STAGE_EHLO, "421 closing", SAID_EHLO},
	{"says more than the reply to EHLO", {GREETING, OFFER "220 go\r\n"}, STAY, STARTTLS_NO_SMTP,
		STARTTLS_STAGE_EHLO,
		"unexpected data after the reply to EHLO: \"220 go\\x0d\\x0a\"", SAID_EHLO},
	{"says more than the go-ahead", {GREETING, OFFER, "220 go\r\n250 mx\r\n"}, STAY,
		STARTTLS_NO_SMTP, STARTTLS_STAGE_STARTTLS,
		"unexpected data after the reply to STARTTLS: \"250 mx\\x0d\\x0a\"",
		SAID_EHLO "STARTTLS\r\n"},
	{"says 421 after the go-ahead", {GREETING, OFFER, "220 go\r\n421 mx\r\n"}, STAY,
		STARTTLS_NO_SMTP, STARTTLS_STAGE_STARTTLS,
		"unexpected data after the reply to STARTTLS: \"421 mx\\x0d\\x0a\"",
		SAID_EHLO "STARTTLS\r\n"},
	{"closes after the go-ahead", {GREETING, OFFER, "220 go\r\n"}, CLOSE, STARTTLS_CLOSED,
		STARTTLS_STAGE_HANDSHAKE, NULL, NULL},
};

static void run_script(const struct script *script)
{
	server_begin(script->lines, script->ending);
	struct starttls_terms terms = server_terms();
	attempt_run(&terms);
	many(attempt.outcome == script->outcome && attempt.stage == script->stage, "%s in stage %s",
		starttls_outcome_name(attempt.outcome), starttls_stage_name(attempt.stage));
	many(script->detail == NULL
			? strncmp(attempt.detail, "the server closed the connection", 32) == 0
			: strcmp(attempt.detail, script->detail) == 0,
		"detail: %s", attempt.detail);
	many(script->heard == NULL || strcmp(server.heard, script->heard) == 0, "heard: %s",
		server.heard);
	server_end();
}

static void test_scripts(void)
{
	for (size_t i = 0; i < sizeof scripts / sizeof scripts[0]; i++) {
		many_begin(scripts[i].name);
		/* Free it after the callback, then inside it. */
		attempt.free_inside = false;
		run_script(&scripts[i]);
		attempt.free_inside = true;
		run_script(&scripts[i]);
		many_end();
	}
	attempt.free_inside = false;
}

/* --- what else ends it --------------------------------------------------------------------- */

static void test_no_connection(void)
{
	server_begin((const char *const[LINES_MAX]){NULL}, STAY);
	struct starttls_terms terms = server_terms();

	event_del(server.accepting);
	close(server.listener);
	server.listener = -1;
	many_begin("nobody listens");
	attempt_run(&terms);
	many(attempt.outcome == STARTTLS_NO_CONNECTION && attempt.stage == STARTTLS_STAGE_CONNECT &&
			strcmp(attempt.detail, "Connection refused") == 0,
		"%s: %s", starttls_outcome_name(attempt.outcome), attempt.detail);
	terms.address.ss_family = AF_UNSPEC;
	attempt_run(&terms);
	many(attempt.outcome == STARTTLS_NO_CONNECTION, "no family: %s", attempt.detail);
	many_end();
	server_end();
}

static const struct {
	const char *lines[LINES_MAX];
	enum starttls_stage stage;
	const char *detail;
} silences[] = {
	{{NULL}, STARTTLS_STAGE_GREETING, "timed out after 1 s before the greeting"},
	{{"220-mx\r\n"}, STARTTLS_STAGE_GREETING, "timed out after 1 s before the greeting"},
	{{GREETING}, STARTTLS_STAGE_EHLO, "timed out after 1 s before the reply to EHLO"},
	{{GREETING, OFFER}, STARTTLS_STAGE_STARTTLS,
		"timed out after 1 s before the reply to STARTTLS"},
	{{GREETING, OFFER, "220 go\n"}, STARTTLS_STAGE_HANDSHAKE,
		"timed out after 1 s in the TLS handshake"},
};

static void test_silence(void)
{
	for (size_t i = 0; i < sizeof silences / sizeof silences[0]; i++) {
		server_begin(silences[i].lines, STAY);
		struct starttls_terms terms = server_terms();
		terms.timeout = 1;
		many_begin(silences[i].detail);
		attempt_run(&terms);
		many(attempt.outcome == STARTTLS_TIMED_OUT && attempt.stage == silences[i].stage &&
				strcmp(attempt.detail, silences[i].detail) == 0,
			"%s: %s", starttls_outcome_name(attempt.outcome), attempt.detail);
		many_end();
		server_end();
	}
}

/* A deadline that passes after the end has no effect, even if the attempt is not freed yet. */
static void test_late_deadline(void)
{
	const struct timeval longer = {.tv_sec = 1, .tv_usec = 200000};

	server_begin((const char *const[LINES_MAX]){"554 no\r\n"}, STAY);
	struct starttls_terms terms = server_terms();
	terms.timeout = 1;
	attempt_begin(&terms);
	event_base_dispatch(base);
	event_base_loopexit(base, &longer);
	event_base_dispatch(base);
	ok(attempt.calls == 1 && attempt.outcome == STARTTLS_TURNED_AWAY,
		"no second callback when the time is over");
	starttls_free(attempt.starttls);
	server_end();
}

static void test_local(void)
{
	static const char *const lines[LINES_MAX] = {GREETING, OFFER, "220 go\r\n"};
	char long_name[600];

	server_begin(lines, STAY);
	struct starttls_terms terms = server_terms();
	attempt.refuse_to_prepare = true;
	many_begin("the caller refuses to go on");
	attempt_run(&terms);
	many(attempt.prepared && attempt.outcome == STARTTLS_LOCAL &&
			attempt.stage == STARTTLS_STAGE_HANDSHAKE,
		"%s: %s", starttls_outcome_name(attempt.outcome), attempt.detail);
	many_end();
	attempt.refuse_to_prepare = false;
	server_end();

	memset(long_name, 'x', sizeof long_name);
	long_name[sizeof long_name - 1] = '\0';
	server_begin(lines, STAY);
	terms = server_terms();
	terms.helo = long_name;
	many_begin("a name for EHLO that does not fit in a command");
	attempt_run(&terms);
	many(attempt.outcome == STARTTLS_LOCAL, "%s: %s", starttls_outcome_name(attempt.outcome),
		attempt.detail);
	many_end();
	server_end();
}

/* --- freed before its callback ------------------------------------------------------------- */

static void test_free_early(void)
{
	static const char *const lines[LINES_MAX] = {GREETING, OFFER, "220 go\r\n"};

	many_begin("freed after a number of turns of the loop");
	for (int turns = 0; turns < 12; turns++) {
		server_begin(lines, STAY);
		struct starttls_terms terms = server_terms();
		attempt_begin(&terms);
		for (int i = 0; i < turns; i++)
			event_base_loop(base, EVLOOP_NONBLOCK);
		starttls_free(attempt.starttls);
		run_once_more();
		many(attempt.calls == 0, "%d turns: no callback comes", turns);
		server_end();
	}
	many_end();
	starttls_free(NULL);
}

/* --- the BIO ------------------------------------------------------------------------------- */

static void test_socket_bio(void)
{
	char bytes[8] = "";
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) != 0)
		bail_out("no socket pair");
	struct socket_bio socket = {.fd = pair[0], .budget = 4};
	BIO *bio = socket_bio_new(&socket);
	ok(BIO_read(bio, bytes, sizeof bytes) < 0 && BIO_should_read(bio) && !socket.closed,
		"nothing to read: try again");
	ok(BIO_write(bio, "abc", 3) == 3 && recv(pair[1], bytes, sizeof bytes, 0) == 3,
		"what is written arrives");
	ok(send(pair[1], "abcdef", 6, 0) == 6 && BIO_read(bio, bytes, sizeof bytes) == 4,
		"no more is read than the budget");
	ok(BIO_read(bio, bytes, sizeof bytes) < 0 && !BIO_should_retry(bio) && socket.exhausted,
		"and then no more");
	close(pair[1]);
	ok(BIO_write(bio, "abc", 3) < 0 && !BIO_should_retry(bio) && socket.error == EPIPE,
		"writing to nobody is an error and no signal");
	socket.budget = 10;
	ok(BIO_read(bio, bytes, sizeof bytes) == 2 && BIO_read(bio, bytes, sizeof bytes) == 0 &&
			!BIO_should_retry(bio) && socket.closed,
		"what came is read up to its end");
	BIO_free(bio);
	ok(close(pair[0]) == 0, "the descriptor was left open");
}

static void test_names(void)
{
	many_begin("every outcome and stage has a name");
	for (int i = 0; i < STARTTLS_OUTCOME_COUNT; i++)
		many(strspn(starttls_outcome_name((enum starttls_outcome)i),
			     "abcdefghijklmnopqrstuvwxyz-") ==
				strlen(starttls_outcome_name((enum starttls_outcome)i)),
			"outcome %d", i);
	for (int i = 0; i < STARTTLS_STAGE_COUNT; i++)
		many(starttls_stage_name((enum starttls_stage)i)[0] != '\0', "stage %d", i);
	many_end();
}

int main(void)
{
	/* The signal would end the test, so nothing may raise it. */
	signal(SIGPIPE, SIG_DFL);
	base = event_base_new();
	tls = SSL_CTX_new(TLS_client_method());
	if (base == NULL || tls == NULL)
		bail_out("out of memory");
	test_names();
	test_scripts();
	test_no_connection();
	test_silence();
	test_late_deadline();
	test_local();
	test_free_early();
	test_socket_bio();
	SSL_CTX_free(tls);
	event_base_free(base);
	return done_testing();
}
