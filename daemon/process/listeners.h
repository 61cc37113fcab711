/*
 * listeners: the listening sockets of one setting in [server].
 *
 * They are those that a service manager has handed over under the setting's name
 * (daemon/process/activation.h), and if there are none, those of the setting itself. The former are
 * the manager's: their files stay when the daemon ends.
 *
 * Opened at the start, before there are other threads; then they do not change until they are
 * closed.
 */
#ifndef TLSAD_PROCESS_LISTENERS_H
#define TLSAD_PROCESS_LISTENERS_H

#include "common/base/endpoint.h"
#include "common/conf/conf.h"
#include "daemon/process/activation.h"
#include "daemon/process/privileges.h"

struct listeners {
	size_t count;
	int sockets[CONF_LIST_MAX];
	struct endpoint endpoints[CONF_LIST_MAX];
	bool inherited; /* all of them */
	bool removed;   /* the unix sockets' files: a successor may have made its own since */
};

/* What is to be opened. */
struct listeners_settings {
	const char *name;       /* of the setting */
	char *const *endpoints; /* as the configuration has them; checked when it was loaded */
	size_t count;           /* of these */
	size_t count_max;       /* sockets that may be handed over; 0: as many as there are */
	mode_t mode;            /* of unix sockets */
	bool unix_only;
	const struct privileges *owner; /* of unix sockets, and of their directory if it is made */
	/*
	 * The default endpoint, if the daemon may run without: if nothing else is configured and it
	 * cannot be opened, that is only warned of. NULL: every endpoint is needed.
	 */
	const char *optional;
	const char *without; /* the warning's words for what does not work then */
};

/*
 * NULL and one line that names the setting and the endpoint; an optional endpoint that cannot be
 * opened leaves none. Which sockets were handed over is logged.
 */
struct listeners *listeners_open(const struct listeners_settings *settings,
	struct activation *activation, char *error, size_t error_size);

/*
 * Remove the files of unix sockets, once; a successor may make its own from then on. NULL will do.
 */
void listeners_remove(struct listeners *listeners);

/* With listeners_remove(). NULL will do. */
void listeners_free(struct listeners *listeners);

#endif
