// SPDX-License-Identifier: Apache-2.0
// The list of ordered faults, a small text file that the command line and the running emulator both
// change under one lock. A file that cannot be read is an error and not "no faults": a test that
// ordered one must not pass without it.
#include "emu/fault.h"

#include "base/fd.h"
#include "base/must.h"
#include "base/u256.h"
#include "crypto/openssl/libcrypto.h"
#include "emu/disk.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define FILE_NAME     "faults"
#define LOCK_NAME     "faults.lock"
#define LINE_BYTES    160
#define FILE_BYTES    (FAULT_LINES_MAX * LINE_BYTES)
#define OPERATION_MAX 48
#define COUNT_MAX     1000000

enum kind {
    THROTTLE,
    INTERNAL,
    LATENCY,
    WRONG_KEY_ID,
    PLAINTEXT,
    CORRUPT_CMS,
    WRONG_RECIPIENT,
    OTHER_DATA_KEY,
    CUT,
    LINK_DROP,
    LINK_DELAY,
    LINK_REORDER,
    LINK_HALF_CLOSE,
    LINK_CUT,
    LINK_FLOOD
};

static const struct form {
    const char *name;
    const char *option; // of this kind; NULL: none
    bool required;
    uint64_t least, most, absent;
} forms[] = {
    [THROTTLE] = { "throttle", NULL, false, 0, 0, 0 },
    [INTERNAL] = { "internal", "status", false, 500, 503, 500 },
    [LATENCY] = { "latency", "ms", true, 1, 60000, 0 },
    [WRONG_KEY_ID] = { "wrong-key-id", NULL, false, 0, 0, 0 },
    [PLAINTEXT] = { "plaintext", NULL, false, 0, 0, 0 },
    [CORRUPT_CMS] = { "corrupt-cms", "at", false, 0, 6143, UINT64_MAX },
    [WRONG_RECIPIENT] = { "wrong-recipient", NULL, false, 0, 0, 0 },
    [OTHER_DATA_KEY] = { "other-data-key", NULL, false, 0, 0, 0 },
    [CUT] = { "cut", "bytes", true, 1, 131072, 0 },
    [LINK_DROP] = { "link-drop", "packets", true, 1, 1000000, 0 },
    [LINK_DELAY] = { "link-delay", "ms", true, 1, 60000, 0 },
    [LINK_REORDER] = { "link-reorder", NULL, false, 0, 0, 0 },
    [LINK_HALF_CLOSE] = { "link-half-close", "bytes", true, 1, 1000000000, 0 },
    [LINK_CUT] = { "link-cut", "bytes", true, 1, 1000000000, 0 },
    [LINK_FLOOD] = { "link-flood", "packets", true, 1, 1000000, 0 },
};

struct line {
    enum kind kind;
    uint64_t value;
    uint64_t percent; // 0: always
    uint64_t count;   // 0: without end
    char operation[OPERATION_MAX];
};

struct lines {
    struct line line[FAULT_LINES_MAX];
    size_t n;
};

static FALLIBLE lines_load(struct lines *lines, const char *dir);
static FALLIBLE lines_save(const struct lines *lines, const char *dir);
static FALLIBLE line_parse(struct line *line, struct bytes text);

struct err fault_add(const char *dir, struct bytes spec)
{
    AUTO(fd_close) int lock = -1;
    struct lines lines = { .n = 0 };
    struct line line;

    TRY(line_parse(&line, spec));
    TRY(disk_lock(&lock, dir, LOCK_NAME));
    TRY(lines_load(&lines, dir));
    ENSURE(lines.n < FAULT_LINES_MAX, ERR_FULL, "faults: there are 32 already");
    lines.line[lines.n++] = line;
    return lines_save(&lines, dir);
}

struct err fault_clear(const char *dir)
{
    AUTO(fd_close) int lock = -1;
    char path[DISK_PATH_MAX];

    TRY(disk_path(path, sizeof(path), dir, FILE_NAME));
    TRY(disk_lock(&lock, dir, LOCK_NAME));
    ENSURE(unlink(path) == 0 || errno == ENOENT, ERR_IO, "faults: file cannot be removed");
    return OK;
}

static bool line_is_link(const struct line *line)
{
    return line->kind >= LINK_DROP;
}

static bool operation_is_link(const char *operation)
{
    return strcmp(operation, FAULT_CONTROL) == 0 || strcmp(operation, FAULT_EGRESS) == 0;
}

static bool line_meets(const struct line *line, const char *operation)
{
    uint8_t random[4];

    if (line_is_link(line) != operation_is_link(operation) ||
        (line->operation[0] && strcmp(line->operation, operation) != 0))
        return false;
    libcrypto_random(random, sizeof(random));
    return line->percent == 0 ||
           (random[0] | (unsigned)random[1] << 8 | (unsigned)random[2] << 16) % 100 < line->percent;
}

static void fault_set_link(struct fault_link *out, const struct line *line)
{
    out->reorder |= line->kind == LINK_REORDER;
    if (line->kind == LINK_DROP)
        out->drop = (unsigned)line->value;
    if (line->kind == LINK_DELAY)
        out->delay_ms = (unsigned)line->value;
    if (line->kind == LINK_FLOOD)
        out->flood = (unsigned)line->value;
    if (line->kind == LINK_HALF_CLOSE)
        out->half_close = line->value;
    if (line->kind == LINK_CUT)
        out->cut = line->value;
}

static void fault_set(struct fault *out, const struct line *line)
{
    if (line_is_link(line)) {
        fault_set_link(&out->link, line);
        return;
    }
    out->throttle |= line->kind == THROTTLE;
    out->wrong_key_id |= line->kind == WRONG_KEY_ID;
    out->plaintext |= line->kind == PLAINTEXT;
    out->wrong_recipient |= line->kind == WRONG_RECIPIENT;
    out->other_data_key |= line->kind == OTHER_DATA_KEY;
    if (line->kind == INTERNAL)
        out->internal_status = (unsigned)line->value;
    if (line->kind == LATENCY)
        out->latency_ms = (unsigned)line->value;
    if (line->kind == CUT)
        out->cut = (size_t)line->value;
    if (line->kind == CORRUPT_CMS) {
        out->corrupt_cms = true;
        out->corrupt_at = (size_t)line->value;
    }
}

struct err fault_take(struct fault *out, const char *dir, const char *operation)
{
    AUTO(fd_close) int lock = -1;
    struct lines lines = { .n = 0 };
    char path[DISK_PATH_MAX];
    bool counted = false;
    size_t kept = 0;

    memset(out, 0, sizeof(*out));
    TRY(disk_path(path, sizeof(path), dir, FILE_NAME));
    if (!disk_exists(path))
        return OK;
    TRY(disk_lock(&lock, dir, LOCK_NAME));
    TRY(lines_load(&lines, dir));
    for (size_t i = 0; i < lines.n; i++) {
        struct line *line = &lines.line[i];
        bool meets = line_meets(line, operation);

        if (meets)
            fault_set(out, line);
        counted |= meets && line->count > 0;
        if (meets && line->count == 1)
            continue;
        line->count -= meets && line->count > 0;
        lines.line[kept++] = *line;
    }
    lines.n = kept;
    return counted ? lines_save(&lines, dir) : OK;
}

// The bytes before the next `stop`, which is taken too.
static struct bytes split(struct bytes *text, uint8_t stop)
{
    const uint8_t *at = text->n ? memchr(text->p, stop, text->n) : NULL;
    size_t n = at ? (size_t)(at - text->p) : text->n;
    struct bytes part = bytes_take(*text, n);

    *text = bytes_skip(*text, at ? n + 1 : n);
    return part;
}

static FALLIBLE read_number(uint64_t *out, struct bytes text, uint64_t least, uint64_t most)
{
    struct u256 number;

    ENSURE(!u256_parse_decimal(&number, text).code && !u256_to_u64(out, number).code &&
               *out >= least && *out <= most,
           ERR_MALFORMED, "fault: a number is out of its range");
    return OK;
}

static FALLIBLE read_operation(char out[static OPERATION_MAX], struct bytes text)
{
    for (size_t i = 0; i < text.n; i++)
        ENSURE((text.p[i] | 0x20) >= 'a' && (text.p[i] | 0x20) <= 'z', ERR_MALFORMED,
               "fault: operation: expected letters");
    ENSURE(text.n > 0 && bytes_to_str(text, out, OPERATION_MAX), ERR_MALFORMED,
           "fault: operation: expected 1 to 47 letters");
    return OK;
}

static FALLIBLE read_option(struct line *line, struct bytes option, bool *given)
{
    const struct form *form = &forms[line->kind];
    struct bytes name = split(&option, '=');

    if (bytes_equal_str(name, "operation"))
        return read_operation(line->operation, option);
    if (bytes_equal_str(name, "count"))
        return read_number(&line->count, option, 1, COUNT_MAX);
    if (bytes_equal_str(name, "percent"))
        return read_number(&line->percent, option, 1, 100);
    ENSURE(form->option && bytes_equal_str(name, form->option), ERR_MALFORMED,
           "fault: expected count, percent, operation, or the fault's own option");
    *given = true;
    return read_number(&line->value, option, form->least, form->most);
}

static FALLIBLE read_kind(enum kind *out, struct bytes name)
{
    for (unsigned i = 0; i < ARRAY_LEN(forms); i++) {
        if (bytes_equal_str(name, forms[i].name)) {
            *out = (enum kind)i;
            return OK;
        }
    }
    return FAIL(ERR_MALFORMED,
                "fault: expected throttle, internal, latency, wrong-key-id, plaintext, "
                "corrupt-cms, wrong-recipient, other-data-key, cut, link-drop, link-delay, "
                "link-reorder, link-half-close, link-cut or link-flood");
}

static struct err line_parse(struct line *line, struct bytes text)
{
    bool given = false;

    memset(line, 0, sizeof(*line));
    TRY(read_kind(&line->kind, split(&text, ',')));
    line->value = forms[line->kind].absent;
    while (text.n > 0)
        TRY(read_option(line, split(&text, ','), &given));
    ENSURE(given || !forms[line->kind].required, ERR_MALFORMED,
           "fault: it needs its own option (ms=N, bytes=N or packets=N; emu/fault.h)");
    ENSURE(line->kind != INTERNAL || line->value == 500 || line->value == 503, ERR_MALFORMED,
           "fault: status: expected 500 or 503");
    return OK;
}

static struct err lines_load(struct lines *lines, const char *dir)
{
    char path[DISK_PATH_MAX];
    uint8_t text[FILE_BYTES];
    struct bytes left;
    struct err e;
    size_t n = 0;

    TRY(disk_path(path, sizeof(path), dir, FILE_NAME));
    e = fd_read_file(path, text, sizeof(text), &n);
    if (e.code == ERR_NOT_FOUND)
        return OK;
    TRY(e);
    left = bytes_of(text, n);
    while (left.n > 0) {
        struct bytes line = split(&left, '\n');

        ENSURE(lines->n < FAULT_LINES_MAX, ERR_FULL, "faults: more than 32");
        if (line.n > 0)
            TRY(line_parse(&lines->line[lines->n++], line));
    }
    return OK;
}

static void write_option(struct wr *wr, const char *name, uint64_t value)
{
    wr_u8(wr, ',');
    wr_str(wr, name);
    wr_u8(wr, '=');
    u256_write_decimal(wr, u256_of(value));
}

static void line_write(struct wr *wr, const struct line *line)
{
    const struct form *form = &forms[line->kind];

    wr_str(wr, form->name);
    if (form->option && line->value != form->absent)
        write_option(wr, form->option, line->value);
    if (line->percent)
        write_option(wr, "percent", line->percent);
    if (line->count)
        write_option(wr, "count", line->count);
    if (line->operation[0]) {
        wr_str(wr, ",operation=");
        wr_str(wr, line->operation);
    }
    wr_u8(wr, '\n');
}

static struct err lines_save(const struct lines *lines, const char *dir)
{
    char path[DISK_PATH_MAX];
    uint8_t text[FILE_BYTES];
    struct wr wr = WR_OF(text);

    TRY(disk_path(path, sizeof(path), dir, FILE_NAME));
    for (size_t i = 0; i < lines->n; i++)
        line_write(&wr, &lines->line[i]);
    TRY(wr_end(&wr));
    return disk_write(path, wr_done(&wr), 0600);
}
