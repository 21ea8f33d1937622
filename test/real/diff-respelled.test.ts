/**
 * The spelling of a key changed at the source, and the target treats both spellings as equal: the row is replaced in
 * one step.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { copyOf, makePlace, missing, perform, type Place, type Ran, type System } from '../support/copy-systems.ts'

let folder = ''
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'sluice-respelled-'))))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

type Case = {
  readonly from: System
  readonly source: string
  readonly target: readonly string[]
  /** Two spellings of one key, and another key. */
  readonly keys: readonly [old: string, now: string, other: string]
}

const LOOSE: Readonly<Record<string, Case>> = {
  sqlite: {
    from: 'sqlite',
    source: 'k TEXT',
    target: ['CREATE TABLE t (k TEXT COLLATE NOCASE PRIMARY KEY NOT NULL, v INTEGER)'],
    keys: ['a1', 'A1', 'b2'],
  },
  d1: {
    from: 'sqlite',
    source: 'k TEXT',
    target: ['CREATE TABLE t (k TEXT COLLATE NOCASE PRIMARY KEY NOT NULL, v INTEGER)'],
    keys: ['a1', 'A1', 'b2'],
  },
  duckdb: {
    from: 'sqlite',
    source: 'k TEXT',
    target: ['CREATE TABLE t (k VARCHAR COLLATE NOCASE PRIMARY KEY, v INTEGER)'],
    keys: ['a1', 'A1', 'b2'],
  },
  mysql: {
    from: 'sqlite',
    source: 'k TEXT',
    target: ['CREATE TABLE t (k varchar(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci PRIMARY KEY, v int)'],
    keys: ['a1', 'A1', 'b2'],
  },
  postgresql: {
    from: 'sqlite',
    source: 'k TEXT',
    target: [
      `CREATE COLLATION cased (provider = icu, locale = 'und-u-ks-level2', deterministic = false)`,
      'CREATE TABLE t (k text COLLATE cased PRIMARY KEY, v int)',
    ],
    keys: ['a1', 'A1', 'b2'],
  },
  'mysql, as loose as its source': {
    from: 'mysql',
    source: 'k varchar(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci',
    target: ['CREATE TABLE t (k varchar(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci PRIMARY KEY, v int)'],
    keys: ['a1', 'A1', 'b2'],
  },
  'postgresql, intervals': {
    from: 'postgresql',
    source: 'k interval',
    target: ['CREATE TABLE t (k interval PRIMARY KEY, v int)'],
    keys: ['1 mon', '30 days', '1 year'],
  },
}

const rowsOf = async ({ rows, system }: Place): Promise<readonly string[]> =>
  (await rows(`SELECT CAST(k AS ${system === 'mysql' ? 'CHAR' : 'TEXT'}), v FROM t`))
    .map((row) => row.join())
    .toSorted()

const errorsOf = ({ events }: Ran): string =>
  events
    .flatMap((event) =>
      event.type === 'log' && event.level === 'error' ? [`${event.message}; ${event.hint ?? ''}`] : [],
    )
    .join('\n')

const diffOf = (source: Place, target: Place, deleteExtra: boolean): Parameters<typeof perform>[0] =>
  ({ kind: 'diff', from: source.url, to: target.url, tables: ['t'], rename: {}, key: ['k'], workers: 1, limit: 10, fix: true, deleteExtra }) as const // prettier-ignore

describe.each(Object.entries(LOOSE))('%s', (name, { from, source: column, target: create, keys }) => {
  const system = name.split(',')[0] as System
  const [old, now, other] = keys

  const copied = async (): Promise<readonly [Place, Place]> => {
    const [source, target] = [await makePlace(from, folder), await makePlace(system, folder)]
    await source.sql(`CREATE TABLE t (${column} NOT NULL, v INTEGER, PRIMARY KEY (k))`)
    await source.sql(`INSERT INTO t VALUES ('${old}', 1), ('${other}', 2)`)
    await target.sql(...create)
    const copy = copyOf(source, target, 't', { onExisting: 'append' })
    expect((await perform(copy)).finished).toMatchObject({ exitCode: 0 })
    return [source, target]
  }

  test('diff --fix --delete-extra replaces the row', { timeout: 60_000 }, async (context) => {
    const why = (await missing(system)) || (await missing(from))
    context.skip(why !== '', why)
    const [source, target] = await copied()
    await source.sql(`UPDATE t SET k = '${now}' WHERE k = '${old}'`)
    const kept = await perform(diffOf(source, target, false))
    expect(kept.finished).toMatchObject({ exitCode: 1, totals: { missing: '1', extra: '1', fixed: '0' } })
    expect(errorsOf(kept)).toContain('the target stores the key of this row as another text (')
    expect(errorsOf(kept)).toContain('add --delete-extra')
    expect(await rowsOf(target)).toEqual([`${old},1`, `${other},2`].toSorted())
    const fixed = await perform(diffOf(source, target, true))
    expect(fixed.finished, errorsOf(fixed)).toMatchObject({ exitCode: 0 })
    expect(fixed.finished.totals).toMatchObject({ rows: '2', targetRows: '2', missing: '1', extra: '1', fixed: '2' })
    expect(await rowsOf(target)).toEqual([`${now},1`, `${other},2`].toSorted())
    const undone = await perform({ kind: 'diff-undo', runId: fixed.events[0]?.runId ?? '', to: target.url, tables: [] })
    expect(undone.finished).toMatchObject({ exitCode: 0, totals: { undone: '2' } })
    expect(await rowsOf(target)).toEqual([`${old},1`, `${other},2`].toSorted())
  })

  test('copy --again --delete-extra replaces the row', { timeout: 60_000 }, async (context) => {
    const why = (await missing(system)) || (await missing(from))
    context.skip(why !== '', why)
    const [source, target] = await copied()
    await source.sql(`UPDATE t SET k = '${now}' WHERE k = '${old}'`)
    const again = copyOf(source, target, 't', { onExisting: 'append', again: true })
    const kept = await perform(again)
    expect(kept.finished).toMatchObject({ exitCode: 1, totals: { quarantined: '1', extra: '1' } })
    expect(errorsOf(kept)).toContain('add --delete-extra')
    const fixed = await perform({ ...again, deleteExtra: true })
    expect(fixed.finished, errorsOf(fixed)).toMatchObject({ exitCode: 0, totals: { mended: '1', extra: '0' } })
    expect(await rowsOf(target)).toEqual([`${now},1`, `${other},2`].toSorted())
    expect((await perform(again)).finished).toMatchObject({ exitCode: 0, totals: { mended: '0', extra: '0' } })
  })

  test('a row whose other spelling the source has too stays', { timeout: 60_000 }, async (context) => {
    const why = (await missing(system)) || (await missing(from))
    context.skip(why !== '', why)
    context.skip(from !== 'sqlite', 'the source has one row of the two as well')
    context.skip(system === 'duckdb', 'its index distinguishes both spellings, and both rows are stored')
    const [source, target] = await copied()
    await source.sql(`INSERT INTO t VALUES ('${now}', 3)`)
    const again = copyOf(source, target, 't', { onExisting: 'append', again: true, deleteExtra: true })
    for (const operation of [diffOf(source, target, true), again]) {
      const found = await perform(operation)
      expect(found.finished).toMatchObject({ exitCode: 1 })
      expect(errorsOf(found)).toContain('give one of the two rows another key at the source')
      expect(await rowsOf(target)).toEqual([`${old},1`, `${other},2`].toSorted())
    }
  })
})

test('two rows of the source for one spelling of the target: the first replaces it', async () => {
  const [source, target] = [await makePlace('sqlite', folder), await makePlace('sqlite', folder)]
  await source.sql(
    'CREATE TABLE t (k TEXT PRIMARY KEY NOT NULL, v INTEGER)',
    "INSERT INTO t VALUES ('Ab', 1), ('aB', 2)",
  )
  await target.sql(...(LOOSE['sqlite']?.target ?? []), "INSERT INTO t VALUES ('ab', 0)")
  const found = await perform(diffOf(source, target, true))
  expect(found.finished).toMatchObject({ exitCode: 1, totals: { missing: '2', extra: '1', fixed: '2' } })
  expect(errorsOf(found)).toContain('give one of the two rows another key at the source')
  expect(await target.rows('SELECT COUNT(*) FROM t')).toEqual([['1']])
})
