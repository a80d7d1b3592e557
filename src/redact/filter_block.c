#include "redact/filter.h"

/* Portable: two look-ups a byte and no branch. */
struct shaped
filter_shape_block(const struct filter_tables *tables, const uint8_t *block, uint8_t *out)
{
	struct shaped shaped = {0};
	uint32_t any = 0, kept = 0, symbols = 0;

	uint32_t members = 0;

	for (size_t i = 0; i + 1 < BLOCK; i++) /* one that the compiler does in vectors */
		members |= (uint32_t)((block[i] == 'e') &
		                      ((block[i + 1] == 'J') | (block[i + 1] == 'N') |
		                       (block[i + 1] == 'A') | (block[i + 1] == 'F'))) |
		           (uint32_t)((block[i] == 'H') & (block[i + 1] == '4'));
	members |= (block[BLOCK - 1] == 'e') | (block[BLOCK - 1] == 'H');
	for (size_t i = 0; members && i < BLOCK; i++)
		if (block[i] == 'e' || block[i] == 'H')
			shaped.members |= (uint64_t)1 << i;
	for (size_t i = 0; i < BLOCK; i++) {
		uint8_t fold = tables->fold[block[i]], class = tables->class[block[i]];

		out[kept] = fold;
		kept += fold != 0;
		symbols += class & CLASS_SYMBOL;
		any |= class;
	}
	shaped.kept = kept;
	shaped.symbols = symbols;
	if (!(any & CLASS_SPECIAL))
		return shaped;
	for (size_t i = 0; i < BLOCK; i++) {
		uint8_t class = tables->class[block[i]];

		if (class & CLASS_ESC)
			shaped.esc |= (uint64_t)1 << i;
		else if ((class & (CLASS_PERCENT | CLASS_EQUALS)) && i + 1 < BLOCK)
			shaped.escapes |= (uint64_t)(tables->class[block[i + 1]] >> 7) << i;
		else if (class & CLASS_SPECIAL)
			shaped.escapes |= (uint64_t)1 << i;
	}
	return shaped;
}

#if defined(__x86_64__)
#include <immintrin.h>

/* The same, 64 bytes at once. */
__attribute__((
	target("avx512f,avx512bw,avx512vl,avx512vbmi,avx512vbmi2,bmi,popcnt"))) static struct shaped
shape_block_avx512(const struct filter_tables *tables, const uint8_t *block, uint8_t *out)
{
	__m512i bytes = _mm512_loadu_si512(block);
	__mmask64 high = _mm512_movepi8_mask(bytes);
	__m512i fold = _mm512_permutex2var_epi8(_mm512_loadu_si512(tables->fold), bytes,
	                                        _mm512_loadu_si512(tables->fold + 64));
	__m512i class = _mm512_permutex2var_epi8(_mm512_loadu_si512(tables->class), bytes,
	                                         _mm512_loadu_si512(tables->class + 64));
	__mmask64 keep, special, code, coded, second;
	const uint64_t last = (uint64_t)1 << (BLOCK - 1);
	struct shaped shaped = {0};

	fold = _mm512_mask_mov_epi8(fold, high, bytes);
	class = _mm512_mask_mov_epi8(class, high, _mm512_set1_epi8(CLASS_SYMBOL));
	keep = _mm512_test_epi8_mask(fold, fold);
	_mm512_storeu_si512(out, _mm512_maskz_compress_epi8(keep, fold));
	shaped.kept = (uint32_t)__builtin_popcountll(keep);
	shaped.symbols = (uint32_t)__builtin_popcountll(
		_mm512_test_epi8_mask(class, _mm512_set1_epi8(CLASS_SYMBOL)));
	second = _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8('J')) |
	         _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8('N')) |
	         _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8('A')) |
	         _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8('F'));
	shaped.members =
		(_mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8('e')) & (second >> 1 | last)) |
		(_mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8('H')) &
	         (_mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8('4')) >> 1 | last));
	special = _mm512_test_epi8_mask(class, _mm512_set1_epi8(CLASS_SPECIAL));
	special |= _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8((char)0x9b));
	if (!special)
		return shaped;
	shaped.esc = _mm512_test_epi8_mask(class, _mm512_set1_epi8(CLASS_ESC));
	code = _mm512_test_epi8_mask(class, _mm512_set1_epi8((char)CLASS_CODE));
	coded = _mm512_test_epi8_mask(class, _mm512_set1_epi8(CLASS_PERCENT | CLASS_EQUALS));
	shaped.escapes = (special & ~shaped.esc & ~coded) | (coded & (code >> 1 | last));
	return shaped;
}

filter_shaper *
filter_shaper_here(void)
{
	__builtin_cpu_init();
	if (__builtin_cpu_supports("avx512vbmi2") && __builtin_cpu_supports("avx512vbmi") &&
	    __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl"))
		return shape_block_avx512;
	return filter_shape_block;
}
#else
filter_shaper *
filter_shaper_here(void)
{
	return filter_shape_block;
}
#endif
