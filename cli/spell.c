/* Which name was meant. */
#include "cli.h"

#include <ctype.h>
#include <string.h>

#define LONGEST 48

static int smallest(int a, int b, int c)
{
    return a < b ? (a < c ? a : c) : (b < c ? b : c);
}

/* Fewest letters inserted, removed, replaced or swapped with their neighbour that turn `a` into `b`. */
static int distance(const char *a, const char *b)
{
    int rows[3][LONGEST + 1] = {{0}};
    int length_a = (int)strlen(a), length_b = (int)strlen(b);
    if (length_a > LONGEST || length_b > LONGEST) return 2 * LONGEST;
    for (int j = 0; j <= length_b; j++) rows[0][j] = j;
    for (int i = 1; i <= length_a; i++) {
        int *now = rows[i % 3], *before = rows[(i + 2) % 3], *earlier = rows[(i + 1) % 3];
        now[0] = i;
        for (int j = 1; j <= length_b; j++) {
            bool same = tolower((unsigned char)a[i - 1]) == tolower((unsigned char)b[j - 1]);
            now[j] = smallest(before[j] + 1, now[j - 1] + 1, before[j - 1] + !same);
            bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            if (swapped && earlier[j - 2] + 1 < now[j]) now[j] = earlier[j - 2] + 1;
        }
    }
    return rows[length_a % 3][length_b];
}

const char *nearest_name(const char *word, const char *(*name_of)(const void *list, size_t i), const void *list,
                         size_t count)
{
    const char *best = NULL;
    int least = (int)strlen(word) / 3 + 1;
    if (least > 3) least = 3;
    for (size_t i = 0; i < count; i++) {
        int away = distance(word, name_of(list, i));
        if (away > least || (best && away == least)) continue;
        least = away;
        best = name_of(list, i);
    }
    return best;
}
