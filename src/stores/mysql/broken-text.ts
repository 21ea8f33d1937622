/**
 * Texts that are not valid UTF-8: MariaDB stores lone surrogates, and the driver would replace them with U+FFFD. Here
 * the driver is changed to return the bytes themselves.
 */
import { isUtf8 } from 'node:buffer'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { SluiceError } from '../../shared/errors.ts'

type Packet = {
  readonly buffer: Buffer
  /** Position after the bytes that were read. */
  offset: number
  readLengthCodedNumber(): number | null
  readLengthCodedString(encoding: string): string | Buffer | null
}

const require = createRequire(import.meta.url)
/** The driver's class for received packets, which the driver does not export. */
const DriverPacket = require(join(dirname(require.resolve('mysql2')), 'lib/packets/packet.js')) as {
  readonly prototype: Packet
}
const readString = DriverPacket.prototype.readLengthCodedString

DriverPacket.prototype.readLengthCodedString = function readLengthCodedString(encoding) {
  const begin = this.offset
  const text = readString.call(this, encoding)
  if (typeof text !== 'string' || !text.includes('\ufffd')) return text
  const end = this.offset
  this.offset = begin
  const length = this.readLengthCodedNumber() ?? 0
  this.offset = end
  const bytes = this.buffer.subarray(end - length, end)
  return encoding !== 'utf8' || isUtf8(bytes) ? text : Buffer.from(bytes)
}

/** @param value of a text column, as the driver returns it @throws SluiceError VALUE_REFUSED */
export function validText<T>(value: T): T {
  if (!(value instanceof Uint8Array)) return value
  throw new SluiceError('VALUE_REFUSED', 'the text is not valid in the character set of its column', {
    hint: 'correct the value at the source, or give the column a type for bytes',
  })
}
