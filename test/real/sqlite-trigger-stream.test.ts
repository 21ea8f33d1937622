/** Changes out of a SQLite file: whatever is done to it, a twin that takes what the stream tells holds the same rows. */
import { copyFileSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { afterAll, describe, expect, test } from 'vitest'
import type { Change } from '../../src/model/copy/change.ts'
import { keyText } from '../../src/model/copy/key-text.ts'
import { openCopyStore } from '../../src/engine/copy/open-stores.ts'
import type { ChangeSource, FollowedTable, StreamBirth } from '../../src/stores/follow-port.ts'
import type { CopyStore } from '../../src/stores/copy-port.ts'
import type { MomentStream } from '../../src/stores/moment-port.ts'
import { randomOf, SQLITE_NAMES, SQLITE_TABLES, writeSome } from '../support/sqlite-writer.ts'

const SIGNAL = new AbortController().signal
const folder = mkdtempSync(join(tmpdir(), 'sluice-sqlite-stream-'))
let files = 0

afterAll(() => {
  rmSync(folder, { recursive: true, force: true })
})

type Sit = AsyncDisposable & {
  readonly file: string
  readonly db: Database.Database
  readonly store: CopyStore
  readonly source: ChangeSource
  tables(names: readonly string[]): Promise<readonly FollowedTable[]>
}

async function sitOf(statements: readonly string[], mode = 'wal'): Promise<Sit> {
  const file = join(folder, `f${++files}.db`)
  const db = new Database(file)
  db.pragma(`journal_mode = ${mode}`)
  for (const one of statements) db.exec(one)
  const store = await openCopyStore(`sqlite:///${file}`, { mode: 'read' })
  const source = store.changeSource?.('trigger')
  if (source === undefined) throw new Error('a file tells changes')
  const tables = async (names: readonly string[]): Promise<readonly FollowedTable[]> => {
    const found: FollowedTable[] = []
    for (const name of names) {
      const [table] = await store.tables(name, SIGNAL)
      if (table === undefined) throw new Error(name)
      const columns = table.columns.map((column) => ({ name: column.name, as: column.type, column }))
      found.push({ table, columns, identity: table.key })
    }
    return found
  }
  return {
    file,
    db,
    store,
    source,
    tables,
    [Symbol.asyncDispose]: async () => {
      db.close()
      await store[Symbol.asyncDispose]()
    },
  }
}

/** Takes what a stream tells. */
class Twin {
  readonly rows: Map<string, string>[]
  readonly #tables: readonly FollowedTable[]
  applied = 0n

  constructor(tables: readonly FollowedTable[]) {
    this.#tables = tables
    this.rows = tables.map(() => new Map<string, string>())
  }

  take(changes: readonly Change[]): void {
    for (const change of changes) {
      if (change.type === 'delete') this.rows[change.table]?.delete(keyText(change.key))
      if (change.type === 'commit') this.applied = change.end
      if (change.type === 'idle') this.applied = change.position
      if (change.type === 'reshaped') throw new Error(change.reason)
      if (change.type !== 'update') continue
      const { columns, identity } = this.#tables[change.table] ?? { columns: [], identity: [] }
      const key = identity.map((name) => change.row[columns.findIndex((one) => one.name === name)] ?? null)
      this.rows[change.table]?.set(keyText(key), JSON.stringify(change.row.map(String)))
    }
  }

  /** Everything that is noted now, and that the target has it. */
  async catchUp(stream: MomentStream): Promise<void> {
    for (;;) {
      const changes = await stream.next(0)
      this.take(changes)
      if (changes.at(-1)?.type === 'commit') stream.confirm(this.applied)
      if (changes.length === 0 || changes.at(-1)?.type === 'idle') return
    }
  }
}

/** As the copy of the table has it. */
async function inSource(store: CopyStore, table: FollowedTable): Promise<Map<string, string>> {
  await using view = await store.source(SIGNAL)
  const rows = new Map<string, string>()
  const wish = {
    table: table.table,
    columns: table.columns,
    range: { by: 'all' },
    where: null,
    ordered: false,
  } as const
  for await (const batch of view.read(wish, { rows: 1000, bytes: 1e6 }, SIGNAL)) {
    for (const row of batch.rows) {
      const key = table.identity.map((name) => row[table.columns.findIndex((one) => one.name === name)] ?? null)
      rows.set(keyText(key), JSON.stringify(row.map(String)))
    }
  }
  return rows
}

const sorted = (rows: Map<string, string> | undefined): readonly (readonly [string, string])[] =>
  [...(rows ?? [])].toSorted(([a], [b]) => (a < b ? -1 : 1))

const began = async ({ source }: Sit, tables: readonly FollowedTable[]): Promise<StreamBirth> => {
  const exam = await source.examine(tables, SIGNAL)
  expect(exam.refusals).toEqual([])
  expect(exam.identities).toEqual(tables.map(({ identity }) => identity))
  return await source.begin('sluice_7', tables, SIGNAL)
}

const opened = async (
  { source }: Sit,
  birth: StreamBirth,
  tables: readonly FollowedTable[],
  from = 0n,
): Promise<MomentStream> => (await source.open(birth, tables, from, SIGNAL)) as MomentStream

describe('a twin of a SQLite file', () => {
  test.each([1, 2, 3, 4])('holds the same after anything, seed %i', { timeout: 60_000 }, async (seed) => {
    await using sit = await sitOf(SQLITE_TABLES)
    const tables = await sit.tables(SQLITE_NAMES)
    const birth = await began(sit, tables)
    const random = randomOf(seed)
    const twin = new Twin(tables)
    await using stream = await opened(sit, birth, tables)
    for (let round = 0; round < 120; round++) {
      for (let left = 1 + random(5); left > 0; left--) writeSome(sit.db, random, 4 + seed * 3)
      if (random(20) === 0) sit.db.exec('VACUUM')
      await twin.catchUp(stream)
      for (const [at, table] of tables.entries())
        expect(sorted(twin.rows[at]), `${table.table.table.name} after round ${round}`).toEqual(
          sorted(await inSource(sit.store, table)),
        )
    }
    const { faults } = await sit.source.verify(birth, tables, twin.applied, SIGNAL)
    expect(faults).toEqual([])
    expect(sit.db.prepare('SELECT count(*) FROM sluice_7_keys_1').pluck().get()).toBe(0)
    await sit.source.end('sluice_7', SIGNAL)
    await sit.source.end('sluice_7', SIGNAL)
    expect(sit.db.prepare(`SELECT name FROM sqlite_schema WHERE name GLOB 'sluice*'`).all()).toEqual([])
  })
})
