/** Decodes the packed rows of a batch, for targets that cannot use the bytes. */
import type { CellBatch, ChangeBatch, Put } from './change.ts'
import { IS_GONE, IS_NEW, type PackedRows } from './packed-rows.ts'

/** The same batch with all rows as cells. @throws SluiceError VALUE_REFUSED */
export function unpacked({ puts, gone, packed }: ChangeBatch): CellBatch {
  if (packed === undefined) return { puts, gone }
  const all = { puts: [...puts], gone: [...gone] }
  for (let slot = 0; slot < packed.length; slot++) {
    if (!packed.isThere(slot)) continue
    if ((packed.flags(slot) & IS_GONE) === 0) all.puts.push(unpackedPut(packed, slot))
    else all.gone.push(packed.key(slot))
  }
  return all
}

/** Number of rows of a batch, packed or not. */
export function batchRowCount({ puts, gone, packed }: ChangeBatch): number {
  return puts.length + gone.length + (packed?.count ?? 0)
}

/** Decodes a row that was not deleted. @throws SluiceError VALUE_REFUSED */
export function unpackedPut(packed: PackedRows, slot: number): Put {
  const put = { row: packed.row(slot), key: packed.key(slot), base: null }
  return (packed.flags(slot) & IS_NEW) === 0 ? put : { ...put, isNew: true }
}
