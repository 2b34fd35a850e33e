// SPDX-License-Identifier: Apache-2.0
// Admission of one call to one key. The caller learns what AWS would tell; the developer reads in
// the log which condition it was.
#include "emu/kms_admit.h"

#include "base/must.h"
#include "emu/journal.h"
#include "emu/kms_policy.h"

#include <stdio.h>

static FALLIBLE admit_load(struct kms_call *call, struct cmk *cmk, const struct kms_admit *want);
static FALLIBLE admit_state(const struct cmk *cmk, enum kms_admit_state state);
static FALLIBLE admit_ask(struct kms_call *call, const struct cmk *cmk,
                          const struct kms_admit *want);

struct err kms_admit(struct kms_call *call, struct cmk *cmk, const struct kms_admit *want)
{
    TRY(admit_load(call, cmk, want));
    TRY(admit_state(cmk, want->state));
    return admit_ask(call, cmk, want);
}

static bool is_own(const struct kms_call *call, const struct arn *arn)
{
    return bytes_equal(kms_policy_account(bytes_str(call->caller.role)), arn->account);
}

// AWS keeps an account's keys apart by Region, and a key id alone names a key of the caller's
// account. Keys whose time has come are gone.
static struct err admit_load(struct kms_call *call, struct cmk *cmk, const struct kms_admit *want)
{
    struct err e = cmk_load(cmk, call->kms->dir, want->key);
    struct arn arn;

    ENSURE(e.code != ERR_NOT_FOUND && e.code != ERR_MALFORMED && e.code != ERR_TOO_LARGE, ERR_KMS,
           "NotFoundException: The key does not exist");
    TRY(e);
    TRY(arn_parse(&arn, bytes_str(cmk->arn)));
    ENSURE(bytes_equal_str(arn.region, call->region), ERR_KMS,
           "NotFoundException: The key does not exist in this Region");
    ENSURE(is_own(call, &arn) || want->from_blob ||
               (want->key.n != CMK_ID_BYTES && !want->own_account),
           ERR_KMS, "NotFoundException: The key does not exist in this account");
    ENSURE(cmk->state != CMK_PENDING_DELETION || call->now_s < cmk->deletion_s, ERR_KMS,
           "NotFoundException: The key does not exist");
    return OK;
}

static struct err admit_state(const struct cmk *cmk, enum kms_admit_state state)
{
    ENSURE(state != KMS_ADMIT_PENDING || cmk->state == CMK_PENDING_DELETION, ERR_KMS,
           "KMSInvalidStateException: The key is not pending deletion.");
    ENSURE(state == KMS_ADMIT_PENDING || state == KMS_ADMIT_ANY ||
               cmk->state != CMK_PENDING_DELETION,
           ERR_KMS, "KMSInvalidStateException: The key is pending deletion.");
    ENSURE(state != KMS_ADMIT_ENABLED || cmk->state == CMK_ENABLED, ERR_KMS,
           "DisabledException: The key is disabled.");
    return OK;
}

// The sentence that AWS answers, with the caller's assumed role.
static void admit_write_denial(struct kms_call *call, const struct cmk *cmk, const char *action,
                               bool is_explicit)
{
    call->refusal = "AccessDeniedException";
    (void)snprintf(call->detail, sizeof(call->detail),
                   "User: %s is not authorized to perform: %s on resource: %s %s%s%s",
                   call->session, action, cmk->arn,
                   is_explicit ? "with an explicit deny in a resource-based policy"
                               : "because no resource-based policy allows the ",
                   is_explicit ? "" : action, is_explicit ? "" : " action");
}

static void admit_log_denial(struct bytes policy, const struct kms_policy_request *request)
{
    uint8_t text[512];
    struct wr wr = WR_OF(text);

    kms_policy_explain(&wr, policy, request);
    journal("kms policy: %.*s", (int)wr.len, (const char *)text);
}

static struct kms_policy_request admit_request(const struct kms_call *call, const struct cmk *cmk,
                                               const struct kms_admit *want)
{
    return (struct kms_policy_request) {
        .action = bytes_str(want->action),
        .role = bytes_str(call->caller.role),
        .session = bytes_str(call->session),
        .resource = bytes_str(cmk->arn),
        .attest = call->has_recipient ? &call->attest : NULL,
        .context = want->context,
        .bypass = want->bypass,
    };
}

static struct err admit_ask(struct kms_call *call, const struct cmk *cmk,
                            const struct kms_admit *want)
{
    struct kms_policy_request request = admit_request(call, cmk, want);
    enum kms_policy_verdict verdict;
    uint8_t policy[CMK_POLICY_MAX];
    size_t n;

    TRY(cmk_policy(call->kms->dir, cmk, policy, sizeof(policy), &n));
    verdict = kms_policy_decide(bytes_of(policy, n), &request, NULL);
    if (verdict == KMS_POLICY_ALLOW)
        return OK;
    admit_log_denial(bytes_of(policy, n), &request);
    admit_write_denial(call, cmk, want->action, verdict == KMS_POLICY_DENIED);
    return FAIL(ERR_DENIED, "the key policy does not allow it");
}

bool kms_admit_could_put(const struct kms_call *call, const struct cmk *cmk, struct bytes policy)
{
    struct kms_policy_request request =
        admit_request(call, cmk, &(struct kms_admit) { .action = "kms:PutKeyPolicy" });

    return kms_policy_decide(policy, &request, NULL) == KMS_POLICY_ALLOW;
}
