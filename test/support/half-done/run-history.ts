/** The run history of a user: one run that completed, one that was killed, one that was refused. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import type { Event } from '../../../src/model/run/event.ts'
import { BIN, cleanEnv } from '../../e2e/support/program.ts'
import { makePlace, type Place } from '../copy-systems.ts'
import { ELSEWHERE } from './copies.ts'

/**
 * The listing by the program that left them, newest first: table, status, exit code. Another machine cannot learn how
 * the killed one ended.
 */
export const LISTED = [
  ['nothing', 'refused', 2],
  ['t', `on ${ELSEWHERE}`, null],
  ['u', 'ok', 0],
] as const

const HISTORY = join('sluice', 'runs.db')

/** Runs a command in a folder that also holds its state. @param kills true for the event at which it is killed */
async function command(
  folder: string,
  args: readonly string[],
  kills: (event: Event) => boolean = () => false,
): Promise<readonly Event[]> {
  const own = { XDG_STATE_HOME: folder, XDG_RUNTIME_DIR: folder, HOME: folder }
  const child = spawn(process.execPath, [BIN, '--json', ...args], {
    cwd: folder,
    env: { ...cleanEnv(), ...own },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let said = ''
  const events = (): readonly Event[] =>
    said
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as Event)
  child.stdout.on('data', (data: Buffer) => {
    said += data.toString()
    if (events().some(kills)) child.kill('SIGKILL')
  })
  await once(child, 'close')
  return events()
}

/** Two small tables, and an empty target. */
async function ends(folder: string): Promise<readonly [source: Place, target: Place]> {
  const [source, target] = [await makePlace('sqlite', folder), await makePlace('sqlite', folder)]
  await source.sql(
    'CREATE TABLE t (id INTEGER PRIMARY KEY)',
    'WITH RECURSIVE i (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM i WHERE n < 500) INSERT INTO t SELECT n FROM i',
    'CREATE TABLE u AS SELECT id FROM t WHERE id < 20',
  )
  return [source, target]
}

/** One more run. */
export async function runOf(folder: string, table: string, kills?: (event: Event) => boolean): Promise<void> {
  const [source, target] = await ends(folder)
  const sides = ['--from', source.url, '--to', target.url]
  await command(folder, ['copy', ...sides, '--table', table, '--checkpoint-size', '50'], kills)
}

export async function leaveHistory(folder: string, fixture: string): Promise<void> {
  await runOf(folder, 'u')
  await runOf(folder, 't', ({ type }) => type === 'chunk.done')
  await runOf(folder, 'nothing')
  const [file, copy] = [join(folder, HISTORY), join(folder, 'copy.db')]
  copyFileSync(file, copy)
  const { default: Database } = await import('better-sqlite3')
  const database = new Database(copy)
  database.prepare('UPDATE runs SET machine = ?, host = ?').run(ELSEWHERE, ELSEWHERE)
  database.close()
  writeFileSync(`${fixture}.gz`, gzipSync(readFileSync(copy), { level: 9 }))
}

export function putHistory(folder: string, fixture: string): void {
  mkdirSync(join(folder, 'sluice'), { recursive: true })
  writeFileSync(join(folder, HISTORY), gunzipSync(readFileSync(`${fixture}.gz`)))
}

/** Table, status and exit code of each run that is listed, the newest first. */
export async function listed(folder: string): Promise<readonly (readonly unknown[])[]> {
  const events = await command(folder, ['runs', '--here'])
  return events.flatMap((event) => {
    if (event.type !== 'row') return []
    const [, status, exit, , about] = event.values
    return [[about, status, exit]]
  })
}
