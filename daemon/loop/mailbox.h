/*
 * mailbox: messages from any thread to the one that runs an event loop.
 *
 * A mutex and a list; an eventfd wakes the loop when the list was empty. Messages of one sender
 * arrive in their order. Not on the path of a cached reply.
 */
#ifndef TLSAD_LOOP_MAILBOX_H
#define TLSAD_LOOP_MAILBOX_H

#include <event2/event.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/queue.h>

enum message_kind {
	MESSAGE_LOOKUP,     /* struct lookup_request, to the lookup thread */
	MESSAGE_RESULT,     /* struct lookup_result, to who has asked */
	MESSAGE_FLUSH,      /* struct flush_request, to the lookup thread */
	MESSAGE_FLUSHED,    /* struct flush_result, to who has asked */
	MESSAGE_CONF,       /* struct conf_message, to every thread */
	MESSAGE_EVICT_IDLE, /* struct message, to a serving thread: a connection too many */
	MESSAGE_STOP,       /* struct message, to every thread */
};

/* The beginning of every message; malloc()ed as a whole by the sender. */
struct message {
	STAILQ_ENTRY(message) link;
	enum message_kind kind;
};

struct conf_message {
	struct message message;
	struct conf *conf; /* a reference that goes to the receiver */
};

/* The message is the handler's from then on, to free or to keep. */
typedef void mailbox_handler(void *context, struct message *message);

struct mailbox {
	pthread_mutex_t mutex;
	STAILQ_HEAD(, message) messages;
	int wake; /* eventfd */
	struct event *event;
	mailbox_handler *handler;
	void *context;
};

/* False, and `wake` is negative, when that is not possible. The event base is that of the receiving
 * thread, which need not run yet. */
bool mailbox_init(
	struct mailbox *mailbox, struct event_base *base, mailbox_handler *handler, void *context);

/* After all senders are gone. Messages that nobody read are freed, with what they hold. */
void mailbox_clear(struct mailbox *mailbox);

/* From any thread. */
void mailbox_post(struct mailbox *mailbox, struct message *message);

/* A message that is nothing but its kind; false when out of memory. */
bool mailbox_post_kind(struct mailbox *mailbox, enum message_kind kind);

#endif
