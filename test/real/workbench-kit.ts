/** A workbench with its real threads, on a lake of its own: shared by the tests of the workbench. */
import { cpSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { openWorkbench } from '../../src/app/thread/threaded-workbench.ts'
import type { TableRow } from '../../src/model/lake/answers.ts'
import type { RunningOperation, Workbench } from '../../src/app/workbench.ts'
import type { Event } from '../../src/model/run/event.ts'
import { openSqlite } from '../../src/stores/sqlite/sql-database.ts'
import type { SqlDatabase } from '../../src/model/run/sql-port.ts'
import { temporaryFolder } from '../support/catalog-kit.ts'
import type { Operation } from '../../src/app/operations/list.ts'

export const FIXTURE_LAKE = resolve(import.meta.dirname, '../../fixtures/lake')
const DEADLINE_MS = 20_000

export type Bench = AsyncDisposable & {
  readonly folder: string
  readonly lake: string
  /** The catalog's file, which does not exist yet. */
  readonly file: string
  readonly bench: Workbench
  /** Another workbench on the same lake. */
  again(file?: string): Promise<Workbench>
  openCatalog(mode: 'read' | 'write'): SqlDatabase
}

/** @param fill puts tables into the empty lake; without it the lake is a copy of the demo lake */
export async function openBench(fill?: (lake: string) => void): Promise<Bench> {
  const folder = temporaryFolder()
  const lake = join(folder.path, 'lake')
  if (fill === undefined) cpSync(FIXTURE_LAKE, lake, { recursive: true, preserveTimestamps: true })
  else fill(lake)
  const file = join(folder.path, 'catalog.db')
  const opened: Workbench[] = []
  const again = async (at = file): Promise<Workbench> => {
    const bench = await openWorkbench({ lake, catalog: `sqlite:///${at}`, tool: 'test', actor: 'me', host: 'here' })
    opened.push(bench)
    return bench
  }
  return {
    folder: folder.path,
    lake,
    file,
    bench: await again(),
    again,
    openCatalog: (mode) => openSqlite(file, mode),
    async [Symbol.asyncDispose]() {
      for (const bench of opened) await bench[Symbol.asyncDispose]()
      folder[Symbol.dispose]()
    },
  }
}

export function importOf(table: string, bench: Workbench, batchSize = 10_000): Operation {
  const catalog = bench.catalog ?? ''
  return {
    kind: 'import',
    table,
    catalog,
    batchSize,
    dryRun: false,
    resume: true,
    verbose: false,
    allowRefused: false,
    waitMs: 0,
  }
}

export function batchImportOf(lake: string, bench: Workbench): Operation {
  const catalog = bench.catalog ?? ''
  return {
    kind: 'batch-import',
    path: lake,
    catalog,
    recursive: true,
    exclude: [],
    parallel: 2,
    batchSize: 10_000,
    dryRun: false,
    resume: true,
    verbose: false,
  }
}

export type Watched = {
  readonly running: RunningOperation
  readonly events: readonly Event[]
  /** Resolves with the first event of that type, or rejects if the run ends without one. */
  readonly first: (type: Event['type']) => Promise<Event>
  /** The exit code and the last event. */
  readonly end: () => Promise<{ readonly exitCode: number; readonly last: Extract<Event, { type: 'run.finished' }> }>
}

/** Starts an operation and keeps all its events. */
export function watch(bench: Workbench, operation: Operation, commandLine = `sluice ${operation.kind}`): Watched {
  const running = bench.start(operation, commandLine)
  const events: Event[] = []
  const waiting = new Set<() => void>()
  running.subscribe((event) => {
    events.push(event)
    for (const look of waiting) look()
  })
  return {
    running,
    events,
    first: (type) =>
      new Promise((fulfil, reject) => {
        const look = (): void => {
          const found = events.find((event) => event.type === type)
          if (found === undefined) return
          waiting.delete(look)
          fulfil(found)
        }
        waiting.add(look)
        look()
        void running.done.then((code) => reject(new Error(`the run ended with ${code} and told no ${type}`)))
      }),
    end: async () => {
      const exitCode = await running.done
      const last = events.at(-1)
      if (last?.type !== 'run.finished') throw new Error(`the last event is ${last?.type ?? 'none'}`)
      return { exitCode, last }
    },
  }
}

/** Runs an operation to its end. */
export async function runToEnd(bench: Workbench, operation: Operation): ReturnType<Watched['end']> {
  return watch(bench, operation).end()
}

export async function rowOf(bench: Workbench, name: string): Promise<TableRow> {
  const rows = await bench.tables()
  const row = rows.find((one) => one.name === name)
  if (row === undefined) throw new Error(`no ${name} among ${rows.map((one) => one.name).join(', ')}`)
  return row
}

/** Asks again until the result is as wanted; the error at the deadline has the last one. */
export async function eventually<T>(ask: () => Promise<T>, wanted: (answer: T) => boolean): Promise<T> {
  const end = Date.now() + DEADLINE_MS
  for (;;) {
    const answer = await ask()
    if (wanted(answer)) return answer
    if (Date.now() > end) throw new Error(`never as wanted, at last ${JSON.stringify(answer)}`)
    await new Promise((fulfil) => setTimeout(fulfil, 5))
  }
}
