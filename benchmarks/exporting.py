"""How fast do rates and numbers go out, against a database that only copies them?

The limit: COPY of the same columns as they are stored, in no order, thrown away.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from benchmarks.inside import django_on
from benchmarks.measuring import Comparison, Scale, forget_peak_memory, main, ratios, take_turns
from benchmarks.rates import execute, peaks, run, speeds
from tests.servers import PostgreSQL

if TYPE_CHECKING:
    from piston.accounts.models import Account
    from tasks_app.models import Task

COUNT = 1_000_000
COPIES = {  # what the limit reads
    "rates": (
        "SELECT account_id, caller_id_numbers, carrier, description, direction,"
        " internal_rate_cost, iso_country_code, options, prefix, rate_cost, rate_increment,"
        " rate_minimum, rate_name, rate_nocharge_time, rate_suffix, rate_surcharge, rate_version,"
        " routes, weight, deck_name, rate_id FROM rates_rate JOIN"
        " (SELECT id AS deck_id, name AS deck_name FROM rates_ratedeck) AS deck"
        " ON deck_id = ratedeck_id"
    ),
    "number_management": (
        "SELECT number, name, account_id, previously_assigned_to, state, created_at, modified_at,"
        " used_by, ported_in, carrier_module, features FROM number_management_phonenumber JOIN"
        " (SELECT id AS owner_id, name FROM accounts_account) AS owner ON owner_id = account_id"
    ),
}
FILL_RATES = """
    COPY rates_rate (ratedeck_id, rate_id, prefix, iso_country_code, rate_name, description,
        carrier, rate_cost, internal_rate_cost, rate_increment, rate_minimum, rate_surcharge,
        direction, rate_version, routes, options, weight) FROM STDIN
"""
FILL_NUMBERS = """
    INSERT INTO number_management_phonenumber (number, account_id, state, created_at, modified_at,
        ported_in, carrier_module, features)
    SELECT '+1' || 4150000000 + number, %s, 'in_service', now(), now(), false, 'knm_local',
        CASE number %% 10 WHEN 0 THEN '{"cnam": {"display_name": "Cafe"}}' ELSE '{}' END::jsonb
    FROM generate_series(1, %s) AS number
"""


def measure(scale: Scale) -> Iterator[Comparison]:
    """Compare the export of a filled ratedeck, then the list of an account's numbers."""
    count = scale.rows(COUNT)
    with PostgreSQL() as database, django_on(database.url):
        from piston.accounts.models import Account

        account = Account.objects.create(name="benchmark", is_superadmin=True)
        fill_ratedeck(count)
        yield compare(scale, account, "rates", "export", count)
        fill_numbers(account, count)
        yield compare(scale, account, "number_management", "list", count)


def compare(scale: Scale, account: Account, category: str, action: str, count: int) -> Comparison:
    """Let a task write the rows, and COPY, in turn."""
    assembling: list[float] = []

    def ours() -> float:
        worked, assembled = run(start(account, category, action), count)
        assembling.append(assembled)
        return worked

    forget_peak_memory()
    ways = {"ours": ours, "limit": lambda: copy_all(COPIES[category])}
    seconds = take_turns(scale.rounds, ways)
    return Comparison(
        name=f"{category} {action}",
        what=f"`{category}` `{action}`, {count:,} rows, PostgreSQL, with the output's parts",
        against="COPY of the same columns TO STDOUT",
        ratios=ratios(seconds["limit"], seconds["ours"]),
        at_least=0.30,
        figures=speeds(count, seconds) | {"assembling out.csv": f"{min(assembling):.1f} s"},
        peaks=peaks(),
    )


def fill_ratedeck(count: int) -> None:
    """Put rates into a deck by COPY: what they hold is what an import would have stored."""
    from django.db import connection

    from categories.rates.models import Ratedeck

    deck = Ratedeck.objects.create(name="gold", account=None).pk
    with connection.cursor() as cursor, cursor.copy(FILL_RATES) as copy:
        for number in range(count):
            prefix = 1_000_000 + number
            copy.write(
                f"{deck}\tUS-{prefix}\t{prefix}\tUS\toutbound_US_{prefix}\t"
                f"Destination {number % 700}\tcarrier {number % 5}\t{number % 9973 / 10000:.4f}\t"
                f"{number % 997 / 10000:.4f}\t60\t{number % 3 * 30}\t0\toutbound\t2024-03\t"
                f'["^\\\\\\\\+?{prefix}.+$"]\t[]\t{1 + number % 100}\n'
            )
    execute("VACUUM ANALYZE rates_rate")


def fill_numbers(account: Account, count: int) -> None:
    """Give an account numbers, every tenth with a feature."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(FILL_NUMBERS, [account.pk, count])
    execute("VACUUM ANALYZE number_management_phonenumber")


def start(account: Account, category: str, action: str) -> Task:
    """Create a task that takes no input, as a request does, and start it."""
    from categories import registry
    from tasks_app import creating, lifecycle
    from tasks_app.events import Actor

    actor = Actor(f"account:{account.pk}")
    found = registry.get_action(category, action)
    task = creating.submit_without_input(creating.Order(account, account, *found, actor))
    lifecycle.start(task, actor)
    return task


def copy_all(query: str) -> None:
    """Read all rows, and keep none."""
    from django.db import connection

    statement = f"COPY ({query}) TO STDOUT (FORMAT csv)"
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for _ in copy:
            pass


if __name__ == "__main__":
    main(measure)
