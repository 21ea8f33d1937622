/** `spark.cdm.transform.codecs`: conversions requested from the Cassandra Data Migrator. */
import { CODECS, type CodecName, type CodecOptions } from '../../model/copy/codec.ts'
import { datePattern, fixedOffset } from '../../model/copy/date-pattern.ts'
import { asSluiceError } from '../../shared/errors.ts'
import { closest } from '../../shared/closest.ts'
import type { CdmSettings } from './settings.ts'

const KEY = 'spark.cdm.transform.codecs'
const FORMAT = `${KEY}.timestamp.string.format`
const ZONE = `${KEY}.timestamp.string.zone`

/** Codecs of the migrator that are refused, and why. */
const REFUSED: Readonly<Record<string, string>> = {
  STRING_BLOB: 'give both columns the same type: a text is copied as a text, and a blob as a blob',
  ASCII_BLOB: 'give both columns the same type: a text is copied as a text, and a blob as a blob',
  POINT_TYPE: 'remove this codec: types of DataStax Enterprise are copied as their bytes',
  POLYGON_TYPE: 'remove this codec: types of DataStax Enterprise are copied as their bytes',
  LINE_STRING: 'remove this codec: types of DataStax Enterprise are copied as their bytes',
  DATE_RANGE: 'remove this codec: types of DataStax Enterprise are copied as their bytes',
}
/** Conversions between numbers that need no codec. */
const CODECS_NOT_NEEDED: ReadonlySet<string> = new Set(['BIGINT_BIGINTEGER'])

/**
 * The codecs of a run; `options` is absent if there are none. `notes` are for the user.
 * @throws SluiceError BAD_CONFIG for an unknown or unsupported name, pattern or zone
 */
export function codecsOf(settings: CdmSettings): {
  readonly options?: CodecOptions
  readonly notes: readonly string[]
} {
  const asked = [...new Set(settings.list(KEY).filter((name) => name !== ''))]
  const format = settings.text(FORMAT) ?? 'yyyyMMddHHmmss'
  const zone = settings.text(ZONE) ?? 'UTC'
  const names = asked.filter((name) => !CODECS_NOT_NEEDED.has(name)).map((name) => nameOf(settings, name))
  if (names.includes('TIMESTAMP_STRING_MILLIS') && names.includes('TIMESTAMP_STRING_FORMAT'))
    throw settings.bad(KEY, 'names both codecs of timestamps', 'remove one of them: the migrator accepts only one')
  if (!names.includes('TIMESTAMP_STRING_FORMAT')) {
    const idle = [FORMAT, ZONE].filter((key) => settings.text(key) !== undefined)
    const notes = idle.map((key) => `${key} has no effect without TIMESTAMP_STRING_FORMAT in ${KEY}`)
    return names.length === 0 ? { notes } : { options: { names }, notes }
  }
  const offsetMs = offsetOf(settings, zone)
  const { exact, lacks } = patternOf(settings, format, offsetMs)
  const notes = [
    ...(exact ? [] : [`${FORMAT} ${format}: parts of a timestamp outside of this format are not copied`]),
    ...(lacks === null ? [] : [`${FORMAT} ${format} cannot read a timestamp: it lacks ${lacks}`]),
  ]
  return { options: { names, format, offsetMs }, notes }
}

function nameOf(settings: CdmSettings, name: string): CodecName {
  const known = CODECS.find((one) => one === name)
  if (known !== undefined) return known
  const why = Object.hasOwn(REFUSED, name) ? REFUSED[name] : undefined
  if (why !== undefined) throw settings.bad(KEY, `names ${name}, which is not supported`, why)
  const meant = closest(name.toUpperCase(), CODECS)
  throw settings.bad(
    KEY,
    `names ${name}, which is not a codec of the migrator`,
    meant === null ? `it takes ${CODECS.join(', ')}` : `${meant} was probably meant`,
  )
}

function offsetOf(settings: CdmSettings, zone: string): number {
  let offset: number | null
  try {
    offset = fixedOffset(zone)
  } catch (error) {
    throw settings.bad(ZONE, asSluiceError(error).message, asSluiceError(error).hint)
  }
  if (offset !== null) return offset
  throw settings.bad(
    ZONE,
    `names ${zone}, whose offset changes over the year`,
    'the migrator uses the offset of the day of its run for every timestamp: give that offset, like Etc/GMT-1 for UTC+1',
  )
}

function patternOf(settings: CdmSettings, format: string, offsetMs: number): ReturnType<typeof datePattern> {
  try {
    return datePattern(format, offsetMs)
  } catch (error) {
    throw settings.bad(FORMAT, `is ${format}: ${asSluiceError(error).message}`, asSluiceError(error).hint)
  }
}
