/** Folder tree of a lake, for finding tables. */
import type { SluiceError } from '../../shared/errors.ts'

export type LakeItem = {
  readonly kind: 'folder' | 'file'
  readonly name: string
  /** Path or URI that opens it. */
  readonly path: string
  /** Real path of a symbolic link, which may point to a parent folder. */
  readonly link?: () => string
}

/** Where listing a table's folders stopped early: the last name listed, in byte order, and the number of names. */
export type PartlyListed = { readonly after: string; readonly listed: number }

export type TableFolders = {
  readonly items: readonly LakeItem[]
  /** Null if the table was listed completely. */
  readonly unseen: PartlyListed | null
}

/**
 * Contents of a folder. Data folders of a table (`column=value`, names that begin with `_` or `.`) are not entered:
 * they may hold millions of files. Its other folders may contain further tables.
 */
export type FolderState =
  | { readonly is: 'table'; folders(signal: AbortSignal): Promise<TableFolders> }
  | { readonly is: 'folder'; readonly items: readonly LakeItem[] }
  | { readonly is: 'denied'; readonly error: SluiceError }

/** True if the name of a folder inside a table allows that it contains another table. */
export function mayHoldTables(name: string): boolean {
  return !/^[_.]|=/.test(name)
}

export type DatabaseFile = {
  /** First 16 bytes of the file, padded with zeros. */
  readonly head: Buffer
  readonly bytes: number
  readonly modified: number
}

export interface LakeStore {
  /** Path or URI of the folder, as given. */
  readonly root: string
  /** Real path of the root. */
  readonly identity: string
  /** Useful number of folders to list at the same time; 1 if a listing costs almost nothing. */
  readonly parallel: number
  /** Subfolders, and files that may be databases, by name. */
  inspect(path: string, signal: AbortSignal): Promise<FolderState>
  /** True if a folder can be listed and is not a table; cheaper than `inspect`. */
  isPlainFolder(path: string, signal: AbortSignal): Promise<boolean>
  /** Announces an `inspect` of a folder, so that it can be prefetched; if `nested`, also of the folders of a table. */
  prefetch(path: string, signal: AbortSignal, nested: boolean): void
  /** A file that may be a database; null if it cannot be read, or is not one. */
  databaseFile(path: string): DatabaseFile | null
}
