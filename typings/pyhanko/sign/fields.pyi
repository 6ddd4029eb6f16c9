from enum import Enum

class SigSeedSubFilter(Enum):
    PADES = "/ETSI.CAdES.detached"

class SigFieldSpec:
    def __init__(self, sig_field_name: str) -> None: ...
