/*
 * A dialogue with a mail server up to TLS: a byte (bit 0: TLS at once, bit 1: the end comes as a
 * reset, bit 2: `prepare` refuses), then what the server says, each piece with a length of one
 * byte (0 for 256), once the client has nothing more to do. Then the server hangs up.
 */
#include "common/smtp/starttls.h"

#include "t/fuzz/fuzz.h"

#include <errno.h>
#include <openssl/err.h>
#include <sys/socket.h>
#include <sys/un.h>

enum { TIMEOUT = 60 /* [s], longer than libFuzzer's own */, HEARD_MAX = 1024, TURNS = 3 };

static struct event_base *base;
static SSL_CTX *tls;
static struct sockaddr_un address; /* in the abstract namespace: it has no file (unix(7)) */
static socklen_t address_size = sizeof(sa_family_t);
static int listener = -1;

static struct {
	struct starttls *starttls;
	bool refuse, prepared;
	unsigned calls;
	enum starttls_outcome outcome;
	enum starttls_stage stage;
	int ours; /* the server's end */
	size_t heard_size;
	char heard[HEARD_MAX + 1];
} attempt;

static void make_listener(void)
{
	if (listener >= 0)
		return;
	base = event_base_new();
	tls = SSL_CTX_new(TLS_client_method());
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	address.sun_family = AF_UNIX;
	CHECK(base != NULL && tls != NULL && listener >= 0);
	CHECK(bind(listener, (struct sockaddr *)&address, address_size) == 0);
	address_size = sizeof address;
	CHECK(getsockname(listener, (struct sockaddr *)&address, &address_size) == 0);
	CHECK(listen(listener, 4) == 0);
}

static bool prepare(void *context, SSL *ssl)
{
	CHECK(context == &attempt && ssl != NULL && !attempt.prepared);
	attempt.prepared = true;
	return !attempt.refuse;
}

static void called(void *context, const struct starttls_result *result)
{
	CHECK(context == &attempt);
	attempt.calls++;
	attempt.outcome = result->outcome;
	attempt.stage = result->stage;
	CHECK(result->outcome < STARTTLS_OUTCOME_COUNT && result->stage < STARTTLS_STAGE_COUNT);
	CHECK(starttls_outcome_name(result->outcome) != NULL);
	size_t length = strnlen(result->detail, sizeof result->detail);
	CHECK(length < sizeof result->detail && fuzz_is_printable(result->detail, length));
	CHECK((result->ssl != NULL) == (result->outcome == STARTTLS_DONE));
	CHECK((length == 0) == (result->outcome == STARTTLS_DONE));
}

/* Let the client do what it can, and read what it says. */
static void turn(void)
{
	for (int i = 0; i < TURNS; i++)
		CHECK(event_base_loop(base, EVLOOP_NONBLOCK) >= 0);
	if (attempt.ours < 0)
		return;
	ssize_t got = recv(attempt.ours, attempt.heard + attempt.heard_size,
		HEARD_MAX - attempt.heard_size, MSG_DONTWAIT);
	if (got > 0)
		attempt.heard_size += (size_t)got;
}

static void begin(unsigned how)
{
	struct starttls_terms terms = {
		.base = base,
		.context = tls,
		.address_size = address_size,
		.server_name = "mx.example.com",
		.helo = "client.example.com",
		.protocol = (how & 1) != 0 ? STARTTLS_NONE : STARTTLS_SMTP,
		.timeout = TIMEOUT,
		.prepare = prepare,
	};

	memcpy(&terms.address, &address, sizeof address);
	memset(&attempt, 0, sizeof attempt);
	attempt.refuse = (how & 4) != 0;
	attempt.ours = -1;
	attempt.starttls = starttls_new(&terms, called, &attempt);
	CHECK(attempt.starttls != NULL && attempt.calls == 0);
	turn();
	attempt.ours = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	CHECK(attempt.ours >= 0);
	turn();
}

/* The client sends exactly these commands before TLS. */
static void check_heard(bool smtp)
{
	static const char ehlo[] = "EHLO client.example.com\r\n", starttls[] = "STARTTLS\r\n";
	const char *heard = attempt.heard;

	if (!smtp)
		return;
	if (strncmp(heard, ehlo, sizeof ehlo - 1) == 0)
		heard += sizeof ehlo - 1;
	if (strncmp(heard, starttls, sizeof starttls - 1) == 0 && heard > attempt.heard)
		heard += sizeof starttls - 1;
	if (heard[0] == '\0' || strcmp(heard, "QUIT\r\n") == 0)
		return;
	/* A TLS record: only after the whole dialogue. */
	CHECK(heard == attempt.heard + sizeof ehlo - 1 + sizeof starttls - 1);
	CHECK(heard[0] == 0x16 || heard[0] == 0x15);
	CHECK(attempt.prepared);
}

static void check_end(bool smtp)
{
	CHECK(attempt.calls == 1 && ERR_peek_error() == 0);
	/* No input can contain a whole handshake, whose keys are random. */
	CHECK(attempt.outcome != STARTTLS_TIMED_OUT);
	CHECK(attempt.outcome != STARTTLS_LOCAL || attempt.refuse);
	if (attempt.outcome == STARTTLS_TURNED_AWAY || attempt.outcome == STARTTLS_NOT_OFFERED ||
		attempt.outcome == STARTTLS_REFUSED || attempt.outcome == STARTTLS_NO_SMTP)
		CHECK(smtp && attempt.stage < STARTTLS_STAGE_HANDSHAKE && !attempt.prepared);
	if (attempt.outcome == STARTTLS_NO_TLS || attempt.outcome == STARTTLS_DONE)
		CHECK(attempt.stage >= STARTTLS_STAGE_HANDSHAKE && attempt.prepared);
	CHECK(attempt.prepared == (attempt.stage >= STARTTLS_STAGE_HANDSHAKE));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct fuzz_input input = {bytes, bytes + size};
	unsigned how = fuzz_u8(&input);

	make_listener();
	begin(how);
	while (fuzz_left(&input) > 0 && attempt.calls == 0) {
		size_t part, length = fuzz_u8(&input);
		const uint8_t *at = fuzz_take(&input, length > 0 ? length : 256, &part);
		if (part > 0 && send(attempt.ours, at, part, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
			CHECK(errno == EPIPE || errno == EAGAIN || errno == ECONNRESET);
		turn();
	}
	if ((how & 2) == 0)
		shutdown(attempt.ours, SHUT_WR);
	for (int i = 0; i < 20 && (how & 2) == 0; i++)
		turn();
	/* Closing without reading everything resets the connection. */
	fuzz_end_connection(attempt.ours);
	attempt.ours = -1;
	for (int i = 0; i < 20 && attempt.calls == 0; i++)
		turn();
	check_end((how & 1) == 0);
	check_heard((how & 1) == 0);
	starttls_free(attempt.starttls);
	CHECK(event_base_get_num_events(base, EVENT_BASE_COUNT_ADDED) == 0);
	return 0;
}
