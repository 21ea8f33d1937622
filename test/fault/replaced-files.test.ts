/** A database file is removed or replaced by another one while it is copied: no rows are reported that are in no file. */
import { mkdtempSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import type { Event } from '../../src/model/run/event.ts'
import { openDuckdb } from '../../src/stores/duckdb/sql-database.ts'
import { openSqlite } from '../../src/stores/sqlite/sql-database.ts'
import { copyOf, makePlace, perform, type Place } from '../support/copy-systems.ts'

const folder = mkdtempSync(join(tmpdir(), 'sluice-replaced-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const ROWS = 60
const fileOf = ({ url, system }: Place): string => url.slice(`${system}:///`.length)

async function makeSource(system: 'sqlite' | 'duckdb' = 'sqlite', of = 'v'): Promise<Place> {
  const place = await makePlace(system, folder)
  const values = Array.from({ length: ROWS }, (_, i) => `(${i}, '${of}${i}')`).join(', ')
  await place.sql(
    ...(system === 'sqlite' ? ['PRAGMA journal_mode = wal'] : []),
    'CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)',
    `INSERT INTO t VALUES ${values}`,
  )
  return place
}

function removed(place: Place): void {
  const file = fileOf(place)
  for (const end of ['', '-wal', '-shm', '.wal']) rmSync(`${file}${end}`, { force: true })
}

/** Calls `body` at the first event of this type. */
function at(type: Event['type'], body: () => void): (event: Event) => void {
  let isDone = false
  return (event) => {
    if (isDone || event.type !== type) return
    isDone = true
    body()
  }
}

describe.each(['sqlite', 'duckdb'] as const)('a %s file', (system) => {
  it.each(['chunk.done', 'table.finished'] as const)(
    'removed at the first %s as target ends the copy',
    async (type) => {
      const source = await makeSource()
      const target = await makePlace(system, folder)
      const ran = await perform(copyOf(source, target, 't', { chunkRows: 10, workers: 1 }), {
        onEvent: at(type, () => removed(target)),
      })
      expect(ran.finished).toMatchObject({ exitCode: 4, error: { code: 'TARGET_IO' } })
      // The same command copies everything into a new file.
      const again = await perform(copyOf(source, target, 't'))
      expect(again.finished.exitCode).toBe(0)
      expect(await target.rows('SELECT count(*) FROM t')).toEqual([[String(ROWS)]])
    },
  )

  it('replaced as target ends the copy, and the other file is not changed', async () => {
    const source = await makeSource()
    const target = await makePlace(system, folder)
    const other = await makePlace(system, folder)
    await other.sql('CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)')
    const replace = (): void => {
      removed(target)
      renameSync(fileOf(other), fileOf(target))
    }
    const ran = await perform(copyOf(source, target, 't', { chunkRows: 10, workers: 1 }), {
      onEvent: at('chunk.done', replace),
    })
    expect(ran.finished).toMatchObject({ exitCode: 4, error: { code: 'TARGET_IO' } })
    expect(await target.rows('SELECT count(*) FROM t')).toEqual([['0']])
  })
})

describe.each(['sqlite', 'duckdb'] as const)('a %s file as source', (system) => {
  it.each(['removed', 'replaced'] as const)(
    'that is %s ends the copy, and the hints lead to a whole one',
    async (how) => {
      const source = await makeSource(system)
      const other = await makeSource(system, 'w')
      const target = await makePlace('sqlite', folder)
      const replace = (): void => {
        removed(source)
        renameSync(fileOf(other), fileOf(source))
      }
      const ran = await perform(copyOf(source, target, 't', { chunkRows: 10, workers: 1 }), {
        onEvent: at('chunk.done', how === 'removed' ? () => removed(source) : replace),
      })
      expect(ran.finished).toMatchObject({ exitCode: 3, error: { code: 'SOURCE_GONE' } })
      if (how === 'removed') replace()
      const again = await perform(copyOf(source, target, 't'))
      const hint = expect.stringContaining('--restart --on-existing upsert') as unknown
      expect(again.finished).toMatchObject({ error: { code: 'PLAN_CHANGED', hint } })
      const restarted = await perform(copyOf(source, target, 't', { restart: true, onExisting: 'upsert' }))
      expect(restarted.finished.exitCode).toBe(0)
      expect(await target.rows("SELECT count(*) FROM t WHERE v LIKE 'w%'")).toEqual([[String(ROWS)]])
    },
  )
})

describe('a followed sqlite file', { timeout: 90_000 }, () => {
  const FOLLOW = { chunkRows: 10, workers: 1, follow: { cdc: 'trigger' } } as const

  it('that is replaced ends the stream', async () => {
    const source = await makeSource()
    const other = await makeSource()
    const target = await makePlace('sqlite', folder)
    const ran = await perform(copyOf(source, target, 't', FOLLOW), {
      onEvent: at('follow.progress', () => {
        removed(source)
        renameSync(fileOf(other), fileOf(source))
      }),
    })
    expect(ran.finished).toMatchObject({ exitCode: 3, error: { code: 'SOURCE_GONE' } })
  })

  it.each(['sqlite', 'duckdb'] as const)('into a %s file that is removed ends the stream', async (system) => {
    const source = await makeSource()
    const target = await makePlace(system, folder)
    const ran = await perform(copyOf(source, target, 't', FOLLOW), {
      onEvent: at('follow.progress', () => {
        removed(target)
        void source.sql(`INSERT INTO t VALUES (${ROWS}, 'late')`)
      }),
    })
    expect(ran.finished).toMatchObject({ exitCode: 4, error: { code: 'TARGET_IO' } })
  })
})

describe.each([
  ['sqlite', openSqlite],
  ['duckdb', openDuckdb],
] as const)('a catalog in a %s file', (system, open) => {
  it('that is removed takes no more writes', async () => {
    const place = await makePlace(system, folder)
    await using database = await open(fileOf(place), 'write')
    await database.write(async ({ script }) => script('CREATE TABLE t (id INTEGER)'))
    const meanwhile = database.write(async ({ run }) => {
      await run('INSERT INTO t VALUES (1)')
      removed(place)
    })
    await expect(meanwhile).rejects.toMatchObject({ code: 'TARGET_IO' })
    const later = database.write(async ({ run }) => void (await run('INSERT INTO t VALUES (2)')))
    await expect(later).rejects.toMatchObject({ code: 'TARGET_IO' })
  })
})
