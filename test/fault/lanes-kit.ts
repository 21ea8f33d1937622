/**
 * Large tables for worker threads: logs long enough to be interrupted in the middle, and a batch of them as
 * `batch-import` runs it.
 */
import { join } from 'node:path'
import { withWritableCatalog } from '../../src/engine/lake/catalog-session.ts'
import { COMMIT_COLUMNS, FILE_COLUMNS, PARTITION_COLUMNS } from '../../src/catalog/relations.ts'
import type { TableOutcome } from '../../src/engine/lake/import/import-one.ts'
import { importInWorkers, type ThreadOptions } from '../../src/engine/lake/import/import-workers.ts'
import type { RunControl } from '../../src/engine/run/operation.ts'
import type { EventBody } from '../../src/model/run/event.ts'
import { Interrupter } from '../../src/shared/abort.ts'
import { systemClock } from '../../src/shared/clock.ts'
import { newOwner } from '../../src/shared/owner.ts'
import { makeRoom, openAt } from '../support/backend.ts'
import { add, dumpCatalog, METADATA, PROTOCOL, remove, writeLog, type Line } from '../support/catalog-kit.ts'

export const COMMITS = 24
export const FILES_A_COMMIT = 100
export const BATCH_ROWS = 100

/** A table of so many commits with so many new files each; every second commit removes ten of the files before it. */
export function writeTable(lake: string, name: string, count = COMMITS): string {
  const table = join(lake, name)
  const commits: Line[][] = Array.from({ length: count }, (_, version) => [
    ...(version === 0 ? [PROTOCOL, METADATA] : [{ txn: { appId: name, version } }]),
    ...(version % 2 === 1 ? Array.from({ length: 10 }, (_unused, i) => remove(`${name}-${version - 1}-${i}`)) : []),
    ...Array.from({ length: FILES_A_COMMIT }, (_unused, i) =>
      add(`${name}-${version}-${i}`, {
        partitionValues: { day: `2024-01-${10 + (i % 20)}` },
        size: version * 1000 + i,
      }),
    ),
  ])
  writeLog(table, commits)
  return table
}

export type BatchOptions = {
  readonly parallel?: number
  readonly split?: ThreadOptions
  readonly interrupter?: Interrupter
  readonly control?: RunControl
  readonly onEvent?: (event: EventBody) => void
  /** URL that the threads open, if it differs from that of the catalog. */
  readonly threadUrl?: string
}

export type Batch = { readonly outcomes: ReadonlyMap<string, TableOutcome>; readonly events: readonly EventBody[] }

/** Imports the tables at these paths, all of them large, by default in two threads. */
export async function batchInto(file: string, paths: readonly string[], options: BatchOptions = {}): Promise<Batch> {
  const url = await makeRoom(file)
  const events: EventBody[] = []
  const run = {
    runId: String(1_700_000_000_000_000_000n + (process.hrtime.bigint() % 1_000_000_000_000n)),
    tool: '0.0.0',
    actor: 'test',
    host: 'here',
    owner: newOwner('here'),
    commandLine: 'sluice batch-import',
    clock: systemClock,
    interrupt: options.interrupter ?? new Interrupter(),
    emit: (event: EventBody) => {
      events.push(event)
      options.onEvent?.(event)
    },
    ...(options.control === undefined ? {} : { control: options.control }),
  }
  const outcomes = new Map<string, TableOutcome>()
  await withWritableCatalog(url, run, 'lake', async (catalog) => {
    // Equal sizes keep their order, so every outcome has a name.
    const targets = paths.map((path, i) => ({ name: nameOf(path), path, logBytes: 1000 - i }))
    const settings = { batchSize: BATCH_ROWS, allowRefused: false, waitMs: 0 }
    const split = { largeLogBytes: 1, threads: 2, ...options.split }
    const done = await importInWorkers(
      catalog,
      options.threadUrl ?? url,
      targets,
      options.parallel ?? 2,
      settings,
      run,
      split,
    )
    await catalog.indexes.finish()
    const order = events.flatMap((event) => (event.type === 'table.finished' ? [event.table] : []))
    done.forEach((outcome, i) => outcomes.set(order[i] as string, outcome))
    return { totals: {} }
  })
  return { outcomes, events }
}

/**
 * A catalog as text. SQLite numbers files and partitions across all tables in order of import: here each table is
 * numbered from 0.
 */
export async function dumpOf(file: string): Promise<string> {
  await using database = await openAt(file, 'read')
  const ranks = async (relation: string, column: string): Promise<(table: unknown, no: unknown) => unknown> => {
    const rows = await database.all(`SELECT table_id, ${column} FROM ${relation} ORDER BY table_id, ${column}`)
    const first = new Map<unknown, number>()
    const rankOf = new Map(
      rows.map(([table, no], i) => {
        if (!first.has(table)) first.set(table, i)
        return [JSON.stringify([table, no]), i - (first.get(table) as number)]
      }),
    )
    return (table, no) => (no === null ? null : rankOf.get(JSON.stringify([table, no])))
  }
  const fileRank = await ranks('delta_files', 'file_no')
  const partitionRank = await ranks('delta_partitions', 'partition_no')
  let relation = ''
  const lines = (await dumpCatalog(database)).split('\n').map((line) => {
    if (!line.startsWith('[')) return (relation = line)
    const row = JSON.parse(line) as unknown[]
    const put = (columns: readonly string[], column: string, rank: typeof fileRank): void => {
      const at = columns.indexOf(column)
      row[at] = rank(row[columns.indexOf('table_id')], row[at])
    }
    if (relation === 'delta_files') {
      put(FILE_COLUMNS, 'file_no', fileRank)
      put(FILE_COLUMNS, 'partition_no', partitionRank)
    } else if (relation === 'delta_partitions') put(PARTITION_COLUMNS, 'partition_no', partitionRank)
    else if (relation === 'delta_commits') put(COMMIT_COLUMNS, 'first_file_no', fileRank)
    return `${relation} ${JSON.stringify(row)}`
  })
  return lines.toSorted().join('\n')
}

/** The catalog of the same tables, imported one after the other without threads. */
export async function dumpOfOneByOne(file: string, paths: readonly string[]): Promise<string> {
  for (const path of paths) await batchInto(file, [path], { parallel: 1, split: { threads: 0 } })
  return dumpOf(file)
}

export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}

/** Events of threads do not name their thread; but they show whether both tables were imported at the same time. */
export function overlapped(events: readonly EventBody[]): boolean {
  const begun = events.flatMap((event, i) => (event.type === 'table.started' ? [i] : []))
  const ended = events.findIndex((event) => event.type === 'table.finished')
  return begun.length > 1 && (begun[1] as number) < ended
}
