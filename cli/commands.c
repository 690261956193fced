/* The table of commands, and what is said of them together. In a file of its own, because describe.c walks it too. */
#include "cli.h"

#include <string.h>

const cli_command *const commands[] = {
    &classify_command, &prepare_command, &fetch_command, &models_command, &inspect_command, &convert_command,
    &features_command, &train_command, &bench_command,
};
const size_t command_count = COUNT(commands);

const char general_about[] = "Recognises objects in photos with Google's Inception networks.";

const char *const general_examples[] = {
    "inception classify photo.jpg        what is on the photo",
    "inception classify -m v3 photos/    a folder, with Inception V3",
    "inception help classify             all about one command",
    NULL,
};

const char *const limits[] = {
    "photo      --max-pixels and --max-bytes; a side of 65,535 pixels",
    "JPEG       500 scans, of a large photo as few as 32",
    "weights    1,000,000 tensors of rank 8; names of 4,096 bytes, 64 MiB of all",
    "lists      --files-from 1 GiB, --labels 64 MiB, a 'checkpoint' file 1 MiB",
    "downloads  of unknown size, and what an archive unpacks to: 1 GiB",
    NULL,
};

const cli_command *command_find(const char *name)
{
    for (size_t i = 0; i < command_count; i++)
        if (strcmp(commands[i]->name, name) == 0) return commands[i];
    return NULL;
}
