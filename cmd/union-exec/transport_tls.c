#include "client/remote.h"
#include "transport.h"

const struct wire_remote *
transport_remote(const char *ca_file)
{
	static struct wire_remote remote;

	remote = un_remote_offer();
	remote.ca_file = ca_file;
	return &remote;
}
