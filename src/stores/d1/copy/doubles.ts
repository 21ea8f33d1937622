/**
 * Encodes floating point numbers for SQLite. SQLite reads a decimal number as the nearest double only if the exponent
 * is small, else often as a neighbouring double. Such numbers are sent as a whole number and a power of two, whose
 * product is exact.
 */

/** Range in which SQLite reads decimals exactly. */
const SMALLEST = 1e-70
const LARGEST = 1e90

/** True if a number has to be sent as two numbers. */
export function isExtreme(value: number): boolean {
  const size = Math.abs(value)
  return size !== 0 && (size < SMALLEST || size > LARGEST) && size !== Number.POSITIVE_INFINITY
}

/** A number as JSON: a list of two numbers if it is extreme. */
export function doubleJson(value: number): string {
  if (isExtreme(value)) {
    const { whole, power } = parts(value)
    return `[${whole},${power}]`
  }
  if (Number.isFinite(value)) return String(value)
  // Larger than every double: SQLite reads it as infinite.
  return value > 0 ? '9e999' : '-9e999'
}

/** SQL for the number that a list of two encodes. @param json expression for the list */
export function doubleSql(json: string): string {
  return `(${json} ->> 0) * pow(2, ${json} ->> 1)`
}

const scratch = Buffer.alloc(8)

function parts(value: number): { readonly whole: bigint; readonly power: number } {
  scratch.writeDoubleBE(value)
  const bits = scratch.readBigUInt64BE()
  const exponent = Number((bits >> 52n) & 0x7ffn)
  const fraction = bits & 0xfffffffffffffn
  const whole = exponent === 0 ? fraction : fraction | 0x10000000000000n
  return { whole: value < 0 ? -whole : whole, power: Math.max(1, exponent) - 1075 }
}
