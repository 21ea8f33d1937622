/**
 * Queries over archived files and rows of a source. First DuckDB plans the statement over an empty table: the plan
 * shows which rows and columns are needed. Then the table is replaced by a view of only these.
 */
import { randomUUID } from 'node:crypto'
import type {
  QueryAnswerRow,
  ArchiveQuery,
  ExcludedRange,
  FileColumn,
  LeftOutRows,
  OpenArchiveQuery,
  QueryColumn,
  QueryFile,
  QueryNeeds,
  KeyDifferences,
  QueryRequest,
  SharedRows,
} from '../../../model/archive/query-port.ts'
import { tableText } from '../../../model/copy/column-type.ts'
import { throwIfAborted } from '../../../shared/abort.ts'
import { sqlLiteral, quotedName } from '../../../shared/sql-text.ts'
import { nativeOf } from '../archive/columns.ts'
import { fed } from '../archive/feed.ts'
import { castColumn, readableColumn, refusing, wireName } from '../archive/wire-cast.ts'
import { queryPages } from '../query.ts'
import { answerFailure, restoreFailure, changedFile, NOT_RESTORED, unreadValue } from './failures.ts'
import { needsOf, DISABLED_OPTIMIZERS } from './needs.ts'
import { refuseOthers, type Mark } from './other-texts.ts'
import { keyDifferences } from './key-differences.ts'
import { readCsv } from './read-csv.ts'
import { refuseAlikeKeys, refuseRespelledKeys, sameKey } from './same-key.ts'
import { QuerySession } from './session.ts'
import { queryFailure, readStatement, type ArchiveStatement } from './statement.ts'
import { casesText, distinctNames, valueIn } from './values.ts'

const STAND_IN = 'sluice_stand_in'
const HOT = 'sluice_rows'
const COUNTED = 'sluice_row'
const ANSWER = 'sluice_answer'
const PAGE_ROWS = 500
export const openDuckdbArchiveQuery: OpenArchiveQuery = async (request) => {
  const session = await QuerySession.open(request.files, request.signal)
  try {
    const own = request.columns.map(({ name }) => name)
    const names = distinctNames(own)
    const shown = await quotedWhereNeeded(session, names)
    const isQuoted = shown.some((name) => name.startsWith('"'))
    const hint = `the table is ${tableText(request.table)} (${shown.join(', ')})${casesText(own, names)}; ${isQuoted ? 'names in double quotes need them; ' : ''}the SQL is that of DuckDB`
    let query: DuckdbArchiveQuery
    try {
      await computeAs(session, request)
      await makeStandIn(session, request, names)
      const statement = await readStatement(session, request.sql, request.limit)
      query = new DuckdbArchiveQuery(session, request, names, statement, await plan(session, request), hint)
    } catch (error) {
      throwIfAborted(request.signal)
      throw queryFailure(error, hint)
    }
    await refuseOthers(session, request, query.needs.columns, (...marks) =>
      showStandIn(session, request, names, ...marks),
    )
    return query
  } catch (error) {
    await session[Symbol.asyncDispose]()
    throw error
  }
}

class DuckdbArchiveQuery implements ArchiveQuery {
  readonly needs: QueryNeeds
  readonly #session: QuerySession
  readonly #request: QueryRequest
  readonly #names: readonly string[]
  readonly #statement: ArchiveStatement
  readonly #hint: string
  #brought: readonly QueryColumn[] = []
  #links = 0
  /** Prefix of values that could not be read. It is random for each query, so that no column value has it. */
  readonly #mark = `${randomUUID()}:`
  /** Indexes of columns with a source value that their type cannot hold. */
  #unreadable: ReadonlySet<number> = new Set()

  constructor(
    session: QuerySession,
    request: QueryRequest,
    names: readonly string[],
    statement: ArchiveStatement,
    needs: QueryNeeds,
    hint: string,
  ) {
    this.#session = session
    this.#request = request
    this.#names = names
    this.#statement = statement
    this.needs = needs
    this.#hint = hint
  }

  get columns(): readonly string[] {
    return this.#statement.columns
  }

  get booleans(): ReadonlySet<number> {
    return this.#statement.booleans
  }

  unread(shown: string): string {
    return `${this.#mark}${shown}`
  }

  async addRows(
    columns: readonly QueryColumn[],
    csv: AsyncIterable<Buffer>,
    except: readonly ExcludedRange[],
    shared: readonly SharedRows[] = [],
  ): Promise<{ readonly rows: bigint; readonly leftOut: readonly LeftOutRows[] }> {
    const session = this.#session
    this.#brought = columns
    const place = (name: string): string => `c${columns.findIndex((column) => column.name === name)}`
    const isStrict = this.#request.strict === true
    const doubted = isStrict ? [] : columns.map((_, i) => i)
    const declared = [
      ...columns.map(({ stored }, i) => `c${i} ${nativeOf(stored)}`),
      ...doubted.map((i) => `${unreadable(i)} VARCHAR`),
    ]
    await session.run(`CREATE TABLE main.${HOT} (${declared.join(', ')})`)
    const mark = sqlLiteral(this.#mark)
    const isUnread = (i: number): string => `starts_with(wire.${wireName(i)}, ${mark})`
    const readable = (column: QueryColumn, i: number): string =>
      `CASE WHEN ${isUnread(i)} THEN NULL ELSE ${readableColumn(column, i)} END`
    const cast = columns.map((column, i) => (isStrict ? castColumn(column, i) : readable(column, i)))
    const kept = doubted.map((i) => {
      const text = `wire.${wireName(i)}`
      return `CASE WHEN ${isUnread(i)} THEN substr(${text}, ${this.#mark.length + 1}) WHEN ${cast[i]} IS NULL THEN ${text} END`
    })
    const values = [...cast, ...kept].join(', ')
    const everyRow = `DELETE FROM main.${HOT} WHERE true`
    let lines = 0n
    const { connection, files: folder } = session
    const { signal } = this.#request
    let failure: { readonly error: unknown } | null = null
    const watched = async function* (): AsyncGenerator<Buffer> {
      try {
        yield* csv
      } catch (error) {
        failure = { error }
        throw error
      }
    }
    try {
      await fed({ connection, folder, commas: columns.length - 1, signal }, watched(), async (path) => {
        const sql = `INSERT INTO main.${HOT} SELECT ${values} FROM ${readCsv(path, columns.length)}`
        lines = BigInt(await session.run(sql))
      })
      if (doubted.length > 0) {
        const counts = doubted.map((i) => `count(${unreadable(i)})`).join(', ')
        const [found = []] = await session.rows(`SELECT ${counts} FROM main.${HOT}`)
        this.#unreadable = new Set(doubted.filter((_, i) => found[i] !== 0n))
      }
      for (const { column, from, to } of except) await session.run(deleteOf(place(column), from, to))
    } catch (error) {
      throwIfAborted(signal)
      throw failure !== null ? error : restoreFailure(error, tableText(this.#request.table), columns)
    }
    const leftOut: LeftOutRows[] = []
    try {
      for (const { within, key, files, respelled } of shared) {
        if (files.length === 0) {
          leftOut.push({ keyed: 0n, moved: 0n })
          continue
        }
        const keys = this.#named(key).map((column) => ({ column, place: place(column.name) }))
        const archived = await this.#placed(files, this.#named(key))
        const sides = { hot: `main.${HOT}`, archived }
        await refuseAlikeKeys(session, keys, sides, tableText(this.#request.table))
        if (respelled === true) await refuseRespelledKeys(session, keys, sides, tableText(this.#request.table))
        const isIn = `EXISTS (SELECT 1 FROM ${archived} AS archived WHERE ${sameKey(keys, `main.${HOT}`, 'archived')})`
        const out = async (sql: string): Promise<bigint> => BigInt(await session.run(`${sql} AND ${isIn}`))
        const keyed = await out(within === null ? everyRow : deleteOf(place(within.column), within.from, within.to))
        leftOut.push({ keyed, moved: within === null ? 0n : await out(everyRow) })
      }
    } catch (error) {
      throwIfAborted(signal)
      throw answerFailure(error, session.files, this.#hint)
    }
    return { rows: lines, leftOut }
  }

  async compare({ key, files }: SharedRows): Promise<KeyDifferences> {
    const session = this.#session
    const archived =
      files.length === 0
        ? `(SELECT ${this.#brought.map((one) => `CAST(NULL AS ${nativeOf(one.stored)}) AS ${quotedName(one.physical)}`).join(', ')} WHERE false)`
        : await this.#placed(files, this.#brought)
    try {
      return await keyDifferences(session, this.#brought, key, { hot: `main.${HOT}`, archived })
    } catch (error) {
      throwIfAborted(this.#request.signal)
      throw answerFailure(error, session.files, this.#hint)
    }
  }

  #named(names: readonly string[]): readonly QueryColumn[] {
    return names.flatMap((name) => this.#request.columns.find((column) => column.name === name) ?? [])
  }

  /** Subquery for a FROM clause: rows of archived files, with the current physical column names. */
  async #placed(files: readonly QueryFile[], columns: readonly QueryColumn[]): Promise<string> {
    const links: string[] = []
    for (const { file } of files) links.push(await this.#session.place(file, `key-${this.#links++}.parquet`))
    const parts = byShape(files, links).map(({ has, links: some }) => {
      const values = columns.map((column) => `${valueIn(has, column)} AS ${quotedName(column.physical)}`)
      return `SELECT ${values.join(', ')} FROM ${readParquet(some)}`
    })
    return `(${parts.join(' UNION ALL ')})`
  }

  async *pages(files: readonly QueryFile[]): AsyncGenerator<readonly QueryAnswerRow[]> {
    const { signal, table } = this.#request
    const session = this.#session
    const label = tableText(table)
    try {
      const links: string[] = []
      for (const [i, { file }] of files.entries()) links.push(await session.place(file, `${i}.parquet`))
      await this.#checkRows(files, links)
      await session.run(`DROP VIEW ${nameOf(this.#request)}`)
      await session.run(`CREATE VIEW ${nameOf(this.#request)} AS ${this.#union(files, links)}`)
      await session.run('SET lock_configuration = true')
      await session.run(`CREATE TEMP TABLE ${ANSWER} AS ${this.#statement.limited}`)
      // Pages are read by row numbers, which rows of an open transaction do not have.
      await session.run('COMMIT')
      const options = { pageRows: PAGE_ROWS, signal }
      for await (const { rows } of queryPages(session.connection, `FROM ${ANSWER}`, options, label)) yield rows
    } catch (error) {
      throwIfAborted(signal)
      const unread = unreadValue(error, label, this.#brought)
      if (unread !== null) throw unread
      throw answerFailure(error, session.files, this.#hint)
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#session[Symbol.asyncDispose]()
  }

  /** Refuses a file that was replaced or truncated: its footer is unreadable, or has another row count. */
  async #checkRows(files: readonly QueryFile[], links: readonly string[]): Promise<void> {
    for (const [i, { label, rows }] of files.entries()) {
      const found = await this.#session
        .rows(`SELECT num_rows FROM parquet_file_metadata(${sqlLiteral(links[i] ?? '')})`)
        .catch((error: unknown) => {
          throwIfAborted(this.#request.signal)
          throw changedFile(label, 'it cannot be read as Parquet', error)
        })
      if (found[0]?.[0] !== rows) throw changedFile(label, `it has ${String(found[0]?.[0])} rows instead of ${rows}`)
    }
  }

  #union(files: readonly QueryFile[], links: readonly string[]): string {
    const { columns } = this.#request
    const list = (expression: (column: QueryColumn) => string): string =>
      columns.map((column, i) => `${expression(column)} AS ${quotedName(this.#names[i] ?? '')}`).join(', ')
    const hot = list((column) => {
      const place = this.#brought.findIndex(({ name }) => name === column.name)
      if (column.hot && place !== -1) {
        const text = unreadable(place)
        return this.#unreadable.has(place)
          ? `CASE WHEN ${text} IS NULL THEN c${place} ELSE ${refusing(text, place)} END`
          : `c${place}`
      }
      const value = column.hot ? `error(${sqlLiteral(`${NOT_RESTORED} ${column.name}`)})` : 'NULL'
      return `CAST(${value} AS ${nativeOf(column.stored)})`
    })
    const named = this.#names.map((name) => quotedName(name)).join(', ')
    // A query that only counts reads the first column of a union: this constant, which costs nothing.
    const rows = `SELECT 0 AS ${COUNTED}, ${hot} FROM main.${HOT}`
    if (links.length === 0) return `SELECT ${named} FROM (${rows})`
    const parts = byShape(files, links).map(({ has, links: some }) => {
      const archived = list((column) => valueIn(has, column))
      return `SELECT 0 AS ${COUNTED}, ${archived} FROM ${readParquet(some)}`
    })
    return `SELECT ${named} FROM (${[...parts, rows].join(' UNION ALL ')})`
  }
}

async function makeStandIn(session: QuerySession, request: QueryRequest, names: readonly string[]): Promise<void> {
  const { table, columns } = request
  await session.run(
    `CREATE TABLE main.${STAND_IN} (${columns.map(({ stored }, i) => `c${i} ${nativeOf(stored)}`).join(', ')})`,
  )
  if (table.schema !== undefined) {
    await session.run(`CREATE SCHEMA IF NOT EXISTS memory.${quotedName(table.schema)}`)
    await session.run(`SET schema = ${sqlLiteral(quotedName(table.schema))}`)
  }
  await showStandIn(session, request, names)
}

/** @param marked indexes of columns that have the type `mark` */
async function showStandIn(
  session: QuerySession,
  request: QueryRequest,
  names: readonly string[],
  marked: readonly number[] = [],
  mark: Mark = 'UUID',
): Promise<void> {
  const shown = (i: number): string => (marked.includes(i) ? `CAST(c${i} AS ${mark})` : `c${i}`)
  const listed = names.map((name, i) => `${shown(i)} AS ${quotedName(name)}`)
  await session.run(`CREATE OR REPLACE VIEW ${nameOf(request)} AS SELECT ${listed.join(', ')} FROM main.${STAND_IN}`)
}

async function computeAs(session: QuerySession, { expressions }: QueryRequest): Promise<void> {
  if (expressions === undefined) return
  await session.run(`SET integer_division = ${expressions.division === 'cuts'}`)
  await session.run('SET ieee_floating_point_ops = false')
  const order = expressions.nulls === 'above' ? 'nulls_last_on_asc_first_on_desc' : 'nulls_first_on_asc_last_on_desc'
  await session.run(`SET default_null_order = '${order}'`)
}

async function plan(session: QuerySession, { columns, sql }: QueryRequest): Promise<QueryNeeds> {
  await session.run(`SET disabled_optimizers = ${sqlLiteral(DISABLED_OPTIMIZERS.join(','))}`)
  const [[json] = []] = await session.rows(`SELECT json_serialize_plan(${sqlLiteral(sql)}, optimize := true)`)
  await session.run('RESET disabled_optimizers')
  const needs = typeof json === 'string' ? needsOf(json, STAND_IN, columns) : null
  return needs ?? { columns: new Set(columns.map(({ name }) => name)), intervals: [], texts: 'order' }
}

/** Groups files with the same columns and types. */
function byShape(
  files: readonly QueryFile[],
  links: readonly string[],
): readonly { readonly has: readonly FileColumn[]; readonly links: readonly string[] }[] {
  const groups = new Map<string, { readonly has: readonly FileColumn[]; readonly links: string[] }>()
  for (const [i, { has }] of files.entries()) {
    const key = JSON.stringify(has)
    const group = groups.get(key) ?? { has, links: [] }
    group.links.push(links[i] ?? '')
    groups.set(key, group)
  }
  return [...groups.values()]
}

/** Name of the extra column with the texts that the column with this index cannot hold. */
function unreadable(place: number): string {
  return `u${place}`
}

function readParquet(files: readonly string[]): string {
  return `read_parquet([${files.map(sqlLiteral).join(', ')}], hive_partitioning = false)`
}

function nameOf({ table: { schema, name } }: QueryRequest): string {
  return `memory.${quotedName(schema ?? 'main')}.${quotedName(name)}`
}

function deleteOf(column: string, from: string | null, to: string | null): string {
  const sides = [
    ...(from === null ? [] : [`${column} >= ${sqlLiteral(from)}`]),
    ...(to === null ? [] : [`${column} < ${sqlLiteral(to)}`]),
  ]
  return `DELETE FROM main.${HOT} WHERE ${sides.length === 0 ? `${column} IS NOT NULL` : sides.join(' AND ')}`
}

/** Names as SQL needs them: `at`, `order` and other DuckDB keywords need double quotes. */
async function quotedWhereNeeded({ connection }: QuerySession, names: readonly string[]): Promise<readonly string[]> {
  const sql = `SELECT keyword_name FROM duckdb_keywords() WHERE keyword_category IN ('reserved', 'type_function')`
  const words = new Set((await connection.runAndReadAll(sql)).getRows().map(([word]) => String(word)))
  return names.map((name) => (/^[a-z_][a-z0-9_]*$/.test(name) && !words.has(name) ? name : quotedName(name)))
}
