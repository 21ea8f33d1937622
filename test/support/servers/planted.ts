/**
 * Operators and functions that another role could make while a session of sluice is open (CVE-2018-1058): `plants.sql` puts one in the way of each statement whose arguments
 * have no exact match in pg_catalog. A test whose server had one taken fails.
 */
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'

/** Whether servers of this run have them. */
export const PLANTED = Boolean(process.env['SLUICE_TEST_PLANTED'])

/** The first version with triggers at the login, by which the plants come behind the search_path. */
const LOGIN_TRIGGERS = 17

/** Puts them into the template of all databases of a data folder that no server has open. @throws Error when the server refuses a statement */
export function plantInto(data: string, postgres: string, identity: { readonly uid?: number; readonly gid?: number }): void {
  const run = { ...identity, cwd: '/', encoding: 'utf8' } as const
  const version = /\d+/.exec(spawnSync(postgres, ['--version'], run).stdout)?.[0]
  if (Number(version) < LOGIN_TRIGGERS) return
  const input = fs.readFileSync(path.join(import.meta.dirname, 'plants.sql'), 'utf8')
  const { status, stderr, error } = spawnSync(postgres, ['--single', '-j', '-O', '-D', data, 'template1'], { ...run, input })
  if (status !== 0 || /ERROR|FATAL/.test(stderr)) throw new Error(`plants.sql failed:\n${String(error ?? '')}${stderr}`)
}

/** What the log of a server says of plants that were taken. */
export class TakenPlants {
  #rest = ''
  readonly #taken = new Set<string>()

  /** @param text the next piece of the log */
  read(text: string): void {
    if (!PLANTED) return
    const entries = (this.#rest + text).split(/\n(?=\d{4}-\d\d-\d\d )/)
    this.#rest = entries.pop() ?? ''
    for (const [at, entry] of entries.entries()) {
      const what = /(?:LOG|ERROR): {2}planted: (.*)/.exec(entry)?.[1]
      if (what === undefined) continue
      const following = [...entries.slice(at + 1), this.#rest].find((one) => one.includes('] STATEMENT:  '))
      this.#taken.add(`${what}: ${following?.split('] STATEMENT:  ')[1] ?? ''}`)
    }
  }

  /** @throws Error that names each statement which took one */
  refuse(): void {
    const log = process.env['SLUICE_TEST_PLANTED_LOG']
    if (log !== undefined) fs.appendFileSync(log, [...this.#taken].map((one) => `${JSON.stringify(one)}\n`).join(''))
    if (this.#taken.size > 0) throw new Error(`statements took what another role could have planted:\n${[...this.#taken].join('\n')}`)
  }
}
