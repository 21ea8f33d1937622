/** Typed text without its passwords: each character of one is a dot, so that the caret stands where it is. */
import { around, type TextField } from '../state/text-field.ts'

const DOT = '•'
/** What follows the name of a user, up to the last `@` of the word; up to its end while that is not typed yet. */
const OF_USER = /(\b[a-z][\w+.-]*:\/\/[^\s:/@]*:)(?:(\S*)(?=@)|(\S+))/gi
const OF_PARAMETER =
  /([?&][^\s=&]*(?:password|passwd|pwd|token|secret|api[-_]?key|access[-_]?key|sslkey)[^\s=&]*=)([^\s&]+)/gi
/** A port with what is behind it is no password. */
const PORT = /^\d+\/[^@]*$/

const segmenter = new Intl.Segmenter('en', { granularity: 'grapheme' })
const dots = (text: string): string => DOT.repeat(Array.from(segmenter.segment(text)).length)

/** `postgresql://me:••••@host/db`. The text has as many characters as people see as before. */
export function masked(text: string): string {
  if (!text.includes('://')) return text
  return text
    .replace(OF_USER, (_all, front: string, whole: string | undefined, begun: string | undefined) =>
      whole === undefined && begun !== undefined && PORT.test(begun)
        ? front + begun
        : front + dots(whole ?? begun ?? ''),
    )
    .replace(OF_PARAMETER, (_all, front: string, secret: string) => front + dots(secret))
}

/** Text before and after the caret as it may be drawn. */
export function shownAround(of: TextField): readonly [string, string] {
  return around({ ...of, text: masked(of.text) })
}
