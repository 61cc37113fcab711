/*
 * signals: signals as events of the main loop
 *
 * They stay blocked in every thread and are read from a descriptor, signalfd(2): no handler runs
 * between two instructions, and none is put off until the loop's wait is over, as ThreadSanitizer
 * may do.
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

/* In this thread, and in all that it starts from now on. `numbers` stays the caller's. */
void signals_block(struct signals *signals, const int *numbers, size_t count);

/*
 * Calls the handler from the loop for each of these signals; one that came since they were blocked
 * is not lost. False: no memory, or no descriptor.
 */
bool signals_watch(
	struct signals *signals, struct event_base *base, signals_handler *handler, void *context);

/* From here on each of them does what it does to any process. */
void signals_release(struct signals *signals);

#endif
