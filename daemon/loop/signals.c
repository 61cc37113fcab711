#include "daemon/loop/signals.h"

#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

static sigset_t set_of(const struct signals *signals)
{
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < signals->count; i++)
		sigaddset(&set, signals->numbers[i]);
	return set;
}

static void take(evutil_socket_t fd, short what, void *context)
{
	const struct signals *signals = context;
	struct signalfd_siginfo info;

	(void)what;
	/* Only one: the handler may end the loop, and then further signals must stay pending. */
	if (read(fd, &info, sizeof info) == (ssize_t)sizeof info)
		signals->handler(signals->context, (int)info.ssi_signo);
}

void signals_block(struct signals *signals, const int *numbers, size_t count)
{
	*signals = (struct signals){.numbers = numbers, .count = count, .fd = -1};
	sigset_t set = set_of(signals);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
}

bool signals_watch(
	struct signals *signals, struct event_base *base, signals_handler *handler, void *context)
{
	sigset_t set = set_of(signals);

	signals->handler = handler;
	signals->context = context;
	signals->fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (signals->fd < 0)
		return false;
	signals->event = event_new(base, signals->fd, EV_READ | EV_PERSIST, take, signals);
	return signals->event != NULL && event_add(signals->event, NULL) == 0;
}

void signals_release(struct signals *signals)
{
	sigset_t set = set_of(signals);

	if (signals->event != NULL)
		event_free(signals->event);
	if (signals->fd >= 0)
		close(signals->fd);
	signals->event = NULL;
	signals->fd = -1;
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}
