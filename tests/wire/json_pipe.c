/* The transcoder on a pipe, for a test that compares it with another one.
 *
 * Reads lines "j HEX" (JSON of a test.wire.Kinds; prints its protobuf in hex) and "p HEX"
 * (protobuf; prints its JSON in hex); prints "error WHY" for what is refused. */
#include "base/alloc.h"
#include "base/text.h"
#include "rpc/json.h"
#include "model/wire.h"

#include "kinds.pb-c.h"

#include <stdio.h>
#include <string.h>

#define LINE_MAX_LEN (8u << 20)

static void *
take(void *ctx, size_t len)
{
	(void)ctx;
	return mem_alloc(len);
}

static void
leave(void *ctx, void *block)
{
	(void)ctx;
	mem_free(block);
}

static ProtobufCAllocator allocator = {take, leave, NULL};
static const struct json_options options = {.allocator = &allocator};

static enum un_err
to_protobuf(const struct buf *in, struct buf *out, struct un_detail *detail)
{
	ProtobufCMessage *message = NULL;
	enum un_err err = json_parse(buf_text(in), in->len, &test__wire__kinds__descriptor,
	                             &options, &message, detail);
	size_t len;

	if (err)
		return err;
	len = protobuf_c_message_get_packed_size(message);
	err = buf_reserve(out, len);
	if (!err)
		buf_added(out, protobuf_c_message_pack(message, out->data));
	protobuf_c_message_free_unpacked(message, &allocator);
	return err;
}

static enum un_err
to_json(const struct buf *in, struct buf *out, struct un_detail *detail)
{
	ProtobufCMessage *message;
	enum un_err err = wire_check(&test__wire__kinds__descriptor, in->data, in->len, detail);

	if (err)
		return err;
	message = protobuf_c_message_unpack(&test__wire__kinds__descriptor, &allocator, in->len,
	                                    in->data);
	if (!message)
		return un_fail(detail, UN_ERR_PROTOCOL, "not a message");
	err = json_format(message, 0, out);
	protobuf_c_message_free_unpacked(message, &allocator);
	return err;
}

static void
answer(const char *line)
{
	struct un_detail detail = {.message = ""};
	struct buf in, out, hex;
	enum un_err err;

	buf_init(&in, LINE_MAX_LEN, BUF_WIPE);
	buf_init(&out, LINE_MAX_LEN, BUF_WIPE);
	buf_init(&hex, LINE_MAX_LEN, BUF_WIPE);
	err = text_decode_hex(line + 2, strcspn(line + 2, "\n"), &in);
	if (!err)
		err = line[0] == 'j' ? to_protobuf(&in, &out, &detail)
		                     : to_json(&in, &out, &detail);
	if (!err)
		err = text_append_hex(&hex, out.data, out.len);
	if (err)
		printf("error %s\n", un_message(err, &detail));
	else
		printf("%s\n", buf_text(&hex));
	fflush(stdout);
	buf_fini(&in);
	buf_fini(&out);
	buf_fini(&hex);
}

int
main(void)
{
	static char line[LINE_MAX_LEN];

	while (fgets(line, sizeof line, stdin))
		answer(line);
	return 0;
}
