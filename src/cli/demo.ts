/**
 * `sluice demo [PATH]`: imports, validates and compares a whole lake, with the catalog in a named folder. The lake is
 * only read.
 */
import { existsSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import type { RunFinished } from '../engine/run/operation.ts'
import type { Event, EventBody } from '../model/run/event.ts'
import { makeFolderSync } from '../shared/make-folder.ts'
import { SluiceError, type ErrorCode } from '../shared/errors.ts'
import { shellQuote } from '../shared/shell.ts'
import { sqliteUrl } from './flags/catalog-choice.ts'
import { commandLine } from './parse/command-line.ts'
import { plural } from '../shared/figures.ts'
import type { CliSession } from './session.ts'
import type { Operation } from '../app/operations/list.ts'

/** The small lake in the package. */
export const DEMO_LAKE = fileURLToPath(new URL('../../fixtures/lake', import.meta.url))

/** Errors that the package's lake contains intentionally. */
const INTENTIONAL_ERRORS: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['LOG_GAP', 'TABLE_FEATURE', 'PROTOCOL_VERSION'])

type TableFinished = Extract<EventBody, { type: 'table.finished' }>

export type DemoOptions = {
  /** A lake of the user; null for the package's lake. */
  readonly lake: string | null
  readonly folder: string
  readonly cwd: string
  readonly tool: string
  /** The command that repeats the demo. */
  readonly commandLine: string
  /** The package's lake; replaced in tests. */
  readonly ownLake?: string
}

export type DemoOutcome = { readonly exitCode: number; readonly lake: string; readonly catalog: string }

/** A relative path below the current folder, else the absolute path. */
function shortPath(target: string, cwd: string): string {
  const relative = path.relative(cwd, target)
  return relative === '' || relative.startsWith('..') || path.isAbsolute(relative) ? target : `./${relative}`
}

const shortUrl = (file: string, cwd: string): string => `sqlite:///${shortPath(file, cwd).replace(/^\.\//, '')}`

function makeFolder(folder: string): void {
  try {
    makeFolderSync(folder)
  } catch (error) {
    throw new SluiceError('TARGET_DENIED', 'the folder of the demo cannot be created', {
      where: folder,
      reason: error instanceof Error ? error.message : String(error),
      hint: 'name another one with --dir',
      cause: error,
    })
  }
}

/** Runs all steps and emits their result. @throws SluiceError if there is no lake or no folder */
export async function runDemo(session: CliSession, options: DemoOptions): Promise<DemoOutcome> {
  const root = path.resolve(options.cwd, options.lake ?? options.ownLake ?? DEMO_LAKE)
  if (!existsSync(root)) {
    const hint =
      options.lake === null
        ? 'create it with npm run make-lake, or name your own lake: sluice demo PATH'
        : 'check the path'
    throw new SluiceError('NO_SUCH_PATH', `there is no lake at ${root}`, { where: root, hint })
  }
  const folder = path.resolve(options.cwd, options.folder)
  makeFolder(folder)
  const lake = options.lake ?? shortPath(root, options.cwd)
  const file = path.join(folder, 'lake.db')
  const catalog = sqliteUrl(file)
  const steps = new Steps(session, catalog)
  session.emit({ type: 'run.started', command: 'demo', tool: options.tool, source: lake, target: catalog })
  const again = existsSync(file) ? '; it already exists, so only new commits are imported' : ''
  note(session, `demo of ${lake}, which is only read; the catalog is ${shortPath(file, options.cwd)}${again}`)

  const imported = await steps.importAll(lake)
  const good = steps.tables.filter((table) => table.status === 'ok' || table.status === 'current')
  const proofs: RunFinished[] = []
  for (const table of good) {
    if (session.interrupter.stop.aborted) break
    proofs.push(await steps.validate(table.location ?? path.join(lake, table.table)))
  }
  const largest = good.toSorted((a, b) => Number(b.files ?? 0) - Number(a.files ?? 0))[0]
  const compared =
    largest === undefined || session.interrupter.stop.aborted
      ? null
      : await steps.compare(largest.location ?? path.join(lake, largest.table))

  const later = compared === null ? proofs : [...proofs, compared]
  const exitCode = demoExitCode(options.lake === null, imported, steps.tables, later)
  const proved = proofs.filter((proof) => proof.exitCode === 0).length
  note(
    session,
    `${good.length} of ${plural(steps.tables.length, 'table')} imported, ${proved} proved equal to their logs`,
  )
  const onPurpose = options.lake === null && exitCode === 0 ? ' on purpose' : ''
  for (const { table, error } of steps.tables)
    if (error !== undefined) note(session, `not imported${onPurpose}: ${table} (${error.code})`)
  note(session, 'next: the tables on a screen, where key 5 asks the catalog in SQL')
  note(session, `sluice ${shellQuote(lake)} --database-url ${shellQuote(shortUrl(file, options.cwd))}`)
  note(session, 'next: the same with a lake of your own, which is only read')
  note(session, 'sluice demo PATH')
  const totals = { tables: steps.tables.length, imported: good.length, proved }
  finish(session, { exitCode, totals, runs: [imported, ...later], commandLine: options.commandLine })
  return { exitCode, lake, catalog }
}

function note(session: CliSession, message: string): void {
  session.emit({ type: 'log', level: 'note', message })
}

/** Steps of the demo as operations, each with its own command. */
class Steps {
  readonly tables: TableFinished[] = []
  readonly #session: CliSession
  readonly #catalog: string

  constructor(session: CliSession, catalog: string) {
    this.#session = session
    this.#catalog = catalog
  }

  async importAll(lake: string): Promise<RunFinished> {
    const listen = (event: Event): void => {
      if (event.type === 'table.finished') this.tables.push(event)
    }
    const flags = { exclude: [], parallel: 2, batchSize: 10_000, dryRun: false, resume: false, verbose: false }
    const operation: Operation = { kind: 'batch-import', path: lake, catalog: this.#catalog, recursive: true, ...flags }
    return await this.#run(operation, ['batch-import', lake, '--recursive'], listen)
  }

  async validate(table: string): Promise<RunFinished> {
    const operation: Operation = { kind: 'validate', table, catalog: this.#catalog, verbose: false, samples: 4 }
    return await this.#run(operation, ['validate', table])
  }

  /** Three runs per question and no cold start keep the demo below 20 s. */
  async compare(table: string): Promise<RunFinished> {
    const operation: Operation = { kind: 'performance-compare', table, catalog: this.#catalog, runs: 3, cold: false }
    return await this.#run(operation, ['performance-compare', table, '--runs', '3', '--no-cold'])
  }

  async #run(operation: Operation, words: readonly string[], listen?: (event: Event) => void): Promise<RunFinished> {
    const line = commandLine([...words, '--database-url', this.#catalog], null, [])
    return await this.#session.run(operation, line, { part: true, ...(listen === undefined ? {} : { listen }) })
  }
}

/** Exit code of the demo: the code of the first failed step. Intentional errors of the package's lake are ignored. */
function demoExitCode(
  ownLake: boolean,
  imported: RunFinished,
  tables: readonly TableFinished[],
  later: readonly RunFinished[],
): number {
  const good = tables.some((table) => table.status === 'ok' || table.status === 'current')
  const asMeant = tables.every((table) => table.error === undefined || INTENTIONAL_ERRORS.has(table.error.code))
  const ran = imported.exitCode === 0 || imported.exitCode === 1 || imported.exitCode === 6
  const forgiven = ownLake && ran && good && asMeant
  if (imported.exitCode !== 0 && !forgiven) return imported.exitCode
  return later.find((run) => run.exitCode !== 0)?.exitCode ?? 0
}

type Ended = {
  readonly exitCode: number
  readonly totals: Readonly<Record<string, number>>
  readonly runs: readonly RunFinished[]
  readonly commandLine: string
}

function finish(session: CliSession, { exitCode, totals, runs, commandLine: again }: Ended): void {
  const counts = Object.fromEntries(Object.entries(totals).map(([name, n]) => [name, n.toString()]))
  const stopped = exitCode === 75 || exitCode === 130 || exitCode === 143
  const error = exitCode === 0 ? undefined : runs.find((run) => run.exitCode === exitCode)?.error
  session.emit({
    type: 'run.finished',
    status: exitCode === 0 ? 'ok' : stopped ? 'stopped' : 'failed',
    exitCode,
    totals: counts,
    ms: runs.reduce((sum, run) => sum + run.ms, 0),
    ...(stopped ? { resumeCommand: again } : {}),
    ...(error === undefined ? {} : { error }),
  })
}
