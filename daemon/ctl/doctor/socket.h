/*
 * doctor_socket: the endpoints where the daemon should be: is somebody there who answers?
 */
#ifndef TLSAD_CTL_DOCTOR_SOCKET_H
#define TLSAD_CTL_DOCTOR_SOCKET_H

#include "daemon/ctl/doctor/doctor.h"

void doctor_examine_sockets(struct doctor *doctor);

/*
 * Is `place`, the unix path or HOST:PORT of a table of Postfix's, this endpoint? A unix path as it
 * is called outside of any chroot; one file may have several names.
 */
bool doctor_socket_is(const char *endpoint, const char *place, bool is_unix);

#endif
