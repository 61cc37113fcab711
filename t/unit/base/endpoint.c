/*
 * endpoint: valid and invalid texts of endpoints and networks; which addresses a network contains,
 * including IPv4-mapped IPv6 addresses; a unix socket replaces the socket of a dead process, but
 * not one that a process listens on and not another kind of file, and it has its mode from the
 * first moment.
 */
#include "common/base/endpoint.h"

#include "t/unit/scratch.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sys/un.h>

enum { ERROR_SIZE = 256 };

/* --- parsing ------------------------------------------------------------------------------- */

static const struct {
	const char *text;
	int family;
	const char *address; /* path, or numeric address */
	uint16_t port;
} good[] = {
	{"unix:/run/tlsad/socketmap", AF_UNIX, "/run/tlsad/socketmap", 0},
	{"unix:/", AF_UNIX, "/", 0},
	{"unix:/with:colon", AF_UNIX, "/with:colon", 0},
	{"inet:127.0.0.1:8642", AF_INET, "127.0.0.1", 8642},
	{"inet:0.0.0.0:1", AF_INET, "0.0.0.0", 1},
	{"inet:192.0.2.1:65535", AF_INET, "192.0.2.1", 65535},
	{"inet:localhost:8642", AF_INET, "127.0.0.1", 8642},
	{"inet:[::1]:8642", AF_INET6, "::1", 8642},
	{"inet:[::]:8642", AF_INET6, "::", 8642},
	{"inet:[2001:db8::1]:8642", AF_INET6, "2001:db8::1", 8642},
	{"inet:[::ffff:192.0.2.1]:8642", AF_INET6, "::ffff:192.0.2.1", 8642},
	{"inet:*:8642", AF_INET6, "::", 8642},
	{"inet:[fe80::1%lo]:8642", AF_INET6, "fe80::1", 8642},
	{"inet:[::%1]:8642", AF_INET6, "::", 8642},
};

static const char *const bad[] = {"", "unix", "unix:", "unix:relative", "unix:./x", "inet",
	"inet:", "inet::", "inet:8642", "inet::8642", "inet:127.0.0.1",
	"inet:127.0.0.1:", "inet:127.0.0.1:0", "inet:127.0.0.1:65536", "inet:127.0.0.1:4294967297",
	"inet:127.0.0.1:99999999999999999999", "inet:127.0.0.1:-1", "inet:127.0.0.1:smtp",
	"inet:127.0.0.1:25x", "inet:127.0.0.1:x", "inet:127.0.0.1: ", "inet:127.0.0.1:+25",
	"inet:127.0.0.1: 25", "inet:256.0.0.1:25", "inet:mx.example.com:25", "inet:::1:25",
	"inet:2001:db8::1:25", "inet:[::1]", "inet:[::1]:", "inet:[::1]:0", "inet:[::1:25",
	"inet:::1]:25", "inet:[]:25", "inet:[:25", "inet:]:25", "inet:[:]:25", "inet:[::1]x:25",
	"inet:[mx.example.com]:25", "inet:[::g]:25", "inet:[1:2:3:4:5:6:7:8:9]:25",
	"tcp:127.0.0.1:25", "UNIX:/x", "/run/tlsad/socketmap", "127.0.0.1:8642", " unix:/x",
	"inet:[0000000000000000000000000000000000000000000000000000000000000000000000000::1]:25"};

/* The printed form reads back as the same endpoint, and only a unix socket has a path. */
static void print_and_parse(const struct endpoint *endpoint)
{
	struct endpoint again;
	char text[ENDPOINT_TEXT_SIZE], error[ERROR_SIZE] = "";
	bool local = endpoint->address.ss_family == AF_UNIX;

	endpoint_print(endpoint, text);
	ok(endpoint_parse(&again, text, error, sizeof error) && again.size == endpoint->size &&
			memcmp(&again.address, &endpoint->address, again.size) == 0,
		"it is printed as %s", text);
	ok((endpoint_path(endpoint) != NULL) == local, "and has %s path", local ? "a" : "no");
}

static void test_parse(void)
{
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		struct endpoint endpoint;
		char error[ERROR_SIZE] = "", address[128] = "";
		uint16_t port = 0;

		bool parsed = endpoint_parse(&endpoint, good[i].text, error, sizeof error);
		const struct sockaddr_in *v4 = (const struct sockaddr_in *)&endpoint.address;
		const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&endpoint.address;
		const struct sockaddr_un *local = (const struct sockaddr_un *)&endpoint.address;
		if (parsed && endpoint.address.ss_family == AF_INET) {
			inet_ntop(AF_INET, &v4->sin_addr, address, sizeof address);
			port = ntohs(v4->sin_port);
		} else if (parsed && endpoint.address.ss_family == AF_INET6) {
			inet_ntop(AF_INET6, &v6->sin6_addr, address, sizeof address);
			port = ntohs(v6->sin6_port);
		} else if (parsed && endpoint.address.ss_family == AF_UNIX) {
			snprintf(address, sizeof address, "%s", local->sun_path);
		}
		ok(parsed && endpoint.address.ss_family == good[i].family && port == good[i].port &&
				strcmp(address, good[i].address) == 0,
			"%s", good[i].text);
		if (!parsed)
			diag("%s", error);
		print_and_parse(&endpoint);
	}
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct endpoint endpoint;
		char error[ERROR_SIZE] = "";
		ok(!endpoint_parse(&endpoint, bad[i], error, sizeof error) && error[0] != '\0' &&
				strchr(error, '\n') == NULL,
			"'%s' is refused with a line of words", bad[i]);
	}
	many_begin("unix paths of every length");
	for (size_t length = 1; length < 200; length++) {
		struct endpoint endpoint;
		char text[256] = "unix:", error[ERROR_SIZE] = "";
		memset(text + 5, 'x', length);
		text[5] = '/';
		text[5 + length] = '\0';
		bool parsed = endpoint_parse(&endpoint, text, error, sizeof error);
		many(parsed == (length <= 107), "%zu bytes: %s", length, error);
		many(parsed || strstr(error, "107") != NULL,
			"%zu bytes: the message names the limit", length);
	}
	many_end();
}

/* --- networks ------------------------------------------------------------------------------ */

static void set_address(struct sockaddr_storage *storage, const char *address)
{
	memset(storage, 0, sizeof *storage);
	if (strchr(address, ':') != NULL) {
		struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)storage;
		v6->sin6_family = AF_INET6;
		inet_pton(AF_INET6, address, &v6->sin6_addr);
	} else {
		struct sockaddr_in *v4 = (struct sockaddr_in *)storage;
		v4->sin_family = AF_INET;
		inet_pton(AF_INET, address, &v4->sin_addr);
	}
}

static const struct {
	const char *network;
	const char *address;
	bool inside;
} networks[] = {
	{"127.0.0.0/8", "127.0.0.1", true},
	{"127.0.0.0/8", "127.255.255.255", true},
	{"127.0.0.0/8", "128.0.0.0", false},
	{"127.0.0.0/8", "126.255.255.255", false},
	{"127.0.0.0/8", "::ffff:127.0.0.1", true},
	{"127.0.0.0/8", "::ffff:128.0.0.1", false},
	{"127.0.0.0/8", "::127.0.0.1", false},
	{"127.0.0.0/8", "7f00::", false},
	{"127.0.0.0/8", "::1", false},
	{"127.0.0.1", "127.0.0.1", true},
	{"127.0.0.1", "127.0.0.2", false},
	{"127.0.0.1/32", "127.0.0.0", false},
	{"192.0.2.99/24", "192.0.2.1", true}, /* the host bits are ignored */
	{"192.0.2.128/25", "192.0.2.127", false},
	{"192.0.2.128/25", "192.0.2.128", true},
	{"192.0.2.4/30", "192.0.2.7", true},
	{"192.0.2.4/30", "192.0.2.8", false},
	{"192.0.2.4/31", "192.0.2.5", true},
	{"192.0.2.4/31", "192.0.2.6", false},
	{"10.0.0.0/9", "10.127.255.255", true},
	{"10.0.0.0/9", "10.128.0.0", false},
	{"0.0.0.0/0", "203.0.113.1", true},
	{"0.0.0.0/0", "::ffff:203.0.113.1", true},
	{"0.0.0.0/0", "2001:db8::1", false},
	{"0.0.0.0/1", "127.255.255.255", true},
	{"0.0.0.0/1", "128.0.0.0", false},
	{"::1/128", "::1", true},
	{"::1/128", "::2", false},
	{"::1", "::1", true},
	{"::1", "127.0.0.1", false},
	{"::/0", "2001:db8::1", true},
	{"2001:db8::/32", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", true},
	{"2001:db8::/32", "2001:db9::", false},
	{"2001:db8::/33", "2001:db8:7fff::", true},
	{"2001:db8::/33", "2001:db8:8000::", false},
	{"2001:db8::1/127", "2001:db8::", true},
	{"2001:db8::1/127", "2001:db8::2", false},
	{"fe80::/10", "febf::1", true},
	{"fe80::/10", "fec0::1", false},
	{"::ffff:192.0.2.0/120", "192.0.2.200", true},
	{"::ffff:192.0.2.0/120", "192.0.3.1", false},
	{"::ffff:0:0/96", "198.51.100.1", true},
};

static const char *const bad_networks[] = {"", "/", "/8", "127.0.0.1/", "127.0.0.1/33",
	"127.0.0.1/-1", "127.0.0.1/+8", "127.0.0.1/ 8", "127.0.0.1/8x", "127.0.0.1/8/8",
	"127.0.0.1/4294967304", "127.0.0.1/18446744073709551624", "127.0.0/8", "127.0.0.256",
	"::1/129", "::1/x", "::g", "[::1]", "[::1]/128", "localhost", "example.com/24",
	" 127.0.0.1", "127.0.0.1 ", "127.0.0.1/0x8",
	"0000000000000000000000000000000000000000000000000000000000000000000000000::1/128"};

static void test_networks(void)
{
	char error[ERROR_SIZE];
	struct network network;
	struct sockaddr_storage address;

	for (size_t i = 0; i < sizeof networks / sizeof networks[0]; i++) {
		error[0] = '\0';
		set_address(&address, networks[i].address);
		bool parsed = network_parse(&network, networks[i].network, error, sizeof error);
		ok(parsed && network_contains(&network, &address) == networks[i].inside,
			"%s is %s %s", networks[i].address, networks[i].inside ? "in" : "not in",
			networks[i].network);
	}
	for (size_t i = 0; i < sizeof bad_networks / sizeof bad_networks[0]; i++) {
		error[0] = '\0';
		ok(!network_parse(&network, bad_networks[i], error, sizeof error) &&
				error[0] != '\0' && strchr(error, '\n') == NULL,
			"'%s' is not a network, and the message says so", bad_networks[i]);
	}
	/* A unix socket has no address, so it is in no network. */
	memset(&address, 0, sizeof address);
	address.ss_family = AF_UNIX;
	network_parse(&network, "::/0", error, sizeof error);
	ok(!network_contains(&network, &address), "a unix socket is in no network");
}

/* Every prefix length of both families: the last bit of the prefix matters, the next does not. */
static void test_prefixes(void)
{
	many_begin("every prefix length");
	for (int family = 4; family <= 6; family += 2) {
		unsigned most = family == 4 ? 32 : 128;
		const char *base = family == 4 ? "198.51.100.77" : "2001:db8:1234:5678:9abc::def0";
		for (unsigned bits = 0; bits <= most; bits++) {
			char text[64], error[ERROR_SIZE];
			struct network network;
			snprintf(text, sizeof text, "%s/%u", base, bits);
			many(network_parse(&network, text, error, sizeof error), "%s", text);
			for (unsigned flip = 0; flip < most; flip++) {
				struct sockaddr_storage address;
				set_address(&address, base);
				uint8_t *bytes =
					family == 4 ? (uint8_t *)&((struct sockaddr_in *)&address)
							      ->sin_addr
						    : (uint8_t *)&((struct sockaddr_in6 *)&address)
							      ->sin6_addr;
				bytes[flip / 8] ^= (uint8_t)(0x80 >> flip % 8);
				many(network_contains(&network, &address) == (flip >= bits),
					"%s and bit %u the other way", text, flip);
			}
		}
	}
	many_end();
}

/* --- listening ----------------------------------------------------------------------------- */

static struct endpoint local_endpoint(const char *path)
{
	struct endpoint endpoint;
	char text[SCRATCH_PATH_SIZE + 8], error[ERROR_SIZE];

	snprintf(text, sizeof text, "unix:%s", path);
	if (!endpoint_parse(&endpoint, text, error, sizeof error))
		bail_out(error);
	return endpoint;
}

static bool connects(const struct endpoint *endpoint)
{
	int fd = socket(endpoint->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool made = connect(fd, (const struct sockaddr *)&endpoint->address, endpoint->size) == 0;
	close(fd);
	return made;
}

static void test_listen_unix(void)
{
	static const mode_t modes[] = {0666, 0600, 0660, 0777, 0000};
	char error[ERROR_SIZE] = "";
	struct stat status;
	struct endpoint endpoint = local_endpoint(scratch_path("socket"));

	int first = endpoint_listen(&endpoint, 0666, error, sizeof error);
	ok(first >= 0 && connects(&endpoint), "listens on a fresh path");
	ok((fcntl(first, F_GETFL) & O_NONBLOCK) != 0 && (fcntl(first, F_GETFD) & FD_CLOEXEC) != 0,
		"the socket does not block and is not inherited");
	int second = endpoint_listen(&endpoint, 0666, error, sizeof error);
	ok(second < 0, "a path that somebody listens on is refused");
	ok(strstr(error, "another process listens on") != NULL &&
			strstr(error, scratch_path("socket")) != NULL,
		"and the message names it: %s", error);
	ok(connects(&endpoint), "who listened before still does");
	close(first);
	ok(stat(scratch_path("socket"), &status) == 0 && !connects(&endpoint),
		"a dead process leaves its socket");
	first = endpoint_listen(&endpoint, 0600, error, sizeof error);
	ok(first >= 0 && connects(&endpoint), "which is taken over");
	endpoint_remove(&endpoint);
	ok(lstat(scratch_path("socket"), &status) != 0 && errno == ENOENT,
		"and removed at the end");
	close(first);

	for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
		mode_t before = umask(0027);
		int fd = endpoint_listen(&endpoint, modes[i], error, sizeof error);
		mode_t left = umask(before);
		ok(fd >= 0 && stat(scratch_path("socket"), &status) == 0 &&
				(status.st_mode & 07777) == modes[i],
			"mode %04o is set whatever the umask", modes[i]);
		ok(left == 0027, "and the umask is as it was");
		close(fd);
	}
	endpoint_remove(&endpoint);
}

static void refuse_path(const char *what, const char *path, const char *words)
{
	char error[ERROR_SIZE] = "";
	struct stat before, after;
	struct endpoint endpoint = local_endpoint(path);

	bool existed = lstat(path, &before) == 0;
	int fd = endpoint_listen(&endpoint, 0666, error, sizeof error);
	ok(fd < 0, "%s is refused", what);
	ok(strstr(error, words) != NULL && strchr(error, '\n') == NULL, "%s: the message says '%s'",
		what, words);
	if (strstr(error, words) == NULL)
		diag("%s", error);
	ok(!existed || (lstat(path, &after) == 0 && before.st_ino == after.st_ino &&
			       before.st_size == after.st_size),
		"%s is left as it was", what);
}

static void test_refused_paths(void)
{
	char path[SCRATCH_PATH_SIZE];

	snprintf(path, sizeof path, "%s", scratch_path("file"));
	scratch_write_text(path, "precious");
	refuse_path("a file", path, "is not a socket; remove it");
	snprintf(path, sizeof path, "%s", scratch_path("directory"));
	mkdir(path, 0700);
	refuse_path("a directory", path, "is not a socket; remove it");
	snprintf(path, sizeof path, "%s", scratch_path("link"));
	if (symlink("/nonexistent/target", path) != 0)
		bail_out("no symbolic links");
	refuse_path("a symbolic link", path, "is not a socket; remove it");
	snprintf(path, sizeof path, "%s", scratch_path("fifo"));
	mkfifo(path, 0600);
	refuse_path("a pipe", path, "is not a socket; remove it");
	snprintf(path, sizeof path, "%s", scratch_path("missing/socket"));
	refuse_path("a path in a missing directory", path, "must exist and be writable");
	snprintf(path, sizeof path, "%s", scratch_path("file/socket"));
	refuse_path("a path below a file", path, "Not a directory");
}

/* A listening socket with a full backlog is not replaced either. */
static void test_full_backlog(void)
{
	char error[ERROR_SIZE] = "";
	struct endpoint endpoint = local_endpoint(scratch_path("full"));
	int busy = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int waiting[8];

	if (bind(busy, (struct sockaddr *)&endpoint.address, endpoint.size) != 0 ||
		listen(busy, 1) != 0)
		bail_out("no unix sockets");
	for (int i = 0; i < 8; i++) {
		waiting[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		if (connect(waiting[i], (struct sockaddr *)&endpoint.address, endpoint.size) != 0)
			errno = 0;
	}
	ok(endpoint_listen(&endpoint, 0666, error, sizeof error) < 0 &&
			strstr(error, "another process") != NULL,
		"a socket whose backlog is full is not taken over");
	for (int i = 0; i < 8; i++)
		close(waiting[i]);
	close(busy);
}

static bool is_number_port(const struct endpoint *endpoint)
{
	return endpoint->address.ss_family == AF_INET || endpoint->address.ss_family == AF_INET6;
}

static void test_listen_inet(void)
{
	char error[ERROR_SIZE] = "", text[64];
	struct endpoint endpoint;
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t size = sizeof address;

	/* A port that is free now, chosen by the kernel. */
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	int taken = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(taken, (struct sockaddr *)&address, size) != 0 || listen(taken, 1) != 0 ||
		getsockname(taken, (struct sockaddr *)&address, &size) != 0)
		bail_out("no loopback address");
	snprintf(text, sizeof text, "inet:127.0.0.1:%u", ntohs(address.sin_port));
	ok(endpoint_parse(&endpoint, text, error, sizeof error) && is_number_port(&endpoint),
		"a port of loopback");
	ok(endpoint_listen(&endpoint, 0666, error, sizeof error) < 0 &&
			strstr(error, "the port is in use") != NULL,
		"a port in use is refused: %s", error);
	close(taken);
	int fd = endpoint_listen(&endpoint, 0666, error, sizeof error);
	ok(fd >= 0 && connects(&endpoint), "a free one is listened on");
	endpoint_remove(&endpoint);
	close(fd);
	/* A connection that was closed a moment ago does not keep the port in use (SO_REUSEADDR).
	 */
	fd = endpoint_listen(&endpoint, 0666, error, sizeof error);
	ok(fd >= 0, "and again right after it was closed");
	close(fd);

	endpoint_parse(&endpoint, "inet:192.0.2.254:8642", error, sizeof error);
	ok(endpoint_listen(&endpoint, 0666, error, sizeof error) < 0 && error[0] != '\0',
		"an address of another machine is refused: %s", error);

	/* `*` accepts both families. */
	snprintf(text, sizeof text, "inet:*:%u", ntohs(address.sin_port));
	endpoint_parse(&endpoint, text, error, sizeof error);
	fd = endpoint_listen(&endpoint, 0666, error, sizeof error);
	if (fd < 0 && errno == EAFNOSUPPORT) {
		skip("this system has no IPv6", "every address");
		return;
	}
	snprintf(text, sizeof text, "inet:127.0.0.1:%u", ntohs(address.sin_port));
	endpoint_parse(&endpoint, text, error, sizeof error);
	ok(fd >= 0 && connects(&endpoint), "every address includes those of IPv4");
	close(fd);
}

int main(void)
{
	scratch_begin();
	test_parse();
	test_networks();
	test_prefixes();
	test_listen_unix();
	test_refused_paths();
	test_full_backlog();
	test_listen_inet();
	return done_testing();
}
