/*
 * sts: can tlsad download policies of MTA-STS: has it CAs, and does it reach policy servers?
 *
 * No policy server can be asked on behalf of all others, so the downloads of the running daemon are
 * read from its status.
 */
#ifndef TLSAD_CTL_DOCTOR_STS_H
#define TLSAD_CTL_DOCTOR_STS_H

#include "common/sts/sts_transfer.h"
#include "daemon/ctl/doctor/finding.h"
#include "daemon/ctl/frame/command.h"

/*
 * Fewer downloads than this that reach no server show nothing: they may be for one domain, which is
 * tried again and again.
 */
enum { DOCTOR_STS_ATTEMPTS_MIN = 10 };

enum doctor_sts_reach {
	DOCTOR_STS_REACHED,   /* some server took a connection */
	DOCTOR_STS_UNREACHED, /* none did, of DOCTOR_STS_ATTEMPTS_MIN or more */
	DOCTOR_STS_FEW,       /* none did, but there are too few attempts to tell */
};

/*
 * `counts` are of downloads, by outcome. `*attempts` is how many of them wanted a connection. Pure.
 */
enum doctor_sts_reach doctor_sts_judge(
	const uint64_t counts[STS_OUTCOME_COUNT], uint64_t *attempts);

void doctor_examine_sts(struct doctor *doctor, const struct ctl *ctl);

#endif
