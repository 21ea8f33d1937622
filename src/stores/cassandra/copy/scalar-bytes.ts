/** Encodes single canonical values as bytes of Cassandra's protocol, the same in versions 3 and 4. */
import { refusedValue } from '../../../model/copy/refused.ts'
import { inetBytes, inetText } from './inet.ts'
import { daysOf, durationOf, msOfTimestamp, nanosOf } from './time-values.ts'
import { decimalOf, varintBytes } from './numbers.ts'
import { MIDDLE_DAY, type Given } from './scalars.ts'
import type { SimpleName } from './types.ts'
import { vintBytes } from './vint.ts'

/**
 * Returns the function that encodes a value. Refuses a value that would be read back as another text: nothing is
 * rounded or corrected.
 * @throws (the function) SluiceError VALUE_REFUSED
 */
export function scalarBytes(name: SimpleName): (cell: Given) => Buffer {
  switch (name) {
    case 'text':
      return text
    case 'ascii':
      return ascii
    case 'tinyint':
      return whole(name, 1, 0x7f)
    case 'smallint':
      return whole(name, 2, 0x7fff)
    case 'int':
      return whole(name, 4, 0x7fff_ffff)
    case 'bigint':
    case 'counter':
      return long
    case 'varint':
      return (cell) => varintBytes(integer(cell, 'varint'))
    case 'decimal':
      return decimal
    case 'double':
      return (cell) => {
        const bytes = Buffer.allocUnsafe(8)
        bytes.writeDoubleBE(Number(cell))
        return bytes
      }
    case 'float':
      return (cell) => {
        const bytes = Buffer.allocUnsafe(4)
        bytes.writeFloatBE(Number(cell))
        return bytes
      }
    case 'boolean':
      return boolean
    case 'blob':
      return blob
    case 'uuid':
    case 'timeuuid':
      return uuid(name)
    case 'inet':
      return inet
    case 'timestamp':
      return timestamp
    case 'date':
      return date
    case 'time':
      return time
    case 'duration':
      return duration
  }
}

function refused(name: SimpleName, cell: Given): Error {
  return refusedValue(`${/^[aiou]/.test(name) ? 'an' : 'a'} ${name} of Cassandra`, cell)
}

function text(cell: Given): Buffer {
  if (typeof cell !== 'string' || !cell.isWellFormed()) throw refused('text', cell)
  return Buffer.from(cell, 'utf8')
}

// oxlint-disable-next-line no-control-regex -- every character of ASCII
const ASCII = /^[\0-\x7f]*$/

function ascii(cell: Given): Buffer {
  if (typeof cell !== 'string' || !ASCII.test(cell)) throw refused('ascii', cell)
  return Buffer.from(cell, 'latin1')
}

function whole(name: SimpleName, size: number, most: number): (cell: Given) => Buffer {
  return (cell) => {
    const number = Number(cell)
    if (String(number) !== cell || !Number.isInteger(number) || number > most || number < -most - 1) {
      throw refused(name, cell)
    }
    const bytes = Buffer.allocUnsafe(size)
    bytes.writeIntBE(number, 0, size)
    return bytes
  }
}

const INTEGER = /^-?\d+$/

function integer(cell: Given, name: SimpleName): bigint {
  if (typeof cell !== 'string' || !INTEGER.test(cell)) throw refused(name, cell)
  return BigInt(cell)
}

function long(cell: Given): Buffer {
  const number = integer(cell, 'bigint')
  if (BigInt.asIntN(64, number) !== number) throw refused('bigint', cell)
  const bytes = Buffer.allocUnsafe(8)
  bytes.writeBigInt64BE(number)
  return bytes
}

function decimal(cell: Given): Buffer {
  const parts = typeof cell === 'string' ? decimalOf(cell) : null
  if (parts === null) throw refused('decimal', cell)
  const digits = varintBytes(parts.unscaled)
  const bytes = Buffer.allocUnsafe(4 + digits.length)
  bytes.writeInt32BE(parts.scale)
  digits.copy(bytes, 4)
  return bytes
}

/** Shared by all values: the driver never writes to a buffer that it sends. */
const TRUE = Buffer.from([1])
const FALSE = Buffer.from([0])

function boolean(cell: Given): Buffer {
  if (cell === '1') return TRUE
  if (cell === '0') return FALSE
  throw refused('boolean', cell)
}

function blob(cell: Given): Buffer {
  if (typeof cell !== 'object') throw refused('blob', cell)
  return Buffer.from(cell.buffer, cell.byteOffset, cell.byteLength)
}

/** Values of the characters 0 to 9 and a to f by their codes; 255 for all others. */
const NIBBLES = new Uint8Array(128).fill(255)
for (let value = 0; value < 16; value++) NIBBLES[value.toString(16).charCodeAt(0)] = value

/** Positions of the sixteen bytes of a UUID in its text. */
const PLACES = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34]

function uuid(name: 'uuid' | 'timeuuid'): (cell: Given) => Buffer {
  return (cell) => {
    const isShaped = typeof cell === 'string' && cell.length === 36 && hasHyphens(cell)
    if (!isShaped) throw refused(name, cell)
    const bytes = Buffer.allocUnsafe(16)
    let wrong = 0
    for (let at = 0; at < 16; at++) {
      const place = PLACES[at] as number
      const high = NIBBLES[cell.charCodeAt(place)] ?? 255
      const low = NIBBLES[cell.charCodeAt(place + 1)] ?? 255
      wrong |= high | low
      bytes[at] = (high << 4) | low
    }
    if (wrong > 15 || (name === 'timeuuid' && (bytes[6] ?? 0) >> 4 !== 1)) throw refused(name, cell)
    return bytes
  }
}

const HYPHEN = 0x2d

function hasHyphens(cell: string): boolean {
  return [8, 13, 18, 23].every((at) => cell.charCodeAt(at) === HYPHEN)
}

function inet(cell: Given): Buffer {
  const bytes = typeof cell === 'string' ? inetBytes(cell) : null
  if (bytes === null || inetText(bytes) !== cell) throw refused('inet', cell)
  return bytes
}

function timestamp(cell: Given): Buffer {
  const ms = typeof cell === 'string' ? msOfTimestamp(cell) : null
  if (ms === null) throw refused('timestamp', cell)
  const bytes = Buffer.allocUnsafe(8)
  // Two 32-bit halves are faster than one BigInt, and a number holds the milliseconds exactly.
  const high = Math.floor(ms / 0x1_0000_0000)
  bytes.writeInt32BE(high)
  bytes.writeUInt32BE(ms - high * 0x1_0000_0000, 4)
  return bytes
}

function date(cell: Given): Buffer {
  const days = typeof cell === 'string' ? daysOf(cell) : null
  if (days === null || Math.abs(days + 0.5) > MIDDLE_DAY) throw refused('date', cell)
  const bytes = Buffer.allocUnsafe(4)
  bytes.writeUInt32BE(days + MIDDLE_DAY)
  return bytes
}

function time(cell: Given): Buffer {
  const nanos = typeof cell === 'string' ? nanosOf(cell) : null
  if (nanos === null) throw refused('time', cell)
  const bytes = Buffer.allocUnsafe(8)
  bytes.writeBigInt64BE(nanos)
  return bytes
}

function duration(cell: Given): Buffer {
  const parts = typeof cell === 'string' ? durationOf(cell) : null
  if (parts === null) throw refused('duration', cell)
  return Buffer.concat([vintBytes(BigInt(parts.months)), vintBytes(BigInt(parts.days)), vintBytes(parts.nanos)])
}
