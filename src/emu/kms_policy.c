// SPDX-License-Identifier: Apache-2.0
// Deciding key policies. Pure: a policy and a request in, a verdict out. It fails closed: a policy
// with anything unknown in it is refused when it is put, and allows nothing if it is met later.
#include "emu/kms_policy.h"

#include "base/must.h"
#include "emu/glob.h"
#include "emu/kms_condition.h"

#include <string.h>

#define NODES_MAX 1024

// A policy parsed in memory of its own (json_parse changes what it reads).
struct policy {
    uint8_t text[KMS_POLICY_MAX];
    struct json nodes[NODES_MAX];
    struct json single; // a statement that stands where the list would
    const struct json *statements;
};

static FALLIBLE policy_parse(struct policy *policy, struct bytes text);
static FALLIBLE check_statement(const struct json *statement);
static bool statement_matches(const struct json *statement,
                              const struct kms_policy_request *request);
static bool is_deny(const struct json *statement);

struct err kms_policy_check(struct bytes text)
{
    struct policy policy;

    return policy_parse(&policy, text);
}

enum kms_policy_verdict kms_policy_decide(struct bytes text,
                                          const struct kms_policy_request *request,
                                          unsigned *statement)
{
    enum kms_policy_verdict verdict = KMS_POLICY_NOT_ALLOWED;
    unsigned number = 1, unused, *decided = statement ? statement : &unused;
    struct policy policy;

    *decided = 0;
    if (text.n == 0 || policy_parse(&policy, text).code)
        return KMS_POLICY_NOT_ALLOWED;
    for (const struct json *s = policy.statements; s; s = s->next, number++) {
        if (!statement_matches(s, request))
            continue;
        if (verdict == KMS_POLICY_NOT_ALLOWED || is_deny(s))
            *decided = number;
        if (is_deny(s))
            return KMS_POLICY_DENIED;
        verdict = KMS_POLICY_ALLOW;
    }
    return verdict;
}

static FALLIBLE check_version(const struct json *version)
{
    ENSURE(!version || bytes_equal_str(json_string(version), "2012-10-17") ||
               bytes_equal_str(json_string(version), "2008-10-17"),
           ERR_MALFORMED, "policy: Version: expected 2012-10-17 or 2008-10-17");
    return OK;
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
    TRY(check_version(json_get(root, "Version")));
    statement = json_get(root, "Statement");
    ENSURE(statement, ERR_MALFORMED, "policy: Statement is missing");
    policy->single = *statement;
    policy->single.next = NULL; // the next member of the policy is no statement
    policy->statements = statement->type == JSON_ARRAY ? statement->child : &policy->single;
    for (statement = policy->statements; statement; statement = statement->next)
        TRY(check_statement(statement));
    return OK;
}

static bool is_deny(const struct json *statement)
{
    return bytes_equal_str(json_string(json_get(statement, "Effect")), "Deny");
}

// The bytes before the next ':', which is taken too.
static struct bytes next_part(struct bytes *text)
{
    const uint8_t *at = text->n ? memchr(text->p, ':', text->n) : NULL;
    size_t n = at ? (size_t)(at - text->p) : text->n;
    struct bytes part = bytes_take(*text, n);

    *text = bytes_skip(*text, at ? n + 1 : n);
    return part;
}

static bool is_account(struct bytes text)
{
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] < '0' || text.p[i] > '9')
            return false;
    }
    return text.n == 12;
}

// "arn:PARTITION:SERVICE:REGION:ACCOUNT:NAME".
struct principal {
    struct bytes service, account, name;
};

static bool read_principal(struct principal *out, struct bytes arn)
{
    bool is_arn = bytes_equal_str(next_part(&arn), "arn");
    struct bytes partition = next_part(&arn);

    out->service = next_part(&arn);
    (void)next_part(&arn); // iam and sts have no region, keys have one
    out->account = next_part(&arn);
    out->name = arn;
    return is_arn && is_account(out->account) && out->name.n > 0 &&
           (bytes_equal_str(partition, "aws") || bytes_equal_str(partition, "aws-us-gov") ||
            bytes_equal_str(partition, "aws-cn"));
}

struct bytes kms_policy_account(struct bytes arn)
{
    struct principal principal;

    return read_principal(&principal, arn) ? principal.account : BYTES_NONE;
}

static bool starts_with(struct bytes text, const char *prefix)
{
    size_t n = strlen(prefix);

    return text.n > n && bytes_equal_str(bytes_take(text, n), prefix);
}

// A Principal has no wildcard but "*" alone (IAM User Guide, "Principal").
static bool is_principal(struct bytes text)
{
    struct principal p;

    if (bytes_equal_str(text, "*") || is_account(text))
        return true;
    if (!read_principal(&p, text) || memchr(text.p, '*', text.n) || memchr(text.p, '?', text.n))
        return false;
    if (bytes_equal_str(p.service, "iam"))
        return bytes_equal_str(p.name, "root") || starts_with(p.name, "role/") ||
               starts_with(p.name, "user/");
    return bytes_equal_str(p.service, "sts") &&
           (starts_with(p.name, "assumed-role/") || starts_with(p.name, "federated-user/"));
}

static FALLIBLE check_principal(const struct json *principal)
{
    static const char *const known[] = { "AWS", NULL };
    const struct json *list;

    ENSURE(principal, ERR_MALFORMED, "policy: Principal is missing");
    if (principal->type == JSON_STRING) {
        ENSURE(bytes_equal_str(principal->text, "*"), ERR_MALFORMED,
               "policy: Principal: expected \"*\" or {\"AWS\": ...}");
        return OK;
    }
    ENSURE(principal->type == JSON_OBJECT && !json_unknown(principal, known), ERR_UNSUPPORTED,
           "policy: Principal: expected \"*\" or {\"AWS\": ...}");
    list = json_get(principal, "AWS");
    TRY(kms_condition_check_strings(list));
    for (const struct json *v = kms_condition_first(list); v; v = kms_condition_next(list, v))
        ENSURE(is_principal(v->text), ERR_MALFORMED,
               "policy: Principal: expected \"*\", 12 digits, or the ARN of an account's root, a "
               "role, a user or a session");
    return OK;
}

static struct err check_statement(const struct json *statement)
{
    static const char *const known[] = { "Sid",      "Effect",    "Principal", "Action",
                                         "Resource", "Condition", NULL };
    const struct json *sid = json_get(statement, "Sid");
    struct bytes effect = json_string(json_get(statement, "Effect"));

    ENSURE(statement->type == JSON_OBJECT, ERR_MALFORMED, "policy: Statement: expected an object");
    ENSURE(!json_unknown(statement, known), ERR_UNSUPPORTED,
           "policy: Statement: expected Sid, Effect, Principal, Action, Resource and Condition "
           "only");
    ENSURE(!sid || sid->type == JSON_STRING, ERR_MALFORMED, "policy: Sid: expected a string");
    ENSURE(bytes_equal_str(effect, "Allow") || bytes_equal_str(effect, "Deny"), ERR_MALFORMED,
           "policy: Effect: expected Allow or Deny");
    TRY(check_principal(json_get(statement, "Principal")));
    TRY(kms_condition_check_strings(json_get(statement, "Action")));
    TRY(kms_condition_check_strings(json_get(statement, "Resource")));
    return kms_condition_check(json_get(statement, "Condition"));
}

// Action names compare in any case (IAM User Guide, "Action").
static bool list_matches(const struct json *list, struct bytes text, bool any_case)
{
    for (const struct json *v = kms_condition_first(list); v; v = kms_condition_next(list, v)) {
        if (glob_match(v->text, text, any_case))
            return true;
    }
    return false;
}

// Names that stand for a whole account: everybody, 12 digits, or its root.
static bool names_account(struct bytes name, struct bytes account)
{
    struct principal p;

    if (bytes_equal_str(name, "*") || bytes_equal(name, account))
        return true;
    return read_principal(&p, name) && bytes_equal_str(p.service, "iam") &&
           bytes_equal_str(p.name, "root") && bytes_equal(p.account, account);
}

// For a caller of another account an Allow must name the caller; a Deny meets it by any name.
static bool names_caller(struct bytes name, const struct kms_policy_request *request, bool deny)
{
    struct bytes account = kms_policy_account(request->role);
    bool own = bytes_equal(account, kms_policy_account(request->resource));

    if (bytes_equal(name, request->role) ||
        (request->session.n > 0 && bytes_equal(name, request->session)))
        return true;
    return (own || deny) && names_account(name, account);
}

static bool principal_matches(const struct json *s, const struct kms_policy_request *request)
{
    const struct json *principal = json_get(s, "Principal");
    const struct json *list =
        principal->type == JSON_STRING ? principal : json_get(principal, "AWS");

    for (const struct json *v = kms_condition_first(list); v; v = kms_condition_next(list, v)) {
        if (names_caller(v->text, request, is_deny(s)))
            return true;
    }
    return false;
}

static bool statement_matches(const struct json *s, const struct kms_policy_request *request)
{
    return principal_matches(s, request) &&
           list_matches(json_get(s, "Action"), request->action, true) &&
           list_matches(json_get(s, "Resource"), request->resource, false) &&
           !kms_condition_failing(json_get(s, "Condition"), request);
}

static struct bytes statement_obstacle(const struct json *s,
                                       const struct kms_policy_request *request)
{
    const struct json *failing = kms_condition_failing(json_get(s, "Condition"), request);

    if (is_deny(s))
        return failing ? failing->key : BYTES_LIT("Effect: Deny");
    if (!principal_matches(s, request))
        return BYTES_LIT("Principal");
    if (!list_matches(json_get(s, "Action"), request->action, true))
        return BYTES_LIT("Action");
    if (!list_matches(json_get(s, "Resource"), request->resource, false))
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
