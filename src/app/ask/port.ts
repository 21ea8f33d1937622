/**
 * What the Ask screen of the terminal UI asks for: statements, and windows of their answers. Answers lie in a file of a thread of their own, so that
 * whoever looks at one holds no more of it than is on the screen. Everything is plain data that can cross a thread.
 */
import type { ErrorInfo } from '../../shared/errors.ts'

/** What is asked. URLs are as they are shown: without passwords. */
export type AskPlace =
  | { readonly kind: 'catalog'; readonly url: string }
  | { readonly kind: 'database'; readonly url: string }
  /** One table of a database together with its archive. */
  | { readonly kind: 'archive'; readonly url: string; readonly table: string }

/** `explain`: the system says how it would answer, and runs nothing. */
export type AskQuestion = { readonly place: AskPlace; readonly sql: string; readonly explain: boolean }

/** A value as text. Whole numbers and decimals have all of their digits. */
export type AskCell = null | {
  readonly kind: 'text' | 'integer' | 'real' | 'bytes'
  readonly text: string
  /** False where only the beginning of a long value was asked for. */
  readonly whole: boolean
}

export type AskProgress = {
  readonly state: 'running' | 'cancelling' | 'done'
  /** Null until the statement has been understood. */
  readonly columns: readonly string[] | null
  readonly rows: number
  /** Of the file that holds the answer. */
  readonly bytes: number
  readonly ms: number
  /** Whether these are all rows of the answer. */
  readonly whole: boolean
  /** Somebody cancelled it, and the statement has ended where it ran. */
  readonly cancelled: boolean
  readonly error: ErrorInfo | null
  /** What is told beside the rows, such as which partitions were read. */
  readonly notes: readonly string[]
}

/** Before anything has been heard of a statement. */
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

export type SaveWish = { readonly path: string; readonly format: SaveFormat; readonly overwrite: boolean }
export type Saved =
  /** Something is there already, and stays as it is. */
  | { readonly kind: 'exists' }
  /**
   * `rows`: counted in the file that was written. `asText`: columns whose values have no one type of the format, or look like numbers or times of which drivers hand over the text, and are texts there. `renamed`: columns
   * that would have the name of another one, as `a -> a_2`.
   */
  | {
      readonly kind: 'saved'
      readonly rows: number
      readonly bytes: number
      readonly asText: readonly string[]
      readonly renamed: readonly string[]
    }

/** One statement and its answer. `close` gives back what holds it; nothing can be asked behind that. */
export type Answering = {
  readonly question: AskQuestion
  subscribe(listener: (progress: AskProgress) => void): () => void
  /** Ends the statement where it runs. Rows that have come stay. */
  cancel(): void
  /** Rows of the answer, as far as they have come; long values are cut. */
  window(from: number, count: number): Promise<readonly (readonly AskCell[])[]>
  /** One value, up to a megabyte of it. */
  cell(row: number, column: number): Promise<AskCell>
  /** All rows into one file. @throws SluiceError BAD_FLAG, NO_SPACE, TARGET_IO */
  save(wish: SaveWish): Promise<Saved>
  close(): Promise<void>
}

/** Something that a statement can name. */
export type AskRelation = {
  readonly name: string
  readonly columns: readonly { readonly name: string; readonly type: string }[]
}

/** What was asked, newest last in a list. */
export type Asked = { readonly at: string; readonly place: AskPlace; readonly sql: string }

export interface Asking {
  ask(question: AskQuestion): Answering
  /** What can be named there. @throws SluiceError CONNECT_FAILED, UNSUPPORTED_URL … */
  relations(place: AskPlace): Promise<readonly AskRelation[]>
  /** Oldest first. What cannot be read is left out. */
  history(): Promise<readonly Asked[]>
  /** @returns false where it is not kept, because a password stands in it. */
  remember(asked: Asked): Promise<boolean>
  /** A text as a file, by the same rules as rows. @returns the whole path, or null where something is there already */
  write(path: string, text: string, overwrite: boolean): Promise<string | null>
  /** Paths that begin so; folders end with '/'. */
  paths(begin: string): Promise<readonly string[]>
}
