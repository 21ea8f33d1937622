/**
 * Interface of the Ask screen: statements, and windows of their results. Results are in a file of another thread, so
 * the UI holds only what is on screen. All data is plain and can be sent to another thread.
 */
import type { ErrorInfo } from '../../shared/errors.ts'

/** Target of a statement. URLs as displayed: without passwords. */
export type AskPlace =
  | { readonly kind: 'catalog'; readonly url: string }
  | { readonly kind: 'database'; readonly url: string }
  /** One table of a database together with its archive. */
  | { readonly kind: 'archive'; readonly url: string; readonly table: string }

/** `explain`: return the query plan, without running the statement. */
export type AskQuestion = { readonly place: AskPlace; readonly sql: string; readonly explain: boolean }

/** A value as text. Integers and decimals have all of their digits. */
export type AskCell = null | {
  readonly kind: 'text' | 'integer' | 'real' | 'bytes'
  readonly text: string
  /** False if `text` is only the start of a long value. */
  readonly whole: boolean
}

export type AskProgress = {
  readonly state: 'running' | 'cancelling' | 'done'
  /** Names of the columns of the result; null until they are known. */
  readonly columns: readonly string[] | null
  readonly rows: number
  /** Size of the result file. */
  readonly bytes: number
  readonly ms: number
  /** True once all rows of the result have been received. */
  readonly whole: boolean
  /** True once the user has cancelled the statement, and it has ended on the server. */
  readonly cancelled: boolean
  readonly error: ErrorInfo | null
  /** Notes besides the rows, such as which partitions were read. */
  readonly notes: readonly string[]
}

/** State before the first progress of a statement. */
export const JUST_ASKED: AskProgress = {
  state: 'running',
  columns: null,
  rows: 0,
  bytes: 0,
  ms: 0,
  whole: false,
  cancelled: false,
  error: null,
  notes: [],
}

export const SAVE_FORMATS = ['csv', 'jsonl', 'parquet'] as const
export type SaveFormat = (typeof SAVE_FORMATS)[number]

export type SaveOptions = { readonly path: string; readonly format: SaveFormat; readonly overwrite: boolean }
export type Saved =
  /** A file exists at the path; it was not changed. */
  | { readonly kind: 'exists' }
  /**
   * `rows`: counted in the written file. `asText`: columns stored as text because the format has no type for all of
   * their values, or because the values may be numbers or times that drivers return as text. `renamed`: columns
   * with a duplicate name, as `a -> a_2`.
   */
  | {
      readonly kind: 'saved'
      readonly rows: number
      readonly bytes: number
      readonly asText: readonly string[]
      readonly renamed: readonly string[]
    }

/** One statement and its result. `close` releases it; no calls are allowed after that. */
export type Answering = {
  readonly question: AskQuestion
  subscribe(listener: (progress: AskProgress) => void): () => void
  /** Ends the statement on the server. Received rows stay. */
  cancel(): void
  /** Rows of the result received so far; long values are cut. */
  window(from: number, count: number): Promise<readonly (readonly AskCell[])[]>
  /** One value, up to 1 MB. */
  cell(row: number, column: number): Promise<AskCell>
  /** Writes all rows to one file. @throws SluiceError BAD_FLAG, NO_SPACE, TARGET_IO */
  save(options: SaveOptions): Promise<Saved>
  close(): Promise<void>
}

/** A table or view that a statement can name. */
export type AskRelation = {
  readonly name: string
  readonly columns: readonly { readonly name: string; readonly type: string }[]
}

/** A past statement; lists have the newest last. */
export type AskedStatement = { readonly at: string; readonly place: AskPlace; readonly sql: string }

export interface AskPort {
  ask(question: AskQuestion): Answering
  /** Tables and views that a statement can name. @throws SluiceError CONNECT_FAILED, UNSUPPORTED_URL … */
  relations(place: AskPlace): Promise<readonly AskRelation[]>
  /** The stored statements, oldest first, without unreadable entries. */
  history(): Promise<readonly AskedStatement[]>
  /** @returns false if the statement is not kept, because it contains a password, is too long, or cannot be written */
  remember(asked: AskedStatement): Promise<boolean>
  /** Writes a text file, by the same rules as rows. @returns the absolute path, or null if the path exists */
  write(path: string, text: string, overwrite: boolean): Promise<string | null>
  /** Paths with this prefix; folders end with '/'. */
  paths(begin: string): Promise<readonly string[]>
}
