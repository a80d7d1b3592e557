#include "launch/task_limits.h"

#include <stdio.h>
#include <string.h>

#define DIGITS_MAX 18
#define MEMORY_MIN (4u << 20) /* less than a program needs to say that it has too little */

struct unit {
	const char *suffix;
	uint64_t factor;  /* times this */
	uint64_t divisor; /* and through this */
};

static const struct unit units[] = {
	{"", 1000, 1},
	{"m", 1, 1},
	{"u", 1, 1000},
	{"n", 1, 1000000},
	{"k", 1000000, 1},
	{"M", 1000000000, 1},
	{"G", 1000000000000, 1},
	{"T", 1000000000000000, 1},
	{"P", 1000000000000000000, 1},
	{"Ki", 1000ull << 10, 1},
	{"Mi", 1000ull << 20, 1},
	{"Gi", 1000ull << 30, 1},
	{"Ti", 1000ull << 40, 1},
	{"Pi", 1000ull << 50, 1},
};

static const struct unit *
unit_of(const char *suffix)
{
	for (size_t i = 0; i < sizeof units / sizeof *units; i++)
		if (strcmp(units[i].suffix, suffix) == 0)
			return &units[i];
	return NULL;
}

/* "e3", "E-2": a power of ten at `at`, up to the end. */
static bool
parse_exponent(const char *at, int *ret_power)
{
	bool minus;
	int power = 0;

	if ((*at != 'e' && *at != 'E') || !at[1])
		return false;
	minus = *++at == '-';
	at += *at == '-' || *at == '+';
	if (!*at || strlen(at) > 2)
		return false;
	for (; *at; at++) {
		if (*at < '0' || *at > '9')
			return false;
		power = power * 10 + (*at - '0');
	}
	*ret_power = minus ? -power : power;
	return true;
}

static enum un_err
scale(uint64_t number, int power, uint64_t *ret_number)
{
	for (; power > 0; power--)
		if (__builtin_mul_overflow(number, 10, &number))
			return UN_ERR_RANGE;
	for (; power < 0; power++)
		number = number / 10 + (number % 10 != 0);
	*ret_number = number;
	return UN_OK;
}

enum un_err
task_limits_parse(const char *text, uint64_t *ret_milli)
{
	const struct unit *unit = &units[0];
	uint64_t number = 0;
	int digits = 0, power = 0, exponent;
	bool point = false;
	const char *at = text;

	for (; (*at >= '0' && *at <= '9') || (*at == '.' && !point); at++) {
		if (*at == '.') {
			point = true;
			continue;
		}
		if (digits == DIGITS_MAX)
			return UN_ERR_RANGE;
		digits += number > 0 || *at != '0';
		number = number * 10 + (uint64_t)(*at - '0');
		power -= point;
	}
	if (at == text + point)
		return UN_ERR_INVALID;
	if (parse_exponent(at, &exponent))
		power += exponent;
	else
		unit = unit_of(at);
	if (!unit)
		return UN_ERR_INVALID;
	if (__builtin_mul_overflow(number, unit->factor, &number))
		return UN_ERR_RANGE;
	number = number / unit->divisor + (number % unit->divisor != 0);
	return scale(number, power, ret_milli);
}

/* The first entry of the name, or NULL. */
static const char *
find(Flyteidl__Core__Resources__ResourceEntry *const *entries, size_t count,
     Flyteidl__Core__Resources__ResourceName name)
{
	for (size_t i = 0; i < count; i++)
		if (entries[i]->name == name && entries[i]->value[0])
			return entries[i]->value;
	return NULL;
}

static enum un_err
read_entry(const char *what, const char *text, uint64_t *ret_milli, struct un_detail *detail)
{
	enum un_err err = text ? task_limits_parse(text, ret_milli) : UN_OK;

	return err ? un_fail(detail, UN_ERR_INVALID, "the task's %s '%.32s' is no quantity", what,
	                     text)
	           : UN_OK;
}

enum un_err
task_limits_of(const Union__V1__ClaimResponse *claim, struct task_limits *ret_limits,
               struct un_detail *detail)
{
	const Flyteidl__Core__Resources__ResourceName cpu =
		FLYTEIDL__CORE__RESOURCES__RESOURCE_NAME__CPU;
	const Flyteidl__Core__Resources__ResourceName mem =
		FLYTEIDL__CORE__RESOURCES__RESOURCE_NAME__MEMORY;
	const Flyteidl__Core__Resources *from = NULL;
	struct task_limits limits = {0};
	uint64_t memory_milli = 0;
	const char *memory;
	enum un_err err;

	if (claim->task &&
	    claim->task->target_case == FLYTEIDL__CORE__TASK_TEMPLATE__TARGET_CONTAINER)
		from = claim->task->container->resources;
	*ret_limits = limits;
	if (!from)
		return UN_OK;
	memory = find(from->limits, from->n_limits, mem);
	if (!memory)
		memory = find(from->requests, from->n_requests, mem);
	err = read_entry("memory", memory, &memory_milli, detail);
	if (!err)
		err = read_entry("cpu limit", find(from->limits, from->n_limits, cpu),
		                 &limits.cpu_milli, detail);
	if (!err)
		err = read_entry("cpu request", find(from->requests, from->n_requests, cpu),
		                 &limits.cpu_share_milli, detail);
	if (err)
		return err;
	limits.memory = memory_milli / 1000;
	if (memory && limits.memory < MEMORY_MIN)
		return un_fail(detail, UN_ERR_INVALID,
		               "the task's memory '%.32s' is too little to start in", memory);
	if (memory)
		(void)snprintf(limits.memory_text, sizeof limits.memory_text, "%s", memory);
	*ret_limits = limits;
	return UN_OK;
}
