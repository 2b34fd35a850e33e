// SPDX-License-Identifier: Apache-2.0
// A decimal with a unit is read digit by digit into a 256-bit integer of wei: the integer part,
// then exactly as many fraction digits as the unit has, zeros where none were written. Nothing is
// rounded: a digit below one wei is refused.
#include "cli/ether.h"

#include "base/must.h"

#include <string.h>

#define ETHER_DECIMALS 18U

static const struct unit {
    const char *name;
    unsigned decimals;
} units[] = {
    { "gwei", 9 }, // before "wei", which it ends with
    { "wei", 0 },
    { "ether", ETHER_DECIMALS },
    { "eth", ETHER_DECIMALS },
};

static FALLIBLE read_decimal(struct u256 *wei, struct bytes number, unsigned decimals);
static FALLIBLE in_words(struct err err);

static const struct unit *unit_of(struct bytes text)
{
    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        size_t n = strlen(units[i].name);

        if (text.n > n && bytes_equal_str(bytes_skip(text, text.n - n), units[i].name))
            return &units[i];
    }
    return NULL;
}

struct err ether_parse(struct u256 *wei, struct bytes text)
{
    const struct unit *unit = unit_of(text);
    struct bytes number = text;

    if (!unit) {
        ENSURE(text.n == 0 || !memchr(text.p, '.', text.n), ERR_MALFORMED,
               "amount: a fraction needs a unit, e.g. 0.5ether");
        return in_words(u256_parse(wei, text));
    }
    number = bytes_take(text, text.n - strlen(unit->name));
    if (number.n > 0 && number.p[number.n - 1] == ' ')
        number.n--;
    return in_words(read_decimal(wei, number, unit->decimals));
}

// The errors of the arithmetic, for people who wrote an amount.
static FALLIBLE in_words(struct err err)
{
    ENSURE(err.code != ERR_TOO_LARGE, ERR_TOO_LARGE, "amount: exceeds 256 bits of wei");
    ENSURE(!err.code || strncmp(err_text(err), "amount:", 7) == 0, ERR_MALFORMED,
           "amount: expected wei (1000 or 0x3e8) or a unit (7wei, 3gwei, 0.5ether)");
    return err;
}

static FALLIBLE read_decimal(struct u256 *wei, struct bytes number, unsigned decimals)
{
    const uint8_t *point = number.n ? memchr(number.p, '.', number.n) : NULL;
    struct bytes whole = bytes_take(number, point ? (size_t)(point - number.p) : number.n);
    struct bytes fraction = bytes_skip(number, whole.n + 1);

    TRY(u256_parse_decimal(wei, whole));
    ENSURE(!point || fraction.n > 0, ERR_MALFORMED, "amount: expected digits after the point");
    ENSURE(fraction.n <= decimals, ERR_MALFORMED, "amount: has digits below one wei");
    for (size_t i = 0; i < decimals; i++) {
        uint8_t digit = i < fraction.n ? fraction.p[i] : '0';

        ENSURE(digit >= '0' && digit <= '9', ERR_MALFORMED, "amount: expected decimal digits");
        TRY(u256_mul_u64(wei, *wei, 10));
        TRY(u256_add(wei, *wei, u256_of((uint64_t)(digit - '0'))));
    }
    return OK;
}

bool ether_has_unit(struct bytes text)
{
    return unit_of(text) != NULL;
}

void ether_write(struct wr *wr, struct u256 wei)
{
    char digits[ETHER_DECIMALS];
    size_t n = ETHER_DECIMALS;

    for (size_t i = ETHER_DECIMALS; i-- > 0;)
        digits[i] = (char)('0' + u256_div_u64(&wei, wei, 10));
    while (n > 0 && digits[n - 1] == '0')
        n--;
    u256_write_decimal(wr, wei);
    if (n > 0)
        wr_u8(wr, '.');
    wr_bytes(wr, bytes_of(digits, n));
}
