// SPDX-License-Identifier: Apache-2.0
// Texts of other programs are cleaned here once, where they enter.
#include "parent/detail.h"

static size_t detail_add(struct detail *detail, size_t at, struct bytes text)
{
    for (size_t i = 0; i < text.n && at < sizeof(detail->text) - 1; i++) {
        bool shown = text.p[i] >= 0x20 && text.p[i] < 0x7f;

        detail->text[at++] = shown ? (char)text.p[i] : '?';
    }
    detail->text[at] = 0;
    return at;
}

void detail_set(struct detail *detail, const char *prefix, struct bytes text)
{
    size_t at = detail_add(detail, 0, bytes_str(prefix));

    (void)detail_add(detail, at, text);
}

const char *detail_text(const struct detail *detail, struct err err)
{
    return detail->text[0] ? detail->text : err_text(err);
}
