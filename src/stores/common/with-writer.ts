import type { ChunkRequest, ChunkWriter, CopyTarget } from '../../model/copy/target-port.ts'

/**
 * Opens the writer of a chunk while the body runs; writers are opened only here. If the store has one writer, a batch
 * of its ledger waits until the chunk has ended. A batch within the body would wait for ever, so it is refused at once.
 * @throws as `CopyTarget.open` and the body; SluiceError INTERNAL for a call that would wait for this chunk
 */
export async function withWriter<T>(
  target: CopyTarget,
  request: ChunkRequest,
  body: (writer: ChunkWriter) => Promise<T>,
): Promise<T> {
  await using writer = await target.open(request)
  return await (writer.turn === undefined ? body(writer) : writer.turn.within(() => body(writer)))
}
