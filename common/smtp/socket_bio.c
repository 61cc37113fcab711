#include "common/smtp/socket_bio.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <sys/socket.h>

static BIO_METHOD *method;
static CRYPTO_ONCE once = CRYPTO_ONCE_STATIC_INIT;

static bool passes(int error)
{
	return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

static int write_bytes(BIO *bio, const char *bytes, int size)
{
	struct socket_bio *socket = BIO_get_data(bio);

	BIO_clear_retry_flags(bio);
	ssize_t sent = send(socket->fd, bytes, (size_t)size, MSG_NOSIGNAL);
	if (sent >= 0)
		return (int)sent;
	if (passes(errno))
		BIO_set_retry_write(bio);
	else
		socket->error = errno;
	return -1;
}

static int read_bytes(BIO *bio, char *bytes, int size)
{
	struct socket_bio *socket = BIO_get_data(bio);

	BIO_clear_retry_flags(bio);
	if (socket->budget == 0) {
		socket->exhausted = true;
		return -1;
	}
	if ((size_t)size > socket->budget)
		size = (int)socket->budget;
	ssize_t received = recv(socket->fd, bytes, (size_t)size, 0);
	if (received > 0)
		socket->budget -= (size_t)received;
	else if (received == 0)
		socket->closed = true;
	else if (passes(errno))
		BIO_set_retry_read(bio);
	else
		socket->error = errno;
	return (int)received;
}

static long control(BIO *bio, int command, long number, void *pointer)
{
	(void)bio;
	(void)number;
	(void)pointer;
	/* Nothing is buffered, so a flush always succeeds; OpenSSL fails if it returns 0. */
	return command == BIO_CTRL_FLUSH;
}

static int begin(BIO *bio)
{
	BIO_set_init(bio, 1);
	return 1;
}

static void make_method(void)
{
	BIO_METHOD *made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket");

	if (made == NULL)
		return;
	if (BIO_meth_set_write(made, write_bytes) && BIO_meth_set_read(made, read_bytes) &&
		BIO_meth_set_ctrl(made, control) && BIO_meth_set_create(made, begin))
		method = made;
	else
		BIO_meth_free(made);
}

BIO *socket_bio_new(struct socket_bio *socket)
{
	if (!CRYPTO_THREAD_run_once(&once, make_method) || method == NULL)
		return NULL;
	BIO *bio = BIO_new(method);
	if (bio != NULL)
		BIO_set_data(bio, socket);
	return bio;
}
