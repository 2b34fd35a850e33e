// SPDX-License-Identifier: Apache-2.0
// Published test data, which is not part of this project: read from VECTORS_DIR, or from the place
// that the build was told. A test whose file is not there is skipped and says so. Include it after
// cmocka.h.
#pragma once

#include "base/bytes.h"
#include "base/hex.h"

#include <stdio.h>
#include <stdlib.h>

#define VECTORS_FILE_MAX ((size_t)4 << 20)

// Memory for the rest of the program; the list is there for the leak checker.
static inline uint8_t *vectors_memory(size_t n)
{
    struct kept {
        struct kept *next;
        uint8_t bytes[];
    };
    static struct kept *all;
    struct kept *kept = malloc(sizeof(*kept) + n);

    assert_non_null(kept);
    kept->next = all;
    all = kept;
    return kept->bytes;
}

// The whole file.
static inline struct bytes vectors_read(const char *name)
{
    const char *folder = getenv("VECTORS_DIR");
    char path[4096];
    uint8_t *p;
    FILE *file;
    size_t n;

    (void)snprintf(path, sizeof(path), "%s/%s", folder ? folder : VECTORS_DIR_DEFAULT, name);
    file = fopen(path, "rb");
    if (!file) {
        print_message("skipped: no file %s below VECTORS_DIR\n", name);
        skip();
    }
    p = vectors_memory(VECTORS_FILE_MAX);
    n = fread(p, 1, VECTORS_FILE_MAX, file);
    assert_int_equal(fclose(file), 0);
    assert_true(n > 0 && n < VECTORS_FILE_MAX);
    return bytes_of(p, n);
}

// The bytes of hex digits.
static inline struct bytes unhex(struct bytes digits)
{
    size_t n = digits.n / 2;
    uint8_t *p = vectors_memory(n + 1);

    assert_int_equal(hex_decode(p, n, digits).code, ERR_NONE);
    return bytes_of(p, n);
}

static inline void expect_hex(const char *name, struct bytes got, const char *digits)
{
    char text[4096];

    assert_true(2 * got.n < sizeof(text));
    hex_encode(text, got);
    if (!bytes_equal_str(bytes_str(digits), text))
        fail_msg("%s: got %s, expected %s", name, text, digits);
}
