/** Forwards the rows of a chunk as the source prints them, without parsing them, and hashes their bytes. */
import { createHash } from 'node:crypto'
import type { Digest } from '../../../model/copy/rows.ts'
import type { RowRequest, SourceView } from '../../../model/copy/source-port.ts'
import type { ChunkWriter } from '../../../model/copy/target-port.ts'
import type { TableContext } from '../table/context.ts'

/** @param bytes approximate number of source bytes */
export type ChunkProgress = (step: 'reading' | 'writing' | 'proving', rows: bigint, bytes: number) => void

/** @property source digest of the forwarded bytes; null if rows are only counted */
export type Forwarded = {
  readonly source: Digest | null
  readonly read: bigint
  readonly written: bigint
  readonly bytes: number
}

/** @throws SluiceError of the two stores; Error if one of them has no frames */
export async function forwardFrames(
  { plan, throttle, frameRows, pulse, signal }: TableContext,
  view: SourceView,
  writer: ChunkWriter,
  range: RowRequest,
  progress: ChunkProgress,
): Promise<Forwarded> {
  const { frames: format } = plan
  if (format === undefined || view.frames === undefined || writer.writeFrames === undefined) {
    throw new Error('the plan forwards frames, and a store has none')
  }
  const hash = plan.proof === 'echo' ? createHash('sha256') : null
  // Byte comparison needs key order; rows that are only counted may come in the source's fastest order.
  const pieces = view.frames({ ...range, ...(hash === null ? { ordered: false } : {}) }, format, signal)
  let bytes = 0
  let read = 0n
  let guessed = 0
  async function* hashed(): AsyncGenerator<Buffer> {
    try {
      for (let next = await pieces.next(); ; next = await pieces.next()) {
        if (next.done === true) {
          read = next.value
          // Corrects the throttle: if the guess was too low, the next rows wait longer.
          throttle.correct(Number(read) - guessed)
          frameRows.recordChunk(bytes, Number(read))
          return
        }
        const piece = next.value
        hash?.update(piece)
        bytes += piece.length
        const rows = frameRows.of(piece.length)
        guessed += rows
        throttle.countRows(rows)
        await throttle.paced(rows, signal, (left) =>
          progress('writing', BigInt(Math.floor(frameRows.of(bytes) - left)), bytes),
        )
        const given = performance.now()
        yield piece
        pulse.streamed(performance.now() - given, piece.length)
      }
    } finally {
      await pieces.return(0n)
    }
  }
  const written = await writer.writeFrames(hashed(), format)
  return { source: hash === null ? null : { rows: read, sum: hash.digest('hex') }, read, written, bytes }
}
