/*
 * socket: does tlsad reply on its endpoints?
 */
#ifndef TLSAD_CTL_DOCTOR_SOCKET_H
#define TLSAD_CTL_DOCTOR_SOCKET_H

#include "daemon/ctl/doctor/finding.h"

void doctor_examine_sockets(struct doctor *doctor);

/*
 * Is `address`, the unix path or HOST:PORT of a lookup table of Postfix, this endpoint? A unix path
 * is one from outside of any chroot; different paths may lead to the same socket.
 */
bool doctor_socket_is(const char *endpoint, const char *address, bool is_unix);

/*
 * Does a process listen on this endpoint? True also if that is not known: for names, which are not
 * looked up, without the right to connect, and if a host does not respond.
 */
bool doctor_socket_listens(const char *endpoint);

#endif
