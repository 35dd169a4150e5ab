"""Property-based requests over the whole OpenAPI document; here, to HTTP alone."""

from influpath.serving.api.app import create_app
from influpath.serving.settings import ServerSettings

from .examples_service import KEY_OF, KEYS, ExamplesService
from .fuzzing import fuzz, operations


def test_no_request_whatever_makes_a_fault_or_an_undocumented_answer() -> None:
    app = create_app(ExamplesService(), ServerSettings(rate=1e9, burst=10**9), KEYS.get)
    headers = {"Authorization": f"Bearer {KEY_OF['admin']}", "X-Influpath": "page"}
    successes = {each.label: fuzz(each, headers, 20, {}) for each in operations(app)}
    assert len(successes) > 25
    assert [label for label, count in successes.items() if not count] == ["POST /login"]
