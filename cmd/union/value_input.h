/* value_input.h - values and passphrases from a terminal, a file or standard input, straight into
 * locked memory. One thread. */
#ifndef UNION_VALUE_INPUT_H
#define UNION_VALUE_INPUT_H

#include "cli.h"

/* The value of a secret: --value, -f FILE (the exact bytes), standard input when it is not a
 * terminal (one newline at its end dropped), else asked for. 1 byte to 1 MiB. UN_ERR_FILE_MISSING,
 * UN_ERR_FILE_UNREADABLE, UN_ERR_FILE_IS_DIRECTORY, UN_ERR_EMPTY_VALUE, UN_ERR_VALUE_TOO_LARGE,
 * UN_ERR_INTERRUPTED. */
MUST_CHECK enum un_err value_input(struct cli *cli, struct secbuf **ret_value);
/* Drops one newline at the end. */
void value_drop_newline(struct secbuf *value);
/* A passphrase: -f FILE or standard input without one newline at the end, else asked for with
 * `prompt`; and a second time when `is_new`, since nobody can see a mistake in it. */
MUST_CHECK enum un_err passphrase_input(struct cli *cli, const char *prompt, bool is_new,
                                        struct secbuf **ret_passphrase);

/* Asks on the terminal device with echo off and puts the terminal back, whatever ends the question.
 * UN_ERR_UNSUPPORTED: there is no terminal. */
MUST_CHECK enum un_err terminal_ask(const char *prompt, size_t max, struct secbuf **ret_answer,
                                    struct un_detail *detail);
/* Asks with echo on and compares the answer with `wanted`. */
MUST_CHECK enum un_err terminal_confirm(const char *prompt, const char *wanted, bool *ret_agreed);

#endif
