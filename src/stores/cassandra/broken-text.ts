/**
 * Corrects two results of the driver of Cassandra: texts with invalid bytes, and NULL in a list. Servers accept some
 * such texts, and the driver would replace the bytes with U+FFFD. Here it returns the bytes. So different keys stay
 * different, and the bytes can be sent back as a key. NULL is in the list of write times of a user-defined type with a
 * field that is NULL; the driver would read the elements after it from wrong bytes.
 */
import { isAscii, isUtf8 } from 'node:buffer'
import cassandra from 'cassandra-driver'
import { SluiceError } from '../../shared/errors.ts'
import { lengthPrefixed } from './length-prefixed.ts'

type DriverType = { readonly code: number; readonly info?: unknown }
type Decode = (this: unknown, bytes: Buffer | null, type: DriverType) => unknown

/** The driver exports this class, but its type definitions omit it. */
const Encoder = Reflect.get(cassandra, 'Encoder') as { readonly prototype: { decode: Decode } }
const { ascii, list }: Readonly<Record<'ascii' | 'list', number>> = cassandra.types.dataTypes
/** Elements of a list, which begins with their number. */
const elementsOf = lengthPrefixed(4)
const decodeOfDriver = Encoder.prototype.decode

Encoder.prototype.decode = function decode(bytes, type): unknown {
  if (type.code === list && bytes !== null && bytes.length > 0)
    return elementsOf(bytes).map((element) => decode.call(this, element, type.info as DriverType))
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
