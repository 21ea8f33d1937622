/** The built program as a process, for end-to-end tests: in a pseudo terminal, or without one. */
import { spawn, spawnSync, type ChildProcessByStdio } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import type { Readable } from 'node:stream'
import type { Event } from '../../../src/model/run/event.ts'
import { openSqlite } from '../../../src/stores/sqlite/sql-database.ts'
import { dumpCatalog } from '../../support/catalog-kit.ts'
import { openPty, type PtyApp } from '../../tui/support/pty.ts'

const ROOT = resolve(import.meta.dirname, '../../..')
export const BIN = join(ROOT, 'dist/cli/bin.js')
export const START = join(ROOT, 'dist/cli/start.js')
export const DEMO_LAKE = join(ROOT, 'fixtures/lake')
const DEADLINE_MS = 30_000
/** State folder of these tests, so that screens remember nothing else. */
const STATE = mkdtempSync(join(tmpdir(), 'sluice-state-'))

/** Variables of the test run that would select another frontend. */
const DROPPED = new Set([
  'CI',
  'CONTINUOUS_INTEGRATION',
  'FORCE_COLOR',
  'GITHUB_ACTIONS',
  'NODE_ENV',
  'NO_COLOR',
  'SLUICE_DATABASE_URL',
  'VITEST',
])

export function cleanEnv(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !DROPPED.has(name)))
}

/** The program in a pseudo terminal. */
export function inTerminal(cwd: string, args: readonly string[], columns = 80, rows = 24): PtyApp {
  return openPty({ script: BIN, args, cwd, columns, rows, env: { XDG_STATE_HOME: STATE } })
}

export type Ended = { readonly code: number | null; readonly signal: NodeJS.Signals | null }

export type Headless = {
  readonly child: ChildProcessByStdio<null, Readable, Readable>
  readonly out: () => string
  readonly err: () => string
  /** The events of `--json` so far. */
  readonly events: () => readonly Event[]
  /** Resolves when the output matches; rejects when the program ends or the timeout is over before. */
  readonly until: (wanted: (program: Headless) => boolean) => Promise<void>
  readonly ended: Promise<Ended>
}

/** Starts the program without a terminal. */
export function headless(cwd: string, args: readonly string[], script = BIN): Headless {
  const child = spawn(process.execPath, [script, ...args], { cwd, env: cleanEnv(), stdio: ['ignore', 'pipe', 'pipe'] })
  const said = { out: '', err: '' }
  const inspections = new Set<() => void>()
  const take = (stream: 'out' | 'err') => (chunk: Buffer) => {
    said[stream] += chunk.toString('utf8')
    for (const look of inspections) look()
  }
  child.stdout.on('data', take('out'))
  child.stderr.on('data', take('err'))
  const ended = new Promise<Ended>((fulfil) => {
    child.once('close', (code, signal) => fulfil({ code, signal }))
  })
  const program: Headless = {
    child,
    out: () => said.out,
    err: () => said.err,
    events: () => {
      // The text after the last newline may be incomplete.
      const lines = said.out.split('\n').slice(0, -1)
      return lines.map((line) => JSON.parse(line) as Event)
    },
    until: (wanted) =>
      new Promise((fulfil, reject) => {
        const give = (error?: Error): void => {
          inspections.delete(look)
          clearTimeout(timer)
          if (error === undefined) fulfil()
          else reject(error)
        }
        const look = (): void => {
          if (wanted(program)) give()
        }
        const never = (why: string): void => give(new Error(`${why}; it said\n${said.out.slice(-2000)}\n${said.err}`))
        const timer = setTimeout(() => never('never as wanted'), DEADLINE_MS)
        inspections.add(look)
        look()
        void ended.then(({ code }) => never(`ended with ${code} before it was as wanted`))
      }),
    ended,
  }
  return program
}

/** Whether an import has committed enough to be resumed. */
export function hasProgress(program: Headless): boolean {
  return program.events().some((event) => event.type === 'chunk.progress' && Number(event.done) > 0)
}

/** Runs the program to its end. */
export async function run(
  cwd: string,
  args: readonly string[],
  script = BIN,
): Promise<Ended & { readonly out: string; readonly err: string; readonly events: () => readonly Event[] }> {
  const program = headless(cwd, args, script)
  const ended = await program.ended
  return { ...ended, out: program.out(), err: program.err(), events: program.events }
}

/** Writes a table with many files, most of them only in the log. @returns its folder below `cwd` */
export function makeTable(cwd: string, name: string, files: number, seed = 1): string {
  const flags = ['--files', String(files), '--commits', '61', '--removes-per-commit', '100', '--partitions', '12']
  const made = spawnSync(
    process.execPath,
    [join(ROOT, 'scripts/make-lake.mjs'), '--out', name, ...flags, '--stats-bytes', '150', '--seed', String(seed)],
    { cwd, encoding: 'utf8' },
  )
  if (made.status !== 0) throw new Error(`no lake: ${made.stderr}`)
  return name
}

/** Digest of a catalog without times and run ids: equal digests mean equal catalogs. */
export async function digestOf(file: string): Promise<string> {
  await using database = openSqlite(file, 'read')
  const [check] = await database.all('PRAGMA integrity_check')
  if (check?.[0] !== 'ok') throw new Error(`${file} is damaged: ${String(check?.[0])}`)
  return createHash('sha256')
    .update(await dumpCatalog(database))
    .digest('hex')
}

/** The newest version of a table, from the names of its commits. */
export function latestVersion(table: string): number {
  const names = readdirSync(join(table, '_delta_log')).filter((name) => /^\d{20}\.json$/.test(name))
  return Math.max(...names.map((name) => Number.parseInt(name, 10)))
}

type Add = { readonly path: string; readonly partitionValues: Readonly<Record<string, string>> }

/** The active files of a table whose log begins at 0, by a replay that shares no code with the program. */
export function activeFiles(table: string): readonly Add[] {
  const files = new Map<string, Add>()
  for (let version = 0; version <= latestVersion(table); version++) {
    const text = readFileSync(join(table, '_delta_log', `${String(version).padStart(20, '0')}.json`), 'utf8')
    const actions = text.split('\n').filter((line) => line !== '')
    for (const line of actions) {
      const { add, remove } = JSON.parse(line) as { add?: Add; remove?: { path: string } }
      if (remove !== undefined) files.delete(remove.path)
      if (add !== undefined) files.set(add.path, add)
    }
  }
  return [...files.values()]
}
