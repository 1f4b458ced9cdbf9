"""Cutting text and JSON to a size."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exrindex.cut import SMALLEST_LIMIT, cut_json, cut_text

LIMIT = SMALLEST_LIMIT
TEXTS = {
    "plain": "x" * 9000,
    "quotes": '"' * 9000,
    "control": "\x01" * 9000,
    "wide": "名" * 9000,
    "astral": "🎬" * 9000,
}

scalars = st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=12)
large = st.builds(
    lambda text, times: text * times, st.text(min_size=1, max_size=5), st.integers(1, 4000)
)
documents = st.recursive(
    scalars | large,
    lambda inner: (
        st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=5), inner, max_size=6)
    ),
    max_leaves=30,
)


@given(documents, st.integers(LIMIT, 4 * LIMIT))
def test_what_is_cut_fits_and_is_json(document: Any, limit: int) -> None:
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    cut = cut_json(text, limit)
    assert len(cut.encode()) <= limit
    if len(text.encode()) <= limit:
        assert cut == text
    else:
        assert '"cut":true' in cut
    json.loads(cut)


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_a_text_leaves_as_much_of_its_beginning_as_fits(text: str) -> None:
    document = json.dumps({"name": "crypto", "value": text}, ensure_ascii=False)
    cut = json.loads(cut_json(document, LIMIT))
    assert cut["name"] == "crypto"
    value = cut["value"]
    assert value["cut"] is True
    assert value["bytes"] == len(text.encode())
    assert value["sha256"] == hashlib.sha256(text.encode()).hexdigest()
    assert text.startswith(value["head"])
    assert LIMIT - 400 < len(json.dumps(cut, ensure_ascii=False).encode()) <= LIMIT + 100


def test_one_large_value_is_cut_and_the_others_stay() -> None:
    document = {"a": "x" * 1500, "b": ["y" * 30_000, "z"], "c": {"d": "w" * 1500}}
    cut = json.loads(cut_json(json.dumps(document), LIMIT))
    assert (cut["a"], cut["c"], cut["b"][1]) == (document["a"], document["c"], "z")
    assert cut["b"][0]["bytes"] == 30_000


def test_what_holds_many_small_things_is_cut_as_a_whole() -> None:
    channels = [{"name": f"channel.{n}", "type": "half"} for n in range(1000)]
    document = {"hash": "abc", "parts": [{"index": 0, "channels": channels}]}
    cut = json.loads(cut_json(json.dumps(document), LIMIT))
    assert (cut["hash"], cut["parts"][0]["index"]) == ("abc", 0)
    whole = json.dumps(channels, separators=(",", ":"))
    assert cut["parts"][0]["channels"]["bytes"] == len(whole)
    assert whole.startswith(cut["parts"][0]["channels"]["head"])


def test_many_values_may_have_to_be_cut() -> None:
    document = {"attributes": [{"name": f"a{n}", "value": "x" * 3000} for n in range(3000)]}
    text = json.dumps(document)
    cut = cut_json(text, 1_000_000)
    assert len(cut.encode()) <= 1_000_000
    kept = json.loads(cut)["attributes"]
    assert [item["name"] for item in kept] == [f"a{n}" for n in range(3000)]


def test_what_is_cut_after_its_parts_is_described_as_it_was() -> None:
    document = {"attributes": [{"name": f"a{n}", "value": "x" * 3000} for n in range(300)]}
    (cut,) = json.loads(cut_json(json.dumps(document), LIMIT)).values()
    whole = json.dumps(document["attributes"], separators=(",", ":"))
    assert cut["bytes"] == len(whole)
    assert cut["sha256"] == hashlib.sha256(whole.encode()).hexdigest()
    assert whole.startswith(cut["head"])


def test_a_document_that_is_one_value_becomes_a_marker() -> None:
    cut = json.loads(cut_json(json.dumps("x" * 9000), LIMIT))
    assert (cut["cut"], cut["bytes"]) == (True, 9000)


def test_what_was_cut_before_is_cut_again() -> None:
    once = cut_json(json.dumps({"a": "x" * 90_000}), 4 * LIMIT)
    assert len(cut_json(once, LIMIT).encode()) <= LIMIT
    assert json.loads(cut_json(once, LIMIT))["cut"] is True


@given(st.text(max_size=50), st.integers(0, 60))
def test_text_is_cut_between_characters(text: str, limit: int) -> None:
    cut = cut_text(text, limit)
    assert text.startswith(cut)
    assert len(cut.encode()) <= limit
    assert cut == text or len(cut.encode()) > limit - 4
