/* How many CPUs this process may use. Containers limit by quota, not by affinity, so both are asked. */
#include "base.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool read_text(const char *path, char *text, size_t size)
{
    FILE *file = fopen(path, "re");
    if (!file) return false;
    size_t got = fread(text, 1, size - 1, file);
    fclose(file);
    text[got] = 0;
    return got > 0;
}

/* CPUs, rounded up, that "quota period" allows; 0: no limit ("max", -1). */
static long quota_of(const char *quota, const char *period)
{
    long long allowed = atoll(quota), each = atoll(period);
    return allowed > 0 && each > 0 ? (long)((allowed + each - 1) / each) : 0;
}

/* Of one group, whichever version of cgroups it is of. */
static long quota_of_group(const char *folder)
{
    char path[4600], quota[128], period[64];
    snprintf(path, sizeof path, "%s/cpu.max", folder);
    char *space = read_text(path, quota, sizeof quota) ? strchr(quota, ' ') : NULL;
    if (space) return quota_of(quota, space + 1);
    snprintf(path, sizeof path, "%s/cpu.cfs_quota_us", folder);
    if (!read_text(path, quota, sizeof quota)) return 0;
    snprintf(path, sizeof path, "%s/cpu.cfs_period_us", folder);
    return read_text(path, period, sizeof period) ? quota_of(quota, period) : 0;
}

/* `best`, or the tightest quota on the way from the group up to the root if that is less. */
static long tightest_quota(const char *root, char *group, long best)
{
    char folder[4500];
    for (char *cut = group + strlen(group); cut; cut = strrchr(group, '/')) {
        *cut = 0;
        snprintf(folder, sizeof folder, "%s%s", root, group);
        long allowed = quota_of_group(folder);
        if (allowed && allowed < best) best = allowed;
    }
    return best;
}

/* `count`, or what the quotas of this process's groups allow if that is less. A line is ID:CONTROLLERS:GROUP; version 2
 * names no controllers. */
static long limit_by_quotas(long count)
{
    char text[4096], *line = text, *next, *rest;
    if (!read_text("/proc/self/cgroup", text, sizeof text)) return count;
    for (; *line; line = next) {
        next = line + strcspn(line, "\n");
        if (*next) *next++ = 0;
        char *controllers = strchr(line, ':'), *group = controllers ? strchr(controllers + 1, ':') : NULL;
        if (!group) continue;
        *group++ = 0;
        if (controllers[1] == 0) count = tightest_quota("/sys/fs/cgroup", group, count);
        for (char *name = strtok_r(controllers + 1, ",", &rest); name; name = strtok_r(NULL, ",", &rest))
            if (strcmp(name, "cpu") == 0) count = tightest_quota("/sys/fs/cgroup/cpu", group, count);
    }
    return count;
}

/* Of the affinity mask, which must be at least as large as the kernel's. */
static long count_allowed(void)
{
    for (int most = CPU_SETSIZE; most <= 1 << 20; most *= 2) {
        cpu_set_t *set = CPU_ALLOC(most);
        const size_t size = CPU_ALLOC_SIZE(most);
        long count = set && sched_getaffinity(0, size, set) == 0 ? CPU_COUNT_S(size, set) : 0;
        CPU_FREE(set);
        if (count) return count;
    }
    return sysconf(_SC_NPROCESSORS_ONLN);
}

int inception_cpu_count(void)
{
    long count = limit_by_quotas(count_allowed());
    return count < 1 ? 1 : count > 1024 ? 1024 : (int)count;
}
