/*
 * question: makes one DNS query and reads from its answer whether there is DNSSEC and when the
 * signatures are valid. No state, no I/O. Nothing is validated here.
 */
#ifndef TLSAD_CTL_DOCTOR_QUESTION_H
#define TLSAD_CTL_DOCTOR_QUESTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { QUESTION_SIZE = 512, QUESTION_UDP_SIZE = 1232 };

/*
 * `ZONE SOA` with EDNS (RFC 6891 6.1) and DO (RFC 3225 3). Returns its size [bytes], or 0 if `zone`
 * is not a name.
 */
size_t question_make(uint8_t bytes[QUESTION_SIZE], const char *zone, uint16_t id, bool recurse);

struct question_answer {
	bool matches; /* it is an answer to this question */
	int rcode;
	bool truncated;     /* TC: the whole answer needs TCP */
	bool authenticated; /* AD (RFC 4035 3.2.3) */
	bool found;         /* there is an SOA record */
	bool edns;          /* an OPT record came back */
	bool is_signed;     /* with an RRSIG for it */
	/* of that RRSIG: serial numbers (RFC 4034 3.1.5), do not compare them as times */
	uint32_t inception, expiration;
};

void question_read(struct question_answer *answer, const char *zone, uint16_t id,
	const uint8_t *bytes, size_t size);

/*
 * How far `now` is from the validity of a signature [s]: 0 within it, negative before the
 * inception, positive after the expiration. Serial numbers (RFC 4034 3.1.5).
 */
int32_t question_distance(uint32_t inception, uint32_t expiration, uint32_t now);

#endif
