/**
 * Encodes rows in the file format of LOAD DATA. The separators are control characters that JSON and paths do not
 * contain, so hardly any value needs escaping. The file is declared binary, so the server takes bytes unchanged.
 */
import { isUtf8 } from 'node:buffer'
import { SluiceError } from '../../shared/errors.ts'
import type { SqlRow, SqlValue } from '../../model/run/sql-port.ts'
import { packetTooLarge } from './errors.ts'
import { numberText } from './values.ts'
import { bufferOf } from '../common/cells.ts'

const ESCAPE = 0x1b
const ROW_END = 0x1e
const FIELD_END = 0x1f
export const FILE_FORMAT =
  "CHARACTER SET binary FIELDS TERMINATED BY X'1F' ENCLOSED BY '' ESCAPED BY X'1B' LINES TERMINATED BY X'1E' STARTING BY ''"

const SPECIAL = /[\u001b\u001e\u001f]/
const EACH_SPECIAL = /[\u001b\u001e\u001f]/g
const NULL = '\u001bN'
/** Bytes of one packet of the file. */
const CHUNK = 512 * 1024

/**
 * Chunks of the file.
 * @param binary for each column, true if it holds bytes; other columns accept bytes only if they are valid UTF-8
 * @throws SluiceError VALUE_REFUSED for bytes that are not UTF-8 in a text column, and for a row above the server's
 * packet size
 */
export function* loadFileChunks(
  rows: readonly SqlRow[],
  binary: readonly boolean[],
  maxPacket: number,
  label: string,
): Generator<Buffer> {
  let text = ''
  let parts: Buffer[] = []
  let size = 0
  const flush = (): void => {
    if (text === '') return
    parts.push(Buffer.from(text, 'utf8'))
    text = ''
  }
  for (const row of rows) {
    let bytes = 0
    for (let c = 0; c < row.length; c++) {
      const value = row[c] as SqlValue
      if (c > 0) text += '\u001f'
      if (value instanceof Uint8Array) {
        if (binary[c] !== true && !isUtf8(value)) {
          throw new SluiceError('VALUE_REFUSED', 'a text column cannot store bytes that are not UTF-8', {
            where: label,
          })
        }
        flush()
        parts.push(escapedBytes(value))
        bytes += value.byteLength
      } else {
        const field = fieldOf(value)
        text += field
        bytes += field.length
      }
    }
    text += '\u001e'
    size += bytes
    // `bytes` counts a character of a text as one byte: a row that may be too large is measured exactly.
    if (bytes * 3 > maxPacket) refuseLargeRow(row, maxPacket, label)
    if (size >= CHUNK) {
      flush()
      yield* packets(Buffer.concat(parts), maxPacket)
      parts = []
      size = 0
    }
  }
  flush()
  if (parts.length > 0) yield* packets(Buffer.concat(parts), maxPacket)
}

function* packets(bytes: Buffer, maxPacket: number): Generator<Buffer> {
  const most = Math.min(CHUNK, Math.floor(maxPacket / 2))
  for (let start = 0; start < bytes.length; start += most) yield bytes.subarray(start, start + most)
}

function fieldOf(value: Exclude<SqlValue, Uint8Array>): string {
  if (value === null) return NULL
  if (typeof value !== 'string') return numberText(value)
  return SPECIAL.test(value) ? value.replaceAll(EACH_SPECIAL, '\u001b$&') : value
}

function escapedBytes(value: Uint8Array): Buffer {
  const bytes = bufferOf(value)
  let special = 0
  for (const byte of bytes) if (isSpecial(byte)) special++
  if (special === 0) return bytes
  const out = Buffer.allocUnsafe(bytes.length + special)
  let at = 0
  for (const byte of bytes) {
    if (isSpecial(byte)) out[at++] = ESCAPE
    out[at++] = byte
  }
  return out
}

function isSpecial(byte: number): boolean {
  return byte === ESCAPE || byte === ROW_END || byte === FIELD_END
}

/** Refuses a row above the packet size: it could be loaded, but no client could read it or write it by a statement. */
function refuseLargeRow(row: SqlRow, maxPacket: number, label: string): void {
  let bytes = 1_024
  for (const value of row) {
    if (typeof value === 'string') bytes += Buffer.byteLength(value)
    else if (value instanceof Uint8Array) bytes += value.byteLength
  }
  if (bytes > maxPacket) throw packetTooLarge(bytes, maxPacket, label)
}
