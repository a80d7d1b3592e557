#include "redact/filter.h"

#include <string.h>

/* Where a gzip or zlib member in base64 may begin: eJ, eN, eA, eF and H4. */
static uint64_t
members_of(const uint8_t *block)
{
	uint32_t any = 0;
	uint64_t members = 0;

	for (size_t i = 0; i + 1 < BLOCK; i++) /* one that the compiler does in vectors */
		any |= (uint32_t)((block[i] == 'e') &
		                  ((block[i + 1] == 'J') | (block[i + 1] == 'N') |
		                   (block[i + 1] == 'A') | (block[i + 1] == 'F'))) |
		       (uint32_t)((block[i] == 'H') & (block[i + 1] == '4'));
	any |= (block[BLOCK - 1] == 'e') | (block[BLOCK - 1] == 'H');
	for (size_t i = 0; any && i < BLOCK; i++)
		if (block[i] == 'e' || block[i] == 'H')
			members |= (uint64_t)1 << i;
	return members;
}

/* What begins at byte `i` may be an escape, by what follows in the block. */
static bool
escape_follows(const struct filter_tables *tables, const uint8_t *block, size_t i)
{
	uint8_t next = i + 1 < BLOCK ? block[i + 1] : 0;

	if (i + 1 == BLOCK || filter_view_of(block[i]) == VIEW_TERMINAL)
		return true;
	if (block[i] == '\'')
		return next == '\\' || next == '"';
	if (block[i] == '&')
		return (next == '#' || ((next | 0x20) >= 'a' && (next | 0x20) <= 'z')) &&
		       (i + UNIT_MAX > BLOCK || memchr(block + i, ';', UNIT_MAX));
	if (block[i] == '=' && (next == '\n' || next == '\r'))
		return true;
	return tables->class[next] & CLASS_LEAD &&
	       (i + 2 == BLOCK || tables->class[block[i + 2]] & CLASS_HEX);
}

/* Portable: two look-ups a byte and no branch. */
static void
shape_portable(const struct filter_tables *tables, const uint8_t *block, struct shaped *ret_shaped,
               uint8_t *out)
{
	struct shaped shaped = {.members = members_of(block)};
	uint32_t any = 0, kept = 0;

	for (size_t i = 0; i < BLOCK; i++) {
		uint8_t fold = tables->fold[block[i]], class = tables->class[block[i]];

		out[kept] = fold;
		kept += fold != 0;
		shaped.keep |= (uint64_t)(fold != 0) << i;
		shaped.symbols |= (uint64_t)(class & CLASS_SYMBOL) << i;
		any |= class;
	}
	for (size_t i = 0; (any & CLASS_SPECIAL) && i < BLOCK; i++) {
		uint8_t class = tables->class[block[i]];
		uint64_t bit = (uint64_t)1 << i;

		if (!(class & CLASS_SPECIAL))
			continue;
		if (class & CLASS_ESC)
			shaped.esc |= bit;
		else if (class & CLASS_BACKSLASH || escape_follows(tables, block, i))
			shaped.escapes[filter_view_of(block[i]) - VIEW_BACKSLASH] |= bit;
	}
	*ret_shaped = shaped;
}

static void
squeeze_portable(const struct filter_tables *tables, const uint8_t *block, uint64_t keep,
                 uint8_t *out)
{
	for (; keep; keep &= keep - 1)
		*out++ = tables->fold[block[__builtin_ctzll(keep)]];
}

#if defined(__x86_64__)
#include <immintrin.h>

#define AVX512 "avx512f,avx512bw,avx512vl,avx512vbmi,avx512vbmi2,bmi,popcnt"

__attribute__((target(AVX512))) static inline __m512i
fold_avx512(const struct filter_tables *tables, __m512i bytes)
{
	__m512i fold = _mm512_permutex2var_epi8(_mm512_loadu_si512(tables->fold), bytes,
	                                        _mm512_loadu_si512(tables->fold + 64));

	return _mm512_mask_mov_epi8(fold, _mm512_movepi8_mask(bytes), bytes);
}

__attribute__((target(AVX512))) static inline uint64_t
equal_avx512(__m512i bytes, char byte)
{
	return _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8(byte));
}

/* Bits of which one of the next UNIT_MAX - 1 is set. */
static inline uint64_t
is_near(uint64_t bits)
{
	bits |= bits >> 1;
	bits |= bits >> 2;
	bits |= bits >> 4;
	return bits | bits >> 8;
}

/* The same, 64 bytes at once. */
__attribute__((target(AVX512))) static void
shape_avx512(const struct filter_tables *tables, const uint8_t *block, struct shaped *ret_shaped,
             uint8_t *out)
{
	const uint64_t last = (uint64_t)1 << (BLOCK - 1);
	__m512i bytes = _mm512_loadu_si512(block), fold = fold_avx512(tables, bytes);
	__m512i class = _mm512_permutex2var_epi8(_mm512_loadu_si512(tables->class), bytes,
	                                         _mm512_loadu_si512(tables->class + 64));
	uint64_t second, lead;

	class = _mm512_mask_mov_epi8(class, _mm512_movepi8_mask(bytes),
	                             _mm512_set1_epi8(CLASS_SYMBOL));
	ret_shaped->keep = _mm512_test_epi8_mask(fold, fold);
	_mm512_storeu_si512(out, _mm512_maskz_compress_epi8(ret_shaped->keep, fold));
	ret_shaped->symbols = _mm512_test_epi8_mask(class, _mm512_set1_epi8(CLASS_SYMBOL));
	second = equal_avx512(bytes, 'J') | equal_avx512(bytes, 'N') | equal_avx512(bytes, 'A') |
	         equal_avx512(bytes, 'F');
	ret_shaped->members = (equal_avx512(bytes, 'e') & (second >> 1 | last)) |
	                      (equal_avx512(bytes, 'H') & (equal_avx512(bytes, '4') >> 1 | last));
	if (!(_mm512_test_epi8_mask(class, _mm512_set1_epi8(CLASS_SPECIAL)) |
	      equal_avx512(bytes, (char)0x9b))) {
		ret_shaped->esc = 0;
		memset(ret_shaped->escapes, 0, sizeof ret_shaped->escapes);
		return;
	}
	lead = _mm512_test_epi8_mask(class, _mm512_set1_epi8((char)CLASS_LEAD)) >> 1 | last;
	lead &= _mm512_test_epi8_mask(class, _mm512_set1_epi8((char)CLASS_HEX)) >> 2 | last |
	        last >> 1;
	ret_shaped->esc = _mm512_test_epi8_mask(class, _mm512_set1_epi8(CLASS_ESC));
	ret_shaped->escapes[0] =
		equal_avx512(bytes, '\\') |
		(equal_avx512(bytes, '\'') &
	         ((equal_avx512(bytes, '\\') | equal_avx512(bytes, '"')) >> 1 | last));
	ret_shaped->escapes[1] = equal_avx512(bytes, '%') & lead;
	ret_shaped->escapes[2] = equal_avx512(bytes, '&');
	if (ret_shaped->escapes[2]) {
		uint64_t letters = _mm512_cmpge_epu8_mask(fold, _mm512_set1_epi8('a')) &
		                   _mm512_cmple_epu8_mask(fold, _mm512_set1_epi8('z'));

		ret_shaped->escapes[2] &=
			((letters | equal_avx512(bytes, '#')) >> 1 | last) &
			(is_near(equal_avx512(bytes, ';')) | ~(uint64_t)0 << (BLOCK - UNIT_MAX));
	}
	ret_shaped->escapes[4] = equal_avx512(bytes, 0x0e) | equal_avx512(bytes, 0x0f) |
	                         equal_avx512(bytes, (char)0x9b);
	ret_shaped->escapes[3] =
		equal_avx512(bytes, '=') &
		(lead | (equal_avx512(bytes, '\n') | equal_avx512(bytes, '\r')) >> 1);
}

__attribute__((target(AVX512))) static void
squeeze_avx512(const struct filter_tables *tables, const uint8_t *block, uint64_t keep,
               uint8_t *out)
{
	__m512i fold = fold_avx512(tables, _mm512_loadu_si512(block));

	_mm512_storeu_si512(out, _mm512_maskz_compress_epi8(keep, fold));
}

static bool
has_avx512(void)
{
	__builtin_cpu_init();
	return __builtin_cpu_supports("avx512vbmi2") && __builtin_cpu_supports("avx512vbmi") &&
	       __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
}
#endif

/* The fastest first. */
static const struct filter_path paths[] = {
#if defined(__x86_64__)
	{"AVX-512", has_avx512, shape_avx512, squeeze_avx512},
#endif
	{"portable", NULL, shape_portable, squeeze_portable},
};

static size_t path_least; /* of those that may be used */

void
filter_path_limit(size_t fastest)
{
	path_least = fastest;
}

const struct filter_path *
filter_path_here(void)
{
	size_t last = sizeof paths / sizeof *paths - 1;
	size_t path = path_least < last ? path_least : last;

	while (path < last && paths[path].works && !paths[path].works())
		path++;
	return &paths[path < last ? path : last];
}
