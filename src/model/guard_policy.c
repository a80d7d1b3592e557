#include "model/guard_policy.h"

#include "model/scope.h"

#include <stdio.h>
#include <string.h>

#define BETWEEN " \t\n,"

static const struct {
	const char *word;
	enum guard_policy policy;
} words[] = {{"known", GUARD_KNOWN}, {"strict", GUARD_STRICT}, {"off", GUARD_OFF}};
#define WORD_COUNT (sizeof words / sizeof words[0])

static const char *
list_of(const struct guard_policies *policies, enum guard_policy policy)
{
	return policy == GUARD_STRICT ? policies->strict
	       : policy == GUARD_OFF  ? policies->off
	                              : policies->known;
}

static bool
is_listed(const char *list, const char *project)
{
	size_t len = strlen(project);

	for (const char *at = list + strspn(list, BETWEEN); *at; at += strspn(at, BETWEEN)) {
		size_t word = strcspn(at, BETWEEN);

		if (word == len && strncmp(at, project, len) == 0)
			return true;
		at += word;
	}
	return false;
}

enum guard_policy
guard_policy_of(const struct guard_policies *policies, const char *project)
{
	if (!policies)
		return GUARD_KNOWN;
	for (size_t i = 0; i < WORD_COUNT; i++)
		if (is_listed(list_of(policies, words[i].policy), project))
			return words[i].policy;
	for (size_t i = 0; i < WORD_COUNT; i++)
		if (strcmp(policies->fallback, words[i].word) == 0)
			return words[i].policy;
	return GUARD_KNOWN;
}

static enum un_err
check_list(const struct guard_policies *policies, size_t which, struct un_detail *detail)
{
	const char *list = list_of(policies, words[which].policy);

	for (const char *at = list + strspn(list, BETWEEN); *at; at += strspn(at, BETWEEN)) {
		size_t len = strcspn(at, BETWEEN);
		char project[SCOPE_PART_MAX + 1];
		struct scope scope;

		(void)snprintf(project, sizeof project, "%.*s", (int)len, at);
		if (len > SCOPE_PART_MAX || scope_init(&scope, project, NULL, NULL))
			return un_fail(detail, UN_ERR_BAD_CONFIG,
			               "'guard.%s' names '%s', which is no project",
			               words[which].word, project);
		for (size_t other = 0; other < which; other++)
			if (is_listed(list_of(policies, words[other].policy), project))
				return un_fail(detail, UN_ERR_BAD_CONFIG,
				               "project '%s' is in 'guard.%s' and in 'guard.%s'",
				               project, words[other].word, words[which].word);
		at += len;
	}
	return UN_OK;
}

enum un_err
guard_policies_check(const struct guard_policies *policies, struct un_detail *detail)
{
	bool known = !policies->fallback[0];
	enum un_err err = UN_OK;

	for (size_t i = 0; i < WORD_COUNT; i++)
		known = known || strcmp(policies->fallback, words[i].word) == 0;
	if (!known)
		return un_fail(detail, UN_ERR_BAD_CONFIG,
		               "'guard.default' is known, strict or off, not '%s'",
		               policies->fallback);
	for (size_t i = 0; !err && i < WORD_COUNT; i++)
		err = check_list(policies, i, detail);
	return err;
}
