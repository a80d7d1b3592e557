#include "remote_loader.h"

#include "client/remote.h"

#include <dlfcn.h>
#include <stdio.h>
#include <unistd.h>

#define PATH_SIZE 4096

enum un_err
remote_load(const char *program_dir, const struct wire_remote *like,
            const struct wire_remote **ret_remote, struct un_detail *detail)
{
	static const char *const places[] = {"/union-tls.so", "/src/client/union-tls.so",
	                                     "/../lib/union/union-tls.so"};
	static struct wire_remote remote;
	char path[PATH_SIZE];

	for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
		remote_offer_fn *offer;
		void *module;

		if (snprintf(path, sizeof path, "%s%s", program_dir, places[i]) >= PATH_SIZE ||
		    access(path, R_OK) != 0)
			continue;
		module = dlopen(path, RTLD_NOW | RTLD_LOCAL);
		*(void **)&offer = module ? dlsym(module, REMOTE_OFFER) : NULL;
		if (!offer)
			return un_fail(detail, UN_ERR_UNSUPPORTED, "cannot load %.300s: %.300s",
			               path, dlerror());
		remote = offer();
		remote.ca_file = like->ca_file;
		remote.certificate_file = like->certificate_file;
		remote.key_file = like->key_file;
		remote.skip_verify = like->skip_verify;
		*ret_remote = &remote;
		return UN_OK;
	}
	un_hint(detail, "it belongs beside 'union'; is the installation whole?");
	return un_fail(detail, UN_ERR_UNSUPPORTED,
	               "the module for TLS, union-tls.so, is not there");
}
