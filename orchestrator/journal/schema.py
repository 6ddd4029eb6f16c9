"""The journal's tables, and how a journal of an older version gets them."""

import sqlite3

from orchestrator.errors import Refused

VERSION = 2
_SCHEMA = """
create table run (
    run text primary key, plan text not null, plan_digest text not null, folder text not null,
    status text not null, owner text not null, epoch integer not null
) strict;
create table event (
    run text not null references run, seq integer not null, kind text not null, step text, attempt integer,
    epoch integer not null, at text not null, data text not null, previous text not null, digest text not null,
    primary key (run, seq)
) strict;
create unique index one_act_per_attempt on event (run, step, attempt, kind) where step is not null;
create table lock (resource text primary key, run text not null references run, token integer not null) strict;
create table inbox (
    key text primary key, run text not null, topic text not null, data text not null, taken integer
) strict;
"""
# What each version added to the one before it; a journal is brought up to date in one transaction.
_MIGRATIONS = {
    1: """
alter table run add column place text not null default '{}';
alter table run add column process text not null default '{}';
alter table run add column lease_until real not null default 0;
""",
}


def bring_up_to_date(db: sqlite3.Connection) -> None:
    """Make the tables, or what was added since. Of two programs that begin at once, one makes them and one finds them
    made. Refused: the journal is newer than this program.
    """
    if _version_of(db) == VERSION:
        return
    db.execute("begin immediate")
    try:
        for statement in _missing(_version_of(db)).split(";"):
            db.execute(statement)
        db.execute(f"pragma user_version={VERSION}")
    except BaseException:
        db.execute("rollback")
        raise
    db.execute("commit")


def _missing(version: int) -> str:
    if version == VERSION:
        return ""
    return ("" if version else _SCHEMA) + "".join(text for number, text in _MIGRATIONS.items() if version <= number)


def _version_of(db: sqlite3.Connection) -> int:
    version = int(db.execute("pragma user_version").fetchone()[0])
    if version > VERSION:
        raise Refused(
            "JOURNAL_VERSION",
            f"the journal has format {version}, this program knows {VERSION}; use the program that wrote it",
        )
    return version
