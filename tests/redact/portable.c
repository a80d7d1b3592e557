/* Linked to a test of redaction: then it runs over the path that works everywhere. */
#include "redact/filter.h"

__attribute__((constructor)) static void
take_the_portable_path(void)
{
	filter_path_limit(SIZE_MAX);
}
