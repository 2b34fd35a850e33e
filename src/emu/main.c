// SPDX-License-Identifier: Apache-2.0
// cloister-emu: everything around an enclave that AWS would provide, for development on one
// machine. It protects nothing: its root keys lie in the build directory. What it decides, it
// decides as AWS does, so that what fails here fails there.
#include "base/must.h"
#include "crypto/openssl/libcrypto.h"
#include "emu/cmd.h"
#include "emu/policytest.h"
#include "emu/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct command {
    const char *name, *sub; // sub may be NULL
    int (*run)(char **argv);
    const char *help;
} commands[] = {
    { "measure", NULL, cmd_measure,
      "--enclave FILE | --eif FILE [--role ARN]\n"
      "      print the PCRs that the enclave will have, as JSON" },
    { "key", "create", cmd_key_create,
      "--dir DIR --region REGION --account 12DIGITS\n"
      "      make a master key and print its ARN; without policy it allows nothing" },
    { "key", "policy", cmd_key_policy,
      "--dir DIR --key ARN --file POLICY.json\n"
      "      check and put the key's policy; a running emulator uses it at once" },
    { "key", "show", cmd_key_show, "--dir DIR --key ARN\n      print state and policy" },
    { "key", "enable", cmd_key_enable, "--dir DIR --key ARN" },
    { "key", "disable", cmd_key_disable, "--dir DIR --key ARN" },
    { "key", "unwrap", cmd_key_unwrap,
      "--dir DIR --key ARN --context JSON --blob BASE64\n"
      "      open a CiphertextBlob with the master key and print the data key (for tests)" },
    { "key", "policy-test", policytest_command,
      "--policy POLICY.json --context REQUEST.json\n"
      "      print allow or deny and the statement that decided (src/emu/policytest.h)" },
    { "credentials", NULL, cmd_credentials,
      "--dir DIR --role ARN [--life-s N]\n"
      "      print temporary credentials of any role of any account, as IMDS would give them" },
    { "fault", NULL, cmd_fault,
      "--dir DIR [--clear] [FAULT[,OPTION=NUMBER]...]\n"
      "      order a fault of the running KMS; without FAULT print those in force. FAULT is\n"
      "      throttle, internal, latency, wrong-key-id, plaintext, corrupt-cms, wrong-recipient,\n"
      "      other-data-key or cut; of a virtual machine's vsock link-drop, link-delay,\n"
      "      link-reorder, link-half-close, link-cut or link-flood; src/emu/fault.h has options" },
    { "run", NULL, run_command,
      "--dir DIR --pki PKIDIR --enclave FILE [--role ARN] [--debug-mode] [--no-restart]\n"
      "      [--clock-skew-s N] [--max-age-s N] [--imds-ttl-s N]\n"
      "      run the enclave with emulated NSM, KMS and IMDSv2 until SIGTERM. Without --role\n"
      "      PCR3 is zero and IMDS has no credentials, as on an instance without a role. With\n"
      "      --eif FILE [--cid N] in place of --enclave it starts nothing, but is NSM and vsock\n"
      "      for a virtual machine that boots the image: DIR/nsm.sock and DIR/vsock.sock" },
};

static int help(FILE *to, int status)
{
    (void)fprintf(to, "cloister-emu: development only. Subcommands:\n\n");
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        (void)fprintf(to, "  %s%s%s %s\n", commands[i].name, commands[i].sub ? " " : "",
                      commands[i].sub ? commands[i].sub : "", commands[i].help);
    return status;
}

static const struct command *find_command(int argc, char **argv)
{
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        const struct command *c = &commands[i];

        if (strcmp(argv[1], c->name) == 0 &&
            (!c->sub || (argc > 2 && strcmp(argv[2], c->sub) == 0)))
            return c;
    }
    return NULL;
}

int main(int argc, char **argv)
{
    const struct command *command;
    struct err e;

    // Options are all there is; no environment variable changes what the emulator does.
    (void)clearenv();
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0)
            return help(stdout, 0);
    }
    command = argc > 1 ? find_command(argc, argv) : NULL;
    if (!command)
        return help(stderr, 2);
    e = libcrypto_init();
    if (e.code) {
        (void)fprintf(stderr, "cloister-emu: %s\n", err_text(e));
        return 1;
    }
    return command->run(argv + (command->sub ? 3 : 2));
}
