/** Converts values from their column's type to the plan's type, also if a part of the value is lost. */
import { normalizer, type Normalizer } from './canonical.ts'
import type { ColumnType } from './column-type.ts'
import { refusedValue } from './refused.ts'

/**
 * Like `normalizer(as)`, for values of the type `from`: digits that `as` cannot hold are rounded half away from zero,
 * and a timestamp that becomes a date loses its time. Texts are never rounded: a text that is not exactly a value of
 * `as` is refused.
 * @throws (the function) SluiceError VALUE_REFUSED for a value that does not fit `from` or `as`
 */
export function converter(from: ColumnType, as: ColumnType): Normalizer {
  const exact = normalizer(as)
  if (from.kind === 'decimal' || from.kind === 'float') {
    const places = as.kind === 'int' ? 0 : as.kind === 'decimal' && as.precision !== undefined ? (as.scale ?? 0) : null
    if (places === null || (from.kind === 'decimal' && from.scale !== undefined && from.scale <= places)) return exact
    const decimal = normalizer({ kind: 'decimal' })
    return (raw) => exact(rounded(decimal(raw) as string, places))
  }
  if (from.kind === 'text') return strictNormalizer(as, exact)
  if (from.kind === 'timestamp' && as.kind === 'date') {
    const instant = normalizer(from)
    return (raw) => (instant(raw) as string).replace(/ \d\d:\d\d:\d\d(?:\.\d+)?/, '')
  }
  if ((from.kind === 'timestamp' || from.kind === 'time') && as.kind === from.kind && as.digits < from.digits) {
    const whole = normalizer(from)
    const { digits } = as
    return (raw) => cutDigits(whole(raw) as string, digits)
  }
  return exact
}

/**
 * Like `converter`, for float columns into which decimals were written: the shortest text of such a float is the
 * decimal. A float with more digits is another number: it is not rounded, so that a comparison finds the difference.
 * @throws (the function) SluiceError VALUE_REFUSED
 */
export function storedConverter(from: ColumnType, as: ColumnType): Normalizer {
  return from.kind === 'float' && as.kind === 'decimal' ? normalizer(as) : converter(from, as)
}

/** Keeps a text in full, or refuses it. */
function strictNormalizer(as: ColumnType, exact: Normalizer): Normalizer {
  if (as.kind === 'decimal' && as.precision !== undefined) {
    const { precision, scale = 0 } = as
    return (raw) => {
      const text = exact(raw) as string
      if (rounded(text, scale) === text) return text
      throw refusedValue(`a number of ${precision} digits, ${scale} of them after the decimal point`, text)
    }
  }
  if (as.kind !== 'timestamp' && as.kind !== 'time') return exact
  const { digits } = as
  return (raw) => {
    const text = exact(raw) as string
    if (cutDigits(text, digits) === text) return text
    throw refusedValue(`a time with at most ${digits} decimal places of a second`, text)
  }
}

/** A canonical decimal with at most `places` decimal places. */
export function rounded(text: string, places: number): string {
  const point = text.indexOf('.')
  if (point === -1 || text.length - point - 1 <= places) return text
  const up = text.charCodeAt(point + 1 + places) >= 0x35
  const digits =
    BigInt(text.slice(0, point).replace('-', '') + text.slice(point + 1, point + 1 + places)) + (up ? 1n : 0n)
  const all = digits.toString().padStart(places + 1, '0')
  const whole = all.slice(0, all.length - places)
  const fraction = all.slice(all.length - places).replace(/0+$/, '')
  const sign = text.startsWith('-') && digits !== 0n ? '-' : ''
  return `${sign}${whole}${fraction === '' ? '' : `.${fraction}`}`
}

/** Cuts digits off instead of rounding: rounding up could carry a time into the next year. */
function cutDigits(text: string, digits: number): string {
  const found = /\.(\d+)/.exec(text)
  if (found === null) return text
  const kept = (found[1] ?? '').slice(0, digits).replace(/0+$/, '')
  return text.replace(/\.\d+/, kept === '' ? '' : `.${kept}`)
}
