#include "common/sts/sts_transfer.h"

#include "common/base/clock.h"
#include "common/base/text.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

enum {
	/* [bytes] of all header fields: far more than servers send; limits memory. */
	HEADERS_MAX = 64 * 1024,
	/*
	 * [bytes] of all TLS records. Some of what a server may send is in neither the header
	 * fields nor the file: chunk extensions, padding, frames of HTTP/2. A file of 64 KiB, each
	 * byte a chunk and a record of its own, needs less than half of it.
	 */
	TRAFFIC_MAX = 4 * 1024 * 1024,
	HOST_SIZE = DNS_NAME_SIZE + sizeof "mta-sts.",
};

struct sts_transfer {
	struct sts_transfers *transfers;
	sts_transfer_done *done;
	void *context;
	CURL *easy;
	CURLSH *names; /* the address of this host, for this transfer alone */
	struct curl_slist *address, *headers;
	X509_STORE *trusted;
	SSL_CTX *tls; /* with a pointer to the transfer */
	char host[HOST_SIZE];
	char words[CURL_ERROR_SIZE];
	char objection[STS_FAILURE_SIZE]; /* to the header fields, when the body began */
	uint64_t active_at;
	size_t headers_size, traffic;
	char *body;
	size_t body_size, body_room;
	bool too_long, headers_too_long;
	bool closed_by_tls; /* the server sent close_notify */
	bool unknown_name;  /* the server sent the alert unrecognized_name */
	bool is_http2;      /* as TLS has agreed: a status line may say anything */
};

/*
 * What libcurl wants to know of one of its sockets. Newer versions close a connection gently after
 * its transfer was freed.
 */
struct watched {
	LIST_ENTRY(watched) link;
	struct sts_transfers *transfers;
	struct sts_transfer *transfer; /* NULL: it has been freed */
	struct event *event;
	int fd;
};

struct sts_transfers {
	struct event_base *base;
	LIST_HEAD(, watched) sockets;
	CURLM *multi;
	struct event *timer;
	struct event *ended; /* looks for transfers that have ended */
};

const char *sts_outcome_name(enum sts_outcome outcome)
{
	static const char *const names[STS_OUTCOME_COUNT] = {
		[STS_FETCHED] = "fetched",
		[STS_NO_ADDRESS] = "no-address",
		[STS_REFUSED] = "refused",
		[STS_NO_CONNECT] = "no-connect",
		[STS_NO_TLS] = "no-tls",
		[STS_NO_FILE] = "no-file",
		[STS_TIMEOUT] = "timeout",
		[STS_INVALID] = "invalid",
		[STS_BUSY] = "busy",
	};
	return names[outcome];
}

/* Of the transfer in its SSL_CTX. */
static int transfer_index = -1;

/* CURLOPT_HTTP_VERSION: HTTP/2 if this libcurl has it. */
static long http_version = CURL_HTTP_VERSION_1_1;

/* --- libcurl ------------------------------------------------------------------------------- */

bool sts_transfers_prepare(char *error, size_t error_size)
{
	/* Proxies are disabled for each transfer too; these have no option. */
	static const char *const variables[] = {"SSLKEYLOGFILE", "CURL_SSL_BACKEND", "NETRC"};

	for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++)
		unsetenv(variables[i]);
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
		snprintf(error, error_size, "libcurl cannot be initialised");
		return false;
	}
	const curl_version_info_data *info = curl_version_info(CURLVERSION_NOW);
	if (info->ssl_version == NULL || strncmp(info->ssl_version, "OpenSSL/", 8) != 0) {
		snprintf(error, error_size,
			"this libcurl uses %.60s for TLS; MTA-STS needs one that uses OpenSSL",
			info->ssl_version != NULL ? info->ssl_version : "nothing");
		return false;
	}
	if ((info->features & CURL_VERSION_HTTP2) != 0)
		http_version = CURL_HTTP_VERSION_2TLS;
	transfer_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, NULL);
	return true;
}

static void look_for_ended(struct sts_transfers *transfers)
{
	event_active(transfers->ended, EV_TIMEOUT, 0);
}

static void socket_is_ready(evutil_socket_t fd, short what, void *context)
{
	const struct watched *watched = context;
	struct sts_transfers *transfers = watched->transfers;
	int running, ready = ((what & EV_READ) != 0 ? CURL_CSELECT_IN : 0) |
			     ((what & EV_WRITE) != 0 ? CURL_CSELECT_OUT : 0);

	if (watched->transfer != NULL)
		watched->transfer->active_at = clock_exact_us();
	/* It may free `watched`. */
	curl_multi_socket_action(transfers->multi, (curl_socket_t)fd, ready, &running);
	look_for_ended(transfers);
}

static void time_is_over(evutil_socket_t fd, short what, void *context)
{
	struct sts_transfers *transfers = context;
	int running;

	(void)fd;
	(void)what;
	curl_multi_socket_action(transfers->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	look_for_ended(transfers);
}

static int set_timer(CURLM *multi, long milliseconds, void *context)
{
	struct sts_transfers *transfers = context;
	struct timeval delay = {milliseconds / 1000, milliseconds % 1000 * 1000};

	(void)multi;
	if (milliseconds < 0)
		evtimer_del(transfers->timer);
	else
		evtimer_add(transfers->timer, &delay);
	return 0;
}

static void unwatch(struct watched *watched)
{
	LIST_REMOVE(watched, link);
	if (watched->event != NULL)
		event_free(watched->event);
	free(watched);
}

/*
 * libcurl calls it when it wants to wait for a socket, or no longer. Without memory the socket is
 * not watched, and its transfer ends with its time: -1 would end all transfers.
 */
static int watch_socket(CURL *easy, curl_socket_t fd, int what, void *context, void *socket_context)
{
	struct sts_transfers *transfers = context;
	struct watched *watched = socket_context;
	short events = (short)(EV_PERSIST | ((what & CURL_POLL_IN) != 0 ? EV_READ : 0) |
			       ((what & CURL_POLL_OUT) != 0 ? EV_WRITE : 0));

	if (what == CURL_POLL_REMOVE) {
		if (watched != NULL)
			unwatch(watched);
		curl_multi_assign(transfers->multi, fd, NULL);
		return 0;
	}
	if (watched == NULL) {
		watched = calloc(1, sizeof *watched);
		if (watched == NULL)
			return 0;
		LIST_INSERT_HEAD(&transfers->sockets, watched, link);
		watched->transfers = transfers;
		watched->fd = (int)fd;
		curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&watched->transfer);
		curl_multi_assign(transfers->multi, fd, watched);
	}
	if (watched->event != NULL)
		event_free(watched->event);
	watched->event = event_new(transfers->base, watched->fd, events, socket_is_ready, watched);
	if (watched->event != NULL)
		event_add(watched->event, NULL);
	return 0;
}

/* --- what the server sends ----------------------------------------------------------------- */

static size_t take_header(char *bytes, size_t one, size_t size, void *context)
{
	struct sts_transfer *transfer = context;

	(void)bytes;
	(void)one;
	transfer->headers_size += size;
	transfer->headers_too_long = transfer->headers_size > HEADERS_MAX;
	return transfer->headers_too_long ? 0 : size;
}

/* A field of the last response; NULL if there is none. `*count` is how many there are. */
static const char *field(const struct sts_transfer *transfer, const char *name, size_t *count)
{
	struct curl_header *header;

	*count = 0;
	if (curl_easy_header(transfer->easy, name, 0, CURLH_HEADER, -1, &header) != CURLHE_OK)
		return NULL;
	*count = header->amount;
	return header->value;
}

/* `text/plain`, alone or with parameters (RFC 8461 3.3, RFC 9110 8.3.1). */
static bool is_plain_text(const char *type)
{
	static const char plain[] = "text/plain";
	size_t size = strcspn(type, "; \t");

	return text_equal_nocase(type, size, plain) && (type[size] == '\0' || strchr(type, ';'));
}

/* Status and header fields, which must be those of a policy. */
static bool judge_fields(const struct sts_transfer *transfer, char words[STS_FAILURE_SIZE])
{
	size_t count;
	long status = 0;

	words[0] = '\0';
	curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
	const char *type = field(transfer, "Content-Type", &count);
	if (status != 200)
		snprintf(words, STS_FAILURE_SIZE, "HTTP status %ld", status);
	else if (count != 1 || !is_plain_text(type))
		snprintf(words, STS_FAILURE_SIZE, "Content-Type is %s%.100s, not text/plain",
			count > 1 ? "given twice, first as " : "", type != NULL ? type : "missing");
	else if (field(transfer, "Content-Encoding", &count) != NULL)
		snprintf(words, STS_FAILURE_SIZE,
			"it has a Content-Encoding that was not asked for");
	else if ((type = field(transfer, "Transfer-Encoding", &count)) != NULL &&
		 (count != 1 || !text_equal_nocase(type, strlen(type), "chunked")))
		snprintf(words, STS_FAILURE_SIZE,
			"it has a Transfer-Encoding that was not asked for");
	else if (field(transfer, "Content-Length", &count) != NULL && count != 1)
		/* RFC 9112 6.3; libcurl takes the last one. */
		snprintf(words, STS_FAILURE_SIZE, "it has more than one Content-Length");
	return words[0] == '\0';
}

/*
 * The fields are judged before the body: libcurl 7.88 takes those that follow it in HTTP/2, its
 * trailer, for header fields.
 */
static size_t take_body(char *bytes, size_t one, size_t size, void *context)
{
	struct sts_transfer *transfer = context;
	size_t needed = transfer->body_size + size;

	(void)one;
	if (transfer->body_size == 0 && !judge_fields(transfer, transfer->objection))
		return 0;
	if (needed > STS_FILE_MAX) {
		transfer->too_long = true;
		return 0;
	}
	if (needed > transfer->body_room) {
		size_t room = needed < 4096 ? 4096 : 2 * needed;
		char *moved = realloc(transfer->body, room);
		if (moved == NULL)
			return 0;
		transfer->body = moved;
		transfer->body_room = room;
	}
	memcpy(transfer->body + transfer->body_size, bytes, size);
	transfer->body_size = needed;
	return size;
}

/* --- one transfer -------------------------------------------------------------------------- */

static void notice_state(const SSL *ssl, int what, int value)
{
	struct sts_transfer *transfer = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), transfer_index);
	const unsigned char *protocol;
	unsigned size;

	if (transfer == NULL)
		return;
	if ((what & SSL_CB_READ_ALERT) == SSL_CB_READ_ALERT) {
		transfer->closed_by_tls |= (value & 0xff) == SSL3_AD_CLOSE_NOTIFY;
		transfer->unknown_name |= (value & 0xff) == SSL_AD_UNRECOGNIZED_NAME;
	}
	if ((what & SSL_CB_HANDSHAKE_DONE) != 0) {
		SSL_get0_alpn_selected(ssl, &protocol, &size);
		transfer->is_http2 = size == 2 && memcmp(protocol, "h2", 2) == 0;
	}
}

/* Called with the header of each record, among others. */
static void count_traffic(
	int sent, int version, int type, const void *bytes, size_t size, SSL *ssl, void *context)
{
	struct sts_transfer *transfer = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), transfer_index);
	const uint8_t *header = bytes;

	(void)version;
	(void)context;
	if (transfer != NULL && !sent && type == SSL3_RT_HEADER && size == SSL3_RT_HEADER_LENGTH)
		transfer->traffic += size + (size_t)(header[3] << 8 | header[4]);
}

/* libcurl calls it often; a value that is not 0 ends the transfer. */
static int check_traffic(void *context, curl_off_t total, curl_off_t now, curl_off_t upload_total,
	curl_off_t upload_now)
{
	const struct sts_transfer *transfer = context;

	(void)total;
	(void)now;
	(void)upload_total;
	(void)upload_now;
	return transfer->traffic > TRAFFIC_MAX;
}

/* The connection may outlive the transfer. */
static void forget_tls(struct sts_transfer *transfer)
{
	if (transfer->tls == NULL)
		return;
	SSL_CTX_set_ex_data(transfer->tls, transfer_index, NULL);
	SSL_CTX_free(transfer->tls);
	transfer->tls = NULL;
}

/*
 * libcurl compares the name as well, but takes the common name if there is no DNS-ID. OpenSSL does
 * it here without that, and without `*` for a part of a label.
 */
static CURLcode prepare_tls(CURL *easy, void *tls, void *context)
{
	struct sts_transfer *transfer = context;
	SSL_CTX *ssl_context = tls;
	X509_VERIFY_PARAM *param = SSL_CTX_get0_param(ssl_context);

	(void)easy;
	SSL_CTX_set1_cert_store(ssl_context, transfer->trusted);
	forget_tls(transfer);
	/* libcurl may begin again with another connection. */
	transfer->closed_by_tls = false;
	transfer->unknown_name = false;
	if (SSL_CTX_set_ex_data(ssl_context, transfer_index, transfer) != 1 ||
		SSL_CTX_up_ref(ssl_context) != 1)
		return CURLE_OUT_OF_MEMORY;
	transfer->tls = ssl_context;
	SSL_CTX_set_info_callback(ssl_context, notice_state);
	SSL_CTX_set_msg_callback(ssl_context, count_traffic);
	X509_VERIFY_PARAM_set_hostflags(
		param, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return X509_VERIFY_PARAM_set1_host(param, transfer->host, 0) == 1 ? CURLE_OK
									  : CURLE_OUT_OF_MEMORY;
}

static bool add_string(struct curl_slist **list, const char *string)
{
	struct curl_slist *longer = curl_slist_append(*list, string);

	if (longer == NULL)
		return false;
	*list = longer;
	return true;
}

/* The host with its address, as libcurl's only entry of its own cache of names. */
static bool set_address(struct sts_transfer *transfer, const struct sts_transfer_request *request)
{
	char address[INET6_ADDRSTRLEN], entry[HOST_SIZE + INET6_ADDRSTRLEN + 16];
	bool is_ipv6 = request->address_size == 16;

	if (inet_ntop(is_ipv6 ? AF_INET6 : AF_INET, request->address, address, sizeof address) ==
		NULL)
		return false;
	snprintf(entry, sizeof entry, is_ipv6 ? "%s:%u:[%s]" : "%s:%u:%s", transfer->host,
		request->port, address);
	transfer->names = curl_share_init();
	return transfer->names != NULL && add_string(&transfer->address, entry) &&
	       curl_share_setopt(transfer->names, CURLSHOPT_SHARE, CURL_LOCK_DATA_DNS) ==
		       CURLSHE_OK;
}

#define SET(option, value) (curl_easy_setopt(transfer->easy, option, value) == CURLE_OK)

static bool set_options(struct sts_transfer *transfer, const struct sts_transfer_request *request)
{
	char url[HOST_SIZE + 64];

	snprintf(url, sizeof url, "https://%s:%u/.well-known/mta-sts.txt", transfer->host,
		request->port);
	return SET(CURLOPT_URL, url) && SET(CURLOPT_PRIVATE, transfer) &&
	       SET(CURLOPT_ERRORBUFFER, transfer->words) && SET(CURLOPT_NOSIGNAL, 1L) &&
	       SET(CURLOPT_TIMEOUT_MS, (long)request->timeout) &&
	       SET(CURLOPT_CONNECTTIMEOUT_MS, (long)request->connect_limit) &&
	       SET(CURLOPT_NOPROGRESS, 0L) && SET(CURLOPT_XFERINFOFUNCTION, check_traffic) &&
	       SET(CURLOPT_XFERINFODATA, transfer) &&
	       /* Names and connections. */
	       SET(CURLOPT_SHARE, transfer->names) && SET(CURLOPT_RESOLVE, transfer->address) &&
	       SET(CURLOPT_FRESH_CONNECT, 1L) && SET(CURLOPT_FORBID_REUSE, 1L) &&
	       SET(CURLOPT_PROTOCOLS_STR, "https") && SET(CURLOPT_PROXY, "") &&
	       SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED) &&
	       /* TLS. The CAs are those of prepare_tls(). */
	       SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) &&
	       SET(CURLOPT_SSL_VERIFYPEER, 1L) && SET(CURLOPT_SSL_VERIFYHOST, 2L) &&
	       SET(CURLOPT_CAINFO, NULL) && SET(CURLOPT_CAPATH, NULL) &&
	       SET(CURLOPT_SSL_SESSIONID_CACHE, 0L) && SET(CURLOPT_SSL_CTX_FUNCTION, prepare_tls) &&
	       SET(CURLOPT_SSL_CTX_DATA, transfer) &&
	       /* HTTP. */
	       SET(CURLOPT_HTTP_VERSION, http_version) && SET(CURLOPT_HTTP09_ALLOWED, 0L) &&
	       SET(CURLOPT_FOLLOWLOCATION, 0L) && SET(CURLOPT_USERAGENT, "tlsad/" TLSAD_VERSION) &&
	       SET(CURLOPT_HTTPHEADER, transfer->headers) &&
	       SET(CURLOPT_HEADERFUNCTION, take_header) && SET(CURLOPT_HEADERDATA, transfer) &&
	       SET(CURLOPT_WRITEFUNCTION, take_body) && SET(CURLOPT_WRITEDATA, transfer);
}

static void free_transfer(struct sts_transfer *transfer)
{
	struct watched *watched;

	if (transfer->easy != NULL) {
		curl_multi_remove_handle(transfer->transfers->multi, transfer->easy);
		curl_easy_cleanup(transfer->easy);
	}
	forget_tls(transfer);
	LIST_FOREACH(watched, &transfer->transfers->sockets, link)
	{
		if (watched->transfer == transfer)
			watched->transfer = NULL;
	}
	if (transfer->names != NULL)
		curl_share_cleanup(transfer->names);
	curl_slist_free_all(transfer->address);
	curl_slist_free_all(transfer->headers);
	X509_STORE_free(transfer->trusted);
	free(transfer->body);
	free(transfer);
}

struct sts_transfer *sts_transfer_start(struct sts_transfers *transfers,
	const struct sts_transfer_request *request, sts_transfer_done *done, void *context)
{
	struct sts_transfer *transfer = calloc(1, sizeof *transfer);

	if (transfer == NULL)
		return NULL;
	transfer->transfers = transfers;
	transfer->done = done;
	transfer->context = context;
	transfer->active_at = clock_exact_us();
	if (X509_STORE_up_ref(request->trusted) == 1)
		transfer->trusted = request->trusted;
	snprintf(transfer->host, sizeof transfer->host, "mta-sts.%s", request->domain);
	transfer->easy = curl_easy_init();
	if (transfer->trusted == NULL || transfer->easy == NULL ||
		!set_address(transfer, request) ||
		!add_string(&transfer->headers, "Accept: text/plain") ||
		!set_options(transfer, request) ||
		curl_multi_add_handle(transfers->multi, transfer->easy) != CURLM_OK) {
		free_transfer(transfer);
		return NULL;
	}
	return transfer;
}

void sts_transfer_cancel(struct sts_transfer *transfer)
{
	free_transfer(transfer);
}

uint64_t sts_transfer_active_at(const struct sts_transfer *transfer)
{
	return transfer->active_at;
}

/* --- the end of a transfer ----------------------------------------------------------------- */

static enum sts_outcome outcome_of(CURLcode code)
{
	switch (code) {
	case CURLE_OK:
		return STS_FETCHED;
	case CURLE_OPERATION_TIMEDOUT:
		return STS_TIMEOUT;
	case CURLE_COULDNT_CONNECT:
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_GOT_NOTHING:
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
		return STS_NO_CONNECT;
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CIPHER:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_SSL_INVALIDCERTSTATUS:
		return STS_NO_TLS;
	case CURLE_OUT_OF_MEMORY:
	case CURLE_FAILED_INIT:
		return STS_BUSY;
	default:
		return STS_NO_FILE;
	}
}

static void explain(struct sts_transfer_result *result, enum sts_outcome outcome, const char *words)
{
	struct text text;

	result->outcome = outcome;
	text_init(&text, result->error, sizeof result->error);
	text_add_escaped(&text, words, strlen(words));
	text_mark_cut(&text);
}

/*
 * If neither a length nor chunks nor HTTP/2 say where the file ends, it ends with the connection,
 * which an attacker can cut. libcurl 7.88 takes such an end for a good one.
 */
static bool is_complete(const struct sts_transfer *transfer)
{
	curl_off_t length = -1;
	size_t count;

	/* Not the field: libcurl ignores a Content-Length that is too large a number. */
	curl_easy_getinfo(transfer->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
	return transfer->closed_by_tls || transfer->is_http2 || length >= 0 ||
	       field(transfer, "Transfer-Encoding", &count) != NULL;
}

static void judge_response(const struct sts_transfer *transfer, struct sts_transfer_result *result)
{
	char words[STS_FAILURE_SIZE];

	/* Without a body they were not judged before. */
	if (transfer->body_size == 0 && !judge_fields(transfer, words)) {
		explain(result, STS_NO_FILE, words);
	} else if (!is_complete(transfer)) {
		explain(result, STS_NO_FILE,
			"the connection was closed without close_notify: the file may be cut");
	} else {
		result->outcome = STS_FETCHED;
		result->body = transfer->body != NULL ? transfer->body : "";
		result->body_size = transfer->body_size;
	}
}

/* The words of libcurl, which for TLS may be those of OpenSSL, with what they are about. */
static void explain_code(
	const struct sts_transfer *transfer, CURLcode code, struct sts_transfer_result *result)
{
	const char *words = transfer->words[0] != '\0' ? transfer->words : curl_easy_strerror(code);
	char all[CURL_ERROR_SIZE + HOST_SIZE + 64];

	if (outcome_of(code) != STS_NO_TLS)
		snprintf(all, sizeof all, "%s", words);
	else if (transfer->unknown_name)
		snprintf(all, sizeof all, "TLS failed: the server has no certificate for %s: %s",
			transfer->host, words);
	else
		snprintf(all, sizeof all, "TLS failed: %s", words);
	explain(result, outcome_of(code), all);
}

static void end_transfer(struct sts_transfer *transfer, CURLcode code)
{
	struct sts_transfer_result result = {.outcome = outcome_of(code)};

	if (transfer->too_long || code == CURLE_FILESIZE_EXCEEDED)
		explain(&result, STS_NO_FILE, "the file is longer than 64 KiB");
	else if (transfer->headers_too_long)
		explain(&result, STS_NO_FILE, "the header fields are longer than 64 KiB");
	else if (transfer->objection[0] != '\0')
		explain(&result, STS_NO_FILE, transfer->objection);
	else if (transfer->traffic > TRAFFIC_MAX)
		explain(&result, STS_NO_FILE, "the server sends without an end");
	else if (code != CURLE_OK)
		explain_code(transfer, code, &result);
	else
		judge_response(transfer, &result);
	transfer->done(transfer->context, &result);
	free_transfer(transfer);
}

static void take_ended(evutil_socket_t fd, short what, void *context)
{
	struct sts_transfers *transfers = context;
	struct sts_transfer *transfer;
	CURLMsg *message;
	int left;

	(void)fd;
	(void)what;
	while ((message = curl_multi_info_read(transfers->multi, &left)) != NULL) {
		CURLcode code = message->data.result;
		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&transfer);
		end_transfer(transfer, code);
	}
}

/* --- all of them --------------------------------------------------------------------------- */

#define SET_MULTI(option, value) (curl_multi_setopt(transfers->multi, option, value) == CURLM_OK)

struct sts_transfers *sts_transfers_new(struct event_base *base, size_t max)
{
	struct sts_transfers *transfers = calloc(1, sizeof *transfers);

	if (transfers == NULL)
		return NULL;
	transfers->base = base;
	LIST_INIT(&transfers->sockets);
	transfers->multi = curl_multi_init();
	transfers->timer = evtimer_new(base, time_is_over, transfers);
	transfers->ended = evtimer_new(base, take_ended, transfers);
	if (transfers->multi != NULL && transfers->timer != NULL && transfers->ended != NULL &&
		SET_MULTI(CURLMOPT_SOCKETFUNCTION, watch_socket) &&
		SET_MULTI(CURLMOPT_SOCKETDATA, transfers) &&
		SET_MULTI(CURLMOPT_TIMERFUNCTION, set_timer) &&
		SET_MULTI(CURLMOPT_TIMERDATA, transfers) &&
		SET_MULTI(CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING) &&
		/* Beyond it, libcurl closes the oldest connection that is being closed. */
		SET_MULTI(CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)(max + STS_CLOSING_MAX)))
		return transfers;
	sts_transfers_free(transfers);
	return NULL;
}

void sts_transfers_free(struct sts_transfers *transfers)
{
	if (transfers == NULL)
		return;
	if (transfers->multi != NULL)
		curl_multi_cleanup(transfers->multi);
	if (transfers->timer != NULL)
		event_free(transfers->timer);
	if (transfers->ended != NULL)
		event_free(transfers->ended);
	free(transfers);
}
