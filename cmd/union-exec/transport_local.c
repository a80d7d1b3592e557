#include "transport.h"

const struct wire_remote *
transport_remote(const char *ca_file)
{
	return NULL;
}
