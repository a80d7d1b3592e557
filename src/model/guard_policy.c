#include "model/guard_policy.h"

#include "model/project_list.h"

#include <stdio.h>
#include <string.h>

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

enum guard_policy
guard_policy_of(const struct guard_policies *policies, const char *project)
{
	if (!policies)
		return GUARD_KNOWN;
	for (size_t i = 0; i < WORD_COUNT; i++)
		if (project_list_has(list_of(policies, words[i].policy), project))
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
	char name[32], project[SCOPE_PART_MAX + 2];
	enum un_err err;

	(void)snprintf(name, sizeof name, "guard.%s", words[which].word);
	err = project_list_check(list, name, detail);
	while (!err && project_list_next(&list, project))
		for (size_t other = 0; other < which && !err; other++)
			if (project_list_has(list_of(policies, words[other].policy), project))
				err = un_fail(detail, UN_ERR_BAD_CONFIG,
				              "project '%s' is in 'guard.%s' and in '%s'", project,
				              words[other].word, name);
	return err;
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
