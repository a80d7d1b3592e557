/* Linked to a test of redaction: then it runs over the path of AVX2, where that is to be had. */
#include "redact/filter.h"

__attribute__((constructor)) static void
take_the_path_of_avx2(void)
{
	filter_path_limit(1);
}
