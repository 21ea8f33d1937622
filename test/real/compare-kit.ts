/** Small tables, their catalogs, and the comparison of both. */
import { join } from 'node:path'
import { compareTable, type CompareOptions, type CompareSummary } from '../../src/engine/lake/compare/index.ts'
import type { EventBody } from '../../src/model/run/event.ts'
import { NEVER } from '../../src/shared/abort.ts'
import { duckdbParquetRows } from '../../src/stores/duckdb/parquet-rows.ts'
import { openLocalLog } from '../../src/stores/local/index.ts'
import { catalogUrl, openAt } from '../support/backend.ts'
import {
  add,
  importInto,
  METADATA,
  openCatalog,
  PROTOCOL,
  remove,
  writeLog,
  type Folder,
} from '../support/catalog-kit.ts'

type Asked = { readonly summary: CompareSummary; readonly events: readonly EventBody[] }

export async function ask(table: string, catalogFile: string, more: Partial<CompareOptions> = {}): Promise<Asked> {
  const events: EventBody[] = []
  await using catalog = await openAt(catalogFile, 'read')
  const summary = await compareTable({
    log: openLocalLog(table),
    parquet: async () => duckdbParquetRows(),
    catalog,
    catalogUrl: catalogUrl(catalogFile),
    tableId: 't',
    table,
    runs: 1,
    cold: false,
    interrupt: NEVER,
    emit: (event) => events.push(event),
    openLog: () => openLocalLog(table),
    ...more,
  })
  return { summary, events }
}

export async function imported(folder: Folder, table: string): Promise<string> {
  const file = join(folder.path, 'c.db')
  await using database = await openCatalog(file)
  await importInto(database, table)
  return file
}

export const day = (date: string, from: number): { partitionValues: object; stats: string } => ({
  partitionValues: { day: date },
  stats: JSON.stringify({ numRecords: 10, minValues: { id: from }, maxValues: { id: from + 9 }, nullCount: { id: 0 } }),
})

/** Three commits: two days, one file removed again, and another one replaced in place by a deletion vector. */
export function smallTable(folder: Folder): string {
  const table = join(folder.path, 'table')
  const dv = { storageType: 'u', pathOrInlineDv: 'ab^-aqEH.-t@S}K{vb[*k^', offset: 4, sizeInBytes: 40, cardinality: 6 }
  writeLog(table, [
    [PROTOCOL, METADATA, add('a', day('2024-01-01', 0)), add('day=x%2520y/b', day('2024-01-02', 10))],
    [add('c', day('2024-01-02', 20)), remove('a')],
    [remove('c'), add('c', { ...day('2024-01-02', 20), deletionVector: dv })],
  ])
  return table
}
