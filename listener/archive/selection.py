"""Which mentions a `Where` asks for, as SQL. Pure.

One table leads: the full text index when words are asked for, the brand's list when a brand is, else the mentions
themselves. All three are in the order of the key, that is of time, so the newest hits are found without sorting.
"""

from dataclasses import dataclass

from listener.archive.rows import FLAGS, THEME_BITS, key_floor, micros
from listener.archive.translate import Asked, Sql, translate
from listener.mention import Signal
from listener.ports import Where

MIN_KEY, MAX_KEY = -(1 << 62), 1 << 62


@dataclass(frozen=True, slots=True)
class Selection:
    """`SELECT <columns> <leading> WHERE <condition>` reads mention m; `key` is the leading table's key. It is bound to
    [low, high) by the parameters of these names."""

    tables: str
    leading: str
    condition: str
    key: str
    low: int
    high: int
    params: dict[str, object]

    def select(self, columns: str, ending: str = "", *, joined: str = "") -> str:
        """`joined`: a join that each mention found goes through."""
        return f"{self.tables}SELECT {columns} {self.leading} {joined} WHERE {self.condition} {ending}"


def select_where(where: Where) -> Selection:
    """Raises StoreError when the query cannot be translated."""
    sql = Sql()
    asked = translate(where.query.root, sql) if where.query else Asked("", ())
    conditions = [*asked.conditions, *_filters(where, sql)]
    if asked.match:
        leading, key = "FROM words CROSS JOIN mention m ON m.key = words.rowid", "words.rowid"
        conditions.append(f"words MATCH {sql.param(asked.match)}")
        if where.brand:
            brand = sql.param(where.brand)
            conditions.append(f"EXISTS (SELECT 1 FROM brand WHERE brand = {brand} AND key = m.key)")  # noqa: S608 (a parameter)
    elif where.brand:
        leading, key = "FROM brand CROSS JOIN mention m ON m.key = brand.key", "brand.key"
        conditions.append(f"brand.brand = {sql.param(where.brand)}")
    else:
        leading, key = "FROM mention m", "m.key"
    conditions += [f"{key} >= :low", f"{key} < :high", *_exact_span(where, sql)]
    low = key_floor(micros(where.start)) if where.start else MIN_KEY
    high = key_above(micros(where.end)) if where.end else MAX_KEY
    tables = f"WITH {', '.join(sql.tables)} " if sql.tables else ""
    return Selection(
        tables,
        leading,
        " AND ".join(conditions),
        key,
        low,
        high,
        {**sql.params, "low": low, "high": high},
    )


def _exact_span(where: Where, sql: Sql) -> list[str]:
    """Keys only know whole seconds."""
    bounds = ((">=", where.start), ("<", where.end))
    return [f"m.published_at {operator} {sql.param(micros(at))}" for operator, at in bounds if at is not None]


def key_above(published_at: int) -> int:
    """The lowest key of the second after."""
    return key_floor(published_at + 1_000_000)


def _filters(where: Where, sql: Sql) -> list[str]:
    equal = {"channel": where.channel, "language": where.language, "source": where.source}
    conditions = [f"m.{column} = {sql.param(value)}" for column, value in equal.items() if value]
    if where.theme:
        conditions.append(f"m.themes & {THEME_BITS.get(where.theme, 0)}")
    if where.signal and where.signal is not Signal.VOLUME:
        conditions.append(f"m.flags & {FLAGS[where.signal]}")
    if where.originals:
        conditions.append("m.cluster = m.key")
    return conditions
