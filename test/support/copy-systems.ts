/** Empty databases of every system that copies support, for tests that access them with plain drivers. */
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { inject } from 'vitest'
import { NEVER, type Interrupt } from '../../src/shared/abort.ts'
import { systemClock } from '../../src/shared/clock.ts'
import type { Event } from '../../src/model/run/event.ts'
import type { CopyOperation } from '../../src/engine/copy/operations/copy/declaration.ts'
import type { RunControl, RunFinished } from '../../src/engine/run/operation.ts'
import { runOperation } from '../../src/app/run.ts'
import type { Answer } from '../setup/servers.ts'
import { d1Account } from './servers/d1-account.ts'
import type { Operation } from '../../src/app/operations/list.ts'

/** Systems that speak SQL. */
export type System = 'postgresql' | 'mysql' | 'sqlite' | 'duckdb' | 'd1'

export type Place = {
  readonly system: System
  readonly url: string
  /** Runs statements. */
  sql(...statements: readonly string[]): Promise<void>
  /** All rows of a query, every value as text. */
  rows(query: string): Promise<readonly (readonly (string | null)[])[]>
}

type Text = string | null

/** Why a system is not available; empty if it is. */
export async function missing(system: System): Promise<string> {
  if (system === 'sqlite' || system === 'duckdb') return ''
  const answer = await ask(system)
  return 'missing' in answer ? answer.missing : ''
}

/** @param folder for systems whose databases are files */
export async function makePlace(system: System, folder: string): Promise<Place> {
  const name = newName()
  switch (system) {
    case 'sqlite':
      return sqlitePlace(join(folder, `${name}.db`))
    case 'duckdb':
      return duckdbPlace(join(folder, `${name}.duckdb`))
    case 'postgresql':
    case 'mysql':
      return placeOn(system, await serverUrl(system))
    case 'd1':
      return d1Place(await serverUrl(system))
  }
}

/** A new database on a server that is not the shared one. @param server URL of any database there */
export async function placeOn(system: 'postgresql' | 'mysql', server: string): Promise<Place> {
  return system === 'postgresql' ? postgresPlace(server, newName()) : mysqlPlace(server, newName())
}

function newName(): string {
  return `c${randomBytes(6).toString('hex')}`
}

export type Ran = { readonly finished: RunFinished; readonly events: readonly Event[] }

export type RunOptions = {
  readonly interrupt?: Interrupt
  readonly control?: RunControl
  /** Set if the run is a task of this distributed run. */
  readonly sharedRun?: string
  /** Folder of the run history. */
  readonly book?: string
  readonly onEvent?: (event: Event) => void
  readonly commandLine?: string
}

const DEFAULTS = {
  kind: 'copy',
  rename: {},
  onExisting: 'refuse',
  acceptLossy: [],
  verify: 'chunk',
  workers: 2,
  maxAside: 1000,
  restart: false,
  dryRun: false,
} as const

/** Runs an operation as the command would. */
export async function perform(operation: Operation, options: RunOptions = {}): Promise<Ran> {
  const events: Event[] = []
  const finished = await runOperation(operation, {
    interrupt: options.interrupt ?? NEVER,
    clock: systemClock,
    tool: 'test',
    actor: 'tester',
    host: 'here',
    commandLine: options.commandLine ?? 'sluice copy',
    onEvent: (event) => {
      events.push(event)
      options.onEvent?.(event)
    },
    ...(options.control === undefined ? {} : { control: options.control }),
    ...(options.sharedRun === undefined ? {} : { sharedRun: options.sharedRun }),
    ...(options.book === undefined ? {} : { book: options.book }),
  })
  return { finished, events }
}

/** A copy with the defaults of the command. */
export function copyOf(
  from: Pick<Place, 'url'>,
  to: Pick<Place, 'url'>,
  table: string,
  more: Partial<Omit<CopyOperation, 'kind'>> = {},
): CopyOperation {
  return { ...DEFAULTS, from: from.url, to: to.url, tables: [table], ...more }
}

async function ask(system: System): Promise<Answer> {
  const response = await fetch(`${inject('serverBroker')}/${system}`)
  if (!response.ok) throw new Error(`no ${system} server: ${await response.text()}`)
  return (await response.json()) as Answer
}

async function serverUrl(system: System): Promise<string> {
  const answer = await ask(system)
  if ('url' in answer) return answer.url
  throw new Error(`needs ${system}: ${answer.missing}`)
}

function asText(value: unknown): Text {
  if (value === null || value === undefined) return null
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex')
  return typeof value === 'string' ? value : (value as { toString(): string }).toString()
}

async function sqlitePlace(file: string): Promise<Place> {
  const { default: Database } = await import('better-sqlite3')
  const use = <T>(body: (database: InstanceType<typeof Database>) => T): T => {
    const database = new Database(file)
    try {
      return body(database)
    } finally {
      database.close()
    }
  }
  return {
    system: 'sqlite',
    url: `sqlite:///${file}`,
    sql: async (...statements) => use((database) => statements.forEach((one) => database.exec(one))),
    rows: async (query) =>
      use((database) =>
        (database.prepare(query).safeIntegers().raw(true).all() as unknown[][]).map((row) => row.map(asText)),
      ),
  }
}

async function duckdbPlace(file: string): Promise<Place> {
  const { DuckDBInstance } = await import('@duckdb/node-api')
  const run = async (statements: readonly string[]): Promise<readonly (readonly Text[])[]> => {
    const instance = await DuckDBInstance.create(file)
    const connection = await instance.connect()
    try {
      let rows: readonly (readonly Text[])[] = []
      for (const one of statements) {
        const reader = await connection.runAndReadAll(one)
        rows = reader.getRows().map((row) => row.map(asText))
      }
      return rows
    } finally {
      connection.closeSync()
      instance.closeSync()
    }
  }
  return {
    system: 'duckdb',
    url: `duckdb:///${file}`,
    sql: async (...statements) => void (await run(statements)),
    rows: (query) => run([query]),
  }
}

async function postgresPlace(server: string, name: string): Promise<Place> {
  await postgresAt(server).sql(`CREATE DATABASE ${name}`)
  const url = new URL(server)
  url.pathname = `/${name}`
  return postgresAt(url.href)
}

/** A database that exists. */
export function postgresAt(url: string): Place {
  const run = async (statements: readonly string[]): Promise<readonly (readonly Text[])[]> => {
    const { default: pg } = await import('pg')
    const client = new pg.Client({ connectionString: url, types: { getTypeParser: () => String as never } })
    await client.connect()
    try {
      let rows: readonly (readonly Text[])[] = []
      for (const text of statements) {
        const result = await client.query<Text[]>({ text, rowMode: 'array' })
        rows = (Array.isArray(result) ? result.at(-1) : result)?.rows ?? []
      }
      return rows
    } finally {
      await client.end()
    }
  }
  return {
    system: 'postgresql',
    url,
    sql: async (...statements) => void (await run(statements)),
    rows: (query) => run([`SET TimeZone TO 'UTC'`, query]),
  }
}

async function mysqlPlace(server: string, name: string): Promise<Place> {
  const { createConnection } = await import('mysql2/promise')
  const run = async (url: string, statements: readonly string[]): Promise<readonly (readonly Text[])[]> => {
    const connection = await createConnection({
      uri: url,
      rowsAsArray: true,
      dateStrings: true,
      supportBigNumbers: true,
      bigNumberStrings: true,
      charset: 'utf8mb4',
    })
    try {
      let rows: readonly (readonly Text[])[] = []
      for (const one of statements) {
        const [result] = await connection.query(one)
        rows = Array.isArray(result) ? (result as unknown[][]).map((row) => row.map(asText)) : []
      }
      return rows
    } finally {
      await connection.end()
    }
  }
  await run(server, [`CREATE DATABASE \`${name}\` CHARACTER SET utf8mb4`])
  const url = new URL(server)
  url.pathname = `/${name}`
  return {
    system: 'mysql',
    url: url.href,
    sql: async (...statements) => void (await run(url.href, statements)),
    rows: (query) => run(url.href, [query]),
  }
}

async function d1Place(base: string): Promise<Place> {
  const account = d1Account(base)
  Object.assign(process.env, account.environment)
  const database = await account.database()
  return {
    system: 'd1',
    url: database.url,
    sql: async (...statements) => void (await database.sql(...statements)),
    rows: async (query) => (await database.sql(query)).map((row) => row.map(asText)),
  }
}
