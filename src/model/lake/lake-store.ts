/** Where tables lie: folders below folders, for those who look for tables in them. */
import type { SluiceError } from '../../shared/errors.ts'

export type LakeItem = {
  readonly kind: 'folder' | 'file'
  readonly name: string
  /** Path or URI that opens it. */
  readonly path: string
  /** Real place of a folder that is reached through a link: a link may lead back up. */
  readonly link?: () => string
}

/** Where looking for the folders of a table ended early: the last name that was listed, in byte order, and how many were. */
export type Unseen = { readonly after: string; readonly listed: number }

export type TableFolders = {
  readonly items: readonly LakeItem[]
  /** Null where the table was listed to its end. */
  readonly unseen: Unseen | null
}

/**
 * A table's folders of data (`column=value`, names that begin with `_` or `.`) are not entered: they may hold millions of files. Its other folders may
 * hold tables of their own.
 */
export type FolderLook =
  | { readonly is: 'table'; folders(signal: AbortSignal): Promise<TableFolders> }
  | { readonly is: 'folder'; readonly items: readonly LakeItem[] }
  | { readonly is: 'denied'; readonly error: SluiceError }

/** Whether a folder in a table may hold another table, by its name. */
export function mayHoldTables(name: string): boolean {
  return !/^[_.]|=/.test(name)
}

export type DatabaseFile = {
  /** Its first 16 bytes, or zeros where it is shorter. */
  readonly head: Buffer
  readonly bytes: number
  readonly modified: number
}

export interface LakeStore {
  /** Path or URI of the folder that was asked for. */
  readonly root: string
  /** Real place of the root. */
  readonly identity: string
  /** Folders that are worth looking into at the same time; 1 where a look costs next to nothing. */
  readonly parallel: number
  /** What a folder holds: folders, and files that may be databases, by name. */
  look(path: string, signal: AbortSignal): Promise<FolderLook>
  /** Whether a folder is a table, where `look` would cost more than that. */
  isTable(path: string, signal: AbortSignal): Promise<boolean>
  /** Says that a folder will be looked into soon, and, if it is a `nested` one, into the folders of a table too. */
  soon(path: string, signal: AbortSignal, nested: boolean): void
  /** A file that may be a database; null where it cannot be read, or is none. */
  databaseFile(path: string): DatabaseFile | null
}
