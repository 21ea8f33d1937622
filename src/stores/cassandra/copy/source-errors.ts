/** Maps a cluster's read failures to errors of the source: a bad condition, a changed table. */
import { conditionHint } from '../../common/query-errors.ts'
import { tableText, type TableSpec } from '../../../model/copy/column-type.ts'
import { SluiceError, type ErrorCode } from '../../../shared/errors.ts'
import type { CassandraLink } from '../connect.ts'
import { cassandraError } from '../errors.ts'
import { cassandraFailure } from '../failure.ts'

const OF_SOURCE: Partial<Record<ErrorCode, ErrorCode>> = {
  TARGET_DENIED: 'SOURCE_DENIED',
  TARGET_IO: 'SOURCE_IO',
  TABLE_REFUSED: 'SOURCE_IO',
}

/** @param where the user's condition, named as the cause of errors @returns a SluiceError of the source's kind */
export function cassandraSourceError(
  thrown: unknown,
  { settings }: CassandraLink,
  { table }: TableSpec,
  where: string | null,
): unknown {
  if (thrown instanceof SluiceError && thrown.code === 'TABLE_REFUSED') return gone(tableText(table), thrown.message)
  if (thrown instanceof SluiceError) return ofSource(thrown)
  const { kind, message } = cassandraFailure(thrown)
  if (kind === 'table' || kind === 'keyspace') return gone(tableText(table), message)
  if (kind === 'invalid' || kind === 'syntax') {
    if (where !== null) {
      return new SluiceError('BAD_PREDICATE', `the condition cannot be used: ${message}`, {
        where,
        hint: conditionHint('CQL'),
        cause: thrown,
      })
    }
    if (/undefined name|unknown identifier|no column|undefined column/i.test(message))
      return gone(tableText(table), message)
  }
  return ofSource(cassandraError(thrown, settings, 'read'))
}

function ofSource(error: SluiceError): SluiceError {
  const { code, message, where, reason, hint, retryable, cause } = error
  if (error.kind !== 'target') return error
  return new SluiceError(OF_SOURCE[code] ?? code, message, { kind: 'source', retryable, cause, where, reason, hint })
}

function gone(table: string, reason: string): SluiceError {
  return new SluiceError('SOURCE_GONE', `${table} has changed since it was planned, or was dropped`, {
    where: table,
    reason,
    hint: 'run the same command again',
  })
}
