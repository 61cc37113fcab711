/*
 * log: one event is one line, written as a whole; nothing unprintable gets into it, whatever a
 * remote host sent; long lines are cut; each level logs what it should; errno is preserved;
 * journald's levels are written only if systemd reads the output.
 */
#include "common/base/log.h"

#include "t/unit/scratch.h"

#include <errno.h>
#include <pthread.h>

enum { CAPTURED_SIZE = 1 << 20 };

static char captured[CAPTURED_SIZE];

static void test_escaping(void)
{
	many_begin("each byte in a line");
	for (int byte = 1; byte < 256; byte++) {
		char message[4] = {'a', (char)byte, 'b', '\0'};
		char expected[64];
		bool plain = byte >= ' ' && byte <= '~' && byte != '\\';

		capture_begin();
		log_notice("%s", message);
		capture_end(captured, sizeof captured);
		snprintf(expected, sizeof expected, plain ? "unit: a%cb\n" : "unit: a\\x%02xb\n",
			byte);
		many(strcmp(captured, expected) == 0, "byte %d: %s", byte, captured);
	}
	many_end();
}

/* A quoted value cannot be ended by a quotation mark in it. */
static void test_quotable(void)
{
	char out[16];

	is_string(log_quotable(out, sizeof out, "a\" b=\"c"), "a' b='c", "quotation marks");
	is_string(log_quotable(out, sizeof out, ""), "", "nothing");
	is_string(log_quotable(out, 4, "abcdef"), "abc", "what does not fit is cut");
	is_string(log_quotable(out, 1, "abc"), "", "no room at all");
}

/* A message that would become two lines, and an escape sequence of a terminal. */
static void test_forged_line(void)
{
	capture_begin();
	log_warning("key=%s", "x\ntlsad: error: forged\r\x1b[2J");
	capture_end(captured, sizeof captured);
	is_string(captured, "unit: warning: key=x\\x0atlsad: error: forged\\x0d\\x1b[2J\n",
		"a forged line stays within its own");
}

/* Log a message of `length` times the same byte, as one line. */
static size_t log_long(size_t length, char byte)
{
	char *message = malloc(length + 1);

	memset(message, byte, length);
	message[length] = '\0';
	capture_begin();
	log_error("%s", message);
	size_t size = capture_end(captured, sizeof captured);
	free(message);
	return size;
}

static void test_long_lines(void)
{
	static const size_t lengths[] = {0, 1, 100, 1000, 2000, 2030, 2031, 2032, 2033, 2034, 2035,
		2036, 2046, 2047, 2048, 2049, 4096, 10000, 100000};
	static const char bytes[] = {'a', '\n', '\\', '\xff'};

	many_begin("lines of every length, of bytes that are escaped and not");
	for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
		for (size_t b = 0; b < sizeof bytes; b++) {
			size_t size = log_long(lengths[i], bytes[b]);
			size_t whole =
				strlen("unit: error: \n") + lengths[i] * (bytes[b] == 'a' ? 1 : 4);
			const char *newline = memchr(captured, '\n', size);
			many(size <= LOG_LINE_SIZE, "%zu of byte %d: a line of %zu", lengths[i],
				bytes[b], size);
			many(newline == captured + size - 1,
				"%zu of byte %d: ends in its only newline", lengths[i], bytes[b]);
			many(size == whole || (whole >= LOG_LINE_SIZE && size >= LOG_LINE_SIZE - 4),
				"%zu of byte %d: %zu bytes of %zu", lengths[i], bytes[b], size,
				whole);
			many(strncmp(captured, "unit: error: ", 13) == 0,
				"%zu of byte %d: begins as it should", lengths[i], bytes[b]);
		}
	}
	many_end();
}

static void log_at(enum log_level level)
{
	switch (level) {
	case LOG_LEVEL_ERROR:
		log_error("words");
		return;
	case LOG_LEVEL_WARNING:
		log_warning("words");
		return;
	case LOG_LEVEL_NOTICE:
		log_notice("words");
		return;
	case LOG_LEVEL_INFO:
		log_info("words");
		return;
	case LOG_LEVEL_DEBUG:
		log_debug("words");
		return;
	}
}

static void test_levels(void)
{
	static const char *const text[] = {"unit: error: words\n", "unit: warning: words\n",
		"unit: words\n", "unit: words\n", "unit: debug: words\n"};
	static const char *const journal[] = {"<3>error: words\n", "<4>warning: words\n",
		"<5>words\n", "<6>words\n", "<7>debug: words\n"};

	for (enum log_level wanted = LOG_LEVEL_ERROR; wanted <= LOG_LEVEL_DEBUG; wanted++) {
		for (enum log_level level = LOG_LEVEL_ERROR; level <= LOG_LEVEL_DEBUG; level++) {
			log_set_level(wanted);
			capture_begin();
			log_at(level);
			capture_end(captured, sizeof captured);
			is_string(captured, level <= wanted ? text[level] : "",
				"level %d, a line of level %d", wanted, level);
			ok(log_wants(level) == (level <= wanted), "and the question says the same");
		}
	}
	setenv("JOURNAL_STREAM", "8:1", 1);
	log_open("unit", LOG_TARGET_AUTO, LOG_LEVEL_DEBUG);
	for (enum log_level level = LOG_LEVEL_ERROR; level <= LOG_LEVEL_DEBUG; level++) {
		capture_begin();
		log_at(level);
		capture_end(captured, sizeof captured);
		is_string(captured, journal[level], "level %d as journald reads it", level);
	}
	log_open("unit", LOG_TARGET_STDERR, LOG_LEVEL_INFO);
	capture_begin();
	log_error("words");
	capture_end(captured, sizeof captured);
	is_string(captured, text[0], "stderr is text even where the journal listens");
	unsetenv("JOURNAL_STREAM");
	log_open("unit", LOG_TARGET_AUTO, LOG_LEVEL_INFO);
	capture_begin();
	log_error("words");
	capture_end(captured, sizeof captured);
	is_string(captured, text[0], "auto is text where it does not");
}

static void test_errno(void)
{
	int kept = dup(STDERR_FILENO);
	int after[2];

	errno = ENOTTY;
	capture_begin();
	errno = ENOTTY;
	log_error("%s", "words");
	after[0] = errno;
	close(STDERR_FILENO);
	errno = ENOTTY;
	log_error("%s", "nobody reads it");
	after[1] = errno;
	dup2(kept, STDERR_FILENO);
	capture_end(captured, sizeof captured);
	close(kept);
	is_number(after[0], ENOTTY, "errno is as it was");
	is_number(after[1], ENOTTY, "even when the line could not be written");
}

enum { THREADS = 4, LINES = 250 };

static void *log_lines(void *argument)
{
	const char *letter = argument;
	char words[301];

	memset(words, *letter, sizeof words - 1);
	words[sizeof words - 1] = '\0';
	for (int i = 0; i < LINES; i++)
		log_error("%s", words);
	return NULL;
}

static void test_threads(void)
{
	static const char letters[THREADS] = "abcd";
	pthread_t threads[THREADS];
	unsigned counts[THREADS] = {0};

	capture_begin();
	for (int i = 0; i < THREADS; i++) {
		if (pthread_create(&threads[i], NULL, log_lines, (void *)(uintptr_t)&letters[i]) !=
			0)
			bail_out("no threads");
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	capture_end(captured, sizeof captured);
	many_begin("lines of several threads never mix");
	for (char *line = strtok(captured, "\n"); line != NULL; line = strtok(NULL, "\n")) {
		size_t head = strlen("unit: error: ");
		bool whole = strlen(line) == head + 300;
		for (size_t i = head; whole && i < head + 300; i++)
			whole = line[i] == line[head];
		many(whole, "%s", line);
		if (whole && line[head] >= 'a' && line[head] < 'a' + THREADS)
			counts[line[head] - 'a']++;
	}
	for (int i = 0; i < THREADS; i++)
		many(counts[i] == LINES, "thread %d: %u lines", i, counts[i]);
	many_end();
}

int main(void)
{
	log_open("unit", LOG_TARGET_STDERR, LOG_LEVEL_INFO);
	test_escaping();
	test_forged_line();
	test_quotable();
	test_long_lines();
	test_levels();
	log_open("unit", LOG_TARGET_STDERR, LOG_LEVEL_INFO);
	test_errno();
	test_threads();
	return done_testing();
}
