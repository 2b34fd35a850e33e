// SPDX-License-Identifier: Apache-2.0
// The fingerprint is what counts; Web3Signer compares the name as well, which follows from it. So
// the name becomes the label, for people.
#include "cli/knownclients.h"

#include <string.h>

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v';
}

// The next word of a line, and the rest after it; empty at the end.
static struct bytes next_word(struct bytes *rest)
{
    size_t n = 0;
    struct bytes word;

    while (rest->n > 0 && is_blank(rest->p[0]))
        *rest = bytes_skip(*rest, 1);
    while (n < rest->n && !is_blank(rest->p[n]))
        n++;
    word = bytes_take(*rest, n);
    *rest = bytes_skip(*rest, n);
    return word;
}

static FALLIBLE read_line(struct roster *out, struct bytes line,
                          const struct knownclients_rights *rights)
{
    struct clients_entry entry = { .kind = CLIENTS_CERTIFICATE, .operations = rights->operations };
    struct bytes fingerprint;

    entry.label = next_word(&line);
    if (entry.label.n == 0 || entry.label.p[0] == '#')
        return OK;
    fingerprint = next_word(&line);
    ENSURE(fingerprint.n > 0 && next_word(&line).n == 0, ERR_MALFORMED,
           "expected a common name and a fingerprint");
    TRY(roster_fingerprint(entry.identity, fingerprint));
    roster_patterns_set(&entry, &rights->patterns);
    return roster_add(out, &entry);
}

struct err knownclients_read(struct roster *out, unsigned *line, struct bytes text,
                             const struct knownclients_rights *rights)
{
    for (*line = 1; text.n > 0; (*line)++) {
        const uint8_t *end = memchr(text.p, '\n', text.n);
        size_t n = end ? (size_t)(end - text.p) : text.n;

        TRY(read_line(out, bytes_take(text, n), rights));
        text = bytes_skip(text, end ? n + 1 : n);
    }
    *line = 0;
    return OK;
}
