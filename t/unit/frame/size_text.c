/*
 * size_text: every unit, and both sides of where one unit ends and the next begins.
 */
#include "daemon/ctl/frame/size_text.h"

#include "t/unit/tap.h"

static const struct {
	uint64_t bytes;
	const char *expected;
} sizes[] = {
	{0, "0 bytes"},
	{1, "1 byte"},
	{1023, "1023 bytes"},
	{1024, "1 KiB"},
	{1125, "1 KiB"},
	{1127, "1.1 KiB"},
	{36864, "36 KiB"},
	{1024 * 1024 - 1, "1023.9 KiB"},
	{1024 * 1024, "1 MiB"},
	{18800000, "17.9 MiB"},
	{UINT64_C(1) << 30, "1 GiB"},
	{UINT64_C(1) << 40, "1 TiB"},
	{UINT64_C(1) << 50, "1 PiB"},
	{UINT64_MAX, "15.9 EiB"},
};

int main(void)
{
	char words[SIZE_TEXT_SIZE];

	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
		is_string(size_text(words, sizes[i].bytes), sizes[i].expected, "%ju bytes",
			(uintmax_t)sizes[i].bytes);
	return done_testing();
}
