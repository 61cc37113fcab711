/*
 * What answers at the control socket, as tlsactl reads it: all responses, and each as the
 * explanation that it might be. The reply of a socketmap is read as well.
 */
#include "daemon/ctl/frame/client.h"

#include "common/base/log.h"
#include "common/base/text.h"
#include "daemon/ctl/frame/explanation.h"
#include "daemon/ctl/frame/socketmap_reply.h"
#include "t/fuzz/fuzz.h"

#include <limits.h>
#include <sys/socket.h>
#include <sys/un.h>

enum { RESPONSES_MAX = 1000 };

/* A real path: tlsactl names the socket. */
static char directory[FUZZ_DIRECTORY_SIZE], path[FUZZ_DIRECTORY_SIZE + 16];

static void remove_directory(void)
{
	fuzz_remove_directory(directory);
}

static int make_listener(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	log_open("fuzz", LOG_TARGET_STDERR, LOG_LEVEL_ERROR);
	fuzz_make_directory(directory);
	atexit(remove_directory);
	snprintf(path, sizeof path, "%s/control", directory);
	strcpy(address.sun_path, path);
	CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0);
	CHECK(listen(fd, 4) == 0);
	return fd;
}

static void check_showable(const json_t *value)
{
	const char *key;
	json_t *member;
	size_t i;

	if (json_is_string(value))
		CHECK(text_is_showable(json_string_value(value)));
	json_object_foreach((json_t *)value, key, member)
	{
		CHECK(text_is_showable(key));
		check_showable(member);
	}
	json_array_foreach(value, i, member) check_showable(member);
}

static void check_response(const struct response *response)
{
	CHECK(response->id <= INT_MAX && json_is_object(response->root));
	if (response->kind == RESPONSE_ERROR) {
		CHECK(response->error != NULL);
		return;
	}
	CHECK(response->id > 0 && json_is_object(response->object));
	check_showable(response->root);
	for (int json = 0; json < 2; json++) {
		struct ctl ctl = {.json = json != 0};
		explanation_print(&ctl, response->object);
		explanation_print(&ctl, json_object_get(response->object, "explanation"));
	}
}

static void check_reply(const char *line)
{
	struct socketmap_reply reply;

	if (!socketmap_reply_parse(&reply, line))
		return;
	CHECK(strncmp(line, reply.status, strlen(reply.status)) == 0);
	CHECK(reply.text == line + strlen(reply.status) + 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static int listener = -1;
	struct ctl ctl = {.conf_file = "/nonexistent/tlsad.conf", .control = path};
	struct response response;
	int status = -1;

	if (listener < 0)
		listener = make_listener();
	if (size > 100000)
		return -1;
	struct client *client = client_open(&ctl, &status);
	CHECK(client != NULL);
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	CHECK(fd >= 0 && client_send(client, json_pack("{s:s}", "verb", "status")) == 1);
	/* All that fits, then the end. */
	CHECK(size == 0 || send(fd, bytes, size, MSG_NOSIGNAL) > 0);
	shutdown(fd, SHUT_WR);
	enum client_result result = CLIENT_RESPONSE;
	for (unsigned i = 0; result == CLIENT_RESPONSE; i++) {
		CHECK(i < RESPONSES_MAX);
		result = client_receive(client, 1000, &response);
		if (result == CLIENT_RESPONSE)
			check_response(&response);
		if (result == CLIENT_RESPONSE)
			response_clear(&response);
	}
	/* A connection that has ended is lost, not silent. */
	CHECK(result == CLIENT_LOST);
	client_close(client);
	close(fd);
	char *line = fuzz_string(bytes, size);
	check_reply(line);
	free(line);
	return 0;
}
