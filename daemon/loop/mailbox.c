#include "daemon/loop/mailbox.h"

#include "common/conf/conf.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

static struct message *take(struct mailbox *mailbox)
{
	pthread_mutex_lock(&mailbox->mutex);
	struct message *message = STAILQ_FIRST(&mailbox->messages);
	if (message != NULL)
		STAILQ_REMOVE_HEAD(&mailbox->messages, link);
	pthread_mutex_unlock(&mailbox->mutex);
	return message;
}

static void woken(evutil_socket_t fd, short what, void *context)
{
	struct mailbox *mailbox = context;
	struct message *message;
	uint64_t count;

	(void)what;
	/* Reset it before reading the list: a later message then wakes the loop again. */
	ssize_t ignored = read(fd, &count, sizeof count);
	(void)ignored;
	while ((message = take(mailbox)) != NULL)
		mailbox->handler(mailbox->context, message);
}

bool mailbox_init(
	struct mailbox *mailbox, struct event_base *base, mailbox_handler *handler, void *context)
{
	STAILQ_INIT(&mailbox->messages);
	mailbox->handler = handler;
	mailbox->context = context;
	mailbox->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (mailbox->wake < 0)
		return false;
	mailbox->event = event_new(base, mailbox->wake, EV_READ | EV_PERSIST, woken, mailbox);
	if (mailbox->event == NULL || event_add(mailbox->event, NULL) != 0 ||
		pthread_mutex_init(&mailbox->mutex, NULL) != 0) {
		if (mailbox->event != NULL)
			event_free(mailbox->event);
		close(mailbox->wake);
		mailbox->wake = -1;
		return false;
	}
	return true;
}

static void discard(struct message *message)
{
	if (message->kind == MESSAGE_CONF)
		conf_release(((struct conf_message *)message)->conf);
	free(message);
}

void mailbox_clear(struct mailbox *mailbox)
{
	struct message *message;

	while ((message = take(mailbox)) != NULL)
		discard(message);
	event_free(mailbox->event);
	close(mailbox->wake);
	pthread_mutex_destroy(&mailbox->mutex);
}

void mailbox_post(struct mailbox *mailbox, struct message *message)
{
	static const uint64_t one = 1;

	pthread_mutex_lock(&mailbox->mutex);
	bool empty = STAILQ_EMPTY(&mailbox->messages);
	STAILQ_INSERT_TAIL(&mailbox->messages, message, link);
	pthread_mutex_unlock(&mailbox->mutex);
	if (empty) {
		/* Cannot fail: the counter is reset long before it overflows. */
		ssize_t ignored = write(mailbox->wake, &one, sizeof one);
		(void)ignored;
	}
}

bool mailbox_post_kind(struct mailbox *mailbox, enum message_kind kind)
{
	struct message *message = calloc(1, sizeof *message);
	if (message == NULL)
		return false;
	message->kind = kind;
	mailbox_post(mailbox, message);
	return true;
}
