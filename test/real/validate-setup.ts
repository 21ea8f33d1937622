/** Imports a real table into a new catalog and validates it. Shared by the tests of the validator. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { importTable } from '../../src/catalog/import/import-table.ts'
import { FileIndexes } from '../../src/catalog/import/indexes.ts'
import { validateTable, type ValidationResult } from '../../src/catalog/validate/index.ts'
import type { EventBody } from '../../src/model/run/event.ts'
import type { LogStore } from '../../src/model/lake/log-store.ts'
import { parquetRows } from '../../src/engine/run/registry.ts'
import { NEVER } from '../../src/shared/abort.ts'
import { systemClock } from '../../src/shared/clock.ts'
import { openDuckdb } from '../../src/stores/duckdb/sql-database.ts'
import { openLocalLog } from '../../src/stores/local/index.ts'
import type { SqlDatabase } from '../../src/model/run/sql-port.ts'
import { ALL } from '../support/backend.ts'
import { holderOf, openCatalog } from '../support/catalog-kit.ts'

export { HAVE_TABLES, TABLES } from '../tables/shared-tables.ts'

export type Imported = AsyncDisposable & {
  readonly catalog: SqlDatabase
  readonly log: LogStore
  readonly tableId: string
  readonly file: string
}

/** A catalog of its own with one table in it. */
export async function imported(folder: string, tableId = 't'): Promise<Imported> {
  const place = await mkdtemp(join(tmpdir(), 'sluice-validate-'))
  const file = join(place, 'catalog.db')
  const catalog = await openCatalog(file)
  const log = openLocalLog(folder)
  const dispose = async (): Promise<void> => {
    await catalog.close()
    await rm(place, { recursive: true, force: true })
  }
  try {
    await importInto(catalog, log, tableId)
  } catch (error) {
    await dispose()
    throw error
  }
  return { catalog, log, tableId, file, [Symbol.asyncDispose]: dispose }
}

let imports = 1

export async function importInto(catalog: SqlDatabase, log: LogStore, tableId: string): Promise<void> {
  await importTable({
    database: catalog,
    indexes: new FileIndexes(catalog),
    log,
    parquet: parquetRows,
    tableId,
    batchSize: 10_000,
    allowRefused: true,
    interrupt: NEVER,
    clock: systemClock,
    holder: holderOf('test'),
    waitMs: 0,
    importId: String(BigInt(Date.now()) * 1_000_000n + BigInt(imports++)),
    onStart: () => undefined,
    onProgress: () => undefined,
    onNote: () => undefined,
  })
}

export type Validated = ValidationResult & { readonly events: readonly EventBody[] }

export async function validated(
  of: Omit<Imported, keyof AsyncDisposable | 'file'>,
  samples = 3,
  checkpoints = Infinity,
): Promise<Validated> {
  const events: EventBody[] = []
  const result = await validateTable({
    catalog: of.catalog,
    tableId: of.tableId,
    log: of.log,
    // On tables this small a second thread only costs time; the commands are tested with their own number.
    scratch: () => openDuckdb(':memory:', 'write', { memoryLimit: '1GB', threads: ALL ? 2 : 1 }),
    samples,
    checkpoints,
    now: Date.now(),
    random: seeded(7),
    interrupt: NEVER,
    emit: (event) => void events.push(event),
    table: of.tableId,
  })
  return { ...result, events }
}

/** The differences of a validation, one line each. */
export function differencesOf(events: readonly EventBody[]): readonly string[] {
  return events.flatMap((e) =>
    e.type === 'verify.mismatch'
      ? [`${e.check} v${e.version} ${e.path ?? ''} ${e.field}: log ${e.log} | catalog ${e.catalog}`]
      : [],
  )
}

/** A small linear congruential generator: the same numbers every time. */
export function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}
