#include "redact/filter.h"

#include <string.h>

#define LAST ((uint64_t)1 << (BLOCK - 1))

/* ---- what all paths share ---- */

/* A block's bytes that an escape may begin with or go on with; bit i is byte i. */
struct marks {
	uint64_t backslash, quote, double_quote, percent, equals;
	uint64_t line_end; /* \n or \r */
	uint64_t lead;     /* CLASS_LEAD */
	uint64_t hex;      /* CLASS_HEX */
	uint64_t shift;    /* 0x0e, 0x0f, 0x9b */
	uint64_t entity;   /* & */
	uint64_t name;     /* that may follow it: a letter or # */
	uint64_t end;      /* ; */
};

/* Bits of which one of the next UNIT_MAX - 1 is set. */
static inline uint64_t
is_near(uint64_t bits)
{
	bits |= bits >> 1;
	bits |= bits >> 2;
	bits |= bits >> 4;
	return bits | bits >> 8;
}

/* Where an escape may begin, by what follows in the block. */
static inline void
find_escapes(const struct marks *marks, uint64_t *ret_escapes)
{
	uint64_t lead = (marks->lead >> 1 | LAST) & (marks->hex >> 2 | LAST | LAST >> 1);

	ret_escapes[0] = marks->backslash |
	                 (marks->quote & ((marks->backslash | marks->double_quote) >> 1 | LAST));
	ret_escapes[1] = marks->percent & lead;
	ret_escapes[2] = marks->entity & (marks->name >> 1 | LAST) &
	                 (is_near(marks->end) | ~(uint64_t)0 << (BLOCK - UNIT_MAX + 1));
	ret_escapes[3] = marks->equals & (lead | marks->line_end >> 1);
	ret_escapes[4] = marks->shift;
}

/* For each set of bits in a byte: their numbers, the first one lowest. What is left of eight bytes
 * when they are picked by it stands at the start. */
#define PICK_BIT(set, bit, rest)                                                                   \
	((rest) * ((set) >> (bit)&1 ? 256u : 1u) + ((set) >> (bit)&1 ? (bit) : 0u))
#define PICK(set)                                                                                  \
	PICK_BIT(set, 0, PICK_BIT(set, 1, PICK_BIT(set, 2, PICK_BIT(set, 3, PICK_HIGH(set)))))
#define PICK_HIGH(set)                                                                             \
	PICK_BIT(set, 4, PICK_BIT(set, 5, PICK_BIT(set, 6, PICK_BIT(set, 7, (uint64_t)0))))
#define PICK_4(set) PICK(set), PICK((set) + 1u), PICK((set) + 2u), PICK((set) + 3u)
#define PICK_16(set) PICK_4(set), PICK_4((set) + 4u), PICK_4((set) + 8u), PICK_4((set) + 12u)
#define PICK_64(set) PICK_16(set), PICK_16((set) + 16u), PICK_16((set) + 32u), PICK_16((set) + 48u)

/* ---- everywhere: what the compiler makes of vectors of 16 bytes ---- */

#define WIDE 16
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "a word's first byte is its lowest");

typedef uint8_t wide __attribute__((vector_size(WIDE)));

static inline wide
load(const uint8_t *bytes)
{
	wide vector;

	memcpy(&vector, bytes, sizeof vector);
	return vector;
}

static inline bool
any_of(wide vector)
{
	uint64_t words[2];

	memcpy(words, &vector, sizeof words);
	return (words[0] | words[1]) != 0;
}

/* Of bytes that are 0 or 0xff. */
static inline uint64_t
bits_of(wide vector)
{
	uint64_t words[2];

	memcpy(words, &vector, sizeof words);
	for (size_t i = 0; i < 2; i++)
		words[i] = (words[i] & 0x0101010101010101u) * 0x0102040810204080u >> 56;
	return words[0] | words[1] << 8;
}

static inline wide
is_member(wide first, wide second)
{
	return (wide)((first == 'e') &
	              ((second == 'J') | (second == 'N') | (second == 'A') | (second == 'F'))) |
	       (wide)((first == 'H') & (second == '4'));
}

/* Where a gzip or zlib member in base64 may begin: eJ, eN, eA, eF and H4. */
static uint64_t
members_of(const uint8_t *block)
{
	uint64_t members = 0;
	wide any = is_member(load(block), load(block + 1)) |
	           is_member(load(block + WIDE), load(block + WIDE + 1)) |
	           is_member(load(block + 2 * WIDE), load(block + 2 * WIDE + 1)) |
	           is_member(load(block + 3 * WIDE - 1), load(block + 3 * WIDE));

	if (block[BLOCK - 1] == 'e' || block[BLOCK - 1] == 'H')
		members = LAST;
	for (size_t i = 0; any_of(any) && i < BLOCK; i++)
		if (block[i] == 'e' || block[i] == 'H')
			members |= (uint64_t)1 << i;
	return members;
}

static inline bool
is_name(uint8_t byte)
{
	return byte == '#' || ((byte | 0x20) >= 'a' && (byte | 0x20) <= 'z');
}

static void
find_marks(const struct filter_tables *tables, const uint8_t *block, struct shaped *shaped)
{
	struct marks marks = {0};

	for (size_t i = 0; i < BLOCK; i += WIDE) {
		wide bytes = load(block + i);

		shaped->esc |= bits_of((wide)(bytes == 0x1b)) << i;
		marks.backslash |= bits_of((wide)(bytes == '\\')) << i;
		marks.equals |= bits_of((wide)(bytes == '=')) << i;
		marks.percent |= bits_of((wide)(bytes == '%')) << i;
		marks.entity |= bits_of((wide)(bytes == '&')) << i;
		marks.quote |= bits_of((wide)(bytes == '\'')) << i;
		marks.shift |= bits_of((wide)(bytes == 0x9b) | (wide)((bytes & 0xfe) == 0x0e)) << i;
	}
	for (uint64_t left = marks.equals | marks.percent | marks.entity | marks.quote; left;
	     left &= left - 1) { /* they are few: what follows is looked at one by one */
		size_t i = (size_t)__builtin_ctzll(left);
		uint8_t next = i + 1 < BLOCK ? block[i + 1] : 0;
		uint8_t class = i + 2 < BLOCK ? tables->class[block[i + 2]] : 0;
		uint64_t bit = (left & -left) << 1;

		marks.double_quote |= next == '"' ? bit : 0;
		marks.line_end |= next == '\n' || next == '\r' ? bit : 0;
		marks.lead |= tables->class[next] & CLASS_LEAD ? bit : 0;
		marks.hex |= class & CLASS_HEX ? bit << 1 : 0;
		marks.name |= is_name(next) ? bit : 0;
	}
	for (size_t i = 0; marks.entity && i < BLOCK; i += WIDE)
		marks.end |= bits_of((wide)(load(block + i) == ';')) << i;
	find_escapes(&marks, shaped->escapes);
}

/* Letters in lower case; *ret_keep: 0xff for what has a place in shape. */
static inline wide
fold_wide(const struct filter_tables *tables, wide bytes, wide *ret_keep)
{
	wide lower = bytes | 0x20, letter = (wide)((lower >= 'a') & (lower <= 'z'));

	*ret_keep = letter | (wide)((bytes >= '0') & (bytes <= '9')) | (wide)(bytes >= 0x80);
	for (size_t i = 0; i < tables->lent_count; i++)
		*ret_keep |= (wide)(bytes == tables->lent[i]);
	return bytes | (letter & 0x20);
}

/* Eight bytes of `fold`: those of `keep` to `out`. Returns how many. */
static inline size_t
put_word(uint64_t fold, uint64_t keep, uint8_t *out)
{
	uint64_t ends = (keep & 0x0101010101010101u) * 0x0101010101010101u; /* sums up to each */

	out[0] = (uint8_t)fold;
	for (size_t i = 1; i < 8; i++)
		out[ends >> 8 * (i - 1) & 0xff] = (uint8_t)(fold >> 8 * i);
	return ends >> 56;
}

static void
shape_portable(const struct filter_tables *tables, const uint8_t *block, struct shaped *ret_shaped,
               uint8_t *out)
{
	struct shaped shaped = {.members = members_of(block)};
	wide special = {0};

	for (size_t i = 0; i < BLOCK; i += WIDE) {
		wide bytes = load(block + i), keep, fold = fold_wide(tables, bytes, &keep);
		wide blank = (wide)(bytes == 0) | (wide)(bytes == ' ') | (wide)(bytes == 0x1b) |
		             (wide)((wide)(bytes - '\t') <= '\r' - '\t');
		uint64_t folds[2], keeps[2];

		special |= (wide)((wide)(bytes - '%') <= '\'' - '%') | (wide)(bytes == '\\') |
		           (wide)(bytes == '=') | (wide)((bytes & 0xfe) == 0x0e) |
		           (wide)((bytes & 0x7f) == 0x1b);
		shaped.keep |= bits_of(keep) << i;
		shaped.symbols |= bits_of(~blank) << i;
		memcpy(folds, &fold, sizeof folds);
		memcpy(keeps, &keep, sizeof keeps);
		out += put_word(folds[0], keeps[0], out);
		out += put_word(folds[1], keeps[1], out);
	}
	if (any_of(special))
		find_marks(tables, block, &shaped);
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

/* ---- AVX2: 32 bytes at once ---- */

#define AVX2 "avx2,bmi,popcnt"

/* A block. */
struct two {
	__m256i half[2];
};

static const uint64_t picks[256] = {PICK_64(0u), PICK_64(64u), PICK_64(128u), PICK_64(192u)};

/* As low[] of struct filter_tables. */
static const uint8_t low_symbol[16] = {0xfa, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                       0xff, 0xfe, 0xfe, 0xfc, 0xfe, 0xfe, 0xff, 0xff};
/* ESC \ % & = ' 0x0e 0x0f */
static const uint8_t low_special[16] = {[5] = 0x04,   [6] = 0x04,   [7] = 0x04,   [0xb] = 0x02,
                                        [0xc] = 0x20, [0xd] = 0x08, [0xe] = 0x01, [0xf] = 0x01};
/* e; J N A F and also H; 4 */
static const uint8_t low_member[16] = {
	[1] = 0x10, [4] = 0x08, [5] = 0x40, [6] = 0x10, [8] = 0x10, [0xa] = 0x10, [0xe] = 0x10};
static const uint8_t low_hex[16] = {0x08, 0x58, 0x58, 0x58, 0x58, 0x58, 0x58, 0x08, 0x08, 0x08};

__attribute__((target(AVX2))) static inline __m256i
load_low(const uint8_t *low)
{
	return _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)low));
}

__attribute__((target(AVX2))) static inline struct two
load_two(const uint8_t *block)
{
	return (struct two){
		{_mm256_loadu_si256((const __m256i *)(const void *)block),
	         _mm256_loadu_si256((const __m256i *)(const void *)(block + BLOCK / 2))}};
}

/* For each byte the bit that stands for its high half, 0 from 0x80 on. */
__attribute__((target(AVX2))) static inline __m256i
high_avx2(__m256i bytes)
{
	const __m256i bits =
		_mm256_setr_epi8(1, 2, 4, 8, 16, 32, 64, (char)128, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 4,
	                         8, 16, 32, 64, (char)128, 0, 0, 0, 0, 0, 0, 0, 0);

	return _mm256_shuffle_epi8(
		bits, _mm256_and_si256(_mm256_srli_epi16(bytes, 4), _mm256_set1_epi8(15)));
}

__attribute__((target(AVX2))) static inline uint64_t
bits_avx2(__m256i first, __m256i second)
{
	return (uint32_t)_mm256_movemask_epi8(first) |
	       (uint64_t)(uint32_t)_mm256_movemask_epi8(second) << 32;
}

__attribute__((target(AVX2))) static inline uint64_t
equal_avx2(const struct two *bytes, char byte)
{
	__m256i same = _mm256_set1_epi8(byte);

	return bits_avx2(_mm256_cmpeq_epi8(bytes->half[0], same),
	                 _mm256_cmpeq_epi8(bytes->half[1], same));
}

/* The bytes of a set, and with them all from 0x80 on. */
__attribute__((target(AVX2))) static inline uint64_t
is_in_avx2(const struct two *bytes, const struct two *high, const uint8_t *low)
{
	__m256i table = load_low(low);
	uint64_t found[2];

	for (size_t i = 0; i < 2; i++) {
		__m256i set = _mm256_shuffle_epi8(table, bytes->half[i]);

		set = _mm256_cmpeq_epi8(_mm256_and_si256(set, high->half[i]), high->half[i]);
		found[i] = (uint32_t)_mm256_movemask_epi8(set);
	}
	return found[0] | found[1] << 32;
}

__attribute__((target(AVX2))) static inline __m256i
fold_avx2(__m256i bytes)
{
	__m256i upper = _mm256_and_si256(_mm256_cmpgt_epi8(bytes, _mm256_set1_epi8('A' - 1)),
	                                 _mm256_cmpgt_epi8(_mm256_set1_epi8('Z' + 1), bytes));

	return _mm256_or_si256(bytes, _mm256_and_si256(upper, _mm256_set1_epi8(0x20)));
}

/* The bytes of `keep` of a quarter of a block. */
__attribute__((target(AVX2))) static inline uint8_t *
put_quarter(__m128i fold, uint64_t keep, uint8_t *out)
{
	__m128i low = _mm_loadl_epi64((const __m128i *)(const void *)&picks[keep & 255]);
	__m128i high = _mm_loadl_epi64((const __m128i *)(const void *)&picks[keep >> 8 & 255]);

	_mm_storel_epi64((__m128i *)(void *)out, _mm_shuffle_epi8(fold, low));
	out += __builtin_popcountll(keep & 255);
	_mm_storel_epi64((__m128i *)(void *)out,
	                 _mm_shuffle_epi8(_mm_unpackhi_epi64(fold, fold), high));
	return out + __builtin_popcountll(keep >> 8 & 255);
}

__attribute__((target(AVX2))) static inline void
put_block(const struct two *bytes, uint64_t keep, uint8_t *out)
{
	for (size_t i = 0; i < 2; i++) {
		__m256i fold = fold_avx2(bytes->half[i]);

		out = put_quarter(_mm256_castsi256_si128(fold), keep >> 32 * i, out);
		out = put_quarter(_mm256_extracti128_si256(fold, 1), keep >> (32 * i + 16), out);
	}
}

__attribute__((target(AVX2))) static inline uint64_t
members_avx2(const struct two *bytes, const struct two *high)
{
	__m256i table = load_low(low_member), set[2];
	uint64_t e, second, four;

	for (size_t i = 0; i < 2; i++)
		set[i] =
			_mm256_and_si256(_mm256_shuffle_epi8(table, bytes->half[i]), high->half[i]);
	e = bits_avx2(_mm256_slli_epi16(set[0], 1), _mm256_slli_epi16(set[1], 1));
	second = bits_avx2(_mm256_slli_epi16(set[0], 3), _mm256_slli_epi16(set[1], 3));
	four = bits_avx2(_mm256_slli_epi16(set[0], 4), _mm256_slli_epi16(set[1], 4));
	return (e & (second >> 1 | LAST)) | (second & (four >> 1 | LAST) & equal_avx2(bytes, 'H'));
}

__attribute__((target(AVX2))) static inline bool
has_special(const struct two *bytes, const struct two *high)
{
	__m256i table = load_low(low_special), any = _mm256_setzero_si256();
	__m256i csi = _mm256_set1_epi8((char)0x9b);

	for (size_t i = 0; i < 2; i++) {
		__m256i set =
			_mm256_and_si256(_mm256_shuffle_epi8(table, bytes->half[i]), high->half[i]);

		set = _mm256_or_si256(set, _mm256_cmpeq_epi8(bytes->half[i], csi));
		any = _mm256_or_si256(any, set);
	}
	return !_mm256_testz_si256(any, any);
}

__attribute__((target(AVX2))) static void
marks_avx2(const struct filter_tables *tables, const struct two *bytes, const struct two *high,
           struct shaped *ret_shaped)
{
	uint64_t ascii = ~bits_avx2(bytes->half[0], bytes->half[1]);
	struct marks marks = {0};

	ret_shaped->esc = equal_avx2(bytes, 0x1b);
	marks.backslash = equal_avx2(bytes, '\\');
	marks.quote = equal_avx2(bytes, '\'');
	if (marks.quote)
		marks.double_quote = equal_avx2(bytes, '"');
	marks.percent = equal_avx2(bytes, '%');
	marks.equals = equal_avx2(bytes, '=');
	if (marks.percent | marks.equals) {
		marks.line_end = equal_avx2(bytes, '\n') | equal_avx2(bytes, '\r');
		marks.lead = is_in_avx2(bytes, high, tables->low[LOW_LEAD]) & ascii;
		marks.hex = is_in_avx2(bytes, high, low_hex) & ascii;
	}
	marks.shift =
		equal_avx2(bytes, 0x0e) | equal_avx2(bytes, 0x0f) | equal_avx2(bytes, (char)0x9b);
	marks.entity = equal_avx2(bytes, '&');
	if (marks.entity) {
		struct two low_case = {{_mm256_or_si256(bytes->half[0], _mm256_set1_epi8(0x20)),
		                        _mm256_or_si256(bytes->half[1], _mm256_set1_epi8(0x20))}};
		__m256i first = _mm256_set1_epi8('a' - 1), behind = _mm256_set1_epi8('z' + 1);

		marks.name = bits_avx2(_mm256_cmpgt_epi8(low_case.half[0], first),
		                       _mm256_cmpgt_epi8(low_case.half[1], first)) &
		             bits_avx2(_mm256_cmpgt_epi8(behind, low_case.half[0]),
		                       _mm256_cmpgt_epi8(behind, low_case.half[1]));
		marks.name |= equal_avx2(bytes, '#');
		marks.end = equal_avx2(bytes, ';');
	}
	find_escapes(&marks, ret_shaped->escapes);
}

__attribute__((target(AVX2))) static void
shape_avx2(const struct filter_tables *tables, const uint8_t *block, struct shaped *ret_shaped,
           uint8_t *out)
{
	struct two bytes = load_two(block);
	struct two high = {{high_avx2(bytes.half[0]), high_avx2(bytes.half[1])}};
	uint64_t keep = is_in_avx2(&bytes, &high, tables->low[LOW_KEEP]);

	ret_shaped->keep = keep;
	put_block(&bytes, keep, out);
	ret_shaped->symbols = is_in_avx2(&bytes, &high, low_symbol);
	ret_shaped->members = members_avx2(&bytes, &high);
	ret_shaped->esc = 0;
	if (has_special(&bytes, &high))
		marks_avx2(tables, &bytes, &high, ret_shaped);
	else
		memset(ret_shaped->escapes, 0, sizeof ret_shaped->escapes);
}

__attribute__((target(AVX2))) static void
squeeze_avx2(const struct filter_tables *tables, const uint8_t *block, uint64_t keep, uint8_t *out)
{
	struct two bytes = load_two(block);

	(void)tables;
	put_block(&bytes, keep, out);
}

static bool
has_avx2(void)
{
	__builtin_cpu_init();
	return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
	       __builtin_cpu_supports("popcnt");
}

/* ---- AVX-512 VBMI2: 64 bytes at once ---- */

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

__attribute__((target(AVX512))) static void
shape_avx512(const struct filter_tables *tables, const uint8_t *block, struct shaped *ret_shaped,
             uint8_t *out)
{
	__m512i bytes = _mm512_loadu_si512(block), fold = fold_avx512(tables, bytes);
	__m512i class = _mm512_permutex2var_epi8(_mm512_loadu_si512(tables->class), bytes,
	                                         _mm512_loadu_si512(tables->class + 64));
	struct marks marks = {0};
	uint64_t second;

	class = _mm512_mask_mov_epi8(class, _mm512_movepi8_mask(bytes),
	                             _mm512_set1_epi8(CLASS_SYMBOL));
	ret_shaped->keep = _mm512_test_epi8_mask(fold, fold);
	_mm512_storeu_si512(out, _mm512_maskz_compress_epi8(ret_shaped->keep, fold));
	ret_shaped->symbols = _mm512_test_epi8_mask(class, _mm512_set1_epi8(CLASS_SYMBOL));
	second = equal_avx512(bytes, 'J') | equal_avx512(bytes, 'N') | equal_avx512(bytes, 'A') |
	         equal_avx512(bytes, 'F');
	ret_shaped->members = (equal_avx512(bytes, 'e') & (second >> 1 | LAST)) |
	                      (equal_avx512(bytes, 'H') & (equal_avx512(bytes, '4') >> 1 | LAST));
	if (!(_mm512_test_epi8_mask(class, _mm512_set1_epi8(CLASS_SPECIAL)) |
	      equal_avx512(bytes, (char)0x9b))) {
		ret_shaped->esc = 0;
		memset(ret_shaped->escapes, 0, sizeof ret_shaped->escapes);
		return;
	}
	ret_shaped->esc = _mm512_test_epi8_mask(class, _mm512_set1_epi8(CLASS_ESC));
	marks.backslash = equal_avx512(bytes, '\\');
	marks.quote = equal_avx512(bytes, '\'');
	marks.double_quote = equal_avx512(bytes, '"');
	marks.percent = equal_avx512(bytes, '%');
	marks.equals = equal_avx512(bytes, '=');
	marks.line_end = equal_avx512(bytes, '\n') | equal_avx512(bytes, '\r');
	marks.lead = _mm512_test_epi8_mask(class, _mm512_set1_epi8((char)CLASS_LEAD));
	marks.hex = _mm512_test_epi8_mask(class, _mm512_set1_epi8((char)CLASS_HEX));
	marks.shift = equal_avx512(bytes, 0x0e) | equal_avx512(bytes, 0x0f) |
	              equal_avx512(bytes, (char)0x9b);
	marks.entity = equal_avx512(bytes, '&');
	if (marks.entity) {
		marks.name = (_mm512_cmpge_epu8_mask(fold, _mm512_set1_epi8('a')) &
		              _mm512_cmple_epu8_mask(fold, _mm512_set1_epi8('z'))) |
		             equal_avx512(bytes, '#');
		marks.end = equal_avx512(bytes, ';');
	}
	find_escapes(&marks, ret_shaped->escapes);
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
	{"AVX2", has_avx2, shape_avx2, squeeze_avx2},
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
