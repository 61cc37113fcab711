#include "common/base/endpoint.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

/* Connections that wait in the kernel to be accepted; net.core.somaxconn limits it further. */
enum { LISTEN_BACKLOG = 4096 };

static bool parse_unix(struct endpoint *endpoint, const char *path, char *error, size_t error_size)
{
	struct sockaddr_un *address = (struct sockaddr_un *)&endpoint->address;

	if (path[0] != '/') {
		snprintf(error, error_size, "the path must begin with a slash");
		return false;
	}
	if (strlen(path) >= sizeof address->sun_path) {
		snprintf(error, error_size,
			"the path is longer than %zu bytes; choose a shorter one",
			sizeof address->sun_path - 1);
		return false;
	}
	address->sun_family = AF_UNIX;
	strcpy(address->sun_path, path);
	endpoint->size = sizeof *address;
	return true;
}

static bool parse_inet(struct endpoint *endpoint, const char *text, char *error, size_t error_size)
{
	char host[64];
	const char *colon = strrchr(text, ':');
	size_t length = colon != NULL ? (size_t)(colon - text) : 0;
	struct addrinfo hints = {
		.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
		.ai_socktype = SOCK_STREAM,
	};
	struct addrinfo *found = NULL;

	snprintf(error, error_size,
		"expected inet:ADDRESS:PORT: a numeric address, IPv6 in brackets, and a port from 1 to "
		"65535");
	if (length == 0 || length >= sizeof host || colon[1] < '0' || colon[1] > '9')
		return false;
	if (text[0] == '[' && text[length - 1] == ']') {
		text++;
		length -= 2;
	} else if (memchr(text, ':', length) != NULL) {
		return false;
	}
	snprintf(host, sizeof host, "%.*s", (int)length, text);
	if (strcmp(host, "localhost") == 0)
		strcpy(host, "127.0.0.1");
	/* One socket serves every address: the IPv6 wildcard, which accepts IPv4 as well. */
	if (strcmp(host, "*") == 0)
		strcpy(host, "::");
	unsigned long port = strtoul(colon + 1, NULL, 10);
	if (port == 0 || port > UINT16_MAX || getaddrinfo(host, colon + 1, &hints, &found) != 0)
		return false;
	memcpy(&endpoint->address, found->ai_addr, found->ai_addrlen);
	endpoint->size = found->ai_addrlen;
	freeaddrinfo(found);
	return true;
}

bool endpoint_parse(struct endpoint *endpoint, const char *text, char *error, size_t error_size)
{
	memset(endpoint, 0, sizeof *endpoint);
	if (strncmp(text, "unix:", 5) == 0)
		return parse_unix(endpoint, text + 5, error, error_size);
	if (strncmp(text, "inet:", 5) == 0)
		return parse_inet(endpoint, text + 5, error, error_size);
	snprintf(error, error_size, "expected unix:PATH or inet:ADDRESS:PORT");
	return false;
}

const char *endpoint_path(const struct endpoint *endpoint)
{
	return endpoint->address.ss_family == AF_UNIX
		       ? ((const struct sockaddr_un *)&endpoint->address)->sun_path
		       : NULL;
}

/*
 * A link-local address is only complete with its interface (RFC 4007 11). Of others the C library
 * reads no more than the number.
 */
static void print_zone(const struct sockaddr_in6 *address, char zone[1 + IF_NAMESIZE])
{
	uint32_t interface = address->sin6_scope_id;
	char name[IF_NAMESIZE];

	if (interface == 0)
		zone[0] = '\0';
	else if (IN6_IS_ADDR_LINKLOCAL(&address->sin6_addr) &&
		 if_indextoname(interface, name) != NULL)
		snprintf(zone, 1 + IF_NAMESIZE, "%%%s", name);
	else
		snprintf(zone, 1 + IF_NAMESIZE, "%%%u", interface);
}

void endpoint_print(const struct endpoint *endpoint, char text[ENDPOINT_TEXT_SIZE])
{
	const struct sockaddr_in6 *address = (const struct sockaddr_in6 *)&endpoint->address;
	const struct sockaddr_un *local = (const struct sockaddr_un *)&endpoint->address;
	int family = endpoint->address.ss_family;
	char host[INET6_ADDRSTRLEN] = "?", zone[1 + IF_NAMESIZE];

	if (family == AF_UNIX) {
		/* An abstract socket's name begins with a NUL byte, written as "@" (unix(7)). */
		snprintf(text, ENDPOINT_TEXT_SIZE, "unix:%s%.*s",
			local->sun_path[0] == '\0' ? "@" : "", (int)sizeof local->sun_path - 1,
			local->sun_path + (local->sun_path[0] == '\0'));
	} else if (family == AF_INET) {
		const struct sockaddr_in *ipv4 = (const struct sockaddr_in *)&endpoint->address;
		inet_ntop(AF_INET, &ipv4->sin_addr, host, sizeof host);
		snprintf(text, ENDPOINT_TEXT_SIZE, "inet:%s:%u", host, ntohs(ipv4->sin_port));
	} else {
		inet_ntop(AF_INET6, &address->sin6_addr, host, sizeof host);
		print_zone(address, zone);
		if (IN6_IS_ADDR_UNSPECIFIED(&address->sin6_addr) && zone[0] == '\0')
			snprintf(text, ENDPOINT_TEXT_SIZE, "inet:*:%u", ntohs(address->sin6_port));
		else
			snprintf(text, ENDPOINT_TEXT_SIZE, "inet:[%s%s]:%u", host, zone,
				ntohs(address->sin6_port));
	}
}

/*
 * Does a process listen on this unix socket? 0 if it does, ECONNREFUSED or ENOENT if it does not,
 * another errno if that is unknown.
 */
static int try_to_connect(const struct endpoint *endpoint)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int result = errno;

	if (fd < 0)
		return result;
	result = connect(fd, (const struct sockaddr *)&endpoint->address, endpoint->size) == 0
			 ? 0
			 : errno;
	close(fd);
	/* EAGAIN: its backlog is full, so a process listens. */
	return result == EAGAIN ? 0 : result;
}

/* Remove an old socket at the endpoint's path, but only if no process listens on it. */
static bool remove_old_socket(const struct endpoint *endpoint, char *error, size_t error_size)
{
	const char *path = endpoint_path(endpoint);
	struct stat status;

	if (lstat(path, &status) != 0)
		return true;
	if (!S_ISSOCK(status.st_mode)) {
		snprintf(error, error_size,
			"%s exists and is not a socket; remove it or choose another path", path);
		return false;
	}
	int status_of_listener = try_to_connect(endpoint);
	if (status_of_listener == 0) {
		snprintf(error, error_size,
			"another process listens on %s; stop it or choose another path", path);
		return false;
	}
	/*
	 * On any other error, such as EACCES for a socket of another account, a process may listen:
	 * do not remove its socket, even if the directory's permissions allow it.
	 */
	if (status_of_listener != ECONNREFUSED && status_of_listener != ENOENT) {
		snprintf(error, error_size,
			"cannot find out whether a process listens on the socket %s: %s; remove "
			"it or choose another path",
			path, strerror(status_of_listener));
		return false;
	}
	if (unlink(path) != 0) {
		snprintf(error, error_size,
			"cannot remove the old socket %s: %s; remove it or choose another path",
			path, strerror(errno));
		return false;
	}
	return true;
}

/* The umask during bind(2) sets the mode before anybody can connect; chmod(2) would be later. */
static int bind_unix(int fd, const struct endpoint *endpoint, mode_t mode)
{
	mode_t before = umask((mode_t)(~mode & 0777));
	int result = bind(fd, (const struct sockaddr *)&endpoint->address, endpoint->size);
	umask(before);
	return result;
}

static bool is_any(const struct endpoint *endpoint)
{
	const struct sockaddr_in6 *address = (const struct sockaddr_in6 *)&endpoint->address;
	return address->sin6_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&address->sin6_addr);
}

static struct endpoint any_of_ipv4(const struct endpoint *endpoint)
{
	struct endpoint ipv4 = {.size = sizeof(struct sockaddr_in)};
	struct sockaddr_in *address = (struct sockaddr_in *)&ipv4.address;

	address->sin_family = AF_INET;
	address->sin_port = ((const struct sockaddr_in6 *)&endpoint->address)->sin6_port;
	return ipv4;
}

int endpoint_listen(const struct endpoint *endpoint, mode_t mode, char *error, size_t error_size)
{
	int family = endpoint->address.ss_family;
	int on = 1, off = 0;

	if (family == AF_UNIX && !remove_old_socket(endpoint, error, error_size))
		return -1;
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 && errno == EAFNOSUPPORT && is_any(endpoint)) {
		/* This host has no IPv6: use the IPv4 wildcard. */
		struct endpoint ipv4 = any_of_ipv4(endpoint);
		return endpoint_listen(&ipv4, mode, error, error_size);
	}
	if (fd < 0) {
		snprintf(error, error_size,
			"cannot create a socket: %s; check the limit on open files, and "
			"that this host supports the address family",
			strerror(errno));
		return -1;
	}
	if (family != AF_UNIX)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
	int result = family == AF_UNIX ? bind_unix(fd, endpoint, mode)
				       : bind(fd, (const struct sockaddr *)&endpoint->address,
						 endpoint->size);
	if (result != 0 || listen(fd, LISTEN_BACKLOG) != 0) {
		snprintf(error, error_size, "%s%s",
			errno == EADDRINUSE ? "the port is in use; stop the other process or "
					      "choose another port"
			: family == AF_UNIX && (errno == ENOENT || errno == EACCES)
				? "the directory of the socket must exist and be writable: "
				: "",
			errno == EADDRINUSE ? "" : strerror(errno));
		close(fd);
		return -1;
	}
	return fd;
}

void endpoint_remove(const struct endpoint *endpoint)
{
	if (endpoint->address.ss_family == AF_UNIX)
		unlink(endpoint_path(endpoint));
}

static const uint8_t mapped_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

bool network_parse(struct network *network, const char *text, char *error, size_t error_size)
{
	char address[64];
	size_t length = strcspn(text, "/");
	unsigned long bits, most;
	char *end;

	memset(network, 0, sizeof *network);
	snprintf(error, error_size,
		"expected a network or an address, such as 192.0.2.0/24 or 2001:db8::1");
	if (length >= sizeof address)
		return false;
	memcpy(address, text, length);
	address[length] = '\0';
	if (inet_pton(AF_INET, address, network->address + sizeof mapped_prefix) == 1) {
		memcpy(network->address, mapped_prefix, sizeof mapped_prefix);
		most = 32;
	} else if (inet_pton(AF_INET6, address, network->address) == 1) {
		most = 128;
	} else {
		return false;
	}
	bits = most;
	if (text[length] == '/') {
		bits = strtoul(text + length + 1, &end, 10);
		if (text[length + 1] < '0' || text[length + 1] > '9' || *end != '\0' || bits > most)
			return false;
	}
	network->bits = (unsigned)(128 - most + bits);
	return true;
}

bool network_contains(const struct network *network, const struct sockaddr_storage *address)
{
	uint8_t bytes[16];

	if (address->ss_family == AF_INET) {
		memcpy(bytes, mapped_prefix, sizeof mapped_prefix);
		memcpy(bytes + sizeof mapped_prefix,
			&((const struct sockaddr_in *)address)->sin_addr, 4);
	} else if (address->ss_family == AF_INET6) {
		memcpy(bytes, &((const struct sockaddr_in6 *)address)->sin6_addr, sizeof bytes);
	} else {
		return false;
	}
	unsigned whole = network->bits / 8, rest = network->bits % 8;
	if (memcmp(bytes, network->address, whole) != 0)
		return false;
	return rest == 0 || (bytes[whole] ^ network->address[whole]) >> (8 - rest) == 0;
}
