"""nftables in a namespace by libnftables, in this process: a rule stands within a millisecond."""

import ctypes
from functools import cache

from orchestrator.twin.netns import Namespaces

LIBRARY = "libnftables.so.1"


@cache
def _library() -> ctypes.CDLL:
    library = ctypes.CDLL(LIBRARY)
    library.nft_ctx_new.restype = ctypes.c_void_p
    for name in ("nft_ctx_get_output_buffer", "nft_ctx_get_error_buffer"):
        getattr(library, name).restype = ctypes.c_char_p
        getattr(library, name).argtypes = [ctypes.c_void_p]
    for name in ("nft_ctx_buffer_output", "nft_ctx_buffer_error"):
        getattr(library, name).argtypes = [ctypes.c_void_p]
    library.nft_run_cmd_from_buffer.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
    return library


class Nft:
    """Runs nft commands in the namespaces of the twin. A context belongs to the namespace it was made in."""

    def __init__(self, namespaces: Namespaces) -> None:
        self._namespaces = namespaces
        self._contexts: dict[str, int] = {}

    def run(self, space: str, command: str) -> str:
        """Run one transaction of nft commands and return what they print. OSError says what nft said."""
        library, context = _library(), self._context(space)
        if library.nft_run_cmd_from_buffer(context, command.encode()):
            raise OSError(f"nft in {space}: {library.nft_ctx_get_error_buffer(context).decode().strip()}")
        return str(library.nft_ctx_get_output_buffer(context).decode())

    def _context(self, space: str) -> int:
        if space not in self._contexts:
            library = _library()
            with self._namespaces.inside(space):
                context = library.nft_ctx_new(0)
            library.nft_ctx_buffer_output(context)
            library.nft_ctx_buffer_error(context)
            self._contexts[space] = context
        return self._contexts[space]
