/**
 * Operators and functions that another role could create while a session of sluice is open (CVE-2018-1058), here called
 * plants: `plants.sql` creates one for each statement whose arguments have no exact match in pg_catalog. The server
 * logs the parse tree of each statement; a test in which a statement resolves to a plant fails, even if the statement
 * reads no rows.
 */
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'

/** Whether all servers of this run have plants. */
export const PLANTED = Boolean(process.env['SLUICE_TEST_PLANTED'])

/** The first version with login triggers, which append the plants to the search_path. */
const LOGIN_TRIGGERS = 17
/** Errors of a statement for which both a plant and an operator of the server match. */
const UNDECIDED = /^(?:could not determine interpretation of row comparison|(?:operator|function) .* is not unique)/
/** Logged by `plants.sql`: an index, a check, a view or a similar object that uses a plant. */
const KEPT = /^kept: (.*)/
/** File in the data folder: OID and name of each plant. */
const LIST = 'planted'

type Identity = { readonly uid?: number; readonly gid?: number }

/**
 * Creates the plants in template1 of a data folder that no server uses.
 * @throws Error if the server refuses a statement
 */
export function plantInto(data: string, postgres: string, identity: Identity): void {
  const run = { ...identity, cwd: '/', encoding: 'utf8', maxBuffer: 2 ** 28 } as const
  const version = /\d+/.exec(spawnSync(postgres, ['--version'], run).stdout)?.[0]
  if (Number(version) < LOGIN_TRIGGERS) return
  const input = fs.readFileSync(path.join(import.meta.dirname, 'plants.sql'), 'utf8')
  const { status, stderr, error } = spawnSync(postgres, ['--single', '-j', '-O', '-D', data, 'template1'], {
    ...run,
    input,
  })
  const made = [...stderr.matchAll(/LOG: {2}planted: (.*)/g)].map(([, one]) => `${one}\n`)
  if (status !== 0 || made.length === 0) throw new Error(`plants.sql failed:\n${String(error ?? '')}${stderr}`)
  fs.writeFileSync(path.join(data, LIST), made.join(''))
}

export class PlantsTaken extends Error {}

/** Finds statements that resolve to plants, in the log of a server. */
export class TakenPlants {
  readonly #plants: ReadonlyMap<string, string>
  readonly #taken = new Set<string>()
  readonly #log: string
  #at = 0
  #rest = ''
  #last: readonly string[] = []

  /** @param data the folder of the server */
  constructor(data: string) {
    this.#log = path.join(data, 'server.log')
    const list = path.join(data, LIST)
    const lines = fs.existsSync(list) ? fs.readFileSync(list, 'utf8').trimEnd().split('\n') : []
    this.#plants = new Map(lines.map((line) => [line.slice(0, line.indexOf(' ')), line.slice(line.indexOf(' ') + 1)]))
  }

  /** Server settings that this class needs. */
  get settings(): readonly string[] {
    return this.#plants.size === 0 ? [] : ['debug_print_parse=on', 'debug_pretty_print=off']
  }

  /** The server's log file, because a test that waits for a program does not empty a pipe. Null without plants. */
  openLog(): number | null {
    return this.#plants.size === 0 ? null : fs.openSync(this.#log, 'a')
  }

  /** @returns what the server has logged since the last call */
  read(): string {
    if (this.#plants.size === 0 || !fs.existsSync(this.#log)) return ''
    const text = this.#readOn()
    const entries = (this.#rest + text).split(/\n(?=\d{4}-\d\d-\d\d )/)
    this.#rest = entries.pop() ?? ''
    for (const entry of entries) this.#look(entry)
    return text
  }

  /** Reads only the new part: the log of a whole run is large. */
  #readOn(): string {
    const file = fs.openSync(this.#log, 'r')
    try {
      const bytes = Buffer.alloc(fs.fstatSync(file).size - this.#at)
      this.#at += fs.readSync(file, bytes, 0, bytes.length, this.#at)
      return bytes.toString()
    } finally {
      fs.closeSync(file)
    }
  }

  #look(entry: string): void {
    const [, kind = '', said = ''] = /\] ([A-Z]+): {2}([^]*)/.exec(entry) ?? []
    const [, kept] = KEPT.exec(said) ?? []
    if (kept !== undefined) this.#taken.add(kept)
    if (kind === 'DETAIL' && said.startsWith('{QUERY')) {
      const named = said.matchAll(/:(?:opno|funcid|aggfnoid|winfnoid) (\d+)|:opnos \(o([ \d]+)\)/g)
      const oids = [...named].flatMap(([, one = '', several = one]) => several.split(' '))
      this.#last = [...new Set(oids)].flatMap((oid) => this.#plants.get(oid) ?? [])
    } else if (UNDECIDED.test(said)) {
      this.#last = [said]
    } else if (kind === 'STATEMENT') {
      for (const plant of this.#last) this.#taken.add(`${plant} in ${said}`)
      this.#last = []
    }
  }

  /** Each plant with the statement that resolved to it. */
  get taken(): readonly string[] {
    this.read()
    return [...this.#taken]
  }

  /** @throws PlantsTaken with each statement that resolved to a plant */
  refuse(): void {
    this.read()
    this.#look(this.#rest)
    const log = process.env['SLUICE_TEST_PLANTED_LOG']
    if (log !== undefined) fs.appendFileSync(log, this.taken.map((one) => `${JSON.stringify(one)}\n`).join(''))
    if (this.taken.length === 0) return
    throw new PlantsTaken(`statements took what another role could have planted:\n${this.taken.join('\n')}`)
  }
}
