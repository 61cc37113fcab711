#include "daemon/ctl/doctor/exchange.h"

#include <arpa/nameser.h>
#include <errno.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LENGTH_SIZE = 2 }; /* before a message over TCP (RFC 1035 4.2.2) */

static void clear(struct exchange *exchange)
{
	if (exchange->event != NULL)
		event_free(exchange->event);
	exchange->event = NULL;
	if (exchange->fd >= 0)
		close(exchange->fd);
	exchange->fd = -1;
	free(exchange->bytes);
	exchange->bytes = NULL;
}

static void finish(struct exchange *exchange, enum exchange_outcome outcome, int error)
{
	struct exchange_run *run = exchange->run;

	if (error == ENETUNREACH || error == EHOSTUNREACH || error == EADDRNOTAVAIL ||
		error == EAFNOSUPPORT)
		outcome = EXCHANGE_NO_ROUTE;
	exchange->outcome = outcome;
	exchange->error = error;
	clear(exchange);
	/*
	 * Let the timer call back, so that `done` is never called while exchanges are being
	 * started.
	 */
	if (--run->waiting == 0)
		event_active(run->timer, EV_TIMEOUT, 0);
}

static bool send_question(struct exchange *exchange)
{
	uint8_t bytes[LENGTH_SIZE + QUESTION_SIZE];
	size_t size =
		question_make(bytes + LENGTH_SIZE, exchange->zone, exchange->id, exchange->recurse);

	if (size == 0) {
		errno = EINVAL;
		return false;
	}
	ns_put16((uint16_t)size, bytes);
	const uint8_t *from = exchange->tcp ? bytes : bytes + LENGTH_SIZE;
	size += exchange->tcp ? LENGTH_SIZE : 0;
	/* This many bytes always fit into the empty buffer of a new connection. */
	exchange->sent = send(exchange->fd, from, size, MSG_NOSIGNAL) == (ssize_t)size;
	return exchange->sent;
}

static void read_answer(struct exchange *exchange, const uint8_t *bytes, size_t size)
{
	question_read(&exchange->answer, exchange->zone, exchange->id, bytes, size);
	/* Over UDP an answer that does not match may be forged: wait for the right one. */
	if (exchange->answer.matches)
		finish(exchange, EXCHANGE_ANSWERED, 0);
	else if (exchange->tcp)
		finish(exchange, EXCHANGE_FAILED, 0);
}

static void receive_udp(struct exchange *exchange)
{
	ssize_t got = recv(exchange->fd, exchange->bytes, EXCHANGE_TCP_MAX, 0);

	if (got >= 0)
		read_answer(exchange, exchange->bytes, (size_t)got);
	else if (errno != EAGAIN && errno != EINTR)
		finish(exchange, EXCHANGE_FAILED, errno);
}

static void receive_tcp(struct exchange *exchange)
{
	size_t most = LENGTH_SIZE + EXCHANGE_TCP_MAX;
	ssize_t got =
		recv(exchange->fd, exchange->bytes + exchange->used, most - exchange->used, 0);

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got <= 0) {
		finish(exchange, EXCHANGE_FAILED, got < 0 ? errno : ECONNRESET);
		return;
	}
	exchange->used += (size_t)got;
	size_t length = exchange->used >= LENGTH_SIZE ? ns_get16(exchange->bytes) : SIZE_MAX;
	if (length != SIZE_MAX && exchange->used >= LENGTH_SIZE + length)
		read_answer(exchange, exchange->bytes + LENGTH_SIZE, length);
}

static void take_event(evutil_socket_t fd, short what, void *context)
{
	struct exchange *exchange = context;
	int error = 0;
	socklen_t size = sizeof error;

	(void)what;
	if (exchange->sent) {
		(exchange->tcp ? receive_tcp : receive_udp)(exchange);
	} else if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error != 0 ||
		   !send_question(exchange)) {
		finish(exchange, EXCHANGE_FAILED, error != 0 ? error : errno);
	} else {
		event_del(exchange->event);
		event_assign(exchange->event, exchange->run->base, fd, EV_READ | EV_PERSIST,
			take_event, exchange);
		event_add(exchange->event, NULL);
	}
}

/* Errors are those of the network, or out of memory. */
static bool open_socket(struct exchange *exchange)
{
	int type = exchange->tcp ? SOCK_STREAM : SOCK_DGRAM;

	exchange->fd = socket(exchange->address.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	exchange->bytes = malloc(LENGTH_SIZE + EXCHANGE_TCP_MAX);
	if (exchange->fd < 0 || exchange->bytes == NULL)
		return false;
	return connect(exchange->fd, (const struct sockaddr *)&exchange->address,
		       exchange->address_size) == 0 ||
	       errno == EINPROGRESS;
}

static void start(struct exchange *exchange, struct exchange_run *run)
{
	uint8_t id[2] = {0};

	RAND_bytes(id, sizeof id);
	exchange->id = (uint16_t)(id[0] << 8 | id[1]);
	exchange->run = run;
	run->waiting++;
	if (!open_socket(exchange)) {
		finish(exchange, EXCHANGE_FAILED, errno);
		return;
	}
	exchange->event = event_new(run->base, exchange->fd, EV_WRITE, take_event, exchange);
	if (exchange->event == NULL || event_add(exchange->event, NULL) != 0)
		finish(exchange, EXCHANGE_FAILED, ENOMEM);
}

/* All exchanges start together and share one timer, so a slow server does not prolong the run. */
static void end(evutil_socket_t fd, short what, void *context)
{
	struct exchange_run *run = context;

	(void)fd, (void)what;
	for (size_t i = 0; i < run->count && run->waiting > 0; i++) {
		if (run->list[i].event == NULL)
			continue;
		run->list[i].outcome = EXCHANGE_SILENT;
		clear(&run->list[i]);
	}
	event_del(run->timer);
	run->waiting = 0;
	run->done(run->context);
}

bool exchange_run_start(struct exchange_run *run)
{
	static const struct timeval timeout = {.tv_sec = EXCHANGE_TIMEOUT};

	/*
	 * Count one more than there are, so that an exchange that ends at once does not end the
	 * run.
	 */
	run->waiting = 1;
	for (size_t i = 0; i < run->count; i++) {
		run->list[i].fd = -1;
		run->list[i].event = NULL;
		run->list[i].bytes = NULL;
	}
	run->timer = evtimer_new(run->base, end, run);
	if (run->timer == NULL || evtimer_add(run->timer, &timeout) != 0)
		return false;
	for (size_t i = 0; i < run->count; i++)
		start(&run->list[i], run);
	if (--run->waiting == 0)
		event_active(run->timer, EV_TIMEOUT, 0);
	return true;
}

void exchange_run_clear(struct exchange_run *run)
{
	for (size_t i = 0; run->timer != NULL && i < run->count; i++)
		clear(&run->list[i]);
	if (run->timer != NULL)
		event_free(run->timer);
	run->timer = NULL;
}
