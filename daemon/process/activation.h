/*
 * activation: listening sockets that a service manager has opened and hands over, so that they
 * outlive the daemon and no connection attempt is lost while it restarts.
 *
 * The protocol of sd_listen_fds_with_names(3), which is part of systemd's promise of stable
 * interfaces: LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES, and descriptors from 3 on. It is spoken here
 * without libsystemd, and so works in every build and with every manager that speaks it.
 *
 * A socket's name (FileDescriptorName=, systemd.socket(5)) is that of the setting in [server] whose
 * endpoints it replaces: socketmap, control, ... Several may have the same one.
 *
 * Used at the start, by the main thread.
 */
#ifndef TLSAD_PROCESS_ACTIVATION_H
#define TLSAD_PROCESS_ACTIVATION_H

#include <stdbool.h>
#include <stddef.h>

enum {
	ACTIVATION_MAX = 64,        /* sockets of all names */
	ACTIVATION_NAME_SIZE = 256, /* systemd allows 255 bytes */
};

struct activation {
	size_t count;
	struct {
		int fd; /* -1: taken */
		char name[ACTIVATION_NAME_SIZE];
	} sockets[ACTIVATION_MAX];
};

/*
 * Read the environment and remove from it what was read. Without a manager, or when the sockets are
 * for another process, there are none. False and one line when what is said is not true.
 */
bool activation_read(struct activation *activation, char *error, size_t error_size);

/* The next socket of that name, which is the caller's from then on; -1 when there is none. */
int activation_take(struct activation *activation, const char *name);

/* Close what nobody has taken, and name it in the log. */
void activation_close(struct activation *activation);

#endif
