"""References to the user's own code: ``my_space.py:Tower`` or ``package.module:function``, found again anywhere."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
import zlib
from dataclasses import dataclass
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from rapid_moo.errors import InputError


class _Source(SourceFileLoader):
    """Compiles a file each time: kept bytecode of an edit in the same second would be taken for the present one."""

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        code: CodeType = self.source_to_code(self.get_data(path), path)
        return code


@dataclass(frozen=True)
class Reference:
    """An object of the user's in a file or an importable module; calling it calls the object.

    It can be sent to another process, which loads the file itself.

    Parameters
    ----------
    where : str
        A file's absolute path, or a module's name.
    attribute : str
        Name of the object in it.
    """

    where: str
    attribute: str

    @classmethod
    def parse(cls, text: str, folder: Path | None = None) -> Reference:
        """Parse ``FILE.py:NAME`` or ``package.module:NAME``; a relative file lies in the folder (the current one)."""
        where, separator, attribute = text.rpartition(":")
        if not separator or not where or not attribute:
            raise InputError(f"{text!r}: expected FILE.py:NAME or package.module:NAME")
        if where.endswith(".py"):
            path = ((folder or Path.cwd()) / where).resolve()
            if not path.is_file():
                raise InputError(f"{text!r}: expected a Python file, found nothing at {path}")
            where = str(path)
        return cls(where, attribute)

    def load(self) -> Any:
        """The object.

        Raises
        ------
        InputError
            If there is no such module or object. What the user's file itself raises when it is loaded comes as it is.
        """
        module = self._module()
        found: Any = module
        for part in self.attribute.split("."):
            if not hasattr(found, part):
                names = ", ".join(name for name in vars(module) if not name.startswith("_"))
                raise InputError(f"{self}: expected a name in {self.where}, one of {names}; got {self.attribute!r}")
            found = getattr(found, part)
        return found

    def _module(self) -> ModuleType:
        if not self.where.endswith(".py"):
            if "" not in sys.path:
                sys.path.insert(0, "")
            try:
                return importlib.import_module(self.where)
            except ModuleNotFoundError as error:
                # A module that the user's own imports is his bug and shown as it is.
                if error.name is not None and self.where.split(".")[: error.name.count(".") + 1] == error.name.split(
                    "."
                ):
                    raise InputError(
                        f"{self}: expected an importable module, found none named {error.name!r}"
                    ) from error
                raise
        path = Path(self.where)
        name = f"_user_{path.stem}_{zlib.crc32(self.where.encode()):08x}"
        if name in sys.modules:
            return sys.modules[name]
        if not path.is_file():
            raise InputError(f"{self}: expected a Python file, found nothing at {path}")
        if str(path.parent) not in sys.path:
            # Its neighbours can be imported, as if it were run as a script.
            sys.path.insert(0, str(path.parent))
        spec = importlib.util.spec_from_file_location(name, path, loader=_Source(name, str(path)))
        if spec is None or spec.loader is None:
            raise InputError(f"{self}: expected a Python file, got {path}")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[name]
            raise
        return module

    @property
    def __signature__(self) -> inspect.Signature:
        # What the object wants to be called with is asked of this one, which stands for it.
        return inspect.signature(self.load())

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the object."""
        return self.load()(*args, **kwargs)

    def __str__(self) -> str:
        return f"{self.where}:{self.attribute}"


def is_reference(text: str) -> bool:
    """Whether a text can only be meant as a reference: one word that ends in ``:NAME`` of a module or Python file."""
    where, separator, attribute = text.rpartition(":")
    if not separator or any(character.isspace() for character in text):
        return False
    named = all(part.isidentifier() for part in attribute.split("."))
    return named and (where.endswith(".py") or all(part.isidentifier() for part in where.split(".")))
