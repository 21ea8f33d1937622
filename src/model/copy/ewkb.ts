/**
 * Geometry in hexadecimal digits. MySQL and MariaDB hold a shape as the number of its reference system (4 bytes) and its WKB, both little end first; others
 * understand EWKB, where that number stands inside: OGC 06-103r4 §8.2, and PostGIS' ST_AsEWKB.
 */
import { refusedValue } from './refused.ts'

const HEX = /^(?:[0-9a-f]{2})*$/
/** Of the type in EWKB: the number of the reference system follows. */
const HAS_SRID = 0x20
const NO_SRID = '00000000'

/** Number, byte order, type and the rest of MySQL's own form; its fifth byte is always that of little end first. */
const INTERNAL = /^([0-9a-f]{8})01([0-9a-f]{6})([0-9a-f]{2})([0-9a-f]*)$/
/** The fifth byte ends the type, which has no more than one bit there. */
const EWKB = /^01([0-9a-f]{6})(00|20)([0-9a-f]*)$/

/**
 * @param text hexadecimal digits of MySQL's own form, or of EWKB
 * @returns EWKB in lower case
 * @throws SluiceError VALUE_REFUSED
 */
export function ewkbOf(text: string): string {
  const hex = text.toLowerCase()
  if (HEX.test(hex)) {
    if (EWKB.test(hex)) return hex
    const found = INTERNAL.exec(hex)
    if (found !== null) {
      const [, srid = '', type = '', last = '', rest = ''] = found
      if (srid === NO_SRID) return `01${type}${last}${rest}`
      return `01${type}${(Number.parseInt(last, 16) | HAS_SRID).toString(16).padStart(2, '0')}${srid}${rest}`
    }
  }
  throw refusedValue('a geometry in hexadecimal digits', text)
}

/** The way back. @throws SluiceError VALUE_REFUSED */
export function internalOf(text: string): string {
  const [, type = '', last = '', rest = ''] = EWKB.exec(ewkbOf(text)) ?? []
  return last === '20' ? `${rest.slice(0, 8)}01${type}00${rest.slice(8)}` : `${NO_SRID}01${type}00${rest}`
}
