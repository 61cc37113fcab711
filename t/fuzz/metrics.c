/* HTTP requests to the metrics endpoint. libevent reads them; what it makes of them is ours. */
#include "daemon/metrics/metrics.h"

#include "t/fuzz/still_daemon.h"

#include "t/fuzz/fuzz.h"

#include <sys/socket.h>
#include <sys/un.h>

/* A socket in the abstract namespace, which leaves no file (unix(7)). */
static struct sockaddr_un address;
static socklen_t address_size = sizeof(sa_family_t);

static struct metrics *open_metrics(struct still_daemon *still)
{
	static struct counters_source counters;
	static struct listeners listeners;
	static struct metrics *metrics;

	if (metrics != NULL)
		return metrics;
	counters.cache = still->cache;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	address.sun_family = AF_UNIX;
	CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&address, address_size) == 0);
	address_size = sizeof address;
	CHECK(getsockname(fd, (struct sockaddr *)&address, &address_size) == 0);
	CHECK(listen(fd, 8) == 0);
	listeners.count = 1;
	listeners.sockets[0] = fd;
	listeners.inherited = true;
	memcpy(&listeners.endpoints[0].address, &address, sizeof address);
	listeners.endpoints[0].size = address_size;
	metrics = metrics_new(
		&(struct metrics_services){
			.base = still->base, .counters = &counters, .connections_max = 10},
		still->conf, &listeners);
	CHECK(metrics != NULL);
	return metrics;
}

/*
 * A response has a status that this endpoint uses, and the whole body that it announces. What
 * follows it is libevent's.
 */
static void check_response(const char *bytes, size_t size, bool head)
{
	static const char *const statuses[] = {
		"200", "400", "404", "405", "413", "417", "501", "503"};
	static const char go_on[] = " 100 Continue\r\n\r\n";
	bool known = false;

	/* Before a response there may be leave to send the body (RFC 9110 10.1.1). */
	const char *leave = memmem(bytes, size, go_on, sizeof go_on - 1);
	if (leave != NULL && memchr(bytes, '\n', (size_t)(leave - bytes)) == NULL) {
		size -= (size_t)(leave + sizeof go_on - 1 - bytes);
		bytes = leave + sizeof go_on - 1;
	}
	/* HTTP/0.9 has none; and libevent closes what it cannot read. */
	if (size == 0)
		return;
	char *text = fuzz_string(bytes, size);
	const char *status = strchr(text, ' ');
	CHECK(strlen(text) == size && strncmp(text, "HTTP/", 5) == 0 && status != NULL);
	for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++)
		known = known || strncmp(status + 1, statuses[i], 3) == 0;
	CHECK(known);
	const char *body = strstr(text, "\r\n\r\n"), *length = strstr(text, "Content-Length: ");
	CHECK(body != NULL);
	if (length != NULL && length < body && !head)
		CHECK(strtoul(length + 16, NULL, 10) <= strlen(body + 4));
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static char response[2 * METRICS_PAGE_SIZE];
	struct still_daemon *still = still_daemon();
	size_t used = 0, sent = 0;
	ssize_t got = -1;

	open_metrics(still);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	CHECK(fd >= 0 && connect(fd, (struct sockaddr *)&address, address_size) == 0);
	for (unsigned turn = 0; turn < 8 && got != 0; turn++) {
		ssize_t now = sent < size ? send(fd, bytes + sent, size - sent, MSG_NOSIGNAL) : 0;
		if (now > 0)
			sent += (size_t)now;
		if (turn == 4)
			shutdown(fd, SHUT_WR);
		still_daemon_run(still->base);
		while ((got = recv(fd, response + used, sizeof response - used, 0)) > 0)
			used += (size_t)got;
		CHECK(used < sizeof response);
	}
	fuzz_end_connection(fd);
	still_daemon_run(still->base);
	check_response(response, used, size >= 4 && memcmp(bytes, "HEAD", 4) == 0);
	return 0;
}
