#include "daemon/process/listeners.h"

#include "common/base/log.h"
#include "common/base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- sockets of the service manager -------------------------------------------------------- */

static int option_of(int fd, int option)
{
	int value = 0;
	socklen_t size = sizeof value;

	return getsockopt(fd, SOL_SOCKET, option, &value, &size) == 0 ? value : -1;
}

static const char *find_fault(
	int fd, const struct listeners_settings *settings, struct endpoint *endpoint)
{
	if (option_of(fd, SO_TYPE) != SOCK_STREAM || option_of(fd, SO_ACCEPTCONN) != 1)
		return "it does not listen for connections; use ListenStream= and Accept=no "
		       "(systemd.socket(5))";
	endpoint->size = sizeof endpoint->address;
	if (getsockname(fd, (struct sockaddr *)&endpoint->address, &endpoint->size) != 0)
		return "it has no address";
	int family = endpoint->address.ss_family;
	if (family == AF_UNIX)
		return NULL;
	if (settings->unix_only)
		return "it is not a unix socket, whose file permissions control access; use a path "
		       "in ListenStream= (systemd.socket(5))";
	return family == AF_INET || family == AF_INET6 ? NULL
						       : "it is neither a unix nor an inet socket";
}

static bool inherit_one(struct listeners *listeners, int fd,
	const struct listeners_settings *settings, char *error, size_t error_size)
{
	struct endpoint *endpoint = &listeners->endpoints[listeners->count];
	const char *fault = find_fault(fd, settings, endpoint);
	int flags = fcntl(fd, F_GETFL);

	listeners->sockets[listeners->count++] = fd;
	if (fault == NULL && settings->count_max != 0 && listeners->count > settings->count_max)
		fault = "only one socket may have this name";
	if (fault == NULL && (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0))
		fault = strerror(errno);
	if (fault != NULL)
		snprintf(error, error_size,
			"[server] %s: cannot use the service manager's socket, descriptor %d: %s",
			settings->name, fd, fault);
	return fault == NULL;
}

/* Compare addresses, not text: the same address can be written in several ways. */
static bool is_configured(const struct listeners_settings *settings, const char *printed)
{
	for (size_t i = 0; i < settings->count; i++) {
		struct endpoint configured;
		char words[256], again[ENDPOINT_TEXT_SIZE];
		if (!endpoint_parse(&configured, settings->endpoints[i], words, sizeof words))
			continue;
		endpoint_print(&configured, again);
		if (strcmp(again, printed) == 0)
			return true;
	}
	return false;
}

/* An administrator who changes the setting and sees no effect finds the reason here. */
static void log_inherited(
	const struct listeners *listeners, const struct listeners_settings *settings)
{
	char words[1024];
	struct text text;
	size_t same = 0;

	text_init(&text, words, sizeof words);
	for (size_t i = 0; i < listeners->count; i++) {
		char printed[ENDPOINT_TEXT_SIZE];
		endpoint_print(&listeners->endpoints[i], printed);
		text_add_format(&text, "%s%s", i > 0 ? ", " : "", printed);
		same += is_configured(settings, printed);
	}
	if (same == listeners->count && same == settings->count)
		log_info("[server] %s: using the sockets of the service manager: %s",
			settings->name, words);
	else
		log_notice("[server] %s: using the sockets of the service manager instead of the "
			   "setting: %s",
			settings->name, words);
}

static bool inherit_all(struct listeners *listeners, const struct listeners_settings *settings,
	struct activation *activation, char *error, size_t error_size)
{
	int fd;

	while ((fd = activation_take(activation, settings->name)) >= 0) {
		listeners->inherited = true;
		if (!inherit_one(listeners, fd, settings, error, error_size))
			return false;
	}
	if (listeners->inherited)
		log_inherited(listeners, settings);
	return true;
}

/* --- sockets of the setting ---------------------------------------------------------------- */

static bool open_one(struct listeners *listeners, const struct listeners_settings *settings,
	const char *text, char *error, size_t error_size)
{
	struct endpoint *endpoint = &listeners->endpoints[listeners->count];
	const char *path;
	char words[256];

	endpoint_parse(endpoint, text, words, sizeof words);
	path = endpoint_path(endpoint);
	if (path == NULL || privileges_make_parent(settings->owner, path, words, sizeof words)) {
		int fd = endpoint_listen(endpoint, settings->mode, words, sizeof words);
		if (fd >= 0) {
			listeners->sockets[listeners->count++] = fd;
			if (path == NULL ||
				privileges_give_socket(settings->owner, path, words, sizeof words))
				return true;
		}
	}
	snprintf(error, error_size, "[server] %s %.150s: %.250s", settings->name, text, words);
	return false;
}

/* May the daemon run without these? */
static bool is_optional(const struct listeners_settings *settings)
{
	return settings->optional != NULL && settings->count == 1 &&
	       strcmp(settings->endpoints[0], settings->optional) == 0;
}

static void close_all(struct listeners *listeners)
{
	listeners_remove(listeners);
	while (listeners->count > 0)
		close(listeners->sockets[--listeners->count]);
}

struct listeners *listeners_open(const struct listeners_settings *settings,
	struct activation *activation, char *error, size_t error_size)
{
	struct listeners *listeners = calloc(1, sizeof *listeners);

	if (listeners == NULL) {
		snprintf(error, error_size, "out of memory");
		return NULL;
	}
	bool good = inherit_all(listeners, settings, activation, error, error_size);
	for (size_t i = 0; good && !listeners->inherited && i < settings->count; i++)
		good = open_one(listeners, settings, settings->endpoints[i], error, error_size);
	if (good)
		return listeners;
	close_all(listeners);
	if (is_optional(settings)) {
		log_warning("%s; tlsad runs without this socket: %s", error, settings->without);
		return listeners;
	}
	free(listeners);
	return NULL;
}

void listeners_remove(struct listeners *listeners)
{
	if (listeners == NULL || listeners->removed)
		return;
	for (size_t i = 0; !listeners->inherited && i < listeners->count; i++)
		endpoint_remove(&listeners->endpoints[i]);
	listeners->removed = true;
}

void listeners_free(struct listeners *listeners)
{
	if (listeners == NULL)
		return;
	close_all(listeners);
	free(listeners);
}
