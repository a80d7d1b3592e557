/* program.h - what the uniond binary can be. Each returns an exit status. */
#ifndef PROGRAM_PROGRAM_H
#define PROGRAM_PROGRAM_H

#include "base/err.h"
#include "config.h"

/* Serves until it is told to stop; `config` is changed to what a service manager hands over.
 * `ready_fd` is consumed; -1: nobody asked. */
int serve_program(struct config *config, int ready_fd);
/* The keeper; argv as keeper_supervisor wrote it. */
int keeper_program(int argc, char **argv);
/* Replaces the database by a backup. `name` is what its errors begin with. */
int restore_program(const char *name, int argc, char **argv);

/* The first start of a shared control plane. */
int init_program(int argc, char **argv);
/* The files that `config` names are there, readable, and fit each other; warns of a certificate
 * that ends soon. UN_ERR_BAD_CONFIG. */
MUST_CHECK enum un_err check_files(const struct config *config, struct un_detail *detail);

/* "PROGRAM: error: ..." and the hint on stderr; returns the exit status. */
int program_fail(const char *program, enum un_err err, const struct un_detail *detail);

#endif
