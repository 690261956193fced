/* Inception-ResNet-v2, "Inception-v4, Inception-ResNet and the impact of residual connections" (Szegedy et al. 2016) as
 * published in TF-Slim. The last block8 adds unscaled and has no ReLU. */
#include "rows.h"

static const inc_row block35[] = {
    BRANCH, CONV("Branch_0/Conv2d_1x1", 1, 1, 1, SAME, 32),
    BRANCH, CONV("Branch_1/Conv2d_0a_1x1", 1, 1, 1, SAME, 32),
            CONV("Branch_1/Conv2d_0b_3x3", 3, 3, 1, SAME, 32),
    BRANCH, CONV("Branch_2/Conv2d_0a_1x1", 1, 1, 1, SAME, 32),
            CONV("Branch_2/Conv2d_0b_3x3", 3, 3, 1, SAME, 48),
            CONV("Branch_2/Conv2d_0c_3x3", 3, 3, 1, SAME, 64),
    JOIN, LINEAR("Conv2d_1x1", 1, 1, 1, SAME, 320), ADD(0.17f), RELU("Relu"),
    STOP,
};

static const inc_row block17[] = {
    BRANCH, CONV("Branch_0/Conv2d_1x1", 1, 1, 1, SAME, 192),
    BRANCH, CONV("Branch_1/Conv2d_0a_1x1", 1, 1, 1, SAME, 128),
            CONV("Branch_1/Conv2d_0b_1x7", 1, 7, 1, SAME, 160),
            CONV("Branch_1/Conv2d_0c_7x1", 7, 1, 1, SAME, 192),
    JOIN, LINEAR("Conv2d_1x1", 1, 1, 1, SAME, 1088), ADD(0.10f), RELU("Relu"),
    STOP,
};

static const inc_row block8[] = {
    BRANCH, CONV("Branch_0/Conv2d_1x1", 1, 1, 1, SAME, 192),
    BRANCH, CONV("Branch_1/Conv2d_0a_1x1", 1, 1, 1, SAME, 192),
            CONV("Branch_1/Conv2d_0b_1x3", 1, 3, 1, SAME, 224),
            CONV("Branch_1/Conv2d_0c_3x1", 3, 1, 1, SAME, 256),
    JOIN, LINEAR("Conv2d_1x1", 1, 1, 1, SAME, 2080), ADD(0.20f), RELU("Relu"),
    STOP,
};

static const inc_row block8_last[] = {
    BRANCH, CONV("Branch_0/Conv2d_1x1", 1, 1, 1, SAME, 192),
    BRANCH, CONV("Branch_1/Conv2d_0a_1x1", 1, 1, 1, SAME, 192),
            CONV("Branch_1/Conv2d_0b_1x3", 1, 3, 1, SAME, 224),
            CONV("Branch_1/Conv2d_0c_3x1", 3, 1, 1, SAME, 256),
    JOIN, LINEAR("Conv2d_1x1", 1, 1, 1, SAME, 2080), ADD(1.0f),
    STOP,
};

const inc_row inc_inception_resnet_v2[] = {
    CONV("Conv2d_1a_3x3", 3, 3, 2, VALID, 32),
    CONV("Conv2d_2a_3x3", 3, 3, 1, VALID, 32),
    CONV("Conv2d_2b_3x3", 3, 3, 1, SAME, 64),
    MAX("MaxPool_3a_3x3", 3, 2, VALID),
    CONV("Conv2d_3b_1x1", 1, 1, 1, VALID, 80),
    CONV("Conv2d_4a_3x3", 3, 3, 1, VALID, 192),
    MAX("MaxPool_5a_3x3", 3, 2, VALID),
    SCOPE("Mixed_5b"),
    BRANCH, CONV("Branch_0/Conv2d_1x1", 1, 1, 1, SAME, 96),
    BRANCH, CONV("Branch_1/Conv2d_0a_1x1", 1, 1, 1, SAME, 48),
            CONV("Branch_1/Conv2d_0b_5x5", 5, 5, 1, SAME, 64),
    BRANCH, CONV("Branch_2/Conv2d_0a_1x1", 1, 1, 1, SAME, 64),
            CONV("Branch_2/Conv2d_0b_3x3", 3, 3, 1, SAME, 96),
            CONV("Branch_2/Conv2d_0c_3x3", 3, 3, 1, SAME, 96),
    BRANCH, AVG("Branch_3/AvgPool_0a_3x3", 3, 1, SAME),
            CONV("Branch_3/Conv2d_0b_1x1", 1, 1, 1, SAME, 64),
    JOIN, END,
    REPEAT("Repeat/block35_%d", block35, 10),
    SCOPE("Mixed_6a"),
    BRANCH, CONV("Branch_0/Conv2d_1a_3x3", 3, 3, 2, VALID, 384),
    BRANCH, CONV("Branch_1/Conv2d_0a_1x1", 1, 1, 1, SAME, 256),
            CONV("Branch_1/Conv2d_0b_3x3", 3, 3, 1, SAME, 256),
            CONV("Branch_1/Conv2d_1a_3x3", 3, 3, 2, VALID, 384),
    BRANCH, MAX("Branch_2/MaxPool_1a_3x3", 3, 2, VALID),
    JOIN, END,
    REPEAT("Repeat_1/block17_%d", block17, 20), ENDPOINT("PreAuxLogits"),
    HEAD("AuxLogits"),
        AVG("Conv2d_1a_3x3", 5, 3, VALID),
        CONV("Conv2d_1b_1x1", 1, 1, 1, SAME, 128),
        CONV("Conv2d_2a_5x5", 0, 0, 1, VALID, 768),
        FULL("Logits"),
    END,
    SCOPE("Mixed_7a"),
    BRANCH, CONV("Branch_0/Conv2d_0a_1x1", 1, 1, 1, SAME, 256),
            CONV("Branch_0/Conv2d_1a_3x3", 3, 3, 2, VALID, 384),
    BRANCH, CONV("Branch_1/Conv2d_0a_1x1", 1, 1, 1, SAME, 256),
            CONV("Branch_1/Conv2d_1a_3x3", 3, 3, 2, VALID, 288),
    BRANCH, CONV("Branch_2/Conv2d_0a_1x1", 1, 1, 1, SAME, 256),
            CONV("Branch_2/Conv2d_0b_3x3", 3, 3, 1, SAME, 288),
            CONV("Branch_2/Conv2d_1a_3x3", 3, 3, 2, VALID, 320),
    BRANCH, MAX("Branch_3/MaxPool_1a_3x3", 3, 2, VALID),
    JOIN, END,
    REPEAT("Repeat_2/block8_%d", block8, 9),
    REPEAT("Block8", block8_last, 1),
    CONV("Conv2d_7b_1x1", 1, 1, 1, SAME, 1536),
    STOP,
};

const inc_row inc_inception_resnet_v2_classifier[] = {
    SCOPE("Logits"),
        AVG("AvgPool_1a_8x8", 0, 1, VALID), ENDPOINT("global_pool"),
        DROPOUT("Dropout"), ENDPOINT("PreLogitsFlatten"),
        FULL("Logits"),
    END,
    STOP,
};
