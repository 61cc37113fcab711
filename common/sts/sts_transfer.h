/*
 * sts_transfer: one attempt to download a policy file from one address (RFC 8461 3.3), with
 * libcurl's multi interface on a libevent loop.
 *
 *   https://mta-sts.DOMAIN/.well-known/mta-sts.txt
 *
 * The request goes to the given address: libcurl resolves no name. TLS 1.2 or later; the
 * certificate must be valid now, chain to a trusted CA and have the DNS-ID mta-sts.DOMAIN, where
 * `*` may stand for the whole left-most label; the common name counts for nothing (RFC 8461 3.3,
 * RFC 6125). Only status 200 counts, with one Content-Type, text/plain, and no coding that was not
 * asked for. No redirect, proxy, cookie, .netrc, cache or environment variable has an effect.
 *
 * All transfers of a struct sts_transfers belong to one thread, that of its event base.
 */
#ifndef TLSAD_STS_STS_TRANSFER_H
#define TLSAD_STS_STS_TRANSFER_H

#include "common/sts/sts_policy.h"

#include <event2/event.h>
#include <openssl/x509.h>

struct sts_transfers;
struct sts_transfer;

/*
 * Call it before there are threads. Unsets the environment variables that libcurl reads. False with
 * one line in `error` if this libcurl cannot be used: it must have HTTPS by OpenSSL.
 */
bool sts_transfers_prepare(char *error, size_t error_size);

/*
 * For at most `max` transfers at once. Up to STS_CLOSING_MAX more connections, of transfers that
 * have ended, wait for the close_notify of their server. NULL: out of memory.
 */
enum { STS_CLOSING_MAX = 8 };
struct sts_transfers *sts_transfers_new(struct event_base *base, size_t max);

/* All transfers must have ended or been cancelled. */
void sts_transfers_free(struct sts_transfers *transfers);

struct sts_transfer_request {
	const char *domain; /* the policy domain */
	uint16_t port;
	const uint8_t *address;
	size_t address_size;    /* 4 or 16 */
	X509_STORE *trusted;    /* CAs; the transfer takes a reference */
	uint32_t timeout;       /* [ms] of all */
	uint32_t connect_limit; /* [ms] until the end of the TLS handshake */
};

/* The numbers are those of counters: add new ones before the count. */
enum sts_outcome {
	STS_FETCHED,
	STS_NO_ADDRESS, /* mta-sts.DOMAIN has no address, or the lookup failed */
	STS_REFUSED,    /* it has only special-purpose addresses (sts_address.h) */
	STS_NO_CONNECT, /* no TCP connection, or it was reset */
	STS_NO_TLS,     /* the TLS handshake failed, or the certificate */
	STS_NO_FILE,    /* HTTP: not status 200, not text/plain, too long, cut */
	STS_TIMEOUT,    /* not complete in time */
	STS_INVALID,    /* the file is not a policy */
	STS_BUSY,       /* too many downloads at once, or out of memory */
	STS_OUTCOME_COUNT,
};

/* "fetched", "no-address", ...: in metrics. */
const char *sts_outcome_name(enum sts_outcome outcome);

struct sts_transfer_result {
	enum sts_outcome outcome;
	const char *body;             /* with STS_FETCHED */
	size_t body_size;             /* at most STS_FILE_MAX */
	char error[STS_FAILURE_SIZE]; /* otherwise: why, one line of printable ASCII */
};

/*
 * Called once, from the loop, never inside sts_transfer_start(). The transfer is freed after it.
 * The result is valid until it returns.
 */
typedef void sts_transfer_done(void *context, const struct sts_transfer_result *result);

/* NULL: out of memory. */
struct sts_transfer *sts_transfer_start(struct sts_transfers *transfers,
	const struct sts_transfer_request *request, sts_transfer_done *done, void *context);
void sts_transfer_cancel(struct sts_transfer *transfer);

/* [us], clock_exact_us(): the last time that the server sent something or accepted. */
uint64_t sts_transfer_active_at(const struct sts_transfer *transfer);

#endif
