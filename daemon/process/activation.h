/*
 * activation: listening sockets that a service manager has opened and passes to the daemon. They
 * stay open while the daemon restarts, so no connection attempt is lost.
 *
 * The protocol is that of sd_listen_fds_with_names(3), which systemd promises to keep stable:
 * LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES, and descriptors from 3 on. It is implemented here without
 * libsystemd, and so works in every build and with every manager that uses it.
 *
 * A socket's name (FileDescriptorName=, systemd.socket(5)) is that of the setting in [server] whose
 * endpoints it replaces: socketmap, control, ... Several sockets may have the same name.
 *
 * Used at the start, by the main thread.
 */
#ifndef TLSAD_PROCESS_ACTIVATION_H
#define TLSAD_PROCESS_ACTIVATION_H

#include <stdbool.h>
#include <stddef.h>

enum {
	ACTIVATION_MAX = 64,        /* sockets in total */
	ACTIVATION_NAME_SIZE = 256, /* systemd allows 255 bytes */
};

struct activation {
	size_t count;
	struct {
		int fd; /* -1: activation_take() has returned it */
		char name[ACTIVATION_NAME_SIZE];
	} sockets[ACTIVATION_MAX];
};

/*
 * Read the variables and remove them from the environment. Without a manager, or if the sockets are
 * for another process, the list is empty. False with one line if a variable is invalid or a
 * descriptor is not open.
 */
bool activation_read(struct activation *activation, char *error, size_t error_size);

/* The next socket of that name, which is the caller's from then on; -1 after the last one. */
int activation_take(struct activation *activation, const char *name);

/* Close the sockets that were not taken, with a log line for each. */
void activation_close(struct activation *activation);

#endif
