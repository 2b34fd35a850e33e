// SPDX-License-Identifier: Apache-2.0
// Deciding key policies. Pure: a policy and a request in, a verdict out. It fails closed: a policy
// with anything unknown in it is refused when it is put, and allows nothing if it is met later.
#include "emu/kms_policy.h"

#include "base/hex.h"
#include "base/must.h"

#include <string.h>
#include <strings.h>

#define POLICY_MAX   32768
#define NODES_MAX    1024
#define ATTEST_KEY   "kms:RecipientAttestation:"
#define CONTEXT_KEY  "kms:EncryptionContext:"
#define ROLE_ACCOUNT 13 // where the account starts in "arn:aws:iam::ACCOUNT:role/NAME"

// A policy parsed in memory of its own (json_parse changes what it reads).
struct policy {
    uint8_t text[POLICY_MAX];
    struct json nodes[NODES_MAX];
    struct json single; // a statement that stands where the list would
    const struct json *statements;
};

static FALLIBLE policy_parse(struct policy *policy, struct bytes text);
static FALLIBLE check_statement(const struct json *statement);
static bool statement_matches(const struct json *statement,
                              const struct kms_policy_request *request);

struct err kms_policy_check(struct bytes text)
{
    struct policy policy;

    return policy_parse(&policy, text);
}

enum kms_policy_verdict kms_policy_decide(struct bytes text,
                                          const struct kms_policy_request *request)
{
    enum kms_policy_verdict verdict = KMS_POLICY_NOT_ALLOWED;
    struct policy policy;

    if (text.n == 0 || policy_parse(&policy, text).code)
        return KMS_POLICY_NOT_ALLOWED;
    for (const struct json *s = policy.statements; s; s = s->next) {
        if (!statement_matches(s, request))
            continue;
        if (bytes_equal_str(json_string(json_get(s, "Effect")), "Deny"))
            return KMS_POLICY_DENIED;
        verdict = KMS_POLICY_ALLOW;
    }
    return verdict;
}

static struct err policy_parse(struct policy *policy, struct bytes text)
{
    static const char *const known[] = { "Version", "Id", "Statement", NULL };
    const struct json *root, *statement;

    ENSURE(text.n <= sizeof(policy->text), ERR_TOO_LARGE, "policy is larger than 32768 bytes");
    if (text.n)
        memcpy(policy->text, text.p, text.n);
    TRY(json_parse(&root, policy->nodes, NODES_MAX, policy->text, text.n));
    ENSURE(root->type == JSON_OBJECT, ERR_MALFORMED, "policy: expected an object");
    ENSURE(!json_unknown(root, known), ERR_MALFORMED,
           "policy: expected Version, Id and Statement only");
    statement = json_get(root, "Statement");
    ENSURE(statement, ERR_MALFORMED, "policy: Statement is missing");
    policy->single = *statement;
    policy->single.next = NULL; // the next member of the policy is no statement
    policy->statements = statement->type == JSON_ARRAY ? statement->child : &policy->single;
    for (statement = policy->statements; statement; statement = statement->next)
        TRY(check_statement(statement));
    return OK;
}

// A string or an array of strings: how policies write "one of". Returns the first; next_value
// walks on.
static const struct json *first_value(const struct json *value)
{
    return value && value->type == JSON_ARRAY ? value->child : value;
}

static const struct json *next_value(const struct json *list, const struct json *value)
{
    return list->type == JSON_ARRAY ? value->next : NULL;
}

static FALLIBLE check_strings(const struct json *list)
{
    ENSURE(list && (list->type == JSON_STRING || list->type == JSON_ARRAY), ERR_MALFORMED,
           "policy: expected a string or a list of strings");
    for (const struct json *v = first_value(list); v; v = next_value(list, v))
        ENSURE(v->type == JSON_STRING, ERR_MALFORMED,
               "policy: expected a string or a list of strings");
    return OK;
}

static FALLIBLE check_principal(const struct json *principal)
{
    static const char *const known[] = { "AWS", NULL };

    ENSURE(principal, ERR_MALFORMED, "policy: Principal is missing");
    if (principal->type == JSON_STRING) {
        ENSURE(bytes_equal_str(principal->text, "*"), ERR_MALFORMED,
               "policy: Principal: expected \"*\" or {\"AWS\": ...}");
        return OK;
    }
    ENSURE(principal->type == JSON_OBJECT && !json_unknown(principal, known), ERR_UNSUPPORTED,
           "policy: Principal: expected \"*\" or {\"AWS\": ...}");
    return check_strings(json_get(principal, "AWS"));
}

// The number in "PCR0" to "PCR31"; -1 for anything else. ImageSha384 is PCR0.
static int attest_index(struct bytes name)
{
    int index = 0;

    if (bytes_equal_str(name, "ImageSha384"))
        return 0;
    if (name.n < 4 || name.n > 5 || memcmp(name.p, "PCR", 3) != 0)
        return -1;
    for (size_t i = 3; i < name.n; i++) {
        if (name.p[i] < '0' || name.p[i] > '9')
            return -1;
        index = index * 10 + (name.p[i] - '0');
    }
    return index < ATTEST_PCRS && (name.n == 4 || name.p[3] != '0') ? index : -1;
}

static bool has_prefix(struct bytes text, const char *prefix, struct bytes *rest)
{
    size_t n = strlen(prefix);

    *rest = bytes_skip(text, n);
    return text.n > n && memcmp(text.p, prefix, n) == 0;
}

static FALLIBLE check_condition_key(const struct json *key, bool is_null_operator)
{
    struct bytes rest;

    if (has_prefix(key->key, ATTEST_KEY, &rest))
        ENSURE(attest_index(rest) >= 0, ERR_MALFORMED,
               "policy: kms:RecipientAttestation: expected ImageSha384 or PCR0 to PCR31");
    else
        ENSURE(has_prefix(key->key, CONTEXT_KEY, &rest), ERR_UNSUPPORTED,
               "policy: Condition: expected kms:RecipientAttestation or kms:EncryptionContext");
    TRY(check_strings(key));
    for (const struct json *v = first_value(key); is_null_operator && v; v = next_value(key, v))
        ENSURE(bytes_equal_str(v->text, "true") || bytes_equal_str(v->text, "false"), ERR_MALFORMED,
               "policy: Null: expected \"true\" or \"false\"");
    return OK;
}

static FALLIBLE check_condition(const struct json *condition)
{
    static const char *const known[] = { "StringEquals", "StringEqualsIgnoreCase",
                                         "StringNotEquals", "Null", NULL };

    if (!condition)
        return OK;
    ENSURE(condition->type == JSON_OBJECT, ERR_MALFORMED, "policy: Condition: expected an object");
    ENSURE(!json_unknown(condition, known), ERR_UNSUPPORTED,
           "policy: Condition: expected StringEquals, StringEqualsIgnoreCase, StringNotEquals or "
           "Null");
    for (const struct json *op = condition->child; op; op = op->next) {
        ENSURE(op->type == JSON_OBJECT, ERR_MALFORMED, "policy: Condition: expected keys");
        for (const struct json *key = op->child; key; key = key->next)
            TRY(check_condition_key(key, bytes_equal_str(op->key, "Null")));
    }
    return OK;
}

static struct err check_statement(const struct json *statement)
{
    static const char *const known[] = { "Sid",      "Effect",    "Principal", "Action",
                                         "Resource", "Condition", NULL };
    struct bytes effect = json_string(json_get(statement, "Effect"));

    ENSURE(statement->type == JSON_OBJECT, ERR_MALFORMED, "policy: Statement: expected an object");
    ENSURE(!json_unknown(statement, known), ERR_UNSUPPORTED,
           "policy: Statement: expected Sid, Effect, Principal, Action, Resource and Condition "
           "only");
    ENSURE(bytes_equal_str(effect, "Allow") || bytes_equal_str(effect, "Deny"), ERR_MALFORMED,
           "policy: Effect: expected Allow or Deny");
    TRY(check_principal(json_get(statement, "Principal")));
    TRY(check_strings(json_get(statement, "Action")));
    TRY(check_strings(json_get(statement, "Resource")));
    return check_condition(json_get(statement, "Condition"));
}

static bool equal_ignoring_case(struct bytes a, struct bytes b)
{
    return a.n == b.n && (a.n == 0 || strncasecmp((const char *)a.p, (const char *)b.p, a.n) == 0);
}

// Action names compare in any case and may end in '*' (IAM user guide, "Action").
static bool action_matches(const struct json *list, struct bytes action)
{
    for (const struct json *v = first_value(list); v; v = next_value(list, v)) {
        struct bytes pattern = v->text;
        bool open = pattern.n > 0 && pattern.p[pattern.n - 1] == '*';

        if (open)
            pattern.n--;
        if (equal_ignoring_case(open ? bytes_take(action, pattern.n) : action, pattern))
            return true;
    }
    return false;
}

static bool resource_matches(const struct json *list, struct bytes resource)
{
    for (const struct json *v = first_value(list); v; v = next_value(list, v)) {
        if (bytes_equal_str(v->text, "*") || bytes_equal(v->text, resource))
            return true;
    }
    return false;
}

// The role itself, or its account as 12 digits or as arn:aws:iam::ACCOUNT:root.
static bool names_caller(struct bytes name, struct bytes role)
{
    struct bytes account = bytes_take(bytes_skip(role, ROLE_ACCOUNT), 12);

    if (bytes_equal_str(name, "*") || bytes_equal(name, role) || bytes_equal(name, account))
        return true;
    return name.n == ROLE_ACCOUNT + 12 + 5 && account.n == 12 &&
           bytes_equal(bytes_take(name, ROLE_ACCOUNT + 12), bytes_take(role, ROLE_ACCOUNT + 12)) &&
           bytes_equal_str(bytes_skip(name, ROLE_ACCOUNT + 12), ":root");
}

static bool principal_matches(const struct json *principal, struct bytes role)
{
    const struct json *list =
        principal->type == JSON_STRING ? principal : json_get(principal, "AWS");

    for (const struct json *v = first_value(list); v; v = next_value(list, v)) {
        if (names_caller(v->text, role))
            return true;
    }
    return false;
}

// The value of a condition key in this request; p is NULL when the request has no such key. A
// request without Recipient has none of the attestation keys.
static struct bytes request_value(const struct kms_policy_request *request, struct bytes key,
                                  char hex[static 2 * ATTEST_PCR_BYTES + 1])
{
    struct bytes rest;

    if (has_prefix(key, ATTEST_KEY, &rest)) {
        int index = attest_index(rest);

        if (!request->attest || index < 0 || !(request->attest->pcr_present >> index & 1))
            return BYTES_NONE;
        hex_encode(hex, BYTES_OF(request->attest->pcr[index]));
        return bytes_str(hex);
    }
    if (!request->context || !has_prefix(key, CONTEXT_KEY, &rest))
        return BYTES_NONE;
    for (const struct json *member = request->context->child; member; member = member->next) {
        if (bytes_equal(member->key, rest))
            return json_string(member);
    }
    return BYTES_NONE;
}

static bool any_equal(const struct json *list, struct bytes value, bool ignore_case)
{
    for (const struct json *v = first_value(list); v; v = next_value(list, v)) {
        if (ignore_case ? equal_ignoring_case(v->text, value) : bytes_equal(v->text, value))
            return true;
    }
    return false;
}

// IAM user guide, "Condition operators": an absent key matches no positive operator, and matches
// a negated one.
static bool condition_holds(struct bytes op, const struct json *key,
                            const struct kms_policy_request *request)
{
    char hex[2 * ATTEST_PCR_BYTES + 1];
    struct bytes value = request_value(request, key->key, hex);

    if (bytes_equal_str(op, "Null"))
        return any_equal(key, value.p ? BYTES_LIT("false") : BYTES_LIT("true"), false);
    if (bytes_equal_str(op, "StringNotEquals"))
        return !value.p || !any_equal(key, value, false);
    return value.p && any_equal(key, value, bytes_equal_str(op, "StringEqualsIgnoreCase"));
}

// The first condition key that does not hold; NULL when all do.
static const struct json *failing_condition(const struct json *condition,
                                            const struct kms_policy_request *request)
{
    for (const struct json *op = condition ? condition->child : NULL; op; op = op->next) {
        for (const struct json *key = op->child; key; key = key->next) {
            if (!condition_holds(op->key, key, request))
                return key;
        }
    }
    return NULL;
}

static bool statement_matches(const struct json *s, const struct kms_policy_request *request)
{
    return principal_matches(json_get(s, "Principal"), request->role) &&
           action_matches(json_get(s, "Action"), request->action) &&
           resource_matches(json_get(s, "Resource"), request->resource) &&
           !failing_condition(json_get(s, "Condition"), request);
}

static struct bytes statement_obstacle(const struct json *s,
                                       const struct kms_policy_request *request)
{
    const struct json *failing = failing_condition(json_get(s, "Condition"), request);

    if (bytes_equal_str(json_string(json_get(s, "Effect")), "Deny"))
        return failing ? failing->key : BYTES_LIT("Effect: Deny");
    if (!principal_matches(json_get(s, "Principal"), request->role))
        return BYTES_LIT("Principal");
    if (!action_matches(json_get(s, "Action"), request->action))
        return BYTES_LIT("Action");
    if (!resource_matches(json_get(s, "Resource"), request->resource))
        return BYTES_LIT("Resource");
    return failing ? failing->key : BYTES_NONE;
}

void kms_policy_explain(struct wr *out, struct bytes text, const struct kms_policy_request *request)
{
    struct policy policy;
    unsigned number = 1;

    if (text.n == 0)
        wr_str(out, "the key has no policy");
    else if (policy_parse(&policy, text).code)
        wr_str(out, "the policy cannot be read");
    else if (!policy.statements)
        wr_str(out, "the policy has no statement");
    else {
        for (const struct json *s = policy.statements; s; s = s->next, number++) {
            wr_str(out, number > 1 ? "; statement " : "statement ");
            u256_write_decimal(out, u256_of(number));
            wr_str(out, ": ");
            wr_bytes(out, statement_obstacle(s, request));
        }
    }
}
