/** Messages that show a place of a text: a line of words, the text below them, and a caret under the place. */

export type Pointed = {
  /** The words, one line. */
  readonly words: string
  readonly source: string
  /** Characters before the place. */
  readonly at: number
}

/** Below the words, so that the message reads as a whole wherever lines are kept. */
export function pointedMessage({ words, source, at }: Pointed): string {
  return `${words}\n  ${source}\n  ${' '.repeat(at)}^`
}

/** The parts of such a message; null for any other one. */
export function pointedIn(message: string): Pointed | null {
  const [, words, source, before] = /^(.*)\n {2}(.*)\n {2}( *)\^$/.exec(message) ?? []
  if (words === undefined || source === undefined || before === undefined) return null
  return { words, source, at: before.length }
}

/** A text, with such a message in it, for where one line is all there is. */
export function withoutPointer(text: string): string {
  return text.replace(/\n {2}.*\n {2} *\^/, '')
}

/**
 * As much of the text around the place as fits, with the caret below it.
 * @param width cells that a text takes
 * @param cells at least 8
 */
export function pointerLines(
  { source, at }: Pointed,
  cells: number,
  width: (text: string) => number,
): readonly [source: string, caret: string] {
  const characters = Array.from(source)
  let from = 0
  // A third of the room is left for what stands behind the place.
  while (from < at && width(characters.slice(from, at).join('')) > (cells * 2) / 3) from += 1
  const head = (from > 0 ? '…' : '') + characters.slice(from, at).join('')
  let shown = head
  for (const character of characters.slice(at)) {
    if (width(shown + character) >= cells) {
      shown += '…'
      break
    }
    shown += character
  }
  return [shown, `${' '.repeat(width(head))}^`]
}
