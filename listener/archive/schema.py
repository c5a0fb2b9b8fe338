"""Tables of the SQLite archive, and how older files are brought up to date.

`mention` is narrow, so that counting reads little; `body` holds what is only shown. The key of a mention is the second of
its publication and a slot within it (`listener.archive.rows.first_key`): the newest are found, and spans of time counted, in
the order of the key, and the full text index gives its hits in that order, too. `body.stored` numbers mentions in the order
of storing. `hourly` only repeats what can be counted.
"""

APPLICATION_ID = 0x4C796872  # "Lyhr": marks the file as ours

_VERSION_1 = (
    """
    CREATE TABLE mention (
        key INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        stored INTEGER NOT NULL,      -- body.stored
        revision TEXT NOT NULL,
        source TEXT NOT NULL,
        channel TEXT NOT NULL,
        language TEXT NOT NULL,
        author TEXT NOT NULL,
        site TEXT NOT NULL,           -- normal form of the url's host
        thread TEXT NOT NULL,
        published_at INTEGER NOT NULL, -- microseconds since 1970, like all times here
        retention_until INTEGER NOT NULL,
        cluster INTEGER NOT NULL,     -- key of the original; an original's own key
        flags INTEGER,                -- bits of rows.FLAGS; NULL: not scored
        themes INTEGER NOT NULL       -- bits of rows.THEME_BITS
    )
    """,
    "CREATE INDEX mention_unscored ON mention (stored) WHERE flags IS NULL",
    "CREATE INDEX mention_copies ON mention (cluster, stored) WHERE cluster <> key",
    "CREATE INDEX mention_thread ON mention (source, thread) WHERE thread <> ''",
    """
    CREATE TABLE body (
        stored INTEGER PRIMARY KEY,
        kind TEXT NOT NULL,
        owned INTEGER NOT NULL,
        url TEXT NOT NULL,
        title TEXT NOT NULL,
        text TEXT NOT NULL,
        brands TEXT NOT NULL,         -- JSON array
        fetched_at INTEGER NOT NULL,
        engagement TEXT NOT NULL      -- JSON object, '' when empty
    )
    """,
    """
    CREATE TABLE score (
        key INTEGER PRIMARY KEY,      -- of the mention
        language TEXT NOT NULL,
        sentiment REAL NOT NULL,
        anxiety REAL NOT NULL,
        complaint REAL NOT NULL,
        themes TEXT NOT NULL,         -- in the scorer's order, separated by spaces
        why TEXT NOT NULL,            -- JSON array of [about, text, weight]
        model TEXT NOT NULL
    )
    """,
    "CREATE TABLE brand (brand TEXT NOT NULL, key INTEGER NOT NULL, PRIMARY KEY (brand, key)) WITHOUT ROWID",
    # Keys of listener.fingerprint, of originals only; by period first, so that writing touches few pages.
    """
    CREATE TABLE band (
        period INTEGER NOT NULL, band INTEGER NOT NULL, key INTEGER NOT NULL, PRIMARY KEY (period, band, key)
    ) WITHOUT ROWID
    """,
    # Words are cut by listener.text and joined with spaces; this tokeniser must only cut at spaces.
    """
    CREATE VIRTUAL TABLE words USING fts5(title, text, tags, columnsize=0, tokenize="ascii tokenchars '_#@'")
    """,
    "CREATE TABLE pending (what TEXT PRIMARY KEY) WITHOUT ROWID",
)

_VERSION_2 = (
    # Voices of an hour (hours since 1970) of a brand ('': of all), exact or absent: listener.archive.hourly.
    """
    CREATE TABLE hourly (
        hour INTEGER NOT NULL,
        brand TEXT NOT NULL,
        volume INTEGER NOT NULL,
        anxiety INTEGER NOT NULL,
        complaints INTEGER NOT NULL,
        negative INTEGER NOT NULL,
        PRIMARY KEY (hour, brand)
    ) WITHOUT ROWID
    """,
)

MIGRATIONS: tuple[tuple[str, ...], ...] = (_VERSION_1, _VERSION_2)
"""MIGRATIONS[n]: the statements that lead from version n to n + 1."""
