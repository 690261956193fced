/* Loads what few runs need: 66 shared libraries for drawing and downloads, which would take longer to load than all others
 * together. They are used by a shared object that calls back into the command for what extras.list names. Its own name
 * tells the version, so that no command ever gets the extras of another one. */
#include "cli.h"

#include <dlfcn.h>
#include <pthread.h>

static const cli_extras *loaded;
static char reason[256];

static void load(void)
{
    void *object = dlopen("inception-extras-" INCEPTION_VERSION ".so", RTLD_NOW); /* found by the command's RPATH */
    loaded = object ? dlsym(object, "inception_extras") : NULL;
    if (!loaded) snprintf(reason, sizeof reason, "%s", dlerror());
}

const cli_extras *extras(inception_error *error)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, load);
    if (!loaded) fail(error, INCEPTION_IO, "the part of this program that downloads and draws cannot be loaded: %s", reason);
    return loaded;
}
