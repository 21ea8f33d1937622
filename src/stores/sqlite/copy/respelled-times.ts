/** Decides whether a table loses something if its times come back in another spelling. */
import Database from 'better-sqlite3'
import { definitionTokens } from '../../common/definition-text.ts'
import type { StoredValue } from '../../common/sqlite-dialect/any.ts'
import { quote } from '../../common/sqlite-dialect/ddl.ts'
import { generatedExpressions } from '../../common/sqlite-dialect/dependency-list.ts'
import { restoredTime } from '../../common/sqlite-dialect/read-cell.ts'
import type { SqlValue } from '../../../model/run/sql-port.ts'
import { checksIn } from '../archive/unchecked.ts'
import type { ScanColumn } from './rows.ts'
import { foldedDefinitionOf, sqliteColumns } from './shape.ts'

type Stored = StoredValue | null

/** Maximum number of times in memory. */
const MOST_TIMES = 1_000_000

export class RespelledTimes {
  readonly #connection: Database.Database
  readonly #table: string
  /** For each column of times, the value that is restored for a stored one. */
  readonly #restored: ReadonlyMap<string, (stored: StoredValue) => SqlValue>
  readonly #found = new Map<string, boolean>()
  #changesRows: boolean | null = null

  constructor(connection: Database.Database, table: string, columns: readonly ScanColumn[]) {
    this.#connection = connection
    this.#table = table
    this.#restored = new Map(
      columns.flatMap(({ name, column, as }) => {
        const restored = restoredTime(column, as)
        return restored === null ? [] : [[name.toLowerCase(), restored] as const]
      }),
    )
  }

  /** True if a key or constraint needs the text of a time in the column. The first call may read the whole table. */
  lose(column: string): boolean {
    const name = column.toLowerCase()
    let found = this.#found.get(name)
    if (found === undefined) this.#found.set(name, (found = this.#loses(name)))
    return found
  }

  #loses(name: string): boolean {
    const { compared, unique, computed } = neededTexts(this.#connection, this.#table)
    if (compared.has(name)) return true
    const restored = this.#restored.get(name)
    if (unique.has(name) && (restored === undefined || !areDistinct(this.#connection, this.#table, name, restored)))
      return true
    return computed.has(name) && (this.#changesRows ??= this.#isChanged())
  }

  /** True if the table refuses one of its rows with the restored times, or computes another value from them. */
  #isChanged(): boolean {
    const definition = foldedDefinitionOf(this.#connection, this.#table)
    if (definition === null) return true
    const columns = sqliteColumns(this.#connection, this.#table)
    const own = columns.filter(({ hidden }) => hidden === 0).map(({ name }) => name)
    const generated = columns.filter(({ hidden }) => hidden !== 0).map(({ name }) => name)
    const table = quote(this.#table)
    const trial = new Database(':memory:')
    try {
      trial.pragma('foreign_keys = OFF')
      trial.exec(definition)
      const insert = trial.prepare(
        `INSERT INTO ${table} (${own.map(quote).join(', ')}) VALUES (${own.map(() => '?').join(', ')})`,
      )
      const compute =
        generated.length === 0 ? null : trial.prepare(`SELECT ${generated.map(quote).join(', ')} FROM ${table}`)
      const clear = trial.prepare(`DELETE FROM ${table}`)
      const restored = own.map((name) => this.#restored.get(name.toLowerCase()))
      const rows = this.#connection
        .prepare(`SELECT ${[...own, ...generated].map(quote).join(', ')} FROM ${table}`)
        .raw(true)
        .safeIntegers(true)
      for (const row of rows.iterate() as IterableIterator<Stored[]>) {
        const values = restored.map((change, i) => {
          const stored = row[i] ?? null
          return change === undefined || stored === null ? stored : change(stored)
        })
        if (values.every((value, i) => value === row[i])) continue
        insert.run(values)
        const computed = compute?.raw(true).safeIntegers(true).get() as Stored[] | undefined
        if (computed?.some((value, i) => !isSame(value, row[own.length + i] ?? null)) === true) return true
        clear.run()
      }
      return false
    } catch {
      return true
    } finally {
      trial.close()
    }
  }
}

/** Names of columns, in lower case; may contain other words of expressions. */
type NeededTexts = {
  /** In a foreign key of any table, or in a unique index with an expression or a condition. */
  readonly compared: ReadonlySet<string>
  /** In the key, or in another unique index. */
  readonly unique: ReadonlySet<string>
  /** In a CHECK or a generated column. */
  readonly computed: ReadonlySet<string>
}

function neededTexts(connection: Database.Database, table: string): NeededTexts {
  const listed = (sql: string): readonly string[] => connection.prepare(sql).pluck().all({ table }) as string[]
  const unique = listed(
    `SELECT p.name FROM pragma_index_list(@table) AS i, pragma_index_xinfo(i.name) AS p
     WHERE i."unique" = 1 AND p.key = 1 AND p.name IS NOT NULL`,
  )
  const isReferenced =
    listed(
      `SELECT 1 FROM sqlite_schema AS s, pragma_foreign_key_list(s.name) AS f
       WHERE s.type = 'table' AND lower(f."table") = lower(@table) LIMIT 1`,
    ).length > 0
  const indexes = listed(
    `SELECT s.sql FROM pragma_index_list(@table) AS i JOIN main.sqlite_schema AS s ON s.type = 'index' AND s.name = i.name
     WHERE i."unique" = 1 AND s.sql IS NOT NULL
       AND (i.partial = 1 OR EXISTS (SELECT 1 FROM pragma_index_xinfo(i.name) WHERE key = 1 AND name IS NULL))`,
  )
  const definition = foldedDefinitionOf(connection, table) ?? ''
  const expressions = [
    ...checksIn(definition).flatMap(({ violated }) => violated ?? []),
    ...[...generatedExpressions(definition).values()].map(({ sql }) => sql),
  ]
  return {
    compared: lowered([
      ...listed('SELECT "from" FROM pragma_foreign_key_list(@table)'),
      ...(isReferenced ? unique : []),
      ...indexes.flatMap(wordsOf),
    ]),
    unique: lowered(unique),
    computed: lowered(expressions.flatMap(wordsOf)),
  }
}

/**
 * True if two different texts of the column cannot be the same time: all that would be restored with another spelling
 * differ in digits alone, and none of them is restored as another text of the column.
 */
function areDistinct(
  connection: Database.Database,
  table: string,
  name: string,
  restored: (stored: StoredValue) => SqlValue,
): boolean {
  const column = quote(name)
  const values = connection.prepare(`SELECT ${column} FROM ${quote(table)} WHERE ${column} IS NOT NULL`).pluck()
  const read = (): IterableIterator<StoredValue> => values.iterate() as IterableIterator<StoredValue>
  const spellings = new Set<string>()
  let [usual, others] = [0, 0]
  for (const value of read()) {
    if (restored(value) === value) usual++
    else if (spellings.add(spellingOf(String(value))).size > 1) return false
    else others++
  }
  if (usual === 0 || others === 0) return true
  if (Math.min(usual, others) > MOST_TIMES) return false
  const usualAreFewer = usual < others
  const seen = new Set<SqlValue>()
  for (const value of read()) {
    const time = restored(value)
    if ((time === value) === usualAreFewer) seen.add(time)
  }
  for (const value of read()) {
    const time = restored(value)
    if ((time === value) !== usualAreFewer && seen.has(time)) return false
  }
  return true
}

/** The text with 0 for each digit, without those of its offset from UTC. */
function spellingOf(text: string): string {
  const [offset = ''] = /(?<=:.*)[+-][\d:]+$/.exec(text) ?? []
  return text.slice(0, text.length - offset.length).replaceAll(/\d/g, '0') + offset
}

function wordsOf(sql: string): readonly string[] {
  return definitionTokens(sql, 'brackets').map(({ text }) => text)
}

function lowered(names: readonly string[]): ReadonlySet<string> {
  return new Set(names.map((name) => name.toLowerCase()))
}

function isSame(one: Stored, other: Stored): boolean {
  return Buffer.isBuffer(one) && Buffer.isBuffer(other) ? one.equals(other) : Object.is(one, other)
}
