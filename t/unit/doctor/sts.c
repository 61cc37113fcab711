/*
 * sts: what counters of downloads show of the way to policy servers.
 */
#include "daemon/ctl/doctor/sts.h"

#include "t/unit/tap.h"

enum { MIN = DOCTOR_STS_ATTEMPTS_MIN };

static const struct {
	const char *name;
	uint64_t counts[STS_OUTCOME_COUNT];
	enum doctor_sts_reach reach;
	uint64_t attempts;
} cases[] = {
	{"no downloads", {0}, DOCTOR_STS_FEW, 0},
	{"one policy", {[STS_FETCHED] = 1}, DOCTOR_STS_REACHED, 1},
	{"one policy of many", {[STS_FETCHED] = 1, [STS_NO_CONNECT] = 999}, DOCTOR_STS_REACHED,
		1000},
	{"TLS failed", {[STS_NO_TLS] = 1, [STS_TIMEOUT] = MIN}, DOCTOR_STS_REACHED, MIN + 1},
	{"HTTP failed", {[STS_NO_FILE] = 1, [STS_TIMEOUT] = MIN}, DOCTOR_STS_REACHED, MIN + 1},
	{"not a policy", {[STS_INVALID] = 1, [STS_TIMEOUT] = MIN}, DOCTOR_STS_REACHED, MIN + 1},
	{"too few refused", {[STS_NO_CONNECT] = MIN - 1}, DOCTOR_STS_FEW, MIN - 1},
	{"refused", {[STS_NO_CONNECT] = MIN}, DOCTOR_STS_UNREACHED, MIN},
	{"dropped", {[STS_TIMEOUT] = MIN}, DOCTOR_STS_UNREACHED, MIN},
	{"both", {[STS_TIMEOUT] = MIN / 2, [STS_NO_CONNECT] = MIN - MIN / 2}, DOCTOR_STS_UNREACHED,
		MIN},
	{"no connection was wanted",
		{[STS_NO_ADDRESS] = MIN, [STS_REFUSED] = MIN, [STS_BUSY] = MIN}, DOCTOR_STS_FEW, 0},
};

int main(void)
{
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		uint64_t attempts = 0;
		is_number(doctor_sts_judge(cases[i].counts, &attempts), cases[i].reach, "%s",
			cases[i].name);
		is_number((int64_t)attempts, (int64_t)cases[i].attempts, "%s: attempts",
			cases[i].name);
	}
	return done_testing();
}
