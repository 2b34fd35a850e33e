// SPDX-License-Identifier: Apache-2.0
// The control operations of KMS (AWS KMS API Reference). They change files that every request reads
// again, so a change counts at once, as in the real service within seconds. Callers of another
// account can only describe a key.
#include "emu/kms_manage.h"

#include "base/must.h"
#include "emu/kms_admit.h"
#include "emu/kms_answer.h"
#include "emu/kms_data.h"
#include "emu/kms_policy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WINDOW_DAYS     30 // when a request names none
#define WINDOW_DAYS_MIN 7
#define LIST_DEFAULT    100
#define LIST_MAX        1000
#define DEFAULT_POLICY  512
#define PROBE_ID        "00000000-0000-4000-8000-000000000000"

// The default key policy (AWS KMS Developer Guide, "Default key policy"): the account itself.
static FALLIBLE default_policy(char *out, size_t cap, struct bytes account)
{
    int n = snprintf(out, cap,
                     "{\"Version\":\"2012-10-17\",\"Id\":\"key-default-1\",\"Statement\":[{\"Sid\":"
                     "\"Enable IAM User Permissions\",\"Effect\":\"Allow\",\"Principal\":{\"AWS\":"
                     "\"arn:aws:iam::%.12s:root\"},\"Action\":\"kms:*\",\"Resource\":\"*\"}]}",
                     (const char *)account.p);

    ENSURE(n > 0 && (size_t)n < cap, ERR_INTERNAL, "default policy is too long");
    return OK;
}

static bool is_absent(const struct json *value)
{
    return !value || value->type == JSON_NULL;
}

// A string of the request that must have this one value when it is there.
static bool is_only(const struct kms_call *call, const char *name, const char *value)
{
    const struct json *given = json_get(call->root, name);

    return is_absent(given) || bytes_equal_str(json_string(given), value);
}

static FALLIBLE check_flag(const struct kms_call *call)
{
    const struct json *bypass = json_get(call->root, "BypassPolicyLockoutSafetyCheck");

    ENSURE(is_absent(bypass) || bypass->type == JSON_TRUE || bypass->type == JSON_FALSE, ERR_KMS,
           "SerializationException: BypassPolicyLockoutSafetyCheck: expected true or false");
    return OK;
}

struct err kms_manage_check_create(struct kms_call *call)
{
    const struct json *policy = json_get(call->root, "Policy");
    const struct json *description = json_get(call->root, "Description");
    const struct json *tags = json_get(call->root, "Tags");

    ENSURE(is_absent(policy) || json_string(policy).n, ERR_KMS,
           "ValidationException: Policy: expected at least one character");
    ENSURE(is_absent(description) ||
               (json_string(description).p && description->text.n <= CMK_DESCRIPTION_MAX),
           ERR_KMS, "ValidationException: Description: expected at most 8192 bytes");
    ENSURE(is_only(call, "KeyUsage", "ENCRYPT_DECRYPT") &&
               is_only(call, "KeySpec", "SYMMETRIC_DEFAULT") &&
               is_only(call, "CustomerMasterKeySpec", "SYMMETRIC_DEFAULT") &&
               is_only(call, "Origin", "AWS_KMS"),
           ERR_KMS,
           "UnsupportedOperationException: the emulator makes SYMMETRIC_DEFAULT keys for "
           "ENCRYPT_DECRYPT of origin AWS_KMS");
    ENSURE(!json_is_true(json_get(call->root, "MultiRegion")) &&
               is_absent(json_get(call->root, "CustomKeyStoreId")) &&
               is_absent(json_get(call->root, "XksKeyId")) && (is_absent(tags) || !tags->child),
           ERR_KMS,
           "UnsupportedOperationException: the emulator has no multi-Region keys, key stores and "
           "tags");
    return check_flag(call);
}

static FALLIBLE refuse_policy(struct kms_call *call, struct err e)
{
    call->refusal = "MalformedPolicyDocumentException";
    (void)snprintf(call->detail, sizeof(call->detail), "%s", err_text(e));
    return FAIL(ERR_DENIED, "the policy is refused");
}

// A policy that may be put on this key: one that can be decided, and, unless the caller insists,
// one under which the caller can put the next.
static FALLIBLE check_policy(struct kms_call *call, const struct cmk *cmk, struct bytes policy)
{
    bool bypass = json_is_true(json_get(call->root, "BypassPolicyLockoutSafetyCheck"));
    struct err e;

    ENSURE(policy.n <= CMK_POLICY_MAX, ERR_KMS,
           "LimitExceededException: The key policy is larger than 32768 bytes");
    e = kms_policy_check(policy);
    if (e.code)
        return refuse_policy(call, e);
    ENSURE(bypass || kms_admit_could_put(call, cmk, policy), ERR_KMS,
           "MalformedPolicyDocumentException: The new key policy will not allow you to update the "
           "key policy in the future.");
    return OK;
}

// KeyMetadata of the API Reference; times are Unix seconds.
static void answer_metadata(const struct kms_call *call, struct jw *jw, const struct cmk *cmk)
{
    jw_key(jw, "KeyMetadata");
    jw_object(jw);
    jw_key(jw, "AWSAccountId");
    jw_string(jw, kms_policy_account(bytes_str(cmk->arn)));
    jw_key(jw, "KeyId");
    jw_string(jw, cmk_id(cmk));
    kms_answer_key(call, jw, "Arn", cmk);
    jw_key(jw, "CreationDate");
    jw_u64(jw, cmk->created_s);
    jw_key(jw, "Enabled");
    jw_bool(jw, cmk->state == CMK_ENABLED);
    jw_key(jw, "Description");
    jw_cstring(jw, cmk->description);
    jw_key(jw, "KeyUsage");
    jw_cstring(jw, "ENCRYPT_DECRYPT");
    jw_key(jw, "KeyState");
    jw_cstring(jw, cmk_state_name(cmk->state));
    if (cmk->state == CMK_PENDING_DELETION) {
        jw_key(jw, "DeletionDate");
        jw_u64(jw, cmk->deletion_s);
    }
    jw_key(jw, "Origin");
    jw_cstring(jw, "AWS_KMS");
    jw_key(jw, "KeyManager");
    jw_cstring(jw, "CUSTOMER");
    jw_key(jw, "CustomerMasterKeySpec");
    jw_cstring(jw, "SYMMETRIC_DEFAULT");
    jw_key(jw, "KeySpec");
    jw_cstring(jw, "SYMMETRIC_DEFAULT");
    jw_key(jw, "EncryptionAlgorithms");
    jw_array(jw);
    jw_cstring(jw, "SYMMETRIC_DEFAULT");
    jw_array_end(jw);
    jw_key(jw, "MultiRegion");
    jw_bool(jw, false);
    kms_answer_material(jw, "CurrentKeyMaterialId", cmk);
    jw_object_end(jw);
}

static FALLIBLE answer_one(const struct kms_call *call, struct wr *out, const struct cmk *cmk)
{
    struct jw jw = jw_of(out);

    jw_object(&jw);
    answer_metadata(call, &jw, cmk);
    jw_object_end(&jw);
    return wr_end(out);
}

// No key yet and so no key policy: on AWS an identity policy decides, here every caller may make
// keys of its own account.
struct err kms_manage_create(struct kms_call *call, struct wr *out)
{
    struct bytes account = kms_policy_account(bytes_str(call->caller.role));
    struct bytes policy = json_string(json_get(call->root, "Policy"));
    struct bytes description = json_string(json_get(call->root, "Description"));
    char text[DEFAULT_POLICY], account_text[13];
    struct cmk *cmk = &call->cmk;

    ENSURE(bytes_to_str(account, account_text, sizeof(account_text)), ERR_INTERNAL,
           "role: expected an ARN with an account");
    if (!policy.p) {
        TRY(default_policy(text, sizeof(text), account));
        policy = bytes_str(text);
    }
    (void)snprintf(cmk->arn, sizeof(cmk->arn), "arn:aws:kms:%s:%s:key/" PROBE_ID, call->region,
                   account_text);
    TRY(check_policy(call, cmk, policy));
    TRY(cmk_create(cmk, call->kms->dir, call->region, account_text));
    ENSURE(!description.p || bytes_to_str(description, cmk->description, sizeof(cmk->description)),
           ERR_INTERNAL, "description: expected no zero byte");
    TRY(cmk_save(call->kms->dir, cmk));
    TRY(cmk_set_policy(call->kms->dir, cmk, policy));
    return answer_one(call, out, cmk);
}

struct err kms_manage_check_key(struct kms_call *call)
{
    return kms_data_check_key(call);
}

static FALLIBLE admit(struct kms_call *call, const char *action, enum kms_admit_state state)
{
    return kms_admit(
        call, &call->cmk,
        &(struct kms_admit) {
            .key = json_string(json_get(call->root, "KeyId")),
            .action = action,
            .state = state,
            .own_account = true,
            .bypass = json_is_true(json_get(call->root, "BypassPolicyLockoutSafetyCheck")),
        });
}

struct err kms_manage_describe(struct kms_call *call, struct wr *out)
{
    TRY(kms_admit(call, &call->cmk,
                  &(struct kms_admit) { .key = json_string(json_get(call->root, "KeyId")),
                                        .action = "kms:DescribeKey",
                                        .state = KMS_ADMIT_ANY }));
    return answer_one(call, out, &call->cmk);
}

struct err kms_manage_check_policy_name(struct kms_call *call)
{
    TRY(kms_data_check_key(call));
    ENSURE(is_only(call, "PolicyName", "default"), ERR_KMS,
           "NotFoundException: No such policy exists");
    return OK;
}

struct err kms_manage_check_policy(struct kms_call *call)
{
    TRY(kms_manage_check_policy_name(call));
    ENSURE(json_string(json_get(call->root, "Policy")).n, ERR_KMS,
           "ValidationException: 1 validation error detected: Policy must not be null");
    return check_flag(call);
}

struct err kms_manage_put_policy(struct kms_call *call, struct wr *out)
{
    struct bytes policy = json_string(json_get(call->root, "Policy"));

    TRY(admit(call, "kms:PutKeyPolicy", KMS_ADMIT_ANY));
    TRY(check_policy(call, &call->cmk, policy));
    TRY(cmk_set_policy(call->kms->dir, &call->cmk, policy));
    return wr_end(out);
}

struct err kms_manage_get_policy(struct kms_call *call, struct wr *out)
{
    uint8_t policy[CMK_POLICY_MAX];
    struct jw jw = jw_of(out);
    size_t n = 0;

    TRY(admit(call, "kms:GetKeyPolicy", KMS_ADMIT_ANY));
    TRY(cmk_policy(call->kms->dir, &call->cmk, policy, sizeof(policy), &n));
    jw_object(&jw);
    jw_key(&jw, "Policy");
    jw_string(&jw, bytes_of(policy, n));
    jw_key(&jw, "PolicyName");
    jw_cstring(&jw, "default");
    jw_object_end(&jw);
    return wr_end(out);
}

struct err kms_manage_enable(struct kms_call *call, struct wr *out)
{
    TRY(admit(call, "kms:EnableKey", KMS_ADMIT_NOT_PENDING));
    call->cmk.state = CMK_ENABLED;
    TRY(cmk_save(call->kms->dir, &call->cmk));
    return wr_end(out);
}

struct err kms_manage_disable(struct kms_call *call, struct wr *out)
{
    TRY(admit(call, "kms:DisableKey", KMS_ADMIT_NOT_PENDING));
    call->cmk.state = CMK_DISABLED;
    TRY(cmk_save(call->kms->dir, &call->cmk));
    return wr_end(out);
}

static FALLIBLE read_window(uint64_t *days, const struct kms_call *call)
{
    const struct json *given = json_get(call->root, "PendingWindowInDays");

    *days = WINDOW_DAYS;
    if (is_absent(given))
        return OK;
    ENSURE(given->type == JSON_NUMBER && !json_u64(days, given).code && *days >= WINDOW_DAYS_MIN &&
               *days <= WINDOW_DAYS,
           ERR_KMS, "ValidationException: PendingWindowInDays: expected 7 to 30");
    return OK;
}

struct err kms_manage_schedule(struct kms_call *call, struct wr *out)
{
    struct jw jw = jw_of(out);
    uint64_t days;

    TRY(read_window(&days, call));
    TRY(admit(call, "kms:ScheduleKeyDeletion", KMS_ADMIT_NOT_PENDING));
    call->cmk.state = CMK_PENDING_DELETION;
    call->cmk.window_days = days;
    call->cmk.deletion_s = call->now_s + days * CMK_DAY_S;
    TRY(cmk_save(call->kms->dir, &call->cmk));
    jw_object(&jw);
    kms_answer_key(call, &jw, "KeyId", &call->cmk);
    jw_key(&jw, "DeletionDate");
    jw_u64(&jw, call->cmk.deletion_s);
    jw_key(&jw, "KeyState");
    jw_cstring(&jw, cmk_state_name(call->cmk.state));
    jw_key(&jw, "PendingWindowInDays");
    jw_u64(&jw, days);
    jw_object_end(&jw);
    return wr_end(out);
}

// The key is Disabled afterwards (API Reference, "CancelKeyDeletion").
struct err kms_manage_cancel(struct kms_call *call, struct wr *out)
{
    struct jw jw = jw_of(out);

    TRY(admit(call, "kms:CancelKeyDeletion", KMS_ADMIT_PENDING));
    call->cmk.state = CMK_DISABLED;
    call->cmk.deletion_s = call->cmk.window_days = 0;
    TRY(cmk_save(call->kms->dir, &call->cmk));
    jw_object(&jw);
    kms_answer_key(call, &jw, "KeyId", &call->cmk);
    jw_object_end(&jw);
    return wr_end(out);
}

static FALLIBLE read_limit(uint64_t *limit, const struct kms_call *call)
{
    const struct json *given = json_get(call->root, "Limit");

    *limit = LIST_DEFAULT;
    if (is_absent(given))
        return OK;
    ENSURE(given->type == JSON_NUMBER && !json_u64(limit, given).code && *limit >= 1 &&
               *limit <= LIST_MAX,
           ERR_KMS, "ValidationException: Limit: expected 1 to 1000");
    return OK;
}

// True when the key is one of the caller's account in this Region, and still there.
static bool is_listed(struct kms_call *call, struct cmk *cmk, const char *id)
{
    struct arn arn;

    return !cmk_load(cmk, call->kms->dir, bytes_str(id)).code &&
           !arn_parse(&arn, bytes_str(cmk->arn)).code &&
           bytes_equal_str(arn.region, call->region) &&
           bytes_equal(arn.account, kms_policy_account(bytes_str(call->caller.role))) &&
           (cmk->state != CMK_PENDING_DELETION || call->now_s < cmk->deletion_s);
}

static void answer_entry(struct jw *jw, const struct cmk *cmk)
{
    jw_object(jw);
    jw_key(jw, "KeyId");
    jw_string(jw, cmk_id(cmk));
    jw_key(jw, "KeyArn");
    jw_cstring(jw, cmk->arn);
    jw_object_end(jw);
}

// Writes at most `limit` entries after the marker. *next is the last one's id when there are more.
static void answer_entries(struct kms_call *call, struct jw *jw, const struct cmk_list *list,
                           uint64_t limit, const char **next)
{
    struct bytes marker = json_string(json_get(call->root, "Marker"));
    const char *last = NULL;
    uint64_t written = 0;

    *next = NULL;
    for (size_t i = 0; i < list->n && !*next; i++) {
        if (bytes_compare(bytes_str(list->id[i]), marker) <= 0 ||
            !is_listed(call, &call->cmk, list->id[i]))
            continue;
        if (written == limit) {
            *next = last;
            continue;
        }
        answer_entry(jw, &call->cmk);
        last = list->id[i];
        written++;
    }
}

static void free_list(struct cmk_list **list)
{
    free(*list);
}

struct err kms_manage_list(struct kms_call *call, struct wr *out)
{
    AUTO(free_list) struct cmk_list *list = calloc(1, sizeof(*list));
    const struct json *marker = json_get(call->root, "Marker");
    struct jw jw = jw_of(out);
    const char *next;
    uint64_t limit;

    ENSURE(list, ERR_FULL, "no memory");
    TRY(read_limit(&limit, call));
    ENSURE(is_absent(marker) || json_string(marker).n == CMK_ID_BYTES, ERR_KMS,
           "InvalidMarkerException: Marker: expected the NextMarker of an answer");
    TRY(cmk_list(list, call->kms->dir));
    jw_object(&jw);
    jw_key(&jw, "Keys");
    jw_array(&jw);
    answer_entries(call, &jw, list, limit, &next);
    jw_array_end(&jw);
    jw_key(&jw, "Truncated");
    jw_bool(&jw, next != NULL);
    if (next) {
        jw_key(&jw, "NextMarker");
        jw_cstring(&jw, next);
    }
    jw_object_end(&jw);
    return wr_end(out);
}
