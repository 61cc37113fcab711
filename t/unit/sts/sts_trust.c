/*
 * sts_trust: when the file of CAs is read again. t/daemon/sts.t has downloads with it.
 */
#include "common/sts/sts_trust.h"

#include "t/unit/scratch.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <sys/resource.h>

static char file[SCRATCH_PATH_SIZE], error[300];

/* So many different certificates, as PEM; 0: something else. */
static void write_file(unsigned count)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	FILE *stream = fopen(file, "w");

	if (key == NULL || stream == NULL)
		bail_out("a file for the test");
	if (count == 0)
		fputs("no certificate\n", stream);
	for (unsigned i = 1; i <= count; i++) {
		X509 *certificate = X509_new();
		if (X509_set_version(certificate, X509_VERSION_3) != 1 ||
			ASN1_INTEGER_set(X509_get_serialNumber(certificate), i) != 1 ||
			ASN1_TIME_set(X509_getm_notBefore(certificate), 0) == NULL ||
			ASN1_TIME_set(X509_getm_notAfter(certificate), 0) == NULL ||
			X509_set_pubkey(certificate, key) != 1 ||
			X509_sign(certificate, key, EVP_sha256()) <= 0 ||
			PEM_write_X509(stream, certificate) != 1)
			bail_out("a certificate for the test");
		X509_free(certificate);
	}
	fclose(stream);
	EVP_PKEY_free(key);
}

static void limit_files(rlim_t count)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		bail_out("getrlimit");
	limit.rlim_cur = count != 0 ? count : limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
		bail_out("setrlimit");
}

static bool refresh(struct sts_trust *trust)
{
	error[0] = '\0';
	return sts_trust_refresh(trust, error, sizeof error);
}

int main(void)
{
	scratch_begin();
	snprintf(file, sizeof file, "%s", scratch_path("ca.pem"));
	ok(sts_trust_open(file, error, sizeof error) == NULL, "no file: %s", error);
	write_file(1);
	struct sts_trust *trust = sts_trust_open(file, error, sizeof error);
	if (!ok(trust != NULL, "a certificate"))
		return done_testing();
	is_number((int64_t)sts_trust_count(trust), 1, "one");
	write_file(2);
	ok(refresh(trust), "two certificates");
	is_number((int64_t)sts_trust_count(trust), 2, "two");

	write_file(0);
	ok(!refresh(trust), "no certificate any more: %s", error);
	ok(refresh(trust), "which is said once");
	is_number((int64_t)sts_trust_count(trust), 2, "those before are kept");
	unlink(file);
	ok(refresh(trust), "no file");
	is_number((int64_t)sts_trust_count(trust), 2, "they are kept, too");

	write_file(3);
	limit_files(1);
	ok(!refresh(trust), "too many open files: %s", error);
	limit_files(0);
	is_number((int64_t)sts_trust_count(trust), 2, "they are kept");
	/* As an administrator who finds that tlsad may not read it. Its contents have no new time.
	 */
	chmod(file, 0600);
	ok(refresh(trust), "it has another mode");
	is_number((int64_t)sts_trust_count(trust), 3, "and is read");
	sts_trust_free(trust);
	return done_testing();
}
