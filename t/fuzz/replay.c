/*
 * replay - run a fuzz target over files, with any compiler
 *
 *	NAME FILE|DIRECTORY...
 *
 * A target that is linked without libFuzzer gets this main(). Each file, and each file of a
 * directory, is run as it is, then cut at every length (of a long file, at CUTS_MAX of them), and
 * with MUTATIONS single bytes changed, which ones depending on nothing but the file. Arguments that
 * begin with a hyphen are libFuzzer's options and ignored, so that a test can run either program.
 *
 * Prints the name of each file before it is run, and at the end the numbers of files and inputs.
 * Exit status: 0; 1 if a file cannot be read or there are no files. When an input fails the program
 * ends by a signal, and the last line says how the file that was named last was changed. A signal
 * that a sanitizer handles has the sanitizer's report instead.
 */
#include "t/fuzz/fuzz.h"

#include <dirent.h>
#include <signal.h>
#include <sys/stat.h>

enum { FILE_MAX = 1 << 20, CUTS_MAX = 256, MUTATIONS = 128 };

static int out; /* standard output, which the target itself does not get */
static unsigned files, inputs;
static char how[64]; /* the file was changed */

static void say(const char *words)
{
	(void)!write(out, words, strlen(words));
}

static void say_how(int number)
{
	say("  failed: ");
	say(how);
	say("\n");
	signal(number, SIG_DFL);
	raise(number);
}

/* Each input has a buffer of exactly its size, as with libFuzzer. */
static void run(const uint8_t *bytes, size_t size)
{
	uint8_t *copy = fuzz_copy(bytes, size);

	inputs++;
	LLVMFuzzerTestOneInput(copy, size);
	free(copy);
}

static void run_cut(const uint8_t *bytes, size_t size)
{
	size_t step = size / CUTS_MAX + 1;

	for (size_t cut = 0; cut < size; cut += step) {
		snprintf(how, sizeof how, "the first %zu bytes of it", cut);
		run(bytes, cut);
	}
}

static void run_mutated(uint8_t *bytes, size_t size)
{
	uint32_t random = 2463534242;

	for (unsigned i = 0; i < MUTATIONS && size > 0; i++) {
		random ^= random << 13;
		random ^= random >> 17;
		random ^= random << 5;
		size_t at = random % size;
		uint8_t old = bytes[at];
		bytes[at] = (uint8_t)(i % 2 == 0 ? old ^ 1u << (random >> 16) % 8 : random >> 24);
		snprintf(how, sizeof how, "byte %zu of it as 0x%02x", at, bytes[at]);
		run(bytes, size);
		bytes[at] = old;
	}
}

static void replay_file(const char *path)
{
	FILE *file = fopen(path, "r");
	uint8_t *bytes = malloc(FILE_MAX);

	snprintf(how, sizeof how, "while it was read");
	say(path);
	if (file == NULL || bytes == NULL) {
		say(": cannot be read\n");
		exit(1);
	}
	say("\n");
	size_t size = fread(bytes, 1, FILE_MAX, file);
	fclose(file);
	files++;
	snprintf(how, sizeof how, "as it is");
	run(bytes, size);
	run_cut(bytes, size);
	run_mutated(bytes, size);
	free(bytes);
}

static void replay_directory(const char *path)
{
	struct dirent **entries = NULL;
	int count = scandir(path, &entries, NULL, alphasort);

	for (int i = 0; i < count; i++) {
		char name[4096];
		snprintf(name, sizeof name, "%.3800s/%.255s", path, entries[i]->d_name);
		if (entries[i]->d_name[0] != '.')
			replay_file(name);
		free(entries[i]);
	}
	free(entries);
}

int main(int count, char **arguments)
{
	static const int fatal[] = {SIGABRT, SIGALRM, SIGBUS, SIGFPE, SIGILL, SIGSEGV};
	struct sigaction old;
	char sum[80];
	struct stat status;

	out = dup(STDOUT_FILENO);
	if (out < 0 || freopen("/dev/null", "w", stdout) == NULL)
		return 1;
	for (size_t i = 0; i < sizeof fatal / sizeof fatal[0]; i++) {
		if (sigaction(fatal[i], NULL, &old) == 0 && old.sa_handler == SIG_DFL)
			signal(fatal[i], say_how);
	}
	for (int i = 1; i < count; i++) {
		if (arguments[i][0] == '-')
			continue;
		if (stat(arguments[i], &status) == 0 && S_ISDIR(status.st_mode))
			replay_directory(arguments[i]);
		else
			replay_file(arguments[i]);
	}
	snprintf(sum, sizeof sum, "files: %u, inputs: %u\n", files, inputs);
	say(sum);
	return files > 0 ? 0 : 1;
}
