"""Images with labels for each pixel from a list file, as DeepLab's ImageSegData layer brings them."""

from __future__ import absolute_import, division

import io
import os
import re

import numpy as np

import caffe

from .images import ImageError, read_image, read_label, resize_linear, resize_nearest
from .layer import TRAIN, PythonLayer, native

_WORD = re.compile(u'"([^"]+)"(?=[ \t\r\n\v\f]|$)|([^ \t\r\n\v\f]+)')
_INTEGER = re.compile(r"[-+]?\d+")


class ImageSegData(PythonLayer):
    """Tops data (N, C, h, w) BGR, label (N, 1, h, w), data_dim (N, 1, 1, 2): height and width before padding.

    The parameters are those of image_data_param and transform_param. One item: mirror (in TEST too), scale by one of
    scale_factors (image bilinear, label nearest), pad at the bottom and right up to the crop (data 0, label
    ignore_label), crop (TRAIN at random, TEST in the centre), (pixel - mean) scale. The label is, by label_type,
    ignore_label (NONE), the number that the list's second word begins with (IMAGE), or a file (PIXEL).

    Every draw depends on "seed" and the item's number alone; without a seed one is drawn from numpy.random. Of N
    processes that train together (BVLC's train.py) number r takes items r, r + N, ...; give them a seed, so that they
    shuffle alike. Images are read in the thread that trains, for Caffe computes while it holds Python's lock. The last
    two tops may be left out.
    """

    PARAMS = {
        "source": (str, ""),
        "root_folder": (str, ""),
        "batch_size": (int, 1),
        "rand_skip": (int, 0),
        "shuffle": (bool, False),
        "new_height": (int, 0),
        "new_width": (int, 0),
        "is_color": (bool, True),
        "apply_exif": (bool, False),
        "label_type": (("NONE", "IMAGE", "PIXEL"), "IMAGE"),
        "ignore_label": (int, 255),
        "scale": (float, 1.0),
        "mirror": (bool, False),
        "crop_size": (int, 0),
        "crop_height": (int, 0),
        "crop_width": (int, 0),
        "mean_value": ([float], []),
        "scale_factors": ([float], []),
        "seed": (int, None),
        "phase": (("TRAIN", "TEST"), None),
    }
    REQUIRED = ("source",)
    BOTTOMS = (0, 0)
    TOPS = (1, 3)

    def prepare(self, bottom, top):
        self._check()
        self.seed = np.random.randint(2**31 - 1) if self.p.seed is None else self.p.seed
        self.entries = self._read_list()
        self.size = self._size()
        self.table = self._value_table()
        self.skipped = self._random(0).randint(self.p.rand_skip) if self.p.rand_skip else 0
        #: items handed out so far, by this process
        self.position = 0
        self.rank, self.solvers = self._place_among_solvers()
        self.order = (None, None)

    def _place_among_solvers(self):
        """The number of this process among those that train together, and how many they are."""
        if not hasattr(caffe, "solver_rank") or self.phase_now() != TRAIN:  # pycaffe before 1.0 trains with one
            return 0, 1
        return caffe.solver_rank(), caffe.solver_count()

    def _check(self):
        p, channels = self.p, 3 if self.p.is_color else 1
        if p.batch_size < 1:
            self.refuse("batch_size is %d, expected a positive number" % p.batch_size)
        for pair in (("new_height", "new_width"), ("crop_height", "crop_width")):
            if bool(getattr(p, pair[0])) != bool(getattr(p, pair[1])):
                self.refuse("has only one of %s and %s" % pair)
        if p.crop_size and p.crop_height:
            self.refuse("has both crop_size and crop_height/crop_width")
        if len(p.mean_value) not in (0, 1, channels):
            self.refuse("has %d mean values for %d channels" % (len(p.mean_value), channels))
        if not all(factor > 0 for factor in p.scale_factors):
            self.refuse("scale_factors %s must be positive" % p.scale_factors)

    def _read_list(self):
        """(line, image, label) of each item, as paths; the label as its word where it is no file."""
        p, pixel = self.p, self.p.label_type == "PIXEL"
        try:
            with io.open(p.source, encoding="utf-8-sig") as lines:
                words = [[native(word) for word in _split(line)] for line in lines]
        except (IOError, UnicodeDecodeError) as error:
            self.refuse("cannot read the list, source: '%s': %s" % (p.source, error))
        if not any(words):
            self.refuse("%s: the list is empty; expected one '<image> <label>' per line" % p.source)
        entries = []
        for number, line in enumerate(words, 1):
            if len(line) < (1 if p.label_type == "NONE" else 2):
                self.refuse("%s:%d: expected '<image> <label>', got '%s'" % (p.source, number, " ".join(line)))
            label = p.root_folder + line[1] if pixel else "".join(line[1:2])
            entries.append((number, p.root_folder + line[0], label))
        self._check_files([(e[0], path) for e in entries for path in e[1 : 3 if pixel else 2]])
        return entries

    def _check_files(self, files):
        missing = [(number, path) for number, path in files if not os.path.isfile(path)]
        if missing:
            self.refuse(
                "%s:%d: %s does not exist (%d of %d files are missing); root_folder and the list's words are simply "
                "joined" % ((self.p.source,) + missing[0] + (len(missing), len(files)))
            )

    def _size(self):
        """Height and width of the tops: the crop, or the size of the first image."""
        if self.p.crop_height:
            return (self.p.crop_height, self.p.crop_width)
        if self.p.crop_size:
            return (self.p.crop_size, self.p.crop_size)
        return self._read_image(self.entries[0]).shape[:2]

    def _value_table(self):
        """(channels, 256): what each pixel value becomes, computed in double precision like DeepLab's."""
        means = np.zeros(3 if self.p.is_color else 1)
        means[:] = self.p.mean_value if self.p.mean_value else 0.0
        return ((np.arange(256.0) - means[:, None]) * self.p.scale).astype(np.float32)

    def reshape(self, bottom, top):
        shapes = ((len(self.table),) + self.size, (1,) + self.size, (1, 1, 2))
        for i in range(len(top)):
            top[i].reshape(self.p.batch_size, *[int(d) for d in shapes[i]])

    def forward(self, bottom, top):
        tops = [top[i].data for i in range(len(top))]
        for place in range(self.p.batch_size):
            item = self._item((self.position + place) * self.solvers + self.rank)
            for array, value in zip(tops, item):
                array[place] = value
        self.position += self.p.batch_size

    # -- one item

    def _random(self, *numbers):
        return np.random.RandomState((self.seed % 2**32,) + numbers)

    def _entry(self, number):
        """The list's entry of item `number`: wrapping round, shuffled anew for each pass, some skipped."""
        epoch, place = divmod(number + self.skipped, len(self.entries))
        if not self.p.shuffle:
            return self.entries[place]
        if self.order[0] != epoch:
            self.order = (epoch, self._random(1, epoch).permutation(len(self.entries)))
        return self.entries[self.order[1][place]]

    def _item(self, number):
        """Data (C, h, w), label (1, h, w) and dims of one item."""
        entry = self._entry(number)
        image = self._read_image(entry)
        label = self._read_label(entry, image)
        dims = np.minimum(self.size, image.shape[:2]).reshape(1, 1, 2)
        random = self._random(2, number)
        mirrored = self.p.mirror and random.randint(2)
        if self.p.scale_factors:
            factor = self.p.scale_factors[random.randint(len(self.p.scale_factors))]
            image, label = _rescale(image, label, factor)
        image, label = self._crop(entry, image, label, random)
        rows, columns = label.shape
        data = np.zeros((len(self.table),) + tuple(self.size), np.float32)
        classes = np.full((1,) + tuple(self.size), self.p.ignore_label, np.float32)
        for channel, table in enumerate(self.table):
            data[channel, :rows, :columns] = table[image[:, :, channel]]
        classes[0, :rows, :columns] = label
        return (data[:, :, ::-1], classes[:, :, ::-1], dims) if mirrored else (data, classes, dims)

    def _crop(self, entry, image, label, random):
        """The window that fits into the tops; smaller images stay whole (they are padded afterwards)."""
        room = [have - want for have, want in zip(label.shape, self.size)]
        if not (self.p.crop_size or self.p.crop_height):
            if min(room) < 0:
                sizes = label.shape[::-1] + tuple(self.size)[::-1]
                self._refuse_entry(entry, "%dx%d pixels, smaller than the first image, %dx%d; state crop_size" % sizes)
            top = left = 0
        elif self.phase_now() == TRAIN:
            top, left = [random.randint(max(0, r) + 1) for r in room]
        else:
            top, left = [max(0, r) // 2 for r in room]
        window = slice(top, top + self.size[0]), slice(left, left + self.size[1])
        return image[window], label[window]

    def _read_image(self, entry):
        try:
            image = read_image(entry[1], self.p.is_color, self.p.apply_exif)
        except ImageError as error:
            self._refuse_entry(entry, str(error))
        if self.p.new_height:
            image = resize_linear(image, self.p.new_height, self.p.new_width)
        return image

    def _read_label(self, entry, image):
        """(H, W) uint8."""
        if self.p.label_type != "PIXEL":
            word = _INTEGER.match(entry[2])
            value = self.p.ignore_label if self.p.label_type == "NONE" else int(word.group()) if word else 0
            return np.full(image.shape[:2], min(max(value, 0), 255), np.uint8)
        try:
            label = read_label(entry[2])
        except ImageError as error:
            self._refuse_entry(entry, str(error))
        if self.p.new_height:
            label = resize_linear(label[:, :, None], self.p.new_height, self.p.new_width)[:, :, 0]
        if label.shape != image.shape[:2]:
            shapes = (entry[2],) + label.shape[::-1] + (entry[1],) + image.shape[1::-1]
            self._refuse_entry(entry, "label %s is %dx%d pixels, its image %s %dx%d; they must be of one size" % shapes)
        return label

    def _refuse_entry(self, entry, message):
        self.refuse("%s:%d: %s" % (self.p.source, entry[0], message))


def _split(line):
    """The words of a line of a list: they end at a blank; those in quotes may have blanks."""
    return [quoted or plain for quoted, plain in _WORD.findall(line)]


def _rescale(image, label, factor):
    """Image by bilinear interpolation, label by nearest neighbour, to the truncated size (in float32, as C++ does)."""
    if factor == 1:
        return image, label
    rows, columns = (max(1, int(np.float32(size) * np.float32(factor))) for size in label.shape)
    return resize_linear(image, rows, columns), resize_nearest(label, rows, columns)
