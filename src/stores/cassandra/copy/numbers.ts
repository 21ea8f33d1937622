/** Converts whole numbers of any length, decimals and floating point numbers between Cassandra's bytes and texts. */

/** The fewest bytes that hold the signed number, highest first. */
export function varintBytes(value: bigint): Buffer {
  if (value >= -MOST_OF_SIX && value < MOST_OF_SIX) return smallBytes(Number(value))
  const negative = value < 0n
  let hex = (negative ? ~value : value).toString(16)
  if (hex.length % 2 === 1) hex = `0${hex}`
  // The first bit is the sign.
  if (hex.charCodeAt(0) > 0x37) hex = `00${hex}`
  const bytes = Buffer.from(hex, 'hex')
  if (negative) for (let at = 0; at < bytes.length; at++) bytes[at] = ~(bytes[at] ?? 0)
  return bytes
}

const MOST_OF_SIX = 2n ** 47n

/** Fast path: most numbers are small, and JavaScript numbers are faster than bigints. */
function smallBytes(value: number): Buffer {
  let size = 1
  for (let most = 0x80; value >= most || value < -most; most *= 0x100) size++
  const bytes = Buffer.allocUnsafe(size)
  bytes.writeIntBE(value, 0, size)
  return bytes
}

export function varintOf(bytes: Buffer): bigint {
  if (bytes.length === 0) return 0n
  if (bytes.length <= 6) return BigInt(bytes.readIntBE(0, bytes.length))
  const all = BigInt(`0x${bytes.toString('hex')}`)
  return BigInt.asIntN(bytes.length * 8, all)
}

/** `scale`: number of digits after the point. If it is negative, that many zeros follow the digits. */
export type Decimal = { readonly unscaled: bigint; readonly scale: number }

/** Text of a decimal with all of its digits, so that the same decimal can be parsed from it: `1.50`, `-3`, `12e3`. */
export function spelledDecimal({ unscaled, scale }: Decimal): string {
  if (scale === 0) return unscaled.toString()
  // Without an exponent, the text would have too many zeros.
  if (scale < 0 || scale > 200) return `${unscaled}e${-scale}`
  const digits = (unscaled < 0n ? -unscaled : unscaled).toString().padStart(scale + 1, '0')
  const point = digits.length - scale
  return `${unscaled < 0n ? '-' : ''}${digits.slice(0, point)}.${digits.slice(point)}`
}

/** As `spelledDecimal`, of a decimal's bytes: four of the scale, then the unscaled number. */
export function spelledDecimalBytes(bytes: Buffer): string {
  return spelledDecimal({ unscaled: varintOf(bytes.subarray(4)), scale: bytes.readInt32BE(0) })
}

const DECIMAL = /^(-?\d+)(?:\.(\d+))?(?:e(-?\d{1,10}))?$/

/** Parses a decimal; null if the text is not a number. Cassandra's decimals have no NaN. */
export function decimalOf(text: string): Decimal | null {
  const found = DECIMAL.exec(text)
  if (found === null) return null
  const [, whole = '', fraction = '', exponent = '0'] = found
  const scale = fraction.length - Number(exponent)
  return Math.abs(scale) > 0x7fff_ffff ? null : { unscaled: BigInt(whole + fraction), scale }
}

/** The shortest text that is parsed as this number again; for 32 bits it has fewer digits than for 64. */
export function floatText(value: number, bits: 32 | 64): string {
  if (Object.is(value, -0)) return '-0'
  if (bits === 64 || !Number.isFinite(value)) return String(value)
  for (let digits = 1; digits < 9; digits++) {
    const short = Number(value.toPrecision(digits))
    if (Math.fround(short) === value) return String(short)
  }
  return String(Number(value.toPrecision(9)))
}
