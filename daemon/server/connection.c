#include "daemon/server/connection.h"

#include "common/base/clock.h"
#include "daemon/server/worker.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The connection was active: move it to the end of the idle list. */
static void touch(struct connection *connection, uint64_t now)
{
	struct connection_list *idle = &connection->worker->idle;

	connection->last_active = now;
	if (TAILQ_NEXT(connection, link) == NULL)
		return;
	TAILQ_REMOVE(idle, connection, link);
	TAILQ_INSERT_TAIL(idle, connection, link);
}

void connection_close(struct connection *connection)
{
	struct worker *worker = connection->worker;

	if (connection->wait != NULL)
		connection->wait->connection = NULL;
	else
		TAILQ_REMOVE(&worker->idle, connection, link);
	if (connection->arrival != NULL)
		connection->arrival->connection = NULL;
	event_del(&connection->event);
	close(connection->fd);
	free(connection->input.bytes);
	free(connection->output.bytes);
	free(connection);
	counter_add(&worker->counters.connections, (uint64_t)-1);
	atomic_fetch_sub_explicit(&worker->all->connections, 1, memory_order_relaxed);
}

static bool keep(struct backlog *backlog, const char *bytes, size_t size)
{
	if (size == 0)
		return true;
	backlog->bytes = malloc(size);
	if (backlog->bytes == NULL)
		return false;
	memcpy(backlog->bytes, bytes, size);
	backlog->size = (uint32_t)size;
	backlog->done = 0;
	return true;
}

/* Add bytes at the end. */
static bool append(struct backlog *backlog, const char *bytes, size_t size)
{
	char *moved = realloc(backlog->bytes, backlog->size + size);
	if (moved == NULL)
		return false;
	memcpy(moved + backlog->size, bytes, size);
	backlog->bytes = moved;
	backlog->size += (uint32_t)size;
	return true;
}

static void drop(struct backlog *backlog)
{
	free(backlog->bytes);
	*backlog = (struct backlog){NULL, 0, 0};
}

static void handle_event(evutil_socket_t fd, short what, void *context);

static void watch(struct connection *connection, short what)
{
	event_del(&connection->event);
	event_assign(&connection->event, connection->worker->base, connection->fd,
		what | EV_PERSIST, handle_event, connection);
	event_add(&connection->event, NULL);
}

/* --- requests ------------------------------------------------------------------------------ */

/*
 * True if everything was written. False if the client reads too slowly, or if the connection has
 * failed; then `*alive` is false.
 */
static bool flush(struct connection *connection, struct batch *batch, bool *alive)
{
	const char *bytes = connection->worker->output + batch->begin;
	size_t size = batch->end - batch->begin;

	if (size == 0)
		return true;
	batch->begin = batch->end = 0;
	ssize_t written = write(connection->fd, bytes, size);
	if (written == (ssize_t)size)
		return true;
	if (written < 0) {
		if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) {
			*alive = false;
			return false;
		}
		written = 0;
	}
	*alive = keep(&connection->output, bytes + written, size - (size_t)written);
	return false;
}

/*
 * Handle the requests that have arrived and put the replies into the batch, until there are no more
 * or one must wait for a lookup. The remaining bytes are kept. The connection may be closed when
 * this returns.
 */
static void handle_input(
	struct connection *connection, struct batch *batch, struct arrival *arrival)
{
	struct worker *worker = connection->worker;
	const struct protocol *protocol = connection->protocol;
	union request *request = &arrival->first;
	bool alive = true, flowing = true, waits = false, bad = false;
	size_t at = 0, used = arrival->first_size;

	while (flowing && !waits) {
		/* take_arrival() may have parsed the first one already. */
		if (at > 0 || used == 0) {
			enum frame found = protocol->read(
				worker, arrival->bytes + at, arrival->size - at, request, &used);
			if (found != FRAME_WHOLE) {
				bad = found == FRAME_BAD;
				break;
			}
		}
		waits = protocol->reply(connection, batch, request) == REQUEST_WAITS;
		at += used;
		if (batch->end > OUTPUT_FLUSH)
			flowing = flush(connection, batch, &alive);
	}
	if (flowing)
		flowing = flush(connection, batch, &alive);
	if (bad && protocol->log_unreadable != NULL)
		protocol->log_unreadable(connection, arrival->bytes + at, arrival->size - at);
	/*
	 * Requests before the bad one have their replies. After it, the beginning of the next
	 * request cannot be found.
	 */
	if (!alive || bad || !keep(&connection->input, arrival->bytes + at, arrival->size - at)) {
		connection_close(connection);
		return;
	}
	if (!flowing)
		watch(connection, EV_WRITE);
	else if (waits)
		event_del(&connection->event);
}

/* --- events -------------------------------------------------------------------------------- */

/*
 * Count the replies of this turn of the event loop. All of them count with the time of the whole
 * turn, so that the clock is read once a turn and not once a request.
 */
static void count_time(struct worker *worker, uint64_t began)
{
	if (worker->replied == 0)
		return;
	histogram_add(&worker->counters.seconds, clock_exact_us() - began, worker->replied);
	worker->replied = 0;
}

void connection_handle_arrivals(evutil_socket_t fd, short what, void *context)
{
	struct worker *worker = context;

	(void)fd;
	(void)what;
	if (worker->arrival_count == 0)
		return;
	cache_notice_clock(worker->cache);
	for (unsigned i = 0; i < worker->arrival_count; i++) {
		struct arrival *arrival = &worker->arrivals[i];
		struct connection *connection = arrival->connection;
		struct batch batch = {0, 0};

		if (connection == NULL)
			continue;
		connection->arrival = NULL;
		connection->heard = true;
		touch(connection, worker->turn_began);
		handle_input(connection, &batch, arrival);
	}
	count_time(worker, worker->turn_began);
	worker->arrival_count = 0;
	worker->input_used = 0;
}

/* The connection has `size` new bytes at worker->input + worker->input_used. */
static void take_arrival(struct connection *connection, size_t size)
{
	struct worker *worker = connection->worker;
	struct arrival *arrival = &worker->arrivals[worker->arrival_count++];

	if (worker->arrival_count == 1)
		worker->turn_began = clock_exact_us();
	connection->arrival = arrival;
	arrival->connection = connection;
	arrival->bytes = worker->input + worker->input_used;
	arrival->size = size;
	worker->input_used += size;
	if (connection->protocol->read(worker, arrival->bytes, size, &arrival->first,
		    &arrival->first_size) != FRAME_WHOLE)
		arrival->first_size = 0;
	if (worker->arrival_count == ARRIVALS_MAX || worker->input_used >= INPUT_FULL)
		connection_handle_arrivals(-1, 0, worker);
	else if (worker->arrival_count == 1)
		/* It runs after all events that are active now, i.e. after all reads. */
		event_active(worker->handle_arrivals, EV_TIMEOUT, 0);
}

/* Move the bytes that the connection has kept to `place`; returns their number. */
static size_t take_kept(struct connection *connection, char *place)
{
	size_t kept = connection->input.size;

	if (kept > 0) {
		memcpy(place, connection->input.bytes, kept);
		drop(&connection->input);
	}
	return kept;
}

static void read_more(struct connection *connection)
{
	struct worker *worker = connection->worker;
	char *place = worker->input + worker->input_used;
	size_t kept = take_kept(connection, place);
	ssize_t got = read(connection->fd, place + kept, READ_MAX - kept);

	if (got > 0) {
		take_arrival(connection, kept + (size_t)got);
	} else if (got == 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)) {
		connection_close(connection);
	} else if (!keep(&connection->input, place, kept)) {
		connection_close(connection);
	}
}

/* The wait is over, or the output was written: handle the kept bytes, then read more. */
static void go_on(struct connection *connection, struct batch *batch)
{
	struct worker *worker = connection->worker;
	struct arrival arrival = {.bytes = worker->input + worker->input_used};

	arrival.size = take_kept(connection, worker->input + worker->input_used);
	watch(connection, EV_READ);
	uint64_t began = clock_exact_us();
	handle_input(connection, batch, &arrival);
	count_time(worker, began);
}

static void write_more(struct connection *connection)
{
	struct backlog *output = &connection->output;
	struct batch batch = {0, 0};
	ssize_t written =
		write(connection->fd, output->bytes + output->done, output->size - output->done);

	if (written < 0) {
		if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
			connection_close(connection);
		return;
	}
	if (connection->wait == NULL)
		touch(connection, clock_steady_us());
	output->done += (uint32_t)written;
	if (output->done < output->size)
		return;
	drop(output);
	if (connection->wait != NULL)
		event_del(&connection->event);
	else
		go_on(connection, &batch);
}

static void handle_event(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	if ((what & EV_WRITE) != 0)
		write_more(context);
	else
		read_more(context);
}

void connection_open(struct worker *worker, int fd, const struct protocol *protocol)
{
	struct connection *connection = calloc(1, sizeof *connection);

	if (connection == NULL) {
		close(fd);
		return;
	}
	connection->worker = worker;
	connection->protocol = protocol;
	connection->fd = fd;
	/* The exact clock: with a coarse one a new connection could seem older than an idle one. */
	connection->last_active = clock_exact_us();
	TAILQ_INSERT_TAIL(&worker->idle, connection, link);
	counter_add(&worker->counters.connections, 1);
	atomic_fetch_add_explicit(&worker->all->connections, 1, memory_order_relaxed);
	counter_add(&worker->counters.accepted, 1);
	event_assign(&connection->event, worker->base, fd, EV_READ | EV_PERSIST, handle_event,
		connection);
	if (event_add(&connection->event, NULL) != 0)
		connection_close(connection);
}

void connection_resume(struct wait *wait, const struct lookup_result *result, const char *why)
{
	struct connection *connection = wait->connection;
	struct worker *worker = connection->worker;
	struct batch batch = {0, 0};

	connection->protocol->finish(worker, &batch, wait, result, why);
	connection->wait = NULL;
	connection->last_active = clock_steady_us();
	TAILQ_INSERT_TAIL(&worker->idle, connection, link);
	/* Replies must stay in order: earlier ones that are not written yet go first. */
	if (connection->output.bytes == NULL)
		go_on(connection, &batch);
	else if (!append(&connection->output, worker->output + batch.begin,
			 batch.end - batch.begin))
		connection_close(connection);
}
