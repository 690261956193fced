/* The program that writes manual pages and completion scripts while the command is built, from the tables that parse its
 * words and print its help. It is linked with the files of the command and never installed. */
#ifndef INCEPTION_DESCRIBE_H
#define INCEPTION_DESCRIBE_H

#include "cli.h"

/* A file that people wrote and the tables fill in. */
char *read_text(const char *path); /* ends in a zero byte; NULL and a message if it cannot be read */

/* manual.c: writes the pages of all commands to files named after them; `notes` is what the tables do not say. False and
 * a message for a note that no page has a place for, or if the files are not one for each page. */
bool write_manual(const char *notes, char **paths, int count);

/* completion.c: writes the tables in the words of a shell: bash, zsh or fish. False: there is no such shell. */
bool write_tables(FILE *out, const char *shell);

#endif
