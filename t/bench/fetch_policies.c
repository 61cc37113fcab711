/*
 * fetch_policies - the limit for policies that are not in the cache: only libcurl
 *
 *	fetch_policies [--tlsad] [--running N] [--same N] [--time SECONDS] [--json]
 *		CA_FILE PORT LIST
 *
 * Downloads https://mta-sts.DOMAIN:PORT/.well-known/mta-sts.txt for each line "DOMAIN ADDRESS" of
 * LIST, from that IPv4 address, with libcurl's multi interface on libevent: N downloads at once
 * (64), N of them from one address (8), as tlsad. The options of TLS and HTTP are those of
 * common/sts/sts_transfer.c as far as they change the work: TLS 1.2 or later, certificate and name
 * are verified, a new connection for each download, no session is resumed. libcurl keeps the CAs of
 * CA_FILE from one connection to the next. With --tlsad the downloads are those of sts_transfer.c,
 * and each policy is read; so the difference is what that code costs.
 *
 * The first download is not counted: it reads CA_FILE. Prints downloads per second and processor
 * time per download. Exit status 0 if all succeeded, otherwise 1; 64 for wrong usage. Stops after
 * --time (default 300 s).
 */
#include "common/sts/sts_policy.h"
#include "common/sts/sts_transfer.h"
#include "measure.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/resource.h>

enum { TIMEOUT = 60 * 1000 }; /* [ms] of one download */

struct address {
	char words[INET_ADDRSTRLEN];
	struct in_addr bytes;
	unsigned long running; /* downloads */
};

struct download {
	STAILQ_ENTRY(download) link;
	char domain[DNS_NAME_SIZE];
	struct address *address;
	CURL *easy;
	struct curl_slist *resolve;
	size_t size; /* of the file [bytes] */
};

STAILQ_HEAD(download_list, download);

static struct {
	struct event_base *base;
	CURLM *multi;
	struct event *timer;
	struct sts_transfers *transfers; /* with --tlsad */
	X509_STORE *trusted;
	const char *ca_file;
	unsigned long port, running_max, same_max;
	struct address *addresses;
	size_t address_count;
	struct download_list waiting;
	unsigned long count, running, started_max, started, done, good;
} run;

static void fail(const char *what)
{
	fprintf(stderr, "fetch_policies: %s\n", what);
	exit(1);
}

/* --- turns --------------------------------------------------------------------------------- */

static void start_download(struct download *download);

static void start_more(void)
{
	struct download *download, *next;

	for (download = STAILQ_FIRST(&run.waiting); download != NULL; download = next) {
		next = STAILQ_NEXT(download, link);
		if (run.running >= run.running_max || run.started >= run.started_max)
			break;
		if (download->address->running >= run.same_max)
			continue;
		STAILQ_REMOVE(&run.waiting, download, download, link);
		run.started++;
		run.running++;
		download->address->running++;
		start_download(download);
	}
}

static void finish(struct download *download, bool good, const char *error)
{
	if (!good)
		fprintf(stderr, "fetch_policies: %s: %s\n", download->domain, error);
	run.running--;
	download->address->running--;
	run.done++;
	run.good += good;
	free(download);
	start_more();
	if (run.done == run.started_max)
		event_base_loopbreak(run.base);
}

/* --- with libcurl alone -------------------------------------------------------------------- */

static size_t take_body(char *bytes, size_t one, size_t size, void *context)
{
	struct download *download = context;

	(void)bytes;
	(void)one;
	download->size += size;
	return size;
}

#define SET(option, value) (curl_easy_setopt(easy, option, value) == CURLE_OK)

static void start_alone(struct download *download)
{
	char text[2 * DNS_NAME_SIZE];
	CURL *easy = download->easy = curl_easy_init();

	snprintf(text, sizeof text, "mta-sts.%s:%lu:%s", download->domain, run.port,
		download->address->words);
	download->resolve = curl_slist_append(NULL, text);
	snprintf(text, sizeof text, "https://mta-sts.%s:%lu/.well-known/mta-sts.txt",
		download->domain, run.port);
	if (easy == NULL || download->resolve == NULL || !SET(CURLOPT_URL, text) ||
		!SET(CURLOPT_RESOLVE, download->resolve) || !SET(CURLOPT_PRIVATE, download) ||
		!SET(CURLOPT_NOSIGNAL, 1L) || !SET(CURLOPT_TIMEOUT_MS, (long)TIMEOUT) ||
		!SET(CURLOPT_FRESH_CONNECT, 1L) || !SET(CURLOPT_FORBID_REUSE, 1L) ||
		!SET(CURLOPT_PROXY, "") ||
		!SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) ||
		!SET(CURLOPT_SSL_VERIFYPEER, 1L) || !SET(CURLOPT_SSL_VERIFYHOST, 2L) ||
		!SET(CURLOPT_CAINFO, run.ca_file) || !SET(CURLOPT_CAPATH, NULL) ||
		!SET(CURLOPT_SSL_SESSIONID_CACHE, 0L) ||
		!SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS) ||
		!SET(CURLOPT_WRITEFUNCTION, take_body) || !SET(CURLOPT_WRITEDATA, download) ||
		curl_multi_add_handle(run.multi, easy) != CURLM_OK)
		fail("out of memory");
}

static void take_ended(void)
{
	struct download *download;
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(run.multi, &left)) != NULL) {
		CURLcode code = message->data.result;
		CURL *easy = message->easy_handle;
		long status = 0;
		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
		curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&download);
		curl_multi_remove_handle(run.multi, easy);
		curl_easy_cleanup(easy);
		curl_slist_free_all(download->resolve);
		finish(download, code == CURLE_OK && status == 200 && download->size > 0,
			curl_easy_strerror(code));
	}
}

static void socket_is_ready(evutil_socket_t fd, short what, void *context)
{
	int running, ready = ((what & EV_READ) != 0 ? CURL_CSELECT_IN : 0) |
			     ((what & EV_WRITE) != 0 ? CURL_CSELECT_OUT : 0);

	(void)context;
	curl_multi_socket_action(run.multi, fd, ready, &running);
	take_ended();
}

static void time_is_over(evutil_socket_t fd, short what, void *context)
{
	int running;

	(void)fd;
	(void)what;
	(void)context;
	curl_multi_socket_action(run.multi, CURL_SOCKET_TIMEOUT, 0, &running);
	take_ended();
}

static int set_timer(CURLM *multi, long milliseconds, void *context)
{
	struct timeval delay = {milliseconds / 1000, milliseconds % 1000 * 1000};

	(void)multi;
	(void)context;
	if (milliseconds < 0)
		evtimer_del(run.timer);
	else
		evtimer_add(run.timer, &delay);
	return 0;
}

static int watch_socket(CURL *easy, curl_socket_t fd, int what, void *context, void *socket_context)
{
	struct event *event = socket_context;
	short events = (short)(EV_PERSIST | ((what & CURL_POLL_IN) != 0 ? EV_READ : 0) |
			       ((what & CURL_POLL_OUT) != 0 ? EV_WRITE : 0));

	(void)easy;
	(void)context;
	if (event != NULL)
		event_free(event);
	event = NULL;
	if (what != CURL_POLL_REMOVE) {
		event = event_new(run.base, fd, events, socket_is_ready, NULL);
		if (event == NULL)
			fail("out of memory");
		event_add(event, NULL);
	}
	curl_multi_assign(run.multi, fd, event);
	return 0;
}

static void prepare_alone(void)
{
	run.multi = curl_multi_init();
	run.timer = evtimer_new(run.base, time_is_over, NULL);
	if (run.multi == NULL || run.timer == NULL)
		fail("out of memory");
	curl_multi_setopt(run.multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
	curl_multi_setopt(run.multi, CURLMOPT_TIMERFUNCTION, set_timer);
	curl_multi_setopt(run.multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
}

/* --- with the code of tlsad ---------------------------------------------------------------- */

static void transferred(void *context, const struct sts_transfer_result *result)
{
	struct sts_policy policy;
	char why[STS_FAILURE_SIZE];
	bool good = false;

	if (result->outcome == STS_FETCHED) {
		good = sts_policy_read(&policy, result->body, result->body_size, why, sizeof why);
		sts_policy_clear(&policy);
	} else {
		snprintf(why, sizeof why, "%s", result->error);
	}
	finish(context, good, why);
}

static void start_as_tlsad(struct download *download)
{
	struct sts_transfer_request request = {
		.domain = download->domain,
		.port = (uint16_t)run.port,
		.address = (const uint8_t *)&download->address->bytes,
		.address_size = sizeof download->address->bytes,
		.trusted = run.trusted,
		.timeout = TIMEOUT,
		.connect_limit = TIMEOUT,
	};

	if (sts_transfer_start(run.transfers, &request, transferred, download) == NULL)
		fail("out of memory");
}

static void prepare_as_tlsad(void)
{
	run.transfers = sts_transfers_new(run.base, run.running_max);
	run.trusted = X509_STORE_new();
	if (run.transfers == NULL || run.trusted == NULL ||
		X509_STORE_load_file(run.trusted, run.ca_file) != 1)
		fail(run.ca_file);
}

static void start_download(struct download *download)
{
	if (run.transfers != NULL)
		start_as_tlsad(download);
	else
		start_alone(download);
}

/* --- the list ------------------------------------------------------------------------------ */

static struct address *find_address(const char *words)
{
	for (size_t i = 0; i < run.address_count; i++) {
		if (strcmp(run.addresses[i].words, words) == 0)
			return &run.addresses[i];
	}
	struct address *address = &run.addresses[run.address_count++];
	snprintf(address->words, sizeof address->words, "%s", words);
	if (inet_pton(AF_INET, words, &address->bytes) != 1)
		fail(words);
	return address;
}

static void read_list(const char *name)
{
	char line[2 * DNS_NAME_SIZE], format[32], address[INET_ADDRSTRLEN];
	FILE *file = fopen(name, "r");
	size_t lines = 0;

	STAILQ_INIT(&run.waiting);
	if (file == NULL)
		fail(name);
	while (fgets(line, sizeof line, file) != NULL)
		lines++;
	rewind(file);
	/* Its members must not move. */
	run.addresses = calloc(lines + 1, sizeof run.addresses[0]);
	snprintf(format, sizeof format, "%%%ds %%%ds", DNS_NAME_SIZE - 1, INET_ADDRSTRLEN - 1);
	while (fgets(line, sizeof line, file) != NULL) {
		struct download *download = calloc(1, sizeof *download);
		if (download == NULL || run.addresses == NULL)
			fail("out of memory");
		if (sscanf(line, format, download->domain, address) != 2)
			fail("not DOMAIN ADDRESS");
		download->address = find_address(address);
		STAILQ_INSERT_TAIL(&run.waiting, download, link);
		run.count++;
	}
	fclose(file);
	if (run.count < 2)
		fail("too few domains");
}

/* --- measuring ----------------------------------------------------------------------------- */

static double processor_seconds(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static bool measure(bool json)
{
	run.started_max = 1;
	start_more();
	event_base_dispatch(run.base);
	unsigned long before = run.done;
	uint64_t start = measure_clock();
	double processor = processor_seconds();

	run.started_max = run.count;
	start_more();
	event_base_dispatch(run.base);
	processor = processor_seconds() - processor;
	double seconds = (double)(measure_clock() - start) / 1e9;
	unsigned long done = run.done - before;
	double each = done > 0 ? processor / (double)done : 0;
	printf(json ? "{\"downloads\":%lu,\"seconds\":%.6f,\"rate\":%.1f,\"processor_us\":%.1f,"
		      "\"good\":%lu}\n"
		    : "%lu downloads in %.2f s, %.0f/s; %.1f us of processor time each; good %lu\n",
		done, seconds, (double)done / seconds, each * 1e6, run.good);
	return run.good == run.count;
}

static const struct option long_options[] = {
	{"tlsad", no_argument, NULL, 'a'},
	{"running", required_argument, NULL, 'r'},
	{"same", required_argument, NULL, 's'},
	{"time", required_argument, NULL, 't'},
	{"json", no_argument, NULL, 'j'},
	{NULL, 0, NULL, 0},
};

int main(int argc, char **argv)
{
	struct timeval limit = {.tv_sec = 300};
	bool json = false, as_tlsad = false;
	char error[256];
	int letter;

	run.running_max = 64;
	run.same_max = 8;
	while ((letter = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		switch (letter) {
		case 'a':
			as_tlsad = true;
			break;
		case 'r':
			run.running_max =
				measure_number("fetch_policies", "running", optarg, 1, 10000);
			break;
		case 's':
			run.same_max = measure_number("fetch_policies", "same", optarg, 1, 10000);
			break;
		case 't':
			limit.tv_sec =
				(time_t)measure_number("fetch_policies", "time", optarg, 1, 86400);
			break;
		case 'j':
			json = true;
			break;
		default:
			argc = 0;
		}
	}
	if (argc != optind + 3) {
		fputs("usage: fetch_policies [--tlsad] [--running N] [--same N] [--time SECONDS]\n"
		      "            [--json] CA_FILE PORT LIST\n",
			stderr);
		return 64;
	}
	run.ca_file = argv[optind];
	run.port = measure_number("fetch_policies", "PORT", argv[optind + 1], 1, 65535);
	run.base = event_base_new();
	if (run.base == NULL)
		fail("out of memory");
	if (!sts_transfers_prepare(error, sizeof error))
		fail(error);
	read_list(argv[optind + 2]);
	if (as_tlsad)
		prepare_as_tlsad();
	else
		prepare_alone();
	event_base_loopexit(run.base, &limit);
	return measure(json) ? 0 : 1;
}
