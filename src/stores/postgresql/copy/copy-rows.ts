/** Rows of a query, as COPY prints them. */
import type { FrameFormat } from '../../../model/copy/rows.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { CopyOut } from '../server/copy-out.ts'
import type { CopySession } from '../server/session.ts'
import { columnList } from '../server/sql.ts'

export const FRAME_FORMATS = { 'pg-binary': 'binary', 'pg-text': 'text' } as const satisfies Record<FrameFormat, string>

/** Query for the frames of a range. Source and target both use it, so equal rows have equal bytes. */
export function framesQuery(columns: readonly string[], from: string, condition: string, order: string): string {
  return `SELECT ${columnList(columns)} FROM ${from} WHERE ${condition}${order}`
}

type CopiedRows = {
  readonly pieces: AsyncGenerator<Buffer>
  /** Number of rows that the server reports as sent; valid once all pieces have been read. */
  rows(): bigint
}

const BINARY_END = 0xffff

/**
 * The bytes of `COPY (query) TO STDOUT`, with the header and the end mark that the format has. Destroys the session if
 * its rows are not read to the end.
 * @throws (while reading) errors of the server; SluiceError SOURCE_IO if rows are missing though the server reports no
 * error
 */
export function copyRows(session: CopySession, query: string, format: 'text' | 'csv' | 'binary'): CopiedRows {
  let rows = 0n
  return {
    rows: () => rows,
    pieces: (async function* pieces() {
      const out = session.copyOut(`COPY (${query}\n) TO STDOUT${format === 'text' ? '' : ` (FORMAT ${format})`}`)
      let last = 0
      try {
        for (let piece = await out.next(); piece !== null; piece = await out.next()) {
          last = lastTwo(last, piece)
          yield piece
        }
      } finally {
        if (!out.done) session.destroy()
      }
      rows = complete(out, format, last)
    })(),
  }
}

/** The number of rows, checked: servers send one message a row, and one more for the end of the binary format. */
function complete(out: CopyOut, format: 'text' | 'csv' | 'binary', last: number): bigint {
  const { messages, rows } = out.counted
  const sent = format === 'binary' ? messages - 1n : messages
  const isWhole = rows !== null && rows === sent
  if (isWhole && (format !== 'binary' || last === BINARY_END)) return rows
  throw new SluiceError('SOURCE_IO', 'the received rows are not those that the server sent', {
    reason: isWhole
      ? 'the end mark of the binary format is missing'
      : `${sent} rows were received, and the server reports ${rows ?? 'no number of rows'}`,
    hint: 'a program between sluice and the server changes its messages: connect without it',
    kind: 'source',
  })
}

function lastTwo(before: number, piece: Buffer): number {
  const last = piece[piece.length - 1] ?? 0
  return (((piece.length > 1 ? (piece[piece.length - 2] ?? 0) : before & 0xff) << 8) | last) & 0xffff
}
