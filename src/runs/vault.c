#include "runs/vault.h"

#include "base/alloc.h"

struct question {
	vault_granted *granted;
	vault_released *released;
	void *ctx;
};

static void
answer_grant(void *context, const struct keeper_answer *answer)
{
	struct question question = *(struct question *)context;

	mem_free(context);
	question.granted(question.ctx, answer->err, answer->detail,
	                 answer->err ? NULL : answer->ticket);
}

static void
answer_release(void *context, const struct keeper_answer *answer)
{
	struct question question = *(struct question *)context;
	const struct vault_release release = {answer->bytes, answer->count, answer->journal};

	mem_free(context);
	question.released(question.ctx, answer->err, answer->detail,
	                  answer->err ? NULL : &release);
}

static enum un_err
ask_grant(void *ctx, const struct ticket_grant *grant, vault_granted *done, void *done_ctx)
{
	struct question *question = mem_zalloc(1, sizeof *question);
	enum un_err err;

	if (question == NULL)
		return UN_ERR_NO_MEMORY;
	*question = (struct question){.granted = done, .ctx = done_ctx};
	err = keeper_grant(ctx, grant,
	                   (struct keeper_call){.done = answer_grant, .context = question});
	if (err)
		mem_free(question);
	return err;
}

static enum un_err
ask_release(void *ctx, const struct keeper_release *what, vault_released *done, void *done_ctx)
{
	struct question *question = mem_zalloc(1, sizeof *question);
	enum un_err err;

	if (question == NULL)
		return UN_ERR_NO_MEMORY;
	*question = (struct question){.released = done, .ctx = done_ctx};
	err = keeper_release(ctx, what,
	                     (struct keeper_call){.done = answer_release, .context = question});
	if (err)
		mem_free(question);
	return err;
}

struct vault
vault_of_keeper(struct keeper_client *client)
{
	return (struct vault){.grant = ask_grant, .release = ask_release, .ctx = client};
}
