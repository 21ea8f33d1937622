/**
 * Writes to a SQLite file in ways that fire triggers unexpectedly: rows that REPLACE removes, keys that change,
 * foreign-key actions, savepoints.
 */
import type Database from 'better-sqlite3'

export const SQLITE_TABLES = [
  `CREATE TABLE a (id INTEGER PRIMARY KEY, u TEXT COLLATE NOCASE UNIQUE, d INTEGER NOT NULL ON CONFLICT REPLACE DEFAULT 5, w TEXT, g TEXT AS (u || '-' || d) STORED)`,
  `CREATE UNIQUE INDEX a_part ON a (w COLLATE RTRIM) WHERE d > 4 AND w <> ')'`,
  `CREATE UNIQUE INDEX a_expr ON a (lower(w) || ',' || (d % 7), d DESC) WHERE d < 4`,
  'CREATE UNIQUE INDEX a_gen ON a (g)',
  'CREATE TABLE b (k TEXT COLLATE NOCASE, n INTEGER, v INTEGER UNIQUE ON CONFLICT REPLACE, PRIMARY KEY (k, n))',
  "CREATE TABLE c (k TEXT PRIMARY KEY, s TEXT COLLATE NOCASE NOT NULL DEFAULT 'five' UNIQUE, z INTEGER) WITHOUT ROWID",
  'CREATE TABLE d (id INTEGER PRIMARY KEY, a INTEGER REFERENCES a (id) ON DELETE CASCADE ON UPDATE CASCADE, c TEXT REFERENCES c (k) ON DELETE SET NULL ON UPDATE CASCADE)',
] as const
export const SQLITE_NAMES = ['a', 'b', 'c', 'd'] as const

type Random = (below: number) => number

/** The same numbers for the same seed. */
export function randomOf(seed: number): Random {
  let state = seed * 2_654_435_761 + 1
  return (below) => {
    state = (Math.imul(state ^ (state >>> 15), 2_246_822_519) + 3_266_489_917) | 0
    return ((state ^ (state >>> 13)) >>> 0) % below
  }
}

/**
 * One transaction of several statements; refused ones have no effect.
 * @param keys number of keys: few keys cause many conflicts
 */
export function writeSome(connection: Database.Database, random: Random, keys: number): void {
  connection.pragma(`foreign_keys = ${random(5) === 0 ? 'OFF' : 'ON'}`)
  connection.pragma(`recursive_triggers = ${random(4) === 0 ? 'ON' : 'OFF'}`)
  connection.exec('BEGIN IMMEDIATE')
  try {
    for (let left = 1 + random(6); left > 0; left--) {
      const isSaved = random(4) === 0
      if (isSaved) connection.exec('SAVEPOINT s')
      try {
        connection.exec(statement(random, keys))
      } catch (error) {
        if (!String((error as { readonly code?: unknown }).code).startsWith('SQLITE_CONSTRAINT')) throw error
      }
      if (!connection.inTransaction) return
      if (isSaved) connection.exec(random(2) === 0 ? 'ROLLBACK TO s; RELEASE s' : 'RELEASE s')
    }
    connection.exec(random(6) === 0 ? 'ROLLBACK' : 'COMMIT')
  } finally {
    if (connection.inTransaction) connection.exec('ROLLBACK')
  }
}

function statement(random: Random, keys: number): string {
  const id = (): string => String(1 + random(keys))
  const text = (): string => {
    const letter = String.fromCodePoint(97 + random(Math.min(26, keys)))
    return `'${random(2) === 0 ? letter : letter.toUpperCase()}${random(5) === 0 ? ' ' : ''}'`
  }
  const some = (value: () => string): string => (random(4) === 0 ? 'NULL' : value())
  const small = (): string => String(random(9))
  const or = ['', ' OR REPLACE', ' OR REPLACE', ' OR IGNORE', ' OR FAIL', ' OR ROLLBACK'][random(6)] ?? ''
  const all: readonly (() => string)[] = [
    () => `INSERT${or} INTO a (id, u, d, w) VALUES (${some(id)}, ${some(text)}, ${some(small)}, ${some(text)})`,
    () =>
      `INSERT${or} INTO a (id, u, d, w) SELECT NULL, ${text()} || value, value, ${text()} FROM json_each('[1,2,3,4,5,6]')`,
    () => `UPDATE${or} a SET u = ${text()}, d = ${some(small)} WHERE id = ${id()}`,
    () => `UPDATE${or} a SET w = ${text()} WHERE d % 3 = ${random(3)}`,
    () => `UPDATE${or} a SET id = ${id()} WHERE id = ${id()}`,
    () =>
      `INSERT INTO a (id, u, d) VALUES (${id()}, ${text()}, ${small()}) ON CONFLICT (u) DO UPDATE SET d = excluded.d + 1, id = excluded.id`,
    () => `DELETE FROM a WHERE id = ${id()} OR u = ${text()}`,
    () => `INSERT${or} INTO b (k, n, v) VALUES (${text()}, ${small()}, ${some(small)})`,
    () => `INSERT${or} INTO b (rowid, k, n, v) VALUES (${id()}, ${text()}, ${small()}, NULL)`,
    () => `UPDATE${or} b SET k = ${text()} WHERE n = ${small()}`,
    () => `UPDATE${or} b SET rowid = ${id()} WHERE rowid = ${id()}`,
    () => `UPDATE${or} b SET v = ${small()} WHERE k = ${text()}`,
    () => `UPDATE b SET k = upper(k) WHERE n = ${small()}`,
    () => (random(6) === 0 ? 'DELETE FROM b' : `DELETE FROM b WHERE n = ${small()}`),
    () => `INSERT${or} INTO c (k, s, z) VALUES (${text()}, ${text()}, ${small()})`,
    () => `REPLACE INTO c (k, z) VALUES (${text()}, ${small()})`,
    () => `UPDATE OR REPLACE c SET s = NULL WHERE k = ${text()}`,
    () => `UPDATE${or} c SET s = ${text()} WHERE z = ${small()}`,
    () => `UPDATE${or} c SET k = ${text()} WHERE k = ${text()}`,
    () => `DELETE FROM c WHERE s = ${text()}`,
    () =>
      `INSERT${or} INTO d (id, a, c) VALUES (${some(id)}, (SELECT max(id) FROM a WHERE id <= ${id()}), (SELECT min(k) FROM c WHERE k >= ${text()}))`,
    () => `UPDATE${or} d SET id = id + 1 WHERE id = ${id()}`,
  ]
  return all[random(all.length)]?.() ?? ''
}
