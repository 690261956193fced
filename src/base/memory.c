/* Memory: every size product is checked here, nowhere else. */
#include "base.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define LARGE_PAGE ((uintptr_t)1 << 21)

bool inc_mul(size_t a, size_t b, size_t *out)
{
    return !__builtin_mul_overflow(a, b, out);
}

bool inc_add(size_t a, size_t b, size_t *out)
{
    return !__builtin_add_overflow(a, b, out);
}

void *inc_calloc(size_t count, size_t size, inception_error *error)
{
    void *memory = calloc(count ? count : 1, size ? size : 1); /* calloc checks the product */
    if (!memory) inc_fail_memory(error, (uint64_t)count * size);
    return memory;
}

inception_status inc_grow(void *array, size_t *capacity, size_t needed, size_t size, inception_error *error)
{
    if (needed <= *capacity) return INCEPTION_OK;
    size_t more = needed < 8 ? 8 : needed + needed / 2, bytes;
    if (more < needed || !inc_mul(more, size, &bytes)) return inc_fail_memory(error, 0);
    void *old;
    memcpy(&old, array, sizeof old); /* `array` is the address of a pointer of any type */
    void *grown = realloc(old, bytes);
    if (!grown) return inc_fail_memory(error, bytes);
    memcpy(array, &grown, sizeof grown);
    *capacity = more;
    return INCEPTION_OK;
}

void *inc_alloc_aligned(size_t bytes, inception_error *error)
{
    size_t rounded;
    if (!inc_add(bytes, INC_ALIGNMENT - 1, &rounded)) return inc_fail_memory(error, 0), NULL;
    rounded -= rounded % INC_ALIGNMENT;
    void *memory = aligned_alloc(INC_ALIGNMENT, rounded ? rounded : INC_ALIGNMENT);
    if (!memory) inc_fail_memory(error, bytes);
    return memory;
}

void inc_prefer_large_pages(void *memory, size_t bytes)
{
    uintptr_t end = ((uintptr_t)memory + bytes) & ~(LARGE_PAGE - 1);
    size_t before = -(uintptr_t)memory & (LARGE_PAGE - 1);
    uintptr_t first = (uintptr_t)memory + before;
    if (first < end) madvise((uint8_t *)memory + before, end - first, MADV_HUGEPAGE); /* it is only a wish */
}

/* Blocks grow a list; each small allocation is cut from the newest. A block starts with its header in a cache line of
 * its own. */
struct inc_arena_block {
    struct inc_arena_block *next;
    size_t used, size;
};

#define BLOCK_SIZE ((size_t)1 << 16)

void *inc_arena_alloc(inc_arena *arena, size_t count, size_t size, inception_error *error)
{
    size_t bytes, whole;
    if (!inc_mul(count, size, &bytes) || !inc_add(bytes, 2 * INC_ALIGNMENT, &whole)) return inc_fail_memory(error, 0), NULL;
    bytes = (bytes + INC_ALIGNMENT - 1) & ~(size_t)(INC_ALIGNMENT - 1);
    struct inc_arena_block *block = arena->blocks;
    if (!block || block->size - block->used < bytes) {
        size_t block_bytes = whole > BLOCK_SIZE ? whole : BLOCK_SIZE;
        block = inc_alloc_aligned(block_bytes, error);
        if (!block) return NULL;
        block->next = arena->blocks;
        block->used = INC_ALIGNMENT;
        block->size = block_bytes & ~(size_t)(INC_ALIGNMENT - 1);
        arena->blocks = block;
    }
    void *memory = (uint8_t *)block + block->used;
    block->used += bytes;
    return memset(memory, 0, bytes);
}

char *inc_arena_string(inc_arena *arena, const char *text, size_t length, inception_error *error)
{
    char *copy = inc_arena_alloc(arena, length + 1, 1, error);
    if (copy && length) memcpy(copy, text, length);
    return copy;
}

void inc_arena_free(inc_arena *arena)
{
    while (arena->blocks) {
        struct inc_arena_block *next = arena->blocks->next;
        free(arena->blocks);
        arena->blocks = next;
    }
}
