/* What a person's configuration file and a starting uniond may say: YAML, URLs, the ready line. */
#include "client/config.h"
#include "client/embedded.h"
#include "client/endpoint.h"

#include <stdint.h>

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct un_detail detail = {0};
	struct endpoint endpoint;
	struct config config;

	if (config_parse((const char *)bytes, len, "fuzz", &config, &detail) == UN_OK &&
	    config.endpoint[0])
		(void)!endpoint_parse(config.endpoint, &endpoint, &detail);
	(void)!embedded_read_line((const char *)bytes, len, &detail);
	return 0;
}
