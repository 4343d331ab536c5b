"""Which models a shared library has: its symbols NAME_model, read from the file.

    ELF header -> section headers -> .dynsym, and the names that it points to

A file that was cut off is found here, since linkers put the section headers at its end. Loading it
would end the process.
"""
from __future__ import annotations

import struct
from typing import BinaryIO, Iterator, List, Tuple

from ._errors import LoadError

_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SECTION = struct.Struct("<IIQQQQIIQQ")
_SYMBOL = struct.Struct("<IBBHQQ")
_SHARED_OBJECT, _X86_64, _DYNSYM, _OBJECT = 3, 62, 11, 1
_SUFFIX = "_model"


def _read(file: BinaryIO, offset: int, size: int) -> bytes:
    file.seek(offset)
    data = file.read(size)
    if len(data) != size:
        raise LoadError(f"{file.name}: the file is cut off")
    return data


def _sections(file: BinaryIO) -> List[Tuple[int, ...]]:
    """The section headers: (name, type, flags, address, offset, size, link, ...)."""
    start = file.read(_HEADER.size)
    if len(start) < _HEADER.size or start[:6] != b"\x7fELF\x02\x01":
        raise LoadError(f"{file.name}: must be a shared library for 64-bit x86, found another file")
    header = _HEADER.unpack(start)
    kind, machine, offset, entry_size, count = (header[i] for i in (1, 2, 6, 11, 12))
    if kind != _SHARED_OBJECT or machine != _X86_64 or entry_size != _SECTION.size:
        raise LoadError(f"{file.name}: must be a shared library for 64-bit x86, found another kind "
                        "of ELF file; `sanc compile --emit shared` makes one")
    table = _read(file, offset, count * _SECTION.size)
    return list(_SECTION.iter_unpack(table))


def _exported_objects(file: BinaryIO) -> Iterator[str]:
    sections = _sections(file)
    for section in sections:
        if section[1] != _DYNSYM or section[6] >= len(sections):
            continue
        names = sections[section[6]]
        text = _read(file, names[4], names[5])
        size = section[5] - section[5] % _SYMBOL.size
        for name, info, _, index, _, _ in _SYMBOL.iter_unpack(_read(file, section[4], size)):
            if info & 15 == _OBJECT and index:
                yield text[name:text.index(b"\0", name)].decode("ascii", "replace")


def model_names(path: str) -> List[str]:
    """The names of the models in a shared library, sorted."""
    with open(path, "rb") as file:
        try:
            return sorted(symbol[:-len(_SUFFIX)] for symbol in _exported_objects(file)
                          if symbol.endswith(_SUFFIX))
        except ValueError:
            raise LoadError(f"{path}: its table of symbols is broken") from None
