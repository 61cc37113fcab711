/*
 * signals: signals as events of the main loop.
 *
 * They stay blocked in every thread and are read from a descriptor, signalfd(2). So no handler
 * interrupts other code, and ThreadSanitizer cannot delay one until the loop's wait is over.
 */
#ifndef TLSAD_LOOP_SIGNALS_H
#define TLSAD_LOOP_SIGNALS_H

#include <event2/event.h>
#include <stdbool.h>
#include <stddef.h>

typedef void signals_handler(void *context, int number);

struct signals {
	const int *numbers;
	size_t count;
	signals_handler *handler;
	void *context;
	struct event *event; /* NULL: not watched */
	int fd;
};

/*
 * Block the signals in this thread and in all threads that it starts later. `numbers` stays the
 * caller's and must outlive `signals`.
 */
void signals_block(struct signals *signals, const int *numbers, size_t count);

/*
 * Call the handler from the loop for each of these signals; a signal that came after they were
 * blocked is not lost. False when out of memory or descriptors.
 */
bool signals_watch(
	struct signals *signals, struct event_base *base, signals_handler *handler, void *context);

/* Unblock the signals: from here on each has its default action. */
void signals_release(struct signals *signals);

#endif
