/* Quantities as a task's author wrote them: one that is taken is what it says, and more of the same
 * unit is never less. */
#include "launch/task_limits.h"

#include <assert.h>
#include <string.h>

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	char text[256];
	uint64_t milli = 0, again = 0, more = 0;

	if (len > sizeof text - 2)
		return 0;
	memcpy(text + 1, bytes, len);
	text[len + 1] = '\0';
	text[0] = '9'; /* a digit in front makes a number greater */
	if (task_limits_parse(text + 1, &milli) != UN_OK)
		return 0;
	assert(task_limits_parse(text + 1, &again) == UN_OK && again == milli);
	if (text[1] >= '0' && text[1] <= '9' && task_limits_parse(text, &more) == UN_OK)
		assert(more >= milli);
	return 0;
}
