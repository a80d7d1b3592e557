#include "when.h"

#include "base/clock.h"
#include "model/times.h"

enum un_err
when_past(struct cli *cli, const char *option, const char *text,
          Google__Protobuf__Timestamp *ret_at)
{
	int64_t us, now_us = clock_wall_us();
	enum un_err err = duration_parse(text, &us);

	if (!err)
		us = now_us - us;
	else
		err = instant_parse(text, &us);
	if (err || us < 0) {
		un_hint(&cli->detail, "write 2h, 30d or 2026-11-01");
		return un_fail(&cli->detail, UN_ERR_USAGE, "%s is no time: '%.100s'", option, text);
	}
	if (us > now_us)
		return un_fail(&cli->detail, UN_ERR_USAGE, "%s has not come yet: '%.100s'", option,
		               text);
	ret_at->seconds = us / 1000000;
	ret_at->nanos = (int32_t)(us % 1000000 * 1000);
	return UN_OK;
}
