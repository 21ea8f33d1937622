/**
 * Texts with invalid bytes. Servers accept some of them, and the driver would replace the bytes with U+FFFD. Here the
 * driver is changed to return the bytes. So different keys stay different, and the bytes can be sent back as a key.
 */
import { isAscii, isUtf8 } from 'node:buffer'
import cassandra from 'cassandra-driver'
import { SluiceError } from '../../shared/errors.ts'

type Decode = (this: unknown, bytes: Buffer | null, type: { readonly code: number }) => unknown

/** The driver exports this class, but its type definitions omit it. */
const Encoder = Reflect.get(cassandra, 'Encoder') as { readonly prototype: { decode: Decode } }
const ascii: number = cassandra.types.dataTypes.ascii
const decodeOfDriver = Encoder.prototype.decode

Encoder.prototype.decode = function decode(bytes, type) {
  const value = decodeOfDriver.call(this, bytes, type)
  if (typeof value !== 'string' || bytes === null) return value
  if (type.code === ascii) return isAscii(bytes) ? value : bytes
  return value.includes('\ufffd') && !isUtf8(bytes) ? bytes : value
}

/** @param value of a text column, as the driver returns it @throws SluiceError VALUE_REFUSED */
export function validText(value: unknown): string {
  if (typeof value === 'string') return value
  throw new SluiceError('VALUE_REFUSED', 'this text is not valid UTF-8', {
    hint: 'correct the value at the source, or store it in a column with a type for bytes',
  })
}
