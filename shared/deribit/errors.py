"""Deribit's error codes as data: what each is called and what it means for the request it answers."""

from enum import StrEnum

TOO_MANY_REQUESTS = 10028
ORDER_NOT_FOUND = 10004
NOT_OPEN_ORDER = 11044
POST_ONLY_REJECT = 11054
UNAUTHORIZED = 13009


class Meaning(StrEnum):
    """What a refusal says about the request."""

    RETRY_LATER = "retry_later"
    """Not executed; the same request may pass after a pause."""
    UNKNOWN_OUTCOME = "unknown_outcome"
    """It may have been executed: look it up by label before anything else."""
    NEVER_RETRY = "never_retry"
    """Not executed, and it never will be unchanged."""
    NORMAL = "normal"
    """An ordinary outcome of a race with the market: the order is closed or was not placed."""


def classify(code: int) -> Meaning:
    """What a code means; an unlisted one is UNKNOWN_OUTCOME, the careful reading."""
    raise NotImplementedError


def name_of(code: int) -> str:
    """The code's documented name, `unlisted` where there is none."""
    raise NotImplementedError
