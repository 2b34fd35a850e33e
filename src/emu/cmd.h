// SPDX-License-Identifier: Apache-2.0
// The emulator's subcommands. Each takes the arguments after its own name and returns the exit
// status: 0 done, 1 failed, 2 wrong usage.
#pragma once

int cmd_measure(char **argv);
int cmd_key_create(char **argv);
int cmd_key_policy(char **argv);
int cmd_key_show(char **argv);
int cmd_key_enable(char **argv);
int cmd_key_disable(char **argv);
int cmd_key_unwrap(char **argv);
int cmd_credentials(char **argv);
int cmd_fault(char **argv);
