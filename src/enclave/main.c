// SPDX-License-Identifier: Apache-2.0
// The enclave's one program in its three roles: without argument PID 1, which starts it again as
// `vault` and as `front` with the descriptors of supervise.h. Takes no option, reads no
// environment and no file.
#include "base/must.h"
#include "crypto/anchors.h"
#include "crypto/openssl/libcrypto.h"
#include "enclave/env.h"
#include "enclave/sandbox.h"
#include "enclave/supervise.h"
#include "front/front.h"
#include "vault/vault.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// libssl makes room for a handshake message as soon as its length is said: up to 128 KiB for a
// ClientHello of which ten bytes have come, in each of 4,096 connections. This is enough for all
// that clients send (certificates: 32 KiB, of which libcrypto makes four thirds).
#define FRONT_LARGEST (48U << 10)

static struct err main_vault(void)
{
    struct vault_env env = {
        .nsm_call = env_this.nsm_call,
        .nsm_fd = SUPERVISE_VAULT_NSM,
        .supervisor_fd = SUPERVISE_VAULT_SUPERVISOR,
        .release = !anchors_this.development,
        .seal = sandbox_enter_vault,
    };

    TRY(sandbox_prepare());
    return vault_run(&env);
}

static struct err main_front(void)
{
    bool has_dial = fcntl(SUPERVISE_FRONT_DIAL, F_GETFD) >= 0;
    struct front_env env = {
        .vault_fd = SUPERVISE_FRONT_VAULT,
        .listen_fd = SUPERVISE_FRONT_CONTROL,
        .data_fd = SUPERVISE_FRONT_DATA,
        .dial_fd = has_dial ? SUPERVISE_FRONT_DIAL : -1,
        .dial = env_this.dial,
        .anchors = &anchors_this,
        .seal = sandbox_enter_front,
    };

    TRY(libcrypto_init_bounded(FRONT_LARGEST));
    TRY(sandbox_prepare());
    return front_run(&env);
}

static struct err main_role(const char *role)
{
    if (!role)
        return supervise_run();
    if (strcmp(role, "vault") == 0)
        return main_vault();
    ENSURE(strcmp(role, "front") == 0, ERR_UNSUPPORTED, "this program takes no arguments");
    return main_front();
}

int main(int argc, char **argv)
{
    // No environment is read. With this one glibc looks for no file of a time zone (front.c).
    static char *environment[] = { (char *)"TZ=:", NULL };
    struct err err;

    environ = environment;
    (void)signal(SIGPIPE, SIG_IGN);
    err = main_role(argc > 1 ? argv[1] : NULL);
    if (err.code)
        fprintf(stderr, "event %s ends: %s: %s (%s:%u)\n", argc > 1 ? argv[1] : "init",
                err_name(err.code), err_text(err), err.file, err.line);
    env_this.end();
    return err.code ? 1 : 0;
}
