/** The chunks of a table that a run works on, one by one. */
import type { TableContext } from '../table/context.ts'
import type { StoredChunk } from '../ledger/stored-chunk.ts'
import { isWantedChunk } from './ring-plan.ts'

/** @param condition SQL condition for the chunks, on columns of the ledger; null for all chunks */
export async function* wantedChunks(
  { ledger, ring }: Pick<TableContext, 'ledger' | 'ring'>,
  condition: string | null = null,
): AsyncGenerator<StoredChunk> {
  const wanted = ring === null ? null : isWantedChunk(ring)
  for await (const chunk of ledger.each(condition)) if (wanted === null || wanted(chunk)) yield chunk
}
