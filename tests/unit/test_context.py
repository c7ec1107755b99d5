"""Who work is done for: every identifier is checked, and none can change afterwards."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netra_ws.context import (
    MAX_ID_LENGTH,
    UserExecutionContext,
    check_id,
    check_login_id,
    is_service,
    new_id,
)
from netra_ws.errors import ContextError, NetraError

FIELDS = ("user_id", "thread_id", "run_id", "request_id")
REFUSED = {
    "empty": "",
    "too long": "x" * (MAX_ID_LENGTH + 1),
    "a space": "two words",
    "a space at the end": "ann ",
    "a no-break space": "two\u00a0words",
    "a tab": "two\twords",
    "a newline": "ann\n",
    "a carriage return": "ann\r",
    "a line separator": "ann\u2028",
    "a null byte": "ann\0",
    "an escape": "ann\x1b[2J",
    "a right-to-left override": "ann\u202e",
    "a lone surrogate": "ann\ud800",
    "a number": 7,
    "nothing": None,
    "bytes": b"ann",
}


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("value", REFUSED.values(), ids=REFUSED)
def test_no_field_takes_a_bad_identifier(field: str, value: Any) -> None:
    with pytest.raises(ContextError, match=f"^{field}: expected 1 to 128 printable"):
        UserExecutionContext(**{"user_id": "ann", field: value})


@pytest.mark.parametrize("user_id", ["a", "x" * MAX_ID_LENGTH, "ünïcode", "用户", "a/b?c=d&e"])
def test_printable_identifiers_are_taken_as_they_are(user_id: str) -> None:
    assert UserExecutionContext(user_id).user_id == user_id


def test_the_refusal_is_a_value_error_and_one_of_the_package() -> None:
    assert issubclass(ContextError, ValueError)
    assert issubclass(ContextError, NetraError)


def test_the_refusal_shows_control_characters_escaped() -> None:
    with pytest.raises(ContextError) as refused:
        UserExecutionContext("ann\n{}")
    assert "\n" not in str(refused.value)


@given(st.text())
def test_whatever_is_accepted_fits_into_one_word_of_a_log_line(value: str) -> None:
    try:
        accepted = check_id("user_id", value)
    except ContextError:
        return
    assert accepted.split() == [value]
    assert accepted.isprintable()


@pytest.mark.parametrize("field", FIELDS)
def test_a_context_cannot_be_changed(field: str) -> None:
    context = UserExecutionContext("ann")
    with pytest.raises(AttributeError):
        setattr(context, field, "bob")


def test_a_context_takes_no_further_field() -> None:
    # Python 3.11 words the refusal of a frozen class with slots as a TypeError (gh-91126).
    with pytest.raises((TypeError, AttributeError)):
        UserExecutionContext("ann").role = "admin"  # type: ignore[attr-defined]


def test_equal_contexts_are_one_key() -> None:
    context = UserExecutionContext("ann")
    again = UserExecutionContext(
        context.user_id, context.thread_id, context.run_id, context.request_id
    )
    assert {context: 1}[again] == 1


def test_each_context_has_identifiers_of_its_own() -> None:
    one, other = UserExecutionContext("ann"), UserExecutionContext("ann")
    for field in FIELDS[1:]:
        assert getattr(one, field) != getattr(other, field)


def test_a_new_identifier_names_its_kind_and_is_one() -> None:
    made = new_id("run")
    assert made.startswith("run-")
    assert check_id("run_id", made) == made


def test_a_service_context_is_marked_by_its_user_id() -> None:
    context = UserExecutionContext.for_service("health")
    assert context.user_id == "service:health"
    assert is_service(context.user_id)


def test_a_person_is_no_service() -> None:
    assert not is_service("service-desk")


def test_a_service_name_is_checked_like_any_identifier() -> None:
    with pytest.raises(ContextError):
        UserExecutionContext.for_service("two words")


def test_a_new_run_keeps_user_thread_and_request() -> None:
    context = UserExecutionContext("ann")
    run = context.for_run()
    assert run.run_id != context.run_id
    assert (run.user_id, run.thread_id, run.request_id) == (
        context.user_id,
        context.thread_id,
        context.request_id,
    )


def test_a_new_run_can_be_in_another_thread() -> None:
    assert UserExecutionContext("ann").for_run("thread-2").thread_id == "thread-2"


def test_the_thread_of_a_new_run_is_checked() -> None:
    with pytest.raises(ContextError, match=r"^thread_id: "):
        UserExecutionContext("ann").for_run("two words")


@pytest.mark.parametrize("user_id", [":", "service:health", "a:b", "ann:"])
def test_a_person_cannot_have_a_colon(user_id: str) -> None:
    with pytest.raises(ContextError, match="no colon"):
        check_login_id(user_id)


@pytest.mark.parametrize("value", REFUSED.values(), ids=REFUSED)
def test_a_person_cannot_have_a_bad_identifier(value: Any) -> None:
    with pytest.raises(ContextError):
        check_login_id(value)


@given(st.text())
def test_no_person_can_be_a_service(value: str) -> None:
    try:
        user_id = check_login_id(value)
    except ContextError:
        return
    assert not is_service(user_id)
