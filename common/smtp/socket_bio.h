/*
 * socket_bio: an OpenSSL BIO on a non-blocking socket, for what OpenSSL's own one does not do.
 *
 * Writing to a socket that the other side has closed raises no SIGPIPE, whatever the process does
 * about that signal. No more than a budget is read: OpenSSL takes in some messages (HelloRequest
 * in the middle of a handshake) without end and without returning to its caller, as fast as the
 * other side sends them. And it is told apart why it ended.
 */
#ifndef TLSAD_SMTP_SOCKET_BIO_H
#define TLSAD_SMTP_SOCKET_BIO_H

#include <openssl/bio.h>
#include <stdbool.h>
#include <stddef.h>

/* The caller's; it and the descriptor, which is not closed here, outlive the BIO. */
struct socket_bio {
	int fd;
	size_t budget;  /* that may still be read [bytes] */
	bool exhausted; /* more came than that */
	bool closed;    /* the other side will send nothing more */
	int error;      /* errno of a read or write that failed for good, else 0 */
};

/* NULL when out of memory. */
BIO *socket_bio_new(struct socket_bio *socket);

#endif
