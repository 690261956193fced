/* The register of architectures. A new one is a table in a file of its own, and one row here. */
#include "private.h"

#include <strings.h>

#define SLIM "TF-Slim checkpoint of " /* licence: none stated with the archives; see docs/pitfalls.md */

static const inception_network networks[] = {
    {"inception_v1", "v1", "Inception_V1", SLIM "2016-08-28", {224, 224, 0, 0}, 1001, true, 69.8, 89.6,
     "AvgPool_0a_7x7"},
    {"inception_v2", "v2", "Inception_V2", SLIM "2016-08-28", {224, 224, 0, 0}, 1001, true, 73.9, 91.8,
     "AvgPool_1a"},
    {"inception_v3", "v3", "Inception_V3", SLIM "2016-08-28", {299, 299, 0, 0}, 1001, true, 78.0, 93.9,
     "PreLogits"},
    {"inception_v4", "v4", "Inception_V4", SLIM "2016-09-09", {299, 299, 0, 0}, 1001, true, 80.2, 95.2,
     "PreLogitsFlatten"},
    {"inception_resnet_v2", "irv2", "Inception_ResNet_V2", SLIM "2016-08-30", {299, 299, 0, 0}, 1001, true, 80.4, 95.3,
     "PreLogitsFlatten"},
    {"googlenet", "googlenet", "GoogLeNet", "BVLC caffemodel of 2014",
     {224, 224, INCEPTION_PREPROCESS_CAFFE, 0}, 1000, false, 68.7, 88.9, "pool5/7x7_s1"},
};

static const inc_architecture architectures[] = {
    {"InceptionV1/", inc_inception_v1, inc_inception_v1_classifier, false},
    {"InceptionV2/", inc_inception_v2, inc_inception_v2_classifier, true},
    {"InceptionV3/", inc_inception_v3, inc_inception_v3_classifier, true},
    {"InceptionV4/", inc_inception_v4, inc_inception_v4_classifier, false},
    {"InceptionResnetV2/", inc_inception_resnet_v2, inc_inception_resnet_v2_classifier, false},
    {"", inc_googlenet, inc_googlenet_classifier, false},
};

_Static_assert(INC_COUNT(networks) == INC_COUNT(architectures), "one architecture a network");

/* Further names people use. */
static const struct {
    const char *alias, *name;
} aliases[] = {{"resnet", "inception_resnet_v2"}, {"resnet_v2", "inception_resnet_v2"},
               {"inception-resnet-v2", "inception_resnet_v2"}};

const inception_network *inception_networks(size_t *count)
{
    *count = INC_COUNT(networks);
    return networks;
}

const inception_network *inception_network_find(const char *name)
{
    for (size_t i = 0; name && i < INC_COUNT(aliases); i++)
        if (inc_same_word(name, aliases[i].alias)) name = aliases[i].name;
    for (size_t i = 0; name && i < INC_COUNT(networks); i++)
        if (inc_same_word(name, networks[i].name) || inc_same_word(name, networks[i].alias)) return &networks[i];
    return NULL;
}

const inc_architecture *inc_architecture_of(const inception_network *network)
{
    return &architectures[network - networks];
}

const char *inc_scope_of(const inception_network *network)
{
    return inc_architecture_of(network)->root;
}

inc_shape inc_shape_default(const inception_network *network)
{
    return (inc_shape){network, network->input, network->classes, 1.0, 16, false, NULL};
}
