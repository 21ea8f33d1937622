/** Format of values in a stream: texts, or the binary formats of their types, which cost both servers less. */
import type { FollowedTable } from '../../../../model/follow/port.ts'
import { binaryText, isPrinted, type ValueText } from './binary-text.ts'
import { broken, pgoutputText } from './pgoutput.ts'

/** A column of a followed table, from the catalogs. @property kind pg_type.typtype */
export type WireColumn = { readonly name: string; readonly type: number; readonly kind: string }

export type ReplicationWire = {
  readonly isBinary: boolean
  /** Returns the function that converts values of a type to texts, by the OID of the type. */
  readonly text: (type: number) => ValueText
}

export const TEXT_WIRE: ReplicationWire = { isBinary: false, text: () => pgoutputText }

/**
 * One format is used for all tables of a stream.
 * @param tables with all of their columns in the catalogs, including those not requested
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

/** Rows of tables that are not followed, or have changed, are never read. */
function unknown(): never {
  throw broken('a value has an unknown binary format')
}
