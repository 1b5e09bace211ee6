"""Frames of GIF and animated PNG, drawn one over another as their standards say.

Pillow draws them too, but not all of them right: a first frame that is smaller than the picture,
pixels that are half transparent, or the place of a frame that is to vanish. So its own drawing is
switched off here, and it reads the pixels of one frame at a time.
"""

from __future__ import annotations

from typing import Any

from PIL import Image


class Canvas:
    """What the frames of an opened file have drawn so far.

    Parameters
    ----------
    image
        As Pillow opened it. In formats other than GIF and animated PNG, Pillow draws.
    """

    def __init__(self, image: Any) -> None:
        self.image = image
        self.pixels: Image.Image | None = None  # then RGBA
        animated = image.format == "PNG" and getattr(image, "is_animated", False)
        self.is_needed = image.format == "GIF" or animated

    def seek(self, number: int) -> None:
        """Go to a frame, from the one before it. Its pixels are read later, without others."""
        image = self.image
        if image.format == "GIF" and number:
            image.disposal_method = 0  # else a frame that says nothing has that of the one before
        image.seek(number)
        image.dispose = image._prev_im = None
        if image.format == "GIF" and number:
            image.im, image._mode = Image.new("RGBA", image.size).im, "RGBA"

    def draw(self, frame: Image.Image) -> Image.Image:
        """Draw the pixels of a frame, in a plain mode of 8 bits; return what is seen then.

        Pillow has drawn a later frame with those before it, if it was not sought by this class.
        """
        image, info = self.image, self.image.info
        if self.pixels is None and image.tell() != getattr(image, "default_image", 0):
            return frame
        if image.format == "GIF":
            box, over, after = image.dispose_extent, image.tell() > 0, image.disposal_method
        else:  # whose numbers of what comes after a frame begin with 0
            box, over, after = info["bbox"], info["blend"] == 1, info["disposal"] + 1
        self.pixels = self.pixels or Image.new("RGBA", image.size)
        seen = self.pixels.copy() if after in (3, 4) else self.pixels  # what was there comes back
        if over:
            layer = Image.new("RGBA", seen.size)
            layer.paste(frame.crop(box).convert("RGBA"), box[:2])
            seen.alpha_composite(layer)
        else:
            seen.paste(frame.crop(box).convert("RGBA"), box[:2])
        mode = "LA" if frame.mode[0] == "L" else "RGBA"
        opaque = seen.getchannel("A").getextrema() == (255, 255)
        result = seen.convert(mode[:-1] if opaque else mode)  # a copy
        if after == 2:
            seen.paste((0, 0, 0, 0), box)
        return result
