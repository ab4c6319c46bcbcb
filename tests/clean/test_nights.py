from tests.logs import Shop, day, lines

from landbridge.clean.step import CLEAN


def test_every_row_is_an_event_or_in_quarantine(shop: Shop) -> None:
    shop.write(day(0), [*lines(day(0)), *lines(day(0))[:3]])
    outcome = shop.run(day(0), CLEAN)
    assert (outcome.notes["events"], outcome.notes["quarantined"]) == (12, 3)
    assert len(shop.rows("events")) == 12
    assert [row["rules"] for row in shop.rows("quarantine")] == [["duplicate"]] * 3
