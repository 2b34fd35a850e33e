// SPDX-License-Identifier: Apache-2.0
#include "proto/clients.h"

#include "base/ct.h"
#include "crypto/openssl/sha2.h"

#define IDENTITY_BYTES  32U
#define OPERATIONS      (CLIENTS_METRICS | CLIENTS_SIGN_TX)
#define OPERATIONS_KEYS CLIENTS_SIGN_TX // those on a key: patterns say on which
#define DNS_NAME_MAX    253U
#define DNS_LABEL_MAX   63U

// All of `text` is of the characters in `alphabet`.
static bool is_of(struct bytes text, const char *alphabet)
{
    struct bytes allowed = bytes_str(alphabet);

    for (size_t i = 0; i < text.n; i++) {
        size_t at = 0;

        while (at < allowed.n && allowed.p[at] != text.p[i])
            at++;
        if (at == allowed.n)
            return false;
    }
    return true;
}

// -- clients --------------------------------------------------------------------------------------

static void read_entry(struct clients_entry *out, struct rd *rd)
{
    struct bytes patterns;

    rd_copy(rd, out->identity, sizeof(out->identity));
    out->kind = rd_u8(rd);
    out->operations = rd_u16(rd);
    out->label = rd_var8(rd, CLIENTS_LABEL_MAX);
    out->patterns = rd_u8(rd);
    patterns = rd->left;
    for (size_t i = 0; i < out->patterns; i++)
        (void)rd_var8(rd, CLIENTS_PATTERN_MAX);
    out->pattern_list = bytes_take(patterns, patterns.n - rd->left.n);
    out->certificate = rd_var16(rd, CLIENTS_CERTIFICATE_MAX);
}

static FALLIBLE check_patterns(const struct clients_entry *entry)
{
    struct rd rd = rd_of(entry->pattern_list);

    ENSURE(entry->patterns <= CLIENTS_PATTERNS, ERR_MALFORMED,
           "clients: expected at most 64 patterns");
    ENSURE((entry->patterns > 0) == ((entry->operations & OPERATIONS_KEYS) != 0), ERR_MALFORMED,
           "clients: patterns are needed for operations on keys, and for nothing else");
    for (size_t i = 0; i < entry->patterns; i++) {
        struct bytes pattern = rd_var8(&rd, CLIENTS_PATTERN_MAX);

        ENSURE(pattern.n > 0 && is_of(pattern, "0123456789abcdefghijklmnopqrstuvwxyz*-_"),
               ERR_MALFORMED, "clients: pattern: expected 1 to 96 of 0-9 a-z * - _");
    }
    return OK;
}

// What the identity is, by kind.
static FALLIBLE check_identity(const struct clients_entry *entry)
{
    bool is_authority = entry->kind == CLIENTS_AUTHORITY;
    bool is_zero = ct_is_zero(BYTES_OF(entry->identity));
    uint8_t digest[IDENTITY_BYTES];

    ENSURE(is_zero == (entry->kind == CLIENTS_ANYONE), ERR_MALFORMED,
           "clients: identity: expected zeros for anyone, and for nobody else");
    ENSURE(is_authority == (entry->certificate.n > 0), ERR_MALFORMED,
           "clients: certificate: expected one for an authority, and for nobody else");
    if (!is_authority)
        return OK;
    sha2_256(digest, entry->certificate);
    ENSURE(bytes_equal(BYTES_OF(digest), BYTES_OF(entry->identity)), ERR_MALFORMED,
           "clients: identity: expected the authority's SHA-256");
    return OK;
}

static FALLIBLE check_entry(const struct clients_entry *entry)
{
    ENSURE(entry->kind >= CLIENTS_CERTIFICATE && entry->kind <= CLIENTS_ANYONE, ERR_UNSUPPORTED,
           "clients: kind: expected 1 to 4");
    ENSURE(entry->operations && !(entry->operations & ~OPERATIONS), ERR_UNSUPPORTED,
           "clients: operations: expected bit 0 or 1, and no others");
    ENSURE(entry->label.n > 0, ERR_MALFORMED, "clients: label: expected 1 to 64 characters");
    for (size_t i = 0; i < entry->label.n; i++)
        ENSURE(entry->label.p[i] >= ' ' && entry->label.p[i] <= '~', ERR_MALFORMED,
               "clients: label: expected printable ASCII");
    TRY(check_patterns(entry));
    return check_identity(entry);
}

struct err clients_check(struct bytes section)
{
    struct rd rd = rd_of(section);
    struct clients_entry entry, last;

    ENSURE(section.n <= CLIENTS_BYTES_MAX, ERR_TOO_LARGE, "clients: expected at most 48 KiB");
    for (bool first = true; rd.left.n; first = false) {
        read_entry(&entry, &rd);
        ENSURE(!rd.bad, ERR_MALFORMED, "clients: an entry is cut or has a part that is too long");
        TRY(check_entry(&entry));
        ENSURE(first || bytes_compare(BYTES_OF(last.identity), BYTES_OF(entry.identity)) < 0,
               ERR_MALFORMED, "clients: entries must ascend by identity");
        last = entry;
    }
    return OK;
}

bool clients_next(struct bytes *rest, struct clients_entry *out)
{
    struct rd rd = rd_of(*rest);

    read_entry(out, &rd);
    *rest = rd.left;
    return !rd.bad;
}

void clients_write(struct wr *wr, const struct clients_entry *entry)
{
    wr_bytes(wr, BYTES_OF(entry->identity));
    wr_u8(wr, entry->kind);
    wr_u16(wr, entry->operations);
    wr_var8(wr, entry->label);
    wr_u8(wr, entry->patterns);
    wr_bytes(wr, entry->pattern_list);
    wr_var16(wr, entry->certificate);
}

// Zeros come first.
bool clients_has_anyone(struct bytes section)
{
    struct clients_entry entry;

    return clients_next(&section, &entry) && entry.kind == CLIENTS_ANYONE;
}

// After a mismatch only the last "*" takes one character more: those before it have matched as
// early as they could. So the time is bounded by the product of the lengths.
static bool pattern_matches(struct bytes pattern, struct bytes text)
{
    size_t p = 0, t = 0, star = pattern.n, star_text = 0;

    while (t < text.n) {
        if (p < pattern.n && pattern.p[p] == '*') {
            star = p++;
            star_text = t;
        } else if (p < pattern.n && pattern.p[p] == text.p[t]) {
            p++;
            t++;
        } else if (star < pattern.n) {
            p = star + 1;
            t = ++star_text;
        } else {
            return false;
        }
    }
    while (p < pattern.n && pattern.p[p] == '*')
        p++;
    return p == pattern.n;
}

bool clients_matches(const struct clients_entry *entry, struct bytes text)
{
    struct rd rd = rd_of(entry->pattern_list);

    for (size_t i = 0; i < entry->patterns; i++)
        if (pattern_matches(rd_var8(&rd, CLIENTS_PATTERN_MAX), text))
            return true;
    return false;
}

// -- web ------------------------------------------------------------------------------------------

static void read_web(struct clients_web *out, struct rd *rd)
{
    out->kind = rd_u8(rd);
    out->text = rd_var8(rd, UINT8_MAX);
}

// scheme "://" host, as browsers serialise it (RFC 6454 6.2): no path, no upper case.
static bool is_origin(struct bytes text)
{
    size_t scheme = 0;
    struct bytes host;

    while (scheme < text.n && text.p[scheme] != ':')
        scheme++;
    host = bytes_skip(text, scheme);
    return scheme > 0 &&
           is_of(bytes_take(text, scheme), "abcdefghijklmnopqrstuvwxyz0123456789+-.") &&
           host.n > 3 && bytes_equal_str(bytes_take(host, 3), "://") &&
           is_of(bytes_skip(host, 3), "abcdefghijklmnopqrstuvwxyz0123456789-_.:[]");
}

static FALLIBLE check_web(const struct clients_web *web)
{
    bool any = bytes_equal_str(web->text, "*");

    ENSURE(web->kind == CLIENTS_HOST || web->kind == CLIENTS_ORIGIN, ERR_UNSUPPORTED,
           "web: kind: expected 1 or 2");
    if (web->kind == CLIENTS_HOST)
        ENSURE(any || (web->text.n > 0 &&
                       is_of(web->text, "abcdefghijklmnopqrstuvwxyz0123456789-_.:[]")),
               ERR_MALFORMED, "web: host: expected a name or an address in lower case, or *");
    else
        ENSURE(any || is_origin(web->text), ERR_MALFORMED,
               "web: origin: expected scheme://host[:port] in lower case, or *");
    return OK;
}

struct err clients_check_web(struct bytes section)
{
    struct rd rd = rd_of(section);
    struct bytes last = BYTES_NONE;

    ENSURE(section.n <= WEB_BYTES_MAX, ERR_TOO_LARGE, "web: expected at most 8 KiB");
    while (rd.left.n) {
        struct bytes rest = rd.left, entry;
        struct clients_web web;

        read_web(&web, &rd);
        ENSURE(!rd.bad, ERR_MALFORMED, "web: an entry is cut");
        TRY(check_web(&web));
        entry = bytes_take(rest, rest.n - rd.left.n);
        ENSURE(bytes_compare(last, entry) < 0, ERR_MALFORMED, "web: entries must ascend");
        last = entry;
    }
    return OK;
}

bool clients_next_web(struct bytes *rest, struct clients_web *out)
{
    struct rd rd = rd_of(*rest);

    read_web(out, &rd);
    *rest = rd.left;
    return !rd.bad;
}

void clients_write_web(struct wr *wr, const struct clients_web *web)
{
    wr_u8(wr, web->kind);
    wr_var8(wr, web->text);
}

// -- names ----------------------------------------------------------------------------------------

static bool is_label(struct bytes label)
{
    return label.n > 0 && label.n <= DNS_LABEL_MAX &&
           is_of(label, "abcdefghijklmnopqrstuvwxyz0123456789-") && label.p[0] != '-' &&
           label.p[label.n - 1] != '-';
}

bool clients_is_dns_name(struct bytes name)
{
    struct bytes rest = bytes_equal_str(bytes_take(name, 2), "*.") ? bytes_skip(name, 2) : name;

    if (name.n == 0 || name.n > DNS_NAME_MAX)
        return false;
    for (;;) {
        size_t n = 0;

        while (n < rest.n && rest.p[n] != '.')
            n++;
        if (!is_label(bytes_take(rest, n)))
            return false;
        if (n == rest.n)
            return true;
        rest = bytes_skip(rest, n + 1);
    }
}
