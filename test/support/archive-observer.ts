/**
 * Inspects an archive from outside, with plain drivers, its own reader of Delta logs, and DuckDB. At every step of
 * sluice, each row must be stored somewhere and must count exactly once.
 */
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { DuckDBInstance, type DuckDBConnection } from '@duckdb/node-api'
import Database from 'better-sqlite3'
import pg from 'pg'

/** Id of a row, and hash of its other columns. */
export type HashedRow = readonly [id: string, hash: string]
export type Rows = ReadonlyMap<string, string>

type Partition = {
  readonly label: string
  readonly state: string
  readonly from: string | null
  readonly to: string | null
  readonly isNative: boolean
  /** OID of its table. */
  readonly identity: string | null
}

type HotRow = {
  readonly id: string
  readonly at: string
  readonly hash: string
  readonly live: boolean
  readonly of?: string
}

/** Ledger and rows of the source, read in one transaction. */
type Hot = { readonly partitions: readonly Partition[]; readonly rows: readonly HotRow[] }

export type Seen = { readonly problems: readonly string[]; readonly states: Readonly<Record<string, string>> }

export type ObservedSource = {
  /** `postgresql:` or `sqlite:`. */
  readonly url: string
  readonly table: string
  /** Folder of the Delta table. */
  readonly archive: string
}

const LEDGER = `SELECT partition_name, state, from_bound, to_bound, native_table IS NOT NULL, native_identity FROM migration_archive_partitions ORDER BY 1`
const TRIES = 200

export class Observer implements AsyncDisposable {
  readonly #source: ObservedSource
  readonly #read: () => Promise<Hot>
  readonly #ledger: () => Promise<readonly Partition[]>
  readonly #close: () => Promise<void>
  readonly #duckdb: DuckDBConnection
  readonly #known = new Map<string, readonly HashedRow[]>()
  /** Rows of the table before it was archived. */
  expected: Rows = new Map()

  private constructor(
    source: ObservedSource,
    duckdb: DuckDBConnection,
    { read, ledger }: Omit<Reading, 'close'>,
    close: () => Promise<void>,
  ) {
    this.#source = source
    this.#duckdb = duckdb
    this.#read = read
    this.#ledger = ledger
    this.#close = close
  }

  static async open(source: ObservedSource): Promise<Observer> {
    const instance = await DuckDBInstance.create(':memory:')
    const duckdb = await instance.connect()
    const hot = source.url.startsWith('postgresql:') ? await postgres(source) : sqlite(source)
    const observer = new Observer(source, duckdb, hot, async () => {
      await hot.close()
      duckdb.closeSync()
      instance.closeSync()
    })
    await observer.expectThis()
    return observer
  }

  /** From now on, expects the rows that the source has now. */
  async expectThis(): Promise<void> {
    const { rows } = await this.#read()
    this.expected = new Map(rows.filter(({ live }) => live).map(({ id, hash }) => [id, hash]))
  }

  /** Also expects these rows, which a test has just written into the table. */
  async expectAlso(ids: readonly (number | string)[]): Promise<void> {
    const live = await this.live()
    const more = ids.map((id): HashedRow => [String(id), live.get(String(id)) ?? 'it was never written'])
    this.expected = new Map([...this.expected, ...more])
  }

  /** Rows of the table itself, by id. */
  async live(): Promise<Rows> {
    const { rows } = await this.#read()
    return new Map(rows.filter(({ live }) => live).map(({ id, hash }) => [id, hash]))
  }

  /** Inspects source and archive once. */
  async look(): Promise<Seen> {
    for (let tried = 0; tried < TRIES; tried++) {
      const before = this.#log()
      const hot = await this.#read()
      // Log and source are not read in one transaction: if the log changed meanwhile, read both again.
      if (this.#log().text !== before.text) continue
      // An older snapshot of PostgreSQL already shows a table that is attached later as a partition of its parent.
      if (JSON.stringify(statesOf(hot)) !== JSON.stringify(statesOf({ partitions: await this.#ledger(), rows: [] })))
        continue
      const archived: (readonly [label: string, row: HashedRow])[] = []
      for (const [path, label] of before.active) for (const row of await this.#rowsOf(path)) archived.push([label, row])
      return { problems: this.#judge(hot, archived), states: statesOf(hot) }
    }
    throw new Error('the log changes faster than anybody can look')
  }

  /** Inspects repeatedly until the work is done. */
  async watch<T>(
    work: Promise<T>,
  ): Promise<{ readonly result: T; readonly looks: number; readonly problems: readonly string[] }> {
    let over = false
    const ended = work.finally(() => (over = true))
    ended.catch(() => undefined)
    const problems = new Set<string>()
    let inspections = 0
    do {
      const { problems: some, states } = await this.look()
      for (const one of some) problems.add(`${one} (${JSON.stringify(states)})`)
      inspections++
      await Promise.race([ended.catch(() => undefined), sleep(15)])
    } while (!over)
    return { result: await ended, looks: inspections, problems: [...problems] }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#close()
  }

  #judge({ partitions, rows }: Hot, archived: readonly (readonly [label: string, row: HashedRow])[]): string[] {
    const out = new Set(
      partitions.filter(({ state }) => state === 'DETACHED' || state === 'DROPPED').map(({ label }) => label),
    )
    const leaving = partitions.filter(({ state, isNative }) => state === 'DETACHED' && !isNative)
    const keys = new Set(archived.map(([label, [id]]) => `${label}/${id}`))
    // A detached table counts until the archive answers for its partition.
    const away = new Set(
      partitions.flatMap(({ label, identity }) => (out.has(label) || identity === null ? [] : [identity])),
    )
    const counts = ({ id, at, live, of }: HotRow): boolean =>
      (live || (of !== undefined && away.has(of))) &&
      // Rows that arrived late are not in the archive, and count in the table.
      !leaving.some(
        ({ label, from, to }) =>
          keys.has(`${label}/${id}`) && (from === null || at >= from) && (to === null || at < to),
      )
    const anywhere = new Set<string>()
    const counted = new Map<string, number>()
    const add = (id: string, hash: string, isCounted: boolean): void => {
      const key = `${id}:${hash}`
      anywhere.add(key)
      if (isCounted) counted.set(key, (counted.get(key) ?? 0) + 1)
    }
    for (const row of rows) add(row.id, row.hash, counts(row))
    for (const [label, [id, hash]] of archived) add(id, hash, out.has(label))
    const wanted = [...this.expected].map(([id, hash]) => `${id}:${hash}`)
    const report = (what: string, some: readonly string[]): string[] =>
      some.length === 0 ? [] : [`${some.length} rows ${what}, such as ${some[0]}`]
    const known = new Set(wanted)
    return [
      ...report(
        'are nowhere',
        wanted.filter((key) => !anywhere.has(key)),
      ),
      ...report(
        'do not count',
        wanted.filter((key) => anywhere.has(key) && !counted.has(key)),
      ),
      ...report(
        'count twice',
        wanted.filter((key) => (counted.get(key) ?? 0) > 1),
      ),
      ...report(
        'count and were never there',
        [...counted.keys()].filter((key) => !known.has(key)),
      ),
    ]
  }

  /** The active files, each with its partition. Throws if a version is missing. */
  #log(): { readonly text: string; readonly active: ReadonlyMap<string, string> } {
    const folder = join(this.#source.archive, '_delta_log')
    const names = existsSync(folder) ? readdirSync(folder).filter((name) => /^\d{20}\.json$/.test(name)) : []
    const active = new Map<string, string>()
    let text = ''
    for (const [i, name] of names.toSorted().entries()) {
      if (Number(name.slice(0, 20)) !== i) throw new Error(`the log has a gap before ${name}`)
      const commit = readFileSync(join(folder, name), 'utf8')
      text += commit
      for (const line of commit.trimEnd().split('\n')) {
        const { add, remove } = JSON.parse(line) as {
          readonly add?: { readonly path: string; readonly partitionValues: Readonly<Record<string, string>> }
          readonly remove?: { readonly path: string }
        }
        if (remove !== undefined) active.delete(decodeURIComponent(remove.path))
        if (add !== undefined) active.set(decodeURIComponent(add.path), Object.values(add.partitionValues)[0] ?? '')
      }
    }
    return { text, active }
  }

  async #rowsOf(path: string): Promise<readonly HashedRow[]> {
    const file = join(this.#source.archive, path)
    const key = existsSync(file) ? createHash('sha256').update(readFileSync(file)).digest('hex') : ''
    if (key === '') return []
    const known = this.#known.get(key)
    if (known !== undefined) return known
    const literal = `'${file.replaceAll("'", "''")}'`
    const reader = await this.#duckdb.runAndReadAll(
      `SELECT CAST(id AS VARCHAR), CAST("at" AS VARCHAR), note, CAST(amount AS VARCHAR) FROM read_parquet(${literal}, hive_partitioning = false)`,
    )
    const rows = reader.getRows().map(([id, at, note, amount]): HashedRow => [String(id), hashOf([at, note, amount])])
    this.#known.set(key, rows)
    return rows
  }
}

/** Drivers return only texts, numbers and NULL here. */
function textOf(value: unknown): string | null {
  if (value === null || value === undefined) return null
  return typeof value === 'string' ? value : JSON.stringify(value)
}

function hashOf(values: readonly unknown[]): string {
  const text = JSON.stringify(values.map(textOf))
  return createHash('md5').update(text).digest('hex').slice(0, 12)
}

function statesOf({ partitions }: Hot): Readonly<Record<string, string>> {
  return Object.fromEntries(partitions.map(({ label, state }) => [label, state]))
}

type Reading = {
  readonly read: () => Promise<Hot>
  readonly ledger: () => Promise<readonly Partition[]>
  readonly close: () => Promise<void>
}

function partitionOf(row: readonly unknown[]): Partition {
  const [label, state, from, to, native, identity] = row
  const isNative = native === true || native === 1 || native === 't' || native === 'true'
  return {
    label: String(label),
    state: String(state),
    from: textOf(from),
    to: textOf(to),
    isNative,
    identity: textOf(identity),
  }
}

/** Ids are numbers, times are texts, amounts are texts with two digits. */
async function postgres({ url, table }: ObservedSource): Promise<Reading> {
  const connect = async (): Promise<pg.Client> => {
    const client = new pg.Client({ connectionString: url, types: { getTypeParser: () => String as never } })
    client.on('error', () => undefined)
    await client.connect()
    return client
  }
  let client = await connect()
  const ask = async (text: string): Promise<readonly (readonly (string | null)[])[]> =>
    (await client.query<(string | null)[]>({ text, rowMode: 'array' })).rows
  const values = `id, to_char(at, 'YYYY-MM-DD HH24:MI:SS'), note, amount`
  const hasLedger = async (): Promise<boolean> =>
    (await ask(`SELECT 1 FROM pg_tables WHERE tablename = 'migration_archive_partitions'`)).length > 0
  const ledger = async (): Promise<readonly Partition[]> =>
    (await hasLedger()) ? (await ask(LEDGER)).map(partitionOf) : []
  const once = async (): Promise<Hot> => {
    // Lock the table first: a snapshot from before the lock may miss partitions that are detached meanwhile.
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY')
    try {
      await client.query(`LOCK TABLE "${table}" IN ACCESS SHARE MODE`)
      const partitions = await ledger()
      const rows = (await ask(`SELECT ${values} FROM "${table}"`)).map((row) => hotRow(row, true))
      // The root of a partition tree shows the rows of all its partitions.
      const aside = await ask(
        `SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'sluice_archived' AND c.relkind IN ('r', 'p') AND NOT c.relispartition ORDER BY 1`,
      )
      for (const [name] of aside) {
        for (const row of await ask(`SELECT ${values} FROM sluice_archived."${name}"`))
          rows.push({ ...hotRow(row, false), of: (name ?? '').replace(/^.*_/, '') })
      }
      return { partitions, rows }
    } finally {
      await client.query('ROLLBACK').catch(() => undefined)
    }
  }
  const patiently = async <T>(look: () => Promise<T>): Promise<T> => {
    for (let tried = 1; ; tried++) {
      try {
        return await look()
      } catch (error) {
        // Readers fail if a table is dropped meanwhile, and some tests kill the server.
        if (tried === TRIES) throw error
        await sleep(10)
        if (!(error instanceof pg.DatabaseError) || (error.code ?? '').startsWith('57P')) {
          await client.end().catch(() => undefined)
          client = await connect().catch(() => client)
        }
      }
    }
  }
  return { read: () => patiently(once), ledger: () => patiently(ledger), close: () => client.end() }
}

function hotRow([id, at, note, amount]: readonly unknown[], live: boolean): HotRow {
  return { id: String(id), at: String(at), hash: hashOf([at, note, amount]), live }
}

function sqlite({ url, table }: ObservedSource): Reading {
  const database = new Database(url.replace('sqlite:///', ''), { timeout: 10_000 })
  const ask = (sql: string): unknown[][] => database.prepare(sql).raw(true).all() as unknown[][]
  const ledger = (): readonly Partition[] =>
    ask(`SELECT 1 FROM sqlite_master WHERE name = 'migration_archive_partitions'`).length === 0
      ? []
      : ask(LEDGER).map(partitionOf)
  const read = async (): Promise<Hot> => {
    database.exec('BEGIN')
    try {
      const partitions = ledger()
      const rows = ask(`SELECT id, at, note, amount FROM "${table}"`).map((row) => hotRow(row, true))
      return { partitions, rows }
    } finally {
      database.exec('ROLLBACK')
    }
  }
  return { read, ledger: async () => ledger(), close: async () => void database.close() }
}
