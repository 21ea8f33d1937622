/** Encodes and decodes values of the archive ledger. */
import type { ArchivedFile } from '../../model/archive/archived-file.ts'
import type { TableName } from '../../model/copy/column-type.ts'
import { SluiceError } from '../../shared/errors.ts'
import type { SqlDialect } from '../../model/run/sql-port.ts'
import { ledgerDialect } from '../../stores/ledger-dialect.ts'

type WrittenForm = { path: string; bytes: string; rows: string; sha256: string; sum: string; etag?: string }

/** Columns read as text, so that no number of the ledger is rounded. */
export function castTexts(dialect: SqlDialect, columns: readonly string[]): string {
  const { castText } = ledgerDialect(dialect).types
  return columns.map((column) => `CAST(${column} AS ${castText})`).join(', ')
}

/** A table name from its columns in the ledger; the schema column has '' or NULL for a table without a schema. */
export function storedName(schema: string | null | undefined, name: string): TableName {
  return schema == null || schema === '' ? { name } : { schema, name }
}

/** Files as JSON text for the ledger. */
export function filesText(files: readonly ArchivedFile[]): string {
  return JSON.stringify(
    files.map(({ path, bytes, rows, sha256, sum, etag }): WrittenForm => ({
      path,
      bytes: `${bytes}`,
      rows: `${rows}`,
      sha256,
      sum,
      ...(etag === undefined ? {} : { etag }),
    })),
  )
}

/** @throws SluiceError LEDGER_DAMAGED */
export function readFiles(text: string | null): readonly ArchivedFile[] {
  if (text === null) return []
  return (readLedgerJson(text) as readonly WrittenForm[]).map(({ bytes, rows, ...rest }) => ({
    ...rest,
    bytes: BigInt(bytes),
    rows: BigInt(rows),
  }))
}

/** @throws SluiceError LEDGER_DAMAGED */
export function readLedgerJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw damagedLedger('JSON', error)
  }
}

/** @returns a SluiceError LEDGER_DAMAGED @param what the unreadable part of the ledger */
export function damagedLedger(what: string, cause?: unknown): SluiceError {
  return new SluiceError('LEDGER_DAMAGED', `the archive ledger has a value that sluice did not write: ${what}`, {
    cause,
    hint: 'the value was changed by hand: restore it from a backup of the source',
  })
}
