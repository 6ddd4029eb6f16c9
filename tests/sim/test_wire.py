import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.twin.wire import (
    Framing,
    Heartbeat,
    Logon,
    Logout,
    MarketData,
    Mdgw,
    Message,
    Other,
    Szse,
    Tdgw,
    WireError,
    checksum,
    fingerprint,
    framing,
)

FORMATS = [Szse, Tdgw, Mdgw]
WORD = st.text(alphabet="ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", min_size=1, max_size=16)
LOGONS = st.builds(Logon, WORD, st.integers(1, 60), WORD, WORD, st.sampled_from(["standard", "gm"]))
LOGOUTS = st.builds(Logout, st.integers(0, 20000), st.text(alphabet="abc xyz", max_size=60).map(str.rstrip))


def test_szse_heartbeat_has_the_published_bytes() -> None:
    assert Szse().encode(Heartbeat()).hex() == "000000030000000000000003"


def test_tdgw_heartbeat_with_sequence_one_has_the_published_bytes() -> None:
    assert Tdgw().encode(Heartbeat()).hex() == "0000002100000000000000010000000000000022"


@pytest.mark.parametrize(
    ("form", "size"), [(Szse, 8 + 20 + 20 + 4 + 16 + 32 + 4), (Tdgw, 16 + 32 + 32 + 2 + 8 + 4 + 4 + 4)]
)
def test_a_logon_has_the_published_length(form: type[Framing], size: int) -> None:
    assert len(form().encode(Logon("W100200", 5))) == size


def test_tdgw_numbers_its_messages() -> None:
    tdgw = Tdgw()
    first, second = tdgw.encode(Heartbeat()), tdgw.encode(Heartbeat())
    assert (first[11], second[11]) == (1, 2)


def test_mdgw_types_are_four_characters() -> None:
    mdgw = Mdgw()
    assert [mdgw.encode(message)[:4] for message in (Logon("M60010", 5), Logout(0), Heartbeat())] == [
        b"S001",
        b"S002",
        b"S003",
    ]


def test_a_checksum_is_the_sum_of_bytes_modulo_256() -> None:
    assert checksum(bytes([255, 2])) == 1


@pytest.mark.parametrize("form", FORMATS)
@given(messages=st.lists(st.one_of(LOGONS, LOGOUTS, st.just(Heartbeat())), max_size=5), cut=st.integers(1, 40))
def test_what_is_encoded_is_read_again_however_the_stream_is_cut(
    form: type[Framing], messages: list[Message], cut: int
) -> None:
    sender, receiver = form(), form()
    stream = b"".join(sender.encode(message) for message in messages)
    read = [message for at in range(0, len(stream), cut) for message in receiver.feed(stream[at : at + cut])]
    assert read == messages
    assert [type(message) for message in read] == [type(message) for message in messages]


@pytest.mark.parametrize("service", ["market-data-tcp", "market-data-multicast", "mdgw"])
def test_market_data_carries_its_sequence(service: str) -> None:
    assert framing(service).feed(framing(service).encode(MarketData(2**40))) == [MarketData(2**40)]


def test_the_trading_format_has_no_market_data() -> None:
    with pytest.raises(WireError, match="Tdgw has no MarketData"):
        Tdgw().encode(MarketData(1))


@pytest.mark.parametrize("form", FORMATS)
def test_a_flipped_bit_is_noticed(form: type[Framing]) -> None:
    data = bytearray(form().encode(Logon("W100200", 5)))
    data[form.header.size + 3] ^= 1
    with pytest.raises(WireError, match="expected checksum"):
        form().feed(bytes(data))


def test_a_body_that_is_too_long_is_an_error_at_once() -> None:
    with pytest.raises(WireError, match="at most 4096"):
        Szse().feed(bytes.fromhex("00000003 7fffffff"))


def test_a_body_of_the_wrong_length_is_an_error() -> None:
    data = bytes.fromhex("00000001 00000002 0000")
    with pytest.raises(WireError, match="message 1"):
        Szse().feed(data + checksum(data).to_bytes(4, "big"))


def test_a_message_of_an_unknown_type_is_passed_over_by_its_name() -> None:
    data = bytes.fromhex("000000ff 00000000")
    assert Szse().feed(data + checksum(data).to_bytes(4, "big")) == [Other("255")]


def test_a_number_that_does_not_fit_is_never_cut() -> None:
    with pytest.raises(WireError, match="at most 20 bytes"):
        Szse().encode(Logon("W" * 21, 5))


def test_two_certificates_have_two_fingerprints() -> None:
    assert fingerprint("sse-td-1-ekey") != fingerprint("sse-td-1-file")
    assert len(fingerprint("sse-td-1-ekey")) == 16
