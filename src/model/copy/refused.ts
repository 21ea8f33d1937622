import { SluiceError } from '../../shared/errors.ts'

/** The error for an invalid value. @param what what was expected: `a UUID` */
export function refusedValue(what: string, raw: string | number | bigint | boolean | Uint8Array): SluiceError {
  const text = typeof raw === 'object' ? `${raw.byteLength} bytes` : String(raw).slice(0, 60)
  const shown = text === '' ? 'an empty text' : text
  return new SluiceError('VALUE_REFUSED', `this is not ${what}: ${shown}`, {
    hint: 'correct the value at the source',
  })
}
