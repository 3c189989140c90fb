"""What chaos does is a function of its seed, and everything it can do comes up."""

from console.havoc import PULLED_BY, acts_of


def test_the_acts_of_a_round_are_a_function_of_seed_and_number() -> None:
    assert acts_of("1", 5) == acts_of("1", 5)
    assert acts_of("1", 5) != acts_of("2", 5)
    assert acts_of("1", 5) != acts_of("1", 6)


def test_every_target_and_every_way_comes_up_and_sometimes_all_at_once() -> None:
    rounds = [acts_of("1", number) for number in range(1, 200)]
    seen = {(act.target, act.what) for acts in rounds for act in acts}
    for target in ("oms", "risk", "quoter", "marketdata", "gateway", "broker", "state"):
        assert (target, "killed") in seen
        assert (target, "hangs") in seen
    assert ("state", "flushed") in seen
    assert {what for target, what in seen if target == "exchange"} >= {"cut", "lose_answer"}
    assert any({act.target for act in acts} > set(PULLED_BY) for acts in rounds)


def test_an_act_tells_what_it_is() -> None:
    act = acts_of("1", 1)[0]
    assert str(act).startswith(f"{act.target} {act.what} at 0.")
