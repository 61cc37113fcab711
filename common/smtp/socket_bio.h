/*
 * socket_bio: an OpenSSL BIO on a non-blocking socket, which does three things that OpenSSL's own
 * one does not.
 *
 * Writing to a socket that the other side has closed raises no SIGPIPE, however the process handles
 * that signal. The number of bytes to read is limited by a budget: OpenSSL reads some messages
 * (HelloRequest during a handshake) endlessly, without returning to its caller, as fast as the
 * other side sends them. And the caller sees why reading or writing ended. A BIO belongs to one
 * thread; socket_bio_new() may be called by any thread.
 */
#ifndef TLSAD_SMTP_SOCKET_BIO_H
#define TLSAD_SMTP_SOCKET_BIO_H

#include <openssl/bio.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * Belongs to the caller, who keeps it and the descriptor longer than the BIO, and closes the
 * descriptor.
 */
struct socket_bio {
	int fd;
	size_t budget;  /* bytes that may still be read */
	bool exhausted; /* the budget was used up */
	bool closed;    /* the other side will send nothing more */
	int error;      /* errno of a read or write that failed permanently, otherwise 0 */
};

/* NULL: out of memory. */
BIO *socket_bio_new(struct socket_bio *socket);

#endif
