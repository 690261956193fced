"""Makes the folders that flowers.sh teaches with. flowers.py SMALL REAL OTHERS OUT

OUT/first has the five flowers and a sixth class, `nothing`. The flowers are the photos of SMALL, which say no more than 32 x 32
pixels do, however large they are, and those of REAL, some of the same in their real size. A photo in both is for the same part
(training, validation, test): the copy of REAL gets a name that is. Nothing is shapes, textures and shuffled tiles in the
colours of the flowers, and corners of their photos. A network that has to tell them from flowers learns what makes a flower.

OUT/second has the flowers, those for training also turned, and more that is nothing: the photos below OTHERS, at most 500
pixels wide and high, and Tux Paint's stamps before parts of them. Half of what is nothing is as smooth as SMALL, half as sharp
as REAL. Wants numpy and Pillow.
"""
import pathlib
import random
import shutil
import sys

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "tests"))
from split import hash_of, part_of  # noqa: E402

SIDE, NOTHINGS = 192, 900


def part(label, name):
    return part_of(hash_of(f"{label}/{name}"))


def twin_of(label, name, kind="twin"):
    """A name for the same photo in another way, of the same part."""
    names = (f"{name.removesuffix('.jpg')}-{kind}{i}.jpg" for i in range(1000))
    return next(twin for twin in names if part(label, twin) == part(label, name))


def copy_flowers(small, real, out):
    for photo in sorted(small.glob("*/*.jpg")):
        folder = out / photo.parent.name
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(photo, folder / photo.name)
        twin = real / photo.parent.name / photo.name
        if twin.exists():
            shutil.copy(twin, folder / twin_of(folder.name, photo.name))


def turn_flowers(folder):
    """Copies of what is learnt from, turned a little; what a turn uncovers is mirrored."""
    for photo in sorted(folder.glob("*/*.jpg")):
        label, name, draw = photo.parent.name, photo.name, random.Random(photo.name)
        if part(label, name) != 0:
            continue
        picture = np.asarray(Image.open(photo).convert("RGB"))
        rows, columns = (length // 2 for length in picture.shape[:2])
        picture = Image.fromarray(np.pad(picture, ((rows, rows), (columns, columns), (0, 0)), "reflect"))
        for kind in ("left", "right"):
            angle = min(90, abs(draw.gauss(10, 30))) * (1 if kind == "left" else -1)
            turned = picture.rotate(angle, Image.BICUBIC)
            box = (columns, rows, turned.width - columns, turned.height - rows)
            turned.crop(box).save(photo.parent / twin_of(label, name, kind), quality=90)


class Painter:
    """One picture of nothing, all of it decided by its number."""

    def __init__(self, number, photos):
        self.draw, self.values, self.photos = random.Random(number), np.random.default_rng(number), photos
        self.palette = self.photo().resize((32, 32))

    def photo(self):
        return Image.open(self.draw.choice(self.photos)).convert("RGB")

    def colour(self):
        if self.draw.random() < .5:
            return np.array(self.palette.getpixel((self.draw.randrange(32), self.draw.randrange(32))), float)
        return np.clip(self.draw.randrange(256) + self.values.normal(0, self.draw.choice([5, 20, 60]), 3), 0, 255)

    def image(self, values):
        return Image.fromarray(np.clip(np.broadcast_to(values, (SIDE, SIDE, 3)), 0, 255).astype(np.uint8))

    def clouds(self):
        """Noise whose spectrum falls as those of photos do, between two colours."""
        steps = np.fft.fftfreq(SIDE)
        distance = np.maximum(np.hypot(steps[:, None], steps), 1 / SIDE)[..., None]
        noise = self.values.normal(size=(SIDE, SIDE, 1)) + self.values.normal(size=(SIDE, SIDE, 3)) / 4
        waves = np.fft.ifft2(np.fft.fft2(noise, axes=(0, 1)) / distance**self.draw.uniform(.7, 2), axes=(0, 1)).real
        a, b = self.colour(), self.colour()
        return self.image((a + b) / 2 + waves / waves.std() * (8 + abs(a - b) / 4))

    def texture(self):
        photo = self.photo()
        side = self.draw.randint(8, min(photo.size) // 3)
        x, y = (self.draw.randrange(length - side) for length in photo.size)
        return photo.crop((x, y, x + side, y + side)).resize((SIDE, SIDE), Image.BICUBIC)

    def fill(self):
        kind = self.draw.random()
        if kind < .4:
            return self.image(self.colour())
        if kind < .75:
            return self.clouds() if kind < .6 else self.texture()
        ramp = np.linspace(0, 1, SIDE).reshape(self.draw.choice([(1, SIDE, 1), (SIDE, 1, 1)]))
        return self.image(self.colour() * ramp + self.colour() * (1 - ramp))

    def shape(self, size):
        """A mask: a polygon, a box, an ellipse or a line, drawn twice as large for smooth edges."""
        mask, kind = Image.new("L", (2 * SIDE, 2 * SIDE)), self.draw.choice(["polygon", "box", "box", "ellipse", "line"])
        centre, size, pen = self.values.uniform(0, 2 * SIDE, 2), 2 * size, ImageDraw.Draw(mask)
        turn = self.draw.choice([0, 0, self.draw.uniform(0, np.pi)])
        along, across = np.array([np.cos(turn), np.sin(turn)]) * size, np.array([-np.sin(turn), np.cos(turn)]) * size
        if kind == "ellipse":
            half = size * self.values.uniform(.2, 1, 2)
            pen.ellipse((*(centre - half), *(centre + half)), fill=255)
        elif kind == "line":
            pen.line((*(centre - 4 * along), *(centre + 4 * along)), fill=255, width=max(2, int(size / 6)))
        elif kind == "box":
            along, across = along * self.draw.uniform(.3, 2), across * self.draw.uniform(.3, 2)
            corners = [centre + a * along + b * across for a, b in ((-1, -1), (1, -1), (1, 1), (-1, 1))]
            pen.polygon([tuple(corner) for corner in corners], fill=255)
        else:
            corners = centre + self.values.normal(0, size, (self.draw.randint(3, 7), 2))
            pen.polygon([tuple(corner) for corner in corners], fill=255)
        return mask.resize((SIDE, SIDE), Image.BILINEAR)

    def shapes(self, picture, count, low, high):
        for _ in range(count):  # sizes fall off as they do in photos of things of all distances
            size = (self.draw.uniform(high**-2., low**-2.))**-.5
            picture.paste(self.fill(), (0, 0), self.shape(size))
        return picture

    def leaves(self):
        return self.shapes(self.fill(), self.draw.choice([6, 15, 40, 90]), self.draw.choice([3, 6, 15]),
                           self.draw.choice([30, 60, 90]))

    def scene(self):
        picture, horizon = self.fill(), self.draw.randint(SIDE // 4, SIDE * 3 // 4)
        picture.paste(self.fill().crop((0, horizon, SIDE, SIDE)), (0, horizon))
        return self.shapes(picture, self.draw.randint(1, 12), 6, 70)

    def stripes(self):
        rows, columns = np.mgrid[:SIDE, :SIDE]
        turn, width = self.draw.choice([0, np.pi / 2, self.draw.uniform(0, np.pi)]), self.draw.uniform(4, 36)
        wave = np.sin((rows * np.sin(turn) + columns * np.cos(turn)) * 2 * np.pi / width) > self.draw.uniform(-.8, .8)
        picture = Image.composite(self.fill(), self.fill(), Image.fromarray(wave.astype(np.uint8) * 255))
        return self.shapes(picture, self.draw.randrange(6), 6, 60)

    def tiles(self):
        count = self.draw.choice([4, 4, 6, 8])
        side, photo = SIDE // count, self.photo().resize((SIDE, SIDE))
        cells = [(side * x, side * y) for x in range(count) for y in range(count)]
        picture = Image.new("RGB", (SIDE, SIDE))
        for (x, y), to in zip(self.draw.sample(cells, len(cells)), cells):
            tile = photo.crop((x, y, x + side, y + side))
            picture.paste(tile.transpose(self.draw.choice([Image.FLIP_LEFT_RIGHT, Image.ROTATE_90, Image.ROTATE_180])), to)
        return picture

    def corner(self):
        photo = self.photo()
        width, height = (int(length * self.draw.uniform(.15, .3)) for length in photo.size)
        x, y = self.draw.choice([0, photo.width - width]), self.draw.choice([0, photo.height - height])
        return photo.crop((x, y, x + width, y + height)).resize((SIDE, SIDE), Image.BICUBIC)

    def paint(self):
        kinds = [self.leaves] * 5 + [self.corner] * 3 + [self.tiles] * 3 + [self.scene] * 2 + [self.stripes, self.clouds]
        picture = self.draw.choice(kinds)()
        if self.draw.random() < .5:
            picture = picture.filter(ImageFilter.GaussianBlur(self.draw.uniform(0, 2)))
        if self.draw.random() < .5:
            return smooth(picture)
        grain = self.values.normal(0, self.draw.choice([0, 2, 6, 12]), (SIDE, SIDE, 1))
        return self.image(np.asarray(picture, float) + grain)


def smooth(picture):
    return picture.resize((32, 32), Image.BOX).resize((128, 128), Image.BICUBIC)


def usual_size(photo):
    scale = min(1, 500 / max(photo.size))
    return photo.resize([max(1, round(scale * length)) for length in photo.size], Image.LANCZOS)


def photos_of_others(others):
    """The photos below OTHERS, and the things that Tux Paint stamps, before parts of these photos."""
    photos = []
    for path in sorted(others.rglob("*.jpg")):
        photo = Image.open(path)
        if min(photo.size) >= 200:
            photos.append(usual_size(photo.convert("RGB")))
    yield from photos
    for path in sorted(others.rglob("stamps/*/**/*.png")):
        draw, stamp = random.Random(path.name), Image.open(path).convert("RGBA")
        if min(stamp.size) < 60 or {"flowers", "symbols", "cartoon"} & set(path.parts):
            continue
        for _ in range(2):
            photo = draw.choice(photos)
            side, scale = min(photo.size), draw.uniform(.5, 1.1)
            x, y = (draw.randint(0, length - side) for length in photo.size)
            scene = photo.crop((x, y, x + side, y + side)).resize((320, 320), Image.BICUBIC)
            scale *= 320 / max(stamp.size)
            thing = stamp.resize([max(1, round(scale * length)) for length in stamp.size], Image.LANCZOS)
            scene.paste(thing, [draw.randint(*sorted((0, 320 - length))) for length in thing.size], thing)
            yield scene


def copy_others(others, folder):
    for number, photo in enumerate(photos_of_others(others)):
        name = f"photo{number:04}.jpg"
        photo.save(folder / name, quality=90)
        smooth(photo).save(folder / twin_of(folder.name, name), quality=60)


def main():
    small, real, others, out = (pathlib.Path(path) for path in sys.argv[1:5])
    copy_flowers(small, real, out / "first")
    photos = sorted(p for p in (out / "first").glob("*/*.jpg") if part(p.parent.name, p.name) == 0)
    shutil.copytree(out / "first", out / "second")
    turn_flowers(out / "second")
    folder = out / "first" / "nothing"
    folder.mkdir()
    for number in range(NOTHINGS):
        painter = Painter(number, photos)
        painter.paint().save(folder / f"{number:04}.jpg", quality=painter.draw.randint(70, 95))
    shutil.copytree(folder, out / "second" / "nothing")
    copy_others(others, out / "second" / "nothing")


main()
