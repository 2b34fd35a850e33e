// SPDX-License-Identifier: Apache-2.0
// Deciding conditions. Two tables, operators and keys; a request offers none, one or several values
// for a key, and an operator compares them with the policy's. It trusts that the condition was
// checked, and nothing about the request.
#include "emu/kms_condition.h"

#include "base/hex.h"
#include "base/must.h"
#include "emu/glob.h"

#include <string.h>

#define PCR_DIGITS (2 * ATTEST_PCR_BYTES)

// What a request offers for a key. Views, or a PCR's digits in `hex`.
struct values {
    struct bytes v[KMS_CONTEXT_NAMES];
    size_t n;
    char hex[PCR_DIGITS + 1];
};

enum compare { EQUALS, EQUALS_ANY_CASE, LIKE, IS_ABSENT };

static const struct op {
    const char *name;
    enum compare compare;
    bool negated, truth; // truth: the policy's values are "true" and "false"
} ops[] = {
    { "StringEquals", EQUALS, false, false },
    { "StringNotEquals", EQUALS, true, false },
    { "StringEqualsIgnoreCase", EQUALS_ANY_CASE, false, false },
    { "StringNotEqualsIgnoreCase", EQUALS_ANY_CASE, true, false },
    { "StringLike", LIKE, false, false },
    { "StringNotLike", LIKE, true, false },
    { "Bool", EQUALS_ANY_CASE, false, true },
    { "Null", IS_ABSENT, false, true },
};

enum quantity { ONE, ANY, ALL };

typedef void value_of(struct values *out, const struct kms_policy_request *request,
                      struct bytes rest);

static value_of of_attestation, of_context, of_context_keys, of_account, of_principal, of_bypass,
    of_transport;

static const struct key {
    const char *name; // a prefix when it ends with ':'
    value_of *read;
    bool many;  // several values at once
    bool truth; // "true" or "false"
} keys[] = {
    { "kms:RecipientAttestation:", of_attestation, false, false },
    { "kms:EncryptionContext:", of_context, false, false },
    { "kms:EncryptionContextKeys", of_context_keys, true, false },
    { "kms:CallerAccount", of_account, false, false },
    { "aws:PrincipalAccount", of_account, false, false },
    { "aws:PrincipalArn", of_principal, false, false },
    { "kms:BypassPolicyLockoutSafetyCheck", of_bypass, false, true },
    { "aws:SecureTransport", of_transport, false, true },
};

static const struct op *find_op(struct bytes name, enum quantity *quantity);
static const struct key *find_key(struct bytes name, struct bytes *rest);

static bool is_truth(struct bytes text)
{
    return glob_equal(text, BYTES_LIT("true"), true) || glob_equal(text, BYTES_LIT("false"), true);
}

static FALLIBLE check_key(const struct json *named, const struct op *op, enum quantity quantity)
{
    struct bytes rest;
    const struct key *key = find_key(named->key, &rest);

    ENSURE(key, ERR_UNSUPPORTED,
           "policy: Condition: expected kms:RecipientAttestation, kms:EncryptionContext or another "
           "key of the emulator's list");
    ENSURE(key->read != of_attestation || kms_condition_pcr(rest) >= 0, ERR_MALFORMED,
           "policy: kms:RecipientAttestation: expected ImageSha384 or PCR0 to PCR31");
    ENSURE(!key->many || quantity != ONE || op->compare == IS_ABSENT, ERR_UNSUPPORTED,
           "policy: kms:EncryptionContextKeys: expected ForAnyValue: or ForAllValues:");
    ENSURE(key->truth == op->truth || op->compare == IS_ABSENT, ERR_UNSUPPORTED,
           "policy: Bool: expected kms:BypassPolicyLockoutSafetyCheck or aws:SecureTransport");
    TRY(kms_condition_check_strings(named));
    for (const struct json *v = kms_condition_first(named); op->truth && v;
         v = kms_condition_next(named, v))
        ENSURE(is_truth(v->text), ERR_MALFORMED,
               "policy: Null, Bool: expected \"true\" or \"false\"");
    return OK;
}

struct err kms_condition_check(const struct json *condition)
{
    if (!condition)
        return OK;
    ENSURE(condition->type == JSON_OBJECT, ERR_MALFORMED, "policy: Condition: expected an object");
    for (const struct json *named = condition->child; named; named = named->next) {
        enum quantity quantity;
        const struct op *op = find_op(named->key, &quantity);

        ENSURE(op, ERR_UNSUPPORTED,
               "policy: Condition: expected StringEquals, StringNotEquals, StringLike, "
               "StringNotLike, their IgnoreCase forms, Bool or Null");
        ENSURE(named->type == JSON_OBJECT, ERR_MALFORMED, "policy: Condition: expected keys");
        for (const struct json *key = named->child; key; key = key->next)
            TRY(check_key(key, op, quantity));
    }
    return OK;
}

static bool matches(const struct op *op, struct bytes pattern, struct bytes value)
{
    if (op->compare == LIKE)
        return glob_match(pattern, value, false);
    return glob_equal(pattern, value, op->compare == EQUALS_ANY_CASE);
}

// One value of the request against the policy's: a negated operator holds when none is equal.
static bool value_holds(const struct op *op, const struct json *list, struct bytes value)
{
    for (const struct json *v = kms_condition_first(list); v; v = kms_condition_next(list, v)) {
        if (matches(op, v->text, value))
            return !op->negated;
    }
    return op->negated;
}

// IAM User Guide, "Set operators": ForAllValues holds for no value at all, ForAnyValue does not.
static bool set_holds(const struct op *op, enum quantity quantity, const struct json *list,
                      const struct values *values)
{
    for (size_t i = 0; i < values->n; i++) {
        if (value_holds(op, list, values->v[i]) != (quantity == ALL))
            return quantity == ANY;
    }
    return quantity == ALL;
}

// An absent key matches no positive operator, and matches a negated one.
static bool key_holds(struct bytes op_name, const struct json *named,
                      const struct kms_policy_request *request)
{
    enum quantity quantity;
    struct bytes rest;
    const struct op *op = find_op(op_name, &quantity);
    const struct key *key = find_key(named->key, &rest);
    struct values values = { .n = 0 };

    must(op && key);
    key->read(&values, request, rest);
    if (op->compare == IS_ABSENT) {
        struct op equal = { op->name, EQUALS_ANY_CASE, false, true };

        return value_holds(&equal, named, values.n ? BYTES_LIT("false") : BYTES_LIT("true"));
    }
    if (quantity != ONE)
        return set_holds(op, quantity, named, &values);
    return values.n ? value_holds(op, named, values.v[0]) : op->negated;
}

const struct json *kms_condition_failing(const struct json *condition,
                                         const struct kms_policy_request *request)
{
    for (const struct json *op = condition ? condition->child : NULL; op; op = op->next) {
        for (const struct json *key = op->child; key; key = key->next) {
            if (!key_holds(op->key, key, request))
                return key;
        }
    }
    return NULL;
}

struct err kms_condition_check_context(const struct json *context)
{
    if (!context)
        return OK;
    ENSURE(context->type == JSON_OBJECT, ERR_MALFORMED, "encryption context: expected an object");
    ENSURE(context->count <= KMS_CONTEXT_NAMES, ERR_TOO_LARGE,
           "encryption context: expected at most 64 names");
    for (const struct json *m = context->child; m; m = m->next) {
        ENSURE(m->type == JSON_STRING, ERR_MALFORMED, "encryption context: expected strings");
        for (const struct json *other = m->next; other; other = other->next)
            ENSURE(!glob_equal(m->key, other->key, true), ERR_UNSUPPORTED,
                   "encryption context: expected names that differ by more than their case");
    }
    return OK;
}

static bool has_variable(struct bytes text)
{
    for (size_t i = 0; i + 1 < text.n; i++) {
        if (text.p[i] == '$' && text.p[i + 1] == '{')
            return true;
    }
    return false;
}

struct err kms_condition_check_strings(const struct json *list)
{
    ENSURE(list && (list->type == JSON_STRING || list->type == JSON_ARRAY), ERR_MALFORMED,
           "policy: expected a string or a list of strings");
    for (const struct json *v = kms_condition_first(list); v; v = kms_condition_next(list, v)) {
        ENSURE(v->type == JSON_STRING, ERR_MALFORMED,
               "policy: expected a string or a list of strings");
        ENSURE(!has_variable(v->text), ERR_UNSUPPORTED,
               "policy: expected no policy variables: ${...}");
    }
    return OK;
}

const struct json *kms_condition_first(const struct json *list)
{
    return list && list->type == JSON_ARRAY ? list->child : list;
}

const struct json *kms_condition_next(const struct json *list, const struct json *value)
{
    return list->type == JSON_ARRAY ? value->next : NULL;
}

static bool take_prefix(struct bytes *text, const char *prefix, bool any_case)
{
    struct bytes expected = bytes_str(prefix);

    if (!glob_equal(bytes_take(*text, expected.n), expected, any_case))
        return false;
    *text = bytes_skip(*text, expected.n);
    return true;
}

static const struct op *find_op(struct bytes name, enum quantity *quantity)
{
    *quantity = ONE;
    if (take_prefix(&name, "ForAnyValue:", false))
        *quantity = ANY;
    else if (take_prefix(&name, "ForAllValues:", false))
        *quantity = ALL;
    for (size_t i = 0; i < ARRAY_LEN(ops); i++) {
        if (bytes_equal_str(name, ops[i].name) && (*quantity == ONE || !ops[i].truth))
            return &ops[i];
    }
    return NULL;
}

// IAM User Guide, "Condition": names of keys compare in any case. *rest is what follows a prefix.
static const struct key *find_key(struct bytes name, struct bytes *rest)
{
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        bool is_prefix = keys[i].name[strlen(keys[i].name) - 1] == ':';

        *rest = name;
        if (take_prefix(rest, keys[i].name, true) && (rest->n > 0) == is_prefix)
            return &keys[i];
    }
    return NULL;
}

int kms_condition_pcr(struct bytes name)
{
    int index = 0;

    if (glob_equal(name, BYTES_LIT("ImageSha384"), true))
        return 0;
    if (!take_prefix(&name, "PCR", true) || name.n < 1 || name.n > 2)
        return -1;
    for (size_t i = 0; i < name.n; i++) {
        if (name.p[i] < '0' || name.p[i] > '9')
            return -1;
        index = index * 10 + (name.p[i] - '0');
    }
    return index < ATTEST_PCRS && (name.n == 1 || name.p[0] != '0') ? index : -1;
}

static void add(struct values *out, struct bytes value)
{
    if (out->n < ARRAY_LEN(out->v))
        out->v[out->n++] = value;
}

// A request without Recipient has none of these keys.
static void of_attestation(struct values *out, const struct kms_policy_request *request,
                           struct bytes rest)
{
    int index = kms_condition_pcr(rest);

    if (!request->attest || index < 0 || !(request->attest->pcr_present >> index & 1))
        return;
    hex_encode(out->hex, BYTES_OF(request->attest->pcr[index]));
    add(out, bytes_str(out->hex));
}

static void of_context(struct values *out, const struct kms_policy_request *request,
                       struct bytes rest)
{
    for (const struct json *m = request->context ? request->context->child : NULL; m; m = m->next) {
        if (glob_equal(m->key, rest, true))
            add(out, m->text);
    }
}

static void of_context_keys(struct values *out, const struct kms_policy_request *request,
                            struct bytes rest)
{
    (void)rest;
    for (const struct json *m = request->context ? request->context->child : NULL; m; m = m->next)
        add(out, m->key);
}

static void of_account(struct values *out, const struct kms_policy_request *request,
                       struct bytes rest)
{
    (void)rest;
    add(out, kms_policy_account(request->role));
}

// IAM User Guide, "aws:PrincipalArn": of a session it is the role's ARN.
static void of_principal(struct values *out, const struct kms_policy_request *request,
                         struct bytes rest)
{
    (void)rest;
    add(out, request->role);
}

static void of_bypass(struct values *out, const struct kms_policy_request *request,
                      struct bytes rest)
{
    bool put = bytes_equal_str(request->action, "kms:PutKeyPolicy") ||
               bytes_equal_str(request->action, "kms:CreateKey");

    (void)rest;
    if (put)
        add(out, request->bypass ? BYTES_LIT("true") : BYTES_LIT("false"));
}

// Whoever reached this service did so over TLS.
static void of_transport(struct values *out, const struct kms_policy_request *request,
                         struct bytes rest)
{
    (void)request;
    (void)rest;
    add(out, BYTES_LIT("true"));
}
