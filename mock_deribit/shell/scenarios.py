"""Owns where scenarios come from: a file, or the name of one that is shipped in `scenarios/`."""

import tomllib
from pathlib import Path

from mock_deribit.scenario import Scenario, ScenarioError, read

SHIPPED = Path(__file__).parents[2] / "scenarios"


def shipped() -> list[str]:
    """Names of the scenarios that come with the mock."""
    return sorted(path.stem for path in SHIPPED.glob("*.toml"))


def load(name: str) -> Scenario:
    """Read a scenario. Raises ScenarioError that names the file and what is wrong with it."""
    path = Path(name)
    if not path.is_file() and name in shipped():
        path = SHIPPED / f"{name}.toml"
    try:
        with path.open("rb") as file:
            return read(tomllib.load(file))
    except OSError as error:
        raise ScenarioError(
            f"scenario {name}: {error.strerror}; expected a file or one of {', '.join(shipped())}"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ScenarioError(f"scenario {name}: expected TOML; {error}") from None
    except ScenarioError as error:
        raise ScenarioError(f"scenario {name}: {error}") from None
