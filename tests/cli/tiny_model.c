/* Writes a network filled by the formula, a small Inception V2 that can be classified with unless told otherwise:
 * tiny_model OUT.safetensors [NETWORK CLASSES [MULTIPLIER [FINAL_LAYER]]] */
#include "../formula.h"

int main(int argc, char **argv)
{
    const inception_network *network = inception_network_find(argc > 2 ? argv[2] : "v2");
    if (argc < 2 || argc == 3 || argc > 6 || !network) return 2;
    inc_shape shape = inc_shape_default(network);
    shape.classes = argc > 3 ? atoi(argv[3]) : 7;
    shape.depth_multiplier = argc > 4 ? atof(argv[4]) : argc == 2 ? 0.25 : 1.0;
    shape.final_layer = argc > 5 ? argv[5] : NULL;
    return !formula_write(shape, argv[1], NULL);
}
