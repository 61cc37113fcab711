/*
 * exchange: queries name servers directly, over UDP and over TCP, all at the same time and within
 * EXCHANGE_TIMEOUT, to see whether they answer this host, and with DNSSEC.
 */
#ifndef TLSAD_CTL_DOCTOR_EXCHANGE_H
#define TLSAD_CTL_DOCTOR_EXCHANGE_H

#include "daemon/ctl/doctor/question.h"

#include <event2/event.h>
#include <sys/socket.h>

enum { EXCHANGE_TIMEOUT = 3 /* [s] */, EXCHANGE_TCP_MAX = 65535 };

enum exchange_outcome {
	EXCHANGE_SILENT, /* no answer in time */
	EXCHANGE_ANSWERED,
	EXCHANGE_NO_ROUTE,
	EXCHANGE_FAILED, /* see `error` */
};

struct exchange {
	/* set by the caller */
	struct sockaddr_storage address;
	socklen_t address_size;
	bool tcp;
	bool recurse;
	char zone[256];
	/* the result */
	enum exchange_outcome outcome;
	int error; /* errno, or 0: the bytes received were not an answer to the question */
	struct question_answer answer;
	/* while it runs */
	struct exchange_run *run;
	struct event *event;
	int fd;
	uint16_t id;
	uint8_t *bytes;
	size_t used;
	bool sent;
};

struct exchange_run {
	struct event_base *base;
	struct exchange *list;
	size_t count;
	size_t waiting;
	struct event *timer;
	/* Called once, from the loop, when the last exchange has ended. */
	void (*done)(void *context);
	void *context;
};

/* Starts all exchanges of the list; false when out of memory. */
bool exchange_run_start(struct exchange_run *run);

/* Ends the exchanges that are still running. */
void exchange_run_clear(struct exchange_run *run);

#endif
