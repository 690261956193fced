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

/* The tightest quota on the way from this process's group up to the root, cgroup v2. */
static long quota_v2(void)
{
    char groups[4096], path[4400], text[128];
    long best = 0;
    if (!read_text("/proc/self/cgroup", groups, sizeof groups)) return 0;
    char *group = strstr(groups, "0::");
    if (!group) return 0;
    group += 3;
    group[strcspn(group, "\n")] = 0;
    for (char *cut = group + strlen(group); cut; cut = strrchr(group, '/')) {
        *cut = 0;
        snprintf(path, sizeof path, "/sys/fs/cgroup%s/cpu.max", group);
        char *space = read_text(path, text, sizeof text) ? strchr(text, ' ') : NULL;
        long allowed = space ? quota_of(text, space + 1) : 0;
        if (allowed && (!best || allowed < best)) best = allowed;
    }
    return best;
}

static long quota_v1(void)
{
    char quota[64], period[64];
    if (!read_text("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", quota, sizeof quota)) return 0;
    if (!read_text("/sys/fs/cgroup/cpu/cpu.cfs_period_us", period, sizeof period)) return 0;
    return quota_of(quota, period);
}

int inception_cpu_count(void)
{
    cpu_set_t set;
    long count = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : sysconf(_SC_NPROCESSORS_ONLN);
    long quotas[] = {quota_v2(), quota_v1()};
    for (size_t i = 0; i < INC_COUNT(quotas); i++)
        if (quotas[i] && quotas[i] < count) count = quotas[i];
    return count < 1 ? 1 : count > 1024 ? 1024 : (int)count;
}
