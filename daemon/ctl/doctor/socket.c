#include "daemon/ctl/doctor/socket.h"

#include "common/base/clock.h"
#include "common/base/endpoint.h"
#include "common/base/netstring.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

enum {
	TIMEOUT = 2000, /* [ms] for connection and reply together */
	REPLY_SIZE = 8192,
};

enum socket_state {
	SOCKET_ANSWERS,
	SOCKET_NO_CONNECTION, /* see errno */
	SOCKET_SILENT,
	SOCKET_HANGS_UP,
	SOCKET_OTHER, /* it sent something that is not a reply */
};

/* The request for an endpoint: one that needs no lookup and takes no room in the cache. */
struct socket_protocol {
	const char *setting;
	const char *request;
	/* Returns SOCKET_SILENT if the reply is not complete. */
	enum socket_state (*read_reply)(const char *bytes, size_t size);
};

static enum socket_state read_netstring(const char *bytes, size_t size)
{
	const char *payload;
	size_t payload_size, consumed;

	switch (netstring_parse(
		bytes, size, REPLY_SIZE - NETSTRING_HEAD - 1, &payload, &payload_size, &consumed)) {
	case NETSTRING_COMPLETE:
		return SOCKET_ANSWERS;
	case NETSTRING_PARTIAL:
		return SOCKET_SILENT;
	default:
		return SOCKET_OTHER;
	}
}

static enum socket_state read_action(const char *bytes, size_t size)
{
	static const char begin[] = "action=";
	size_t length = size < sizeof begin - 1 ? size : sizeof begin - 1;

	if (memcmp(bytes, begin, length) != 0 || size == REPLY_SIZE)
		return SOCKET_OTHER;
	return size > length && memcmp(bytes + size - 2, "\n\n", 2) == 0 ? SOCKET_ANSWERS
									 : SOCKET_SILENT;
}

static const struct socket_protocol socketmap_protocol = {
	"socketmap", "9:explain .,", read_netstring};
static const struct socket_protocol policy_protocol = {
	"policy", "request=smtpd_access_policy\n\n", read_action};

/* False when the time is over. */
static bool wait_for(int fd, short what, uint64_t end)
{
	struct pollfd polled = {fd, what, 0};
	uint64_t now = clock_steady_us() / 1000;
	int ready = now < end ? poll(&polled, 1, (int)(end - now)) : 0;

	return ready > 0 || (ready < 0 && errno == EINTR);
}

static enum socket_state wait_for_reply(
	const struct socket_protocol *protocol, int fd, uint64_t end)
{
	char bytes[REPLY_SIZE];
	size_t used = 0;

	while (wait_for(fd, POLLIN, end)) {
		ssize_t got = recv(fd, bytes + used, sizeof bytes - used, 0);
		if (got < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (got <= 0)
			return SOCKET_HANGS_UP;
		used += (size_t)got;
		enum socket_state result = protocol->read_reply(bytes, used);
		if (result != SOCKET_SILENT)
			return result;
	}
	return SOCKET_SILENT;
}

static bool connect_to(int fd, const struct endpoint *endpoint, uint64_t end)
{
	int error = 0;
	socklen_t size = sizeof error;

	if (connect(fd, (const struct sockaddr *)&endpoint->address, endpoint->size) == 0)
		return true;
	if (errno != EINPROGRESS)
		return false;
	if (!wait_for(fd, POLLOUT, end)) {
		errno = ETIMEDOUT;
		return false;
	}
	getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
	errno = error;
	return error == 0;
}

static enum socket_state test_socket(
	const struct socket_protocol *protocol, const struct endpoint *endpoint)
{
	size_t size = strlen(protocol->request);
	uint64_t end = clock_steady_us() / 1000 + TIMEOUT;
	int fd = socket(endpoint->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	enum socket_state result = SOCKET_NO_CONNECTION;

	if (fd < 0)
		return result;
	if (connect_to(fd, endpoint, end))
		result = send(fd, protocol->request, size, MSG_NOSIGNAL) == (ssize_t)size
				 ? wait_for_reply(protocol, fd, end)
				 : SOCKET_HANGS_UP;
	int saved = errno;
	close(fd);
	errno = saved;
	return result;
}

/* Connect to a server that listens on every address over loopback. */
static void make_reachable(struct endpoint *endpoint)
{
	struct sockaddr_in *ipv4 = (struct sockaddr_in *)&endpoint->address;
	struct sockaddr_in6 *ipv6 = (struct sockaddr_in6 *)&endpoint->address;

	if (ipv4->sin_family == AF_INET && ipv4->sin_addr.s_addr == htonl(INADDR_ANY))
		ipv4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	else if (ipv6->sin6_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&ipv6->sin6_addr))
		ipv6->sin6_addr = in6addr_loopback;
}

static void add_no_connection(struct doctor *doctor, const char *entry, int error)
{
	if (error == EACCES || error == EPERM) {
		doctor_add(doctor, DOCTOR_SOCKET, entry, DOCTOR_UNKNOWN,
			"this account may not open it: %s", strerror(error));
		doctor_remedy(doctor, "run doctor as root");
		return;
	}
	doctor_add(doctor, DOCTOR_SOCKET, entry, DOCTOR_FAULT,
		error == ENOENT || error == ENOTDIR ? "there is no such socket"
		: error == ECONNREFUSED             ? "no process listens on it"
						    : "cannot connect to it: %s",
		strerror(error));
	doctor_remedy(doctor, "systemctl start tlsad; journalctl -u tlsad");
}

static void examine_endpoint(
	struct doctor *doctor, const struct socket_protocol *protocol, const char *entry)
{
	struct endpoint endpoint;
	struct stat status;
	char error[256];

	if (!endpoint_parse(&endpoint, entry, error, sizeof error))
		return;
	const char *path = ((const struct sockaddr_un *)&endpoint.address)->sun_path;
	if (endpoint.address.ss_family == AF_UNIX && lstat(path, &status) == 0 &&
		!S_ISSOCK(status.st_mode) && !S_ISLNK(status.st_mode)) {
		doctor_add(doctor, DOCTOR_SOCKET, entry, DOCTOR_FAULT, "this is not a socket");
		doctor_remedy(doctor, "%s %s; systemctl restart tlsad",
			S_ISDIR(status.st_mode) ? "rmdir" : "rm", path);
		return;
	}
	make_reachable(&endpoint);
	switch (test_socket(protocol, &endpoint)) {
	case SOCKET_ANSWERS:
		doctor_add(doctor, DOCTOR_SOCKET, entry, DOCTOR_OK, "tlsad replies");
		return;
	case SOCKET_NO_CONNECTION:
		add_no_connection(doctor, entry, errno);
		return;
	case SOCKET_SILENT:
		doctor_add(doctor, DOCTOR_SOCKET, entry, DOCTOR_FAULT,
			"a process listens on it but does not reply within 2 seconds");
		doctor_remedy(doctor, "systemctl restart tlsad; journalctl -u tlsad");
		return;
	case SOCKET_HANGS_UP:
		doctor_add(doctor, DOCTOR_SOCKET, entry, DOCTOR_FAULT,
			"the connection is closed without a reply");
		doctor_remedy(doctor, endpoint.address.ss_family == AF_UNIX
					      ? "systemctl restart tlsad; journalctl -u tlsad"
					      : "add this host to [server] allow in tlsad.conf");
		return;
	case SOCKET_OTHER:
		doctor_add(doctor, DOCTOR_SOCKET, entry, DOCTOR_FAULT,
			"a program other than tlsad listens on it");
		doctor_remedy(doctor,
			"stop that program, or choose another [server] %s in tlsad.conf",
			protocol->setting);
	}
}

void doctor_examine_sockets(struct doctor *doctor)
{
	const struct conf_list *list = &doctor->conf->server.socketmap;
	const struct conf_list *policy = &doctor->conf->server.policy;

	for (size_t i = 0; i < list->count; i++)
		examine_endpoint(doctor, &socketmap_protocol, list->entries[i]);
	if (list->count == 0) {
		doctor_add(doctor, DOCTOR_SOCKET, "", DOCTOR_FAULT,
			"[server] socketmap is empty, so Postfix has no endpoint to ask");
		doctor_remedy(doctor, "[server] socketmap = unix:" TLSAD_RUNDIR "/socketmap");
	}
	for (size_t i = 0; i < policy->count; i++) {
		/*
		 * tlsad works without this socket if it has the default path, so its absence is not
		 * a fault.
		 */
		if (strcmp(policy->entries[i], CONF_DEFAULT_POLICY) != 0 ||
			access(policy->entries[i] + strlen("unix:"), F_OK) == 0)
			examine_endpoint(doctor, &policy_protocol, policy->entries[i]);
	}
}

/* --- comparing with a table ------------------------------------------------------------------ */

static bool is_same_file(const char *one, const char *other)
{
	struct stat first, second;

	return strcmp(one, other) == 0 ||
	       (stat(one, &first) == 0 && stat(other, &second) == 0 &&
		       first.st_dev == second.st_dev && first.st_ino == second.st_ino);
}

/* An endpoint that listens on every address is the same as each of them. */
static bool is_same_address(const struct endpoint *endpoint, const struct endpoint *other)
{
	const struct sockaddr_in *ipv4 = (const struct sockaddr_in *)&endpoint->address;
	const struct sockaddr_in6 *ipv6 = (const struct sockaddr_in6 *)&endpoint->address;
	const struct sockaddr_in *other4 = (const struct sockaddr_in *)&other->address;
	const struct sockaddr_in6 *other6 = (const struct sockaddr_in6 *)&other->address;

	/* The port is at the same place in both. */
	if (ipv4->sin_port != other4->sin_port)
		return false;
	if (ipv6->sin6_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&ipv6->sin6_addr))
		return true;
	if (ipv4->sin_family != other4->sin_family)
		return false;
	if (ipv4->sin_family == AF_INET)
		return ipv4->sin_addr.s_addr == htonl(INADDR_ANY) ||
		       ipv4->sin_addr.s_addr == other4->sin_addr.s_addr;
	return IN6_ARE_ADDR_EQUAL(&ipv6->sin6_addr, &other6->sin6_addr);
}

bool doctor_socket_is(const char *entry, const char *address, bool is_unix)
{
	struct endpoint endpoint, other;
	char error[256], text[600];

	if (!endpoint_parse(&endpoint, entry, error, sizeof error) ||
		(endpoint.address.ss_family == AF_UNIX) != is_unix)
		return false;
	if (is_unix)
		return is_same_file(((struct sockaddr_un *)&endpoint.address)->sun_path, address);
	snprintf(text, sizeof text, "inet:%s", address);
	return endpoint_parse(&other, text, error, sizeof error) &&
	       is_same_address(&endpoint, &other);
}

bool doctor_socket_listens(const char *text)
{
	struct endpoint endpoint;
	char error[256];

	/* Postfix takes names of hosts and services as well. */
	if (!endpoint_parse(&endpoint, text, error, sizeof error))
		return true;
	int fd = socket(endpoint.address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	bool listens = fd < 0 || connect_to(fd, &endpoint, clock_steady_us() / 1000 + TIMEOUT) ||
		       (errno != ECONNREFUSED && errno != ENOENT && errno != ENOTDIR);
	if (fd >= 0)
		close(fd);
	return listens;
}
