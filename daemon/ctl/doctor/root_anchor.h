/*
 * root_anchor: which root keys does this host trust, and are they IANA's?
 */
#ifndef TLSAD_CTL_DOCTOR_ROOT_ANCHOR_H
#define TLSAD_CTL_DOCTOR_ROOT_ANCHOR_H

#include "common/dns/root_anchor.h"
#include "daemon/ctl/doctor/finding.h"

#include <stdint.h>

enum { ANCHOR_KEYS_MAX = 32, ANCHOR_DIGEST_SIZE = 32 };

struct anchor_key {
	uint16_t tag;
	bool digested; /* there is a SHA-256 digest */
	uint8_t digest[ANCHOR_DIGEST_SIZE];
};

/*
 * Reads the root's keys from DS and DNSKEY records, one per line: a file of [resolver]
 * trust_anchor, or libunbound's state of RFC 5011, from which only trusted keys are taken. Pure.
 */
size_t anchor_keys_read(const char *text, struct anchor_key keys[ANCHOR_KEYS_MAX]);

void doctor_examine_root_anchors(struct doctor *doctor, const struct root_anchors *anchors);

#endif
