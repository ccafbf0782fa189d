# SPDX-License-Identifier: Apache-2.0
"""The applications: where their schemas are, and what their clients bring along."""

import os
import re
import sqlite3
import subprocess
import sys
import uuid
from dataclasses import dataclass, field

from packages import fetch, read, read_all


@dataclass
class Application:
    name: str
    create: object  # create(path): makes the database
    functions: object = None  # functions(db): what its clients register
    parents: dict = field(default_factory=dict)  # "table.column" -> "table.column", by triggers
    values: dict = field(default_factory=dict)  # (table, column) or column -> value(writer)
    recursive: bool = True  # do its triggers end when recursive_triggers is ON?
    refused: dict = field(default_factory=dict)  # table -> what `track --all` says of it
    notes: tuple = ()  # words that notes of `mycelial status` may have
    fts: dict = field(default_factory=dict)  # FTS table -> (table, key, column)
    migrations: dict = field(default_factory=dict)  # name -> Migration


@dataclass
class Migration:
    """`before` makes the old database, `steps` are what the new version does to it."""

    before: object
    steps: object  # steps() -> [SQL script, or function of a path]
    under_engine: bool = True  # does it get by with an engine that works meanwhile?
    together: bool = False  # must all nodes be upgraded at once, untracked meanwhile?
    independent: bool = False  # do the steps make sense in part?
    prepare: str = ""  # SQL that writes beforehand what a copy of the steps would change
    columns: tuple = ()  # that only older versions have: (table, column)


def script(*texts):
    def create(path):
        db = sqlite3.connect(path)
        for text in texts:
            db.executescript(text() if callable(text) else text)
        db.close()

    return create


# calibre


def calibre_text(name):
    return read(fetch("calibre", "./usr/share/calibre/*.sql"), f"usr/share/calibre/{name}")


class Concatenate:
    def __init__(self):
        self.words = []

    def step(self, *values):
        self.words.append(str(values[-1]))

    def finalize(self):
        return ",".join(self.words)


def calibre_functions(db):
    db.create_function("title_sort", 1, lambda t: re.sub(r"^(The|A) (.*)$", r"\2, \1", t or ""))
    db.create_function("author_to_author_sort", 1, lambda a: a)
    db.create_function("uuid4", 0, lambda: str(uuid.uuid4()))
    db.create_function("books_list_filter", 1, lambda book: 1)
    db.create_aggregate("concat", 1, Concatenate)
    db.create_aggregate("sortconcat", 2, Concatenate)


def calibre_full_text():
    """calibre attaches this file; its tokenizer is a C extension of its own."""
    text = calibre_text("fts_sqlite.sql").replace("fts_db.", "")
    return text.replace("calibre remove_diacritics", "unicode61 remove_diacritics")


CALIBRE_LINKS = {
    f"{table}.book": "books.id"
    for table in (
        "books_authors_link books_languages_link books_publishers_link books_ratings_link "
        "books_series_link books_tags_link comments data last_read_positions annotations"
    ).split()
} | {
    "books_authors_link.author": "authors.id",
    "books_languages_link.lang_code": "languages.id",
    "books_publishers_link.publisher": "publishers.id",
    "books_ratings_link.rating": "ratings.id",
    "books_series_link.series": "series.id",
    "books_tags_link.tag": "tags.id",
}

VIRTUAL = "is a virtual table"
SHADOW = "belongs to a virtual table"


def fts5(*names):
    parts = ("data", "idx", "docsize", "config")
    return {n: VIRTUAL for n in names} | {f"{n}_{p}": SHADOW for n in names for p in parts}


CALIBRE = Application(
    "calibre",
    script(lambda: calibre_text("metadata_sqlite.sql")),
    calibre_functions,
    parents=CALIBRE_LINKS,
    recursive=False,
    values={("ratings", "rating"): lambda w: w.random.randrange(11)},
    refused=fts5("annotations_fts", "annotations_fts_stemmed"),
    fts={
        "annotations_fts": ("annotations", "id", "searchable_text"),
        "annotations_fts_stemmed": ("annotations", "id", "searchable_text"),
    },
)

CALIBRE_FULL_TEXT = Application(
    "calibre_full_text",
    script(calibre_full_text),
    refused=fts5("books_fts", "books_fts_stemmed"),
    fts={
        "books_fts": ("books_text", "id", "searchable_text"),
        "books_fts_stemmed": ("books_text", "id", "searchable_text"),
    },
)


# MediaWiki

WIKI = "usr/share/mediawiki/maintenance"


def wiki():
    return fetch("mediawiki", f"./{WIKI}/sqlite/*", f"./{WIKI}/archives/*")


def wiki_sql(text):
    """As MediaWiki's own DatabaseSqlite::replaceVars makes SQLite's dialect of MySQL's."""
    text = re.sub(r"/\*[^*]*\*/", "", re.sub(r"--.*", "", text))
    for was, new in (
        (r"\bunsigned\b", ""),
        (r"\b(varchar|char)\(\d+\)\s+binary\b", "BLOB"),
        (r"\b(var)?binary\(\d+\)", "BLOB"),
        (r"\b(tiny|small|medium|big)?int(eger)?(\(\d+\))?(?=[\s,)])", "INTEGER"),
        (r"\bauto_increment\b", "AUTOINCREMENT"),
        (r"\b(tiny|medium|long)?blob\b", "BLOB"),
    ):
        text = re.sub(was, new, text, flags=re.IGNORECASE)
    return text


def wiki_tables():
    return read(wiki(), f"{WIKI}/sqlite/tables-generated.sql")


def wiki_create(path):
    script(wiki_tables, read(wiki(), f"{WIKI}/sqlite/archives/searchindex-fts3.sql"))(path)


# Columns that older versions had, and the patches drop.
WIKI_DROPPED = (
    ("logging", "log_user"),
    ("page", "page_restrictions"),
    ("page_restrictions", "pr_user"),
    ("protected_titles", "pt_reason"),
    ("recentchanges", "rc_user"),
)


def wiki_before(path):
    wiki_create(path)
    script("".join(f"ALTER TABLE {t} ADD COLUMN {c} BLOB;" for t, c in WIKI_DROPPED))(path)


def columns_of(db):
    return db.execute(
        "SELECT s.name, c.name FROM sqlite_schema s, pragma_table_info(s.name) c WHERE s.type = "
        "'table' ORDER BY 1, 2"
    ).fetchall()


def wiki_patches():
    """The patches that lead to this version's tables, each run as the updater would."""
    folder = os.path.join(wiki(), WIKI, "sqlite", "archives")
    out = []
    for name in sorted(os.listdir(folder)):
        if not name.startswith("patch-"):
            continue
        text = wiki_sql(read(folder, name))
        text = re.sub(r"^\s*(BEGIN|COMMIT)\s*;", "", text, flags=re.MULTILINE | re.IGNORECASE)
        text = f"BEGIN; {text}; COMMIT;"
        db = sqlite3.connect(":memory:", isolation_level=None)
        db.executescript(wiki_tables())
        before = columns_of(db)
        try:
            db.executescript(text)
            if columns_of(db) == before:
                out.append(text)
        except sqlite3.Error:  # of a time when the tables were too different
            pass
        db.close()
    return out


MEDIAWIKI = Application(
    "mediawiki",
    wiki_create,
    refused={"searchindex": VIRTUAL}
    | {f"searchindex_{p}": SHADOW for p in ("content", "segdir", "segments")},
    migrations={
        # One patch copies site_stats without a column.
        "patches": Migration(
            wiki_before,
            wiki_patches,
            independent=True,
            prepare="UPDATE site_stats SET ss_users = NULL",
            columns=WIKI_DROPPED,
        ),
    },
)


# ejabberd


def ejabberd_text(name):
    folder = fetch("ejabberd", "./usr/share/ejabberd/sql/lite*.sql")
    return read(folder, f"usr/share/ejabberd/sql/{name}")


def ejabberd_upgrade():
    """From the old schema to the new one, whose keys begin with the host. ejabberd has it for MySQL
    only; these are SQLite's own steps for such changes."""
    old, new = (sqlite3.connect(":memory:") for _ in range(2))
    old.executescript(ejabberd_text("lite.sql"))
    new.executescript(ejabberd_text("lite.new.sql"))
    had, steps = columns_of(old), ["BEGIN;"]
    nulls = old.execute(
        "SELECT s.name, c.name FROM sqlite_schema s, pragma_table_info(s.name) c WHERE s.type = "
        "'table' AND c.pk AND NOT c.\"notnull\""
    ).fetchall()
    clean = "".join(f"DELETE FROM {t} WHERE {c} IS NULL;" for t, c in nulls)
    for name, sql in new.execute(
        "SELECT name, sql FROM sqlite_schema WHERE type = 'table' AND name <> 'sqlite_sequence'"
    ).fetchall():
        columns = [c for t, c in columns_of(new) if t == name and (t, c) in had]
        host = ("server_host", "'example.org'")
        new_one = (name, host[0]) in columns_of(new) and (name, host[0]) not in had
        steps.append(re.sub(rf"CREATE TABLE {name}\b", f"CREATE TABLE new_{name}", sql) + ";")
        into = ", ".join(columns + ([host[0]] if new_one else []))
        what = ", ".join(columns + ([host[1]] if new_one else []))
        steps.append(
            f"INSERT INTO new_{name}({into}) SELECT {what} FROM {name}; DROP TABLE {name};"
            f"ALTER TABLE new_{name} RENAME TO {name};"
        )
        steps += [
            sql + ";"
            for (sql,) in new.execute(
                "SELECT sql FROM sqlite_schema WHERE type = 'index' AND tbl_name = ? AND sql <> ''",
                (name,),
            )
        ]
    return [clean, "\n".join(steps + ["COMMIT;"])]


EJABBERD = Application(
    "ejabberd",
    script(lambda: ejabberd_text("lite.sql")),
    migrations={
        "new": Migration(
            script(lambda: ejabberd_text("lite.sql")), ejabberd_upgrade, together=True
        )
    },
)
EJABBERD_NEW = Application("ejabberd_new", script(lambda: ejabberd_text("lite.new.sql")))


# kamailio


def kamailio_text():
    folder = fetch("kamailio-sqlite-modules", "./usr/share/kamailio/db_sqlite/*.sql")
    where = "usr/share/kamailio/db_sqlite"
    return read(folder, f"{where}/standard-create.sql") + "\n".join(
        read(folder, f"{where}/{name}")
        for name in sorted(os.listdir(os.path.join(folder, where)))
        if name != "standard-create.sql"
    )


KAMAILIO = Application("kamailio", script(kamailio_text))


# Roundcube

ROUNDCUBE_AT = "usr/share/roundcube/SQL"


def roundcube():
    return fetch("roundcube-core", f"./{ROUNDCUBE_AT}/sqlite*")


def roundcube_text():
    return read(roundcube(), f"{ROUNDCUBE_AT}/sqlite.initial.sql")


def roundcube_before():
    """Of the version that had no foreign keys yet."""
    cascade = r"REFERENCES \w+ ?\(\w+\) ON DELETE CASCADE ON UPDATE CASCADE"
    return re.sub(cascade, "", roundcube_text())


ROUNDCUBE = Application(
    "roundcube",
    script(roundcube_text),
    migrations={
        "foreign_keys": Migration(
            script(roundcube_before),
            lambda: [read(roundcube(), f"{ROUNDCUBE_AT}/sqlite/2022081200.sql")],
        )
    },
)


# PowerDNS

PDNS_AT = "usr/share/pdns-backend-sqlite3/schema"

# Its version 3.0 is in no package any more. The upgrades begin with these three tables, and do not
# run if a name server is there twice.
PDNS_3 = """
CREATE TABLE domains(id INTEGER PRIMARY KEY, name VARCHAR(255) NOT NULL COLLATE NOCASE,
  master VARCHAR(128), last_check INTEGER, type VARCHAR(6) NOT NULL, notified_serial INTEGER,
  account VARCHAR(40));
CREATE UNIQUE INDEX name_index ON domains(name);
CREATE TABLE records(id INTEGER PRIMARY KEY, domain_id INTEGER, name VARCHAR(255),
  type VARCHAR(10), content VARCHAR(65535), ttl INTEGER, prio INTEGER, change_date INTEGER);
CREATE INDEX rec_name_index ON records(name);
CREATE INDEX nametype_index ON records(name, type);
CREATE INDEX domain_id ON records(domain_id);
CREATE TABLE supermasters(ip VARCHAR(64) NOT NULL, nameserver VARCHAR(255) NOT NULL COLLATE NOCASE,
  account VARCHAR(40));
CREATE UNIQUE INDEX ip_nameserver_pk ON supermasters(ip, nameserver);
"""


def pdns_text(name):
    folder = fetch("pdns-backend-sqlite3", f"./{PDNS_AT}/*")
    text = read(folder, f"{PDNS_AT}/{name}.sqlite3.sql")
    return re.sub(r"^\.bail on", "", text, flags=re.MULTILINE)  # a word of the shell


def pdns_upgrades():
    return [
        pdns_text(f"{step}_schema")
        for step in (
            "nodnssec-3.x_to_3.4.0",
            "3.4.0_to_4.0.0",
            "4.0.0_to_4.2.0",
            "4.2.0_to_4.3.0",
            "4.3.0_to_4.3.1",
            "4.3.1_to_4.7.0",
        )
    ]


POWERDNS = Application(
    "powerdns",
    script(lambda: pdns_text("schema")),
    migrations={
        "3_to_4.7": Migration(
            script(PDNS_3),
            pdns_upgrades,
            prepare="UPDATE supermasters SET account = '' WHERE account IS NULL",
        )
    },
)


# Django

DJANGO_APPS = ("contenttypes", "auth", "admin", "sessions", "sites", "redirects", "flatpages")
DJANGO_PACKAGES = ("python3-django", "python3-sqlparse", "python3-asgiref", "python3-tz")


def django(path, *words):
    """Django in a process of its own, as manage.py runs it."""
    folders = [
        os.path.join(fetch(p, "./usr/lib/python3/dist-packages/*"), "usr/lib/python3/dist-packages")
        for p in DJANGO_PACKAGES
    ]
    here = os.path.dirname(os.path.abspath(__file__))
    env = os.environ | {"PYTHONPATH": ":".join(folders), "SCHEMAS_DATABASE": path}
    done = subprocess.run(
        [sys.executable, os.path.join(here, "django_site.py"), *words],
        env=env,
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        raise RuntimeError(f"django {' '.join(words)}: {done.stderr}")


def django_create(path):
    django(path, "migrate", "-v0", "--skip-checks")


def django_before(path):
    """The tables as the first release of each made them. No domain is there twice: one of the
    migrations does not run otherwise."""
    for app in DJANGO_APPS:
        django(path, "migrate", "-v0", "--skip-checks", app, "0001")
    script("CREATE UNIQUE INDEX one_domain ON django_site(domain)")(path)


DJANGO = Application(
    "django",
    django_create,
    refused={"django_migrations": "which migrations this file has seen"},
    migrations={
        "all": Migration(
            django_before,
            lambda: [lambda path: django(path, "migrate", "-v0", "--skip-checks")],
            under_engine=False,  # reads before it writes: docs/guide/busy.md
        )
    },
)

ALL = {
    a.name: a
    for a in (
        CALIBRE,
        CALIBRE_FULL_TEXT,
        MEDIAWIKI,
        EJABBERD,
        EJABBERD_NEW,
        KAMAILIO,
        ROUNDCUBE,
        POWERDNS,
        DJANGO,
    )
}
