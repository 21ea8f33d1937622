/** The copy operation after a cutover: the table with the public name is its source, the old table its target. */
import { tableText, type TableName } from '../../../model/copy/column-type.ts'
import type { CopyOperation } from '../../copy/operations/copy/declaration.ts'

/**
 * @param operation the copy whose stream ends with the cutover
 * @param source name of the table that is read @param target name of the table that is kept equal, with its schema
 */
export function reverseCopy(operation: CopyOperation, source: TableName, target: TableName): CopyOperation {
  const { to, acceptLossy, acceptAllLossy, verify, workers, maxAside, follow } = operation
  return {
    kind: 'copy',
    from: to,
    to,
    tables: [tableText(source)],
    ...(target.schema === undefined ? {} : { toSchema: target.schema }),
    toTable: target.name,
    rename: {},
    onExisting: 'refuse',
    acceptLossy,
    ...(acceptAllLossy === undefined ? {} : { acceptAllLossy }),
    verify,
    workers,
    maxAside,
    restart: false,
    dryRun: false,
    follow: { cdc: 'slot', ...(follow?.fireTriggers === undefined ? {} : { fireTriggers: follow.fireTriggers }) },
  }
}

/** Options as a stream stores them, JSON: all but the URLs, which may contain passwords. */
export function storedOptions(operation: CopyOperation): string {
  const { from: _from, to: _to, ...rest } = operation
  return JSON.stringify(rest)
}

/** Longest name that a server accepts, in bytes. */
const MOST_BYTES = 63
const OLD_TABLE_SUFFIX = '_before_cutover'

/**
 * Default name of the old table: its name before it got the public name, otherwise the public name with a suffix.
 * @param before its earlier name with schema; null for a table that had the public name from the start
 */
export function oldTableName({ schema, name }: TableName, before: string | null): string {
  if (before !== null) return before.startsWith(`${schema}.`) ? before.slice(`${schema}.`.length) : before
  let kept = ''
  for (const character of name) {
    if (Buffer.byteLength(kept + character + OLD_TABLE_SUFFIX) > MOST_BYTES) break
    kept += character
  }
  return kept + OLD_TABLE_SUFFIX
}
