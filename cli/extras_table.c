/* What the shared object of the extras has to offer; see extras.c. */
#include "cli.h"

const cli_extras inception_extras = {
    .install_weights = install_weights,
    .download_memory = download_memory,
    .digest_file = digest_file,
    .digest_bytes = digest_bytes,
    .sheet_options_default = inception_sheet_options_default,
    .sheet_open = inception_sheet_open,
    .sheet_add = inception_sheet_add,
    .sheet_finish = inception_sheet_finish,
    .sheet_pages = inception_sheet_pages,
    .sheet_close = inception_sheet_close,
};
