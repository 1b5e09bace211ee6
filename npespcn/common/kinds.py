"""What a file is that is no image, or none that can be read here, and what to do with it."""

from __future__ import annotations

import importlib.util
import os
import re
from collections.abc import Mapping
from typing import Any

_HEAD = 4096  # bytes of a file that tell its kind

# Each row: what it begins with (a pattern), its suffixes, what it is and what to do.
_HEIC = (
    rb"....ftyp(hei[cmsx]|hev[cmsx]|m[is]f1)(?!.{0,40}avi[fs])",
    ".heic .heics .heif .heifs .hif",
    "HEIC, the format of iPhones: pip install 'npespcn[heic]' reads it, or save it as JPEG",
)
_RAW = (
    rb"FUJIFILMCCD-RAW|II(RO|RS|U\0)|MMOR|FOVb|\0MRM|II.{4}HEAP|(II\*\0|MM\0\*).{4}CR|....ftypcrx ",
    ".3fr .arw .cr2 .cr3 .crw .dcr .dng .erf .fff .gpr .iiq .kdc .mef .mos .mrw .nef .nrw .orf "
    ".pef .raf .raw .rw2 .rwl .sr2 .srf .srw .x3f",
    "a raw photograph: develop it first, to TIFF or PNG",
)
_PICTURES = (
    _HEIC,
    _RAW,
    (rb"....ftyp(avi[fs]|m[is]f1)", ".avif .avifs",
        "AVIF, which is damaged, or which this Pillow was built without: save it as PNG"),
    (rb"\xff\x0a|\0\0\0\x0cJXL ", ".jxl", "JPEG XL: save it as PNG first (djxl IN.jxl OUT.png)"),
    (rb"II\xbc|v/1\x01|#\?(RADIANCE|RGBE)", ".exr .hdp .hdr .jxr .wdp",
        "a picture of high dynamic range: save it as PNG, with a tone curve"),
    (rb"AT&TFORM|BPG\xfb|FLIF|\x8aMNG|\x8bJNG|\x97JB2|\xff\xd8\xff\xf7",
        ".bpg .djv .djvu .flif .jb2 .jbig2 .jls .jng .mng",
        "an image in a format that is not read: save it as PNG"),
)  # fmt: skip
_BROKEN = "damaged, cut short, or of a rare kind"
_OTHERS = (
    (rb"(?!.{0,200}(?i:<html|<!doctype html))\xef?\xbb?\xbf?\s*<(.{0,2000}<)?(\w+:)?svg\b",
        ".svg .svgz",
        "SVG, a drawing of any size: export it as PNG, at the size you want"),
    (rb"%!PS|\xc5\xd0\xd3\xc6|\xd7\xcd\xc6\x9a|\x01\0\0\0.{36} EMF",
        ".ai .cdr .dwg .dxf .emf .eps .ps .wmf",
        "a drawing of any size, or a program that draws it: export it as PNG"),
    (rb"gimp xcf|8BPS\0\x02|Paint Shop Pro Image|BLENDER|SQLite format",
        ".afdesign .afphoto .clip .kra .ora .pdn .procreate .psb .psp .pspimage .sketch .xcf",
        "a drawing program's own file: export it as PNG or TIFF"),
    (rb"SIMPLE  =|.{128}DICM|\x89HDF|CDF[\x01\x02]|GRIB|BUFR",
        ".dcm .fit .fits .fts .h5 .hdf5 .nc .nii",
        "measured data, without an agreed black and white: save it as PNG of 16 bits"),
    (rb".{0,1000}%PDF-", ".pdf", "a PDF document: save its pages as PNG first (pdftoppm -png)"),
    (rb"\xef?\xbb?\xbf?\s*(<\?xml.{0,100}?>\s*)?(?i:<(!doctype html|html|head|body|script))",
        ".htm .html .mht .mhtml",
        "a web page, not the picture on it: save the picture itself"),
    (rb"\xd0\xcf\x11\xe0|\{\\rtf",
        ".doc .docx .epub .key .numbers .odp .ods .odt .pages .ppt .pptx .rtf .xls .xlsx",
        "a document: save the pictures in it first"),
    (rb"ID3|OggS|fLaC|RIFF....WAVE|....ftypM4A", ".aac .flac .m4a .mp3 .ogg .opus .wav",
        "sound, without a picture"),
    (rb"....(ftyp|moov|mdat|wide)|\x1a\x45\xdf\xa3|RIFF....AVI |FLV\x01|\x30\x26\xb2\x75\x8e\x66"
        rb"|\0\0\x01[\xb3\xba]|G.{187}G", "", "a video: give it a suffix such as .mp4 or .mkv"),
    (rb"version https://git-lfs", "", "a pointer of Git LFS: git lfs pull fetches the file"),
    (rb"\[InternetShortcut|L\0\0\0\x01\x14\x02\0", ".lnk .url .webloc",
        "a shortcut: give the file that it leads to"),
    (rb"\x89PNG\r\n|\xff\xd8\xff|GIF8[79]a|RIFF....WEBP|8BPS|\0\0\0\x0cjP  ", "", _BROKEN),
)  # fmt: skip
_LAST = (  # a suffix may tell better what is inside
    (rb"PK\x03\x04|\x1f\x8b|BZh|\xfd7zXZ|\x28\xb5\x2f\xfd|7z\xbc\xaf|Rar!|.{257}ustar",
        ".7z .bz2 .cbr .cbz .gz .rar .tar .tgz .xz .zip .zst",
        "an archive, or a document that is one: unpack it first"),
    (rb"II\*\0|MM\0\*", "", _BROKEN),
)  # fmt: skip
_SUBFILE_TYPE, _SUB_IFDS = 254, 330  # tags of TIFF
_OF_CAMERAS = (0xC612, 0x9216, 0x828D)  # DNGVersion, TIFF/EPStandardID, CFARepeatPatternDim
RAW = _RAW[2]
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+:/|data:|www\.", re.IGNORECASE)  # C:\ has one letter


def kind_of(path: str | os.PathLike[str]) -> str:
    """Return what a file is and what to do, by its content or else by its suffix, if it is known.

    Examples
    --------
    >>> kind_of("nothing.docx")
    'a document: save the pictures in it first'
    """
    try:
        with open(path, "rb") as file:
            head = file.read(_HEAD)
    except OSError:
        head = b"?"
    if not head:
        return "it is empty"
    sure, unsure = (
        next((what for begins, _, what in rows if re.match(begins, head, re.DOTALL)), "")
        for rows in (_PICTURES + _OTHERS, _LAST)
    )
    what = sure or kind_by_suffix(path) or unsure
    if what == _HEIC[2] and importlib.util.find_spec("pillow_heif"):
        return "HEIC, damaged or cut short"
    return what


def kind_by_suffix(path: str | os.PathLike[str]) -> str:
    """Return what a file is and what to do, by its suffix, if it is known."""
    return _by_suffix(path, _PICTURES + _OTHERS + _LAST)


def unread_picture(path: str | os.PathLike[str]) -> str:
    """Return the same, if it is a picture of pixels in a format that is not read.

    Examples
    --------
    >>> unread_picture("IMG_1.CR3"), unread_picture("drawing.svg")
    ('a raw photograph: develop it first, to TIFF or PNG', '')
    """
    return _by_suffix(path, _PICTURES)


def is_raw(tags: Mapping[int, Any]) -> bool:
    """Return whether a TIFF with these tags is a raw photograph, of which a preview comes first."""
    kind = tags.get(_SUBFILE_TYPE)
    is_thumbnail = isinstance(kind, int) and kind & 1 == 1 and _SUB_IFDS in tags
    return is_thumbnail or any(tag in tags for tag in _OF_CAMERAS)


def is_address(name: str) -> bool:
    """Return whether a name looks like an address on the network, not like a file's.

    Examples
    --------
    >>> is_address("https://example.com/a.jpg"), is_address("C:/photos/a.jpg")
    (True, False)
    """
    return _ADDRESS.match(name) is not None


def _by_suffix(path: str | os.PathLike[str], rows: tuple[tuple[bytes, str, str], ...]) -> str:
    suffix = os.path.splitext(os.fsdecode(path))[1].lower()
    return next((what for _, suffixes, what in rows if suffix and suffix in suffixes.split()), "")
