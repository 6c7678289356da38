"""Files as folders of pictures have them: odd ones that are pictures nevertheless, and what is none."""

import os
import struct
import zlib

import numpy as np
from PIL import Image

RED, WHITE = (200, 30, 30), (255, 255, 255)


def chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width, height, content):
    """A PNG of grey values that says it is of any size."""
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", content) + chunk(b"IEND", b"")


def write_odd_files(folder):
    """Writes them; by name the colour of the upper left pixel, or a part of the reason why it is no picture."""
    folder.mkdir()
    red, found = Image.new("RGB", (20, 10), RED), {}

    def saved(name, picture, colour, **options):
        picture.save(folder / name, **options)
        found[name] = colour

    saved("plain.png", red, RED)
    saved("plain.bmp", red, RED)
    saved("plain.webp", red, RED, lossless=True)
    saved("progressive.jpg", red, RED, progressive=True, quality=100, subsampling=0)
    saved("cmyk.jpg", red.convert("CMYK"), RED, quality=100)
    saved("cmyk.tif", red.convert("CMYK"), RED)
    saved("lab.tif", Image.new("LAB", (9, 9), (255, 128, 128)), WHITE)
    saved("grey.png", Image.new("L", (9, 9), 70), (70,) * 3)
    saved("grey_alpha.png", Image.new("LA", (9, 9), (70, 0)), WHITE)
    saved("one_bit.png", Image.new("1", (9, 9), 1), WHITE)
    saved("palette.png", red.quantize(4), RED)
    saved("palette_transparent.png", red.quantize(4), WHITE, transparency=red.quantize(4).getpixel((0, 0)))
    saved("colour_transparent.png", red, WHITE, transparency=RED)
    saved("alpha.png", Image.new("RGBA", (9, 9), (*RED, 0)), WHITE)
    saved("half_alpha.png", Image.new("RGBA", (9, 9), (0, 0, 0, 128)), (127,) * 3)
    saved("16_bits.png", Image.fromarray(np.full((9, 9), 257 * 70, np.uint16)), (70,) * 3)
    saved("16_bits.tif", Image.fromarray(np.full((9, 9), 257 * 70, np.uint16)), (70,) * 3)
    saved("32_bits.tif", Image.fromarray(np.full((9, 9), 70, np.int32)), (70,) * 3)
    saved("one_pixel.png", Image.new("RGB", (1, 1), RED), RED)
    saved("thread.png", Image.new("RGB", (1, 5000), RED), RED)
    other = Image.new("RGB", (20, 10), (0, 0, 255))
    saved("animation.gif", red, RED, save_all=True, append_images=[other])
    saved("animation.webp", red, RED, save_all=True, append_images=[other], lossless=True)
    saved("animation.png", red, RED, save_all=True, append_images=[other])
    saved("pages.tif", red, RED, save_all=True, append_images=[other])
    turned = Image.new("RGB", (20, 10), WHITE)
    turned.paste(RED, (0, 5, 20, 10))  # red below; upright, a quarter turn clockwise, it is on the left
    exif = Image.Exif()
    exif[0x0112] = 6
    saved("turned.jpg", turned, RED, exif=exif, quality=100, subsampling=0)
    saved("broken_exif.jpg", red, RED, exif=b"Exif\0\0MM\0*\xff\xff\xff\xff", quality=100, subsampling=0)
    saved("png_called.jpg", red, RED, format="PNG")
    saved("without_suffix", red, RED, format="PNG")
    saved("ein Bär, 'quoted'.png", red, RED)
    (folder / "link.png").symlink_to("plain.png")
    found["link.png"] = RED

    whole = (folder / "progressive.jpg").read_bytes()
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8))
    noise.save(folder / "truncated.png")
    bad = {
        "truncated.jpg": (whole[: len(whole) // 2], "is no whole picture"),
        "truncated.png": ((folder / "truncated.png").read_bytes()[:3000], "truncated"),
        "empty.png": (b"", "is empty"),
        "text.jpg": (b"no picture at all", "no format that Pillow knows"),
        "page.png": (b"<!DOCTYPE html><html>404</html>", "no format that Pillow knows"),
        "archive.png": (b"PK\x03\x04" + bytes(40), "no format that Pillow knows"),
        "drawing.svg": (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "no format that Pillow knows"),
        "without_rows.png": (png(9, 9, zlib.compress(b"")), "is no whole picture"),
        "bomb.png": (png(60_000, 60_000, zlib.compress(bytes(1000))), "179 million"),
    }
    for name, (content, why) in bad.items():
        (folder / name).write_bytes(content)
        found[name] = why
    Image.fromarray(np.full((9, 9), 0.5, np.float32)).save(folder / "floats.tif")
    (folder / "broken_link.png").symlink_to("nowhere.png")
    os.mkfifo(folder / "pipe.png")
    return found | {"floats.tif": "floating-point", "broken_link.png": "not there", "pipe.png": "is no file"}
