/** A proof by the number of rows says only what was counted: rows that a target keeps out are missing there. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { copyOf, makePlace, missing, perform, type Place, type System } from '../support/copy-systems.ts'

let folder = ''
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'sluice-counted-'))))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** SQL by which a table keeps every other row out, without an error. */
const KEEPS_OUT: Readonly<Partial<Record<System, readonly string[]>>> = {
  sqlite: ['CREATE TRIGGER g BEFORE INSERT ON t WHEN NEW.id % 2 = 0 BEGIN SELECT RAISE(IGNORE); END'],
  postgresql: [
    `CREATE FUNCTION g() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN IF NEW.id % 2 = 0 THEN RETURN NULL; END IF; RETURN NEW; END'`,
    'CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION g()',
  ],
}

async function sides(system: System): Promise<{ readonly source: Place; readonly target: Place }> {
  const [source, target] = [await makePlace('sqlite', folder), await makePlace(system, folder)]
  await source.sql(
    'CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)',
    `INSERT INTO t VALUES ${Array.from({ length: 100 }, (_, i) => `(${i + 1}, 'x')`).join(', ')}`,
  )
  await target.sql('CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)')
  return { source, target }
}

test.for(['sqlite', 'postgresql'] as const)(
  '%s: rows that a trigger keeps out are missed',
  async (system, { skip }) => {
    const why = await missing(system)
    if (why !== '') skip(why)
    const { source, target } = await sides(system)
    await target.sql(...(KEEPS_OUT[system] ?? []))
    const copy = copyOf(source, target, 't', { onExisting: 'append', verify: 'count' })
    const { finished } = await perform(copy)
    expect(finished).toMatchObject({ exitCode: 1, totals: { written: '0' } })
    expect(await target.rows('SELECT count(*) FROM t')).toEqual([['0']])
  },
)

test.for(['sqlite', 'postgresql', 'mysql', 'duckdb'] as const)(
  '%s: rows that are there already are counted',
  async (system, { skip }) => {
    const why = await missing(system)
    if (why !== '') skip(why)
    const { source, target } = await sides(system)
    await target.sql("INSERT INTO t VALUES (50, 'old'), (51, 'old'), (500, 'own'), (-1, 'own')")
    const copy = copyOf(source, target, 't', { onExisting: 'append', verify: 'count' })
    expect((await perform(copy)).finished).toMatchObject({ exitCode: 0, totals: { written: '98', skipped: '2' } })
    expect(await target.rows('SELECT count(*) FROM t')).toEqual([['102']])
  },
)
