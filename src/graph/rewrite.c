/* The rewrites in their order, and the small ones. */
#include "graph.h"

#include <stdlib.h>

static const struct {
    inc_rewrite bit;
    inception_status (*run)(inc_graph *graph, int granularity, inception_error *error);
} rewrites_in_order[] = {
    {INC_DROP_IDENTITIES, inc_drop_identities}, {INC_MERGE_SEPARABLE, inc_merge_separable},
    {INC_FOLD_NORMS, inc_fold_norms},           {INC_FUSE_RESIDUALS, inc_fuse_residuals},
    {INC_FUSE_RELUS, inc_fuse_relus},           {INC_FUSE_SIBLINGS, inc_fuse_siblings},
    {INC_ELIDE_CONCATS, inc_elide_concats},
};

inception_status inc_graph_rewrite(inc_graph *graph, unsigned rewrites, int granularity, inception_error *error)
{
    inception_status status = INCEPTION_OK;
    for (size_t i = 0; i < INC_COUNT(rewrites_in_order) && !status; i++)
        if (rewrites & rewrites_in_order[i].bit) status = rewrites_in_order[i].run(graph, granularity, error);
    return status;
}

inception_status inc_drop_identities(inc_graph *graph, int granularity, inception_error *error)
{
    (void)granularity;
    bool *dead = inc_calloc(graph->node_count, sizeof *dead, error);
    if (!dead) return INCEPTION_MEMORY;
    for (size_t n = 0; n < graph->node_count; n++) {
        const inc_node *node = &graph->nodes[n];
        if (node->op != INC_OP_DROPOUT) continue;
        inc_graph_replace(graph, node->output, node->inputs[0]);
        dead[n] = true;
    }
    inc_graph_compact(graph, dead);
    free(dead);
    return INCEPTION_OK;
}
