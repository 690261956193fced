"""Training distortions against TensorFlow: every step by itself on random and odd sizes, all of them together, and what is
drawn at random, by its distribution.

Tolerances. Resizing, flipping, brightness: none, the bits are the same. Saturation, hue, contrast: 1e-6 of 1, or of the largest value where that is larger, because TensorFlow
goes through a hue in 0...6, whose float32 has steps of 5e-7, and sums means in float32. Together each of the steps adds
as much and the next may multiply what came before by 1.5, hence 1e-6 * (1 + 1.5 + 1.5^2 + 1.5^3) = 8.2e-6, twice that in
-1...1, 255 times for Caffe's levels.

Distributions: two-sample Kolmogorov-Smirnov against tf.image.sample_distorted_bounding_box; a frequency against its
probability. A limit of each is such that a right sampler would pass it with probability 1 - 1e-6 before the seeds were
fixed; the seeds are, so that the result is always the same."""
import os
import subprocess

import numpy as np

from oracle import BUILD, Tap, run

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"
import tensorflow as tf  # noqa: E402

PROGRAM = os.path.join(BUILD, "tests", "distort")
METHODS = ["bilinear", "nearest", "bicubic", "area"]
NAMES = ["brightness", "saturation", "hue", "contrast"]
ORDERINGS = [[0, 1, 2, 3], [1, 0, 3, 2], [3, 2, 0, 1], [2, 1, 3, 0]]  # as TF-Slim's distort_color has them
FALSE_ALARM = 1e-6
tap, chance = Tap(), np.random.default_rng(7)


def ours(array, shape, *words):
    """The program's answer to the array: [height][width][3]."""
    done = subprocess.run([PROGRAM, *map(str, words)], input=array.tobytes(), capture_output=True, check=True)
    return np.frombuffer(done.stdout, np.float32).reshape(*shape, 3)


def photo(width, height):
    """Noise in one corner, flat areas, a gradient, greys and pure colours."""
    y, x = np.mgrid[:height, :width]
    pixels = np.stack([x * 255 // max(width - 1, 1), y * 255 // max(height - 1, 1), (x + y) % 256], 2).astype(np.uint8)
    noise = chance.integers(0, 256, pixels.shape, np.uint8)
    pixels[: height // 2 + 1, : width // 2 + 1] = noise[: height // 2 + 1, : width // 2 + 1]
    pixels[height // 2 :, width // 2 :] = chance.choice([0, 128, 255], 3)
    pixels[: height // 4] = pixels[: height // 4, :, :1]
    return pixels


def resized(pixels, box, method, width, height):
    x, y, w, h = box
    floats = tf.image.convert_image_dtype(pixels, tf.float32)[y : y + h, x : x + w]
    return tf.compat.v1.image.resize(floats, [height, width], method=method, align_corners=False)


ADJUST = [tf.image.adjust_brightness, tf.image.adjust_saturation, tf.image.adjust_hue, tf.image.adjust_contrast]

# ---- the steps ----

SIZES = [(1, 1), (1, 9), (9, 1), (2, 50), (17, 13), (64, 64), (299, 299), (300, 297), (500, 375), (1000, 10), (1300, 900)]
OUTS = [(299, 299), (224, 224), (1, 1), (5, 70)]


def check_resize():
    for method, name in enumerate(METHODS):
        worst = 0.0
        for width, height in SIZES:
            pixels = photo(width, height)
            x, y = int(chance.integers(0, width)), int(chance.integers(0, height))
            part = (x, y, int(chance.integers(1, width - x + 1)), int(chance.integers(1, height - y + 1)))
            for box in (0, 0, width, height), part:
                for out_w, out_h in OUTS:
                    right = resized(pixels, box, method, out_w, out_h).numpy()
                    got = ours(pixels, (out_h, out_w), "resize", method, width, height, *box, out_w, out_h)
                    worst = np.maximum(worst, np.abs(got - right).max())
        tap.ok(worst == 0, f"{name}: the same bits in {len(SIZES) * 2 * len(OUTS)} sizes", worst)


def some_pixels(count):
    """0...1, many grey, black, white, pure, nearly equal; and as far outside as earlier steps leave them."""
    p = chance.random((count, 1, 3), np.float32)
    p[::7] = p[::7, :, :1]
    p[1::7] = np.round(p[1::7])
    p[2::7] = np.float32(0.5) + p[2::7] * np.float32(1e-3)
    p[3::7] = p[3::7] * 2 - np.float32(0.5)
    return p


def check_adjustments():
    amounts = {"brightness": [-32 / 255, 0, 0.1], "saturation": [0, 0.5, 0.77, 1, 1.2, 1.5, 3],
               "hue": [-0.5, -0.2, -0.1, 0, 1e-4, 0.05, 0.2, 0.5], "contrast": [0, 0.5, 0.9, 1, 1.5]}
    for name, adjust in zip(NAMES, ADJUST):
        for amount in np.float32(amounts[name]):
            for count in 1, 7, 299 * 299:
                p = some_pixels(count)
                right, got = adjust(p, amount).numpy(), ours(p, (count, 1), name, amount, count)
                worst = (np.abs(got - right) / np.maximum(np.abs(p).max(), 1)).max()
                good = np.array_equal(got, right) if name == "brightness" else worst <= 1e-6
                tap.ok(good, f"{name} {amount:.4g} of {count} pixels ({worst:.1e})")


def check_flip():
    for width, height in (1, 1), (1, 5), (2, 3), (7, 4), (224, 30):
        p = chance.random((height, width, 3), np.float32)
        tap.ok(np.array_equal(ours(p, p.shape[:2], "flip", width, height), tf.image.flip_left_right(p)), f"flip {width}x{height}")


# ---- all of them ----

def draws(width, height, count, mode):
    return np.array([line.split() for line in run(PROGRAM, "draw", width, height, count, mode).splitlines()], np.float64)


def distorted(pixels, row, mode, side, levels):
    """TF-Slim's training path with these draws."""
    x, y, w, h, method, flip, ordering = map(int, row[:7])
    image = resized(pixels, (x, y, w, h), method, side, side)
    image = tf.image.flip_left_right(image) if flip else image
    for step in ORDERINGS[ordering][: 4 if mode == "slow" else 2]:
        image = ADJUST[step](image, np.float32(row[7 + step]))
    image = tf.clip_by_value(image, 0.0, 1.0)
    if levels == "slim":
        return tf.multiply(tf.subtract(image, 0.5), 2.0).numpy()
    return image.numpy()[..., ::-1] * 255 - np.float32([104, 117, 123])


def check_whole():
    for levels, side, limit in ("slim", 299, 1.7e-5), ("caffe", 224, 255 * 8.2e-6):
        for mode, seeds in ("fast", 8), ("slow", 24):
            for width, height in (500, 375), (333, 512), (40, 30), (1, 1), (3, 200):
                pixels, worst = photo(width, height), 0.0
                for seed, row in enumerate(draws(width, height, seeds, mode)):
                    got = ours(pixels, (side, side), "whole", levels, mode, seed, width, height, side, side)
                    worst = np.maximum(worst, np.abs(got - distorted(pixels, row, mode, side, levels)).max())
                tap.ok(worst <= limit, f"{levels}, {mode}, {width}x{height}, {seeds} seeds ({worst:.1e})")


# ---- what is drawn ----

SHAPES = [(1, 1), (2, 2), (2, 50), (50, 2), (1000, 10), (10, 30), (31, 17), (500, 375), (375, 500), (4000, 3000)]
DRAWN = 4000


@tf.function
def sample(size, seeds):
    def one(seed):
        begin, extent, _ = tf.image.stateless_sample_distorted_bounding_box(
            size, tf.constant([[[0.0, 0, 1, 1]]]), seed, min_object_covered=0.1, aspect_ratio_range=(0.75, 1.33),
            area_range=(0.05, 1.0), max_attempts=100, use_image_if_no_bounding_boxes=True)
        return tf.stack([begin[1], begin[0], extent[1], extent[0]])
    return tf.map_fn(one, seeds)


def distance(a, b):
    """Kolmogorov's and Smirnov's: the largest difference of the two shares at or below a value."""
    at = np.concatenate([a, b])
    return max(np.abs(np.searchsorted(np.sort(a), at, "right") / len(a) - np.searchsorted(np.sort(b), at, "right") / len(b)))


def features(boxes):
    x, y, w, h = boxes.T.astype(np.float64)
    return {"area": w * h, "aspect": w / h, "x": x, "y": y, "right": x + w, "bottom": y + h}


def check_crops():
    comparisons = len(SHAPES) * 6
    limit = np.sqrt(np.log(2 * comparisons / FALSE_ALARM) / 2 * 2 / DRAWN)  # Massey's tail, shared by the comparisons
    seeds = tf.constant([[7, i] for i in range(DRAWN)])
    for width, height in SHAPES:
        theirs = features(sample(tf.constant([height, width, 3]), seeds).numpy())
        mine = draws(width, height, DRAWN, "fast")[:, :4]
        inside = (mine[:, :2] >= 0).all() and (mine[:, 2:] >= 1).all() and (mine[:, :2] + mine[:, 2:] <= [width, height]).all()
        for name, values in features(mine).items():
            d = distance(values, theirs[name])
            tap.ok(inside and d <= limit, f"{name} of crops of {width}x{height}, {DRAWN} of each ({d:.4f} <= {limit:.4f})")


def check_frequencies():
    rows = draws(500, 375, 20000, "slow")
    for name, column, count in ("method", 4, 4), ("flip", 5, 2), ("ordering", 6, 4):
        shares = [np.mean(rows[:, column] == i) for i in range(count)]
        limit = np.sqrt(np.log(2 * 10 / FALSE_ALARM) / 2 / len(rows))  # Hoeffding's, shared by the ten shares
        good = np.abs(np.array(shares) - 1 / count).max() <= limit
        tap.ok(good, f"each {name} as often as another ({' '.join(f'{s:.4f}' for s in shares)}, within {limit:.4f})")
    ranges = [(-32 / 255, 32 / 255), (0.5, 1.5), (-0.2, 0.2), (0.5, 1.5)]
    limit = np.sqrt(np.log(2 * 4 / FALSE_ALARM) / 2 / len(rows))
    for i, (name, (low, high)) in enumerate(zip(NAMES, ranges)):
        values = np.sort((rows[:, 7 + i] - low) / (high - low))
        d = np.abs(values - np.arange(len(rows)) / len(rows)).max()
        tap.ok(-1e-7 <= values[0] and values[-1] < 1 + 1e-7 and d <= limit, f"{name} uniform ({d:.4f} <= {limit:.4f})")
    choices = rows[:, [0, 2, 4, 5, 6, 7, 8, 9, 10]]
    bound = 5.7 / np.sqrt(len(rows))  # normal, 36 pairs share 1e-6
    correlation = np.abs(np.corrcoef(choices.T) - np.eye(choices.shape[1]))
    correlation[0, 1] = correlation[1, 0] = 0  # a wide crop has little room
    tap.ok(correlation.max() <= bound, f"draws do not know of each other ({correlation.max():.4f} <= {bound:.4f})")
    fast = draws(500, 375, 2000, "fast")
    tap.ok(not fast[:, [4, 6]].any() and np.array_equal(fast[:, [0, 1, 2, 3, 5, 7, 8, 9, 10]],
                                                        rows[:2000, [0, 1, 2, 3, 5, 7, 8, 9, 10]]),
           "fast mode: bilinear, ordering 0, the same crops, flips and amounts")


for check in check_resize, check_adjustments, check_flip, check_whole, check_crops, check_frequencies:
    tap.attempt(check)
tap.done()
