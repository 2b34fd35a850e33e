// SPDX-License-Identifier: Apache-2.0
#include "enclave/sandbox.h"

#include "base/must.h"
#include "enclave/filter.h"

#include <grp.h>
#include <linux/capability.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CAPABILITIES_MAX 64 // the kernel's sets are 64 bits wide

static struct err drop_bounding_set(void)
{
    for (unsigned long cap = 0; cap < CAPABILITIES_MAX; cap++)
        if (prctl(PR_CAPBSET_READ, cap, 0, 0, 0) == 1)
            ENSURE(
                prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == 0, ERR_IO,
                "sandbox: capability bounding set cannot be dropped (start the enclave as root)");
    return OK;
}

static struct err drop_user(uid_t uid)
{
    uid_t real, effective, saved;

    ENSURE(setgroups(0, NULL) == 0, ERR_IO,
           "sandbox: setgroups failed (start the enclave as root)");
    ENSURE(setresgid(uid, uid, uid) == 0, ERR_IO, "sandbox: setresgid failed");
    ENSURE(setresuid(uid, uid, uid) == 0, ERR_IO, "sandbox: setresuid failed");
    ENSURE(getresuid(&real, &effective, &saved) == 0 && real == uid && effective == uid &&
               saved == uid,
           ERR_IO, "sandbox: user id did not change");
    return OK;
}

// Leaving root clears the sets; that they are clear is looked at, not assumed.
static struct err check_no_capabilities(void)
{
    struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct data[2];

    ENSURE(syscall(SYS_capget, &header, data) == 0, ERR_IO, "sandbox: capget failed");
    for (size_t i = 0; i < ARRAY_LEN(data); i++)
        ENSURE((data[i].effective | data[i].permitted | data[i].inheritable) == 0, ERR_IO,
               "sandbox: capabilities are left");
    return OK;
}

static struct err no_dumps(void)
{
    struct rlimit none = { 0, 0 };

    ENSURE(setrlimit(RLIMIT_CORE, &none) == 0, ERR_IO, "sandbox: RLIMIT_CORE cannot be set");
    ENSURE(prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0, ERR_IO, "sandbox: PR_SET_DUMPABLE failed");
    return OK;
}

struct err sandbox_prepare(void)
{
    TRY(no_dumps());
    return drop_bounding_set();
}

static struct err no_new_privileges(void)
{
    ENSURE(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, ERR_IO,
           "sandbox: PR_SET_NO_NEW_PRIVS failed");
    return OK;
}

struct err sandbox_enter_init(void)
{
    TRY(no_new_privileges());
    return filter_install_init();
}

static struct err sandbox_enter(uid_t uid)
{
    TRY(drop_user(uid));
    TRY(check_no_capabilities());
    TRY(no_dumps()); // a change of user id may make the process dumpable again
    return no_new_privileges();
}

struct err sandbox_enter_vault(void)
{
    TRY(sandbox_enter(SANDBOX_UID_VAULT));
    return filter_install_vault();
}

struct err sandbox_enter_front(void)
{
    TRY(sandbox_enter(SANDBOX_UID_FRONT));
    return filter_install_front();
}
