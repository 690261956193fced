/* What is published: one row for each network's weights. Sizes and checksums are those that third parties pinned, see
 * docs/architecture.md; of the archive of Inception-ResNet-v2 nobody published more than an MD5. */
#include "cli.h"

#define SLIM "http://download.tensorflow.org/models"
#define SLIM_LICENCE "TF-Slim is under the Apache License 2.0; its weights came without a licence of their own."

const cli_release releases[] = {
    {"inception_v1", SLIM, "inception_v1_2016_08_28.tar.gz", "inception_v1.ckpt", 24642554, 0,
     "7a620c430fcaba8f8f716241f5148c4c47c035cce4e49ef02cfbe6cd1adf96a6", NULL, SLIM_LICENCE},
    {"inception_v2", SLIM, "inception_v2_2016_08_28.tar.gz", "inception_v2.ckpt", 41577079, 44856794,
     "3b9d269984402003d8330affc4e1463c0b4cfd536339ad12446a48d72477480a", NULL, SLIM_LICENCE},
    {"inception_v3", SLIM, "inception_v3_2016_08_28.tar.gz", "inception_v3.ckpt", 100885009, 108816380,
     "9430692d3002277fa1e1a94fb82331fe5da68b9afd725c2679c21a0319933228", NULL, SLIM_LICENCE},
    {"inception_v4", SLIM, "inception_v4_2016_09_09.tar.gz", "inception_v4.ckpt", 171177982, 184437677,
     "272a2b24f68b2e51f3081479df075dd62b019ccda630e998fb7f6cf314c0f304", NULL, SLIM_LICENCE},
    {"inception_resnet_v2", SLIM, "inception_resnet_v2_2016_08_30.tar.gz", "inception_resnet_v2_2016_08_30.ckpt", 0, 0,
     NULL, "9e0f18e1259acf943e30690460d96123", SLIM_LICENCE},
    {"googlenet", "http://dl.caffe.berkeleyvision.org", "bvlc_googlenet.caffemodel", "bvlc_googlenet.caffemodel",
     53533754, 53533754, "6f7101e3a2183738a7125a0c5021ba82a1feb4228c5ca0924d991b6daf6f6fad", NULL,
     "BVLC GoogLeNet was released for unrestricted use."},
};
const size_t release_count = COUNT(releases);
