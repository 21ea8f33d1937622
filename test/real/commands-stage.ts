/** The lake of the command suites: the fixtures, and one table of some thousand files. */
import { appendFileSync, cpSync, utimesSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { commitName } from '../../src/delta/log-path.ts'
import type { Event } from '../../src/model/run/event.ts'
import { makeRoom } from '../support/backend.ts'
import { add, temporaryFolder, type Line } from '../support/catalog-kit.ts'
import { writeTable } from '../fault/lanes-kit.ts'
import { command, type Said } from './commands-kit.ts'
import type { FilesOperation } from '../../src/engine/lake/operations/files/declaration.ts'
import type { Operation } from '../../src/app/operations/list.ts'

const LAKE = resolve(import.meta.dirname, '../../fixtures/lake')

export type Stage = Disposable & {
  readonly folder: string
  readonly lake: string
  readonly catalog: string
  at(table: string): string
  read(table: string): { readonly table: string; readonly catalog: string }
  files(table: string, more?: Partial<FilesOperation>): FilesOperation
  say(operation: Operation, stopAt?: (event: Event) => boolean): Promise<Said>
  lines(operation: Operation): Promise<string>
  /** For lists whose order depends on the database or on workers. */
  sorted(operation: Operation): Promise<string>
}

export async function openStage(): Promise<Stage> {
  const folder = temporaryFolder()
  const lake = join(folder.path, 'lake')
  cpSync(LAKE, lake, { recursive: true, preserveTimestamps: true })
  writeTable(join(lake, 'big'), 'm', 40)
  const catalog = await makeRoom(join(folder.path, 'c.db'))
  const say: Stage['say'] = async (operation, stopAt) => {
    const said = await command(operation, folder.path, stopAt)
    // Ids of the catalog end with a digest of the path, which differs in each run.
    return { ...said, lines: said.lines.map((line) => line.replaceAll(/\b([a-z]+)-[0-9a-f]{8}\b(?!-)/g, '$1-#')) }
  }
  const at = (table: string): string => join(lake, table)
  return {
    folder: folder.path,
    lake,
    catalog,
    at,
    read: (table) => ({ table: at(table), catalog }),
    files: (table, more = {}) => ({ kind: 'files', table: at(table), catalog, asOf: {}, ...more }),
    say,
    lines: async (operation) => (await say(operation)).lines.join('\n'),
    sorted: async (operation) => (await say(operation)).lines.toSorted().join('\n'),
    [Symbol.dispose]: () => folder[Symbol.dispose](),
  }
}

/** One commit that removes a file, and two that add three. */
export async function appendCommits({ say, files, at }: Stage): Promise<void> {
  const { events } = await say(files('sales/orders'))
  const [first] = events.flatMap((event) => (event.type === 'file' ? [event] : []))
  if (first === undefined) throw new Error('sales/orders has no file')
  const { path, partitionValues, size } = first
  const remove = { path, deletionTimestamp: 1_800_000_000_000, dataChange: true, partitionValues, size: Number(size) }
  const commitInfo = { timestamp: 1_800_000_000_000, operation: 'DELETE' }
  append(at('sales/orders'), 40, [{ commitInfo }, { remove }])
  append(at('big/m'), 40, [add('new-1', { size: 7 }), add('new-2', { size: 8 })])
  append(at('big/m'), 41, [add('new-3', { size: 9, partitionValues: { day: null } })])
}

export const historyOf = (table: string, limit: number, catalog: string): Operation => ({
  kind: 'history',
  table,
  catalog,
  limit,
})

export const validateOf = (table: string, catalog: string): Operation => ({
  kind: 'validate',
  table,
  catalog,
  verbose: false,
  // The newest, the oldest and the one before the newest. More samples would be random, with another number of checks
  // each time.
  samples: 2,
})

/** A sync of all tables of the catalog, once. */
export const syncOf = (catalog: string): Operation => ({
  kind: 'sync',
  tables: [],
  catalog,
  watch: false,
  intervalMs: 1000,
  batchSize: 10_000,
  parallel: 2,
})

function append(table: string, version: number, actions: readonly Line[]): void {
  const file = join(table, '_delta_log', commitName(version))
  appendFileSync(file, actions.map((line) => `${JSON.stringify(line)}\n`).join(''))
  utimesSync(file, 1_800_000_000, 1_800_000_000)
}
