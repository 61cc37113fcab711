/*
 * warm: makes the daemon look up every destination of a list, so that the first mail to each finds
 * its entries in the cache.
 *
 * Only the destinations that wait for a response are in memory, so the list can have any length.
 */
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/text.h"
#include "daemon/ctl/frame/arguments.h"
#include "daemon/ctl/frame/client.h"
#include "daemon/ctl/frame/socketmap_reply.h"
#include "daemon/ctl/frame/temp_file.h"
#include "daemon/ctl/frame/terminal.h"
#include "daemon/ctl/frame/time_text.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	PARALLEL = 64,
	PARALLEL_MAX = 1024,
	/*
	 * A destination has at most 262 octets as A-labels, and at most that many UTF-8 characters
	 * of 4 bytes.
	 */
	KEY_SIZE = 1056,
	TICK = 250, /* [ms] how often progress is printed and overdue requests are found */
	LABEL_WIDTH = 9,
};

struct request {
	unsigned id; /* 0: free */
	uint64_t begin;
	char key[KEY_SIZE];
};

struct warm {
	const struct ctl *ctl;
	struct client *client;
	FILE *list;
	off_t size;     /* of the list [bytes]; 0 if it is not known */
	bool ended;     /* the list has been read */
	int list_error; /* errno of the error that ended the list, or 0 */
	struct request *requests;
	size_t parallel, pending;
	uint64_t begin, last_response, last_progress; /* [us] */
	bool progress_shown;                          /* standard error is a terminal */
	struct terminal output, progress;             /* standard output, and error */
	struct temp_file failures;                    /* with --json */
	uint64_t found, not_found, failed;
};

static uint64_t done(const struct warm *warm)
{
	return warm->found + warm->not_found + warm->failed;
}

/* --- progress ------------------------------------------------------------------------------ */

/*
 * Estimates the time left from the part of the list that has been read, and from the part of it
 * that is done.
 */
static void add_time_left(struct text *text, const struct warm *warm, double seconds)
{
	off_t at = warm->size > 0 ? ftello(warm->list) : 0;
	double finished = (double)done(warm), begun = finished + (double)warm->pending;
	char words[TIME_TEXT_SIZE];

	if (at <= 0 || at > warm->size || finished < 1 || seconds <= 1)
		return;
	double all = begun * (double)warm->size / (double)at;
	text_add_format(text, ", %s left",
		time_text_duration(words, (int64_t)(seconds * (all - finished) / finished)));
}

static void show_progress(struct warm *warm)
{
	uint64_t now = clock_exact_us();
	double seconds = (double)(now - warm->begin) / 1e6;
	char line[160];
	struct text text;

	if (!warm->progress_shown || now - warm->last_progress < TICK * 1000)
		return;
	warm->last_progress = now;
	text_init(&text, line, sizeof line);
	text_add_format(&text, "%" PRIu64 " done, %.0f/s, %" PRIu64 " failed", done(warm),
		(double)done(warm) / seconds, warm->failed);
	add_time_left(&text, warm, seconds);
	/* Cut the line at the width of the terminal: a line that wraps cannot be erased. */
	fprintf(stderr, "\r%.*s\033[K", (int)warm->progress.width - 1, line);
}

static void erase_progress(const struct warm *warm)
{
	if (warm->progress_shown && warm->last_progress != warm->begin)
		fputs("\r\033[K", stderr);
}

/* --- one response -------------------------------------------------------------------------- */

static void fail(struct warm *warm, const char *key, const char *why)
{
	char shown[4 * KEY_SIZE + 1];
	struct text text;

	warm->failed++;
	text_init(&text, shown, sizeof shown);
	text_add_escaped(&text, key, strlen(key));
	if (warm->ctl->json) {
		json_t *failure = json_object();
		json_object_set_new(failure, "key", json_string(shown));
		json_object_set_new(failure, "detail", json_string(why));
		temp_file_add(&warm->failures, failure);
		json_decref(failure);
		return;
	}
	erase_progress(warm);
	terminal_print_row(
		&warm->output, 0, TERMINAL_BAD, "failed", LABEL_WIDTH, "%s: %s", shown, why);
}

static void take_reply(struct warm *warm, const char *key, const struct response *response)
{
	struct socketmap_reply reply = {
		.exit_status = EX_TEMPFAIL, .text = "tlsad's response is not a socketmap reply"};
	char why[LOG_LINE_SIZE];
	struct text text;

	if (response->kind == RESPONSE_ERROR)
		reply.text = response->error;
	else
		socketmap_reply_parse(&reply, client_string(response->object, "reply"));
	if (reply.exit_status == CTL_YES) {
		warm->found++;
	} else if (reply.exit_status == CTL_NO && strcmp(reply.status, "NOTFOUND") == 0) {
		warm->not_found++;
	} else {
		text_init(&text, why, sizeof why);
		text_add_escaped(&text, reply.text, strlen(reply.text));
		fail(warm, key, why);
	}
}

static void take_response(struct warm *warm, const struct response *response)
{
	warm->last_response = clock_exact_us();
	for (size_t i = 0; i < warm->parallel; i++) {
		struct request *request = &warm->requests[i];
		if (request->id != response->id || response->id == 0)
			continue;
		request->id = 0;
		warm->pending--;
		take_reply(warm, request->key, response);
		return;
	}
	/* A late response to a request that was given up: ignore it. */
}

/* Gives up requests without a response for too long, while the daemon responds to others. */
static void give_up_overdue(struct warm *warm, uint64_t limit)
{
	uint64_t now = clock_exact_us();

	for (size_t i = 0; i < warm->parallel; i++) {
		struct request *request = &warm->requests[i];
		if (request->id == 0 || now - request->begin < limit)
			continue;
		request->id = 0;
		warm->pending--;
		fail(warm, request->key, "tlsad did not respond in time");
	}
}

/* --- the list ------------------------------------------------------------------------------ */

/*
 * Reads the first word of the next line that has one. The rest of the line is ignored, so that
 * tables of Postfix can be used as lists. False at the end. A key that is too long is cut to a
 * length that start() refuses.
 */
static bool read_key(struct warm *warm, char key[KEY_SIZE])
{
	for (;;) {
		size_t size = 0;
		bool word = true;
		int byte = 0;
		while ((byte = getc_unlocked(warm->list)) != EOF && byte != '\n') {
			if (byte == '#' || (isspace(byte) && size > 0))
				word = false;
			else if (word && !isspace(byte) && size < KEY_SIZE - 1)
				key[size++] = byte == 0 ? ' ' : (char)byte;
		}
		key[size] = '\0';
		if (size > 0)
			return true;
		if (byte == EOF) {
			warm->list_error = ferror(warm->list) != 0 ? errno : 0;
			return false;
		}
	}
}

static void start(struct warm *warm, const char *key)
{
	unsigned id = 0;

	if (strlen(key) < KEY_SIZE - 1)
		id = client_send(
			warm->client, json_pack("{s:s, s:s}", "verb", "lookup", "key", key));
	if (id == 0) {
		fail(warm, key, "the destination is too long or is not UTF-8");
		return;
	}
	for (size_t i = 0; i < warm->parallel; i++) {
		struct request *request = &warm->requests[i];
		if (request->id != 0)
			continue;
		request->id = id;
		request->begin = clock_exact_us();
		strcpy(request->key, key);
		warm->pending++;
		return;
	}
}

static void fill(struct warm *warm)
{
	char key[KEY_SIZE];

	while (!warm->ended && warm->pending < warm->parallel) {
		if (warm->pending == 0)
			warm->last_response = clock_exact_us();
		if (read_key(warm, key))
			start(warm, key);
		else
			warm->ended = true;
	}
}

/* False if the daemon is gone; that is logged. */
static bool run(struct warm *warm)
{
	uint64_t limit = (uint64_t)client_lookup_timeout(warm->client) * 1000000;
	struct response response;

	for (fill(warm); warm->pending > 0; fill(warm)) {
		switch (client_receive(warm->client, TICK, &response)) {
		case CLIENT_RESPONSE:
			take_response(warm, &response);
			response_clear(&response);
			break;
		case CLIENT_LOST:
			return false;
		default:
			if (clock_exact_us() - warm->last_response >= limit) {
				erase_progress(warm);
				client_log_silence(warm->client, (unsigned)(limit / 1000000));
				return false;
			}
			give_up_overdue(warm, limit);
		}
		show_progress(warm);
	}
	return true;
}

/* --- all of it ----------------------------------------------------------------------------- */

static void print_summary(const struct warm *warm)
{
	char words[TIME_TEXT_SIZE];

	terminal_print_row(&warm->output, 0, warm->failed > 0 ? TERMINAL_WARNING : TERMINAL_GOOD,
		"done", LABEL_WIDTH,
		"%" PRIu64 " in %s: %" PRIu64 " with a policy, %" PRIu64 " without, %" PRIu64
		" failed",
		done(warm),
		time_text_duration(words, (int64_t)((clock_exact_us() - warm->begin) / 1000000)),
		warm->found, warm->not_found, warm->failed);
}

/* Prints the failures first and then their number, as they are collected in a file. */
static bool print_json(struct warm *warm)
{
	if (!temp_file_print(&warm->failures, "{\n\"failures\": "))
		return false;
	printf(",\n\"done\": %" PRIu64 ",\n\"found\": %" PRIu64 ",\n\"not_found\": %" PRIu64
	       ",\n\"failed\": %" PRIu64 ",\n\"seconds\": %.3f\n}\n",
		done(warm), warm->found, warm->not_found, warm->failed,
		(double)(clock_exact_us() - warm->begin) / 1e6);
	return true;
}

static int report(struct warm *warm, const char *file)
{
	erase_progress(warm);
	if (warm->list_error != 0) {
		log_error("%s: cannot read all of the list: %s; the rest of it was not looked up",
			file, strerror(warm->list_error));
		return CTL_NO;
	}
	if (!warm->ctl->json)
		print_summary(warm);
	else if (!print_json(warm))
		return EX_IOERR;
	return warm->failed > 0 ? EX_TEMPFAIL : CTL_YES;
}

static bool open_list(struct warm *warm, const char *file)
{
	struct stat status;

	warm->list = strcmp(file, "-") == 0 ? stdin : fopen(file, "re");
	if (warm->list == NULL || fstat(fileno(warm->list), &status) != 0) {
		log_error("%s: cannot open the list: %s; name a file with one destination per "
			  "line, or - for standard input",
			file, strerror(errno));
		return false;
	}
	if (S_ISDIR(status.st_mode)) {
		log_error("%s: this is a directory; name a file with one destination per line, or "
			  "- for standard input",
			file);
		return false;
	}
	warm->size = S_ISREG(status.st_mode) ? status.st_size : 0;
	return true;
}

static int warm_up(struct warm *warm, const char *file)
{
	int status = CTL_NO;

	if (!open_list(warm, file))
		return status;
	if (warm->ctl->json && !temp_file_open(&warm->failures, true))
		return EX_IOERR;
	warm->requests = calloc(warm->parallel, sizeof *warm->requests);
	if (warm->requests == NULL) {
		log_error("out of memory");
		return EX_TEMPFAIL;
	}
	warm->client = client_open(warm->ctl, &status);
	if (warm->client == NULL)
		return status;
	terminal_open(&warm->output, stdout);
	terminal_open(&warm->progress, stderr);
	warm->progress_shown = isatty(STDERR_FILENO) == 1;
	warm->begin = warm->last_response = warm->last_progress = clock_exact_us();
	if (!run(warm))
		return EX_UNAVAILABLE;
	return report(warm, file);
}

int warm_run(struct ctl *ctl, const struct command *command, int count, char **arguments)
{
	const char *file = NULL;
	uint32_t parallel = PARALLEL;
	const struct argument table[] = {
		{"parallel", 0, ARGUMENT_NUMBER, "N", "lookups at the same time, default 64",
			&parallel, 1, PARALLEL_MAX, NULL},
	};
	struct warm warm = {.ctl = ctl};
	int status = arguments_parse(ctl, command, table, 1, count, arguments, &file);

	if (status != ARGUMENTS_GO_ON)
		return status;
	warm.parallel = parallel;
	status = warm_up(&warm, file);
	client_close(warm.client);
	temp_file_close(&warm.failures);
	free(warm.requests);
	if (warm.list != NULL && warm.list != stdin)
		fclose(warm.list);
	return status;
}
