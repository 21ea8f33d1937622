/** Statements for single rows of a table. Each text is made once, so that the driver finds it prepared. */
import { cassandraTableName } from './names.ts'
import { selectedCqlColumn } from './selected.ts'
import type { CassandraShape } from './shape.ts'
import { quotedName } from '../../../shared/sql-text.ts'

/** Parts of the USING clause: write time, TTL, both, or none. */
export type UsingClause = 'time' | 'time and life' | 'life' | 'nothing'

/** Maximum number of sets of columns that get a statement. Rows with other sets are written column by column. */
const MOST_SETS = 256

export class CassandraStatements {
  readonly #table: string
  readonly #cache = new Map<string, string>()
  #sets = 0

  constructor({ table }: CassandraShape) {
    this.#table = cassandraTableName(table)
  }

  /** True if there is an INSERT of these columns, or one may still be added. */
  takes(columns: readonly string[], using: UsingClause | null): boolean {
    return this.#sets < MOST_SETS || this.#cache.has(insertKey(columns, using))
  }

  /** As `takes`, for an UPDATE. A single column is always accepted. */
  takesUpdate(columns: readonly string[], using: UsingClause): boolean {
    if (columns.length === 1 || this.#sets < MOST_SETS) return true
    return this.#cache.has(updateKey(columns, using))
  }

  /**
   * INSERT with parameters for these columns, then for write time and TTL. If `using` is null, it has IF NOT EXISTS
   * instead of write time and TTL.
   */
  insert(columns: readonly string[], using: UsingClause | null): string {
    return this.#of(insertKey(columns, using), () => {
      this.#sets++
      const names = columns.map(quotedName).join(', ')
      const values = columns.map(() => '?').join(', ')
      return `INSERT INTO ${this.#table} (${names}) VALUES (${values})${using === null ? ' IF NOT EXISTS' : usingText(using)}`
    })
  }

  /** UPDATE of some columns of one row, or of the static ones of a partition; write time and TTL come first. */
  update(columns: readonly string[], key: readonly string[], using: UsingClause): string {
    return this.#of(updateKey(columns, using), () => {
      if (columns.length > 1) this.#sets++
      const set = columns.map((name) => `${quotedName(name)} = ?`).join(', ')
      return `UPDATE ${this.#table}${usingText(using)} SET ${set} WHERE ${this.#where(key)}`
    })
  }

  /** UPDATE that adds to counters of one row. */
  add(columns: readonly string[], key: readonly string[]): string {
    return this.#of(`a ${JSON.stringify(columns)}`, () => {
      const set = columns.map((name) => `${quotedName(name)} = ${quotedName(name)} + ?`).join(', ')
      return `UPDATE ${this.#table} SET ${set} WHERE ${this.#where(key)}`
    })
  }

  /** SELECT of one row, or of the static columns of a partition; then write time and TTL of each of `timed`. */
  select(columns: readonly string[], key: readonly string[], timed: readonly string[] = []): string {
    return this.#of(`s ${JSON.stringify(columns)}${key.length}${JSON.stringify(timed)}`, () => {
      const times = timed.flatMap((name) => [`writetime(${quotedName(name)})`, `ttl(${quotedName(name)})`])
      return `SELECT ${[...columns.map(selectedCqlColumn), ...times].join(', ')} FROM ${this.#table} WHERE ${this.#where(key)} LIMIT 1`
    })
  }

  #where(key: readonly string[]): string {
    return key.map((name) => `${quotedName(name)} = ?`).join(' AND ')
  }

  #of(key: string, make: () => string): string {
    const known = this.#cache.get(key)
    if (known !== undefined) return known
    const made = make()
    this.#cache.set(key, made)
    return made
  }
}

function insertKey(columns: readonly string[], using: UsingClause | null): string {
  return `i${using ?? '-'} ${JSON.stringify(columns)}`
}

function updateKey(columns: readonly string[], using: UsingClause): string {
  return `u${using} ${JSON.stringify(columns)}`
}

const USING: Readonly<Record<UsingClause, string>> = {
  time: ' USING TIMESTAMP ?',
  'time and life': ' USING TIMESTAMP ? AND TTL ?',
  life: ' USING TTL ?',
  nothing: '',
}

function usingText(using: UsingClause): string {
  return USING[using]
}
