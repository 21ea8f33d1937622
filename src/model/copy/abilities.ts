/** Differences between systems as data: the engine reads them and never tests a system's name. */
import type { ExpressionRules } from '../archive/expressions.ts'
import type { FrameFormat } from './rows.ts'
import type { LetterCase } from '../../shared/name-pattern.ts'

export type StoreAbilities = {
  /**
   * Largest unit of one transaction of a target: a chunk with its ledger row, a batch of rows with the chunk's cursor,
   * or a single row. With single rows, writes must be idempotent.
   */
  readonly atomic: 'chunk' | 'batch' | 'row'
  /** `shared`: all readers of a view share a snapshot. `connection`: each has its own. `none`: rows may change. */
  readonly snapshot: 'shared' | 'connection' | 'none'
  /** Chunks that can be written at the same time; further workers only wait. */
  readonly writers: number
  /** `any` if workers on several machines can share the target. */
  readonly hosts: 'any' | 'one'
  /** Row formats that it writes and reads without decoding. */
  readonly frames: readonly FrameFormat[]
  /** How long transient errors are retried, ms: `retry_seconds` of its URL. Absent if the URL has no such parameter. */
  readonly retryMs?: number
  /** Request quota: the service blocks a caller with more than `most` requests within `seconds`. */
  readonly requests?: { readonly most: number; readonly seconds: number }
  /** Quotas of the service by payment plan. */
  readonly quotas?: readonly { readonly plan: string; readonly rowsADay?: number; readonly bytes?: number }[]
  /** Why a read may miss existing rows, as text; absent if every read is complete. */
  readonly shortReads?: string
  /** Set if names that differ only in case are equal; `tables`: for which letters. Absent if such names differ. */
  readonly folds?: { readonly tables?: Exclude<LetterCase, 'exact'>; readonly columns?: true }
  /** Set if tables have user-defined schemas, which a copy keeps between two systems with this flag. */
  readonly keepsSchemas?: true
  /** Set if unbounded decimals keep trailing zeros: 6 and 6.000 are printed as written. */
  readonly keepsZeros?: true
  /** Set if it prints booleans as true and false; absent if it prints 1 and 0. */
  readonly booleans?: true
  /** Set if a column may hold values of any type, whatever its declared type is. */
  readonly looseTypes?: true
  /** Largest length of values, by names of types that are declared without one; absent if these have no limit. */
  readonly lengths?: Readonly<Record<string, number>>
  /** Name of its row numbers, by which it finds the new rows of a table without a key; a column may have the same name. */
  readonly rowNumbers?: string
  /** Set if it reads tables in pages, so that a table needs a key or numbered rows. */
  readonly readsPages?: true
  /** Set if a list column cannot be part of a key. */
  readonly noListKeys?: true
  /** Set if a column of its type `json` cannot be part of a key. */
  readonly noJsonKeys?: true
  /** Set if it stores and sorts dates and times as text, which matches time order in the years 1 to 9999. */
  readonly textTimes?: true
  /** Set if it can store times before the year 1, after the year 9999, and infinite times. */
  readonly farTimes?: true
  /** Set if each schema is a database with its own ledgers; a store opened for another schema does not read them. */
  readonly ledgerPerSchema?: true
  /** Set if it has no decimal type: `declare` then chooses the type by `DeclareOptions.decimal`. */
  readonly decimals?: 'declared'
  /**
   * Which column of a new table is numbered without a sequence object: the first of the key, or the only column of the
   * key. The numbers only increase. Absent if sequences are objects, or if there are none.
   */
  readonly numbering?: 'first of key' | 'whole key'
  /** Expressions of its SQL that DuckDB computes differently; absent if unknown. */
  readonly expressions?: ExpressionRules
  /** Signs of its SQL that a setting of the session gives another meaning, each with what to write instead. */
  readonly modalSigns?: Readonly<Record<string, string>>
  /** `single`: only one condition as `Times.condition` writes it, no combinations. Otherwise any SQL condition. */
  readonly conditions?: 'single'
}
