/*
 * listeners: the listening sockets of one setting in [server].
 *
 * If the service manager passes sockets with the setting's name (daemon/process/activation.h),
 * these are used; otherwise the endpoints of the setting are opened. The manager owns its sockets:
 * their files stay when the daemon ends.
 *
 * Opened by the main thread at the start, before there are other threads; then they do not change
 * until they are closed.
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
	bool inherited; /* all of them are the service manager's */
	bool removed;   /* the files of unix sockets: a successor may have created its own since */
};

/* What to open. */
struct listeners_settings {
	const char *name;       /* of the setting */
	char *const *endpoints; /* from the configuration, which has checked them */
	size_t count;           /* of these */
	size_t count_max;       /* of the service manager's sockets; 0: no limit */
	mode_t mode;            /* of unix sockets */
	bool unix_only;
	const struct privileges *owner; /* of unix sockets, and of their directory if created */
	/*
	 * The default endpoint, if the daemon may run without it: if only this one is configured
	 * and cannot be opened, there is a warning and no error. NULL: every endpoint is needed.
	 */
	const char *optional;
	const char *without; /* for the warning: what does not work then */
};

/*
 * Open the sockets. NULL with one line that names the setting and the endpoint. If an optional
 * endpoint cannot be opened the result has no sockets. Sockets of the service manager are logged.
 */
struct listeners *listeners_open(const struct listeners_settings *settings,
	struct activation *activation, char *error, size_t error_size);

/*
 * Remove the files of unix sockets, once; from then on a successor may create its own. NULL is
 * allowed.
 */
void listeners_remove(struct listeners *listeners);

/* Includes listeners_remove(). NULL is allowed. */
void listeners_free(struct listeners *listeners);

#endif
