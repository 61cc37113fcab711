/* Actions of the policy service, as [policy] lacking has them, and their rendering. */
#include "common/site/action.h"

#include "t/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static const struct action_words words = {
		.destination = "mail.example",
		.required = "authenticated",
		.offered = "no DANE",
		.reason = "no-tlsa",
	};
	enum { ROOM = ACTION_MAX * 4 };
	char error[256] = "", rendered[ROOM];
	char *action = fuzz_string(bytes, size);
	struct text text;

	text_init(&text, rendered, sizeof rendered);
	action_render(action, &words, &text);
	if (action_check(action, error, sizeof error)) {
		CHECK(strlen(action) <= ACTION_MAX && error[0] == '\0');
		CHECK(!text.cut && strpbrk(rendered, "{}\n") == NULL);
		for (size_t i = 0; i < text.used; i++)
			CHECK(rendered[i] == '\t' || fuzz_is_printable(rendered + i, 1));
		/* The first word decides what Postfix does; no place can take part in it. */
		CHECK(strncmp(rendered, action, strcspn(action, " \t")) == 0);
	} else {
		CHECK(fuzz_is_line(error, sizeof error));
	}
	error[0] = '\0';
	if (action_check_header(action, error, sizeof error))
		CHECK(error[0] == '\0' && fuzz_is_printable(action, strlen(action)) &&
			strchr(action, ':') == NULL && action[0] != '\0');
	else
		CHECK(fuzz_is_line(error, sizeof error));
	free(action);
	return 0;
}
