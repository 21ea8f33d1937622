/** `sluice [PATH|URL]`: the terminal UI on a lake, or without a terminal a list of what is there. */
import { mkdirSync, statSync } from 'node:fs'
import path from 'node:path'
import type { Operation } from '../engine/operation.ts'
import { redactText } from '../shared/redact.ts'
import { catalogUrl, sqliteUrl, stateCatalogFile } from './catalog-choice.ts'
import type { CatalogChoice } from './catalog-choice.ts'
import type { RunToShow, Surroundings } from './ports.ts'

const DATABASE_URL = /^(?:sqlite|postgres(?:ql)?|mysql|duckdb):\/\//i

/** A word that names a catalog and not a lake. */
export function isDatabaseUrl(target: string): boolean {
  return DATABASE_URL.test(target)
}

/** What `sluice PATH` does without a terminal: it lists, and changes nothing. */
export function listInstead(target: string): { readonly operation: Operation; readonly words: readonly string[] } {
  if (isDatabaseUrl(target)) {
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
  readonly ascii: boolean
  readonly tool: string
  readonly actor: string
  readonly host: string
  readonly secrets: readonly string[]
}

/** Lake and catalog of the UI; a lake without a catalog gets one in the user's state folder. */
function lakeAndCatalog(
  options: OpenOptions,
  env: Surroundings['env'],
): { readonly lake: string | null; readonly catalog: string } {
  const { target } = options
  if (isDatabaseUrl(target)) return { lake: null, catalog: target }
  if (options.catalog !== null) return { lake: target, catalog: catalogUrl(options.catalog) }
  const file = stateCatalogFile(target, env)
  // Only the folder: the file comes with the first import.
  mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 })
  return { lake: target, catalog: sqliteUrl(file) }
}

/** Shows the Run screen of one long command, and leaves with its exit code when it ends. */
export async function showRun(
  operation: Operation & { readonly catalog: string },
  commandLine: string,
  options: Omit<OpenOptions, 'target' | 'catalog'>,
  surroundings: Surroundings,
): Promise<number> {
  const lake =
    'path' in operation ? operation.path : 'table' in operation && isFolder(operation.table) ? operation.table : null
  const run = { operation, commandLine, leaveWhenDone: true }
  return show({ lake, catalog: operation.catalog }, options, surroundings, run)
}

/** Shows the UI until the user leaves it; then prints what it leaves behind. Resolves with the exit code. */
export async function openUi(options: OpenOptions, surroundings: Surroundings): Promise<number> {
  return show(lakeAndCatalog(options, surroundings.env), options, surroundings)
}

async function show(
  { lake, catalog }: { readonly lake: string | null; readonly catalog: string },
  options: Omit<OpenOptions, 'target' | 'catalog'>,
  surroundings: Surroundings,
  initial?: RunToShow,
): Promise<number> {
  const { tool, actor, host, ascii, secrets } = options
  const [engine, tui] = await Promise.all([surroundings.loadEngine(), surroundings.loadTui()])
  await using workbench = await engine.openWorkbench({ lake, catalog, tool, actor, host })
  const { stdin, stdout } = surroundings
  const { exitCode, closing } = await tui.runTui({
    workbench,
    tool,
    ascii,
    stdin,
    stdout,
    ...(initial === undefined ? {} : { initial }),
  })
  for (const line of closing) stdout.write(`${redactText(line, secrets)}\n`)
  return exitCode
}

function isFolder(name: string): boolean {
  return statSync(name, { throwIfNoEntry: false })?.isDirectory() ?? false
}
