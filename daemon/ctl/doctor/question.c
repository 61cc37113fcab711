#include "daemon/ctl/doctor/question.h"

#include "common/dns/dns_answer.h"

#include <arpa/nameser.h>
#include <resolv.h>
#include <stdio.h>
#include <string.h>

enum {
	FLAG_QR = 0x80,
	FLAG_RD = 0x01,
	FLAG_AD = 0x20,
	OPT_SIZE = 11,
	OPT_DO = 0x80,
	RRSIG_FIXED = 18, /* RFC 4034 3.1: up to the signer's name */
};

/* As ns_mkquery(3) would, which leaves the flags and the additional section to its caller. */
size_t question_make(uint8_t bytes[QUESTION_SIZE], const char *zone, uint16_t id, bool recurse)
{
	uint8_t *at = bytes + NS_HFIXEDSZ;

	memset(bytes, 0, QUESTION_SIZE);
	ns_put16(id, bytes);
	bytes[2] = recurse ? FLAG_RD : 0;
	bytes[3] = recurse ? FLAG_AD : 0; /* RFC 6840 5.7: say whether it is authentic */
	ns_put16(1, bytes + 4);
	ns_put16(1, bytes + 10);
	int length = ns_name_compress(zone[0] != '\0' ? zone : ".", at, NS_MAXCDNAME, NULL, NULL);
	if (length < 0)
		return 0;
	at += length;
	ns_put16(ns_t_soa, at);
	ns_put16(ns_c_in, at + 2);
	at += 4;
	at[0] = 0; /* the owner of OPT is the root */
	ns_put16(ns_t_opt, at + 1);
	ns_put16(QUESTION_UDP_SIZE, at + 3);
	at[7] = OPT_DO;
	return (size_t)(at + OPT_SIZE - bytes);
}

static bool is_question(ns_msg *message, const char *zone)
{
	ns_rr record;

	return ns_msg_count(*message, ns_s_qd) == 1 &&
	       ns_parserr(message, ns_s_qd, 0, &record) == 0 && ns_rr_type(record) == ns_t_soa &&
	       dns_name_equal(ns_rr_name(record), zone);
}

static void read_record(struct question_answer *answer, const ns_rr *record)
{
	const uint8_t *rdata = ns_rr_rdata(*record);

	if (ns_rr_type(*record) == ns_t_soa) {
		answer->found = true;
	} else if (ns_rr_type(*record) == ns_t_rrsig && ns_rr_rdlen(*record) > RRSIG_FIXED &&
		   ns_get16(rdata) == ns_t_soa) {
		answer->is_signed = true;
		answer->expiration = (uint32_t)ns_get32(rdata + 8);
		answer->inception = (uint32_t)ns_get32(rdata + 12);
	}
}

void question_read(struct question_answer *answer, const char *zone, uint16_t id,
	const uint8_t *bytes, size_t size)
{
	ns_msg message;
	ns_rr record;

	memset(answer, 0, sizeof *answer);
	if (size > INT32_MAX || ns_initparse(bytes, (int)size, &message) != 0 ||
		ns_msg_id(message) != id || !ns_msg_getflag(message, ns_f_qr) ||
		!is_question(&message, zone))
		return;
	answer->matches = true;
	answer->rcode = ns_msg_getflag(message, ns_f_rcode);
	answer->truncated = ns_msg_getflag(message, ns_f_tc) != 0;
	answer->authenticated = ns_msg_getflag(message, ns_f_ad) != 0;
	for (int i = 0; i < ns_msg_count(message, ns_s_an); i++) {
		if (ns_parserr(&message, ns_s_an, i, &record) != 0)
			return;
		read_record(answer, &record);
	}
	for (int i = 0; i < ns_msg_count(message, ns_s_ar); i++) {
		if (ns_parserr(&message, ns_s_ar, i, &record) != 0)
			return;
		answer->edns = answer->edns || ns_rr_type(record) == ns_t_opt;
	}
}

int32_t question_distance(uint32_t inception, uint32_t expiration, uint32_t now)
{
	if ((int32_t)(now - inception) < 0)
		return (int32_t)(now - inception);
	if ((int32_t)(now - expiration) > 0)
		return (int32_t)(now - expiration);
	return 0;
}
