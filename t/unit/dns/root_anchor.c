/*
 * root_anchor: the seed, or the built-in keys; keys that libunbound learned are stored and found
 * again, and ignored if the seed has changed or they are unusable; trust anchors of other zones;
 * invalid records are reported with file and line; a directory that cannot be written is reported
 * once; no working directory remains.
 */
#include "common/dns/root_anchor.h"

#include "common/base/log.h"

#include "t/unit/scratch.h"

#include <dirent.h>
#include <grp.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <time.h>

#define KEY_ONE ". IN DS 20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D"
#define KEY_TWO ". IN DS 38696 8 2 683D2D0ACB8C9B712A1948B27F741219298D0A450D612C483AF444A4C0FB2B16"
#define OTHER "corp.example. IN DS 1 13 2 00112233445566778899AABBCCDDEEFF"
#define LEARNED                                                                                    \
	"; autotrust trust anchor file\n;;id: . 1\n"                                               \
	".\t172800\tIN\tDNSKEY\t257 3 8 AwEAAa== ;;state=2\n"

static char error[512], captured[8192];
static char seed[SCRATCH_PATH_SIZE], state[SCRATCH_PATH_SIZE], run[SCRATCH_PATH_SIZE];

static struct root_anchors *open_anchors(void)
{
	error[0] = '\0';
	capture_begin();
	struct root_anchors *anchors = root_anchor_open(seed, state, error, sizeof error);
	capture_end(captured, sizeof captured);
	return anchors;
}

static struct root_anchors *open_with(const char *lines)
{
	scratch_write_text(seed, lines);
	return open_anchors();
}

static const char *state_file(void)
{
	static char path[SCRATCH_PATH_SIZE + 16];
	snprintf(path, sizeof path, "%s/root.key", state);
	return path;
}

static void expect_working(
	const struct root_anchors *anchors, const char *expected, const char *what)
{
	const char *file = anchors != NULL ? root_anchor_tracked_file(anchors) : NULL;
	char *bytes = file != NULL ? scratch_read(file, NULL) : NULL;

	is_string(bytes, expected, "%s", what);
	free(bytes);
}

static size_t working_directories(void)
{
	DIR *listing = opendir(run);
	struct dirent *entry;
	size_t count = 0;

	while (listing != NULL && (entry = readdir(listing)) != NULL)
		count += entry->d_name[0] != '.';
	if (listing != NULL)
		closedir(listing);
	return count;
}

/* --- the seed ------------------------------------------------------------------------------ */

static void test_built_in(void)
{
	size_t count = 1;

	unlink(seed);
	struct root_anchors *anchors = open_anchors();
	ok(anchors != NULL, "without a file the built-in keys are taken");
	expect_working(anchors, KEY_ONE "\n" KEY_TWO "\n", "both keys of IANA's root");
	root_anchor_others(anchors, &count);
	is_number((int64_t)count, 0, "and no other anchors");
	ok(strstr(captured, seed) != NULL && strstr(captured, "built-in") != NULL,
		"the log says so: %s", captured);
	ok(working_directories() == 1, "the working copy has a directory of its own");
	root_anchor_close(anchors);
	ok(working_directories() == 0, "which is removed afterwards");
	ok(access(state_file(), F_OK) != 0, "and nothing was stored");
	root_anchor_close(NULL);
}

static const struct {
	const char *name;
	const char *lines;
	const char *root; /* NULL: no record of the root */
	const char *others[3];
} seeds[] = {
	{"one key", KEY_ONE "\n", KEY_ONE "\n", {NULL}},
	{"both keys and comments", "; IANA\n\n" KEY_ONE " ; the old one\n" KEY_TWO "\n;\n",
		KEY_ONE "\n" KEY_TWO "\n", {NULL}},
	{"no newline at the end", KEY_ONE, KEY_ONE "\n", {NULL}},
	{"carriage returns", KEY_ONE "\r\n" KEY_TWO "\r\n", KEY_ONE "\n" KEY_TWO "\n", {NULL}},
	{"a tab after the owner", ".\tIN DS 1 8 2 AA\n", ".\tIN DS 1 8 2 AA\n", {NULL}},
	{"tabs everywhere", ".\t172800\tIN\tDNSKEY\t257 3 8 AwEAAa==\n",
		".\t172800\tIN\tDNSKEY\t257 3 8 AwEAAa==\n", {NULL}},
	{"a tab after the type only", ". IN DS\t1 8 2 AA\n", ". IN DS\t1 8 2 AA\n", {NULL}},
	{"neither TTL nor class, in lower case", ". dnskey 257 3 8 AwEAAa==\n",
		". dnskey 257 3 8 AwEAAa==\n", {NULL}},
	{"a zone named like a type", "ds. 3600 IN DS 1 8 2 AA\n", NULL,
		{"ds. 3600 IN DS 1 8 2 AA"}},
	{"blanks at the end, empty lines", KEY_ONE "  \t\n\n   \n", KEY_ONE "\n", {NULL}},
	{"another zone alone", OTHER "\n", NULL, {OTHER}},
	{"another zone beside the root", OTHER " ; ours\n" KEY_ONE "\n", KEY_ONE "\n", {OTHER}},
	{"two other zones", "a. IN DS 1 8 2 AA\n" KEY_ONE "\nb. IN DS 1 8 2 AA\n", KEY_ONE "\n",
		{"a. IN DS 1 8 2 AA", "b. IN DS 1 8 2 AA"}},
	{"a zone whose name begins with a dot is not the root", ".x IN DS 1 8 2 AA\n", NULL,
		{".x IN DS 1 8 2 AA"}},
};

static void test_seeds(void)
{
	for (size_t i = 0; i < sizeof seeds / sizeof seeds[0]; i++) {
		struct root_anchors *anchors = open_with(seeds[i].lines);
		size_t count = 0, expected = 0;

		if (!ok(anchors != NULL, "%s: is taken", seeds[i].name)) {
			diag("%s", error);
			continue;
		}
		if (seeds[i].root != NULL)
			expect_working(anchors, seeds[i].root, seeds[i].name);
		else
			ok(root_anchor_tracked_file(anchors) == NULL, "%s: nothing for the root",
				seeds[i].name);
		const char *const *others = root_anchor_others(anchors, &count);
		bool good = true;
		for (; seeds[i].others[expected] != NULL; expected++)
			good = good && expected < count &&
			       strcmp(others[expected], seeds[i].others[expected]) == 0;
		ok(good && count == expected, "%s: %zu anchors of other zones", seeds[i].name,
			count);
		/* Without a key for the root there is nothing to store, which is not an error. */
		root_anchor_keep(anchors);
		root_anchor_close(anchors);
	}
	ok(access(state_file(), F_OK) != 0, "nothing was learned, so nothing was stored");
}

static const struct {
	const char *name;
	const char *lines;
	unsigned line; /* 0: about the whole file */
	const char *words;
} refused[] = {
	{"a record over several lines", "; one\n. IN DNSKEY 257 3 8 (\n AwEAAa== )\n", 2,
		"one DS or DNSKEY record per line"},
	{"a line that goes on with the one before", KEY_ONE "\n" KEY_TWO "\n  IN DS 1 8 2 AA\n", 3,
		"begins with its owner name"},
	{"a line that begins with a tab", "\tIN DS 1 8 2 AA\n", 1, "begins with its owner name"},
	{"a bracket in another zone's record", OTHER "\n\na. IN DS 1 8 2 ( AA )\n", 3,
		"one DS or DNSKEY record per line"},
	{"words", KEY_ONE "\nnothing of the kind\n", 2, "one DS or DNSKEY record per line"},
	{"a directive of zone files", "$TTL 3600\n" KEY_ONE "\n", 1,
		"one DS or DNSKEY record per line"},
	{"another type", ". IN NS a.root-servers.net.\n", 1, "one DS or DNSKEY record per line"},
	{"a record without its data", ". IN DS 1 8 2\n", 1, "one DS or DNSKEY record per line"},
	{"a record without numbers", ". IN DS key\n", 1, "one DS or DNSKEY record per line"},
	{"an empty file", "", 0, "contains no trust anchor"},
	{"only comments", "; nothing\n;\n\n  \n", 0, "contains no trust anchor"},
};

static void test_refused(void)
{
	for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
		char place[SCRATCH_PATH_SIZE + 16];
		struct root_anchors *anchors = open_with(refused[i].lines);

		if (refused[i].line > 0)
			snprintf(place, sizeof place, "%s:%u: ", seed, refused[i].line);
		else
			snprintf(place, sizeof place, "%s ", seed);
		if (!ok(anchors == NULL && strncmp(error, place, strlen(place)) == 0 &&
				    strstr(error, refused[i].words) != NULL &&
				    strchr(error, '\n') == NULL,
			    "%s: reported with its place", refused[i].name))
			diag("%s", anchors != NULL ? "it was taken" : error);
		root_anchor_close(anchors);
	}
	/* As many trust anchors of other zones as are allowed. */
	char lines[8192] = KEY_ONE "\n";
	for (int i = 0; i < 64; i++)
		snprintf(lines + strlen(lines), sizeof lines - strlen(lines),
			"z%d.example. IN DS 1 8 2 AA\n", i);
	size_t count = 0;
	struct root_anchors *anchors = open_with(lines);
	if (anchors != NULL)
		root_anchor_others(anchors, &count);
	is_number((int64_t)count, 64, "sixty-four anchors of other zones");
	root_anchor_close(anchors);
	strcat(lines, "z64.example. IN DS 1 8 2 AA\n");
	anchors = open_with(lines);
	ok(anchors == NULL && strstr(error, ":66: ") != NULL, "and one more is an error: %s",
		error);
	root_anchor_close(anchors);
	ok(working_directories() == 0, "no working directory remains after an error");
}

/* The account of tlsad can make them, and root runs tlsactl. Neither may wait for a writer. */
static void test_pipes(void)
{
	struct root_anchors *anchors = open_with(KEY_TWO "\n");
	char old[4096];

	root_anchor_close(anchors);
	snprintf(old, sizeof old, "%s.old", state_file());
	bool kept = rename(state_file(), old) == 0;
	ok(mkfifo(state_file(), 0600) == 0, "a pipe in place of the state");
	anchors = open_with(KEY_TWO "\n");
	ok(anchors != NULL && root_anchor_state(anchors) == ROOT_ANCHOR_STATE_DAMAGED,
		"is treated as damaged");
	root_anchor_close(anchors);
	unlink(state_file());
	if (kept)
		rename(old, state_file());
	unlink(seed);
	ok(mkfifo(seed, 0600) == 0, "a pipe in place of the seed");
	anchors = open_anchors();
	ok(anchors == NULL && strstr(error, "contains no trust anchor") != NULL, "is refused: %s",
		error);
	root_anchor_close(anchors);
	unlink(seed);
}

/* A record at the end of a large file must not be cut. */
static void test_large_seed(void)
{
	static char bytes[64 * 1024 + 2];
	size_t head = (size_t)snprintf(bytes, sizeof bytes, KEY_TWO "\n;");

	memset(bytes + head, 'x', sizeof bytes - 1 - head);
	bytes[64 * 1024] = '\0';
	struct root_anchors *anchors = open_with(bytes);
	ok(anchors != NULL, "a file of 65536 bytes: %s", anchors != NULL ? "" : error);
	root_anchor_close(anchors);
	bytes[64 * 1024] = 'x';
	anchors = open_with(bytes);
	ok(anchors == NULL && strstr(error, seed) != NULL &&
			strstr(error, "more than 65536 bytes; remove") != NULL,
		"a larger one is refused: %s", anchors != NULL ? "taken" : error);
	root_anchor_close(anchors);
}

static int open_as_nobody(void)
{
	if (setgroups(0, NULL) != 0 || setgid(65534) != 0 || setuid(65534) != 0)
		return 99;
	struct root_anchors *anchors = root_anchor_open(seed, state, error, sizeof error);
	bool told = anchors == NULL && strstr(error, "[resolver] trust_anchor = ") == error &&
		    strstr(error, seed) != NULL && strstr(error, "Permission denied") != NULL;
	root_anchor_close(anchors);
	return told ? 0 : 1;
}

static void test_unreadable(void)
{
	unlink(seed);
	mkdir(seed, 0700);
	struct root_anchors *anchors = open_anchors();
	ok(anchors == NULL && strstr(error, "[resolver] trust_anchor = ") == error &&
			strstr(error, seed) != NULL,
		"a directory is an error, and the built-in keys do not hide it: %s", error);
	root_anchor_close(anchors);
	rmdir(seed);
	scratch_write_text(seed, KEY_ONE "\n");
	chmod(seed, 0000);
	if (geteuid() != 0) {
		anchors = open_anchors();
		ok(anchors == NULL && strstr(error, "Permission denied") != NULL,
			"an unreadable file is reported");
		root_anchor_close(anchors);
	} else {
		int status = 0;
		fflush(stdout);
		chmod(scratch_directory, 0755);
		pid_t child = fork();
		if (child == 0)
			_exit(open_as_nobody());
		if (child < 0 || waitpid(child, &status, 0) < 0)
			bail_out("no child process");
		if (WIFEXITED(status) && WEXITSTATUS(status) == 99)
			skip("this process cannot become somebody else",
				"a file that may not be read");
		else
			is_number(status, 0, "an unreadable file is reported");
	}
	unlink(seed);
}

/* --- the state ----------------------------------------------------------------------------- */

/* As libunbound does when it has learned a key. */
static void learn(const struct root_anchors *anchors, const char *bytes)
{
	scratch_write_text(root_anchor_tracked_file(anchors), bytes);
}

static void test_state(void)
{
	struct root_anchors *anchors = open_with(KEY_ONE "\n");

	root_anchor_keep(anchors);
	ok(access(state_file(), F_OK) != 0, "as long as nothing is learned nothing is stored");
	learn(anchors, LEARNED);
	root_anchor_keep(anchors);
	char *kept = scratch_read(state_file(), NULL);
	const char *learned = kept;
	while (learned != NULL && strncmp(learned, "; tlsad: ", 9) == 0) {
		learned = strchr(learned, '\n');
		learned += learned != NULL;
	}
	ok(learned != NULL && learned > kept && strcmp(learned, LEARNED) == 0,
		"learned keys are stored, after comments that name their seed");
	free(kept);
	root_anchor_close(anchors);

	anchors = open_with("; another comment\n" KEY_ONE "\n\n");
	expect_working(anchors, LEARNED, "the next start finds it, whatever comments the seed has");
	is_string(captured, "", "without a message");
	/* Nothing new: the file is not written again. */
	struct stat before, after;
	stat(state_file(), &before);
	root_anchor_keep(anchors);
	stat(state_file(), &after);
	ok(before.st_ino == after.st_ino, "what has not changed is not written again");
	learn(anchors, LEARNED "; and more\n");
	root_anchor_keep(anchors);
	stat(state_file(), &after);
	ok(before.st_ino != after.st_ino, "what has changed is, in a new file");
	root_anchor_close(anchors);
	anchors = open_with(KEY_ONE "\n");
	expect_working(anchors, LEARNED "; and more\n", "and is found again");
	root_anchor_close(anchors);

	anchors = open_with(KEY_TWO "\n");
	expect_working(anchors, KEY_TWO "\n", "another seed: the state is dropped");
	ok(strstr(captured, "has changed") != NULL && strstr(captured, state_file()) != NULL,
		"the log says so: %s", captured);
	ok(!root_anchor_reset(anchors), "there is no state to forget");
	learn(anchors, LEARNED);
	root_anchor_keep(anchors);
	root_anchor_close(anchors);
	anchors = open_with(KEY_TWO "\n");
	expect_working(anchors, LEARNED, "what grew from the new seed is kept");
	root_anchor_close(anchors);
}

/* libunbound cannot use the stored state: start from the seed again. */
static void test_reset(void)
{
	struct root_anchors *anchors = open_with(KEY_TWO "\n");

	expect_working(anchors, LEARNED, "a state");
	ok(root_anchor_reset(anchors), "is forgotten");
	expect_working(anchors, KEY_TWO "\n", "the seed takes its place");
	ok(!root_anchor_reset(anchors), "it cannot be forgotten twice");
	root_anchor_close(anchors);
}

/* A state without a usable key does not replace one with a usable key. */
static void test_nothing_learned(void)
{
	static const struct {
		const char *name;
		const char *learned;
		bool stored;
	} rows[] = {
		{"a key", ". 172800 IN DNSKEY 257 3 8 AwEAAa==\n", true},
		{"a digest", KEY_TWO "\n", true},
		{"nothing", "", false},
		{"only comments", "; autotrust trust anchor file\n;;id: . 1\n", false},
		{"a zone that was revoked", ";;id: . 1\n;;REVOKED\n; DNSKEY was revoked\n", false},
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		unlink(state_file());
		struct root_anchors *anchors = open_with(KEY_ONE "\n");
		learn(anchors, LEARNED);
		root_anchor_keep(anchors);
		learn(anchors, rows[i].learned);
		root_anchor_keep(anchors);
		root_anchor_close(anchors);
		anchors = open_with(KEY_ONE "\n");
		expect_working(anchors, rows[i].stored ? rows[i].learned : LEARNED, rows[i].name);
		root_anchor_close(anchors);
	}
}

/* A state that was changed after it was stored is not used. */
static bool uses(const char *bytes, size_t size, bool *told)
{
	scratch_write(state_file(), bytes, size);
	struct root_anchors *anchors = open_with(KEY_ONE "\n");
	char *working =
		anchors != NULL ? scratch_read(root_anchor_tracked_file(anchors), NULL) : NULL;
	bool used = working != NULL && strcmp(working, LEARNED) == 0;

	many(used || (working != NULL && strcmp(working, KEY_ONE "\n") == 0),
		"neither what was learned nor the seed, but %.60s",
		working != NULL ? working : "nothing");
	*told = captured[0] != '\0';
	free(working);
	root_anchor_close(anchors);
	return used;
}

static void test_damaged_states(void)
{
	size_t size = 0;
	bool told;

	unlink(state_file());
	struct root_anchors *anchors = open_with(KEY_ONE "\n");
	learn(anchors, LEARNED);
	root_anchor_keep(anchors);
	root_anchor_close(anchors);
	char *bytes = scratch_read(state_file(), &size);
	if (bytes == NULL)
		bail_out("no state is stored");
	many_begin("a state cut after every byte, or with a bit the other way, is not used");
	many(uses(bytes, size, &told) && !told, "unchanged it is used, without a message");
	for (size_t cut = 0; cut < size; cut++)
		many(!uses(bytes, cut, &told) && told, "cut after %zu bytes", cut);
	for (size_t bit = 0; bit < size * 8; bit += bit < 64 ? 1 : 3) {
		bytes[bit / 8] ^= (char)(1 << bit % 8);
		many(!uses(bytes, size, &told) && told, "bit %zu", bit);
		bytes[bit / 8] ^= (char)(1 << bit % 8);
	}
	many(uses(bytes, size, &told) && !told, "and back again it is used");
	many_end();
	free(bytes);
	/* A file that an administrator put there, not written by tlsad. */
	scratch_write_text(state_file(), KEY_TWO "\n");
	anchors = open_with(KEY_ONE "\n");
	expect_working(anchors, KEY_ONE "\n", "a state that is none is not used");
	root_anchor_close(anchors);
	unlink(state_file());
	mkdir(state_file(), 0700);
	anchors = open_with(KEY_ONE "\n");
	expect_working(anchors, KEY_ONE "\n", "a state that cannot be read is not fatal");
	root_anchor_close(anchors);
	rmdir(state_file());
}

static void test_not_writable(void)
{
	char was[SCRATCH_PATH_SIZE];
	unsigned said = 0;

	snprintf(was, sizeof was, "%s", state);
	snprintf(state, sizeof state, "%s", scratch_path("gone"));
	struct root_anchors *anchors = open_with(KEY_ONE "\n");
	ok(anchors != NULL, "a state directory that is not there is not fatal");
	for (int i = 0; i < 5; i++) {
		char bytes[512];
		snprintf(bytes, sizeof bytes, LEARNED "; %d\n", i);
		learn(anchors, bytes);
		capture_begin();
		root_anchor_keep(anchors);
		capture_end(captured, sizeof captured);
		said += captured[0] != '\0';
		if (i == 0)
			ok(strstr(captured, "cannot store the root key's state") != NULL &&
					strstr(captured, state_file()) != NULL &&
					strstr(captured, "No such file") != NULL,
				"it is logged: %s", captured);
	}
	is_number(said, 1, "and logged once");
	mkdir(state, 0700);
	capture_begin();
	root_anchor_keep(anchors);
	capture_end(captured, sizeof captured);
	char *kept = scratch_read(state_file(), NULL);
	ok(kept != NULL && strstr(kept, "; 4\n") != NULL,
		"when it is there what was learned is stored");
	free(kept);
	scratch_remove(state);
	learn(anchors, LEARNED "; again\n");
	capture_begin();
	root_anchor_keep(anchors);
	capture_end(captured, sizeof captured);
	ok(captured[0] != '\0', "after a success the next failure is logged again");
	root_anchor_close(anchors);
	snprintf(state, sizeof state, "%s", was);
}

/* --- the working copy ---------------------------------------------------------------------- */

static void test_two_at_once(void)
{
	struct root_anchors *one = open_with(KEY_ONE "\n");
	struct root_anchors *other = open_with(KEY_TWO "\n");

	ok(strcmp(root_anchor_tracked_file(one), root_anchor_tracked_file(other)) != 0,
		"two have two working copies");
	expect_working(one, KEY_ONE "\n", "the first");
	expect_working(other, KEY_TWO "\n", "the second");
	root_anchor_close(one);
	expect_working(other, KEY_TWO "\n", "which outlives the first");
	root_anchor_close(other);
}

static void make_leftover(const char *name, int age, char path[SCRATCH_PATH_SIZE])
{
	char key[SCRATCH_PATH_SIZE + 16];
	struct timespec times[2] = {{.tv_sec = time(NULL) - age}, {.tv_sec = time(NULL) - age}};

	snprintf(path, SCRATCH_PATH_SIZE, "%.400s/tlsad-anchor-%.60s", run, name);
	mkdir(path, 0700);
	snprintf(key, sizeof key, "%s/root.key", path);
	scratch_write_text(key, KEY_ONE "\n");
	utimensat(AT_FDCWD, path, times, 0);
}

static void test_leftovers(void)
{
	char dead[SCRATCH_PATH_SIZE], young[SCRATCH_PATH_SIZE], living[SCRATCH_PATH_SIZE];
	char other[SCRATCH_PATH_SIZE];

	make_leftover("dead00", 3600, dead);
	make_leftover("young0", 0, young);
	make_leftover("living", 3600, living);
	snprintf(other, sizeof other, "%.400s/something-else", run);
	mkdir(other, 0700);
	int fd = open(living, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	flock(fd, LOCK_EX | LOCK_NB);
	struct root_anchors *anchors = open_with(KEY_ONE "\n");
	ok(access(dead, F_OK) != 0, "what a killed process left is swept away");
	ok(access(young, F_OK) == 0, "what was made a moment ago is not");
	ok(access(living, F_OK) == 0, "nor what somebody holds");
	ok(access(other, F_OK) == 0, "nor what is not ours");
	root_anchor_close(anchors);
	close(fd);
	scratch_remove(young);
	scratch_remove(living);
	rmdir(other);
	is_number((int64_t)working_directories(), 0, "nothing of this test is left");
}

static void test_places(void)
{
	char colons[SCRATCH_PATH_SIZE + 16];

	snprintf(colons, sizeof colons, "%s:/nonexistent", run);
	setenv("RUNTIME_DIRECTORY", colons, 1);
	struct root_anchors *anchors = open_with(KEY_ONE "\n");
	ok(anchors != NULL && strncmp(root_anchor_tracked_file(anchors), run, strlen(run)) == 0,
		"of several runtime directories the first");
	root_anchor_close(anchors);
	setenv("RUNTIME_DIRECTORY", "/nonexistent", 1);
	anchors = open_with(KEY_ONE "\n");
	ok(anchors != NULL, "without one there is another place");
	expect_working(anchors, KEY_ONE "\n", "for the working copy");
	root_anchor_close(anchors);
	setenv("RUNTIME_DIRECTORY", run, 1);
}

int main(void)
{
	scratch_begin();
	log_open("unit", LOG_TARGET_STDERR, LOG_LEVEL_INFO);
	snprintf(seed, sizeof seed, "%s", scratch_path("seed.key"));
	snprintf(state, sizeof state, "%s", scratch_path("state"));
	snprintf(run, sizeof run, "%s", scratch_path("run"));
	mkdir(state, 0700);
	mkdir(run, 0755);
	setenv("RUNTIME_DIRECTORY", run, 1);
	test_built_in();
	test_seeds();
	test_refused();
	test_large_seed();
	test_pipes();
	test_unreadable();
	test_state();
	test_reset();
	test_nothing_learned();
	test_damaged_states();
	test_not_writable();
	test_two_at_once();
	test_leftovers();
	test_places();
	return done_testing();
}
