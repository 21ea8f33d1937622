/** How a stream sends values: as texts, or in the binary formats of their types, which cost both servers less. */
import type { FollowedTable } from '../../../../model/follow/port.ts'
import { binaryText, isPrinted, type ValueText } from './binary-text.ts'
import { broken, pgoutputText } from './pgoutput.ts'

/** A column of a table that is followed, as the catalogs have it. @property kind as pg_type.typtype */
export type WireColumn = { readonly name: string; readonly type: number; readonly kind: string }

export type ReplicationWire = {
  readonly isBinary: boolean
  /** Makes the text of a value, by the object id of its type. */
  readonly text: (type: number) => ValueText
}

export const TEXT_WIRE: ReplicationWire = { isBinary: false, text: () => pgoutputText }

/**
 * One form holds for all tables of a stream.
 * @param tables with their columns in the catalogs, those that were not asked for too
 */
export function replicationWire(
  tables: readonly { readonly table: FollowedTable; readonly columns: readonly WireColumn[] }[],
): ReplicationWire {
  const texts = new Map<number, ValueText>()
  for (const { table, columns } of tables) {
    for (const { name, type, kind } of columns) {
      const text = binaryText(type, kind)
      if (text === null) return TEXT_WIRE
      const asked = table.columns.find((column) => column.name === name)
      if (asked !== undefined && !isPrinted(type) && asked.as.kind !== 'float') return TEXT_WIRE
      texts.set(type, text)
    }
  }
  return { isBinary: true, text: (type) => texts.get(type) ?? unknown }
}

/** Tables that are not followed, or are others now, have rows that nobody reads. */
function unknown(): never {
  throw broken('a value came in a binary format that is not known')
}
