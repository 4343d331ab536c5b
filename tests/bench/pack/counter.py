"""Numbers from a counter, the same on the host as the kernel `seed` makes on the device."""
import numpy as np


def find(count, key, shift, half, step, mean, mask):
    """float32 number i is (hash of i and the key, its bits from `shift` on, minus `half`) · step +
    mean, which is exact, with the bits of `mask` alone."""
    with np.errstate(over="ignore"):
        h = np.arange(count, dtype=np.uint32) * np.uint32(0x9e3779b1) + np.uint32(key)
        h = (h ^ (h >> np.uint32(16))) * np.uint32(0x7feb352d)
        h = (h ^ (h >> np.uint32(15))) * np.uint32(0x846ca68b)
        h = h ^ (h >> np.uint32(16))
    number = (h >> np.uint32(shift)).astype(np.int64) - half
    values = (number * float(step) + float(mean)).astype(np.float32)
    return (values.view(np.uint32) & np.uint32(mask)).view(np.float32)


def words(begin, count, key, shift, half, step, mean, mask):
    """The kernel's parameters; begin: where number 0 goes, in float32s."""
    out = np.array([count, key, shift, half, 0, 0, mask, begin], np.uint32)
    out[4:6] = np.array([step, mean], np.float32).view(np.uint32)
    return out


def image(shape, key=1):
    """An image of numbers from -1.7 to 1.7."""
    count = int(np.prod(shape))
    return find(count, key, 8, 1 << 23, 1.75 * 2.0 ** -23, 0.0, 0xffffffff)
