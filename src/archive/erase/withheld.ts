/** Removes values of a condition from texts: database messages quote rows, which may name a person. */
import { testedValues, type RowTest } from '../../model/archive/row-test.ts'
import { asSluiceError, SluiceError, type ErrorInfo } from '../../shared/errors.ts'
import type { EventBody } from '../../model/run/event.ts'

export type Withhold = (text: string) => string

/** A number before one of these nouns is a count of this program. Databases put values in brackets, quotes, commas. */
const COUNTED = '(?! (?:(?:more|such|archived|late) )*(?:rows?|files?|partitions?)(?![\\p{L}\\p{N}]))'

/**
 * Replaces values of a test by `***`, except counts. Only whole words are replaced, because a longer number may contain
 * a short one.
 */
export function withholding(test: RowTest): Withhold {
  const values = testedValues(test)
    .filter((value) => value !== '')
    .toSorted((a, b) => b.length - a.length)
    .map((value) => {
      const text = value.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&')
      const isCount = /^\d+$/.test(value)
      return new RegExp(`(?<![\\p{L}\\p{N}])${text}(?![\\p{L}\\p{N}])${isCount ? COUNTED : ''}`, 'gu')
    })
  return (text) => values.reduce((clean, value) => clean.replaceAll(value, '***'), text)
}

/** The same error without these values and without its cause; a bug (INTERNAL) is returned unchanged. */
export function withheldError(thrown: unknown, withhold: Withhold): SluiceError {
  const error = asSluiceError(thrown)
  if (error.code === 'INTERNAL') return error
  const { code, message, ...details } = withheldInfo(error.info(), withhold)
  return new SluiceError(code, message, { ...details, kind: error.kind })
}

/** The event without these values. */
export function withheldEvent<E extends EventBody>(event: E, withhold: Withhold): E {
  if (event.type === 'log') return { ...event, message: withhold(event.message) }
  if (!('error' in event) || event.error === undefined) return event
  const { error } = event
  return { ...event, error: typeof error === 'string' ? withhold(error) : withheldInfo(error, withhold) }
}

function withheldInfo({ message, reason, where, ...rest }: ErrorInfo, withhold: Withhold): ErrorInfo {
  return {
    ...rest,
    message: withhold(message),
    ...(reason === undefined ? {} : { reason: withhold(reason) }),
    ...(where === undefined ? {} : { where: withhold(where) }),
  }
}
