/* Questions about access: five lines (principal, role granted, action, project, domain) are read as
 * a request's are. Whatever is read: who has no grant may do nothing, the sentence says what the
 * decision does, and what decided covers the target or holds anywhere. */
#include "authz/directory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINES 5
#define LINE_MAX 200

static void
split(const uint8_t *bytes, size_t len, char lines[LINES][LINE_MAX])
{
	for (size_t line = 0; line < LINES; line++) {
		const uint8_t *end = len ? memchr(bytes, '\n', len) : NULL;
		size_t size = end ? (size_t)(end - bytes) : len;
		size_t kept = size < LINE_MAX ? size : LINE_MAX - 1;

		if (kept)
			memcpy(lines[line], bytes, kept);
		lines[line][kept] = '\0';
		bytes += size + (end != NULL);
		len -= size + (end != NULL);
	}
}

static struct directory_view *
view_of(const char *role, const struct scope *scope)
{
	struct api_key_row keys[2] = {{.id = 1, .name = "ci"}, {.id = 2, .name = "none"}};
	struct grant_row grant = {.principal = "key:ci", .scope = *scope};
	struct directory_view *view;

	(void)snprintf(grant.role, sizeof grant.role, "%s", role);
	if (directory_view_new(keys, 2, &grant, 1, &view))
		abort();
	return view;
}

static void
ask(const struct directory_view *view, const struct principal *who, enum authz_action action,
    const struct scope *at)
{
	const struct authz_target target = {.scope = at};
	struct authz_decision decision;
	char text[AUTHZ_TEXT_MAX];

	authz_decide(who, view, action, &target, &decision);
	if (authz_explain(who, view, action, &target, text) != decision.allowed ||
	    (strncmp(text, "allowed: ", 9) == 0) != decision.allowed)
		abort();
	if (decision.allowed && who->kind == PRINCIPAL_API_KEY && strcmp(who->key, "ci") != 0)
		abort();
	if (decision.by_grant && action != AUTHZ_PLANE_READ &&
	    !authz_covers(&decision.scope, at))
		abort();
	if (decision.allowed != (authz_check(who, view, action, &target, NULL) == UN_OK))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static const struct scope granted = {"fraud", ""};
	char lines[LINES][LINE_MAX];
	struct un_detail detail = {0};
	struct directory_view *view;
	struct principal who;
	enum authz_action action;
	struct scope at;

	split(bytes, len, lines);
	view = view_of(lines[1], &granted);
	if (principal_parse(lines[0], 1000, &who, &detail) == UN_OK &&
	    authz_action_parse(lines[2], &action, &detail) == UN_OK &&
	    scope_init(&at, lines[3], lines[4], &detail) == UN_OK)
		ask(view, &who, action, &at);
	directory_view_unref(view);
	return 0;
}
