/** Masks passwords in typed text. Each character becomes one dot, so the caret keeps its position. */
import { around, type TextField } from '../state/text-field.ts'

const DOT = '•'
/** Password after a user name, up to the last `@` of the word, or to its end if no `@` is typed yet. */
const OF_USER = /(\b[a-z][\w+.-]*:\/\/[^\s:/@]*:)(?:(\S*)(?=@)|(\S+))/gi
const OF_PARAMETER =
  /([?&][^\s=&]*(?:password|passwd|pwd|token|secret|api[-_]?key|access[-_]?key|sslkey)[^\s=&]*=)([^\s&]+)/gi
/** A port followed by a path is not a password. */
const PORT = /^\d+\/[^@]*$/

const segmenter = new Intl.Segmenter('en', { granularity: 'grapheme' })
const dots = (text: string): string => DOT.repeat(Array.from(segmenter.segment(text)).length)

/**
 * Masks the passwords of URLs, as in `postgresql://me:••••@host/db`. The number of visible characters does not change.
 */
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

/** Text before and after the caret, with passwords masked. */
export function shownAround(of: TextField): readonly [string, string] {
  return around({ ...of, text: masked(of.text) })
}
