#include "common/base/log.h"

#include "common/base/text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

/* For each level: the priority of syslog(3) and journald, and the prefix for readers. */
static const struct {
	int priority;
	const char *word;
} levels[] = {
	[LOG_LEVEL_ERROR] = {LOG_ERR, "error: "},
	[LOG_LEVEL_WARNING] = {LOG_WARNING, "warning: "},
	[LOG_LEVEL_NOTICE] = {LOG_NOTICE, ""},
	[LOG_LEVEL_INFO] = {LOG_INFO, ""},
	[LOG_LEVEL_DEBUG] = {LOG_DEBUG, "debug: "},
};

static const char *program_name = "tlsad";
static enum log_target log_target = LOG_TARGET_STDERR;
static bool journal_levels;
static atomic_int log_level = LOG_LEVEL_INFO;

void log_open(const char *program, enum log_target target, enum log_level level)
{
	program_name = program;
	log_target = target;
	/* systemd sets it if it connected our standard error to the journal (systemd.exec(5)). */
	journal_levels = target == LOG_TARGET_AUTO && getenv("JOURNAL_STREAM") != NULL;
	if (target == LOG_TARGET_SYSLOG)
		openlog(program, LOG_PID, LOG_MAIL);
	log_set_level(level);
}

void log_connect(void)
{
	if (log_target == LOG_TARGET_SYSLOG)
		openlog(program_name, LOG_PID | LOG_NDELAY, LOG_MAIL);
}

void log_set_level(enum log_level level)
{
	atomic_store_explicit(&log_level, level, memory_order_relaxed);
}

bool log_wants(enum log_level level)
{
	return (int)level <= atomic_load_explicit(&log_level, memory_order_relaxed);
}

static void log_line(enum log_level level, const char *format, va_list arguments)
{
	char message[LOG_LINE_SIZE];
	char line[LOG_LINE_SIZE];
	struct text text;
	int saved_errno = errno;

	int length = vsnprintf(message, sizeof message, format, arguments);
	if (length < 0)
		length = 0;
	if ((size_t)length >= sizeof message)
		length = sizeof message - 1;
	text_init(&text, line, sizeof line - 1);
	if (log_target == LOG_TARGET_SYSLOG) {
		text_add_escaped(&text, message, (size_t)length);
		syslog(levels[level].priority, "%s%s", levels[level].word, line);
	} else {
		if (journal_levels)
			text_add_format(&text, "<%d>", levels[level].priority);
		else
			text_add_format(&text, "%s: ", program_name);
		text_add(&text, levels[level].word);
		text_add_escaped(&text, message, (size_t)length);
		line[text.used++] = '\n';
		/* There is no other place to report a failure to. */
		ssize_t ignored = write(STDERR_FILENO, line, text.used);
		(void)ignored;
	}
	errno = saved_errno;
}

const char *log_quotable(char *out, size_t size, const char *words)
{
	size_t used = 0;

	for (; *words != '\0' && used + 1 < size; words++)
		out[used++] = *words == '"' ? '\'' : *words;
	out[used] = '\0';
	return out;
}

#define LOG_FUNCTION(name, level)                                                                  \
	void name(const char *format, ...)                                                         \
	{                                                                                          \
		if (!log_wants(level))                                                             \
			return;                                                                    \
		va_list arguments;                                                                 \
		va_start(arguments, format);                                                       \
		log_line(level, format, arguments);                                                \
		va_end(arguments);                                                                 \
	}

LOG_FUNCTION(log_error, LOG_LEVEL_ERROR)
LOG_FUNCTION(log_warning, LOG_LEVEL_WARNING)
LOG_FUNCTION(log_notice, LOG_LEVEL_NOTICE)
LOG_FUNCTION(log_info, LOG_LEVEL_INFO)
LOG_FUNCTION(log_debug, LOG_LEVEL_DEBUG)
