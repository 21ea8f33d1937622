/** Amounts of bytes as users write them. */
import { SluiceError } from '../../shared/errors.ts'

const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  kb: 1000,
  mb: 1000 ** 2,
  gb: 1000 ** 3,
  tb: 1000 ** 4,
  kib: 1024,
  mib: 1024 ** 2,
  gib: 1024 ** 3,
  tib: 1024 ** 4,
}

/**
 * Parses an amount such as `256mb`, `1.5 GB`, `512MiB` or `4096` to bytes. As in printed sizes, kb, mb, gb and tb are
 * powers of 1000.
 * @param least bytes
 * @throws SluiceError BAD_FLAG
 */
export function parseByteSize(flag: string, text: string, least: number): number {
  const [, amount = '', unit = ''] = /^(\d+(?:\.\d+)?)([a-z]*)$/.exec(text.replaceAll(' ', '').toLowerCase()) ?? []
  const factor = UNITS[unit]
  const bytes = amount === '' || factor === undefined ? Number.NaN : Math.floor(Number(amount) * factor)
  if (!Number.isSafeInteger(bytes)) {
    throw new SluiceError('BAD_FLAG', `${flag} ${text} is not a size`, { hint: 'write it like 256mb, 1gb or 512MiB' })
  }
  if (bytes < least) {
    throw new SluiceError('BAD_FLAG', `${flag} ${text} is too small`, { hint: `give ${least} bytes or more` })
  }
  return bytes
}
