/** `sluice [PATH|URL]`: opens the terminal UI; without a terminal it lists the content. */
import { statSync } from 'node:fs'
import path from 'node:path'
import { EVERY_TABLE } from '../engine/copy/operations/discover-database/declaration.ts'
import { hasOneOpener, isCatalogUrl, isCopyUrl } from '../engine/run/systems.ts'
import type { JoinedRun } from '../app/workbench.ts'
import type { Event } from '../model/run/event.ts'
import { makeFolderSync } from '../shared/make-folder.ts'
import type { Deadline } from '../shared/deadline.ts'
import { isS3Url } from '../model/lake/lake-url.ts'
import { given } from './parse/arguments.ts'
import { historyFolder } from './config/history-folder.ts'
import { catalogUrl, sqliteUrl, stateCatalogFile, type CatalogChoice } from './flags/catalog-choice.ts'
import type { ConfiguredStore } from './config/named-stores.ts'
import { redactUrl } from '../shared/redact.ts'
import { isSamePlace } from '../shared/same-place.ts'
import { uiMemory, type UiMemory } from './ui/memory.ts'
import type { KnownQueue } from '../app/thread/threaded-queue.ts'
import type { CliContext, RunToShow, RunToWatch, TuiResult } from './ports.ts'
import { openTranscript, type TranscriptOptions } from './output/transcript.ts'
import { uiCommands } from './ui/commands.ts'
import { storeOf } from '../app/operations/facts.ts'
import type { LifecycleStatusOperation } from '../partition/operations/lifecycle-status/declaration.ts'
import type { Operation } from '../app/operations/list.ts'

/** The listing that `sluice PATH` runs without a terminal; changes nothing. */
export function listingOf(target: string): { readonly operation: Operation; readonly words: readonly string[] } {
  if (isCopyUrl(target) && !isCatalogUrl(target)) {
    return { operation: { kind: 'discover-database', url: target, tables: EVERY_TABLE }, words: ['discover', target] }
  }
  if (isCatalogUrl(target)) {
    return {
      operation: { kind: 'migration-status', catalog: target },
      words: ['migration-status', '--database-url', target],
    }
  }
  return {
    operation: { kind: 'discover', path: target, recursive: true, exclude: [] },
    words: ['discover', target, '--recursive'],
  }
}

export type OpenOptions = {
  readonly target: string
  readonly catalog: CatalogChoice | null
  /** A database whose tables are shown in addition to those of the lake. */
  readonly database: string | null
  /** Lifecycle settings of the config file. */
  readonly lifecycle?: LifecycleStatusOperation
  /** The config file, as for `--config`. */
  readonly config?: string
  /** Stores of the config file. */
  readonly stores?: readonly ConfiguredStore[]
  /** The queue whose runs are listed in addition to those of this machine. */
  readonly queue?: KnownQueue
  readonly ascii: boolean
  readonly tool: string
  readonly actor: string
  readonly host: string
  /** Time limit of each run. */
  readonly deadline?: Deadline
  /** True to restore the state of the last session; default true. */
  readonly remembers?: boolean
  /** Options of the lines that are printed after the UI has closed. */
  readonly transcript: TranscriptOptions
}

type UiOptions = Omit<OpenOptions, 'target' | 'catalog' | 'database' | 'remembers'> & {
  readonly memory?: UiMemory | null
}

/** Stores that the UI opens. */
type OpenedStores = { readonly lake: string | null; readonly catalog: string | null; readonly database: string | null }

/** Lake and catalog of the UI. A lake without a catalog gets a catalog in the user's state folder. */
function storesToOpen(options: OpenOptions, env: CliContext['env']): OpenedStores {
  const { target, database } = options
  if (isCatalogUrl(target)) {
    // A database that only one program can open is used as the catalog only, not also as the listed database.
    const itself = hasOneOpener(target) ? null : target
    return { lake: null, catalog: target, database: database ?? itself }
  }
  const catalog = options.catalog === null ? null : catalogUrl(options.catalog)
  if (isCopyUrl(target)) return { lake: null, catalog, database: target }
  if (catalog !== null) return { lake: target, catalog, database }
  const file = stateCatalogFile(target, env)
  // Create only the folder: the first import creates the file.
  makeFolderSync(path.dirname(file), 0o700)
  return { lake: target, catalog: sqliteUrl(file), database }
}

/**
 * Shows the Run screen of one long command until a key leaves it, or until it has ended. Resolves with its exit code.
 * @param onEvent called with every event of the command
 */
export async function showRun(
  run: RunToShow,
  uiOptions: UiOptions,
  context: CliContext,
  onEvent?: (event: Event) => void,
): Promise<number> {
  return (await showUntilClosed(catalogOfRun(run.operation), uiOptions, context, run, onEvent)).exitCode
}

/**
 * Shows the Run screen of another program's run until a key leaves it.
 * @returns the exit code, and whether the run continues
 */
export async function showJoined(
  joined: JoinedRun,
  leaveWhenDone: boolean,
  uiOptions: UiOptions,
  context: CliContext,
): Promise<TuiResult> {
  const nothing = { lake: null, catalog: null, database: null }
  return showUntilClosed(nothing, uiOptions, context, { joined, leaveWhenDone })
}

/** Stores of the operation, which the other screens show while it runs. */
function catalogOfRun(operation: Operation): OpenedStores {
  const database = storeOf(operation, 'database')
  if (database !== undefined) return { lake: null, catalog: null, database }
  const table = storeOf(operation, 'table')
  const lake = storeOf(operation, 'lake') ?? (table !== undefined && isPlace(table) ? table : null)
  return { lake, catalog: storeOf(operation, 'catalog') ?? null, database: null }
}

/**
 * Shows the UI until the user leaves, then prints the transcript. Resolves with the exit code.
 * @param onEvent called with every event of its runs
 */
export async function openUi(
  options: OpenOptions,
  context: CliContext,
  onEvent?: (event: Event) => void,
): Promise<number> {
  const { remembers = true } = options
  const at = storesToOpen(options, context.env)
  const memory = remembers ? uiMemory([at.lake, at.catalog, at.database], context.env) : null
  return (await showUntilClosed(at, { ...options, memory }, context, undefined, onEvent)).exitCode
}

async function showUntilClosed(
  { lake, catalog, database }: OpenedStores,
  options: UiOptions,
  context: CliContext,
  initial?: RunToShow | RunToWatch,
  onEvent?: (event: Event) => void,
): Promise<TuiResult> {
  const { tool, actor, host, ascii, lifecycle, deadline, queue, stores = [], memory = null } = options
  const transcript = await openTranscript(context, options.transcript)
  const open = [lake, catalog, database].filter((place) => place !== null)
  const others = stores.filter(({ url }) => !open.some((place) => isSamePlace(place, url)))
  const urls = [
    ...others.map(({ url }) => url),
    ...(lifecycle?.databases ?? []),
    ...[catalog, database].filter((url) => url !== null),
  ]
  const reported = { learned: (_url: string): void => undefined }
  const [engine, tui, commands] = await Promise.all([
    context.loadEngine(),
    context.loadTui(),
    uiCommands(context, {
      secrets: options.transcript.secrets,
      urls,
      learned: (url) => reported.learned(url),
      ...(options.config === undefined ? {} : { config: options.config }),
    }),
  ])
  await using workbench = await engine.openWorkbench({
    lake,
    catalog,
    database,
    urls,
    tool,
    actor,
    host,
    ...given('book', historyFolder(context.env)),
    ...given('queue', queue),
    ...(deadline === undefined ? {} : { deadline }),
  })
  reported.learned = (url) => workbench.know(url)
  const { stdin, stdout } = context
  const result = await tui.runTui({
    workbench,
    tool,
    ascii,
    ...(lifecycle === undefined ? {} : { lifecycle }),
    ...(others.length === 0 ? {} : { stores: others.map((store) => ({ ...store, url: redactUrl(store.url) })) }),
    ...(memory === null ? {} : { memory }),
    commands,
    stdin,
    stdout,
    onEvent: (run, event) => {
      onEvent?.(event)
      transcript.take(run, event)
    },
    ...(initial === undefined ? {} : { initial }),
  })
  await transcript.end()
  return result
}

/** True for a path or URL, as opposed to a table id. */
function isPlace(name: string): boolean {
  return isS3Url(name) || isFolder(name)
}

function isFolder(name: string): boolean {
  return statSync(name, { throwIfNoEntry: false })?.isDirectory() ?? false
}
