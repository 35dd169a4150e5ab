"""Bundles are whole, of one piece, and the same as what was published; catalogues of them."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from influpath.data.ids import IdMap
from influpath.errors import ConfigError, DataError, ModelFileError, UnknownIdError
from influpath.files import read_json, write_json
from influpath.irn.model import IRN
from influpath.planning.objectives import Objective
from influpath.recommenders.bert4rec import BERT4Rec
from influpath.recommenders.sasrec import SASRec
from influpath.serving.bundles import publish as publishing
from influpath.serving.bundles.bundle import ABOUT, Bundle, fingerprint_of
from influpath.serving.bundles.publish import publish
from influpath.serving.engine.catalogue import Catalogue, TextIds
from influpath.serving.engine.engine import LocalEngine
from influpath.testing import tiny_dataset
from serving.engine.tiny_bundle import TINY, tiny_bundle


@pytest.fixture(scope="module")
def bundle(irn: IRN, sasrec: SASRec, bert4rec: BERT4Rec) -> Bundle:
    return tiny_bundle(irn, sasrec, bert4rec)


@pytest.fixture
def folder(bundle: Bundle, tmp_path: Path) -> Path:
    return publish(bundle, tmp_path, "default", "v1")


def test_a_bundle_reads_back_the_same(bundle: Bundle, folder: Path) -> None:
    read = Bundle.load(folder)
    assert (read.label, dict(read.dials)) == (bundle.label, dict(bundle.dials))
    assert read.planner.config == bundle.planner.config
    assert list(read.planners) == list(bundle.planners)
    assert next(iter(read.planners)) == "irn"
    assert read.dataset.fingerprint == bundle.dataset.fingerprint
    known = TINY.sequences
    for one, other in (
        (read.model, bundle.model),
        (read.plain, bundle.plain),
        (read.judge, bundle.judge),
    ):
        assert torch.equal(one.log_probs(known), other.log_probs(known))
    assert read.feasibility is not None
    assert bundle.feasibility is not None
    assert read.feasibility.to_dict() == bundle.feasibility.to_dict()
    assert read.longest == 6


def test_equal_bundles_have_equal_fingerprints(bundle: Bundle, folder: Path) -> None:
    again = publish(bundle, folder.parent, "other", "v2")
    assert Bundle.load(again).fingerprint == Bundle.load(folder).fingerprint
    other = publish(replace(bundle, dials={"irn": {"guidance": 2.0}}), folder.parent, "other", "v3")
    assert Bundle.load(other).fingerprint != Bundle.load(folder).fingerprint
    assert Catalogue.load(folder).fingerprint == Bundle.load(folder).fingerprint


def test_without_feasibility_everything_else_is_there(bundle: Bundle, tmp_path: Path) -> None:
    bare = publish(replace(bundle, feasibility=None), tmp_path, "default", "v1")
    assert Bundle.load(bare).feasibility is None
    # One that was put there later is no part of the bundle.
    assert bundle.feasibility is not None
    bundle.feasibility.save(bare / "model")
    assert Bundle.load(bare).feasibility is None


def test_any_damage_is_refused_in_one_sentence(folder: Path) -> None:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    assert len(files) > 8
    for path in files:
        content = path.read_bytes()
        for damaged in (content[:-3], content[: len(content) // 2], b"", b"{}"):
            path.write_bytes(damaged)
            with pytest.raises(ModelFileError) as caught:
                Bundle.load(folder)
            assert str(folder) in str(caught.value)
            assert "\n" not in str(caught.value)
        path.unlink()
        with pytest.raises(ModelFileError):
            Bundle.load(folder)
        path.write_bytes(content)
    Bundle.load(folder)
    about = (folder / ABOUT).read_text()
    (folder / ABOUT).write_text(about.replace('"guidance": 3.0', '"guidance": 9.0'))
    with pytest.raises(ModelFileError, match="its own checksum"):
        Bundle.load(folder)


@pytest.mark.parametrize(
    "change",
    [
        {"files": {"../outside": "0" * 64}},
        {"files": {"model/weights.safetensors": "x"}},
        {"planner": "direct"},
        {"planner": "spaceship"},
        {"dials": {"irn": {"guidance": "loud"}}},
        {"format": "influpath-bundle-0"},
        {"more": 1},
    ],
)
def test_what_a_bundle_says_of_itself_is_checked(folder: Path, change: dict[str, object]) -> None:
    about = read_json(folder / ABOUT)
    del about["fingerprint"]
    about |= change
    write_json(folder / ABOUT, {**about, "fingerprint": fingerprint_of(about)})
    with pytest.raises(ModelFileError):
        Bundle.load(folder)


def test_parts_that_do_not_fit_together_are_refused(bundle: Bundle) -> None:
    others = replace(TINY, items=IdMap([f"x{n}" for n in range(24)], 1, "item"))
    with pytest.raises(ModelFileError, match="other items than its dataset"):
        replace(bundle, dataset=others)
    stranger = SASRec(embedding_size=8, training={"epochs": 1}).fit(tiny_dataset(seed=5))
    with pytest.raises(ModelFileError, match="calibrated for a model"):
        replace(bundle, model=stranger, label="rec2inf/sasrec")


def test_a_version_never_changes(bundle: Bundle, folder: Path) -> None:
    with pytest.raises(ConfigError, match="is there already"):
        publish(bundle, folder.parents[1], "default", "v1")
    for tenant, version in (("..", "v1"), ("a/b", "v1"), ("default", ".v1"), ("default", "")):
        with pytest.raises(ConfigError, match="takes letters"):
            publish(bundle, folder.parents[1], tenant, version)
    with pytest.raises(ConfigError, match="takes letters"):
        LocalEngine(folder.parents[1]).card("../default/v1")


def test_an_interrupted_publication_leaves_nothing(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(publishing, "move", interrupt)
    with pytest.raises(KeyboardInterrupt):
        publish(bundle, tmp_path, "default", "v1")
    assert list((tmp_path / "default").iterdir()) == []


# The catalogue ------------------------------------------------------------------------------------


def test_the_catalogue_knows_items_users_and_histories(folder: Path) -> None:
    catalogue = Catalogue.load(folder)
    item, user = str(TINY.items.ids[4]), str(TINY.users.ids[2])
    assert catalogue.card(item).id == TINY.items.ids[4]
    assert catalogue.card(item).categories == ("Drama", "War")
    assert catalogue.categories == ("Comedy", "Drama", "War")
    assert catalogue.category("drama ") == "Drama"
    wanted = tuple(str(one) for one in TINY.items.decode(TINY.sequences.row(2)))
    assert catalogue.history(user) == wanted
    assert catalogue.history(user, last=2) == wanted[-2:]
    assert catalogue.history("stranger") == ()
    assert catalogue.members(Objective.category("War")) == {
        str(TINY.items.ids[n]) for n in range(24) if n % 3 == 1
    }
    assert catalogue.words(Objective.category("War")) == "category War"
    with pytest.raises(UnknownIdError, match="category 'Wax'"):
        catalogue.category("Wax")
    with pytest.raises(UnknownIdError, match="item id 'film x'"):
        catalogue.card("film x")


def test_searching_finds_titles_and_ids(folder: Path) -> None:
    catalogue = Catalogue.load(folder)
    cards, total = catalogue.search_items("FILM 7", 50)
    assert [card.title for card in cards[:1]] == ["film 7"]
    assert total == len(cards) == sum("film 7" in str(item) for item in TINY.items.ids)
    assert catalogue.search_items("film", 3)[1] == 24
    assert catalogue.search_items("nothing like it", 3) == ([], 0)
    users, total = catalogue.search_users("user 1", 2)
    assert len(users) == 2
    assert total == sum(str(user).startswith("user 1") for user in TINY.users.ids)


def test_whole_numbers_are_found_by_their_only_spelling() -> None:
    ids = TextIds(IdMap([7, 42], 1, "item"))
    assert ids.number("42") == 2
    assert ids.own("42") == 42
    for other in ("042", " 42", "4_2", "４２"):
        assert other not in ids
    with pytest.raises(DataError, match="written alike"):
        TextIds(IdMap([7, "7"], 1, "item"))
