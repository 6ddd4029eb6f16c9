from typing import Self

class TimeStampReq:
    def dump(self) -> bytes: ...

class TimeStampResp:
    @classmethod
    def load(cls, encoded_data: bytes) -> Self: ...
