/*
 * ca_store: which names in a directory count, and directories as seen from inside a chroot.
 * t/ctl/doctor.t has files with certificates.
 */
#include "daemon/ctl/doctor/ca_store.h"

#include "t/unit/scratch.h"

static void test_names(void)
{
	static const struct {
		const char *name;
		bool is_hash;
	} names[] = {
		{"0a1b2c3d.0", true},
		{"ffffffff.12", true},
		{"0a1b2c3d.r0", false}, /* a CRL */
		{"0a1b2c3d.", false},
		{"0a1b2c3d", false},
		{"0a1b2c3.0", false},
		{"0a1b2c3d4.0", false},
		{"0A1B2C3D.0", false},
		{"0a1b2c3d.0.pem", false},
		{"ca-certificates.crt", false},
		{"", false},
		{".", false},
	};

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		ok(ca_store_is_hash(names[i].name) == names[i].is_hash, "'%s'", names[i].name);
}

static void make_file(const char *name, mode_t mode)
{
	int fd = open(scratch_path(name), O_WRONLY | O_CREAT | O_CLOEXEC, mode);

	if (fd < 0 || fchmod(fd, mode) != 0)
		bail_out("a file for the test");
	close(fd);
}

static void examine(uid_t uid, const char *root, const char *directory, enum ca_store_state state,
	const char *words)
{
	const struct access_account account = {.name = "somebody", .uid = uid};
	struct ca_store store;

	ca_store_examine_directory(&store, root, directory, &account);
	is_number(store.state, state, "%s", words);
	ok(strstr(store.words, words) != NULL, "%s: %s", words, store.words);
}

static void test_directories(void)
{
	enum { SOMEBODY = 65533 };
	const char *root = scratch_directory;

	chmod(root, 0755);
	mkdir(scratch_path("etc"), 0755);
	mkdir(scratch_path("etc/certs"), 0755);
	examine(SOMEBODY, root, "/etc/none", CA_STORE_BAD, "there is no such directory");
	examine(SOMEBODY, root, "/etc/certs", CA_STORE_BAD, "it has no certificate");
	make_file("etc/certs/some.pem", 0644);
	examine(SOMEBODY, root, "/etc/certs", CA_STORE_BAD, "it has no certificate");
	/* A link to a path that exists outside of the chroot only. */
	if (symlink(scratch_path("etc/certs/some.pem"), scratch_path("etc/certs/0a1b2c3d.0")) != 0)
		bail_out("a link for the test");
	examine(SOMEBODY, root, "/etc/certs", CA_STORE_BAD, "it has no certificate");
	examine(0, "", scratch_path("etc/certs"), CA_STORE_GOOD, "with certificates of CAs");
	make_file("etc/certs/0a1b2c3d.1", 0600);
	examine(SOMEBODY, root, "/etc/certs", CA_STORE_BAD, "the user somebody may read");
	make_file("etc/certs/0a1b2c3d.2", 0644);
	examine(SOMEBODY, root, "/etc/certs", CA_STORE_GOOD, "with certificates of CAs");
	chmod(scratch_path("etc/certs"), 0700);
	examine(SOMEBODY, root, "/etc/certs", CA_STORE_BAD, "the user somebody may not enter it");
}

static void test_file(void)
{
	struct ca_store store;

	make_file("empty.pem", 0644);
	ca_store_examine_file(&store, scratch_path("empty.pem"));
	is_number(store.state, CA_STORE_BAD, "no certificate");
	ca_store_examine_file(&store, scratch_path("none.pem"));
	is_number(store.state, CA_STORE_BAD, "no file");
	ok(strstr(store.words, "none.pem: No such file") != NULL, "%s", store.words);
}

int main(void)
{
	scratch_begin();
	test_names();
	test_directories();
	test_file();
	return done_testing();
}
