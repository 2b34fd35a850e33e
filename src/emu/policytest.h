// SPDX-License-Identifier: Apache-2.0
// `cloister-emu key policy-test`: asks a policy from a file about a request from a file, with the
// very code that the emulated KMS uses. The request is a JSON object:
//   "action"              e.g. "kms:Decrypt"
//   "caller"              the role's ARN
//   "session"             optional: the ARN of its session, as sts names it
//   "key"                 the key's ARN
//   "recipient"           optional: the PCRs of a verified document, {"PCR0": 96 hex digits, ...}
//   "encryption_context"  optional: an object of strings
//   "bypass"              optional: BypassPolicyLockoutSafetyCheck
#pragma once

// Prints "allow statement N", "deny statement N" (an explicit Deny) or "deny" (nothing allows it).
// Returns the exit status, as emu/cmd.h; 1 also for a policy that PutKeyPolicy would refuse.
int policytest_command(char **argv);
