/*
 * conf: the configuration, read with inih.
 *
 * Every setting is one row of the table in settings.c, from which it is parsed, checked, printed
 * and explained. The sections `minimum` and `exception` have domains for keys: they are rules
 * (common/site/rules.h). A struct conf does not change once it is loaded: a reload makes a new one.
 * Threads that use one hold a reference.
 */
#ifndef TLSAD_CONF_CONF_H
#define TLSAD_CONF_CONF_H

#include "common/site/rules.h"
#include "common/verdict/pin.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum {
	CONF_LIST_MAX = 256, /* entries of one list */
	CONF_LINE_MAX = 198, /* what inih reads in one piece (INI_MAX_LINE less two) */
	CONF_ERROR_SIZE = 512,
	CONF_DIRECTORY_MAX = 200, /* of tafile_dir, which is part of replies [bytes] */
};

/* The default of [server] policy: where it cannot be created, tlsad only warns. */
#define CONF_DEFAULT_POLICY "unix:" TLSAD_RUNDIR "/policy"

enum conf_enforce { ENFORCE_NATIVE, ENFORCE_PINNED };
enum conf_mode { MODE_ENFORCE, MODE_MONITOR };
extern const char *const conf_mode_names[]; /* NULL-terminated */
enum conf_digest { DIGEST_SHA256, DIGEST_SHA512 };

/* Strings of one setting; the entries point into memory that the struct conf owns. */
struct conf_list {
	size_t count;
	char *entries[CONF_LIST_MAX];
};

struct conf {
	atomic_uint references;

	struct {
		struct conf_list socketmap;
		struct conf_list policy; /* may be empty */
		char *control;           /* `unix:PATH`, or empty */
		char *metrics;           /* endpoint, or empty */
		struct conf_list allow;
		uint32_t workers;     /* 0: as many as there are processors */
		uint32_t socket_mode; /* permission bits */
		uint32_t max_connections;
		uint32_t idle_timeout; /* [s] */
		char *user;            /* account, or empty */
		char *chroot;          /* directory, or empty */
		char *pid_file;        /* or empty */
	} server;
	struct {
		char *trust_anchor; /* file */
		struct conf_list forward;
		struct conf_list stub;
		char *options; /* file, or empty */
		bool query_localhost;
		uint32_t timeout; /* [s] */
	} resolver;
	struct {
		int enforce;            /* enum conf_enforce */
		int site_level;         /* enum tls_level (common/verdict/level.h) */
		int fingerprint_digest; /* enum conf_digest */
		char *tafile_dir;       /* directory, or empty */
		char *tafile_prefix;    /* the same as Postfix sees it, or empty */
		bool learn_trust_anchors;
		int mode;              /* enum conf_mode */
		char *minimums_file;   /* or empty, like the next */
		char *exceptions_file; /* it need not exist */
	} dane;
	struct {
		bool warm;
		bool announce;
		char *announce_header; /* a header field's name */
		char *lacking;         /* common/site/action.h */
		uint32_t wait;         /* [s] */
		struct conf_list senders, sasl_usernames, clients;
		/* The entries of these three; NULL before conf_load_rules(). */
		struct submitters *submitters;
	} policy;
	struct {
		bool enable;
	} sts;
	struct {
		char *path;           /* directory */
		uint64_t max_size;    /* [bytes] */
		uint32_t min_ttl;     /* [s] */
		uint32_t max_ttl;     /* [s] */
		uint32_t failure_ttl; /* [s] */
		uint32_t prefetch;    /* [percent] */
		uint32_t serve_stale; /* [s] */
	} cache;
	struct {
		int target;   /* enum log_target */
		bool answers; /* replies from the cache have a line, too */
	} log;
	/*
	 * Minimums and exceptions. NULL when there is no rule and the mode is MODE_ENFORCE: then
	 * rules change no reply.
	 */
	struct rules *rules;
};

/*
 * Read `file`, then the overrides, each `SECTION.KEY=VALUE`. `file_must_exist` is false for the
 * default file; when it is absent every setting has its default. On failure NULL, and `error` holds
 * one line that names the file and line, what is wrong and what to do. The reference is the
 * caller's.
 */
struct conf *conf_load(const char *file, bool file_must_exist, char *const *overrides,
	size_t override_count, char error[CONF_ERROR_SIZE]);

/*
 * Read the files that hold rules, and those of [policy], before the configuration is shared;
 * without this there are only the rules of the configuration itself. False and one line, as above.
 */
bool conf_load_rules(struct conf *conf, char error[CONF_ERROR_SIZE]);

struct conf *conf_hold(struct conf *conf);
void conf_release(struct conf *conf);

/* Every setting with its value and its meaning, as a configuration file. */
void conf_print(const struct conf *conf, FILE *out);

/*
 * The n-th setting that differs between two configurations, as `section.key`, or NULL. Of rules the
 * section alone is named, whether they are in the configuration or in files. The name is valid
 * until the thread's next call.
 */
const char *conf_difference(const struct conf *one, const struct conf *other, size_t n);

/* Can a running daemon apply a change of `section.key`? */
bool conf_reloadable(const char *setting);

/*
 * In a configuration that was just loaded and is not yet shared: settings that a running daemon
 * cannot change get the value that is in force. False when out of memory.
 */
bool conf_copy_restart_settings(struct conf *conf, const struct conf *in_force);

/* The settings of the resolver and of pinned replies; strings stay the configuration's. */
struct resolver_settings;
struct resolver_settings conf_resolver_settings(const struct conf *conf);
struct pin_settings conf_pin_settings(const struct conf *conf);

#endif
