"""After an incident a file's own previous bytes wait on its host until the way home has put them back."""

from tests.playbooks.harness import Vendor
from tests.playbooks.vendor.front import Front


def kept(vendor: Vendor) -> list[str]:
    folder = vendor.folder / "work-kept"
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def test_the_bytes_come_home_although_the_list_alone_would_give_others(vendor: Vendor, fronts: list[Front]) -> None:
    original, digest, old = vendor.original, vendor.sha256(), vendor.endpoints()
    assert vendor.ask("repoint", endpoints=[fronts[2].endpoint], rollback=False)["outcome"] == "succeeded"
    left = vendor.sha256()
    assert vendor.ask("cleanup", keep_originals=True)["changed"] is True
    assert not (vendor.folder / "work").exists()
    assert [name.endswith(digest) for name in kept(vendor)] == [True]

    later = {"run": "20250301T110000-test-0002", "token": 1}
    assert vendor.ask("preflight", **later)["outcome"] == "succeeded"
    more = {"restore_sha256": digest, "expected_sha256": left, "endpoints": [old[-1]]}
    result = vendor.ask("restore", **later, **more)
    assert result["outcome"] == "succeeded", result["message"]
    assert vendor.config.read_bytes() == original

    name = kept(vendor)[0].removeprefix("original-").rpartition("-")[0]
    assert vendor.ask("cleanup", **later, forget_originals=["another"])["outcome"] == "succeeded"
    assert len(kept(vendor)) == 1
    assert vendor.ask("cleanup", **later, forget_originals=[name])["residue"] == []
    assert not (vendor.folder / "work-kept").exists()


def test_a_run_that_knows_nothing_of_it_leaves_it_alone_and_shows_it(vendor: Vendor, fronts: list[Front]) -> None:
    vendor.ask("repoint", endpoints=[fronts[2].endpoint], rollback=False)
    vendor.ask("cleanup", keep_originals=True)
    later = {"run": "20250301T110000-test-0002", "token": 1}
    vendor.ask("preflight", **later)
    assert vendor.ask("cleanup", **later)["outcome"] == "succeeded"
    assert len(kept(vendor)) == 1
    assert any("work-kept/original-" in line for line in vendor.ask("state", **later)["residue"])
