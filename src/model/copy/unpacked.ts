/** Decodes the packed rows of a batch, for targets that cannot use the bytes. */
import type { CellBatch, ChangeBatch, Put } from './change.ts'
import { IS_DELETED, IS_NEW, type PackedRows } from './packed-rows.ts'

/** The same batch with all rows as cells. @throws SluiceError VALUE_REFUSED */
export function unpackBatch({ puts, gone, packed }: ChangeBatch): CellBatch {
  if (packed === undefined) return { puts, gone }
  const all = { puts: [...puts], gone: [...gone] }
  for (let index = 0; index < packed.length; index++) {
    if (!packed.isUsed(index)) continue
    if ((packed.flags(index) & IS_DELETED) === 0) all.puts.push(unpackRow(packed, index))
    else all.gone.push(packed.key(index))
  }
  return all
}

/** Number of rows of a batch, packed or not. */
export function batchRowCount({ puts, gone, packed }: ChangeBatch): number {
  return puts.length + gone.length + (packed?.count ?? 0)
}

/** Decodes a row that was not deleted. @throws SluiceError VALUE_REFUSED */
export function unpackRow(packed: PackedRows, index: number): Put {
  const put = { row: packed.row(index), key: packed.key(index), base: null }
  return (packed.flags(index) & IS_NEW) === 0 ? put : { ...put, isNew: true }
}
