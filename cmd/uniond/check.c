/* What `uniond -t` looks at beyond the text of the configuration: the files it names. */
#include "program.h"

#include "base/clock.h"
#include "base/log.h"
#include "net/tls.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#define SOON_S (14 * 86400)

static enum un_err
check_passphrase_file(const struct config *config, struct un_detail *detail)
{
	const char *path = config->passphrase_file;
	int fd = config->passphrase_fd;
	struct stat info;

	if (fd > 0 ? fstat(fd, &info) : stat(path, &info) || access(path, R_OK))
		return un_fail(detail, UN_ERR_BAD_CONFIG,
		               "'keys.passphrase_file': cannot read %s: %s", path,
		               un_err_text(un_err_from_errno(errno)));
	if (info.st_mode & S_IRWXO) {
		un_hint(detail, "chmod o= %s", path);
		return un_fail(detail, UN_ERR_BAD_CONFIG,
		               "'keys.passphrase_file': %s is open to every user of this machine",
		               path);
	}
	return UN_OK;
}

static enum un_err
check_certificate(const struct config *config, struct un_detail *detail)
{
	const struct tls_config tls = {
		.certificate_path = config->tls_certificate,
		.key_path = config->tls_key,
		.client_ca_path = config->tls_client_ca[0] ? config->tls_client_ca : NULL,
	};
	int64_t expires_s = 0, now_s = clock_wall_us() / 1000000;
	enum un_err err = tls_check(&tls, &expires_s, detail);

	if (err)
		return err;
	if (expires_s < now_s)
		log_warn("uniond", "the certificate %s has expired: clients refuse it",
		         config->tls_certificate);
	else if (expires_s < now_s + SOON_S)
		log_warn("uniond", "the certificate %s expires in %lld days",
		         config->tls_certificate, (long long)(expires_s - now_s) / 86400);
	return UN_OK;
}

enum un_err
check_files(const struct config *config, struct un_detail *detail)
{
	struct stat info;
	enum un_err err = UN_OK;

	if (stat(config->data_dir, &info) == 0 && !S_ISDIR(info.st_mode))
		return un_fail(detail, UN_ERR_BAD_CONFIG, "'data': %s is not a directory",
		               config->data_dir);
	if (config->passphrase_file[0])
		err = check_passphrase_file(config, detail);
	if (!err && config->tls_certificate[0])
		err = check_certificate(config, detail);
	return err;
}
