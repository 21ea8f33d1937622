/** Parquet files of an archive, as they were written and as they were read back. */
import type { Digest } from '../copy/rows.ts'

export type WrittenFile = {
  /** Name within its folder, unique for ever. */
  readonly name: string
  readonly bytes: bigint
  readonly rows: bigint
}

/** Statistics of one file, by physical names, each value as JSON text (PROTOCOL.md, "Per-file Statistics"). */
export type FileStats = {
  readonly numRecords: bigint
  /** Absent for columns that have none: binary, floats with a NaN, columns of nothing but NULL. */
  readonly min: Readonly<Record<string, string>>
  readonly max: Readonly<Record<string, string>>
  readonly nullCount: Readonly<Record<string, bigint>>
}

export type ExaminedFile = WrittenFile & {
  /** Of all bytes of the file, 64 hexadecimal digits. */
  readonly sha256: string
  readonly digest: Digest
  readonly stats: FileStats
}

/** A file of the archive as ledger and log name it. */
export type ArchivedFile = {
  /** Relative to the root of the Delta table, as it stands on the disk: not percent-encoded. */
  readonly path: string
  readonly bytes: bigint
  readonly rows: bigint
  readonly sha256: string
  /** Canonical sum of its rows. */
  readonly sum: string
  /** What the bucket called the bytes that were read back at the publication; absent on a disk, and where an older program published it. */
  readonly etag?: string
}
