#include "daemon/ctl/check/suggested_record.h"

#include "daemon/ctl/tlsa/certificate.h"
#include "daemon/ctl/tlsa/tlsa_record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Matches the chain as if DNS had only this record. */
static bool try_record(const struct server_check_address *address, const struct tlsa_record *record,
	struct tlsa_match_result *result)
{
	uint8_t rdata[3 + TLSA_DIGEST_MAX] = {
		record->usage, record->selector, record->matching_type};
	struct host_tlsa tlsa = {
		.usability = TLSA_USABLE,
		.size = (uint16_t)(3 + record->data_size),
		.rdata = rdata,
	};
	struct tlsa_match_terms terms = address->host->terms;

	memcpy(rdata + 3, record->data, record->data_size);
	terms.tlsa = &tlsa;
	terms.tlsa_count = 1;
	return tlsa_match_chain(address->host->check->context, &terms, address->chain, result);
}

static bool suggest(
	const struct server_check_address *address, int depth, struct suggested_record *suggested)
{
	const struct server_check_host *host = address->host;
	const struct tlsa_parameters parameters = {
		depth == 0 ? TLSA_DANE_EE : TLSA_DANE_TA, TLSA_PUBLIC_KEY, TLSA_SHA256};
	const struct tlsa_owner owner = {
		.protocol = "tcp",
		.port = host->check->destination.port,
		.name = host->terms.names[0],
	};
	struct tlsa_match_result result;
	struct tlsa_record record;

	memset(suggested, 0, sizeof *suggested);
	if (!tlsa_record_from_certificate(
		    parameters, sk_X509_value(address->chain, depth), &record))
		return false;
	if (try_record(address, &record, &result)) {
		suggested->depth = depth;
		suggested->verifies = result.verified;
		snprintf(suggested->reason, sizeof suggested->reason, "%s", result.reason);
		suggested->line = tlsa_record_zone_line(&owner, TLSA_NO_TTL, false, &record);
	}
	tlsa_record_clear(&record);
	return suggested->line != NULL;
}

size_t suggested_records_make(const struct server_check_address *address,
	struct suggested_record records[SUGGESTED_RECORDS_MAX])
{
	size_t count = 0;

	for (int depth = 0; depth < sk_X509_num(address->chain) && count < SUGGESTED_RECORDS_MAX;
		depth++) {
		/* Only a certificate that may issue others can be a trust anchor. */
		if (depth > 0 && !certificate_is_authority(sk_X509_value(address->chain, depth)))
			continue;
		count += suggest(address, depth, &records[count]);
	}
	return count;
}

void suggested_record_clear(struct suggested_record *suggested)
{
	free(suggested->line);
	suggested->line = NULL;
}
