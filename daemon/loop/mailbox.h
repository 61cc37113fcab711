/*
 * mailbox: messages from any thread to the thread that runs an event loop.
 *
 * A mutex and a list; an eventfd wakes the loop if the list was empty. Messages of one sender
 * arrive in order. A reply from the cache needs no message.
 */
#ifndef TLSAD_LOOP_MAILBOX_H
#define TLSAD_LOOP_MAILBOX_H

#include <event2/event.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/queue.h>

enum message_kind {
	MESSAGE_LOOKUP,     /* struct lookup_request, to the lookup thread */
	MESSAGE_RESULT,     /* struct lookup_result, to the sender of the lookup_request */
	MESSAGE_FLUSH,      /* struct flush_request, to the lookup thread */
	MESSAGE_FLUSHED,    /* struct flush_result, to the sender of the flush_request */
	MESSAGE_CONF,       /* struct conf_message, to every thread */
	MESSAGE_EVICT_IDLE, /* struct message, to a serving thread: close an idle connection */
	MESSAGE_STOP,       /* struct message, to every thread */
};

/* The first member of every message. The sender allocates the whole message with malloc(). */
struct message {
	STAILQ_ENTRY(message) link;
	enum message_kind kind;
};

struct conf_message {
	struct message message;
	struct conf *conf; /* a reference, which the receiver owns */
};

/* The handler owns the message: it frees or keeps it. */
typedef void mailbox_handler(void *context, struct message *message);

struct mailbox {
	pthread_mutex_t mutex;
	STAILQ_HEAD(, message) messages;
	int wake; /* eventfd */
	struct event *event;
	mailbox_handler *handler;
	void *context;
};

/*
 * False, with a negative `wake`, when out of memory or descriptors. `base` is the event base of the
 * receiving thread, which need not run yet.
 */
bool mailbox_init(
	struct mailbox *mailbox, struct event_base *base, mailbox_handler *handler, void *context);

/* Call it when nobody sends any more. Unread messages are freed, with what they own. */
void mailbox_clear(struct mailbox *mailbox);

/* Send a message. Any thread. */
void mailbox_post(struct mailbox *mailbox, struct message *message);

/* Send a message that has only a kind. False when out of memory. Any thread. */
bool mailbox_post_kind(struct mailbox *mailbox, enum message_kind kind);

#endif
