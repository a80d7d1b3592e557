/* Files to and from a control plane: uploads to an address it gave, and the code of a task. */
#include "client/channel_impl.h"

#include "base/alloc.h"
#include "base/io.h"
#include "crypto/base64.h"
#include "crypto/secbuf.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define FILE_STEP 65536

static enum un_err
add_credential(struct buf *out, const struct secbuf *credential)
{
	size_t len = base64_len(secbuf_len(credential), BASE64_URL);
	enum un_err err = buf_append_text(out, "authorization: Bearer ");

	if (!err)
		err = buf_reserve(out, len);
	if (err)
		return err;
	base64_encode(secbuf_peek(credential), secbuf_len(credential), BASE64_URL,
	              out->data + out->len);
	buf_added(out, len);
	return buf_append_text(out, "\r\n");
}

static bool
header_is_plain(const char *text)
{
	for (; *text; text++) {
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			return false;
	}
	return true;
}

static enum un_err
add_file_fields(struct buf *out, const struct channel_file *file, struct un_detail *detail)
{
	enum un_err err = UN_OK;

	for (size_t i = 0; i < file->header_count && !err; i++) {
		const struct channel_header *header = &file->headers[i];

		if (!header->name[0] || !header_is_plain(header->name) ||
		    strchr(header->name, ':') || !header_is_plain(header->value))
			return un_fail(detail, UN_ERR_PROTOCOL,
			               "the server asks for a malformed header");
		err = buf_appendf(out, "%s: %s\r\n", header->name, header->value);
	}
	if (!err && file->credential)
		err = add_credential(out, file->credential);
	return err ? err : buf_append_text(out, "\r\n");
}

/* Sends the head of a PUT or GET of `file`. */
static enum un_err
begin_file(struct channel *channel, const struct channel_file *file, const char *verb,
           int64_t deadline_ms, struct un_detail *detail)
{
	char line[ENDPOINT_PATH_MAX + 8];
	bool put = strcmp(verb, "PUT") == 0;
	struct buf request;
	const char *path;
	enum un_err err = endpoint_path_of(&channel->endpoint, file->url, &path, detail);

	if (err)
		return err;
	(void)snprintf(line, sizeof line, "%s %s", verb, path);
	buf_init(&request, CHANNEL_REQUEST_HEAD_MAX + ENDPOINT_PATH_MAX, BUF_WIPE);
	err = channel_add_head(channel, &request, line, put ? "application/octet-stream" : NULL,
	                       (size_t)file->size);
	if (!err)
		err = add_file_fields(&request, file, detail);
	if (!err)
		err = channel_send(channel, &request, deadline_ms, detail);
	buf_fini(&request);
	return err;
}

static enum un_err
send_file(struct channel *channel, const struct channel_file *file, int64_t deadline_ms,
          struct un_detail *detail)
{
	uint8_t *step = mem_alloc(FILE_STEP);
	uint64_t left = file->size;
	enum un_err err = step ? UN_OK : UN_ERR_NO_MEMORY;

	while (left && !err) {
		size_t want = left < FILE_STEP ? (size_t)left : FILE_STEP;
		ssize_t got = read(file->fd, step, want);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0) {
			channel_hang_up(channel); /* the promised length cannot be kept */
			err = un_fail(detail, UN_ERR_IO,
			              "the file to upload became shorter meanwhile");
			break;
		}
		err = channel->wire.ops->write(&channel->wire, step, (size_t)got, deadline_ms);
		left -= (uint64_t)got;
		if (err == UN_ERR_UNREACHABLE) {
			err = UN_OK;
			break;
		}
		if (err)
			err = channel_failed(channel, err, detail);
	}
	mem_free(step);
	return err;
}

enum un_err
channel_put_file(struct channel *channel, const struct channel_file *file, struct un_detail *detail)
{
	struct answer answer = {.deadline_ms = channel_deadline(file->deadline_ms)};
	struct buf body;
	enum un_err err = begin_file(channel, file, "PUT", answer.deadline_ms, detail);

	if (!err)
		err = send_file(channel, file, answer.deadline_ms, detail);
	if (err)
		return err;
	/* A server that refuses early answers and closes: its answer says more than a broken pipe.
	 */
	err = channel_read_head(channel, &answer);
	if (err)
		return channel_failed(channel, err, detail);
	if (answer.head.status >= 300)
		return channel_read_refusal(channel, &answer, detail);
	buf_init(&body, CHANNEL_ERROR_BODY_MAX, BUF_WIPE);
	err = channel_read_body(channel, &answer, &body);
	buf_fini(&body);
	if (err)
		return channel_failed(channel, err, detail);
	channel_answered(channel, &answer);
	return UN_OK;
}

static enum un_err
receive_file(struct channel *channel, struct answer *answer, const struct channel_file *file,
             uint64_t *ret_size)
{
	struct buf piece;
	uint64_t size = 0;
	enum un_err err = UN_OK;

	if (answer->head.content_length > 0 && (uint64_t)answer->head.content_length > file->size)
		return UN_ERR_TOO_LARGE;
	buf_init(&piece, REPLY_HEAD_MAX + CHANNEL_READ_STEP, BUF_PLAIN);
	while (!err && !reply_body_is_done(&answer->body)) {
		err = channel_read_piece(channel, answer, &piece);
		if (!err && piece.len > file->size - size)
			err = UN_ERR_TOO_LARGE;
		if (!err)
			err = io_write_all(file->fd, piece.data, piece.len);
		size += piece.len;
		buf_clear(&piece);
	}
	buf_fini(&piece);
	if (!err)
		*ret_size = size;
	return err;
}

enum un_err
channel_get_file(struct channel *channel, const struct channel_file *file, uint64_t *ret_size,
                 struct un_detail *detail)
{
	struct answer answer = {.deadline_ms = channel_deadline(file->deadline_ms)};
	enum un_err err = begin_file(channel, file, "GET", answer.deadline_ms, detail);

	if (err)
		return err;
	err = channel_read_head(channel, &answer);
	if (err)
		return channel_failed(channel, err, detail);
	if (answer.head.status != 200)
		return channel_read_refusal(channel, &answer, detail);
	err = receive_file(channel, &answer, file, ret_size);
	if (err)
		return channel_failed(channel, err, detail);
	channel_answered(channel, &answer);
	return UN_OK;
}
