/* Writes a small Inception V2 that can be classified with: tiny_model OUT.safetensors */
#include "../formula.h"

int main(int argc, char **argv)
{
    inc_shape shape = inc_shape_default(inception_network_find("v2"));
    shape.depth_multiplier = 0.25, shape.classes = 7;
    return argc != 2 || !formula_write(shape, argv[1], NULL);
}
