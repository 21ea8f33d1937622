/** Parquet files of an archive: as written, and as read back. */
import type { Digest } from '../copy/rows.ts'

export type WrittenFile = {
  /** Name within its folder, never used twice. */
  readonly name: string
  readonly bytes: bigint
  readonly rows: bigint
}

/** Statistics of one file, by physical names, each value as JSON text (PROTOCOL.md, "Per-file Statistics"). */
export type FileStats = {
  readonly numRecords: bigint
  /**
   * Smallest values; `max`: largest values. Absent for binary columns, floats with a NaN, and columns with only NULL.
   */
  readonly min: Readonly<Record<string, string>>
  readonly max: Readonly<Record<string, string>>
  readonly nullCount: Readonly<Record<string, bigint>>
}

export type InspectedFile = WrittenFile & {
  /** Digest of all bytes of the file, 64 hexadecimal digits. */
  readonly sha256: string
  readonly digest: Digest
  readonly stats: FileStats
  /** Least and largest value of columns of dates, times and whole numbers, by physical names: exact, unlike `stats`. */
  readonly extents: Readonly<Record<string, Extent>>
}

export type Extent = { readonly least: string; readonly most: string }

/** A file of the archive as ledger and log name it. */
export type ArchivedFile = {
  /** Relative to the root of the Delta table, as on disk: not percent-encoded. */
  readonly path: string
  readonly bytes: bigint
  readonly rows: bigint
  readonly sha256: string
  /** Canonical checksum of its rows. */
  readonly sum: string
  /** ETag of the bytes that were read back at publication. Absent for files on a disk and files of older programs. */
  readonly etag?: string
}
