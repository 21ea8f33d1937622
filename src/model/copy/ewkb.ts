/**
 * Geometry in hexadecimal digits. MySQL and MariaDB store the SRID (4 bytes) and then the WKB, both little-endian.
 * Other systems read EWKB, which has the SRID inside: OGC 06-103r4 §8.2, and PostGIS' ST_AsEWKB.
 */
import { refusedValue } from './refused.ts'

const HEX = /^(?:[0-9a-f]{2})*$/
/** Flag in the EWKB type: an SRID follows. */
const HAS_SRID = 0x20
const NO_SRID = '00000000'

/** SRID, byte order, type and data as MySQL stores them; the byte order (fifth byte) is always 01, little-endian. */
const INTERNAL = /^([0-9a-f]{8})01([0-9a-f]{6})([0-9a-f]{2})([0-9a-f]*)$/
/** The fifth byte is the last one of the type, where only the SRID flag can be set. */
const EWKB = /^01([0-9a-f]{6})(00|20)([0-9a-f]*)$/

/**
 * Converts MySQL's own form to EWKB. A text that is EWKB already keeps its form.
 * @param text hexadecimal digits of either form
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

/** Converts EWKB to MySQL's own form. @throws SluiceError VALUE_REFUSED */
export function internalOf(text: string): string {
  const [, type = '', last = '', rest = ''] = EWKB.exec(ewkbOf(text)) ?? []
  return last === '20' ? `${rest.slice(0, 8)}01${type}00${rest.slice(8)}` : `${NO_SRID}01${type}00${rest}`
}
