/* The rewrites in their order. */
#include "graph.h"

#include <stdlib.h>

static const struct {
    inc_rewrite bit;
    inc_rewrite_at *at;
} rewrites_in_order[] = {
    {INC_DROP_IDENTITIES, inc_drop_identities}, {INC_MERGE_SEPARABLE, inc_merge_separable},
    {INC_FOLD_NORMS, inc_fold_norms},           {INC_FUSE_RESIDUALS, inc_fuse_residuals},
    {INC_SWAP_POOLS, inc_swap_pools},           {INC_FUSE_RELUS, inc_fuse_relus},
    {INC_FUSE_SIBLINGS, inc_fuse_siblings},     {INC_ELIDE_CONCATS, inc_elide_concats},
};

/* Every rewrite in turn looks at every node that is left. */
static inception_status rewrite(inc_graph *graph, inc_rewrite_at *at, int granularity, inception_error *error)
{
    inception_status status = INCEPTION_OK;
    bool *dead = inc_calloc(graph->node_count, sizeof *dead, error);
    if (!dead) return INCEPTION_MEMORY;
    for (size_t n = 0; n < graph->node_count && !status; n++)
        if (!dead[n]) status = at(graph, n, granularity, dead, error);
    if (!status) inc_graph_compact(graph, dead);
    free(dead);
    return status;
}

inception_status inc_graph_rewrite(inc_graph *graph, unsigned rewrites, int granularity, inception_error *error)
{
    inception_status status = INCEPTION_OK;
    for (size_t i = 0; i < INC_COUNT(rewrites_in_order) && !status; i++)
        if (rewrites & rewrites_in_order[i].bit) status = rewrite(graph, rewrites_in_order[i].at, granularity, error);
    return status;
}
