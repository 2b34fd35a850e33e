// SPDX-License-Identifier: Apache-2.0
// The one error idiom: a value with a birthplace, which must be looked at.
// `code` says what the caller can do about it and is the only part that changes behaviour; `what`
// is a string literal that names the field and what was expected. Because it is a literal, no
// secret and no request text can ever be part of it. `file:line` stay inside the process.
// Who may include it: everybody.
#pragma once

#define ERR_LIST(X)                                                             \
    X(ERR_NONE, "ok", "ok")                                                     \
    X(ERR_MALFORMED, "malformed", "not in the agreed form")                     \
    X(ERR_UNSUPPORTED, "unsupported", "well formed, but not supported")         \
    X(ERR_PHASE, "phase", "not possible in this phase")                         \
    X(ERR_DENIED, "denied", "refused by policy")                                \
    X(ERR_NOT_FOUND, "not_found", "no such thing")                              \
    X(ERR_EXISTS, "exists", "exists already, with other content")               \
    X(ERR_MISMATCH, "mismatch", "belongs to another deployment, keyset or key") \
    X(ERR_CORRUPT, "corrupt", "stored bytes do not open")                       \
    X(ERR_FULL, "full", "no room left")                                         \
    X(ERR_BUSY, "busy", "too much at once; try again")                          \
    X(ERR_TOO_LARGE, "too_large", "larger than the limit")                      \
    X(ERR_TIMEOUT, "timeout", "no answer in time")                              \
    X(ERR_UNREACHABLE, "unreachable", "the other side is not there")            \
    X(ERR_CLOSED, "closed", "the other side closed the connection")             \
    X(ERR_UNTRUSTED, "untrusted", "does not verify")                            \
    X(ERR_EXPIRED, "expired", "no longer valid")                                \
    X(ERR_KMS, "kms", "AWS KMS refused")                                        \
    X(ERR_DEVICE, "device", "the security module failed")                       \
    X(ERR_IO, "io", "the operating system refused")                             \
    X(ERR_UNAUTHORIZED, "unauthorized", "credentials are missing or wrong")     \
    X(ERR_INTERNAL, "internal", "a defect in this program")

#define ERR_ENUM(code, name, text) code,
enum err_code { ERR_LIST(ERR_ENUM) ERR_CODES };
#undef ERR_ENUM

struct err {
    enum err_code code;
    unsigned line;
    const char *file;
    const char *what; // static storage; NULL means: the code's own text
};

#define FALLIBLE __attribute__((warn_unused_result)) struct err
#define OK       ((struct err) { .code = ERR_NONE })
#define FAIL(c, text) \
    ((struct err) { .code = (c), .line = __LINE__, .file = __FILE__, .what = "" text })
#define TRY(call)               \
    do {                        \
        struct err e_ = (call); \
        if (e_.code)            \
            return e_;          \
    } while (0)
#define ENSURE(cond, c, text)     \
    do {                          \
        if (!(cond))              \
            return FAIL(c, text); \
    } while (0)

// The name of a code on the wire, e.g. "malformed"; "internal" for a number out of range.
const char *err_name(enum err_code code);
// The sentence for people: `what`, or the text of the code.
const char *err_text(struct err err);
// The code with this wire name; ERR_INTERNAL when there is none.
enum err_code err_code_of(const char *name);
