import type { ChunkRequest, ChunkWriter, CopyTarget } from '../../model/copy/port.ts'

/**
 * Opens the writer of a chunk for as long as the body runs. Where the store has one writer, a batch of its ledger waits until the chunk has ended: asked
 * for within the body it would wait for ever, and is refused at once instead. Nobody opens a writer in another way.
 * @throws as `CopyTarget.open` and the body; SluiceError INTERNAL for what would wait for this chunk
 */
export async function withWriter<T>(
  target: CopyTarget,
  request: ChunkRequest,
  body: (writer: ChunkWriter) => Promise<T>,
): Promise<T> {
  await using writer = await target.open(request)
  return await (writer.turn === undefined ? body(writer) : writer.turn.within(() => body(writer)))
}
